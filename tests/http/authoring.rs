//! What the service tells those who write rules is what the commands tell of the same files.

use std::fs;
use std::path::PathBuf;

use kuzet::analysis::templates::TEMPLATES;
use serde_json::json;

use super::*;

const RULE: &str = "\
rule: transfers
clauses: [\"7.15\"]
title: {kk: а, ru: б, en: Transfers}
owner: risk
mode: enforce
on: transfer
when: |
  amount > 100_000 KZT and counterparty.wallet_id not in flagged
then:
  - hold
";
const LISTS: &str = "lists: {flagged: {type: wallet, file: flagged.csv}}\n";
const ROWS: &str = "value,from,until,reason\nW9,,,x\n";

/// A service with rules in a folder of its own.
fn server() -> (Server, PathBuf) {
    let mut folder = PathBuf::new();
    let server = Server::start_with("", |store| {
        folder = store.parent().expect("inside").join("rules");
        fs::create_dir_all(folder.join("data")).expect("a folder");
        let files = [("transfers.yaml", RULE), ("data/lists.yaml", LISTS), ("data/flagged.csv", ROWS)];
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("a file");
        }
    });
    (server, folder)
}

/// Runs a command; returns its exit code and what it told.
fn kuzet(arguments: &[&str]) -> (i32, String) {
    let output = crate::command::kuzet().args(arguments).output().expect("it runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a code"), String::from_utf8(told).expect("a text"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_draft_differs_as_the_command_says_of_folders() {
    let (server, folder) = server();
    let other = RULE.replace("100_000", "250_000").replace("mode: enforce", "mode: shadow");
    let rows = "value,from,until,reason\nW9,,,x\nW10,,,x\n";
    let draft = json!({"transfers.yaml": other, "data/flagged.csv": rows});
    let diff = post(server.address, "/v1/rules/diff", &json!({"after": draft}).to_string()).json();
    assert_eq!((&diff["before"]["name"], &diff["after"]["name"]), (&"current".into(), &"changed".into()), "{diff}");
    assert_eq!((&diff["same"], &diff["affected"]), (&false.into(), &Value::Null), "{diff}");

    let changed = folder.parent().expect("inside").join("changed");
    fs::create_dir_all(changed.join("data")).expect("a folder");
    let files = [("transfers.yaml", &*other), ("data/lists.yaml", LISTS), ("data/flagged.csv", rows)];
    for (name, text) in files {
        fs::write(changed.join(name), text).expect("a file");
    }
    let (before, after) = (shown(&folder), shown(&changed));
    let (code, told) = kuzet(&["rules", "diff", &before, &after, "--format", "json"]);
    assert_eq!(code, 1, "{told}");
    let of_command: Value = serde_json::from_str(&told).expect("JSON");
    for part in ["added", "removed", "changed", "lists", "mrp"] {
        assert_eq!(diff[part], of_command[part], "{part}");
    }
    for side in ["before", "after"] {
        assert_eq!(diff[side]["ruleset"], of_command[side]["ruleset"], "{side}");
    }
    // Below the names of the sets, and above the command that is for folders only.
    let (_, told) = kuzet(&["rules", "diff", &before, &after]);
    let lines = |text: &str| text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    let mut of_command = lines(&told);
    assert!(of_command.pop().is_some_and(|last| last.starts_with("Who is affected: ")), "{told}");
    assert_eq!(lines(diff["text"].as_str().expect("a text")), of_command);
}

#[test]
fn sets_of_the_past_and_the_files_of_now_are_compared() {
    let (server, folder) = server();
    let address = server.address;
    post(address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    for (number, amount) in [(2, "200_000"), (3, "300_000"), (4, "400_000")] {
        fs::write(folder.join("transfers.yaml"), RULE.replace("100_000", amount)).expect("a file");
        assert_eq!(post(address, "/v1/rules/reload", "").status, 200);
        post(address, "/v1/operations", &transfer(&format!("a{number}"), "w1", "5.00"));
    }
    let history = get(address, "/v1/rules/history").json();
    let hashes: Vec<&str> =
        history["history"].as_array().expect("a list").iter().filter_map(|one| one["ruleset"].as_str()).collect();
    assert_eq!(hashes.len(), 4, "{history}");
    let compare = |before: &str, after: &str| {
        let diff = post(address, "/v1/rules/diff", &json!({"before": before, "after": after}).to_string()).json();
        let detail = &diff["changed"][0]["parts"][0]["details"][0];
        [&detail["before"], &detail["after"]].map(|value| value.as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(compare(hashes[3], hashes[1]), ["100_000 KZT", "300_000 KZT"]);
    assert_eq!(compare(hashes[2], "current"), ["200_000 KZT", "400_000 KZT"]);
    assert_eq!(compare("folder", hashes[3]), ["400_000 KZT", "100_000 KZT"]);

    let same = |body: &str| post(address, "/v1/rules/diff", body).json()["same"].clone();
    assert_eq!((same("{}"), same(r#"{"after": "folder"}"#)), (true.into(), true.into()));
    fs::write(folder.join("transfers.yaml"), RULE).expect("a file");
    assert_eq!(same(r#"{"after": "folder"}"#), false);

    let problem = post(address, "/v1/rules/diff", r#"{"before": "0123456789ab"}"#).problem(404);
    let detail = problem["detail"].as_str().expect("a sentence");
    assert!(detail.contains("0123456789ab") && detail.ends_with("the store has no note of it"), "{detail}");
    for body in ["", "[]", r#"{"before": 7}"#, r#"{"befor": "current"}"#, r#"{"after": {"../a.yaml": ""}}"#] {
        post(address, "/v1/rules/diff", body).problem(400);
    }
    let wrong = post(address, "/v1/rules/diff", r#"{"after": {"transfers.yaml": "rule: ["}}"#).problem(422);
    assert!(wrong["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{wrong}");
}

#[test]
fn files_are_laid_out_as_the_command_does() {
    let (server, folder) = server();
    let untidy = RULE.replace("owner: risk\nmode: enforce\n", "mode:   enforce # since May\nowner: risk\n");
    let sources = [("broken.yaml", "rule: [\n"), ("tidy.yaml", RULE), ("untidy.yaml", &*untidy)];
    let files: serde_json::Map<String, Value> =
        sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect();
    let answer = post(server.address, "/v1/rules/fmt", &json!({"files": files}).to_string()).json();
    assert_eq!((&answer["changed"], &answer["left"]), (&1.into(), &1.into()), "{answer}");
    let becomes: Vec<_> = answer["files"].as_array().expect("a list").iter().map(|file| &file["becomes"]).collect();
    assert_eq!(becomes, ["left", "same", "changed"]);
    assert_eq!(answer["files"][0]["reason"], "unreadable");
    assert_eq!(answer["files"][0]["errors"][0]["file"], "broken.yaml");
    let laid_out = answer["files"][2]["text"].as_str().expect("a text");
    assert_eq!(laid_out, RULE.replace("mode: enforce", "mode: enforce  # since May"));
    assert_eq!(fs::read_to_string(folder.join("transfers.yaml")).expect("there"), RULE, "nothing is written");

    fs::remove_file(folder.join("transfers.yaml")).expect("there");
    for (name, text) in sources {
        fs::write(folder.join(name), text).expect("a file");
    }
    let (code, told) = kuzet(&["rules", "fmt", "--check", &shown(&folder)]);
    assert_eq!((code, &*told), (1, answer["text"].as_str().expect("a text")));
    assert_eq!(kuzet(&["rules", "fmt", &shown(&folder)]).0, 1, "one is left");
    assert_eq!(fs::read_to_string(folder.join("untidy.yaml")).expect("there"), laid_out);

    let in_use = post(server.address, "/v1/rules/fmt", "").json();
    assert_eq!((&in_use["files"][0]["file"], &in_use["changed"]), (&"transfers.yaml".into(), &0.into()), "{in_use}");
    for body in ["[]", r#"{"files": {"a.test.yaml": ""}}"#, r#"{"files": {"transfers.yaml": null}}"#] {
        post(server.address, "/v1/rules/fmt", body).problem(400);
    }
}

#[test]
fn the_picture_is_the_one_of_the_command() {
    let (server, folder) = server();
    let rules = shown(&folder);
    for format in ["mermaid", "dot"] {
        let answer = get(server.address, &format!("/v1/rules/graph?format={format}&only=transfers"));
        assert!(answer.head.contains("content-type: text/plain; charset=utf-8"), "{}", answer.head);
        let (code, told) = kuzet(&["rules", "graph", &rules, "--format", format, "--only", "transfers"]);
        assert_eq!((code, told), (0, String::from_utf8(answer.body).expect("a text")));
    }
    assert_eq!(get(server.address, "/v1/rules/graph").body, kuzet(&["rules", "graph", &rules]).1.into_bytes());
    get(server.address, "/v1/rules/graph?only=nobody").problem(404);
    get(server.address, "/v1/rules/graph?format=svg").problem(400);
}

#[test]
fn a_new_rule_is_the_one_that_the_command_writes() {
    let (server, folder) = server();
    let address = server.address;
    let listed = get(address, "/v1/rules/templates").json();
    let names: Vec<&str> =
        listed["templates"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, TEMPLATES.map(|template| template.name));
    for (at, name) in names.iter().enumerate() {
        let wanted = json!({"id": format!("new-{at}"), "from": name, "folder": "mine"});
        let made = post(address, "/v1/rules/new", &wanted.to_string()).json();
        assert_eq!(made["rule"]["file"], format!("mine/new-{at}.yaml"), "{made}");
        assert!(!folder.join("mine").is_dir() || !folder.join(format!("mine/new-{at}.yaml")).is_file());
        fs::create_dir_all(folder.join("mine")).expect("a folder");
        let (code, told) = kuzet(&["rules", "new", &format!("new-{at}"), &shown(&folder.join("mine")), "--from", name]);
        assert_eq!(code, 0, "{told}");
        for part in ["rule", "tests"] {
            let file = made[part]["file"].as_str().expect("a path");
            assert_eq!(fs::read_to_string(folder.join(file)).expect("written"), made[part]["text"]);
        }
    }
    let refused = |body: &Value, status: u16| post(address, "/v1/rules/new", &body.to_string()).problem(status);
    // Not loaded yet, and in use.
    for id in ["new-0", "transfers"] {
        let problem = refused(&json!({"id": id}), 409);
        assert_eq!(problem["code"], "id-taken", "{problem}");
        let (code, told) = kuzet(&["rules", "new", id, &shown(&folder)]);
        assert!(code == 2 && told.contains(problem["detail"].as_str().expect("a sentence")), "{told}");
    }
    refused(&json!({"id": "Large"}), 400);
    refused(&json!({"id": "large", "from": "none"}), 400);
    refused(&json!({"id": "large", "folder": "../elsewhere"}), 400);
    refused(&json!({}), 400);
}
