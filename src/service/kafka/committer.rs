//! The thread that commits: while one transaction is on its way, the next batches are read and decided.
//!
//! It owns the session of transactions and has one piece of work at a time. What became of it is reported; what
//! follows from that (publishing, showing, dropping state after a failure) is the deciding thread's business.

use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::kafka::port::{Cluster, Group, GroupMember, Outgoing, Transactions};
use crate::adapters::kafka::reader::Reader;
use crate::adapters::kafka::session::Session;
use crate::adapters::kafka::{Failure, KafkaSettings, Topics};
use crate::adapters::{failpoint, runtime};
use crate::pipeline::{self, Unpublished};

use super::outgoing::Headers;
use super::shard::{CommittedShardBatch, Mark, ShardBatch, decision_of};
use super::watchdog::Watchdog;

/// What one transaction commits.
pub(super) struct Work {
    pub(super) marks: Vec<Mark>,
    /// Each shard's in the order in which they were decided.
    pub(super) batches: Vec<ShardBatch>,
    /// The group as it was when all these shards were this process's: later nobody may commit for it.
    pub(super) group: Group,
}

enum Request {
    Begin,
    Commit(Work),
}

/// What became of the last request.
pub(super) enum Report {
    /// A session has begun.
    Begun,
    /// A transaction is committed: these shards are marked, each as of a gift of the group; these batches
    /// are durable. It took so long.
    Committed { marked: Vec<(i32, u64)>, batches: Unpublished<Vec<CommittedShardBatch>>, took: Duration },
    /// The group has gone on, and the transaction was aborted: it can be committed for the group as it is now.
    Returned { marks: Vec<Mark>, batches: Vec<ShardBatch>, failure: Failure },
    /// The session is over, and whatever it had in hand is lost or open.
    Failed { is_transaction: bool, failure: Failure },
}

/// The deciding thread's end.
pub(super) struct Committer {
    requests: SyncSender<Request>,
    reports: Receiver<Report>,
    is_busy: bool,
    is_commit: bool,
    /// When the last request was made.
    asked_at: Instant,
    /// What has come and was not taken yet.
    report: Option<Report>,
    thread: JoinHandle<()>,
}

impl Committer {
    /// Starts the thread. It ends with this value, after the work in hand.
    ///
    /// # Errors
    /// A thread cannot be made.
    pub(super) fn start(
        (cluster, settings, has_cloudevents): (Arc<dyn Cluster>, KafkaSettings, bool),
        member: Weak<dyn GroupMember>,
        watchdog: Watchdog,
    ) -> std::io::Result<Self> {
        // One request at a time: neither side ever waits to put something in.
        let (requests, to_do) = sync_channel(1);
        let (report, reports) = sync_channel(1);
        let source = format!("/kuzet/{}", settings.group);
        let thread = Thread { cluster, settings, source, has_cloudevents, member, watchdog, session: None };
        let thread = runtime::spawn("commit", move || thread.run(&to_do, &report))?;
        let asked_at = runtime::now();
        Ok(Self { requests, reports, is_busy: false, is_commit: false, asked_at, report: None, thread })
    }

    /// Tells whether a request is under way.
    pub(super) const fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Tells whether nothing has come of a request for so long. Every call to Kafka has a limit, but the client does
    /// not keep all of them: when the group's coordinator goes at the wrong moment, `send_offsets_to_transaction`
    /// returns never.
    pub(super) fn is_hung(&self, limit: Duration) -> bool {
        self.is_busy && self.report.is_none() && runtime::elapsed(self.asked_at) > limit
    }

    /// Gives the thread up; returns it, to look at whether it has ended.
    pub(super) fn into_thread(self) -> JoinHandle<()> {
        self.thread
    }

    /// Tells whether a transaction is on its way.
    pub(super) const fn is_committing(&self) -> bool {
        self.is_busy && self.is_commit
    }

    /// Asks for a new session, in place of the one there may be.
    pub(super) fn begin_session(&mut self) {
        self.request(Request::Begin);
    }

    /// Asks for a commit; nothing else may be under way.
    pub(super) fn commit(&mut self, work: Work) {
        self.request(Request::Commit(work));
    }

    fn request(&mut self, request: Request) {
        debug_assert!(!self.is_busy, "one request at a time");
        self.is_commit = matches!(request, Request::Commit(_));
        self.asked_at = runtime::now();
        // The thread ends with this value, not before: only a panic there could refuse.
        self.is_busy = self.requests.send(request).is_ok();
        runtime::told();
    }

    /// Waits at most so long until the request is done.
    pub(super) fn wait(&mut self, wait: Duration) {
        if !self.is_busy || self.report.is_some() {
            return;
        }
        self.report = match runtime::receive(&self.reports, wait) {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                let reason = "the thread that commits has ended".to_owned();
                let failure = Failure::Setting { name: "of this process".to_owned(), reason };
                Some(Report::Failed { is_transaction: true, failure })
            }
        };
    }

    /// Returns what became of the request, once it is done.
    pub(super) fn report(&mut self) -> Option<Report> {
        self.wait(Duration::ZERO);
        let report = self.report.take();
        self.is_busy &= report.is_none();
        report
    }
}

/// Lists the records of the state, in the order in which they were made. Of several under one key, as each batch of a
/// shard says how far it has come, only the last is written: a transaction is read whole or not at all.
fn last_of_each<'w>(marks: &'w [Mark], batches: &'w [ShardBatch]) -> Vec<(i32, &'w str, Option<&'w [u8]>)> {
    let of_marks = marks.iter().map(|mark| (mark.shard, &mark.state));
    let of_batches = batches.iter().map(|batch| (batch.with().shard, &batch.with().state));
    let all = of_marks
        .chain(of_batches)
        .flat_map(|(shard, records)| records.iter().map(move |(key, value)| (shard, key.as_str(), value.as_deref())));
    let mut seen = HashSet::new();
    let mut last: Vec<_> = all.rev().filter(|(shard, key, _)| seen.insert((*shard, *key))).collect();
    last.reverse();
    last
}

struct Thread {
    cluster: Arc<dyn Cluster>,
    settings: KafkaSettings,
    /// What decisions say where they come from.
    source: String,
    has_cloudevents: bool,
    /// The deciding thread's, which leaves the group with it.
    member: Weak<dyn GroupMember>,
    watchdog: Watchdog,
    session: Option<Session>,
}

impl Thread {
    fn run(mut self, requests: &Receiver<Request>, reports: &SyncSender<Report>) {
        while let Some(request) = runtime::next(requests) {
            let report = match request {
                Request::Begin => match self.begin() {
                    Ok(()) => Report::Begun,
                    Err(failure) => Report::Failed { is_transaction: false, failure },
                },
                Request::Commit(work) => self.work(work),
            };
            if reports.send(report).is_err() {
                return;
            }
            runtime::told();
        }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        // Its transaction may be open: the new session aborts it.
        self.session = None;
        let settings = &self.settings;
        let session = self.watchdog.watch("begin a session", || Session::begin(&*self.cluster, settings))?;
        debug!("a session of transactions has begun");
        failpoint::reached("session");
        // Of a topic that is not there the group gives no partitions: without a question nobody would know.
        let reader = Reader::new(&*self.cluster, settings)?;
        let Topics { operations, decisions, rejected, state } = &settings.topics;
        [operations, decisions, rejected, state]
            .into_iter()
            .try_for_each(|topic| reader.partitions(topic).map(drop))?;
        self.session = Some(session);
        Ok(())
    }

    fn work(&mut self, work: Work) -> Report {
        let Work { marks, batches, group } = work;
        let (begun, is_of_batches) = (runtime::now(), !batches.is_empty());
        let durable = pipeline::write(batches, |batches| {
            self.commit(&marks, batches, &group).or_else(|failure| self.commit_again(failure, &marks, batches, &group))
        });
        match durable {
            Ok(batches) => {
                if is_of_batches {
                    failpoint::reached("committed");
                }
                let marked = marks.iter().map(|mark| (mark.shard, mark.gift)).collect();
                Report::Committed { marked, batches, took: runtime::elapsed(begun) }
            }
            Err((batches, failure @ Failure::Stale { .. })) => match self.abort() {
                Ok(()) => Report::Returned { marks, batches, failure },
                Err(failure) => self.failed(failure),
            },
            Err((_, failure)) => self.failed(failure),
        }
    }

    fn abort(&self) -> Result<(), Failure> {
        self.session
            .as_ref()
            .map_or(Ok(()), |session| self.watchdog.watch("abort a transaction", || session.current().abort()))
    }

    /// Ends the session: the outcome of its transaction may be open, and only a new one tells.
    fn failed(&mut self, failure: Failure) -> Report {
        self.session = None;
        Report::Failed { is_transaction: true, failure }
    }

    /// The mistake of which [`FleetMutant::CommitRepeated`] tells; otherwise the failure is one.
    fn commit_again(
        &mut self,
        failure: Failure,
        marks: &[Mark],
        batches: &[ShardBatch],
        group: &Group,
    ) -> Result<(), Failure> {
        if !FleetMutant::CommitRepeated.is_made() || !failure.is_unknown() {
            return Err(failure);
        }
        warn!(error = %failure, "the commit is made again");
        self.session = None;
        while self.session.is_none() {
            self.session = Session::begin(&*self.cluster, &self.settings).ok();
        }
        self.commit(marks, batches, group)
    }

    /// Puts marks and batches into one transaction and commits it.
    fn commit(&mut self, marks: &[Mark], batches: &[ShardBatch], group: &Group) -> Result<(), Failure> {
        let Some(mut session) = self.session.take() else {
            return Err(Failure::Silent { what: "begin a transaction".to_owned(), waited: Duration::ZERO });
        };
        let committed = self.commit_in(session.next_producer(), marks, batches, group);
        self.session = Some(session);
        committed
    }

    fn commit_in(
        &self,
        session: &dyn Transactions,
        marks: &[Mark],
        batches: &[ShardBatch],
        group: &Group,
    ) -> Result<(), Failure> {
        // Of several batches of a shard the last one tells where it goes on.
        let offsets: BTreeMap<i32, i64> = marks
            .iter()
            .map(|mark| (mark.shard, mark.next_offset))
            .chain(batches.iter().map(|batch| (batch.with().shard, batch.with().next_offset)))
            .collect();
        let offsets: Vec<(i32, i64)> = offsets.into_iter().collect();
        let is_of_batches = !batches.is_empty();
        let reached = |step| {
            if is_of_batches {
                failpoint::reached(step);
            }
        };
        if FleetMutant::OffsetsBefore.is_made() {
            self.commit_outside(&offsets)?;
        }
        self.watchdog.watch("begin a transaction", || session.begin())?;
        reached("begun");
        self.send_decisions(session, batches)?;
        reached("sent-decisions");
        self.send_states(session, marks, batches)?;
        if !is_of_batches {
            failpoint::reached("sent-marks");
        }
        reached("sent-state");
        self.send_offsets(session, &offsets, group)?;
        reached("sent-offsets");
        self.watchdog.watch("deliver a transaction", || session.drain())?;
        reached("drained");
        self.watchdog.watch("commit a transaction", || session.commit())?;
        if !is_of_batches {
            failpoint::reached("marked");
        }
        if FleetMutant::OffsetsAfter.is_made() {
            reached("committed");
            self.commit_outside(&offsets)?;
        }
        Ok(())
    }

    fn send_decisions(&self, session: &dyn Transactions, batches: &[ShardBatch]) -> Result<(), Failure> {
        let topics = &self.settings.topics;
        for batch in batches {
            let writes = batch.with();
            let partition = writes.shard;
            let mut headers = Headers::new((partition, &writes.epoch), &self.source, self.has_cloudevents);
            let decisions = batch.answers().iter().filter_map(decision_of).zip(&writes.decisions);
            for (seq, (decision, value)) in (writes.first_seq..).zip(decisions) {
                let (topic, key, value) = (&topics.decisions, Some(decision.wallet_id.as_bytes()), Some(&**value));
                headers.of_decision(decision, seq, |headers| {
                    session.send(&Outgoing { topic, partition, key, value, headers })
                })?;
            }
            for envelope in &writes.rejected {
                let (topic, key, value) = (&topics.rejected, envelope.key.as_deref(), Some(&*envelope.value));
                headers.of_rejection(envelope, |headers| {
                    session.send(&Outgoing { topic, partition, key, value, headers })
                })?;
            }
        }
        Ok(())
    }

    fn send_states(&self, session: &dyn Transactions, marks: &[Mark], batches: &[ShardBatch]) -> Result<(), Failure> {
        let topic = &self.settings.topics.state;
        for (partition, key, value) in last_of_each(marks, batches) {
            let key = Some(key.as_bytes());
            session.send(&Outgoing { topic, partition, key, value, headers: &[] })?;
        }
        Ok(())
    }

    /// A mistake of the tests: see [`FleetMutant`].
    fn commit_outside(&self, offsets: &[(i32, i64)]) -> Result<(), Failure> {
        self.member.upgrade().map_or(Ok(()), |member| member.commit_outside(offsets))
    }

    /// The mistake of which [`FleetMutant::GenerationLate`] tells.
    fn generation_late(&self) -> Result<Option<Group>, Failure> {
        let member = self.member.upgrade().filter(|_| FleetMutant::GenerationLate.is_made());
        member.map_or(Ok(None), |member| member.group())
    }

    fn send_offsets(&self, session: &dyn Transactions, offsets: &[(i32, i64)], group: &Group) -> Result<(), Failure> {
        if FleetMutant::OffsetsAfter.is_made() || FleetMutant::OffsetsBefore.is_made() {
            return Ok(());
        }
        let topic = &self.settings.topics.operations;
        let of_nobody =
            if FleetMutant::GenerationSkipped.is_made() { self.cluster.group_of_nobody(&self.settings)? } else { None };
        let of_now = self.generation_late()?;
        let group = of_nobody.as_ref().or(of_now.as_ref()).unwrap_or(group);
        self.watchdog.watch("put offsets into the transaction", || session.send_offsets(topic, offsets, group))
    }
}
