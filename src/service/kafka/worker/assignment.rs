//! Which shards this process has: partitions come and go, what they left behind is read, their records start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, error, info, warn};

use super::super::restoration::{Found, Means, Restoration};
use super::super::restore::Halt;
use super::super::shard::{Restored, Shard};
use super::{BACKOFF_MAX, BACKOFF_MIN, FleetWorker, Pacing, START_PATIENCE, Session};
use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::kafka::Failure;
use crate::adapters::kafka::port::Change;
use crate::adapters::{failpoint, runtime};
use crate::operation::partition::Home;
use crate::pipeline::Limits;

/// What this process has of the operations.
#[derive(Default)]
pub(super) struct Assignment {
    /// Partitions that the group gave this process, each with the number of that gift.
    pub(super) partitions: BTreeMap<i32, u64>,
    gifts: u64,
    pub(super) restorations: Vec<Restoration>,
    /// When what failed is tried again, and how long the next pause is.
    pacing: Pacing,
    /// Shards that are marked as this process's own; before that they do not start.
    pub(super) marked: BTreeSet<i32>,
    /// Since when records of a shard do not start.
    starting: BTreeMap<i32, Instant>,
    /// Shards whose records come.
    pub(super) started: BTreeSet<i32>,
    /// Shards that must not decide, and why.
    pub(super) halted: BTreeMap<i32, Halt>,
    /// Why shards could not be restored.
    pub(super) trouble: Option<String>,
}

impl Assignment {
    /// Forgets what was made of the partitions; they stay this process's.
    pub(super) fn clear(&mut self) {
        self.restorations.clear();
        self.marked.clear();
        self.starting.clear();
        self.started.clear();
    }

    fn forget(&mut self, partition: i32) {
        self.marked.remove(&partition);
        self.starting.remove(&partition);
        self.started.remove(&partition);
    }
}

impl FleetWorker {
    /// Takes in what the group says of partitions, and lets go of those that are another's now.
    pub(super) fn drop_revoked(&mut self) {
        let mut is_changed = false;
        while let Some(change) = self.member.change() {
            match change {
                Change::Assigned(partitions) => {
                    info!(?partitions, "partitions were assigned");
                    for partition in partitions {
                        self.mine.gifts += 1;
                        self.mine.partitions.insert(partition, self.mine.gifts);
                    }
                }
                Change::Revoked(partitions) => {
                    info!(?partitions, "partitions were revoked");
                    for partition in partitions {
                        self.mine.partitions.remove(&partition);
                        self.mine.halted.remove(&partition);
                        is_changed |= self.let_go(partition, FleetMutant::ShardKept.is_made());
                    }
                }
            }
        }
        if is_changed {
            let shards = &self.shards;
            self.ledger.keep(|shard| shards.contains_key(&shard));
            self.show_book();
        }
    }

    /// Drops what there is of a shard; what is on its way to Kafka stays there. Tells whether there was one.
    fn let_go(&mut self, partition: i32, is_kept: bool) -> bool {
        self.mine.forget(partition);
        self.flow.let_go(partition);
        !is_kept && self.shards.remove(&partition).is_some()
    }

    /// Brings session, shards and their records into being where they are missing. None of it is waited for.
    pub(super) fn prepare(&mut self) -> Result<(), Failure> {
        self.drop_revoked();
        match self.session {
            Session::Ready => {}
            Session::None if !self.committer.is_busy() => {
                self.committer.begin_session();
                self.session = Session::Begun;
                return Ok(());
            }
            Session::None | Session::Begun => return Ok(()),
        }
        self.begin_restorations()?;
        self.take_restored()?;
        self.start_records()
    }

    fn begin_restorations(&mut self) -> Result<(), Failure> {
        if self.mine.pacing.is_waiting() {
            return Ok(());
        }
        let under_way = |shard: &i32| self.mine.restorations.iter().any(|one| one.shards.contains_key(shard));
        let is_missing = |shard: &i32| {
            !(self.shards.contains_key(shard) || self.mine.halted.contains_key(shard) || under_way(shard))
        };
        let missing: BTreeMap<i32, u64> =
            self.mine.partitions.iter().filter(|(shard, _)| is_missing(shard)).map(|(s, gift)| (*s, *gift)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let (cluster, kafka) = (Arc::clone(&self.settings.cluster), self.settings.kafka.clone());
        let (rules, engine) = (Arc::clone(&self.rules), self.settings.engine);
        let restoration = Restoration::begin(missing, Means { cluster, kafka, rules, engine })?;
        self.mine.restorations.push(restoration);
        Ok(())
    }

    /// Takes over what restorations have found.
    fn take_restored(&mut self) -> Result<(), Failure> {
        let mut going = Vec::new();
        for restoration in std::mem::take(&mut self.mine.restorations) {
            match restoration.found() {
                None => {}
                Some(Ok(all)) => {
                    for found in all {
                        self.mine.pacing = Pacing::default();
                        self.mine.trouble = None;
                        self.take_found(&restoration, found);
                    }
                    going.push(restoration);
                }
                Some(Err(failure @ Failure::Setting { .. })) => return Err(failure),
                Some(Err(failure)) => {
                    let shards = &restoration.shards;
                    warn!(error = %failure, ?shards, "what shards left behind could not be read; it is tried again");
                    self.mine.trouble = Some(self.member.explain(format!("Kafka: {failure}")));
                    self.mine.pacing.pause(BACKOFF_MIN, BACKOFF_MAX);
                }
            }
        }
        self.mine.restorations.extend(going);
        Ok(())
    }

    fn take_found(&mut self, restoration: &Restoration, found: Found) {
        let Found { restored, halts, partitions, records } = found;
        self.partitions = partitions;
        self.halt_grown();
        // What was read before a partition went and came back is old.
        let is_current = |shard: i32| {
            let now = self.mine.partitions.get(&shard);
            let is_same = restoration.shards.get(&shard).is_some_and(|gift| now == Some(gift));
            is_same || (FleetMutant::OldRestoration.is_made() && now.is_some())
        };
        let halts: Vec<(i32, Halt)> = halts.into_iter().filter(|(shard, _)| is_current(*shard)).collect();
        let restored: Vec<Restored> = restored.into_iter().filter(|found| is_current(found.number)).collect();
        for (shard, halt) in halts {
            self.halt(shard, halt);
        }
        if restored.is_empty() {
            debug!("nothing that was restored is this process's");
            return;
        }
        let shards: Vec<i32> = restored.iter().map(|restored| restored.number).collect();
        let wallets = self.take_shards(restored);
        let took = runtime::elapsed(restoration.begun);
        self.outlets.observer.recovered(took);
        info!(?shards, state_records = records, wallets, took = ?took, "shards were restored");
        self.show_book();
        failpoint::reached("restored");
    }

    /// Makes shards of what was read; returns how many wallets they have.
    fn take_shards(&mut self, all: Vec<Restored>) -> usize {
        let mut wallets = 0;
        let tokens = all.iter().map(|restored| (restored.meta.shared_token.as_deref(), restored.meta.batch));
        let (shared, is_new) = self.ledger.store_for(tokens);
        if is_new {
            self.shards.values_mut().for_each(|shard| shard.use_store(shared.clone()));
            // The new one knows nothing yet.
            self.shards.values().for_each(|shard| self.ledger.learn_blocks(shard));
        }
        for mut restored in all {
            let partitions = self.partitions;
            let home = Home { partition: restored.number, partitions, partitioner: self.settings.partitioner };
            let limits = Limits { future_skew_max: self.settings.future_skew_max, home: Some(home) };
            let owed = std::mem::take(&mut restored.owed);
            let parts = (shared.clone(), Arc::clone(&self.geo));
            let gift = self.mine.partitions.get(&restored.number).copied().unwrap_or(0);
            let owner = (self.settings.kafka.owner(), gift);
            let mut shard = Shard::new(restored, parts, owner, limits, self.settings.journal_bytes_min);
            // They may have been read by rules that are not in force any more.
            if *shard.pipeline.engine.plan().ruleset != *self.rules.hash {
                shard.switch(&self.rules, self.settings.engine);
            }
            wallets += shard.pipeline.engine.wallets().len();
            self.ledger.keep(|number| number != shard.number);
            self.ledger.learn_blocks(&shard);
            // Gateways may have missed what the last batches placed and lifted.
            let mut shown = if owed.is_empty() { Vec::new() } else { shard.shown() };
            shown.extend(shard.lifted());
            for (batch, changes) in owed {
                self.ledger.add((shard.number, batch), shard.pipeline.engine.plan(), &changes, Vec::new());
            }
            let position = (shard.number, shard.position.batch);
            self.ledger.add(position, shard.pipeline.engine.plan(), &[], shown);
            self.flow.marks.push(shard.mark());
            self.shards.insert(shard.number, shard);
        }
        wallets
    }

    /// Lets records come of shards that do not have any yet.
    fn start_records(&mut self) -> Result<(), Failure> {
        let waiting: Vec<(i32, i64)> = self
            .shards
            .values()
            .filter(|shard| {
                let number = &shard.number;
                let is_due = self.mine.marked.contains(number) && !self.mine.started.contains(number);
                is_due && self.mine.partitions.contains_key(number)
            })
            .map(|shard| (shard.number, shard.next_offset))
            .collect();
        for (shard, offset) in waiting {
            let since = *self.mine.starting.entry(shard).or_insert_with(runtime::now);
            if self.member.try_start(shard, offset)? {
                self.mine.starting.remove(&shard);
                self.mine.started.insert(shard);
                failpoint::reached("started");
            } else if runtime::elapsed(since) > START_PATIENCE {
                return Err(Failure::Silent { what: format!("start partition {shard}"), waited: START_PATIENCE });
            }
        }
        Ok(())
    }

    /// Tells whether something is on its way that only time brings.
    pub(super) fn is_preparing(&self) -> bool {
        let is_whole = self.mine.started.len() + self.mine.halted.len() >= self.mine.partitions.len();
        self.session != Session::Ready || !is_whole
    }

    pub(super) fn halt(&mut self, shard: i32, halt: Halt) {
        error!(shard, reason = %halt, "the shard is halted: nothing of it is decided until a person has looked");
        drop(self.member.pause(&[shard]));
        self.let_go(shard, false);
        self.mine.halted.insert(shard, halt);
    }

    /// Halts shards that run with another number of partitions than the operations have now.
    fn halt_grown(&mut self) {
        let found = self.partitions;
        let grown = self.shards.values().filter(|shard| shard.partitions != found);
        let grown: Vec<(i32, i32)> = grown.map(|shard| (shard.number, shard.partitions)).collect();
        for (shard, stored) in grown {
            self.halt(shard, Halt::Partitions { found, stored });
        }
        let shards = &self.shards;
        self.ledger.keep(|shard| shards.contains_key(&shard));
    }
}
