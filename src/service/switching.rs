//! Deciding by other rules from now on, with the state that there is.

use std::sync::Arc;

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::Store;
use crate::engine::plan::{Plan, Settings};
use crate::engine::stored::{LayoutMigration, StateLayout};
use crate::operation::Time;
use crate::pipeline::Pipeline;
use crate::rules::program::RuleSet;

use super::backfill;
use super::recovery::{RulesNote, young_after};

/// What a switch needs to know besides the pipeline, and keeps up to date.
#[derive(Debug)]
pub struct Present {
    /// Windows that are not full yet, by state, with the instant from which they are.
    pub young: Vec<(u64, Time)>,
    /// How rows are laid out.
    pub layout: StateLayout,
}

/// Lets a pipeline decide by other rules. What windows of both hold is kept; new ones are filled from the log of
/// operations up to the decision `last`, where it goes back far enough. `newest` is the newest operation so far. Returns
/// the new plan, and whether any window was filled.
pub fn switch(
    pipeline: &mut Pipeline<MemoryStore>,
    present: &mut Present,
    (rules, settings): (&Arc<RuleSet>, Settings),
    newest: Option<Time>,
    (store, last): (&Store, u64),
) -> (Arc<Plan>, bool) {
    let before = RulesNote::of(pipeline.engine.plan(), std::mem::take(&mut present.young));
    let plan = Plan::new(Arc::clone(rules), settings);
    present.young = young_after(&plan, &before, newest);
    let layout = StateLayout::of(&plan);
    let way = LayoutMigration::between(&present.layout, &layout);
    pipeline.engine.switch(Arc::new(plan), &way);
    if !way.is_identity() {
        pipeline.store.translate(&way);
    }
    present.layout = layout;
    let filled = backfill::fill((store, last), pipeline, &present.young, newest);
    present.young.retain(|(state, _)| !filled.contains(state));
    let plan = Arc::new(Plan::new(Arc::clone(rules), settings).with_young_windows(&present.young));
    let same = LayoutMigration::between(&present.layout, &present.layout);
    pipeline.engine.switch(Arc::clone(&plan), &same);
    (plan, !filled.is_empty())
}
