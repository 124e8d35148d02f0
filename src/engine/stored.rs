//! What the engine's state looks like as bytes: for stores, and for nothing else.
//!
//! A committed batch is written as a [`Journal`]: what it changed, not what the changed records hold, so
//! that the bytes of an operation do not grow with its wallet. From time to time the records themselves
//! are written, a group of wallets or of shared windows at a time ([`wallets`], [`windows`]); together
//! with the journals after it, a group can always be made again.
//!
//! Rows and windows are laid out for one rule set. Everything written names its [`Layout`], and is
//! brought into the present one when it is read.

pub mod wallets;
pub mod windows;
mod words;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::rules::program::Field;

use super::plan::{Plan, ROW_HEADER};

pub use wallets::{Journal, JournalReader};
pub use words::{Reader, Writer};

/// The version of everything written here. A change of the format adds one, and a way to read the old.
pub const VERSION: u8 = 1;

/// Wallets and shared windows are written in so many groups.
pub const GROUPS: usize = 256;

/// Why bytes could not be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StoredError {
    #[error("found version {0} of the record format, but this program reads versions up to {VERSION}")]
    Version(u8),
    #[error("the record ends early or is damaged at byte {0}")]
    Damaged(usize),
    #[error("it does not follow what is before it")]
    Gap,
    #[error("the record was laid out for rules that the store does not know (layout {0:016x})")]
    UnknownLayout(u64),
}

/// How rows and windows are laid out for a rule set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// What each window computes, by its bit in a row's mask.
    state_ids: Vec<u64>,
    columns: Vec<Field>,
    mask_words: usize,
}

impl Layout {
    /// Returns the layout of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        Self {
            state_ids: plan.aggregates.iter().map(|aggregate| aggregate.state_id).collect(),
            columns: plan.columns.clone(),
            mask_words: plan.mask_words,
        }
    }

    /// Returns the hash that names the layout.
    #[must_use]
    pub fn id(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.encode())
    }

    /// Returns the layout as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned();
        writer.value(self);
        writer.into_bytes()
    }

    /// Reads a layout.
    ///
    /// # Errors
    /// The bytes are no layout of a known version.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        Reader::versioned(bytes)?.value()
    }

    /// Tells which window, by its bit in the mask, has this state.
    #[must_use]
    pub fn has_state(&self, state_id: u64) -> bool {
        self.state_ids.contains(&state_id)
    }

    const fn stride(&self) -> usize {
        ROW_HEADER + self.mask_words + self.columns.len()
    }
}

/// Brings what was laid out for one rule set into the layout of another.
#[derive(Debug, Clone)]
pub struct Translation {
    from_stride: usize,
    from_mask_words: usize,
    to_stride: usize,
    to_mask_words: usize,
    /// The new bit of each old window that is still there.
    windows: Vec<Option<usize>>,
    /// The old place of each new column that was there.
    columns: Vec<Option<usize>>,
    is_identity: bool,
}

impl Translation {
    /// Compares two layouts.
    #[must_use]
    pub fn between(from: &Layout, to: &Layout) -> Self {
        let place = |id: &u64| to.state_ids.iter().position(|other| other == id);
        let column = |field: &Field| from.columns.iter().position(|other| other == field);
        Self {
            from_stride: from.stride(),
            from_mask_words: from.mask_words,
            to_stride: to.stride(),
            to_mask_words: to.mask_words,
            windows: from.state_ids.iter().map(place).collect(),
            columns: to.columns.iter().map(column).collect(),
            is_identity: from == to,
        }
    }

    /// Tells whether nothing has to be changed.
    #[must_use]
    pub const fn is_identity(&self) -> bool {
        self.is_identity
    }

    /// Returns a window's new position, if the rules still have it.
    #[must_use]
    pub fn window(&self, aggregate: usize) -> Option<usize> {
        self.windows.get(aggregate).copied().flatten()
    }

    /// Appends rows in the new layout.
    pub fn rows(&self, rows: &[u64], out: &mut impl Extend<u64>) {
        if self.is_identity {
            out.extend(rows.iter().copied());
            return;
        }
        for row in rows.chunks_exact(self.from_stride) {
            let mut new = vec![0; self.to_stride];
            new[..ROW_HEADER].copy_from_slice(&row[..ROW_HEADER]);
            for (old, window) in self.windows.iter().enumerate() {
                let is_in = row[ROW_HEADER + old / 64] >> (old % 64) & 1 != 0;
                if let Some(window) = window.filter(|_| is_in) {
                    new[ROW_HEADER + window / 64] |= 1 << (window % 64);
                }
            }
            for (at, column) in self.columns.iter().enumerate() {
                let word = column.map(|old| row[ROW_HEADER + self.from_mask_words + old]);
                new[ROW_HEADER + self.to_mask_words + at] = word.unwrap_or(0);
            }
            out.extend(new);
        }
    }
}

/// The layouts a store knows, and the way from each to the present one.
#[derive(Debug)]
pub struct Layouts {
    present: Layout,
    ways: HashMap<u64, Translation>,
}

impl Layouts {
    /// Starts with the present plan's layout.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let present = Layout::of(plan);
        let mut layouts = Self { ways: HashMap::new(), present };
        let same = layouts.present.clone();
        layouts.add(&same);
        layouts
    }

    /// Adds a layout of the past.
    pub fn add(&mut self, layout: &Layout) {
        self.ways.insert(layout.id(), Translation::between(layout, &self.present));
    }

    /// Returns the present layout.
    #[must_use]
    pub const fn present(&self) -> &Layout {
        &self.present
    }

    /// Returns the way from a layout to the present one.
    ///
    /// # Errors
    /// The layout is not known.
    pub fn from(&self, id: u64) -> Result<&Translation, StoredError> {
        self.ways.get(&id).ok_or(StoredError::UnknownLayout(id))
    }
}

/// Returns the group of a symbol whose bits are no hash by themselves.
#[must_use]
pub fn group_of(word: u64) -> usize {
    let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 56).unwrap_or(0)
}
