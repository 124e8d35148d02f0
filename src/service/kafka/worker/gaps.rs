//! Offsets at which there is nothing to decide: markers of transactions, and records that compaction removed.
//! A shard steps over them once nothing else comes: otherwise something would seem to wait for ever, and once
//! retention had removed what lies before them, something would seem to be lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use tracing::debug;

use super::FleetWorker;
use crate::adapters::kafka::errand::Errand;
use crate::adapters::kafka::reader::Reader;
use crate::adapters::runtime;

/// What is known of shards of which something seems to wait.
#[derive(Default)]
pub(super) struct Steps {
    /// Where such shards stood at the last look.
    before: BTreeMap<i32, i64>,
    look: Option<Look>,
}

/// A question on its way.
struct Look {
    shard: i32,
    from: i64,
    answer: Receiver<Option<i64>>,
}

impl FleetWorker {
    /// Looks at shards that stand still although their partitions go on; called about once a second.
    pub(super) fn look_for_steps(&mut self) {
        if let Some(look) = &self.steps.look {
            match look.answer.try_recv() {
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.steps.look = None,
                Ok(end) => {
                    let (shard, from) = (look.shard, look.from);
                    self.steps.look = None;
                    self.step(shard, from, end);
                }
            }
        }
        let is_still = self.flow.is_empty() && !self.committer.is_busy();
        let standing = self.shards.values().filter(|shard| is_still && self.mine.started.contains(&shard.number));
        let standing = standing.filter(|shard| self.member.end_of(shard.number) > Some(shard.next_offset));
        let now: BTreeMap<i32, i64> = standing.map(|shard| (shard.number, shard.next_offset)).collect();
        let before = std::mem::replace(&mut self.steps.before, now);
        let mut both = self.steps.before.iter().filter(|(shard, offset)| before.get(*shard) == Some(*offset));
        if let Some((shard, from)) = both.next() {
            self.steps.look = self.begin_look(*shard, *from);
        }
    }

    fn begin_look(&self, shard: i32, from: i64) -> Option<Look> {
        let (tell, answer) = sync_channel(1);
        let (cluster, kafka) = (Arc::clone(&self.settings.cluster), self.settings.kafka.clone());
        let errand = Errand::begin();
        let ask = move || {
            let _errand = errand;
            let found = Reader::new(&*cluster, &kafka).and_then(|reader| reader.nothing_until(shard, from));
            match found {
                // Whoever asked may have gone.
                Ok(end) => drop(tell.send(end)),
                Err(error) => debug!(%error, shard, "it cannot be told whether something waits; it is asked again"),
            }
        };
        runtime::spawn("look", ask).ok().map(|_| Look { shard, from, answer })
    }

    fn step(&mut self, shard: i32, from: i64, end: Option<i64>) {
        let is_still = self.flow.is_empty() && !self.committer.is_busy();
        let Some(shard) = self.shards.get_mut(&shard).filter(|shard| is_still && shard.next_offset == from) else {
            return;
        };
        if let Some(end) = end {
            debug!(shard = shard.number, from, end, "there is nothing to decide at these offsets");
            shard.next_offset = end;
            self.flow.marks.push(shard.mark());
        }
    }
}
