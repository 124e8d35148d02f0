//! The trees of a long timeline.

use super::super::events::Events;
use super::super::tree::{Plain, Summary, SummaryTree};
use super::super::{Entry, Measure, RangeFold, Shape, scan};
use crate::operation::Time;
use crate::operation::time::Nanos;

type Key = (Time, u64);

/// A timeline as trees: O(log n) whatever the order of arrival.
#[derive(Debug, Clone)]
pub(super) struct Long {
    length: Nanos,
    body: Entries,
    contents: Contents,
}

/// The entries by (at, op).
#[derive(Debug, Clone)]
enum Entries {
    Plain(SummaryTree<Key, i64, Plain<i64>>),
    Folded(SummaryTree<Key, i64, Extent>),
}

/// A [`RangeFold`] without branches: the bounds of no values are the wrong way round.
#[derive(Debug, Clone, Copy)]
struct Extent {
    count: u64,
    sum: i128,
    min: i64,
    max: i64,
}

impl Summary for Extent {
    type Value = i64;
    const EMPTY: Self = Self { count: 0, sum: 0, min: i64::MAX, max: i64::MIN };

    fn of(value: i64) -> Self {
        Self { count: 1, sum: i128::from(value), min: value, max: value }
    }

    fn then(self, later: Self) -> Self {
        Self {
            count: self.count + later.count,
            sum: self.sum + later.sum,
            min: self.min.min(later.min),
            max: self.max.max(later.max),
        }
    }
}

impl Extent {
    fn to_fold(self) -> RangeFold {
        let Self { count, sum, min, max } = self;
        let some = |bound| (count > 0).then_some(bound);
        RangeFold { count, sum, min: some(min), max: some(max) }
    }
}

/// What windows hold, by where they end.
#[derive(Debug, Clone)]
enum Contents {
    Count(Events<i32>),
    Sum(Events<i128>),
    Distinct(Occurrences),
    /// The measure does not ask for the fullest window.
    Unused,
}

/// The occurrences of each value. An instant is covered by a value while an occurrence of it is at
/// most the length ago; the events are where a value's coverage begins and has ended.
#[derive(Debug, Clone, Default)]
struct Occurrences {
    /// (value, at, op)
    by_value: SummaryTree<(i64, Time, u64), (), Plain<()>>,
    events: Events<i32>,
}

/// Calls the expression with the entries' tree, whichever it is.
macro_rules! with_tree {
    ($entries:expr, $tree:ident => $body:expr) => {
        match $entries {
            Entries::Plain($tree) => $body,
            Entries::Folded($tree) => $body,
        }
    };
}

impl Long {
    /// Makes the trees of entries that ascend by (at, op).
    pub(super) fn of(shape: Shape, entries: impl Iterator<Item = Entry> + Clone) -> Self {
        let Shape { measure, length } = shape;
        let pairs = entries.clone().map(|entry| (entry.key(), entry.value));
        let body = match measure {
            Measure::Range => Entries::Folded(SummaryTree::of_ascending(pairs)),
            Measure::Count | Measure::Sum | Measure::Distinct | Measure::Last => {
                Entries::Plain(SummaryTree::of_ascending(pairs))
            }
        };
        Self { length, body, contents: Contents::of(shape, entries) }
    }

    pub(super) fn len(&self) -> usize {
        with_tree!(&self.body, tree => tree.len())
    }

    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        let held = with_tree!(&mut self.body, tree => {
            tree.update(entry.key(), |held| held.or(Some(entry.value)))
        });
        if held.is_none() {
            self.contents.enter(entry, self.length);
        }
        held.is_none()
    }

    pub(super) fn remove(&mut self, at: Time, op: u64) -> bool {
        let removed = with_tree!(&mut self.body, tree => tree.remove((at, op)));
        if let Some(value) = removed {
            self.contents.leave(Entry { at, op, value }, self.length);
        }
        removed.is_some()
    }

    /// Drops the entries before `at` and tells whether there were any.
    pub(super) fn evict_before(&mut self, at: Time) -> bool {
        let before = self.len();
        while let Some(entry) =
            with_tree!(&self.body, tree => tree.first()).map(Entry::of).filter(|entry| entry.at < at)
        {
            self.remove(entry.at, entry.op);
        }
        self.len() < before
    }

    pub(super) fn fullest(&self, at: Time, this: Option<i64>) -> i128 {
        let length = self.length;
        let last = at.plus(length);
        match &self.contents {
            Contents::Count(events) => events.fullest(at, last).unwrap_or(0) + i128::from(this.is_some()),
            Contents::Sum(events) => events.fullest(at, last).unwrap_or(0) + this.map_or(0, i128::from),
            Contents::Distinct(occurrences) => {
                let is_newest = self.last().is_none_or(|last| last.at <= at);
                if is_newest { occurrences.content(at, length, this) } else { occurrences.fullest(at, length, this) }
            }
            Contents::Unused => scan::fullest_count(self.pairs(), length, at, this.is_some()),
        }
    }

    pub(super) fn range(&self, at: Time, this: Option<i64>) -> RangeFold {
        let from = at.minus(self.length);
        match &self.body {
            Entries::Folded(tree) => {
                let held = tree.fold(Some((from, 0)), Some((at.plus(Nanos::ONE), 0))).to_fold();
                this.map_or(held, |value| held.with(value))
            }
            Entries::Plain(_) => scan::range(self.pairs(), self.length, at, this),
        }
    }

    pub(super) fn last(&self) -> Option<Entry> {
        with_tree!(&self.body, tree => tree.last()).map(Entry::of)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> + Clone + '_ {
        let (plain, folded) = match &self.body {
            Entries::Plain(tree) => (Some(tree.iter()), None),
            Entries::Folded(tree) => (None, Some(tree.iter())),
        };
        plain.into_iter().flatten().chain(folded.into_iter().flatten()).map(Entry::of)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let contents = match &self.contents {
            Contents::Count(events) => events.heap_bytes(),
            Contents::Sum(events) => events.heap_bytes(),
            Contents::Distinct(occurrences) => occurrences.by_value.heap_bytes() + occurrences.events.heap_bytes(),
            Contents::Unused => 0,
        };
        contents + with_tree!(&self.body, tree => tree.heap_bytes())
    }

    fn pairs(&self) -> impl Iterator<Item = (Time, i64)> + Clone + '_ {
        self.iter().map(|entry| (entry.at, entry.value))
    }
}

impl Contents {
    fn of(shape: Shape, entries: impl Iterator<Item = Entry>) -> Self {
        let Shape { measure, length } = shape;
        match measure {
            Measure::Count => Self::Count(Events::of(
                entries.flat_map(|entry| [(entry.at, 1), (left_at(entry.at, length), -1)]).collect(),
            )),
            Measure::Sum => {
                let weighed = entries.map(|entry| (entry.at, i128::from(entry.value)));
                Self::Sum(Events::of(weighed.flat_map(|(at, v)| [(at, v), (left_at(at, length), -v)]).collect()))
            }
            Measure::Distinct => Self::Distinct(Occurrences::of(entries, length)),
            Measure::Range | Measure::Last => Self::Unused,
        }
    }

    fn enter(&mut self, entry: Entry, length: Nanos) {
        let left = left_at(entry.at, length);
        match self {
            Self::Count(events) => {
                events.add(left, -1);
                events.add(entry.at, 1);
            }
            Self::Sum(events) => {
                events.add(left, -i128::from(entry.value));
                events.add(entry.at, i128::from(entry.value));
            }
            Self::Distinct(occurrences) => occurrences.enter(entry, length),
            Self::Unused => {}
        }
    }

    fn leave(&mut self, entry: Entry, length: Nanos) {
        let left = left_at(entry.at, length);
        match self {
            Self::Count(events) => {
                events.add(left, 1);
                events.add(entry.at, -1);
            }
            Self::Sum(events) => {
                events.add(left, i128::from(entry.value));
                events.add(entry.at, -i128::from(entry.value));
            }
            Self::Distinct(occurrences) => occurrences.leave(entry, length),
            Self::Unused => {}
        }
    }
}

impl Occurrences {
    fn of(entries: impl Iterator<Item = Entry>, length: Nanos) -> Self {
        let mut occurrences: Vec<_> = entries.map(|entry| (entry.value, entry.at, entry.op)).collect();
        occurrences.sort_unstable();
        let mut changes = Vec::new();
        let mut before: Option<(i64, Time)> = None;
        for (value, at, _) in &occurrences {
            let covered = before.filter(|(held, _)| held == value).map(|(_, before)| left_at(before, length));
            let (first, left) = (covered.map_or(*at, |covered| covered.max(*at)), left_at(*at, length));
            if first < left {
                changes.extend([(first, 1), (left, -1)]);
            }
            before = Some((*value, *at));
        }
        let by_value = SummaryTree::of_ascending(occurrences.into_iter().map(|key| (key, ())));
        Self { by_value, events: Events::of(changes) }
    }

    fn enter(&mut self, entry: Entry, length: Nanos) {
        self.cover(entry, length, 1);
        self.by_value.insert((entry.value, entry.at, entry.op), ());
    }

    fn leave(&mut self, entry: Entry, length: Nanos) {
        self.by_value.remove((entry.value, entry.at, entry.op));
        self.cover(entry, length, -1);
    }

    /// Adds (`sign` 1) or takes away (−1) what an occurrence covers beyond the others of its value,
    /// which it is not yet or no longer among: from where the one before it is no longer in the window
    /// to where the one after it enters.
    fn cover(&mut self, entry: Entry, length: Nanos, sign: i32) {
        let (before, after) = self.around(entry.value, entry.at, entry.op);
        let first = before.map_or(entry.at, |before| entry.at.max(left_at(before, length)));
        let left = after.unwrap_or(Time::MAX).min(left_at(entry.at, length));
        if first < left {
            self.events.add(first, sign);
            self.events.add(left, -sign);
        }
    }

    /// Returns what the window that ends at `at` holds, and the value of the operation being judged.
    fn content(&self, at: Time, length: Nanos, this: Option<i64>) -> i128 {
        let is_new = this.is_some_and(|value| {
            let (before, after) = self.around(value, at, 0);
            after != Some(at) && before.is_none_or(|before| left_at(before, length) <= at)
        });
        self.events.content(at) + i128::from(is_new)
    }

    /// Returns the times of the last occurrence of a value below (at, op) and of the first not below.
    fn around(&self, value: i64, at: Time, op: u64) -> (Option<Time>, Option<Time>) {
        let time = |found: Option<((i64, Time, u64), ())>| {
            found.filter(|((held, ..), ())| *held == value).map(|((_, at, _), ())| at)
        };
        let key = (value, at, op);
        (time(self.by_value.below(key)), time(self.by_value.from(key)))
    }

    /// The value of the operation being judged is in every window that contains it, so it adds one
    /// exactly where it does not occur already: a single stretch, between its occurrences around `at`.
    fn fullest(&self, at: Time, length: Nanos, this: Option<i64>) -> i128 {
        let last = at.plus(length);
        let held = self.events.fullest(at, last).unwrap_or(0);
        let Some(value) = this else {
            return held;
        };
        let (before, after) = self.around(value, at, 0);
        let first = before.map_or(at, |before| at.max(left_at(before, length)));
        let until = after.map_or(last, |after| last.min(after.minus(Nanos::ONE)));
        self.events.fullest(first, until).map_or(held, |alone| held.max(alone + 1))
    }
}

/// The first instant at which a window that ends there no longer holds an entry at `at`.
const fn left_at(at: Time, length: Nanos) -> Time {
    at.plus(length).plus(Nanos::ONE)
}
