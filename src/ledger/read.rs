//! A decision as a reader of the topic sees it.

use std::borrow::Cow;

use crate::operation::decision::read::{CommandRecord, DecisionRecord, SubjectRecord};
use crate::operation::decision::{CommandKind, Verdict};
use crate::operation::{OperationType, Time};

/// Who may lift something, as a set of bits; the last bit stands for a word that is not known here.
pub(super) type Lifters = u16;

const LIFTERS: [&str; 10] = [
    "pin",
    "secret_answer",
    "identity_document",
    "mobile_contract",
    "agreed",
    "explanations",
    "facts_established",
    "client",
    "support",
    "court",
];

/// The proofs that an owner may give: the first seven of those words.
pub(super) const IDENTITY: Lifters = 0x7f;

/// Returns the bit of one who lifts.
pub(super) fn lifter(name: &str) -> Lifters {
    LIFTERS.iter().position(|known| *known == name).map_or(0x8000, |at| 1 << at)
}

/// One decision, checked for form.
pub(super) struct Decision<'a> {
    pub(super) id: u128,
    pub(super) op_id: Cow<'a, str>,
    pub(super) wallet_id: Cow<'a, str>,
    pub(super) kind: OperationType,
    pub(super) occurred_at: Time,
    pub(super) verdict: Verdict,
    /// Rules that fired and are enforced.
    pub(super) enforced: Vec<Cow<'a, str>>,
    pub(super) commands: Vec<Command<'a>>,
    pub(super) is_late: bool,
    pub(super) ruleset: Cow<'a, str>,
    /// Number on the stream over HTTP.
    pub(super) seq: Option<u64>,
    /// The history that the number belongs to.
    pub(super) epoch: Option<Cow<'a, str>>,
}

/// One command, checked for form.
pub(super) struct Command<'a> {
    pub(super) kind: CommandKind,
    pub(super) id: u128,
    pub(super) rule: Cow<'a, str>,
    pub(super) subject: Subject<'a>,
    pub(super) restriction: Option<u128>,
    pub(super) until: Option<Time>,
    pub(super) lifted_by: Lifters,
    pub(super) detail: Detail,
}

/// What a command is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subject<'a> {
    Operation(Cow<'a, str>),
    Wallet(Cow<'a, str>),
    Ip,
}

/// The word that only commands of one kind bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Nothing,
    Pin,
    Captcha,
    Debit,
    Both,
    Login,
    /// Who lifted.
    Reason(Lifters),
}

/// Reads a decision.
///
/// # Errors
/// One sentence about what is not as the contract says.
pub(super) fn decision(bytes: &[u8]) -> Result<Decision<'_>, String> {
    let raw = DecisionRecord::decode(bytes).map_err(|error| error.to_string())?;
    let kind = OperationType::from_name(&raw.kind).ok_or_else(|| unknown("type", &raw.kind))?;
    let verdict = Verdict::from_name(&raw.verdict).ok_or_else(|| unknown("verdict", &raw.verdict))?;
    let mut enforced = Vec::new();
    for found in raw.matches {
        match &*found.mode {
            "enforce" => enforced.push(found.rule),
            "shadow" => {}
            other => return Err(unknown("mode", other)),
        }
    }
    Ok(Decision {
        id: raw.decision_id.as_u128(),
        op_id: raw.op_id,
        wallet_id: raw.wallet_id,
        kind,
        occurred_at: time(&raw.occurred_at)?,
        verdict,
        enforced,
        commands: raw.commands.into_iter().map(command).collect::<Result<_, _>>()?,
        is_late: raw.late,
        ruleset: raw.ruleset,
        seq: raw.seq,
        epoch: raw.epoch,
    })
}

fn command(raw: CommandRecord<'_>) -> Result<Command<'_>, String> {
    let kind = CommandKind::from_name(&raw.command).ok_or_else(|| unknown("command", &raw.command))?;
    let missing = |what: &str| format!("a {} without {what}", kind.name());
    let subject = match raw.subject {
        SubjectRecord::Operation(id) => Subject::Operation(id),
        SubjectRecord::Wallet(id) => Subject::Wallet(id),
        SubjectRecord::Ip(_) => Subject::Ip,
    };
    let detail = match kind {
        CommandKind::Challenge => match &*raw.challenge.ok_or_else(|| missing("challenge"))? {
            "pin" => Detail::Pin,
            "captcha" => Detail::Captcha,
            other => return Err(unknown("challenge", other)),
        },
        CommandKind::Block => match &*raw.direction.ok_or_else(|| missing("direction"))? {
            "debit" => Detail::Debit,
            "both" => Detail::Both,
            "login" => Detail::Login,
            other => return Err(unknown("direction", other)),
        },
        CommandKind::Lift => Detail::Reason(lifter(&raw.reason.ok_or_else(|| missing("reason"))?)),
        CommandKind::Report => match &*raw.to.ok_or_else(|| missing("to"))? {
            "afm" | "antifraud_centre" | "issuer" | "payment_system" | "law_enforcement" | "disputes" | "operators" => {
                Detail::Nothing
            }
            other => return Err(unknown("to", other)),
        },
        CommandKind::Refuse | CommandKind::Hold | CommandKind::Monitor | CommandKind::Release | CommandKind::Cancel => {
            Detail::Nothing
        }
    };
    let restricts = matches!(kind, CommandKind::Hold | CommandKind::Monitor | CommandKind::Block | CommandKind::Lift);
    if restricts && raw.restriction_id.is_none() {
        return Err(missing("restriction_id"));
    }
    let lifted_by = raw.lifted_by.unwrap_or_default().iter().fold(0, |all, name| all | lifter(name));
    Ok(Command {
        kind,
        id: raw.command_id.as_u128(),
        rule: raw.rule,
        subject,
        restriction: raw.restriction_id.map(|id| id.as_u128()),
        until: raw.until.map(|text| time(&text)).transpose()?,
        lifted_by,
        detail,
    })
}

fn unknown(what: &str, found: &str) -> String {
    format!("unknown {what} {found}")
}

fn time(text: &str) -> Result<Time, String> {
    Time::parse_rfc3339(text).map_err(|_| format!("{text} is no time"))
}
