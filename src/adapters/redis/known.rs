//! The directory as this process saw it last: what stays in force while the server is away.

use std::collections::HashMap;

use uuid::Uuid;

use crate::engine::plan::Plan;
use crate::engine::restriction::Restriction;
use crate::engine::shared::{Party, SharedChange, change_directory};

/// Blocks that were fetched, placed or lifted here.
#[derive(Debug, Default)]
pub(super) struct Known {
    blocks: HashMap<Party, Vec<Restriction>>,
    /// Lifted here, and not yet known to be lifted in the server.
    lifted: HashMap<Party, Vec<Uuid>>,
}

impl Known {
    /// Lists the blocks of a party.
    pub(super) fn blocks(&self, party: Party) -> Option<&Vec<Restriction>> {
        self.blocks.get(&party)
    }

    /// Lists the parties with blocks.
    pub(super) fn parties(&self) -> impl Iterator<Item = (Party, &[Restriction])> {
        self.blocks.iter().map(|(party, blocks)| (*party, blocks.as_slice()))
    }

    /// Makes changes of the directory count here.
    pub(super) fn change(&mut self, plan: &Plan, change: &SharedChange) {
        match change {
            SharedChange::Place { party, restriction } => {
                let is_lifted = self.lifted.get(party).is_some_and(|lifted| lifted.contains(&restriction.id));
                if is_lifted {
                    return;
                }
            }
            SharedChange::Lift { party, restriction } => {
                let lifted = self.lifted.entry(*party).or_default();
                if !lifted.contains(restriction) {
                    lifted.push(*restriction);
                }
            }
            SharedChange::Seen { .. }
            | SharedChange::Insert { .. }
            | SharedChange::Remove { .. }
            | SharedChange::Run { .. }
            | SharedChange::Text { .. }
            | SharedChange::Ahead(_) => {}
        }
        change_directory(&mut self.blocks, plan, change);
    }

    /// The server has the changes: its tombstones serve from now on.
    pub(super) fn took(&mut self, changes: &[SharedChange]) {
        for change in changes {
            if let SharedChange::Lift { party, .. } = change {
                self.lifted.remove(party);
            }
        }
    }

    /// Takes over what the server holds for a party.
    pub(super) fn replace(&mut self, party: Party, blocks: &[Restriction]) {
        if blocks.is_empty() {
            self.blocks.remove(&party);
        } else {
            self.blocks.insert(party, blocks.to_vec());
        }
    }

    /// Adds what a server that lost a part still holds for a party.
    pub(super) fn merge(&mut self, party: Party, blocks: Vec<Restriction>, lifted: &[Uuid]) {
        let known = self.blocks.entry(party).or_default();
        known.retain(|block| !lifted.contains(&block.id));
        let here = self.lifted.get(&party);
        for block in blocks {
            let is_lifted = here.is_some_and(|lifted| lifted.contains(&block.id));
            match known.iter_mut().find(|other| other.id == block.id) {
                Some(other) => other.extend(block.until, block.fired_last),
                None if !is_lifted => known.push(block),
                None => {}
            }
        }
        if known.is_empty() {
            self.blocks.remove(&party);
        }
    }
}
