//! The service of a fleet: operations from a topic of Kafka, decisions to another, state in a third.
//!
//! A thread ([`worker`]) owns a member of the consumer group and a [`shard`] for each partition that the group
//! gave it. It takes what waits, decides each partition's records with its shard, and hands them to another thread
//! ([`committer`]), which commits decisions, refused records, state and offsets in one transaction; meanwhile the
//! next records are read and decided. What shards left behind is read by further threads ([`restoration`]), so that
//! no shard waits for another. Scale comes from more processes.
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
pub mod verify;
mod watchdog;
pub mod worker;

use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::adapters::kafka::KafkaSettings;
use crate::adapters::redis::RedisSettings;
use crate::engine::plan::{Plan, Settings};
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::partition::Partitioner;
use crate::operation::time::Nanos;
use crate::rules::program::RuleSet;

use super::active_restrictions::ActiveRestrictions;
use super::rule_stats::RuleStats;
use super::{Figures, LoadRules, Observer, QUEUE_MAX, RulesInUse, Service, Shown, StartError};

pub use watchdog::OnHang;
pub(crate) use watchdog::Watchdog;

/// What the service of a fleet is started with.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    pub kafka: KafkaSettings,
    /// What the fleet shares; without it rules that need it follow their `on_missing`.
    pub redis: Option<RedisSettings>,
    /// So many changes are kept at most for a Redis that is away.
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

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Committed,
    /// It did not happen.
    Aborted,
    /// Recovery finds out whether it happened.
    Unknown,
}

/// What the worker of a fleet tells others of what it does.
pub trait FleetObserver: Observer {
    /// A transaction ended.
    fn transaction(&mut self, _ended: Ended) {}
    /// Shards were restored.
    fn recovered(&mut self, _took: Duration) {}
    /// This process now has these shards: number, whether it is halted, records that wait.
    fn shards(&mut self, _shards: &[(i32, bool, Option<u64>)]) {}
    /// So many changes wait for the shared store, and so many of its calls failed since it was first used.
    fn shared(&mut self, _changes: usize, _errors: u64) {}
}

impl FleetObserver for super::Unobserved {}

impl Service {
    /// Starts the worker of a fleet, which takes its operations from Kafka. It restores its shards when the
    /// group gives them to it; Kafka may be away meanwhile. `on_hang` is called when Kafka's client never
    /// returns, and has to end the process.
    ///
    /// # Errors
    /// A setting of Kafka is wrong, or a thread cannot be made.
    pub fn start_fleet(
        settings: FleetSettings,
        (rules, load_rules): (RuleSet, LoadRules),
        geo: Geo,
        (now, observer): (Time, Box<dyn FleetObserver>),
        on_hang: OnHang,
    ) -> Result<Self, StartError> {
        let rules = Arc::new(rules);
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (seq, last_seq) = watch::channel(0);
        let (trouble_sender, trouble) = watch::channel(Some("Kafka has not answered yet".to_owned()));
        let plan = Arc::new(Plan::new(Arc::clone(&rules), settings.engine));
        let shown = Arc::new(Shown {
            rules: RwLock::new(RulesInUse { plan, loaded_at: now, previous: None, refused: None }),
            book: RwLock::new(ActiveRestrictions::default()),
            rule_stats: RwLock::new(RuleStats::default()),
            figures: RwLock::new(Figures::default()),
            recent: RwLock::default(),
        });
        let outlets = worker::FleetOutlets { seq, trouble: trouble_sender, shown: Arc::clone(&shown), observer };
        let watchdog = Watchdog::start(settings.kafka.transaction_timeout, on_hang)?;
        let watched = watchdog.waiting();
        let worker = worker::FleetWorker::new(settings, (rules, geo), outlets, watchdog)?;
        let thread = std::thread::Builder::new().name("decide".into()).spawn(move || worker.run(queue))?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(Self {
            jobs,
            store: None,
            epoch: shard::new_epoch(),
            shown,
            last_seq,
            trouble,
            load_rules,
            changing: Arc::default(),
            thread,
            waiting: Some(Arc::new(move || watched.trouble())),
        })
    }
}
