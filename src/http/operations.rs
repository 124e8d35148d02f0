//! Operations in, decisions back.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::value::RawValue;

use crate::adapters::store::Stream;
use crate::operation::Time;
use crate::operation::decision::push_string;
use crate::operation::decode::Rejection;
use crate::service::{Answers, ItemAnswer};

use super::body;
use super::problem::Problem;
use super::query::number;
use super::{Shared, blocking, json};

/// How many operations one request may bring.
pub(super) const OPERATIONS_MAX: usize = 1_000;
/// The code of an item whose decision has no room in the answer.
pub(super) const ANSWER_TOO_LARGE: &str = "answer_too_large";
/// An answer to several operations holds decisions of about so many bytes at most.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// `POST /v1/operations`
pub(super) async fn post(State(api): State<Shared>, request: Request) -> Result<Response, Problem> {
    api.in_requests()?;
    let body = body::read(&api, request).await?;
    match body.bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => many(&api, &body.bytes).await,
        _ => one(&api, body.bytes.clone()).await.map(|(_, decision)| json(decision)),
    }
}

/// Has one record decided; returns the decision with its sequence number.
///
/// # Errors
/// The record cannot be understood, or the service cannot decide now.
pub(super) async fn one(api: &Shared, record: Vec<u8>) -> Result<(u64, Vec<u8>), Problem> {
    one_if(api, record, None).await
}

/// Has one record decided like [`one`], if its wallet still has the state.
///
/// # Errors
/// 409: it has not; or as for [`one`].
pub(super) async fn one_if(
    api: &Shared,
    record: Vec<u8>,
    only_if: Option<(String, String)>,
) -> Result<(u64, Vec<u8>), Problem> {
    let answers = api.service.submit_if(vec![record], (api.clock)(), only_if).await?;
    match &answers.items[..] {
        [ItemAnswer::Decided(seq) | ItemAnswer::Duplicate(seq)] => Ok((*seq, decision(api, &answers, *seq).await?)),
        [ItemAnswer::Rejected(rejection)] => Err(Problem::of_rejection(rejection)),
        _ => Err(Problem::new(500, "a fault of kuzet itself")),
    }
}

async fn many(api: &Shared, body: &[u8]) -> Result<Response, Problem> {
    let records: Vec<&RawValue> = match serde_json::from_slice(body) {
        Ok(records) => records,
        Err(error) => {
            // It is kept like every record that cannot be understood.
            api.service.submit(vec![body.to_vec()], (api.clock)()).await?;
            let mut problem = Problem::new(400, format!("found broken JSON ({error}), but an array is accepted"));
            problem.code = Some("malformed_json");
            return Err(problem);
        }
    };
    if records.len() > OPERATIONS_MAX {
        let found = records.len();
        return Err(Problem::new(
            413,
            format!("found {found} operations, but at most {OPERATIONS_MAX} are accepted in a request"),
        ));
    }
    if records.is_empty() {
        return Ok(json(b"[]".to_vec()));
    }
    let records = records.into_iter().map(|record| record.get().as_bytes().to_vec()).collect();
    let answers = api.service.submit(records, (api.clock)()).await?;
    let mut out = Vec::with_capacity(2 + answers.decisions.bytes().min(answers.items.len() * 1_024));
    out.push(b'[');
    for (index, item) in answers.items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match item {
            ItemAnswer::Decided(seq) | ItemAnswer::Duplicate(seq) if out.len() >= ANSWER_BYTES_MAX => {
                push_left_out(&mut out, *seq);
            }
            ItemAnswer::Decided(seq) | ItemAnswer::Duplicate(seq) => match answers.decision(*seq) {
                Some(decision) => out.extend_from_slice(decision),
                None => out.extend_from_slice(&decision(api, &answers, *seq).await?),
            },
            ItemAnswer::Rejected(rejection) => push_rejection(&mut out, rejection),
        }
    }
    out.push(b']');
    Ok(json(out))
}

/// Says where a decision is that the answer has no more room for: it is durable like all others.
fn push_left_out(out: &mut Vec<u8>, seq: u64) {
    let message = format!(
        "the operation was decided, and the answer has no more room for the decision: it is at /v1/decisions/{seq}, or \
         send the operation again by itself"
    );
    out.extend_from_slice(b"{\"error\":{\"code\":");
    push_string(out, ANSWER_TOO_LARGE);
    out.extend_from_slice(b",\"field\":null,\"message\":");
    push_string(out, &message);
    out.extend_from_slice(b"}}");
}

fn push_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    out.extend_from_slice(b"{\"error\":{\"code\":");
    push_string(out, rejection.code.name());
    out.extend_from_slice(b",\"field\":");
    match &rejection.field {
        Some(field) => push_string(out, field),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"message\":");
    push_string(out, &rejection.message);
    out.extend_from_slice(b"}}");
}

/// Finds a decision: of this batch, or the first one on a duplicate.
async fn decision(api: &Shared, answers: &Answers, seq: u64) -> Result<Vec<u8>, Problem> {
    if let Some(decision) = answers.decision(seq) {
        return Ok(decision.to_vec());
    }
    let store = api.store()?;
    let found = blocking(move || store.item(Stream::Decisions, seq)).await??;
    found.ok_or_else(|| Problem::new(410, "the first decision on this operation is older than decisions are kept"))
}

/// `GET /v1/operations/{seq}`
pub(super) async fn operation(State(api): State<Shared>, Path(seq): Path<String>) -> Result<Response, Problem> {
    let seq = number(&seq, "seq")?;
    let Some((arrived_at, operation)) = stored(&api, seq).await? else {
        return Err(missing(&api, seq));
    };
    let mut out = format!("{{\"seq\":{seq},\"arrived_at\":\"{arrived_at}\",\"operation\":").into_bytes();
    out.extend_from_slice(&operation);
    out.push(b'}');
    Ok(json(out))
}

/// Reads an operation as it was sent, with its arrival.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn stored(api: &Shared, seq: u64) -> Result<Option<(Time, Vec<u8>)>, Problem> {
    let store = api.store()?;
    let item = blocking(move || store.item(Stream::Operations, seq)).await??;
    Ok(item.and_then(|item| {
        let (arrived_at, operation) = item.split_first_chunk::<8>()?;
        Some((Time::from_nanos(i64::from_le_bytes(*arrived_at)), operation.to_vec()))
    }))
}

/// Tells what never was from what is no longer kept.
pub(super) fn missing(api: &Shared, seq: u64) -> Problem {
    let last = *api.service.last_seq().borrow();
    if seq >= 1 && seq <= last {
        return Problem::new(410, format!("number {seq} is older than what is kept"));
    }
    Problem::new(404, format!("found number {seq}, but decisions have the numbers 1 to {last}"))
}
