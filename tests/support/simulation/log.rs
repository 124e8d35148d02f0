//! One partition in memory: records, markers of transactions, and what readers see of them.

use std::collections::{BTreeMap, BTreeSet};

use kuzet::adapters::kafka::port::{Isolation, StoredRecord};

/// A record, or the marker that ends a transaction.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was appended, in nanoseconds of the simulation.
    pub(crate) at: u64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The transaction it belongs to.
    pub(crate) transaction: Option<u64>,
    pub(crate) is_marker: bool,
}

impl StoredRecord for Entry {
    fn partition(&self) -> i32 {
        self.partition
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_slice())
    }
}

/// What a producer sends.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    end: i64,
    /// Transactions without a marker here, each with its first offset.
    open: BTreeMap<u64, i64>,
    aborted: BTreeSet<u64>,
}

impl Log {
    pub(crate) fn append(&mut self, sent: Sent, at: u64, transaction: Option<u64>) {
        if let Some(transaction) = transaction {
            self.open.entry(transaction).or_insert(self.end);
        }
        let Sent { topic: _, partition, key, value, headers } = sent;
        self.push(Entry { partition, offset: self.end, at, key, value, headers, transaction, is_marker: false });
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.end += 1;
    }

    /// Writes the marker that ends a transaction.
    pub(crate) fn mark(&mut self, transaction: u64, is_commit: bool, at: u64) {
        if self.open.remove(&transaction).is_none() {
            return;
        }
        if !is_commit {
            self.aborted.insert(transaction);
        }
        let (partition, key, value, headers) = (0, None, None, Vec::new());
        let transaction = Some(transaction);
        self.push(Entry { partition, offset: self.end, at, key, value, headers, transaction, is_marker: true });
    }

    /// Returns the first offset, and the one behind the last record that is visible.
    pub(crate) fn marks(&self, isolation: Isolation) -> (i64, i64) {
        let stable = self.open.values().min().copied().unwrap_or(self.end);
        (0, if isolation == Isolation::Committed { stable } else { self.end })
    }

    /// Lists what is visible from an offset on.
    pub(crate) fn visible(&self, isolation: Isolation, from: i64) -> impl Iterator<Item = &Entry> {
        let (_, end) = self.marks(isolation);
        let first = self.entries.partition_point(|entry| entry.offset < from);
        let is_aborted = |entry: &Entry| entry.transaction.is_some_and(|found| self.aborted.contains(&found));
        let is_seen =
            move |entry: &&Entry| !entry.is_marker && (isolation == Isolation::Uncommitted || !is_aborted(entry));
        self.entries[first..].iter().take_while(move |entry| entry.offset < end).filter(is_seen)
    }

    /// Removes what a compaction removes below the last stable offset: all but the newest record of each key, what was
    /// aborted, and removals that are older than `removals_until`.
    pub(crate) fn compact(&mut self, removals_until: u64) {
        let (_, stable) = self.marks(Isolation::Committed);
        let newest: BTreeMap<Vec<u8>, i64> = self
            .visible(Isolation::Committed, 0)
            .filter_map(|entry| Some((entry.key.clone()?, entry.offset)))
            .collect();
        let aborted = &self.aborted;
        self.entries.retain(|entry| {
            let is_aborted = entry.transaction.is_some_and(|found| aborted.contains(&found));
            let is_newest = entry.key.as_ref().and_then(|key| newest.get(key)) == Some(&entry.offset);
            let is_removal = entry.value.is_none() && entry.at < removals_until;
            entry.offset >= stable || (!entry.is_marker && !is_aborted && is_newest && !is_removal)
        });
    }
}
