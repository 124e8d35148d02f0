//! Numbers: literals with their units, arithmetic, and the proof that no value leaves `i128`.
//!
//! Every number carries the largest magnitude it can have as a ratio. The evaluator compares ratios by
//! cross-multiplication, so the bound of every product it can form is checked here, once, at load. Decimals of
//! attributes may be longer: what is made of them is evaluated in as many digits as it needs, which are bounded too.

use std::ops::Range;

use super::{Checker, Type, Value};
use crate::rules::diagnostic::Code;
use crate::rules::parse::unit_nanos;
use crate::rules::program::Number;
use crate::rules::syntax::{Expression, Operator, Unit};

/// A number with its type and the magnitude it cannot exceed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantity {
    pub(super) number: Number,
    pub(super) number_type: Type,
    pub(super) bound: Bound,
    /// False once a division or an average made it a ratio.
    pub(super) is_whole: bool,
}

/// How large a number can become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// The largest magnitudes of numerator and denominator.
    Ratio { numerator: i128, denominator: i128 },
    /// Made of decimals: the most digits that numerator and denominator have together.
    Long { digits: u32 },
}

/// One amount, in tiyn: 15 integer digits and 2 decimals.
pub(super) const AMOUNT_MAX: i128 = 100_000_000_000_000_000;
/// A count of operations in a window.
pub(super) const COUNT_MAX: i128 = 1_000_000_000;
/// The MRP itself, in tiyn; the table refuses more.
pub(crate) const MRP_MAX: i128 = 100_000_000_000;
/// A literal number of MRP, in hundredths.
const MRP_LITERAL_MAX: i128 = 100_000_000_000;
/// The digits of one decimal as a ratio: see [`crate::operation::decimal`].
const DECIMAL_DIGITS_MAX: u32 = 430;
/// The most digits a number made of decimals may need.
const LONG_DIGITS_MAX: u32 = 10_000;
/// A literal int.
const INT_MAX: i128 = 1_000_000_000_000_000_000;

impl Bound {
    pub(super) const fn whole(numerator: i128) -> Self {
        Self::Ratio { numerator, denominator: 1 }
    }

    /// Returns the most digits of numerator and denominator together.
    const fn digits(self) -> u32 {
        match self {
            // Twice the digits of an i128.
            Self::Ratio { .. } => 78,
            Self::Long { digits } => digits,
        }
    }
}

impl Quantity {
    /// Makes the decimal of an attribute, or one that an aggregate found among several.
    pub(super) const fn decimal(number: Number) -> Self {
        Self { number, number_type: Type::Int, bound: Bound::Long { digits: DECIMAL_DIGITS_MAX }, is_whole: true }
    }

    /// Makes a whole number bounded by its type.
    pub(super) const fn whole(number: Number, number_type: Type) -> Self {
        let bound = Bound::whole(match number_type {
            Type::Money => AMOUNT_MAX,
            _ => i64::MAX as i128,
        });
        Self { number, number_type, bound, is_whole: true }
    }
}

/// Names the type of a number in an error text.
pub(super) const fn describe(number_type: Type) -> &'static str {
    match number_type {
        Type::Money => "money",
        Type::Duration => "a duration",
        Type::Time => "a time",
        _ => "a number",
    }
}

impl Checker<'_> {
    /// Checks a literal number with its unit.
    pub(super) fn literal(&mut self, hundredths: i128, whole: bool, unit: Option<Unit>, span: &Range<usize>) -> Value {
        let (value, number_type, max) = match unit {
            None if !whole && !self.beside_attribute => {
                let source = self.source(span).to_owned();
                self.findings
                    .error(Code::MoneyWithoutUnit, span, "a number with decimals needs a unit")
                    .label("this is a number")
                    .help(format!("say which unit: `{source} KZT` or `{source} MRP`"));
                return Value::Broken;
            }
            None if !whole => (hundredths, Type::Int, INT_MAX),
            None => (hundredths / 100, Type::Int, INT_MAX),
            Some(Unit::Kzt) => (hundredths, Type::Money, AMOUNT_MAX),
            Some(Unit::Mrp) => (hundredths, Type::Money, MRP_LITERAL_MAX),
            Some(Unit::Month) => {
                self.findings
                    .error(Code::CalendarUnit, span, "a month has no exact length")
                    .label("calendar unit")
                    .help("say the exact length in days: `30d`");
                return Value::Broken;
            }
            Some(unit @ (Unit::Second | Unit::Minute | Unit::Hour | Unit::Day)) => {
                let nanos = i128::from(unit_nanos(unit).unwrap_or_default().get());
                (hundredths.saturating_mul(nanos) / 100, Type::Duration, i128::from(i64::MAX))
            }
        };
        let in_range = value <= max;
        let (number, bound) = match (unit, i64::try_from(value)) {
            (Some(Unit::Mrp), Ok(value)) if in_range => {
                self.reads.needs = self.reads.needs.union(super::Inputs::MRP);
                // So many hundredths times the MRP, over 100.
                let bound = Bound::Ratio { numerator: MRP_LITERAL_MAX * MRP_MAX, denominator: 100 };
                (Number::Mrp { hundredths: value }, bound)
            }
            (None, _) if !whole => {
                let parts = [Number::Literal(value), Number::Literal(100)].map(Box::new);
                let [value_box, hundred] = parts;
                (Number::Divide(value_box, hundred), Bound::Ratio { numerator: value, denominator: 100 })
            }
            _ => (Number::Literal(value), Bound::whole(value)),
        };
        if !in_range {
            self.findings.error(Code::NumberTooLarge, span, "this number is too large").label("beyond the range");
            return Value::Broken;
        }
        Value::Number(Quantity {
            number,
            number_type,
            bound,
            is_whole: unit != Some(Unit::Mrp) && (whole || unit.is_some()),
        })
    }

    /// Returns the source text of a span.
    pub(super) fn source(&self, span: &Range<usize>) -> &str {
        self.file.get(span.clone()).unwrap_or_default()
    }

    /// Checks `left operator right`.
    pub(super) fn arithmetic(
        &mut self,
        left: &Expression,
        operator: Operator,
        right: &Expression,
        hint: Option<Type>,
        span: &Range<usize>,
    ) -> Value {
        let hint = hint.filter(|hint| matches!(hint, Type::Int | Type::Money));
        let (left_value, right_value) = self.operands(left, right, operator, hint);
        let left_number = self.number(left_value, &left.span);
        let right_number = self.number(right_value, &right.span);
        let (Some(left_number), Some(right_number)) = (left_number, right_number) else {
            return Value::Broken;
        };
        if operator == Operator::Remainder && !(left_number.is_whole && right_number.is_whole) {
            self.findings
                .error(Code::TypeMismatch, span, "the remainder is defined for whole numbers only")
                .label("one side is a ratio");
            return Value::Broken;
        }
        if matches!(operator, Operator::Divide | Operator::Remainder) && right_number.number == Number::Literal(0) {
            self.findings.error(Code::BadValue, &right.span, "division by zero").label("this is zero");
            return Value::Broken;
        }
        let Some(number_type) = result_type(operator, left_number.number_type, right_number.number_type) else {
            self.report_operands(operator, &left_number, &right_number, left, right);
            return Value::Broken;
        };
        let Some(bound) = result_bound(operator, left_number.bound, right_number.bound) else {
            self.report_overflow(span);
            return Value::Broken;
        };
        let is_whole = operator != Operator::Divide && left_number.is_whole && right_number.is_whole;
        let (l, r) = (Box::new(left_number.number), Box::new(right_number.number));
        let number = match operator {
            Operator::Add => Number::Add(l, r),
            Operator::Subtract => Number::Subtract(l, r),
            Operator::Multiply => Number::Multiply(l, r),
            Operator::Divide => Number::Divide(l, r),
            Operator::Remainder => Number::Remainder(l, r),
        };
        Value::Number(Quantity { number, number_type, bound, is_whole })
    }

    /// Evaluates both sides; an attribute takes the type of the other side, or what the operator leaves.
    fn operands(
        &mut self,
        left: &Expression,
        right: &Expression,
        operator: Operator,
        hint: Option<Type>,
    ) -> (Value, Value) {
        let sums = matches!(operator, Operator::Add | Operator::Subtract);
        let hint_for = |other: &Value| match other {
            Value::Number(quantity) if sums => Some(quantity.number_type),
            Value::Number(quantity) if quantity.number_type == Type::Int => hint.or(Some(Type::Int)),
            _ if sums => hint.or(Some(Type::Int)),
            _ => Some(Type::Int),
        };
        if super::is_open(left) && !super::is_open(right) {
            let right = self.value(right, None);
            let hint = hint_for(&right);
            return (self.value(left, hint), right);
        }
        let first_hint = if super::is_open(left) { hint.or(Some(Type::Int)) } else { None };
        let left = self.value(left, first_hint);
        let hint = hint_for(&left);
        let right = self.value(right, hint);
        (left, right)
    }

    fn number(&mut self, value: Value, span: &Range<usize>) -> Option<Quantity> {
        match value {
            Value::Number(quantity) => Some(quantity),
            Value::Broken => None,
            Value::Word(word) => {
                self.unknown_field(&word, span);
                None
            }
            other => {
                self.findings
                    .error(Code::TypeMismatch, span, format!("cannot calculate with {}", other.describe()))
                    .label(format!("this is {}", other.describe()));
                None
            }
        }
    }

    fn report_operands(
        &mut self,
        operator: Operator,
        left: &Quantity,
        right: &Quantity,
        left_at: &Expression,
        right_at: &Expression,
    ) {
        let pair = [(left, left_at), (right, right_at)];
        let money = pair.iter().any(|(side, _)| side.number_type == Type::Money);
        let int = pair.iter().find(|(side, _)| side.number_type == Type::Int);
        let sums = matches!(operator, Operator::Add | Operator::Subtract);
        if let (true, true, Some((_, at))) = (money, sums, int) {
            let at = at.span.clone();
            self.money_without_unit(&at, "add");
            return;
        }
        let (left, right) = (describe(left.number_type), describe(right.number_type));
        self.findings
            .error(
                Code::TypeMismatch,
                &(left_at.span.start..right_at.span.end),
                format!("`{}` is not defined for {left} and {right}", operator.name()),
            )
            .label(format!("{left} {} {right}", operator.name()));
    }

    /// Reports a bare number where money is meant.
    pub(super) fn money_without_unit(&mut self, span: &Range<usize>, verb: &str) {
        let source = self.source(span).to_owned();
        let message = match verb {
            "add" => "cannot add money and a number".to_owned(),
            _ => format!("cannot {verb} money with a number"),
        };
        let literal = source.starts_with(|c: char| c.is_ascii_digit());
        let finding = self.findings.error(Code::MoneyWithoutUnit, span, message).label("this is a number");
        if literal {
            finding.help(format!("say which unit: `{source} KZT` or `{source} MRP`"));
        } else {
            finding.help("money is compared with money: a sum, an amount, or a number with `KZT` or `MRP`");
        }
    }

    /// Reports that a value could leave the range of exact arithmetic.
    pub(super) fn report_overflow(&mut self, span: &Range<usize>) {
        self.findings
            .error(Code::NumberTooLarge, span, "this could exceed the range of exact numbers")
            .label("too large at the extremes")
            .help("multiply by smaller numbers, or compare the parts separately");
    }
}

/// The type of the result, `None` when the operator is not defined for the two.
const fn result_type(operator: Operator, left: Type, right: Type) -> Option<Type> {
    match (operator, left, right) {
        (_, Type::Int, Type::Int) => Some(Type::Int),
        (Operator::Add | Operator::Subtract, Type::Money, Type::Money) => Some(Type::Money),
        (Operator::Add | Operator::Subtract, Type::Duration, Type::Duration) => Some(Type::Duration),
        (Operator::Add | Operator::Subtract, Type::Time, Type::Duration) => Some(Type::Time),
        (Operator::Add, Type::Duration, Type::Time) => Some(Type::Time),
        (Operator::Subtract, Type::Time, Type::Time) => Some(Type::Duration),
        (Operator::Multiply | Operator::Divide, Type::Money, Type::Int)
        | (Operator::Multiply, Type::Int, Type::Money) => Some(Type::Money),
        (Operator::Multiply | Operator::Divide, Type::Duration, Type::Int)
        | (Operator::Multiply, Type::Int, Type::Duration) => Some(Type::Duration),
        (Operator::Divide, Type::Money, Type::Money) | (Operator::Divide, Type::Duration, Type::Duration) => {
            Some(Type::Int)
        }
        _ => None,
    }
}

/// The bound of the result, `None` when a step of it could leave `i128`.
fn result_bound(operator: Operator, left: Bound, right: Bound) -> Option<Bound> {
    let (Bound::Ratio { numerator: l, denominator: under_l }, Bound::Ratio { numerator: r, denominator: under_r }) =
        (left, right)
    else {
        let digits = left.digits() + right.digits();
        return (digits <= LONG_DIGITS_MAX).then_some(Bound::Long { digits });
    };
    let (numerator, denominator) = match operator {
        Operator::Add | Operator::Subtract => {
            (l.checked_mul(under_r)?.checked_add(r.checked_mul(under_l)?)?, under_l.checked_mul(under_r)?)
        }
        Operator::Multiply => (l.checked_mul(r)?, under_l.checked_mul(under_r)?),
        Operator::Divide => (l.checked_mul(under_r)?, under_l.checked_mul(r)?),
        Operator::Remainder => (r, 1),
    };
    Some(Bound::Ratio { numerator, denominator: denominator.max(1) })
}

/// Tells whether two numbers can be compared: by cross-multiplication within `i128`, or in as many digits as needed.
pub(super) fn comparable(left: Bound, right: Bound) -> bool {
    match (left, right) {
        (Bound::Ratio { numerator: l, denominator: under_l }, Bound::Ratio { numerator: r, denominator: under_r }) => {
            l.checked_mul(under_r).is_some() && r.checked_mul(under_l).is_some()
        }
        (Bound::Long { .. }, _) | (_, Bound::Long { .. }) => true,
    }
}
