//! What helps those who write rules: differences, the layout of files, a picture, a new rule. Nothing is written, and
//! nothing that decides changes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::analysis::formatting::{self, Outcome, Reason, Tally};
use crate::analysis::rule_diff::{self, SetDiff};
use crate::analysis::rule_graph::{self, Language};
use crate::analysis::templates::{self, NotMade, TEMPLATES, Template};
use crate::rules::program::RuleSet;
use crate::rules::{FileKind, SourceFile};

use super::drafts::{self, Changes};
use super::problem::Problem;
use super::query::{Parameters, refused, shown};
use super::{Shared, blocking, body, json_of};

/// The rules in use.
const CURRENT: &str = "current";
/// What the files of the rule folder say now, whether it was loaded or not.
const FOLDER: &str = "folder";

/// Which two sets are compared; the rules in use where nothing is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compared {
    #[serde(default)]
    before: Set,
    #[serde(default)]
    after: Set,
}

/// A rule set by its name or its hash, or files laid over the rules in use.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Set {
    Named(String),
    Changed(Changes),
}

impl Default for Set {
    fn default() -> Self {
        Self::Named(CURRENT.to_owned())
    }
}

/// `POST /v1/rules/diff`
pub(super) async fn diff(
    State(api): State<Shared>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known([])?;
    let body = body::read(&api, request).await?;
    let Compared { before, after } = drafts::object(&body.bytes)?;
    let _turn = api.drafts.acquire().await;
    let of = Arc::clone(&api);
    let compared = blocking(move || {
        let (before, after) = (named(&of, before)?, named(&of, after)?);
        let diff = SetDiff::of((&before.0, &before.1), (&after.0, &after.1));
        let mut told = serde_json::to_value(&diff).unwrap_or_default();
        told["same"] = diff.is_empty().into();
        told["text"] = rule_diff::text(&diff).into();
        Ok::<_, Problem>(told)
    });
    Ok(json_of(&compared.await??))
}

/// Makes a set that is asked for, with what it is called. Reads the disk.
fn named(api: &Shared, set: Set) -> Result<(String, Arc<RuleSet>), Problem> {
    match set {
        Set::Named(name) if name == CURRENT => Ok((name, Arc::clone(&api.service.rules().plan.rules))),
        Set::Named(name) if name == FOLDER => {
            let mut files = on_disk(api)?;
            // Lists that come from Redis are no files.
            let in_use = Arc::clone(&api.service.rules().plan.rules);
            files.extend(in_use.data.iter().filter(|file| FileKind::of(file) == FileKind::RedisSet).cloned());
            Ok((name, Arc::new(drafts::rules_of(&files)?)))
        }
        Set::Named(hash) => match api.service.rule_set(&hash)? {
            Ok(rules) => Ok((hash, rules)),
            Err(why) => {
                let hash = shown(&hash);
                Err(Problem::new(
                    404,
                    format!(
                        "found the rule set \"{hash}\", but {CURRENT}, {FOLDER} and the hash of a set that is kept are \
                         accepted: {why}"
                    ),
                ))
            }
        },
        Set::Changed(changes) => {
            let files = drafts::files_with(api, &drafts::checked_paths(changes)?)?;
            Ok(("changed".to_owned(), Arc::new(drafts::rules_of(&files)?)))
        }
    }
}

fn on_disk(api: &Shared) -> Result<Vec<SourceFile>, Problem> {
    (api.rule_folder.read)().map_err(|error| Problem::new(503, error))
}

/// `POST /v1/rules/fmt`
pub(super) async fn fmt(
    State(api): State<Shared>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known([])?;
    let changes = drafts::read(&api, request).await?;
    let _turn = api.drafts.acquire().await;
    let of = Arc::clone(&api);
    let laid_out = blocking(move || Ok::<_, Problem>(laid_out(&files_to_lay_out(&of, &changes)?)));
    Ok(json_of(&laid_out.await??))
}

/// Returns the files that a request brings; those of the rules in use where it brings none.
fn files_to_lay_out(api: &Shared, changes: &Changes) -> Result<Vec<SourceFile>, Problem> {
    if changes.is_empty() {
        let mut files = drafts::files_with(api, changes)?;
        files.retain(|file| FileKind::of(file) == FileKind::Rule);
        return Ok(files);
    }
    let root = &api.rule_folder.root;
    let file = |(path, text): (&String, &Option<String>)| {
        let text = text.as_ref().map(|text| SourceFile::of_folder(root, path, text.clone().into_bytes()));
        text.filter(|file| FileKind::of(file) == FileKind::Rule).ok_or_else(|| {
            let path = shown(path);
            Problem::new(400, format!("found \"{path}\", but the texts of rule files, named ID.yaml, are accepted"))
        })
    };
    changes.iter().map(file).collect()
}

fn laid_out(files: &[SourceFile]) -> Value {
    let (mut tally, mut text, mut listed) = (Tally::default(), String::new(), Vec::new());
    for file in files {
        let outcome = formatting::lay_out(file);
        tally.add(&outcome);
        text.push_str(&formatting::told(file, &outcome, true));
        let (becomes, laid_out, reason) = match &outcome {
            Outcome::Same => ("same", None, None),
            Outcome::Changed(laid_out) => ("changed", Some(laid_out), None),
            Outcome::Left(reason) => ("left", None, Some(reason)),
        };
        let errors = match reason {
            Some(Reason::Unreadable(findings)) => drafts::listed(findings, std::slice::from_ref(file)),
            _ => Vec::new(),
        };
        listed.push(json!({
            "file": file.inside(), "becomes": becomes, "text": laid_out, "reason": reason.map(Reason::name),
            "errors": errors,
        }));
    }
    text.push_str(&tally.told(false));
    json!({"changed": tally.changed, "left": tally.left, "files": listed, "text": text})
}

/// `GET /v1/rules/graph`
pub(super) async fn graph(State(api): State<Shared>, parameters: Parameters) -> Result<Response, Problem> {
    parameters.known(["only", "format"])?;
    let language = match parameters.get("format") {
        None | Some("mermaid") => Language::Mermaid,
        Some("dot") => Language::Dot,
        Some(other) => return Err(refused(other, "format", "mermaid or dot")),
    };
    let only = parameters.get("only").map(str::to_owned);
    let rules = Arc::clone(&api.service.rules().plan.rules);
    let drawn = blocking(move || {
        rule_graph::draw(&rules, only.as_deref(), language)
            .map_err(|_| Problem::new(404, format!("no rule has the id \"{}\"", shown(&only.unwrap_or_default()))))
    });
    let text = drawn.await??;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], text).into_response())
}

/// `GET /v1/rules/templates`
pub(super) async fn list_templates(parameters: Parameters) -> Result<Response, Problem> {
    parameters.known([])?;
    let listed = TEMPLATES.map(|template| json!({"name": template.name, "about": template.about}));
    Ok(json_of(&json!({"templates": listed})))
}

/// What a new rule is made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    id: String,
    /// The template.
    #[serde(default)]
    from: Option<String>,
    /// Inside the folder of rules.
    #[serde(default)]
    folder: Option<String>,
}

/// `POST /v1/rules/new`
pub(super) async fn new(
    State(api): State<Shared>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known([])?;
    let body = body::read(&api, request).await?;
    let wanted: Wanted = drafts::object(&body.bytes)?;
    let _turn = api.drafts.acquire().await;
    let of = Arc::clone(&api);
    Ok(json_of(&blocking(move || made(&of, &wanted)).await??))
}

fn made(api: &Shared, wanted: &Wanted) -> Result<Value, Problem> {
    let Wanted { id, from, folder } = wanted;
    let template = Template::named(from.as_deref()).map_err(|reason| not_made(&reason))?;
    templates::check_id(id).map_err(|reason| not_made(&reason))?;
    let place = |name: String| match folder.as_deref() {
        None | Some("") => name,
        Some(folder) => format!("{}/{name}", folder.trim_end_matches('/')),
    };
    let (rule, tests) = (place(format!("{id}.yaml")), place(format!("{id}.test.yaml")));
    drafts::checked_paths(Changes::from([(rule.clone(), None), (tests.clone(), None)]))?;
    // What is in use may lie on the disk no more, and what lies there may not be in use yet.
    let mut files = on_disk(api)?;
    files.extend(drafts::files_with(api, &Changes::new())?);
    templates::check_free(id, &files).map_err(|reason| not_made(&reason))?;
    let in_use = api.service.rules();
    let lists = &in_use.plan.rules.lists;
    let made = template.make(id, lists, &api.rule_folder.root).map_err(|reason| not_made(&reason))?;
    Ok(json!({
        "template": template.name,
        "rule": {"file": rule, "text": made.rule},
        "tests": {"file": tests, "text": made.tests},
    }))
}

fn not_made(reason: &NotMade) -> Problem {
    let (status, code) = match reason {
        NotMade::Template(_) | NotMade::Id(_) => (400, None),
        NotMade::Taken(_) => (409, Some("id-taken")),
        NotMade::NoList { .. } => (409, Some("no-list")),
    };
    let mut problem = Problem::new(status, drafts::shown_whole(&reason.to_string()));
    problem.code = code;
    problem
}
