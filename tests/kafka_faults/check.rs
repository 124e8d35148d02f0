//! The judge of every run: what `kcat`, which is not ours, reads of the topic of decisions as a
//! `read_committed` consumer, held against what engines of their own decide for each partition.

use crate::command::kuzet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::fleet::Topics;
use crate::kcat;

/// What is wrong with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An operation has no visible decision.
    Lost,
    /// An operation has more than one.
    Doubled,
    /// A decision is not the one that was expected, byte for byte.
    Different,
    /// Decisions of a partition are in another order than its operations.
    Disordered,
    /// Numbers of decisions are not 1, 2, 3, …
    Sequence,
    /// `kuzet ledger-check` complains.
    Ledger,
    /// A shard is halted although nobody tampered with it.
    Halted,
    /// A shard goes on although somebody tampered with it.
    NotHalted,
    /// Nothing is decided any more.
    Stuck,
    /// Gateways see what no visible decision says.
    Uncommitted,
}

#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.text)
    }
}

pub(crate) fn finding(kind: Kind, text: impl Into<String>) -> Finding {
    Finding { kind, text: text.into() }
}

pub(crate) type Decisions = BTreeMap<i32, Vec<kcat::Record>>;

pub(crate) fn value(record: &kcat::Record) -> &[u8] {
    record.value.as_deref().unwrap_or_default()
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("decisions are JSON")
}

pub(crate) fn op_id(bytes: &[u8]) -> String {
    json(bytes)["op_id"].as_str().expect("a decision names its operation").to_owned()
}

/// Reads the visible decisions.
pub(crate) fn visible(cluster: &Cluster, topics: &Topics) -> Decisions {
    kcat::read_committed(&cluster.bootstrap(), &topics.name("decisions"))
}

/// Tells whether a decision is the one that was expected.
pub(crate) type IsSame = fn(found: &[u8], expected: &[u8]) -> bool;

/// Judges all decisions of a run; nothing when they are exactly those expected.
pub(crate) fn judge(
    cluster: &Cluster,
    topics: &Topics,
    expected: &BTreeMap<i32, Vec<Vec<u8>>>,
    is_same: IsSame,
) -> Vec<Finding> {
    let found = visible(cluster, topics);
    let mut findings = Vec::new();
    let none = (Vec::new(), Vec::new());
    let partitions: BTreeSet<i32> = found.keys().chain(expected.keys()).copied().collect();
    for partition in partitions {
        let found = found.get(&partition).unwrap_or(&none.0);
        findings.extend(compare(partition, found, expected.get(&partition).unwrap_or(&none.1), is_same));
    }
    findings.extend(numbers(&found));
    findings.extend(ledger(cluster, topics));
    findings
}

/// Holds one partition's decisions against those expected.
fn compare(partition: i32, found: &[kcat::Record], expected: &[Vec<u8>], is_same: IsSame) -> Vec<Finding> {
    if found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| is_same(value(found), expected))
    {
        return Vec::new();
    }
    let mut open: BTreeMap<String, &[u8]> = expected.iter().map(|bytes| (op_id(bytes), bytes.as_slice())).collect();
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for bytes in found.iter().map(value) {
        let id = op_id(bytes);
        let place = format!("operation {id} of partition {partition}");
        if !seen.insert(id.clone()) {
            findings.push(finding(Kind::Doubled, place));
        } else {
            match open.remove(&id) {
                Some(expected) if is_same(bytes, expected) => {}
                Some(expected) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let both = format!("{place}\n  found    {}\n  expected {}", text(bytes), text(expected));
                    findings.push(finding(Kind::Different, both));
                }
                None => findings.push(finding(Kind::Different, format!("{place} was expected nowhere"))),
            }
        }
    }
    findings.extend(open.keys().map(|id| finding(Kind::Lost, format!("operation {id} of partition {partition}"))));
    if findings.is_empty() {
        findings.push(finding(Kind::Disordered, format!("decisions of partition {partition}")));
    }
    findings
}

/// Each partition's numbers are 1, 2, 3, … without a gap.
fn numbers(found: &Decisions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (partition, records) in found {
        for (seq, record) in (1_u64..).zip(records) {
            let (is, shard) = (record.header("kuzet-seq"), record.header("kuzet-shard"));
            if is != Some(&seq.to_string()) || shard != Some(&partition.to_string()) {
                let text = format!("decision {seq} of partition {partition} bears {is:?} of shard {shard:?}");
                findings.push(finding(Kind::Sequence, text));
                break;
            }
        }
    }
    findings
}

fn ledger(cluster: &Cluster, topics: &Topics) -> Option<Finding> {
    let output = kuzet()
        .args(["ledger-check", "--brokers", &cluster.bootstrap(), "--topic", &topics.name("decisions")])
        .output()
        .expect("kuzet runs");
    let text = || String::from_utf8_lossy(&output.stdout).chars().take(2_000).collect::<String>();
    (!output.status.success()).then(|| finding(Kind::Ledger, text()))
}

/// Shows the first findings of each kind.
pub(crate) fn shown(findings: &[Finding]) -> String {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut text = String::new();
    for finding in findings {
        let count = counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= 2 {
            text.push_str(&format!("{finding}\n"));
        }
    }
    format!("{counts:?}\n{text}")
}
