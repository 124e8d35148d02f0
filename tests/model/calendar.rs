//! Almaty's calendar and the monthly calculation index, written out by hand.

use super::op::{DAY, HOUR, Time};
use chrono::{DateTime, Months, NaiveDate};

/// 2024-02-29T18:00Z: the clocks went from UTC+6 to UTC+5.
pub(crate) const SWITCH: Time = 1_709_229_600_000_000_000;

fn offset(at: Time) -> Time {
    if at < SWITCH { 6 * HOUR } else { 5 * HOUR }
}

/// What the clock on the wall shows, as nanoseconds.
fn wall(at: Time) -> Time {
    at + offset(at)
}

/// The instant of a wall clock; the later one where it happened twice.
pub(crate) fn instant(wall: Time) -> Time {
    let after = wall - 5 * HOUR;
    if after >= SWITCH { after } else { wall - 6 * HOUR }
}

/// Number of the local day since 1970-01-01.
pub(crate) fn day(at: Time) -> i64 {
    wall(at).div_euclid(DAY)
}

/// The first instant after the local day.
pub(crate) fn day_end(day: i64) -> Time {
    instant((day + 1) * DAY)
}

pub(crate) fn plus_days(at: Time, days: i64) -> Time {
    instant(wall(at) + days * DAY)
}

pub(crate) fn plus_months(at: Time, months: u32) -> Time {
    let shown = DateTime::from_timestamp_nanos(wall(at)).naive_utc();
    let moved = shown.checked_add_months(Months::new(months)).expect("a date of this century");
    instant(moved.and_utc().timestamp_nanos_opt().expect("a time of this century"))
}

pub(crate) fn day_number(year: i32, month: u32, day: u32) -> i64 {
    NaiveDate::from_ymd_opt(year, month, day)
        .expect("a date")
        .and_hms_opt(0, 0, 0)
        .expect("midnight")
        .and_utc()
        .timestamp()
        .div_euclid(86_400)
}

const MRP: [(i32, u32, u32, i64); 8] = [
    (2026, 1, 1, 4325),
    (2025, 1, 1, 3932),
    (2024, 1, 1, 3692),
    (2023, 1, 1, 3450),
    (2022, 1, 1, 3063),
    (2021, 1, 1, 2917),
    (2020, 4, 1, 2778),
    (2020, 1, 1, 2651),
];

/// Tiyn; nothing before the table's first row.
pub(crate) fn mrp(day: i64) -> Option<i64> {
    MRP.iter().find(|(y, m, d, _)| day >= day_number(*y, *m, *d)).map(|row| row.3 * 100)
}
