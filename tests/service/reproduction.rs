//! Decisions of the past made again: the same bytes, whatever rules came in between, or what is missing.

use kuzet::operation::decision::read::DecisionRecord;
use kuzet::service::reproduction::why::{Hindsight, why};
use kuzet::service::reproduction::{Means, Missing, Reproduced, reproduce, reproduce_found};
use uuid::Uuid;

use super::*;

pub(super) fn again(store: &Store, id: Uuid, present: Option<RuleSet>) -> Result<Reproduced, Missing> {
    let means = Means { settings: settings(), geo: Arc::new(Geo::new(None, None)), present };
    reproduce(store, id, means).expect("a store that can be read")
}

pub(super) fn id_of(store: &Store, seq: u64) -> Uuid {
    let decision = store.item(Stream::Decisions, seq).expect("a store").expect("a decision");
    DecisionRecord::decode(&decision).expect("a decision").decision_id
}

#[test]
fn decisions_by_several_rule_sets_come_out_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let next = Arc::new(Mutex::new(shipped()));
    let load: LoadRules = {
        let next = Arc::clone(&next);
        Arc::new(move |_| Ok(next.lock().expect("a set").clone()))
    };
    let service = start(folder.path(), shipped(), load);
    let records = simulated(3_000, 31);
    let burst = with_rules(&[BURST]).expect("rules");
    for (part, rules) in records.chunks(1_000).zip([shipped(), burst, shipped()]) {
        *next.lock().expect("a set") = rules;
        service.reload(Vanishing::Refused, now()).expect("a switch").expect("rules");
        part.chunks(77).for_each(|batch| drop(submit(&service, batch)));
    }
    service.stop();
    let store = Store::open(folder.path(), CACHE).expect("a store");
    let last = store.position().expect("a position").seq;
    for (seq, rule_sets) in [(1, 1), (999, 1), (1_500, 2), (last, 3)] {
        let found = again(&store, id_of(&store, seq), None).expect("everything is there");
        assert_eq!(String::from_utf8_lossy(&found.now), String::from_utf8_lossy(&found.then));
        assert!(found.is_equal());
        assert_eq!((found.seq, found.from, found.rule_sets, found.first_other), (seq, 1, rule_sets, None));
    }
    let nobody = Uuid::nil();
    assert_eq!(again(&store, nobody, None), Err(Missing::Decision { first: 1, last }));
    let decision = store.item(Stream::Decisions, last).expect("a store").expect("a decision");
    let of_few = |at_most| {
        let means = Means { settings: settings(), geo: Arc::new(Geo::new(None, None)), present: None };
        reproduce_found(&store, (last, decision.clone()), means, at_most).expect("a store that can be read")
    };
    assert_eq!(of_few(last - 2), Err(Missing::TooMany { before: last - 1, at_most: last - 2 }));
    assert!(of_few(last - 1).is_ok_and(|found| found.is_equal()));
}

/// What nearly fired is told of the state of then, which is made again of a part of the log, whatever rules came in
/// between.
#[test]
fn the_state_of_then_is_made_again_of_a_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let next = Arc::new(Mutex::new(shipped()));
    let load: LoadRules = {
        let next = Arc::clone(&next);
        Arc::new(move |_| Ok(next.lock().expect("a set").clone()))
    };
    let service = start(folder.path(), shipped(), load);
    let burst = with_rules(&[BURST]).expect("rules");
    for (part, rules) in simulated(2_100, 32).chunks(700).zip([shipped(), burst, shipped()]) {
        *next.lock().expect("a set") = rules;
        service.reload(Vanishing::Refused, now()).expect("a switch").expect("rules");
        part.chunks(77).for_each(|batch| drop(submit(&service, batch)));
    }
    service.stop();
    let store = Store::open(folder.path(), CACHE).expect("a store");
    let means = Means { settings: settings(), geo: Arc::new(Geo::new(None, None)), present: None };
    let mut in_part = 0;
    for seq in (1..=2_100).step_by(52) {
        match why(&store, seq, &means).expect("a store") {
            Some(Hindsight::Known { examination, basis }) => {
                assert!(basis.is_exact && basis.missing == 0, "{seq}: {basis:?}");
                in_part += u64::from(!basis.is_whole);
                let mut now = Vec::new();
                examination.decision.encode(&mut now);
                let then = store.item(Stream::Decisions, seq).expect("a store").expect("a decision");
                assert_eq!(String::from_utf8_lossy(&now), String::from_utf8_lossy(&then));
            }
            other => panic!("{seq}: {other:?}"),
        }
    }
    assert!(in_part > 35, "{in_part} of 41 without deciding all of the log");
    assert!(why(&store, 2_101, &means).expect("a store").is_none());
}

/// A store of an earlier version: it notes no lists, or nothing; the rules of today stand in where they are the same.
#[test]
fn a_rule_set_that_is_not_kept_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-v1/kuzet.redb.zst");
    let unpacked = zstd::decode_all(&std::fs::read(packed).expect("the fixture")[..]).expect("zstd");
    std::fs::write(folder.path().join(FILE), unpacked).expect("a file");
    let store = Store::open(folder.path(), CACHE).expect("a store");
    let missing = again(&store, id_of(&store, 20), Some(shipped())).expect_err("nobody knows the rules");
    assert!(matches!(&missing, Missing::RuleSet { seq: 1, .. }), "{missing:?}");
}

/// Lists are part of what decided: their values are kept with the rules.
#[test]
fn lists_are_kept_with_the_rules_that_read_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = start_shipped(folder.path());
    submit(&service, &[transfer(1, "10:00:00")]);
    service.stop();
    let store = Store::open(folder.path(), CACHE).expect("a store");
    let found = rule_history::rule_set(&store, &shipped().hash).expect("a store").expect("the rules");
    assert_eq!((&found.lists, &found.mrp), (&shipped().lists, &shipped().mrp));
    assert!(rule_history::rule_set(&store, "nothing").expect("a store").is_err());
}
