//! The streams, read by their numbers.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::adapters::store::Stream;
use crate::analysis::explain;
use crate::service::rule_history;

use super::history::{self, EPOCH};
use super::operations::{missing, number, stored};
use super::problem::Problem;
use super::{Shared, blocking, json};
use super::{feed, later};

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// The longest that a long poll waits.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// An answer ends before it grows beyond this.
const BYTES_MAX: usize = 8 << 20;

pub(super) type Parameters = Query<HashMap<String, String>>;

/// Refuses names that the endpoint does not know: a typo must not be taken for "everything".
pub(super) fn known(parameters: &Parameters, names: &[&str]) -> Result<(), Problem> {
    match parameters.0.keys().find(|name| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let shown: String = name.chars().take(32).collect();
            Err(Problem::new(400, format!("found the parameter \"{shown}\", but only {} are known", names.join(", "))))
        }
    }
}

/// Reads `limit`.
pub(super) fn limit(parameters: &Parameters) -> Result<usize, Problem> {
    let Some(text) = parameters.0.get("limit") else { return Ok(LIMIT) };
    let found = number(text, "limit")?;
    match usize::try_from(found) {
        Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Ok(_) | Err(_) => Err(Problem::new(400, format!("found {found} as limit, but 1 to {LIMIT_MAX} is accepted"))),
    }
}

/// Reads a duration such as `30s`, `5m` or `2h`; a bare number is seconds.
pub(super) fn duration(text: &str, name: &str) -> Result<Duration, Problem> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_lowercase());
    let unit = match text.get(digits.len()..) {
        Some("" | "s") => Some(1_000),
        Some("ms") => Some(1),
        Some("m") => Some(60_000),
        Some("h") => Some(3_600_000),
        Some("d") => Some(86_400_000),
        _ => None,
    };
    let millis = unit.and_then(|unit: u64| digits.parse::<u64>().ok()?.checked_mul(unit));
    let shown: String = text.chars().take(32).collect();
    millis.map(Duration::from_millis).ok_or_else(|| {
        Problem::new(400, format!("found \"{shown}\" as {name}, but a duration such as 30s, 5m or 2h is accepted"))
    })
}

/// `GET /v1/decisions`
pub(super) async fn list(
    State(api): State<Shared>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    api.in_requests()?;
    known(&parameters, &["after", "wait", "limit", EPOCH])?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wants_events = header("accept").is_some_and(|accept| accept.contains("text/event-stream"));
    let last = *api.service.last_seq().borrow();
    let after = parameters.0.get("after").map(|after| position(after, last)).transpose()?;
    let limit = limit(&parameters)?;
    if wants_events {
        let resumed = header("last-event-id").map(|id| number(id, "last-event-id")).transpose()?;
        let after = resumed.or(after).unwrap_or(0);
        history::check(&api, &parameters, Stream::Decisions, after).await?;
        return Ok(history::named(&api, feed::events(&api, after)));
    }
    let wait = parameters.0.get("wait").map(|wait| duration(wait, "wait")).transpose()?.unwrap_or_default();
    let after = after.unwrap_or(0);
    history::check(&api, &parameters, Stream::Decisions, after).await?;
    wait_for(&api, after, wait.min(WAIT_MAX)).await;
    let service = api.service.clone();
    let decisions = blocking(move || service.decisions(after, limit, BYTES_MAX)).await??;
    let mut out = b"{\"decisions\":[".to_vec();
    let mut next = after;
    for (index, (seq, decision)) in decisions.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_with_seq(&mut out, *seq, decision);
        next = *seq;
    }
    end_page(&mut out, next, &api);
    Ok(history::named(&api, json(out)))
}

/// Ends a page: where to go on, and in which history.
fn end_page(out: &mut Vec<u8>, next: u64, api: &Shared) {
    out.extend_from_slice(format!("],\"next\":{next},\"epoch\":\"{}\"}}", api.service.epoch()).as_bytes());
}

/// Reads where to go on: after a number, or so many before the newest.
fn position(text: &str, last: u64) -> Result<u64, Problem> {
    match text.strip_prefix('-') {
        Some(back) => Ok(last.saturating_sub(number(back, "after")?)),
        None => number(text, "after"),
    }
}

/// Waits until there is a decision after the number, at most so long.
async fn wait_for(api: &Shared, after: u64, wait: Duration) {
    let mut last = api.service.last_seq();
    let mut stopping = api.stopping.clone();
    let arrived = last.wait_for(|last| *last > after);
    tokio::select! {
        // However it ends, what there is then is answered.
        _ = tokio::time::timeout(wait, arrived) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

/// Puts the sequence number in front of a decision's fields.
pub(super) fn push_with_seq(out: &mut Vec<u8>, seq: u64, decision: &[u8]) {
    out.extend_from_slice(format!("{{\"seq\":{seq},").as_bytes());
    out.extend_from_slice(decision.get(1..).unwrap_or_default());
}

/// `GET /v1/decisions/{seq}`
pub(super) async fn one(State(api): State<Shared>, Path(seq): Path<String>) -> Result<Response, Problem> {
    let seq = number(&seq, "seq")?;
    let store = api.store()?;
    let Some(decision) = blocking(move || store.item(Stream::Decisions, seq)).await?? else {
        return Err(missing(&api, seq));
    };
    let operation = stored(&api, seq).await?;
    let rules = api.service.rules();
    // A decision of rules that are in use no more is explained by their texts, which the store keeps.
    let then = match explain::ruleset_of(&decision).filter(|hash| *hash != rules.plan.rules.hash) {
        Some(hash) => {
            let store = api.store()?;
            blocking(move || rule_history::read(&store, &hash)).await??
        }
        None => None,
    };
    let why = explain::explain(&rules.plan.rules, then.as_ref(), &decision);
    let mut out = Vec::with_capacity(decision.len() + 1_024);
    push_with_seq(&mut out, seq, decision.strip_suffix(b"}").unwrap_or(&decision));
    out.extend_from_slice(b",\"operation\":");
    match &operation {
        Some((_, operation)) => out.extend_from_slice(operation),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"why\":");
    out.extend_from_slice(&serde_json::to_vec(&why).unwrap_or_default());
    let (later, waits) = later::fate(&api, seq, &decision).await?;
    out.extend_from_slice(format!(",\"waits\":{waits},\"later\":").as_bytes());
    out.extend_from_slice(&serde_json::to_vec(&later).unwrap_or_default());
    out.push(b'}');
    Ok(json(out))
}

/// `GET /v1/rejected`
pub(super) async fn rejected(State(api): State<Shared>, parameters: Parameters) -> Result<Response, Problem> {
    known(&parameters, &["from", "limit", EPOCH])?;
    let from = parameters.0.get("from").map(|from| number(from, "from")).transpose()?.unwrap_or(0);
    let limit = limit(&parameters)?;
    history::check(&api, &parameters, Stream::Rejected, from).await?;
    let store = api.store()?;
    let records = blocking(move || store.read(Stream::Rejected, from, limit, BYTES_MAX)).await??;
    let mut out = b"{\"rejected\":[".to_vec();
    let mut next = from;
    for (index, (offset, record)) in records.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(record);
        next = offset + 1;
    }
    end_page(&mut out, next, &api);
    Ok(history::named(&api, json(out)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_positions_are_read() {
        for (text, millis) in [("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000), ("7", 7_000)] {
            assert_eq!(duration(text, "wait").unwrap(), Duration::from_millis(millis));
        }
        for text in ["", "s", "1w", "-1s", "1.5h", "99999999999999999999d", "30 s"] {
            assert_eq!(duration(text, "wait").unwrap_err().status, 400, "{text}");
        }
        assert_eq!(position("7", 100).unwrap(), 7);
        assert_eq!(position("-7", 100).unwrap(), 93);
        assert_eq!(position("-700", 100).unwrap(), 0);
        assert!(position("x", 100).is_err() && position("--1", 100).is_err());
    }
}
