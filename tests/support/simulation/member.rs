//! A member of the group in memory, as librdkafka is one: it joins by itself, hears of changes in looks for records, and
//! learns late that it was thrown out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kuzet::adapters::kafka::port::{Change, Group as GroupToken, GroupMember, Isolation, Polled};
use kuzet::adapters::kafka::{Failure, KafkaSettings};
use kuzet::adapters::runtime::Scheduler as _;

use super::broker::{Access, State, incoming, refused, token};
use super::group::{Generation, HEARTBEAT};
use super::turns::Health;

/// The shortest wait for a record.
const WAIT_MIN: Duration = Duration::from_micros(100);

/// What the client knows.
#[derive(Default)]
struct View {
    /// Its number in the group.
    member: Option<u64>,
    generation: i32,
    /// When it learns that it is not in the group any more.
    learns_at: Option<u64>,
    changes: VecDeque<Change>,
    /// The offset of the next record, and whether records may come.
    positions: BTreeMap<i32, (i64, bool)>,
}

pub(crate) struct SimulatedMember {
    access: Arc<Access>,
    topic: String,
    client: String,
    isolation: Isolation,
    view: Mutex<View>,
}

impl SimulatedMember {
    pub(crate) fn new(access: Arc<Access>, settings: &KafkaSettings, isolation: Isolation) -> Self {
        let (topic, client) = (settings.topics.operations.clone(), settings.owner());
        Self { access, topic, client, isolation, view: Mutex::default() }
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the client hears by itself; tells whether it is in the group for all that it knows.
    fn hear(&self, view: &mut View, state: &mut State) -> bool {
        let world = self.access.process.world();
        let now = world.nanos();
        state.tick(world);
        let Some(member) = view.member else { return false };
        if let Some(found) = state.group.members.get(&member) {
            view.generation = found.generation;
            return true;
        }
        now < *view.learns_at.get_or_insert_with(|| now + world.below(HEARTBEAT))
    }

    /// One look: a change, or a record.
    fn look(&self) -> Option<Polled> {
        let mut view = self.view();
        let mut state = self.access.broker.lock();
        let world = self.access.process.world();
        let now = world.nanos();
        if now < state.away_until {
            return None;
        }
        if !self.hear(&mut view, &mut state) {
            if view.member.is_some() && !view.positions.is_empty() {
                let lost = std::mem::take(&mut view.positions).into_keys().collect();
                view.changes.push_back(Change::Revoked(lost));
            }
            (view.member, view.learns_at) = (Some(state.group.join(&self.access.process, &self.client, now)), None);
            return None;
        }
        let member = view.member?;
        let event = state.group.members.get_mut(&member).and_then(|found| found.events.pop_front());
        match event {
            Some(Change::Assigned(partitions)) => {
                for partition in &partitions {
                    let from = state.group.offsets.get(partition).copied().unwrap_or(0);
                    view.positions.insert(*partition, (from, true));
                }
                view.changes.push_back(Change::Assigned(partitions));
                return None;
            }
            Some(Change::Revoked(partitions)) => {
                view.positions.retain(|partition, _| !partitions.contains(partition));
                state.group.let_go(member, &partitions, now);
                view.changes.push_back(Change::Revoked(partitions));
                return None;
            }
            None => {}
        }
        let open: Vec<(i32, i64)> =
            view.positions.iter().filter(|(_, (_, is_paused))| !is_paused).map(|(one, (at, _))| (*one, *at)).collect();
        let first = usize::try_from(world.below(open.len().max(1) as u64)).expect("few partitions");
        for (partition, from) in open.iter().cycle().skip(first).take(open.len()) {
            let log = state.log(&self.topic, *partition)?;
            if let Some(entry) = log.visible(self.isolation, *from).next() {
                view.positions.insert(*partition, (entry.offset + 1, false));
                return Some(Polled::Record(incoming(entry)));
            }
        }
        None
    }
}

impl Drop for SimulatedMember {
    fn drop(&mut self) {
        if !std::thread::panicking() && !matches!(self.access.process.health(), Health::Dead(_)) {
            let now = self.access.process.world().nanos();
            if let Some(member) = self.view().member {
                self.access.broker.lock().group.leave(member, now);
            }
        }
    }
}

impl GroupMember for SimulatedMember {
    fn poll(&self, wait: Duration) -> Polled {
        if let Some(polled) = self.look() {
            if self.access.process.world().below(16) == 0 {
                self.access.process.sleep(WAIT_MIN);
            }
            return polled;
        }
        self.access.process.sleep(wait.max(WAIT_MIN));
        self.look().unwrap_or(Polled::Nothing)
    }

    fn explain(&self, reason: String) -> String {
        reason
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn change(&self) -> Option<Change> {
        self.view().changes.pop_front()
    }

    fn has_change(&self) -> bool {
        !self.view().changes.is_empty()
    }

    fn group(&self) -> Result<Option<GroupToken>, Failure> {
        let mut view = self.view();
        if view.member.is_none() {
            return Ok(None);
        }
        if !self.hear(&mut view, &mut self.access.broker.lock()) {
            let what = "put offsets into the transaction".to_owned();
            return Err(Failure::Stale { what, reason: "the group has gone on without this process".to_owned() });
        }
        Ok(Some(token(Generation { member: view.member, generation: view.generation })))
    }

    fn commit_outside(&self, offsets: &[(i32, i64)]) -> Result<(), Failure> {
        self.access.process.sleep(WAIT_MIN);
        let group = {
            let view = self.view();
            Generation { member: view.member, generation: view.generation }
        };
        let mut state = self.access.broker.lock();
        if !state.group.admits(group) {
            return Err(refused("commit offsets", "the group has gone on"));
        }
        state.group.offsets.extend(offsets.iter().copied());
        Ok(())
    }

    fn end_of(&self, partition: i32) -> Option<i64> {
        let mut state = self.access.broker.lock();
        state.log(&self.topic, partition).map(|log| log.marks(Isolation::Committed).1)
    }

    fn low_watermark(&self, partition: i32, _: Duration) -> Result<i64, Failure> {
        self.access.process.sleep(WAIT_MIN);
        let mut state = self.access.broker.lock();
        let log = state.log(&self.topic, partition);
        log.map(|log| log.marks(Isolation::Committed).0).ok_or_else(|| refused("ask for the first offset", "none"))
    }

    fn seek(&self, partition: i32, offset: i64) -> Result<bool, Failure> {
        self.access.process.sleep(WAIT_MIN);
        // The reader of a partition may not be there yet.
        if self.access.process.world().below(4) == 0 {
            return Ok(false);
        }
        let mut view = self.view();
        let Some(position) = view.positions.get_mut(&partition) else { return Ok(false) };
        position.0 = offset;
        Ok(true)
    }

    fn resume(&self, partition: i32) -> Result<(), Failure> {
        let mut view = self.view();
        let unknown = || refused("resume a partition", "it is not this member's");
        view.positions.get_mut(&partition).map(|position| position.1 = false).ok_or_else(unknown)
    }

    fn pause(&self, partitions: &[i32]) -> Result<(), Failure> {
        let mut view = self.view();
        for partition in partitions {
            let unknown = || refused("pause a partition", "it is not this member's");
            view.positions.get_mut(partition).map(|position| position.1 = true).ok_or_else(unknown)?;
        }
        Ok(())
    }
}
