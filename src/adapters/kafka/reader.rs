//! Reads what a shard left behind: its state, its last decision, its place in the group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::adapters::failpoint;
use crate::adapters::fleet_mutant::FleetMutant;

use super::client::{Isolation, Said, ask, is_passing};
use super::state::{StateImage, StateKey};
use super::{Failure, KafkaSettings};

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long no record may come while some are missing: a leader may have to be elected meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long one question may take.
const OFFSET_QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Mostly the first question of a client: a broker that refuses it answers nothing.
const FIRST_QUESTION: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(100);
/// Between two looks whether an open transaction has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The first step backwards in search of the last decision.
const TAIL_MIN: i64 = 64;
/// The longest step in search of decisions that something has to be made of.
const TAIL_MAX: i64 = 1 << 15;

/// What one shard left behind.
#[derive(Debug, Default)]
pub struct Left {
    pub state: StateImage,
    /// The group's offset; `None` when it has none.
    pub committed: Option<i64>,
    /// The number of the last decision that is visible.
    pub last_seq: Option<u64>,
    /// The visible decisions behind the one that was asked for, with their numbers: all, or the last ones.
    pub decisions: Vec<(u64, Vec<u8>)>,
    /// The first offset of the decisions that is still there.
    pub decisions_low: i64,
    /// The first and the last stable offset of the operations.
    pub operations: (i64, i64),
    /// Where the shard has no state: how many partitions the operations had when other shards' was made.
    pub partitions_elsewhere: Option<i32>,
}

/// Reads what shards left behind.
pub struct Reader<'s> {
    settings: &'s KafkaSettings,
    committed: BaseConsumer<Said>,
    uncommitted: BaseConsumer<Said>,
}

impl<'s> Reader<'s> {
    /// Connects.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn new(settings: &'s KafkaSettings) -> Result<Self, Failure> {
        let committed = settings.asking(Isolation::Committed)?;
        Ok(Self { settings, committed, uncommitted: settings.asking(Isolation::Uncommitted)? })
    }

    /// Counts the partitions of a topic.
    ///
    /// # Errors
    /// Kafka does not answer, or there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<i32, Failure> {
        let question = || self.committed.fetch_metadata(Some(topic), FIRST_QUESTION);
        let metadata = ask(&self.committed, &format!("find the topic {topic}"), PATIENCE, question)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found {
            Some(found) if found.error().is_none() && !found.partitions().is_empty() => {
                Ok(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))
            }
            _ => Err(Failure::Kafka {
                what: format!("find the topic {topic}"),
                reason: "Kafka does not know it; `kuzet kafka topics --create` makes it".to_owned(),
                is_fenced: false,
                is_unknown: false,
            }),
        }
    }

    fn marks(&self, consumer: &BaseConsumer<Said>, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        let what = format!("ask for the offsets of {topic}");
        ask(consumer, &what, PATIENCE, || consumer.fetch_watermarks(topic, partition, OFFSET_QUERY_TIMEOUT))
    }

    /// Reads what these shards left behind, after every transaction that is open now has ended. A shard that
    /// the topics of state and decisions have no partition for left nothing. `after` tells by a shard's state
    /// behind which number decisions are wanted.
    ///
    /// The group's offsets come first. They are told only when no transaction holds others: a transaction of
    /// the former owner that may still be committed has its offsets there already, or the group refuses them. So
    /// its records are in the topics too by then, and what is waited for next are the markers behind them.
    ///
    /// # Errors
    /// Kafka does not answer, or a transaction stays open for longer than its timeout and half a minute more.
    pub fn read(&self, shards: &[i32], after: impl Fn(&StateImage) -> u64) -> Result<BTreeMap<i32, Left>, Failure> {
        let topics = &self.settings.topics;
        let mut found: BTreeMap<i32, Left> = shards.iter().map(|shard| (*shard, Left::default())).collect();
        self.read_offsets(&mut found)?;
        failpoint::reached("restore-offsets");
        let partitions = self.partitions(&topics.state)?.min(self.partitions(&topics.decisions)?);
        let there: Vec<i32> = shards.iter().copied().filter(|shard| *shard < partitions).collect();
        if !FleetMutant::OpenTransactionsIgnored.is_made() {
            for topic in [&topics.state, &topics.decisions] {
                self.wait_until_stable(topic, &there)?;
            }
        }
        failpoint::reached("restore-stable");
        for (shard, left) in &mut found {
            left.operations = self.marks(&self.committed, &topics.operations, *shard)?;
        }
        self.read_states(&there, &mut found)?;
        failpoint::reached("restore-states");
        for shard in there {
            if let Some(left) = found.get_mut(&shard) {
                let after = after(&left.state);
                left.decisions_low = self.read_tail(shard, after, left)?;
            }
        }
        if found.values().any(|left| left.state.is_empty()) {
            let elsewhere = self.partitions_of_states()?;
            let empty = found.values_mut().filter(|left| left.state.is_empty());
            empty.for_each(|left| left.partitions_elsewhere = elsewhere);
        }
        Ok(found)
    }

    /// Finds how many partitions the operations had when the state of any shard was made: a partition that was
    /// added has no state of its own that could tell.
    fn partitions_of_states(&self) -> Result<Option<i32>, Failure> {
        let topic = &self.settings.topics.state;
        let key = StateKey::Meta.text(0);
        for partition in 0..self.partitions(topic)? {
            let (low, end) = self.marks(&self.committed, topic, partition)?;
            let mut step = TAIL_MIN;
            let mut from = end;
            // From the end backwards: every batch writes it.
            while from > low {
                from = (end - step).max(low);
                let mut found = None;
                self.read_to_end(topic, &[(partition, from)], |message| {
                    if message.key() == Some(key.as_bytes()) {
                        let mut image = StateImage::default();
                        image.add(key.as_bytes(), message.payload());
                        found = image.meta().ok().flatten().map(|meta| meta.partitions).or(found);
                    }
                })?;
                if found.is_some() {
                    return Ok(found);
                }
                step = step.saturating_mul(8);
            }
        }
        Ok(None)
    }

    fn wait_until_stable(&self, topic: &str, shards: &[i32]) -> Result<(), Failure> {
        let patience = self.settings.transaction_timeout + Duration::from_secs(30);
        let begun = Instant::now();
        for shard in shards {
            let (_, end) = self.marks(&self.uncommitted, topic, *shard)?;
            while self.marks(&self.committed, topic, *shard)?.1 < end {
                if begun.elapsed() > patience {
                    let what = format!("wait for the end of a transaction in partition {shard} of {topic}");
                    return Err(Failure::Silent { what, waited: patience });
                }
                // Nothing is assigned: only time passes.
                drop(self.committed.poll(LOOK_EVERY));
            }
        }
        Ok(())
    }

    fn read_offsets(&self, found: &mut BTreeMap<i32, Left>) -> Result<(), Failure> {
        let question = || {
            let mut list = TopicPartitionList::new();
            for shard in found.keys() {
                list.add_partition(&self.settings.topics.operations, *shard);
            }
            let consumer =
                if FleetMutant::OpenTransactionsIgnored.is_made() { &self.uncommitted } else { &self.committed };
            let answer = consumer.committed_offsets(list, OFFSET_QUERY_TIMEOUT)?;
            answer.elements().iter().try_for_each(|element| element.error())?;
            Ok(answer)
        };
        let answer = ask(&self.committed, "ask for the group's offsets", PATIENCE, question)?;
        for element in answer.elements() {
            if let (Some(left), Offset::Offset(offset)) = (found.get_mut(&element.partition()), element.offset()) {
                left.committed = Some(offset);
            }
        }
        Ok(())
    }

    fn read_states(&self, shards: &[i32], found: &mut BTreeMap<i32, Left>) -> Result<(), Failure> {
        let topic = &self.settings.topics.state;
        let offsets: Vec<(i32, i64)> = shards
            .iter()
            .map(|shard| self.marks(&self.committed, topic, *shard).map(|marks| (*shard, marks.0)))
            .collect::<Result<_, _>>()?;
        self.read_to_end(topic, &offsets, |message| {
            if let (Some(left), Some(key)) = (found.get_mut(&message.partition()), message.key()) {
                left.state.add(key, message.payload());
            }
        })
    }

    /// Finds the number of the last visible decision, and those behind `after`; returns the first offset.
    fn read_tail(&self, shard: i32, after: u64, left: &mut Left) -> Result<i64, Failure> {
        let topic = &self.settings.topics.decisions;
        let (low, end) = self.marks(&self.committed, topic, shard)?;
        let mut step = TAIL_MIN;
        loop {
            let from = (end - step).max(low);
            let mut first = None;
            (left.last_seq, left.decisions) = (None, Vec::new());
            if from < end {
                self.read_to_end(topic, &[(shard, from)], |message| {
                    let header = message.headers().and_then(|headers| headers.iter().find(|h| h.key == "kuzet-seq"));
                    let text = header.and_then(|header| std::str::from_utf8(header.value?).ok());
                    let Some(seq) = text.and_then(|text| text.parse().ok()) else { return };
                    left.last_seq = Some(seq);
                    first.get_or_insert(seq);
                    if seq > after {
                        left.decisions.push((seq, message.payload().unwrap_or_default().to_vec()));
                    }
                })?;
            }
            let is_enough = first.is_some_and(|first: u64| first <= after.saturating_add(1) || step >= TAIL_MAX);
            if is_enough || from <= low {
                return Ok(low);
            }
            step = step.saturating_mul(8);
        }
    }

    /// Reads partitions from these offsets up to the last stable ones.
    fn read_to_end(
        &self,
        topic: &str,
        offsets: &[(i32, i64)],
        mut each: impl FnMut(&rdkafka::message::BorrowedMessage<'_>),
    ) -> Result<(), Failure> {
        if offsets.is_empty() {
            return Ok(());
        }
        let what = format!("read {topic}");
        let is_state = topic == self.settings.topics.state;
        let consumer =
            if is_state && FleetMutant::StateUncommitted.is_made() { &self.uncommitted } else { &self.committed };
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let added = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
            added.map_err(|error| Failure::of(what.as_str(), &error))?;
        }
        consumer.assign(&list).map_err(|error| Failure::of(what.as_str(), &error))?;
        let mut open: BTreeSet<i32> = offsets.iter().map(|(partition, _)| *partition).collect();
        let mut heard_at = Instant::now();
        let mut outcome = Ok(());
        while !open.is_empty() {
            match consumer.poll(POLL) {
                None if heard_at.elapsed() > SILENCE_MAX => {
                    outcome = Err(Failure::Silent { what: what.clone(), waited: SILENCE_MAX });
                    break;
                }
                None => {}
                Some(Ok(message)) => {
                    heard_at = Instant::now();
                    each(&message);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                // Connections come back by themselves; whoever stays silent is given up above.
                Some(Err(error)) if is_passing(&error) && heard_at.elapsed() <= SILENCE_MAX => {}
                Some(Err(error)) => {
                    outcome = Err(Failure::of(what.as_str(), &error));
                    break;
                }
            }
        }
        drop(consumer.unassign());
        outcome
    }
}
