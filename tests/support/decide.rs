//! Runs the engine with the shipped rules and databases over lines of operations.

use std::path::Path;

use kuzet::adapters::folders::Folder;
use kuzet::app;
use kuzet::operation::decision::Decision;
use kuzet::pipeline::{Answer, Record};

/// Decides every line in order, and gives each decision with its bytes to `each`.
pub(crate) fn decide_each(lines: &[u8], mut each: impl FnMut(&Decision, Vec<u8>)) {
    let folder = |name: &str| Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let rules = app::load_rules(&folder("rules")).expect("the shipped rules load");
    let mut pipeline = app::pipeline(rules, app::load_geo(&folder("geoip")).expect("the databases load"));
    let records: Vec<Record<'_>> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|bytes| Record { bytes, arrived_at: None })
        .collect();
    for batch in records.chunks(1_000) {
        let committed = pipeline.process(batch).expect("a store in memory takes every change");
        for (answer, record) in committed.answers.iter().zip(batch) {
            let Answer::Decided(decision) = answer else {
                panic!("{answer:?} to {}", String::from_utf8_lossy(record.bytes));
            };
            let mut line = Vec::new();
            decision.encode(&mut line);
            each(decision, line);
        }
    }
}
