//! How much a window holds, as a function of where it ends.
//!
//! An entry at `s` is in the window that ends at `e` exactly for `s ≤ e ≤ s+length`. So it is two
//! events, one where it enters and one an instant after it was last in, and what the window that ends
//! at `e` holds is the sum of all events up to `e`. The fullest of the windows that end in `[a, b]` is
//! then the sum up to `a` plus the largest prefix sum of the events in `(a, b]`: a range summary.

use std::ops::{Add, Sub};

use super::tree::{Summary, SummaryTree};
use crate::operation::Time;
use crate::operation::time::Nanos;

/// A prefix sum: `i32` where every entry weighs one, `i128` for sums.
pub(super) trait Weight: Copy + Ord + Add<Output = Self> + Sub<Output = Self> + Into<i128> {
    const ZERO: Self;
}

impl Weight for i32 {
    const ZERO: Self = 0;
}

impl Weight for i128 {
    const ZERO: Self = 0;
}

/// The sum of a stretch of events and its largest prefix sum, the empty prefix included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix<T> {
    sum: T,
    largest: T,
}

impl<T: Weight> Summary for Prefix<T> {
    type Value = T;
    const EMPTY: Self = Self { sum: T::ZERO, largest: T::ZERO };

    fn of(value: T) -> Self {
        Self { sum: value, largest: value.max(T::ZERO) }
    }

    fn then(self, later: Self) -> Self {
        Self { sum: self.sum + later.sum, largest: self.largest.max(self.sum + later.largest) }
    }
}

/// The events of all entries; those of one instant are one, or else the order within the instant
/// would show in the prefix sums.
#[derive(Debug, Clone)]
pub(super) struct Events<T: Weight>(SummaryTree<Time, T, Prefix<T>>);

impl<T: Weight> Default for Events<T> {
    fn default() -> Self {
        Self(SummaryTree::default())
    }
}

impl<T: Weight> Events<T> {
    /// Makes the events of many changes at once; instants may repeat and come in any order.
    pub(super) fn of(mut changes: Vec<(Time, T)>) -> Self {
        changes.sort_unstable_by_key(|(at, _)| *at);
        changes.dedup_by(|later, held| {
            let same = later.0 == held.0;
            if same {
                held.1 = held.1 + later.1;
            }
            same
        });
        Self(SummaryTree::of_ascending(changes.into_iter().filter(|(_, change)| *change != T::ZERO)))
    }

    /// Adds to what every window that ends at `at` or later holds.
    pub(super) fn add(&mut self, at: Time, change: T) {
        if change != T::ZERO {
            self.0.update(at, |before| Some(before.unwrap_or(T::ZERO) + change).filter(|sum| *sum != T::ZERO));
        }
    }

    /// Returns the content of the window that ends at `at`.
    pub(super) fn content(&self, at: Time) -> i128 {
        // All events together are zero, and the later ones are fewer where it matters: near the newest.
        (T::ZERO - self.0.fold(Some(at.plus(Nanos::ONE)), None).sum).into()
    }

    /// Returns the largest content of the windows that end in `[first, last]`, `None` for no window.
    pub(super) fn fullest(&self, first: Time, last: Time) -> Option<i128> {
        if first > last {
            return None;
        }
        let after = first.plus(Nanos::ONE);
        let up_to_first = self.0.fold(None, Some(after)).sum;
        let rise = self.0.fold(Some(after), Some(last.plus(Nanos::ONE))).largest;
        Some((up_to_first + rise).into())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}
