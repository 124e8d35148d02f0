//! Runs the compiled conditions: three-valued, exact, unable to fail.
//!
//! What a field or an aggregate is worth comes from a [`Facts`]: the judged operation, a match, or a
//! past operation in a log. `None` is missing everywhere, and unknown for conditions.

use crate::engine::matching::long_number;
use crate::engine::value::multiply;
use crate::engine::value::{AggregateValue, Ratio, whole_of_word};
use crate::operation::Decimal;
use crate::rules::program::{
    AggregateId, AttributeType, Comparison, Condition, Field, Number, Operand, Scope, Symbol, symbol_of_text,
};
use std::net::IpAddr;

/// Where conditions read.
pub trait Facts {
    /// Returns a field as one word: the symbol, the bits of the `i64`, or 0 and 1.
    fn word(&self, scope: Scope, field: &Field) -> Option<u64>;
    /// Returns a number of an attribute.
    fn decimal(&self, scope: Scope, field: &Field) -> Option<Decimal>;
    /// Returns a field's text, for membership in a list.
    fn text(&self, scope: Scope, field: &Field) -> Option<&str>;
    /// Returns the address, for membership in a list of networks.
    fn address(&self, scope: Scope) -> Option<IpAddr>;
    /// Tells whether the list holds the text, whose symbol is given, at the time of the operation.
    fn list_has_text(&self, list: usize, symbol: u64, text: &str) -> Option<bool>;
    /// Tells whether the list holds the address at the time of the operation.
    fn list_has_address(&self, list: usize, address: IpAddr) -> Option<bool>;
    /// Tells whether the match's clauses hold this one.
    fn clauses_has(&self, clause: &str) -> bool;
    /// Tells whether an enforced rule of the clause matched the judged operation.
    fn matched(&self, clause: &str) -> bool;
    /// Returns the MRP in tiyn on the operation's day.
    fn mrp(&self) -> Option<i64>;
    /// Returns an aggregate's value.
    fn aggregate(&mut self, id: AggregateId) -> AggregateValue;
    /// Returns the judged operation's time.
    fn at(&self) -> crate::operation::Time;
}

/// Evaluates a condition: `Some(true)`, `Some(false)`, or `None` where it is unknown.
pub fn condition<F: Facts>(facts: &mut F, what: &Condition) -> Option<bool> {
    match what {
        Condition::Literal(value) => Some(*value),
        Condition::Not(inner) => condition(facts, inner).map(|value| !value),
        Condition::All(parts) => junction(parts, false, |part| condition(facts, part)),
        Condition::Any(parts) => junction(parts, true, |part| condition(facts, part)),
        Condition::Compare { left, comparison, right } => {
            let ordering = match (short(facts, left), short(facts, right)) {
                (Short::Missing, _) | (_, Short::Missing) => return None,
                (Short::Value(left), Short::Value(right)) => left.cmp(&right),
                (Short::Long, _) | (_, Short::Long) => {
                    let ratios = number(facts, left).zip(number(facts, right));
                    match ratios.and_then(|(left, right)| left.compare(right)) {
                        Some(ordering) => ordering,
                        // Missing, or longer than a ratio.
                        None => long_number::compare(facts, left, right)?,
                    }
                }
            };
            Some(holds(*comparison, ordering))
        }
        Condition::Same { left, right, negated } => {
            let same = symbol(facts, left)? == symbol(facts, right)?;
            Some(same != *negated)
        }
        Condition::Flag(scope, field) => facts.word(*scope, field).map(|word| word != 0),
        Condition::FlagAggregate(id) => match facts.aggregate(*id) {
            AggregateValue::Flag(value) => Some(value),
            AggregateValue::Word(word) => Some(word != 0),
            AggregateValue::Missing | AggregateValue::Number(_) | AggregateValue::Share { .. } => None,
        },
        Condition::InList { scope, field, list, negated } => {
            member(facts, *scope, field, *list).map(|on_it| on_it != *negated)
        }
        Condition::Missing { what, negated } => Some(is_missing(facts, what) != *negated),
        Condition::ClausesHas(clause) => Some(facts.clauses_has(clause)),
        Condition::Matched(clause) => Some(facts.matched(clause)),
    }
}

/// Kleene's `and` (`decisive` false) and `or` (`decisive` true).
#[inline]
pub fn junction<P>(parts: &[P], decisive: bool, mut ask: impl FnMut(&P) -> Option<bool>) -> Option<bool> {
    let mut result = Some(!decisive);
    for part in parts {
        match ask(part) {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// A number as far as one machine word can tell.
enum Short {
    Value(i64),
    Missing,
    /// A ratio or a longer number: [`number`] tells.
    Long,
}

/// Evaluates a number in one machine word: almost every number, at a fraction of the cost.
#[inline]
fn short<F: Facts>(facts: &mut F, what: &Number) -> Short {
    match what {
        Number::Literal(value) => fits(i64::try_from(*value).ok()),
        Number::Field(scope, field @ Field::Attribute(_, AttributeType::Number)) => {
            short_of_decimal(facts, *scope, field)
        }
        Number::Field(scope, field) => {
            facts.word(*scope, field).map_or(Short::Missing, |w| Short::Value(w.cast_signed()))
        }
        Number::Aggregate(id) => match facts.aggregate(*id) {
            AggregateValue::Number(Ratio { numerator, denominator: 1 }) => fits(i64::try_from(numerator).ok()),
            AggregateValue::Number(_) | AggregateValue::Share { .. } => Short::Long,
            AggregateValue::Word(word) => Short::Value(word.cast_signed()),
            AggregateValue::Missing | AggregateValue::Flag(_) => Short::Missing,
        },
        other => short_of_operands(facts, other),
    }
}

#[cold]
fn short_of_decimal<F: Facts>(facts: &F, scope: Scope, field: &Field) -> Short {
    match facts.decimal(scope, field) {
        None => Short::Missing,
        Some(decimal) => fits(decimal.in_units(0).and_then(|whole| i64::try_from(whole).ok())),
    }
}

const fn fits(value: Option<i64>) -> Short {
    match value {
        Some(value) => Short::Value(value),
        None => Short::Long,
    }
}

/// Does what [`short`] does, for numbers that are computed from others.
fn short_of_operands<F: Facts>(facts: &mut F, what: &Number) -> Short {
    let pair = |left: Short, right: Short, operate: fn(i64, i64) -> Option<i64>| match (left, right) {
        (Short::Missing, _) | (_, Short::Missing) => Short::Missing,
        (Short::Value(left), Short::Value(right)) => fits(operate(left, right)),
        (Short::Long, _) | (_, Short::Long) => Short::Long,
    };
    match what {
        Number::Literal(_) | Number::Field(..) | Number::Aggregate(_) => short(facts, what),
        Number::Mrp { hundredths } => match facts.mrp() {
            None => Short::Missing,
            Some(mrp) => fits(hundredths.checked_mul(mrp).filter(|value| value % 100 == 0).map(|value| value / 100)),
        },
        Number::Add(left, right) => pair(short(facts, left), short(facts, right), i64::checked_add),
        Number::Subtract(left, right) => pair(short(facts, left), short(facts, right), i64::checked_sub),
        Number::Multiply(left, right) => pair(short(facts, left), short(facts, right), i64::checked_mul),
        Number::Divide(..) | Number::Remainder(..) => Short::Long,
    }
}

/// Evaluates a number; `None` is missing, or longer than a ratio.
pub fn number<F: Facts>(facts: &mut F, what: &Number) -> Option<Ratio> {
    match what {
        Number::Literal(value) => Some(Ratio::whole(*value)),
        Number::Mrp { hundredths } => Ratio::new(i128::from(*hundredths) * i128::from(facts.mrp()?), 100),
        Number::Field(scope, field @ Field::Attribute(_, AttributeType::Number)) => {
            ratio_of_decimal(facts.decimal(*scope, field)?)
        }
        Number::Field(scope, field) => facts.word(*scope, field).map(whole_of_word),
        Number::Aggregate(id) => match facts.aggregate(*id) {
            AggregateValue::Number(value) => Some(value),
            AggregateValue::Share { total, count } => ratio_of_share(total, count),
            AggregateValue::Word(word) => Some(whole_of_word(word)),
            AggregateValue::Missing | AggregateValue::Flag(_) => None,
        },
        Number::Add(left, right) => number(facts, left)?.add(number(facts, right)?, 1),
        Number::Subtract(left, right) => number(facts, left)?.add(number(facts, right)?, -1),
        Number::Multiply(left, right) => {
            let (left, right) = (number(facts, left)?, number(facts, right)?);
            let numerator = multiply(left.numerator, right.numerator)?;
            Ratio::new(numerator, multiply(left.denominator, right.denominator)?)
        }
        Number::Divide(left, right) => {
            let (left, right) = (number(facts, left)?, number(facts, right)?);
            let numerator = left.numerator.checked_mul(right.denominator)?;
            Ratio::new(numerator, left.denominator.checked_mul(right.numerator)?)
        }
        Number::Remainder(left, right) => {
            let (left, right) = (number(facts, left)?, number(facts, right)?);
            let is_whole = left.denominator == 1 && right.denominator == 1;
            left.numerator.checked_rem(right.numerator).filter(|_| is_whole).map(Ratio::whole)
        }
    }
}

fn ratio_of_decimal(decimal: Decimal) -> Option<Ratio> {
    let power = 10_i128.checked_pow(decimal.exponent().unsigned_abs())?;
    if decimal.exponent() < 0 {
        return Some(Ratio { numerator: decimal.mantissa(), denominator: power });
    }
    decimal.mantissa().checked_mul(power).map(Ratio::whole)
}

fn ratio_of_share(total: Decimal, count: u64) -> Option<Ratio> {
    let total = ratio_of_decimal(total)?;
    Ratio::new(total.numerator, multiply(total.denominator, i128::from(count))?)
}

fn symbol<F: Facts>(facts: &mut F, what: &Symbol) -> Option<u64> {
    match what {
        Symbol::Literal(word) => Some(*word),
        Symbol::Field(scope, field) => facts.word(*scope, field),
        Symbol::Aggregate(id) => match facts.aggregate(*id) {
            AggregateValue::Word(word) => Some(word),
            AggregateValue::Missing
            | AggregateValue::Number(_)
            | AggregateValue::Share { .. }
            | AggregateValue::Flag(_) => None,
        },
    }
}

fn member<F: Facts>(facts: &F, scope: Scope, field: &Field, list: usize) -> Option<bool> {
    if *field == Field::Ip {
        return facts.list_has_address(list, facts.address(scope)?);
    }
    let text = facts.text(scope, field)?;
    let symbol = match field {
        // Their symbols are known already.
        Field::WalletId | Field::CounterpartyWalletId | Field::DeviceId => facts.word(scope, field)?,
        _ => symbol_of_text(text),
    };
    facts.list_has_text(list, symbol, text)
}

fn is_missing<F: Facts>(facts: &mut F, what: &Operand) -> bool {
    match what {
        Operand::Field(scope, field) => facts.word(*scope, field).is_none(),
        Operand::Aggregate(id) => facts.aggregate(*id) == AggregateValue::Missing,
    }
}

/// Compares two ordered values the way the language's operator does.
#[must_use]
pub fn holds(comparison: Comparison, ordering: std::cmp::Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
    }
}
