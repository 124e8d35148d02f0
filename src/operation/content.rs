//! What makes two records the same operation: hashes over decoded content.
//!
//! They are kept in stored state. **Invariant:** a change of what is hashed, or of how, needs a new
//! version of that state, else every operation of the last day conflicts with its own repetition.

use smallvec::SmallVec;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::decode::{CounterpartyField, Field};
use super::{AttributeValue, Operation, Order};

/// Hashes an id (128 bits, so that chance collisions do not happen).
#[must_use]
pub fn id_hash(id: &str) -> u128 {
    xxh3_128(id.as_bytes())
}

/// Hashes the contract's fields. The order of fields and attributes, escapes, decimals, the offset of a
/// time and unknown fields do not count.
#[must_use]
pub fn content_hash(operation: &Operation<'_>) -> u64 {
    let mut buffer = Buffer { inline: [0; INLINE_BYTES], length: 0, spilled: Vec::new() };
    buffer.text(Field::OpId, &operation.op_id);
    buffer.word(Field::Type, Some(operation.kind.name()));
    buffer.number(Field::OccurredAt, operation.occurred_at.nanos());
    buffer.text(Field::WalletId, &operation.wallet_id);
    buffer.word(Field::ClientStatus, operation.client_status.map(|status| status.name()));
    if let Some(amount) = operation.amount {
        buffer.number(Field::Amount, amount.tiyn());
    }
    buffer.counterparty(operation);
    if let Some(address) = operation.ip {
        buffer.tag(Field::Ip);
        match address.to_canonical() {
            std::net::IpAddr::V4(address) => buffer.bytes(&address.octets()),
            std::net::IpAddr::V6(address) => buffer.bytes(&address.octets()),
        }
    }
    buffer.word(Field::DeviceId, operation.device_id.as_deref());
    buffer.word(Field::Outcome, operation.outcome.map(|outcome| outcome.name()));
    buffer.word(Field::RefOpId, operation.ref_op_id.as_deref());
    buffer.word(Field::Proof, operation.proof.map(|proof| proof.name()));
    // `complete` is the default: written out or left out, it is the same content.
    let order = operation.order.filter(|order| *order != Order::Complete);
    buffer.word(Field::Order, order.map(|order| order.name()));
    buffer.word(Field::Actor, operation.actor.as_deref());
    buffer.word(Field::Source, operation.source.map(|source| source.name()));
    buffer.attributes(operation);
    xxh3_64(buffer.written())
}

/// What the hashed form of nearly every operation fits in; only longer ones touch the heap.
const INLINE_BYTES: usize = 512;
/// The length in front of a value.
const LENGTH_BYTES: usize = size_of::<u64>();

/// The hashed form: for each present field its code, then its value with the length in front, so that
/// no two contents give the same bytes.
struct Buffer {
    inline: [u8; INLINE_BYTES],
    /// How much of `inline` is written.
    length: usize,
    /// Everything, once `inline` was too short.
    spilled: Vec<u8>,
}

impl Buffer {
    fn written(&self) -> &[u8] {
        if self.spilled.is_empty() { self.inline.get(..self.length).unwrap_or_default() } else { &self.spilled }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.inline.get_mut(self.length..end) {
            Some(room) if self.spilled.is_empty() => {
                room.copy_from_slice(bytes);
                self.length = end;
            }
            _ => self.spill(bytes),
        }
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        if self.spilled.is_empty() {
            self.spilled.extend_from_slice(self.inline.get(..self.length).unwrap_or_default());
        }
        self.spilled.extend_from_slice(bytes);
    }

    fn tag(&mut self, field: Field) {
        self.put(&[field.code()]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64).to_le_bytes());
        self.put(bytes);
    }

    /// Does what `tag` and `bytes` do, in one step: nearly every field is a text.
    #[inline]
    fn text(&mut self, field: Field, text: &str) {
        let end = self.length + 1 + LENGTH_BYTES + text.len();
        match self.inline.get_mut(self.length..end) {
            Some([tag, rest @ ..]) if self.spilled.is_empty() => {
                let (length, room) = rest.split_at_mut(LENGTH_BYTES);
                *tag = field.code();
                length.copy_from_slice(&(text.len() as u64).to_le_bytes());
                room.copy_from_slice(text.as_bytes());
                self.length = end;
            }
            _ => {
                self.tag(field);
                self.bytes(text.as_bytes());
            }
        }
    }

    fn word(&mut self, field: Field, word: Option<&str>) {
        if let Some(word) = word {
            self.text(field, word);
        }
    }

    fn number(&mut self, field: Field, number: i64) {
        self.tag(field);
        self.put(&number.to_le_bytes());
    }

    fn counterparty(&mut self, operation: &Operation<'_>) {
        let party = &operation.counterparty;
        let members = [
            (CounterpartyField::Kind, party.kind.map(|kind| kind.name())),
            (CounterpartyField::WalletId, party.wallet_id.as_deref()),
            (CounterpartyField::Account, party.account.as_deref()),
            (CounterpartyField::Phone, party.phone.as_deref()),
        ];
        for (member, value) in members {
            if let Some(value) = value {
                self.tag(Field::Counterparty);
                self.put(&[member.code()]);
                self.bytes(value.as_bytes());
            }
        }
    }

    fn attributes(&mut self, operation: &Operation<'_>) {
        let attributes = &operation.attributes;
        if attributes.is_sorted_by(|one, other| one.0 <= other.0) {
            attributes.iter().for_each(|(key, value)| self.attribute(key, value));
            return;
        }
        let mut sorted: SmallVec<[_; 32]> = attributes.iter().collect();
        sorted.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        sorted.iter().for_each(|(key, value)| self.attribute(key, value));
    }

    fn attribute(&mut self, key: &str, value: &AttributeValue<'_>) {
        self.text(Field::Attributes, key);
        match value {
            AttributeValue::Text(text) => {
                self.put(b"t");
                self.bytes(text.as_bytes());
            }
            AttributeValue::Number(digits) => {
                self.put(b"n");
                self.decimal(digits);
            }
            AttributeValue::Bool(value) => self.put(&[b'b', u8::from(*value)]),
        }
    }

    /// Writes a JSON number by its value, never through a float: sign, digits without the zeros at
    /// either end, and the power of ten of the last digit. `1.50`, `1.5` and `15e-1` are one number.
    fn decimal(&mut self, number: &str) {
        let (negative, rest) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: SmallVec<[u8; 32]> = whole.bytes().chain(fraction.bytes()).collect();
        let trailing = digits.iter().rev().take_while(|digit| **digit == b'0').count();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        let Some(significant) = digits.get(leading..digits.len() - trailing).filter(|kept| !kept.is_empty()) else {
            self.bytes(b"0");
            return;
        };
        self.put(if negative { b"-" } else { b"+" });
        self.bytes(significant);
        match power.parse::<i64>() {
            Ok(power) => {
                let count = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
                let shift = count(trailing) - count(fraction.len());
                self.put(&power.saturating_add(shift).to_le_bytes());
            }
            // An exponent beyond 64 bits counts as it was written.
            Err(_) => self.bytes(power.as_bytes()),
        }
    }
}
