//! The longest that one new wallet makes the stream wait while the tables grow.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kuzet::engine::wallet::Wallet;
use kuzet::engine::wallets::Wallets;
use kuzet::rules::program::symbol_of_text;

/// A table grows at the same insert in each, the machine's own pauses come anywhere.
const PASSES: usize = 3;

/// Compares the worst insert of the engine's wallets with that of one table of as many.
pub(crate) fn ratio(count: u64) -> f64 {
    let ids: Vec<String> = (0..count).map(|number| format!("77{number:09}")).collect();
    let split = worst(&ids, || {
        let mut wallets = Wallets::default();
        move |id: &str| {
            wallets.get_or_insert(symbol_of_text(id), id);
        }
    });
    let single = worst(&ids, || {
        let mut table: HashMap<u64, Wallet, foldhash::fast::FixedState> = HashMap::default();
        move |id: &str| {
            table.entry(symbol_of_text(id)).or_insert_with(|| Wallet::new(id));
        }
    });
    split.div_duration_f64(single)
}

/// Times every insert, takes the least of all passes for each, and the greatest of these.
fn worst<I: FnMut(&str)>(ids: &[String], start: impl Fn() -> I) -> Duration {
    let mut least = vec![Duration::MAX; ids.len()];
    for _ in 0..PASSES {
        let mut insert = start();
        for (id, least) in ids.iter().zip(&mut least) {
            let started = Instant::now();
            insert(id);
            *least = started.elapsed().min(*least);
        }
    }
    least.into_iter().max().unwrap_or_default()
}
