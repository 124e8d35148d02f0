//! What version 1 of the record format held, where it differs from the present one.
//!
//! Then a rule that fired again placed a further restriction, if that ended later than those in force. A record
//! has one of each rule and kind now: the one that ends last, which counts as fired when the latest began.

use crate::engine::state::changes;
use crate::engine::state::restriction::{self, Cause, PinChallenge, RestrictionKind};
use crate::engine::state::shared::change::{self, Party, SharedKey};
use crate::engine::state::wallet::runs::Run;
use crate::engine::window::Entry;
use crate::operation::Time;
use crate::operation::decision::Clauses;
use crate::rules::program::Lifters;
use serde::Deserialize;
use std::sync::Arc;
use uuid::Uuid;

#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Debug, Deserialize)]
pub(super) struct Restriction {
    id: Uuid,
    rule: Arc<str>,
    clauses: Clauses,
    kind: RestrictionKind,
    from: Time,
    until: Option<Time>,
    lifted_by: Lifters,
}

impl From<Restriction> for restriction::Restriction {
    fn from(old: Restriction) -> Self {
        let Restriction { id, rule, clauses, kind, from, until, lifted_by } = old;
        Self { id, rule, clauses, kind, from, until, lifted_by, fired_last: from }
    }
}

/// Merges what the same rule placed beside each other.
pub(super) fn merge(old: Vec<Restriction>) -> Vec<restriction::Restriction> {
    restriction::merge_like(old.into_iter().map(restriction::Restriction::from))
}

#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Debug, Deserialize)]
pub(super) struct Waiting {
    op_id: Box<str>,
    id: u128,
    arrival: u64,
    since: Time,
    holds: Vec<Cause>,
    pins: Vec<PinChallenge>,
}

impl From<Waiting> for restriction::Waiting {
    fn from(old: Waiting) -> Self {
        let Waiting { op_id, id, arrival, since, holds, pins } = old;
        // Where a transfer goes to was not kept.
        Self { op_id, id, arrival, since, holds, pins, recipient: None }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ColdChanges {
    runs: Vec<Run>,
    placed: Vec<Restriction>,
    lifted: Vec<Uuid>,
    no_longer_waiting: Vec<u64>,
    waits_otherwise: Vec<Waiting>,
    starts_waiting: Option<Waiting>,
    texts: Vec<(u64, Box<str>)>,
}

impl From<ColdChanges> for changes::ColdChanges {
    fn from(old: ColdChanges) -> Self {
        let ColdChanges { runs, placed, lifted, no_longer_waiting, waits_otherwise, starts_waiting, texts } = old;
        Self {
            runs,
            placed: placed.into_iter().map(Into::into).collect(),
            lifted,
            no_longer_waiting,
            waits_otherwise: waits_otherwise.into_iter().map(Into::into).collect(),
            starts_waiting: starts_waiting.map(Into::into),
            texts,
            confirmed_day: None,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) enum SharedChange {
    Insert { key: SharedKey, entry: Entry },
    Remove { key: SharedKey, entry: Entry },
    Run { key: SharedKey, length: u64, last: Time },
    Text { key: SharedKey, symbol: u64, text: Box<str> },
    Place { party: Party, restriction: Box<Restriction> },
    Lift { party: Party, restriction: Uuid },
    Seen { party: Party, at: Time },
}

impl From<SharedChange> for change::SharedChange {
    fn from(old: SharedChange) -> Self {
        match old {
            SharedChange::Insert { key, entry } => Self::Insert { key, entry },
            SharedChange::Remove { key, entry } => Self::Remove { key, entry },
            SharedChange::Run { key, length, last } => Self::Run { key, length, last },
            SharedChange::Text { key, symbol, text } => Self::Text { key, symbol, text },
            SharedChange::Place { party, restriction } => {
                Self::Place { party, restriction: Box::new((*restriction).into()) }
            }
            SharedChange::Lift { party, restriction } => Self::Lift { party, restriction },
            SharedChange::Seen { party, at } => Self::Seen { party, at },
        }
    }
}

/// Reads a block of the directory as version 1 wrote it.
///
/// # Errors
/// The bytes are damaged.
pub fn read_block(reader: &mut super::Reader<'_>) -> Result<restriction::Restriction, super::StoredError> {
    reader.value::<Restriction>().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::program::Block;

    #[test]
    fn restrictions_side_by_side_become_the_one_that_ends_last() {
        let one = |id: u128, rule: &str, from: i64, until: Option<i64>| Restriction {
            id: Uuid::from_u128(id),
            rule: rule.into(),
            clauses: Arc::from([Arc::from("7.15")]),
            kind: RestrictionKind::Block(Block::WalletDebit),
            from: Time::from_nanos(from),
            until: until.map(Time::from_nanos),
            lifted_by: Lifters::default(),
        };
        let stacked = vec![
            one(1, "a", 10, Some(20)),
            one(2, "b", 5, None),
            one(3, "a", 15, Some(25)),
            one(4, "a", 12, Some(22)),
            one(5, "a", 24, Some(34)),
        ];
        let merged: Vec<(u128, i64, Option<i64>, i64)> = merge(stacked)
            .iter()
            .map(|r| (r.id.as_u128(), r.from.nanos(), r.until.map(Time::nanos), r.fired_last.nanos()))
            .collect();
        assert_eq!(merged, [(5, 24, Some(34), 24), (2, 5, None, 5)]);
    }
}
