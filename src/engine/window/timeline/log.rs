//! The entries of a long timeline in the order of time, in chunks.
//!
//! Made for operations that arrive in order or nearly so: a new entry is pushed at the back, old ones
//! leave at the front, and what a window holds is a difference of two running totals, each found by a
//! binary search. Anything else costs the distance to the back; [`Log::is_costly`] tells when that has
//! become too much. Chunks are shared between clones, and a write copies the chunks it touches.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::tree::Summary;
use super::super::{Entry, RangeFold};

/// Entries of a chunk. Small in tests, so that few entries make many chunks.
const CHUNK: usize = if cfg!(test) { 4 } else { 256 };

/// So many entries may be moved by every insertion without the trees being cheaper.
const MOVED_FREELY: usize = if cfg!(test) { 2 } else { 256 };

/// The trees take over when so many times the entries held have been moved beyond that.
const MOVED_MOST: usize = if cfg!(test) { 2 } else { 8 };

/// Ascending by (at, op).
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// All but the last are full, so an entry's chunk follows from its index.
    chunks: VecDeque<Place>,
    /// Evicted entries at the beginning of the first chunk. One that comes back need not be in order
    /// with these, so a search starts after them.
    gone: usize,
    /// Indices run from `gone` to here.
    end: usize,
    /// Entries moved by late insertions and removals, less what was free.
    moved: usize,
}

/// A chunk, and what is read of it without going there.
#[derive(Debug, Clone)]
struct Place {
    /// The time of the first entry, evicted or not.
    first: i64,
    /// Of all its values.
    extent: Extent,
    chunk: Arc<Chunk>,
}

/// The least and the greatest value.
type Extent = (i64, i64);

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
    at: i64,
    op: u64,
    /// The sum of all values up to this one, those of evicted entries included.
    total: i128,
}

impl Log {
    pub(super) fn of(entries: impl Iterator<Item = Entry>) -> Self {
        let mut log = Self::default();
        log.extend(entries);
        log
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.gone
    }

    pub(super) fn last(&self) -> Option<Entry> {
        (self.len() > 0).then(|| self.entry(self.end - 1))
    }

    /// Adds an entry; tells whether it was new.
    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        self.moved = self.moved.saturating_sub(MOVED_FREELY);
        if self.len() == 0 || self.entry_key(self.end - 1) < entry.key() {
            self.extend([entry].into_iter());
            return true;
        }
        let index = self.index_of(entry.key());
        if self.entry(index).key() == entry.key() {
            return false;
        }
        self.put(index, entry);
        true
    }

    /// Takes an operation out; tells whether it was there.
    pub(super) fn remove(&mut self, at: i64, op: u64) -> bool {
        let index = self.index_of((at, op));
        if index == self.end || self.entry(index).key() != (at, op) {
            return false;
        }
        let removed_and_newer = self.cut(index);
        self.extend(removed_and_newer.into_iter().skip(1));
        if let Some(place) = self.chunks.get_mut(index / CHUNK) {
            place.extent = place.chunk.extent(0, place.chunk.slots.len());
        }
        true
    }

    /// Tells whether late entries have moved so many others that trees serve this timeline better.
    pub(super) fn is_costly(&self) -> bool {
        self.moved > MOVED_MOST * self.len()
    }

    /// Drops the entries before `at` and tells whether there were any.
    pub(super) fn evict_before(&mut self, at: i64) -> bool {
        let before = self.len();
        while self.gone < self.end && self.chunks[0].chunk.slots[self.gone].at < at {
            self.gone += 1;
            if self.gone == CHUNK || self.gone == self.end {
                self.end -= self.gone;
                self.gone = 0;
                self.chunks.pop_front();
            }
        }
        self.len() < before
    }

    /// Returns the largest count of the windows that end from `at` to `at+length` and contain it.
    pub(super) fn fullest_count(&self, at: i64, length: i64) -> i128 {
        self.fullest(at, length, |from, to| to - from) as i128
    }

    /// Returns the largest sum of the same windows, if no value is negative.
    pub(super) fn fullest_sum(&self, at: i64, length: i64) -> i128 {
        self.fullest(at, length, |from, to| self.total_before(to) - self.total_before(from))
    }

    /// Folds the values of `[from, to]`.
    pub(super) fn range(&self, from: i64, to: i64) -> RangeFold {
        let (first, until) = (self.from(from), self.after(to));
        if first >= until {
            return RangeFold::EMPTY;
        }
        let (start, end) = (first / CHUNK, until / CHUNK);
        let (from, to) = (first % CHUNK, until % CHUNK);
        let extent = if start == end {
            self.chunks[start].chunk.extent(from, to)
        } else {
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
        };
        let sum = self.total_before(until) - self.total_before(first);
        RangeFold { count: (until - first) as u64, sum, min: Some(extent.0), max: Some(extent.1) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> + Clone + '_ {
        (self.gone..self.end).map(|index| self.entry(index))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let slots = |place: &Place| place.chunk.slots.capacity() * size_of::<Slot>();
        // Full chunks are alike.
        let chunks =
            self.chunks.len().saturating_sub(1) * CHUNK * size_of::<Slot>() + self.chunks.back().map_or(0, slots);
        let heads = self.chunks.len() * (size_of::<Chunk>() + 2 * size_of::<usize>());
        chunks + heads + self.chunks.capacity() * size_of::<Place>()
    }

    /// Values that are not negative only add to a window, so the fullest ends at `at` or where a later
    /// entry has just entered.
    fn fullest<T: Ord>(&self, at: i64, length: i64, weigh: impl Fn(usize, usize) -> T) -> T {
        let mut first = self.from(at.saturating_sub(length));
        let until = self.after(at);
        let mut fullest = weigh(first, until);
        let last = at.saturating_add(length);
        for index in until..self.end {
            let ends = self.slot(index).at;
            if ends > last {
                break;
            }
            first = self.advance(first, ends.saturating_sub(length));
            fullest = fullest.max(weigh(first, index + 1));
        }
        fullest
    }

    /// Returns the index of the first entry not before `at`.
    fn from(&self, at: i64) -> usize {
        let number = self.chunks.partition_point(|place| place.first < at).saturating_sub(1);
        let Some(place) = self.chunks.get(number) else {
            return self.end;
        };
        let skipped = if number == 0 { self.gone } else { 0 };
        number * CHUNK + skipped + place.chunk.slots[skipped..].partition_point(|slot| slot.at < at)
    }

    /// Returns the index of the first entry after `at`.
    fn after(&self, at: i64) -> usize {
        let is_last = self.len() == 0 || self.slot(self.end - 1).at <= at;
        if is_last { self.end } else { self.from(at + 1) }
    }

    /// Returns the index of the first entry not below (at, op).
    fn index_of(&self, key: (i64, u64)) -> usize {
        let (mut index, mut until) = (self.from(key.0), self.after(key.0));
        while index < until {
            let middle = usize::midpoint(index, until);
            if self.entry_key(middle) < key {
                index = middle + 1;
            } else {
                until = middle;
            }
        }
        index
    }

    /// Returns the index of the first entry from `index` on that is not before `at`; near ones are near.
    fn advance(&self, mut index: usize, at: i64) -> usize {
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

    fn entry_key(&self, index: usize) -> (i64, u64) {
        let slot = self.slot(index);
        (slot.at, slot.op)
    }

    fn entry(&self, index: usize) -> Entry {
        let chunk = &self.chunks[index / CHUNK].chunk;
        let Slot { at, op, .. } = chunk.slots[index % CHUNK];
        Entry { at, op, value: chunk.value(index % CHUNK) }
    }

    /// Returns the sum of the values before the index, from some beginning.
    fn total_before(&self, index: usize) -> i128 {
        match self.chunks.get(index / CHUNK) {
            Some(place) => place.chunk.total_before(index % CHUNK),
            None => self.chunks.back().map_or(0, |place| place.chunk.total_before(place.chunk.slots.len())),
        }
    }

    /// Puts an entry before the one at the index. From there on each full chunk gives its last to the next.
    fn put(&mut self, index: usize, Entry { at, op, value }: Entry) {
        self.moved += self.end - index;
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
        self.moved += newer.len();
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
    fn extend(&mut self, mut entries: impl Iterator<Item = Entry>) {
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

/// Returns the value by which a total grew.
#[expect(clippy::cast_possible_truncation, reason = "totals differ by a value, which is an i64")]
const fn grown(from: i128, to: i128) -> i64 {
    (to - from) as i64
}
