//! The history that decisions' numbers belong to, as a subscriber of the topic is told of it.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::{replace, shared, top_up, values};
use crate::cluster::Cluster;
use crate::command;
use crate::fleet::{self, Instance, Topics};
use crate::wait;

/// Has operations decided by a process that begins and ends; returns what the topic of decisions then holds.
fn decide(cluster: &Cluster, topics: &Topics, config: &std::path::Path, names: &[&str]) -> Vec<(u64, String)> {
    let instance = Instance::start(config, None);
    let records: Vec<Vec<u8>> = names.iter().map(|name| top_up(name, "77070000001").into_bytes()).collect();
    fleet::send(cluster, topics, &records);
    let found = wait::until("all are decided", || {
        let found = values(cluster, &topics.name("decisions"));
        let is_there = |name: &&str| found.iter().any(|(_, decision)| decision["op_id"] == **name);
        names.iter().all(is_there).then_some(found)
    });
    instance.end();
    let told = |header: Option<&str>| header.expect("a header").to_owned();
    let numbers = found.iter().map(|(record, _)| {
        let seq = told(record.header("kuzet-seq")).parse().expect("a number");
        (seq, told(record.header("kuzet-epoch")))
    });
    numbers.collect()
}

#[test]
fn a_history_has_one_name_and_what_begins_anew_has_another() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "history", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    decide(&cluster, &topics, &config, &["h-1", "h-2"]);
    // A restart goes on with it.
    let first = decide(&cluster, &topics, &config, &["h-3"]);
    let epoch = first[0].1.clone();
    assert!(epoch.len() == 16 && epoch.bytes().all(|digit| digit.is_ascii_hexdigit()), "{epoch}");
    assert_eq!(first, [1, 2, 3].map(|seq| (seq, epoch.clone())));

    // Without state, and with no decision left, all is decided anew under the same numbers.
    let decisions = topics.name("decisions");
    let consumer: BaseConsumer = cluster.client().create().expect("a client");
    let (_, end) = consumer.fetch_watermarks(&decisions, 0, fleet::WAIT).expect("the topic's end");
    cluster.delete_records(&decisions, &[(0, end)]);
    let anew = Topics::named("history-anew", 1);
    cluster.create_topic(&anew.name("state"), 1, &[("cleanup.policy", "compact")]);
    replace(&config, &topics.name("state"), &anew.name("state"));
    replace(&config, &topics.group(), &anew.group());
    let second = decide(&cluster, &topics, &config, &["h-4"]);
    let other = second[0].1.clone();
    assert_ne!(other, epoch);
    assert_eq!(second, [1, 2, 3, 4].map(|seq| (seq, other.clone())));
    let check = || {
        let arguments = ["ledger-check", "--brokers", &cluster.bootstrap(), "--topic", &decisions];
        let output = command::kuzet().args(arguments).output().expect("kuzet runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, out) = check();
    assert_eq!(code, Some(0), "{out}");

    // Copies of the brokers' disks that are put back look like the history they were taken from. Whoever does that says
    // so: without its name the state goes on as another history.
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    let state = anew.name("state");
    let tombstone = BaseRecord::<str, [u8]>::to(&state).partition(0).key("note:epoch:0");
    producer.send(tombstone).map_err(|(error, _)| error).expect("room in the queue");
    producer.flush(fleet::WAIT).expect("the record is taken");
    let third = decide(&cluster, &topics, &config, &["h-5"]);
    assert_eq!(third[..4], second);
    assert_eq!(third[4].0, 5);
    assert!(third[4].1 != other && third[4].1 != epoch, "{third:?}");
    let (code, out) = check();
    assert!(code == Some(1) && out.contains("other-history"), "{code:?} {out}");
}
