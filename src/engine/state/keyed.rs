//! The entries of one window under one key, in the structure that answers its aggregate fast.
//! Serves long wallet logs ([`crate::engine::index`]) and the windows that wallets share ([`crate::engine::shared`]).

use crate::engine::plan::aggregate::PlannedAggregate;
use crate::engine::value::{
    AggregateValue, DECIMAL_ONE, Ratio, UNREAD_DECIMALS, is_kept_as_text, ratio_of_units, units_of_word,
};
use crate::engine::window::{CalendarCell, Chain, Entry, Measure, RangeFold, Shape, Timeline, scan};
use crate::operation::Time;
use crate::operation::time::{Nanos, Span, almaty_day, almaty_month};
use crate::rules::program::{Function, Window};
use std::collections::BTreeMap;

/// Entries of one window under one key.
#[derive(Debug, Clone)]
pub enum KeyedState {
    Within(Timeline),
    /// By the first instant of the calendar day or month; with the instant it ends.
    Calendar(BTreeMap<Time, (Time, CalendarCell)>),
    /// Boxed: the other kinds are far more common, and smaller.
    Chain(Box<Chain>),
}

impl KeyedState {
    /// Makes the empty state of an aggregate.
    #[must_use]
    pub fn new(aggregate: &PlannedAggregate) -> Self {
        match aggregate.definition.window {
            Window::Within(length) => Self::Within(Timeline::new(Shape { measure: measure(aggregate), length })),
            Window::Quiet(quiet) => Self::Chain(Box::new(Chain::new(quiet))),
            Window::Today | Window::ThisMonth => Self::Calendar(BTreeMap::new()),
        }
    }

    /// Reads the newest entry, to have it near.
    #[must_use]
    pub fn touch(&self) -> u64 {
        let newest = match self {
            Self::Within(timeline) => timeline.newest(),
            Self::Chain(chain) => chain.newest(),
            Self::Calendar(cells) => cells.last_key_value().map(|(start, _)| *start),
        };
        newest.map_or(0, Time::nanos).cast_unsigned()
    }

    /// Adds an entry.
    pub fn insert(&mut self, aggregate: &PlannedAggregate, entry: Entry) {
        match self {
            Self::Within(timeline) => {
                timeline.insert(entry);
            }
            Self::Chain(chain) => {
                chain.insert(entry.at, entry.op);
            }
            Self::Calendar(cells) => {
                let cell = match cells.last_entry() {
                    // The last day, nearly always.
                    Some(last) if *last.key() <= entry.at && entry.at < last.get().0 => last.into_mut(),
                    _ => {
                        let span = calendar_span(aggregate, entry.at);
                        let cell = cells.entry(span.start);
                        cell.or_insert_with(|| (span.end, CalendarCell::new(measure(aggregate))))
                    }
                };
                cell.1.insert(entry);
            }
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, aggregate: &PlannedAggregate, entry: Entry) {
        match self {
            Self::Within(timeline) => {
                timeline.remove(entry.at, entry.op);
            }
            Self::Chain(chain) => {
                chain.remove(entry.at, entry.op);
            }
            Self::Calendar(cells) => {
                let start = calendar_span(aggregate, entry.at).start;
                if let Some((_, cell)) = cells.get_mut(&start) {
                    cell.remove(entry);
                    if cell.is_empty() {
                        cells.remove(&start);
                    }
                }
            }
        }
    }

    /// Lets entries go that no longer count when the key's newest entry is at `newest`.
    pub fn evict(&mut self, aggregate: &PlannedAggregate, newest: Time, lateness: Nanos) {
        let limit = newest.minus(aggregate.retention);
        match self {
            Self::Within(timeline) => timeline.evict_before(limit),
            Self::Chain(chain) => chain.fold_before(limit),
            Self::Calendar(cells) => {
                let open = newest.minus(lateness);
                while cells.first_key_value().is_some_and(|(_, (end, _))| *end <= open) {
                    cells.pop_first();
                }
            }
        }
    }

    /// Returns what a chain remembers of entries that are gone, first and last instant.
    #[must_use]
    pub fn folded(&self) -> Option<(Time, Time)> {
        match self {
            Self::Chain(chain) => chain.folded(),
            Self::Within(_) | Self::Calendar(_) => None,
        }
    }

    /// Returns the time of the latest entry, of a window that a `last` reads.
    #[must_use]
    pub fn last_at(&self) -> Option<Time> {
        match self {
            Self::Within(timeline) => timeline.newest(),
            Self::Calendar(cells) => cells.last_key_value()?.1.1.last().map(|entry| entry.at),
            Self::Chain(_) => None,
        }
    }

    /// Lists the times of entries after an instant; of a calendar day or month after it, when that begins.
    #[must_use]
    pub fn times_after(&self, newest: Time) -> Vec<Time> {
        match self {
            Self::Within(timeline) if timeline.newest() > Some(newest) => {
                timeline.iter().map(|entry| entry.at).filter(|at| *at > newest).collect()
            }
            Self::Chain(chain) if chain.newest() > Some(newest) => {
                chain.iter().map(|(at, _)| at).filter(|at| *at > newest).collect()
            }
            Self::Within(_) | Self::Chain(_) => Vec::new(),
            Self::Calendar(cells) => cells.keys().copied().filter(|start| *start > newest).collect(),
        }
    }

    /// Tells whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Within(timeline) => timeline.is_empty(),
            Self::Chain(chain) => chain.is_empty(),
            Self::Calendar(cells) => cells.is_empty(),
        }
    }

    /// Returns how many entries are held.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Within(timeline) => timeline.len(),
            Self::Chain(chain) => chain.len(),
            Self::Calendar(cells) => {
                cells.values().map(|(_, cell)| usize::try_from(cell.seen().0).unwrap_or(usize::MAX)).sum()
            }
        }
    }

    /// Lists the entries that an operation at `at` may look back at, oldest first: those of its own day or month,
    /// or all of a sliding window. A calendar's least and greatest value know no times: there each value is listed
    /// once, at `at`.
    #[must_use]
    pub fn entries_for(&self, aggregate: &PlannedAggregate, at: Time) -> Vec<Entry> {
        match self {
            Self::Within(timeline) => timeline.iter().collect(),
            Self::Chain(_) => Vec::new(),
            Self::Calendar(cells) => {
                let cell = cells.get(&calendar_span(aggregate, at).start).map(|(_, cell)| cell);
                let values = cell.into_iter().flat_map(CalendarCell::values).map(|(value, _)| value);
                let at_once = values.map(|value| Entry { at, op: 0, value });
                cell.into_iter().flat_map(CalendarCell::entries).chain(at_once).collect()
            }
        }
    }

    /// Lists the values that may have to be shown or read as texts.
    pub fn values(&self) -> impl Iterator<Item = i64> + '_ {
        let (timeline, cells) = match self {
            Self::Within(timeline) => (Some(timeline), None),
            Self::Calendar(cells) => (None, Some(cells)),
            Self::Chain(_) => (None, None),
        };
        let within = timeline.into_iter().flat_map(Timeline::iter);
        let cells = move || cells.into_iter().flat_map(BTreeMap::values).map(|(_, cell)| cell);
        let entries = within.chain(cells().flat_map(CalendarCell::entries)).map(|entry| entry.value);
        entries.chain(cells().flat_map(CalendarCell::values).map(|(value, _)| value))
    }

    /// Computes the aggregate for an operation at `at`; `this` is the operation's own value where it
    /// belongs to the window.
    #[must_use]
    pub fn evaluate(&self, aggregate: &PlannedAggregate, at: Time, this: Option<i64>) -> AggregateValue {
        let function = aggregate.definition.function;
        match self {
            Self::Within(timeline) if aggregate.definition.adds_decimals() => {
                let entries: Vec<(Time, i64)> = timeline.iter().map(|entry| (entry.at, entry.value)).collect();
                value_of_decimals(function, entries.iter().copied(), aggregate.length(), at, this)
            }
            Self::Within(timeline) => match function {
                Function::Min | Function::Max | Function::Avg => value_of_range(aggregate, timeline.range(at, this)),
                Function::Last => value_of_last(timeline.last(at)),
                Function::Count
                | Function::Sum
                | Function::Distinct
                | Function::Any
                | Function::None
                | Function::Streak
                | Function::Age => value_of_total(function, timeline.fullest(at, this)),
            },
            Self::Chain(chain) => value_of_age(chain.age(at, this.is_some())),
            Self::Calendar(cells) => {
                let is_last = |(start, (end, _)): &(&Time, &(Time, _))| **start <= at && at < *end;
                let cell = match cells.last_key_value().filter(is_last) {
                    Some((_, (_, cell))) => Some(cell),
                    None => cells.get(&calendar_span(aggregate, at).start).map(|(_, cell)| cell),
                };
                value_of_cell(aggregate, cell, this)
            }
        }
    }

    /// Estimates the bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Within(timeline) => timeline.heap_bytes(),
            Self::Chain(chain) => chain.heap_bytes(),
            Self::Calendar(cells) => cells.values().map(|(_, cell)| cell.heap_bytes() + 64).sum(),
        }
    }
}

/// Returns the calendar day or month of the aggregate's window that holds `at`.
#[must_use]
pub fn calendar_span(aggregate: &PlannedAggregate, at: Time) -> Span {
    match aggregate.definition.window {
        Window::ThisMonth => almaty_month(at),
        Window::Today | Window::Within(_) | Window::Quiet(_) => almaty_day(at),
    }
}

/// Returns what a timeline or cell of the aggregate is asked for.
#[must_use]
pub fn measure(aggregate: &PlannedAggregate) -> Measure {
    if aggregate.definition.adds_decimals() {
        // It keeps every entry: packed decimals are unpacked when they are added up.
        return Measure::Last;
    }
    match aggregate.definition.function {
        Function::Sum => Measure::Sum,
        Function::Distinct => Measure::Distinct,
        Function::Min | Function::Max | Function::Avg => Measure::Range,
        Function::Last => Measure::Last,
        Function::Count | Function::Any | Function::None | Function::Streak | Function::Age => Measure::Count,
    }
}

/// Turns a total into the value of a count, sum, distinct, any or none.
#[must_use]
pub fn value_of_total(function: Function, total: i128) -> AggregateValue {
    match function {
        Function::Any => AggregateValue::Flag(total > 0),
        Function::None => AggregateValue::Flag(total == 0),
        Function::Count
        | Function::Sum
        | Function::Distinct
        | Function::Min
        | Function::Max
        | Function::Avg
        | Function::Last
        | Function::Streak
        | Function::Age => AggregateValue::Number(Ratio::whole(total)),
    }
}

/// Turns a fold into the value of a min, max or avg; empty is missing.
#[must_use]
pub fn value_of_range(aggregate: &PlannedAggregate, fold: RangeFold) -> AggregateValue {
    // Words of decimals that are kept as texts are above all others, and in no order.
    if fold.max.is_some_and(is_kept_as_text) && aggregate.definition.is_of_decimals() {
        return UNREAD_DECIMALS;
    }
    let function = aggregate.definition.function;
    let word = |value: Option<i64>| value.map_or(AggregateValue::Missing, |v| AggregateValue::Word(v.cast_unsigned()));
    match function {
        Function::Min => word(fold.min),
        Function::Max => word(fold.max),
        Function::Avg
        | Function::Count
        | Function::Sum
        | Function::Distinct
        | Function::Last
        | Function::Any
        | Function::None
        | Function::Streak
        | Function::Age => {
            Ratio::new(fold.sum, i128::from(fold.count)).map_or(AggregateValue::Missing, AggregateValue::Number)
        }
    }
}

/// Computes a sum or average of packed decimals over the entries of a sliding window.
pub fn value_of_decimals(
    function: Function,
    entries: impl Iterator<Item = (Time, i64)> + Clone,
    length: Nanos,
    at: Time,
    this: Option<i64>,
) -> AggregateValue {
    if entries.clone().map(|(_, word)| word).chain(this).any(is_kept_as_text) {
        return UNREAD_DECIMALS;
    }
    if function == Function::Sum {
        return AggregateValue::Number(ratio_of_units(scan::fullest_decimals(entries, length, at, this)));
    }
    let from = at.minus(length);
    let inside = entries.filter(|(time, _)| (from..=at).contains(time)).map(|(_, value)| value);
    mean_of_decimals(inside.chain(this))
}

/// Averages packed decimals; of none the average is missing.
fn mean_of_decimals(words: impl Iterator<Item = i64>) -> AggregateValue {
    let (count, units) = words.fold((0, 0), |(count, units), word| (count + 1, units + units_of_word(word)));
    Ratio::new(units, count * DECIMAL_ONE).map_or(AggregateValue::Missing, AggregateValue::Number)
}

/// Turns the last entry into a value.
#[must_use]
pub fn value_of_last(entry: Option<Entry>) -> AggregateValue {
    entry.map_or(AggregateValue::Missing, |entry| AggregateValue::Word(entry.value.cast_unsigned()))
}

/// Turns an age into a value.
#[must_use]
pub fn value_of_age(age: Option<Nanos>) -> AggregateValue {
    age.map_or(AggregateValue::Missing, |age| AggregateValue::Number(Ratio::whole(i128::from(age.get()))))
}

fn value_of_cell(aggregate: &PlannedAggregate, cell: Option<&CalendarCell>, this: Option<i64>) -> AggregateValue {
    let function = aggregate.definition.function;
    let empty = CalendarCell::new(measure(aggregate));
    let cell = cell.unwrap_or(&empty);
    if aggregate.definition.adds_decimals() {
        let words = cell.entries().map(|entry| entry.value).chain(this);
        if cell.entries().map(|entry| entry.value).chain(this).any(is_kept_as_text) {
            return UNREAD_DECIMALS;
        }
        return match function {
            Function::Sum => AggregateValue::Number(ratio_of_units(words.map(units_of_word).sum())),
            _ => mean_of_decimals(words),
        };
    }
    match function {
        Function::Last => value_of_last(cell.last()),
        Function::Min | Function::Max | Function::Avg => value_of_range(aggregate, cell.range(this)),
        Function::Distinct => value_of_total(function, cell.distinct(this)),
        Function::Sum => value_of_total(function, cell.sum(this)),
        Function::Count | Function::Any | Function::None | Function::Streak | Function::Age => {
            value_of_total(function, cell.count(this))
        }
    }
}
