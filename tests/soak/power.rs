//! The power goes while batches are committed.
//!
//! What was written since the last sync is lost in part, in any order and down to single sectors. A batch
//! whose answer was given must be there all the same. The state is written again all the time meanwhile
//! (`disk::settings`), so that cuts fall into that too.

use std::collections::HashMap;

use kuzet::adapters::store::Store;

use super::disk::{CACHE_BYTES, Disk, Local, NOW, settings};
use super::traffic::{Customer, lines, simulation};
use super::{seed, truth};
use crate::environment::number;
use crate::random::Random;

/// Cuts of one disk.
const CUTS_OF_A_DISK: u64 = 10;

#[test]
fn power_cuts() {
    let (cuts, seed) = (number("KUZET_SOAK_CUTS").unwrap_or(100), seed());
    let (mut while_opening, mut unanswered, mut decided, mut rewritten, mut done) = (0, 0, 0, 0, 0);
    let disks = cuts.div_ceil(CUTS_OF_A_DISK);
    for number in 0..disks * 5 {
        // Where the few cuts asked for did not meet everything that a cut may do, there are more.
        if number >= disks && rewritten > 0 && while_opening > 0 && unanswered > 0 {
            break;
        }
        done += CUTS_OF_A_DISK;
        let mut random = Random(seed ^ (number << 32));
        let mut supply = simulation(random.next() >> 8, 50_000);
        let mut customer = Customer::new(random.next());
        let mut disk = Disk::default();
        drop(Store::with_backend(disk.clone(), CACHE_BYTES).expect("a new store"));
        for _ in 0..CUTS_OF_A_DISK {
            let steps = if random.below(5) == 0 { 8 } else { 600 };
            disk.cut_after(1 + random.below(steps));
            let has_served = serve_until_cut(&disk, &mut customer, || lines(&mut supply, 30));
            while_opening += u64::from(!has_served);
            assert!(disk.is_off());
            disk = disk.after_the_cut(&mut random);
            // Opened once without serving: the check must not depend on what the service repairs.
            let found = truth::check(&Store::with_backend(disk.clone(), CACHE_BYTES).expect("a store after a cut"));
            truth::check_told(&found, &customer.told);
            unanswered += u64::from(is_kept(&found, customer.unsettled.last()));
        }
        let local = Local::start(Store::with_backend(disk, CACHE_BYTES).expect("a store"), settings());
        let local = local.expect("it starts");
        for request in std::mem::take(&mut customer.unsettled) {
            local.serve(&mut customer, request, NOW).expect("decisions");
        }
        let wallets = local
            .service
            .store()
            .expect("a store")
            .stats()
            .expect("counts")
            .into_iter()
            .find(|table| table.name == "wallets");
        rewritten += wallets.map_or(0, |table| table.entries);
        let found = truth::check(local.service.store().expect("a store"));
        truth::check_told(&found, &customer.told);
        assert_eq!(found.len(), customer.told.len());
        decided += found.len();
        local.service.stop();
    }
    println!(
        "power_cuts: {done} cuts, KUZET_SOAK_SEED={seed}: {while_opening} while opening, {unanswered} after which \
         the batch in hand was there without having been answered; {decided} decisions, {rewritten} groups of wallets written again"
    );
    assert!(rewritten > 0 && while_opening > 0 && unanswered > 0);
}

/// Serves until the power is gone; tells whether it came so far.
fn serve_until_cut(disk: &Disk, customer: &mut Customer, mut next: impl FnMut() -> Vec<Vec<u8>>) -> bool {
    let Ok(store) = Store::with_backend(disk.clone(), CACHE_BYTES) else { return false };
    let Ok(local) = Local::start(store, settings()) else { return false };
    loop {
        let request = customer.unsettled.pop().unwrap_or_else(&mut next);
        if local.serve(customer, request, NOW).is_err() {
            break;
        }
    }
    local.service.stop();
    true
}

fn is_kept(found: &HashMap<Box<str>, u128>, request: Option<&Vec<Vec<u8>>>) -> bool {
    request.is_some_and(|request| request.iter().all(|line| found.contains_key(&super::traffic::op_id(line))))
}
