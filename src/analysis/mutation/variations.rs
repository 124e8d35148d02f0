//! Small variations of a test, at the values where a rule may change its mind.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::operation::money::fmt_tiyn;
use crate::operation::time::{DAY, HOUR, MILLISECOND, MINUTE, Nanos, SECOND};
use crate::rules::program::{Action, BlockTerm, MrpTable, RuleSet, TypeSet};
use crate::rules::syntax::{Expression, ExpressionKind, KeySyntax, Unit, WindowKind};
use crate::rules::test_file::{Step, TIMES_MAX, TestCase};
use crate::rules::{conditions_of, words_of};

/// What a rule's text reads and compares with.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Tiyn.
    money: BTreeSet<i64>,
    /// Hundredths of the MRP.
    mrp: BTreeSet<i64>,
    durations: BTreeSet<Nanos>,
    counts: BTreeSet<u32>,
    /// Paths of fields.
    fields: BTreeSet<String>,
    types: TypeSet,
    mrp_table: MrpTable,
}

impl Hints {
    pub(super) fn of(rules: &RuleSet, rule: &str, text: &str) -> Self {
        let known = rules.rules.iter().find(|known| &*known.id == rule);
        let types = known.map(|rule| rule.on).unwrap_or_default();
        let mut hints = Self { types, mrp_table: rules.mrp.clone(), ..Self::default() };
        for condition in conditions_of(text) {
            hints.collect(&condition);
        }
        for action in known.iter().flat_map(|rule| &rule.actions) {
            if let Action::Block { term: BlockTerm::Exact(nanos), .. } = action {
                hints.durations.insert(*nanos);
            }
        }
        hints
    }

    fn collect(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Number { hundredths, unit, .. } => self.number(*hundredths, *unit),
            ExpressionKind::Name(name) => {
                self.fields.insert(name.strip_prefix("this.").unwrap_or(name).to_owned());
            }
            ExpressionKind::Not(inner) => self.collect(inner),
            ExpressionKind::All(parts) | ExpressionKind::Any(parts) => parts.iter().for_each(|part| self.collect(part)),
            ExpressionKind::Compare { left, right, .. } | ExpressionKind::Arithmetic { left, right, .. } => {
                self.collect(left);
                self.collect(right);
            }
            ExpressionKind::In { what, .. } | ExpressionKind::Has { what, .. } | ExpressionKind::Is { what, .. } => {
                self.collect(what);
            }
            ExpressionKind::Aggregate(aggregate) => {
                if let Some((_, path)) = aggregate.stream.text.split_once('.') {
                    self.fields.insert(path.to_owned());
                }
                if let WindowKind::Within(nanos) | WindowKind::Quiet(nanos) = aggregate.window.kind {
                    self.durations.insert(nanos);
                }
                if let KeySyntax::By(names) = &aggregate.key {
                    let path = |name: &str| if name == "wallet" { "wallet_id".to_owned() } else { name.to_owned() };
                    self.fields.extend(names.iter().map(|name| path(&name.text)));
                }
                aggregate.filter.iter().for_each(|filter| self.collect(filter));
            }
            ExpressionKind::Bool(_) | ExpressionKind::Text(_) | ExpressionKind::Matched(_) | ExpressionKind::Broken => {
            }
        }
    }

    fn number(&mut self, hundredths: i128, unit: Option<Unit>) {
        let number = i64::try_from(hundredths).ok();
        let of = |unit: Nanos| number.and_then(|number| (unit / 100).checked_mul(number));
        match unit {
            Some(Unit::Kzt) => self.money.extend(number),
            Some(Unit::Mrp) => self.mrp.extend(number),
            Some(Unit::Second) => self.durations.extend(of(SECOND)),
            Some(Unit::Minute) => self.durations.extend(of(MINUTE)),
            Some(Unit::Hour) => self.durations.extend(of(HOUR)),
            Some(Unit::Day) => self.durations.extend(of(DAY)),
            Some(Unit::Month) => {}
            None => self.counts.extend(u32::try_from(hundredths / 100).ok().filter(|count| *count <= TIMES_MAX)),
        }
    }

    /// The sums at which the rule may change its mind, in tiyn.
    fn sums(&self, test: &TestCase) -> BTreeSet<i64> {
        let in_tiyn = |hundredths: &i64| Some(self.mrp_table.at(test.start)?.checked_mul(*hundredths)? / 100);
        self.money.iter().copied().chain(self.mrp.iter().filter_map(in_tiyn)).collect()
    }
}

/// Lists the test with one thing changed, each in turn: the telling values first.
pub(super) fn variations(test: &TestCase, hints: &Hints) -> Vec<TestCase> {
    let mut out = Vec::new();
    for at in 0..test.steps.len() {
        amounts(test, at, hints, &mut out);
        repetitions(test, at, hints, &mut out);
        times(test, at, hints, &mut out);
        fields(test, at, hints, &mut out);
    }
    out
}

/// The test with a step changed by `change`.
fn with_step(test: &TestCase, at: usize, change: impl FnOnce(&mut Step)) -> TestCase {
    let mut test = test.clone();
    change(&mut test.steps[at]);
    test
}

fn amounts(test: &TestCase, at: usize, hints: &Hints, out: &mut Vec<TestCase>) {
    let Some(own) = test.steps[at].operation.get("amount").and_then(tiyn_of) else { return };
    let sums = hints.sums(test);
    let others = sums.iter().flat_map(|sum| [*sum, sum + 1, sum - 1]).chain([own + 1, own - 1]);
    // What is missing to a sum, or too much for it, after the other steps.
    let rest: i64 = (0..test.steps.len()).filter(|other| *other != at).map(|other| total(&test.steps[other])).sum();
    let missing = sums.iter().flat_map(|sum| [sum - rest, sum - rest + 1, sum - rest - 1]);
    let amounts: BTreeSet<i64> = others.chain(missing).filter(|amount| *amount > 0 && *amount != own).collect();
    for amount in amounts {
        let mut text = String::new();
        // Writing to a text cannot fail.
        fmt_tiyn(amount.into(), &mut text).unwrap_or(());
        out.push(with_step(test, at, |step| set_at(&mut step.operation, "amount", Some(Value::from(text)))));
    }
}

fn tiyn_of(amount: &Value) -> Option<i64> {
    let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{fraction:0<2}").parse().ok().filter(|_| fraction.len() <= 2)
}

fn total(step: &Step) -> i64 {
    let amount = step.operation.get("amount").and_then(tiyn_of).unwrap_or(0);
    amount.saturating_mul(i64::from(step.times))
}

fn repetitions(test: &TestCase, at: usize, hints: &Hints, out: &mut Vec<TestCase>) {
    let own = test.steps[at].times;
    let near = |count: u32| [count.saturating_sub(1), count, count + 1];
    let counts: BTreeSet<u32> = hints.counts.iter().copied().flat_map(near).chain(near(own)).collect();
    for times in counts.into_iter().filter(|times| (1..=TIMES_MAX).contains(times) && *times != own) {
        out.push(with_step(test, at, |step| {
            step.times = times;
            step.every = if step.every == Nanos::ZERO { SECOND } else { step.every };
        }));
    }
    let mut again = test.clone();
    let copy = Step { at: test.steps[at].at + SECOND, ..test.steps[at].clone() };
    again.steps.insert(at + 1, copy);
    out.push(again);
    if test.steps.len() > 1 {
        let mut without = test.clone();
        without.steps.remove(at);
        out.push(without);
    }
}

/// A step, and all after it, so far from an earlier one as a window is long: a second and a millisecond less and more.
fn times(test: &TestCase, at: usize, hints: &Hints, out: &mut Vec<TestCase>) {
    for earlier in &test.steps[..at] {
        let last = earlier.at + i64::from(earlier.times - 1) * earlier.every;
        for from in BTreeSet::from([earlier.at, last]) {
            for length in &hints.durations {
                for slip in [Nanos::ZERO, -MILLISECOND, MILLISECOND, -SECOND, SECOND] {
                    let moved = from + *length + slip - test.steps[at].at;
                    if moved != Nanos::ZERO {
                        let mut other = test.clone();
                        other.steps[at..].iter_mut().for_each(|step| step.at += moved);
                        out.push(other);
                    }
                }
            }
        }
    }
}

fn fields(test: &TestCase, at: usize, hints: &Hints, out: &mut Vec<TestCase>) {
    let operation = &test.steps[at].operation;
    for path in &hints.fields {
        let now = value_at(operation, path);
        let mut others: Vec<Option<Value>> = Vec::new();
        let path = match path.as_str() {
            "ip.country" | "ip.is_anonymizer" => "ip",
            path => path,
        };
        let words = words_of(path).unwrap_or_default();
        others.extend(words.iter().map(|word| Some(Value::from(*word))));
        if words.is_empty() && path != "amount" {
            // Another value of its own, and the values that other steps have there.
            let fresh = if path == "ip" { "198.51.100.250" } else { "another" };
            others.push(Some(Value::from(fresh)));
            others.extend(test.steps.iter().map(|step| value_at(&step.operation, path).cloned()));
        }
        if path == "counterparty.wallet_id" {
            others.push(operation.get("wallet_id").cloned());
        }
        if path == "ip" {
            others.extend(test.geo.keys().map(|address| Some(Value::from(address.as_str()))));
        }
        others.push(None);
        for other in others.into_iter().filter(|other| other.as_ref() != now) {
            out.push(with_step(test, at, |step| set_at(&mut step.operation, path, other)));
        }
    }
    // What lifts a restriction or releases what waits, by each proof.
    for proof in words_of("proof").unwrap_or_default() {
        let mut confirmed = test.clone();
        let mut fields = Map::new();
        fields.insert("type".to_owned(), Value::from("identity_confirmed"));
        fields.insert("proof".to_owned(), Value::from(*proof));
        fields.extend(operation.get("wallet_id").map(|wallet| ("wallet_id".to_owned(), wallet.clone())));
        let (every, times) = (Nanos::ZERO, 1);
        let after = Step { at: test.steps[at].at + SECOND, operation: fields, every, times, ..test.steps[at].clone() };
        confirmed.steps.insert(at + 1, after);
        out.push(confirmed);
    }
    for kind in hints.types.iter() {
        if operation.get("type").and_then(Value::as_str) != Some(kind.name()) {
            out.push(with_step(test, at, |step| set_at(&mut step.operation, "type", Some(Value::from(kind.name())))));
        }
    }
}

fn value_at<'o>(operation: &'o Map<String, Value>, path: &str) -> Option<&'o Value> {
    match path.split_once('.') {
        Some((outer, inner)) => operation.get(outer)?.get(inner),
        None => operation.get(path),
    }
}

fn set_at(operation: &mut Map<String, Value>, path: &str, value: Option<Value>) {
    let (fields, key) = match path.split_once('.') {
        Some((outer, inner)) => {
            let fields = operation.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(fields) = fields else { return };
            (fields, inner)
        }
        None => (operation, path),
    };
    match value {
        Some(value) => drop(fields.insert(key.to_owned(), value)),
        None => drop(fields.remove(key)),
    }
}
