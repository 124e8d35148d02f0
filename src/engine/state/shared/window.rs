//! One shared window under one key.

use crate::engine::plan::Plan;
use crate::engine::state::keyed::KeyedState;
use crate::engine::state::reach::{FAR, Reach};
use crate::engine::state::shared::EntryList;
use crate::engine::state::shared::change::{SharedChange, SharedKey};
use crate::operation::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A shared window's state.
#[derive(Debug, Clone)]
pub struct SharedWindow {
    /// The newest entry's time; [`Time::MIN`] before the first entry, which is half the size of an `Option`.
    newest: Time,
    pub state: KeyedState,
    /// Shared between clones: reading a window clones it.
    cold: Option<Arc<ColdState>>,
}

/// What most shared windows have none of.
#[derive(Debug, Clone, Default)]
struct ColdState {
    /// Of a `streak`: length and last counted operation.
    run: Option<(u64, Time)>,
    /// The same after attempts far ahead of the stream. Not stored: it is forgotten with the process.
    run_ahead: Option<(u64, Time)>,
    /// The times of entries that lay far ahead of the stream when they came, and do not count for the window's age.
    ahead: Vec<Time>,
    /// The texts behind the symbols that a `last` may have to show, and behind the words of long decimals.
    texts: BTreeMap<u64, Box<str>>,
    /// How many texts the last sweep left.
    swept_texts: usize,
}

/// So many texts a window keeps before it looks for those that no entry needs any more.
const TEXTS_UNSWEPT: usize = 16;

/// The run of a window, and the texts behind its symbols.
pub type ColdParts = (Option<(u64, Time)>, Vec<(u64, Box<str>)>);

impl SharedWindow {
    /// Makes the empty window of a key.
    #[must_use]
    pub fn new(plan: &Plan, key: SharedKey) -> Self {
        let state = KeyedState::new(&plan.aggregates[key.aggregate]);
        Self { newest: Time::MIN, state, cold: None }
    }

    /// Makes the window that these entries make up.
    #[must_use]
    pub fn of_entries(plan: &Plan, key: SharedKey, entries: EntryList) -> Self {
        let mut window = Self::new(plan, key);
        for entry in entries {
            window.newest = window.newest.max(entry.at);
            window.state.insert(&plan.aggregates[key.aggregate], entry);
        }
        window
    }

    /// Returns the entries of a window that is nothing more than they are.
    #[must_use]
    pub fn listed(&self) -> Option<EntryList> {
        let KeyedState::Within(timeline) = &self.state else { return None };
        let is_listed = self.cold.is_none() && timeline.newest() == Some(self.newest);
        is_listed.then(|| timeline.iter().collect())
    }

    /// Returns the newest entry's time.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        (self.newest != Time::MIN).then_some(self.newest)
    }

    /// Returns the newest time among the entries that count.
    #[must_use]
    pub fn newest_within(&self, reach: Reach) -> Option<Time> {
        let ahead = self.cold.iter().flat_map(|cold| &cold.ahead).copied();
        self.newest().max(ahead.filter(|at| reach.covers(*at)).max())
    }

    /// Tells whether the window has entries that lie ahead of its newest one that counts.
    #[must_use]
    pub fn has_ahead(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| !cold.ahead.is_empty() || cold.run_ahead.is_some())
    }

    /// Returns the length of a run and its last counted operation.
    #[must_use]
    pub fn run(&self) -> Option<(u64, Time)> {
        self.cold.as_ref()?.run
    }

    /// Returns the length of a run and its last operation that counts.
    #[must_use]
    pub fn run_within(&self, reach: Reach) -> Option<(u64, Time)> {
        let cold = self.cold.as_ref()?;
        cold.run_ahead.filter(|(_, last)| reach.covers(*last)).or(cold.run)
    }

    /// Returns the text behind a symbol that a `last` gave.
    #[must_use]
    pub fn text(&self, symbol: u64) -> Option<&str> {
        self.cold.as_ref()?.texts.get(&symbol).map(|text| &**text)
    }

    /// Returns the run and the texts: what [`Self::restore`] takes back.
    #[must_use]
    pub fn cold_parts(&self) -> ColdParts {
        let Some(cold) = &self.cold else { return ColdParts::default() };
        (cold.run, cold.texts.iter().map(|(symbol, text)| (*symbol, text.clone())).collect())
    }

    /// Puts a window back together.
    #[must_use]
    pub fn restore(newest: Option<Time>, state: KeyedState, (run, texts): ColdParts) -> Self {
        let newest = newest.unwrap_or(Time::MIN);
        let ahead = state.times_after(newest);
        let (swept_texts, texts) = (texts.len(), texts.into_iter().collect());
        let cold = ColdState { run, run_ahead: None, ahead, texts, swept_texts };
        let is_cold = cold.run.is_some() || !cold.texts.is_empty() || !cold.ahead.is_empty();
        let cold = is_cold.then(|| Arc::new(cold));
        Self { newest, state, cold }
    }

    /// Applies a change of this window's key; changes of the directory are none of its business.
    pub fn apply(&mut self, plan: &Plan, change: &SharedChange) {
        match change {
            SharedChange::Insert { key, entry } => {
                let aggregate = &plan.aggregates[key.aggregate];
                self.state.insert(aggregate, *entry);
                self.newest = self.newest.max(entry.at);
                if let Some(cold) = self.cold.as_mut().filter(|cold| !cold.ahead.is_empty()) {
                    Arc::make_mut(cold).ahead.retain(|at| *at > self.newest);
                }
                self.state.evict(aggregate, self.newest, plan.settings.lateness);
            }
            SharedChange::Ahead(change) => self.apply_ahead(plan, change),
            SharedChange::Remove { key, entry } => self.state.remove(&plan.aggregates[key.aggregate], *entry),
            SharedChange::Run { length, last, .. } => {
                let cold = Arc::make_mut(self.cold.get_or_insert_default());
                cold.run = Some((*length, *last));
                cold.run_ahead = cold.run_ahead.filter(|(_, ahead)| *ahead > last.plus(FAR));
            }
            SharedChange::Text { symbol, text, .. } => {
                if self.text(*symbol).is_none() {
                    Arc::make_mut(self.cold.get_or_insert_default()).texts.insert(*symbol, text.clone());
                    self.sweep_texts(*symbol);
                }
            }
            SharedChange::Place { .. } | SharedChange::Lift { .. } | SharedChange::Seen { .. } => {}
        }
    }
}

impl SharedWindow {
    fn apply_ahead(&mut self, plan: &Plan, change: &SharedChange) {
        match change {
            SharedChange::Insert { key, entry } if entry.at > self.newest => {
                self.state.insert(&plan.aggregates[key.aggregate], *entry);
                Arc::make_mut(self.cold.get_or_insert_default()).ahead.push(entry.at);
            }
            SharedChange::Run { length: length @ 1.., last, .. } => {
                Arc::make_mut(self.cold.get_or_insert_default()).run_ahead = Some((*length, *last));
            }
            other => self.apply(plan, other),
        }
    }

    /// Lets texts go that no entry needs any more, at a cost that is constant per text: only after as many
    /// came as were left, and as many as pay for the walk over the entries.
    fn sweep_texts(&mut self, newest: u64) {
        let Some(cold) = &mut self.cold else { return };
        if cold.texts.len() < TEXTS_UNSWEPT + 2 * cold.swept_texts + self.state.len() / TEXTS_UNSWEPT {
            return;
        }
        let needed: BTreeSet<u64> = self.state.values().map(i64::cast_unsigned).chain([newest]).collect();
        let cold = Arc::make_mut(cold);
        cold.texts.retain(|symbol, _| needed.contains(symbol));
        cold.swept_texts = cold.texts.len();
    }
}
