//! Aggregates over long and short logs and shared windows against a recomputation over plain lists.

use serde_json::{Value, json};

use super::{NOON, decide, payment, pipeline, rule};
use crate::random::Random;
use kuzet::operation::time::SECOND;

const LATENESS: i64 = 600;

#[derive(Clone)]
struct Seen {
    id: String,
    wallet: String,
    device: String,
    seconds: i64,
    amount: i64,
}

/// The fullest closed window of `length` that holds `at`, by trying every window that ends at an entry.
fn fullest(entries: &[&Seen], at: i64, length: i64, measure: fn(&[&Seen]) -> i64) -> i64 {
    let ends = entries.iter().map(|entry| entry.seconds).filter(|end| *end > at && *end <= at + length);
    let in_window = |end: i64| -> Vec<&Seen> {
        entries.iter().copied().filter(|entry| entry.seconds >= end - length && entry.seconds <= end).collect()
    };
    ends.chain([at]).map(|end| measure(&in_window(end))).max().unwrap_or(0)
}

/// When the chain began that an entry at `at` continues.
fn began(entries: &[&Seen], at: i64, quiet: i64) -> i64 {
    let mut times: Vec<i64> = entries.iter().map(|entry| entry.seconds).filter(|time| *time <= at).collect();
    times.sort_unstable();
    let chain =
        times.iter().rev().try_fold(at, |first, time| if first - time <= quiet { Ok(*time) } else { Err(first) });
    chain.unwrap_or_else(|first| first)
}

fn count(entries: &[&Seen]) -> i64 {
    i64::try_from(entries.len()).expect("small")
}

fn sum(entries: &[&Seen]) -> i64 {
    entries.iter().map(|entry| entry.amount).sum()
}

fn distinct(entries: &[&Seen]) -> i64 {
    let mut amounts: Vec<i64> = entries.iter().map(|entry| entry.amount).collect();
    amounts.sort_unstable();
    amounts.dedup();
    i64::try_from(amounts.len()).expect("small")
}

fn wallets(entries: &[&Seen]) -> i64 {
    let mut wallets: Vec<&str> = entries.iter().map(|entry| entry.wallet.as_str()).collect();
    wallets.sort_unstable();
    wallets.dedup();
    i64::try_from(wallets.len()).expect("small")
}

const COUNT: &str = "count(payment by wallet within 10m)";
const EQUAL: &str = "count(payment by wallet, amount within 1h)";
const SUM: &str = "sum(payment.amount by wallet within 5m)";
const DISTINCT: &str = "distinct(payment.amount by wallet within 10m)";
const MAX: &str = "max(payment.amount by wallet within 5m)";
const LAST: &str = "last(payment.amount by wallet within 10m)";
const AGE: &str = "age(payment by wallet quiet 1m)";
const AGE_OF_DEVICE: &str = "age(payment by wallet, device_id quiet 5m)";
const TODAY: &str = "sum(payment.amount by wallet today)";
const SHARED: &str = "distinct(payment.wallet_id by device_id within 5m)";
const DEVICE: &str = "count(payment where amount >= 3 KZT by device_id within 5m excluding this)";

/// What the conditions read for the newest of `all`, from the list alone. `cancelled` are those that are
/// not in it any more, each with the wallet's newest time when it was taken out.
fn expected(all: &[Seen], cancelled: &[(Seen, i64)]) -> Value {
    let this = all.last().expect("one");
    let at = this.seconds;
    let own: Vec<&Seen> = all.iter().filter(|entry| entry.wallet == this.wallet).collect();
    let newest = own.iter().map(|entry| entry.seconds).max().expect("one");
    let left = |length: i64| -> Vec<&Seen> {
        own.iter().copied().filter(|entry| entry.seconds >= newest - length - LATENESS || entry.id == this.id).collect()
    };
    let equal: Vec<&Seen> = left(3_600).into_iter().filter(|entry| entry.amount == this.amount).collect();
    let before: Vec<&Seen> = left(300).into_iter().filter(|e| e.seconds <= at && e.seconds >= at - 300).collect();
    let others: Vec<&Seen> = left(600).into_iter().filter(|entry| entry.id != this.id).collect();
    // The greatest time; of equal ones the later arrival.
    let last =
        others.iter().enumerate().max_by_key(|(arrival, entry)| (entry.seconds, *arrival)).map(|(_, entry)| entry);
    let last = last.filter(|entry| (entry.seconds - at).abs() <= 600);
    let device: Vec<&Seen> = all.iter().filter(|entry| entry.device == this.device).collect();
    let big: Vec<&Seen> = device.iter().copied().filter(|entry| entry.amount >= 3 && entry.id != this.id).collect();
    let age = |device: Option<&str>, quiet: i64| {
        // Once too old to be seen, an operation is only a part of what is remembered of its chain.
        let folded = cancelled.iter().filter(|(entry, newest)| entry.seconds < newest - quiet - LATENESS);
        let folded = folded.map(|(entry, _)| entry).filter(|entry| entry.wallet == this.wallet);
        let links: Vec<&Seen> =
            own.iter().copied().chain(folded).filter(|e| device.is_none_or(|device| e.device == device)).collect();
        kuzet::operation::time::duration_text(i128::from(at - began(&links, at, quiet)) * 1_000_000_000)
    };
    let money = |amount: i64| json!(format!("{amount}.00"));
    json!({
        COUNT: fullest(&left(600), at, 600, count),
        EQUAL: fullest(&equal, at, 3_600, count),
        SUM: money(fullest(&left(300), at, 300, sum)),
        DISTINCT: fullest(&left(600), at, 600, distinct),
        MAX: money(before.iter().map(|entry| entry.amount).max().expect("this one")),
        LAST: last.map_or(Value::Null, |entry| money(entry.amount)),
        AGE: age(None, 60),
        AGE_OF_DEVICE: age(Some(&this.device), 300),
        TODAY: money(own.iter().map(|entry| entry.amount).sum()),
        SHARED: fullest(&device, at, 300, wallets),
        DEVICE: fullest(&big, at, 300, count),
    })
}

fn stream(seed: u64, count: usize, wallets: u64) {
    let mut random = Random(seed);
    let parts = [
        (COUNT, ">= 0"),
        (EQUAL, ">= 0"),
        (SUM, ">= 0 KZT"),
        (DISTINCT, ">= 0"),
        (MAX, ">= 0 KZT"),
        (LAST, ">= 0 KZT"),
        (AGE, ">= 0s"),
        (AGE_OF_DEVICE, ">= 0s"),
        (TODAY, ">= 0 KZT"),
        (SHARED, ">= 0"),
        (DEVICE, ">= 0"),
    ];
    let condition: Vec<String> = parts.iter().map(|(aggregate, always)| format!("{aggregate} {always}")).collect();
    let lines =
        format!("on: payment\nwhen: |\n  {}\non_missing: fire\nthen:\n  - report: afm", condition.join("\n  and "));
    let mut pipeline = pipeline(vec![rule("r", "enforce", &lines)]);
    let (mut seen, mut newest): (Vec<Seen>, i64) = (Vec::new(), 0);
    let mut taken_out: Vec<(Seen, i64)> = Vec::new();
    for number in 0..count {
        let cancels = !seen.is_empty() && random.below(12) == 0;
        if cancels {
            let victim = seen.remove(usize::try_from(random.below(seen.len() as u64)).expect("small"));
            let cancelled = json!({"op_id": format!("c-{number}"), "type": "cancelled", "wallet_id": victim.wallet,
                "ref_op_id": victim.id, "occurred_at": NOON.plus(victim.seconds * SECOND).to_string()});
            decide(&mut pipeline, &[cancelled]);
            let own = seen.iter().filter(|entry| entry.wallet == victim.wallet).map(|entry| entry.seconds);
            let newest = own.chain([victim.seconds]).max().expect("one");
            taken_out.push((victim, newest));
            continue;
        }
        let steps: [i64; 8] = [0, 0, 1, 20, 59, 60, 61, 299];
        newest += steps[usize::try_from(random.below(8)).expect("small")];
        // Late within what is allowed, against the newest of all: for each wallet it is no later.
        let late = if random.below(4) == 0 { random.below(590_i64) } else { 0 };
        let entry = Seen {
            id: format!("op-{number}"),
            wallet: format!("W{}", random.below(wallets)),
            device: format!("d{}", random.below(2)),
            seconds: (newest - late).max(0),
            amount: 1 + random.below(5_i64),
        };
        let more = json!({"wallet_id": entry.wallet, "device_id": entry.device});
        let operation = payment(number, entry.seconds, &entry.amount.to_string(), &more);
        seen.push(entry);
        let decision = decide(&mut pipeline, &[operation]).remove(0);
        let evidence = &decision["matches"][0]["evidence"];
        assert_eq!(*evidence, expected(&seen, &taken_out), "seed {seed}, operation {number}: {}", decision["op_id"]);
    }
}

#[test]
fn aggregates_equal_a_naive_recomputation() {
    println!("seeds 1..61");
    for seed in 1..61 {
        stream(seed, 150, 1 + seed % 4);
    }
}

#[test]
fn aggregates_over_one_long_log_equal_a_naive_recomputation() {
    println!("seeds 100..106");
    for seed in 100..106 {
        stream(seed, 600, 1);
    }
}
