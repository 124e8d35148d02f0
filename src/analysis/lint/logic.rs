//! What can be true at once: formulas over facts, and a search for a case in which several hold.
//!
//! Different fields and aggregates are taken to be independent of each other. That can only make more cases seem
//! possible, so what is found impossible is.

use std::collections::BTreeMap;

use super::sets::{Domain, Fact};

/// Steps of one search; a longer one ends with "possible".
pub(super) const STEPS_MAX: usize = 20_000;

/// A statement that is true or false in each case, never unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Formula {
    Constant(bool),
    /// What is said of the field or aggregate of this name.
    Fact(String, Fact),
    All(Vec<Formula>),
    Any(Vec<Formula>),
}

impl Formula {
    /// Returns the statement that is true where this one is false.
    pub(super) fn opposite(&self) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(!value),
            Self::Fact(name, fact) => Self::Fact(name.clone(), fact.opposite()),
            Self::All(parts) => Self::Any(parts.iter().map(Self::opposite).collect()),
            Self::Any(parts) => Self::All(parts.iter().map(Self::opposite).collect()),
        }
    }
}

/// What each field and aggregate can be before anything is said of it; those that are not there can be anything.
pub(super) type Domains = BTreeMap<String, Domain>;

/// Tells whether some case makes all of the formulas true; true as well where the search would take too long.
pub(super) fn is_possible(formulas: &[&Formula], domains: &Domains) -> bool {
    is_possible_within(formulas, domains, &mut STEPS_MAX.clone())
}

/// The same with at most so many steps, which are taken off.
pub(super) fn is_possible_within(formulas: &[&Formula], domains: &Domains, steps: &mut usize) -> bool {
    search(formulas.to_vec(), Vec::new(), domains.clone(), steps)
}

/// Takes in what must hold in any case, then tries the ways of the first choice that is left.
fn search<'f>(
    mut certain: Vec<&'f Formula>,
    mut choices: Vec<&'f [Formula]>,
    mut domains: Domains,
    steps: &mut usize,
) -> bool {
    while let Some(formula) = certain.pop() {
        match steps.checked_sub(1) {
            Some(left) => *steps = left,
            None => return true,
        }
        match formula {
            Formula::Constant(true) => {}
            Formula::Constant(false) => return false,
            Formula::Fact(name, fact) => {
                if !domains.entry(name.clone()).or_insert_with(Domain::all).narrow(fact) {
                    return false;
                }
            }
            Formula::All(parts) => certain.extend(parts),
            Formula::Any(parts) => choices.push(parts),
        }
    }
    let Some(ways) = choices.pop() else { return true };
    ways.iter().any(|way| search(vec![way], choices.clone(), domains.clone(), steps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::lint::sets::{Numbers, Words};
    use crate::rules::program::Comparison;

    fn number(name: &str, comparison: Comparison, bound: i128) -> Formula {
        let numbers = Numbers::where_it_holds(comparison, bound, true);
        Formula::Fact(name.to_owned(), Fact::Number { numbers, missing: false })
    }

    #[test]
    fn a_formula_and_its_opposite_are_never_possible_together() {
        let a = number("a", Comparison::Greater, 5);
        let b = number("b", Comparison::LessOrEqual, 0);
        let word = Formula::Fact("w".to_owned(), Fact::Word { words: Words::one(1, false), missing: true });
        let formulas = [
            Formula::All(vec![a.clone(), Formula::Any(vec![b.clone(), word.clone()])]),
            Formula::Any(vec![Formula::All(vec![a, b]), word]),
            Formula::Any(Vec::new()),
        ];
        for formula in &formulas {
            assert!(!is_possible(&[formula, &formula.opposite()], &Domains::new()), "{formula:?}");
            assert_eq!(formula.opposite().opposite(), *formula);
        }
        assert!(is_possible(&[&formulas[0], &formulas[1]], &Domains::new()));
    }

    #[test]
    fn choices_are_tried_one_with_another() {
        let either =
            |one, other| Formula::Any(vec![number("a", Comparison::Equal, one), number("a", Comparison::Equal, other)]);
        assert!(is_possible(&[&either(1, 2), &either(2, 3)], &Domains::new()));
        assert!(!is_possible(&[&either(1, 2), &either(3, 4)], &Domains::new()));
    }

    #[test]
    fn a_search_that_takes_too_long_claims_nothing() {
        let names: Vec<String> = (0..40).map(|number| format!("v{number}")).collect();
        let either =
            |name: &String| Formula::Any(vec![number(name, Comparison::Equal, 1), number(name, Comparison::Equal, 2)]);
        let mut formulas: Vec<Formula> = names.iter().map(either).collect();
        formulas.push(Formula::Any(vec![Formula::Constant(false), Formula::Constant(false)]));
        assert!(is_possible(&formulas.iter().collect::<Vec<_>>(), &Domains::new()));
    }
}
