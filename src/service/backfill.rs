//! Fills the new windows of a reload from the log of operations, where it holds their history.

use std::ops::RangeInclusive;

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::block::{Block, first_arrival};
use crate::adapters::store::{Store, StoreError, Stream};
use crate::engine::backfill::{Backfill, can_be_filled, needed_from};
use crate::engine::enrich::{AddressFacts, Enriched};
use crate::engine::shared::SharedChange;
use crate::operation::Time;
use crate::operation::decode;
use crate::operation::time::DAY;
use crate::pipeline::Pipeline;
use crate::rules::program::Inputs;

/// A longer stretch of the log is not read: nothing is decided meanwhile.
const OPERATIONS_MAX: u64 = 1_000_000;
/// How long before its arrival an operation's own time may lie ahead of it.
const SKEW: i64 = DAY;

/// One operation of the log.
struct Logged<'a> {
    seq: u64,
    bytes: &'a [u8],
    was_refused: bool,
}

/// Fills what can be filled of these windows; returns the states of those that were. A log that cannot be
/// read fills nothing: the windows warm up instead.
///
/// The log is read up to the decision `last`.
pub fn fill(
    (store, last): (&Store, u64),
    pipeline: &mut Pipeline<MemoryStore>,
    young: &[(u64, Time)],
    newest: Option<Time>,
) -> Vec<u64> {
    let Some(newest) = newest else { return Vec::new() };
    let plan = std::sync::Arc::clone(pipeline.engine.plan());
    let wanted = |id: &usize| {
        let aggregate = &plan.aggregates[*id];
        young.iter().any(|(state, _)| *state == aggregate.state_id) && can_be_filled(aggregate)
    };
    let windows: Vec<usize> = (0..plan.aggregates.len()).filter(wanted).collect();
    let Some(from) = windows.iter().map(|id| needed_from(&plan.aggregates[*id], newest)).min() else {
        return Vec::new();
    };
    match read((store, last), pipeline, &windows, from) {
        Ok(Some(changes)) => {
            pipeline.store.enter(&plan, &changes);
            windows.iter().map(|id| plan.aggregates[*id].state_id).collect()
        }
        Ok(None) | Err(_) => Vec::new(),
    }
}

/// Reads the log from an instant on. Nothing is changed before all of it was read.
fn read(
    (store, last): (&Store, u64),
    pipeline: &mut Pipeline<MemoryStore>,
    windows: &[usize],
    from: Time,
) -> Result<Option<Vec<SharedChange>>, StoreError> {
    let is_short = |first: &u64| last.saturating_sub(*first) < OPERATIONS_MAX;
    let Some(first) = first_needed(store, from)?.filter(is_short) else {
        return Ok(None);
    };
    let mut backfill = Backfill::new(windows.to_vec());
    let asks = Inputs::GEOIP_COUNTRY.union(Inputs::GEOIP_ANONYMIZER);
    for is_second in [false, true] {
        each(store, first..=last, |logged| {
            let Ok(operation) = decode::decode(logged.bytes) else { return };
            let facts = AddressFacts::of(&pipeline.geo, operation.ip, asks);
            let operation = Enriched::new(operation, facts);
            if is_second {
                backfill.add(&pipeline.engine, &operation, logged.seq, logged.was_refused);
            } else {
                backfill.foresee(&operation, logged.was_refused);
            }
        })?;
    }
    Ok(Some(backfill.finish(&mut pipeline.engine)))
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

/// Walks operations and the verdicts on them side by side.
fn each(store: &Store, seqs: RangeInclusive<u64>, mut visit: impl FnMut(&Logged<'_>)) -> Result<(), StoreError> {
    let mut decisions: Option<(u64, Block)> = None;
    store.each_block(Stream::Operations, *seqs.start(), |number, operations| {
        for (index, seq) in (0..operations.len()).zip(number..) {
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
            visit(&Logged { seq, bytes, was_refused: is_refusal(decision) });
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
