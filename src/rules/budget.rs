//! The budget of a rule, and the one of all rules that state none: `data/budget.yaml`.

use super::diagnostic::{Code, Diagnostic, Findings};
use super::keys::{self, Keys};
use super::program::{Action, Budget, Rule, Share};
use super::yaml::{self, Node, NodeKind};

/// What a rule file says of its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stated {
    /// Nothing: the default of the set holds.
    Nothing,
    /// `none`: there is no limit, whatever the default.
    Unlimited,
    Own(Budget),
}

const KEYS: [&str; 3] = ["holds_per_hour", "share", "at_least"];
/// The greatest number that a budget may name.
const COUNT_MAX: u32 = 1_000_000_000;

/// Reads the key `budget` of a rule.
pub(super) fn of_rule(node: Option<&Node>, findings: &mut Findings) -> Stated {
    let Some(node) = node else { return Stated::Nothing };
    if matches!(&node.kind, NodeKind::Scalar { text, .. } if text.trim() == "none") {
        return Stated::Unlimited;
    }
    read(node, findings).map_or(Stated::Nothing, Stated::Own)
}

/// Reads `data/budget.yaml`: `budget: {holds_per_hour: 500, share: 2%}`.
pub(super) fn of_set(path: &str, text: &str) -> (Option<Budget>, Vec<Diagnostic>) {
    let mut findings = Findings::new(path);
    let budget = yaml::parse(text, &mut findings).and_then(|root| {
        let keys = Keys::open(&root, "the default budget", &["budget"], &mut findings)?;
        read(keys.required("budget", "the default budget", &mut findings)?, &mut findings)
    });
    (budget, findings.list)
}

/// Gives a rule the budget that it states, or the default where it stops anything.
pub(super) fn settle(rule: &mut Rule, stated: Stated, default: Option<Budget>) {
    rule.budget = match stated {
        Stated::Own(budget) => Some(budget),
        Stated::Nothing => default.filter(|_| stops(&rule.actions)),
        Stated::Unlimited => None,
    };
}

/// Tells whether a rule asks for more than to tell somebody.
fn stops(actions: &[Action]) -> bool {
    actions.iter().any(|action| !matches!(action, Action::Report { .. }))
}

/// A rule that only reports has nothing that a budget could count.
pub(super) fn check(node: Option<&Node>, stated: Stated, actions: &[Action], findings: &mut Findings) {
    if let Some(node) = node
        && matches!(stated, Stated::Own(_))
        && !actions.is_empty()
        && !stops(actions)
    {
        findings
            .error(Code::BudgetUnused, &node.span, "a rule that only reports stops nothing, and needs no budget")
            .label("would never be spent")
            .help("leave the key out");
    }
}

fn read(node: &Node, findings: &mut Findings) -> Option<Budget> {
    let keys = Keys::open(node, "`budget`", &KEYS, findings)?;
    let holds_per_hour = keys.optional("holds_per_hour").map(|node| count(node, "holds_per_hour", findings));
    let basis_points = keys.optional("share").map(|node| basis_points(node, findings));
    let at_least = keys.optional("at_least").map(|node| (node, count(node, "at_least", findings)));
    if holds_per_hour.is_none() && basis_points.is_none() {
        findings
            .error(Code::BadBudget, &node.span, "a budget names `holds_per_hour`, `share` or both")
            .label("neither is here")
            .help("for example `{holds_per_hour: 500, share: 2%}`, or `budget: none` for a rule without a limit");
        return None;
    }
    if let (Some((node, _)), None) = (&at_least, basis_points) {
        findings
            .error(Code::BadBudget, &node.span, "`at_least` says from how many operations on a `share` is looked at")
            .label("there is no `share`");
        return None;
    }
    let at_least = at_least.map_or(Some(Share::AT_LEAST), |(_, count)| count);
    let share = match basis_points {
        Some(basis_points) => Some(Share { basis_points: basis_points?, at_least: at_least? }),
        None => None,
    };
    let holds_per_hour = match holds_per_hour {
        Some(count) => Some(count?),
        None => None,
    };
    Some(Budget { holds_per_hour, share })
}

/// Reads a whole number above zero, with `_` between its digits where they are.
fn count(node: &Node, key: &str, findings: &mut Findings) -> Option<u32> {
    let found = keys::text(node, &format!("`{key}`"), findings)?;
    let is_written = found.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
        && found.starts_with(|c: char| c.is_ascii_digit());
    let number = found.replace('_', "").parse::<u32>().ok().filter(|number| (1..=COUNT_MAX).contains(number));
    let number = number.filter(|_| is_written);
    if number.is_none() {
        let finding = findings
            .error(Code::BadBudget, &node.span, format!("`{key}` is a number of operations"))
            .label(format!("not a whole number from 1 to {COUNT_MAX}"));
        if found == "0" {
            finding.help("for a rule that stops nothing write `mode: shadow`");
        }
    }
    number
}

/// Reads a percentage of at most two decimals.
fn basis_points(node: &Node, findings: &mut Findings) -> Option<u32> {
    let found = keys::text(node, "`share`", findings)?;
    let number = found.strip_suffix('%').map(str::trim_end);
    let basis_points = basis_points_of(found);
    if basis_points.is_none() {
        let label = if number.is_none() { "no `%` at its end" } else { "not from 0.01% to 100%" };
        findings
            .error(Code::BadBudget, &node.span, "`share` is a percentage of at most two decimals")
            .label(label)
            .help("for example `2%` or `0.5%`");
    }
    basis_points
}

/// Reads a share as rules write it, `2%` or `0.25%`, in hundredths of a percent; `None` where it is none that a budget may
/// have.
pub(crate) fn basis_points_of(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%').map(str::trim_end);
    number.and_then(hundredths).filter(|points| (1..=10_000).contains(points))
}

fn hundredths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(rest) || whole.len() > 3 || rest.len() > 2 {
        return None;
    }
    let rest = format!("{rest:0<2}").parse::<u32>().ok()?;
    Some(whole.parse::<u32>().ok()? * 100 + rest)
}
