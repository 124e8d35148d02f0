//! A part of a condition as a sentence in Kazakh, Russian or English, made from what was parsed: so that every rule
//! anybody writes can be read out.
//!
//! The sentences name a thing first and then its value ("number of transfers, within 1 h: 11; fires when it is more
//! than 10"): so hardly any word has to be inflected for a value.

mod aggregate;

use std::collections::BTreeMap;

use super::vocabulary;
use crate::operation::Time;
use crate::operation::localized::{Language, Value};
use crate::rules::program::{Comparison, Type};
use crate::rules::syntax::{Expression, ExpressionKind, Operator, Unit};
use crate::rules::{field_named, unit_nanos};

/// What a rule's condition reads.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// By the names that evidence has.
    pub named: BTreeMap<String, Value>,
    /// The MRP in tiyn on the operation's day.
    pub mrp: Option<i64>,
}

/// The values of both sides of a comparison of numbers, where they were computed.
pub(super) type Sides = [Option<Value>; 2];

const NO_BREAK_SPACE: char = '\u{a0}';

/// Reads conditions of one rule out.
#[derive(Clone, Copy)]
pub(super) struct Teller<'t> {
    /// The text of the rule's file.
    pub rule_text: &'t str,
    pub values: &'t Values,
    pub language: Language,
    /// Whether values stand behind what is named: not inside `where`, which asks about other operations.
    shows_values: bool,
}

/// What is compared with what, the thing that varies first.
struct Compared<'e> {
    subject: &'e Expression,
    comparison: Comparison,
    other: &'e Expression,
    subject_value: Option<Value>,
    other_value: Option<Value>,
}

impl<'t> Teller<'t> {
    pub(super) const fn new(rule_text: &'t str, values: &'t Values, language: Language) -> Self {
        Self { rule_text, values, language, shows_values: true }
    }

    /// Says what a part is worth and when it makes the rule fire.
    pub(super) fn sentence(self, part: &Expression, sides: &Sides) -> String {
        let (subject, value, wanted) = self.taken_apart(part, sides);
        let value = value.map_or_else(String::new, |value| format!(": {value}"));
        format!("{}{value}; {}", capitalized(&subject), self.fires(&wanted, true))
    }

    /// Says when the rule would not fire, as far as this part goes.
    pub(super) fn opposite(self, part: &Expression, sides: &Sides) -> String {
        let is_flag = |what: &Expression| matches!(what.kind, ExpressionKind::Name(_) | ExpressionKind::Aggregate(_));
        let wanted = match &part.kind {
            ExpressionKind::Compare { .. } => opposite_of(part).map(|opposite| self.taken_apart(&opposite, sides).2),
            ExpressionKind::Name(_) | ExpressionKind::Aggregate(_) => Some(Wanted::plain(self.flag(false))),
            ExpressionKind::Not(inner) if is_flag(inner) => Some(Wanted::plain(self.flag(true))),
            _ => None,
        };
        let wanted = wanted.unwrap_or_else(|| {
            let wanted = self.taken_apart(part, sides).2;
            Wanted { negated: !wanted.negated, ..wanted }
        });
        capitalized(&self.fires(&wanted, false))
    }

    fn fires(self, wanted: &Wanted, fires: bool) -> String {
        let when = self.when(wanted);
        match (self.language, fires) {
            (Language::Kazakh, true) => format!("{when} іске қосылады"),
            (Language::Kazakh, false) => format!("{when} іске қосылмайды"),
            (Language::Russian, true) => format!("срабатывает, {when}"),
            (Language::Russian, false) => format!("не срабатывает, {when}"),
            (Language::English, true) => format!("fires {when}"),
            (Language::English, false) => format!("does not fire {when}"),
        }
    }

    /// "when it is more than 10"
    fn when(self, wanted: &Wanted) -> String {
        let Wanted { text, negated, is_order } = wanted;
        match (self.language, negated) {
            (Language::Kazakh, false) => format!("{text} болғанда"),
            (Language::Kazakh, true) => format!("{text} болмағанда"),
            (Language::Russian, false) if *is_order => format!("когда {text}"),
            (Language::Russian, false) => format!("когда это {text}"),
            (Language::Russian, true) => format!("когда это не {text}"),
            (Language::English, false) => format!("when it is {text}"),
            (Language::English, true) => format!("when it is not {text}"),
        }
    }

    /// Returns what a part is about, its value, and what that has to be.
    fn taken_apart(self, part: &Expression, sides: &Sides) -> (String, Option<String>, Wanted) {
        match &part.kind {
            ExpressionKind::Compare { .. } => {
                let Some(compared) = compared(part, sides) else { return self.whole(part) };
                let kind = self.kind(compared.subject);
                let value = compared.subject_value.clone().or_else(|| self.value(compared.subject));
                // What is computed is told by what it is computed from, where its own value is not known.
                let is_computed = matches!(compared.subject.kind, ExpressionKind::Arithmetic { .. });
                let value = (value.is_some() || !is_computed).then(|| self.shown(value.as_ref(), kind));
                (self.noun(compared.subject), value, self.wanted(&compared))
            }
            ExpressionKind::In { what, negated, list } => {
                let text = self.language.choose([
                    format!("«{}» тізімінде", list.text),
                    format!("в списке «{}»", list.text),
                    format!("on the list “{}”", list.text),
                ]);
                (self.noun(what), Some(self.value_text(what)), Wanted { text, negated: *negated, is_order: false })
            }
            ExpressionKind::Is { what, missing } => {
                let word = if *missing {
                    ["белгісіз", "неизвестно", "unknown"]
                } else {
                    ["белгілі", "известно", "known"]
                };
                (self.noun(what), Some(self.value_text(what)), Wanted::plain(self.language.choose(word).to_owned()))
            }
            ExpressionKind::Name(_) | ExpressionKind::Aggregate(_) => {
                (self.noun(part), Some(self.value_text(part)), Wanted::plain(self.flag(true)))
            }
            ExpressionKind::Not(inner) => {
                let (subject, value, wanted) = self.taken_apart(inner, sides);
                if matches!(inner.kind, ExpressionKind::Name(_) | ExpressionKind::Aggregate(_)) {
                    return (subject, value, Wanted::plain(self.flag(false)));
                }
                (subject, value, Wanted { negated: !wanted.negated, ..wanted })
            }
            _ => self.whole(part),
        }
    }

    /// A part that is best said as one: it has to be so.
    fn whole(self, part: &Expression) -> (String, Option<String>, Wanted) {
        let so = self.language.choose(["дәл солай", "так", "so"]);
        (self.phrase(part), None, Wanted::plain(so.to_owned()))
    }

    fn flag(self, value: bool) -> String {
        self.quoted(&self.shown(Some(&Value::Flag(value)), Type::Bool))
    }

    fn quoted(self, text: &str) -> String {
        let [open, close] = self.language.choose([["«", "»"], ["«", "»"], ["“", "”"]]);
        format!("{open}{text}{close}")
    }

    fn wanted(self, compared: &Compared<'_>) -> Wanted {
        let other = self.other(compared);
        let negated = compared.comparison == Comparison::NotEqual;
        let is_order = !matches!(compared.comparison, Comparison::Equal | Comparison::NotEqual);
        if !is_order {
            return Wanted { text: other, negated, is_order };
        }
        let from = || ablative(&other);
        let text = match (self.language, compared.comparison) {
            (Language::Kazakh, Comparison::Greater) => format!("{} артық", from()),
            (Language::Kazakh, Comparison::GreaterOrEqual) => format!("{other} немесе одан артық"),
            (Language::Kazakh, Comparison::Less) => format!("{} кем", from()),
            (Language::Kazakh, _) => format!("{other} немесе одан аз"),
            (Language::Russian, Comparison::Greater) => format!("больше {other}"),
            (Language::Russian, Comparison::GreaterOrEqual) => format!("{other} или больше"),
            (Language::Russian, Comparison::Less) => format!("меньше {other}"),
            (Language::Russian, _) => format!("{other} или меньше"),
            (Language::English, Comparison::Greater) => format!("more than {other}"),
            (Language::English, Comparison::GreaterOrEqual) => format!("at least {other}"),
            (Language::English, Comparison::Less) => format!("less than {other}"),
            (Language::English, _) => format!("at most {other}"),
        };
        Wanted { text, negated, is_order }
    }

    /// What something is compared with, as a text.
    fn other(self, compared: &Compared<'_>) -> String {
        let (other, kind) = (compared.other, self.kind(compared.subject));
        match &other.kind {
            ExpressionKind::Number { .. } | ExpressionKind::Text(_) | ExpressionKind::Bool(_) => self.literal(other),
            ExpressionKind::Name(name) if self.is_word(name) => {
                if kind == Type::Enum {
                    vocabulary::word(name, self.language)
                } else {
                    name.clone()
                }
            }
            _ => {
                let value = compared.other_value.clone().or_else(|| self.value(other));
                let value = value.filter(|_| self.shows_values);
                let value = value.map(|value| self.shown(Some(&value), self.kind(other)));
                let value = value.map_or_else(String::new, |value| format!(" ({value})"));
                format!("{}{value}", self.bare().noun(other))
            }
        }
    }

    const fn bare(self) -> Self {
        Self { shows_values: false, ..self }
    }

    /// A condition as a clause of a sentence.
    fn phrase(self, condition: &Expression) -> String {
        match &condition.kind {
            ExpressionKind::All(parts) => self.joined(parts, [" және ", " и ", " and "]),
            ExpressionKind::Any(parts) => self.joined(parts, [" немесе ", " или ", " or "]),
            ExpressionKind::Not(inner) => {
                let inner = self.phrase(inner);
                self.language.choose([
                    format!("бұл дұрыс емес: {inner}"),
                    format!("неверно, что {inner}"),
                    format!("not so: {inner}"),
                ])
            }
            ExpressionKind::Matched(clause) => {
                let clause = &clause.text;
                self.language.choose([
                    format!("операцияда {clause}-тармақтың күшіндегі ережесі іске қосылды"),
                    format!("на операции сработало действующее правило пункта {clause}"),
                    format!("an enforced rule of clause {clause} matches the operation"),
                ])
            }
            ExpressionKind::Has { what, text } => {
                let (what, text) = (self.noun(what), &text.text);
                self.language.choose([
                    format!("{what}: ішінде «{text}» бар"),
                    format!("{what}: есть «{text}»"),
                    format!("{what} have “{text}”"),
                ])
            }
            ExpressionKind::Bool(value) => self.flag(*value),
            ExpressionKind::Compare { .. } => match compared(condition, &[None, None]) {
                Some(compared) => self.stated(compared.subject, &self.wanted(&compared)),
                None => self.source(condition),
            },
            ExpressionKind::In { what, .. } | ExpressionKind::Is { what, .. } => {
                let (_, _, wanted) = self.taken_apart(condition, &[None, None]);
                self.stated(what, &wanted)
            }
            _ => self.noun(condition),
        }
    }

    fn stated(self, subject: &Expression, wanted: &Wanted) -> String {
        let (subject, Wanted { text, negated, .. }) = (self.named(subject), wanted);
        match (self.language, negated) {
            (Language::Kazakh, false) => format!("{subject} — {text}"),
            (Language::Kazakh, true) => format!("{subject} — {text} емес"),
            (Language::Russian, false) => format!("{subject} — {text}"),
            (Language::Russian, true) => format!("{subject} — не {text}"),
            (Language::English, false) => format!("{subject} is {text}"),
            (Language::English, true) => format!("{subject} is not {text}"),
        }
    }

    fn joined(self, parts: &[Expression], words: [&'static str; 3]) -> String {
        let phrase = |part: &Expression| {
            let phrase = self.phrase(part);
            let is_nested = matches!(part.kind, ExpressionKind::All(_) | ExpressionKind::Any(_));
            if is_nested { format!("({phrase})") } else { phrase }
        };
        parts.iter().map(phrase).collect::<Vec<_>>().join(self.language.choose(words))
    }

    /// Names something, its value behind it in brackets where values are shown.
    fn named(self, what: &Expression) -> String {
        let is_simple = matches!(what.kind, ExpressionKind::Name(_) | ExpressionKind::Aggregate(_));
        let value = self.value(what).filter(|_| self.shows_values && is_simple);
        let value = value.map(|value| self.shown(Some(&value), self.kind(what)));
        value.map_or_else(|| self.noun(what), |value| format!("{} ({value})", self.noun(what)))
    }

    /// Names something that has a value.
    pub(super) fn noun(self, what: &Expression) -> String {
        match &what.kind {
            ExpressionKind::Name(name) => vocabulary::field(name, self.language),
            ExpressionKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExpressionKind::Arithmetic { left, operator, right } => {
                let operand = |side: &Expression| {
                    let named = if is_literal(side) { self.literal(side) } else { self.named(side) };
                    if matches!(side.kind, ExpressionKind::Arithmetic { .. }) { format!("({named})") } else { named }
                };
                let (left, right) = (operand(left), operand(right));
                match operator {
                    Operator::Add => format!("{left} + {right}"),
                    Operator::Subtract => format!("{left} − {right}"),
                    Operator::Multiply => format!("{left} × {right}"),
                    Operator::Divide => format!("{left} ÷ {right}"),
                    Operator::Remainder => self.language.choose([
                        format!("{left}: {right} санына бөлгендегі қалдық"),
                        format!("{left}: остаток от деления на {right}"),
                        format!("{left}: remainder after division by {right}"),
                    ]),
                }
            }
            ExpressionKind::Number { .. } | ExpressionKind::Text(_) | ExpressionKind::Bool(_) => self.literal(what),
            ExpressionKind::Broken => String::new(),
            _ => self.phrase(what),
        }
    }

    fn literal(self, literal: &Expression) -> String {
        match &literal.kind {
            ExpressionKind::Number { hundredths, whole, unit } => {
                let value = match unit {
                    Some(Unit::Kzt) => Value::Money(*hundredths),
                    Some(Unit::Mrp) => return self.mrp(*hundredths),
                    Some(unit) => match unit_nanos(*unit) {
                        Some(nanos) => Value::Duration(hundredths * i128::from(nanos.get()) / 100),
                        None => return self.source(literal),
                    },
                    None if *whole => Value::Whole(hundredths / 100),
                    None => return self.source(literal),
                };
                self.shown(Some(&value), Type::Int)
            }
            ExpressionKind::Text(text) => self.quoted(text),
            ExpressionKind::Bool(value) => self.flag(*value),
            _ => self.source(literal),
        }
    }

    /// Writes so many hundredths of the MRP, in tenge too. In Kazakh the last word bears the ending of the case.
    fn mrp(self, hundredths: i128) -> String {
        let mrp = shown(&Value::Mrp(i64::try_from(hundredths).unwrap_or(i64::MAX)), self.language);
        let tiyn = self.values.mrp.and_then(|mrp| hundredths.checked_mul(mrp.into())).map(|tiyn| tiyn / 100);
        let Some(tenge) = tiyn.map(|tiyn| shown(&Value::Money(tiyn), self.language)) else { return mrp };
        match self.language {
            Language::Kazakh => format!("{mrp} = {tenge}"),
            Language::Russian | Language::English => format!("{mrp} ({tenge})"),
        }
    }

    fn is_word(self, name: &str) -> bool {
        let path = name.strip_prefix("this.").unwrap_or(name);
        field_named(path, false).or_else(|| field_named(path, true)).is_none()
    }

    /// Returns the value of a field or an aggregate, where it is known.
    fn value(self, what: &Expression) -> Option<Value> {
        let value = match &what.kind {
            ExpressionKind::Name(name) => self.values.named.get(name),
            ExpressionKind::Aggregate(_) => self.values.named.get(&self.source(what)),
            _ => None,
        };
        value.cloned()
    }

    fn value_text(self, what: &Expression) -> String {
        self.shown(self.value(what).as_ref(), self.kind(what))
    }

    /// Writes a value as the language does: amounts in groups of three digits, times in Almaty's clock.
    pub(super) fn shown(self, value: Option<&Value>, kind: Type) -> String {
        match value {
            None | Some(Value::Missing) => self.language.choose(["белгісіз", "неизвестно", "unknown"]).to_owned(),
            Some(Value::Text(text)) if kind == Type::Enum => vocabulary::word(text, self.language),
            Some(value) => shown(value, self.language),
        }
    }

    /// Tells of which type the value of an expression is.
    pub(super) fn kind(self, what: &Expression) -> Type {
        match &what.kind {
            ExpressionKind::Number { unit: Some(Unit::Kzt | Unit::Mrp), .. } => Type::Money,
            ExpressionKind::Number { unit: Some(_), .. } => Type::Duration,
            ExpressionKind::Number { unit: None, .. } => Type::Int,
            ExpressionKind::Name(name) => kind_of_field(name.strip_prefix("this.").unwrap_or(name)),
            ExpressionKind::Text(_) => Type::Text,
            ExpressionKind::Aggregate(aggregate) => match &*aggregate.function.text {
                "count" | "distinct" | "streak" => Type::Int,
                "any" | "none" => Type::Bool,
                "age" => Type::Duration,
                _ => kind_of_field(aggregate.stream.text.split_once('.').map_or("", |(_, field)| field)),
            },
            ExpressionKind::Arithmetic { left, operator, right } => {
                let (left, right) = (self.kind(left), self.kind(right));
                match operator {
                    Operator::Multiply if left == Type::Int => right,
                    Operator::Divide if left == right => Type::Int,
                    _ => left,
                }
            }
            _ => Type::Bool,
        }
    }

    /// Tells of which types both sides of a comparison are.
    pub(super) fn kinds_of_sides(self, part: &Expression) -> [Type; 2] {
        match &part.kind {
            ExpressionKind::Compare { left, right, .. } => [self.kind(left), self.kind(right)],
            _ => [Type::Bool; 2],
        }
    }

    fn source(self, expression: &Expression) -> String {
        super::parts::source(expression, self.rule_text)
    }
}

/// What a value has to be.
struct Wanted {
    text: String,
    negated: bool,
    /// Greater or less than something, not something itself.
    is_order: bool,
}

impl Wanted {
    const fn plain(text: String) -> Self {
        Self { text, negated: false, is_order: false }
    }
}

/// Writes a value as the language does; amounts and numbers in groups with spaces in each.
pub(super) fn shown(value: &Value, language: Language) -> String {
    if let Value::Time(time) = value {
        return moment(*time, language);
    }
    let mut out = String::new();
    language.push(value, &mut out);
    let is_number = matches!(value, Value::Whole(_) | Value::Decimal(_) | Value::Money(_) | Value::Mrp(_));
    if language == Language::English && is_number { out.replace(',', "\u{a0}") } else { out }
}

/// Writes an instant by Almaty's clock to the millisecond, with the offset of that day.
pub(super) fn moment(time: Time, language: Language) -> String {
    let local = time.to_almaty();
    let mut out = String::new();
    language.push(&Value::Time(time), &mut out);
    let offset = local.format("%:z");
    let seconds = local.format("%S%.3f").to_string();
    let seconds = seconds.strip_suffix(".000").unwrap_or(&seconds);
    let zone = language.choose(["Алматы", "Алматы", "Almaty"]);
    format!("{out}:{seconds}{NO_BREAK_SPACE}({zone}, UTC{offset})")
}

/// Tells of which type what is named so in evidence is: a field by its path, an aggregate by its text.
pub(super) fn kind_of_name(name: &str) -> Type {
    let Some((function, rest)) = name.split_once('(') else { return kind_of_field(name) };
    match function {
        "count" | "distinct" | "streak" => Type::Int,
        "any" | "none" => Type::Bool,
        "age" => Type::Duration,
        _ => kind_of_field(rest.split(' ').next().and_then(|it| it.split_once('.')).map_or("", |(_, field)| field)),
    }
}

fn kind_of_field(path: &str) -> Type {
    field_named(path, false).or_else(|| field_named(path, true)).map_or(Type::Text, |info| info.field_type)
}

const fn is_literal(what: &Expression) -> bool {
    matches!(what.kind, ExpressionKind::Number { .. } | ExpressionKind::Text(_) | ExpressionKind::Bool(_))
}

/// Returns a comparison with the thing that varies first: `10 < count(…)` is `count(…) > 10`.
fn compared<'e>(comparison: &'e Expression, [left_value, right_value]: &Sides) -> Option<Compared<'e>> {
    let ExpressionKind::Compare { left, comparison, right } = &comparison.kind else { return None };
    let (left_value, right_value) = (left_value.clone(), right_value.clone());
    Some(if is_literal(left) && !is_literal(right) {
        let comparison = match comparison {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => *same,
        };
        Compared { subject: right, comparison, other: left, subject_value: right_value, other_value: left_value }
    } else {
        let (subject_value, other_value) = (left_value, right_value);
        Compared { subject: left, comparison: *comparison, other: right, subject_value, other_value }
    })
}

/// Returns the comparison that holds exactly where this one does not.
fn opposite_of(part: &Expression) -> Option<Expression> {
    let ExpressionKind::Compare { left, comparison, right } = &part.kind else { return None };
    let comparison = comparison.opposite();
    let kind = ExpressionKind::Compare { left: left.clone(), comparison, right: right.clone() };
    Some(Expression { span: part.span.clone(), kind })
}

pub(super) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Puts a Kazakh number, amount or duration into the ablative: `10-нан`, `100 000 теңгеден`.
fn ablative(text: &str) -> String {
    const UNITS: [(&str, &str); 8] = [
        ("теңге", "ден"),
        ("АЕК", "-тен"),
        ("тәулік", "тен"),
        ("сағ", "-тан"),
        ("мин", "-тан"),
        ("с", "-тан"),
        (")", " мәнінен"),
        ("»", " мәнінен"),
    ];
    if let Some((_, ending)) = UNITS.iter().find(|(unit, _)| text.ends_with(unit)) {
        return format!("{text}{ending}");
    }
    let digits: Vec<char> = text.chars().rev().filter(|letter| *letter != NO_BREAK_SPACE).collect();
    if !digits.iter().all(|letter| letter.is_ascii_digit() || matches!(letter, ',' | '−')) {
        return format!("{text} мәнінен");
    }
    let zeros = digits.iter().take_while(|digit| **digit == '0').count();
    let ending = match (zeros, digits.get(zeros)) {
        (0, Some('3' | '4' | '5')) | (1, Some('7')) => "тен",
        (0, Some('6' | '9')) | (1, Some('2' | '3')) => "дан",
        (1, Some('4' | '6')) => "тан",
        (1, Some('1' | '9')) | (3.., Some(_)) => "нан",
        (1, Some('8')) => "нен",
        _ => "ден",
    };
    format!("{text}-{ending}")
}

#[cfg(test)]
mod tests;
