//! The thread of a fleet's service that reads and decides.
//!
//! Rebalances happen in looks for records. A transaction may be on its way meanwhile: it was begun for the group
//! as it was, so Kafka takes it only as long as nobody else can have its partitions.

mod assignment;
mod flow;
mod gaps;
mod show;

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tracing::warn;

use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::kafka::Failure;
use crate::adapters::kafka::port::{GroupMember, Isolation, Polled};
use crate::adapters::runtime;
use crate::geo::Geo;
use crate::operation::Time;
use crate::rules::program::RuleSet;

use super::super::{Job, Part, Shown, Unavailable};
use super::committer::Committer;
use super::outbox::Outbox;
use super::shard::Shard;
use super::supervisor::End;
use super::watchdog::Watchdog;
use super::{FleetObserver, FleetSettings};
use assignment::Assignment;
use flow::Flow;
use gaps::Steps;
use show::Unshown;

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
/// So long after the time of a transaction is over Kafka's client is given up with its thread.
const HUNG_AFTER: Duration = Duration::from_secs(15);
/// So many committing threads may be given up within so long before the worker ends.
const GIVEN_UP_MAX: usize = 5;
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(3_600);
/// A thread that never returns counts for so long: what it holds of the process's memory is not freed.
const HUNG_WITHIN: Duration = Duration::from_secs(24 * 3_600);
const FIGURES_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at the whole state's size.
const SIZES_EVERY: Duration = Duration::from_secs(15);

/// Where the worker shows what it does.
pub(crate) struct FleetOutlets {
    pub(crate) seq: tokio::sync::watch::Sender<u64>,
    pub(crate) trouble: tokio::sync::watch::Sender<Option<String>>,
    pub(crate) shown: Arc<Shown>,
    /// What it shows of its wallets.
    pub(crate) part: Arc<Part>,
    pub(crate) observer: Box<dyn FleetObserver>,
}

/// When something is tried again.
#[derive(Debug, Default, Clone, Copy)]
struct Pacing {
    until: Option<Instant>,
    next: Option<Duration>,
}

impl Pacing {
    /// Tells whether it is too early to try again.
    fn is_waiting(&self) -> bool {
        self.until.is_some_and(|until| runtime::now() < until)
    }

    /// Begins a pause of `first`, or one twice as long as the last, up to `max`; returns its end.
    fn pause(&mut self, first: Duration, max: Duration) -> Instant {
        let wait = self.next.unwrap_or(first);
        self.next = Some((wait * 2).min(max));
        let until = runtime::now() + wait;
        self.until = Some(until);
        until
    }
}

/// Committing threads that were given up, each with when.
#[derive(Default)]
struct GivenUp(Vec<(Instant, JoinHandle<()>)>);

impl GivenUp {
    /// Forgets those that returned and were given up long ago, or hang for very long, and counts the others.
    fn count(&mut self, now: Instant) -> usize {
        self.0.retain(|(at, thread)| {
            let within = if thread.is_finished() { GIVEN_UP_WITHIN } else { HUNG_WITHIN };
            now.saturating_duration_since(*at) < within
        });
        self.0.len()
    }
}

/// The session of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    None,
    /// It was asked for.
    Begun,
    Ready,
}

/// The thread's state.
pub(crate) struct FleetWorker {
    settings: FleetSettings,
    rules: Arc<RuleSet>,
    geo: Arc<Geo>,
    ledger: Outbox,
    outlets: FleetOutlets,
    member: Arc<dyn GroupMember>,
    committer: Committer,
    watchdog: Watchdog,
    given_up: GivenUp,
    session: Session,
    /// How many partitions the operations have; known with the first restoration.
    partitions: i32,
    mine: Assignment,
    shards: BTreeMap<i32, Shard>,
    flow: Flow,
    steps: Steps,
    /// Questions that wait until everything decided is committed.
    asked: VecDeque<Job>,
    unshown: Unshown,
    fenced_at: VecDeque<Instant>,
    backoff: Pacing,
    /// Why the last session ended.
    failure: Option<String>,
    figures_at: Option<Instant>,
    sizes_at: Option<Instant>,
}

fn start_committer(
    settings: &FleetSettings,
    member: &Arc<dyn GroupMember>,
    watchdog: &Watchdog,
) -> Result<Committer, Failure> {
    let of_kafka = (Arc::clone(&settings.cluster), settings.kafka.clone(), settings.has_cloudevents);
    let started = Committer::start(of_kafka, Arc::downgrade(member), watchdog.clone());
    started.map_err(|error| Failure::Setting { name: "of this process".to_owned(), reason: error.to_string() })
}

impl FleetWorker {
    /// Makes the worker; nothing is asked of Kafka before [`Self::run`].
    ///
    /// # Errors
    /// A setting of Kafka is wrong.
    pub(crate) fn new(
        settings: FleetSettings,
        (rules, geo): (Arc<RuleSet>, Arc<Geo>),
        outlets: FleetOutlets,
        watchdog: Watchdog,
    ) -> Result<Self, Failure> {
        // Offsets that an open transaction holds are waited for too.
        let is_mistaken = FleetMutant::OpenTransactionsIgnored.is_made();
        let isolation = if is_mistaken { Isolation::Uncommitted } else { Isolation::Committed };
        let member = settings.cluster.join(&settings.kafka, isolation)?;
        let ledger = Outbox::new(settings.redis.clone(), settings.pending_changes_max)
            .map_err(|error| Failure::Setting { name: "of Redis".to_owned(), reason: error.to_string() })?;
        let committer = start_committer(&settings, &member, &watchdog)?;
        Ok(Self {
            settings,
            rules,
            geo,
            ledger,
            outlets,
            member,
            committer,
            watchdog,
            given_up: GivenUp::default(),
            session: Session::None,
            partitions: 0,
            mine: Assignment::default(),
            shards: BTreeMap::new(),
            flow: Flow::default(),
            steps: Steps::default(),
            asked: VecDeque::new(),
            unshown: Unshown::default(),
            fenced_at: VecDeque::new(),
            backoff: Pacing::default(),
            failure: None,
            figures_at: None,
            sizes_at: None,
        })
    }

    /// Works until it is told to stop, or cannot go on; tells which.
    pub(super) fn run(mut self, queue: &mut mpsc::Receiver<Job>) -> End {
        let ended = loop {
            match self.turn(queue) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(ended) => break ended,
            }
        };
        if let End::Fault(reason) = &ended {
            self.outlets.trouble.send_replace(Some(reason.clone()));
        }
        // What is on its way is ended in order; what was decided after it is decided again by whoever is next.
        self.end_transaction();
        self.asked.drain(..).for_each(|job| job.refuse(&Unavailable::Stopping));
        // The member leaves the group with its consumer, the transaction in hand is over.
        ended
    }

    /// One round: questions, changes of the assignment, records, decisions, one transaction.
    fn turn(&mut self, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<End> {
        self.serve(queue)?;
        self.show_figures();
        let heard = self.give_up_if_hung().and_then(|()| self.hear(true));
        if let Err(failure) = heard.and_then(|()| self.prepare()) {
            return self.failed(&failure, queue);
        }
        self.answer();
        self.tell_trouble();
        self.collect()?;
        // Revoked partitions are another's already.
        self.drop_revoked();
        match self.advance() {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => self.failed(&failure, queue),
        }
    }

    fn tell_trouble(&self) {
        let trouble = self.trouble();
        self.outlets.trouble.send_if_modified(|shown| {
            let is_other = *shown != trouble;
            *shown = trouble;
            is_other
        });
    }

    /// Tells why not all that is this process's can be decided, if so.
    fn trouble(&self) -> Option<String> {
        let halted = &self.mine.halted;
        if !halted.is_empty() {
            let halted: Vec<String> = halted.iter().map(|(shard, halt)| format!("shard {shard}: {halt}")).collect();
            return Some(format!("halted: {}", halted.join("; ")));
        }
        let restored = self.mine.restorations.iter().map(|one| one.shards.len()).sum::<usize>();
        let restored = || (restored > 0).then(|| format!("{restored} shards are being restored"));
        let session = || {
            let reason = || self.failure.clone().unwrap_or_else(|| "Kafka has not begun a session yet".to_owned());
            (self.session != Session::Ready).then(|| self.member.explain(reason()))
        };
        self.member.trouble().or_else(session).or_else(|| self.mine.trouble.clone()).or_else(restored)
    }

    /// Drops everything that a failed transaction may have touched, and waits a little.
    fn failed(&mut self, failure: &Failure, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<End> {
        if let Failure::Setting { .. } = failure {
            return ControlFlow::Break(End::Fault(failure.to_string()));
        }
        warn!(error = %failure, shards = self.shards.len(), "Kafka failed; the state is read again from its topic");
        if failure.is_fenced() {
            let now = runtime::now();
            self.fenced_at.push_back(now);
            self.fenced_at.retain(|at| now.duration_since(*at) < FENCED_WITHIN);
            if self.fenced_at.len() >= FENCED_MAX {
                let instance = self.settings.kafka.process();
                return ControlFlow::Break(End::Fault(format!(
                    "another process has the instance name {instance} too and took over {FENCED_MAX} times within a \
                     minute; `kafka.instance` must be different in each process ({failure})"
                )));
            }
        }
        self.failure = Some(format!("Kafka: {failure}"));
        self.tell_trouble();
        self.end_transaction();
        let hung = self.given_up.count(runtime::now());
        if hung > GIVEN_UP_MAX {
            return ControlFlow::Break(End::Fault(format!("Kafka's client hung {hung} times ({failure})")));
        }
        // Its outcome may be open: only a new session tells.
        self.session = Session::None;
        self.tell_trouble();
        let marked = std::mem::take(&mut self.mine.marked);
        self.mine.clear();
        if FleetMutant::StateKept.is_made() {
            self.mine.marked = marked;
        } else {
            self.shards.clear();
        }
        self.flow.clear();
        self.unshown = Unshown::default();
        let mine: Vec<i32> = self.mine.partitions.keys().copied().collect();
        drop(self.member.pause(&mine));
        let until = self.backoff.pause(BACKOFF_MIN, BACKOFF_MAX);
        while runtime::now() < until {
            self.serve(queue)?;
            // Whatever comes belongs to shards that do not run; the group must see this member alive.
            if let Polled::Fatal(reason) = self.member.poll(Duration::from_millis(20)) {
                return ControlFlow::Break(End::Fault(reason));
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives up the committing thread when Kafka's client does not return to it. Whatever it had in hand is refused or
    /// known once another thread has begun a session under the same names.
    fn give_up_if_hung(&mut self) -> Result<(), Failure> {
        let limit = self.settings.kafka.transaction_timeout + HUNG_AFTER;
        if !self.committer.is_hung(limit) {
            return Ok(());
        }
        self.watchdog.give_up();
        let next = start_committer(&self.settings, &self.member, &self.watchdog)?;
        let hung = std::mem::replace(&mut self.committer, next).into_thread();
        self.given_up.0.push((runtime::now(), hung));
        Err(Failure::Silent { what: "hear from Kafka's client".to_owned(), waited: limit })
    }

    /// Waits for the transaction on its way, and takes in what became of it.
    fn end_transaction(&mut self) {
        while self.committer.is_committing() {
            self.committer.wait(POLL);
            if let Err(failure) = self.give_up_if_hung().and_then(|()| self.hear(false)) {
                warn!(error = %failure, "the last transaction failed");
            }
        }
    }

    /// Answers what waits.
    fn serve(&mut self, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<End> {
        loop {
            match queue.try_recv() {
                Ok(Job::Stop) | Err(TryRecvError::Disconnected) => return ControlFlow::Break(End::Asked),
                Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
                Ok(job @ (Job::Wallet { .. } | Job::Foresee { .. })) => self.asked.push_back(job),
                Ok(Job::Geo { geo, reply }) => {
                    self.geo = geo;
                    self.shards.values_mut().for_each(|shard| shard.pipeline.geo = Arc::clone(&self.geo));
                    reply.send(()).unwrap_or(());
                }
                Ok(Job::Rules { rules, at, asked: _, reply }) => {
                    self.switch(&rules, at);
                    drop(reply.send(Ok(())));
                }
                Ok(job @ Job::Submit(_)) => job.refuse(&Unavailable::FromKafka),
                Ok(Job::Wake) => {}
            }
        }
    }

    /// Answers questions for wallets, and shows restrictions, once nothing is decided that is not committed.
    fn answer(&mut self) {
        if self.committer.is_committing() || self.flow.has_decided() {
            return;
        }
        self.show_changed();
        for job in std::mem::take(&mut self.asked) {
            // Whoever asked may have gone.
            match job {
                Job::Wallet { id, reply } => drop(reply.send(Ok(self.wallet(&id)))),
                Job::Foresee { id, record, arrived_at, reply } => {
                    drop(reply.send(self.foresee(&id, &record, arrived_at)));
                }
                other => other.refuse(&Unavailable::FromKafka),
            }
        }
    }

    fn switch(&mut self, rules: &Arc<RuleSet>, at: Time) {
        self.rules = Arc::clone(rules);
        self.shards.values_mut().for_each(|shard| shard.switch(rules, self.settings.engine));
        self.show_young();
        self.outlets.shown.switched(rules, at, self.settings.engine);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn threads_that_were_given_up_count_for_a_while() {
        let (end, told) = mpsc::channel::<()>();
        let returned = std::thread::spawn(|| {});
        let hangs = std::thread::spawn(move || told.recv().unwrap_or(()));
        while !returned.is_finished() {
            std::thread::yield_now();
        }
        let now = Instant::now();
        let mut given_up = GivenUp(vec![(now, returned), (now, hangs)]);
        for (after, count) in [
            (Duration::ZERO, 2),
            (GIVEN_UP_WITHIN, 1),
            (HUNG_WITHIN.saturating_sub(Duration::from_secs(1)), 1),
            (HUNG_WITHIN, 0),
        ] {
            assert_eq!(given_up.count(now + after), count, "{after:?}");
        }
        drop(end);
    }
}
