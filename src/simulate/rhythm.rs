//! When things happen: how many operations each hour of the simulated days gets.

use chrono::{Datelike, Timelike, Weekday};
use chrono_tz::Asia::Almaty;

use crate::operation::Time;
use crate::operation::time::HOUR;

use super::population::PAY_DAYS;

/// Relative traffic by the hour of the day in Almaty.
const BY_HOUR: [u64; 24] = [6, 4, 2, 2, 2, 4, 10, 20, 33, 41, 45, 49, 57, 55, 49, 47, 49, 57, 65, 67, 61, 49, 31, 14];

pub(super) const HOUR_MS: u64 = 3_600_000;

/// One hour of the simulation and how many operations begin in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) start_ms: u64,
    pub(super) operations: u64,
    pub(super) local_hour: u32,
    /// The pay day of the month that this is, if any.
    pub(super) pay_day: Option<u32>,
    /// Days since 1970-01-01 on the wall.
    pub(super) day: u64,
}

/// The hours of the simulation in order. The operations of all add up to the total exactly.
#[derive(Debug, Clone)]
pub(super) struct Rhythm {
    start: Time,
    hours: u64,
    total: u64,
    weight_of_all: u64,
    hour: u64,
    weight_before: u64,
}

impl Rhythm {
    pub(super) fn new(start: Time, days: u64, total: u64) -> Self {
        let hours = days * 24;
        let weight_of_all = (0..hours).map(|hour| weight(local(start, hour))).sum();
        Self { start, hours, total, weight_of_all, hour: 0, weight_before: 0 }
    }

    /// How many of the operations have begun when this much of the weight is behind us.
    fn share(&self, weight: u64) -> u64 {
        let share = u128::from(self.total) * u128::from(weight) / u128::from(self.weight_of_all);
        u64::try_from(share).unwrap_or(self.total)
    }
}

impl Iterator for Rhythm {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        if self.hour == self.hours {
            return None;
        }
        let wall = local(self.start, self.hour);
        let weight_after = self.weight_before + weight(wall);
        let slot = Slot {
            start_ms: milliseconds(self.start) + self.hour * HOUR_MS,
            operations: self.share(weight_after) - self.share(self.weight_before),
            local_hour: wall.hour(),
            pay_day: PAY_DAYS.into_iter().find(|day| *day == wall.day()),
            day: u64::try_from(wall.num_days_from_ce()).unwrap_or(0),
        };
        self.hour += 1;
        self.weight_before = weight_after;
        Some(slot)
    }
}

/// Returns the whole milliseconds of an accepted time.
pub(super) fn milliseconds(at: Time) -> u64 {
    u64::try_from(at.nanos() / 1_000_000).unwrap_or(0)
}

fn local(start: Time, hour: u64) -> chrono::DateTime<chrono_tz::Tz> {
    start.plus(HOUR.saturating_mul(hour.cast_signed())).to_utc().with_timezone(&Almaty)
}

fn weight(wall: chrono::DateTime<chrono_tz::Tz>) -> u64 {
    let of_hour = usize::try_from(wall.hour()).map_or(0, |hour| BY_HOUR[hour % 24]);
    let of_day = match wall.weekday() {
        Weekday::Fri => 11,
        Weekday::Sat => 12,
        Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu | Weekday::Sun => 10,
    };
    let of_month = if PAY_DAYS.contains(&wall.day()) { 13 } else { 10 };
    of_hour * of_day * of_month
}
