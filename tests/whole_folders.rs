//! What is empty, misnamed or orphaned in a folder of rules is told, and never taken for a whole set.

use std::fs;
use std::path::Path;

use crate::command::kuzet;

const RULE: &str = "rule: big\nclauses: [\"7.15\"]\ntitle: {kk: a, ru: b, en: c}\nowner: risk\nmode: shadow\non: transfer\nwhen: amount > 5 KZT\nthen: [hold]\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

/// The exit code, and the codes of what was found with the file of each.
fn check(folder: &Path, options: &[&str]) -> (i32, Vec<String>) {
    let output = kuzet().arg("check").arg(folder).args(["--format", "json"]).args(options).output().expect("it runs");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |found: &serde_json::Value| {
        let path = found["path"].as_str().unwrap_or_default();
        let name = path.strip_prefix(&format!("{}/", folder.display())).unwrap_or("");
        format!(
            "{} {} {name}",
            found["severity"].as_str().unwrap_or_default(),
            found["code"].as_str().unwrap_or_default()
        )
    };
    let findings = found["diagnostics"].as_array().expect("findings").iter().map(of).collect();
    (output.status.code().expect("an end"), findings)
}

#[test]
fn a_folder_without_rules_is_an_error_unless_it_is_meant() {
    let empty = folder(&[]);
    assert_eq!(check(empty.path(), &[]), (1, vec![String::from("error no-rules ")]));
    assert_eq!(check(empty.path(), &["--allow-empty"]), (0, Vec::new()));
    let replay = kuzet().args(["replay", "-", "--rules"]).arg(empty.path()).output().expect("it runs");
    assert_eq!(replay.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&replay.stderr).contains("there is no rule"), "{replay:?}");
}

#[test]
fn every_file_is_loaded_or_named() {
    let named = folder(&[
        ("big.yaml", RULE),
        ("README.md", "for people"),
        ("x.YAML", RULE),
        ("y.YML", RULE),
        ("list.csv", "value\n"),
        ("data/rule.yaml", RULE),
        ("data/mrp.yaml", "mrp: [{from: 2026-01-01, value: 4325 KZT}]\n"),
        ("more/data/mrp.yaml", "mrp: [{from: 2026-01-01, value: 4325 KZT}]\n"),
        ("data/WALLETS.CSV", "value,from,until,reason\n"),
        ("gone.test.yaml", "tests: []\n"),
        ("big.yaml~", RULE),
    ]);
    let (code, found) = check(named.path(), &[]);
    let expected = [
        "warning file-name big.yaml~",
        "error file-name data/WALLETS.CSV",
        "error file-name data/rule.yaml",
        "error file-name gone.test.yaml",
        "error file-name list.csv",
        "error duplicate-file more/data/mrp.yaml",
        "error file-name x.YAML",
        "error file-name y.YML",
    ];
    assert_eq!((code, found), (1, expected.map(String::from).to_vec()));
}

/// What a file is follows from its path inside the folder, however the folder is named.
#[test]
fn a_folder_may_be_named_data() {
    let parent = folder(&[("data/big.yaml", RULE), ("rules/data/data/lists.yaml", "lists: []\n")]);
    assert_eq!(check(&parent.path().join("data"), &[]), (0, Vec::new()));
}

#[test]
fn tests_that_could_never_fail_are_errors() {
    let tests = "tests:\n  - {name: a, start: 2026-03-02T12:00:00+05:00, steps: []}\n  - name: b\n    start: 2026-03-02T12:00:00+05:00\n    steps: [{at: 0m, type: login, wallet_id: W1, outcome: success}]\n";
    let idle = folder(&[("big.yaml", RULE), ("big.test.yaml", tests)]);
    let error = String::from("error empty-test big.test.yaml");
    assert_eq!(check(idle.path(), &[]), (1, vec![error.clone(), error]));
    let tests = "tests:\n  - name: a\n    start: 2026-03-02T12:00:00+05:00\n    steps: [{at: 0m, type: login, wallet_id: W1, outcome: success, expect: {matches: [], shadow: [bigg]}}]\n";
    let unknown = folder(&[("big.yaml", RULE), ("big.test.yaml", tests)]);
    assert_eq!(check(unknown.path(), &[]), (1, vec![String::from("error unknown-rule big.test.yaml")]));
}
