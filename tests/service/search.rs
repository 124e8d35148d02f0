//! Decisions looked for: as reading all of them would find them, whatever the index covers.

use std::collections::BTreeSet;

use kuzet::adapters::store::index::Seek;
use kuzet::operation::decision::Verdict;
use kuzet::operation::{Money, OperationType};
use kuzet::service::search::{Filter, Order, Page, Query};
use serde_json::Value;

use super::*;
use crate::random::Random;

/// A decision and its operation, as JSON.
struct Known {
    seq: u64,
    decision: Value,
    operation: Value,
}

fn known(service: &Service) -> Vec<Known> {
    let store = service.store().expect("a store");
    let operations = store.read(Stream::Operations, 1, usize::MAX, usize::MAX).expect("operations");
    let decisions = store.read(Stream::Decisions, 1, usize::MAX, usize::MAX).expect("decisions");
    let json = |bytes: &[u8]| serde_json::from_slice(bytes).expect("JSON");
    decisions
        .iter()
        .zip(&operations)
        .map(|((seq, decision), (_, item))| Known { seq: *seq, decision: json(decision), operation: json(&item[8..]) })
        .collect()
}

/// Tells whether a decision is meant: from the JSON alone.
fn is_meant(filter: &Filter, Known { decision, operation, .. }: &Known) -> bool {
    let rules: BTreeSet<&str> = ["matches", "commands"]
        .iter()
        .flat_map(|list| decision[*list].as_array().expect("a list"))
        .map(|item| item["rule"].as_str().expect("a rule"))
        .collect();
    let at = Time::parse_rfc3339(decision["occurred_at"].as_str().expect("a time")).expect("a time");
    let amount = operation["amount"].as_str().map(|text| text.parse::<f64>().expect("an amount"));
    let least = filter.amount_min.map(|amount| amount.to_string().parse::<f64>().expect("an amount"));
    let most = filter.amount_max.map(|amount| amount.to_string().parse::<f64>().expect("an amount"));
    filter.wallet.as_ref().is_none_or(|wallet| decision["wallet_id"] == **wallet)
        && filter.op_id.as_ref().is_none_or(|id| decision["op_id"] == **id)
        && filter.decision_id.is_none_or(|id| decision["decision_id"] == id.to_string())
        && filter.rule.as_ref().is_none_or(|rule| rules.contains(rule.as_str()))
        && filter.verdict.is_none_or(|verdict| decision["verdict"] == verdict.name())
        && filter.kind.is_none_or(|kind| decision["type"] == kind.name())
        && filter.from.is_none_or(|from| at >= from)
        && filter.to.is_none_or(|to| at < to)
        && least.is_none_or(|least| amount.is_some_and(|amount| amount >= least))
        && most.is_none_or(|most| amount.is_some_and(|amount| amount <= most))
        && filter.ip.is_none_or(|ip| operation["ip"] == ip.to_string())
        && filter.device.as_ref().is_none_or(|device| operation["device_id"] == **device)
        && filter.counterparty.as_ref().is_none_or(|wanted| {
            ["wallet_id", "account", "phone"].iter().any(|name| operation["counterparty"][name] == **wanted)
        })
        && filter.restriction.is_none_or(|id| {
            let commands = decision["commands"].as_array().expect("commands");
            commands.iter().any(|command| command["restriction_id"] == id.to_string())
        })
}

/// Makes a filter of some fields of one of the decisions, or of none of them.
fn filter_of(random: &mut Random, all: &[Known]) -> Filter {
    let one = &all[random.below(all.len())];
    let other = &all[random.below(all.len())];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let time = |known: &Known| Time::parse_rfc3339(known.decision["occurred_at"].as_str().expect("a time")).ok();
    let mut filter = Filter::default();
    for _ in 0..=random.below(2) {
        match random.below(14) {
            0 => filter.wallet = text(&one.decision["wallet_id"]),
            1 => filter.op_id = text(&one.decision["op_id"]),
            2 => filter.decision_id = text(&one.decision["decision_id"]).and_then(|id| id.parse().ok()),
            3 => filter.rule = text(&one.decision["matches"][0]["rule"]).or(Some("no-such-rule".into())),
            4 => filter.verdict = text(&one.decision["verdict"]).and_then(|name| Verdict::from_name(&name)),
            5 => filter.kind = text(&one.decision["type"]).and_then(|name| OperationType::from_name(&name)),
            6 => (filter.from, filter.to) = (time(one).min(time(other)), time(one).max(time(other))),
            7 => filter.from = time(one),
            8 => filter.to = time(one),
            9 => filter.amount_min = text(&one.operation["amount"]).and_then(|amount| Money::parse(&amount)),
            11 => filter.counterparty = text(&one.operation["counterparty"]["wallet_id"]),
            12 => {
                let commands = all.iter().flat_map(|known| known.decision["commands"].as_array().expect("commands"));
                let ids: Vec<_> = commands.filter_map(|command| text(&command["restriction_id"])).collect();
                filter.restriction = ids[random.below(ids.len())].parse().ok();
            }
            10 => filter.amount_max = text(&one.operation["amount"]).and_then(|amount| Money::parse(&amount)),
            _ => {
                filter.ip = one.operation["ip"].as_str().and_then(|ip| ip.parse().ok());
                filter.device = text(&one.operation["device_id"]);
            }
        }
    }
    filter
}

/// Reads page after page until there is nothing more; returns the numbers, and how many decisions were read.
fn joined(service: &Service, filter: &Filter, order: Order, limit: usize) -> (Vec<u64>, u64) {
    let (mut numbers, mut scanned) = (Vec::new(), 0);
    let mut position = if order == Order::Ascending { 0 } else { u64::MAX };
    loop {
        let query = Query { filter: filter.clone(), order, position, limit, bytes_max: 1 << 20 };
        let Page { items, next, scanned: read } = service.search(&query).expect("a page");
        assert!(items.len() <= limit);
        numbers.extend(items.iter().map(|item| item.seq));
        scanned += read;
        if next == position || next == 0 || (order == Order::Descending && next == 1) {
            return (numbers, scanned);
        }
        let is_ahead = if order == Order::Ascending { next > position } else { next < position };
        assert!(is_ahead, "{filter:?}: {next} after {position}");
        position = next;
    }
}

fn check_filters(service: &Service, seed: u64, count: usize) {
    let all = known(service);
    let mut random = Random(seed);
    for _ in 0..count {
        let filter = filter_of(&mut random, &all);
        let mut expected: Vec<u64> = all.iter().filter(|one| is_meant(&filter, one)).map(|one| one.seq).collect();
        let limit = if expected.len() < 100 { 1 + random.below(20_usize) } else { 1_000 };
        assert_eq!(joined(service, &filter, Order::Ascending, limit).0, expected, "{filter:?}");
        expected.reverse();
        assert_eq!(joined(service, &filter, Order::Descending, limit).0, expected, "{filter:?}");
    }
}

fn segments(service: &Service) -> u64 {
    let stats = service.store().expect("a store").stats().expect("stats");
    stats.iter().find(|table| table.name == "segments").map_or(0, |table| table.entries)
}

#[test]
fn filters_find_what_reading_everything_finds_in_both_orders() {
    let records = simulated(11_000, 23);
    let folder = tempfile::tempdir().expect("a folder");
    let service = start_shipped(folder.path());
    records[..6_000].chunks(97).for_each(|part| drop(submit(&service, part)));
    assert_eq!(segments(&service), 1);
    check_filters(&service, 1, 25);
    service.stop();
    // What was gathered and is in no segment is gathered again.
    let service = start_shipped(folder.path());
    records[6_000..].chunks(501).for_each(|part| drop(submit(&service, part)));
    assert_eq!(segments(&service), 2);
    check_filters(&service, 2, 40);

    // One of many decisions costs about the block it lies in, and what is not indexed yet.
    let one = &known(&service)[100];
    let filter = Filter { op_id: one.decision["op_id"].as_str().map(str::to_owned), ..Filter::default() };
    let (found, scanned) = joined(&service, &filter, Order::Ascending, 10);
    assert_eq!(found, [one.seq]);
    assert!(scanned < 4_096 + 1_000, "{scanned}");
}

#[test]
fn a_store_without_an_index_is_searched_and_indexed_from_its_next_commit_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-v1/kuzet.redb.zst");
    let unpacked = zstd::decode_all(&std::fs::read(packed).expect("the fixture")[..]).expect("zstd");
    std::fs::write(folder.path().join(FILE), unpacked).expect("a file");
    let service = start_shipped(folder.path());
    check_filters(&service, 3, 20);
    assert_eq!(segments(&service), 0);
    let before = known(&service).len();
    let mut records = simulated(4_096, 5);
    // The wallets go on under other ids of operations.
    for record in &mut records {
        let text = String::from_utf8_lossy(record).replace("\"op_id\":\"", "\"op_id\":\"later-");
        *record = text.into_bytes();
    }
    records.chunks(512).for_each(|part| drop(submit(&service, part)));
    assert_eq!(segments(&service), 1);
    assert!(known(&service).len() > before + 4_000);
    let streams = service.store().expect("a store").indexed().expect("streams");
    assert_eq!(streams.segment_before(u64::MAX).expect("a segment").map(|segment| segment.first), Some(1));
    assert!(streams.block(Stream::Decisions, Seek::AtOrAfter(streams.last() + 1)).expect("no block").is_none());
    check_filters(&service, 4, 20);
}

#[test]
fn a_copy_is_searched_as_the_store_is() {
    let (folder, copy) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let service = start_shipped(folder.path());
    simulated(4_500, 9).chunks(500).for_each(|part| drop(submit(&service, part)));
    service.store().expect("a store").backup(copy.path()).expect("a copy");
    let (before, indexed) = (known(&service).len(), segments(&service));
    service.stop();
    let service = start_shipped(copy.path());
    assert_eq!((known(&service).len(), segments(&service)), (before, indexed));
    check_filters(&service, 5, 10);
}
