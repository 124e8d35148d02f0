//! The schemas against the contract's examples and the fixtures of decoding.

use std::path::Path;

use kuzet::cli::schema::{SchemaArgs, SchemaSubject, run, text};
use kuzet::operation::decode::{Rejection, decode, encode_rejection};
use serde_json::{Value, json};

fn document(subject: SchemaSubject) -> Value {
    serde_json::from_str(&text(subject)).expect("JSON")
}

fn validator(subject: SchemaSubject) -> jsonschema::Validator {
    jsonschema::options().should_validate_formats(true).build(&document(subject)).expect("a valid schema")
}

fn fixtures(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn every_schema_is_one() {
    for subject in [
        SchemaSubject::Operation,
        SchemaSubject::Decision,
        SchemaSubject::Rejected,
        SchemaSubject::Rule,
        SchemaSubject::Lists,
        SchemaSubject::Config,
    ] {
        let document = document(subject);
        assert!(jsonschema::meta::is_valid(&document), "{subject:?}");
        let mut out = Vec::new();
        assert_eq!(run(&SchemaArgs { subject }, &mut out).unwrap(), 0);
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), document);
    }
}

/// `KUZET_BLESS=1 cargo test --test pure schema::` writes the reference anew.
#[test]
fn the_rule_reference_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rule-reference.md");
    let made = text(SchemaSubject::RuleReference);
    if crate::environment::text("KUZET_BLESS").is_some() {
        std::fs::write(&path, &made).expect("writable");
    }
    let stored = std::fs::read_to_string(&path).expect("docs/rule-reference.md");
    for (number, (stored, made)) in stored.lines().zip(made.lines()).enumerate() {
        assert_eq!(stored, made, "docs/rule-reference.md, line {}: KUZET_BLESS=1 writes it", number + 1);
    }
    assert_eq!(stored.len(), made.len(), "docs/rule-reference.md: KUZET_BLESS=1 writes it");
}

#[test]
fn accepted_operations_are_valid() {
    let schema = validator(SchemaSubject::Operation);
    for case in fixtures("operations/accepted.jsonl") {
        let record = match case["raw"].as_str().map(serde_json::from_str) {
            None => case["record"].clone(),
            Some(Ok(record)) => record,
            // What serde_json cannot hold (1e999 in a field nobody reads), no schema can be asked about.
            Some(Err(_)) => continue,
        };
        assert!(schema.is_valid(&record), "{}: {:?}", case["why"], schema.iter_errors(&record).next());
    }
}

#[test]
fn rejected_operations_are_invalid() {
    let schema = validator(SchemaSubject::Operation);
    // Calendars, years and addresses with a zone are beyond a schema.
    let beyond = ["30 February", "the accepted times", "nanoseconds do not hold"];
    let mut checked = 0;
    for file in ["always", "by_type", "values", "attributes", "precedence"] {
        for case in fixtures(&format!("rejections/{file}.jsonl")) {
            let why = case["why"].as_str().expect("a reason");
            if case["record"].is_null() || beyond.iter().any(|text| why.contains(text)) {
                continue;
            }
            assert!(!schema.is_valid(&case["record"]), "{why}");
            checked += 1;
        }
    }
    assert!(checked > 180, "{checked}");
}

#[test]
fn the_contracts_decision_is_valid() {
    let schema = validator(SchemaSubject::Decision);
    let id = "8f14e45f-ceea-567f-a3b1-0123456789ab";
    let decision = json!({"decision_id": id, "op_id": "01JD8Q6T9V0000000000000001", "wallet_id": "77010000001", "type": "transfer",
        "occurred_at": "2026-11-22T05:15:00.123Z", "verdict": "hold",
        "matches": [{"rule": "transfer-over-100k", "clauses": ["7.15"], "mode": "enforce",
                     "evidence": {"amount": "150000.00", "counterparty.kind": "client"},
                     "message": {"kk": "150 000 теңге", "ru": "150 000 тенге", "en": "150,000 KZT"}}],
        "commands": [{"command": "hold", "command_id": id, "rule": "transfer-over-100k", "clauses": ["7.15"],
                      "subject": {"operation": "01JD8Q6T9V0000000000000001"}, "restriction_id": id,
                      "from": "2026-11-22T05:15:00.123Z", "until": null,
                      "lifted_by": ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed"]}],
        "late": false, "degraded": [], "ruleset": "b1946ac92492"});
    assert!(schema.is_valid(&decision), "{:?}", schema.iter_errors(&decision).next());
    for (path, value) in [
        ("/verdict", json!("maybe")),
        ("/decision_id", json!("x")),
        ("/occurred_at", json!("2026-11-22T10:15:00+05:00")),
        ("/commands/0/restriction_id", Value::Null),
        ("/commands/0/command", json!("report")),
        ("/commands/0/subject", json!({"wallet": "a", "ip": "b"})),
        ("/matches/0/mode", json!("off")),
        ("/matches/0/message/kk", Value::Null),
        ("/matches/0/message", json!("150,000 KZT")),
        ("/degraded", json!(["redis"])),
    ] {
        let mut changed = decision.clone();
        *changed.pointer_mut(path).expect("there") = value;
        assert!(!schema.is_valid(&changed), "{path}");
    }
}

#[test]
fn refused_records_are_valid() {
    let schema = validator(SchemaSubject::Rejected);
    for raw in [&b"{"[..], b"{}", b"\xff"] {
        let mut line = Vec::new();
        let rejection: Rejection = decode(raw).unwrap_err();
        encode_rejection(&mut line, &rejection, 0, 0, raw);
        assert!(schema.is_valid(&serde_json::from_slice(&line).unwrap()));
    }
}

#[test]
fn rules_have_a_form() {
    let schema = validator(SchemaSubject::Rule);
    let rule = json!({"rule": "equal-transfers-in-hour", "clauses": ["7.15"], "title": {"kk": "а", "ru": "б", "en": "c"},
        "owner": "risk", "mode": "enforce", "on": "transfer", "when": "amount > 100_000 KZT",
        "then": ["monitor", {"monitor": {"lifted_by": ["identity_document"]}}, {"challenge": "pin"}, {"report": "afm"},
            {"block": {"what": "wallet", "direction": "debit", "for": "6mo"}}, {"report": {"to": "afm", "when": "amount > 1 MRP"}}]});
    assert!(schema.is_valid(&rule), "{:?}", schema.iter_errors(&rule).next());
    for (key, value) in [
        ("mode", json!("on")),
        ("on", json!("transfers")),
        ("then", json!(["stop"])),
        ("then", json!([{"block": {"what": "wallet", "direction": "debit", "for": "2 h"}}])),
        ("rule", json!("Equal")),
        ("wen", json!("true")),
        ("when", json!({"all": [], "any": []})),
    ] {
        let mut changed = rule.clone();
        changed[key] = value;
        assert!(!schema.is_valid(&changed), "{key}");
    }
}

#[test]
fn a_configuration_has_a_form() {
    let schema = validator(SchemaSubject::Config);
    let hash = format!("blake3:{}", "0f".repeat(32));
    let config = json!({"source": "http", "rules": {"folder": "rules", "watch": false}, "store": {"batch_max": 1, "cache_bytes": "1GiB"},
        "http": {"listen": "[::]:80", "request_timeout": "250ms", "tls": {"certificate": "a", "key": "b"}},
        "token": [{"name": "ledger", "hash": hash, "roles": ["ledger", "metrics"]}], "log": {"level": "warn"}});
    assert!(schema.is_valid(&config), "{:?}", schema.iter_errors(&config).next());
    for (path, value) in [
        ("/source", json!("kafak")),
        ("/rules/watch", json!("true")),
        ("/store/batch_max", json!(0)),
        ("/store/cache_bytes", json!("1GB")),
        ("/http/request_timeout", json!("1 s")),
        ("/http/tls", json!({"certificat": "a"})),
        ("/token/0/roles", json!([])),
        ("/token/0/hash", json!("blake3:00")),
        ("/log/level", json!("trace")),
    ] {
        let mut changed = config.clone();
        *changed.pointer_mut(path).expect("there") = value;
        assert!(!schema.is_valid(&changed), "{path}");
    }
}

/// What `kuzet check` says of a list, its schema says too.
#[test]
fn lists_are_described() {
    let schema = validator(SchemaSubject::Lists);
    for (list, is_right) in [
        (json!({"type": "wallet", "file": "a.csv"}), true),
        (json!({"type": "cidr", "from": "redis", "title": "t", "notes": "n"}), true),
        (json!({"type": "wallet"}), false),
        (json!({"type": "wallet", "file": "a.csv", "from": "redis"}), false),
        (json!({"type": "wallet", "from": "kafka"}), false),
        (json!({"type": "wallets", "from": "redis"}), false),
        (json!({"type": "wallet", "file": "../a.csv"}), false),
        (json!({"type": "wallet", "from": "redis", "every": "1s"}), false),
    ] {
        // JSON is YAML.
        let lists = json!({"lists": {"flagged": list}});
        assert_eq!(schema.is_valid(&lists), is_right, "{lists}");
        let file = |path: &str, text: String| kuzet::rules::SourceFile::new(path, text);
        let mut files = vec![file("data/lists.yaml", lists.to_string())];
        // A file that no list reads is an error of its own.
        if lists["lists"]["flagged"]["file"] == "a.csv" {
            files.push(file("data/a.csv", "value,from,until,reason\n".to_owned()));
        }
        let compiled = kuzet::rules::compile(&files);
        assert_eq!(compiled.is_ok(), is_right, "{lists}: {compiled:?}");
    }
}

#[test]
fn the_topics_are_described() {
    let document = document(SchemaSubject::Asyncapi);
    assert_eq!(document["asyncapi"], "3.0.0");
    for (channel, address) in [
        ("operations", "wallet.operations"),
        ("decisions", "wallet.decisions"),
        ("rejected", "wallet.operations.rejected"),
    ] {
        let channel = &document["channels"][channel];
        assert_eq!(channel["address"], address);
        for message in channel["messages"].as_object().unwrap().values() {
            let target = message["$ref"].as_str().unwrap().trim_start_matches('#');
            let message = document.pointer(target).unwrap();
            assert!(jsonschema::meta::is_valid(&message["payload"]["schema"]), "{target}");
            assert!(jsonschema::meta::is_valid(&message["headers"]), "{target}");
            let schema = jsonschema::validator_for(&message["payload"]["schema"]).unwrap();
            let examples = message["examples"].as_array().map_or(&[][..], Vec::as_slice);
            assert_eq!(examples.is_empty(), address == "wallet.operations.rejected", "{target}");
            for example in examples {
                assert!(schema.is_valid(&example["payload"]), "{example}");
            }
        }
    }
    let terms = document.pointer("/components/messages/decision/payload/schema/properties/commands").unwrap();
    for (field, word) in [("restriction_id", "extended"), ("command", "suspended")] {
        let text = terms["items"]["properties"][field]["description"].as_str().unwrap();
        assert!(text.contains(word), "{field}: {text}");
    }
}

/// The examples of decisions are what the shipped rules say to the examples of operations, but for the name of
/// the rule set and the wording of messages. `KUZET_BLESS=1` writes them anew.
#[test]
fn the_examples_are_true() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema/examples");
    let operations = std::fs::read(folder.join("operations.jsonl")).expect("readable");
    let schema = validator(SchemaSubject::Operation);
    for operation in fixtures("../src/schema/examples/operations.jsonl") {
        assert!(schema.is_valid(&operation), "{operation}");
    }
    let mut decided = Vec::new();
    crate::decide::decide_each(&operations, |_, line| decided.push(String::from_utf8(line).expect("text")));
    let file = folder.join("decisions.jsonl");
    if std::env::var_os("KUZET_BLESS").is_some() {
        let lines: String = decided.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&file, lines).expect("writable");
    }
    let comparable = |mut decision: Value| {
        decision["ruleset"] = Value::Null;
        for one in decision["matches"].as_array_mut().into_iter().flatten() {
            for (_, text) in one["message"].as_object_mut().into_iter().flatten() {
                *text = Value::Null;
            }
        }
        decision
    };
    let decided: Vec<Value> =
        decided.iter().map(|line| comparable(serde_json::from_str(line).expect("JSON"))).collect();
    let stored: Vec<Value> = fixtures("../src/schema/examples/decisions.jsonl").into_iter().map(comparable).collect();
    assert_eq!(stored, decided, "KUZET_BLESS=1 writes {} anew", file.display());
    let schema = validator(SchemaSubject::Decision);
    for decision in fixtures("../src/schema/examples/decisions.jsonl") {
        assert!(schema.is_valid(&decision), "{:?}", schema.iter_errors(&decision).next());
    }
    let commands: Vec<&Value> = stored.iter().flat_map(|decision| decision["commands"].as_array().unwrap()).collect();
    let blocks: Vec<&&Value> = commands.iter().filter(|one| one["rule"] == "suspicion-confirmed-block").collect();
    assert_eq!(blocks[0]["restriction_id"], blocks[1]["restriction_id"], "an extension is shown");
    assert!(blocks[0]["until"].as_str() < blocks[1]["until"].as_str());
}
