//! The walk of operations, from records to a commit, as types: each stage consumes the one before it, so
//! that none can be skipped or done twice.
//!
//! | stage | is | made by |
//! |---|---|---|
//! | [`Decoded`] | operations, or why a record is refused | [`Intake::decode`] |
//! | [`Enriched`] | with hashes, symbols and facts of the address | [`Intake::enrich`] |
//! | [`Prepared`] | with the shared windows and blocks that deciding will read | [`Pipeline::prepare`] |
//! | [`Decided`] | answers, and what is to be written down | [`Pipeline::decide_prepared`], [`Pipeline::finish`] |
//! | [`Committed`] | answers that may be told | [`commit`] |
//!
//! [`Pipeline::decide`] goes all the way to [`Decided`], in parts that lie in the processor's caches together.
//! The state of the process (wallets' records, shared windows kept in memory) moves on while a batch is
//! decided, and nowhere else; so a decided batch may wait for its commit while the next one is decided. What
//! a batch writes down is a [`CommitLog`]'s business: a store, a transaction of Kafka, or nothing.
//!
//! What the walk needs of the outside are [ports](SharedStore); it knows none of their implementations.

mod commit;
mod intake;
mod ports;

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

pub use commit::{
    Answer, CommitLog, Committed, Decided, Durable, Stages, Uncommitted, Unlogged, Unpublished, commit, write,
};
pub use intake::{Decoded, Enriched, Intake, Limits, Record, Spare};
pub use ports::{AddressBook, SharedStore, SharedStoreError};

use crate::engine::Engine;
use crate::engine::enrich;
use crate::engine::outcome::{Disposition, Outcome};
use crate::engine::shared::{SharedRequest, SharedView};
use crate::engine::stored::{ChangeLog, Journal, NoJournal};
use crate::engine::wallets::PrefetchKey;
use crate::geo::Geo;
use crate::operation::decision::Decision;
use crate::operation::decode::Rejection;

/// The longest decision, below the megabyte that Kafka takes by default.
pub const DECISION_BYTES_MAX: usize = 900_000;
/// How many records are understood and decided together while they lie in the processor's caches.
const SUB_BATCH: usize = 64;

/// A batch that is being decided, part by part: what it comes to so far, and shared state as it sees it. `J` takes
/// down what it changes in wallets' records.
#[must_use = "a batch is to be finished; the engine has moved on with it"]
pub struct Batch<J = Journal> {
    view: SharedView,
    answers: Vec<Answer>,
    journal: J,
    unknown_fields: u64,
    stages: Stages,
}

impl<J: ChangeLog> Batch<J> {
    /// Begins a batch of so many records.
    pub fn of(records: usize) -> Self {
        Self {
            view: SharedView::of_batch(records),
            answers: Vec::with_capacity(records),
            journal: J::default(),
            unknown_fields: 0,
            stages: Stages::default(),
        }
    }
}

/// Operations that can be decided: what they will read of shared state is there.
#[must_use = "prepared operations go on to be decided"]
pub struct Prepared<'a, J = Journal> {
    operations: Vec<Result<enrich::Enriched<'a>, Rejection>>,
    batch: Batch<J>,
}

/// The engine with what it needs to decide batches.
pub struct Pipeline<S, G = Geo> {
    pub engine: Engine,
    pub geo: G,
    pub store: S,
    pub limits: Limits,
}

impl<S: SharedStore, G: AddressBook> Pipeline<S, G> {
    /// Decides a batch that is to be written down.
    pub fn decide(&mut self, records: &[Record<'_>]) -> Decided {
        self.decide_into::<Journal>(records)
    }

    fn decide_into<J: ChangeLog>(&mut self, records: &[Record<'_>]) -> Decided<(), J> {
        let mut batch = Batch::<J>::of(records.len());
        let part_max = if self.store.is_near() { SUB_BATCH } else { records.len().max(1) };
        let mut spare = Spare::default();
        for part in records.chunks(part_max) {
            let decoded = self.intake().decode(part, &mut spare);
            let enriched = self.intake().enrich(decoded, &mut spare);
            let prepared = self.prepare(enriched, batch, &mut spare);
            batch = self.decide_prepared(prepared, &mut spare);
        }
        self.finish(batch)
    }

    /// Tells what would be decided on a record now. Nothing moves on.
    pub fn foresee(&mut self, record: Record<'_>) -> Answer {
        let foreseen = self.look_at(record, |engine, enriched, view| match engine.foresee(enriched, view) {
            Disposition::Duplicate { seq } => Answer::Duplicate { seq },
            Disposition::Conflict => Answer::Rejected(Rejection::conflicting_duplicate(&enriched.operation.op_id)),
            Disposition::Decided(outcome) => Answer::Decided(outcome.decision),
        });
        foreseen.unwrap_or_else(Answer::Rejected)
    }

    /// Shows the engine a record's operation, with what deciding it reads of shared state. Nothing moves on.
    ///
    /// # Errors
    /// The record is refused.
    pub fn look_at<R>(
        &mut self,
        record: Record<'_>,
        look: impl FnOnce(&mut Engine, &enrich::Enriched<'_>, &SharedView) -> R,
    ) -> Result<R, Rejection> {
        let mut spare = Spare::default();
        let decoded = self.intake().decode(&[record], &mut spare);
        let enriched = self.intake().enrich(decoded, &mut spare);
        let Prepared { operations, batch } = self.prepare(enriched, Batch::<NoJournal>::of(1), &mut spare);
        let Some(enriched) = operations.into_iter().next() else {
            unreachable!("a record is one operation or refused")
        };
        Ok(look(&mut self.engine, &enriched?, &batch.view))
    }

    /// Decides a batch and commits it where nothing is written down.
    ///
    /// # Errors
    /// The shared store did not take the changes; see [`SharedStore::apply`].
    pub fn process(&mut self, records: &[Record<'_>]) -> Result<Committed, SharedStoreError> {
        let decided = self.decide_into::<NoJournal>(records);
        commit(&mut Unlogged(&self.store), decided)
    }

    /// Returns what decodes and enriches.
    pub const fn intake(&self) -> Intake<'_, G> {
        Intake { plan: self.engine.plan(), geo: &self.geo, limits: self.limits }
    }

    /// Fetches what deciding these operations as the batch's next part will read of shared state.
    pub fn prepare<'a, J: ChangeLog>(
        &self,
        enriched: Enriched<'a>,
        mut batch: Batch<J>,
        spare: &mut Spare<'a>,
    ) -> Prepared<'a, J> {
        let enriched = self.intake().renew(enriched, spare);
        let began = Instant::now();
        let mut request = SharedRequest::default();
        for one in enriched.operations.iter().flatten() {
            self.engine.prepare_parties(one, &mut request);
            if !self.store.is_near() {
                self.engine.prepare_windows(one, &mut request);
            }
        }
        request.keep_unknown(&batch.view);
        self.store.fetch(self.engine.plan(), &request, &mut batch.view);
        batch.stages.decode += enriched.decoded_in;
        batch.stages.enrich += enriched.enriched_in;
        batch.stages.fetch += began.elapsed();
        Prepared { operations: enriched.operations, batch }
    }

    /// Decides prepared operations in their order. Wallets' records move on here, and nowhere else.
    pub fn decide_prepared<'a, J: ChangeLog>(&mut self, prepared: Prepared<'a, J>, spare: &mut Spare<'a>) -> Batch<J> {
        let began = Instant::now();
        let Prepared { operations, mut batch } = prepared;
        for together in operations.chunks(SUB_BATCH) {
            self.prefetch(together, &batch.view);
            for enriched in together {
                let answer = match enriched {
                    Ok(enriched) => self.decide_one(enriched, &mut batch),
                    Err(rejection) => Answer::Rejected(rejection.clone()),
                };
                batch.answers.push(answer);
            }
        }
        spare.keep(operations);
        batch.stages.decide += began.elapsed();
        batch
    }

    /// Ends a batch: shared state inside this process moves on with it.
    pub fn finish<J: ChangeLog>(&self, batch: Batch<J>) -> Decided<(), J> {
        let Batch { view, answers, journal, unknown_fields, mut stages } = batch;
        let began = Instant::now();
        let shared = view.into_changes();
        let plan = Arc::clone(self.engine.plan());
        self.store.decided(&plan, &shared);
        stages.decide += began.elapsed();
        Decided { plan, answers, shared, journal, unknown_fields, stages, with: () }
    }

    fn prefetch(&self, operations: &[Result<enrich::Enriched<'_>, Rejection>], view: &SharedView) {
        let key_of = |enriched: &enrich::Enriched<'_>| PrefetchKey { wallet: enriched.wallet, operation: enriched.id };
        let wallets: SmallVec<[PrefetchKey; SUB_BATCH]> = operations.iter().flatten().map(key_of).collect();
        self.engine.wallets().prefetch(&wallets);
        if let Some(near) = &view.near {
            near.prefetch(&self.engine.near_keys(operations.iter().flatten()));
        }
    }

    fn decide_one<J: ChangeLog>(&mut self, enriched: &enrich::Enriched<'_>, batch: &mut Batch<J>) -> Answer {
        batch.unknown_fields += u64::from(enriched.operation.unknown_fields);
        match self.engine.decide(enriched, &batch.view) {
            Disposition::Duplicate { seq } => Answer::Duplicate { seq },
            Disposition::Conflict => Answer::Rejected(Rejection::conflicting_duplicate(&enriched.operation.op_id)),
            Disposition::Decided(Outcome { decision, mut changes, shared }) => {
                if let Some(rejection) = too_large(&decision) {
                    // Nothing has changed yet.
                    return Answer::Rejected(rejection);
                }
                for change in shared {
                    batch.view.apply(self.engine.plan(), change);
                }
                batch.journal.record(&enriched.operation.wallet_id, &changes);
                self.engine.apply(enriched, &mut changes);
                Answer::Decided(decision)
            }
        }
    }
}

/// Refuses a decision that Kafka would not take, and the store could not read back with many of its kind: one that
/// settles thousands of operations at once.
fn too_large(decision: &Decision) -> Option<Rejection> {
    if decision.bytes_at_most() <= DECISION_BYTES_MAX {
        return None;
    }
    let mut out = Vec::new();
    decision.encode(&mut out);
    let commands = decision.commands.len();
    (out.len() > DECISION_BYTES_MAX).then(|| Rejection::decision_too_large(out.len(), commands, DECISION_BYTES_MAX))
}

#[cfg(test)]
mod tests;
