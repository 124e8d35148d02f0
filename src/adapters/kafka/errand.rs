//! Work with Kafka on threads that nobody joins: how much of it there is.
//!
//! A process that ends takes from under a client of librdkafka what it still works with, and would end by a fault. So
//! whoever ends the process waits first until such work is over.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

static OPEN: Mutex<usize> = Mutex::new(0);
static CLOSED: Condvar = Condvar::new();

/// One piece of work, from before its thread is made until its clients are gone.
#[derive(Debug)]
pub struct Errand(());

impl Errand {
    /// Counts a piece of work for as long as the value lives: the thread that does it takes the value along, and drops
    /// it last.
    #[must_use]
    pub fn begin() -> Self {
        *OPEN.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        *OPEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        CLOSED.notify_all();
    }
}

/// Waits until no such work is left; tells whether that came about in time.
#[must_use]
pub fn wait_until_none(patience: Duration) -> bool {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = CLOSED.wait_timeout_while(open, patience, |open| *open > 0);
    waited.is_ok_and(|(_, result)| !result.timed_out())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_waits_for_what_has_begun() {
        let errand = Errand::begin();
        assert!(!wait_until_none(Duration::ZERO));
        let ended = std::thread::spawn(move || drop(errand));
        assert!(wait_until_none(Duration::from_secs(60)));
        ended.join().expect("it ends");
    }
}
