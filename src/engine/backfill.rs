//! Fills windows that a reload added from operations of the past.
//!
//! The operations are those a log kept, in their order. An operation that was refused, or that did not
//! happen after all, is in no window. Windows that depend on more than the operation itself (runs, ages,
//! matches, whether a wallet was blocked) cannot be filled.

use crate::engine::Engine;
use crate::engine::enrich::Enriched;
use crate::engine::matching::evaluate::Facts;
use crate::engine::matching::memo::Memo;
use crate::engine::matching::record::{halves_of, long_decimals, long_value, word_of_column};
use crate::engine::plan::aggregate::{PlannedAggregate, past_fields};
use crate::engine::plan::row_layout::{ROW_AT, ROW_CONTENT, ROW_FLAGS, ROW_HEADER, ROW_ID, ROW_SEQ};
use crate::engine::state::shared::SharedView;
use crate::engine::state::shared::change::{SharedChange, SharedKey};
use crate::engine::state::wallet::row::{FLAG_MONEY, Row};
use crate::engine::window::Entry;
use crate::engine::window_mask;
use crate::operation::content::id_hash;
use crate::operation::time::Nanos;
use crate::operation::{OperationType, Time};
use crate::rules::program::{Field, Function, Scope, Stream, Window};
use compact_str::CompactString;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Collects what windows would hold had they always been there. It needs no wallet's record before the end, so that
/// another thread may collect while operations are decided.
#[derive(Debug)]
pub struct Backfill {
    windows: Vec<usize>,
    /// Operations that were cancelled, by wallet and id.
    cancelled: HashSet<(u64, u128)>,
    rows: HashMap<(u64, CompactString), Rows>,
    /// Changes of shared windows, with the wallet and the id of the operation they are of.
    shared: Vec<((u64, u128), SharedChange)>,
}

/// Rows of one wallet, and the texts of long decimals in them.
#[derive(Debug, Default)]
struct Rows {
    words: Vec<Vec<u64>>,
    texts: BTreeMap<u64, Box<str>>,
}

/// Tells whether a window can be filled from operations alone.
#[must_use]
pub fn can_be_filled(aggregate: &PlannedAggregate) -> bool {
    let definition = &aggregate.definition;
    let by_function = match definition.function {
        Function::Count
        | Function::Sum
        | Function::Distinct
        | Function::Min
        | Function::Max
        | Function::Avg
        | Function::Any
        | Function::None => true,
        Function::Last | Function::Streak | Function::Age => false,
    };
    let mut fields: Vec<Field> = aggregate.key_past.clone();
    fields.extend(definition.value.clone());
    for condition in definition.filter.iter().chain(&definition.residual) {
        past_fields(condition, &mut fields);
    }
    let by_state = fields.iter().any(|field| matches!(field, Field::WalletIsBlocked | Field::WalletIsMonitored));
    by_function && !by_state && matches!(definition.stream, Stream::Operations(_))
}

/// Returns the time from which on operations matter to a window when the newest is at `newest`.
#[must_use]
pub fn needed_from(aggregate: &PlannedAggregate, newest: Time) -> Time {
    let lateness = match aggregate.definition.window {
        Window::Within(length) | Window::Quiet(length) => aggregate.retention - length,
        Window::Today | Window::ThisMonth => Nanos::ZERO,
    };
    newest.minus(aggregate.retention).minus(lateness)
}

impl Backfill {
    /// Starts to fill these windows of the plan in use.
    #[must_use]
    pub fn new(windows: Vec<usize>) -> Self {
        Self { windows, cancelled: HashSet::new(), rows: HashMap::new(), shared: Vec::new() }
    }

    /// Adds an operation that was decided with this sequence number; each is added once, in their order. Of the engine
    /// nothing but the plan is looked at.
    pub fn add(&mut self, engine: &Engine, enriched: &Enriched<'_>, seq: u64, was_refused: bool) {
        if was_refused {
            return;
        }
        if enriched.operation.kind == OperationType::Cancelled
            && let Some(ref_op_id) = enriched.operation.ref_op_id.as_deref()
        {
            self.cancelled.insert((enriched.wallet, id_hash(ref_op_id)));
        }
        let plan = engine.plan();
        let (view, mut memo) = (SharedView::default(), Memo::default());
        memo.start(plan, enriched.operation.kind);
        let mut evaluation = engine.plain_evaluation(enriched, &view, &mut memo);
        evaluation.find_feeds();
        let fed: Vec<usize> = self.windows.iter().copied().filter(|id| evaluation.feeds(*id)).collect();
        if fed.is_empty() {
            return;
        }
        let mut row = vec![0; plan.stride()];
        row[ROW_AT] = enriched.operation.occurred_at.nanos().cast_unsigned();
        [row[ROW_ID], row[ROW_ID + 1]] = halves_of(enriched.id);
        row[ROW_CONTENT] = enriched.content;
        row[ROW_FLAGS] = if enriched.operation.kind.is_money() { FLAG_MONEY } else { 0 };
        row[ROW_SEQ] = seq;
        for (column, field) in plan.columns.iter().enumerate() {
            row[ROW_HEADER + plan.mask_words + column] =
                word_of_column(plan, column, evaluation.word(Scope::Past, field));
        }
        for id in fed {
            window_mask::insert(&mut row[ROW_HEADER..], id);
            let aggregate = &plan.aggregates[id];
            let Some(key) = evaluation.feeding_key(aggregate).filter(|_| !aggregate.owned) else { continue };
            let (at, value) = (enriched.operation.occurred_at, evaluation.value(aggregate));
            let entry = Entry { at, op: enriched.shared_op(), value };
            let key = SharedKey { aggregate: id, key };
            let of = (enriched.wallet, enriched.id);
            self.shared.push((of, SharedChange::Insert { key, entry }));
            let text = long_value(&evaluation, aggregate, entry);
            self.shared.extend(text.map(|(symbol, text)| (of, SharedChange::Text { key, symbol, text })));
        }
        let wallet = (enriched.wallet, CompactString::from(&*enriched.operation.wallet_id));
        let rows = self.rows.entry(wallet).or_default();
        rows.texts.extend(long_decimals(plan, &row, |field| evaluation.decimal(Scope::Past, field)));
        rows.words.push(row);
    }

    /// Puts what was collected into the wallets' records; returns what is for the shared windows.
    pub fn finish(self, engine: &mut Engine) -> Vec<SharedChange> {
        let plan = std::sync::Arc::clone(engine.plan());
        for ((symbol, id), mut rows) in self.rows {
            if !self.cancelled.is_empty() {
                rows.words.retain(|row| !self.cancelled.contains(&(symbol, Row(row).id())));
            }
            if !rows.words.is_empty() {
                engine.wallets_mut().get_or_insert(symbol, &id).backfill(&plan, &rows.words, rows.texts);
            }
        }
        let counts = |(of, _): &((u64, u128), SharedChange)| !self.cancelled.contains(of);
        self.shared.into_iter().filter(counts).map(|(_, change)| change).collect()
    }
}
