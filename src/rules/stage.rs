//! The order of rules that read matches: each runs after every rule whose matches it may see.
//!
//! What a rule may see is judged by clauses and rule ids alone, not by modes, so that switching a rule
//! between shadow and enforce never makes a set that loaded unloadable.

use std::sync::Arc;

use super::diagnostic::{Code, Diagnostic, Findings};
use super::program::{Action, Aggregate, Condition, Field, Rule, Scope, Stream, Symbol, symbol_of_text};
use super::rule_file::RuleFile;

/// What one reading of matches may see.
#[derive(Debug, Default)]
struct Sight {
    /// Every one of these clauses is asked for.
    clauses: Vec<Arc<str>>,
    /// One of these rules, where the condition names one.
    rule: Option<u64>,
}

impl Sight {
    fn sees(&self, rule: &Rule) -> bool {
        let by_clause = self.clauses.iter().all(|clause| rule.clauses.contains(clause));
        let by_rule = self.rule.is_none_or(|symbol| symbol == symbol_of_text(&rule.id));
        by_clause && by_rule
    }
}

/// Gives each rule its stage and reports cycles.
pub(crate) fn order(files: &mut [RuleFile], aggregates: &[Aggregate], diagnostics: &mut Vec<Diagnostic>) {
    let sights: Vec<Vec<Sight>> = files.iter().map(|file| sights_of(&file.rule, aggregates)).collect();
    let readers: Vec<usize> = (0..files.len()).filter(|index| !sights[*index].is_empty()).collect();
    let sees: Vec<Vec<usize>> = readers
        .iter()
        .map(|reader| {
            let seen = |other: &&usize| sights[*reader].iter().any(|sight| sight.sees(&files[**other].rule));
            readers.iter().filter(seen).copied().collect()
        })
        .collect();
    // Each round settles the readers whose every seen reader is settled; who is left is on a cycle.
    let mut settled = vec![0_u32; files.len()];
    for round in 1.. {
        let ready: Vec<usize> = readers
            .iter()
            .zip(&sees)
            .filter(|(reader, seen)| settled[**reader] == 0 && seen.iter().all(|other| settled[*other] != 0))
            .map(|(reader, _)| *reader)
            .collect();
        if ready.is_empty() {
            break;
        }
        for reader in ready {
            settled[reader] = round;
        }
    }
    for reader in readers {
        files[reader].rule.stage = settled[reader];
        if settled[reader] == 0 {
            report_cycle(&files[reader], diagnostics);
        }
    }
}

/// Lists the rules whose matches a rule reads, whatever their modes.
pub(crate) fn seen_by<'r>(reader: &Rule, rules: &'r [Rule], aggregates: &[Aggregate]) -> Vec<&'r Rule> {
    let sights = sights_of(reader, aggregates);
    rules.iter().filter(|rule| sights.iter().any(|sight| sight.sees(rule))).collect()
}

fn report_cycle(file: &RuleFile, diagnostics: &mut Vec<Diagnostic>) {
    let mut findings = Findings::new(&file.rule.path);
    findings
        .error(Code::RuleCycle, &file.when_span, format!("the rule `{}` waits for its own matches", file.rule.id))
        .label("its condition may see its own match, directly or through others")
        .help("narrow the matches it reads by a clause that this rule does not bear: `clauses has \"7.15\"`");
    diagnostics.append(&mut findings.list);
}

fn sights_of(rule: &Rule, aggregates: &[Aggregate]) -> Vec<Sight> {
    let over_matches =
        rule.aggregates.iter().map(|id| &aggregates[*id]).filter(|known| known.stream == Stream::Matches);
    let mut sights: Vec<Sight> = over_matches.map(sight_of).collect();
    let mut add = |clause: &Arc<str>| sights.push(Sight { clauses: vec![clause.clone()], rule: None });
    each_matched(&rule.when, &mut add);
    for action in &rule.actions {
        if let Action::Report { when: Some(when), .. } = action {
            each_matched(when, &mut add);
        }
    }
    sights
}

fn sight_of(aggregate: &Aggregate) -> Sight {
    let mut sight = Sight::default();
    let conjuncts = match &aggregate.filter {
        None => &[],
        Some(Condition::All(parts)) => parts.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    for conjunct in conjuncts {
        match conjunct {
            Condition::ClausesHas(clause) => sight.clauses.push(clause.clone()),
            Condition::Same {
                left: Symbol::Field(Scope::Past, Field::MatchRule),
                right: Symbol::Literal(symbol),
                negated: false,
            } => sight.rule = Some(*symbol),
            _ => {}
        }
    }
    sight
}

fn each_matched(condition: &Condition, add: &mut impl FnMut(&Arc<str>)) {
    match condition {
        Condition::Matched(clause) => add(clause),
        Condition::Not(inner) => each_matched(inner, add),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| each_matched(part, add)),
        Condition::Compare { .. }
        | Condition::Literal(_)
        | Condition::Same { .. }
        | Condition::Flag(..)
        | Condition::FlagAggregate(_)
        | Condition::InList { .. }
        | Condition::Missing { .. }
        | Condition::ClausesHas(_) => {}
    }
}
