//! A Kafka in memory, reached as librdkafka reaches a real one: every call travels there and back, and a process may be
//! killed or halted on the way.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kuzet::adapters::kafka::port::{
    Cluster, Group as GroupToken, GroupMember, Incoming, Isolation, Outgoing, Questions, StoredRecord, Told,
    Transactions,
};
use kuzet::adapters::kafka::{Failure, KafkaSettings};
use kuzet::adapters::runtime::Scheduler as _;
use kuzet::operation::Time;
use kuzet::operation::time::MILLISECOND;

use super::coordinator::{Coordinator, Place, Refusal};
use super::group::{Generation, Group};
use super::log::{Entry, Log, Sent};
use super::member::SimulatedMember;
use super::turns::{Process, World};

/// When the simulation begins, in milliseconds since 1970: 2 March 2026.
const BEGINNING: i64 = 1_772_409_600_000;
const MILLI: u64 = 1_000_000;
/// How long questions wait for a broker that is away.
const PATIENCE: Duration = Duration::from_secs(30);
/// Records that a reader gets at once.
const CHUNK: usize = 64;
/// Between two looks whether something has ended.
const AGAIN: Duration = Duration::from_millis(5);

pub(crate) struct State {
    pub(crate) topics: BTreeMap<String, Vec<Log>>,
    pub(crate) coordinator: Coordinator,
    pub(crate) group: Group,
    /// No broker answers until then.
    pub(crate) away_until: u64,
    /// Of a thousand commits so many have no answer: half of them happened, or happen later.
    pub(crate) unanswered: u64,
}

/// All brokers.
pub(crate) struct Broker {
    world: Arc<World>,
    state: Mutex<State>,
}

/// The time of a record that was appended at an instant of the simulation.
pub(crate) fn arrival(at: u64) -> Time {
    let millis = BEGINNING + i64::try_from(at / MILLI).expect("no time of centuries");
    Time::EPOCH.plus(MILLISECOND.saturating_mul(millis))
}

impl State {
    /// Lets everything happen that is due.
    pub(crate) fn tick(&mut self, world: &World) {
        let now = world.nanos();
        if now < self.away_until {
            return;
        }
        let mut delay =
            || now + world.below(10) * MILLI + if world.below(20) == 0 { world.below(800) * MILLI } else { 0 };
        for (transaction, is_commit, place, at) in self.coordinator.tick(now, &mut delay) {
            match place {
                Some((topic, partition)) => {
                    if let Some(log) = self.log(&topic, partition) {
                        log.mark(transaction, is_commit, at);
                    }
                }
                None => self.group.end(transaction, is_commit),
            }
        }
        self.group.tick(now, self.away_until);
    }

    pub(crate) fn log(&mut self, topic: &str, partition: i32) -> Option<&mut Log> {
        self.topics.get_mut(topic)?.get_mut(usize::try_from(partition).ok()?)
    }

    fn log_of(&mut self, topic: &str, partition: i32) -> Result<&mut Log, Failure> {
        let what = format!("find partition {partition} of {topic}");
        let unknown = || refused(what, "there is none");
        self.log(topic, partition).ok_or_else(unknown)
    }
}

/// A refusal that is none of fencing.
pub(crate) fn refused(what: impl Into<String>, reason: &str) -> Failure {
    Failure::Kafka { what: what.into(), reason: reason.to_owned(), is_fenced: false, is_unknown: false }
}

fn fenced(what: &str) -> Failure {
    let reason = "another producer has this name".to_owned();
    Failure::Kafka { what: what.to_owned(), reason, is_fenced: true, is_unknown: false }
}

/// No answer came in time.
fn unanswered(what: &str, waited: Duration) -> Failure {
    let reason = format!("timed out after {waited:?}");
    Failure::Kafka { what: what.to_owned(), reason, is_fenced: false, is_unknown: true }
}

impl Broker {
    pub(crate) fn new(world: &Arc<World>, topics: &[&str], partitions: i32, session: Duration) -> Arc<Self> {
        let session = u64::try_from(session.as_nanos()).expect("no session of centuries");
        let logs = || (0..partitions).map(|_| Log::default()).collect();
        let state = State {
            topics: topics.iter().map(|topic| ((*topic).to_owned(), logs())).collect(),
            coordinator: Coordinator::default(),
            group: Group::new(partitions, session),
            away_until: 0,
            unanswered: 0,
        };
        Arc::new(Self { world: Arc::clone(world), state: Mutex::new(state) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the way to the brokers of one process.
    pub(crate) fn access(self: &Arc<Self>, process: &Process) -> Arc<Access> {
        Arc::new(Access { broker: Arc::clone(self), process: process.clone() })
    }

    /// Appends a record outside of any transaction.
    pub(crate) fn append(&self, topic: &str, partition: i32, key: &[u8], value: &[u8]) {
        let (topic, key, value) = (topic.to_owned(), Some(key.to_vec()), Some(value.to_vec()));
        let sent = Sent { topic: topic.clone(), partition, key, value, headers: Vec::new() };
        let now = self.world.nanos();
        self.lock().log(&topic, partition).expect("a partition").append(sent, now, None);
    }

    /// Lists what a reader of committed records sees of a partition.
    pub(crate) fn visible(&self, topic: &str, partition: i32) -> Vec<Entry> {
        let mut state = self.lock();
        state.tick(&self.world);
        let log = state.log(topic, partition).expect("a partition");
        log.visible(Isolation::Committed, 0).cloned().collect()
    }

    /// Tells whether the group's offsets stand at the end of a topic, and no transaction is open.
    pub(crate) fn is_through(&self, topic: &str) -> bool {
        let mut state = self.lock();
        state.tick(&self.world);
        let ends: Vec<i64> = state.topics[topic].iter().map(|log| log.marks(Isolation::Committed).1).collect();
        let is_at = |(partition, end): (i32, &i64)| state.group.offsets.get(&partition).copied().unwrap_or(0) >= *end;
        let is_whole = |log: &Log| log.marks(Isolation::Committed) == log.marks(Isolation::Uncommitted);
        state.topics.values().flatten().all(is_whole)
            && state.group.pending.is_empty()
            && (0_i32..).zip(&ends).all(is_at)
    }

    /// Tells how it stands, for a run that goes on no more.
    pub(crate) fn describe(&self) -> String {
        let state = self.lock();
        let ends = |log: &Log| (log.marks(Isolation::Committed).1, log.marks(Isolation::Uncommitted).1);
        let topics: Vec<(&String, Vec<(i64, i64)>)> =
            state.topics.iter().map(|(topic, logs)| (topic, logs.iter().map(ends).collect())).collect();
        format!("{topics:?}; group {}", state.group.describe())
    }

    /// Lets no broker answer for so long.
    pub(crate) fn go_away(&self, time: Duration) {
        let until = self.world.nanos() + u64::try_from(time.as_nanos()).expect("no time of centuries");
        self.lock().away_until = until;
    }

    /// Lets so many of a thousand commits have no answer.
    pub(crate) fn leave_unanswered(&self, of_thousand: u64) {
        self.lock().unanswered = of_thousand;
    }

    /// Compacts all partitions of a topic.
    pub(crate) fn compact(&self, topic: &str) {
        let until = self.world.nanos().saturating_sub(60_000 * MILLI);
        for log in self.lock().topics.get_mut(topic).expect("a topic") {
            log.compact(until);
        }
    }

    /// Lets all members join again; some partitions move.
    pub(crate) fn rebalance(&self) {
        let now = self.world.nanos();
        self.lock().group.shuffle(now);
    }
}

/// The way to the brokers of one process.
pub(crate) struct Access {
    pub(crate) broker: Arc<Broker>,
    pub(crate) process: Process,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    fn world(&self) -> &World {
        self.process.world()
    }

    /// A request or an answer is on its way: mostly shortly, at times for long.
    fn travel(&self) {
        let micros = match self.world().below(24) {
            0 => 5_000 + self.world().below(60_000),
            1..=4 => 1_000 + self.world().below(4_000),
            _ => 100 + self.world().below(900),
        };
        self.process.sleep(Duration::from_micros(micros));
    }

    fn is_away(&self) -> bool {
        self.world().nanos() < self.broker.lock().away_until
    }

    /// Waits until brokers answer again, at most so long; tells whether they do.
    fn reaches(&self, patience: Duration) -> bool {
        let until = self.process.now() + patience;
        while self.is_away() {
            if self.process.now() >= until {
                return false;
            }
            self.process.sleep(Duration::from_millis(50));
        }
        true
    }

    /// Asks the brokers to do something.
    fn call<T>(&self, what: &str, patience: Duration, answer: impl FnOnce(&mut State, u64) -> T) -> Result<T, Failure> {
        let answer = self.ask(what, patience, answer)?;
        self.travel();
        if self.reaches(patience) { Ok(answer) } else { Err(unanswered(what, patience)) }
    }

    /// Asks the brokers for something that changes nothing: it does not matter for how long the answer travels.
    fn ask<T>(&self, what: &str, patience: Duration, answer: impl FnOnce(&mut State, u64) -> T) -> Result<T, Failure> {
        self.travel();
        if !self.reaches(patience) {
            return Err(unanswered(what, patience));
        }
        let mut state = self.broker.lock();
        state.tick(self.world());
        Ok(answer(&mut state, self.world().nanos()))
    }

    fn delay(&self) -> impl FnMut() -> u64 {
        let world = Arc::clone(self.process.world());
        let now = world.nanos();
        move || now + world.below(10) * MILLI
    }
}

impl Cluster for Access {
    fn join(&self, settings: &KafkaSettings, isolation: Isolation) -> Result<Arc<dyn GroupMember>, Failure> {
        let access = self.broker.access(&self.process);
        Ok(Arc::new(SimulatedMember::new(access, settings, isolation)))
    }

    fn take_over(&self, settings: &KafkaSettings, owner: &str) -> Result<[Box<dyn Transactions>; 2], Failure> {
        let take_over = |id: String| -> Result<Box<dyn Transactions>, Failure> {
            let timeout = settings.transaction_timeout;
            let nanos = u64::try_from(timeout.as_nanos()).expect("no time of centuries");
            let begun = self.process.now();
            let epoch = loop {
                let what = "begin a session of transactions";
                let mut delay = self.delay();
                let taken = self.call(what, timeout, |state, _| state.coordinator.take_over(&id, nanos, &mut delay))?;
                match taken {
                    Some(epoch) => break epoch,
                    None if self.process.now() - begun > timeout => return Err(unanswered(what, timeout)),
                    None => self.process.sleep(AGAIN),
                }
            };
            let access = self.broker.access(&self.process);
            Ok(Box::new(SimulatedProducer { access, id, epoch, timeout, unsent: Mutex::default() }))
        };
        let [first, second] = KafkaSettings::transactional_ids(owner);
        Ok([take_over(first)?, take_over(second)?])
    }

    fn questions(&self, _: &KafkaSettings) -> Result<Box<dyn Questions>, Failure> {
        Ok(Box::new(SimulatedQuestions(self.broker.access(&self.process))))
    }

    fn group_of_nobody(&self, _: &KafkaSettings) -> Result<Option<GroupToken>, Failure> {
        Ok(Some(Box::new(Generation { member: None, generation: -1 })))
    }
}

struct SimulatedProducer {
    access: Arc<Access>,
    id: String,
    epoch: u32,
    timeout: Duration,
    /// What was sent and has not left the client.
    unsent: Mutex<Vec<Sent>>,
}

impl SimulatedProducer {
    fn unsent(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in the transaction, as soon as markers of the last one are written.
    fn in_transaction<T>(
        &self,
        what: &str,
        place: &Place,
        mut act: impl FnMut(&mut State, u64, u64) -> T,
    ) -> Result<T, Failure> {
        let begun = self.access.process.now();
        loop {
            let done = self.access.call(what, self.timeout, |state, now| {
                let transaction = state.coordinator.add(&self.id, self.epoch, place.clone(), now)?;
                Ok::<T, Refusal>(act(state, transaction, now))
            })?;
            match done {
                Ok(done) => return Ok(done),
                Err(Refusal::Fenced) => return Err(fenced(what)),
                Err(Refusal::Busy) if self.access.process.now() - begun > self.timeout => {
                    return Err(unanswered(what, self.timeout));
                }
                Err(Refusal::Busy) => self.access.process.sleep(AGAIN),
            }
        }
    }
}

impl Transactions for SimulatedProducer {
    fn begin(&self) -> Result<(), Failure> {
        self.unsent().clear();
        Ok(())
    }

    fn send(&self, record: &Outgoing<'_>) -> Result<(), Failure> {
        let headers = record.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        self.unsent().push(Sent {
            topic: record.topic.to_owned(),
            partition: record.partition,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.collect(),
        });
        Ok(())
    }

    fn send_offsets(&self, _: &str, offsets: &[(i32, i64)], group: &GroupToken) -> Result<(), Failure> {
        let what = "put offsets into the transaction";
        let group = *group.downcast_ref::<Generation>().expect("a group of the simulation");
        // The client sends records whenever it likes.
        if self.access.world().below(2) == 0 {
            self.drain()?;
        }
        let is_taken = self.in_transaction(what, &None, |state, transaction, _| {
            let is_taken = state.group.admits(group);
            if is_taken {
                state.group.hold(transaction, offsets);
            }
            is_taken
        })?;
        let reason = "the group has gone on".to_owned();
        if is_taken { Ok(()) } else { Err(Failure::Stale { what: what.to_owned(), reason }) }
    }

    fn drain(&self) -> Result<(), Failure> {
        let unsent = std::mem::take(&mut *self.unsent());
        let places: BTreeSet<(String, i32)> = unsent.iter().map(|sent| (sent.topic.clone(), sent.partition)).collect();
        for (topic, partition) in places {
            let of_place = |sent: &&Sent| sent.topic == topic && sent.partition == partition;
            let batch: Vec<Sent> = unsent.iter().filter(of_place).cloned().collect();
            let place = Some((topic.clone(), partition));
            let done = self.in_transaction("deliver the transaction", &place, |state, transaction, now| {
                let log = state.log_of(&topic, partition)?;
                batch.iter().cloned().for_each(|sent| log.append(sent, now, Some(transaction)));
                Ok::<(), Failure>(())
            })?;
            done?;
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), Failure> {
        self.drain()?;
        let (access, what) = (&self.access, "commit the transaction");
        let world = access.world();
        if world.below(1_000) < access.broker.lock().unanswered {
            access.travel();
            let mut state = access.broker.lock();
            state.tick(world);
            match world.below(3) {
                0 => state.coordinator.end((&self.id, self.epoch), true, &mut access.delay()).unwrap_or(()),
                1 => {
                    let limit = u64::try_from(self.timeout.as_nanos()).expect("no time of centuries");
                    let at = world.nanos() + world.below(2 * limit);
                    state.coordinator.end_later(&self.id, self.epoch, at);
                }
                _ => {}
            }
            drop(state);
            access.process.sleep(self.timeout);
            return Err(unanswered(what, self.timeout));
        }
        let mut delay = access.delay();
        let ended = access
            .call(what, self.timeout, |state, _| state.coordinator.end((&self.id, self.epoch), true, &mut delay))?;
        ended.map_err(|_| fenced(what))
    }

    fn abort(&self) -> Result<(), Failure> {
        self.unsent().clear();
        let (what, mut delay) = ("abort the transaction", self.access.delay());
        let ended = self
            .access
            .call(what, self.timeout, |state, _| state.coordinator.end((&self.id, self.epoch), false, &mut delay))?;
        ended.map_err(|_| fenced(what))
    }
}

struct SimulatedQuestions(Arc<Access>);

impl Questions for SimulatedQuestions {
    fn partitions(&self, topic: &str) -> Result<i32, Failure> {
        let what = format!("find the topic {topic}");
        let found = self.0.ask(&what, PATIENCE, |state, _| state.topics.get(topic).map(Vec::len))?;
        let found = found.ok_or_else(|| refused(what, "Kafka does not know it"))?;
        Ok(i32::try_from(found).expect("few partitions"))
    }

    fn marks(&self, isolation: Isolation, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        let what = format!("ask for the offsets of {topic}");
        self.0.ask(&what, PATIENCE, |state, _| Ok(state.log_of(topic, partition)?.marks(isolation)))?
    }

    fn offsets(
        &self,
        isolation: Isolation,
        _: &str,
        partitions: &[i32],
        wait: Duration,
    ) -> Result<Told<BTreeMap<i32, i64>>, Failure> {
        let what = "ask for the group's offsets";
        let told = self.0.ask(what, wait, |state, _| {
            let held = state.group.pending.values().flat_map(BTreeMap::keys);
            let is_held = isolation == Isolation::Committed && held.into_iter().any(|held| partitions.contains(held));
            let offset = |partition: &i32| Some((*partition, *state.group.offsets.get(partition)?));
            (!is_held).then(|| partitions.iter().filter_map(offset).collect())
        });
        Ok(match told {
            Ok(Some(told)) => Told::Now(told),
            Ok(None) => {
                self.0.process.sleep(wait);
                Told::NotYet(unanswered(what, wait))
            }
            Err(failure) => Told::NotYet(failure),
        })
    }

    fn read(
        &self,
        isolation: Isolation,
        topic: &str,
        offsets: &[(i32, i64)],
        each: &mut dyn FnMut(&dyn StoredRecord),
    ) -> Result<(), Failure> {
        let what = format!("read {topic}");
        for (partition, offset) in offsets {
            let mut from = *offset;
            loop {
                let chunk = self.0.ask(&what, 2 * PATIENCE, |state, _| {
                    let log = state.log_of(topic, *partition)?;
                    Ok::<Vec<Entry>, Failure>(log.visible(isolation, from).take(CHUNK).cloned().collect())
                })?;
                let chunk = chunk?;
                let Some(last) = chunk.last() else { break };
                from = last.offset + 1;
                chunk.iter().for_each(|entry| each(entry));
            }
        }
        Ok(())
    }

    fn members(&self, _: &str) -> Result<Vec<String>, Failure> {
        self.0.ask("ask for the group's members", PATIENCE, |state, _| state.group.clients())
    }

    fn wait(&self, time: Duration) {
        self.0.process.sleep(time);
    }
}

/// Makes a record as a member reads it.
pub(crate) fn incoming(entry: &Entry) -> Incoming {
    Incoming {
        partition: entry.partition,
        offset: entry.offset,
        arrived_at: arrival(entry.at),
        key: entry.key.clone(),
        value: entry.value.clone(),
    }
}

/// What a member tells of its group.
pub(crate) fn token(generation: Generation) -> GroupToken {
    let token: Box<dyn Any + Send> = Box::new(generation);
    token
}
