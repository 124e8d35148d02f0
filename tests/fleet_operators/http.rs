//! What a fleet answers over HTTP: of its own shards, and of support's actions.

use std::net::SocketAddr;

use serde_json::Value;

use super::{shared, top_up, values, wait_until_ready};
use crate::client;
use crate::fleet::{self, Instance, Topics};
use crate::wait;

/// Returns a metric's value, of the sample whose labels are these.
pub(crate) fn metric(address: SocketAddr, sample: &str) -> Option<f64> {
    let text = String::from_utf8(client::get(address, "/metrics").body).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ').map(str::to_owned));
    line.map(|value| value.parse().expect("a number"))
}

/// Two wallets, one in each of two partitions.
pub(crate) fn wallet_of_each() -> [String; 2] {
    let home = |wallet: &String| {
        kuzet::operation::partition::Partitioner::Murmur2.partition(wallet.as_bytes(), 2).expect("a partition")
    };
    let wallets = (0..).map(|number| format!("7703{number:07}"));
    [0, 1].map(|partition| wallets.clone().find(|wallet| home(wallet) == partition).expect("a wallet"))
}

#[test]
fn each_instance_answers_for_its_own_shards() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "http", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let configs = ["a", "b"].map(|name| topics.configure(&cluster, folder.path(), name, 100));
    let mut instances = configs.each_ref().map(|config| Instance::start(config, None));
    let addresses = instances.each_ref().map(wait_until_ready);
    wait::until("the shards are shared out", || {
        addresses.iter().all(|address| metric(*address, "kuzet_shards") == Some(1.0)).then_some(())
    });
    let wallets = wallet_of_each();
    let records = wallets.each_ref().map(|wallet| top_up(&format!("h-{wallet}"), wallet).into_bytes());
    fleet::send(&cluster, &topics, &records);
    let [a, b] = &mut instances;
    fleet::wait_until_decided(&cluster, &topics, &mut [a, b]);
    let owners = wallets.each_ref().map(|wallet| {
        let answers = addresses.map(|address| client::get(address, &format!("/v1/wallets/{wallet}")));
        let owner = answers.iter().position(|answer| answer.status == 200).expect("an owner");
        assert_eq!(answers[owner].json()["wallet_id"], wallet.as_str());
        let problem = answers[1 - owner].problem(404);
        assert_eq!(problem["detail"], "no operation of this wallet is known; another instance may have its shard");
        owner
    });
    assert_ne!(owners[0], owners[1]);
    for (number, address) in addresses.into_iter().enumerate() {
        let own = owners.iter().position(|owner| *owner == number).expect("a wallet");
        let of_wallet = |wallet: &str| client::get(address, &format!("/v1/decisions?wallet={wallet}")).json();
        // The newest decisions of its own shards are kept, under numbers of its own.
        let page = wait::until("the decision is kept", || {
            Some(of_wallet(&wallets[own]))
                .filter(|page| page["decisions"].as_array().is_some_and(|all| !all.is_empty()))
        });
        assert_eq!((&page["decisions"][0]["seq"], &page["next"]), (&1.into(), &1.into()), "{page}");
        assert!(page["decisions"][0]["amount"].is_string(), "{page}");
        assert_eq!(of_wallet(&wallets[1 - own])["decisions"], Value::Array(Vec::new()));
        assert_eq!(client::get(address, "/v1/decisions?after=2").problem(409)["code"], "other-history");
        let [operations, decisions, rejected] = ["operations", "decisions", "rejected"].map(|kind| topics.name(kind));
        let detail = format!(
            "operations come from the topic {operations}, decisions are in {decisions}, refused records in {rejected}"
        );
        assert_eq!(client::post(address, "/v1/operations", &top_up("no", &wallets[0])).problem(404)["detail"], *detail);
        assert_eq!(client::get(address, "/v1/rejected").problem(404)["detail"], *detail);
        assert_eq!(client::get(address, "/healthz").status, 200);
        assert!(client::get(address, "/v1/rules").json()["rules"].as_array().is_some_and(|rules| rules.len() > 10));
        let of_shards = |name: &str| ["0", "1"].map(|shard| metric(address, &format!("{name}{{shard=\"{shard}\"}}")));
        // Of the own shard, and of no other.
        for name in ["kuzet_consumer_lag_records", "kuzet_shard_halted"] {
            wait::until(name, || of_shards(name).iter().flatten().eq(&[0.0]).then_some(()));
        }
        assert_eq!(metric(address, "kuzet_ready"), Some(1.0));
        assert!(metric(address, "kuzet_transactions_total{result=\"committed\"}") >= Some(1.0));
    }
    support_acts(&topics, &cluster, (addresses, owners), &wallets[0]);
    for instance in instances {
        instance.end();
    }
}

/// Support may ask any instance: the action goes the way of all operations, and the wallet's owner decides it.
fn support_acts(
    topics: &Topics,
    cluster: &crate::cluster::Cluster,
    (addresses, owners): ([SocketAddr; 2], [usize; 2]),
    wallet: &str,
) {
    let (owner, other) = (addresses[owners[0]], addresses[owners[1]]);
    let path = |event: &str| format!("/v1/wallets/{wallet}/{event}");
    let act = |address: SocketAddr, event: &str, body: &str| -> String {
        let answer = client::post(address, &path(event), body);
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["op_id"].as_str().expect("an id").to_owned()
    };
    let decision = |op_id: &str| -> Value {
        wait::until("support's action is decided", || {
            let found = values(cluster, &topics.name("decisions"));
            found.into_iter().find(|(_, decision)| decision["op_id"] == op_id).map(|(_, decision)| decision)
        })
    };
    let disputed = decision(&act(other, "ownership-disputed", r#"{"actor": "aigul"}"#));
    assert_eq!(disputed["wallet_id"], wallet);
    let restrictions = |address| client::get(address, "/v1/restrictions").json()["total"].as_u64();
    wait::until("the restriction is shown", || (restrictions(owner) == Some(1)).then_some(()));
    assert_eq!(restrictions(other), Some(0));
    // Who did it is in the operation, for good.
    let sent = values(cluster, &topics.name("operations"));
    let (record, sent) = sent.iter().find(|(_, sent)| sent["op_id"] == disputed["op_id"]).expect("the operation");
    assert_eq!((&sent["actor"], &sent["source"]), (&Value::from("aigul"), &Value::from("support")));
    assert_eq!(record.key.as_deref(), Some(wallet.as_bytes()));
    let confirmed = decision(&act(owner, "identity-confirmed", r#"{"proof": "identity_document"}"#));
    let commands = confirmed["commands"].as_array().expect("commands");
    assert!(commands.iter().any(|command| command["command"] == "lift"), "{confirmed}");
    wait::until("the restriction is not shown any more", || (restrictions(owner) == Some(0)).then_some(()));
    // What is no operation is refused before it is sent.
    let problem = client::post(owner, &path("identity-confirmed"), r#"{"proof": "a smile"}"#).problem(400);
    assert_eq!(problem["field"], "proof");
    client::post(owner, &path("nothing"), "").problem(404);
}
