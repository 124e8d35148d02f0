//! What the rules keep in memory, against what the service accepts where nothing else is configured.

use std::sync::Arc;

use super::places::Places;
use crate::analysis::budget::{Cost, DEFAULT_BYTES};
use crate::rules::Diagnostic;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::program::RuleSet;

/// Warns, at the rule that asks for most, of a set that the service would refuse.
pub(super) fn findings(rules: &RuleSet, places: &[Places]) -> Vec<Diagnostic> {
    let cost = Cost::of(&Arc::new(rules.clone()));
    let Some(over) = cost.over(DEFAULT_BYTES) else { return Vec::new() };
    let Some((heaviest, _)) = cost.heaviest.first() else { return Vec::new() };
    let of_it = rules.rules.iter().zip(places).find(|(rule, _)| rule.id == *heaviest);
    let Some((rule, places)) = of_it else { return Vec::new() };
    let mut findings = Findings::new(&rule.path);
    findings
        .warning(Code::StateCost, &places.id(), format!("{over} when it is not set"))
        .label("asks for most of it")
        .help("ask for fewer windows, or raise `rules.budget` and the memory of the machine with it");
    findings.list
}
