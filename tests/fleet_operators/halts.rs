//! What a shard must not decide over: lost operations, a state of a later version, other partitions.

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::http::{metric, wallet_of_each};
use super::{address, kuzet, shared, top_up, values, wait_until_ready, wait_until_unready};
use crate::cluster::{Cluster, block_on};
use crate::fleet::{self, Instance, Topics};
use crate::wait;

/// Decides some operations of each of two shards, and ends.
fn decide_some(cluster: &Cluster, topics: &Topics, instance: &mut Instance, name: &str) {
    let record = |(number, wallet): (usize, &String)| top_up(&format!("{name}-{number}"), wallet).into_bytes();
    let wallets = wallet_of_each();
    let records: Vec<Vec<u8>> = wallets.iter().cycle().take(20).enumerate().map(record).collect();
    fleet::send(cluster, topics, &records);
    fleet::wait_until_decided(cluster, topics, &mut [instance]);
}

fn decided(cluster: &Cluster, topics: &Topics, partition: i32) -> usize {
    let found = values(cluster, &topics.name("decisions"));
    found.iter().filter(|(record, _)| record.partition == partition).count()
}

/// Sends an operation of shard 1 and waits for its decision: a halted shard holds up no other.
fn check_the_other(cluster: &Cluster, topics: &Topics, op_id: &str) {
    fleet::send(cluster, topics, &[top_up(op_id, &wallet_of_each()[1]).into_bytes()]);
    wait::until("the other shard decides", || {
        values(cluster, &topics.name("decisions")).iter().any(|(_, decision)| decision["op_id"] == op_id).then_some(())
    });
}

#[test]
fn a_shard_whose_operations_are_gone_halts() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "gone", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    let mut instance = Instance::start(&config, None);
    decide_some(&cluster, &topics, &mut instance, "g");
    instance.end();
    // Three operations come, and retention takes two of them before they are read.
    let [first, _] = wallet_of_each();
    let records = ["l-1", "l-2", "l-3"].map(|op_id| top_up(op_id, &first).into_bytes());
    fleet::send(&cluster, &topics, &records);
    cluster.delete_records(&topics.name("operations"), &[(0, 12)]);
    let wanted = "shard 0: the next operation is at offset 10, but the first that is still there is at 12: retention \
                  removed operations that were not decided";
    let (code, out, _) = kuzet(&["kafka", "verify"], &config);
    assert!(code == 1 && out.contains(wanted.split_once(": ").expect("a reason").1), "{code}\n{out}");
    let instance = Instance::start(&config, None);
    wait_until_unready(&instance, wanted);
    let address = address(&instance);
    wait::until("the halt is counted", || {
        (metric(address, "kuzet_shard_halted{shard=\"0\"}") == Some(1.0)).then_some(())
    });
    check_the_other(&cluster, &topics, "other");
    assert_eq!(decided(&cluster, &topics, 0), 10, "nothing was skipped");
    assert!(instance.log().contains("the shard is halted: nothing of it is decided until a person has looked"));
    instance.end();
}

/// The same while the process runs: it stands still, and retention overtakes it.
#[test]
fn a_running_shard_that_retention_overtakes_halts() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "overtaken", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    let mut instance = Instance::start(&config, None);
    decide_some(&cluster, &topics, &mut instance, "o");
    instance.signal("STOP");
    let [first, _] = wallet_of_each();
    // What it asked Kafka for before it stood still comes all the same: the first record.
    for op_id in ["answered", "lost-1", "lost-2", "lost-3"] {
        fleet::send(&cluster, &topics, &[top_up(op_id, &first).into_bytes()]);
    }
    cluster.delete_records(&topics.name("operations"), &[(0, 14)]);
    fleet::send(&cluster, &topics, &[top_up("after", &first).into_bytes()]);
    instance.signal("CONT");
    wait_until_unready(&instance, "retention removed operations that were not decided");
    assert!(decided(&cluster, &topics, 0) <= 11, "nothing was skipped");
    check_the_other(&cluster, &topics, "other");
    instance.end();
}

#[test]
fn a_state_of_a_later_version_halts_its_shard() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "later", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    let mut instance = Instance::start(&config, None);
    decide_some(&cluster, &topics, &mut instance, "v");
    instance.end();
    let state = topics.name("state");
    let version_9 = [9_u8; 40];
    let producer: BaseProducer = cluster.client().create().expect("a producer");
    let record = BaseRecord::to(&state).partition(0).key("meta:0").payload(&version_9[..]);
    producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    producer.flush(fleet::WAIT).expect("the record is taken");
    let wanted =
        "the state cannot be read: found version 9 of the state record meta:0, but this program reads version 1";
    let (code, out, _) = kuzet(&["kafka", "verify"], &config);
    assert!(code == 1 && out.contains(wanted), "{code}\n{out}");
    let instance = Instance::start(&config, None);
    wait_until_unready(&instance, &format!("shard 0: {wanted}"));
    check_the_other(&cluster, &topics, "other");
    instance.end();
}

fn grow(cluster: &Cluster, topic: &str, count: usize) {
    let admin: AdminClient<DefaultClientContext> = cluster.client().create().expect("a client");
    let grown = block_on(admin.create_partitions(&[NewPartitions::new(topic, count)], &AdminOptions::new()));
    assert!(grown.expect("an answer").iter().all(Result::is_ok), "{topic} does not grow");
}

/// Partitions that are added to the operations are noticed by the running fleet, and by one that starts.
#[test]
fn a_fleet_refuses_another_number_of_partitions() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "grown", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    let properties = folder.path().join("client.properties");
    let text = std::fs::read_to_string(&properties).expect("settings");
    std::fs::write(&properties, format!("{text}topic.metadata.refresh.interval.ms=300\n")).expect("settings");
    let mut instance = Instance::start(&config, None);
    decide_some(&cluster, &topics, &mut instance, "p");
    wait_until_ready(&instance);
    let before = decided(&cluster, &topics, 0) + decided(&cluster, &topics, 1);
    grow(&cluster, &topics.name("operations"), 4);
    let halted = |shard: i32| {
        format!(
            "shard {shard}: the operations have 4 partitions, but the state was made with 2: wallets would change their \
             shards. Kafka takes no partition away, so a fleet moves to new topics: see \"Another number of partitions\" \
             in deploy/README.md"
        )
    };
    let detail = wait_until_unready(&instance, &halted(3));
    assert!((0..4).all(|shard| detail.contains(&halted(shard))), "{detail}");
    instance.end();
    let (code, out, _) = kuzet(&["kafka", "topics", "--check"], &config);
    assert!(code == 1 && out.contains("grown.state: found 2 partitions, but grown.operations has 4"), "{out}");

    // It does not help to add them everywhere: a new partition has no state that would tell.
    for kind in ["decisions", "rejected", "state"] {
        grow(&cluster, &topics.name(kind), 4);
    }
    let (code, out, _) = kuzet(&["kafka", "verify"], &config);
    let reason = halted(0).split_once(": ").expect("a reason").1.to_owned();
    assert!(code == 1 && out.matches(&reason).count() == 4, "{code}\n{out}");
    let wallets: Vec<String> = (0..40).map(|number| format!("7706{number:07}")).collect();
    let grown = Topics::named("grown", 4);
    let records: Vec<Vec<u8>> = wallets.iter().map(|wallet| top_up(wallet, wallet).into_bytes()).collect();
    fleet::send(&cluster, &grown, &records);
    let instance = Instance::start(&config, None);
    let detail = wait_until_unready(&instance, &halted(3));
    assert!((0..4).all(|shard| detail.contains(&halted(shard))), "{detail}");
    assert_eq!(values(&cluster, &topics.name("decisions")).len(), before, "nothing was decided");
    instance.end();
}
