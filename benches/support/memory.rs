//! Bytes of wallets and of window entries: how much larger a fresh process becomes.
//!
//! The operating system's number holds the allocator's own share and what it cannot give back; a
//! counting allocator would slow everything else that is measured. Also here: taking memory beforehand.

use std::process::Command;
use std::time::{Duration, Instant};

use kuzet::engine::Engine;
use kuzet::engine::wallets::Wallets;
use kuzet::engine::window::{Entry, Measure, Shape, Timeline};
use kuzet::operation::Time;
use kuzet::operation::time::Nanos;
use kuzet::rules::program::symbol_of_text;

use super::workload::{BATCH, Spread, Traffic, Whole, compile, shipped_sources};
use super::{float, stalls};

const OPTION: &str = "--bytes-of=";
const ENTRIES: i64 = 100_000;
const TIMELINES: usize = 10;
const MEASURES: [Measure; 4] = [Measure::Count, Measure::Sum, Measure::Distinct, Measure::Range];

/// What the process was started to find out.
pub(crate) struct Question {
    of: String,
    wallets: u64,
}

/// The allocator's setting for how long it keeps memory that nothing uses.
const KEPT_FOR: &str = "MIMALLOC_PURGE_DELAY";

/// Tells whether the allocator keeps memory that nothing uses.
pub(crate) fn keeps() -> bool {
    std::env::var_os(KEPT_FOR).is_some()
}

/// Starts this program again with an allocator that keeps memory, and returns its exit code.
pub(crate) fn again_and_keep(arguments: &[String]) -> i32 {
    let program = std::env::current_exe().expect("the program's path is known");
    let status = Command::new(program).args(arguments).env(KEPT_FOR, "-1").status();
    status.ok().and_then(|status| status.code()).unwrap_or(1)
}

/// Takes so many mebibytes from the system, touches them and leaves them to the allocator; at most half of what
/// is there. Says what that cost.
pub(crate) fn take(mebibytes: usize) {
    const PIECE: usize = 32 * 1024;
    let taken = mebibytes.min(kibibytes("/proc/meminfo", "MemAvailable:") / 1024 / 2);
    let began = Instant::now();
    let pieces: Vec<Vec<u8>> = (0..taken * (1 << 20) / PIECE).map(|_| vec![1; PIECE]).collect();
    drop(pieces);
    let each = began.elapsed().div_duration_f64(Duration::from_millis(1)) / float(taken.max(1));
    eprintln!("{taken} MiB taken, {each:.2} ms each");
}

/// Reads a number of kibibytes that the system tells in a file; 0 where it does not.
fn kibibytes(path: &str, name: &str) -> usize {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Reads the question from the arguments.
pub(crate) fn asked(arguments: &[String]) -> Option<Question> {
    let (of, wallets) = arguments.iter().find_map(|argument| argument.strip_prefix(OPTION))?.split_once(',')?;
    Some(Question { of: of.to_owned(), wallets: wallets.parse().ok()? })
}

/// Asks a process of its own; `None` where the system does not tell a process's size.
pub(crate) fn ask(of: &str, wallets: u64) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let asked = format!("{OPTION}{of},{wallets}");
    let output = Command::new(program).arg(asked).env_remove(KEPT_FOR).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok().filter(|bytes: &f64| *bytes > 0.0)
}

/// Finds out: the bytes of one, or the ratio of the stalls.
pub(crate) fn answer(question: Question) -> f64 {
    match question.of.as_str() {
        "idle" => idle_wallet(question.wallets),
        "one" => one_operation(question.wallets),
        "stall" => stalls::ratio(question.wallets),
        _ => MEASURES.map(entry_of_window).into_iter().fold(0.0, f64::max),
    }
}

/// Returns the resident bytes of this process, 0 where they are not known.
fn resident() -> f64 {
    1024.0 * float(kibibytes("/proc/self/status", "VmRSS:"))
}

fn each(bytes: f64, count: u64) -> f64 {
    bytes / u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn idle_wallet(count: u64) -> f64 {
    let before = resident();
    let mut wallets = Wallets::default();
    for number in 0..count {
        let id = format!("77{number:09}");
        wallets.get_or_insert(symbol_of_text(&id), &id);
    }
    let bytes = each(resident() - before, count);
    drop(wallets);
    bytes
}

/// Everything an operation leaves behind: the wallet's log, and the windows that wallets share.
fn one_operation(count: u64) -> f64 {
    let mut traffic = Traffic::new(count, Spread::Once, 10);
    let mut whole = Whole::new(compile(&shipped_sources()));
    // The memory that a batch needs for itself is not a wallet's.
    let plan = whole.pipeline.engine.plan().clone();
    whole.run(&traffic.clone().next(BATCH).records());
    whole.pipeline.engine = Engine::new(plan);
    let before = resident();
    let mut left = usize::try_from(count).unwrap_or(0);
    while left > 0 {
        let lines = traffic.next(left.min(BATCH));
        left -= lines.len();
        whole.run(&lines.records());
    }
    each(resident() - before, count)
}

fn entry_of_window(measure: Measure) -> f64 {
    let before = resident();
    let fill = |_| {
        let gap = Nanos::new(1_000);
        let mut timeline = Timeline::new(Shape { measure, length: ENTRIES * gap });
        for number in 0..ENTRIES {
            let (at, value) = (Time::EPOCH.plus(number * gap), number % (ENTRIES / 2));
            timeline.insert(Entry { at, op: number.unsigned_abs(), value });
        }
        timeline
    };
    let timelines: Vec<Timeline> = (0..TIMELINES).map(fill).collect();
    let bytes = each(resident() - before, ENTRIES.unsigned_abs() * TIMELINES as u64);
    drop(timelines);
    bytes
}
