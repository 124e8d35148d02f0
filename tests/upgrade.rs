//! A store written by an earlier version of the format goes on where it stood.
//!
//! `tests/data/store-v1` was written by this file (`KUZET_WRITE_FIXTURE=1`) when the format had version 1:
//! the store as it was after a stop, the rules of that moment, the operations that came next and what was
//! decided on them. A change of any stored format must read it, or raise the version and convert: version 2
//! reads what version 1 wrote.
#![expect(clippy::print_stdout, reason = "what was read belongs in the test's output")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kuzet::adapters::folders::Folder;
use kuzet::adapters::store::{FILE, Store, Stream};
use kuzet::app;
use kuzet::geo::Geo;
use kuzet::operation::Time;
use kuzet::rules::program::RuleSet;
use kuzet::service::{LoadRules, Service, ServiceSettings, Unobserved};
use kuzet::simulate::{Parameters, Simulation};

use crate::stacked;

const CACHE_BYTES: usize = 4 << 20;
const OPERATIONS: u64 = 1_500;
/// Left for the program that reads the fixture.
const NEXT: usize = 400;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-v1")
}

fn rules(folder: PathBuf) -> RuleSet {
    app::load_rules(&Folder::Path(folder)).expect("rules")
}

fn now() -> Time {
    Time::parse_rfc3339("2026-06-01T00:00:00Z").expect("a time")
}

fn start(folder: &Path, rules: RuleSet) -> Service {
    let store = Store::open(folder, CACHE_BYTES).expect("a store");
    let settings = ServiceSettings { journal_bytes_min: 20_000, ..ServiceSettings::default() };
    let load: LoadRules = {
        let rules = rules.clone();
        Arc::new(move |_| Ok(rules.clone()))
    };
    let observer = Box::new(Unobserved);
    Service::start(store, (rules, load), Geo::new(None, None), settings, (now(), observer)).expect("a service")
}

/// Submits in small batches; returns the decisions, a line each.
fn decide(service: &Service, lines: &[Vec<u8>]) -> Vec<u8> {
    decide_at(service, lines, now())
}

fn decide_at(service: &Service, lines: &[Vec<u8>], now: Time) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut decisions = Vec::new();
    for batch in lines.chunks(50) {
        let answers = runtime.block_on(service.submit(batch.to_vec(), now)).expect("answers");
        for seq in (answers.first_seq..).take(answers.items.len()) {
            decisions.extend_from_slice(answers.decision(seq).expect("a decision"));
            decisions.push(b'\n');
        }
    }
    decisions
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn write_fixture() {
    let start_at = Time::parse_rfc3339("2026-03-02T00:00:00+05:00").expect("a time");
    let (days, fraud_per_mille) = (Some(2), 300);
    let parameters =
        Parameters { wallets: 10, operations: OPERATIONS, seed: 11, start: start_at, days, fraud_per_mille };
    let mut simulation = Simulation::new(parameters).expect("sound parameters");
    let mut text = Vec::new();
    while simulation.next_into(&mut text) {}
    let lines = lines(&text);
    let (before, next) = lines.split_at(lines.len() - NEXT);
    let folder = tempfile::tempdir().expect("a folder");
    let service = start(folder.path(), rules(fixture().join("rules")));
    decide(&service, before);
    service.stop();
    Store::open(folder.path(), CACHE_BYTES).expect("a store").compact().expect("a smaller file");
    let stopped = fs::read(folder.path().join(FILE)).expect("a file");
    fs::write(fixture().join("kuzet.redb.zst"), zstd::encode_all(&stopped[..], 19).expect("zstd")).expect("a file");
    let service = start(folder.path(), rules(fixture().join("rules")));
    let decisions = decide(&service, next);
    service.stop();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(fixture().join(name), zstd::encode_all(bytes, 19).expect("zstd")).expect("a file");
    };
    write("operations.jsonl.zst", &[next.join(&b'\n'), b"\n".to_vec()].concat());
    write("decisions.jsonl.zst", &decisions);
}

fn read(name: &str) -> Vec<u8> {
    zstd::decode_all(&fs::read(fixture().join(name)).expect("the fixture")[..]).expect("zstd")
}

/// A decision without what it tells the client: the release that wrote the fixture did not tell it.
fn without_messages(decision: &[u8]) -> serde_json::Value {
    let mut decision: serde_json::Value = serde_json::from_slice(decision).expect("JSON");
    for found in decision["matches"].as_array_mut().into_iter().flatten() {
        found.as_object_mut().expect("a match").remove("message");
    }
    decision
}

fn unpacked() -> tempfile::TempDir {
    unpacked_from(&fixture())
}

fn unpacked_from(fixture: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = fs::read(fixture.join("kuzet.redb.zst")).expect("the fixture");
    fs::write(folder.path().join(FILE), zstd::decode_all(&packed[..]).expect("zstd")).expect("a file");
    folder
}

#[test]
fn a_store_of_version_1_goes_on() {
    if crate::environment::text("KUZET_WRITE_FIXTURE").is_some() {
        write_fixture();
    }
    let folder = unpacked();
    let store = Store::open(folder.path(), CACHE_BYTES).expect("a store");
    let verified = store.verify().expect("a store that can be read");
    assert_eq!(verified.faults, Vec::<String>::new());
    let before = OPERATIONS - NEXT as u64;
    assert_eq!((verified.operations, verified.decisions), (before, before));
    // The state comes from groups and from journals, so both are read.
    let stats = store.stats().expect("stats");
    let entries = |name: &str| stats.iter().find(|table| table.name == name).map_or(0, |table| table.entries);
    let (groups, windows, journals) = (entries("wallets"), entries("windows"), entries("journals"));
    assert!(groups > 0 && windows > 0 && journals > 0, "{stats:?}");
    drop(store);

    let service = start(folder.path(), rules(fixture().join("rules")));
    let (found, expected) = (decide(&service, &lines(&read("operations.jsonl.zst"))), read("decisions.jsonl.zst"));
    let (found, stored) = (lines(&found), lines(&expected));
    assert_eq!(found.len(), stored.len());
    for (found, stored) in found.iter().zip(&stored) {
        assert_eq!(without_messages(found), without_messages(stored));
    }
    let matched =
        lines(&expected).iter().filter(|line| !line.windows(12).any(|part| part == b"\"matches\":[]")).count();
    println!("{before} decisions, {groups} + {windows} groups, {journals} journals read; {matched} of {NEXT} matched");
    assert!(matched > 50, "the state must count: {matched}");
    service.stop();
}

/// The present rules have other windows than the stored ones.
#[test]
fn a_store_of_version_1_takes_the_present_rules() {
    let folder = unpacked();
    let service = start(folder.path(), rules(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")));
    let decided = lines(&decide(&service, &lines(&read("operations.jsonl.zst"))));
    assert_eq!(decided.len(), NEXT);
    let stored =
        service.store().expect("a store").read(Stream::Decisions, 1, usize::MAX, usize::MAX).expect("decisions");
    assert_eq!(stored.len() as u64, OPERATIONS);
    service.stop();
}

/// `tests/data/store-v1-stacked` was written by the release before restrictions were extended, in two runs, the
/// second one killed: three blocks of one rule on wallet W1, the last of them in the journal only, and two on
/// the address 203.0.113.7, likewise. W4's transfer op-004 waits.
#[test]
fn restrictions_that_were_stacked_go_on_as_one() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-v1-stacked");
    let folder = unpacked_from(&fixture);
    let service = start(folder.path(), rules(fixture.join("rules")));
    let now = Time::parse_rfc3339("2026-11-20T10:40:00+05:00").expect("a time");
    let decided = decide_at(&service, &stacked::operations(), now);
    service.stop();
    let told: Vec<String> = lines(&decided).iter().map(|decision| stacked::told(decision)).collect();
    assert_eq!(told, stacked::EXPECTED);
}
