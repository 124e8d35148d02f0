//! Wrong variants that are wrong in the rules themselves.

use crate::engine::mutant::EngineMutant;
use crate::engine::plan::settings::Settings;
use crate::operation::time::Nanos;
use crate::rules::program::{Comparison, Condition, RuleSet, Window};

/// Makes the wrong variants that are wrong in the rules themselves.
pub(crate) fn with_fault(rules: &RuleSet, settings: Settings) -> RuleSet {
    let mut rules = rules.clone();
    if settings.has(EngineMutant::OpenWindow) {
        for aggregate in &mut rules.aggregates {
            if let Window::Within(length) = &mut aggregate.window {
                *length -= Nanos::ONE;
            }
        }
    }
    if settings.has(EngineMutant::StrictBecomesInclusive) {
        rules.rules.iter_mut().for_each(|rule| make_inclusive(&mut rule.when));
    }
    rules
}

pub(crate) fn make_inclusive(condition: &mut Condition) {
    match condition {
        Condition::Compare { comparison, .. } if *comparison == Comparison::Greater => {
            *comparison = Comparison::GreaterOrEqual;
        }
        Condition::All(parts) | Condition::Any(parts) => parts.iter_mut().for_each(make_inclusive),
        Condition::Not(inner) => make_inclusive(inner),
        Condition::Literal(_)
        | Condition::Compare { .. }
        | Condition::Same { .. }
        | Condition::Flag(..)
        | Condition::FlagAggregate(_)
        | Condition::InList { .. }
        | Condition::Missing { .. }
        | Condition::ClausesHas(_)
        | Condition::Matched(_) => {}
    }
}
