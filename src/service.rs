//! The embedded service: one thread decides and commits, everybody else asks it.
//!
//! A [`Service`] is a handle that any number of callers share. Operations go through a bounded queue to
//! the worker ([`worker`]), which takes whatever waits there as one batch, decides it, commits it in one
//! durable transaction, and only then answers. Decisions are read from the store by their sequence number.
//!
//! Knows nothing of HTTP, of configuration files or of folders.

pub mod active_restrictions;
pub mod backfill;
pub mod checkpoint;
pub mod history;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod recent;
pub mod recovery;
pub mod reproduction;
pub mod rule_change;
pub mod rule_history;
pub mod rule_log;
pub mod rule_stats;
pub mod search;
mod shown;
pub mod switching;
pub mod views;
pub mod withdrawal;
pub mod worker;
mod workers;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::adapters::kafka::Failure;
use crate::adapters::store::block::BlockWriter;
use crate::adapters::store::{Store, StoreError, Stream};
use crate::analysis::backtest;
use crate::engine::plan::{Plan, Settings};
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::decode::Rejection;
use crate::operation::time::{DAY, Nanos};
use crate::pipeline::Limits;
use crate::rules::Vanishing;
use crate::rules::program::RuleSet;

use active_restrictions::{ActiveRestrictions, Books};
use reproduction::why::Hindsight;
use reproduction::{Means, Missing, Reproduced, ReproductionError};
use rule_stats::RuleStats;
use search::{Page, Query};
pub use shown::{BudgetShown, Figures};
pub(crate) use shown::{Part, Shown};
use views::{Foreseen, WalletView};
use workers::{Handle, Says, Workers};

/// How many callers may wait in the queue.
const QUEUE_MAX: usize = 4_096;

/// How long the workers of a fleet may take to end; calls of Kafka's client cannot be broken off.
const FLEET_STOP_PATIENCE: Duration = Duration::from_secs(6);

/// What the service is started with.
#[derive(Debug, Clone, Copy)]
pub struct ServiceSettings {
    pub engine: Settings,
    pub limits: Limits,
    /// At most so many operations in one commit.
    pub batch_max: usize,
    /// For how long operations, decisions and rejected records are kept, in nanoseconds since they arrived.
    pub retention: Retention,
    /// The state is written again after at least so many bytes of changes.
    pub journal_bytes_min: u64,
    /// Keys of shared windows that are tracked at most.
    pub shared_keys_max: usize,
}

/// For how long the streams are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub operations: Nanos,
    pub decisions: Nanos,
    pub rejected: Nanos,
}

impl Default for Retention {
    fn default() -> Self {
        Self { operations: 90 * DAY, decisions: 1_826 * DAY, rejected: 90 * DAY }
    }
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            engine: Settings::default(),
            limits: Limits::default(),
            batch_max: 8_192,
            retention: Retention::default(),
            journal_bytes_min: 64 << 20,
            shared_keys_max: 5_000_000,
        }
    }
}

/// Why the service cannot answer now. Nothing was decided for good, or it is not known yet: the same
/// operations may be sent again.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Unavailable {
    #[error("the service is stopping")]
    Stopping,
    #[error("the service is busy: {QUEUE_MAX} requests wait already")]
    Busy,
    #[error("the store cannot commit: {0}")]
    Store(String),
    #[error("operations come from Kafka here, not in requests")]
    FromKafka,
    /// Of an operation that was sent for one state of its wallet only.
    #[error("the wallet has changed since that state was looked at: look at it again")]
    Changed,
    #[error("no operation of this wallet is known here; another instance may have its shard")]
    Elsewhere,
}

/// What became of the records of one request, in their order.
#[derive(Debug)]
pub struct Answers {
    /// The decisions of the batch the request was in.
    pub decisions: Arc<BlockWriter>,
    /// The sequence number of the block's first decision.
    pub first_seq: u64,
    pub items: Vec<ItemAnswer>,
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemAnswer {
    /// Decided; with the decision's sequence number.
    Decided(u64),
    /// Decided before; the first decision has this sequence number.
    Duplicate(u64),
    Rejected(Rejection),
}

impl Answers {
    /// Returns a decision of this batch.
    #[must_use]
    pub fn decision(&self, seq: u64) -> Option<&[u8]> {
        self.decisions.get(usize::try_from(seq.checked_sub(self.first_seq)?).ok()?)
    }
}

/// What a rule set was refused for.
#[derive(Debug, Clone, Default)]
pub struct RulesRefused {
    /// Every error with its place, as a person reads it.
    pub text: String,
    /// The same for programs.
    pub errors: Vec<serde_json::Value>,
}

/// Loads the rule set from wherever it lies; where parts of it come from elsewhere, they may vanish or not.
pub type LoadRules = Arc<dyn Fn(Vanishing) -> Result<RuleSet, RulesRefused> + Send + Sync>;

/// The rules in use, as everybody may look at them.
#[derive(Debug, Clone)]
pub struct RulesInUse {
    pub plan: Arc<Plan>,
    pub loaded_at: Time,
    /// The set before it, for a rollback.
    pub previous: Option<Arc<RuleSet>>,
    /// Why the last reload was refused, and when.
    pub refused: Option<(Time, RulesRefused)>,
}

/// Records of one request.
pub(crate) struct Submission {
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) arrived_at: Time,
    /// The same instant, to measure by.
    pub(crate) since: Instant,
    /// A wallet, and the only state of it in which this is to be decided.
    pub(crate) only_if: Option<(String, String)>,
    pub(crate) reply: oneshot::Sender<Result<Answers, Unavailable>>,
}

/// What the worker is asked for.
pub(crate) enum Job {
    Submit(Submission),
    Wallet {
        id: String,
        reply: oneshot::Sender<Result<Option<WalletView>, Unavailable>>,
    },
    Foresee {
        id: String,
        record: Vec<u8>,
        arrived_at: Time,
        reply: oneshot::Sender<Result<Foreseen, Unavailable>>,
    },
    Rules {
        rules: Arc<RuleSet>,
        at: Time,
        asked: rule_log::Asked,
        reply: oneshot::Sender<Result<(), Unavailable>>,
    },
    Geo {
        geo: Arc<Geo>,
        reply: oneshot::Sender<()>,
    },
    /// Something that is under way wants to go on.
    Wake,
    Stop,
}

impl Job {
    /// Tells a caller why not; whoever asked may have gone.
    pub(crate) fn refuse(self, unavailable: &Unavailable) {
        match self {
            Self::Submit(submission) => drop(submission.reply.send(Err(unavailable.clone()))),
            Self::Wallet { reply, .. } => drop(reply.send(Err(unavailable.clone()))),
            Self::Foresee { reply, .. } => drop(reply.send(Err(unavailable.clone()))),
            Self::Rules { reply, .. } => drop(reply.send(Err(unavailable.clone()))),
            Self::Geo { .. } | Self::Wake | Self::Stop => {}
        }
    }
}

/// The running service.
#[derive(Clone)]
pub struct Service {
    workers: Arc<Workers>,
    /// None where operations come from Kafka.
    store: Option<Arc<Store>>,
    /// The name of the history of the decisions' numbers: the store's, or, where operations come from Kafka, that of this
    /// process.
    epoch: Arc<str>,
    shown: Arc<Shown>,
    last_seq: watch::Receiver<u64>,
    load_rules: LoadRules,
    /// Held by whoever changes the rules: what it keeps of the set before it must be in use until then.
    changing: Arc<Mutex<()>>,
    /// What decisions of the store are made again with, without the rules; none where operations come from Kafka.
    means: Option<Arc<RwLock<Means>>>,
}

/// Why the service could not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kafka(#[from] Failure),
    #[error("failed to start the worker thread")]
    Thread(#[from] std::io::Error),
}

/// What the worker does with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Deciding,
    /// The batch goes to the disk: it is in the store or not, nobody knows yet.
    Committing,
    /// The batch is durable: its callers are answered.
    Answering,
}

/// What the worker tells others of what it does.
pub trait Observer: Send {
    /// The worker goes on to this with a batch.
    fn enters(&mut self, _phase: Phase, _batch: u64) {}
    /// A batch was committed.
    fn committed(&mut self, batch: &worker::CommittedBatch<'_>);
    /// A commit failed; the worker tries again.
    fn failed(&mut self, error: &StoreError);
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn committed(&mut self, _: &worker::CommittedBatch<'_>) {}
    fn failed(&mut self, _: &StoreError) {}
}

impl Service {
    /// Recovers the state from the store and starts the worker.
    ///
    /// # Errors
    /// The store cannot be read, or the thread cannot be made.
    pub fn start(
        store: Store,
        (rules, load_rules): (RuleSet, LoadRules),
        geo: Geo,
        settings: ServiceSettings,
        (now, observer): (Time, Box<dyn Observer>),
    ) -> Result<Self, StartError> {
        let store = Arc::new(store);
        let epoch = store.epoch()?.into();
        let recovered = recovery::recover(&store, Arc::new(rules), settings.engine)?;
        let indexer = search::indexing::Indexer::recover(&store, recovered.position)?;
        let rule_log = rule_log::RuleLog::open(&store, now)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (seq_sender, last_seq) = watch::channel(recovered.position.seq);
        let (trouble_sender, trouble) = watch::channel(None);
        let rules_in_use =
            RulesInUse { plan: Arc::clone(recovered.engine.plan()), loaded_at: now, previous: None, refused: None };
        let part = Arc::new(Part {
            book: RwLock::new(ActiveRestrictions::of(&recovered.engine, &recovered.shared)),
            rule_stats: RwLock::new(recovered.rule_stats.clone()),
            budgets: RwLock::new(BudgetShown::of(&recovered.engine, 0).collect()),
            ..Part::default()
        });
        let shown = Arc::new(Shown::new(rules_in_use, vec![Arc::clone(&part)]));
        let of_all = Arc::clone(&shown);
        let outlets = worker::Outlets { seq: seq_sender, trouble: trouble_sender, shown: of_all, part, observer };
        let outlets = (outlets, jobs.downgrade());
        let geo = Arc::new(geo);
        let means = Arc::new(RwLock::new(Means { settings, geo: Arc::clone(&geo), present: None }));
        let worker = worker::Worker::new(Arc::clone(&store), (recovered, indexer, rule_log), geo, settings, outlets);
        let thread = std::thread::Builder::new().name("decide".into()).spawn(move || worker.run(queue))?;
        let worker = Handle { jobs, trouble, thread: Mutex::new(Some(thread)), waiting: None };
        Ok(Self {
            workers: Arc::new(Workers::new(vec![worker])),
            store: Some(store),
            epoch,
            shown,
            last_seq,
            load_rules,
            changing: Arc::default(),
            means: Some(means),
        })
    }

    /// Has records decided. Answers after they are durable.
    ///
    /// # Errors
    /// The service stops, is overloaded, or cannot commit.
    pub async fn submit(&self, records: Vec<Vec<u8>>, arrived_at: Time) -> Result<Answers, Unavailable> {
        self.submit_if(records, arrived_at, None).await
    }

    /// Has records decided, if the wallet still has the state that [`WalletView::state`] was, or 0 operations.
    ///
    /// # Errors
    /// The wallet has changed, or as for [`Self::submit`].
    pub async fn submit_if(
        &self,
        records: Vec<Vec<u8>>,
        arrived_at: Time,
        only_if: Option<(String, String)>,
    ) -> Result<Answers, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.workers.send(Job::Submit(Submission { records, arrived_at, since: Instant::now(), only_if, reply }))?;
        answer.await.map_err(|_| Unavailable::Stopping)?
    }

    /// Tells what would be decided on a record of a wallet now, and looks at the wallet; nothing changes.
    ///
    /// # Errors
    /// The service stops, is overloaded, cannot commit, or has no shard of this wallet.
    pub async fn foresee(&self, id: &str, record: Vec<u8>, arrived_at: Time) -> Result<Foreseen, Unavailable> {
        let job = |reply| Job::Foresee { id: id.to_owned(), record: record.clone(), arrived_at, reply };
        let says = |answer: &Result<Foreseen, Unavailable>| match answer {
            Ok(_) => Says::Found,
            Err(Unavailable::Elsewhere) => Says::NotHere,
            Err(_) => Says::Unknown,
        };
        self.workers.ask(job, says).await
    }

    /// Returns the state of a wallet that nothing is known of.
    #[must_use]
    pub fn state_of_nobody(&self) -> String {
        views::state_of(&read(&self.shown.rules).plan, None)
    }

    /// Looks at one wallet's record.
    ///
    /// # Errors
    /// The service stops, is overloaded, or cannot commit.
    pub async fn wallet(&self, id: &str) -> Result<Option<WalletView>, Unavailable> {
        let says = |answer: &Result<Option<WalletView>, Unavailable>| match answer {
            Ok(Some(_)) => Says::Found,
            Ok(None) => Says::NotHere,
            Err(_) => Says::Unknown,
        };
        self.workers.ask(|reply| Job::Wallet { id: id.to_owned(), reply }, says).await
    }

    /// Uses other geo databases from the next batch on. Must not run on an asynchronous thread.
    ///
    /// # Errors
    /// The service stops or is overloaded.
    pub fn switch_geo(&self, geo: Geo) -> Result<(), Unavailable> {
        let geo = Arc::new(geo);
        self.workers.tell(|reply| Job::Geo { geo: Arc::clone(&geo), reply })?;
        if let Some(means) = &self.means {
            write(means).geo = geo;
        }
        Ok(())
    }

    /// Returns the rules in use.
    #[must_use]
    pub fn rules(&self) -> RulesInUse {
        read(&self.shown.rules).clone()
    }

    /// Looks at the active restrictions.
    pub fn with_book<T>(&self, look: impl FnOnce(&Books<RwLockReadGuard<'_, ActiveRestrictions>>) -> T) -> T {
        look(&self.shown.books())
    }

    /// Looks at what the rules matched.
    pub fn with_rule_stats<T>(&self, look: impl FnOnce(&RuleStats) -> T) -> T {
        self.shown.with_rule_stats(look)
    }

    /// Lists what every shard has spent of rules' budgets, by rule and shard.
    #[must_use]
    pub fn budgets(&self) -> Vec<BudgetShown> {
        self.shown.budgets()
    }

    /// Returns the sizes of the state.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.shown.figures()
    }

    /// Follows the sequence number of the last decision that is durable.
    #[must_use]
    pub fn last_seq(&self) -> watch::Receiver<u64> {
        self.last_seq.clone()
    }

    /// Counts the requests that wait for a worker: to be decided, or to be told of a wallet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.workers.queued()
    }

    /// Tells why nothing can be decided now, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        // A worker without operations does not notice that its file is gone.
        let misplaced =
            || self.store.as_ref()?.check_place().err().map(|error| worker::unavailable(&error).to_string());
        self.workers.trouble().or_else(misplaced)
    }

    /// Returns the store, to read from; there is none where operations come from Kafka.
    #[must_use]
    pub const fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// Returns the name of the history that this service's streams tell; another one begins where a store is made
    /// from a backup, and where operations come from Kafka with each start.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Reads decisions after a sequence number, with theirs. Reads the disk.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn decisions(&self, after: u64, limit: usize, bytes_max: usize) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        match &self.store {
            // After the largest number there is nothing.
            Some(store) => match after.checked_add(1) {
                Some(from) => store.read(Stream::Decisions, from, limit, bytes_max),
                None => Ok(Vec::new()),
            },
            None => Ok(Vec::new()),
        }
    }

    /// Reads a page of the decisions that a query means, each with what is listed beside it. Reads the disk; where
    /// operations come from Kafka, the newest decisions of this instance, which it keeps in memory.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn search(&self, query: &Query) -> Result<Page, StoreError> {
        match &self.store {
            Some(store) => search::page(store, query),
            None => {
                let recent = read(&self.shown.recent).snapshot();
                Ok(recent.page(query))
            }
        }
    }

    /// Tells why a stored decision was made, from the state before it, which is made again; `None` where there is no
    /// such decision, or operations come from Kafka. Reads the disk, and decides up to some ten thousand operations.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn why(&self, seq: u64) -> Result<Option<Hindsight>, ReproductionError> {
        let (Some(store), Some(means)) = (&self.store, &self.means) else { return Ok(None) };
        let present = Some(RuleSet::clone(&self.rules().plan.rules));
        let means = Means { present, ..read(means).clone() };
        reproduction::why::why(store, seq, &means)
    }

    /// Makes a decision of this number and with these bytes again and compares both, if at most so many operations before
    /// it are kept. May take seconds. `None` where operations come from Kafka.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn reproduce(
        &self,
        decision: (u64, Vec<u8>),
        at_most: u64,
    ) -> Result<Option<Result<Reproduced, Missing>>, ReproductionError> {
        let (Some(store), Some(means)) = (&self.store, &self.means) else { return Ok(None) };
        let present = Some(RuleSet::clone(&self.rules().plan.rules));
        let means = Means { present, ..read(means).clone() };
        reproduction::reproduce_found(store, decision, means, at_most).map(Some)
    }

    /// Returns what decides as this service does, for a backtest; none where operations come from Kafka.
    #[must_use]
    pub fn backtest_means(&self) -> Option<backtest::Means> {
        let means = read(self.means.as_ref()?);
        let ServiceSettings { engine: settings, limits, .. } = means.settings;
        Some(backtest::Means { geo: Arc::clone(&means.geo), settings, limits })
    }

    /// Waits until all workers have ended: when they were told to, or by faults.
    pub async fn ended(&self) {
        self.workers.ended().await;
    }

    /// Finishes the batch in hand, commits it, ends the workers and closes the store. Later requests are
    /// refused. Returns false when a Kafka that does not answer kept a worker from ending in time: what it
    /// has in hand did not happen, or the next process finds that it did; this one has to end.
    pub fn stop(&self) -> bool {
        let Some(store) = &self.store else { return self.workers.stop_within(FLEET_STOP_PATIENCE) };
        self.workers.stop();
        store.close();
        true
    }
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
