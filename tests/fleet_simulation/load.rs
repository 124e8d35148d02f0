//! The operations of a run and the rules that decide them: few wallets, and windows that every decision shows.

use std::sync::Arc;

use kuzet::app;
use kuzet::operation::partition::Partitioner;
use kuzet::rules::program::RuleSet;
use kuzet::rules::{SourceFile, Vanishing};
use serde_json::json;

use crate::simulation::broker::arrival;
use crate::simulation::turns::World;

const WALLETS: u64 = 7;

/// A rule that shows in each decision how many transfers its wallet made, and of how much.
const SHOWN: &str = r#"rule: shown-windows
clauses: ["7.15"]
title: {kk: "a", ru: "b", en: "c"}
owner: risk
severity: low
mode: shadow
on: transfer
when: |
  count(transfer by wallet within 30d) >= 1 and sum(transfer.amount by wallet within 7d) > 0 KZT
then:
  - monitor
message: {kk: "a", ru: "b", en: "c"}
notes: |
  Shows the windows of a wallet in every decision.
"#;

/// The rules of all runs; of the other set one message differs, so that its name does.
pub(crate) fn rules(is_other: bool) -> Arc<RuleSet> {
    let shipped = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/section7").join(name);
        SourceFile::new(format!("section7/{name}"), std::fs::read(path).expect("a shipped rule"))
    };
    let shown = if is_other { SHOWN.replace("en: \"c\"", "en: \"d\"") } else { SHOWN.to_owned() };
    let sources = [
        SourceFile::new("section7/shown-windows.yaml", shown),
        shipped("transfer-over-100k.yaml"),
        shipped("wrong-pin-run.yaml"),
        shipped("wrong-password-ip-block.yaml"),
    ];
    Arc::new(app::compile_rules("simulated", &sources, Vanishing::Refused).expect("the rules load"))
}

/// Makes the next operation; returns its partition, key and record.
pub(crate) fn operation(world: &World, partitions: i32, number: u64, sent: &[Vec<u8>]) -> (i32, Vec<u8>, Vec<u8>) {
    let wallet = format!("7701000000{}", world.below(WALLETS));
    let partition = Partitioner::Murmur2.partition(wallet.as_bytes(), partitions).expect("a partition");
    let at = arrival(world.nanos()).to_string();
    let ip = format!("95.56.234.{}", world.below(3));
    let (id, outcome) = (format!("op-{number}"), if world.below(5) == 0 { "success" } else { "failure" });
    let amount = format!("{}.00", 1 + world.below(130_000));
    let record = match world.below(12) {
        0 => json!({"op_id": id, "type": "pin", "occurred_at": at, "wallet_id": wallet, "outcome": outcome}),
        1..=3 => {
            json!({"op_id": id, "type": "login", "occurred_at": at, "wallet_id": wallet, "outcome": outcome, "ip": ip})
        }
        // Refused: there is no such type.
        4 => json!({"op_id": id, "type": "nonsense", "occurred_at": at, "wallet_id": wallet}),
        // The same operation again.
        5 if !sent.is_empty() => {
            let again = sent[usize::try_from(world.below(sent.len() as u64)).expect("few operations")].clone();
            let value: serde_json::Value = serde_json::from_slice(&again).expect("JSON");
            let wallet = value["wallet_id"].as_str().expect("a wallet").as_bytes().to_vec();
            return (Partitioner::Murmur2.partition(&wallet, partitions).expect("a partition"), wallet, again);
        }
        _ => json!({
            "op_id": id, "type": "transfer", "occurred_at": at, "wallet_id": wallet, "client_status": "identified",
            "amount": amount, "currency": "KZT", "counterparty": {"kind": "client", "wallet_id": "77020000001"},
        }),
    };
    (partition, wallet.into_bytes(), record.to_string().into_bytes())
}
