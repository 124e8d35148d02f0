//! The only place that knows the engine: lines in, one answer a line out.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use kuzet::adapters::folders::Folder;
use kuzet::adapters::memory::MemoryStore;
use kuzet::app;
use kuzet::engine::Engine;
use kuzet::engine::enrich::AddressFacts;
use kuzet::engine::mutant::EngineMutant;
use kuzet::engine::plan::{Plan, Settings};
use kuzet::engine::shared::{SharedChange, SharedRequest, SharedView};
use kuzet::geo::Lookup;
use kuzet::operation::decode::encode_rejection;
use kuzet::pipeline::{AddressBook, Answer, Limits, Pipeline, Record, SharedStore, SharedStoreError};
use kuzet::rules::program::{Inputs, RuleSet};
use kuzet::rules::{self, SourceFile};

use super::compare::EngineAnswer;
use super::naive::{BUDGET, GeoMap};

/// The addresses of a stream.
pub(crate) struct Addresses<'g>(pub(crate) &'g GeoMap);

impl AddressBook for Addresses<'_> {
    fn facts(&self, address: Option<IpAddr>, _asks: Inputs) -> AddressFacts {
        let known = address.and_then(|address| self.0.iter().find(|record| record.address.parse() == Ok(address)));
        let country = known.and_then(|known| known.country);
        let hides = |flag: &&str| ["vpn", "public_proxy", "residential_proxy", "tor"].contains(flag);
        AddressFacts {
            country: country.map_or(Lookup::Unknown, |code| {
                Lookup::Known(code.as_bytes().try_into().expect("a country code of two letters"))
            }),
            anonymizer: Lookup::Known(known.is_some_and(|known| known.flags.iter().any(hides))),
            anonymizer_is_sample: false,
        }
    }
}

/// The rules that the naive model knows: a copy, so that a new shipped rule concerns nobody here until the model
/// knows it too.
pub(crate) fn known_rules() -> Folder {
    Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/rules"))
}

pub(crate) fn rules() -> RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| app::load_rules(&known_rules()).expect("the rules load")).clone()
}

/// The same rules, with a budget of every one that stops anything.
pub(crate) fn rules_with_budgets() -> RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| compiled(&sources_with_budgets())).clone()
}

pub(crate) fn sources_with_budgets() -> Vec<SourceFile> {
    let mut sources = app::rule_sources(&known_rules()).expect("the rules load");
    sources.push(SourceFile::new("data/budget.yaml", BUDGET.as_bytes().to_vec()));
    sources
}

pub(crate) fn compiled(sources: &[SourceFile]) -> RuleSet {
    rules::compile(sources).unwrap_or_else(|found| panic!("{}", rules::render_text(&found, sources))).rule_set
}

/// The store of this process as if it were far away: all a batch reads is fetched in advance.
struct Distant(MemoryStore);

impl SharedStore for Distant {
    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView) {
        self.0.fetch(plan, request, view);
        view.near = None;
    }

    fn decided(&self, _: &Plan, _: &[SharedChange]) {}

    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError> {
        self.0.enter(plan, changes);
        Ok(())
    }
}

/// Runs an engine with empty state over the lines, in their order. The rules and lists of the
/// model are loaded, addresses are known as in `geo`; there is no arrival time. `fault` names the wrong
/// variant to run, one of `naive::FAULTS`.
pub(crate) fn run_engine(lines: &[String], geo: &GeoMap, fault: Option<&str>) -> Vec<EngineAnswer> {
    run_by(rules(), lines, geo, fault)
}

/// The same by rules with budgets.
pub(crate) fn run_with_budgets(lines: &[String], geo: &GeoMap, fault: Option<&str>) -> Vec<EngineAnswer> {
    run_by(rules_with_budgets(), lines, geo, fault)
}

fn run_by(rules: RuleSet, lines: &[String], geo: &GeoMap, fault: Option<&str>) -> Vec<EngineAnswer> {
    let fault = fault.map(|name| {
        let known = EngineMutant::ALL.iter().find(|(known, _)| *known == name);
        known.unwrap_or_else(|| panic!("the engine has no wrong variant {name}")).1
    });
    let plan = Plan::new(Arc::new(rules), Settings { mutant: fault, ..Settings::default() });
    // By turns near and far: the answers must not tell.
    if lines.len().is_multiple_of(2) {
        run(plan, geo, MemoryStore::default(), lines)
    } else {
        run(plan, geo, Distant(MemoryStore::default()), lines)
    }
}

fn run<S: SharedStore>(plan: Plan, geo: &GeoMap, store: S, lines: &[String]) -> Vec<EngineAnswer> {
    let engine = Engine::new(Arc::new(plan));
    let mut pipeline = Pipeline { engine, geo: Addresses(geo), store, limits: Limits::default() };
    let mut answers = Vec::new();
    // Batches of changing size: their bounds must not show.
    let mut rest = lines;
    let mut size = 1;
    while !rest.is_empty() {
        let (batch, left) = rest.split_at(size.min(rest.len()));
        let records: Vec<_> = batch.iter().map(|line| Record { bytes: line.as_bytes(), arrived_at: None }).collect();
        let committed = pipeline.process(&records).expect("a store in memory takes every change");
        answers.extend(committed.answers.iter().map(answer));
        (rest, size) = (left, size % 17 + 1);
    }
    answers
}

pub(crate) fn answer(answer: &Answer) -> EngineAnswer {
    let mut line = Vec::new();
    match answer {
        Answer::Duplicate { .. } => return EngineAnswer::Duplicate,
        Answer::Decided(decision) => decision.encode(&mut line),
        Answer::Rejected(rejection) => encode_rejection(&mut line, rejection, 0, 0, b""),
    }
    let value = serde_json::from_slice(&line).expect("answers are JSON");
    if matches!(answer, Answer::Decided(_)) { EngineAnswer::Decision(value) } else { EngineAnswer::Rejected(value) }
}
