//! One rule file: its keys, its condition, its actions, and what they may not say together.

mod actions;
mod message;

pub(crate) use actions::{ACTIONS, DAYS_MAX, MONTHS_MAX};

use std::ops::Range;
use std::sync::Arc;

use super::budget::{self, Stated};
use super::check::{Checker, World};
use super::diagnostic::{Code, Diagnostic, Findings};
use super::fields;
use super::keys::{self, Keys};
use super::parse;
use super::program::{Action, Aggregate, Condition, Field, Function, Mode, OnMissing, Rule, Stream, TypeSet};
use super::syntax::{Expression, ExpressionKind};
use super::yaml::{self, Node, NodeKind, Style};
use crate::operation::localized::Localized;
use crate::operation::time::almaty_midnight;
use crate::operation::{OperationType, Time};

/// The keys of a rule file, in the order in which they are documented and laid out.
pub(crate) const KEYS: [&str; 15] = [
    "rule",
    "clauses",
    "title",
    "owner",
    "severity",
    "mode",
    "from",
    "until",
    "on",
    "when",
    "on_missing",
    "then",
    "budget",
    "message",
    "notes",
];

/// A rule that was read, and where the parts stand that other checks point at.
#[derive(Debug)]
pub(crate) struct RuleFile {
    pub(crate) rule: Rule,
    pub(crate) id_span: Range<usize>,
    pub(crate) when_span: Range<usize>,
    pub(crate) budget: Stated,
}

/// What reading one file gives.
#[derive(Debug)]
pub(crate) struct Reading {
    /// `None` when a part without which there is no rule could not be read.
    pub(crate) file: Option<RuleFile>,
    pub(crate) findings: Vec<Diagnostic>,
}

/// Reads one rule file.
pub(crate) fn read(path: &str, text: &str, world: &mut World) -> Reading {
    let mut findings = Findings::new(path);
    let file = yaml::parse(text, &mut findings).and_then(|root| {
        let keys = Keys::open(&root, "a rule", &KEYS, &mut findings)?;
        read_keys(path, text, &keys, &mut Checker::new(text, &mut findings, world))
    });
    if file.is_none() && findings.list.is_empty() {
        findings.error(Code::WrongShape, &(0..0), "the file is empty").label("a rule was expected");
    }
    Reading { file, findings: findings.list }
}

/// Reads the keys in an order in which each has what it needs; all are read, whatever is wrong.
fn read_keys(path: &str, text: &str, keys: &Keys<'_>, checker: &mut Checker<'_>) -> Option<RuleFile> {
    let id_node = keys.required("rule", "the rule", checker.findings);
    let id = id_node.and_then(|node| read_id(path, node, checker.findings));
    let clauses =
        keys.required("clauses", "the rule", checker.findings).map(|node| read_clauses(node, checker.findings));
    let title = keys
        .required("title", "the rule", checker.findings)
        .and_then(|node| localized(node, "title", checker.findings));
    let owner = required_text(keys, "owner", checker.findings);
    let mode = keys.required("mode", "the rule", checker.findings).and_then(|node| read_mode(node, checker.findings));
    let on = keys.required("on", "the rule", checker.findings).map(|node| read_on(node, checker.findings));
    let (from, until) = read_period(keys, checker.findings);
    let on_missing = keys.optional("on_missing").and_then(|node| {
        keys::word(node, "choice", &[("skip", OnMissing::Skip), ("fire", OnMissing::Fire)], checker.findings)
    });
    let errors_before = checker.findings.error_count();
    let (when, has_actions) = read_condition(text, keys, checker);
    let may_miss = std::mem::take(&mut checker.reads.may_miss);
    let on = on.unwrap_or_default();
    let then = (!has_actions).then(|| keys.required("then", "the rule", checker.findings)).flatten();
    let actions = then.map(|node| actions::read(node, on, checker)).unwrap_or_default();
    let is_read = checker.findings.error_count() == errors_before;
    if keys.optional("on_missing").is_none() && !keys.is_meant("on_missing") && demands_on_missing(&actions) {
        check_on_missing(on, &may_miss, checker);
    }
    let budget = budget::of_rule(keys.optional("budget"), checker.findings);
    budget::check(keys.optional("budget"), budget, &actions, checker.findings);
    let evidence = checker.reads.evidence();
    let known = is_read.then_some(evidence.as_slice());
    let message = keys.optional("message").and_then(|node| message::read(node, text, known, checker.findings));
    let severity = optional_text(keys, "severity", checker.findings);
    let notes = optional_text(keys, "notes", checker.findings);
    let when_span = keys.entry("when").map_or_else(|| keys.span().clone(), |entry| entry.key_span.clone());
    let rule = Rule {
        id: Arc::from(id?),
        clauses: clauses?.into(),
        title: title?,
        message,
        owner: owner?,
        severity,
        notes,
        mode: mode?,
        on,
        from,
        until,
        on_missing: on_missing.unwrap_or(OnMissing::Skip),
        budget: None,
        when,
        actions,
        evidence,
        needs: checker.reads.needs,
        attributes: checker.reads.attributes.iter().cloned().collect(),
        reads_login_run: checker.reads.aggregates.iter().any(|id| is_login_run(&checker.world.aggregates[*id])),
        aggregates: checker.reads.aggregates.clone(),
        lists: checker.reads.lists.iter().copied().collect(),
        stage: 0,
        path: path.to_owned(),
        source: text.to_owned(),
    };
    Some(RuleFile { rule, id_span: id_node?.span.clone(), when_span, budget })
}

fn is_login_run(aggregate: &Aggregate) -> bool {
    let over_logins = match aggregate.stream {
        Stream::Operations(types) => types.contains(OperationType::Login),
        Stream::Matches => false,
    };
    aggregate.function == Function::Streak && over_logins
}

fn required_text(keys: &Keys<'_>, key: &str, findings: &mut Findings) -> Option<String> {
    let node = keys.required(key, "the rule", findings)?;
    keys::text(node, &format!("`{key}`"), findings).map(str::to_owned)
}

fn optional_text(keys: &Keys<'_>, key: &str, findings: &mut Findings) -> Option<String> {
    keys.optional(key).and_then(|node| keys::text(node, &format!("`{key}`"), findings)).map(str::to_owned)
}

/// What a rule id is made of.
pub(crate) const IDS: &str = "only `a`–`z`, `0`–`9` and `-`, at most 64";

/// Tells whether a text can be the id of a rule: it names the file and stands in commands.
pub(crate) fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(fits)
}

/// The id is the file's name.
fn read_id<'n>(path: &str, node: &'n Node, findings: &mut Findings) -> Option<&'n str> {
    let id = keys::text(node, "`rule`", findings)?;
    if !is_id(id) {
        findings.error(Code::RuleId, &node.span, format!("`{id}` cannot be a rule id")).label(IDS);
        return None;
    }
    let stem = file_stem(path);
    if stem != id {
        findings
            .error(Code::RuleId, &node.span, "the rule id is not the file's name")
            .label(format!("the file is `{stem}.yaml`"))
            .help(format!("rename the file to `{id}.yaml`, or write `rule: {stem}`"));
    }
    Some(id)
}

/// Returns the file name without folders and `.yaml`.
pub(crate) fn file_stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.strip_suffix(".yaml").unwrap_or(name)
}

fn read_clauses(node: &Node, findings: &mut Findings) -> Vec<Arc<str>> {
    let mut clauses = Vec::new();
    for item in keys::list(node, "`clauses`", findings) {
        let Some(clause) = keys::text(item, "a clause", findings) else {
            continue;
        };
        // `7.20` unquoted is the number 7.2 to every other YAML reader.
        let plain = matches!(item.kind, NodeKind::Scalar { style: Style::Plain, .. });
        if plain && clause.parse::<rust_decimal::Decimal>().is_ok() {
            findings
                .error(Code::BadValue, &item.span, "a clause is a text and needs quotes")
                .label("read as a number, which loses the final zero of 7.20")
                .help(format!("write `\"{clause}\"`"));
        }
        clauses.push(Arc::from(clause));
    }
    if matches!(&node.kind, NodeKind::Sequence(items) if items.is_empty()) {
        findings.error(Code::WrongShape, &node.span, "a rule names at least one clause").label("empty");
    }
    clauses
}

fn localized(node: &Node, what: &str, findings: &mut Findings) -> Option<Localized> {
    let keys = Keys::open(node, &format!("`{what}`"), &["kk", "ru", "en"], findings)?;
    let mut language = |key: &str| {
        let node = keys.required(key, &format!("`{what}`"), findings)?;
        keys::text(node, &format!("`{what}.{key}`"), findings).map(str::to_owned)
    };
    let (kk, ru, en) = (language("kk"), language("ru"), language("en"));
    Some(Localized { kk: kk?, ru: ru?, en: en? })
}

fn read_mode(node: &Node, findings: &mut Findings) -> Option<Mode> {
    let modes = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow), ("off", Mode::Off)];
    keys::word(node, "mode", &modes, findings)
}

fn read_on(node: &Node, findings: &mut Findings) -> TypeSet {
    let mut types = TypeSet::default();
    for item in keys::list(node, "`on`", findings) {
        let Some(name) = keys::text(item, "an operation type", findings) else {
            continue;
        };
        match fields::type_set(name) {
            Some(set) => types.0 |= set.0,
            None => {
                findings
                    .error(Code::UnknownType, &item.span, format!("unknown operation type `{name}`"))
                    .label("not an operation type or a class")
                    .nearest(name, fields::type_names());
            }
        }
    }
    types
}

/// `from` and `until` are days in Almaty, `until` included.
fn read_period(keys: &Keys<'_>, findings: &mut Findings) -> (Option<Time>, Option<Time>) {
    let from = keys.optional("from").and_then(|node| keys::date(node, "`from`", findings));
    let until_node = keys.optional("until");
    let until = until_node.and_then(|node| keys::date(node, "`until`", findings));
    if let (Some(from), Some(until), Some(node)) = (from, until, until_node)
        && until < from
    {
        findings
            .error(Code::BadPeriod, &node.span, "`until` is before `from`")
            .label(format!("the rule starts on {from}"));
    }
    (from.map(almaty_midnight), until.and_then(|day| day.succ_opt()).map(almaty_midnight))
}

/// Reads `when`, if there is one; tells whether actions became lines of it.
fn read_condition(text: &str, keys: &Keys<'_>, checker: &mut Checker<'_>) -> (Condition, bool) {
    let Some(node) = keys.optional("when") else { return (Condition::Literal(true), false) };
    let (node, has_actions) = without_actions(text, node.clone(), keys, checker.findings);
    (read_when(&node, checker), has_actions)
}

/// Where the line `then:` was lost, the actions below it became lines of the condition: they are reported as what they
/// are, and the condition ends before them. Tells whether there are any.
fn without_actions(text: &str, mut node: Node, keys: &Keys<'_>, findings: &mut Findings) -> (Node, bool) {
    if keys.optional("then").is_some() || keys.is_meant("then") || !matches!(node.kind, NodeKind::Scalar { .. }) {
        return (node, false);
    }
    let raw = text.get(node.span.clone()).unwrap_or_default();
    let mut start = node.span.start;
    for line in raw.split_inclusive('\n') {
        let item = line.trim().strip_prefix("- ").unwrap_or_default();
        let name = item.split(|c: char| c != '_' && !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if ACTIONS.contains(&name) {
            let from = start + line.len() - line.trim_start().len();
            findings
                .error(Code::MissingKey, &(from..from + line.trim().len()), "the rule lacks the key `then`")
                .label("this action became a line of the condition")
                .help("write `then:` on a line of its own above it");
            node.span.end = from;
            return (node, true);
        }
        start += line.len();
    }
    (node, false)
}

fn read_when(node: &Node, checker: &mut Checker<'_>) -> Condition {
    let expression = when_expression(node, checker, 0);
    checker.condition(&expression)
}

/// Returns the condition of a rule's text as it was written, if the text can be read so far.
pub(crate) fn condition_of(text: &str) -> Option<Expression> {
    as_written(text, |keys, checker| keys.optional("when").map(|node| when_expression(node, checker, 0)))?
}

/// Returns every condition of a rule's text as it was written, as far as it can be read: `when`, and the `when` of each
/// report.
pub(crate) fn conditions_of(text: &str) -> Vec<Expression> {
    let of_reports = |keys: &Keys<'_>, checker: &mut Checker<'_>| -> Vec<Expression> {
        let actions = match keys.optional("then").map(|node| &node.kind) {
            Some(NodeKind::Sequence(items)) => items.as_slice(),
            _ => &[],
        };
        let reports = actions.iter().filter_map(|item| item.at(&["report", "when"]));
        reports.map(|node| actions::expression(node, checker)).collect()
    };
    condition_of(text).into_iter().chain(as_written(text, of_reports).unwrap_or_default()).collect()
}

/// Reads a part of a rule's text, whatever is wrong with it.
fn as_written<T>(text: &str, read: impl FnOnce(&Keys<'_>, &mut Checker<'_>) -> T) -> Option<T> {
    let mut findings = Findings::new("");
    let root = yaml::parse(text, &mut findings)?;
    let keys = Keys::open(&root, "a rule", &KEYS, &mut findings)?;
    let mut world = World::default();
    Some(read(&keys, &mut Checker::new(text, &mut findings, &mut world)))
}

/// A text, or `all:`/`any:` of texts (and of further `all:`/`any:`).
fn when_expression(node: &Node, checker: &mut Checker<'_>, depth: usize) -> Expression {
    let broken = Expression { span: node.span.clone(), kind: ExpressionKind::Broken };
    if depth > parse::DEPTH_MAX {
        checker
            .findings
            .error(Code::TooDeep, &node.span, format!("the condition is nested more than {} deep", parse::DEPTH_MAX))
            .label("too deep here");
        return broken;
    }
    match &node.kind {
        NodeKind::Scalar { .. } | NodeKind::Empty => actions::expression(node, checker),
        NodeKind::Mapping(entries) => {
            let Some(keys) = Keys::open(node, "`when`", &["all", "any"], checker.findings) else {
                return broken;
            };
            if entries.len() != 1 {
                checker
                    .findings
                    .error(Code::WrongShape, keys.span(), "`when` has one of `all:` and `any:`")
                    .label("exactly one key belongs here");
                return broken;
            }
            let of_all = keys.optional("all").is_some();
            let value = &entries[0].value;
            let NodeKind::Sequence(items) = &value.kind else {
                checker
                    .findings
                    .error(Code::WrongShape, &value.span, "a list of conditions was expected")
                    .label(format!("this is {}", value.describe()));
                return broken;
            };
            if items.is_empty() {
                checker.findings.error(Code::EmptyCondition, &value.span, "the condition is empty").label("no items");
            }
            let parts = items.iter().map(|item| when_expression(item, checker, depth + 1)).collect();
            let kind = if of_all { ExpressionKind::All(parts) } else { ExpressionKind::Any(parts) };
            Expression { span: node.span.clone(), kind }
        }
        NodeKind::Sequence(_) => {
            checker
                .findings
                .error(Code::WrongShape, &node.span, "`when` cannot be a bare list")
                .label("all of them, or any?")
                .help("write `all:` or `any:` above the list");
            broken
        }
    }
}

fn demands_on_missing(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Refuse | Action::Block { .. }))
}

/// A rule that refuses or blocks must say what an absent field does.
fn check_on_missing(on: TypeSet, may_miss: &[(Field, Range<usize>)], checker: &mut Checker<'_>) {
    for (field, span) in may_miss {
        let without: Vec<&str> = OperationType::ALL
            .iter()
            .filter(|kind| on.contains(**kind) && !fields::is_always_present(field, **kind))
            .map(|kind| kind.name())
            .collect();
        if let Some(first) = without.first() {
            let path = fields::path(field);
            checker
                .findings
                .error(
                    Code::OnMissingUnset,
                    span,
                    format!("a rule that refuses or blocks must say what happens when `{path}` is missing"),
                )
                .label(format!("`{first}` may come without it"))
                .help("add `on_missing: skip` (do nothing then) or `on_missing: fire` (act as if it held)");
            return;
        }
    }
}
