//! Shared state in this process: a concurrent map that several shards' workers may use.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::engine::plan::Plan;
use crate::engine::restriction::Restriction;
use crate::engine::shared::{
    NearWindows, Party, SharedChange, SharedKey, SharedRequest, SharedView, SharedWindow, change_directory,
};
use crate::engine::stored::windows::{WindowGroup, WindowsWriter, group_of_key, group_of_party};
use crate::engine::stored::{GROUPS, Translation};
use crate::pipeline::{SharedStore, SharedStoreError};

type WindowMap = DashMap<SharedKey, SharedWindow, foldhash::fast::RandomState>;

/// The least a map accepts; there are many maps.
const LOCKS_PER_GROUP: usize = 2;

/// The windows alone: batches ask them directly. In the groups that stores write.
#[derive(Debug)]
struct Windows(Vec<WindowMap>);

impl Default for Windows {
    fn default() -> Self {
        let map = || DashMap::with_hasher_and_shard_amount(foldhash::fast::RandomState::default(), LOCKS_PER_GROUP);
        Self((0..GROUPS).map(|_| map()).collect())
    }
}

impl Windows {
    fn of(&self, key: SharedKey) -> &WindowMap {
        &self.0[group_of_key(key)]
    }
}

impl NearWindows for Windows {
    fn window(&self, key: SharedKey) -> Option<SharedWindow> {
        self.of(key).get(&key).map(|window| window.clone())
    }
}

/// Shared windows and the directory of blocks, in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    windows: Arc<Windows>,
    directory: DashMap<Party, Vec<Restriction>, foldhash::fast::RandomState>,
    /// How many parties the directory holds: asked for every batch, when there mostly is none.
    parties: AtomicUsize,
}

impl MemoryStore {
    /// Returns how many windows are held.
    #[must_use]
    pub fn window_count(&self) -> usize {
        self.windows.0.iter().map(DashMap::len).sum()
    }

    /// Estimates the bytes of the windows.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let windows = self.windows.0.iter().flat_map(DashMap::iter);
        windows.map(|window| size_of::<(SharedKey, SharedWindow)>() + window.state.heap_bytes()).sum()
    }

    /// Writes the windows and blocks of one group.
    #[must_use]
    pub fn encode_group(&self, group: usize, layout: u64) -> Vec<u8> {
        let mut writer = WindowsWriter::new(layout);
        self.windows.0[group].iter().for_each(|window| writer.window(*window.key(), window.value()));
        let blocks = self.directory.iter().filter(|entry| group_of_party(*entry.key()) == group);
        let mut blocks: Vec<_> = blocks.map(|entry| (*entry.key(), entry.value().clone())).collect();
        blocks.sort_by_key(|(party, _)| *party);
        writer.finish(&blocks)
    }

    /// Puts back what a group held.
    pub fn restore(&self, group: WindowGroup) {
        for (key, window) in group.windows {
            self.windows.of(key).insert(key, window);
        }
        for (party, blocks) in group.blocks {
            self.directory.insert(party, blocks);
        }
        self.parties.store(self.directory.len(), Ordering::Relaxed);
    }

    /// Lists the parties with blocks.
    #[must_use]
    pub fn blocks(&self) -> Vec<(Party, Vec<Restriction>)> {
        self.directory.iter().map(|entry| (*entry.key(), entry.value().clone())).collect()
    }

    /// Brings the windows into the layout of other rules; those no rule asks for any more go.
    pub fn translate(&self, way: &Translation) {
        for map in &self.windows.0 {
            let windows: Vec<_> = map.iter().map(|window| (*window.key(), window.value().clone())).collect();
            map.clear();
            for (key, window) in windows {
                if let Some(aggregate) = way.window(key.aggregate) {
                    map.insert(SharedKey { aggregate, ..key }, window);
                }
            }
        }
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
            if let Some(window) = self.windows.window(*key) {
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

    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError> {
        self.enter(plan, changes);
        Ok(())
    }
}

impl MemoryStore {
    /// Makes changes count: what [`SharedStore::apply`] does, for those who know that this store takes all.
    pub fn enter(&self, plan: &Plan, changes: &[SharedChange]) {
        for change in changes {
            match change {
                SharedChange::Insert { key, .. } | SharedChange::Run { key, .. } | SharedChange::Text { key, .. } => {
                    let mut window = self.windows.of(*key).entry(*key).or_insert_with(|| SharedWindow::new(plan, *key));
                    window.apply(plan, change);
                }
                SharedChange::Remove { key, .. } => {
                    if let Some(mut window) = self.windows.of(*key).get_mut(key) {
                        window.apply(plan, change);
                    }
                }
                SharedChange::Place { party, .. }
                | SharedChange::Lift { party, .. }
                | SharedChange::Seen { party, .. } => self.change_directory(plan, *party, change),
            }
        }
    }

    fn change_directory(&self, plan: &Plan, party: Party, change: &SharedChange) {
        let mut one: HashMap<Party, Vec<Restriction>> = HashMap::new();
        if let Some((party, blocks)) = self.directory.remove(&party) {
            one.insert(party, blocks);
        }
        change_directory(&mut one, plan, change);
        if let Some(blocks) = one.remove(&party) {
            self.directory.insert(party, blocks);
        }
        self.parties.store(self.directory.len(), Ordering::Relaxed);
    }
}
