//! Decides one operation after those before it and keeps what every rule saw: what fired, what nearly did, since
//! when each part of it holds and when it will not hold any more, and what is in force afterwards.

use std::sync::Arc;

use super::parts::{Part, parts};
use super::sentence::{Sides, Teller, Values};
use crate::engine::Engine;
use crate::engine::enrich::Enriched;
use crate::engine::examine::Examined;
use crate::engine::matching::counted::CountedOperations;
use crate::engine::restriction::Restriction;
use crate::engine::shared::{Party, SharedView};
use crate::engine::value::Ratio;
use crate::engine::wallet::Wallet;
use crate::operation::decision::{Clauses, Decision};
use crate::operation::decode::Rejection;
use crate::operation::localized::{Language, Value};
use crate::operation::time::{DAY, MILLISECOND, Nanos};
use crate::operation::{Money, Time};
use crate::pipeline::{AddressBook, Answer, Pipeline, Record, SharedStore, SharedStoreError};
use crate::rules::program::{AggregateId, Evidence, Function, Lifter, Lifters, Operand, Rule, RuleSet, Type, Window};

/// One operation, the decision on it, and why.
#[derive(Debug)]
pub struct Examination {
    pub decision: Box<Decision>,
    pub amount: Option<Money>,
    pub rules: Arc<RuleSet>,
    /// Those that fired and those that nearly did, in the order of their ids.
    pub findings: Vec<RuleFinding>,
    /// What is in force after the operation, for its wallet, its address and itself.
    pub in_force: Vec<Restraint>,
}

/// What a rule that fired or nearly did saw. Nearly: all parts of its condition's outermost `and` hold but one.
#[derive(Debug)]
pub struct RuleFinding {
    /// Position in the rule set.
    pub rule: usize,
    pub enforced: bool,
    pub fired: bool,
    pub parts: Vec<PartFinding>,
    pub(super) values: Values,
}

/// What became of one part of a condition.
#[derive(Debug)]
pub struct PartFinding {
    pub(super) part: Part,
    pub(super) sides: Sides,
    /// `None` is unknown: something that it reads is missing.
    pub holds: Option<bool>,
    /// When the oldest of what it counts happened.
    pub since: Option<Time>,
    /// The first millisecond at which the oldest of what it counts is not counted any more.
    pub leaves: Option<Time>,
    /// The first millisecond at which it does not hold any more, if the wallet does nothing until then.
    pub clears: Option<Time>,
    /// Which operations of the wallet the aggregates that it reads counted, by the aggregates' texts.
    pub counted: Vec<(String, CountedOperations)>,
}

/// Something in force after the operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restraint {
    /// `monitor`, `block`, `hold`, or `pin` where the PIN is asked for.
    pub kind: &'static str,
    /// `debit`, `both` or `login` of a block, otherwise empty.
    pub direction: &'static str,
    pub rule: Arc<str>,
    pub clauses: Clauses,
    pub from: Time,
    /// `None` until it is lifted.
    pub until: Option<Time>,
    pub lifted_by: Lifters,
}

/// What became of a record that was to be explained.
#[derive(Debug)]
pub enum Explained {
    Decided(Box<Examination>),
    /// The operation was decided before.
    Duplicate,
    Rejected(Rejection),
}

impl Examination {
    /// Decides a record as the pipeline's next one and tells why it is decided so.
    ///
    /// # Errors
    /// The shared store did not take the changes.
    pub fn of<S: SharedStore, G: AddressBook>(
        pipeline: &mut Pipeline<S, G>,
        record: Record<'_>,
    ) -> Result<Explained, SharedStoreError> {
        let rules = Arc::clone(&pipeline.engine.plan().rules);
        let found = pipeline.look_at(record, |engine, enriched, view| {
            let told = engine.examine(enriched, view).into_iter().filter(is_told);
            let mut findings: Vec<RuleFinding> = told.map(|examined| finding(&rules, enriched, examined)).collect();
            look_ahead(engine, (enriched, view), &mut findings, Counted::Without);
            findings
        });
        let mut findings = match found {
            Ok(findings) => findings,
            Err(rejection) => return Ok(Explained::Rejected(rejection)),
        };
        let committed = pipeline.process(&[record])?;
        let decision = match committed.answers.into_iter().next() {
            Some(Answer::Decided(decision)) => decision,
            Some(Answer::Rejected(rejection)) => return Ok(Explained::Rejected(rejection)),
            Some(Answer::Duplicate { .. }) | None => return Ok(Explained::Duplicate),
        };
        let after = pipeline.look_at(record, |engine, enriched, view| {
            look_ahead(engine, (enriched, view), &mut findings, Counted::With);
            (in_force(engine, enriched, view), enriched.operation.amount)
        });
        let (in_force, amount) = match after {
            Ok(after) => after,
            Err(rejection) => return Ok(Explained::Rejected(rejection)),
        };
        findings.sort_by_key(|finding| finding.rule);
        Ok(Explained::Decided(Box::new(Self { decision, amount, rules, findings, in_force })))
    }

    /// Lists the rules, by position, that [`Self::of`] would tell of: nothing is decided.
    pub fn rules_told_of<S: SharedStore, G: AddressBook>(
        pipeline: &mut Pipeline<S, G>,
        record: Record<'_>,
    ) -> Vec<usize> {
        let found = pipeline.look_at(record, |engine, enriched, view| {
            let told = engine.examine(enriched, view).into_iter().filter(is_told);
            told.map(|examined| examined.rule).collect()
        });
        found.unwrap_or_default()
    }

    /// Returns the rule of a finding.
    #[must_use]
    pub fn rule_of(&self, finding: &RuleFinding) -> &Rule {
        &self.rules.rules[finding.rule]
    }
}

/// Tells whether a rule fired or nearly did.
fn is_told(examined: &Examined) -> bool {
    let missed = examined.parts.iter().filter(|part| part.holds != Some(true)).count();
    examined.fired || (examined.parts.len() > 1 && missed == 1)
}

fn finding(
    rules: &RuleSet,
    enriched: &Enriched<'_>,
    Examined { rule: index, enforced, fired, parts: examined, values, counted }: Examined,
) -> RuleFinding {
    let rule = &rules.rules[index];
    let named = rule.evidence.iter().map(|item| item.name.clone()).zip(values).collect();
    let values = Values { named, mrp: rules.mrp.at(enriched.operation.occurred_at) };
    let teller = Teller::new(&rule.source, &values, Language::English);
    // A condition that is left out always holds: it has nothing to tell.
    let parts = parts(&rule.source).into_iter().zip(examined).map(|(part, examined)| {
        let sides = examined.sides.map_or([None, None], |[left, right]| {
            let [left_kind, right_kind] = teller.kinds_of_sides(&part.expression);
            [value_of(left, left_kind), value_of(right, right_kind)]
        });
        let of_part = |(place, counted): &(usize, CountedOperations)| {
            let name = &rule.evidence[*place].name;
            part.reads.contains(name).then(|| (name.clone(), counted.clone()))
        };
        let counted = counted.iter().filter_map(of_part).collect();
        PartFinding { part, sides, holds: examined.holds, since: None, leaves: None, clears: None, counted }
    });
    let parts = parts.collect();
    RuleFinding { rule: index, enforced, fired, parts, values }
}

/// Whether an aggregate counts the operation that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// What it comes to later is to be asked before the operation is decided.
    Without,
    /// To be asked after that.
    With,
}

/// Finds for the parts that hold when what they count leaves its windows.
fn look_ahead(
    engine: &mut Engine,
    (enriched, view): (&Enriched<'_>, &SharedView),
    findings: &mut [RuleFinding],
    counted: Counted,
) {
    let rules = Arc::clone(&engine.plan().rules);
    let at = enriched.operation.occurred_at;
    let mut later = enriched.clone();
    for finding in findings {
        let rule = &rules.rules[finding.rule];
        for (position, part) in finding.parts.iter_mut().enumerate() {
            let read = aggregates_of(part, rule);
            let is_without = |id: AggregateId| {
                let aggregate = &rules.aggregates[id];
                aggregate.function == Function::Last || aggregate.excluding_this
            };
            let is_asked_now = read.iter().all(|(_, id)| is_without(*id)) == (counted == Counted::Without);
            if part.holds != Some(true) || read.is_empty() || !is_asked_now {
                continue;
            }
            let ask = |time: Time| {
                later.operation.occurred_at = time;
                engine.examine_later(&later, view, finding.rule)
            };
            find_times(part, (&rules, &read, position), at, ask);
        }
    }
}

/// Lists the aggregates that a part reads, each with its place in the rule's evidence.
fn aggregates_of(part: &PartFinding, rule: &Rule) -> Vec<(usize, AggregateId)> {
    let items = rule.evidence.iter().enumerate().filter(|(_, item)| part.part.reads.contains(&item.name));
    let aggregate = |(place, item): (usize, &Evidence)| match item.what {
        Operand::Aggregate(id) => Some((place, id)),
        Operand::Field(..) => None,
    };
    items.filter_map(aggregate).collect()
}

/// Finds the times of one part by asking what it would come to later.
fn find_times(
    found: &mut PartFinding,
    (rules, read, position): (&RuleSet, &[(usize, AggregateId)], usize),
    at: Time,
    mut ask: impl FnMut(Time) -> Option<Examined>,
) {
    let Some(longest) = read.iter().map(|(_, id)| reach_of(rules.aggregates[*id].window)).max() else { return };
    let end = at.plus(longest);
    let holds = |examined: Option<Examined>| {
        examined.and_then(|examined| examined.parts.get(position).map(|part| part.holds == Some(true))) == Some(true)
    };
    if holds(ask(at)) && !holds(ask(end)) {
        found.clears = Some(to_millisecond(first_without(at, end, |time| holds(ask(time)))));
    }
    // Of one thing that is counted it can be told which is the oldest.
    let [(place, id)] = read[..] else { return };
    let aggregate = &rules.aggregates[id];
    let value = |examined: Option<Examined>| examined.and_then(|examined| examined.values.get(place).cloned());
    match (aggregate.function, aggregate.window) {
        (Function::Age, _) => {
            if let Some(Value::Duration(age)) = value(ask(at)) {
                found.since = i64::try_from(age).ok().map(|age| at.minus(Nanos::new(age)));
            }
        }
        (Function::Count | Function::Sum | Function::Last | Function::Any, Window::Within(length)) => {
            let now = value(ask(at));
            if now.is_some() && value(ask(end)) != now {
                let leaves = first_without(at, end, |time| value(ask(time)) == now);
                found.since = Some(leaves.minus(length + Nanos::ONE));
                found.leaves = Some(to_millisecond(leaves));
            }
        }
        _ => {}
    }
}

/// Returns how long after an operation its entry in a window has certainly gone.
const fn reach_of(window: Window) -> Nanos {
    let length = match window {
        Window::Within(length) | Window::Quiet(length) => length,
        Window::Today => DAY,
        Window::ThisMonth => DAY.times(32),
    };
    length.saturating_add(Nanos::ONE)
}

/// Returns the first instant at which it is not so any more: it is so at `from`, and not at `until`.
fn first_without(from: Time, until: Time, mut is_so: impl FnMut(Time) -> bool) -> Time {
    let (mut so, mut not) = (from.nanos(), until.nanos());
    while not - so > 1 {
        let middle = so + (not - so) / 2;
        if is_so(Time::from_nanos(middle)) { so = middle } else { not = middle }
    }
    Time::from_nanos(not)
}

/// Rounds up to a whole millisecond, as operations bear their times.
const fn to_millisecond(time: Time) -> Time {
    let before = time.rounded_down(MILLISECOND);
    if before.nanos() == time.nanos() { time } else { before.plus(MILLISECOND) }
}

/// Makes a value of a computed number: one that is no whole one is rounded.
pub(super) fn value_of(ratio: Option<Ratio>, kind: Type) -> Option<Value> {
    let Ratio { numerator, denominator } = ratio?;
    let whole = if denominator == 1 {
        numerator
    } else {
        numerator.checked_mul(2)?.checked_add(denominator)?.div_euclid(denominator.checked_mul(2)?)
    };
    Some(match kind {
        Type::Money => Value::Money(whole),
        Type::Duration => Value::Duration(whole),
        Type::Time => Value::Time(Time::from_nanos(i64::try_from(whole).unwrap_or(i64::MAX))),
        _ if denominator == 1 => Value::Whole(whole),
        // What an attribute or a quotient is worth is told by what it was made of.
        _ => return None,
    })
}

/// Lists what is in force for the wallet, the address and the operation itself.
fn in_force(engine: &Engine, enriched: &Enriched<'_>, view: &SharedView) -> Vec<Restraint> {
    let at = enriched.operation.occurred_at;
    let wallet = engine.wallets().get(enriched.wallet, &enriched.operation.wallet_id);
    let of_wallet = wallet.map_or(&[][..], Wallet::restrictions).iter();
    let of_address = enriched.operation.ip.map_or(&[][..], |ip| view.blocks(Party::Address(ip))).iter();
    let covering = of_wallet.chain(of_address).filter(|restriction| restriction.covers(at));
    let mut in_force: Vec<Restraint> = covering.map(restraint).collect();
    let waiting = wallet.map_or(&[][..], Wallet::waiting).iter();
    for waiting in waiting.filter(|waiting| waiting.id == enriched.id) {
        for hold in &waiting.holds {
            let Some(lifted_by) = hold.own else { continue };
            let (rule, clauses) = (hold.rule.clone(), hold.clauses.clone());
            let from = waiting.since;
            in_force.push(Restraint { kind: "hold", direction: "", rule, clauses, from, until: None, lifted_by });
        }
        for pin in &waiting.pins {
            let (rule, clauses) = (pin.rule.clone(), pin.clauses.clone());
            let (from, lifted_by) = (waiting.since, Lifters::default().with(Lifter::Pin));
            in_force.push(Restraint { kind: "pin", direction: "", rule, clauses, from, until: None, lifted_by });
        }
    }
    in_force
}

fn restraint(restriction: &Restriction) -> Restraint {
    Restraint {
        kind: restriction.kind.name(),
        direction: restriction.kind.direction(),
        rule: restriction.rule.clone(),
        clauses: restriction.clauses.clone(),
        from: restriction.from,
        until: restriction.until,
        lifted_by: restriction.lifted_by,
    }
}
