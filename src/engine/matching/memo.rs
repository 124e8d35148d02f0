//! What is known of the operation being evaluated: each aggregate and each part of a condition is computed once.

use crate::engine::plan::Plan;
use crate::engine::value::{AggregateValue, Truth};
use crate::operation::OperationType;
use crate::rules::program::AggregateId;

/// What was computed of one operation already.
#[derive(Debug, Default)]
pub struct Memo {
    operation: u64,
    values: Vec<(u64, AggregateValue)>,
    /// Of the parts of the conditions; none where they were not asked yet.
    answers: Vec<Option<Truth>>,
    /// Aggregates over decimals that came to more digits than count.
    unheld: Vec<AggregateId>,
}

impl Memo {
    /// Forgets what is known of the last operation; the next one has this type.
    pub fn start(&mut self, plan: &Plan, kind: OperationType) {
        self.operation += 1;
        self.unheld.clear();
        self.values.resize(plan.aggregates.len(), (0, AggregateValue::Missing));
        self.answers.clear();
        self.answers.resize(plan.of(kind).parts.count(), None);
    }

    /// Returns an aggregate's value.
    #[must_use]
    pub fn get(&self, id: AggregateId) -> Option<AggregateValue> {
        let (operation, value) = self.values[id];
        (operation == self.operation).then_some(value)
    }

    /// Notes an aggregate's value.
    pub fn set(&mut self, id: AggregateId, value: AggregateValue) {
        self.values[id] = (self.operation, value);
    }

    /// Notes that an aggregate over decimals came to more digits than count.
    pub fn note_unheld(&mut self, id: AggregateId) {
        self.unheld.push(id);
    }

    /// Tells whether an aggregate over decimals came to more digits than count.
    #[must_use]
    pub fn is_unheld(&self, id: AggregateId) -> bool {
        self.unheld.contains(&id)
    }

    /// Returns what was answered to the part with this number.
    #[must_use]
    #[inline]
    pub fn answer(&self, number: usize) -> Option<Truth> {
        self.answers[number]
    }

    /// Notes the answer to a part.
    pub fn note_answer(&mut self, number: usize, answer: Truth) {
        self.answers[number] = Some(answer);
    }
}
