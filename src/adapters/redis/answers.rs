//! What is asked of a window, and how answers are read.

use redis::{Pipeline, Value};
use uuid::Uuid;

use super::codec::{self, Held, Unreadable, window_key};
use crate::engine::keyed::KeyedState;
use crate::engine::plan::{Plan, PlannedAggregate};
use crate::engine::restriction::Restriction;
use crate::engine::shared::{SharedKey, SharedWindow};
use crate::operation::Time;
use crate::pipeline::SharedStoreError;
use crate::rules::program::{Function, Window};

pub(super) fn ask_window(pipe: &mut Pipeline, plan: &Plan, key: SharedKey) {
    let aggregate = &plan.aggregates[key.aggregate];
    let name = window_key(plan, key);
    if aggregate.is_run() {
        pipe.cmd("HGET").arg(format!("{name}:r")).arg("run");
        return;
    }
    pipe.cmd("ZRANGE").arg(&name).arg(0).arg(-1);
    pipe.cmd("ZREVRANGE").arg(format!("{name}:x")).arg(0).arg(0);
    if keeps_texts(aggregate) {
        pipe.cmd("ZRANGE").arg(format!("{name}:t")).arg(0).arg(-1);
    }
    if let Window::Quiet(_) = aggregate.definition.window {
        pipe.cmd("HGET").arg(format!("{name}:r")).arg("folded");
    }
}

fn keeps_texts(aggregate: &PlannedAggregate) -> bool {
    aggregate.definition.function == Function::Last || aggregate.definition.is_of_decimals()
}

pub(super) fn read_window(
    plan: &Plan,
    key: SharedKey,
    answers: &mut impl Iterator<Item = Value>,
) -> Result<SharedWindow, Unreadable> {
    let aggregate = &plan.aggregates[key.aggregate];
    let mut state = KeyedState::new(aggregate);
    if aggregate.is_run() {
        let run = answers.next().as_ref().and_then(bytes).map(codec::read_run).transpose()?;
        return Ok(SharedWindow::restore(i64::MIN, state, (run, Vec::new())));
    }
    let (held, gone) = (answers.next(), answers.next());
    let texts = if keeps_texts(aggregate) { answers.next() } else { None };
    if let (Window::Quiet(_), KeyedState::Chain(chain)) = (aggregate.definition.window, &mut state) {
        let folded = answers.next();
        chain.restore_folded(folded.as_ref().and_then(bytes).map(codec::read_folded).transpose()?);
    }
    let mut newest = i64::MIN;
    for member in held.as_ref().and_then(items).unwrap_or_default() {
        let entry = codec::read_entry(bytes(member).unwrap_or_default())?;
        state.insert(aggregate, entry);
        newest = newest.max(entry.at);
    }
    for member in gone.as_ref().and_then(items).unwrap_or_default() {
        newest = newest.max(codec::read_entry(bytes(member).unwrap_or_default())?.at);
    }
    let mut found = Vec::new();
    for member in texts.as_ref().and_then(items).unwrap_or_default() {
        found.push(codec::read_text(bytes(member).unwrap_or_default())?);
    }
    // The server lets whole microseconds go, and a chain's beginning it has folded already.
    if newest != i64::MIN && !matches!(state, KeyedState::Chain(_)) {
        state.evict(aggregate, Time::from_nanos(newest), plan.settings.lateness);
    }
    Ok(SharedWindow::restore(newest, state, (None, found)))
}

pub(super) fn read_blocks(answer: Option<&Value>) -> Result<(Vec<Restriction>, Vec<Uuid>), Unreadable> {
    let (mut blocks, mut lifted) = (Vec::new(), Vec::new());
    for pair in answer.and_then(items).unwrap_or_default().chunks_exact(2) {
        match codec::read_held(bytes(&pair[0]).unwrap_or_default(), bytes(&pair[1]).unwrap_or_default())? {
            Held::Block(block) => blocks.push(block),
            Held::Lifted(id) => lifted.push(id),
        }
    }
    // A hash has no order of its own.
    blocks.sort_by_key(|block| (block.from, block.id));
    Ok((blocks, lifted))
}

pub(super) fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items),
        _ => None,
    }
}

pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    bytes(value).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
}

pub(super) fn unreadable(error: &Unreadable) -> SharedStoreError {
    SharedStoreError::Refused(format!("{} is not as this version writes it", error.0))
}
