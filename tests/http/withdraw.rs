//! Taking back what a rule placed: what goes, what stays and why, who did it.

use super::*;
/// Runs the command to its end.
fn kuzet(arguments: &[&str]) -> std::process::Output {
    crate::command::kuzet().args(arguments).output().expect("it runs")
}

const SINCE: &str = "since=2026-03-01T00:00:00Z";

fn withdraw(address: SocketAddr, rule: &str, query: &str) -> Answer {
    post(address, &format!("/v1/rules/{rule}/withdraw?{SINCE}{query}"), "")
}

fn support(address: SocketAddr, wallet: &str, event: &str, body: &str) {
    let answer = post(address, &format!("/v1/wallets/{wallet}/{event}"), body);
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn kept(answer: &Value) -> Vec<(&str, &str)> {
    let kept = answer["kept"]["restrictions"].as_array().expect("a list").iter();
    kept.map(|entry| (text(&entry["rule"]), text(&entry["why"]["reason"]))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn holds_of_a_rule_are_counted_then_lifted_by_named_events() {
    let server = Server::with_tokens();
    let address = server.address;
    let as_role = |role: &str, method: &str, path: &str, body: &str| {
        ask(address, method, path, &[("authorization", &bearer(role))], body.as_bytes())
    };
    for (op, wallet) in [("a1", "w1"), ("a2", "w1"), ("a3", "w3")] {
        as_role("ledger", "POST", "/v1/operations", &transfer(op, wallet, "150000.00"));
    }
    let path = format!("/v1/rules/transfer-over-100k/withdraw?{SINCE}");
    let would = as_role("analyst", "POST", &format!("{path}&dry_run=true"), "").json();
    assert_eq!(would["lifts"], serde_json::json!({"hold": 3, "monitor": 0, "block": 0}));
    assert_eq!((&would["wallets"], &would["releases"], &would["mode"]), (&2.into(), &3.into(), &"enforce".into()));
    assert_eq!(would["restrictions"][0]["by"]["proof"], "agreed");
    assert_eq!(as_role("analyst", "GET", "/v1/restrictions", "").json()["total"], 3);

    let state = format!("{path}&state={}", text(&would["state"]));
    let some = as_role("support", "POST", &format!("{state}&limit=2"), "").json();
    assert_eq!((&some["lifts"]["hold"], &some["left"], &some["releases"]), (&2.into(), &1.into(), &2.into()));
    let changed = as_role("support", "POST", &state, "").problem(409);
    assert_eq!(changed["code"], "withdrawal-changed");
    let rest = as_role("support", "POST", &format!("{path}&state={}&actor=nobody", text(&some["state"])), "").json();
    assert_eq!((&rest["lifts"]["hold"], &rest["left"], &rest["stopped"]), (&1.into(), &0.into(), &Value::Null));
    assert_eq!(as_role("analyst", "GET", "/v1/restrictions", "").json()["total"], 0);

    let sent = as_role("analyst", "GET", &format!("/v1/operations/{}", rest["events"][0]["seq"]), "").json();
    assert_eq!(sent["operation"]["actor"], "support-token");
    assert_eq!(sent["operation"]["attributes"]["withdrawn_rule"], "transfer-over-100k");
    let none = as_role("analyst", "POST", &path, "").json();
    assert_eq!((&none["lifts"]["hold"], &none["kept"]["total"]), (&0.into(), &0.into()));
}

#[test]
fn what_only_the_client_a_court_or_a_fact_may_lift_is_refused() {
    let server = Server::start("");
    let address = server.address;
    for (event, body, rule, who) in [
        ("seizure-ordered", r#"{"source":"court"}"#, "seizure-block", "court"),
        ("wallet-block-requested", "", "client-voluntary-block", "client"),
        ("fraud-reported", r#"{"source":"issuer"}"#, "fraud-reported-block", "facts_established"),
        ("complaint-received", "", "complaint-block", "explanations or facts_established"),
    ] {
        support(address, "w1", event, body);
        for query in ["", "&dry_run=true"] {
            let problem = withdraw(address, rule, query).problem(409);
            assert_eq!(problem["code"], "not-by-support");
            assert!(text(&problem["detail"]).contains(&format!("only {who} may lift it")), "{problem}");
        }
    }
    assert_eq!(get(address, "/v1/restrictions").json()["total"], 4);
}

#[test]
fn restrictions_of_other_rules_and_operations_that_would_be_cancelled_stay() {
    let server = Server::start("");
    let address = server.address;
    // Another rule's monitoring: the hold goes by a proof that does not lift it, and the operation waits on.
    post(address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    support(address, "w1", "operation-disputed", r#"{"ref_op_id":"unknown"}"#);
    // Another rule's block with an end: released, the operation would be cancelled (7.22).
    post(address, "/v1/operations", &transfer("b1", "w3", "150000.00"));
    support(address, "w3", "cash-out-details-wrong", "");
    let would = withdraw(address, "transfer-over-100k", "&dry_run=true").json();
    let did = withdraw(address, "transfer-over-100k", "").json();
    for answer in [&would, &did] {
        assert_eq!((&answer["lifts"]["hold"], &answer["releases"]), (&1.into(), &0.into()), "{answer}");
        assert_eq!(kept(answer), [("transfer-over-100k", "cancels")]);
    }
    assert_eq!(would["restrictions"][0]["by"]["proof"], "secret_answer");
    let wallet = get(address, "/v1/wallets/w1").json();
    assert_eq!(wallet["restrictions"].as_array().map(Vec::len), Some(1));
    assert_eq!(wallet["waiting"][0]["holds"].as_array().map(Vec::len), Some(1));

    // A rule's monitoring and what waits for it go together; what began before stays.
    let since = "2026-03-02T10:00:00.001Z";
    let path = format!("/v1/rules/operation-disputed/withdraw?since={since}");
    let did = post(address, &path, "").json();
    assert_eq!(
        (&did["lifts"]["monitor"], &did["wallets"], &did["releases"]),
        (&1.into(), &1.into(), &1.into()),
        "{did}"
    );
    let path = format!("/v1/rules/transfer-over-100k/withdraw?since={since}");
    assert_eq!(kept(&post(address, &path, "").json()), [("transfer-over-100k", "placed_before")]);
}

#[test]
fn a_blocked_address_is_opened() {
    let server = Server::start("");
    let address = server.address;
    let login = |op: usize, outcome: &str| {
        let at = kuzet::adapters::clock::now();
        let login = format!(
            r#"{{"op_id":"l{op}","type":"login","occurred_at":"{at}","wallet_id":"w1","outcome":"{outcome}","ip":"203.0.113.7"}}"#
        );
        text(&post(address, "/v1/operations", &login).json()["verdict"]).to_owned()
    };
    (1..=6).for_each(|op| drop(login(op, "failure")));
    assert_eq!(login(7, "success"), "refuse");
    let did = withdraw(address, "wrong-password-ip-block", "").json();
    assert_eq!(
        (&did["lifts"]["block"], &did["addresses"], &did["wallets"]),
        (&1.into(), &1.into(), &0.into()),
        "{did}"
    );
    assert_eq!(login(8, "success"), "allow");
}

#[test]
fn what_is_no_withdrawal_is_refused() {
    let server = Server::start("");
    let address = server.address;
    post(address, "/v1/rules/transfer-over-100k/withdraw", "").problem(400);
    for query in ["since=yesterday", "since=2099-01-01T00:00:00Z", "since=2026-03-01T00:00:00Z&dry_run=1"] {
        post(address, &format!("/v1/rules/transfer-over-100k/withdraw?{query}"), "").problem(400);
    }
    withdraw(address, "no-such-rule", "").problem(404);
}

#[test]
fn the_command_lists_first_and_lifts_then() {
    let server = Server::start("");
    let address = server.address;
    for (op, wallet) in [("a1", "w1"), ("a2", "w3")] {
        post(address, "/v1/operations", &transfer(op, wallet, "150000.00"));
    }
    let url = format!("http://{address}");
    let run = |rule: &str, more: &[&str]| {
        let arguments = ["withdraw", "--rule", rule, "--since", "2026-03-01T00:00:00+05:00", "--url", &url];
        let output = kuzet(&[&arguments[..], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, out) = run("transfer-over-100k", &["--dry-run"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("would lift: 2 holds, 0 monitorings, 0 blocks\nof 2 wallets"), "{out}");
    assert!(
        out.contains("hold of wallet w1, operation a1 since 2026-03-02T10:00:00Z by identity_confirmed agreed"),
        "{out}"
    );
    assert_eq!(get(address, "/v1/restrictions").json()["total"], 2);
    let (code, out) = run("transfer-over-100k", &["--actor", "amina"]);
    assert!(code == Some(0) && out.ends_with("lifted 2 restrictions, released 2 operations\n"), "{out}");
    let event = get(address, "/v1/operations/3").json();
    assert_eq!((&event["operation"]["actor"], &event["operation"]["ref_op_id"]), (&"amina".into(), &"a1".into()));
    let (code, out) = run("no-such-rule", &[]);
    assert!(code == Some(1) && out.starts_with("refused: no rule has this id"), "{out}");
    support(address, "w1", "seizure-ordered", r#"{"source":"court"}"#);
    assert_eq!(run("seizure-block", &["--dry-run"]).0, Some(1));
    let silent = kuzet(&["withdraw", "--rule", "x", "--since", "2026-03-01T00:00:00Z", "--url", "http://127.0.0.1:1"]);
    assert_eq!(silent.status.code(), Some(64));
    let wrong = kuzet(&["withdraw", "--rule", "x", "--since", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2));
}
