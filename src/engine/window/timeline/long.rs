//! The trees of a long timeline.

use std::mem::size_of;

use smallvec::SmallVec;

use super::super::events::Events;
use super::super::tree::{Plain, Summary, SummaryTree};
use super::super::{Entry, Measure, RangeFold, Shape, scan};

type Key = (i64, u64);

/// So many of the newest entries wait to be put into the trees together.
const RECENT: usize = if cfg!(test) { 3 } else { 32 };

/// More of the oldest entries than this go back to the tree.
const OLDEST: usize = if cfg!(test) { 8 } else { 128 };

/// A timeline as trees, with an array at each end.
///
/// Most operations arrive in order: they are added at the new end and leave at the old one. The
/// arrays take these up, so that the trees are changed in batches and an operation in order costs
/// about as much as with a short timeline. By (at, op): `oldest`, then `body`, then `recent`.
#[derive(Debug, Clone)]
pub(super) struct Long {
    length: i64,
    /// Ascending from `gone` on; those before that were evicted and wait to be taken out of `contents`.
    oldest: Vec<Entry>,
    gone: usize,
    /// The greatest time among the evicted ones that wait.
    gone_until: i64,
    body: Entries,
    /// Ascending; not yet in `contents`.
    recent: SmallVec<[Entry; RECENT]>,
    contents: Contents,
    /// Some summand is or was negative: then a later window may hold a larger sum.
    has_negative: bool,
}

/// The entries between the two ends by (at, op).
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
        let body = match shape.measure {
            Measure::Range => Entries::Folded(SummaryTree::default()),
            Measure::Count | Measure::Sum | Measure::Distinct | Measure::Last => Entries::Plain(SummaryTree::default()),
        };
        let contents = match shape.measure {
            Measure::Count => Contents::Count(Events::default()),
            Measure::Sum => Contents::Sum(Events::default()),
            Measure::Distinct => Contents::Distinct(Occurrences::default()),
            Measure::Range | Measure::Last => Contents::Unused,
        };
        Self {
            length: shape.length,
            oldest: Vec::new(),
            gone: 0,
            gone_until: i64::MIN,
            body,
            recent: SmallVec::new(),
            contents,
            has_negative: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.oldest.len() - self.gone + with_tree!(&self.body, tree => tree.len()) + self.recent.len()
    }

    pub(super) fn insert(&mut self, entry: Entry) -> bool {
        self.has_negative |= entry.value < 0 && matches!(self.contents, Contents::Sum(_));
        if entry.at <= self.gone_until {
            // It may be one of the evicted: that one has to be out before this one comes in.
            self.settle_gone();
        }
        if self.is_recent(entry) {
            return self.insert_recent(entry);
        }
        // Late entries seldom come alone, and they ask for contents that are complete.
        self.settle_recent();
        let is_new = if self.live_oldest().last().is_some_and(|last| entry.key() <= last.key()) {
            self.insert_oldest(entry)
        } else {
            let held = with_tree!(&mut self.body, tree => {
                tree.update(entry.key(), |held| held.or(Some(entry.value)))
            });
            held.is_none()
        };
        if is_new {
            self.contents.enter(entry, self.length);
        }
        is_new
    }

    pub(super) fn remove(&mut self, at: i64, op: u64) -> bool {
        if let Some(index) = self.recent.iter().position(|held| held.key() == (at, op)) {
            self.recent.remove(index);
            return true;
        }
        let removed = match self.live_oldest().binary_search_by_key(&(at, op), |held| held.key()) {
            Ok(index) => Some(self.oldest.remove(self.gone + index)),
            Err(_) => with_tree!(&mut self.body, tree => tree.remove((at, op))).map(|value| Entry { at, op, value }),
        };
        if let Some(entry) = removed {
            self.contents.leave(entry, self.length);
        }
        removed.is_some()
    }

    /// Drops the entries before `at` and tells whether there were any.
    pub(super) fn evict_before(&mut self, at: i64) -> bool {
        let mut evicted = false;
        loop {
            while let Some(entry) = self.oldest.get(self.gone).filter(|entry| entry.at < at) {
                self.gone_until = self.gone_until.max(entry.at);
                self.gone += 1;
                evicted = true;
            }
            if self.gone < self.oldest.len() {
                return evicted;
            }
            self.settle_gone();
            self.oldest.extend(with_tree!(&mut self.body, tree => tree.pop_first_leaf()).into_iter().map(Entry::of));
            if self.oldest.is_empty() {
                if self.recent.first().is_none_or(|entry| entry.at >= at) {
                    return evicted;
                }
                self.settle_recent();
            }
        }
    }

    pub(super) fn fullest(&self, at: i64, this: Option<i64>) -> i128 {
        let is_newest = self.last().is_none_or(|last| last.at <= at);
        let in_order = is_newest && !self.has_negative;
        if matches!(self.contents, Contents::Unused) {
            return scan::fullest_count(self.pairs(), self.length, at, this.is_some());
        }
        let gone_matter = self.gone > 0 && at <= self.gone_until.saturating_add(self.length);
        if gone_matter || (!in_order && !self.recent.is_empty()) {
            let mut settled = self.clone();
            settled.settle_gone();
            settled.settle_recent();
            return settled.contents.fullest(at, self.length, this);
        }
        if !in_order {
            return self.contents.fullest(at, self.length, this);
        }
        // Nothing enters after `at` and nothing that leaves is negative: the window that ends at `at`.
        let from = at.saturating_sub(self.length);
        let recent = self.recent.iter().filter(|entry| entry.at >= from).map(|entry| entry.value);
        self.contents.content(at, self.length, recent.chain(this))
    }

    pub(super) fn range(&self, at: i64, this: Option<i64>) -> RangeFold {
        let from = at.saturating_sub(self.length);
        let inside = |entries: &[Entry]| {
            let start = entries.partition_point(|entry| entry.at < from);
            let values = entries[start..].iter().take_while(|entry| entry.at <= at).map(|entry| entry.value);
            values.fold(RangeFold::EMPTY, RangeFold::with)
        };
        let body = match &self.body {
            Entries::Folded(tree) => tree.fold(Some((from, 0)), Some((at.saturating_add(1), 0))).to_fold(),
            Entries::Plain(_) => return scan::range(self.pairs(), self.length, at, this),
        };
        let held = inside(self.live_oldest()).then(body).then(inside(&self.recent));
        this.map_or(held, |value| held.with(value))
    }

    pub(super) fn last(&self) -> Option<Entry> {
        let body = || with_tree!(&self.body, tree => tree.last()).map(Entry::of);
        self.recent.last().copied().or_else(body).or_else(|| self.live_oldest().last().copied())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> + Clone + '_ {
        let (plain, folded) = match &self.body {
            Entries::Plain(tree) => (Some(tree.iter()), None),
            Entries::Folded(tree) => (None, Some(tree.iter())),
        };
        let body = plain.into_iter().flatten().chain(folded.into_iter().flatten()).map(Entry::of);
        self.live_oldest().iter().copied().chain(body).chain(self.recent.iter().copied())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let contents = match &self.contents {
            Contents::Count(events) => events.heap_bytes(),
            Contents::Sum(events) => events.heap_bytes(),
            Contents::Distinct(occurrences) => occurrences.by_value.heap_bytes() + occurrences.events.heap_bytes(),
            Contents::Unused => 0,
        };
        let oldest = self.oldest.capacity() * size_of::<Entry>();
        contents + oldest + with_tree!(&self.body, tree => tree.heap_bytes())
    }

    fn pairs(&self) -> impl Iterator<Item = (i64, i64)> + Clone + '_ {
        self.iter().map(|entry| (entry.at, entry.value))
    }

    fn live_oldest(&self) -> &[Entry] {
        &self.oldest[self.gone..]
    }

    /// Tells whether the entry belongs into `recent`. Distinct values have no use for it: what one
    /// covers depends on the others.
    fn is_recent(&self, entry: Entry) -> bool {
        if matches!(self.contents, Contents::Distinct(_)) {
            return false;
        }
        match self.recent.first() {
            Some(first) => first.key() <= entry.key(),
            None => self.last().is_none_or(|last| last.key() < entry.key()),
        }
    }

    fn insert_recent(&mut self, entry: Entry) -> bool {
        let index = self.recent.iter().rposition(|held| held.key() <= entry.key()).map_or(0, |index| index + 1);
        if index > 0 && self.recent[index - 1].key() == entry.key() {
            return false;
        }
        if self.recent.len() < RECENT {
            self.recent.insert(index, entry);
            return true;
        }
        let is_last = index == self.recent.len();
        self.settle_recent();
        if is_last { self.insert_recent(entry) } else { self.insert(entry) }
    }

    /// Adds an entry among the oldest; tells whether it was new.
    fn insert_oldest(&mut self, entry: Entry) -> bool {
        let Err(index) = self.live_oldest().binary_search_by_key(&entry.key(), |held| held.key()) else {
            return false;
        };
        self.oldest.insert(self.gone + index, entry);
        if self.live_oldest().len() > OLDEST {
            self.settle_gone();
            let back: Vec<_> = self.oldest.drain(..).map(|held| (held.key(), held.value)).collect();
            with_tree!(&mut self.body, tree => tree.update_all(&back, &|_, value| Some(value)));
        }
        true
    }

    /// Puts the recent entries into the trees.
    fn settle_recent(&mut self) {
        let recent = std::mem::take(&mut self.recent);
        let batch: SmallVec<[(Key, i64); RECENT]> = recent.iter().map(|held| (held.key(), held.value)).collect();
        with_tree!(&mut self.body, tree => tree.update_all(&batch, &|_, value| Some(value)));
        self.contents.enter_all(&recent, self.length);
    }

    /// Takes the evicted entries out of the contents.
    fn settle_gone(&mut self) {
        self.contents.leave_all(&self.oldest[..self.gone], self.length);
        self.oldest.drain(..self.gone);
        self.gone = 0;
        self.gone_until = i64::MIN;
    }
}

impl Contents {
    fn enter(&mut self, entry: Entry, length: i64) {
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

    fn leave(&mut self, entry: Entry, length: i64) {
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

    fn enter_all(&mut self, entries: &[Entry], length: i64) {
        match self {
            Self::Count(events) => {
                events.add_all(entries.iter().map(|entry| (left_at(entry.at, length), -1)));
                events.add_all(entries.iter().map(|entry| (entry.at, 1)));
            }
            Self::Sum(events) => {
                events.add_all(entries.iter().map(|entry| (left_at(entry.at, length), -i128::from(entry.value))));
                events.add_all(entries.iter().map(|entry| (entry.at, i128::from(entry.value))));
            }
            Self::Distinct(_) | Self::Unused => entries.iter().for_each(|entry| self.enter(*entry, length)),
        }
    }

    fn leave_all(&mut self, entries: &[Entry], length: i64) {
        match self {
            Self::Count(events) => {
                events.add_all(entries.iter().map(|entry| (left_at(entry.at, length), 1)));
                events.add_all(entries.iter().map(|entry| (entry.at, -1)));
            }
            Self::Sum(events) => {
                events.add_all(entries.iter().map(|entry| (left_at(entry.at, length), i128::from(entry.value))));
                events.add_all(entries.iter().map(|entry| (entry.at, -i128::from(entry.value))));
            }
            Self::Distinct(_) | Self::Unused => entries.iter().for_each(|entry| self.leave(*entry, length)),
        }
    }

    /// Returns the fullest of the windows that contain `at`.
    fn fullest(&self, at: i64, length: i64, this: Option<i64>) -> i128 {
        let last = at.saturating_add(length);
        match self {
            Self::Count(events) => events.fullest(at, last).unwrap_or(0) + i128::from(this.is_some()),
            Self::Sum(events) => events.fullest(at, last).unwrap_or(0) + this.map_or(0, i128::from),
            Self::Distinct(occurrences) => occurrences.fullest(at, length, this),
            Self::Unused => 0,
        }
    }

    /// Returns what the window that ends at `at` holds, with values that are not in here.
    fn content(&self, at: i64, length: i64, more: impl Iterator<Item = i64>) -> i128 {
        match self {
            Self::Count(events) => events.content(at) + more.map(|_| 1).sum::<i128>(),
            Self::Sum(events) => events.content(at) + more.map(i128::from).sum::<i128>(),
            Self::Distinct(occurrences) => {
                let new = more.filter(|value| !occurrences.covers(*value, at, length)).count();
                occurrences.events.content(at) + new as i128
            }
            Self::Unused => 0,
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

    /// Tells whether the window that ends at `at` holds the value.
    fn covers(&self, value: i64, at: i64, length: i64) -> bool {
        let (before, after) = self.around(value, at, 0);
        after == Some(at) || before.is_some_and(|before| left_at(before, length) > at)
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
