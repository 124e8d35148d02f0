//! Everything that is said of the files of a rule folder: errors of rules, tests and data, and what is most likely not
//! meant.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{lint, rule_tests};
use crate::rules::diagnostic::Code;
use crate::rules::program::{Rule, RuleSet};
use crate::rules::test_file::{self, TestFile, rule_of_tests};
use crate::rules::{self, Diagnostic, FileKind, Severity, SourceFile};

/// A folder's files as they were read: as far as they are right.
#[derive(Debug)]
pub struct Read {
    /// There when the rules load.
    pub rules: Option<RuleSet>,
    /// The tests by their rules.
    pub tests: BTreeMap<String, TestFile>,
    pub findings: Vec<Diagnostic>,
}

/// Compiles the rules and parses their tests.
#[must_use]
pub fn read(files: &[SourceFile]) -> Read {
    let (rules, mut findings) = match rules::compile(files) {
        Ok(compiled) => (Some(compiled.rule_set), compiled.warnings),
        Err(found) => (None, found),
    };
    let is_known = |id: &str| rules.as_ref().is_none_or(|rules| rules.rules.iter().any(|rule| *rule.id == *id));
    let mut tests = BTreeMap::new();
    for file in files.iter().filter(|file| FileKind::of(file) == FileKind::Test) {
        match test_file::read(file) {
            Ok(parsed) => {
                findings.extend(test_file::unknown_rules(file, &parsed, is_known));
                findings.extend(rules.iter().flat_map(|rules| parsed.check_lists(&file.path, &rules.lists)));
                tests.extend(rule_of_tests(&file.path).map(|rule| (rule.to_owned(), parsed)));
            }
            Err(broken) => findings.extend(broken),
        }
    }
    Read { rules, tests, findings }
}

/// Compiles the rules, parses their tests, and looks for what is most likely not meant on the Almaty day `today`. The
/// rule set is there when the rules load.
#[must_use]
pub fn check(files: &[SourceFile], today: NaiveDate) -> (Option<RuleSet>, Vec<Diagnostic>) {
    let Read { rules, tests, mut findings } = read(files);
    if let Some(rules) = &rules {
        let found = lint::findings(rules, files, &findings, today);
        findings.extend(found);
        findings.extend(untested(rules, &tests));
    }
    findings.sort_by(|one, other| (&one.path, one.span.start).cmp(&(&other.path, other.span.start)));
    (rules, findings)
}

/// Warns about enforced rules without one firing and one silent test.
fn untested(rules: &RuleSet, tests: &BTreeMap<String, TestFile>) -> Vec<Diagnostic> {
    let gap = |rule: &Rule| {
        let cases = tests.get(&*rule.id).map_or(&[][..], |file| &file.tests);
        let outcomes: Vec<_> = cases.iter().map(|case| rule_tests::run(rules, &rule.id, case)).collect();
        let gap = rule_tests::coverage_gap(rules, &rule.id, &outcomes)?;
        let start = rule.source.find(&*rule.id).unwrap_or(0);
        Some(Diagnostic {
            code: Code::UntestedRule.name(),
            severity: Severity::Warning,
            message: format!("enforced rule `{}` {gap}", rule.id),
            path: rule.path.clone(),
            span: start..start + rule.id.len(),
            label: String::from("enforced"),
            help: vec![format!(
                "write {}.test.yaml with a step in which it fires and one in which it does not",
                rule.id
            )],
        })
    };
    rules.rules.iter().filter_map(gap).collect()
}
