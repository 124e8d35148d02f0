//! A small seeded generator of random numbers. Not for secrets: only speed and repeatability count.

/// Mixes 64 bits so that near inputs give far outputs. A bijection: different inputs never collide.
pub(super) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// splitmix64: one addition and one [`mix`] for each number.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x6b75_7a65_7400_0001))
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number in `0..bound` (0 when `bound` is 0); `bound` stays below 2³².
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }

    /// Returns a number in `from..until`.
    pub(super) const fn between(&mut self, from: u64, until: u64) -> u64 {
        from + self.below(until - from)
    }

    /// Tells yes `numerator` times in `denominator`.
    pub(super) const fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// Picks one of the values.
    pub(super) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[below_len(self.next(), values.len())]
    }
}

/// Maps 64 random bits to an index of a slice of this length.
pub(super) fn below_len(bits: u64, len: usize) -> usize {
    // The upper half of the product is below `len`, so it fits.
    usize::try_from((u128::from(bits) * len as u128) >> 64).unwrap_or(0)
}
