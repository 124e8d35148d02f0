//! The sentences of rejections: what was found, what is accepted.

use super::super::OperationType;
use super::super::time::{HOUR, MINUTE, Nanos, SECOND};
use super::value::Value;
use super::{Rejection, RejectionCode};

/// The most characters of a record's own text that a message repeats.
const ECHO_CHARS_MAX: usize = 40;

/// Refuses a field that its operation needs. `kind` is `None` for a field that every operation bears.
#[cold]
pub(super) fn missing(field: &str, kind: Option<OperationType>, accepted: &str) -> Rejection {
    let needed_by = match kind {
        None => "every operation".to_owned(),
        Some(kind) => format!("the type {}", kind.name()),
    };
    let message = format!("found nothing, but {needed_by} needs {accepted}");
    Rejection { code: RejectionCode::MissingField, field: Some(field.to_owned()), message }
}

/// Refuses what a field holds.
#[cold]
pub(super) fn invalid(field: &str, found: &str, accepted: &str) -> Rejection {
    refused(RejectionCode::InvalidField, field, found, accepted)
}

/// Refuses what a field holds, with the field's own code.
#[cold]
pub(super) fn refused(code: RejectionCode, field: &str, found: &str, accepted: &str) -> Rejection {
    Rejection {
        code,
        field: Some(field.to_owned()),
        message: format!("found {found}, but only {accepted} is accepted"),
    }
}

/// Describes a value by its kind and, where it is short, by itself.
pub(super) fn found(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => found_text(text),
        Value::Number(digits) => format!("the number {}", shorten(digits)),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Array => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Describes a text; a long one also by its length.
pub(super) fn found_text(text: &str) -> String {
    let chars = text.chars().count();
    match chars {
        0 => "an empty text".to_owned(),
        1..=ECHO_CHARS_MAX => quote(text),
        _ => format!("{} ({chars} characters)", quote(text)),
    }
}

/// Quotes the beginning of a text.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", shorten(text))
}

/// Cuts a text to what a message may repeat, its control characters escaped.
pub(super) fn shorten(text: &str) -> String {
    let mut short = String::new();
    let mut left = ECHO_CHARS_MAX;
    for character in text.chars() {
        let escaped = character.escape_debug();
        if escaped.len() > left {
            short.push('…');
            break;
        }
        left -= escaped.len();
        short.extend(escaped);
    }
    short
}

/// Lists the words of a closed set: `a, b or c`.
pub(super) fn words(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Writes a span in its largest whole unit.
pub(super) fn duration(span: Nanos) -> String {
    let is_whole = |unit: Nanos| span % unit == Nanos::ZERO;
    let (unit, name) = match span {
        _ if is_whole(HOUR) && span != Nanos::ZERO => (HOUR, "h"),
        _ if is_whole(MINUTE) && span != Nanos::ZERO => (MINUTE, "min"),
        _ if is_whole(SECOND) => (SECOND, "s"),
        _ => (Nanos::ONE, "ns"),
    };
    format!("{} {name}", span / unit)
}
