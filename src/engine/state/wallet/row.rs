//! One row of a wallet's log, read.

use crate::engine::plan::Plan;
use crate::engine::plan::aggregate::PlannedAggregate;
use crate::engine::plan::row_layout::{ROW_AT, ROW_CONTENT, ROW_FLAGS, ROW_HEADER, ROW_ID, ROW_SEQ};
use crate::engine::window_mask;
use crate::operation::Time;

/// Flags in the low half of a row's flags word; the high half counts arrivals.
pub const FLAG_MONEY: u64 = 1;

/// The operation was refused: it is in no window, only its id is remembered.
pub const FLAG_REFUSED: u64 = 2;

/// The operation did not happen after all.
pub const FLAG_CANCELLED: u64 = 4;

/// The row is a match of an operation, not the operation.
pub const FLAG_MATCH: u64 = 8;

/// The match is a shadow rule's.
pub const FLAG_SHADOW: u64 = 16;

/// A row of the log, read.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a>(pub &'a [u64]);

impl Row<'_> {
    #[must_use]
    pub const fn at(self) -> Time {
        Time::from_nanos(self.0[ROW_AT].cast_signed())
    }

    #[must_use]
    pub fn id(self) -> u128 {
        u128::from(self.0[ROW_ID]) | u128::from(self.0[ROW_ID + 1]) << 64
    }

    #[must_use]
    pub const fn content(self) -> u64 {
        self.0[ROW_CONTENT]
    }

    #[must_use]
    pub const fn has(self, flag: u64) -> bool {
        self.0[ROW_FLAGS] & flag != 0
    }

    #[must_use]
    pub const fn arrival(self) -> u32 {
        (self.0[ROW_FLAGS] >> 32) as u32
    }

    /// Returns the sequence number of the operation's decision.
    #[must_use]
    pub const fn seq(self) -> u64 {
        self.0[ROW_SEQ]
    }

    #[must_use]
    pub const fn word(self, at: usize) -> u64 {
        self.0[at]
    }

    /// Tells whether the row is in the window.
    #[must_use]
    pub const fn is_in(self, aggregate: usize) -> bool {
        window_mask::contains(self.0, ROW_HEADER * u64::BITS as usize + aggregate)
    }

    /// Returns the windows the row is in, one bit each.
    #[must_use]
    pub fn mask(&self, mask_words: usize) -> &[u64] {
        &self.0[ROW_HEADER..ROW_HEADER + mask_words]
    }

    /// Lists the windows the row is in.
    pub fn windows(self, mask_words: usize) -> impl Iterator<Item = usize> {
        (0..mask_words).flat_map(move |word| {
            let mut bits = self.0[ROW_HEADER + word];
            std::iter::from_fn(move || {
                if bits == 0 {
                    return None;
                }
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                Some(word * 64 + bit as usize)
            })
        })
    }
}

/// Tells whether an entry of this time still counts in the window's state.
#[must_use]
pub fn is_visible(plan: &Plan, window: usize, at: Time, newest: Option<Time>) -> bool {
    newest.is_none_or(|newest| at >= newest.minus(plan.aggregates[window].retention))
}

/// Returns the key of a row in one window, as one word.
#[inline]
#[must_use]
pub fn key_of_row(aggregate: &PlannedAggregate, row: Row<'_>) -> u64 {
    key_word(aggregate.key_words.iter().map(|word| row.word(*word)))
}

/// Mixes the words of a key into one.
#[must_use]
pub fn key_word(words: impl Iterator<Item = u64>) -> u64 {
    words.enumerate().fold(0, |mixed, (position, word)| with_key_word(mixed, position, word))
}

/// Adds the next word to a key.
#[must_use]
pub fn with_key_word(mixed: u64, position: usize, word: u64) -> u64 {
    if position == 0 { word } else { mix(mixed, word) }
}

fn mix(left: u64, right: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&left.to_le_bytes());
    bytes[8..].copy_from_slice(&right.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}
