//! The service over HTTP: operations in, decisions out, and what people look at.
//!
//! Every endpoint is a line of [`endpoints::ENDPOINTS`], which the router, the roles and the OpenAPI
//! document are all made of. Errors are problem details (RFC 9457).

pub mod access;
mod authoring;
pub mod backtests;
pub mod body;
pub mod connections;
mod console_api;
pub mod decisions;
pub mod drafts;
mod dry_run;
pub mod endpoints;
pub mod feed;
pub mod guesses;
mod history;
mod later;
mod openapi;
mod operations;
pub mod problem;
mod query;
mod rearm;
mod reproduce;
mod restrictions;
mod rule_life;
mod rule_saving;
mod rules;
mod search;
pub mod serve;
mod statics;
mod why;
pub mod withdraw;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::adapters::kafka::Topics;
use crate::adapters::store::Store;
use crate::config::TokenConfig;
use crate::geo::SAMPLE_WARNING;
use crate::metrics::Metrics;
use crate::operation::Time;
use crate::service::Service;
use crate::service::rule_change::WriteRule;

use access::{Caller, Rates};
use backtests::Backtests;
use body::Bodies;
use drafts::RuleFolder;
use endpoints::{ENDPOINTS, Endpoint, Handler};
use feed::Feed;
use guesses::Guesses;
use problem::Problem;
use withdraw::Withdrawals;

/// What every request may need.
pub struct Api {
    pub service: Service,
    pub metrics: Arc<Metrics>,
    /// Without tokens everybody who can connect may do everything: only on a loopback address.
    pub tokens: Vec<TokenConfig>,
    pub bodies: Arc<Bodies>,
    pub request_timeout: std::time::Duration,
    pub rates: Rates,
    pub guesses: Guesses,
    pub feed: Feed,
    /// Ends the streams when the server stops.
    pub stopping: tokio::sync::watch::Receiver<bool>,
    /// Tells the time: a request's arrival.
    pub clock: fn() -> Time,
    /// What the geo databases are, for people.
    pub geo: std::sync::RwLock<GeoInfo>,
    pub withdrawals: Withdrawals,
    /// Lets so many decisions be explained at a time.
    pub hindsights: tokio::sync::Semaphore,
    /// Lets so many drafts of rules be checked or tested at a time.
    pub drafts: tokio::sync::Semaphore,
    pub rule_folder: RuleFolder,
    pub backtests: Backtests,
    /// Changes files of rules; `None` where the rules are the copy that the program carries.
    pub write_rule: Option<Box<WriteRule>>,
    /// Where operations come from Kafka: its topics.
    pub fleet: Option<Fleet>,
}

/// The topics of a fleet, and the way of support's operations into one of them.
pub struct Fleet {
    pub topics: Topics,
    /// Sends an operation of a wallet; returns when Kafka has it. May block.
    pub send: SendOperation,
    /// Makes a wallet's id that lies in each shard, of a prefix. May block.
    pub keys_of_shards: KeysOfShards,
}

/// Sends an operation: wallet, record. Returns why Kafka did not take it.
pub type SendOperation = Box<dyn Fn(&str, &[u8]) -> Result<(), String> + Send + Sync>;

/// Makes an id for each shard, in their order. Returns why Kafka did not tell how many there are.
pub type KeysOfShards = Box<dyn Fn(&str) -> Result<Vec<String>, String> + Send + Sync>;

impl Api {
    /// Returns the store.
    ///
    /// # Errors
    /// There is none: operations come from Kafka.
    fn store(&self) -> Result<Arc<Store>, Problem> {
        self.in_requests()?;
        let store = self.service.store().cloned();
        store.ok_or_else(|| Problem::new(404, "this service keeps no operations and decisions"))
    }

    /// Refuses what only a service that takes operations in requests has.
    fn in_requests(&self) -> Result<(), Problem> {
        let Some(Fleet { topics, .. }) = &self.fleet else { return Ok(()) };
        let Topics { operations, decisions, rejected, state: _ } = topics;
        Err(Problem::new(
            404,
            format!(
                "operations come from the topic {operations}, decisions are in {decisions}, refused records in {rejected}"
            ),
        ))
    }
}

/// The geo databases in use.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct GeoInfo {
    pub country: Option<DatabaseInfo>,
    pub anonymizer: Option<DatabaseInfo>,
}

impl GeoInfo {
    /// Says what the databases in use cannot do.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let is_sample = self.anonymizer.as_ref().is_some_and(|info| info.sample);
        is_sample.then_some(SAMPLE_WARNING).into_iter().collect()
    }
}

/// One geo database.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DatabaseInfo {
    /// When it was made.
    pub built: Time,
    /// It knows no real address.
    pub sample: bool,
}

type Shared = Arc<Api>;

/// Makes the router.
pub fn router(api: Shared) -> Router {
    let mut router: Router<Shared> = Router::new();
    for endpoint in ENDPOINTS {
        let layer = middleware::from_fn_with_state((Arc::clone(&api), endpoint), guard);
        router = router.route(endpoint.path, handler_of(endpoint.handler).layer(layer));
    }
    router
        .fallback(statics::file)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::map_response(protect))
        .with_state(api)
}

/// What every answer says to browsers: take it as what it says it is, show it in no frame, give it to no other site.
const PROTECTION: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
];

/// Adds what an answer does not say itself.
async fn protect(mut response: Response) -> Response {
    for (name, value) in PROTECTION {
        let entry = response.headers_mut().entry(HeaderName::from_static(name));
        entry.or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn wrong_method() -> Problem {
    Problem::new(405, "the method is not one this path accepts")
}

fn handler_of(handler: Handler) -> MethodRouter<Shared> {
    match handler {
        Handler::Session => get(console_api::session),
        Handler::PostOperations => post(operations::post),
        Handler::Operation => get(operations::operation),
        Handler::Decisions => get(decisions::list),
        Handler::Decision => get(decisions::one),
        Handler::Why => get(why::why),
        Handler::Reproduce => get(reproduce::reproduce),
        Handler::Rejected => get(decisions::rejected),
        Handler::Wallet => get(console_api::wallet),
        Handler::Restrictions => get(console_api::restrictions),
        Handler::SupportEvent => post(console_api::support_event),
        Handler::Rules => get(rules::list),
        Handler::Rule => get(rules::one),
        Handler::Reload => post(rules::reload),
        Handler::Rollback => post(rules::rollback),
        Handler::Check => post(drafts::post_check),
        Handler::Test => post(drafts::post_test),
        Handler::Backtest => post(backtests::post),
        Handler::BacktestReport => get(backtests::one),
        Handler::BacktestStop => post(backtests::stop),
        Handler::Codes => get(drafts::codes),
        Handler::Code => get(drafts::code),
        Handler::RuleDiff => post(authoring::diff),
        Handler::RuleLayout => post(authoring::fmt),
        Handler::RuleGraph => get(authoring::graph),
        Handler::RuleTemplates => get(authoring::list_templates),
        Handler::NewRule => post(authoring::new),
        Handler::RuleHistory => get(rule_life::history),
        Handler::RuleMode => post(rule_life::set_mode),
        Handler::Save => post(rule_saving::save),
        Handler::Withdraw => post(withdraw::withdraw),
        Handler::Rearm => post(rearm::rearm),
        Handler::Metrics => get(console_api::metrics),
        Handler::Health => get(console_api::health),
        Handler::Ready => get(console_api::ready),
        Handler::OpenApi => get(openapi::show),
    }
}

/// Counts a request, and lets only those in who may.
async fn guard(
    State((api, endpoint)): State<(Shared, &'static Endpoint)>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = tokio::time::Instant::now();
    let admitted = access::admit(&api, endpoint, &request);
    let response = match admitted.and_then(|caller| access::take_place(endpoint, &request, caller)) {
        Ok(caller) => {
            request.extensions_mut().insert::<Caller>(caller);
            run(&api, endpoint, request, next).await
        }
        Err(problem) => problem.into_response(),
    };
    api.metrics.observe_request(endpoint.path, response.status().as_u16(), begun.elapsed());
    response
}

/// A stream or a long poll takes as long as it was asked to; everything else has the time of a request.
async fn run(api: &Api, endpoint: &Endpoint, request: Request, next: Next) -> Response {
    if endpoint.waits {
        return next.run(request).await;
    }
    match tokio::time::timeout(api.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(503, "the answer took longer than a request may").into_response(),
    }
}

/// Runs what reads files or waits for a thread, away from the threads that serve requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::new(500, "a fault of kuzet itself"))
}

/// Answers with JSON text.
fn json(body: Vec<u8>) -> Response {
    ([("content-type", "application/json"), ("cache-control", "no-store")], body).into_response()
}

/// Answers with a value as JSON.
fn json_of<T: serde::Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => json(body),
        Err(_) => Problem::new(500, "a fault of kuzet itself").into_response(),
    }
}
