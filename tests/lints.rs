//! What the analysis of rules says, held against the engine: of random small rule sets, decided over random streams,
//! what is never true never fires a rule, what is always true fires it on every operation, and a rule that another
//! makes superfluous fires only together with it.
//!
//! Each claim is put to the engine as a rule of its own, in shadow, with the part in question as its condition.
#![expect(clippy::print_stdout, reason = "seeds belong in the test's output")]

mod generated;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use kuzet::analysis::check;
use kuzet::app;
use kuzet::geo::Geo;
use kuzet::operation::decision::{Decision, Verdict};
use kuzet::pipeline::{Answer, Record};
use kuzet::rules::program::RuleSet;
use kuzet::rules::{self, Diagnostic, SourceFile};

use crate::random::Random;
use generated::{Rule, aggregate_around};

/// Rule sets that are tried.
const SETS: u64 = 400;
/// Operations of each stream.
const OPERATIONS: usize = 80;
/// How many claims of each kind the sets have to bring, so that the test cannot pass by saying nothing.
const CLAIMS_MIN: usize = 15;

/// What is claimed of the rules of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    /// The rule with this id never fires.
    Never(String),
    /// It fires on every operation of its types.
    Always(String),
    /// Whenever the first fires, the second does.
    Together(String, String),
}

/// A claim with the finding that it was read from, for whoever reads why the test failed.
struct Put {
    claim: Claim,
    finding: String,
}

#[test]
fn what_the_analysis_claims_holds_in_the_engine() {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in 0..SETS {
        let mut random = Random(seed);
        let rules = generated::rules(&mut random);
        let files: Vec<SourceFile> = rules.iter().map(Rule::file).chain(generated::data()).collect();
        let (Some(_), found) = check::check(&files, NaiveDate::from_ymd_opt(2026, 3, 2).expect("a day")) else {
            continue;
        };
        *counts.entry("sets").or_default() += 1;
        let (more, claims) = put(&rules, &found, &files, &mut counts);
        if claims.is_empty() {
            continue;
        }
        let mut all = files.clone();
        all.extend(more);
        let compiled = rules::compile(&all);
        let set = compiled.unwrap_or_else(|found| panic!("seed {seed}: {}", rules::render_text(&found, &all))).rule_set;
        let decisions = decide(set.clone(), &generated::operations(&mut random, OPERATIONS));
        for Put { claim, finding } in claims {
            if let Some(decision) = refuted(&claim, &set, &decisions) {
                let texts: String = all.iter().map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).collect();
                panic!("seed {seed}: {claim:?}\n{finding}\n{decision}\n{texts}");
            }
        }
    }
    println!("{counts:?}");
    for kind in ["always-false", "always-true", "subsumed-rule", "void-action", "where"] {
        let count = counts.get(kind).copied().unwrap_or_default();
        assert!(count >= CLAIMS_MIN, "only {count} claims of {kind}: {counts:?}");
    }
}

/// Makes rules and claims of what was found; counts them by kind.
fn put(
    rules: &[Rule],
    found: &[Diagnostic],
    files: &[SourceFile],
    counts: &mut BTreeMap<&'static str, usize>,
) -> (Vec<SourceFile>, Vec<Put>) {
    let (mut more, mut claims) = (Vec::new(), Vec::new());
    for finding in found {
        let Some(rule) = rules.iter().find(|rule| format!("{}.yaml", rule.id) == finding.path) else { continue };
        let text = rule.text();
        let part = &text[finding.span.clone()];
        let id = format!("claim-{}", claims.len());
        let claim = match finding.code {
            "always-false" | "always-true" => {
                let is_false = finding.code == "always-false";
                let around = aggregate_around(&text, &finding.span);
                *counts.entry(if around.is_some() { "where" } else { finding.code }).or_default() += 1;
                let when = match around {
                    Some(of) => {
                        let part = pair(finding, part, is_false);
                        let all = if is_false { "0".to_owned() } else { format!("count({of} by wallet within 30d)") };
                        let differs = if is_false { ">" } else { "=" };
                        format!("count({of} where ({part}) by wallet within 30d) {differs} {all}")
                    }
                    None if finding.message.contains("where the rest holds") => {
                        let begin = finding.span.start - text.find("\nwhen: ").expect("a condition") - "\nwhen: ".len();
                        let rest = generated::rest_of(&rule.when, &(begin..begin + part.len()));
                        rest.iter().fold(format!("({part})"), |all, other| format!("{all} and ({other})"))
                    }
                    None => pair(finding, part, is_false),
                };
                // Of what is always true nothing is ever unknown; two parts that exclude each other may be.
                let is_whole = is_false && named(&finding.message).is_none();
                let on_missing = if is_whole { rule.on_missing } else { "skip" };
                let derived =
                    Rule { id: id.clone(), when, on_missing, mode: "shadow", then: "report: afm", ..rule.clone() };
                more.push(derived.file());
                if is_false { Claim::Never(id) } else { Claim::Always(id) }
            }
            "subsumed-rule" | "void-action" => match named(&finding.message) {
                Some(other) => {
                    *counts.entry(finding.code).or_default() += 1;
                    Claim::Together(rule.id.clone(), other)
                }
                None => continue,
            },
            _ => continue,
        };
        claims.push(Put { claim, finding: rules::render_text(std::slice::from_ref(finding), files) });
    }
    (more, claims)
}

/// The condition in question. Loading warns of two parts that contradict each other, and names the first of them.
fn pair(finding: &Diagnostic, part: &str, is_and: bool) -> String {
    match named(&finding.message) {
        Some(first) if is_and => format!("({first}) and ({part})"),
        Some(first) => {
            // Every value there is: what is missing has none.
            let what = compared_in(part).filter(|what| !what.starts_with("amount"));
            let missing = what.map(|what| format!(" or {what} is missing")).unwrap_or_default();
            format!("({first}) or ({part}){missing}")
        }
        None => part.to_owned(),
    }
}

/// What a comparison compares with something.
fn compared_in(part: &str) -> Option<&str> {
    let part = part.trim_start_matches('(');
    let places = [" = ", " != ", " <= ", " >= ", " < ", " > "].iter().filter_map(|word| part.rfind(word));
    Some(&part[..places.max()?])
}

/// What a message names between backticks.
fn named(message: &str) -> Option<String> {
    Some(message.split_once('`')?.1.split_once('`')?.0.to_owned())
}

fn decide(rules: RuleSet, operations: &[String]) -> Vec<Decision> {
    let mut pipeline = app::pipeline(rules, Geo::default());
    let mut one = |operation: &String| {
        let record = Record { bytes: operation.as_bytes(), arrived_at: None };
        let committed = pipeline.process(&[record]).expect("a store in memory takes every change");
        match committed.answers.into_iter().next() {
            Some(Answer::Decided(decision)) => *decision,
            other => panic!("{other:?} to {operation}"),
        }
    };
    operations.iter().map(&mut one).collect()
}

/// The first decision that a claim does not hold of, as JSON.
fn refuted(claim: &Claim, rules: &RuleSet, decisions: &[Decision]) -> Option<String> {
    let fires = |decision: &Decision, id: &str| decision.matches.iter().any(|found| *found.rule == *id);
    let types = |id: &str| rules.rules.iter().find(|rule| *rule.id == *id).expect("a rule").on;
    let is_refuted = |decision: &&Decision| match claim {
        Claim::Never(id) => fires(decision, id),
        // Rules over runs of logins are not asked about a login that another rule refused.
        Claim::Always(id) => {
            let is_asked = types(id).contains(decision.kind) && decision.verdict != Verdict::Refuse;
            is_asked && !fires(decision, id)
        }
        Claim::Together(one, other) => fires(decision, one) && !fires(decision, other),
    };
    decisions.iter().find(is_refuted).map(|decision| {
        let mut text = Vec::new();
        decision.encode(&mut text);
        String::from_utf8(text).expect("JSON")
    })
}

/// The claims are put to the engine by rules that can fire: with conditions of the same kind that are neither.
#[test]
fn conditions_of_which_nothing_is_claimed_hold_now_and_then() {
    let (mut fired, mut silent, mut known) = (0, 0, BTreeSet::new());
    for seed in 0..SETS / 4 {
        let mut random = Random(seed);
        let rules = generated::rules(&mut random);
        let files: Vec<SourceFile> = rules.iter().map(Rule::file).chain(generated::data()).collect();
        let Ok(compiled) = rules::compile(&files) else { continue };
        let decisions = decide(compiled.rule_set, &generated::operations(&mut random, OPERATIONS));
        for rule in &rules {
            let count = decisions.iter().filter(|one| one.matches.iter().any(|found| *found.rule == *rule.id)).count();
            fired += usize::from(count > 0);
            silent += usize::from(count == 0);
            known.insert(count);
        }
    }
    assert!(fired > silent && silent > 0 && known.len() > 20, "{fired} {silent} {known:?}");
}
