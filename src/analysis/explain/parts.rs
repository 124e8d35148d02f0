//! A condition taken apart for people: what each part says, what it reads, and what would have to be
//! different for it not to hold.

use crate::rules::condition_of;
use crate::rules::syntax::{Expression, ExpressionKind};

/// One part of a condition; where a rule fires, every part holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// As it was written, in one line.
    pub text: String,
    /// What would have to hold instead.
    pub needed: String,
    /// The names of the evidence it reads, in the order of the text.
    pub reads: Vec<String>,
    pub expression: Expression,
}

/// Takes the condition of a rule's text apart at its outermost `and`. A text that is no rule, or a rule
/// without a condition, has no parts.
#[must_use]
pub(super) fn parts(rule_text: &str) -> Vec<Part> {
    let Some(expression) = condition_of(rule_text) else { return Vec::new() };
    let mut parts = Vec::new();
    split(&expression, rule_text, &mut parts);
    parts
}

fn split(expression: &Expression, text: &str, parts: &mut Vec<Part>) {
    if let ExpressionKind::All(all) = &expression.kind {
        all.iter().for_each(|part| split(part, text, parts));
        return;
    }
    let mut reads = Vec::new();
    collect(expression, text, &mut reads);
    let (said, needed) = (source(expression, text), opposite(expression, text));
    parts.push(Part { text: said, needed, reads, expression: expression.clone() });
}

/// Returns the source with runs of white space as one space.
pub(super) fn source(expression: &Expression, text: &str) -> String {
    let source = text.get(expression.span.clone()).unwrap_or_default();
    source.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn collect(expression: &Expression, text: &str, reads: &mut Vec<String>) {
    match &expression.kind {
        ExpressionKind::Name(name) => reads.push(name.clone()),
        ExpressionKind::Aggregate(_) => reads.push(source(expression, text)),
        ExpressionKind::Not(inner) => collect(inner, text, reads),
        ExpressionKind::All(parts) | ExpressionKind::Any(parts) => {
            parts.iter().for_each(|part| collect(part, text, reads));
        }
        ExpressionKind::Compare { left, right, .. } | ExpressionKind::Arithmetic { left, right, .. } => {
            collect(left, text, reads);
            collect(right, text, reads);
        }
        ExpressionKind::In { what, .. } | ExpressionKind::Has { what, .. } | ExpressionKind::Is { what, .. } => {
            collect(what, text, reads);
        }
        ExpressionKind::Bool(_)
        | ExpressionKind::Number { .. }
        | ExpressionKind::Text(_)
        | ExpressionKind::Matched(_)
        | ExpressionKind::Broken => {}
    }
}

/// Writes what holds where the expression does not.
fn opposite(expression: &Expression, text: &str) -> String {
    match &expression.kind {
        ExpressionKind::Compare { left, comparison, right } => {
            let opposite = comparison.opposite().sign();
            format!("{} {opposite} {}", source(left, text), source(right, text))
        }
        ExpressionKind::In { what, negated, list } => {
            let verb = if *negated { "in" } else { "not in" };
            format!("{} {verb} {}", source(what, text), list.text)
        }
        ExpressionKind::Is { what, missing } => {
            let word = if *missing { "present" } else { "missing" };
            format!("{} is {word}", source(what, text))
        }
        ExpressionKind::Not(inner) => source(inner, text),
        ExpressionKind::All(parts) => joined(parts, text, " or "),
        ExpressionKind::Any(parts) => joined(parts, text, " and "),
        ExpressionKind::Name(_)
        | ExpressionKind::Aggregate(_)
        | ExpressionKind::Has { .. }
        | ExpressionKind::Matched(_)
        | ExpressionKind::Bool(_)
        | ExpressionKind::Number { .. }
        | ExpressionKind::Text(_)
        | ExpressionKind::Arithmetic { .. }
        | ExpressionKind::Broken => format!("not {}", source(expression, text)),
    }
}

fn joined(parts: &[Expression], text: &str, word: &str) -> String {
    parts.iter().map(|part| opposite(part, text)).collect::<Vec<_>>().join(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(when: &str, expected: &[(&str, &str, &[&str])]) {
        let rule = format!(
            "rule: x\nclauses: [\"7.1\"]\ntitle: {{kk: a, ru: b, en: c}}\nowner: o\nmode: enforce\non: transfer\nwhen: |\n  {when}\nthen: [refuse]\n"
        );
        let parts = parts(&rule);
        let found: Vec<_> = parts
            .iter()
            .map(|part| {
                let reads: Vec<&str> = part.reads.iter().map(String::as_str).collect();
                (&*part.text, &*part.needed, reads)
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(|(text, needed, reads)| (*text, *needed, reads.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn conditions_are_taken_apart() {
        check("amount > 100000 KZT", &[("amount > 100000 KZT", "amount <= 100000 KZT", &["amount"])]);
        check(
            "counterparty.kind = client\n  and count(transfer by wallet,\n    amount within 1h) > 10",
            &[
                ("counterparty.kind = client", "counterparty.kind != client", &["counterparty.kind", "client"]),
                (
                    "count(transfer by wallet, amount within 1h) > 10",
                    "count(transfer by wallet, amount within 1h) <= 10",
                    &["count(transfer by wallet, amount within 1h)"],
                ),
            ],
        );
        check(
            "ip is present and (wallet_id in watched or not ip.is_anonymizer)",
            &[
                ("ip is present", "ip is missing", &["ip"]),
                (
                    "(wallet_id in watched or not ip.is_anonymizer)",
                    "wallet_id not in watched and ip.is_anonymizer",
                    &["wallet_id", "ip.is_anonymizer"],
                ),
            ],
        );
    }

    #[test]
    fn what_is_no_rule_has_no_parts() {
        assert_eq!(parts(""), []);
        assert_eq!(parts("rule: [\n"), []);
        assert_eq!(parts("rule: x\n"), []);
    }
}
