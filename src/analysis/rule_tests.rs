//! Runs the tests of rule files on a virtual clock, through the same pipeline that decides for real.
//!
//! Knows the pipeline and the test files; reads no files itself.

mod compare;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::explain::examination::{Examination, Explained};
use crate::adapters::memory::MemoryStore;
use crate::engine::Engine;
use crate::engine::enrich::AddressFacts;
use crate::engine::plan::{Plan, Settings};
use crate::geo::Lookup;
use crate::operation::network::parse_network;
use crate::operation::{Time, decode};
use crate::pipeline::{AddressBook, Answer, Limits, Pipeline, Record, SharedStoreError};
use crate::rules::program::{Inputs, ListOrigin, ListRow, Mode, RuleSet};
use crate::rules::test_file::{Expect, TestAddress, TestCase};

/// What a test found at one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Position of the step, from zero.
    pub step: usize,
    /// Which repetition of it, from one.
    pub repetition: u32,
    pub differences: Vec<Difference>,
}

/// One key of `expect` that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub key: &'static str,
    pub expected: String,
    pub found: String,
}

/// What one test did.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub mismatches: Vec<Mismatch>,
    /// How often each rule fired, shadow ones too.
    pub fired: BTreeMap<String, u64>,
    /// How many decisions each rule of the set was silent on.
    pub decisions: u64,
}

/// The addresses of one test.
struct TestAddresses(BTreeMap<IpAddr, TestAddress>);

impl AddressBook for TestAddresses {
    fn facts(&self, address: Option<IpAddr>, _asks: Inputs) -> AddressFacts {
        // As the real databases do.
        let Some(address) = address else { return AddressFacts::UNKNOWN };
        let known = self.0.get(&address);
        AddressFacts {
            country: known.and_then(|known| known.country).map_or(Lookup::Unknown, Lookup::Known),
            anonymizer: Lookup::Known(known.is_some_and(|known| known.anonymizer)),
            anonymizer_is_sample: false,
        }
    }
}

/// Runs one test; `rule` is the rule of its file.
#[must_use]
pub fn run(rules: &RuleSet, rule: &str, test: &TestCase) -> Outcome {
    let mut pipeline = pipeline_of(rules, rule, test);
    let mut outcome = Outcome::default();
    for operation in operations(test) {
        let step = &test.steps[operation.step];
        let differences = run_step(&mut pipeline, (&operation.bytes, test.start), &step.expect, &mut outcome);
        if !differences.is_empty() {
            let (step, repetition) = (operation.step, operation.repetition);
            outcome.mismatches.push(Mismatch { step, repetition, differences });
        }
    }
    outcome
}

/// Explains the first operation of a test on which the rule of its file fires; `None` where it fires on none.
///
/// # Errors
/// The windows that wallets share did not take a change.
pub fn explain_hit(rules: &RuleSet, rule: &str, test: &TestCase) -> Result<Option<Examination>, SharedStoreError> {
    let mut pipeline = pipeline_of(rules, rule, test);
    for operation in operations(test) {
        let record = || Record { bytes: &operation.bytes, arrived_at: None };
        let is_hit = match pipeline.foresee(record()) {
            Answer::Decided(decision) => decision.matches.iter().any(|found| &*found.rule == rule),
            Answer::Duplicate { .. } | Answer::Rejected(_) => false,
        };
        if is_hit && let Explained::Decided(examination) = Examination::of(&mut pipeline, record())? {
            return Ok(Some(*examination));
        }
        pipeline.process(&[record()])?;
    }
    Ok(None)
}

/// Runs one test whatever it expects, and returns what was answered to each of its operations, in their order.
/// `None` stands for a duplicate, or a commit that failed.
#[must_use]
pub(crate) fn answers(rules: &RuleSet, rule: &str, test: &TestCase) -> Vec<Option<Answer>> {
    let mut pipeline = pipeline_of(rules, rule, test);
    let mut answer = |operation: StepOperation| {
        let record = Record { bytes: &operation.bytes, arrived_at: None };
        pipeline.process(&[record]).ok().and_then(|committed| committed.answers.into_iter().next())
    };
    operations(test)
        .map(|operation| answer(operation).filter(|found| !matches!(found, Answer::Duplicate { .. })))
        .collect()
}

/// One operation of a test.
pub(crate) struct StepOperation {
    /// Position of the step, from zero.
    pub(crate) step: usize,
    /// Which repetition of it, from one.
    pub(crate) repetition: u32,
    bytes: Vec<u8>,
}

/// Lists the operations of a test's steps, each repetition by itself.
pub(crate) fn operations(test: &TestCase) -> impl Iterator<Item = StepOperation> {
    let repetitions = test
        .steps
        .iter()
        .enumerate()
        .flat_map(|(position, step)| (0..step.times).map(move |done| (position, step, done)));
    repetitions.zip(1..).map(|((step, of, done), number)| {
        let at = test.start.plus(of.at).plus(of.every.saturating_mul(i64::from(done)));
        StepOperation { step, repetition: done + 1, bytes: operation_of(&of.operation, number, at) }
    })
}

fn pipeline_of(rules: &RuleSet, rule: &str, test: &TestCase) -> Pipeline<MemoryStore, TestAddresses> {
    let mut rules = rules.clone();
    if !test.with_all {
        rules.rules.retain(|known| &*known.id == rule);
    }
    for (name, replaced) in &test.lists {
        let values = || replaced.values.iter().map(|(value, _)| value);
        if let Some(list) = rules.lists.iter_mut().find(|list| list.name == *name) {
            list.origin = ListOrigin::File;
            let row = || vec![ListRow { from: None, until: None, reason: String::new() }];
            // Whoever runs tests refuses a file with a bad network (`check_lists`).
            list.networks = values()
                .filter_map(|value| parse_network(value).ok())
                .flat_map(|network| row().into_iter().map(move |row| (network, row)))
                .collect();
            let compared = |value: &String| list.list_type.compared(value).into_owned();
            list.values = values().map(|value| (compared(value), row())).collect();
        }
    }
    let address = |text: &String| text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let addresses = test.geo.iter().filter_map(|(text, known)| Some((address(text)?, known.clone()))).collect();
    let plan = Arc::new(Plan::new(Arc::new(rules), Settings::default()));
    Pipeline {
        engine: Engine::new(plan),
        geo: TestAddresses(addresses),
        store: MemoryStore::default(),
        limits: Limits::default(),
    }
}

/// Completes a step's operation with an id and a time, unless it brings its own.
fn operation_of(template: &Map<String, Value>, number: u32, at: Time) -> Vec<u8> {
    let mut operation = template.clone();
    operation.entry("op_id").or_insert_with(|| Value::from(format!("op-{number}")));
    operation.entry("occurred_at").or_insert_with(|| Value::from(at.to_string()));
    Value::Object(operation).to_string().into_bytes()
}

fn run_step(
    pipeline: &mut Pipeline<MemoryStore, TestAddresses>,
    (record, start): (&[u8], Time),
    expect: &Expect,
    outcome: &mut Outcome,
) -> Vec<Difference> {
    let committed = match pipeline.process(&[Record { bytes: record, arrived_at: None }]) {
        Ok(committed) => committed,
        Err(error) => {
            let expected = String::from("a commit");
            return vec![Difference { key: "operation", expected, found: error.to_string() }];
        }
    };
    match committed.answers.first() {
        Some(Answer::Decided(decision)) => {
            outcome.decisions += 1;
            for found in &decision.matches {
                *outcome.fired.entry(String::from(&*found.rule)).or_default() += 1;
            }
            match decode::decode(record) {
                Ok(operation) => compare::decided(pipeline, (&operation, start), expect, decision),
                Err(rejection) => compare::rejected(expect, &rejection).into_iter().collect(),
            }
        }
        Some(Answer::Rejected(rejection)) => compare::rejected(expect, rejection).into_iter().collect(),
        Some(Answer::Duplicate { .. }) | None => vec![Difference {
            key: "operation",
            expected: String::from("a new operation"),
            found: String::from("a duplicate: give it an op_id of its own"),
        }],
    }
}

/// Tells what an enforced rule's tests leave open: a rule needs one firing and one silent step.
#[must_use]
pub fn coverage_gap(rules: &RuleSet, rule: &str, outcomes: &[Outcome]) -> Option<&'static str> {
    let known = rules.rules.iter().find(|known| &*known.id == rule)?;
    if known.mode != Mode::Enforce {
        return None;
    }
    let fired: u64 = outcomes.iter().filter_map(|outcome| outcome.fired.get(rule)).sum();
    let decisions: u64 = outcomes.iter().map(|outcome| outcome.decisions).sum();
    match (fired, decisions) {
        (0, 0) => Some("has no test"),
        (0, _) => Some("has no test in which it fires"),
        (fired, decisions) if fired == decisions => Some("has no test in which it stays silent"),
        _ => None,
    }
}
