//! Rules that another rule makes superfluous, and actions that never take effect beside those of another.

use super::logic::{STEPS_MAX, is_possible_within};
use super::places::Places;
use super::reader::Reader;
use crate::rules::Diagnostic;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::program::{Action, Block, BlockTerm, Lifters, Mode, Rule, RuleSet};

/// Steps of all searches together: beyond them nothing more is claimed of pairs. Hundreds of rules of a few parts need a
/// hundredth of that.
const STEPS_ALL_MAX: usize = 20_000_000;

/// Compares every enforced rule with every other.
pub(super) fn findings(rules: &RuleSet, places: &[Places]) -> Vec<Diagnostic> {
    Pairs { rules, steps_left: STEPS_ALL_MAX, searches: 0 }.findings(places)
}

/// The rules that are compared, and what that may still cost.
pub(super) struct Pairs<'r> {
    pub(super) rules: &'r RuleSet,
    pub(super) steps_left: usize,
    /// Pairs of which it was asked whether one fires without the other.
    pub(super) searches: usize,
}

impl Pairs<'_> {
    pub(super) fn findings(&mut self, places: &[Places]) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let is_enforced = |rule: &&Rule| rule.mode == Mode::Enforce;
        for (rule, places) in self.rules.rules.iter().zip(places).filter(|(rule, _)| is_enforced(rule)) {
            let others = || self.rules.rules.iter().filter(is_enforced).filter(|other| other.id != rule.id);
            let stronger: Vec<&Rule> = others().filter(|other| asks_for_all_of(other, rule)).collect();
            let refusing: Vec<&Rule> = others().filter(|other| refuses(other)).collect();
            let mut findings = Findings::new(&rule.path);
            if let Some(other) = stronger.into_iter().find(|other| self.makes_superfluous(other, rule)) {
                findings
                    .warning(
                        Code::SubsumedRule,
                        &places.id(),
                        format!("whenever this rule fires, `{}` fires too", other.id),
                    )
                    .label("asks for nothing that the other does not ask for")
                    .help(format!("leave it out, narrow `{}`, or ask for more here", other.id));
            } else {
                self.report_void(rule, places, &refusing, &mut findings);
            }
            found.append(&mut findings.list);
        }
        found
    }

    /// Tells whether the other rule leaves nothing for this one to do. Of two that always fire together, it is the one of
    /// the later id.
    fn makes_superfluous(&mut self, other: &Rule, rule: &Rule) -> bool {
        if !self.follows(other, rule) {
            return false;
        }
        other.id < rule.id || !(asks_for_all_of(rule, other) && self.follows(rule, other))
    }

    /// Tells whether `other` certainly fires, enforced, wherever `rule` does.
    fn follows(&mut self, other: &Rule, rule: &Rule) -> bool {
        let covers_types = rule.on.iter().all(|kind| other.on.contains(kind));
        let covers_from = other.from.is_none_or(|from| rule.from.is_some_and(|other| from <= other));
        let covers_until = other.until.is_none_or(|until| rule.until.is_some_and(|other| other <= until));
        // Rules over runs of logins are not asked about a login that another rule refused.
        let is_asked = !other.reads_login_run || rule.reads_login_run;
        if !(covers_types && covers_from && covers_until && is_asked) {
            return false;
        }
        let mut steps = self.steps_left.min(STEPS_MAX);
        if steps == 0 {
            return false;
        }
        self.searches += 1;
        let before = steps;
        let mut reader = Reader::new(&self.rules.aggregates, rule.on);
        let (fires, stays_silent) = (reader.fires(rule), reader.fires(other).opposite());
        let is_possible = is_possible_within(&[&fires, &stays_silent], &reader.domains, &mut steps);
        self.steps_left -= before - steps;
        !is_possible
    }

    /// Warns of each hold and PIN challenge whose operation is certainly refused: by the rule itself or by another.
    fn report_void(&mut self, rule: &Rule, places: &Places, refusing: &[&Rule], findings: &mut Findings) {
        let waits = |action: &Action| matches!(action, Action::Hold { .. } | Action::ChallengePin);
        if !rule.actions.iter().any(waits) {
            return;
        }
        let by = if refuses(rule) {
            String::from("this rule itself")
        } else {
            match refusing.iter().find(|other| self.follows(other, rule)) {
                Some(other) => format!("`{}`", other.id),
                None => return,
            }
        };
        for (position, _) in rule.actions.iter().enumerate().filter(|(_, action)| waits(action)) {
            findings
                .warning(
                    Code::VoidAction,
                    &places.action(position),
                    format!("{by} refuses every operation that would wait"),
                )
                .label("never takes effect")
                .help("a refused operation does not wait: leave one of the two out");
        }
    }
}

fn refuses(rule: &Rule) -> bool {
    rule.actions.contains(&Action::Refuse)
}

/// Tells whether everything that `rule` asks for is asked for by `other` as well, as strongly or more so.
fn asks_for_all_of(other: &Rule, rule: &Rule) -> bool {
    let is_covered = |action: &Action| other.actions.iter().any(|strong| is_as_strong(strong, action));
    !rule.actions.is_empty() && rule.actions.iter().all(is_covered)
}

fn is_as_strong(strong: &Action, weak: &Action) -> bool {
    match (strong, weak) {
        (Action::Refuse, Action::Refuse)
        | (Action::ChallengePin, Action::ChallengePin)
        | (Action::ChallengeCaptcha, Action::ChallengeCaptcha)
        | (Action::CancelWaiting, Action::CancelWaiting)
        | (Action::CancelReferenced, Action::CancelReferenced) => true,
        (Action::Hold { lifted_by: strong }, Action::Hold { lifted_by: weak })
        | (Action::Monitor { lifted_by: strong }, Action::Monitor { lifted_by: weak }) => is_within(*strong, *weak),
        (
            Action::Block { what, term, lifted_by },
            Action::Block { what: weak, term: weak_term, lifted_by: weak_lifted_by },
        ) => {
            let stops_as_much = what == weak || (*what, *weak) == (Block::WalletBoth, Block::WalletDebit);
            stops_as_much && lasts(*term, *weak_term) && is_within(*lifted_by, *weak_lifted_by)
        }
        (Action::Report { to, when }, Action::Report { to: weak, when: weak_when }) => {
            to == weak && (when.is_none() || when == weak_when)
        }
        _ => false,
    }
}

/// Tells whether everybody who lifts the one also lifts the other.
fn is_within(strong: Lifters, weak: Lifters) -> bool {
    strong.iter().all(|lifter| weak.contains(lifter))
}

fn lasts(strong: BlockTerm, weak: BlockTerm) -> bool {
    match (strong, weak) {
        (BlockTerm::UntilLifted, _) => true,
        (BlockTerm::Exact(strong), BlockTerm::Exact(weak)) => strong >= weak,
        (BlockTerm::Days(strong), BlockTerm::Days(weak)) | (BlockTerm::Months(strong), BlockTerm::Months(weak)) => {
            strong >= weak
        }
        _ => false,
    }
}
