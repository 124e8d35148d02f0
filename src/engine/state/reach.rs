//! How far the stream as a whole has come, for operations whose arrival time is not known.
//!
//! Where an operation's arrival is known, a time too far ahead of it is refused. Where it is not, as in a file, one
//! wrong clock must neither empty the windows of its wallet nor end a block: an operation that lies more than
//! [`FAR`] ahead of the stream's time is decided like any other, and ages nothing until the stream comes there.

use crate::operation::Time;
use crate::operation::time::{DAY, Nanos};

/// So far ahead of the stream's time an operation without an arrival time may lie and still count for the age of
/// what is remembered, in nanoseconds.
pub const FAR: Nanos = DAY;

/// The stream's time: the greatest instant that two operations in a row were not before. One operation far ahead
/// moves nothing, and after a pause the second operation confirms the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamReach {
    reached: Option<Time>,
    /// The operation decided last.
    last: Option<Time>,
}

impl StreamReach {
    /// Makes it again from what the logs of the wallets hold: the sequence numbers and times of operations that were
    /// decided. The newest of them are always there.
    #[must_use]
    pub fn of_decided(mut decided: Vec<(u64, Time)>) -> Self {
        decided.sort_unstable();
        // An operation and its matches have a row each.
        decided.dedup_by_key(|(seq, _)| *seq);
        let pairs = decided.windows(2).filter(|pair| pair[0].0 + 1 == pair[1].0);
        let reached = pairs.map(|pair| pair[0].1.min(pair[1].1)).max();
        Self { reached, last: decided.last().map(|(_, at)| *at) }
    }

    /// Returns the stream's time once an operation at `at` has come, if it is the second or a later one.
    #[must_use]
    pub fn with(self, at: Time) -> Option<Time> {
        self.reached.max(self.last.map(|last| last.min(at)))
    }

    /// Takes the time of a decided operation in.
    pub fn take(&mut self, at: Time) {
        self.reached = self.with(at);
        self.last = Some(at);
    }
}

/// Which operations count for the age of what is remembered, when one of them is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Any: the arrival time of the one that is decided is known, so that its own time is no error.
    Unlimited,
    /// Those not more than [`FAR`] after the stream's time; none before the stream has one.
    Stream(Option<Time>),
}

impl Reach {
    /// Tells whether an operation at `at` counts.
    #[must_use]
    pub fn covers(self, at: Time) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Stream(time) => time.is_some_and(|time| at <= time.plus(FAR)),
        }
    }

    /// Returns `at` where it counts, else the stream's time, if there is one.
    #[must_use]
    pub fn counted(self, at: Time) -> Option<Time> {
        match self {
            Self::Stream(time) if !self.covers(at) => time,
            Self::Unlimited | Self::Stream(_) => Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Time {
        Time::ACCEPTED_FROM.plus(number * DAY)
    }

    fn stream(days: &[i64]) -> StreamReach {
        let mut time = StreamReach::default();
        days.iter().for_each(|number| time.take(day(*number)));
        time
    }

    #[test]
    fn one_operation_far_ahead_moves_nothing() {
        assert_eq!(stream(&[5]).with(day(6)), Some(day(5)), "with the second the stream has a time");
        assert_eq!(stream(&[5, 6, 20_000]).with(day(7)), Some(day(7)));
        assert_eq!(stream(&[20_000, 6]).with(day(7)), Some(day(6)), "the first of all");
        assert_eq!(stream(&[5, 6, 2]).with(day(1)), Some(day(5)), "time does not go back");
    }

    #[test]
    fn after_a_pause_the_second_operation_confirms_the_first() {
        let reach = |days: &[i64], at: i64| Reach::Stream(stream(days).with(day(at)));
        assert!(!reach(&[5, 6], 90).covers(day(90)));
        assert!(reach(&[5, 6, 90], 91).covers(day(90)));
        assert!(reach(&[5, 6, 90], 91).covers(day(91)));
        assert!(!reach(&[5, 6, 20_000], 90).covers(day(20_000)), "the pause ends after the wrong clock");
        assert!(reach(&[5, 6, 20_000], 90).covers(day(90)));
        assert_eq!(reach(&[5, 6], 90).counted(day(90)), Some(day(6)));
        assert_eq!(reach(&[], 90).counted(day(90)), None);
        assert_eq!(Reach::Unlimited.counted(day(20_000)), Some(day(20_000)));
    }

    #[test]
    fn it_can_be_made_again_from_rows_in_any_order() {
        let days = [5, 6, 20_000, 7, 7, 3, 8];
        let mut rows: Vec<(u64, Time)> = days.iter().zip(1..).map(|(number, seq)| (seq, day(*number))).collect();
        rows.extend_from_within(2..4);
        rows.reverse();
        assert_eq!(StreamReach::of_decided(rows), stream(&days));
        let with_gap = vec![(1, day(1)), (3, day(9)), (5, day(9))];
        assert_eq!(StreamReach::of_decided(with_gap).with(day(2)), Some(day(2)), "no two in a row");
    }
}
