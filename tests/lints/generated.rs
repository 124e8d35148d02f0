//! Random small rules whose conditions often say too much or too little, and operations to decide.

use std::ops::Range;

use kuzet::operation::Time;
use kuzet::operation::time::MINUTE;
use kuzet::rules::SourceFile;
use serde_json::{Value, json};

use crate::random::Random;

/// Functions whose text is an aggregate.
const FUNCTIONS: [&str; 7] = ["count", "sum", "distinct", "any", "none", "streak", "max"];

/// A rule by what differs between the rules here.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) mode: &'static str,
    pub(super) on: String,
    pub(super) when: String,
    pub(super) on_missing: &'static str,
    pub(super) then: &'static str,
}

impl Rule {
    pub(super) fn text(&self) -> String {
        let Self { id, mode, on, when, on_missing, then } = self;
        format!(
            "rule: {id}\nclauses: [\"7.15\"]\ntitle: {{kk: а, ru: б, en: c}}\nowner: risk\nmode: {mode}\n\
             on: {on}\nwhen: {when}\non_missing: {on_missing}\nthen:\n  - {then}\n"
        )
    }

    pub(super) fn file(&self) -> SourceFile {
        SourceFile::new(format!("{}.yaml", self.id), self.text())
    }
}

/// The list that conditions ask.
pub(super) fn data() -> Vec<SourceFile> {
    vec![
        SourceFile::new("data/lists.yaml", "lists:\n  flagged: {type: wallet, file: flagged.csv}\n"),
        SourceFile::new("data/flagged.csv", "value,from,until,reason\nV1,,,x\n"),
    ]
}

fn pick<'c>(random: &mut Random, from: &[&'c str]) -> &'c str {
    from[random.below(from.len())]
}

/// Two or three enforced rules.
pub(super) fn rules(random: &mut Random) -> Vec<Rule> {
    let count = 2 + random.below(2_usize);
    let mut rules: Vec<Rule> = Vec::new();
    for number in 0..count {
        // A rule is often a narrower or a wider one of the rule before.
        let before = rules.last().filter(|_| random.below(2_u32) == 0).cloned();
        let on = before.as_ref().map_or_else(
            || pick(random, &["transfer", "transfer", "payment", "[transfer, payment]", "login", "debit"]).to_owned(),
            |before| before.on.clone(),
        );
        let own = condition(random, &on, 2);
        let when = match before {
            Some(before) => format!("({}) {} ({own})", before.when, pick(random, &["and", "and", "or"])),
            None => own,
        };
        let then = if on == "login" {
            pick(random, &["report: afm", "refuse", "monitor"])
        } else {
            pick(random, &["report: afm", "hold", "hold", "refuse", "monitor"])
        };
        let on_missing = pick(random, &["skip", "skip", "fire"]);
        rules.push(Rule { id: format!("rule-{number}"), mode: "enforce", on, when, on_missing, then });
    }
    rules
}

/// A condition with parts within parts at most so deep.
fn condition(random: &mut Random, on: &str, depth: u32) -> String {
    let choice = if depth == 0 { 0 } else { random.below(5_u32) };
    match choice {
        0 | 1 => comparison(random, on),
        2 => format!("not ({})", condition(random, on, depth - 1)),
        _ => {
            let word = if choice == 3 { "and" } else { "or" };
            let count = 2 + random.below(2_usize);
            let parts: Vec<String> = (0..count).map(|_| format!("({})", condition(random, on, depth - 1))).collect();
            parts.join(&format!(" {word} "))
        }
    }
}

const COMPARISONS: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];

fn compared(random: &mut Random, what: &str, values: &[&str]) -> String {
    let value = pick(random, values);
    format!("{what} {} {value}", pick(random, &COMPARISONS))
}

fn same(random: &mut Random, what: &str, values: &[&str]) -> String {
    let value = pick(random, values);
    format!("{what} {} {value}", pick(random, &["=", "!="]))
}

fn comparison(random: &mut Random, on: &str) -> String {
    let is_login = on == "login";
    match random.below(13_u32) {
        0 | 1 if !is_login => compared(random, "amount", &["0 KZT", "1 KZT", "2 KZT", "3 KZT", "3.50 KZT"]),
        2 if !is_login => same(random, "client_status", &["unregistered", "unidentified", "identified"]),
        3 if !is_login => same(random, "counterparty.kind", &["client", "merchant"]),
        4 if !is_login => format!("counterparty.wallet_id {} flagged", pick(random, &["in", "not in"])),
        5 if !is_login => compared(random, "amount * 2", &["0 KZT", "4 KZT", "6 KZT"]),
        0 | 1 => same(random, "outcome", &["success", "failure"]),
        2 | 3 => compared(random, "streak(login where outcome = failure by wallet quiet 1h)", &["0", "1", "2"]),
        6 => format!("device_id is {}", pick(random, &["missing", "present"])),
        7 => same(random, "device_id", &["\"d1\"", "\"d2\""]),
        8 => same(random, "attributes.channel", &["\"app\"", "\"web\""]),
        9 => compared(random, "attributes.score", &["1", "2", "2.5"]),
        10 => same(random, "type", &["transfer", "payment", "login"]),
        _ => aggregate(random, is_login),
    }
}

/// An aggregate compared with a number, or asked whether it holds.
fn aggregate(random: &mut Random, is_login: bool) -> String {
    let of = if is_login { "login" } else { pick(random, &["transfer", "payment", "debit", "transfer"]) };
    let filter = if random.below(2_u32) == 0 { format!(" where {}", past(random, is_login)) } else { String::new() };
    let key = pick(random, &["wallet", "wallet", "wallet", "device_id"]);
    let excluding = pick(random, &["", "", " excluding this"]);
    let window = format!("by {key} within {}{excluding}", pick(random, &["1h", "24h"]));
    match random.below(6_u32) {
        0..=2 => compared(random, &format!("count({of}{filter} {window})"), &["0", "1", "2", "3"]),
        3 if !is_login => compared(random, &format!("sum({of}.amount{filter} {window})"), &["0 KZT", "3 KZT", "9 KZT"]),
        4 if !is_login => compared(random, &format!("max({of}.amount{filter} {window})"), &["0 KZT", "2 KZT", "4 KZT"]),
        3 => compared(random, &format!("distinct({of}.device_id{filter} {window})"), &["0", "1", "2"]),
        _ => format!("{}({of}{filter} {window})", pick(random, &["any", "none"])),
    }
}

/// What is asked of past operations.
fn past(random: &mut Random, is_login: bool) -> String {
    let one = |random: &mut Random| match random.below(5_u32) {
        0 | 1 if is_login => same(random, "outcome", &["success", "failure"]),
        0 => compared(random, "amount", &["0 KZT", "1 KZT", "2 KZT", "3 KZT"]),
        1 => same(random, "client_status", &["unregistered", "unidentified", "identified"]),
        2 => same(random, "type", &["transfer", "payment", "login"]),
        3 => format!("device_id is {}", pick(random, &["missing", "present"])),
        _ => same(random, "device_id", &["\"d1\"", "\"d2\""]),
    };
    match random.below(3_u32) {
        0 => one(random),
        choice => {
            let (first, second) = (one(random), one(random));
            format!("({first} {} {second})", if choice == 1 { "and" } else { "or" })
        }
    }
}

/// The type of operations over which the aggregate runs that a part of a text stands in; `None` where it stands in none.
pub(super) fn aggregate_around(text: &str, part: &Range<usize>) -> Option<String> {
    let begins = FUNCTIONS.iter().flat_map(|name| {
        text.match_indices(&format!("{name}(")).map(|(at, begin)| at + begin.len()).collect::<Vec<_>>()
    });
    let closes = |from: usize| {
        let mut open = 1;
        text[from..].char_indices().find_map(|(at, character)| {
            match character {
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
            (open == 0).then_some(from + at)
        })
    };
    let mut around = begins.filter(|begin| *begin <= part.start && closes(*begin).is_some_and(|end| part.end <= end));
    let begin = around.next()?;
    Some(text[begin..].split([' ', '.']).next().unwrap_or_default().to_owned())
}

/// Lists the other parts of every `and` around a part of a condition: what has to hold beside it, as far as no `not`
/// stands around it.
pub(super) fn rest_of(when: &str, part: &Range<usize>) -> Vec<String> {
    let mut rest = Vec::new();
    let mut around = 0..when.len();
    loop {
        let whole = &when[around.clone()];
        let ways = ["and", "or"].map(|word| (word, split(whole, word))).into_iter().find(|(_, parts)| parts.len() > 1);
        let Some((word, parts)) = ways else {
            // One part, in brackets or not.
            let inside = around.start + 1..around.end - 1;
            if whole.starts_with('(') && inside.start <= part.start && part.end <= inside.end {
                around = inside;
                continue;
            }
            return rest;
        };
        let place = |own: &Range<usize>| around.start + own.start..around.start + own.end;
        let is_around = |own: &&Range<usize>| place(own).start <= part.start && part.end <= place(own).end;
        let Some(own) = parts.iter().find(is_around) else { return rest };
        if word == "and" {
            rest.extend(parts.iter().filter(|other| *other != own).map(|other| whole[other.clone()].to_owned()));
        }
        around = place(own);
    }
}

/// Takes a condition apart at a word that stands in no brackets.
fn split(text: &str, word: &str) -> Vec<Range<usize>> {
    let between = format!(" {word} ");
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' if depth == 0 && at >= begin && text[at..].starts_with(&between) => {
                parts.push(begin..at);
                begin = at + between.len();
            }
            _ => {}
        }
    }
    parts.push(begin..text.len());
    parts
}

#[test]
fn the_rest_is_what_every_and_around_a_part_has_beside_it() {
    let when = "(a = 1) and ((b = 2) or ((c = 3) and ((d = 4) or (e = 5))))";
    let of = |part: &str| {
        let at = when.find(part).expect("it is there");
        rest_of(when, &(at..at + part.len()))
    };
    assert_eq!(of("d = 4"), ["(a = 1)", "(c = 3)"]);
    assert_eq!(of("b = 2"), ["(a = 1)"]);
    assert_eq!(rest_of("not (a = 1) and (b = 2)", &(5..10)), ["(b = 2)"]);
}

/// Operations of two wallets, minutes apart.
pub(super) fn operations(random: &mut Random, count: usize) -> Vec<String> {
    let mut at = Time::parse_rfc3339("2026-03-02T04:00:00Z").expect("a time");
    let mut made = Vec::new();
    for number in 0..count {
        at = at.plus(i64::from(random.below(50_u32)) * MINUTE);
        let kind = pick(random, &["transfer", "transfer", "payment", "login"]);
        let mut operation = json!({
            "op_id": format!("o{number}"), "type": kind, "occurred_at": at.to_string(),
            "wallet_id": pick(random, &["W1", "W2"]),
        });
        if kind == "login" {
            operation["outcome"] = pick(random, &["success", "failure", "failure"]).into();
        } else {
            operation["amount"] = pick(random, &["0.01", "1.00", "2.00", "3.00", "3.50", "4.00", "9.00"]).into();
            operation["client_status"] = pick(random, &["unregistered", "unidentified", "identified"]).into();
            let other = pick(random, &["V1", "V2"]);
            operation["counterparty"] = match kind {
                "transfer" => json!({"kind": "client", "wallet_id": other}),
                _ => json!({"kind": pick(random, &["merchant", "agent"])}),
            };
        }
        if random.below(2_u32) == 0 {
            operation["device_id"] = pick(random, &["d1", "d2"]).into();
        }
        let mut attributes = serde_json::Map::new();
        if random.below(2_u32) == 0 {
            attributes.insert("channel".to_owned(), pick(random, &["app", "web"]).into());
        }
        if random.below(2_u32) == 0 {
            attributes.insert(
                "score".to_owned(),
                Value::from(pick(random, &["1", "2", "2.5", "3"]).parse::<f64>().expect("a number")),
            );
        }
        operation["attributes"] = attributes.into();
        made.push(operation.to_string());
    }
    made
}
