//! Looks at the shards from outside and changes nothing.

use std::collections::BTreeMap;

use crate::adapters::kafka::port::Cluster;
use crate::adapters::kafka::reader::{Left, Reader};
use crate::adapters::kafka::{Failure, KafkaSettings};

use super::restore::check;

/// A difference may be a batch that was committed between two questions: so often it is looked at again.
const LOOKS: usize = 3;

/// One shard as it stands in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardReport {
    pub shard: i32,
    /// The offset of the next operation, and the end of the operations.
    pub next_offset: i64,
    pub end: i64,
    /// The last visible decision's number.
    pub last_seq: Option<u64>,
    /// Why the shard would be halted, if so.
    pub problem: Option<String>,
}

/// Reads every shard's offsets, numbers and state, and holds them against each other.
///
/// # Errors
/// Kafka does not answer, or a topic is missing.
pub fn verify(cluster: &dyn Cluster, settings: &KafkaSettings) -> Result<Vec<ShardReport>, Failure> {
    let reader = Reader::new(cluster, settings)?;
    let partitions = reader.partitions(&settings.topics.operations)?;
    reader.partitions(&settings.topics.rejected)?;
    let mut reports = BTreeMap::new();
    let mut open: Vec<i32> = (0..partitions).collect();
    for _ in 0..LOOKS {
        if open.is_empty() {
            break;
        }
        for (shard, left) in reader.read(&open, |_| u64::MAX)? {
            reports.insert(shard, report(shard, &left, partitions));
        }
        open.retain(|shard| reports.get(shard).is_none_or(|report| report.problem.is_some()));
    }
    Ok(reports.into_values().collect())
}

fn report(shard: i32, left: &Left, partitions: i32) -> ShardReport {
    let checked = check(left, partitions);
    let end = left.operations.1;
    let stored = left.state.meta().ok().flatten().map(|meta| meta.next_offset);
    let next_offset = checked.as_ref().ok().map(|(_, next)| *next).or(stored).or(left.committed).unwrap_or(0);
    ShardReport {
        shard,
        next_offset,
        end,
        last_seq: left.last_seq,
        problem: checked.err().map(|halt| halt.to_string()),
    }
}
