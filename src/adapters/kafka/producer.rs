//! The transactional producers: one transaction at a time, and none used again after an error.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

use crate::operation::partition::Partitioner;

use super::client::Said;
use super::port::{Group, Outgoing, Transactions};
use super::{Failure, KafkaSettings};

/// Between two looks whether everything is acknowledged. The client's own wait of a few milliseconds would keep a
/// processor busy: it counts in whole ones and asks for the rest without a pause.
const DRAIN_STEP: Duration = Duration::from_micros(300);

/// How long one try to abort a transaction may take.
const ABORT_STEP: Duration = Duration::from_millis(100);

/// How long one try to begin a session may take.
const SESSION_PATIENCE: Duration = Duration::from_secs(10);

/// Keeps the first record that was not taken.
#[derive(Debug, Default)]
struct Deliveries {
    said: Said,
    failed: Mutex<Option<String>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, _: &str, text: &str) {
        Said::line(level, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.said.error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert_with(|| error.to_string());
        }
    }
}

/// Takes acknowledgements in; while some are missing, waits a moment. Returns whether none is.
fn is_drained(producer: &BaseProducer<Deliveries>) -> bool {
    let mut left = producer.in_flight_count();
    while left > 0 {
        // One look takes in what one answer acknowledged.
        producer.poll(Duration::ZERO);
        let before = std::mem::replace(&mut left, producer.in_flight_count());
        if left == before {
            std::thread::sleep(DRAIN_STEP);
            return false;
        }
    }
    true
}

/// Sends single operations, outside of any transaction.
pub struct Sender {
    producer: BaseProducer<Deliveries>,
    topic: String,
    /// One record at a time: an acknowledgement belongs to it.
    turn: Mutex<()>,
}

impl Sender {
    /// Makes a producer; it connects when it is used.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn new(settings: &KafkaSettings) -> Result<Self, Failure> {
        let mut config = settings.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set("allow.auto.create.topics", "false")
            .remove("group.instance.id");
        let producer = config
            .create_with_context(Deliveries::default())
            .map_err(|error| Failure::of("make a producer", &error))?;
        Ok(Self { producer, topic: settings.topics.operations.clone(), turn: Mutex::default() })
    }

    /// Returns how many partitions the operations have.
    ///
    /// # Errors
    /// Kafka did not answer in time.
    pub fn partitions(&self, timeout: Duration) -> Result<i32, Failure> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.partitions_now("count the partitions", timeout)
    }

    fn partitions_now(&self, what: &str, timeout: Duration) -> Result<i32, Failure> {
        let metadata = self.producer.client().fetch_metadata(Some(&self.topic), timeout);
        let metadata =
            metadata.map_err(|error| Failure::of(what, &error).explained_by(&self.producer.context().said))?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        Ok(i32::try_from(partitions).unwrap_or(0))
    }

    /// Sends an operation of a wallet and waits until Kafka has it.
    ///
    /// # Errors
    /// Kafka did not take it in time. It may have it all the same: whoever sends it again must send the same.
    pub fn send(
        &self,
        partitioner: Partitioner,
        wallet_id: &str,
        record: &[u8],
        timeout: Duration,
    ) -> Result<(), Failure> {
        let what = "send the operation";
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        *self.producer.context().failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let partitions = self.partitions_now(what, timeout)?;
        // Where it is not checked, the wallet's other operations lie where its producers put them: Java's way.
        let known = partitioner.partition(wallet_id.as_bytes(), partitions);
        let partition = known.or_else(|| Partitioner::Murmur2.partition(wallet_id.as_bytes(), partitions));
        let mut to_send: BaseRecord<'_, str, [u8]> = BaseRecord::to(&self.topic).key(wallet_id).payload(record);
        to_send.partition = partition;
        self.producer.send(to_send).map_err(|(error, _)| Failure::of(what, &error))?;
        let begun = Instant::now();
        while !is_drained(&self.producer) {
            if begun.elapsed() > timeout {
                return Err(Failure::Silent { what: what.to_owned(), waited: timeout });
            }
        }
        let failed = self.producer.context().failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(()), |reason| {
            Err(Failure::Kafka { what: what.to_owned(), reason, is_fenced: false, is_unknown: false })
        })
    }
}

/// One transactional producer.
pub(super) struct Producer {
    producer: BaseProducer<Deliveries>,
    timeout: Duration,
}

impl Producer {
    /// Takes over both ids of an owner, at the same time.
    pub(super) fn take_over_both(settings: &KafkaSettings, owner: &str) -> Result<[Self; 2], Failure> {
        let [first, second] = KafkaSettings::transactional_ids(owner);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| Self::take_over(settings, &second));
            let first = Self::take_over(settings, &first);
            let second = other.join().unwrap_or_else(|_| {
                Err(Failure::Silent { what: "begin a session of transactions".to_owned(), waited: Duration::ZERO })
            });
            Ok([first?, second?])
        })
    }

    fn take_over(settings: &KafkaSettings, transactional_id: &str) -> Result<Self, Failure> {
        let timeout = settings.transaction_timeout;
        let mut config = settings.client();
        config
            .set("linger.ms", "0")
            .set("queue.buffering.max.messages", "2000000")
            .set("queue.buffering.max.kbytes", "1048576")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout.as_millis().to_string())
            .set("allow.auto.create.topics", "false")
            .remove("group.instance.id");
        // A transaction that meets the end of another one waits by the first two steps.
        for (name, value) in [("retry.backoff.ms", "5"), ("retry.backoff.max.ms", "1000"), ("compression.type", "lz4")]
        {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        // librdkafka refuses a time for one request that is longer than that of the transaction.
        let request = config.get("socket.timeout.ms").and_then(|text| text.parse().ok()).unwrap_or(60_000);
        let request = timeout.as_millis().min(request);
        config.set("socket.timeout.ms", request.to_string());
        let producer: BaseProducer<Deliveries> = config
            .create_with_context(Deliveries::default())
            .map_err(|error| Failure::of("make a producer", &error))?;
        // A try that takes longer is made anew: meanwhile the reason is told, and the process can be stopped.
        producer.init_transactions(timeout.min(SESSION_PATIENCE)).map_err(|error| {
            // What librdkafka has to say of it waits to be fetched.
            producer.poll(Duration::ZERO);
            Failure::of("begin a session of transactions", &error).explained_by(&producer.context().said)
        })?;
        Ok(Self { producer, timeout })
    }
}

impl Transactions for Producer {
    fn begin(&self) -> Result<(), Failure> {
        // What an aborted transaction had in hand was not delivered either.
        *self.producer.context().failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.producer.begin_transaction().map_err(|error| Failure::of("begin a transaction", &error))
    }

    fn send(&self, record: &Outgoing<'_>) -> Result<(), Failure> {
        let headers = record.headers.iter();
        let headers = headers.fold(OwnedHeaders::new_with_capacity(record.headers.len()), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        let mut to_send: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(record.topic).partition(record.partition);
        to_send.key = record.key;
        to_send.payload = record.value;
        if !record.headers.is_empty() {
            to_send = to_send.headers(headers);
        }
        let begun = Instant::now();
        loop {
            match self.producer.send(to_send) {
                Ok(()) => return Ok(()),
                Err((error, again)) => {
                    let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                    if !is_full || begun.elapsed() > self.timeout {
                        return Err(Failure::of(format!("send a record to {}", record.topic), &error));
                    }
                    is_drained(&self.producer);
                    to_send = again;
                }
            }
        }
    }

    fn send_offsets(&self, topic: &str, offsets: &[(i32, i64)], group: &Group) -> Result<(), Failure> {
        let Some(group) = group.downcast_ref::<ConsumerGroupMetadata>() else {
            let reason = "it is none of librdkafka's".to_owned();
            return Err(Failure::Setting { name: "of the group".to_owned(), reason });
        };
        let failed = |error: &KafkaError| Failure::of("put offsets into the transaction", error);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).map_err(|error| failed(&error))?;
        }
        self.producer.send_offsets_to_transaction(&list, group, self.timeout).map_err(|error| failed(&error))
    }

    fn drain(&self) -> Result<(), Failure> {
        // A commit would wait in slices of 100 ms.
        let begun = Instant::now();
        while !is_drained(&self.producer) {
            if begun.elapsed() > self.timeout {
                return Err(Failure::Silent { what: "deliver the transaction".to_owned(), waited: self.timeout });
            }
        }
        let failed = self.producer.context().failed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            None => Ok(()),
            Some(reason) => Err(Failure::Kafka {
                what: "deliver the transaction".to_owned(),
                reason: reason.clone(),
                is_fenced: false,
                is_unknown: false,
            }),
        }
    }

    fn commit(&self) -> Result<(), Failure> {
        self.producer.commit_transaction(self.timeout).map_err(|error| Failure::of("commit the transaction", &error))
    }

    fn abort(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            // What is given up counts as delivered once it was looked at: the client waits for that, so it is asked to
            // wait in small steps.
            match self.producer.abort_transaction(ABORT_STEP) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && begun.elapsed() < self.timeout => {
                    is_drained(&self.producer);
                }
                Err(error) => return Err(Failure::of("abort the transaction", &error)),
            }
        }
    }
}
