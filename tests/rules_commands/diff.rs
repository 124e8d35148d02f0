//! `kuzet rules diff`

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{told, write};

const RULE: &str = "\
rule: transfers
clauses: [\"7.15\"]
title: {kk: а, ru: б, en: Transfers}
owner: risk
mode: shadow
on: transfer
when: |
  amount > 100_000 KZT and counterparty.wallet_id not in flagged
  and count(transfer where outcome is missing by wallet within 1h) > 10
then:
  - hold
";
const LISTS: &str = "lists: {flagged: {type: wallet, file: flagged.csv}}\n";
const MRP: &str = "mrp:\n  - {from: 2026-01-01, value: 4325 KZT}\n";

fn rules(folder: &Path, name: &str, rule: &str) {
    let files = [
        ("transfers.yaml", rule),
        ("data/lists.yaml", LISTS),
        ("data/flagged.csv", "value,from,until,reason\nW1,,,x\n"),
        ("data/mrp.yaml", MRP),
    ];
    write(&folder.join(name), &files);
}

#[test]
fn layout_comments_and_places_are_no_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    rules(folder.path(), "a", RULE);
    rules(folder.path(), "b", "# gone\n");
    fs::remove_file(folder.path().join("b/transfers.yaml")).expect("there");
    let other = RULE.replace("amount > 100_000 KZT and", "(amount>100000 KZT)  # much\n  and");
    let other = other.replace(
        "  - hold\n",
        "  - hold: {lifted_by: [agreed, pin, secret_answer, identity_document, \
                                             mobile_contract]} # the five\n",
    );
    write(&folder.path().join("b"), &[("moved/transfers.yaml", &other)]);
    let answer = told(folder.path(), &["rules", "diff", "a", "b"], 0);
    assert!(answer.ends_with("\nBoth mean the same.\n"), "{answer}");
    let json: Value =
        serde_json::from_str(&told(folder.path(), &["rules", "diff", "a", "b", "--format", "json"], 0)).expect("JSON");
    assert_eq!(json["changed"].as_array().map(Vec::len), Some(0), "{json}");
    assert_eq!(json["before"]["ruleset"], json["after"]["ruleset"]);
}

#[test]
fn thresholds_windows_actions_lists_and_tables_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    rules(folder.path(), "a", RULE);
    let changed = RULE
        .replace("100_000 KZT", "150_000 KZT")
        .replace("within 1h) > 10", "within 2h) >= 10")
        .replace("mode: shadow", "mode: enforce\nfrom: 2026-12-01")
        .replace("on: transfer", "on: [transfer, payment]")
        .replace("  - hold\n", "  - hold\n  - monitor\n");
    rules(folder.path(), "b", &changed);
    let more = RULE.replace("rule: transfers", "rule: more");
    write(
        folder.path(),
        &[
            ("b/more.yaml", &more),
            ("b/data/flagged.csv", "value,from,until,reason\nW1,2026-01-01,,x\nW2,,,x\n"),
            ("b/data/mrp.yaml", &format!("{MRP}  - {{from: 2027-01-01, value: 4700 KZT}}\n")),
        ],
    );
    let answer = told(folder.path(), &["rules", "diff", "a", "b"], 1);
    let (names, shown) = answer.split_once("\n\n").expect("parts");
    assert!(names.starts_with("before  a  rule set ") && names.contains("\nafter   b  rule set "), "{names}");
    assert_eq!(
        shown,
        "\
added more, shadow, on transfer: Transfers
  when      amount > 100_000 KZT and counterparty.wallet_id not in flagged and count(transfer where outcome is missing \
by wallet within 1h) > 10

changed transfers
  mode      shadow → enforce
  from      none → 2026-12-01
  on        transfer → transfer, payment
  when
    - amount > 100_000 KZT and counterparty.wallet_id not in flagged and count(transfer where outcome is missing by \
wallet within 1h) > 10
    + amount > 150_000 KZT and counterparty.wallet_id not in flagged and count(transfer where outcome is missing by \
wallet within 2h) >= 10
    threshold of amount: 100_000 KZT → 150_000 KZT
    comparison of count(transfer where outcome is missing by wallet within 2h): > → >=
    window of count(transfer): within 1h → within 2h
  then      hold → hold; monitor

list flagged; 1 values added: W2; 1 values changed: W1

MRP from 2027-01-01: none → 4700.00

1 rules added, 0 removed, 1 changed; 1 lists and 1 rows of the MRP changed
Who is affected: kuzet backtest OPS --rules b --against a
"
    );
    let back = told(folder.path(), &["rules", "diff", "b", "a", "--format", "json"], 1);
    let json: Value = serde_json::from_str(&back).expect("JSON");
    assert_eq!(json["removed"][0]["rule"], "more");
    let when = &json["changed"][0]["parts"][3];
    assert_eq!((&when["part"], &when["details"][0]["before"]), (&"when".into(), &"150_000 KZT".into()));
    assert_eq!(json["affected"], "kuzet backtest OPS --rules a --against b");
}

#[test]
fn a_revision_is_compared_with_the_working_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    rules(folder.path(), "rules", RULE);
    let git = |arguments: &[&str]| {
        let names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
        let output = Command::new("git").current_dir(folder.path()).args(names).args(arguments).output();
        assert!(output.expect("git is installed").status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "rules"]);
    told(folder.path(), &["rules", "diff", "git:HEAD"], 0);
    rules(
        folder.path(),
        "rules",
        &RULE
            .replace(" not in flagged", " in flagged or amount < 5 KZT")
            .replace("and count(transfer where outcome is missing by wallet within 1h) > 10", "or wallet.is_blocked")
            .replace("amount > 100_000 KZT and", "amount > 100_000 KZT or"),
    );
    let answer = told(folder.path(), &["rules", "diff", "git:HEAD"], 1);
    assert!(answer.contains("    condition: amount > 100_000 KZT and "), "{answer}");
    assert!(answer.contains("Who is affected: kuzet backtest OPS --against git:HEAD\n"), "{answer}");
    let refused = told(folder.path(), &["rules", "diff", "git:nonsense"], 2);
    assert!(refused.contains("failed to read rules of the revision nonsense"), "{refused}");
}
