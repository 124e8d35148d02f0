//! What rules matched over time: operations and their amounts, by the hour and by the day in Almaty, as far back as the
//! longest period reaches.
//!
//! Hours and days are those of the operations' own time. What is kept of a rule is bounded, however much it matches.

use std::collections::{BTreeMap, HashMap};
use std::ops::{AddAssign, RangeInclusive};

use chrono::{Datelike as _, Days};
use serde::{Deserialize, Serialize};

use crate::operation::time::{HOUR, almaty_midnight};
use crate::operation::{Money, Time};

/// So many hours are kept: twice as many as a period looks at, for operations that come late.
const HOURS_KEPT: usize = 48;
/// So many days are kept; the longest period looks at 90.
const DAYS_KEPT: usize = 92;

/// Some of the operations that a rule matched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    pub operations: u64,
    /// Of all of them together, in tiyn.
    pub amount: u128,
    /// Those that the rule held or refused.
    pub stopped: u64,
    /// Of those that it held or refused, in tiyn.
    pub amount_stopped: u128,
}

impl Matched {
    /// Counts one operation. One without an amount counts as nothing of it.
    #[must_use]
    pub fn one(amount: Option<Money>, is_stopped: bool) -> Self {
        let amount = amount.map_or(0, |amount| u128::try_from(amount.tiyn()).unwrap_or(0));
        let (stopped, amount_stopped) = if is_stopped { (1, amount) } else { (0, 0) };
        Self { operations: 1, amount, stopped, amount_stopped }
    }
}

impl AddAssign for Matched {
    fn add_assign(&mut self, other: Self) {
        self.operations += other.operations;
        self.amount = self.amount.saturating_add(other.amount);
        self.stopped += other.stopped;
        self.amount_stopped = self.amount_stopped.saturating_add(other.amount_stopped);
    }
}

/// How far back one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Period {
    /// The hour of the newest operation and the 23 before it.
    #[default]
    Hours24,
    /// The day of the newest operation in Almaty and the six before it; and so on below.
    Days7,
    Days30,
    Days90,
    /// Everything that was counted.
    All,
}

impl Period {
    pub const NAMES: &[&str] = &["24h", "7d", "30d", "90d", "all"];
    const ALL: [Self; 5] = [Self::Hours24, Self::Days7, Self::Days30, Self::Days90, Self::All];

    /// Returns the period of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().zip(Self::NAMES).find_map(|(period, known)| (*known == name).then_some(period))
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    const fn days(self) -> Option<i64> {
        match self {
            Self::Days7 => Some(7),
            Self::Days30 => Some(30),
            Self::Days90 => Some(90),
            Self::Hours24 | Self::All => None,
        }
    }

    /// Returns when the period begins that ends with the newest operation; `None` where it has no beginning.
    #[must_use]
    pub fn begins(self, newest: Time) -> Option<Time> {
        if self == Self::Hours24 {
            return Some(newest.rounded_down(HOUR).minus(23 * HOUR));
        }
        let back = Days::new(self.days()?.unsigned_abs() - 1);
        newest.almaty_date().checked_sub_days(back).map(almaty_midnight)
    }
}

/// The number of an hour since the epoch, and that of the day in Almaty that it belongs to.
type Slot = (i64, i64);

/// What one rule matched, hour by hour and day by day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// By the hour's number since the epoch.
    hours: BTreeMap<i64, Matched>,
    /// By the number of the day in Almaty.
    days: BTreeMap<i64, Matched>,
    all: Matched,
}

impl Course {
    fn add(&mut self, (hour, day): Slot, matched: Matched) {
        *self.hours.entry(hour).or_default() += matched;
        *self.days.entry(day).or_default() += matched;
        self.all += matched;
        self.forget();
    }

    fn merge(&mut self, other: &Self) {
        other.hours.iter().for_each(|(hour, matched)| *self.hours.entry(*hour).or_default() += *matched);
        other.days.iter().for_each(|(day, matched)| *self.days.entry(*day).or_default() += *matched);
        self.all += other.all;
        self.forget();
    }

    fn forget(&mut self) {
        while self.hours.len() > HOURS_KEPT {
            self.hours.pop_first();
        }
        while self.days.len() > DAYS_KEPT {
            self.days.pop_first();
        }
    }

    /// Adds up a period that ends with the newest operation.
    #[must_use]
    pub fn within(&self, period: Period, newest: Time) -> Matched {
        let sum = |slots: &BTreeMap<i64, Matched>, range: RangeInclusive<i64>| {
            let mut all = Matched::default();
            slots.range(range).for_each(|(_, matched)| all += *matched);
            all
        };
        match period.days() {
            Some(days) => sum(&self.days, day_of(newest) - days + 1..=day_of(newest)),
            None if period == Period::Hours24 => sum(&self.hours, newest.number_of(HOUR) - 23..=newest.number_of(HOUR)),
            None => self.all,
        }
    }
}

fn day_of(at: Time) -> i64 {
    at.almaty_date().num_days_from_ce().into()
}

/// What all rules matched over time, of how many decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverTime {
    /// The time of the first operation that was counted: a store of an earlier program was not counted so.
    pub since: Option<Time>,
    /// Every decision; of amounts nothing is counted here.
    pub decided: Course,
    pub rules: HashMap<String, Course>,
    /// That of the last decision: to find the day of an hour costs more than the rest.
    slot: Option<Slot>,
}

impl OverTime {
    /// Counts that an operation was decided.
    pub fn add_decided(&mut self, at: Time) {
        self.since = self.since.or(Some(at));
        let slot = self.slot(at);
        self.decided.add(slot, Matched::one(None, false));
    }

    /// Days in Almaty begin with an hour.
    fn slot(&mut self, at: Time) -> Slot {
        let hour = at.number_of(HOUR);
        let slot = self.slot.filter(|(known, _)| *known == hour).unwrap_or_else(|| (hour, day_of(at)));
        *self.slot.insert(slot)
    }

    /// Counts that a rule matched an operation.
    pub fn add(&mut self, rule: &str, at: Time, matched: Matched) {
        let slot = self.slot(at);
        if let Some(course) = self.rules.get_mut(rule) {
            course.add(slot, matched);
        } else {
            self.rules.entry(rule.to_owned()).or_default().add(slot, matched);
        }
    }

    /// Adds what another shard counted.
    pub fn merge(&mut self, other: &Self) {
        self.since = [self.since, other.since].into_iter().flatten().min();
        self.decided.merge(&other.decided);
        for (rule, course) in &other.rules {
            self.rules.entry(rule.clone()).or_default().merge(course);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse_rfc3339(text).expect("a time")
    }

    fn add(course: &mut Course, at: Time, matched: Matched) {
        course.add((at.number_of(HOUR), day_of(at)), matched);
    }

    fn of(operations: u64, tiyn: u128) -> Matched {
        Matched { operations, amount: tiyn, stopped: operations, amount_stopped: tiyn }
    }

    #[test]
    fn a_period_holds_its_first_hour_or_day_and_not_the_one_before() {
        let newest = at("2026-11-22T10:30:00+05:00");
        let mut course = Course::default();
        // The first of each pair lies before the period, the second is its first instant.
        let times = [
            ("2026-08-24T23:59:59+05:00", "2026-08-25T00:00:00+05:00", Period::Days90),
            ("2026-10-23T23:59:59+05:00", "2026-10-24T00:00:00+05:00", Period::Days30),
            ("2026-11-15T23:59:59+05:00", "2026-11-16T00:00:00+05:00", Period::Days7),
            ("2026-11-21T10:59:59+05:00", "2026-11-21T11:00:00+05:00", Period::Hours24),
        ];
        for (before, first, period) in times {
            assert_eq!(period.begins(newest), Some(at(first)), "{period:?}");
            for time in [before, first] {
                add(&mut course, at(time), Matched::one(Money::parse("1.00"), true));
            }
        }
        let counts = [Period::Hours24, Period::Days7, Period::Days30, Period::Days90, Period::All];
        let counts = counts.map(|period| course.within(period, newest));
        assert_eq!(counts, [of(1, 100), of(3, 300), of(5, 500), of(7, 700), of(8, 800)]);
        assert_eq!(Period::All.begins(newest), None);
    }

    #[test]
    fn what_was_not_stopped_has_an_amount_of_its_own() {
        let mut course = Course::default();
        let now = at("2026-11-22T10:30:00+05:00");
        add(&mut course, now, Matched::one(Money::parse("2.00"), false));
        add(&mut course, now, Matched::one(None, true));
        let found = course.within(Period::Hours24, now);
        assert_eq!(found, Matched { operations: 2, amount: 200, stopped: 1, amount_stopped: 0 });
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_newest_stays() {
        let mut course = Course::default();
        let begin = at("2026-01-01T00:00:00Z");
        for hour in 0..24 * 200 {
            add(&mut course, begin.plus(hour * HOUR), Matched::one(None, false));
        }
        assert_eq!((course.hours.len(), course.days.len()), (HOURS_KEPT, DAYS_KEPT));
        let newest = begin.plus((24 * 200 - 1) * HOUR);
        assert_eq!(course.within(Period::Hours24, newest).operations, 24);
        assert_eq!(course.within(Period::All, newest).operations, 4_800);
    }

    #[test]
    fn names_and_periods_belong_together() {
        for name in Period::NAMES {
            assert_eq!(Period::from_name(name).map(Period::name), Some(*name));
        }
        assert_eq!((Period::from_name("1y"), Period::from_name("")), (None, None));
    }
}
