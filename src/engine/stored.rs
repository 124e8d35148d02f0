//! The engine's state as bytes, for stores.
//!
//! A committed batch is written as a [`Journal`]: what it changed, not what the changed records hold, so
//! that the bytes of an operation do not grow with its wallet. From time to time the records themselves
//! are written, a group of wallets or of shared windows at a time ([`wallets`], [`windows`]); together
//! with the journals after it, a group can always be made again.
//!
//! Rows and windows are laid out for one rule set. Everything written names its [`StateLayout`], and is
//! brought into the present one when it is read.

use crate::engine::plan::Plan;
use std::collections::HashMap;
use thiserror::Error;

pub mod budgets;
mod first;
#[cfg(test)]
mod numbers;
pub mod wallets;
pub mod windows;
mod words;

pub use crate::engine::state::groups::{GROUPS, wallet_group};
pub use crate::engine::state::layout::{LayoutMigration, StateLayout};
pub use first::read_block as read_first_block;
pub use wallets::{ChangeLog, Journal, JournalReader, NoJournal};
pub use words::{Reader, Writer};

/// The version of everything written here. A change of the format adds one, and a way to read the old.
pub const VERSION: u8 = 2;

/// The version of layouts, whose bytes name them: it changes with their own format only.
const LAYOUT_VERSION: u8 = 1;

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

/// The layouts a store knows, and the way from each to the present one.
#[derive(Debug)]
pub struct Layouts {
    present: StateLayout,
    ways: HashMap<u64, LayoutMigration>,
}

impl Layouts {
    /// Starts with the present plan's layout.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let present = StateLayout::of(plan);
        let mut layouts = Self { ways: HashMap::new(), present };
        let same = layouts.present.clone();
        layouts.add(&same);
        layouts
    }

    /// Adds a layout of the past.
    pub fn add(&mut self, layout: &StateLayout) {
        self.ways.insert(layout.id(), LayoutMigration::between(layout, &self.present));
    }

    /// Returns the present layout.
    #[must_use]
    pub const fn present(&self) -> &StateLayout {
        &self.present
    }

    /// Returns the way from a layout to the present one.
    ///
    /// # Errors
    /// The layout is not known.
    pub fn from(&self, id: u64) -> Result<&LayoutMigration, StoredError> {
        self.ways.get(&id).ok_or(StoredError::UnknownLayout(id))
    }
}

impl StateLayout {
    /// Returns the hash that names the layout.
    #[must_use]
    pub fn id(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.encode())
    }

    /// Returns the layout as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::of_version(LAYOUT_VERSION);
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
}
