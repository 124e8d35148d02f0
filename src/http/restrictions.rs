//! Restrictions, and operations that wait, as people and programs are shown them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::operation::Time;
use crate::operation::time::{Nanos, SECOND};
use crate::rules::program::{Lifter, Lifters};
use crate::service::active_restrictions::Entry;
use crate::service::views::WaitingView;

/// A restriction as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct ShownRestriction<'a> {
    restriction_id: String,
    kind: &'static str,
    direction: Option<&'static str>,
    wallet_id: Option<&'a str>,
    ip: Option<String>,
    op_id: Option<&'a str>,
    rule: &'a str,
    clauses: Vec<&'a str>,
    from: String,
    until: Option<String>,
    lifted_by: Vec<&'static str>,
    fired_last: String,
    age_seconds: i64,
    waiting: usize,
}

pub(super) fn shown(entry: &Entry, now: Time) -> ShownRestriction<'_> {
    ShownRestriction {
        restriction_id: entry.id.to_string(),
        kind: entry.kind,
        direction: entry.direction,
        wallet_id: entry.wallet_id.as_deref(),
        ip: entry.ip.map(|ip| ip.to_string()),
        op_id: entry.op_id.as_deref(),
        rule: &entry.rule,
        clauses: entry.clauses.iter().map(|clause| &**clause).collect(),
        from: entry.from.to_string(),
        until: entry.until.map(|until| until.to_string()),
        lifted_by: entry.lifted_by.iter().map(Lifter::name).collect(),
        fired_last: entry.fired_last.to_string(),
        age_seconds: now.since(entry.from).max(Nanos::ZERO) / SECOND,
        waiting: entry.waiting,
    }
}

/// Shows an operation that waits, and every cause: its own hold, or one of the wallet's `restrictions`. A
/// block among the causes says that the operation goes on only when the block ends.
pub(super) fn shown_waiting(WaitingView { waiting, seq }: &WaitingView, restrictions: &[Entry]) -> Value {
    let clauses = |clauses: &crate::operation::decision::Clauses| -> Vec<String> {
        clauses.iter().map(|clause| clause.to_string()).collect()
    };
    let holds: Vec<Value> = waiting
        .holds
        .iter()
        .map(|cause| {
            let names = |lifters: Lifters| lifters.iter().map(Lifter::name).collect::<Vec<_>>();
            let known = restrictions.iter().find(|entry| entry.id == cause.restriction);
            json!({
                "restriction_id": cause.restriction.to_string(), "rule": &*cause.rule,
                "clauses": clauses(&cause.clauses),
                "kind": known.map(|entry| entry.kind), "direction": known.and_then(|entry| entry.direction),
                "until": known.and_then(|entry| entry.until).map(|until| until.to_string()),
                "is_own": cause.own.is_some(),
                "lifted_by": known.map(|entry| entry.lifted_by).or(cause.own).map(names),
            })
        })
        .collect();
    let pins: Vec<Value> =
        waiting.pins.iter().map(|pin| json!({"rule": &*pin.rule, "clauses": clauses(&pin.clauses)})).collect();
    json!({"op_id": &*waiting.op_id, "seq": seq, "since": waiting.since.to_string(), "holds": holds, "pins": pins})
}
