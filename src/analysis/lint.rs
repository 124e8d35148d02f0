//! What is most likely not meant in a rule set that loads: conditions that never or always hold, rules and actions that
//! change nothing, data that nothing reads, windows that cost more than they seem to.
//!
//! Only what is proved is said. Conditions are read as formulas over what fields and aggregates can be (`reader`,
//! `sets`), and a search asks whether any case makes them true (`logic`); where it cannot tell, nothing is said.

mod conditions;
mod cost;
mod data;
mod logic;
mod pairs;
mod places;
mod reader;
mod sets;
#[cfg(test)]
mod tests;
mod ways_out;
mod windows;

use chrono::NaiveDate;

use crate::rules::program::{Mode, RuleSet};
use crate::rules::{Diagnostic, SourceFile};
use places::Places;

/// Finds what is most likely not meant in the rules and data of a folder that loaded. `loaded` is what loading them
/// warned of: nothing is said twice. `today` is the Almaty day against which the MRP table is looked at.
#[must_use]
pub fn findings(rules: &RuleSet, files: &[SourceFile], loaded: &[Diagnostic], today: NaiveDate) -> Vec<Diagnostic> {
    let places: Vec<Places> = rules.rules.iter().map(Places::of).collect();
    let mut found = Vec::new();
    for (rule, places) in rules.rules.iter().zip(&places).filter(|(rule, _)| rule.mode != Mode::Off) {
        found.extend(conditions::findings(rules, rule, places, loaded));
        found.extend(windows::findings(rules, rule, places));
    }
    found.extend(pairs::findings(rules, &places));
    found.extend(ways_out::findings(rules, &places));
    found.extend(cost::findings(rules, &places));
    found.extend(data::findings(rules, files, today));
    found
}
