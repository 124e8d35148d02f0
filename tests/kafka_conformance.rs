//! The suite that the broker in memory passes too (`fleet_simulation`), on a real broker.

use std::sync::Arc;
use std::time::Duration;

use kuzet::adapters::kafka::librdkafka::Librdkafka;
use kuzet::adapters::kafka::port::Cluster as Ways;
use kuzet::adapters::kafka::{KafkaSettings, Topics};

use crate::cluster::Cluster;
use crate::conformance::{Bench, CASES};
use crate::turn;

struct Real<'c>(&'c Cluster);

impl Bench for Real<'_> {
    fn cluster(&self) -> Arc<dyn Ways> {
        Arc::new(Librdkafka)
    }

    fn settings(&self, case: &str, instance: &str, transaction: Duration) -> KafkaSettings {
        let name = |kind: &str| format!("conformance-{case}-{kind}");
        let (group, instance) = (name("group"), instance.to_owned());
        let topics = Topics {
            operations: name("operations"),
            decisions: name("decisions"),
            rejected: name("rejected"),
            state: name("state"),
        };
        let (brokers, properties) = (self.0.bootstrap(), Vec::new());
        KafkaSettings { brokers, group, instance, topics, transaction_timeout: transaction, properties }
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

#[test]
fn a_real_broker_does_what_the_one_in_memory_does() {
    let cluster = turn::shared(module_path!(), &[]);
    let bench = Real(&cluster);
    for (name, case) in CASES {
        let topics = bench.settings(name, "", Duration::ZERO).topics;
        for topic in [topics.operations, topics.decisions] {
            cluster.create_topic(&topic, 1, &[]);
        }
        case(&bench);
    }
}
