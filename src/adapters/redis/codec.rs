//! The bytes of what keys hold.
//!
//! Times are five bytes of seconds and four of nanoseconds: scripts compute in doubles, which hold no
//! nanoseconds since 1970, and bytes in this order compare like the times themselves.

use uuid::Uuid;

use crate::engine::restriction::Restriction;
use crate::engine::shared::{SharedChange, SharedKey};
use crate::engine::stored::{Reader, StoredError, Writer, read_first_block};
use crate::engine::window::Entry;
use crate::operation::Time;
use crate::operation::time::{Nanos, SECOND};

/// Added to seconds, so that they are never negative; scripts know it too.
const OFFSET: i64 = 1 << 34;
/// Length of a time.
pub(super) const TIME: usize = 9;
const ENTRY: usize = TIME + 16;
const RUN: usize = 8 + TIME;
/// What stands before a block's record: its kind, its end, the instant from which nobody needs it.
const BLOCK_HEADER: usize = 1 + TIME + 5;
/// Length of what a record of a window's log begins with; scripts know it too.
const MARK: usize = 12;
/// No end.
pub(super) const NO_END: [u8; TIME] = [0; TIME];

/// What could not be read from a key's value.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) &'static str);

/// Splits a span into whole seconds and the rest in nanoseconds, which is never negative.
pub(super) const fn split(span: Nanos) -> (i64, i64) {
    (span.get().div_euclid(SECOND.get()), span.get().rem_euclid(SECOND.get()))
}

/// Writes a time.
pub(super) fn time(at: Time) -> [u8; TIME] {
    let (seconds, nanos) = split(at.since(Time::EPOCH));
    let mut bytes = [0; TIME];
    bytes[..5].copy_from_slice(&seconds.wrapping_add(OFFSET).to_be_bytes()[3..]);
    bytes[5..].copy_from_slice(&nanos.to_be_bytes()[4..]);
    bytes
}

/// Reads a time.
pub(super) fn read_time(bytes: &[u8]) -> Option<Time> {
    let number = |bytes: &[u8]| bytes.iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    let (seconds, nanos) = bytes.get(..TIME)?.split_at(5);
    // Wider than the answer: seconds rounded down may lie before the first instant there is.
    let nanos = i128::from(number(seconds) - OFFSET) * i128::from(SECOND.get()) + i128::from(number(nanos));
    i64::try_from(nanos).ok().map(Time::from_nanos)
}

fn word(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?))
}

/// Writes an entry: the same operation is the same member of a sorted set.
pub(super) fn entry(entry: Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRY);
    bytes.extend_from_slice(&time(entry.at));
    bytes.extend_from_slice(&entry.op.to_be_bytes());
    bytes.extend_from_slice(&entry.value.to_be_bytes());
    bytes
}

/// Reads an entry.
pub(super) fn read_entry(bytes: &[u8]) -> Result<Entry, Unreadable> {
    let read = || {
        let at = read_time(bytes)?;
        let (op, value) = (word(bytes.get(TIME..)?)?, word(bytes.get(TIME + 8..)?)?.cast_signed());
        (bytes.len() == ENTRY).then_some(Entry { at, op, value })
    };
    read().ok_or(Unreadable("an entry of a window"))
}

/// Reads a record of a window's log: the change it tells, if any.
pub(super) fn read_record(bytes: &[u8], key: SharedKey) -> Result<Option<SharedChange>, Unreadable> {
    let (kind, rest) = bytes.get(MARK..).and_then(<[u8]>::split_first).ok_or(Unreadable("a record of a window"))?;
    Ok(match kind {
        b'B' => None,
        b'I' => Some(SharedChange::Insert { key, entry: read_entry(rest)? }),
        b'R' => Some(SharedChange::Remove { key, entry: read_entry(rest)? }),
        b'T' => {
            let (symbol, text) = read_text(rest)?;
            Some(SharedChange::Text { key, symbol, text })
        }
        _ => return Err(Unreadable("a record of a window")),
    })
}

/// Writes the length of a run and its last operation.
pub(super) fn run(length: u64, last: Time) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RUN);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&time(last));
    bytes
}

/// Reads a run.
pub(super) fn read_run(bytes: &[u8]) -> Result<(u64, Time), Unreadable> {
    let read = || Some((word(bytes)?, read_time(bytes.get(8..)?)?));
    read().ok_or(Unreadable("a run"))
}

/// Reads the first and last instant of a folded chain.
pub(super) fn read_folded(bytes: &[u8]) -> Result<(Time, Time), Unreadable> {
    let read = || Some((read_time(bytes)?, read_time(bytes.get(TIME..)?)?));
    read().ok_or(Unreadable("the beginning of a chain"))
}

/// Writes a text and the symbol it stands behind.
pub(super) fn text(symbol: u64, text: &str) -> Vec<u8> {
    let mut bytes = symbol.to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// Reads a text.
pub(super) fn read_text(bytes: &[u8]) -> Result<(u64, Box<str>), Unreadable> {
    let read = || Some((word(bytes)?, std::str::from_utf8(bytes.get(8..)?).ok()?.into()));
    read().ok_or(Unreadable("a text of a window"))
}

/// Writes what a script places: id, end, length in seconds, time of the last firing, the record.
pub(super) fn block(restriction: &Restriction) -> Vec<u8> {
    let mut bytes = restriction.id.as_bytes().to_vec();
    let (ends, length) = match restriction.until {
        Some(until) => (time(until), split(until.since(restriction.from)).0.max(0)),
        None => (NO_END, 0),
    };
    bytes.extend_from_slice(&ends);
    bytes.extend_from_slice(&length.to_be_bytes()[3..]);
    bytes.extend_from_slice(&time(restriction.fired_last));
    let mut record = Writer::versioned();
    record.value(restriction);
    bytes.extend_from_slice(record.bytes());
    bytes
}

/// A field of the directory.
#[derive(Debug)]
pub(super) enum Held {
    Block(Restriction),
    Lifted(Uuid),
}

/// Reads a field of the directory.
pub(super) fn read_held(field: &[u8], value: &[u8]) -> Result<Held, Unreadable> {
    let read = || -> Option<Result<Held, StoredError>> {
        let rest = value.get(BLOCK_HEADER..)?;
        match value.first()? {
            b'T' | b'E' => Some(Ok(Held::Lifted(Uuid::from_slice(field).ok()?))),
            b'B' => Some(Reader::versioned(rest).and_then(|mut reader| read_first_block(&mut reader)).map(Held::Block)),
            b'C' => {
                let ends = value.get(1..=TIME)?;
                let until = if ends == NO_END { None } else { Some(read_time(ends)?) };
                let (fired, record) = rest.split_at_checked(TIME)?;
                let fired_last = read_time(fired)?;
                let read = Reader::versioned(record).and_then(|mut reader| reader.value::<Restriction>());
                Some(read.map(|block| Held::Block(Restriction { until, fired_last, ..block })))
            }
            _ => None,
        }
    };
    match read() {
        Some(Ok(held)) => Ok(held),
        Some(Err(_)) | None => Err(Unreadable("a block of the directory")),
    }
}

/// Keys are counted by spans of the clock in which they expire: so many cover the longest life. The script knows it too.
const SPANS: i64 = 16;

/// Reads how many keys a window has, and their bytes: fields and values in turn. `life` is how long its keys live without a
/// change, in milliseconds as `now`.
pub(super) fn read_book<'v>(
    mut fields: impl Iterator<Item = &'v [u8]>,
    life: i64,
    now: i64,
) -> Result<(u64, u64), Unreadable> {
    let span = (life / SPANS).max(1);
    let (mut keys, mut bytes) = (0_i64, 0_i64);
    while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
        let read = || {
            let (kind, number) = std::str::from_utf8(field).ok()?.split_at_checked(1)?;
            let (number, count) = (number.parse::<i64>().ok()?, std::str::from_utf8(value).ok()?.parse::<i64>().ok()?);
            Some((kind, number, count))
        };
        if field == b"away" {
            continue;
        }
        match read().ok_or(Unreadable("the sizes of a window"))? {
            (_, number, _) if number.saturating_add(1).saturating_mul(span) <= now => {}
            ("k", _, count) => keys = keys.saturating_add(count),
            (_, _, count) => bytes = bytes.saturating_add(count),
        }
    }
    // Keys that an earlier release wrote are counted from their next change on.
    Ok((keys.max(0).cast_unsigned(), bytes.max(0).cast_unsigned()))
}

/// Reads seconds and nanoseconds as the sentinel holds them.
pub(super) fn read_instant(text: &[u8]) -> Result<Time, Unreadable> {
    let read = || {
        let (seconds, nanos) = std::str::from_utf8(text).ok()?.split_once('.')?;
        let (seconds, nanos) = (seconds.parse::<i64>().ok()?, nanos.parse::<i64>().ok()?);
        Some(Time::from_nanos(seconds.checked_mul(SECOND.get())?.checked_add(nanos)?))
    };
    read().ok_or(Unreadable("the time of the sentinel"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_and_compare_as_bytes() {
        let second = SECOND.get();
        let times =
            [i64::MIN, -1, 0, 1, second - 1, second, 1_764_000_000_123_456_789, 4_102_444_800 * second, i64::MAX]
                .map(Time::from_nanos);
        for at in times {
            assert_eq!(read_time(&time(at)), Some(at));
        }
        assert!(times.windows(2).all(|pair| time(pair[0]) < time(pair[1])));
        assert_eq!(read_time(&[0; 8]), None);
    }

    #[test]
    fn entries_runs_and_texts_come_back() {
        let entry_in = Entry { at: Time::from_nanos(1_764_000_000_123_456_789), op: u64::MAX, value: -5 };
        assert_eq!(read_entry(&entry(entry_in)).ok(), Some(entry_in));
        assert!(read_entry(&entry(entry_in)[1..]).is_err());
        let last = Time::from_nanos(1_764_000_000_000_000_001);
        assert_eq!(read_run(&run(7, last)).ok(), Some((7, last)));
        assert!(read_run(&[0; 16]).is_err());
        assert_eq!(read_text(&text(9, "сымсыз")).ok(), Some((9, "сымсыз".into())));
        assert_eq!(read_instant(b"12.000000034").ok(), Some(Time::EPOCH.plus(12 * SECOND + Nanos::new(34))));
        assert!(read_instant(b"12").is_err());
    }
}
