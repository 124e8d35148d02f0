//! The text holds every metric and no id of a person's.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::operation::decision::{Command, CommandKind, Detail, EvidenceValue, Match, OPERATORS, Subject, Verdict};
use crate::operation::{OperationType, Time};

const WALLET: &str = "77010000001";
const OPERATION: &str = "01JD8Q6T9V0000000000000001";

/// Everything the service shows: name, type, and the labels of its series.
const EXPECTED: &[(&str, &str, &[&str])] = &[
    ("kuzet_batch_operations", "histogram", &[]),
    ("kuzet_build_info", "gauge", &["version"]),
    ("kuzet_commands_total", "counter", &["command"]),
    ("kuzet_consumer_lag_records", "gauge", &["shard"]),
    ("kuzet_decisions_total", "counter", &["verdict"]),
    ("kuzet_decisions_degraded_total", "counter", &["input"]),
    ("kuzet_duplicates_total", "counter", &[]),
    ("kuzet_geo_database_build_timestamp_seconds", "gauge", &["database"]),
    ("kuzet_geo_database_sample", "gauge", &["database"]),
    ("kuzet_geo_source_failures_total", "counter", &["source"]),
    ("kuzet_geo_source_last_success_timestamp_seconds", "gauge", &["source"]),
    ("kuzet_geo_update_last_successful", "gauge", &["database"]),
    ("kuzet_http_refused_total", "counter", &["reason"]),
    ("kuzet_http_request_seconds", "histogram", &["endpoint"]),
    ("kuzet_http_requests_total", "counter", &["endpoint", "status"]),
    ("kuzet_operations_late_total", "counter", &[]),
    ("kuzet_matches_total", "counter", &["mode", "rule"]),
    ("kuzet_oldest_waiting_operation_seconds", "gauge", &[]),
    ("kuzet_operations_total", "counter", &["type"]),
    ("kuzet_queue_requests", "gauge", &[]),
    ("kuzet_ready", "gauge", &[]),
    ("kuzet_recoveries_total", "counter", &[]),
    ("kuzet_recovery_seconds", "histogram", &[]),
    ("kuzet_rejected_total", "counter", &["code"]),
    ("kuzet_restrictions_active", "gauge", &["kind"]),
    ("kuzet_rule_budget_breaches_total", "counter", &["rule"]),
    ("kuzet_rule_budget_exceeded", "gauge", &["rule", "shard"]),
    ("kuzet_rule_budget_stopped", "gauge", &["rule", "shard"]),
    ("kuzet_rule_reloads_total", "counter", &["result"]),
    ("kuzet_rules_last_load_successful", "gauge", &[]),
    ("kuzet_ruleset_info", "gauge", &["ruleset"]),
    ("kuzet_shard_halted", "gauge", &["shard"]),
    ("kuzet_shards", "gauge", &[]),
    ("kuzet_shared_keys", "gauge", &[]),
    ("kuzet_shared_keys_limit", "gauge", &[]),
    ("kuzet_shared_keys_refused_total", "counter", &[]),
    ("kuzet_shared_pending_changes", "gauge", &[]),
    ("kuzet_shared_store_errors_total", "counter", &[]),
    ("kuzet_shared_window_bytes", "gauge", &[]),
    ("kuzet_shared_window_bytes_limit", "gauge", &[]),
    ("kuzet_shared_windows", "gauge", &[]),
    ("kuzet_sse_reader_lag_decisions", "gauge", &[]),
    ("kuzet_sse_subscribers", "gauge", &[]),
    ("kuzet_stage_duration_seconds", "histogram", &["stage"]),
    ("kuzet_start_time_seconds", "gauge", &[]),
    ("kuzet_state_bytes", "gauge", &[]),
    ("kuzet_state_wallets", "gauge", &[]),
    ("kuzet_store_bytes", "gauge", &[]),
    ("kuzet_store_free_bytes", "gauge", &[]),
    ("kuzet_tls_certificate_expiry_timestamp_seconds", "gauge", &["listener"]),
    ("kuzet_transactions_total", "counter", &["result"]),
    ("kuzet_unknown_fields_total", "counter", &[]),
    // Former names.
    ("kuzet_degraded_total", "counter", &["input"]),
    ("kuzet_late_total", "counter", &[]),
    ("kuzet_stage_seconds", "histogram", &["stage"]),
];

fn decision() -> Decision {
    let rule: Arc<str> = Arc::from("equal-transfers-in-hour");
    let clauses = Arc::from([Arc::from("7.15")]);
    let evidence = vec![(Arc::from("wallet_id"), EvidenceValue::Text(WALLET.into()))];
    let fired = |enforced| Match {
        rule: rule.clone(),
        clauses: Arc::clone(&clauses),
        enforced,
        evidence: evidence.clone(),
        message: None,
    };
    let subject = Subject::Operation(OPERATION.into(), 1);
    let command =
        |kind, detail| Command::new((WALLET, OPERATION), kind, (&rule, &clauses), subject.clone(), None, detail);
    let commands =
        vec![command(CommandKind::Hold, Detail::Nothing), command(CommandKind::Report, Detail::To(OPERATORS))];
    Decision {
        decision_id: Uuid::nil(),
        op_id: OPERATION.into(),
        wallet_id: WALLET.into(),
        kind: OperationType::Transfer,
        occurred_at: Time::parse_rfc3339("2026-11-22T05:15:00Z").unwrap(),
        verdict: Verdict::Hold,
        matches: vec![fired(true), fired(false)],
        commands,
        late: true,
        degraded: vec!["mrp".into()],
        ruleset: Arc::from("b1946ac92492"),
    }
}

/// Metrics of a service that has done something of everything.
fn used() -> Metrics {
    let metrics = Metrics::new();
    metrics.observe_decision(&decision());
    metrics.observe_rejection(RejectionCode::TooLarge);
    metrics.observe_stage("fetch", Duration::from_millis(3));
    metrics.observe_batch(100);
    metrics.observe_request("/v1/wallets/{wallet_id}", 404, Duration::from_millis(1));
    metrics.observe_reload(true);
    metrics.set_ruleset_hash("b1946ac92492");
    metrics.set_geo_database("country", Some(1_764_547_200));
    metrics.set_geo_sample("anonymizer", Some(true));
    metrics.observe_geo_source("tor-exits", Some(1_764_547_200));
    metrics.observe_geo_source("a-list", None);
    metrics.observe_geo_update("anonymizer", false);
    metrics.set_certificate_expiry(1_764_547_200);
    metrics.set_budgets([("no-longer-there", 0, 1, true)].into_iter());
    metrics.set_budgets([("equal-transfers-in-hour", 7, 501, true)].into_iter());
    metrics.set_shards(&[(7, true, Some(3))]);
    metrics.set_ready(true);
    set(&metrics.state_wallets, u64::MAX);
    metrics
}

fn value(text: &str, series: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(String::from))
}

#[track_caller]
fn check(metrics: &Metrics, series: &str, expected: Option<&str>) {
    assert_eq!(value(&metrics.text(), series).as_deref(), expected, "{series} of\n{}", metrics.text());
}

#[test]
fn every_metric_has_help_type_and_labels() {
    let text = used().text();
    let types: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let expected: BTreeMap<&str, &str> = EXPECTED.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    assert_eq!(types, expected);
    for (name, kind, labels) in EXPECTED {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        let counts = if *kind == "histogram" { format!("{name}_count") } else { (*name).to_owned() };
        let series = |line: &&str| line.starts_with(&format!("{counts}{{")) || line.starts_with(&format!("{counts} "));
        for line in text.lines().filter(series) {
            let found = line.split_once('{').map_or("", |(_, rest)| rest);
            let found: Vec<&str> = found
                .match_indices("=\"")
                .map(|(at, _)| found[..at].rsplit([',', '{']).next().unwrap_or_default())
                .collect();
            assert_eq!(found, *labels, "{line}");
        }
    }
}

/// Finds the words in the console's files that begin so, each with what stands behind it up to the end of its line.
fn words_of_the_console(beginning: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console");
    let mut found = Vec::new();
    for folder in [folder.clone(), folder.join("pages")] {
        for file in std::fs::read_dir(folder).expect("the console") {
            let path = file.expect("a file").path();
            if path.extension().is_none_or(|extension| extension != "js") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            for (at, _) in text.match_indices(beginning) {
                let is_in_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
                let end = text[at..].find(|character| !is_in_word(character)).map_or(text.len(), |length| at + length);
                let rest = text[end..].lines().next().unwrap_or_default();
                found.push((text[at..end].to_owned(), rest.to_owned()));
            }
        }
    }
    found
}

#[test]
fn the_console_reads_metrics_that_are_shown_and_names_alerts_that_there_are() {
    let metrics = words_of_the_console("kuzet_");
    assert!(metrics.len() > 20, "{metrics:?}");
    for (name, rest) in metrics {
        let known = EXPECTED.iter().find(|(expected, ..)| *expected == name);
        let (_, _, labels) = known.unwrap_or_else(|| panic!("no metric is named {name}"));
        // `name", { label: value` or `name", { label }`, where only some series are meant.
        let Some((wanted, _)) = rest.strip_prefix("\", { ").and_then(|rest| rest.split_once(" }")) else { continue };
        for wanted in wanted.split(", ") {
            let label = wanted.split(':').next().unwrap_or_default();
            assert!(labels.contains(&label), "{name} has {labels:?}, not {label}");
        }
    }
    let alerts = include_str!("../../deploy/prometheus/alerts.yml");
    let named = words_of_the_console("Kuzet");
    assert!(named.len() > 10, "{named:?}");
    for (name, _) in named {
        assert!(alerts.lines().any(|line| line.trim() == format!("- alert: {name}")), "no alert is named {name}");
    }
}

#[test]
fn former_names_show_the_same_and_say_what_to_use() {
    let text = used().text();
    for (former, name) in FORMER_NAMES {
        assert!(
            text.contains(&format!("# HELP {former} Deprecated, goes with the next release: use {name}\n")),
            "{text}"
        );
    }
    assert_eq!(value(&text, "kuzet_late_total").as_deref(), Some("1"));
    let count = "_count{stage=\"fetch\"}";
    let of = |name: &str| value(&text, &format!("{name}{count}"));
    assert_eq!(of("kuzet_stage_seconds"), of("kuzet_stage_duration_seconds"));
    assert!(of("kuzet_stage_seconds").is_some());
}

#[test]
fn names_follow_the_conventions() {
    for (name, kind, _) in EXPECTED {
        assert_eq!(*kind == "counter", name.ends_with("_total"), "{name}");
        assert!(!["_ms", "_millis", "_kib", "_minutes"].iter().any(|unit| name.ends_with(unit)), "{name}");
    }
}

#[test]
fn no_label_takes_an_id_of_a_wallet_or_operation() {
    let text = used().text();
    assert!(!text.contains(WALLET) && !text.contains(OPERATION), "{text}");
}

#[test]
fn a_refused_load_shows_until_one_succeeds() {
    let metrics = Metrics::new();
    check(&metrics, "kuzet_rules_last_load_successful", Some("1"));
    metrics.observe_reload(false);
    check(&metrics, "kuzet_rules_last_load_successful", Some("0"));
    metrics.observe_reload(true);
    check(&metrics, "kuzet_rules_last_load_successful", Some("1"));
}

#[test]
fn the_start_is_now() {
    let now = || Duration::from_nanos(u64::try_from(crate::adapters::clock::now().nanos()).unwrap()).as_secs_f64();
    let before = now();
    let shown: f64 = value(&Metrics::new().text(), "kuzet_start_time_seconds").unwrap().parse().unwrap();
    assert!((before..=now()).contains(&shown), "{shown}, begun after {before}");
}

#[test]
fn known_words_begin_at_0() {
    let metrics = Metrics::new();
    for series in [
        "kuzet_operations_total{type=\"tampering_detected\"}",
        "kuzet_rejected_total{code=\"wrong_partition\"}",
        "kuzet_decisions_total{verdict=\"refuse\"}",
        "kuzet_commands_total{command=\"report\"}",
        "kuzet_restrictions_active{kind=\"block\"}",
        "kuzet_decisions_degraded_total{input=\"shared_state\"}",
        "kuzet_rule_reloads_total{result=\"refused\"}",
        "kuzet_stage_duration_seconds_count{stage=\"commit\"}",
        "kuzet_ready",
    ] {
        check(&metrics, series, Some("0"));
    }
    let rules = RuleSet { hash: String::from("x"), ..RuleSet::default() };
    metrics.set_ruleset(&rules);
    check(&metrics, "kuzet_ruleset_info{ruleset=\"x\"}", Some("1"));
}

#[test]
fn a_decision_is_counted_by_all_it_says() {
    let metrics = used();
    for (series, expected) in [
        ("kuzet_operations_total{type=\"transfer\"}", "1"),
        ("kuzet_operations_total{type=\"payment\"}", "0"),
        ("kuzet_decisions_total{verdict=\"hold\"}", "1"),
        ("kuzet_matches_total{mode=\"enforce\",rule=\"equal-transfers-in-hour\"}", "1"),
        ("kuzet_matches_total{mode=\"shadow\",rule=\"equal-transfers-in-hour\"}", "1"),
        ("kuzet_commands_total{command=\"hold\"}", "1"),
        ("kuzet_operations_late_total", "1"),
        ("kuzet_decisions_degraded_total{input=\"mrp\"}", "1"),
        ("kuzet_rejected_total{code=\"too_large\"}", "1"),
        ("kuzet_stage_duration_seconds_bucket{stage=\"fetch\",le=\"0.003\"}", "1"),
        ("kuzet_batch_operations_bucket{le=\"64\"}", "0"),
        ("kuzet_batch_operations_bucket{le=\"128\"}", "1"),
        ("kuzet_http_requests_total{endpoint=\"/v1/wallets/{wallet_id}\",status=\"404\"}", "1"),
        // The text format writes all numbers as floats.
        ("kuzet_state_wallets", "9223372036854776000"),
        ("kuzet_geo_database_build_timestamp_seconds{database=\"country\"}", "1764547200"),
        ("kuzet_geo_database_sample{database=\"anonymizer\"}", "1"),
        ("kuzet_geo_source_last_success_timestamp_seconds{source=\"tor-exits\"}", "1764547200"),
        ("kuzet_geo_source_failures_total{source=\"tor-exits\"}", "0"),
        ("kuzet_geo_source_failures_total{source=\"a-list\"}", "1"),
        ("kuzet_geo_update_last_successful{database=\"anonymizer\"}", "0"),
        ("kuzet_tls_certificate_expiry_timestamp_seconds{listener=\"http\"}", "1764547200"),
    ] {
        check(&metrics, series, Some(expected));
    }
}

#[test]
fn one_rule_set_is_shown() {
    let metrics = Metrics::new();
    for hash in ["one", "two", "two"] {
        metrics.set_ruleset_hash(hash);
    }
    check(&metrics, "kuzet_ruleset_info{ruleset=\"two\"}", Some("1"));
    check(&metrics, "kuzet_ruleset_info{ruleset=\"one\"}", None);
    metrics.set_geo_database("country", Some(1));
    metrics.set_geo_database("country", None);
    check(&metrics, "kuzet_geo_database_build_timestamp_seconds{database=\"country\"}", None);
}
