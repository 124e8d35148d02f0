//! Decisions before a given one, found by the index.

use crate::adapters::store::{Store, StoreError};
use crate::service::search::{self, Filter, Item, Order, Query};

/// So many decisions are read at most to find those that a filter means.
const SCANNED_MAX: u64 = 300_000;
/// Decisions of one page of the index.
pub(super) const PAGE: usize = 1_000;
/// and their bytes.
const PAGE_BYTES: usize = 8 << 20;

/// Lists the newest decisions before a number that a filter means, the newest first, each as `keep` has it, and tells
/// whether these are all.
///
/// # Errors
/// The store cannot be read.
pub(super) fn newest_before<T>(
    store: &Store,
    filter: Filter,
    (before, at_most): (u64, usize),
    keep: impl Fn(Item) -> T,
) -> Result<(Vec<T>, bool), StoreError> {
    let (mut found, mut scanned) = (Vec::new(), 0);
    let limit = PAGE.min(at_most.saturating_add(1));
    let mut query = Query { filter, order: Order::Descending, position: before, limit, bytes_max: PAGE_BYTES };
    loop {
        let page = search::page(store, &query)?;
        for item in page.items {
            if found.len() >= at_most {
                return Ok((found, false));
            }
            found.push(keep(item));
        }
        if page.next == query.position {
            return Ok((found, true));
        }
        scanned += page.scanned;
        if scanned > SCANNED_MAX {
            return Ok((found, false));
        }
        query.position = page.next;
    }
}
