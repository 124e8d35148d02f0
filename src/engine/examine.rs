//! Takes apart how the rules judge one operation: what each part of each condition came to.
//!
//! The same evaluation that [`decide`](super::decide::decide) makes, only that nothing is decided and every part is
//! asked, also those that a decision need not look at.

use smallvec::SmallVec;

use crate::engine::context::Context;
use crate::engine::decide::evaluation;
use crate::engine::enrich::Enriched;
use crate::engine::lifecycle::in_force::find_restrictions;
use crate::engine::matching::counted::CountedOperations;
use crate::engine::matching::evaluate;
use crate::engine::matching::evaluation::{Evaluation, Fired};
use crate::engine::matching::evidence::show;
use crate::engine::matching::fire::fire_rules;
use crate::engine::matching::memo::Memo;
use crate::engine::plan::PlannedRule;
use crate::engine::value::Ratio;
use crate::operation::OperationType;
use crate::operation::localized::Value;
use crate::rules::program::{Action, Condition, Evidence, Operand};

/// What one rule found on an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// Position in the rule set.
    pub rule: usize,
    /// Whether a match has effects; otherwise the rule is in shadow.
    pub enforced: bool,
    pub fired: bool,
    /// The parts of the condition's outermost `and`, in the order of the text; one for any other condition.
    pub parts: Vec<ExaminedPart>,
    /// What the condition reads, in the order of [`Rule::evidence`](crate::rules::program::Rule::evidence).
    pub values: Vec<Value>,
    /// What the aggregates among the values counted, by their positions there; of a rule that fired, or lacked one part.
    pub counted: Vec<(usize, CountedOperations)>,
}

/// What one part of a condition came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ExaminedPart {
    /// `None` is unknown: something that it reads is missing.
    pub holds: Option<bool>,
    /// Both sides of a comparison of numbers: money in tiyn, times and durations in nanoseconds.
    pub sides: Option<[Option<Ratio>; 2]>,
}

/// Examines an operation that has not been decided yet. Rules that are not in force then, and those that do not look
/// at refused logins where it is one, are left out.
#[must_use]
pub(crate) fn examine(context: &Context<'_>, enriched: &Enriched<'_>, memo: &mut Memo) -> Vec<Examined> {
    let (plan, kind) = (context.plan, enriched.operation.kind);
    let in_force = find_restrictions(context, enriched);
    memo.start(plan, kind);
    let mut evaluation = evaluation(context, enriched, &in_force, memo);
    evaluation.find_feeds();
    let is_refused = !in_force.refusing.is_empty();
    fire_rules(&mut evaluation, is_refused);
    let fired = std::mem::take(&mut evaluation.fired);
    let stage = |fired: &Fired| plan.rules.rules[fired.rule].stage;
    let refuses = |fired: &Fired| {
        let rule = &plan.rules.rules[fired.rule];
        fired.enforced && !rule.reads_login_run && rule.actions.contains(&Action::Refuse)
    };
    let is_refused_login = kind == OperationType::Login && (is_refused || fired.iter().any(refuses));
    let mut examined = Vec::new();
    for planned in &plan.of(kind).rules {
        if !planned.is_in_force(enriched.operation.occurred_at) || (planned.reads_login_run && is_refused_login) {
            continue;
        }
        // A rule sees the matches of the stages before its own.
        evaluation.fired = fired.iter().filter(|fired| stage(fired) < planned.stage).copied().collect();
        let has_fired = fired.iter().any(|fired| fired.rule == planned.index);
        let mut found = examine_rule(&mut evaluation, planned, has_fired);
        if has_fired || found.parts.iter().filter(|part| part.holds != Some(true)).count() <= 1 {
            found.counted = counted(&evaluation, planned);
        }
        examined.push(found);
    }
    examined
}

/// Examines what one rule would find at a later time, if the decided operation were the last one: with its time set
/// to then, and without counting it a second time. `None` where the rule does not look at such operations.
#[must_use]
pub(crate) fn examine_later(
    context: &Context<'_>,
    enriched: &Enriched<'_>,
    memo: &mut Memo,
    rule: usize,
) -> Option<Examined> {
    let planned = context.plan.of(enriched.operation.kind).rules.iter().find(|planned| planned.index == rule)?;
    let in_force = find_restrictions(context, enriched);
    memo.start(context.plan, enriched.operation.kind);
    let mut evaluation = evaluation(context, enriched, &in_force, memo);
    evaluation.feeds = SmallVec::from_elem(0, context.plan.mask_words);
    Some(examine_rule(&mut evaluation, planned, false))
}

fn examine_rule(evaluation: &mut Evaluation<'_, '_>, planned: &PlannedRule, fired: bool) -> Examined {
    let plan = evaluation.plan;
    let rule = &plan.rules.rules[planned.index];
    // What an enforced rule sees of matches is not what one in shadow sees.
    evaluation.memo.start(plan, evaluation.enriched.operation.kind);
    evaluation.for_enforced = evaluation.is_enforced(planned);
    let mut parts = Vec::new();
    split(&rule.when, &mut |part| {
        let sides = match part {
            Condition::Compare { left, right, .. } => {
                Some([evaluate::number(evaluation, left), evaluate::number(evaluation, right)])
            }
            _ => None,
        };
        parts.push(ExaminedPart { holds: evaluate::condition(evaluation, part), sides });
    });
    let values = rule.evidence.iter().map(|item| show(evaluation, item)).collect();
    let (rule, enforced) = (planned.index, evaluation.for_enforced);
    Examined { rule, enforced, fired, parts, values, counted: Vec::new() }
}

/// Finds what the aggregates that a rule reads counted of the wallet's operations.
fn counted(evaluation: &Evaluation<'_, '_>, planned: &PlannedRule) -> Vec<(usize, CountedOperations)> {
    let evidence = evaluation.plan.rules.rules[planned.index].evidence.iter().enumerate();
    let of_item = |(position, item): (usize, &Evidence)| match item.what {
        Operand::Aggregate(id) => Some((position, evaluation.counted(id)?)),
        Operand::Field(..) => None,
    };
    evidence.filter_map(of_item).collect()
}

fn split(condition: &Condition, found: &mut impl FnMut(&Condition)) {
    match condition {
        Condition::All(parts) => parts.iter().for_each(|part| split(part, found)),
        part => found(part),
    }
}
