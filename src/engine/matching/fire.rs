//! Evaluates the rules of an operation in order: what fires, and what was missing.

use smallvec::SmallVec;

use crate::engine::matching::evaluate::Facts;
use crate::engine::matching::evaluation::{Evaluation, Fired};
use crate::engine::matching::evidence::{message, show};
use crate::engine::mutant::EngineMutant;
use crate::engine::plan::rule::PlannedRule;
use crate::geo::Lookup;
use crate::operation::OperationType;
use crate::operation::decision::{EvidenceValue, Match};
use crate::operation::localized::Value;
use crate::rules::program::{Action, Field, Inputs, Operand, Rule, Scope, Stream};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What firing the rules of one operation has come to.
pub(crate) struct Firing {
    matches: Vec<Match>,
    /// Inputs that were missing.
    degraded: Degraded,
    /// Rules of one stage do not see each other's matches.
    pending: Vec<Fired>,
    stage: u32,
    /// The operation is refused by what fired, or was from the beginning.
    refused: bool,
    lacking: Inputs,
}

/// What was missing when the rules of one operation were asked.
#[derive(Debug, Default)]
pub(crate) struct Degraded {
    inputs: Inputs,
    /// The keys of attributes whose values are of another kind than rules compare.
    attributes: BTreeSet<Arc<str>>,
}

impl Degraded {
    /// Adds inputs that were missing.
    pub(crate) const fn add(&mut self, inputs: Inputs) {
        self.inputs = self.inputs.union(inputs);
    }
}

/// Evaluates the rules in order; returns what fired and the inputs that were missing.
pub(crate) fn fire_rules(evaluation: &mut Evaluation<'_, '_>, refused: bool) -> (Vec<Match>, Degraded) {
    let met = evaluation.plan.of(evaluation.enriched.operation.kind);
    let lacking = may_be_missing(evaluation).union(long_totals(evaluation));
    let (matches, pending, degraded) = (Vec::new(), Vec::new(), Degraded::default());
    let mut firing = Firing { matches, degraded, pending, stage: 0, refused, lacking };
    for group in &met.groups {
        for number in group.candidates(lacking, |demand| evaluation.ask(demand)) {
            firing.evaluate(evaluation, &met.rules[number]);
        }
    }
    evaluation.fired.append(&mut firing.pending);
    (firing.matches, firing.degraded)
}

impl Firing {
    #[inline]
    fn evaluate(&mut self, evaluation: &mut Evaluation<'_, '_>, planned: &PlannedRule) {
        let at = evaluation.at();
        if !planned.is_in_force(at) {
            return;
        }
        if planned.stage != self.stage {
            evaluation.fired.append(&mut self.pending);
            self.stage = planned.stage;
        }
        // Refused logins are no attempts: no run rule looks at them.
        if planned.reads_login_run && evaluation.enriched.operation.kind == OperationType::Login && self.refused {
            return;
        }
        evaluation.for_enforced = evaluation.is_enforced(planned);
        if planned.lacks_a_list {
            self.degraded.inputs = self.degraded.inputs.union(Inputs::SHARED_STATE);
        }
        if planned.needs.meets(self.lacking) {
            note_missing(evaluation, &evaluation.plan.rules.rules[planned.index], &mut self.degraded);
        }
        if evaluation.ask(&planned.when).unwrap_or(planned.fires_unknown) {
            self.fire(evaluation, planned.index);
        }
    }

    #[inline(never)]
    fn fire(&mut self, evaluation: &mut Evaluation<'_, '_>, index: usize) {
        let rule = &evaluation.plan.rules.rules[index];
        let enforced = evaluation.for_enforced && is_within_budget(evaluation, index);
        self.refused |= enforced && !rule.reads_login_run && rule.actions.contains(&Action::Refuse);
        let values: SmallVec<[Value; 4]> = rule.evidence.iter().map(|item| show(evaluation, item)).collect();
        let message = rule.message.as_ref().filter(|_| enforced).map(|text| message(evaluation, text, &values));
        let names = rule.evidence.iter().map(|item| item.name.as_str().into());
        let evidence = names.zip(values.into_iter().map(EvidenceValue::from)).collect();
        let (id, clauses) = (rule.id.clone(), rule.clauses.clone());
        self.matches.push(Match { rule: id, clauses, enforced, evidence, message });
        self.pending.push(Fired { rule: index, enforced });
    }
}

/// Counts an operation against the budget of an enforced rule that fired; tells whether the rule may act on it. What a
/// restriction in force stops anyway is not counted: it would be stopped without the rule.
fn is_within_budget(evaluation: &mut Evaluation<'_, '_>, rule: usize) -> bool {
    let settings = &evaluation.plan.settings;
    let is_counted = !evaluation.is_stopped || settings.has(EngineMutant::StoppedCountedAgain);
    let (of, at) = ((evaluation.at(), evaluation.seq), evaluation.budgets);
    let plan = evaluation.plan;
    let Some(spends) = evaluation.spends.as_mut().filter(|_| is_counted && plan.budget(rule).is_some()) else {
        return true;
    };
    let Some(breach) = at.breach(plan, rule, spends.minute(), of) else {
        spends.stopped.push(rule);
        return true;
    };
    spends.breached.push((rule, breach));
    settings.has(EngineMutant::BreachStopsOnce)
}

/// Returns the inputs that a rule may lack on this operation.
pub(crate) fn may_be_missing(evaluation: &Evaluation<'_, '_>) -> Inputs {
    let facts = &evaluation.enriched.facts;
    let view = evaluation.view;
    [
        (Inputs::GEOIP_COUNTRY, facts.country == Lookup::DatabaseMissing),
        (Inputs::GEOIP_ANONYMIZER, facts.lacks_anonymizers()),
        (Inputs::MRP, evaluation.mrp().is_none()),
        (Inputs::SHARED_STATE, view.may_lack()),
        (Inputs::ATTRIBUTES, has_attribute_of_another_kind(evaluation)),
    ]
    .into_iter()
    .filter(|(_, may_be)| *may_be)
    .fold(Inputs::default(), |all, (input, _)| all.union(input))
}

/// Computes the totals of decimals that rules of the operation's type read, where one may be too long: some decimal
/// is kept as a text. What is told of them then does not depend on which part of a condition is asked first.
fn long_totals(evaluation: &mut Evaluation<'_, '_>) -> Inputs {
    let plan = evaluation.plan;
    let totals = &plan.of(evaluation.enriched.operation.kind).totals;
    let mut lacking = Inputs::default();
    for id in totals {
        if plan.aggregates[*id].definition.stream == Stream::Matches || evaluation.is_too_long(*id) {
            lacking = Inputs::ATTRIBUTES;
        }
    }
    lacking
}

/// Tells whether a rule or a window of the operation's type compares an attribute as something that it is not.
fn has_attribute_of_another_kind(evaluation: &Evaluation<'_, '_>) -> bool {
    let operation = &evaluation.enriched.operation;
    let compared = &evaluation.plan.of(operation.kind).attributes;
    !operation.attributes.is_empty() && compared.iter().any(|field| !fits(evaluation, field))
}

/// Tells whether an attribute is absent, or of the type that comparisons and windows want.
fn fits(evaluation: &Evaluation<'_, '_>, field: &Field) -> bool {
    let is_present = matches!(field, Field::Attribute(name, _) if evaluation.attribute(name).is_some());
    !is_present || evaluation.word(Scope::This, field).is_some()
}

/// Notes the attributes that the rule compares or looks back at and that are of another kind, and those whose total
/// is too long.
fn note_attributes(evaluation: &mut Evaluation<'_, '_>, rule: &Rule, degraded: &mut Degraded) {
    for id in &rule.aggregates {
        if let Some(Field::Attribute(name, _)) = &evaluation.plan.aggregates[*id].definition.value
            && evaluation.is_too_long(*id)
        {
            degraded.attributes.insert(Arc::clone(name));
        }
    }
    let kind = evaluation.enriched.operation.kind;
    let entered = rule.aggregates.iter().map(|id| &evaluation.plan.aggregates[*id].definition);
    let entered = entered.filter(|it| matches!(it.stream, Stream::Operations(types) if types.contains(kind)));
    let looked_back_at = entered.filter_map(|it| it.value.as_ref()).filter(|field| !fits(evaluation, field));
    let of_another_kind = rule.attributes.iter().filter(|field| evaluation.is_of_another_kind(field));
    for field in looked_back_at.chain(of_another_kind) {
        if let Field::Attribute(name, _) = field {
            degraded.attributes.insert(Arc::clone(name));
        }
    }
}

/// Notes which inputs the rule needs on this operation and has not.
pub(crate) fn note_missing(evaluation: &mut Evaluation<'_, '_>, rule: &Rule, degraded: &mut Degraded) {
    if rule.needs.contains(Inputs::ATTRIBUTES) {
        note_attributes(evaluation, rule, degraded);
    }
    let needs = rule.needs;
    let facts = &evaluation.enriched.facts;
    let has_address = evaluation.enriched.operation.ip.is_some();
    // A field of this operation's own address needs an address; an aggregate's past ones do not.
    let reads = |field: Field| rule.evidence.iter().any(|item| item.what == Operand::Field(Scope::This, field.clone()));
    let country = facts.country == Lookup::DatabaseMissing && (has_address || !reads(Field::IpCountry));
    let anonymizer = facts.lacks_anonymizers() && (has_address || !reads(Field::IpIsAnonymizer));
    for (input, is_missing) in [
        (Inputs::GEOIP_COUNTRY, country),
        (Inputs::GEOIP_ANONYMIZER, anonymizer),
        (Inputs::MRP, evaluation.mrp().is_none()),
        (Inputs::SHARED_STATE, is_shared_state_missing(evaluation, rule)),
    ] {
        if is_missing && needs.contains(input) {
            degraded.inputs = degraded.inputs.union(input);
        }
    }
}

/// Tells whether the store is away, or has lost a part of what the rule reads.
pub(crate) fn is_shared_state_missing(evaluation: &Evaluation<'_, '_>, rule: &Rule) -> bool {
    let (view, plan) = (evaluation.view, evaluation.plan);
    if !view.may_lack() {
        return false;
    }
    let is_part = |id: &usize| {
        let aggregate = &plan.aggregates[*id];
        !aggregate.owned && !view.is_complete(aggregate, evaluation.reading_key(aggregate), evaluation.at())
    };
    !view.available || rule.aggregates.iter().any(is_part)
}

pub(crate) fn names_of(degraded: Degraded) -> Vec<Cow<'static, str>> {
    let inputs = [
        (Inputs::GEOIP_COUNTRY, "geoip.country"),
        (Inputs::GEOIP_ANONYMIZER, "geoip.anonymizer"),
        (Inputs::SHARED_STATE, "shared_state"),
        (Inputs::MRP, "mrp"),
    ]
    .into_iter()
    .filter(|(input, _)| degraded.inputs.contains(*input))
    .map(|(_, name)| Cow::Borrowed(name));
    inputs.chain(degraded.attributes.iter().map(|key| Cow::Owned(format!("attributes.{key}")))).collect()
}
