//! A set of windows as bits of words: which windows a row is in, or an operation enters.

/// Bits of a word.
const BITS: usize = u64::BITS as usize;

/// Tells whether the window with this number is in the mask.
#[must_use]
#[inline]
pub(super) const fn contains(mask: &[u64], window: usize) -> bool {
    mask[window / BITS] >> (window % BITS) & 1 != 0
}

/// Puts a window into the mask.
#[inline]
pub(super) const fn insert(mask: &mut [u64], window: usize) {
    mask[window / BITS] |= 1 << (window % BITS);
}

/// Takes a window out of the mask.
#[inline]
pub(super) const fn remove(mask: &mut [u64], window: usize) {
    mask[window / BITS] &= !(1 << (window % BITS));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_every_word_go_in_and_out() {
        let mut mask = [0; 3];
        for window in [0, 1, 63, 64, 127, 191] {
            assert!(!contains(&mask, window), "{window}");
            insert(&mut mask, window);
            assert!(contains(&mask, window), "{window}");
        }
        assert_eq!(mask, [1 | 2 | 1 << 63, 1 | 1 << 63, 1 << 63]);
        remove(&mut mask, 63);
        assert_eq!(mask, [1 | 2, 1 | 1 << 63, 1 << 63]);
    }
}
