//! What is asked of a window, and how answers are read.

use std::collections::{HashMap, HashSet};

use redis::{Pipeline, Script, Value};
use uuid::Uuid;

use super::codec::{self, Held, Unreadable};
use super::copies::{Copies, LogMark};
use super::names::{Names, Part};
use crate::engine::keyed::KeyedState;
use crate::engine::plan::{Plan, PlannedAggregate};
use crate::engine::restriction::Restriction;
use crate::engine::shared::{SharedKey, SharedWindow};
use crate::operation::Time;
use crate::pipeline::SharedStoreError;
use crate::rules::program::Function;

/// So many windows are read by one call of the script, for which all other clients wait.
const SCRIPT_KEYS: usize = 256;

/// One window in one part of the keys: it has a book.
pub(super) type Book = (u64, Part);

/// The windows that a batch asks for.
pub(super) struct Windows<'p> {
    plan: &'p Plan,
    names: Names,
    keys: Vec<SharedKey>,
    /// Those of them that have entries (a run has none), as many together as one call of the script reads.
    calls: Vec<Vec<SharedKey>>,
    books: Vec<Book>,
    /// The books of which it is known that they turned something away: of them each key is asked for what it lacks.
    lacking: HashSet<Book>,
}

/// What the server holds of them.
#[derive(Default)]
pub(super) struct Read {
    pub(super) windows: Vec<(SharedKey, SharedWindow)>,
    /// The newest operation that a book turned away, if any.
    pub(super) turned_away: HashMap<Book, Option<Time>>,
    /// Until when operations of a key may have been turned away.
    pub(super) lacking: Vec<(SharedKey, Time)>,
    /// Windows that have to be asked for again.
    pub(super) postponed: Vec<SharedKey>,
}

impl<'p> Windows<'p> {
    pub(super) fn of(plan: &'p Plan, names: Names, keys: HashSet<SharedKey>, lacking: &HashSet<Book>) -> Self {
        let mut keys: Vec<SharedKey> = keys.into_iter().collect();
        keys.sort_unstable_by_key(|key| names.part_of_window(*key));
        let with_entries: Vec<SharedKey> =
            keys.iter().copied().filter(|key| !plan.aggregates[key.aggregate].is_run()).collect();
        let of_parts = with_entries.chunk_by(|one, other| names.part_of_window(*one) == names.part_of_window(*other));
        let calls = of_parts.flat_map(|keys| keys.chunks(SCRIPT_KEYS)).map(<[SharedKey]>::to_vec).collect();
        let mut windows = Self { plan, names, keys, calls, books: Vec::new(), lacking: lacking.clone() };
        let books: HashSet<Book> = windows.keys.iter().map(|key| windows.book(*key)).collect();
        windows.books.extend(books);
        windows
    }

    fn book(&self, key: SharedKey) -> Book {
        (self.plan.aggregates[key.aggregate].state_id, self.names.part_of_window(key))
    }

    /// Lists the parts that the windows are in.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        self.books.iter().map(|(_, part)| *part)
    }

    fn is_lacking(&self, key: SharedKey) -> bool {
        self.lacking.contains(&self.book(key))
    }

    /// Asks for all of them; `read` is the script that reads windows.
    pub(super) fn ask(&self, pipe: &mut Pipeline, read: &Script, copies: &Copies) {
        for (state, part) in &self.books {
            pipe.cmd("HGET").arg(self.names.book(*state, *part)).arg("away");
        }
        for key in &self.keys {
            let rest = || format!("{}:r", self.names.window(self.plan, *key));
            if self.plan.aggregates[key.aggregate].is_run() {
                pipe.cmd("HGET").arg(rest()).arg("run");
            }
            if self.is_lacking(*key) {
                pipe.cmd("HGET").arg(rest()).arg("lacks");
            }
        }
        for keys in &self.calls {
            let command = pipe.cmd("EVALSHA").arg(read.get_hash()).arg(keys.len());
            keys.iter().for_each(|key| _ = command.arg(self.names.window(self.plan, *key)));
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
        for book in &self.books {
            read.turned_away.insert(*book, time(answers.next())?);
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
        for keys in &self.calls {
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
            let of_window = read.turned_away.get(&self.book(*key)).copied().flatten();
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
