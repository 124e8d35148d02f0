//! Whether a rule had exceeded its budget when an operation came on which it did not fire.

use crate::adapters::store::{Store, StoreError, Stream};
use crate::operation::{OperationType, decode};
use crate::rules::program::Rule;
use crate::service::rule_log;
use crate::service::search::{Filter, Item};

use super::again::{Kept, Log};
use super::looking_back::newest_before;
use super::presumed::Presumed;

/// So many decisions that a rule matched are looked at at most,
const MATCHED_MAX: usize = 1_000;
/// and so many operations that arm a rule again.
const REARMED_MAX: usize = 100;

/// Finds out whether a rule that did not fire on an operation had exceeded its budget then: what the last decisions
/// before it that the rule matched say, unless the rule was armed again since. `None` where that cannot be told.
///
/// # Errors
/// The store cannot be read.
pub(super) fn had_exceeded(store: &Store, rule: &Rule, target: &Kept) -> Result<Option<bool>, StoreError> {
    let matched = Filter { rule: Some(rule.id.to_string()), ..Filter::default() };
    let (matched, is_all) = newest_before(store, matched, (target.seq, MATCHED_MAX), numbered)?;
    let mut exceeded_at = None;
    for (at, (seq, decision)) in matched.iter().enumerate() {
        let told = Presumed::of(decision);
        if told.exceeded_now.iter().any(|id| **id == *rule.id) {
            exceeded_at = Some(*seq);
            break;
        }
        match told.fired.iter().find(|(id, _)| **id == *rule.id) {
            // A command for what it placed earlier says nothing of now.
            None => {}
            Some((_, true)) if at == 0 || !fired_in(&matched[..at], &rule.id) => return Ok(Some(false)),
            // Since then it has been in shadow, and not by its budget.
            Some((_, true)) => return Ok(None),
            Some((_, false)) => {}
        }
    }
    let Some(exceeded_at) = exceeded_at else {
        // As far as all decisions are kept it has stopped nothing.
        let has_fired = fired_in(&matched, &rule.id);
        let first = store.read(Stream::Decisions, 0, 1, 1)?.first().map_or(1, |(seq, _)| *seq);
        return Ok((is_all && !has_fired && first <= 1).then_some(false));
    };
    // A set in which the rule has no budget, or does not act, forgets what was spent.
    let Some(breach) = Log::default().item(store, exceeded_at)? else { return Ok(None) };
    if breach.ruleset != target.ruleset || rule_log::has_changed_between(store, breach.arrived_at, target.arrived_at)? {
        return Ok(None);
    }
    was_rearmed(store, rule, (exceeded_at, target.seq)).map(|was_rearmed| was_rearmed.map(|was| !was))
}

fn fired_in(decisions: &[(u64, Vec<u8>)], rule: &str) -> bool {
    decisions.iter().any(|(_, decision)| Presumed::of(decision).fired.iter().any(|(id, _)| id == rule))
}

/// Tells whether a rule was armed again between two numbers; `None` where that cannot be told.
fn was_rearmed(store: &Store, rule: &Rule, (after, before): (u64, u64)) -> Result<Option<bool>, StoreError> {
    let filter = Filter { kind: Some(OperationType::RuleRearmed), ..Filter::default() };
    let (found, is_all) = newest_before(store, filter, (before, REARMED_MAX), numbered)?;
    let is_far_enough = is_all || found.last().is_some_and(|(seq, _)| *seq <= after);
    for (seq, _) in found.iter().filter(|(seq, _)| *seq > after) {
        let Some(kept) = Log::default().item(store, *seq)? else { return Ok(None) };
        let names_it = decode::decode(&kept.record).is_ok_and(|found| found.rearmed_rule() == Some(&*rule.id));
        if names_it && !kept.was_refused {
            return Ok(Some(true));
        }
    }
    Ok(is_far_enough.then_some(false))
}

fn numbered(item: Item) -> (u64, Vec<u8>) {
    (item.seq, item.decision)
}
