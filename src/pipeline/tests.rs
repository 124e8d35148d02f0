//! The walk's order, its stages on threads, and its journal.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::adapters::folders::Folder;
use crate::adapters::memory::MemoryStore;
use crate::app;
use crate::engine::enrich::AddressFacts;
use crate::engine::plan::{Plan, Settings};
use crate::engine::stored::wallets::encode_group;
use crate::engine::stored::{GROUPS, Journal, JournalReader, Layouts, StateLayout};
use crate::operation::Time;
use crate::operation::time::MINUTE;
use crate::rules::program::{Inputs, RuleSet, symbol_of_text};

/// Counts how often it is asked, and knows nothing.
#[derive(Default)]
struct Asked(AtomicUsize);

impl AddressBook for Asked {
    fn facts(&self, _: Option<IpAddr>, _: Inputs) -> AddressFacts {
        self.0.fetch_add(1, Ordering::Relaxed);
        AddressFacts::UNKNOWN
    }
}

fn rules() -> RuleSet {
    let folder = Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"));
    app::load_rules(&folder).expect("the shipped rules load")
}

fn pipeline() -> Pipeline<MemoryStore, Asked> {
    let plan = Plan::new(Arc::new(rules()), Settings::default());
    Pipeline {
        engine: Engine::new(Arc::new(plan)),
        geo: Asked::default(),
        store: MemoryStore::default(),
        limits: Limits::default(),
    }
}

/// Transfers of equal amounts from few wallets to few others, a minute apart, so that own and shared windows
/// fill: rules fire within a batch and beyond it. Each tenth record is no operation.
fn lines() -> Vec<String> {
    let line = |n: usize| {
        if n.is_multiple_of(10) {
            return format!("no operation {n}");
        }
        let at = Time::ACCEPTED_FROM.plus(i64::try_from(n).expect("a number") * MINUTE);
        format!(
            r#"{{"op_id":"op-{n}","type":"transfer","occurred_at":"{at}","wallet_id":"7701000000{}","client_status":"identified","amount":"99000.00","currency":"KZT","counterparty":{{"kind":"client","wallet_id":"7702000000{}"}},"ip":"95.56.1.{}","device_id":"d-{}"}}"#,
            n % 3,
            n % 2,
            n % 5,
            n % 4
        )
    };
    (0..200).map(line).collect()
}

fn records(lines: &[String]) -> Vec<Record<'_>> {
    lines.iter().map(|line| Record { bytes: line.as_bytes(), arrived_at: None }).collect()
}

fn told(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(|answer| format!("{answer:?}")).collect()
}

#[test]
fn stages_may_run_on_other_threads() {
    fn may_be_sent<T: Send>() {}
    fn may_be_shared<T: Sync>() {}
    may_be_sent::<Decoded<'_>>();
    may_be_sent::<Enriched<'_>>();
    may_be_sent::<Prepared<'_>>();
    may_be_sent::<Batch>();
    may_be_sent::<Decided<Vec<u8>>>();
    may_be_sent::<Committed<Vec<u8>>>();
    may_be_shared::<Intake<'_, Geo>>();
    may_be_sent::<Pipeline<MemoryStore>>();
}

/// Decoded and enriched on one thread, decided on another, committed on a third, batch after batch: the
/// answers are those of one walk after the other.
#[test]
fn batches_that_wait_for_their_commit_answer_as_those_that_do_not() {
    let lines = lines();
    let mut one_by_one = pipeline();
    let mut expected = Vec::new();
    for batch in lines.chunks(20) {
        let committed = one_by_one.process(&records(batch)).expect("a store in memory takes every change");
        expected.extend(told(&committed.answers));
    }
    assert!(expected.iter().any(|answer| answer.contains("rule:")), "no rule fires: {}", expected[199]);

    let mut overlapped = pipeline();
    let (plan, geo, limits) = (Arc::clone(overlapped.engine.plan()), Asked::default(), overlapped.limits);
    let (to_decide, enriched) = std::sync::mpsc::channel();
    let (to_commit, waiting) = std::sync::mpsc::channel();
    let answers = std::thread::scope(|threads| {
        threads.spawn(|| {
            let to_decide = to_decide;
            let intake = Intake { plan: &plan, geo: &geo, limits };
            for batch in lines.chunks(20) {
                let spare = &mut Spare::default();
                let decoded = intake.decode(&records(batch), spare);
                to_decide.send(intake.enrich(decoded, spare)).expect("the decider listens");
            }
        });
        let committer = threads.spawn(|| {
            // Nothing is committed before everything is decided.
            let waiting: Vec<Decided> = waiting.into_iter().collect();
            let store = MemoryStore::default();
            let commit = |decided| commit(&mut Unlogged(&store), decided).expect("it takes every change");
            waiting.into_iter().flat_map(|decided| told(&commit(decided).answers)).collect::<Vec<_>>()
        });
        for enriched in enriched {
            let spare = &mut Spare::default();
            let prepared = overlapped.prepare(enriched, Batch::of(20), spare);
            let batch = overlapped.decide_prepared(prepared, spare);
            to_commit.send(overlapped.finish(batch)).expect("the committer listens");
        }
        drop(to_commit);
        committer.join().expect("the committer ends")
    });
    assert_eq!(answers, expected);
}

/// What other rules said to look up is not taken for what these rules need.
#[test]
fn operations_enriched_for_other_rules_are_enriched_again() {
    let lines = lines();
    let enriched_by = |pipeline: &Pipeline<MemoryStore, Asked>, plan: &Arc<Plan>| {
        let (geo, spare) = (Asked::default(), &mut Spare::default());
        let intake = Intake { plan, geo: &geo, limits: pipeline.limits };
        let decoded = intake.decode(&records(&lines[1..6]), spare);
        let enriched = intake.enrich(decoded, spare);
        assert_eq!(geo.0.into_inner(), 5);
        drop(pipeline.prepare(enriched, Batch::<Journal>::of(5), spare));
    };
    let pipeline = pipeline();
    enriched_by(&pipeline, pipeline.engine.plan());
    assert_eq!(pipeline.geo.0.load(Ordering::Relaxed), 0, "the same rules");
    enriched_by(&pipeline, &Arc::new(Plan::new(Arc::new(rules()), Settings::default())));
    assert_eq!(pipeline.geo.0.load(Ordering::Relaxed), 5, "a reload lay between");
}

/// A log that refuses, or notes what it is asked in which order.
#[derive(Default)]
struct Noting {
    refuses: bool,
    journals: Vec<Vec<u8>>,
    calls: Vec<&'static str>,
}

impl CommitLog<Decided> for Noting {
    type Error = &'static str;

    fn write(&mut self, decided: &Decided) -> Result<(), &'static str> {
        self.calls.push("write");
        if self.refuses {
            return Err("no room");
        }
        self.journals.push(decided.journal(StateLayout::of(decided.plan()).id()));
        Ok(())
    }

    fn publish(&mut self, committed: &Committed) -> Result<(), &'static str> {
        assert_eq!(committed.answers.len(), 20);
        self.calls.push("publish");
        Ok(())
    }
}

#[test]
fn others_learn_of_a_batch_only_when_it_is_written() {
    let (mut pipeline, lines) = (pipeline(), lines());
    let mut log = Noting::default();
    commit(&mut log, pipeline.decide(&records(&lines[..20]))).expect("it is written");
    assert_eq!(log.calls, ["write", "publish"]);
    let mut full = Noting { refuses: true, ..Noting::default() };
    let refused = commit(&mut full, pipeline.decide(&records(&lines[20..40])));
    assert_eq!(refused.err(), Some("no room"));
    assert_eq!(full.calls, ["write"]);
}

/// The journal that every walk writes makes the wallets again.
#[test]
fn journals_make_the_same_wallets() {
    let (mut pipeline, lines, mut log) = (pipeline(), lines(), Noting::default());
    for batch in lines.chunks(20) {
        commit(&mut log, pipeline.decide(&records(batch))).expect("it is written");
    }
    let plan = Arc::clone(pipeline.engine.plan());
    let layouts = Layouts::new(&plan);
    let mut restored = Engine::new(Arc::clone(&plan));
    for journal in &log.journals {
        let mut reader = JournalReader::new(journal, &layouts).expect("a journal");
        while let Some((id, mut changes)) = reader.next_wallet().expect("a wallet's changes") {
            restored.wallets_mut().get_or_insert(symbol_of_text(id), id).apply(&plan, &mut changes);
        }
    }
    let bytes = |engine: &Engine, group| encode_group(engine.wallets(), group, layouts.present().id());
    assert!(pipeline.engine.wallets().len() >= 3);
    for group in 0..GROUPS {
        assert_eq!(bytes(&pipeline.engine, group), bytes(&restored, group), "group {group}");
    }
}
