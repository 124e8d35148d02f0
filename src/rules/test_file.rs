//! `ID.test.yaml`: the tests of a rule as plain data, with the place of every step.
//!
//! Running them is not known here; this module says what a test file means and what is wrong with it.

mod expect;

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::DateTime;
use serde_json::{Map, Number, Value};

use super::diagnostic::{Code, Diagnostic, Findings, Severity};
use super::keys::{self, Keys};
use super::program::{List, ListType};
use super::source::{FILE_BYTES_MAX, SourceFile};
use super::yaml::{self, Entry, Node, NodeKind, Style};
use crate::operation::Time;
use crate::operation::country::is_country;
use crate::operation::network::parse_network;
use crate::operation::time::{DAY, HOUR, MINUTE, Nanos, SECOND};

pub use expect::{Expect, ExpectedCommand, ExpectedRejection, ExpectedRestriction, ExpectedTerms};

/// The rule that no file holds: it refuses what would wait beyond the limit (7.13).
const BUILT_IN_RULE: &str = "waiting-limit";
/// Most repetitions of one step.
pub const TIMES_MAX: u32 = 10_000;

/// The tests of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct TestFile {
    pub tests: Vec<TestCase>,
    /// Changes of the rule that make no difference, so that no test can notice them.
    pub equivalent: Vec<Equivalent>,
}

/// A change of the rule that makes no difference, as whoever wrote the tests says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivalent {
    /// A part of the rule, in one line.
    pub rule_says: String,
    /// What would do as well.
    pub as_well_as: String,
    /// Why nothing tells the two apart.
    pub why: String,
    pub span: Range<usize>,
}

/// One test: its own wallets, its own clock.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    pub name: String,
    /// Where the name stands.
    pub span: Range<usize>,
    /// The moment zero of the steps.
    pub start: Time,
    /// Runs the whole set instead of the rule of the file.
    pub with_all: bool,
    /// What addresses are in this test; all others have no record.
    pub geo: BTreeMap<String, TestAddress>,
    /// The values of lists that this test replaces.
    pub lists: BTreeMap<String, TestList>,
    /// In order of arrival.
    pub steps: Vec<Step>,
}

/// What a test says of an address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestAddress {
    pub country: Option<[u8; 2]>,
    pub anonymizer: bool,
}

/// The values of a list in a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestList {
    /// Where the list's name stands.
    pub span: Range<usize>,
    /// Each with its place.
    pub values: Vec<(String, Range<usize>)>,
}

/// One operation, or `times` of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How long after the start of the test; may be negative.
    pub at: Nanos,
    pub times: u32,
    /// How long after each other the repetitions are.
    pub every: Nanos,
    /// `given`, overridden by the step's own fields; without ids and times where none were written.
    pub operation: Map<String, Value>,
    pub expect: Expect,
    /// The whole step.
    pub span: Range<usize>,
}

impl TestFile {
    /// Holds what the tests say of lists to the lists of the rule set: their names, and the networks of lists of
    /// networks. `path` is the file's.
    #[must_use]
    pub fn check_lists(&self, path: &str, known: &[List]) -> Vec<Diagnostic> {
        let mut findings = Findings::new(path);
        for (name, replaced) in self.tests.iter().flat_map(|test| &test.lists) {
            let Some(list) = known.iter().find(|list| list.name == *name) else {
                findings
                    .error(Code::UnknownList, &replaced.span, format!("unknown list `{name}`"))
                    .label("no such list")
                    .nearest(name, known.iter().map(|list| list.name.as_str()));
                continue;
            };
            if list.list_type != ListType::Cidr {
                continue;
            }
            for (value, span) in &replaced.values {
                if let Err(error) = parse_network(value) {
                    findings
                        .error(Code::BadValue, span, format!("`{value}`: {error}"))
                        .label(format!("`{name}` is a list of networks"))
                        .help(error.help());
                }
            }
        }
        findings.list
    }
}

const TEST_KEYS: [&str; 7] = ["name", "start", "given", "with", "geo", "lists", "steps"];
const STEP_KEYS: [&str; 4] = ["at", "times", "every", "expect"];
const FIELD_KEYS: [&str; 17] = [
    "op_id",
    "type",
    "occurred_at",
    "wallet_id",
    "client_status",
    "amount",
    "currency",
    "counterparty",
    "ip",
    "device_id",
    "outcome",
    "ref_op_id",
    "proof",
    "order",
    "actor",
    "source",
    "attributes",
];
/// Parses a test file from its bytes.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(file: &SourceFile) -> Result<TestFile, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    match super::readable::readable(file, FILE_BYTES_MAX, &mut diagnostics) {
        Some(text) => parse(&file.path, text),
        None => Err(diagnostics),
    }
}

/// Parses a test file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(path: &str, text: &str) -> Result<TestFile, Vec<Diagnostic>> {
    let mut findings = Findings::new(path);
    let (mut tests, mut equivalent) = (Vec::new(), Vec::new());
    if let Some(root) = yaml::parse(text, &mut findings)
        && let Some(keys) = Keys::open(&root, "a test file", &["tests", "equivalent"], &mut findings)
    {
        let items = keys.required("tests", "a test file", &mut findings);
        for item in items.map_or_else(Vec::new, |node| keys::list(node, "`tests`", &mut findings)) {
            tests.extend(read_test(item, &mut findings));
        }
        let items = keys.optional("equivalent");
        for item in items.map_or_else(Vec::new, |node| keys::list(node, "`equivalent`", &mut findings)) {
            equivalent.extend(read_equivalent(item, &mut findings));
        }
    }
    if findings.list.iter().any(|found| found.severity == Severity::Error) {
        return Err(findings.list);
    }
    Ok(TestFile { tests, equivalent })
}

fn read_equivalent(node: &Node, findings: &mut Findings) -> Option<Equivalent> {
    let what = "a change that makes no difference";
    let keys = Keys::open(node, what, &["rule_says", "as_well_as", "why"], findings)?;
    let mut text = |key: &str| {
        let node = keys.required(key, what, findings)?;
        let text = keys::text(node, &format!("`{key}`"), findings)?;
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (rule_says, as_well_as, why) = (text("rule_says"), text("as_well_as"), text("why"));
    Some(Equivalent { rule_says: rule_says?, as_well_as: as_well_as?, why: why?, span: node.span.clone() })
}

fn read_test(node: &Node, findings: &mut Findings) -> Option<TestCase> {
    let keys = Keys::open(node, "a test", &TEST_KEYS, findings)?;
    let name_node = keys.required("name", "a test", findings);
    let name = name_node.and_then(|node| keys::text(node, "`name`", findings)).map(str::to_owned);
    let start = keys.required("start", "a test", findings).and_then(|node| instant(node, findings));
    let given = keys.optional("given").map_or_else(Map::new, |node| fields(node, &[], "`given`", findings));
    let with_all = keys
        .optional("with")
        .and_then(|node| keys::word(node, "choice", &[("all", true), ("rule", false)], findings))
        .unwrap_or(false);
    let geo = keys.optional("geo").map(|node| read_geo(node, findings)).unwrap_or_default();
    let lists = keys.optional("lists").map(|node| read_lists(node, findings)).unwrap_or_default();
    let (mut steps, errors) = (Vec::new(), findings.error_count());
    if let Some(node) = keys.required("steps", "a test", findings) {
        for item in keys::list(node, "`steps`", findings) {
            steps.extend(read_steps(item, &given, start, findings));
        }
    }
    // What could not be read may have expected something.
    if let (Some(name), Some(node), true) = (&name, name_node, errors == findings.error_count()) {
        check_steps(name, &node.span, &steps, findings);
    }
    Some(TestCase { name: name?, span: name_node?.span.clone(), start: start?, with_all, geo, lists, steps })
}

/// A test that does nothing, or expects nothing, would always pass.
fn check_steps(name: &str, span: &Range<usize>, steps: &[Step], findings: &mut Findings) {
    let is_empty = |step: &Step| Expect { span: 0..0, ..step.expect.clone() } == Expect::default();
    let (what, help) = if steps.is_empty() {
        ("has no steps", "a step is an operation and what is expected of it")
    } else if steps.iter().all(is_empty) {
        ("expects nothing", "say in `expect` of a step what must hold after it, such as `{verdict: hold}`")
    } else {
        return;
    };
    findings.error(Code::EmptyTest, span, format!("the test `{name}` {what}")).label("it would always pass").help(help);
}

/// Names the expectations of rules that are not there: they could never be met, or never fail.
#[must_use]
pub fn unknown_rules(file: &SourceFile, tests: &TestFile, is_known: impl Fn(&str) -> bool) -> Vec<Diagnostic> {
    let text = String::from_utf8_lossy(&file.bytes);
    let mut findings = Findings::new(&file.path);
    let mut seen = std::collections::BTreeSet::new();
    for step in tests.tests.iter().flat_map(|test| &test.steps) {
        for name in step.expect.rules().filter(|name| !is_known(name) && *name != BUILT_IN_RULE) {
            let within = text.get(step.expect.span.clone()).unwrap_or_default();
            let start = step.expect.span.start + within.find(name).unwrap_or(0);
            if seen.insert(start) {
                findings
                    .error(Code::UnknownRule, &(start..start + name.len()), format!("there is no rule `{name}`"))
                    .label("not a rule of this folder");
            }
        }
    }
    findings.list
}

/// Returns the rule whose tests a file holds, by its name.
#[must_use]
pub fn rule_of_tests(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".test.yaml").or_else(|| name.strip_suffix(".test.yml"))
}

/// Reads a step, or the `steps` of a group that is repeated `times` as a whole.
fn read_steps(node: &Node, given: &Map<String, Value>, start: Option<Time>, findings: &mut Findings) -> Vec<Step> {
    let is_group = matches!(&node.kind, NodeKind::Mapping(entries) if entries.iter().any(|entry| entry.key == "steps"));
    if !is_group {
        return read_step(node, given, start, findings).into_iter().collect();
    }
    let Some(keys) = Keys::open(node, "a group of steps", &["steps", "times", "every"], findings) else {
        return Vec::new();
    };
    let times = keys.optional("times").map_or(Some(1), |node| repetitions(node, findings));
    let every = keys.optional("every").map_or(Some(Nanos::ZERO), |node| span_of_time(node, findings));
    let mut once = Vec::new();
    for item in keys.optional("steps").map_or_else(Vec::new, |node| keys::list(node, "`steps`", findings)) {
        once.extend(read_step(item, given, start, findings));
    }
    let (times, every) = (times.unwrap_or(0), every.unwrap_or(Nanos::ZERO));
    let later = |step: &Step, round: u32| {
        let at = step.at.saturating_add(every.saturating_mul(i64::from(round)));
        Step { at, ..step.clone() }
    };
    (0..times).flat_map(|round| once.iter().map(move |step| later(step, round))).collect()
}

fn read_step(node: &Node, given: &Map<String, Value>, start: Option<Time>, findings: &mut Findings) -> Option<Step> {
    let NodeKind::Mapping(entries) = &node.kind else {
        findings
            .error(Code::WrongShape, &node.span, "a step must be a mapping of keys")
            .label(format!("this is {}", node.describe()));
        return None;
    };
    let own = fields(node, &STEP_KEYS, "a step", findings);
    let find = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let at = match find("at") {
        Some(node) => at(node, start, findings),
        None => Some(Nanos::ZERO),
    };
    let times = find("times").map_or(Some(1), |node| repetitions(node, findings));
    let every = match find("every") {
        Some(node) => span_of_time(node, findings),
        None => Some(Nanos::ZERO),
    };
    let expect = find("expect").map(|node| expect::read(node, start, findings)).unwrap_or_default();
    let mut operation = given.clone();
    merge(&mut operation, own);
    Some(Step { at: at?, times: times?, every: every?, operation, expect, span: node.span.clone() })
}

/// Lays the step's fields over the given ones; objects are merged key by key, `null` removes a field.
fn merge(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (_, Value::Null) => {
                base.remove(&key);
            }
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Reads the operation's fields of a mapping, leaving out the keys that belong to the test.
fn fields(node: &Node, but: &[&str], what: &str, findings: &mut Findings) -> Map<String, Value> {
    let known: Vec<&str> = but.iter().chain(&FIELD_KEYS).copied().collect();
    let mut out = Map::new();
    if Keys::open(node, what, &known, findings).is_some()
        && let NodeKind::Mapping(entries) = &node.kind
    {
        for Entry { key, value, .. } in entries.iter().filter(|entry| !but.contains(&entry.key.as_str())) {
            out.insert(key.clone(), json(value));
        }
    }
    out
}

/// Plain `true`, `false` and whole numbers are themselves, everything else is text.
fn json(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Empty => Value::Null,
        NodeKind::Scalar { text, style: Style::Plain } => match (text.as_str(), text.parse::<i64>()) {
            ("true", _) => Value::Bool(true),
            ("false", _) => Value::Bool(false),
            (_, Ok(number)) => Value::Number(Number::from(number)),
            (text, Err(_)) => Value::String(text.to_owned()),
        },
        NodeKind::Scalar { text, .. } => Value::String(text.clone()),
        NodeKind::Sequence(items) => Value::Array(items.iter().map(json).collect()),
        NodeKind::Mapping(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect())
        }
    }
}

fn read_geo(node: &Node, findings: &mut Findings) -> BTreeMap<String, TestAddress> {
    let mut out = BTreeMap::new();
    let NodeKind::Mapping(entries) = &node.kind else {
        findings
            .error(Code::WrongShape, &node.span, "`geo` must be a mapping of addresses")
            .label(format!("this is {}", node.describe()));
        return out;
    };
    for entry in entries {
        if entry.key.parse::<std::net::IpAddr>().is_err() {
            findings
                .error(Code::BadValue, &entry.key_span, format!("`{}` is not an address", entry.key))
                .label("neither IPv4 nor IPv6");
        }
        let Some(keys) = Keys::open(&entry.value, "an address", &["country", "anonymizer"], findings) else { continue };
        let country = keys.optional("country").and_then(|node| {
            let text = keys::text(node, "`country`", findings)?;
            if let ([first, second], true) = (text.as_bytes(), is_country(text)) {
                return Some([*first, *second]);
            }
            findings.not_a_country(text, &node.span);
            None
        });
        let anonymizer = keys
            .optional("anonymizer")
            .and_then(|node| keys::word(node, "choice", &[("true", true), ("false", false)], findings))
            .unwrap_or(false);
        out.insert(entry.key.clone(), TestAddress { country, anonymizer });
    }
    out
}

fn read_lists(node: &Node, findings: &mut Findings) -> BTreeMap<String, TestList> {
    let NodeKind::Mapping(entries) = &node.kind else {
        findings
            .error(Code::WrongShape, &node.span, "`lists` must be a mapping of list names")
            .label(format!("this is {}", node.describe()));
        return BTreeMap::new();
    };
    let mut read = |entry: &Entry| {
        let items = keys::list(&entry.value, "the list", findings);
        let text = |item: &Node| Some((keys::text(item, "an item", findings)?.to_owned(), item.span.clone()));
        let values = items.into_iter().filter_map(text).collect();
        (entry.key.clone(), TestList { span: entry.key_span.clone(), values })
    };
    entries.iter().map(&mut read).collect()
}

fn texts(node: &Node, what: &str, findings: &mut Findings) -> Vec<String> {
    let items = keys::list(node, what, findings);
    items.into_iter().filter_map(|item| keys::text(item, "an item", findings)).map(str::to_owned).collect()
}

fn repetitions(node: &Node, findings: &mut Findings) -> Option<u32> {
    let text = keys::text(node, "`times`", findings)?;
    let times = text.parse().ok().filter(|times| (1..=TIMES_MAX).contains(times));
    if times.is_none() {
        findings
            .error(Code::BadValue, &node.span, format!("`times` is a whole number from 1 to {TIMES_MAX}"))
            .label("here");
    }
    times
}

/// A distance from the start (`1h30m`, `-5m`) or an instant.
fn at(node: &Node, start: Option<Time>, findings: &mut Findings) -> Option<Nanos> {
    let text = keys::text(node, "`at`", findings)?;
    if text.contains('T') {
        return Some(instant(node, findings)?.since(start?));
    }
    span_of_time(node, findings)
}

fn span_of_time(node: &Node, findings: &mut Findings) -> Option<Nanos> {
    let text = keys::text(node, "a duration", findings)?;
    let parsed = parse_duration(text);
    if parsed.is_none() {
        findings
            .error(Code::BadDuration, &node.span, format!("`{text}` is not a duration"))
            .label("here")
            .help("write `0m`, `1h30m`, `59m59.999s`, `2d` or `-5m`");
    }
    parsed
}

/// Reads `-1d2h3m4.005s`: each unit at most once, large before small; only seconds have decimals.
fn parse_duration(text: &str) -> Option<Nanos> {
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if rest.is_empty() {
        return None;
    }
    let mut total = Nanos::ZERO;
    let mut units: &[(char, Nanos)] = &[('d', DAY), ('h', HOUR), ('m', MINUTE), ('s', SECOND)];
    while !rest.is_empty() {
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest[length..].chars().next()?;
        let position = units.iter().position(|(name, _)| *name == unit)?;
        let nanos = scaled(&rest[..length], units[position].1, unit == 's')?;
        total = total.checked_add(nanos)?;
        units = &units[position + 1..];
        rest = &rest[length + 1..];
    }
    Some(if negative { -total } else { total })
}

fn scaled(number: &str, unit: Nanos, decimals: bool) -> Option<Nanos> {
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut span = unit.checked_mul(whole.parse().ok()?)?;
    if let Some(fraction) = fraction {
        if !decimals || fraction.is_empty() || fraction.len() > 9 {
            return None;
        }
        span = span.checked_add(Nanos::new(format!("{fraction:0<9}").parse().ok()?))?;
    }
    Some(span)
}

fn instant(node: &Node, findings: &mut Findings) -> Option<Time> {
    let text = keys::text(node, "a time", findings)?;
    let parsed =
        DateTime::parse_from_rfc3339(text).ok().and_then(|time| time.timestamp_nanos_opt()).map(Time::from_nanos);
    let found = parsed.filter(|time| (Time::ACCEPTED_FROM..Time::ACCEPTED_UNTIL).contains(time));
    if found.is_none() {
        findings
            .error(Code::BadTime, &node.span, format!("`{text}` is not a time"))
            .label("here")
            .help("write it with the offset, between 2000 and 2100: `2026-03-02T12:00:00+05:00`");
    }
    found
}
