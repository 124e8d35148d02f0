//! From records to commits: what is collected, what is decided and waits for its transaction, and what becomes of
//! it.
//!
//! While a transaction is on its way, records go on being collected, and are decided as soon as there are enough
//! of them; the rest is decided when the next transaction can begin. So a lone operation waits for nothing, and
//! transactions grow with what waits.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::super::Ended;
use super::super::committer::{Report, Work};
use super::super::restore::Halt;
use super::super::shard::{CommittedShardBatch, Mark, ShardBatch, ShardWrites, decision_of};
use super::{End, FleetWorker, OFFSET_QUERY_TIMEOUT, POLL, Pacing, Session};
use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::kafka::Failure;
use crate::adapters::kafka::port::{Incoming, Polled};
use crate::adapters::redis::gateway::updates_of;
use crate::adapters::{failpoint, runtime};
use crate::engine::plan::Plan;
use crate::engine::shared::SharedChange;
use crate::pipeline::{Answer, Unpublished};

/// So many records are decided together while a transaction is on its way: of few shards, and of many, each of which
/// makes a batch of its own with a journal of its own.
const CHUNK: usize = 512;
const CHUNK_OF_SHARD: usize = 128;
const CHUNK_MAX: usize = 2_048;
/// More than about so many bytes are not put into one transaction.
const BYTES_MAX: usize = 8 << 20;
/// The longest wait for a record while a transaction is on its way: its end must be noticed soon.
const GLANCE: Duration = Duration::from_millis(1);
/// The longest wait for a record while shards are being restored.
const PREPARING: Duration = Duration::from_millis(5);
/// After the group went on, the transaction is sent again after so long, twice as long each time.
const AGAIN_MIN: Duration = Duration::from_millis(10);
const AGAIN_MAX: Duration = Duration::from_millis(200);

/// What is on its way through this process.
#[derive(Default)]
pub(super) struct Flow {
    /// Records of started shards, in the order of their offsets.
    collected: BTreeMap<i32, Vec<Incoming>>,
    count: usize,
    /// When the first of them came.
    since: Option<Instant>,
    /// Where the offsets of a shard jump for the first time: the offset that was expected there.
    gaps: BTreeMap<i32, i64>,
    /// What waits for the next transaction.
    decided: Vec<ShardBatch>,
    decided_count: usize,
    bytes: usize,
    pub(super) marks: Vec<Mark>,
    again: Pacing,
}

impl Flow {
    /// Tells whether nothing was taken that is not committed, but for what the committing thread may have.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.decided.is_empty() && self.marks.is_empty()
    }

    /// Tells whether nothing was decided that is not committed, but for what the committing thread may have.
    pub(super) fn has_decided(&self) -> bool {
        !self.decided.is_empty()
    }

    /// Tells whether something was decided that is not committed, be it on its way or waiting to be sent again. What is
    /// decided next would not find it in a shared store.
    fn is_ahead(&self, is_busy: bool) -> bool {
        is_busy || self.has_decided()
    }

    /// Forgets everything of a shard.
    pub(super) fn let_go(&mut self, shard: i32) {
        self.gaps.remove(&shard);
        self.count -= self.collected.remove(&shard).map_or(0, |records| records.len());
        self.marks.retain(|mark| mark.shard != shard);
        let decided = std::mem::take(&mut self.decided).into_iter();
        let is_kept = |batch: &ShardBatch| batch.with().shard != shard || FleetMutant::DecidedKept.is_made();
        self.keep(decided.filter(is_kept).collect());
    }

    /// Forgets records that were not decided.
    pub(super) fn clear_collected(&mut self) {
        (self.collected, self.gaps, self.count, self.since) = (BTreeMap::new(), BTreeMap::new(), 0, None);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        let kept = if FleetMutant::AfterFailureKept.is_made() { std::mem::take(&mut self.decided) } else { Vec::new() };
        *self = Self::default();
        self.keep(kept);
    }

    fn keep(&mut self, decided: Vec<ShardBatch>) {
        self.decided_count = decided.iter().map(|batch| batch.with().records.len()).sum();
        self.bytes = decided.iter().map(|batch| batch.with().bytes).sum();
        self.decided = decided;
    }

    fn add(&mut self, batch: ShardBatch) {
        self.decided_count += batch.with().records.len();
        self.bytes += batch.with().bytes;
        self.decided.push(batch);
    }
}

impl FleetWorker {
    /// Tells whether no more is taken before the next transaction.
    fn is_full(&self) -> bool {
        let flow = &self.flow;
        flow.count + flow.decided_count >= self.settings.batch_max || flow.bytes >= BYTES_MAX
    }

    /// Tells whether enough is collected to decide it.
    fn has_chunk(&self) -> bool {
        let of_shards = (CHUNK_OF_SHARD * self.flow.collected.len()).clamp(CHUNK, CHUNK_MAX);
        self.flow.count >= of_shards.min(self.settings.batch_max)
    }

    /// Collects what comes.
    pub(super) fn collect(&mut self) -> ControlFlow<End> {
        let is_busy = self.committer.is_busy();
        // What people are told is committed: nothing more is begun before they are.
        if is_busy && (self.is_full() || !self.asked.is_empty() || self.unshown.is_due()) {
            self.committer.wait(GLANCE);
            return ControlFlow::Continue(());
        }
        let mut wait = match () {
            () if is_busy || self.flow.again.is_waiting() => GLANCE,
            () if !self.flow.is_empty() => Duration::ZERO,
            () if self.is_preparing() => PREPARING,
            () => POLL,
        };
        loop {
            match self.member.poll(wait) {
                Polled::Record(record) => {
                    self.take(record);
                    if self.is_full() || self.has_chunk() || self.member.has_change() {
                        break;
                    }
                    wait = Duration::ZERO;
                }
                Polled::Nothing => break,
                Polled::Trouble(reason) => {
                    debug!(%reason, "the consumer has a difficulty");
                    break;
                }
                Polled::Fatal(reason) => return ControlFlow::Break(End::Fault(reason)),
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes a record that came, if its shard waits for it.
    fn take(&mut self, record: Incoming) {
        let number = record.partition;
        let Some(shard) = self.shards.get(&number).filter(|_| self.mine.started.contains(&number)) else { return };
        let flow = &mut self.flow;
        let expected =
            flow.collected.get(&number).and_then(|records| records.last()).map_or(shard.next_offset, |r| r.offset + 1);
        if record.offset < expected {
            return;
        }
        if record.offset > expected {
            flow.gaps.entry(number).or_insert(expected);
        }
        flow.collected.entry(number).or_insert_with(|| Vec::with_capacity(CHUNK_OF_SHARD)).push(record);
        flow.count += 1;
        flow.since = flow.since.or_else(|| (!self.settings.batch_linger.is_zero()).then(runtime::now));
    }

    /// Halts shards of which records are gone that were not decided. A gap between offsets is mostly the
    /// marker of a transaction; retention moves the first offset beyond it.
    fn look_into_gaps(&mut self) -> Result<(), Failure> {
        for (number, expected) in std::mem::take(&mut self.flow.gaps) {
            let low = self.member.low_watermark(number, OFFSET_QUERY_TIMEOUT)?;
            if low > expected {
                self.halt(number, Halt::Lost { next: expected, low });
            }
        }
        Ok(())
    }

    /// Decides what is due, and commits what waits if nothing is on its way.
    pub(super) fn advance(&mut self) -> Result<(), Failure> {
        if let Err(failure) = self.look_into_gaps() {
            // The records are not lost: the same come again.
            warn!(error = %failure, "a gap between records could not be looked into");
            self.flow.clear_collected();
            self.mine.started.clear();
        }
        if self.flow.count > 0 && self.is_due() {
            self.decide();
        }
        if self.committer.is_busy() {
            return Ok(());
        }
        if self.flow.is_empty() {
            // Gateways and other processes need not wait for the next operation.
            self.settle();
        }
        self.hand_over()
    }

    /// Tells whether the next transaction may begin before others know of the last one. With a shared store what is
    /// decided next must find there what was decided last; partitions that go must be let go first; and people wait for
    /// a moment in which everything decided is committed.
    fn is_free_to_advance(&self) -> bool {
        let waits = !self.asked.is_empty() || self.unshown.is_due();
        self.settings.redis.is_none() && !self.member.has_change() && !waits
    }

    fn is_due(&self) -> bool {
        if self.settings.redis.is_some() && self.flow.is_ahead(self.committer.is_busy()) {
            return false;
        }
        if self.committer.is_busy() {
            return self.has_chunk() || self.is_full();
        }
        let lingers = self.flow.since.is_some_and(|since| runtime::elapsed(since) < self.settings.batch_linger);
        !lingers || self.has_chunk() || self.is_full()
    }

    /// Decides what was collected.
    fn decide(&mut self) {
        if self.settings.redis.is_some() {
            // What is owed goes before what is read.
            self.settle();
        }
        let collected = std::mem::take(&mut self.flow.collected);
        (self.flow.count, self.flow.since) = (0, None);
        for (number, records) in collected {
            if let Some(shard) = self.shards.get_mut(&number) {
                self.flow.add(shard.decide(records));
            }
        }
        failpoint::reached("decided");
    }

    /// Gives what waits to the committing thread, which must be idle.
    fn hand_over(&mut self) -> Result<(), Failure> {
        let has_some = self.flow.has_decided() || !self.flow.marks.is_empty();
        if !has_some || self.session != Session::Ready || self.flow.again.is_waiting() {
            return Ok(());
        }
        let group = match self.member.group() {
            Ok(Some(group)) => group,
            Ok(None) => {
                return Err(Failure::Silent {
                    what: "learn the group's generation".to_owned(),
                    waited: Duration::ZERO,
                });
            }
            Err(failure) => {
                // What became of the partitions is told by the next looks for records.
                debug!(%failure, "nothing can be committed for this group");
                self.flow.again.pause(AGAIN_MIN, AGAIN_MAX);
                return Ok(());
            }
        };
        let (marks, batches) = (std::mem::take(&mut self.flow.marks), std::mem::take(&mut self.flow.decided));
        (self.flow.decided_count, self.flow.bytes) = (0, 0);
        if FleetMutant::SharedBeforeCommit.is_made() {
            for batch in &batches {
                self.owe(batch.with(), batch.plan(), batch.answers(), batch.shared());
            }
            self.settle();
        }
        self.committer.commit(Work { marks, batches, group });
        Ok(())
    }

    /// Takes in what became of a transaction, or of the session. After a commit the next transaction, if one waits and
    /// shall go on, is begun before others are told of the last one: telling takes as long as deciding.
    pub(super) fn hear(&mut self, goes_on: bool) -> Result<(), Failure> {
        match self.committer.report() {
            None => Ok(()),
            Some(Report::Begun) => {
                self.session = Session::Ready;
                Ok(())
            }
            Some(Report::Committed { marked, batches, took }) => {
                self.outlets.observer.transaction(Ended::Committed);
                let is_ours = |(shard, gift): &(i32, u64)| self.mine.partitions.get(shard) == Some(gift);
                self.mine.marked.extend(marked.iter().filter(|mark| is_ours(mark)).map(|(shard, _)| *shard));
                (self.backoff, self.flow.again) = (Pacing::default(), Pacing::default());
                let advanced = if goes_on && self.is_free_to_advance() { self.advance() } else { Ok(()) };
                self.publish(batches, took);
                advanced
            }
            Some(Report::Returned { marks, batches, failure }) => {
                self.outlets.observer.transaction(Ended::Aborted);
                self.send_again(marks, batches, &failure);
                Ok(())
            }
            Some(Report::Failed { is_transaction, failure }) => {
                if is_transaction {
                    let ended = if failure.is_unknown() { Ended::Unknown } else { Ended::Aborted };
                    self.outlets.observer.transaction(ended);
                }
                self.session = Session::None;
                Err(failure)
            }
        }
    }

    /// Puts what an aborted transaction held before what waits: of shards that are still the same.
    fn send_again(&mut self, marks: Vec<Mark>, batches: Vec<ShardBatch>, failure: &Failure) {
        let is_mistaken = FleetMutant::ReturnedWhole.is_made();
        let is_ours =
            |shard: i32, gift: u64| is_mistaken || self.shards.get(&shard).is_some_and(|shard| shard.gift == gift);
        let marks: Vec<Mark> = marks.into_iter().filter(|mark| is_ours(mark.shard, mark.gift)).collect();
        let mut batches: Vec<ShardBatch> =
            batches.into_iter().filter(|batch| is_ours(batch.with().shard, batch.with().gift)).collect();
        info!(reason = %failure, batches = batches.len(), "the group has gone on: the transaction is sent again");
        self.flow.marks.splice(0..0, marks);
        if FleetMutant::ReturnedLast.is_made() {
            std::mem::swap(&mut batches, &mut self.flow.decided);
        }
        batches.append(&mut self.flow.decided);
        self.flow.keep(batches);
        self.flow.again.pause(AGAIN_MIN, AGAIN_MAX);
    }

    /// Lets others know of what is committed, and shows it.
    fn publish(&mut self, batches: Unpublished<Vec<CommittedShardBatch>>, took: Duration) {
        let Ok(committed) = batches.publish(|committed| -> Result<(), Infallible> {
            if !FleetMutant::SharedBeforeCommit.is_made() {
                for batch in committed {
                    self.owe(&batch.with, &batch.plan, &batch.answers, &batch.shared);
                }
            }
            Ok(())
        });
        if committed.is_empty() {
            return;
        }
        failpoint::reached("owed");
        self.settle();
        failpoint::reached("settled");
        self.show(&committed);
        self.observe(&committed, took);
        self.keep(committed);
        failpoint::reached("shown");
    }

    /// Notes the shared part of a committed batch. Of a shard that is another's now, that one does it.
    fn owe(&mut self, batch: &ShardWrites, plan: &Arc<Plan>, answers: &[Answer], shared: &[SharedChange]) {
        if self.shards.get(&batch.shard).is_none_or(|shard| shard.gift != batch.gift) {
            return;
        }
        let number = u32::try_from(batch.shard).unwrap_or(0);
        let decisions = answers.iter().filter_map(decision_of);
        let updates = (batch.first_seq..).zip(decisions).flat_map(|(seq, found)| updates_of(found, number, seq));
        self.ledger.add((batch.shard, batch.batch), plan, shared, updates.collect());
    }

    /// Gives the shared store what it is owed.
    fn settle(&mut self) {
        self.ledger.settle(self.shards.values());
        for shard in self.shards.values_mut() {
            shard.acknowledged_batch = self.ledger.acknowledged(shard);
            shard.published_batch = self.ledger.published(shard);
            shard.shared_token = self.ledger.token().map(str::to_owned);
        }
        let (changes, errors) = self.ledger.figures();
        self.outlets.observer.shared(changes, errors);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::adapters::folders::Folder;
    use crate::adapters::memory::MemoryStore;
    use crate::app;
    use crate::engine::Engine;
    use crate::engine::plan::Settings;
    use crate::geo::Geo;
    use crate::pipeline::{Limits, Pipeline};

    fn batch() -> ShardBatch {
        let folder = Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"));
        let rules = app::load_rules(&folder).expect("the shipped rules load");
        let engine = Engine::new(Arc::new(Plan::new(Arc::new(rules), Settings::default())));
        let (geo, store) = (Geo::new(None, None), MemoryStore::default());
        let decided = Pipeline { engine, geo, store, limits: Limits::default() }.decide(&[]);
        decided.write_with(ShardWrites {
            shard: 0,
            gift: 1,
            batch: 1,
            epoch: "e".into(),
            records: Vec::new(),
            first_seq: 1,
            decisions: Vec::new(),
            rejected: Vec::new(),
            state: Vec::new(),
            next_offset: 0,
            newest: None,
            bytes: 0,
        })
    }

    /// A transaction that Kafka refused waits to be sent again: blocks and windows of it are not in Redis yet.
    #[test]
    fn nothing_is_decided_over_redis_before_what_waits_to_be_sent_again() {
        let mut flow = Flow::default();
        assert!(!flow.is_ahead(false) && flow.is_ahead(true));
        flow.keep(vec![batch()]);
        assert!(flow.is_ahead(false));
        flow.clear();
        assert!(!flow.is_ahead(false));
    }
}
