//! What stands at a key, as it was written, and the typed value it means.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use super::findings::{Code, Wrong, quote};
use super::keys::Kind;
use crate::rules::diagnostic::nearest_name;

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawValue {
    Text(String),
    /// `None` when it is beyond 128 bits.
    Integer(Option<i128>),
    Bool(bool),
    /// Values with their byte ranges.
    List(Vec<(RawValue, Range<usize>)>),
    /// Anything no key holds, described: `a date`.
    Other(&'static str),
}

/// A value that its key accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Bool(bool),
    /// A count or a number of bytes.
    Number(u64),
    Duration(Duration),
    Address(SocketAddr),
    Path(PathBuf),
    Word(&'static str),
    /// A name, or hosts.
    Text(String),
}

/// Units of durations in milliseconds, largest first.
const DURATION_UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// Units of sizes in bytes, largest first.
const SIZE_UNITS: &[(&str, u64)] = &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl RawValue {
    /// Describes the value by its type and itself.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Text(text) if text.is_empty() => String::from("found an empty text"),
            Self::Text(text) => format!("found the text {}", quote(text)),
            Self::Integer(Some(number)) => format!("found the number {number}"),
            Self::Integer(None) => String::from("found a very large number"),
            Self::Bool(value) => format!("found {value} without quotes"),
            Self::List(_) => String::from("found a list"),
            Self::Other(what) => format!("found {what}"),
        }
    }
}

/// Reads the text of a variable or a default: numbers and booleans have no quotes there.
pub(super) fn raw_of_text(kind: &Kind, text: &str) -> RawValue {
    match (kind, text) {
        (Kind::Bool, "true") => RawValue::Bool(true),
        (Kind::Bool, "false") => RawValue::Bool(false),
        (Kind::Count { .. }, digits) if is_digits(digits) => RawValue::Integer(digits.parse().ok()),
        _ => RawValue::Text(text.to_owned()),
    }
}

/// Reads a value from the text of a variable or a default.
pub(super) fn read_text(kind: &Kind, text: &str) -> Result<Setting, Wrong> {
    read(kind, &raw_of_text(kind, text))
}

/// Reads a value of this kind.
pub(super) fn read(kind: &Kind, raw: &RawValue) -> Result<Setting, Wrong> {
    match (kind, raw) {
        (Kind::Bool, RawValue::Bool(value)) => Ok(Setting::Bool(*value)),
        (Kind::Count { min, max }, RawValue::Integer(number)) => match number.map(u64::try_from) {
            Some(Ok(number)) if (*min..=*max).contains(&number) => Ok(Setting::Number(number)),
            _ => Err(wrong(Code::OutOfRange, "is out of range", kind, raw)),
        },
        (Kind::Bytes { min, max }, RawValue::Text(text)) => {
            let bytes = amount(text, SIZE_UNITS).ok_or_else(|| wrong(Code::BadValue, "is not a size", kind, raw))?;
            let is_accepted = (*min..=*max).contains(&bytes);
            if is_accepted {
                Ok(Setting::Number(bytes))
            } else {
                Err(wrong(Code::OutOfRange, "is out of range", kind, raw))
            }
        }
        (Kind::Duration { min, max }, RawValue::Text(text)) => {
            let length = amount(text, DURATION_UNITS).map(Duration::from_millis);
            let length = length.ok_or_else(|| wrong(Code::BadValue, "is not a duration", kind, raw))?;
            let is_accepted = (*min..=*max).contains(&length);
            if is_accepted {
                Ok(Setting::Duration(length))
            } else {
                Err(wrong(Code::OutOfRange, "is out of range", kind, raw))
            }
        }
        (Kind::Address, RawValue::Text(text)) => match text.parse() {
            Ok(address) => Ok(Setting::Address(address)),
            Err(_) => Err(wrong(Code::BadValue, "is not an address with a port", kind, raw)),
        },
        (Kind::Path, RawValue::Text(text)) if text.is_empty() || text.contains('\0') => {
            Err(wrong(Code::BadValue, "is not a path", kind, raw))
        }
        (Kind::Path, RawValue::Text(text)) => Ok(Setting::Path(PathBuf::from(text))),
        (Kind::Name, RawValue::Text(text)) if is_kafka_name(text) => Ok(Setting::Text(text.clone())),
        (Kind::Name, RawValue::Text(_)) => Err(wrong(Code::BadValue, "is not a name", kind, raw)),
        (Kind::Hosts, RawValue::Text(text)) if are_hosts(text) => Ok(Setting::Text(text.clone())),
        (Kind::Hosts, RawValue::Text(_)) => Err(wrong(Code::BadValue, "is not a list of hosts", kind, raw)),
        (Kind::Url, RawValue::Text(text)) if is_redis_url(text) => Ok(Setting::Text(text.clone())),
        // It may hold a password: nothing of it is shown.
        (Kind::Url, _) => Err(Wrong {
            found: String::from("found something else"),
            ..wrong(Code::BadValue, "is not the URL of a Redis", kind, raw)
        }),
        (Kind::Word(words), RawValue::Text(text)) => match words.iter().find(|word| *word == text) {
            Some(word) => Ok(Setting::Word(word)),
            None => Err(Wrong {
                nearest: nearest_name(text, words),
                ..wrong(Code::BadValue, "has an unknown value", kind, raw)
            }),
        },
        _ => Err(wrong(Code::BadType, "has the wrong type", kind, raw)),
    }
}

fn wrong(code: Code, what: &'static str, kind: &Kind, raw: &RawValue) -> Wrong {
    let form = match kind {
        Kind::Bool | Kind::Count { .. } => ", without quotes",
        Kind::Path | Kind::Name => ", in quotes",
        // What is accepted is shown in quotes.
        Kind::Bytes { .. } | Kind::Duration { .. } | Kind::Address | Kind::Hosts | Kind::Url | Kind::Word(_) => "",
    };
    Wrong { code, what, found: raw.found(), accepted: accepted(kind), form, nearest: None }
}

/// Says what a key of this kind accepts.
pub(crate) fn accepted(kind: &Kind) -> String {
    match kind {
        Kind::Bool => String::from("true or false"),
        Kind::Count { min, max } => format!("a whole number from {min} to {max}"),
        Kind::Bytes { min, max } => format!(
            "a size from {:?} to {:?}: a whole number and B, KiB, MiB, GiB or TiB",
            size_text(*min),
            size_text(*max)
        ),
        Kind::Duration { min, max } => format!(
            "a duration from {:?} to {:?}: a whole number and ms, s, m, h or d",
            duration_text(*min),
            duration_text(*max)
        ),
        Kind::Address => String::from("an IP address and a port, such as \"127.0.0.1:8480\" or \"[::1]:8480\""),
        Kind::Path => String::from("a path, absolute or from the folder kuzet is started in"),
        Kind::Name => String::from("1 to 249 Latin letters, digits, `.`, `_` and `-`"),
        Kind::Hosts => String::from("hosts with ports, separated by commas, such as \"kafka-1:9092,kafka-2:9092\""),
        Kind::Url => String::from("a URL such as \"redis://host:6379\", \"rediss://\" or \"unix:///path\""),
        Kind::Word(words) => {
            let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            let (last, others) =
                quoted.split_last().map_or((String::new(), &[][..]), |(last, rest)| (last.clone(), rest));
            if others.is_empty() { last } else { format!("{} or {last}", others.join(", ")) }
        }
    }
}

fn is_kafka_name(text: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&text.len()) && text.bytes().all(is_known) && text != "." && text != ".."
}

/// Tells whether a text is a URL of a Redis: its scheme, and a host with or without a port, or a path.
fn is_redis_url(text: &str) -> bool {
    if let Some(path) = text.strip_prefix("unix://").or_else(|| text.strip_prefix("redis+unix://")) {
        return path.starts_with('/');
    }
    let Some(rest) = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://")) else { return false };
    let address = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = address.split(['/', '?']).next().unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    !name.is_empty()
        && (!name.contains(':') || (name.starts_with('[') && name.ends_with(']')))
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn are_hosts(text: &str) -> bool {
    let is_host = |host: &str| {
        let Some((name, port)) = host.rsplit_once(':') else { return false };
        let is_named = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-._:[]".contains(c));
        is_named && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    text.split(',').all(|host| is_host(host.trim()))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a whole number and its unit; `None` when it is none or does not fit.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Writes an amount in the largest unit that leaves no rest.
fn amount_text(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    let unit = units.iter().find(|(_, factor)| amount > 0 && amount.is_multiple_of(*factor));
    unit.map_or_else(|| zero.to_owned(), |(name, factor)| format!("{}{name}", amount / factor))
}

/// Writes a duration as the file holds it; parts below a millisecond are left out.
pub(super) fn duration_text(length: Duration) -> String {
    amount_text(u64::try_from(length.as_millis()).unwrap_or(u64::MAX), DURATION_UNITS, "0s")
}

/// Writes a size as the file holds it.
pub(super) fn size_text(bytes: u64) -> String {
    amount_text(bytes, SIZE_UNITS, "0B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_their_texts() {
        for (text, millis) in [("0s", 0), ("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1826d", 157_766_400_000)]
        {
            assert_eq!(amount(text, DURATION_UNITS), Some(millis));
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration_text(Duration::from_secs(60 * 60)), "1h");
        for text in
            ["", "5", "m", "5 m", "-5m", "+5m", "1.5h", "5M", "5min", "99999999999999999999d", "9999999999999999999d"]
        {
            assert_eq!(amount(text, DURATION_UNITS), None, "{text}");
        }
        for (text, bytes) in [("0B", 0), ("1000B", 1000), ("64KiB", 65_536), ("256MiB", 268_435_456)] {
            assert_eq!(amount(text, SIZE_UNITS), Some(bytes));
            assert_eq!(size_text(bytes), text);
        }
        for text in ["64KB", "64k", "64kib", "64 KiB", "18446744073709551615TiB"] {
            assert_eq!(amount(text, SIZE_UNITS), None, "{text}");
        }
    }
}
