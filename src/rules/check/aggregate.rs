//! Aggregates: what they run over, what they compute, and how `where` splits into a filter, key parts
//! and a residue that also reads this operation.

use std::ops::Range;
use std::sync::Arc;

use super::number::{AMOUNT_MAX, Bound, COUNT_MAX};
use super::{AGGREGATES_MAX, Checker, Inputs, Place, Quantity, Type, Value, attribute_type_of};
use crate::rules::canonical;
use crate::rules::diagnostic::Code;
use crate::rules::fields::{self, FieldInfo};
use crate::rules::program::{
    Aggregate, AggregateId, AttributeType, Comparison, Condition, Evidence, Field, Function, KeyPart, Number, Operand,
    Read, Scope, Stream, Symbol, Window,
};
use crate::rules::syntax::{AggregateSyntax, KeySyntax, Name, WindowKind};

pub(crate) const FUNCTIONS: [(&str, Function); 11] = [
    ("count", Function::Count),
    ("sum", Function::Sum),
    ("distinct", Function::Distinct),
    ("min", Function::Min),
    ("max", Function::Max),
    ("avg", Function::Avg),
    ("last", Function::Last),
    ("any", Function::Any),
    ("none", Function::None),
    ("streak", Function::Streak),
    ("age", Function::Age),
];

impl Checker<'_> {
    /// Checks an aggregate and returns what its result is.
    pub(super) fn aggregate(&mut self, syntax: &AggregateSyntax, span: &Range<usize>, hint: Option<Type>) -> Value {
        let Some(id) = self.aggregate_id(syntax, span, hint) else {
            return Value::Broken;
        };
        let (value_type, words) = self.result_of(id);
        let aggregate = &self.world.aggregates[id];
        let number = Number::Aggregate(id);
        match (aggregate.function, value_type) {
            (_, Type::Bool) => Value::Condition(Condition::FlagAggregate(id)),
            (_, Type::Text | Type::Enum | Type::Country | Type::Address | Type::Clauses) => {
                Value::Symbol { symbol: Symbol::Aggregate(id), symbol_type: value_type, words }
            }
            (function, Type::Int | Type::Money | Type::Duration | Type::Time) => {
                let (bound, is_whole) = result_bound(function, value_type);
                if aggregate.is_of_decimals() && function != Function::Distinct {
                    return Value::Number(Quantity { is_whole, ..Quantity::decimal(number) });
                }
                Value::Number(Quantity { number, number_type: value_type, bound, is_whole })
            }
        }
    }

    /// Checks an aggregate, adds it to the set unless it is there, and notes it as read.
    pub(super) fn aggregate_id(
        &mut self,
        syntax: &AggregateSyntax,
        span: &Range<usize>,
        hint: Option<Type>,
    ) -> Option<AggregateId> {
        if self.place != Place::Condition {
            self.findings
                .error(Code::AggregateNested, span, "an aggregate cannot stand inside another")
                .label("inside `where`")
                .help("compare with a field of the past operation or `this.…`");
            return None;
        }
        self.reads.aggregate_count += 1;
        if self.reads.aggregate_count == AGGREGATES_MAX + 1 {
            self.findings
                .error(Code::TooManyAggregates, span, format!("a rule has at most {AGGREGATES_MAX} aggregates"))
                .label("one too many");
        }
        let aggregate = self.define(syntax, span, hint)?;
        if !aggregate.is_owned() {
            self.reads.needs = self.reads.needs.union(Inputs::SHARED_STATE);
        }
        let known = self.world.aggregates.iter().position(|known| known.canonical == aggregate.canonical);
        let id = known.unwrap_or_else(|| {
            self.world.aggregates.push(aggregate);
            self.world.aggregates.len() - 1
        });
        if !self.reads.aggregates.contains(&id) {
            self.reads.aggregates.push(id);
        }
        let name = without_brackets(self.source(span)).split_whitespace().collect::<Vec<_>>().join(" ");
        let (value_type, _) = self.result_of(id);
        let evidence = Evidence { name, what: Operand::Aggregate(id), value_type };
        self.reads.evidence.push((span.start, evidence));
        Some(id)
    }

    /// The type of the result and, for an enum, its words.
    fn result_of(&self, id: AggregateId) -> (Type, &'static [&'static str]) {
        let aggregate = &self.world.aggregates[id];
        match aggregate.function {
            Function::Count | Function::Distinct | Function::Streak => (Type::Int, &[]),
            Function::Any | Function::None => (Type::Bool, &[]),
            Function::Age => (Type::Duration, &[]),
            Function::Sum | Function::Min | Function::Max | Function::Avg | Function::Last => {
                let of_match = aggregate.stream == Stream::Matches;
                let words = aggregate.value.as_ref().and_then(|value| fields::field(&fields::path(value), of_match));
                (aggregate.value_type.unwrap_or(Type::Int), words.map_or(&[], |info| info.words))
            }
        }
    }

    /// Builds the definition; every part is checked even when another is wrong.
    fn define(&mut self, syntax: &AggregateSyntax, span: &Range<usize>, hint: Option<Type>) -> Option<Aggregate> {
        let errors_before = self.findings.error_count();
        let function = self.function(&syntax.function);
        let stream = self.stream(&syntax.stream);
        let place = match stream {
            Some(Stream::Matches) => Place::WhereMatch,
            Some(Stream::Operations(_)) | None => Place::WhereOperation,
        };
        let value = match (function, stream) {
            (Some(function), Some(_)) => self.value_field(function, &syntax.stream, place, hint),
            _ => None,
        };
        let parts = self.where_parts(syntax, place);
        let mut key = self.key(&syntax.key, place, span);
        let window = self.window(function, syntax);
        if let (Some(function), Some(_)) = (function, &parts.residual) {
            self.check_residual(function, syntax);
        }
        if let Some(residual) = &parts.residual {
            self.check_reach(residual, key.iter().chain(&parts.key), syntax);
        }
        if self.findings.error_count() > errors_before {
            return None;
        }
        let (function, stream, window) = (function?, stream?, window?);
        if !matches!(function, Function::Streak | Function::Age) {
            key.extend(parts.key);
        }
        key.sort_by(|a, b| (&a.past, &a.this).cmp(&(&b.past, &b.this)));
        key.dedup();
        let mut aggregate = Aggregate {
            function,
            stream,
            value_type: value.as_ref().map(|(_, value_type)| *value_type),
            value: value.map(|(field, _)| field),
            filter: parts.filter,
            residual: parts.residual,
            key,
            window,
            excluding_this: syntax.excluding_this || function == Function::Last,
            canonical: String::new(),
        };
        let names = canonical::Names { lists: &self.world.list_names, aggregates: &[] };
        aggregate.canonical = canonical::aggregate(&aggregate, names);
        Some(aggregate)
    }

    fn function(&mut self, name: &Name) -> Option<Function> {
        let found = FUNCTIONS.iter().find(|(text, _)| *text == name.text);
        if found.is_none() {
            self.findings
                .error(Code::UnknownFunction, &name.span, format!("unknown function `{}`", name.text))
                .label("not known")
                .nearest(&name.text, FUNCTIONS.iter().map(|(text, _)| *text));
        }
        found.map(|(_, function)| *function)
    }

    fn stream(&mut self, name: &Name) -> Option<Stream> {
        let first = name.text.split('.').next().unwrap_or_default();
        if first == "match" {
            return Some(Stream::Matches);
        }
        let types = fields::type_set(first);
        if types.is_none() {
            let span = name.span.start..name.span.start + first.len();
            self.findings
                .error(Code::UnknownType, &span, format!("unknown operation type `{first}`"))
                .label("not an operation type, a class or `match`")
                .nearest(first, fields::type_names().into_iter().chain(["match"]));
        }
        types.map(Stream::Operations)
    }

    /// The field after `type.`, with the type it is read as. `None` also where none belongs.
    fn value_field(
        &mut self,
        function: Function,
        stream: &Name,
        place: Place,
        hint: Option<Type>,
    ) -> Option<(Field, Type)> {
        let name = function_name(function);
        let Some((first, path)) = stream.text.split_once('.') else {
            if takes_field(function) {
                self.findings
                    .error(Code::AggregateField, &stream.span, format!("`{name}` needs a field to work on"))
                    .label("only a type")
                    .help(format!("name the field after the type: `{name}({}.amount …)`", stream.text));
            }
            return None;
        };
        let span = stream.span.start + first.len() + 1..stream.span.end;
        if !takes_field(function) {
            self.findings
                .error(Code::AggregateField, &span, format!("`{name}` takes no field"))
                .label("leave this out")
                .help(format!("write `{name}({first} …)`"));
            return None;
        }
        let outer = std::mem::replace(&mut self.place, place);
        let found = if path.starts_with("this.") { None } else { self.field(path, &span) };
        if found.is_none() && !path.contains('.') {
            self.unknown_field(path, &span);
        }
        self.place = outer;
        let (_, FieldInfo { field, field_type, .. }) = found?;
        let (field, field_type) = self.value_type(function, field, field_type, hint, &span)?;
        self.reads.need(&field);
        Some((field, field_type))
    }

    fn value_type(
        &mut self,
        function: Function,
        field: Field,
        field_type: Type,
        hint: Option<Type>,
        span: &Range<usize>,
    ) -> Option<(Field, Type)> {
        let (field, field_type) = match field {
            Field::Attribute(key, _) => {
                // Distinct values need no type: whatever two operations bear, it is the same or not.
                let any = Some((AttributeType::Any, Type::Text)).filter(|_| function == Function::Distinct);
                let Some((as_type, field_type)) = any.or_else(|| hint.and_then(attribute_type_of)) else {
                    self.findings
                        .error(Code::AttributeType, span, "nothing says what type this attribute has")
                        .label("its type comes from what the aggregate is compared with")
                        .help("compare the aggregate with money, a number or a text");
                    return None;
                };
                (Field::Attribute(Arc::clone(&key), as_type), field_type)
            }
            field => (field, field_type),
        };
        let fits = works_on(function, field_type);
        if !fits {
            let name = function_name(function);
            self.findings
                .error(Code::AggregateField, span, format!("`{name}` cannot work on this field"))
                .label(format!("this is {}", describe_type(field_type)));
            return None;
        }
        Some((field, field_type))
    }

    fn where_parts(&mut self, syntax: &AggregateSyntax, place: Place) -> WhereParts {
        let mut parts = WhereParts::default();
        let Some(filter) = &syntax.filter else {
            return parts;
        };
        let outer = std::mem::replace(&mut self.place, place);
        let condition = self.condition(filter);
        self.place = outer;
        let separate_keys = !matches!(syntax.function.text.as_str(), "streak" | "age");
        let (mut filters, mut residuals) = (Vec::new(), Vec::new());
        for conjunct in conjuncts(condition) {
            match key_part(&conjunct) {
                Some(part) if separate_keys => parts.key.push(part),
                _ if reads_this(&conjunct) => residuals.push(conjunct),
                _ => filters.push(conjunct),
            }
        }
        parts.filter = all_of(filters);
        parts.residual = all_of(residuals);
        parts
    }

    /// A run has one course for a wallet; it cannot be another for each operation that asks.
    fn check_residual(&mut self, function: Function, syntax: &AggregateSyntax) {
        if !matches!(function, Function::Streak | Function::Age) {
            return;
        }
        let span = syntax.filter.as_ref().map_or(0..0, |filter| filter.span.clone());
        let name = function_name(function);
        self.findings
            .error(Code::FieldNotHere, &span, format!("the `where` of `{name}` cannot speak of `this`"))
            .label("reads this operation")
            .help("what must be equal belongs after `by`: `by wallet, device_id`");
    }

    /// A part of `where` that reads `this` looks at what the wallet's own log keeps: words, no texts.
    fn check_reach<'k>(
        &mut self,
        residual: &Condition,
        mut key: impl Iterator<Item = &'k KeyPart>,
        syntax: &AggregateSyntax,
    ) {
        let span = syntax.filter.as_ref().map_or(0..0, |filter| filter.span.clone());
        let is_owned = key.any(|part| part.past == Field::WalletId && part.this == Field::WalletId);
        if !is_owned {
            self.findings
                .error(Code::FieldNotHere, &span, "`this` can be compared with operations of the wallet itself only")
                .label("operations of other wallets are counted here")
                .help("add `wallet` to what stands after `by`")
                .help("what must be equal belongs after `by`: `by device_id, amount`");
        }
        if reads_texts(residual) {
            self.findings
                .error(Code::FieldNotHere, &span, "`in` and `has` cannot stand in brackets with `this`")
                .label("asks both in one")
                .help("join them by `and`, or write two aggregates");
        }
    }

    fn key(&mut self, key: &KeySyntax, place: Place, span: &Range<usize>) -> Vec<KeyPart> {
        let of_match = place == Place::WhereMatch;
        let names = match key {
            KeySyntax::By(names) => names,
            KeySyntax::IntoWallet => {
                if of_match {
                    self.report_match_key(span);
                }
                return vec![KeyPart { past: Field::CounterpartyWalletId, this: Field::WalletId }];
            }
        };
        let mut parts = Vec::new();
        for name in names {
            let path = if name.text == "wallet" { "wallet_id" } else { &name.text };
            if of_match && path != "wallet_id" {
                self.report_match_key(&name.span);
                continue;
            }
            match fields::field(path, false) {
                Some(FieldInfo {
                    field: Field::WalletIsBlocked | Field::WalletIsMonitored | Field::WalletIsConfirmed | Field::RefAge,
                    ..
                }) => {
                    self.findings
                        .error(Code::BadKey, &name.span, format!("`{path}` cannot be a key"))
                        .label("not a field of an operation");
                }
                Some(FieldInfo { mut field, .. }) => {
                    if let Field::Attribute(_, as_type) = &mut field {
                        *as_type = AttributeType::Any;
                    }
                    self.reads.need(&field);
                    if field != Field::WalletId {
                        self.reads.may_miss.push((field.clone(), name.span.clone()));
                    }
                    parts.push(KeyPart { past: field.clone(), this: field });
                }
                None => {
                    self.findings
                        .error(Code::UnknownField, &name.span, format!("unknown field `{}`", name.text))
                        .label("not a field")
                        .nearest(path, fields::known_paths(false).into_iter().chain(["wallet"]));
                }
            }
        }
        parts
    }

    fn report_match_key(&mut self, span: &Range<usize>) {
        self.findings
            .error(Code::BadKey, span, "matches are counted by wallet only")
            .label("not `by wallet`")
            .help("write `by wallet`");
    }

    fn window(&mut self, function: Option<Function>, syntax: &AggregateSyntax) -> Option<Window> {
        let window = match syntax.window.kind {
            WindowKind::Within(nanos) => Window::Within(nanos),
            WindowKind::Quiet(nanos) => Window::Quiet(nanos),
            WindowKind::Today => Window::Today,
            WindowKind::ThisMonth => Window::ThisMonth,
            WindowKind::Broken => return None,
        };
        let function = function?;
        let kind = match window {
            Window::Within(_) => WindowForm::Within,
            Window::Today | Window::ThisMonth => WindowForm::Calendar,
            Window::Quiet(_) => WindowForm::Quiet,
        };
        let accepted = windows_of(function);
        let fits = accepted.contains(&kind);
        let wanted = match accepted {
            [WindowForm::Quiet] => "`quiet 24h`",
            [WindowForm::Within] => "`within 2h`",
            _ => "`within 1h`, `today` or `this month`",
        };
        if !fits {
            let name = function_name(function);
            self.findings
                .error(Code::AggregateWindow, &syntax.window.span, format!("`{name}` cannot have this window"))
                .label("does not fit the function")
                .help(format!("`{name}` takes {wanted}"));
            return None;
        }
        Some(window)
    }
}

/// What `where` splits into.
#[derive(Debug, Default)]
struct WhereParts {
    filter: Option<Condition>,
    residual: Option<Condition>,
    key: Vec<KeyPart>,
}

fn function_name(function: Function) -> &'static str {
    FUNCTIONS.iter().find(|(_, known)| *known == function).map_or("", |(name, _)| name)
}

pub(crate) const fn takes_field(function: Function) -> bool {
    match function {
        Function::Sum | Function::Distinct | Function::Min | Function::Max | Function::Avg | Function::Last => true,
        Function::Count | Function::Any | Function::None | Function::Streak | Function::Age => false,
    }
}

/// The windows that differ in which functions accept them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowForm {
    Within,
    /// `today` and `this month`.
    Calendar,
    Quiet,
}

/// Lists the windows that a function accepts.
pub(crate) const fn windows_of(function: Function) -> &'static [WindowForm] {
    match function {
        Function::Streak | Function::Age => &[WindowForm::Quiet],
        Function::Last => &[WindowForm::Within],
        Function::Count
        | Function::Sum
        | Function::Distinct
        | Function::Min
        | Function::Max
        | Function::Avg
        | Function::Any
        | Function::None => &[WindowForm::Within, WindowForm::Calendar],
    }
}

/// Tells whether a function can work on a field of this type.
pub(crate) fn works_on(function: Function, field_type: Type) -> bool {
    match function {
        Function::Sum | Function::Avg => matches!(field_type, Type::Int | Type::Money),
        Function::Min | Function::Max => matches!(field_type, Type::Int | Type::Money | Type::Time),
        Function::Distinct => !matches!(field_type, Type::Bool | Type::Clauses),
        Function::Last => field_type != Type::Clauses,
        Function::Count | Function::Any | Function::None | Function::Streak | Function::Age => false,
    }
}

const fn describe_type(value_type: Type) -> &'static str {
    match value_type {
        Type::Bool => "true or false",
        Type::Int => "a number",
        Type::Money => "money",
        Type::Duration => "a duration",
        Type::Time => "a time",
        Type::Text => "a text",
        Type::Enum => "a word of a fixed set",
        Type::Country => "a country",
        Type::Address => "an address",
        Type::Clauses => "a set of clauses",
    }
}

/// The magnitude of an aggregate's result, and whether it is whole.
fn result_bound(function: Function, value_type: Type) -> (Bound, bool) {
    let one = if value_type == Type::Money { AMOUNT_MAX } else { i128::from(i64::MAX) };
    match function {
        Function::Count | Function::Distinct | Function::Streak => (Bound::whole(COUNT_MAX), true),
        Function::Sum => (Bound::whole(one * COUNT_MAX), true),
        Function::Avg => (Bound::Ratio { numerator: one * COUNT_MAX, denominator: COUNT_MAX }, false),
        Function::Min | Function::Max | Function::Last | Function::Age | Function::Any | Function::None => {
            (Bound::whole(one), true)
        }
    }
}

/// Takes off the brackets around an aggregate that stands for a condition.
fn without_brackets(source: &str) -> &str {
    let mut inner = source.trim();
    while let Some(stripped) = inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        inner = stripped.trim();
    }
    inner
}

fn conjuncts(condition: Condition) -> Vec<Condition> {
    match condition {
        Condition::All(parts) => parts.into_iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

fn all_of(mut parts: Vec<Condition>) -> Option<Condition> {
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => Some(Condition::All(parts)),
    }
}

/// Reads `f = this.g` as a part of the key.
fn key_part(condition: &Condition) -> Option<KeyPart> {
    let (one, other) = match condition {
        Condition::Same {
            left: Symbol::Field(left_scope, left),
            right: Symbol::Field(right_scope, right),
            negated: false,
        } => ((*left_scope, left), (*right_scope, right)),
        Condition::Compare {
            left: Number::Field(left_scope, left),
            comparison: Comparison::Equal,
            right: Number::Field(right_scope, right),
        } => ((*left_scope, left), (*right_scope, right)),
        _ => return None,
    };
    match (one, other) {
        ((Scope::Past, past), (Scope::This, this)) | ((Scope::This, this), (Scope::Past, past)) => {
            Some(KeyPart { past: past.clone(), this: this.clone() })
        }
        _ => None,
    }
}

/// Tells whether the condition asks for a past operation's text in a list, or for its clauses.
fn reads_texts(condition: &Condition) -> bool {
    match condition {
        Condition::ClausesHas(_) => true,
        Condition::InList { scope, .. } => *scope == Scope::Past,
        Condition::Not(inner) => reads_texts(inner),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(reads_texts),
        Condition::Literal(_)
        | Condition::Matched(_)
        | Condition::FlagAggregate(_)
        | Condition::Compare { .. }
        | Condition::Same { .. }
        | Condition::Flag(..)
        | Condition::Missing { .. } => false,
    }
}

/// Tells whether the condition reads the operation being judged.
fn reads_this(condition: &Condition) -> bool {
    condition.reads(|read| matches!(read, Read::Field(Scope::This, _)))
}
