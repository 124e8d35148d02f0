//! The operation being judged, as its rules see it: fields, and aggregates with this one included.

use crate::engine::enrich::Enriched;
use crate::engine::matching::evaluate;
use crate::engine::matching::evaluate::Facts;
use crate::engine::matching::memo::Memo;
use crate::engine::mutant::EngineMutant;
use crate::engine::plan::Plan;
use crate::engine::plan::PlannedRule;
use crate::engine::plan::aggregate::PlannedAggregate;
use crate::engine::plan::predicates::Expr;
use crate::engine::plan::row_layout::{MISSING, ROW_HEADER};
use crate::engine::state::budgets::{BudgetChanges, Budgets};
use crate::engine::state::reach::Reach;
use crate::engine::state::shared::SharedView;
use crate::engine::state::wallet::Wallet;
use crate::engine::state::wallet::row::{FLAG_REFUSED, Row, with_key_word};
use crate::engine::value::{AggregateValue, decimal_of_word, word_of_decimal};
use crate::engine::window_mask;
use crate::geo::Lookup;
use crate::operation::content::id_hash;
use crate::operation::time::{Nanos, Span};
use crate::operation::{AttributeValue, Decimal, Money, Time};
use crate::rules::program::{
    AggregateId, AttributeType, Field, Rule, Scope, Stream, symbol_of_country, symbol_of_text,
};
use smallvec::SmallVec;
use std::net::IpAddr;

/// A rule that fired on the operation.
#[derive(Debug, Clone, Copy)]
pub struct Fired {
    /// Position in the rule set.
    pub rule: usize,
    pub enforced: bool,
}

/// Everything a condition on one operation may read.
pub struct Evaluation<'e, 'o> {
    pub plan: &'e Plan,
    pub enriched: &'e Enriched<'o>,
    pub wallet: &'e Wallet,
    pub view: &'e SharedView,
    /// The Almaty day of the operation.
    pub day: Span,
    /// The MRP of that day in tiyn.
    pub mrp: Option<i64>,
    pub is_blocked: bool,
    pub is_monitored: bool,
    /// Windows the operation enters if it is not refused, one bit each.
    pub feeds: SmallVec<[u64; 2]>,
    /// What fired so far.
    pub fired: Vec<Fired>,
    /// Whether the rule being evaluated is enforced: shadow matches are invisible to it.
    pub for_enforced: bool,
    /// Which operations count for the age of what is remembered.
    pub reach: Reach,
    /// What rules have spent of their budgets.
    pub budgets: &'e Budgets,
    /// What the operation changes of that, where rules have budgets.
    pub spends: Option<Box<BudgetChanges>>,
    /// A restriction in force stops the operation, whatever rules say.
    pub is_stopped: bool,
    /// The sequence number the decision will have.
    pub seq: u64,
    /// Aggregates computed already.
    pub memo: &'e mut Memo,
}

impl Evaluation<'_, '_> {
    /// Tells whether a match of the rule has effects on this operation.
    #[must_use]
    pub fn is_enforced(&self, rule: &PlannedRule) -> bool {
        rule.is_enforced(self.at()) && !self.budgets.is_breached(rule.index)
    }

    /// Finds the windows that the operation would enter.
    pub fn find_feeds(&mut self) {
        let plan = self.plan;
        self.feeds = SmallVec::from_elem(0, plan.mask_words);
        for feed in &plan.of(self.enriched.operation.kind).feeds {
            if feed.enters.as_ref().is_none_or(|formula| self.ask(formula) == Some(true)) {
                window_mask::insert(&mut self.feeds, feed.aggregate);
            }
        }
    }

    /// Evaluates a formula over the parts of the operation's type.
    #[inline]
    pub fn ask(&mut self, formula: &Expr) -> Option<bool> {
        if let Expr::Predicate(number) = formula { self.part(*number) } else { self.ask_of_many(formula) }
    }

    fn ask_of_many(&mut self, formula: &Expr) -> Option<bool> {
        match formula {
            Expr::Predicate(number) => self.part(*number),
            Expr::Uncached(condition) => evaluate::condition(self, condition),
            Expr::Not(inner) => self.ask(inner).map(|value| !value),
            Expr::All(inner) => evaluate::junction(inner, false, |formula| self.ask(formula)),
            Expr::Any(inner) => evaluate::junction(inner, true, |formula| self.ask(formula)),
        }
    }

    /// Answers the part with this number, once.
    #[inline]
    fn part(&mut self, number: usize) -> Option<bool> {
        match self.memo.answer(number) {
            Some(known) => known,
            None => self.answer(number),
        }
    }

    #[inline(never)]
    fn answer(&mut self, number: usize) -> Option<bool> {
        let plan = self.plan;
        let value = evaluate::condition(self, plan.of(self.enriched.operation.kind).parts.get(number));
        self.memo.note_answer(number, value);
        value
    }

    /// Tells whether the operation enters the window.
    #[must_use]
    pub fn feeds(&self, id: AggregateId) -> bool {
        window_mask::contains(&self.feeds, id)
    }

    /// Returns the key under which the judged operation reads the window.
    #[must_use]
    pub fn reading_key(&self, aggregate: &PlannedAggregate) -> Option<u64> {
        self.key(aggregate.key_this.iter(), Scope::This)
    }

    /// Returns the key under which the operation enters the window.
    #[must_use]
    pub fn feeding_key(&self, aggregate: &PlannedAggregate) -> Option<u64> {
        self.key(aggregate.key_past.iter(), Scope::Past)
    }

    fn key<'f>(&self, fields: impl Iterator<Item = &'f Field>, scope: Scope) -> Option<u64> {
        let mut key = 0;
        for (position, field) in fields.enumerate() {
            key = with_key_word(key, position, self.word(scope, field)?);
        }
        Some(key)
    }

    /// Returns the value with which the operation enters the window.
    #[must_use]
    pub fn value(&self, aggregate: &PlannedAggregate) -> i64 {
        let field = aggregate.definition.value.as_ref();
        field.and_then(|field| self.word(Scope::Past, field)).map_or(1, u64::cast_signed)
    }

    /// Returns the text of a field, where it has one.
    #[must_use]
    pub fn field_text(&self, field: &Field) -> Option<&str> {
        let operation = &self.enriched.operation;
        match field {
            Field::OpId => Some(&operation.op_id),
            Field::WalletId => Some(&operation.wallet_id),
            Field::CounterpartyWalletId => operation.counterparty.wallet_id.as_deref(),
            Field::CounterpartyAccount => operation.counterparty.account.as_deref(),
            Field::CounterpartyPhone => operation.counterparty.phone.as_deref(),
            Field::DeviceId => operation.device_id.as_deref(),
            Field::RefOpId => operation.ref_op_id.as_deref(),
            Field::Actor => operation.actor.as_deref(),
            Field::Type => Some(operation.kind.name()),
            Field::ClientStatus => operation.client_status.map(crate::operation::ClientStatus::name),
            Field::CounterpartyKind => operation.counterparty.kind.map(crate::operation::CounterpartyKind::name),
            Field::Outcome => operation.outcome.map(crate::operation::AttemptOutcome::name),
            Field::Proof => operation.proof.map(crate::operation::Proof::name),
            Field::Order => operation.order.map(crate::operation::Order::name),
            Field::Source => operation.source.map(crate::operation::ReportSource::name),
            Field::Currency => operation.kind.is_money().then_some("KZT"),
            Field::Attribute(name, AttributeType::Text | AttributeType::Any) => match self.attribute(name)? {
                AttributeValue::Text(text) => Some(text),
                AttributeValue::Number(_) | AttributeValue::Bool(_) => None,
            },
            Field::Attribute(..)
            | Field::OccurredAt
            | Field::Amount
            | Field::Ip
            | Field::IpCountry
            | Field::IpIsAnonymizer
            | Field::WalletIsBlocked
            | Field::WalletIsMonitored
            | Field::WalletIsConfirmed
            | Field::RefAge
            | Field::MatchRule
            | Field::MatchMode
            | Field::MatchClauses => None,
        }
    }

    /// Returns the word of a field that is not there yet: few rules read one.
    #[inline(never)]
    fn computed_word(&self, field: &Field) -> Option<u64> {
        match field {
            Field::Attribute(name, wanted) => self.attribute_word(name, *wanted),
            _ => self.field_text(field).map(symbol_of_text),
        }
    }

    /// Returns the time since the operation of this wallet that `ref_op_id` names; none when it is not
    /// remembered or lies later.
    #[inline(never)]
    fn reference_age(&self) -> Option<Nanos> {
        let operation = &self.enriched.operation;
        let id = id_hash(operation.ref_op_id.as_deref()?);
        let row = self.wallet.find(self.plan, id)?;
        if row.has(FLAG_REFUSED) && self.plan.settings.has(EngineMutant::RefAgeWithoutRefused) {
            return None;
        }
        let newest = self.wallet.newest().unwrap_or(operation.occurred_at);
        let is_remembered = row.at() >= newest.minus(self.plan.settings.ids_kept());
        let age = operation.occurred_at.since(row.at());
        (is_remembered && age >= Nanos::ZERO).then_some(age)
    }

    /// Tells whether the operation bears the attribute, but not as the type that is asked for.
    #[must_use]
    pub fn is_of_another_kind(&self, field: &Field) -> bool {
        match field {
            Field::Attribute(name, AttributeType::Number) => {
                self.attribute(name).is_some() && self.decimal(Scope::This, field).is_none()
            }
            Field::Attribute(name, _) => self.attribute(name).is_some() && self.word(Scope::This, field).is_none(),
            _ => false,
        }
    }

    /// Returns an attribute as the record has it.
    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeValue<'_>> {
        self.enriched.operation.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn attribute_word(&self, name: &str, wanted: AttributeType) -> Option<u64> {
        match (self.attribute(name)?, wanted) {
            (AttributeValue::Text(text), AttributeType::Text) => Some(symbol_of_text(text)),
            (AttributeValue::Text(text), AttributeType::Money) => {
                Money::parse(text).map(|money| money.tiyn().cast_unsigned())
            }
            (AttributeValue::Number(text), AttributeType::Number) => {
                Decimal::parse(text).map(|decimal| word_of_decimal(decimal).cast_unsigned())
            }
            (AttributeValue::Bool(value), AttributeType::Bool) => Some(u64::from(*value)),
            (AttributeValue::Text(text), AttributeType::Any) => Some(symbol_of_text(text)),
            (AttributeValue::Number(text), AttributeType::Any) => Some(symbol_of_number(text)),
            (AttributeValue::Bool(value), AttributeType::Any) => Some(u64::from(*value)),
            (AttributeValue::Text(_) | AttributeValue::Number(_) | AttributeValue::Bool(_), _) => None,
        }
    }
}

/// Returns the bits of a number that is only compared for equality, apart from those of a text.
fn symbol_of_number(text: &str) -> u64 {
    let symbol = Decimal::parse(text).map_or_else(|| symbol_of_text(text), |it| symbol_of_text(&it.to_string()));
    !symbol.rotate_left(32)
}

fn known<T>(lookup: Lookup<T>) -> Option<T> {
    match lookup {
        Lookup::Known(value) => Some(value),
        Lookup::Unknown | Lookup::DatabaseMissing => None,
    }
}

impl Facts for Evaluation<'_, '_> {
    fn word(&self, _scope: Scope, field: &Field) -> Option<u64> {
        let enriched = self.enriched;
        let operation = &enriched.operation;
        match field {
            Field::Type => Some(u64::from(operation.kind.code())),
            Field::OccurredAt => Some(operation.occurred_at.nanos().cast_unsigned()),
            Field::WalletId => Some(enriched.wallet),
            Field::ClientStatus => operation.client_status.map(|value| u64::from(value.code())),
            Field::Amount => operation.amount.map(|money| money.tiyn().cast_unsigned()),
            Field::CounterpartyKind => operation.counterparty.kind.map(|value| u64::from(value.code())),
            Field::CounterpartyWalletId => enriched.counterparty,
            Field::Ip => enriched.address,
            Field::IpCountry => known(enriched.facts.country).map(symbol_of_country),
            Field::IpIsAnonymizer => known(enriched.facts.anonymizer).map(u64::from),
            Field::DeviceId => enriched.device,
            Field::Outcome => operation.outcome.map(|value| u64::from(value.code())),
            Field::Proof => operation.proof.map(|value| u64::from(value.code())),
            Field::Order => operation.order.map(|value| u64::from(value.code())),
            Field::Source => operation.source.map(|value| u64::from(value.code())),
            Field::WalletIsBlocked => Some(u64::from(self.is_blocked)),
            Field::WalletIsMonitored => Some(u64::from(self.is_monitored)),
            Field::WalletIsConfirmed => Some(u64::from(self.wallet.is_confirmed(self.day.start))),
            Field::RefAge => self.reference_age().map(|age| age.get().cast_unsigned()),
            Field::OpId
            | Field::Currency
            | Field::CounterpartyAccount
            | Field::CounterpartyPhone
            | Field::RefOpId
            | Field::Actor
            | Field::Attribute(..) => self.computed_word(field),
            Field::MatchRule | Field::MatchMode | Field::MatchClauses => None,
        }
    }

    fn decimal(&self, _scope: Scope, field: &Field) -> Option<Decimal> {
        let Field::Attribute(name, AttributeType::Number) = field else { return None };
        match self.attribute(name)? {
            AttributeValue::Number(text) => Decimal::parse(text),
            AttributeValue::Text(_) | AttributeValue::Bool(_) => None,
        }
    }

    fn text(&self, _scope: Scope, field: &Field) -> Option<&str> {
        self.field_text(field)
    }

    fn address(&self, _scope: Scope) -> Option<IpAddr> {
        self.enriched.operation.ip
    }

    fn list_has_text(&self, list: usize, symbol: u64, text: &str) -> Option<bool> {
        self.plan.list_has_text(list, symbol, text, self.at())
    }

    fn list_has_address(&self, list: usize, address: IpAddr) -> Option<bool> {
        self.plan.rules.lists.get(list)?.has_address(address, self.at())
    }

    fn clauses_has(&self, _clause: &str) -> bool {
        false
    }

    fn matched(&self, clause: &str) -> bool {
        let bears = |rule: &Rule| rule.clauses.iter().any(|known| &**known == clause);
        self.fired.iter().any(|fired| fired.enforced && bears(&self.plan.rules.rules[fired.rule]))
    }

    fn mrp(&self) -> Option<i64> {
        self.mrp
    }

    fn aggregate(&mut self, id: AggregateId) -> AggregateValue {
        let id = self.plan.visible_to(id, self.for_enforced);
        if let Some(value) = self.memo.get(id) {
            return value;
        }
        if self.plan.aggregates[id].definition.stream == Stream::Matches {
            // Matches so far: another value at each stage, so never remembered.
            return self.compute(id);
        }
        let value = self.compute(id);
        self.memo.set(id, value);
        value
    }

    fn at(&self) -> Time {
        self.enriched.operation.occurred_at
    }
}

/// Reads a match of the judged operation inside `where`.
pub(super) struct MatchFacts<'j, 'e, 'o> {
    pub(super) evaluation: &'j Evaluation<'e, 'o>,
    pub(super) rule: &'j Rule,
    pub(super) fired: Fired,
}

/// Reads the judged operation on both sides of a `where`.
pub(super) struct ThisAsPast<'j, 'e, 'o> {
    pub(super) evaluation: &'j Evaluation<'e, 'o>,
}

/// Reads a row of the log as the past operation, the judged one as `this`.
pub(super) struct PastRow<'j, 'e, 'o, 'r> {
    pub(super) evaluation: &'j Evaluation<'e, 'o>,
    pub(super) row: Row<'r>,
}

impl PastRow<'_, '_, '_, '_> {
    fn column(&self, field: &Field) -> Option<u64> {
        let plan = self.evaluation.plan;
        let column = plan.columns.iter().position(|column| column == field)?;
        Some(self.row.word(ROW_HEADER + plan.mask_words + column)).filter(|word| *word != MISSING)
    }
}

/// Delegates to the judge all that the two inner readers share.
macro_rules! delegate {
    () => {
        fn list_has_text(&self, list: usize, symbol: u64, text: &str) -> Option<bool> {
            self.evaluation.list_has_text(list, symbol, text)
        }
        fn list_has_address(&self, list: usize, address: IpAddr) -> Option<bool> {
            self.evaluation.list_has_address(list, address)
        }
        fn matched(&self, clause: &str) -> bool {
            self.evaluation.matched(clause)
        }
        fn mrp(&self) -> Option<i64> {
            self.evaluation.mrp()
        }
        fn aggregate(&mut self, _id: AggregateId) -> AggregateValue {
            // Aggregates do not nest: the checker refuses one inside `where`.
            AggregateValue::Missing
        }
        fn at(&self) -> Time {
            self.evaluation.at()
        }
    };
}

impl Facts for ThisAsPast<'_, '_, '_> {
    fn word(&self, scope: Scope, field: &Field) -> Option<u64> {
        self.evaluation.word(scope, field)
    }
    fn decimal(&self, scope: Scope, field: &Field) -> Option<Decimal> {
        self.evaluation.decimal(scope, field)
    }
    fn text(&self, scope: Scope, field: &Field) -> Option<&str> {
        self.evaluation.text(scope, field)
    }
    fn address(&self, scope: Scope) -> Option<IpAddr> {
        self.evaluation.address(scope)
    }
    fn clauses_has(&self, clause: &str) -> bool {
        self.evaluation.clauses_has(clause)
    }
    delegate!();
}

impl Facts for PastRow<'_, '_, '_, '_> {
    fn word(&self, scope: Scope, field: &Field) -> Option<u64> {
        match (scope, field) {
            (Scope::This, _) | (Scope::Past, Field::WalletId) => self.evaluation.word(scope, field),
            (Scope::Past, Field::OccurredAt) => Some(self.row.at().nanos().cast_unsigned()),
            (Scope::Past, _) => self.column(field),
        }
    }
    fn decimal(&self, scope: Scope, field: &Field) -> Option<Decimal> {
        match scope {
            Scope::This => self.evaluation.decimal(scope, field),
            Scope::Past => {
                let word = self.column(field)?.cast_signed();
                decimal_of_word(word, |symbol| self.evaluation.wallet.text(symbol))
            }
        }
    }
    fn text(&self, scope: Scope, field: &Field) -> Option<&str> {
        if scope == Scope::This { self.evaluation.text(scope, field) } else { None }
    }
    fn address(&self, scope: Scope) -> Option<IpAddr> {
        if scope == Scope::This { self.evaluation.address(scope) } else { None }
    }
    fn clauses_has(&self, _clause: &str) -> bool {
        false
    }
    delegate!();
}

impl Facts for MatchFacts<'_, '_, '_> {
    fn word(&self, scope: Scope, field: &Field) -> Option<u64> {
        match field {
            Field::MatchRule if scope == Scope::Past => Some(symbol_of_text(&self.rule.id)),
            Field::MatchMode if scope == Scope::Past => Some(mode_symbol(self.fired.enforced)),
            _ => self.evaluation.word(scope, field),
        }
    }
    fn decimal(&self, scope: Scope, field: &Field) -> Option<Decimal> {
        self.evaluation.decimal(scope, field)
    }
    fn text(&self, scope: Scope, field: &Field) -> Option<&str> {
        if *field == Field::MatchRule { Some(&self.rule.id) } else { self.evaluation.text(scope, field) }
    }
    fn address(&self, scope: Scope) -> Option<IpAddr> {
        self.evaluation.address(scope)
    }
    fn clauses_has(&self, clause: &str) -> bool {
        self.rule.clauses.iter().any(|known| &**known == clause)
    }
    delegate!();
}

/// Returns the symbol of a match's mode.
#[must_use]
pub const fn mode_symbol(enforced: bool) -> u64 {
    if enforced { 0 } else { 1 }
}
