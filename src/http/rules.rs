//! The rules in use: what they say, what they matched, and changing them.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::analysis::explain::localized;
use crate::analysis::rule_diff::SetDiff;
use crate::engine::plan::Plan;
use crate::operation::Time;
use crate::operation::money::fmt_tiyn;
use crate::rules::program::{Rule, Share};
use crate::rules::test_file::rule_of_tests;
use crate::rules::{SourceFile, Vanishing};
use crate::service::rule_log::{Asked, Cause};
use crate::service::rule_stats::RuleStats;
use crate::service::rule_stats::over_time::Period;
use crate::service::{BudgetShown, RulesInUse, RulesRefused};

use super::access::Caller;
use super::drafts::hash_of;
use super::problem::Problem;
use super::query::{Parameters, refused};
use super::{Shared, blocking, json_of};

/// `GET /v1/rules`
pub(super) async fn list(State(api): State<Shared>, parameters: Parameters) -> Result<Response, Problem> {
    let period = period(&parameters)?;
    let in_use = api.service.rules();
    let RulesInUse { plan, loaded_at, previous, refused } = &in_use;
    let newest = api.service.figures().newest;
    let budgets = api.service.budgets();
    let (mut rules, period) = api.service.with_rule_stats(|stats| {
        let rules = plan.rules.rules.iter().enumerate().map(|(index, rule)| {
            let mut value = shown(plan, (index, rule), stats, newest);
            value["in_period"] = in_period(&rule.id, stats, period, newest);
            value
        });
        (rules.collect::<Vec<Value>>(), period_shown(stats, period, newest))
    });
    for (shown, rule) in rules.iter_mut().zip(&plan.rules.rules) {
        shown["budget"] = budget(rule, &budgets);
    }
    Ok(json_of(&json!({
        "ruleset": &*plan.ruleset,
        "loaded_at": loaded_at.to_string(),
        "previous": previous.as_ref().map(|rules| rules.hash.as_str()),
        "reload_error": refused.as_ref().map(|(at, refused)| json!({"at": at.to_string(), "text": refused.text})),
        "period": period,
        "rules": rules,
    })))
}

/// Reads over which period rules are looked at.
fn period(parameters: &Parameters) -> Result<Period, Problem> {
    parameters.known(["period"])?;
    let Some(name) = parameters.get("period") else { return Ok(Period::default()) };
    Period::from_name(name).ok_or_else(|| refused(name, "period", &format!("one of {}", Period::NAMES.join(", "))))
}

/// Tells which period it is: it ends with the newest operation, and begins no sooner than counting did.
fn period_shown(stats: &RuleStats, period: Period, newest: Option<Time>) -> Value {
    let begins = newest.and_then(|newest| period.begins(newest)).max(stats.over_time.since);
    let decided = newest.map_or(0, |newest| stats.over_time.decided.within(period, newest).operations);
    json!({
        "name": period.name(),
        "from": begins.map(|begins| begins.to_string()),
        "to": newest.map(|newest| newest.to_string()),
        "decisions": decided,
    })
}

/// What a rule matched in a period: how many operations of what amount, and those of them that it held or refused.
fn in_period(id: &str, stats: &RuleStats, period: Period, newest: Option<Time>) -> Value {
    let course = stats.over_time.rules.get(id).zip(newest);
    let found = course.map(|(course, newest)| course.within(period, newest)).unwrap_or_default();
    let decided = newest.map_or(0, |newest| stats.over_time.decided.within(period, newest).operations);
    json!({
        "hits": found.operations,
        "share": share(found.operations, decided),
        "amount": money(found.amount),
        "stopped": found.stopped,
        "amount_stopped": money(found.amount_stopped),
    })
}

/// Writes tiyn as tenge.
fn money(tiyn: u128) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    fmt_tiyn(i128::try_from(tiyn).unwrap_or(i128::MAX), &mut text).unwrap_or_default();
    text
}

/// For people: parts of a million are exact enough.
fn share(part: u64, whole: u64) -> f64 {
    let share = part.saturating_mul(1_000_000).checked_div(whole).unwrap_or(0);
    u32::try_from(share).map_or(1.0, |share| f64::from(share) / 1e6)
}

/// `GET /v1/rules/{id}`
pub(super) async fn one(State(api): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let plan = api.service.rules().plan;
    let newest = api.service.figures().newest;
    let found = plan.rules.rules.iter().enumerate().find(|(_, rule)| *rule.id == *id);
    let (index, rule) = found.ok_or_else(|| Problem::new(404, "no rule has this id"))?;
    let mut value = api.service.with_rule_stats(|stats| shown(&plan, (index, rule), stats, newest));
    value["budget"] = budget(rule, &api.service.budgets());
    value["text"] = rule.source.clone().into();
    value["message"] = rule.message.as_ref().map_or(Value::Null, |message| localized(&message.text));
    value["notes"] = rule.notes.clone().into();
    value["files"] = files_of(&api, (&id, &rule.path), &rule.source).await?;
    Ok(json_of(&value))
}

/// Names the file of a rule and that of its tests, by their paths inside the folder, with the text of the tests as it is
/// on the disk, and the hashes of both: what an editor changes, and what it says when it saves.
async fn files_of(api: &Shared, (id, path): (&str, &str), text: &str) -> Result<Value, Problem> {
    let inside = path.strip_prefix(api.rule_folder.root.as_str()).unwrap_or(path).trim_start_matches('/').to_owned();
    let (of, id) = (Arc::clone(api), id.to_owned());
    let on_disk = blocking(move || (of.rule_folder.read)().map_err(|error| Problem::new(503, error))).await??;
    let tests = on_disk.iter().find(|file| rule_of_tests(&file.path) == Some(&*id));
    Ok(json!({
        "rule": inside,
        "rule_hash": hash_of(text.as_bytes()),
        "tests": tests.map(SourceFile::inside),
        "tests_text": tests.map(|tests| String::from_utf8_lossy(&tests.bytes).into_owned()),
        "tests_hash": tests.map(|tests| hash_of(&tests.bytes)),
    }))
}

fn shown(plan: &Plan, (index, rule): (usize, &Rule), stats: &RuleStats, newest: Option<Time>) -> Value {
    let hits = stats.rules.get(&*rule.id);
    let warming = plan.warming_until(index).filter(|until| newest.is_some_and(|newest| newest < *until));
    let per_hour = match (hits, newest) {
        (Some(hits), Some(newest)) => hits.per_hour(newest).to_vec(),
        _ => vec![0; crate::service::rule_stats::HOURS],
    };
    let count = hits.map_or(0, |hits| hits.hits);
    json!({
        "id": &*rule.id,
        "title": localized(&rule.title),
        "mode": rule.mode.name(),
        "state": if warming.is_some() { "warming" } else { "active" },
        "warming_until": warming.map(|until| until.to_string()),
        "clauses": rule.clauses.iter().map(|clause| &**clause).collect::<Vec<_>>(),
        "on": rule.on.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "severity": rule.severity,
        "owner": rule.owner,
        "hits": count,
        "hits_per_hour": per_hour,
        "share": share(count, stats.decisions),
        "last_match": hits.and_then(|hits| hits.last).map(|(seq, at)| json!({"seq": seq, "at": at.to_string()})),
        "file": rule.path,
    })
}

/// What a rule may stop within an hour, and what it has stopped: in all shards of this instance together, and where it
/// has exceeded its budget.
fn budget(rule: &Rule, budgets: &[BudgetShown]) -> Value {
    let Some(budget) = rule.budget else { return Value::Null };
    let of_rule = || budgets.iter().filter(|shown| shown.rule == rule.id);
    let exceeded = of_rule().filter_map(|shown| {
        let breach = shown.used.breach?;
        Some(json!({
            "shard": shown.shard,
            "at": breach.at.to_string(),
            "seq": breach.seq,
            "stopped": breach.stopped,
            "decided": breach.decided,
        }))
    });
    json!({
        "holds_per_hour": budget.holds_per_hour,
        "share": budget.share.map(Share::text),
        "at_least": budget.share.map(|share| share.at_least),
        "stopped": of_rule().map(|shown| shown.used.stopped).sum::<u64>(),
        "decided": of_rule().map(|shown| shown.used.decided).sum::<u64>(),
        "exceeded": exceeded.collect::<Vec<_>>(),
    })
}

/// `POST /v1/rules/reload`
pub(super) async fn reload(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.known(["allow_empty"])?;
    let vanishing = if parameters.flag("allow_empty")? { Vanishing::Allowed } else { Vanishing::Refused };
    let (service, now) = (api.service.clone(), (api.clock)());
    let before = service.rules().plan.ruleset.clone();
    let result = blocking(move || service.reload_as(vanishing, now, Asked::by(Cause::Reload, &caller.name))).await??;
    api.metrics.observe_reload(result.is_ok());
    let rules = result.map_err(|refused| refusal(&refused))?;
    api.metrics.set_ruleset(&rules);
    Ok(json_of(&json!({"ruleset": rules.hash, "changed": *rules.hash != *before})))
}

/// The rules were refused: every error, as people and as programs read it.
pub(super) fn refusal(refused: &RulesRefused) -> Problem {
    let count = refused.errors.len();
    let what = if count == 0 { refused.text.clone() } else { format!("the rules have {count} errors") };
    let mut problem = Problem::new(422, format!("{what}; the ones in use stay in use"));
    problem.text = Some(refused.text.clone());
    problem.errors.clone_from(&refused.errors);
    problem
}

/// `POST /v1/rules/rollback`
pub(super) async fn rollback(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.known(["dry_run"])?;
    let (service, now) = (api.service.clone(), (api.clock)());
    let RulesInUse { plan, previous, .. } = service.rules();
    let before = plan.ruleset.clone();
    if parameters.flag("dry_run")? {
        let previous = previous.ok_or_else(nothing_before)?;
        let changes = SetDiff::of((&before, &plan.rules), (&previous.hash, &previous));
        let changed = *previous.hash != *before;
        return Ok(json_of(&json!({
            "dry_run": true, "ruleset": previous.hash, "changed": changed, "changes": changes,
        })));
    }
    let rules = blocking(move || service.rollback(now, Asked::by(Cause::Rollback, &caller.name))).await??;
    let rules = rules.ok_or_else(nothing_before)?;
    api.metrics.set_ruleset(&rules);
    Ok(json_of(&json!({"ruleset": rules.hash, "changed": *rules.hash != *before})))
}

fn nothing_before() -> Problem {
    Problem::new(409, "there is no rule set before the present one")
}
