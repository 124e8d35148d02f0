//! What workers show: read models that anybody may look at while they work.
//!
//! A service has one worker or several. Each shows its part of the wallets, which only it writes; whoever looks sees
//! them all as one.

#[cfg(feature = "kafka")]
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use crate::engine::Engine;
#[cfg(feature = "kafka")]
use crate::engine::plan::{Plan, Settings};
use crate::engine::state::budgets::BudgetUse;
use crate::operation::Time;
#[cfg(feature = "kafka")]
use crate::rules::program::RuleSet;

use super::active_restrictions::{ActiveRestrictions, Books};
use super::recent::Recent;
use super::rule_stats::RuleStats;
#[cfg(feature = "kafka")]
use super::write;
use super::{RulesInUse, read};

/// What all workers of a service show.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) rules: RwLock<RulesInUse>,
    /// The newest decisions, where they go to a topic.
    pub(crate) recent: RwLock<Recent>,
    /// One of each worker.
    pub(crate) parts: Vec<Arc<Part>>,
}

/// What one worker shows of its wallets.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) book: RwLock<ActiveRestrictions>,
    pub(crate) rule_stats: RwLock<RuleStats>,
    pub(crate) figures: RwLock<Figures>,
    /// What its shards have spent of rules' budgets.
    pub(crate) budgets: RwLock<Vec<BudgetShown>>,
    /// Windows that are not full yet in one of its shards, by state, with the instant from which they are. Of a fleet.
    #[cfg(feature = "kafka")]
    pub(crate) young: RwLock<BTreeMap<u64, Time>>,
}

/// What one shard has spent of a rule's budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetShown {
    pub rule: Arc<str>,
    /// 0 where there are no shards.
    pub shard: i32,
    pub used: BudgetUse,
}

impl BudgetShown {
    /// Lists what a shard has spent.
    pub(crate) fn of(engine: &Engine, shard: i32) -> impl Iterator<Item = Self> {
        let plan = engine.plan();
        let rules = plan.rules.rules.iter().enumerate().filter(|_| plan.has_budgets());
        rules.filter_map(move |(index, rule)| {
            let used = engine.budgets().used(plan, index)?;
            Some(Self { rule: Arc::clone(&rule.id), shard, used })
        })
    }
}

/// Sizes that change slowly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub wallets: usize,
    pub state_bytes: usize,
    pub shared_windows: usize,
    /// Keys of shared windows, and changes of keys that were turned away since the start. Of a fleet those of the window
    /// that has most.
    pub shared_keys: usize,
    pub shared_keys_refused: u64,
    /// Of a fleet: bytes of the shared window that has most, as they are estimated.
    pub shared_window_bytes: u64,
    /// The newest operation that was decided, by its own time.
    pub newest: Option<Time>,
}

impl Figures {
    /// Adds those of another worker. What workers share, each of them sees whole.
    fn and(self, other: Self) -> Self {
        Self {
            wallets: self.wallets + other.wallets,
            state_bytes: self.state_bytes + other.state_bytes,
            shared_windows: self.shared_windows.max(other.shared_windows),
            shared_keys: self.shared_keys.max(other.shared_keys),
            shared_keys_refused: self.shared_keys_refused + other.shared_keys_refused,
            shared_window_bytes: self.shared_window_bytes.max(other.shared_window_bytes),
            newest: self.newest.max(other.newest),
        }
    }
}

impl Shown {
    pub(crate) fn new(rules: RulesInUse, parts: Vec<Arc<Part>>) -> Self {
        Self { rules: RwLock::new(rules), recent: RwLock::default(), parts }
    }

    /// Returns the books of all workers as one.
    pub(crate) fn books(&self) -> Books<RwLockReadGuard<'_, ActiveRestrictions>> {
        Books(self.parts.iter().map(|part| read(&part.book)).collect())
    }

    /// Looks at what rules matched.
    pub(crate) fn with_rule_stats<T>(&self, look: impl FnOnce(&RuleStats) -> T) -> T {
        if let [only] = &*self.parts {
            return look(&read(&only.rule_stats));
        }
        let mut all = RuleStats::default();
        self.parts.iter().for_each(|part| all.merge(&read(&part.rule_stats)));
        look(&all)
    }

    /// Lists what every shard has spent of rules' budgets, by rule and shard.
    pub(crate) fn budgets(&self) -> Vec<BudgetShown> {
        let mut all: Vec<BudgetShown> = self.parts.iter().flat_map(|part| read(&part.budgets).clone()).collect();
        all.sort_by(|a, b| (&a.rule, a.shard).cmp(&(&b.rule, b.shard)));
        all
    }

    /// Returns the sizes of the state.
    pub(crate) fn figures(&self) -> Figures {
        self.parts.iter().map(|part| *read(&part.figures)).fold(Figures::default(), Figures::and)
    }
}

/// A fleet's workers change rules one after the other.
#[cfg(feature = "kafka")]
impl Shown {
    /// Shows that a worker decides by these rules since `at`. They are in use with the first worker that does; each is
    /// asked to, one change after the other.
    pub(crate) fn switched(&self, rules: &Arc<RuleSet>, at: Time, engine: Settings) {
        let plan = self.plan(rules, engine);
        let mut shown = write(&self.rules);
        let before = Arc::clone(&shown.plan.rules);
        if Arc::ptr_eq(&before, rules) {
            shown.plan = plan;
            return;
        }
        // The same rules again are no set to go back to.
        let previous = if before.hash == rules.hash { shown.previous.take() } else { Some(before) };
        *shown = RulesInUse { plan, loaded_at: at, previous, refused: None };
    }

    /// Shows anew which windows of the rules in use are young.
    pub(crate) fn renew_plan(&self, engine: Settings) {
        let mut shown = write(&self.rules);
        shown.plan = self.plan(&shown.plan.rules, engine);
    }

    /// Lays rules out as people are shown them: a window is young for as long as it is in any shard.
    fn plan(&self, rules: &Arc<RuleSet>, engine: Settings) -> Arc<Plan> {
        let mut young: BTreeMap<u64, Time> = BTreeMap::new();
        for part in &self.parts {
            for (state, until) in &*read(&part.young) {
                let longest = young.entry(*state).or_insert(*until);
                *longest = (*longest).max(*until);
            }
        }
        let young: Vec<(u64, Time)> = young.into_iter().collect();
        Arc::new(Plan::new(Arc::clone(rules), engine).with_young_windows(&young))
    }
}

#[cfg(feature = "kafka")]
impl Part {
    /// Shows no wallets any more; what was counted since the start stays counted.
    pub(crate) fn clear(&self) {
        *write(&self.book) = ActiveRestrictions::default();
        *write(&self.rule_stats) = RuleStats::default();
        *write(&self.young) = BTreeMap::new();
        *write(&self.budgets) = Vec::new();
        let mut figures = write(&self.figures);
        let shared_keys_refused = figures.shared_keys_refused;
        *figures = Figures { shared_keys_refused, ..Figures::default() };
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::adapters::folders::Folder;
    use crate::app;

    fn rules() -> Arc<RuleSet> {
        let folder = Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"));
        Arc::new(app::load_rules(&folder).expect("the shipped rules load"))
    }

    fn shown(rules: &Arc<RuleSet>, workers: usize) -> Shown {
        let plan = Arc::new(Plan::new(Arc::clone(rules), Settings::default()));
        let rules = RulesInUse { plan, loaded_at: Time::from_nanos(1), previous: None, refused: None };
        Shown::new(rules, (0..workers).map(|_| Arc::default()).collect())
    }

    #[test]
    fn figures_of_workers_add_up_but_what_they_share_is_there_once() {
        let shown = shown(&rules(), 2);
        let of = |wallets, keys, newest| Figures {
            wallets,
            shared_keys: keys,
            shared_keys_refused: 1,
            newest: Some(Time::from_nanos(newest)),
            ..Figures::default()
        };
        *write(&shown.parts[0].figures) = of(3, 7, 5);
        *write(&shown.parts[1].figures) = of(4, 8, 2);
        assert_eq!(shown.figures(), Figures { shared_keys_refused: 2, ..of(7, 8, 5) });
    }

    #[test]
    fn rules_are_switched_once_however_many_workers_say_so() {
        let (first, second) = (rules(), rules());
        let shown = shown(&first, 3);
        for at in 2..5 {
            shown.switched(&second, Time::from_nanos(at), Settings::default());
            // A worker that has not switched yet shows something: the rules in use stay.
            shown.renew_plan(Settings::default());
            let now = read(&shown.rules).clone();
            assert!(Arc::ptr_eq(&now.plan.rules, &second));
            assert_eq!((now.loaded_at, now.previous.is_none()), (Time::from_nanos(2), true));
        }
    }

    #[test]
    fn a_window_is_young_for_as_long_as_it_is_in_any_shard() {
        let rules = rules();
        let shown = shown(&rules, 2);
        let plan = Arc::clone(&read(&shown.rules).plan);
        let (rule, state) = plan
            .rules
            .rules
            .iter()
            .enumerate()
            .find_map(|(index, rule)| Some((index, plan.aggregates[*rule.aggregates.first()?].state_id)))
            .expect("a rule with a window");
        for (part, until) in [(0, 5), (1, 9)] {
            write(&shown.parts[part].young).insert(state, Time::from_nanos(until));
        }
        shown.renew_plan(Settings::default());
        assert!(read(&shown.rules).plan.warming_until(rule) >= Some(Time::from_nanos(9)));
    }
}
