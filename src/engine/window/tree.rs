//! A B+tree that remembers a summary of every subtree.
//!
//! Nodes are shared: a clone of the tree is one reference count, and a write to either copy copies
//! only the nodes on its path. That is what lets the engine decide on a copy of a window and let the
//! change count only after its commit. The tree knows nothing of time or money.

use std::sync::Arc;

use smallvec::SmallVec;

mod node;

use node::{Child, Inner};

/// Entries of a leaf and children of an inner node. Small in tests, so that few entries make a deep tree.
const FANOUT: usize = if cfg!(test) { 4 } else { 32 };

/// What a subtree remembers of its values, in key order.
pub trait Summary: Copy {
    /// What is summarized.
    type Value: Copy;
    /// The summary of nothing.
    const EMPTY: Self;

    /// Summarizes one value.
    fn of(value: Self::Value) -> Self;

    /// Joins with the summary of what follows; must be associative.
    #[must_use]
    fn then(self, later: Self) -> Self;
}

/// No summary: the tree is then a plain ordered map.
#[derive(Debug, Clone, Copy)]
pub struct Plain<V>(std::marker::PhantomData<V>);

impl<V: Copy> Summary for Plain<V> {
    type Value = V;
    const EMPTY: Self = Self(std::marker::PhantomData);

    fn of(_: V) -> Self {
        Self::EMPTY
    }

    fn then(self, _: Self) -> Self {
        Self::EMPTY
    }
}

/// An ordered map with O(log n) updates and range summaries and an O(1) clone.
#[derive(Debug, Clone)]
pub struct SummaryTree<K: Ord + Copy, V: Copy, S: Summary<Value = V>> {
    root: Option<Child<K, V, S>>,
    len: usize,
}

impl<K: Ord + Copy, V: Copy, S: Summary<Value = V>> Default for SummaryTree<K, V, S> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<K: Ord + Copy, V: Copy, S: Summary<Value = V>> SummaryTree<K, V, S> {
    /// Makes a tree of entries that ascend by key, no key twice. Its nodes are full.
    pub fn of_ascending(entries: impl Iterator<Item = (K, V)>) -> Self {
        let mut len = 0;
        let mut entries = entries.inspect(|_| len += 1);
        let mut level: Vec<_> = std::iter::from_fn(|| Child::leaf_of(entries.by_ref().take(FANOUT))).collect();
        while level.len() > 1 {
            level = level.chunks(FANOUT).map(|children| Child::Inner(Arc::new(Inner::of(children)))).collect();
        }
        Self { root: level.pop(), len }
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Replaces the value under the key by what `change` makes of it (`None`: no entry) and returns
    /// the value before. This one descent is insert, change and remove.
    pub fn update(&mut self, key: K, change: impl FnOnce(Option<V>) -> Option<V>) -> Option<V> {
        let root = self.root.get_or_insert_with(Child::empty);
        let done = root.update(key, change);
        if let Some(right) = done.split {
            let left = root.clone();
            *root = Child::Inner(Arc::new(Inner::of(&[left, right])));
        }
        match (done.before, done.after) {
            (None, Some(_)) => self.len += 1,
            (Some(_), None) => {
                self.len -= 1;
                self.lower_root();
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        done.before
    }

    /// Puts a value under the key and returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.update(key, |_| Some(value))
    }

    /// Takes the key out and returns its value.
    pub fn remove(&mut self, key: K) -> Option<V> {
        self.update(key, |_| None)
    }

    /// Takes out the entry with the least key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let (key, value) = self.first()?;
        self.remove(key);
        Some((key, value))
    }

    /// Returns the value under the key.
    #[must_use]
    pub fn get(&self, key: K) -> Option<V> {
        let (found, value) = self.from(key)?;
        (found == key).then_some(value)
    }

    /// Returns the entry with the least key.
    #[must_use]
    pub fn first(&self) -> Option<(K, V)> {
        self.root.as_ref()?.first()
    }

    /// Returns the entry with the greatest key.
    #[must_use]
    pub fn last(&self) -> Option<(K, V)> {
        self.root.as_ref()?.last()
    }

    /// Returns the entry with the greatest key below `key`.
    #[must_use]
    pub fn below(&self, key: K) -> Option<(K, V)> {
        self.root.as_ref()?.below(key)
    }

    /// Returns the entry with the least key not below `key`.
    #[must_use]
    pub fn from(&self, key: K) -> Option<(K, V)> {
        self.root.as_ref()?.from(key)
    }

    /// Summarizes the entries with `from ≤ key < to`; `None` leaves that end open.
    #[must_use]
    pub fn fold(&self, from: Option<K>, to: Option<K>) -> S {
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return S::EMPTY;
        }
        self.root.as_ref().map_or(S::EMPTY, |root| root.fold(from, to))
    }

    /// Walks the entries in key order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V, S> {
        let mut iter = Iter { above: SmallVec::new(), leaf: None };
        if let Some(root) = &self.root {
            iter.descend(root);
        }
        iter
    }

    /// Estimates the heap bytes of the nodes, shared ones counted in full. Visits the inner nodes only.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.root.as_ref().map_or(0, Child::heap_bytes)
    }

    fn lower_root(&mut self) {
        if self.len == 0 {
            self.root = None;
        }
        while let Some(only) = self.root.as_ref().and_then(Child::only_child) {
            self.root = Some(only);
        }
    }
}

/// An inner node and the index of the child to visit next.
type Place<'a, K, V, S> = (&'a Inner<K, V, S>, usize);

/// Walks a tree in key order.
#[derive(Debug, Clone)]
pub struct Iter<'a, K: Ord + Copy, V: Copy, S: Summary<Value = V>> {
    /// The inner nodes above the current leaf.
    above: SmallVec<[Place<'a, K, V, S>; 6]>,
    leaf: Option<(&'a node::Leaf<K, V>, usize)>,
}

impl<'a, K: Ord + Copy, V: Copy, S: Summary<Value = V>> Iter<'a, K, V, S> {
    fn descend(&mut self, mut child: &'a Child<K, V, S>) {
        loop {
            match child {
                Child::Leaf(leaf) => {
                    self.leaf = Some((leaf, 0));
                    return;
                }
                Child::Inner(inner) => {
                    self.above.push((inner, 1));
                    child = &inner.children[0];
                }
            }
        }
    }
}

impl<K: Ord + Copy, V: Copy, S: Summary<Value = V>> Iterator for Iter<'_, K, V, S> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        loop {
            if let Some((leaf, index)) = &mut self.leaf
                && let Some(key) = leaf.keys.get(*index)
            {
                let value = leaf.values[*index];
                *index += 1;
                return Some((*key, value));
            }
            self.leaf = None;
            let (inner, next) = self.above.last_mut()?;
            if let Some(child) = inner.children.get(*next) {
                *next += 1;
                self.descend(child);
            } else {
                self.above.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests;
