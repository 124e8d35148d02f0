//! Parts of a condition that exclude each other, or that leave nothing out between them.

use super::Checker;
use crate::rules::diagnostic::Code;
use crate::rules::program::{Comparison, Condition, Number, Symbol};
use crate::rules::syntax::Expression;

/// The numbers that one comparison lets through: from a bound, up to a bound, each with whether it belongs to them.
struct Range {
    from: Option<(i128, bool)>,
    to: Option<(i128, bool)>,
}

impl Checker<'_> {
    /// Warns of two parts of an `and` that are never true together, and of two of an `or` of which one always is.
    pub(super) fn warn_of_pairs(&mut self, parts: &[Condition], written: &[Expression], is_and: bool) {
        if self.findings.has_errors() {
            return;
        }
        for (number, later) in parts.iter().enumerate() {
            let Some(earlier) = parts[..number].iter().position(|earlier| decides(earlier, later, is_and)) else {
                continue;
            };
            let (one, other) = (&written[earlier].span, &written[number].span);
            let first = self.file[one.clone()].trim().to_owned();
            let (code, message, help) = if is_and {
                let message = format!("this is never true together with `{first}`");
                (
                    Code::AlwaysFalse,
                    message,
                    "an `and` of both is always false: one of several values is asked for with `or`",
                )
            } else {
                // Of what is missing both are unknown.
                let message = format!("this or `{first}` is true of every value");
                (
                    Code::AlwaysTrue,
                    message,
                    "an `or` of both leaves nothing out: to exclude several values, join them with `and`",
                )
            };
            self.findings.warning(code, other, message).label("contradicts the part before").help(help);
        }
    }
}

/// Tells whether two parts are never true together (of an `and`), or one of them always is (of an `or`).
fn decides(one: &Condition, other: &Condition, is_and: bool) -> bool {
    match (one, other) {
        (Condition::Same { .. }, Condition::Same { .. }) => {
            let (Some((what, word, negated)), Some((other, other_word, other_negated))) =
                (word_of(one), word_of(other))
            else {
                return false;
            };
            what == other
                && match (negated, other_negated) {
                    (false, false) => is_and && word != other_word,
                    (true, true) => !is_and && word != other_word,
                    (true, false) | (false, true) => word == other_word,
                }
        }
        (Condition::Compare { .. }, Condition::Compare { .. }) => {
            let (Some((what, range)), Some((other, other_range))) = (range_of(one), range_of(other)) else {
                return false;
            };
            what == other && if is_and { range.is_apart_from(&other_range) } else { range.completes(&other_range) }
        }
        _ => false,
    }
}

/// Reads a comparison with a word: what is compared, the word, and whether it is another.
fn word_of(condition: &Condition) -> Option<(&Symbol, u64, bool)> {
    match condition {
        Condition::Same { left: Symbol::Literal(word), right: what, negated }
        | Condition::Same { left: what, right: Symbol::Literal(word), negated } => Some((what, *word, *negated)),
        _ => None,
    }
}

/// Reads a comparison with a number: what is compared, and the numbers it lets through.
fn range_of(condition: &Condition) -> Option<(&Number, Range)> {
    let Condition::Compare { left, comparison, right } = condition else { return None };
    let (what, bound, is_turned) = match (left, right) {
        (what, Number::Literal(bound)) => (what, *bound, false),
        (Number::Literal(bound), what) => (what, *bound, true),
        _ => return None,
    };
    let above = |is_in| Range { from: Some((bound, is_in)), to: None };
    let below = |is_in| Range { from: None, to: Some((bound, is_in)) };
    let range = match (comparison, is_turned) {
        (Comparison::Equal, _) => Range { from: Some((bound, true)), to: Some((bound, true)) },
        (Comparison::NotEqual, _) => return None,
        (Comparison::Less, false) | (Comparison::Greater, true) => below(false),
        (Comparison::LessOrEqual, false) | (Comparison::GreaterOrEqual, true) => below(true),
        (Comparison::Greater, false) | (Comparison::Less, true) => above(false),
        (Comparison::GreaterOrEqual, false) | (Comparison::LessOrEqual, true) => above(true),
    };
    Some((what, range))
}

impl Range {
    /// Tells whether no number is in both.
    fn is_apart_from(&self, other: &Self) -> bool {
        let is_below = |to: Option<(i128, bool)>, from: Option<(i128, bool)>| match (to, from) {
            (Some((to, to_in)), Some((from, from_in))) => to < from || to == from && !(to_in && from_in),
            _ => false,
        };
        is_below(self.to, other.from) || is_below(other.to, self.from)
    }

    /// Tells whether every number is in one of the two, each open to one side.
    fn completes(&self, other: &Self) -> bool {
        let meet = |below: &Self, above: &Self| match (below, above) {
            (Self { from: None, to: Some((to, to_in)) }, Self { from: Some((from, from_in)), to: None }) => {
                from < to || from == to && (*to_in || *from_in)
            }
            _ => false,
        };
        meet(self, other) || meet(other, self)
    }
}
