//! The window measures by a walk over operations in ascending order of time.
//!
//! This is the definition the trees are tested against, and what is used while a log is short: no
//! allocation for counts and sums. Windows are closed at both ends.

use std::ops::{AddAssign, SubAssign};

use smallvec::SmallVec;

use super::RangeFold;
use super::tree::Summary;
use crate::engine::value::units_of_word;
use crate::operation::Time;
use crate::operation::time::Nanos;

/// Returns the largest count over the windows `[e−length, e]`, `at ≤ e ≤ at+length`; `this` counts the
/// operation being judged, which lies in all of them.
pub fn fullest_count(entries: impl Iterator<Item = (Time, i64)> + Clone, length: Nanos, at: Time, this: bool) -> i128 {
    i128::from(fullest_weight(entries, length, at, |_| 1_i64) + i64::from(this))
}

/// Returns the largest sum over the same windows; `this` is the value of the operation being judged.
pub fn fullest_sum(
    entries: impl Iterator<Item = (Time, i64)> + Clone,
    length: Nanos,
    at: Time,
    this: Option<i64>,
) -> i128 {
    fullest_weight(entries, length, at, i128::from) + this.map_or(0, i128::from)
}

/// Returns the largest sum of packed decimals over the same windows, in units of their last place.
pub fn fullest_decimals(
    entries: impl Iterator<Item = (Time, i64)> + Clone,
    length: Nanos,
    at: Time,
    this: Option<i64>,
) -> i128 {
    fullest_weight(entries, length, at, units_of_word) + this.map_or(0, units_of_word)
}

/// Returns the largest number of distinct values over the same windows, that of `this` included.
pub fn fullest_distinct(
    entries: impl Iterator<Item = (Time, i64)> + Clone,
    length: Nanos,
    at: Time,
    this: Option<i64>,
) -> i128 {
    let mut present = Present { counts: this.map(|value| (value, 1)).into_iter().collect(), distinct: 0 };
    present.distinct = present.counts.len();
    let mut fullest = 0;
    walk(entries, length, at, |step| match step {
        Step::Enters(value) => present.enter(value),
        Step::Leaves(value) => present.leave(value),
        Step::Holds => fullest = fullest.max(present.distinct),
    });
    fullest as i128
}

/// Folds the values of `[at−length, at]` and that of `this`.
pub fn range(entries: impl Iterator<Item = (Time, i64)>, length: Nanos, at: Time, this: Option<i64>) -> RangeFold {
    let from = at.minus(length);
    let inside = entries.skip_while(|(time, _)| *time < from).take_while(|(time, _)| *time <= at);
    inside.map(|(_, value)| value).chain(this).fold(RangeFold::EMPTY, RangeFold::with)
}

/// Returns the last entry of the log, unless it is farther than `length` from `at` on either side.
pub fn last(entries: impl Iterator<Item = (Time, i64)>, length: Nanos, at: Time) -> Option<(Time, i64)> {
    entries.last().filter(|(time, _)| time.is_within(length, at))
}

/// Returns the largest total weight over the windows `[e−length, e]`, `at ≤ e ≤ at+length`.
pub fn fullest_weight<T: Clone + Ord + Default + AddAssign + SubAssign>(
    entries: impl Iterator<Item = (Time, i64)> + Clone,
    length: Nanos,
    at: Time,
    weight: impl Fn(i64) -> T,
) -> T {
    let mut sum = T::default();
    let mut fullest = None;
    walk(entries, length, at, |step| match step {
        Step::Enters(value) => sum += weight(value),
        Step::Leaves(value) => sum -= weight(value),
        Step::Holds => fullest = fullest.take().max(Some(sum.clone())),
    });
    fullest.unwrap_or_default()
}

enum Step {
    Enters(i64),
    Leaves(i64),
    /// All that enters or leaves at one instant has been told: this is the content of a window.
    Holds,
}

/// Slides a window from the one that ends at `at` to the one that begins there, and tells what
/// changes. Content only changes where an entry enters or has just left, so only those ends are told.
fn walk(entries: impl Iterator<Item = (Time, i64)> + Clone, length: Nanos, at: Time, mut tell: impl FnMut(Step)) {
    let begin = at.minus(length);
    let mut entering = entries.skip_while(move |(time, _)| *time < begin).peekable();
    let mut leaving = entering.clone();
    while let Some((_, value)) = entering.next_if(|(time, _)| *time <= at) {
        tell(Step::Enters(value));
    }
    tell(Step::Holds);
    let end = at.plus(length);
    loop {
        let enters = entering.peek().map_or(Time::MAX, |(time, _)| *time);
        let leaves = leaving.peek().map_or(Time::MAX, |(time, _)| time.plus(length).plus(Nanos::ONE));
        let instant = enters.min(leaves);
        // Once nothing enters any more, what leaves can still raise a sum of negative values.
        if instant > end || instant == Time::MAX {
            return;
        }
        while let Some((_, value)) = entering.next_if(|(time, _)| *time == instant) {
            tell(Step::Enters(value));
        }
        while let Some((_, value)) = leaving.next_if(|(time, _)| time.plus(length) < instant) {
            tell(Step::Leaves(value));
        }
        tell(Step::Holds);
    }
}

/// How often each value is in the window; values that left stay with a count of zero.
struct Present {
    counts: SmallVec<[(i64, u32); 16]>,
    distinct: usize,
}

impl Present {
    fn enter(&mut self, value: i64) {
        match self.counts.iter_mut().find(|(held, _)| *held == value) {
            Some((_, count)) => {
                self.distinct += usize::from(*count == 0);
                *count += 1;
            }
            None => {
                self.counts.push((value, 1));
                self.distinct += 1;
            }
        }
    }

    fn leave(&mut self, value: i64) {
        if let Some((_, count)) = self.counts.iter_mut().find(|(held, _)| *held == value) {
            *count -= 1;
            self.distinct -= usize::from(*count == 0);
        }
    }
}
