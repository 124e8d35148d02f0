//! An operation back to the JSON of the contract: tests show with it that decoding loses nothing.

use std::fmt::Display;
use std::io::Write as _;

use super::decision::push_string;
use super::decode::{CounterpartyField, Field};
use super::{AttributeValue, Counterparty, Operation};

/// Appends the operation as one JSON object, without a line end. Absent fields are left out, times are
/// UTC and amounts have two decimals, so equal operations give equal bytes.
pub fn encode_operation(out: &mut Vec<u8>, operation: &Operation<'_>) {
    let mut object = ObjectWriter::open(out);
    object.text(Field::OpId.name(), Some(&operation.op_id));
    object.text(Field::Type.name(), Some(operation.kind.name()));
    object.display(Field::OccurredAt.name(), Some(operation.occurred_at));
    object.text(Field::WalletId.name(), Some(&operation.wallet_id));
    object.text(Field::ClientStatus.name(), operation.client_status.map(|status| status.name()));
    object.display(Field::Amount.name(), operation.amount);
    if operation.amount.is_some() {
        object.text(Field::Currency.name(), Some("KZT"));
    }
    if operation.counterparty != Counterparty::default() {
        encode_counterparty(object.key(Field::Counterparty.name()), &operation.counterparty);
    }
    object.display(Field::Ip.name(), operation.ip);
    object.text(Field::DeviceId.name(), operation.device_id.as_deref());
    object.text(Field::Outcome.name(), operation.outcome.map(|outcome| outcome.name()));
    object.text(Field::RefOpId.name(), operation.ref_op_id.as_deref());
    object.text(Field::Proof.name(), operation.proof.map(|proof| proof.name()));
    object.text(Field::Order.name(), operation.order.map(|order| order.name()));
    object.text(Field::Actor.name(), operation.actor.as_deref());
    object.text(Field::Source.name(), operation.source.map(|source| source.name()));
    if !operation.attributes.is_empty() {
        attributes(object.key(Field::Attributes.name()), operation);
    }
    object.close();
}

/// Appends the other side of an operation as one JSON object; absent fields are left out.
pub fn encode_counterparty(out: &mut Vec<u8>, counterparty: &Counterparty<'_>) {
    let mut object = ObjectWriter::open(out);
    object.text(CounterpartyField::Kind.name(), counterparty.kind.map(|kind| kind.name()));
    object.text(CounterpartyField::WalletId.name(), counterparty.wallet_id.as_deref());
    object.text(CounterpartyField::Account.name(), counterparty.account.as_deref());
    object.text(CounterpartyField::Phone.name(), counterparty.phone.as_deref());
    object.close();
}

fn attributes(out: &mut Vec<u8>, operation: &Operation<'_>) {
    let mut object = ObjectWriter::open(out);
    for (key, value) in &operation.attributes {
        let out = object.key(key);
        match value {
            AttributeValue::Text(text) => push_string(out, text),
            AttributeValue::Number(digits) => out.extend_from_slice(digits.as_bytes()),
            AttributeValue::Bool(value) => write_number(out, value),
        }
    }
    object.close();
}

/// Writes members one after the other, with the commas between them.
struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> ObjectWriter<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        push_string(self.out, key);
        self.out.push(b':');
        self.out
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(text) = value {
            push_string(self.key(key), text);
        }
    }

    /// Writes a value whose own form needs no escapes, in quotes.
    fn display(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            let out = self.key(key);
            out.push(b'"');
            write_number(out, value);
            out.push(b'"');
        }
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

/// Appends a value in its own form.
pub(crate) fn write_number(out: &mut Vec<u8>, value: impl Display) {
    write!(out, "{value}").expect("writing to memory cannot fail");
}
