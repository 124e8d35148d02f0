//! What analysts, support and operators look at, and what support does.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use axum::extract::{Extension, Path, Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::adapters::store::Stream;
use crate::operation::decision::push_string;
use crate::operation::time::{MILLISECOND, Nanos, SECOND};
use crate::operation::{OperationType, Time};
use crate::service::active_restrictions::Entry;
use crate::service::views::state_after;

use super::access::Caller;
use super::decisions::push_with_seq;
use super::endpoints::SUPPORT_EVENTS;
use super::operations;
use super::problem::Problem;
use super::query::{Parameters, duration, number, refused};
use super::restrictions::{shown, shown_waiting};
use super::{Shared, blocking, json as json_bytes, json_of};
use super::{body, dry_run};

/// So many of a wallet's newest decisions are shown.
const DECISIONS_SHOWN: usize = 50;

/// `GET /v1/session`
pub(super) async fn session(State(api): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let rules = api.service.rules();
    let refused = rules.refused.as_ref().map(|(at, refused)| json!({"at": at.to_string(), "text": refused.text}));
    let geo = api.geo.read().unwrap_or_else(PoisonError::into_inner).clone();
    let built = |info: &Option<super::DatabaseInfo>| {
        info.as_ref().map_or(Value::Null, |info| json!({"built": info.built.to_string(), "sample": info.sample}))
    };
    json_of(&json!({
        "name": caller.name,
        "roles": caller.roles.iter().map(|role| role.name()).collect::<Vec<_>>(),
        "auth": !api.tokens.is_empty(),
        "version": env!("CARGO_PKG_VERSION"),
        "ruleset": &*rules.plan.ruleset,
        "reload_error": refused,
        "geo": {"country": built(&geo.country), "anonymizer": built(&geo.anonymizer)},
    }))
}

/// `GET /v1/wallets/{id}`
pub(super) async fn wallet(State(api): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let Some(view) = api.service.wallet(&id).await? else {
        let elsewhere = if api.fleet.is_some() { "; another instance may have its shard" } else { "" };
        return Err(Problem::new(404, format!("no operation of this wallet is known{elsewhere}")));
    };
    let now = (api.clock)();
    let windows: Vec<Value> = view
        .windows
        .iter()
        .map(|window| {
            json!({
                "aggregate": window.aggregate, "value": window.value, "entries": window.entries,
                "rules": window.rules.iter().map(|rule| &**rule).collect::<Vec<_>>(),
                "clears_at": window.clears_at.map(|at| at.to_string()),
            })
        })
        .collect();
    let body = json!({
        "wallet_id": &*view.id,
        "newest": view.newest.map(|newest| newest.to_string()),
        "as_of": view.as_of.map(|as_of| as_of.to_string()),
        "state": view.state,
        "restrictions": view.restrictions.iter().map(|entry| shown(entry, now)).collect::<Vec<_>>(),
        "waiting": view.waiting.iter().map(|waiting| shown_waiting(waiting, &view.restrictions)).collect::<Vec<_>>(),
        "windows": windows,
    });
    let seqs = view.decisions;
    let decisions = match api.service.store().cloned() {
        Some(store) => {
            blocking(move || {
                let read = |seq: u64| store.item(Stream::Decisions, seq).map(|item| item.map(|item| (seq, item)));
                seqs.into_iter().take(DECISIONS_SHOWN).map(read).collect::<Result<Vec<_>, _>>()
            })
            .await??
        }
        // They are in their topic.
        None => Vec::new(),
    };
    let mut out = serde_json::to_vec(&body).unwrap_or_default();
    out.pop();
    out.extend_from_slice(b",\"decisions\":[");
    for (index, (seq, decision)) in decisions.iter().flatten().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_with_seq(&mut out, *seq, decision);
    }
    out.extend_from_slice(b"]}");
    Ok(json_bytes(out))
}

/// `GET /v1/restrictions`
pub(super) async fn restrictions(State(api): State<Shared>, parameters: Parameters) -> Result<Response, Problem> {
    parameters.known(["kind", "rule", "older_than", "limit", "offset"])?;
    // `?kind=&rule=` asks for all kinds and rules.
    let get = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
    if let Some(kind) = get("kind").filter(|kind| !["monitor", "block", "hold"].contains(kind)) {
        return Err(refused(kind, "kind", "monitor, block or hold"));
    }
    let older_than = get("older_than").map(|text| duration(text, "older_than")).transpose()?.unwrap_or_default();
    let limit = parameters.limit()?;
    let offset = get("offset").map(|text| number(text, "offset")).transpose()?.unwrap_or(0);
    let now = (api.clock)();
    let born_before = now.minus(older_than.into());
    let newest = api.service.figures().newest;
    let body = api.service.with_book(|book| {
        let found: Vec<&Entry> = book
            .active(newest)
            .filter(|entry| get("kind").is_none_or(|kind| entry.kind == kind))
            .filter(|entry| get("rule").is_none_or(|rule| *entry.rule == *rule))
            .filter(|entry| older_than.is_zero() || entry.from <= born_before)
            .collect();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let page: Vec<_> = found.iter().skip(offset).take(limit).map(|entry| shown(entry, now)).collect();
        serde_json::to_vec(&json!({"restrictions": page, "total": found.len()})).unwrap_or_default()
    });
    Ok(json_bytes(body))
}

/// What a support event's body may hold; the wallet is in the path, the actor is the token's name.
pub(super) const EVENT_FIELDS: &[&str] =
    &["op_id", "occurred_at", "ref_op_id", "proof", "order", "source", "ip", "attributes", "actor"];

/// `POST /v1/wallets/{id}/identity-confirmed` and the other support events
pub(super) async fn support_event(
    State(api): State<Shared>,
    Path((id, event)): Path<(String, String)>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known(["dry_run", "state"])?;
    let is_dry_run = parameters.flag("dry_run")?;
    let kind = SUPPORT_EVENTS.iter().find(|known| known.name == event).map(|known| known.kind).ok_or_else(|| {
        let names: Vec<&str> = SUPPORT_EVENTS.iter().map(|known| known.name).collect();
        Problem::new(404, format!("no such support event; there are {}", names.join(", ")))
    })?;
    let body = body::read(&api, request).await?;
    let record = event_record(&id, kind, &body.bytes, &caller, (!api.tokens.is_empty(), (api.clock)()))?;
    if is_dry_run {
        return dry_run::answer(&api, &id, record).await;
    }
    let state = parameters.get("state").map(str::to_owned);
    if api.fleet.is_some() {
        // The shard's worker decides it later: this only tells what has changed until now.
        let has_changed = match state {
            Some(state) => present_state(&api, &id).await? != state,
            None => false,
        };
        if has_changed {
            return Err(crate::service::Unavailable::Changed.into());
        }
        return send(api, id, record).await;
    }
    let after = state.as_deref().map(state_after);
    let (seq, decision) = operations::one_if(&api, record, state.map(|state| (id.clone(), state))).await?;
    let mut out = Vec::with_capacity(decision.len() + 64);
    push_with_seq(&mut out, seq, &decision);
    if let Some(after) = after {
        // For whoever has more to send: not the present state, in which somebody else may have had a part.
        out.pop();
        out.extend_from_slice(b",\"state\":");
        push_string(&mut out, &after);
        out.push(b'}');
    }
    Ok(json_bytes(out))
}

async fn present_state(api: &Shared, wallet_id: &str) -> Result<String, Problem> {
    let wallet = api.service.wallet(wallet_id).await?;
    Ok(wallet.map_or_else(|| api.service.state_of_nobody(), |wallet| wallet.state))
}

/// Sends support's operation the way all others go; its decision comes as theirs do.
async fn send(api: Shared, wallet_id: String, record: Vec<u8>) -> Result<Response, Problem> {
    let operation = crate::operation::decode::decode(&record).map_err(|rejection| Problem::of_rejection(&rejection))?;
    let op_id = operation.op_id.to_string();
    drop(operation);
    let sent = blocking(move || match &api.fleet {
        Some(fleet) => (fleet.send)(&wallet_id, &record),
        None => Err("there is no topic".to_owned()),
    });
    match sent.await? {
        Ok(()) => Ok((axum::http::StatusCode::ACCEPTED, json_of(&json!({"op_id": op_id}))).into_response()),
        Err(reason) => Err(Problem::new(503, format!("Kafka has not taken the operation: {reason}"))),
    }
}

/// Makes the operation that a support event is.
fn event_record(
    wallet_id: &str,
    kind: OperationType,
    body: &[u8],
    caller: &Caller,
    (has_tokens, now): (bool, Time),
) -> Result<Vec<u8>, Problem> {
    let is_empty = body.iter().all(u8::is_ascii_whitespace);
    let fields: Map<String, Value> = if is_empty {
        Map::new()
    } else {
        serde_json::from_slice(body)
            .map_err(|error| Problem::new(400, format!("found broken JSON ({error}), but an object is accepted")))?
    };
    if let Some(unknown) = fields.keys().find(|name| !EVENT_FIELDS.contains(&name.as_str())) {
        let shown: String = unknown.chars().take(32).collect();
        let detail = format!("found the field \"{shown}\", but only {} are accepted", EVENT_FIELDS.join(", "));
        return Err(Problem::new(400, detail));
    }
    let mut record = Map::new();
    record.insert("op_id".into(), format!("support-{}", uuid::Uuid::new_v4()).into());
    // A person is not faster than a millisecond.
    let now = now.rounded_down(MILLISECOND);
    record.insert("occurred_at".into(), now.to_string().into());
    record.insert("source".into(), "support".into());
    record.extend(fields);
    record.insert("type".into(), kind.name().into());
    record.insert("wallet_id".into(), wallet_id.into());
    if has_tokens || !record.contains_key("actor") {
        // Whoever bears the token did it, whatever the body says.
        record.insert("actor".into(), caller.name.clone().into());
    }
    Ok(Value::Object(record).to_string().into_bytes())
}

/// `GET /metrics`
pub(super) async fn metrics(State(api): State<Shared>) -> Response {
    refresh(&api);
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], api.metrics.text()).into_response()
}

/// Looks at what is not counted as it happens.
fn refresh(api: &Shared) {
    let metrics = &api.metrics;
    let figures = api.service.figures();
    let set = crate::metrics::set;
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    set(&metrics.state_wallets, wide(figures.wallets));
    set(&metrics.state_bytes, wide(figures.state_bytes));
    set(&metrics.shared_windows, wide(figures.shared_windows));
    metrics.set_shared_keys(wide(figures.shared_keys), figures.shared_keys_refused);
    metrics.set_shared_window_bytes(figures.shared_window_bytes);
    set(&metrics.queue, wide(api.service.queued()));
    set(&metrics.sse_subscribers, wide(api.feed.places.count()));
    set(&metrics.sse_reader_lag, api.feed.places.lag(*api.service.last_seq().borrow()));
    if let Some(store) = api.service.store() {
        set(&metrics.store_bytes, store.file_bytes());
        // A file system that does not answer shows what it last said.
        if let Some(bytes) = store.free_bytes() {
            set(&metrics.store_free_bytes, bytes);
        }
    }
    let budgets = api.service.budgets();
    metrics.set_budgets(
        budgets.iter().map(|shown| (&*shown.rule, shown.shard, shown.used.stopped, shown.used.breach.is_some())),
    );
    metrics.set_ready(api.service.trouble().is_none());
    let now = (api.clock)();
    api.service.with_book(|book| {
        let mut kinds: BTreeMap<&str, u64> = [("monitor", 0), ("block", 0), ("hold", 0)].into();
        for entry in book.active(figures.newest) {
            *kinds.entry(entry.kind).or_default() += 1;
        }
        for (kind, count) in kinds {
            set(&metrics.restrictions_active.with_label_values(&[kind]), count);
        }
        let waits = book.oldest_waiting().map_or(0, |since| now.since(since).max(Nanos::ZERO) / SECOND);
        metrics.set_oldest_waiting(waits);
    });
}

/// `GET /healthz`
pub(super) async fn health() -> Response {
    json_of(&json!({"alive": true}))
}

/// `GET /readyz`
pub(super) async fn ready(State(api): State<Shared>) -> Result<Response, Problem> {
    match api.service.trouble() {
        None => {
            let warnings = api.geo.read().unwrap_or_else(PoisonError::into_inner).warnings();
            Ok(json_of(&json!({"ready": true, "warnings": warnings})))
        }
        Some(trouble) => Err(Problem::new(503, trouble)),
    }
}
