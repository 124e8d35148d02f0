//! The clock is set back, and forward: arrival stamps decide nothing but how long things are kept.

use kuzet::adapters::store::Store;
use kuzet::operation::Time;
use kuzet::operation::time::{DAY, HOUR};
use kuzet::service::{Retention, ServiceSettings};

use super::disk::{CACHE_BYTES, Disk, Local, NOW, settings};
use super::traffic::{Customer, lines, simulation};
use super::{seed, truth};
use crate::random::Random;

/// Serves batches with these arrivals; returns the disk and the client.
fn serve(arrivals: &[Time], settings: ServiceSettings) -> (Disk, Customer) {
    let (disk, mut supply) = (Disk::default(), simulation(seed(), 20_000));
    let mut customer = Customer::new(seed());
    let store = Store::with_backend(disk.clone(), CACHE_BYTES).expect("a store");
    let local = Local::start(store, settings).expect("it starts");
    for at in arrivals {
        local.serve(&mut customer, lines(&mut supply, 25), *at).expect("decisions");
    }
    local.service.stop();
    (disk, customer)
}

#[test]
fn a_clock_that_runs_backwards_changes_no_decision() {
    let mut random = Random(seed());
    let backwards: Vec<Time> = (0..100).map(|number| NOW.minus(number * HOUR)).collect();
    let jumping: Vec<Time> = (0..100).map(|_| NOW.plus(random.below(80_i64) * DAY)).collect();
    let decisions = [backwards, jumping, vec![NOW; 100]].map(|arrivals| {
        let (disk, customer) = serve(&arrivals, settings());
        let found = truth::check(&Store::with_backend(disk, CACHE_BYTES).expect("a store"));
        truth::check_told(&found, &customer.told);
        assert_eq!(found.len(), 2_500);
        found
    });
    assert!(decisions[0] == decisions[2] && decisions[1] == decisions[2]);
}

/// Some batches arrive "long ago": nothing younger than the retention may go for it.
#[test]
fn a_clock_set_back_drops_nothing_early() {
    let retention = Retention { operations: 30 * DAY, decisions: 60 * DAY, rejected: 30 * DAY };
    let settings = ServiceSettings { retention, ..settings() };
    let mut arrivals = vec![NOW; 40];
    // The simulation's operations must not be later than their arrival.
    for at in [1, 2, 10, 20, 39] {
        arrivals[at] = NOW.minus(200 * DAY);
    }
    let (disk, customer) = serve(&arrivals, settings);
    let found = truth::check(&Store::with_backend(disk, CACHE_BYTES).expect("a store"));
    truth::check_told(&found, &customer.told);
    assert_eq!(found.len(), 1_000);
}

/// What is really old goes, the rest stays.
#[test]
fn what_is_older_than_its_retention_goes() {
    let retention = Retention { operations: 30 * DAY, decisions: 60 * DAY, rejected: 30 * DAY };
    let settings = ServiceSettings { retention, ..settings() };
    let arrivals: Vec<Time> = (0..100).map(|number| NOW.plus(number * DAY)).collect();
    let (disk, _) = serve(&arrivals, settings);
    let store = Store::with_backend(disk, CACHE_BYTES).expect("a store");
    let verified = store.verify().expect("a store that can be read");
    assert_eq!(verified.faults, Vec::<String>::new());
    // The oldest block that is kept may hold what arrived just before the next one did.
    assert_eq!((verified.operations, verified.decisions), (32 * 25, 62 * 25));
}
