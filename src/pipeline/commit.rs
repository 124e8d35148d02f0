//! The last stage: what was decided becomes durable, then counts for others, and only then is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::ports::{SharedStore, SharedStoreError};
use crate::engine::plan::Plan;
use crate::engine::shared::SharedChange;
use crate::engine::stored::Journal;
use crate::operation::decision::Decision;
use crate::operation::decode::Rejection;

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

/// How long the stages of a batch took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stages {
    pub decode: Duration,
    pub enrich: Duration,
    /// Asking for shared windows and blocks.
    pub fetch: Duration,
    pub decide: Duration,
}

/// A batch that was decided and waits for its commit; the next one may be decided meanwhile. The state of
/// this process has moved on with it: whoever cannot commit it must drop the engine.
///
/// `W` is what the caller writes down with the batch, `J` took down what it changes in wallets' records.
#[must_use = "a decided batch is to be committed; the engine has moved on with it"]
pub struct Decided<W = (), J = Journal> {
    /// The plan it was decided by: changes name windows by their place in it.
    pub(super) plan: Arc<Plan>,
    pub(super) answers: Vec<Answer>,
    pub(super) shared: Vec<SharedChange>,
    pub(super) journal: J,
    pub(super) unknown_fields: u64,
    pub(super) stages: Stages,
    pub(super) with: W,
}

impl<W, J> Decided<W, J> {
    /// Returns one answer a record: to write down, not yet to tell.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// Returns the changes to shared state.
    #[must_use]
    pub fn shared(&self) -> &[SharedChange] {
        &self.shared
    }

    /// Returns the plan by which the batch was decided.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Returns what is written down with the batch.
    pub const fn with(&self) -> &W {
        &self.with
    }

    /// Adds what is written down with the batch, in place of what was there.
    pub fn write_with<V>(self, with: V) -> Decided<V, J> {
        let Self { plan, answers, shared, journal, unknown_fields, stages, with: _ } = self;
        Decided { plan, answers, shared, journal, unknown_fields, stages, with }
    }
}

impl<W> Decided<W> {
    /// Returns the bytes of everything that the batch changes, for rules laid out like this.
    #[must_use]
    pub fn journal(&self, layout: u64) -> Vec<u8> {
        self.journal.encode(layout, &self.shared)
    }
}

impl<W, J> fmt::Debug for Decided<W, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decided").field("answers", &self.answers).finish_non_exhaustive()
    }
}

/// A batch that is durable: its answers may be told. Only a commit makes one.
#[derive(Debug)]
pub struct Committed<W = ()> {
    /// The plan it was decided by.
    pub plan: Arc<Plan>,
    /// One answer a record.
    pub answers: Vec<Answer>,
    /// Changes to shared state.
    pub shared: Vec<SharedChange>,
    /// How many top-level fields the contract does not know.
    pub unknown_fields: u64,
    pub stages: Stages,
    /// What was written down with it.
    pub with: W,
    _durable: Durable,
}

/// Shows that a batch is durable: nothing but [`write`] can make it.
#[derive(Debug, Clone, Copy)]
pub struct Durable(());

/// What one commit takes: a batch, or several that become durable together.
pub trait Uncommitted {
    /// The same once it is durable.
    type Committed;
    /// Ends the walk.
    fn into_committed(self, durable: Durable) -> Self::Committed;
}

impl<W, J> Uncommitted for Decided<W, J> {
    type Committed = Committed<W>;

    fn into_committed(self, durable: Durable) -> Committed<W> {
        let Self { plan, answers, shared, journal: _, unknown_fields, stages, with } = self;
        Committed { plan, answers, shared, unknown_fields, stages, with, _durable: durable }
    }
}

impl<B: Uncommitted> Uncommitted for Vec<B> {
    type Committed = Vec<B::Committed>;

    fn into_committed(self, durable: Durable) -> Vec<B::Committed> {
        self.into_iter().map(|batch| batch.into_committed(durable)).collect()
    }
}

/// Where decided batches go.
pub trait CommitLog<B: Uncommitted> {
    type Error;

    /// Makes the batches durable, all or none.
    ///
    /// # Errors
    /// They are not durable, or nobody knows: the engine that decided them must not be used any more.
    fn write(&mut self, batches: &B) -> Result<(), Self::Error>;

    /// Lets others know what durable batches changed in shared state.
    ///
    /// # Errors
    /// The shared store did not take it, and nobody keeps it to try again.
    fn publish(&mut self, committed: &B::Committed) -> Result<(), Self::Error>;
}

/// Batches that are durable but not yet published: others do not know of them, and nothing may be told.
#[derive(Debug)]
#[must_use = "durable batches are to be published"]
pub struct Unpublished<C>(C);

impl<C> Unpublished<C> {
    /// Lets others know what the batches changed in shared state; then their answers may be told.
    ///
    /// # Errors
    /// Those of `publish`.
    pub fn publish<E>(self, publish: impl FnOnce(&C) -> Result<(), E>) -> Result<C, E> {
        publish(&self.0)?;
        Ok(self.0)
    }
}

/// Makes batches durable: the first half of a commit, for a log that lives on a thread of its own.
///
/// # Errors
/// Those of `write`, with the batches: they may be written again if it is sure that they are not durable.
pub fn write<B: Uncommitted, E>(
    batches: B,
    write: impl FnOnce(&B) -> Result<(), E>,
) -> Result<Unpublished<B::Committed>, (B, E)> {
    match write(&batches) {
        Ok(()) => Ok(Unpublished(batches.into_committed(Durable(())))),
        Err(error) => Err((batches, error)),
    }
}

/// Commits what was decided: first it becomes durable, then it counts for others; then its answers may be
/// told. Everyone who decides commits by this function, or by its two halves.
///
/// # Errors
/// Those of the log. The batches are gone, and nothing of them may be told.
pub fn commit<B: Uncommitted, L: CommitLog<B>>(log: &mut L, batches: B) -> Result<B::Committed, L::Error> {
    let durable = write(batches, |batches| log.write(batches)).map_err(|(_, error)| error)?;
    durable.publish(|committed| log.publish(committed))
}

/// The log of those who keep nothing beyond their own run: replays, tests of rules.
#[derive(Debug)]
pub struct Unlogged<'s, S: ?Sized>(pub &'s S);

impl<W, J, S: SharedStore + ?Sized> CommitLog<Decided<W, J>> for Unlogged<'_, S> {
    type Error = SharedStoreError;

    fn write(&mut self, _: &Decided<W, J>) -> Result<(), SharedStoreError> {
        Ok(())
    }

    fn publish(&mut self, committed: &Committed<W>) -> Result<(), SharedStoreError> {
        self.0.apply(&committed.plan, &committed.shared)
    }
}
