//! The entries of a log, in chunks, with running totals.
//!
//! Pushing at the back and dropping at the front cost no more however many there are; anything else
//! costs the distance to the back. Chunks are shared between clones, and a write copies the chunks it
//! touches.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::super::Entry;
use crate::operation::Time;

/// Entries of a chunk. Small in tests, so that few entries make many chunks.
pub(super) const CHUNK: usize = if cfg!(test) { 4 } else { 224 };

/// Ascending by (at, op).
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    /// All but the last are full, so an entry's chunk follows from its index.
    chunks: VecDeque<Place>,
    /// Evicted entries at the beginning of the first chunk. One that comes back need not be in order
    /// with these, so a search starts after them.
    gone: usize,
    /// Indices run from `gone` to here.
    end: usize,
}

/// A chunk, and what is read of it without going there.
#[derive(Debug, Clone)]
struct Place {
    /// The time of the first entry, evicted or not.
    first: Time,
    /// Of all its values.
    extent: Extent,
    chunk: Arc<Chunk>,
}

/// The least and the greatest value.
pub(super) type Extent = (i64, i64);

const NOTHING: Extent = (i64::MAX, i64::MIN);

fn joined(one: Extent, other: Extent) -> Extent {
    (one.0.min(other.0), one.1.max(other.1))
}

#[derive(Debug, Clone)]
struct Chunk {
    /// The total of all entries before this chunk.
    before: i128,
    slots: Vec<Slot>,
}

/// An entry; its value is how much the total grew.
#[derive(Debug, Clone, Copy)]
struct Slot {
    at: Time,
    op: u64,
    /// The sum of all values up to this one, those of evicted entries included.
    total: i128,
}

impl Slots {
    /// Returns the index of the first entry.
    pub(super) const fn begin(&self) -> usize {
        self.gone
    }

    /// Returns the index after the last entry.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    pub(super) const fn len(&self) -> usize {
        self.end - self.gone
    }

    pub(super) fn at(&self, index: usize) -> Time {
        self.slot(index).at
    }

    pub(super) fn key(&self, index: usize) -> (Time, u64) {
        let slot = self.slot(index);
        (slot.at, slot.op)
    }

    pub(super) fn value(&self, index: usize) -> i64 {
        self.chunks[index / CHUNK].chunk.value(index % CHUNK)
    }

    pub(super) fn entry(&self, index: usize) -> Entry {
        let chunk = &self.chunks[index / CHUNK].chunk;
        let Slot { at, op, .. } = chunk.slots[index % CHUNK];
        Entry { at, op, value: chunk.value(index % CHUNK) }
    }

    /// Takes the entry at the index out; returns how many had to be moved. From there on each chunk takes
    /// the first of the next.
    pub(super) fn take(&mut self, index: usize) -> usize {
        if index == self.gone {
            self.drop_first();
            return 0;
        }
        let removed_and_newer = self.cut(index);
        let moved = removed_and_newer.len();
        self.extend(removed_and_newer.into_iter().skip(1));
        if let Some(place) = self.chunks.get_mut(index / CHUNK) {
            place.extent = place.chunk.extent(0, place.chunk.slots.len());
        }
        moved
    }

    /// Drops the first entry. Tells whether its chunk went with it: then all indices are less by [`CHUNK`],
    /// or there is no entry left.
    pub(super) fn drop_first(&mut self) -> bool {
        self.gone += 1;
        let is_over = self.gone == CHUNK || self.gone == self.end;
        if is_over {
            self.end -= self.gone;
            self.gone = 0;
            self.chunks.pop_front();
        }
        is_over
    }

    /// Drops the last entry; its chunk keeps its extent.
    pub(super) fn drop_last(&mut self) {
        self.cut(self.end - 1);
    }

    /// Returns the least and the greatest value of a stretch that is not empty.
    pub(super) fn extent(&self, first: usize, until: usize) -> Extent {
        let (start, end) = (first / CHUNK, until / CHUNK);
        let (from, to) = (first % CHUNK, until % CHUNK);
        if start == end {
            return self.chunks[start].chunk.extent(from, to);
        }
        let whole = start + 1..end;
        let between = self.chunks.range(whole).fold(NOTHING, |all, place| joined(all, place.extent));
        let begun = match from {
            0 => self.chunks[start].extent,
            _ => self.chunks[start].chunk.extent(from, CHUNK),
        };
        let ended = match self.chunks.get(end) {
            Some(last) if to == last.chunk.slots.len() => last.extent,
            Some(last) => last.chunk.extent(0, to),
            None => NOTHING,
        };
        joined(begun, joined(between, ended))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let slots = |place: &Place| place.chunk.slots.capacity() * size_of::<Slot>();
        // Full chunks are alike.
        let chunks =
            self.chunks.len().saturating_sub(1) * CHUNK * size_of::<Slot>() + self.chunks.back().map_or(0, slots);
        let heads = self.chunks.len() * (size_of::<Chunk>() + 2 * size_of::<usize>());
        chunks + heads + self.chunks.capacity() * size_of::<Place>()
    }

    /// Returns the index of the first entry not before `at`, in O(log) of how many are before it: a window
    /// begins near the oldest that is kept for the late.
    pub(super) fn from(&self, at: Time) -> usize {
        // The first chunk may begin with evicted entries that are not in order with the next chunk's.
        let number = gallop(self.chunks.len().saturating_sub(1), |before| self.chunks[before + 1].first < at);
        let Some(place) = self.chunks.get(number) else {
            return self.end;
        };
        let skipped = if number == 0 { self.gone } else { 0 };
        let slots = &place.chunk.slots[skipped..];
        number * CHUNK + skipped + gallop(slots.len(), |index| slots[index].at < at)
    }

    /// Returns the index of the first entry after `at`, in O(log) of how many are after it.
    pub(super) fn after(&self, at: Time) -> usize {
        self.end - gallop(self.len(), |back| self.at(self.end - 1 - back) > at)
    }

    /// Returns the index of the first entry not below (at, op), in O(log) of how many there are.
    pub(super) fn index_of(&self, key: (Time, u64)) -> usize {
        self.end - gallop(self.len(), |back| self.key(self.end - 1 - back) >= key)
    }

    /// Returns the index of the first entry from `index` on that is not before `at`; near ones are near.
    pub(super) fn advance(&self, mut index: usize, at: Time) -> usize {
        while self.chunks.get(index / CHUNK + 1).is_some_and(|next| next.first < at) {
            index = (index / CHUNK + 1) * CHUNK;
        }
        while index < self.end && self.slot(index).at < at {
            index += 1;
        }
        index
    }

    fn slot(&self, index: usize) -> &Slot {
        &self.chunks[index / CHUNK].chunk.slots[index % CHUNK]
    }

    /// Returns the sum of the values before the index, from some beginning.
    pub(super) fn total_before(&self, index: usize) -> i128 {
        match self.chunks.get(index / CHUNK) {
            Some(place) => place.chunk.total_before(index % CHUNK),
            None => self.chunks.back().map_or(0, |place| place.chunk.total_before(place.chunk.slots.len())),
        }
    }

    /// Puts an entry before the one at the index. From there on each full chunk gives its last to the next.
    pub(super) fn put(&mut self, index: usize, Entry { at, op, value }: Entry) {
        self.end += 1;
        let mut before = self.total_before(index);
        let mut slot = Slot { at, op, total: before + i128::from(value) };
        let mut offset = index % CHUNK;
        for place in self.chunks.range_mut(index / CHUNK..) {
            let chunk = Arc::make_mut(&mut place.chunk);
            chunk.slots[offset..].iter_mut().for_each(|newer| newer.total += i128::from(value));
            let last = if chunk.slots.len() == CHUNK { chunk.slots.pop() } else { None };
            if offset == 0 {
                chunk.before = before;
                place.first = slot.at;
            }
            chunk.slots.insert(offset, slot);
            let Some(last) = last else {
                place.extent = joined(place.extent, (chunk.value(offset), chunk.value(offset)));
                return;
            };
            place.extent = chunk.extent(0, CHUNK);
            before = chunk.total_before(CHUNK);
            (slot, offset) = (last, 0);
        }
        let value = grown(before, slot.total);
        let chunk = Arc::new(Chunk { before, slots: vec![slot] });
        self.chunks.push_back(Place { first: slot.at, extent: (value, value), chunk });
    }

    /// Takes out the entries from the index on. The chunk that is cut keeps its extent.
    fn cut(&mut self, index: usize) -> SmallVec<[Entry; 64]> {
        let newer: SmallVec<_> = (index..self.end).map(|index| self.entry(index)).collect();
        self.end = index;
        self.chunks.truncate(index.div_ceil(CHUNK));
        if !index.is_multiple_of(CHUNK)
            && let Some(place) = self.chunks.back_mut()
        {
            Arc::make_mut(&mut place.chunk).slots.truncate(index % CHUNK);
        }
        newer
    }

    /// Adds entries after the last one.
    pub(super) fn extend(&mut self, mut entries: impl Iterator<Item = Entry>) {
        let mut total = self.total_before(self.end);
        let mut next = entries.next();
        while let Some(entry) = next {
            if self.end == self.chunks.len() * CHUNK {
                let chunk = Arc::new(Chunk { before: total, slots: Vec::new() });
                self.chunks.push_back(Place { first: entry.at, extent: NOTHING, chunk });
            }
            let place = self.chunks.back_mut().expect("there is a chunk that is not full");
            let slots = &mut Arc::make_mut(&mut place.chunk).slots;
            while let Some(Entry { at, op, value }) = next
                && slots.len() < CHUNK
            {
                if slots.len() == slots.capacity() {
                    slots.reserve_exact(slots.len().clamp(1, CHUNK - slots.len()));
                }
                total += i128::from(value);
                slots.push(Slot { at, op, total });
                place.extent = joined(place.extent, (value, value));
                self.end += 1;
                next = entries.next();
            }
        }
    }
}

impl Chunk {
    fn total_before(&self, slot: usize) -> i128 {
        slot.checked_sub(1).map_or(self.before, |last| self.slots[last].total)
    }

    fn value(&self, slot: usize) -> i64 {
        grown(self.total_before(slot), self.slots[slot].total)
    }

    fn extent(&self, from: usize, to: usize) -> Extent {
        let mut before = self.total_before(from);
        self.slots[from..to].iter().fold(NOTHING, |all, slot| {
            let value = grown(before, slot.total);
            before = slot.total;
            joined(all, (value, value))
        })
    }
}

/// Finds the first index below `len` that does not satisfy `is_before`, which those after it do not either,
/// by steps that double.
fn gallop(len: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (0, 1);
    while low + step <= len && is_before(low + step - 1) {
        low += step;
        step *= 2;
    }
    // The answer is in [low, low + step − 1]: the last step went too far, or past the end.
    let mut high = len.min(low + step - 1);
    while low < high {
        let middle = usize::midpoint(low, high);
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Returns the value by which a total grew.
#[expect(clippy::cast_possible_truncation, reason = "totals differ by a value, which is an i64")]
const fn grown(from: i128, to: i128) -> i64 {
    (to - from) as i64
}
