//! Decisions of the engine as records of the topic, in shards, and their way into a real Kafka.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::decide::decide_each;

const WAIT: Duration = Duration::from_secs(60);

/// One record of the topic of decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) partition: i32,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Decided {
    pub(crate) fn header_mut(&mut self, name: &str) -> &mut String {
        let found = self.headers.iter_mut().find(|(found, _)| found == name);
        &mut found.unwrap_or_else(|| panic!("no header {name}")).1
    }
}

/// Decides operations with the shipped rules and puts the decisions on `shards` shards by their wallets,
/// numbered from 1 in each; a shard lies in the partition of its number.
pub(crate) fn decide(operations: &[u8], shards: i32) -> Vec<Decided> {
    let mut numbers: HashMap<i32, u64> = HashMap::new();
    let mut records = Vec::new();
    decide_each(operations, |decision, value| {
        let sum: u32 = decision.wallet_id.bytes().map(u32::from).sum();
        let shard = i32::try_from(sum).expect("a short id") % shards;
        let number = numbers.entry(shard).or_default();
        *number += 1;
        records.push(enveloped(value, shard, *number));
    });
    records
}

/// Puts key and headers to a decision.
pub(crate) fn enveloped(value: Vec<u8>, shard: i32, seq: u64) -> Decided {
    let decision: Value = serde_json::from_slice(&value).expect("decisions are JSON");
    let text = |name: &str| decision[name].as_str().expect("a text").to_owned();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("kuzet-shard", shard.to_string()),
        ("kuzet-seq", seq.to_string()),
        ("kuzet-ruleset", text("ruleset")),
        ("kuzet-epoch", "0011223344556677".to_owned()),
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", text("decision_id")),
        ("ce_source", "kuzet".to_owned()),
        ("ce_type", "kz.kuzet.decision.v1".to_owned()),
        ("ce_time", text("occurred_at")),
        ("ce_subject", text("wallet_id")),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Decided { partition: shard, key: text("wallet_id").into_bytes(), value, headers }
}

/// Opens a transactional producer.
pub(crate) fn producer(cluster: &Cluster, id: &str) -> BaseProducer {
    let mut config = cluster.client();
    config.set("transactional.id", id).set("transaction.timeout.ms", "60000").set("linger.ms", "0");
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(WAIT).expect("transactions are there");
    producer
}

/// Sends records in one transaction and waits until they are acknowledged; does not end it.
pub(crate) fn send(producer: &BaseProducer, topic: &str, records: &[Decided]) {
    producer.begin_transaction().expect("a transaction");
    for record in records {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let to_send =
            BaseRecord::to(topic).partition(record.partition).key(&record.key).payload(&record.value).headers(headers);
        producer.send(to_send).map_err(|(error, _)| error).expect("room in the queue");
    }
    let begun = Instant::now();
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
        assert!(begun.elapsed() < WAIT, "records are not acknowledged");
    }
}

/// Sends records in transactions of `batch`. Every fifth is sent twice: the first time it is aborted, and
/// what it says is never to be seen.
pub(crate) fn publish(producer: &BaseProducer, topic: &str, records: &[Decided], batch: usize) {
    for (index, records) in records.chunks(batch).enumerate() {
        if index % 5 == 4 {
            send(producer, topic, records);
            producer.abort_transaction(WAIT).expect("an abort");
        }
        send(producer, topic, records);
        producer.commit_transaction(WAIT).expect("a commit");
    }
}
