//! Asks what the tests of a rule would not notice: each literal, comparison, connective and key of the rule is moved
//! by one step, and the tests are run against the changed rule. What they all pass all the same *survives*, and a
//! test is looked for that would notice it.
//!
//! Knows rule files as texts and the rule tests; reads no files itself.

mod budgets;
mod edits;
mod paste;
mod search;
mod variations;

use std::cell::OnceCell;
use std::ops::Range;

use super::rule_tests;
use crate::rules::diagnostic::Code;
use crate::rules::program::RuleSet;
use crate::rules::test_file::{Equivalent, TestCase, TestFile};
use crate::rules::{self, Diagnostic, FileKind, Severity, SourceFile};
use edits::Edit;
pub(in crate::analysis) use edits::edits_of;

/// A change that no test of the rule noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// The bytes of the rule's file that were changed.
    pub span: Range<usize>,
    /// The comparison, aggregate or setting around the change, in one line, and what it became.
    pub before: String,
    pub after: String,
    /// A test that passes with the rule and fails with the change, as the item of a test file's `tests`. `None` where
    /// none was found: it may be that nothing tells the two apart.
    pub test: Option<String>,
}

impl Survivor {
    /// Returns it as a finding in the file of its rule, at `path`.
    #[must_use]
    pub fn finding(&self, path: &str) -> Diagnostic {
        Diagnostic {
            path: path.to_owned(),
            span: self.span.clone(),
            severity: Severity::Error,
            code: Code::Untested.name(),
            message: format!("no test notices `{}`", self.after),
            label: format!("`{}` became that", self.before),
            help: Vec::new(),
        }
    }
}

/// What the tests of one rule noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Changes that a test noticed.
    pub noticed: usize,
    /// Changes with which the rule does not load.
    pub refused: usize,
    /// Changes that the test file says make no difference.
    pub equivalent: usize,
    pub survivors: Vec<Survivor>,
    /// Positions in the test file's `equivalent` that name no surviving change: a test notices it, or there is none.
    pub idle: Vec<usize>,
}

/// Returns an entry of `equivalent`, in the test file at `path`, that stands for nothing as a finding.
#[must_use]
pub fn idle_finding(entry: &Equivalent, path: &str) -> Diagnostic {
    Diagnostic {
        path: path.to_owned(),
        span: entry.span.clone(),
        severity: Severity::Error,
        code: Code::IdleEquivalent.name(),
        message: format!("no surviving change is `{}` → `{}`", entry.rule_says, entry.as_well_as),
        label: "a test notices it, or the rule does not say that".to_owned(),
        help: vec!["leave the entry out".to_owned()],
    }
}

/// The rule whose tests are asked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'s> {
    /// All files of the folder.
    pub sources: &'s [SourceFile],
    pub rules: &'s RuleSet,
    pub rule: &'s str,
    /// `None` where the rule has no test file.
    pub tests: Option<&'s TestFile>,
}

/// Changes the rule step by step and tells what its tests do not notice. The tests have to pass as they are.
#[must_use]
pub fn mutate(subject: Subject<'_>) -> Report {
    let mut report = Report::default();
    let Some(rule) = subject.rules.rules.iter().find(|rule| &*rule.id == subject.rule) else { return report };
    let Some(loader) = Loader::new(subject, &rule.path) else { return report };
    let (tests, equivalent) = subject.tests.map_or((&[][..], &[][..]), |file| (&file.tests, &file.equivalent));
    let mut met = vec![false; equivalent.len()];
    for edit in edits_of(&rule.source) {
        let Some(mutant) = loader.load(edit.applied(&rule.source)) else { continue };
        if !mutant.is_accepted(tests) {
            report.refused += 1;
            continue;
        }
        if tests.iter().any(|test| mutant.is_noticed_by(subject.rule, test)) {
            report.noticed += 1;
            continue;
        }
        let (before, after) = edit.phrases(&rule.source);
        if let Some(at) = equivalent.iter().position(|known| known.rule_says == before && known.as_well_as == after) {
            met[at] = true;
            report.equivalent += 1;
            continue;
        }
        let test = telling_test(subject, &mutant, (&rule.source, &edit), tests);
        report.survivors.push(Survivor { span: edit.span, before, after, test });
    }
    report.idle = met.iter().enumerate().filter(|(_, met)| !**met).map(|(at, _)| at).collect();
    report
}

/// Looks for a test that tells the rule from its change, and holds it to its word.
fn telling_test(
    subject: Subject<'_>,
    mutant: &Mutant<'_>,
    (text, edit): (&str, &Edit),
    tests: &[TestCase],
) -> Option<String> {
    let (before, after) = edit.phrases(text);
    let of_budget = budgets::is_of_budget(&before);
    let found = search::telling(subject.rules, mutant, (subject.rule, text, of_budget), tests)?;
    let pasted = paste::test(&format!("`{before}` is not `{after}`"), &found);
    let read = rules::test_file::parse("pasted", &format!("tests:\n{pasted}")).ok()?;
    let [test] = read.tests.as_slice() else { return None };
    let passes = rule_tests::run(subject.rules, subject.rule, test).mismatches.is_empty();
    (passes && mutant.is_noticed_by(subject.rule, test)).then_some(pasted)
}

/// Loads changed texts of one rule.
struct Loader<'s> {
    /// All other files of the folder but tests.
    others: Vec<&'s SourceFile>,
    file: &'s SourceFile,
    /// The hash of the rule as it is, by itself.
    hash: Option<String>,
}

impl<'s> Loader<'s> {
    fn new(subject: Subject<'s>, path: &str) -> Option<Self> {
        let file = subject.sources.iter().find(|source| source.path == path)?;
        let is_other = |source: &&SourceFile| source.path != path && FileKind::of(source) != FileKind::Test;
        let others = subject.sources.iter().filter(is_other).collect();
        let mut loader = Self { others, file, hash: None };
        loader.hash = loader.alone(&file.bytes).map(|rules| rules.hash.to_string());
        Some(loader)
    }

    /// Compiles the rule without the others: rules that lean on others cannot be.
    fn alone(&self, text: &[u8]) -> Option<RuleSet> {
        self.compile(text, |other| FileKind::of(other) != FileKind::Rule)
    }

    fn compile(&self, text: &[u8], is_wanted: impl Fn(&SourceFile) -> bool) -> Option<RuleSet> {
        let others = self.others.iter().copied().filter(|other| is_wanted(other)).cloned();
        let mut file = self.file.clone();
        file.bytes = text.to_vec();
        let files: Vec<SourceFile> = others.chain([file]).collect();
        rules::compile(&files).ok().map(|compiled| compiled.rule_set)
    }

    /// Returns the changed rule, unless it means the same as before.
    fn load(&self, text: String) -> Option<Mutant<'_>> {
        let alone = self.alone(text.as_bytes());
        let means_the_same = alone.as_ref().is_some_and(|rules| self.hash.as_deref() == Some(&*rules.hash));
        (!means_the_same).then(|| Mutant { loader: self, text, alone, among_all: OnceCell::new() })
    }
}

/// The changed rule: by itself, and among all others.
struct Mutant<'l> {
    loader: &'l Loader<'l>,
    text: String,
    alone: Option<RuleSet>,
    among_all: OnceCell<Option<RuleSet>>,
}

impl Mutant<'_> {
    /// Returns the changed rule among all others; `None` where it is refused.
    fn among_all(&self) -> Option<&RuleSet> {
        self.among_all.get_or_init(|| self.loader.compile(self.text.as_bytes(), |_| true)).as_ref()
    }

    /// Returns the rules that a test runs; `None` where the changed rule is refused.
    fn of(&self, test: &TestCase) -> Option<&RuleSet> {
        self.alone.as_ref().filter(|_| !test.with_all).or_else(|| self.among_all())
    }

    /// Tells whether the changed rule is one that loads.
    fn is_accepted(&self, tests: &[TestCase]) -> bool {
        let needs_all = self.alone.is_none() || tests.iter().any(|test| test.with_all);
        !needs_all || self.among_all().is_some()
    }

    /// Tells whether a test fails with the changed rule.
    fn is_noticed_by(&self, rule: &str, test: &TestCase) -> bool {
        self.of(test).is_none_or(|rules| !rule_tests::run(rules, rule, test).mismatches.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = r#"rule: large
clauses: ["7.15"]
title: {kk: a, ru: b, en: c}
owner: risk
mode: enforce
on: transfer
when: amount > 1_000 KZT and count(transfer by wallet within 1h) >= 2
then:
  - monitor
"#;

    fn report(tests: &str) -> Report {
        report_of(RULE, tests)
    }

    fn report_of(rule: &str, tests: &str) -> Report {
        let sources = [SourceFile::new("large.yaml", rule), SourceFile::new("large.test.yaml", tests)];
        let rules = rules::compile(&sources).unwrap().rule_set;
        let tests = rules::test_file::read(&sources[1]).unwrap();
        mutate(Subject { sources: &sources, rules: &rules, rule: "large", tests: Some(&tests) })
    }

    const TRANSFER: &str = "{type: transfer, wallet_id: W, client_status: identified, \
        counterparty: {kind: client, wallet_id: V}, amount: \"1000.01\"}";

    #[test]
    fn what_survives_comes_with_a_test_that_notices_it() {
        let weak = format!(
            "tests:\n  - name: the second\n    start: 2026-03-02T12:00:00+05:00\n    given: {TRANSFER}\n    steps:\n\
             \x20     - {{at: 0m, expect: {{matches: []}}}}\n      - {{at: 1m, expect: {{matches: [large]}}}}\n"
        );
        let first = report(&weak);
        let survived: Vec<&str> = first.survivors.iter().map(|survivor| survivor.after.as_str()).collect();
        assert_eq!(
            survived,
            [
                "amount >= 1_000 KZT",
                "amount > 999.99 KZT",
                "count(transfer by type within 1h)",
                "count(transfer by wallet within 3599s)",
                "count(transfer by wallet within 3601s)",
            ]
        );
        let pasted: String = first.survivors.iter().map(|survivor| survivor.test.clone().unwrap()).collect();
        insta::assert_snapshot!(pasted);
        let strong = report(&format!("{weak}{pasted}"));
        assert_eq!((strong.survivors, strong.noticed), (Vec::new(), first.noticed + 5));
    }

    /// The numbers of a budget are moved too, and each has a test that notices it.
    #[test]
    fn the_numbers_of_a_budget_are_a_part_of_the_rule() {
        let when = "when: amount > 1_000 KZT and count(transfer by wallet within 1h) >= 2\n";
        let rule = RULE.replace(when, "when: amount > 1_000 KZT\n").replace("  - monitor\n", "  - hold\n")
            + "budget: {holds_per_hour: 120, share: 2%, at_least: 50}\n";
        let calm = TRANSFER.replace("1000.01", "1000.00");
        let weak = format!(
            "tests:\n  - name: both sides\n    start: 2026-03-02T12:00:00+05:00\n    steps:\n\
             \x20     - {{at: 0m, expect: {{matches: []}}, {}}}\n      - {{at: 1m, expect: {{matches: [large]}}, {}}}\n",
            inside(&calm),
            inside(TRANSFER)
        );
        let first = report_of(&rule, &weak);
        let survived: Vec<&str> = first.survivors.iter().map(|survivor| survivor.after.as_str()).collect();
        let budget = [
            "holds_per_hour: 119",
            "holds_per_hour: 121",
            "share: 1.99%",
            "share: 2.01%",
            "at_least: 49",
            "at_least: 51",
        ];
        assert_eq!(survived, budget);
        let pasted: String = first
            .survivors
            .iter()
            .map(|survivor| survivor.test.clone().unwrap_or_else(|| panic!("no test of {}", survivor.after)))
            .collect();
        let strong = report_of(&rule, &format!("{weak}{pasted}"));
        assert_eq!((strong.survivors, strong.noticed), (Vec::new(), first.noticed + 6));
        let (shadow, of_shadow) =
            (rule.replace("mode: enforce", "mode: shadow"), weak.replace("matches: [large]", "shadow: [large]"));
        let shadow = report_of(&shadow, &of_shadow);
        assert!(shadow.survivors.iter().all(|survivor| !budget.contains(&&*survivor.after)), "it stops nothing");
    }

    /// The keys of an operation without the braces around them.
    fn inside(operation: &str) -> &str {
        operation.trim_start_matches('{').trim_end_matches('}')
    }

    #[test]
    fn an_entry_of_equivalent_stands_for_a_survivor_or_is_idle() {
        let tests = format!(
            "tests:\n  - name: one\n    start: 2026-03-02T12:00:00+05:00\n    given: {TRANSFER}\n    steps:\n\
             \x20     - {{at: 0m, expect: {{matches: []}}}}\nequivalent:\n\
             \x20 - {{rule_says: amount > 1_000 KZT, as_well_as: amount > 999.99 KZT, why: it is so}}\n\
             \x20 - {{rule_says: amount > 2_000 KZT, as_well_as: amount > 999.99 KZT, why: no such words}}\n"
        );
        let report = report(&tests);
        assert_eq!((report.equivalent, report.idle), (1, vec![1]));
    }
}
