//! Support events asked for before they are sent: nothing happens, and what is told then happens.

use crate::client::{get, post};
use crate::http::{Server, transfer};
use serde_json::Value;

/// What a dry run says of each waiting operation: its id and what will become of it.
fn will(foreseen: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let waiting = foreseen["waiting"].as_array().into_iter().flatten();
    waiting.map(|item| (text(&item["op_id"]), text(&item["will"]))).collect()
}

fn pair(op: &str, will: &str) -> (String, String) {
    (op.to_owned(), will.to_owned())
}

#[test]
fn a_dry_run_tells_what_would_happen_and_nothing_does() {
    let server = Server::start("");
    let address = server.address;
    for op in ["a1", "a2"] {
        post(address, "/v1/operations", &transfer(op, "w1", "150000.00"));
    }
    let path = "/v1/wallets/w1/identity-confirmed?dry_run=true";
    let complete = post(address, path, r#"{"proof":"agreed"}"#).json();
    assert_eq!(will(&complete), [pair("a1", "release"), pair("a2", "release")]);
    let cancel = post(address, path, r#"{"proof":"agreed","order":"cancel"}"#).json();
    assert_eq!(will(&cancel), [pair("a1", "cancel"), pair("a2", "cancel")]);
    let one = post(address, path, r#"{"proof":"agreed","order":"cancel","ref_op_id":"a2"}"#).json();
    assert_eq!(will(&one), [pair("a1", "wait"), pair("a2", "cancel")]);
    assert_eq!(
        will(&post(address, path, r#"{"proof":"explanations"}"#).json()),
        [pair("a1", "wait"), pair("a2", "wait")]
    );
    assert_eq!(complete["commands"].as_array().map(Vec::len), Some(4));
    post(address, path, "{}").problem(400);
    post(address, "/v1/wallets/w1/identity-confirmed?dry_run=maybe", r#"{"proof":"agreed"}"#).problem(400);

    let wallet = get(address, "/v1/wallets/w1").json();
    assert_eq!(wallet["waiting"].as_array().map(Vec::len), Some(2), "nothing has happened");
    assert_eq!(get(address, "/v1/decisions?after=0").json()["next"], 2);
    assert_eq!(get(address, "/v1/rejected").json()["rejected"].as_array().map(Vec::len), Some(0));
    assert_eq!(wallet["state"], complete["state"]);
}

#[test]
fn an_event_for_a_state_that_is_over_is_refused() {
    let server = Server::start("");
    let address = server.address;
    post(address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    let body = r#"{"op_id":"s1","occurred_at":"2026-03-02T10:00:01Z","proof":"agreed"}"#;
    let foreseen = post(address, "/v1/wallets/w1/identity-confirmed?dry_run=true", body).json();
    let state = foreseen["state"].as_str().expect("a state").to_owned();
    // Support has not seen this one.
    post(address, "/v1/operations", &transfer("a2", "w1", "160000.00"));
    let send = |state: &str| post(address, &format!("/v1/wallets/w1/identity-confirmed?state={state}"), body);
    assert_eq!(send(&state).problem(409)["code"], "wallet-changed");
    assert_eq!(get(address, "/v1/wallets/w1").json()["waiting"].as_array().map(Vec::len), Some(2));

    let fresh = post(address, "/v1/wallets/w1/identity-confirmed?dry_run=true", body).json();
    assert_eq!(will(&fresh), [pair("a1", "release"), pair("a2", "release")]);
    let state = fresh["state"].as_str().expect("a state").to_owned();
    let sent = send(&state);
    assert_eq!(sent.status, 200);
    // The same event again is answered again: it was decided for that state.
    assert_eq!(send(&state).json()["decision_id"], sent.json()["decision_id"]);
    // For the next event there is the state that this one left.
    let wallet = get(address, "/v1/wallets/w1").json();
    assert_eq!(sent.json()["state"], wallet["state"]);
    assert_eq!(wallet["waiting"].as_array().map(Vec::len), Some(0));
}

#[test]
fn an_unknown_wallet_has_a_state_too() {
    let server = Server::start("");
    let path = "/v1/wallets/new/wallet-block-requested";
    let foreseen = post(server.address, &format!("{path}?dry_run=true"), "").json();
    assert_eq!(foreseen["commands"][0]["command"], "block");
    let state = foreseen["state"].as_str().expect("a state");
    assert_eq!(post(server.address, &format!("{path}?state={state}"), "").status, 200);
    post(server.address, &format!("{path}?state={state}"), "").problem(409);
}

#[test]
fn a_decision_tells_what_became_of_it() {
    let server = Server::start("");
    let address = server.address;
    for op in ["a1", "a2", "a3"] {
        post(address, "/v1/operations", &transfer(op, "w1", "150000.00"));
    }
    assert_eq!(get(address, "/v1/decisions/1").json()["waits"], true);
    let settle = |body: &str| post(address, "/v1/wallets/w1/identity-confirmed", body).json()["seq"].clone();
    let released = settle(r#"{"proof":"agreed","ref_op_id":"a1"}"#);
    let cancelled = settle(r#"{"proof":"agreed","order":"cancel","ref_op_id":"a2"}"#);
    let fate = |seq: u64| get(address, &format!("/v1/decisions/{seq}")).json();
    for (seq, by, command) in [(1, released, "release"), (2, cancelled, "cancel")] {
        let decision = fate(seq);
        assert_eq!((&decision["waits"], decision["later"].as_array().map(Vec::len)), (&false.into(), Some(1)));
        let later = &decision["later"][0];
        assert_eq!((&later["seq"], &later["type"]), (&by, &"identity_confirmed".into()));
        assert_eq!((&later["actor"], &later["proof"]), (&"local".into(), &"agreed".into()));
        let commands: Vec<&Value> =
            later["commands"].as_array().expect("commands").iter().map(|c| &c["command"]).collect();
        assert_eq!(commands, ["lift", command]);
    }
    let waits = fate(3);
    assert_eq!((&waits["waits"], waits["later"].as_array().map(Vec::len)), (&true.into(), Some(0)));
}

#[test]
fn windows_and_restrictions_are_as_of_the_newest_operation_of_all() {
    let server = Server::start("");
    let address = server.address;
    let of = |day: &str, op: &str, wallet: &str| transfer(op, wallet, "20000.00").replace("2026-03-02", day);
    post(address, "/v1/operations", &of("2026-03-02", "a1", "w1"));
    let sums = |wallet: &Value| -> usize {
        let windows = wallet["windows"].as_array().into_iter().flatten();
        windows.filter(|window| window["aggregate"].as_str().is_some_and(|text| text.contains("today"))).count()
    };
    let same_day = get(address, "/v1/wallets/w1").json();
    assert_eq!((&same_day["as_of"], sums(&same_day)), (&"2026-03-02T10:00:00Z".into(), 1));
    // Another wallet's operation of the next day: yesterday's sum is none of today.
    post(address, "/v1/operations", &of("2026-03-03", "b1", "w2"));
    let next_day = get(address, "/v1/wallets/w1").json();
    assert_eq!((&next_day["as_of"], sums(&next_day)), (&"2026-03-03T10:00:00Z".into(), 0));
    assert_eq!(next_day["newest"], "2026-03-02T10:00:00Z");
}
