//! Two conditions side by side: which thresholds, windows and parts differ.

use serde::Serialize;

use crate::rules::condition_of;
use crate::rules::layout::one_line;
use crate::rules::syntax::{AggregateSyntax, Expression, ExpressionKind, KeySyntax};

/// One thing in which two conditions differ; `None` where only one of them has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// `threshold`, `value`, `comparison`, `window`, `key`, `where`, `list`, `clause` or `condition`.
    pub what: &'static str,
    /// What it belongs to, as the condition after the change has it; empty for a whole part of the condition.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub of: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Returns the condition of a rule's text in one line; `always` where it has none.
pub(super) fn shown(source: &str) -> String {
    condition_of(source).map_or_else(|| String::from("always"), |condition| written(source, &condition))
}

/// Compares the conditions of two versions of a rule, part by part.
pub(super) fn details(before: &str, after: &str) -> Vec<Detail> {
    let mut comparison = Comparison { before, after, details: Vec::new() };
    let (one, other) = (condition_of(before), condition_of(after));
    match (&one, &other) {
        (Some(one), Some(other)) if is_any(one) == is_any(other) => comparison.parts(parts_of(one), parts_of(other)),
        (Some(one), Some(other)) => comparison.whole(one, other),
        _ => {}
    }
    comparison.details
}

fn is_any(expression: &Expression) -> bool {
    matches!(expression.kind, ExpressionKind::Any(_))
}

/// The parts that `and` or `or` joins; a condition that nothing joins is its own part.
fn parts_of(expression: &Expression) -> &[Expression] {
    match &expression.kind {
        ExpressionKind::All(parts) | ExpressionKind::Any(parts) => parts,
        _ => std::slice::from_ref(expression),
    }
}

/// Writes an expression in one line.
fn written(text: &str, expression: &Expression) -> String {
    let joined = |parts: &[Expression], joint: &str| {
        let bracketed = |part: &Expression| match part.kind {
            ExpressionKind::All(_) | ExpressionKind::Any(_) if !text[part.span.clone()].starts_with('(') => {
                format!("({})", written(text, part))
            }
            _ => written(text, part),
        };
        parts.iter().map(bracketed).collect::<Vec<_>>().join(joint)
    };
    // A list below `all:` or `any:` is YAML, not a condition.
    let is_list = |parts: &[Expression]| {
        parts.first().is_some_and(|first| {
            let above = &text[expression.span.start..first.span.start.max(expression.span.start)];
            above.trim_start().starts_with("all:") || above.trim_start().starts_with("any:")
        })
    };
    match &expression.kind {
        ExpressionKind::All(parts) if is_list(parts) => joined(parts, " and "),
        ExpressionKind::Any(parts) if is_list(parts) => joined(parts, " or "),
        _ => one_line(text, expression.span.clone())
            .unwrap_or_else(|| text[expression.span.clone()].split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

struct Comparison<'t> {
    before: &'t str,
    after: &'t str,
    details: Vec<Detail>,
}

impl Comparison<'_> {
    fn is_same(&self, one: &Expression, other: &Expression) -> bool {
        written(self.before, one) == written(self.after, other)
    }

    fn put(&mut self, what: &'static str, of: String, before: Option<String>, after: Option<String>) {
        if before != after {
            self.details.push(Detail { what, of, before, after });
        }
    }

    fn whole(&mut self, one: &Expression, other: &Expression) {
        let (before, after) = (written(self.before, one), written(self.after, other));
        self.put("condition", String::new(), Some(before), Some(after));
    }

    /// Finds for each part the one that it became: the same, else one of the same shape; the rest came or went.
    fn parts(&mut self, before: &[Expression], after: &[Expression]) {
        let mut old: Vec<&Expression> =
            before.iter().filter(|one| !after.iter().any(|other| self.is_same(one, other))).collect();
        let mut new: Vec<&Expression> =
            after.iter().filter(|other| !before.iter().any(|one| self.is_same(one, other))).collect();
        for with_sign in [true, false] {
            old.retain(|one| {
                let wanted = shape(one, with_sign);
                match new.iter().position(|other| shape(other, with_sign) == wanted) {
                    Some(at) => {
                        let other = new.remove(at);
                        self.pair(one, other);
                        false
                    }
                    None => true,
                }
            });
        }
        for one in old {
            let text = written(self.before, one);
            self.put("condition", String::new(), Some(text), None);
        }
        for other in new {
            let text = written(self.after, other);
            self.put("condition", String::new(), None, Some(text));
        }
    }

    /// Compares two parts of one shape.
    fn pair(&mut self, one: &Expression, other: &Expression) {
        use ExpressionKind as Kind;
        if self.is_same(one, other) {
            return;
        }
        match (&one.kind, &other.kind) {
            (Kind::All(old), Kind::All(new)) | (Kind::Any(old), Kind::Any(new)) => self.parts(old, new),
            (Kind::Not(one), Kind::Not(other)) => self.pair(one, other),
            (Kind::Aggregate(old), Kind::Aggregate(new)) => self.aggregate(old, new),
            (
                Kind::Compare { left: old_left, comparison: old, right: old_right },
                Kind::Compare { left: new_left, comparison: new, right: new_right },
            ) => {
                let (left, right) = (written(self.after, new_left), written(self.after, new_right));
                self.put("comparison", left.clone(), Some(old.sign().to_owned()), Some(new.sign().to_owned()));
                self.operand(old_left, new_left, &right);
                self.operand(old_right, new_right, &left);
            }
            (
                Kind::In { what: old_what, negated: old_negated, list: old_list },
                Kind::In { what: new_what, negated: new_negated, list: new_list },
            ) if self.is_same(old_what, new_what) && old_negated == new_negated => {
                let of = written(self.after, new_what);
                self.put("list", of, Some(old_list.text.clone()), Some(new_list.text.clone()));
            }
            (Kind::Matched(old), Kind::Matched(new)) => {
                self.put("clause", String::from("matched"), Some(old.text.clone()), Some(new.text.clone()));
            }
            (Kind::Has { what: old_what, text: old }, Kind::Has { what: new_what, text: new })
                if self.is_same(old_what, new_what) =>
            {
                let of = written(self.after, new_what);
                self.put("clause", of, Some(old.text.clone()), Some(new.text.clone()));
            }
            _ => self.whole(one, other),
        }
    }

    /// Compares one side of two comparisons; `beside` is the other side.
    fn operand(&mut self, one: &Expression, other: &Expression, beside: &str) {
        use ExpressionKind as Kind;
        if self.is_same(one, other) {
            return;
        }
        match (&one.kind, &other.kind) {
            (Kind::Aggregate(old), Kind::Aggregate(new)) if function(old) == function(new) => self.aggregate(old, new),
            (
                Kind::Arithmetic { left: old_left, operator: old, right: old_right },
                Kind::Arithmetic { left: new_left, operator: new, right: new_right },
            ) if old == new => {
                let whole = written(self.after, other);
                self.operand(old_left, new_left, &whole);
                self.operand(old_right, new_right, &whole);
            }
            (one_kind, other_kind) => {
                let is_number = |kind: &Kind| matches!(kind, Kind::Number { .. });
                let what = if is_number(one_kind) && is_number(other_kind) { "threshold" } else { "value" };
                let (before, after) = (written(self.before, one), written(self.after, other));
                self.put(what, beside.to_owned(), Some(before), Some(after));
            }
        }
    }

    fn aggregate(&mut self, old: &AggregateSyntax, new: &AggregateSyntax) {
        let of = function(new);
        let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (before, after) = (self.before, self.after);
        self.put("key", of.clone(), Some(key(&old.key)), Some(key(&new.key)));
        let window = |text: &str, aggregate: &AggregateSyntax| {
            let excluding = if aggregate.excluding_this { " excluding this" } else { "" };
            format!("{}{excluding}", in_one_line(&text[aggregate.window.span.clone()]))
        };
        self.put("window", of.clone(), Some(window(before, old)), Some(window(after, new)));
        match (&old.filter, &new.filter) {
            (Some(one), Some(other)) if is_any(one) == is_any(other) => self.parts(parts_of(one), parts_of(other)),
            (one, other) => {
                let text = |text: &str, filter: &Option<Expression>| filter.as_ref().map(|part| written(text, part));
                self.put("where", of, text(before, one), text(after, other));
            }
        }
    }
}

fn function(aggregate: &AggregateSyntax) -> String {
    format!("{}({})", aggregate.function.text, aggregate.stream.text)
}

fn key(key: &KeySyntax) -> String {
    match key {
        KeySyntax::IntoWallet => String::from("into wallet"),
        KeySyntax::By(fields) => {
            let fields: Vec<&str> = fields.iter().map(|field| field.text.as_str()).collect();
            format!("by {}", fields.join(", "))
        }
    }
}

/// What stays of a part when its numbers, values and windows are taken away.
fn shape(expression: &Expression, with_sign: bool) -> String {
    use ExpressionKind as Kind;
    let inner = |expression: &Expression| shape(expression, with_sign);
    match &expression.kind {
        Kind::Bool(_) | Kind::Number { .. } | Kind::Text(_) => String::from("#"),
        Kind::Name(name) => name.clone(),
        Kind::Aggregate(aggregate) => function(aggregate),
        Kind::Not(part) => format!("not {}", inner(part)),
        Kind::All(_) => String::from("all"),
        Kind::Any(_) => String::from("any"),
        Kind::Compare { left, comparison, right } => {
            let subject = if inner(left) == "#" { right } else { left };
            format!("{} {}", inner(subject), if with_sign { comparison.sign() } else { "?" })
        }
        Kind::In { what, negated, .. } => format!("{} {negated} in", inner(what)),
        Kind::Has { what, .. } => format!("{} has", inner(what)),
        Kind::Is { what, missing } => format!("{} is {missing}", inner(what)),
        Kind::Matched(_) => String::from("matched"),
        Kind::Arithmetic { left, operator, right } => {
            format!("{} {} {}", inner(left), operator.name(), inner(right))
        }
        Kind::Broken => String::from("broken"),
    }
}
