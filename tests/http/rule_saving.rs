//! Files of rules that an analyst saves through a running service.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::rule_life::RULE;
use super::*;

const TESTS: &str = "\
tests:
  - name: both sides
    start: 2026-11-24T12:00:00+05:00
    given: {type: transfer, wallet_id: W1, client_status: identified, counterparty: {kind: client, wallet_id: W2}}
    steps:
      - {at: 0m, amount: \"100000.00\", expect: {matches: []}}
      - {at: 1m, amount: \"100000.01\", expect: {matches: [transfers]}}
";

/// A service with a rule and its tests in a folder of its own.
struct Stand {
    server: Server,
    rules: PathBuf,
}

impl Stand {
    fn start(settings: &str) -> Self {
        let mut rules = PathBuf::new();
        let server = Server::start_with(settings, |store| {
            rules = store.parent().expect("inside").join("rules");
            fs::create_dir(&rules).expect("a folder");
            fs::write(rules.join("transfers.yaml"), RULE).expect("a file");
            fs::write(rules.join("transfers.test.yaml"), TESTS).expect("a file");
        });
        Self { server, rules }
    }

    fn save(&self, query: &str, body: &Value) -> Answer {
        post(self.server.address, &format!("/v1/rules/save{query}"), &body.to_string())
    }

    /// The hashes of the rule's files, as an editor gets them.
    fn opened(&self) -> (Value, Value) {
        let files = get(self.server.address, "/v1/rules/transfers").json()["files"].clone();
        (files["rule_hash"].clone(), files["tests_hash"].clone())
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.rules.join(path)).expect("there")
    }

    fn verdict(&self, op: &str, amount: &str) -> Value {
        post(self.server.address, "/v1/operations", &transfer(op, "w1", amount)).json()["verdict"].clone()
    }

    fn newest_change(&self) -> Value {
        get(self.server.address, "/v1/rules/history?limit=1").json()["history"][0].clone()
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_changed_rule_watches_first_and_keeps_its_text() {
    let stand = Stand::start("");
    assert_eq!(stand.verdict("a1", "150000.00"), "hold");
    let (hash, tests_hash) = stand.opened();
    let changed = RULE.replace("100_000", "200_000");
    let changed_tests = TESTS.replace("100000", "200000");
    let body = json!({
        "files": {"transfers.yaml": changed, "transfers.test.yaml": changed_tests},
        "opened": {"transfers.yaml": hash, "transfers.test.yaml": tests_hash},
        "comment": "fewer false alarms", "actor": "aigul",
    });
    let ahead = stand.save("?dry_run=true", &body).json();
    assert_eq!((&ahead["dry_run"], &ahead["changed"]), (&true.into(), &true.into()), "{ahead}");
    assert_eq!(stand.text("transfers.yaml"), RULE);
    let saved = stand.save("", &body).json();
    assert_eq!(saved["ruleset"], ahead["ruleset"]);
    assert_eq!((&saved["shadowed"], &saved["tests"]), (&json!(["transfers"]), &json!({"passed": 1, "other_mode": 1})));
    let parts: Vec<&Value> = saved["changes"]["changed"][0]["parts"].as_array().expect("parts").iter().collect();
    assert_eq!(parts.iter().map(|part| part["part"].clone()).collect::<Vec<_>>(), ["mode", "when"], "{saved}");
    assert_eq!(stand.text("transfers.yaml"), changed.replace("mode: enforce ", "mode: shadow "));
    assert_eq!(stand.text("transfers.test.yaml"), changed_tests);
    assert_eq!(files(&stand.rules), ["transfers.test.yaml", "transfers.yaml"]);
    assert_eq!(stand.verdict("a2", "250000.00"), "allow");

    let change = stand.newest_change();
    let told = ["cause", "by", "comment", "ruleset"].map(|name| change[name].clone());
    assert_eq!(told, [json!("save"), json!("aigul"), json!("fewer false alarms"), saved["ruleset"].clone()]);
    assert_eq!(change["changes"]["changed"][0]["rule"], "transfers");
    let again = stand.save("", &body).problem(409);
    assert_eq!(again["code"], "file-changed", "the hashes are those of before");

    let (hash, _) = stand.opened();
    let live = json!({"files": {"transfers.yaml": changed}, "opened": {"transfers.yaml": hash}, "live": true});
    assert_eq!(stand.save("", &live).json()["shadowed"], json!([]));
    assert_eq!(stand.text("transfers.yaml"), changed);
    assert_eq!(stand.verdict("a3", "250000.00"), "hold");
}

#[test]
fn files_are_added_and_taken_away() {
    let stand = Stand::start("");
    let new = RULE.replace("rule: transfers", "rule: more").replace("mode: enforce", "mode: shadow");
    let tests = TESTS.replace("matches: [transfers]", "shadow: [more]").replace("matches: []", "shadow: []");
    let added = json!({
        "files": {"new/more.yaml": new, "new/more.test.yaml": tests},
        "opened": {"new/more.yaml": null, "new/more.test.yaml": null},
    });
    let told = stand.save("", &added).json();
    let actions = told["files"].as_array().expect("files").iter().map(|file| file["action"].clone());
    assert_eq!(actions.collect::<Vec<_>>(), ["added", "added"], "{told}");
    assert_eq!(told["changes"]["added"][0]["rule"], "more");
    assert_eq!(stand.text("new/more.yaml"), new);
    let files = get(stand.server.address, "/v1/rules/more").json()["files"].clone();
    let removed = json!({
        "files": {"new/more.yaml": null, "new/more.test.yaml": null},
        "opened": {"new/more.yaml": files["rule_hash"], "new/more.test.yaml": files["tests_hash"]},
    });
    assert_eq!(stand.save("", &removed).json()["changes"]["removed"][0]["rule"], "more");
    assert!(!stand.rules.join("new/more.yaml").exists() && !stand.rules.join("new/more.test.yaml").exists());
    get(stand.server.address, "/v1/rules/more").problem(404);

    let (hash, tests_hash) = stand.opened();
    let last = json!({
        "files": {"transfers.yaml": null, "transfers.test.yaml": null},
        "opened": {"transfers.yaml": hash, "transfers.test.yaml": tests_hash},
    });
    let problem = stand.save("", &last).problem(422);
    assert!(problem["detail"].as_str().is_some_and(|text| text.starts_with("there is no rule")), "{problem}");
    let alone = json!({"files": {"transfers.yaml": null}, "opened": {"transfers.yaml": hash}});
    stand.save("", &alone).problem(422);
    assert_eq!(stand.text("transfers.yaml"), RULE);
}

#[test]
fn what_cannot_be_saved_changes_nothing() {
    let stand = Stand::start("");
    let before = get(stand.server.address, "/v1/rules").json()["ruleset"].clone();
    let (hash, _) = stand.opened();
    let of_rule = |text: &str| json!({"files": {"transfers.yaml": text}, "opened": {"transfers.yaml": hash}});
    let wrong = stand.save("", &of_rule(&RULE.replace("amount", "amuont"))).problem(422);
    assert!(wrong["text"].as_str().is_some_and(|text| text.contains("did you mean")), "{wrong}");
    let failing = stand.save("", &of_rule(&RULE.replace("100_000", "200_000"))).problem(422);
    assert_eq!(failing["code"], "tests-failed");
    let text = "transfers.test.yaml: both sides\n  line 7: matches: expected [transfers], found []\n";
    assert_eq!(failing["text"], text, "{failing}");
    let bodies = [
        json!({}),
        json!({"files": {}, "opened": {}}),
        json!({"files": {"transfers.yaml": RULE}, "opened": {}}),
        json!({"files": {"../transfers.yaml": RULE}, "opened": {"../transfers.yaml": null}}),
        json!({"files": {"/etc/transfers.yaml": RULE}, "opened": {"/etc/transfers.yaml": null}}),
        json!({"files": {".hidden/more.yaml": RULE}, "opened": {".hidden/more.yaml": null}}),
        json!({"files": {"data/lists.yaml": ""}, "opened": {"data/lists.yaml": null}}),
        json!({"files": {"README.md": ""}, "opened": {"README.md": null}}),
        json!({"files": {"transfers.yaml": RULE}, "opened": {"transfers.yaml": hash}, "comment": "x".repeat(501)}),
    ];
    for body in bodies {
        stand.save("", &body).problem(400);
    }
    stand.save("?dry=true", &of_rule(RULE)).problem(400);
    let there = json!({"files": {"transfers.yaml": RULE}, "opened": {"transfers.yaml": null}});
    assert_eq!(stand.save("", &there).problem(409)["code"], "file-changed");
    let gone = json!({"files": {"gone.yaml": RULE}, "opened": {"gone.yaml": hash}});
    assert_eq!(stand.save("", &gone).problem(409)["code"], "file-changed");

    // Another file waits to be loaded: this one must not bring it along.
    let other = RULE.replace("rule: transfers", "rule: other");
    fs::write(stand.rules.join("other.yaml"), &other).expect("a file");
    let harmless = RULE.replace("since May", "since June");
    assert_eq!(stand.save("", &of_rule(&harmless)).problem(409)["code"], "other-changes");
    assert_eq!(stand.text("transfers.yaml"), RULE);
    fs::remove_file(stand.rules.join("other.yaml")).expect("there");
    assert_eq!(files(&stand.rules), ["transfers.test.yaml", "transfers.yaml"]);
    assert_eq!(get(stand.server.address, "/v1/rules").json()["ruleset"], before);
    // A comment is no change of the rules, and is saved all the same.
    let told = stand
        .save("", &json!({"files": {"transfers.yaml": harmless}, "opened": {"transfers.yaml": hash}, "live": true}))
        .json();
    assert_eq!(told["changed"], false);
    assert_eq!(stand.text("transfers.yaml"), harmless);
}

#[test]
fn a_file_that_cannot_be_written_leaves_all_as_they_were() {
    let stand = Stand::start("");
    // A folder in the place of the file that is written beside: not even an administrator can write that.
    fs::create_dir(stand.rules.join("transfers.test.yaml.new")).expect("a folder");
    let (hash, tests_hash) = stand.opened();
    let body = json!({
        "files": {"transfers.yaml": RULE.replace("100_000", "200_000"), "transfers.test.yaml": TESTS.replace("100000", "200000")},
        "opened": {"transfers.yaml": hash, "transfers.test.yaml": tests_hash},
    });
    assert_eq!(stand.save("", &body).problem(409)["code"], "not-writable");
    assert_eq!((stand.text("transfers.yaml"), stand.text("transfers.test.yaml")), (RULE.to_owned(), TESTS.to_owned()));
    assert_eq!(stand.verdict("a1", "150000.00"), "hold");
}

#[test]
fn a_rollback_is_looked_at_first() {
    let stand = Stand::start("");
    let path = "/v1/rules/rollback?dry_run=true";
    post(stand.server.address, path, "").problem(409);
    let (hash, _) = stand.opened();
    let off = RULE.replace("mode: enforce", "mode: shadow");
    let tests = TESTS.replace("matches:", "shadow:");
    let body = json!({
        "files": {"transfers.yaml": off, "transfers.test.yaml": tests},
        "opened": {"transfers.yaml": hash, "transfers.test.yaml": stand.opened().1},
    });
    let saved = stand.save("", &body).json();
    let ahead = post(stand.server.address, path, "").json();
    assert_eq!((&ahead["ruleset"], &ahead["changed"]), (&saved["before"], &true.into()), "{ahead}");
    let part = &ahead["changes"]["changed"][0]["parts"];
    assert_eq!(part, &json!([{"part": "mode", "before": "shadow", "after": "enforce"}]));
    assert_eq!(get(stand.server.address, "/v1/rules").json()["ruleset"], saved["ruleset"]);
}
