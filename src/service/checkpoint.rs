//! Writes the state again, group by group, so that journals need not be kept for ever.
//!
//! A round writes every group of wallet records and of shared windows once, a few with each commit. When
//! it ends, the journals up to its beginning are not needed any more. A round begins when the journals
//! since the last one outweigh half of what the last one wrote: so what is written per operation does not
//! depend on how much a wallet holds.

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::Commit;
use crate::adapters::store::block::fold;
use crate::engine::Engine;
use crate::engine::stored::GROUPS;
use crate::engine::stored::wallets::encode_group;
use crate::operation::Time;

/// Bytes of groups that go with each byte of journals.
const PACE: u64 = 2;
/// What an empty group counts, so that rounds end.
const GROUP_BYTES_MIN: u64 = 512;

/// What a group's bytes bear instead of an arrival: whose they are, and as of which batch. Wallets come
/// first, then windows.
#[must_use]
pub fn stamp(number: usize, batch: u64) -> Time {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    Time::from_nanos(batch.wrapping_mul(2 * GROUPS as u64).wrapping_add(number).cast_signed())
}

/// Where the present round stands.
#[derive(Debug)]
pub struct Checkpoint {
    /// The next group to write: wallets first, then windows. `None` between rounds.
    next: Option<usize>,
    /// The batch with which the round began.
    began: u64,
    journal_bytes: u64,
    round_bytes: u64,
    credit: u64,
    /// A round begins after so many bytes of journals.
    journal_bytes_min: u64,
}

impl Checkpoint {
    /// Starts; so many bytes of journals had to be read to recover. A round begins after at least
    /// `journal_bytes_min`.
    #[must_use]
    pub const fn new(journal_bytes: u64, journal_bytes_min: u64) -> Self {
        Self { next: None, began: 0, journal_bytes, round_bytes: 0, credit: 0, journal_bytes_min }
    }

    /// Adds the groups that go with this commit. The state must be as it is after the commit's batch.
    pub fn add_to(&mut self, commit: &mut Commit, engine: &Engine, shared: &MemoryStore, layout: u64) {
        let journal = commit.journal.as_ref().map_or(0, |journal| journal.len() as u64);
        self.journal_bytes += journal;
        if self.next.is_none() {
            if self.journal_bytes < self.journal_bytes_min.max(self.round_bytes / 2) {
                return;
            }
            *self = Self { next: Some(0), began: commit.position.batch, journal_bytes: 0, round_bytes: 0, ..*self };
        }
        self.credit += PACE * journal + GROUP_BYTES_MIN;
        while let Some(number) = self.next
            && self.credit > 0
        {
            let cost = self.add_next(number, commit, (engine, shared, layout));
            self.credit = self.credit.saturating_sub(cost);
        }
    }

    /// Begins a round whatever the journals weigh: no journal tells of what the state has become. `batch` is the last
    /// one that was committed.
    pub const fn begin(&mut self, batch: u64) {
        (self.next, self.began) = (Some(0), batch);
        (self.journal_bytes, self.round_bytes, self.credit) = (0, 0, 0);
    }

    /// Adds groups up to about so many bytes; tells whether the round has ended.
    pub fn add_slice_to(
        &mut self,
        commit: &mut Commit,
        (engine, shared, layout): (&Engine, &MemoryStore, u64),
        bytes_max: u64,
    ) -> bool {
        let mut bytes = 0;
        while let Some(number) = self.next.filter(|_| bytes < bytes_max) {
            bytes += self.add_next(number, commit, (engine, shared, layout));
        }
        self.next.is_none()
    }

    fn add_next(
        &mut self,
        number: usize,
        commit: &mut Commit,
        (engine, shared, layout): (&Engine, &MemoryStore, u64),
    ) -> u64 {
        let cost = add_group(number, commit, engine, shared, layout).max(GROUP_BYTES_MIN);
        self.round_bytes += cost;
        self.next = Some(number + 1).filter(|next| *next < 2 * GROUPS);
        if self.next.is_none() {
            commit.forget_journals = Some(self.began);
            self.credit = 0;
        }
        cost
    }
}

/// Adds one group, wallets first, then windows; returns its bytes.
fn add_group(number: usize, commit: &mut Commit, engine: &Engine, shared: &MemoryStore, layout: u64) -> u64 {
    let (group, is_wallets) = (number % GROUPS, number < GROUPS);
    let raw = if is_wallets {
        encode_group(engine.wallets(), group, layout)
    } else {
        shared.encode_group(engine.plan(), group, layout)
    };
    let bytes = fold(&raw, stamp(number, commit.position.batch));
    let length = bytes.len() as u64;
    let group = u32::try_from(group).unwrap_or(u32::MAX);
    if is_wallets {
        commit.wallets.push((group, bytes))
    } else {
        commit.windows.push((group, bytes))
    }
    length
}
