//! The tree of a condition as it was written: every part with its place, nothing resolved.

use std::ops::Range;

use crate::operation::time::Nanos;

/// One expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    pub(crate) span: Range<usize>,
    pub(crate) kind: ExpressionKind,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExpressionKind {
    Bool(bool),
    Number {
        hundredths: i128,
        whole: bool,
        unit: Option<Unit>,
    },
    Text(String),
    /// A field path, or a word of an enum.
    Name(String),
    Aggregate(Box<AggregateSyntax>),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Compare {
        left: Box<Expression>,
        comparison: super::program::Comparison,
        right: Box<Expression>,
    },
    In {
        what: Box<Expression>,
        negated: bool,
        list: Name,
    },
    Has {
        what: Box<Expression>,
        text: Name,
    },
    Is {
        what: Box<Expression>,
        missing: bool,
    },
    Matched(Name),
    Arithmetic {
        left: Box<Expression>,
        operator: Operator,
        right: Box<Expression>,
    },
    /// Reported already.
    Broken,
}

/// A word or text and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
}

/// Operators that make numbers of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// The units of literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Kzt,
    Mrp,
    Second,
    Minute,
    Hour,
    Day,
    Month,
}

impl Unit {
    /// Every spelling of every unit.
    pub(crate) const NAMES: [(&'static str, Self); 9] = [
        ("KZT", Self::Kzt),
        ("MRP", Self::Mrp),
        ("МРП", Self::Mrp),
        ("АЕК", Self::Mrp),
        ("s", Self::Second),
        ("m", Self::Minute),
        ("h", Self::Hour),
        ("d", Self::Day),
        ("mo", Self::Month),
    ];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(text, _)| *text == name).map(|(_, unit)| *unit)
    }
}

/// `fn(type[.field] [where …] key window [excluding this])` as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AggregateSyntax {
    pub(crate) function: Name,
    /// The type and what follows its first point: `login.ip.country`.
    pub(crate) stream: Name,
    pub(crate) filter: Option<Expression>,
    pub(crate) key: KeySyntax,
    pub(crate) window: WindowSyntax,
    pub(crate) excluding_this: bool,
}

/// What past operations must share with this one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KeySyntax {
    By(Vec<Name>),
    IntoWallet,
}

/// The window as written; the span is that of the whole phrase.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowSyntax {
    pub(crate) span: Range<usize>,
    pub(crate) kind: WindowKind,
}

/// What kind of window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowKind {
    Within(Nanos),
    Quiet(Nanos),
    Today,
    ThisMonth,
    Broken,
}
