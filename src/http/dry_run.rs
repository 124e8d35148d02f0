//! What a support event would do, asked before it is sent.

use axum::response::Response;
use serde_json::{Value, json};

use crate::operation::decision::{CommandKind, Decision, Subject};
use crate::pipeline::Answer;
use crate::service::views::{Foreseen, WaitingView};

use super::problem::Problem;
use super::restrictions::{shown, shown_waiting};
use super::{Shared, json_of};

/// Answers with the decision that an event would get now, with what would become of each operation that waits, and
/// with the wallet's state: sent along with the event, it is refused if the wallet has changed since.
///
/// # Errors
/// The record would be refused, or the service cannot decide now.
pub(super) async fn answer(api: &Shared, wallet_id: &str, record: Vec<u8>) -> Result<Response, Problem> {
    let now = (api.clock)();
    let Foreseen { answer, wallet } = api.service.foresee(wallet_id, record, now).await?;
    let decision = match answer {
        Answer::Decided(decision) => decision,
        Answer::Duplicate { seq } => return Ok(json_of(&json!({"dry_run": true, "duplicate_of": seq}))),
        Answer::Rejected(rejection) => return Err(Problem::of_rejection(&rejection)),
    };
    let mut text = Vec::new();
    decision.encode(&mut text);
    let mut body: Value = serde_json::from_slice(&text).unwrap_or_default();
    let view = wallet.as_ref();
    let restrictions = view.map_or(&[][..], |view| &view.restrictions);
    let will = |waiting: &WaitingView| {
        let mut shown = shown_waiting(waiting, restrictions);
        shown["will"] = becomes(&decision, waiting).into();
        shown
    };
    body["dry_run"] = true.into();
    body["state"] = match view {
        Some(view) => view.state.clone(),
        None => api.service.state_of_nobody(),
    }
    .into();
    body["waiting"] = view.into_iter().flat_map(|view| &view.waiting).map(will).collect();
    body["restrictions"] =
        restrictions.iter().map(|entry| serde_json::to_value(shown(entry, now)).unwrap_or_default()).collect();
    Ok(json_of(&body))
}

/// Tells what a decision makes of an operation that waits: `release`, `cancel`, or `wait` for whatever is left.
fn becomes(decision: &Decision, waiting: &WaitingView) -> &'static str {
    let is_of = |subject: &Subject| matches!(subject, Subject::Operation(id, _) if **id == *waiting.waiting.op_id);
    let ends = |kind: CommandKind| matches!(kind, CommandKind::Release | CommandKind::Cancel);
    let command = decision.commands.iter().find(|command| ends(command.kind) && is_of(&command.subject));
    command.map_or("wait", |command| command.kind.name())
}
