//! What generating costs beside writing: the simulator, as the command runs it on two threads, against its own
//! encoder, and their ratio.
#![expect(clippy::print_stdout, reason = "the ratio is the point of the run")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use kuzet::simulate::{DEFAULT_START, Parameters, Simulation, Unwritten};

const OPERATIONS: u64 = 200_000;
const COUNT: usize = 200_000;

fn simulation() -> Simulation {
    let parameters = Parameters {
        wallets: 20_000,
        operations: OPERATIONS,
        seed: 1,
        start: DEFAULT_START,
        days: None,
        fraud_per_mille: 5,
    };
    Simulation::new(parameters).expect("the parameters are within their limits")
}

/// Generates and writes everything, as the command does.
fn generate(simulation: &mut Simulation) {
    let taken: Result<(), ()> = simulation.write_all(|lines| {
        black_box(lines);
        Ok(())
    });
    taken.expect("everything is taken");
}

/// Generates and writes everything, one operation after another.
fn generate_alone(simulation: &mut Simulation, line: &mut Vec<u8>) {
    line.clear();
    while simulation.next_into(line) {
        black_box(&line);
        line.clear();
    }
}

fn write(unwritten: &Unwritten, line: &mut Vec<u8>) {
    unwritten.write(line, |line| {
        black_box(&line);
        line.clear();
    });
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let timed = |_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    };
    (0..15).map(timed).min().unwrap_or_default()
}

fn main() {
    let fresh = simulation();
    let unwritten = Unwritten::draw(&mut fresh.clone(), COUNT);
    let mut line = Vec::with_capacity(1024);

    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mut group = criterion.benchmark_group("simulate");
    group.throughput(Throughput::Elements(OPERATIONS));
    group.bench_function("encoder alone", |bencher| bencher.iter(|| write(&unwritten, &mut line)));
    group.bench_function("generator", |bencher| bencher.iter(|| generate(&mut fresh.clone())));
    group.bench_function("generator on one thread", |bencher| {
        bencher.iter(|| generate_alone(&mut fresh.clone(), &mut line));
    });
    group.finish();

    let encoder = fastest(|| write(&unwritten, &mut line));
    let generator = fastest(|| generate(&mut fresh.clone()));
    let percent = encoder.as_nanos() * 100 / generator.as_nanos().max(1);
    println!("generator at {percent} % of the encoder's rate ({generator:?} against {encoder:?} for {OPERATIONS})");
}
