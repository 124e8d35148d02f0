//! One operation whose time lies far ahead of the stream, where no arrival time is known: it is decided, and neither
//! empties a window nor ends a block for the operations that follow.

use std::path::Path;

use kuzet::adapters::folders::Folder;
use kuzet::adapters::memory::MemoryStore;
use kuzet::app;
use kuzet::operation::Time;
use kuzet::operation::decision::Decision;
use kuzet::operation::time::{DAY, HOUR, MINUTE, Nanos};
use kuzet::pipeline::{Answer, Pipeline, Record};
use serde_json::{Value, json};

/// Far ahead of everything else here.
const AHEAD: Nanos = DAY.times(26_000);
const HOME: &str = "95.56.234.10";
const ABROAD: &str = "78.46.0.1";

/// The shipped rules over a stream that begins on 1 June 2026.
struct Stream {
    pipeline: Pipeline<MemoryStore>,
    decided: usize,
    arrived_at: Option<Time>,
}

impl Stream {
    fn new() -> Self {
        let folder = |name: &str| Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
        let rules = app::load_rules(&folder("rules")).expect("the shipped rules load");
        let pipeline = app::pipeline(rules, app::load_geo(&folder("geoip")).expect("the databases load"));
        let mut stream = Self { pipeline, decided: 0, arrived_at: None };
        // Something was decided before.
        for wallet in ["w8", "w9"] {
            stream.decide(wallet, Nanos::ZERO, json!({"type": "top_up", "amount": "1.00"}));
        }
        stream
    }

    fn decide(&mut self, wallet: &str, after: Nanos, fields: Value) -> Decision {
        self.decided += 1;
        let at = Time::parse_rfc3339("2026-06-01T07:00:00Z").expect("a time").plus(after);
        let mut operation = json!({
            "op_id": format!("op-{}", self.decided), "occurred_at": at.to_string(), "wallet_id": wallet,
        });
        let Value::Object(fields) = fields else { panic!("fields") };
        operation.as_object_mut().expect("an object").extend(fields);
        let line = operation.to_string();
        let record = Record { bytes: line.as_bytes(), arrived_at: self.arrived_at };
        let committed = self.pipeline.process(&[record]).expect("a store in memory takes every change");
        match committed.answers.into_iter().next() {
            Some(Answer::Decided(decision)) => *decision,
            other => panic!("{other:?} to {line}"),
        }
    }

    fn login(&mut self, wallet: &str, after: Nanos, ip: &str, outcome: &str) -> Decision {
        self.decide(wallet, after, json!({"type": "login", "ip": ip, "outcome": outcome}))
    }

    fn transfer(&mut self, after: Nanos) -> Decision {
        let party = json!({"kind": "client", "wallet_id": "w2"});
        let fields =
            json!({"type": "transfer", "client_status": "identified", "amount": "5000.00", "counterparty": party});
        self.decide("w1", after, fields)
    }

    fn top_up_far_ahead(&mut self) {
        let decision = self.decide("w1", AHEAD, json!({"type": "top_up", "amount": "1.00"}));
        assert_eq!(decision.verdict.name(), "allow");
    }
}

fn fires(decision: &Decision, rule: &str) -> bool {
    decision.matches.iter().any(|found| &*found.rule == rule)
}

#[test]
fn a_block_goes_on() {
    let mut stream = Stream::new();
    stream.decide("w1", Nanos::ZERO, json!({"type": "fraud_reported", "source": "issuer"}));
    assert_eq!(stream.transfer(HOUR).verdict.name(), "refuse");
    stream.login("w1", AHEAD, HOME, "success");
    for after in [2 * HOUR, 30 * DAY, 40 * DAY] {
        let decision = stream.transfer(after);
        assert_eq!((decision.verdict.name(), decision.late), ("refuse", false), "{after:?} later");
    }
}

#[test]
fn windows_stay_full() {
    let mut stream = Stream::new();
    for number in 0..10 {
        assert!(!fires(&stream.transfer(number * MINUTE), "equal-transfers-in-hour"));
    }
    stream.top_up_far_ahead();
    let decision = stream.transfer(20 * MINUTE);
    assert!(fires(&decision, "equal-transfers-in-hour"), "{decision:?}");
    assert!(!decision.late);
}

#[test]
fn the_last_login_is_the_last_before() {
    let mut stream = Stream::new();
    stream.login("w1", Nanos::ZERO, HOME, "success");
    stream.login("w1", AHEAD, HOME, "success");
    let decision = stream.login("w1", HOUR, ABROAD, "success");
    assert!(fires(&decision, "login-country-change"), "{decision:?}");
}

#[test]
fn a_run_goes_on() {
    let mut stream = Stream::new();
    for number in 0..5 {
        stream.login("w1", number * MINUTE, HOME, "failure");
    }
    let ahead = stream.login("w1", AHEAD, HOME, "failure");
    assert!(!fires(&ahead, "wrong-password-ip-block"), "by its own time it is the first");
    assert!(fires(&stream.login("w1", HOUR, HOME, "failure"), "wrong-password-ip-block"));
}

#[test]
fn the_block_of_an_address_goes_on_for_all_wallets() {
    let mut stream = Stream::new();
    for number in 0..6 {
        stream.login("w1", number * MINUTE, ABROAD, "failure");
    }
    assert_eq!(stream.login("w3", HOUR, ABROAD, "success").verdict.name(), "refuse");
    stream.login("w4", AHEAD, ABROAD, "success");
    assert_eq!(stream.login("w3", 2 * HOUR, ABROAD, "success").verdict.name(), "refuse");
}

/// After a pause all operations are later: the second one shows that the first was none with a wrong clock.
#[test]
fn a_pause_of_the_whole_stream_ages_as_ever() {
    let mut stream = Stream::new();
    stream.decide("w1", Nanos::ZERO, json!({"type": "top_up", "amount": "1.00"}));
    stream.decide("w1", 90 * DAY, json!({"type": "top_up", "amount": "1.00"}));
    assert!(stream.transfer(90 * DAY - 11 * MINUTE).late, "the second of the same wallet");
    stream.decide("w1", 190 * DAY, json!({"type": "top_up", "amount": "1.00"}));
    stream.decide("w3", 190 * DAY, json!({"type": "top_up", "amount": "1.00"}));
    assert!(stream.transfer(190 * DAY - 11 * MINUTE).late, "the second of another one");
}

#[test]
fn less_than_a_day_ahead_and_what_was_held_against_its_arrival_age_as_ever() {
    let mut stream = Stream::new();
    stream.decide("w1", DAY, json!({"type": "top_up", "amount": "1.00"}));
    assert!(stream.transfer(Nanos::ZERO).late);
    stream.decide("w1", 2 * DAY + Nanos::ONE, json!({"type": "top_up", "amount": "1.00"}));
    assert!(!stream.transfer(DAY).late, "a nanosecond more than a day ahead");
    stream.arrived_at = Some(Time::ACCEPTED_UNTIL);
    stream.top_up_far_ahead();
    assert!(stream.transfer(2 * DAY).late);
}
