//! The `then` of a rule: what may be asked of the ledger, and which asks make no sense.

use std::ops::Range;

use crate::operation::OperationType;
use crate::operation::time::{DAY, HOUR, MINUTE, Nanos, SECOND};
use crate::rules::check::Checker;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::keys::{self, Keys};
use crate::rules::parse;
use crate::rules::program::{Action, Block, BlockTerm, Lifter, Lifters, Recipient, TypeSet};
use crate::rules::syntax::{Expression, ExpressionKind};
use crate::rules::yaml::{Node, NodeKind};

pub(crate) const ACTIONS: [&str; 8] =
    ["hold", "monitor", "challenge", "refuse", "block", "report", "cancel_waiting", "cancel_referenced"];

/// Longest term of a block, as a guard against slips of the pen.
pub(crate) const DAYS_MAX: u32 = 3_660;
pub(crate) const MONTHS_MAX: u32 = 120;

/// Reads the list of actions for a rule on these operation types.
pub(super) fn read(node: &Node, on: TypeSet, checker: &mut Checker<'_>) -> Vec<Action> {
    let NodeKind::Sequence(items) = &node.kind else {
        checker
            .findings
            .error(Code::WrongShape, &node.span, "`then` must be a list of actions")
            .label(format!("this is {}", node.describe()))
            .help("write each action on its own line after `- `");
        return Vec::new();
    };
    let mut actions: Vec<Action> = Vec::new();
    for item in items {
        let Some(action) = read_action(item, checker) else {
            continue;
        };
        if actions.iter().any(|known| is_same(known, &action)) {
            checker
                .findings
                .error(Code::DuplicateAction, &item.span, "the rule asks for this twice")
                .label("second time here");
            continue;
        }
        check_types(&action, on, &item.span, checker.findings);
        actions.push(action);
    }
    actions
}

/// Tells whether two actions would give the same command.
fn is_same(one: &Action, other: &Action) -> bool {
    match (one, other) {
        (Action::Block { what: one, .. }, Action::Block { what: other, .. }) => one == other,
        (Action::Report { to: one, .. }, Action::Report { to: other, .. }) => one == other,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

fn read_action(item: &Node, checker: &mut Checker<'_>) -> Option<Action> {
    let empty = Node { span: item.span.clone(), kind: NodeKind::Empty };
    let (name, name_span, value) = match &item.kind {
        NodeKind::Scalar { text, .. } => (text.trim(), &item.span, &empty),
        NodeKind::Mapping(entries) if entries.len() == 1 => {
            (entries[0].key.as_str(), &entries[0].key_span, &entries[0].value)
        }
        NodeKind::Mapping(_) | NodeKind::Sequence(_) | NodeKind::Empty => {
            checker
                .findings
                .error(Code::WrongShape, &item.span, "an action is one word, or one word with its settings")
                .label(format!("this is {}", item.describe()))
                .help("for example `- hold`, `- challenge: pin`, `- monitor: {lifted_by: [identity_document]}`");
            return None;
        }
    };
    match name {
        "hold" => lifted_only(value, "hold", checker.findings).map(|lifted_by| Action::Hold { lifted_by }),
        "monitor" => lifted_only(value, "monitor", checker.findings).map(|lifted_by| Action::Monitor { lifted_by }),
        "refuse" => bare(value, Action::Refuse, checker.findings),
        "cancel_waiting" => bare(value, Action::CancelWaiting, checker.findings),
        "cancel_referenced" => bare(value, Action::CancelReferenced, checker.findings),
        "challenge" => {
            let words = [("pin", Action::ChallengePin), ("captcha", Action::ChallengeCaptcha)];
            let choices = [("pin", 0_usize), ("captcha", 1)];
            let chosen = keys::word(value, "challenge", &choices, checker.findings)?;
            Some(words[chosen].1.clone())
        }
        "block" => block(value, name_span, checker.findings),
        "report" => report(value, checker),
        _ => {
            checker
                .findings
                .error(Code::UnknownWord, name_span, format!("unknown action `{name}`"))
                .label("not an action")
                .nearest(name, ACTIONS);
            None
        }
    }
}

fn bare(value: &Node, action: Action, findings: &mut Findings) -> Option<Action> {
    if value.kind == NodeKind::Empty {
        return Some(action);
    }
    findings.error(Code::WrongShape, &value.span, "this action has no settings").label("leave this out");
    None
}

fn lifted_only(value: &Node, what: &str, findings: &mut Findings) -> Option<Lifters> {
    if value.kind == NodeKind::Empty {
        return Some(Lifters::PROOFS);
    }
    let keys = Keys::open(value, &format!("`{what}`"), &["lifted_by"], findings)?;
    let lifters = lifted_by(&keys, false, Lifters::PROOFS, findings)?;
    check_lifted(lifters, BlockTerm::UntilLifted, &keys, findings)
}

/// Reads `lifted_by`; support lifts what lies on an address, all others what lies on a wallet.
fn lifted_by(keys: &Keys<'_>, of_address: bool, default: Lifters, findings: &mut Findings) -> Option<Lifters> {
    let Some(node) = keys.optional("lifted_by") else {
        return Some(default);
    };
    let words: Vec<(&'static str, Lifter)> = Lifter::ALL.iter().map(|lifter| (lifter.name(), *lifter)).collect();
    let mut lifters = Lifters::default();
    let mut all_read = true;
    for item in keys::list(node, "`lifted_by`", findings) {
        let Some(lifter) = keys::word(item, "lifter", &words, findings) else {
            all_read = false;
            continue;
        };
        if (lifter == Lifter::Support) != of_address {
            let help = if of_address {
                "an address block is lifted by `support`"
            } else {
                "`support` lifts address blocks only"
            };
            findings
                .error(Code::CannotLift, &item.span, format!("`{}` cannot lift this", lifter.name()))
                .label("never happens")
                .help(help);
            all_read = false;
        }
        lifters = lifters.with(lifter);
    }
    all_read.then_some(lifters)
}

fn check_lifted(lifters: Lifters, term: BlockTerm, keys: &Keys<'_>, findings: &mut Findings) -> Option<Lifters> {
    if lifters != Lifters::default() || term != BlockTerm::UntilLifted {
        return Some(lifters);
    }
    findings
        .error(Code::NeverLifted, keys.span(), "nothing can lift this restriction and nothing ends it")
        .label("`lifted_by` is empty")
        .help("name who lifts it, or leave `lifted_by` out for the five proofs");
    None
}

fn block(value: &Node, name_span: &Range<usize>, findings: &mut Findings) -> Option<Action> {
    if value.kind == NodeKind::Empty {
        findings
            .error(Code::MissingKey, name_span, "`block` needs to say what, in which direction and for how long")
            .label("settings are missing")
            .help("for example `- block: {what: wallet, direction: debit, for: 30d}`");
        return None;
    }
    let keys = Keys::open(value, "`block`", &["what", "direction", "for", "lifted_by"], findings)?;
    let of_address = keys
        .required("what", "`block`", findings)
        .and_then(|node| keys::word(node, "subject", &[("wallet", false), ("ip", true)], findings));
    let directions = [("debit", Block::WalletDebit), ("both", Block::WalletBoth), ("login", Block::AddressLogin)];
    let direction_node = keys.required("direction", "`block`", findings);
    let what = direction_node.and_then(|node| keys::word(node, "direction", &directions, findings));
    let term = keys.required("for", "`block`", findings).and_then(|node| block_term(node, findings));
    let of_address = of_address?;
    let default = if of_address { Lifters::default().with(Lifter::Support) } else { Lifters::PROOFS };
    let lifters = lifted_by(&keys, of_address, default, findings);
    let (what, node) = (what?, direction_node?);
    if of_address != (what == Block::AddressLogin) {
        let (subject, help) = if of_address {
            ("an address", "an address is blocked for `login`")
        } else {
            ("a wallet", "a wallet is blocked for `debit` or `both`")
        };
        findings
            .error(Code::BlockDirection, &node.span, format!("{subject} cannot be blocked in this direction"))
            .label("does not fit `what`")
            .help(help);
        return None;
    }
    let term = term?;
    let lifted_by = check_lifted(lifters?, term, &keys, findings)?;
    Some(Action::Block { what, term, lifted_by })
}

fn block_term(node: &Node, findings: &mut Findings) -> Option<BlockTerm> {
    let text = keys::text(node, "`for`", findings)?;
    if text == "until_lifted" {
        return Some(BlockTerm::UntilLifted);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: Option<u32> = digits.parse().ok().filter(|count| *count > 0);
    let term = count.and_then(|count| match &text[digits.len()..] {
        "s" => exact(count, SECOND),
        "m" => exact(count, MINUTE),
        "h" => exact(count, HOUR),
        "d" => (count <= DAYS_MAX).then_some(BlockTerm::Days(count)),
        "mo" => (count <= MONTHS_MAX).then_some(BlockTerm::Months(count)),
        _ => None,
    });
    if term.is_none() {
        findings
            .error(Code::BadDuration, &node.span, format!("`{text}` is not a length of time"))
            .label("here")
            .help("write `2h`, `30d`, `6mo` (calendar months, at most 120) or `until_lifted`");
    }
    term
}

fn exact(count: u32, unit: Nanos) -> Option<BlockTerm> {
    let span = unit.checked_mul(i64::from(count))?;
    (span <= i64::from(DAYS_MAX) * DAY).then_some(BlockTerm::Exact(span))
}

fn report(value: &Node, checker: &mut Checker<'_>) -> Option<Action> {
    let recipients: Vec<(&'static str, Recipient)> = Recipient::ALL.iter().map(|to| (to.name(), *to)).collect();
    if !matches!(value.kind, NodeKind::Mapping(_)) {
        let to = keys::word(value, "recipient", &recipients, checker.findings)?;
        return Some(Action::Report { to, when: None });
    }
    let keys = Keys::open(value, "`report`", &["to", "when"], checker.findings)?;
    let to = keys
        .required("to", "`report`", checker.findings)
        .and_then(|node| keys::word(node, "recipient", &recipients, checker.findings));
    let when = keys.optional("when").map(|node| {
        let expression = expression(node, checker);
        checker.condition(&expression)
    });
    Some(Action::Report { to: to?, when })
}

/// Parses the text of a condition where it stands in the file.
pub(super) fn expression(node: &Node, checker: &mut Checker<'_>) -> Expression {
    let broken = Expression { span: node.span.clone(), kind: ExpressionKind::Broken };
    match &node.kind {
        NodeKind::Scalar { .. } if keys::is_quoted(node) => {
            checker
                .findings
                .error(Code::QuotedCondition, &node.span, "a condition is written without quotes")
                .label("quoted")
                .help("write it plainly after the key, or as a block: `when: |` and the text below");
            broken
        }
        NodeKind::Scalar { .. } => parse::parse(checker.file, node.span.clone(), checker.findings),
        NodeKind::Empty => {
            checker
                .findings
                .error(Code::EmptyCondition, &node.span, "the condition is empty")
                .label("nothing here")
                .help("leave the key out for a rule that always fires");
            broken
        }
        NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
            checker
                .findings
                .error(Code::WrongShape, &node.span, "a condition was expected")
                .label(format!("this is {}", node.describe()));
            broken
        }
    }
}

/// Only debits wait: a hold or a PIN challenge on anything else can never be answered.
fn check_types(action: &Action, on: TypeSet, span: &Range<usize>, findings: &mut Findings) {
    let (code, what) = match action {
        Action::Hold { .. } => (Code::HoldNotDebit, "hold"),
        Action::ChallengePin => (Code::ChallengeNotDebit, "challenge: pin"),
        Action::Refuse
        | Action::ChallengeCaptcha
        | Action::Monitor { .. }
        | Action::Block { .. }
        | Action::Report { .. }
        | Action::CancelWaiting
        | Action::CancelReferenced => return,
    };
    let others: Vec<&str> = OperationType::ALL
        .iter()
        .filter(|kind| on.contains(**kind) && !kind.is_debit())
        .map(|kind| kind.name())
        .collect();
    if !others.is_empty() {
        let shown = others.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        findings
            .error(code, span, format!("`{what}` is for debits only"))
            .label(format!("`on` also holds {shown}"))
            .help("only transfer, payment, cash_out and redemption can wait");
    }
}
