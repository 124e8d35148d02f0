//! What wallets see of each other: windows keyed by something else than the acting wallet, and the
//! directory of address blocks and of blocks that stop transfers to a wallet.
//!
//! The engine reads a [`SharedView`] that was fetched for a batch and never the store itself.

pub mod change;
pub mod directory;
pub mod window;

use crate::engine::plan::Plan;
use crate::engine::plan::aggregate::PlannedAggregate;
use crate::engine::state::keyed::calendar_span;
use crate::engine::state::restriction::Restriction;
use crate::engine::window::Entry;
use crate::operation::Time;
use crate::rules::program::Window;
pub use change::{Party, SharedChange, SharedKey};
pub use directory::change_directory;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
pub use window::{ColdParts, SharedWindow};

/// So many changes of a window wait before they are applied to a copy of it.
const UNREAD_MAX: usize = 8;

/// The keys a batch needs.
#[derive(Debug, Default)]
pub struct SharedRequest {
    pub windows: Vec<SharedKey>,
    pub parties: Vec<Party>,
}

/// Shared windows so near that asking for one costs less than fetching it in advance.
pub trait LocalWindows: Send + Sync {
    /// Returns what a committed window holds; long ones are cloned in constant time.
    fn find(&self, key: SharedKey) -> Option<StoredWindow>;
    /// Brings what these key values have near: it will be asked for soon.
    fn prefetch(&self, keys: &[u64]);
    /// Tells until when operations of a key value may have been turned away, for there were too many keys; `None`
    /// where all of them are in its windows.
    fn lacks(&self, key: u64) -> Option<Time>;
    /// Tells whether some key may lack operations: where none does, nobody need be asked.
    fn any_lacks(&self) -> bool;
}

/// Entries in ascending order of (at, op).
pub type EntryList = SmallVec<[Entry; 4]>;

/// What a near window holds.
#[derive(Debug)]
pub enum StoredWindow {
    /// All entries of a window that [`PlannedAggregate::is_listed`].
    EntryList(EntryList),
    Whole(SharedWindow),
}

/// A window as the batch sees it.
#[derive(Debug)]
pub enum WindowRead<'v> {
    EntryList(EntryList),
    Whole(Cow<'v, SharedWindow>),
}

/// Shared state as one batch sees it: what was fetched, and what the batch itself changed since.
#[derive(Default)]
pub struct SharedView {
    /// Asked for windows that were not fetched.
    pub near: Option<Arc<dyn LocalWindows>>,
    windows: HashMap<SharedKey, SharedWindow, foldhash::fast::FixedState>,
    directory: HashMap<Party, Vec<Restriction>, foldhash::fast::FixedState>,
    /// False while the store is away: what needs it is missing.
    pub available: bool,
    /// The store lost what was entered up to this time: windows that reach back to it are not whole.
    /// `None` when nothing was ever lost.
    pub complete_from: Option<Time>,
    /// Until when operations of a fetched window may have been turned away, for it had too many keys; by the window's
    /// state and the key's value.
    lacking: HashMap<(u64, u64), Time, foldhash::fast::FixedState>,
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

    /// Says that operations up to a time may have been turned away from a window that is fetched.
    pub fn add_lacking(&mut self, plan: &Plan, key: SharedKey, until: Time) {
        self.lacking.insert((plan.aggregates[key.aggregate].state_id, key.key), until);
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

    /// Tells whether the store has all that an operation at `at` may read in the aggregate's window of a key: it is
    /// there, and what it lost or turned away lies before the window.
    #[must_use]
    pub fn is_complete(&self, aggregate: &PlannedAggregate, key: Option<u64>, at: Time) -> bool {
        let lacks = || self.near.as_ref().filter(|near| near.any_lacks())?.lacks(key?);
        let lacks_afar = || {
            if self.lacking.is_empty() { None } else { self.lacking.get(&(aggregate.state_id, key?)).copied() }
        };
        let is_behind = |from: Time| reaches_back_to(aggregate, at) > from;
        let is_whole = self.available && self.complete_from.is_none_or(is_behind);
        is_whole && lacks().is_none_or(is_behind) && lacks_afar().is_none_or(is_behind)
    }

    /// Tells whether some window may not be whole.
    #[must_use]
    pub fn may_lack(&self) -> bool {
        let lacks = || !self.lacking.is_empty() || self.near.as_ref().is_some_and(|near| near.any_lacks());
        !self.available || self.complete_from.is_some() || lacks()
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
            WindowRead::Whole(window) => window,
            WindowRead::EntryList(entries) => Cow::Owned(SharedWindow::of_entries(plan, key, entries)),
        })
    }

    /// Returns a window like [`Self::window`], as plain entries where it is no more than that.
    #[must_use]
    pub fn look(&self, plan: &Plan, key: SharedKey) -> Option<WindowRead<'_>> {
        if !self.windows.is_empty()
            && let Some(window) = self.windows.get(&key)
        {
            return Some(WindowRead::Whole(Cow::Borrowed(window)));
        }
        let stored = self.near.as_ref().and_then(|near| near.find(key));
        let mut unread = self.unread_of(key).peekable();
        if unread.peek().is_none() {
            return stored.map(|stored| match stored {
                StoredWindow::EntryList(entries) => WindowRead::EntryList(entries),
                StoredWindow::Whole(window) => WindowRead::Whole(Cow::Owned(window)),
            });
        }
        let mut window = match stored {
            Some(StoredWindow::Whole(window)) => window,
            Some(StoredWindow::EntryList(entries)) => SharedWindow::of_entries(plan, key, entries),
            None => SharedWindow::new(plan, key),
        };
        unread.for_each(|change| window.apply(plan, change));
        Some(WindowRead::Whole(Cow::Owned(window)))
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
            SharedChange::Insert { .. }
            | SharedChange::Remove { .. }
            | SharedChange::Run { .. }
            | SharedChange::Text { .. }
            | SharedChange::Ahead(_) => {
                let Some(key) = change.window() else { return };
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

/// Returns the oldest time at which an entry may have occurred that an operation at `at` reads.
fn reaches_back_to(aggregate: &PlannedAggregate, at: Time) -> Time {
    match aggregate.definition.window {
        Window::Within(_) | Window::Quiet(_) => at.minus(aggregate.retention),
        Window::Today | Window::ThisMonth => calendar_span(aggregate, at).start,
    }
}

#[cfg(test)]
mod tests;
