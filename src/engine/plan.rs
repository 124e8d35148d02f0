//! A rule set laid out for the engine: which rules and windows an operation of each type meets, and
//! what a wallet's log keeps of an operation for them. Knows no wallet and no operation.

use row_layout::{RowLayout, columns_of};
use wrong::with_fault;

pub mod aggregate;
pub mod predicates;
pub mod prefilter;
pub mod row_layout;
pub mod rule;
pub mod settings;
mod wrong;

use crate::engine::plan::aggregate::past_fields;
use crate::engine::plan::predicates::{Expr, Predicates};
use crate::engine::plan::prefilter::RuleBlock;
use crate::engine::plan::row_layout::{MISSING, ROW_HEADER};
use crate::engine::plan::rule::ALWAYS;
use crate::operation::time::Nanos;
use crate::operation::{OperationType, Time};
use crate::rules::program::{
    Aggregate, AggregateId, AttributeType, Budget, Field, Inputs, List, Mode, Rule, RuleSet, Stream, symbol_of_text,
};
pub use aggregate::PlannedAggregate;
pub use rule::PlannedRule;
pub use settings::Settings;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

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
    /// Which columns hold decimals of attributes, that may have to be kept as texts.
    pub decimal_columns: Vec<usize>,
    pub mask_words: usize,
    by_type: Vec<TypePlan>,
    /// Aggregates over matches.
    pub match_feeds: Vec<AggregateId>,
    /// A wallet that has not acted for so long is in no window any more.
    pub idle_after: Nanos,
    /// A key that nothing entered for so long is in no shared window any more.
    pub shared_idle_after: Nanos,
    /// The symbols of each list's values: most values are on none, and need no comparing of texts.
    listed: Vec<HashSet<u64, foldhash::fast::FixedState>>,
    /// For each rule until when it only watches: a window of it has not been fed for its length yet.
    warming: Vec<Option<Time>>,
    has_budgets: bool,
}

/// A window that operations of a type may enter.
#[derive(Debug)]
pub struct Feed {
    pub aggregate: AggregateId,
    /// Which of them do, unless all of them.
    pub enters: Option<Expr>,
}

/// What operations of one type meet.
#[derive(Debug, Default)]
pub struct TypePlan {
    /// Rules in evaluation order: plain ones, those that read a login run, then those that read matches.
    pub rules: Vec<PlannedRule>,
    /// Aggregates whose stream holds the type.
    pub feeds: Vec<Feed>,
    /// What the rules and feeds ask of an operation.
    pub parts: Predicates,
    /// The rules again, by what tells of many of them that they do not fire.
    pub groups: Vec<RuleBlock>,
    /// Shared aggregates that some rule of the type reads.
    pub shared_reads: Vec<AggregateId>,
    /// The fields that alone are keys of these.
    pub near_reads: Vec<Field>,
    /// What the geo databases are asked for: nothing, unless a rule or a window looks at the address.
    pub asks: Inputs,
    /// The attributes that rules compare or look back at, each as the type it must be of.
    pub attributes: Vec<Field>,
    /// Aggregates that add decimals up and that some rule of the type reads: a total may be too long.
    pub totals: Vec<AggregateId>,
}

impl Plan {
    /// Lays out a rule set.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, settings: Settings) -> Self {
        let rules = if settings.mutant.is_some() { Arc::new(with_fault(&rules, settings)) } else { rules };
        let mut definitions: Vec<(Aggregate, bool)> =
            rules.aggregates.iter().map(|aggregate| (aggregate.clone(), false)).collect();
        let mut twins = vec![None; definitions.len()];
        for (id, twin) in twins.iter_mut().enumerate() {
            let reads = |rule: &Rule| rule.mode == Mode::Enforce && rule.aggregates.contains(&id);
            let was_read = rules.retired.iter().any(|retired| retired.aggregate == id && retired.by_enforced);
            if definitions[id].0.stream == Stream::Matches && (was_read || rules.rules.iter().any(reads)) {
                *twin = Some(definitions.len());
                definitions.push((definitions[id].0.clone(), true));
            }
        }
        let columns = columns_of(definitions.iter().map(|(definition, _)| definition));
        let mask_words = definitions.len().div_ceil(64).max(1);
        let layout = RowLayout { columns: &columns, mask_words };
        let mut aggregates: Vec<_> = definitions
            .into_iter()
            .map(|(definition, enforced)| layout.place(definition, enforced, settings))
            .collect();
        let whole = aggregates.iter_mut().filter(|aggregate| aggregate.is_indexed() && aggregate.key_words.is_empty());
        whole.enumerate().for_each(|(position, aggregate)| aggregate.whole = Some(position));
        let is_told = |field: &Field| aggregates.iter().any(|aggregate| aggregate.residual_past.contains(field));
        let missing_words = columns.iter().map(|field| if is_told(field) { MISSING } else { 0 }).collect();
        let is_decimal = |at: &usize| matches!(columns[*at], Field::Attribute(_, AttributeType::Number));
        let decimal_columns = (0..columns.len()).filter(is_decimal).collect();
        let match_feeds =
            (0..aggregates.len()).filter(|id| aggregates[*id].definition.stream == Stream::Matches).collect();
        let by_type = OperationType::ALL.iter().map(|kind| type_plan(&rules, &aggregates, *kind)).collect();
        let ruleset = Arc::from(rules.hash.as_str());
        let warming = vec![None; rules.rules.len()];
        let has_budgets = rules.rules.iter().any(|rule| rule.budget.is_some());
        let symbols = |list: &List| list.values.keys().map(|value| symbol_of_text(value)).collect();
        let listed = rules.lists.iter().map(symbols).collect();
        let longest = |owned: bool, least: Nanos| {
            let those = aggregates.iter().filter(|aggregate| aggregate.owned == owned);
            those.map(|aggregate| aggregate.retention).fold(least, Nanos::max).saturating_add(settings.lateness)
        };
        let (idle_after, shared_idle_after) = (longest(true, settings.duplicate_horizon), longest(false, Nanos::ZERO));
        Self {
            rules,
            ruleset,
            settings,
            aggregates,
            twins,
            columns,
            missing_words,
            decimal_columns,
            mask_words,
            by_type,
            match_feeds,
            idle_after,
            shared_idle_after,
            listed,
            warming,
            has_budgets,
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

    /// Tells whether any rule has a budget.
    #[must_use]
    pub const fn has_budgets(&self) -> bool {
        self.has_budgets
    }

    /// Returns the budget of a rule, by its position, if it has one.
    #[must_use]
    pub fn budget(&self, rule: usize) -> Option<&Budget> {
        self.rules.rules.get(rule)?.budget.as_ref()
    }

    /// Returns the position of the rule with this id.
    #[must_use]
    pub fn position_of(&self, id: &str) -> Option<usize> {
        self.rules.rules.binary_search_by(|rule| (*rule.id).cmp(id)).ok()
    }

    /// Tells whether a list holds a text, whose symbol is given, at `at`; `None` when the list was not read.
    #[must_use]
    pub fn list_has_text(&self, list: usize, symbol: u64, text: &str, at: Time) -> Option<bool> {
        let rows = self.rules.lists.get(list)?;
        let (text, symbol) = match rows.list_type.compared(text) {
            Cow::Borrowed(text) => (Cow::Borrowed(text), symbol),
            Cow::Owned(text) => {
                let symbol = symbol_of_text(&text);
                (Cow::Owned(text), symbol)
            }
        };
        if self.listed[list].contains(&symbol) { rows.has_text(&text, at) } else { rows.is_read().then_some(false) }
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
    let set = rules;
    let mut parts = Predicates::default();
    let rules: Vec<_> = met.iter().map(|index| PlannedRule::of(rules, *index, &mut parts)).collect();
    let groups = RuleBlock::all_of(&rules, &parts);
    let feed = |id: AggregateId| Feed { aggregate: id, enters: parts.take_entry(&aggregates[id]) };
    let feeds = feeds.into_iter().map(feed).collect();
    let attributes = attributes_of(set, &met, aggregates);
    let reads = met.iter().flat_map(|index| &set.rules[*index].aggregates).copied();
    let mut totals: Vec<_> = reads.filter(|id| aggregates[*id].definition.adds_decimals()).collect();
    totals.sort_unstable();
    totals.dedup();
    TypePlan { rules, feeds, parts, groups, shared_reads, near_reads, asks, attributes, totals }
}

/// Lists the attributes that the rules of a type compare, and those that they look back at.
fn attributes_of(rules: &RuleSet, met: &[usize], aggregates: &[PlannedAggregate]) -> Vec<Field> {
    let mut found: Vec<Field> = Vec::new();
    for rule in met.iter().map(|index| &rules.rules[*index]) {
        let values = rule.aggregates.iter().filter_map(|id| aggregates[*id].definition.value.as_ref());
        let values = values.filter(|field| matches!(field, Field::Attribute(..)));
        found.extend(rule.attributes.iter().chain(values).cloned());
    }
    found.sort();
    found.dedup();
    found
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
