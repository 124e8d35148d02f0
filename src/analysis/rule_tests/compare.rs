//! What a step expects beside what was found.

use std::collections::BTreeSet;

use super::Difference;
use crate::adapters::memory::MemoryStore;
use crate::engine::shared::{Party, SharedRequest, SharedView};
use crate::engine::wallet::Wallet;
use crate::operation::decision::{Command, Decision, Subject};
use crate::operation::decode::Rejection;
use crate::operation::{Operation, Time};
use crate::pipeline::{Pipeline, SharedStore};
use crate::rules::program::symbol_of_text;
use crate::rules::test_file::{Expect, ExpectedCommand, ExpectedRejection, ExpectedRestriction, ExpectedTerms};

/// A command, or a restriction in force.
#[derive(Debug)]
struct Found {
    kind: &'static str,
    rule: String,
    of: String,
    from: Option<Time>,
    until: Option<Time>,
}

/// One item of an expected list.
struct Wanted<'e> {
    kind: Option<&'e str>,
    rule: Option<&'e str>,
    of: Option<&'e str>,
    terms: &'e ExpectedTerms,
    times: Option<u32>,
}

/// Compares a decision, and what is in force after it, with what the step expects; times count from `start`.
pub(super) fn decided(
    pipeline: &Pipeline<MemoryStore, super::TestAddresses>,
    (operation, start): (&Operation<'_>, Time),
    expect: &Expect,
    decision: &Decision,
) -> Vec<Difference> {
    let of_mode = |enforced: bool| decision.matches.iter().filter(move |found| found.enforced == enforced);
    let mut differences = Vec::new();
    if let Some(rejected) = &expect.rejected {
        let (expected, found) = (text_of(rejected), String::from("an operation that is accepted"));
        differences.push(Difference { key: "rejected", expected, found });
    }
    if let Some(verdict) = &expect.verdict
        && verdict != decision.verdict.name()
    {
        let (expected, found) = (verdict.clone(), String::from(decision.verdict.name()));
        differences.push(Difference { key: "verdict", expected, found });
    }
    for (key, expected, enforced) in [("matches", &expect.matches, true), ("shadow", &expect.shadow, false)] {
        let found = of_mode(enforced).map(|found| &*found.rule).collect();
        differences.extend(compare_sets(key, expected.as_deref(), found));
    }
    let degraded = decision.degraded.iter().map(|name| &**name).collect();
    differences.extend(compare_sets("degraded", expect.degraded.as_deref(), degraded));
    if let Some(expected) = &expect.commands {
        let wanted: Vec<Wanted<'_>> = expected.iter().map(wanted_command).collect();
        let found: Vec<Found> = decision.commands.iter().map(found_command).collect();
        differences.extend(compare_lists("commands", start, &wanted, &found));
    }
    if let Some(expected) = &expect.restrictions {
        let wanted: Vec<Wanted<'_>> = expected.iter().map(wanted_restriction).collect();
        let found = active_restrictions(pipeline, operation);
        differences.extend(compare_lists("restrictions", start, &wanted, &found));
    }
    differences
}

/// Compares the reason for which a record was refused with what the step expects.
pub(super) fn rejected(expect: &Expect, rejection: &Rejection) -> Option<Difference> {
    let Some(expected) = &expect.rejected else {
        let (expected, found) = (String::from("an operation that is accepted"), reason(rejection));
        return Some(Difference { key: "operation", expected, found });
    };
    let is_it = expected.code == rejection.code.name()
        && expected.field.as_deref().is_none_or(|field| rejection.field.as_deref() == Some(field));
    (!is_it).then(|| Difference { key: "rejected", expected: text_of(expected), found: reason(rejection) })
}

fn reason(rejection: &Rejection) -> String {
    let field = rejection.field.as_deref().unwrap_or("the record");
    format!("{} in {field}: {}", rejection.code.name(), rejection.message)
}

fn text_of(rejection: &ExpectedRejection) -> String {
    let field = rejection.field.as_ref().map_or_else(String::new, |field| format!(" in {field}"));
    format!("{}{field}", rejection.code)
}

fn wanted_command(expected: &ExpectedCommand) -> Wanted<'_> {
    let ExpectedCommand { kind, rule, of, terms, times } = expected;
    Wanted { kind: Some(kind), rule: rule.as_deref(), of: of.as_deref(), terms, times: *times }
}

fn wanted_restriction(expected: &ExpectedRestriction) -> Wanted<'_> {
    let ExpectedRestriction { rule, kind, terms, times } = expected;
    Wanted { kind: kind.as_deref(), rule: Some(rule), of: None, terms, times: *times }
}

fn found_command(command: &Command) -> Found {
    let (Subject::Operation(of, _) | Subject::Wallet(of) | Subject::Ip(of)) = &command.subject;
    let terms = command.restriction.as_ref();
    Found {
        kind: command.kind.name(),
        rule: String::from(&*command.rule),
        of: String::from(&**of),
        from: terms.map(|terms| terms.from),
        until: terms.and_then(|terms| terms.until),
    }
}

/// Lists the restrictions in force for the wallet or the address of a step, the holds of single operations included.
fn active_restrictions(
    pipeline: &Pipeline<MemoryStore, super::TestAddresses>,
    operation: &Operation<'_>,
) -> Vec<Found> {
    let at = operation.occurred_at;
    let engine = &pipeline.engine;
    let wallet = engine.wallets().get(symbol_of_text(&operation.wallet_id), &operation.wallet_id);
    let mut restrictions = wallet.map_or_else(Vec::new, |wallet| wallet.restrictions().to_vec());
    if let Some(address) = operation.ip {
        let party = Party::Address(address);
        let request = SharedRequest { windows: Vec::new(), parties: vec![party] };
        let mut view = SharedView::default();
        pipeline.store.fetch(engine.plan(), &request, &mut view);
        restrictions.extend(view.blocks(party).iter().cloned());
    }
    let mut active: Vec<Found> = Vec::new();
    for restriction in restrictions.iter().filter(|restriction| restriction.covers(at)) {
        active.push(Found {
            kind: restriction.kind.name(),
            rule: String::from(&*restriction.rule),
            of: String::new(),
            from: Some(restriction.from),
            until: restriction.until,
        });
    }
    for waiting in wallet.map_or(&[][..], Wallet::waiting) {
        for hold in waiting.holds.iter().filter(|hold| hold.own.is_some()) {
            let (rule, of) = (String::from(&*hold.rule), String::from(&*waiting.op_id));
            active.push(Found { kind: "hold", rule, of, from: Some(waiting.since), until: None });
        }
    }
    active
}

/// Every item is found, so often as it says; everything found is one of the items.
fn compare_lists(key: &'static str, start: Time, wanted: &[Wanted<'_>], found: &[Found]) -> Option<Difference> {
    let is_there = |item: &Wanted<'_>| {
        let count = found.iter().filter(|found| item.is(found, start)).count();
        item.times.map_or(count > 0, |times| u32::try_from(count) == Ok(times))
    };
    let is_wanted = |found: &Found| wanted.iter().any(|item| item.is(found, start));
    if wanted.iter().all(is_there) && found.iter().all(is_wanted) {
        return None;
    }
    let is_plain = |item: &Wanted<'_>| {
        let names = [item.kind, item.rule, item.of].into_iter().flatten().count();
        names == 1 && *item.terms == ExpectedTerms::default() && item.times.is_none()
    };
    let (expected, found) = if wanted.iter().all(is_plain) {
        let name = |found: &Found| if key == "commands" { String::from(found.kind) } else { found.rule.clone() };
        (wanted.iter().map(|item| item.text(start)).collect(), found.iter().map(name).collect::<BTreeSet<String>>())
    } else {
        let numbered = found.iter().enumerate().map(|(number, found)| format!("{}. {}", number + 1, found.text()));
        (wanted.iter().map(|item| item.text(start)).collect::<BTreeSet<String>>(), numbered.collect())
    };
    let text = |names: BTreeSet<String>| format!("[{}]", names.into_iter().collect::<Vec<_>>().join(", "));
    Some(Difference { key, expected: text(expected), found: text(found) })
}

impl Wanted<'_> {
    fn is(&self, found: &Found, start: Time) -> bool {
        let is_of = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        is_of(self.kind, found.kind)
            && is_of(self.rule, &found.rule)
            && is_of(self.of, &found.of)
            && self.terms.from.is_none_or(|from| found.from == Some(start.plus(from)))
            && self.terms.until.is_none_or(|until| found.until == until.map(|until| start.plus(until)))
    }

    fn text(&self, start: Time) -> String {
        let mut words: Vec<String> = [self.kind, self.rule, self.of].into_iter().flatten().map(String::from).collect();
        words.extend(self.terms.from.map(|from| format!("from {}", start.plus(from))));
        words.extend(self.terms.until.map(|until| until_text(until.map(|until| start.plus(until)))));
        words.extend(self.times.map(|times| format!("times {times}")));
        words.join(" ")
    }
}

impl Found {
    fn text(&self) -> String {
        let mut words = vec![self.kind.to_owned(), self.rule.clone()];
        words.extend((!self.of.is_empty()).then(|| self.of.clone()));
        if let Some(from) = self.from {
            words.push(format!("from {from} {}", until_text(self.until)));
        }
        words.join(" ")
    }
}

fn until_text(until: Option<Time>) -> String {
    until.map_or_else(|| String::from("until lifted"), |until| format!("until {until}"))
}

fn compare_sets(key: &'static str, expected: Option<&[String]>, found: BTreeSet<&str>) -> Option<Difference> {
    let expected: BTreeSet<&str> = expected?.iter().map(String::as_str).collect();
    let text = |names: &BTreeSet<&str>| {
        let names: Vec<&str> = names.iter().copied().collect();
        format!("[{}]", names.join(", "))
    };
    (expected != found).then(|| Difference { key, expected: text(&expected), found: text(&found) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::time::{HOUR, Nanos, SECOND};

    const START: Time = Time::from_nanos(1_772_434_800_000_000_000);

    fn found(kind: &'static str, of: &str, until: Option<Nanos>) -> Found {
        let until = until.map(|until| START.plus(until));
        Found { kind, rule: "r".into(), of: of.into(), from: Some(START), until }
    }

    fn command(kind: &str, of: Option<&str>, times: Option<u32>) -> ExpectedCommand {
        let (rule, terms) = (None, ExpectedTerms::default());
        ExpectedCommand { kind: kind.into(), rule, of: of.map(String::from), terms, times }
    }

    fn is_equal(expected: &[ExpectedCommand], found: &[Found]) -> bool {
        let wanted: Vec<Wanted<'_>> = expected.iter().map(wanted_command).collect();
        compare_lists("commands", START, &wanted, found).is_none()
    }

    #[test]
    fn plain_items_are_a_set_of_kinds() {
        let two = [found("release", "op-1", None), found("release", "op-2", None)];
        assert!(is_equal(&[command("release", None, None)], &two));
        assert!(!is_equal(&[command("release", None, None), command("lift", None, None)], &two));
        assert!(!is_equal(&[], &two));
        assert!(is_equal(&[], &[]));
    }

    #[test]
    fn an_item_may_say_what_it_is_about_and_how_often_it_comes() {
        let two = [found("release", "op-1", None), found("release", "op-2", None)];
        assert!(is_equal(&[command("release", Some("op-1"), None), command("release", Some("op-2"), None)], &two));
        assert!(!is_equal(&[command("release", Some("op-1"), None)], &two), "op-2 is released too");
        assert!(is_equal(&[command("release", None, Some(2))], &two));
        assert!(!is_equal(&[command("release", None, Some(1))], &two));
    }

    #[test]
    fn an_item_may_say_from_when_until_when() {
        let of = |until| ExpectedRestriction {
            rule: "r".into(),
            kind: None,
            terms: ExpectedTerms { from: Some(Nanos::ZERO), until: Some(until) },
            times: None,
        };
        let differs = |until, found: Found| {
            let expected = of(until);
            compare_lists("restrictions", START, &[wanted_restriction(&expected)], &[found])
        };
        assert_eq!(differs(Some(SECOND), found("block", "", Some(SECOND))), None);
        assert_eq!(differs(None, found("monitor", "", None)), None);
        let difference = differs(None, found("block", "", Some(HOUR))).expect("it has an end");
        assert_eq!(difference.expected, "[r from 2026-03-02T07:00:00Z until lifted]");
        assert_eq!(difference.found, "[1. block r from 2026-03-02T07:00:00Z until 2026-03-02T08:00:00Z]");
    }
}
