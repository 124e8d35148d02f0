//! The flat `attributes` object: the one place where the producer chooses the names.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::AttributeValue;
use super::limits::{ATTRIBUTE_DIGITS_MAX, ATTRIBUTE_TEXT_CHARS_MAX, ATTRIBUTES_MAX, fits, is_exact};
use super::value::{self, Value};
use super::{Field, Rejection, message};

/// Every key in the order of the record, null values (`None`) included.
pub(super) type Attributes<'a> = Vec<(Cow<'a, str>, Option<Value<'a>>)>;

/// Parses the object into its keys and values.
///
/// # Errors
/// A text that is no Unicode.
pub(super) fn parse(raw: &str) -> Result<Attributes<'_>, serde_json::Error> {
    serde_json::Deserializer::from_str(raw).deserialize_map(AttributesVisitor)
}

/// Checks number, uniqueness and kind; null counts as absent.
pub(super) fn check<'a>(found: Attributes<'a>) -> Result<Vec<(Cow<'a, str>, AttributeValue<'a>)>, Rejection> {
    if found.len() > ATTRIBUTES_MAX {
        return Err(message::invalid(
            Field::Attributes.name(),
            &format!("{} keys", found.len()),
            &format!("an object of at most {ATTRIBUTES_MAX} keys"),
        ));
    }
    let mut checked = Vec::with_capacity(found.len());
    for index in 0..found.len() {
        let key = &found[index].0;
        if found[..index].iter().any(|(earlier, _)| earlier == key) {
            return Err(message::invalid(&path(key), "the key a second time", "each key once"));
        }
    }
    for (key, value) in found {
        let Some(value) = value else { continue };
        let value = match value {
            Value::Text(text) if fits(&text, 0, ATTRIBUTE_TEXT_CHARS_MAX) => AttributeValue::Text(text),
            Value::Number(digits) if is_exact(digits) => AttributeValue::Number(Cow::Borrowed(digits)),
            Value::Number(_) => {
                let accepted = format!("a number of at most {ATTRIBUTE_DIGITS_MAX} significant digits");
                return Err(message::invalid(&path(&key), &message::found(&value), &accepted));
            }
            Value::Bool(value) => AttributeValue::Bool(value),
            Value::Text(_) | Value::Array | Value::Object(_) => {
                let accepted =
                    format!("a text of at most {ATTRIBUTE_TEXT_CHARS_MAX} characters, a number, true or false");
                return Err(message::invalid(&path(&key), &message::found(&value), &accepted));
            }
        };
        checked.push((key, value));
    }
    Ok(checked)
}

fn path(key: &str) -> String {
    format!("{}.{}", Field::Attributes.name(), message::shorten(key))
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut attributes = Attributes::new();
        while let Some(key) = map.next_key_seed(Key)? {
            attributes.push((key, value::value(map.next_value::<&'de RawValue>()?)?));
        }
        Ok(attributes)
    }
}

/// Reads a key, borrowed where it bears no escape.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
