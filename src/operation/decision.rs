//! What the ledger gets back: one decision for every accepted operation, and the commands in it.

pub mod read;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use compact_str::CompactString;
use sha1::{Digest, Sha1};
use smallvec::SmallVec;
use uuid::Uuid;

use super::localized::{Localized, Value};
use super::money::fmt_tiyn;
use super::time::duration_text;
use super::{OperationType, Time, words};

words! {
    /// What becomes of the operation, weakest first.
    Verdict { Allow = "allow", Challenge = "challenge", Hold = "hold", Refuse = "refuse" }
}

words! {
    /// Kinds of commands, in the order they take in a decision.
    CommandKind {
        Refuse = "refuse", Hold = "hold", Challenge = "challenge", Monitor = "monitor", Block = "block",
        Lift = "lift", Release = "release", Cancel = "cancel", Report = "report",
    }
}

/// The clauses of the offer a rule implements.
pub type Clauses = Arc<[Arc<str>]>;

/// One decision, ready to be encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub decision_id: Uuid,
    pub op_id: CompactString,
    pub wallet_id: CompactString,
    pub kind: OperationType,
    pub occurred_at: Time,
    pub verdict: Verdict,
    /// In rule-id order.
    pub matches: Vec<Match>,
    /// In the order of [`CommandKind`], then rule id, then arrival of the subject, then restriction id.
    pub commands: Vec<Command>,
    pub late: bool,
    /// Names of the inputs that were missing, and `attributes.KEY` of values of another kind than rules compare.
    pub degraded: Vec<Cow<'static, str>>,
    pub ruleset: Arc<str>,
}

/// One rule that fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    pub rule: Arc<str>,
    pub clauses: Clauses,
    pub enforced: bool,
    /// What the condition read, in the order of its text.
    pub evidence: Vec<(Arc<str>, EvidenceValue)>,
    /// What the client is told, its placeholders filled; of an enforced match whose rule has a message.
    pub message: Option<Arc<Localized>>,
}

/// A value shown in evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum EvidenceValue {
    Missing,
    Bool(bool),
    Int(i128),
    /// A number with decimals or beyond an `i128`: it is written as a JSON number.
    Decimal(super::Decimal),
    /// Money, words, addresses, times and durations.
    Text(Box<str>),
}

impl Decision {
    /// Returns a number of bytes that the decision certainly does not exceed as JSON: counted, not written.
    #[must_use]
    pub fn bytes_at_most(&self) -> usize {
        // A control character becomes six; keys, ids, times and brackets have their room.
        let text = |text: &str| 6 * text.len() + 64;
        let clauses = |clauses: &Clauses| clauses.iter().map(|clause| text(clause)).sum::<usize>();
        let value = |value: &EvidenceValue| match value {
            EvidenceValue::Text(found) => text(found),
            EvidenceValue::Decimal(found) => found.to_string().len(),
            EvidenceValue::Missing | EvidenceValue::Bool(_) | EvidenceValue::Int(_) => 64,
        };
        let evidence =
            |found: &Match| found.evidence.iter().map(|(name, found)| text(name) + value(found)).sum::<usize>();
        let message = |found: &Match| {
            found.message.as_ref().map_or(0, |message| text(&message.kk) + text(&message.ru) + text(&message.en))
        };
        let matches = self
            .matches
            .iter()
            .map(|found| text(&found.rule) + clauses(&found.clauses) + evidence(found) + message(found));
        let of_command =
            |command: &Command| text(&command.rule) + clauses(&command.clauses) + text(command.subject.parts().1) + 768;
        let degraded = self.degraded.iter().map(|name| text(name));
        let own = text(&self.op_id) + text(&self.wallet_id) + 1_024;
        own + matches.sum::<usize>() + self.commands.iter().map(of_command).sum::<usize>() + degraded.sum::<usize>()
    }
}

impl From<Value> for EvidenceValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Missing | Value::Mrp(_) => Self::Missing,
            Value::Flag(flag) => Self::Bool(flag),
            Value::Whole(number) => Self::Int(number),
            Value::Decimal(number) => Self::Decimal(number),
            Value::Money(tiyn) => {
                let mut text = String::new();
                // Writing to a String cannot fail.
                fmt_tiyn(tiyn, &mut text).unwrap_or_default();
                Self::Text(text.into())
            }
            Value::Duration(nanos) => Self::Text(duration_text(nanos).into()),
            Value::Time(time) => Self::Text(time.to_string().into()),
            Value::Text(text) => Self::Text(text),
        }
    }
}

/// One command to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub kind: CommandKind,
    pub command_id: Uuid,
    pub rule: Arc<str>,
    pub clauses: Clauses,
    pub subject: Subject,
    pub restriction: Option<RestrictionTerms>,
    /// The rest of what a command of this kind says.
    pub detail: Detail,
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An operation by its id, and the position of its arrival among the wallet's operations.
    Operation(Box<str>, u64),
    Wallet(Box<str>),
    Ip(Box<str>),
}

impl Subject {
    /// Returns the id of the operation or wallet, or the address.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Operation(id, _) => ("operation", id),
            Self::Wallet(id) => ("wallet", id),
            Self::Ip(address) => ("ip", address),
        }
    }

    fn arrival(&self) -> u64 {
        match self {
            Self::Operation(_, arrival) => *arrival,
            Self::Wallet(_) | Self::Ip(_) => 0,
        }
    }
}

/// The restriction behind a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestrictionTerms {
    pub id: Uuid,
    pub from: Time,
    pub until: Option<Time>,
    pub lifted_by: Vec<&'static str>,
}

/// What only commands of some kinds say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    Nothing,
    /// `pin` or `captcha`.
    Challenge(&'static str),
    /// `debit`, `both` or `login`.
    Direction(&'static str),
    /// Who or what lifted it.
    Reason(&'static str),
    /// To whom a report goes.
    To(&'static str),
}

impl Detail {
    const fn text(&self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Challenge(text) | Self::Direction(text) | Self::Reason(text) | Self::To(text) => text,
        }
    }
}

/// Name space of every id: the UUIDv5 of `kuzet` among DNS names' space is not needed, any fixed
/// bytes do; changing them would change every id ever sent.
const NAMESPACE: [u8; 16] =
    [0x6b, 0x75, 0x7a, 0x65, 0x74, 0x00, 0x50, 0x01, 0x80, 0x00, 0x77, 0x61, 0x74, 0x63, 0x68, 0x00];

/// Makes the UUIDv5 over the parts; each is closed by a byte that no part can hold, so no two lists
/// of parts read the same.
#[must_use]
pub fn deterministic_id(parts: &[&str]) -> Uuid {
    // Ids are short: one run over one buffer is faster than a run over each part.
    let mut text: SmallVec<[u8; 256]> = SmallVec::from_slice(&NAMESPACE);
    for part in parts {
        text.extend_from_slice(part.as_bytes());
        text.push(0xff);
    }
    let digest = Sha1::digest(&text);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

/// Returns the id of the decision on an operation.
#[must_use]
pub fn decision_id(wallet_id: &str, op_id: &str) -> Uuid {
    deterministic_id(&["decision", wallet_id, op_id])
}

/// Returns the id of a restriction that `rule` places on the occasion of an operation.
#[must_use]
pub fn restriction_id(wallet_id: &str, op_id: &str, rule: &str, kind: &str, subject: &str, direction: &str) -> Uuid {
    deterministic_id(&["restriction", wallet_id, op_id, rule, kind, subject, direction])
}

/// Who is told that a rule has exceeded its budget: those who run the service, and no rule reports to them.
pub const OPERATORS: &str = "operators";

impl Command {
    /// Tells whether it says that its rule has exceeded its budget.
    #[must_use]
    pub fn is_for_operators(&self) -> bool {
        self.detail == Detail::To(OPERATORS)
    }

    /// Makes a command of the operation (`wallet_id`, `op_id`); its id follows from what it says.
    #[must_use]
    pub fn new(
        (wallet_id, op_id): (&str, &str),
        kind: CommandKind,
        (rule, clauses): (&Arc<str>, &Clauses),
        subject: Subject,
        restriction: Option<RestrictionTerms>,
        detail: Detail,
    ) -> Self {
        let mut id_text = String::new();
        if let Some(terms) = &restriction {
            // Writing to a String cannot fail.
            write!(id_text, "{}", terms.id.as_hyphenated()).unwrap_or_default();
        }
        let (what, which) = subject.parts();
        let parts = ["command", wallet_id, op_id, rule, kind.name(), what, which, &id_text, detail.text()];
        let command_id = deterministic_id(&parts);
        Self { kind, command_id, rule: rule.clone(), clauses: clauses.clone(), subject, restriction, detail }
    }
}

/// Puts commands into the contract's order.
pub fn sort_commands(commands: &mut [Command]) {
    commands.sort_by(|a, b| {
        let key = |c: &Command| (c.kind, c.subject.arrival(), c.restriction.as_ref().map(|terms| terms.id));
        (a.kind, &a.rule).cmp(&(b.kind, &b.rule)).then_with(|| key(a).cmp(&key(b)))
    });
}

impl Decision {
    /// Tells whether a rule has exceeded its budget with this operation.
    #[must_use]
    pub fn tells_operators(&self) -> bool {
        self.commands.iter().any(Command::is_for_operators)
    }

    /// Appends the decision as one JSON object, without a line end.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"decision_id\":\"");
        push_uuid(out, self.decision_id);
        out.extend_from_slice(b"\",\"op_id\":");
        push_string(out, &self.op_id);
        out.extend_from_slice(b",\"wallet_id\":");
        push_string(out, &self.wallet_id);
        out.extend_from_slice(b",\"type\":\"");
        out.extend_from_slice(self.kind.name().as_bytes());
        out.extend_from_slice(b"\",\"occurred_at\":\"");
        self.occurred_at.push_text(out);
        out.extend_from_slice(b"\",\"verdict\":\"");
        out.extend_from_slice(self.verdict.name().as_bytes());
        out.extend_from_slice(b"\",\"matches\":[");
        push_list(out, &self.matches, |out, item| item.encode(out));
        out.extend_from_slice(b"],\"commands\":[");
        push_list(out, &self.commands, |out, item| item.encode(out));
        out.extend_from_slice(if self.late { b"],\"late\":true" } else { b"],\"late\":false" });
        out.extend_from_slice(b",\"degraded\":[");
        push_list(out, &self.degraded, |out, name| push_string(out, name));
        out.extend_from_slice(b"],\"ruleset\":\"");
        out.extend_from_slice(self.ruleset.as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

impl Match {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"rule\":");
        push_string(out, &self.rule);
        push_clauses(out, &self.clauses);
        out.extend_from_slice(b",\"mode\":");
        out.extend_from_slice(if self.enforced { b"\"enforce\"" } else { b"\"shadow\"" });
        out.extend_from_slice(b",\"evidence\":{");
        push_list(out, &self.evidence, |out, (name, value)| {
            push_string(out, name);
            out.push(b':');
            value.encode(out);
        });
        out.push(b'}');
        if let Some(Localized { kk, ru, en }) = self.message.as_deref() {
            let texts: [(&[u8], &String); 3] = [(b",\"message\":{\"kk\":", kk), (b",\"ru\":", ru), (b",\"en\":", en)];
            for (name, text) in texts {
                out.extend_from_slice(name);
                push_string(out, text);
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
}

impl EvidenceValue {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Missing => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Decimal(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Text(text) => push_string(out, text),
        }
    }
}

impl Command {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"command\":\"");
        out.extend_from_slice(self.kind.name().as_bytes());
        out.extend_from_slice(b"\",\"command_id\":\"");
        push_uuid(out, self.command_id);
        out.extend_from_slice(b"\",\"rule\":");
        push_string(out, &self.rule);
        push_clauses(out, &self.clauses);
        let (what, which) = self.subject.parts();
        out.extend_from_slice(b",\"subject\":{\"");
        out.extend_from_slice(what.as_bytes());
        out.extend_from_slice(b"\":");
        push_string(out, which);
        out.push(b'}');
        let (name, text): (&[u8], _) = match self.detail {
            Detail::Nothing => (b"", ""),
            Detail::Challenge(text) => (b",\"challenge\":\"", text),
            Detail::Direction(text) => (b",\"direction\":\"", text),
            Detail::Reason(text) => (b",\"reason\":\"", text),
            Detail::To(text) => (b",\"to\":\"", text),
        };
        if !text.is_empty() {
            out.extend_from_slice(name);
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        if let Some(terms) = &self.restriction {
            self.encode_terms(out, terms);
        }
        out.push(b'}');
    }

    fn encode_terms(&self, out: &mut Vec<u8>, terms: &RestrictionTerms) {
        out.extend_from_slice(b",\"restriction_id\":\"");
        push_uuid(out, terms.id);
        out.push(b'"');
        if self.kind == CommandKind::Lift {
            return;
        }
        out.extend_from_slice(b",\"from\":\"");
        terms.from.push_text(out);
        out.extend_from_slice(b"\",\"until\":");
        match terms.until {
            Some(until) => {
                out.push(b'"');
                until.push_text(out);
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"lifted_by\":[");
        push_list(out, &terms.lifted_by, |out, name| push_string(out, name));
        out.push(b']');
    }
}

fn push_clauses(out: &mut Vec<u8>, clauses: &Clauses) {
    out.extend_from_slice(b",\"clauses\":[");
    push_list(out, clauses, |out, clause| push_string(out, clause));
    out.push(b']');
}

fn push_list<T>(out: &mut Vec<u8>, items: &[T], mut each: impl FnMut(&mut Vec<u8>, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(out, item);
    }
}

fn push_uuid(out: &mut Vec<u8>, id: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    out.extend_from_slice(id.as_hyphenated().encode_lower(&mut buffer).as_bytes());
}

/// Appends a JSON string with its quotes.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Looks at every byte, many at a time: texts are short and hardly ever need an escape.
    let needs_escape = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    if !text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for character in text.chars() {
            push_escaped(out, character);
        }
    }
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        control if u32::from(control) < 0x20 => {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
        }
        plain => {
            let mut buffer = [0; 4];
            out.extend_from_slice(plain.encode_utf8(&mut buffer).as_bytes());
        }
    }
}
