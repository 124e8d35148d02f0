//! A rule set laid out for the engine: which rules and windows an operation of each type meets, and
//! what a wallet's log keeps of an operation for them. Knows no wallet and no operation.

use std::collections::HashSet;
use std::sync::Arc;

use super::fault::Fault;
use super::guards::Group;
use super::parts::{Formula, Parts};
use crate::operation::OperationType;
use crate::operation::Time;
use crate::operation::time::{DAY, HOUR};
use crate::rules::program::{
    Aggregate, AggregateId, Field, Function, Inputs, List, Mode, OnMissing, Read, Rule, RuleSet, Scope, Stream, Window,
    symbol_of_text,
};
use crate::rules::program::{Comparison, Condition};

/// Words of a row before its mask: time, id (two words), content, arrival and flags, sequence number.
pub const ROW_HEADER: usize = 6;
/// Positions of the header's words.
pub const ROW_AT: usize = 0;
pub const ROW_ID: usize = 1;
pub const ROW_CONTENT: usize = 3;
pub const ROW_FLAGS: usize = 4;
pub const ROW_SEQ: usize = 5;

/// The settings that decisions depend on besides the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How far an operation may be behind its wallet's newest one before it is `late`, in nanoseconds.
    pub lateness: i64,
    /// How long an operation id is remembered, in nanoseconds of event time.
    pub duplicate_horizon: i64,
    /// How many operations of one wallet may wait.
    pub waiting_max: usize,
    /// Only for tests that prove the tests; see [`super::fault`].
    pub fault: Option<Fault>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lateness: 10 * crate::operation::time::MINUTE,
            duplicate_horizon: 24 * HOUR,
            waiting_max: 1_000,
            fault: None,
        }
    }
}

/// One aggregate with the places its inputs have in a row.
#[derive(Debug, Clone)]
pub struct PlannedAggregate {
    pub definition: Aggregate,
    /// Only enforced matches are visible (the twin that enforced rules read; see [`Plan::visible_to`]).
    pub enforced_only: bool,
    pub owned: bool,
    /// Names the window in shared stores and over reloads.
    pub state_id: u64,
    /// The words of a row that hold the key, without the owning wallet.
    pub key_words: Vec<usize>,
    /// The judged operation's fields for the same key parts.
    pub key_this: Vec<Field>,
    /// The past operation's fields for the same key parts.
    pub key_past: Vec<Field>,
    /// The past operation's fields that a residual `where` reads.
    pub residual_past: Vec<Field>,
    /// The word of a row that holds the value.
    pub value_word: Option<usize>,
    /// How long after its time an entry may still count, lateness included.
    pub retention: i64,
    /// Its position among the windows of a wallet as a whole that a long log has an index of.
    pub whole: Option<usize>,
}

/// A rule set laid out for the engine.
#[derive(Debug)]
pub struct Plan {
    pub rules: Arc<RuleSet>,
    pub ruleset: Arc<str>,
    pub settings: Settings,
    pub aggregates: Vec<PlannedAggregate>,
    /// For each aggregate over matches the twin that sees enforced matches only.
    twins: Vec<Option<AggregateId>>,
    /// The fields a row keeps, after the mask.
    pub columns: Vec<Field>,
    /// For each column the word of a missing value: [`MISSING`] where a `where` has to tell it from zero.
    pub missing_words: Vec<u64>,
    pub mask_words: usize,
    by_type: Vec<TypePlan>,
    /// Aggregates over matches.
    pub match_feeds: Vec<AggregateId>,
    /// A wallet that has not acted for so long is in no window any more, in nanoseconds.
    pub idle_after: i64,
    /// A key that nothing entered for so long is in no shared window any more, in nanoseconds.
    pub shared_idle_after: i64,
    /// The symbols of each list's values: most values are on none, and need no comparing of texts.
    listed: Vec<HashSet<u64, foldhash::fast::FixedState>>,
    /// For each rule until when it only watches: a window of it has not been fed for its length yet.
    warming: Vec<Option<Time>>,
}

/// The word of a missing value: no amount, no count and no time has it.
pub const MISSING: u64 = 1 << 63;

/// What evaluating a rule reads of it, close together: most rules are looked at and do not fire.
#[derive(Debug)]
pub struct PlannedRule {
    /// Position in the rule set.
    pub index: usize,
    pub stage: u32,
    pub reads_login_run: bool,
    /// An unknown condition fires.
    pub fires_unknown: bool,
    pub needs: Inputs,
    /// A list of it lies in the shared store and has not been read yet.
    pub lacks_a_list: bool,
    /// When the rule applies: not before the first instant, not from the second on.
    from: Time,
    until: Time,
    /// From when it acts: never where it only watches.
    enforced_from: Time,
    pub when: Formula,
}

/// A window that operations of a type may enter.
#[derive(Debug)]
pub struct Feed {
    pub aggregate: AggregateId,
    /// Which of them do, unless all of them.
    pub enters: Option<Formula>,
}

/// An instant before all others, and one after them.
const ALWAYS: Time = Time::from_nanos(i64::MIN);
const NEVER: Time = Time::from_nanos(i64::MAX);

impl PlannedRule {
    fn of(rules: &RuleSet, index: usize, parts: &mut Parts) -> Self {
        let rule = &rules.rules[index];
        Self {
            index,
            stage: rule.stage,
            reads_login_run: rule.reads_login_run,
            fires_unknown: rule.on_missing == OnMissing::Fire,
            needs: rule.needs,
            lacks_a_list: rule.lists.iter().any(|list| rules.lists.get(*list).is_some_and(|list| !list.is_read())),
            from: rule.from.unwrap_or(ALWAYS),
            until: rule.until.unwrap_or(NEVER),
            enforced_from: if rule.mode == Mode::Enforce { ALWAYS } else { NEVER },
            when: parts.take_apart(&rule.when, &rules.aggregates),
        }
    }

    /// Tells whether the rule applies at this instant.
    #[must_use]
    pub fn is_in_force(&self, at: Time) -> bool {
        self.from <= at && at < self.until
    }

    /// Tells whether a match of the rule has effects at this instant.
    #[must_use]
    pub fn is_enforced(&self, at: Time) -> bool {
        self.enforced_from <= at
    }
}

/// What operations of one type meet.
#[derive(Debug, Default)]
pub struct TypePlan {
    /// Rules in evaluation order: plain ones, those that read a login run, then those that read matches.
    pub rules: Vec<PlannedRule>,
    /// Aggregates whose stream holds the type.
    pub feeds: Vec<Feed>,
    /// What the rules and feeds ask of an operation.
    pub parts: Parts,
    /// The rules again, by what tells of many of them that they do not fire.
    pub groups: Vec<Group>,
    /// Shared aggregates that some rule of the type reads.
    pub shared_reads: Vec<AggregateId>,
    /// The fields that alone are keys of these.
    pub near_reads: Vec<Field>,
    /// What the geo databases are asked for: nothing, unless a rule or a window looks at the address.
    pub asks: Inputs,
}

impl Plan {
    /// Lays out a rule set.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, settings: Settings) -> Self {
        let rules = if settings.fault.is_some() { Arc::new(with_fault(&rules, settings)) } else { rules };
        let mut definitions: Vec<(Aggregate, bool)> =
            rules.aggregates.iter().map(|aggregate| (aggregate.clone(), false)).collect();
        let mut twins = vec![None; definitions.len()];
        for (id, twin) in twins.iter_mut().enumerate() {
            let reads = |rule: &Rule| rule.mode == Mode::Enforce && rule.aggregates.contains(&id);
            if definitions[id].0.stream == Stream::Matches && rules.rules.iter().any(reads) {
                *twin = Some(definitions.len());
                definitions.push((definitions[id].0.clone(), true));
            }
        }
        let columns = columns_of(definitions.iter().map(|(definition, _)| definition));
        let mask_words = definitions.len().div_ceil(64).max(1);
        let layout = Layout { columns: &columns, mask_words };
        let mut aggregates: Vec<_> = definitions
            .into_iter()
            .map(|(definition, enforced)| layout.place(definition, enforced, settings))
            .collect();
        let whole = aggregates.iter_mut().filter(|aggregate| aggregate.is_indexed() && aggregate.key_words.is_empty());
        whole.enumerate().for_each(|(position, aggregate)| aggregate.whole = Some(position));
        let is_told = |field: &Field| aggregates.iter().any(|aggregate| aggregate.residual_past.contains(field));
        let missing_words = columns.iter().map(|field| if is_told(field) { MISSING } else { 0 }).collect();
        let match_feeds =
            (0..aggregates.len()).filter(|id| aggregates[*id].definition.stream == Stream::Matches).collect();
        let by_type = OperationType::ALL.iter().map(|kind| type_plan(&rules, &aggregates, *kind)).collect();
        let ruleset = Arc::from(rules.hash.as_str());
        let warming = vec![None; rules.rules.len()];
        let symbols = |list: &List| list.values.keys().map(|value| symbol_of_text(value)).collect();
        let listed = rules.lists.iter().map(symbols).collect();
        let longest = |owned: bool, least: i64| {
            let those = aggregates.iter().filter(|aggregate| aggregate.owned == owned);
            those.map(|aggregate| aggregate.retention).fold(least, i64::max).saturating_add(settings.lateness)
        };
        let (idle_after, shared_idle_after) = (longest(true, settings.duplicate_horizon), longest(false, 0));
        Self {
            rules,
            ruleset,
            settings,
            aggregates,
            twins,
            columns,
            missing_words,
            mask_words,
            by_type,
            match_feeds,
            idle_after,
            shared_idle_after,
            listed,
            warming,
        }
    }

    /// Lets rules only watch while a window they read is younger than its length: `young` names such
    /// windows by their state, with the instant from which they are full.
    #[must_use]
    pub fn with_young_windows(mut self, young: &[(u64, Time)]) -> Self {
        let until = |id: &AggregateId| {
            let state = self.aggregates[*id].state_id;
            young.iter().find(|(young, _)| *young == state).map(|(_, until)| *until)
        };
        self.warming = self.rules.rules.iter().map(|rule| rule.aggregates.iter().filter_map(until).max()).collect();
        for rule in self.by_type.iter_mut().flat_map(|plan| &mut plan.rules) {
            rule.enforced_from = rule.enforced_from.max(self.warming[rule.index].unwrap_or(ALWAYS));
        }
        self
    }

    /// Returns the instant from which a rule's windows are full, where they are not yet known to be.
    #[must_use]
    pub fn warming_until(&self, rule: usize) -> Option<Time> {
        self.warming.get(rule).copied().flatten()
    }

    /// Tells whether a list holds a text, whose symbol is given, at `at`; `None` when the list was not read.
    #[must_use]
    pub fn list_has_text(&self, list: usize, symbol: u64, text: &str, at: Time) -> Option<bool> {
        let rows = self.rules.lists.get(list)?;
        if self.listed[list].contains(&symbol) { rows.has_text(text, at) } else { rows.is_read().then_some(false) }
    }

    /// Returns what operations of the type meet.
    #[must_use]
    pub fn of(&self, kind: OperationType) -> &TypePlan {
        &self.by_type[usize::from(kind.code())]
    }

    /// Returns the aggregate as a rule of this mode sees it: shadow matches are invisible to
    /// enforced rules.
    #[must_use]
    pub fn visible_to(&self, id: AggregateId, enforced: bool) -> AggregateId {
        if enforced { self.twins[id].unwrap_or(id) } else { id }
    }

    /// Returns the length of a row in words.
    #[must_use]
    pub fn stride(&self) -> usize {
        ROW_HEADER + self.mask_words + self.columns.len()
    }
}

fn type_plan(rules: &RuleSet, aggregates: &[PlannedAggregate], kind: OperationType) -> TypePlan {
    let mut met: Vec<usize> = (0..rules.rules.len())
        .filter(|index| rules.rules[*index].mode != Mode::Off && rules.rules[*index].on.contains(kind))
        .collect();
    met.sort_by_key(|index| (rules.rules[*index].stage, rules.rules[*index].reads_login_run, *index));
    let feeds: Vec<AggregateId> = (0..aggregates.len())
        .filter(|id| matches!(aggregates[*id].definition.stream, Stream::Operations(types) if types.contains(kind)))
        .collect();
    let mut shared_reads: Vec<_> = met
        .iter()
        .flat_map(|index| rules.rules[*index].aggregates.iter().copied())
        .filter(|id| !aggregates[*id].owned)
        .collect();
    shared_reads.sort_unstable();
    shared_reads.dedup();
    let mut near_reads: Vec<Field> = Vec::new();
    for id in &shared_reads {
        if let [field] = aggregates[*id].key_this.as_slice()
            && !near_reads.contains(field)
        {
            near_reads.push(field.clone());
        }
    }
    let asks = asks_of(rules, aggregates, &met, &feeds);
    let mut parts = Parts::default();
    let rules: Vec<_> = met.iter().map(|index| PlannedRule::of(rules, *index, &mut parts)).collect();
    let groups = Group::all_of(&rules, &parts);
    let feed = |id: AggregateId| Feed { aggregate: id, enters: parts.take_entry(&aggregates[id]) };
    let feeds = feeds.into_iter().map(feed).collect();
    TypePlan { rules, feeds, parts, groups, shared_reads, near_reads, asks }
}

/// Finds what the rules and windows that operations of a type meet want to know of their address.
fn asks_of(rules: &RuleSet, aggregates: &[PlannedAggregate], met: &[usize], feeds: &[AggregateId]) -> Inputs {
    let mut asks = met.iter().fold(Inputs::default(), |asks, index| asks.union(rules.rules[*index].needs));
    for id in feeds {
        let aggregate = &aggregates[*id];
        let mut fields = aggregate.residual_past.clone();
        fields.extend(aggregate.key_past.iter().chain(&aggregate.definition.value).cloned());
        if let Some(filter) = &aggregate.definition.filter {
            past_fields(filter, &mut fields);
        }
        for field in fields {
            match field {
                Field::IpCountry => asks = asks.union(Inputs::GEOIP_COUNTRY),
                Field::IpIsAnonymizer => asks = asks.union(Inputs::GEOIP_ANONYMIZER),
                _ => {}
            }
        }
    }
    asks
}

/// Collects the fields that rows must keep: keys, values, and what a residual `where` reads.
fn columns_of<'a>(definitions: impl Iterator<Item = &'a Aggregate>) -> Vec<Field> {
    let mut columns = Vec::new();
    for definition in definitions {
        let keys = definition.key.iter().map(|part| &part.past);
        let value = definition.value.iter();
        let residual = residual_fields(definition);
        columns.extend(keys.chain(value).chain(residual.iter()).filter(|field| header_word(field).is_none()).cloned());
        columns.extend(definition.value.iter().filter(|field| is_shown(definition, field)).cloned());
    }
    columns.sort();
    columns.dedup();
    columns
}

/// Tells whether a value that the header tells apart must also be there as itself: `last` shows and
/// compares it, and the owner is no word of the header.
fn is_shown(definition: &Aggregate, field: &Field) -> bool {
    definition.is_owned()
        && (*field == Field::WalletId || *field == Field::OpId && definition.function == Function::Last)
}

/// Fields a row's header already holds, as far as telling values apart goes; the owner is the record itself.
const fn header_word(field: &Field) -> Option<usize> {
    match field {
        Field::OccurredAt => Some(ROW_AT),
        Field::OpId => Some(ROW_ID),
        Field::WalletId => Some(usize::MAX),
        _ => None,
    }
}

struct Layout<'a> {
    columns: &'a [Field],
    mask_words: usize,
}

impl Layout<'_> {
    fn word(&self, field: &Field) -> usize {
        let column = self.columns.iter().position(|column| column == field);
        column.map_or_else(|| header_word(field).unwrap_or(ROW_AT), |at| ROW_HEADER + self.mask_words + at)
    }

    fn place(&self, definition: Aggregate, enforced_only: bool, settings: Settings) -> PlannedAggregate {
        let owned = definition.is_owned();
        let is_owner = |past: &Field, this: &Field| owned && *past == Field::WalletId && *this == Field::WalletId;
        let parts: Vec<_> = definition.key.iter().filter(|part| !is_owner(&part.past, &part.this)).collect();
        let length = match definition.window {
            Window::Within(length) | Window::Quiet(length) => length,
            Window::Today => DAY + HOUR,
            Window::ThisMonth => 31 * DAY + HOUR,
        };
        let state_text = format!("{}{}", definition.canonical, if enforced_only { " enforced" } else { "" });
        PlannedAggregate {
            enforced_only,
            owned,
            state_id: symbol_of_text(&state_text),
            key_words: parts.iter().map(|part| self.word(&part.past)).collect(),
            key_this: parts.iter().map(|part| part.this.clone()).collect(),
            key_past: parts.iter().map(|part| part.past.clone()).collect(),
            residual_past: residual_fields(&definition),
            value_word: definition.value.as_ref().map(|field| self.word(field)),
            retention: length.saturating_add(settings.lateness),
            whole: None,
            definition,
        }
    }
}

impl PlannedAggregate {
    /// Tells whether a window of it is its entries and nothing else: no run, no chain, no texts.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        matches!(self.definition.window, Window::Within(_)) && self.definition.function != Function::Last
    }

    /// Tells whether the aggregate is answered from the index of a long log: runs keep their own state, a
    /// residual `where` has to look at every row.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.owned && !self.is_run() && self.definition.residual.is_none()
    }

    /// Tells whether the index keeps no more of the aggregate than a few totals: those of a calendar day or month.
    #[must_use]
    pub fn is_totalled(&self) -> bool {
        let is_total =
            matches!(self.definition.function, Function::Count | Function::Sum | Function::Any | Function::None);
        is_total && self.whole.is_some() && matches!(self.definition.window, Window::Today | Window::ThisMonth)
    }

    /// Tells whether a log of middle length counts the aggregate's rows by their keys. Few rules read an age, and
    /// mostly all rows of a wallet have the one key of it.
    #[must_use]
    pub fn is_counted_by_key(&self) -> bool {
        self.is_indexed() && self.whole.is_none() && !matches!(self.definition.window, Window::Quiet(_))
    }

    /// Tells whether the aggregate's state is a run or a chain instead of entries in a window.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.definition.function == Function::Streak
    }
}

fn residual_fields(definition: &Aggregate) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(condition) = &definition.residual {
        past_fields(condition, &mut fields);
    }
    fields
}

/// Collects the fields of the past operation that a condition reads.
pub(super) fn past_fields(condition: &Condition, found: &mut Vec<Field>) {
    condition.each_read(&mut |read| {
        if let Read::Field(Scope::Past, field) = read {
            found.push(field.clone());
        }
    });
}

/// Compares two ordered values the way the language's operator does.
#[must_use]
pub fn holds(comparison: Comparison, ordering: std::cmp::Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
    }
}

/// Makes the wrong variants that are wrong in the rules themselves.
fn with_fault(rules: &RuleSet, settings: Settings) -> RuleSet {
    let mut rules = rules.clone();
    if settings.has(Fault::OpenWindow) {
        for aggregate in &mut rules.aggregates {
            if let Window::Within(length) = &mut aggregate.window {
                *length -= 1;
            }
        }
    }
    if settings.has(Fault::StrictBecomesInclusive) {
        rules.rules.iter_mut().for_each(|rule| make_inclusive(&mut rule.when));
    }
    rules
}

fn make_inclusive(condition: &mut Condition) {
    match condition {
        Condition::Compare { comparison, .. } if *comparison == Comparison::Greater => {
            *comparison = Comparison::GreaterOrEqual;
        }
        Condition::All(parts) | Condition::Any(parts) => parts.iter_mut().for_each(make_inclusive),
        Condition::Not(inner) => make_inclusive(inner),
        Condition::Literal(_)
        | Condition::Compare { .. }
        | Condition::Same { .. }
        | Condition::Flag(..)
        | Condition::FlagAggregate(_)
        | Condition::InList { .. }
        | Condition::Missing { .. }
        | Condition::ClausesHas(_)
        | Condition::Matched(_) => {}
    }
}
