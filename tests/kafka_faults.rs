//! Failure runs against a real Kafka: whatever is killed, halted or lost, no decision is lost, doubled or
//! different. Then the same runs with a deliberate mistake in kuzet, which they must find.
//!
//! Short by default; `make soak-kafka` sets the counts (`KUZET_SOAK_…`). Every run has topics and a group of its
//! own, a steady load, and the judge of `check.rs`.
#![expect(clippy::print_stdout, reason = "seeds, counts and histograms belong in the test's output")]

mod check;
mod runs;
mod seeded;
mod shared;
mod stand;
mod tamper;

use crate::fleet;
use crate::server;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::environment::{number, text};
use crate::turn::{self, Shared};
use check::{Finding, shown};
use runs::Histogram;
use stand::{Settings, Stand};

/// The broker of these tests, which take turns.
fn cluster() -> Shared {
    // On a busy machine a broker that is alone must not be taken for dead by itself.
    turn::shared(module_path!(), &[("broker.session.timeout.ms", "60000")])
}

/// How often something is done: what the variable says, or as often as every run of the tests has time for.
fn times(variable: &str, short: usize) -> usize {
    number(variable).map_or(short, |times| usize::try_from(times).expect("a number that fits"))
}

fn seed() -> u64 {
    number("KUZET_SOAK_SEED").unwrap_or(1)
}

/// Prints what was done, and judges.
fn conclude(
    what: &str,
    begun: Instant,
    stand: &mut Stand,
    cluster: &Cluster,
    (histogram, broke_off): (Histogram, Option<Finding>),
) {
    let findings = stand.judge(cluster, broke_off);
    runs::print(what, &histogram);
    println!("{what}: {:?}", begun.elapsed());
    assert!(findings.is_empty(), "{}{}", shown(&findings), stand.logs());
}

#[test]
fn kills_at_every_step_lose_nothing() {
    let (cluster, begun) = (cluster(), Instant::now());
    let mut stand = Stand::new(&cluster, "kills", seed(), Settings::default());
    stand.begin_load(&cluster);
    let done = runs::kills(&stand, &cluster, seed(), times("KUZET_SOAK_KAFKA_KILLS", 20));
    conclude("kill -9 of kuzet", begun, &mut stand, &cluster, done);
}

/// The same of processes with three workers each, whose transactions are on their way at the same time.
#[test]
fn kills_of_several_workers_lose_nothing() {
    let (cluster, begun) = (cluster(), Instant::now());
    let mut stand = Stand::new(&cluster, "kills-workers", seed() + 10, Settings { workers: 3, ..Settings::default() });
    stand.begin_load(&cluster);
    let done = runs::kills(&stand, &cluster, seed() + 10, times("KUZET_SOAK_KAFKA_KILLS", 8));
    conclude("kill -9 of kuzet with three workers", begun, &mut stand, &cluster, done);
}

#[test]
fn zombies_are_refused() {
    let (cluster, begun) = (cluster(), Instant::now());
    let settings = Settings { transaction_timeout: Duration::from_secs(6), ..Settings::default() };
    let mut stand = Stand::new(&cluster, "stops", seed() + 1, settings);
    stand.begin_load(&cluster);
    let done = runs::stops(&stand, &cluster, seed(), times("KUZET_SOAK_KAFKA_STOPS", 3));
    assert!(done.1.is_some() || done.0.contains_key("= then refused"), "no zombie was refused: {:?}", done.0);
    conclude("SIGSTOP beyond the session", begun, &mut stand, &cluster, done);
}

#[test]
fn joins_and_leaves_lose_nothing() {
    let (cluster, begun) = (cluster(), Instant::now());
    let mut stand = Stand::new(&cluster, "rebalances", seed() + 2, Settings::default());
    stand.begin_load(&cluster);
    let done = runs::rebalances(&stand, &cluster, seed(), times("KUZET_SOAK_KAFKA_REBALANCES", 4));
    conclude("rebalances", begun, &mut stand, &cluster, done);
}

#[test]
fn broker_kills_lose_nothing() {
    let (_turn, begun) = (turn::take(module_path!()), Instant::now());
    let mut cluster = Cluster::start(3);
    let mut stand = Stand::new(&cluster, "brokers", seed() + 3, Settings::default());
    stand.begin_load(&cluster);
    let done = runs::broker_kills(&stand, &mut cluster, seed(), times("KUZET_SOAK_KAFKA_BROKER_KILLS", 3));
    conclude("kill -9 of brokers", begun, &mut stand, &cluster, done);
}

#[test]
fn an_overdue_transaction_is_decided_again() {
    let (cluster, begun) = (cluster(), Instant::now());
    let mut stand = Stand::new(&cluster, "overdue", seed() + 4, seeded::overdue_settings(None));
    stand.begin_load(&cluster);
    let broke_off = runs::overdue_transaction(&stand, &cluster, "drained:4");
    conclude("overdue transactions", begun, &mut stand, &cluster, (Histogram::new(), broke_off));
}

#[test]
fn a_commit_whose_outcome_is_unknown_is_not_repeated() {
    let (cluster, begun) = (cluster(), Instant::now());
    let mut stand = Stand::new(&cluster, "silent", seed() + 5, seeded::silent_settings(None));
    stand.begin_load(&cluster);
    let done = runs::silent_broker(&stand, &cluster, times("KUZET_SOAK_KAFKA_SILENCES", 1));
    conclude("brokers silent at a commit", begun, &mut stand, &cluster, done);
}

#[test]
fn redis_losses_touch_only_what_is_shared() {
    let (cluster, begun) = (cluster(), Instant::now());
    let mut redis = server::Server::start();
    let mut stand = Stand::new(&cluster, "redis", seed() + 6, Settings::default());
    stand.configure_more(&format!("[redis]\nurl = \"{}\"\n", redis.url()));
    let times = times("KUZET_SOAK_KAFKA_REDIS_LOSSES", 3);
    let (histogram, phases, broke_off) = shared::losses(&mut stand, &cluster, &mut redis, (seed(), times));
    let mut findings = stand.judge_by(&cluster, broke_off, shared::is_same_but_shared);
    let (marked, wrong) = shared::judge_marks(&stand, &cluster, &phases);
    findings.extend(wrong);
    findings.extend(shared::judge_directory(&redis, &check::visible(&cluster, &stand.topics)));
    runs::print("Redis lost", &histogram);
    println!("{marked} decisions say that the shared state was missing; {:?}", begun.elapsed());
    assert!(marked > 0 && findings.is_empty(), "{}{}", shown(&findings), stand.logs());
}

/// A process dies in the middle of a transaction that Kafka itself would end only after ten minutes: whoever takes
/// over ends it, and goes on with its own shards meanwhile.
#[test]
fn what_a_killed_process_left_open_stops_nobody() {
    let (cluster, begun) = (cluster(), Instant::now());
    let settings = Settings { transaction_timeout: Duration::from_secs(600), ..Settings::default() };
    let mut stand = Stand::new(&cluster, "left-open", seed() + 9, settings);
    stand.begin_load(&cluster);
    let broke_off = runs::left_open(&stand, &cluster).err();
    conclude("a transaction left open", begun, &mut stand, &cluster, (Histogram::new(), broke_off));
}

#[test]
fn gateways_know_nothing_that_is_not_committed() {
    let cluster = cluster();
    let mut stand = Stand::new(&cluster, "gateways", seed(), Settings::default());
    let findings = seeded::uncommitted_restriction(&mut stand, &cluster);
    assert!(findings.is_empty(), "{}{}", shown(&findings), stand.logs());
}

#[test]
fn a_shard_that_was_tampered_with_halts_and_the_others_go_on() {
    let cluster = cluster();
    let mut stand = Stand::new(&cluster, "tampered", seed(), Settings { partitions: 3, ..Settings::default() });
    let findings = tamper::tamper(&mut stand, &cluster).unwrap_or_else(|finding| vec![finding]);
    assert!(findings.is_empty(), "{}{}", shown(&findings), stand.logs());
}

/// Two processes with one name: each takes the other's transactions away, until one of them gives up and says why.
#[test]
fn processes_of_one_name_are_told() {
    let (cluster, begun) = (cluster(), Instant::now());
    let mut stand = Stand::new(&cluster, "name", seed() + 8, Settings::default());
    stand.begin_load(&cluster);
    let mut both = [stand.start(&cluster, "a", None), stand.start(&cluster, "a", None)];
    let broke_off = stand.wait("nobody gives up", || both.iter_mut().any(fleet::Instance::has_ended)).err();
    let said = stand.said("a");
    assert!(broke_off.is_some() || said.contains("another process has the instance name a too"), "{}", stand.logs());
    for instance in both.iter_mut().filter_map(|instance| (!instance.has_ended()).then_some(instance)) {
        instance.signal("KILL");
    }
    conclude("two processes of one name", begun, &mut stand, &cluster, (Histogram::new(), broke_off));
}

/// The proof of the proofs: each mistake must be found.
#[test]
fn mistakes_are_found() {
    let cluster = cluster();
    let few = ["state-kept", "stale-meta", "generation-skipped"];
    let asked = text("KUZET_SOAK_KAFKA_FAULTS").unwrap_or_default();
    let is_chosen = |name: &str| match asked.as_str() {
        "" => few.contains(&name),
        "all" => true,
        names => names.split(',').any(|chosen| chosen == name),
    };
    let missed: Vec<String> = seeded::MISTAKES
        .iter()
        .filter(|mistake| is_chosen(mistake.name))
        .filter_map(|mistake| {
            let begun = Instant::now();
            let (findings, logs) = seeded::run(&cluster, mistake);
            let is_found = findings.iter().any(|finding| mistake.signs.contains(&finding.kind));
            println!("{}: found {is_found} in {:?}\n{}", mistake.name, begun.elapsed(), shown(&findings));
            (!is_found).then(|| format!("{} ({:?} was expected)\n{logs}", mistake.name, mistake.signs))
        })
        .collect();
    assert!(missed.is_empty(), "not found: {}", missed.join(", "));
}
