//! Backtests over the operations that the store keeps: what rules would have done, beside the ones in use.
//!
//! One at a time, on threads of their own; the thread that decides takes no part. The last ones are kept in memory.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::adapters::store::Store;
use crate::analysis::backtest::{
    self, Backtest, Label, Labels, Limits, Means, Named, Progress, Report, Span, Sweep, SweepError,
};
use crate::operation::Time;
use crate::operation::time::DAY;
use crate::rules::SourceFile;
use crate::service::history::StoreHistory;

use super::drafts::{self, Changes};
use super::problem::Problem;
use super::query::{Parameters, duration, number, refused};
use super::{Shared, blocking, body, json_of};

/// So many that have ended are kept.
const ENDED_MAX: usize = 16;
/// How long a request waits for the report where it does not say.
const WAIT: Duration = Duration::from_secs(5);
/// The longest that it waits.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);
/// The state of all rule sets of a backtest may take so much memory, by that of the rules in use.
const STATE_BYTES_MAX: usize = 2 << 30;
/// The most labels that a request brings.
const LABELS_MAX: usize = 100_000;
/// The most days back from the newest operation.
const DAYS_MAX: u32 = 3_650;

/// The backtests of this process.
#[derive(Debug, Default)]
pub struct Backtests {
    jobs: Mutex<Jobs>,
}

#[derive(Debug, Default)]
struct Jobs {
    /// The number of the newest.
    last: u64,
    running: Option<Running>,
    /// How those ended, oldest first.
    ended: VecDeque<Ended>,
}

/// How one ended.
#[derive(Debug)]
struct Ended {
    id: u64,
    told: Arc<Value>,
    report: Option<Arc<Report>>,
}

#[derive(Debug, Clone)]
struct Running {
    id: u64,
    progress: Arc<Progress>,
    operations: u64,
}

impl Running {
    fn told(&self) -> Value {
        let done = self.progress.records.load(Ordering::Relaxed);
        json!({"id": self.id, "state": "running", "done": done, "operations": self.operations})
    }
}

impl Backtests {
    /// Begins one, unless another is running.
    fn begin(&self, operations: u64) -> Result<Running, u64> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &jobs.running {
            return Err(running.id);
        }
        jobs.last += 1;
        let running = Running { id: jobs.last, progress: Arc::default(), operations };
        jobs.running = Some(running.clone());
        Ok(running)
    }

    fn end(&self, id: u64, told: Value, report: Option<Report>) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.running = None;
        jobs.ended.push_back(Ended { id, told: Arc::new(told), report: report.map(Arc::new) });
        while jobs.ended.len() > ENDED_MAX {
            jobs.ended.pop_front();
        }
    }

    /// Tells how one is or how it ended.
    fn find(&self, id: u64) -> Option<Arc<Value>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let running = jobs.running.as_ref().filter(|running| running.id == id);
        match running {
            Some(running) => Some(Arc::new(running.told())),
            None => jobs.ended.iter().find(|ended| ended.id == id).map(|ended| Arc::clone(&ended.told)),
        }
    }

    /// Returns the report of one that is done.
    fn report(&self, id: u64) -> Option<Arc<Report>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.ended.iter().find(|ended| ended.id == id)?.report.clone()
    }

    /// Tells one to end; whether it is running.
    fn stop(&self, id: u64) -> bool {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let running = jobs.running.as_ref().filter(|running| running.id == id);
        running.iter().for_each(|running| running.progress.stops.store(true, Ordering::Relaxed));
        running.is_some()
    }
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    rules: Rules,
    #[serde(default)]
    against: Option<Rules>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    days: Option<u32>,
    #[serde(default)]
    labels: Option<Vec<Label>>,
    #[serde(default)]
    sweep: Option<String>,
    #[serde(default)]
    limits: AskedLimits,
}

/// `"current"`, `"previous"` (what a rollback goes back to), or files laid over the rules in use.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rules {
    Named(Word),
    Changed(Changes),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Current,
    Previous,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedLimits {
    new_holds: Option<u64>,
    new_wallets: Option<u64>,
    daily_alerts: Option<u64>,
}

/// `POST /v1/backtests`
pub(super) async fn post(
    State(api): State<Shared>,
    parameters: Parameters,
    request: Request,
) -> Result<Response, Problem> {
    parameters.known(["wait"])?;
    let wait = parameters.get("wait").map(|wait| duration(wait, "wait")).transpose()?.unwrap_or(WAIT).min(WAIT_MAX);
    let store = api.store()?;
    let body = body::read(&api, request).await?;
    let mut asked: Asked = drafts::object(&body.bytes)?;
    drop(body);
    let span = span(&asked, api.service.figures().newest)?;
    let limits = limits(&asked)?;
    let labels = labels(asked.labels.take())?;
    let wanted = asked.sweep.as_deref().map(Sweep::parse).transpose().map_err(|error| no_sweep(&error))?;
    check_memory(&api, &asked, wanted.as_ref())?;
    let of = Arc::clone(&api);
    let (rules, against, sweep) = blocking(move || {
        let sources = wanted.as_ref().map(|_| sources(&of, &asked.rules)).transpose()?;
        let against = asked.against.map(|against| named(&of, against)).transpose()?;
        let rules = named(&of, asked.rules)?;
        let swept = wanted.as_ref().zip(sources).map(|(sweep, sources)| sweep.sets(&sources, &rules.1)).transpose();
        let swept = swept.map_err(|error| no_sweep(&error))?;
        Ok::<_, Problem>((rules, against, wanted.map(|sweep| sweep.rule).zip(swept)))
    })
    .await??;
    let backtest = Backtest { rules, against, labels, sweep, span, limits };
    let Some(means) = api.service.backtest_means() else {
        return Err(Problem::new(404, "this service keeps no operations and decisions"));
    };
    let position = blocking({
        let store = Arc::clone(&store);
        move || store.position()
    });
    let running = api.backtests.begin(position.await??.seq).map_err(busy)?;
    let id = running.id;
    let mut work = tokio::spawn(run(Arc::clone(&api), running, store, (backtest, means)));
    // However it ends, the list tells.
    drop(tokio::time::timeout(wait, &mut work).await);
    answer(&api, id)
}

/// `GET /v1/backtests/{id}`
pub(super) async fn one(
    State(api): State<Shared>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.known(["format", "lang"])?;
    let id = number(&id, "id")?;
    let language = parameters.get("lang").unwrap_or("en");
    if !["kk", "ru", "en"].contains(&language) {
        return Err(refused(language, "lang", "kk, ru or en"));
    }
    let format = match parameters.get("format") {
        None | Some("json") => return answer(&api, id),
        Some(format @ ("text" | "html")) => format,
        Some(other) => return Err(refused(other, "format", "json, text or html")),
    };
    let Some(report) = api.backtests.report(id) else {
        // Why there is no report stands in the answer, if there is one.
        answer(&api, id)?;
        return Err(Problem::new(409, format!("the backtest {id} has no report, but one that is done has")));
    };
    if format == "text" {
        let head = [("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")];
        return Ok((head, backtest::text(&report)).into_response());
    }
    // The page brings its own style, which pages of the service may not: it is kept as a file.
    let place = format!("attachment; filename=\"backtest-{id}.html\"");
    let head =
        [("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store"), ("content-disposition", &*place)];
    Ok((head, backtest::html(&report, language)).into_response())
}

/// `POST /v1/backtests/{id}/stop`
pub(super) async fn stop(State(api): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = number(&id, "id")?;
    api.backtests.stop(id);
    answer(&api, id)
}

fn answer(api: &Shared, id: u64) -> Result<Response, Problem> {
    let Some(told) = api.backtests.find(id) else {
        return Err(Problem::new(
            404,
            format!("no backtest has the id {id}; the last {ENDED_MAX} since the start are kept"),
        ));
    };
    let is_running = told["state"] == "running";
    let mut response = json_of(&*told);
    if is_running {
        *response.status_mut() = StatusCode::ACCEPTED;
        if let Ok(place) = format!("/v1/backtests/{id}").parse() {
            response.headers_mut().insert("location", place);
        }
    }
    Ok(response.into_response())
}

fn busy(id: u64) -> Problem {
    let mut problem = Problem::new(409, format!("the backtest {id} is running, and one runs at a time"));
    problem.code = Some("backtest-running");
    problem
}

/// Runs one to its end, or until the service stops.
async fn run(api: Shared, running: Running, store: Arc<Store>, (backtest, means): (Backtest, Means)) {
    let progress = Arc::clone(&running.progress);
    let work = move || {
        let mut history = StoreHistory::new(&store)?;
        backtest.run(&mut history, &means, &progress)
    };
    let mut work = tokio::task::spawn_blocking(work);
    let mut stopping = api.stopping.clone();
    let early = tokio::select! {
        ended = &mut work => Some(ended),
        // What it returns locks the sender.
        () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => None,
    };
    let ended = match early {
        Some(ended) => ended,
        None => {
            running.progress.stops.store(true, Ordering::Relaxed);
            work.await
        }
    };
    let is_stopped = running.progress.stops.load(Ordering::Relaxed);
    let id = running.id;
    let (told, report) = match ended {
        // What was counted until then would be taken for the whole.
        Ok(Ok(_)) if is_stopped => (json!({"id": id, "state": "stopped"}), None),
        Ok(Ok(report)) => (json!({"id": id, "state": "done", "report": report}), Some(report)),
        Ok(Err(error)) => (json!({"id": id, "state": "failed", "error": format!("{error:#}")}), None),
        Err(_) => (json!({"id": id, "state": "failed", "error": "a fault of kuzet itself"}), None),
    };
    api.backtests.end(id, told, report);
}

fn labels(asked: Option<Vec<Label>>) -> Result<Option<Arc<Labels>>, Problem> {
    match asked {
        Some(labels) if labels.len() > LABELS_MAX => {
            Err(Problem::new(400, format!("found {} labels, but at most {LABELS_MAX} are accepted", labels.len())))
        }
        asked => Ok(asked.map(|labels| Arc::new(labels.into_iter().collect()))),
    }
}

fn no_sweep(error: &SweepError) -> Problem {
    Problem::new(400, drafts::shown_whole(&error.to_string()))
}

/// Returns the files of the rules whose number is moved.
fn sources(api: &Shared, rules: &Rules) -> Result<Vec<SourceFile>, Problem> {
    match rules {
        Rules::Named(Word::Current) => drafts::files_with(api, &Changes::new()),
        Rules::Named(Word::Previous) => Err(Problem::new(
            400,
            "found a sweep of the previous rules, but one of the current or of changed ones is accepted",
        )),
        Rules::Changed(changes) => drafts::files_with(api, &drafts::checked_paths(changes.clone())?),
    }
}

/// Compiles what is asked for.
fn named(api: &Shared, rules: Rules) -> Result<Named, Problem> {
    match rules {
        Rules::Named(Word::Current) => Ok(("current".to_owned(), Arc::clone(&api.service.rules().plan.rules))),
        Rules::Named(Word::Previous) => {
            let previous = api.service.rules().previous;
            let previous = previous.ok_or_else(|| Problem::new(409, "there is no rule set before the present one"))?;
            Ok(("previous".to_owned(), previous))
        }
        Rules::Changed(changes) => {
            let files = drafts::files_with(api, &drafts::checked_paths(changes)?)?;
            Ok(("changed".to_owned(), Arc::new(drafts::rules_of(&files)?)))
        }
    }
}

fn span(asked: &Asked, newest: Option<Time>) -> Result<Span, Problem> {
    let time = |name: &str, text: &Option<String>| match text.as_deref().map(|text| (text, Time::parse_rfc3339(text))) {
        None => Ok(None),
        Some((_, Ok(time))) => Ok(Some(time)),
        Some((text, Err(_))) => {
            Err(refused(text, name, "an RFC 3339 time with an offset, such as 2026-11-22T00:00:00+05:00,"))
        }
    };
    let mut span = Span { from: time("from", &asked.from)?, to: time("to", &asked.to)? };
    if let Some(days) = asked.days {
        if span.from.is_some() || !(1..=DAYS_MAX).contains(&days) {
            let detail = format!("found {days} as days, but 1 to {DAYS_MAX} is accepted, and without from");
            return Err(Problem::new(400, detail));
        }
        span.from = span.to.or(newest).map(|end| end.minus(DAY.saturating_mul(i64::from(days))));
    }
    match (span.from, span.to) {
        (Some(from), Some(to)) if to < from => {
            Err(Problem::new(400, format!("found {to} as to, but what is not before from, {from}, is accepted")))
        }
        _ => Ok(span),
    }
}

fn limits(asked: &Asked) -> Result<Limits, Problem> {
    let AskedLimits { new_holds, new_wallets, daily_alerts } = asked.limits;
    if new_wallets.is_some() && asked.against.is_none() {
        return Err(Problem::new(400, "found new_wallets without against: without it no wallet is new"));
    }
    Ok(Limits { new_holds, new_wallets, daily_alerts })
}

/// Refuses what would take much more memory than the service itself.
fn check_memory(api: &Shared, asked: &Asked, sweep: Option<&Sweep>) -> Result<(), Problem> {
    let sets = 1 + usize::from(asked.against.is_some()) + sweep.map_or(0, Sweep::count);
    let bytes = api.service.figures().state_bytes.saturating_mul(sets);
    if bytes > STATE_BYTES_MAX {
        let (needed, most) = (bytes >> 20, STATE_BYTES_MAX >> 20);
        return Err(Problem::new(
            422,
            format!(
                "the state of {sets} rule sets would take about {needed} MiB, and {most} MiB are accepted beside the \
                 service: use `kuzet backtest --store` on a backup"
            ),
        ));
    }
    Ok(())
}
