//! Shared windows and the directory of blocks as bytes.

use super::wallet_group;
use crate::engine::plan::Plan;
use crate::engine::state::keyed::{KeyedState, measure};
use crate::engine::state::restriction::Restriction;
use crate::engine::state::shared::change::{Party, SharedKey};
use crate::engine::state::shared::window::SharedWindow;
use crate::engine::stored::words::{Reader, Writer};
use crate::engine::stored::{Layouts, StoredError, first};
use crate::engine::window::{CalendarCell, Entry};
use crate::operation::Time;

/// Writes windows of one group, one after another.
#[derive(Debug)]
pub struct WindowsWriter {
    out: Writer,
    windows: Writer,
    count: usize,
}

/// What a group holds.
#[derive(Debug, Default)]
pub struct WindowGroup {
    pub windows: Vec<(SharedKey, SharedWindow)>,
    pub blocks: Vec<(Party, Vec<Restriction>)>,
}

/// Returns the group of a shared window: by its key alone, whatever the rules' layout.
#[must_use]
pub fn group_of_key(key: SharedKey) -> usize {
    wallet_group(key.key)
}

/// Returns the group of a party.
#[must_use]
pub fn group_of_party(party: Party) -> usize {
    match party {
        Party::Wallet(symbol) => wallet_group(symbol),
        Party::Address(address) => wallet_group(crate::rules::program::symbol_of_address(address)),
    }
}

impl WindowsWriter {
    /// Starts a group.
    #[must_use]
    pub fn new(layout: u64) -> Self {
        let mut out = Writer::versioned();
        out.word(layout);
        Self { out, windows: Writer::default(), count: 0 }
    }

    /// Appends a window.
    pub fn window(&mut self, key: SharedKey, window: &SharedWindow) {
        self.count += 1;
        let mut body = Writer::default();
        match &window.state {
            KeyedState::Within(timeline) => entries(&mut body, timeline.iter()),
            KeyedState::Chain(chain) => {
                body.value(&chain.folded());
                entries(&mut body, chain.iter().map(|(at, op)| Entry { at, op, value: 0 }));
            }
            KeyedState::Calendar(cells) => {
                body.count(cells.len());
                for (start, (end, cell)) in cells {
                    body.word(start.nanos().cast_unsigned());
                    body.word(end.nanos().cast_unsigned());
                    body.value(&cell.seen());
                    body.value(&cell.values().collect::<Vec<_>>());
                    entries(&mut body, cell.entries());
                }
            }
        }
        body.value(&window.cold_parts());
        let out = &mut self.windows;
        out.count(key.aggregate);
        out.word(key.key);
        out.word(window.newest().map_or(i64::MIN, Time::nanos).cast_unsigned());
        out.record(&body);
    }

    /// Ends the group with its part of the directory.
    #[must_use]
    pub fn finish(mut self, blocks: &[(Party, Vec<Restriction>)]) -> Vec<u8> {
        self.out.value(blocks);
        self.out.count(self.count);
        let mut bytes = self.out.into_bytes();
        bytes.extend_from_slice(self.windows.bytes());
        bytes
    }
}

fn entries(out: &mut Writer, entries: impl Iterator<Item = Entry>) {
    let words: Vec<u64> =
        entries.flat_map(|entry| [entry.at.nanos().cast_unsigned(), entry.op, entry.value.cast_unsigned()]).collect();
    out.words(&words);
}

fn read_entries(reader: &mut Reader<'_>) -> Result<Vec<Entry>, StoredError> {
    let words = reader.words()?;
    let entry = |words: &[u64]| {
        let at = Time::from_nanos(words[0].cast_signed());
        Entry { at, op: words[1], value: words[2].cast_signed() }
    };
    Ok(words.chunks_exact(3).map(entry).collect())
}

/// Reads a group. Windows that the rules no longer have are left out.
///
/// # Errors
/// The bytes are damaged, or of a layout or version that is not known.
pub fn decode_group(bytes: &[u8], plan: &Plan, layouts: &Layouts) -> Result<WindowGroup, StoredError> {
    let mut reader = Reader::versioned(bytes)?;
    let way = layouts.from(reader.word()?)?;
    let merged = |(party, blocks)| (party, first::merge(blocks));
    let all = |old: Vec<(Party, Vec<first::Restriction>)>| old.into_iter().map(merged).collect();
    let mut group = WindowGroup { windows: Vec::new(), blocks: reader.value_or_first(all)? };
    for _ in 0..reader.count()? {
        let (old, key) = (reader.count()?, reader.word()?);
        let newest = Time::from_nanos(reader.word()?.cast_signed());
        let newest = (newest != Time::MIN).then_some(newest);
        let mut body = reader.record()?;
        if let Some(aggregate) = way.window(old) {
            let key = SharedKey { aggregate, key };
            group.windows.push((key, read_window(&mut body, plan, key, newest)?));
        }
    }
    if reader.is_at_end() { Ok(group) } else { Err(StoredError::Damaged(bytes.len())) }
}

fn read_window(
    body: &mut Reader<'_>,
    plan: &Plan,
    key: SharedKey,
    newest: Option<Time>,
) -> Result<SharedWindow, StoredError> {
    let aggregate = &plan.aggregates[key.aggregate];
    let mut state = KeyedState::new(aggregate);
    match &mut state {
        KeyedState::Within(timeline) => read_entries(body)?.into_iter().for_each(|entry| {
            timeline.insert(entry);
        }),
        KeyedState::Chain(chain) => {
            chain.restore_folded(body.value()?);
            read_entries(body)?.into_iter().for_each(|entry| {
                chain.insert(entry.at, entry.op);
            });
        }
        KeyedState::Calendar(cells) => {
            for _ in 0..body.count()? {
                let start = Time::from_nanos(body.word()?.cast_signed());
                let end = Time::from_nanos(body.word()?.cast_signed());
                let seen: (u64, i128) = body.value()?;
                let values: Vec<(i64, u32)> = body.value()?;
                let mut cell = CalendarCell::new(measure(aggregate));
                cell.restore(seen, values, read_entries(body)?);
                cells.insert(start, (end, cell));
            }
        }
    }
    Ok(SharedWindow::restore(newest, state, body.value()?))
}
