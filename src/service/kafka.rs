//! The service of a fleet: operations from a topic of Kafka, decisions to another, state in a third.
//!
//! A process has one worker or several ([`supervisor`]), each a member of the group for itself. A worker's thread
//! ([`worker`]) owns its member of the consumer group and a [`shard`] for each partition that the
//! group gave it. It takes what waits, decides each partition's records with its shard, and hands them to another thread
//! ([`committer`]), which commits decisions, refused records, state and offsets in one transaction; meanwhile the
//! next records are read and decided. What shards left behind is read by further threads ([`restoration`]), so that
//! no shard waits for another. Scale comes from more workers and more processes.
//!
//! Whatever was decided by a transaction that failed is dropped with its shard, and so is what was decided after
//! it: the state is read again from the topic ([`restore`]). Only where the group went on meanwhile, and the
//! transaction is surely aborted, the same is sent again for those shards that are still this process's.

mod committer;
mod outbox;
mod outgoing;
mod restoration;
mod restore;
mod seen;
mod shard;
#[cfg(feature = "faults")]
pub mod simulated;
mod supervisor;
pub mod verify;
mod watchdog;
pub mod worker;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::adapters::kafka::KafkaSettings;
use crate::adapters::kafka::port::Cluster;
use crate::adapters::redis::RedisSettings;
use crate::engine::plan::{Plan, Settings};
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::partition::Partitioner;
use crate::operation::time::Nanos;
use crate::rules::program::RuleSet;

use super::workers::{Handle, Workers};
use super::{LoadRules, Observer, QUEUE_MAX, RulesInUse, Service, Shown, StartError};
use supervisor::{Common, Supervisor};
use watchdog::Watchdog;

pub use watchdog::OnHang;

/// What the service of a fleet is started with.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// How many workers there are, at least one.
    pub workers: usize,
    /// The way to the brokers.
    pub cluster: Arc<dyn Cluster>,
    pub kafka: KafkaSettings,
    /// What the fleet shares; without it rules that need it follow their `on_missing`.
    pub redis: Option<RedisSettings>,
    /// So many changes are kept at most for a Redis that is away, of all workers.
    pub pending_changes_max: usize,
    pub engine: Settings,
    /// How far after its arrival an operation may have occurred.
    pub future_skew_max: Nanos,
    /// How the producers of operations choose partitions.
    pub partitioner: Partitioner,
    /// At most so many operations in one transaction.
    pub batch_max: usize,
    /// How long a batch waits for more operations after its first.
    pub batch_linger: Duration,
    /// Whether decisions carry the headers of CloudEvents too.
    pub has_cloudevents: bool,
    /// The state of a shard is written again after at least so many bytes of changes.
    pub journal_bytes_min: u64,
}

impl FleetSettings {
    /// Returns what one of the workers runs with, whose numbers begin with 0.
    fn of_worker(&self, number: usize) -> Self {
        let pending_changes_max = self.pending_changes_max.div_ceil(self.workers.max(1));
        Self { kafka: self.kafka.of_worker(number), pending_changes_max, ..self.clone() }
    }
}

/// Makes what observes a worker, whose numbers begin with 0; again for each that takes its place after a fault.
pub type Observers = Box<dyn Fn(usize) -> Box<dyn FleetObserver> + Send + Sync>;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Committed,
    /// It did not happen.
    Aborted,
    /// Recovery finds out whether it happened.
    Unknown,
}

/// What a worker of a fleet tells others of what it does.
pub trait FleetObserver: Observer {
    /// A transaction ended.
    fn transaction(&mut self, _ended: Ended) {}
    /// Shards were restored.
    fn recovered(&mut self, _took: Duration) {}
    /// This worker now has these shards: number, whether it is halted, records that wait.
    fn shards(&mut self, _shards: &[(i32, bool, Option<u64>)]) {}
    /// So many changes wait for the shared store, and so many of its calls failed since it was first used.
    fn shared(&mut self, _changes: usize, _errors: u64) {}
}

impl FleetObserver for super::Unobserved {}

impl Service {
    /// Starts the workers of a process of a fleet, which take their operations from Kafka. Each restores its shards when
    /// the group gives them to it; Kafka may be away meanwhile. `on_hang` is called when Kafka's client never returns, and
    /// has to end the process.
    ///
    /// # Errors
    /// A setting of Kafka is wrong, or a thread cannot be made.
    pub fn start_fleet(
        settings: FleetSettings,
        (rules, load_rules): (RuleSet, LoadRules),
        geo: Geo,
        (now, observers): (Time, Observers),
        on_hang: OnHang,
    ) -> Result<Self, StartError> {
        let (seq, last_seq) = watch::channel(0);
        let plan = Arc::new(Plan::new(Arc::new(rules), settings.engine));
        let rules_in_use = RulesInUse { plan, loaded_at: now, previous: None, refused: None };
        let parts = (0..settings.workers.max(1)).map(|_| Arc::default()).collect();
        let shown = Arc::new(Shown::new(rules_in_use, parts));
        let watchdogs = Watchdog::start(shown.parts.len(), settings.kafka.transaction_timeout, on_hang)?;
        let common = Arc::new(Common::new(settings, (Arc::clone(&shown), seq), geo, observers));
        let mut made = Vec::new();
        for ((number, part), watchdog) in shown.parts.iter().enumerate().zip(watchdogs) {
            let (tell, trouble) = watch::channel(Some("Kafka has not answered yet".to_owned()));
            let watched = watchdog.waiting();
            let supervisor = Supervisor::new(&common, (number, part), tell, watchdog);
            let worker = supervisor.make()?;
            made.push((supervisor, worker, trouble, watched));
        }
        let mut handles = Vec::new();
        for (supervisor, worker, trouble, watched) in made {
            let (jobs, queue) = mpsc::channel(QUEUE_MAX);
            let thread = std::thread::Builder::new().name("decide".into());
            let thread = Mutex::new(Some(thread.spawn(move || supervisor.run(worker, queue))?));
            handles.push(Handle { jobs, trouble, thread, waiting: Some(Box::new(move || watched.trouble())) });
        }
        Ok(Self {
            workers: Arc::new(Workers::new(handles)),
            store: None,
            epoch: shard::new_epoch(),
            shown,
            last_seq,
            load_rules,
            changing: Arc::default(),
            means: None,
        })
    }
}
