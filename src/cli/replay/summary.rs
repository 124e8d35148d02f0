//! What a run did, counted, and how the counts are shown.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::far_ahead::FarAhead;
use crate::operation::Time;
use crate::operation::decode::RejectionCode;
use crate::operation::money;

/// The verdicts of the contract, weakest first.
const VERDICTS: [&str; 4] = ["allow", "challenge", "hold", "refuse"];

/// One thing that happened to one record.
#[derive(Debug, Clone, Copy)]
pub enum Observed<'a> {
    /// The record was decided. Names are the contract's.
    Decision {
        verdict: &'a str,
        /// Rule and mode of each match.
        matches: &'a [(&'a str, &'a str)],
        /// The kind of each command.
        commands: &'a [&'a str],
        is_late: bool,
        /// Inputs that were missing.
        degraded: &'a [&'a str],
        /// Fields that the contract does not know.
        unknown_fields: u32,
    },
    /// The record was refused.
    Rejected(RejectionCode),
    /// The record repeats one that was decided before.
    Duplicate,
}

/// Counts of a run: every record is one decision, one duplicate or one refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    operations: u64,
    verdicts: BTreeMap<String, u64>,
    matches: BTreeMap<(String, String), u64>,
    commands: BTreeMap<String, u64>,
    rejected: BTreeMap<&'static str, u64>,
    degraded: BTreeMap<String, u64>,
    duplicates: u64,
    late: u64,
    far_ahead: FarAhead,
    unknown_fields: u64,
}

impl Summary {
    /// Takes the time of a decided operation in, to find those that lie far ahead of all that follow.
    pub fn observe_time(&mut self, wallet_id: &str, at: Time, is_late: bool) {
        self.far_ahead.take(wallet_id, at, is_late);
    }

    /// Counts what happened to one record.
    pub fn observe(&mut self, observed: Observed<'_>) {
        self.operations += 1;
        match observed {
            Observed::Decision { verdict, matches, commands, is_late, degraded, unknown_fields } => {
                count(&mut self.verdicts, verdict);
                commands.iter().for_each(|command| count(&mut self.commands, command));
                degraded.iter().for_each(|input| count(&mut self.degraded, input));
                for (rule, mode) in matches {
                    let key = (String::from(*rule), String::from(*mode));
                    *self.matches.entry(key).or_default() += 1;
                }
                self.late += u64::from(is_late);
                self.unknown_fields += u64::from(unknown_fields);
            }
            Observed::Rejected(code) => *self.rejected.entry(code.name()).or_default() += 1,
            Observed::Duplicate => self.duplicates += 1,
        }
    }

    /// Counts fields that the contract does not know.
    pub fn add_unknown_fields(&mut self, count: u64) {
        self.unknown_fields += count;
    }

    /// Returns how many records were seen, refused ones included.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Returns how many decisions were made.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.verdicts.values().sum()
    }

    /// Returns how many records were refused.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Tells whether there were records and none of them was understood.
    #[must_use]
    pub fn is_all_refused(&self) -> bool {
        self.operations > 0 && self.rejected() == self.operations
    }

    /// Says how far a run is: `12 345 operations, 6 789/s`.
    #[must_use]
    pub fn progress(&self, elapsed: Duration) -> String {
        format!("{} operations, {}/s", grouped(self.operations), grouped(rate(self.operations, elapsed)))
    }

    /// Writes the counts for people, several lines, each with its newline.
    #[must_use]
    pub fn text(&self, elapsed: Duration) -> String {
        let mut text = String::new();
        let written = self.write_text(&mut text, elapsed);
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        text
    }

    fn write_text(&self, out: &mut String, elapsed: Duration) -> fmt::Result {
        row(out, "operations", self.operations)?;
        row(out, "decisions", self.decisions())?;
        let known = VERDICTS.iter().filter_map(|verdict| Some((*verdict, *self.verdicts.get(*verdict)?)));
        rows(out, known)?;
        row(out, "matches", self.matches.values().sum())?;
        for ((rule, mode), matches) in &self.matches {
            let note = if mode == "enforce" { String::new() } else { format!(" ({mode})") };
            row(out, &format!("  {rule}{note}"), *matches)?;
        }
        row(out, "commands", self.commands.values().sum())?;
        rows(out, self.commands.iter().map(|(kind, commands)| (kind.as_str(), *commands)))?;
        row(out, "rejected", self.rejected())?;
        rows(out, self.rejected.iter().map(|(code, records)| (*code, *records)))?;
        row(out, "duplicates", self.duplicates)?;
        row(out, "late", self.late)?;
        if let (far_ahead @ 1.., late) = self.far_ahead.counts() {
            row(out, "more than a day ahead of all that follow", far_ahead)?;
            row(out, "  late in the same wallets after them", late)?;
        }
        row(out, "degraded", self.degraded.values().sum())?;
        rows(out, self.degraded.iter().map(|(input, decisions)| (input.as_str(), *decisions)))?;
        row(out, "unknown fields", self.unknown_fields)?;
        let rate = grouped(rate(self.operations, elapsed));
        writeln!(out, "{:<40} {:>15}", "elapsed", format!("{}.{:03} s", elapsed.as_secs(), elapsed.subsec_millis()))?;
        writeln!(out, "{:<40} {:>15}", "rate", format!("{rate}/s"))
    }

    /// Gives the counts as one JSON object.
    #[must_use]
    pub fn json(&self, elapsed: Duration) -> Value {
        let matches = self.matches.iter();
        let matches: Vec<_> =
            matches.map(|((rule, mode), count)| json!({ "rule": rule, "mode": mode, "count": count })).collect();
        json!({
            "operations": self.operations,
            "decisions": self.verdicts,
            "matches": matches,
            "commands": self.commands,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "late": self.late,
            "far_ahead": self.far_ahead.counts().0,
            "late_after_far_ahead": self.far_ahead.counts().1,
            "degraded": self.degraded,
            "unknown_fields": self.unknown_fields,
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "operations_per_second": rate(self.operations, elapsed),
        })
    }
}

/// Counts without making a key that is already there.
fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(seen) => *seen += 1,
        None => drop(counts.insert(String::from(name), 1)),
    }
}

fn rows<'a>(out: &mut String, counts: impl Iterator<Item = (&'a str, u64)>) -> fmt::Result {
    for (name, count) in counts {
        row(out, &format!("  {name}"), count)?;
    }
    Ok(())
}

fn row(out: &mut String, name: &str, count: u64) -> fmt::Result {
    writeln!(out, "{name:<40} {:>15}", grouped(count))
}

/// Operations per second; of a run too short to measure, the count itself.
fn rate(operations: u64, elapsed: Duration) -> u64 {
    let per_second = u128::from(operations).saturating_mul(1_000_000_000) / elapsed.as_nanos().max(1);
    if elapsed < Duration::from_millis(1) { operations } else { u64::try_from(per_second).unwrap_or(u64::MAX) }
}

/// Writes a number with its thousands apart: `12 345`.
fn grouped(number: u64) -> String {
    money::grouped(&number.to_string(), ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Summary {
        let mut summary = Summary::default();
        for _ in 0..1_234 {
            summary.observe(Observed::Decision {
                verdict: "allow",
                matches: &[],
                commands: &[],
                is_late: false,
                degraded: &[],
                unknown_fields: 0,
            });
        }
        summary.observe(Observed::Decision {
            verdict: "hold",
            matches: &[("transfer-over-100k", "enforce"), ("new-device", "shadow")],
            commands: &["hold", "monitor"],
            is_late: true,
            degraded: &["geoip.country"],
            unknown_fields: 2,
        });
        summary.observe(Observed::Rejected(RejectionCode::MalformedJson));
        summary.observe(Observed::Duplicate);
        summary
    }

    #[test]
    fn text_shows_every_count() {
        let text = sample().text(Duration::from_millis(2_500));
        let words: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "operations 1 237",
            "decisions 1 235",
            "allow 1 234",
            "hold 1",
            "matches 2",
            "new-device (shadow) 1",
            "transfer-over-100k 1",
            "commands 2",
            "hold 1",
            "monitor 1",
            "rejected 1",
            "malformed_json 1",
            "duplicates 1",
            "late 1",
            "degraded 1",
            "geoip.country 1",
            "unknown fields 2",
            "elapsed 2.500 s",
            "rate 494/s",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_wrong_clock_is_told() {
        let mut summary = sample();
        let at = |days: i64| Time::ACCEPTED_FROM.plus(days * crate::operation::time::DAY);
        for (days, is_late) in [(1, false), (20_000, false), (2, true), (2, true)] {
            summary.observe_time("w1", at(days), is_late);
        }
        let text = summary.text(Duration::from_millis(2_500));
        let told = |name: &str, count: &str| text.lines().any(|line| line.starts_with(name) && line.ends_with(count));
        assert!(told("more than a day ahead of all that follow", " 1"), "{text}");
        assert!(told("  late in the same wallets after them", " 2"), "{text}");
        let json = summary.json(Duration::from_secs(1));
        assert_eq!((&json["far_ahead"], &json["late_after_far_ahead"]), (&1.into(), &2.into()));
    }

    #[test]
    fn json_shows_every_count() {
        let json = sample().json(Duration::from_millis(2_500));
        assert_eq!(json["operations"], 1_237);
        assert_eq!(json["decisions"]["hold"], 1);
        assert_eq!(json["matches"][0], json!({ "rule": "new-device", "mode": "shadow", "count": 1 }));
        assert_eq!(json["rejected"]["malformed_json"], 1);
        assert_eq!(json["operations_per_second"], 494);
    }

    #[test]
    fn progress_is_told_with_its_rate() {
        assert_eq!(sample().progress(Duration::from_millis(100)), "1 237 operations, 12 370/s");
        let mut refused = Summary::default();
        assert!(!refused.is_all_refused() && !sample().is_all_refused());
        refused.observe(Observed::Rejected(RejectionCode::MalformedJson));
        assert!(refused.is_all_refused());
    }

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
