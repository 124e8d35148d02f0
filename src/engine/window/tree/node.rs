//! The nodes of a [`super::SummaryTree`]: their order, splitting and merging.
//!
//! All leaves are at one depth and no node below the root is empty. The key of a child is not above
//! anything in that child and above everything in the child before it.

use std::mem::size_of;
use std::sync::Arc;

use smallvec::SmallVec;

use super::{FANOUT, Summary};

/// A node with fewer entries than this is merged into a neighbour that has room.
const SPARSE: usize = FANOUT / 4 + 1;

#[derive(Debug)]
pub(super) enum Child<K, V, S> {
    Leaf(Arc<Leaf<K, V>>),
    Inner(Arc<Inner<K, V, S>>),
}

impl<K, V, S> Clone for Child<K, V, S> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Leaf<K, V> {
    pub(super) keys: SmallVec<[K; FANOUT]>,
    pub(super) values: SmallVec<[V; FANOUT]>,
}

#[derive(Debug, Clone)]
pub(super) struct Inner<K, V, S> {
    keys: SmallVec<[K; FANOUT]>,
    summaries: SmallVec<[S; FANOUT]>,
    pub(super) children: SmallVec<[Child<K, V, S>; FANOUT]>,
}

/// What an update of a subtree did.
pub(super) struct Done<K, V, S> {
    pub(super) before: Option<V>,
    pub(super) after: Option<V>,
    /// The entry is new and the last of the subtree: a summary can be extended instead of made anew.
    appended: bool,
    /// The right part, when the node had to be split.
    pub(super) split: Option<Child<K, V, S>>,
}

impl<K: Ord + Copy, V: Copy, S: Summary<Value = V>> Child<K, V, S> {
    pub(super) fn empty() -> Self {
        Self::Leaf(Arc::new(Leaf { keys: SmallVec::new(), values: SmallVec::new() }))
    }

    /// Makes a leaf of entries in order, unless there are none.
    pub(super) fn leaf_of(entries: impl Iterator<Item = (K, V)>) -> Option<Self> {
        let (keys, values): (SmallVec<_>, SmallVec<_>) = entries.unzip();
        (!keys.is_empty()).then(|| Self::Leaf(Arc::new(Leaf { keys, values })))
    }

    pub(super) fn update(&mut self, key: K, change: impl FnOnce(Option<V>) -> Option<V>) -> Done<K, V, S> {
        // A recursion of generic functions over a closure must not nest the closure's type: `dyn` stops that.
        let mut change = Some(change);
        self.update_dyn(key, &mut |before| change.take().map_or(before, |change| change(before)))
    }

    fn update_dyn(&mut self, key: K, change: &mut dyn FnMut(Option<V>) -> Option<V>) -> Done<K, V, S> {
        match self {
            Self::Leaf(leaf) => Arc::make_mut(leaf).update(key, change),
            Self::Inner(inner) => Arc::make_mut(inner).update(key, change),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.keys.len(),
            Self::Inner(inner) => inner.keys.len(),
        }
    }

    fn first_key(&self) -> K {
        match self {
            Self::Leaf(leaf) => leaf.keys[0],
            Self::Inner(inner) => inner.keys[0],
        }
    }

    fn summary(&self) -> S {
        match self {
            Self::Leaf(leaf) => summarize(&leaf.values),
            Self::Inner(inner) => join(&inner.summaries),
        }
    }

    /// Appends the entries of the next node on the same level.
    fn absorb(&mut self, right: &Self) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => {
                let left = Arc::make_mut(left);
                left.keys.extend_from_slice(&right.keys);
                left.values.extend_from_slice(&right.values);
            }
            (Self::Inner(left), Self::Inner(right)) => {
                let left = Arc::make_mut(left);
                left.keys.extend_from_slice(&right.keys);
                left.summaries.extend_from_slice(&right.summaries);
                left.children.extend(right.children.iter().cloned());
            }
            (Self::Leaf(_), Self::Inner(_)) | (Self::Inner(_), Self::Leaf(_)) => {
                unreachable!("all leaves are at one depth")
            }
        }
    }

    pub(super) fn only_child(&self) -> Option<Self> {
        match self {
            Self::Inner(inner) if inner.children.len() == 1 => Some(inner.children[0].clone()),
            Self::Inner(_) | Self::Leaf(_) => None,
        }
    }

    pub(super) fn first(&self) -> Option<(K, V)> {
        match self {
            Self::Leaf(leaf) => leaf.entry(0),
            Self::Inner(inner) => inner.children.first()?.first(),
        }
    }

    pub(super) fn last(&self) -> Option<(K, V)> {
        match self {
            Self::Leaf(leaf) => leaf.entry(leaf.keys.len().checked_sub(1)?),
            Self::Inner(inner) => inner.children.last()?.last(),
        }
    }

    pub(super) fn below(&self, key: K) -> Option<(K, V)> {
        match self {
            Self::Leaf(leaf) => leaf.entry(leaf.keys.partition_point(|k| *k < key).checked_sub(1)?),
            Self::Inner(inner) => {
                let index = inner.keys.partition_point(|k| *k < key).checked_sub(1)?;
                let before = |index: usize| inner.children.get(index.checked_sub(1)?)?.last();
                inner.children[index].below(key).or_else(|| before(index))
            }
        }
    }

    pub(super) fn from(&self, key: K) -> Option<(K, V)> {
        match self {
            Self::Leaf(leaf) => leaf.entry(leaf.keys.partition_point(|k| *k < key)),
            Self::Inner(inner) => {
                let index = inner.child_of(key);
                let after = |index: usize| inner.children.get(index + 1)?.first();
                inner.children[index].from(key).or_else(|| after(index))
            }
        }
    }

    pub(super) fn fold(&self, from: Option<K>, to: Option<K>) -> S {
        match self {
            Self::Leaf(leaf) => {
                let start = from.map_or(0, |key| leaf.keys.partition_point(|k| *k < key));
                let end = to.map_or(leaf.keys.len(), |key| leaf.keys.partition_point(|k| *k < key));
                leaf.values.get(start..end).map_or(S::EMPTY, summarize)
            }
            Self::Inner(inner) => inner.fold(from, to),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Leaf(_) => size_of::<Leaf<K, V>>() + 2 * size_of::<usize>(),
            Self::Inner(inner) => {
                let below = match &inner.children[0] {
                    leaf @ Self::Leaf(_) => leaf.heap_bytes() * inner.children.len(),
                    Self::Inner(_) => inner.children.iter().map(Self::heap_bytes).sum(),
                };
                below + size_of::<Inner<K, V, S>>() + 2 * size_of::<usize>()
            }
        }
    }
}

impl<K: Ord + Copy, V: Copy> Leaf<K, V> {
    fn entry(&self, index: usize) -> Option<(K, V)> {
        Some((*self.keys.get(index)?, self.values[index]))
    }

    fn update<S>(&mut self, key: K, change: &mut dyn FnMut(Option<V>) -> Option<V>) -> Done<K, V, S> {
        let index = self.keys.partition_point(|k| *k < key);
        if self.keys.get(index) == Some(&key) {
            let before = Some(self.values[index]);
            let after = change(before);
            if let Some(value) = after {
                self.values[index] = value;
            } else {
                self.keys.remove(index);
                self.values.remove(index);
            }
            return Done { before, after, appended: false, split: None };
        }
        let after = change(None);
        let appended = index == self.keys.len();
        let split = after.and_then(|value| self.add(index, key, value)).map(|right| Child::Leaf(Arc::new(right)));
        Done { before: None, after, appended, split }
    }

    /// Adds an entry at the index; a full leaf gives up its right part.
    fn add(&mut self, index: usize, key: K, value: V) -> Option<Self> {
        if self.keys.len() < FANOUT {
            self.keys.insert(index, key);
            self.values.insert(index, value);
            return None;
        }
        let at = split_point(index);
        let mut right = Self { keys: self.keys[at..].into(), values: self.values[at..].into() };
        self.keys.truncate(at);
        self.values.truncate(at);
        let (half, index) = if index > at || index == FANOUT { (&mut right, index - at) } else { (self, index) };
        half.keys.insert(index, key);
        half.values.insert(index, value);
        Some(right)
    }
}

impl<K: Ord + Copy, V: Copy, S: Summary<Value = V>> Inner<K, V, S> {
    /// Makes the node above nodes of one level.
    pub(super) fn of(children: &[Child<K, V, S>]) -> Self {
        Self {
            keys: children.iter().map(Child::first_key).collect(),
            summaries: children.iter().map(Child::summary).collect(),
            children: children.iter().cloned().collect(),
        }
    }

    fn child_of(&self, key: K) -> usize {
        self.keys.partition_point(|k| *k <= key).saturating_sub(1)
    }

    fn update(&mut self, key: K, change: &mut dyn FnMut(Option<V>) -> Option<V>) -> Done<K, V, S> {
        self.make_room(self.child_of(key));
        let index = self.child_of(key);
        if key < self.keys[index] {
            self.keys[index] = key;
        }
        let mut done = self.children[index].update_dyn(key, change);
        let split = done.split.take();
        let is_last = index + 1 == self.keys.len();
        if let Some(right) = split {
            self.summaries[index] = self.children[index].summary();
            done.split = self.add(index + 1, right).map(|right| Child::Inner(Arc::new(right)));
        } else if done.appended {
            self.summaries[index] = done.after.map_or(self.summaries[index], |v| self.summaries[index].then(S::of(v)));
        } else if self.children[index].len() == 0 {
            self.take(index);
        } else if done.before.is_some() || done.after.is_some() {
            self.summaries[index] = self.children[index].summary();
            if done.after.is_none() {
                self.merge_sparse(index);
            }
        }
        done.appended &= is_last;
        done
    }

    /// Lets a full leaf share with a neighbour that has room, so that fewer are split and left half full.
    fn make_room(&mut self, index: usize) {
        let len = |index: usize| match self.children.get(index) {
            Some(Child::Leaf(leaf)) => leaf.keys.len(),
            Some(Child::Inner(_)) | None => FANOUT,
        };
        if len(index) < FANOUT {
            return;
        }
        let has_room = |index: &usize| len(*index) <= FANOUT * 7 / 8;
        if let Some(left) = index.checked_sub(1).filter(has_room) {
            self.even_out(left);
        } else if has_room(&(index + 1)) {
            self.even_out(index);
        }
    }

    /// Shares the entries of two leaves equally between them.
    fn even_out(&mut self, left: usize) {
        let (first, second) = self.children.split_at_mut(left + 1);
        if let (Child::Leaf(first), Child::Leaf(second)) = (&mut first[left], &mut second[0]) {
            let (first, second) = (Arc::make_mut(first), Arc::make_mut(second));
            let (from_first, from_second) = (first.keys.len(), second.keys.len());
            let half = usize::midpoint(from_first, from_second);
            if half < from_first {
                second.keys.insert_from_slice(0, &first.keys[half..]);
                second.values.insert_from_slice(0, &first.values[half..]);
                first.keys.truncate(half);
                first.values.truncate(half);
            } else {
                let moved = half - from_first;
                first.keys.extend(second.keys.drain(..moved));
                first.values.extend(second.values.drain(..moved));
            }
        }
        for index in [left, left + 1] {
            self.keys[index] = self.children[index].first_key();
            self.summaries[index] = self.children[index].summary();
        }
    }

    /// Merges a child that has become sparse into a neighbour, if both fit in one with room to grow.
    fn merge_sparse(&mut self, index: usize) {
        if self.children[index].len() >= SPARSE || self.children.len() < 2 {
            return;
        }
        let left = if index + 1 < self.children.len() { index } else { index - 1 };
        if self.children[left].len() + self.children[left + 1].len() > FANOUT * 3 / 4 {
            return;
        }
        let right = self.take(left + 1);
        self.children[left].absorb(&right);
        self.summaries[left] = self.children[left].summary();
    }

    fn put(&mut self, index: usize, child: Child<K, V, S>) {
        self.keys.insert(index, child.first_key());
        self.summaries.insert(index, child.summary());
        self.children.insert(index, child);
    }

    fn take(&mut self, index: usize) -> Child<K, V, S> {
        self.keys.remove(index);
        self.summaries.remove(index);
        self.children.remove(index)
    }

    /// Adds a child at the index; a full node gives up its right part.
    fn add(&mut self, index: usize, child: Child<K, V, S>) -> Option<Self> {
        if self.keys.len() < FANOUT {
            self.put(index, child);
            return None;
        }
        let at = split_point(index);
        let mut right = Self {
            keys: self.keys[at..].into(),
            summaries: self.summaries[at..].into(),
            children: self.children.drain(at..).collect(),
        };
        self.keys.truncate(at);
        self.summaries.truncate(at);
        let (half, index) = if index > at || index == FANOUT { (&mut right, index - at) } else { (self, index) };
        half.put(index, child);
        Some(right)
    }

    fn fold(&self, from: Option<K>, to: Option<K>) -> S {
        let first = from.map_or(0, |key| self.child_of(key));
        let Some(last) = to.map_or(self.keys.len(), |key| self.keys.partition_point(|k| *k < key)).checked_sub(1)
        else {
            return S::EMPTY;
        };
        if first >= last {
            return self.children[last].fold(from, to);
        }
        let (start, between) = match from {
            Some(_) => (self.children[first].fold(from, None), first + 1),
            None => (S::EMPTY, first),
        };
        match to {
            Some(_) => start.then(join(&self.summaries[between..last])).then(self.children[last].fold(None, to)),
            None => start.then(join(&self.summaries[between..])),
        }
    }
}

/// Where a full node is split for a new entry at `index`: in the middle, but entries that arrive in
/// key order leave full nodes behind.
const fn split_point(index: usize) -> usize {
    if index == FANOUT { FANOUT } else { FANOUT / 2 }
}

fn summarize<S: Summary>(values: &[S::Value]) -> S {
    values.iter().fold(S::EMPTY, |all, value| all.then(S::of(*value)))
}

fn join<S: Summary>(summaries: &[S]) -> S {
    summaries.iter().fold(S::EMPTY, |all, next| all.then(*next))
}
