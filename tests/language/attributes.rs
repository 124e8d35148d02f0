//! Numbers of attributes are exact decimals: conditions and aggregates against `rust_decimal`.

use std::collections::BTreeMap;

use kuzet::adapters::memory::MemoryStore;
use kuzet::operation::decision::read::DecisionRecord;
use kuzet::pipeline::{Answer, Pipeline, Record};
use rust_decimal::Decimal;
use serde_json::json;
use serde_json::value::RawValue;

use super::{payment, pipeline, rule};
use crate::random::Random;

/// A payment whose attributes stand there as they are given.
fn line(number: usize, seconds: i64, attributes: &str, more: &[(&str, &str)]) -> String {
    let mut operation = payment(number, seconds, "1", &json!({"attributes": "@"}));
    for (key, value) in more {
        operation[*key] = (*value).into();
    }
    operation.to_string().replace("\"@\"", attributes)
}

/// Decides a line; returns the decision's bytes.
fn decide(pipeline: &mut Pipeline<MemoryStore>, line: &str) -> Vec<u8> {
    let committed =
        pipeline.process(&[Record { bytes: line.as_bytes(), arrived_at: None }]).expect("a store in memory");
    let mut json = Vec::new();
    match &committed.answers[0] {
        Answer::Decided(decision) => decision.encode(&mut json),
        other => panic!("{other:?} to {line}"),
    }
    json
}

fn watching(condition: &str, more: &str) -> Pipeline<MemoryStore> {
    let lines = format!("on: payment\nwhen: |\n  {condition}\n{more}then:\n  - report: afm");
    pipeline(vec![rule("r", "enforce", &lines)])
}

/// Whether a rule of this condition fires, and what the decision names as degraded.
fn asked(condition: &str, attributes: &str) -> (bool, String) {
    let json = decide(&mut watching(condition, ""), &line(0, 0, attributes, &[]));
    let decision: serde_json::Value = serde_json::from_slice(&json).expect("a decision");
    let fires = decision["matches"].as_array().is_some_and(|matches| !matches.is_empty());
    (fires, decision["degraded"].to_string())
}

#[test]
fn numbers_are_exact_however_they_are_written() {
    for (condition, attributes, fires) in [
        ("attributes.x = 5", r#"{"x":5.0}"#, true),
        ("attributes.x = 5", r#"{"x":50e-1}"#, true),
        ("attributes.x = 5", r#"{"x":5}"#, true),
        ("attributes.x = 5", r#"{"x":5.000000000000000000000000001}"#, false),
        ("attributes.x != 5", r#"{"x":5.000000000000000000000000001}"#, false),
        ("attributes.x >= 80", r#"{"x":87.5}"#, true),
        ("attributes.x >= 80", r#"{"x":79.9999999999999999999999999}"#, false),
        ("attributes.x >= 87.5", r#"{"x":87.50}"#, true),
        ("attributes.x > 87.5", r#"{"x":87.5}"#, false),
        ("attributes.x > 0.01", r#"{"x":1e-2}"#, false),
        ("attributes.x < 0", r#"{"x":-1e-300}"#, true),
        ("attributes.x > 1_000_000", r#"{"x":1e300}"#, true),
        ("attributes.x = attributes.y", r#"{"x":5.0,"y":50e-1}"#, true),
        ("attributes.x = attributes.y", r#"{"x":"5","y":5}"#, false),
        ("attributes.x = attributes.y", r#"{"x":"a","y":"a"}"#, true),
        ("attributes.x < attributes.y", r#"{"x":1e-28,"y":1234567890123456789012345678}"#, true),
        ("attributes.x + attributes.y > 0.3", r#"{"x":0.1,"y":0.2}"#, false),
        ("attributes.x + attributes.y = 0.3", r#"{"x":0.1,"y":0.2}"#, true),
        ("attributes.x * 3 = 1", r#"{"x":0.3333333333333333333333333333}"#, false),
        ("attributes.x / attributes.y > 1_000", r#"{"x":1e28,"y":1e-28}"#, true),
        ("attributes.x / attributes.y > 1_000", r#"{"x":1,"y":0.0}"#, false),
        ("attributes.x % 2 = 1.5", r#"{"x":7.5}"#, true),
    ] {
        // An unequal number is a number all the same: nothing is degraded.
        let expected = if condition == "attributes.x != 5" { true } else { fires };
        assert_eq!(asked(condition, attributes), (expected, "[]".to_owned()), "{condition} of {attributes}");
    }
}

#[test]
fn a_value_of_another_kind_is_unknown_and_named() {
    let named = |fires: bool, name: &str| (fires, format!("[\"attributes.{name}\"]"));
    let unnamed = |fires: bool| (fires, "[]".to_owned());
    for (condition, attributes, expected) in [
        ("attributes.x >= 80", r#"{"x":"87.5"}"#, named(false, "x")),
        ("not attributes.x >= 80", r#"{"x":true}"#, named(false, "x")),
        ("attributes.x = \"a\"", r#"{"x":5}"#, named(false, "x")),
        ("attributes.x", r#"{"x":"true"}"#, named(false, "x")),
        ("attributes.x >= 80 or amount = 1 KZT", r#"{"x":"a"}"#, named(true, "x")),
        ("attributes.x > 5 KZT", r#"{"x":6}"#, named(false, "x")),
        ("attributes.x > 0", r#"{"x":1e401}"#, named(false, "x")),
        ("attributes.x >= 80", "{}", unnamed(false)),
        ("attributes.x >= 80", r#"{"x":null}"#, unnamed(false)),
        ("attributes.x >= 80", r#"{"y":"a"}"#, unnamed(false)),
        ("attributes.x is missing", r#"{"x":"a"}"#, unnamed(false)),
        ("attributes.x is missing", r#"{"x":1.5}"#, unnamed(false)),
        ("attributes.x is missing", r#"{"x":false}"#, unnamed(false)),
        ("attributes.x is missing", r#"{"x":null}"#, unnamed(true)),
        ("attributes.x is missing", r#"{"y":1}"#, unnamed(true)),
        ("attributes.x is present", r#"{"x":1e401}"#, unnamed(true)),
        ("sum(payment.attributes.x by wallet today) >= 0", r#"{"x":"1"}"#, named(true, "x")),
        ("sum(payment.attributes.x by wallet today) >= 0", r#"{"x":1e13}"#, named(true, "x")),
        ("sum(payment.attributes.x by wallet today) >= 0", r#"{"x":1.5}"#, unnamed(true)),
        ("count(payment by wallet, attributes.x today) = 1", r#"{"x":"1"}"#, unnamed(true)),
        ("distinct(payment.attributes.x by wallet today) = 1", r#"{"x":1e401}"#, unnamed(true)),
    ] {
        assert_eq!(asked(condition, attributes), expected, "{condition} of {attributes}");
    }
}

/// A decimal below 10^12 with at most 9 places, and one of the ways to write it.
fn number(random: &mut Random) -> (Decimal, String) {
    let digits = 10_i64.pow(random.below(13_u32));
    let mantissa = random.below(digits) - random.below(digits) / 2;
    let places = random.below(10_u32);
    let value = Decimal::new(mantissa, places);
    let written = match random.below(3_u32) {
        0 => value.to_string(),
        1 => format!("{mantissa}e-{places}"),
        _ if mantissa == 0 || value.scale() == 0 => value.to_string(),
        _ => format!("{value}00"),
    };
    (value, written)
}

/// What a condition says of two decimals.
type Naive = fn(Decimal, Decimal) -> bool;

#[test]
fn comparisons_and_arithmetic_equal_those_of_rust_decimal() {
    let mut random = Random(7);
    println!("seed 7");
    let conditions: [(&str, Naive); 8] = [
        ("attributes.x = attributes.y", |x, y| x == y),
        ("attributes.x < attributes.y", |x, y| x < y),
        ("attributes.x >= attributes.y", |x, y| x >= y),
        ("attributes.x + 1 > attributes.y", |x, y| x + Decimal::ONE > y),
        ("attributes.x - attributes.y <= 0.5", |x, y| x - y <= Decimal::new(5, 1)),
        ("attributes.x * attributes.y > 100", |x, y| (x / Decimal::TEN) * (y / Decimal::TEN) > Decimal::ONE),
        ("attributes.x * 100 >= attributes.y * 80", |x, y| x * Decimal::from(100) >= y * Decimal::from(80)),
        ("attributes.x % 7 = attributes.y % 7", |x, y| x % Decimal::from(7) == y % Decimal::from(7)),
    ];
    for (condition, naive) in conditions {
        let mut pipeline = watching(condition, "");
        for round in 0..300 {
            let (x, x_written) = number(&mut random);
            let (y, y_written) = if random.below(4_u32) == 0 { (x, x.to_string()) } else { number(&mut random) };
            if condition.contains("* attributes.y >")
                && (x.scale() + y.scale() > 14 || x.abs() > Decimal::from(9_999_999))
            {
                continue;
            }
            let attributes = format!(r#"{{"x":{x_written},"y":{y_written}}}"#);
            let json = decide(&mut pipeline, &line(round, i64::try_from(round).expect("small"), &attributes, &[]));
            let decision = DecisionRecord::decode(&json).expect("a decision");
            assert_eq!(!decision.matches.is_empty(), naive(x, y), "{condition} of {attributes}");
        }
    }
}

const SUM: &str = "sum(payment.attributes.x by wallet within 5m)";
const SUM_BEFORE: &str = "sum(payment.attributes.x by wallet within 5m excluding this)";
const DAY: &str = "sum(payment.attributes.x by wallet today)";
const MIN: &str = "min(payment.attributes.x by wallet within 5m)";
const MAX: &str = "max(payment.attributes.x by wallet today)";
const AVG: &str = "avg(payment.attributes.x by wallet within 5m)";
const DAY_AVG: &str = "avg(payment.attributes.x by wallet today)";
const LAST: &str = "last(payment.attributes.x by wallet within 10m)";
const DISTINCT: &str = "distinct(payment.attributes.x by wallet within 10m)";
const EQUAL: &str = "count(payment by wallet, attributes.x within 10m)";
const LESS: &str = "count(payment where attributes.x < this.attributes.x by wallet within 10m)";
const BIG: &str = "count(payment where attributes.x > 2.5 by wallet within 10m)";
const DEVICE: &str = "sum(payment.attributes.x by device_id within 5m)";
const DEVICE_AVG: &str = "avg(payment.attributes.x by device_id within 5m)";
const DEVICE_LAST: &str = "last(payment.attributes.x by device_id within 5m)";

struct Seen {
    wallet: u64,
    device: u64,
    seconds: i64,
    value: Option<Decimal>,
}

/// The values of those of `entries` whose time lies in the span, which is closed.
fn inside(entries: &[&Seen], from: i64, to: i64) -> Vec<Decimal> {
    entries.iter().filter(|e| (from..=to).contains(&e.seconds)).filter_map(|e| e.value).collect()
}

/// The largest measure of the closed windows of this length that hold `at`.
fn fullest(entries: &[&Seen], at: i64, length: i64, measure: impl Fn(&[Decimal]) -> Decimal) -> Decimal {
    // What a window holds changes where one enters, and just after one was last in.
    let changes = entries.iter().flat_map(|e| [e.seconds, e.seconds + length + 1]);
    let ends = changes.filter(|end| (at..=at + length).contains(end)).chain([at]);
    ends.map(|end| measure(&inside(entries, end - length, end))).max().expect("one")
}

fn total(values: &[Decimal]) -> Decimal {
    values.iter().sum()
}

/// Rounded to the last place that is shown, a tie upwards.
fn mean(values: &[Decimal]) -> Option<Decimal> {
    let units = Decimal::from(10_000_000_000_000_000_i64);
    let half = Decimal::new(5, 1);
    (!values.is_empty()).then(|| (total(values) / Decimal::from(values.len()) * units + half).floor() / units)
}

fn latest(entries: &[&Seen], at: i64, length: i64) -> Option<Decimal> {
    let known = entries.iter().enumerate().filter(|(_, entry)| entry.value.is_some());
    let last = known.max_by_key(|(arrival, entry)| (entry.seconds, *arrival)).map(|(_, entry)| entry);
    last.filter(|entry| (entry.seconds - at).abs() <= length).and_then(|entry| entry.value)
}

fn is_tied(entries: &[&Seen]) -> bool {
    let last = entries.iter().filter(|entry| entry.value.is_some()).map(|entry| entry.seconds).max();
    entries.iter().filter(|entry| entry.value.is_some() && Some(entry.seconds) == last).count() > 1
}

fn expected(all: &[Seen]) -> BTreeMap<&'static str, Option<Decimal>> {
    let this = all.last().expect("one");
    let at = this.seconds;
    let own: Vec<&Seen> = all.iter().filter(|entry| entry.wallet == this.wallet).collect();
    let before = own.split_last().map_or(&[][..], |(_, before)| before);
    let device: Vec<&Seen> = all.iter().filter(|entry| entry.device == this.device).collect();
    let device_before = device.split_last().map_or(&[][..], |(_, before)| before);
    let day = inside(&own, i64::MIN, i64::MAX);
    let recent = inside(&own, at - 300, at);
    let count_of = |wanted: &dyn Fn(Decimal) -> bool| {
        fullest(&own, at, 600, |values| values.iter().filter(|value| wanted(**value)).count().into())
    };
    let distinct = |values: &[Decimal]| {
        let mut values = values.to_vec();
        values.sort_unstable();
        values.dedup();
        values.len().into()
    };
    BTreeMap::from([
        (SUM, Some(fullest(&own, at, 300, total))),
        (SUM_BEFORE, Some(fullest(before, at, 300, total))),
        (DAY, Some(total(&day))),
        (MIN, recent.iter().min().copied()),
        (MAX, day.iter().max().copied()),
        (AVG, mean(&recent)),
        (DAY_AVG, mean(&day)),
        (LAST, latest(before, at, 600)),
        (DISTINCT, Some(fullest(&own, at, 600, distinct))),
        (EQUAL, this.value.map(|this| count_of(&|value| value == this))),
        (LESS, Some(this.value.map_or(Decimal::ZERO, |this| count_of(&|value| value < this)))),
        (BIG, Some(count_of(&|value| value > Decimal::new(25, 1)))),
        (DEVICE, Some(fullest(&device, at, 300, total))),
        (DEVICE_AVG, mean(&inside(&device, at - 300, at))),
        // Which of two wallets' operations at one instant is the last, no order of arrival tells.
        (DEVICE_LAST, latest(device_before, at, 300).filter(|_| !is_tied(device_before))),
    ])
}

fn stream(seed: u64, count: usize, wallets: u64) {
    let mut random = Random(seed);
    let aggregates = [
        SUM,
        SUM_BEFORE,
        DAY,
        MIN,
        MAX,
        AVG,
        DAY_AVG,
        LAST,
        DISTINCT,
        EQUAL,
        LESS,
        BIG,
        DEVICE,
        DEVICE_AVG,
        DEVICE_LAST,
    ];
    // Always true where it is known, and a comparison with a number says what attributes are.
    let condition: Vec<String> =
        aggregates.iter().map(|aggregate| format!("{aggregate} > 0 - 1_000_000_000_000_000")).collect();
    let mut pipeline = watching(&condition.join("\n  and "), "on_missing: fire\n");
    let pool = [
        "0",
        "2.5",
        "25e-1",
        "2.50",
        "-1.25",
        "0.8734521987654321",
        "1e3",
        "1000.000",
        "3",
        "0.1",
        "0.2",
        "99999.00001",
    ];
    let (mut seen, mut newest): (Vec<Seen>, i64) = (Vec::new(), 0);
    for number in 0..count {
        let steps: [i64; 6] = [0, 1, 20, 59, 61, 120];
        newest += steps[random.below(steps.len())];
        let late = if random.below(4_u32) == 0 { random.below(290_i64) } else { 0 };
        let written = (random.below(8_u32) > 0).then(|| pool[random.below(pool.len())]);
        let parse = |text: &str| text.parse().or_else(|_| Decimal::from_scientific(text)).expect("a decimal");
        let entry = Seen {
            wallet: random.below(wallets),
            device: random.below(2),
            seconds: (newest - late).max(0),
            value: written.map(parse),
        };
        let attributes = written.map_or_else(|| "{}".to_owned(), |written| format!(r#"{{"x":{written}}}"#));
        let (wallet, device) = (format!("W{}", entry.wallet), format!("d{}", entry.device));
        let line = line(number, entry.seconds, &attributes, &[("wallet_id", &wallet), ("device_id", &device)]);
        seen.push(entry);
        let json = decide(&mut pipeline, &line);
        let decision = DecisionRecord::decode(&json).expect("a decision");
        let shown: BTreeMap<String, &RawValue> =
            serde_json::from_str(decision.matches[0].evidence.get()).expect("evidence");
        for (aggregate, wanted) in expected(&seen) {
            let found = shown[aggregate].get();
            let is_told = aggregate != DEVICE_LAST || wanted.is_some();
            let found = (found != "null" && is_told).then(|| found.parse::<Decimal>().expect("a number"));
            assert_eq!(found, wanted, "seed {seed}, operation {number}: {aggregate}");
        }
    }
}

#[test]
fn aggregates_of_decimals_equal_those_of_rust_decimal() {
    println!("seeds 1..25");
    for seed in 1..25 {
        stream(seed, 120, 1 + seed % 3);
    }
}

#[test]
fn aggregates_of_decimals_over_one_long_log_equal_those_of_rust_decimal() {
    println!("seeds 100..103");
    for seed in 100..103 {
        stream(seed, 500, 1);
    }
}
