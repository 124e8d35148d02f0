//! One calendar day or month of one aggregate for one key.

use super::ordered::Ordered;
use super::tree::Summary;
use super::{Entry, Measure, RangeFold};
use crate::operation::Time;

/// Everything one aggregate has seen in one calendar unit.
///
/// A cell does not know its own bounds, and counts and sums do not remember what they were made of:
/// that an operation is added once and removed only if it was added is the caller's to see to.
#[derive(Debug, Clone)]
pub struct CalendarCell {
    measure: Measure,
    count: u64,
    sum: i128,
    /// How often each value occurs; kept for [`Measure::Distinct`] and [`Measure::Range`].
    values: Ordered<i64, u32>,
    /// Kept for [`Measure::Last`]: the one before may become the last again.
    entries: Ordered<(Time, u64), i64>,
}

impl CalendarCell {
    #[must_use]
    pub fn new(measure: Measure) -> Self {
        Self { measure, count: 0, sum: 0, values: Ordered::default(), entries: Ordered::default() }
    }

    #[must_use]
    pub fn measure(&self) -> Measure {
        self.measure
    }

    pub fn insert(&mut self, entry: Entry) {
        self.count += 1;
        self.sum += i128::from(entry.value);
        match self.measure {
            Measure::Distinct | Measure::Range => {
                self.values.update(entry.value, |count| Some(count.unwrap_or(0) + 1));
            }
            Measure::Last => {
                self.entries.insert(entry.key(), entry.value);
            }
            Measure::Count | Measure::Sum => {}
        }
    }

    /// Takes out an entry that was added; a count that is already zero stays so.
    pub fn remove(&mut self, entry: Entry) {
        if self.count == 0 {
            return;
        }
        self.count -= 1;
        self.sum -= i128::from(entry.value);
        match self.measure {
            Measure::Distinct | Measure::Range => {
                self.values.update(entry.value, |count| count?.checked_sub(1).filter(|left| *left > 0));
            }
            Measure::Last => {
                self.entries.remove(entry.key());
            }
            Measure::Count | Measure::Sum => {}
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the number of entries, with the operation being judged if there is one.
    #[must_use]
    pub fn count(&self, this: Option<i64>) -> i128 {
        i128::from(self.count) + i128::from(this.is_some())
    }

    /// Returns the sum of all values and that of the operation being judged.
    #[must_use]
    pub fn sum(&self, this: Option<i64>) -> i128 {
        self.sum + this.map_or(0, i128::from)
    }

    /// Returns the number of distinct values, that of the operation being judged included.
    #[must_use]
    pub fn distinct(&self, this: Option<i64>) -> i128 {
        let is_new = this.is_some_and(|value| self.values.from(value).is_none_or(|(held, _)| held != value));
        self.values.len() as i128 + i128::from(is_new)
    }

    /// Returns what the cell's own measure answers, for a measure that is one number.
    #[must_use]
    pub fn total(&self, this: Option<i64>) -> i128 {
        match self.measure {
            Measure::Count | Measure::Range | Measure::Last => self.count(this),
            Measure::Sum => self.sum(this),
            Measure::Distinct => self.distinct(this),
        }
    }

    /// Returns count, sum, least and greatest value, that of the operation being judged included.
    #[must_use]
    pub fn range(&self, this: Option<i64>) -> RangeFold {
        let value = |entry: Option<(i64, u32)>| entry.map(|(value, _)| value);
        let (min, max) = (value(self.values.first()), value(self.values.last()));
        let held = RangeFold { count: self.count, sum: self.sum, min, max };
        this.map_or(held, |value| held.then(RangeFold::of(value)))
    }

    /// Returns the entry with the greatest (at, op) of a cell of [`Measure::Last`].
    #[must_use]
    pub fn last(&self) -> Option<Entry> {
        self.entries.last().map(Entry::of)
    }

    /// Walks the distinct values and how often each occurs, of a cell that keeps them.
    pub fn values(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.values.iter()
    }

    /// Walks the entries of a cell of [`Measure::Last`].
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.entries.iter().map(Entry::of)
    }

    /// Returns how many entries were added, and their sum: what [`Self::restore`] takes back.
    #[must_use]
    pub const fn seen(&self) -> (u64, i128) {
        (self.count, self.sum)
    }

    /// Puts back what a cell held.
    pub fn restore(&mut self, (count, sum): (u64, i128), values: Vec<(i64, u32)>, entries: Vec<Entry>) {
        (self.count, self.sum) = (count, sum);
        for (value, count) in values {
            self.values.update(value, |_| Some(count));
        }
        for entry in entries {
            self.entries.insert(entry.key(), entry.value);
        }
    }

    /// Estimates the heap bytes held, those shared with clones in full.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.values.heap_bytes() + self.entries.heap_bytes()
    }
}

#[cfg(test)]
mod tests;
