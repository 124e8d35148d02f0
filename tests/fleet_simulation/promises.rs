//! The broker in memory keeps the promises that a real one keeps: the same suite as `tests/kafka_conformance.rs`.

use std::sync::Arc;
use std::time::Duration;

use kuzet::adapters::kafka::port::Cluster;
use kuzet::adapters::kafka::{KafkaSettings, Topics};
use kuzet::adapters::runtime::{Scheduler as _, simulate};

use super::{DECISIONS, OPERATIONS, REJECTED, STATE};
use crate::conformance::{Bench, CASES};
use crate::simulation::broker::Broker;
use crate::simulation::turns::{Process, World};

struct InMemory {
    broker: Arc<Broker>,
    process: Process,
}

impl Bench for InMemory {
    fn cluster(&self) -> Arc<dyn Cluster> {
        self.broker.access(&self.process)
    }

    fn settings(&self, _: &str, instance: &str, transaction: Duration) -> KafkaSettings {
        let topics = Topics {
            operations: OPERATIONS.to_owned(),
            decisions: DECISIONS.to_owned(),
            rejected: REJECTED.to_owned(),
            state: STATE.to_owned(),
        };
        let (brokers, group, instance) = (String::new(), "kuzet".to_owned(), instance.to_owned());
        let properties = Vec::new();
        KafkaSettings { brokers, group, instance, topics, transaction_timeout: transaction, properties }
    }

    fn sleep(&self, time: Duration) {
        self.process.sleep(time);
    }
}

#[test]
fn the_broker_in_memory_does_what_a_real_one_does() {
    for seed in 1..=20 {
        for (_, case) in CASES {
            let (world, process) = World::new(seed);
            let broker = Broker::new(&world, &[OPERATIONS, DECISIONS], 1, Duration::from_secs(6));
            let bench = InMemory { broker, process: process.clone() };
            simulate(Arc::new(process), || case(&bench));
        }
    }
}
