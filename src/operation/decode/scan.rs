//! The short way from a record to an operation: one walk over the text, for records as producers write them.
//!
//! It only ever says what the operation is, or that it does not know: escapes, odd forms, limits passed
//! and faults of any kind give `None`, and the general way then decides between an operation and a
//! rejection. So it knows no rejections and no messages.
//! **Invariant:** what it accepts, the general way accepts with the same result.

use std::borrow::Cow;
use std::net::IpAddr;

use super::super::{
    ATTRIBUTE_RULE, AttemptOutcome, AttributeValue, ClientStatus, Counterparty, CounterpartyKind, Money, Operation,
    OperationType, Order, Proof, ReportSource, Time,
};
use super::check::is_accepted_time;
use super::limits::{
    ATTRIBUTE_TEXT_CHARS_MAX, ATTRIBUTES_MAX, DEVICE_ID_CHARS_MAX, ID_CHARS_MAX, fits, is_exact, is_id,
};
use super::{CounterpartyField, Field};

/// How deep an ignored value may be nested, so that skipping it cannot exhaust the stack.
const SKIPPED_DEPTH_MAX: u32 = 8;

/// Reads a record of the usual form; `None` says nothing about the record.
#[must_use]
pub fn scan(text: &str) -> Option<Operation<'_>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut fields = Fields::default();
    if scanner.token()? != b'{' {
        return None;
    }
    scanner.members(|scanner, key| fields.member(scanner, key))?;
    match scanner.token() {
        None => fields.finish(),
        Some(_) => None,
    }
}

/// What was read so far. Each value has passed the checks of its own field.
#[derive(Default)]
struct Fields<'a> {
    /// One bit for each field that was given, null included: a second time is a fault.
    seen: u32,
    op_id: Option<&'a str>,
    kind: Option<OperationType>,
    occurred_at: Option<Time>,
    wallet_id: Option<&'a str>,
    client_status: Option<ClientStatus>,
    amount: Option<Money>,
    party: Party<'a>,
    ip: Option<IpAddr>,
    device_id: Option<&'a str>,
    outcome: Option<AttemptOutcome>,
    ref_op_id: Option<&'a str>,
    proof: Option<Proof>,
    order: Option<Order>,
    actor: Option<&'a str>,
    source: Option<ReportSource>,
    attributes: Vec<(Cow<'a, str>, AttributeValue<'a>)>,
    unknown: u32,
}

impl<'a> Fields<'a> {
    #[inline]
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &str) -> Option<()> {
        let Some(field) = Field::from_name(key) else {
            self.unknown = self.unknown.saturating_add(1);
            return scanner.skip(SKIPPED_DEPTH_MAX);
        };
        see(&mut self.seen, field.code())?;
        match (field, scanner.token()?) {
            (_, b'n') => scanner.literal("ull"),
            (Field::Counterparty, b'{') => scanner.members(|scanner, key| self.party.member(scanner, key)),
            (Field::Attributes, b'{') => scanner.members(|scanner, key| self.attribute(scanner, key)),
            (_, b'"') => self.text(field, scanner.string()?),
            _ => None,
        }
    }

    #[inline]
    fn text(&mut self, field: Field, text: &'a str) -> Option<()> {
        match field {
            Field::OpId => self.op_id = Some(id(text)?),
            Field::Type => self.kind = Some(OperationType::from_name(text)?),
            Field::OccurredAt => {
                self.occurred_at = Some(Time::parse_rfc3339(text).ok().filter(|time| is_accepted_time(*time))?);
            }
            Field::WalletId => self.wallet_id = Some(limited(text, 1, ID_CHARS_MAX)?),
            Field::ClientStatus => self.client_status = Some(ClientStatus::from_name(text)?),
            Field::Amount => self.amount = Some(Money::parse(text).filter(|amount| amount.tiyn() > 0)?),
            Field::Currency => return (text == "KZT").then_some(()),
            Field::Ip => self.ip = Some(text.parse::<IpAddr>().ok()?.to_canonical()),
            Field::DeviceId => self.device_id = Some(limited(text, 0, DEVICE_ID_CHARS_MAX)?),
            Field::Outcome => self.outcome = Some(AttemptOutcome::from_name(text)?),
            Field::RefOpId => self.ref_op_id = Some(id(text)?),
            Field::Proof => self.proof = Some(Proof::from_name(text)?),
            Field::Order => self.order = Some(Order::from_name(text)?),
            Field::Actor => self.actor = Some(limited(text, 0, ID_CHARS_MAX)?),
            Field::Source => self.source = Some(ReportSource::from_name(text)?),
            Field::Counterparty | Field::Attributes => return None,
        }
        Some(())
    }

    /// Reads one attribute. A null has no value but counts as a key: it is left to the general way.
    #[inline]
    fn attribute(&mut self, scanner: &mut Scanner<'a>, key: &'a str) -> Option<()> {
        if self.attributes.len() >= ATTRIBUTES_MAX || self.attributes.iter().any(|(earlier, _)| earlier == key) {
            return None;
        }
        let value = match scanner.token()? {
            b'"' => {
                let text = limited(scanner.string()?, 0, ATTRIBUTE_TEXT_CHARS_MAX)?;
                AttributeValue::Text(Cow::Borrowed(text))
            }
            b't' => scanner.literal("rue").map(|()| AttributeValue::Bool(true))?,
            b'f' => scanner.literal("alse").map(|()| AttributeValue::Bool(false))?,
            first => {
                let number = scanner.number(first)?;
                is_exact(number).then_some(AttributeValue::Number(Cow::Borrowed(number)))?
            }
        };
        if self.attributes.is_empty() {
            // Most records have one: no room for more.
            self.attributes.reserve_exact(1);
        }
        self.attributes.push((Cow::Borrowed(key), value));
        Some(())
    }

    /// Makes the operation when it has all that its type needs.
    #[inline]
    fn finish(self) -> Option<Operation<'a>> {
        let kind = self.kind?;
        let lacking = (kind.is_debit() && (self.client_status.is_none() || self.party.kind.is_none()))
            || (kind.is_money() && self.amount.is_none())
            || (kind.is_session() && self.outcome.is_none())
            || (kind.needs_reference() && self.ref_op_id.is_none())
            || self.party.kind.is_some_and(|party| !kind.goes_with(party))
            || match kind {
                OperationType::Transfer => self.party.wallet_id.is_none(),
                OperationType::IdentityConfirmed => self.proof.is_none(),
                OperationType::IpUnblockRequested => self.ip.is_none(),
                OperationType::FraudReported => self.source.is_none(),
                OperationType::RuleRearmed => !self.attributes.iter().any(names_rule),
                OperationType::Payment
                | OperationType::CashOut
                | OperationType::Redemption
                | OperationType::TopUp
                | OperationType::Refund
                | OperationType::Login
                | OperationType::SecretAnswer
                | OperationType::Pin
                | OperationType::Cancelled
                | OperationType::WalletBlockRequested
                | OperationType::WalletUnblockRequested
                | OperationType::OwnershipDisputed
                | OperationType::CashOutDetailsWrong
                | OperationType::DocumentsRefused
                | OperationType::TamperingDetected
                | OperationType::SuspicionConfirmed
                | OperationType::OperationDisputed
                | OperationType::ComplaintReceived
                | OperationType::SeizureOrdered
                | OperationType::SeizureLifted => false,
            };
        if lacking {
            return None;
        }
        Some(Operation {
            op_id: Cow::Borrowed(self.op_id?),
            kind,
            occurred_at: self.occurred_at?,
            wallet_id: Cow::Borrowed(self.wallet_id?),
            client_status: self.client_status,
            amount: self.amount,
            counterparty: self.party.finish(),
            ip: self.ip,
            device_id: self.device_id.map(Cow::Borrowed),
            outcome: self.outcome,
            ref_op_id: self.ref_op_id.map(Cow::Borrowed),
            proof: self.proof,
            order: self.order,
            actor: self.actor.map(Cow::Borrowed),
            source: self.source,
            attributes: self.attributes,
            unknown_fields: self.unknown,
        })
    }
}

/// Tells whether an attribute names a rule.
fn names_rule((key, value): &(Cow<'_, str>, AttributeValue<'_>)) -> bool {
    key == ATTRIBUTE_RULE && matches!(value, AttributeValue::Text(rule) if fits(rule, 1, ID_CHARS_MAX))
}

/// The members of `counterparty`.
#[derive(Default)]
struct Party<'a> {
    seen: u32,
    kind: Option<CounterpartyKind>,
    wallet_id: Option<&'a str>,
    account: Option<&'a str>,
    phone: Option<&'a str>,
}

impl<'a> Party<'a> {
    #[inline]
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &str) -> Option<()> {
        let Some(field) = CounterpartyField::from_name(key) else { return scanner.skip(SKIPPED_DEPTH_MAX) };
        see(&mut self.seen, field.code())?;
        let text = match scanner.token()? {
            b'"' => scanner.string()?,
            b'n' => return scanner.literal("ull"),
            _ => return None,
        };
        match field {
            CounterpartyField::Kind => self.kind = Some(CounterpartyKind::from_name(text)?),
            CounterpartyField::WalletId => self.wallet_id = Some(limited(text, 1, ID_CHARS_MAX)?),
            CounterpartyField::Account => self.account = Some(limited(text, 0, ID_CHARS_MAX)?),
            CounterpartyField::Phone => self.phone = Some(limited(text, 0, ID_CHARS_MAX)?),
        }
        Some(())
    }

    fn finish(self) -> Counterparty<'a> {
        Counterparty {
            kind: self.kind,
            wallet_id: self.wallet_id.map(Cow::Borrowed),
            account: self.account.map(Cow::Borrowed),
            phone: self.phone.map(Cow::Borrowed),
        }
    }
}

/// Notes a field; `None` when it was noted before.
fn see(seen: &mut u32, position: u8) -> Option<()> {
    let bit = 1 << position;
    let first = *seen & bit == 0;
    *seen |= bit;
    first.then_some(())
}

fn id(text: &str) -> Option<&str> {
    is_id(text).then_some(text)
}

fn limited(text: &str, chars_min: usize, chars_max: usize) -> Option<&str> {
    fits(text, chars_min, chars_max).then_some(text)
}

/// A place in the text. Every step takes a whole piece of JSON, or gives up with `None`.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Takes the next byte that is not white space; `None` at the end.
    #[inline]
    fn token(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes the members of an object whose brace was taken; `member` takes each value.
    #[inline]
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        let mut token = self.token()?;
        if token == b'}' {
            return Some(());
        }
        loop {
            if token != b'"' {
                return None;
            }
            let key = self.string()?;
            if self.token()? != b':' {
                return None;
            }
            member(self, key)?;
            match self.token()? {
                b',' => token = self.token()?,
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Takes a text whose quote was taken, up to and with its other quote. Escapes are not for here.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        let (text, start) = (self.text, self.at);
        let mut stop = start;
        loop {
            let rest = text.as_bytes().get(stop..)?;
            let stops = match rest.first_chunk() {
                Some(chunk) => stops(*chunk),
                None => stops(filled_up(rest)),
            };
            if stops != 0 {
                stop += (stops.trailing_zeros() / 8) as usize;
                break;
            }
            stop += CHUNK_BYTES;
        }
        if text.as_bytes().get(stop) != Some(&b'"') {
            return None;
        }
        self.at = stop + 1;
        text.get(start..stop)
    }

    /// Takes what is left of `true`, `false` or `null` after its first letter.
    #[inline]
    fn literal(&mut self, rest: &str) -> Option<()> {
        let found = self.text.as_bytes().get(self.at..)?.starts_with(rest.as_bytes());
        self.at += rest.len();
        found.then_some(())
    }

    /// Takes a number whose first byte was taken, as it was written.
    fn number(&mut self, first: u8) -> Option<&'a str> {
        let start = self.at - 1;
        let first = if first == b'-' { self.byte()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => while self.take_if(|byte| byte.is_ascii_digit()) {},
            _ => return None,
        }
        if self.take_if(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.take_if(|byte| matches!(byte, b'e' | b'E')) {
            self.take_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        self.text.get(start..self.at)
    }

    /// Takes digits, at least one.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.take_if(|byte| byte.is_ascii_digit()) {}
        (self.at > start).then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take_if(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let taken = self.peek().is_some_and(wanted);
        self.at += usize::from(taken);
        taken
    }

    /// Passes over a value of a field that nobody knows.
    fn skip(&mut self, depth_left: u32) -> Option<()> {
        let deeper = depth_left.checked_sub(1);
        match self.token()? {
            b'"' => self.string().map(|_| ()),
            b't' => self.literal("rue"),
            b'f' => self.literal("alse"),
            b'n' => self.literal("ull"),
            b'{' => deeper.and_then(|depth| self.members(|scanner, _| scanner.skip(depth))),
            b'[' => deeper.and_then(|depth| self.skip_elements(depth)),
            first => self.number(first).map(|_| ()),
        }
    }

    fn skip_elements(&mut self, depth_left: u32) -> Option<()> {
        let first = self.at;
        if self.token()? == b']' {
            return Some(());
        }
        self.at = first;
        loop {
            self.skip(depth_left)?;
            match self.token()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }
}

/// How many bytes of a text are looked at together: most texts end within them.
const CHUNK_BYTES: usize = 16;

/// Marks, with the top bit of its byte, the first place of a chunk where a text ends, is escaped, or is
/// broken by a control character; 0 when there is none. Marks above the lowest mean nothing.
///
/// Subtracting `n` from each byte sets the top bit of those below `n`. A borrow may run on into the
/// bytes above and mark them wrongly, but never into those below: the lowest mark is right. Bytes whose
/// own top bit is set belong to longer characters and stop nothing.
#[inline]
fn stops(chunk: [u8; CHUNK_BYTES]) -> u128 {
    const fn each(byte: u8) -> u128 {
        u128::from_le_bytes([byte; CHUNK_BYTES])
    }
    let word = u128::from_le_bytes(chunk);
    let quotes = (word ^ each(b'"')).wrapping_sub(each(1));
    let backslashes = (word ^ each(b'\\')).wrapping_sub(each(1));
    let controls = word.wrapping_sub(each(b' '));
    (quotes | backslashes | controls) & !word & each(0x80)
}

/// Makes the text's last bytes a whole chunk. It is filled up with quotes, which end every text, but
/// the place of such a quote lies beyond the record.
#[cold]
#[inline(never)]
fn filled_up(rest: &[u8]) -> [u8; CHUNK_BYTES] {
    let mut chunk = [b'"'; CHUNK_BYTES];
    if let Some(start) = chunk.get_mut(..rest.len()) {
        start.copy_from_slice(rest);
    }
    chunk
}
