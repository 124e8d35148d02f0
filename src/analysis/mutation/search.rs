//! Looks for a test that tells a rule from its changed twin: the tests there are, varied where the two may differ.

use std::collections::BTreeMap;

use super::Mutant;
use super::budgets;
use super::variations::{Hints, variations};
use crate::analysis::rule_tests;
use crate::operation::decision::{Command, Decision, Subject};
use crate::operation::time::Nanos;
use crate::pipeline::Answer;
use crate::rules::program::RuleSet;
use crate::rules::test_file::{Expect, ExpectedCommand, ExpectedRejection, ExpectedTerms, Step, TestCase};

/// Most operations that one search decides.
const OPERATIONS_MAX: u64 = 60_000;

/// Where a test tells the two apart.
struct Difference {
    step: usize,
    repetition: u32,
    expect: Expect,
}

/// Returns a test that passes with the rules as they are and fails with the changed one: as short as leaving steps
/// out makes it, with one expectation at the step that shows the difference. `of_budget`: the change is one of the rule's
/// budget.
pub(super) fn telling(
    rules: &RuleSet,
    mutant: &Mutant<'_>,
    (rule, text, of_budget): (&str, &str, bool),
    tests: &[TestCase],
) -> Option<TestCase> {
    let budget = rules.rules.iter().find(|known| *known.id == *rule).and_then(|known| known.budget);
    let budget = budget.filter(|_| of_budget);
    let hints = Hints::of(rules, rule, text);
    let mut shortest: Vec<&TestCase> = tests.iter().collect();
    shortest.sort_by_key(|test| (test.with_all, operations_of(test)));
    // The tests there are, some of which may expect too little; then with one change, then with two.
    let as_they_are = || shortest.iter().map(|test| (*test).clone());
    let spent = as_they_are().flat_map(|test| budget.map(|budget| budgets::variations(&test, rule, budget)));
    let once = || as_they_are().flat_map(|test| variations(&test, &hints));
    let twice = once().flat_map(|test| variations(&test, &hints));
    let mut decided = 0;
    let mut affordable = as_they_are().chain(spent.flatten()).chain(once()).chain(twice).take_while(|test| {
        decided += operations_of(test);
        decided <= OPERATIONS_MAX
    });
    let found = affordable.find(|test| difference(rules, mutant, rule, test).is_some())?;
    shortened(found, &mut |test| difference(rules, mutant, rule, test))
}

fn operations_of(test: &TestCase) -> u64 {
    test.steps.iter().map(|step| u64::from(step.times)).sum()
}

/// Leaves out what is not needed, and says what is expected.
fn shortened(mut test: TestCase, tells: &mut dyn FnMut(&TestCase) -> Option<Difference>) -> Option<TestCase> {
    let mut found = tells(&test)?;
    cut_after(&mut test, &found);
    let mut at = test.steps.len();
    while at > 0 {
        at -= 1;
        let mut shorter = test.clone();
        shorter.steps.remove(at);
        if let Some(still) = tells(&shorter) {
            cut_after(&mut shorter, &still);
            (test, found) = (shorter, still);
            at = at.min(test.steps.len());
        }
    }
    // The step that shows it stands by itself, once.
    let last = test.steps.pop()?;
    if found.repetition > 1 {
        test.steps.push(Step { times: found.repetition - 1, ..last.clone() });
    }
    let at = last.at + i64::from(found.repetition - 1) * last.every;
    test.steps.push(Step { times: 1, every: Nanos::ZERO, at, expect: found.expect, ..last });
    Some(test)
}

/// Steps after the one that shows the difference are not needed, nor is what the test expected so far.
fn cut_after(test: &mut TestCase, found: &Difference) {
    test.steps.truncate(found.step + 1);
    for step in &mut test.steps {
        step.expect = Expect::default();
    }
}

/// The first operation that the two answer differently, as far as a test can say so.
fn difference(rules: &RuleSet, mutant: &Mutant<'_>, rule: &str, test: &TestCase) -> Option<Difference> {
    let changed = mutant.of(test)?;
    let (one, other) = (rule_tests::answers(rules, rule, test), rule_tests::answers(changed, rule, test));
    for ((operation, one), other) in rule_tests::operations(test).zip(&one).zip(&other) {
        let seen = |answer: &Option<Answer>| answer.as_ref().and_then(|answer| expectation(answer, test));
        let (one, other) = (seen(one)?, seen(other)?);
        if one != other {
            let mut expect = one;
            keep_short(&mut expect, &other);
            return Some(Difference { step: operation.step, repetition: operation.repetition, expect });
        }
    }
    None
}

/// Everything that a test can expect of an answer.
fn expectation(answer: &Answer, test: &TestCase) -> Option<Expect> {
    match answer {
        Answer::Decided(decision) => Some(of_decision(decision, test)),
        Answer::Rejected(rejection) => {
            let (code, field) = (rejection.code.name().to_owned(), rejection.field.as_deref().map(str::to_owned));
            Some(Expect { rejected: Some(ExpectedRejection { code, field }), ..Expect::default() })
        }
        Answer::Duplicate { .. } => None,
    }
}

fn of_decision(decision: &Decision, test: &TestCase) -> Expect {
    let of_mode = |enforced: bool| {
        let matches = decision.matches.iter().filter(move |found| found.enforced == enforced);
        Some(matches.map(|found| found.rule.to_string()).collect())
    };
    let command = |command: &Command| {
        let (Subject::Operation(of, _) | Subject::Wallet(of) | Subject::Ip(of)) = &command.subject;
        let terms = command.restriction.as_ref();
        let offset = |time: crate::operation::Time| time.since(test.start);
        let until = terms.map(|terms| terms.until.map(offset));
        ExpectedCommand {
            kind: command.kind.name().to_owned(),
            rule: Some(command.rule.to_string()),
            of: Some(of.to_string()),
            terms: ExpectedTerms { from: terms.map(|terms| offset(terms.from)), until },
            times: None,
        }
    };
    Expect {
        verdict: Some(decision.verdict.name().to_owned()),
        matches: of_mode(true),
        shadow: of_mode(false),
        commands: Some(decision.commands.iter().map(command).collect()),
        ..Expect::default()
    }
}

/// Says no more than the two differ in: kinds of commands where those tell, how many of a kind where only that does,
/// else everything about each.
fn keep_short(expect: &mut Expect, other: &Expect) {
    if expect.shadow == other.shadow && expect.shadow.as_ref().is_some_and(Vec::is_empty) {
        expect.shadow = None;
    }
    if expect.matches == other.matches && expect.matches.as_ref().is_some_and(Vec::is_empty) {
        expect.matches = None;
    }
    let (mine, theirs) = (kinds(expect), kinds(other));
    let (counts_differ, kinds_differ) = (mine != theirs, !mine.keys().eq(theirs.keys()));
    if counts_differ || expect.commands == other.commands {
        let of_kind = |(kind, count): (String, u32)| {
            let times = (counts_differ && !kinds_differ).then_some(count);
            ExpectedCommand { kind, times, ..ExpectedCommand::default() }
        };
        expect.commands = Some(mine.into_iter().map(of_kind).collect());
    }
}

fn kinds(expect: &Expect) -> BTreeMap<String, u32> {
    let mut kinds = BTreeMap::new();
    for command in expect.commands.iter().flatten() {
        *kinds.entry(command.kind.clone()).or_default() += 1;
    }
    kinds
}
