//! Why a decision was made: every part of what matched, with its values.

pub mod examination;
mod parts;
pub mod report;
mod sentence;
pub mod stored;
mod vocabulary;

use serde_json::{Map, Value, json};

use crate::operation::decision::read::{DecisionRecord, MatchRecord};
use crate::operation::localized::{self, Language, Localized};
use crate::operation::money::fmt_tiyn;
use crate::operation::{Decimal, Money, Time};
use crate::rules::program::{MrpTable, Rule, RuleSet, Type};
use crate::rules::syntax::Expression;

/// A rule as it was when it decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRule {
    pub id: String,
    pub title: Localized,
    /// The text of its file.
    pub source: String,
}

/// A rule set that is not in use any more, as far as explanations need it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PastRules {
    pub rules: Vec<PastRule>,
    pub mrp: MrpTable,
}

impl PastRules {
    /// Takes of a rule set what explanations need.
    #[must_use]
    pub fn of(rules: &RuleSet) -> Self {
        let past = |rule: &Rule| PastRule {
            id: rule.id.to_string(),
            title: Localized::clone(&rule.title),
            source: rule.source.clone(),
        };
        Self { rules: rules.rules.iter().map(past).collect(), mrp: rules.mrp.clone() }
    }
}

/// Returns the hash of the rule set by which a stored decision was made.
#[must_use]
pub fn ruleset_of(decision: &[u8]) -> Option<String> {
    DecisionRecord::decode(decision).ok().map(|decided| decided.ruleset.to_string())
}

/// Takes a stored decision's matches apart by the rules that made it. Without `then`, those are the ones in use as far
/// as anybody knows. `is_current` tells of each rule whether it is still the same, `is_in_use` whether there still is
/// one of its name, `is_of_then` whether the conditions are those by which it was decided.
#[must_use]
pub fn explain(now: &RuleSet, then: Option<&PastRules>, decision: &[u8]) -> Vec<Value> {
    let Ok(decided) = DecisionRecord::decode(decision) else { return Vec::new() };
    let is_same_set = decided.ruleset == now.hash;
    let at = Time::parse_rfc3339(&decided.occurred_at).ok();
    let present;
    let rules = match then {
        Some(then) => then,
        None => {
            present = PastRules::of(now);
            &present
        }
    };
    let explained = decided.matches.iter().map(|matched| {
        let rule = rules.rules.iter().find(|rule| *rule.id == *matched.rule);
        let present = now.rules.iter().find(|rule| *rule.id == *matched.rule).map(|rule| &rule.source);
        let is_same_rule = then.is_some() && rule.is_some_and(|rule| Some(&rule.source) == present);
        let mut explained = explain_match(rule, (is_same_set || is_same_rule, &rules.mrp, at), matched);
        explained["is_in_use"] = present.is_some().into();
        explained["is_of_then"] = (is_same_set || then.is_some()).into();
        explained
    });
    explained.collect()
}

fn explain_match(
    rule: Option<&PastRule>,
    (is_current, mrp, at): (bool, &MrpTable, Option<Time>),
    matched: &MatchRecord<'_>,
) -> Value {
    let evidence = matched.evidence();
    let conditions: Vec<Value> = rule.map_or_else(Vec::new, |rule| {
        parts::parts(&rule.source).iter().map(|part| condition((part, &rule.source), &evidence, (mrp, at))).collect()
    });
    let when: Vec<&str> = conditions.iter().filter_map(|condition| condition["text"].as_str()).collect();
    json!({
        "rule": matched.rule,
        "clauses": matched.clauses,
        "mode": matched.mode,
        "title": rule.map_or(Value::Null, |rule| localized(&rule.title)),
        "is_current": is_current,
        "when": when.join(" and "),
        "evidence": evidence,
        "message": matched.message.as_ref().map(|message| json!({"kk": message.kk, "ru": message.ru, "en": message.en})),
        "conditions": conditions,
    })
}

/// A text in the three languages, as JSON.
#[must_use]
pub fn localized(text: &Localized) -> Value {
    json!({"kk": text.kk, "ru": text.ru, "en": text.en})
}

fn condition(
    (part, rule_text): (&parts::Part, &str),
    evidence: &Map<String, Value>,
    (mrp, at): (&MrpTable, Option<Time>),
) -> Value {
    let values: Map<String, Value> =
        part.reads.iter().filter_map(|name| evidence.get(name).map(|value| (name.clone(), value.clone()))).collect();
    // The rule fired, so each part held, unless a value was missing and the rule fires then.
    let holds = if values.values().any(Value::is_null) { Value::Null } else { Value::Bool(true) };
    let typed = |(name, value): (&String, &Value)| (name.clone(), typed(value, sentence::kind_of_name(name)));
    let read = sentence::Values { named: values.iter().map(typed).collect(), mrp: at.and_then(|at| mrp.at(at)) };
    let told = |say: fn(sentence::Teller<'_>, &Expression) -> String| {
        let [kk, ru, en] =
            Language::ALL.map(|language| say(sentence::Teller::new(rule_text, &read, language), &part.expression));
        json!({"kk": kk, "ru": ru, "en": en})
    };
    let sentence = told(|teller, part| teller.sentence(part, &[None, None]));
    let opposite = told(|teller, part| teller.opposite(part, &[None, None]));
    let in_tenge = at.and_then(|at| tenge_of_mrp(&part.text, mrp.at(at)?));
    json!({
        "text": part.text,
        "values": values,
        "holds": holds,
        "needed": part.needed,
        "in_tenge": in_tenge,
        "sentence": sentence,
        "opposite": opposite,
    })
}

/// Reads a value of evidence back as what its name says it is; what cannot be read so stays a text.
fn typed(value: &Value, kind: Type) -> localized::Value {
    use localized::Value as Typed;
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => Typed::Missing,
        Value::Bool(value) => Typed::Flag(*value),
        Value::Number(number) => match (number.as_i128(), Decimal::parse(&number.to_string())) {
            (Some(whole), _) => Typed::Whole(whole),
            (None, Some(decimal)) => Typed::Decimal(decimal),
            (None, None) => Typed::Text(number.to_string().into()),
        },
        Value::String(text) => match kind {
            Type::Money => Money::parse(text).map(|money| Typed::Money(money.tiyn().into())),
            Type::Time => Time::parse_rfc3339(text).ok().map(Typed::Time),
            _ => None,
        }
        .unwrap_or_else(|| Typed::Text(text.as_str().into())),
    }
}

/// Turns the one amount in MRP that a text names into tenge: `amount > 100 MRP` at 3,932 tenge is 393200.00.
fn tenge_of_mrp(text: &str, mrp: i64) -> Option<String> {
    let mut parts = text.split(" MRP");
    let (before, _, None) = (parts.next()?, parts.next()?, parts.next()) else { return None };
    let number: i64 = before.rsplit(' ').next()?.replace('_', "").parse().ok()?;
    let mut tenge = String::new();
    fmt_tiyn((i128::from(number)).checked_mul(i128::from(mrp))?, &mut tenge).ok()?;
    Some(tenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_read_back_as_what_its_name_says() {
        let read = |name, value| typed(&value, sentence::kind_of_name(name));
        assert_eq!(read("amount", json!("150000.00")), localized::Value::Money(15_000_000));
        assert_eq!(read("sum(debit.amount by wallet today)", json!("1.50")), localized::Value::Money(150));
        assert_eq!(read("count(login by wallet within 1h)", json!(11)), localized::Value::Whole(11));
        assert_eq!(read("wallet.is_blocked", json!(false)), localized::Value::Flag(false));
        assert_eq!(read("wallet_id", json!("150.00")), localized::Value::Text("150.00".into()));
        assert_eq!(read("ip", Value::Null), localized::Value::Missing);
    }

    #[test]
    fn an_amount_in_mrp_is_shown_in_tenge() {
        let tenge = |text| tenge_of_mrp(text, 393_200);
        assert_eq!(tenge("sum(debit.amount by wallet today) > 100 MRP").as_deref(), Some("393200.00"));
        assert_eq!(tenge("amount > 1_000 MRP").as_deref(), Some("3932000.00"));
        assert_eq!(tenge("amount > 100_000 KZT"), None);
        assert_eq!(tenge("amount > 1 MRP and amount < 2 MRP"), None);
        assert_eq!(tenge("amount > x MRP"), None);
    }
}
