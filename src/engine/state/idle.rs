//! Stream time, and the eviction of keys that are no longer used.
//!
//! Eviction runs only when a key gets a new entry; unused keys would leak. They are removed here once stream
//! time has passed their newest operation by more than the longest window and the lateness.

use crate::operation::Time;
use crate::operation::time::Nanos;

/// An instant has passed when so many operations in a row were not before it: one operation with a time far
/// ahead moves nothing, and an old one only holds back.
const BLOCK: u32 = if cfg!(test) { 8 } else { 1_024 };

/// The time that a stream of operations has passed.
#[derive(Debug, Clone, Copy)]
pub struct StreamClock {
    passed: Option<Time>,
    /// The least time of the block so far.
    least: Time,
    left: u32,
}

impl Default for StreamClock {
    fn default() -> Self {
        Self { passed: None, least: Time::MAX, left: BLOCK }
    }
}

impl StreamClock {
    /// Takes an operation's time in. At the end of a block tells what has passed.
    pub fn take(&mut self, at: Time) -> Option<Time> {
        self.least = self.least.min(at);
        self.left -= 1;
        if self.left > 0 {
            return None;
        }
        self.passed = self.passed.max(Some(self.least));
        (self.least, self.left) = (Time::MAX, BLOCK);
        self.passed
    }
}

/// The parts of a state that are looked through for what can go, one after another. A round takes as long as
/// something must be idle to go: what is looked at is mostly still needed, and far away in memory.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    parts: usize,
    next: usize,
    due: Option<Time>,
}

impl Rounds {
    /// Starts with the first of so many parts.
    #[must_use]
    pub const fn new(parts: usize) -> Self {
        Self { parts, next: 0, due: None }
    }

    /// Tells which part to look through when the stream has passed this instant, if one is due. `idle` is how
    /// long something must be idle to go, in nanoseconds.
    pub fn step(&mut self, passed: Time, idle: Nanos) -> Option<usize> {
        if self.due.is_some_and(|due| passed < due) {
            return None;
        }
        let each = i64::try_from(self.parts).map_or(idle, |parts| idle / parts);
        self.due = Some(passed.plus(each));
        let part = self.next;
        self.next = (part + 1) % self.parts;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_takes_as_long_as_the_idle_time() {
        let mut rounds = Rounds::new(4);
        let steps: Vec<Option<usize>> =
            (0..12).map(|now| rounds.step(Time::from_nanos(now * 50), Nanos::new(400))).collect();
        let odd = |part| [Some(part), None];
        assert_eq!(steps, [odd(0), odd(1), odd(2), odd(3), odd(0), odd(1)].concat());
        let much_later = Time::from_nanos(1_000_000);
        assert_eq!(rounds.step(much_later, Nanos::new(400)), Some(2), "after a pause one part at a time, too");
    }

    #[test]
    fn one_operation_far_ahead_moves_nothing() {
        let mut clock = StreamClock::default();
        let mut passed = |at: i64| -> Vec<Option<Time>> {
            (0..BLOCK).map(|number| clock.take(Time::from_nanos(if number == 3 { i64::MAX } else { at }))).collect()
        };
        let time = |nanos| Some(Time::from_nanos(nanos));
        assert_eq!(passed(5), [None, None, None, None, None, None, None, time(5)]);
        assert_eq!(passed(9).pop(), Some(time(9)));
        assert_eq!(passed(2).pop(), Some(time(9)), "time does not go back");
    }
}
