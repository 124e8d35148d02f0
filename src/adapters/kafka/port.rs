//! What a worker of a fleet asks of Kafka, as few operations: librdkafka answers them, and in tests a broker in memory.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, KafkaSettings};
use crate::adapters::fleet_mutant::FleetMutant;
use crate::operation::Time;

/// The group as a member knew it at some moment: who it is, and of which generation.
pub type Group = Box<dyn Any + Send>;

/// The ways to one cluster.
pub trait Cluster: fmt::Debug + Send + Sync {
    /// Joins the group of the settings, to read operations; partitions come with later polls. A member sees committed
    /// records only, unless a test wants it otherwise.
    ///
    /// # Errors
    /// A setting is wrong.
    fn join(&self, settings: &KafkaSettings, isolation: Isolation) -> Result<Arc<dyn GroupMember>, Failure>;

    /// Takes over both transactional ids of an owner: what was open under them is aborted, and whoever had them can
    /// never commit again. Waits until that is done.
    ///
    /// # Errors
    /// A setting is wrong, or Kafka does not answer in time, or does not let this process use those names.
    fn take_over(&self, settings: &KafkaSettings, owner: &str) -> Result<[Box<dyn Transactions>; 2], Failure>;

    /// Makes what asks and reads without being a member of the group.
    ///
    /// # Errors
    /// A setting is wrong.
    fn questions(&self, settings: &KafkaSettings) -> Result<Box<dyn Questions>, Failure>;

    /// Returns the group as one who is no member has it, without a generation: a mistake, see
    /// [`FleetMutant::GenerationSkipped`].
    ///
    /// # Errors
    /// A setting is wrong.
    fn group_of_nobody(&self, settings: &KafkaSettings) -> Result<Option<Group>, Failure>;
}

/// A change of what a member reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These partitions are this member's from now on; they are paused.
    Assigned(Vec<i32>),
    /// These partitions are another's from now on.
    Revoked(Vec<i32>),
}

/// A record as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    pub partition: i32,
    pub offset: i64,
    /// When it arrived, to the millisecond.
    pub arrived_at: Time,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

/// What a look for records found.
#[derive(Debug)]
pub enum Polled {
    Nothing,
    Record(Incoming),
    /// Kafka or the group has a difficulty that passes; the text tells which.
    Trouble(String),
    /// This member can never read again.
    Fatal(String),
}

/// A worker in the group; it leaves with the last reference.
pub trait GroupMember: Send + Sync {
    /// Looks for a record, at most so long. Changes of the group happen in here.
    fn poll(&self, wait: Duration) -> Polled;

    /// Adds what Kafka's client said last, where it is not told yet.
    fn explain(&self, reason: String) -> String;

    /// Tells why nothing can come, if so: no broker can be reached, or the group has not taken this member in.
    fn trouble(&self) -> Option<String>;

    /// Takes the next change of what this member reads.
    fn change(&self) -> Option<Change>;

    /// Tells whether a change waits.
    fn has_change(&self) -> bool;

    /// Returns the group with its present generation, for a transaction.
    ///
    /// # Errors
    /// The group has gone on without this member. What it knows of the group may then be without a generation, and
    /// offsets that are sent without one are taken from anybody.
    fn group(&self) -> Result<Option<Group>, Failure>;

    /// Commits offsets outside of any transaction: a mistake, see [`FleetMutant`].
    ///
    /// # Errors
    /// The group does not take them.
    fn commit_outside(&self, offsets: &[(i32, i64)]) -> Result<(), Failure>;

    /// Returns the offset behind the last record of a partition, as it was seen last.
    fn end_of(&self, partition: i32) -> Option<i64>;

    /// Returns a partition's first offset.
    ///
    /// # Errors
    /// Kafka does not answer.
    fn low_watermark(&self, partition: i32, wait: Duration) -> Result<i64, Failure>;

    /// Goes to an offset of a partition. Returns false when the partition's reader is not there yet.
    ///
    /// # Errors
    /// Kafka does not let it start there.
    fn seek(&self, partition: i32, offset: i64) -> Result<bool, Failure>;

    /// Lets records of a partition come.
    ///
    /// # Errors
    /// It is not this member's.
    fn resume(&self, partition: i32) -> Result<(), Failure>;

    /// Lets no records of partitions come.
    ///
    /// # Errors
    /// They are not this member's.
    fn pause(&self, partitions: &[i32]) -> Result<(), Failure>;

    /// Lets records of a partition come from this offset on. Returns false when the partition's reader is not there
    /// yet: then it is tried again after the next looks for records.
    ///
    /// # Errors
    /// Kafka does not let it start.
    fn try_start(&self, partition: i32, offset: i64) -> Result<bool, Failure> {
        if !FleetMutant::SeekSkipped.is_made() && !self.seek(partition, offset)? {
            return Ok(false);
        }
        self.resume(partition).map(|()| true)
    }
}

/// One record to send.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a str, &'a str)],
}

/// One transactional producer: one transaction at a time.
pub trait Transactions: Send {
    /// Opens a transaction.
    ///
    /// # Errors
    /// The session is over.
    fn begin(&self) -> Result<(), Failure>;

    /// Puts a record into the transaction.
    ///
    /// # Errors
    /// The session is over, the record is too large, or the queue stays full.
    fn send(&self, record: &Outgoing<'_>) -> Result<(), Failure>;

    /// Puts the offsets of the next records to read into the transaction.
    ///
    /// # Errors
    /// The session is over, or the group has gone on without this member ([`Failure::Stale`]).
    fn send_offsets(&self, topic: &str, offsets: &[(i32, i64)], group: &Group) -> Result<(), Failure>;

    /// Waits until every record of the transaction is acknowledged.
    ///
    /// # Errors
    /// A record was not taken, or the time is over.
    fn drain(&self) -> Result<(), Failure>;

    /// Commits. After an error this session must not be used again: what became of the transaction is told by
    /// the topics, once a new session has begun.
    ///
    /// # Errors
    /// The transaction was aborted, or it is not known what became of it.
    fn commit(&self) -> Result<(), Failure>;

    /// Gives the transaction up: nothing of it happened.
    ///
    /// # Errors
    /// The session is over, or Kafka does not answer: then it is open what became of the transaction.
    fn abort(&self) -> Result<(), Failure>;
}

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of ended transactions that were committed.
    Committed,
    /// All of them.
    Uncommitted,
}

/// A record as it lies in its topic.
pub trait StoredRecord {
    fn partition(&self) -> i32;
    fn offset(&self) -> i64;
    fn key(&self) -> Option<&[u8]>;
    fn value(&self) -> Option<&[u8]>;
    /// Returns the value of the first header of that name.
    fn header(&self, name: &str) -> Option<&[u8]>;
}

/// An answer that may not be there yet.
#[derive(Debug)]
pub enum Told<T> {
    Now(T),
    /// Kafka does not tell it now, for this reason; it may do so later.
    NotYet(Failure),
}

/// Asks, and reads what it is told to.
pub trait Questions {
    /// Counts the partitions of a topic.
    ///
    /// # Errors
    /// Kafka does not answer, or there is no such topic.
    fn partitions(&self, topic: &str) -> Result<i32, Failure>;

    /// Returns the first offset of a partition and the one behind its last record: for committed records the last
    /// stable offset.
    ///
    /// # Errors
    /// Kafka does not answer.
    fn marks(&self, isolation: Isolation, topic: &str, partition: i32) -> Result<(i64, i64), Failure>;

    /// Returns the group's offsets of partitions that have some, after at most so long. For committed offsets they are
    /// not told while a transaction holds others.
    ///
    /// # Errors
    /// Kafka refuses, and waiting would not change that.
    fn offsets(
        &self,
        isolation: Isolation,
        topic: &str,
        partitions: &[i32],
        wait: Duration,
    ) -> Result<Told<BTreeMap<i32, i64>>, Failure>;

    /// Reads partitions from these offsets up to the last ones that are visible.
    ///
    /// # Errors
    /// Kafka does not answer, or refuses.
    fn read(
        &self,
        isolation: Isolation,
        topic: &str,
        offsets: &[(i32, i64)],
        each: &mut dyn FnMut(&dyn StoredRecord),
    ) -> Result<(), Failure>;

    /// Lists the names of the clients that are members of a group.
    ///
    /// # Errors
    /// Kafka does not answer.
    fn members(&self, group: &str) -> Result<Vec<String>, Failure>;

    /// Lets time pass.
    fn wait(&self, time: Duration);
}
