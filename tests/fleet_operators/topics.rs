//! `kuzet kafka topics` and `kuzet kafka verify`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::{add_settings, kuzet, replace, shared, top_up, values};
use crate::cluster::{Cluster, block_on};
use crate::fleet::{self, Instance, Topics};

/// Returns a topic's settings as Kafka has them.
fn settings_of(cluster: &Cluster, topic: &str) -> BTreeMap<String, String> {
    let admin: AdminClient<DefaultClientContext> = cluster.client().create().expect("a client");
    let found = block_on(admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new()));
    let resource = found.expect("an answer").remove(0).expect("the settings");
    resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

/// A configuration whose topics begin with a prefix; nothing is made.
fn configure(cluster: &Cluster, folder: &Path, prefix: &str) -> std::path::PathBuf {
    Topics::named(prefix, 5).configure(cluster, folder, prefix, 100)
}

#[test]
fn topics_are_made_as_they_must_be() {
    let cluster = shared();
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(&cluster, folder.path(), "made");
    let (code, out, _) = kuzet(&["kafka", "topics", "--check"], &config);
    let missing = |kind: &str| format!("made.{kind}: there is no such topic; --create makes it\n");
    let kinds = ["operations", "decisions", "rejected", "state"];
    assert_eq!((code, out), (1, kinds.map(missing).concat()));

    let (code, out, err) = kuzet(&["kafka", "topics", "--create", "--partitions", "5"], &config);
    let made = kinds.map(|kind| format!("made.{kind}: made\n")).concat();
    assert_eq!((code, out), (0, format!("{made}the topics can be used\n")), "{err}");
    let days = |days: u64| (days * 86_400_000).to_string();
    for (kind, policy, kept) in [
        ("operations", "delete", days(90)),
        ("decisions", "delete", days(1_826)),
        ("rejected", "delete", days(90)),
        ("state", "compact", settings_of(&cluster, "made.state")["retention.ms"].clone()),
    ] {
        let found = settings_of(&cluster, &format!("made.{kind}"));
        assert_eq!((found["cleanup.policy"].as_str(), &found["retention.ms"]), (policy, &kept), "{kind}");
        // One broker has one copy.
        assert_eq!(found["min.insync.replicas"], "1");
    }
    let (code, out, _) = kuzet(&["kafka", "topics", "--create"], &config);
    let there = kinds.map(|kind| format!("made.{kind}: was there already\n")).concat();
    assert_eq!((code, out), (0, format!("{there}the topics can be used\n")));
    // What is asked for may change later.
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("{text}[store]\nretention_decisions = \"1827d\"\n")).expect("a configuration");
    let (code, out, _) = kuzet(&["kafka", "topics", "--check"], &config);
    let wanted = format!(
        "made.decisions: found retention.ms={}, but kuzet.toml asks for {} or more\n",
        days(1_826),
        days(1_827)
    );
    assert_eq!((code, out), (1, wanted));
}

#[test]
fn every_wrong_setting_of_a_topic_is_told() {
    let cluster = shared();
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(&cluster, folder.path(), "wrong");
    cluster.create_topic("wrong.operations", 5, &[("retention.ms", "3600000")]);
    cluster.create_topic("wrong.decisions", 4, &[("retention.ms", "-1"), ("retention.bytes", "1000000")]);
    cluster.create_topic("wrong.rejected", 5, &[("retention.ms", "-1"), ("max.message.bytes", "5000")]);
    cluster.create_topic("wrong.state", 6, &[("unclean.leader.election.enable", "true")]);
    let (code, out, _) = kuzet(&["kafka", "topics", "--check"], &config);
    let wanted = [
        "wrong.decisions: found 4 partitions, but wrong.operations has 5, and all topics need the same number",
        "wrong.state: found 6 partitions, but wrong.operations has 5, and all topics need the same number",
        "wrong.operations: found retention.ms=3600000, but kuzet.toml asks for 7776000000 or more",
        "wrong.decisions: found retention.bytes=1000000, but only -1 keeps records for as long as is asked for",
        "wrong.rejected: found max.message.bytes=5000, but records have up to 1000000 bytes",
        "wrong.state: found cleanup.policy=delete, but only compact loses nothing here",
        "wrong.state: found unclean.leader.election.enable=true, but only false loses nothing",
    ];
    assert_eq!((code, out), (1, wanted.map(|line| format!("{line}\n")).concat()));
}

/// Usage, configuration and a Kafka that is away have exit codes and texts of their own.
#[test]
fn what_cannot_be_asked_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("kuzet.toml");
    let cases: [(&[&str], &str, i32, &str); 4] = [
        (&["kafka", "topics"], "", 2, "--create"),
        (
            &["kafka", "topics", "--create", "--partitions", "0"],
            "[kafka]\nbrokers = \"127.0.0.1:1\"\n",
            2,
            "at least 1",
        ),
        (&["kafka", "topics", "--check"], "", 64, "the source \"kafka\" needs `brokers` in [kafka]"),
        (&["kafka", "verify"], "[kafka]\nbrokers = \"127.0.0.1:1\"\nproperties_file = \"nowhere\"\n", 64, "nowhere"),
    ];
    for (arguments, text, code, words) in cases {
        fs::write(&config, text).expect("a configuration");
        let (found, out, err) = kuzet(arguments, &config);
        assert!(found == code && err.contains(words), "{arguments:?}: {found}\n{out}{err}");
    }
}

#[test]
fn verify_tells_each_shard_and_names_a_mismatch() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "verify", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let config = topics.configure(&cluster, folder.path(), "a", 100);
    let (code, out, _) = kuzet(&["kafka", "verify"], &config);
    let unused =
        "shard 0: next offset 0, lag 0, decisions 0, sound\nshard 1: next offset 0, lag 0, decisions 0, sound\n";
    assert_eq!((code, out.as_str()), (0, unused));

    let records: Vec<Vec<u8>> =
        (0..12).map(|number| top_up(&format!("v-{number}"), &format!("7702{number:07}")).into_bytes()).collect();
    fleet::send(&cluster, &topics, &records);
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(&cluster, &topics, &mut [&mut instance]);
    instance.end();
    let mut decided = [0, 0];
    for (record, _) in values(&cluster, &topics.name("decisions")) {
        decided[usize::try_from(record.partition).expect("a partition")] += 1;
    }
    assert!(decided[0] > 0 && decided[1] > 0 && decided[0] + decided[1] == 12, "{decided:?}");
    let later = top_up("later", "77020000000").into_bytes();
    fleet::send(&cluster, &topics, &[later]);
    let (code, out, _) = kuzet(&["kafka", "verify"], &config);
    let lags: Vec<bool> = (0..2)
        .map(|shard| {
            let count = decided[shard];
            let line = |lag| format!("shard {shard}: next offset {count}, lag {lag}, decisions {count}, sound\n");
            assert!(out.contains(&line(0)) || out.contains(&line(1)), "{out}");
            out.contains(&line(1))
        })
        .collect();
    assert!(code == 0 && lags[0] != lags[1], "{code}\n{out}");

    // Somebody sets the group's offset of shard 1 back by one.
    let mut client = cluster.client();
    client.set("group.id", topics.group());
    let consumer: rdkafka::consumer::BaseConsumer = client.create().expect("a consumer");
    let mut list = rdkafka::TopicPartitionList::new();
    let back = rdkafka::Offset::Offset(decided[1] - 1);
    list.add_partition_offset(&topics.name("operations"), 1, back).expect("an offset");
    rdkafka::consumer::Consumer::commit(&consumer, &list, rdkafka::consumer::CommitMode::Sync)
        .expect("an offset is set");
    let (code, out, _) = kuzet(&["kafka", "verify"], &config);
    let named = format!("; the state goes on at offset {}, but the group's offset is {}\n", decided[1], decided[1] - 1);
    assert!(code == 1 && out.lines().nth(1).is_some_and(|line| format!("{line}\n").ends_with(&named)), "{code}\n{out}");
    add_settings(&config, "partitioner = \"crc32\"");
    replace(&config, "verify.state", "verify.nowhere");
    let (code, _, err) = kuzet(&["kafka", "verify"], &config);
    assert!(
        code == 64 && err.contains("verify.nowhere") && err.contains("kuzet kafka topics --create"),
        "{code} {err}"
    );
}
