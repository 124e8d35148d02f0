//! What an aggregate is worth on the judged operation: from a wallet's log or index, from a shared window, from
//! runs, chains and matches.

use smallvec::SmallVec;

use crate::engine::matching::evaluate::{self, Facts};
use crate::engine::matching::evaluation::{Evaluation, Fired, MatchFacts, PastRow, ThisAsPast};
use crate::engine::mutant::EngineMutant;
use crate::engine::plan::PlannedAggregate;
use crate::engine::state::keyed::{
    KeyedState, calendar_span, value_of_age, value_of_decimals, value_of_last, value_of_range, value_of_total,
};
use crate::engine::state::shared::{SharedKey, WindowRead};
use crate::engine::state::wallet::index::{entry, is_visible_match};
use crate::engine::state::wallet::row::{FLAG_CANCELLED, Row, is_visible, key_of_row};
use crate::engine::state::wallet::runs::ChainStart;
use crate::engine::value::{AggregateValue, Ratio, is_kept_as_text, ratio_of_units, units_of_word};
use crate::engine::window::{Entry, scan};
use crate::operation::Time;
use crate::operation::time::{Nanos, Span};
use crate::rules::program::{AggregateId, Field, Function, Scope, Stream, Window};

pub(super) type Gathered = SmallVec<[Entry; 32]>;

impl Evaluation<'_, '_> {
    /// Returns the operation's own value where it counts in its own window.
    pub(super) fn this_value(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> Option<i64> {
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
            .is_none_or(|residual| evaluate::condition(&mut ThisAsPast { evaluation: self }, residual) == Some(true))
    }

    pub(super) fn compute(&mut self, id: AggregateId) -> AggregateValue {
        let value = self.compute_words(id);
        if !self.plan.aggregates[id].definition.is_of_decimals() {
            return value;
        }
        match value {
            AggregateValue::Word(word) if is_kept_as_text(word.cast_signed()) => self.compute_of_texts(id),
            AggregateValue::Word(word) => AggregateValue::Number(ratio_of_units(units_of_word(word.cast_signed()))),
            other => other,
        }
    }

    /// Computes an aggregate; what decimal a word stands for is still to be told.
    fn compute_words(&mut self, id: AggregateId) -> AggregateValue {
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
        if self.plan.settings.has(EngineMutant::LateJudgedAlone) && !is_newest {
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
        if let (Function::Last, Some(state)) = (aggregate.definition.function, state)
            && state.last_at().is_some_and(|last| !self.reach.covers(last))
        {
            return self.last_of_state(aggregate, state, newest);
        }
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

    /// Finds the last entry that does not lie far ahead of the stream.
    fn last_of_state(&self, aggregate: &PlannedAggregate, state: &KeyedState, newest: Option<Time>) -> AggregateValue {
        let mut state = state.clone();
        if let Some(newest) = newest {
            state.evict(aggregate, newest, self.plan.settings.lateness);
        }
        let entries = state.entries_for(aggregate, self.at());
        let last = entries.into_iter().rfind(|entry| self.reach.covers(entry.at));
        value_of_last(last.filter(|last| match aggregate.definition.window {
            Window::Within(length) => last.at.is_within(length, self.at()),
            Window::Quiet(_) | Window::Today | Window::ThisMonth => true,
        }))
    }

    fn compute_shared(&self, id: AggregateId, key: u64, this: Option<i64>) -> AggregateValue {
        let aggregate = &self.plan.aggregates[id];
        if !self.view.is_complete(aggregate, Some(key), self.at()) {
            return AggregateValue::Missing;
        }
        match self.view.look(self.plan, SharedKey { aggregate: id, key }) {
            Some(WindowRead::EntryList(entries)) => self.of_entries(id, aggregate, key, &entries, this),
            Some(WindowRead::Whole(window)) => {
                self.of_state(aggregate, Some(&window.state), window.newest_within(self.reach), this)
            }
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
        if !is_total || aggregate.definition.residual.is_some() || aggregate.definition.adds_decimals() {
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
        let last = those.find(|row| self.reach.covers(row.at())).map(|row| entry(aggregate, row));
        Some(value_of_last(last.filter(|last| last.at.is_within(length, self.at()))))
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
                let end = span.end.minus(Nanos::ONE);
                // A day that is over for good has nothing left: an empty span.
                Some(if self.is_open(span) { (span.start, end, None) } else { (Time::MAX, end, None) })
            }
            Window::Quiet(_) => None,
        }
    }

    fn is_open(&self, span: Span) -> bool {
        self.wallet.newest().is_none_or(|newest| span.end > newest.minus(self.plan.settings.lateness))
    }

    pub(super) fn span(&self, aggregate: &PlannedAggregate) -> Span {
        match aggregate.definition.window {
            Window::Today => self.day,
            Window::ThisMonth | Window::Within(_) | Window::Quiet(_) => calendar_span(aggregate, self.at()),
        }
    }

    /// Collects the visible entries of a window from the log, oldest first; of a chain also those
    /// that wait for their turn to leave the log, since its beginning is remembered.
    pub(super) fn gather(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> Gathered {
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
                && self.may_be_last(aggregate, row.at())
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

    /// Tells whether an entry at `at` may be what a `last` gives: one that lies far ahead of the stream hides none that
    /// does not. Every other function may see it.
    pub(super) fn may_be_last(&self, aggregate: &PlannedAggregate, at: Time) -> bool {
        aggregate.definition.function != Function::Last || self.reach.covers(at)
    }

    pub(super) fn residual_holds(&self, aggregate: &PlannedAggregate, row: Row<'_>) -> bool {
        aggregate.definition.residual.as_ref().is_none_or(|residual| {
            !row.has(FLAG_CANCELLED)
                && evaluate::condition(&mut PastRow { evaluation: self, row }, residual) == Some(true)
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
        let (function, at) = (aggregate.definition.function, self.at());
        let pairs = entries.iter().map(|entry| (entry.at, entry.value));
        match aggregate.definition.window {
            Window::Today | Window::ThisMonth => {
                let mut cells = KeyedState::new(aggregate);
                let span = self.span(aggregate);
                let inside = entries.iter().filter(|entry| span.contains(entry.at));
                inside.for_each(|entry| cells.insert(aggregate, *entry));
                cells.evaluate(aggregate, self.at(), this)
            }
            Window::Quiet(quiet) => value_of_age(self.age(id, key, entries, this.is_some(), quiet)),
            Window::Within(length) if aggregate.definition.adds_decimals() => {
                value_of_decimals(function, pairs, length, at, this)
            }
            Window::Within(length) => match function {
                Function::Min | Function::Max | Function::Avg => {
                    value_of_range(aggregate, scan::range(pairs, length, at, this))
                }
                Function::Last => {
                    let newest = entries.last().filter(|entry| entry.at.is_within(length, at));
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
    fn age(&self, id: AggregateId, key: u64, entries: &[Entry], with_this: bool, quiet: Nanos) -> Option<Nanos> {
        let (at, newest) = (self.at(), self.wallet.newest());
        let times = entries.iter().map(|entry| entry.at);
        let unseen = times.clone().take_while(|time| !is_visible(self.plan, id, *time, newest)).count();
        let mut before = self.wallet.chain(id, key);
        for time in times.clone().take(unseen) {
            before = Some(ChainStart::extended(before, id, key, time, quiet));
        }
        // What nothing that still enters the window can continue is forgotten.
        let limit = newest.map(|newest| newest.minus(self.plan.aggregates[id].retention));
        let before = before.filter(|chain| limit.is_none_or(|limit| limit.since(chain.last) <= quiet));
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
        if !aggregate.owned && !self.view.is_complete(aggregate, Some(key), self.at()) {
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
        let satisfied =
            filter.is_none_or(|f| evaluate::condition(&mut ThisAsPast { evaluation: self }, f) == Some(true));
        let survives = self.plan.settings.has(EngineMutant::StreakSurvivesSuccess);
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
            self.view.window(self.plan, SharedKey { aggregate: id, key })?.run_within(self.reach)
        }
    }

    fn run_before(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> u64 {
        let Window::Quiet(quiet) = aggregate.definition.window else { return 0 };
        let run = self.known_run(id, aggregate, key);
        run.map_or(0, |(length, last)| if self.at().since(last) > quiet { 0 } else { length })
    }

    /// Computes an aggregate over matches: those of earlier operations, and this one's so far.
    fn compute_matches(&self, id: AggregateId, aggregate: &PlannedAggregate, key: u64) -> AggregateValue {
        let own = self.own_matches(id, aggregate);
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

    /// Lists this operation's matches so far that count in their own window.
    pub(super) fn own_matches(&self, id: AggregateId, aggregate: &PlannedAggregate) -> Vec<Entry> {
        let at = self.at();
        let mut own = Vec::new();
        if !aggregate.definition.excluding_this && aggregate.definition.function != Function::Last {
            for fired in &self.fired {
                if let Some(value) = self.match_value(id, *fired) {
                    own.push(Entry { at, op: u64::MAX - own.len() as u64, value });
                }
            }
        }
        own
    }

    /// Returns the value with which a match enters a window over matches, `None` if it does not.
    #[must_use]
    pub fn match_value(&self, id: AggregateId, fired: Fired) -> Option<i64> {
        let aggregate = &self.plan.aggregates[id];
        if aggregate.enforced_only && !fired.enforced {
            return None;
        }
        let mut facts = MatchFacts { evaluation: self, rule: &self.plan.rules.rules[fired.rule], fired };
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
        MatchFacts { evaluation: self, rule: &self.plan.rules.rules[fired.rule], fired }.word(Scope::Past, field)
    }
}
