//! Configuration becomes a service of a fleet, which takes its operations from Kafka.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tracing::error;

use crate::adapters::clock;
use crate::adapters::kafka::producer::Sender;
use crate::adapters::kafka::{KafkaSettings, Topics, read_properties};
use crate::adapters::store::StoreError;
use crate::config::{Config, KafkaConfig};
use crate::geo::Geo;
use crate::http::Fleet;
use crate::metrics::Metrics;
use crate::rules::program::RuleSet;
use crate::service::kafka::{Ended, FleetObserver, FleetSettings};
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

/// Starts the service; returns what requests need of Kafka too.
pub(super) fn start(
    config: &Config,
    loaded: (RuleSet, LoadRules),
    geo: Geo,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Service, Option<Fleet>)> {
    let kafka = kafka_settings(&config.kafka)?;
    let sender = Sender::new(&kafka).context("failed to make a producer of operations")?;
    let topics = kafka.topics.clone();
    let redis = redis_settings(config);
    let settings = FleetSettings {
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
    let observer = Box::new(CountingFleet { counting: Counting(Arc::clone(metrics)), errors: 0 });
    let on_hang = Box::new(|reason: &str| {
        error!(%reason, "the process ends: another one recovers what it had in hand");
        std::process::exit(INTERNAL);
    });
    let service = Service::start_fleet(settings, loaded, geo, (clock::now(), observer), on_hang)?;
    let timeout = config.http.request_timeout.min(Duration::from_secs(30));
    let send = Box::new(move |wallet_id: &str, record: &[u8]| {
        sender.send(partitioner, wallet_id, record, timeout).map_err(|failure| failure.to_string())
    });
    Ok((service, Some(Fleet { topics, send })))
}

/// Counts what the worker of a fleet does.
struct CountingFleet {
    counting: Counting,
    /// Failed calls of the shared store that are counted.
    errors: u64,
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
        self.counting.0.set_shards(shards);
    }

    fn shared(&mut self, changes: usize, errors: u64) {
        let metrics = &self.counting.0;
        metrics.set_shared_pending(changes);
        // A new store counts from 0.
        metrics.shared_store_errors.inc_by(errors.checked_sub(self.errors).unwrap_or(errors));
        self.errors = errors;
    }
}
