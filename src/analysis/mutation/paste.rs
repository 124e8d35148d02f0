//! Writes a test as the item of a test file's `tests`, ready to be pasted.

use std::fmt::Write as _;

use serde_json::Value;

use crate::operation::time::{DAY, HOUR, MINUTE, Nanos, SECOND};
use crate::rules::test_file::{Expect, ExpectedCommand, Step, TestCase};

/// Returns the test's text: lines that begin with two blanks.
pub(super) fn test(name: &str, test: &TestCase) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    writeln!(out, "  - name: {}", quoted(name)).unwrap_or(());
    let start = test.start.to_almaty().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false);
    writeln!(out, "    start: {start}").unwrap_or(());
    if test.with_all {
        writeln!(out, "    with: all").unwrap_or(());
    }
    if !test.geo.is_empty() {
        let of_address = |(address, known): (&String, &crate::rules::test_file::TestAddress)| {
            let country = known.country.map(|code| format!("country: {}", String::from_utf8_lossy(&code)));
            let anonymizer = known.anonymizer.then(|| "anonymizer: true".to_owned());
            let facts: Vec<String> = country.into_iter().chain(anonymizer).collect();
            format!("{}: {{{}}}", quoted(address), facts.join(", "))
        };
        let addresses: Vec<String> = test.geo.iter().map(of_address).collect();
        writeln!(out, "    geo: {{{}}}", addresses.join(", ")).unwrap_or(());
    }
    if !test.lists.is_empty() {
        let of_list = |(name, list): (&String, &crate::rules::test_file::TestList)| {
            let values: Vec<String> = list.values.iter().map(|(value, _)| quoted(value)).collect();
            format!("{name}: [{}]", values.join(", "))
        };
        let lists: Vec<String> = test.lists.iter().map(of_list).collect();
        writeln!(out, "    lists: {{{}}}", lists.join(", ")).unwrap_or(());
    }
    writeln!(out, "    steps:").unwrap_or(());
    for step in &test.steps {
        writeln!(out, "      - {{{}}}", step_keys(step).join(", ")).unwrap_or(());
    }
    out
}

fn step_keys(step: &Step) -> Vec<String> {
    let mut keys = vec![format!("at: {}", duration(step.at))];
    if step.times > 1 {
        keys.push(format!("times: {}", step.times));
        keys.push(format!("every: {}", duration(step.every)));
    }
    keys.extend(step.operation.iter().map(|(key, value)| format!("{key}: {}", flow(value))));
    let expect = expected(&step.expect);
    if !expect.is_empty() {
        keys.push(format!("expect: {{{}}}", expect.join(", ")));
    }
    keys
}

fn expected(expect: &Expect) -> Vec<String> {
    let mut keys = Vec::new();
    if let Some(verdict) = &expect.verdict {
        keys.push(format!("verdict: {verdict}"));
    }
    for (key, rules) in [("matches", &expect.matches), ("shadow", &expect.shadow)] {
        keys.extend(rules.as_ref().map(|rules| format!("{key}: [{}]", rules.join(", "))));
    }
    if let Some(commands) = &expect.commands {
        let commands: Vec<String> = commands.iter().map(command).collect();
        keys.push(format!("commands: [{}]", commands.join(", ")));
    }
    if let Some(rejected) = &expect.rejected {
        let field = rejected.field.as_ref().map_or_else(String::new, |field| format!(", field: {field}"));
        keys.push(format!("rejected: {{code: {}{field}}}", rejected.code));
    }
    keys
}

fn command(command: &ExpectedCommand) -> String {
    let mut keys = vec![format!("command: {}", command.kind)];
    keys.extend(command.rule.as_ref().map(|rule| format!("rule: {rule}")));
    keys.extend(command.of.as_ref().map(|of| format!("of: {}", quoted(of))));
    keys.extend(command.terms.from.map(|from| format!("from: {}", duration(from))));
    keys.extend(command.terms.until.map(|until| match until {
        Some(until) => format!("until: {}", duration(until)),
        None => "until: until_lifted".to_owned(),
    }));
    keys.extend(command.times.map(|times| format!("times: {times}")));
    if keys.len() == 1 { command.kind.clone() } else { format!("{{{}}}", keys.join(", ")) }
}

/// Writes a value as YAML within braces. Only words that mean nothing else in YAML go without quotes.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => {
            let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
                && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
                    .contains(&text.to_lowercase().as_str());
            if is_word { text.clone() } else { quoted(text) }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text in double quotes; JSON's escapes are YAML's too.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Writes `1h30m`, `59m59.999s`, `-5m`.
fn duration(span: Nanos) -> String {
    let mut rest = span.get().unsigned_abs();
    let mut out = String::from(if span < Nanos::ZERO { "-" } else { "" });
    for (name, unit) in [('d', DAY), ('h', HOUR), ('m', MINUTE)] {
        let unit = unit.get().unsigned_abs();
        if rest >= unit {
            write!(out, "{}{name}", rest / unit).unwrap_or(());
            rest %= unit;
        }
    }
    let second = SECOND.get().unsigned_abs();
    if rest > 0 {
        let decimals = format!("{:09}", rest % second);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(out, "{}{point}{decimals}s", rest / second).unwrap_or(());
    }
    if span == Nanos::ZERO { "0m".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::time::MILLISECOND;

    #[test]
    fn durations_are_written_as_they_are_read() {
        let shown =
            [Nanos::ZERO, SECOND, -5 * MINUTE, DAY + HOUR + MILLISECOND, HOUR - MILLISECOND, 90 * MINUTE].map(duration);
        assert_eq!(shown, ["0m", "1s", "-5m", "1d1h0.001s", "59m59.999s", "1h30m"]);
    }
}
