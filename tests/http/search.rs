//! Decisions looked for over the wire: filters, both orders, pages, what is refused and how.

use super::*;

fn payment(op: &str, wallet: &str, amount: &str, more: &str) -> String {
    format!(
        r#"{{"op_id":"{op}","type":"payment","occurred_at":"2026-03-02T11:00:00Z","wallet_id":"{wallet}","client_status":"identified","amount":"{amount}","counterparty":{{"kind":"merchant","account":"KZ1"}}{more}}}"#
    )
}

fn five(address: SocketAddr) {
    let login =
        r#"{"op_id":"l1","type":"login","occurred_at":"2026-03-02T12:00:00Z","wallet_id":"w1","outcome":"success"}"#;
    let operations = [
        transfer("a1", "w1", "5"),
        transfer("a2", "w1", "150000.00"),
        payment("p1", "w1", "150000.00", r#","ip":"::ffff:203.0.113.7","device_id":"d 1+1""#),
        transfer("a3", "w3", "5.00"),
        login.to_owned(),
    ];
    assert_eq!(post(address, "/v1/operations", &format!("[{}]", operations.join(","))).status, 200);
}

fn ids(page: &Value) -> Vec<&str> {
    page["decisions"].as_array().expect("decisions").iter().map(|item| item["op_id"].as_str().expect("an id")).collect()
}

#[test]
fn decisions_are_found_by_every_filter() {
    let server = Server::start("");
    let address = server.address;
    five(address);
    let held = get(address, "/v1/decisions?op_id=a2").json();
    let decision_id = held["decisions"][0]["decision_id"].as_str().expect("an id").to_uppercase();
    let cases: [(&str, &[&str]); 20] = [
        ("wallet=w3", &["a3"]),
        ("wallet=w2", &[]),
        ("op_id=p1", &["p1"]),
        (&format!("decision_id={decision_id}"), &["a2"]),
        ("rule=transfer-over-100k", &["a2"]),
        ("rule=retired-long-ago", &[]),
        ("verdict=hold", &["a2"]),
        ("verdict=allow&wallet=w1", &["a1", "p1", "l1"]),
        ("type=login", &["l1"]),
        ("from=2026-03-02T11:00:00Z", &["p1", "l1"]),
        ("to=2026-03-02T11:00:00Z", &["a1", "a2", "a3"]),
        ("from=2026-03-02T16:00:00%2B05:00&to=2026-03-02T17:00:00+05:00", &["p1"]),
        ("from=2026-03-02T11:00:00Z&to=2026-03-02T11:00:00Z", &[]),
        ("amount_min=150000&amount_max=150000.00", &["a2", "p1"]),
        ("amount_max=5", &["a1", "a3"]),
        ("amount_min=0", &["a1", "a2", "p1", "a3"]),
        ("ip=203.0.113.7", &["p1"]),
        ("ip=%3A%3Affff%3A203.0.113.7", &["p1"]),
        ("device=d%201%2B1", &["p1"]),
        ("order=asc", &["a1", "a2", "p1", "a3", "l1"]),
    ];
    for (query, expected) in cases {
        let page = get(address, &format!("/v1/decisions?{query}")).json();
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!(page["next"], 5, "{query}");
        let page = get(address, &format!("/v1/decisions?{query}&order=desc").replace("order=asc&", "")).json();
        assert_eq!(ids(&page), expected.iter().rev().copied().collect::<Vec<_>>(), "{query}");
        assert_eq!((&page["next"], &page["scanned"]), (&1.into(), &5.into()), "{query}");
    }
}

#[test]
fn pages_go_on_from_next_in_both_orders() {
    let server = Server::start("");
    let address = server.address;
    five(address);
    let pages = |query: &str| {
        let (mut found, mut after) = (Vec::new(), None::<u64>);
        loop {
            let place = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let page = get(address, &format!("/v1/decisions?wallet=w1&limit=1{query}{place}")).json();
            found.extend(ids(&page).into_iter().map(str::to_owned));
            if after == page["next"].as_u64() {
                return found;
            }
            after = page["next"].as_u64();
        }
    };
    assert_eq!(pages(""), ["a1", "a2", "p1", "l1"]);
    assert_eq!(pages("&order=desc"), ["l1", "p1", "a2", "a1"]);
    assert_eq!(ids(&get(address, "/v1/decisions?order=desc&after=-1&limit=2").json()), ["p1", "a2"]);
}

/// The console's table needs no second request, and what a decision itself says stays as it is.
#[test]
fn amount_and_counterparty_stand_beside_a_decisions_own_fields() {
    let server = Server::start("");
    let address = server.address;
    let answer = post(address, "/v1/operations", &transfer("a1", "w1", "5"));
    five(address);
    let page = get(address, "/v1/decisions?after=0").json();
    let mut first = page["decisions"][0].clone();
    let shown = first.as_object_mut().expect("an object");
    assert_eq!(shown.remove("amount"), Some("5.00".into()));
    assert_eq!(shown.remove("counterparty"), Some(serde_json::json!({"kind": "client", "wallet_id": "w2"})));
    assert_eq!(shown.remove("seq"), Some(1.into()));
    assert_eq!(first, answer.json());
    let login = page["decisions"].as_array().expect("decisions").last().expect("one");
    assert!(login.get("amount").is_none() && login.get("counterparty").is_none(), "{login}");
    assert!(page.get("scanned").is_none(), "{page}");
}

#[test]
fn what_is_no_filter_is_refused_with_what_is_accepted() {
    let server = Server::start("");
    let address = server.address;
    let cases = [
        ("wallets=w1", "\"wallets\", but only after, wait, limit, epoch, order, wallet, op_id,"),
        ("wallet=", "found \"\" as wallet, but a text of 1 to 64 characters"),
        ("wallet=w1&wallet=w2", "\"wallet\" more than once"),
        (&format!("op_id={}", "x".repeat(65)), "as op_id, but a text of 1 to 64"),
        ("decision_id=7", "found \"7\" as decision_id, but a UUID"),
        ("rule=", "as rule"),
        ("verdict=denied", "found \"denied\" as verdict, but one of allow, challenge, hold, refuse is accepted"),
        ("type=transfers", "as type, but one of transfer, payment,"),
        ("from=2026-03-02", "as from, but an RFC 3339 time with an offset"),
        ("to=now", "as to, but an RFC 3339 time"),
        ("from=2026-03-02T11:00:00Z&to=2026-03-01T11:00:00Z", "as to, but what is not before from"),
        ("amount_min=-1", "as amount_min, but an amount such as"),
        ("amount_max=1.001", "as amount_max"),
        ("amount_min=2&amount_max=1", "found 1.00 as amount_max, but what is not less than amount_min, 2.00"),
        ("ip=203.0.113.0/24", "as ip, but an IPv4 or IPv6 address"),
        ("device=", "as device"),
        ("order=newest", "found \"newest\" as order, but asc or desc"),
        ("limit=0", "as limit"),
        ("wait=soon", "as wait"),
    ];
    for (query, says) in cases {
        let problem = get(address, &format!("/v1/decisions?{query}")).problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{query}: {problem}");
    }
    let events = [("accept", "text/event-stream")];
    ask(address, "GET", "/v1/decisions?order=desc", &events, b"").problem(400);
    ask(address, "GET", "/v1/decisions?verdict=denied", &events, b"").problem(400);
    get(address, "/v1/restrictions?kind=hold&kind=block").problem(400);
}

#[test]
fn a_long_poll_waits_for_what_is_meant() {
    let server = Server::start("");
    let address = server.address;
    five(address);
    let poll = thread::spawn(move || get(address, "/v1/decisions?wallet=w9&wait=30s&after=2").json());
    post(address, "/v1/operations", &transfer("b1", "w8", "5.00"));
    post(address, "/v1/operations", &transfer("b2", "w9", "5.00"));
    let page = poll.join().expect("a page");
    assert_eq!((ids(&page), &page["next"]), (vec!["b2"], &7.into()));
    let empty = get(address, "/v1/decisions?wallet=w7&wait=50ms").json();
    assert_eq!((ids(&empty).len(), &empty["next"]), (0, &7.into()));
    // What is decided while it looks is no reason to answer with nothing.
    for round in 0..25 {
        let path = format!("/v1/decisions?wallet=meant{round}&wait=30s&after=2");
        let poll = thread::spawn(move || get(address, &path).json());
        for other in 0..4 {
            post(address, "/v1/operations", &transfer(&format!("o{round}-{other}"), "w8", "5.00"));
        }
        post(address, "/v1/operations", &transfer(&format!("m{round}"), &format!("meant{round}"), "5.00"));
        assert_eq!(ids(&poll.join().expect("a page")), [format!("m{round}")]);
    }
}

#[test]
fn events_are_those_that_are_meant() {
    let server = Server::start("");
    let address = server.address;
    five(address);
    let reader = thread::spawn(move || events(address, &[], "/v1/decisions?wallet=w1&verdict=allow&after=1", 3));
    post(address, "/v1/operations", &transfer("b1", "w8", "5.00"));
    post(address, "/v1/operations", &payment("b2", "w1", "5.00", ""));
    let expected: Vec<(String, u64)> = [3, 5, 7].iter().map(|seq: &u64| (seq.to_string(), *seq)).collect();
    assert_eq!(reader.join().expect("events"), expected);
    let resumed = events(address, &[("last-event-id", "5")], "/v1/decisions?wallet=w1", 1);
    assert_eq!(resumed, [(String::from("7"), 7)]);
}
