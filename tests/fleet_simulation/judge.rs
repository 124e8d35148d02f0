//! The judge of a run: what a reader of committed records sees, held against an engine of its own for each partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kuzet::adapters::kafka::port::StoredRecord as _;
use kuzet::adapters::memory::BlocksOnly;
use kuzet::engine::Engine;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::engine::stored::{LayoutMigration, StateLayout};
use kuzet::geo::Geo;
use kuzet::operation::partition::{Home, Partitioner};
use kuzet::pipeline::{Answer, Limits, Pipeline, Record};
use kuzet::rules::program::RuleSet;

use super::{DECISIONS, OPERATIONS, REJECTED};
use crate::simulation::broker::{Broker, arrival};
use crate::simulation::log::Entry;

/// What is wrong with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An operation has no visible decision.
    Lost,
    /// An operation has more than one.
    Doubled,
    /// A decision is not the one that was expected, byte for byte, or stands at another place.
    Different,
    /// Numbers of decisions are not 1, 2, 3, …
    Sequence,
    /// The numbers belong to more than one history.
    History,
    /// Refused records are not those expected, each once.
    Rejected,
    /// A shard is halted although nobody tampered with it.
    Halted,
    /// Nothing is decided any more.
    Stuck,
    /// A thread ended by a fault.
    Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

pub(crate) fn finding(kind: Kind, text: impl Into<String>) -> Finding {
    Finding { kind, text: text.into() }
}

/// What one partition should hold.
struct Expected {
    decisions: Vec<Vec<u8>>,
    rejected: usize,
}

fn id_of(bytes: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    value["op_id"].as_str().unwrap_or_default().to_owned()
}

fn text_of(entry: &Entry, header: &str) -> String {
    String::from_utf8_lossy(entry.header(header).unwrap_or_default()).into_owned()
}

/// Decides a partition's operations one by one. Which of the rule sets decided an operation is told by the decisions
/// themselves: the sets change between two operations.
fn expected(partition: i32, partitions: i32, operations: &[Entry], found: &[Entry], sets: &[Arc<RuleSet>]) -> Expected {
    let home = Home { partition, partitions, partitioner: Partitioner::Murmur2 };
    let limits = Limits { home: Some(home), ..Limits::default() };
    let plan = |set: &Arc<RuleSet>| Arc::new(Plan::new(Arc::clone(set), Settings::default()));
    let engine = Engine::new(plan(&sets[0]));
    let mut pipeline = Pipeline { engine, geo: Geo::new(None, None), store: BlocksOnly::default(), limits };
    let mut expected = Expected { decisions: Vec::new(), rejected: 0 };
    for entry in operations {
        let named = found.get(expected.decisions.len()).map(|entry| text_of(entry, "kuzet-ruleset"));
        if let Some(set) = sets.iter().find(|set| named.as_deref() == Some(&*set.hash))
            && *pipeline.engine.plan().ruleset != *set.hash
        {
            let (before, after) = (StateLayout::of(pipeline.engine.plan()), plan(set));
            let way = LayoutMigration::between(&before, &StateLayout::of(&after));
            pipeline.engine.switch(after, &way);
        }
        let bytes = entry.value.as_deref().unwrap_or_default();
        let record = Record { bytes, arrived_at: Some(arrival(entry.at)) };
        for answer in pipeline.process(&[record]).expect("a store in memory takes every change").answers {
            match answer {
                Answer::Decided(decision) => {
                    let mut value = Vec::new();
                    decision.encode(&mut value);
                    expected.decisions.push(value);
                }
                Answer::Rejected(_) => expected.rejected += 1,
                Answer::Duplicate { .. } => {}
            }
        }
    }
    expected
}

fn compare(partition: i32, found: &[Entry], expected: &[Vec<u8>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for entry in found {
        *counts.entry(id_of(entry.value.as_deref().unwrap_or_default())).or_default() += 1;
    }
    for (id, count) in &counts {
        if *count > 1 {
            findings.push(finding(Kind::Doubled, format!("operation {id} of partition {partition}, {count} times")));
        }
    }
    let lost = expected.iter().map(|bytes| id_of(bytes)).filter(|id| !counts.contains_key(id));
    findings.extend(lost.map(|id| finding(Kind::Lost, format!("operation {id} of partition {partition}"))));
    let different = found.iter().zip(expected).find(|(found, expected)| found.value.as_ref() != Some(*expected));
    if let Some((found, expected)) = different {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let both = (text(found.value.as_deref().unwrap_or_default()), text(expected));
        let what = format!("partition {partition}\n  found    {}\n  expected {}", both.0, both.1);
        findings.push(finding(Kind::Different, what));
    }
    for (seq, entry) in (1_u64..).zip(found) {
        let is = text_of(entry, "kuzet-seq");
        if is != seq.to_string() {
            findings.push(finding(Kind::Sequence, format!("decision {seq} of partition {partition} bears {is}")));
            break;
        }
    }
    findings
}

/// Judges a run; nothing when everything was decided once and as it should be.
pub(crate) fn judge(broker: &Broker, partitions: i32, sets: &[Arc<RuleSet>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for partition in 0..partitions {
        let operations = broker.visible(OPERATIONS, partition);
        let (found, rejected) = (broker.visible(DECISIONS, partition), broker.visible(REJECTED, partition));
        let expected = expected(partition, partitions, &operations, &found, sets);
        findings.extend(compare(partition, &found, &expected.decisions));
        let histories: BTreeSet<String> = found.iter().map(|entry| text_of(entry, "kuzet-epoch")).collect();
        if histories.len() > 1 {
            findings.push(finding(Kind::History, format!("partition {partition} has {histories:?}")));
        }
        let values: BTreeSet<Option<&Vec<u8>>> = rejected.iter().map(|entry| entry.value.as_ref()).collect();
        if (rejected.len(), values.len()) != (expected.rejected, expected.rejected) {
            let (found, distinct) = (rejected.len(), values.len());
            let text = format!("partition {partition}: {found}, {distinct} distinct, expected {}", expected.rejected);
            findings.push(finding(Kind::Rejected, text));
        }
    }
    findings
}
