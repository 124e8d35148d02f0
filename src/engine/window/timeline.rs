//! The sliding window of one aggregate for one key.
//!
//! Short timelines are a sorted array that every question scans. Longer ones are a log while most
//! operations arrive nearly in order, and else the trees that their measure needs, and only those.

use std::mem::size_of;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{Entry, FEW, Measure, RangeFold, Shape, scan};

use crate::operation::Time;

mod log;
mod long;

use log::Log;
use long::Long;

/// The entries of one window for one key, in order of time whatever their order of arrival.
///
/// Entries stay until [`Timeline::evict_before`]: how long past the window's length is the caller's
/// business. A clone shares all but the newest entries and never sees later writes.
///
/// Whatever the order of arrival, and however many they are, it answers as a scan would:
///
/// ```
/// use std::collections::BTreeMap;
///
/// use kuzet::engine::window::{Entry, Measure, Shape, Timeline, scan};
/// use kuzet::operation::Time;
/// use kuzet::operation::time::Nanos;
///
/// let length = Nanos::new(5_000);
/// for measure in [Measure::Count, Measure::Sum, Measure::Distinct, Measure::Range] {
///     let mut timeline = Timeline::new(Shape { measure, length });
///     let mut log = BTreeMap::new();
///     for now in 0..16_000_i64 {
///         // One in 16 is a little late; one in 500, and later every other one, is very late.
///         let very_late = now % if now < 10_000 { 500 } else { 2 } == 0;
///         let late = if very_late { now * 7_919 % 4_000 } else if now % 16 == 1 { now % 300 } else { 0 };
///         let (at, op, value) = (Time::from_nanos(now - late), now as u64, now * now % 23);
///         if now % 101 == 0 || now % 1_000 < 8 {
///             let entries = log.iter().map(|((at, _), value)| (*at, *value));
///             let fullest = match measure {
///                 Measure::Sum => scan::fullest_sum(entries.clone(), length, at, Some(value)),
///                 Measure::Distinct => scan::fullest_distinct(entries.clone(), length, at, Some(value)),
///                 _ => scan::fullest_count(entries.clone(), length, at, true),
///             };
///             assert_eq!(timeline.fullest(at, Some(value)), fullest, "{measure:?} at {at}");
///             assert_eq!(timeline.range(at, None), scan::range(entries, length, at, None));
///         }
///         assert!(timeline.insert(Entry { at, op, value }));
///         log.insert((at, op), value);
///         if now % 700 == 699 {
///             let (at, op) = *log.keys().nth(log.len() / 2).unwrap();
///             assert!(timeline.remove(at, op) && log.remove(&(at, op)).is_some());
///         }
///         let limit = Time::from_nanos(now - 6_000);
///         timeline.evict_before(limit);
///         log = log.split_off(&(limit, 0));
///     }
///     assert!(timeline.iter().eq(log.into_iter().map(|((at, op), value)| Entry { at, op, value })));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Timeline {
    shape: Shape,
    entries: Entries,
}

#[derive(Debug, Clone)]
enum Entries {
    /// Ascending by (at, op), at most [`FEW`].
    Short(SmallVec<[Entry; 1]>),
    /// Never sums with a negative summand.
    Log(Arc<Log>),
    /// Does not become a log again: a shuffled stream would go back and forth.
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
            Entries::Log(log) => log.len(),
            Entries::Long(long) => long.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the greatest event time held.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        self.last_entry().map(|entry| entry.at)
    }

    /// Adds an entry; one with the same time and operation is already there and stays. Tells whether
    /// it was new.
    pub fn insert(&mut self, entry: Entry) -> bool {
        let fits_log = self.fits_log(entry);
        match &mut self.entries {
            Entries::Short(short) => match short.binary_search_by_key(&entry.key(), Entry::key) {
                Ok(_) => return false,
                Err(index) => short.insert(index, entry),
            },
            Entries::Log(log) if fits_log => {
                if !Arc::make_mut(log).insert(entry) {
                    return false;
                }
            }
            Entries::Log(log) => {
                let mut long = Long::of(self.shape, log.iter());
                let is_new = long.insert(entry);
                self.entries = Entries::Long(Box::new(long));
                return is_new;
            }
            Entries::Long(long) => return long.insert(entry),
        }
        self.outgrow();
        true
    }

    /// Takes one operation out; tells whether it was there.
    pub fn remove(&mut self, at: Time, op: u64) -> bool {
        match &mut self.entries {
            Entries::Short(short) => {
                let Some(index) = short.iter().position(|held| held.key() == (at, op)) else {
                    return false;
                };
                short.remove(index);
                true
            }
            Entries::Log(log) => {
                if !log.holds(at, op) {
                    return false;
                }
                Arc::make_mut(log).remove(at, op);
                self.outgrow();
                self.shorten();
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
    pub fn evict_before(&mut self, at: Time) {
        match &mut self.entries {
            Entries::Short(short) => {
                let stale = short.iter().take_while(|held| held.at < at).count();
                if stale > 0 {
                    short.drain(..stale);
                }
            }
            Entries::Log(log) => {
                // What a clone shares is not copied for nothing.
                if log.first().is_some_and(|first| first < at) {
                    Arc::make_mut(log).evict_before(at);
                    self.shorten();
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
    pub fn fullest(&self, at: Time, this: Option<i64>) -> i128 {
        let length = self.shape.length;
        let short = match &self.entries {
            Entries::Short(short) => short,
            Entries::Log(log) => {
                return match self.shape.measure {
                    Measure::Sum => log.fullest_sum(at, length) + this.map_or(0, i128::from),
                    Measure::Distinct => log.fullest_distinct(at, length, this),
                    Measure::Count | Measure::Range | Measure::Last => {
                        log.fullest_count(at, length) + i128::from(this.is_some())
                    }
                };
            }
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
    pub fn range(&self, at: Time, this: Option<i64>) -> RangeFold {
        match &self.entries {
            Entries::Short(short) => {
                scan::range(short.iter().map(|entry| (entry.at, entry.value)), self.shape.length, at, this)
            }
            Entries::Log(log) => {
                let held = log.range(at.minus(self.shape.length), at);
                this.map_or(held, |value| held.with(value))
            }
            Entries::Long(long) => long.range(at, this),
        }
    }

    /// Returns the entry with the greatest (at, op), unless it is farther than the length from `at`.
    #[must_use]
    pub fn last(&self, at: Time) -> Option<Entry> {
        self.last_entry().filter(|entry| entry.at.is_within(self.shape.length, at))
    }

    /// Walks the entries in order of (at, op).
    pub fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        let (short, log, long) = match &self.entries {
            Entries::Short(short) => (Some(short.iter().copied()), None, None),
            Entries::Log(log) => (None, Some(log.iter()), None),
            Entries::Long(long) => (None, None, Some(long.iter())),
        };
        short.into_iter().flatten().chain(log.into_iter().flatten()).chain(long.into_iter().flatten())
    }

    /// Estimates the heap bytes held, those shared with clones in full.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.entries {
            Entries::Short(short) if short.spilled() => short.capacity() * size_of::<Entry>(),
            Entries::Short(_) => 0,
            Entries::Log(log) => size_of::<Log>() + log.heap_bytes(),
            Entries::Long(long) => size_of::<Long>() + long.heap_bytes(),
        }
    }

    fn last_entry(&self) -> Option<Entry> {
        match &self.entries {
            Entries::Short(short) => short.last().copied(),
            Entries::Log(log) => log.last(),
            Entries::Long(long) => long.last(),
        }
    }

    /// Tells whether the entry can be in a log, which relies on no summand being negative.
    fn fits_log(&self, entry: Entry) -> bool {
        match self.shape.measure {
            Measure::Sum => entry.value >= 0,
            Measure::Count | Measure::Distinct | Measure::Range | Measure::Last => true,
        }
    }

    /// Goes over to the next form when the one it has is too short or has become too costly.
    fn outgrow(&mut self) {
        self.entries = match &self.entries {
            Entries::Short(short) if short.len() > FEW => {
                if short.iter().all(|entry| self.fits_log(*entry)) {
                    Entries::Log(Arc::new(Log::of(self.shape.measure, short.iter().copied())))
                } else {
                    Entries::Long(Box::new(Long::of(self.shape, short.iter().copied())))
                }
            }
            Entries::Log(log) if log.is_costly() => Entries::Long(Box::new(Long::of(self.shape, log.iter()))),
            Entries::Short(_) | Entries::Log(_) | Entries::Long(_) => return,
        };
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
