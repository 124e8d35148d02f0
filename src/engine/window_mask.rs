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

/// Returns the bits of a word of the mask that stand for the first so many windows.
#[must_use]
pub(super) const fn all_below(windows: usize, word: usize) -> u64 {
    let left = windows.saturating_sub(word * BITS);
    if left >= BITS { u64::MAX } else { (1 << left) - 1 }
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

    #[test]
    fn the_first_windows_are_the_low_bits() {
        assert_eq!([all_below(0, 0), all_below(3, 0), all_below(64, 0), all_below(64, 1)], [0, 7, u64::MAX, 0]);
        assert_eq!([all_below(65, 0), all_below(65, 1), all_below(200, 2)], [u64::MAX, 1, u64::MAX]);
    }
}
