//! Shards come into being: what they left behind is read, looked at twice where it does not fit, and counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info};

use super::super::restore::{Halt, noted_stats_seq, restore};
use super::super::shard::{Restored, Shard};
use super::FleetWorker;
use crate::adapters::failpoint;
use crate::adapters::kafka::consumer::Polled;
use crate::adapters::kafka::reader::Reader;
use crate::adapters::kafka::{Failure, Topics};
use crate::operation::partition::Home;
use crate::pipeline::Limits;

/// So often what a shard left behind is looked at while it does not fit together, with this long in between.
const LOOKS_MAX: u32 = 5;
const RECHECK_DELAY: Duration = Duration::from_secs(1);

impl FleetWorker {
    /// Restores these shards.
    pub(super) fn restore(&mut self, missing: &[i32]) -> Result<(), Failure> {
        let begun = Instant::now();
        self.outlets.trouble.send_replace(Some(format!("{} shards are being restored", missing.len())));
        failpoint::reached("restore");
        let kafka = self.settings.kafka.clone();
        let reader = Reader::new(&kafka)?;
        self.partitions = reader.partitions(&kafka.topics.operations)?;
        self.halt_grown();
        let Some((all, records)) = self.look(&reader, missing)? else {
            debug!("partitions changed hands while shards were being restored");
            return Ok(());
        };
        self.check_topics(&reader, &all)?;
        let mut wallets = 0;
        let tokens = all.iter().map(|restored| (restored.meta.shared_token.as_deref(), restored.meta.batch));
        let (shared, is_new) = self.ledger.store_for(tokens);
        if is_new {
            self.shards.values_mut().for_each(|shard| shard.use_store(shared.clone()));
        }
        for mut restored in all {
            let partitions = self.partitions;
            let home = Home { partition: restored.number, partitions, partitioner: self.settings.partitioner };
            let limits = Limits { future_skew_max: self.settings.future_skew_max, home: Some(home) };
            let owed = std::mem::take(&mut restored.owed);
            let parts = (shared.clone(), Arc::clone(&self.geo));
            let shard = Shard::new(restored, parts, limits, self.settings.journal_bytes_min);
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
            self.shards.insert(shard.number, shard);
        }
        let took = begun.elapsed();
        self.outlets.observer.recovered(took);
        info!(shards = ?missing, state_records = records, wallets, took = ?took, "shards were restored");
        self.show_book();
        failpoint::reached("restored");
        Ok(())
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

    /// Sees to it that every topic has the partitions of these shards.
    fn check_topics(&self, reader: &Reader<'_>, restored: &[Restored]) -> Result<(), Failure> {
        let Some(last) = restored.iter().map(|restored| restored.number).max() else { return Ok(()) };
        let Topics { operations, decisions, rejected, state } = &self.settings.kafka.topics;
        for topic in [decisions, rejected, state] {
            let found = reader.partitions(topic)?;
            if found <= last {
                return Err(Failure::Kafka {
                    what: format!("use the topic {topic}"),
                    reason: format!("it has {found} partitions, and {operations} has {}", self.partitions),
                    is_fenced: false,
                    is_unknown: false,
                });
            }
        }
        Ok(())
    }

    /// Reads shards, and halts those of which what they left behind does not fit together. That is believed when
    /// it is seen twice alike: a process that wakes in the middle of a reading may see half of what the present
    /// owner of the shard has done meanwhile, and only then learns that it has one. Returns the shards with the
    /// number of records read, or nothing when partitions changed hands meanwhile.
    fn look(&mut self, reader: &Reader<'_>, missing: &[i32]) -> Result<Option<(Vec<Restored>, u64)>, Failure> {
        let (mut all, mut records) = (Vec::with_capacity(missing.len()), 0);
        let mut doubts: BTreeMap<i32, Halt> = BTreeMap::new();
        let mut open = missing.to_vec();
        for _ in 0..LOOKS_MAX {
            let left = reader.read(&open, noted_stats_seq)?;
            failpoint::reached("restore-read");
            for (number, left) in &left {
                records += left.state.records_read();
                match restore(*number, left, (&self.rules, self.settings.engine), self.partitions) {
                    Ok(restored) => {
                        doubts.remove(number);
                        all.push(restored);
                    }
                    Err(halt) if doubts.get(number) == Some(&halt) => {
                        doubts.remove(number);
                        self.halt(*number, halt);
                    }
                    Err(halt) => {
                        info!(shard = number, reason = %halt, "what the shard left behind does not fit together yet");
                        doubts.insert(*number, halt);
                    }
                }
            }
            if doubts.is_empty() {
                return Ok(Some((all, records)));
            }
            open = doubts.keys().copied().collect();
            if self.has_change_within(RECHECK_DELAY) {
                return Ok(None);
            }
        }
        Err(Failure::Silent { what: "read shards that stand still".to_owned(), waited: LOOKS_MAX * RECHECK_DELAY })
    }

    /// Lets the group tell within this time whether partitions change hands.
    fn has_change_within(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.member.has_change() {
            if let Polled::Record(record) = self.member.poll(Duration::from_millis(20)) {
                self.take(record);
            }
        }
        self.member.has_change()
    }
}
