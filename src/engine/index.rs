//! The index beside a long wallet log: every window's entries in a structure that answers in
//! O(log n). Derived: it can always be made again from the rows.

use std::collections::HashMap;

use crate::operation::Time;

use super::keyed::KeyedState;
use super::places::Places;
use super::plan::{Plan, PlannedAggregate};
use super::wallet::{ChainStart, FLAG_MATCH, FLAG_SHADOW, Row, key_of_row};
use super::window::Entry;

type Keyed = HashMap<(usize, u64), KeyedState, foldhash::fast::FixedState>;

/// Entries of all windows of one wallet, and the arrivals of operation ids.
#[derive(Debug, Default)]
pub struct Index {
    /// The windows of the wallet as a whole, by [`PlannedAggregate::whole`]: nearly every operation enters and
    /// reads some, so they lie together.
    whole: Vec<Option<KeyedState>>,
    /// The other windows, by aggregate and key.
    keyed: Keyed,
    /// Arrivals by the hashes of operation ids.
    arrivals: Places,
}

impl Index {
    /// Reads a word of what deciding an operation reads, to have it near.
    #[must_use]
    pub fn touch(&self, id: u128) -> u64 {
        let newest = self.whole.iter().flatten().map(KeyedState::touch);
        newest.fold(u64::from(self.arrivals.touch(hash_of(id))), |all, word| all ^ word)
    }

    /// Returns the latest arrival of an operation with this id; `is_it` compares whole ids.
    #[must_use]
    pub fn arrival_of(&self, id: u128, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut latest = None;
        let see = |arrival| {
            if is_it(arrival) {
                latest = latest.max(Some(arrival));
            }
            false
        };
        let _ = self.arrivals.find(hash_of(id), see);
        latest
    }

    /// Returns the entries of a window under a key.
    #[must_use]
    pub fn window(&self, plan: &Plan, aggregate: usize, key: u64) -> Option<&KeyedState> {
        match plan.aggregates[aggregate].whole {
            Some(position) => self.whole.get(position)?.as_ref(),
            None => self.keyed.get(&(aggregate, key)),
        }
    }

    fn window_mut(&mut self, plan: &Plan, aggregate: usize, key: u64) -> Option<&mut KeyedState> {
        match plan.aggregates[aggregate].whole {
            Some(position) => self.whole.get_mut(position)?.as_mut(),
            None => self.keyed.get_mut(&(aggregate, key)),
        }
    }

    /// Adds a row to every window it is in.
    ///
    /// A chain that is not in the index yet starts from what the record remembers of it.
    pub fn insert(&mut self, plan: &Plan, row: Row<'_>, newest: Option<Time>, chains: &[ChainStart]) {
        if !row.has(FLAG_MATCH) {
            self.arrivals.insert(hash_of(row.id()), row.arrival());
        }
        for window in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[window];
            if !aggregate.is_indexed() {
                continue;
            }
            let key = key_of_row(plan, window, row);
            let start = || start(aggregate, chains, window, key);
            let state = match aggregate.whole {
                Some(position) => {
                    if self.whole.len() <= position {
                        self.whole.resize_with(position + 1, || None);
                    }
                    self.whole[position].get_or_insert_with(start)
                }
                None => self.keyed.entry((window, key)).or_insert_with(start),
            };
            state.insert(aggregate, entry(aggregate, row));
            if let Some(newest) = newest {
                state.evict(aggregate, newest, plan.settings.lateness);
            }
        }
    }

    /// Takes a row out of one window.
    pub fn remove(&mut self, plan: &Plan, window: usize, row: Row<'_>) {
        let aggregate = &plan.aggregates[window];
        let key = key_of_row(plan, window, row);
        let Some(state) = self.window_mut(plan, window, key) else { return };
        state.remove(aggregate, entry(aggregate, row));
        if state.is_empty() {
            match aggregate.whole {
                Some(position) => self.whole[position] = None,
                None => drop(self.keyed.remove(&(window, key))),
            }
        }
    }

    /// Lets everything go that no longer counts when the wallet's newest operation is at `newest`.
    pub fn evict(&mut self, plan: &Plan, newest: Time) {
        let is_left = |aggregate: &PlannedAggregate, state: &mut KeyedState| {
            state.evict(aggregate, newest, plan.settings.lateness);
            !state.is_empty()
        };
        self.keyed.retain(|(window, _), state| is_left(&plan.aggregates[*window], state));
        for aggregate in &plan.aggregates {
            if let Some(state) = aggregate.whole.and_then(|position| self.whole.get_mut(position)) {
                state.take_if(|state| !is_left(aggregate, state));
            }
        }
    }

    /// Lets go of a row that leaves the log, its id and its entries. A chain remembers its beginning,
    /// so there the entry is folded, not taken out.
    pub fn forget(&mut self, plan: &Plan, row: Row<'_>, newest: Time) {
        for window in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[window];
            if aggregate.is_indexed()
                && let Some(state @ KeyedState::Chain(_)) =
                    self.window_mut(plan, window, key_of_row(plan, window, row))
            {
                state.evict(aggregate, newest, plan.settings.lateness);
            }
            self.remove(plan, window, row);
        }
        self.arrivals.remove(hash_of(row.id()), row.arrival());
    }

    /// Estimates the bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let states: usize = self.keyed.values().chain(self.whole.iter().flatten()).map(KeyedState::heap_bytes).sum();
        states
            + self.keyed.capacity() * size_of::<((usize, u64), KeyedState)>()
            + self.whole.capacity() * size_of::<Option<KeyedState>>()
            + self.arrivals.heap_bytes()
    }
}

fn start(aggregate: &PlannedAggregate, chains: &[ChainStart], window: usize, key: u64) -> KeyedState {
    let mut state = KeyedState::new(aggregate);
    if let KeyedState::Chain(chain) = &mut state {
        let known = chains.iter().find(|known| known.aggregate == window && known.key == key);
        chain.restore_folded(known.map(|known| (known.first.nanos(), known.last.nanos())));
    }
    state
}

/// Ids are hashes already: half of one is enough to find it.
#[expect(clippy::cast_possible_truncation, reason = "the half is what is wanted")]
const fn hash_of(id: u128) -> u64 {
    id as u64
}

/// Reads a row as an entry of a window.
#[must_use]
pub fn entry(aggregate: &PlannedAggregate, row: Row<'_>) -> Entry {
    let value = aggregate.value_word.map_or(1, |word| row.word(word).cast_signed());
    Entry { at: row.at().nanos(), op: u64::from(row.arrival()), value }
}

/// Tells whether a row is visible to the aggregate by its mode.
#[must_use]
pub fn is_visible_match(aggregate: &PlannedAggregate, row: Row<'_>) -> bool {
    !(aggregate.enforced_only && row.has(FLAG_SHADOW))
}
