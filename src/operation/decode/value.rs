//! One JSON value of a record, captured as the text it was written as.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// One JSON value other than null, which counts as absent.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    /// As it was written.
    Number(&'a str),
    Bool(bool),
    Array,
    /// As it was written, braces included.
    Object(&'a str),
}

/// Reads the kind of a captured value; `None` for null.
///
/// # Errors
/// A text whose escapes are no Unicode.
pub(super) fn value<'de, E: serde::de::Error>(raw: &'de RawValue) -> Result<Option<Value<'de>>, E> {
    let raw = raw.get();
    Ok(Some(match raw.as_bytes().first() {
        Some(b'"') => Value::Text(text(raw)?),
        Some(b'{') => Value::Object(raw),
        Some(b'[') => Value::Array,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') | None => return Ok(None),
        Some(_) => Value::Number(raw),
    }))
}

/// Strips the quotes; only a text with an escape is decoded and copied.
fn text<E: serde::de::Error>(raw: &str) -> Result<Cow<'_, str>, E> {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if !inner.as_bytes().contains(&b'\\') {
        return Ok(Cow::Borrowed(inner));
    }
    match serde_json::from_str::<String>(raw) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err(E::custom("a text whose escapes are no Unicode")),
    }
}
