//! What a condition reads, found by one walk.

use super::{AggregateId, Condition, Field, Number, Operand, Scope, Symbol};

/// One thing that a condition reads.
#[derive(Debug, Clone, Copy)]
pub enum Read<'c> {
    Field(Scope, &'c Field),
    Aggregate(AggregateId),
    /// What matched so far.
    Matches,
}

impl Condition {
    /// Shows everything the condition reads, in the order of the text.
    pub fn each_read(&self, see: &mut dyn FnMut(Read<'_>)) {
        match self {
            Self::Literal(_) => {}
            Self::Not(inner) => inner.each_read(see),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_read(see)),
            Self::Compare { left, right, comparison: _ } => {
                left.each_read(see);
                right.each_read(see);
            }
            Self::Same { left, right, negated: _ } => {
                left.each_read(see);
                right.each_read(see);
            }
            Self::Flag(scope, field)
            | Self::InList { scope, field, .. }
            | Self::Missing { what: Operand::Field(scope, field), .. } => see(Read::Field(*scope, field)),
            Self::FlagAggregate(id) | Self::Missing { what: Operand::Aggregate(id), .. } => see(Read::Aggregate(*id)),
            Self::ClausesHas(_) | Self::Matched(_) => see(Read::Matches),
        }
    }

    /// Tells whether the condition reads something that is `wanted`.
    pub fn reads(&self, wanted: impl Fn(Read<'_>) -> bool) -> bool {
        let mut is_found = false;
        self.each_read(&mut |read| is_found |= wanted(read));
        is_found
    }

    /// Returns the same condition with every field read on the judged operation.
    #[must_use]
    pub fn of_this(mut self) -> Self {
        self.each_scope(&mut |scope| *scope = Scope::This);
        self
    }

    fn each_scope(&mut self, see: &mut dyn FnMut(&mut Scope)) {
        match self {
            Self::Not(inner) => inner.each_scope(see),
            Self::All(parts) | Self::Any(parts) => parts.iter_mut().for_each(|part| part.each_scope(see)),
            Self::Compare { left, right, comparison: _ } => {
                left.each_scope(see);
                right.each_scope(see);
            }
            Self::Same { left, right, negated: _ } => {
                for symbol in [left, right] {
                    if let Symbol::Field(scope, _) = symbol {
                        see(scope);
                    }
                }
            }
            Self::Flag(scope, _)
            | Self::InList { scope, .. }
            | Self::Missing { what: Operand::Field(scope, _), .. } => {
                see(scope);
            }
            Self::Literal(_)
            | Self::FlagAggregate(_)
            | Self::Missing { what: Operand::Aggregate(_), .. }
            | Self::ClausesHas(_)
            | Self::Matched(_) => {}
        }
    }
}

impl Number {
    fn each_read(&self, see: &mut dyn FnMut(Read<'_>)) {
        match self {
            Self::Literal(_) | Self::Mrp { .. } => {}
            Self::Field(scope, field) => see(Read::Field(*scope, field)),
            Self::Aggregate(id) => see(Read::Aggregate(*id)),
            Self::Add(left, right)
            | Self::Subtract(left, right)
            | Self::Multiply(left, right)
            | Self::Divide(left, right)
            | Self::Remainder(left, right) => {
                left.each_read(see);
                right.each_read(see);
            }
        }
    }

    fn each_scope(&mut self, see: &mut dyn FnMut(&mut Scope)) {
        match self {
            Self::Literal(_) | Self::Mrp { .. } | Self::Aggregate(_) => {}
            Self::Field(scope, _) => see(scope),
            Self::Add(left, right)
            | Self::Subtract(left, right)
            | Self::Multiply(left, right)
            | Self::Divide(left, right)
            | Self::Remainder(left, right) => {
                left.each_scope(see);
                right.each_scope(see);
            }
        }
    }
}

impl Symbol {
    fn each_read(&self, see: &mut dyn FnMut(Read<'_>)) {
        match self {
            Self::Literal(_) => {}
            Self::Field(scope, field) => see(Read::Field(*scope, field)),
            Self::Aggregate(id) => see(Read::Aggregate(*id)),
        }
    }
}
