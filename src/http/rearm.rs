//! Letting a rule act again that has exceeded its budget.

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::operation::time::MILLISECOND;
use crate::operation::{OperationType, Time};

use super::access::Caller;
use super::decisions::push_with_seq;
use super::operations;
use super::problem::Problem;
use super::query::Parameters;
use super::{Shared, blocking, json as json_bytes, json_of};

/// Whose operations these are: no client's.
const RULES_WALLET: &str = "kuzet:rules:";

/// `POST /v1/rules/{id}/rearm`
pub(super) async fn rearm(
    State(api): State<Shared>,
    Path(rule): Path<String>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.known(["actor"])?;
    let plan = api.service.rules().plan;
    let index = plan.position_of(&rule).ok_or_else(|| Problem::new(404, "no rule has this id"))?;
    if plan.budget(index).is_none() {
        return Err(refusal("no-budget", "the rule has no budget, so that none can be exceeded"));
    }
    let actor = match parameters.get("actor") {
        // Whoever bears the token did it, whatever the query says.
        Some(actor) if api.tokens.is_empty() => actor.to_owned(),
        Some(_) | None => caller.name,
    };
    // A person is not faster than a millisecond.
    let at = (api.clock)().rounded_down(MILLISECOND);
    let event = Event { rule, actor, at, id: format!("rearm-{}", uuid::Uuid::new_v4()) };
    if api.fleet.is_some() {
        return send(api, event).await;
    }
    if !api.service.budgets().iter().any(|shown| *shown.rule == *event.rule && shown.used.breach.is_some()) {
        return Err(refusal("within-budget", "the rule has not exceeded its budget, and acts"));
    }
    let record = event.record(&event.id, &format!("{RULES_WALLET}0"));
    let (seq, decision) = operations::one(&api, record).await?;
    let mut out = Vec::with_capacity(decision.len() + 32);
    push_with_seq(&mut out, seq, &decision);
    Ok(json_bytes(out))
}

fn refusal(code: &'static str, detail: &str) -> Problem {
    let mut problem = Problem::new(409, detail);
    problem.code = Some(code);
    problem
}

/// Who lets which rule act again, and when.
struct Event {
    rule: String,
    actor: String,
    at: Time,
    id: String,
}

impl Event {
    fn record(&self, op_id: &str, wallet_id: &str) -> Vec<u8> {
        let Self { rule, actor, at, id: _ } = self;
        let operation: Value = json!({
            "op_id": op_id,
            "type": OperationType::RuleRearmed.name(),
            "occurred_at": at.to_string(),
            "wallet_id": wallet_id,
            "actor": actor,
            "source": "support",
            "attributes": {"rule": rule},
        });
        operation.to_string().into_bytes()
    }
}

/// Sends one operation to each shard: only its owner knows what the rule has spent there.
async fn send(api: Shared, event: Event) -> Result<Response, Problem> {
    let sent = blocking(move || {
        let Some(fleet) = &api.fleet else { return Err("there is no topic".to_owned()) };
        let mut op_ids = Vec::new();
        for (shard, wallet_id) in (fleet.keys_of_shards)(RULES_WALLET)?.iter().enumerate() {
            let op_id = format!("{}-{shard}", event.id);
            (fleet.send)(wallet_id, &event.record(&op_id, wallet_id))?;
            op_ids.push(op_id);
        }
        Ok(op_ids)
    });
    match sent.await? {
        Ok(op_ids) => Ok((StatusCode::ACCEPTED, json_of(&json!({"op_ids": op_ids}))).into_response()),
        Err(reason) => Err(Problem::new(503, format!("Kafka has not taken every operation: {reason}; ask again"))),
    }
}
