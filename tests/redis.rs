//! The shared store of a fleet against a real redis-server: it answers as the store of one process does,
//! whatever is repeated, and stays right when the server does not.
#![expect(clippy::print_stdout, reason = "seeds belong in the test's output")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use kuzet::adapters::folders::Folder;
use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::redis::{Epoch, Rebuild, RedisSettings, RedisStore};
use kuzet::app;
use kuzet::engine::Engine;
use kuzet::engine::keyed::KeyedState;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::engine::shared::{SharedChange, SharedRequest, SharedView};
use kuzet::operation::Time;
use kuzet::operation::time::SECOND;
use kuzet::pipeline::{Answer, Limits, Pipeline, Record, SharedStore};
use kuzet::simulate::{DEFAULT_START, Parameters, Simulation};

mod changes;
mod cluster;
mod dense;
mod faults;
mod gateway;
mod limits;

use crate::random::Random;
use crate::server::Server;
use changes::{Changes, answers, blocks, keys, parties};

/// A store whose server holds the state of a caller that has decided nothing yet.
fn fresh(server: &Server, plan: &Plan) -> RedisStore {
    fresh_by(&server.settings(), plan)
}

fn fresh_by(settings: &RedisSettings, plan: &Plan) -> RedisStore {
    let store = RedisStore::new(settings, None).expect("settings");
    store.rebuild(plan, &Rebuild::default()).expect("a rebuild");
    store
}

/// Fetches all that the random changes touch.
fn fetch(store: &impl SharedStore, plan: &Plan) -> SharedView {
    let mut view = SharedView::default();
    // Twice: a batch asks for many keys more than once.
    let windows = [keys(plan), keys(plan)].concat();
    store.fetch(plan, &SharedRequest { windows, parties: parties() }, &mut view);
    view
}

fn assert_same(plan: &Plan, memory: &MemoryStore, redis: &RedisStore, now: Time, seed: u64) {
    let (expected, found) = (fetch(memory, plan), fetch(redis, plan));
    assert!(found.available, "seed {seed}");
    for key in keys(plan) {
        let definition = &plan.aggregates[key.aggregate].definition;
        let context = || format!("seed {seed}, key {}, {definition:?}", key.key);
        assert_eq!(answers(plan, &found, key, now), answers(plan, &expected, key, now), "{}", context());
    }
    for party in parties() {
        assert_eq!(blocks(&found, party), blocks(&expected, party), "seed {seed}, {party:?}");
    }
}

/// Lets two instances take random changes on a server that holds nothing.
fn compare(settings: &RedisSettings, plan: &Plan, seed: u64) {
    println!("seed {seed}");
    let memory = MemoryStore::default();
    let stores = [fresh_by(settings, plan), fresh_by(settings, plan)];
    let mut changes = Changes::new(plan, seed);
    let mut chance = Random(!seed);
    let mut past: Vec<Vec<SharedChange>> = Vec::new();
    for round in 0..120 {
        let batch = changes.batch();
        memory.enter(plan, &batch);
        stores[chance.below(2)].apply(plan, &batch).expect("an apply");
        past.push(batch);
        // Any of the last batches come again, in any order, from either instance.
        while chance.below(2) == 0 {
            let back = chance.below(past.len().min(4)) + 1;
            stores[chance.below(2)].apply(plan, &past[past.len() - back]).expect("a repetition");
        }
        if round % 5 == 0 {
            assert_same(plan, &memory, &stores[chance.below(2)], changes.now, seed);
        }
    }
    assert_same(plan, &memory, &stores[0], changes.now, seed);
    assert_same(plan, &memory, &stores[1], changes.now, seed);
    assert_bounded(settings, plan, &memory, seed);
}

/// What no longer counts leaves the server too, and what nobody touches any more ends by itself.
fn assert_bounded(settings: &RedisSettings, plan: &Plan, memory: &MemoryStore, seed: u64) {
    let mut connection =
        redis::Client::open(settings.url.as_str()).and_then(|c| c.get_connection()).expect("a connection");
    let view = fetch(memory, plan);
    let mut entries = 0;
    for key in keys(plan) {
        let state_id = plan.aggregates[key.aggregate].state_id;
        let name = format!("kuzet:w:{state_id:016x}:{:016x}", key.key);
        let held: usize = redis::cmd("ZCARD").arg(&name).query(&mut connection).expect("ZCARD");
        if let Some(KeyedState::Within(timeline)) = view.window(plan, key).map(|window| window.state.clone()) {
            assert_eq!(held, timeline.len(), "seed {seed}, {name}");
            entries += held;
        }
    }
    assert!(entries > 0, "seed {seed}");
    let names: Vec<String> = redis::cmd("KEYS").arg("kuzet:w:*").query(&mut connection).expect("KEYS");
    assert_counted(&mut connection, plan, &names, seed);
    for name in names {
        let left: i64 = redis::cmd("TTL").arg(&name).query(&mut connection).expect("TTL");
        assert!(left > 24 * 3_600, "{name} lives for {left} s");
    }
}

/// What is counted of each window is what it has: its keys, and about the bytes that the server says they take.
fn assert_counted(connection: &mut redis::Connection, plan: &Plan, names: &[String], seed: u64) {
    let states: BTreeSet<u64> =
        plan.aggregates.iter().filter(|aggregate| !aggregate.owned).map(|aggregate| aggregate.state_id).collect();
    for state in states {
        let book: BTreeMap<String, i64> =
            redis::cmd("HGETALL").arg(format!("kuzet:w:{state:016x}:n")).query(connection).expect("a hash");
        let sum = |kind| book.iter().filter(|(span, _)| span.starts_with(kind)).map(|(_, count)| count).sum::<i64>();
        let prefix = format!("kuzet:w:{state:016x}:");
        let of_keys = names.iter().filter_map(|name| Some((name, name.strip_prefix(&prefix)?)));
        let of_keys: Vec<_> = of_keys.filter(|(_, rest)| *rest != "n").collect();
        let keys: BTreeSet<&str> = of_keys.iter().map(|(_, rest)| rest.split(':').next().expect("a key")).collect();
        assert_eq!(usize::try_from(sum("k")), Ok(keys.len()), "seed {seed}, {prefix}: {book:?}");
        let of_one = |name: &String| redis::cmd("MEMORY").arg("USAGE").arg(name).query::<i64>(connection).unwrap_or(0);
        let bytes: i64 = of_keys.iter().map(|(name, _)| *name).map(of_one).sum();
        assert!(sum("b") <= 3 * bytes && bytes <= 3 * sum("b"), "seed {seed}, {prefix}: {bytes} bytes, {book:?}");
    }
}

#[test]
fn redis_answers_as_the_store_of_one_process_whatever_is_repeated() {
    let (server, plan) = (Server::start(), changes::plan());
    assert_eq!(keys(&plan).len() % 3, 0);
    assert!(keys(&plan).len() >= 3 * 12, "every condition has a shared window");
    let mut unforeseen = [0; 8];
    getrandom::fill(&mut unforeseen).expect("random bytes");
    (1..=12).chain([u64::from_le_bytes(unforeseen)]).for_each(|seed| {
        redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
        compare(&server.settings(), &plan, seed);
    });
}

fn pipeline<S: SharedStore>(plan: &Arc<Plan>, store: S) -> Pipeline<S> {
    let geo = app::load_geo(&folder("geoip")).expect("the databases load");
    Pipeline { engine: Engine::new(Arc::clone(plan)), geo, store, limits: Limits::default() }
}

fn folder(name: &str) -> Folder {
    Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
}

/// Decides the lines in batches of changing size, the same for every store.
fn decide<S: SharedStore>(pipeline: &mut Pipeline<S>, lines: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut rest, mut random, mut out) = (lines, Random(5), Vec::new());
    while !rest.is_empty() {
        let (batch, left) = rest.split_at((random.below(300) + 1).min(rest.len()));
        let records: Vec<_> = batch.iter().map(|line| Record { bytes: line, arrived_at: None }).collect();
        let committed = pipeline.process(&records).expect("the store takes the changes");
        for answer in &committed.answers {
            let mut line = Vec::new();
            match answer {
                Answer::Decided(decision) => decision.encode(&mut line),
                other => line.extend_from_slice(format!("{other:?}").as_bytes()),
            }
            out.push(line);
        }
        rest = left;
    }
    out
}

fn shipped_plan() -> Arc<Plan> {
    let rules = app::load_rules(&folder("rules")).expect("the shipped rules load");
    Arc::new(Plan::new(Arc::new(rules), Settings::default()))
}

fn simulated(operations: u64, seed: u64) -> Vec<u8> {
    let parameters =
        Parameters { wallets: 150, operations, seed, start: DEFAULT_START, days: None, fraud_per_mille: 30 };
    let mut simulation = Simulation::new(parameters).expect("parameters");
    let mut out = Vec::new();
    while simulation.next_into(&mut out) {}
    out
}

#[test]
fn a_stream_decided_over_redis_is_the_same_byte_for_byte() {
    let (server, plan) = (Server::start(), shipped_plan());
    let stream = simulated(8_000, 11);
    let lines: Vec<_> = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let expected = decide(&mut pipeline(&plan, MemoryStore::default()), &lines);
    let store = Arc::new(fresh(&server, &plan));
    let found = decide(&mut pipeline(&plan, Arc::clone(&store)), &lines);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    }
    assert!(matches!(store.epoch(), Epoch::Current { .. }));
    assert_eq!(store.errors(), 0);
    let used: usize = redis::cmd("DBSIZE").query(&mut server.connection()).expect("DBSIZE");
    assert!(used > 100, "the stream meets shared windows: {used} keys");
}

/// Payments from three devices that bear decimals which one word of a window packs, and longer ones.
fn payments_with_decimals(count: usize) -> Vec<String> {
    let numbers = ["2.5", "-1e13", "9999999999999", "12345678901234567890.5", "1e-28", "0.1234567890123456789"];
    let mut random = Random(21);
    let one = |number: usize| {
        let at = changes::START.plus(i64::try_from(number).expect("small") * (30 * SECOND));
        let (wallet, device) = (random.below(40), random.below(3));
        let x = numbers[random.below(numbers.len())];
        let operation = format!(r#"{{"op_id":"op-{number}","type":"payment","occurred_at":"{at}","amount":"1""#);
        let wallet = format!(r#""wallet_id":"W{wallet}","client_status":"identified","device_id":"d{device}""#);
        let more = format!(r#""counterparty":{{"kind":"merchant"}},"attributes":{{"x":{x}}}}}"#);
        [operation, wallet, more].join(",")
    };
    (0..count).map(one).collect()
}

#[test]
fn long_decimals_are_in_shared_windows_exactly() {
    let server = Server::start();
    let aggregates = [
        "sum(payment.attributes.x by device_id within 20m)",
        "avg(payment.attributes.x by device_id within 10m)",
        "min(payment.attributes.x by device_id within 30m)",
        "max(payment.attributes.x by device_id today)",
        "sum(payment.attributes.x by device_id this month)",
        "last(payment.attributes.x by device_id within 1h)",
    ];
    let asks: Vec<String> = aggregates.iter().map(|name| format!("{name} > 0 or {name} <= 0")).collect();
    let plan = Arc::new(changes::plan_of(&[&asks.join(" or ")]));
    let payments = payments_with_decimals(2_000);
    let lines: Vec<&[u8]> = payments.iter().map(String::as_bytes).collect();
    let expected = decide(&mut pipeline(&plan, MemoryStore::default()), &lines);
    let found = decide(&mut pipeline(&plan, Arc::new(fresh(&server, &plan))), &lines);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    }
    let is_long = |decision: &Vec<u8>| String::from_utf8_lossy(decision).contains("12345678901234567890.5");
    assert!(expected.iter().filter(|decision| is_long(decision)).count() > 1_000, "long ones are read back");
}
