//! What a fired rule read, rendered for the decision.

use crate::engine::matching::evaluate::Facts;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::state::shared::change::SharedKey;
use crate::engine::value::whole_of_word;
use crate::engine::value::{AggregateValue, DECIMAL_ONE, DECIMAL_PLACES, Ratio};
use crate::operation::Time;
use crate::operation::decision::EvidenceValue;
use crate::operation::{AttributeValue, Decimal};
use crate::rules::program::{AttributeType, Evidence, Field, Operand, Scope, Type, country_of_symbol};

/// Renders one value the condition read.
pub fn show(evaluation: &mut Evaluation<'_, '_>, item: &Evidence) -> EvidenceValue {
    match &item.what {
        Operand::Field(_, Field::Attribute(name, AttributeType::Number | AttributeType::Any)) => {
            show_attribute(evaluation.attribute(name))
        }
        Operand::Field(_, field) => match (evaluation.field_text(field), item.value_type) {
            (Some(text), _) => EvidenceValue::Text(text.into()),
            (None, Type::Address) => match evaluation.operation.operation.ip {
                Some(address) => EvidenceValue::Text(address.to_string().into()),
                None => EvidenceValue::Missing,
            },
            (None, value_type) => evaluation
                .word(Scope::This, field)
                .map_or(EvidenceValue::Missing, |word| show_word(evaluation, word, value_type)),
        },
        Operand::Aggregate(id) => match evaluation.aggregate(*id) {
            AggregateValue::Missing => EvidenceValue::Missing,
            AggregateValue::Flag(value) => EvidenceValue::Bool(value),
            AggregateValue::Number(number) => show_number(number, item.value_type),
            AggregateValue::Word(word) => show_remembered(evaluation, *id, word, item.value_type),
        },
    }
}

fn show_word(evaluation: &Evaluation<'_, '_>, word: u64, value_type: Type) -> EvidenceValue {
    match value_type {
        Type::Bool => EvidenceValue::Bool(word != 0),
        Type::Int | Type::Money | Type::Duration | Type::Time => show_number(whole_of_word(word), value_type),
        Type::Country => EvidenceValue::Text(String::from_utf8_lossy(&country_of_symbol(word)).into()),
        Type::Text | Type::Enum | Type::Address | Type::Clauses => {
            evaluation.wallet.text(word).map_or(EvidenceValue::Missing, |text| EvidenceValue::Text(text.into()))
        }
    }
}

/// Shows a value that `last`, `min` or `max` brought back from an earlier operation.
fn show_remembered(evaluation: &Evaluation<'_, '_>, id: usize, word: u64, value_type: Type) -> EvidenceValue {
    let id = evaluation.plan.visible_to(id, evaluation.for_enforced);
    let aggregate = &evaluation.plan.aggregates[id];
    if aggregate.owned || !matches!(value_type, Type::Text | Type::Enum | Type::Address | Type::Clauses) {
        return show_word(evaluation, word, value_type);
    }
    let key = evaluation.reading_key(aggregate).map(|key| SharedKey { aggregate: id, key });
    let window = key.and_then(|key| evaluation.view.window(evaluation.plan, key));
    let text = window.as_deref().and_then(|window| window.text(word));
    text.map_or(EvidenceValue::Missing, |text| EvidenceValue::Text(text.into()))
}

/// Shows a number or an attribute of any kind as the record has it.
fn show_attribute(value: Option<&AttributeValue<'_>>) -> EvidenceValue {
    match value {
        None => EvidenceValue::Missing,
        Some(AttributeValue::Text(text)) => EvidenceValue::Text((&**text).into()),
        Some(AttributeValue::Bool(value)) => EvidenceValue::Bool(*value),
        Some(AttributeValue::Number(text)) => match Decimal::parse(text) {
            Some(decimal) => show_decimal(decimal),
            None => EvidenceValue::Text((&**text).into()),
        },
    }
}

fn show_decimal(decimal: Decimal) -> EvidenceValue {
    decimal.in_units(0).map_or(EvidenceValue::Decimal(decimal), EvidenceValue::Int)
}

/// Shows what an aggregate made of decimals: an average rounded to the last place that they have.
fn show_decimals(number: Ratio) -> EvidenceValue {
    let count = number.denominator / DECIMAL_ONE;
    let (units, rest) = (number.numerator.div_euclid(count.max(1)), number.numerator.rem_euclid(count.max(1)));
    let rounded = units + i128::from(2 * rest >= count && rest > 0);
    Decimal::new(rounded, -i64::from(DECIMAL_PLACES)).map_or(EvidenceValue::Missing, show_decimal)
}

fn show_number(number: Ratio, value_type: Type) -> EvidenceValue {
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
        Type::Money => {
            let mut text = String::new();
            // Writing to a String cannot fail.
            crate::operation::money::fmt_tiyn(rounded, &mut text).unwrap_or_default();
            EvidenceValue::Text(text.into())
        }
        Type::Duration => EvidenceValue::Text(crate::operation::time::duration_text(rounded).into()),
        Type::Time => {
            let nanos = i64::try_from(rounded).unwrap_or(i64::MAX);
            EvidenceValue::Text(Time::from_nanos(nanos).to_string().into())
        }
        Type::Bool | Type::Int | Type::Text | Type::Enum | Type::Country | Type::Address | Type::Clauses => {
            EvidenceValue::Int(rounded)
        }
    }
}
