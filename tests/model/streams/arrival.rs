//! In which order operations arrive.

use super::super::calendar;
use super::{DAY, HOUR, KZT, Kind, MINUTE, MS, Op, Random, SECOND, STARTS, Time, read_time};
use std::collections::HashMap;

/// Event order, or shuffled within the lateness; then some very late ones and some duplicates.
pub(super) fn arrive(ops: Vec<(Time, Op)>, rng: &mut Random) -> Vec<Op> {
    let jitter = rng.one(&[0, 0, MINUTE, 10 * MINUTE]);
    let mut keyed: Vec<(Time, Op)> = ops.into_iter().map(|(key, op)| (key + rng.between(0, jitter), op)).collect();
    let very_late = rng.one(&[0, 0, 3, 10]);
    for (key, _) in &mut keyed {
        if rng.chance(very_late) {
            *key += rng.one(&[10 * MINUTE + 1, 11 * MINUTE, HOUR, 2 * HOUR, 70 * MINUTE, DAY]);
        }
    }
    let duplicates = rng.one(&[0, 2, 5]);
    let mut copies = Vec::new();
    for (key, op) in &keyed {
        if rng.chance(duplicates) {
            let mut copy = op.clone();
            if rng.chance(30) {
                spoil(&mut copy, rng);
            }
            // Whether an older id is remembered is asked only of what leaves nothing behind.
            let harmless = op.kind == Kind::TopUp && op.purpose.is_none();
            let delay = if harmless && rng.chance(70) {
                rng.one(&[DAY, DAY + 1, DAY - 1, DAY + 10 * MINUTE, 2 * DAY])
            } else {
                rng.one(&[0, 0, 1, MINUTE, HOUR])
            };
            copies.push((key + delay, copy));
        }
    }
    keyed.extend(copies);
    keyed.sort_by_key(|(key, _)| *key);
    let mut ops: Vec<Op> = keyed.into_iter().map(|(_, op)| op).collect();
    keep_ids_fresh(&mut ops);
    ops
}

/// A copy that arrives when its id may be forgotten would be a second operation of that id; only
/// plain top-ups, which no window of money remembers, may come back like that.
fn keep_ids_fresh(ops: &mut Vec<Op>) {
    let mut newest: HashMap<String, Time> = HashMap::new();
    let mut first: HashMap<(String, String), bool> = HashMap::new();
    ops.retain(|op| {
        let newest = newest.entry(op.wallet.clone()).or_insert(op.at);
        *newest = op.at.max(*newest);
        let harmless = op.kind == Kind::TopUp && op.purpose.is_none();
        let key = (op.wallet.clone(), op.id.clone());
        match first.get(&key) {
            None => {
                first.insert(key, harmless);
                true
            }
            Some(&harmless_first) => (harmless_first && harmless) || op.at >= *newest - DAY + 2 * HOUR,
        }
    });
}

/// Makes a duplicate conflict with its first.
fn spoil(op: &mut Op, rng: &mut Random) {
    match rng.below(4) {
        0 if op.amount.is_some() => op.amount = op.amount.map(|amount| amount + 1),
        1 if op.success.is_some() => op.success = op.success.map(|success| !success),
        2 => op.actor = Some("operator-7".to_owned()),
        _ => op.device = Some("d-other".to_owned()),
    }
}

/// Money operations of wallets without restrictions, pins or cancellations, within one evening.
pub(crate) fn money_only(seed: u64) -> Vec<Op> {
    let mut rng = Random(seed);
    let mut ops = Vec::new();
    let wallets = ["77010000001", "77010000002", "77010000003"];
    let start = read_time(rng.pick(&STARTS));
    let mrp = calendar::mrp(calendar::day(start)).unwrap_or(265_100);
    // A rule that asks for the status asks for that of the operation which comes last: each wallet has one.
    let statuses = wallets.map(|_| rng.one(&["identified", "unidentified"]));
    let mut at = start;
    for n in 0..80 {
        at += rng.one(&[0, 1, MS, SECOND, MINUTE, MINUTE, 5 * MINUTE, 10 * MINUTE]);
        if rng.chance(3) {
            at = calendar::day_end(calendar::day(at)) + rng.hair();
        }
        let sender = rng.below(wallets.len());
        let (wallet, to) = (wallets[sender], rng.pick(&wallets));
        let amounts = [5_000 * KZT, 5_000 * KZT, 90_000 * KZT, 100_000 * KZT, 10 * mrp, 3 * mrp];
        // In every fourth stream most amounts are equal.
        let equal = seed.is_multiple_of(4) && rng.chance(80);
        let amount = if equal { amounts[0] } else { rng.one(&amounts) };
        let kind = rng.one(&[Kind::Transfer, Kind::Transfer, Kind::Transfer, Kind::Payment]);
        let op = Op::new(kind, &format!("m-{n}"), wallet, at).amount(amount);
        let party = if kind == Kind::Transfer { "client" } else { "merchant" };
        ops.push(op.status(statuses[sender]).party(party, Some(to)));
    }
    ops
}

/// The same operations, each at most the allowed lateness behind the newest that arrived before it.
pub(crate) fn shuffled(ops: &[Op], seed: u64) -> Vec<Op> {
    let mut rng = Random(seed ^ 0x5eed);
    let mut keyed: Vec<(Time, Op)> = ops.iter().map(|op| (op.at + rng.between(0, 10 * MINUTE), op.clone())).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, op)| op).collect()
}
