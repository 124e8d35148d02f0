//! Event time in nanoseconds, and the calendar of Almaty.

mod nanos;
mod rfc3339;

use std::fmt;

pub use nanos::{DAY, HOUR, MILLISECOND, MINUTE, Nanos, SECOND};
pub use rfc3339::Rfc3339Error;

use chrono::offset::LocalResult;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Asia::Almaty;
use chrono_tz::Tz;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// The earliest and the latest accepted event times (2000-01-01 and 2100-01-01, UTC).
    pub const ACCEPTED_FROM: Self = Self::EPOCH.plus(SECOND.times(946_684_800));
    pub const ACCEPTED_UNTIL: Self = Self::EPOCH.plus(SECOND.times(4_102_444_800));

    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Before and after every accepted time.
    pub const MIN: Self = Self(i64::MIN);
    pub const MAX: Self = Self(i64::MAX);

    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Adds a span, stopping at the ends of the range.
    #[must_use]
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.get()))
    }

    /// Subtracts a span, stopping at the ends of the range.
    #[must_use]
    pub const fn minus(self, span: Nanos) -> Self {
        Self(self.0.saturating_sub(span.get()))
    }

    /// Returns how long after `earlier` this is; negative when it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos::new(self.0.saturating_sub(earlier.0))
    }

    /// Tells whether two instants are no farther apart than a span, whichever is the earlier.
    #[must_use]
    pub const fn is_within(self, span: Nanos, of: Self) -> bool {
        self.0.abs_diff(of.0) <= span.get().unsigned_abs()
    }

    /// Returns the number of the whole second, hour or other unit that holds the instant, counted from 1970.
    #[must_use]
    pub const fn number_of(self, unit: Nanos) -> i64 {
        self.0.div_euclid(unit.get())
    }

    /// Returns when the whole second, hour or other unit that holds the instant began.
    #[must_use]
    pub const fn rounded_down(self, unit: Nanos) -> Self {
        self.minus(Nanos::new(self.0.rem_euclid(unit.get())))
    }

    /// Converts to a chrono instant.
    #[must_use]
    pub const fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }

    /// Appends the text of [`fmt::Display`] without going through the formatter.
    pub fn push_text(self, out: &mut Vec<u8>) {
        let utc = self.to_utc();
        let second_of_day = small(self.number_of(SECOND).rem_euclid(86_400));
        let nanos = small(self.0.rem_euclid(SECOND.get()));
        push_digits::<4>(out, small(i64::from(utc.year())));
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        let parts = [(b'-', utc.month()), (b'-', utc.day()), (b'T', hour), (b':', minute), (b':', second)];
        for (mark, value) in parts {
            out.push(mark);
            push_digits::<2>(out, value);
        }
        if nanos != 0 {
            out.push(b'.');
            match (nanos % 1_000_000, nanos % 1_000) {
                (0, _) => push_digits::<3>(out, nanos / 1_000_000),
                (_, 0) => push_digits::<6>(out, nanos / 1_000),
                _ => push_digits::<9>(out, nanos),
            }
        }
        out.push(b'Z');
    }

    /// Converts to the clock of Almaty.
    #[must_use]
    pub fn to_almaty(self) -> DateTime<Tz> {
        self.to_utc().with_timezone(&Almaty)
    }

    /// Returns the calendar day of this instant in Almaty.
    #[must_use]
    pub fn almaty_date(self) -> NaiveDate {
        self.to_almaty().date_naive()
    }
}

impl fmt::Display for Time {
    /// Writes UTC with `Z` and 0, 3, 6 or 9 fractional digits, as many as needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.to_utc();
        write!(f, "{}", utc.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

/// Writes a span of nanoseconds in the rule language's units: `1h30m`, `2d`, `0.5s`.
#[must_use]
pub fn duration_text(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, part) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    let mut text = String::from(sign);
    for (value, unit) in [(whole / 86_400, 'd'), (whole / 3_600 % 24, 'h'), (whole / 60 % 60, 'm')] {
        if value > 0 {
            text.push_str(&format!("{value}{unit}"));
        }
    }
    if part > 0 {
        let digits = format!("{part:09}");
        text.push_str(&format!("{}.{}s", whole % 60, digits.trim_end_matches('0')));
    } else if whole % 60 > 0 || text.len() == sign.len() {
        text.push_str(&format!("{}s", whole % 60));
    }
    text
}

/// Takes a number that is known to be small and not negative.
fn small(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// Appends a number with leading zeros.
fn push_digits<const WIDTH: usize>(out: &mut Vec<u8>, mut value: u32) {
    let mut digits = [b'0'; WIDTH];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

/// The half-open span of one calendar unit: `start ≤ t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: Time,
    pub end: Time,
}

impl Span {
    /// Tells whether the instant lies in the span.
    #[must_use]
    pub const fn contains(self, at: Time) -> bool {
        self.start.0 <= at.0 && at.0 < self.end.0
    }
}

/// Returns the Almaty calendar day that holds `at`. 29 February 2024 lasted 25 hours.
#[must_use]
pub fn almaty_day(at: Time) -> Span {
    let date = at.almaty_date();
    day_span(date, date.checked_add_days(Days::new(1)).unwrap_or(date))
}

/// Returns the Almaty calendar month that holds `at`.
#[must_use]
pub fn almaty_month(at: Time) -> Span {
    let date = at.almaty_date();
    let first = date.with_day(1).unwrap_or(date);
    day_span(first, first.checked_add_months(Months::new(1)).unwrap_or(first))
}

fn day_span(start: NaiveDate, end: NaiveDate) -> Span {
    Span { start: almaty_midnight(start), end: almaty_midnight(end) }
}

/// Returns the first instant of a calendar day in Almaty.
#[must_use]
pub fn almaty_midnight(date: NaiveDate) -> Time {
    almaty_instant(date.and_time(NaiveTime::MIN))
}

/// Adds calendar days at the same Almaty wall clock.
#[must_use]
pub fn plus_days(at: Time, days: u32) -> Time {
    let local = at.to_almaty().naive_local();
    local.checked_add_days(Days::new(u64::from(days))).map_or(at, almaty_instant)
}

/// Adds calendar months at the same Almaty wall clock; a day that the month lacks becomes its last.
#[must_use]
pub fn plus_months(at: Time, months: u32) -> Time {
    let local = at.to_almaty().naive_local();
    local.checked_add_months(Months::new(months)).map_or(at, almaty_instant)
}

/// Resolves a wall clock of Almaty. One that happened twice means the later instant; one that was
/// skipped (only before 2005) means the instant the clock jumped to.
fn almaty_instant(local: NaiveDateTime) -> Time {
    let instant = match Almaty.from_local_datetime(&local) {
        LocalResult::Single(instant) => instant.with_timezone(&Utc),
        LocalResult::Ambiguous(one, other) => one.max(other).with_timezone(&Utc),
        LocalResult::None => {
            let after = local + chrono::TimeDelta::hours(1);
            Almaty.from_local_datetime(&after).latest().map_or_else(|| local.and_utc(), |i| i.with_timezone(&Utc))
        }
    };
    Time(instant.timestamp_nanos_opt().unwrap_or(i64::MAX))
}
