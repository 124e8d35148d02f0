//! What is asked of a window, and how answers are read.

use std::collections::{HashMap, HashSet};

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

/// The windows that a batch asks for.
pub(super) struct Windows<'p> {
    plan: &'p Plan,
    keys: Vec<SharedKey>,
    /// The windows they belong to, by their state.
    states: Vec<u64>,
    /// Those of which it is known that they turned something away: of them each key is asked for what it lacks.
    lacking: HashSet<u64>,
}

/// What the server holds of them.
#[derive(Default)]
pub(super) struct Read {
    pub(super) windows: Vec<(SharedKey, SharedWindow)>,
    /// The newest operation that a window turned away, if any, by its state.
    pub(super) turned_away: HashMap<u64, Option<Time>>,
    /// Until when operations of a key may have been turned away.
    pub(super) lacking: Vec<(SharedKey, Time)>,
}

impl<'p> Windows<'p> {
    pub(super) fn of(plan: &'p Plan, keys: HashSet<SharedKey>, lacking: &HashSet<u64>) -> Self {
        let states: HashSet<u64> = keys.iter().map(|key| plan.aggregates[key.aggregate].state_id).collect();
        Self { plan, keys: keys.into_iter().collect(), states: states.into_iter().collect(), lacking: lacking.clone() }
    }

    fn is_lacking(&self, key: SharedKey) -> bool {
        self.lacking.contains(&self.plan.aggregates[key.aggregate].state_id)
    }

    pub(super) fn ask(&self, pipe: &mut Pipeline) {
        for state in &self.states {
            pipe.cmd("HGET").arg(codec::book_key(*state)).arg("away");
        }
        for key in &self.keys {
            ask_window(pipe, self.plan, *key);
            if self.is_lacking(*key) {
                pipe.cmd("HGET").arg(format!("{}:r", window_key(self.plan, *key))).arg("lacks");
            }
        }
    }

    pub(super) fn read(&self, answers: &mut impl Iterator<Item = Value>) -> Result<Read, Unreadable> {
        let mut read = Read::default();
        let time = |answer: Option<Value>| {
            let at = answer
                .as_ref()
                .and_then(bytes)
                .map(|bytes| codec::read_time(bytes).ok_or(Unreadable("the time of what was turned away")));
            at.transpose()
        };
        for state in &self.states {
            read.turned_away.insert(*state, time(answers.next())?);
        }
        for key in &self.keys {
            let (window, is_there) = read_window(self.plan, *key, answers)?;
            let of_key = if self.is_lacking(*key) { time(answers.next())? } else { None };
            let of_window = read.turned_away.get(&self.plan.aggregates[key.aggregate].state_id).copied().flatten();
            // A key that is not there may be one that was turned away; of others it is known once it was asked.
            let lacks = if is_there && self.is_lacking(*key) { of_key } else { of_window };
            read.lacking.extend(lacks.map(|until| (*key, until)));
            read.windows.push((*key, window));
        }
        Ok(read)
    }
}

fn ask_window(pipe: &mut Pipeline, plan: &Plan, key: SharedKey) {
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

/// Reads a window; tells whether the server has the key at all.
fn read_window(
    plan: &Plan,
    key: SharedKey,
    answers: &mut impl Iterator<Item = Value>,
) -> Result<(SharedWindow, bool), Unreadable> {
    let aggregate = &plan.aggregates[key.aggregate];
    let mut state = KeyedState::new(aggregate);
    if aggregate.is_run() {
        let run = answers.next().as_ref().and_then(bytes).map(codec::read_run).transpose()?;
        return Ok((SharedWindow::restore(None, state, (run, Vec::new())), run.is_some()));
    }
    let (held, gone) = (answers.next(), answers.next());
    let texts = if keeps_texts(aggregate) { answers.next() } else { None };
    if let (Window::Quiet(_), KeyedState::Chain(chain)) = (aggregate.definition.window, &mut state) {
        let folded = answers.next();
        chain.restore_folded(folded.as_ref().and_then(bytes).map(codec::read_folded).transpose()?);
    }
    let mut newest: Option<Time> = None;
    for member in held.as_ref().and_then(items).unwrap_or_default() {
        let entry = codec::read_entry(bytes(member).unwrap_or_default())?;
        state.insert(aggregate, entry);
        newest = newest.max(Some(entry.at));
    }
    for member in gone.as_ref().and_then(items).unwrap_or_default() {
        newest = newest.max(Some(codec::read_entry(bytes(member).unwrap_or_default())?.at));
    }
    let mut found = Vec::new();
    for member in texts.as_ref().and_then(items).unwrap_or_default() {
        found.push(codec::read_text(bytes(member).unwrap_or_default())?);
    }
    // The server lets whole microseconds go, and a chain's beginning it has folded already.
    if let Some(newest) = newest
        && !matches!(state, KeyedState::Chain(_))
    {
        state.evict(aggregate, newest, plan.settings.lateness);
    }
    Ok((SharedWindow::restore(newest, state, (None, found)), newest.is_some()))
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
