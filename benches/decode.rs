//! Decoding of one record against the plain borrowed parse of the same bytes.

use criterion::{Criterion, criterion_group, criterion_main};
use kuzet::operation::content::content_hash;
use kuzet::operation::decode::{decode, decode_general};

const LINE: &str = r#"{"op_id":"01JD8Q6T9V0000000000000001","type":"transfer","occurred_at":"2026-11-22T10:15:00.123+05:00","wallet_id":"77010000001","client_status":"identified","amount":"150000.00","currency":"KZT","counterparty":{"kind":"client","wallet_id":"77010000002"},"ip":"95.56.234.10","device_id":"d-7f3a","attributes":{"channel":"mobile"}}"#;

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "what is measured is that they are read")]
struct Plain<'a> {
    op_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    occurred_at: &'a str,
    wallet_id: &'a str,
    client_status: &'a str,
    amount: &'a str,
    currency: &'a str,
    #[serde(borrow)]
    counterparty: PlainParty<'a>,
    ip: &'a str,
    device_id: &'a str,
    #[serde(borrow)]
    attributes: PlainAttributes<'a>,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "what is measured is that they are read")]
struct PlainParty<'a> {
    kind: &'a str,
    wallet_id: &'a str,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "what is measured is that they are read")]
struct PlainAttributes<'a> {
    channel: &'a str,
}

fn benchmarks(criterion: &mut Criterion) {
    let bytes = LINE.as_bytes();
    criterion.bench_function("plain/from_slice", |b| {
        b.iter(|| serde_json::from_slice::<Plain<'_>>(std::hint::black_box(bytes)).map(std::hint::black_box).is_ok());
    });
    criterion.bench_function("plain/from_str", |b| {
        b.iter(|| {
            let text = std::str::from_utf8(std::hint::black_box(bytes)).unwrap_or_default();
            serde_json::from_str::<Plain<'_>>(text).map(std::hint::black_box).is_ok()
        });
    });
    criterion.bench_function("decode", |b| {
        b.iter(|| decode(std::hint::black_box(bytes)).map(std::hint::black_box).is_ok());
    });
    criterion.bench_function("decode/general", |b| {
        b.iter(|| decode_general(std::hint::black_box(bytes)).map(std::hint::black_box).is_ok());
    });
    if let Ok(operation) = decode(bytes) {
        criterion.bench_function("content_hash", |b| b.iter(|| content_hash(std::hint::black_box(&operation))));
    }
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
