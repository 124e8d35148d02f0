//! Reads the fields of a record in the order of the contract's table; the first fault wins.

use std::borrow::Cow;
use std::net::IpAddr;

use super::super::time::Rfc3339Error;
use super::super::{
    ATTRIBUTE_RULE, AttemptOutcome, AttributeValue, ClientStatus, Counterparty, CounterpartyKind, Money, Operation,
    OperationType, Order, Proof, ReportSource, Time,
};
use super::limits::{DEVICE_ID_CHARS_MAX, ID_CHARS_MAX, fits, is_id};
use super::message::{found, found_text, invalid, missing, refused, words};
use super::value::Value;
use super::wire::{Object, Wire};
use super::{CounterpartyField, Field, Rejection, RejectionCode, attributes};

const ID: &str = "a text of 1 to 64 of the characters A-Z a-z 0-9 . _ : -";
const TIME: &str = "an RFC 3339 time with an offset, such as 2026-11-22T10:15:00.123+05:00,";
const TIME_RANGE: &str = "a time from 2000-01-01T00:00:00Z to 2100-01-01T00:00:00Z";
const AMOUNT: &str = "a decimal text above 0 with at most 15 integer digits and 2 decimals, such as \"150000.00\",";
const ADDRESS: &str = "an IPv4 or IPv6 address";

/// Checks every field, those that the type does not need included.
pub(super) fn check(mut wire: Wire<'_>) -> Result<Operation<'_>, Rejection> {
    let op_id = id(&mut wire, Field::OpId)?.ok_or_else(|| missing_always(Field::OpId, ID))?;
    let kind = operation_type(&mut wire)?;
    let occurred_at = occurred_at(&mut wire)?;
    let wallet_id = text(&mut wire, Field::WalletId, 1, ID_CHARS_MAX)?
        .ok_or_else(|| missing_always(Field::WalletId, &text_accepted(1, ID_CHARS_MAX)))?;
    let client_status = word(&mut wire, Field::ClientStatus, ClientStatus::from_name, ClientStatus::NAMES)?;
    if client_status.is_none() && kind.is_debit() {
        return Err(missing(Field::ClientStatus.name(), Some(kind), &words(ClientStatus::NAMES)));
    }
    let amount = amount(&mut wire, kind)?;
    currency(&mut wire)?;
    let counterparty = counterparty(&mut wire, kind)?;
    let ip = address(&mut wire, kind)?;
    let device_id = text(&mut wire, Field::DeviceId, 0, DEVICE_ID_CHARS_MAX)?;
    let outcome = word(&mut wire, Field::Outcome, AttemptOutcome::from_name, AttemptOutcome::NAMES)?;
    if outcome.is_none() && kind.is_session() {
        return Err(missing(Field::Outcome.name(), Some(kind), &words(AttemptOutcome::NAMES)));
    }
    let ref_op_id = id(&mut wire, Field::RefOpId)?;
    if ref_op_id.is_none() && kind.needs_reference() {
        return Err(missing(Field::RefOpId.name(), Some(kind), ID));
    }
    let proof = word(&mut wire, Field::Proof, Proof::from_name, Proof::NAMES)?;
    if proof.is_none() && kind == OperationType::IdentityConfirmed {
        return Err(missing(Field::Proof.name(), Some(kind), &words(Proof::NAMES)));
    }
    let order = word(&mut wire, Field::Order, Order::from_name, Order::NAMES)?;
    let actor = text(&mut wire, Field::Actor, 0, ID_CHARS_MAX)?;
    let source = word(&mut wire, Field::Source, ReportSource::from_name, ReportSource::NAMES)?;
    if source.is_none() && kind == OperationType::FraudReported {
        return Err(missing(Field::Source.name(), Some(kind), &words(ReportSource::NAMES)));
    }
    let attributes = attributes(&mut wire)?;
    if kind == OperationType::RuleRearmed {
        check_rearmed_rule(&attributes)?;
    }
    Ok(Operation {
        op_id,
        kind,
        occurred_at,
        wallet_id,
        client_status,
        amount,
        counterparty,
        ip,
        device_id,
        outcome,
        ref_op_id,
        proof,
        order,
        actor,
        source,
        attributes,
        unknown_fields: wire.fields.unknown,
    })
}

/// A rule that is armed again has a name.
fn check_rearmed_rule(attributes: &[(Cow<'_, str>, AttributeValue<'_>)]) -> Result<(), Rejection> {
    let (path, accepted) = ("attributes.rule", "the id of a rule");
    let found = attributes.iter().find(|(key, _)| key == ATTRIBUTE_RULE);
    match found.map(|(_, value)| value) {
        Some(AttributeValue::Text(rule)) if fits(rule, 1, ID_CHARS_MAX) => Ok(()),
        Some(AttributeValue::Text(other)) => Err(invalid(path, &found_text(other), accepted)),
        Some(AttributeValue::Number(digits)) => Err(invalid(path, &format!("the number {digits}"), accepted)),
        Some(AttributeValue::Bool(value)) => Err(invalid(path, &format!("the boolean {value}"), accepted)),
        None => Err(missing(path, Some(OperationType::RuleRearmed), accepted)),
    }
}

#[cold]
fn missing_always(field: Field, accepted: &str) -> Rejection {
    missing(field.name(), None, accepted)
}

fn operation_type(wire: &mut Wire<'_>) -> Result<OperationType, Rejection> {
    let name = Field::Type.name();
    // What a sender may mean: `rule_rearmed` is made by kuzet itself, so nobody is led to it.
    let (sent, _) = OperationType::NAMES.split_at(OperationType::RuleRearmed as usize);
    match wire.take(Field::Type) {
        None => Err(missing(name, None, &words(sent))),
        Some(Value::Text(text)) => OperationType::from_name(&text)
            .ok_or_else(|| refused(RejectionCode::UnknownType, name, &found_text(&text), &words(sent))),
        Some(other) => Err(invalid(name, &found(&other), &words(sent))),
    }
}

fn occurred_at(wire: &mut Wire<'_>) -> Result<Time, Rejection> {
    let name = Field::OccurredAt.name();
    let text = match wire.take(Field::OccurredAt) {
        None => return Err(missing(name, None, TIME.trim_end_matches(','))),
        Some(Value::Text(text)) => text,
        Some(other) => return Err(invalid(name, &found(&other), TIME)),
    };
    match Time::parse_rfc3339(&text) {
        Ok(time) if is_accepted_time(time) => Ok(time),
        Ok(_) | Err(Rfc3339Error::OutOfRange) => Err(invalid(name, &found_text(&text), TIME_RANGE)),
        Err(Rfc3339Error::Syntax) => Err(invalid(name, &found_text(&text), TIME)),
    }
}

pub(super) fn is_accepted_time(time: Time) -> bool {
    (Time::ACCEPTED_FROM..=Time::ACCEPTED_UNTIL).contains(&time)
}

fn amount(wire: &mut Wire<'_>, kind: OperationType) -> Result<Option<Money>, Rejection> {
    let name = Field::Amount.name();
    let text = match wire.take(Field::Amount) {
        None if kind.is_money() => return Err(missing(name, Some(kind), AMOUNT.trim_end_matches(','))),
        None => return Ok(None),
        Some(Value::Text(text)) => text,
        Some(number @ Value::Number(_)) => {
            return Err(invalid(name, &format!("{}, and a float is not money", found(&number)), AMOUNT));
        }
        Some(other) => return Err(invalid(name, &found(&other), AMOUNT)),
    };
    match Money::parse(&text) {
        Some(amount) if amount.tiyn() > 0 => Ok(Some(amount)),
        _ => Err(invalid(name, &found_text(&text), AMOUNT)),
    }
}

fn currency(wire: &mut Wire<'_>) -> Result<(), Rejection> {
    let name = Field::Currency.name();
    match wire.take(Field::Currency) {
        None => Ok(()),
        Some(Value::Text(text)) if text == "KZT" => Ok(()),
        Some(Value::Text(text)) => {
            Err(refused(RejectionCode::UnsupportedCurrency, name, &found_text(&text), "\"KZT\""))
        }
        Some(other) => Err(invalid(name, &found(&other), "\"KZT\"")),
    }
}

/// Within this field, too, what is missing comes before what is invalid.
fn counterparty<'a>(wire: &mut Wire<'a>, kind: OperationType) -> Result<Counterparty<'a>, Rejection> {
    let name = Field::Counterparty.name();
    match wire.take(Field::Counterparty) {
        None if kind.is_debit() => return Err(missing(name, Some(kind), "an object with kind")),
        None => return Ok(Counterparty::default()),
        Some(Value::Object(_)) => {}
        Some(other) => return Err(invalid(name, &found(&other), "an object")),
    }
    let Some(mut object) = wire.counterparty.take() else { return Ok(Counterparty::default()) };
    let absent = |field: CounterpartyField| object.values[usize::from(field.code())].is_none();
    if kind.is_debit() && absent(CounterpartyField::Kind) {
        return Err(missing("counterparty.kind", Some(kind), &words(CounterpartyKind::NAMES)));
    }
    if kind == OperationType::Transfer && absent(CounterpartyField::WalletId) {
        return Err(missing("counterparty.wallet_id", Some(kind), &text_accepted(1, ID_CHARS_MAX)));
    }
    let party = match object.values[usize::from(CounterpartyField::Kind.code())].take() {
        None => None,
        Some(value) => Some(party_kind(value, kind)?),
    };
    Ok(Counterparty {
        kind: party,
        wallet_id: party_text(&mut object, CounterpartyField::WalletId, 1)?,
        account: party_text(&mut object, CounterpartyField::Account, 0)?,
        phone: party_text(&mut object, CounterpartyField::Phone, 0)?,
    })
}

/// Reads the kind of the other side, and whether money of this type may go there.
fn party_kind(value: Value<'_>, kind: OperationType) -> Result<CounterpartyKind, Rejection> {
    let path = "counterparty.kind";
    let party = word_of(value, path, CounterpartyKind::from_name, CounterpartyKind::NAMES)?;
    if kind.goes_with(party) {
        return Ok(party);
    }
    let accepted: Vec<&str> =
        CounterpartyKind::ALL.iter().filter(|other| kind.goes_with(**other)).map(|other| other.name()).collect();
    let found = format!("{} on the type {}", found_text(party.name()), kind.name());
    Err(invalid(path, &found, &words(&accepted)))
}

fn party_text<'a, const N: usize>(
    object: &mut Object<'a, N>,
    field: CounterpartyField,
    chars_min: usize,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    let Some(value) = object.values[usize::from(field.code())].take() else { return Ok(None) };
    let path = || format!("{}.{}", Field::Counterparty.name(), field.name());
    text_of(value, path, chars_min, ID_CHARS_MAX).map(Some)
}

fn address(wire: &mut Wire<'_>, kind: OperationType) -> Result<Option<IpAddr>, Rejection> {
    let name = Field::Ip.name();
    match wire.take(Field::Ip) {
        None if kind == OperationType::IpUnblockRequested => Err(missing(name, Some(kind), ADDRESS)),
        None => Ok(None),
        Some(Value::Text(text)) => match text.parse::<IpAddr>() {
            Ok(address) => Ok(Some(address.to_canonical())),
            Err(_) => Err(invalid(name, &found_text(&text), ADDRESS)),
        },
        Some(other) => Err(invalid(name, &found(&other), ADDRESS)),
    }
}

fn attributes<'a>(wire: &mut Wire<'a>) -> Result<Vec<(Cow<'a, str>, AttributeValue<'a>)>, Rejection> {
    match wire.take(Field::Attributes) {
        None => Ok(Vec::new()),
        Some(Value::Object(_)) => attributes::check(wire.attributes.take().unwrap_or_default()),
        Some(other) => Err(invalid(Field::Attributes.name(), &found(&other), "a flat object")),
    }
}

/// Reads an id of the idempotency key's alphabet.
fn id<'a>(wire: &mut Wire<'a>, field: Field) -> Result<Option<Cow<'a, str>>, Rejection> {
    match wire.take(field) {
        None => Ok(None),
        Some(Value::Text(text)) if is_id(&text) => Ok(Some(text)),
        Some(other) => Err(invalid(field.name(), &found(&other), ID)),
    }
}

fn text<'a>(wire: &mut Wire<'a>, field: Field, min: usize, max: usize) -> Result<Option<Cow<'a, str>>, Rejection> {
    match wire.take(field) {
        None => Ok(None),
        Some(value) => text_of(value, || field.name().to_owned(), min, max).map(Some),
    }
}

fn text_of<'a>(
    value: Value<'a>,
    path: impl FnOnce() -> String,
    chars_min: usize,
    chars_max: usize,
) -> Result<Cow<'a, str>, Rejection> {
    match value {
        Value::Text(text) if fits(&text, chars_min, chars_max) => Ok(text),
        other => Err(invalid(&path(), &found(&other), &text_accepted(chars_min, chars_max))),
    }
}

#[cold]
fn text_accepted(chars_min: usize, chars_max: usize) -> String {
    match chars_min {
        0 => format!("a text of at most {chars_max} characters"),
        _ => format!("a text of {chars_min} to {chars_max} characters"),
    }
}

fn word<T>(
    wire: &mut Wire<'_>,
    field: Field,
    from_name: fn(&str) -> Option<T>,
    names: &[&str],
) -> Result<Option<T>, Rejection> {
    match wire.take(field) {
        None => Ok(None),
        Some(value) => word_of(value, field.name(), from_name, names).map(Some),
    }
}

fn word_of<T>(value: Value<'_>, path: &str, from_name: fn(&str) -> Option<T>, names: &[&str]) -> Result<T, Rejection> {
    if let Value::Text(text) = &value
        && let Some(word) = from_name(text)
    {
        return Ok(word);
    }
    Err(invalid(path, &found(&value), &words(names)))
}
