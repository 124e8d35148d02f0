//! A build without the feature `kafka`, as analysts may have it: what needs Kafka says so.
//!
//! `cargo test --no-default-features --test commands` runs this.

use std::fs;

use crate::command::kuzet;

#[test]
fn a_configuration_that_needs_kafka_is_refused_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "source = \"kafka\"\n[kafka]\nbrokers = \"kafka:9092\"\ninstance = \"kuzet-1\"\n";
    fs::write(folder.path().join("kuzet.toml"), text).expect("a configuration");
    for arguments in [["config", "check"].as_slice(), &["serve"]] {
        let output = kuzet().args(arguments).current_dir(folder.path()).output().expect("kuzet runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{told}");
        for wanted in ["built without Kafka (feature `kafka`)", "kuzet.toml:1", "accepted here: \"http\""] {
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
    }
}

#[test]
fn the_topic_of_decisions_cannot_be_checked() {
    let output = kuzet().args(["ledger-check", "--brokers", "kafka:9092"]).output().expect("kuzet runs");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("built without Kafka"), "{output:?}");
}

#[test]
fn the_build_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = kuzet().args(["config", "check"]).current_dir(folder.path()).output().expect("kuzet runs");
    let (told, redis) = (String::from_utf8_lossy(&output.stdout).into_owned(), cfg!(feature = "redis"));
    let wanted = if redis { "built with: redis\n" } else { "built with: neither kafka nor redis\n" };
    assert!(told.ends_with(wanted), "{told}");
}
