//! Restrictions and the operations that wait because of them.

use crate::operation::Time;
use crate::operation::decision::{Clauses, RestrictionTerms};
use crate::rules::program::{Block, Lifters};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// What a restriction of a wallet or an address does while it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RestrictionKind {
    /// Outgoing operations wait (7.13).
    Monitor,
    /// Operations are refused.
    Block(Block),
}

impl RestrictionKind {
    /// Returns `monitor` or `block`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Block(_) => "block",
        }
    }

    /// Returns the direction of a block, and an empty text for a monitoring.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Monitor => "",
            Self::Block(Block::WalletDebit) => "debit",
            Self::Block(Block::WalletBoth) => "both",
            Self::Block(Block::AddressLogin) => "login",
        }
    }
}

/// A restriction a rule placed on a wallet or an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    pub id: Uuid,
    pub rule: Arc<str>,
    pub clauses: Clauses,
    pub kind: RestrictionKind,
    pub from: Time,
    /// In force for operations before this instant; `None` until lifted.
    pub until: Option<Time>,
    pub lifted_by: Lifters,
}

impl Restriction {
    /// Tells whether the restriction is in force for an operation of this time that arrives now.
    #[must_use]
    pub fn covers(&self, at: Time) -> bool {
        self.until.is_none_or(|until| at < until)
    }

    /// Tells whether the restriction has left the state whose newest operation is at `newest`.
    #[must_use]
    pub fn is_gone(&self, newest: Time, lateness: i64) -> bool {
        self.until.is_some_and(|until| newest >= until.plus(lateness))
    }

    /// Returns what commands say of it.
    #[must_use]
    pub fn terms(&self) -> RestrictionTerms {
        terms(self.id, self.from, self.until, self.lifted_by)
    }
}

/// Returns what commands say of a restriction.
#[must_use]
pub fn terms(id: Uuid, from: Time, until: Option<Time>, lifted_by: Lifters) -> RestrictionTerms {
    RestrictionTerms { id, from, until, lifted_by: lifted_by.iter().map(crate::rules::program::Lifter::name).collect() }
}

/// One reason why an operation waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Of the operation's own hold, or of a monitoring of its wallet.
    pub restriction: Uuid,
    pub rule: Arc<str>,
    pub clauses: Clauses,
    /// Set on the operation's own hold: who lifts it. A monitoring is lifted by itself.
    pub own: Option<Lifters>,
}

/// A rule that asked for the PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinChallenge {
    pub rule: Arc<str>,
    pub clauses: Clauses,
}

/// An operation that waits, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub op_id: Box<str>,
    pub id: u128,
    /// Position among the wallet's accepted operations.
    pub arrival: u64,
    pub since: Time,
    pub holds: Vec<Cause>,
    pub pins: Vec<PinChallenge>,
}

impl Waiting {
    /// Tells whether nothing keeps the operation any more.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.holds.is_empty() && self.pins.is_empty()
    }
}
