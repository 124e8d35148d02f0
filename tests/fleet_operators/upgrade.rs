//! A state topic written by an earlier version of the format goes on where it stood.
//!
//! `tests/data/state-v1` was written by this file (`KUZET_WRITE_FIXTURE=1`) when the format had version 1: the
//! committed records of the state of one shard, the operations that came next and what was decided on them. A
//! change of any record must read it, or raise the version and convert.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};

use super::{replace, shared};
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};
use crate::kcat;
use crate::stacked;

/// Left for the program that reads the fixture.
const NEXT: usize = 150;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/state-v1")
}

fn write(name: &str, lines: &[Vec<u8>]) {
    let packed = zstd::encode_all(&lines.join(&b'\n')[..], 19).expect("packed");
    fs::write(fixture().join(name), packed).expect("a fixture");
}

fn read(name: &str) -> Vec<Vec<u8>> {
    let packed = fs::read(fixture().join(name)).expect("the fixture");
    let text = zstd::decode_all(&packed[..]).expect("unpacked");
    text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// An instance with the rules of that moment, and without databases, which change.
fn configure(cluster: &Cluster, topics: &Topics, folder: &Path) -> PathBuf {
    let config = topics.configure(cluster, folder, "a", 100);
    let manifest = env!("CARGO_MANIFEST_DIR");
    replace(&config, &format!("\"{manifest}/rules\""), &format!("\"{manifest}/tests/data/store-v1/rules\""));
    fs::create_dir_all(folder.join("geoip")).expect("a folder");
    replace(&config, &format!("\"{manifest}/geoip\""), &format!("\"{}\"", folder.join("geoip").display()));
    config
}

fn values_of(cluster: &Cluster, topic: &str) -> Vec<Vec<u8>> {
    let found = kcat::read_committed(&cluster.bootstrap(), topic);
    found.into_values().flatten().map(|record| record.value.expect("a value")).collect()
}

/// Decides everything, stops after all but the last operations, and writes down what is needed to go on.
fn write_fixture(cluster: &Cluster) {
    let topics = Topics::create(cluster, "written", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(cluster, &topics, folder.path());
    let records = fleet::simulated(11, 600, 10);
    let (before, next) = records.split_at(records.len() - NEXT);
    let decide = |records: &[Vec<u8>]| {
        fleet::send(cluster, &topics, records);
        let mut instance = Instance::start(&config, None);
        fleet::wait_until_decided(cluster, &topics, &mut [&mut instance]);
        instance.end();
    };
    decide(before);
    let state = kcat::read_committed(&cluster.bootstrap(), &topics.name("state"));
    let line = |record: &kcat::Record| {
        let key = String::from_utf8(record.key.clone().expect("a key")).expect("text");
        let value = record.value.as_ref().map(|value| STANDARD.encode(value));
        json!({"key": key, "value": value}).to_string().into_bytes()
    };
    write("state.jsonl.zst", &state.into_values().flatten().map(|record| line(&record)).collect::<Vec<_>>());
    decide(next);
    write("operations.jsonl.zst", next);
    let decisions = values_of(cluster, &topics.name("decisions"));
    write("decisions.jsonl.zst", &decisions[decisions.len() - NEXT..]);
}

/// Makes topics as they were when the state was written: `before` operations that are not read again, the last of
/// their decisions, and the state.
fn lay_down(cluster: &Cluster, topics: &Topics, before: usize, state: &[Vec<u8>]) {
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    let (operations_topic, decisions_topic, state_topic) =
        (topics.name("operations"), topics.name("decisions"), topics.name("state"));
    for _ in 0..before {
        let record = BaseRecord::to(&operations_topic).partition(0).key("any").payload("not read again");
        producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }
    let seq = before.to_string();
    let headers = OwnedHeaders::new().insert(Header { key: "kuzet-seq", value: Some(&seq) });
    let record = BaseRecord::to(&decisions_topic).partition(0).key("any").payload("{}").headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    for line in state {
        let line: Value = serde_json::from_slice(line).expect("JSON");
        let value = line["value"].as_str().map(|value| STANDARD.decode(value).expect("bytes"));
        let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(&state_topic).partition(0);
        record.key = line["key"].as_str();
        record.payload = value.as_deref();
        producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    }
    producer.flush(fleet::WAIT).expect("the records are taken");
}

#[test]
fn a_state_of_version_1_goes_on() {
    let cluster = shared();
    if crate::environment::text("KUZET_WRITE_FIXTURE").is_some() {
        write_fixture(&cluster);
    }
    let topics = Topics::create(&cluster, "version-1", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(&cluster, &topics, folder.path());
    let (operations, expected) = (read("operations.jsonl.zst"), read("decisions.jsonl.zst"));
    assert_eq!((operations.len(), expected.len()), (NEXT, NEXT));

    lay_down(&cluster, &topics, 600 - NEXT, &read("state.jsonl.zst"));

    fleet::send(&cluster, &topics, &operations);
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    instance.end();
    let found = values_of(&cluster, &topics.name("decisions"));
    assert_eq!(found.len(), 1 + NEXT, "decisions were made again, or none were made");
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    for (index, (found, expected)) in found[1..].iter().zip(&expected).enumerate() {
        assert_eq!(text(found), text(expected), "decision {index} after the upgrade");
    }
}

/// `state-stacked.jsonl.zst` was written by the release before restrictions were extended, with the rules and
/// nearly the operations of `tests/data/store-v1-stacked`: three blocks of one rule on W1, two on an address, all
/// of them in journals.
#[test]
fn restrictions_that_were_stacked_go_on_as_one() {
    const BEFORE: usize = 6;
    let cluster = shared();
    let topics = Topics::create(&cluster, "stacked", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(&cluster, &topics, folder.path());
    let manifest = env!("CARGO_MANIFEST_DIR");
    replace(
        &config,
        &format!("{manifest}/tests/data/store-v1/rules"),
        &format!("{manifest}/tests/data/store-v1-stacked/rules"),
    );
    lay_down(&cluster, &topics, BEFORE, &read("state-stacked.jsonl.zst"));

    fleet::send(&cluster, &topics, &stacked::operations());
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    instance.end();
    let decisions = values_of(&cluster, &topics.name("decisions"));
    let told: Vec<String> = decisions[1..].iter().map(|decision| stacked::told(decision)).collect();
    assert_eq!(told, stacked::EXPECTED);
}
