//! What operators and other teams meet of a fleet, on a real Kafka and a real Redis: records that lie wrongly,
//! the commands for topics, HTTP, reloads, Kafka away, retention, other versions and other partition counts.
#![expect(clippy::print_stdout, reason = "seeds and times belong in the test's output")]

mod away;
mod halts;
mod http;
mod lists;
mod panels;
mod partitioner;
mod reload;
mod secure;
mod topics;
mod upgrade;

use crate::client;
use crate::kcat;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::command;
use crate::fleet::{self, Instance};
use crate::turn::{self, Shared};
use serde_json::Value;

/// Whose turn it is: that of all modules below.
const MODULE: &str = module_path!();

/// The broker of these tests, which take turns.
fn shared() -> Shared {
    turn::shared(MODULE, &[])
}

/// Runs kuzet; returns its exit code, what it printed, and what it complained of.
fn kuzet(arguments: &[&str], config: &Path) -> (i32, String, String) {
    let output = command::kuzet().args(arguments).arg("--config").arg(config).output().expect("kuzet runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

/// Puts lines into the section `[kafka]` of a configuration.
fn add_settings(config: &Path, lines: &str) {
    replace(config, "[kafka]\n", &format!("[kafka]\n{lines}\n"));
}

fn replace(config: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(config).expect("a configuration");
    assert!(text.contains(from), "{from} is not in\n{text}");
    fs::write(config, text.replacen(from, to, 1)).expect("a configuration");
}

/// Waits until something is there.
#[track_caller]
fn wait_for<T>(instance: &Instance, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < fleet::WAIT, "{what}\n{}", fleet::tail(&instance.log()));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until an instance listens; returns where.
fn address(instance: &Instance) -> SocketAddr {
    wait_for(instance, "kuzet does not listen", || {
        let log = instance.log();
        let (_, rest) = log.split_once("address=")?;
        rest.split(' ').next()?.parse().ok()
    })
}

/// Waits until an instance decides.
#[track_caller]
fn wait_until_ready(instance: &Instance) -> SocketAddr {
    let address = address(instance);
    wait_for(instance, "kuzet is not ready", || (client::get(address, "/readyz").status == 200).then_some(()));
    address
}

/// Waits until an instance cannot decide for a reason with these words; returns it.
#[track_caller]
fn wait_until_unready(instance: &Instance, words: &str) -> String {
    let address = address(instance);
    let what = format!("/readyz does not say \"{words}\"");
    wait_for(instance, &what, || {
        let answer = client::get(address, "/readyz");
        let detail = answer.json()["detail"].as_str()?.to_owned();
        (answer.status == 503 && detail.contains(words)).then_some(detail)
    })
}

/// Ends an instance as an operator does.
#[track_caller]
fn end(instance: Instance) -> Duration {
    let begun = Instant::now();
    let log = instance.log();
    instance.signal("TERM");
    let status = instance.wait(Duration::from_secs(20));
    assert!(status.success(), "{status}\n{}", fleet::tail(&log));
    begun.elapsed()
}

/// Returns the committed values of a topic, whatever their partition.
fn values(cluster: &Cluster, topic: &str) -> Vec<(kcat::Record, Value)> {
    let found = kcat::read_committed(&cluster.bootstrap(), topic);
    let json = |record: kcat::Record| {
        let value = serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON");
        (record, value)
    };
    found.into_values().flatten().map(json).collect()
}

/// A top-up of a wallet.
fn top_up(op_id: &str, wallet: &str) -> String {
    format!(
        r#"{{"op_id":"{op_id}","type":"top_up","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"{wallet}","amount":"100.00","currency":"KZT"}}"#
    )
}
