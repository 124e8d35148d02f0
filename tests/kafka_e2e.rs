//! End to end on a real Kafka and a real Redis: two processes of a fleet against `kuzet replay`.
//!
//! `KUZET_E2E_OPERATIONS` (30,000) says how many operations are decided; `make e2e-kafka` decides a million.
#![expect(clippy::print_stdout, reason = "counts and seeds belong in the test's output")]

mod bounds;
mod check;
mod crossing;
mod derive;
mod plant;
mod run;

use crate::fleet;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bounds::Site;
use check::{Found, Report, Sent, compare};
use derive::Lens;
use kuzet::adapters::folders::Folder;
use kuzet::app;
use kuzet::operation::partition::Partitioner;

const SEED: u64 = 41;
const PARTITIONS: i32 = 12;

fn lens() -> Lens {
    let folder = |name: &str| Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let rules = Arc::new(app::load_rules(&folder("rules")).expect("the shipped rules load"));
    Lens::new(&rules, Arc::new(app::load_geo(&folder("geoip")).expect("the databases load")))
}

/// Puts records on shards, and into so many waves.
fn sites<'a>(records: &'a [Vec<u8>], shards: i32, waves: usize) -> Vec<Sent<'a>> {
    let wave_of = |position: usize| u32::try_from(position * waves / records.len()).expect("a few waves");
    let sent = |(position, bytes): (usize, &'a Vec<u8>)| {
        let wallet = fleet::wallet_of(bytes);
        let shard = Partitioner::Murmur2.partition(wallet.as_bytes(), shards).expect("a partition");
        Sent { bytes, site: Site { wave: wave_of(position), shard, position } }
    };
    records.iter().enumerate().map(sent).collect()
}

/// Makes operations, four of five simulated and one of wallets that meet. Every so many come twice: the second is
/// a duplicate, which nobody decides.
fn operations(count: u64, wallets: u32) -> Vec<Vec<u8>> {
    let simulated = crossing::with_crossing(fleet::simulated(SEED, count / 5 * 4, wallets), SEED);
    let with_again = |(position, record): (usize, Vec<u8>)| {
        let times = if position % 1_000 == 999 { 2 } else { 1 };
        std::iter::repeat_n(record, times)
    };
    simulated.into_iter().enumerate().flat_map(with_again).collect()
}

/// Deals a replay's decisions out to shards as a fleet would if it were as one.
fn dealt(lens: &Lens, sent: &[Sent<'_>], replayed: &[Vec<u8>]) -> Found {
    let mut found: Found = BTreeMap::new();
    let mut next = replayed.iter().peekable();
    for record in sent {
        let enriched = lens.enrich(record.bytes).expect("an operation");
        if let Some(decision) = next.next_if(|decision| derive::is_of(decision, &enriched)) {
            found.entry(record.site.shard).or_default().push(decision.clone());
        }
    }
    assert!(next.next().is_none(), "the replay decided something else");
    found
}

/// The checker itself: a replay against itself, where everything that wallets see of each other is known exactly,
/// in one shard, and in twelve when each operation is a wave of its own; then each planted difference.
#[test]
fn the_checker_finds_what_is_planted() {
    println!("seed {SEED}");
    let lens = lens();
    let records = operations(6_000, 100);
    let folder = tempfile::tempdir().expect("a folder");
    let replayed = run::replay(folder.path(), &records);
    for (shards, waves) in [(1, 1), (PARTITIONS, records.len())] {
        let sent = sites(&records, shards, waves);
        let found = dealt(&lens, &sent, &replayed);
        let report = compare(&lens, &sent, &found, &replayed);
        println!("{shards} shards\n{report}");
        assert_eq!((report.errors, report.explained(), report.equal), (0, 0, replayed.len()), "{report}");
        assert!(report.saw_others > 300, "too few decisions look at other wallets");
    }
    let sent = sites(&records, PARTITIONS, records.len());
    let found = dealt(&lens, &sent, &replayed);
    for (name, plant) in plant::PLANTS {
        let mut spoiled = found.clone();
        assert!(plant(&mut spoiled), "nothing to spoil so that {name}");
        let report = compare(&lens, &sent, &spoiled, &replayed);
        println!("{name}: {} errors", report.errors);
        assert!(report.errors > 0, "{name}, and the checker does not see it\n{report}");
    }
}

/// A fleet without Redis decides by what each shard knows, whatever the bounds of its batches.
#[test]
fn without_redis_batches_do_not_show() {
    let records = operations(6_000, 100);
    let singly = fleet::expected_in_batches(PARTITIONS, &records, 1);
    let blocked = |bytes: &Vec<u8>| {
        derive::holds(bytes, b"\"type\":\"login\"") && derive::holds(bytes, b"\"verdict\":\"refuse\"")
    };
    let refused = singly.values().flatten().filter(|bytes| blocked(bytes)).count();
    assert!(refused > 10, "too few logins meet the block of an address");
    for batch_max in [7, 64, 500] {
        assert!(fleet::expected_in_batches(PARTITIONS, &records, batch_max) == singly, "batches of {batch_max}");
    }
}

/// Two processes, a real Kafka, a real Redis, twelve partitions.
#[test]
fn a_fleet_decides_as_a_replay() {
    let count = run::operations_asked();
    let wallets = u32::try_from((count / 50).clamp(200, 20_000)).expect("a few wallets");
    let waves = usize::try_from((count / 50_000).clamp(4, 20)).expect("a few waves");
    println!("seed {SEED}, {count} operations of {wallets} wallets in {waves} waves");
    let records = operations(count, wallets);
    let sent = sites(&records, PARTITIONS, waves);
    let folder = tempfile::tempdir().expect("a folder");
    let replayed = run::replay(folder.path(), &records);
    let found = run::decide(folder.path(), &sent, PARTITIONS, waves);
    let begun = std::time::Instant::now();
    let report: Report = compare(&lens(), &sent, &found, &replayed);
    println!("compared in {:?}\n{report}", begun.elapsed());
    assert_eq!(report.errors, 0, "{report}");
    assert_eq!(report.decisions, replayed.len(), "{report}");
    assert_eq!(report.equal + report.explained(), report.decisions, "{report}");
    assert!(report.saw_others > 0, "no decision looked at another wallet");
}
