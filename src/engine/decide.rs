//! Decides one operation: pure, and unable to fail.
//!
//! In this order: duplicate? → what restrictions are in force → plain rules → rules that read a run
//! of logins (not on a refused login) → rules that read matches → verdict → what the rules place →
//! what the operation itself lifts or clears → the changes to state.

use smallvec::SmallVec;

use crate::geo::Lookup;
use crate::operation::decision::{Command, Decision, EvidenceValue, Match, Verdict, decision_id};
use crate::operation::time::Span;
use crate::operation::{OperationType, Time};
use crate::rules::program::{
    Action, Block, Evidence, Field, Function, Inputs, Operand, Rule, Scope, Stream, Type, country_of_symbol,
};

use super::enrich::Enriched;
use super::evaluate::{self, AggregateValue, Facts, Ratio};
use super::fault::Fault;
use super::judge::{Fired, Judge};
use super::lifecycle::Lifecycle;
use super::memo::Memo;
use super::outcome::{Changes, Outcome, SharedChanges, Step};
use super::plan::{Plan, PlannedRule, ROW_AT, ROW_CONTENT, ROW_FLAGS, ROW_HEADER, ROW_ID, ROW_SEQ};
use super::restriction::{Restriction, RestrictionKind};
use super::shared::{Party, SharedChange, SharedKey, SharedView};
use super::wallet::{FLAG_MATCH, FLAG_MONEY, FLAG_REFUSED, FLAG_SHADOW, Run, Wallet};
use super::window::Entry;

/// What deciding reads besides the operation.
pub struct Context<'e> {
    pub plan: &'e Plan,
    pub wallet: &'e Wallet,
    pub view: &'e SharedView,
    /// The Almaty day of the operation.
    pub day: Span,
    /// The MRP of that day in tiyn.
    pub mrp: Option<i64>,
    /// The sequence number the decision will have.
    pub seq: u64,
}

/// The restrictions that bear on an operation.
#[derive(Default)]
pub struct InForce<'e> {
    /// Of the acting wallet, whatever they do.
    pub wallet: SmallVec<[&'e Restriction; 4]>,
    /// Blocks that refuse this operation.
    pub refusing: SmallVec<[&'e Restriction; 4]>,
    /// Monitorings that hold this operation.
    pub holding: SmallVec<[&'e Restriction; 4]>,
}

/// Decides an operation; `memo` is scratch space.
#[must_use]
pub fn decide(context: &Context<'_>, enriched: &Enriched<'_>, memo: &mut Memo) -> Step {
    let (plan, wallet) = (context.plan, context.wallet);
    let operation = &enriched.operation;
    if let Some(step) = find_duplicate(plan, wallet, enriched) {
        return step;
    }
    let in_force = find_restrictions(context, enriched);
    memo.start(plan, operation.kind);
    let mut judge = Judge {
        plan,
        operation: enriched,
        wallet,
        view: context.view,
        day: context.day,
        mrp: context.mrp,
        is_blocked: in_force.wallet.iter().any(|r| matches!(r.kind, RestrictionKind::Block(_))),
        is_monitored: in_force.wallet.iter().any(|r| r.kind == RestrictionKind::Monitor),
        feeds: SmallVec::new(),
        fired: Vec::new(),
        for_enforced: false,
        memo,
    };
    judge.find_feeds();
    let (mut matches, degraded) = fire_rules(&mut judge, !in_force.refusing.is_empty());

    let is_plain = judge.fired.is_empty() && in_force.refusing.is_empty() && in_force.holding.is_empty();
    let (verdict, commands, mut changes, mut shared) = if is_plain && !has_effects(operation.kind) {
        (Verdict::Allow, Vec::new(), Changes::default(), SharedChanges::new())
    } else {
        live(context, &mut judge, &in_force, &mut matches)
    };

    matches.sort_by(|a, b| a.rule.cmp(&b.rule));
    let newest = wallet.newest();
    let late = newest.is_some_and(|newest| operation.occurred_at < newest.minus(plan.settings.lateness));
    record(&judge, (verdict, context.seq), &mut changes, &mut shared);
    let decision = Decision {
        decision_id: decision_id(&operation.wallet_id, &operation.op_id),
        op_id: (*operation.op_id).into(),
        wallet_id: (*operation.wallet_id).into(),
        kind: operation.kind,
        occurred_at: operation.occurred_at,
        verdict,
        matches,
        commands,
        late,
        degraded: names_of(degraded),
        ruleset: plan.ruleset.clone(),
    };
    Step::Decided(Outcome { decision: Box::new(decision), changes, shared })
}

/// Lets what fired and what is in force have their effects.
fn live<'e>(
    context: &Context<'e>,
    judge: &mut Judge<'_, '_>,
    in_force: &InForce<'e>,
    matches: &mut Vec<Match>,
) -> (Verdict, Vec<Command>, Changes, SharedChanges) {
    let mut lifecycle = Lifecycle::new(context, judge.operation, in_force);
    lifecycle.place(judge);
    let verdict = lifecycle.verdict(matches);
    lifecycle.command_operation(verdict);
    lifecycle.carry_out(verdict);
    lifecycle.report(judge);
    let (commands, changes, shared) = lifecycle.finish();
    (verdict, commands, changes, shared)
}

/// Tells whether operations of the type do something by themselves, whatever the rules say.
const fn has_effects(kind: OperationType) -> bool {
    matches!(
        kind,
        OperationType::Pin
            | OperationType::Cancelled
            | OperationType::IdentityConfirmed
            | OperationType::WalletUnblockRequested
            | OperationType::IpUnblockRequested
    )
}

fn find_duplicate(plan: &Plan, wallet: &Wallet, enriched: &Enriched<'_>) -> Option<Step> {
    let row = wallet.find(plan, enriched.id)?;
    let horizon = plan.settings.duplicate_horizon;
    if wallet.newest().is_some_and(|newest| row.at() < newest.minus(horizon)) {
        return None;
    }
    Some(if row.content() == enriched.content { Step::Duplicate { seq: row.seq() } } else { Step::Conflict })
}

fn find_restrictions<'e>(context: &Context<'e>, enriched: &Enriched<'_>) -> InForce<'e> {
    let operation = &enriched.operation;
    let at = operation.occurred_at;
    let mut in_force = InForce::default();
    for restriction in context.wallet.restrictions() {
        let at_end = context.plan.settings.has(Fault::EndInstantBlocked) && restriction.until == Some(at);
        if !restriction.covers(at) && !at_end {
            continue;
        }
        in_force.wallet.push(restriction);
        if applies(restriction.kind, operation.kind) {
            match restriction.kind {
                RestrictionKind::Monitor => in_force.holding.push(restriction),
                RestrictionKind::Block(_) => in_force.refusing.push(restriction),
            }
        }
    }
    let party = match operation.kind {
        OperationType::Login => operation.ip.map(Party::Address),
        OperationType::Transfer if enriched.counterparty != Some(enriched.wallet) => {
            enriched.counterparty.map(Party::Wallet)
        }
        _ => None,
    };
    if let Some(party) = party {
        in_force.refusing.extend(context.view.blocks(party).iter().filter(|block| block.covers(at)));
    }
    in_force
}

/// Tells whether a restriction of the acting wallet bears on its operations of this type.
#[must_use]
pub const fn applies(restriction: RestrictionKind, operation: OperationType) -> bool {
    match restriction {
        RestrictionKind::Monitor | RestrictionKind::Block(Block::WalletDebit) => operation.is_debit(),
        RestrictionKind::Block(Block::WalletBoth) => operation.is_money(),
        RestrictionKind::Block(Block::AddressLogin) => false,
    }
}

/// What firing the rules of one operation has come to.
struct Firing {
    matches: Vec<Match>,
    /// Inputs that were missing.
    degraded: Inputs,
    /// Rules of one stage do not see each other's matches.
    pending: Vec<Fired>,
    stage: u32,
    /// The operation is refused by what fired, or was from the beginning.
    refused: bool,
    lacking: Inputs,
}

/// Evaluates the rules in order; returns what fired and the inputs that were missing.
fn fire_rules(judge: &mut Judge<'_, '_>, refused: bool) -> (Vec<Match>, Inputs) {
    let met = judge.plan.of(judge.operation.operation.kind);
    let lacking = may_be_missing(judge);
    let (matches, pending, degraded) = (Vec::new(), Vec::new(), Inputs::default());
    let mut firing = Firing { matches, degraded, pending, stage: 0, refused, lacking };
    for group in &met.groups {
        for number in group.candidates(lacking, |demand| judge.ask(demand)) {
            firing.evaluate(judge, &met.rules[number]);
        }
    }
    judge.fired.append(&mut firing.pending);
    (firing.matches, firing.degraded)
}

impl Firing {
    #[inline]
    fn evaluate(&mut self, judge: &mut Judge<'_, '_>, planned: &PlannedRule) {
        let at = judge.at();
        if !planned.is_in_force(at) {
            return;
        }
        if planned.stage != self.stage {
            judge.fired.append(&mut self.pending);
            self.stage = planned.stage;
        }
        // Refused logins are no attempts: no run rule looks at them.
        if planned.reads_login_run && judge.operation.operation.kind == OperationType::Login && self.refused {
            return;
        }
        judge.for_enforced = planned.is_enforced(at);
        if planned.lacks_a_list {
            self.degraded = self.degraded.union(Inputs::SHARED_STATE);
        }
        if planned.needs.meets(self.lacking) {
            note_missing(judge, &judge.plan.rules.rules[planned.index], &mut self.degraded);
        }
        if judge.ask(&planned.when).unwrap_or(planned.fires_unknown) {
            self.fire(judge, planned.index);
        }
    }

    #[inline(never)]
    fn fire(&mut self, judge: &mut Judge<'_, '_>, index: usize) {
        let rule = &judge.plan.rules.rules[index];
        let enforced = judge.for_enforced;
        self.refused |= enforced && !rule.reads_login_run && rule.actions.contains(&Action::Refuse);
        let evidence = rule.evidence.iter().map(|item| (item.name.as_str().into(), show(judge, item))).collect();
        let (id, clauses) = (rule.id.clone(), rule.clauses.clone());
        self.matches.push(Match { rule: id, clauses, enforced, evidence });
        self.pending.push(Fired { rule: index, enforced });
    }
}

/// Returns the inputs that a rule may lack on this operation.
fn may_be_missing(judge: &Judge<'_, '_>) -> Inputs {
    let facts = &judge.operation.facts;
    let view = judge.view;
    [
        (Inputs::GEOIP_COUNTRY, facts.country == Lookup::DatabaseMissing),
        (Inputs::GEOIP_ANONYMIZER, facts.anonymizer == Lookup::DatabaseMissing),
        (Inputs::MRP, judge.mrp().is_none()),
        (Inputs::SHARED_STATE, !view.available || view.complete_from.is_some()),
    ]
    .into_iter()
    .filter(|(_, may_be)| *may_be)
    .fold(Inputs::default(), |all, (input, _)| all.union(input))
}

/// Notes which inputs the rule needs on this operation and has not.
fn note_missing(judge: &Judge<'_, '_>, rule: &Rule, degraded: &mut Inputs) {
    let needs = rule.needs;
    let facts = &judge.operation.facts;
    let has_address = judge.operation.operation.ip.is_some();
    // A field of this operation's own address needs an address; an aggregate's past ones do not.
    let reads = |field: Field| rule.evidence.iter().any(|item| item.what == Operand::Field(Scope::This, field.clone()));
    let country = facts.country == Lookup::DatabaseMissing && (has_address || !reads(Field::IpCountry));
    let anonymizer = facts.anonymizer == Lookup::DatabaseMissing && (has_address || !reads(Field::IpIsAnonymizer));
    for (input, is_missing) in [
        (Inputs::GEOIP_COUNTRY, country),
        (Inputs::GEOIP_ANONYMIZER, anonymizer),
        (Inputs::MRP, judge.mrp().is_none()),
        (Inputs::SHARED_STATE, is_shared_state_missing(judge, rule)),
    ] {
        if is_missing && needs.contains(input) {
            *degraded = degraded.union(input);
        }
    }
}

/// Tells whether the store is away, or has lost a part of what the rule reads.
fn is_shared_state_missing(judge: &Judge<'_, '_>, rule: &Rule) -> bool {
    let (view, plan) = (judge.view, judge.plan);
    if view.complete_from.is_none() {
        return !view.available;
    }
    let is_part = |id: &usize| {
        let aggregate = &plan.aggregates[*id];
        !aggregate.owned && !view.is_complete(aggregate, judge.at())
    };
    !view.available || rule.aggregates.iter().any(is_part)
}

fn names_of(inputs: Inputs) -> Vec<&'static str> {
    [
        (Inputs::GEOIP_COUNTRY, "geoip.country"),
        (Inputs::GEOIP_ANONYMIZER, "geoip.anonymizer"),
        (Inputs::SHARED_STATE, "shared_state"),
        (Inputs::MRP, "mrp"),
    ]
    .into_iter()
    .filter(|(input, _)| inputs.contains(*input))
    .map(|(_, name)| name)
    .collect()
}

/// Renders one value the condition read.
pub fn show(judge: &mut Judge<'_, '_>, item: &Evidence) -> EvidenceValue {
    match &item.what {
        Operand::Field(_, field) => match (judge.field_text(field), item.value_type) {
            (Some(text), _) => EvidenceValue::Text(text.into()),
            (None, Type::Address) => match judge.operation.operation.ip {
                Some(address) => EvidenceValue::Text(address.to_string().into()),
                None => EvidenceValue::Missing,
            },
            (None, value_type) => {
                judge.word(Scope::This, field).map_or(EvidenceValue::Missing, |word| show_word(judge, word, value_type))
            }
        },
        Operand::Aggregate(id) => match judge.aggregate(*id) {
            AggregateValue::Missing => EvidenceValue::Missing,
            AggregateValue::Flag(value) => EvidenceValue::Bool(value),
            AggregateValue::Number(number) => show_number(number, item.value_type),
            AggregateValue::Word(word) => show_remembered(judge, *id, word, item.value_type),
        },
    }
}

fn show_word(judge: &Judge<'_, '_>, word: u64, value_type: Type) -> EvidenceValue {
    match value_type {
        Type::Bool => EvidenceValue::Bool(word != 0),
        Type::Int | Type::Money | Type::Duration | Type::Time => show_number(evaluate::whole_of_word(word), value_type),
        Type::Country => EvidenceValue::Text(String::from_utf8_lossy(&country_of_symbol(word)).into()),
        Type::Text | Type::Enum | Type::Address | Type::Clauses => {
            judge.wallet.text(word).map_or(EvidenceValue::Missing, |text| EvidenceValue::Text(text.into()))
        }
    }
}

/// Shows a value that `last`, `min` or `max` brought back from an earlier operation.
fn show_remembered(judge: &Judge<'_, '_>, id: usize, word: u64, value_type: Type) -> EvidenceValue {
    let id = judge.plan.visible_to(id, judge.for_enforced);
    let aggregate = &judge.plan.aggregates[id];
    if aggregate.owned || !matches!(value_type, Type::Text | Type::Enum | Type::Address | Type::Clauses) {
        return show_word(judge, word, value_type);
    }
    let key = judge.reading_key(aggregate).map(|key| SharedKey { aggregate: id, key });
    let window = key.and_then(|key| judge.view.window(judge.plan, key));
    let text = window.as_deref().and_then(|window| window.text(word));
    text.map_or(EvidenceValue::Missing, |text| EvidenceValue::Text(text.into()))
}

fn show_number(number: Ratio, value_type: Type) -> EvidenceValue {
    // An average is shown rounded; it was compared exactly.
    let rounded = if number.denominator == 1 {
        number.numerator
    } else {
        (2 * number.numerator + number.denominator).div_euclid(2 * number.denominator)
    };
    match value_type {
        Type::Money => {
            let mut text = String::new();
            // Writing to a String cannot fail.
            crate::operation::money::fmt_tiyn(rounded, &mut text).unwrap_or_default();
            EvidenceValue::Text(text.into())
        }
        Type::Duration => EvidenceValue::Text(crate::operation::time::duration_text(rounded).into()),
        Type::Time => {
            let nanos = i64::try_from(rounded).unwrap_or(i64::MAX);
            EvidenceValue::Text(Time::from_nanos(nanos).to_string().into())
        }
        Type::Bool | Type::Int | Type::Text | Type::Enum | Type::Country | Type::Address | Type::Clauses => {
            EvidenceValue::Int(rounded)
        }
    }
}

/// Writes the operation into the changes: its row, its matches' rows, its runs, the shared windows.
fn record(judge: &Judge<'_, '_>, (verdict, seq): (Verdict, u64), changes: &mut Changes, shared: &mut SharedChanges) {
    let plan = judge.plan;
    let operation = &judge.operation.operation;
    let refused = verdict == Verdict::Refuse && !plan.settings.has(Fault::RefusedCounted);
    let mut flags = if operation.kind.is_money() { FLAG_MONEY } else { 0 };
    if refused {
        flags |= FLAG_REFUSED;
    } else {
        changes.newest = Some(operation.occurred_at);
    }
    let row = start_row(judge, changes, flags, seq);
    if refused {
        return;
    }
    let columns = &mut changes.rows[row + ROW_HEADER + plan.mask_words..];
    for (column, (field, word)) in plan.columns.iter().zip(columns).enumerate() {
        *word = word_of_column(plan, column, judge.word(Scope::Past, field));
    }
    if let (OperationType::Login, Some(address)) = (operation.kind, operation.ip) {
        let party = Party::Address(address);
        if !judge.view.blocks(party).is_empty() {
            shared.push(SharedChange::Seen { party, at: operation.occurred_at });
        }
    }
    for feed in &plan.of(operation.kind).feeds {
        if judge.feeds(feed.aggregate) {
            enter(judge, feed.aggregate, row, changes, shared);
        }
    }
    record_matches(judge, changes, seq);
}

/// Returns what a column of a row holds, be the value missing or not.
pub(super) fn word_of_column(plan: &Plan, column: usize, word: Option<u64>) -> u64 {
    word.unwrap_or(plan.missing_words[column])
}

/// Starts a row of the log and returns where it begins.
fn start_row(judge: &Judge<'_, '_>, changes: &mut Changes, flags: u64, seq: u64) -> usize {
    let mut header = [0; ROW_HEADER];
    header[ROW_AT] = judge.at().nanos().cast_unsigned();
    [header[ROW_ID], header[ROW_ID + 1]] = halves_of(judge.operation.id);
    header[ROW_CONTENT] = judge.operation.content;
    header[ROW_FLAGS] = flags;
    header[ROW_SEQ] = seq;
    let start = changes.rows.len();
    changes.rows.extend_from_slice(&header);
    changes.rows.resize(start + judge.plan.stride(), 0);
    start
}

/// Returns the two words of an id, the low one first.
#[expect(clippy::cast_possible_truncation, reason = "each half is what is wanted")]
pub(super) const fn halves_of(id: u128) -> [u64; 2] {
    [id as u64, (id >> 64) as u64]
}

/// Enters the operation into one window.
fn enter(judge: &Judge<'_, '_>, id: usize, row: usize, changes: &mut Changes, shared: &mut SharedChanges) {
    let plan = judge.plan;
    let aggregate = &plan.aggregates[id];
    let at = judge.at();
    let Some(key) = judge.feeding_key(aggregate) else { return };
    let shared_key = SharedKey { aggregate: id, key };
    if aggregate.is_run() {
        if let Some((key, length)) = judge.run_after(id, aggregate) {
            // A late attempt does not make the run look older than its newest attempt.
            let last = judge.run_last(id, aggregate, key).filter(|_| length > 1).map_or(at, |last| last.max(at));
            if aggregate.owned {
                changes.rare().runs.push(Run { aggregate: id, key, length, last });
            } else if judge.view.available || length == 0 {
                // While the store is away, the length before is not known; an end is one whatever it was.
                shared.push(SharedChange::Run { key: shared_key, length, last });
            }
        }
        return;
    }
    let is_left = |newest: Option<Time>| newest.is_none_or(|newest| at >= newest.minus(aggregate.retention));
    if aggregate.owned {
        if !is_left(judge.wallet.newest()) {
            return;
        }
    } else {
        let entry = Entry { at: at.nanos(), op: judge.operation.shared_op(), value: judge.value(aggregate) };
        shared.push(SharedChange::Insert { key: shared_key, entry });
    }
    changes.rows[row + ROW_HEADER + id / 64] |= 1 << (id % 64);
    if aggregate.definition.function == Function::Last
        && let Some(field) = &aggregate.definition.value
        && let Some(symbol) = judge.word(Scope::Past, field)
    {
        remember_text(judge, (id, shared_key), (field, symbol), changes, shared);
    }
}

/// Keeps the text behind a symbol that evidence may have to show.
fn remember_text(
    judge: &Judge<'_, '_>,
    (id, key): (usize, SharedKey),
    (field, symbol): (&Field, u64),
    changes: &mut Changes,
    shared: &mut SharedChanges,
) {
    let text: Option<Box<str>> = match field {
        Field::Ip => judge.operation.operation.ip.map(|address| address.to_string().into()),
        _ => judge.field_text(field).map(Into::into),
    };
    let Some(text) = text else { return };
    if judge.plan.aggregates[id].owned {
        changes.rare().texts.push((symbol, text));
    } else {
        shared.push(SharedChange::Text { key, symbol, text });
    }
}

/// Writes a row for each match that enters a window over matches.
fn record_matches(judge: &Judge<'_, '_>, changes: &mut Changes, seq: u64) {
    let plan = judge.plan;
    for fired in &judge.fired {
        let entered: SmallVec<[usize; 4]> =
            plan.match_feeds.iter().copied().filter(|id| judge.match_value(*id, *fired).is_some()).collect();
        if entered.is_empty() {
            continue;
        }
        let flags = FLAG_MATCH | if fired.enforced { 0 } else { FLAG_SHADOW };
        let row = start_row(judge, changes, flags, seq);
        for id in entered {
            debug_assert_eq!(plan.aggregates[id].definition.stream, Stream::Matches);
            changes.rows[row + ROW_HEADER + id / 64] |= 1 << (id % 64);
        }
        for (column, field) in plan.columns.iter().enumerate() {
            changes.rows[row + ROW_HEADER + plan.mask_words + column] =
                word_of_column(plan, column, judge.match_word(*fired, field));
        }
    }
}
