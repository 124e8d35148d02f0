//! What deciding one operation yields: the decision, and the changes it makes to state.
//!
//! Deciding changes nothing. Whoever runs the engine applies the changes: to its view of the batch at
//! once, so that the batch's next operation sees them, and for good only with the batch's commit.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::operation::Time;
use crate::operation::decision::Decision;

use super::restriction::{Restriction, Waiting};
use super::shared::SharedChange;
use super::wallet::Run;

/// What became of one record's operation.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every step is a decision; a box would cost each of them")]
pub enum Step {
    Decided(Outcome),
    /// The operation was decided before, with the same content; its decision has this sequence number.
    Duplicate {
        seq: u64,
    },
    /// The id was used before, with other content.
    Conflict,
}

/// Changes to shared state: most operations enter two windows of one key.
pub type SharedChanges = SmallVec<[SharedChange; 2]>;

/// A decision and the state changes that go with it.
#[derive(Debug)]
pub struct Outcome {
    pub decision: Box<Decision>,
    pub changes: Changes,
    pub shared: SharedChanges,
}

/// Changes to the acting wallet's record.
#[derive(Debug, Default)]
pub struct Changes {
    /// The operation's time, unless it was refused.
    pub newest: Option<Time>,
    /// New rows of the log, end to end.
    pub rows: SmallVec<[u64; 16]>,
    /// The operation that leaves every window.
    pub cancelled: Option<u128>,
    rare: Option<Box<RareChanges>>,
}

/// Changes to what most wallets have none of.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RareChanges {
    pub runs: Vec<Run>,
    pub placed: Vec<Restriction>,
    pub lifted: Vec<Uuid>,
    /// Operations that no longer wait, by arrival.
    pub no_longer_waiting: Vec<u64>,
    /// Operations that wait for other reasons than before, whole.
    pub waits_otherwise: Vec<Waiting>,
    /// This operation waits.
    pub starts_waiting: Option<Waiting>,
    pub texts: Vec<(u64, Box<str>)>,
}

impl Changes {
    /// Returns the changes of what most wallets have none of, to add to them.
    pub fn rare(&mut self) -> &mut RareChanges {
        self.rare.get_or_insert_default()
    }

    /// Returns the changes of what most wallets have none of, where there are any.
    #[must_use]
    pub fn peek_rare(&self) -> Option<&RareChanges> {
        self.rare.as_deref()
    }

    /// Takes the changes of what most wallets have none of.
    #[must_use]
    pub fn take_rare(&mut self) -> Option<Box<RareChanges>> {
        self.rare.take()
    }
}
