//! The coordinator of the group in memory: members, generations, cooperative rebalances, offsets.
//!
//! As Kafka does it, a partition is given to another member only when the one that had it has let it go, or is not in
//! the group any more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kuzet::adapters::kafka::port::Change;

use super::turns::{Health, Process};

/// A member learns of a rebalance by its next heartbeat, within so many nanoseconds.
pub(crate) const HEARTBEAT: u64 = 300_000_000;

/// A member as it named itself in a generation; of nobody it has no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) member: Option<u64>,
    pub(crate) generation: i32,
}

pub(crate) struct Membership {
    process: Process,
    client: String,
    /// What it has, and has not said that it let go.
    claims: BTreeSet<i32>,
    /// What it has not heard of yet.
    pub(crate) events: VecDeque<Change>,
    pub(crate) generation: i32,
    rejoins_at: u64,
}

pub(crate) struct Group {
    partitions: i32,
    session: u64,
    generation: i32,
    pub(crate) members: BTreeMap<u64, Membership>,
    joined: u64,
    is_rebalancing: bool,
    /// Members let partitions go by the next rebalance that they could keep.
    moves: bool,
    pub(crate) offsets: BTreeMap<i32, i64>,
    /// Offsets of transactions that have not ended, each with its place in the order in which they came.
    pub(crate) pending: BTreeMap<u64, BTreeMap<i32, (u64, i64)>>,
    /// How many came, and the place of the offset that counts.
    came: u64,
    places: BTreeMap<i32, u64>,
}

impl Group {
    pub(crate) fn new(partitions: i32, session: u64) -> Self {
        Self {
            partitions,
            session,
            generation: 0,
            members: BTreeMap::new(),
            joined: 0,
            is_rebalancing: false,
            moves: false,
            offsets: BTreeMap::new(),
            pending: BTreeMap::new(),
            came: 0,
            places: BTreeMap::new(),
        }
    }

    pub(crate) fn clients(&self) -> Vec<String> {
        self.members.values().map(|member| member.client.clone()).collect()
    }

    /// Takes a member in; returns its number.
    pub(crate) fn join(&mut self, process: &Process, client: &str, now: u64) -> u64 {
        self.joined += 1;
        let membership = Membership {
            process: process.clone(),
            client: client.to_owned(),
            claims: BTreeSet::new(),
            events: VecDeque::new(),
            // It has none before it has joined.
            generation: -2,
            rejoins_at: now,
        };
        self.members.insert(self.joined, membership);
        self.rebalance(now);
        self.joined
    }

    pub(crate) fn leave(&mut self, member: u64, now: u64) {
        if self.members.remove(&member).is_some() {
            self.rebalance(now);
        }
    }

    /// A member has let partitions go.
    pub(crate) fn let_go(&mut self, member: u64, partitions: &[i32], now: u64) {
        if let Some(membership) = self.members.get_mut(&member) {
            membership.claims.retain(|claim| !partitions.contains(claim));
            self.rebalance(now);
        }
    }

    /// Lets all members join again.
    pub(crate) fn rebalance(&mut self, now: u64) {
        self.is_rebalancing = true;
        for membership in self.members.values_mut() {
            let world = membership.process.world().clone();
            membership.rejoins_at = now + world.below(HEARTBEAT);
        }
    }

    /// Lets all members join again, and some of them let go of something.
    pub(crate) fn shuffle(&mut self, now: u64) {
        self.moves = true;
        self.rebalance(now);
    }

    /// Takes offsets of a transaction that has not ended.
    pub(crate) fn hold(&mut self, transaction: u64, offsets: &[(i32, i64)]) {
        self.came += 1;
        let held = offsets.iter().map(|(partition, offset)| (*partition, (self.came, *offset)));
        self.pending.entry(transaction).or_default().extend(held);
    }

    /// A transaction has ended. Its offsets count unless later ones do already, whose marker came first.
    pub(crate) fn end(&mut self, transaction: u64, is_commit: bool) {
        let held = self.pending.remove(&transaction).unwrap_or_default();
        for (partition, (place, offset)) in held.into_iter().filter(|_| is_commit) {
            if self.places.get(&partition).is_none_or(|last| *last < place) {
                self.places.insert(partition, place);
                self.offsets.insert(partition, offset);
            }
        }
    }

    /// Tells how it stands, for a run that goes on no more.
    pub(crate) fn describe(&self) -> String {
        let member = |(number, found): (&u64, &Membership)| {
            let (health, claims, events) = (found.process.health(), &found.claims, &found.events);
            format!("{number} {} {health:?} {claims:?} {events:?}", found.client)
        };
        let members: Vec<String> = self.members.iter().map(member).collect();
        let (generation, is_rebalancing) = (self.generation, self.is_rebalancing);
        format!("{generation} {is_rebalancing} {members:?} {:?} {:?}", self.offsets, self.pending)
    }

    /// Tells whether offsets of this generation are taken; those without one are taken from anybody.
    pub(crate) fn admits(&self, group: Generation) -> bool {
        match group.member {
            None => true,
            Some(member) => {
                group.generation == self.generation
                    && self.members.get(&member).is_some_and(|found| found.generation == group.generation)
            }
        }
    }

    /// Throws out whoever was silent for longer than the session, and ends a rebalance in which all have joined.
    pub(crate) fn tick(&mut self, now: u64, back_at: u64) {
        let is_silent = |membership: &Membership| match membership.process.health() {
            Health::Running => false,
            Health::Halted(since) | Health::Dead(since) => now.saturating_sub(since.max(back_at)) > self.session,
        };
        let silent: Vec<u64> =
            self.members.iter().filter(|(_, found)| is_silent(found)).map(|(member, _)| *member).collect();
        silent.into_iter().for_each(|member| self.leave(member, now));
        let has_joined = |found: &Membership| {
            found.process.health() == Health::Running && found.events.is_empty() && found.rejoins_at <= now
        };
        if self.is_rebalancing && !self.members.is_empty() && self.members.values().all(has_joined) {
            self.assign();
        }
    }

    fn assign(&mut self) {
        self.is_rebalancing = false;
        self.generation += 1;
        let count = i32::try_from(self.members.len()).unwrap_or(i32::MAX);
        let (least, more) = (self.partitions / count, self.partitions % count);
        let claimed: BTreeSet<i32> = self.members.values().flat_map(|found| found.claims.clone()).collect();
        let mut free: Vec<i32> = (0..self.partitions).rev().filter(|one| !claimed.contains(one)).collect();
        // Those with most keep one more.
        let mut order: Vec<u64> = self.members.keys().copied().collect();
        let chance = |member: &u64| self.members[member].process.world().below(8);
        order.sort_by_cached_key(|member| (std::cmp::Reverse(self.members[member].claims.len()), chance(member)));
        let moves = std::mem::take(&mut self.moves);
        for (place, member) in (0_i32..).zip(order) {
            let room = usize::try_from(least + i32::from(place < more)).expect("no negative number");
            let Some(found) = self.members.get_mut(&member) else { continue };
            found.generation = self.generation;
            let is_moved = moves && chance_of(&found.process, 2);
            let kept = if is_moved { room.min(found.claims.len()).saturating_sub(1) } else { room };
            let surplus: Vec<i32> = found.claims.iter().copied().skip(kept).collect();
            let added: Vec<i32> = (found.claims.len()..room).map_while(|_| free.pop()).collect();
            found.claims.extend(&added);
            if !surplus.is_empty() {
                found.events.push_back(Change::Revoked(surplus));
            }
            if !added.is_empty() {
                found.events.push_back(Change::Assigned(added));
            }
        }
    }
}

/// Happens once in so many times.
fn chance_of(process: &Process, times: u64) -> bool {
    process.world().below(times) == 0
}
