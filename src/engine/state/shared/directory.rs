//! The directory of blocks by party.

use crate::engine::plan::Plan;
use crate::engine::state::restriction::Restriction;
use crate::engine::state::shared::change::{Party, SharedChange};
use std::collections::HashMap;

/// Applies a change to a directory of blocks.
pub fn change_directory<S: std::hash::BuildHasher>(
    directory: &mut HashMap<Party, Vec<Restriction>, S>,
    plan: &Plan,
    change: &SharedChange,
) {
    match change {
        SharedChange::Place { party, restriction } => {
            let blocks = directory.entry(*party).or_default();
            match blocks.iter_mut().find(|known| known.id == restriction.id) {
                Some(known) => known.extend(restriction.until, restriction.fired_last),
                None => blocks.push(Restriction::clone(restriction)),
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
        | SharedChange::Text { .. }
        | SharedChange::Ahead(_) => {}
    }
}

pub(crate) fn retain<S: std::hash::BuildHasher>(
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
