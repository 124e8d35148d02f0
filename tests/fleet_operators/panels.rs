//! Dashboards and alerts on a live fleet: every query is answered by a real Prometheus.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{replace, shared, wait_until_ready};
use crate::client;
use crate::cluster::{Cluster, free_ports};
use crate::fleet::{self, Instance, Topics};
use crate::server::Server;

const SEED: u64 = 37;
/// Between two portions of the load.
const PACE: Duration = Duration::from_millis(250);

/// Sends a portion: operations, some of them again, a record that is none, and what people ask for.
fn send_portion(cluster: &Cluster, topics: &Topics, addresses: &[SocketAddr], portion: &[Vec<u8>]) {
    fleet::send(cluster, topics, portion);
    fleet::send(cluster, topics, &portion[..2]);
    fleet::send_raw(cluster, topics, 0, Some(b"{}"));
    for address in addresses {
        // The second instance is between two lives now and then.
        if std::net::TcpStream::connect(address).is_ok() {
            client::get(*address, "/v1/restrictions");
            // Refused, and counted all the same.
            client::post(*address, "/v1/operations", "{}");
            client::post(*address, "/v1/rules/reload", "");
        }
    }
}

/// A fleet of two under load, of which one process comes and goes.
#[test]
fn every_query_of_a_fleet_has_series() {
    println!("seed {SEED}");
    let cluster = shared();
    let topics = Topics::create(&cluster, "panels", 4);
    let folder = tempfile::tempdir().expect("a folder");
    let redis = Server::start();
    let ports = free_ports(2);
    let addresses: Vec<SocketAddr> = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
    let configs: Vec<_> = ["a", "b"]
        .into_iter()
        .zip(&addresses)
        .map(|(name, address)| {
            let config = topics.configure(&cluster, folder.path(), name, 200);
            replace(&config, "127.0.0.1:0", &address.to_string());
            let text = std::fs::read_to_string(&config).expect("a configuration");
            std::fs::write(&config, format!("{text}[redis]\nurl = \"{}\"\n", redis.url())).expect("a configuration");
            config
        })
        .collect();
    let first = Instance::start(&configs[0], None);
    wait_until_ready(&first);
    let mut second = Some(Instance::start(&configs[1], None));
    let list = addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
    let mut queries = Command::new("python3")
        .args(["deploy/check/queries", "--fleet", &list])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let records = fleet::simulated(SEED, 30_000, 300);
    for (turn, portion) in records.chunks(100).enumerate() {
        if queries.try_wait().expect("the state of a process").is_some() {
            break;
        }
        send_portion(&cluster, &topics, &addresses, portion);
        // Shards change hands: each time they are restored.
        if turn % 12 == 11 {
            second.take().expect("the second").end();
            second = Some(Instance::start(&configs[1], None));
        }
        thread::sleep(PACE);
    }
    let output = queries.wait_with_output().expect("the queries end");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    let summary = said.lines().find(|line| line.contains(" queries answered")).expect("a summary");
    println!("{summary}");
    let answered: usize = summary.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
    // Fewer means that some were lost.
    assert!(answered >= 80, "{said}");
    first.end();
}
