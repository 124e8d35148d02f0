//! What wallets see of each other: windows keyed by something else than the acting wallet, and the
//! directory of address blocks and of blocks that stop transfers to a wallet.
//!
//! The engine reads a [`SharedView`] that was fetched for a batch and never the store itself.

use std::collections::HashMap;
use std::net::IpAddr;

use uuid::Uuid;

use crate::operation::Time;

use super::keyed::KeyedState;
use super::plan::Plan;
use super::restriction::Restriction;
use super::window::Entry;

/// One shared window under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharedKey {
    /// Position of the aggregate in the plan.
    pub aggregate: usize,
    pub key: u64,
}

/// Whom a directory entry concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// Logins from this address.
    Address(IpAddr),
    /// Transfers to the wallet with this symbol.
    Wallet(u64),
}

/// The keys a batch needs.
#[derive(Debug, Default)]
pub struct SharedRequest {
    pub windows: Vec<SharedKey>,
    pub parties: Vec<Party>,
}

/// A change to shared state, idempotent by the operation it comes from.
#[derive(Debug, Clone)]
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
        restriction: Restriction,
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

/// A shared window's state.
#[derive(Debug, Clone)]
pub struct SharedWindow {
    /// The newest entry's time.
    pub newest: Option<Time>,
    /// Of a `streak`: length and last counted operation.
    pub run: Option<(u64, Time)>,
    pub state: KeyedState,
    pub texts: Vec<(u64, Box<str>)>,
}

/// Shared state as one batch sees it: what was fetched, and what the batch itself changed since.
#[derive(Debug, Default)]
pub struct SharedView {
    pub windows: HashMap<SharedKey, SharedWindow, foldhash::fast::FixedState>,
    pub directory: HashMap<Party, Vec<Restriction>, foldhash::fast::FixedState>,
    /// False while the store is away: what needs it is missing.
    pub available: bool,
}

impl SharedRequest {
    /// Leaves out what the view holds already, and repetitions.
    pub fn keep_unknown(&mut self, view: &SharedView) {
        self.windows.retain(|key| !view.windows.contains_key(key));
        self.parties.retain(|party| !view.directory.contains_key(party));
    }
}

impl SharedView {
    /// Takes in what was fetched later. What the view holds already has the batch's own changes and stays.
    pub fn absorb(&mut self, fetched: Self) {
        self.available = fetched.available;
        if self.windows.capacity() == 0 {
            self.windows = fetched.windows;
        } else {
            for (key, window) in fetched.windows {
                self.windows.entry(key).or_insert(window);
            }
        }
        for (party, blocks) in fetched.directory {
            self.directory.entry(party).or_insert(blocks);
        }
    }

    /// Returns the blocks in the directory for a party.
    #[must_use]
    pub fn blocks(&self, party: Party) -> &[Restriction] {
        if self.directory.is_empty() {
            return &[];
        }
        self.directory.get(&party).map_or(&[], Vec::as_slice)
    }

    /// Lets the batch's next operations see a change.
    pub fn apply(&mut self, plan: &Plan, change: &SharedChange) {
        match change {
            SharedChange::Place { party, .. } | SharedChange::Lift { party, .. } | SharedChange::Seen { party, .. } => {
                let is_known = self.directory.contains_key(party);
                change_directory(&mut self.directory, plan, change);
                if is_known {
                    // A party without blocks stays, or what the store still holds would come back.
                    self.directory.entry(*party).or_default();
                }
            }
            // The request named every key the batch can enter: one that is not here is empty.
            SharedChange::Insert { key, .. } | SharedChange::Run { key, .. } | SharedChange::Text { key, .. } => {
                self.windows.entry(*key).or_insert_with(|| SharedWindow::new(plan, *key)).apply(plan, change);
            }
            SharedChange::Remove { key, .. } => {
                if let Some(window) = self.windows.get_mut(key) {
                    window.apply(plan, change);
                }
            }
        }
    }
}

impl SharedWindow {
    /// Makes the empty window of a key.
    #[must_use]
    pub fn new(plan: &Plan, key: SharedKey) -> Self {
        let state = KeyedState::new(&plan.aggregates[key.aggregate]);
        Self { newest: None, run: None, state, texts: Vec::new() }
    }

    /// Applies a change of this window's key; changes of the directory are none of its business.
    pub fn apply(&mut self, plan: &Plan, change: &SharedChange) {
        match change {
            SharedChange::Insert { key, entry } => {
                let aggregate = &plan.aggregates[key.aggregate];
                self.state.insert(aggregate, *entry);
                let newest = self.newest.map_or(entry.at, |newest| newest.nanos().max(entry.at));
                self.newest = Some(Time::from_nanos(newest));
                self.state.evict(aggregate, Time::from_nanos(newest), plan.settings.lateness);
            }
            SharedChange::Remove { key, entry } => self.state.remove(&plan.aggregates[key.aggregate], *entry),
            SharedChange::Run { length, last, .. } => self.run = Some((*length, *last)),
            SharedChange::Text { symbol, text, .. } => {
                if !self.texts.iter().any(|(known, _)| known == symbol) {
                    self.texts.push((*symbol, text.clone()));
                }
            }
            SharedChange::Place { .. } | SharedChange::Lift { .. } | SharedChange::Seen { .. } => {}
        }
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
                blocks.push(restriction.clone());
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
