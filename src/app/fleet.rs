//! Configuration becomes a service of a fleet, which takes its operations from Kafka.

use std::fs;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tracing::error;

use crate::adapters::clock;
use crate::adapters::kafka::librdkafka::Librdkafka;
use crate::adapters::kafka::producer::Sender;
use crate::adapters::kafka::{KafkaSettings, Topics, read_properties};
use crate::adapters::store::StoreError;
use crate::config::{Config, KafkaConfig};
use crate::geo::Geo;
use crate::http::Fleet;
use crate::metrics::Metrics;
use crate::operation::partition::keys_of_partitions;
use crate::rules::program::RuleSet;
use crate::service::kafka::{Ended, FleetObserver, FleetSettings, Observers};
use crate::service::worker::CommittedBatch;
use crate::service::{LoadRules, Observer, Phase, Service};

use super::observers::Counting;
use super::redis_lists::redis_settings;
use super::settings::engine_settings;

/// The exit code of a fault of kuzet itself.
const INTERNAL: i32 = 70;

/// Settings of Kafka that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PropertiesError {
    #[error("failed to read the Kafka settings in {path}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("failed to read the Kafka settings in {path}, line {line}: found no `=`, but key=value is accepted")]
    Line { path: String, line: usize },
    #[error("the source \"kafka\" needs `{0}` in [kafka]")]
    Missing(&'static str),
}

/// Reads the file of properties, if there is one.
///
/// # Errors
/// The file cannot be read, or a line is not `key=value`.
pub fn read_properties_file(config: &KafkaConfig) -> Result<Vec<(String, String)>, PropertiesError> {
    let Some(file) = &config.properties_file else { return Ok(Vec::new()) };
    let path = file.display().to_string();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(source) => return Err(PropertiesError::Unreadable { path, source }),
    };
    read_properties(&text).map_err(|line| PropertiesError::Line { path, line })
}

/// Returns how to reach Kafka. Reads the file of properties.
///
/// # Errors
/// The file cannot be read, or brokers or instance are not set.
pub fn kafka_settings(config: &KafkaConfig) -> Result<KafkaSettings, PropertiesError> {
    let properties = read_properties_file(config)?;
    Ok(KafkaSettings {
        brokers: config.brokers.clone().ok_or(PropertiesError::Missing("brokers"))?,
        group: config.group.clone(),
        instance: config.instance.clone().ok_or(PropertiesError::Missing("instance"))?,
        topics: Topics {
            operations: config.operations.clone(),
            decisions: config.decisions.clone(),
            rejected: config.rejected.clone(),
            state: config.state.clone(),
        },
        transaction_timeout: config.transaction_timeout,
        properties,
    })
}

/// So many workers there are at most where the configuration does not say how many.
const WORKERS_MAX: usize = 4;

/// Returns how many workers a process has: as many as processors, where that is not configured. Each is a member of the
/// group with two producers and commits transactions of its own, so more than a few cost the brokers more than they
/// bring.
fn workers(config: &KafkaConfig) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS_MAX);
    config.workers.map_or_else(processors, |workers| usize::try_from(workers).unwrap_or(1))
}

/// Starts the service; returns what requests need of Kafka too.
pub(super) fn start(
    config: &Config,
    loaded: (RuleSet, LoadRules),
    geo: Geo,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Service, Option<Fleet>)> {
    let kafka = kafka_settings(&config.kafka)?;
    let sender = Arc::new(Sender::new(&kafka).context("failed to make a producer of operations")?);
    let topics = kafka.topics.clone();
    let redis = redis_settings(config);
    let settings = FleetSettings {
        workers: workers(&config.kafka),
        cluster: Arc::new(Librdkafka),
        kafka,
        redis,
        pending_changes_max: usize::try_from(config.redis.pending_changes_max).unwrap_or(usize::MAX),
        engine: engine_settings(config),
        future_skew_max: config.engine.max_future_skew.into(),
        partitioner: config.kafka.partitioner,
        batch_max: usize::try_from(config.kafka.batch_max).unwrap_or(usize::MAX),
        batch_linger: config.kafka.batch_linger,
        has_cloudevents: config.kafka.cloudevents,
        journal_bytes_min: config.kafka.journal_bytes_min,
    };
    let partitioner = config.kafka.partitioner;
    let observers = observers(settings.workers, metrics);
    let on_hang = Box::new(|reason: &str| {
        error!(%reason, "the process ends: another one recovers what it had in hand");
        std::process::exit(INTERNAL);
    });
    let service = Service::start_fleet(settings, loaded, geo, (clock::now(), observers), on_hang)?;
    let timeout = config.http.request_timeout.min(Duration::from_secs(30));
    let asked = Arc::clone(&sender);
    let keys_of_shards = Box::new(move |prefix: &str| match asked.partitions(timeout) {
        Ok(partitions) => Ok(keys_of_partitions(partitioner, prefix, partitions)),
        Err(failure) => Err(failure.to_string()),
    });
    let send = Box::new(move |wallet_id: &str, record: &[u8]| {
        sender.send(partitioner, wallet_id, record, timeout).map_err(|failure| failure.to_string())
    });
    Ok((service, Some(Fleet { topics, send, keys_of_shards })))
}

/// What a worker shows that is shown of all of them together.
#[derive(Clone, Default)]
struct OfWorker {
    shards: Vec<(i32, bool, Option<u64>)>,
    /// Changes that wait for the shared store.
    changes: usize,
}

/// Makes what counts the workers' work, all of it in the same metrics.
fn observers(workers: usize, metrics: &Arc<Metrics>) -> Observers {
    let all = Arc::new(Mutex::new(vec![OfWorker::default(); workers]));
    let metrics = Arc::clone(metrics);
    Box::new(move |number| {
        Box::new(CountingFleet { counting: Counting(Arc::clone(&metrics)), all: Arc::clone(&all), number, errors: 0 })
    })
}

/// Counts what a worker of a fleet does.
struct CountingFleet {
    counting: Counting,
    all: Arc<Mutex<Vec<OfWorker>>>,
    /// From 0.
    number: usize,
    /// Failed calls of the shared store that are counted.
    errors: u64,
}

impl CountingFleet {
    /// Notes what this worker shows, and shows that of all of them: those of one moment in the order of the moments.
    fn show(&self, note: impl FnOnce(&mut OfWorker), show: impl FnOnce(&Metrics, &[OfWorker])) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(self.number) {
            note(own);
        }
        show(&self.counting.0, &all);
    }
}

impl Observer for CountingFleet {
    fn enters(&mut self, phase: Phase, batch: u64) {
        self.counting.enters(phase, batch);
    }

    fn committed(&mut self, batch: &CommittedBatch<'_>) {
        self.counting.committed(batch);
    }

    fn failed(&mut self, error: &StoreError) {
        self.counting.failed(error);
    }
}

impl FleetObserver for CountingFleet {
    fn transaction(&mut self, ended: Ended) {
        self.counting.0.observe_transaction(match ended {
            Ended::Committed => "committed",
            Ended::Aborted => "aborted",
            Ended::Unknown => "unknown",
        });
    }

    fn recovered(&mut self, took: Duration) {
        self.counting.0.observe_recovery(took);
    }

    fn shards(&mut self, shards: &[(i32, bool, Option<u64>)]) {
        let note = |own: &mut OfWorker| own.shards = shards.to_vec();
        self.show(note, |metrics, all| {
            // Of a shard that moves, whoever has it now may show it before the other one has let go.
            let mut shards: Vec<_> = all.iter().flat_map(|worker| &worker.shards).copied().collect();
            shards.sort_unstable();
            shards.dedup_by_key(|(shard, ..)| *shard);
            metrics.set_shards(&shards);
        });
    }

    fn shared(&mut self, changes: usize, errors: u64) {
        let metrics = &self.counting.0;
        // A new store counts from 0.
        metrics.shared_store_errors.inc_by(errors.checked_sub(self.errors).unwrap_or(errors));
        self.errors = errors;
        let note = |own: &mut OfWorker| own.changes = changes;
        self.show(note, |metrics, all| metrics.set_shared_pending(all.iter().map(|worker| worker.changes).sum()));
    }
}
