//! More devices than may be tracked: those that were there still count, and what is not known is said.

use super::*;

/// Counts the logins of a device, whoever's they are.
const DEVICE: &str = r#"
rule: device
clauses: ["7.15"]
title: {kk: "x", ru: "x", en: "x"}
owner: tests
mode: shadow
on: login
on_missing: skip
when: count(login by device_id within 1h) >= 2
then: [monitor]
"#;

fn rules() -> RuleSet {
    let files = [SourceFile::new("device.yaml".to_owned(), DEVICE.as_bytes().to_vec())];
    compile(&files).unwrap_or_else(|found| panic!("{}", render_text(&found, &files))).rule_set
}

fn started(folder: &Path) -> Service {
    let store = Store::open(folder, CACHE).expect("a store");
    let settings = ServiceSettings { shared_keys_max: 3, ..settings() };
    let loaded = (rules(), fixed(&rules()));
    Service::start(store, loaded, Geo::new(None, None), settings, (now(), Box::new(Unobserved))).expect("a service")
}

/// Logs in from a device; returns whether the rule fired, and whether what it reads was not known.
fn login(service: &Service, number: usize, device: &str, at: &str) -> (bool, bool) {
    let text = format!(
        r#"{{"op_id":"l{number}","type":"login","occurred_at":"2026-03-02T{at}Z","wallet_id":"W{number}","outcome":"success","device_id":"{device}"}}"#
    );
    let [ItemAnswer::Decided(seq)] = submit(service, &[text.into_bytes()])[..] else { panic!("not decided") };
    let bytes = service.store().expect("a store").item(Stream::Decisions, seq).expect("a store").expect("a decision");
    let decision: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let degraded = decision["degraded"].as_array().expect("a list");
    assert!(degraded.is_empty() || *degraded == ["shared_state"], "{decision}");
    (!decision["matches"].as_array().expect("a list").is_empty(), !degraded.is_empty())
}

#[test]
fn a_key_that_found_no_room_is_unknown_and_no_other_is_dropped_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = started(folder.path());
    for (number, device) in (1..).zip(["d1", "d2", "d3"]) {
        assert_eq!(login(&service, number, device, "10:00:00"), (false, false));
    }
    // Nobody was turned away before the fourth, so nothing is missing yet: it is the first of its device.
    assert_eq!(login(&service, 4, "d4", "10:01:00"), (false, false));
    assert_eq!(login(&service, 5, "d4", "10:02:00"), (false, true), "the one before was not kept");
    assert_eq!(login(&service, 6, "d5", "10:02:00"), (false, true), "for all that is known it may have been there");
    // Those with room go on as if nothing had happened.
    assert_eq!(login(&service, 7, "d1", "10:03:00"), (true, false));
    let figures = service.figures();
    assert_eq!((figures.shared_keys, figures.shared_keys_refused), (3, 3));
    service.stop();

    // Which keys lack something is not known after a restart, until their windows lie behind it.
    let service = started(folder.path());
    assert_eq!(login(&service, 8, "d2", "10:04:00"), (false, true));
    assert_eq!(login(&service, 9, "d1", "12:00:00"), (false, false));
    assert_eq!(login(&service, 10, "d1", "12:01:00"), (true, false));
}
