//! The first two stages: records are decoded, and operations enriched. They need no state, so that another
//! thread may run them ahead of the one that decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ports::AddressBook;
use crate::engine::enrich;
use crate::engine::plan::Plan;
use crate::operation::decode::{self, Rejection};
use crate::operation::partition::Home;
use crate::operation::time::{MINUTE, Nanos};
use crate::operation::{Operation, Time};

/// One record of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub bytes: &'a [u8],
    /// When it arrived, where that is known: a time too far behind it lies in the future.
    pub arrived_at: Option<Time>,
}

/// Limits on what is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How far after a record's arrival its operation may have occurred.
    pub future_skew_max: Nanos,
    /// The partition that the records lie in, where they come from one.
    pub home: Option<Home>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { future_skew_max: 5 * MINUTE, home: None }
    }
}

/// An operation, and whether its record's arrival time is known.
type Arrived<'a> = (Operation<'a>, bool);

/// Records that were decoded: each an operation, or the reason why it is refused.
#[derive(Debug)]
#[must_use = "decoded records go on to be enriched"]
pub struct Decoded<'a> {
    operations: Vec<Result<Arrived<'a>, Rejection>>,
    took: Duration,
}

/// Operations with all that the engine derives from each: hashes, symbols, facts of its address.
#[derive(Debug)]
#[must_use = "enriched operations go on to be prepared"]
pub struct Enriched<'a> {
    pub(super) operations: Vec<Result<enrich::Enriched<'a>, Rejection>>,
    /// Whose rules said which facts to look up.
    pub(super) plan: Arc<Plan>,
    pub(super) decoded_in: Duration,
    pub(super) enriched_in: Duration,
}

/// Memory of stages that are over, for the next part of the batch: giving it back and taking it again costs
/// more than it looks.
#[derive(Debug, Default)]
pub struct Spare<'a> {
    decoded: Vec<Result<Arrived<'a>, Rejection>>,
    enriched: Vec<Result<enrich::Enriched<'a>, Rejection>>,
}

impl<'a> Spare<'a> {
    /// Takes back the memory of operations that were decided.
    pub(super) fn keep(&mut self, mut operations: Vec<Result<enrich::Enriched<'a>, Rejection>>) {
        operations.clear();
        self.enriched = operations;
    }
}

/// What decoding and enriching need; it can be shared among threads.
#[derive(Debug)]
pub struct Intake<'p, G> {
    pub plan: &'p Arc<Plan>,
    pub geo: &'p G,
    pub limits: Limits,
}

impl<G: AddressBook> Intake<'_, G> {
    /// Decodes records.
    pub fn decode<'a>(&self, records: &[Record<'a>], spare: &mut Spare<'a>) -> Decoded<'a> {
        let began = Instant::now();
        let mut operations = std::mem::take(&mut spare.decoded);
        let decode = |record: &Record<'a>| Ok((self.decode_one(record)?, record.arrived_at.is_some()));
        operations.extend(records.iter().map(decode));
        Decoded { operations, took: began.elapsed() }
    }

    /// Enriches operations.
    pub fn enrich<'a>(&self, decoded: Decoded<'a>, spare: &mut Spare<'a>) -> Enriched<'a> {
        let began = Instant::now();
        let Decoded { operations: mut decoded, took } = decoded;
        let mut operations = std::mem::take(&mut spare.enriched);
        operations.extend(decoded.drain(..).map(|decoded| decoded.map(|arrived| self.enrich_one(arrived))));
        spare.decoded = decoded;
        Enriched { operations, plan: Arc::clone(self.plan), decoded_in: took, enriched_in: began.elapsed() }
    }

    /// Returns the operations enriched for the present rules: enriches them again if other rules said what
    /// to look up.
    pub(super) fn renew<'a>(&self, enriched: Enriched<'a>, spare: &mut Spare<'a>) -> Enriched<'a> {
        if Arc::ptr_eq(&enriched.plan, self.plan) {
            return enriched;
        }
        let Enriched { operations, plan: _, decoded_in, enriched_in } = enriched;
        let bare =
            operations.into_iter().map(|enriched| enriched.map(|enriched| (enriched.operation, enriched.has_arrived)));
        let again = self.enrich(Decoded { operations: bare.collect(), took: decoded_in }, spare);
        Enriched { enriched_in: enriched_in + again.enriched_in, ..again }
    }

    fn decode_one<'a>(&self, record: &Record<'a>) -> Result<Operation<'a>, Rejection> {
        let operation = decode::decode(record.bytes)?;
        if let Some(arrived_at) = record.arrived_at
            && operation.occurred_at > arrived_at.plus(self.limits.future_skew_max)
        {
            return Err(Rejection::timestamp_in_future(operation.occurred_at, arrived_at, self.limits.future_skew_max));
        }
        if let Some(home) = self.limits.home
            && let Some(expected) = home.elsewhere(&operation.wallet_id)
        {
            return Err(Rejection::wrong_partition(home.partition, expected, home.partitioner.name()));
        }
        Ok(operation)
    }

    fn enrich_one<'a>(&self, (operation, has_arrived): Arrived<'a>) -> enrich::Enriched<'a> {
        let asks = self.plan.of(operation.kind).asks;
        let facts = self.geo.facts(operation.ip, asks);
        enrich::Enriched { has_arrived, ..enrich::Enriched::new(operation, facts) }
    }
}
