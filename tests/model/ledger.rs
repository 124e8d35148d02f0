//! The check of a ledger over dense streams: it accepts what the model and the engine say, and refuses what six
//! wrong variants say, of which the decisions alone give the proof.

use kuzet::ledger::{Checker, Finding, Totals};

use std::collections::HashSet;

use super::compare::{Engine, EngineAnswer};
use super::{LENGTH, adapter, standin, streams};
use crate::environment::number;

/// Checks what is said to a stream. `None` for a stream that sends an operation again after its id was
/// forgotten: it is decided again under the same ids, which the check tells, rightly.
fn check(engine: Engine, seed: u64, fault: Option<&str>) -> Option<(Vec<Finding>, Totals, Vec<String>)> {
    let stream = streams::stream(seed, LENGTH);
    let answers = engine(&stream.lines, &streams::geo(), fault);
    let (mut lines, mut ids) = (Vec::new(), HashSet::new());
    for answer in answers {
        if let EngineAnswer::Decision(decision) = answer {
            lines.push(decision.to_string());
            if !ids.insert(decision["decision_id"].to_string()) {
                return None;
            }
        }
    }
    let (mut checker, mut found) = (Checker::default(), Vec::new());
    for (number, line) in (1..).zip(&lines) {
        checker.check_bare(number, line.as_bytes(), None, &mut found);
    }
    let totals = checker.finish(&mut found);
    Some((found, totals, lines))
}

#[test]
fn what_the_model_says_passes() {
    passes(standin::run);
}

#[test]
fn what_the_engine_says_passes() {
    passes(adapter::run_engine);
}

fn passes(engine: Engine) {
    let first = number("KUZET_SEED").unwrap_or(1);
    let seeds = first..first + number("KUZET_MODEL_STREAMS").unwrap_or(1_000);
    println!("seeds {seeds:?}");
    let mut commands = [0; 9];
    let (mut streams, mut checked) = (0, 0);
    for seed in seeds {
        streams += 1;
        let Some((found, totals, lines)) = check(engine, seed, None) else { continue };
        checked += 1;
        if let Some(first) = found.first() {
            let until = usize::try_from(first.seq.unwrap_or_default()).expect("a number of a line");
            let tail: Vec<&str> = lines[..until].iter().rev().take(30).map(String::as_str).collect();
            panic!("seed {seed}: {first}\nfrom the last to the first:\n{}", tail.join("\n"));
        }
        for (sum, count) in commands.iter_mut().zip(totals.commands) {
            *sum += count;
        }
    }
    println!("{checked} of {streams} streams, commands {commands:?}");
    assert!(2 * checked > streams, "most streams send nothing again");
    assert!(commands.iter().all(|count| *count > 0), "a kind of command was never met: {commands:?}");
}

fn finds(engine: Engine, fault: &str, code: &str) {
    let first = number("KUZET_SEED").unwrap_or(1);
    for seed in first..first + super::FAULT_STREAMS {
        let found = check(engine, seed, Some(fault)).map(|(found, ..)| found).unwrap_or_default();
        // Another proof of the same fault may come first.
        if let Some(finding) = found.iter().find(|finding| finding.code == code) {
            println!("{fault}: seed {seed}: {finding}");
            return;
        }
    }
    panic!("{fault}: not found in {} streams from seed {first}", super::FAULT_STREAMS);
}

macro_rules! findings {
    ($($test:ident: $fault:literal is $code:literal,)*) => {
        mod fault_of_the_model {
            $(#[test] fn $test() { super::finds(super::standin::run, $fault, $code); })*
        }
        mod fault_of_the_engine {
            $(#[test] fn $test() { super::finds(super::adapter::run_engine, $fault, $code); })*
        }
    };
}

findings! {
    a_restriction_lifted_by_the_wrong_one_is_found: "lift-too-much" is "lifted-by-another",
    a_release_despite_a_block_is_found: "release-despite-block" is "released-early",
    a_block_beyond_its_end_is_found: "end-instant-blocked" is "lifted-late",
    a_second_block_beside_the_first_is_found: "extension-as-second-block" is "placed-beside",
    an_end_that_is_no_later_is_found: "extension-shortens" is "extension",
    a_lifting_from_before_the_rule_fired_is_found: "lifting-by-arrival-only" is "lifted-early",
}
