//! Rules that are removed by a reload and brought back soon: their windows hold what they held, and what came meanwhile.

use super::*;
use kuzet::operation::time::{DAY, Nanos};

/// Over matches, which enforced rules see without the shadow ones.
const AGAIN: &str = r#"
rule: again
clauses: ["7.15"]
title: {kk: "қайта", ru: "снова", en: "again"}
owner: tests
mode: enforce
on: transfer
on_missing: skip
when: count(match where rule = "burst" by wallet within 6h) >= 2
then:
  - hold
"#;

type Next = Arc<Mutex<Vec<&'static str>>>;

/// A service whose next reload finds these rules beside the shipped ones.
fn service_with(folder: &Path, rules: &[&'static str]) -> (Service, Next) {
    let next: Next = Arc::new(Mutex::new(rules.to_vec()));
    let given = Arc::clone(&next);
    let load: LoadRules = Arc::new(move |_| with_rules(&given.lock().expect("no panic")));
    (start(folder, with_rules(rules).expect("rules"), load), next)
}

fn reload(service: &Service, next: &Next, rules: &[&'static str], at: Time) {
    *next.lock().expect("no panic") = rules.to_vec();
    service.reload(Vanishing::Refused, at).expect("a service that runs").expect("rules that are right");
}

/// The rules that only watch, for their windows are not full.
fn warming(service: &Service) -> Vec<String> {
    let plan = service.rules().plan;
    let rules = plan.rules.rules.iter().enumerate().filter(|(index, _)| plan.warming_until(*index).is_some());
    rules.map(|(_, rule)| rule.id.to_string()).collect()
}

/// Which of the two rules fired, and how.
fn fired(service: &Service, seq: u64) -> Vec<String> {
    let of_both = modes(service, seq).into_iter().filter(|(rule, _)| rule == "again" || rule == "burst");
    of_both.map(|(rule, mode)| format!("{rule} {mode}")).collect()
}

const BOTH: [&str; 2] = ["again enforce", "burst enforce"];

#[test]
fn a_rule_that_comes_back_soon_finds_its_windows_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, next) = service_with(folder.path(), &[CALM_BURST, AGAIN]);
    let hash = service.rules().plan.ruleset.clone();
    submit(&service, &[transfer(1, "10:00:00"), transfer(2, "10:01:00"), transfer(3, "10:02:00")]);
    assert_eq!(fired(&service, 3), BOTH);

    reload(&service, &next, &[], now());
    assert_eq!(warming(&service), [""; 0]);
    submit(&service, &[transfer(4, "10:59:00")]);
    assert_eq!(fired(&service, 4), [""; 0]);
    // Another reload without it changes nothing, nor does a restart of the worker's own bookkeeping.
    reload(&service, &next, &[BURST], now());
    reload(&service, &next, &[CALM_BURST, AGAIN], now());
    assert_eq!((warming(&service), service.rules().plan.ruleset.clone()), (Vec::new(), hash));
    // The first three are out of the hour; the one that came meanwhile is in it. Both matches are remembered.
    submit(&service, &[transfer(5, "11:30:00")]);
    assert_eq!(fired(&service, 5), BOTH);

    // The same by a rollback.
    reload(&service, &next, &[], now());
    service.rollback(now(), rolling_back()).expect("a service that runs").expect("the set before");
    assert_eq!(warming(&service), [""; 0]);
    submit(&service, &[transfer(6, "11:31:00")]);
    assert_eq!(fired(&service, 6), BOTH);
}

#[test]
fn windows_of_a_removed_rule_are_whole_after_a_restart_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, next) = service_with(folder.path(), &[CALM_BURST, AGAIN]);
    submit(&service, &[transfer(1, "10:00:00"), transfer(2, "10:01:00"), transfer(3, "10:02:00")]);
    reload(&service, &next, &[], now());
    submit(&service, &[transfer(4, "10:59:00")]);
    service.stop();
    let (service, _) = service_with(folder.path(), &[CALM_BURST, AGAIN]);
    assert_eq!(warming(&service), [""; 0]);
    submit(&service, &[transfer(5, "11:30:00")]);
    assert_eq!(fired(&service, 5), BOTH);
}

#[test]
fn windows_are_kept_for_a_day_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, next) = service_with(folder.path(), &[CALM_BURST, AGAIN]);
    submit(&service, &[transfer(1, "10:00:00"), transfer(2, "10:01:00")]);
    let windows = |service: &Service| service.rules().plan.aggregates.len();
    let all = windows(&service);
    reload(&service, &next, &[], now());
    assert_eq!(windows(&service), all);
    service.forget_windows(now().plus(DAY - Nanos::ONE)).expect("a service that runs");
    assert_eq!(windows(&service), all);
    service.forget_windows(now().plus(DAY)).expect("a service that runs");
    assert!(windows(&service) < all);
    reload(&service, &next, &[CALM_BURST, AGAIN], now().plus(DAY));
    assert_eq!(warming(&service), ["again", "burst"]);
}
