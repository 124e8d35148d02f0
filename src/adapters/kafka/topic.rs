//! Reads a whole topic of Kafka once, as a `read_committed` consumer sees it: from the first record that is
//! there up to the last stable offset.
//!
//! Knows Kafka; must not know what a record means. Joins no group and commits nothing.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use super::Failure;
use super::client::{Said, ask, is_passing};

/// How long a cluster may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// How long no record may come while some are missing: a leader may have to be elected meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

/// Why a topic cannot be read.
#[derive(Debug, Error)]
pub enum TopicError {
    #[error("failed to use the Kafka setting {name}: {reason}")]
    Setting { name: String, reason: String },
    #[error("failed to reach Kafka at {brokers}: {reason}")]
    Connect { brokers: String, reason: String },
    #[error("failed to find the topic {topic} at {brokers}: {reason}")]
    NoTopic { brokers: String, topic: String, reason: String },
    #[error("failed to read {topic} to its end after {records} records: {reason}")]
    Interrupted { topic: String, records: u64, reason: String },
}

/// A record as it stands in the topic.
#[derive(Debug, Clone, Copy)]
pub struct TopicRecord<'a> {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The partition no longer holds its first record.
    pub is_cut: bool,
    /// All records of other partitions that were visible before this one are read too.
    pub is_settled: bool,
}

/// One partition's records.
#[derive(Debug, Clone, Copy)]
struct Span {
    low: i64,
    /// The last stable offset when the reading began.
    settled: i64,
    /// The last stable offset after all of these were known.
    end: i64,
    is_read: bool,
}

/// A topic to be read.
pub struct TopicReader {
    consumer: BaseConsumer<Said>,
    topic: String,
    spans: Vec<Span>,
}

impl TopicReader {
    /// Connects and finds out what there is to read. `settings` are librdkafka's, for SASL and TLS.
    ///
    /// # Errors
    /// A setting is wrong, no broker answers, or there is no such topic.
    pub fn open(brokers: &str, topic: &str, settings: &[(String, String)]) -> Result<Self, TopicError> {
        let mut config = ClientConfig::new();
        // Without a subscription the group is only a name.
        config.set("group.id", "kuzet-ledger-check");
        for (name, value) in settings {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", brokers)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer<Said> = config.create_with_context(Said::default()).map_err(|error| {
            let (name, reason) = match error {
                KafkaError::ClientConfig(_, reason, name, _) => (name, reason),
                other => ("of the client".to_owned(), other.to_string()),
            };
            // The value may be a password.
            TopicError::Setting { name, reason }
        })?;
        let unreachable =
            |failure: Failure| TopicError::Connect { brokers: brokers.to_owned(), reason: failure.reason() };
        let metadata =
            ask(&consumer, "ask for the topic", ANSWER_PATIENCE, || consumer.fetch_metadata(Some(topic), POLL))
                .map_err(unreachable)?;
        let no_topic =
            |reason: String| TopicError::NoTopic { brokers: brokers.to_owned(), topic: topic.to_owned(), reason };
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let found = found.ok_or_else(|| no_topic("the answer does not name it".to_owned()))?;
        if let Some(error) = found.error() {
            return Err(no_topic(RDKafkaErrorCode::from(error).to_string()));
        }
        let count = i32::try_from(found.partitions().len()).unwrap_or(i32::MAX);
        let ends = || -> Result<Vec<(i64, i64)>, TopicError> {
            let marks = |partition| {
                let question = || consumer.fetch_watermarks(topic, partition, ANSWER_PATIENCE);
                ask(&consumer, "ask for the ends of a partition", ANSWER_PATIENCE, question)
            };
            (0..count).map(|partition| marks(partition).map_err(unreachable)).collect()
        };
        // Of a `read_committed` consumer the upper one is the last stable offset.
        let (settled, later) = (ends()?, ends()?);
        let spans = settled
            .into_iter()
            .zip(later)
            .map(|((low, settled), (_, end))| Span { low, settled, end, is_read: low >= end })
            .collect();
        Ok(Self { consumer, topic: topic.to_owned(), spans })
    }

    fn reason(&self, error: &KafkaError) -> String {
        self.consumer.context().explain(Failure::of("read", error).reason())
    }

    /// Returns how many partitions the topic has.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.spans.len()
    }

    /// Gives every record to `each`, of one partition in the order of offsets.
    ///
    /// # Errors
    /// The cluster stays silent for a minute, or retention removed records that were still to be read.
    pub fn read(mut self, mut each: impl FnMut(&TopicRecord<'_>)) -> Result<(), TopicError> {
        let mut records = 0;
        let topic = self.topic.clone();
        let interrupted = |records, reason: String| TopicError::Interrupted { topic: topic.clone(), records, reason };
        let mut list = TopicPartitionList::new();
        for (partition, span) in (0_i32..).zip(&self.spans).filter(|(_, span)| !span.is_read) {
            list.add_partition_offset(&topic, partition, Offset::Offset(span.low))
                .map_err(|error| interrupted(records, error.to_string()))?;
        }
        self.consumer.assign(&list).map_err(|error| interrupted(records, error.to_string()))?;
        let mut heard_at = Instant::now();
        while self.spans.iter().any(|span| !span.is_read) {
            let Some(polled) = self.consumer.poll(POLL) else {
                if heard_at.elapsed() > SILENCE_MAX {
                    let error = KafkaError::NoMessageReceived;
                    return Err(interrupted(records, self.reason(&error)));
                }
                continue;
            };
            let message = match polled {
                Ok(message) => message,
                Err(KafkaError::PartitionEOF(partition)) => {
                    finish(&mut self.spans, partition);
                    continue;
                }
                // Connections come back by themselves; whoever stays silent is given up above.
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(interrupted(records, self.reason(&error))),
            };
            heard_at = Instant::now();
            let (partition, offset) = (message.partition(), message.offset());
            let Some(span) = usize::try_from(partition).ok().and_then(|at| self.spans.get(at).copied()) else {
                continue;
            };
            if offset < span.end && !span.is_read {
                records += 1;
                let headers = headers(message.headers());
                each(&TopicRecord {
                    partition,
                    offset,
                    key: message.key(),
                    value: message.payload(),
                    headers: &headers,
                    is_cut: span.low > 0,
                    is_settled: offset < span.settled,
                });
            }
            if offset + 1 >= span.end {
                finish(&mut self.spans, partition);
            }
        }
        Ok(())
    }
}

fn finish(spans: &mut [Span], partition: i32) {
    if let Some(span) = usize::try_from(partition).ok().and_then(|at| spans.get_mut(at)) {
        span.is_read = true;
    }
}

fn headers(headers: Option<&BorrowedHeaders>) -> Vec<(&str, &[u8])> {
    headers.map(|headers| headers.iter().map(|h| (h.key, h.value.unwrap_or_default())).collect()).unwrap_or_default()
}
