//! What all clients have in common: settings, and what librdkafka says of itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, warn};

use super::port::Isolation;
use super::{Failure, KafkaSettings};

/// Between two questions whose answer was "not yet".
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Writes librdkafka's log lines, and keeps the last error: its calls often tell only that they failed.
#[derive(Debug, Default)]
pub struct Said {
    last: Mutex<Option<String>>,
    /// A broker refused who this is, or this refused who the broker is: waiting changes nothing.
    is_refused: AtomicBool,
}

impl Said {
    /// Adds what librdkafka said last to a reason.
    pub(super) fn explain(&self, reason: String) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref().filter(|last| !reason.contains(*last)) {
            Some(last) => format!("{reason} ({last})"),
            None => reason,
        }
    }

    /// Tells whether a broker was reached and one of both refused the other.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    pub(super) fn line(level: RDKafkaLogLevel, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => warn!(librdkafka = text, "Kafka's client"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                debug!(librdkafka = text, "Kafka's client");
            }
        }
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let is_down = matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AllBrokersDown));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let place = place_of(error, reason);
        // "All brokers are down" tells less than what came before it.
        if last.is_none() || !is_down {
            *last = Some(place.map_or_else(|| reason.to_owned(), |place| format!("{reason}; {place}")));
        }
        if place.is_some() {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        drop(last);
        debug!(error = reason, "Kafka's client");
    }
}

/// Tells where a person has to look after a refusal. The values themselves may be secrets.
fn place_of(error: &KafkaError, reason: &str) -> Option<&'static str> {
    // A broker that misses a certificate says so only after the handshake, on a connection that works.
    let code = if reason.contains("SSL alert") { RDKafkaErrorCode::SSL } else { error.rdkafka_error_code()? };
    match code {
        RDKafkaErrorCode::Authentication => Some(
            "see security.protocol, sasl.mechanism, sasl.username and sasl.password in the file that \
             kafka.properties_file names",
        ),
        RDKafkaErrorCode::SSL => Some(
            "see security.protocol, ssl.ca.location and, where brokers ask for a certificate, ssl.certificate.location \
             and ssl.key.location in the file that kafka.properties_file names",
        ),
        _ => None,
    }
}

impl ClientContext for Said {
    fn log(&self, level: RDKafkaLogLevel, _: &str, text: &str) {
        Self::line(level, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Self::error(self, &error, reason);
    }
}

impl ConsumerContext for Said {}

impl KafkaSettings {
    /// Returns what every client is made of.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers).set("client.id", self.owner());
        config
    }

    /// Makes a consumer that is no member of the group: it asks, and reads what it is told to.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn asking(&self, isolation: Isolation) -> Result<BaseConsumer<Said>, Failure> {
        let mut config = self.client();
        config
            .set("group.id", &self.group)
            .set("isolation.level", isolation.name())
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("fetch.wait.max.ms", "50")
            .remove("group.instance.id");
        config.create_with_context(Said::default()).map_err(|error| Failure::of("make a consumer", &error))
    }
}

impl KafkaSettings {
    /// Returns the group's metadata as one who is no member has it, without a generation: a mistake, see
    /// [`FleetMutant::GenerationSkipped`](crate::adapters::fleet_mutant::FleetMutant).
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn group_of_nobody(&self) -> Result<Option<ConsumerGroupMetadata>, Failure> {
        Ok(self.asking(Isolation::Committed)?.group_metadata())
    }
}

impl Isolation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

/// Tells whether an error may go away by itself.
#[must_use]
pub fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::BrokerNotAvailable
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::WaitingForCoordinator
                | Code::UnstableOffsetCommit
                | Code::Resolve
                | Code::NetworkException
        )
    })
}

/// Asks again while the answer is an error that may go away.
///
/// # Errors
/// Another error, or the same one for longer than `patience`.
pub fn ask<T>(
    consumer: &BaseConsumer<Said>,
    what: &str,
    patience: Duration,
    question: impl Fn() -> Result<T, KafkaError>,
) -> Result<T, Failure> {
    let begun = Instant::now();
    loop {
        match question() {
            Ok(answer) => return Ok(answer),
            Err(error) if begun.elapsed() < patience && is_passing(&error) && !consumer.context().is_refused() => {
                // Nothing is assigned: only errors come, and time passes.
                drop(consumer.poll(AGAIN_AFTER));
            }
            Err(error) => {
                return Err(Failure::of(what, &error).explained_by(consumer.context()));
            }
        }
    }
}
