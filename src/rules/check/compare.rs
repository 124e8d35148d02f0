//! Comparisons: both sides of one type, words and texts read as the other side's type.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use super::number::{comparable, describe};
use super::{Checker, Quantity, Type, Value, is_open};
use crate::operation::country::is_country;
use crate::rules::diagnostic::Code;
use crate::rules::program::{
    AttributeType, Comparison, Condition, Field, Number, Symbol, symbol_of_address, symbol_of_country, symbol_of_text,
    symbol_of_word,
};
use crate::rules::syntax::{Expression, ExpressionKind};

impl Checker<'_> {
    /// Checks `left comparison right`.
    pub(super) fn compare(
        &mut self,
        left: &Expression,
        comparison: Comparison,
        right: &Expression,
        span: &Range<usize>,
    ) -> Value {
        if let Some(value) = self.compare_attributes(left, comparison, right) {
            return value;
        }
        let beside_attribute = self.beside_attribute || is_open(left) || is_open(right);
        let outer = std::mem::replace(&mut self.beside_attribute, beside_attribute);
        let (left_value, right_value) = if is_open(left) && !is_open(right) {
            let right_value = self.value(right, None);
            let hint = right_value.hint();
            (self.value(left, hint.or(Some(Type::Text))), right_value)
        } else {
            // Only numbers have an order.
            let is_order = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
            let first_hint = is_open(left).then_some(if is_order { Type::Int } else { Type::Text });
            let left_value = self.value(left, first_hint);
            let hint = left_value.hint();
            (left_value, self.value(right, hint))
        };
        self.beside_attribute = outer;
        let condition = match (left_value, right_value) {
            (Value::Broken, _) | (_, Value::Broken) => None,
            (Value::Number(l), Value::Number(r)) => self.compare_numbers(l, comparison, r, left, right, span),
            (Value::Condition(l), Value::Condition(r)) => self.compare_flags(l, comparison, r, span),
            (l, r) => self.compare_symbols((l, left), comparison, (r, right), span),
        };
        condition.map_or(Value::Broken, Value::Condition)
    }

    /// Two attributes are equal whatever they are: text, number or bool. `None` where the sides are no such two.
    fn compare_attributes(&mut self, left: &Expression, comparison: Comparison, right: &Expression) -> Option<Value> {
        let negated = match comparison {
            Comparison::Equal => false,
            Comparison::NotEqual => true,
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                return None;
            }
        };
        if !(is_attribute(left) && is_attribute(right)) {
            return None;
        }
        let (Some(left), Some(right)) = (self.any_attribute(left), self.any_attribute(right)) else {
            return Some(Value::Broken);
        };
        Some(Value::Condition(Condition::Same { left, right, negated }))
    }

    fn any_attribute(&mut self, side: &Expression) -> Option<Symbol> {
        let ExpressionKind::Name(name) = &side.kind else { return None };
        let Value::Attribute(scope, key) = self.name(name, &side.span, None) else { return None };
        let field = Field::Attribute(key, AttributeType::Any);
        self.note_field(scope, &field, Type::Text, name, &side.span, true);
        Some(Symbol::Field(scope, field))
    }

    fn compare_numbers(
        &mut self,
        left: Quantity,
        comparison: Comparison,
        right: Quantity,
        left_at: &Expression,
        right_at: &Expression,
        span: &Range<usize>,
    ) -> Option<Condition> {
        match (left.number_type, right.number_type) {
            (Type::Money, Type::Int) => {
                self.money_without_unit(&right_at.span, "compare");
                return None;
            }
            (Type::Int, Type::Money) => {
                self.money_without_unit(&left_at.span, "compare");
                return None;
            }
            (l, r) if l == r => {}
            (l, r) => {
                let finding = self
                    .findings
                    .error(Code::TypeMismatch, span, format!("cannot compare {} with {}", describe(l), describe(r)))
                    .label(format!("left is {}, right is {}", describe(l), describe(r)));
                if l == Type::Duration || r == Type::Duration {
                    finding.help("a duration bears a unit: `2h`, `30m`, `24h`");
                }
                return None;
            }
        }
        if !comparable(left.bound, right.bound) {
            self.report_overflow(span);
            return None;
        }
        if let (Number::Literal(l), Number::Literal(r)) = (&left.number, &right.number) {
            return Some(Condition::Literal(holds(*l, comparison, *r)));
        }
        Some(Condition::Compare { left: left.number, comparison, right: right.number })
    }

    /// Bools are only compared with `true` and `false`.
    fn compare_flags(
        &mut self,
        left: Condition,
        comparison: Comparison,
        right: Condition,
        span: &Range<usize>,
    ) -> Option<Condition> {
        let negated = match comparison {
            Comparison::Equal => false,
            Comparison::NotEqual => true,
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                self.report_order(span);
                return None;
            }
        };
        let (condition, wanted) = match (left, right) {
            (condition, Condition::Literal(wanted)) | (Condition::Literal(wanted), condition) => (condition, wanted),
            _ => {
                self.findings
                    .error(Code::TypeMismatch, span, "two conditions cannot be compared with each other")
                    .label("both sides are true or false")
                    .help("write it out: `(a and b) or (not a and not b)`");
                return None;
            }
        };
        Some(if wanted == negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn report_order(&mut self, span: &Range<usize>) {
        self.findings
            .error(Code::TypeMismatch, span, "only numbers, money, durations and times have an order")
            .label("nothing is less or greater here")
            .help("use `=` or `!=`");
    }

    fn compare_symbols(
        &mut self,
        (left, left_at): (Value, &Expression),
        comparison: Comparison,
        (right, right_at): (Value, &Expression),
        span: &Range<usize>,
    ) -> Option<Condition> {
        let (left, right) = match (left, right) {
            (Value::Symbol { symbol, symbol_type, words }, other) => {
                let other = self.symbol_as(other, right_at, symbol_type, words)?;
                (symbol, other)
            }
            (other, Value::Symbol { symbol, symbol_type, words }) => {
                let other = self.symbol_as(other, left_at, symbol_type, words)?;
                (other, symbol)
            }
            (left, right) => {
                self.report_no_symbol(&left, left_at, &right, right_at, span);
                return None;
            }
        };
        match comparison {
            Comparison::Equal => Some(Condition::Same { left, right, negated: false }),
            Comparison::NotEqual => Some(Condition::Same { left, right, negated: true }),
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                self.report_order(span);
                None
            }
        }
    }

    fn report_no_symbol(
        &mut self,
        left: &Value,
        left_at: &Expression,
        right: &Value,
        right_at: &Expression,
        span: &Range<usize>,
    ) {
        let mut words = 0;
        for (value, at) in [(left, left_at), (right, right_at)] {
            if let Value::Word(word) = value {
                self.unknown_field(&word.clone(), &at.span);
                words += 1;
            }
        }
        if words == 0 {
            let (left, right) = (left.describe(), right.describe());
            self.findings
                .error(Code::TypeMismatch, span, format!("cannot compare {left} with {right}"))
                .label(format!("left is {left}, right is {right}"));
        }
    }

    /// Reads the other side of a comparison as a symbol of the wanted type.
    fn symbol_as(
        &mut self,
        value: Value,
        at: &Expression,
        wanted: Type,
        words: &'static [&'static str],
    ) -> Option<Symbol> {
        match value {
            Value::Symbol { symbol, symbol_type, words: other } if symbol_type == wanted && other == words => {
                Some(symbol)
            }
            Value::Attribute(scope, key) if wanted == Type::Text => {
                Some(Symbol::Field(scope, Field::Attribute(Arc::clone(&key), AttributeType::Text)))
            }
            Value::Word(word) => self.word_as(&word, &at.span, wanted, words),
            Value::Text(text) => self.text_as(&text, &at.span, wanted, words),
            Value::Broken => None,
            other => {
                let (wanted, found) = (super::describe_symbol(wanted), other.describe());
                self.findings
                    .error(Code::TypeMismatch, &at.span, format!("cannot compare {wanted} with {found}"))
                    .label(format!("this is {found}"));
                None
            }
        }
    }

    fn word_as(
        &mut self,
        word: &str,
        span: &Range<usize>,
        wanted: Type,
        words: &'static [&'static str],
    ) -> Option<Symbol> {
        match wanted {
            Type::Enum => {
                let code = words.iter().position(|known| *known == word).and_then(|code| u8::try_from(code).ok());
                if let Some(code) = code {
                    return Some(Symbol::Literal(symbol_of_word(code)));
                }
                self.findings
                    .error(Code::UnknownWord, span, format!("unknown word `{word}`"))
                    .label("not one of the values of this field")
                    .nearest(word, words.iter().copied());
                None
            }
            Type::Country => self.country(word, span),
            Type::Text | Type::Address => {
                self.unknown_field(word, span);
                if let Some(finding) = self.findings.list.last_mut() {
                    finding.help(format!("a text stands in quotes: `\"{word}\"`"));
                }
                None
            }
            Type::Bool | Type::Int | Type::Money | Type::Duration | Type::Time | Type::Clauses => None,
        }
    }

    fn text_as(
        &mut self,
        text: &str,
        span: &Range<usize>,
        wanted: Type,
        words: &'static [&'static str],
    ) -> Option<Symbol> {
        match wanted {
            Type::Text => Some(Symbol::Literal(symbol_of_text(text))),
            Type::Country => self.country(text, span),
            Type::Address => match text.parse::<IpAddr>() {
                Ok(address) => Some(Symbol::Literal(symbol_of_address(address.to_canonical()))),
                Err(_) => {
                    self.findings
                        .error(Code::BadValue, span, format!("\"{text}\" is not an address"))
                        .label("neither IPv4 nor IPv6");
                    None
                }
            },
            Type::Enum => {
                let finding = self
                    .findings
                    .error(Code::TypeMismatch, span, "the values of this field are words, not texts")
                    .label("quoted");
                if words.contains(&text) {
                    finding.help(format!("write it without quotes: `{text}`"));
                } else {
                    finding.nearest(text, words.iter().copied());
                }
                None
            }
            Type::Bool | Type::Int | Type::Money | Type::Duration | Type::Time | Type::Clauses => None,
        }
    }

    fn country(&mut self, code: &str, span: &Range<usize>) -> Option<Symbol> {
        if let ([first, second], true) = (code.as_bytes(), is_country(code)) {
            return Some(Symbol::Literal(symbol_of_country([*first, *second])));
        }
        self.findings.not_a_country(code, span);
        None
    }
}

fn is_attribute(expression: &Expression) -> bool {
    matches!(expression.kind, ExpressionKind::Name(_)) && is_open(expression)
}

const fn holds(left: i128, comparison: Comparison, right: i128) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
    }
}
