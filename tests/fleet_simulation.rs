//! A fleet under a schedule that a seed chooses: the workers, shards and commits that run in production, on a Kafka in
//! memory, killed, halted, rebalanced and cut off at any point. Then the same with a deliberate mistake, which must be
//! found.
//!
//! `KUZET_SIMULATION_SEEDS` says how many seeds are tried, `KUZET_SIMULATION_SEED` where they begin; a seed that fails is
//! had again with `KUZET_SIMULATION_SEED=… KUZET_SIMULATION_SEEDS=1`. `KUZET_SIMULATION_MISTAKES` names mistakes to look
//! for, and `KUZET_SIMULATION_MISTAKE_SEEDS` says within how many seeds.
#![expect(clippy::print_stdout, reason = "seeds, counts and findings belong in the test's output")]

mod judge;
mod load;
mod promises;
mod run;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use kuzet::adapters::fleet_mutant::FleetMutant;

use crate::environment::{number, text};
use judge::Finding;
use run::{Outcome, Scenario};

pub(crate) const OPERATIONS: &str = "operations";
pub(crate) const DECISIONS: &str = "decisions";
pub(crate) const REJECTED: &str = "rejected";
pub(crate) const STATE: &str = "state";

fn first_seed() -> u64 {
    number("KUZET_SIMULATION_SEED").unwrap_or(1)
}

fn shown(seed: u64, findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().take(6).map(|found| format!("{:?}: {}", found.kind, found.text)).collect();
    format!("seed {seed} (KUZET_SIMULATION_SEED={seed} KUZET_SIMULATION_SEEDS=1):\n{}\n", lines.join("\n"))
}

/// Runs seeds on as many threads as there are processors; returns what became of each, in their order.
fn run_all(seeds: Range<u64>, scenario: &Scenario) -> BTreeMap<u64, Outcome> {
    let (next, done) = (AtomicU64::new(seeds.start), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = run::run(seed, scenario);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn no_schedule_loses_doubles_or_changes_anything() {
    let (first, seeds) = (first_seed(), number("KUZET_SIMULATION_SEEDS").unwrap_or(300));
    let (mut failed, mut done) = (String::new(), BTreeMap::<&str, u64>::new());
    for (seed, Outcome { findings, happened, .. }) in run_all(first..first + seeds, &Scenario::default()) {
        happened.into_iter().for_each(|(what, times)| *done.entry(what).or_default() += times);
        if !findings.is_empty() {
            failed.push_str(&shown(seed, &findings));
        }
    }
    println!("{seeds} seeds from {first}: {done:?}");
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in first_seed()..first_seed() + 3 {
        let (once, again) = (run::run(seed, &Scenario::default()), run::run(seed, &Scenario::default()));
        assert_eq!(once, again, "seed {seed}");
    }
}

/// Mistakes that other runs find: nobody tampers with a shard here, and there is no shared store.
const ELSEWHERE: [&str; 2] = ["checks-skipped", "shared-before-commit"];
/// Mistakes that hundreds of seeds do not meet; they are looked for when they are named.
const RARE: [&str; 1] = ["old-restoration"];

/// The first seed at which each mistake was found; where it is not found there any more, others are tried.
const FOUND_AT: [(&str, u64); 19] = [
    ("state-kept", 12),
    ("seek-skipped", 26),
    ("shard-kept", 8),
    ("commit-repeated", 12),
    ("stale-meta", 1),
    ("offsets-after", 1),
    ("offsets-before", 3),
    ("generation-skipped", 11),
    ("open-transactions-ignored", 114),
    ("state-uncommitted", 2),
    ("sequence-not-restored", 1),
    ("journals-forgotten", 1),
    ("round-forgotten", 1),
    ("overlap-dropped", 1),
    ("after-failure-kept", 12),
    ("generation-late", 113),
    ("returned-whole", 113),
    ("returned-last", 3),
    ("decided-kept", 252),
];

/// The proof of the proofs: each mistake is found by some schedule.
#[test]
fn mistakes_are_found() {
    let most = number("KUZET_SIMULATION_MISTAKE_SEEDS").unwrap_or(320);
    let chosen = text("KUZET_SIMULATION_MISTAKES").unwrap_or_default();
    let is_named = |name: &str| chosen.split(',').any(|one| one == name);
    let is_chosen = |name: &str| is_named(name) || (chosen.is_empty() && !RARE.contains(&name));
    let mut missed = Vec::new();
    for (name, _) in FleetMutant::ALL.iter().filter(|(name, _)| !ELSEWHERE.contains(name) && is_chosen(name)) {
        let scenario = Scenario { mistake: Some(name), is_long: *name == "round-forgotten" };
        let known = FOUND_AT.iter().find(|(known, _)| known == name).map(|(_, seed)| *seed..*seed + 1);
        let others = (0..most / 32).map(|chunk| first_seed() + 32 * chunk).map(|from| from..from + 32);
        let is_wrong = |(_, outcome): &(u64, Outcome)| !outcome.findings.is_empty();
        let mut runs = known.into_iter().chain(others).flat_map(|seeds| run_all(seeds, &scenario));
        match runs.find(is_wrong) {
            Some((seed, outcome)) => println!("{name}: {}", shown(seed, &outcome.findings[..1])),
            None => missed.push(*name),
        }
    }
    assert!(missed.is_empty(), "not found within {most} seeds: {missed:?}");
}
