//! The embedded service on a real store: what was acknowledged stays, whatever happens in between.

use std::path::Path;
use std::sync::{Arc, Mutex};

use kuzet::adapters::folders::Folder;
use kuzet::adapters::store::{Commit, FILE, Position, Store, StoreError, Stream};
use kuzet::analysis::explain;
use kuzet::app;
use kuzet::geo::Geo;
use kuzet::operation::Time;
use kuzet::pipeline::{Answer, Record};
use kuzet::rules::program::RuleSet;
use kuzet::rules::{SourceFile, Vanishing, compile, render_text};
use kuzet::service::rule_log::{Asked, Cause};
use kuzet::service::{ItemAnswer, LoadRules, RulesRefused, Service, ServiceSettings, Unobserved, rule_history};
use kuzet::simulate::{Parameters, Simulation};

mod budgeted;
mod keys;
mod large;
mod place;
mod reloads;
mod reproduction;
mod retired;
mod search;

const CACHE: usize = 4 << 20;

fn rules_folder() -> Folder {
    Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"))
}

fn shipped() -> RuleSet {
    app::load_rules(&rules_folder()).expect("the shipped rules load")
}

/// The shipped rules and these.
fn with_rules(texts: &[&str]) -> Result<RuleSet, RulesRefused> {
    let mut sources = app::rule_sources(&rules_folder()).expect("the shipped rules");
    for (number, text) in texts.iter().enumerate() {
        let name = text.lines().find_map(|line| line.strip_prefix("rule: ")).map_or(format!("{number}"), str::to_owned);
        sources.push(SourceFile::new(format!("{name}.yaml"), text.as_bytes().to_vec()));
    }
    match compile(&sources) {
        Ok(compiled) => Ok(compiled.rule_set),
        Err(found) => Err(RulesRefused { text: render_text(&found, &sources), errors: Vec::new() }),
    }
}

fn fixed(rules: &RuleSet) -> LoadRules {
    let rules = rules.clone();
    Arc::new(move |_| Ok(rules.clone()))
}

/// So small that the state is written again several times within a test.
fn settings() -> ServiceSettings {
    ServiceSettings { journal_bytes_min: 20_000, batch_max: 512, ..ServiceSettings::default() }
}

fn start(folder: &Path, rules: RuleSet, load: LoadRules) -> Service {
    let store = Store::open(folder, CACHE).expect("a store");
    let observer = Box::new(Unobserved);
    Service::start(store, (rules, load), Geo::new(None, None), settings(), (now(), observer)).expect("a service")
}

fn start_shipped(folder: &Path) -> Service {
    let rules = shipped();
    let load = fixed(&rules);
    start(folder, rules, load)
}

/// Somebody goes back.
fn rolling_back() -> Asked {
    Asked::by(Cause::Rollback, "somebody")
}

fn now() -> Time {
    Time::parse_rfc3339("2026-06-01T00:00:00Z").expect("a time")
}

pub(crate) fn simulated(operations: u64, seed: u64) -> Vec<Vec<u8>> {
    let start = Time::parse_rfc3339("2026-03-02T00:00:00+05:00").expect("a time");
    let parameters = Parameters { wallets: 50, operations, seed, start, days: Some(5), fraud_per_mille: 200 };
    let mut simulation = Simulation::new(parameters).expect("sound parameters");
    let mut lines = Vec::new();
    while simulation.next_into(&mut lines) {}
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Decides without a store, in one go.
fn replayed(records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut pipeline = app::pipeline(shipped(), Geo::new(None, None));
    let records: Vec<_> = records.iter().map(|bytes| Record { bytes, arrived_at: None }).collect();
    let committed = pipeline.process(&records).expect("a store in memory takes every change");
    let line = |answer: &Answer| match answer {
        Answer::Decided(decision) => {
            let mut line = Vec::new();
            decision.encode(&mut line);
            Some(line)
        }
        Answer::Duplicate { .. } | Answer::Rejected(_) => None,
    };
    committed.answers.iter().filter_map(line).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn submit(service: &Service, records: &[Vec<u8>]) -> Vec<ItemAnswer> {
    runtime().block_on(service.submit(records.to_vec(), now())).expect("an answer").items
}

fn decisions(service: &Service) -> Vec<Vec<u8>> {
    let stored = service.decisions(0, usize::MAX, usize::MAX).expect("decisions");
    let seqs: Vec<u64> = stored.iter().map(|(seq, _)| *seq).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "the sequence has a gap");
    stored.into_iter().map(|(_, decision)| decision).collect()
}

#[test]
fn decisions_are_those_of_a_replay_whatever_the_batches_and_restarts() {
    let records = simulated(6_000, 7);
    let folder = tempfile::tempdir().expect("a folder");
    for (number, part) in records.chunks(1_111).enumerate() {
        let service = start_shipped(folder.path());
        for batch in part.chunks(1 + number * 97) {
            submit(&service, batch);
        }
        service.stop();
    }
    let service = start_shipped(folder.path());
    let found = decisions(&service);
    let expected = replayed(&records);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    }
    // The state was written again, and old journals went.
    let stats = service.store().expect("a store").stats().expect("stats");
    let entries = |name: &str| stats.iter().find(|table| table.name == name).map_or(0, |table| table.entries);
    assert_eq!(entries("wallets"), 256);
    assert!(entries("journals") < entries("decisions"), "{stats:?}");
    let verified = service.store().expect("a store").verify().expect("a store that can be read");
    assert_eq!((verified.decisions, verified.operations, verified.faults), (6_000, 6_000, Vec::new()));
}

#[test]
fn a_duplicate_gets_its_first_decision_also_after_a_restart() {
    let records: Vec<_> = (1..=50).map(|number| transfer(number, &format!("10:{number:02}:00"))).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let service = start_shipped(folder.path());
    let first = submit(&service, &records);
    service.stop();
    let service = start_shipped(folder.path());
    let again = submit(&service, &records);
    for (first, again) in first.iter().zip(&again) {
        let ItemAnswer::Decided(seq) = first else { panic!("{first:?}") };
        assert_eq!(again, &ItemAnswer::Duplicate(*seq));
    }
    assert_eq!(decisions(&service).len(), 50);
}

#[test]
fn counts_of_matches_survive_a_restart() {
    let records = simulated(3_000, 11);
    let folder = tempfile::tempdir().expect("a folder");
    let service = start_shipped(folder.path());
    submit(&service, &records[..2_000]);
    let before = service.with_rule_stats(Clone::clone);
    // The file as a killed process would leave it.
    let killed = tempfile::tempdir().expect("a folder");
    std::fs::copy(folder.path().join(FILE), killed.path().join(FILE)).expect("a copy");
    let service = start_shipped(killed.path());
    assert_eq!(service.with_rule_stats(Clone::clone), before);
    submit(&service, &records[2_000..]);
    assert_eq!(service.with_rule_stats(|stats| (stats.seq, stats.decisions)), (3_000, 3_000));
    assert!(service.with_rule_stats(|stats| stats.rules.values().any(|hits| hits.hits > 0)));
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = Store::open(folder.path(), CACHE).expect("a store");
    let second = Store::open(folder.path(), CACHE);
    assert!(matches!(second, Err(StoreError::InUse { .. })), "{second:?}");
}

fn transfer(number: usize, at: &str) -> Vec<u8> {
    format!(
        r#"{{"op_id":"t{number}","type":"transfer","occurred_at":"2026-03-02T{at}Z","wallet_id":"w1","client_status":"identified","amount":"{}.00","counterparty":{{"kind":"client","wallet_id":"w2"}}}}"#,
        100 + number
    )
    .into_bytes()
}

const BURST: &str = r#"
rule: burst
clauses: ["7.15"]
title: {kk: "көп", ru: "много", en: "burst"}
owner: tests
mode: enforce
on: transfer
when: count(transfer by wallet within 1h) > 2
then:
  - hold
"#;

/// Its window is not one that the log of operations fills.
const CALM_BURST: &str = r#"
rule: burst
clauses: ["7.15"]
title: {kk: "көп", ru: "много", en: "burst"}
owner: tests
mode: enforce
on: transfer
on_missing: skip
when: last(transfer.amount by wallet within 1h) > 0 KZT
then:
  - hold
"#;

/// Fires on every debit and shows what its windows hold.
const SHOWING: &str = r#"
rule: showing
clauses: ["7.15"]
title: {kk: "көрсету", ru: "показ", en: "showing"}
owner: tests
mode: shadow
on: [transfer, payment, cash_out]
when: |
  count(payment where amount > 1_000 KZT by wallet within 3h) >= 0
  and sum(debit.amount by wallet today) >= 0 KZT
  and distinct(transfer.counterparty.wallet_id by wallet within 30h) >= 0
  and count(transfer into wallet within 7h) >= 0
  and count(login by wallet, ip within 2d) >= 0
then:
  - monitor
"#;

fn modes(service: &Service, seq: u64) -> Vec<(String, String)> {
    let bytes = service.store().expect("a store").item(Stream::Decisions, seq).expect("a store").expect("a decision");
    let decision: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let matched = decision["matches"].as_array().expect("matches");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    matched.iter().map(|found| (text(&found["rule"]), text(&found["mode"]))).collect()
}

#[test]
fn a_window_added_by_a_reload_only_watches_until_it_has_been_fed_for_its_length() {
    let folder = tempfile::tempdir().expect("a folder");
    let next: Arc<Mutex<Vec<&str>>> = Arc::new(Mutex::new(vec![CALM_BURST]));
    let load: LoadRules = {
        let next = Arc::clone(&next);
        Arc::new(move |_| with_rules(&next.lock().expect("no panic")))
    };
    let service = start(folder.path(), shipped(), Arc::clone(&load));
    let before = service.rules().plan.ruleset.clone();
    submit(&service, &[transfer(1, "10:00:00"), transfer(2, "10:01:00")]);
    let loaded = service.reload(Vanishing::Refused, now()).expect("a service that runs").expect("rules that are right");
    assert_ne!(loaded.hash, *before);
    let warming = |service: &Service| {
        let plan = service.rules().plan;
        let index = plan.rules.rules.iter().position(|rule| &*rule.id == "burst").expect("the new rule");
        plan.warming_until(index).map(|until| until.to_string())
    };
    assert_eq!(warming(&service).as_deref(), Some("2026-03-02T11:01:00Z"));
    // Its window is empty at first: the two before it do not count.
    submit(&service, &[transfer(3, "10:02:00"), transfer(4, "10:03:00"), transfer(5, "10:04:00")]);
    assert_eq!(modes(&service, 3), []);
    assert_eq!(modes(&service, 4), [("burst".to_owned(), "shadow".to_owned())]);
    // It goes on warming over a restart, and then acts.
    service.stop();
    let service = start(folder.path(), with_rules(&[CALM_BURST]).expect("rules"), load);
    assert_eq!(warming(&service).as_deref(), Some("2026-03-02T11:01:00Z"));
    submit(&service, &[transfer(6, "11:00:59.999"), transfer(7, "11:01:00")]);
    assert_eq!(modes(&service, 6), [("burst".to_owned(), "shadow".to_owned())]);
    assert_eq!(modes(&service, 7), [("burst".to_owned(), "enforce".to_owned())]);
}

#[test]
fn rules_that_are_wrong_leave_the_old_ones_in_use_and_a_rollback_goes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let next: Arc<Mutex<Vec<&str>>> = Arc::new(Mutex::new(vec!["rule: broken\n"]));
    let load: LoadRules = {
        let next = Arc::clone(&next);
        Arc::new(move |_| with_rules(&next.lock().expect("no panic")))
    };
    let service = start(folder.path(), shipped(), load);
    let before = service.rules().plan.ruleset.clone();
    let refused = service.reload(Vanishing::Refused, now()).expect("a service that runs").expect_err("broken rules");
    assert!(refused.text.contains("broken.yaml"), "{}", refused.text);
    assert_eq!(service.rules().plan.ruleset, before);
    assert!(service.rules().refused.is_some());
    assert!(
        service.rollback(now(), rolling_back()).expect("a service that runs").is_none(),
        "there is nothing to go back to"
    );

    *next.lock().expect("no panic") = vec![BURST];
    let loaded = service.reload(Vanishing::Refused, now()).expect("a service that runs").expect("rules that are right");
    assert!(service.rules().refused.is_none());
    assert_eq!(*service.rules().plan.ruleset, *loaded.hash);
    let back = service.rollback(now(), rolling_back()).expect("a service that runs").expect("the set before");
    assert_eq!(back.hash, *before);
}

#[test]
fn windows_that_stay_keep_what_they_hold_over_a_reload() {
    let folder = tempfile::tempdir().expect("a folder");
    let load: LoadRules = Arc::new(|_| with_rules(&[BURST]));
    let service = start(folder.path(), shipped(), load);
    // Ten equal transfers, a reload, and the eleventh.
    let equal = |number: usize| {
        let at = format!("10:{number:02}:00");
        String::from_utf8(transfer(number, &at)).expect("text").replace(&format!("{}.00", 100 + number), "7.00")
    };
    let records: Vec<Vec<u8>> = (1..=10).map(|number| equal(number).into_bytes()).collect();
    submit(&service, &records);
    service.reload(Vanishing::Refused, now()).expect("a service that runs").expect("rules that are right");
    submit(&service, &[equal(11).into_bytes()]);
    let names: Vec<String> = modes(&service, 11).into_iter().map(|(rule, _)| rule).collect();
    assert!(names.contains(&"equal-transfers-in-hour".to_owned()), "{names:?}");
}

#[test]
fn a_window_added_by_a_reload_is_filled_from_the_log_of_operations() {
    let records = simulated(6_000, 13);
    let always = tempfile::tempdir().expect("a folder");
    let rules = with_rules(&[SHOWING]).unwrap_or_else(|refused| panic!("{}", refused.text));
    let service = start(always.path(), rules.clone(), fixed(&rules));
    submit(&service, &records);
    let expected = decisions(&service);

    for before in [1, 700, 3_000, 5_900] {
        let folder = tempfile::tempdir().expect("a folder");
        let service = start(folder.path(), shipped(), Arc::new(|_| with_rules(&[SHOWING])));
        submit(&service, &records[..before]);
        service.reload(Vanishing::Refused, now()).expect("a service that runs").expect("rules that are right");
        submit(&service, &records[before..before + 50]);
        // As a killed process would leave it: what was filled in must be in the store.
        let killed = tempfile::tempdir().expect("a folder");
        std::fs::copy(folder.path().join(FILE), killed.path().join(FILE)).expect("a copy");
        let service = start(killed.path(), rules.clone(), fixed(&rules));
        submit(&service, &records[before + 50..]);
        let found = decisions(&service);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected).skip(before) {
            assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(expected), "switched after {before}");
        }
    }
}

#[test]
fn a_backup_of_a_running_service_is_a_store_of_one_moment() {
    let records = simulated(2_000, 5);
    let folder = tempfile::tempdir().expect("a folder");
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let service = start_shipped(&data);
    submit(&service, &records[..1_000]);
    service.store().expect("a store").backup(&copy).expect("a backup");
    submit(&service, &records[1_000..]);
    assert!(service.store().expect("a store").backup(&copy).is_err(), "a backup overwrites nothing");
    service.stop();
    let restored = start_shipped(&copy);
    assert_eq!(decisions(&restored), replayed(&records[..1_000]));
    submit(&restored, &records[1_000..]);
    assert_eq!(decisions(&restored), replayed(&records));
}

#[test]
fn refused_records_are_kept_with_their_offsets() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = start_shipped(folder.path());
    let answers = submit(&service, &[b"{".to_vec(), transfer(1, "10:00:00"), b"\xff".to_vec()]);
    assert!(matches!(answers[..], [ItemAnswer::Rejected(_), ItemAnswer::Decided(1), ItemAnswer::Rejected(_)]));
    let kept = service.store().expect("a store").read(Stream::Rejected, 0, 10, usize::MAX).expect("a store");
    let kept: Vec<serde_json::Value> =
        kept.iter().map(|(_, line)| serde_json::from_slice(line).expect("JSON")).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!((kept[0]["offset"].as_u64(), kept[1]["offset"].as_u64()), (Some(0), Some(1)));
    assert_eq!(kept[1]["raw"], "/w==");
}

/// A folder that is moved away for a second must not let everything pass meanwhile.
#[test]
fn a_reload_that_would_lose_all_rules_or_all_values_of_a_list_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let loads = Arc::new(Mutex::new(shipped()));
    let load: LoadRules = {
        let loads = Arc::clone(&loads);
        Arc::new(move |_| Ok(loads.lock().expect("no panic").clone()))
    };
    let service = start(folder.path(), shipped(), load);
    let in_use = service.rules().plan.ruleset.clone();
    let reload = |vanishing| service.reload(vanishing, now()).expect("a service that runs");

    let none = compile(&[]).expect("no rule is no error of a file").rule_set;
    *loads.lock().expect("no panic") = none.clone();
    let refused = reload(Vanishing::Refused).expect_err("all rules are gone");
    assert!(refused.text.starts_with("there is no rule"), "{}", refused.text);
    assert_eq!(service.rules().plan.ruleset, in_use);

    let mut emptied = shipped();
    let list = emptied.lists.iter_mut().find(|list| list.name == "antifraud_phones").expect("a list");
    assert!(!list.values.is_empty(), "the shipped list has samples");
    list.values.clear();
    *loads.lock().expect("no panic") = emptied;
    let refused = reload(Vanishing::Refused).expect_err("all values are gone");
    assert!(refused.text.starts_with("all values of `antifraud_phones` are gone"), "{}", refused.text);
    assert_eq!(service.rules().plan.ruleset, in_use);
    reload(Vanishing::Allowed).expect("it was asked for");

    *loads.lock().expect("no panic") = none;
    reload(Vanishing::Allowed).expect("it was asked for");
    assert!(service.rules().plan.rules.rules.is_empty());
    service.stop();
}

/// A file that was emptied is damage, never a new store; one that is gone is not made anew behind an open store.
#[test]
fn an_emptied_store_is_damage_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FILE);
    std::fs::write(&path, b"").expect("a file");
    let refused = Store::open(folder.path(), CACHE).expect_err("no store");
    assert!(matches!(refused, StoreError::Emptied { .. }), "{refused}");
    assert_eq!(std::fs::metadata(&path).expect("the file").len(), 0);
    for command in ["stats", "verify", "compact"] {
        let output = crate::command::kuzet().args(["store", command, "--store"]).arg(folder.path()).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("the file is empty"), "{output:?}");
    }
    let elsewhere = folder.path().join("elsewhere");
    let mut restore = crate::command::kuzet();
    restore.args(["store", "restore", "--from"]).arg(folder.path()).arg("--store").arg(&elsewhere);
    let output = restore.output().expect("it runs");
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(!elsewhere.join(FILE).exists());
    assert_eq!(std::fs::metadata(&path).expect("the file").len(), 0);

    std::fs::remove_file(&path).expect("gone");
    let store = Store::open(folder.path(), CACHE).expect("where no file is, a store is made");
    std::fs::remove_file(&path).expect("gone");
    store.close();
    assert!(store.reopen().is_err());
    assert!(!path.exists(), "a store that is gone is not made anew");
}

/// What the book of restrictions shows, whole.
fn book(service: &Service) -> Vec<String> {
    // Whoever is answered finds the figures of what is durable.
    drop(runtime().block_on(service.wallet("nobody")));
    let newest = service.figures().newest;
    service.with_book(|book| {
        let mut shown: Vec<String> = book.active(newest).map(|entry| format!("{entry:?}")).collect();
        shown.push(format!("oldest: {:?}", book.oldest_waiting()));
        shown
    })
}

#[test]
fn the_book_of_restrictions_follows_every_decision() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = simulated(4_000, 11);
    let (mut after_each, mut shown) = (0, 0);
    for part in records.chunks(800) {
        let service = start_shipped(folder.path());
        // One by one, in small and in larger batches: a batch may hold an operation and what settles it.
        for size in [1, 3, 40] {
            part[after_each % 3..].chunks(size).take(120).for_each(|batch| drop(submit(&service, batch)));
            after_each += 1;
        }
        let followed = book(&service);
        service.stop();
        drop(service);
        let service = start_shipped(folder.path());
        assert_eq!(followed, book(&service), "a start makes the book anew");
        shown += followed.len();
        service.stop();
    }
    assert!(shown > 50, "{shown}");
}

/// `transfer` with another owner, or another limit.
fn limit_rule(owner: &str, limit: &str) -> String {
    let head =
        "rule: own-limit\nclauses: [\"7.15\"]\ntitle: {kk: сынақ, ru: проба, en: test}\nmode: shadow\non: transfer\n";
    format!("{head}owner: {owner}\nwhen: amount >= {limit} KZT\nthen:\n  - monitor\n")
}

#[test]
fn a_decision_is_explained_by_the_rules_that_made_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let next = Arc::new(Mutex::new(String::new()));
    let load: LoadRules = {
        let next = Arc::clone(&next);
        Arc::new(move |_| with_rules(&[&next.lock().expect("a text")]))
    };
    let service = start(folder.path(), with_rules(&[&limit_rule("risk", "1_000")]).expect("rules"), load.clone());
    let large = |number: usize| {
        let mut operation: serde_json::Value = serde_json::from_slice(&transfer(number, "10:00:00")).expect("JSON");
        operation["amount"] = "150000.00".into();
        operation.to_string().into_bytes()
    };
    submit(&service, &[large(1)]);
    let why = |service: &Service| {
        let decision = service.store().expect("a store").item(Stream::Decisions, 1).expect("read").expect("there");
        let hash = explain::ruleset_of(&decision).expect("a hash");
        let then = rule_history::read(service.store().expect("a store"), &hash).expect("read");
        let why = explain::explain(&service.rules().plan.rules, then.as_ref(), &decision);
        let told = |one: &serde_json::Value| {
            let first = one["conditions"][0]["text"].as_str().expect("a condition");
            format!("{} {first} {}", one["rule"].as_str().expect("a rule"), one["is_current"])
        };
        why.iter().map(told).filter(|told| told.contains("limit") || told.contains("100k")).collect::<Vec<_>>()
    };
    let reload = |service: &Service, text: String| {
        *next.lock().expect("a text") = text;
        service.reload(Vanishing::Refused, now()).expect("a service that runs").expect("rules that are right");
    };
    let (own, shipped) = ("own-limit amount >= 1_000 KZT", "transfer-over-100k amount > 100_000 KZT true");
    assert_eq!(why(&service), [format!("{own} true"), shipped.to_owned()]);
    // Another rule's owner: the shipped one is the same, and the text that matched is still there.
    reload(&service, limit_rule("support", "1_000"));
    assert_eq!(why(&service), [format!("{own} false"), shipped.to_owned()]);
    reload(&service, limit_rule("risk", "2_000"));
    assert_eq!(why(&service), [format!("{own} false"), shipped.to_owned()]);
    service.stop();
    // Also after a restart, and where the rule is gone.
    let service = start(folder.path(), self::shipped(), load);
    assert_eq!(why(&service), [format!("{own} false"), shipped.to_owned()]);
    service.stop();
}
