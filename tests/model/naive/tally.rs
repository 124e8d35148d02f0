//! How often each rule, each boundary and each path was met, so that a comparison cannot pass empty.

use super::Answer;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) fired: BTreeMap<&'static str, u64>,
    pub(crate) boundary: BTreeMap<&'static str, u64>,
    /// Verdicts, commands and the other things a decision can say.
    pub(crate) seen: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        for (rule, n) in &other.fired {
            *self.fired.entry(rule).or_default() += n;
        }
        for (rule, n) in &other.boundary {
            *self.boundary.entry(rule).or_default() += n;
        }
        for (what, n) in &other.seen {
            *self.seen.entry(what.clone()).or_default() += n;
        }
    }

    pub(super) fn see(&mut self, what: &str) {
        *self.seen.entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn hit(&mut self, rule: &'static str, exact: bool) {
        if exact {
            *self.boundary.entry(rule).or_default() += 1;
        }
    }

    pub(super) fn see_answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Duplicate => self.see("duplicate"),
            Answer::Conflict => self.see("conflicting duplicate"),
            Answer::Decided(decided) => {
                self.see(&format!("verdict {}", decided.verdict));
                for command in &decided.commands {
                    self.see(&format!("command {}", command.kind));
                }
                if decided.late {
                    self.see("late");
                }
                if !decided.degraded.is_empty() {
                    self.see("degraded");
                }
            }
        }
    }
}

/// What the streams must bring about, and how often at least in 300 of them.
pub(crate) const SEEN: [(&str, u64); 70] = [
    ("duplicate", 50),
    ("conflicting duplicate", 50),
    ("late", 50),
    ("degraded", 50),
    ("far ahead of the stream", 20),
    ("verdict allow", 50),
    ("verdict challenge", 50),
    ("verdict hold", 50),
    ("verdict refuse", 50),
    ("command refuse", 50),
    ("command hold", 50),
    ("command challenge", 50),
    ("command monitor", 50),
    ("command block", 50),
    ("command lift", 50),
    ("command release", 50),
    ("command cancel", 50),
    ("command report", 50),
    // Restrictions of the same rule.
    ("placed", 50),
    ("extended", 50),
    ("fired again, ends no later", 50),
    ("fired again, would end earlier", 20),
    ("fired late, fired last stays", 20),
    ("ended one replaced", 20),
    ("late between the end of one and its successor", 3),
    ("refused by another's block of fraud", 20),
    ("refused by another's own block", 20),
    ("transfer to itself under its own block", 10),
    ("debit refused by the block that it places", 50),
    // Liftings.
    ("lifted exactly when it fired last", 20),
    ("lifting too early", 50),
    ("lifting too early by a silent firing", 20),
    ("lifting too early by an extension", 10),
    ("unblock requested too early", 10),
    ("seizure lifted", 20),
    ("seizure lifted too early", 10),
    ("address unblocked", 20),
    ("address unblocked too early", 5),
    ("still waiting after a cause went", 50),
    ("released by a lifting", 50),
    ("cancelled by order", 50),
    ("cancelled by order, waiting for more", 10),
    ("cancelled because blocked", 50),
    ("cancelled because the recipient is blocked", 20),
    ("goes on waiting for a block", 50),
    ("goes on waiting, another block has an end", 5),
    ("released after a block without an end", 20),
    ("cancelled after a block without an end", 5),
    // Confirmations of one operation.
    ("settled: released", 20),
    ("settled: cancelled", 20),
    ("settled: cancelled, proof lifts nothing", 10),
    ("settled: waits on", 20),
    ("settled: goes on waiting for a block", 5),
    ("settled: cancelled because blocked", 5),
    ("reference to nothing that waits", 50),
    ("reference to another's operation", 10),
    ("cancelled because referred to", 50),
    ("reference that cancels nothing", 20),
    // Disputes.
    ("disputed in time", 50),
    ("disputed in time, had been refused", 20),
    ("disputed too late", 20),
    ("disputed before it occurred", 5),
    ("disputed, no longer remembered", 10),
    ("disputed, never seen", 50),
    ("top-up at the limit", 10),
    // PINs.
    ("pin asked again", 20),
    ("released by pin", 50),
    ("released by the pin of another operation", 20),
    ("pin that answers nothing", 50),
    ("pin confirms another day than its own", 10),
];
