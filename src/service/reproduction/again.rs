//! Operations of the log decided again, each by the rules that decided it then.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::block::Block;
use crate::adapters::store::{Store, StoreError, Stream};
use crate::engine::Engine;
use crate::engine::backfill::{Backfill, can_be_filled};
use crate::engine::enrich::{AddressFacts, Enriched};
use crate::engine::plan::Plan;
use crate::engine::stored::StateLayout;
use crate::geo::Geo;
use crate::operation::decision::read::DecisionRecord;
use crate::operation::{OperationType, Time, decode};
use crate::pipeline::{Answer, Pipeline, Record};
use crate::rules::program::{Inputs, RuleSet};
use crate::service::backfill::Past;
use crate::service::rule_change::RETIRED_FOR;
use crate::service::rule_history;
use crate::service::switching::{self, By, Present};

use super::presumed::Presumed;
use super::{Means, Missing, ReproductionError};

/// So many operations are decided together.
const BATCH: usize = 1_024;

/// An operation and the decision on it, as they are stored.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) seq: u64,
    pub(super) arrived_at: Time,
    pub(super) record: Vec<u8>,
    pub(super) decision: Vec<u8>,
    pub(super) ruleset: String,
    pub(super) wallet_id: String,
    pub(super) was_refused: bool,
}

impl Kept {
    fn of(seq: u64, item: &[u8], decision: &[u8]) -> Self {
        // In front of an operation stands when it arrived.
        let (arrived_at, record) = item.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let arrived_at = Time::from_nanos(i64::from_le_bytes(*arrived_at));
        let (record, read) = (record.to_vec(), DecisionRecord::decode(decision).ok());
        let text = |of: fn(&DecisionRecord<'_>) -> String| read.as_ref().map(of).unwrap_or_default();
        Self {
            seq,
            arrived_at,
            record,
            ruleset: text(|read| read.ruleset.to_string()),
            wallet_id: text(|read| read.wallet_id.to_string()),
            was_refused: read.as_ref().is_some_and(|read| read.verdict == "refuse"),
            decision: decision.to_vec(),
        }
    }

    /// Returns the record as it came in.
    pub(super) fn record(&self) -> Record<'_> {
        Record { bytes: &self.record, arrived_at: Some(self.arrived_at) }
    }
}

/// Reads operations with the decisions on them, a block of each stream at a time.
#[derive(Default)]
pub(super) struct Log {
    operations: Option<(u64, Block)>,
    decisions: Option<(u64, Block)>,
}

impl Log {
    /// Reads one operation; `None` where it, or the decision on it, is no longer kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn item(&mut self, store: &Store, seq: u64) -> Result<Option<Kept>, StoreError> {
        let operation = item_of(store, Stream::Operations, &mut self.operations, seq)?;
        let decision = item_of(store, Stream::Decisions, &mut self.decisions, seq)?;
        Ok(operation.zip(decision).map(|(operation, decision)| Kept::of(seq, operation, decision)))
    }

    /// Walks the operations before a number, newest first, back to those that arrived before a time; tells whether it
    /// came so far, with reading at most so many.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn walk_back(
        store: &Store,
        before: u64,
        (from, at_most): (Time, u64),
        mut take: impl FnMut(Kept),
    ) -> Result<bool, StoreError> {
        let mut log = Self::default();
        for seq in (1..before).rev() {
            if before - seq > at_most {
                return Ok(false);
            }
            let Some(kept) = log.item(store, seq)? else { return Ok(false) };
            if kept.arrived_at < from {
                return Ok(true);
            }
            take(kept);
        }
        Ok(true)
    }

    /// Walks the operations that are kept up to a number, oldest first, some at a time, until `take` returns false.
    ///
    /// # Errors
    /// The store cannot be read, or `take` cannot go on.
    pub(super) fn walk<E: From<StoreError>>(
        store: &Store,
        until: u64,
        mut take: impl FnMut(Vec<Kept>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut decisions = None;
        let mut failed = None;
        store.each_block(Stream::Operations, 0, |first, operations| {
            let mut part = Vec::new();
            for (index, seq) in (0..operations.len()).zip(first..=until) {
                let decision = item_of(store, Stream::Decisions, &mut decisions, seq)?;
                if let (Some(item), Some(decision)) = (operations.get(index), decision) {
                    part.push(Kept::of(seq, item, decision));
                }
            }
            let is_behind = first + u64::try_from(operations.len()).unwrap_or(u64::MAX) <= until;
            match take(part) {
                Ok(goes_on) => Ok(goes_on && is_behind),
                Err(error) => {
                    failed = Some(error);
                    Ok(false)
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

fn item_of<'b>(
    store: &Store,
    stream: Stream,
    block: &'b mut Option<(u64, Block)>,
    seq: u64,
) -> Result<Option<&'b [u8]>, StoreError> {
    let place = |(start, block): &(u64, Block)| {
        seq.checked_sub(*start).and_then(|at| usize::try_from(at).ok()).filter(|at| *at < block.len())
    };
    if block.as_ref().and_then(place).is_none() {
        *block = store.block_of(stream, seq)?;
    }
    Ok(block.as_ref().and_then(|found| found.1.get(place(found)?)))
}

/// What decided operations again.
pub(super) struct Deciding {
    pub(super) pipeline: Pipeline<MemoryStore, Arc<Geo>>,
    present: Present,
    newest: Option<Time>,
    last: u64,
}

/// What was not decided again, but entered into shared windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entered {
    pub(super) operations: usize,
    /// Among them some that undo what others brought.
    pub(super) some_cancel: bool,
}

/// The state up to where operations were decided again.
pub(super) struct Again<'s> {
    store: &'s Store,
    means: Means,
    pub(super) deciding: Option<Deciding>,
    /// The number of the first operation that was decided again.
    pub(super) from: Option<u64>,
    /// By how many rule sets, one after the other, the operations were decided.
    pub(super) rule_sets: usize,
    /// What was decided so far, where it is a part of the log: new windows are filled from it.
    part: Option<Vec<Kept>>,
}

impl<'s> Again<'s> {
    /// Begins with no state. All operations are decided that the store keeps, or a part of them.
    pub(super) const fn new(store: &'s Store, means: Means, is_part: bool) -> Self {
        let part = if is_part { Some(Vec::new()) } else { None };
        Self { store, means, deciding: None, from: None, rule_sets: 0, part }
    }

    /// Decides operations in their order and shows each with the decision that came out; returns what is missing to
    /// go on.
    ///
    /// # Errors
    /// The store cannot be read, or shared state does not take a change.
    pub(super) fn decide_all(
        &mut self,
        kept: Vec<Kept>,
        mut show: impl FnMut(&Kept, &[u8]),
    ) -> Result<Option<Missing>, ReproductionError> {
        let mut run = kept;
        while let Some(first) = run.first() {
            let length = run.iter().take_while(|next| next.ruleset == first.ruleset).count();
            let rest = run.split_off(length);
            if let Some(missing) = self.use_rules_of(&run[0])? {
                return Ok(Some(missing));
            }
            // Of a part the numbers have gaps.
            for batch in run.chunks(if self.part.is_some() { 1 } else { BATCH }) {
                if let Some(missing) = self.decide(batch, &mut show)? {
                    return Ok(Some(missing));
                }
            }
            if let Some(part) = &mut self.part {
                part.append(&mut run);
            }
            run = rest;
        }
        Ok(None)
    }

    /// Decides an operation of a wallet of which less is known than was: where the decision comes out otherwise than it
    /// is stored, only what the operation brings to shared windows is entered. Returns what is missing to go on.
    ///
    /// # Errors
    /// As [`Self::decide_all`].
    pub(super) fn decide_or_enter(
        &mut self,
        kept: Kept,
        entered: &mut Entered,
    ) -> Result<Option<Missing>, ReproductionError> {
        if let Some(missing) = self.use_rules_of(&kept)? {
            return Ok(Some(missing));
        }
        let Some(deciding) = &mut self.deciding else { return Ok(None) };
        let mut now = Vec::new();
        deciding.presume(&Presumed::of(&kept.decision));
        if let Answer::Decided(decision) = deciding.pipeline.foresee(kept.record()) {
            decision.encode(&mut now);
        }
        if now == kept.decision {
            return self.decide_all(vec![kept], |_, _| {});
        }
        entered.operations += 1;
        entered.some_cancel |= deciding.enter(&[&kept]);
        if let Some(part) = &mut self.part {
            part.push(kept);
        }
        Ok(None)
    }

    /// Goes on by the rules that decided an operation, which is the next one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn use_rules_of(&mut self, next: &Kept) -> Result<Option<Missing>, StoreError> {
        let hash = &next.ruleset;
        let is_in_use =
            self.deciding.as_ref().is_some_and(|deciding| deciding.pipeline.engine.plan().rules.hash == *hash);
        if !is_in_use {
            let is_present = |present: &&RuleSet| present.hash == *hash;
            let present = self.means.present.as_ref().filter(is_present);
            let rules = match (rule_history::rule_set(self.store, hash)?, present) {
                (Ok(rules), _) => rules,
                (Err(_), Some(present)) => present.clone(),
                (Err(why), None) => {
                    return Ok(Some(Missing::RuleSet { hash: hash.clone(), seq: next.seq, why }));
                }
            };
            self.rule_sets += 1;
            self.go_on_by(rules, next)?;
        }
        if let (Some(_), Some(deciding)) = (&self.part, &mut self.deciding) {
            deciding.pipeline.engine.resume_after(next.seq - 1);
        }
        Ok(None)
    }

    fn go_on_by(&mut self, rules: RuleSet, next: &Kept) -> Result<(), StoreError> {
        let settings = self.means.settings;
        let Some(deciding) = &mut self.deciding else {
            self.from = Some(next.seq);
            let mut engine = Engine::new(Arc::new(Plan::new(Arc::new(rules), settings.engine)));
            engine.resume_after(next.seq - 1);
            let store = MemoryStore::default();
            store.limit_keys(settings.shared_keys_max);
            let layout = StateLayout::of(engine.plan());
            let pipeline = Pipeline { engine, geo: Arc::clone(&self.means.geo), store, limits: settings.limits };
            let present = Present { young: Vec::new(), layout };
            self.deciding = Some(Deciding { pipeline, present, newest: None, last: next.seq - 1 });
            return Ok(());
        };
        let before = Arc::clone(&deciding.pipeline.engine.plan().rules);
        let at = next.arrived_at;
        let rules = Arc::new(rules.keeping_windows_of(&before, at, at.plus(RETIRED_FOR)));
        deciding.change_rules(self.store, (&rules, settings.engine), (self.part.as_deref(), next.seq - 1))
    }

    fn decide(
        &mut self,
        batch: &[Kept],
        show: &mut impl FnMut(&Kept, &[u8]),
    ) -> Result<Option<Missing>, ReproductionError> {
        let Some(deciding) = &mut self.deciding else { return Ok(None) };
        if let ([kept], Some(_)) = (batch, &self.part) {
            deciding.pipeline.engine.resume_after(kept.seq - 1);
            deciding.presume(&Presumed::of(&kept.decision));
        }
        let records: Vec<Record<'_>> = batch.iter().map(Kept::record).collect();
        let committed = deciding.pipeline.process(&records)?;
        let mut now = Vec::new();
        for (kept, answer) in batch.iter().zip(&committed.answers) {
            let decision = match answer {
                Answer::Decided(decision) => decision,
                Answer::Duplicate { seq } => {
                    return Ok(Some(Missing::Refused(kept.seq, format!("it repeats operation {seq}"))));
                }
                Answer::Rejected(rejection) => return Ok(Some(Missing::Refused(kept.seq, rejection.message.clone()))),
            };
            deciding.newest = deciding.newest.max(Some(decision.occurred_at));
            deciding.last = kept.seq;
            now.clear();
            decision.encode(&mut now);
            show(kept, &now);
        }
        Ok(None)
    }
}

impl Deciding {
    /// Takes what the decision that comes next says of rules' budgets for what was spent of them: of a part of the log
    /// the sums are not those of then.
    pub(super) fn presume(&mut self, told: &Presumed) {
        if self.pipeline.engine.plan().has_budgets() {
            self.pipeline.engine.presume_budgets(|rule| told.known(rule));
        }
    }

    /// Enters operations into the shared windows that they feed, as the stored decisions on them say, in their order;
    /// tells whether one of them undoes others.
    pub(super) fn enter(&mut self, kept: &[&Kept]) -> bool {
        let asks = Inputs::GEOIP_COUNTRY.union(Inputs::GEOIP_ANONYMIZER);
        let plan = Arc::clone(self.pipeline.engine.plan());
        let is_shared = |id: &usize| !plan.aggregates[*id].owned && can_be_filled(&plan.aggregates[*id]);
        let mut backfill = Backfill::new((0..plan.aggregates.len()).filter(is_shared).collect());
        let mut some_cancel = false;
        for kept in kept {
            let Ok(operation) = decode::decode(&kept.record) else { continue };
            some_cancel |= operation.kind == OperationType::Cancelled;
            let facts = AddressFacts::of(&self.pipeline.geo, operation.ip, asks);
            let enriched = Enriched::new(operation, facts);
            backfill.add(&self.pipeline.engine, &enriched, kept.seq, kept.was_refused);
            self.newest = self.newest.max(Some(enriched.operation.occurred_at));
            self.last = kept.seq;
        }
        let changes = backfill.finish(&mut self.pipeline.engine);
        self.pipeline.store.enter(&plan, &changes);
        some_cancel
    }

    /// Decides by other rules from now on, as the service did: new windows hold what the log up to the last decision
    /// brings.
    fn change_rules(
        &mut self,
        store: &Store,
        by: By<'_>,
        (part, before): (Option<&[Kept]>, u64),
    ) -> Result<(), StoreError> {
        let last = if part.is_some() { before } else { self.last };
        let mut filler = switching::filler(&self.pipeline, &self.present, by, self.newest);
        if let Some(found) = &mut filler {
            let past = |kept| {
                let Kept { seq, record, was_refused, .. }: &Kept = kept;
                Past { seq: *seq, bytes: record, was_refused: *was_refused }
            };
            let is_whole = match part {
                Some(part) => found.take(store, part.iter().map(past), last)?,
                None => found.read(store, || Ok(last), &AtomicBool::new(false))?,
            };
            if !is_whole {
                filler = None;
            }
        }
        switching::switch(&mut self.pipeline, &mut self.present, by, self.newest, (filler, store, last));
        Ok(())
    }
}
