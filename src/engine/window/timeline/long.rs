//! The trees of a long timeline.

use super::super::events::Events;
use super::super::tree::{Plain, SummaryTree};
use super::super::{Entry, Measure, RangeFold, Shape, scan};

type Key = (i64, u64);

/// A timeline as trees.
#[derive(Debug, Clone)]
pub(super) struct Long {
    length: i64,
    entries: Entries,
    contents: Contents,
}

/// All entries by (at, op).
#[derive(Debug, Clone)]
enum Entries {
    Plain(SummaryTree<Key, i64, Plain<i64>>),
    Folded(SummaryTree<Key, i64, RangeFold>),
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
    by_value: SummaryTree<(i64, i64, u64), (), Plain<()>>,
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
    pub(super) fn new(shape: Shape) -> Self {
        let entries = match shape.measure {
            Measure::Range => Entries::Folded(SummaryTree::default()),
            Measure::Count | Measure::Sum | Measure::Distinct | Measure::Last => Entries::Plain(SummaryTree::default()),
        };
        let contents = match shape.measure {
            Measure::Count => Contents::Count(Events::default()),
            Measure::Sum => Contents::Sum(Events::default()),
            Measure::Distinct => Contents::Distinct(Occurrences::default()),
            Measure::Range | Measure::Last => Contents::Unused,
        };
        Self { length: shape.length, entries, contents }
    }

    pub(super) fn len(&self) -> usize {
        with_tree!(&self.entries, tree => tree.len())
    }

    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        let held = with_tree!(&mut self.entries, tree => {
            tree.update(entry.key(), |held| held.or(Some(entry.value)))
        });
        if held.is_none() {
            self.enter(entry);
        }
        held.is_none()
    }

    pub(super) fn remove(&mut self, at: i64, op: u64) -> bool {
        let Some(value) = with_tree!(&mut self.entries, tree => tree.remove((at, op))) else {
            return false;
        };
        self.leave(Entry { at, op, value });
        true
    }

    /// Drops the entries before `at` and tells whether there were any.
    pub(super) fn evict_before(&mut self, at: i64) -> bool {
        let before = self.len();
        while let Some(entry) = self.first().filter(|entry| entry.at < at) {
            self.remove(entry.at, entry.op);
        }
        self.len() < before
    }

    pub(super) fn fullest(&self, at: i64, this: Option<i64>) -> i128 {
        let last = at.saturating_add(self.length);
        match &self.contents {
            Contents::Count(events) => events.fullest(at, last).unwrap_or(0) + i128::from(this.is_some()),
            Contents::Sum(events) => events.fullest(at, last).unwrap_or(0) + this.map_or(0, i128::from),
            Contents::Distinct(occurrences) => occurrences.fullest(at, self.length, this),
            Contents::Unused => scan::fullest_count(self.pairs(), self.length, at, this.is_some()),
        }
    }

    pub(super) fn range(&self, at: i64, this: Option<i64>) -> RangeFold {
        let held = match &self.entries {
            Entries::Folded(tree) => {
                tree.fold(Some((at.saturating_sub(self.length), 0)), Some((at.saturating_add(1), 0)))
            }
            Entries::Plain(_) => scan::range(self.pairs(), self.length, at, None),
        };
        this.map_or(held, |value| held.with(value))
    }

    pub(super) fn last(&self) -> Option<Entry> {
        with_tree!(&self.entries, tree => tree.last()).map(Entry::of)
    }

    fn first(&self) -> Option<Entry> {
        with_tree!(&self.entries, tree => tree.first()).map(Entry::of)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> + Clone + '_ {
        let (plain, folded) = match &self.entries {
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
        contents + with_tree!(&self.entries, tree => tree.heap_bytes())
    }

    fn pairs(&self) -> impl Iterator<Item = (i64, i64)> + Clone + '_ {
        self.iter().map(|entry| (entry.at, entry.value))
    }

    fn enter(&mut self, entry: Entry) {
        let left = left_at(entry.at, self.length);
        match &mut self.contents {
            Contents::Count(events) => {
                events.add(left, -1);
                events.add(entry.at, 1);
            }
            Contents::Sum(events) => {
                events.add(left, -i128::from(entry.value));
                events.add(entry.at, i128::from(entry.value));
            }
            Contents::Distinct(occurrences) => occurrences.enter(entry, self.length),
            Contents::Unused => {}
        }
    }

    fn leave(&mut self, entry: Entry) {
        let left = left_at(entry.at, self.length);
        match &mut self.contents {
            Contents::Count(events) => {
                events.add(left, 1);
                events.add(entry.at, -1);
            }
            Contents::Sum(events) => {
                events.add(left, i128::from(entry.value));
                events.add(entry.at, -i128::from(entry.value));
            }
            Contents::Distinct(occurrences) => occurrences.leave(entry, self.length),
            Contents::Unused => {}
        }
    }
}

impl Occurrences {
    fn enter(&mut self, entry: Entry, length: i64) {
        self.cover(entry, length, 1);
        self.by_value.insert((entry.value, entry.at, entry.op), ());
    }

    fn leave(&mut self, entry: Entry, length: i64) {
        self.by_value.remove((entry.value, entry.at, entry.op));
        self.cover(entry, length, -1);
    }

    /// Adds (`sign` 1) or takes away (−1) what an occurrence covers beyond the others of its value,
    /// which it is not yet or no longer among: from where the one before it is no longer in the window
    /// to where the one after it enters.
    fn cover(&mut self, entry: Entry, length: i64, sign: i32) {
        let (before, after) = self.around(entry.value, entry.at, entry.op);
        let first = before.map_or(entry.at, |before| entry.at.max(left_at(before, length)));
        let left = after.unwrap_or(i64::MAX).min(left_at(entry.at, length));
        if first < left {
            self.events.add(first, sign);
            self.events.add(left, -sign);
        }
    }

    /// Returns the times of the last occurrence of a value below (at, op) and of the first not below.
    fn around(&self, value: i64, at: i64, op: u64) -> (Option<i64>, Option<i64>) {
        let time = |found: Option<((i64, i64, u64), ())>| {
            found.filter(|((held, ..), ())| *held == value).map(|((_, at, _), ())| at)
        };
        let key = (value, at, op);
        (time(self.by_value.below(key)), time(self.by_value.from(key)))
    }

    /// The value of the operation being judged is in every window that contains it, so it adds one
    /// exactly where it does not occur already: a single stretch, between its occurrences around `at`.
    fn fullest(&self, at: i64, length: i64, this: Option<i64>) -> i128 {
        let last = at.saturating_add(length);
        let held = self.events.fullest(at, last).unwrap_or(0);
        let Some(value) = this else {
            return held;
        };
        let (before, after) = self.around(value, at, 0);
        let first = before.map_or(at, |before| at.max(left_at(before, length)));
        let until = after.map_or(last, |after| last.min(after.saturating_sub(1)));
        self.events.fullest(first, until).map_or(held, |alone| held.max(alone + 1))
    }
}

/// The first instant at which a window that ends there no longer holds an entry at `at`.
const fn left_at(at: i64, length: i64) -> i64 {
    at.saturating_add(length).saturating_add(1)
}
