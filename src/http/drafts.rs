//! Rules that somebody is writing: files by their paths, laid over the rules in use. Checked and tested; nothing that
//! decides changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::analysis::check::{self, Read};
use crate::analysis::mutation::{self, Survivor};
use crate::analysis::rule_tests::{self, Mismatch, Outcome};
use crate::rules::diagnostic::Code;
use crate::rules::program::RuleSet;
use crate::rules::test_file::{TestCase, TestFile, rule_of_tests};
use crate::rules::{self, Diagnostic, FileKind, Severity, SourceFile};

use super::problem::Problem;
use super::query::{Parameters, shown};
use super::{Shared, blocking, body, json_of};

/// A path inside the folder of rules has at most so many characters.
const PATH_MAX: usize = 200;

/// Reads the files of the rule folder as they are on the disk.
pub type ReadFiles = Box<dyn Fn() -> Result<Vec<SourceFile>, String> + Send + Sync>;

/// Says why a rule set would not be used here, though it has no errors.
pub type Accepts = Box<dyn Fn(&Arc<RuleSet>) -> Result<(), String> + Send + Sync>;

/// The folder that the rules in use were loaded from.
pub struct RuleFolder {
    /// What the paths of its files begin with.
    pub root: String,
    pub read: ReadFiles,
    pub accepts: Accepts,
}

/// Files by their paths: a text takes the place of the file in use or is added to them, null takes it away.
pub(super) type Changes = BTreeMap<String, Option<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    #[serde(default)]
    files: Changes,
}

/// `GET /v1/rules/codes`
pub(super) async fn codes(parameters: Parameters) -> Result<Response, Problem> {
    parameters.known([])?;
    let told = |code: &Code| json!({"code": code.name(), "meaning": code.meaning()});
    Ok(json_of(&json!({"codes": Code::ALL.iter().map(told).collect::<Vec<_>>()})))
}

/// `GET /v1/rules/codes/{code}`
pub(super) async fn code(Path(name): Path<String>, parameters: Parameters) -> Result<Response, Problem> {
    parameters.known([])?;
    let Some(code) = Code::from_name(&name) else {
        let meant = Code::nearest_to(&name).map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        return Err(Problem::new(404, format!("no finding has the code \"{}\"{meant}", shown(&name))));
    };
    Ok(json_of(&json!({"code": code.name(), "meaning": code.meaning(), "text": code.explained()})))
}

/// `POST /v1/rules/check`
pub(super) async fn post_check(
    State(api): State<Shared>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known([])?;
    let changes = read(&api, request).await?;
    let _turn = api.drafts.acquire().await;
    let of = Arc::clone(&api);
    let checked = blocking(move || {
        let files = files_with(&of, &changes)?;
        let (rules, found) = check::check(&files, (of.clock)().almaty_date());
        // As `kuzet check` prints it: notes are good to know, and nothing to mend.
        let printed: Vec<_> = found.iter().filter(|found| found.severity != Severity::Note).cloned().collect();
        Ok::<_, Problem>(json!({
            "ok": rules.is_some() && !found.iter().any(|found| found.severity == Severity::Error),
            "ruleset": rules.map(|rules| rules.hash),
            "diagnostics": listed(&found, &files),
            "text": rules::render_text(&printed, &files),
        }))
    });
    Ok(json_of(&checked.await??))
}

/// `POST /v1/rules/test`
pub(super) async fn post_test(
    State(api): State<Shared>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known(["rule", "mutate"])?;
    let (mutates, only) = (parameters.flag("mutate")?, parameters.get("rule").map(str::to_owned));
    if mutates && only.is_none() {
        let detail = "found mutate without rule, but the changes of one rule are tried at a time";
        return Err(Problem::new(400, detail));
    }
    let changes = read(&api, request).await?;
    let _turn = api.drafts.acquire().await;
    let of = Arc::clone(&api);
    let tested = blocking(move || {
        let files = files_with(&of, &changes)?;
        let Read { rules, findings, tests } = check::read(&files);
        let errors: Vec<Diagnostic> = findings.into_iter().filter(|found| found.severity == Severity::Error).collect();
        let Some(rules) = rules.filter(|_| errors.is_empty()) else { return Err(refused(&errors, &files)) };
        if let Some(only) = &only
            && !rules.rules.iter().any(|rule| *rule.id == **only)
        {
            return Err(Problem::new(404, format!("no rule has the id \"{}\"", shown(only))));
        }
        Ok(tested(&rules, (&files, &tests), (only.as_deref(), mutates)))
    });
    Ok(json_of(&tested.await??))
}

/// Reads the files that a request changes; a request without a body changes none.
///
/// # Errors
/// The body is too large, broken, or not what is accepted.
pub(super) async fn read(api: &Shared, request: Request) -> Result<Changes, Problem> {
    let body = body::read(api, request).await?;
    if body.bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Changes::new());
    }
    let draft: Draft = object(&body.bytes)?;
    checked_paths(draft.files)
}

/// Reads a body that is a JSON object; an array would be taken for one by its order.
///
/// # Errors
/// 400: it is something else.
pub(super) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let read = serde_json::from_slice::<Map<String, Value>>(body);
    let read = read.and_then(|fields| serde_json::from_value(Value::Object(fields)));
    read.map_err(|error| Problem::new(400, format!("the body is not what is accepted: {error}")))
}

/// Refuses paths that lie outside a folder of rules.
///
/// # Errors
/// 400: one does.
pub(super) fn checked_paths(changes: Changes) -> Result<Changes, Problem> {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_path = |path: &str| {
        path.chars().count() <= PATH_MAX
            && path.split('/').all(is_part)
            && !path.contains(|character: char| character.is_control() || character == '\\' || character == ':')
    };
    match changes.keys().find(|path| !is_path(path)) {
        None => Ok(changes),
        Some(path) => Err(Problem::new(
            400,
            format!(
                "found the path \"{}\", but a path inside the folder of rules, such as section7/my-rule.yaml, is accepted",
                shown(path)
            ),
        )),
    }
}

/// Lays changes over the rules in use, with their data, and over the tests as they are on the disk. Reads the disk.
///
/// # Errors
/// 503: the tests cannot be read.
pub(super) fn files_with(api: &Shared, changes: &Changes) -> Result<Vec<SourceFile>, Problem> {
    let root = &api.rule_folder.root;
    let in_use = Arc::clone(&api.service.rules().plan.rules);
    let on_disk = (api.rule_folder.read)().map_err(|error| Problem::new(503, error))?;
    let of_rule = |path: &str, text: &str| {
        let inside = path.strip_prefix(root.as_str()).unwrap_or(path);
        SourceFile::of_folder(root, inside, text.as_bytes().to_vec())
    };
    let rules = in_use.rules.iter().map(|rule| of_rule(&rule.path, &rule.source));
    // They bear the paths inside the folder, beside which a changed file would be one of another folder.
    let data = in_use.data.iter().map(|file| match FileKind::of(file) {
        FileKind::RedisSet => file.clone(),
        _ => SourceFile::of_folder(root, file.inside(), file.bytes.clone()),
    });
    let tests = on_disk.into_iter().filter(|file| FileKind::of(file) == FileKind::Test);
    let mut files: Vec<SourceFile> = rules.chain(data).chain(tests).collect();
    files.retain(|file| !changes.contains_key(file.inside()));
    let changed = changes.iter().filter_map(|(path, text)| Some((path, text.as_ref()?)));
    files.extend(changed.map(|(path, text)| SourceFile::of_folder(root, path, text.as_bytes().to_vec())));
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// Compiles rules for a backtest.
///
/// # Errors
/// 422: they have errors.
pub(super) fn rules_of(files: &[SourceFile]) -> Result<RuleSet, Problem> {
    rules::compile(files).map(|compiled| compiled.rule_set).map_err(|found| refused(&found, files))
}

/// Of a text that a request brought, no more than a few lines are sent back.
pub(super) fn shown_whole(text: &str) -> String {
    text.chars().take(500).collect()
}

/// Names what a file holds, so that two are the same where the names are.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(bytes))
}

/// Says what is wrong with rules, as text and with places.
pub(super) fn refused(found: &[Diagnostic], files: &[SourceFile]) -> Problem {
    let errors = found.iter().filter(|found| found.severity == Severity::Error).count();
    let mut problem = Problem::new(422, format!("the rules have {errors} errors"));
    problem.text = Some(rules::render_text(found, files));
    problem.errors = listed(found, files);
    problem
}

/// Lists findings with their places; `file` is the path inside the folder.
pub(super) fn listed(found: &[Diagnostic], files: &[SourceFile]) -> Vec<Value> {
    let rendered: Value = serde_json::from_str(&rules::render_json(found, files)).unwrap_or_default();
    let inside = |path: &Value| {
        let file = files.iter().find(|file| Some(file.path.as_str()) == path.as_str());
        file.map_or_else(|| path.clone(), |file| file.inside().into())
    };
    let finding = |finding: &Value| {
        json!({
            "code": finding["code"], "severity": finding["severity"], "message": finding["message"],
            "label": finding["label"], "help": finding["help"], "file": inside(&finding["path"]),
            "line": finding["start"]["line"], "column": finding["start"]["column"],
            "end_line": finding["end"]["line"], "end_column": finding["end"]["column"],
        })
    };
    rendered["diagnostics"].as_array().into_iter().flatten().map(finding).collect()
}

/// Runs the tests of one rule or of all.
fn tested(
    rules: &RuleSet,
    (files, tests): (&[SourceFile], &BTreeMap<String, TestFile>),
    (only, mutates): (Option<&str>, bool),
) -> Value {
    let (mut passed, mut failed, mut listed) = (0, 0, Vec::new());
    for rule in rules.rules.iter().map(|rule| &*rule.id).filter(|id| only.is_none_or(|only| only == *id)) {
        let source = files.iter().find(|file| rule_of_tests(&file.path) == Some(rule));
        let read = tests.get(rule);
        let cases = read.map_or(&[][..], |read| &read.tests);
        let outcomes: Vec<Outcome> = cases.iter().map(|case| rule_tests::run(rules, rule, case)).collect();
        let failures = outcomes.iter().filter(|outcome| !outcome.mismatches.is_empty()).count();
        passed += outcomes.len() - failures;
        failed += failures;
        let told = source.into_iter().flat_map(|source| {
            cases.iter().zip(&outcomes).map(move |(case, outcome)| outcome_of(source, case, outcome))
        });
        let mut of_rule = json!({
            "rule": rule,
            "file": source.map(SourceFile::inside),
            "tests": told.collect::<Vec<_>>(),
            "gap": rule_tests::coverage_gap(rules, rule, &outcomes),
        });
        if mutates && failures == 0 {
            of_rule["mutation"] = mutated(rules, files, (rule, read));
        }
        listed.push(of_rule);
    }
    json!({"ruleset": rules.hash, "passed": passed, "failed": failed, "rules": listed})
}

/// Tells how a test ended.
pub(super) fn outcome_of(source: &SourceFile, case: &TestCase, outcome: &Outcome) -> Value {
    let mismatch = |mismatch: &Mismatch| {
        let start = case.steps.get(mismatch.step).map_or(0, |step| step.span.start).min(source.bytes.len());
        let line = 1 + source.bytes[..start].iter().filter(|byte| **byte == b'\n').count();
        let differences = mismatch
            .differences
            .iter()
            .map(|found| json!({"key": found.key, "expected": found.expected, "found": found.found}));
        json!({
            "step": mismatch.step + 1, "repetition": mismatch.repetition, "line": line,
            "differences": differences.collect::<Vec<_>>(),
        })
    };
    json!({
        "name": case.name,
        "passed": outcome.mismatches.is_empty(),
        "mismatches": outcome.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
    })
}

fn mutated(rules: &RuleSet, files: &[SourceFile], (rule, tests): (&str, Option<&TestFile>)) -> Value {
    let report = mutation::mutate(mutation::Subject { sources: files, rules, rule, tests });
    let path = rules.rules.iter().find(|known| *known.id == *rule).map_or("", |known| &known.path);
    let survivor = |survivor: &Survivor| {
        let mut told = listed(&[survivor.finding(path)], files).pop().unwrap_or_default();
        told["before"] = survivor.before.as_str().into();
        told["after"] = survivor.after.as_str().into();
        told["test"] = survivor.test.as_deref().into();
        told
    };
    json!({
        "noticed": report.noticed,
        "refused": report.refused,
        "equivalent": report.equivalent,
        "survivors": report.survivors.iter().map(survivor).collect::<Vec<_>>(),
        "idle": report.idle.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_inside_the_folder() {
        let is_accepted = |path: &str| checked_paths(Changes::from([(path.to_owned(), None)])).is_ok();
        for path in ["a.yaml", "section7/a.test.yaml", "data/lists.yaml", "қ/ө.yaml"] {
            assert!(is_accepted(path), "{path}");
        }
        for path in ["", "/a", "a/", "../a", "a/./b", "a//b", "a\\b", "c:a", "a\nb", &"x".repeat(201)] {
            assert!(!is_accepted(path), "{path}");
        }
    }
}
