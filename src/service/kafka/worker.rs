//! The thread of a fleet's service: poll, decide, one transaction, and again.
//!
//! A batch is always finished before the next poll, and rebalances happen in polls: so a partition is never
//! taken away in the middle of a batch.

mod restoring;
mod show;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tracing::{debug, error, info, warn};

use crate::adapters::failpoint;
use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::kafka::consumer::{Change, Incoming, Member, Polled};
use crate::adapters::kafka::producer::{Outgoing, Transactions};
use crate::adapters::kafka::reader::Reader;
use crate::adapters::kafka::{Failure, Topics};
use crate::adapters::redis::gateway::updates_of;
use crate::engine::plan::Plan;
use crate::engine::shared::SharedChange;
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::decision::Decision;
use crate::pipeline::{self, Answer, CommitLog};
use crate::rules::program::{RuleSet, symbol_of_text};

use super::super::views::WalletView;
use super::super::{Job, Shown, Unavailable, write};
use super::outbox::Outbox;
use super::restore::Halt;
use super::shard::{CommittedShardBatch, Shard, ShardBatch, ShardWrites};
use super::watchdog::Watchdog;
use super::{Ended, FleetObserver, FleetSettings};

/// The longest wait for the first record of a batch.
const POLL: Duration = Duration::from_millis(100);
/// After a failure the next try waits so long, twice as long each time, up to the longest.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long partitions may take until their records come.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long the question for a first offset may take.
const OFFSET_QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// So often within [`FENCED_WITHIN`] another process may take the name over before this one ends.
const FENCED_MAX: usize = 3;
const FENCED_WITHIN: Duration = Duration::from_secs(60);
const FIGURES_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at the whole state's size.
const SIZES_EVERY: Duration = Duration::from_secs(15);

/// Where the worker shows what it does.
pub(crate) struct FleetOutlets {
    pub(crate) trouble: tokio::sync::watch::Sender<Option<String>>,
    pub(crate) shown: Arc<Shown>,
    pub(crate) observer: Box<dyn FleetObserver>,
}

/// The thread's state.
pub(crate) struct FleetWorker {
    settings: FleetSettings,
    rules: Arc<RuleSet>,
    geo: Arc<Geo>,
    ledger: Outbox,
    outlets: FleetOutlets,
    watchdog: Watchdog,
    member: Member,
    session: Option<Transactions>,
    /// How many partitions the operations have; known with the first restoration.
    partitions: i32,
    /// Partitions that the group gave this process.
    assigned: BTreeSet<i32>,
    shards: BTreeMap<i32, Shard>,
    /// Shards whose records come.
    started: BTreeSet<i32>,
    /// Shards that must not decide, and why.
    halted: BTreeMap<i32, Halt>,
    /// Records of started shards, in the order of their offsets.
    collected: BTreeMap<i32, Vec<Incoming>>,
    count: usize,
    /// Where the offsets of a batch jump for the first time: the offset that was expected there.
    gaps: BTreeMap<i32, i64>,
    fenced_at: VecDeque<Instant>,
    backoff: Duration,
    figures_at: Option<Instant>,
    sizes_at: Option<Instant>,
    source: String,
}

/// Why the thread ends.
enum End {
    Asked,
    Fault(String),
}

impl FleetWorker {
    /// Makes the worker; nothing is asked of Kafka before [`Self::run`].
    ///
    /// # Errors
    /// A setting of Kafka is wrong.
    pub(crate) fn new(
        settings: FleetSettings,
        (rules, geo): (Arc<RuleSet>, Geo),
        outlets: FleetOutlets,
        watchdog: Watchdog,
    ) -> Result<Self, Failure> {
        let member = Member::join(&settings.kafka)?;
        let ledger = Outbox::new(settings.redis.clone(), settings.pending_changes_max)
            .map_err(|error| Failure::Setting { name: "of Redis".to_owned(), reason: error.to_string() })?;
        let source = format!("/kuzet/{}", settings.kafka.group);
        Ok(Self {
            settings,
            rules,
            geo: Arc::new(geo),
            ledger,
            outlets,
            watchdog,
            member,
            session: None,
            partitions: 0,
            assigned: BTreeSet::new(),
            shards: BTreeMap::new(),
            started: BTreeSet::new(),
            halted: BTreeMap::new(),
            collected: BTreeMap::new(),
            count: 0,
            gaps: BTreeMap::new(),
            fenced_at: VecDeque::new(),
            backoff: BACKOFF_MIN,
            figures_at: None,
            sizes_at: None,
            source,
        })
    }

    /// Works until it is told to stop, or cannot go on.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let end = loop {
            match self.turn(&mut queue) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(end) => break end,
            }
        };
        if let End::Fault(reason) = &end {
            error!(%reason, "the worker cannot go on");
            self.outlets.trouble.send_replace(Some(reason.clone()));
        }
        queue.close();
        while let Ok(job) = queue.try_recv() {
            job.refuse(&Unavailable::Stopping);
        }
        // The member leaves the group with its consumer, the transaction in hand is over.
    }

    /// One round: questions, changes of the assignment, one batch.
    fn turn(&mut self, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<End> {
        self.serve(queue)?;
        self.show_figures();
        if let Err(failure) = self.prepare() {
            return self.failed(&failure, queue);
        }
        let trouble = self.trouble();
        self.outlets.trouble.send_if_modified(|shown| {
            let is_other = *shown != trouble;
            *shown = trouble;
            is_other
        });
        self.collect()?;
        // Revoked partitions are another's already.
        self.drop_revoked();
        if let Err(failure) = self.look_into_gaps() {
            // The records are not lost: the same come again.
            warn!(error = %failure, "a gap between records could not be looked into");
            self.clear_collected();
            self.started.clear();
        }
        if self.count == 0 {
            // Gateways and other processes need not wait for the next operation.
            self.settle();
            return ControlFlow::Continue(());
        }
        match self.decide() {
            Ok(()) => {
                self.backoff = BACKOFF_MIN;
                ControlFlow::Continue(())
            }
            Err(failure) => {
                let ended = if failure.is_unknown() { Ended::Unknown } else { Ended::Aborted };
                self.outlets.observer.transaction(ended);
                self.failed(&failure, queue)
            }
        }
    }

    /// Tells why not all that is this process's can be decided, if so.
    fn trouble(&self) -> Option<String> {
        if !self.halted.is_empty() {
            let halted: Vec<String> =
                self.halted.iter().map(|(shard, halt)| format!("shard {shard}: {halt}")).collect();
            return Some(format!("halted: {}", halted.join("; ")));
        }
        self.member.trouble()
    }

    /// Drops everything that a failed transaction may have touched, and waits a little.
    fn failed(&mut self, failure: &Failure, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<End> {
        if let Failure::Setting { .. } = failure {
            return ControlFlow::Break(End::Fault(failure.to_string()));
        }
        warn!(error = %failure, shards = self.shards.len(), "Kafka failed; the state is read again from its topic");
        if failure.is_fenced() {
            let now = Instant::now();
            self.fenced_at.push_back(now);
            self.fenced_at.retain(|at| now.duration_since(*at) < FENCED_WITHIN);
            if self.fenced_at.len() >= FENCED_MAX {
                let instance = &self.settings.kafka.instance;
                return ControlFlow::Break(End::Fault(format!(
                    "another process has the instance name {instance} too and took over {FENCED_MAX} times within a \
                     minute; `kafka.instance` must be different in each process ({failure})"
                )));
            }
        }
        let trouble = format!("Kafka: {failure}");
        self.outlets.trouble.send_replace(Some(self.member.explain(trouble.clone())));
        // Its outcome may be open: only a new session tells.
        self.session = None;
        if !FleetMutant::StateKept.is_made() {
            self.shards.clear();
        }
        self.started.clear();
        self.clear_collected();
        drop(self.member.pause(self.assigned.iter().copied()));
        let until = Instant::now() + self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        while Instant::now() < until {
            self.serve(queue)?;
            // Whatever comes belongs to shards that do not run; the group must see this member alive.
            if let Polled::Fatal(reason) = self.member.poll(Duration::from_millis(20)) {
                return ControlFlow::Break(End::Fault(reason));
            }
        }
        // The member may have heard more by now.
        self.outlets.trouble.send_replace(Some(self.member.explain(trouble)));
        ControlFlow::Continue(())
    }

    fn clear_collected(&mut self) {
        self.collected.clear();
        self.gaps.clear();
        self.count = 0;
    }

    /// Answers what waits.
    fn serve(&mut self, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<End> {
        loop {
            match queue.try_recv() {
                Ok(Job::Stop) | Err(TryRecvError::Disconnected) => return ControlFlow::Break(End::Asked),
                Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
                Ok(Job::Wallet { id, reply }) => {
                    let symbol = symbol_of_text(&id);
                    let found = self.shards.values().find_map(|shard| {
                        let engine = &shard.pipeline.engine;
                        engine.wallets().get(symbol, &id).map(|wallet| WalletView::of(engine.plan(), wallet))
                    });
                    // Whoever asked may have gone.
                    drop(reply.send(Ok(found)));
                }
                Ok(Job::Geo { geo, reply }) => {
                    self.geo = Arc::from(geo);
                    self.shards.values_mut().for_each(|shard| shard.pipeline.geo = Arc::clone(&self.geo));
                    reply.send(()).unwrap_or(());
                }
                Ok(Job::Rules { rules, at, reply }) => {
                    self.switch(&rules, at);
                    drop(reply.send(Ok(())));
                }
                Ok(job @ Job::Submit(_)) => job.refuse(&Unavailable::FromKafka),
            }
        }
    }

    fn switch(&mut self, rules: &Arc<RuleSet>, at: Time) {
        self.rules = Arc::clone(rules);
        self.shards.values_mut().for_each(|shard| shard.switch(rules, self.settings.engine));
        let plan = self.plan();
        let mut shown = write(&self.outlets.shown.rules);
        let previous = Arc::clone(&shown.plan.rules);
        // The same rules again are no set to go back to.
        let previous = if previous.hash == rules.hash { shown.previous.take() } else { Some(previous) };
        *shown = super::super::RulesInUse { plan, loaded_at: at, previous, refused: None };
    }

    /// Lays the rules out as people are shown them: a window is young for as long as it is in any shard.
    fn plan(&self) -> Arc<Plan> {
        let mut young: BTreeMap<u64, Time> = BTreeMap::new();
        for (state, until) in self.shards.values().flat_map(|shard| &shard.young) {
            let longest = young.entry(*state).or_insert(*until);
            *longest = (*longest).max(*until);
        }
        let young: Vec<(u64, Time)> = young.into_iter().collect();
        Arc::new(Plan::new(Arc::clone(&self.rules), self.settings.engine).with_young_windows(&young))
    }

    /// Takes in what the group says of partitions, and lets go of those that are another's now.
    fn drop_revoked(&mut self) {
        let mut is_changed = false;
        while let Some(change) = self.member.change() {
            match change {
                Change::Assigned(partitions) => {
                    info!(?partitions, "partitions were assigned");
                    self.assigned.extend(partitions);
                }
                Change::Revoked(partitions) => {
                    info!(?partitions, "partitions were revoked");
                    for partition in partitions {
                        self.assigned.remove(&partition);
                        self.started.remove(&partition);
                        self.halted.remove(&partition);
                        is_changed |= !FleetMutant::ShardKept.is_made() && self.shards.remove(&partition).is_some();
                        self.gaps.remove(&partition);
                        self.count -= self.collected.remove(&partition).map_or(0, |records| records.len());
                    }
                }
            }
        }
        if is_changed {
            let shards = &self.shards;
            self.ledger.keep(|shard| shards.contains_key(&shard));
            self.show_book();
        }
    }

    /// Brings session, shards and their records into being where they are missing.
    fn prepare(&mut self) -> Result<(), Failure> {
        self.drop_revoked();
        if self.session.is_none() {
            let settings = &self.settings.kafka;
            let session = self.watchdog.watch("begin a session", || Transactions::begin_session(settings))?;
            self.session = Some(session);
            debug!("a session of transactions has begun");
            failpoint::reached("session");
            // Of a topic that is not there the group gives no partitions: without a question nobody would know.
            let reader = Reader::new(settings)?;
            let Topics { operations, decisions, rejected, state } = &settings.topics;
            [operations, decisions, rejected, state]
                .into_iter()
                .try_for_each(|topic| reader.partitions(topic).map(drop))?;
        }
        let is_missing = |shard: &&i32| !self.shards.contains_key(*shard) && !self.halted.contains_key(*shard);
        let missing: Vec<i32> = self.assigned.iter().filter(is_missing).copied().collect();
        if !missing.is_empty() {
            self.restore(&missing)?;
        }
        let waiting: Vec<(i32, i64)> = self
            .shards
            .values()
            .filter(|shard| self.assigned.contains(&shard.number) && !self.started.contains(&shard.number))
            .map(|shard| (shard.number, shard.next_offset))
            .collect();
        if !waiting.is_empty() {
            let mut came = Vec::new();
            let is_started = self.member.start(&waiting, START_PATIENCE, |record| came.push(record))?;
            came.into_iter().for_each(|record| self.take(record));
            if is_started {
                self.started.extend(waiting.iter().map(|(shard, _)| *shard));
                failpoint::reached("started");
            }
        }
        Ok(())
    }

    fn halt(&mut self, shard: i32, halt: Halt) {
        error!(shard, reason = %halt, "the shard is halted: nothing of it is decided until a person has looked");
        drop(self.member.pause([shard]));
        self.shards.remove(&shard);
        self.started.remove(&shard);
        self.count -= self.collected.remove(&shard).map_or(0, |records| records.len());
        self.halted.insert(shard, halt);
    }

    /// Collects a batch.
    fn collect(&mut self) -> ControlFlow<End> {
        let mut until = (self.count > 0).then(|| Instant::now() + self.settings.batch_linger);
        while self.count < self.settings.batch_max && !self.member.has_change() {
            let wait = until.map_or(POLL, |until| until.saturating_duration_since(Instant::now()));
            match self.member.poll(wait) {
                Polled::Record(record) => {
                    self.take(record);
                    until = until.or_else(|| (self.count > 0).then(|| Instant::now() + self.settings.batch_linger));
                }
                Polled::Nothing => {
                    if until.is_none_or(|until| Instant::now() >= until) {
                        break;
                    }
                }
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
        let Some(shard) = self.shards.get(&number).filter(|_| self.started.contains(&number)) else { return };
        let expected =
            self.collected.get(&number).and_then(|records| records.last()).map_or(shard.next_offset, |r| r.offset + 1);
        if record.offset < expected {
            return;
        }
        if record.offset > expected {
            self.gaps.entry(number).or_insert(expected);
        }
        self.collected.entry(number).or_default().push(record);
        self.count += 1;
    }

    /// Halts shards of which records are gone that were not decided. A gap between offsets is mostly the
    /// marker of a transaction; retention moves the first offset beyond it.
    fn look_into_gaps(&mut self) -> Result<(), Failure> {
        for (number, expected) in std::mem::take(&mut self.gaps) {
            let low = self.member.low_watermark(number, OFFSET_QUERY_TIMEOUT)?;
            if low > expected {
                self.halt(number, Halt::Lost { next: expected, low });
            }
        }
        Ok(())
    }

    /// Decides what was collected and commits it in one transaction.
    fn decide(&mut self) -> Result<(), Failure> {
        // What is owed goes before what is read.
        self.settle();
        let collected = std::mem::take(&mut self.collected);
        self.count = 0;
        let mut batches = Vec::with_capacity(collected.len());
        for (number, records) in collected {
            if let Some(shard) = self.shards.get_mut(&number) {
                batches.push(shard.decide(records, &self.source));
            }
        }
        failpoint::reached("decided");
        let mut log = TransactionLog { worker: self, committed_in: Duration::ZERO };
        let committed = pipeline::commit(&mut log, batches)?;
        let committed_in = log.committed_in;
        self.show(&committed);
        self.observe(&committed, committed_in);
        failpoint::reached("shown");
        Ok(())
    }

    /// The mistake of which [`FleetMutant::CommitRepeated`] tells; otherwise the failure is one.
    fn commit_again(&mut self, failure: Failure, batches: &[ShardBatch]) -> Result<(), Failure> {
        if !FleetMutant::CommitRepeated.is_made() || !failure.is_unknown() {
            return Err(failure);
        }
        warn!(error = %failure, "the commit is made again");
        self.session = None;
        while self.session.is_none() {
            self.session = Transactions::begin_session(&self.settings.kafka).ok();
        }
        self.commit(batches)
    }

    /// Puts batches into one transaction and commits it.
    fn commit(&self, batches: &[ShardBatch]) -> Result<(), Failure> {
        let Some(session) = &self.session else {
            return Err(Failure::Silent { what: "begin a transaction".to_owned(), waited: Duration::ZERO });
        };
        let topics = &self.settings.kafka.topics;
        let offsets: Vec<(i32, i64)> =
            batches.iter().map(|batch| (batch.with().shard, batch.with().next_offset)).collect();
        if FleetMutant::OffsetsBefore.is_made() {
            self.member.commit_outside(&offsets)?;
        }
        self.watchdog.watch("begin a transaction", || session.begin())?;
        failpoint::reached("begun");
        for batch in batches.iter().map(ShardBatch::with) {
            for (topic, envelopes) in [(&topics.decisions, &batch.decisions), (&topics.rejected, &batch.rejected)] {
                for envelope in envelopes {
                    let headers: Vec<(&str, &str)> =
                        envelope.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    let (key, value) = (envelope.key.as_deref(), Some(envelope.value.as_slice()));
                    session.send(&Outgoing { topic, partition: batch.shard, key, value, headers: &headers })?;
                }
            }
        }
        failpoint::reached("sent-decisions");
        for batch in batches.iter().map(ShardBatch::with) {
            for (key, value) in &batch.state {
                let (key, value) = (Some(key.as_bytes()), value.as_deref());
                let partition = batch.shard;
                session.send(&Outgoing { topic: &topics.state, partition, key, value, headers: &[] })?;
            }
        }
        failpoint::reached("sent-state");
        self.send_offsets(session, &offsets)?;
        failpoint::reached("sent-offsets");
        self.watchdog.watch("deliver a transaction", || session.drain())?;
        failpoint::reached("drained");
        self.watchdog.watch("commit a transaction", || session.commit())?;
        if FleetMutant::OffsetsAfter.is_made() {
            failpoint::reached("committed");
            self.member.commit_outside(&offsets)?;
        }
        Ok(())
    }

    fn send_offsets(&self, session: &Transactions, offsets: &[(i32, i64)]) -> Result<(), Failure> {
        if FleetMutant::OffsetsAfter.is_made() || FleetMutant::OffsetsBefore.is_made() {
            return Ok(());
        }
        let group = if FleetMutant::GenerationSkipped.is_made() {
            self.settings.kafka.group_of_nobody()?
        } else {
            self.member.group()?
        };
        let Some(group) = group else {
            return Err(Failure::Silent { what: "learn the group's generation".to_owned(), waited: Duration::ZERO });
        };
        let topic = &self.settings.kafka.topics.operations;
        self.watchdog.watch("put offsets into the transaction", || session.send_offsets(topic, offsets, &group))
    }

    /// Notes the shared part of a committed batch.
    fn owe(&mut self, batch: &ShardWrites, plan: &Arc<Plan>, answers: &[Answer], shared: &[SharedChange]) {
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

/// A transaction of Kafka as the log of the shards' batches. What it commits, the shared store is owed.
struct TransactionLog<'w> {
    worker: &'w mut FleetWorker,
    committed_in: Duration,
}

impl CommitLog<Vec<ShardBatch>> for TransactionLog<'_> {
    type Error = Failure;

    fn write(&mut self, batches: &Vec<ShardBatch>) -> Result<(), Failure> {
        let worker = &mut *self.worker;
        if FleetMutant::SharedBeforeCommit.is_made() {
            for batch in batches {
                worker.owe(batch.with(), batch.plan(), batch.answers(), batch.shared());
            }
            worker.settle();
        }
        let begun = Instant::now();
        worker.commit(batches).or_else(|failure| worker.commit_again(failure, batches))?;
        worker.outlets.observer.transaction(Ended::Committed);
        self.committed_in = begun.elapsed();
        failpoint::reached("committed");
        Ok(())
    }

    fn publish(&mut self, committed: &Vec<CommittedShardBatch>) -> Result<(), Failure> {
        let worker = &mut *self.worker;
        if !FleetMutant::SharedBeforeCommit.is_made() {
            for batch in committed {
                worker.owe(&batch.with, &batch.plan, &batch.answers, &batch.shared);
            }
        }
        failpoint::reached("owed");
        worker.settle();
        failpoint::reached("settled");
        Ok(())
    }
}

fn decision_of(answer: &Answer) -> Option<&Decision> {
    match answer {
        Answer::Decided(decision) => Some(decision),
        Answer::Duplicate { .. } | Answer::Rejected(_) => None,
    }
}
