//! What a fired rule read, and what it tells the client.

use std::sync::Arc;

use num_bigint::{BigInt, Sign};
use smallvec::SmallVec;

use crate::engine::matching::evaluate::Facts;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::matching::long_decimals::TOTAL_LIMIT;
use crate::engine::state::shared::change::SharedKey;
use crate::engine::value::whole_of_word;
use crate::engine::value::{AggregateValue, DECIMAL_ONE, DECIMAL_PLACES, Ratio};
use crate::operation::Time;
use crate::operation::localized::{Localized, Value};
use crate::operation::{AttributeValue, Decimal};
use crate::rules::program::message::{Message, Placeholder};
use crate::rules::program::{AttributeType, Evidence, Field, Operand, Scope, Type, country_of_symbol};

/// Reads one value for the decision.
pub fn show(evaluation: &mut Evaluation<'_, '_>, item: &Evidence) -> Value {
    match &item.what {
        Operand::Field(_, Field::Attribute(name, AttributeType::Number | AttributeType::Any)) => {
            show_attribute(evaluation.attribute(name))
        }
        Operand::Field(_, field) => match (evaluation.field_text(field), item.value_type) {
            (Some(text), _) => Value::Text(text.into()),
            (None, Type::Address) => match evaluation.enriched.operation.ip {
                Some(address) => Value::Text(address.to_string().into()),
                None => Value::Missing,
            },
            (None, value_type) => evaluation
                .word(Scope::This, field)
                .map_or(Value::Missing, |word| show_word(evaluation, word, value_type)),
        },
        Operand::Aggregate(id) => match evaluation.aggregate(*id) {
            AggregateValue::Missing => Value::Missing,
            AggregateValue::Flag(value) => Value::Flag(value),
            AggregateValue::Number(number) => show_number(number, item.value_type),
            AggregateValue::Share { total, count } => show_share(total, count),
            AggregateValue::Word(word) => show_remembered(evaluation, *id, word, item.value_type),
        },
    }
}

fn show_word(evaluation: &Evaluation<'_, '_>, word: u64, value_type: Type) -> Value {
    match value_type {
        Type::Bool => Value::Flag(word != 0),
        Type::Int | Type::Money | Type::Duration | Type::Time => show_number(whole_of_word(word), value_type),
        Type::Country => Value::Text(String::from_utf8_lossy(&country_of_symbol(word)).into()),
        Type::Text | Type::Enum | Type::Address | Type::Clauses => {
            evaluation.wallet.text(word).map_or(Value::Missing, |text| Value::Text(text.into()))
        }
    }
}

/// Shows a value that `last`, `min` or `max` brought back from an earlier operation.
fn show_remembered(evaluation: &Evaluation<'_, '_>, id: usize, word: u64, value_type: Type) -> Value {
    let id = evaluation.plan.visible_to(id, evaluation.for_enforced);
    let aggregate = &evaluation.plan.aggregates[id];
    if aggregate.owned || !matches!(value_type, Type::Text | Type::Enum | Type::Address | Type::Clauses) {
        return show_word(evaluation, word, value_type);
    }
    let key = evaluation.reading_key(aggregate).map(|key| SharedKey { aggregate: id, key });
    let window = key.and_then(|key| evaluation.view.window(evaluation.plan, key));
    let text = window.as_deref().and_then(|window| window.text(word));
    text.map_or(Value::Missing, |text| Value::Text(text.into()))
}

/// Shows a number or an attribute of any kind as the record has it.
fn show_attribute(value: Option<&AttributeValue<'_>>) -> Value {
    match value {
        None => Value::Missing,
        Some(AttributeValue::Text(text)) => Value::Text((&**text).into()),
        Some(AttributeValue::Bool(value)) => Value::Flag(*value),
        Some(AttributeValue::Number(text)) => match Decimal::parse(text) {
            Some(decimal) => show_decimal(decimal),
            None => Value::Text((&**text).into()),
        },
    }
}

fn show_decimal(decimal: Decimal) -> Value {
    decimal.in_units(0).map_or(Value::Decimal(decimal), Value::Whole)
}

/// Shows what an aggregate made of decimals: an average rounded to the last place that they have.
fn show_decimals(number: Ratio) -> Value {
    let count = number.denominator / DECIMAL_ONE;
    let (units, rest) = (number.numerator.div_euclid(count.max(1)), number.numerator.rem_euclid(count.max(1)));
    let rounded = units + i128::from(2 * rest >= count && rest > 0);
    Decimal::new(rounded, -i64::from(DECIMAL_PLACES)).map_or(Value::Missing, show_decimal)
}

/// Shows a total, or an average: rounded to the last place that its total has, though to no fewer places than packed
/// decimals have, and to fewer where digits would be more than a decimal has.
fn show_share(total: Decimal, count: u64) -> Value {
    if count == 1 {
        return show_decimal(total);
    }
    let finest = total.exponent().min(-DECIMAL_PLACES.cast_signed());
    let decimal = (finest..=total.exponent().max(0)).find_map(|places| rounded_share(total, count, places));
    decimal.map_or(Value::Missing, show_decimal)
}

/// Rounds a total divided by a count to whole units of ten to this power, a tie upwards.
fn rounded_share(total: Decimal, count: u64, power: i32) -> Option<Decimal> {
    let tens = |power: i32| BigInt::from(10).pow(u32::try_from(power).unwrap_or(0));
    let divisor = BigInt::from(2) * count * tens(power - total.exponent());
    let half = &divisor / 2;
    let twice: BigInt = BigInt::from(2) * total.mantissa() * tens(total.exponent() - power) + half;
    let whole = &twice / &divisor;
    let is_below = twice.sign() == Sign::Minus && &whole * &divisor != twice;
    let whole = i128::try_from(whole - i32::from(is_below)).ok()?;
    Decimal::new(whole, i64::from(power)).filter(|_| whole.unsigned_abs() < TOTAL_LIMIT)
}

fn show_number(number: Ratio, value_type: Type) -> Value {
    if value_type == Type::Int && number.denominator % DECIMAL_ONE == 0 {
        return show_decimals(number);
    }
    // An average is shown rounded; it was compared exactly.
    let rounded = if number.denominator == 1 {
        number.numerator
    } else {
        (2 * number.numerator + number.denominator).div_euclid(2 * number.denominator)
    };
    match value_type {
        Type::Money => Value::Money(rounded),
        Type::Duration => Value::Duration(rounded),
        Type::Time => Value::Time(Time::from_nanos(i64::try_from(rounded).unwrap_or(i64::MAX))),
        Type::Bool | Type::Int | Type::Text | Type::Enum | Type::Country | Type::Address | Type::Clauses => {
            Value::Whole(rounded)
        }
    }
}

/// Fills the rule's message to the client; `evidence` holds what the condition read, in the rule's order.
pub(super) fn message(evaluation: &mut Evaluation<'_, '_>, message: &Message, evidence: &[Value]) -> Arc<Localized> {
    if message.placeholders.is_empty() {
        return message.text.clone();
    }
    let mut values: SmallVec<[Value; 4]> = SmallVec::new();
    for placeholder in &message.placeholders {
        values.push(match placeholder {
            Placeholder::Evidence(position) => evidence.get(*position).cloned().unwrap_or(Value::Missing),
            Placeholder::Field(item) => show(evaluation, item),
            Placeholder::Mrp { hundredths } => evaluation
                .mrp()
                .map_or(Value::Mrp(*hundredths), |mrp| Value::Money(i128::from(mrp) * i128::from(*hundredths) / 100)),
        });
    }
    Arc::new(message.filled(&values))
}
