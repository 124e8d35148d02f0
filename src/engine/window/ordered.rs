//! An ordered map that is a scanned array while short and a tree with O(1) clones beyond that.

use std::mem::size_of;

use smallvec::SmallVec;

use super::FEW;
use super::tree::{Plain, SummaryTree};

#[derive(Debug, Clone)]
pub(super) enum Ordered<K: Ord + Copy, V: Copy> {
    /// Ascending by key, at most [`FEW`].
    Few(SmallVec<[(K, V); 1]>),
    Many(SummaryTree<K, V, Plain<V>>),
}

impl<K: Ord + Copy, V: Copy> Default for Ordered<K, V> {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl<K: Ord + Copy, V: Copy> Ordered<K, V> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(tree) => tree.len(),
        }
    }

    /// Replaces the value under the key by what `change` makes of it; returns the value before.
    pub(super) fn update(&mut self, key: K, change: impl FnOnce(Option<V>) -> Option<V>) -> Option<V> {
        let few = match self {
            Self::Few(few) => few,
            Self::Many(tree) => {
                let before = tree.update(key, change);
                // Half of the limit, so that a map at the limit does not change its form at every step.
                if tree.len() <= FEW / 2 {
                    *self = Self::Few(tree.iter().collect());
                }
                return before;
            }
        };
        let index = few.partition_point(|(k, _)| *k < key);
        let before = few.get(index).filter(|(k, _)| *k == key).map(|(_, value)| *value);
        match (before, change(before)) {
            (Some(_), Some(value)) => few[index].1 = value,
            (Some(_), None) => {
                few.remove(index);
            }
            (None, Some(value)) if few.len() < FEW => few.insert(index, (key, value)),
            (None, Some(value)) => {
                let mut tree = SummaryTree::default();
                for (key, value) in few.iter() {
                    tree.insert(*key, *value);
                }
                tree.insert(key, value);
                *self = Self::Many(tree);
            }
            (None, None) => {}
        }
        before
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.update(key, |_| Some(value))
    }

    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        self.update(key, |_| None)
    }

    pub(super) fn first(&self) -> Option<(K, V)> {
        match self {
            Self::Few(few) => few.first().copied(),
            Self::Many(tree) => tree.first(),
        }
    }

    pub(super) fn last(&self) -> Option<(K, V)> {
        match self {
            Self::Few(few) => few.last().copied(),
            Self::Many(tree) => tree.last(),
        }
    }

    /// Returns the entry with the greatest key below `key`.
    pub(super) fn below(&self, key: K) -> Option<(K, V)> {
        match self {
            Self::Few(few) => few.iter().rev().find(|(k, _)| *k < key).copied(),
            Self::Many(tree) => tree.below(key),
        }
    }

    /// Returns the entry with the least key not below `key`.
    pub(super) fn from(&self, key: K) -> Option<(K, V)> {
        match self {
            Self::Few(few) => few.iter().find(|(k, _)| *k >= key).copied(),
            Self::Many(tree) => tree.from(key),
        }
    }

    /// Walks the entries in key order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        let (few, tree) = match self {
            Self::Few(few) => (Some(few.iter().copied()), None),
            Self::Many(tree) => (None, Some(tree.iter())),
        };
        few.into_iter().flatten().chain(tree.into_iter().flatten())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(few) if few.spilled() => few.capacity() * size_of::<(K, V)>(),
            Self::Few(_) => 0,
            Self::Many(tree) => tree.heap_bytes(),
        }
    }
}
