//! The operations that a store keeps, read in their order for whoever decides them again.

use crate::adapters::store::block::Block;
use crate::adapters::store::{Store, StoreError, Stream};
use crate::analysis::backtest::{History, Records};
use crate::operation::Time;

/// Reads operations with their times of arrival up to the last one that there was at the beginning. Each block is read
/// by itself: a view of the store that stays open keeps its file from being reused.
pub struct StoreHistory<'s> {
    store: &'s Store,
    next: u64,
    last: u64,
    block: Option<(u64, Block)>,
}

impl<'s> StoreHistory<'s> {
    /// Begins with the oldest operation that is kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(store: &'s Store) -> Result<Self, StoreError> {
        Ok(Self { store, next: 1, last: store.position()?.seq, block: None })
    }

    /// Returns how many operations there may be.
    #[must_use]
    pub const fn operations_at_most(&self) -> u64 {
        (self.last + 1).saturating_sub(self.next)
    }

    /// Takes the block with the next operation into the hand, or with the first one after it that is kept; tells whether
    /// there is one.
    fn load(&mut self) -> Result<bool, StoreError> {
        let is_in_hand = self.block.as_ref().is_some_and(|found| place(found, self.next).is_some());
        if is_in_hand {
            return Ok(true);
        }
        self.block = self.store.block_of(Stream::Operations, self.next)?;
        if self.block.as_ref().is_some_and(|found| place(found, self.next).is_some()) {
            return Ok(true);
        }
        // The oldest are dropped, also while they are read.
        let kept = self.store.read(Stream::Operations, self.next, 1, 1)?;
        let Some((next, _)) = kept.first().filter(|(seq, _)| *seq <= self.last) else { return Ok(false) };
        self.next = *next;
        self.block = self.store.block_of(Stream::Operations, *next)?;
        Ok(self.block.is_some())
    }
}

impl History for StoreHistory<'_> {
    fn fill(&mut self, batch: &mut Records, records_max: usize) -> anyhow::Result<()> {
        while !batch.is_full(records_max) && self.next <= self.last && self.load()? {
            let item = self.block.as_ref().and_then(|found| found.1.get(place(found, self.next)?));
            // In front of an operation stands when it arrived.
            if let Some((arrived_at, record)) = item.and_then(<[u8]>::split_first_chunk::<8>) {
                batch.push(record, Some(Time::from_nanos(i64::from_le_bytes(*arrived_at))));
            }
            self.next += 1;
        }
        Ok(())
    }
}

fn place((first, block): &(u64, Block), seq: u64) -> Option<usize> {
    seq.checked_sub(*first).and_then(|at| usize::try_from(at).ok()).filter(|at| *at < block.len())
}
