//! Puts backfilled rows among those a record has.

use crate::engine::plan::Plan;
use crate::engine::plan::row_layout::{ROW_FLAGS, ROW_HEADER, ROW_SEQ};
use crate::engine::state::wallet::row::{FLAG_CANCELLED, FLAG_MATCH, FLAG_REFUSED};

/// Puts rows of the past among those a record has, both in the order of their decisions; `arrivals` is
/// how many rows the record was given so far. A row that is there already is in more windows from now on;
/// one that had left the record comes back under an arrival number that was free since.
#[must_use]
pub fn merge(plan: &Plan, present: &[u64], past: &[Vec<u64>], arrivals: u64) -> Vec<u64> {
    let stride = plan.stride();
    let mut merged: Vec<u64> = Vec::with_capacity(present.len() + past.len() * stride);
    let mut past = past.iter().peekable();
    let mut free = 0;
    let come_back = |row: &[u64], free: &mut u64, before: u64, merged: &mut Vec<u64>| {
        if *free < before {
            let start = merged.len();
            merged.extend_from_slice(row);
            merged[start + ROW_FLAGS] |= *free << 32;
            *free += 1;
        }
    };
    for row in present.chunks_exact(stride) {
        let (arrival, is_match) = (row[ROW_FLAGS] >> 32, row[ROW_FLAGS] & FLAG_MATCH != 0);
        // The row of an operation stands before those of its matches.
        let is_before = |other: &&Vec<u64>| other[ROW_SEQ] < row[ROW_SEQ] + u64::from(is_match);
        while let Some(older) = past.next_if(is_before) {
            come_back(older, &mut free, arrival, &mut merged);
        }
        let start = merged.len();
        merged.extend_from_slice(row);
        if let Some(same) = past.next_if(|other| other[ROW_SEQ] == row[ROW_SEQ])
            && row[ROW_FLAGS] & (FLAG_REFUSED | FLAG_CANCELLED) == 0
        {
            let mask = start + ROW_HEADER..start + ROW_HEADER + plan.mask_words;
            merged[mask].iter_mut().zip(&same[ROW_HEADER..]).for_each(|(word, bits)| *word |= bits);
            merged[start + ROW_HEADER + plan.mask_words..].copy_from_slice(&same[ROW_HEADER + plan.mask_words..]);
        }
        free = arrival + 1;
    }
    for newer in past {
        come_back(newer, &mut free, arrivals, &mut merged);
    }
    merged
}
