//! The machine's clock: it stamps arrivals and says when keys of Redis are old. No decision is computed from it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::operation::Time;

/// Returns the time of the machine's clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the adapter that stamps arrivals")]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
