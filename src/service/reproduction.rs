//! A decision of the past, made again: from the operations and the rule sets that the store keeps, compared byte for
//! byte with the one that was given.
//!
//! Everything up to the decision is decided again in its order, each by the rules that decided it then. The geo
//! databases are the present ones: the store keeps none.

mod again;
mod budgets_then;
mod looking_back;
mod presumed;
pub mod report;
pub mod why;

use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use crate::adapters::store::{Store, StoreError, Stream};
use crate::geo::Geo;
use crate::operation::decision::read::DecisionRecord;
use crate::pipeline::SharedStoreError;
use crate::rules::program::RuleSet;

use super::ServiceSettings;
use super::rule_history::NotKept;
use super::search::{self, Filter, Order, Query};

use again::{Again, Log};

/// What decides again.
#[derive(Debug, Clone)]
pub struct Means {
    pub settings: ServiceSettings,
    pub geo: Arc<Geo>,
    /// The rules of today: used where a decision was made by them and the store has no note of them.
    pub present: Option<RuleSet>,
}

/// A decision that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reproduced {
    pub seq: u64,
    /// As it is stored.
    pub then: Vec<u8>,
    /// As it was made now.
    pub now: Vec<u8>,
    /// The hash of its rule set.
    pub ruleset: String,
    /// The number of the first operation that was decided again; those before it are no longer kept.
    pub from: u64,
    /// By how many rule sets, one after the other, the operations were decided.
    pub rule_sets: usize,
    /// The first decision that came out otherwise, of all up to this one.
    pub first_other: Option<u64>,
}

impl Reproduced {
    /// Tells whether both are the same bytes.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.then == self.now
    }
}

/// What is missing to make a decision again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Missing {
    #[error("no decision has this id; the store keeps those of the numbers {first} to {last}")]
    Decision { first: u64, last: u64 },
    #[error("its operation, number {0}, is no longer kept")]
    Operation(u64),
    #[error("the rule set {hash}, by which operation {seq} was decided, is missing: {why}")]
    RuleSet { hash: String, seq: u64, why: NotKept },
    #[error("operation {0} was accepted then, and would not be now: {1}")]
    Refused(u64, String),
    #[error(
        "{before} operations before it are kept, and at most {at_most} are decided again beside the service: run \
         `kuzet reproduce` on a copy of its store"
    )]
    TooMany { before: u64, at_most: u64 },
}

/// Why nothing could be made again.
#[derive(Debug, Error)]
pub enum ReproductionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Shared(#[from] SharedStoreError),
}

/// Makes the decision with an id again. Reads everything before it that is kept.
///
/// # Errors
/// Inside: what is missing. Outside: the store cannot be read.
pub fn reproduce(
    store: &Store,
    decision_id: Uuid,
    means: Means,
) -> Result<Result<Reproduced, Missing>, ReproductionError> {
    let filter = Filter { decision_id: Some(decision_id), ..Filter::default() };
    match find(store, filter)? {
        Some(found) => reproduce_found(store, found, means, u64::MAX),
        None => {
            let first = store.read(Stream::Decisions, 0, 1, 1)?.first().map_or(0, |(seq, _)| *seq);
            Ok(Err(Missing::Decision { first, last: store.position()?.seq }))
        }
    }
}

/// Makes a decision, of which the number and the bytes are known, again, if no more operations than so many before it are
/// kept.
///
/// # Errors
/// As [`reproduce`].
pub fn reproduce_found(
    store: &Store,
    (seq, then): (u64, Vec<u8>),
    means: Means,
    at_most: u64,
) -> Result<Result<Reproduced, Missing>, ReproductionError> {
    if store.item(Stream::Operations, seq)?.is_none() {
        return Ok(Err(Missing::Operation(seq)));
    }
    let first = store.read(Stream::Operations, 0, 1, 1)?.first().map_or(seq, |(first, _)| *first);
    let before = seq.saturating_sub(first);
    if before > at_most {
        return Ok(Err(Missing::TooMany { before, at_most }));
    }
    let mut reproduced = Reproduced::of(seq, then);
    let mut again = Again::new(store, means, false);
    let mut missing = None;
    Log::walk(store, seq, |part| {
        missing = again.decide_all(part, |kept, now| {
            if now != kept.decision && reproduced.first_other.is_none() {
                reproduced.first_other = Some(kept.seq);
            }
            if kept.seq == seq {
                reproduced.now = now.to_vec();
            }
        })?;
        Ok::<_, ReproductionError>(missing.is_none())
    })?;
    if let Some(missing) = missing {
        return Ok(Err(missing));
    }
    (reproduced.from, reproduced.rule_sets) = (again.from.unwrap_or(seq), again.rule_sets);
    Ok(Ok(reproduced))
}

/// Finds the first decision that a filter means, with its number.
///
/// # Errors
/// The store cannot be read.
pub fn find(store: &Store, filter: Filter) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let mut query = Query { filter, order: Order::Ascending, position: 0, limit: 1, bytes_max: usize::MAX };
    loop {
        let page = search::page(store, &query)?;
        if let Some(item) = page.items.into_iter().next() {
            return Ok(Some((item.seq, item.decision)));
        }
        if page.next == query.position {
            return Ok(None);
        }
        query.position = page.next;
    }
}

impl Reproduced {
    fn of(seq: u64, then: Vec<u8>) -> Self {
        let ruleset = DecisionRecord::decode(&then).map(|read| read.ruleset.to_string()).unwrap_or_default();
        Self { seq, then, now: Vec::new(), ruleset, from: seq, rule_sets: 0, first_other: None }
    }
}
