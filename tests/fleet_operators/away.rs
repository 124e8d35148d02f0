//! Kafka is away: at the start, in the middle, and when the process has to end.

use std::time::Duration;

use super::{add_settings, address, replace, top_up, values, wait_until_ready, wait_until_unready};
use crate::client;
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};
use crate::turn;

/// An orchestrator kills what has not ended ten seconds after SIGTERM.
const END_MAX: Duration = Duration::from_secs(10);

fn batch(name: &str, count: usize) -> Vec<Vec<u8>> {
    let record = |number| top_up(&format!("{name}-{number}"), &format!("7705{number:07}")).into_bytes();
    (0..count).map(record).collect()
}

#[test]
fn kafka_goes_and_comes_back() {
    let _turn = turn::take(super::MODULE);
    // Its own cluster: others would miss theirs.
    let mut cluster = Cluster::start(1);
    let topics = Topics::create(&cluster, "away", 3);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 50);
    // As it is by default: longer than an end may take.
    replace(&config, "transaction_timeout = \"10s\"", "transaction_timeout = \"60s\"");

    cluster.kill(0);
    let instance = Instance::start(&config, None);
    wait_until_unready(&instance, "Kafka");
    assert_eq!(client::get(address(&instance), "/healthz").status, 200);
    let took = instance.end();
    assert!(took < END_MAX, "without Kafka the end took {took:?}");
    let mut instance = Instance::start(&config, None);
    wait_until_unready(&instance, "Kafka");
    cluster.start_again(0);
    wait_until_ready(&instance);
    fleet::send(&cluster, &topics, &batch("early", 30));
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);

    // Nothing to decide: it is noticed all the same.
    cluster.kill(0);
    wait_until_unready(&instance, "Kafka: no broker can be reached");
    cluster.start_again(0);
    wait_until_ready(&instance);
    fleet::send(&cluster, &topics, &batch("middle", 300));
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);

    // In the middle of work, and then an end.
    fleet::send(&cluster, &topics, &batch("late", 3_000));
    cluster.kill(0);
    wait_until_unready(&instance, "Kafka");
    let took = instance.end();
    assert!(took < END_MAX, "without Kafka the end took {took:?}");
    cluster.start_again(0);
    add_settings(&config, "batch_linger = \"1ms\"");
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    println!("the end without Kafka took {took:?}");
    instance.end();
    let decided = values(&cluster, &topics.name("decisions"));
    assert_eq!(decided.len(), 3_330, "each operation is decided once");
}
