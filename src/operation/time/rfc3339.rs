//! RFC 3339 texts, strictly: a date, `T`, a time, and always an offset.

use super::{SECOND, Time};

/// Why a text is no event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rfc3339Error {
    /// The text is not of the form, or names a day or hour that does not exist.
    Syntax,
    /// The instant lies outside of what 64 bits of nanoseconds hold.
    OutOfRange,
}

impl Time {
    /// Parses `2026-11-22T10:15:00.123+05:00`: `T` and `Z` in either case, 1 to 9 fractional digits,
    /// an offset up to ±23:59, no leap second.
    ///
    /// # Errors
    /// [`Rfc3339Error`].
    pub fn parse_rfc3339(text: &str) -> Result<Self, Rfc3339Error> {
        let (seconds, nanos) = parse(text.as_bytes()).ok_or(Rfc3339Error::Syntax)?;
        let total = seconds.checked_mul(SECOND.get()).and_then(|whole| whole.checked_add(nanos));
        total.map(Self::from_nanos).ok_or(Rfc3339Error::OutOfRange)
    }
}

/// Returns seconds since the epoch and nanoseconds of the second.
fn parse(text: &[u8]) -> Option<(i64, i64)> {
    let (head, tail) = text.split_at_checked(19)?;
    let separators = (head[4], head[7], head[10], head[13], head[16]);
    if !matches!(separators, (b'-', b'-', b'T' | b't', b':', b':')) {
        return None;
    }
    let year = digits(&head[0..4])?;
    let month = digits(&head[5..7])?;
    let day = digits(&head[8..10])?;
    let hour = digits(&head[11..13])?;
    let minute = digits(&head[14..16])?;
    let second = digits(&head[17..19])?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, offset) = fraction(tail)?;
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - offset_seconds(offset)?, nanos))
}

/// Reads a fraction where there is one, and returns what follows it.
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = tail.split_first() else { return Some((0, tail)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let mut nanos = digits(&rest[..count])?;
    for _ in count..9 {
        nanos *= 10;
    }
    Some((nanos, &rest[count..]))
}

fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, hour, minute) = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, [*h1, *h2], [*m1, *m2]),
        [b'-', h1, h2, b':', m1, m2] => (-1, [*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let (hour, minute) = (digits(&hour)?, digits(&minute)?);
    (hour <= 23 && minute <= 59).then_some(sign * (hour * 3_600 + minute * 60))
}

fn digits(text: &[u8]) -> Option<i64> {
    let mut number = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts days from 1970-01-01 in the Gregorian calendar, with years that begin in March so that the
/// leap day comes last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, Rfc3339Error>) {
        let parsed = Time::parse_rfc3339(text).map(|time| time.to_string());
        assert_eq!(parsed.as_deref().map_err(|e| *e), expected, "{text}");
    }

    #[test]
    fn accepts_the_form() {
        check("2026-11-22T10:15:00.123+05:00", Ok("2026-11-22T05:15:00.123Z"));
        check("2026-11-22t10:15:00z", Ok("2026-11-22T10:15:00Z"));
        check("2024-02-29T23:59:59.000000001-23:59", Ok("2024-03-01T23:58:59.000000001Z"));
        check("1969-12-31T23:59:59.5Z", Ok("1969-12-31T23:59:59.500Z"));
        check("2000-01-01T00:00:00-00:00", Ok("2000-01-01T00:00:00Z"));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T10:15:00",
            "2026-11-22 10:15:00Z",
            "2026-11-22T10:15Z",
            "2026-11-22T10:15:60Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T10:60:00Z",
            "2026-11-31T10:15:00Z",
            "2026-00-22T10:15:00Z",
            "2026-13-22T10:15:00Z",
            "2026-11-00T10:15:00Z",
            "2023-02-29T10:15:00Z",
            "1900-02-29T10:15:00Z",
            "2026-11-22T10:15:00.Z",
            "2026-11-22T10:15:00.1234567890Z",
            "2026-11-22T10:15:00+0500",
            "2026-11-22T10:15:00+05",
            "2026-11-22T10:15:00+24:00",
            "2026-11-22T10:15:00+05:60",
            "2026-11-22T10:15:00ZZ",
            "+026-11-22T10:15:00Z",
            "2026-11-22T10:15:00,5Z",
            "2026-11-22T10:15:0\u{661}Z",
        ] {
            check(text, Err(Rfc3339Error::Syntax));
        }
        check("9999-12-31T23:59:59Z", Err(Rfc3339Error::OutOfRange));
        check("0000-01-01T00:00:00Z", Err(Rfc3339Error::OutOfRange));
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(
            year in 1678_u32..2262, month in 0_u32..14, day in 0_u32..33, hour in 0_u32..25, minute in 0_u32..61,
            second in 0_u32..60, fraction in "(\\.[0-9]{1,9})?", offset in "(Z|z|[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9])",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}");
            let oracle = DateTime::parse_from_rfc3339(&text).ok().and_then(|time| time.timestamp_nanos_opt());
            prop_assert_eq!(Time::parse_rfc3339(&text).ok().map(Time::nanos), oracle, "{}", text);
        }

        #[test]
        fn never_panics(text in "[0-9TtZz:.+-]{0,40}") {
            let parsed = Time::parse_rfc3339(&text).is_ok();
            prop_assert!(!parsed || DateTime::parse_from_rfc3339(&text).is_ok(), "{}", text);
        }
    }
}
