//! A wallet whose country flips with every login: one restriction is extended again and again, so that its
//! record, its decisions and the cost of an operation stay flat.
#![expect(clippy::print_stdout, reason = "the figures belong in the test's output")]

use std::path::Path;
use std::time::Instant;

use kuzet::adapters::folders::Folder;
use kuzet::app;
use kuzet::operation::Time;
use kuzet::operation::time::SECOND;
use kuzet::pipeline::{Answer, Pipeline, Record};
use kuzet::rules::program::symbol_of_text;

const FLIPS: i64 = 100_000;
/// Between two logins, in seconds. A login is remembered for 30 days, by the shipped rule that looks longest
/// back: from the 43,200th on the record is as long as it gets.
const EVERY: i64 = 60;
const ADDRESSES: [&str; 2] = ["95.56.234.10", "77.88.8.8"];

fn at(second: i64) -> String {
    let start = Time::parse_rfc3339("2026-03-02T10:00:00+05:00").expect("a time");
    start.plus(second * SECOND).to_string()
}

fn login(number: i64) -> String {
    let address = ADDRESSES[usize::from(number % 2 != 0)];
    format!(
        r#"{{"op_id":"login-{number}","type":"login","occurred_at":"{}","wallet_id":"W1","outcome":"success","ip":"{address}"}}"#,
        at(number * EVERY)
    )
}

/// A debit that is refused: it leaves no trace but its id.
fn debit(number: i64) -> String {
    format!(
        r#"{{"op_id":"debit-{number}","type":"payment","occurred_at":"{}","wallet_id":"W1","client_status":"identified","amount":"1.00","counterparty":{{"kind":"merchant"}}}}"#,
        at(number * EVERY)
    )
}

/// The decisions, a line each.
fn decide<S: kuzet::pipeline::SharedStore>(pipeline: &mut Pipeline<S>, lines: &[String]) -> Vec<String> {
    let records: Vec<Record<'_>> =
        lines.iter().map(|line| Record { bytes: line.as_bytes(), arrived_at: None }).collect();
    let committed = pipeline.process(&records).expect("a store in memory takes every change");
    let line = |answer: &Answer| {
        let Answer::Decided(decision) = answer else { panic!("{answer:?}") };
        let mut bytes = Vec::new();
        decision.encode(&mut bytes);
        String::from_utf8(bytes).expect("UTF-8")
    };
    committed.answers.iter().map(line).collect()
}

#[test]
fn a_hundred_thousand_flips_leave_one_restriction() {
    let folder = |name: &str| Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let rules = app::load_rules(&folder("rules")).expect("the shipped rules load");
    let mut pipeline = app::pipeline(rules, app::load_geo(&folder("geoip")).expect("the databases load"));
    let mut ids = std::collections::BTreeSet::new();
    let mut figures = Vec::new();
    let slice = FLIPS / 10;
    for first in (0..FLIPS).step_by(usize::try_from(slice).expect("a size")) {
        let lines: Vec<String> = (first..first + slice).map(login).collect();
        let began = Instant::now();
        let mut longest = 0;
        for batch in lines.chunks(1_000) {
            for decision in decide(&mut pipeline, batch) {
                longest = longest.max(decision.len());
                if let Some((_, rest)) = decision.split_once("\"command\":\"block\"") {
                    let id = rest.split("\"restriction_id\":\"").nth(1).expect("an id");
                    ids.insert(id[..36].to_owned());
                }
            }
        }
        let nanos = began.elapsed().as_nanos() / u128::from(slice.unsigned_abs());
        let refused = decide(&mut pipeline, &[debit(first + slice)]).remove(0);
        assert_eq!(refused.matches("\"command\":\"refuse\"").count(), 1, "{refused}");
        let wallet = pipeline.engine.wallets().get(symbol_of_text("W1"), "W1").expect("the wallet");
        let restrictions = wallet.restrictions().len();
        figures.push((first + slice, nanos, longest, refused.len(), wallet.heap_bytes(), restrictions));
    }
    println!(
        "logins, ns an operation, bytes of the longest decision, of a refused debit's, of the record, restrictions"
    );
    figures.iter().for_each(|figures| println!("{figures:?}"));
    assert_eq!(ids.len(), 1, "one block, extended");
    let (_, _, longest, refused, _, restrictions) = figures[5];
    let (_, _, longest_last, refused_last, _, restrictions_last) = figures[9];
    assert_eq!((restrictions, restrictions_last), (2, 2), "the block and the monitoring");
    // Numbers in ids and times have a digit more, and nothing else grows.
    assert!(longest_last <= longest + 8 && refused_last <= refused + 8, "{longest} {longest_last} {refused}");
    // Rows that no window needs any more go in one sweep, when there are as many of them as of the others.
    let records = figures[5..].iter().map(|(.., record, _)| *record);
    let (least, most) = (records.clone().min().unwrap_or(0), records.max().unwrap_or(usize::MAX));
    assert!(most <= 2 * least, "{least} to {most} bytes");
}
