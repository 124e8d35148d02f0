//! Which operations of the wallet an aggregate counted, for people who ask why.

use crate::engine::matching::evaluate::Facts as _;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::plan::PlannedAggregate;
use crate::engine::state::wallet::row::{Row, is_visible, key_of_row};
use crate::operation::Time;
use crate::rules::program::{AggregateId, Function, Stream, Window};

/// At most so many are named, the last ones.
pub const NAMED_MAX: usize = 100;

/// Operations of the wallet that an aggregate counted, without the one that is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CountedOperations {
    pub total: usize,
    /// The numbers of their decisions, the last to arrive first; at most [`NAMED_MAX`].
    pub seqs: Vec<u64>,
}

impl Evaluation<'_, '_> {
    /// Finds what an aggregate counts of the wallet's operations; `None` where it counts something else: other wallets'
    /// operations, matches, or a run or chain.
    pub(crate) fn counted(&self, id: AggregateId) -> Option<CountedOperations> {
        let aggregate = &self.plan.aggregates[id];
        let definition = &aggregate.definition;
        if !aggregate.owned || definition.stream == Stream::Matches || matches!(definition.window, Window::Quiet(_)) {
            return None;
        }
        let key = self.reading_key(aggregate)?;
        let newest = self.wallet.newest();
        let is_counted = |row: &Row<'_>| {
            row.is_in(id)
                && key_of_row(aggregate, *row) == key
                && is_visible(self.plan, id, row.at(), newest)
                && self.is_near(aggregate, row.at())
                && self.may_be_last(aggregate, row.at())
                && self.residual_holds(aggregate, *row)
        };
        let rows = self.wallet.rows_of(self.plan, id, key).filter(is_counted);
        if definition.function == Function::Last {
            // The youngest; of equally young ones the last to arrive, which comes first here.
            let last = rows.min_by_key(|row| std::cmp::Reverse(row.at()));
            return Some(CountedOperations {
                total: usize::from(last.is_some()),
                seqs: last.map(Row::seq).into_iter().collect(),
            });
        }
        let mut found = CountedOperations::default();
        for row in rows {
            found.total += 1;
            if found.seqs.len() < NAMED_MAX {
                found.seqs.push(row.seq());
            }
        }
        Some(found)
    }

    /// Tells whether a time lies in the window; of a late operation in one of those that hold it.
    fn is_near(&self, aggregate: &PlannedAggregate, at: Time) -> bool {
        match aggregate.definition.window {
            Window::Within(length) => at.is_within(length, self.at()),
            Window::Today | Window::ThisMonth => self.span(aggregate).contains(at),
            Window::Quiet(_) => false,
        }
    }
}
