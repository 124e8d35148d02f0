//! What must be true of a store, whatever happened to its process.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use kuzet::adapters::folders::Folder;
use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::store::{Store, Stream};
use kuzet::app;
use kuzet::engine::Engine;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::geo::Geo;
use kuzet::operation::time::{DAY, MINUTE};
use kuzet::pipeline::{Answer, Limits, Pipeline, Record};
use kuzet::rules::program::RuleSet;

use super::traffic::print_of;

/// Arrival of an operation, in front of its bytes.
const STAMP_BYTES: usize = 8;
const PAGE: usize = 777;

pub(crate) fn settings() -> Settings {
    Settings { lateness: 10 * MINUTE, duplicate_horizon: 366 * DAY, ..Settings::default() }
}

pub(crate) fn rules() -> RuleSet {
    app::load_rules(&folder("rules")).expect("the shipped rules")
}

pub(crate) fn geo() -> Geo {
    app::load_geo(&folder("geoip")).expect("the databases")
}

fn folder(name: &str) -> Folder {
    Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
}

pub(crate) fn pipeline(rules: RuleSet) -> Pipeline<MemoryStore> {
    let engine = Engine::new(Arc::new(Plan::new(Arc::new(rules), settings())));
    Pipeline { engine, geo: geo(), store: MemoryStore::default(), limits: Limits::default() }
}

/// Checks the whole store: numbers without a gap from 1, nothing decided twice, and the decisions are
/// what a replay of the operations gives, byte for byte. Returns the decision on each operation.
pub(crate) fn check(store: &Store) -> HashMap<Box<str>, u128> {
    let verified = store.verify().expect("a store that can be read");
    assert_eq!(verified.faults, Vec::<String>::new());
    let position = store.position().expect("a position");
    assert_eq!((verified.operations, verified.decisions), (position.seq, position.seq));
    let mut pipeline = pipeline(rules());
    let mut found = HashMap::new();
    let mut next = 1;
    while next <= position.seq {
        let operations = store.read(Stream::Operations, next, PAGE, usize::MAX).expect("operations");
        let decisions = store.read(Stream::Decisions, next, PAGE, usize::MAX).expect("decisions");
        assert_eq!(operations.len(), decisions.len());
        let record = |item: &(u64, Vec<u8>)| item.1[STAMP_BYTES..].to_vec();
        let records: Vec<Vec<u8>> = operations.iter().map(record).collect();
        for ((seq, decision), again) in decisions.iter().zip(replay(&mut pipeline, &records)) {
            assert_eq!(*seq, next, "a gap");
            let same = *decision == again;
            assert!(same, "{seq}: {} is {} by replay", text(decision), text(&again));
            let before = found.insert(id_of(decision), print_of(decision));
            assert_eq!(before, None, "decided twice: {}", text(decision));
            next += 1;
        }
    }
    found
}

/// Decides records; each must be decided.
pub(crate) fn replay(pipeline: &mut Pipeline<MemoryStore>, lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let records: Vec<_> = lines.iter().map(|bytes| Record { bytes, arrived_at: None }).collect();
    let committed = pipeline.process(&records).expect("a store in memory takes every change");
    let encoded = |answer: &Answer| {
        let Answer::Decided(decision) = answer else { panic!("{answer:?} to an operation of the log") };
        let mut line = Vec::new();
        decision.encode(&mut line);
        line
    };
    committed.answers.iter().map(encoded).collect()
}

/// Every decision that a client was told is the one in the store.
pub(crate) fn check_told(found: &HashMap<Box<str>, u128>, told: &HashMap<Box<str>, u128>) {
    for (id, print) in told {
        assert_eq!(found.get(id), Some(print), "acknowledged, and not in the store as it was told: {id}");
    }
}

/// The operation's id in a decision.
pub(crate) fn id_of(decision: &[u8]) -> Box<str> {
    let decision = text(decision);
    let (_, rest) = decision.split_once("\"op_id\":\"").expect("an id");
    rest.split('"').next().expect("its end").into()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
