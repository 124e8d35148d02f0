//! The member of the group: it brings records, and tells which partitions come and go.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::statistics::Statistics;
use rdkafka::{Offset, TopicPartitionList};

use crate::adapters::clock;
use crate::operation::Time;
use crate::operation::time::MILLISECOND;

use super::client::{Said, is_passing};
use super::port::{Change, Group, GroupMember, Incoming, Isolation, Polled};
use super::{Failure, KafkaSettings};

/// How long the way to an offset may take; it is tried again.
const SEEK_TIMEOUT: Duration = Duration::from_secs(1);

/// After so long without a heartbeat the group gives a member's partitions to others. The shortest that brokers
/// take by default.
const SESSION_TIMEOUT_MS: u32 = 6_000;
/// Members learn by their next heartbeat that partitions move: joins and leaves take about two of them.
const HEARTBEAT_MS: u32 = 300;

/// A connection that is made anew may be missing for one look, not for two: they are a second apart.
const LONELY_MIN: u32 = 2;

/// Tells when records arrived: at their own time, where they have one that can be. A producer may have set none (-1), or
/// any: one that is yet to come would let operations of the future through. Then the time at which it is read counts.
#[derive(Debug, Default)]
struct Arrivals {
    /// The latest time, in milliseconds, of which it is known that it is over: what arrived before need not be held
    /// against the clock.
    over: AtomicI64,
}

impl Arrivals {
    /// Takes a record's own time in milliseconds since 1970.
    fn of(&self, timestamp: Option<i64>, now: impl FnOnce() -> Time) -> Time {
        let time = |millis: i64| Time::EPOCH.plus(MILLISECOND.saturating_mul(millis));
        if let Some(past) = timestamp.filter(|timestamp| (0..=self.over.load(Ordering::Relaxed)).contains(timestamp)) {
            return time(past);
        }
        let now = now().number_of(MILLISECOND);
        self.over.fetch_max(now, Ordering::Relaxed);
        time(timestamp.filter(|timestamp| (0..=now).contains(timestamp)).unwrap_or(now))
    }
}

#[derive(Debug, Default)]
struct Events {
    said: Said,
    topic: String,
    changes: Mutex<VecDeque<Change>>,
    /// By partition: the offset behind the last record that can be read.
    ends: Mutex<HashMap<i32, i64>>,
    /// This many statistics in a row knew no broker with a connection.
    lonely: AtomicU32,
    /// The group has taken this member in, at least once.
    is_member: AtomicBool,
}

impl Events {
    fn push(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect()
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, _: &str, text: &str) {
        Said::line(level, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.said.error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.lonely.store(0, Ordering::Relaxed);
        } else {
            self.lonely.fetch_add(1, Ordering::Relaxed);
        }
        // A member without partitions is one too.
        if statistics.cgrp.is_some_and(|group| group.join_state == "steady") {
            self.is_member.store(true, Ordering::Relaxed);
        }
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, found) in &topic.partitions {
            let end = if found.ls_offset >= 0 { found.ls_offset } else { found.hi_offset };
            if end >= 0 {
                ends.insert(*partition, end);
            }
        }
    }
}

impl ConsumerContext for Events {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            self.push(Change::Revoked(partitions(list)));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            // Records that come all the same are dropped: their shards do not run yet.
            drop(consumer.pause(list));
            self.is_member.store(true, Ordering::Relaxed);
            self.push(Change::Assigned(partitions(list)));
        }
    }
}

/// This process in the group.
pub(super) struct Member {
    consumer: BaseConsumer<Events>,
    topic: String,
    /// The name of this process.
    process: String,
    arrivals: Arrivals,
}

impl Member {
    /// Joins the group; partitions come with later polls.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(super) fn join(settings: &KafkaSettings, isolation: Isolation) -> Result<Self, Failure> {
        let topic = settings.topics.operations.clone();
        let mut config = settings.client();
        // Small enough that a slow shard does not hold the others' records in memory.
        for (name, value) in [
            ("fetch.wait.max.ms", "20"),
            ("queued.max.messages.kbytes", "16384"),
            // Once so much is there, the client would fetch no more for a second, and a backlog would wait for it.
            ("fetch.queue.backoff.ms", "5"),
            // How soon topics and partitions that are new are noticed.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ] {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        let session = config.get("session.timeout.ms").and_then(|text| text.parse().ok()).unwrap_or(SESSION_TIMEOUT_MS);
        config.set("session.timeout.ms", session.to_string());
        if config.get("heartbeat.interval.ms").is_none() {
            config.set("heartbeat.interval.ms", HEARTBEAT_MS.min(session / 3).max(1).to_string());
        }
        config
            .set("group.id", &settings.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            // Offsets that an open transaction holds are waited for too.
            .set("isolation.level", isolation.name())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("statistics.interval.ms", "1000");
        let events = Events { topic: topic.clone(), ..Events::default() };
        let consumer: BaseConsumer<Events> =
            config.create_with_context(events).map_err(|error| Failure::of("make a consumer", &error))?;
        consumer.subscribe(&[&topic]).map_err(|error| Failure::of("join the group", &error))?;
        Ok(Self { consumer, topic, process: settings.process().to_owned(), arrivals: Arrivals::default() })
    }

    fn pause_or_resume(&self, partitions: &[i32], is_pause: bool) -> Result<(), Failure> {
        let mut list = TopicPartitionList::new();
        partitions.iter().for_each(|partition| {
            list.add_partition(&self.topic, *partition);
        });
        let done = if is_pause { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        done.map_err(|error| Failure::of("pause or resume partitions", &error))
    }
}

impl GroupMember for Member {
    fn poll(&self, wait: Duration) -> Polled {
        match self.consumer.poll(wait) {
            None => Polled::Nothing,
            Some(Ok(message)) => Polled::Record(Incoming {
                partition: message.partition(),
                offset: message.offset(),
                arrived_at: self.arrivals.of(message.timestamp().to_millis(), clock::now),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
            }),
            Some(Err(error)) => {
                let text = self.consumer.context().said.explain(error.to_string());
                let is_replaced = error.rdkafka_error_code() == Some(RDKafkaErrorCode::FencedInstanceId);
                if is_replaced {
                    return Polled::Fatal(format!(
                        "another process has the instance name {} too and has taken its place in the group; \
                         `kafka.instance` must be different in each process ({text})",
                        self.process
                    ));
                }
                let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
                if is_fatal { Polled::Fatal(text) } else { Polled::Trouble(text) }
            }
        }
    }

    fn explain(&self, reason: String) -> String {
        self.consumer.context().said.explain(reason)
    }

    fn trouble(&self) -> Option<String> {
        let events = self.consumer.context();
        if events.lonely.load(Ordering::Relaxed) >= LONELY_MIN {
            return Some(events.said.explain("Kafka: no broker can be reached".to_owned()));
        }
        let is_member = events.is_member.load(Ordering::Relaxed);
        (!is_member).then(|| events.said.explain("Kafka: the group has not answered yet".to_owned()))
    }

    fn change(&self) -> Option<Change> {
        self.consumer.context().changes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn has_change(&self) -> bool {
        !self.consumer.context().changes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn group(&self) -> Result<Option<Group>, Failure> {
        let group = self.consumer.group_metadata();
        // Asked in this order: the thread that answers the first question sets the second one's answer before.
        if self.consumer.assignment_lost() {
            return Err(Failure::Stale {
                what: "put offsets into the transaction".to_owned(),
                reason: "the group has gone on without this process".to_owned(),
            });
        }
        Ok(group.map(|group| Box::new(group) as Group))
    }

    fn commit_outside(&self, offsets: &[(i32, i64)]) -> Result<(), Failure> {
        let failed = |error: &KafkaError| Failure::of("commit offsets", error);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let added = list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset));
            added.map_err(|error| failed(&error))?;
        }
        self.consumer.commit(&list, CommitMode::Sync).map_err(|error| failed(&error))
    }

    fn end_of(&self, partition: i32) -> Option<i64> {
        self.consumer.context().ends.lock().unwrap_or_else(PoisonError::into_inner).get(&partition).copied()
    }

    fn low_watermark(&self, partition: i32, wait: Duration) -> Result<i64, Failure> {
        let marks = self.consumer.fetch_watermarks(&self.topic, partition, wait);
        marks.map(|(low, _)| low).map_err(|error| Failure::of("ask for the first offset", &error))
    }

    fn seek(&self, partition: i32, offset: i64) -> Result<bool, Failure> {
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&self.topic, partition, Offset::Offset(offset));
        added.map_err(|error| Failure::of("name an offset", &error))?;
        let sought = self.consumer.seek_partitions(list, SEEK_TIMEOUT);
        match sought.and_then(|list| list.elements().iter().try_for_each(|element| element.error())) {
            Ok(()) => Ok(true),
            Err(error) if is_early(&error) => Ok(false),
            Err(error) => Err(Failure::of(format!("go to an offset of partition {partition}"), &error)),
        }
    }

    fn resume(&self, partition: i32) -> Result<(), Failure> {
        self.pause_or_resume(&[partition], false)
    }

    fn pause(&self, partitions: &[i32]) -> Result<(), Failure> {
        self.pause_or_resume(partitions, true)
    }
}

fn is_early(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let is_state =
        matches!(error.rdkafka_error_code(), Some(Code::State | Code::PreviousInProgress | Code::InProgress));
    is_state || is_passing(error) || matches!(error, KafkaError::Seek(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_arrived_at_its_own_time_only_where_that_can_be() {
        let now = Time::from_nanos(1_764_547_200_000_999_999);
        let time = |millis: i64| Time::EPOCH.plus(millis * MILLISECOND);
        let read_at = time(1_764_547_200_000);
        let arrival = |timestamp, now| Arrivals::default().of(timestamp, || now);
        assert_eq!(arrival(Some(1_764_547_199_999), now), time(1_764_547_199_999));
        assert_eq!(arrival(Some(0), now), Time::EPOCH);
        for impossible in
            [None, Some(-1), Some(i64::MIN), Some(1_764_547_200_001), Some(4_070_908_800_000), Some(i64::MAX)]
        {
            assert_eq!(arrival(impossible, now), read_at, "{impossible:?}");
        }
        // What is known to be over is not held against a clock again, also one that was put back.
        let arrivals = Arrivals::default();
        assert_eq!(arrivals.of(Some(1_764_547_200_000), || now), read_at);
        assert_eq!(arrivals.of(Some(1_764_547_200_000), || Time::EPOCH), read_at);
        assert_eq!(arrivals.of(None, || time(2)), time(2));
    }
}
