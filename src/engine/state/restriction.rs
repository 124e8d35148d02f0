//! Restrictions and the operations that wait because of them.

use crate::operation::Time;
use crate::operation::decision::{Clauses, RestrictionTerms};
use crate::operation::time::Nanos;
use crate::rules::program::{Block, Lifters};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// What a restriction of a wallet or an address does while it is in force. Stored by position: a later one comes at
/// the end.
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
    /// The greatest time among the operations that placed or extended it, or fired its rule again while it was
    /// in force. Only what is proved then or later can lift it.
    pub fired_last: Time,
}

impl Restriction {
    /// Tells whether the restriction is in force for an operation of this time that arrives now.
    #[must_use]
    pub fn covers(&self, at: Time) -> bool {
        self.until.is_none_or(|until| at < until)
    }

    /// Tells whether the restriction ends by itself before `other`, or at the same instant as it.
    #[must_use]
    pub fn ends_with_or_before(&self, other: Option<Time>) -> bool {
        match (self.until, other) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(until), Some(other)) => until <= other,
        }
    }

    /// Takes in that the rule fired again, for as long as `until`: the later end and the later firing count.
    /// Everything else stays. In whatever order firings are taken in, the same comes of it.
    pub fn extend(&mut self, until: Option<Time>, fired: Time) {
        if self.ends_with_or_before(until) {
            self.until = until;
        }
        self.fired_last = self.fired_last.max(fired);
    }

    /// Tells whether the other is what the same rule placed on the same subject: of such there is one.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.rule == other.rule
    }

    /// Returns the reason to wait that it is.
    #[must_use]
    pub fn as_cause(&self) -> Cause {
        Cause { restriction: self.id, rule: self.rule.clone(), clauses: self.clauses.clone(), own: None }
    }

    /// Tells whether it stops the wallet's debits.
    #[must_use]
    pub const fn blocks_debits(&self) -> bool {
        matches!(self.kind, RestrictionKind::Block(Block::WalletDebit | Block::WalletBoth))
    }

    /// Tells whether the restriction has left the state whose newest operation is at `newest`.
    #[must_use]
    pub fn is_gone(&self, newest: Time, lateness: Nanos) -> bool {
        self.until.is_some_and(|until| newest >= until.plus(lateness))
    }

    /// Returns what commands say of it.
    #[must_use]
    pub fn terms(&self) -> RestrictionTerms {
        terms(self.id, self.from, self.until, self.lifted_by)
    }
}

/// Merges restrictions of the same rule and kind on one subject: the one that ends last stays, with the latest
/// firing of all. Releases before the present one placed several beside each other.
#[must_use]
pub fn merge_like(restrictions: impl IntoIterator<Item = Restriction>) -> Vec<Restriction> {
    let mut merged: Vec<Restriction> = Vec::new();
    for next in restrictions {
        match merged.iter_mut().find(|known| known.is_like(&next)) {
            Some(known) => {
                let fired = known.fired_last.max(next.fired_last);
                if known.ends_with_or_before(next.until) {
                    *known = next;
                }
                known.fired_last = fired;
            }
            None => merged.push(next),
        }
    }
    merged
}

/// Returns what commands say of a restriction.
#[must_use]
pub fn terms(id: Uuid, from: Time, until: Option<Time>, lifted_by: Lifters) -> RestrictionTerms {
    RestrictionTerms { id, from, until, lifted_by: lifted_by.iter().map(crate::rules::program::Lifter::name).collect() }
}

/// One reason why an operation waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Of the operation's own hold, of a monitoring of its wallet, or of a block without an end that came
    /// between the operation and its release.
    pub restriction: Uuid,
    pub rule: Arc<str>,
    pub clauses: Clauses,
    /// Set on the operation's own hold: who lifts it. Restrictions of the wallet are lifted by themselves.
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
    /// The symbol of the wallet that a transfer goes to, unless it is the acting one: its own block stands
    /// in the way of a release.
    pub recipient: Option<u64>,
}

impl Waiting {
    /// Tells whether nothing keeps the operation any more.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.holds.is_empty() && self.pins.is_empty()
    }
}
