//! Shared state in this process: a concurrent map that several shards' workers may use.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;

use crate::engine::plan::Plan;
use crate::engine::restriction::{Restriction, merge_like};
use crate::engine::shared::{Party, SharedChange, SharedRequest, SharedView, change_directory};
use crate::engine::stored::LayoutMigration;
use crate::engine::stored::windows::{WindowGroup, WindowsWriter, group_of_party};
use crate::operation::Time;
use crate::pipeline::{SharedStore, SharedStoreError};

mod windows;

use windows::Windows;

/// Shared windows and the directory of blocks, in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    windows: Arc<Windows>,
    directory: DashMap<Party, Vec<Restriction>, foldhash::fast::RandomState>,
    /// The parties of the directory by the group that a store writes them in, in order.
    groups: Mutex<BTreeMap<usize, BTreeSet<Party>>>,
    /// How many parties the directory holds: asked for every batch, when there mostly is none.
    parties: AtomicUsize,
}

impl MemoryStore {
    /// Returns how many windows are held.
    #[must_use]
    pub fn window_count(&self) -> usize {
        self.windows.len()
    }

    /// Takes in the windows of no more keys than this from now on. What reads a key that was turned away is told that
    /// it is not known: nothing that is held is dropped for another.
    pub fn limit_keys(&self, keys_max: usize) {
        self.windows.limit(keys_max);
    }

    /// Returns the newest operation that was turned away, while a window may reach back to it.
    #[must_use]
    pub fn turned_away(&self) -> Option<Time> {
        self.windows.turned_away()
    }

    /// Goes on after a restart with what [`Self::turned_away`] returned last.
    pub fn resume_turned_away(&self, at: Option<Time>) {
        self.windows.resume_turned_away(at);
    }

    /// Returns how many keys have windows, and how many changes were turned away since the start.
    #[must_use]
    pub fn keys(&self) -> (usize, u64) {
        self.windows.keys()
    }

    /// Estimates the bytes of the windows.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.windows.bytes()
    }

    /// Writes the windows and blocks of one group.
    #[must_use]
    pub fn encode_group(&self, plan: &Plan, group: usize, layout: u64) -> Vec<u8> {
        let mut writer = WindowsWriter::new(layout);
        self.windows.write(plan, group, &mut writer);
        let parties = self.groups().get(&group).cloned().unwrap_or_default();
        let blocks = |party: Party| self.directory.get(&party).map(|blocks| (party, blocks.clone()));
        let blocks: Vec<_> = parties.into_iter().filter_map(blocks).collect();
        writer.finish(&blocks)
    }

    /// Puts back what a group held.
    pub fn restore(&self, plan: &Plan, group: WindowGroup) {
        for (key, window) in group.windows {
            self.windows.restore(plan, key, window);
        }
        for (party, blocks) in group.blocks {
            self.put(party, blocks);
        }
    }

    /// Lists the parties with blocks.
    #[must_use]
    pub fn blocks(&self) -> Vec<(Party, Vec<Restriction>)> {
        self.directory.iter().map(|entry| (*entry.key(), entry.value().clone())).collect()
    }

    /// Returns the blocks of one party.
    #[must_use]
    pub fn blocks_of(&self, party: Party) -> Vec<Restriction> {
        self.directory.get(&party).map(|blocks| blocks.clone()).unwrap_or_default()
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<usize, BTreeSet<Party>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, party: Party, blocks: Vec<Restriction>) {
        self.directory.insert(party, blocks);
        self.groups().entry(group_of_party(party)).or_default().insert(party);
        self.parties.store(self.directory.len(), Ordering::Relaxed);
    }

    fn take(&self, party: Party) -> Option<Vec<Restriction>> {
        let (_, blocks) = self.directory.remove(&party)?;
        if let Some(parties) = self.groups().get_mut(&group_of_party(party)) {
            parties.remove(&party);
        }
        self.parties.store(self.directory.len(), Ordering::Relaxed);
        Some(blocks)
    }

    /// Brings the windows into the layout of other rules; those no rule asks for any more go.
    pub fn translate(&self, way: &LayoutMigration) {
        self.windows.translate(way);
    }
}

impl SharedStore for MemoryStore {
    fn is_near(&self) -> bool {
        true
    }

    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView) {
        view.available = true;
        if view.near.is_none() {
            view.near = Some(Arc::<Windows>::clone(&self.windows));
        }
        for key in &request.windows {
            if let Some(window) = self.windows.window(plan, *key) {
                view.add_window(plan, *key, || window);
            }
        }
        if self.parties.load(Ordering::Relaxed) > 0 {
            for party in &request.parties {
                if let Some(blocks) = self.directory.get(party) {
                    view.add_blocks(plan, *party, || blocks.clone());
                }
            }
        }
    }

    fn decided(&self, plan: &Plan, changes: &[SharedChange]) {
        self.enter(plan, changes);
    }

    /// All counts since it was decided.
    fn apply(&self, _: &Plan, _: &[SharedChange]) -> Result<(), SharedStoreError> {
        Ok(())
    }
}

impl MemoryStore {
    /// Makes changes count.
    pub fn enter(&self, plan: &Plan, changes: &[SharedChange]) {
        self.windows.enter(plan, changes.iter().filter_map(|change| Some((change.window()?, change))));
        self.enter_blocks(plan, changes);
    }

    /// Makes changes of blocks count, and no others.
    pub fn enter_blocks(&self, plan: &Plan, changes: &[SharedChange]) {
        for change in changes {
            if let Some(party) = change.party() {
                self.change_directory(plan, party, change);
            }
        }
    }

    fn change_directory(&self, plan: &Plan, party: Party, change: &SharedChange) {
        let mut one: HashMap<Party, Vec<Restriction>> = HashMap::new();
        if let Some(blocks) = self.take(party) {
            one.insert(party, blocks);
        }
        change_directory(&mut one, plan, change);
        if let Some(blocks) = one.remove(&party) {
            // Only journals of an earlier release place a second block of a rule.
            self.put(party, merge_like(blocks));
        }
    }
}

/// The directory of a store and none of its windows: what a shard has where nothing is shared. The blocks that
/// its own decisions placed stay in force; rules that need windows follow their `on_missing`.
#[derive(Debug, Clone, Default)]
pub struct BlocksOnly(pub Arc<MemoryStore>);

impl SharedStore for BlocksOnly {
    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView) {
        view.available = false;
        for party in &request.parties {
            if let Some(blocks) = self.0.directory.get(party) {
                view.add_blocks(plan, *party, || blocks.clone());
            }
        }
    }

    fn decided(&self, plan: &Plan, changes: &[SharedChange]) {
        self.0.enter_blocks(plan, changes);
    }

    /// All that is kept here counts since it was decided.
    fn apply(&self, _: &Plan, _: &[SharedChange]) -> Result<(), SharedStoreError> {
        Ok(())
    }
}
