//! How long a process with a large state is away after kill -9.

use kuzet::operation::time::MILLISECOND;
use std::time::Instant;

use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};
use crate::probe::{Watch, state_bytes};
use crate::{Sizes, configure};

const PARTITIONS: i32 = 12;
const LINGER_MS: u64 = 5;

fn operation(wallet: usize, second: usize) -> Vec<u8> {
    let at = kuzet::operation::Time::parse_rfc3339("2026-03-02T09:00:00+05:00").expect("a time");
    let at = at.plus(i64::try_from(second).expect("a small number") * MILLISECOND);
    format!(
        "{{\"op_id\":\"o-{wallet}-{second}\",\"type\":\"payment\",\"occurred_at\":\"{at}\",\"wallet_id\":\"7701{wallet:07}\",\
         \"client_status\":\"identified\",\"amount\":\"1500.00\",\"device_id\":\"d-{wallet}\",\
         \"counterparty\":{{\"kind\":\"merchant\",\"account\":\"m-{}\"}}}}",
        wallet % 1_000,
    )
    .into_bytes()
}

/// Fills the state, kills the process, starts it again, and waits for the decision on an operation that was sent
/// meanwhile.
pub(crate) fn measure(cluster: &Cluster, sizes: Sizes) {
    let wallets = sizes.wallets;
    let topics = Topics::create(cluster, "recovery", PARTITIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure((cluster, &topics, folder.path()), LINGER_MS, None);
    let records: Vec<Vec<u8>> = (0..wallets).map(|wallet| operation(wallet, wallet)).collect();
    fleet::send(cluster, &topics, &records);
    let mut watch = Watch::start(cluster, &topics);
    let instance = Instance::start(&config, None);
    watch.wait_for(wallets);
    instance.signal("KILL");
    let killed = Instant::now();
    instance.wait();
    let (written, kept) = state_bytes(cluster, &topics);
    let read_in = killed.elapsed();
    fleet::send(cluster, &topics, &[operation(0, wallets)]);
    let started = Instant::now();
    let instance = Instance::start(&config, None);
    watch.wait_for(1);
    let until_decided = started.elapsed();
    println!("\nkill -9 with {wallets} wallets in {PARTITIONS} shards");
    println!("  restart to the next decision seen: {:.1} s", until_decided.as_secs_f64());
    let log = instance.log();
    // The log goes on where that of the killed process ended.
    let line = log.lines().rfind(|line| line.contains("shards were restored")).unwrap_or_default();
    println!("  state_records={}", line.split_once(" state_records=").map_or(line, |(_, rest)| rest).trim());
    let each = |bytes: usize| bytes as f64 / wallets as f64;
    println!(
        "  kuzet.state: {:.0} bytes written an operation, {:.0} bytes a wallet after compaction",
        each(written),
        each(kept)
    );
    println!("  (a consumer that only reads the state takes {:.1} s)", read_in.as_secs_f64());
    instance.end();
}
