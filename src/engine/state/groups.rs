//! The groups in which stores write state.

/// Wallets and shared windows are written in so many groups.
pub const GROUPS: usize = 256;

/// Returns the group of a symbol whose bits are no hash by themselves.
#[must_use]
pub fn wallet_group(word: u64) -> usize {
    let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 56).unwrap_or(0)
}
