//! Windows that no rule reads any more, kept for a while: a rule that is removed by mistake and brought back finds them
//! whole. Operations enter them as before, and no decision depends on them.

use super::{Aggregate, AggregateId, Condition, ListOrigin, Mode, RuleSet, Stream};
use crate::operation::Time;

/// More are not kept: those that go first anyway are dropped.
const RETIRED_MAX: usize = 128;

/// A window that is kept without a rule that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    pub aggregate: AggregateId,
    /// Enforced rules read it, who do not see shadow matches: of a window over matches that is another state.
    pub by_enforced: bool,
    /// No rule of the set reads the window: it stands behind all those that are read.
    pub is_unread: bool,
    /// Until when it is kept.
    pub until: Time,
}

impl RuleSet {
    /// Tells whether windows are kept whose time is over.
    #[must_use]
    pub fn has_expired(&self, now: Time) -> bool {
        self.retired.iter().any(|retired| retired.until <= now)
    }

    /// Returns the set without the windows that are kept for rules of former sets.
    #[must_use]
    pub fn without_retired(&self) -> Self {
        let mut rules = self.clone();
        let unread = rules.retired.drain(..).filter(|retired| retired.is_unread).count();
        rules.aggregates.truncate(rules.aggregates.len() - unread);
        rules
    }

    /// Returns the set with the windows of the one before it that it would lose, to be kept until `until`. Those that
    /// the set before kept already stay until their own time, which must not be over at `now`.
    #[must_use]
    pub fn keeping_windows_of(&self, before: &Self, now: Time, until: Time) -> Self {
        let mut rules = self.without_retired();
        let mut kept: Vec<(AggregateId, bool, Time)> =
            before.retired.iter().map(|one| (one.aggregate, one.by_enforced, one.until)).collect();
        let is_read = |id: AggregateId| !before.retired.iter().any(|one| one.is_unread && one.aggregate == id);
        let read = (0..before.aggregates.len()).filter(|id| is_read(*id));
        kept.extend(read.map(|id| (id, before.is_read_by_enforced(id), until)));
        kept.retain(|(.., until)| *until > now);
        // Those that are kept longest first.
        kept.sort_by_key(|(id, _, until)| (std::cmp::Reverse(*until), *id));
        for (id, by_enforced, until) in kept {
            if rules.retired.len() < RETIRED_MAX {
                rules.keep(&before.aggregates[id], before, by_enforced, until);
            }
        }
        rules
    }

    fn is_read_by_enforced(&self, id: AggregateId) -> bool {
        let matches = self.aggregates[id].stream == Stream::Matches;
        matches && self.rules.iter().any(|rule| rule.mode == Mode::Enforce && rule.aggregates.contains(&id))
    }

    /// Keeps one window of the set before, unless this set has it.
    fn keep(&mut self, aggregate: &Aggregate, before: &Self, by_enforced: bool, until: Time) {
        let found = self.aggregates.iter().position(|known| known.canonical == aggregate.canonical);
        let id = found.unwrap_or(self.aggregates.len());
        let known = self.retired.iter().position(|retired| retired.aggregate == id);
        if let Some(known) = known {
            self.retired[known].by_enforced |= by_enforced;
            return;
        }
        if found.is_none() {
            let Some(aggregate) = self.with_own_lists(aggregate, before) else { return };
            self.aggregates.push(aggregate);
        } else if !by_enforced || self.is_read_by_enforced(id) {
            return;
        }
        self.retired.push(Retired { aggregate: id, by_enforced, is_unread: found.is_none(), until });
    }

    /// Lets a window of the set before read this set's lists; `None` where one is not there any more.
    fn with_own_lists(&self, aggregate: &Aggregate, before: &Self) -> Option<Aggregate> {
        let own = |list: usize| {
            let list = before.lists.get(list)?;
            let is_same = |own: &&super::List| {
                let is_of_file = |list: &super::List| list.origin == ListOrigin::File;
                own.name == list.name && own.list_type == list.list_type && is_of_file(own) == is_of_file(list)
            };
            self.lists.iter().position(|own| is_same(&own))
        };
        let mut aggregate = aggregate.clone();
        let mut conditions = aggregate.filter.iter_mut().chain(&mut aggregate.residual);
        conditions.all(|condition| translate(condition, &own)).then_some(aggregate)
    }
}

/// Puts other lists in place of those that a condition reads; returns false where one is missing.
fn translate(condition: &mut Condition, own: &impl Fn(usize) -> Option<usize>) -> bool {
    match condition {
        Condition::InList { list, .. } => own(*list).map(|own| *list = own).is_some(),
        Condition::All(parts) | Condition::Any(parts) => parts.iter_mut().all(|part| translate(part, own)),
        Condition::Not(inner) => translate(inner, own),
        Condition::Literal(_)
        | Condition::Compare { .. }
        | Condition::Same { .. }
        | Condition::Flag(..)
        | Condition::FlagAggregate(_)
        | Condition::Missing { .. }
        | Condition::ClausesHas(_)
        | Condition::Matched(_) => true,
    }
}
