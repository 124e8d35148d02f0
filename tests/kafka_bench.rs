//! The bench itself: a real Kafka keeps the promises that other tests stand on.
#![expect(clippy::print_stdout, reason = "times, memory and the words of errors belong in the test's output")]

use crate::kcat;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::turn::{self, Shared};
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

/// Beyond what a broker that is killed or paused costs.
const WAIT: Duration = Duration::from_secs(60);

/// The broker of these tests, which take turns.
fn shared() -> Shared {
    turn::shared(module_path!(), &[])
}

fn transactional(cluster: &Cluster, id: &str, timeout_ms: u32) -> BaseProducer {
    let mut config = cluster.client();
    config.set("transactional.id", id).set("transaction.timeout.ms", timeout_ms.to_string()).set("linger.ms", "0");
    // librdkafka refuses a time for one request that is longer than that of the transaction.
    config.set("socket.timeout.ms", timeout_ms.min(8_000).to_string());
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(WAIT).expect("transactions are there");
    producer
}

fn send(producer: &BaseProducer, topic: &str, values: &[&str]) {
    for value in values {
        let record = BaseRecord::to(topic).partition(0).key("k").payload(*value);
        producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }
    let begun = Instant::now();
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
        assert!(begun.elapsed() < WAIT, "records are not acknowledged");
    }
}

/// Reads partition 0 from its beginning to its end with rdkafka.
fn read(cluster: &Cluster, topic: &str, isolation: &str) -> Vec<String> {
    let consumer = consumer(cluster, isolation);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).expect("a partition");
    consumer.assign(&list).expect("an assignment");
    let mut values = Vec::new();
    loop {
        match consumer.poll(WAIT) {
            Some(Ok(message)) => {
                values.push(String::from_utf8(message.payload().expect("a value").to_vec()).expect("UTF-8"));
            }
            Some(Err(KafkaError::PartitionEOF(0))) => return values,
            other => panic!("{topic}: {:?}", other.map(|found| found.map(|message| message.offset()))),
        }
    }
}

fn consumer(cluster: &Cluster, isolation: &str) -> BaseConsumer {
    let mut config = cluster.client();
    config.set("group.id", "bench").set("enable.partition.eof", "true").set("isolation.level", isolation);
    config.create().expect("a consumer")
}

fn watermarks(cluster: &Cluster, topic: &str, isolation: &str) -> (i64, i64) {
    consumer(cluster, isolation).fetch_watermarks(topic, 0, WAIT).expect("watermarks")
}

fn values(records: &[kcat::Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8(record.value.clone().expect("a value")).expect("UTF-8")).collect()
}

#[test]
fn what_is_aborted_is_never_seen() {
    let cluster = shared();
    cluster.create_topic("aborted", 1, &[]);
    let producer = transactional(&cluster, "aborting", 10_000);
    for (texts, is_kept) in [(["a1", "a2"], true), (["b1", "b2"], false), (["c1", "c2"], true)] {
        producer.begin_transaction().expect("a transaction");
        send(&producer, "aborted", &texts);
        let ended = if is_kept { producer.commit_transaction(WAIT) } else { producer.abort_transaction(WAIT) };
        ended.expect("the end of a transaction");
    }
    let bootstrap = cluster.bootstrap();
    let committed = kcat::read_committed(&bootstrap, "aborted");
    assert_eq!(values(&committed[&0]), ["a1", "a2", "c1", "c2"]);
    assert_eq!(read(&cluster, "aborted", "read_committed"), ["a1", "a2", "c1", "c2"]);
    assert_eq!(values(&kcat::read_uncommitted(&bootstrap, "aborted")[&0]), ["a1", "a2", "b1", "b2", "c1", "c2"]);
    // A marker takes an offset of its own.
    let offsets: Vec<i64> = committed[&0].iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 6, 7]);
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let cluster = shared();
    cluster.create_topic("stable", 1, &[]);
    let (one, other) = (transactional(&cluster, "stable-1", 10_000), transactional(&cluster, "stable-2", 10_000));
    let both =
        |topic: &str| (watermarks(&cluster, topic, "read_committed"), watermarks(&cluster, topic, "read_uncommitted"));
    one.begin_transaction().expect("a transaction");
    send(&one, "stable", &["open 1", "open 2"]);
    other.begin_transaction().expect("a transaction");
    send(&other, "stable", &["done"]);
    other.commit_transaction(WAIT).expect("a commit");
    // Records 0 and 1 are open, 2 and its marker 3 are committed behind them.
    println!("open: committed {:?}, uncommitted {:?}", both("stable").0, both("stable").1);
    assert_eq!(both("stable"), ((0, 0), (0, 4)));
    // A client that says nothing reads committed.
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    assert_eq!(producer.client().fetch_watermarks("stable", 0, WAIT).expect("watermarks"), (0, 0));
    assert_eq!(read(&cluster, "stable", "read_committed"), Vec::<String>::new());
    assert_eq!(read(&cluster, "stable", "read_uncommitted"), ["open 1", "open 2", "done"]);
    assert!(kcat::read_committed(&cluster.bootstrap(), "stable").is_empty());
    one.abort_transaction(WAIT).expect("an abort");
    // The marker of the abort is offset 4.
    assert_eq!(both("stable"), ((0, 5), (0, 5)));
    assert_eq!(read(&cluster, "stable", "read_committed"), ["done"]);
}

/// Who takes over a transactional id ends the transaction of its last holder, who can never commit.
#[test]
fn a_zombie_is_fenced() {
    let cluster = shared();
    cluster.create_topic("fenced", 1, &[]);
    let zombie = transactional(&cluster, "worker", 10_000);
    zombie.begin_transaction().expect("a transaction");
    send(&zombie, "fenced", &["of the zombie"]);
    let successor = transactional(&cluster, "worker", 10_000);
    // `init_transactions` has ended it: nothing is open.
    assert_eq!(watermarks(&cluster, "fenced", "read_committed").1, 2);
    let error = zombie.commit_transaction(WAIT).expect_err("a fenced producer cannot commit");
    println!("commit of the zombie: {error:?}");
    let KafkaError::Transaction(error) = error else { panic!("{error:?}") };
    assert!(error.is_fatal(), "{error:?}");
    assert_eq!(error.code(), RDKafkaErrorCode::Fenced);
    successor.begin_transaction().expect("a transaction");
    send(&successor, "fenced", &["of the successor"]);
    successor.commit_transaction(WAIT).expect("a commit");
    assert_eq!(read(&cluster, "fenced", "read_committed"), ["of the successor"]);
    assert_eq!(values(&kcat::read_committed(&cluster.bootstrap(), "fenced")[&0]), ["of the successor"]);
}

#[test]
fn a_transaction_ends_when_its_time_is_over() {
    let cluster = shared();
    cluster.create_topic("late", 1, &[]);
    let producer = transactional(&cluster, "slow", 1_000);
    producer.begin_transaction().expect("a transaction");
    send(&producer, "late", &["forgotten"]);
    assert_eq!(watermarks(&cluster, "late", "read_committed"), (0, 0));
    let begun = Instant::now();
    while watermarks(&cluster, "late", "read_committed").1 == 0 {
        assert!(begun.elapsed() < WAIT, "the transaction goes on");
    }
    println!("ended after {:?}", begun.elapsed());
    let error = producer.commit_transaction(WAIT).expect_err("its time is over");
    println!("commit after the timeout: {error:?}");
    let KafkaError::Transaction(error) = error else { panic!("{error:?}") };
    assert!(error.is_fatal() || error.txn_requires_abort(), "{error:?}");
    assert_eq!(read(&cluster, "late", "read_committed"), Vec::<String>::new());
}

/// Offsets sent with a generation that is over are refused, so that a member that was thrown out commits
/// nothing.
#[test]
fn offsets_commit_with_the_records_or_not_at_all() {
    let cluster = shared();
    cluster.create_topic("source", 1, &[]);
    cluster.create_topic("sink", 1, &[]);
    let producer = transactional(&cluster, "mover", 10_000);
    let mut config = cluster.client();
    config.set("group.id", "movers").set("enable.auto.commit", "false").set("session.timeout.ms", "6000");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&["source"]).expect("a subscription");
    let begun = Instant::now();
    while consumer.assignment().expect("an assignment").count() == 0 {
        assert!(consumer.poll(Duration::from_millis(50)).is_none(), "the source is empty");
        assert!(begun.elapsed() < WAIT, "no partition is assigned");
    }
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("source", 0, Offset::Offset(7)).expect("an offset");
    let committed = || {
        let list = consumer.committed(WAIT).expect("committed offsets");
        list.find_partition("source", 0).expect("the partition").offset()
    };
    let metadata = consumer.group_metadata().expect("a member of a group");
    producer.begin_transaction().expect("a transaction");
    send(&producer, "sink", &["aborted"]);
    producer.send_offsets_to_transaction(&offsets, &metadata, WAIT).expect("offsets are taken");
    producer.abort_transaction(WAIT).expect("an abort");
    assert_eq!(committed(), Offset::Invalid);
    producer.begin_transaction().expect("a transaction");
    send(&producer, "sink", &["committed"]);
    producer.send_offsets_to_transaction(&offsets, &metadata, WAIT).expect("offsets are taken");
    producer.commit_transaction(WAIT).expect("a commit");
    assert_eq!(committed(), Offset::Offset(7));
    drop(consumer);
    producer.begin_transaction().expect("a transaction");
    send(&producer, "sink", &["of a member that left"]);
    let error = producer.send_offsets_to_transaction(&offsets, &metadata, WAIT).expect_err("the generation is over");
    println!("offsets of a member that left: {error:?}");
    let KafkaError::Transaction(error) = error else { panic!("{error:?}") };
    assert!(error.txn_requires_abort(), "{error:?}");
    producer.abort_transaction(WAIT).expect("an abort");
    assert_eq!(read(&cluster, "sink", "read_committed"), ["committed"]);
}

/// What kcat gives is what was sent, byte for byte, also where it is no text.
#[test]
fn kcat_gives_every_byte_back() {
    let cluster = shared();
    cluster.create_topic("bytes", 2, &[]);
    let every: Vec<u8> = (0..=255).collect();
    let text = "{\"a\":\"\\u0001 \\\\ \\\" күзет / \u{2028} 🏦\"}".as_bytes();
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    let headers = OwnedHeaders::new()
        .insert(Header { key: "ce_subject", value: Some("a,b=\"c\" қ") })
        .insert(Header { key: "empty", value: Some("") });
    for (partition, value) in [(0, every.as_slice()), (1, text), (1, b"".as_slice())] {
        let record = BaseRecord::to("bytes").partition(partition).key(value).payload(value).headers(headers.clone());
        producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }
    producer.flush(WAIT).expect("everything is sent");
    let found = kcat::read_committed(&cluster.bootstrap(), "bytes");
    assert_eq!(found[&0][0].value.as_deref(), Some(every.as_slice()));
    assert_eq!(found[&0][0].key.as_deref(), Some(every.as_slice()));
    assert_eq!(found[&1][0].value.as_deref(), Some(text));
    assert_eq!(found[&0][0].header("ce_subject"), Some("a,b=\"c\" қ"));
    assert_eq!(found[&0][0].header("empty"), Some(""));
    println!("an empty value: {:?}", found[&1][1]);
    assert_eq!(found[&1][1].value.as_deref().unwrap_or_default(), b"");
}

#[test]
fn three_brokers_survive_one_at_a_time() {
    let _turn = turn::take(module_path!());
    let begun = Instant::now();
    let mut cluster = Cluster::start(3);
    println!("three brokers after {:?}", begun.elapsed());
    cluster.create_topic("copies", 1, &[]);
    println!("memory: {:?} MiB", (0..3).map(|i| cluster.memory(i) >> 20).collect::<Vec<_>>());
    let producer = transactional(&cluster, "survivor", 60_000);
    let mut expected = Vec::new();
    let mut commit = |text: String| {
        let begun = Instant::now();
        producer.begin_transaction().expect("a transaction");
        send(&producer, "copies", &[&text]);
        producer.commit_transaction(WAIT).expect("a commit");
        println!("{text}: {:?}", begun.elapsed());
        expected.push(text);
    };
    for i in 0..3 {
        cluster.kill(i);
        commit(format!("without {i}"));
        cluster.start_again(i);
        cluster.wait_until_whole();
        cluster.wait_until_copied("copies");
    }
    cluster.stop(0);
    commit("one stopped".into());
    cluster.start_again(0);
    cluster.wait_until_copied("copies");
    cluster.pause(1);
    commit("one paused".into());
    cluster.resume(1);
    cluster.wait_until_copied("copies");
    assert_eq!(read(&cluster, "copies", "read_committed"), expected);
    assert_eq!(values(&kcat::read_committed(&cluster.bootstrap(), "copies")[&0]), expected);
}

/// A cluster that cannot start shows why.
#[test]
fn a_cluster_that_cannot_start_shows_its_log() {
    let _turn = turn::take(module_path!());
    let started = std::panic::catch_unwind(|| drop(Cluster::start_with(1, &[("num.io.threads", "none")])));
    let payload = started.expect_err("no cluster starts with this");
    let text = payload.downcast_ref::<String>().expect("a text");
    assert!(text.contains("num.io.threads"), "{text}");
}
