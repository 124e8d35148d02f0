//! What evaluating a rule reads of it.

use crate::engine::plan::predicates::{Expr, Predicates};
use crate::operation::Time;
use crate::rules::program::{Inputs, Mode, OnMissing, RuleSet};

/// What evaluating a rule reads of it, close together: most rules are looked at and do not fire.
#[derive(Debug)]
pub struct PlannedRule {
    /// Position in the rule set.
    pub index: usize,
    pub stage: u32,
    pub reads_login_run: bool,
    /// An unknown condition fires.
    pub fires_unknown: bool,
    pub needs: Inputs,
    /// A list of it lies in the shared store and has not been read yet.
    pub lacks_a_list: bool,
    /// When the rule applies: not before the first instant, not from the second on.
    pub(crate) from: Time,
    pub(crate) until: Time,
    /// From when it acts: never where it only watches.
    pub(crate) enforced_from: Time,
    pub when: Expr,
}

/// An instant before all others, and one after them.
pub(crate) const ALWAYS: Time = Time::MIN;

pub(crate) const NEVER: Time = Time::MAX;

impl PlannedRule {
    pub(crate) fn of(rules: &RuleSet, index: usize, parts: &mut Predicates) -> Self {
        let rule = &rules.rules[index];
        Self {
            index,
            stage: rule.stage,
            reads_login_run: rule.reads_login_run,
            fires_unknown: rule.on_missing == OnMissing::Fire,
            needs: rule.needs,
            lacks_a_list: rule.lists.iter().any(|list| rules.lists.get(*list).is_some_and(|list| !list.is_read())),
            from: rule.from.unwrap_or(ALWAYS),
            until: rule.until.unwrap_or(NEVER),
            enforced_from: if rule.mode == Mode::Enforce { ALWAYS } else { NEVER },
            when: parts.take_apart(&rule.when, &rules.aggregates),
        }
    }

    /// Tells whether the rule applies at this instant.
    #[must_use]
    pub fn is_in_force(&self, at: Time) -> bool {
        self.from <= at && at < self.until
    }

    /// Tells whether a match of the rule has effects at this instant.
    #[must_use]
    pub fn is_enforced(&self, at: Time) -> bool {
        self.enforced_from <= at
    }
}
