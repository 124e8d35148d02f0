//! What wallets see of each other: windows keyed by something else than the acting wallet, and the
//! directory of address blocks and of blocks that stop transfers to a wallet.
//!
//! The engine reads a [`SharedView`] that was fetched for a batch and never the store itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use uuid::Uuid;

use crate::operation::Time;
use crate::rules::program::Window;

use super::keyed::{KeyedState, calendar_span};
use super::plan::{Plan, PlannedAggregate};
use super::restriction::Restriction;
use super::window::Entry;

/// One shared window under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SharedKey {
    /// Position of the aggregate in the plan.
    pub aggregate: usize,
    pub key: u64,
}

/// Whom a directory entry concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// Logins from this address.
    Address(IpAddr),
    /// Transfers to the wallet with this symbol.
    Wallet(u64),
}

/// So many changes of a window wait before they are applied to a copy of it.
const UNREAD_MAX: usize = 8;

/// The keys a batch needs.
#[derive(Debug, Default)]
pub struct SharedRequest {
    pub windows: Vec<SharedKey>,
    pub parties: Vec<Party>,
}

/// A change to shared state, idempotent by the operation it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SharedChange {
    Insert {
        key: SharedKey,
        entry: Entry,
    },
    Remove {
        key: SharedKey,
        entry: Entry,
    },
    /// The length of a run after an operation.
    Run {
        key: SharedKey,
        length: u64,
        last: Time,
    },
    /// The text behind a value that a `last` may have to show.
    Text {
        key: SharedKey,
        symbol: u64,
        text: Box<str>,
    },
    Place {
        party: Party,
        restriction: Box<Restriction>,
    },
    Lift {
        party: Party,
        restriction: Uuid,
    },
    /// A login from the address that was not refused, at this time: expired blocks may go.
    Seen {
        party: Party,
        at: Time,
    },
}

impl SharedChange {
    /// Tells whether the change is one of the directory of blocks, not of a window.
    #[must_use]
    pub const fn is_of_directory(&self) -> bool {
        matches!(self, Self::Place { .. } | Self::Lift { .. } | Self::Seen { .. })
    }
}

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

/// Shared windows so near that asking for one costs less than fetching it in advance.
pub trait NearWindows: Send + Sync {
    /// Returns what a committed window holds; long ones are cloned in constant time.
    fn find(&self, key: SharedKey) -> Option<Found>;
    /// Brings what these key values have near: it will be asked for soon.
    fn approach(&self, keys: &[u64]);
}

/// Entries in ascending order of (at, op).
pub type Few = SmallVec<[Entry; 4]>;

/// What a near window holds.
#[derive(Debug)]
pub enum Found {
    /// All entries of a window that [`PlannedAggregate::is_listed`].
    Few(Few),
    Whole(SharedWindow),
}

/// A window as the batch sees it.
#[derive(Debug)]
pub enum Seen<'v> {
    Few(Few),
    Whole(Cow<'v, SharedWindow>),
}

/// Shared state as one batch sees it: what was fetched, and what the batch itself changed since.
#[derive(Default)]
pub struct SharedView {
    /// Asked for windows that were not fetched.
    pub near: Option<Arc<dyn NearWindows>>,
    windows: HashMap<SharedKey, SharedWindow, foldhash::fast::FixedState>,
    directory: HashMap<Party, Vec<Restriction>, foldhash::fast::FixedState>,
    /// False while the store is away: what needs it is missing.
    pub available: bool,
    /// The store lost what was entered up to this time: windows that reach back to it are not whole.
    /// `None` when nothing was ever lost.
    pub complete_from: Option<Time>,
    /// The batch's changes so far, for after its commit.
    changes: Vec<SharedChange>,
    /// Changes of windows that nothing has read yet: positions in `changes`. Most windows that a batch
    /// enters it never reads. By the key's value: an operation mostly enters all windows of it.
    unread: HashMap<u64, SmallVec<[u32; 4]>, foldhash::fast::FixedState>,
    /// Changes of parties that the store has not told of: positions in `changes`.
    untold: HashMap<Party, SmallVec<[usize; 2]>, foldhash::fast::FixedState>,
    /// What these changes come to if the store holds nothing for the party, as for most.
    presumed: HashMap<Party, Vec<Restriction>, foldhash::fast::FixedState>,
}

impl SharedChange {
    /// Returns the window that it changes.
    #[must_use]
    pub const fn window(&self) -> Option<SharedKey> {
        match self {
            Self::Insert { key, .. } | Self::Remove { key, .. } | Self::Run { key, .. } | Self::Text { key, .. } => {
                Some(*key)
            }
            Self::Place { .. } | Self::Lift { .. } | Self::Seen { .. } => None,
        }
    }

    /// Returns the party whose blocks it changes.
    #[must_use]
    pub const fn party(&self) -> Option<Party> {
        match self {
            Self::Place { party, .. } | Self::Lift { party, .. } | Self::Seen { party, .. } => Some(*party),
            Self::Insert { .. } | Self::Remove { .. } | Self::Run { .. } | Self::Text { .. } => None,
        }
    }
}

impl SharedRequest {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.windows.clear();
        self.parties.clear();
    }

    /// Leaves out what the view holds already.
    pub fn keep_unknown(&mut self, view: &SharedView) {
        self.windows.retain(|key| !view.windows.contains_key(key));
        self.parties.retain(|party| !view.directory.contains_key(party));
    }
}

impl SharedView {
    /// Makes the view of a batch of so many operations.
    #[must_use]
    pub fn of_batch(operations: usize) -> Self {
        let mut view = Self::default();
        view.unread.reserve(operations);
        view.changes.reserve(operations);
        view
    }

    /// Adds a window that the store holds, under the changes the batch has made to it.
    pub fn add_window(&mut self, plan: &Plan, key: SharedKey, stored: impl FnOnce() -> SharedWindow) {
        if self.windows.contains_key(&key) {
            return;
        }
        let mut window = stored();
        self.unread_of(key).for_each(|change| window.apply(plan, change));
        self.windows.insert(key, window);
        self.forget_unread(key);
    }

    /// Adds the blocks that the store holds for a party, under the changes the batch has made to them.
    pub fn add_blocks(&mut self, plan: &Plan, party: Party, stored: impl FnOnce() -> Vec<Restriction>) {
        if self.directory.contains_key(&party) {
            return;
        }
        self.directory.insert(party, stored());
        self.presumed.remove(&party);
        for position in self.untold.remove(&party).unwrap_or_default() {
            change_directory(&mut self.directory, plan, &self.changes[position]);
        }
        // A party without blocks stays, or what the store still holds would come back.
        self.directory.entry(party).or_default();
    }

    /// Tells whether the store has all that an operation at `at` may read in a window of the aggregate: it is
    /// there, and what it lost lies before the window.
    #[must_use]
    pub fn is_complete(&self, aggregate: &PlannedAggregate, at: Time) -> bool {
        self.available && self.complete_from.is_none_or(|from| reaches_back_to(aggregate, at) > from)
    }

    /// Returns the blocks in the directory for a party.
    #[must_use]
    pub fn blocks(&self, party: Party) -> &[Restriction] {
        if self.directory.is_empty() && self.presumed.is_empty() {
            return &[];
        }
        self.directory.get(&party).or_else(|| self.presumed.get(&party)).map_or(&[], Vec::as_slice)
    }

    /// Returns a window that the request named, or that a near store holds. What the batch itself
    /// entered since is in it.
    #[must_use]
    pub fn window(&self, plan: &Plan, key: SharedKey) -> Option<Cow<'_, SharedWindow>> {
        Some(match self.look(plan, key)? {
            Seen::Whole(window) => window,
            Seen::Few(entries) => Cow::Owned(SharedWindow::of_entries(plan, key, entries)),
        })
    }

    /// Returns a window like [`Self::window`], as plain entries where it is no more than that.
    #[must_use]
    pub fn look(&self, plan: &Plan, key: SharedKey) -> Option<Seen<'_>> {
        if !self.windows.is_empty()
            && let Some(window) = self.windows.get(&key)
        {
            return Some(Seen::Whole(Cow::Borrowed(window)));
        }
        let stored = self.near.as_ref().and_then(|near| near.find(key));
        let mut unread = self.unread_of(key).peekable();
        if unread.peek().is_none() {
            return stored.map(|stored| match stored {
                Found::Few(entries) => Seen::Few(entries),
                Found::Whole(window) => Seen::Whole(Cow::Owned(window)),
            });
        }
        let mut window = match stored {
            Some(Found::Whole(window)) => window,
            Some(Found::Few(entries)) => SharedWindow::of_entries(plan, key, entries),
            None => SharedWindow::new(plan, key),
        };
        unread.for_each(|change| window.apply(plan, change));
        Some(Seen::Whole(Cow::Owned(window)))
    }

    /// Lists the changes of a window that was not read yet.
    fn unread_of(&self, key: SharedKey) -> impl Iterator<Item = &SharedChange> {
        let positions = if self.unread.is_empty() { None } else { self.unread.get(&key.key) };
        let changes = positions.into_iter().flatten().map(|position| &self.changes[*position as usize]);
        changes.filter(move |change| change.window() == Some(key))
    }

    /// Forgets that changes of a window are unread: they are in the window that the view holds now.
    fn forget_unread(&mut self, key: SharedKey) {
        let changes = &self.changes;
        if let Some(positions) = self.unread.get_mut(&key.key) {
            positions.retain(|position| changes[*position as usize].window() != Some(key));
        }
    }

    /// Keeps a window that the batch changes again and again, so that reading it stays cheap.
    fn keep_busy(&mut self, plan: &Plan, key: SharedKey) {
        let is_busy = self.unread.get(&key.key).is_some_and(|unread| unread.len() >= UNREAD_MAX);
        if is_busy
            && self.near.is_some()
            && let Some(window) = self.window(plan, key).map(Cow::into_owned)
        {
            self.windows.insert(key, window);
            self.forget_unread(key);
        }
    }

    /// Lets the batch's next operations see a change.
    pub fn apply(&mut self, plan: &Plan, change: SharedChange) {
        match &change {
            SharedChange::Place { party, .. } | SharedChange::Lift { party, .. } | SharedChange::Seen { party, .. } => {
                if self.directory.contains_key(party) {
                    change_directory(&mut self.directory, plan, &change);
                    // As in `add_blocks`.
                    self.directory.entry(*party).or_default();
                } else {
                    self.untold.entry(*party).or_default().push(self.changes.len());
                    change_directory(&mut self.presumed, plan, &change);
                }
            }
            SharedChange::Insert { key, .. }
            | SharedChange::Remove { key, .. }
            | SharedChange::Run { key, .. }
            | SharedChange::Text { key, .. } => {
                let key = *key;
                let held = if self.windows.is_empty() { None } else { self.windows.get_mut(&key) };
                if let Some(window) = held {
                    window.apply(plan, &change);
                } else {
                    let position = u32::try_from(self.changes.len()).unwrap_or(u32::MAX);
                    self.unread.entry(key.key).or_default().push(position);
                    self.changes.push(change);
                    self.keep_busy(plan, key);
                    return;
                }
            }
        }
        self.changes.push(change);
    }

    /// Ends the batch: its changes, for after the commit.
    #[must_use]
    pub fn into_changes(self) -> Vec<SharedChange> {
        self.changes
    }
}

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

/// Applies a change to a directory of blocks.
pub fn change_directory<S: std::hash::BuildHasher>(
    directory: &mut HashMap<Party, Vec<Restriction>, S>,
    plan: &Plan,
    change: &SharedChange,
) {
    match change {
        SharedChange::Place { party, restriction } => {
            let blocks = directory.entry(*party).or_default();
            if !blocks.iter().any(|known| known.id == restriction.id) {
                blocks.push(Restriction::clone(restriction));
            }
        }
        SharedChange::Lift { party, restriction } => {
            retain(directory, *party, |block| block.id != *restriction);
        }
        SharedChange::Seen { party, at } => {
            retain(directory, *party, |block| !block.is_gone(*at, plan.settings.lateness));
        }
        SharedChange::Insert { .. }
        | SharedChange::Remove { .. }
        | SharedChange::Run { .. }
        | SharedChange::Text { .. } => {}
    }
}

/// Returns the oldest time at which an entry may have occurred that an operation at `at` reads.
fn reaches_back_to(aggregate: &PlannedAggregate, at: Time) -> Time {
    match aggregate.definition.window {
        Window::Within(_) | Window::Quiet(_) => at.minus(aggregate.retention),
        Window::Today | Window::ThisMonth => calendar_span(aggregate, at).start,
    }
}

fn retain<S: std::hash::BuildHasher>(
    directory: &mut HashMap<Party, Vec<Restriction>, S>,
    party: Party,
    keep: impl FnMut(&Restriction) -> bool,
) {
    if let Some(blocks) = directory.get_mut(&party) {
        blocks.retain(keep);
        if blocks.is_empty() {
            directory.remove(&party);
        }
    }
}

#[cfg(test)]
mod tests;
