//! One shared window under one key.

use crate::engine::plan::Plan;
use crate::engine::state::keyed::KeyedState;
use crate::engine::state::shared::Few;
use crate::engine::state::shared::change::{SharedChange, SharedKey};
use crate::operation::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A shared window's state.
#[derive(Debug, Clone)]
pub struct SharedWindow {
    /// The newest entry's time in nanoseconds; the least `i64` before the first entry.
    newest: i64,
    pub state: KeyedState,
    /// Shared between clones: reading a window clones it.
    rare: Option<Arc<Rare>>,
}

/// What most shared windows have none of.
#[derive(Debug, Clone, Default)]
struct Rare {
    /// Of a `streak`: length and last counted operation.
    run: Option<(u64, Time)>,
    /// The texts behind the symbols that a `last` may have to show.
    texts: BTreeMap<u64, Box<str>>,
    /// How many texts the last sweep left.
    swept_texts: usize,
}

/// So many texts a window keeps before it looks for those that no entry needs any more.
const TEXTS_UNSWEPT: usize = 16;

/// The run of a window, and the texts behind its symbols.
pub type RareParts = (Option<(u64, Time)>, Vec<(u64, Box<str>)>);

impl SharedWindow {
    /// Makes the empty window of a key.
    #[must_use]
    pub fn new(plan: &Plan, key: SharedKey) -> Self {
        let state = KeyedState::new(&plan.aggregates[key.aggregate]);
        Self { newest: i64::MIN, state, rare: None }
    }

    /// Makes the window that these entries make up.
    #[must_use]
    pub fn of_entries(plan: &Plan, key: SharedKey, entries: Few) -> Self {
        let mut window = Self::new(plan, key);
        for entry in entries {
            window.newest = window.newest.max(entry.at);
            window.state.insert(&plan.aggregates[key.aggregate], entry);
        }
        window
    }

    /// Returns the entries of a window that is nothing more than they are.
    #[must_use]
    pub fn listed(&self) -> Option<Few> {
        let KeyedState::Within(timeline) = &self.state else { return None };
        let is_listed = self.rare.is_none() && timeline.newest() == Some(self.newest);
        is_listed.then(|| timeline.iter().collect())
    }

    /// Returns the newest entry's time.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        (self.newest != i64::MIN).then(|| Time::from_nanos(self.newest))
    }

    /// Returns the length of a run and its last counted operation.
    #[must_use]
    pub fn run(&self) -> Option<(u64, Time)> {
        self.rare.as_ref()?.run
    }

    /// Returns the text behind a symbol that a `last` gave.
    #[must_use]
    pub fn text(&self, symbol: u64) -> Option<&str> {
        self.rare.as_ref()?.texts.get(&symbol).map(|text| &**text)
    }

    /// Returns the run and the texts: what [`Self::restore`] takes back.
    #[must_use]
    pub fn rare_parts(&self) -> RareParts {
        let Some(rare) = &self.rare else { return RareParts::default() };
        (rare.run, rare.texts.iter().map(|(symbol, text)| (*symbol, text.clone())).collect())
    }

    /// Puts a window back together.
    #[must_use]
    pub fn restore(newest: i64, state: KeyedState, (run, texts): RareParts) -> Self {
        let rare = Rare { run, swept_texts: texts.len(), texts: texts.into_iter().collect() };
        let rare = (rare.run.is_some() || !rare.texts.is_empty()).then(|| Arc::new(rare));
        Self { newest, state, rare }
    }

    /// Applies a change of this window's key; changes of the directory are none of its business.
    pub fn apply(&mut self, plan: &Plan, change: &SharedChange) {
        match change {
            SharedChange::Insert { key, entry } => {
                let aggregate = &plan.aggregates[key.aggregate];
                self.state.insert(aggregate, *entry);
                self.newest = self.newest.max(entry.at);
                self.state.evict(aggregate, Time::from_nanos(self.newest), plan.settings.lateness);
            }
            SharedChange::Remove { key, entry } => self.state.remove(&plan.aggregates[key.aggregate], *entry),
            SharedChange::Run { length, last, .. } => {
                Arc::make_mut(self.rare.get_or_insert_default()).run = Some((*length, *last));
            }
            SharedChange::Text { symbol, text, .. } => {
                if self.text(*symbol).is_none() {
                    Arc::make_mut(self.rare.get_or_insert_default()).texts.insert(*symbol, text.clone());
                    self.sweep_texts(*symbol);
                }
            }
            SharedChange::Place { .. } | SharedChange::Lift { .. } | SharedChange::Seen { .. } => {}
        }
    }
}

impl SharedWindow {
    /// Lets texts go that no entry needs any more, at a cost that is constant per text: only after as many
    /// came as were left, and as many as pay for the walk over the entries.
    fn sweep_texts(&mut self, newest: u64) {
        let Some(rare) = &mut self.rare else { return };
        if rare.texts.len() < TEXTS_UNSWEPT + 2 * rare.swept_texts + self.state.len() / TEXTS_UNSWEPT {
            return;
        }
        let needed: BTreeSet<u64> = self.state.values().map(i64::cast_unsigned).chain([newest]).collect();
        let rare = Arc::make_mut(rare);
        rare.texts.retain(|symbol, _| needed.contains(symbol));
        rare.swept_texts = rare.texts.len();
    }
}
