//! Another mode for a rule in a running service, and the history of its rules.

use std::fs;
use std::path::PathBuf;

use super::*;

pub(super) const RULE: &str = "\
# Above the limit of the offer.
rule: transfers
clauses: [\"7.15\"]
title: {kk: а, ru: б, en: Transfers}
owner: risk
mode: enforce   # since May
on: transfer
when: |
  amount > 100_000 KZT
then:
  - hold
";

/// A service with a rule in a folder of its own, and the place of the rule's file.
fn with_rule(settings: &str) -> (Server, PathBuf) {
    let mut file = PathBuf::new();
    let server = Server::start_with(settings, |store| {
        let rules = store.parent().expect("inside").join("rules");
        fs::create_dir(&rules).expect("a folder");
        file = rules.join("transfers.yaml");
        fs::write(&file, RULE).expect("a file");
    });
    (server, file)
}

fn as_role(server: &Server, role: &str, method: &str, path: &str, body: &str) -> Answer {
    ask(server.address, method, path, &[("authorization", &bearer(role))], body.as_bytes())
}

fn verdict(server: &Server, op: &str) -> Value {
    as_role(server, "ledger", "POST", "/v1/operations", &transfer(op, "w1", "150000.00")).json()["verdict"].clone()
}

fn history(server: &Server) -> Vec<Value> {
    let answer = as_role(server, "analyst", "GET", "/v1/rules/history", "").json();
    answer["history"].as_array().expect("a list").clone()
}

#[test]
fn another_mode_is_written_used_and_recorded_with_who_and_why() {
    let (server, file) = with_rule(&Server::token_settings());
    assert_eq!(verdict(&server, "a1"), "hold");
    let path = "/v1/rules/transfers/mode";
    as_role(&server, "support", "POST", path, r#"{"mode": "shadow"}"#).problem(403);
    let body = r#"{"mode": "shadow", "comment": "too many", "actor": "nobody"}"#;
    let answer = as_role(&server, "analyst", "POST", path, body).json();
    assert_eq!(
        (&answer["before"], &answer["mode"], &answer["changed"]),
        (&"enforce".into(), &"shadow".into(), &true.into())
    );
    let text = fs::read_to_string(&file).expect("there");
    assert_eq!(text, RULE.replace("mode: enforce ", "mode: shadow "));
    assert_eq!(verdict(&server, "a2"), "allow");
    let again = as_role(&server, "analyst", "POST", path, body).json();
    assert_eq!((&again["before"], &again["changed"]), (&"shadow".into(), &false.into()));

    let changes = history(&server);
    assert_eq!(changes.len(), 2, "{changes:?}");
    let [mode, start] = [&changes[0], &changes[1]];
    assert_eq!(
        (&mode["cause"], &mode["by"], &mode["comment"]),
        (&"mode".into(), &"analyst-token".into(), &"too many".into())
    );
    assert_eq!(mode["ruleset"], answer["ruleset"]);
    let part = &mode["changes"]["changed"][0]["parts"];
    assert_eq!(part, &serde_json::json!([{"part": "mode", "before": "enforce", "after": "shadow"}]));
    assert_eq!((&start["cause"], &start["by"], &start["changes"]), (&"start".into(), &Value::Null, &Value::Null));
}

#[test]
fn what_a_mode_cannot_be_set_by_is_refused_and_changes_nothing() {
    let (server, file) = with_rule("");
    let set = |rule: &str, body: &str| post(server.address, &format!("/v1/rules/{rule}/mode"), body);
    set("nobody", r#"{"mode": "shadow"}"#).problem(404);
    for body in [r#"{"mode": "on"}"#, "{}", r#"{"mode": "off", "why": ""}"#, "x"] {
        set("transfers", body).problem(400);
    }
    let long = format!(r#"{{"mode": "off", "comment": "{}"}}"#, "x".repeat(501));
    set("transfers", &long).problem(400);

    let edited = RULE.replace("100_000", "200_000");
    fs::write(&file, &edited).expect("a file");
    let problem = set("transfers", r#"{"mode": "shadow"}"#).problem(409);
    assert_eq!(problem["code"], "other-changes");
    assert_eq!(fs::read_to_string(&file).expect("there"), edited);
    fs::write(&file, "rule: [\n").expect("a file");
    set("transfers", r#"{"mode": "shadow"}"#).problem(422);
    assert_eq!(fs::read_to_string(&file).expect("there"), "rule: [\n");
    assert_eq!(get(server.address, "/v1/rules/transfers").json()["mode"], "enforce");
}

#[test]
fn reloads_and_rollbacks_are_recorded_and_stay_over_a_restart() {
    let settings = Server::token_settings();
    let (server, file) = with_rule(&settings);
    verdict(&server, "a1");
    fs::write(&file, RULE.replace("100_000", "200_000")).expect("a file");
    for path in ["/v1/rules/reload", "/v1/rules/reload", "/v1/rules/rollback"] {
        assert_eq!(as_role(&server, "analyst", "POST", path, "").status, 200);
    }
    let causes = |changes: &[Value]| -> Vec<String> {
        changes.iter().map(|change| format!("{} {}", change["cause"], change["by"])).collect()
    };
    let expected = ["\"rollback\" \"analyst-token\"", "\"reload\" \"analyst-token\"", "\"start\" null"];
    let changes = history(&server);
    assert_eq!(causes(&changes), expected);
    let detail = &changes[1]["changes"]["changed"][0]["parts"][0]["details"][0];
    let threshold = ["what", "of", "before", "after"].map(|name| detail[name].as_str().unwrap_or_default().to_owned());
    assert_eq!(threshold, ["threshold", "amount", "100_000 KZT", "200_000 KZT"]);

    // The files hold the set that was rolled back: starting with it is a change again.
    let server = server.again(&settings);
    verdict(&server, "a2");
    let changes = history(&server);
    assert_eq!(causes(&changes)[0], "\"start\" null");
    assert_eq!(causes(&changes)[1..], expected);
    let server = server.again(&settings);
    verdict(&server, "a3");
    assert_eq!(history(&server), changes, "a start with the same rules is no change");
}

fn kuzet(arguments: &[&str]) -> (i32, String) {
    let output = crate::command::kuzet().args(arguments).output().expect("it runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a code"), String::from_utf8(told).expect("a text"))
}

#[test]
fn the_commands_ask_the_service_and_read_its_store() {
    let (mut server, file) = with_rule("");
    post(server.address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    let url = format!("http://{}", server.address);
    let demote = ["rules", "demote", "transfers", "--url", &url, "--comment", "too many", "--actor", "aigul"];
    let (code, told) = kuzet(&demote);
    assert!(code == 0 && told.starts_with("transfers: enforce → shadow, rule set "), "{code} {told}");
    assert_eq!(kuzet(&demote), (0, String::from("transfers: shadow already\n")));
    let (code, told) = kuzet(&["rules", "promote", "nobody", "--url", &url]);
    assert_eq!((code, &*told), (1, "refused: no rule has this id\n"));
    assert!(fs::read_to_string(&file).expect("there").contains("mode: shadow   # since May\n"));

    let (code, of_service) = kuzet(&["rules", "history", "--url", &url]);
    assert_eq!(code, 0, "{of_service}");
    let lines: Vec<&str> = of_service.lines().collect();
    assert!(lines[0].ends_with(", another mode by aigul"), "{of_service}");
    assert_eq!(lines[1..3], ["  comment: too many", "  changed transfers, mode: enforce → shadow"]);
    assert!(lines[3].ends_with(", at the start of the service"), "{of_service}");
    server.running.take().expect("it runs").stop();
    let store = file.parent().and_then(Path::parent).expect("inside").join("store").display().to_string();
    assert_eq!(kuzet(&["rules", "history", "--store", &store]), (0, of_service));
    let (_, one) = kuzet(&["rules", "history", "--store", &store, "--limit", "1", "--format", "json"]);
    let one: Value = serde_json::from_str(&one).expect("JSON");
    assert_eq!(one["history"].as_array().map(Vec::len), Some(1));
    assert_eq!(kuzet(&["rules", "history", "--url", &url]).0, 64);
}
