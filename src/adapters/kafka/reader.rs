//! Reads what a shard left behind: its state, its last decision, its place in the group.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use crate::adapters::failpoint;
use crate::adapters::fleet_mutant::FleetMutant;

use super::client::{Isolation, Said, ask, is_passing};
use super::producer::fence;
use super::state::{Meta, StateImage, StateKey};
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
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A transaction that stands in the way is left to end by itself for so long; it mostly takes less.
const GRACE: Duration = Duration::from_millis(200);
/// Between two looks who left it open.
const CLEAR_EVERY: Duration = Duration::from_millis(500);
/// The first wait for the group's offsets: while a transaction holds others, Kafka does not tell them.
const FIRST_OFFSETS: Duration = Duration::from_millis(200);
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
    /// When it was last looked into who left a transaction open.
    cleared_at: Cell<Option<Instant>>,
}

impl<'s> Reader<'s> {
    /// Connects.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn new(settings: &'s KafkaSettings) -> Result<Self, Failure> {
        let committed = settings.asking(Isolation::Committed)?;
        let uncommitted = settings.asking(Isolation::Uncommitted)?;
        Ok(Self { settings, committed, uncommitted, cleared_at: Cell::new(None) })
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
    /// A transaction of a process that is not in the group any more is aborted: nobody else would end it before its
    /// timeout.
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
        for partition in 0..self.partitions(&self.settings.topics.state)? {
            if let Some(meta) = self.last_metas(partition, Isolation::Committed)?.pop() {
                return Ok(Some(meta.partitions));
            }
        }
        Ok(None)
    }

    fn wait_until_stable(&self, topic: &str, shards: &[i32]) -> Result<(), Failure> {
        let patience = self.patience();
        let begun = Instant::now();
        for shard in shards {
            let (_, end) = self.marks(&self.uncommitted, topic, *shard)?;
            while self.marks(&self.committed, topic, *shard)?.1 < end {
                if begun.elapsed() > patience {
                    let what = format!("wait for the end of a transaction in partition {shard} of {topic}");
                    return Err(Failure::Silent { what, waited: patience });
                }
                if begun.elapsed() > GRACE {
                    self.clear_the_way(shards);
                }
                // Nothing is assigned: only time passes.
                drop(self.committed.poll(LOOK_EVERY));
            }
        }
        Ok(())
    }

    /// How long a transaction of somebody else may be open: Kafka itself aborts it before.
    fn patience(&self) -> Duration {
        self.settings.transaction_timeout + PATIENCE
    }

    fn read_offsets(&self, found: &mut BTreeMap<i32, Left>) -> Result<(), Failure> {
        let consumer = if FleetMutant::OpenTransactionsIgnored.is_made() { &self.uncommitted } else { &self.committed };
        let question = |wait: Duration| {
            let mut list = TopicPartitionList::new();
            for shard in found.keys() {
                list.add_partition(&self.settings.topics.operations, *shard);
            }
            let answer = consumer.committed_offsets(list, wait)?;
            answer.elements().iter().try_for_each(|element| element.error())?;
            Ok(answer)
        };
        let shards: Vec<i32> = found.keys().copied().collect();
        let (begun, mut wait) = (Instant::now(), FIRST_OFFSETS);
        let answer = loop {
            match question(wait) {
                Ok(answer) => break answer,
                Err(error)
                    if is_passing(&error)
                        && begun.elapsed() < self.patience()
                        && !self.committed.context().is_refused() =>
                {
                    self.clear_the_way(&shards);
                    // Nothing is assigned: only time passes.
                    drop(self.committed.poll(LOOK_EVERY));
                    wait = (wait * 2).min(OFFSET_QUERY_TIMEOUT);
                }
                Err(error) => {
                    let failed = Failure::of("ask for the group's offsets", &error);
                    return Err(failed.explained_by(self.committed.context()));
                }
            }
        };
        for element in answer.elements() {
            if let (Some(left), Offset::Offset(offset)) = (found.get_mut(&element.partition()), element.offset()) {
                left.committed = Some(offset);
            }
        }
        Ok(())
    }

    /// Aborts what processes that are not in the group any more may have left open in the shards' partitions. What
    /// fails is tried again by the next look; Kafka's own timeout is behind it.
    fn clear_the_way(&self, shards: &[i32]) {
        let is_early = self.cleared_at.get().is_some_and(|at| at.elapsed() < CLEAR_EVERY);
        // Fencing would hide that mistake.
        if is_early || FleetMutant::GenerationSkipped.is_made() || FleetMutant::OpenTransactionsIgnored.is_made() {
            return;
        }
        self.cleared_at.set(Some(Instant::now()));
        let gone = match self.gone(shards) {
            Ok(gone) => gone,
            Err(error) => {
                debug!(%error, "it cannot be told who left a transaction open");
                return;
            }
        };
        for owner in gone {
            match fence(self.settings, &owner) {
                Ok(()) => info!(%owner, "a process is gone: its open transaction was aborted"),
                Err(error) => warn!(%owner, %error, "the open transaction of a process that is gone cannot be aborted"),
            }
        }
    }

    /// Lists the owners of shards, as their states tell, that are not in the group.
    fn gone(&self, shards: &[i32]) -> Result<BTreeSet<String>, Failure> {
        let mut owners = BTreeSet::new();
        for shard in shards.iter().filter(|shard| **shard < self.partitions(&self.settings.topics.state).unwrap_or(0)) {
            owners.extend(self.last_metas(*shard, Isolation::Uncommitted)?.into_iter().map(|meta| meta.owner));
        }
        // This process has aborted its own when it began its session.
        owners.remove(&self.settings.owner());
        owners.remove("");
        if owners.is_empty() {
            return Ok(owners);
        }
        let group = self.settings.group.as_str();
        let listed = self.committed.client().fetch_group_list(Some(group), FIRST_QUESTION);
        let listed = listed.map_err(|error| Failure::of("ask for the group's members", &error))?;
        let members = listed.groups().iter().filter(|found| found.name() == group).flat_map(|group| group.members());
        members.for_each(|member| {
            owners.remove(member.client_id());
        });
        Ok(owners)
    }

    /// Reads the newest records that tell how far a shard has come, from the end backwards until there is one.
    fn last_metas(&self, shard: i32, isolation: Isolation) -> Result<Vec<Meta>, Failure> {
        let topic = &self.settings.topics.state;
        let key = StateKey::Meta.text(0);
        let consumer = self.consumer(isolation);
        let (low, end) = self.marks(consumer, topic, shard)?;
        let (mut step, mut from, mut found) = (TAIL_MIN, end, Vec::new());
        // From the end backwards: every batch writes it.
        while from > low && found.is_empty() {
            from = (end - step).max(low);
            self.read_to_end(consumer, topic, &[(shard, from)], |message| {
                if message.key() == Some(key.as_bytes()) {
                    let mut image = StateImage::default();
                    image.add(key.as_bytes(), message.payload());
                    found.extend(image.meta().ok().flatten());
                }
            })?;
            step = step.saturating_mul(8);
        }
        Ok(found)
    }

    /// Tells up to which offset of a shard's operations there is nothing to decide behind `from`, where that is so:
    /// markers of transactions take offsets too, and so do records that compaction removed.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub fn nothing_until(&self, shard: i32, from: i64) -> Result<Option<i64>, Failure> {
        let topic = &self.settings.topics.operations;
        let (low, end) = self.marks(&self.committed, topic, shard)?;
        if low > from || end <= from {
            return Ok(None);
        }
        let mut is_empty = true;
        self.read_to_end(&self.committed, topic, &[(shard, from)], |message| is_empty &= message.offset() >= end)?;
        Ok(is_empty.then_some(end))
    }

    const fn consumer(&self, isolation: Isolation) -> &BaseConsumer<Said> {
        match isolation {
            Isolation::Committed => &self.committed,
            Isolation::Uncommitted => &self.uncommitted,
        }
    }

    fn read_states(&self, shards: &[i32], found: &mut BTreeMap<i32, Left>) -> Result<(), Failure> {
        let topic = &self.settings.topics.state;
        let offsets: Vec<(i32, i64)> = shards
            .iter()
            .map(|shard| self.marks(&self.committed, topic, *shard).map(|marks| (*shard, marks.0)))
            .collect::<Result<_, _>>()?;
        let is_mistaken = FleetMutant::StateUncommitted.is_made();
        let isolation = if is_mistaken { Isolation::Uncommitted } else { Isolation::Committed };
        self.read_to_end(self.consumer(isolation), topic, &offsets, |message| {
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
                self.read_to_end(&self.committed, topic, &[(shard, from)], |message| {
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

    /// Reads partitions from these offsets up to the last ones that the consumer sees.
    fn read_to_end(
        &self,
        consumer: &BaseConsumer<Said>,
        topic: &str,
        offsets: &[(i32, i64)],
        mut each: impl FnMut(&rdkafka::message::BorrowedMessage<'_>),
    ) -> Result<(), Failure> {
        if offsets.is_empty() {
            return Ok(());
        }
        let what = format!("read {topic}");
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
