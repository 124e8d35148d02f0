//! Why a decision was made: every part of what matched, with its values.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::rules::explain;
use crate::rules::program::RuleSet;

use super::rules::localized;

#[derive(Deserialize)]
struct Decided {
    matches: Vec<Matched>,
    ruleset: String,
}

#[derive(Deserialize)]
struct Matched {
    rule: String,
    clauses: Vec<String>,
    mode: String,
    evidence: Map<String, Value>,
}

/// Takes a stored decision's matches apart by the rules in use. `is_current` tells whether the rule has
/// been changed since: then the text is not the one that matched.
pub(super) fn explain(rules: &RuleSet, decision: &[u8]) -> Vec<Value> {
    let Ok(decided) = serde_json::from_slice::<Decided>(decision) else { return Vec::new() };
    let is_same_set = decided.ruleset == rules.hash;
    decided.matches.iter().map(|matched| explain_match(rules, is_same_set, matched)).collect()
}

fn explain_match(rules: &RuleSet, is_current: bool, matched: &Matched) -> Value {
    let rule = rules.rules.iter().find(|rule| *rule.id == *matched.rule);
    let conditions: Vec<Value> = rule.map_or_else(Vec::new, |rule| {
        explain::parts(&rule.source).iter().map(|part| condition(part, &matched.evidence)).collect()
    });
    let when: Vec<&str> = conditions.iter().filter_map(|condition| condition["text"].as_str()).collect();
    json!({
        "rule": matched.rule,
        "clauses": matched.clauses,
        "mode": matched.mode,
        "title": rule.map_or(Value::Null, |rule| localized(&rule.title)),
        "is_current": is_current,
        "when": when.join(" and "),
        "evidence": matched.evidence,
        "conditions": conditions,
    })
}

fn condition(part: &explain::Part, evidence: &Map<String, Value>) -> Value {
    let values: Map<String, Value> =
        part.reads.iter().filter_map(|name| evidence.get(name).map(|value| (name.clone(), value.clone()))).collect();
    // The rule fired, so each part held, unless a value was missing and the rule fires then.
    let holds = if values.values().any(Value::is_null) { Value::Null } else { Value::Bool(true) };
    json!({"text": part.text, "values": values, "holds": holds, "needed": part.needed})
}
