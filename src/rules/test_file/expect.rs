//! `expect` of a step: what must hold after it.

use std::ops::Range;

use super::at;
use crate::operation::Time;
use crate::operation::time::Nanos;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::keys::{self, Keys};
use crate::rules::yaml::{Node, NodeKind};

/// What must hold after a step; `None` is "do not care". All lists are compared as sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expect {
    pub verdict: Option<String>,
    pub matches: Option<Vec<String>>,
    pub shadow: Option<Vec<String>>,
    pub commands: Option<Vec<ExpectedCommand>>,
    /// Restrictions in force after the step.
    pub restrictions: Option<Vec<ExpectedRestriction>>,
    /// Names of the inputs that were missing.
    pub degraded: Option<Vec<String>>,
    /// The operation is refused as a record: there is no decision.
    pub rejected: Option<ExpectedRejection>,
    /// Where `expect` stands.
    pub span: Range<usize>,
}

/// Commands that a decision must hold: those of a kind of which everything named is true.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpectedCommand {
    pub kind: String,
    pub rule: Option<String>,
    /// The operation, wallet or address that the command is about.
    pub of: Option<String>,
    pub terms: ExpectedTerms,
    /// How many of them there are; at least one when left out.
    pub times: Option<u32>,
}

/// Restrictions that must be in force: those of a rule of which everything named is true.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpectedRestriction {
    pub rule: String,
    /// `monitor`, `block`, or `hold` for the hold of a single operation.
    pub kind: Option<String>,
    pub terms: ExpectedTerms,
    /// How many of them there are; at least one when left out.
    pub times: Option<u32>,
}

/// From when until when a restriction holds, counted from the start of the test.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpectedTerms {
    pub from: Option<Nanos>,
    /// `Some(None)`: it has no end.
    pub until: Option<Option<Nanos>>,
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedRejection {
    pub code: String,
    pub field: Option<String>,
}

impl Expect {
    /// Lists the rules that it names.
    pub(super) fn rules(&self) -> impl Iterator<Item = &str> {
        let fired = [&self.matches, &self.shadow].into_iter().flatten().flatten().map(String::as_str);
        let commands = self.commands.iter().flatten().filter_map(|command| command.rule.as_deref());
        let restrictions = self.restrictions.iter().flatten().map(|restriction| restriction.rule.as_str());
        fired.chain(commands).chain(restrictions)
    }
}

const EXPECT_KEYS: [&str; 7] = ["verdict", "matches", "shadow", "commands", "restrictions", "degraded", "rejected"];
const VERDICTS: [&str; 4] = ["allow", "challenge", "hold", "refuse"];
const COMMANDS: [&str; 9] = ["refuse", "hold", "challenge", "monitor", "block", "lift", "release", "cancel", "report"];
const KINDS: [&str; 3] = ["monitor", "block", "hold"];

/// Reads `expect`; times in it count from `start`.
pub(super) fn read(node: &Node, start: Option<Time>, findings: &mut Findings) -> Expect {
    let mut expect = Expect { span: node.span.clone(), ..Expect::default() };
    let Some(keys) = Keys::open(node, "`expect`", &EXPECT_KEYS, findings) else {
        return expect;
    };
    expect.verdict = keys.optional("verdict").and_then(|node| word(node, "verdict", &VERDICTS, findings));
    expect.matches = keys.optional("matches").map(|node| super::texts(node, "`matches`", findings));
    expect.shadow = keys.optional("shadow").map(|node| super::texts(node, "`shadow`", findings));
    expect.degraded = keys.optional("degraded").map(|node| super::texts(node, "`degraded`", findings));
    expect.commands = keys.optional("commands").map(|node| {
        let items = keys::list(node, "`commands`", findings);
        items.into_iter().filter_map(|item| command(item, start, findings)).collect()
    });
    expect.restrictions = keys.optional("restrictions").map(|node| {
        let items = keys::list(node, "`restrictions`", findings);
        items.into_iter().filter_map(|item| restriction(item, start, findings)).collect()
    });
    expect.rejected = keys.optional("rejected").and_then(|node| rejection(node, findings));
    if let (Some(_), Some(entry)) = (&expect.rejected, keys.entry("rejected"))
        && [&expect.matches, &expect.shadow, &expect.degraded].into_iter().any(Option::is_some)
            | expect.verdict.is_some()
    {
        findings
            .error(Code::WrongShape, &entry.key_span, "a record that is refused has no decision")
            .label("leave out what is expected of the decision");
    }
    expect
}

fn word(node: &Node, what: &str, words: &[&'static str], findings: &mut Findings) -> Option<String> {
    let words: Vec<(&'static str, &'static str)> = words.iter().map(|name| (*name, *name)).collect();
    keys::word(node, what, &words, findings).map(str::to_owned)
}

/// A kind, or `{command: release, of: op-3}`.
fn command(node: &Node, start: Option<Time>, findings: &mut Findings) -> Option<ExpectedCommand> {
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        let kind = word(node, "command", &COMMANDS, findings)?;
        return Some(ExpectedCommand { kind, ..ExpectedCommand::default() });
    }
    let known = ["command", "rule", "of", "from", "until", "times"];
    let keys = Keys::open(node, "an expected command", &known, findings)?;
    let kind = keys
        .required("command", "an expected command", findings)
        .and_then(|node| word(node, "command", &COMMANDS, findings));
    let rule = text(&keys, "rule", findings);
    let of = text(&keys, "of", findings);
    Some(ExpectedCommand { kind: kind?, rule, of, terms: terms(&keys, start, findings), times: times(&keys, findings) })
}

/// A rule, or `{rule: login-country-change, kind: block, until: 4h}`.
fn restriction(node: &Node, start: Option<Time>, findings: &mut Findings) -> Option<ExpectedRestriction> {
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        let rule = keys::text(node, "a rule", findings)?.to_owned();
        return Some(ExpectedRestriction { rule, ..ExpectedRestriction::default() });
    }
    let known = ["rule", "kind", "from", "until", "times"];
    let keys = Keys::open(node, "an expected restriction", &known, findings)?;
    let rule = keys
        .required("rule", "an expected restriction", findings)
        .and_then(|node| keys::text(node, "`rule`", findings))
        .map(str::to_owned);
    let kind = keys.optional("kind").and_then(|node| word(node, "kind", &KINDS, findings));
    Some(ExpectedRestriction { rule: rule?, kind, terms: terms(&keys, start, findings), times: times(&keys, findings) })
}

/// A code, or `{code: invalid_field, field: counterparty.kind}`.
fn rejection(node: &Node, findings: &mut Findings) -> Option<ExpectedRejection> {
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        return Some(ExpectedRejection { code: keys::text(node, "`rejected`", findings)?.to_owned(), field: None });
    }
    let keys = Keys::open(node, "`rejected`", &["code", "field"], findings)?;
    let code = keys.required("code", "`rejected`", findings).and_then(|node| keys::text(node, "`code`", findings));
    Some(ExpectedRejection { code: code?.to_owned(), field: text(&keys, "field", findings) })
}

fn text(keys: &Keys<'_>, key: &str, findings: &mut Findings) -> Option<String> {
    keys.optional(key).and_then(|node| keys::text(node, &format!("`{key}`"), findings)).map(str::to_owned)
}

fn times(keys: &Keys<'_>, findings: &mut Findings) -> Option<u32> {
    keys.optional("times").and_then(|node| super::repetitions(node, findings))
}

fn terms(keys: &Keys<'_>, start: Option<Time>, findings: &mut Findings) -> ExpectedTerms {
    let from = keys.optional("from").and_then(|node| at(node, start, findings));
    let until = keys.optional("until").and_then(|node| match &node.kind {
        NodeKind::Scalar { text, .. } if text.trim() == "until_lifted" => Some(None),
        _ => at(node, start, findings).map(Some),
    });
    ExpectedTerms { from, until }
}
