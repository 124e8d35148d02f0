//! Several workers in one process: the decisions are those of one worker, whatever ends the process or a worker.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::producer::Producer as _;

use super::{SEED, check, shared, wait_for};
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Progress, Topics};
use crate::http;
use crate::wait;

/// How long an orderly end may take.
const END_WITHIN: Duration = Duration::from_secs(10);

fn configure((cluster, topics): (&Cluster, &Topics), folder: &std::path::Path, workers: usize) -> PathBuf {
    let edit = |text: String| text.replace("workers = 1\n", &format!("workers = {workers}\n"));
    topics.configure_with((cluster, folder), "a", (100, 1_500), edit)
}

/// Waits until the group has so many members and no partition is about to change hands.
#[track_caller]
fn wait_for_members(progress: &Progress, members: usize) {
    wait::until(&format!("the group has {members} members"), || (progress.members() == Some(members)).then_some(()));
}

/// Returns what `/readyz` says of a process that cannot decide all.
fn trouble(instance: &Instance) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(&http::get(instance, "/readyz")?).ok()?;
    answer["detail"].as_str().map(str::to_owned)
}

fn is_ready(instance: &Instance) -> bool {
    http::get(instance, "/readyz").is_some_and(|answer| answer.contains("\"ready\":true"))
}

#[track_caller]
fn json(instance: &Instance, path: &str) -> serde_json::Value {
    serde_json::from_str(&http::get(instance, path).expect("an answer")).expect("JSON")
}

/// Returns a metric's value.
fn metric(instance: &Instance, name: &str) -> Option<f64> {
    let text = http::get(instance, "/metrics")?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))?;
    value.trim().parse().ok()
}

/// One worker and three decide the same, and what is asked of the process is answered whichever worker has it.
#[test]
fn one_worker_and_three_decide_the_same() {
    let cluster = shared();
    let records = fleet::simulated(SEED + 10, 6_000, 150);
    for workers in [1, 3] {
        let topics = Topics::create(&cluster, &format!("workers-{workers}"), 5);
        let expected = fleet::expected(&topics, &records);
        let folder = tempfile::tempdir().expect("a folder");
        let config = configure((&cluster, &topics), folder.path(), workers);
        fleet::send(&cluster, &topics, &records[..4_000]);
        let mut instance = Instance::start(&config, None);
        let progress = Progress::new(&cluster, &topics);
        wait_for_members(&progress, workers);
        fleet::send(&cluster, &topics, &records[4_000..]);
        fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
        wait_for("all workers are ready", || is_ready(&instance));
        wait_for("all shards are shown once", || metric(&instance, "kuzet_shards") == Some(5.0));
        let wallets: Vec<String> = records.iter().take(40).map(|record| fleet::wallet_of(record)).collect();
        for wallet in wallets {
            assert_eq!(json(&instance, &format!("/v1/wallets/{wallet}"))["wallet_id"], wallet.as_str());
        }
        let found =
            expected.values().flatten().filter(|decision| String::from_utf8_lossy(decision).contains("\"matches\":[{"));
        let rules = json(&instance, "/v1/rules");
        let hits: u64 = rules["rules"].as_array().expect("rules").iter().filter_map(|rule| rule["hits"].as_u64()).sum();
        assert!(usize::try_from(hits).expect("few") >= found.count(), "{workers}: matches of all workers are counted");
        wait_for("figures of all workers are shown", || {
            metric(&instance, "kuzet_state_wallets").is_some_and(|wallets| wallets >= 100.0)
        });
        assert!(instance.end() < END_WITHIN);
        check(&cluster, &topics, &expected);
    }
}

/// Killed and ended in order again and again, with more and fewer workers than before, nothing is decided twice or lost.
#[test]
fn a_process_with_workers_is_killed_and_ended() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "workers-killed", 4);
    let records = fleet::simulated(SEED + 11, 12_000, 200);
    let expected = fleet::expected(&topics, &records);
    let folder = tempfile::tempdir().expect("a folder");
    fleet::send(&cluster, &topics, &records);
    for (workers, step) in [
        (3, "decided:5"),
        (3, "sent-offsets:4"),
        (2, "committed:6"),
        (4, "drained:5"),
        (1, "sent-state:3"),
        (3, "begun:7"),
    ] {
        let config = configure((&cluster, &topics), folder.path(), workers);
        let status = Instance::start(&config, Some(step)).wait();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{step}: {status}");
    }
    let config = configure((&cluster, &topics), folder.path(), 3);
    let instance = Instance::start(&config, None);
    wait_for("some shards were restored", || instance.log().contains("shards were restored"));
    instance.signal("KILL");
    instance.wait();
    let instance = Instance::start(&config, None);
    wait_for("some shards were restored", || instance.log().contains("shards were restored"));
    // In the midst of its work.
    assert!(instance.end() < END_WITHIN);
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    assert!(instance.end() < END_WITHIN);
    check(&cluster, &topics, &expected);
}

/// Workers without a partition are well, and take over when there is something for them.
#[test]
fn more_workers_than_partitions_are_well() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "workers-idle", 2);
    let records = fleet::simulated(SEED + 12, 2_000, 50);
    let expected = fleet::expected(&topics, &records);
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure((&cluster, &topics), folder.path(), 4);
    let mut instance = Instance::start(&config, None);
    wait_for_members(&Progress::new(&cluster, &topics), 4);
    wait_for("workers without partitions are ready", || is_ready(&instance));
    fleet::send(&cluster, &topics, &records);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    // A member whose heartbeat was late on a busy machine joins once more.
    wait_for("all workers are ready, or again", || is_ready(&instance));
    assert!(instance.end() < END_WITHIN);
    check(&cluster, &topics, &expected);
}

/// A worker that ends by a fault takes no other with it: they decide its shards, and it comes back.
#[test]
fn a_fault_of_one_worker_stops_no_other() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "workers-fault", 6);
    let records = fleet::simulated(SEED + 13, 6_000, 150);
    let expected = fleet::expected(&topics, &records);
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure((&cluster, &topics), folder.path(), 3);
    fleet::send(&cluster, &topics, &records[..3_000]);
    let mut instance = Instance::start(&config, Some("decided:8:fault"));
    wait_for("one worker has ended", || instance.log().contains("the worker cannot go on"));
    let said = wait::until("whose fault it was is told", || trouble(&instance).filter(|text| text.contains("fault")));
    assert!(said.starts_with("worker "), "{said}");
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    wait_for("the worker begins anew", || instance.log().contains("the worker begins anew"));
    wait_for_members(&Progress::new(&cluster, &topics), 3);
    fleet::send(&cluster, &topics, &records[3_000..]);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    wait_for("all workers are ready", || is_ready(&instance));
    assert!(instance.end() < END_WITHIN);
    check(&cluster, &topics, &expected);
}

/// Where all workers are at fault the process ends, as one with a single worker does.
#[test]
fn a_fault_of_all_workers_ends_the_process() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "workers-fenced", 3);
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure((&cluster, &topics), folder.path(), 2);
    let mut instance = Instance::start(&config, None);
    wait_for("all workers are ready", || is_ready(&instance));
    let names = [format!("{}-a", topics.group()), format!("{}-a:w2", topics.group())];
    let records = fleet::simulated(SEED + 14, 20_000, 150);
    let mut sent = records.chunks(30).cycle();
    // Somebody with the same names takes the transactions of both over, again and again.
    wait::until("the process has ended", || {
        for name in &names {
            let mut config = cluster.client();
            let producer: rdkafka::producer::BaseProducer =
                config.set("transactional.id", name).create().expect("a producer");
            producer.init_transactions(Duration::from_secs(10)).ok();
        }
        fleet::send(&cluster, &topics, sent.next().expect("records"));
        instance.has_ended().then_some(())
    });
    let log = instance.log();
    assert!(log.contains("another process has the instance name a too"), "{}", fleet::tail(&log));
    assert!(!instance.wait().success());
}
