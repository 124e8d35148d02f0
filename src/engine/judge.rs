//! The operation being judged, as its rules see it: fields, and aggregates with this one included.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::geo::Lookup;
use crate::operation::time::Span;
use crate::operation::{AttributeValue, Money, Time};
use crate::rules::program::{
    AggregateId, AttributeType, Field, Function, Rule, Scope, Stream, Window, symbol_of_country, symbol_of_text,
};

use super::enrich::Enriched;
use super::evaluate::{self, AggregateValue, Facts, Ratio};
use super::fault::Fault;
use super::index::{entry, is_visible_match};
use super::keyed::{KeyedState, calendar_span, value_of_age, value_of_last, value_of_range, value_of_total};
use super::memo::Memo;
use super::parts::Formula;
use super::plan::{MISSING, Plan, PlannedAggregate, ROW_HEADER};
use super::shared::{Seen, SharedKey, SharedView};
use super::wallet::{ChainStart, FLAG_CANCELLED, Row, Wallet, is_visible, key_of_row, with_key_word};
use super::window::{Entry, scan};

/// A rule that fired on the operation.
#[derive(Debug, Clone, Copy)]
pub struct Fired {
    /// Position in the rule set.
    pub rule: usize,
    pub enforced: bool,
}

/// Everything a condition on one operation may read.
pub struct Judge<'e, 'o> {
    pub plan: &'e Plan,
    pub operation: &'e Enriched<'o>,
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
    /// Aggregates computed already.
    pub memo: &'e mut Memo,
}

type Gathered = SmallVec<[Entry; 32]>;

impl Judge<'_, '_> {
    /// Finds the windows that the operation would enter.
    pub fn find_feeds(&mut self) {
        let plan = self.plan;
        self.feeds = SmallVec::from_elem(0, plan.mask_words);
        for feed in &plan.of(self.operation.operation.kind).feeds {
            if feed.enters.as_ref().is_none_or(|formula| self.ask(formula) == Some(true)) {
                self.feeds[feed.aggregate / 64] |= 1 << (feed.aggregate % 64);
            }
        }
    }

    /// Evaluates a formula over the parts of the operation's type.
    #[inline]
    pub fn ask(&mut self, formula: &Formula) -> Option<bool> {
        if let Formula::Part(number) = formula { self.part(*number) } else { self.ask_of_many(formula) }
    }

    fn ask_of_many(&mut self, formula: &Formula) -> Option<bool> {
        match formula {
            Formula::Part(number) => self.part(*number),
            Formula::Anew(condition) => evaluate::condition(self, condition),
            Formula::Not(inner) => self.ask(inner).map(|value| !value),
            Formula::All(inner) => evaluate::junction(inner, false, |formula| self.ask(formula)),
            Formula::Any(inner) => evaluate::junction(inner, true, |formula| self.ask(formula)),
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
        let value = evaluate::condition(self, plan.of(self.operation.operation.kind).parts.get(number));
        self.memo.note_answer(number, value);
        value
    }

    /// Tells whether the operation enters the window.
    #[must_use]
    pub fn feeds(&self, id: AggregateId) -> bool {
        self.feeds[id / 64] >> (id % 64) & 1 != 0
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

    /// Returns the operation's own value where it counts in its own window.
    fn this_value(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> Option<i64> {
        let counts = !aggregate.definition.excluding_this
            && aggregate.definition.function != Function::Last
            && self.feeds(id)
            && self.feeding_key(aggregate) == Some(key)
            && self.residual_holds_for_this(aggregate);
        counts.then(|| self.value(aggregate))
    }

    fn residual_holds_for_this(&self, aggregate: &PlannedAggregate) -> bool {
        aggregate
            .definition
            .residual
            .as_ref()
            .is_none_or(|residual| evaluate::condition(&mut ThisAsPast { judge: self }, residual) == Some(true))
    }

    fn compute(&mut self, id: AggregateId) -> AggregateValue {
        let plan = self.plan;
        let aggregate = &plan.aggregates[id];
        let Some(key) = self.reading_key(aggregate) else { return AggregateValue::Missing };
        if aggregate.is_run() {
            return self.run_length(id, aggregate, key);
        }
        if aggregate.definition.stream == Stream::Matches {
            return self.compute_matches(id, aggregate, key);
        }
        let this = self.this_value(id, aggregate, key);
        if aggregate.owned { self.compute_owned(id, aggregate, key, this) } else { self.compute_shared(id, key, this) }
    }

    fn compute_owned(
        &self,
        id: AggregateId,
        aggregate: &PlannedAggregate,
        key: u64,
        this: Option<i64>,
    ) -> AggregateValue {
        let is_newest = self.wallet.newest().is_none_or(|newest| self.at() >= newest);
        if self.plan.settings.has(Fault::LateJudgedAlone) && !is_newest {
            return self.of_state(aggregate, None, None, this);
        }
        if let Some(index) = self.wallet.index().filter(|index| index.covers(aggregate)) {
            let state = index.window(self.plan, id, key);
            if let (None, Window::Quiet(quiet)) = (state, aggregate.definition.window) {
                return value_of_age(self.age(id, key, &[], this.is_some(), quiet));
            }
            return self.of_state(aggregate, state, self.wallet.newest(), this);
        }
        if let Some(value) = self.plain_total(id, aggregate, key, this) {
            return value;
        }
        if let Some(value) = self.plain_last(id, aggregate, key) {
            return value;
        }
        let entries = self.gather(id, aggregate, key);
        self.of_entries(id, aggregate, key, &entries, this)
    }

    /// Computes from a structure; one that holds entries which a late operation must no longer see
    /// is looked at through a clone without them.
    fn of_state(
        &self,
        aggregate: &PlannedAggregate,
        state: Option<&KeyedState>,
        newest: Option<Time>,
        this: Option<i64>,
    ) -> AggregateValue {
        let at = self.at();
        let lateness = self.plan.settings.lateness;
        match (state, newest) {
            (Some(state), Some(newest)) if at < newest.minus(lateness) => {
                let mut left = state.clone();
                left.evict(aggregate, newest, lateness);
                left.evaluate(aggregate, at, this)
            }
            (Some(state), _) => state.evaluate(aggregate, at, this),
            (None, _) => KeyedState::new(aggregate).evaluate(aggregate, at, this),
        }
    }

    fn compute_shared(&self, id: AggregateId, key: u64, this: Option<i64>) -> AggregateValue {
        let aggregate = &self.plan.aggregates[id];
        if !self.view.is_complete(aggregate, self.at()) {
            return AggregateValue::Missing;
        }
        match self.view.look(self.plan, SharedKey { aggregate: id, key }) {
            Some(Seen::Few(entries)) => self.of_entries(id, aggregate, key, &entries, this),
            Some(Seen::Whole(window)) => self.of_state(aggregate, Some(&window.state), window.newest(), this),
            None => self.of_state(aggregate, None, None, this),
        }
    }

    /// Counts and sums over a short log when nothing in the window is newer than the operation:
    /// by far the commonest case, without gathering anything.
    fn plain_total(
        &self,
        id: AggregateId,
        aggregate: &PlannedAggregate,
        key: u64,
        this: Option<i64>,
    ) -> Option<AggregateValue> {
        let function = aggregate.definition.function;
        let is_sum = function == Function::Sum;
        let is_total = matches!(function, Function::Count | Function::Sum | Function::Any | Function::None);
        if !is_total || aggregate.definition.residual.is_some() {
            return None;
        }
        let (from, until, open_end) = self.reach(aggregate)?;
        let mut total = 0;
        let is_ordered = self.wallet.is_ordered();
        for row in self.wallet.rows_of(self.plan, id, key) {
            let at = row.at();
            if at < from {
                if is_ordered {
                    break;
                }
                continue;
            }
            if !row.is_in(id) || key_of_row(aggregate, row) != key {
                continue;
            }
            if at > until {
                // An entry that a fuller window than the one ending at the operation may hold.
                match open_end {
                    Some(end) if at <= end => return None,
                    _ => continue,
                }
            }
            total += if is_sum { i128::from(entry(aggregate, row).value) } else { 1 };
        }
        let own = this.map_or(0, |value| if is_sum { i128::from(value) } else { 1 });
        Some(value_of_total(function, total + own))
    }

    /// Finds the last entry of a log in the order of time, without gathering the others.
    fn plain_last(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> Option<AggregateValue> {
        let Window::Within(length) = aggregate.definition.window else { return None };
        let is_last = aggregate.definition.function == Function::Last && aggregate.definition.residual.is_none();
        if !is_last || !self.wallet.is_ordered() {
            return None;
        }
        let newest = self.wallet.newest();
        let visible =
            self.wallet.rows_of(self.plan, id, key).take_while(|row| is_visible(self.plan, id, row.at(), newest));
        let mut those = visible.filter(|row| row.is_in(id) && key_of_row(aggregate, *row) == key);
        let last = those.next().map(|row| entry(aggregate, row));
        Some(value_of_last(last.filter(|last| last.at.abs_diff(self.at().nanos()) <= length.unsigned_abs())))
    }

    /// Returns the closed span that certainly counts, and until when a fuller window may reach.
    fn reach(&self, aggregate: &PlannedAggregate) -> Option<(Time, Time, Option<Time>)> {
        let at = self.at();
        let newest = self.wallet.newest();
        match aggregate.definition.window {
            Window::Within(length) => {
                let visible = newest.map_or(at.minus(length), |newest| newest.minus(aggregate.retention));
                Some((at.minus(length).max(visible), at, Some(at.plus(length))))
            }
            Window::Today | Window::ThisMonth => {
                let span = self.span(aggregate);
                let end = span.end.minus(1);
                // A day that is over for good has nothing left: an empty span.
                Some(if self.is_open(span) { (span.start, end, None) } else { (Time::from_nanos(i64::MAX), end, None) })
            }
            Window::Quiet(_) => None,
        }
    }

    fn is_open(&self, span: Span) -> bool {
        self.wallet.newest().is_none_or(|newest| span.end > newest.minus(self.plan.settings.lateness))
    }

    fn span(&self, aggregate: &PlannedAggregate) -> Span {
        match aggregate.definition.window {
            Window::Today => self.day,
            Window::ThisMonth | Window::Within(_) | Window::Quiet(_) => calendar_span(aggregate, self.at()),
        }
    }

    /// Collects the visible entries of a window from the log, oldest first; of a chain also those
    /// that wait for their turn to leave the log, since its beginning is remembered.
    fn gather(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> Gathered {
        let newest = self.wallet.newest().filter(|_| !matches!(aggregate.definition.window, Window::Quiet(_)));
        // Of a day that is over for good nothing is left.
        let is_open = match aggregate.definition.window {
            Window::Today | Window::ThisMonth => self.is_open(self.span(aggregate)),
            Window::Within(_) | Window::Quiet(_) => true,
        };
        let mut entries = Gathered::new();
        if !is_open {
            return entries;
        }
        let is_ordered = self.wallet.is_ordered();
        for row in self.wallet.rows_of(self.plan, id, key) {
            if !is_visible(self.plan, id, row.at(), newest) {
                if is_ordered {
                    break;
                }
                continue;
            }
            if row.is_in(id)
                && key_of_row(aggregate, row) == key
                && is_visible_match(aggregate, row)
                && self.residual_holds(aggregate, row)
            {
                entries.push(entry(aggregate, row));
            }
        }
        entries.reverse();
        if !entries.is_sorted_by_key(|entry| entry.at) {
            entries.sort_by_key(|entry| (entry.at, entry.op));
        }
        entries
    }

    fn residual_holds(&self, aggregate: &PlannedAggregate, row: Row<'_>) -> bool {
        aggregate.definition.residual.as_ref().is_none_or(|residual| {
            !row.has(FLAG_CANCELLED) && evaluate::condition(&mut PastRow { judge: self, row }, residual) == Some(true)
        })
    }

    fn of_entries(
        &self,
        id: AggregateId,
        aggregate: &PlannedAggregate,
        key: u64,
        entries: &[Entry],
        this: Option<i64>,
    ) -> AggregateValue {
        let (function, at) = (aggregate.definition.function, self.at().nanos());
        let pairs = entries.iter().map(|entry| (entry.at, entry.value));
        match aggregate.definition.window {
            Window::Today | Window::ThisMonth => {
                let mut cells = KeyedState::new(aggregate);
                let span = self.span(aggregate);
                let inside = entries.iter().filter(|entry| span.contains(Time::from_nanos(entry.at)));
                inside.for_each(|entry| cells.insert(aggregate, *entry));
                cells.evaluate(aggregate, self.at(), this)
            }
            Window::Quiet(quiet) => value_of_age(self.age(id, key, entries, this.is_some(), quiet)),
            Window::Within(length) => match function {
                Function::Min | Function::Max | Function::Avg => {
                    value_of_range(function, scan::range(pairs, length, at, this))
                }
                Function::Last => {
                    let newest = entries.last().filter(|entry| entry.at.abs_diff(at) <= length.unsigned_abs());
                    value_of_last(newest.copied())
                }
                Function::Sum => value_of_total(function, scan::fullest_sum(pairs, length, at, this)),
                Function::Distinct => value_of_total(function, scan::fullest_distinct(pairs, length, at, this)),
                Function::Count | Function::Any | Function::None | Function::Streak | Function::Age => {
                    value_of_total(function, scan::fullest_count(pairs, length, at, this.is_some()))
                }
            },
        }
    }

    /// Walks a chain back from the operation over the visible entries, then over what came before
    /// them, be it still in the log or only remembered.
    fn age(&self, id: AggregateId, key: u64, entries: &[Entry], with_this: bool, quiet: i64) -> Option<i64> {
        let (at, newest) = (self.at(), self.wallet.newest());
        let times = entries.iter().map(|entry| Time::from_nanos(entry.at));
        let unseen = times.clone().take_while(|time| !is_visible(self.plan, id, *time, newest)).count();
        let mut before = self.wallet.chain(id, key);
        for time in times.clone().take(unseen) {
            before = Some(ChainStart::extended(before, id, key, time, quiet));
        }
        let next = times.clone().nth(unseen);
        let before = before.filter(|chain| next.is_some_and(|next| next.since(chain.last) <= quiet));
        let mut first = with_this.then_some(at);
        let mut reached = at;
        for time in times.skip(unseen).rev().filter(|time| *time <= at) {
            if reached.since(time) > quiet {
                return first.map(|first| at.since(first));
            }
            (reached, first) = (time, Some(time));
        }
        if let Some(chain) = before
            && chain.first <= reached
            && reached.since(chain.last) <= quiet
        {
            first = Some(chain.first);
        }
        first.map(|first| at.since(first))
    }

    /// Returns the length of the current run, this operation included where it counts.
    fn run_length(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> AggregateValue {
        if !aggregate.owned && !self.view.is_complete(aggregate, self.at()) {
            return AggregateValue::Missing;
        }
        let length = match self.run_after(id, aggregate) {
            Some((own_key, length)) if own_key == key && !aggregate.definition.excluding_this => length,
            _ => self.run_before(id, aggregate, key),
        };
        AggregateValue::Number(Ratio::whole(i128::from(length)))
    }

    /// Returns the key of the run that the operation continues or ends, and its length after that;
    /// `None` when the operation is not of the run's types.
    #[must_use]
    pub fn run_after(&self, id: AggregateId, aggregate: &PlannedAggregate) -> Option<(u64, u64)> {
        if !self.feeds(id) {
            return None;
        }
        let key = self.feeding_key(aggregate)?;
        let filter = aggregate.definition.filter.as_ref();
        let satisfied = filter.is_none_or(|f| evaluate::condition(&mut ThisAsPast { judge: self }, f) == Some(true));
        let survives = self.plan.settings.has(Fault::StreakSurvivesSuccess);
        let before = if satisfied || survives { self.run_before(id, aggregate, key) } else { 0 };
        Some((key, before + u64::from(satisfied)))
    }

    /// Returns the time of the newest attempt of a run.
    #[must_use]
    pub fn run_last(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> Option<Time> {
        self.known_run(id, aggregate, key).map(|(_, last)| last)
    }

    fn known_run(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> Option<(u64, Time)> {
        if aggregate.owned {
            self.wallet.run(id, key).map(|run| (run.length, run.last))
        } else {
            self.view.window(self.plan, SharedKey { aggregate: id, key })?.run()
        }
    }

    fn run_before(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> u64 {
        let Window::Quiet(quiet) = aggregate.definition.window else { return 0 };
        let run = self.known_run(id, aggregate, key);
        run.map_or(0, |(length, last)| if self.at().since(last) > quiet { 0 } else { length })
    }

    /// Computes an aggregate over matches: those of earlier operations, and this one's so far.
    fn compute_matches(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> AggregateValue {
        let at = self.at().nanos();
        let mut own = Vec::new();
        if !aggregate.definition.excluding_this && aggregate.definition.function != Function::Last {
            for fired in &self.fired {
                if let Some(value) = self.match_value(id, *fired) {
                    own.push(Entry { at, op: u64::MAX - own.len() as u64, value });
                }
            }
        }
        if let Some(index) = self.wallet.index().filter(|index| index.covers(aggregate)) {
            let mut state = index.window(self.plan, id, key).cloned().unwrap_or_else(|| KeyedState::new(aggregate));
            // What a late operation must no longer see goes first: its own matches always count.
            if let Some(newest) = self.wallet.newest() {
                state.evict(aggregate, newest, self.plan.settings.lateness);
            }
            own.into_iter().for_each(|entry| state.insert(aggregate, entry));
            return state.evaluate(aggregate, self.at(), None);
        }
        let mut entries = self.gather(id, aggregate, key);
        entries.extend(own);
        entries.sort_by_key(|entry| (entry.at, entry.op));
        self.of_entries(id, aggregate, key, &entries, None)
    }

    /// Returns the value with which a match enters a window over matches, `None` if it does not.
    #[must_use]
    pub fn match_value(&self, id: AggregateId, fired: Fired) -> Option<i64> {
        let aggregate = &self.plan.aggregates[id];
        if aggregate.enforced_only && !fired.enforced {
            return None;
        }
        let mut facts = MatchFacts { judge: self, rule: &self.plan.rules.rules[fired.rule], fired };
        if let Some(filter) = &aggregate.definition.filter
            && evaluate::condition(&mut facts, filter) != Some(true)
        {
            return None;
        }
        aggregate
            .definition
            .value
            .as_ref()
            .map_or(Some(1), |field| facts.word(Scope::Past, field).map(u64::cast_signed))
    }

    /// Returns a word of a match for a column of the log.
    #[must_use]
    pub fn match_word(&self, fired: Fired, field: &Field) -> Option<u64> {
        MatchFacts { judge: self, rule: &self.plan.rules.rules[fired.rule], fired }.word(Scope::Past, field)
    }

    /// Returns the text of a field, where it has one.
    #[must_use]
    pub fn field_text(&self, field: &Field) -> Option<&str> {
        let operation = &self.operation.operation;
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
            Field::Attribute(name, AttributeType::Text) => match self.attribute(name)? {
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

    fn attribute(&self, name: &str) -> Option<&AttributeValue<'_>> {
        self.operation.operation.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn attribute_word(&self, name: &str, wanted: AttributeType) -> Option<u64> {
        match (self.attribute(name)?, wanted) {
            (AttributeValue::Text(text), AttributeType::Text) => Some(symbol_of_text(text)),
            (AttributeValue::Text(text), AttributeType::Money) => {
                Money::parse(text).map(|money| money.tiyn().cast_unsigned())
            }
            (AttributeValue::Number(text), AttributeType::Int) => text.parse::<i64>().ok().map(i64::cast_unsigned),
            (AttributeValue::Bool(value), AttributeType::Bool) => Some(u64::from(*value)),
            (AttributeValue::Text(_) | AttributeValue::Number(_) | AttributeValue::Bool(_), _) => None,
        }
    }
}

fn known<T>(lookup: Lookup<T>) -> Option<T> {
    match lookup {
        Lookup::Known(value) => Some(value),
        Lookup::Unknown | Lookup::DatabaseMissing => None,
    }
}

impl Facts for Judge<'_, '_> {
    fn word(&self, _scope: Scope, field: &Field) -> Option<u64> {
        let enriched = self.operation;
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

    fn text(&self, _scope: Scope, field: &Field) -> Option<&str> {
        self.field_text(field)
    }

    fn address(&self, _scope: Scope) -> Option<IpAddr> {
        self.operation.operation.ip
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
        self.operation.operation.occurred_at
    }
}

/// Reads a match of the judged operation inside `where`.
struct MatchFacts<'j, 'e, 'o> {
    judge: &'j Judge<'e, 'o>,
    rule: &'j Rule,
    fired: Fired,
}

/// Reads the judged operation on both sides of a `where`.
struct ThisAsPast<'j, 'e, 'o> {
    judge: &'j Judge<'e, 'o>,
}

/// Reads a row of the log as the past operation, the judged one as `this`.
struct PastRow<'j, 'e, 'o, 'r> {
    judge: &'j Judge<'e, 'o>,
    row: Row<'r>,
}

impl PastRow<'_, '_, '_, '_> {
    fn column(&self, field: &Field) -> Option<u64> {
        let plan = self.judge.plan;
        let column = plan.columns.iter().position(|column| column == field)?;
        Some(self.row.word(ROW_HEADER + plan.mask_words + column)).filter(|word| *word != MISSING)
    }
}

/// Delegates to the judge all that the two inner readers share.
macro_rules! delegate {
    () => {
        fn list_has_text(&self, list: usize, symbol: u64, text: &str) -> Option<bool> {
            self.judge.list_has_text(list, symbol, text)
        }
        fn list_has_address(&self, list: usize, address: IpAddr) -> Option<bool> {
            self.judge.list_has_address(list, address)
        }
        fn matched(&self, clause: &str) -> bool {
            self.judge.matched(clause)
        }
        fn mrp(&self) -> Option<i64> {
            self.judge.mrp()
        }
        fn aggregate(&mut self, _id: AggregateId) -> AggregateValue {
            // Aggregates do not nest: the checker refuses one inside `where`.
            AggregateValue::Missing
        }
        fn at(&self) -> Time {
            self.judge.at()
        }
    };
}

impl Facts for ThisAsPast<'_, '_, '_> {
    fn word(&self, scope: Scope, field: &Field) -> Option<u64> {
        self.judge.word(scope, field)
    }
    fn text(&self, scope: Scope, field: &Field) -> Option<&str> {
        self.judge.text(scope, field)
    }
    fn address(&self, scope: Scope) -> Option<IpAddr> {
        self.judge.address(scope)
    }
    fn clauses_has(&self, clause: &str) -> bool {
        self.judge.clauses_has(clause)
    }
    delegate!();
}

impl Facts for PastRow<'_, '_, '_, '_> {
    fn word(&self, scope: Scope, field: &Field) -> Option<u64> {
        match (scope, field) {
            (Scope::This, _) | (Scope::Past, Field::WalletId) => self.judge.word(scope, field),
            (Scope::Past, Field::OccurredAt) => Some(self.row.at().nanos().cast_unsigned()),
            (Scope::Past, _) => self.column(field),
        }
    }
    fn text(&self, scope: Scope, field: &Field) -> Option<&str> {
        if scope == Scope::This { self.judge.text(scope, field) } else { None }
    }
    fn address(&self, scope: Scope) -> Option<IpAddr> {
        if scope == Scope::This { self.judge.address(scope) } else { None }
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
            _ => self.judge.word(scope, field),
        }
    }
    fn text(&self, scope: Scope, field: &Field) -> Option<&str> {
        if *field == Field::MatchRule { Some(&self.rule.id) } else { self.judge.text(scope, field) }
    }
    fn address(&self, scope: Scope) -> Option<IpAddr> {
        self.judge.address(scope)
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
