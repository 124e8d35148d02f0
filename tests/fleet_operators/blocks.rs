//! Blocks that one shard places and another asks for, when Redis is away and every process begins anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use kuzet::operation::partition::Partitioner;
use serde_json::{Value, json};

use super::http::metric;
use super::{shared, values, wait_until_ready};
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};
use crate::kcat;
use crate::server::Server;
use crate::wait;

const ADDRESSES: [&str; 2] = ["95.56.234.10", "95.56.234.11"];
/// One that one shard blocks and the other sets free.
const LIFTED: &str = "95.56.234.12";

/// Two processes of a fleet, one shard each.
struct Pair<'c> {
    cluster: &'c Cluster,
    topics: Topics,
    configs: [PathBuf; 2],
    running: Vec<Instance>,
    sent: usize,
}

impl Pair<'_> {
    fn start(&mut self) {
        self.running = self.configs.iter().map(|config| Instance::start(config, None)).collect();
        let addresses: Vec<_> = self.running.iter().map(wait_until_ready).collect();
        wait::until("each process has a shard", || {
            addresses.iter().all(|address| metric(*address, "kuzet_shards") == Some(1.0)).then_some(())
        });
    }

    /// Ends both as `kill -9` does.
    fn kill(&mut self) {
        for instance in self.running.drain(..) {
            instance.signal("KILL");
            instance.wait();
        }
    }

    fn logs(&self) -> String {
        self.running.iter().map(|instance| fleet::tail(&instance.log())).collect()
    }

    /// Has operations decided, each after the one before it.
    fn decide(&mut self, operations: &[Value]) -> Vec<Told> {
        operations.iter().map(|operation| told(&self.decide_one(operation))).collect()
    }

    fn decide_one(&mut self, operation: &Value) -> Value {
        let mut operation = operation.clone();
        self.sent += 1;
        let op_id = format!("op-{}", self.sent);
        operation["op_id"] = op_id.as_str().into();
        operation["occurred_at"] = format!("2026-03-02T10:{:02}:{:02}Z", self.sent / 60, self.sent % 60).into();
        fleet::send(self.cluster, &self.topics, &[operation.to_string().into_bytes()]);
        wait::until("a decision is there", || {
            let found = values(self.cluster, &self.topics.name("decisions"));
            found.into_iter().find(|(_, decision)| decision["op_id"] == *op_id).map(|(_, decision)| decision)
        })
    }
}

fn transfer(from: &str, to: &str) -> Value {
    json!({"type": "transfer", "wallet_id": from, "client_status": "identified", "amount": "100.00",
           "counterparty": {"kind": "client", "wallet_id": to}})
}

fn login(wallet: &str, address: &str, outcome: &str) -> Value {
    json!({"type": "login", "wallet_id": wallet, "ip": address, "device_id": "d-1", "outcome": outcome})
}

/// The verdict, the rules that refuse, and whether shared state was missing.
type Told = (String, Vec<String>, bool);

fn told(decision: &Value) -> Told {
    let commands = decision["commands"].as_array().expect("commands");
    let rules = commands.iter().filter(|command| command["command"] == "refuse");
    let rules = rules.map(|command| command["rule"].as_str().expect("a rule").to_owned()).collect();
    let is_degraded = decision["degraded"].as_array().is_some_and(|inputs| inputs.contains(&json!("shared_state")));
    (decision["verdict"].as_str().expect("a verdict").to_owned(), rules, is_degraded)
}

/// Wallets of two partitions, as many of each.
fn wallets(count: usize) -> [Vec<String>; 2] {
    let home = |wallet: &String| Partitioner::Murmur2.partition(wallet.as_bytes(), 2).expect("a partition");
    let numbers = (0..).map(|number| format!("7706{number:07}"));
    [0, 1].map(|partition| numbers.clone().filter(|wallet| home(wallet) == partition).take(count).collect())
}

#[test]
fn what_others_blocked_stays_in_force_over_a_restart_without_redis() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "blocks", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let mut redis = Server::start();
    let configs = ["a", "b"].map(|name| topics.configure(&cluster, folder.path(), name, 100));
    for config in &configs {
        let text = fs::read_to_string(config).expect("a configuration");
        fs::write(config, format!("{text}[redis]\nurl = \"{}\"\n", redis.url())).expect("a configuration");
    }
    let mut pair = Pair { cluster: &cluster, topics, configs, running: Vec::new(), sent: 0 };
    let wallets = wallets(2);
    let [blocked, free] = [0, 1].map(|which| [&wallets[0][which], &wallets[1][which]]);
    pair.start();
    // A client's own wish blocks the wallet, six wrong passwords the address: one of each in each shard.
    for (wallet, address) in blocked.iter().zip(ADDRESSES) {
        pair.decide(&vec![login(wallet, address, "failure"); 6]);
        pair.decide(&[json!({"type": "wallet_block_requested", "wallet_id": wallet})]);
    }
    pair.decide(&vec![login(free[0], LIFTED, "failure"); 6]);
    pair.decide(&[json!({"type": "ip_unblock_requested", "wallet_id": free[1], "ip": LIFTED})]);
    let asked = [
        transfer(free[0], blocked[1]),
        transfer(free[1], blocked[0]),
        login(free[0], ADDRESSES[1], "success"),
        login(free[1], ADDRESSES[0], "success"),
        login(free[0], LIFTED, "success"),
    ];
    let expected = |is_degraded| {
        let refused = |rule: &str| ("refuse".to_owned(), vec![rule.to_owned()], is_degraded);
        let (wallet, address) = ("client-voluntary-block", "wrong-password-ip-block");
        let allowed = ("allow".to_owned(), Vec::new(), is_degraded);
        [refused(wallet), refused(wallet), refused(address), refused(address), allowed]
    };
    assert_eq!(pair.decide(&asked), expected(false));

    redis.kill();
    pair.kill();
    pair.start();
    assert_eq!(pair.decide(&asked), expected(true), "{}", pair.logs());

    // What is free again by the time that Redis is back is free.
    redis.start_again();
    wait::until("Redis is given its blocks", || pair.logs().contains("was given its blocks").then_some(()));
    pair.decide(&blocked.map(|wallet| json!({"type": "wallet_unblock_requested", "wallet_id": wallet})));
    // Nobody pays them meanwhile: it is noticed all the same, and noted with what is decided next.
    let state = pair.topics.name("state");
    wait::until("nothing is seen of wallets any more", || {
        pair.decide(&free.map(|wallet| json!({"type": "top_up", "wallet_id": wallet, "amount": "1.00"})));
        let mut notes = BTreeMap::new();
        for record in kcat::read_committed(&cluster.bootstrap(), &state).into_values().flatten() {
            notes.insert((record.partition, record.key.unwrap_or_default()), record.value.is_some());
        }
        let of_wallets = notes.iter().filter(|((_, key), _)| key.starts_with(b"note:seen:w:"));
        let are_there: Vec<bool> = of_wallets.map(|(_, is_there)| *is_there).collect();
        (are_there == [false, false]).then_some(())
    });
    let freed = &asked[..2];
    let allowed = |told: &Told| told.0 == "allow" && told.1.is_empty();
    redis.kill();
    pair.kill();
    pair.start();
    assert!(pair.decide(freed).iter().all(allowed), "{}", pair.logs());
}
