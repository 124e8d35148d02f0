//! `kuzet backtest` held against two replays of the same operations, counted here in another way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    crate::command::kuzet().args(arguments).current_dir(folder).output().expect("kuzet starts")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("a copy");
        }
    }
}

/// A folder with simulated operations, their labels, the shipped rules in `rules`, and a change of them in `changed`:
/// one threshold is higher, one lower, one rule is gone.
fn history() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let simulate = [
        "simulate",
        "--wallets",
        "500",
        "--ops",
        "6000",
        "--seed",
        "5",
        "--out",
        "ops.jsonl",
        "--labels",
        "labels.jsonl",
    ];
    assert!(run(&simulate, folder.path()).status.success());
    copy(&root("rules"), &folder.path().join("rules"));
    copy(&root("rules"), &folder.path().join("changed"));
    copy(&root("geoip"), &folder.path().join("geoip"));
    let rule = |path: &str| folder.path().join("changed/section7").join(path);
    let edit = |path: &str, from: &str, to: &str| {
        let text = fs::read_to_string(rule(path)).expect("a rule");
        assert!(text.contains(from), "{path}");
        fs::write(rule(path), text.replace(from, to)).expect("a rule is written");
    };
    edit("transfer-over-100k.yaml", "> 100_000 KZT", "> 150_000 KZT");
    edit("daily-total-over-100-mrp.yaml", "> 100 MRP", "> 20 MRP");
    fs::remove_file(rule("wrong-password-captcha.yaml")).expect("a rule is gone");
    fs::remove_file(rule("wrong-password-captcha.test.yaml")).expect("its tests too");
    folder
}

/// Every decision of a replay by its operation.
fn decisions(rules: &str, folder: &Path) -> BTreeMap<String, Value> {
    let replayed = run(&["replay", "ops.jsonl", "--rules", rules, "--out", "decisions.jsonl"], folder);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    let lines = fs::read_to_string(folder.join("decisions.jsonl")).expect("decisions");
    let decision = |line: &str| {
        let decision: Value = serde_json::from_str(line).expect("a decision");
        (decision["op_id"].as_str().expect("an id").to_owned(), decision)
    };
    lines.lines().map(decision).collect()
}

fn operations(folder: &Path) -> BTreeMap<String, Value> {
    let lines = fs::read_to_string(folder.join("ops.jsonl")).expect("operations");
    let operation = |line: &str| {
        let operation: Value = serde_json::from_str(line).expect("an operation");
        (operation["op_id"].as_str().expect("an id").to_owned(), operation)
    };
    lines.lines().map(operation).collect()
}

fn matches(decision: &Value, rule: &str) -> bool {
    let matched = |found: &Value| found["rule"] == rule;
    decision["matches"].as_array().is_some_and(|found| found.iter().any(matched))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

/// Operations, wallets and tiyn of some operations.
fn counted<'o>(ids: impl Iterator<Item = &'o String>, operations: &BTreeMap<String, Value>) -> (u64, u64, i64) {
    let (mut wallets, mut tiyn, mut count) = (BTreeSet::new(), 0, 0);
    for id in ids {
        let operation = &operations[id];
        wallets.insert(operation["wallet_id"].as_str().expect("a wallet"));
        let amount = operation.get("amount").and_then(Value::as_str).unwrap_or("0");
        tiyn += hundredths(amount);
        count += 1;
    }
    (count, wallets.len() as u64, tiyn)
}

fn hundredths(amount: &str) -> i64 {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{fraction:0<2}").parse().expect("an amount")
}

fn figures(count: &Value) -> (u64, u64, i64) {
    let number = |key: &str| count[key].as_u64().expect("a number");
    (number("operations"), number("wallets"), hundredths(count["amount"].as_str().expect("an amount")))
}

#[test]
fn counts_are_those_of_two_replays() {
    let folder = history();
    let arguments = [
        "backtest",
        "ops.jsonl",
        "--rules",
        "changed",
        "--against",
        "rules",
        "--labels",
        "labels.jsonl",
        "--format",
        "json",
    ];
    let output = run(&arguments, folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    let (with, against) = (decisions("changed", folder.path()), decisions("rules", folder.path()));
    let operations = operations(folder.path());
    assert_eq!(report["operations"], with.len());

    for verdict in ["challenge", "hold", "refuse"] {
        let of = |list: &Value| {
            let list = list.as_array().expect("a list");
            figures(&list.iter().find(|item| item[0] == verdict).expect("each verdict is told")[1])
        };
        let moved = |one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>| {
            let ids = one.keys().filter(|id| one[*id]["verdict"] == verdict && other[*id]["verdict"] != verdict);
            counted(ids, &operations)
        };
        assert_eq!(of(&report["total"]["newly"]), moved(&with, &against), "newly {verdict}");
        assert_eq!(of(&report["total"]["no_longer"]), moved(&against, &with), "no longer {verdict}");
    }
    let by_rule = report["by_rule"].as_array().expect("rules");
    assert_eq!(by_rule.len(), 32);
    let mut differing = 0;
    for figured in by_rule {
        let rule = figured["rule"].as_str().expect("an id");
        let of = |set: &BTreeMap<String, Value>| counted(set.keys().filter(|id| matches(&set[*id], rule)), &operations);
        assert_eq!(figures(&figured["alerts"]), of(&with), "{rule}");
        assert_eq!(figures(&figured["alerts_against"]), of(&against), "{rule}");
        let only = |one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>| {
            counted(one.keys().filter(|id| matches(&one[*id], rule) && !matches(&other[*id], rule)), &operations)
        };
        assert_eq!(figures(&figured["newly"]), only(&with, &against), "{rule}");
        assert_eq!(figures(&figured["no_longer"]), only(&against, &with), "{rule}");
        differing += usize::from(figured["newly"] != figured["no_longer"]);
    }
    assert!(differing >= 3, "the change shows in {differing} rules only");
    let gone = by_rule.iter().find(|rule| rule["rule"] == "wrong-password-captcha").expect("the rule that is gone");
    assert_eq!((&gone["mode"], &gone["mode_against"]), (&Value::Null, &Value::from("enforce")));
}

#[test]
fn precision_recall_and_a_sweep_are_those_of_the_labels() {
    let folder = history();
    let arguments = [
        "backtest",
        "ops.jsonl",
        "--labels",
        "labels.jsonl",
        "--sweep",
        "transfer-over-100k:50000..200000:50000",
        "--format",
        "json",
    ];
    let report = json(&run(&arguments, folder.path()));
    let labels = fs::read_to_string(folder.path().join("labels.jsonl")).expect("labels");
    let labels = labels.lines().map(|line| serde_json::from_str::<Value>(line).expect("a label"));
    let fraud: BTreeSet<String> = labels
        .filter(|label| label["label"] == "fraud" && label["rule"] == "transfer-over-100k")
        .map(|label| label["op_id"].as_str().expect("an id").to_owned())
        .collect();
    assert!(!fraud.is_empty());
    let points = report["sweep"]["points"].as_array().expect("points");
    assert_eq!(points.len(), 4);
    for point in points {
        let value = point["value"].as_str().expect("a value").trim_end_matches(" KZT");
        let limit = hundredths(value);
        let path = folder.path().join("rules/section7/transfer-over-100k.yaml");
        let rule = fs::read_to_string(root("rules/section7/transfer-over-100k.yaml")).expect("the rule");
        fs::write(&path, rule.replace("100_000 KZT and", &format!("{value} KZT and"))).expect("a rule is written");
        let decided = decisions("rules", folder.path());
        let alerted: BTreeSet<&String> =
            decided.keys().filter(|id| matches(&decided[*id], "transfer-over-100k")).collect();
        assert_eq!(point["alerts"]["operations"], alerted.len(), "{limit}");
        let found = alerted.iter().filter(|id| fraud.contains(**id)).count();
        let figures = &point["alerts"]["labels"];
        assert_eq!(figures["found"], found, "{limit}");
        assert_eq!(figures["missed"], fraud.len() - found, "{limit}");
        assert_eq!(figures["false_alarms"], alerted.len() - found, "{limit}");
    }
}

#[test]
fn a_limit_that_is_exceeded_is_named() {
    let folder = history();
    let run = |limits: &[&str]| {
        let mut arguments = vec!["backtest", "ops.jsonl", "--rules", "changed", "--against", "rules"];
        arguments.extend(limits);
        run(&arguments, folder.path())
    };
    let exceeded = run(&["--max-new-wallets", "0", "--max-new-holds", "1000000"]);
    let shown = String::from_utf8_lossy(&exceeded.stdout).into_owned();
    assert_eq!(exceeded.status.code(), Some(1), "{shown}");
    assert!(shown.contains("--max-new-wallets is 0, found "), "{shown}");
    assert!(!shown.contains("--max-new-holds"), "{shown}");
    let kept = run(&["--max-new-wallets", "1000000", "--max-daily-alerts", "1000000"]);
    assert_eq!(kept.status.code(), Some(0), "{}", String::from_utf8_lossy(&kept.stdout));
}

#[test]
fn rules_of_a_revision_are_read_from_git() {
    let folder = history();
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "rules"]);
    git(&["commit", "-q", "-m", "rules"]);
    fs::remove_dir_all(folder.path().join("rules")).expect("the folder moves on");
    copy(&folder.path().join("changed"), &folder.path().join("rules"));
    let with_git = run(&["backtest", "ops.jsonl", "--against", "git:HEAD", "--format", "json"], folder.path());
    let with_git = json(&with_git);
    assert_eq!(with_git["against"]["name"], "git:HEAD");
    let rules = text(&root("rules")).to_owned();
    let with_folder = run(&["backtest", "ops.jsonl", "--against", &rules, "--format", "json"], folder.path());
    assert_eq!(with_git["total"], json(&with_folder)["total"]);

    let unknown = run(&["backtest", "ops.jsonl", "--against", "git:nowhere"], folder.path());
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_ne!(unknown.status.code(), Some(0));
    assert!(told.contains("failed to read rules of the revision nowhere"), "{told}");
}

#[test]
fn a_page_stands_by_itself_and_takes_no_markup_from_ids() {
    let folder = history();
    let operations = fs::read_to_string(folder.path().join("ops.jsonl")).expect("operations");
    let evil = r#"{"op_id":"<script>alert(1)</script>","type":"transfer","occurred_at":"2026-03-02T12:00:00+05:00","wallet_id":"W","client_status":"identified","amount":"160000.00","counterparty":{"kind":"client","wallet_id":"V"}}"#;
    fs::write(folder.path().join("ops.jsonl"), format!("{operations}{evil}\n")).expect("operations are written");
    for (language, title) in
        [("kk", "Ережелер не істер еді"), ("ru", "Что сделали бы правила"), ("en", "What the rules would have done")]
    {
        let arguments = ["backtest", "ops.jsonl", "--format", "html", "--lang", language, "--out", "page.html"];
        assert!(run(&arguments, folder.path()).status.success());
        let page = fs::read_to_string(folder.path().join("page.html")).expect("a page");
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{language}");
        assert!(page.contains("<svg") && page.ends_with("</body></html>\n"));
        for foreign in ["http://", "https://", "src=", "href=", "<script"] {
            assert!(!page.contains(foreign), "{foreign} in the page");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = history();
    fs::write(folder.path().join("bad.jsonl"), "{\"op_id\":\"a\",\"label\":\"frod\"}\n").expect("a file");
    for (arguments, told) in [
        (&["--sweep", "nothing:1..2:1"][..], "a sweep of a rule that is not there: `nothing`"),
        (&["--sweep", "structuring-below-100k:1..2:1"], "say which one moves"),
        (&["--sweep", "transfer-over-100k:1..2"], "a sweep is RULE:FROM..TO:STEP"),
        (&["--labels", "bad.jsonl"], "unknown variant `frod`"),
        (&["--labels", "none.jsonl"], "failed to open none.jsonl"),
        (&["--max-new-wallets", "3"], "--max-new-wallets needs --against"),
    ] {
        let mut all = vec!["backtest", "ops.jsonl"];
        all.extend(arguments);
        let output = run(&all, folder.path());
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && shown.contains(told), "{arguments:?}: {shown}");
    }
}
