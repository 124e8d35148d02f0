//! More devices than a window may have keys: those that were there still count, and what is not known is said.

use std::collections::BTreeMap;
use std::sync::Arc;

use kuzet::adapters::redis::{Rebuild, RedisSettings, RedisStore, WindowLimits};
use kuzet::engine::plan::Plan;
use kuzet::operation::Time;
use kuzet::operation::time::MINUTE;
use kuzet::pipeline::{Answer, Pipeline, Record};
use serde_json::{Value, json};

use super::changes;
use super::pipeline;
use crate::server::Server;

/// Each fires on the second login from a device.
const CONDITIONS: [&str; 3] = [
    "count(login by device_id within 1h) > 1",
    "streak(login where outcome = success by device_id quiet 1h) > 1",
    "count(login by device_id today) > 1",
];

/// A fleet's deciding, on one rule.
struct Fleet {
    plan: Arc<Plan>,
    store: Arc<RedisStore>,
    pipeline: Pipeline<Arc<RedisStore>>,
    logins: usize,
}

impl Fleet {
    fn new(server: &Server, condition: &str, limits: WindowLimits) -> Self {
        redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
        Self::beside(server, condition, limits)
    }

    /// Begins with what the server holds already.
    fn beside(server: &Server, condition: &str, limits: WindowLimits) -> Self {
        let plan = Arc::new(changes::plan_of(&[condition]));
        let settings = RedisSettings { limits, ..server.settings() };
        let store = Arc::new(RedisStore::new(&settings, None).expect("settings"));
        store.rebuild(&plan, &Rebuild::default()).expect("a rebuild");
        let pipeline = pipeline(&plan, Arc::clone(&store));
        Self { plan, store, pipeline, logins: 0 }
    }

    /// Logs in from a device at a minute of the day; returns whether the rule fired, and whether what it reads was not
    /// known.
    fn login(&mut self, device: &str, minute: i64) -> (bool, bool) {
        self.logins += 1;
        let at = Time::parse_rfc3339("2026-03-02T10:00:00Z").expect("a time").plus(minute * MINUTE);
        let operation = json!({
            "op_id": format!("l{}-{minute}", self.logins), "type": "login", "occurred_at": at.to_string(),
            "wallet_id": format!("W{}", self.logins), "device_id": device, "outcome": "success",
        });
        let line = operation.to_string();
        let record = Record { bytes: line.as_bytes(), arrived_at: None };
        let committed = self.pipeline.process(&[record]).expect("the store takes the changes");
        let Answer::Decided(decision) = &committed.answers[0] else { panic!("not decided") };
        let mut out = Vec::new();
        decision.encode(&mut out);
        let decision: Value = serde_json::from_slice(&out).expect("JSON");
        let degraded = decision["degraded"].as_array().expect("a list");
        assert!(degraded.is_empty() || *degraded == ["shared_state"], "{decision}");
        (!decision["matches"].as_array().expect("a list").is_empty(), !degraded.is_empty())
    }
}

fn keys(keys_max: u64) -> WindowLimits {
    WindowLimits { keys_max, ..WindowLimits::default() }
}

#[test]
fn a_key_that_found_no_room_is_unknown_and_no_other_is_dropped_for_it() {
    let server = Server::start();
    for condition in CONDITIONS {
        let mut fleet = Fleet::new(&server, condition, keys(3));
        for device in ["d1", "d2", "d3"] {
            assert_eq!(fleet.login(device, 0), (false, false), "{condition}");
        }
        // Nobody was turned away before the fourth, so nothing is missing yet: it is the first of its device.
        assert_eq!(fleet.login("d4", 1), (false, false), "{condition}");
        assert_eq!(fleet.login("d4", 2), (false, true), "{condition}: the one before was not kept");
        assert_eq!(fleet.login("d5", 2), (false, true), "{condition}: it may have been there");
        // Those with room go on as if nothing had happened.
        assert_eq!(fleet.login("d1", 3), (true, false), "{condition}");
        assert_eq!(fleet.store.sizes(&fleet.plan).expect("sizes").keys, 3, "{condition}");
        assert_eq!(fleet.store.take_turned_away(), 3, "{condition}");

        // Another process, or the same after a restart, knows it from the server.
        let mut other = Fleet::beside(&server, condition, keys(3));
        other.logins = 100;
        assert_eq!(other.login("d2", 4), (true, false), "{condition}");
        assert_eq!(other.login("d5", 4), (false, true), "{condition}");
        // With more room it is tracked, and whole once its windows lie behind what was turned away.
        let mut roomy = Fleet::beside(&server, condition, keys(9));
        roomy.logins = 200;
        assert_eq!(roomy.login("d5", 5), (false, true), "{condition}");
        assert_eq!(roomy.login("d5", 6), (false, true), "{condition}: what it lacks is still in the window");
        assert_eq!(roomy.login("d1", 7), (true, false), "{condition}");
        let tomorrow = 24 * 60;
        assert_eq!(roomy.login("d5", tomorrow), (false, false), "{condition}");
        assert_eq!(roomy.login("d5", tomorrow + 1), (true, false), "{condition}");
    }
}

#[test]
fn a_window_of_many_bytes_takes_in_no_more_keys() {
    let server = Server::start();
    let limits = WindowLimits { bytes_max: 2_000, ..WindowLimits::default() };
    let mut fleet = Fleet::new(&server, CONDITIONS[0], limits);
    // One busy device may go beyond: it is there.
    for minute in 0..30 {
        assert_eq!(fleet.login("d1", minute), (minute > 0, false));
    }
    assert!(fleet.store.sizes(&fleet.plan).expect("sizes").bytes > limits.bytes_max);
    assert_eq!(fleet.login("d2", 30), (false, false));
    assert_eq!(fleet.login("d2", 31), (false, true));
    assert_eq!(fleet.login("d1", 32), (true, false));
    assert_eq!((fleet.store.sizes(&fleet.plan).expect("sizes").keys, fleet.store.take_turned_away()), (1, 2));
}

/// Keys that expire leave nothing that takes them out of the count: it is by spans of the clock that it goes.
#[test]
fn keys_that_expired_make_room() {
    let server = Server::start();
    let mut fleet = Fleet::new(&server, CONDITIONS[0], keys(2));
    assert_eq!(["d1", "d2", "d3"].map(|device| fleet.login(device, 0)), [(false, false); 3]);
    assert_eq!(fleet.store.sizes(&fleet.plan).expect("sizes").keys, 2);
    let mut connection = server.connection();
    let names: Vec<String> = redis::cmd("KEYS").arg("kuzet:w:*").query(&mut connection).expect("KEYS");
    let (books, of_keys): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name.ends_with(":n"));
    let [book] = &books[..] else { panic!("one window: {books:?}") };
    // As it is when the keys' life is over: the server has dropped them, and the clock is beyond their span.
    redis::cmd("DEL").arg(of_keys).exec(&mut connection).expect("DEL");
    let counted: BTreeMap<String, Vec<u8>> = redis::cmd("HGETALL").arg(book).query(&mut connection).expect("a hash");
    for (field, count) in counted.iter().filter(|(field, _)| *field != "away") {
        let (kind, span) = field.split_at(1);
        let past = format!("{kind}{}", span.parse::<i64>().expect("a span") - 40);
        redis::cmd("HDEL").arg(book).arg(field).exec(&mut connection).expect("HDEL");
        redis::cmd("HINCRBY").arg(book).arg(past).arg(count).exec(&mut connection).expect("HINCRBY");
    }
    assert_eq!(fleet.store.sizes(&fleet.plan).expect("sizes").keys, 0);
    assert_eq!(["d4", "d5"].map(|device| fleet.login(device, 2 * 60)), [(false, false); 2]);
    assert_eq!((fleet.login("d4", 2 * 60 + 1), fleet.login("d5", 2 * 60 + 1)), ((true, false), (true, false)));
    assert_eq!(fleet.store.sizes(&fleet.plan).expect("sizes").keys, 2);
    let spans: BTreeMap<String, Vec<u8>> = redis::cmd("HGETALL").arg(book).query(&mut connection).expect("a hash");
    assert!(spans.len() <= 5, "what is over is removed: {spans:?}");
}
