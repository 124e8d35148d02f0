//! What a ledger is given to prove the stream of decisions and to follow it, on a real Kafka.
#![expect(clippy::print_stdout, reason = "seeds belong in the test's output")]

mod books;
mod faults;

use crate::command::kuzet;
use crate::kcat;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::decided::{self, Decided};
use crate::turn::{self, Shared};
use books::{Books, Subscriber};
use kuzet::operation::Time;
use kuzet::simulate::{Parameters, Simulation};
use rdkafka::producer::Producer as _;

const SEED: u64 = 11;

/// The broker of these tests, which take turns.
fn shared() -> Shared {
    turn::shared(module_path!(), &[])
}

/// Decisions on simulated operations, a fifth of them parts of fraud.
fn simulated(operations: u64, shards: i32) -> Vec<Decided> {
    println!("seed {SEED}");
    let start = Time::parse_rfc3339("2026-03-02T00:00:00+05:00").expect("a time");
    let parameters = Parameters { wallets: 60, operations, seed: SEED, start, days: Some(30), fraud_per_mille: 200 };
    let mut simulation = Simulation::new(parameters).expect("sound parameters");
    let mut lines = Vec::new();
    while simulation.next_into(&mut lines) {}
    decided::decide(&lines, shards)
}

/// Runs `kuzet ledger-check`; returns the exit code, standard output and standard error.
fn check(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = kuzet()
        .arg("ledger-check")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kuzet runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("kuzet ends");
    // Whoever does not read its input closes it.
    writer.join().expect("the writer ends").ok();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_sound_stream_has_no_findings() {
    let (found, totals) = faults::check(&faults::stream());
    assert_eq!(found, []);
    assert!(totals.commands.iter().all(|count| *count > 0), "a kind of command is missing: {totals:?}");
    let (found, totals) = faults::check(&simulated(5_000, 3));
    assert_eq!(found, []);
    assert_eq!(totals.records, 5_000);
}

/// Each fault, and every finding it leads to.
#[test]
fn every_planted_fault_is_found() {
    let mut text = String::new();
    for (name, plant) in faults::FAULTS {
        let mut records = faults::stream();
        plant(&mut records);
        let (found, _) = faults::check(&records);
        assert!(!found.is_empty(), "{name}: nothing is found");
        writeln!(text, "{name}").expect("a string can be written");
        for finding in found {
            writeln!(text, "    {finding}").expect("a string can be written");
        }
    }
    // The hash changes with every rule.
    let ruleset = faults::stream()[0].header_mut("kuzet-ruleset").clone();
    insta::assert_snapshot!(text.replace(&ruleset, "(the rule set)"));
}

#[test]
fn what_a_replay_writes_can_be_checked() {
    let records = simulated(5_000, 1);
    let mut lines: Vec<u8> = Vec::new();
    for record in &records {
        lines.extend_from_slice(&record.value);
        lines.push(b'\n');
    }
    let (code, out, err) = check(&["-"], &lines);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("shard 0: seq 1–5000, 5000 decisions\n"), "{out}");
    // The stream over HTTP has numbers of its own, and begins where its reader asks.
    let numbered: Vec<u8> = records[100..]
        .iter()
        .enumerate()
        .flat_map(|(index, record)| {
            let rest = String::from_utf8_lossy(&record.value[1..]).into_owned();
            format!("{{\"seq\":{},{rest}\n", index + 101).into_bytes()
        })
        .collect();
    let (code, out, err) = check(&["-"], &numbered);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("shard 0: seq 101–5000, 4900 decisions; retention has removed what was before\n"), "{out}");
}

#[test]
fn a_topic_of_a_real_kafka_is_checked() {
    let cluster = shared();
    let (bootstrap, topic) = (cluster.bootstrap(), "wallet.decisions");
    cluster.create_topic(topic, 3, &[]);
    let records = simulated(6_000, 3);
    let (earlier, later) = records.split_at(5_900);
    let producer = decided::producer(&cluster, "engine");
    decided::publish(&producer, topic, earlier, 64);
    let on_topic = ["--brokers", &bootstrap, "--topic", topic];

    // An open transaction is not part of the stream yet.
    decided::send(&producer, topic, later);
    let (code, out, err) = check(&on_topic, b"");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("5900 records of "), "{out}");
    producer.commit_transaction(Duration::from_secs(60)).expect("a commit");
    let (code, out, err) = check(&on_topic, b"");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("6000 records of "), "{out}");

    // Another reader finds the same bytes, and the check the same in what that reader writes.
    let by_partition = kcat::read_committed(&bootstrap, topic);
    for (partition, found) in &by_partition {
        let sent: Vec<&Decided> = records.iter().filter(|record| record.partition == *partition).collect();
        assert_eq!(found.len(), sent.len());
        for (found, sent) in found.iter().zip(sent) {
            assert_eq!(found.value.as_deref(), Some(sent.value.as_slice()));
            assert_eq!(found.key.as_deref(), Some(sent.key.as_slice()));
            assert_eq!(
                found.header("kuzet-seq"),
                sent.headers.iter().find(|(n, _)| n == "kuzet-seq").map(|(_, v)| v.as_str())
            );
        }
    }
    let kcat = ["-C", "-e", "-q", "-J", "-b", &bootstrap, "-t", topic, "-X", "isolation.level=read_committed"];
    let lines = Command::new("kcat").args(kcat).output().expect("kcat runs").stdout;
    // Partitions come in any order.
    let sorted = |out: &str| {
        let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (code, of_file, _) = check(&["-"], &lines);
    assert_eq!((code, sorted(&of_file)), (Some(0), sorted(&out)));

    // Retention removes the beginning: no finding, and it is said.
    cluster.delete_records(topic, &[(0, 1_000), (2, 500)]);
    let (code, out, err) = check(&on_topic, b"");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out.matches("retention has removed what was before").count(), 2, "{out}");

    // One record that nobody decided.
    let mut lost = records[0].clone();
    *lost.header_mut("kuzet-seq") = "1000000".to_owned();
    decided::publish(&producer, topic, &[lost], 1);
    let (code, out, _) = check(&on_topic, b"");
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("999999 is missing\n"), "{out}");
}

#[test]
fn what_cannot_be_read_exits_64_and_says_why() {
    let cluster = shared();
    let bootstrap = cluster.bootstrap();
    let run = |arguments: &[&str]| {
        let (code, out, err) = check(arguments, b"");
        assert_eq!((code, out.as_str()), (Some(64), ""), "{err}");
        err
    };
    let err = run(&["--brokers", "127.0.0.1:1"]);
    assert!(err.starts_with("kuzet: failed to reach Kafka at 127.0.0.1:1: "), "{err}");
    assert!(err.contains("Connection refused"), "{err}");
    let err = run(&["--brokers", &bootstrap, "--topic", "nothing"]);
    assert!(err.contains("failed to find the topic nothing"), "{err}");
    let err = run(&["--brokers", &bootstrap, "--command-config", "sasl.pasword=secret"]);
    assert!(err.contains("failed to use the Kafka setting sasl.pasword"), "{err}");
    assert!(!err.contains("secret"), "{err}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("client.properties");
    std::fs::write(&file, "# no such protocol\nsecurity.protocol = none\n").expect("a file");
    let err = run(&["--brokers", &bootstrap, "--command-config", &file.display().to_string()]);
    assert!(err.contains("security.protocol"), "{err}");
}

/// Killed again and again while it books, the reference subscriber ends with the books of the whole stream.
#[test]
fn a_subscriber_that_is_killed_keeps_right_books() {
    let cluster = shared();
    let (bootstrap, topic) = (cluster.bootstrap(), "of.the.subscriber");
    cluster.create_topic(topic, 3, &[]);
    let records = simulated(6_000, 3);
    let producer = decided::producer(&cluster, "engine.of.the.subscriber");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("books.sqlite");
    let mut published = 0;
    for (round, part) in records.chunks(1_000).enumerate() {
        let mut subscriber = Subscriber::start(&file, &bootstrap, topic, &[]);
        // It follows while the records come; what is aborted it never sees.
        decided::publish(&producer, topic, part, 40);
        published += part.len();
        let kill_at = 100 + 130 * u64::try_from(round).expect("a small number");
        let booked = subscriber.wait_for(kill_at);
        subscriber.kill();
        println!("round {round}: killed after {booked} of {published} published");
    }
    let (code, err) = Subscriber::start(&file, &bootstrap, topic, &["--until-end"]).wait();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = Books::of(&records);
    for state in ["done", "waiting", "refused", "cancelled"] {
        let is_met = expected.operations.values().any(|found| found == state);
        assert!(is_met || state == "cancelled", "no operation is {state}");
    }
    assert_eq!(Books::kept(&file), expected);

    // Read again from the beginning, nothing is done twice.
    let (code, err) = Subscriber::start(&file, &bootstrap, topic, &["--until-end", "--from-beginning"]).wait();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(Books::kept(&file), expected);

    // Of another history it books nothing: the same numbers stand for other decisions there.
    let (other, many) = ("of.another.history", &records[..50]);
    cluster.create_topic(other, 3, &[]);
    let named = |epoch: &str| -> Vec<Decided> {
        let with = |record: &Decided| {
            let mut record = record.clone();
            *record.header_mut("kuzet-epoch") = epoch.to_owned();
            record
        };
        many.iter().map(with).collect()
    };
    decided::publish(&producer, other, &named("0123456789abcdef"), 10);
    let books = folder.path().join("of-another.sqlite");
    let (code, err) = Subscriber::start(&books, &bootstrap, other, &["--until-end"]).wait();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let before = Books::kept(&books);
    decided::publish(&producer, other, &named("fedcba9876543210")[..1], 1);
    let (code, err) = Subscriber::start(&books, &bootstrap, other, &["--until-end"]).wait();
    assert_eq!(code, Some(5), "{err}");
    assert!(err.contains("is of the history fedcba9876543210, the books are of 0123456789abcdef"), "{err}");
    assert_eq!(Books::kept(&books), before);
    let (code, out, _) = check(&["--brokers", &bootstrap, "--topic", other], b"");
    assert_eq!(code, Some(1), "{out}");
    let told = "other-history: it is of the history fedcba9876543210, those before it of 0123456789abcdef";
    assert!(out.contains(told), "{out}");

    // Behind a gap it books nothing.
    let mut lost = records[0].clone();
    *lost.header_mut("kuzet-seq") = "1000000".to_owned();
    decided::publish(&producer, topic, &[lost], 1);
    let (code, err) = Subscriber::start(&file, &bootstrap, topic, &["--until-end"]).wait();
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("seq 1000000 at partition"), "{err}");
    assert_eq!(Books::kept(&file), expected);
}

/// Every kind of command, and the lifting of an address block that may be read before its placing.
#[test]
fn a_subscriber_books_every_kind_of_command() {
    let cluster = shared();
    let (bootstrap, topic) = (cluster.bootstrap(), "of.all.kinds");
    cluster.create_topic(topic, 3, &[]);
    let records = faults::stream();
    let producer = decided::producer(&cluster, "engine.of.all.kinds");
    decided::publish(&producer, topic, &records, 5);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("books.sqlite");
    let (code, err) = Subscriber::start(&file, &bootstrap, topic, &["--until-end"]).wait();
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = Books::of(&records);
    assert_eq!(Books::kept(&file), expected);
    let states: std::collections::BTreeSet<&str> = expected.operations.values().map(String::as_str).collect();
    assert_eq!(states.into_iter().collect::<Vec<_>>(), ["cancelled", "done", "refused"]);
    let states: std::collections::BTreeSet<&str> = expected.restrictions.values().map(|row| row[5].as_str()).collect();
    assert_eq!(states.into_iter().collect::<Vec<_>>(), ["active", "ended", "lifted"]);
}
