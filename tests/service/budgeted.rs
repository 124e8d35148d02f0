//! Decisions of a rule that exceeds its budget, made again from the operations of one wallet.

use kuzet::service::reproduction::Means;
use kuzet::service::reproduction::why::{Hindsight, why};

use super::*;

const LARGE: &str = r#"rule: large
clauses: ["7.15"]
title: {kk: "көп", ru: "много", en: "large"}
owner: tests
mode: enforce
on: transfer
when: amount > 1_000 KZT and counterparty.kind = client
then:
  - hold
budget: {holds_per_hour: 3, share: 50%, at_least: 4}
"#;

fn operation(number: usize, amount: &str) -> Vec<u8> {
    format!(
        r#"{{"op_id":"t{number}","type":"transfer","occurred_at":"2026-03-02T10:{number:02}:00Z","wallet_id":"w{number}","client_status":"identified","amount":"{amount}","counterparty":{{"kind":"client","wallet_id":"v{number}"}}}}"#
    )
    .into_bytes()
}

fn rearmed(number: usize) -> Vec<u8> {
    format!(
        r#"{{"op_id":"t{number}","type":"rule_rearmed","occurred_at":"2026-03-02T10:{number:02}:00Z","wallet_id":"of-rules","actor":"aigul","source":"support","attributes":{{"rule":"large"}}}}"#
    )
    .into_bytes()
}

fn large() -> RuleSet {
    compile(&[SourceFile::new("large.yaml", LARGE)]).expect("a rule").rule_set
}

/// What the rule did on an operation, as it is told: whether it fired, and whether it acts.
fn told(store: &Store, seq: u64) -> (bool, bool) {
    let means = Means { settings: settings(), geo: Arc::new(Geo::new(None, None)), present: None };
    match why(store, seq, &means).expect("a store") {
        Some(Hindsight::Known { examination, basis }) => {
            assert!(basis.is_exact && !basis.is_whole, "{seq}: {basis:?}");
            assert_eq!(basis.operations, 0, "{seq}: each wallet has one operation");
            let finding = examination.findings.first().expect("it fired, or nearly did");
            (finding.fired, finding.enforced)
        }
        other => panic!("{seq}: {other:?}"),
    }
}

/// What the rule has spent is the sum of all wallets' operations. A part of the log does not tell it, but each decision
/// tells whether the rule acted, and for one on which it nearly fired the last one on which it fired.
#[test]
fn a_rule_over_its_budget_is_explained_from_a_part_of_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = start(folder.path(), large(), fixed(&large()));
    let mut operations = vec![operation(1, "5.00")];
    operations.extend((2..=8).map(|number| operation(number, "2000.00")));
    operations.push(operation(9, "5.00"));
    operations.push(rearmed(10));
    operations.push(operation(11, "2000.00"));
    operations.push(operation(12, "5.00"));
    submit(&service, &operations);
    service.stop();
    let store = Store::open(folder.path(), CACHE).expect("a store");
    // Three of four are more than a half: the rule acted until the fourth operation came.
    let acts = |seq| told(&store, seq).1;
    assert!((1..=4).all(acts));
    assert!((5..=9).all(|seq| !acts(seq)), "in shadow, also where it nearly fired");
    assert_eq!([told(&store, 8), told(&store, 9)], [(true, false), (false, false)]);
    assert_eq!([told(&store, 11), told(&store, 12)], [(true, true), (false, true)], "armed again");
}

/// Where the rules were changed since it exceeded its budget, what was spent may have been forgotten: it is told that the
/// mode of a rule that nearly fired is not known, unless all of the log is decided again.
#[test]
fn a_change_of_the_rules_in_between_leaves_the_mode_to_the_whole_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let without = || {
        let text = LARGE.replace("budget: {", "# budget: {");
        compile(&[SourceFile::new("large.yaml", text)]).expect("a rule").rule_set
    };
    let next = Arc::new(Mutex::new(large()));
    let load: LoadRules = {
        let next = Arc::clone(&next);
        Arc::new(move |_| Ok(next.lock().expect("a set").clone()))
    };
    let service = start(folder.path(), large(), load);
    let at = |minutes: i64| now().plus(minutes * kuzet::operation::time::MINUTE);
    let submit_at = |records: &[Vec<u8>], minutes: i64| {
        runtime().block_on(service.submit(records.to_vec(), at(minutes))).expect("an answer");
    };
    submit_at(&(1..=5).map(|number| operation(number, "2000.00")).collect::<Vec<_>>(), 1);
    for (minutes, rules) in [(2, without()), (4, large())] {
        *next.lock().expect("a set") = rules;
        service.reload(Vanishing::Refused, at(minutes)).expect("a switch").expect("rules");
        submit_at(&[operation(usize::try_from(minutes).expect("small") + 8, "5.00")], minutes + 1);
    }
    service.stop();
    let store = Store::open(folder.path(), CACHE).expect("a store");
    assert_eq!(told(&store, 5), (true, false));
    let means = Means { settings: settings(), geo: Arc::new(Geo::new(None, None)), present: None };
    match why(&store, 7, &means).expect("a store") {
        Some(Hindsight::Known { examination, basis }) => {
            assert!(basis.is_exact && basis.is_whole && basis.operations == 6, "{basis:?}");
            let finding = examination.findings.first().expect("it nearly fired");
            assert!(!finding.fired && finding.enforced, "what was spent is forgotten");
        }
        other => panic!("{other:?}"),
    }
}
