//! The engine over a durable store that is closed and opened again and again, at other rules in between:
//! whatever was committed must be all there is to know.

use std::sync::{Arc, OnceLock};

use kuzet::adapters::memory::MemoryStore;
use kuzet::adapters::store::block::fold;
use kuzet::adapters::store::{Commit, Position, Store, StoreError};
use kuzet::app;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::engine::stored::{LayoutMigration, StateLayout};
use kuzet::operation::Time;
use kuzet::pipeline::{self, Answer, CommitLog, Committed, Decided, Limits, Pipeline, Record};
use kuzet::rules::SourceFile;
use kuzet::rules::program::RuleSet;
use kuzet::service::checkpoint::Checkpoint;
use kuzet::service::recovery::{Recovered, recover_state};

use super::adapter::{Addresses, answer, compiled, rules, rules_with_budgets, sources_with_budgets};
use super::compare::EngineAnswer;
use super::naive::GeoMap;

/// So small that every stream goes through several rounds of writing the state again.
const JOURNAL_BYTES_MIN: u64 = 2_000;
const REOPENED_EVERY: u64 = 4;

type Running<'g> = Pipeline<MemoryStore, Addresses<'g>>;

/// Decides the lines like `adapter::run_engine`, through a store.
pub(crate) fn run_engine(lines: &[String], geo: &GeoMap, _: Option<&str>) -> Vec<EngineAnswer> {
    run(lines, geo, [&rules(), &with_extra_rule()]).iter().map(answer).collect()
}

/// The same by rules with budgets.
pub(crate) fn run_with_budgets(lines: &[String], geo: &GeoMap, _: Option<&str>) -> Vec<EngineAnswer> {
    static MORE: OnceLock<RuleSet> = OnceLock::new();
    let more = MORE.get_or_init(|| {
        let mut sources = sources_with_budgets();
        sources.push(SourceFile::new("aaa-extra.yaml", EXTRA.as_bytes().to_vec()));
        compiled(&sources)
    });
    run(lines, geo, [&rules_with_budgets(), more]).iter().map(answer).collect()
}

/// Decides the lines through a store that is closed and opened again, by one rule set and the other by turns.
pub(crate) fn run(lines: &[String], geo: &GeoMap, by_turns: [&RuleSet; 2]) -> Vec<Answer> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(folder.path(), 1 << 20).expect("a store");
    let (mut pipeline, mut position) = start(&store, geo, by_turns[0]);
    let mut checkpoint = Checkpoint::new(0, JOURNAL_BYTES_MIN);
    let mut answers = Vec::new();
    let (mut rest, mut size) = (lines, 1);
    while !rest.is_empty() {
        let (batch, left) = rest.split_at(size.min(rest.len()));
        let decided = decide(&mut pipeline, &store, &mut position, &mut checkpoint, batch);
        answers.extend(decided);
        (rest, size) = (left, size % 17 + 1);
        if position.batch.is_multiple_of(REOPENED_EVERY) {
            drop(store);
            store = Store::open(folder.path(), 1 << 20).expect("the same store");
            let before = position;
            (pipeline, position) = start(&store, geo, by_turns[0]);
            assert_eq!(position, before);
        }
        if position.batch.is_multiple_of(5) {
            switch_rules(&mut pipeline, by_turns);
        }
    }
    answers
}

fn start<'g>(store: &Store, geo: &'g GeoMap, rules: &RuleSet) -> (Running<'g>, Position) {
    // This store holds the state alone, without the streams.
    let recovered = recover_state(store, Arc::new(rules.clone()), Settings::default(), |_, _| {}).expect("a state");
    let Recovered { engine, shared, position, young, .. } = recovered;
    assert_eq!(young, [], "no rules were noted");
    (Pipeline { engine, geo: Addresses(geo), store: shared, limits: Limits::default() }, position)
}

fn decide(
    pipeline: &mut Running<'_>,
    store: &Store,
    position: &mut Position,
    checkpoint: &mut Checkpoint,
    batch: &[String],
) -> Vec<Answer> {
    let records: Vec<_> = batch.iter().map(|line| Record { bytes: line.as_bytes(), arrived_at: None }).collect();
    let decided = pipeline.decide(&records);
    let layout = StateLayout::of(pipeline.engine.plan());
    let budgets = pipeline.engine.take_budget_notes().into_iter();
    position.batch += 1;
    position.seq = pipeline.engine.seq();
    let mut commit = Commit {
        position: *position,
        journal: Some(fold(&decided.journal(layout.id()), Time::ACCEPTED_FROM)),
        layouts: vec![(layout.id(), layout.encode())],
        notes: budgets.map(|(name, note)| (name, note.unwrap_or_default())).collect(),
        ..Commit::default()
    };
    checkpoint.add_to(&mut commit, &pipeline.engine, &pipeline.store, layout.id());
    let committed = pipeline::commit(&mut StateLog(store), decided.write_with(commit)).expect("a commit");
    committed.answers
}

/// A store that holds the state alone.
struct StateLog<'s>(&'s Store);

impl CommitLog<Decided<Commit>> for StateLog<'_> {
    type Error = StoreError;

    fn write(&mut self, decided: &Decided<Commit>) -> Result<(), StoreError> {
        self.0.commit(decided.with())
    }

    fn publish(&mut self, _: &Committed<Commit>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One more rule, which never fires: its windows stand before those of the others.
pub(crate) const EXTRA: &str = r#"
rule: aaa-extra
clauses: ["7.1"]
title: {kk: "қосымша", ru: "лишнее", en: "extra"}
owner: tests
mode: shadow
on: transfer
when: count(transfer by wallet, counterparty.wallet_id within 7h) > 1000000 or sum(transfer.amount into wallet within 3h) > 1000000000 KZT
then:
  - monitor
"#;

fn with_extra_rule() -> RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    let load = || {
        let mut sources = app::rule_sources(&super::adapter::known_rules()).expect("the rules load");
        sources.push(SourceFile::new("aaa-extra.yaml", EXTRA.as_bytes().to_vec()));
        compiled(&sources)
    };
    RULES.get_or_init(load).clone()
}

/// Decides by the rules with one more, or without it, by turns: the state is laid out anew each time.
fn switch_rules(pipeline: &mut Running<'_>, by_turns: [&RuleSet; 2]) {
    let present = pipeline.engine.plan();
    let next = by_turns.into_iter().find(|rules| rules.hash != present.rules.hash).expect("another rule set");
    let next = Plan::new(Arc::new(next.clone()), Settings::default());
    let way = LayoutMigration::between(&StateLayout::of(present), &StateLayout::of(&next));
    assert!(!way.is_identity());
    pipeline.engine.switch(Arc::new(next), &way);
    pipeline.store.translate(&way);
}
