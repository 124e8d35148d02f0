//! Where the parts of a rule stand in its text.

use std::ops::Range;

use crate::rules::program::{AggregateId, Condition, Operand, Rule};
use crate::rules::syntax::{AggregateSyntax, Expression, ExpressionKind};
use crate::rules::yaml::{Node, NodeKind};
use crate::rules::{condition_of, conditions_of, yaml_of};

/// The text of a rule taken apart.
pub(super) struct Places {
    root: Option<Node>,
    /// The condition as it was written; `None` where the rule has none.
    pub when: Option<Expression>,
    /// The conditions of the reports, in the order of the actions that have one.
    pub reports: Vec<Expression>,
}

/// An aggregate as it was written and what it was compiled to.
pub(super) struct Placed<'p> {
    pub syntax: &'p AggregateSyntax,
    pub id: AggregateId,
}

impl Places {
    pub(super) fn of(rule: &Rule) -> Self {
        let when = condition_of(&rule.source);
        let mut reports = conditions_of(&rule.source);
        if when.is_some() {
            reports.remove(0);
        }
        Self { root: yaml_of(&rule.source), when, reports }
    }

    /// Returns where the id stands.
    pub(super) fn id(&self) -> Range<usize> {
        self.root.as_ref().and_then(|root| root.at(&["rule"])).map_or(0..0, |node| node.span.clone())
    }

    /// Returns where an action stands, by its position in `then`.
    pub(super) fn action(&self, position: usize) -> Range<usize> {
        let node = self.root.as_ref().and_then(|root| root.at(&["then"]));
        match node.map(|node| &node.kind) {
            Some(NodeKind::Sequence(items)) => items.get(position).map_or_else(|| self.id(), |item| item.span.clone()),
            _ => self.id(),
        }
    }

    /// Lists the aggregates of all conditions in the order of the text.
    pub(super) fn aggregates<'p>(&'p self, rule: &Rule) -> Vec<Placed<'p>> {
        let mut found = Vec::new();
        self.when.iter().chain(&self.reports).for_each(|expression| collect(expression, rule, &mut found));
        found
    }
}

/// Pairs the parts of a condition as it was written with those that it was compiled to, where both are an `and`, an `or`
/// or a `not` of the same parts.
pub(super) fn parts<'p>(written: &'p Expression, compiled: &'p Condition) -> Vec<(&'p Expression, &'p Condition)> {
    match (&written.kind, compiled) {
        (ExpressionKind::All(written), Condition::All(compiled))
        | (ExpressionKind::Any(written), Condition::Any(compiled))
            if written.len() == compiled.len() =>
        {
            written.iter().zip(compiled).collect()
        }
        (ExpressionKind::Not(written), Condition::Not(compiled)) => vec![(&**written, &**compiled)],
        _ => Vec::new(),
    }
}

fn collect<'p>(expression: &'p Expression, rule: &Rule, found: &mut Vec<Placed<'p>>) {
    match &expression.kind {
        ExpressionKind::Aggregate(syntax) => {
            let source = rule.source.get(expression.span.clone()).unwrap_or_default();
            let name = source.split_whitespace().collect::<Vec<_>>().join(" ");
            let of_it = rule.evidence.iter().find(|evidence| evidence.name == name);
            if let Some(Operand::Aggregate(id)) = of_it.map(|evidence| &evidence.what) {
                found.push(Placed { syntax, id: *id });
            }
        }
        ExpressionKind::Not(inner) => collect(inner, rule, found),
        ExpressionKind::All(parts) | ExpressionKind::Any(parts) => {
            parts.iter().for_each(|part| collect(part, rule, found));
        }
        ExpressionKind::Compare { left, right, .. } | ExpressionKind::Arithmetic { left, right, .. } => {
            collect(left, rule, found);
            collect(right, rule, found);
        }
        ExpressionKind::In { what, .. } | ExpressionKind::Has { what, .. } | ExpressionKind::Is { what, .. } => {
            collect(what, rule, found);
        }
        ExpressionKind::Name(_)
        | ExpressionKind::Bool(_)
        | ExpressionKind::Number { .. }
        | ExpressionKind::Text(_)
        | ExpressionKind::Matched(_)
        | ExpressionKind::Broken => {}
    }
}
