//! Common subexpressions of rules: a predicate that several rules contain is evaluated once an operation.
//!
//! Rules of one operation type have much in common: who the counterparty is, the lists, the client's status.
//! Each distinct comparison in their conditions, and in the filters of the windows that the type enters, is a
//! numbered predicate; its result is kept while the operation is evaluated.

use crate::engine::plan::aggregate::PlannedAggregate;
use crate::rules::program::{Aggregate, Condition, Field, Number, Operand, Read, Scope, Stream, Symbol};

/// A condition over numbered predicates.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// The predicate with this number, see [`Predicates`].
    Predicate(usize),
    /// Reads matches, of which there are more from stage to stage: never cached.
    Uncached(Box<Condition>),
    Not(Box<Expr>),
    /// Kleene `and`; the cheapest first.
    All(Box<[Expr]>),
    /// Kleene `or`; the cheapest first.
    Any(Box<[Expr]>),
}

/// The distinct predicates of the conditions that operations of one type meet.
#[derive(Debug, Default)]
pub struct Predicates(Vec<Condition>);

impl Predicates {
    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the predicate with this number.
    #[must_use]
    pub fn get(&self, number: usize) -> &Condition {
        &self.0[number]
    }

    /// Tells whether the answer comes from the operation alone, not from the log or a shared window.
    #[must_use]
    pub fn is_cheap(&self, formula: &Expr) -> bool {
        match formula {
            Expr::Predicate(number) => cost(&self.0[*number]) < AGGREGATE_COST,
            Expr::Uncached(_) => false,
            Expr::Not(inner) => self.is_cheap(inner),
            Expr::All(inner) | Expr::Any(inner) => inner.iter().all(|formula| self.is_cheap(formula)),
        }
    }

    /// Takes a condition apart.
    pub fn take_apart(&mut self, condition: &Condition, aggregates: &[Aggregate]) -> Expr {
        match condition {
            Condition::Not(inner) => Expr::Not(Box::new(self.take_apart(inner, aggregates))),
            // Alone it is the same without `and` or `or`.
            Condition::All(parts) | Condition::Any(parts) if let [only] = &parts[..] => {
                self.take_apart(only, aggregates)
            }
            Condition::All(parts) => Expr::All(self.take_all(parts, aggregates)),
            Condition::Any(parts) => Expr::Any(self.take_all(parts, aggregates)),
            part if reads_matches(part, aggregates) => Expr::Uncached(Box::new(part.clone())),
            part => Expr::Predicate(self.number_of(part)),
        }
    }

    /// Puts the parts of an `and` or `or` in the order of what they cost: mostly one part decides, and which one
    /// is asked first changes no answer, an unknown one included. Those that read aggregates stay in the order of
    /// the text: its author knows which of them decides more often.
    fn take_all(&mut self, conditions: &[Condition], aggregates: &[Aggregate]) -> Box<[Expr]> {
        let mut sorted: Vec<&Condition> = conditions.iter().collect();
        sorted.sort_by_key(|part| cost(part).min(AGGREGATE_COST));
        sorted.into_iter().map(|part| self.take_apart(part, aggregates)).collect()
    }

    /// Says which operations enter a window: those that its filter holds for, and that have a value and a key.
    /// None where all of them do.
    pub fn take_entry(&mut self, aggregate: &PlannedAggregate) -> Option<Expr> {
        let present =
            |field: &Field| Condition::Missing { what: Operand::Field(Scope::This, field.clone()), negated: true };
        let definition = &aggregate.definition;
        // A run is ended by operations that do not satisfy `where`; it keeps its own state.
        let filter = definition.filter.clone().filter(|_| !aggregate.is_run());
        let is_always_there =
            |field: &&Field| matches!(field, Field::OpId | Field::Type | Field::OccurredAt | Field::WalletId);
        let fields = definition.value.iter().chain(&aggregate.key_past).filter(|field| !is_always_there(field));
        let mut demands: Vec<Condition> = fields.map(present).collect();
        match filter.map(Condition::of_this) {
            Some(Condition::All(parts)) => demands.extend(parts),
            other => demands.extend(other),
        }
        (!demands.is_empty()).then(|| self.take_apart(&Condition::All(demands), &[]))
    }

    fn number_of(&mut self, part: &Condition) -> usize {
        self.0.iter().position(|known| known == part).unwrap_or_else(|| {
            self.0.push(part.clone());
            self.0.len() - 1
        })
    }
}

/// What an aggregate costs, with a comparison of fields as the unit: it reads the log or a shared window.
const AGGREGATE_COST: u32 = 16;

/// Estimates what evaluating a condition costs.
fn cost(condition: &Condition) -> u32 {
    let of_symbol = |symbol: &Symbol| if matches!(symbol, Symbol::Aggregate(_)) { AGGREGATE_COST } else { 0 };
    match condition {
        Condition::Literal(_) => 0,
        Condition::Flag(..) | Condition::ClausesHas(_) | Condition::Matched(_) => 1,
        Condition::Same { left, right, negated: _ } => 1 + of_symbol(left) + of_symbol(right),
        Condition::Compare { left, right, comparison: _ } => 2 + cost_of_number(left) + cost_of_number(right),
        Condition::InList { .. } => 4,
        Condition::FlagAggregate(_) | Condition::Missing { what: Operand::Aggregate(_), .. } => AGGREGATE_COST,
        Condition::Missing { what: Operand::Field(..), .. } => 1,
        Condition::Not(inner) => cost(inner),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(cost).sum(),
    }
}

fn cost_of_number(number: &Number) -> u32 {
    match number {
        Number::Literal(_) | Number::Field(..) => 0,
        Number::Mrp { .. } => 1,
        Number::Aggregate(_) => AGGREGATE_COST,
        Number::Add(left, right)
        | Number::Subtract(left, right)
        | Number::Multiply(left, right)
        | Number::Divide(left, right)
        | Number::Remainder(left, right) => 1 + cost_of_number(left) + cost_of_number(right),
    }
}

/// Tells whether a part's answer can change while an operation is judged.
fn reads_matches(part: &Condition, aggregates: &[Aggregate]) -> bool {
    part.reads(|read| match read {
        Read::Matches => true,
        Read::Aggregate(id) => aggregates.get(id).is_some_and(|known| known.stream == Stream::Matches),
        Read::Field(..) => false,
    })
}
