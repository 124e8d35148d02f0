//! The index beside a long wallet log: every window's entries in a structure that answers in
//! O(log n). Derived: it can always be made again from the rows.

use std::collections::HashMap;

use crate::operation::Time;

use super::keyed::KeyedState;
use super::plan::{Plan, PlannedAggregate};
use super::wallet::{ChainStart, FLAG_MATCH, FLAG_SHADOW, Row, key_of_row};
use super::window::Entry;

type Keyed = HashMap<(usize, u64), KeyedState, foldhash::fast::FixedState>;

/// Entries of all windows of one wallet by window and key, and the arrivals of operation ids.
#[derive(Debug, Default)]
pub struct Index {
    windows: Keyed,
    arrivals: HashMap<u128, u64, foldhash::fast::FixedState>,
}

impl Index {
    /// Reads a word of what deciding an operation reads, to have it near.
    #[must_use]
    pub fn touch(&self) -> u64 {
        (self.arrivals.len() ^ self.windows.len()) as u64
    }

    /// Returns the arrival of the operation with this id.
    #[must_use]
    pub fn arrival_of(&self, id: u128) -> Option<u64> {
        self.arrivals.get(&id).copied()
    }

    /// Returns the entries of a window under a key.
    #[must_use]
    pub fn window(&self, aggregate: usize, key: u64) -> Option<&KeyedState> {
        self.windows.get(&(aggregate, key))
    }

    /// Adds a row to every window it is in.
    ///
    /// A chain that is not in the index yet starts from what the record remembers of it.
    pub fn insert(&mut self, plan: &Plan, row: Row<'_>, newest: Option<Time>, chains: &[ChainStart]) {
        if !row.has(FLAG_MATCH) {
            self.arrivals.insert(row.id(), row.arrival());
        }
        for window in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[window];
            if !is_indexed(aggregate) {
                continue;
            }
            let key = key_of_row(plan, window, row);
            let state = self.windows.entry((window, key)).or_insert_with(|| start(aggregate, chains, window, key));
            state.insert(aggregate, entry(aggregate, row));
            if let Some(newest) = newest {
                state.evict(aggregate, newest, plan.settings.lateness);
            }
        }
    }

    /// Takes a row out of one window.
    pub fn remove(&mut self, plan: &Plan, window: usize, row: Row<'_>) {
        let aggregate = &plan.aggregates[window];
        let key = (window, key_of_row(plan, window, row));
        if let Some(state) = self.windows.get_mut(&key) {
            state.remove(aggregate, entry(aggregate, row));
            if state.is_empty() {
                self.windows.remove(&key);
            }
        }
    }

    /// Lets everything go that no longer counts when the wallet's newest operation is at `newest`.
    pub fn evict(&mut self, plan: &Plan, newest: Time) {
        self.windows.retain(|(window, _), state| {
            state.evict(&plan.aggregates[*window], newest, plan.settings.lateness);
            !state.is_empty()
        });
    }

    /// Lets go of a row that leaves the log, its id and its entries. A chain remembers its beginning,
    /// so there the entry is folded, not taken out.
    pub fn forget(&mut self, plan: &Plan, row: Row<'_>, newest: Time) {
        for window in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[window];
            if is_indexed(aggregate)
                && let Some(state @ KeyedState::Chain(_)) =
                    self.windows.get_mut(&(window, key_of_row(plan, window, row)))
            {
                state.evict(aggregate, newest, plan.settings.lateness);
            }
            self.remove(plan, window, row);
        }
        if self.arrivals.get(&row.id()) == Some(&row.arrival()) {
            self.arrivals.remove(&row.id());
        }
    }

    /// Estimates the bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let states: usize = self.windows.values().map(KeyedState::heap_bytes).sum();
        states + self.windows.capacity() * size_of::<((usize, u64), KeyedState)>() + self.arrivals.capacity() * 32
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

/// Tells whether the aggregate is answered from the index: runs keep their own state, a residual
/// `where` has to look at every row.
#[must_use]
pub fn is_indexed(aggregate: &PlannedAggregate) -> bool {
    aggregate.owned && !aggregate.is_run() && aggregate.definition.residual.is_none()
}

/// Reads a row as an entry of a window.
#[must_use]
pub fn entry(aggregate: &PlannedAggregate, row: Row<'_>) -> Entry {
    let value = aggregate.value_word.map_or(1, |word| row.word(word).cast_signed());
    Entry { at: row.at().nanos(), op: row.arrival(), value }
}

/// Tells whether a row is visible to the aggregate by its mode.
#[must_use]
pub fn is_visible_match(aggregate: &PlannedAggregate, row: Row<'_>) -> bool {
    !(aggregate.enforced_only && row.has(FLAG_SHADOW))
}
