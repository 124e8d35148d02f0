//! Names and helps of the metrics, and the label values known from the start, so that rates begin at 0.

use std::sync::Mutex;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use super::{
    BudgetMetrics, FleetMetrics, GeoMetrics, HTTP_REFUSALS, INPUTS, KeyMetrics, LOADED, Metrics, OPERATIONS, REFUSED,
    RESTRICTION_KINDS, SECONDS, STAGES, TRANSACTION_RESULTS,
};
use crate::adapters::clock;
use crate::operation::OperationType;
use crate::operation::decision::{CommandKind, Verdict};
use crate::operation::decode::RejectionCode;

/// Holds for every metric below: they are written here, and the tests make them all.
const SOUND: &str = "names, labels and buckets are valid and unique";

/// Makes metrics of one registry.
struct Register(Registry);

impl Register {
    fn add<M: Collector + Clone + 'static>(&self, made: prometheus::Result<M>) -> M {
        let metric = made.expect(SOUND);
        self.0.register(Box::new(metric.clone())).expect(SOUND);
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// Makes a counter of each word, in their order.
    fn words(&self, name: &str, help: &str, label: &str, words: &[&str]) -> Vec<IntCounter> {
        let counters = self.counters(name, help, &[label]);
        words.iter().map(|word| counters.with_label_values(&[*word])).collect()
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), &[label]))
    }

    fn times(&self, name: &str, help: &str, label: &str) -> HistogramVec {
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), &[label]))
    }
}

fn tls_expiry(to: &Register) -> GaugeVec {
    let name = "kuzet_tls_certificate_expiry_timestamp_seconds";
    let about = "When the first certificate of the chain in use ends to be valid, Unix time";
    to.add(GaugeVec::new(Opts::new(name, about), &["listener"]))
}

/// Makes the metrics of the keys of shared windows.
fn keys(to: &Register) -> KeyMetrics {
    KeyMetrics {
        tracked: to.gauge(
            "kuzet_shared_keys",
            "Keys of windows shared between wallets; of a fleet, those of the window that has most",
        ),
        limit: to.gauge("kuzet_shared_keys_limit", "Keys of shared windows that are tracked at most"),
        refused: to
            .counter("kuzet_shared_keys_refused_total", "Entries of shared windows that found no room for their key"),
        bytes: to.gauge("kuzet_shared_window_bytes", "Estimated bytes in Redis of the shared window that has most"),
        bytes_limit: to
            .gauge("kuzet_shared_window_bytes_limit", "Bytes of a shared window beyond which it takes in no more keys"),
    }
}

fn commands(to: &Register) -> Vec<IntCounter> {
    to.words("kuzet_commands_total", "Commands to the ledger, by kind", "command", CommandKind::NAMES)
}

/// Makes the metrics of the geo databases.
fn budgets(to: &Register) -> BudgetMetrics {
    let of_rule = |name: &str, help: &str| to.add(IntGaugeVec::new(Opts::new(name, help), &["rule", "shard"]));
    BudgetMetrics {
        breaches: to.counters(
            "kuzet_rule_budget_breaches_total",
            "Times that a rule exceeded its budget and went into shadow, by rule",
            &["rule"],
        ),
        stopped: of_rule(
            "kuzet_rule_budget_stopped",
            "Operations that a rule with a budget stopped within the hour of the shard's stream, by rule and shard",
        ),
        exceeded: of_rule(
            "kuzet_rule_budget_exceeded",
            "Whether a rule is in shadow because it exceeded its budget: 0 or 1, by rule and shard",
        ),
    }
}

fn geo(to: &Register) -> GeoMetrics {
    GeoMetrics {
        database_build: to.add(GaugeVec::new(
            Opts::new("kuzet_geo_database_build_timestamp_seconds", "When a geo database was built, Unix time"),
            &["database"],
        )),
        database_sample: to.gauges(
            "kuzet_geo_database_sample",
            "1 while a geo database in use is a sample, which knows no real address",
            "database",
        ),
        update_last_successful: to.gauges(
            "kuzet_geo_update_last_successful",
            "Whether the last update of a geo database from its sources replaced it: 0 or 1",
            "database",
        ),
        source_last_success: to.add(GaugeVec::new(
            Opts::new(
                "kuzet_geo_source_last_success_timestamp_seconds",
                "When a source of a geo database last gave a list that was taken, Unix time",
            ),
            &["source"],
        )),
        source_failures: to.counters(
            "kuzet_geo_source_failures_total",
            "Lists of a source of a geo database that were not there or were refused",
            &["source"],
        ),
    }
}

fn reader_lag(to: &Register) -> IntGauge {
    let help = "Decisions that the slowest reader of an open stream has not been sent yet";
    to.gauge("kuzet_sse_reader_lag_decisions", help)
}

/// Makes the metrics of what only a fleet has.
fn fleet(to: &Register) -> FleetMetrics {
    FleetMetrics {
        consumer_lag: to.gauges("kuzet_consumer_lag_records", "Records in Kafka that wait to be decided", "shard"),
        shards: to.gauge("kuzet_shards", "Shards of this process"),
        shard_halted: to.gauges("kuzet_shard_halted", "Whether a shard must not decide: 0 or 1", "shard"),
        transactions: to.counters("kuzet_transactions_total", "Transactions of Kafka, by result", &["result"]),
        recoveries: to.counter("kuzet_recoveries_total", "Times that shards were restored from Kafka"),
        recovery_seconds: to.add(Histogram::with_opts(
            HistogramOpts::new("kuzet_recovery_seconds", "Time to restore shards").buckets(SECONDS.to_vec()),
        )),
        shared_pending_changes: to
            .gauge("kuzet_shared_pending_changes", "Committed changes that the shared store has not taken yet"),
        shown_shards: Mutex::default(),
    }
}

impl Metrics {
    /// Makes all metrics, each counter at 0.
    ///
    /// # Panics
    /// Never: the names are those below, and tests make them all.
    #[must_use]
    pub fn new() -> Self {
        let to = Register(Registry::new());
        let metrics = Self::of(&to);
        let build = to.gauges("kuzet_build_info", "The version that runs: 1", "version");
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        // Made once by a process, when it begins.
        let started = Duration::from_nanos(u64::try_from(clock::now().nanos()).unwrap_or_default());
        to.add(Gauge::new("kuzet_start_time_seconds", "When the process began, Unix time")).set(started.as_secs_f64());
        // A service whose rules do not load at its start does not start.
        metrics.rules_last_load_successful.set(1);
        metrics.begin();
        metrics
    }

    fn of(to: &Register) -> Self {
        Self {
            operations: to.words("kuzet_operations_total", "Operations decided, by type", "type", OperationType::NAMES),
            rejected: to.words("kuzet_rejected_total", "Records refused, by reason", "code", RejectionCode::NAMES),
            decisions: to.words("kuzet_decisions_total", "Decisions, by verdict", "verdict", Verdict::NAMES),
            commands: commands(to),
            matches: to.counters("kuzet_matches_total", "Rules that fired, by rule and mode", &["rule", "mode"]),
            budgets: budgets(to),
            restrictions_active: to.gauges("kuzet_restrictions_active", "Restrictions in force, by kind", "kind"),
            oldest_waiting_operation_seconds: to.add(Gauge::new(
                "kuzet_oldest_waiting_operation_seconds",
                "How long the oldest operation that is held has waited; 0 when none is",
            )),
            duplicates: to.counter("kuzet_duplicates_total", "Operations that came again and got their first decision"),
            late: to.counter("kuzet_operations_late_total", "Operations later than the allowed lateness"),
            unknown_fields: to.counter("kuzet_unknown_fields_total", "Top-level fields the contract does not know"),
            degraded: to.counters(
                "kuzet_decisions_degraded_total",
                "Decisions made without an input that a rule reads, by input",
                &["input"],
            ),
            stage_seconds: to.times("kuzet_stage_duration_seconds", "Time a stage took, by stage", "stage"),
            batch_operations: to.add(Histogram::with_opts(
                HistogramOpts::new("kuzet_batch_operations", "Operations of a batch").buckets(OPERATIONS.to_vec()),
            )),
            state_wallets: to.gauge("kuzet_state_wallets", "Wallets in memory"),
            state_bytes: to.gauge("kuzet_state_bytes", "Bytes of the state in memory"),
            shared_windows: to.gauge("kuzet_shared_windows", "Windows shared between wallets"),
            shared_keys: keys(to),
            store_bytes: to.gauge("kuzet_store_bytes", "Bytes of the store on disk"),
            store_free_bytes: to.gauge("kuzet_store_free_bytes", "Free bytes of the file system that holds the store"),
            rule_reloads: to.counters("kuzet_rule_reloads_total", "Loads of changed rules, by result", &["result"]),
            rules_last_load_successful: to.gauge(
                "kuzet_rules_last_load_successful",
                "Whether the last load of changed rules was accepted: 0 or 1",
            ),
            ruleset_info: to.gauges("kuzet_ruleset_info", "The rule set that decides: 1", "ruleset"),
            ruleset: Mutex::new(None),
            geo: geo(to),
            shared_store_errors: to.counter("kuzet_shared_store_errors_total", "Failed calls of the shared store"),
            http_requests: to.counters(
                "kuzet_http_requests_total",
                "Requests answered, by route and status",
                &["endpoint", "status"],
            ),
            http_request_seconds: to.times(
                "kuzet_http_request_seconds",
                "Time to answer a request, by route",
                "endpoint",
            ),
            sse_subscribers: to.gauge("kuzet_sse_subscribers", "Open streams of decisions"),
            sse_reader_lag: reader_lag(to),
            queue: to.gauge("kuzet_queue_requests", "Requests that wait for a worker of this process"),
            http_refused: to.counters(
                "kuzet_http_refused_total",
                "Connections closed or not taken and requests refused so that others are served, by reason",
                &["reason"],
            ),
            fleet: fleet(to),
            tls_expiry: tls_expiry(to),
            ready: to.gauge("kuzet_ready", "Whether requests are taken: 0 or 1"),
            registry: to.0.clone(),
        }
    }

    /// Makes the metrics of label values known from the start.
    fn begin(&self) {
        for kind in RESTRICTION_KINDS {
            self.restrictions_active.with_label_values(&[*kind]).set(0);
        }
        for input in INPUTS {
            self.degraded.with_label_values(&[*input]).inc_by(0);
        }
        for result in [LOADED, REFUSED] {
            self.rule_reloads.with_label_values(&[result]).inc_by(0);
        }
        for reason in HTTP_REFUSALS {
            self.http_refused.with_label_values(&[*reason]).inc_by(0);
        }
        for result in TRANSACTION_RESULTS {
            self.fleet.transactions.with_label_values(&[result]).inc_by(0);
        }
        for stage in STAGES {
            // Making a histogram is enough for it to be shown.
            drop(self.stage_seconds.with_label_values(&[*stage]));
        }
    }
}
