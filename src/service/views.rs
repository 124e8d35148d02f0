//! A wallet's record as people look at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::plan::Plan;
use crate::engine::restriction::Waiting;
use crate::engine::wallet::{FLAG_MATCH, Row, Wallet, is_visible, key_of_row};
use crate::operation::Time;
use crate::operation::money::fmt_tiyn;
use crate::pipeline::Answer;
use crate::rules::program::{Field, Function, Operand, Window};

use super::active_restrictions::{Entry, entry, own_holds};

/// So many of a wallet's newest decisions are told of.
const DECISIONS_MAX: usize = 1_000;

/// What is known of a wallet.
#[derive(Debug, Clone)]
pub struct WalletView {
    pub id: Arc<str>,
    pub newest: Option<Time>,
    /// The newest time of all operations, the wallet's or others': restrictions and windows are as of then.
    pub as_of: Option<Time>,
    pub restrictions: Vec<Entry>,
    /// In order of arrival.
    pub waiting: Vec<WaitingView>,
    pub windows: Vec<WindowView>,
    /// Sequence numbers of its newest decisions, newest first.
    pub decisions: Vec<u64>,
    /// Differs whenever the wallet has had another operation since, or other rules are in use.
    pub state: String,
}

/// What a support event would do, and to which state of its wallet.
#[derive(Debug)]
pub struct Foreseen {
    pub answer: Answer,
    /// `None`: nothing is known of the wallet.
    pub wallet: Option<WalletView>,
}

/// Returns the state of a wallet that nothing is known of, or of one that is.
#[must_use]
pub fn state_of(plan: &Plan, wallet: Option<&Wallet>) -> String {
    let ruleset: String = plan.ruleset.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    format!("{}-{ruleset}", wallet.map_or(0, Wallet::arrivals))
}

/// An operation that waits. What it waits for are its own holds and some of the wallet's restrictions, among
/// them a block without an end that suspends it (7.20).
#[derive(Debug, Clone)]
pub struct WaitingView {
    pub waiting: Waiting,
    /// Sequence number of its decision, as long as its wallet remembers it.
    pub seq: Option<u64>,
}

/// Returns the state that follows a state when one more operation of the wallet was accepted, and nothing else.
#[must_use]
pub fn state_after(state: &str) -> String {
    let Some((arrivals, rules)) = state.split_once('-') else { return state.to_owned() };
    let arrivals = arrivals.parse::<u64>().map_or(0, |arrivals| arrivals.saturating_add(1));
    format!("{arrivals}-{rules}")
}

/// One window of a wallet under one key, as it is at the newest operation of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowView {
    /// The aggregate's text.
    pub aggregate: String,
    pub rules: Vec<Arc<str>>,
    pub value: Option<String>,
    pub entries: usize,
    /// When the last of the entries leaves, if nothing follows.
    pub clears_at: Option<Time>,
}

impl WalletView {
    /// Looks at a record when the newest operation of all has this time.
    #[must_use]
    pub fn of(plan: &Plan, wallet: &Wallet, newest_of_all: Option<Time>) -> Self {
        let as_of = wallet.newest().max(newest_of_all);
        let id: Arc<str> = Arc::from(wallet.id.as_str());
        let mut restrictions: Vec<Entry> =
            wallet.restrictions().iter().map(|restriction| entry(restriction, Some(&id), wallet.waiting())).collect();
        restrictions.retain(|entry| match (entry.until, as_of) {
            (Some(until), Some(as_of)) => as_of < until,
            (None, _) | (_, None) => true,
        });
        wallet.waiting().iter().for_each(|waiting| restrictions.extend(own_holds(waiting, &id)));
        restrictions.sort_by_key(|entry| (entry.from, entry.id));
        let seq = |waiting: &Waiting| wallet.find(plan, waiting.id).map(Row::seq);
        let shown = |waiting: &Waiting| WaitingView { waiting: waiting.clone(), seq: seq(waiting) };
        let operations = wallet.rows(plan).rev().filter(|row| !row.has(FLAG_MATCH));
        Self {
            newest: wallet.newest(),
            as_of,
            state: state_of(plan, Some(wallet)),
            restrictions,
            waiting: wallet.waiting().iter().map(shown).collect(),
            windows: windows(plan, wallet, as_of),
            decisions: operations.map(Row::seq).take(DECISIONS_MAX).collect(),
            id,
        }
    }
}

#[derive(Default)]
struct Cell {
    values: Vec<i64>,
    last: Option<Time>,
}

fn windows(plan: &Plan, wallet: &Wallet, as_of: Option<Time>) -> Vec<WindowView> {
    let mut cells: BTreeMap<(usize, u64), Cell> = BTreeMap::new();
    for row in wallet.rows(plan) {
        for window in row.windows(plan.mask_words) {
            let aggregate = &plan.aggregates[window];
            if !aggregate.owned || !is_in(plan, window, row.at(), as_of) {
                continue;
            }
            let cell = cells.entry((window, key_of_row(&plan.aggregates[window], row))).or_default();
            cell.values.push(aggregate.value_word.map_or(1, |word| row.word(word).cast_signed()));
            cell.last = cell.last.max(Some(row.at()));
        }
    }
    let view = |((window, _), cell): ((usize, u64), Cell)| {
        let aggregate = &plan.aggregates[window];
        let reads = |rule: &&crate::rules::program::Rule| rule.aggregates.contains(&window);
        let clears = |last: Time| match aggregate.definition.window {
            Window::Within(length) | Window::Quiet(length) => last.plus(length),
            Window::Today => crate::operation::time::almaty_day(last).end,
            Window::ThisMonth => crate::operation::time::almaty_month(last).end,
        };
        WindowView {
            aggregate: text_of(plan, window),
            rules: plan.rules.rules.iter().filter(reads).map(|rule| Arc::clone(&rule.id)).collect(),
            value: value(aggregate.definition.function, aggregate.definition.value.as_ref(), &cell.values),
            entries: cell.values.len(),
            clears_at: cell.last.map(clears),
        }
    };
    cells.into_iter().map(view).filter(|view| !view.rules.is_empty()).collect()
}

/// Returns an aggregate as the first rule that reads it writes it.
fn text_of(plan: &Plan, window: usize) -> String {
    let mut evidence = plan.rules.rules.iter().flat_map(|rule| &rule.evidence);
    let found = evidence.find(|item| item.what == Operand::Aggregate(window));
    found.map_or_else(|| plan.aggregates[window].definition.canonical.clone(), |item| item.name.clone())
}

/// Tells whether an entry counts for an operation at this time.
fn is_in(plan: &Plan, window: usize, at: Time, newest: Option<Time>) -> bool {
    let Some(newest) = newest else { return true };
    is_visible(plan, window, at, Some(newest))
        && match plan.aggregates[window].definition.window {
            Window::Within(length) | Window::Quiet(length) => at >= newest.minus(length),
            Window::Today => crate::operation::time::almaty_day(newest).contains(at),
            Window::ThisMonth => crate::operation::time::almaty_month(newest).contains(at),
        }
}

fn value(function: Function, field: Option<&Field>, values: &[i64]) -> Option<String> {
    let number = match function {
        Function::Count | Function::Any | Function::None => i128::try_from(values.len()).ok(),
        Function::Sum => Some(values.iter().map(|value| i128::from(*value)).sum()),
        Function::Max => values.iter().max().map(|value| i128::from(*value)),
        Function::Min => values.iter().min().map(|value| i128::from(*value)),
        Function::Distinct => {
            let mut values = values.to_vec();
            values.sort_unstable();
            values.dedup();
            i128::try_from(values.len()).ok()
        }
        Function::Avg | Function::Last | Function::Streak | Function::Age => None,
    }?;
    let is_money = field == Some(&Field::Amount) && matches!(function, Function::Sum | Function::Max | Function::Min);
    if !is_money {
        return Some(number.to_string());
    }
    let mut text = String::new();
    fmt_tiyn(number, &mut text).ok()?;
    Some(text)
}
