//! Rules that another rule makes superfluous, and actions that never take effect beside those of another.

use super::logic::is_possible;
use super::places::Places;
use super::reader::Reader;
use crate::rules::Diagnostic;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::program::{Action, Block, BlockTerm, Lifters, Mode, Rule, RuleSet};

/// Compares every enforced rule with every other.
pub(super) fn findings(rules: &RuleSet, places: &[Places]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (rule, places) in rules.rules.iter().zip(places).filter(|(rule, _)| rule.mode == Mode::Enforce) {
        let others = || rules.rules.iter().filter(|other| other.mode == Mode::Enforce && other.id != rule.id);
        let mut findings = Findings::new(&rule.path);
        if let Some(other) =
            others().find(|other| asks_for_all_of(other, rule) && makes_superfluous(rules, other, rule))
        {
            findings
                .warning(
                    Code::SubsumedRule,
                    &places.id(),
                    format!("whenever this rule fires, `{}` fires too", other.id),
                )
                .label("asks for nothing that the other does not ask for")
                .help(format!("leave it out, narrow `{}`, or ask for more here", other.id));
        } else {
            report_void(rules, rule, places, others(), &mut findings);
        }
        found.append(&mut findings.list);
    }
    found
}

/// Tells whether the other rule leaves nothing for this one to do. Of two that always fire together, it is the one of
/// the later id.
fn makes_superfluous(rules: &RuleSet, other: &Rule, rule: &Rule) -> bool {
    let is_mutual = || asks_for_all_of(rule, other) && follows(rules, rule, other);
    follows(rules, other, rule) && (other.id < rule.id || !is_mutual())
}

/// Tells whether `other` certainly fires, enforced, wherever `rule` does.
fn follows(rules: &RuleSet, other: &Rule, rule: &Rule) -> bool {
    let covers_types = rule.on.iter().all(|kind| other.on.contains(kind));
    let covers_from = other.from.is_none_or(|from| rule.from.is_some_and(|other| from <= other));
    let covers_until = other.until.is_none_or(|until| rule.until.is_some_and(|other| other <= until));
    // Rules over runs of logins are not asked about a login that another rule refused.
    let is_asked = !other.reads_login_run || rule.reads_login_run;
    if !(covers_types && covers_from && covers_until && is_asked) {
        return false;
    }
    let mut reader = Reader::new(&rules.aggregates, rule.on);
    let (fires, stays_silent) = (reader.fires(rule), reader.fires(other).opposite());
    !is_possible(&[&fires, &stays_silent], &reader.domains)
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

/// Warns of each hold and PIN challenge whose operation is certainly refused: by the rule itself or by another.
fn report_void<'r>(
    rules: &RuleSet,
    rule: &Rule,
    places: &Places,
    others: impl Iterator<Item = &'r Rule>,
    findings: &mut Findings,
) {
    let waits = |action: &Action| matches!(action, Action::Hold { .. } | Action::ChallengePin);
    if !rule.actions.iter().any(waits) {
        return;
    }
    let refuses = |rule: &Rule| rule.actions.contains(&Action::Refuse);
    let by = if refuses(rule) {
        String::from("this rule itself")
    } else {
        match others.into_iter().find(|other| refuses(other) && follows(rules, other, rule)) {
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
