//! `kuzet serve` with operations from a real Kafka: every operation is decided once, whatever ends a process.
#![expect(clippy::print_stdout, reason = "seeds and times belong in the test's output")]

mod workers;

use crate::command::kuzet;
use crate::kcat;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Progress, Topics};
use crate::server::Server;
use crate::turn::{self, Shared};
use crate::wait;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

const SEED: u64 = 23;

/// The broker of these tests, which take turns.
fn shared() -> Shared {
    turn::shared(module_path!(), &[])
}

/// Holds the visible decisions against those expected, byte for byte, and lets `kuzet ledger-check` look.
fn check(cluster: &Cluster, topics: &Topics, expected: &BTreeMap<i32, Vec<Vec<u8>>>) {
    let found = kcat::read_committed(&cluster.bootstrap(), &topics.name("decisions"));
    for (partition, expected) in expected {
        let none = Vec::new();
        let found = found.get(partition).unwrap_or(&none);
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let (found, expected) = (found.value.as_deref().unwrap_or_default(), expected.as_slice());
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(text(found), text(expected), "decision {index} of partition {partition}");
        }
        assert_eq!(found.len(), expected.len(), "decisions of partition {partition}");
        let epoch = found.first().and_then(|record| record.header("kuzet-epoch"));
        for (seq, record) in (1..).zip(found) {
            assert_eq!(record.header("kuzet-seq"), Some(format!("{seq}").as_str()));
            assert!(record.header("kuzet-epoch").is_some_and(|name| name.len() == 16 && Some(name) == epoch));
            assert_eq!(record.header("kuzet-shard"), Some(format!("{partition}").as_str()));
        }
    }
    let output = kuzet()
        .args(["ledger-check", "--brokers", &cluster.bootstrap(), "--topic", &topics.name("decisions")])
        .output()
        .expect("kuzet runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn two_processes_decide_every_operation_once() {
    println!("seed {SEED}");
    let cluster = shared();
    let topics = Topics::create(&cluster, "two", 12);
    let folder = tempfile::tempdir().expect("a folder");
    let records = fleet::simulated(SEED, 20_000, 400);
    let expected = fleet::expected(&topics, &records);
    let (earlier, later) = records.split_at(12_000);
    let configs = ["a", "b"].map(|name| topics.configure(&cluster, folder.path(), name, 500));
    fleet::send(&cluster, &topics, earlier);
    let begun = Instant::now();
    let mut first = Instance::start(&configs[0], None);
    // The second joins while the first works: partitions change hands, and both have work left.
    let mut second = Instance::start(&configs[1], None);
    for instance in [&first, &second] {
        wait_for("the process has read states of shards", || instance.log().contains("shards were restored"));
    }
    fleet::send(&cluster, &topics, later);
    // What is no operation is refused and stops nothing.
    fleet::send_raw(&cluster, &topics, 3, None);
    fleet::send_raw(&cluster, &topics, 4, Some(b"{\"op_id\":"));
    // Again the same: no second decision.
    fleet::send(&cluster, &topics, &records[19_990..]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut first, &mut second]);
    println!("20,000 operations took {:?}", begun.elapsed());
    first.end();
    second.end();
    check(&cluster, &topics, &expected);
    let rejected = kcat::read_committed(&cluster.bootstrap(), &topics.name("rejected"));
    let codes: Vec<(i32, String)> = rejected
        .values()
        .flatten()
        .map(|record| {
            let value: serde_json::Value =
                serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON");
            (record.partition, value["error"]["code"].as_str().expect("a code").to_owned())
        })
        .collect();
    assert_eq!(codes, [(3, "malformed_json".to_owned()), (4, "malformed_json".to_owned())]);
}

/// The marker of a producer's transaction takes an offset. Nothing waits there; and when retention has removed the
/// operations before it, nothing is lost.
#[test]
fn markers_of_transactions_are_stepped_over() {
    println!("seed {SEED}");
    let cluster = shared();
    let topics = Topics::create(&cluster, "markers", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let records = fleet::simulated(SEED + 2, 60, 5);
    let expected = fleet::expected(&topics, &records);
    let config = topics.configure(&cluster, folder.path(), "a", 500);
    let (first, later) = records.split_at(5);
    send_in_a_transaction(&cluster, &topics, first);
    let instance = Instance::start(&config, None);
    let progress = Progress::new(&cluster, &topics);
    wait::until("the group is behind the marker", || (progress.committed()? == [6]).then_some(()));
    instance.end();
    cluster.delete_records(&topics.name("operations"), &[(0, 6)]);
    let mut instance = Instance::start(&config, None);
    fleet::send(&cluster, &topics, later);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    instance.end();
    check(&cluster, &topics, &expected);
}

fn send_in_a_transaction(cluster: &Cluster, topics: &Topics, records: &[Vec<u8>]) {
    let mut config = cluster.client();
    config.set("transactional.id", format!("{}-producer", topics.group()));
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(wait::PATIENCE).expect("a session");
    producer.begin_transaction().expect("a transaction");
    let topic = topics.name("operations");
    for record in records {
        let wallet = fleet::wallet_of(record);
        let record = BaseRecord::to(&topic).partition(0).key(&wallet).payload(record);
        producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }
    producer.flush(wait::PATIENCE).expect("the records are taken");
    producer.commit_transaction(wait::PATIENCE).expect("a commit");
}

/// Killed at every step of a commit and of a recovery, again and again, nothing is decided twice or lost.
#[test]
fn a_process_killed_at_any_step_decides_every_operation_once() {
    println!("seed {SEED}");
    let cluster = shared();
    let topics = Topics::create(&cluster, "killed", 4);
    let folder = tempfile::tempdir().expect("a folder");
    let records = fleet::simulated(SEED + 1, 20_000, 200);
    let expected = fleet::expected(&topics, &records);
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    fleet::send(&cluster, &topics, &records);
    let steps = [
        "restored:1",
        "decided:3",
        "begun:2",
        "sent-decisions:1",
        "sent-decisions:5",
        "sent-state:1",
        "sent-state:4",
        "sent-offsets:1",
        "sent-offsets:3",
        "drained:1",
        "drained:6",
        "committed:1",
        "committed:4",
        "shown:2",
        "restore:1",
        "restore-read:1",
        "drained:2",
        "committed:2",
        "sent-offsets:2",
        "sent-state:7",
    ];
    for step in steps {
        let instance = Instance::start(&config, Some(step));
        let status = instance.wait();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{step}: {status}");
    }
    let left = fleet::lag(&cluster, &topics);
    assert!(left > 0, "everything was decided before the last kill");
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    println!("{} kills, {left} operations were left", steps.len());
    instance.end();
    check(&cluster, &topics, &expected);
}

/// Counts the visible decisions, and those that lacked the shared store.
fn degraded(cluster: &Cluster, topics: &Topics) -> (usize, usize) {
    let found = kcat::read_committed(&cluster.bootstrap(), &topics.name("decisions"));
    let values = found.values().flatten().map(|record| record.value.as_deref().unwrap_or_default());
    let lacks = |value: &&[u8]| String::from_utf8_lossy(value).contains("\"degraded\":[\"shared_state\"");
    (values.clone().count(), values.filter(lacks).count())
}

/// Adds a Redis to a configuration.
fn share(config: &Path, redis: &Server, more: &str) {
    let mut text = std::fs::read_to_string(config).expect("a configuration");
    text.push_str(&format!("[redis]\nurl = \"{}\"\n{more}", redis.url()));
    std::fs::write(config, text).expect("a configuration");
}

/// With Redis nothing lacks; without it decisions go on and say so; a server that lost all is given its blocks.
#[test]
fn redis_goes_and_comes_back() {
    println!("seed {SEED}");
    let cluster = shared();
    let topics = Topics::create(&cluster, "redis", 4);
    let folder = tempfile::tempdir().expect("a folder");
    let mut redis = Server::start();
    let config = topics.configure(&cluster, folder.path(), "a", 200);
    share(&config, &redis, "");
    let records = fleet::simulated(SEED + 2, 6_000, 100);
    let mut instance = Instance::start(&config, None);

    fleet::send(&cluster, &topics, &records[..2_000]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    assert_eq!(degraded(&cluster, &topics), (2_000, 0), "{}", fleet::tail(&instance.log()));

    redis.kill();
    fleet::send(&cluster, &topics, &records[2_000..4_000]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    let (decisions, without) = degraded(&cluster, &topics);
    assert_eq!(decisions, 4_000);
    assert!(without > 0, "no decision says that Redis is away");

    // A restart while it is away forgets nothing that it is owed.
    instance.signal("KILL");
    instance.wait();
    redis.start_again();
    let mut instance = Instance::start(&config, None);
    fleet::send(&cluster, &topics, &records[4_000..]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    assert_eq!(degraded(&cluster, &topics).0, 6_000);
    wait_for("the server is given its blocks", || instance.log().contains("was given its blocks"));
    println!("without Redis: {without} decisions");
    instance.end();
    let output =
        kuzet().args(["kafka", "verify", "--config", &config.display().to_string()]).output().expect("kuzet runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.matches("lag 0").count() == 4, "{out}");
    assert_eq!(out.matches(", sound").count(), 4, "{out}");
}

/// Waits for an event.
#[track_caller]
fn wait_for(event: &str, is_there: impl Fn() -> bool) {
    wait::until(event, || is_there().then_some(()));
}

/// A lifting reaches gateways although the process dies right after it was committed.
#[test]
fn a_lifting_reaches_gateways_after_a_kill() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "lifting", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let redis = Server::start();
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    share(&config, &redis, "");
    let shown = || -> BTreeMap<String, String> {
        let mut connection = redis.connection();
        redis::cmd("HGETALL").arg("kuzet:restriction:wallet:77010000001").query(&mut connection).expect("a hash")
    };
    let dispute =
        br#"{"op_id":"d","type":"ownership_disputed","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"77010000001"}"#;
    let proof = br#"{"op_id":"p","type":"identity_confirmed","occurred_at":"2026-03-02T11:00:00Z","wallet_id":"77010000001","proof":"identity_document"}"#;
    let instance = Instance::start(&config, None);
    fleet::send(&cluster, &topics, &[dispute.to_vec()]);
    wait_for("the restriction is shown", || shown().len() == 1);
    instance.signal("KILL");
    instance.wait();

    fleet::send(&cluster, &topics, &[proof.to_vec()]);
    let status = Instance::start(&config, Some("committed:1")).wait();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{status}");
    assert_eq!(fleet::lag(&cluster, &topics), 0, "the lifting was not committed");
    assert_eq!(shown().len(), 1, "gateways know of the lifting before the kill");

    let _again = Instance::start(&config, None);
    wait_for("the lifting is shown", || shown().is_empty());
}

/// What is kept for a Redis that is away has a bound; beyond it windows begin anew, and say so.
#[test]
fn a_redis_that_is_away_for_long_begins_anew() {
    println!("seed {SEED}");
    let cluster = shared();
    let topics = Topics::create(&cluster, "long", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let mut redis = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let config = topics.configure(&cluster, folder.path(), "a", 200);
    share(&config, &redis, "pending_changes_max = 500\n");
    let records = fleet::simulated(SEED + 3, 5_000, 100);
    let mut instance = Instance::start(&config, None);
    fleet::send(&cluster, &topics, &records[..1_000]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    assert_eq!(degraded(&cluster, &topics), (1_000, 0), "{}", fleet::tail(&instance.log()));

    redis.kill();
    fleet::send(&cluster, &topics, &records[1_000..3_000]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    wait_for("changes are given up", || instance.log().contains("are given up"));
    // Whoever takes the shards over must not take the server for whole.
    instance.signal("KILL");
    instance.wait();
    redis.start_again();
    let mut connection = redis.connection();
    let token = |connection: &mut redis::Connection| -> (Option<String>, Option<String>) {
        redis::cmd("HMGET").arg("kuzet:epoch").arg("token").arg("complete_from").query(connection).expect("a hash")
    };
    assert!(matches!(token(&mut connection), (Some(_), None)), "the server kept what it had, whole from the beginning");
    let mut instance = Instance::start(&config, None);
    let has_begun = || matches!(token(&mut redis.connection()), (Some(_), Some(_)));
    wait_for("windows are said to begin anew", has_begun);
    fleet::send(&cluster, &topics, &records[3_000..]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    assert_eq!(degraded(&cluster, &topics).0, 5_000);
    instance.end();
}
