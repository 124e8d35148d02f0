//! Records of several producers' styles, and what becomes of those in a partition that is not their wallet's.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{add_settings, shared, top_up, values};
use crate::cluster::Cluster;
use crate::fleet::{self, Instance, Topics};
use crate::kcat;

const WALLETS: usize = 40;

fn wallet(number: usize) -> String {
    format!("7701{number:07}")
}

/// One operation for each wallet, as lines of key, tab and value.
fn lines(style: &str) -> String {
    let line = |number| {
        let wallet = wallet(number);
        format!("{wallet}\t{}\n", top_up(&format!("{style}-{number}"), &wallet))
    };
    (0..WALLETS).map(line).collect()
}

fn feed(mut command: Command, lines: &str) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a producer starts");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("the producer reads");
    assert!(child.wait().expect("the producer ends").success(), "{command:?}");
}

/// Debian's kcat, on librdkafka, with a partitioner of librdkafka's: `consistent` is its own, `murmur2_random`
/// is that of Java's producers.
fn send_by_kcat(cluster: &Cluster, topic: &str, partitioner: &str, lines: &str) {
    let mut kcat = Command::new("timeout");
    kcat.args(["60", "kcat", "-P", "-K", "\t", "-b", &cluster.bootstrap(), "-t", topic]);
    kcat.args(["-X", &format!("topic.partitioner={partitioner}")]);
    feed(kcat, lines);
}

fn send_keyless(cluster: &Cluster, topic: &str, lines: &str) {
    let values: String = lines.lines().filter_map(|line| Some(format!("{}\n", line.split_once('\t')?.1))).collect();
    let mut kcat = Command::new("timeout");
    kcat.args(["60", "kcat", "-P", "-b", &cluster.bootstrap(), "-t", topic]);
    kcat.args(["-X", "sticky.partitioning.linger.ms=0"]);
    feed(kcat, &values);
}

/// Counts decided and refused operations by their style (what stands before the `-` of their ids).
fn outcome(cluster: &Cluster, topics: &Topics) -> BTreeMap<(String, &'static str), usize> {
    let mut counts = BTreeMap::new();
    let style = |op_id: &str| op_id.split('-').next().expect("a style").to_owned();
    for (_, decision) in values(cluster, &topics.name("decisions")) {
        *counts.entry((style(decision["op_id"].as_str().expect("an id")), "decided")).or_default() += 1;
    }
    for (_, refused) in values(cluster, &topics.name("rejected")) {
        let raw: serde_json::Value = serde_json::from_str(refused["raw"].as_str().expect("text")).expect("JSON");
        *counts.entry((style(raw["op_id"].as_str().expect("an id")), "refused")).or_default() += 1;
    }
    counts
}

fn decide(cluster: &Cluster, topics: &Topics, folder: &Path, partitioner: &str) {
    let config = topics.configure(cluster, folder, partitioner, 500);
    add_settings(&config, &format!("partitioner = \"{partitioner}\""));
    let mut instance = Instance::start(&config, None);
    fleet::wait_until_decided(cluster, topics, &mut [&mut instance]);
    instance.end();
}

fn is_all(counts: &BTreeMap<(String, &'static str), usize>, style: &str, what: &'static str) -> bool {
    let count = |what| counts.get(&(style.to_owned(), what)).copied().unwrap_or(0);
    count("decided") + count("refused") == WALLETS && count(what) == WALLETS
}

/// Each of the partitioners of the world's producers is the one that its setting names, and no other.
#[test]
fn a_record_outside_its_partition_is_refused_by_name() {
    let cluster = shared();
    let folder = tempfile::tempdir().expect("a folder");
    for partitioner in ["murmur2", "crc32", "unchecked"] {
        let topics = Topics::create(&cluster, &format!("home-{partitioner}"), 7);
        let name = topics.name("operations");
        send_by_kcat(&cluster, &name, "murmur2_random", &lines("java"));
        send_by_kcat(&cluster, &name, "consistent", &lines("crc"));
        // Without keys partitions are chosen at random.
        send_keyless(&cluster, &name, &lines("keyless"));
        decide(&cluster, &topics, folder.path(), partitioner);

        let counts = outcome(&cluster, &topics);
        let said = format!("{partitioner}: {counts:?}");
        match partitioner {
            "unchecked" => {
                for style in ["java", "crc", "keyless"] {
                    assert!(is_all(&counts, style, "decided"), "{style}, {said}");
                }
            }
            _ => {
                let (right, wrong) = if partitioner == "murmur2" { ("java", "crc") } else { ("crc", "java") };
                assert!(is_all(&counts, right, "decided"), "{said}");
                // By chance some lie where they should.
                for style in [wrong, "keyless"] {
                    let refused = counts.get(&(style.to_owned(), "refused")).copied().unwrap_or(0);
                    let decided = counts.get(&(style.to_owned(), "decided")).copied().unwrap_or(0);
                    assert!(refused > WALLETS / 2 && refused + decided == WALLETS, "{style}, {said}");
                }
            }
        }
        check_refusals(&cluster, &topics, partitioner);
    }
}

/// Every refusal says where the record was, where it belongs, and which setting says so.
fn check_refusals(cluster: &Cluster, topics: &Topics, partitioner: &str) {
    let found = values(cluster, &topics.name("rejected"));
    if partitioner != "unchecked" {
        check_headers(found.iter().map(|(record, _)| record), "rejected");
    }
    for (record, refused) in found {
        let error = &refused["error"];
        let found = refused["partition"].as_i64().expect("a partition");
        let message = error["message"].as_str().expect("a message");
        assert_eq!((error["code"].as_str(), error["field"].as_str()), (Some("wrong_partition"), Some("wallet_id")));
        let (before, after) = (
            format!("found in partition {found}, but only partition "),
            format!(
                " is accepted for this wallet_id (`kafka.partitioner` says how the producers partition: {partitioner})"
            ),
        );
        assert!(message.starts_with(&before) && message.ends_with(&after), "{message}");
        assert_eq!(i64::from(record.partition), found);
        assert!(refused["offset"].is_u64());
    }
}

/// Holds the headers of records against what `kuzet schema asyncapi` says of them.
fn check_headers<'r>(records: impl Iterator<Item = &'r kcat::Record>, message: &str) {
    let document = kuzet::schema::asyncapi();
    let schema = &document["components"]["messages"][message]["headers"];
    let validator = jsonschema::options().should_validate_formats(true).build(schema).expect("a schema");
    let described = schema["properties"].as_object().expect("properties");
    let mut count = 0;
    for record in records {
        let text = |value: &Vec<u8>| String::from_utf8(value.clone()).expect("text").into();
        let headers = record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let headers = serde_json::Value::Object(headers);
        assert!(validator.is_valid(&headers), "{:?}: {headers}", validator.iter_errors(&headers).next());
        let unknown = record.headers.iter().find(|(name, _)| !described.contains_key(name));
        assert_eq!(unknown, None, "a header that is not described");
        count += 1;
    }
    assert!(count > 0);
}

/// The key may be null or the wallet's id; what it is does not matter to the decision.
#[test]
fn a_key_may_be_missing() {
    let cluster = shared();
    let topics = Topics::create(&cluster, "keys", 3);
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..9 {
        let wallet = wallet(number);
        let home = kuzet::operation::partition::Partitioner::Murmur2.partition(wallet.as_bytes(), 3);
        let mut kcat = Command::new("timeout");
        kcat.args(["60", "kcat", "-P", "-b", &cluster.bootstrap(), "-t", &topics.name("operations")]);
        kcat.args(["-p", &home.expect("a partition").to_string()]);
        if number % 3 == 1 {
            kcat.args(["-k", &wallet]);
        }
        if number % 3 == 2 {
            kcat.args(["-k", "another key"]);
        }
        feed(kcat, &format!("{}\n", top_up(&format!("k-{number}"), &wallet)));
    }
    decide(&cluster, &topics, folder.path(), "murmur2");
    let decisions = values(&cluster, &topics.name("decisions"));
    assert_eq!(decisions.len(), 9);
    check_headers(decisions.iter().map(|(record, _)| record), "decision");
    for (record, decision) in decisions {
        // The way out has the wallet's id as its key, whatever the way in had.
        assert_eq!(record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()), decision["wallet_id"].as_str());
    }
}
