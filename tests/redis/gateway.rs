//! What gateways read.

use std::collections::{BTreeMap, BTreeSet};

use kuzet::adapters::clock;
use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::redis::gateway::{DirectoryUpdate, Restricted, Shown, updates_of};
use kuzet::adapters::redis::{Rebuild, RedisStore};
use kuzet::operation::Time;
use kuzet::operation::time::HOUR;
use kuzet::pipeline::{Answer, Record};
use uuid::Uuid;

use super::{pipeline, shipped_plan, simulated};
use crate::random::Random;
use crate::server::Server;

fn update(id: u128, (shard, seq): (u32, u64), change: Shown) -> DirectoryUpdate {
    DirectoryUpdate { whom: Restricted::Wallet("W1".into()), restriction: Uuid::from_u128(id), shard, seq, change }
}

fn placed(until: Option<Time>, text: &str) -> Shown {
    Shown::Placed { until, text: text.into() }
}

fn fields(server: &Server, key: &str) -> BTreeMap<String, String> {
    redis::cmd("HGETALL").arg(key).query(&mut server.connection()).expect("HGETALL")
}

/// When the key goes, in milliseconds of the wall clock; −1 never, −2 it is gone.
fn ends(server: &Server, key: &str) -> i64 {
    redis::cmd("PEXPIRETIME").arg(key).query(&mut server.connection()).expect("PEXPIRETIME")
}

const KEY: &str = "kuzet:restriction:wallet:W1";

#[test]
fn a_gateway_sees_what_is_in_force_and_keys_end_with_the_latest_restriction() {
    let server = Server::start();
    let store = RedisStore::new(&server.settings(), None).expect("settings");
    let publish = |updates: &[DirectoryUpdate]| store.publish(updates).expect("a publication");
    let now = clock::now();
    let (soon, later) = (now.plus(HOUR), now.plus(3 * HOUR));
    let id = |number: u128| Uuid::from_u128(number).to_string();

    publish(&[update(1, (0, 10), placed(Some(later), "one")), update(2, (0, 11), placed(Some(soon), "two"))]);
    assert_eq!(fields(&server, KEY), BTreeMap::from([(id(1), "one".into()), (id(2), "two".into())]));
    assert_eq!(ends(&server, KEY), later.nanos() / 1_000_000);
    publish(&[update(3, (0, 12), placed(None, "three"))]);
    assert_eq!(ends(&server, KEY), -1);

    let lifted = update(3, (4, 2), Shown::Lifted);
    publish(&[lifted.clone(), update(1, (0, 13), Shown::Lifted)]);
    assert_eq!(fields(&server, KEY), BTreeMap::from([(id(2), "two".into())]));
    assert_eq!(ends(&server, KEY), soon.nanos() / 1_000_000);

    // Another shard has extended a block; what the first shard said before may come later.
    publish(&[update(4, (1, 30), placed(Some(later), "longer")), update(4, (0, 15), placed(Some(soon), "shorter"))]);
    assert_eq!(fields(&server, KEY), BTreeMap::from([(id(2), "two".into()), (id(4), "longer".into())]));
    publish(&[update(4, (1, 31), Shown::Lifted)]);

    // Late repetitions change nothing, nor does what is older than what is shown, or over already.
    publish(&[update(3, (0, 12), placed(None, "three")), update(2, (0, 11), placed(None, "other"))]);
    assert_eq!(fields(&server, KEY), BTreeMap::from([(id(2), "two".into())]));
    publish(&[update(2, (0, 10), placed(None, "older")), update(5, (0, 14), placed(Some(now.minus(HOUR)), "over"))]);
    publish(&[lifted, update(7, (0, 20), Shown::Lifted), update(7, (0, 19), placed(None, "lifted before"))]);
    assert_eq!(fields(&server, KEY), BTreeMap::from([(id(2), "two".into())]));
    assert_eq!(ends(&server, KEY), soon.nanos() / 1_000_000);
    publish(&[update(2, (0, 21), placed(Some(later), "newer"))]);
    assert_eq!(fields(&server, KEY), BTreeMap::from([(id(2), "newer".into())]));
    assert_eq!(ends(&server, KEY), later.nanos() / 1_000_000);

    publish(&[update(2, (0, 22), Shown::Lifted)]);
    assert_eq!(ends(&server, KEY), -2);
}

#[test]
fn restrictions_of_a_stream_are_shown_in_whatever_order_they_come() {
    let (server, plan) = (Server::start(), shipped_plan());
    let mut pipeline = pipeline(&plan, MemoryStore::default());
    let stream = simulated(6_000, 4);
    let (mut updates, mut seq) = (Vec::new(), 0);
    for line in stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record = Record { bytes: line, arrived_at: None };
        let committed = pipeline.process(&[record]).expect("a store in memory takes every change");
        if let Answer::Decided(decision) = &committed.answers[0] {
            seq += 1;
            updates.extend(updates_of(decision, 2, seq));
        }
    }
    let lifted: BTreeSet<_> =
        updates.iter().filter(|update| update.change == Shown::Lifted).map(|update| update.restriction).collect();
    let now = clock::now();
    let mut expected: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for update in &updates {
        if let Shown::Placed { until, text } = &update.change
            && !lifted.contains(&update.restriction)
            && until.is_none_or(|until| until > now)
        {
            let key = match &update.whom {
                Restricted::Wallet(id) => format!("kuzet:restriction:wallet:{id}"),
                Restricted::Ip(address) => format!("kuzet:restriction:ip:{address}"),
            };
            expected.entry(key).or_default().insert(update.restriction.to_string(), String::from(&**text));
        }
    }
    assert!(!lifted.is_empty() && expected.len() > 5, "{} lifted, {} shown", lifted.len(), expected.len());

    let store = RedisStore::new(&server.settings(), None).expect("settings");
    let (one, other) = updates.split_at(updates.len() / 2);
    let mut shuffled = [one, updates.as_slice(), other].concat();
    let mut random = Random(9);
    for last in (1..shuffled.len()).rev() {
        shuffled.swap(last, random.below(last + 1));
    }
    shuffled.chunks(97).for_each(|part| store.publish(part).expect("a publication"));
    assert_eq!(shown(&server), expected);

    // A server that lost everything shows it again with the rest of a rebuild.
    redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
    store.rebuild(&plan, &Rebuild { shown: updates, ..Rebuild::default() }).expect("a rebuild");
    assert_eq!(shown(&server), expected);
}

fn shown(server: &Server) -> BTreeMap<String, BTreeMap<String, String>> {
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("kuzet:restriction:*").query(&mut server.connection()).expect("KEYS");
    keys.into_iter().map(|key| (key.clone(), fields(server, &key))).collect()
}
