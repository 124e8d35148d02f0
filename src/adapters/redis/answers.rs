//! What is asked of a window, and how answers are read.

use std::collections::{HashMap, HashSet};

use redis::{Pipeline, Script, Value};
use uuid::Uuid;

use super::codec::{self, Held, Unreadable, window_key};
use super::copies::{Copies, LogMark};
use crate::engine::keyed::KeyedState;
use crate::engine::plan::{Plan, PlannedAggregate};
use crate::engine::restriction::Restriction;
use crate::engine::shared::{SharedKey, SharedWindow};
use crate::operation::Time;
use crate::pipeline::SharedStoreError;
use crate::rules::program::Function;

/// So many windows are read by one call of the script, for which all other clients wait.
const SCRIPT_KEYS: usize = 256;

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
    /// Windows that have to be asked for again.
    pub(super) postponed: Vec<SharedKey>,
}

impl<'p> Windows<'p> {
    pub(super) fn of(plan: &'p Plan, keys: HashSet<SharedKey>, lacking: &HashSet<u64>) -> Self {
        let states: HashSet<u64> = keys.iter().map(|key| plan.aggregates[key.aggregate].state_id).collect();
        Self { plan, keys: keys.into_iter().collect(), states: states.into_iter().collect(), lacking: lacking.clone() }
    }

    fn is_lacking(&self, key: SharedKey) -> bool {
        self.lacking.contains(&self.plan.aggregates[key.aggregate].state_id)
    }

    /// Lists the windows that have entries; a run has none.
    fn with_entries(&self) -> impl Iterator<Item = SharedKey> {
        self.keys.iter().copied().filter(|key| !self.plan.aggregates[key.aggregate].is_run())
    }

    /// Asks for all of them; `read` is the script that reads windows.
    pub(super) fn ask(&self, pipe: &mut Pipeline, read: &Script, copies: &Copies) {
        for state in &self.states {
            pipe.cmd("HGET").arg(codec::book_key(*state)).arg("away");
        }
        for key in &self.keys {
            let rest = format!("{}:r", window_key(self.plan, *key));
            if self.plan.aggregates[key.aggregate].is_run() {
                pipe.cmd("HGET").arg(&rest).arg("run");
            }
            if self.is_lacking(*key) {
                pipe.cmd("HGET").arg(&rest).arg("lacks");
            }
        }
        let keys: Vec<SharedKey> = self.with_entries().collect();
        for keys in keys.chunks(SCRIPT_KEYS) {
            let command = pipe.cmd("EVALSHA").arg(read.get_hash()).arg(keys.len());
            keys.iter().for_each(|key| _ = command.arg(window_key(self.plan, *key)));
            for key in keys {
                let texts = if keeps_texts(&self.plan.aggregates[key.aggregate]) { "t" } else { "-" };
                match copies.mark(self.plan, *key) {
                    Some(mark) => command.arg(texts).arg(mark.number).arg(&*mark.record),
                    None => command.arg(texts).arg(0).arg(""),
                };
            }
        }
    }

    pub(super) fn read(
        &self,
        answers: &mut impl Iterator<Item = Value>,
        copies: &mut Copies,
    ) -> Result<Read, Unreadable> {
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
        let (mut lacks, mut is_there) = (HashMap::new(), HashSet::new());
        for key in &self.keys {
            if self.plan.aggregates[key.aggregate].is_run() {
                let run = answers.next().as_ref().and_then(bytes).map(codec::read_run).transpose()?;
                is_there.extend(run.map(|_| *key));
                let state = KeyedState::new(&self.plan.aggregates[key.aggregate]);
                read.windows.push((*key, SharedWindow::restore(None, state, (run, Vec::new()))));
            }
            if self.is_lacking(*key) {
                lacks.insert(*key, time(answers.next())?);
            }
        }
        let keys: Vec<SharedKey> = self.with_entries().collect();
        for keys in keys.chunks(SCRIPT_KEYS) {
            let answer = answers.next();
            let windows = answer.as_ref().and_then(items).unwrap_or_default();
            for (position, key) in keys.iter().enumerate() {
                let answer = match windows.get(position) {
                    Some(Value::Nil) => {
                        read.postponed.push(*key);
                        continue;
                    }
                    other => other.and_then(items).ok_or(Unreadable("an answer about a window"))?,
                };
                let window =
                    read_window(self.plan, *key, answer, copies).inspect_err(|_| copies.forget(self.plan, *key))?;
                is_there.extend(window.newest().map(|_| *key));
                read.windows.push((*key, window));
            }
        }
        for key in &self.keys {
            let of_window = read.turned_away.get(&self.plan.aggregates[key.aggregate].state_id).copied().flatten();
            // A key that is not there may be one that was turned away; of others it is known once it was asked.
            let of_key = lacks.get(key).copied().filter(|_| is_there.contains(key));
            read.lacking.extend(of_key.unwrap_or(of_window).map(|until| (*key, until)));
        }
        Ok(read)
    }
}

fn keeps_texts(aggregate: &PlannedAggregate) -> bool {
    aggregate.definition.function == Function::Last || aggregate.definition.is_of_decimals()
}

/// Reads what the script answers about a window.
fn read_window(plan: &Plan, key: SharedKey, answer: &[Value], copies: &mut Copies) -> Result<SharedWindow, Unreadable> {
    let folded = answer.get(1).and_then(bytes).map(codec::read_folded).transpose()?;
    match answer.get(2).and_then(items) {
        // The first is the record that the copy has.
        Some(records) => copies.advance(plan, key, records.iter().skip(1).filter_map(bytes), folded),
        None => {
            let window = read_whole(plan, key, answer.get(4..).unwrap_or_default(), folded)?;
            match (answer.first(), answer.get(3).and_then(bytes)) {
                (Some(Value::Int(number @ 1..)), Some(record)) => {
                    let mark = LogMark { number: number.unsigned_abs(), record: record.into() };
                    copies.keep(plan, key, window.clone(), mark);
                }
                _ => copies.forget(plan, key),
            }
            Ok(window)
        }
    }
}

/// Reads a whole window: its entries, the newest one that left, its texts.
fn read_whole(
    plan: &Plan,
    key: SharedKey,
    answer: &[Value],
    folded: Option<(Time, Time)>,
) -> Result<SharedWindow, Unreadable> {
    let aggregate = &plan.aggregates[key.aggregate];
    let mut state = KeyedState::new(aggregate);
    if let KeyedState::Chain(chain) = &mut state {
        chain.restore_folded(folded);
    }
    let mut newest: Option<Time> = None;
    for member in answer.first().and_then(items).unwrap_or_default() {
        let entry = codec::read_entry(bytes(member).unwrap_or_default())?;
        state.insert(aggregate, entry);
        newest = newest.max(Some(entry.at));
    }
    if let Some(gone) = answer.get(1).and_then(bytes) {
        newest = newest.max(Some(codec::read_entry(gone)?.at));
    }
    let mut texts = Vec::new();
    for member in answer.get(2).and_then(items).unwrap_or_default() {
        texts.push(codec::read_text(bytes(member).unwrap_or_default())?);
    }
    // The server lets whole microseconds go, and a chain's beginning it has folded already.
    if let Some(newest) = newest
        && !matches!(state, KeyedState::Chain(_))
    {
        state.evict(aggregate, newest, plan.settings.lateness);
    }
    Ok(SharedWindow::restore(newest, state, (None, texts)))
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
