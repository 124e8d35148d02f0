//! Reads what a shard left behind: its state, its last decision, its place in the group.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::{failpoint, runtime};

use super::port::{Cluster, Isolation, Questions, StoredRecord, Told};
use super::state::{Meta, StateImage, StateKey};
use super::{Failure, KafkaSettings};

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one question may take.
const OFFSET_QUERY_TIMEOUT: Duration = Duration::from_secs(10);
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
    cluster: &'s dyn Cluster,
    settings: &'s KafkaSettings,
    kafka: Box<dyn Questions>,
    /// When it was last looked into who left a transaction open.
    cleared_at: Cell<Option<Instant>>,
}

impl<'s> Reader<'s> {
    /// Connects.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn new(cluster: &'s dyn Cluster, settings: &'s KafkaSettings) -> Result<Self, Failure> {
        Ok(Self { cluster, settings, kafka: cluster.questions(settings)?, cleared_at: Cell::new(None) })
    }

    /// Counts the partitions of a topic.
    ///
    /// # Errors
    /// Kafka does not answer, or there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<i32, Failure> {
        self.kafka.partitions(topic)
    }

    fn marks(&self, isolation: Isolation, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        self.kafka.marks(isolation, topic, partition)
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
            left.operations = self.marks(Isolation::Committed, &topics.operations, *shard)?;
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
        let begun = runtime::now();
        for shard in shards {
            let (_, end) = self.marks(Isolation::Uncommitted, topic, *shard)?;
            while self.marks(Isolation::Committed, topic, *shard)?.1 < end {
                if runtime::elapsed(begun) > patience {
                    let what = format!("wait for the end of a transaction in partition {shard} of {topic}");
                    return Err(Failure::Silent { what, waited: patience });
                }
                if runtime::elapsed(begun) > GRACE {
                    self.clear_the_way(shards);
                }
                self.kafka.wait(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// How long a transaction of somebody else may be open: Kafka itself aborts it before.
    fn patience(&self) -> Duration {
        self.settings.transaction_timeout + PATIENCE
    }

    fn read_offsets(&self, found: &mut BTreeMap<i32, Left>) -> Result<(), Failure> {
        let is_mistaken = FleetMutant::OpenTransactionsIgnored.is_made();
        let isolation = if is_mistaken { Isolation::Uncommitted } else { Isolation::Committed };
        let shards: Vec<i32> = found.keys().copied().collect();
        let (begun, mut wait) = (runtime::now(), FIRST_OFFSETS);
        let told = loop {
            match self.kafka.offsets(isolation, &self.settings.topics.operations, &shards, wait)? {
                Told::Now(told) => break told,
                Told::NotYet(failure) if runtime::elapsed(begun) >= self.patience() => return Err(failure),
                Told::NotYet(_) => {
                    self.clear_the_way(&shards);
                    self.kafka.wait(LOOK_EVERY);
                    wait = (wait * 2).min(OFFSET_QUERY_TIMEOUT);
                }
            }
        };
        for (shard, left) in found {
            left.committed = told.get(shard).copied();
        }
        Ok(())
    }

    /// Aborts what processes that are not in the group any more may have left open in the shards' partitions. What
    /// fails is tried again by the next look; Kafka's own timeout is behind it.
    fn clear_the_way(&self, shards: &[i32]) {
        let is_early = self.cleared_at.get().is_some_and(|at| runtime::elapsed(at) < CLEAR_EVERY);
        // Fencing would hide that mistake.
        if is_early || FleetMutant::GenerationSkipped.is_made() || FleetMutant::OpenTransactionsIgnored.is_made() {
            return;
        }
        self.cleared_at.set(Some(runtime::now()));
        let gone = match self.gone(shards) {
            Ok(gone) => gone,
            Err(error) => {
                debug!(%error, "it cannot be told who left a transaction open");
                return;
            }
        };
        for owner in gone {
            match self.fence(&owner) {
                Ok(()) => info!(%owner, "a process is gone: its open transaction was aborted"),
                Err(error) => warn!(%owner, %error, "the open transaction of a process that is gone cannot be aborted"),
            }
        }
    }

    /// Aborts what another process left open, which can then never commit again.
    fn fence(&self, owner: &str) -> Result<(), Failure> {
        self.cluster.take_over(self.settings, owner).map(drop)
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
        for member in self.kafka.members(&self.settings.group)? {
            owners.remove(&member);
        }
        Ok(owners)
    }

    /// Reads the newest records that tell how far a shard has come, from the end backwards until there is one.
    fn last_metas(&self, shard: i32, isolation: Isolation) -> Result<Vec<Meta>, Failure> {
        let topic = &self.settings.topics.state;
        let key = StateKey::Meta.text(0);
        let (low, end) = self.marks(isolation, topic, shard)?;
        let (mut step, mut from, mut found) = (TAIL_MIN, end, Vec::new());
        // From the end backwards: every batch writes it.
        while from > low && found.is_empty() {
            from = (end - step).max(low);
            self.read_to_end(isolation, topic, &[(shard, from)], |message| {
                if message.key() == Some(key.as_bytes()) {
                    let mut image = StateImage::default();
                    image.add(key.as_bytes(), message.value());
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
        let (low, end) = self.marks(Isolation::Committed, topic, shard)?;
        if low > from || end <= from {
            return Ok(None);
        }
        let mut is_empty = true;
        self.read_to_end(Isolation::Committed, topic, &[(shard, from)], |message| is_empty &= message.offset() >= end)?;
        Ok(is_empty.then_some(end))
    }

    fn read_states(&self, shards: &[i32], found: &mut BTreeMap<i32, Left>) -> Result<(), Failure> {
        let topic = &self.settings.topics.state;
        let offsets: Vec<(i32, i64)> = shards
            .iter()
            .map(|shard| self.marks(Isolation::Committed, topic, *shard).map(|marks| (*shard, marks.0)))
            .collect::<Result<_, _>>()?;
        let is_mistaken = FleetMutant::StateUncommitted.is_made();
        let isolation = if is_mistaken { Isolation::Uncommitted } else { Isolation::Committed };
        self.read_to_end(isolation, topic, &offsets, |message| {
            if let (Some(left), Some(key)) = (found.get_mut(&message.partition()), message.key()) {
                left.state.add(key, message.value());
            }
        })
    }

    /// Finds the number of the last visible decision, and those behind `after`; returns the first offset.
    fn read_tail(&self, shard: i32, after: u64, left: &mut Left) -> Result<i64, Failure> {
        let topic = &self.settings.topics.decisions;
        let (low, end) = self.marks(Isolation::Committed, topic, shard)?;
        let mut step = TAIL_MIN;
        loop {
            let from = (end - step).max(low);
            let mut first = None;
            (left.last_seq, left.decisions) = (None, Vec::new());
            if from < end {
                self.read_to_end(Isolation::Committed, topic, &[(shard, from)], |message| {
                    let text = message.header("kuzet-seq").and_then(|value| std::str::from_utf8(value).ok());
                    let Some(seq) = text.and_then(|text| text.parse().ok()) else { return };
                    left.last_seq = Some(seq);
                    first.get_or_insert(seq);
                    if seq > after {
                        left.decisions.push((seq, message.value().unwrap_or_default().to_vec()));
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

    /// Reads partitions from these offsets up to the last ones that are visible.
    fn read_to_end(
        &self,
        isolation: Isolation,
        topic: &str,
        offsets: &[(i32, i64)],
        mut each: impl FnMut(&dyn StoredRecord),
    ) -> Result<(), Failure> {
        self.kafka.read(isolation, topic, offsets, &mut each)
    }
}
