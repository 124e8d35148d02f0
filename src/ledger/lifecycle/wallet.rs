//! What is known of one wallet: its restrictions and what waits.

use crate::operation::Time;

use super::super::read::Lifters;

#[derive(Debug)]
pub(super) struct Wallet {
    pub(super) shard: u32,
    pub(super) restrictions: Vec<Restriction>,
    pub(super) waiting: Vec<Waiting>,
}

#[derive(Debug)]
pub(super) struct Restriction {
    pub(super) id: u128,
    pub(super) kind: Kind,
    pub(super) until: Option<Time>,
    pub(super) lifted_by: Lifters,
    pub(super) rule: u128,
    /// The greatest time of the operations that placed or extended it, or fired its rule meanwhile.
    pub(super) fired_last: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Monitor,
    BlockDebit,
    BlockBoth,
}

impl Restriction {
    pub(super) fn covers(&self, at: Time) -> bool {
        self.until.is_none_or(|until| at < until)
    }

    pub(super) fn blocks_debits(&self) -> bool {
        matches!(self.kind, Kind::BlockDebit | Kind::BlockBoth)
    }

    /// May this rule have another of this kind on this wallet? It has one at most.
    pub(super) fn is_kin_of(&self, other: &Self) -> bool {
        self.rule == other.rule && self.kind == other.kind
    }

    /// Does it end before another end? No end is later than any instant.
    pub(super) fn ends_before(&self, end: Option<Time>) -> bool {
        self.until.is_some_and(|until| end.is_none_or(|end| until < end))
    }
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) op_id: Box<str>,
    pub(super) occurred_at: Time,
    pub(super) causes: Vec<Cause>,
    pub(super) pin: Pin,
    /// The ledger may have taken it back.
    pub(super) is_in_doubt: bool,
}

#[derive(Debug)]
pub(super) struct Cause {
    pub(super) restriction: u128,
    /// Set for the operation's own hold: who lifts it.
    pub(super) own: Option<Lifters>,
    /// The owner may have settled the operation, so that it counts no more.
    pub(super) is_in_doubt: bool,
}

impl Cause {
    /// A monitoring, or a block without an end.
    pub(super) fn of_wallet(restriction: u128) -> Self {
        Self { restriction, own: None, is_in_doubt: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pin {
    No,
    Asked,
    /// Asked, and perhaps given.
    InDoubt,
}

impl Wallet {
    pub(super) fn position(&self, op_id: &str) -> Option<usize> {
        self.waiting.iter().position(|waiting| &*waiting.op_id == op_id)
    }

    pub(super) fn restriction(&self, id: u128) -> Option<&Restriction> {
        self.restrictions.iter().find(|known| known.id == id)
    }
}
