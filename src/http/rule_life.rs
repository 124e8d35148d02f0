//! The life of a rule in a running service: how the rules changed, and another mode for one of them.

use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::rules::program::Mode;
use crate::service::rule_change::ChangeRefused;
use crate::service::rule_log::{self, Asked, Cause};

use super::access::Caller;
use super::problem::Problem;
use super::query::Parameters;
use super::rules::refusal;
use super::{Shared, blocking, body, json_of};

/// Longest comment, in characters.
const COMMENT_MAX: usize = 500;
/// Longest name of an actor, in characters.
const ACTOR_MAX: usize = 128;
/// Why rules without a folder cannot be changed.
pub(super) const PART_OF_PROGRAM: &str = "they are part of the program; name a folder in `rules.folder`";

/// What a request for another mode says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    mode: String,
    comment: Option<String>,
    actor: Option<String>,
}

/// `GET /v1/rules/history`
pub(super) async fn history(State(api): State<Shared>, parameters: Parameters) -> Result<Response, Problem> {
    parameters.known(["limit"])?;
    let limit = parameters.limit()?;
    let store = api.store()?;
    let history = blocking(move || rule_log::history(&store, limit)).await??;
    Ok(json_of(&json!({"history": history})))
}

/// `POST /v1/rules/{id}/mode`
pub(super) async fn set_mode(
    State(api): State<Shared>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body::read(&api, request).await?;
    let Wanted { mode, comment, actor } = serde_json::from_slice(&body.bytes).map_err(|error| {
        Problem::new(400, format!("found {error}, but {{\"mode\": …, \"comment\": …}} is accepted"))
    })?;
    let modes = [Mode::Enforce, Mode::Shadow, Mode::Off];
    let mode = modes
        .into_iter()
        .find(|known| known.name() == mode)
        .ok_or_else(|| Problem::new(400, "found an unknown mode, but enforce, shadow or off is accepted"))?;
    refuse_in_fleet(&api)?;
    let asked = asked(&api, Cause::Mode, caller, (actor, comment))?;
    let (rule, now) = (id.clone(), (api.clock)());
    let before = api.service.rules().plan.ruleset.clone();
    let asked_api = std::sync::Arc::clone(&api);
    let change = move || match &asked_api.write_rule {
        Some(write) => asked_api.service.set_mode((&rule, mode), &**write, (now, asked)),
        None => Ok(Err(ChangeRefused::File(PART_OF_PROGRAM.to_owned()))),
    };
    let changed = blocking(change).await??.map_err(|refused| problem_of(&refused))?;
    if *changed.rules.hash != *before {
        api.metrics.observe_reload(true);
        api.metrics.set_ruleset(&changed.rules);
    }
    Ok(json_of(&json!({
        "rule": id,
        "before": changed.before.name(),
        "mode": mode.name(),
        "ruleset": changed.rules.hash,
        "changed": *changed.rules.hash != *before,
    })))
}

/// Names who asks for a change of the rules, how and why.
///
/// # Errors
/// 400: a text is too long.
pub(super) fn asked(
    api: &Shared,
    cause: Cause,
    caller: Caller,
    (actor, comment): (Option<String>, Option<String>),
) -> Result<Asked, Problem> {
    let is_long = |text: &Option<String>, max: usize| text.as_ref().is_some_and(|text| text.chars().count() > max);
    if is_long(&comment, COMMENT_MAX) || is_long(&actor, ACTOR_MAX) {
        let accepted =
            format!("a comment of at most {COMMENT_MAX} characters and an actor of {ACTOR_MAX} are accepted");
        return Err(Problem::new(400, format!("found a longer text, but {accepted}")));
    }
    // Whoever bears the token did it, whatever the body says.
    let by = actor.filter(|_| api.tokens.is_empty()).unwrap_or(caller.name);
    Ok(Asked { cause, by: Some(by), comment })
}

/// Refuses to change files that other instances do not read.
///
/// # Errors
/// 409: operations come from Kafka.
pub(super) fn refuse_in_fleet(api: &Shared) -> Result<(), Problem> {
    if api.fleet.is_none() {
        return Ok(());
    }
    let detail = "each instance of a fleet reads files of its own: change them for all of them, then reload";
    Err(refused_as(409, "fleet", detail))
}

/// Tells why files of rules stay as they are.
pub(super) fn problem_of(refused: &ChangeRefused) -> Problem {
    match refused {
        ChangeRefused::NoRule => Problem::new(404, refused.to_string()),
        ChangeRefused::OtherChanges => refused_as(409, "other-changes", &refused.to_string()),
        ChangeRefused::File(_) => refused_as(409, "not-writable", &refused.to_string()),
        ChangeRefused::Rules(rules) => refusal(rules),
    }
}

pub(super) fn refused_as(status: u16, code: &'static str, detail: &str) -> Problem {
    let mut problem = Problem::new(status, detail);
    problem.code = Some(code);
    problem
}
