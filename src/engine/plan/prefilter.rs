//! Rules out most rules of a type before they are evaluated one by one.
//!
//! Most rules require a predicate that is cheap and mostly false: a large amount, a failure, another client
//! status. It is evaluated once for all rules that require it; where it is false none of them fires.

use crate::engine::plan::predicates::{Expr, Predicates};
use crate::engine::plan::rule::PlannedRule;
use crate::engine::value::Truth;
use crate::rules::program::Inputs;

/// Rules of one type that follow each other in the order of evaluation, as many as a word has bits.
#[derive(Debug)]
pub struct RuleBlock {
    /// The position of the first one.
    first: usize,
    /// All of them, one bit each.
    all: u64,
    required: Vec<RequiredPredicate>,
    /// The rules that read an input, by its bit: they are asked where it is missing, so that this is told.
    readers: [u64; u8::BITS as usize],
    /// The rules that read a list nobody has read yet.
    without_list: u64,
}

/// A predicate that some rules require.
#[derive(Debug)]
struct RequiredPredicate {
    demand: Expr,
    /// The rules that do not fire where it does not hold.
    when_not: u64,
    /// The rules that do not fire where it is unknown.
    when_unknown: u64,
}

impl RuleBlock {
    /// Puts rules together and finds what they demand.
    #[must_use]
    pub fn all_of(rules: &[PlannedRule], parts: &Predicates) -> Vec<Self> {
        let size = u64::BITS as usize;
        rules.chunks(size).enumerate().map(|(number, rules)| Self::of(number * size, rules, parts)).collect()
    }

    fn of(first: usize, rules: &[PlannedRule], parts: &Predicates) -> Self {
        let mut required: Vec<RequiredPredicate> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let bit = 1 << number;
            let when_unknown = if rule.fires_unknown { 0 } else { bit };
            for demand in demands_of(&rule.when).iter().filter(|demand| parts.is_cheap(demand)) {
                match required.iter_mut().find(|known| known.demand == *demand) {
                    Some(known) => {
                        known.when_not |= bit;
                        known.when_unknown |= when_unknown;
                    }
                    None => required.push(RequiredPredicate { demand: demand.clone(), when_not: bit, when_unknown }),
                }
            }
        }
        required.sort_by_key(|predicate| std::cmp::Reverse(predicate.when_not.count_ones()));
        let those = |wanted: &dyn Fn(&PlannedRule) -> bool| {
            rules.iter().enumerate().filter(|(_, rule)| wanted(rule)).fold(0, |bits, (number, _)| bits | 1 << number)
        };
        Self {
            first,
            all: those(&|_| true),
            required,
            readers: std::array::from_fn(|bit| those(&|rule| rule.needs.meets(Inputs(1 << bit)))),
            without_list: those(&|rule| rule.lacks_a_list),
        }
    }

    /// Lists the positions of the rules that may fire, and of those to ask all the same. Asks what they demand.
    #[inline]
    pub fn candidates(&self, lacking: Inputs, mut ask: impl FnMut(&Expr) -> Truth) -> Candidates {
        let mut left = self.all;
        for predicate in &self.required {
            if predicate.when_not & left != 0 {
                match ask(&predicate.demand) {
                    Some(true) => {}
                    Some(false) => left &= !predicate.when_not,
                    None => left &= !predicate.when_unknown,
                }
            }
        }
        if lacking != Inputs::default() {
            let lacks = |bit: &usize| lacking.meets(Inputs(1 << bit));
            left |= (0..self.readers.len()).filter(lacks).fold(0, |all, bit| all | self.readers[bit]);
        }
        left |= self.without_list;
        Candidates { first: self.first, left }
    }
}

/// Rules of a group, in the order of evaluation.
#[derive(Debug)]
pub struct Candidates {
    first: usize,
    left: u64,
}

impl Iterator for Candidates {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = (self.left != 0).then(|| self.left.trailing_zeros() as usize)?;
        self.left &= self.left - 1;
        Some(self.first + bit)
    }
}

/// Lists what has to hold for the formula to hold.
fn demands_of(formula: &Expr) -> &[Expr] {
    match formula {
        Expr::All(inner) => inner,
        other => std::slice::from_ref(other),
    }
}

#[cfg(test)]
mod tests;
