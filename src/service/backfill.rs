//! Fills the new windows of a reload from the log of operations, where it holds their history.
//!
//! A thread of its own reads the log, a slice at a time, while operations are decided by the old rules; what they add
//! to the log it reads too, until little is left. The deciding thread reads the rest when it switches: so the windows
//! hold the same as if nothing had been decided meanwhile.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::block::{Block, first_arrival};
use crate::adapters::store::{Store, StoreError, Stream};
use crate::engine::Engine;
use crate::engine::backfill::{Backfill, can_be_filled, needed_from};
use crate::engine::enrich::{AddressFacts, Enriched};
use crate::engine::plan::Plan;
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::decode;
use crate::operation::time::{DAY, Nanos};
use crate::pipeline::Pipeline;
use crate::rules::program::Inputs;

/// A longer stretch of the log is not read: what it fills would be held in memory all at once.
const OPERATIONS_MAX: u64 = 1_000_000;
/// So many operations are read from one view of the store: a view that stays open keeps the file from being reused.
const SLICE: u64 = 10_000;
/// So few operations the deciding thread may read itself.
const REST_MAX: u64 = 500;
/// How long before its arrival an operation's own time may lie ahead of it.
const SKEW: Nanos = DAY;

/// What fills windows, from its first look at the log to the switch of the rules.
pub(super) struct Filler {
    geo: Arc<Geo>,
    /// Knows the rules that are to come, and no wallet.
    engine: Engine,
    windows: Vec<usize>,
    /// Operations matter that occurred since then.
    from: Time,
    backfill: Backfill,
    /// The next operation to read; `None` before the log was looked at.
    next: Option<u64>,
}

/// One operation of the log.
pub(super) struct Past<'a> {
    pub(super) seq: u64,
    pub(super) bytes: &'a [u8],
    pub(super) was_refused: bool,
}

impl Filler {
    /// Makes what fills those of these windows that can be filled, for rules that are to come; `None` where there
    /// are none, or nothing was decided yet.
    pub(super) fn new(geo: Arc<Geo>, plan: &Arc<Plan>, young: &[(u64, Time)], newest: Option<Time>) -> Option<Self> {
        let newest = newest?;
        let wanted = |id: &usize| {
            let aggregate = &plan.aggregates[*id];
            young.iter().any(|(state, _)| *state == aggregate.state_id) && can_be_filled(aggregate)
        };
        let windows: Vec<usize> = (0..plan.aggregates.len()).filter(wanted).collect();
        let from = windows.iter().map(|id| needed_from(&plan.aggregates[*id], newest)).min()?;
        let backfill = Backfill::new(windows.clone());
        Some(Self { geo, engine: Engine::new(Arc::clone(plan)), windows, from, backfill, next: None })
    }

    /// Reads the log until little of it is left; tells whether it holds all that the windows need. It does not where
    /// operations were dropped already, or are too many, nor when it is told to stop. `last` returns the number of
    /// the last operation to read, as of now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn read(
        &mut self,
        store: &Store,
        last: impl Fn() -> Result<u64, StoreError>,
        stops: &AtomicBool,
    ) -> Result<bool, StoreError> {
        let Some(first) = first_needed(store, self.from)? else { return Ok(false) };
        let mut next = first;
        let mut left = u64::MAX;
        loop {
            let last = last()?;
            let before = std::mem::replace(&mut left, (last + 1).saturating_sub(next));
            if (last + 1).saturating_sub(first) > OPERATIONS_MAX {
                return Ok(false);
            }
            // Where operations come faster than they are read, waiting gains nothing.
            if left <= REST_MAX || left >= before {
                self.next = Some(next);
                return Ok(true);
            }
            while next <= last {
                if stops.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                match self.read_slice(store, next..=last.min(next + SLICE - 1))? {
                    Some(after) => next = after,
                    None => return Ok(false),
                }
            }
        }
    }

    /// Takes these operations for all of the log up to the operation `last`, where somebody is interested in a part of
    /// it only; tells whether the windows would have been filled from the whole log, as [`Self::read`] does.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn take<'a>(
        &mut self,
        store: &Store,
        part: impl Iterator<Item = Past<'a>>,
        last: u64,
    ) -> Result<bool, StoreError> {
        let Some(first) = first_needed(store, self.from)? else { return Ok(false) };
        if (last + 1).saturating_sub(first) > OPERATIONS_MAX {
            return Ok(false);
        }
        part.filter(|past| past.seq >= first).for_each(|past| self.add(&past));
        self.next = Some(last + 1);
        Ok(true)
    }

    /// Reads the rest of the log, up to the operation `last`, and fills the windows of an engine that has the new
    /// rules; returns the states of those that were filled. A log that cannot be read fills nothing: the windows warm
    /// up instead.
    pub(super) fn fill(
        mut self,
        (store, last): (&Store, u64),
        pipeline: &mut Pipeline<MemoryStore, Arc<Geo>>,
    ) -> Vec<u64> {
        let Some(next) = self.next else { return Vec::new() };
        if next <= last && !matches!(self.read_slice(store, next..=last), Ok(Some(_))) {
            return Vec::new();
        }
        let plan = Arc::clone(pipeline.engine.plan());
        let changes = self.backfill.finish(&mut pipeline.engine);
        pipeline.store.enter(&plan, &changes);
        self.windows.iter().map(|id| plan.aggregates[*id].state_id).collect()
    }

    /// Reads these operations; returns the number of the next one, or none where a part of the log has gone
    /// meanwhile.
    fn read_slice(&mut self, store: &Store, seqs: RangeInclusive<u64>) -> Result<Option<u64>, StoreError> {
        let (mut expected, after) = (*seqs.start(), seqs.end() + 1);
        each(store, seqs, |past| {
            if past.seq == expected {
                expected += 1;
                self.add(past);
            }
        })?;
        Ok((expected == after).then_some(after))
    }

    fn add(&mut self, past: &Past<'_>) {
        let asks = Inputs::GEOIP_COUNTRY.union(Inputs::GEOIP_ANONYMIZER);
        let Ok(operation) = decode::decode(past.bytes) else { return };
        let facts = AddressFacts::of(&self.geo, operation.ip, asks);
        self.backfill.add(&self.engine, &Enriched::new(operation, facts), past.seq, past.was_refused);
    }
}

/// Finds the number from which on the log holds every operation that may have occurred since `from`;
/// `None` where some of them were dropped already.
fn first_needed(store: &Store, from: Time) -> Result<Option<u64>, StoreError> {
    let mut needed = None;
    let arrived_from = from.minus(SKEW);
    store.each_raw_block(Stream::Operations, |number, bytes| {
        let arrived = first_arrival(bytes).unwrap_or(Time::ACCEPTED_FROM);
        // Before the first operation there is none; otherwise an older block must show that none is missing.
        if arrived <= arrived_from || number == 1 {
            needed = Some(number);
        }
        Ok(arrived <= arrived_from)
    })?;
    Ok(needed)
}

/// Walks the operations of these numbers and the verdicts on them side by side.
fn each(store: &Store, seqs: RangeInclusive<u64>, mut visit: impl FnMut(&Past<'_>)) -> Result<(), StoreError> {
    let mut decisions: Option<(u64, Block)> = None;
    store.each_block(Stream::Operations, *seqs.start(), |number, operations| {
        for (index, seq) in (0..operations.len()).zip(number..) {
            if seq < *seqs.start() {
                continue;
            }
            if seq > *seqs.end() {
                return Ok(false);
            }
            let holds = |(start, block): &(u64, Block)| seq >= *start && seq - start < block.len() as u64;
            if !decisions.as_ref().is_some_and(holds) {
                decisions = store.block_of(Stream::Decisions, seq)?;
            }
            let decision = decisions
                .as_ref()
                .filter(|found| holds(found))
                .and_then(|(start, block)| block.get(usize::try_from(seq - start).ok()?));
            let (Some(item), Some(decision)) = (operations.get(index), decision) else { continue };
            let bytes = item.get(8..).unwrap_or_default();
            visit(&Past { seq, bytes, was_refused: is_refusal(decision) });
        }
        Ok(true)
    })
}

#[derive(serde::Deserialize)]
struct Verdict<'a> {
    verdict: &'a str,
}

fn is_refusal(decision: &[u8]) -> bool {
    serde_json::from_slice::<Verdict<'_>>(decision).is_ok_and(|decision| decision.verdict == "refuse")
}
