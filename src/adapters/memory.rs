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
use crate::pipeline::SharedStore;

/// The windows alone: batches ask them directly.
#[derive(Debug, Default)]
struct Windows(DashMap<SharedKey, SharedWindow, foldhash::fast::RandomState>);

impl NearWindows for Windows {
    fn window(&self, key: SharedKey) -> Option<SharedWindow> {
        self.0.get(&key).map(|window| window.clone())
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
        self.windows.0.len()
    }

    /// Estimates the bytes of the windows.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.windows.0.iter().map(|window| size_of::<(SharedKey, SharedWindow)>() + window.state.heap_bytes()).sum()
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
                    view.add_blocks(*party, || blocks.clone());
                }
            }
        }
    }

    fn apply(&self, plan: &Plan, changes: &[SharedChange]) {
        for change in changes {
            match change {
                SharedChange::Insert { key, .. } | SharedChange::Run { key, .. } | SharedChange::Text { key, .. } => {
                    let mut window = self.windows.0.entry(*key).or_insert_with(|| SharedWindow::new(plan, *key));
                    window.apply(plan, change);
                }
                SharedChange::Remove { key, .. } => {
                    if let Some(mut window) = self.windows.0.get_mut(key) {
                        window.apply(plan, change);
                    }
                }
                SharedChange::Place { party, .. }
                | SharedChange::Lift { party, .. }
                | SharedChange::Seen { party, .. } => self.change_directory(plan, *party, change),
            }
        }
    }
}

impl MemoryStore {
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
