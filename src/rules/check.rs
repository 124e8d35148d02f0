//! The type checker: an expression as written becomes a typed condition that cannot fail.
//!
//! No implicit conversions. A part that is wrong is reported once and becomes [`Value::Broken`], which
//! fits everywhere, so that one mistake gives one error. The aggregates are in [`aggregate`], numbers
//! in [`number`].

mod aggregate;
mod compare;
mod contradiction;
mod number;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Code, Findings};
use super::fields::{self, FieldInfo};
use super::program::{
    Aggregate, AggregateId, AttributeType, Condition, Evidence, Field, Inputs, ListType, Number, Operand, Scope,
    Symbol, Type,
};
use super::syntax::{Expression, ExpressionKind, Name};
pub(crate) use aggregate::{FUNCTIONS, WindowForm, takes_field, windows_of, works_on};
pub(crate) use number::MRP_MAX;
use number::Quantity;

/// Most aggregates one rule may read.
pub(crate) const AGGREGATES_MAX: usize = 64;

/// What conditions refer to beyond their own file: the declared lists, and the aggregates found so far.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) list_names: Vec<String>,
    pub(crate) list_types: Vec<ListType>,
    pub(crate) aggregates: Vec<Aggregate>,
}

/// What the conditions of one rule read.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// With the byte each stands at.
    evidence: Vec<(usize, Evidence)>,
    pub(crate) needs: Inputs,
    /// Attributes with the type they are compared as.
    pub(crate) attributes: BTreeSet<Field>,
    pub(crate) aggregates: Vec<AggregateId>,
    pub(crate) lists: BTreeSet<usize>,
    /// Fields whose absence makes the condition unknown, and where they stand.
    pub(crate) may_miss: Vec<(Field, Range<usize>)>,
    aggregate_count: usize,
}

impl Reads {
    /// Returns the evidence in the order of the text, each name once.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        let mut sorted: Vec<&(usize, Evidence)> = self.evidence.iter().collect();
        sorted.sort_by_key(|(at, _)| *at);
        let mut out: Vec<Evidence> = Vec::new();
        for (_, evidence) in sorted {
            if !out.iter().any(|known| known.name == evidence.name) {
                out.push(evidence.clone());
            }
        }
        out
    }

    fn need(&mut self, field: &Field) {
        match field {
            Field::IpCountry => self.needs = self.needs.union(Inputs::GEOIP_COUNTRY),
            Field::IpIsAnonymizer => self.needs = self.needs.union(Inputs::GEOIP_ANONYMIZER),
            Field::Attribute(_, AttributeType::Any) => {}
            Field::Attribute(..) => {
                self.needs = self.needs.union(Inputs::ATTRIBUTES);
                self.attributes.insert(field.clone());
            }
            _ => {}
        }
    }
}

/// Checks the conditions of one rule file.
pub(crate) struct Checker<'a> {
    pub(crate) file: &'a str,
    pub(crate) findings: &'a mut Findings,
    pub(crate) world: &'a mut World,
    pub(crate) reads: Reads,
    place: Place,
    /// Inside a comparison with an attribute, where a number may have decimals.
    beside_attribute: bool,
}

/// Where in the rule an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Condition,
    /// Inside `where` of an aggregate over operations.
    WhereOperation,
    /// Inside `where` of an aggregate over matches.
    WhereMatch,
}

/// What an expression is, once its names are known.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Condition(Condition),
    Number(Quantity),
    Symbol {
        symbol: Symbol,
        symbol_type: Type,
        words: &'static [&'static str],
    },
    /// A quoted text: text, country or address by what it is compared with.
    Text(String),
    /// A bare word that is no field: a word of an enum or a country by what it is compared with.
    Word(String),
    /// An attribute whose type nothing has said yet.
    Attribute(Scope, Arc<str>),
    /// The clauses of a match; only `has` can ask about them.
    Clauses,
    /// Reported already.
    Broken,
}

impl Value {
    /// The type it gives to an attribute that it is compared with.
    fn hint(&self) -> Option<Type> {
        match self {
            Self::Condition(_) => Some(Type::Bool),
            Self::Number(quantity) => Some(quantity.number_type),
            Self::Symbol { .. } | Self::Text(_) => Some(Type::Text),
            Self::Word(_) | Self::Attribute(..) | Self::Clauses | Self::Broken => None,
        }
    }

    const fn describe(&self) -> &'static str {
        match self {
            Self::Condition(_) => "a condition",
            Self::Number(quantity) => number::describe(quantity.number_type),
            Self::Symbol { symbol_type, .. } => describe_symbol(*symbol_type),
            Self::Text(_) => "a text",
            Self::Word(_) => "a word",
            Self::Attribute(..) => "an attribute",
            Self::Clauses => "a set of clauses",
            Self::Broken => "unreadable",
        }
    }
}

const fn describe_symbol(symbol_type: Type) -> &'static str {
    match symbol_type {
        Type::Enum => "a word of a fixed set",
        Type::Country => "a country",
        Type::Address => "an address",
        Type::Text | Type::Bool | Type::Int | Type::Money | Type::Duration | Type::Time | Type::Clauses => "a text",
    }
}

impl<'a> Checker<'a> {
    pub(crate) fn new(file: &'a str, findings: &'a mut Findings, world: &'a mut World) -> Self {
        Self { file, findings, world, reads: Reads::default(), place: Place::Condition, beside_attribute: false }
    }

    /// Checks an expression that must be a condition. What was wrong became `false`, which never runs:
    /// a rule with a finding is not loaded.
    pub(crate) fn condition(&mut self, expression: &Expression) -> Condition {
        let condition = match &expression.kind {
            ExpressionKind::Not(inner) => Condition::Not(Box::new(self.condition(inner))),
            ExpressionKind::All(parts) => {
                let conditions: Vec<Condition> = parts.iter().map(|part| self.condition(part)).collect();
                self.warn_of_pairs(&conditions, parts, true);
                Condition::All(conditions)
            }
            ExpressionKind::Any(parts) => {
                let conditions: Vec<Condition> = parts.iter().map(|part| self.condition(part)).collect();
                self.warn_of_pairs(&conditions, parts, false);
                Condition::Any(conditions)
            }
            _ => {
                let value = self.value(expression, Some(Type::Bool));
                self.as_condition(value, &expression.span)
            }
        };
        if let (Condition::Literal(value), ExpressionKind::Bool(_) | ExpressionKind::Compare { .. }) =
            (&condition, &expression.kind)
            && !self.findings.has_errors()
        {
            self.warn_constant(*value, &expression.span);
        }
        condition
    }

    fn warn_constant(&mut self, value: bool, span: &Range<usize>) {
        let code = if value { Code::AlwaysTrue } else { Code::AlwaysFalse };
        self.findings
            .warning(code, span, format!("this part is always {value}"))
            .label("depends on nothing")
            .help("leave it out, or compare a field");
    }

    fn as_condition(&mut self, value: Value, span: &Range<usize>) -> Condition {
        match value {
            Value::Condition(condition) => condition,
            Value::Broken => Condition::Literal(false),
            Value::Attribute(scope, key) => {
                let field = Field::Attribute(key, AttributeType::Bool);
                self.reads.need(&field);
                Condition::Flag(scope, field)
            }
            Value::Word(word) => {
                self.unknown_field(&word, span);
                Condition::Literal(false)
            }
            other => {
                self.findings
                    .error(Code::NotACondition, span, "this is not a condition")
                    .label(format!("this is {}", other.describe()))
                    .help("compare it with something: `=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `is missing`");
                Condition::Literal(false)
            }
        }
    }

    /// Checks any expression. `hint` is the type that an attribute in it would take.
    fn value(&mut self, expression: &Expression, hint: Option<Type>) -> Value {
        let span = &expression.span;
        match &expression.kind {
            ExpressionKind::Bool(value) => Value::Condition(Condition::Literal(*value)),
            ExpressionKind::Number { hundredths, whole, unit } => self.literal(*hundredths, *whole, *unit, span),
            ExpressionKind::Text(text) => Value::Text(text.clone()),
            ExpressionKind::Name(name) => self.name(name, span, hint),
            ExpressionKind::Aggregate(aggregate) => self.aggregate(aggregate, span, hint),
            ExpressionKind::Not(_) | ExpressionKind::All(_) | ExpressionKind::Any(_) => {
                Value::Condition(self.condition(expression))
            }
            ExpressionKind::Compare { left, comparison, right } => self.compare(left, *comparison, right, span),
            ExpressionKind::In { what, negated, list } => self.in_list(what, *negated, list),
            ExpressionKind::Has { what, text } => self.has(what, text),
            ExpressionKind::Is { what, missing } => self.is_missing(what, !*missing),
            ExpressionKind::Matched(clause) => self.matched(clause, span),
            ExpressionKind::Arithmetic { left, operator, right } => self.arithmetic(left, *operator, right, hint, span),
            ExpressionKind::Broken => Value::Broken,
        }
    }

    /// Resolves a bare or dotted name.
    fn name(&mut self, name: &str, span: &Range<usize>, hint: Option<Type>) -> Value {
        let Some((scope, info)) = self.field(name, span) else {
            // A single word that is no field may be a word of an enum; its comparison decides.
            return if name.contains('.') || name == "this" || self.is_misplaced(name, span) {
                Value::Broken
            } else {
                Value::Word(name.to_owned())
            };
        };
        self.typed_field(scope, info, name, span, hint)
    }

    fn typed_field(
        &mut self,
        scope: Scope,
        info: FieldInfo,
        name: &str,
        span: &Range<usize>,
        hint: Option<Type>,
    ) -> Value {
        let FieldInfo { mut field, mut field_type, words } = info;
        if let Field::Attribute(key, attribute_type) = &mut field {
            match hint.map(attribute_type_of) {
                Some(Some((chosen, as_type))) => (*attribute_type, field_type) = (chosen, as_type),
                Some(None) => {
                    self.findings
                        .error(Code::AttributeType, span, "an attribute cannot be of this type")
                        .label("read as text, number, money or bool only");
                    return Value::Broken;
                }
                None => return Value::Attribute(scope, Arc::clone(key)),
            }
        }
        self.note_field(scope, &field, field_type, name, span, true);
        field_value(scope, field, field_type, words)
    }

    /// Finds a field in its scope. Dotted names that are unknown are reported here.
    fn field(&mut self, name: &str, span: &Range<usize>) -> Option<(Scope, FieldInfo)> {
        let of_this = name.strip_prefix("this.");
        let (scope, path, of_match) = match (self.place, of_this) {
            (Place::Condition, None) => (Scope::This, name, false),
            (Place::Condition, Some(path)) => {
                self.findings
                    .error(Code::FieldNotHere, span, "`this.` is only for `where` inside an aggregate")
                    .label("outside of `where` every field is this operation's")
                    .help(format!("write `{path}`"));
                return None;
            }
            (_, Some(path)) => (Scope::This, path, false),
            (Place::WhereOperation, None) => (Scope::Past, name, false),
            (Place::WhereMatch, None) => (Scope::Past, name, true),
        };
        let Some(info) = fields::field(path, of_match) else {
            if name.contains('.') {
                self.unknown_field(name, span);
            }
            return None;
        };
        let of_wallet = matches!(
            info.field,
            Field::WalletIsBlocked | Field::WalletIsMonitored | Field::WalletIsConfirmed | Field::RefAge
        );
        if of_wallet && self.place != Place::Condition {
            self.findings
                .error(Code::FieldNotHere, span, format!("`{path}` cannot be asked inside an aggregate"))
                .label("this is known of the present operation only")
                .help(format!("move it out of the aggregate: `… and {path}`"));
            return None;
        }
        Some((scope, info))
    }

    /// Reports a field of an operation that stands where only a match's fields do. True when it was.
    fn is_misplaced(&mut self, name: &str, span: &Range<usize>) -> bool {
        let of_match = self.place == Place::WhereMatch && fields::field(name, false).is_some();
        if of_match {
            self.findings
                .error(Code::FieldNotHere, span, format!("a match has no field `{name}`"))
                .label("not a field of a match")
                .nearest("", fields::known_paths(true));
        }
        of_match
    }

    fn unknown_field(&mut self, name: &str, span: &Range<usize>) {
        let of_match = self.place == Place::WhereMatch;
        let path = name.strip_prefix("this.").unwrap_or(name);
        let finding =
            self.findings.error(Code::UnknownField, span, format!("unknown field `{name}`")).label("not a field");
        if path == "wallet" {
            finding.help("the wallet's id is `wallet_id`; `wallet` stands for it after `by` only");
        } else if path.starts_with("attributes") {
            finding.help("an attribute is written `attributes.NAME`");
        } else {
            finding.nearest(path, fields::known_paths(of_match));
        }
    }

    /// Remembers that a field was read: as evidence, as a need, and as something that may be missing.
    fn note_field(
        &mut self,
        scope: Scope,
        field: &Field,
        as_type: Type,
        name: &str,
        span: &Range<usize>,
        may_miss: bool,
    ) {
        self.reads.need(field);
        if self.place != Place::Condition {
            return;
        }
        let what = Operand::Field(scope, field.clone());
        self.reads.evidence.push((span.start, Evidence { name: name.to_owned(), what, value_type: as_type }));
        if may_miss {
            self.reads.may_miss.push((field.clone(), span.clone()));
        }
    }

    fn in_list(&mut self, what: &Expression, negated: bool, list: &Name) -> Value {
        let value = self.value(what, Some(Type::Text));
        let Some(position) = self.world.list_names.iter().position(|known| *known == list.text) else {
            let known: Vec<&str> = self.world.list_names.iter().map(String::as_str).collect();
            self.findings
                .error(Code::UnknownList, &list.span, format!("unknown list `{}`", list.text))
                .label("not declared in data/lists.yaml")
                .nearest(&list.text, known);
            return Value::Broken;
        };
        let of_networks = self.world.list_types[position] == ListType::Cidr;
        match value {
            Value::Broken => Value::Broken,
            Value::Symbol { symbol: Symbol::Field(scope, field), symbol_type, .. }
                if symbol_type == if of_networks { Type::Address } else { Type::Text } =>
            {
                self.reads.lists.insert(position);
                Value::Condition(Condition::InList { scope, field, list: position, negated })
            }
            Value::Word(word) => {
                self.unknown_field(&word, &what.span);
                Value::Broken
            }
            other => {
                let wanted = if of_networks { "an address field" } else { "a text field" };
                self.findings
                    .error(Code::ListType, &what.span, format!("the list `{}` is asked about {wanted}", list.text))
                    .label(format!("this is {}", other.describe()));
                Value::Broken
            }
        }
    }

    fn has(&mut self, what: &Expression, text: &Name) -> Value {
        match self.value(what, None) {
            Value::Clauses => Value::Condition(Condition::ClausesHas(Arc::from(text.text.as_str()))),
            Value::Broken => Value::Broken,
            _ => {
                self.findings
                    .error(Code::MatchesOnly, &what.span, "only the clauses of a match can be asked with `has`")
                    .label("this is not `clauses`")
                    .help("inside an aggregate over `match`: `where clauses has \"7.15\"`");
                Value::Broken
            }
        }
    }

    fn matched(&mut self, clause: &Name, span: &Range<usize>) -> Value {
        if self.place != Place::Condition {
            self.findings
                .error(Code::MatchesOnly, span, "`matched` speaks of this operation and cannot stand in `where`")
                .label("inside an aggregate")
                .help("move it out: `… and matched \"7.15\"`, or run the aggregate over `match`");
            return Value::Broken;
        }
        Value::Condition(Condition::Matched(Arc::from(clause.text.as_str())))
    }

    /// `is missing` (`negated`: `is present`) of a field or an aggregate; never unknown itself.
    fn is_missing(&mut self, what: &Expression, negated: bool) -> Value {
        match &what.kind {
            ExpressionKind::Name(name) => self.field_is_missing(name, negated, &what.span),
            ExpressionKind::Aggregate(aggregate) => match self.aggregate_id(aggregate, &what.span, None) {
                Some(id) => Value::Condition(Condition::Missing { what: Operand::Aggregate(id), negated }),
                None => Value::Broken,
            },
            ExpressionKind::Broken => Value::Broken,
            _ => {
                self.findings
                    .error(Code::TypeMismatch, &what.span, "only a field or an aggregate can be missing")
                    .label("this is neither");
                Value::Broken
            }
        }
    }

    fn field_is_missing(&mut self, name: &str, negated: bool, span: &Range<usize>) -> Value {
        let Some((scope, info)) = self.field(name, span) else {
            if !name.contains('.') && !self.is_misplaced(name, span) {
                self.unknown_field(name, span);
            }
            return Value::Broken;
        };
        let missing = |field| Condition::Missing { what: Operand::Field(scope, field), negated };
        let Field::Attribute(key, _) = &info.field else {
            self.note_field(scope, &info.field, info.field_type, name, span, false);
            return Value::Condition(missing(info.field));
        };
        // Nothing says its type here: it is missing when the key is.
        let field = Field::Attribute(Arc::clone(key), AttributeType::Any);
        self.note_field(scope, &field, info.field_type, name, span, false);
        Value::Condition(missing(field))
    }
}

/// Tells whether the type of the expression depends on what it is compared with.
fn is_open(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Name(name) => fields::attribute_key(name.strip_prefix("this.").unwrap_or(name)).is_some(),
        ExpressionKind::Aggregate(aggregate) => aggregate.stream.text.contains(".attributes."),
        ExpressionKind::Arithmetic { left, right, .. } => is_open(left) || is_open(right),
        ExpressionKind::Bool(_)
        | ExpressionKind::Number { .. }
        | ExpressionKind::Text(_)
        | ExpressionKind::Not(_)
        | ExpressionKind::All(_)
        | ExpressionKind::Any(_)
        | ExpressionKind::Compare { .. }
        | ExpressionKind::In { .. }
        | ExpressionKind::Has { .. }
        | ExpressionKind::Is { .. }
        | ExpressionKind::Matched(_)
        | ExpressionKind::Broken => false,
    }
}

/// How an attribute is read where this type is wanted.
const fn attribute_type_of(wanted: Type) -> Option<(AttributeType, Type)> {
    match wanted {
        Type::Bool => Some((AttributeType::Bool, Type::Bool)),
        Type::Int => Some((AttributeType::Number, Type::Int)),
        Type::Money => Some((AttributeType::Money, Type::Money)),
        Type::Text | Type::Enum | Type::Country | Type::Address => Some((AttributeType::Text, Type::Text)),
        Type::Duration | Type::Time | Type::Clauses => None,
    }
}

fn field_value(scope: Scope, field: Field, field_type: Type, words: &'static [&'static str]) -> Value {
    match field_type {
        Type::Bool => Value::Condition(Condition::Flag(scope, field)),
        Type::Int if matches!(field, Field::Attribute(_, AttributeType::Number)) => {
            Value::Number(Quantity::decimal(Number::Field(scope, field)))
        }
        Type::Int | Type::Money | Type::Duration | Type::Time => {
            Value::Number(Quantity::whole(Number::Field(scope, field), field_type))
        }
        Type::Text | Type::Enum | Type::Country | Type::Address => {
            Value::Symbol { symbol: Symbol::Field(scope, field), symbol_type: field_type, words }
        }
        Type::Clauses => Value::Clauses,
    }
}
