//! The service over the wire: what is answered, to whom, and what is refused how.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use crate::client::{Answer, ask, get, post, raw, request};
use crate::wait;
use kuzet::app::serve::{Hearing, Running};
use kuzet::config;
use kuzet::http::endpoints::{ENDPOINTS, SUPPORT_EVENTS};
use serde_json::Value;

mod authoring;
mod backtests;
mod certificate;
mod drafts;
mod history;
mod rearm;
mod redrive;
mod reproduce;
mod rule_life;
mod rule_saving;
mod search;
mod why;
mod withdraw;

/// A service in a folder of its own.
pub(crate) struct Server {
    pub(crate) running: Option<Running>,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_with(settings, |_| {})
    }

    /// Starts with what `prepare` puts where the store will be.
    fn start_with(settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(&folder.path().join("store"));
        Self::start_in(folder, settings)
    }

    /// Ends, and starts again with other settings.
    fn again(mut self, settings: &str) -> Self {
        self.running.take().into_iter().for_each(Running::stop);
        let folder = std::mem::replace(&mut self._folder, tempfile::tempdir().expect("a folder"));
        Self::start_in(folder, settings)
    }

    fn start_in(folder: tempfile::TempDir, settings: &str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        // The shipped rules, or those that a test put there.
        let own = folder.path().join("rules");
        let rules = if own.is_dir() { own.display().to_string() } else { format!("{root}/rules") };
        let text = format!(
            "[store]\npath = {:?}\n[rules]\nfolder = {rules:?}\nwatch = false\n[geoip]\nfolder = \"{root}/geoip\"\nwatch = false\n{settings}",
            folder.path().join("store").display().to_string(),
        );
        let text = if text.contains("[http]") {
            text.replace("[http]\n", "[http]\nlisten = \"127.0.0.1:0\"\n")
        } else {
            format!("{text}[http]\nlisten = \"127.0.0.1:0\"\n")
        };
        let config = config::parse("test", &text, []).unwrap_or_else(|errors| panic!("{errors}"));
        let running = Running::start(&config, Hearing::OnceWaiting).expect("a service");
        let address = running.address;
        Self { running: Some(running), address, _folder: folder }
    }

    pub(crate) fn with_tokens() -> Self {
        Self::start(&Self::token_settings())
    }

    /// The configuration of a token for each role.
    fn token_settings() -> String {
        let mut settings = String::from("[http]\n");
        for role in ["ledger", "support", "analyst", "metrics"] {
            let hash = config::TokenHash::of(&token(role));
            settings
                .push_str(&format!("[[token]]\nname = \"{role}-token\"\nhash = \"{hash}\"\nroles = [\"{role}\"]\n"));
        }
        settings
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

pub(crate) fn token(role: &str) -> String {
    format!("kzt_{role}_0123456789012345678901234567890123456789")
}

pub(crate) fn bearer(role: &str) -> String {
    format!("Bearer {}", token(role))
}

pub(crate) fn transfer(op: &str, wallet: &str, amount: &str) -> String {
    format!(
        r#"{{"op_id":"{op}","type":"transfer","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"{wallet}","client_status":"identified","amount":"{amount}","counterparty":{{"kind":"client","wallet_id":"w2"}}}}"#
    )
}

#[test]
fn one_operation_gets_its_decision_and_the_same_again() {
    let server = Server::start("");
    let first = post(server.address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    assert_eq!(first.status, 200);
    assert_eq!(first.json()["verdict"], "hold");
    let again = post(server.address, "/v1/operations", &transfer("a1", "w1", "150000"));
    assert_eq!(again.body, first.body);
    let other = post(server.address, "/v1/operations", &transfer("a1", "w1", "150000.01"));
    assert_eq!(other.problem(409)["code"], "conflicting_duplicate");
    let bad = post(server.address, "/v1/operations", &transfer("a2", "w1", "1.001"));
    let problem = bad.problem(400);
    assert_eq!((&problem["code"], &problem["field"]), (&"invalid_field".into(), &"amount".into()));
    let list = get(server.address, "/v1/decisions?after=0").json();
    assert_eq!(list["next"], 1);
    assert_eq!(list["decisions"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["decisions"][0]["seq"], 1);
}

#[test]
fn an_array_is_answered_item_by_item_in_its_order() {
    let server = Server::start("");
    let items = [
        transfer("a1", "w1", "5.00"),
        String::from("{}"),
        transfer("a1", "w1", "5.00"),
        String::from("null"),
        transfer("a2", "w1", "7.00"),
    ];
    let answers = post(server.address, "/v1/operations", &format!(" [{}]", items.join(", "))).json();
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[0]["op_id"], "a1");
    assert_eq!(answers[1]["error"]["code"], "missing_field");
    assert_eq!(answers[2], answers[0]);
    assert_eq!(answers[3]["error"]["code"], "malformed_json");
    assert_eq!(answers[4]["op_id"], "a2");
    assert_eq!(get(server.address, "/v1/rejected").json()["rejected"].as_array().map(Vec::len), Some(2));
    assert_eq!(post(server.address, "/v1/operations", "[]").json(), Value::Array(Vec::new()));
}

#[test]
fn what_is_too_much_or_broken_is_a_problem_and_never_a_fault() {
    let server = Server::start("[http]\nmax_body = \"128KiB\"\n");
    let address = server.address;
    let many = format!("[{}]", vec!["{}"; 1_001].join(","));
    let problem = post(address, "/v1/operations", &many).problem(413);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("1001")), "{problem}");
    post(address, "/v1/operations", &" ".repeat(129 * 1024)).problem(413);
    let broken = post(address, "/v1/operations", "[{},").problem(400);
    assert_eq!(broken["code"], "malformed_json");
    assert_eq!(get(address, "/v1/rejected").json()["rejected"][0]["raw"], "[{},");
    for body in ["", "{", "\u{0}", "[[]]x", "\"text\"", "{\"a\":1}"] {
        let status = post(address, "/v1/operations", body).status;
        assert!((400..500).contains(&status), "{body:?}: {status}");
    }
    for path in [
        "/v1/decisions?after=x",
        "/v1/decisions?limit=0",
        "/v1/decisions?limit=1001",
        "/v1/decisions?wait=forever",
        "/v1/decisions?afer=1",
        "/v1/restrictions?kind=x",
        "/v1/restrictions?older_than=x",
        "/v1/decisions/x",
        "/v1/operations/-1",
        "/v1/rejected?from=x",
        "/v1/decisions?after=99999999999999999999",
    ] {
        get(address, path).problem(400);
    }
    for path in ["/v1/decisions/1", "/v1/operations/0", "/v1/wallets/nobody", "/v1/rules/nothing", "/nothing", "/.."] {
        get(address, path).problem(404);
    }
    ask(address, "DELETE", "/v1/operations", &[], b"").problem(405);
    ask(address, "POST", "/v1/wallets/w1/no-such-event", &[], b"{}").problem(404);
}

#[test]
fn broken_http_is_answered_or_closed_and_the_service_goes_on() {
    let server = Server::start("");
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(100_000));
    let headers: String = (0..1_000).map(|number| format!("x-{number}: 1\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    let cases: [&[u8]; 8] = [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
        b"POST /v1/operations HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/operations HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ];
    for case in cases {
        let answer = raw(server.address, case);
        let status = answer.get(9..12).map(|status| String::from_utf8_lossy(status).into_owned());
        assert!(answer.is_empty() || status.is_some_and(|status| status.starts_with('4')), "{answer:?}");
    }
    assert_eq!(get(server.address, "/healthz").status, 200);
}

#[test]
fn every_endpoint_is_for_its_roles_only() {
    let server = Server::with_tokens();
    for endpoint in ENDPOINTS {
        let method = if endpoint.is_post { "POST" } else { "GET" };
        let path = endpoint.path.replace("{seq}", "1").replace("{id}", "w1").replace("{event}", "documents-refused");
        let ask_as = |header: &str| ask(server.address, method, &path, &[("authorization", header)], b"{}").status;
        let is_open = endpoint.roles.is_empty();
        let without = ask(server.address, method, &path, &[], b"{}");
        assert_eq!(without.status == 401, !is_open, "{path}");
        if !is_open {
            assert!(without.head.contains("www-authenticate: bearer"), "{}", without.head);
        }
        for wrong in ["Bearer wrong", "Bearer ", "Basic dTpw", &token("ledger")] {
            assert_eq!(ask_as(wrong) == 401, !is_open, "{path} with {wrong}");
        }
        for role in ["ledger", "support", "analyst", "metrics"] {
            let may = is_open || endpoint.roles.iter().any(|known| known.name() == role);
            let status = ask_as(&bearer(role));
            assert_eq!(status != 403, may, "{path} as {role}: {status}");
            assert_ne!(status, 401, "{path} as {role}");
        }
    }
}

#[test]
fn without_tokens_pages_of_other_sites_get_nothing() {
    let server = Server::start("");
    let path = "/v1/decisions";
    ask(server.address, "GET", path, &[("origin", "https://evil.example")], b"").problem(403);
    ask(server.address, "GET", path, &[("sec-fetch-site", "cross-site")], b"").problem(403);
    let rebound = "GET /v1/decisions HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    Answer::parse(&raw(server.address, rebound.as_bytes())).problem(421);
    let own = format!("http://localhost:{}", server.address.port());
    assert_eq!(ask(server.address, "GET", path, &[("origin", &own)], b"").status, 200);
}

#[test]
fn support_lifts_a_hold_and_is_named() {
    let server = Server::with_tokens();
    let address = server.address;
    let as_role = |role: &str, method: &str, path: &str, body: &str| {
        ask(address, method, path, &[("authorization", &bearer(role))], body.as_bytes())
    };
    as_role("ledger", "POST", "/v1/operations", &transfer("a1", "w1", "150000.00"));
    let held = as_role("support", "GET", "/v1/restrictions?kind=hold", "").json();
    assert_eq!(held["total"], 1);
    assert_eq!(held["restrictions"][0]["op_id"], "a1");

    let missing = as_role("support", "POST", "/v1/wallets/w1/identity-confirmed", "{}").problem(400);
    assert_eq!((&missing["code"], &missing["field"]), (&"missing_field".into(), &"proof".into()));
    let unknown = as_role("support", "POST", "/v1/wallets/w1/identity-confirmed", r#"{"prof":"pin"}"#).problem(400);
    assert!(unknown["detail"].as_str().is_some_and(|detail| detail.contains("prof")), "{unknown}");

    let body = r#"{"proof":"agreed","actor":"somebody else"}"#;
    let lifted = as_role("support", "POST", "/v1/wallets/w1/identity-confirmed", body).json();
    let commands: Vec<&str> =
        lifted["commands"].as_array().expect("commands").iter().filter_map(|c| c["command"].as_str()).collect();
    assert_eq!(commands, ["lift", "release"]);
    let sent = as_role("support", "GET", &format!("/v1/operations/{}", lifted["seq"]), "").json();
    assert_eq!(sent["operation"]["actor"], "support-token");
    assert_eq!(as_role("support", "GET", "/v1/restrictions", "").json()["total"], 0);
}

/// Sends a support event; returns the commands of its decision, each as its kind and its subject.
fn event(address: SocketAddr, path: &str, body: &str) -> Vec<String> {
    let answer = post(address, &format!("/v1/wallets/{path}"), body);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    let decision = answer.json();
    let shown = |command: &Value| {
        let subject = command["subject"].as_object().and_then(|subject| subject.values().next());
        let word = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{} {}", word(command.get("command")), word(subject))
    };
    decision["commands"].as_array().into_iter().flatten().map(shown).collect()
}

#[test]
fn every_support_event_is_decided() {
    let server = Server::start("");
    let address = server.address;
    let expected = |name: &str| match name {
        "wallet-block-requested"
        | "cash-out-details-wrong"
        | "suspicion-confirmed"
        | "complaint-received"
        | "seizure-ordered" => &["block"][..],
        "fraud-reported" => &["block", "report"],
        "ownership-disputed" | "operation-disputed" => &["monitor"],
        _ => &[],
    };
    for known in SUPPORT_EVENTS {
        let body = r#"{"proof":"pin","ip":"192.0.2.1","ref_op_id":"unknown-1","source":"issuer"}"#;
        let decision = post(address, &format!("/v1/wallets/of-{0}/{0}", known.name), body).json();
        assert_eq!((&decision["type"], &decision["verdict"]), (&known.kind.name().into(), &"allow".into()));
        let commands: Vec<&str> =
            decision["commands"].as_array().into_iter().flatten().filter_map(|one| one["command"].as_str()).collect();
        assert_eq!(commands, expected(known.name), "{}", known.name);
    }
    let missing = post(address, "/v1/wallets/w1/operation-disputed", "{}").problem(400);
    assert_eq!((&missing["code"], &missing["field"]), (&"missing_field".into(), &"ref_op_id".into()));
}

#[test]
fn one_waiting_operation_is_settled_by_itself() {
    let server = Server::start("");
    let address = server.address;
    for op in ["a1", "a2", "a3", "a4"] {
        post(address, "/v1/operations", &transfer(op, "w1", "150000.00"));
    }
    let waiting = || -> Vec<Value> {
        let wallet = get(address, "/v1/wallets/w1").json();
        wallet["waiting"].as_array().into_iter().flatten().map(|one| one["op_id"].clone()).collect()
    };
    let settled = event(address, "w1/identity-confirmed", r#"{"proof":"agreed","ref_op_id":"a2"}"#);
    assert_eq!(
        (settled, waiting()),
        (vec!["lift a2".into(), "release a2".into()], vec!["a1".into(), "a3".into(), "a4".into()])
    );
    let cancel = r#"{"proof":"agreed","order":"cancel","ref_op_id":"a1"}"#;
    assert_eq!(event(address, "w1/identity-confirmed", cancel), ["lift a1", "cancel a1"]);
    assert_eq!(event(address, "w1/operation-disputed", r#"{"ref_op_id":"a3"}"#), ["monitor w1", "cancel a3"]);
    assert_eq!(event(address, "w1/cash-out-details-wrong", r#"{"ref_op_id":"a4"}"#), ["block w1", "cancel a4"]);
    assert_eq!(waiting(), Vec::<Value>::new());
}

#[test]
fn a_suspended_operation_shows_the_block_that_it_waits_for() {
    let server = Server::start("");
    let address = server.address;
    let cause = || get(address, "/v1/wallets/w1").json()["waiting"][0]["holds"].clone();
    post(address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    let own = cause();
    assert_eq!(get(address, "/v1/wallets/w1").json()["waiting"][0]["seq"], 1);
    assert_eq!((&own[0]["kind"], &own[0]["is_own"], &own[0]["until"]), (&"hold".into(), &true.into(), &Value::Null));
    assert_eq!(own[0]["lifted_by"].as_array().map(Vec::len), Some(5));
    assert_eq!(event(address, "w1/wallet-block-requested", ""), ["block w1"]);
    assert_eq!(event(address, "w1/identity-confirmed", r#"{"proof":"agreed"}"#), ["lift a1"]);
    let block = cause();
    assert_eq!(block.as_array().map(Vec::len), Some(1));
    assert_eq!((&block[0]["rule"], &block[0]["kind"]), (&"client-voluntary-block".into(), &"block".into()));
    assert_eq!((&block[0]["direction"], &block[0]["is_own"]), (&"both".into(), &false.into()));
    assert_eq!(block[0]["lifted_by"], serde_json::json!(["client"]));
    let blocks = get(address, "/v1/restrictions?kind=block").json();
    assert_eq!((&blocks["total"], &blocks["restrictions"][0]["waiting"]), (&1.into(), &1.into()));
    assert_eq!(event(address, "w1/wallet-unblock-requested", ""), ["lift w1", "release a1"]);
}

#[test]
fn an_extended_block_is_one_restriction_with_its_new_end() {
    let server = Server::start("");
    let address = server.address;
    let login = |number: usize, ip: &str| {
        let body = format!(
            r#"{{"op_id":"l{number}","type":"login","occurred_at":"2026-03-02T10:{number}0:00Z","wallet_id":"w1","outcome":"success","ip":"{ip}"}}"#
        );
        post(address, "/v1/operations", &body).json()
    };
    login(0, "95.56.234.10");
    let [first, second] = [(1, "212.42.96.5"), (2, "95.56.234.10")].map(|(number, ip)| {
        let wallet = (login(number, ip), get(address, "/v1/wallets/w1").json()).1;
        let all = wallet["restrictions"].as_array().cloned().unwrap_or_default();
        let mut blocks = all.into_iter().filter(|one| one["kind"] == "block");
        let block = blocks.next().expect("a block");
        assert_eq!(blocks.next(), None);
        block
    });
    assert_eq!((&first["until"], &second["until"]), (&"2026-03-02T12:10:00Z".into(), &"2026-03-02T12:20:00Z".into()));
    assert_eq!((&first["restriction_id"], &first["from"]), (&second["restriction_id"], &second["from"]));
    assert_eq!((&first["fired_last"], &second["fired_last"]), (&first["from"], &"2026-03-02T10:20:00Z".into()));
}

#[test]
fn a_decision_says_why_and_what_would_have_to_be_different() {
    let server = Server::start("");
    post(server.address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    let decision = get(server.address, "/v1/decisions/1").json();
    assert_eq!(decision["operation"]["amount"], "150000.00");
    let condition = &decision["why"][0]["conditions"][0];
    assert_eq!(condition["text"], "amount > 100_000 KZT");
    assert_eq!(condition["needed"], "amount <= 100_000 KZT");
    assert_eq!(condition["values"]["amount"], "150000.00");
    let sentence = condition["sentence"]["en"].as_str().expect("a sentence").replace('\u{a0}', " ");
    assert_eq!(sentence, "Amount: 150 000 KZT; fires when it is more than 100 000 KZT");
    let opposite = condition["opposite"]["ru"].as_str().expect("a sentence").replace('\u{a0}', " ");
    assert_eq!(opposite, "Не срабатывает, когда 100 000 тенге или меньше");
    let wallet = get(server.address, "/v1/wallets/w1").json();
    assert_eq!(wallet["waiting"][0]["op_id"], "a1");
    assert_eq!(wallet["decisions"][0]["seq"], 1);
    let rules = get(server.address, "/v1/rules?period=7d").json();
    assert_eq!((&rules["period"]["name"], &rules["period"]["decisions"]), (&"7d".into(), &1.into()));
    let rules = rules["rules"].as_array().expect("rules");
    let rule = rules.iter().find(|rule| rule["id"] == "transfer-over-100k").expect("the rule");
    assert_eq!((&rule["hits"], &rule["last_match"]["seq"]), (&1.into(), &1.into()));
    let counted = serde_json::json!({
        "hits": 1, "share": 1.0, "amount": "150000.00", "stopped": 1, "amount_stopped": "150000.00",
    });
    assert_eq!(rule["in_period"], counted);
    let refused = get(server.address, "/v1/rules?period=1y").json();
    assert_eq!(refused["detail"], "found \"1y\" as period, but one of 24h, 7d, 30d, 90d, all is accepted");
    let rule = get(server.address, "/v1/rules/transfer-over-100k").json();
    assert!(rule["text"].as_str().is_some_and(|text| text.starts_with("rule: transfer-over-100k")));
}

#[test]
fn a_long_poll_ends_with_the_next_decision() {
    let server = Server::start("");
    let address = server.address;
    let poll = thread::spawn(move || get(address, "/v1/decisions?after=0&wait=30s").json());
    post(address, "/v1/operations", &transfer("a1", "w1", "5.00"));
    assert_eq!(poll.join().expect("an answer")["next"], 1);
    let empty = get(address, "/v1/decisions?after=1").json();
    assert_eq!((&empty["next"], empty["decisions"].as_array().map(Vec::len)), (&1.into(), Some(0)));
}

/// Reads events until there are so many; returns their ids and the ids in their data.
pub(crate) fn events(address: SocketAddr, headers: &[(&str, &str)], path: &str, count: usize) -> Vec<(String, u64)> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let mut all = vec![("accept", "text/event-stream")];
    all.extend_from_slice(headers);
    stream.write_all(&request("GET", path, &all, b"")).expect("a request");
    let mut found = Vec::new();
    let mut id = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line.expect("a line");
        if let Some(value) = line.strip_prefix("id: ") {
            value.clone_into(&mut id);
        }
        if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).expect("JSON");
            found.push((id.clone(), data["seq"].as_u64().expect("a number")));
            if found.len() == count {
                break;
            }
        }
    }
    found
}

#[test]
fn events_carry_their_number_and_go_on_after_it() {
    let server = Server::start("");
    let address = server.address;
    for number in 1..=3 {
        post(address, "/v1/operations", &transfer(&format!("a{number}"), "w1", "5.00"));
    }
    let reader = thread::spawn(move || events(address, &[], "/v1/decisions?after=1", 3));
    post(address, "/v1/operations", &transfer("a4", "w1", "5.00"));
    let expected: Vec<(String, u64)> = (2..=4).map(|seq: u64| (seq.to_string(), seq)).collect();
    assert_eq!(reader.join().expect("events"), expected);
    let resumed = events(address, &[("last-event-id", "3")], "/v1/decisions?after=0", 1);
    assert_eq!(resumed, [(String::from("4"), 4)]);
}

#[test]
fn too_many_requests_a_second_are_told_to_wait() {
    let server = Server::start("[http]\nrate_per_second = 5\n");
    let answers: Vec<Answer> = (0..50).map(|_| get(server.address, "/v1/session")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("a refusal");
    refused.problem(429);
    assert!(refused.head.contains("retry-after: 1"));
    assert!(answers.iter().any(|answer| answer.status == 200));
}

#[test]
fn stopping_ends_polls_and_streams() {
    let mut server = Server::start("");
    let address = server.address;
    // Connections are let in one after the other: once the stream is open, the poll's is.
    let mut poll = TcpStream::connect(address).expect("a connection");
    poll.set_read_timeout(Some(wait::PATIENCE)).expect("a timeout");
    poll.write_all(&request("GET", "/v1/decisions?after=0&wait=60s", &[], b"")).expect("a request");
    let stream =
        thread::spawn(move || raw(address, &request("GET", "/v1/decisions", &[("accept", "text/event-stream")], b"")));
    wait::until("a stream is open", || {
        (get(address, "/metrics").json_line("kuzet_sse_subscribers ") == Some(1)).then_some(())
    });
    server.running.take().expect("a service").stop();
    let mut answer = Vec::new();
    poll.read_to_end(&mut answer).expect("an answer");
    assert_eq!(Answer::parse(&answer).status, 200);
    assert!(stream.join().expect("an end").starts_with(b"HTTP/1.1 200"));
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

impl Answer {
    /// Reads one sample of a metrics page.
    fn json_line(&self, name: &str) -> Option<u64> {
        let text = String::from_utf8_lossy(&self.body);
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

#[test]
fn metrics_are_as_prometheus_likes_them() {
    let server = Server::start("");
    post(server.address, "/v1/operations", &transfer("a1", "w1", "150000.00"));
    post(server.address, "/v1/operations", "{}");
    // A batch is counted after its callers were answered.
    let counted = "kuzet_batch_operations_count";
    let page = wait::until("both batches are counted", || {
        let page = get(server.address, "/metrics");
        (page.json_line(counted) == Some(2)).then_some(page)
    });
    assert!(page.json_line("kuzet_store_free_bytes").is_some_and(|bytes| bytes > 0), "the disk cannot be full");
    let text = String::from_utf8(page.body).expect("text");
    for line in [
        "kuzet_operations_total{type=\"transfer\"} 1",
        "kuzet_rejected_total{code=\"missing_field\"} 1",
        "kuzet_decisions_total{verdict=\"hold\"} 1",
        "kuzet_commands_total{command=\"hold\"} 1",
        "kuzet_restrictions_active{kind=\"hold\"} 1",
        "kuzet_matches_total{mode=\"enforce\",rule=\"transfer-over-100k\"} 1",
        "kuzet_stage_duration_seconds_count{stage=\"commit\"} 2",
        "kuzet_stage_duration_seconds_count{stage=\"end_to_end\"} 2",
        "kuzet_ready 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus (`make tools FOR_TESTS=1` installs it)");
    promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("promtool reads");
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn the_console_is_served_with_a_strict_policy() {
    let server = Server::start("");
    let page = get(server.address, "/");
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    let tag = page.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
    assert_eq!(ask(server.address, "GET", "/", &[("if-none-match", &tag)], b"").status, 304);
    assert!(get(server.address, "/app.js").head.contains("text/javascript"));
}

#[test]
fn the_document_names_every_endpoint() {
    let server = Server::start("");
    let document = get(server.address, "/openapi.json").json();
    for endpoint in ENDPOINTS {
        let method = if endpoint.is_post { "post" } else { "get" };
        let operation = &document["paths"][endpoint.path][method];
        assert_eq!(operation["operationId"], endpoint.name);
    }
    let event = &document["paths"]["/v1/wallets/{id}/{event}"]["post"];
    let names = event["parameters"].as_array().expect("parameters").iter().find(|one| one["name"] == "event");
    let names = names.and_then(|one| one["schema"]["enum"].as_array()).expect("events");
    assert_eq!(names.len(), SUPPORT_EVENTS.len());
    for known in SUPPORT_EVENTS {
        assert!(names.contains(&known.name.into()));
        assert!(event["description"].as_str().is_some_and(|text| text.contains(known.name)), "{}", known.name);
    }
    let fields = &event["requestBody"]["content"]["application/json"]["schema"]["properties"];
    assert_eq!(fields["proof"]["enum"].as_array().map(Vec::len), Some(8), "seven proofs, and none: {fields}");
    assert!(fields["ref_op_id"].is_object(), "{fields}");
    assert!(fields["source"]["enum"].as_array().is_some_and(|all| all.contains(&"court".into())), "{fields}");
}

#[test]
fn a_sample_of_a_database_is_told() {
    let server = Server::start("");
    let told = "sample anonymizer database: rule 7.15 on proxies cannot fire";
    let ready = get(server.address, "/readyz");
    assert_eq!((ready.status, &ready.json()["warnings"]), (200, &serde_json::json!([told])));
    let session = get(server.address, "/v1/session").json();
    assert_eq!(session["geo"]["anonymizer"]["sample"], true);
    assert_eq!(session["geo"]["country"]["sample"], false);
    let metrics = String::from_utf8(get(server.address, "/metrics").body).expect("text");
    assert!(metrics.contains("kuzet_geo_database_sample{database=\"anonymizer\"} 1"), "{metrics}");
    assert!(metrics.contains("kuzet_geo_database_sample{database=\"country\"} 0"), "{metrics}");
}
