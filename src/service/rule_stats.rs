//! How often each rule matched: in all, hour by hour of the operations' own time, and with amounts over longer periods.

pub mod over_time;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::adapters::store::block::Block;
use crate::adapters::store::{Store, StoreError, Stream};
use crate::operation::decision::read::{DecisionRecord, MatchRecord};
use crate::operation::decision::{CommandKind, Decision};
use crate::operation::time::HOUR;
use crate::operation::{Money, Time, decode};

use over_time::{Matched, OverTime};

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
    /// Stands behind the rest in the note: earlier programs do not know it.
    #[serde(skip)]
    pub over_time: OverTime,
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
    /// Counts a decision. The amount of its operation is only asked for where a rule matched.
    pub fn add(&mut self, seq: u64, decision: &Decision, amount: impl FnOnce() -> Option<Money>) {
        self.seq = seq;
        self.decisions += 1;
        let at = decision.occurred_at;
        self.over_time.add_decided(at);
        let amount = if decision.matches.is_empty() { None } else { amount() };
        for found in &decision.matches {
            let is_stopped =
                decision.commands.iter().any(|command| command.rule == found.rule && STOPPING.contains(&command.kind));
            self.over_time.add(&found.rule, at, Matched::one(amount, is_stopped));
            if let Some(hits) = self.rules.get_mut(&*found.rule) {
                hits.add(seq, at);
            } else {
                self.rules.entry((*found.rule).to_owned()).or_default().add(seq, at);
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
            let mut operations = None;
            store.each_block(Stream::Decisions, stats.seq + 1, |first, block| {
                for (index, seq) in (0..block.len()).zip(first..) {
                    let Some(item) = block.get(index).filter(|_| seq > stats.seq) else { continue };
                    if item_of(operations.as_ref(), seq).is_none() {
                        operations = store.block_of(Stream::Operations, seq)?;
                    }
                    // In front of an operation stands when it arrived.
                    stats.add_stored(seq, item, item_of(operations.as_ref(), seq).and_then(|item| item.get(8..)));
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
        self.over_time.merge(&other.over_time);
    }

    /// Reads what was noted with a state; nothing was where no note is, or one that this program does not read. The note
    /// of an earlier program tells nothing of amounts: they are counted from then on.
    #[must_use]
    pub fn of_note(bytes: Option<&[u8]>) -> Self {
        let Some((stats, rest)) = bytes.and_then(|bytes| postcard::take_from_bytes::<Self>(bytes).ok()) else {
            return Self::default();
        };
        Self { over_time: postcard::from_bytes(rest).unwrap_or_default(), ..stats }
    }

    /// Counts a decision as it was sent, and the amount of its operation: as its record says, or where that is no longer
    /// at hand as the evidence does.
    pub fn add_stored(&mut self, seq: u64, decision: &[u8], record: Option<&[u8]>) {
        self.seq = seq;
        self.decisions += 1;
        let Ok(counted) = DecisionRecord::decode(decision) else { return };
        let Ok(at) = Time::parse_rfc3339(&counted.occurred_at) else { return };
        self.over_time.add_decided(at);
        if counted.matches.is_empty() {
            return;
        }
        let of_evidence = || counted.matches.iter().find_map(amount_of_evidence);
        let amount = record.map_or_else(of_evidence, |record| amount_in(Some(record)));
        for found in &counted.matches {
            let is_stopped = counted.commands.iter().any(|command| {
                command.rule == found.rule && STOPPING.iter().any(|kind| kind.name() == command.command)
            });
            self.over_time.add(&found.rule, at, Matched::one(amount, is_stopped));
        }
        for found in counted.matches {
            self.rules.entry(found.rule.into_owned()).or_default().add(seq, at);
        }
    }

    /// Returns the bytes of the note.
    #[must_use]
    pub fn note(&self) -> Vec<u8> {
        let noted = postcard::to_stdvec(self).unwrap_or_default();
        postcard::to_extend(&self.over_time, noted).unwrap_or_default()
    }
}

/// By these a rule keeps an operation from going on at once.
const STOPPING: &[CommandKind] = &[CommandKind::Hold, CommandKind::Refuse];

/// Reads the amount of an operation from its record.
#[must_use]
pub fn amount_in(record: Option<&[u8]>) -> Option<Money> {
    decode::decode(record?).ok()?.amount
}

fn amount_of_evidence(found: &MatchRecord<'_>) -> Option<Money> {
    Money::parse(found.evidence().get("amount")?.as_str()?)
}

fn item_of(found: Option<&(u64, Block)>, seq: u64) -> Option<&[u8]> {
    let (first, block) = found?;
    block.get(usize::try_from(seq.checked_sub(*first)?).ok()?)
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
            stats.add_stored(*seq, decision.to_string().as_bytes(), None);
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

    #[test]
    fn the_amount_is_the_operations_else_that_of_the_evidence() {
        let matched = json!({"rule": "r", "clauses": [], "mode": "enforce", "evidence": {"amount": "5.00"}});
        let shadow = json!({"rule": "s", "clauses": [], "mode": "shadow", "evidence": {}});
        let hold = json!({
            "command": "hold", "command_id": uuid::Uuid::nil(), "rule": "r", "clauses": [],
            "subject": {"operation": "o"},
        });
        let decision = json!({
            "decision_id": uuid::Uuid::nil(), "op_id": "o", "wallet_id": "w", "type": "transfer",
            "occurred_at": "2026-11-22T05:15:00Z", "verdict": "hold", "matches": [matched, shadow],
            "commands": [hold], "late": false, "degraded": [], "ruleset": "b1946ac92492",
        });
        let operation = json!({
            "op_id": "o", "wallet_id": "w", "type": "transfer", "occurred_at": "2026-11-22T05:15:00Z",
            "client_status": "identified", "amount": "7.00", "counterparty": {"kind": "client", "wallet_id": "v"},
        });
        let newest = Time::parse_rfc3339("2026-11-22T05:15:00Z").expect("a time");
        for (record, tiyn) in [(Some(operation.to_string()), 700), (None, 500)] {
            let mut stats = RuleStats::default();
            stats.add_stored(1, decision.to_string().as_bytes(), record.as_deref().map(str::as_bytes));
            let found = |rule: &str| stats.over_time.rules[rule].within(over_time::Period::Hours24, newest);
            assert_eq!(found("r"), Matched { operations: 1, amount: tiyn, stopped: 1, amount_stopped: tiyn });
            assert_eq!(found("s"), Matched { operations: 1, amount: tiyn, ..Matched::default() });
        }
    }

    #[test]
    fn the_note_of_an_earlier_program_is_read() {
        let stats = stats(&[(1, 10)]);
        let earlier = postcard::to_stdvec(&stats).expect("a note");
        let read = RuleStats::of_note(Some(&earlier));
        assert_eq!((read.seq, read.over_time.since), (1, None));
        assert_eq!(RuleStats { over_time: OverTime::default(), ..stats }, read);
    }
}
