//! The part of a wallet's record that most wallets have none of.

use crate::engine::mutant::EngineMutant;
use crate::engine::plan::Plan;
use crate::engine::state::changes::ColdChanges;
use crate::engine::state::layout::LayoutMigration;
use crate::engine::state::restriction::{Restriction, Waiting};
use crate::engine::state::wallet::index::Index;
use crate::engine::state::wallet::runs::{ChainStart, Run};
use crate::engine::state::wallets::position_table::PositionTable;
use crate::operation::Time;
use crate::operation::time::{Nanos, almaty_day};
use std::collections::BTreeMap;

/// What most wallets have none of.
#[derive(Debug, Default)]
pub struct ColdState {
    pub runs: Vec<Run>,
    pub chains: Vec<ChainStart>,
    pub restrictions: Vec<Restriction>,
    pub waiting: Vec<Waiting>,
    /// The starts of the Almaty days that a PIN has confirmed, in ascending order.
    pub confirmed_days: Vec<Time>,
    /// The texts behind the symbols that a `last` may have to show, and behind the words of long decimals.
    pub texts: BTreeMap<u64, Box<str>>,
    pub index: Option<Index>,
    /// Arrivals by the hashes of operation ids, beside a long log.
    pub ids: Option<PositionTable>,
    /// The times of operations that lay far ahead of the stream when they came, and do not count as the newest yet:
    /// those of rows after it.
    pub ahead: Vec<Time>,
}

impl ColdState {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
            && self.chains.is_empty()
            && self.restrictions.is_empty()
            && self.waiting.is_empty()
            && self.confirmed_days.is_empty()
            && self.texts.is_empty()
            && self.index.is_none()
            && self.ids.is_none()
            && self.ahead.is_empty()
    }

    /// Makes changes count. `passed` is what ended restrictions are held against: a late operation's own time, so that
    /// what the one before it placed is still in force for it. `newest` is the wallet's newest operation.
    pub(super) fn apply(&mut self, plan: &Plan, changes: ColdChanges, (passed, newest): (Option<Time>, Option<Time>)) {
        let lateness = plan.settings.lateness;
        for run in changes.runs {
            // Beside what attempts far ahead of the stream come to stands what it is without them.
            let is_ahead = |run: &Run| Some(run.last) > newest;
            let stays = |known: &Run| is_ahead(&run) && !is_ahead(known) && run.length > 0;
            let is_of = |known: &Run| (known.aggregate, known.key) == (run.aggregate, run.key);
            self.runs.retain(|known| !is_of(known) || stays(known));
            if run.length > 0 {
                self.runs.push(run);
            }
        }
        self.restrictions.retain(|restriction| !changes.lifted.contains(&restriction.id));
        if let Some(passed) = passed {
            self.leave_behind(passed, lateness);
        }
        let stays = |mutant| plan.settings.has(mutant);
        let keeps_second = stays(EngineMutant::ExtensionAsSecondBlock) || stays(EngineMutant::ReplacedBlockStays);
        for restriction in changes.placed {
            if keeps_second && self.restrictions.iter().all(|known| known.id != restriction.id) {
                self.restrictions.push(restriction);
            } else {
                self.place(restriction);
            }
        }
        if let Some(day) = changes.confirmed_day
            && let Err(position) = self.confirmed_days.binary_search(&day)
        {
            self.confirmed_days.insert(position, day);
        }
        if !changes.no_longer_waiting.is_empty() {
            self.waiting.retain(|waiting| changes.no_longer_waiting.binary_search(&waiting.arrival).is_err());
        }
        for changed in changes.waits_otherwise {
            if let Ok(position) = self.waiting.binary_search_by_key(&changed.arrival, |known| known.arrival) {
                self.waiting[position] = changed;
            }
        }
        if let Some(waiting) = changes.starts_waiting {
            self.waiting.push(waiting);
        }
        for (symbol, text) in changes.texts {
            self.texts.entry(symbol).or_insert(text);
        }
    }

    /// Lets go what has ended once the wallet's newest operation is at `newest`.
    pub(super) fn leave_behind(&mut self, newest: Time, lateness: Nanos) {
        self.restrictions.retain(|restriction| !restriction.is_gone(newest, lateness));
        self.confirmed_days.retain(|day| newest < almaty_day(*day).end.plus(lateness));
    }

    /// Puts a restriction in the place of the one of the same rule and kind, or beside those of others.
    pub fn place(&mut self, mut restriction: Restriction) {
        match self.restrictions.iter_mut().find(|known| known.is_like(&restriction)) {
            Some(known) => {
                restriction.fired_last = restriction.fired_last.max(known.fired_last);
                *known = restriction;
            }
            None => self.restrictions.push(restriction),
        }
    }

    pub(super) fn remember_chain(&mut self, aggregate: usize, key: u64, folded: Option<(Time, Time)>) {
        self.chains.retain(|chain| chain.aggregate != aggregate || chain.key != key);
        self.chains.extend(folded.map(|(first, last)| ChainStart { aggregate, key, first, last }));
    }

    pub(super) fn extend_chain(&mut self, aggregate: usize, key: u64, at: Time, quiet: Nanos) {
        let known = self.chains.iter_mut().find(|chain| chain.aggregate == aggregate && chain.key == key);
        match known {
            Some(chain) => *chain = ChainStart::extended(Some(*chain), aggregate, key, at, quiet),
            None => self.chains.push(ChainStart::extended(None, aggregate, key, at, quiet)),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>()
            + self.runs.capacity() * size_of::<Run>()
            + self.chains.capacity() * size_of::<ChainStart>()
            + self.restrictions.capacity() * size_of::<Restriction>()
            + self.waiting.capacity() * size_of::<Waiting>()
            + self.confirmed_days.capacity() * size_of::<Time>()
            + self.index.as_ref().map_or(0, Index::heap_bytes)
            + self.ids.as_ref().map_or(0, PositionTable::heap_bytes)
            + self.ahead.capacity() * size_of::<Time>()
    }
}

/// Brings runs and chains into the present layout; those that no rule asks for any more go.
pub fn migrate_cold(cold: &mut ColdState, way: &LayoutMigration) {
    if way.is_identity() {
        return;
    }
    let runs = std::mem::take(&mut cold.runs);
    let chains = std::mem::take(&mut cold.chains);
    let moved = |aggregate: usize| way.window(aggregate);
    cold.runs =
        runs.into_iter().filter_map(|run| moved(run.aggregate).map(|aggregate| Run { aggregate, ..run })).collect();
    cold.chains = chains
        .into_iter()
        .filter_map(|chain| moved(chain.aggregate).map(|aggregate| ChainStart { aggregate, ..chain }))
        .collect();
}
