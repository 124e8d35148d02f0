//! What a fleet does on a real Kafka: operations per second, the time from produce to a committed decision,
//! recovery after kill -9, bytes of state. `make bench-kafka`.
//!
//! Broker, producer, consumer, Redis and kuzet run on this machine and share its processors. Throughput is
//! measured with all operations waiting in Kafka before kuzet starts; latency in an open loop at a fixed rate,
//! from the moment at which an operation was due, with a `read_committed` consumer. `--quick` takes small
//! sizes, to see that everything runs; its numbers mean little.
#![expect(clippy::print_stdout, reason = "the tables are the point of the run")]
#![expect(clippy::cast_precision_loss, reason = "figures are shown in three digits")]

#[path = "../tests/support/cluster.rs"]
#[expect(dead_code, reason = "failures of brokers are of interest to tests")]
mod cluster;
#[path = "../tests/support/command.rs"]
mod command;
#[path = "../tests/support/fleet.rs"]
#[expect(dead_code, reason = "what must be decided is of interest to tests")]
mod fleet;
#[path = "../tests/support/http.rs"]
mod http;
#[path = "kafka/probe.rs"]
mod probe;
#[path = "kafka/recovery.rs"]
mod recovery;
#[path = "../tests/support/server.rs"]
#[expect(dead_code, reason = "failures of Redis are of interest to tests")]
mod server;
#[path = "../tests/support/standing.rs"]
mod standing;
#[path = "../tests/support/wait.rs"]
#[expect(dead_code, reason = "waits that are judged are of interest to tests")]
mod wait;

use std::fs;
use std::path::{Path, PathBuf};

use cluster::Cluster;
use fleet::{Instance, Topics};
use probe::{Seen, Watch, metrics, pace, state_bytes};
use server::Server;

const SEED: u64 = 7;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Operations that wait when throughput is measured.
    waiting: u64,
    /// Operations a second when latency is measured, and for how many seconds.
    rate: u64,
    seconds: u64,
    /// Wallets of the state that a killed process left behind.
    pub(crate) wallets: usize,
}

const FULL: Sizes = Sizes { waiting: 200_000, rate: 1_000, seconds: 15, wallets: 1_000_000 };
const QUICK: Sizes = Sizes { waiting: 10_000, rate: 500, seconds: 2, wallets: 20_000 };

/// One line of the table.
struct Line {
    partitions: i32,
    linger_ms: u64,
    has_redis: bool,
    per_second: f64,
    /// p50, p99, p99.9 in milliseconds.
    latencies: [f64; 3],
    /// At the fixed rate: operations of a batch, milliseconds of a commit.
    batch: f64,
    commit_ms: f64,
    state_bytes: f64,
}

/// Writes the configuration of a process, with what is measured.
pub(crate) fn configure(
    (cluster, topics, folder): (&Cluster, &Topics, &Path),
    linger_ms: u64,
    redis: Option<&Server>,
) -> PathBuf {
    let config = topics.configure(cluster, folder, &topics.name("instance"), 5_000);
    let mut text = fs::read_to_string(&config).expect("a configuration");
    let batch = "batch_max = 5000\n";
    assert!(text.contains(batch), "{text}");
    text = text.replace(batch, &format!("{batch}batch_linger = \"{linger_ms}ms\"\n"));
    if let Some(redis) = redis {
        text.push_str(&format!("[redis]\nurl = \"{}\"\ntimeout = \"10s\"\n", redis.url()));
    }
    fs::write(&config, text).expect("a configuration");
    // Longer than anything that only the load of the machine does; a killed member is missed after it.
    let waits = "session.timeout.ms=6000\nheartbeat.interval.ms=1000\nreconnect.backoff.max.ms=200\n";
    fs::write(folder.join("client.properties"), waits).expect("settings");
    config
}

fn measure(cluster: &Cluster, sizes: Sizes, partitions: i32, linger_ms: u64, has_redis: bool) -> Line {
    let name = format!("bench-{partitions}-{linger_ms}-{has_redis}");
    let topics = Topics::create(cluster, &name, partitions);
    let folder = tempfile::tempdir().expect("a folder");
    let redis = has_redis.then(Server::start);
    let config = configure((cluster, &topics, folder.path()), linger_ms, redis.as_ref());
    let of_pace = sizes.rate * sizes.seconds;
    let records = fleet::simulated(SEED, sizes.waiting + of_pace, 10_000);
    let (waiting, paced) = records.split_at(records.len() - usize::try_from(of_pace).expect("a size"));

    fleet::send(cluster, &topics, waiting);
    let mut watch = Watch::start(cluster, &topics);
    let instance = Instance::start(&config, None);
    let seen = watch.wait_for(waiting.len());
    let per_second = throughput(&seen);
    let state = state_bytes(cluster, &topics).0;

    let before = metrics(&instance);
    let latencies = pace(cluster, &topics, &mut watch, paced, sizes.rate);
    let after = metrics(&instance);
    let mean = |name: &str| {
        let of = |suffix: &str| after.sum(&format!("{name}_{suffix}")) - before.sum(&format!("{name}_{suffix}"));
        of("sum") / of("count").max(1.0)
    };
    instance.end();
    let commit = "kuzet_stage_duration_seconds";
    let of_commit = |found: &probe::Metrics, suffix: &str| found.labelled(&format!("{commit}_{suffix}"), "commit");
    let commits = of_commit(&after, "count") - of_commit(&before, "count");
    Line {
        partitions,
        linger_ms,
        has_redis,
        per_second,
        latencies,
        batch: mean("kuzet_batch_operations"),
        commit_ms: 1_000.0 * (of_commit(&after, "sum") - of_commit(&before, "sum")) / commits.max(1.0),
        state_bytes: state as f64 / waiting.len() as f64,
    }
}

/// Decisions a second between the first and the last, by the time that Kafka has of them; without the first
/// batch, before which the process started.
fn throughput(seen: &[Seen]) -> f64 {
    let mut times: Vec<i64> = seen.iter().map(|seen| seen.written_ms).collect();
    times.sort_unstable();
    let (first, last) = (times[0], times[times.len() - 1]);
    let later = times.iter().filter(|time| **time > first).count();
    1_000.0 * later as f64 / (last - first).max(1) as f64
}

fn main() {
    // Cargo runs benchmarks with `--bench`, and as tests without.
    let is_full = std::env::args().any(|argument| argument == "--bench") && std::env::args().all(|a| a != "--quick");
    let sizes = if is_full { FULL } else { QUICK };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("{processors} processors, shared by kuzet, one Kafka broker, Redis, producer and consumer; seed {SEED}");
    println!("load of the machine before the run: {}", probe::load());
    println!(
        "throughput: {} operations wait; latency: {} a second for {} s\n",
        sizes.waiting, sizes.rate, sizes.seconds
    );
    let cluster = Cluster::start(1);
    println!("partitions  linger  Redis  operations/s  p50 ms  p99 ms  p99.9 ms  batch  commit ms  state bytes/op");
    for partitions in [1, 2, 12] {
        for linger_ms in [5, 20] {
            for has_redis in [false, true] {
                let line = measure(&cluster, sizes, partitions, linger_ms, has_redis);
                println!(
                    "{:>10}  {:>3} ms  {:>5}  {:>12.0}  {:>6.1}  {:>6.1}  {:>8.1}  {:>5.1}  {:>9.1}  {:>14.0}",
                    line.partitions,
                    line.linger_ms,
                    if line.has_redis { "yes" } else { "no" },
                    line.per_second,
                    line.latencies[0],
                    line.latencies[1],
                    line.latencies[2],
                    line.batch,
                    line.commit_ms,
                    line.state_bytes,
                );
            }
        }
    }
    recovery::measure(&cluster, sizes);
    println!("\nload of the machine after the run: {}", probe::load());
}
