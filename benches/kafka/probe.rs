//! What is looked at while a fleet works: decisions as a consumer sees them, metrics, bytes of the state.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kuzet::operation::partition::Partitioner;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::Cluster;
use crate::fleet::{Instance, Topics, wallet_of};
use crate::http::get;

/// Nothing that is measured may take longer.
const WAIT: Duration = Duration::from_secs(900);

/// A decision that a consumer saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    /// When the consumer saw it.
    pub(crate) at: Instant,
    /// When it was written, by Kafka's records: milliseconds since 1970.
    pub(crate) written_ms: i64,
}

/// A consumer of the decisions that sees what is committed, as soon as it can.
pub(crate) struct Watch {
    consumer: BaseConsumer,
}

impl Watch {
    /// Reads from the beginning on.
    pub(crate) fn start(cluster: &Cluster, topics: &Topics) -> Self {
        let mut config = cluster.client();
        config.set("group.id", "watch").set("isolation.level", "read_committed").set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..topics.partitions {
            list.add_partition_offset(&topics.name("decisions"), partition, Offset::Beginning).expect("a partition");
        }
        consumer.assign(&list).expect("an assignment");
        Self { consumer }
    }

    fn poll(&self, wait: Duration) -> Option<Seen> {
        let message = self.consumer.poll(wait)?.expect("a decision");
        let written_ms = message.timestamp().to_millis().expect("a time");
        Some(Seen { partition: message.partition(), at: Instant::now(), written_ms })
    }

    /// Waits for so many decisions.
    pub(crate) fn wait_for(&mut self, count: usize) -> Vec<Seen> {
        let begun = Instant::now();
        let mut seen = Vec::with_capacity(count);
        while seen.len() < count {
            seen.extend(self.poll(Duration::from_millis(100)));
            assert!(begun.elapsed() < WAIT, "{} of {count} decisions are seen", seen.len());
        }
        seen
    }
}

/// Sends records at a fixed rate, however fast they are decided; returns p50, p99 and p99.9 of the time from when
/// each was due to when its decision was seen, in milliseconds.
pub(crate) fn pace(cluster: &Cluster, topics: &Topics, watch: &mut Watch, records: &[Vec<u8>], rate: u64) -> [f64; 3] {
    let mut config = cluster.client();
    config.set("linger.ms", "0").set("acks", "all").set("enable.idempotence", "true");
    let producer: BaseProducer = config.create().expect("a producer");
    let name = topics.name("operations");
    let placed: Vec<(String, i32)> = records
        .iter()
        .map(|record| {
            let wallet = wallet_of(record);
            let partition = Partitioner::Murmur2.partition(wallet.as_bytes(), topics.partitions).expect("a partition");
            (wallet, partition)
        })
        .collect();
    let gap = Duration::from_secs(1) / u32::try_from(rate).expect("a rate");
    let begun = Instant::now() + Duration::from_millis(200);
    let due = |index: usize| begun + gap * u32::try_from(index).expect("a few records");
    let seen = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch.wait_for(records.len()));
        for (index, (record, (wallet, partition))) in records.iter().zip(&placed).enumerate() {
            sleep(due(index).saturating_duration_since(Instant::now()));
            let to_send = BaseRecord::to(&name).partition(*partition).key(wallet).payload(record);
            producer.send(to_send).map_err(|(error, _)| error).expect("room in the queue");
            producer.poll(Duration::ZERO);
        }
        producer.flush(WAIT).expect("the records are taken");
        watching.join().expect("the decisions are seen")
    });
    // The decisions of a partition come in the order of its operations.
    let mut of_partition: HashMap<i32, std::collections::VecDeque<Instant>> = HashMap::new();
    for (index, (_, partition)) in placed.iter().enumerate() {
        of_partition.entry(*partition).or_default().push_back(due(index));
    }
    let mut took: Vec<Duration> = seen
        .iter()
        .map(|seen| {
            let due = of_partition.get_mut(&seen.partition).and_then(std::collections::VecDeque::pop_front);
            seen.at.saturating_duration_since(due.expect("a decision for each operation"))
        })
        .collect();
    took.sort_unstable();
    let at = |per_mille: usize| took[(took.len() - 1) * per_mille / 1_000].as_secs_f64() * 1_000.0;
    [at(500), at(990), at(999)]
}

/// The metrics of a process at one moment.
pub(crate) struct Metrics(String);

impl Metrics {
    /// Adds up all series of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.lines(name).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// The same of series with a label of this value.
    pub(crate) fn labelled(&self, name: &str, value: &str) -> f64 {
        let of_label = self.lines(name).filter(|line| line.contains(&format!("=\"{value}\"")));
        of_label.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    fn lines<'m>(&'m self, name: &str) -> impl Iterator<Item = &'m str> {
        let name = name.to_owned();
        self.0
            .lines()
            .filter(move |line| line.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(['{', ' '])))
    }
}

/// Asks a process for its metrics.
pub(crate) fn metrics(instance: &Instance) -> Metrics {
    Metrics(get(instance, "/metrics").expect("a service that is ready"))
}

/// Returns the bytes of keys and values ever written to the state topic, and those that compaction keeps.
pub(crate) fn state_bytes(cluster: &Cluster, topics: &Topics) -> (usize, usize) {
    let mut config = cluster.client();
    config.set("group.id", "state").set("enable.partition.eof", "true").set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..topics.partitions {
        list.add_partition_offset(&topics.name("state"), partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    let (mut written, mut newest, mut ended) = (0, HashMap::new(), 0);
    let begun = Instant::now();
    while ended < topics.partitions {
        assert!(begun.elapsed() < WAIT, "the state is not read");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                let key = message.key().expect("a key").to_vec();
                let bytes = key.len() + message.payload().map_or(0, <[u8]>::len);
                written += bytes;
                let kept = message.payload().map_or(0, |_| bytes);
                newest.insert((message.partition(), key), kept);
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => panic!("the state: {error}"),
        }
    }
    (written, newest.values().sum())
}

/// Tells how busy the machine was in the last minute.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
