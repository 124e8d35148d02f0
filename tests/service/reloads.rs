//! Reloads that fill windows from the log of operations, while operations are decided.

#![expect(clippy::print_stdout, reason = "times belong in the test's output")]

use std::time::{Duration, Instant};

use super::*;

/// A rule that fires on every transfer, payment and cash-out, and shows what its windows hold.
fn text() -> String {
    // The simulator's operations with money have no address.
    SHOWING.replace("  and count(login by wallet, ip within 2d) >= 0\n", "")
}

fn showing() -> RuleSet {
    with_rules(&[&text()]).unwrap_or_else(|refused| panic!("{}", refused.text))
}

fn reload(service: &Service) -> std::thread::JoinHandle<bool> {
    let service = service.clone();
    std::thread::spawn(move || service.reload(Vanishing::Refused, now()).is_ok_and(|loaded| loaded.is_ok()))
}

/// Whatever is decided meanwhile is decided by the old rules, and what it brings is in the new windows as if the
/// service had stood still: from the switch on every decision is that of a service that always had these rules.
#[test]
fn what_is_decided_while_windows_are_filled_is_in_them() {
    const BEFORE: usize = 16_000;
    let records = simulated(BEFORE as u64 + 8_000, 17);
    let always = tempfile::tempdir().expect("a folder");
    let service = start(always.path(), showing(), fixed(&showing()));
    records.chunks(1_000).for_each(|batch| drop(submit(&service, batch)));
    let by_new = decisions(&service);
    let by_old = replayed(&records);

    let folder = tempfile::tempdir().expect("a folder");
    let service = start(folder.path(), shipped(), Arc::new(|_| with_rules(&[&text()])));
    records[..BEFORE].chunks(1_000).for_each(|batch| drop(submit(&service, batch)));
    let reloading = reload(&service);
    let (mut sent, mut longest) = (BEFORE, Duration::ZERO);
    let began = Instant::now();
    while !reloading.is_finished() && sent < records.len() - 1_000 {
        let asked = Instant::now();
        submit(&service, &records[sent..sent + 5]);
        longest = longest.max(asked.elapsed());
        sent += 5;
    }
    assert!(reloading.join().expect("no panic"), "a reload that succeeds");
    println!("{} decided in {:?}; the longest wait was {longest:?}", sent - BEFORE, began.elapsed());
    // As a killed process would leave it: what was filled in must be in the store.
    let killed = tempfile::tempdir().expect("a folder");
    std::fs::copy(folder.path().join(FILE), killed.path().join(FILE)).expect("a copy");
    let service = start(killed.path(), showing(), fixed(&showing()));
    let plan = service.rules().plan;
    assert!((0..plan.rules.rules.len()).all(|rule| plan.warming_until(rule).is_none()), "every window is full");
    records[sent..].chunks(1_000).for_each(|batch| drop(submit(&service, batch)));

    let found = decisions(&service);
    let hash = format!("\"ruleset\":\"{}\"", plan.ruleset);
    let is_new = |decision: &Vec<u8>| String::from_utf8_lossy(decision).contains(&hash);
    let switched = found.iter().position(is_new).expect("the new rules decide");
    assert!(switched > BEFORE, "nothing was decided meanwhile");
    for (number, decision) in found.iter().enumerate() {
        let expected = if number < switched { &by_old[number] } else { &by_new[number] };
        assert_eq!(String::from_utf8_lossy(decision), String::from_utf8_lossy(expected), "switched after {switched}");
    }
    assert!(String::from_utf8_lossy(&found.concat()).contains("\"rule\":\"showing\""), "it never fired");

    service.stop();
    let store = Store::open(killed.path(), CACHE).expect("a store");
    let last = reproduction::id_of(&store, found.len() as u64);
    let again = reproduction::again(&store, last, None).expect("everything is there");
    assert_eq!((again.is_equal(), again.from, again.rule_sets, again.first_other), (true, 1, 2, None));
}

#[test]
fn a_service_that_is_stopped_does_not_wait_for_a_reload() {
    let records = simulated(12_000, 19);
    let folder = tempfile::tempdir().expect("a folder");
    let service = start(folder.path(), shipped(), Arc::new(|_| with_rules(&[&text()])));
    records.chunks(1_000).for_each(|batch| drop(submit(&service, batch)));
    let reloading = reload(&service);
    service.stop();
    // It was over already, or it is told that it will not be.
    reloading.join().expect("no panic");
    let service = start_shipped(folder.path());
    assert_eq!(decisions(&service).len(), records.len());
}

#[test]
fn two_reloads_at_once_come_one_after_the_other() {
    let records = simulated(4_000, 23);
    let folder = tempfile::tempdir().expect("a folder");
    let number = Arc::new(Mutex::new(0));
    let load: LoadRules = Arc::new(move |_| {
        let mut number = number.lock().expect("no panic");
        *number += 1;
        with_rules(&[&text().replace("within 30h", &format!("within {number}h"))])
    });
    let service = start(folder.path(), shipped(), load);
    records.chunks(1_000).for_each(|batch| drop(submit(&service, batch)));
    let reloads: Vec<_> = (0..3).map(|_| reload(&service)).collect();
    assert!(reloads.into_iter().all(|reload| reload.join().expect("no panic")));
    let plan = service.rules().plan;
    assert!((0..plan.rules.rules.len()).all(|rule| plan.warming_until(rule).is_none()));
}
