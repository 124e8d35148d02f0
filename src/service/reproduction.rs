//! A decision of the past, made again: from the operations and the rule sets that the store keeps, compared byte for
//! byte with the one that was given.
//!
//! Everything up to the decision is decided again in its order, each by the rules that decided it then. The geo
//! databases are the present ones: the store keeps none.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use thiserror::Error;
use uuid::Uuid;

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::block::Block;
use crate::adapters::store::{Store, StoreError, Stream};
use crate::engine::Engine;
use crate::engine::plan::Plan;
use crate::engine::stored::StateLayout;
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::decision::read::DecisionRecord;
use crate::pipeline::{Answer, Pipeline, Record, SharedStoreError};
use crate::rules::program::RuleSet;

use super::ServiceSettings;
use super::rule_change::RETIRED_FOR;
use super::rule_history::{self, NotKept};
use super::search::{self, Filter, Order, Query};
use super::switching::{self, By, Present};

/// So many operations are decided together.
const BATCH: usize = 1_024;

/// What decides again.
#[derive(Debug)]
pub struct Means {
    pub settings: ServiceSettings,
    pub geo: Geo,
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
}

/// Why nothing could be made again.
#[derive(Debug, Error)]
pub enum ReproductionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Shared(#[from] SharedStoreError),
}

/// Makes a decision again. Reads everything before it that is kept.
///
/// # Errors
/// Inside: what is missing. Outside: the store cannot be read.
pub fn reproduce(
    store: &Store,
    decision_id: Uuid,
    means: Means,
) -> Result<Result<Reproduced, Missing>, ReproductionError> {
    let Some((seq, then)) = find(store, decision_id)? else {
        let first = store.read(Stream::Decisions, 0, 1, 1)?.first().map_or(0, |(seq, _)| *seq);
        return Ok(Err(Missing::Decision { first, last: store.position()?.seq }));
    };
    if store.item(Stream::Operations, seq)?.is_none() {
        return Ok(Err(Missing::Operation(seq)));
    }
    let mut again = Again { store, until: seq, means, deciding: None, reproduced: Reproduced::of(seq, then) };
    let mut missing = None;
    let mut failed = None;
    let mut decisions: Option<(u64, Block)> = None;
    store.each_block(Stream::Operations, 0, |first, operations| {
        let mut part = Vec::new();
        for (index, number) in (0..operations.len()).zip(first..) {
            if number > seq {
                break;
            }
            let holds = |(start, block): &(u64, Block)| {
                number.checked_sub(*start).and_then(|at| usize::try_from(at).ok()).is_some_and(|at| at < block.len())
            };
            if !decisions.as_ref().is_some_and(holds) {
                decisions = store.block_of(Stream::Decisions, number)?;
            }
            let decision = decisions.as_ref().filter(|found| holds(found));
            let decision = decision.and_then(|(start, block)| block.get(usize::try_from(number - start).ok()?));
            if let (Some(item), Some(decision)) = (operations.get(index), decision) {
                part.push(Kept::of(number, item, decision));
            }
        }
        match again.decide_all(part) {
            Ok(found) => missing = found,
            Err(error) => failed = Some(error),
        }
        let is_behind = first + u64::try_from(operations.len()).unwrap_or(u64::MAX) <= seq;
        Ok(is_behind && missing.is_none() && failed.is_none())
    })?;
    match (failed, missing) {
        (Some(error), _) => Err(error),
        (None, Some(missing)) => Ok(Err(missing)),
        (None, None) => Ok(Ok(again.reproduced)),
    }
}

/// Finds a decision by its id.
fn find(store: &Store, decision_id: Uuid) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let filter = Filter { decision_id: Some(decision_id), ..Filter::default() };
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

/// An operation and the decision on it, as they are stored.
struct Kept {
    seq: u64,
    arrived_at: Time,
    record: Vec<u8>,
    decision: Vec<u8>,
    ruleset: String,
}

impl Kept {
    fn of(seq: u64, item: &[u8], decision: &[u8]) -> Self {
        // In front of an operation stands when it arrived.
        let (arrived_at, record) = item.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let ruleset = DecisionRecord::decode(decision).map(|read| read.ruleset.to_string()).unwrap_or_default();
        let arrived_at = Time::from_nanos(i64::from_le_bytes(*arrived_at));
        Self { seq, arrived_at, record: record.to_vec(), decision: decision.to_vec(), ruleset }
    }
}

impl Reproduced {
    fn of(seq: u64, then: Vec<u8>) -> Self {
        let ruleset = DecisionRecord::decode(&then).map(|read| read.ruleset.to_string()).unwrap_or_default();
        Self { seq, then, now: Vec::new(), ruleset, from: seq, rule_sets: 0, first_other: None }
    }
}

/// The state up to where it was decided again.
struct Again<'s> {
    store: &'s Store,
    until: u64,
    means: Means,
    deciding: Option<Deciding>,
    reproduced: Reproduced,
}

struct Deciding {
    pipeline: Pipeline<MemoryStore, Arc<Geo>>,
    present: Present,
    newest: Option<Time>,
    last: u64,
}

impl Deciding {
    /// Decides by other rules from now on, as the service did: new windows hold what the log up to the last decision
    /// brings.
    fn change_rules(&mut self, store: &Store, by: By<'_>) -> Result<(), StoreError> {
        let last = self.last;
        let mut filler = switching::filler(&self.pipeline, &self.present, by, self.newest);
        if let Some(found) = &mut filler
            && !found.read(store, || Ok(last), &AtomicBool::new(false))?
        {
            filler = None;
        }
        switching::switch(&mut self.pipeline, &mut self.present, by, self.newest, (filler, store, last));
        Ok(())
    }
}

impl Again<'_> {
    fn decide_all(&mut self, part: Vec<Kept>) -> Result<Option<Missing>, ReproductionError> {
        for run in part.chunk_by(|one, next| one.ruleset == next.ruleset) {
            let first = &run[0];
            if let Some(missing) = self.use_rules(&first.ruleset, (first.seq, first.arrived_at))? {
                return Ok(Some(missing));
            }
            for batch in run.chunks(BATCH) {
                if let Some(missing) = self.decide(batch)? {
                    return Ok(Some(missing));
                }
            }
        }
        Ok(None)
    }

    /// Goes on by the rules of this hash.
    fn use_rules(&mut self, hash: &str, (seq, at): (u64, Time)) -> Result<Option<Missing>, ReproductionError> {
        if self.deciding.as_ref().is_some_and(|deciding| deciding.pipeline.engine.plan().rules.hash == hash) {
            return Ok(None);
        }
        let is_present = |present: &&RuleSet| present.hash == hash;
        let rules = match (rule_history::rule_set(self.store, hash)?, self.means.present.as_ref().filter(is_present)) {
            (Ok(rules), _) => rules,
            (Err(_), Some(present)) => present.clone(),
            (Err(why), None) => return Ok(Some(Missing::RuleSet { hash: hash.to_owned(), seq, why })),
        };
        self.reproduced.rule_sets += 1;
        let settings = self.means.settings;
        match &mut self.deciding {
            Some(deciding) => {
                let before = Arc::clone(&deciding.pipeline.engine.plan().rules);
                let rules = Arc::new(rules.keeping_windows_of(&before, at, at.plus(RETIRED_FOR)));
                deciding.change_rules(self.store, (&rules, settings.engine))?;
            }
            None => {
                self.reproduced.from = seq;
                let mut engine = Engine::new(Arc::new(Plan::new(Arc::new(rules), settings.engine)));
                engine.resume_after(seq - 1);
                let store = MemoryStore::default();
                store.limit_keys(settings.shared_keys_max);
                let layout = StateLayout::of(engine.plan());
                let geo = std::mem::replace(&mut self.means.geo, Geo::new(None, None));
                let pipeline = Pipeline { engine, geo: Arc::new(geo), store, limits: settings.limits };
                let present = Present { young: Vec::new(), layout };
                self.deciding = Some(Deciding { pipeline, present, newest: None, last: seq - 1 });
            }
        }
        Ok(None)
    }

    fn decide(&mut self, batch: &[Kept]) -> Result<Option<Missing>, ReproductionError> {
        let Some(deciding) = &mut self.deciding else { return Ok(None) };
        let record = |kept: &'_ Kept| kept.arrived_at;
        let records: Vec<Record<'_>> =
            batch.iter().map(|kept| Record { bytes: &kept.record, arrived_at: Some(record(kept)) }).collect();
        let committed = deciding.pipeline.process(&records)?;
        for (kept, answer) in batch.iter().zip(&committed.answers) {
            let decision = match answer {
                Answer::Decided(decision) => decision,
                Answer::Duplicate { seq } => {
                    return Ok(Some(Missing::Refused(kept.seq, format!("it repeats operation {seq}"))));
                }
                Answer::Rejected(rejection) => return Ok(Some(Missing::Refused(kept.seq, rejection.message.clone()))),
            };
            let mut now = Vec::new();
            decision.encode(&mut now);
            deciding.newest = deciding.newest.max(Some(decision.occurred_at));
            deciding.last = kept.seq;
            if now != kept.decision && self.reproduced.first_other.is_none() {
                self.reproduced.first_other = Some(kept.seq);
            }
            if kept.seq == self.until {
                self.reproduced.now = now;
            }
        }
        Ok(None)
    }
}
