//! The service is killed, starved of disk, cut off, corrupted, and never loses or doubles a decision.
//!
//! `make soak` runs this with a thousand kills; `make test` with fifty. Everything random follows from
//! `KUZET_SOAK_SEED`, which is printed.
#![expect(clippy::print_stdout, reason = "figures and seeds are the result of these tests")]

mod clock;
mod damage;
mod disk;
mod http;
mod power;
mod private;
mod process;
mod traffic;
mod truth;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::command;
use crate::environment::number;
use kuzet::adapters::store::Store;
use kuzet::simulate::Simulation;
use serde_json::value::RawValue;

use crate::random::Random;
use crate::wait;
use http::Client;
use process::{Log, Moment, Phase, Served};
use traffic::Customer;

const CLIENTS: u64 = 4;
/// Kills of one store; after them everything in it is checked and the next one begins.
const KILLS_OF_A_STORE: u64 = 50;
const SIGKILL: i32 = 9;

pub(crate) fn seed() -> u64 {
    number("KUZET_SOAK_SEED").unwrap_or(1)
}

/// Where the kills fell, by the last line that the worker wrote before it was dead:
///
/// - `start`: the process had decided nothing yet; most of these fall into the recovery of the store.
/// - `before`: it was deciding batch N, or about to write that it commits it. The next process must give
///   the number N to its first batch: N is not in the store.
/// - `inside`: it had announced the commit of N and not yet come back from it. N is in the store whole, or
///   not at all: `kept` and `gone`. A kill at the very beginning or end of the commit, or between the
///   commit and the worker's next line, is in this class too: a line is not written in the same instant.
/// - `after`: it was answering the callers of N, or waiting for more. N must be in the store.
///
/// A kill leaves what was written in the system's cache, so none of these tells anything of what a commit
/// has brought to the disk: that is the business of `power.rs`.
#[derive(Debug, Default)]
struct Histogram {
    kills: BTreeMap<&'static str, u64>,
    acknowledged: u64,
    repeated: u64,
    decided: u64,
}

#[test]
fn kill_minus_nine() {
    let (kills, seed) = (number("KUZET_SOAK_KILLS").unwrap_or(50), seed());
    println!("kill_minus_nine: {kills} kills, KUZET_SOAK_SEED={seed}");
    let begun = Instant::now();
    let mut histogram = Histogram::default();
    let mut done = 0;
    // Where a kill falls is up to the machine's scheduler. Few or unlucky kills are followed by more, until each class
    // has its share, so that the test neither passes without having looked nor fails for bad luck.
    while done < kills || (histogram.rarest().1 * 10 < kills && done < 20 * kills.max(KILLS_OF_A_STORE)) {
        let next = kills.saturating_sub(done).clamp(10, KILLS_OF_A_STORE);
        done += next;
        kill_one_store(seed + done, next, &mut histogram);
    }
    println!("kill_minus_nine: {done} kills: {histogram:?} in {} s", begun.elapsed().as_secs());
    let (class, found) = histogram.rarest();
    assert!(found * 10 >= kills, "only {found} of {done} kills fell {class} a commit, but {kills} were to be spread");
}

impl Histogram {
    /// Before, inside or after a commit: where the fewest kills fell, and how many.
    fn rarest(&self) -> (&'static str, u64) {
        let count = |class: &str| self.kills.get(class).copied().unwrap_or(0);
        let inside = count("inside kept") + count("inside gone");
        [("before", count("before")), ("inside", inside), ("after", count("after"))]
            .into_iter()
            .min_by_key(|class| class.1)
            .expect("three classes")
    }
}

/// Kills the service again and again over one store, then looks at everything in it.
fn kill_one_store(seed: u64, kills: u64, histogram: &mut Histogram) {
    let mut random = Random(seed);
    let folder = tempfile::tempdir().expect("a folder");
    process::configure(folder.path(), "json");
    let supply = Mutex::new(traffic::simulation(seed, 200_000));
    let mut customers: Vec<Customer> = (0..CLIENTS).map(|number| Customer::new(seed * CLIENTS + number)).collect();
    let mut seen = Seen::default();
    let mut last = None;
    for _ in 0..kills {
        let log = kill_once(folder.path(), &mut random, (&mut customers, &supply), &mut seen);
        classify(&mut last, &log, histogram);
    }
    let served = Served::start(folder.path());
    let address = served.ready().expect("it starts");
    seen.follow(address, &mut customers);
    let mut client = Client::connect(address).expect("a connection");
    customers.iter_mut().for_each(|customer| customer.repeat(&mut client));
    seen.follow(address, &mut customers);
    served.terminate();
    let (status, log) = served.wait();
    assert_eq!(status.code(), Some(0), "{:?}", log.lines);
    settle(last, log.first_batch, histogram);
    let found = truth::check(&Store::open(&folder.path().join("store"), 64 << 20).expect("a store"));
    assert!(found == seen.decisions, "what was read over HTTP is what is in the store");
    histogram.decided += found.len() as u64;
    for customer in &customers {
        truth::check_told(&found, &customer.told);
        histogram.acknowledged += customer.told.len() as u64;
        histogram.repeated += customer.repeated;
    }
}

fn kill_once(
    folder: &std::path::Path,
    random: &mut Random,
    (customers, supply): (&mut [Customer], &Mutex<Simulation>),
    seen: &mut Seen,
) -> Log {
    let (phase, micros) = match random.below(10) {
        0 => (None, random.below(400_000)),
        1..=3 => (Some(Phase::Deciding), random.below(300)),
        4..=6 => (Some(Phase::Committing), random.below(4_000)),
        _ => (Some(Phase::Answering), random.below(100)),
    };
    let delay = Duration::from_micros(micros);
    let moment = phase.map(|phase| Moment { batches: 2 + random.below(12), phase, delay });
    let served = Served::start_as(process::serve(folder), moment);
    if moment.is_none() {
        std::thread::sleep(delay);
        served.kill();
    } else {
        let address = served.ready().expect("it starts");
        seen.follow(address, customers);
        work(address, customers, supply);
    }
    let (status, log) = served.wait();
    assert_eq!(status.signal(), Some(SIGKILL), "{status}: {:?}", log.lines);
    log
}

/// All clients work until the service is gone, or refuses.
fn work(address: SocketAddr, customers: &mut [Customer], supply: &Mutex<Simulation>) -> Vec<io::Result<u16>> {
    std::thread::scope(|scope| {
        let work = |customer: &mut Customer| {
            let mut client = Client::connect(address)?;
            customer.work(&mut client, supply)
        };
        let threads: Vec<_> = customers.iter_mut().map(|customer| scope.spawn(move || work(customer))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client")).collect()
    })
}

/// Counts a kill once the next process has told which batch it begins with.
fn classify(last: &mut Option<(Phase, u64)>, log: &Log, histogram: &mut Histogram) {
    let Some(end) = log.last else {
        *histogram.kills.entry("start").or_default() += 1;
        return;
    };
    settle(last.replace(end), log.first_batch, histogram);
}

fn settle(last: Option<(Phase, u64)>, first_batch: Option<u64>, histogram: &mut Histogram) {
    let Some((phase, batch)) = last else { return };
    let next = first_batch.expect("the next process has decided something");
    let class = match (phase, next.checked_sub(batch)) {
        (Phase::Deciding, Some(0)) => "before",
        (Phase::Committing, Some(0)) => "inside gone",
        (Phase::Committing, Some(1)) => "inside kept",
        (Phase::Answering, Some(1)) => "after",
        _ => panic!("killed in {phase:?} of batch {batch}, but the next process begins with {next}"),
    };
    *histogram.kills.entry(class).or_default() += 1;
}

/// The stream of decisions as far as it was read over HTTP.
#[derive(Debug, Default)]
struct Seen {
    last_seq: u64,
    decisions: HashMap<Box<str>, u128>,
}

impl Seen {
    /// Reads what is new; everything acknowledged since the last time must be there.
    fn follow(&mut self, address: SocketAddr, customers: &mut [Customer]) {
        #[derive(serde::Deserialize)]
        struct Page<'a> {
            #[serde(borrow)]
            decisions: Vec<&'a RawValue>,
        }
        let mut client = Client::connect(address).expect("a connection");
        loop {
            let path = format!("/v1/decisions?after={}&limit=1000", self.last_seq);
            let answer = client.get(&path).expect("decisions");
            let page: Page<'_> = serde_json::from_slice(&answer.body).expect("a page");
            if page.decisions.is_empty() {
                break;
            }
            for decision in page.decisions {
                self.last_seq += 1;
                let listed = decision.get();
                assert!(
                    listed.starts_with(&format!("{{\"seq\":{},", self.last_seq)),
                    "numbers without a gap: {listed}"
                );
                // In front of its own fields stand its number, and what is told of its operation.
                let own = listed.find("\"decision_id\":").map(|at| &listed[at..]);
                let decision = format!("{{{}", own.expect("a decision"));
                let print = traffic::print_of(decision.as_bytes());
                let before = self.decisions.insert(truth::id_of(decision.as_bytes()), print);
                assert_eq!(before, None, "decided twice: {decision}");
            }
        }
        for customer in customers {
            for (id, print) in customer.fresh.drain(..) {
                assert_eq!(self.decisions.get(&id), Some(&print), "acknowledged and lost, or not as told: {id}");
            }
        }
    }
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    process::configure(folder.path(), "text");
    let first = Served::start(folder.path());
    let address = first.ready().expect("it starts");
    let output = process::serve(folder.path()).stdin(Stdio::null()).output().expect("kuzet runs");
    let text = truth::text(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert_eq!(
        text.trim_end().lines().last(),
        Some(
            "kuzet: failed to open the store store/kuzet.redb: another process has it open; one store serves one process"
        )
    );
    assert_eq!(http::get(address, "/readyz").expect("the first goes on").status, 200);
    first.terminate();
    assert_eq!(first.wait().0.code(), Some(0));
}

/// Who reads that the service is ready may send it signals: none of them ends it by itself.
#[test]
fn signals_are_taken_from_the_moment_it_is_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    process::configure(folder.path(), "text");
    for _ in 0..5 {
        let served = Served::start(folder.path());
        served.ready().expect("it starts");
        served.signal("HUP");
        served.signal("TERM");
        let (status, log) = served.wait();
        assert_eq!(status.code(), Some(0), "{status}: {:?}", log.lines);
        assert!(log.lines.iter().any(|line| line.contains("the service has stopped")), "{:?}", log.lines);
    }
}

#[test]
fn terminated_under_load() {
    let folder = tempfile::tempdir().expect("a folder");
    process::configure(folder.path(), "json");
    let mut customers: Vec<Customer> = (0..CLIENTS).map(|number| Customer::new(seed() ^ number)).collect();
    let supply = Mutex::new(traffic::simulation(seed(), 200_000));
    let served = Served::start(folder.path());
    let address = served.ready().expect("it starts");
    let took = std::thread::scope(|scope| {
        let clients = scope.spawn(|| work(address, &mut customers, &supply));
        wait::until("a thousand operations are decided under load", || {
            let page = http::get(address, "/v1/decisions?after=999&limit=1").expect("decisions");
            page.text().contains("\"seq\":1000,").then_some(())
        });
        let begun = Instant::now();
        served.terminate();
        let (status, log) = served.wait();
        assert_eq!(status.code(), Some(0), "{:?}", log.lines);
        clients.join().expect("the clients end");
        begun.elapsed()
    });
    let found = truth::check(&Store::open(&folder.path().join("store"), 64 << 20).expect("a store"));
    let told: usize = customers.iter().map(|customer| customer.told.len()).sum();
    customers.iter().for_each(|customer| truth::check_told(&found, &customer.told));
    println!("terminated_under_load: {told} acknowledged, {} decided, ended after {took:?}", found.len());
    assert!(told > 0 && took < Duration::from_secs(10), "{told} acknowledged, ended after {took:?}");
}

/// The limit of a file's size stands in for a full disk: it can be set, and lifted while the process runs,
/// without being root. What a disk says when it is full is in `disk.rs`.
#[test]
fn a_file_that_cannot_grow() {
    let folder = tempfile::tempdir().expect("a folder");
    process::configure(folder.path(), "json");
    let mut command = Command::new("bash");
    let binary = env!("CARGO_BIN_EXE_kuzet");
    let script = format!("ulimit -S -f 6144; trap '' XFSZ; exec '{binary}' serve");
    command.arg("-c").arg(script).current_dir(folder.path());
    command::without_ours(&mut command);
    let served = Served::start_as(command, None);
    let address = served.ready().expect("it starts");
    let mut customers: Vec<Customer> = (0..CLIENTS).map(|number| Customer::new(seed() ^ number)).collect();
    let supply = Mutex::new(traffic::simulation(seed(), 200_000));
    let ends = work(address, &mut customers, &supply);
    assert!(ends.iter().any(|end| matches!(end, Ok(503))), "{ends:?}");

    let mut client = Client::connect(address).expect("a connection");
    // A batch that was too large for the last free pages leaves them to smaller ones.
    let refused = wait::until("the room is used up", || {
        let request = traffic::lines(&mut supply.lock().expect("no panic"), 1);
        let answer = client.post(&request[0]).expect("an answer");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("the store cannot commit: failed to "), "{}", refused.text());
    let not_ready = client.get("/readyz").expect("an answer");
    assert_eq!(not_ready.status, 503);
    assert!(not_ready.text().contains("the store cannot commit"), "{}", not_ready.text());
    assert_eq!(client.get("/healthz").expect("an answer").status, 200);
    println!("a_file_that_cannot_grow: {}", refused.text());

    let lifted = Command::new("prlimit").args(["--pid", &served.pid.to_string(), "--fsize=unlimited:"]).status();
    assert!(lifted.expect("prlimit runs").success());
    wait::until("it is ready again", || (client.get("/readyz").expect("an answer").status == 200).then_some(()));
    let mut seen = Seen::default();
    seen.follow(address, &mut customers);
    customers.iter_mut().for_each(|customer| customer.repeat(&mut client));
    served.terminate();
    let (status, log) = served.wait();
    assert_eq!(status.code(), Some(0), "{:?}", log.lines);
    let found = truth::check(&Store::open(&folder.path().join("store"), 64 << 20).expect("a store"));
    customers.iter().for_each(|customer| truth::check_told(&found, &customer.told));
}
