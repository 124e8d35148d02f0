//! The JSON of one record, field by field, before any meaning is read into it.
//!
//! Every value is first captured as the slice of text it was written as. So a value of the wrong kind
//! is a fault of its field and not of the record, numbers keep their digits, and no tree is built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::attributes::{self, Attributes};
use super::value::{Value, value};
use super::{CounterpartyField, Field, Rejection};

/// The known fields of one object.
pub(super) struct Object<'a, const N: usize> {
    pub(super) values: [Option<Value<'a>>; N],
    pub(super) unknown: u32,
}

/// The fields of a record; the two that hold objects are opened.
pub(super) struct Wire<'a> {
    pub(super) fields: Object<'a, { Field::ALL.len() }>,
    pub(super) counterparty: Option<Object<'a, { CounterpartyField::ALL.len() }>>,
    pub(super) attributes: Option<Attributes<'a>>,
}

impl<'a> Wire<'a> {
    /// Takes the value of a field out; `None` when it is absent or null.
    pub(super) fn take(&mut self, field: Field) -> Option<Value<'a>> {
        self.fields.values[usize::from(field.code())].take()
    }
}

/// Parses a record. A text that is no Unicode and a known field given twice are faults of the record.
///
/// # Errors
/// `malformed_json`.
pub(super) fn parse(text: &str) -> Result<Wire<'_>, Rejection> {
    if let Some(found) = wrong_kind(text) {
        return Err(Rejection::malformed(found));
    }
    let fields = object(text, Field::NAMES, |name| Field::from_name(name).map(Field::code))
        .map_err(|error| Rejection::malformed(&format!("broken JSON ({error})")))?;
    let counterparty = match &fields.values[usize::from(Field::Counterparty.code())] {
        Some(Value::Object(raw)) => {
            let position = |name: &str| CounterpartyField::from_name(name).map(CounterpartyField::code);
            let party = object(raw, CounterpartyField::NAMES, position);
            Some(party.map_err(|error| malformed_within(Field::Counterparty, &error))?)
        }
        _ => None,
    };
    let attributes = match &fields.values[usize::from(Field::Attributes.code())] {
        Some(Value::Object(raw)) => {
            Some(attributes::parse(raw).map_err(|error| malformed_within(Field::Attributes, &error))?)
        }
        _ => None,
    };
    Ok(Wire { fields, counterparty, attributes })
}

/// Names what stands where the record's object is expected.
fn wrong_kind(text: &str) -> Option<&'static str> {
    match text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        Some(b'{') => None,
        None => Some("an empty record"),
        Some(b'[') => Some("an array"),
        Some(b'"') => Some("a text"),
        Some(b'-' | b'0'..=b'9') => Some("a number"),
        Some(_) => Some("something that is no object"),
    }
}

fn object<'a, const N: usize>(
    text: &'a str,
    names: &'static [&'static str],
    position: impl Fn(&str) -> Option<u8>,
) -> serde_json::Result<Object<'a, N>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = deserializer.deserialize_map(ObjectVisitor { names, position })?;
    deserializer.end()?;
    Ok(object)
}

/// Names the field, because lines and columns are counted from the field's own brace.
/// serde_json's own texts name tokens and places, never a value of the record.
fn malformed_within(field: Field, error: &serde_json::Error) -> Rejection {
    Rejection::malformed(&format!("broken JSON within {} ({error})", field.name()))
}

struct ObjectVisitor<P, const N: usize> {
    names: &'static [&'static str],
    position: P,
}

impl<'de, P: Fn(&str) -> Option<u8>, const N: usize> Visitor<'de> for ObjectVisitor<P, N> {
    type Value = Object<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object { values: [const { None }; N], unknown: 0 };
        let mut seen = 0_u32;
        while let Some(key) = map.next_key_seed(Key(&self.position))? {
            let raw = map.next_value::<&'de RawValue>()?;
            let Some(position) = key else {
                object.unknown = object.unknown.saturating_add(1);
                continue;
            };
            let bit = 1 << position;
            if seen & bit != 0 {
                let name = self.names.get(usize::from(position)).unwrap_or(&"a field");
                return Err(A::Error::custom(format_args!("{name} given twice")));
            }
            seen |= bit;
            object.values[usize::from(position)] = value(raw)?;
        }
        Ok(object)
    }
}

/// Reads a key as the position of its field.
struct Key<P>(P);

impl<'de, P: Fn(&str) -> Option<u8>> DeserializeSeed<'de> for Key<P> {
    type Value = Option<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<P: Fn(&str) -> Option<u8>> Visitor<'_> for Key<P> {
    type Value = Option<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok((self.0)(name))
    }
}
