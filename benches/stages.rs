//! The stages of an operation's walk, each alone and all together.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use kuzet::engine::enrich::{AddressFacts, Enriched};
use kuzet::engine::shared::{SharedRequest, SharedView};
use kuzet::operation::Operation;
use kuzet::operation::decode::decode;
use kuzet::pipeline::{Answer, SharedStore};
use kuzet::rules::program::Inputs;

#[path = "support/workload.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod workload;

use workload::{Spread, Traffic, Whole, compile, geo, shipped_sources};

const OPERATIONS: usize = 1_000;
const WALLETS: u64 = 10_000;
const GAP_MS: i64 = 10;

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let mut traffic = Traffic::new(WALLETS, Spread::Usual, GAP_MS);
    let mut whole = Whole::new(compile(&shipped_sources()));
    whole.run(&traffic.next(20_000).records());
    let lines = traffic.next(OPERATIONS);
    let operations: Vec<Operation<'_>> =
        lines.iter().map(|bytes| decode(bytes).expect("the line is accepted")).collect();
    let geo = geo();
    let enrich = |operation: &Operation<'_>| {
        let facts = AddressFacts::of(&geo, operation.ip, Inputs(u8::MAX));
        black_box(Enriched::new(operation.clone(), facts).content)
    };
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(OPERATIONS as u64));
    group.bench_function("decode", |b| {
        b.iter(|| lines.iter().filter(|bytes| black_box(decode(black_box(bytes))).is_ok()).count());
    });
    group.bench_function("enrich", |b| b.iter(|| operations.iter().map(enrich).fold(0, u64::wrapping_add)));
    let enriched: Vec<Enriched<'_>> = operations
        .iter()
        .map(|operation| Enriched::new(operation.clone(), AddressFacts::of(&geo, operation.ip, Inputs(u8::MAX))))
        .collect();
    let view = fetched(&whole, &enriched);
    group.bench_function("decide", |b| {
        b.iter(|| enriched.iter().for_each(|one| drop(black_box(whole.pipeline.engine.decide(one, &view)))));
    });
    let decided = Whole::new(compile(&shipped_sources())).pipeline.decide(&lines.records());
    let mut out = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            for answer in decided.answers() {
                if let Answer::Decided(decision) = answer {
                    decision.encode(&mut out);
                }
            }
            black_box(out.len())
        });
    });
    // Each time other operations: the same ones would be duplicates.
    group.bench_function("whole", |b| {
        b.iter_batched_ref(|| traffic.next(OPERATIONS), |lines| whole.run(&lines.records()), BatchSize::LargeInput);
    });
    group.finish();
    criterion.final_summary();
}

fn fetched(whole: &Whole, enriched: &[Enriched<'_>]) -> SharedView {
    let mut request = SharedRequest::default();
    enriched.iter().for_each(|one| whole.pipeline.engine.prepare_parties(one, &mut request));
    let mut view = SharedView::default();
    whole.pipeline.store.fetch(whole.pipeline.engine.plan(), &request, &mut view);
    view
}
