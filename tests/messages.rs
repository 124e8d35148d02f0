//! What a person reads when something is wrong, word for word.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

const GOOD: &str = r#"{"op_id":"op-1","type":"payment","occurred_at":"2026-11-22T10:15:00+05:00","wallet_id":"W1","client_status":"identified","amount":"150.00","counterparty":{"kind":"merchant"}}"#;

/// Runs kuzet in a folder; returns the exit code, standard output and standard error.
fn kuzet(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = crate::command::kuzet().current_dir(folder).args(arguments).output().expect("kuzet runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn folder_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

fn rule(condition: &str) -> String {
    format!(
        "rule: big-payment\nclauses: [\"7.15\"]\ntitle:\n  kk: Ірі төлем\n  ru: Крупный платёж\n  en: Large payment\n\
         owner: risk\nmode: enforce\non: payment\nwhen: {condition}\nthen:\n  - hold\n"
    )
}

fn check(condition: &str) -> String {
    let folder = folder_with(&[("rules/big-payment.yaml", rule(condition).as_bytes())]);
    let (code, out, err) = kuzet(folder.path(), &["check", "rules"]);
    assert_eq!(code, Some(1), "{out}{err}");
    out
}

/// The one rejected line of a replay of one record.
fn rejected(record: &[u8]) -> serde_json::Value {
    let folder = folder_with(&[("ops.jsonl", record)]);
    let arguments = ["replay", "ops.jsonl", "--out", "d.jsonl", "--rejected", "r.jsonl"];
    let (code, _, err) = kuzet(folder.path(), &arguments);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(fs::read(folder.path().join("d.jsonl")).expect("decisions"), b"");
    let line = fs::read(folder.path().join("r.jsonl")).expect("rejected records");
    serde_json::from_slice::<serde_json::Value>(&line).expect("one line")["error"].clone()
}

#[test]
fn a_typo_in_a_rule() {
    insta::assert_snapshot!(check("amuont > 100_000 KZT"));
}

#[test]
fn a_missing_unit_behind_kazakh_words() {
    insta::assert_snapshot!(check("attributes.мақсат = \"жалақы\" and amount > 100000"));
}

#[test]
fn a_float_amount() {
    let error = rejected(GOOD.replace("\"150.00\"", "150.00").as_bytes());
    insta::assert_snapshot!(serde_json::to_string_pretty(&error).expect("JSON"));
}

#[test]
fn a_record_of_100_kb() {
    let long = GOOD.replace("\"W1\"", &format!("\"{}\"", "W".repeat(100_000)));
    insta::assert_snapshot!(serde_json::to_string_pretty(&rejected(long.as_bytes())).expect("JSON"));
}

#[test]
fn a_truncated_gzip() {
    let mut whole = Vec::new();
    let text = format!("{GOOD}\n").repeat(5_000);
    flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::new(1)).read_to_end(&mut whole).expect("gzip");
    let folder = folder_with(&[("ops.jsonl.gz", &whole[..whole.len() / 2])]);
    let (code, _, err) = kuzet(folder.path(), &["replay", "ops.jsonl.gz", "--out", "d.jsonl"]);
    assert_eq!(code, Some(1));
    let last = err.lines().last().expect("a message");
    assert!(
        last.starts_with("kuzet: failed to read ops.jsonl.gz after ")
            && last.ends_with("unexpected end of compressed data"),
        "{last}"
    );
}

#[test]
fn an_unreadable_database() {
    let folder = folder_with(&[("ops.jsonl", GOOD.as_bytes()), ("geoip/country.mmdb", b"not a database")]);
    let (code, _, err) = kuzet(folder.path(), &["replay", "ops.jsonl", "--out", "d.jsonl"]);
    assert_eq!(code, Some(64));
    insta::assert_snapshot!(err);
}

#[test]
fn a_folder_of_rules_that_is_not_there() {
    let folder = folder_with(&[("ops.jsonl", GOOD.as_bytes())]);
    let (code, _, err) = kuzet(folder.path(), &["replay", "ops.jsonl", "--rules", "rulez"]);
    assert_eq!(code, Some(64));
    insta::assert_snapshot!(err);
}

#[test]
fn rules_that_do_not_load() {
    let text = rule("amount > 100000");
    let folder = folder_with(&[("ops.jsonl", GOOD.as_bytes()), ("rules/big-payment.yaml", text.as_bytes())]);
    let (code, _, err) = kuzet(folder.path(), &["replay", "ops.jsonl"]);
    assert_eq!(code, Some(64));
    insta::assert_snapshot!(err);
}

#[test]
fn a_full_disk() {
    let folder = folder_with(&[("ops.jsonl", format!("{GOOD}\n").as_bytes())]);
    let (code, _, err) = kuzet(folder.path(), &["replay", "ops.jsonl", "--out", "/dev/full"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(err.lines().last().expect("a message"));
}

#[test]
fn a_reader_that_went_away() {
    let text: String = (0..20_000).map(|n| format!("{}\n", GOOD.replace("op-1", &format!("op-{n}")))).collect();
    let folder = folder_with(&[("ops.jsonl", text.as_bytes())]);
    let mut child = crate::command::kuzet()
        .current_dir(folder.path())
        .args(["replay", "ops.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kuzet starts");
    let mut first = [0];
    let mut pipe = child.stdout.take().expect("a pipe");
    pipe.read_exact(&mut first).expect("a decision begins");
    drop(pipe);
    let output = child.wait_with_output().expect("kuzet ends");
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.lines().last().expect("a message").contains("closed by its reader"), "{err}");
}

#[test]
fn nonsense_is_refused_line_by_line_and_the_rest_decided() {
    let mut input = b"\xff\xfe\n[]\nnull\n{\"op_id\":\n".to_vec();
    input.write_all(GOOD.as_bytes()).expect("a buffer");
    let folder = folder_with(&[("ops.jsonl", &input)]);
    let (code, out, _) = kuzet(folder.path(), &["replay", "ops.jsonl", "--rejected", "r.jsonl"]);
    assert_eq!((code, out.lines().count()), (Some(0), 1), "{out}");
    insta::assert_snapshot!(fs::read_to_string(folder.path().join("r.jsonl")).expect("rejected records"));
}
