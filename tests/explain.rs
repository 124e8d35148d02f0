//! `kuzet explain`: what each reader is told, word for word, and what happens where there is nothing to tell.

use std::fs;

use serde_json::{Value, json};

/// Eleven transfers of an equal amount, a minute apart; the eleventh is held.
fn operations() -> String {
    let transfer = |number: u32| {
        json!({
            "op_id": format!("t{number}"), "type": "transfer", "wallet_id": "7701", "client_status": "identified",
            "occurred_at": format!("2026-11-22T12:{number:02}:00+05:00"), "amount": "5000.00",
            "counterparty": {"kind": "client", "wallet_id": format!("88{number}")},
        })
    };
    let mut lines: Vec<String> = (0..11).map(|number| transfer(number).to_string()).collect();
    lines.push(r#"{"op_id":"bad","type":"transfer","wallet_id":"7701"}"#.to_owned());
    lines.join("\n")
}

/// Runs kuzet over the operations; returns the exit code and standard output.
fn explain(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("ops.jsonl"), operations()).expect("a file");
    let arguments = [&["explain", "ops.jsonl"], arguments].concat();
    let output = crate::command::kuzet().current_dir(folder.path()).args(arguments).output().expect("kuzet runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\u{a0}', " ");
    assert_eq!(text(&output.stderr), "");
    (output.status.code(), text(&output.stdout))
}

fn explained(arguments: &[&str]) -> String {
    let (code, text) = explain(arguments);
    assert_eq!(code, Some(0), "{text}");
    let is_set = |line: &str| ["Rule set ", "Набор правил ", "Ережелер жинағы "].iter().any(|it| line.starts_with(it));
    let lines = text.lines().map(|line| if is_set(line) { "(rule set and decision id)" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_analyst_is_told_everything() {
    insta::assert_snapshot!(explained(&["--op", "t10"]));
}

#[test]
fn support_sees_no_text_of_rules() {
    let told = explained(&["--op", "t10", "--lang", "ru", "--for", "support"]);
    assert!(!told.contains("count(") && !told.contains(" > 10"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn a_client_is_told_of_no_rule() {
    let told = explained(&["--op", "t10", "--lang", "kk", "--for", "client"]);
    assert!(!told.contains("equal-transfers") && !told.contains("7.15"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn json_holds_all_languages_and_exact_times() {
    let (code, text) = explain(&["--op", "t10", "--format", "json", "--for", "support"]);
    assert_eq!(code, Some(0), "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let fired = told["rules"].as_array().expect("rules").iter().find(|rule| rule["fired"] == true).expect("a rule");
    assert_eq!(fired["rule"], "equal-transfers-in-hour");
    let count = &fired["conditions"][1];
    assert_eq!(count["since"], "2026-11-22T07:00:00Z");
    assert_eq!(count["leaves"], "2026-11-22T08:00:00.001Z");
    assert_eq!(count["clears"], "2026-11-22T08:00:00.001Z");
    assert_eq!(count["text"], Value::Null);
    for language in ["kk", "ru", "en"] {
        let sentence = count["sentence"][language].as_str().expect("a sentence");
        assert!(sentence.contains(": 11; "), "{sentence}");
    }
    assert_eq!(told["in_force"][0]["kind"], "monitor");
    let (_, text) = explain(&["--op", "t10", "--format", "json", "--for", "client"]);
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&told["rules"], &told["in_force"][0]["rule"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_is_not_there_or_refused_is_told() {
    let nothing = explain(&["--op", "t99"]);
    assert_eq!(nothing, (Some(1), "no operation t99 among the 12 records of ops.jsonl\n".to_owned()));
    let nothing = explain(&["--op", "t1", "--wallet", "7702"]);
    assert_eq!(nothing, (Some(1), "no operation t1 of wallet 7702 among the 12 records of ops.jsonl\n".to_owned()));
    let (code, refused) = explain(&["--op", "bad"]);
    assert_eq!(code, Some(1));
    assert!(refused.starts_with("bad is refused: "), "{refused}");
}
