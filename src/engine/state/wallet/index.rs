//! The index beside a long wallet log: every window's entries in a structure that answers in
//! O(log n). Derived: it can always be made again from the rows.

use crate::engine::plan::Plan;
use crate::engine::plan::aggregate::PlannedAggregate;
use crate::engine::state::keyed::KeyedState;
use crate::engine::state::wallet::row::{FLAG_SHADOW, Row, key_of_row};
use crate::engine::state::wallet::runs::ChainStart;
use crate::engine::window::Entry;
use crate::operation::Time;
use smallvec::SmallVec;
use std::collections::{HashMap, hash_map};

type Keyed = HashMap<(usize, u64), KeyedState, foldhash::fast::FixedState>;

/// Entries of windows of one wallet.
#[derive(Debug)]
pub struct Index {
    /// Which windows it answers for.
    depth: Depth,
    /// The windows that some row of the log was in since the index was made, one bit each.
    seen: SmallVec<[u64; 2]>,
    /// The windows of the wallet as a whole, by [`PlannedAggregate::whole`]: nearly every operation enters and
    /// reads some, so they lie together.
    whole: Vec<Option<KeyedState>>,
    /// The other windows, by aggregate and key.
    keyed: Keyed,
    /// How many rows those have that it does not answer for, by aggregate and key: most keys have none.
    counts: HashMap<(usize, u64), u32, foldhash::fast::FixedState>,
}

/// Which windows an index answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Totals of days and months: those of a short log, too, are cheaper to keep than to add up.
    Totals,
    All,
}

impl Index {
    /// Makes an index without entries.
    #[must_use]
    pub fn new(depth: Depth) -> Self {
        Self { depth, seen: SmallVec::new(), whole: Vec::new(), keyed: Keyed::default(), counts: HashMap::default() }
    }

    /// Tells whether it answers for all windows.
    #[must_use]
    pub fn is_deep(&self) -> bool {
        self.depth == Depth::All
    }

    /// Tells whether it answers for the window.
    #[must_use]
    pub fn covers(&self, aggregate: &PlannedAggregate) -> bool {
        match self.depth {
            Depth::Totals => aggregate.is_totalled(),
            Depth::All => aggregate.is_indexed(),
        }
    }

    /// Tells whether a row of the log may be in the window under the key; those of many rules never are.
    #[must_use]
    pub fn may_hold(&self, plan: &Plan, window: usize, key: u64) -> bool {
        let is_seen = self.seen.get(window / 64).is_some_and(|bits| bits >> (window % 64) & 1 != 0);
        is_seen && (!self.counts_keys_of(&plan.aggregates[window]) || self.counts.contains_key(&(window, key)))
    }

    /// Tells whether the rows of the window are counted by its keys.
    fn counts_keys_of(&self, aggregate: &PlannedAggregate) -> bool {
        !self.is_deep() && aggregate.is_counted_by_key()
    }

    /// Reads a word of what deciding an operation reads, to have it near.
    #[must_use]
    pub fn touch(&self) -> u64 {
        self.whole.iter().flatten().map(KeyedState::touch).fold(0, |all, word| all ^ word)
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
        self.seen.resize(plan.mask_words, 0);
        self.seen.iter_mut().zip(row.mask(plan.mask_words)).for_each(|(seen, bits)| *seen |= bits);
        for window in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[window];
            if self.counts_keys_of(aggregate) {
                *self.counts.entry((window, key_of_row(aggregate, row))).or_insert(0) += 1;
            }
            if !self.covers(aggregate) {
                continue;
            }
            let key = key_of_row(aggregate, row);
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
        let key = key_of_row(aggregate, row);
        if self.counts_keys_of(aggregate)
            && let hash_map::Entry::Occupied(mut count) = self.counts.entry((window, key))
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
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

    /// Lets go of a row that leaves the log. A chain remembers its beginning,
    /// so there the entry is folded, not taken out.
    pub fn forget(&mut self, plan: &Plan, row: Row<'_>, newest: Time) {
        for window in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[window];
            if self.covers(aggregate)
                && let Some(state @ KeyedState::Chain(_)) = self.window_mut(plan, window, key_of_row(aggregate, row))
            {
                state.evict(aggregate, newest, plan.settings.lateness);
            }
            self.remove(plan, window, row);
        }
    }

    /// Estimates the bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let states: usize = self.keyed.values().chain(self.whole.iter().flatten()).map(KeyedState::heap_bytes).sum();
        states
            + self.keyed.capacity() * size_of::<((usize, u64), KeyedState)>()
            + self.whole.capacity() * size_of::<Option<KeyedState>>()
            + self.counts.capacity() * size_of::<((usize, u64), u32)>()
    }
}

fn start(aggregate: &PlannedAggregate, chains: &[ChainStart], window: usize, key: u64) -> KeyedState {
    let mut state = KeyedState::new(aggregate);
    if let KeyedState::Chain(chain) = &mut state {
        let known = chains.iter().find(|known| known.aggregate == window && known.key == key);
        chain.restore_folded(known.map(|known| (known.first, known.last)));
    }
    state
}

/// Reads a row as an entry of a window.
#[must_use]
pub fn entry(aggregate: &PlannedAggregate, row: Row<'_>) -> Entry {
    let value = aggregate.value_word.map_or(1, |word| row.word(word).cast_signed());
    Entry { at: row.at(), op: u64::from(row.arrival()), value }
}

/// Tells whether a row is visible to the aggregate by its mode.
#[must_use]
pub fn is_visible_match(aggregate: &PlannedAggregate, row: Row<'_>) -> bool {
    !(aggregate.enforced_only && row.has(FLAG_SHADOW))
}

#[cfg(test)]
mod tests;
