//! The engine against an independent naive model, over dense random streams.
//!
//! `KUZET_MODEL_STREAMS` sets the number of streams (default 1,000), `KUZET_SEED` the first seed (default 1).
#![expect(clippy::print_stdout, reason = "seeds and the table of rules belong in the test's output")]

mod adapter;
mod boundaries;
mod calendar;
mod compare;
pub(crate) mod durable;
mod ledger;
mod naive;
mod op;
mod standin;
mod streams;

use crate::environment::number;
use crate::random;
use compare::{Engine, EngineAnswer};
use naive::{RULES, SEEN, Tally};
use std::collections::BTreeSet;
use streams::Stream;

/// Operations in a stream, at least.
const LENGTH: usize = 200;
/// Streams in which each fault must show.
const FAULT_STREAMS: u64 = 200;
const SHUFFLES: u64 = 300;
/// Streams for rules with budgets.
const BUDGET_STREAMS: u64 = 100;
/// Streams that go through a store.
const DURABLE_STREAMS: u64 = 200;

fn seeds() -> std::ops::Range<u64> {
    let first = number("KUZET_SEED").unwrap_or(1);
    first..first + number("KUZET_MODEL_STREAMS").unwrap_or(1_000)
}

/// Prints how often each rule fired and was met exactly on its boundary, neither of which may be never, and
/// how often each path was met, which must be often enough for so many streams.
fn print_table(tally: &Tally, streams: u64) {
    println!("{:<32}{:>10}{:>12}", "rule", "fired", "boundary");
    let mut never = Vec::new();
    for rule in RULES {
        let fired = tally.fired.get(rule).copied().unwrap_or_default();
        let boundary = tally.boundary.get(rule).copied().unwrap_or_default();
        println!("{rule:<32}{fired:>10}{boundary:>12}");
        if fired == 0 || boundary == 0 {
            never.push(rule);
        }
    }
    for (what, times) in &tally.seen {
        println!("{what:<32}{times:>10}");
    }
    assert!(never.is_empty(), "never fired, or never on the boundary: {never:?}");
    let rare = SEEN.iter().filter_map(|(what, least)| {
        let (seen, least) = (tally.seen.get(*what).copied().unwrap_or_default(), (least * streams / 300).max(1));
        (seen < least).then(|| format!("{what}: {seen}, and at least {least} are wanted"))
    });
    let rare: Vec<String> = rare.collect();
    assert!(rare.is_empty(), "seldom seen:\n{}", rare.join("\n"));
}

fn agree(engine: Engine, seeds: std::ops::Range<u64>) {
    println!("seeds {seeds:?}");
    let geo = streams::geo();
    let number = seeds.end - seeds.start;
    let mut tally = Tally::default();
    let mut operations = 0;
    for seed in seeds {
        let stream = streams::stream(seed, LENGTH);
        operations += stream.ops.len();
        let (mismatch, fired) = compare::compare(engine, &stream, &geo, None);
        if let Some(mismatch) = mismatch {
            panic!("{}", compare::explain(engine, &stream, &geo, None, seed, &mismatch));
        }
        tally.add(&fired);
    }
    println!("{operations} operations");
    print_table(&tally, number);
}

#[test]
fn comparison_accepts_the_model_behind_json() {
    let first = number("KUZET_SEED").unwrap_or(1);
    agree(standin::run, first..first + 300);
}

#[test]
fn engine_agrees_with_the_model() {
    agree(adapter::run_engine, seeds());
}

/// Closed, opened, and given other rules again and again, the engine is the same.
#[test]
fn durable_engine_agrees_with_the_model() {
    let geo = streams::geo();
    let first = number("KUZET_SEED").unwrap_or(1);
    let seeds = first..first + DURABLE_STREAMS;
    println!("seeds {seeds:?}");
    for seed in seeds {
        let stream = streams::stream(seed, LENGTH);
        let (mismatch, _) = compare::compare(durable::run_engine, &stream, &geo, None);
        if let Some(mismatch) = mismatch {
            panic!("{}", compare::explain(durable::run_engine, &stream, &geo, None, seed, &mismatch));
        }
    }
}

/// Budgets are exceeded and rules armed again at the same places, also where the state goes through a store.
#[test]
fn engines_with_budgets_agree_with_the_model() {
    let geo = streams::geo();
    let first = number("KUZET_SEED").unwrap_or(1);
    let streams = number("KUZET_MODEL_STREAMS").unwrap_or(BUDGET_STREAMS);
    let seeds = first..first + streams;
    println!("seeds {seeds:?}");
    let mut tally = Tally::default();
    for seed in seeds {
        let stream = streams::budgeted(seed, LENGTH);
        for engine in [adapter::run_with_budgets, durable::run_with_budgets] {
            let (mismatch, fired) = compare::compare(engine, &stream, &geo, None);
            if let Some(mismatch) = mismatch {
                panic!("{}", compare::explain(engine, &stream, &geo, None, seed, &mismatch));
            }
            tally.add(&fired);
        }
    }
    for (what, in_ten) in [("a budget is exceeded", 20), ("a share is exceeded", 1), ("a rule is armed again", 1)] {
        let seen = tally.seen.get(what).copied().unwrap_or_default();
        println!("{what:<32}{seen:>10}");
        assert!(seen * 10 > in_ten * streams, "{what}: {seen}");
    }
}

/// A wrong engine must part from the model within a few streams.
fn catch(engine: Engine, fault: &str) {
    catch_in(streams::stream, engine, fault);
}

fn catch_in(stream_of: fn(u64, usize) -> Stream, engine: Engine, fault: &str) {
    let geo = streams::geo();
    let first = number("KUZET_SEED").unwrap_or(1);
    for seed in first..first + FAULT_STREAMS {
        let stream = stream_of(seed, LENGTH);
        let (mismatch, _) = compare::compare(engine, &stream, &geo, Some(fault));
        if let Some(mismatch) = mismatch {
            println!("{fault}: caught by seed {seed}: {}", mismatch.reason);
            return;
        }
    }
    panic!("{fault}: not caught by {FAULT_STREAMS} streams from seed {first}");
}

macro_rules! faults {
    ($($test:ident: $name:literal,)*) => {
        mod model_fault_shows {
            $(#[test] fn $test() { super::catch(super::standin::run, $name); })*
        }
        mod engine_fault_is_caught {
            $(
                #[test]
                fn $test() { super::catch(super::adapter::run_engine, $name); }
            )*
        }
    };
}

#[test]
fn faults_of_budgets_show_and_are_caught() {
    for fault in ["stopped-counted-again", "breach-stops-once"] {
        catch_in(streams::budgeted, standin::run_with_budgets, fault);
        catch_in(streams::budgeted, adapter::run_with_budgets, fault);
    }
}

faults! {
    open_window: "open-window",
    day_by_utc: "day-by-utc",
    refused_counted: "refused-counted",
    late_judged_alone: "late-judged-alone",
    lift_too_much: "lift-too-much",
    cancel_ignored: "cancel-ignored",
    end_instant_blocked: "end-instant-blocked",
    strict_becomes_inclusive: "strict-becomes-inclusive",
    streak_survives_success: "streak-survives-success",
    release_despite_block: "release-despite-block",
    extension_as_second_block: "extension-as-second-block",
    extension_shortens: "extension-shortens",
    silent_firing_forgotten: "silent-firing-forgotten",
    lifting_by_arrival_only: "lifting-by-arrival-only",
    reference_settles_all: "reference-settles-all",
    endless_block_cancels: "endless-block-cancels",
    recipient_block_ignored: "recipient-block-ignored",
    pin_confirms_event_day: "pin-confirms-event-day",
    pin_without_reference_confirms: "pin-without-reference-confirms",
    pin_clears_named_only: "pin-clears-named-only",
    ref_age_without_refused: "ref-age-without-refused",
    replaced_block_stays: "replaced-block-stays",
}

/// Which wallets the window rules over money flag, whatever the order.
fn flagged(answers: &[EngineAnswer]) -> BTreeSet<(String, String)> {
    let windows = [naive::EQUAL, naive::DAILY, naive::STRUCTURING, naive::STATUTORY];
    let mut flagged = BTreeSet::new();
    for answer in answers {
        let EngineAnswer::Decision(decision) = answer else {
            panic!("{answer:?} to an operation that is new and sound");
        };
        let wallet = decision["wallet_id"].as_str().expect("a wallet");
        for matched in decision["matches"].as_array().expect("matches") {
            let rule = matched["rule"].as_str().expect("a rule");
            if windows.contains(&rule) {
                flagged.insert((wallet.to_owned(), rule.to_owned()));
            }
        }
    }
    flagged
}

fn shuffles_flag_the_same_wallets(engine: Engine) {
    let geo = streams::geo();
    let first = number("KUZET_SEED").unwrap_or(1);
    println!("seeds {first}..{}", first + SHUFFLES);
    let mut seen = BTreeSet::new();
    for seed in first..first + SHUFFLES {
        let ops = streams::money_only(seed);
        let run = |ops: Vec<op::Op>| {
            let stream = Stream::new(ops, &mut random::Random(seed));
            flagged(&engine(&stream.lines, &geo, None))
        };
        let in_order = run(ops.clone());
        for round in 0..3 {
            let shuffled = streams::shuffled(&ops, seed * 3 + round);
            assert_eq!(run(shuffled), in_order, "seed {seed}, shuffle {round}");
        }
        seen.extend(in_order.into_iter().map(|(_, rule)| rule));
    }
    assert_eq!(seen.len(), 4, "some window rule never fired: {seen:?}");
}

#[test]
fn shuffles_flag_the_same_wallets_in_the_model() {
    shuffles_flag_the_same_wallets(standin::run);
}

#[test]
fn shuffles_flag_the_same_wallets_in_the_engine() {
    shuffles_flag_the_same_wallets(adapter::run_engine);
}
