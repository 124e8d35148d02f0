//! A small stream in which every kind of command occurs, and what goes wrong with it.

use serde_json::{Value, json};

use crate::decided::{self, Decided};
use kuzet::ledger::{Beginning, Checker, Finding, Place, Record, Totals};

/// Operations of eight wallets on one day; the second block of the last one extends the first.
fn operations() -> Vec<u8> {
    let operations = [
        ("a1", "W4", json!({"type": "payment", "amount": "10.00"})),
        ("a2", "W7", json!({"type": "top_up", "amount": "10.00"})),
        ("d1", "W1", json!({"type": "ownership_disputed"})),
        ("t1", "W1", json!({"type": "transfer", "amount": "1000.00", "to": "W3"})),
        ("t2", "W1", json!({"type": "transfer", "amount": "150000.00", "to": "W3"})),
        ("t3", "W2", json!({"type": "transfer", "amount": "200000.00", "to": "W3"})),
        ("i1", "W1", json!({"type": "identity_confirmed", "proof": "identity_document"})),
        ("i2", "W2", json!({"type": "identity_confirmed", "proof": "pin"})),
        ("p1", "W4", json!({"type": "payment", "amount": "450000.00"})),
        ("n1", "W4", json!({"type": "pin", "outcome": "success", "ref_op_id": "p1"})),
        ("b1", "W5", json!({"type": "wallet_block_requested"})),
        ("p2", "W5", json!({"type": "payment", "amount": "10.00"})),
        ("t4", "W3", json!({"type": "transfer", "amount": "100.00", "to": "W5"})),
        ("u1", "W5", json!({"type": "wallet_unblock_requested"})),
        ("l1", "W6", json!({"type": "login", "outcome": "failure", "ip": "95.56.234.10"})),
        ("l2", "W6", json!({"type": "login", "outcome": "failure", "ip": "95.56.234.10"})),
        ("l3", "W6", json!({"type": "login", "outcome": "failure", "ip": "95.56.234.10"})),
        ("l4", "W6", json!({"type": "login", "outcome": "failure", "ip": "95.56.234.10"})),
        ("l5", "W6", json!({"type": "login", "outcome": "failure", "ip": "95.56.234.10"})),
        ("l6", "W6", json!({"type": "login", "outcome": "failure", "ip": "95.56.234.10"})),
        ("x1", "W7", json!({"type": "ip_unblock_requested", "ip": "95.56.234.10"})),
        ("t5", "W2", json!({"type": "transfer", "amount": "300000.00", "to": "W3"})),
        ("f1", "W2", json!({"type": "fraud_reported", "source": "issuer"})),
        ("p3", "W2", json!({"type": "payment", "amount": "10.00"})),
        ("c1", "W8", json!({"type": "cash_out_details_wrong"})),
        ("c2", "W8", json!({"type": "cash_out_details_wrong"})),
    ];
    let mut lines = Vec::new();
    for (minute, (op_id, wallet, mut operation)) in operations.into_iter().enumerate() {
        operation["op_id"] = op_id.into();
        operation["wallet_id"] = wallet.into();
        operation["occurred_at"] = format!("2026-11-22T10:{minute:02}:00+05:00").into();
        operation["client_status"] = "identified".into();
        match operation["type"].as_str() {
            Some("transfer") => operation["counterparty"] = json!({"kind": "client", "wallet_id": operation["to"]}),
            Some("payment") => operation["counterparty"] = json!({"kind": "merchant"}),
            _ => {}
        }
        lines.extend_from_slice(operation.to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

pub(crate) fn stream() -> Vec<Decided> {
    decided::decide(&operations(), 3)
}

pub(crate) fn check(records: &[Decided]) -> (Vec<Finding>, Totals) {
    let (mut checker, mut found) = (Checker::default(), Vec::new());
    let mut offsets = [0; 3];
    for record in records {
        let headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let partition = usize::try_from(record.partition).expect("a partition");
        let record = Record {
            place: Place::Topic { partition: record.partition, offset: offsets[partition] },
            key: Some(&record.key),
            value: Some(&record.value),
            headers: &headers,
            beginning: Beginning::Whole,
            is_settled: true,
        };
        offsets[partition] += 1;
        checker.check(&record, &mut found);
    }
    let totals = checker.finish(&mut found);
    (found, totals)
}

fn position(records: &[Decided], op_id: &str) -> usize {
    let is = |record: &Decided| value(record)["op_id"] == op_id;
    records.iter().position(is).unwrap_or_else(|| panic!("no decision on {op_id}"))
}

fn value(record: &Decided) -> Value {
    serde_json::from_slice(&record.value).expect("decisions are JSON")
}

/// Changes the decision on an operation.
fn change(records: &mut [Decided], op_id: &str, change: impl FnOnce(&mut Value)) {
    let record = &mut records[position(records, op_id)];
    let mut decision = value(record);
    let before = decision.clone();
    change(&mut decision);
    assert_ne!(decision, before, "nothing was changed in the decision on {op_id}");
    record.value = serde_json::to_vec(&decision).expect("JSON");
}

/// Finds a command of the decision on an operation.
fn command<'v>(decision: &'v mut Value, name: &str) -> &'v mut Value {
    let commands = decision["commands"].as_array_mut().expect("commands");
    commands.iter_mut().find(|command| command["command"] == name).unwrap_or_else(|| panic!("no {name}"))
}

fn without(decision: &mut Value, is: impl Fn(&Value) -> bool) {
    decision["commands"].as_array_mut().expect("commands").retain(|command| !is(command));
}

/// The shard and number after the last of the stream.
fn append(records: &mut Vec<Decided>, decision: &Value) {
    let shard = records[position(records, decision["op_id"].as_str().expect("an operation"))].partition;
    let count = records.iter().filter(|record| record.partition == shard).count();
    let seq = u64::try_from(count).expect("a small number") + 1;
    records.push(decided::enveloped(serde_json::to_vec(decision).expect("JSON"), shard, seq));
}

/// The ownership of W1 is disputed once more while the first dispute lasts; nothing comes after that.
fn again(records: &mut Vec<Decided>, change: impl FnOnce(&mut Value)) {
    records.truncate(position(records, "i1"));
    let mut decision = value(&records[position(records, "d1")]);
    decision["decision_id"] = OTHER_ID.into();
    command(&mut decision, "monitor")["command_id"] = OTHER_ID.into();
    change(&mut decision);
    append(records, &decision);
}

const OTHER_ID: &str = "00000000-0000-5000-8000-000000000001";

type Fault = (&'static str, fn(&mut Vec<Decided>));

/// What may go wrong between the engine and the ledger, or within the engine.
pub(crate) const FAULTS: &[Fault] = &[
    ("a record is lost", |records| {
        records.remove(position(records, "l2"));
    }),
    ("the first records of a shard are lost", |records| {
        let shard = records[position(records, "l1")].partition;
        let first = records.iter().position(|record| record.partition == shard).expect("a record");
        records.remove(first);
    }),
    ("a record is there twice", |records| {
        let again = records[position(records, "a1")].clone();
        records.push(again);
    }),
    ("an operation is decided twice", |records| {
        let again = value(&records[position(records, "t1")]);
        append(records, &again);
    }),
    ("two records change places", |records| {
        let (one, other) = (position(records, "l1"), position(records, "l2"));
        records.swap(one, other);
    }),
    ("two commands bear one id", |records| {
        let id = value(&records[position(records, "t1")])["commands"][0]["command_id"].clone();
        change(records, "t3", |decision| command(decision, "hold")["command_id"] = id);
    }),
    ("another key", |records| {
        let at = position(records, "a1");
        records[at].key = b"W1".to_vec();
    }),
    ("headers of another decision", |records| {
        let at = position(records, "a1");
        *records[at].header_mut("ce_id") = OTHER_ID.to_owned();
        *records[at].header_mut("ce_subject") = "W1".to_owned();
        *records[at].header_mut("ce_time") = "yesterday".to_owned();
        *records[at].header_mut("kuzet-ruleset") = "000000000000".to_owned();
    }),
    ("headers are missing", |records| {
        let at = position(records, "a1");
        records[at].headers.retain(|(name, _)| !matches!(name.as_str(), "kuzet-shard" | "ce_source"));
    }),
    ("a number that is none", |records| {
        let at = position(records, "l6");
        *records[at].header_mut("kuzet-seq") = "last".to_owned();
    }),
    ("a cut value", |records| {
        let at = position(records, "a1");
        records[at].value.truncate(20);
    }),
    ("a wallet moves to another shard", |records| {
        let mut decision = value(&records[position(records, "a2")]);
        decision["op_id"] = "a3".into();
        decision["decision_id"] = OTHER_ID.into();
        let shard = records[position(records, "b1")].partition;
        let count = records.iter().filter(|record| record.partition == shard).count();
        let seq = u64::try_from(count).expect("a small number") + 1;
        records.push(decided::enveloped(serde_json::to_vec(&decision).expect("JSON"), shard, seq));
    }),
    ("an operation is released that does not wait", |records| {
        change(records, "i1", |decision| command(decision, "release")["subject"]["operation"] = "t9".into());
    }),
    ("an operation is released and cancelled", |records| {
        let mut decision = value(&records[position(records, "i2")]);
        without(&mut decision, |command| command["command"] != "release");
        decision["op_id"] = "i2".into();
        decision["decision_id"] = OTHER_ID.into();
        let release = command(&mut decision, "release");
        release["command"] = "cancel".into();
        release["command_id"] = OTHER_ID.into();
        append(records, &decision);
    }),
    ("what is free is not let go", |records| {
        change(records, "i1", |decision| without(decision, |command| command["command"] == "release"));
    }),
    ("what is held is let go", |records| {
        change(records, "i1", |decision| {
            without(decision, |command| command["command"] == "lift" && command["subject"]["wallet"] == "W1");
        });
    }),
    ("released without the PIN", |records| {
        change(records, "n1", |decision| decision["type"] = "secret_answer".into());
    }),
    ("released although blocked", |records| {
        change(records, "f1", |decision| command(decision, "cancel")["command"] = "release".into());
    }),
    ("a lifting of what was not placed", |records| {
        change(records, "u1", |decision| command(decision, "lift")["restriction_id"] = OTHER_ID.into());
    }),
    ("a lifting of an address that was not blocked", |records| {
        change(records, "x1", |decision| command(decision, "lift")["restriction_id"] = OTHER_ID.into());
    }),
    ("a lifting by one who may not", |records| {
        change(records, "u1", |decision| command(decision, "lift")["reason"] = "agreed".into());
    }),
    ("a restriction that nobody can lift", |records| {
        change(records, "d1", |decision| command(decision, "monitor")["lifted_by"] = json!([]));
    }),
    ("a restriction is placed twice", |records| {
        let id = value(&records[position(records, "d1")])["commands"][0]["restriction_id"].clone();
        change(records, "b1", |decision| command(decision, "block")["restriction_id"] = id);
    }),
    ("a restriction is extended to the end that it has", |records| {
        again(records, |_| {});
    }),
    ("an extension that ends before what it extends", |records| {
        change(records, "c2", |decision| command(decision, "block")["until"] = "2026-11-23T00:00:00Z".into());
    }),
    ("an extension under another id", |records| {
        change(records, "c2", |decision| command(decision, "block")["restriction_id"] = OTHER_ID.into());
    }),
    ("a restriction is placed beside another of its rule", |records| {
        again(records, |decision| command(decision, "monitor")["restriction_id"] = OTHER_ID.into());
    }),
    ("a lifting from before the rule fired", |records| {
        change(records, "u1", |decision| decision["occurred_at"] = "2026-11-22T05:09:59.999Z".into());
    }),
    ("let through while monitored", |records| {
        change(records, "t1", |decision| {
            decision["verdict"] = "allow".into();
            decision["commands"] = json!([]);
        });
    }),
    ("let through while blocked", |records| {
        change(records, "p3", |decision| {
            decision["verdict"] = "allow".into();
            decision["commands"] = json!([]);
        });
    }),
    ("refused and told to wait", |records| {
        let hold = value(&records[position(records, "t5")])["commands"][0].clone();
        change(records, "p3", |decision| {
            let mut hold = hold;
            hold["command_id"] = OTHER_ID.into();
            hold["subject"]["operation"] = "p3".into();
            decision["commands"].as_array_mut().expect("commands").push(hold);
        });
    }),
    ("refused by a block that nobody placed", |records| {
        change(records, "t4", |decision| command(decision, "refuse")["restriction_id"] = OTHER_ID.into());
    }),
    ("a verdict without its command", |records| {
        change(records, "t3", |decision| decision["verdict"] = "challenge".into());
    }),
    ("a command of a rule that only watches", |records| {
        change(records, "b1", |decision| decision["matches"][0]["mode"] = "shadow".into());
    }),
    ("commands out of order", |records| {
        change(records, "i1", |decision| decision["commands"].as_array_mut().expect("commands").reverse());
    }),
];
