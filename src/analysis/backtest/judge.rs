//! One rule set's answers to records, cut down to what is counted.

use std::collections::HashMap;
use std::sync::Arc;

use super::labels::Labels;
use crate::adapters::memory::MemoryStore;
use crate::engine::Engine;
use crate::engine::plan::{Plan, Settings};
use crate::geo::Geo;
use crate::operation::decision::{Decision, Verdict};
use crate::operation::{Time, decode};
use crate::pipeline::{Answer, Limits, Pipeline, Record};
use crate::rules::program::RuleSet;

/// What became of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    Rejected,
    Duplicate,
    Decided {
        at: Time,
        verdict: Verdict,
        /// Of operations that a rule matched, that were not simply allowed, or that a label names.
        flagged: Option<Box<Flagged>>,
    },
}

/// An operation that is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Flagged {
    pub(super) op_id: String,
    /// Stands for the wallet; two wallets of one number are as good as impossible.
    pub(super) wallet: u64,
    /// Tiyn; zero of operations without an amount.
    pub(super) amount: i64,
    /// Positions of the rules that matched, enforced or in shadow.
    pub(super) matches: Vec<usize>,
}

/// What rule sets decide with.
#[derive(Debug, Clone)]
pub struct Means {
    pub geo: Arc<Geo>,
    pub settings: Settings,
    /// What is accepted.
    pub limits: Limits,
}

impl Means {
    /// Decides with the settings that are not configured otherwise.
    #[must_use]
    pub fn with_defaults(geo: Geo) -> Self {
        Self { geo: Arc::new(geo), settings: Settings::default(), limits: Limits::default() }
    }
}

/// Decides records by one rule set.
pub struct Judge {
    pipeline: Pipeline<MemoryStore, Arc<Geo>>,
    /// The positions of rules in the tally.
    positions: HashMap<Arc<str>, usize>,
    labels: Option<Arc<Labels>>,
}

impl Judge {
    /// Makes a judge. `rules_counted` are the ids of the rules in the order in which they are counted.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, means: &Means, rules_counted: &[String], labels: Option<Arc<Labels>>) -> Self {
        let positions = rules_counted.iter().enumerate().map(|(at, id)| (Arc::from(id.as_str()), at)).collect();
        let plan = Arc::new(Plan::new(rules, means.settings));
        let (geo, store) = (Arc::clone(&means.geo), MemoryStore::default());
        let pipeline = Pipeline { engine: Engine::new(plan), geo, store, limits: means.limits };
        Self { pipeline, positions, labels }
    }

    /// Decides a batch; one answer for each record, in their order.
    ///
    /// # Errors
    /// A fault of the engine that must end the run; a record that cannot be understood is none.
    pub fn judge(&mut self, records: &[Record<'_>]) -> anyhow::Result<Vec<Judged>> {
        let committed = self.pipeline.process(records)?;
        Ok(records.iter().zip(&committed.answers).map(|(record, answer)| self.judged(record.bytes, answer)).collect())
    }

    fn judged(&self, record: &[u8], answer: &Answer) -> Judged {
        match answer {
            Answer::Rejected(_) => Judged::Rejected,
            Answer::Duplicate { .. } => Judged::Duplicate,
            Answer::Decided(decision) => Judged::Decided {
                at: decision.occurred_at,
                verdict: decision.verdict,
                flagged: self.flagged(record, decision).map(Box::new),
            },
        }
    }

    fn flagged(&self, record: &[u8], decision: &Decision) -> Option<Flagged> {
        let is_labelled = || self.labels.as_ref().is_some_and(|labels| labels.of(&decision.op_id).is_some());
        if decision.matches.is_empty() && decision.verdict == Verdict::Allow && !is_labelled() {
            return None;
        }
        let amount = decode::decode(record).ok().and_then(|operation| operation.amount);
        Some(Flagged {
            op_id: decision.op_id.to_string(),
            wallet: xxhash_rust::xxh3::xxh3_64(decision.wallet_id.as_bytes()),
            amount: amount.map_or(0, |amount| amount.tiyn()),
            matches: decision.matches.iter().filter_map(|found| self.positions.get(&found.rule).copied()).collect(),
        })
    }
}
