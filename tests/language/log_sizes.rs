//! No decision depends on how a wallet's log is kept: walked, or answered from an index beside it.

use std::sync::Arc;

use kuzet::adapters::memory::MemoryStore;
use kuzet::engine::Engine;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::geo::Geo;
use kuzet::operation::time::{MINUTE, SECOND};
use kuzet::pipeline::{Limits, Pipeline};
use kuzet::rules::program::RuleSet;
use kuzet::rules::{self, SourceFile};
use serde_json::{Value, json};

use super::{MRP, NOON, decide, payment, rule};
use crate::random::Random;

const AGGREGATES: [(&str, &str); 12] = [
    ("age(payment by wallet quiet 1h)", ">= 0s"),
    ("age(payment by wallet, device_id quiet 1h)", ">= 0s"),
    ("age(payment by wallet quiet 20m excluding this)", ">= 0s"),
    ("age(payment by device_id quiet 1h)", ">= 0s"),
    ("count(payment by wallet within 30m)", ">= 0"),
    ("sum(payment.amount by wallet within 1h)", ">= 0 KZT"),
    ("distinct(payment.amount by wallet within 1h)", ">= 0"),
    ("max(payment.amount by wallet within 1h)", ">= 0 KZT"),
    ("last(payment.amount by wallet within 1h)", ">= 0 KZT"),
    ("sum(payment.amount by wallet today)", ">= 0 KZT"),
    ("count(payment by wallet, device_id today)", ">= 0"),
    ("streak(payment where amount >= 3 KZT by wallet quiet 1h)", ">= 0"),
];

fn rule_set() -> RuleSet {
    let condition: Vec<String> = AGGREGATES.iter().map(|(name, always)| format!("{name} {always}")).collect();
    let lines =
        format!("on: payment\nwhen: |\n  {}\non_missing: fire\nthen:\n  - report: afm", condition.join("\n  and "));
    let files = [rule("r", "enforce", &lines), SourceFile::new("rules/data/mrp.yaml", MRP)];
    rules::compile(&files).unwrap_or_else(|found| panic!("{}", rules::render_text(&found, &files))).rule_set
}

fn pipeline(rules: &Arc<RuleSet>, (short_rows_max, scanned_rows_max): (usize, usize)) -> Pipeline<MemoryStore> {
    // So short that rows leave the log while others of their chains stay.
    let settings = Settings { duplicate_horizon: 30 * MINUTE, short_rows_max, scanned_rows_max, ..Settings::default() };
    let engine = Engine::new(Arc::new(Plan::new(Arc::clone(rules), settings)));
    Pipeline { engine, geo: Geo::default(), store: MemoryStore::default(), limits: Limits::default() }
}

/// Payments of one wallet from two devices, one in three late, some by hours; one in 15 is cancelled.
fn operations(seed: u64, count: usize) -> Vec<Value> {
    let mut random = Random(seed);
    let (mut newest, mut ids) = (0_i64, Vec::new());
    let one = |number: usize| {
        if !ids.is_empty() && random.below(15_u32) == 0 {
            let (id, seconds): (String, i64) = ids.swap_remove(random.below(ids.len()));
            let at = NOON.plus(seconds * SECOND).to_string();
            let mut cancelled = json!({"type": "cancelled", "wallet_id": "W1", "ref_op_id": id, "occurred_at": at});
            cancelled["op_id"] = format!("c-{number}").into();
            return cancelled;
        }
        let steps: [i64; 8] = [0, 60, 599, 1_200, 1_201, 2_400, 3_600, 3_601];
        newest += steps[random.below(steps.len())] / if seed.is_multiple_of(2) { 1 } else { 20 };
        let late = [0, 0, 0, 0, 600, 3_600, 4_200, 9_000][random.below(8_usize)];
        let seconds = (newest - if late > 0 { random.below(late) } else { 0 }).max(0);
        ids.push((format!("op-{number}"), seconds));
        let (device, amount) = (format!("d{}", random.below(2_u32)), 1 + random.below(5_i64));
        payment(number, seconds, &amount.to_string(), &json!({ "device_id": device }))
    };
    (0..count).map(one).collect()
}

#[test]
fn no_decision_depends_on_how_a_log_is_kept() {
    println!("seeds 1..41");
    let rules = Arc::new(rule_set());
    for seed in 1..41 {
        let operations = operations(seed, 200);
        let walked = decide(&mut pipeline(&rules, (usize::MAX, usize::MAX)), &operations);
        for sizes in [(0, 0), (2, 4), (12, 32), (24, 256)] {
            let found = decide(&mut pipeline(&rules, sizes), &operations);
            for (number, (found, walked)) in found.iter().zip(&walked).enumerate() {
                let operation = &operations[number];
                assert_eq!(found, walked, "seed {seed}, {sizes:?}, operation {number}: {operation}");
            }
        }
    }
}

/// Payments an hour and eleven minutes apart, and one between them that comes late.
#[test]
fn what_comes_late_joins_the_chains_on_both_sides_of_it() {
    let rules = Arc::new(rule_set());
    let age = |decision: &Value| decision["matches"][0]["evidence"][AGGREGATES[0].0].clone();
    for sizes in [(0, 0), (usize::MAX, usize::MAX)] {
        let operations = [(0, 0), (1, 71 * 60), (2, 30 * 60), (3, 71 * 60)];
        let operations = operations.map(|(number, seconds)| payment(number, seconds, "1", &json!({})));
        let decided = decide(&mut pipeline(&rules, sizes), &operations);
        let ages: Vec<Value> = decided.iter().map(age).collect();
        assert_eq!(ages, ["0s", "0s", "30m", "1h11m"], "{sizes:?}");
    }
}
