//! Keeps the workers of a process going: each on a thread of its own, with its own member of the group, its own
//! producers and its own shards. What one of them fails at stops no other: the group gives its shards to those that
//! work, and it begins anew after a while. When none works any more the process is at fault, and all of them end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use crate::adapters::kafka::Failure;
use crate::geo::Geo;

use super::super::{Job, Part, Shown, Unavailable, read};
use super::watchdog::Watchdog;
use super::worker::{FleetOutlets, FleetWorker};
use super::{FleetSettings, Observers};

/// A worker that ended by a fault begins anew after so long, twice as long each time, up to the longest.
const RESTART_MIN: Duration = Duration::from_secs(5);
const RESTART_MAX: Duration = Duration::from_secs(600);
/// Whoever worked for so long begins with the shortest pause again.
const WELL_AFTER: Duration = Duration::from_secs(900);
/// How soon a worker that pauses notices what it is asked for.
const LISTEN_EVERY: Duration = Duration::from_millis(20);

/// Why a worker has ended.
pub(super) enum End {
    /// It was told to.
    Asked,
    /// It cannot go on.
    Fault(String),
}

/// What all workers of a process have in common.
pub(super) struct Common {
    /// Those of the process; each worker's are made of them.
    pub(super) settings: FleetSettings,
    pub(super) shown: Arc<Shown>,
    pub(super) seq: watch::Sender<u64>,
    pub(super) geo: Mutex<Arc<Geo>>,
    pub(super) observers: Observers,
    /// Which of them work.
    working: Mutex<Vec<bool>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Common {
    pub(super) fn new(
        settings: FleetSettings,
        (shown, seq): (Arc<Shown>, watch::Sender<u64>),
        geo: Geo,
        observers: Observers,
    ) -> Self {
        let working = Mutex::new(vec![true; settings.workers]);
        Self { settings, shown, seq, geo: Mutex::new(Arc::new(geo)), observers, working }
    }

    /// Returns the databases in use.
    pub(super) fn geo(&self) -> Arc<Geo> {
        Arc::clone(&lock(&self.geo))
    }

    /// Notes whether a worker works; tells whether any does.
    fn note(&self, number: usize, works: bool) -> bool {
        let mut working = lock(&self.working);
        working.iter_mut().skip(number).take(1).for_each(|working| *working = works);
        working.contains(&true)
    }

    /// Tells whether any worker works.
    fn is_any_working(&self) -> bool {
        lock(&self.working).contains(&true)
    }
}

/// What keeps one worker going.
pub(super) struct Supervisor {
    common: Arc<Common>,
    /// From 0.
    number: usize,
    part: Arc<Part>,
    trouble: watch::Sender<Option<String>>,
    watchdog: Watchdog,
    pause: Duration,
}

impl Supervisor {
    pub(super) fn new(
        common: &Arc<Common>,
        (number, part): (usize, &Arc<Part>),
        trouble: watch::Sender<Option<String>>,
        watchdog: Watchdog,
    ) -> Self {
        let (common, part) = (Arc::clone(common), Arc::clone(part));
        Self { common, number, part, trouble, watchdog, pause: RESTART_MIN }
    }

    /// Makes the worker; nothing is asked of Kafka before it runs.
    ///
    /// # Errors
    /// A setting of Kafka is wrong.
    pub(super) fn make(&self) -> Result<FleetWorker, Failure> {
        let common = &self.common;
        let outlets = FleetOutlets {
            seq: common.seq.clone(),
            trouble: self.trouble.clone(),
            shown: Arc::clone(&common.shown),
            part: Arc::clone(&self.part),
            observer: (common.observers)(self.number),
        };
        let rules = Arc::clone(&read(&common.shown.rules).plan.rules);
        FleetWorker::new(common.settings.of_worker(self.number), (rules, common.geo()), outlets, self.watchdog.clone())
    }

    /// Lets the worker run, and others after it, until they are told to stop or none of the process works.
    pub(super) fn run(mut self, first: FleetWorker, mut queue: mpsc::Receiver<Job>) {
        let mut worker: Result<FleetWorker, Failure> = Ok(first);
        loop {
            let begun = Instant::now();
            let ended = match worker {
                Ok(worker) => catch_unwind(AssertUnwindSafe(|| worker.run(&mut queue)))
                    .unwrap_or_else(|_| End::Fault("the worker has ended by a fault of kuzet itself".to_owned())),
                Err(failure) => End::Fault(failure.to_string()),
            };
            let End::Fault(reason) = ended else { break };
            self.part.clear();
            (self.common.observers)(self.number).shards(&[]);
            let is_any_working = self.common.note(self.number, false);
            self.trouble.send_replace(Some(reason.clone()));
            error!(worker = self.number + 1, %reason, "the worker cannot go on");
            if begun.elapsed() > WELL_AFTER {
                self.pause = RESTART_MIN;
            }
            if !is_any_working || !self.rest(&mut queue) {
                break;
            }
            self.common.note(self.number, true);
            info!(worker = self.number + 1, "the worker begins anew");
            worker = self.make();
        }
        // It works no more, whatever the others do.
        self.common.note(self.number, false);
        queue.close();
        while let Ok(job) = queue.try_recv() {
            job.refuse(&Unavailable::Stopping);
        }
    }

    /// Waits before the next worker begins. Tells whether one shall: nobody told it to stop, and others work.
    fn rest(&mut self, queue: &mut mpsc::Receiver<Job>) -> bool {
        let until = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(RESTART_MAX);
        while Instant::now() < until {
            if !self.common.is_any_working() {
                return false;
            }
            match queue.try_recv() {
                Ok(Job::Stop) | Err(TryRecvError::Disconnected) => return false,
                Ok(job) => self.answer(job),
                Err(TryRecvError::Empty) => std::thread::sleep(LISTEN_EVERY),
            }
        }
        true
    }

    /// Answers as a worker without shards.
    fn answer(&self, job: Job) {
        // Whoever asked may have gone.
        match job {
            Job::Wallet { reply, .. } => drop(reply.send(Ok(None))),
            Job::Foresee { reply, .. } => drop(reply.send(Err(Unavailable::Elsewhere))),
            Job::Rules { rules, at, asked: _, reply } => {
                self.common.shown.switched(&rules, at, self.common.settings.engine);
                drop(reply.send(Ok(())));
            }
            Job::Geo { geo, reply } => {
                *lock(&self.common.geo) = geo;
                reply.send(()).unwrap_or(());
            }
            job @ Job::Submit(_) => job.refuse(&Unavailable::FromKafka),
            Job::Wake | Job::Stop => {}
        }
    }
}
