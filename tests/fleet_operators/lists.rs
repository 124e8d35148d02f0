//! Lists whose values are sets in Redis.

use crate::command;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use super::{kuzet, replace, shared, values, wait_until_ready};
use crate::client;
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};
use crate::server::Server;
use crate::wait;

const RULE: &str = "rule: flagged-phone
clauses: [\"7.15\"]
title: {kk: \"a\", ru: \"b\", en: \"c\"}
owner: risk
mode: enforce
on: top_up
when: wallet_id in flagged
on_missing: fire
then:
  - report: antifraud_centre
";

/// A folder of one rule and one list.
fn rules(folder: &Path, list: &str) -> std::path::PathBuf {
    let rules = folder.join("rules");
    fs::create_dir_all(rules.join("data")).expect("a folder");
    fs::write(rules.join("flagged-phone.yaml"), RULE).expect("a rule");
    fs::write(rules.join("data/lists.yaml"), format!("lists:\n  flagged: {list}\n")).expect("lists");
    let mrp = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/data/mrp.yaml");
    fs::copy(mrp, rules.join("data/mrp.yaml")).expect("the MRP");
    rules
}

fn check(rules: &Path) -> (i32, String) {
    let output = command::kuzet().arg("check").arg(rules).output().expect("kuzet runs");
    (output.status.code().expect("a code"), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn rule_set(address: SocketAddr) -> String {
    client::get(address, "/v1/rules").json()["ruleset"].as_str().expect("a hash").to_owned()
}

/// Has an operation of a wallet decided; returns how many matches there are, and what was missing.
fn decide(cluster: &Cluster, topics: &Topics, op_id: &str, wallet: &str) -> (usize, Value, Value) {
    fleet::send(cluster, topics, &[super::top_up(op_id, wallet).into_bytes()]);
    let decision = wait::until("a decision is there", || {
        let found = values(cluster, &topics.name("decisions"));
        found.into_iter().find(|(_, decision)| decision["op_id"] == op_id).map(|(_, decision)| decision)
    });
    (decision["matches"].as_array().expect("matches").len(), decision["degraded"].clone(), decision["ruleset"].clone())
}

#[test]
fn a_list_in_redis_is_read_and_followed() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "lists", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let mut redis = Server::start();
    let rules = rules(folder.path(), "{type: wallet, from: redis}");
    let (code, out) = check(&rules);
    assert!(code == 0 && out.contains("not looked at, for they come from Redis: flagged"), "{code} {out}");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    let manifest = env!("CARGO_MANIFEST_DIR");
    replace(&config, &format!("\"{manifest}/rules\""), &format!("\"{}\"\nwatch = false", rules.display()));
    let text = fs::read_to_string(&config).expect("a configuration");
    let with_redis = format!("{text}[redis]\nurl = \"{}\"\nlists_every = \"1s\"\n", redis.url());
    fs::write(&config, &with_redis).expect("a configuration");
    let (listed, other) = ("77080000001", "77080000002");
    let set = |command: &str, wallet: &str| {
        let changed: i64 = redis::cmd(command)
            .arg("kuzet:list:flagged")
            .arg(wallet)
            .query(&mut redis.connection())
            .expect("Redis answers");
        assert_eq!(changed, 1);
    };
    set("SADD", listed);
    let instance = Instance::start(&config, None);
    let address = wait_until_ready(&instance);
    let none = Value::Array(Vec::new());
    let before = rule_set(address);
    let was = |decided: (usize, Value, Value), matches: usize, degraded: &Value, rule_set: &str| {
        assert_eq!(decided, (matches, degraded.clone(), Value::from(rule_set)), "{}", fleet::tail(&instance.log()));
    };
    was(decide(&cluster, &topics, "l-1", listed), 1, &none, &before);
    was(decide(&cluster, &topics, "l-2", other), 0, &none, &before);

    // Another set is another rule set; it is noticed without being told.
    set("SADD", other);
    let after = wait::until("the list is read again", || {
        let now = rule_set(address);
        (now != before).then_some(now)
    });
    was(decide(&cluster, &topics, "l-3", other), 1, &none, &after);
    // Told, it is read at once; the same values are the same set again.
    set("SREM", other);
    assert_eq!(client::post(address, "/v1/rules/reload", "").json()["ruleset"], before.as_str());
    was(decide(&cluster, &topics, "l-4", other), 0, &none, &before);

    // A value that is none: every error is told, the values in use stay.
    let long = "7".repeat(65);
    set("SADD", &long);
    let problem = client::post(address, "/v1/rules/reload", "").problem(422);
    let error = &problem["errors"][0];
    assert_eq!((&error["code"], &error["file"]), (&Value::from("csv-row"), &Value::from("kuzet:list:flagged")));
    assert_eq!(rule_set(address), before);
    set("SREM", &long);

    // Deleted as a whole, it stays in force, until somebody says that it is meant.
    set("DEL", "kuzet:list:nothing");
    assert_eq!(client::post(address, "/v1/rules/reload", "").json()["ruleset"], before.as_str());
    was(decide(&cluster, &topics, "l-5", listed), 1, &none, &before);
    let emptied = client::post(address, "/v1/rules/reload?allow_empty=true", "").json()["ruleset"].clone();
    assert_ne!(emptied, before.as_str());
    let emptied = emptied.as_str().expect("a hash").to_owned();
    was(decide(&cluster, &topics, "l-6", listed), 0, &none, &emptied);
    set("SADD", listed);
    wait::until("the list is there again", || (rule_set(address) == before).then_some(()));
    instance.end();
    away(&cluster, &topics, &config, &mut redis, listed, &before);
}

/// Without Redis at the start the rule follows its `on_missing` and says so, until Redis comes.
fn away(cluster: &Cluster, topics: &Topics, config: &Path, redis: &mut Server, listed: &str, known: &str) {
    redis.kill();
    let instance = Instance::start(config, None);
    let address = wait_until_ready(&instance);
    let unread = rule_set(address);
    assert_ne!(unread, known);
    let (matches, degraded, _) = decide(cluster, topics, "a-1", "77080000003");
    assert_eq!((matches, &degraded), (1, &serde_json::json!(["shared_state"])), "on_missing: fire");
    redis.start_again();
    let added: i64 =
        redis::cmd("SADD").arg("kuzet:list:flagged").arg(listed).query(&mut redis.connection()).expect("Redis answers");
    assert_eq!(added, 1, "this Redis keeps nothing");
    wait::until("the list is read", || (rule_set(address) == known).then_some(()));
    assert_eq!(decide(cluster, topics, "a-2", "77080000003").0, 0);
    // A Redis that goes away takes no list with it.
    redis.kill();
    assert_eq!(client::post(address, "/v1/rules/reload", "").json()["ruleset"], known);
    assert_eq!(decide(cluster, topics, "a-3", listed).0, 1);
    instance.end();
}

/// The embedded service has no Redis: such a list can never be read there.
#[test]
fn the_embedded_service_refuses_a_list_in_redis() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = rules(folder.path(), "{type: wallet, from: redis}");
    let config = folder.path().join("kuzet.toml");
    let text = format!(
        "[rules]\nfolder = \"{}\"\n[store]\npath = \"{}\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
        rules.display(),
        folder.path().join("store").display()
    );
    fs::write(&config, text).expect("a configuration");
    let (code, _, err) = kuzet(&["serve"], &config);
    let words = "flagged of data/lists.yaml come `from: redis`, and only a fleet (source = \"kafka\") has a Redis";
    assert!(code == 64 && err.contains(words), "{code} {err}");
}
