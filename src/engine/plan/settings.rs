//! The settings that decisions depend on besides the rules.

use crate::engine::mutant::EngineMutant;
use crate::operation::Time;
use crate::operation::time::{DAY, HOUR, MINUTE, Nanos, Span, almaty_day};

/// Less in debug builds, so that tests come there.
const SCANNED_ROWS_MAX: usize = if cfg!(debug_assertions) { 32 } else { 256 };
const SHORT_ROWS_MAX: usize = if cfg!(debug_assertions) { 12 } else { 24 };

/// The settings that decisions depend on besides the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How far an operation may be behind its wallet's newest one before it is `late`.
    pub lateness: Nanos,
    /// How long an operation id is remembered, in event time.
    pub duplicate_horizon: Nanos,
    /// How many operations of one wallet may wait.
    pub waiting_max: usize,
    /// Logs of more rows than this have an index of all their windows: up to there, walking is faster. No decision
    /// depends on it, nor on the next.
    pub scanned_rows_max: usize,
    /// Logs of more rows than this have a table of their operations' ids and the totals of days and months.
    pub short_rows_max: usize,
    /// Only for tests that prove the tests; see [`crate::engine::mutant`].
    pub mutant: Option<EngineMutant>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lateness: 10 * MINUTE,
            duplicate_horizon: 24 * HOUR,
            waiting_max: 1_000,
            scanned_rows_max: SCANNED_ROWS_MAX,
            short_rows_max: SHORT_ROWS_MAX,
            mutant: None,
        }
    }
}

impl Settings {
    /// Returns the calendar day that holds an instant: Almaty's.
    #[must_use]
    pub fn day_of(&self, at: Time) -> Span {
        if self.has(EngineMutant::DayByUtc) {
            let start = at.rounded_down(DAY);
            return Span { start, end: start.plus(DAY) };
        }
        almaty_day(at)
    }

    /// Returns how long the id of an operation is remembered for those that refer to it, in event time;
    /// closed. A duplicate is known for the horizon alone.
    #[must_use]
    pub const fn ids_kept(&self) -> Nanos {
        self.duplicate_horizon.saturating_add(self.lateness)
    }

    /// Tells whether this engine is the wrong variant.
    #[must_use]
    pub fn has(&self, mutant: EngineMutant) -> bool {
        cfg!(feature = "faults") && self.mutant == Some(mutant)
    }
}
