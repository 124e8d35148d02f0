//! The readers of the stream: who is there, and how far each has come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The places of all readers that are there.
#[derive(Debug, Default)]
pub(in super::super) struct Places(Mutex<Vec<Weak<Come>>>);

/// What a reader is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What all are sent.
    Shared,
    /// The same, compressed.
    SharedGzip,
    /// What its filter means.
    Filtered,
}

#[derive(Debug)]
struct Come {
    kind: Kind,
    /// Up to this decision everything was sent.
    until: AtomicU64,
}

/// The place of one reader, which leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Come>);

/// Who reads what all are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sharing {
    pub(super) readers: usize,
    /// One of them at least takes gzip.
    pub(super) is_gzip: bool,
}

impl Place {
    /// Says that everything up to a decision was sent.
    pub(super) fn move_to(&self, seq: u64) {
        self.0.until.store(seq, Ordering::Relaxed);
    }
}

impl Places {
    fn all(&self) -> MutexGuard<'_, Vec<Weak<Come>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a reader in that goes on after a decision.
    pub(super) fn enter(&self, kind: Kind, after: u64) -> Place {
        let come = Arc::new(Come { kind, until: AtomicU64::new(after) });
        let mut all = self.all();
        all.retain(|place| place.strong_count() > 0);
        all.push(Arc::downgrade(&come));
        Place(come)
    }

    /// Tells who reads what all are sent.
    pub(super) fn sharing(&self) -> Sharing {
        let mut sharing = Sharing { readers: 0, is_gzip: false };
        for come in self.all().iter().filter_map(Weak::upgrade).filter(|come| come.kind != Kind::Filtered) {
            sharing.readers += 1;
            sharing.is_gzip |= come.kind == Kind::SharedGzip;
        }
        sharing
    }

    /// Counts the readers, with filters or without.
    pub(in super::super) fn count(&self) -> usize {
        self.all().iter().filter(|place| place.strong_count() > 0).count()
    }

    /// Tells by how many decisions the slowest reader is behind the newest one; 0 where nobody reads.
    pub(in super::super) fn lag(&self, newest: u64) -> u64 {
        let slowest = self.all().iter().filter_map(Weak::upgrade).map(|come| come.until.load(Ordering::Relaxed)).min();
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
        let (fast, slow) = (places.enter(Kind::Shared, 90), places.enter(Kind::Filtered, 10));
        assert_eq!(places.lag(100), 90);
        slow.move_to(60);
        assert_eq!(places.lag(100), 40);
        drop(slow);
        assert_eq!(places.lag(100), 10);
        // A reader may have been sent what was committed just now.
        fast.move_to(101);
        assert_eq!(places.lag(100), 0);
        drop(fast);
        let _next = places.enter(Kind::Shared, 0);
        assert_eq!(places.all().len(), 1);
    }

    #[test]
    fn readers_are_counted_by_what_they_are_sent_for_as_long_as_they_are_there() {
        let places = Places::default();
        let sharing = |readers, is_gzip| Sharing { readers, is_gzip };
        let filtered = places.enter(Kind::Filtered, 0);
        assert_eq!((places.count(), places.sharing()), (1, sharing(0, false)));
        let (plain, packed) = (places.enter(Kind::Shared, 0), places.enter(Kind::SharedGzip, 0));
        assert_eq!((places.count(), places.sharing()), (3, sharing(2, true)));
        drop((packed, filtered));
        assert_eq!((places.count(), places.sharing()), (1, sharing(1, false)));
        drop(plain);
        assert_eq!((places.count(), places.sharing()), (0, sharing(0, false)));
    }
}
