//! Rules that change while a fleet runs.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{replace, shared, top_up, wait_until_ready};
use crate::client;
use crate::fleet::{self, Instance, Topics};
use crate::wait;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// A rule with a window that no shipped rule has.
const RULE: &str = "rule: many-top-ups
clauses: [\"7.15\"]
title: {kk: \"a\", ru: \"b\", en: \"c\"}
owner: risk
mode: shadow
on: top_up
when: count(top_up by wallet within 3h) > 2
then:
  - report: afm
";

/// Gives an instance rules of its own; returns the folder.
fn own_rules(config: &Path, folder: &Path, name: &str) -> std::path::PathBuf {
    let rules = folder.join(format!("rules-{name}"));
    let copied = Command::new("cp").arg("-r").arg(Path::new(ROOT).join("rules")).arg(&rules).status();
    assert!(copied.expect("cp runs").success());
    replace(config, &format!("folder = \"{ROOT}/rules\""), &format!("folder = \"{}\"\nwatch = false", rules.display()));
    rules
}

/// The rule sets that an instance tells of.
fn rule_sets(address: SocketAddr) -> Vec<String> {
    let text = String::from_utf8(client::get(address, "/metrics").body).expect("text");
    let lines = text.lines().filter(|line| line.starts_with("kuzet_ruleset_info{") && line.ends_with(" 1"));
    lines.map(str::to_owned).collect()
}

#[test]
fn rules_change_while_a_fleet_runs() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "reload", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let configs = ["a", "b"].map(|name| topics.configure(&cluster, folder.path(), name, 100));
    let rules = ["a", "b"].map(|name| own_rules(&configs[usize::from(name == "b")], folder.path(), name));
    let mut instances = configs.each_ref().map(|config| Instance::start(config, None));
    let addresses = instances.each_ref().map(wait_until_ready);
    let records: Vec<Vec<u8>> =
        (0..8).map(|number| top_up(&format!("r-{number}"), &format!("7704{number:07}")).into_bytes()).collect();
    fleet::send(&cluster, &topics, &records);
    let [a, b] = &mut instances;
    fleet::wait_until_decided(&cluster, &topics, &mut [a, b]);
    let [one, other] = addresses.map(rule_sets);
    assert!(one.len() == 1 && one == other, "{one:?} {other:?}");

    // Bad rules: the errors come back, the set that runs goes on.
    let added = rules[0].join("behaviour/many-top-ups.yaml");
    fs::write(&added, RULE.replace("3h", "3 hours ago")).expect("a rule");
    let problem = client::post(addresses[0], "/v1/rules/reload", "").problem(422);
    assert!(problem["errors"][0]["file"].as_str().is_some_and(|file| file.ends_with("many-top-ups.yaml")), "{problem}");
    assert_eq!(rule_sets(addresses[0]), one);
    let shown = client::get(addresses[0], "/v1/rules").json();
    assert!(shown["reload_error"]["text"].as_str().is_some_and(|text| text.contains("many-top-ups.yaml")));
    // The same by signal, as a watch would do it.
    let refusals = || instances[0].log().matches("the rules were refused, those in use stay in use").count();
    let before = refusals();
    instances[0].signal("HUP");
    wait::until("another refusal is logged", || (refusals() > before).then_some(()));
    assert_eq!(client::get(addresses[0], "/readyz").status, 200);

    // Good ones: the window is new, so the rule only watches for its length.
    fs::write(&added, RULE).expect("a rule");
    let answer = client::post(addresses[0], "/v1/rules/reload", "").json();
    assert_eq!(answer["changed"], true);
    let rule = |address| client::get(address, "/v1/rules/many-top-ups").json();
    assert_eq!(rule(addresses[0])["state"], "warming");
    assert_eq!(rule(addresses[0])["warming_until"], "2026-03-02T13:00:00Z");
    let [one, other] = addresses.map(rule_sets);
    assert!(one.len() == 1 && other.len() == 1 && one != other, "two sets must be told apart: {one:?} {other:?}");

    // Warming outlives the process: another one reads it in the state.
    let again = || (0..8).map(|number| top_up(&format!("s-{number}"), &format!("7704{number:07}")).into_bytes());
    fleet::send(&cluster, &topics, &again().collect::<Vec<_>>());
    let [a, b] = &mut instances;
    fleet::wait_until_decided(&cluster, &topics, &mut [a, b]);
    let [a, b] = instances;
    b.end();
    a.end();
    let a = Instance::start(&configs[0], None);
    let address = wait_until_ready(&a);
    assert_eq!(rule(address)["state"], "warming");
    let rolled_back = client::post(address, "/v1/rules/rollback", "");
    assert_eq!(rolled_back.problem(409)["detail"], Value::from("there is no rule set before the present one"));
    a.end();
}
