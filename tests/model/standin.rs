//! A stand-in for the engine: the naive model again, behind the engine's JSON. It tests the comparison
//! itself, and that the streams are dense enough for each fault to show.

use super::compare::EngineAnswer;
use super::naive::{Answer, COMMANDS, Command, Decided, FAULTS, GeoMap, Naive};
use super::op::{Op, write_time};
use serde_json::{Map, Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

pub(crate) fn run(lines: &[String], geo: &GeoMap, fault: Option<&str>) -> Vec<EngineAnswer> {
    run_naive(lines, geo, fault, false)
}

/// The same with a budget of every rule that stops anything.
pub(crate) fn run_with_budgets(lines: &[String], geo: &GeoMap, fault: Option<&str>) -> Vec<EngineAnswer> {
    run_naive(lines, geo, fault, true)
}

fn run_naive(lines: &[String], geo: &GeoMap, fault: Option<&str>, has_budgets: bool) -> Vec<EngineAnswer> {
    let fault = fault.map(|name| {
        let known = FAULTS.iter().find(|(known, _)| *known == name);
        known.expect("a known fault").1
    });
    let mut model = Naive::new(geo, fault).with_budgets(has_budgets);
    lines
        .iter()
        .map(|line| {
            let op = Op::from_line(line);
            match model.apply(&op) {
                Answer::Duplicate => EngineAnswer::Duplicate,
                Answer::Conflict => {
                    EngineAnswer::Rejected(json!({"error": {"code": "conflicting_duplicate", "field": "op_id"}}))
                }
                Answer::Decided(decided) => EngineAnswer::Decision(decision(&op, &decided)),
            }
        })
        .collect()
}

/// An id that looks like the engine's, of a name.
fn id(name: &str) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, name).hash(&mut hasher);
        hasher.finish()
    };
    let (high, low) = (half(0), half(1));
    let (one, two, three) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
    format!("{one:08x}-{two:04x}-{three:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

fn decision(op: &Op, decided: &Decided) -> Value {
    let mut commands = decided.commands.clone();
    for group in commands.chunk_by_mut(|a, b| (&a.kind, &a.rule, &a.subject) == (&b.kind, &b.rule, &b.subject)) {
        group.sort_by_key(|command| command.restriction.as_deref().map(id));
    }
    let matches: Vec<Value> = decided
        .matches
        .iter()
        .map(|(rule, mode)| json!({"rule": rule, "mode": mode, "clauses": [], "evidence": {}}))
        .collect();
    let commands: Vec<Value> = commands.iter().enumerate().map(|(n, c)| command(op, n, c)).collect();
    json!({
        "decision_id": id(&format!("{} {}", op.wallet, op.id)), "op_id": op.id, "wallet_id": op.wallet,
        "type": op.kind.name(), "occurred_at": write_time(op.at, 1), "verdict": decided.verdict,
        "matches": matches, "commands": commands, "late": decided.late,
        "degraded": decided.degraded, "ruleset": "000000000000",
    })
}

fn command(op: &Op, n: usize, command: &Command) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("command", json!(command.kind));
    put("command_id", json!(id(&format!("{} {} {n}", op.wallet, op.id))));
    put("rule", json!(command.rule));
    let (what, which) = command.subject.split_once(':').expect("a subject");
    put("subject", json!({ what: which }));
    let detail = match command.kind.as_str() {
        "block" => "direction",
        "report" => "to",
        "lift" => "reason",
        _ => "challenge",
    };
    if !command.detail.is_empty() {
        put(detail, json!(command.detail));
    }
    if let Some(restriction) = &command.restriction {
        put("restriction_id", json!(id(restriction)));
    }
    if COMMANDS[1..5].contains(&command.kind.as_str()) && command.kind != "challenge" {
        put("from", json!(command.from.map(|from| write_time(from, 1))));
        put("until", json!(command.until.map(|until| write_time(until, 1))));
        put("lifted_by", json!(command.lifted_by));
    }
    Value::Object(object)
}
