//! Numbers in as many digits as they need: what is made of decimals may be longer than an `i128`.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use crate::engine::matching::evaluate::Facts;
use crate::engine::value::{AggregateValue, Ratio, whole_of_word};
use crate::operation::Decimal;
use crate::rules::program::{AttributeType, Field, Number};

/// An exact ratio; the denominator is positive.
struct Fraction {
    numerator: BigInt,
    denominator: BigInt,
}

/// Compares two numbers exactly; `None` where one is missing.
pub(super) fn compare<F: Facts>(facts: &mut F, left: &Number, right: &Number) -> Option<Ordering> {
    let (left, right) = (fraction(facts, left)?, fraction(facts, right)?);
    Some((left.numerator * right.denominator).cmp(&(right.numerator * left.denominator)))
}

fn fraction<F: Facts>(facts: &mut F, what: &Number) -> Option<Fraction> {
    match what {
        Number::Literal(value) => Some(Fraction::from(Ratio::whole(*value))),
        Number::Mrp { hundredths } => Fraction::new(BigInt::from(*hundredths) * facts.mrp()?, BigInt::from(100)),
        Number::Field(scope, field @ Field::Attribute(_, AttributeType::Number)) => {
            facts.decimal(*scope, field).map(Fraction::from)
        }
        Number::Field(scope, field) => facts.word(*scope, field).map(|word| Fraction::from(whole_of_word(word))),
        Number::Aggregate(id) => match facts.aggregate(*id) {
            AggregateValue::Number(value) => Some(Fraction::from(value)),
            AggregateValue::Share { total, count } => Some(Fraction::share(total, count)),
            AggregateValue::Word(word) => Some(Fraction::from(whole_of_word(word))),
            AggregateValue::Missing | AggregateValue::Flag(_) => None,
        },
        Number::Add(left, right) => {
            let (left, right) = (fraction(facts, left)?, fraction(facts, right)?);
            let numerator = left.numerator * &right.denominator + right.numerator * &left.denominator;
            Fraction::new(numerator, left.denominator * right.denominator)
        }
        Number::Subtract(left, right) => {
            let (left, right) = (fraction(facts, left)?, fraction(facts, right)?);
            let numerator = left.numerator * &right.denominator - right.numerator * &left.denominator;
            Fraction::new(numerator, left.denominator * right.denominator)
        }
        Number::Multiply(left, right) => {
            let (left, right) = (fraction(facts, left)?, fraction(facts, right)?);
            Fraction::new(left.numerator * right.numerator, left.denominator * right.denominator)
        }
        Number::Divide(left, right) => {
            let (left, right) = (fraction(facts, left)?, fraction(facts, right)?);
            Fraction::new(left.numerator * right.denominator, left.denominator * right.numerator)
        }
        Number::Remainder(left, right) => {
            let (left, right) = (fraction(facts, left)?, fraction(facts, right)?);
            let (one, other) = (left.numerator * &right.denominator, right.numerator * &left.denominator);
            let remainder = if other.sign() == Sign::NoSign { return None } else { one % other };
            Fraction::new(remainder, left.denominator * right.denominator)
        }
    }
}

impl Fraction {
    /// Divides a total by a count, which is not zero.
    fn share(total: Decimal, count: u64) -> Self {
        let total = Self::from(total);
        Self { numerator: total.numerator, denominator: total.denominator * count }
    }

    /// Makes a ratio; missing when the divisor is zero.
    fn new(numerator: BigInt, denominator: BigInt) -> Option<Self> {
        match denominator.sign() {
            Sign::NoSign => None,
            Sign::Plus => Some(Self { numerator, denominator }),
            Sign::Minus => Some(Self { numerator: -numerator, denominator: -denominator }),
        }
    }
}

impl From<Ratio> for Fraction {
    fn from(ratio: Ratio) -> Self {
        Self { numerator: ratio.numerator.into(), denominator: ratio.denominator.into() }
    }
}

impl From<Decimal> for Fraction {
    fn from(decimal: Decimal) -> Self {
        let (mantissa, power) =
            (BigInt::from(decimal.mantissa()), BigInt::from(10).pow(decimal.exponent().unsigned_abs()));
        if decimal.exponent() < 0 {
            return Self { numerator: mantissa, denominator: power };
        }
        Self { numerator: mantissa * power, denominator: 1.into() }
    }
}
