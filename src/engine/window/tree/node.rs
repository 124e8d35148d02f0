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

    /// Updates many keys; what no longer fits goes to `right`, in order. Returns the change in entries.
    pub(super) fn update_all(
        &mut self,
        batch: &[(K, V)],
        change: &dyn Fn(Option<V>, V) -> Option<V>,
        right: &mut Vec<Self>,
    ) -> isize {
        match self {
            Self::Leaf(leaf) => {
                Arc::make_mut(leaf).update_all(batch, change, &mut |more| right.push(Self::Leaf(Arc::new(more))))
            }
            Self::Inner(inner) => Arc::make_mut(inner).update_all(batch, change, right),
        }
    }

    /// Takes out the entries of the first leaf; the node is then empty if it was its only one.
    pub(super) fn pop_first_leaf(&mut self) -> SmallVec<[(K, V); FANOUT]> {
        match self {
            Self::Leaf(leaf) => {
                let popped = leaf.keys.iter().copied().zip(leaf.values.iter().copied()).collect();
                *self = Self::empty();
                popped
            }
            Self::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let popped = inner.children[0].pop_first_leaf();
                if inner.children[0].len() == 0 {
                    inner.take(0);
                } else {
                    inner.keys[0] = inner.children[0].first_key();
                    inner.summaries[0] = inner.children[0].summary();
                }
                popped
            }
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

    fn update_all(
        &mut self,
        batch: &[(K, V)],
        change: &dyn Fn(Option<V>, V) -> Option<V>,
        overflow: &mut dyn FnMut(Self),
    ) -> isize {
        let is_append = self.keys.last().is_none_or(|last| *last < batch[0].0);
        let mut merged = SmallVec::<[(K, V); 2 * FANOUT]>::new();
        let mut index = 0;
        for (key, value) in batch {
            while index < self.keys.len() && self.keys[index] < *key {
                merged.push((self.keys[index], self.values[index]));
                index += 1;
            }
            let before = self.entry(index).filter(|(held, _)| held == key).map(|(_, held)| held);
            index += usize::from(before.is_some());
            merged.extend(change(before, *value).map(|after| (*key, after)));
        }
        let rest = self.keys[index..].iter().copied().zip(self.values[index..].iter().copied());
        merged.extend(rest);
        let grown = merged.len().cast_signed() - self.keys.len().cast_signed();
        // Entries that arrive in key order leave full leaves behind, others leave room.
        let size = if is_append { FANOUT } else { merged.len().div_ceil(merged.len().div_ceil(FANOUT).max(1)) };
        let mut pieces = merged.chunks(size.max(1));
        self.fill(pieces.next().unwrap_or(&[]));
        for piece in pieces {
            let mut more = Self { keys: SmallVec::new(), values: SmallVec::new() };
            more.fill(piece);
            overflow(more);
        }
        grown
    }

    fn fill(&mut self, entries: &[(K, V)]) {
        self.keys.clear();
        self.values.clear();
        self.keys.extend(entries.iter().map(|(key, _)| *key));
        self.values.extend(entries.iter().map(|(_, value)| *value));
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
    /// Makes the node above two nodes of one level.
    pub(super) fn of_two(left: Child<K, V, S>, right: Child<K, V, S>) -> Self {
        let mut inner = Self { keys: SmallVec::new(), summaries: SmallVec::new(), children: SmallVec::new() };
        inner.put(0, left);
        inner.put(1, right);
        inner
    }

    fn child_of(&self, key: K) -> usize {
        self.keys.partition_point(|k| *k <= key).saturating_sub(1)
    }

    fn update(&mut self, key: K, change: &mut dyn FnMut(Option<V>) -> Option<V>) -> Done<K, V, S> {
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

    fn update_all(
        &mut self,
        mut batch: &[(K, V)],
        change: &dyn Fn(Option<V>, V) -> Option<V>,
        right: &mut Vec<Child<K, V, S>>,
    ) -> isize {
        let mut grown = 0;
        let mut more = Vec::new();
        while let Some((key, _)) = batch.first() {
            let index = self.child_of(*key);
            self.keys[index] = self.keys[index].min(*key);
            let count = self.keys.get(index + 1).map_or(batch.len(), |end| batch.partition_point(|(key, _)| key < end));
            let (now, later) = batch.split_at(count);
            grown += self.children[index].update_all(now, change, &mut more);
            batch = later;
            if self.children[index].len() == 0 && self.children.len() > 1 {
                self.take(index);
            } else {
                self.summaries[index] = self.children[index].summary();
            }
            for child in more.drain(..).rev() {
                self.put(index + 1, child);
            }
        }
        if self.children.len() == 1 && self.children[0].len() == 0 {
            self.take(0);
        }
        self.give_up_overflow(right);
        grown
    }

    /// Makes the node above a level; what does not fit goes to `right`.
    pub(super) fn above(level: Vec<Child<K, V, S>>, right: &mut Vec<Child<K, V, S>>) -> Child<K, V, S> {
        let mut inner = Self { keys: SmallVec::new(), summaries: SmallVec::new(), children: SmallVec::new() };
        for (index, child) in level.into_iter().enumerate() {
            inner.put(index, child);
        }
        inner.give_up_overflow(right);
        Child::Inner(Arc::new(inner))
    }

    /// Cuts a node with more than `FANOUT` children into nodes of about equal size.
    fn give_up_overflow(&mut self, right: &mut Vec<Child<K, V, S>>) {
        let len = self.children.len();
        if len <= FANOUT {
            return;
        }
        let size = len.div_ceil(len.div_ceil(FANOUT));
        let mut at = size;
        while at < len {
            let end = len.min(at + size);
            right.push(Child::Inner(Arc::new(self.part(at, end))));
            at = end;
        }
        *self = self.part(0, size);
    }

    fn part(&self, from: usize, to: usize) -> Self {
        Self {
            keys: self.keys[from..to].into(),
            summaries: self.summaries[from..to].into(),
            children: self.children[from..to].iter().cloned().collect(),
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
