//! The sliding window of one aggregate for one key.
//!
//! Short timelines are a sorted array that every question scans; long ones keep the trees that
//! their measure needs, and only those.

use std::mem::size_of;

use smallvec::SmallVec;

use super::{Entry, FEW, Measure, RangeFold, Shape, scan};

mod long;

use long::Long;

/// The entries of one window for one key, in order of time whatever their order of arrival.
///
/// Entries stay until [`Timeline::evict_before`]: how long past the window's length is the caller's
/// business. A clone costs no more than a short timeline and never sees later writes.
#[derive(Debug, Clone)]
pub struct Timeline {
    shape: Shape,
    entries: Entries,
}

#[derive(Debug, Clone)]
enum Entries {
    /// Ascending by (at, op), at most [`FEW`].
    Short(SmallVec<[Entry; 1]>),
    Long(Box<Long>),
}

impl Timeline {
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape, entries: Entries::Short(SmallVec::new()) }
    }

    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match &self.entries {
            Entries::Short(short) => short.len(),
            Entries::Long(long) => long.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the greatest event time held.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.last_entry().map(|entry| entry.at)
    }

    /// Adds an entry; one with the same time and operation is already there and stays. Tells whether
    /// it was new.
    pub fn insert(&mut self, entry: Entry) -> bool {
        let short = match &mut self.entries {
            Entries::Short(short) => short,
            Entries::Long(long) => return long.insert(entry),
        };
        let index = match short.last() {
            Some(last) if last.key() >= entry.key() => short.partition_point(|held| held.key() < entry.key()),
            _ => short.len(),
        };
        if short.get(index).is_some_and(|held| held.key() == entry.key()) {
            return false;
        }
        if short.len() < FEW {
            short.insert(index, entry);
            return true;
        }
        let mut long = Long::new(self.shape);
        for held in short.iter() {
            long.insert(*held);
        }
        long.insert(entry);
        self.entries = Entries::Long(Box::new(long));
        true
    }

    /// Takes one operation out; tells whether it was there.
    pub fn remove(&mut self, at: i64, op: u64) -> bool {
        match &mut self.entries {
            Entries::Short(short) => {
                let Some(index) = short.iter().position(|held| held.key() == (at, op)) else {
                    return false;
                };
                short.remove(index);
                true
            }
            Entries::Long(long) => {
                let removed = long.remove(at, op);
                self.shorten();
                removed
            }
        }
    }

    /// Drops the entries before `at`.
    pub fn evict_before(&mut self, at: i64) {
        match &mut self.entries {
            Entries::Short(short) => {
                let stale = short.iter().take_while(|held| held.at < at).count();
                if stale > 0 {
                    short.drain(..stale);
                }
            }
            Entries::Long(long) => {
                if long.evict_before(at) {
                    self.shorten();
                }
            }
        }
    }

    /// Returns the fullest of the windows that contain `at`, and in them the operation being judged
    /// if there is one: the largest count, sum or number of distinct values over all closed
    /// `[e−length, e]` with `at ≤ e ≤ at+length`. A timeline of another measure counts, by a scan.
    #[must_use]
    pub fn fullest(&self, at: i64, this: Option<i64>) -> i128 {
        let length = self.shape.length;
        let short = match &self.entries {
            Entries::Short(short) => short,
            Entries::Long(long) => return long.fullest(at, this),
        };
        let entries = short.iter().map(|entry| (entry.at, entry.value));
        match self.shape.measure {
            Measure::Sum => scan::fullest_sum(entries, length, at, this),
            Measure::Distinct => scan::fullest_distinct(entries, length, at, this),
            Measure::Count | Measure::Range | Measure::Last => scan::fullest_count(entries, length, at, this.is_some()),
        }
    }

    /// Folds the values of `[at−length, at]` and that of the operation being judged. A long timeline
    /// of another measure than [`Measure::Range`] is scanned.
    #[must_use]
    pub fn range(&self, at: i64, this: Option<i64>) -> RangeFold {
        match &self.entries {
            Entries::Short(short) => {
                scan::range(short.iter().map(|entry| (entry.at, entry.value)), self.shape.length, at, this)
            }
            Entries::Long(long) => long.range(at, this),
        }
    }

    /// Returns the entry with the greatest (at, op), unless it is farther than the length from `at`.
    #[must_use]
    pub fn last(&self, at: i64) -> Option<Entry> {
        self.last_entry().filter(|entry| entry.at.abs_diff(at) <= self.shape.length.unsigned_abs())
    }

    /// Walks the entries in order of (at, op).
    pub fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        let (short, long) = match &self.entries {
            Entries::Short(short) => (Some(short.iter().copied()), None),
            Entries::Long(long) => (None, Some(long.iter())),
        };
        short.into_iter().flatten().chain(long.into_iter().flatten())
    }

    /// Estimates the heap bytes held, those shared with clones in full.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.entries {
            Entries::Short(short) if short.spilled() => short.capacity() * size_of::<Entry>(),
            Entries::Short(_) => 0,
            Entries::Long(long) => size_of::<Long>() + long.heap_bytes(),
        }
    }

    fn last_entry(&self) -> Option<Entry> {
        match &self.entries {
            Entries::Short(short) => short.last().copied(),
            Entries::Long(long) => long.last(),
        }
    }

    /// Goes back to an array, at half of the limit, so that a timeline at the limit does not change
    /// its form at every step.
    fn shorten(&mut self) {
        if self.len() <= FEW / 2 {
            self.entries = Entries::Short(self.iter().collect());
        }
    }
}

#[cfg(test)]
mod tests;
