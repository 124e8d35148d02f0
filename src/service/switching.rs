//! Deciding by other rules from now on, with the state that there is.

use std::sync::Arc;

use crate::adapters::memory::MemoryStore;
use crate::adapters::store::Store;
use crate::engine::plan::{Plan, Settings};
use crate::engine::stored::{LayoutMigration, StateLayout};
use crate::geo::Geo;
use crate::operation::Time;
use crate::pipeline::Pipeline;
use crate::rules::program::RuleSet;

use super::backfill::Filler;
use super::recovery::{RulesNote, young_after};

/// What a switch needs to know besides the pipeline, and keeps up to date.
#[derive(Debug)]
pub struct Present {
    /// Windows that are not full yet, by state, with the instant from which they are.
    pub young: Vec<(u64, Time)>,
    /// How rows are laid out.
    pub layout: StateLayout,
}

/// Rules to change to, with the settings of the engine that runs them.
pub(super) type By<'a> = (&'a Arc<RuleSet>, Settings);

/// Makes what fills the windows that are new with these rules; `None` where none can be filled. `newest` is the newest
/// operation so far.
pub(super) fn filler(
    pipeline: &Pipeline<MemoryStore, Arc<Geo>>,
    present: &Present,
    (rules, settings): By<'_>,
    newest: Option<Time>,
) -> Option<Filler> {
    let before = RulesNote::of(pipeline.engine.plan(), present.young.clone());
    let plan = Arc::new(Plan::new(Arc::clone(rules), settings));
    let young = young_after(&plan, &before, newest);
    Filler::new(Arc::clone(&pipeline.geo), &plan, &young, newest)
}

/// Lets a pipeline decide by other rules. What windows of both hold is kept; new ones are filled by the filler, which
/// has read the log of operations where it goes back far enough, and reads the rest of it up to the decision `last`.
/// `newest` is the newest operation so far. Returns the new plan, and the windows that were filled, with the instants
/// from which they would have been full otherwise.
pub(super) fn switch(
    pipeline: &mut Pipeline<MemoryStore, Arc<Geo>>,
    present: &mut Present,
    (rules, settings): By<'_>,
    newest: Option<Time>,
    (filler, store, last): (Option<Filler>, &Store, u64),
) -> (Arc<Plan>, Vec<(u64, Time)>) {
    let before = RulesNote::of(pipeline.engine.plan(), std::mem::take(&mut present.young));
    let plan = Plan::new(Arc::clone(rules), settings);
    let young = young_after(&plan, &before, newest);
    let layout = StateLayout::of(&plan);
    let way = LayoutMigration::between(&present.layout, &layout);
    pipeline.engine.switch(Arc::new(plan), &way);
    if !way.is_identity() {
        pipeline.store.translate(&way);
    }
    present.layout = layout;
    let states = filler.map(|filler| filler.fill((store, last), pipeline)).unwrap_or_default();
    let (filled, young) = young.into_iter().partition(|(state, _)| states.contains(state));
    present.young = young;
    let plan = Arc::new(Plan::new(Arc::clone(rules), settings).with_young_windows(&present.young));
    let same = LayoutMigration::between(&present.layout, &present.layout);
    pipeline.engine.switch(Arc::clone(&plan), &same);
    (plan, filled)
}
