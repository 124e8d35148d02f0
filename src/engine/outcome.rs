//! What deciding one operation yields: the decision, and the changes it makes to state.
//!
//! Deciding changes nothing. Whoever runs the engine applies the changes: to its view of the batch at
//! once, so that the batch's next operation sees them, and for good only with the batch's commit.

use crate::engine::state::changes::Changes;
use crate::operation::decision::Decision;

pub use crate::engine::state::changes::{ColdChanges, SharedChanges};

/// What became of one record's operation.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every step is a decision; a box would cost each of them")]
pub enum Disposition {
    Decided(Outcome),
    /// The operation was decided before, with the same content; its decision has this sequence number.
    Duplicate {
        seq: u64,
    },
    /// The id was used before, with other content.
    Conflict,
}

/// A decision and the state changes that go with it.
#[derive(Debug)]
pub struct Outcome {
    pub decision: Box<Decision>,
    pub changes: Changes,
    pub shared: SharedChanges,
}
