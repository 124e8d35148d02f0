//! A readable digest of decisions: how many of each verdict, and the ten most telling ones in plain sentences.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use anyhow::Context;
use chrono::DateTime;
use chrono_tz::Asia::Almaty;
use serde_json::Value;

use crate::operation::OperationType;
use crate::operation::money::grouped;

/// How many decisions are told.
const TOLD_MAX: usize = 10;
const VERDICTS: [&str; 4] = ["allow", "challenge", "hold", "refuse"];
/// Commands of which the first is told though no rule fired with it.
const TOLD_COMMANDS: [&str; 3] = ["lift", "release", "cancel"];
/// Added to a block that was placed before and now ends later.
const EXTENDED: &str = "extended";
/// Added to a decision that lifts something while operations of the wallet go on waiting: their number.
const STILL_WAITING: &str = "still_waiting";

/// Reads decisions and the operations they are about, and writes the digest.
///
/// # Errors
/// When a line cannot be read or is not JSON, or the digest cannot be written.
pub fn digest(operations: impl BufRead, decisions: impl BufRead, out: &mut impl Write) -> anyhow::Result<()> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut matched: BTreeMap<String, u64> = BTreeMap::new();
    let (mut history, mut telling) = (History::default(), Telling::default());
    for (number, line) in (1_u64..).zip(decisions.lines()) {
        let line = line.context("failed to read the decisions")?;
        if line.trim().is_empty() {
            continue;
        }
        let decision = serde_json::from_str(&line).map_err(io::Error::from);
        let mut decision: Value = decision.with_context(|| format!("line {number} of the decisions is no decision"))?;
        history.add(&mut decision);
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
        writeln!(out, "  {:<30}{count:>8}", visible(rule))?;
    }
    writeln!(out, "\nThe {} most telling decisions (Almaty time)", chosen.len())?;
    for decision in &chosen {
        writeln!(out, "  {}", visible(&sentence(decision, told.get(text(&decision["op_id"])))))?;
    }
    Ok(())
}

/// Shows what a terminal would obey, or a reader would not see, as its code: `\u{1b}`.
fn visible(told: &str) -> String {
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    told.chars().fold(String::with_capacity(told.len()), |mut shown, letter| {
        if is_hidden(letter) {
            shown.extend(letter.escape_unicode())
        } else {
            shown.push(letter)
        }
        shown
    })
}

/// What earlier decisions say of a later one: which blocks are in place already, and what waits.
#[derive(Default)]
struct History {
    blocks: HashSet<String>,
    /// Waiting operations by wallet.
    waiting: HashMap<String, BTreeSet<String>>,
}

impl History {
    /// Adds [`EXTENDED`] and [`STILL_WAITING`] to a decision, and remembers it.
    fn add(&mut self, decision: &mut Value) {
        let wallet = text(&decision["wallet_id"]).to_owned();
        let mut has = BTreeSet::new();
        for command in decision["commands"].as_array_mut().into_iter().flatten() {
            let kind = text(&command["command"]).to_owned();
            let operation = command["subject"]["operation"].as_str().map(str::to_owned);
            match (kind.as_str(), operation) {
                ("block", _) if !self.blocks.insert(text(&command["restriction_id"]).to_owned()) => {
                    command[EXTENDED] = Value::Bool(true);
                }
                ("hold" | "challenge", Some(operation)) => {
                    self.waiting.entry(wallet.clone()).or_default().insert(operation);
                }
                ("release" | "cancel", Some(operation)) => {
                    self.waiting.entry(wallet.clone()).or_default().remove(&operation);
                }
                _ => {}
            }
            has.insert(kind);
        }
        if text(&decision["type"]) == OperationType::Cancelled.name() {
            // The decision does not say which operation the ledger cancelled: of this wallet nothing is known any more.
            self.waiting.remove(&wallet);
        }
        let still = self.waiting.get(&wallet).map_or(0, BTreeSet::len);
        if still > 0 && has.contains("lift") && !has.contains("release") && !has.contains("cancel") {
            decision[STILL_WAITING] = Value::from(still);
        }
    }
}

/// Candidates: the first decision that each rule matched, the first with each of some commands, and the first others
/// that were not allowed.
#[derive(Default)]
struct Telling {
    /// By rule, or by `command NAME`.
    by_reason: BTreeMap<String, Value>,
    others: Vec<Value>,
}

impl Telling {
    fn offer(&mut self, decision: Value) {
        let told = commands(&decision).map(|command| text(&command["command"]));
        let told = told.filter(|kind| TOLD_COMMANDS.contains(kind)).map(|kind| format!("command {kind}"));
        let extended = commands(&decision).any(|command| command[EXTENDED] == true).then_some(EXTENDED);
        let still = decision.get(STILL_WAITING).map(|_| STILL_WAITING);
        let marks = extended.into_iter().chain(still).map(|mark| format!("command {mark}"));
        let reasons: BTreeSet<String> = rules(&decision).map(str::to_owned).chain(told).chain(marks).collect();
        let new: Vec<String> = reasons.into_iter().filter(|reason| !self.by_reason.contains_key(reason)).collect();
        if new.is_empty() {
            if self.others.len() < TOLD_MAX && text(&decision["verdict"]) != "allow" {
                self.others.push(decision);
            }
            return;
        }
        for reason in new {
            self.by_reason.insert(reason, decision.clone());
        }
    }

    /// Takes what has the strongest consequences first, each rule once, those before that show a kind of consequence
    /// which none before them does, and orders them by time.
    fn choose(self) -> Vec<Value> {
        let mut candidates: Vec<Value> = self.by_reason.into_values().collect();
        candidates
            .sort_by_key(|decision| std::cmp::Reverse((enforced(decision), strength(decision), kinds(decision).len())));
        candidates.extend(self.others);
        let mut operations = BTreeSet::new();
        candidates.retain(|decision| operations.insert(text(&decision["op_id"]).to_owned()));
        let mut shown = BTreeSet::new();
        let (mut candidates, others): (Vec<Value>, Vec<Value>) = candidates.into_iter().partition(|decision| {
            let before = shown.len();
            shown.extend(kinds(decision));
            shown.len() > before
        });
        candidates.extend(others);
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
    let at = wall_clock(text(&decision["occurred_at"]));
    let mut told = format!("{at} wallet {}: {kind}", text(&decision["wallet_id"]));
    if let Some(operation) = operation {
        append_details(operation, &mut told);
    }
    // Nobody asks whether what support or the ledger reports is allowed.
    let is_asked =
        OperationType::from_name(text(&decision["type"])).is_none_or(|kind| kind.is_money() || kind.is_session());
    told.push_str(match text(&decision["verdict"]) {
        "refuse" => " refused",
        "hold" => " held",
        "challenge" => " challenged",
        _ if is_asked => " allowed",
        _ => "",
    });
    let reasons: Vec<String> = matches(decision).map(reason).collect();
    if !reasons.is_empty() {
        told.push_str(": ");
        told.push_str(&reasons.join("; "));
    } else if let Some(command) = commands(decision).find(|command| is_of_restriction(command)) {
        told.push_str(": an earlier restriction of ");
        told.push_str(text(&command["rule"]));
    }
    let mut follows: Vec<String> = commands(decision).filter_map(consequence).collect();
    match decision[STILL_WAITING].as_u64() {
        Some(1) => follows.push("one operation still waits for another restriction".to_owned()),
        Some(count) => follows.push(format!("{count} operations still wait for another restriction")),
        None => {}
    }
    if !follows.is_empty() {
        told.push_str(" → ");
        told.push_str(&follows.join(", "));
    }
    told
}

fn append_details(operation: &Value, told: &mut String) {
    if let Some(amount) = operation["amount"].as_str() {
        told.push_str(" of ");
        told.push_str(&grouped(amount, ' '));
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
    for (field, before) in [("proof", " by "), ("source", " from "), ("ref_op_id", " on ")] {
        if let Some(value) = operation[field].as_str() {
            told.push_str(before);
            told.push_str(&if field == "ref_op_id" { value.to_owned() } else { value.replace('_', " ") });
        }
    }
    if operation["order"] == "cancel" {
        told.push_str(", who cancels");
    }
}

/// Tells whether a command on an operation comes from an earlier restriction when no rule fired.
fn is_of_restriction(command: &Value) -> bool {
    matches!(text(&command["command"]), "hold" | "refuse" | "challenge")
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
    let until = command["until"].as_str().map(|until| format!(" until {}", wall_clock(until)));
    let operation = text(&command["subject"]["operation"]);
    match text(&command["command"]) {
        "monitor" => Some(format!("wallet monitored until lifted by {}", proofs(command))),
        "block" => {
            let subject = if command["subject"]["ip"].is_string() { "address" } else { "wallet" };
            let until = until.unwrap_or_else(|| format!(" until lifted by {}", proofs(command)));
            let verb = if command[EXTENDED] == true { "goes on being blocked" } else { "blocked" };
            Some(format!("{subject} {verb} ({}){until}", text(&command["direction"])))
        }
        "challenge" => Some(format!("{} asked for", text(&command["challenge"]))),
        "report" => Some(format!("reported to {}", text(&command["to"]))),
        "lift" => Some(format!("restriction of {} lifted", text(&command["rule"]))),
        "release" => Some(format!("waiting {operation} released")),
        "cancel" => Some(format!("waiting {operation} cancelled")),
        _ => None,
    }
}

/// `identity document or mobile contract`
fn proofs(command: &Value) -> String {
    let proofs: Vec<String> =
        command["lifted_by"].as_array().into_iter().flatten().map(|proof| text(proof).replace('_', " ")).collect();
    match proofs.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => "support".to_owned(),
    }
}

/// An instant of a decision by Almaty's clock.
fn wall_clock(at: &str) -> String {
    DateTime::parse_from_rfc3339(at)
        .map_or_else(|_| at.to_owned(), |at| at.with_timezone(&Almaty).format("%d %b %Y %H:%M").to_string())
}

/// The strongest of the verdict and of what follows: a block refuses what comes later, a monitoring holds it.
fn strength(decision: &Value) -> usize {
    let of_command = |command: &Value| match text(&command["command"]) {
        "block" | "cancel" => 3,
        "monitor" | "lift" | "release" => 2,
        _ => 0,
    };
    let verdict = VERDICTS.iter().position(|verdict| *verdict == text(&decision["verdict"])).unwrap_or(0);
    commands(decision).map(of_command).max().unwrap_or(0).max(verdict)
}

/// The kinds of consequences of a decision.
fn kinds(decision: &Value) -> BTreeSet<String> {
    let kind = |command: &Value| {
        let kind = text(&command["command"]);
        if command[EXTENDED] == true { format!("{kind} {EXTENDED}") } else { kind.to_owned() }
    };
    let still = decision.get(STILL_WAITING).map(|_| STILL_WAITING.to_owned());
    commands(decision).map(kind).chain(still).collect()
}

/// Tells whether anything was done: rules in shadow and those that only match do nothing.
fn enforced(decision: &Value) -> bool {
    matches(decision).any(|found| text(&found["mode"]) == "enforce") || commands(decision).next().is_some()
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
        let told = "22 Nov 2026 12:04 wallet 7701: transfer of 150 000.00 KZT to 7702 held: transfer-over-100k (7.15), amount 150000.00";
        assert!(out.contains(told), "{out}");
    }

    fn told(operations: &str, decisions: &str) -> String {
        let mut out = Vec::new();
        digest(operations.as_bytes(), decisions.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tells_of_a_dispute_that_cancels_what_waits() {
        let operation =
            r#"{"op_id":"b","type":"operation_disputed","wallet_id":"7701","ref_op_id":"a","source":"client"}"#;
        let decision = r#"{"op_id":"b","wallet_id":"7701","type":"operation_disputed","occurred_at":"2026-11-22T07:04:00Z","verdict":"allow","matches":[{"rule":"operation-disputed","clauses":["7.5","7.11"],"mode":"enforce","evidence":{}}],"commands":[{"command":"monitor","lifted_by":["identity_document","agreed"]},{"command":"cancel","rule":"operation-disputed","subject":{"operation":"a"}},{"command":"report","to":"disputes"}]}"#;
        let out = told(operation, decision);
        let story = "operation disputed from client on a: operation-disputed (7.5, 7.11) → wallet monitored until lifted \
                     by identity document or agreed, waiting a cancelled, reported to disputes";
        assert!(out.contains(story), "{out}");
    }

    #[test]
    fn tells_of_an_extended_block_and_of_what_goes_on_waiting() {
        let decision = |op: &str, kind: &str, second: u32, commands: &str| {
            format!(
                r#"{{"op_id":"{op}","wallet_id":"7701","type":"{kind}","occurred_at":"2026-11-22T07:04:{second:02}Z","verdict":"allow","matches":[],"commands":[{commands}]}}"#
            )
        };
        let block = |until: &str| {
            format!(
                r#"{{"command":"block","rule":"login-country-change","direction":"debit","subject":{{"wallet":"7701"}},"restriction_id":"r1","until":"{until}"}}"#
            )
        };
        let hold =
            r#"{"command":"hold","rule":"transfer-over-100k","subject":{"operation":"c"},"restriction_id":"r2"}"#;
        let lift = r#"{"command":"lift","rule":"login-country-change","restriction_id":"r1","reason":"secret_answer"}"#;
        let decisions = [
            decision("a", "login", 1, &block("2026-11-22T09:04:01Z")),
            decision("b", "login", 2, &block("2026-11-22T09:04:02Z")),
            decision("c", "transfer", 3, hold),
            decision("d", "identity_confirmed", 4, lift),
        ];
        let confirmed = r#"{"op_id":"d","type":"identity_confirmed","wallet_id":"7701","proof":"secret_answer"}"#;
        let out = told(confirmed, &decisions.join("\n"));
        assert!(out.contains("login allowed → wallet goes on being blocked (debit) until 22 Nov 2026 14:04"), "{out}");
        let lifted = "identity confirmed by secret answer → restriction of login-country-change lifted, one operation \
                      still waits for another restriction";
        assert!(out.contains(lifted), "{out}");
        let others = decisions[..3].join("\n") + "\n" + &decision("e", "cancelled", 4, "") + "\n" + &decisions[3];
        assert!(!told("", &others).contains("still waits"), "the ledger may have cancelled what waited");
    }
}
