//! Every metric of the service, in the text format that Prometheus reads.
//!
//! Names begin with `kuzet_` and end with their base unit; counters end with `_total`. Label values are
//! words of the contract, ids of rules, route templates and the like: never the id of a wallet or an
//! operation, nor an address, of which there are too many and which are nobody's business here.

mod register;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use crate::operation::decision::Decision;
use crate::operation::decode::RejectionCode;
use crate::rules::program::{Mode, RuleSet};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Stages of a batch that are measured from the start; `stage_seconds` takes others too.
pub const STAGES: &[&str] = &["decode", "enrich", "fetch", "decide", "commit", "end_to_end"];
/// Inputs that decisions name in `degraded`.
pub const INPUTS: &[&str] = &["geoip.country", "geoip.anonymizer", "shared_state", "mrp", "attributes"];
/// Metrics that had another name in the last release, and are shown under both in this one.
const FORMER_NAMES: &[(&str, &str)] = &[
    ("kuzet_late_total", "kuzet_operations_late_total"),
    ("kuzet_degraded_total", "kuzet_decisions_degraded_total"),
    ("kuzet_stage_seconds", "kuzet_stage_duration_seconds"),
];
/// What restrictions in force are counted by.
pub const RESTRICTION_KINDS: &[&str] = &["monitor", "block", "hold"];
/// How a transaction can end.
pub const TRANSACTION_RESULTS: &[&str] = &["committed", "aborted", "unknown"];
/// Why a connection is closed before its time or not taken, or a request refused, so that others are served.
pub const HTTP_REFUSALS: &[&str] =
    &["silent", "stalled", "made_room", "full", "wrong_token", "reader_behind", "bodies"];
/// How loading rules again can end.
const LOADED: &str = "loaded";
const REFUSED: &str = "refused";

/// Upper ends of the buckets of times: fine from 1 ms to 10 s, where promises are kept or broken.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75,
    1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0,
];
/// Upper ends of the buckets of batch sizes, up to the largest that can be configured.
const OPERATIONS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0,
    65536.0,
];

/// All metrics. Counting is lock-free where the label values are known from the start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// By [`OperationType::code`](crate::operation::OperationType::code), and so on below.
    operations: Vec<IntCounter>,
    rejected: Vec<IntCounter>,
    decisions: Vec<IntCounter>,
    commands: Vec<IntCounter>,
    matches: IntCounterVec,
    budgets: BudgetMetrics,
    /// By kind: `monitor`, `block`.
    pub restrictions_active: IntGaugeVec,
    /// 0 when nothing waits.
    pub oldest_waiting_operation_seconds: Gauge,
    /// Operations that came again and got their first decision.
    pub duplicates: IntCounter,
    late: IntCounter,
    pub unknown_fields: IntCounter,
    degraded: IntCounterVec,
    stage_seconds: HistogramVec,
    batch_operations: Histogram,
    pub state_wallets: IntGauge,
    pub state_bytes: IntGauge,
    pub shared_windows: IntGauge,
    shared_keys: KeyMetrics,
    pub store_bytes: IntGauge,
    pub store_free_bytes: IntGauge,
    rule_reloads: IntCounterVec,
    rules_last_load_successful: IntGauge,
    ruleset_info: IntGaugeVec,
    /// The hash that `ruleset_info` shows.
    ruleset: Mutex<Option<String>>,
    geo: GeoMetrics,
    pub shared_store_errors: IntCounter,
    http_requests: IntCounterVec,
    http_request_seconds: HistogramVec,
    pub sse_subscribers: IntGauge,
    pub sse_reader_lag: IntGauge,
    /// Jobs that wait for a worker.
    pub queue: IntGauge,
    http_refused: IntCounterVec,
    ready: IntGauge,
    tls_expiry: GaugeByName,
    fleet: FleetMetrics,
}

/// Of rules with a budget.
#[derive(Debug)]
struct BudgetMetrics {
    breaches: IntCounterVec,
    /// By rule and shard.
    stopped: IntGaugeVec,
    exceeded: IntGaugeVec,
}

/// Of the keys of shared windows, which the embedded service keeps itself.
#[derive(Debug)]
struct KeyMetrics {
    tracked: IntGauge,
    limit: IntGauge,
    refused: IntCounter,
    bytes: IntGauge,
    bytes_limit: IntGauge,
}

/// Of the geo databases and their sources.
#[derive(Debug)]
struct GeoMetrics {
    database_build: GaugeByName,
    database_sample: IntGaugeVec,
    update_last_successful: IntGaugeVec,
    source_last_success: GaugeByName,
    source_failures: IntCounterVec,
}

/// What only a fleet has.
#[derive(Debug)]
struct FleetMetrics {
    /// By shard.
    consumer_lag: IntGaugeVec,
    shards: IntGauge,
    shard_halted: IntGaugeVec,
    transactions: IntCounterVec,
    recoveries: IntCounter,
    recovery_seconds: Histogram,
    shared_pending_changes: IntGauge,
    /// The shards that are shown.
    shown_shards: Mutex<BTreeSet<i32>>,
}

/// A gauge with one label.
type GaugeByName = prometheus::GaugeVec;

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counts a decision: its type, verdict, matches, commands, lateness and missing inputs.
    pub fn observe_decision(&self, decision: &Decision) {
        count(&self.operations, decision.kind.code());
        count(&self.decisions, decision.verdict.code());
        for found in &decision.matches {
            let mode = if found.enforced { Mode::Enforce } else { Mode::Shadow };
            self.matches.with_label_values(&[&*found.rule, mode_name(mode)]).inc();
        }
        for command in &decision.commands {
            count(&self.commands, command.kind.code());
            if command.is_for_operators() {
                self.budgets.breaches.with_label_values(&[&*command.rule]).inc();
            }
        }
        self.late.inc_by(u64::from(decision.late));
        for input in &decision.degraded {
            // Which attribute it was, decisions say.
            let input = if input.starts_with("attributes.") { "attributes" } else { &**input };
            self.degraded.with_label_values(&[input]).inc();
        }
    }

    /// Counts a refused record.
    pub fn observe_rejection(&self, code: RejectionCode) {
        count(&self.rejected, code.code());
    }

    /// Measures one stage of a batch or an operation: one of [`STAGES`].
    pub fn observe_stage(&self, stage: &'static str, took: Duration) {
        self.stage_seconds.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    /// Counts the operations of a batch.
    pub fn observe_batch(&self, operations: usize) {
        self.batch_operations.observe(u32::try_from(operations).map_or(f64::INFINITY, f64::from));
    }

    /// Counts and measures an answered request. The endpoint is a route template such as
    /// `/v1/wallets/{wallet_id}`, never the path that was asked for.
    pub fn observe_request(&self, endpoint: &'static str, status: u16, took: Duration) {
        self.http_requests.with_label_values(&[endpoint, &status.to_string()]).inc();
        self.http_request_seconds.with_label_values(&[endpoint]).observe(took.as_secs_f64());
    }

    /// Sets since how many seconds the operation waits that waits longest.
    pub fn set_oldest_waiting(&self, seconds: i64) {
        let seconds = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        self.oldest_waiting_operation_seconds.set(f64::from(seconds));
    }

    /// Counts an attempt to load the rules again.
    pub fn observe_reload(&self, loaded: bool) {
        self.rule_reloads.with_label_values(&[if loaded { LOADED } else { REFUSED }]).inc();
        self.rules_last_load_successful.set(i64::from(loaded));
    }

    /// Shows the rule set that decides from now on, and lets its rules count from 0.
    pub fn set_ruleset(&self, rules: &RuleSet) {
        for rule in rules.rules.iter().filter(|rule| rule.mode != Mode::Off) {
            // Making a counter is enough for it to be shown.
            self.matches.with_label_values(&[&*rule.id, mode_name(rule.mode)]).inc_by(0);
        }
        for rule in rules.rules.iter().filter(|rule| rule.budget.is_some()) {
            self.budgets.breaches.with_label_values(&[&*rule.id]).inc_by(0);
        }
        self.set_ruleset_hash(&rules.hash);
    }

    /// Shows what rules have spent of their budgets: rule, shard, operations that it stopped within the hour, whether it
    /// has exceeded its budget.
    pub fn set_budgets<'b>(&self, budgets: impl Iterator<Item = (&'b str, i32, u64, bool)>) {
        self.budgets.stopped.reset();
        self.budgets.exceeded.reset();
        for (rule, shard, stopped, is_exceeded) in budgets {
            let shard = shard.to_string();
            set(&self.budgets.stopped.with_label_values(&[rule, &shard]), stopped);
            self.budgets.exceeded.with_label_values(&[rule, &shard]).set(i64::from(is_exceeded));
        }
    }

    /// The new label appears before the old one goes, so that there is always one.
    fn set_ruleset_hash(&self, hash: &str) {
        let mut shown = self.ruleset.lock().unwrap_or_else(PoisonError::into_inner);
        self.ruleset_info.with_label_values(&[hash]).set(1);
        match shown.replace(hash.to_owned()) {
            // It was shown, so that it can be removed.
            Some(old) if old != hash => drop(self.ruleset_info.remove_label_values(&[&old])),
            _ => {}
        }
    }

    /// Shows when a geo database (`country`, `anonymizer`) was built; `None` when it is not there.
    pub fn set_geo_database(&self, database: &'static str, build_epoch: Option<u64>) {
        match build_epoch {
            Some(epoch) => {
                let built = Duration::from_secs(epoch).as_secs_f64();
                self.geo.database_build.with_label_values(&[database]).set(built);
            }
            // What was never shown cannot be removed.
            None => drop(self.geo.database_build.remove_label_values(&[database])),
        }
    }

    /// Shows whether a geo database is a sample; `None` when it is not there.
    pub fn set_geo_sample(&self, database: &'static str, is_sample: Option<bool>) {
        match is_sample {
            Some(is_sample) => self.geo.database_sample.with_label_values(&[database]).set(i64::from(is_sample)),
            // What was never shown cannot be removed.
            None => drop(self.geo.database_sample.remove_label_values(&[database])),
        }
    }

    /// Shows whether a geo database could be made anew from its sources; what is in use stays if not.
    pub fn observe_geo_update(&self, database: &'static str, made: bool) {
        self.geo.update_last_successful.with_label_values(&[database]).set(i64::from(made));
    }

    /// Shows that a source of a geo database gave a list that was taken, at a second of Unix time; `None` when it was
    /// refused. Sources are named in a file of the operator's.
    pub fn observe_geo_source(&self, source: &str, taken_at: Option<u64>) {
        let failures = self.geo.source_failures.with_label_values(&[source]);
        match taken_at {
            Some(seconds) => {
                let seconds = Duration::from_secs(seconds).as_secs_f64();
                self.geo.source_last_success.with_label_values(&[source]).set(seconds);
            }
            None => failures.inc(),
        }
    }

    /// Shows until when the certificate of the server is valid, in seconds of Unix time.
    pub fn set_certificate_expiry(&self, seconds: u64) {
        let seconds = Duration::from_secs(seconds).as_secs_f64();
        self.tls_expiry.with_label_values(&["http"]).set(seconds);
    }

    /// Counts a connection or a request that had to go so that others are served: one of [`HTTP_REFUSALS`].
    pub fn observe_refused(&self, reason: &'static str) {
        self.http_refused.with_label_values(&[reason]).inc();
    }

    /// Shows how many keys shared windows have, and how many entries found no room for theirs since the start.
    pub fn set_shared_keys(&self, keys: u64, refused: u64) {
        set(&self.shared_keys.tracked, keys);
        let counter = &self.shared_keys.refused;
        counter.inc_by(refused.saturating_sub(counter.get()));
    }

    /// Shows how many keys shared windows may have.
    pub fn set_shared_keys_limit(&self, keys_max: u64) {
        set(&self.shared_keys.limit, keys_max);
    }

    /// Shows the bytes of the shared window that has most.
    pub fn set_shared_window_bytes(&self, bytes: u64) {
        set(&self.shared_keys.bytes, bytes);
    }

    /// Shows how many bytes a shared window may have.
    pub fn set_shared_window_bytes_limit(&self, bytes_max: u64) {
        set(&self.shared_keys.bytes_limit, bytes_max);
    }

    /// Tells whether requests are taken.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// Counts how a transaction ended: one of [`TRANSACTION_RESULTS`].
    pub fn observe_transaction(&self, result: &'static str) {
        self.fleet.transactions.with_label_values(&[result]).inc();
    }

    /// Measures how long it took to restore shards.
    pub fn observe_recovery(&self, took: Duration) {
        self.fleet.recoveries.inc();
        self.fleet.recovery_seconds.observe(took.as_secs_f64());
    }

    /// Shows how many committed changes the shared store has not taken yet.
    pub fn set_shared_pending(&self, changes: usize) {
        set(&self.fleet.shared_pending_changes, u64::try_from(changes).unwrap_or(u64::MAX));
    }

    /// Shows the shards of this process: number, whether it is halted, records that wait.
    pub fn set_shards(&self, shards: &[(i32, bool, Option<u64>)]) {
        let mut shown = self.fleet.shown_shards.lock().unwrap_or_else(PoisonError::into_inner);
        set(&self.fleet.shards, u64::try_from(shards.len()).unwrap_or(0));
        let present: BTreeSet<i32> = shards.iter().map(|(shard, ..)| *shard).collect();
        for gone in shown.difference(&present) {
            // What was never shown cannot be removed.
            drop(self.fleet.consumer_lag.remove_label_values(&[&gone.to_string()]));
            drop(self.fleet.shard_halted.remove_label_values(&[&gone.to_string()]));
        }
        for (shard, is_halted, lag) in shards {
            let shard = shard.to_string();
            self.fleet.shard_halted.with_label_values(&[&shard]).set(i64::from(*is_halted));
            if let Some(lag) = lag {
                set(&self.fleet.consumer_lag.with_label_values(&[&shard]), *lag);
            }
        }
        *shown = present;
    }

    /// Renders all metrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut families = self.registry.gather();
        let former: Vec<_> = families.iter().filter_map(under_former_name).collect();
        families.extend(former);
        // Fails only for a family without a metric, which the registry leaves out.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

/// Copies a family to the name it had before, for dashboards and alerts that still ask for that.
fn under_former_name(family: &MetricFamily) -> Option<MetricFamily> {
    let (former, name) = FORMER_NAMES.iter().find(|(_, name)| *name == family.name())?;
    let mut copy = family.clone();
    copy.set_name((*former).to_owned());
    copy.set_help(format!("Deprecated, goes with the next release: use {name}"));
    Some(copy)
}

/// Sets a gauge to a count; what does not fit is shown as the most that does.
pub fn set(gauge: &IntGauge, count: u64) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// Adds 1 to the counter of a word by its code.
fn count(counters: &[IntCounter], code: u8) {
    if let Some(counter) = counters.get(usize::from(code)) {
        counter.inc();
    }
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Shadow => "shadow",
        Mode::Off => "off",
    }
}
