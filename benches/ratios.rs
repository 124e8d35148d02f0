//! What is promised of speed and memory, as ratios that hold on any machine.
//!
//! The whole path of an operation (E: bytes, decode, addresses, decide, decision as JSON, commit to
//! memory) is measured against the plainest parse of the same line (P: `serde_json::from_slice` into
//! borrowed texts), interleaved chunk by chunk so that a change of the machine's speed meets both.
//! Each ratio is the median of the chunks' ratios.
//!
//! The process takes its memory from the system before it measures, and keeps it: what the first touch of a
//! page costs says something of the machine (on some virtual ones fifty times as much as on others), not of
//! the engine. The stalls of growth and the bytes are measured in processes that do not. `--growing` takes none
//! beforehand.
//!
//! `--quick` takes small sizes, to see that everything runs; its numbers mean little.
#![expect(clippy::print_stdout, reason = "the table is the point of the run")]
#![expect(clippy::print_stderr, reason = "a long run tells where it is")]

use std::hint::black_box;
use std::time::{Duration, Instant};

#[path = "support/memory.rs"]
mod memory;
#[path = "support/stalls.rs"]
mod stalls;
#[path = "support/variants.rs"]
mod variants;
#[path = "support/workload.rs"]
mod workload;

use kuzet::engine::window::{Entry, Measure, Shape, Timeline};
use kuzet::operation::Time;
use kuzet::operation::decision::Decision;
use kuzet::operation::time::Nanos;
use kuzet::pipeline::{Answer, Record};
use kuzet::rules::program::RuleSet;
use variants::{padded, with_long_windows};
use workload::{Lines, Plain, STAGES, Spread, Traffic, Whole, compile, shipped_sources};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHUNK: usize = 25_000;
/// Usual traffic: a hundred operations a second.
const GAP_MS: i64 = 10;
/// So sparse that a run of the benchmark spans weeks.
const SPARSE_GAP_MS: i64 = 1_000;
const PADDED_RULES: usize = 150;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Wallets of the usual run; the small and the large run have a tenth and ten times as many.
    pub(crate) wallets: u64,
    chunks: usize,
    window_steps: u32,
    /// Wallets of the measurement of growth.
    pub(crate) growth: u64,
    /// Mebibytes of memory that the process takes before it measures.
    memory: usize,
}

const FULL: Sizes = Sizes { wallets: 1_000_000, chunks: 41, window_steps: 5_000, growth: 4_000_000, memory: 3_072 };
const QUICK: Sizes = Sizes { wallets: 100_000, chunks: 1, window_steps: 1_000, growth: 400_000, memory: 256 };

/// One line of the table.
struct Line {
    what: &'static str,
    measured: f64,
    gate: f64,
    goal: f64,
}

/// Measures some lines of the table.
type Section = fn(Sizes) -> Vec<Line>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sizes = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    if let Some(question) = memory::asked(&arguments) {
        println!("{}", memory::answer(question));
        return;
    }
    if !arguments.iter().any(|argument| argument == "--growing") {
        if !memory::keeps() {
            std::process::exit(memory::again_and_keep(&arguments));
        }
        memory::take(sizes.memory);
    }
    let wanted: Vec<&str> = arguments.iter().map(String::as_str).filter(|text| !text.starts_with('-')).collect();
    let sections: [(&str, Section); 7] = [
        ("path", path),
        ("rules", one_rule),
        ("many-wallets", many_wallets),
        ("one-wallet", one_wallet),
        ("windows", windows),
        ("memory", bytes),
        ("growth", growth),
    ];
    let mut lines = Vec::new();
    for (name, section) in sections {
        if wanted.is_empty() || wanted.contains(&name) {
            let started = Instant::now();
            lines.extend(section(sizes));
            eprintln!("{name}: {} s", started.elapsed().as_secs());
        }
    }
    print_table(&lines);
}

fn print_table(lines: &[Line]) {
    println!("{:<62} {:>9} {:>7} {:>7}  verdict", "what", "measured", "gate", "goal");
    for line in lines {
        let verdict = if line.measured <= line.gate { "ok" } else { "MISSED" };
        let (measured, gate, goal) = (show(line.measured), show(line.gate), show(line.goal));
        println!("{:<62} {measured:>9} {gate:>7} {goal:>7}  {verdict}", line.what);
    }
}

/// Shows bytes whole and ratios with as many digits as they need.
fn show(number: f64) -> String {
    if number >= 100.0 {
        format!("{number:.0}")
    } else if number >= 0.1 {
        format!("{number:.2}")
    } else {
        format!("{number:.4}")
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn medians_of_ratios(above: &[Duration], below: &[Duration]) -> f64 {
    median(above.iter().zip(below).map(|(above, below)| above.div_duration_f64(*below)).collect())
}

fn nanos(time: Duration) -> f64 {
    time.div_duration_f64(Duration::from_nanos(1))
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// The yardstick.
fn time_of_plain(records: &[Record<'_>]) -> Duration {
    timed(|| {
        for record in records {
            black_box(serde_json::from_slice::<Plain<'_>>(black_box(record.bytes)).expect("the line is plain"));
        }
    })
}

fn time_of_whole(whole: &mut Whole, records: &[Record<'_>]) -> Duration {
    let time = timed(|| whole.run(records));
    assert_eq!(whole.not_decided, 0, "every operation of the traffic is decided");
    time
}

/// Lets so many operations pass before anything is measured.
fn warm(whole: &mut Whole, traffic: &mut Traffic, operations: u64) {
    let mut left = usize::try_from(operations).expect("operations are counted in words");
    while left > 0 {
        let lines = traffic.next(left.min(CHUNK));
        left -= lines.len();
        whole.run(&lines.records());
    }
}

/// Makes a pipeline in which every wallet has acted once, and the traffic that goes on from there: wallets
/// that come are measured by themselves, as growth.
fn settled(rules: &RuleSet, wallets: u64, traffic: Traffic, spread: Spread) -> (Whole, Traffic) {
    let (mut whole, mut traffic) = (Whole::new(rules.clone()), traffic.spread(Spread::Once));
    warm(&mut whole, &mut traffic, wallets);
    (whole, traffic.spread(spread))
}

fn share_of_matches(whole: &Whole) -> f64 {
    let count = |number: u64| u32::try_from(number).map_or(f64::MAX, f64::from);
    100.0 * count(whole.matched) / count(whole.decided)
}

/// Rows 1, 2 and 8: shipped rules and many rules, side by side.
fn path(sizes: Sizes) -> Vec<Line> {
    let sources = shipped_sources();
    let (few, many) = (compile(&sources), compile(&padded(&sources, PADDED_RULES)));
    let start = Traffic::new(sizes.wallets, Spread::Usual, GAP_MS);
    let (mut shipped, mut traffic) = settled(&few, sizes.wallets, start.clone(), Spread::Usual);
    let (mut rich, _) = settled(&many, sizes.wallets, start, Spread::Usual);
    shipped.take_stages();
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut encodings = Vec::new();
    for _ in 0..sizes.chunks {
        let lines = traffic.next(CHUNK);
        let records = lines.records();
        let plain = time_of_plain(&records);
        let few = time_of_whole(&mut shipped, &records);
        let many = time_of_whole(&mut rich, &records);
        encodings.push(time_of_encoding(&shipped, plain, &lines));
        [plain, few, many].into_iter().zip(&mut times).for_each(|(time, times)| times.push(time));
    }
    let [plain, few, many] = &times;
    let of = |times: &[Duration]| median(times.iter().map(|time| nanos(*time) / float(CHUNK)).collect());
    eprintln!("P {:.0} ns, E {:.0} ns, with {PADDED_RULES} rules {:.0} ns", of(plain), of(few), of(many));
    eprintln!("{:.1} % of the decisions have matches, {:.1} %", share_of_matches(&shipped), share_of_matches(&rich));
    for (name, took) in STAGES.iter().zip(shipped.take_stages()) {
        eprintln!("  {name:<8} {:>6.0} ns an operation", nanos(took) / float(CHUNK * sizes.chunks));
    }
    vec![
        Line { what: "1 whole path / plain parse", measured: medians_of_ratios(few, plain), gate: 4.0, goal: 3.0 },
        Line { what: "2 150 rules / shipped rules", measured: medians_of_ratios(many, few), gate: 1.5, goal: 1.3 },
        Line {
            what: "8 encoding a decision without matches / plain parse",
            measured: median(encodings),
            gate: 0.5,
            goal: 0.2,
        },
    ]
}

/// Row 3: what one more rule costs an operation that it looks at and does not fire on. What a match costs is
/// in rows 1 and 2.
fn one_rule(sizes: Sizes) -> Vec<Line> {
    let sources = shipped_sources();
    let (few, many) = (compile(&sources), compile(&padded(&sources, PADDED_RULES)));
    let wallets = sizes.wallets / 10;
    let start = Traffic::new(wallets, Spread::Usual, GAP_MS).harmless();
    let (mut shipped, mut traffic) = settled(&few, wallets, start.clone(), Spread::Usual);
    let (mut rich, _) = settled(&many, wallets, start, Spread::Usual);
    let mut per_rule = Vec::new();
    for _ in 0..sizes.chunks {
        let lines = traffic.next(CHUNK);
        let records = lines.records();
        let plain = time_of_plain(&records);
        let few = time_of_whole(&mut shipped, &records);
        let many = time_of_whole(&mut rich, &records);
        let rules = further_rules(&lines, &shipped, &rich);
        per_rule.push((nanos(many) - nanos(few)) / rules / (nanos(plain) / float(CHUNK)));
    }
    eprintln!("{:.2} % of the decisions have matches", share_of_matches(&rich));
    vec![Line { what: "3 one evaluated rule / plain parse", measured: median(per_rule), gate: 0.04, goal: 0.02 }]
}

/// Counts how many more rules the rich set evaluated on these lines.
fn further_rules(lines: &Lines, shipped: &Whole, rich: &Whole) -> f64 {
    let rules_of = |whole: &Whole, kind| whole.pipeline.engine.plan().of(kind).rules.len();
    let more = |bytes: &[u8]| {
        let operation = kuzet::operation::decode::decode(bytes).expect("the line is accepted");
        rules_of(rich, operation.kind) - rules_of(shipped, operation.kind)
    };
    float(lines.iter().map(more).sum())
}

/// Encodes the chunk's decisions without matches, and compares one with one plain parse.
fn time_of_encoding(shipped: &Whole, plain: Duration, lines: &Lines) -> f64 {
    let plan = shipped.pipeline.engine.plan().clone();
    let rules = RuleSet::clone(&plan.rules);
    let committed = Whole::new(rules).pipeline.process(&lines.records()).expect("a store in memory takes every change");
    let decision = |answer: Answer| match answer {
        Answer::Decided(decision) => Some(*decision),
        Answer::Duplicate { .. } | Answer::Rejected(_) => None,
    };
    let decisions: Vec<Decision> =
        committed.answers.into_iter().filter_map(decision).filter(|decision| decision.matches.is_empty()).collect();
    let mut out = Vec::with_capacity(1 << 12);
    let time = timed(|| {
        for decision in &decisions {
            out.clear();
            decision.encode(&mut out);
            black_box(&out);
        }
    });
    nanos(time) / float(decisions.len()) / (nanos(plain) / float(CHUNK))
}

/// Row 4.
fn many_wallets(sizes: Sizes) -> Vec<Line> {
    let rules = compile(&shipped_sources());
    let of_size = |wallets: u64| settled(&rules, wallets, Traffic::new(wallets, Spread::Usual, GAP_MS), Spread::Usual);
    let measured = ratio_of(of_size(10 * sizes.wallets), of_size(sizes.wallets / 10), sizes.chunks);
    vec![Line { what: "4 ten million wallets / a hundred thousand", measured, gate: 1.6, goal: 1.3 }]
}

/// Runs two pipelines over their own traffic in turn.
fn ratio_of(mut above: (Whole, Traffic), mut below: (Whole, Traffic), chunks: usize) -> f64 {
    let mut times: [Vec<Duration>; 2] = Default::default();
    for _ in 0..chunks {
        for ((whole, traffic), times) in [&mut above, &mut below].into_iter().zip(&mut times) {
            let lines = traffic.next(CHUNK);
            times.push(time_of_whole(whole, &lines.records()));
        }
    }
    eprintln!("{:.1} % of the decisions have matches, {:.1} %", share_of_matches(&above.0), share_of_matches(&below.0));
    medians_of_ratios(&times[0], &times[1])
}

/// Row 5.
fn one_wallet(sizes: Sizes) -> Vec<Line> {
    let rules = compile(&shipped_sources());
    let of_spread =
        |spread: Spread| settled(&rules, sizes.wallets, Traffic::new(sizes.wallets, spread, GAP_MS), spread);
    let measured = ratio_of(of_spread(Spread::HalfOnOne), of_spread(Spread::Usual), sizes.chunks);
    vec![Line { what: "5 half of the stream on one wallet / spread", measured, gate: 1.5, goal: 1.2 }]
}

/// Rows 6 and 7.
fn windows(sizes: Sizes) -> Vec<Line> {
    let measures = [Measure::Count, Measure::Sum, Measure::Distinct, Measure::Range, Measure::Last];
    let hot = measures.map(|measure| hot_key(measure, sizes)).into_iter().fold(0.0, f64::max);
    let sources = shipped_sources();
    let of_rules = |rules: RuleSet| {
        let traffic = Traffic::new(sizes.wallets, Spread::Usual, SPARSE_GAP_MS);
        settled(&rules, sizes.wallets, traffic, Spread::Usual)
    };
    let long = of_rules(compile(&with_long_windows(&sources)));
    let length = ratio_of(long, of_rules(compile(&sources)), sizes.chunks);
    vec![
        Line { what: "6 window of 100,000 entries / 10 entries, worst measure", measured: hot, gate: 3.0, goal: 2.0 },
        Line { what: "7 windows of 30 days / 1 hour", measured: length, gate: 1.5, goal: 1.2 },
    ]
}

/// Between two operations of one key.
const HOT_GAP: Nanos = Nanos::new(1_000);

/// A key that gets an operation a microsecond and keeps so many of them.
struct HotKey {
    timeline: Timeline,
    entries: i64,
    now: Time,
}

impl HotKey {
    fn new(measure: Measure, entries: i64) -> Self {
        let timeline = Timeline::new(Shape { measure, length: entries * HOT_GAP });
        let mut key = Self { timeline, entries, now: Time::EPOCH };
        (0..2 * entries).for_each(|_| key.step());
        key
    }

    fn step(&mut self) {
        self.now = self.now.plus(HOT_GAP);
        let value = self.now.nanos().wrapping_mul(0x9e37_79b9) % (1 + self.entries / 2);
        match self.timeline.shape().measure {
            Measure::Count | Measure::Sum | Measure::Distinct => {
                black_box(self.timeline.fullest(self.now, Some(value)));
            }
            Measure::Range => {
                black_box(self.timeline.range(self.now, Some(value)));
            }
            Measure::Last => {
                black_box(self.timeline.last(self.now));
            }
        }
        self.timeline.insert(Entry { at: self.now, op: self.now.nanos().unsigned_abs(), value });
        self.timeline.evict_before(self.now.minus(self.entries * HOT_GAP));
    }
}

fn hot_key(measure: Measure, sizes: Sizes) -> f64 {
    let mut keys = [HotKey::new(measure, 100_000), HotKey::new(measure, 10)];
    let mut times: [Vec<Duration>; 2] = Default::default();
    for _ in 0..sizes.chunks {
        for (key, times) in keys.iter_mut().zip(&mut times) {
            times.push(timed(|| (0..sizes.window_steps).for_each(|_| key.step())));
        }
    }
    let [many, few] =
        times.clone().map(|times| median(times.into_iter().map(nanos).collect()) / f64::from(sizes.window_steps));
    let ratio = medians_of_ratios(&times[0], &times[1]);
    eprintln!("{measure:?}: {many:.0} ns a step with 100,000 entries, {few:.0} ns with 10, ratio {ratio:.2}");
    ratio
}

/// Rows 9 and 10, each in a process of its own.
fn bytes(sizes: Sizes) -> Vec<Line> {
    let line = |what, question, gate, goal| {
        memory::ask(question, sizes.wallets).map(|measured| Line { what, measured, gate, goal })
    };
    let lines = [
        line("9 bytes of an idle wallet", "idle", 256.0, 192.0),
        line("9 bytes of a wallet with one operation", "one", 400.0, 320.0),
        line("10 bytes of a live entry of a window", "entry", 64.0, 48.0),
    ];
    lines.into_iter().flatten().collect()
}

/// Row 11, in a process of its own.
fn growth(sizes: Sizes) -> Vec<Line> {
    let measured = memory::ask("stall", sizes.growth);
    let line =
        |measured| Line { what: "11 worst stall of growing wallets / of one table", measured, gate: 0.02, goal: 0.01 };
    measured.map(line).into_iter().collect()
}
