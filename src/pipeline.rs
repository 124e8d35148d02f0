//! The only loop: a batch of records in, decided, committed, and only then counting.
//!
//! records → decode → enrich → prepare → one fetch of shared state → decide each in order → commit.
//! Declares what the loop needs of the outside as ports; knows none of their implementations.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use thiserror::Error;

use crate::engine::Engine;
use crate::engine::enrich::{AddressFacts, Enriched};
use crate::engine::outcome::Disposition;
use crate::engine::plan::Plan;
use crate::engine::shared::{SharedChange, SharedRequest, SharedView};
use crate::engine::stored::Journal;
use crate::engine::wallets::PrefetchKey;
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::decision::Decision;
use crate::operation::decode::{self, Rejection};
use crate::operation::partition::Home;
use crate::rules::program::Inputs;

/// How many records are understood and decided together while they lie in the processor's caches.
const SUB_BATCH: usize = 64;

/// State that wallets share, behind whatever keeps it.
pub trait SharedStore {
    /// Tells whether asking costs little, so that a batch may ask often: no network lies between.
    fn is_near(&self) -> bool {
        false
    }
    /// Fetches what a batch needs. A store that is away answers with a view that is not available.
    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView);
    /// Makes the changes of a committed batch count. Idempotent by operation.
    ///
    /// # Errors
    /// The store is away or refused them; some may count already. The caller keeps the changes and repeats
    /// them, in their order, until the store takes them: before it decides the next batch. Until
    /// [`Self::caught_up`] the store answers as if it were away, for its windows lack these changes.
    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError>;
    /// Says that no change is owed any more, after calls of [`Self::apply`] that failed.
    fn caught_up(&self) {}
}

impl<S: SharedStore + ?Sized> SharedStore for Arc<S> {
    fn is_near(&self) -> bool {
        (**self).is_near()
    }
    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView) {
        (**self).fetch(plan, request, view);
    }
    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError> {
        (**self).apply(plan, changes)
    }
    fn caught_up(&self) {
        (**self).caught_up();
    }
}

/// Why a shared store did not do what it was asked for. Never holds an id, an address or a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SharedStoreError {
    /// It does not answer, or not in time; or it has just failed, and is not asked again so soon.
    #[error("the shared store is away: {0}")]
    Away(String),
    /// It answered, and refused.
    #[error("the shared store refused: {0}")]
    Refused(String),
}

/// What is known of addresses.
pub trait AddressBook {
    /// Looks an operation's address up; without one, tells what could have been known.
    fn facts(&self, address: Option<IpAddr>, asks: Inputs) -> AddressFacts;
}

impl<B: AddressBook + ?Sized> AddressBook for Arc<B> {
    fn facts(&self, address: Option<IpAddr>, asks: Inputs) -> AddressFacts {
        (**self).facts(address, asks)
    }
}

impl AddressBook for Geo {
    fn facts(&self, address: Option<IpAddr>, asks: Inputs) -> AddressFacts {
        AddressFacts::of(self, address, asks)
    }
}

/// One record of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub bytes: &'a [u8],
    /// When it arrived, where that is known: a time too far behind it lies in the future.
    pub arrived_at: Option<Time>,
}

/// What became of one record, in the order of the batch.
#[derive(Debug)]
pub enum Answer {
    Decided(Box<Decision>),
    /// Decided before; the decision has this sequence number.
    Duplicate {
        seq: u64,
    },
    Rejected(Rejection),
}

/// Limits of the loop.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How far after a record's arrival its operation may have occurred, in nanoseconds.
    pub future_skew_max: i64,
    /// The partition that the records lie in, where they come from one.
    pub home: Option<Home>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { future_skew_max: 5 * crate::operation::time::MINUTE, home: None }
    }
}

/// A batch that was decided and waits for its commit.
#[derive(Debug)]
pub struct Decided {
    /// One answer a record.
    pub answers: Vec<Answer>,
    /// Changes to shared state, for after the commit.
    pub shared: Vec<SharedChange>,
    /// How many top-level fields the contract does not know.
    pub unknown_fields: u64,
    /// How long each stage took.
    pub stages: Stages,
}

/// How long the stages of a batch took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stages {
    pub decode: Duration,
    pub enrich: Duration,
    /// Asking for shared windows and blocks.
    pub fetch: Duration,
    pub decide: Duration,
}

/// Returns the time since the last lap, and begins the next.
fn lap(since: &mut Instant) -> Duration {
    let now = Instant::now();
    let took = now.duration_since(*since);
    *since = now;
    took
}

/// The engine with what it needs to decide batches.
pub struct Pipeline<S, G = Geo> {
    pub engine: Engine,
    pub geo: G,
    pub store: S,
    pub limits: Limits,
}

impl<S: SharedStore, G: AddressBook> Pipeline<S, G> {
    /// Decides a batch. The wallets' records move on with it: whoever cannot commit the batch must
    /// drop the engine, or read the touched records again from what was committed last.
    pub fn decide(&mut self, records: &[Record<'_>]) -> Decided {
        self.decide_with(records, None)
    }

    /// Decides a batch like [`Self::decide`], and writes down what it changes in the wallets' records.
    pub fn decide_with(&mut self, records: &[Record<'_>], mut journal: Option<&mut Journal>) -> Decided {
        let mut decided = Decided {
            answers: Vec::with_capacity(records.len()),
            shared: Vec::new(),
            unknown_fields: 0,
            stages: Stages::default(),
        };
        let mut view = SharedView::of_batch(records.len());
        let fetched_together = if self.store.is_near() { SUB_BATCH } else { records.len().max(1) };
        // Memory of a batch is taken once: giving it back and taking it again costs more than it looks.
        let mut operations = Vec::with_capacity(fetched_together.min(records.len()));
        let mut request = SharedRequest::default();
        for part in records.chunks(fetched_together) {
            let mut watch = Instant::now();
            operations.clear();
            operations.extend(part.iter().map(|record| self.decode(record)));
            decided.stages.decode += lap(&mut watch);
            operations.iter_mut().flatten().for_each(|operation| self.look_up(operation));
            decided.stages.enrich += lap(&mut watch);
            request.clear();
            for operation in operations.iter().flatten() {
                self.engine.prepare_parties(operation, &mut request);
                if !self.store.is_near() {
                    self.engine.prepare_windows(operation, &mut request);
                }
            }
            request.keep_unknown(&view);
            self.store.fetch(self.engine.plan(), &request, &mut view);
            decided.stages.fetch += lap(&mut watch);
            for near in operations.chunks(SUB_BATCH) {
                self.decide_some(near, &mut view, &mut decided, journal.as_deref_mut());
            }
            decided.stages.decide += lap(&mut watch);
        }
        decided.shared = view.into_changes();
        decided
    }

    fn decide_some(
        &mut self,
        operations: &[Result<Enriched<'_>, Rejection>],
        view: &mut SharedView,
        decided: &mut Decided,
        mut journal: Option<&mut Journal>,
    ) {
        let key_of = |operation: &Enriched<'_>| PrefetchKey { wallet: operation.wallet, operation: operation.id };
        let wallets: SmallVec<[PrefetchKey; SUB_BATCH]> = operations.iter().flatten().map(key_of).collect();
        self.engine.wallets().prefetch(&wallets);
        if let Some(near) = &view.near {
            near.prefetch(&self.engine.near_keys(operations.iter().flatten()));
        }
        for operation in operations {
            let answer = match operation {
                Ok(operation) => {
                    decided.unknown_fields += u64::from(operation.operation.unknown_fields);
                    self.decide_one(operation, view, journal.as_deref_mut())
                }
                Err(rejection) => Answer::Rejected(rejection.clone()),
            };
            decided.answers.push(answer);
        }
    }

    /// Makes the shared part of a committed batch count.
    ///
    /// # Errors
    /// The store did not take it; see [`SharedStore::apply`] for what is left to do.
    pub fn committed(&self, decided: &Decided) -> Result<(), SharedStoreError> {
        self.store.apply(self.engine.plan(), &decided.shared)
    }

    fn decode<'a>(&self, record: &Record<'a>) -> Result<Enriched<'a>, Rejection> {
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
        Ok(Enriched::hashed(operation))
    }

    fn look_up(&self, operation: &mut Enriched<'_>) {
        let asks = self.engine.plan().of(operation.operation.kind).asks;
        operation.facts = self.geo.facts(operation.operation.ip, asks);
    }

    fn decide_one(&mut self, operation: &Enriched<'_>, view: &mut SharedView, journal: Option<&mut Journal>) -> Answer {
        match self.engine.decide(operation, view) {
            Disposition::Duplicate { seq } => Answer::Duplicate { seq },
            Disposition::Conflict => Answer::Rejected(Rejection::conflicting_duplicate(&operation.operation.op_id)),
            Disposition::Decided(mut outcome) => {
                for change in outcome.shared {
                    view.apply(self.engine.plan(), change);
                }
                if let Some(journal) = journal {
                    journal.record(&operation.operation.wallet_id, &outcome.changes);
                }
                self.engine.apply(operation, &mut outcome.changes);
                Answer::Decided(outcome.decision)
            }
        }
    }
}
