//! Rules that are not in use, checked and tested over the wire.

use serde_json::json;

use super::*;

fn rule() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/section7/transfer-over-100k.yaml"))
        .expect("a rule")
}

const PATH: &str = "section7/transfer-over-100k.yaml";

#[test]
fn a_draft_is_checked_and_nothing_changes() {
    let server = Server::start("");
    let address = server.address;
    let in_use = get(address, "/v1/rules").json()["ruleset"].clone();
    let check = |body: &Value| post(address, "/v1/rules/check", &body.to_string()).json();
    for body in [String::new(), "{}".to_owned(), r#"{"files":{}}"#.to_owned()] {
        let as_it_is = post(address, "/v1/rules/check", &body).json();
        assert_eq!((&as_it_is["ok"], &as_it_is["ruleset"]), (&true.into(), &in_use), "{as_it_is}");
        let findings = as_it_is["diagnostics"].as_array().expect("findings");
        assert!(findings.iter().all(|found| found["severity"] != "error"), "{as_it_is}");
    }
    let other = rule().replace("> 100_000 KZT", "> 150_000 KZT");
    let changed = check(&json!({"files": {PATH: other}}));
    assert_eq!(changed["ok"], true, "{changed}");
    assert_ne!(changed["ruleset"], in_use);
    let wrong = rule().replace("amount > 100_000 KZT", "amuont > 100_000");
    let found = check(&json!({"files": {PATH: wrong, "section7/new-rule.yaml": "id: new-rule\n"}}));
    assert_eq!((&found["ok"], &found["ruleset"]), (&false.into(), &Value::Null));
    let findings = found["diagnostics"].as_array().expect("findings");
    let field = findings.iter().find(|found| found["code"] == "unknown-field").unwrap_or_else(|| panic!("{found}"));
    let line = 1 + rule().lines().position(|line| line.contains("> 100_000 KZT")).expect("a line");
    assert_eq!((&field["file"], &field["line"]), (&PATH.into(), &line.into()), "{field}");
    assert!(field["column"].as_u64() < field["end_column"].as_u64(), "{field}");
    assert!(findings.iter().any(|found| found["file"] == "section7/new-rule.yaml"), "{found}");
    assert!(found["text"].as_str().is_some_and(|text| text.contains("did you mean")), "{found}");
    let gone = check(&json!({"files": {PATH: null}}));
    assert!(
        gone["diagnostics"].as_array().is_some_and(|found| found.iter().any(|one| one["code"] == "file-name")),
        "{gone}"
    );
    assert_eq!(get(address, "/v1/rules").json()["ruleset"], in_use);
}

/// A list's values are a file like another: what is laid over it is found by the list, and changes what the rules mean.
#[test]
fn the_data_of_a_draft_is_checked_with_the_rules_that_read_it() {
    let server = Server::start("");
    let in_use = get(server.address, "/v1/rules").json()["ruleset"].clone();
    let lists = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/data");
    let csv = std::fs::read_dir(lists).expect("a folder").filter_map(Result::ok).map(|entry| entry.file_name());
    let csv = csv.filter_map(|name| name.into_string().ok()).find(|name| name.ends_with(".csv")).expect("a list");
    let path = format!("data/{csv}");
    let check =
        |text: &str| post(server.address, "/v1/rules/check", &json!({"files": {&path: text}}).to_string()).json();
    let empty = check("value,from,until,reason\n");
    assert_eq!(empty["ok"], true, "{empty}");
    assert_ne!(empty["ruleset"], in_use, "its values are gone");
    let broken = check("value\n");
    assert_eq!((&broken["ok"], &broken["diagnostics"][0]["file"]), (&false.into(), &path.into()), "{broken}");
}

#[test]
fn the_tests_of_a_draft_are_run() {
    let server = Server::start("");
    let address = server.address;
    let test = |query: &str, body: &Value| post(address, &format!("/v1/rules/test{query}"), &body.to_string());
    let as_it_is = post(address, "/v1/rules/test?rule=transfer-over-100k", "").json();
    assert_eq!(as_it_is["failed"], 0, "{as_it_is}");
    assert!(as_it_is["passed"].as_u64().is_some_and(|passed| passed > 1), "{as_it_is}");
    let of_rule = &as_it_is["rules"][0];
    assert_eq!((&of_rule["rule"], &of_rule["gap"]), (&"transfer-over-100k".into(), &Value::Null));
    assert_eq!(of_rule["file"], "section7/transfer-over-100k.test.yaml");

    let other = json!({"files": {PATH: rule().replace("> 100_000 KZT", "> 150_000 KZT")}});
    let changed = test("?rule=transfer-over-100k", &other).json();
    assert!(changed["failed"].as_u64().is_some_and(|failed| failed > 0), "{changed}");
    let tests = changed["rules"][0]["tests"].as_array().expect("tests");
    let failed = tests.iter().find(|test| test["passed"] == false).expect("one failed");
    assert!(failed["mismatches"][0]["line"].as_u64().is_some_and(|line| line > 1), "{failed}");
    assert!(failed["mismatches"][0]["differences"][0]["expected"].is_string(), "{failed}");

    let few = json!({"files": {"section7/transfer-over-100k.test.yaml": null}});
    let survived = test("?rule=transfer-over-100k&mutate=true", &few).json();
    let mutation = &survived["rules"][0]["mutation"];
    let survivor = &mutation["survivors"][0];
    assert_eq!((&survivor["file"], &survivor["code"]), (&PATH.into(), &"untested".into()), "{survived}");
    let whole = test("?rule=transfer-over-100k&mutate=true", &json!({})).json();
    assert_eq!(whole["rules"][0]["mutation"]["survivors"], json!([]), "{whole}");

    let wrong = json!({"files": {PATH: "id: ["}});
    let problem = test("", &wrong).problem(422);
    assert!(problem["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{problem}");
}

#[test]
fn what_is_no_draft_is_a_problem() {
    let server = Server::start("");
    let address = server.address;
    for body in [
        "[]",
        "7",
        "{\"files\":[]}",
        "{\"files\":{\"a.yaml\":7}}",
        "{\"more\":1}",
        "{\"files\":{\"../a.yaml\":\"\"}}",
        "\u{0}",
    ] {
        for path in ["/v1/rules/check", "/v1/rules/test"] {
            post(address, path, body).problem(400);
        }
    }
    post(address, "/v1/rules/check?dry=1", "").problem(400);
    post(address, "/v1/rules/test?mutate=true", "").problem(400);
    post(address, "/v1/rules/test?rule=x&mutate=perhaps", "").problem(400);
    post(address, "/v1/rules/test?rule=nobody", "").problem(404);
}

#[test]
fn each_code_is_explained_as_by_the_command() {
    let server = Server::start("");
    let address = server.address;
    let listed = get(address, "/v1/rules/codes").json();
    let codes = listed["codes"].as_array().expect("a list");
    let list = crate::command::kuzet().args(["check", "--explain"]).output().expect("it runs").stdout;
    assert_eq!(codes.len(), std::str::from_utf8(&list).expect("text").lines().count());
    for code in [&codes[0], &codes[codes.len() - 1]] {
        let name = code["code"].as_str().expect("a code");
        let told = get(address, &format!("/v1/rules/codes/{name}")).json();
        let output = crate::command::kuzet().args(["check", "--explain", name]).output().expect("it runs");
        assert_eq!(told["text"].as_str(), std::str::from_utf8(&output.stdout).ok());
        assert_eq!(told["meaning"], code["meaning"]);
    }
    let unknown = get(address, "/v1/rules/codes/money-without-unti").problem(404);
    assert!(
        unknown["detail"].as_str().is_some_and(|text| text.ends_with("did you mean money-without-unit?")),
        "{unknown}"
    );
}
