//! Writes a decided operation into the changes: its row, its matches' rows, runs and shared windows.

use crate::engine::matching::evaluate::Facts;
use crate::engine::matching::evaluation::Evaluation;
use crate::engine::mutant::EngineMutant;
use crate::engine::plan::Plan;
use crate::engine::plan::aggregate::PlannedAggregate;
use crate::engine::plan::row_layout::{ROW_AT, ROW_CONTENT, ROW_FLAGS, ROW_HEADER, ROW_ID, ROW_SEQ};
use crate::engine::state::changes::{Changes, SharedChanges};
use crate::engine::state::reach::Reach;
use crate::engine::state::shared::change::{Party, SharedChange, SharedKey};
use crate::engine::state::wallet::row::{FLAG_MATCH, FLAG_MONEY, FLAG_REFUSED, FLAG_SHADOW};
use crate::engine::state::wallet::runs::Run;
use crate::engine::value::is_kept_as_text;
use crate::engine::window::Entry;
use crate::engine::window_mask;
use crate::operation::decision::Verdict;
use crate::operation::{Decimal, OperationType, Time};
use crate::rules::program::{Field, Function, Scope, Stream};
use smallvec::SmallVec;

/// Writes the operation into the changes: its row, its matches' rows, its runs, the shared windows.
pub(crate) fn record(
    evaluation: &Evaluation<'_, '_>,
    (verdict, seq): (Verdict, u64),
    changes: &mut Changes,
    shared: &mut SharedChanges,
) {
    let plan = evaluation.plan;
    let operation = &evaluation.enriched.operation;
    let refused = verdict == Verdict::Refuse && !plan.settings.has(EngineMutant::RefusedCounted);
    let mut flags = if operation.kind.is_money() { FLAG_MONEY } else { 0 };
    if refused {
        flags |= FLAG_REFUSED;
    } else if evaluation.reach.covers(operation.occurred_at) {
        changes.newest = Some(operation.occurred_at);
    }
    let row = start_row(evaluation, changes, flags, seq);
    if refused {
        return;
    }
    let columns = &mut changes.rows[row + ROW_HEADER + plan.mask_words..];
    for (column, (field, word)) in plan.columns.iter().zip(columns).enumerate() {
        *word = word_of_column(plan, column, evaluation.word(Scope::Past, field));
    }
    for (symbol, text) in long_decimals(plan, &changes.rows[row..], |field| evaluation.decimal(Scope::Past, field)) {
        changes.cold().texts.push((symbol, text));
    }
    if let (OperationType::Login, Some(address)) = (operation.kind, operation.ip) {
        let party = Party::Address(address);
        if !evaluation.view.blocks(party).is_empty()
            && let Some(at) = evaluation.reach.counted(operation.occurred_at)
        {
            shared.push(SharedChange::Seen { party, at });
        }
    }
    for feed in &plan.of(operation.kind).feeds {
        if evaluation.feeds(feed.aggregate) {
            enter(evaluation, feed.aggregate, row, changes, shared);
        }
    }
    record_matches(evaluation, changes, seq);
}

/// Lists the texts of a row's decimals that one word cannot pack, each with the word that names it.
pub(crate) fn long_decimals(
    plan: &Plan,
    row: &[u64],
    decimal: impl Fn(&Field) -> Option<Decimal>,
) -> SmallVec<[(u64, Box<str>); 2]> {
    let mut found = SmallVec::new();
    for column in &plan.decimal_columns {
        let word = row[ROW_HEADER + plan.mask_words + column];
        if is_kept_as_text(word.cast_signed()) {
            found.extend(decimal(&plan.columns[*column]).map(|decimal| (word, decimal.to_string().into())));
        }
    }
    found
}

/// Returns the text of the decimal with which the operation enters a window and the word that names it, where one word
/// cannot pack the decimal.
pub(crate) fn long_value(
    evaluation: &Evaluation<'_, '_>,
    aggregate: &PlannedAggregate,
    entry: Entry,
) -> Option<(u64, Box<str>)> {
    if !is_kept_as_text(entry.value) || !aggregate.definition.is_of_decimals() {
        return None;
    }
    let decimal = evaluation.decimal(Scope::Past, aggregate.definition.value.as_ref()?)?;
    Some((entry.value.cast_unsigned(), decimal.to_string().into()))
}

/// Returns what a column of a row holds, be the value missing or not.
pub(crate) fn word_of_column(plan: &Plan, column: usize, word: Option<u64>) -> u64 {
    word.unwrap_or(plan.missing_words[column])
}

/// Starts a row of the log and returns where it begins.
pub(crate) fn start_row(evaluation: &Evaluation<'_, '_>, changes: &mut Changes, flags: u64, seq: u64) -> usize {
    let mut header = [0; ROW_HEADER];
    header[ROW_AT] = evaluation.at().nanos().cast_unsigned();
    [header[ROW_ID], header[ROW_ID + 1]] = halves_of(evaluation.enriched.id);
    header[ROW_CONTENT] = evaluation.enriched.content;
    header[ROW_FLAGS] = flags;
    header[ROW_SEQ] = seq;
    let start = changes.rows.len();
    changes.rows.extend_from_slice(&header);
    changes.rows.resize(start + evaluation.plan.stride(), 0);
    start
}

/// Returns the two words of an id, the low one first.
#[expect(clippy::cast_possible_truncation, reason = "each half is what is wanted")]
pub(crate) const fn halves_of(id: u128) -> [u64; 2] {
    [id as u64, (id >> 64) as u64]
}

/// Returns the change of a shared window by what happened at `at`: it ages nothing where that lies too far ahead.
fn of_window(reach: Reach, at: Time, change: SharedChange) -> SharedChange {
    if reach.covers(at) { change } else { SharedChange::Ahead(Box::new(change)) }
}

/// Enters the operation into one window.
pub(crate) fn enter(
    evaluation: &Evaluation<'_, '_>,
    id: usize,
    row: usize,
    changes: &mut Changes,
    shared: &mut SharedChanges,
) {
    let plan = evaluation.plan;
    let aggregate = &plan.aggregates[id];
    let at = evaluation.at();
    let Some(key) = evaluation.feeding_key(aggregate) else { return };
    let shared_key = SharedKey { aggregate: id, key };
    if aggregate.is_run() {
        if let Some((key, length)) = evaluation.run_after(id, aggregate) {
            // A late attempt does not make the run look older than its newest attempt.
            let last = evaluation.run_last(id, aggregate, key).filter(|_| length > 1).map_or(at, |last| last.max(at));
            if aggregate.owned {
                changes.cold().runs.push(Run { aggregate: id, key, length, last });
            } else if evaluation.view.available || length == 0 {
                // While the store is away, the length before is not known; an end is one whatever it was.
                let change = SharedChange::Run { key: shared_key, length, last };
                shared.push(of_window(evaluation.reach, last, change));
            }
        }
        return;
    }
    let is_left = |newest: Option<Time>| newest.is_none_or(|newest| at >= newest.minus(aggregate.retention));
    if aggregate.owned {
        if !is_left(evaluation.wallet.newest()) {
            return;
        }
    } else {
        let entry = Entry { at, op: evaluation.enriched.shared_op(), value: evaluation.value(aggregate) };
        shared.push(of_window(evaluation.reach, at, SharedChange::Insert { key: shared_key, entry }));
        if let Some((symbol, text)) = long_value(evaluation, aggregate, entry) {
            shared.push(SharedChange::Text { key: shared_key, symbol, text });
        }
    }
    window_mask::insert(&mut changes.rows[row + ROW_HEADER..], id);
    if aggregate.definition.function == Function::Last
        && let Some(field) = &aggregate.definition.value
        && let Some(symbol) = evaluation.word(Scope::Past, field)
    {
        remember_text(evaluation, (id, shared_key), (field, symbol), changes, shared);
    }
}

/// Keeps the text behind a symbol that evidence may have to show.
pub(crate) fn remember_text(
    evaluation: &Evaluation<'_, '_>,
    (id, key): (usize, SharedKey),
    (field, symbol): (&Field, u64),
    changes: &mut Changes,
    shared: &mut SharedChanges,
) {
    let text: Option<Box<str>> = match field {
        Field::Ip => evaluation.enriched.operation.ip.map(|address| address.to_string().into()),
        _ => evaluation.field_text(field).map(Into::into),
    };
    let Some(text) = text else { return };
    if evaluation.plan.aggregates[id].owned {
        changes.cold().texts.push((symbol, text));
    } else {
        shared.push(SharedChange::Text { key, symbol, text });
    }
}

/// Writes a row for each match that enters a window over matches.
pub(crate) fn record_matches(evaluation: &Evaluation<'_, '_>, changes: &mut Changes, seq: u64) {
    let plan = evaluation.plan;
    for fired in &evaluation.fired {
        let entered: SmallVec<[usize; 4]> =
            plan.match_feeds.iter().copied().filter(|id| evaluation.match_value(*id, *fired).is_some()).collect();
        if entered.is_empty() {
            continue;
        }
        let flags = FLAG_MATCH | if fired.enforced { 0 } else { FLAG_SHADOW };
        let row = start_row(evaluation, changes, flags, seq);
        for id in entered {
            debug_assert_eq!(plan.aggregates[id].definition.stream, Stream::Matches);
            window_mask::insert(&mut changes.rows[row + ROW_HEADER..], id);
        }
        for (column, field) in plan.columns.iter().enumerate() {
            changes.rows[row + ROW_HEADER + plan.mask_words + column] =
                word_of_column(plan, column, evaluation.match_word(*fired, field));
        }
    }
}
