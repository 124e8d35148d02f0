//! How far the decisions of a shard have come, so that one operation with a wrong clock ends nothing.

use crate::operation::Time;
use crate::operation::time::DAY;

/// The time of a shard's decisions.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The greatest instant that two decided operations in a row were not before.
    reached: Option<Time>,
    last: Option<Time>,
}

impl Stream {
    /// Takes the next decided operation in, and returns the instant that has certainly passed with it: its own, or, of
    /// one more than a day ahead, that to which the others have come.
    pub(super) fn take(&mut self, at: Time) -> Time {
        let pair = self.last.replace(at).map(|last| last.min(at));
        self.reached = self.reached.max(pair);
        match self.reached {
            Some(reached) if at > reached.plus(DAY) => reached,
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operation_far_ahead_passes_nothing_and_two_do() {
        let day = |day: i64| Time::EPOCH.plus(day * DAY);
        let mut stream = Stream::default();
        assert_eq!([0, 1, 1, 30, 1, 40, 41].map(|at| stream.take(day(at))), [0, 1, 1, 1, 1, 1, 41].map(day));
    }
}
