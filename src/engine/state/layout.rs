//! How rows are laid out for a rule set, and the way from one layout to another.

use crate::engine::plan::Plan;
use crate::engine::plan::row_layout::ROW_HEADER;
use crate::engine::window_mask;
use crate::rules::program::Field;
use serde::{Deserialize, Serialize};

/// How rows and windows are laid out for a rule set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateLayout {
    /// What each window computes, by its bit in a row's mask.
    state_ids: Vec<u64>,
    columns: Vec<Field>,
    mask_words: usize,
}

impl StateLayout {
    /// Returns the layout of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        Self {
            state_ids: plan.aggregates.iter().map(|aggregate| aggregate.state_id).collect(),
            columns: plan.columns.clone(),
            mask_words: plan.mask_words,
        }
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
pub struct LayoutMigration {
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

impl LayoutMigration {
    /// Compares two layouts.
    #[must_use]
    pub fn between(from: &StateLayout, to: &StateLayout) -> Self {
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

    /// Tells whether words are whole rows of the old layout, in no window that it does not have.
    #[must_use]
    pub fn are_rows(&self, rows: &[u64]) -> bool {
        let is_row = |row: &[u64]| {
            let mask = row[ROW_HEADER..].iter().take(self.from_mask_words).enumerate();
            mask.map(|(word, bits)| bits & !window_mask::all_below(self.windows.len(), word))
                .all(|unknown| unknown == 0)
        };
        rows.len().is_multiple_of(self.from_stride) && rows.chunks_exact(self.from_stride).all(is_row)
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
                let is_in = window_mask::contains(&row[ROW_HEADER..], old);
                if let Some(window) = window.filter(|_| is_in) {
                    window_mask::insert(&mut new[ROW_HEADER..], window);
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
