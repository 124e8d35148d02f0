//! The bench itself: a real Kafka keeps the promises the other tests stand on.

#[path = "kafka/cluster.rs"]
#[expect(dead_code, reason = "each test uses a part of the bench")]
mod cluster;

use std::time::Instant;

use cluster::Cluster;

#[test]
fn a_cluster_of_one_and_of_three_starts() {
    for brokers in [1, 3] {
        let begun = Instant::now();
        let cluster = Cluster::start(brokers);
        let seconds = begun.elapsed().as_millis();
        cluster.create_topic("first", 3, &[("cleanup.policy", "compact")]);
        let memory: Vec<u64> = (0..brokers).map(|i| cluster.memory(i) >> 20).collect();
        println!("{brokers} brokers: {seconds} ms, MiB {memory:?}, with a topic {:?}", begun.elapsed());
    }
}
