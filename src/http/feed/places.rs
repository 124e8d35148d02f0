//! How far the readers of the stream have come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The places of all readers that are there.
#[derive(Debug, Default)]
pub(in super::super) struct Places(Mutex<Vec<Weak<AtomicU64>>>);

/// How far one reader has come: up to this decision everything was sent to it. It leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicU64>);

impl Place {
    /// Says that everything up to a decision was sent.
    pub(super) fn move_to(&self, seq: u64) {
        self.0.store(seq, Ordering::Relaxed);
    }
}

impl Places {
    fn all(&self) -> MutexGuard<'_, Vec<Weak<AtomicU64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a reader in that goes on after a decision.
    pub(super) fn enter(&self, after: u64) -> Place {
        let place = Arc::new(AtomicU64::new(after));
        let mut all = self.all();
        all.retain(|place| place.strong_count() > 0);
        all.push(Arc::downgrade(&place));
        Place(place)
    }

    /// Tells by how many decisions the slowest reader is behind the newest one; 0 where nobody reads.
    pub(in super::super) fn lag(&self, newest: u64) -> u64 {
        let slowest = self.all().iter().filter_map(Weak::upgrade).map(|place| place.load(Ordering::Relaxed)).min();
        slowest.map_or(0, |slowest| newest.saturating_sub(slowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_reader_that_is_there_counts() {
        let places = Places::default();
        assert_eq!(places.lag(100), 0);
        let (fast, slow) = (places.enter(90), places.enter(10));
        assert_eq!(places.lag(100), 90);
        slow.move_to(60);
        assert_eq!(places.lag(100), 40);
        drop(slow);
        assert_eq!(places.lag(100), 10);
        // A reader may have been sent what was committed just now.
        fast.move_to(101);
        assert_eq!(places.lag(100), 0);
        drop(fast);
        let _next = places.enter(0);
        assert_eq!(places.all().len(), 1);
    }
}
