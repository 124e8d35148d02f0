//! Decides one operation: pure, and unable to fail.
//!
//! In this order: duplicate? → what restrictions are in force → plain rules → rules that read a run
//! of logins (not on a refused login) → rules that read matches → what the rules place → verdict and
//! commands → what the operation itself lifts or clears → the changes to state.

use crate::engine::context::Context;
use crate::engine::enrich::Enriched;
use crate::engine::lifecycle::Lifecycle;
use crate::engine::lifecycle::in_force::InForce;
use crate::engine::lifecycle::in_force::find_restrictions;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::matching::fire::{Degraded, fire_rules, names_of};
use crate::engine::matching::memo::Memo;
use crate::engine::matching::record::record;
use crate::engine::outcome::{Disposition, Outcome};
use crate::engine::plan::Plan;
use crate::engine::state::budgets::BudgetChanges;
use crate::engine::state::changes::{Changes, SharedChanges};
use crate::engine::state::restriction::RestrictionKind;
use crate::engine::state::wallet::Wallet;
use crate::operation::OperationType;
use crate::operation::decision::{Command, Decision, Match, Verdict, decision_id};
use smallvec::SmallVec;

/// Decides an operation; `memo` is scratch space.
#[must_use]
pub fn decide(context: &Context<'_>, enriched: &Enriched<'_>, memo: &mut Memo) -> Disposition {
    let (plan, wallet) = (context.plan, context.wallet);
    let operation = &enriched.operation;
    if let Some(step) = find_duplicate(plan, wallet, enriched) {
        return step;
    }
    let in_force = find_restrictions(context, enriched);
    memo.start(plan, operation.kind);
    let mut evaluation = evaluation(context, enriched, &in_force, memo);
    evaluation.find_feeds();
    let (mut matches, mut degraded) = fire_rules(&mut evaluation, !in_force.refusing.is_empty());

    let is_plain = evaluation.fired.is_empty() && in_force.refusing.is_empty() && in_force.holding.is_empty();
    let (verdict, commands, mut changes, mut shared) = if is_plain && !has_effects(operation.kind) {
        (Verdict::Allow, Vec::new(), Changes::default(), SharedChanges::new())
    } else {
        effects(context, &mut evaluation, &in_force, (&mut matches, &mut degraded))
    };

    matches.sort_by(|a, b| a.rule.cmp(&b.rule));
    let newest = wallet.newest();
    let late = newest.is_some_and(|newest| operation.occurred_at < newest.minus(plan.settings.lateness));
    changes.budgets = evaluation.spends.take();
    if verdict != Verdict::Refuse {
        rearm(context, enriched, &mut changes);
    }
    record(&evaluation, (verdict, context.seq), &mut changes, &mut shared);
    let decision = Decision {
        decision_id: decision_id(&operation.wallet_id, &operation.op_id),
        op_id: (*operation.op_id).into(),
        wallet_id: (*operation.wallet_id).into(),
        kind: operation.kind,
        occurred_at: operation.occurred_at,
        verdict,
        matches,
        commands,
        late,
        degraded: names_of(degraded),
        ruleset: plan.ruleset.clone(),
    };
    Disposition::Decided(Outcome { decision: Box::new(decision), changes, shared })
}

/// Returns the operation as its rules see it, before any of them is asked.
pub(super) fn evaluation<'e, 'o>(
    context: &Context<'e>,
    enriched: &'e Enriched<'o>,
    in_force: &InForce<'_>,
    memo: &'e mut Memo,
) -> Evaluation<'e, 'o> {
    Evaluation {
        plan: context.plan,
        enriched,
        wallet: context.wallet,
        view: context.view,
        day: context.day,
        mrp: context.mrp,
        is_blocked: in_force.wallet.iter().any(|r| matches!(r.kind, RestrictionKind::Block(_))),
        is_monitored: in_force.wallet.iter().any(|r| r.kind == RestrictionKind::Monitor),
        feeds: SmallVec::new(),
        fired: Vec::new(),
        for_enforced: false,
        reach: context.reach,
        budgets: context.budgets,
        spends: spends(context, enriched),
        is_stopped: !in_force.refusing.is_empty() || !in_force.holding.is_empty(),
        seq: context.seq,
        memo,
    }
}

/// Begins what an operation changes of budgets, where rules have any.
fn spends(context: &Context<'_>, enriched: &Enriched<'_>) -> Option<Box<BudgetChanges>> {
    if !context.plan.has_budgets() {
        return None;
    }
    let minute = context.budgets.minute(enriched.operation.occurred_at, context.reach);
    Some(Box::new(BudgetChanges::at(minute)))
}

/// Arms the rule again that the operation names, if it has exceeded its budget.
fn rearm(context: &Context<'_>, enriched: &Enriched<'_>, changes: &mut Changes) {
    if let (Some(spends), Some(rule)) = (&mut changes.budgets, enriched.operation.rearmed_rule()) {
        spends.rearmed = context.plan.position_of(rule).filter(|rule| context.budgets.is_breached(*rule));
    }
}

/// Turns fired rules and active restrictions into verdict, commands and changes.
fn effects<'e>(
    context: &Context<'e>,
    evaluation: &mut Evaluation<'_, '_>,
    in_force: &InForce<'e>,
    (matches, degraded): (&mut Vec<Match>, &mut Degraded),
) -> (Verdict, Vec<Command>, Changes, SharedChanges) {
    let mut lifecycle = Lifecycle::new(context, evaluation.enriched, in_force);
    lifecycle.place(evaluation);
    let verdict = lifecycle.verdict(matches);
    lifecycle.command_operation(verdict);
    lifecycle.carry_out(verdict);
    lifecycle.report(evaluation);
    if lifecycle.lacks_directory() {
        degraded.add(crate::rules::program::Inputs::SHARED_STATE);
    }
    let (commands, changes, shared) = lifecycle.finish();
    (verdict, commands, changes, shared)
}

/// Tells whether operations of the type do something by themselves, whatever the rules say.
const fn has_effects(kind: OperationType) -> bool {
    matches!(
        kind,
        OperationType::Pin
            | OperationType::Cancelled
            | OperationType::IdentityConfirmed
            | OperationType::WalletUnblockRequested
            | OperationType::IpUnblockRequested
            | OperationType::SeizureLifted
    )
}

/// Tells whether operations of the type may release others that wait.
pub(super) const fn may_release(kind: OperationType) -> bool {
    matches!(
        kind,
        OperationType::Pin
            | OperationType::IdentityConfirmed
            | OperationType::WalletUnblockRequested
            | OperationType::SeizureLifted
    )
}

fn find_duplicate(plan: &Plan, wallet: &Wallet, enriched: &Enriched<'_>) -> Option<Disposition> {
    let row = wallet.find(plan, enriched.id)?;
    let horizon = plan.settings.duplicate_horizon;
    if wallet.newest().is_some_and(|newest| row.at() < newest.minus(horizon)) {
        return None;
    }
    Some(if row.content() == enriched.content {
        Disposition::Duplicate { seq: row.seq() }
    } else {
        Disposition::Conflict
    })
}
