//! Shards come into being on a thread of their own: whatever they wait for, the others go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use tracing::info;

use crate::adapters::kafka::errand::Errand;
use crate::adapters::kafka::port::Cluster;
use crate::adapters::kafka::reader::Reader;
use crate::adapters::kafka::{Failure, KafkaSettings, Topics};
use crate::adapters::{failpoint, runtime};
use crate::engine::plan::Settings;
use crate::rules::program::RuleSet;

use super::restore::{Halt, noted_stats_seq, restore};
use super::shard::Restored;

/// So often what a shard left behind is looked at while it does not fit together, with this long in between.
const LOOKS_MAX: u32 = 5;
const RECHECK_DELAY: Duration = Duration::from_secs(1);
/// How soon a restoration that nobody waits for any more notices that.
const LISTEN_EVERY: Duration = Duration::from_millis(20);

/// What was found of shards.
pub(super) struct Found {
    pub(super) restored: Vec<Restored>,
    /// What must not be decided.
    pub(super) halts: Vec<(i32, Halt)>,
    /// How many partitions the operations have.
    pub(super) partitions: i32,
    /// How many records of states were read.
    pub(super) records: u64,
}

/// A restoration that is under way.
pub(super) struct Restoration {
    /// The shards, each with the number of the assignment that gave it to this process.
    pub(super) shards: BTreeMap<i32, u64>,
    pub(super) begun: Instant,
    found: Receiver<Result<Found, Failure>>,
    is_over: Arc<AtomicBool>,
}

/// What a restoration reads with.
pub(super) struct Means {
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) kafka: KafkaSettings,
    pub(super) rules: Arc<RuleSet>,
    pub(super) engine: Settings,
}

impl Restoration {
    /// Begins to read what shards left behind.
    ///
    /// # Errors
    /// A thread cannot be made.
    pub(super) fn begin(shards: BTreeMap<i32, u64>, means: Means) -> Result<Self, Failure> {
        let (tell, found) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let (missing, told) = (shards.keys().copied().collect(), Arc::clone(&is_over));
        let errand = Errand::begin();
        let run = move || {
            let _errand = errand;
            let look = Look { means, is_over: told, missing, tell };
            if let Err(failure) = look.run() {
                // Who began it may wait for it no more.
                drop(look.tell.send(Err(failure)));
            }
        };
        let thread = runtime::spawn("restore", run);
        thread.map_err(|error| Failure::Kafka {
            what: "make a thread".to_owned(),
            reason: error.to_string(),
            is_fenced: false,
            is_unknown: false,
        })?;
        Ok(Self { shards, begun: runtime::now(), found, is_over })
    }

    /// Returns what was found since the last question; `None` when nothing more will come.
    pub(super) fn found(&self) -> Option<Result<Vec<Found>, Failure>> {
        let mut all = Vec::new();
        loop {
            match self.found.try_recv() {
                Ok(Ok(found)) => all.push(found),
                Ok(Err(failure)) => return Some(Err(failure)),
                Err(TryRecvError::Disconnected) if all.is_empty() => return None,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Some(Ok(all)),
            }
        }
    }
}

impl Drop for Restoration {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

struct Look {
    means: Means,
    is_over: Arc<AtomicBool>,
    missing: Vec<i32>,
    tell: Sender<Result<Found, Failure>>,
}

impl Look {
    fn run(&self) -> Result<(), Failure> {
        failpoint::reached("restore");
        let reader = Reader::new(&*self.means.cluster, &self.means.kafka)?;
        let partitions = reader.partitions(&self.means.kafka.topics.operations)?;
        self.look(&reader, partitions)
    }

    /// Sees to it that every topic has the partitions of these shards.
    fn check_topics(&self, reader: &Reader<'_>, found: &Found) -> Result<(), Failure> {
        let Some(last) = found.restored.iter().map(|restored| restored.number).max() else { return Ok(()) };
        let Topics { operations, decisions, rejected, state } = &self.means.kafka.topics;
        for topic in [decisions, rejected, state] {
            let there = reader.partitions(topic)?;
            if there <= last {
                return Err(Failure::Kafka {
                    what: format!("use the topic {topic}"),
                    reason: format!("it has {there} partitions, and {operations} has {}", found.partitions),
                    is_fenced: false,
                    is_unknown: false,
                });
            }
        }
        Ok(())
    }

    /// Reads shards, and halts those of which what they left behind does not fit together. That is believed when
    /// it is seen twice alike: a process that wakes in the middle of a reading may see half of what the present
    /// owner of the shard has done meanwhile, and only then learns that it has one.
    fn look(&self, reader: &Reader<'_>, partitions: i32) -> Result<(), Failure> {
        let mut doubts: BTreeMap<i32, Halt> = BTreeMap::new();
        let mut open = self.missing.clone();
        for _ in 0..LOOKS_MAX {
            let left = reader.read(&open, noted_stats_seq)?;
            failpoint::reached("restore-read");
            let mut found = Found { restored: Vec::new(), halts: Vec::new(), partitions, records: 0 };
            for (number, left) in &left {
                found.records += left.state.records_read();
                match restore(*number, left, (&self.means.rules, self.means.engine), partitions) {
                    Ok(restored) => {
                        doubts.remove(number);
                        found.restored.push(restored);
                    }
                    Err(halt) if doubts.get(number) == Some(&halt) => {
                        doubts.remove(number);
                        found.halts.push((*number, halt));
                    }
                    Err(halt) => {
                        info!(shard = number, reason = %halt, "what the shard left behind does not fit together yet");
                        doubts.insert(*number, halt);
                    }
                }
            }
            self.check_topics(reader, &found)?;
            // Those that are whole need not wait for the others.
            drop(self.tell.send(Ok(found)));
            open = doubts.keys().copied().collect();
            if open.is_empty() || self.is_over_within(RECHECK_DELAY) {
                return Ok(());
            }
        }
        Err(Failure::Silent { what: "read shards that stand still".to_owned(), waited: LOOKS_MAX * RECHECK_DELAY })
    }

    fn is_over_within(&self, wait: Duration) -> bool {
        let until = runtime::now() + wait;
        while runtime::now() < until && !self.is_over.load(Ordering::Relaxed) {
            runtime::sleep(LISTEN_EVERY);
        }
        self.is_over.load(Ordering::Relaxed)
    }
}
