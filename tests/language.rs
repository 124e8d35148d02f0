//! The rule language beyond what the shipped rules use, through the whole pipeline: what a condition
//! reads is shown in a match's evidence and compared with what the language promises.
#![expect(clippy::print_stdout, reason = "seeds belong in the test's output")]

use kuzet::adapters::memory::MemoryStore;
use kuzet::app;
use kuzet::geo::Geo;
use kuzet::operation::Time;
use kuzet::operation::time::SECOND;
use kuzet::pipeline::{Answer, Pipeline, Record};
use kuzet::rules::{self, SourceFile};
use serde_json::{Value, json};

mod attributes;
mod decimals;
mod lists;
mod log_sizes;
mod messages;
mod naive;
mod pins;

const MRP: &str = "mrp:\n  - {from: 2020-01-01, value: 2651 KZT}\n  - {from: 2026-01-01, value: 4325 KZT}\n";
const LISTS: &str = "lists:\n  blocked_nets: {type: cidr, file: nets.csv}\n  shops: {type: text, file: shops.csv}\n";
const NETS: &str = "value,from,until,reason\n10.0.0.0/8,,,inner\n2001:db8::/32,,,documentation\n";
const SHOPS: &str = "value,from,until,reason\ncasino,2026-03-01,2026-03-02,sample\n";

/// A rule file; `lines` are its keys from `on` on.
fn rule(id: &str, mode: &str, lines: &str) -> SourceFile {
    let title = "title: {kk: сынақ, ru: проба, en: test}";
    let text = format!("rule: {id}\nclauses: [\"7.15\"]\n{title}\nowner: risk\nmode: {mode}\n{lines}\n");
    SourceFile::new(format!("rules/{id}.yaml"), text.into_bytes())
}

fn pipeline(mut files: Vec<SourceFile>) -> Pipeline<MemoryStore> {
    for (name, text) in [("mrp.yaml", MRP), ("lists.yaml", LISTS), ("nets.csv", NETS), ("shops.csv", SHOPS)] {
        files.push(SourceFile::new(format!("rules/data/{name}"), text.as_bytes().to_vec()));
    }
    match rules::compile(&files) {
        Ok(compiled) => app::pipeline(compiled.rule_set, Geo::default()),
        Err(found) => panic!("{}", rules::render_text(&found, &files)),
    }
}

/// Decides operations one by one; returns the decisions as JSON.
fn decide(pipeline: &mut Pipeline<MemoryStore>, operations: &[Value]) -> Vec<Value> {
    let one = |operation: &Value| {
        let line = operation.to_string();
        let record = Record { bytes: line.as_bytes(), arrived_at: None };
        let committed = pipeline.process(&[record]).expect("a store in memory takes every change");
        let mut json = Vec::new();
        match &committed.answers[0] {
            Answer::Decided(decision) => decision.encode(&mut json),
            other => panic!("{other:?} to {line}"),
        }
        serde_json::from_slice(&json).expect("a decision is JSON")
    };
    operations.iter().map(one).collect()
}

/// Start of the virtual day: noon in Almaty on 2 March 2026.
const NOON: Time = Time::from_nanos(1_772_434_800_000_000_000);

/// A payment of W1 at so many seconds after noon, with other fields on top.
fn payment(number: usize, seconds: i64, amount: &str, more: &Value) -> Value {
    let mut operation = json!({
        "op_id": format!("op-{number}"), "type": "payment",
        "occurred_at": NOON.plus(seconds * SECOND).to_string(),
        "wallet_id": "W1", "client_status": "identified", "amount": amount, "counterparty": {"kind": "merchant"},
    });
    for (key, value) in more.as_object().expect("an object") {
        operation[key] = value.clone();
    }
    operation
}

/// Payments of 100, 200, 300 … KZT, one a minute.
fn payments(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| payment(n, 60 * i64::try_from(n).expect("small"), &format!("{}", 100 * (n + 1)), &json!({})))
        .collect()
}

/// The evidence of the rule `r` on the last operation, `null` where it did not fire.
fn last_evidence(condition: &str, operations: &[Value]) -> Value {
    let lines = format!("on: any\nwhen: {condition}\non_missing: fire\nthen:\n  - report: afm");
    let decisions = decide(&mut pipeline(vec![rule("r", "enforce", &lines)]), operations);
    decisions.last().expect("a decision")["matches"][0]["evidence"].clone()
}

/// Checks the value of one aggregate on the last operation.
fn check(aggregate: &str, always: &str, operations: &[Value], expected: &Value) {
    let evidence = last_evidence(&format!("{aggregate} {always}"), operations);
    assert_eq!(evidence[aggregate], *expected, "{aggregate}: {evidence}");
}

/// Tells on which of the operations a rule of this condition fires.
fn fires(lines: &str, operations: &[Value]) -> Vec<bool> {
    let decisions = decide(&mut pipeline(vec![rule("r", "enforce", lines)]), operations);
    decisions.iter().map(|decision| decision["matches"].as_array().is_some_and(|m| !m.is_empty())).collect()
}

#[test]
fn every_function_over_a_window() {
    let five = payments(5);
    for (aggregate, always, expected) in [
        ("count(payment by wallet within 2m)", ">= 0", json!(3)),
        ("count(payment by wallet within 2m excluding this)", ">= 0", json!(2)),
        ("sum(payment.amount by wallet within 2m)", ">= 0 KZT", json!("1200.00")),
        ("min(payment.amount by wallet within 2m)", ">= 0 KZT", json!("300.00")),
        ("max(payment.amount by wallet within 10m excluding this)", ">= 0 KZT", json!("400.00")),
        ("avg(payment.amount by wallet within 10m)", ">= 0 KZT", json!("300.00")),
        ("distinct(payment.amount by wallet within 10m)", ">= 0", json!(5)),
        ("last(payment.amount by wallet within 10m)", ">= 0 KZT", json!("400.00")),
        ("last(payment.amount by wallet within 59s)", ">= 0 KZT", Value::Null),
        ("min(payment.amount by wallet within 10m excluding this)", ">= 0 KZT", json!("100.00")),
        ("min(transfer.amount by wallet within 10m)", ">= 0 KZT", Value::Null),
        ("count(transfer by wallet within 10m)", ">= 0", json!(0)),
        ("sum(debit.amount by wallet today)", ">= 0 KZT", json!("1500.00")),
        ("sum(debit.amount by wallet this month)", ">= 0 KZT", json!("1500.00")),
        ("age(payment by wallet quiet 1m)", ">= 0s", json!("4m")),
        ("age(payment by wallet quiet 59s)", ">= 0s", json!("0s")),
        ("streak(payment where amount >= 300 KZT by wallet quiet 1h)", ">= 0", json!(3)),
        ("count(payment where amount > this.amount by wallet within 1h)", ">= 0", json!(0)),
        ("count(payment where amount < this.amount by wallet within 1h)", ">= 0", json!(4)),
        ("count(payment where amount = this.amount by wallet within 1h)", ">= 0", json!(1)),
        ("count(payment by wallet, amount within 1h)", ">= 0", json!(1)),
        ("count(payment by counterparty.kind within 1h)", ">= 0", json!(5)),
    ] {
        check(aggregate, always, &five, &expected);
    }
}

#[test]
fn a_chain_keeps_its_beginning_whatever_the_order_of_arrival() {
    const DAY: i64 = 86_400;
    let chain = "age(payment by wallet quiet 30d)";
    let phone = "age(payment by wallet, device_id quiet 30d)";
    let ages = |arrivals: &[(i64, &str)]| {
        let payment = |(number, (seconds, device)): (usize, &(i64, &str))| {
            payment(number, *seconds, "1", &json!({ "device_id": device }))
        };
        let operations: Vec<Value> = arrivals.iter().enumerate().map(payment).collect();
        let evidence = last_evidence(&format!("{chain} >= 0s and {phone} >= 0s"), &operations);
        (evidence[chain].clone(), evidence[phone].clone())
    };
    // The first of the chain arrived second: it is too old to be seen, but still behind another in the log.
    let swapped = [(300, "tablet"), (0, "phone"), (29 * DAY, "phone"), (30 * DAY + 900, "tablet")];
    let last = (30 * DAY + 400, "phone");
    assert_eq!(ages(&[&swapped[..], &[last]].concat()), (json!("30d6m40s"), json!("30d6m40s")));
    // The middle of the chain arrived last: without it what is remembered would fall apart.
    let link = [(0, "phone"), (30 * DAY + 60, "phone"), (30 * DAY - 480, "phone")];
    let later = [(31 * DAY, "tablet"), (60 * DAY + 90, "tablet"), (60 * DAY + 120, "tablet")];
    assert_eq!(ages(&[&link[..], &later[..]].concat()), (json!("60d2m"), json!("29d2m")));
    // So it is when the log is long enough to have an index.
    let many: Vec<(i64, &str)> = (0..60).map(|n| (31 * DAY + n, "tablet")).collect();
    assert_eq!(ages(&[&link[..], &many[..], &later[1..]].concat()).0, json!("60d2m"));
    let idle: Vec<(i64, &str)> = (0..80).map(|n| (n * DAY / 2, "tablet")).collect();
    let phone_used = [(0, "phone"), (20 * DAY, "phone")];
    let mut busy = [&phone_used[..], &idle[..]].concat();
    busy.sort_by_key(|(seconds, _)| *seconds);
    assert_eq!(ages(&[&busy[..], &[(40 * DAY, "phone")]].concat()).1, json!("40d"));
}

#[test]
fn the_wallet_and_the_operation_themselves_are_values() {
    for length in [3, 60] {
        let some = payments(length);
        for (aggregate, always, expected) in [
            ("distinct(payment.wallet_id by wallet within 2h)", ">= 0", json!(1)),
            ("last(payment.wallet_id by wallet within 2h)", "= \"W1\"", json!("W1")),
            ("last(payment.wallet_id by wallet, counterparty.kind within 2h)", "= wallet_id", json!("W1")),
            ("distinct(payment.op_id by wallet within 2h)", ">= 0", json!(length)),
            ("last(payment.op_id by wallet within 2h)", "is present", json!(format!("op-{}", length - 2))),
            ("distinct(payment.wallet_id by counterparty.kind within 2h)", ">= 0", json!(1)),
            ("last(payment.wallet_id by counterparty.kind within 2h)", "= wallet_id", json!("W1")),
        ] {
            check(aggregate, always, &some, &expected);
        }
        let condition = "last(payment.op_id by wallet within 2h) = ref_op_id";
        let mut answering = some.clone();
        answering.push(payment(length, 7_000, "1", &json!({"ref_op_id": format!("op-{}", length - 1)})));
        let lines = format!("on: payment\nwhen: {condition}\nthen:\n  - report: afm");
        assert_eq!(fires(&lines, &answering).last(), Some(&true), "{length}");
    }
}

/// A wallet with ever new devices: what `last` shows is right, and texts leave with their operations.
#[test]
fn the_texts_of_a_wallet_leave_with_its_operations() {
    let lines = "on: payment\nwhen: last(payment.device_id by wallet within 1h) is present\nthen:\n  - report: afm";
    let mut pipeline = pipeline(vec![rule("r", "enforce", lines)]);
    for number in 0..3_000_usize {
        // Two hundred a day, which is how long ids are remembered; one in eight has an earlier device.
        let device = if number % 8 == 7 { number - 3 } else { number };
        let seconds = 432 * i64::try_from(number).expect("small");
        let paid = payment(number, seconds, "1", &json!({"device_id": format!("d-{device}")}));
        let decision = decide(&mut pipeline, &[paid]).remove(0);
        if let Some(before) = number.checked_sub(1) {
            let device = if before % 8 == 7 { before - 3 } else { before };
            let shown = &decision["matches"][0]["evidence"]["last(payment.device_id by wallet within 1h)"];
            assert_eq!(*shown, json!(format!("d-{device}")), "{number}");
        }
    }
    let wallet = pipeline.engine.wallets().iter().next().expect("the wallet");
    let texts = wallet.cold().map_or(0, |cold| cold.texts.len());
    assert!((1..1_000).contains(&texts), "{texts} texts are kept");
}

#[test]
fn any_and_none_are_conditions() {
    let three = payments(3);
    let evidence =
        last_evidence("any(payment where amount = 200 KZT by wallet within 1h) and none(pin by wallet today)", &three);
    assert_eq!(evidence["any(payment where amount = 200 KZT by wallet within 1h)"], json!(true));
    assert_eq!(evidence["none(pin by wallet today)"], json!(true));
}

#[test]
fn division_is_exact_and_by_zero_is_missing() {
    let five = payments(5);
    let on = |condition: &str| {
        let lines = format!("on: payment\nwhen: {condition}\nthen:\n  - report: afm");
        fires(&lines, &five).last().copied().expect("five")
    };
    assert!(on("100 * count(payment by wallet within 2m) / 7 > 42"), "300/7 is more than 42");
    assert!(!on("100 * count(payment by wallet within 2m) / 7 >= 43"));
    assert!(on("avg(payment.amount by wallet within 1m) = 450 KZT"));
    assert!(!on("count(payment by wallet within 2m) / count(pin by wallet within 2m) >= 0"));
    assert!(!on("not count(payment by wallet within 2m) / count(pin by wallet within 2m) >= 0"), "unknown stays so");
    assert!(on("count(payment by wallet within 1h) % 3 = 2"));
    assert!(on("amount <= 0.12 MRP and amount > 0.11 MRP"), "500 lies between 475.75 and 519 KZT");
}

#[test]
fn missing_values_are_unknown() {
    let one = [payment(0, 0, "1", &json!({"attributes": {"n": 5, "t": "x", "b": true, "m": "12.50"}}))];
    for (condition, skip, fire) in [
        ("device_id = \"d\"", false, true),
        ("not device_id = \"d\"", false, true),
        ("device_id = \"d\" and amount > 5 KZT", false, false),
        ("device_id = \"d\" or amount = 1 KZT", true, true),
        ("device_id is missing", true, true),
        ("device_id is present", false, false),
        ("attributes.n > 4", true, true),
        ("attributes.n = \"5\"", false, true),
        ("attributes.t = \"x\"", true, true),
        ("attributes.m >= 12.50 KZT", true, true),
        ("attributes.m > 12.50 KZT", false, false),
        ("attributes.none = 1", false, true),
    ] {
        for (on_missing, expected) in [("skip", skip), ("fire", fire)] {
            let lines = format!("on: payment\nwhen: {condition}\non_missing: {on_missing}\nthen:\n  - report: afm");
            assert_eq!(fires(&lines, &one), [expected], "{condition}, {on_missing}");
        }
    }
}

#[test]
fn a_where_that_reads_this_knows_what_is_missing() {
    let first = payment(0, 0, "5", &json!({}));
    let second = payment(1, 1, "5", &json!({"device_id": "d", "ip": "10.1.2.3"}));
    for (condition, expected) in [
        ("device_id is missing or amount > this.amount", 1),
        ("device_id = \"d\" or amount > this.amount", 1),
        ("device_id != this.device_id", 0),
        ("device_id != this.device_id or amount = this.amount", 2),
        ("ip.is_anonymizer or amount < this.amount", 0),
        ("not (device_id != this.device_id)", 1),
    ] {
        let aggregate = format!("count(payment where {condition} by wallet within 1h)");
        check(&aggregate, ">= 0", &[first.clone(), second.clone()], &json!(expected));
    }
}

#[test]
fn brackets_around_an_aggregate_are_not_part_of_its_name() {
    let evidence = last_evidence("not ( ( none( pin by wallet today ) ) ) or (amount > 0 KZT)", &payments(1));
    assert_eq!(evidence, json!({"none( pin by wallet today )": true, "amount": "100.00"}));
}

#[test]
fn lists_hold_for_their_days_and_networks() {
    let with = |ip: &str| payment(0, 0, "1", &json!({ "ip": ip }));
    let lines = "on: payment\nwhen: ip in blocked_nets\nthen:\n  - report: afm";
    for (ip, expected) in [
        ("10.1.2.3", true),
        ("11.1.2.3", false),
        ("::ffff:10.1.2.3", true),
        ("2001:db8::5", true),
        ("2001:db9::5", false),
    ] {
        assert_eq!(fires(lines, &[with(ip)]), [expected], "{ip}");
    }
    let shop = |seconds| payment(0, seconds, "1", &json!({"attributes": {"shop": "casino"}}));
    let lines = "on: payment\nwhen: attributes.shop in shops\nthen:\n  - report: afm";
    // In force from midnight of 1 March to the end of 2 March in Almaty.
    let day = 86_400;
    for (seconds, expected) in
        [(-day / 2 - day - 1, false), (-day / 2 - day, true), (day / 2 - 1, true), (day / 2, false)]
    {
        assert_eq!(fires(lines, &[shop(seconds)]), [expected], "{seconds}");
    }
}

#[test]
fn a_rule_is_off_outside_its_days() {
    let lines = "on: payment\nfrom: 2026-03-02\nuntil: 2026-03-02\nthen:\n  - report: afm";
    let half = 43_200;
    let at: Vec<Value> =
        [-half - 1, -half, half - 1, half].iter().enumerate().map(|(n, s)| payment(n, *s, "1", &json!({}))).collect();
    assert_eq!(fires(lines, &at), [false, true, true, false]);
}

#[test]
fn the_matches_of_a_late_operation_count_for_itself() {
    let matches = "count(match where rule = \"first\" by wallet within 1h)";
    let today = "count(match where rule = \"first\" by wallet today)";
    let reader = format!("on: payment\nwhen: {matches} >= 1 and {today} >= 1\nthen:\n  - report: afm");
    // A short log is scanned, a long one has an index.
    for length in [1, 200] {
        let files =
            vec![rule("first", "enforce", "on: payment\nthen:\n  - report: afm"), rule("reader", "enforce", &reader)];
        let mut operations: Vec<Value> =
            (0..length).map(|n| payment(usize::try_from(n).expect("small"), n, "1", &json!({}))).collect();
        // Too late for any window: the hour and the day before are over for good.
        operations.push(payment(1_000, -86_400, "1", &json!({})));
        let decisions = decide(&mut pipeline(files), &operations);
        let last = decisions.last().expect("a decision");
        assert_eq!(last["late"], true);
        assert_eq!(last["matches"][1]["evidence"], json!({ matches: 1, today: 1 }), "{length} before it");
    }
}

#[test]
fn shadow_matches_are_invisible_to_enforced_rules() {
    let first = rule("first", "shadow", "on: payment\nthen:\n  - report: afm");
    let reader = |id: &str, mode: &str| {
        let condition = "count(match where rule = \"first\" by wallet within 1h) >= 1";
        rule(id, mode, &format!("on: payment\nwhen: {condition}\nthen:\n  - report: afm"))
    };
    let files = vec![first, reader("seeing", "shadow"), reader("blind", "enforce")];
    let decisions = decide(&mut pipeline(files), &payments(2));
    let matched: Vec<&str> =
        decisions[1]["matches"].as_array().expect("a list").iter().filter_map(|m| m["rule"].as_str()).collect();
    assert_eq!(matched, ["first", "seeing"]);
}

#[test]
fn a_block_of_the_same_rule_is_placed_again_only_if_it_ends_later() {
    let lines = "on: payment\nthen:\n  - block: {what: wallet, direction: debit, for: 1h, lifted_by: [agreed]}";
    let at: Vec<Value> = [0, 0, -60, 60].iter().enumerate().map(|(n, s)| payment(n, *s, "1", &json!({}))).collect();
    let decisions = decide(&mut pipeline(vec![rule("r", "enforce", lines)]), &at);
    let blocks: Vec<usize> = decisions
        .iter()
        .map(|d| d["commands"].as_array().expect("a list").iter().filter(|c| c["command"] == "block").count())
        .collect();
    assert_eq!(blocks, [1, 0, 0, 1]);
    assert_eq!(decisions[3]["verdict"], "refuse");
}

#[test]
fn the_client_lifts_what_names_the_client() {
    let lines = "on: payment\nwhen: amount = 7 KZT\nthen:\n  - monitor: {lifted_by: [client]}";
    let mut operations = vec![payment(0, 0, "7", &json!({}))];
    operations.push(json!({"op_id": "u", "type": "wallet_unblock_requested", "wallet_id": "W1",
        "occurred_at": NOON.plus(SECOND).to_string()}));
    let decisions = decide(&mut pipeline(vec![rule("r", "enforce", lines)]), &operations);
    let kinds = |n: usize| -> Vec<&str> {
        decisions[n]["commands"].as_array().expect("a list").iter().filter_map(|c| c["command"].as_str()).collect()
    };
    assert_eq!(kinds(0), ["hold", "monitor"]);
    assert_eq!(kinds(1), ["lift", "release"]);
}
