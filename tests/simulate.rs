//! The simulator: repeatable, in the order of time, within the contract, labelled for every rule.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::decide;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::DateTime;
use kuzet::adapters::folders::Folder;
use kuzet::app;
use kuzet::operation::{Money, OperationType};
use kuzet::simulate::patterns::Rule;
use kuzet::simulate::{DEFAULT_START, Label, Parameters, Simulation};
use serde_json::Value;

fn parameters(operations: u64, seed: u64) -> Parameters {
    Parameters { wallets: 200, operations, seed, start: DEFAULT_START, days: None, fraud_per_mille: 20 }
}

fn write(parameters: Parameters) -> Vec<u8> {
    let mut simulation = Simulation::new(parameters).unwrap();
    let mut out = Vec::new();
    while simulation.next_into(&mut out) {}
    out
}

fn operations(bytes: &[u8]) -> Vec<Value> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_eq!(write(parameters(5_000, 7)), write(parameters(5_000, 7)));
    assert_ne!(write(parameters(5_000, 7)), write(parameters(5_000, 8)));
}

#[test]
fn two_threads_write_what_one_writes_in_whole_lines() {
    for count in [0, 1, 1_024, 1_025, 20_000] {
        let mut out = Vec::new();
        let written: Result<(), ()> = Simulation::new(parameters(count, 5)).unwrap().write_all(|lines| {
            assert_eq!(lines.last(), Some(&b'\n'));
            out.extend_from_slice(lines);
            Ok(())
        });
        assert_eq!(written, Ok(()));
        assert!(out == write(parameters(count, 5)), "{count} operations");
    }
}

#[test]
fn the_first_error_of_a_write_ends_the_simulation() {
    let mut left = 3;
    let mut simulation = Simulation::new(parameters(1_000_000, 5)).unwrap();
    let written = simulation.write_all(|_| {
        left -= 1;
        if left == 0 { Err("full") } else { Ok(()) }
    });
    assert_eq!((written, left), (Err("full"), 0));
    // Only what was drawn ahead is gone.
    let mut rest = Vec::new();
    assert!(simulation.next_into(&mut rest) && rest.ends_with(b"}\n"));
}

#[test]
fn as_many_operations_as_asked_for_come_in_the_order_of_time_with_ids_of_their_own() {
    for count in [0, 1, 149, 1_000, 20_000] {
        let operations = operations(&write(parameters(count, 3)));
        assert_eq!(operations.len() as u64, count);
        let time = |op: &Value| DateTime::parse_from_rfc3339(op["occurred_at"].as_str().unwrap()).unwrap();
        assert!(operations.windows(2).all(|pair| time(&pair[0]) <= time(&pair[1])));
        let ids: BTreeSet<_> = operations.iter().map(|op| op["op_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), operations.len());
    }
}

#[test]
fn every_operation_has_the_fields_of_its_type() {
    let mut seen = BTreeSet::new();
    for op in operations(&write(parameters(40_000, 11))) {
        let kind = OperationType::from_name(op["type"].as_str().unwrap()).unwrap();
        seen.insert(kind);
        assert!((1..=64).contains(&op["wallet_id"].as_str().unwrap().len()), "{op}");
        if kind.is_money() {
            assert!(Money::parse(op["amount"].as_str().unwrap()).unwrap().tiyn() > 0, "{op}");
        }
        if kind.is_debit() {
            assert!(op["client_status"].is_string() && op["counterparty"]["kind"].is_string(), "{op}");
        }
        if kind == OperationType::Transfer {
            assert!(op["counterparty"]["wallet_id"].is_string(), "{op}");
        }
        if kind.is_session() {
            assert!(op["outcome"].is_string(), "{op}");
        }
        if matches!(kind, OperationType::Cancelled | OperationType::Pin | OperationType::OperationDisputed) {
            assert!(op["ref_op_id"].is_string(), "{op}");
        }
        if kind == OperationType::IdentityConfirmed {
            assert!(op["proof"].is_string(), "{op}");
        }
        if kind == OperationType::FraudReported {
            assert!(op["source"].is_string(), "{op}");
        }
        if let Some(ip) = op.get("ip") {
            ip.as_str().unwrap().parse::<std::net::IpAddr>().unwrap();
        }
    }
    // No pattern needs them.
    let never = [OperationType::IpUnblockRequested, OperationType::RuleRearmed];
    let expected = OperationType::ALL.iter().copied().filter(|kind| !never.contains(kind)).collect();
    assert_eq!(seen, expected);
}

/// Returns the ids of the rules in `rules/`.
fn shipped_rules() -> BTreeSet<String> {
    let folder = Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"));
    let rules = app::load_rules(&folder).unwrap().rules;
    rules.iter().map(|rule| rule.id.to_string()).collect()
}

#[test]
fn labels_name_operations_that_come_and_cover_every_rule_both_ways() {
    let parameters = parameters(40_000, 5);
    let labels: Vec<Label> = Simulation::new(parameters).unwrap().labels().collect();
    let covered: BTreeSet<_> = labels.iter().map(|label| (label.rule.to_owned(), label.fraud)).collect();
    let shipped = shipped_rules();
    let expected: BTreeSet<_> = shipped.iter().flat_map(|id| [(id.clone(), true), (id.clone(), false)]).collect();
    assert_eq!(covered, expected, "every rule of rules/ has a pattern, and every pattern a rule");
    assert_eq!(Rule::ALL.len(), shipped.len());
    let wallets: BTreeMap<_, _> = operations(&write(parameters))
        .into_iter()
        .map(|op| (op["op_id"].as_str().unwrap().to_owned(), op["wallet_id"].as_str().unwrap().to_owned()))
        .collect();
    for label in &labels {
        assert_eq!(wallets.get(&label.op_id), Some(&label.wallet_id), "{label:?}");
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_operations() {
    let most = |operations| {
        let mut simulation = Simulation::new(parameters(operations, 9)).unwrap();
        let mut line = Vec::new();
        while simulation.next_into(&mut line) {
            line.clear();
        }
        simulation.planned_most()
    };
    let (few, many) = (most(20_000), most(400_000));
    assert!(many < 2 * few + 64, "{few} planned ahead for 20,000 operations, {many} for 400,000");
}

/// Every labelled operation is matched by its rule, no near miss is.
#[test]
fn every_labelled_operation_fires_and_no_near_miss_does() {
    let parameters = parameters(100_000, 1);
    let mut decisions: BTreeMap<String, Value> = BTreeMap::new();
    decide::decide_each(&write(parameters), |decision, line| {
        decisions.insert(decision.op_id.to_string(), serde_json::from_slice(&line).unwrap());
    });
    let mut wrong = Vec::new();
    let mut checked = 0;
    for label in Simulation::new(parameters).unwrap().labels() {
        let matches = decisions[&label.op_id]["matches"].as_array().unwrap();
        let fired = matches.iter().any(|found| found["rule"] == label.rule);
        checked += 1;
        if fired != label.fraud {
            wrong.push(format!("{label:?}: {matches:?}"));
        }
    }
    assert!(checked >= 500, "{checked} labels");
    assert!(wrong.is_empty(), "{} of {checked} labels:\n{}", wrong.len(), wrong.join("\n"));
}
