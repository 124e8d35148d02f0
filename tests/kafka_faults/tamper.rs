//! What does not fit together halts its shard, and no other: somebody wrote a decision by hand, or moved the
//! group's offset.

use crate::command::kuzet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::check::{Finding, Kind, finding, visible};
use super::stand::Stand;
use crate::cluster::Cluster;
use crate::fleet::{self, Progress};
use crate::wait::{self, PATIENCE};

/// Writes one more decision of a shard, as nobody should.
fn forge_decision(stand: &Stand, cluster: &Cluster, shard: i32) {
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    let decisions = visible(cluster, &stand.topics);
    let last = decisions.get(&shard).and_then(|records| records.last()).expect("decisions of each shard");
    let seq: u64 = last.header("kuzet-seq").expect("a number").parse().expect("a number");
    let (next, name) = ((seq + 1).to_string(), stand.topics.name("decisions"));
    let headers = OwnedHeaders::new().insert(Header { key: "kuzet-seq", value: Some(&next) });
    let value = last.value.clone().expect("a decision");
    let record = BaseRecord::to(&name).partition(shard).key("forged").payload(&value).headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    producer.flush(PATIENCE).expect("the record is taken");
}

/// Moves the group's offset of a shard back by one.
fn move_offset(stand: &Stand, cluster: &Cluster, shard: i32) {
    let mut config = cluster.client();
    config.set("group.id", stand.topics.group()).set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition(&stand.topics.name("operations"), shard);
    let committed = consumer.committed_offsets(list, PATIENCE).expect("the group's offsets");
    let offset = committed.elements().first().map(|element| element.offset());
    let Some(Offset::Offset(offset)) = offset else { panic!("no offset of shard {shard}: {offset:?}") };
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&stand.topics.name("operations"), shard, Offset::Offset(offset - 1)).expect("an offset");
    consumer.commit(&list, CommitMode::Sync).expect("the group has no member, and takes it");
}

/// Asks a process over HTTP; returns the whole answer.
fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn address_of(said: &str) -> String {
    let line = said.lines().rev().find(|line| line.contains("the service is ready")).expect("it is ready");
    let (_, rest) = line.split_once("address=").expect("its address");
    rest.split_whitespace().next().expect("its address").to_owned()
}

/// Three shards; a decision is forged in the first, the second's offset is moved. Returns what does not happen
/// of what must.
pub(crate) fn tamper(stand: &mut Stand, cluster: &Cluster) -> Result<Vec<Finding>, Finding> {
    let instance = stand.start(cluster, "a", None);
    stand.send(cluster, 600);
    stand.wait_until_through(cluster)?;
    instance.end();
    forge_decision(stand, cluster, 0);
    move_offset(stand, cluster, 1);
    let before = Progress::new(cluster, &stand.topics).ends();
    stand.send(cluster, 300);

    let instance = stand.start(cluster, "b", None);
    let progress = Progress::new(cluster, &stand.topics);
    let ends = progress.ends();
    let mut findings = Vec::new();
    let mut demand = |is_so: bool, text: String| {
        if !is_so {
            findings.push(finding(Kind::NotHalted, text));
        }
    };
    // The others do not matter for the third shard, so their ends are left out.
    let goes_on = fleet::until_none_is_left("shard 2 goes on", || progress.left(&[0, 0, ends[2]]));
    demand(
        goes_on.is_ok(),
        format!("shard 2 does not go on: {}", goes_on.err().map(|in_vain| format!("{in_vain}")).unwrap_or_default()),
    );
    for (shard, reason) in [(0, "the last visible one is"), (1, "but the group's offset is")] {
        let is_halted = wait::attempt(PATIENCE, &format!("shard {shard} is halted"), || {
            let said = instance.log();
            let mut lines = said.lines().filter(|line| line.contains("the shard is halted"));
            lines.any(|line| line.contains(&format!("shard={shard}")) && line.contains(reason)).then_some(())
        });
        demand(is_halted.is_ok(), format!("shard {shard} is not halted\n{}", stand.logs()));
        let moved = ends[shard] > before[shard];
        let mut own = [0; 3];
        own[shard] = ends[shard];
        let left = wait::until("Kafka tells how far the group is", || progress.left(&own));
        demand(moved && left > 0, format!("shard {shard} goes on"));
    }
    let said = instance.log();
    let address = address_of(&said);
    let ready = ask(&address, "/readyz");
    demand(ready.starts_with("HTTP/1.1 503") && ready.contains("halted"), format!("readiness says {ready}"));
    let is_counted = |metrics: &str| {
        [(0, 1), (1, 1), (2, 0)].iter().all(|(shard, halted)| {
            metrics.lines().any(|line| line == format!("kuzet_shard_halted{{shard=\"{shard}\"}} {halted}"))
        })
    };
    let counted = wait::attempt(PATIENCE, "metrics show which shards are halted", || {
        is_counted(&ask(&address, "/metrics")).then_some(())
    });
    demand(
        counted.is_ok(),
        format!("metrics: {}", counted.err().map(|in_vain| format!("{in_vain}")).unwrap_or_default()),
    );
    drop(instance);
    let output =
        kuzet().args(["kafka", "verify", "--config"]).arg(stand.config(cluster, "b")).output().expect("kuzet runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |shard: i32| out.lines().find(|line| line.starts_with(&format!("shard {shard}:"))).unwrap_or_default();
    let is_told = output.status.code() == Some(1)
        && line(0).contains("the last visible one is")
        && line(1).contains("but the group's offset is")
        && line(2).ends_with(", sound");
    demand(is_told, format!("kuzet kafka verify says {:?}\n{out}", output.status));
    Ok(findings)
}
