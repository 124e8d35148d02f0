//! `kuzet test --mutate`: which changes of the rules no test notices.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Paint, RED, YELLOW, exit};
use crate::analysis::mutation::{self, Report, Subject};
use crate::rules::diagnostic::render;
use crate::rules::program::RuleSet;
use crate::rules::test_file::TestFile;
use crate::rules::{self, Diagnostic, SourceFile};

/// Changes the rules step by step and shows what their tests do not notice; `tests` are theirs by rule.
pub(super) fn run(
    (rules, sources): (&RuleSet, &[SourceFile]),
    tests: &BTreeMap<String, TestFile>,
    only: Option<&str>,
    (paint, out): (Paint, &mut dyn Write),
) -> anyhow::Result<i32> {
    let wanted: Vec<&str> =
        rules.rules.iter().map(|rule| &*rule.id).filter(|id| only.is_none_or(|o| o == *id)).collect();
    let subject = |rule| Subject { sources, rules, rule, tests: tests.get(rule) };
    let reports = on_all_cores(&wanted, |rule| mutation::mutate(subject(rule)));
    let (mut total, mut found) = (Report::default(), Vec::new());
    for (rule, report) in wanted.iter().zip(reports) {
        writeln!(out, "{rule}: {}", counted(&report, paint))?;
        found.extend(show(subject(rule), &report, (paint, out))?);
        total.noticed += report.noticed;
        total.refused += report.refused;
        total.equivalent += report.equivalent;
        total.survivors.extend(report.survivors);
        total.idle.extend(report.idle);
    }
    writeln!(out, "{} rules, {}", wanted.len(), counted(&total, paint))?;
    if let Some(more) = rules::more_about(&found) {
        writeln!(out, "{more}")?;
    }
    Ok(if total.survivors.is_empty() && total.idle.is_empty() { exit::OK } else { exit::NO })
}

/// Runs `work` for each item on as many threads as there are cores; answers in the items' order.
fn on_all_cores<'i, A: Send>(items: &[&'i str], work: impl Fn(&'i str) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
                {
                    let answer = work(item);
                    answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(at, answer);
                }
            });
        }
    });
    answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect()
}

fn counted(report: &Report, paint: Paint) -> String {
    let survivors = report.survivors.len();
    let all = report.noticed + report.refused + report.equivalent + survivors;
    let survived = format!("{survivors} survived");
    let survived = if survivors > 0 { paint.with(RED, &survived) } else { survived };
    let mut text = format!("{all} changes: {} noticed, {survived}", report.noticed);
    for (count, what) in [(report.refused, "refused by the checks"), (report.equivalent, "make no difference")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

/// Shows what was found, and returns it.
fn show(
    subject: Subject<'_>,
    report: &Report,
    (paint, out): (Paint, &mut dyn Write),
) -> anyhow::Result<Vec<Diagnostic>> {
    let mut found = Vec::new();
    let Some(rule) = subject.rules.rules.iter().find(|rule| *rule.id == *subject.rule) else { return Ok(found) };
    let text = if paint.0 { render::render_colored } else { rules::render_text };
    let test_file = subject.sources.iter().find(|source| super::rule_of_tests(&source.path) == Some(subject.rule));
    for survivor in &report.survivors {
        let finding = survivor.finding(&rule.path);
        write!(out, "\n{}", text(std::slice::from_ref(&finding), subject.sources).trim_end())?;
        found.push(finding);
        writeln!(out)?;
        match (&survivor.test, test_file) {
            (Some(test), Some(file)) => writeln!(out, "\nA test that notices it, for {}:\n{test}", file.path)?,
            (Some(test), None) => {
                writeln!(out, "\nA test that notices it, for a file {}.test.yaml:\ntests:\n{test}", subject.rule)?;
            }
            (None, _) => writeln!(
                out,
                "\nNo test was found that notices it. If nothing can, say so in the test file:\n\
                 equivalent:\n  - {{rule_says: {}, as_well_as: {}, why: \"…\"}}\n",
                serde_json::Value::from(survivor.before.as_str()),
                serde_json::Value::from(survivor.after.as_str()),
            )?,
        }
    }
    let (Some(tests), Some(file)) = (subject.tests, test_file) else { return Ok(found) };
    for at in &report.idle {
        let finding = mutation::idle_finding(&tests.equivalent[*at], &file.path);
        writeln!(out, "\n{}", text(std::slice::from_ref(&finding), subject.sources).trim_end())?;
        found.push(finding);
    }
    if !report.idle.is_empty() {
        writeln!(out, "{}", paint.with(YELLOW, &format!("{} entries of `equivalent` are idle", report.idle.len())))?;
    }
    Ok(found)
}
