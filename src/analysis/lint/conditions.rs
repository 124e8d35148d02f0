//! Conditions, and parts of them, that never hold or always do.

use std::ops::Range;

use super::logic::{Formula, is_possible};
use super::places::{self, Places};
use super::reader::Reader;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::program::{Action, Condition, OnMissing, Rule, RuleSet, Stream, TypeSet};
use crate::rules::syntax::Expression;
use crate::rules::{Diagnostic, Severity};

/// Finds the constant parts of one rule's conditions.
pub(super) fn findings(rules: &RuleSet, rule: &Rule, places: &Places, loaded: &[Diagnostic]) -> Vec<Diagnostic> {
    let known = loaded.iter().filter(|found| found.path == rule.path && is_constant(found));
    let mut reader = Reader::new(&rules.aggregates, rule.on);
    let fires = reader.fires(rule);
    let mut search = Search {
        reader,
        // Where an unknown condition fires, only what is always false never does.
        unknown_is_false: rule.on_missing == OnMissing::Skip,
        known: known.map(|found| found.span.clone()).collect(),
        findings: Findings::new(&rule.path),
    };
    if let Some(when) = &places.when {
        search.look_at(when, &rule.when, &[], true);
    }
    let conditions = rule.actions.iter().filter_map(|action| match action {
        Action::Report { when, .. } => when.as_ref(),
        _ => None,
    });
    search.unknown_is_false = true;
    for (written, compiled) in places.reports.iter().zip(conditions) {
        search.look_at(written, compiled, std::slice::from_ref(&fires), true);
    }
    search.look_at_aggregates(rules, rule, places);
    search.findings.list
}

fn is_constant(found: &Diagnostic) -> bool {
    found.severity == Severity::Warning
        && [Code::AlwaysFalse, Code::AlwaysTrue].iter().any(|code| code.name() == found.code)
}

struct Search<'r> {
    reader: Reader<'r>,
    unknown_is_false: bool,
    /// Where something constant was found already.
    known: Vec<Range<usize>>,
    findings: Findings,
}

impl Search<'_> {
    /// Looks at a part within what else must hold (`context`); `plain` while no `not` stands around it. Tells whether
    /// anything constant was found in it: what follows from that is not said again.
    fn look_at(&mut self, written: &Expression, compiled: &Condition, context: &[Formula], plain: bool) -> bool {
        if self.is_known(written) {
            return true;
        }
        let parts = places::parts(written, compiled);
        let inside = plain && !matches!(compiled, Condition::Not(_));
        let mut found = false;
        for (number, (part, of_it)) in parts.iter().enumerate() {
            let mut within = context.to_vec();
            // Of an `and`, a choice is looked at where the other parts hold; a plain part is what they are beside.
            if matches!((compiled, of_it), (Condition::All(_), Condition::Any(_))) && inside {
                let others = parts.iter().enumerate().filter(|(other, _)| *other != number);
                within.extend(others.map(|(_, (_, other))| self.lets_fire(other)));
                if !is_possible(&within.iter().collect::<Vec<_>>(), &self.reader.domains) {
                    within = context.to_vec();
                }
            }
            found |= self.look_at(part, of_it, &within, inside);
        }
        found || self.report(written, compiled, context, plain)
    }

    /// Says that a part of an `and` lets the rule fire: it is true, or unknown where what is unknown fires.
    fn lets_fire(&mut self, part: &Condition) -> Formula {
        if self.unknown_is_false { self.reader.is(part, true) } else { self.reader.is(part, false).opposite() }
    }

    /// Tells whether something constant was found within a part already.
    fn is_known(&self, written: &Expression) -> bool {
        self.known.iter().any(|known| written.span.start <= known.start && known.end <= written.span.end)
    }

    fn report(&mut self, written: &Expression, compiled: &Condition, context: &[Formula], plain: bool) -> bool {
        let holds = self.reader.is(compiled, true);
        let fails = if plain && self.unknown_is_false { holds.opposite() } else { self.reader.is(compiled, false) };
        let within = |formula: &Formula, context: &[Formula]| {
            let all: Vec<&Formula> = context.iter().chain([formula]).collect();
            is_possible(&all, &self.reader.domains)
        };
        let (code, message, help) = if !within(&fails.opposite(), context) {
            let message =
                if context.is_empty() { "this is never true" } else { "this is never true where the rest holds" };
            (Code::AlwaysFalse, message, "no operation that the rule runs on can satisfy it")
        } else if !within(&holds.opposite(), &[]) {
            (Code::AlwaysTrue, "this is always true", "every operation that the rule runs on satisfies it")
        } else {
            return false;
        };
        self.findings.warning(code, &written.span, message).label("whatever the operation").help(help);
        true
    }

    /// Looks at the `where` of each aggregate: does any past operation satisfy it, does every one?
    fn look_at_aggregates(&mut self, rules: &RuleSet, rule: &Rule, places: &Places) {
        for placed in places.aggregates(rule) {
            let Some(aggregate) = rules.aggregates.get(placed.id) else { continue };
            let Some(written) = placed.syntax.filter.as_ref().filter(|written| !self.is_known(written)) else {
                continue;
            };
            let past = match aggregate.stream {
                Stream::Operations(types) => types,
                Stream::Matches => TypeSet::default(),
            };
            let mut reader = Reader::with_past(&rules.aggregates, rule.on, past);
            let asked: Vec<&Condition> = aggregate.filter.iter().chain(&aggregate.residual).collect();
            let holds = Formula::All(asked.iter().map(|part| reader.is(part, true)).collect());
            // An equality with this operation became a part of the key.
            let keyed = reads_this(written, &rule.source);
            let (code, message) = if !is_possible(&[&holds], &reader.domains) {
                (Code::AlwaysFalse, "no past operation satisfies this")
            } else if !keyed && !is_possible(&[&holds.opposite()], &reader.domains) {
                (Code::AlwaysTrue, "every past operation satisfies this")
            } else {
                continue;
            };
            self.findings.warning(code, &written.span, message).label("whatever the operations");
        }
    }
}

fn reads_this(written: &Expression, source: &str) -> bool {
    source.get(written.span.clone()).is_some_and(|text| text.contains("this."))
}
