//! Windows that cost more than their text tells: those that many wallets share, and those of a few keys.

use super::places::Places;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::program::{Rule, RuleSet, Type};
use crate::rules::syntax::{KeySyntax, Name};
use crate::rules::{Diagnostic, field_named};

/// Looks at the key of every window of a rule; a window that is written twice is told of once.
pub(super) fn findings(rules: &RuleSet, rule: &Rule, places: &Places) -> Vec<Diagnostic> {
    let mut findings = Findings::new(&rule.path);
    let mut seen = Vec::new();
    for placed in places.aggregates(rule) {
        let Some(aggregate) = rules.aggregates.get(placed.id) else { continue };
        if aggregate.is_owned() || seen.contains(&placed.id) {
            continue;
        }
        seen.push(placed.id);
        let span = match &placed.syntax.key {
            KeySyntax::By(names) => names.first().zip(names.last()).map(|(one, last)| one.span.start..last.span.end),
            KeySyntax::IntoWallet => None,
        };
        // `into wallet` has no span of its own: it stands just before the window.
        let span = span.unwrap_or_else(|| into_wallet(rule, placed.syntax.window.span.start));
        let names = match &placed.syntax.key {
            KeySyntax::By(names) => names.as_slice(),
            KeySyntax::IntoWallet => &[],
        };
        if !names.is_empty() && names.iter().all(has_few_values) {
            findings.warning(Code::HotKey, &span, "all operations share a few windows").label("has few values").help(
                "every operation enters the same long windows: add `wallet`, `device_id` or another field to the key",
            );
        } else {
            findings
                .note(Code::SharedWindow, &span, "wallets share this window")
                .label("does not name the wallet")
                .help("a fleet keeps it in Redis and reads it once for each operation; `by wallet, …` stays in memory");
        }
    }
    findings.list
}

fn into_wallet(rule: &Rule, window: usize) -> std::ops::Range<usize> {
    let before = rule.source.get(..window).unwrap_or_default();
    before.rfind("into").map_or(window..window, |start| start..before.trim_end().len())
}

/// Tells whether a field is one of a few words, however many operations there are.
fn has_few_values(name: &Name) -> bool {
    name.text == "currency"
        || field_named(&name.text, false)
            .is_some_and(|field| matches!(field.field_type, Type::Enum | Type::Country | Type::Bool))
}
