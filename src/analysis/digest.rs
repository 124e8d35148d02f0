//! A readable digest of decisions: how many of each verdict, and the ten most telling ones in plain sentences.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use anyhow::Context;
use chrono::DateTime;
use chrono_tz::Asia::Almaty;
use serde_json::Value;

/// How many decisions are told.
const TOLD_MAX: usize = 10;
const VERDICTS: [&str; 4] = ["allow", "challenge", "hold", "refuse"];

/// Reads decisions and the operations they are about, and writes the digest.
///
/// # Errors
/// When a line cannot be read or is not JSON, or the digest cannot be written.
pub fn digest(operations: impl BufRead, decisions: impl BufRead, out: &mut impl Write) -> anyhow::Result<()> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut matched: BTreeMap<String, u64> = BTreeMap::new();
    let mut telling = Telling::default();
    for (number, line) in (1_u64..).zip(decisions.lines()) {
        let line = line.context("failed to read the decisions")?;
        let decision = serde_json::from_str(&line).map_err(io::Error::from);
        let decision: Value = decision.with_context(|| format!("line {number} of the decisions is no decision"))?;
        *counts.entry(text(&decision["verdict"]).to_owned()).or_default() += 1;
        for rule in rules(&decision) {
            *matched.entry(rule.to_owned()).or_default() += 1;
        }
        telling.offer(decision);
    }
    let chosen = telling.choose();
    let told = find_operations(operations, &chosen)?;

    let total: u64 = counts.values().sum();
    writeln!(out, "{total} operations decided")?;
    for verdict in VERDICTS {
        writeln!(out, "  {verdict:<10}{:>10}", counts.get(verdict).copied().unwrap_or(0))?;
    }
    writeln!(out, "\n{} rules matched", matched.len())?;
    for (rule, count) in &matched {
        writeln!(out, "  {rule:<30}{count:>8}")?;
    }
    writeln!(out, "\nThe {} most telling decisions (Almaty time)", chosen.len())?;
    for decision in &chosen {
        writeln!(out, "  {}", sentence(decision, told.get(text(&decision["op_id"]))))?;
    }
    Ok(())
}

/// Candidates: the first decision that each rule matched, and the first others that were not allowed.
#[derive(Default)]
struct Telling {
    by_rule: BTreeMap<String, Value>,
    others: Vec<Value>,
}

impl Telling {
    fn offer(&mut self, decision: Value) {
        let new: Vec<String> =
            rules(&decision).filter(|rule| !self.by_rule.contains_key(*rule)).map(str::to_owned).collect();
        if new.is_empty() {
            if self.others.len() < TOLD_MAX && text(&decision["verdict"]) != "allow" {
                self.others.push(decision);
            }
            return;
        }
        for rule in new {
            self.by_rule.insert(rule, decision.clone());
        }
    }

    /// Takes the strongest verdicts first, each rule once, and orders them by time.
    fn choose(self) -> Vec<Value> {
        let mut candidates: Vec<Value> = self.by_rule.into_values().collect();
        candidates.sort_by_key(|decision| std::cmp::Reverse((enforced(decision), strength(decision))));
        candidates.extend(self.others);
        let mut operations = BTreeSet::new();
        candidates.retain(|decision| operations.insert(text(&decision["op_id"]).to_owned()));
        candidates.truncate(TOLD_MAX);
        candidates.sort_by(|one, other| text(&one["occurred_at"]).cmp(text(&other["occurred_at"])));
        candidates
    }
}

fn find_operations(operations: impl BufRead, chosen: &[Value]) -> anyhow::Result<HashMap<String, Value>> {
    let wanted: BTreeSet<&str> = chosen.iter().map(|decision| text(&decision["op_id"])).collect();
    let mut found = HashMap::new();
    for line in operations.lines() {
        let line = line.context("failed to read the operations")?;
        // A record that was refused has no decision: what is not JSON is not looked for.
        let Ok(operation) = serde_json::from_str::<Value>(&line) else { continue };
        let op_id = text(&operation["op_id"]);
        if wanted.contains(op_id) {
            found.insert(op_id.to_owned(), operation);
        }
    }
    Ok(found)
}

/// Tells one decision: when, whose, what, the verdict, the rules with what they saw, and what follows.
fn sentence(decision: &Value, operation: Option<&Value>) -> String {
    let kind = text(&decision["type"]).replace('_', " ");
    let mut told = format!("{} wallet {}: {kind}", wall_clock(decision), text(&decision["wallet_id"]));
    if let Some(operation) = operation {
        append_details(operation, &mut told);
    }
    let verdict = match text(&decision["verdict"]) {
        "refuse" => "refused",
        "hold" => "held",
        "challenge" => "challenged",
        _ => "allowed",
    };
    told.push(' ');
    told.push_str(verdict);
    let reasons: Vec<String> = matches(decision).map(reason).collect();
    if !reasons.is_empty() {
        told.push_str(": ");
        told.push_str(&reasons.join("; "));
    } else if let Some(command) = commands(decision).next() {
        told.push_str(": an earlier restriction of ");
        told.push_str(text(&command["rule"]));
    }
    let follows: Vec<String> = commands(decision).filter_map(consequence).collect();
    if !follows.is_empty() {
        told.push_str(" → ");
        told.push_str(&follows.join(", "));
    }
    told
}

fn append_details(operation: &Value, told: &mut String) {
    if let Some(amount) = operation["amount"].as_str() {
        told.push_str(" of ");
        told.push_str(&grouped(amount));
        told.push_str(" KZT");
    }
    let party = &operation["counterparty"];
    if let Some(to) = ["wallet_id", "account", "phone"].into_iter().find_map(|field| party[field].as_str()) {
        let credit = matches!(text(&operation["type"]), "top_up" | "refund");
        told.push_str(if credit { " from " } else { " to " });
        told.push_str(to);
    }
    if let Some(outcome) = operation["outcome"].as_str() {
        told.push_str(if outcome == "failure" { " (failed)" } else { " (succeeded)" });
    }
}

/// `transfer-over-100k (7.15), amount 150000.00`
fn reason(found: &Value) -> String {
    let clauses: Vec<&str> = found["clauses"].as_array().into_iter().flatten().map(text).collect();
    let mut told = format!("{} ({})", text(&found["rule"]), clauses.join(", "));
    if text(&found["mode"]) == "shadow" {
        told.push_str(" in shadow");
    }
    for (key, value) in found["evidence"].as_object().into_iter().flatten() {
        // Writing to a string cannot fail.
        let written = match value.as_str() {
            Some(value) => write!(told, ", {key} {value}"),
            None => write!(told, ", {key} {value}"),
        };
        written.expect("a string takes any text");
    }
    told
}

/// Says what a command means beyond the verdict.
fn consequence(command: &Value) -> Option<String> {
    let until = command["until"].as_str().map_or_else(String::new, |until| format!(" until {until}"));
    match text(&command["command"]) {
        "monitor" => Some("wallet monitored until identity is proved".to_owned()),
        "block" => {
            let subject = if command["subject"]["ip"].is_string() { "address" } else { "wallet" };
            Some(format!("{subject} blocked ({}){until}", text(&command["direction"])))
        }
        "challenge" => Some(format!("{} asked for", text(&command["challenge"]))),
        "report" => Some(format!("reported to {}", text(&command["to"]))),
        "lift" => Some("a restriction lifted".to_owned()),
        "release" => Some("a waiting operation released".to_owned()),
        "cancel" => Some("a waiting operation cancelled".to_owned()),
        _ => None,
    }
}

fn wall_clock(decision: &Value) -> String {
    let at = text(&decision["occurred_at"]);
    DateTime::parse_from_rfc3339(at)
        .map_or_else(|_| at.to_owned(), |at| at.with_timezone(&Almaty).format("%d %b %H:%M").to_string())
}

/// Groups the digits of an amount in threes: `150 000.00`.
fn grouped(amount: &str) -> String {
    let whole = amount.split('.').next().map_or(0, str::len);
    let mut text = String::with_capacity(amount.len() + 5);
    for (place, digit) in amount.chars().enumerate() {
        if place > 0 && place < whole && (whole - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn strength(decision: &Value) -> usize {
    VERDICTS.iter().position(|verdict| *verdict == text(&decision["verdict"])).unwrap_or(0)
}

fn enforced(decision: &Value) -> bool {
    matches(decision).any(|found| text(&found["mode"]) == "enforce")
}

fn rules(decision: &Value) -> impl Iterator<Item = &str> {
    matches(decision).map(|found| text(&found["rule"]))
}

fn matches(decision: &Value) -> impl Iterator<Item = &Value> {
    decision["matches"].as_array().into_iter().flatten()
}

fn commands(decision: &Value) -> impl Iterator<Item = &Value> {
    decision["commands"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn tells_a_held_transfer() {
        let operation = r#"{"op_id":"a","type":"transfer","wallet_id":"7701","amount":"150000.00","counterparty":{"kind":"client","wallet_id":"7702"}}"#;
        let decision = r#"{"op_id":"a","wallet_id":"7701","type":"transfer","occurred_at":"2026-11-22T07:04:00Z","verdict":"hold","matches":[{"rule":"transfer-over-100k","clauses":["7.15"],"mode":"enforce","evidence":{"amount":"150000.00"}}],"commands":[{"command":"hold"}]}"#;
        let mut out = Vec::new();
        digest(operation.as_bytes(), decision.as_bytes(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let told = "22 Nov 12:04 wallet 7701: transfer of 150 000.00 KZT to 7702 held: transfer-over-100k (7.15), amount 150000.00";
        assert!(out.contains(told), "{out}");
    }
}
