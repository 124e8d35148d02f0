//! Operations that are planned but not yet due, in the order of their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How many may wait: the heap's keys are the millisecond and, in their low bits, the place in the slab.
const PLACE_BITS: u32 = 21;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;

/// A heap of small keys over a slab, so that sifting moves eight bytes and not an operation.
#[derive(Debug, Clone)]
pub(super) struct Pending<T> {
    keys: BinaryHeap<Reverse<u64>>,
    slab: Vec<T>,
    free: Vec<u64>,
}

impl<T: Copy> Pending<T> {
    pub(super) const fn new() -> Self {
        Self { keys: BinaryHeap::new(), slab: Vec::new(), free: Vec::new() }
    }

    /// Returns how many more may wait.
    pub(super) fn room(&self) -> usize {
        (1 << PLACE_BITS) - self.keys.len()
    }

    /// Returns the time of the first, in milliseconds.
    pub(super) fn peek_ms(&self) -> Option<u64> {
        self.keys.peek().map(|key| key.0 >> PLACE_BITS)
    }

    /// Adds one that is due at this millisecond; the caller has asked for [`Self::room`].
    pub(super) fn push(&mut self, at_ms: u64, item: T) {
        let place = if let Some(place) = self.free.pop() {
            self.slab[index(place)] = item;
            place
        } else {
            self.slab.push(item);
            self.slab.len() as u64 - 1
        };
        assert!(place <= PLACE_MASK, "the caller asks for room first");
        self.keys.push(Reverse((at_ms << PLACE_BITS) | place));
    }

    /// Takes the first.
    pub(super) fn pop(&mut self) -> Option<T> {
        let place = self.keys.pop()?.0 & PLACE_MASK;
        self.free.push(place);
        Some(self.slab[index(place)])
    }

    /// Returns how many have ever waited at once.
    pub(super) fn most(&self) -> usize {
        self.slab.len()
    }
}

fn index(place: u64) -> usize {
    usize::try_from(place).expect("a place is below 2²¹")
}
