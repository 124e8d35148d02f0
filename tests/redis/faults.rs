//! The server away, emptied, rolled back, hanging, refusing; and the ways in that must work.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::redis::{Epoch, Rebuild, RedisSettings, RedisStore};
use kuzet::engine::plan::Plan;
use kuzet::engine::restriction::{Restriction, RestrictionKind};
use kuzet::engine::shared::{Party, SharedChange};
use kuzet::operation::Time;
use kuzet::operation::time::{MINUTE, Nanos, SECOND};
use kuzet::pipeline::{Answer, Pipeline, Record, SharedStore, SharedStoreError};
use kuzet::rules::program::{Block, Lifters};
use serde_json::{Value, json};
use uuid::Uuid;

use super::changes::{self, Changes, START, blocks, parties};
use super::{assert_same, compare, fetch, fresh, fresh_by, pipeline};
use crate::server::{Server, free_port};

/// Tries until it succeeds: a store that has just failed does not ask again so soon.
pub(super) fn in_time<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if let Some(result) = attempt() {
            return result;
        }
        std::thread::yield_now();
    }
    panic!("{what} did not come true in 20 s");
}

pub(super) fn block(number: u128, kind: Block) -> Restriction {
    Restriction {
        id: Uuid::from_u128(number),
        rule: format!("r-{number}").into(),
        clauses: Arc::new(["7.18".into()]),
        kind: RestrictionKind::Block(kind),
        from: START,
        until: Some(START.plus(120 * MINUTE)),
        lifted_by: Lifters(1),
        fired_last: START,
    }
}

fn place(party: Party, block: &Restriction) -> SharedChange {
    SharedChange::Place { party, restriction: Box::new(block.clone()) }
}

fn minutes(count: i64) -> Time {
    START.plus(count * MINUTE)
}

#[test]
fn while_the_server_is_away_blocks_stay_in_force_and_an_empty_one_is_filled_again() {
    let (mut server, plan) = (Server::start(), changes::plan());
    let store = fresh(&server, &plan);
    let (address, wallet) = (parties()[0], parties()[2]);
    let (kept, lifted, both) =
        (block(1, Block::AddressLogin), block(2, Block::AddressLogin), block(3, Block::WalletBoth));
    let placed = [place(address, &kept), place(address, &lifted), place(wallet, &both)];
    store.apply(&plan, &placed).expect("an apply");
    server.kill();

    let view = fetch(&store, &plan);
    assert!(!view.available);
    assert_eq!(blocks(&view, address), [kept.clone(), lifted.clone()]);
    assert_eq!(blocks(&view, wallet), std::slice::from_ref(&both));
    assert!(store.errors() > 0);
    let owed = [SharedChange::Lift { party: address, restriction: lifted.id }];
    assert!(matches!(store.apply(&plan, &owed), Err(SharedStoreError::Away(_))));
    assert_eq!(blocks(&fetch(&store, &plan), address), std::slice::from_ref(&kept));

    server.start_again();
    in_time("taking what is owed", || store.apply(&plan, &owed).ok());
    assert!(!fetch(&store, &plan).available, "until the caller says that nothing is owed");
    store.caught_up();
    let view = fetch(&store, &plan);
    assert!(!view.available, "an empty server");
    assert_eq!(store.epoch(), Epoch::RebuildDue);
    assert_eq!(blocks(&view, address), std::slice::from_ref(&kept));

    // The caller's wallets hold the wallet's block, and that another was lifted; of address blocks they know
    // nothing. What was lifted does not come back even if someone still takes it for placed.
    let rebuild = Rebuild {
        blocks: vec![(wallet, vec![both.clone()]), (address, vec![lifted.clone()])],
        tombstones: vec![(address, lifted.id)],
        newest: Some(minutes(7)),
        shown: Vec::new(),
    };
    store.rebuild(&plan, &rebuild).expect("a rebuild");
    let view = fetch(&store, &plan);
    assert!(view.available);
    assert_eq!(view.complete_from, Some(minutes(7)));
    assert_eq!(blocks(&view, address), [kept]);
    assert_eq!(blocks(&view, wallet), [both]);
    store.apply(&plan, &placed[1..2]).expect("a late repetition");
    assert!(!blocks(&fetch(&store, &plan), address).contains(&lifted));
}

#[test]
fn after_flushall_every_instance_fills_again_and_the_latest_of_their_times_counts() {
    let (server, plan) = (Server::start(), changes::plan());
    let stores = [fresh(&server, &plan), fresh(&server, &plan), fresh(&server, &plan)];
    let token = |store: &RedisStore| match store.epoch() {
        Epoch::Current { token } => token,
        other => panic!("{other:?}"),
    };
    let old = token(&stores[0]);
    assert!(stores.iter().all(|store| token(store) == old && fetch(store, &plan).complete_from.is_none()));
    redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
    for (store, newest, complete_from) in [(&stores[0], 10, 10), (&stores[1], 5, 10), (&stores[2], 20, 20)] {
        assert!(!fetch(store, &plan).available);
        assert_eq!(store.epoch(), Epoch::RebuildDue);
        let rebuild = Rebuild { newest: Some(minutes(newest)), ..Rebuild::default() };
        store.rebuild(&plan, &rebuild).expect("a rebuild");
        let view = fetch(store, &plan);
        assert_eq!((view.available, view.complete_from), (true, Some(minutes(complete_from))));
    }
    assert!(stores.iter().all(|store| token(store) == token(&stores[0])));
    assert_ne!(token(&stores[0]), old);
    let first = fetch(&stores[0], &plan);
    assert_eq!((first.available, first.complete_from), (true, Some(minutes(20))));

    // One that starts with the token it kept need not fill anything; one that kept another has to.
    let knowing = RedisStore::new(&server.settings(), Some(token(&stores[0]))).expect("settings");
    assert!(fetch(&knowing, &plan).available);
    let unknowing = RedisStore::new(&server.settings(), Some(old)).expect("settings");
    assert!(!fetch(&unknowing, &plan).available);
}

#[test]
fn a_server_that_starts_from_an_old_copy_is_found_out() {
    let (mut server, plan) = (Server::start(), changes::plan());
    let store = fresh(&server, &plan);
    let mut changes = Changes::new(&plan, 1);
    store.apply(&plan, &changes.batch()).expect("an apply");
    redis::cmd("SAVE").exec(&mut server.connection()).expect("SAVE");
    assert!(fetch(&store, &plan).available);
    server.start_again();
    in_time("the same copy", || fetch(&store, &plan).available.then_some(()));
    store.apply(&plan, &changes.batch()).expect("an apply that is not saved");
    server.start_again();
    in_time("the loss", || {
        assert!(!fetch(&store, &plan).available);
        (store.epoch() == Epoch::RebuildDue).then_some(())
    });
    store.rebuild(&plan, &Rebuild { newest: Some(minutes(1)), ..Rebuild::default() }).expect("a rebuild");
    assert_eq!(fetch(&store, &plan).complete_from, Some(minutes(1)));
}

#[test]
fn a_server_that_hangs_costs_one_timeout_and_what_it_took_counts_once() {
    let (server, plan) = (Server::start(), changes::plan());
    let (store, memory) = (fresh(&server, &plan), MemoryStore::default());
    let mut changes = Changes::new(&plan, 2);
    for hangs in [false, true, false, true] {
        let batch: Vec<_> = (0..20).flat_map(|_| changes.batch()).collect();
        memory.enter(&plan, &batch);
        if hangs {
            server.signal("STOP");
            let begun = Instant::now();
            assert!(matches!(store.apply(&plan, &batch), Err(SharedStoreError::Away(_))));
            let waited = begun.elapsed();
            assert!(waited >= Duration::from_millis(400) && waited < Duration::from_secs(2), "{waited:?}");
            let (begun, errors) = (Instant::now(), store.errors());
            // Writing goes to the server unless it rests; reading stops before, as changes are owed.
            assert!(matches!(store.apply(&plan, &batch), Err(SharedStoreError::Away(_))));
            assert!(!fetch(&store, &plan).available);
            assert!(begun.elapsed() < Duration::from_millis(400), "it was asked again at once");
            assert_eq!(store.errors(), errors);
            // It goes on with what it had read: the batch may be in already.
            server.signal("CONT");
        }
        in_time("the batch", || store.apply(&plan, &batch).ok());
        assert_eq!(fetch(&store, &plan).available, !hangs, "until the caller says that nothing is owed");
        store.caught_up();
        assert_same(&plan, &memory, &store, changes.now, 2);
    }
}

/// Decides one login and returns the inputs that were missing.
fn degraded<S: SharedStore>(pipeline: &mut Pipeline<S>, number: usize, at: Time) -> Value {
    let operation = json!({
        "op_id": format!("op-{number}"), "type": "login", "occurred_at": at.to_string(), "wallet_id": "W1",
        "device_id": "d-1", "outcome": "success", "ip": "192.0.2.1",
    });
    let line = operation.to_string();
    let committed = pipeline.process(&[Record { bytes: line.as_bytes(), arrived_at: None }]).expect("an apply");
    let mut out = Vec::new();
    match &committed.answers[0] {
        Answer::Decided(decision) => decision.encode(&mut out),
        other => panic!("{other:?}"),
    }
    serde_json::from_slice::<Value>(&out).expect("JSON")["degraded"].clone()
}

#[test]
fn decisions_are_degraded_until_windows_are_whole_again() {
    let server = Server::start();
    for (condition, whole_after) in [
        ("count(login by device_id within 30m) > 9", 40),
        ("streak(login where outcome = failure by device_id quiet 1h) > 9", 70),
        // Noon: the next day begins in twelve hours.
        ("count(login by device_id today) > 9", 12 * 60),
    ] {
        redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
        let plan = Arc::new(changes::plan_of(&[condition]));
        let store = Arc::new(fresh(&server, &plan));
        let mut pipeline = pipeline(&plan, Arc::clone(&store));
        assert_eq!(degraded(&mut pipeline, 1, minutes(0)), json!([]), "{condition}");
        redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
        assert_eq!(degraded(&mut pipeline, 2, minutes(1)), json!(["shared_state"]), "{condition}");
        store.rebuild(&plan, &Rebuild { newest: Some(minutes(0)), ..Rebuild::default() }).expect("a rebuild");
        let last_of_them = minutes(whole_after).minus(Nanos::ONE);
        assert_eq!(degraded(&mut pipeline, 3, last_of_them), json!(["shared_state"]), "{condition}");
        let first_after = minutes(whole_after).plus(Nanos::ONE);
        assert_eq!(degraded(&mut pipeline, 4, first_after), json!([]), "{condition}");
    }
}

/// Makes the user that the documentation names.
fn add_user(server: &Server) {
    let rules = ["on", ">secret", "resetkeys", "~kuzet:*", "resetchannels", "-@all"];
    let commands = ["+@read", "+@write", "+@scripting", "-@dangerous"];
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg("kuzet").arg(&rules).arg(&commands);
    command.exec(&mut server.connection()).expect("ACL SETUSER");
}

fn as_user(server: &Server, password: &str) -> RedisSettings {
    RedisSettings { username: Some("kuzet".into()), password: Some(password.into()), ..server.settings() }
}

#[test]
fn a_user_of_few_rights_suffices() {
    let (server, plan) = (Server::start(), changes::plan());
    add_user(&server);
    compare(&as_user(&server, "secret"), &plan, 3);
    let store = RedisStore::new(&as_user(&server, "secret"), None).expect("settings");
    redis::cmd("SADD").arg("kuzet:list:shops").arg(&["b", "а", "a"]).exec(&mut server.connection()).expect("SADD");
    assert_eq!(store.load_list("shops").expect("a list"), ["a", "b", "а"]);
    assert_eq!(store.load_list("none").expect("a list that is not there"), Vec::<String>::new());
    redis::cmd("SET").arg("kuzet:list:text").arg("a").exec(&mut server.connection()).expect("SET");
    assert!(matches!(store.load_list("text"), Err(SharedStoreError::Refused(_))));
}

#[test]
fn a_wrong_password_and_missing_rights_are_told_without_the_password() {
    let (server, plan) = (Server::start(), changes::plan());
    add_user(&server);
    let change = [place(parties()[0], &block(1, Block::AddressLogin))];
    let refused = |settings: &RedisSettings| {
        let store = RedisStore::new(settings, None).expect("settings");
        assert!(!fetch(&store, &plan).available);
        let error = in_time("an answer", || match store.rebuild(&plan, &Rebuild::default()) {
            Err(SharedStoreError::Refused(text)) => Some(text),
            Err(SharedStoreError::Away(_)) => None,
            Ok(()) => panic!("it was let in"),
        });
        assert!(store.apply(&plan, &change).is_err());
        // The block counts here all the same.
        assert_eq!(blocks(&fetch(&store, &plan), parties()[0]).len(), 1);
        error
    };
    let text = refused(&as_user(&server, "guess"));
    assert!(text.contains("user name or password") && !text.contains("guess"), "{text}");
    let rights = ["SETUSER", "kuzet", "-@scripting"];
    redis::cmd("ACL").arg(&rights).exec(&mut server.connection()).expect("ACL SETUSER");
    let text = refused(&as_user(&server, "secret"));
    assert!(text.contains("NOPERM"), "{text}");
}

#[test]
fn tls_is_checked_against_the_given_certificates() {
    let port = free_port().to_string();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let file = |name: &str| data.join(name).to_str().expect("a path of text").to_owned();
    let (certificate, key) = (file("certificate.pem"), file("key.pem"));
    let server = Server::with(&[
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ]);
    add_user(&server);
    let plan = changes::plan();
    let url = format!("rediss://kuzet:secret@127.0.0.1:{port}");
    let trusting = RedisSettings { ca_file: Some(certificate.into()), ..RedisSettings::new(&url) };
    let store = fresh_by(&trusting, &plan);
    store.apply(&plan, &[place(parties()[0], &block(1, Block::AddressLogin))]).expect("an apply");
    assert_eq!(blocks(&fetch(&store, &plan), parties()[0]).len(), 1);

    let doubting = RedisStore::new(&RedisSettings::new(&url), None).expect("settings");
    assert!(!fetch(&doubting, &plan).available);
    let plain = RedisStore::new(&RedisSettings::new(&url.replace("rediss", "redis")), None).expect("settings");
    assert!(!fetch(&plain, &plan).available);
    assert_eq!((doubting.errors(), plain.errors()), (1, 1));
}

/// The plan is only named, not used, where nothing is entered.
#[test]
fn nothing_to_enter_asks_nothing() {
    let plan: Plan = changes::plan();
    let store = RedisStore::new(&RedisSettings::new("unix:///nowhere/redis.sock"), None).expect("settings");
    assert_eq!(store.apply(&plan, &[]), Ok(()));
    assert_eq!(store.publish(&[]), Ok(()));
    assert_eq!(store.errors(), 0);
}

/// The release before wrote blocks without the time of the last firing. They stay in force, are extended, and are
/// lifted.
#[test]
fn blocks_of_the_release_before_are_read_and_extended() {
    let (server, plan) = (Server::start(), changes::plan());
    let store = fresh(&server, &plan);
    let (address, old) = (parties()[0], block(7, Block::AddressLogin));
    let until = START.plus(120 * MINUTE);
    // Fields of a record lie one behind the other, as those of a tuple do.
    let fields = (old.id, &old.rule, &old.clauses, old.kind, old.from, old.until, old.lifted_by);
    let fields = postcard::to_stdvec(&fields).expect("bytes");
    let (seconds, nanos) = (until.number_of(SECOND), until.since(until.rounded_down(SECOND)).get());
    let mut value = b"B".to_vec();
    value.extend_from_slice(&(seconds + (1 << 34)).to_be_bytes()[3..]);
    value.extend_from_slice(&nanos.to_be_bytes()[4..]);
    value.extend_from_slice(&u32::MAX.to_be_bytes());
    value.insert(10, 0);
    value.push(1);
    value.extend_from_slice(&u32::try_from(fields.len()).expect("short").to_le_bytes());
    value.extend_from_slice(&fields);
    let Party::Address(ip) = address else { panic!("an address") };
    let key = format!("kuzet:d:ip:{ip}");
    redis::cmd("HSET").arg(&key).arg(old.id.as_bytes()).arg(&value).exec(&mut server.connection()).expect("HSET");

    let read = blocks(&fetch(&store, &plan), address);
    assert_eq!(read, [Restriction { fired_last: old.from, ..old.clone() }]);
    let mut extended = read[0].clone();
    extended.extend(Some(minutes(200)), minutes(80));
    store.apply(&plan, &[place(address, &extended)]).expect("an apply");
    assert_eq!(blocks(&fetch(&store, &plan), address), std::slice::from_ref(&extended));
    let lift = SharedChange::Lift { party: address, restriction: old.id };
    store.apply(&plan, std::slice::from_ref(&lift)).expect("an apply");
    assert!(blocks(&fetch(&store, &plan), address).is_empty());
}
