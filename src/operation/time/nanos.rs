//! Spans of time.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Rem, Sub, SubAssign};
use std::time::Duration;

/// One millisecond, second, minute, hour and exact day.
pub const MILLISECOND: Nanos = Nanos::new(1_000_000);
pub const SECOND: Nanos = MILLISECOND.times(1_000);
pub const MINUTE: Nanos = SECOND.times(60);
pub const HOUR: Nanos = MINUTE.times(60);
pub const DAY: Nanos = HOUR.times(24);

/// A span of time in nanoseconds; one that leads back is negative. It is not an instant, see
/// [`Time`](super::Time), nor an amount or another number of an operation.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Nanos(i64);

/// As the number of nanoseconds: the text that a rule set's hash is made of is written so.
impl std::fmt::Debug for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}

impl Nanos {
    pub const ZERO: Self = Self(0);
    /// From one instant to the next.
    pub const ONE: Self = Self(1);
    pub const MAX: Self = Self(i64::MAX);

    #[must_use]
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns how many nanoseconds it is.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns so many times the span, for constants; elsewhere one writes `7 * DAY`.
    #[must_use]
    pub const fn times(self, count: i64) -> Self {
        Self(self.0 * count)
    }

    /// Adds a span, stopping at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns so many times the span, stopping at the ends of the range.
    #[must_use]
    pub const fn saturating_mul(self, count: i64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Adds a span, unless the sum is out of range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Returns so many times the span, unless that is out of range.
    #[must_use]
    pub fn checked_mul(self, count: i64) -> Option<Self> {
        self.0.checked_mul(count).map(Self)
    }
}

impl Add for Nanos {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Nanos {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl SubAssign for Nanos {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Neg for Nanos {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl From<Duration> for Nanos {
    /// Takes a duration as it is; one that is longer than 292 years becomes the longest span.
    fn from(duration: Duration) -> Self {
        i64::try_from(duration.as_nanos()).map_or(Self::MAX, Self)
    }
}

impl Mul<Nanos> for i64 {
    type Output = Nanos;

    fn mul(self, span: Nanos) -> Nanos {
        Nanos(self * span.0)
    }
}

impl Div<i64> for Nanos {
    type Output = Self;

    fn div(self, parts: i64) -> Self {
        Self(self.0 / parts)
    }
}

impl Div for Nanos {
    type Output = i64;

    /// Returns how many whole times the other span fits in.
    fn div(self, unit: Self) -> i64 {
        self.0 / unit.0
    }
}

impl Rem for Nanos {
    type Output = Self;

    fn rem(self, unit: Self) -> Self {
        Self(self.0 % unit.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Time;

    #[test]
    fn instants_before_1970_are_rounded_down_too() {
        let at = Time::EPOCH.minus(Nanos::ONE);
        assert_eq!((at.number_of(HOUR), at.rounded_down(HOUR)), (-1, Time::EPOCH.minus(HOUR)));
        assert_eq!((at.plus(HOUR).number_of(HOUR), at.plus(HOUR).rounded_down(HOUR)), (0, Time::EPOCH));
    }

    #[test]
    fn spans_stop_at_the_ends_of_their_range() {
        assert_eq!(Nanos::from(Duration::MAX), Nanos::MAX);
        assert_eq!(Nanos::from(Duration::from_secs(60)), MINUTE);
        assert_eq!((DAY.checked_mul(i64::MAX), DAY.saturating_mul(i64::MAX)), (None, Nanos::MAX));
        assert_eq!(Time::MAX.since(Time::MIN), Nanos::MAX);
    }
}
