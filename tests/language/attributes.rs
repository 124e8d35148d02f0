//! Numbers of attributes are exact decimals: conditions against `rust_decimal`.

use kuzet::adapters::memory::MemoryStore;
use kuzet::operation::decision::read::DecisionRecord;
use kuzet::pipeline::{Answer, Pipeline, Record};
use rust_decimal::Decimal;
use serde_json::json;

use super::{payment, pipeline, rule};
use crate::random::Random;

/// A payment whose attributes stand there as they are given.
pub(super) fn line(number: usize, seconds: i64, attributes: &str, more: &[(&str, &str)]) -> String {
    let mut operation = payment(number, seconds, "1", &json!({"attributes": "@"}));
    for (key, value) in more {
        operation[*key] = (*value).into();
    }
    operation.to_string().replace("\"@\"", attributes)
}

/// Decides a line; returns the decision's bytes.
pub(super) fn decide(pipeline: &mut Pipeline<MemoryStore>, line: &str) -> Vec<u8> {
    let committed =
        pipeline.process(&[Record { bytes: line.as_bytes(), arrived_at: None }]).expect("a store in memory");
    encoded(&committed.answers[0])
}

/// The bytes of a decision.
pub(super) fn encoded(answer: &Answer) -> Vec<u8> {
    let mut json = Vec::new();
    match answer {
        Answer::Decided(decision) => decision.encode(&mut json),
        other => panic!("{other:?}"),
    }
    json
}

pub(super) fn watching(condition: &str, more: &str) -> Pipeline<MemoryStore> {
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
        ("sum(payment.attributes.x by wallet today) >= 0", r#"{"x":1e401}"#, named(true, "x")),
        ("sum(payment.attributes.x by wallet today) >= 0", r#"{"x":1e13}"#, unnamed(true)),
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
