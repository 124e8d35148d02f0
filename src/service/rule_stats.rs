//! How often each rule matched: in all, and hour by hour of the operations' own time.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::adapters::store::{Store, StoreError, Stream};
use crate::operation::Time;
use crate::operation::decision::Decision;
use crate::operation::decision::read::DecisionRecord;
use crate::operation::time::HOUR;

/// The note with what the rules matched.
pub const NOTE_RULE_STATS: &str = "rule_stats";
/// So many hours are kept.
pub const HOURS: usize = 24;

/// What the rules matched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStats {
    /// Up to this decision.
    pub seq: u64,
    pub decisions: u64,
    pub rules: HashMap<String, RuleHits>,
}

/// What one rule matched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHits {
    pub hits: u64,
    /// By the hour's number since the epoch.
    hours: BTreeMap<i64, u64>,
    /// The last match's sequence number and the time of its operation.
    pub last: Option<(u64, Time)>,
}

impl RuleHits {
    /// Returns the hits of the last hours, oldest first, the last being the hour of `newest`.
    #[must_use]
    pub fn per_hour(&self, newest: Time) -> [u64; HOURS] {
        let last = newest.number_of(HOUR);
        let mut hits = [0; HOURS];
        for (ago, hit) in (0..).zip(hits.iter_mut().rev()) {
            *hit = self.hours.get(&(last - ago)).copied().unwrap_or(0);
        }
        hits
    }

    fn add(&mut self, seq: u64, at: Time) {
        self.hits += 1;
        self.last = Some((seq, at));
        *self.hours.entry(at.number_of(HOUR)).or_default() += 1;
        self.forget_hours();
    }

    /// Adds the hits of another shard: the match whose operation is the youngest is the last.
    fn merge(&mut self, other: &Self) {
        self.hits += other.hits;
        self.last = [self.last, other.last].into_iter().flatten().max_by_key(|(seq, at)| (*at, *seq));
        for (hour, hits) in &other.hours {
            *self.hours.entry(*hour).or_default() += hits;
        }
        self.forget_hours();
    }

    fn forget_hours(&mut self) {
        while self.hours.len() > 2 * HOURS {
            self.hours.pop_first();
        }
    }
}

impl RuleStats {
    /// Counts a decision.
    pub fn add(&mut self, seq: u64, decision: &Decision) {
        self.seq = seq;
        self.decisions += 1;
        for found in &decision.matches {
            if let Some(hits) = self.rules.get_mut(&*found.rule) {
                hits.add(seq, decision.occurred_at);
            } else {
                self.rules.entry((*found.rule).to_owned()).or_default().add(seq, decision.occurred_at);
            }
        }
    }

    /// Reads what was noted, and counts the decisions since.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn recover(store: &Store, last_seq: u64) -> Result<Self, StoreError> {
        let mut stats = Self::of_note(store.note(NOTE_RULE_STATS)?.as_deref());
        if stats.seq < last_seq {
            store.each_block(Stream::Decisions, stats.seq + 1, |first, block| {
                for (index, seq) in (0..block.len()).zip(first..) {
                    if let Some(item) = block.get(index).filter(|_| seq > stats.seq) {
                        stats.add_stored(seq, item);
                    }
                }
                Ok(true)
            })?;
        }
        Ok(stats)
    }

    /// Adds what the rules matched in another shard.
    pub fn merge(&mut self, other: &Self) {
        self.seq = self.seq.max(other.seq);
        self.decisions += other.decisions;
        for (rule, hits) in &other.rules {
            self.rules.entry(rule.clone()).or_default().merge(hits);
        }
    }

    /// Reads what was noted with a state; nothing was where no note is, or one that this program does not read.
    #[must_use]
    pub fn of_note(bytes: Option<&[u8]>) -> Self {
        bytes.and_then(|bytes| postcard::from_bytes(bytes).ok()).unwrap_or_default()
    }

    /// Counts a decision as it was sent.
    pub fn add_stored(&mut self, seq: u64, decision: &[u8]) {
        self.seq = seq;
        self.decisions += 1;
        let Ok(counted) = DecisionRecord::decode(decision) else { return };
        let Ok(at) = Time::parse_rfc3339(&counted.occurred_at) else { return };
        for found in counted.matches {
            self.rules.entry(found.rule.into_owned()).or_default().add(seq, at);
        }
    }

    /// Returns the bytes of the note.
    #[must_use]
    pub fn note(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stats(matches: &[(u64, i64)]) -> RuleStats {
        let mut stats = RuleStats::default();
        for (seq, hour) in matches {
            let at = Time::EPOCH.plus(*hour * HOUR);
            let matched = json!({"rule": "r", "clauses": [], "mode": "enforce", "evidence": {}});
            let decision = json!({
                "decision_id": uuid::Uuid::nil(), "op_id": "o", "wallet_id": "w", "type": "transfer",
                "occurred_at": at.to_string(), "verdict": "allow", "matches": [matched], "commands": [],
                "late": false, "degraded": [], "ruleset": "b1946ac92492",
            });
            stats.add_stored(*seq, decision.to_string().as_bytes());
        }
        stats
    }

    #[test]
    fn shards_add_up_and_a_note_comes_back() {
        let (one, other) = (stats(&[(1, 10), (2, 12)]), stats(&[(1, 10), (2, 11), (3, 11)]));
        let mut both = RuleStats::of_note(Some(&one.note()));
        assert_eq!(both, one);
        both.merge(&other);
        let hits = &both.rules["r"];
        assert_eq!((both.decisions, hits.hits), (5, 5));
        // The youngest operation's match, though another shard has come further.
        assert_eq!(hits.last, Some((2, Time::EPOCH.plus(12 * HOUR))));
        assert_eq!(hits.per_hour(Time::EPOCH.plus(12 * HOUR))[21..], [2, 2, 1]);
        assert_eq!(RuleStats::of_note(Some(b"\xff")), RuleStats::default());
    }
}
