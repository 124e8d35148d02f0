//! The coordinator of transactions in memory: epochs of transactional ids, open transactions, markers that come later.

use std::collections::{BTreeMap, BTreeSet};

/// Where a marker belongs: a partition of a topic, or the group's offsets.
pub(crate) type Place = Option<(String, i32)>;

/// Why a producer is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Somebody else has its name now, or its transaction was ended for it.
    Fenced,
    /// Markers of its last transaction are not written yet.
    Busy,
}

#[derive(Debug)]
pub(crate) enum Phase {
    Idle,
    Ongoing {
        transaction: u64,
        since: u64,
        places: BTreeSet<Place>,
    },
    /// It is decided how it ends; markers are written one after the other, each at its time.
    Ending {
        transaction: u64,
        is_commit: bool,
        left: Vec<(u64, Place)>,
    },
}

#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) epoch: u32,
    pub(crate) phase: Phase,
    timeout: u64,
}

/// A commit that arrives late.
#[derive(Debug)]
struct Late {
    at: u64,
    id: String,
    epoch: u32,
    transaction: u64,
}

/// A marker to write: of which transaction, how it ends, and where.
pub(crate) type Marker = (u64, bool, Place, u64);

#[derive(Debug, Default)]
pub(crate) struct Coordinator {
    holders: BTreeMap<String, Holder>,
    begun: u64,
    late: Vec<Late>,
}

impl Coordinator {
    /// Lets a producer begin to take over an id. Returns its epoch once nothing is open under the id.
    pub(crate) fn take_over(&mut self, id: &str, timeout: u64, delay: &mut dyn FnMut() -> u64) -> Option<u32> {
        let holder = self.holders.entry(id.to_owned()).or_insert(Holder { epoch: 0, phase: Phase::Idle, timeout });
        match holder.phase {
            Phase::Idle => {
                holder.epoch += 1;
                holder.timeout = timeout;
                Some(holder.epoch)
            }
            Phase::Ongoing { .. } => {
                // Its holder can do nothing more from now on.
                holder.epoch += 1;
                end(holder, false, delay);
                None
            }
            Phase::Ending { .. } => None,
        }
    }

    fn holder(&mut self, id: &str, epoch: u32) -> Result<&mut Holder, Refusal> {
        self.holders.get_mut(id).filter(|holder| holder.epoch == epoch).ok_or(Refusal::Fenced)
    }

    /// Adds a place to a producer's transaction, which begins with the first one; returns its number.
    pub(crate) fn add(&mut self, id: &str, epoch: u32, place: Place, now: u64) -> Result<u64, Refusal> {
        let next = self.begun + 1;
        let holder = self.holder(id, epoch)?;
        match &mut holder.phase {
            Phase::Ending { .. } => Err(Refusal::Busy),
            Phase::Ongoing { transaction, places, .. } => {
                places.insert(place);
                Ok(*transaction)
            }
            Phase::Idle => {
                holder.phase = Phase::Ongoing { transaction: next, since: now, places: BTreeSet::from([place]) };
                self.begun = next;
                Ok(next)
            }
        }
    }

    /// Ends a producer's transaction; one that has none ended before.
    pub(crate) fn end(
        &mut self,
        (id, epoch): (&str, u32),
        is_commit: bool,
        delay: &mut dyn FnMut() -> u64,
    ) -> Result<(), Refusal> {
        let holder = self.holder(id, epoch)?;
        if matches!(holder.phase, Phase::Ongoing { .. }) {
            end(holder, is_commit, delay);
        }
        Ok(())
    }

    /// Lets a commit of the open transaction arrive later, if it is still open then.
    pub(crate) fn end_later(&mut self, id: &str, epoch: u32, at: u64) {
        if let Ok(Holder { phase: Phase::Ongoing { transaction, .. }, .. }) = self.holder(id, epoch) {
            let transaction = *transaction;
            self.late.push(Late { at, id: id.to_owned(), epoch, transaction });
        }
    }

    /// Ends what is due by now; returns the markers that are to be written, in their order.
    pub(crate) fn tick(&mut self, now: u64, delay: &mut dyn FnMut() -> u64) -> Vec<Marker> {
        let (due, later) = std::mem::take(&mut self.late).into_iter().partition(|late| late.at <= now);
        self.late = later;
        let due: Vec<Late> = due;
        for late in due {
            if let Ok(holder) = self.holder(&late.id, late.epoch)
                && matches!(holder.phase, Phase::Ongoing { transaction, .. } if transaction == late.transaction)
            {
                end(holder, true, delay);
            }
        }
        let mut markers = Vec::new();
        for holder in self.holders.values_mut() {
            if matches!(holder.phase, Phase::Ongoing { since, .. } if now.saturating_sub(since) > holder.timeout) {
                holder.epoch += 1;
                end(holder, false, delay);
            }
            if let Phase::Ending { transaction, is_commit, left } = &mut holder.phase {
                let (due, later) = std::mem::take(left).into_iter().partition(|(at, _)| *at <= now);
                *left = later;
                let due: Vec<(u64, Place)> = due;
                markers.extend(due.into_iter().map(|(at, place)| (*transaction, *is_commit, place, at)));
                if left.is_empty() {
                    holder.phase = Phase::Idle;
                }
            }
        }
        markers.sort_by_key(|(.., at)| *at);
        markers
    }
}

fn end(holder: &mut Holder, is_commit: bool, delay: &mut dyn FnMut() -> u64) {
    if let Phase::Ongoing { transaction, places, .. } = std::mem::replace(&mut holder.phase, Phase::Idle) {
        let left = places.into_iter().map(|place| (delay(), place)).collect();
        holder.phase = Phase::Ending { transaction, is_commit, left };
    }
}
