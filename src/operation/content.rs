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
    let mut buffer = Buffer(Vec::with_capacity(512));
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
    xxh3_64(&buffer.0)
}

/// The hashed form: for each present field its code, then its value with the length in front, so that
/// no two contents give the same bytes.
struct Buffer(Vec<u8>);

impl Buffer {
    fn tag(&mut self, field: Field) {
        self.0.push(field.code());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: Field, text: &str) {
        self.tag(field);
        self.bytes(text.as_bytes());
    }

    fn word(&mut self, field: Field, word: Option<&str>) {
        if let Some(word) = word {
            self.text(field, word);
        }
    }

    fn number(&mut self, field: Field, number: i64) {
        self.tag(field);
        self.0.extend_from_slice(&number.to_le_bytes());
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
                self.0.push(member.code());
                self.bytes(value.as_bytes());
            }
        }
    }

    fn attributes(&mut self, operation: &Operation<'_>) {
        let mut sorted: SmallVec<[_; 8]> = operation.attributes.iter().collect();
        sorted.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (key, value) in sorted {
            self.text(Field::Attributes, key);
            match value {
                AttributeValue::Text(text) => {
                    self.0.push(b't');
                    self.bytes(text.as_bytes());
                }
                AttributeValue::Number(digits) => {
                    self.0.push(b'n');
                    self.decimal(digits);
                }
                AttributeValue::Bool(value) => self.0.extend_from_slice(&[b'b', u8::from(*value)]),
            }
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
        self.0.push(if negative { b'-' } else { b'+' });
        self.bytes(significant);
        match power.parse::<i64>() {
            Ok(power) => {
                let count = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
                let shift = count(trailing) - count(fraction.len());
                self.0.extend_from_slice(&power.saturating_add(shift).to_le_bytes());
            }
            // An exponent beyond 64 bits counts as it was written.
            Err(_) => self.bytes(power.as_bytes()),
        }
    }
}
