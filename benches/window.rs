//! One operation on the window of a hot key: query, push, evict.
//!
//! Besides criterion's times it prints what is promised: how much dearer an operation is with 100,000
//! live entries than with 10 (in order at most 3, better 2).

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use kuzet::engine::window::{Entry, Measure, Shape, Timeline};
use kuzet::operation::Time;
use kuzet::operation::time::Nanos;

const GAP: Nanos = Nanos::new(1_000);
const SIZES: [i64; 3] = [10, 1_000, 100_000];
const MEASURES: [Measure; 4] = [Measure::Count, Measure::Sum, Measure::Distinct, Measure::Range];

#[derive(Debug, Clone, Copy)]
enum Arrival {
    InOrder,
    /// Anywhere in the last tenth of what is kept.
    OutOfOrder,
}

/// A key that gets an operation every `GAP` and keeps `entries` of them, a tenth of these for late ones.
struct HotKey {
    timeline: Timeline,
    arrival: Arrival,
    entries: i64,
    now: Time,
    op: u64,
    random: u64,
}

impl HotKey {
    fn new(measure: Measure, arrival: Arrival, entries: i64) -> Self {
        let length = (entries - entries / 10) * GAP;
        let timeline = Timeline::new(Shape { measure, length });
        let mut key = Self { timeline, arrival, entries, now: Time::EPOCH, op: 0, random: 0x9e37_79b9_7f4a_7c15 };
        for _ in 0..3 * entries {
            key.step();
        }
        key
    }

    fn random(&mut self, below: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        i64::try_from(self.random >> 33).unwrap_or(0) % below
    }

    fn step(&mut self) -> i128 {
        self.now = self.now.plus(GAP);
        self.op += 1;
        let value = 1 + self.random(1 + self.entries / 2);
        let at = match self.arrival {
            Arrival::InOrder => self.now,
            Arrival::OutOfOrder => {
                self.now.minus(Nanos::new(self.random((self.entries / 10 * GAP + Nanos::ONE).get())))
            }
        };
        let answer = match self.timeline.shape().measure {
            Measure::Range | Measure::Last => self.timeline.range(at, Some(value)).sum,
            Measure::Count | Measure::Sum | Measure::Distinct => self.timeline.fullest(at, Some(value)),
        };
        self.timeline.insert(Entry { at, op: self.op, value });
        self.timeline.evict_before(self.now.minus(self.entries * GAP));
        answer
    }
}

fn bench(criterion: &mut Criterion) {
    for arrival in [Arrival::InOrder, Arrival::OutOfOrder] {
        for measure in MEASURES {
            let mut group = criterion.benchmark_group(format!("{measure:?}, {arrival:?}"));
            for entries in SIZES {
                let mut key = HotKey::new(measure, arrival, entries);
                group.bench_function(BenchmarkId::from_parameter(entries), |bencher| bencher.iter(|| key.step()));
            }
            group.finish();
        }
    }
}

/// Nanoseconds of one operation: the median of interleaved rounds, so that a change of the machine's
/// speed meets all sizes alike.
fn nanos_by_size(measure: Measure, arrival: Arrival) -> [u128; 3] {
    const STEPS: u32 = 5_000;
    const ROUNDS: usize = 41;
    let mut keys = SIZES.map(|entries| HotKey::new(measure, arrival, entries));
    let mut rounds: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (key, times) in keys.iter_mut().zip(&mut rounds) {
            let start = Instant::now();
            for _ in 0..STEPS {
                black_box(key.step());
            }
            times.push(start.elapsed());
        }
    }
    rounds.map(|mut times| {
        times.sort();
        times[ROUNDS / 2].as_nanos() / u128::from(STEPS)
    })
}

#[expect(clippy::print_stdout, reason = "a benchmark reports on its standard output")]
fn print_ratios() {
    println!("ns per query, push and evict of a hot key, and the ratio of the largest to the smallest");
    for arrival in [Arrival::InOrder, Arrival::OutOfOrder] {
        for measure in MEASURES {
            let [few, some, many] = nanos_by_size(measure, arrival);
            let hundredths = 100 * many / few.max(1);
            let ratio = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let bytes = HotKey::new(measure, arrival, SIZES[2]).timeline.heap_bytes() / 100_000;
            println!("{measure:?} {arrival:?}: {few} {some} {many}, ratio {ratio}, {bytes} bytes per entry");
        }
    }
}

fn main() {
    print_ratios();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
