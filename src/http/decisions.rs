//! The streams, read by their numbers.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::Instant;

use crate::adapters::store::Stream;
use crate::analysis::explain;
use crate::service::search::{Item, Order, Page, Query};

use super::endpoints::DECISIONS_QUERY;
use super::history::{self, EPOCH};
use super::operations::{missing, stored};
use super::problem::Problem;
use super::query::{Parameters, duration, number};
use super::{Shared, blocking, json};
use super::{feed, later, search, why};

/// The longest that a long poll waits.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// An answer ends before it grows beyond this.
const BYTES_MAX: usize = 8 << 20;
/// While a long poll finds nothing that is meant, what is committed gathers for so long before it looks again.
const GATHER: Duration = Duration::from_millis(20);

/// `GET /v1/decisions`
pub(super) async fn list(
    State(api): State<Shared>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    parameters.known(DECISIONS_QUERY.iter().map(|(name, _)| *name))?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wants_events = header("accept").is_some_and(|accept| accept.contains("text/event-stream"));
    let last = *api.service.last_seq().borrow();
    let after = parameters.get("after").map(|after| position(after, last)).transpose()?;
    let (filter, order, limit) = (search::filter(&parameters)?, search::order(&parameters)?, parameters.limit()?);
    let wait = parameters.get("wait").map(|wait| duration(wait, "wait")).transpose()?.unwrap_or_default();
    if wants_events {
        if order == Order::Descending {
            return Err(Problem::new(400, "found desc as order, but events come in the order asc only"));
        }
        let resumed = header("last-event-id").map(|id| number(id, "last-event-id")).transpose()?;
        let after = resumed.or(after).unwrap_or(0);
        history::check(&api, &parameters, Stream::Decisions, after).await?;
        let is_gzip = feed::takes_gzip(&headers);
        let events = if filter.is_empty() {
            feed::events(&api, after, is_gzip)
        } else {
            feed::filtered_events(&api, filter, after, is_gzip)
        };
        return Ok(history::named(&api, events));
    }
    history::check(&api, &parameters, Stream::Decisions, after.unwrap_or(0)).await?;
    let from_the_start = if order == Order::Descending { u64::MAX } else { 0 };
    let position = after.unwrap_or(from_the_start);
    let query = Query { filter, order, position, limit, bytes_max: BYTES_MAX };
    let is_plain = query.filter.is_empty() && order == Order::Ascending;
    let page = page(&api, query, wait.min(WAIT_MAX)).await?;
    let mut out = b"{\"decisions\":[".to_vec();
    for (index, item) in page.items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_item(&mut out, item);
    }
    out.push(b']');
    if !is_plain {
        out.extend_from_slice(format!(",\"scanned\":{}", page.scanned).as_bytes());
    }
    end_page(&mut out, page.next, &api);
    Ok(history::named(&api, json(out)))
}

/// Reads a page; one in ascending order that would be empty waits so long for what comes. It does not wait where
/// reading on would cost more than a page may.
async fn page(api: &Shared, mut query: Query, wait: Duration) -> Result<Page, Problem> {
    let until = Instant::now() + wait;
    let mut scanned = 0;
    loop {
        let (service, asked) = (api.service.clone(), query.clone());
        let newest = *api.service.last_seq().borrow();
        let mut page = blocking(move || service.search(&asked)).await??;
        scanned += page.scanned;
        page.scanned = scanned;
        query.position = page.next;
        let is_over = Instant::now() >= until || *api.stopping.borrow();
        // More was there than one page looks through; what was decided meanwhile is looked at next.
        let has_more = page.next < newest;
        if query.order == Order::Descending || !page.items.is_empty() || is_over || has_more {
            return Ok(page);
        }
        wait_for(api, page.next, until.saturating_duration_since(Instant::now())).await;
        if !query.filter.is_empty() {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Ends a page: where to go on, and in which history.
fn end_page(out: &mut Vec<u8>, next: u64, api: &Shared) {
    out.extend_from_slice(format!(",\"next\":{next},\"epoch\":\"{}\"}}", api.service.epoch()).as_bytes());
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

/// Lists a decision: its number, what is told of its operation, and its own fields.
fn push_item(out: &mut Vec<u8>, item: &Item) {
    out.extend_from_slice(format!("{{\"seq\":{},", item.seq).as_bytes());
    out.extend_from_slice(&item.beside);
    out.extend_from_slice(item.decision.get(1..).unwrap_or_default());
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
    let then = why::rules_of(&api, &decision).await?;
    let explained = explain::explain(&rules.plan.rules, then.as_ref(), &decision);
    let mut out = Vec::with_capacity(decision.len() + 1_024);
    push_with_seq(&mut out, seq, decision.strip_suffix(b"}").unwrap_or(&decision));
    out.extend_from_slice(b",\"operation\":");
    match &operation {
        Some((_, operation)) => out.extend_from_slice(operation),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"why\":");
    out.extend_from_slice(&serde_json::to_vec(&explained).unwrap_or_default());
    let (later, waits) = later::fate(&api, seq, &decision).await?;
    out.extend_from_slice(format!(",\"waits\":{waits},\"later\":").as_bytes());
    out.extend_from_slice(&serde_json::to_vec(&later).unwrap_or_default());
    out.push(b'}');
    Ok(json(out))
}

/// `GET /v1/rejected`
pub(super) async fn rejected(State(api): State<Shared>, parameters: Parameters) -> Result<Response, Problem> {
    parameters.known(["from", "limit", EPOCH])?;
    let from = parameters.get("from").map(|from| number(from, "from")).transpose()?.unwrap_or(0);
    let limit = parameters.limit()?;
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
    out.push(b']');
    end_page(&mut out, next, &api);
    Ok(history::named(&api, json(out)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read() {
        assert_eq!(position("7", 100).unwrap(), 7);
        assert_eq!(position("-7", 100).unwrap(), 93);
        assert_eq!(position("-700", 100).unwrap(), 0);
        assert!(position("x", 100).is_err() && position("--1", 100).is_err());
    }
}
