//! Files of rules that an analyst saves: checked and tested whole, written all or none, and in use at once.
//!
//! A rule that is new or changed only watches (`mode: shadow`) unless the analyst says that it is to act.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::analysis::check::{self, Read};
use crate::analysis::rule_diff::SetDiff;
use crate::analysis::rule_tests;
use crate::rules::program::{Mode, RuleSet};
use crate::rules::test_file::TestFile;
use crate::rules::{self, Diagnostic, FileKind, Severity, SourceFile};
use crate::service::rule_change::FileChange;
use crate::service::rule_log::{Asked, Cause};

use super::access::Caller;
use super::drafts::{self, Changes, hash_of};
use super::problem::Problem;
use super::query::{Parameters, shown};
use super::rule_life::{PART_OF_PROGRAM, asked, problem_of, refuse_in_fleet, refused_as};
use super::{Shared, blocking, body, json_of};

/// So many failing tests are told in words.
const FAILURES_SHOWN: usize = 20;

/// What is to be saved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    files: Changes,
    /// The hash of each file as it was opened; null where there was none.
    opened: BTreeMap<String, Option<String>>,
    /// Rules are saved in the mode that their texts have, and may act at once.
    #[serde(default)]
    live: bool,
    comment: Option<String>,
    actor: Option<String>,
}

/// What saving does: the files, and the rules that they make.
struct Plan {
    changes: Vec<FileChange>,
    expected: Arc<RuleSet>,
    told: Value,
}

/// A test that ends otherwise than its file says.
struct Failure {
    rule: String,
    test: String,
    file: String,
    told: Value,
}

/// `POST /v1/rules/save`
pub(super) async fn save(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known(["dry_run"])?;
    let is_dry_run = parameters.flag("dry_run")?;
    let body = body::read(&api, request).await?;
    let Wanted { files, opened, live, comment, actor } = drafts::object(&body.bytes)?;
    drop(body);
    let files = checked(files, &opened)?;
    refuse_in_fleet(&api)?;
    if api.write_rule.is_none() {
        return Err(refused_as(409, "not-writable", &format!("the rules stay as they are: {PART_OF_PROGRAM}")));
    }
    let asked = asked(&api, Cause::Save, caller, (actor, comment))?;
    let _turn = api.drafts.acquire().await;
    let of = Arc::clone(&api);
    let told = blocking(move || {
        let mut plan = lay_out(&of, &files, &opened, live)?;
        plan.told["dry_run"] = is_dry_run.into();
        if !is_dry_run {
            carry_out(&of, &plan, asked)?;
        }
        Ok::<_, Problem>(plan.told)
    });
    Ok(json_of(&told.await??))
}

/// Refuses files that are neither rules nor tests, or that nobody says how they were.
fn checked(files: Changes, opened: &BTreeMap<String, Option<String>>) -> Result<Changes, Problem> {
    let files = drafts::checked_paths(files)?;
    let is_saved = |path: &str| {
        let kind = FileKind::of(&SourceFile::new(path, ""));
        // What begins with a dot is never loaded.
        matches!(kind, FileKind::Rule | FileKind::Test) && !path.split('/').any(|part| part.starts_with('.'))
    };
    if files.is_empty() {
        return Err(Problem::new(400, "found no files, but at least one is accepted"));
    }
    if let Some(path) = files.keys().find(|path| !is_saved(path)) {
        let accepted = "rules, ID.yaml, and their tests, ID.test.yaml, outside of a folder data, are accepted";
        return Err(Problem::new(400, format!("found the file \"{}\", but {accepted}", shown(path))));
    }
    match files.keys().find(|path| !opened.contains_key(*path)) {
        None => Ok(files),
        Some(path) => {
            let accepted = "its hash as it was opened, or null where there was none, is required";
            Err(Problem::new(400, format!("found the file \"{}\" without an entry in opened: {accepted}", shown(path))))
        }
    }
}

/// Checks and tests what the files would make. Reads the disk.
///
/// # Errors
/// 409: a file is not what was opened. 422: the rules have errors, tests fail, or the rules would not be used.
fn lay_out(
    api: &Shared,
    files: &Changes,
    opened: &BTreeMap<String, Option<String>>,
    live: bool,
) -> Result<Plan, Problem> {
    let before = present(api, files, opened)?;
    let in_use = Arc::clone(&api.service.rules().plan.rules);
    let drafted = drafts::files_with(api, files)?;
    let Read { rules, findings, .. } = check::read(&drafted);
    let errors: Vec<Diagnostic> = findings.into_iter().filter(|found| found.severity == Severity::Error).collect();
    let Some(rules) = rules.filter(|_| errors.is_empty()) else { return Err(drafts::refused(&errors, &drafted)) };
    let (saved, shadowed) = if live { (files.clone(), Vec::new()) } else { in_shadow(&rules, files, api)? };
    let sources = drafts::files_with(api, &saved)?;
    let Read { rules: expected, tests, findings } = check::read(&sources);
    let Some(expected) = expected.map(Arc::new) else { return Err(drafts::refused(&findings, &sources)) };
    if let Some(text) = rules::vanished(&in_use, &expected) {
        return Err(Problem::new(422, text));
    }
    (api.rule_folder.accepts)(&expected).map_err(|text| Problem::new(422, text))?;
    // As the analyst wrote them: what a test expects of a rule depends on its mode.
    let passed = refuse_failing((&rules, &in_use), (&drafted, &tests), files)?;
    let is_shadowed = |rule: &str| shadowed.iter().any(|shadowed| shadowed == rule);
    let other_mode = failures(&expected, (&sources, &tests), is_shadowed).len();
    let changes = changes(api, &before, &saved);
    let told = json!({
        "before": in_use.hash,
        "ruleset": expected.hash,
        "changed": expected.hash != in_use.hash,
        "files": changes.iter().map(|change| told_of(api, change)).collect::<Vec<_>>(),
        "shadowed": shadowed,
        "tests": {"passed": passed, "other_mode": other_mode},
        "changes": SetDiff::of((&in_use.hash, &in_use), (&expected.hash, &expected)),
    });
    Ok(Plan { changes, expected, told })
}

/// Reads the files as they are on the disk; `None` is no file.
fn present(
    api: &Shared,
    files: &Changes,
    opened: &BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<Vec<u8>>>, Problem> {
    let on_disk = (api.rule_folder.read)().map_err(|error| Problem::new(503, error))?;
    let bytes_of = |path: &str| on_disk.iter().find(|file| file.inside() == path).map(|file| file.bytes.clone());
    let before: BTreeMap<String, Option<Vec<u8>>> = files.keys().map(|path| (path.clone(), bytes_of(path))).collect();
    let is_other = |(path, bytes): &(&String, &Option<Vec<u8>>)| opened[*path] != bytes.as_deref().map(hash_of);
    match before.iter().find(is_other) {
        None => Ok(before),
        Some((path, bytes)) => {
            let found = match (bytes, &opened[path]) {
                (None, _) => "is gone since it was opened",
                (Some(_), None) => "is there already",
                (Some(_), Some(_)) => "has been changed since it was opened",
            };
            Err(refused_as(409, "file-changed", &format!("{path} {found}: open it again, and change that")))
        }
    }
}

/// Writes `mode: shadow` into those of the files whose rules would act; names these rules.
fn in_shadow(rules: &RuleSet, files: &Changes, api: &Shared) -> Result<(Changes, Vec<String>), Problem> {
    let (mut saved, mut shadowed) = (files.clone(), Vec::new());
    for (path, text) in &mut saved {
        let full = format!("{}{path}", api.rule_folder.root);
        let rule = rules.rules.iter().find(|rule| rule.path == full && rule.mode == Mode::Enforce);
        let (Some(rule), Some(text)) = (rule, text) else { continue };
        let Some(changed) = rules::with_mode(text, Mode::Shadow) else {
            let detail = format!("found no mode in {path} that could be replaced: write `mode: shadow`");
            return Err(Problem::new(422, detail));
        };
        *text = changed;
        shadowed.push(rule.id.to_string());
    }
    Ok((saved, shadowed))
}

/// Runs all tests; those of rules that are not saved may fail as they do with the rules in use. Returns how many passed.
///
/// # Errors
/// 422: others fail.
fn refuse_failing(
    (rules, in_use): (&RuleSet, &RuleSet),
    (files, tests): (&[SourceFile], &BTreeMap<String, TestFile>),
    saved: &Changes,
) -> Result<usize, Problem> {
    let is_saved = |rule: &str| {
        let of_rule = |path: &&str| path.ends_with(&format!("/{rule}.yaml")) || *path == format!("{rule}.yaml");
        let of_tests = |path: &&str| rules::test_file::rule_of_tests(path) == Some(rule);
        saved.keys().map(String::as_str).any(|path| of_rule(&path) || of_tests(&path))
    };
    let failed_before = |failure: &Failure| {
        let case = tests.get(&failure.rule).and_then(|file| file.tests.iter().find(|case| case.name == failure.test));
        case.is_some_and(|case| !rule_tests::run(in_use, &failure.rule, case).mismatches.is_empty())
    };
    let all = failures(rules, (files, tests), |_| true);
    let count: usize = tests.values().map(|file| file.tests.len()).sum();
    let failed = all.len();
    let new: Vec<Failure> =
        all.into_iter().filter(|failure| is_saved(&failure.rule) || !failed_before(failure)).collect();
    if new.is_empty() {
        return Ok(count.saturating_sub(failed));
    }
    let mut problem = Problem::new(422, format!("{} tests fail: nothing is written", new.len()));
    problem.code = Some("tests-failed");
    problem.text = Some(new.iter().take(FAILURES_SHOWN).map(Failure::text).collect());
    problem.errors = new.into_iter().map(|Failure { rule, file, told, .. }| {
        json!({"rule": rule, "file": file, "name": told["name"], "mismatches": told["mismatches"]})
    }).collect();
    Err(problem)
}

/// Runs the tests of those rules that are meant, and lists the ones that fail.
fn failures(
    rules: &RuleSet,
    (files, tests): (&[SourceFile], &BTreeMap<String, TestFile>),
    is_meant: impl Fn(&str) -> bool,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    for rule in rules.rules.iter().filter(|rule| is_meant(&rule.id)) {
        let source = files.iter().find(|file| rules::test_file::rule_of_tests(&file.path) == Some(&*rule.id));
        let (Some(source), Some(read)) = (source, tests.get(&*rule.id)) else { continue };
        for case in &read.tests {
            let outcome = rule_tests::run(rules, &rule.id, case);
            if !outcome.mismatches.is_empty() {
                failures.push(Failure {
                    rule: rule.id.to_string(),
                    test: case.name.clone(),
                    file: source.inside().to_owned(),
                    told: drafts::outcome_of(source, case, &outcome),
                });
            }
        }
    }
    failures
}

impl Failure {
    /// Tells a failure in lines: the test, then each step of it that ends otherwise.
    fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.file, self.test);
        for mismatch in self.told["mismatches"].as_array().into_iter().flatten() {
            for difference in mismatch["differences"].as_array().into_iter().flatten() {
                let word = |name: &str| difference[name].as_str().unwrap_or_default().to_owned();
                let (key, expected, found) = (word("key"), word("expected"), word("found"));
                text.push_str(&format!("  line {}: {key}: expected {expected}, found {found}\n", mismatch["line"]));
            }
        }
        text
    }
}

/// Lists what is written, in an order in which no file is ever without the one that it belongs to.
fn changes(api: &Shared, before: &BTreeMap<String, Option<Vec<u8>>>, saved: &Changes) -> Vec<FileChange> {
    let root = &api.rule_folder.root;
    let mut changes: Vec<FileChange> = saved
        .iter()
        .map(|(path, text)| FileChange {
            path: format!("{root}{path}"),
            before: before[path].clone(),
            after: text.clone().map(String::into_bytes),
        })
        .filter(|change| change.before != change.after)
        .collect();
    changes.sort_by_key(|FileChange { path, after, .. }| {
        let is_test = rules::test_file::rule_of_tests(path).is_some();
        match (after.is_some(), is_test) {
            (false, true) => 0,
            (true, false) => 1,
            (true, true) => 2,
            (false, false) => 3,
        }
    });
    changes
}

fn told_of(api: &Shared, FileChange { path, before, after }: &FileChange) -> Value {
    let action = match (before, after) {
        (None, _) => "added",
        (Some(_), Some(_)) => "replaced",
        (Some(_), None) => "removed",
    };
    let inside = path.strip_prefix(api.rule_folder.root.as_str()).unwrap_or(path);
    json!({"file": inside, "action": action, "hash": after.as_deref().map(hash_of)})
}

/// Writes the files and switches to the rules. Reads and writes the disk.
fn carry_out(api: &Shared, plan: &Plan, asked: Asked) -> Result<(), Problem> {
    let Plan { changes, expected, told: _ } = plan;
    let Some(write) = api.write_rule.as_deref().filter(|_| !changes.is_empty()) else { return Ok(()) };
    let saved = api.service.save_files((changes, expected), write, ((api.clock)(), asked))?;
    let rules = saved.map_err(|refused| problem_of(&refused))?;
    api.metrics.observe_reload(true);
    api.metrics.set_ruleset(&rules);
    Ok(())
}
