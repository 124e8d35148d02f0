//! `kuzet test`: runs the rule tests on a virtual clock and shows what differs.

mod mutate;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::exit;
use crate::adapters::folders;
use crate::analysis::rule_tests::{self, Outcome};
use crate::app;
use crate::rules::diagnostic::render;
use crate::rules::program::RuleSet;
pub use crate::rules::test_file::rule_of_tests;
use crate::rules::test_file::{self, TestFile};
use crate::rules::{self, Diagnostic, SourceFile};

const AFTER_HELP: &str = "\
Exit code 1 when a test fails. An enforced rule without a test that fires it and one that does not is warned about.

With --mutate each number, comparison, connective and key of a rule is moved by one step, and its tests are run against
the changed rule. Exit code 1 when they all pass all the same; a test that notices the change is written out. A change
that makes no difference can be listed under `equivalent` in the test file.

Examples:
  kuzet test
  kuzet test rules --only transfer-over-100k
  kuzet test --mutate --only transfer-over-100k";

/// Run the tests beside the rules on a virtual clock
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TestArguments {
    /// Folder of rules [default: ./rules, else the embedded ones]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Run only the tests of this rule
    #[arg(long, value_name = "RULE")]
    only: Option<String>,
    /// Move each threshold of the rules by one step and report which changes no test notices
    #[arg(long)]
    mutate: bool,
}

const PLAIN: &str = "";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Colours words where that is wanted.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, words: &str) -> String {
        if self.0 && code != PLAIN { format!("\u{1b}[{code}m{words}\u{1b}[0m") } else { words.to_owned() }
    }
}

/// Counts of a run.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    warnings: usize,
}

/// Runs the command.
///
/// # Errors
/// The folder cannot be read, its rules do not load, or the answer cannot be written.
pub fn run(arguments: &TestArguments, color: bool, out: &mut dyn Write) -> anyhow::Result<i32> {
    let paint = Paint(color);
    let folder = folders::rules_folder(arguments.folder.as_deref())?;
    let sources = app::rule_sources(&folder)?;
    let rules = app::load_rules(&folder)?;
    if let Some(only) = &arguments.only
        && !rules.rules.iter().any(|rule| *rule.id == **only)
    {
        anyhow::bail!(exit::UsageError(format!("no rule is named {only}")));
    }
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    let mut files = BTreeMap::new();
    for rule in rules.rules.iter().map(|rule| rule.id.to_string()) {
        if arguments.only.as_ref().is_some_and(|only| *only != rule) {
            continue;
        }
        let source = sources.iter().find(|source| rule_of_tests(&source.path) == Some(&*rule));
        match source.map(|source| parse(source, &rules)).transpose() {
            Ok(file) => {
                run_file((&rules, &rule), source.zip(file.as_ref()), &mut tally, (paint, out))?;
                files.extend(file.map(|file| (rule, file)));
            }
            Err(diagnostics) => broken.extend(diagnostics),
        }
    }
    let text = if color { render::render_colored } else { rules::render_text };
    out.write_all(text(&broken, &sources).as_bytes())?;
    let failed = tally.failed + broken.len();
    let counted =
        |count: usize, what: &str, code| paint.with(if count > 0 { code } else { PLAIN }, &format!("{count} {what}"));
    let (passed, warnings) = (counted(tally.passed, "passed", GREEN), counted(tally.warnings, "warnings", YELLOW));
    writeln!(out, "{passed}, {}, {warnings}", counted(failed, "failed", RED))?;
    if failed > 0 {
        if arguments.mutate {
            writeln!(out, "The rules are not changed before their tests pass as they are.")?;
        }
        return Ok(exit::NO);
    }
    if arguments.mutate {
        return mutate::run((&rules, &sources), &files, arguments.only.as_deref(), (paint, out));
    }
    Ok(exit::OK)
}

fn parse(source: &SourceFile, rules: &RuleSet) -> Result<TestFile, Vec<Diagnostic>> {
    let file = test_file::read(source)?;
    let findings = file.check_lists(&source.path, &rules.lists);
    if findings.is_empty() { Ok(file) } else { Err(findings) }
}

fn run_file(
    (rules, rule): (&RuleSet, &str),
    file: Option<(&SourceFile, &TestFile)>,
    tally: &mut Tally,
    (paint, out): (Paint, &mut dyn Write),
) -> anyhow::Result<()> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    if let Some((source, file)) = file {
        for test in &file.tests {
            let outcome = rule_tests::run(rules, rule, test);
            if outcome.mismatches.is_empty() {
                tally.passed += 1;
            } else {
                tally.failed += 1;
                show(source, test, &outcome, (paint, out))?;
            }
            outcomes.push(outcome);
        }
    }
    if let Some(gap) = rule_tests::coverage_gap(rules, rule, &outcomes) {
        tally.warnings += 1;
        writeln!(out, "{} {rule} {gap}\n", paint.with(YELLOW, "warning:"))?;
    }
    Ok(())
}

fn show(
    source: &SourceFile,
    test: &test_file::TestCase,
    outcome: &Outcome,
    (paint, out): (Paint, &mut dyn Write),
) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(&source.bytes);
    writeln!(
        out,
        "{} {}: {}",
        paint.with(RED, "FAILED"),
        rule_of_tests(&source.path).unwrap_or(&source.path),
        test.name
    )?;
    for mismatch in &outcome.mismatches {
        let step = &test.steps[mismatch.step];
        let line = 1 + text.as_bytes()[..step.span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
        let repetition = if step.times > 1 {
            format!(", repetition {} of {}", mismatch.repetition, step.times)
        } else {
            String::new()
        };
        writeln!(out, "  {}:{line} step {}{repetition}", source.path, mismatch.step + 1)?;
        for difference in &mismatch.differences {
            writeln!(out, "    {}", difference.key)?;
            writeln!(out, "      {}", paint.with(GREEN, &format!("- expected {}", difference.expected)))?;
            writeln!(out, "      {}", paint.with(RED, &format!("+ found    {}", difference.found)))?;
        }
    }
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_coloured_where_that_is_wanted() {
        assert_eq!(Paint(true).with(RED, "FAILED"), "\u{1b}[31mFAILED\u{1b}[0m");
        assert_eq!(Paint(true).with(PLAIN, "0 failed"), "0 failed");
        assert_eq!(Paint(false).with(RED, "FAILED"), "FAILED");
    }
}
