//! The entries of a long timeline in the order of time, in chunks.
//!
//! Made for operations that arrive in order or nearly so: a new entry is pushed at the back, old ones
//! leave at the front, and what a window holds is a difference of two running totals, each found by a
//! search from its end. Least and greatest values and distinct values have an aid beside the entries.
//! Anything else costs the distance to the back; [`Log::is_costly`] tells when that has become too much.

use std::mem::size_of;

use super::super::tree::Summary;
use super::super::{Entry, Measure, RangeFold};
use crate::operation::Time;
use crate::operation::time::Nanos;

mod extremes;
mod latest;
mod occurrences;
mod slots;

use extremes::Extremes;
use occurrences::Occurrences;
use slots::Slots;

/// So many entries may be moved by every insertion without the trees being cheaper.
const MOVED_FREELY: usize = if cfg!(test) { 2 } else { 256 };

/// The trees take over when so many times the entries held have been moved beyond that.
const MOVED_MOST: usize = if cfg!(test) { 2 } else { 8 };

/// What moving an entry costs where its occurrences have to be found anew.
const OCCURRENCE_COST: usize = if cfg!(test) { 1 } else { 2 };

/// Ascending by (at, op).
#[derive(Debug, Clone)]
pub(super) struct Log {
    slots: Slots,
    aid: Aid,
    /// Entries moved by late insertions and removals, less what was free.
    moved: usize,
}

/// What a measure needs beside the entries.
#[derive(Debug, Clone)]
enum Aid {
    /// Totals are enough.
    None,
    Extremes(Extremes),
    Occurrences(Box<Occurrences>),
}

impl Log {
    pub(super) fn of(measure: Measure, entries: impl Iterator<Item = Entry>) -> Self {
        let aid = match measure {
            Measure::Count | Measure::Sum | Measure::Last => Aid::None,
            Measure::Range => Aid::Extremes(Extremes::default()),
            Measure::Distinct => Aid::Occurrences(Box::default()),
        };
        let mut log = Self { slots: Slots::default(), aid, moved: 0 };
        entries.for_each(|entry| log.push(entry));
        log
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.dead()
    }

    pub(super) fn last(&self) -> Option<Entry> {
        // Entries that were only marked as removed do not stay at either end.
        (self.slots.len() > 0).then(|| self.slots.entry(self.slots.end() - 1))
    }

    /// Returns the time of the first entry.
    pub(super) fn first(&self) -> Option<Time> {
        (self.slots.len() > 0).then(|| self.slots.at(self.slots.begin()))
    }

    /// Tells whether an operation is there.
    pub(super) fn holds(&self, at: Time, op: u64) -> bool {
        self.find((at, op)).is_ok()
    }

    /// Adds an entry; tells whether it was new.
    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        self.moved = self.moved.saturating_sub(MOVED_FREELY);
        if self.slots.len() == 0 || self.slots.key(self.slots.end() - 1) < entry.key() {
            self.push(entry);
            return true;
        }
        let Err(index) = self.find(entry.key()) else { return false };
        let newer = self.slots.end() - index;
        match &mut self.aid {
            Aid::None => self.slots.put(index, entry),
            Aid::Extremes(extremes) => {
                self.slots.put(index, entry);
                extremes.insert(entry);
            }
            Aid::Occurrences(occurrences) => {
                let newer = occurrences.cut(&self.slots, index);
                self.slots.put(index, entry);
                occurrences.push(&self.slots, false);
                newer.into_iter().for_each(|is_dead| occurrences.push(&self.slots, is_dead));
            }
        }
        self.moved += newer * self.cost();
        true
    }

    /// Takes an operation out; tells whether it was there.
    pub(super) fn remove(&mut self, at: Time, op: u64) -> bool {
        let Ok(index) = self.find((at, op)) else { return false };
        match &mut self.aid {
            Aid::None => self.moved += self.slots.take(index),
            Aid::Extremes(extremes) => {
                let entry = self.slots.entry(index);
                self.moved += self.slots.take(index);
                self.moved += extremes.remove(&self.slots, entry);
            }
            Aid::Occurrences(occurrences) => {
                occurrences.kill(&self.slots, index);
                while self.slots.len() > 0 && occurrences.is_dead(self.slots.end() - 1) {
                    occurrences.cut(&self.slots, self.slots.end() - 1);
                    self.slots.drop_last();
                }
                self.drop_while(|_, _| false);
                if self.dead() > self.len() {
                    *self = Self::of(Measure::Distinct, self.iter());
                }
            }
        }
        true
    }

    /// Tells whether late entries have moved so many others that trees serve this timeline better.
    pub(super) fn is_costly(&self) -> bool {
        self.moved > MOVED_MOST * self.len()
    }

    /// Drops the entries before `at`.
    pub(super) fn evict_before(&mut self, at: Time) {
        self.drop_while(|slots, index| slots.at(index) < at);
        if let Aid::Extremes(extremes) = &mut self.aid {
            extremes.evict_before(at);
        }
    }

    /// Returns the largest count of the windows that end from `at` to `at+length` and contain it.
    pub(super) fn fullest_count(&self, at: Time, length: Nanos) -> i128 {
        self.fullest(at, length, |from, to| to - from) as i128
    }

    /// Returns the largest sum of the same windows, if no value is negative.
    pub(super) fn fullest_sum(&self, at: Time, length: Nanos) -> i128 {
        self.fullest(at, length, |from, to| self.slots.total_before(to) - self.slots.total_before(from))
    }

    /// Returns the largest number of distinct values of the same windows, that of `this` included.
    pub(super) fn fullest_distinct(&self, at: Time, length: Nanos, this: Option<i64>) -> i128 {
        match &self.aid {
            Aid::Occurrences(occurrences) => occurrences.fullest(&self.slots, at, length, this) as i128,
            Aid::None | Aid::Extremes(_) => unreachable!("a log of distinct values has their occurrences"),
        }
    }

    /// Folds the values of `[from, to]`; those of a log of distinct values are scanned.
    pub(super) fn range(&self, from: Time, to: Time) -> RangeFold {
        let (first, until) = (self.slots.from(from), self.slots.after(to));
        if first >= until {
            return RangeFold::EMPTY;
        }
        let extent = match &self.aid {
            Aid::None => None,
            Aid::Extremes(extremes) => extremes.between(from, to),
            Aid::Occurrences(_) => {
                let inside = self.iter().filter(|entry| (from..=to).contains(&entry.at));
                return inside.map(|entry| entry.value).fold(RangeFold::EMPTY, RangeFold::with);
            }
        };
        let (min, max) = extent.unwrap_or_else(|| self.slots.extent(first, until));
        let sum = self.slots.total_before(until) - self.slots.total_before(first);
        RangeFold { count: (until - first) as u64, sum, min: Some(min), max: Some(max) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> + Clone + '_ {
        let is_alive = |index: &usize| match &self.aid {
            Aid::Occurrences(occurrences) => !occurrences.is_dead(*index),
            Aid::None | Aid::Extremes(_) => true,
        };
        (self.slots.begin()..self.slots.end()).filter(is_alive).map(|index| self.slots.entry(index))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let aid = match &self.aid {
            Aid::None => 0,
            Aid::Extremes(extremes) => extremes.heap_bytes(),
            Aid::Occurrences(occurrences) => size_of::<Occurrences>() + occurrences.heap_bytes(),
        };
        self.slots.heap_bytes() + aid
    }

    /// Values that are not negative only add to a window, so the fullest ends at `at` or where a later
    /// entry has just entered.
    fn fullest<T: Ord>(&self, at: Time, length: Nanos, weigh: impl Fn(usize, usize) -> T) -> T {
        let mut first = self.slots.from(at.minus(length));
        let until = self.slots.after(at);
        let mut fullest = weigh(first, until);
        let last = at.plus(length);
        for index in until..self.slots.end() {
            let ends = self.slots.at(index);
            if ends > last {
                break;
            }
            first = self.slots.advance(first, ends.minus(length));
            fullest = fullest.max(weigh(first, index + 1));
        }
        fullest
    }

    fn dead(&self) -> usize {
        match &self.aid {
            Aid::Occurrences(occurrences) => occurrences.dead(),
            Aid::None | Aid::Extremes(_) => 0,
        }
    }

    /// What moving one entry costs.
    const fn cost(&self) -> usize {
        match &self.aid {
            Aid::Occurrences(_) => OCCURRENCE_COST,
            Aid::None | Aid::Extremes(_) => 1,
        }
    }

    /// Finds the index of an operation, or the one before which it belongs.
    fn find(&self, key: (Time, u64)) -> Result<usize, usize> {
        let mut index = self.slots.index_of(key);
        while index < self.slots.end() && self.slots.key(index) == key {
            match &self.aid {
                Aid::Occurrences(occurrences) if occurrences.is_dead(index) => index += 1,
                Aid::None | Aid::Extremes(_) | Aid::Occurrences(_) => return Ok(index),
            }
        }
        Err(index)
    }

    fn push(&mut self, entry: Entry) {
        self.slots.extend([entry].into_iter());
        match &mut self.aid {
            Aid::None => {}
            Aid::Extremes(extremes) => extremes.push(entry),
            Aid::Occurrences(occurrences) => occurrences.push(&self.slots, false),
        }
    }

    /// Drops the first entries as long as they satisfy the condition or are only marked as removed.
    fn drop_while(&mut self, is_dropped: impl Fn(&Slots, usize) -> bool) {
        while self.slots.len() > 0 {
            let first = self.slots.begin();
            if let Aid::Occurrences(occurrences) = &mut self.aid {
                if !occurrences.is_dead(first) && !is_dropped(&self.slots, first) {
                    return;
                }
                occurrences.drop_first(&self.slots);
            } else if !is_dropped(&self.slots, first) {
                return;
            }
            let is_chunk_over = self.slots.drop_first();
            if is_chunk_over && let Aid::Occurrences(occurrences) = &mut self.aid {
                occurrences.drop_chunk();
            }
        }
    }
}
