//! The latest occurrence of each value: a hash set of the entries' numbers, in small tables.
//!
//! The values themselves are in the log. Tables are shared between clones, and a write copies the one it
//! touches. They are split and joined one at a time (linear hashing), so that no insertion waits for all.

use std::hash::BuildHasher;
use std::mem::size_of;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// So many values to a table, on the average, and it is split.
const TABLE_MOST: usize = if cfg!(test) { 4 } else { 448 };

/// So few, and two are joined.
const TABLE_LEAST: usize = TABLE_MOST / 4;

#[derive(Debug, Clone)]
pub(super) struct Latest {
    /// From 2^k to 2^(k+1): of the hash's low bits k+1 name the table, or k where there is none of that name.
    tables: Vec<Arc<HashTable<u32>>>,
    len: usize,
    hasher: RandomState,
}

impl Default for Latest {
    fn default() -> Self {
        Self { tables: vec![Arc::default()], len: 0, hasher: RandomState::default() }
    }
}

impl Latest {
    /// Returns the number under which the value last occurred.
    pub(super) fn get(&self, value: i64, value_of: impl Fn(u32) -> i64) -> Option<u32> {
        let hash = self.hasher.hash_one(value);
        self.tables[self.table_of(hash)].find(hash, |number| value_of(*number) == value).copied()
    }

    /// Notes that the value last occurred under this number, and returns the number before.
    pub(super) fn set(&mut self, value: i64, number: u32, value_of: impl Fn(u32) -> i64) -> Option<u32> {
        let hash = self.hasher.hash_one(value);
        let table = self.table_of(hash);
        let Self { tables, hasher, .. } = self;
        let rehash = |number: &u32| hasher.hash_one(value_of(*number));
        let table = Arc::make_mut(&mut tables[table]);
        match table.entry(hash, |number| value_of(*number) == value, rehash) {
            Entry::Occupied(mut held) => return Some(std::mem::replace(held.get_mut(), number)),
            Entry::Vacant(place) => {
                place.insert(number);
            }
        }
        self.len += 1;
        if self.len > TABLE_MOST * self.tables.len() {
            self.split(value_of);
        }
        None
    }

    /// Forgets the value.
    pub(super) fn remove(&mut self, value: i64, value_of: impl Fn(u32) -> i64) {
        let hash = self.hasher.hash_one(value);
        let table = self.table_of(hash);
        let table = Arc::make_mut(&mut self.tables[table]);
        if let Ok(held) = table.find_entry(hash, |number| value_of(*number) == value) {
            held.remove();
            self.len -= 1;
        }
        if self.tables.len() > 1 && self.len < TABLE_LEAST * self.tables.len() {
            self.join(value_of);
        }
    }

    /// Returns how many values there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn heap_bytes(&self) -> usize {
        // A number and a byte of its hash; tables hold at most seven eighths of their capacity.
        let entries: usize = self.tables.iter().map(|table| table.capacity() * 8 / 7 * (size_of::<u32>() + 1)).sum();
        entries + self.tables.len() * size_of::<HashTable<u32>>() + self.tables.capacity() * size_of::<usize>()
    }

    /// The largest power of two that is not above the number of tables.
    const fn round(&self) -> usize {
        1 << self.tables.len().ilog2()
    }

    /// Names the table by bits of the hash by which no table finds its places.
    fn table_of(&self, hash: u64) -> usize {
        let round = self.round();
        let name = usize::try_from(hash >> 32).unwrap_or(usize::MAX);
        let table = name & (2 * round - 1);
        if table < self.tables.len() { table } else { table - round }
    }

    fn split(&mut self, value_of: impl Fn(u32) -> i64) {
        let (from, new) = (self.tables.len() - self.round(), self.tables.len());
        let all = std::mem::take(&mut self.tables[from]);
        self.tables.push(Arc::default());
        let mut halves = [from, new].map(|at| (at, HashTable::with_capacity(all.len() / 2)));
        for number in all.iter() {
            let hash = self.hasher.hash_one(value_of(*number));
            let half = usize::from(self.table_of(hash) == new);
            let rehash = |number: &u32| self.hasher.hash_one(value_of(*number));
            halves[half].1.insert_unique(hash, *number, rehash);
        }
        for (at, half) in halves {
            self.tables[at] = Arc::new(half);
        }
    }

    fn join(&mut self, value_of: impl Fn(u32) -> i64) {
        let Some(last) = self.tables.pop() else { return };
        let into = self.tables.len() - self.round();
        let hasher = &self.hasher;
        let rehash = |number: &u32| hasher.hash_one(value_of(*number));
        let into = Arc::make_mut(&mut self.tables[into]);
        for number in last.iter() {
            into.insert_unique(rehash(number), *number, rehash);
        }
    }
}
