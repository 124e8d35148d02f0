//! One aggregate with the places its inputs have in a row.

use crate::operation::time::Nanos;
use crate::rules::program::{Aggregate, Condition, Field, Function, Read, Scope, Window};

/// One aggregate with the places its inputs have in a row.
#[derive(Debug, Clone)]
pub struct PlannedAggregate {
    pub definition: Aggregate,
    /// Only enforced matches are visible (the twin that enforced rules read; see [`Plan::visible_to`]).
    pub enforced_only: bool,
    pub owned: bool,
    /// Names the window in shared stores and over reloads.
    pub state_id: u64,
    /// The words of a row that hold the key, without the owning wallet.
    pub key_words: Vec<usize>,
    /// The judged operation's fields for the same key parts.
    pub key_this: Vec<Field>,
    /// The past operation's fields for the same key parts.
    pub key_past: Vec<Field>,
    /// The past operation's fields that a residual `where` reads.
    pub residual_past: Vec<Field>,
    /// The word of a row that holds the value.
    pub value_word: Option<usize>,
    /// How long after its time an entry may still count, lateness included.
    pub retention: Nanos,
    /// Its position among the windows of a wallet as a whole that a long log has an index of.
    pub whole: Option<usize>,
}

impl PlannedAggregate {
    /// Tells whether a window of it is its entries and nothing else: no run, no chain, no texts.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        matches!(self.definition.window, Window::Within(_)) && self.definition.function != Function::Last
    }

    /// Tells whether the aggregate is answered from the index of a long log: runs keep their own state, a
    /// residual `where` has to look at every row.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.owned && !self.is_run() && self.definition.residual.is_none()
    }

    /// Tells whether the index keeps no more of the aggregate than a few totals: those of a calendar day or month.
    #[must_use]
    pub fn is_totalled(&self) -> bool {
        let is_total =
            matches!(self.definition.function, Function::Count | Function::Sum | Function::Any | Function::None);
        is_total
            && !self.definition.adds_decimals()
            && self.whole.is_some()
            && matches!(self.definition.window, Window::Today | Window::ThisMonth)
    }

    /// Tells whether a log of middle length counts the aggregate's rows by their keys. EntryList rules read an age, and
    /// mostly all rows of a wallet have the one key of it.
    #[must_use]
    pub fn is_counted_by_key(&self) -> bool {
        self.is_indexed() && self.whole.is_none() && !matches!(self.definition.window, Window::Quiet(_))
    }

    /// Returns how long a sliding window is, or the pause that ends a chain; zero of a calendar's.
    #[must_use]
    pub const fn length(&self) -> Nanos {
        match self.definition.window {
            Window::Within(length) | Window::Quiet(length) => length,
            Window::Today | Window::ThisMonth => Nanos::ZERO,
        }
    }

    /// Tells whether the aggregate's state is a run or a chain instead of entries in a window.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.definition.function == Function::Streak
    }
}

pub(crate) fn residual_fields(definition: &Aggregate) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(condition) = &definition.residual {
        past_fields(condition, &mut fields);
    }
    fields
}

/// Collects the fields of the past operation that a condition reads.
pub(crate) fn past_fields(condition: &Condition, found: &mut Vec<Field>) {
    condition.each_read(&mut |read| {
        if let Read::Field(Scope::Past, field) = read {
            found.push(field.clone());
        }
    });
}
