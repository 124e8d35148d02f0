//! What operators and other teams meet of a fleet, on a real Kafka and a real Redis: records that lie wrongly,
//! the commands for topics, HTTP, reloads, Kafka away, retention, other versions and other partition counts.
#![expect(clippy::print_stdout, reason = "seeds and times belong in the test's output")]

mod away;
mod blocks;
mod halts;
mod history;
mod http;
mod lists;
mod panels;
mod partitioner;
mod redrive;
mod reload;
mod secure;
mod topics;
mod upgrade;

use crate::client;
use crate::kcat;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::cluster::Cluster;
use crate::command;
use crate::fleet::Instance;
use crate::turn::{self, Shared};
use crate::wait;
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

/// Waits until an instance listens; returns where.
#[track_caller]
fn address(instance: &Instance) -> SocketAddr {
    wait::until("kuzet says where it listens", || {
        let log = instance.log();
        let (_, rest) = log.split_once("address=")?;
        rest.split(' ').next()?.parse().ok()
    })
}

/// Waits until an instance decides.
#[track_caller]
fn wait_until_ready(instance: &Instance) -> SocketAddr {
    let address = address(instance);
    wait::until("kuzet is ready", || (client::get(address, "/readyz").status == 200).then_some(()));
    address
}

/// Waits until an instance cannot decide for a reason with these words; returns it.
#[track_caller]
fn wait_until_unready(instance: &Instance, words: &str) -> String {
    let address = address(instance);
    wait::until(&format!("/readyz says \"{words}\""), || {
        let answer = client::get(address, "/readyz");
        let detail = answer.json()["detail"].as_str()?.to_owned();
        (answer.status == 503 && detail.contains(words)).then_some(detail)
    })
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
