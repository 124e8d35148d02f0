//! One wallet's record: the log of its recent operations, runs, restrictions, waiting operations.
//!
//! The log is the truth of every owned window: a row says when an operation was, which windows it
//! entered (the mask) and the words those windows compute with. Small logs are scanned; a log that
//! grows gets an index beside it ([`crate::engine::index`]), which can always be made again from the rows.

pub mod cold;
pub mod index;
pub mod merge;
pub mod row;
pub mod runs;

use crate::engine::plan::Plan;
use crate::engine::plan::row_layout::{ROW_FLAGS, ROW_HEADER};
use crate::engine::state::changes::Changes;
use crate::engine::state::keyed::KeyedState;
use crate::engine::state::layout::LayoutMigration;
use crate::engine::state::reach::Reach;
use crate::engine::state::restriction::{Restriction, Waiting};
use crate::engine::state::wallet::index::{Depth, Index};
use crate::engine::state::wallet::merge::merge;
use crate::engine::state::wallet::row::{FLAG_CANCELLED, FLAG_REFUSED};
use crate::engine::state::wallets::position_table::PositionTable;
use crate::engine::window_mask;
use crate::operation::Time;
use crate::operation::time::almaty_day;
use crate::rules::program::Function;
pub use cold::{ColdState, migrate_cold};
use compact_str::CompactString;
pub use row::{FLAG_MATCH, Row, is_visible, key_of_row};
use rows::Rows;
pub use runs::{ChainStart, Run};
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashSet};

mod rows;

/// So many texts more than twice what the rows could need are kept before those that none needs go.
const TEXTS_UNSWEPT: usize = 32;

/// So many rows more than twice those of the last sweep are kept before all are looked through again.
const UNSWEPT_ROWS: usize = 32;

/// A time, [`Time::MIN`] where there is none: half the size of an `Option`.
#[derive(Debug, Clone, Copy)]
struct Newest(Time);

impl Default for Newest {
    fn default() -> Self {
        Self(Time::MIN)
    }
}

/// One wallet.
#[derive(Debug, Default)]
pub struct Wallet {
    pub id: CompactString,
    /// The newest time of its operations that were not refused.
    newest: Newest,
    /// [`Plan::stride`] words each.
    rows: Rows,
    /// Rows at the last sweep, to sweep again only after as many came.
    swept_rows: u32,
    /// As many as a row can tell: see [`Row::arrival`].
    arrivals: u32,
    cold: Option<Box<ColdState>>,
}

impl Wallet {
    /// Makes the record of a wallet that has done nothing yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Returns the newest time of the wallet's operations that were not refused.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        (self.newest.0 != Time::MIN).then_some(self.newest.0)
    }

    /// Tells whether nothing that the record holds can matter to an operation after `before`.
    #[must_use]
    pub fn is_idle(&self, plan: &Plan, before: Time) -> bool {
        let is_over = |day: &Time| almaty_day(*day).end < before;
        let is_free = self.cold.as_ref().is_none_or(|cold| {
            cold.restrictions.is_empty() && cold.waiting.is_empty() && cold.confirmed_days.iter().all(is_over)
        });
        // A refused operation leaves its id, and does not make the wallet newer.
        is_free && self.newest().is_none_or(|newest| newest < before) && self.rows(plan).all(|row| row.at() < before)
    }

    /// Returns how many operations and matches were written to the log so far.
    #[must_use]
    pub fn arrivals(&self) -> u64 {
        u64::from(self.arrivals)
    }

    /// Lists the rows of the log in order of arrival.
    pub fn rows(&self, plan: &Plan) -> impl DoubleEndedIterator<Item = Row<'_>> + Clone {
        self.rows.iter(plan.stride())
    }

    /// Lists the rows that may be in a window under a key, the last first: all of a short log, none of a long one
    /// without any.
    pub fn rows_of(&self, plan: &Plan, window: usize, key: u64) -> impl Iterator<Item = Row<'_>> {
        let is_any = self.index().is_none_or(|index| index.may_hold(plan, window, key));
        is_any.then(|| self.rows(plan).rev()).into_iter().flatten()
    }

    /// Tells whether no row of the log is older than the one before.
    #[must_use]
    pub const fn is_ordered(&self) -> bool {
        self.rows.is_ordered()
    }

    /// Returns how many rows the log has.
    #[must_use]
    pub fn row_count(&self, plan: &Plan) -> usize {
        self.rows.count(plan.stride())
    }

    /// Reads a word of each part of the record itself, to have it near.
    #[must_use]
    pub fn touch(&self) -> u64 {
        let is_cold = u64::from(self.cold.is_some());
        self.rows.touch() ^ is_cold ^ u64::from(self.id.as_bytes().first().copied().unwrap_or(0))
    }

    /// Reads a word of each part outside the record, to have it near.
    #[must_use]
    pub fn prefetch_cold(&self, id: u128) -> u64 {
        let cold = self.cold.as_ref();
        let ids = cold.and_then(|cold| cold.ids.as_ref()).map_or(0, |ids| ids.touch(hash_of(id)));
        self.rows.touch_far() ^ u64::from(ids) ^ self.index().map_or(0, Index::touch)
    }

    /// Finds the operation with this id, the latest arrival if there are several.
    #[must_use]
    pub fn find(&self, plan: &Plan, id: u128) -> Option<Row<'_>> {
        if let Some(ids) = self.cold.as_ref().and_then(|cold| cold.ids.as_ref()) {
            let mut latest = None;
            ids.each(hash_of(id), |arrival| {
                let row = self.row_of_arrival(plan, arrival).filter(|row| row.id() == id);
                latest = latest.max(row.map(Row::arrival));
            });
            return self.row_of_arrival(plan, latest?);
        }
        self.rows.rfind(plan.stride(), |row| row.id() == id && !row.has(FLAG_MATCH))
    }

    fn row_of_arrival(&self, plan: &Plan, arrival: u32) -> Option<Row<'_>> {
        let stride = plan.stride();
        let (mut low, mut high) = (0, self.rows.count(stride));
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.rows.get(middle, stride)?.arrival() < arrival {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.rows.get(low, stride).filter(|row| row.arrival() == arrival)
    }

    /// Returns the index beside a long log.
    #[must_use]
    pub fn index(&self) -> Option<&Index> {
        self.cold.as_ref()?.index.as_ref()
    }

    /// Tells whether a row is of an operation that is newer than the newest one that counts.
    fn is_ahead(&self, row: Row<'_>) -> bool {
        row.at() > self.newest.0 && !row.has(FLAG_MATCH | FLAG_REFUSED)
    }

    /// Returns the restrictions that have not left the record.
    #[must_use]
    pub fn restrictions(&self) -> &[Restriction] {
        self.cold.as_ref().map_or(&[], |cold| &cold.restrictions)
    }

    /// Returns the waiting operations in order of arrival.
    #[must_use]
    pub fn waiting(&self) -> &[Waiting] {
        self.cold.as_ref().map_or(&[], |cold| &cold.waiting)
    }

    /// Tells whether a PIN has confirmed the Almaty day that starts at this instant.
    #[must_use]
    pub fn is_confirmed(&self, day: Time) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.confirmed_days.contains(&day))
    }

    /// Returns the run of this `streak` and key, as far as its attempts count.
    #[must_use]
    pub fn run(&self, aggregate: usize, key: u64) -> Option<Run> {
        let runs = self.cold.as_ref()?.runs.iter().filter(|run| run.aggregate == aggregate && run.key == key);
        runs.filter(|run| run.last <= self.newest.0).max_by_key(|run| run.last).copied()
    }

    /// Returns what is remembered of the chain of this `age` and key before the log's rows.
    #[must_use]
    pub fn chain(&self, aggregate: usize, key: u64) -> Option<ChainStart> {
        self.cold.as_ref()?.chains.iter().find(|chain| chain.aggregate == aggregate && chain.key == key).copied()
    }

    /// Returns the text behind a symbol that a `last` gave.
    #[must_use]
    pub fn text(&self, symbol: u64) -> Option<&str> {
        self.cold.as_ref()?.texts.get(&symbol).map(|text| &**text)
    }

    /// Tells whether the record has texts.
    #[must_use]
    pub fn keeps_texts(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| !cold.texts.is_empty())
    }

    /// Returns the words of the log's rows, in two pieces.
    #[must_use]
    pub fn words(&self) -> [&[u64]; 2] {
        self.rows.parts()
    }

    /// Returns what most wallets have none of.
    #[must_use]
    pub fn cold(&self) -> Option<&ColdState> {
        self.cold.as_deref()
    }

    /// Puts a record back together; the index beside a long log is made again.
    pub fn restore(&mut self, plan: &Plan, newest: Option<Time>, arrivals: u64, rows: Vec<u64>, cold: ColdState) {
        self.newest = newest.map_or_else(Newest::default, Newest);
        self.rows = Rows::of(rows, plan.stride());
        let mut cold = cold;
        cold.ahead = self.rows(plan).filter(|row| self.is_ahead(*row)).map(Row::at).collect();
        self.arrivals = u32::try_from(arrivals & u64::from(u32::MAX)).unwrap_or(0);
        self.cold = (!cold.is_empty()).then(|| Box::new(cold));
        self.swept_rows = u32::try_from(self.row_count(plan)).unwrap_or(u32::MAX);
        self.build_aids(plan);
    }

    /// Puts rows of the past into the log, in the order of their decisions.
    ///
    /// `texts` are those behind the symbols in the rows.
    pub fn backfill(&mut self, plan: &Plan, past: &[Vec<u64>], texts: BTreeMap<u64, Box<str>>) {
        let rows = merge(plan, &self.rows.to_words(), past, self.arrivals());
        let mut cold = self.cold.take().map_or_else(ColdState::default, |cold| *cold);
        (cold.index, cold.ids) = (None, None);
        cold.texts.extend(texts);
        self.restore(plan, self.newest(), self.arrivals(), rows, cold);
    }

    /// Returns the record as it is once the stream reaches so far, where operations that lay far ahead of it count by
    /// then: one of them is the newest, and what that one ends has ended.
    #[must_use]
    pub fn caught_up(&self, plan: &Plan, reach: Reach) -> Option<Self> {
        let cold = self.cold.as_deref().filter(|_| reach != Reach::Unlimited)?;
        let newest = cold.ahead.iter().copied().filter(|at| reach.covers(*at)).max()?;
        let ColdState { runs, chains, restrictions, waiting, confirmed_days, texts, index: _, ids: _, ahead: _ } = cold;
        let mut cold = ColdState {
            runs: runs.clone(),
            chains: chains.clone(),
            restrictions: restrictions.clone(),
            waiting: waiting.clone(),
            confirmed_days: confirmed_days.clone(),
            texts: texts.clone(),
            ..ColdState::default()
        };
        cold.leave_behind(newest, plan.settings.lateness);
        let mut record = Self::new(&self.id);
        record.restore(plan, Some(newest), self.arrivals(), self.rows.to_words(), cold);
        Some(record)
    }

    /// Brings the record into the layout of other rules.
    pub fn translate(&mut self, plan: &Plan, way: &LayoutMigration) {
        let mut rows = Vec::new();
        self.rows.parts().into_iter().for_each(|part| way.rows(part, &mut rows));
        let mut cold = self.cold.take().map_or_else(ColdState::default, |cold| *cold);
        (cold.index, cold.ids) = (None, None);
        migrate_cold(&mut cold, way);
        self.restore(plan, self.newest(), self.arrivals(), rows, cold);
    }

    /// Makes the changes of a committed outcome count.
    pub fn apply(&mut self, plan: &Plan, changes: &mut Changes) {
        if let Some(id) = changes.cancelled {
            self.cancel(plan, id);
        }
        let cold_changes = changes.take_cold();
        if cold_changes.is_some() || self.cold.is_some() {
            let newest = (changes.newest.or(self.newest()), changes.newest.max(self.newest()));
            let cold = self.cold.get_or_insert_with(Box::default);
            cold.apply(plan, *cold_changes.unwrap_or_default(), newest);
        }
        if let Some(newest) = changes.newest {
            self.newest.0 = self.newest.0.max(newest);
            if let Some(cold) = &mut self.cold {
                cold.ahead.retain(|at| *at > newest);
            }
        }
        for row in changes.rows.chunks_exact(plan.stride()) {
            if self.is_ahead(Row(row)) {
                self.cold.get_or_insert_with(Box::default).ahead.push(Row(row).at());
            }
            self.push(plan, row);
        }
        self.sweep(plan);
        self.sweep_texts(plan);
        if self.cold.as_ref().is_some_and(|cold| cold.is_empty()) {
            self.cold = None;
        }
    }

    fn push(&mut self, plan: &Plan, row: &[u64]) {
        let newest = self.newest();
        let row = self.rows.push(row);
        row[ROW_FLAGS] |= u64::from(self.arrivals) << 32;
        let row = Row(row);
        if let Some(ColdState { ids: Some(ids), index, chains, .. }) = self.cold.as_deref_mut() {
            if !row.has(FLAG_MATCH) {
                ids.insert(hash_of(row.id()), self.arrivals);
            }
            if let Some(index) = index {
                index.insert(plan, row, newest, chains);
            }
        }
        self.arrivals = self.arrivals.wrapping_add(1);
        self.build_aids(plan);
    }

    /// Makes what a log of this length has beside it.
    fn build_aids(&mut self, plan: &Plan) {
        let count = self.row_count(plan);
        if count <= plan.settings.short_rows_max {
            return;
        }
        if self.cold.as_ref().is_none_or(|cold| cold.ids.is_none()) {
            self.build_ids(plan);
        }
        let depth = if count > plan.settings.scanned_rows_max { Depth::All } else { Depth::Totals };
        match self.index() {
            None => self.build_index(plan, depth),
            Some(index) if depth == Depth::All && !index.is_deep() => self.build_index(plan, depth),
            Some(_) => {}
        }
    }

    fn build_ids(&mut self, plan: &Plan) {
        let mut ids = PositionTable::default();
        self.rows(plan).filter(|row| !row.has(FLAG_MATCH)).for_each(|row| ids.insert(hash_of(row.id()), row.arrival()));
        self.cold.get_or_insert_with(Box::default).ids = Some(ids);
    }

    fn build_index(&mut self, plan: &Plan, depth: Depth) {
        let mut index = Index::new(depth);
        let chains = self.cold.as_ref().map_or(&[][..], |cold| &cold.chains);
        // Nothing leaves before everything is in: what goes links what stays to a chain's beginning.
        for row in self.rows(plan) {
            index.insert(plan, row, None, chains);
        }
        if let Some(newest) = self.newest() {
            index.evict(plan, newest);
        }
        self.cold.get_or_insert_with(Box::default).index = Some(index);
    }

    /// Takes an operation out of every window that still holds it.
    fn cancel(&mut self, plan: &Plan, id: u128) {
        let (stride, newest) = (plan.stride(), self.newest());
        let is_it = |(number, row): (usize, Row<'_>)| (row.id() == id).then_some(number);
        let numbers: Vec<usize> = self.rows.iter(stride).enumerate().filter_map(is_it).collect();
        for number in numbers {
            let Some(row) = self.rows.get_mut(number, stride) else { continue };
            let read = Row(row);
            let leaves: Vec<usize> =
                read.windows(plan.mask_words).filter(|window| is_visible(plan, *window, read.at(), newest)).collect();
            if let Some(index) = self.cold.as_mut().and_then(|cold| cold.index.as_mut()) {
                leaves.iter().for_each(|window| index.remove(plan, *window, read));
            }
            for window in leaves {
                window_mask::remove(&mut row[ROW_HEADER..], window);
            }
            row[ROW_FLAGS] |= FLAG_CANCELLED;
        }
    }

    /// Lets rows go that no window and no duplicate check can need, at a cost that is constant per
    /// operation: the front of the log each time, all of it after it doubled.
    fn sweep(&mut self, plan: &Plan) {
        let Some(newest) = self.newest() else { return };
        let stride = plan.stride();
        while let Some(front) = self.rows.get(0, stride) {
            if is_needed(plan, front, newest) {
                break;
            }
            forget(plan, &mut self.cold, front, self.rows.iter(stride).skip(1), newest);
            self.rows.pop_front(stride);
        }
        if self.row_count(plan) > 2 * self.swept_rows as usize + UNSWEPT_ROWS {
            self.compact(plan, newest);
        } else {
            self.rows.shrink();
        }
        if let Some(cold) = &mut self.cold {
            let count = self.rows.count(stride);
            let is_short = count < plan.settings.short_rows_max / 2;
            cold.index.take_if(|index| is_short || count < plan.settings.scanned_rows_max / 2 && index.is_deep());
            cold.ids.take_if(|_| is_short);
        }
    }

    /// Lets texts go that no row needs any more, when there are more than rows could need.
    fn sweep_texts(&mut self, plan: &Plan) {
        let Some(cold) = &mut self.cold else { return };
        if cold.texts.len() > TEXTS_UNSWEPT
            && cold.texts.len() > TEXTS_UNSWEPT + 2 * self.rows.count(plan.stride()) * plan.columns.len()
        {
            let words: HashSet<u64, foldhash::fast::FixedState> =
                self.rows.parts().into_iter().flatten().copied().collect();
            cold.texts.retain(|symbol, _| words.contains(symbol));
        }
    }

    fn compact(&mut self, plan: &Plan, newest: Time) {
        let stride = plan.stride();
        let rows = std::mem::take(&mut self.rows);
        let mut dropped: Vec<Row<'_>> = Vec::new();
        let mut kept = Vec::with_capacity(rows.count(stride) * stride);
        for row in rows.iter(stride) {
            if is_needed(plan, row, newest) {
                kept.extend_from_slice(row.0);
            } else {
                dropped.push(row);
            }
        }
        // A chain grows from its oldest end, whatever the order of arrival.
        dropped.sort_by_key(|row| row.at());
        for row in dropped {
            forget(plan, &mut self.cold, row, kept.chunks_exact(stride).map(Row), newest);
        }
        self.rows = Rows::of(kept, stride);
        self.swept_rows = u32::try_from(self.row_count(plan)).unwrap_or(u32::MAX);
    }

    /// Estimates the bytes the record holds on the heap and in its table.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.id.capacity().saturating_sub(size_of::<CompactString>())
            + self.rows.heap_bytes()
            + self.cold.as_ref().map_or(0, |cold| cold.heap_bytes())
    }
}

/// Lets one row go: out of the index, and its chains remember it. `others` are the rows still there.
fn forget<'r>(
    plan: &Plan,
    cold: &mut Option<Box<ColdState>>,
    row: Row<'_>,
    others: impl Iterator<Item = Row<'r>> + Clone,
    newest: Time,
) {
    if let Some(cold) = cold {
        if let Some(index) = &mut cold.index {
            index.forget(plan, row, newest);
        }
        if let Some(ids) = &mut cold.ids {
            ids.remove(hash_of(row.id()), row.arrival());
        }
    }
    for window in row.windows(plan.mask_words) {
        let aggregate = &plan.aggregates[window];
        if !aggregate.owned || aggregate.definition.function != Function::Age {
            continue;
        }
        let key = key_of_row(aggregate, row);
        let cold = cold.get_or_insert_with(Box::default);
        if let Some(index) = cold.index.as_ref().filter(|index| index.covers(aggregate)) {
            // The index folds by time, whatever the order of arrival.
            let folded = index.window(plan, window, key).and_then(KeyedState::folded);
            cold.remember_chain(window, key, folded);
            continue;
        }
        let quiet = aggregate.retention - plan.settings.lateness;
        // An operation that arrived later may be what links this one to the chain remembered.
        let mut times: SmallVec<[Time; 8]> = others
            .clone()
            .filter(|other| other.is_in(window) && other.at() < row.at() && key_of_row(aggregate, *other) == key)
            .map(|other| other.at())
            .collect();
        times.sort_unstable();
        times.push(row.at());
        times.into_iter().for_each(|at| cold.extend_chain(window, key, at, quiet));
    }
}

/// Ids are hashes already: half of one is enough to find it.
#[expect(clippy::cast_possible_truncation, reason = "the half is what is wanted")]
const fn hash_of(id: u128) -> u64 {
    id as u64
}

fn is_needed(plan: &Plan, row: Row<'_>, newest: Time) -> bool {
    let at = row.at();
    let is_id = !row.has(FLAG_MATCH) && at >= newest.minus(plan.settings.ids_kept());
    is_id || row.windows(plan.mask_words).any(|window| at >= newest.minus(plan.aggregates[window].retention))
}
