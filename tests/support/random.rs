//! Seeded random numbers for tests: splitmix64, so that a printed seed repeats a run.

use std::fmt::Debug;

/// The same seed gives the same numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..end`; 0 where that is empty.
    pub(crate) fn below<N>(&mut self, end: N) -> N
    where
        N: TryFrom<u64, Error: Debug> + TryInto<u64, Error: Debug>,
    {
        let end: u64 = end.try_into().expect("no negative number");
        N::try_from(self.next() % end.max(1)).expect("less than the end")
    }
}
