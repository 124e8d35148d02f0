//! Aggregates over decimals of attributes, short and long ones, against whole numbers of tiny units.

use std::collections::BTreeMap;

use kuzet::adapters::memory::MemoryStore;
use kuzet::operation::decision::read::DecisionRecord;
use kuzet::pipeline::Pipeline;
use num_bigint::BigInt;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::attributes::{decide, line, watching};
use crate::random::Random;

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
const DEVICE_MIN: &str = "min(payment.attributes.x by device_id today)";
const DEVICE_LAST: &str = "last(payment.attributes.x by device_id within 5m)";

/// Units of 10^-60: every decimal of these tests is a whole number of them.
type Units = BigInt;

const PLACES: usize = 60;

fn ten(power: usize) -> Units {
    BigInt::from(10).pow(u32::try_from(power).expect("small"))
}

/// Reads a JSON number.
fn units(number: &str) -> Units {
    let (digits, power) = number.split_once('e').unwrap_or((number, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa: BigInt = format!("{whole}{fraction}").parse().expect("digits");
    let power = i64::try_from(PLACES - fraction.len()).expect("small") + power.parse::<i64>().expect("a power");
    mantissa * ten(usize::try_from(power).expect("no more than 60 places"))
}

/// How many digits count, and how many places the last of them has.
fn digits(units: &Units) -> (usize, usize) {
    let written = units.magnitude().to_string();
    let significant = written.trim_end_matches('0').len();
    (significant, PLACES.saturating_sub(written.len() - significant))
}

/// A total of at most 38 digits.
fn held(total: Units) -> Option<Units> {
    (digits(&total).0 <= 38).then_some(total)
}

struct Seen {
    wallet: u64,
    device: u64,
    seconds: i64,
    value: Option<Units>,
}

/// The values of those of `entries` whose time lies in the span, which is closed.
fn inside(entries: &[&Seen], from: i64, to: i64) -> Vec<Units> {
    entries.iter().filter(|e| (from..=to).contains(&e.seconds)).filter_map(|e| e.value.clone()).collect()
}

/// The largest measure of the closed windows of this length that hold `at`.
fn fullest<T: Ord>(entries: &[&Seen], at: i64, length: i64, measure: impl Fn(&[Units]) -> T) -> T {
    // What a window holds changes where one enters, and just after one was last in: half a second later, say.
    let changes = entries.iter().flat_map(|e| [2 * e.seconds, 2 * (e.seconds + length) + 1]);
    let ends = changes.filter(|end| (2 * at..=2 * (at + length)).contains(end)).chain([2 * at]);
    // From its beginning rounded up to a second until its end rounded down.
    ends.map(|end| measure(&inside(entries, (end + 1) / 2 - length, end / 2))).max().expect("one")
}

fn total(values: &[Units]) -> Units {
    values.iter().sum()
}

/// Rounded to the last place that the total has, or to 16 if those are more, or to fewer where more than 38 digits
/// would count; a tie upwards.
fn mean(values: &[Units]) -> Option<Units> {
    let total = held(total(values)).filter(|_| !values.is_empty())?;
    let rounded = |places: usize| {
        let unit = ten(PLACES - places);
        let (twice, divisor) = (&total * 2 + &unit * values.len(), &unit * values.len() * 2);
        let whole: Units = &twice / &divisor;
        if &whole * &divisor > twice { whole - 1 } else { whole }
    };
    let places = (0..=digits(&total).1.max(16)).rev().find(|places| rounded(*places).magnitude() < ten(38).magnitude());
    places.map(|places| rounded(places) * ten(PLACES - places))
}

fn latest(entries: &[&Seen], at: i64, length: i64) -> Option<Units> {
    let known = entries.iter().enumerate().filter(|(_, entry)| entry.value.is_some());
    let last = known.max_by_key(|(arrival, entry)| (entry.seconds, *arrival)).map(|(_, entry)| entry);
    last.filter(|entry| (entry.seconds - at).abs() <= length).and_then(|entry| entry.value.clone())
}

fn is_tied(entries: &[&Seen]) -> bool {
    let last = entries.iter().filter(|entry| entry.value.is_some()).map(|entry| entry.seconds).max();
    entries.iter().filter(|entry| entry.value.is_some() && Some(entry.seconds) == last).count() > 1
}

fn expected(all: &[Seen]) -> BTreeMap<&'static str, Option<Units>> {
    let this = all.last().expect("one");
    let at = this.seconds;
    let own: Vec<&Seen> = all.iter().filter(|entry| entry.wallet == this.wallet).collect();
    let before = own.split_last().map_or(&[][..], |(_, before)| before);
    let device: Vec<&Seen> = all.iter().filter(|entry| entry.device == this.device).collect();
    let device_before = device.split_last().map_or(&[][..], |(_, before)| before);
    let day = inside(&own, i64::MIN, i64::MAX);
    let recent = inside(&own, at - 300, at);
    let whole = |count: usize| Some(ten(PLACES) * count);
    let count_of = |wanted: &dyn Fn(&Units) -> bool| {
        whole(fullest(&own, at, 600, |values| values.iter().filter(|value| wanted(value)).count()))
    };
    let distinct = |values: &[Units]| {
        let mut values = values.to_vec();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    BTreeMap::from([
        (SUM, held(fullest(&own, at, 300, total))),
        (SUM_BEFORE, held(fullest(before, at, 300, total))),
        (DAY, held(total(&day))),
        (MIN, recent.iter().min().cloned()),
        (MAX, day.iter().max().cloned()),
        (AVG, mean(&recent)),
        (DAY_AVG, mean(&day)),
        (LAST, latest(before, at, 600)),
        (DISTINCT, whole(fullest(&own, at, 600, distinct))),
        (EQUAL, this.value.as_ref().and_then(|this| count_of(&|value| value == this))),
        (LESS, this.value.as_ref().map_or_else(|| whole(0), |this| count_of(&|value| value < this))),
        (BIG, count_of(&|value| *value > units("2.5"))),
        (DEVICE, held(fullest(&device, at, 300, total))),
        (DEVICE_AVG, mean(&inside(&device, at - 300, at))),
        (DEVICE_MIN, inside(&device, i64::MIN, i64::MAX).into_iter().min()),
        // Which of two wallets' operations at one instant is the last, no order of arrival tells.
        (DEVICE_LAST, latest(device_before, at, 300).filter(|_| !is_tied(device_before))),
    ])
}

/// Whether some total has more than 38 digits.
fn is_too_long(all: &[Seen]) -> bool {
    let this = all.last().expect("one");
    let at = this.seconds;
    let own: Vec<&Seen> = all.iter().filter(|entry| entry.wallet == this.wallet).collect();
    let device: Vec<&Seen> = all.iter().filter(|entry| entry.device == this.device).collect();
    let totals = [
        fullest(&own, at, 300, total),
        fullest(&own[..own.len() - 1], at, 300, total),
        total(&inside(&own, i64::MIN, i64::MAX)),
        total(&inside(&own, at - 300, at)),
        fullest(&device, at, 300, total),
        total(&inside(&device, at - 300, at)),
    ];
    totals.into_iter().any(|total| held(total).is_none())
}

const SHORT: [&str; 12] =
    ["0", "2.5", "25e-1", "2.50", "-1.25", "0.8734521987654321", "1e3", "1000.000", "3", "0.1", "0.2", "99999.00001"];

/// On both sides of what one word packs, of at most 38 digits together.
const LONG: [&str; 12] = [
    "9999999999999",
    "10000000000000",
    "-1e13",
    "-9999999999999.5",
    "1e-17",
    "1e-16",
    "-12345678901234567890e-17",
    "10.0000000000000001",
    "100000000000000001",
    "0.00000000000000000001",
    "2.5",
    "1e3",
];

/// Of 28 digits and places.
const LONGEST: [&str; 8] = [
    "9999999999999999999999999999",
    "-9999999999999999999999999999",
    "1234567890123456789012345678",
    "0.1234567890123456789012345678",
    "1e-28",
    "-1e30",
    "2.5",
    "12345678901234.56789012345678",
];

/// A condition that asks each aggregate, and is always true where all are known.
fn condition() -> String {
    let aggregates = expected(&[Seen { wallet: 0, device: 0, seconds: 0, value: None }]).into_keys();
    let parts: Vec<String> = aggregates.map(|aggregate| format!("({aggregate} > 0 or {aggregate} <= 0)")).collect();
    parts.join("\n  and ")
}

/// Compares what a decision shows with the values that the list comes to.
fn compare(decided: &[u8], seen: &[Seen], place: &str) {
    let decision = DecisionRecord::decode(decided).expect("a decision");
    let shown: BTreeMap<String, &RawValue> =
        serde_json::from_str(decision.matches[0].evidence.get()).expect("evidence");
    for (aggregate, wanted) in expected(seen) {
        let found = shown[aggregate].get();
        let is_told = aggregate != DEVICE_LAST || wanted.is_some();
        let found = (found != "null" && is_told).then(|| units(found));
        assert_eq!(found, wanted, "{place}: {aggregate}");
    }
    let named = if is_too_long(seen) { json!(["attributes.x"]) } else { json!([]) };
    let whole: Value = serde_json::from_slice(decided).expect("a decision");
    assert_eq!(whole["degraded"], named, "{place}");
}

fn stream(seed: u64, count: usize, wallets: u64, pool: &[&str]) {
    let mut random = Random(seed);
    let mut pipeline: Pipeline<MemoryStore> = watching(&condition(), "on_missing: fire\n");
    let (mut seen, mut newest): (Vec<Seen>, i64) = (Vec::new(), 0);
    for number in 0..count {
        let steps: [i64; 6] = [0, 1, 20, 59, 61, 120];
        newest += steps[random.below(steps.len())];
        let late = if random.below(4_u32) == 0 { random.below(290_i64) } else { 0 };
        let written = (random.below(8_u32) > 0).then(|| pool[random.below(pool.len())]);
        let entry = Seen {
            wallet: random.below(wallets),
            device: random.below(2),
            seconds: (newest - late).max(0),
            value: written.map(units),
        };
        let attributes = written.map_or_else(|| "{}".to_owned(), |written| format!(r#"{{"x":{written}}}"#));
        let (wallet, device) = (format!("W{}", entry.wallet), format!("d{}", entry.device));
        let line = line(number, entry.seconds, &attributes, &[("wallet_id", &wallet), ("device_id", &device)]);
        seen.push(entry);
        compare(&decide(&mut pipeline, &line), &seen, &format!("seed {seed}, operation {number}"));
    }
}

#[test]
fn aggregates_of_short_decimals_are_exact() {
    println!("seeds 1..25");
    for seed in 1..25 {
        stream(seed, 120, 1 + seed % 3, &SHORT);
    }
}

#[test]
fn aggregates_of_long_decimals_are_exact() {
    println!("seeds 200..216");
    for seed in 200..216 {
        stream(seed, 120, 1 + seed % 3, &LONG);
    }
}

#[test]
fn aggregates_of_the_longest_decimals_are_exact_or_named() {
    println!("seeds 300..316");
    for seed in 300..316 {
        stream(seed, 120, 1 + seed % 3, &LONGEST);
    }
}

#[test]
fn aggregates_over_one_long_log_are_exact() {
    println!("seeds 100..104");
    for (seed, pool) in [(100, &SHORT[..]), (101, &SHORT), (102, &LONG), (103, &LONGEST)] {
        stream(seed, 400, 1, pool);
    }
}
