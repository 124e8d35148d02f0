//! Why a stored decision was made: the state before it is made again, and its operation examined on top of it.
//!
//! What bears on a decision is the history of its wallet, and of shared state what bears the same address, device or
//! recipient. The index finds these operations, and they alone are decided again, in a number that is bounded. Of other
//! wallets' operations, whose own history is not there, what they bring to shared windows is taken as the stored
//! decision says. Whether all this was enough shows: each decision of the wallet must come out as it is stored, byte for
//! byte, and no shared window may be read that other operations feed. Where it was not, and the whole log is short, all
//! of it is decided again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::adapters::store::{Store, StoreError, Stream};
use crate::analysis::explain::examination::{Examination, Explained};
use crate::engine::backfill::can_be_filled;
use crate::engine::plan::aggregate::PlannedAggregate;
use crate::operation::{Operation, OperationType, decode};
use crate::rules::program::Field;
use crate::service::search::Filter;

use super::again::{Again, Entered, Kept, Log};
use super::budgets_then::had_exceeded;
use super::looking_back::{PAGE, newest_before};
use super::presumed::Presumed;
use super::{Means, Missing, ReproductionError};

/// At most so many operations of a part are decided again.
const PART_MAX: usize = 20_000;
/// A whole log of at most so many operations is decided again.
const WHOLE_MAX: u64 = 50_000;
/// So many addresses, devices and recipients of the wallet's operations are looked for at most, the newest first.
const KEYS_MAX: usize = 32;
/// So many operations are read at most to find those that feed windows by other keys.
const FEEDS_SCANNED_MAX: u64 = 200_000;

/// How well the state before a decision is known.
#[derive(Debug)]
pub enum Hindsight {
    /// The decision came out as it is stored.
    Known {
        examination: Box<Examination>,
        basis: Basis,
    },
    Unknown(Unknown),
}

/// What was decided again to know the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// How many operations before it.
    pub operations: u64,
    /// All that the store keeps, or those that bear on the decision.
    pub is_whole: bool,
    /// How many more, of its wallet or of all, are no longer kept.
    pub missing: u64,
    /// Whether every value is the one that was read then; otherwise what rules read that did not fire may have been
    /// more.
    pub is_exact: bool,
}

/// Why the state before a decision cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    #[error("{0}")]
    Missing(#[from] Missing),
    #[error("decided again it comes out otherwise: by other geo databases, or by another configuration{}", gone(*missing))]
    Otherwise { missing: u64 },
    #[error("more than {PART_MAX} operations bear on it")]
    TooMany,
}

fn gone(operations: u64) -> String {
    match operations {
        0 => String::new(),
        1 => ", or because an operation before it is no longer kept".to_owned(),
        many => format!(", or because {many} operations before it are no longer kept"),
    }
}

/// Makes the state before a decision again and tells why it was made. Reads the disk, and decides at most some ten
/// thousand operations. `None`: there is no decision of this number.
///
/// # Errors
/// The store cannot be read.
pub fn why(store: &Store, seq: u64, means: &Means) -> Result<Option<Hindsight>, ReproductionError> {
    let mut log = Log::default();
    let Some(target) = log.item(store, seq)? else {
        let is_decided = store.item(Stream::Decisions, seq)?.is_some();
        return Ok(is_decided.then(|| Hindsight::Unknown(Missing::Operation(seq).into())));
    };
    let of_part = match part_before(store, &target)? {
        Some(part) => Some(examine_part(store, (part, &target), means)?),
        None => None,
    };
    if let Some(Ok(Hindsight::Known { basis, .. })) = &of_part
        && basis.is_exact
    {
        return Ok(of_part.and_then(Result::ok));
    }
    let kept_from = first_kept(store)?;
    if seq.saturating_sub(kept_from) <= WHOLE_MAX
        && let Ok(found) = examine_whole(store, (&target, kept_from), means)?
    {
        return Ok(Some(found));
    }
    Ok(Some(match of_part {
        Some(Ok(found)) => found,
        Some(Err(unknown)) => Hindsight::Unknown(unknown),
        None => Hindsight::Unknown(Unknown::TooMany),
    }))
}

fn first_kept(store: &Store) -> Result<u64, StoreError> {
    Ok(store.read(Stream::Operations, 0, 1, 1)?.first().map_or(1, |(seq, _)| *seq))
}

/// Operations that bear on a decision, by their numbers.
struct Part {
    numbers: BTreeSet<u64>,
    /// Those of its wallet: all of them.
    of_wallet: BTreeSet<u64>,
    /// Of those that bear the address, the device or the recipient of the operation itself, some before this one are
    /// left out; `None`: all are there.
    cut_before: Option<u64>,
}

/// Finds what bears on a decision; `None` where it is too much.
fn part_before(store: &Store, target: &Kept) -> Result<Option<Part>, StoreError> {
    let wallet = Filter { wallet: Some(target.wallet_id.clone()), ..Filter::default() };
    let (of_wallet, is_all) = numbers_before(store, wallet, target.seq, PART_MAX)?;
    if !is_all {
        return Ok(None);
    }
    let mut numbers = of_wallet.clone();
    let of_target = decode::decode(&target.record).map(|operation| keys_of(&operation)).unwrap_or_default();
    let mut looked_for = Vec::new();
    let mut cut_before = None;
    for key in of_target {
        let (found, is_all) = numbers_before(store, key.clone(), target.seq, PART_MAX.saturating_sub(numbers.len()))?;
        if !is_all {
            cut_before = cut_before.max(Some(found.first().copied().unwrap_or(target.seq)));
        }
        numbers.extend(found);
        looked_for.push(key);
    }
    let (mut log, mut keys) = (Log::default(), Vec::new());
    let first = of_wallet.iter().rev().nth(PAGE).copied().unwrap_or(0);
    for seq in of_wallet.range(first..) {
        if let Some(kept) = log.item(store, *seq)?
            && let Ok(operation) = decode::decode(&kept.record)
        {
            keys.extend(keys_of(&operation));
        }
    }
    for key in keys.into_iter().rev() {
        if looked_for.len() >= KEYS_MAX || numbers.len() >= PART_MAX {
            break;
        }
        if !looked_for.contains(&key) {
            // Whether they were needed shows in the decisions of the wallet.
            numbers.extend(numbers_before(store, key.clone(), target.seq, PART_MAX.saturating_sub(numbers.len()))?.0);
            looked_for.push(key);
        }
    }
    Ok(Some(Part { numbers, of_wallet, cut_before }))
}

/// Lists what finds the operations that feed the shared state which deciding this one reads.
fn keys_of(operation: &Operation<'_>) -> Vec<Filter> {
    let of_address = operation.ip.map(|ip| Filter { ip: Some(ip), ..Filter::default() });
    let of_device =
        operation.device_id.as_deref().map(|device| Filter { device: Some(device.to_owned()), ..Filter::default() });
    let recipient = operation.counterparty.wallet_id.as_deref().filter(|_| operation.kind == OperationType::Transfer);
    let of_recipient = recipient.map(|wallet| Filter { wallet: Some(wallet.to_owned()), ..Filter::default() });
    [of_address, of_device, of_recipient].into_iter().flatten().collect()
}

/// Lists the numbers of the newest decisions before one that a filter means, and tells whether these are all.
fn numbers_before(
    store: &Store,
    filter: Filter,
    before: u64,
    at_most: usize,
) -> Result<(BTreeSet<u64>, bool), StoreError> {
    let (found, is_all) = newest_before(store, filter, (before, at_most), |item| item.seq)?;
    Ok((found.into_iter().collect(), is_all))
}

/// Decides a part of the log again, and the decision on top of it.
fn examine_part(
    store: &Store,
    (part, target): (Part, &Kept),
    means: &Means,
) -> Result<Result<Hindsight, Unknown>, ReproductionError> {
    let mut again = Again::new(store, means.clone(), true);
    let (mut log, mut operations, mut missing) = (Log::default(), 0, 0);
    let Part { numbers, of_wallet, cut_before } = part;
    let (mut is_same, mut entered) = (true, Entered::default());
    for seq in numbers {
        let Some(kept) = log.item(store, seq)? else {
            missing += u64::from(of_wallet.contains(&seq));
            continue;
        };
        operations += 1;
        let stopped = if kept.wallet_id == target.wallet_id {
            again.decide_all(vec![kept], |kept, now| is_same &= now == kept.decision)?
        } else {
            again.decide_or_enter(kept, &mut entered)?
        };
        if let Some(stopped) = stopped {
            return Ok(Err(stopped.into()));
        }
    }
    if let Some(stopped) = again.use_rules_of(target)? {
        return Ok(Err(stopped.into()));
    }
    let has_fed = feed_windows(store, (&mut again, target), means, (entered, cut_before))?;
    let mut told = Presumed::of(&target.decision);
    let knows_modes = find_exceeded(store, (&mut again, target), &mut told)?;
    let found = examine(&mut again, (target, Some(&told)), missing)?;
    Ok(found.map(|examination| {
        let is_exact = missing == 0 && is_same && has_fed && knows_modes;
        Hindsight::Known { examination, basis: Basis { operations, is_whole: false, missing, is_exact } }
    }))
}

/// Finds the rules that nearly fire on an operation and had exceeded their budget, so that they only watched; tells
/// whether that is known of each.
fn find_exceeded(
    store: &Store,
    (again, target): (&mut Again<'_>, &Kept),
    told: &mut Presumed,
) -> Result<bool, StoreError> {
    let Some(deciding) = &mut again.deciding else { return Ok(true) };
    deciding.presume(told);
    let plan = Arc::clone(deciding.pipeline.engine.plan());
    let mut is_known = true;
    for index in Examination::rules_told_of(&mut deciding.pipeline, target.record()) {
        let rule = &plan.rules.rules[index];
        if plan.budget(index).is_none() || told.fired.iter().any(|(id, _)| **id == *rule.id) {
            continue;
        }
        match had_exceeded(store, rule, target)? {
            Some(true) => told.exceeded.push(rule.id.to_string()),
            Some(false) => {}
            None => is_known = false,
        }
    }
    Ok(is_known)
}

/// Decides all of the log again, and the decision on top of it.
fn examine_whole(
    store: &Store,
    (target, kept_from): (&Kept, u64),
    means: &Means,
) -> Result<Result<Hindsight, Unknown>, ReproductionError> {
    let mut again = Again::new(store, means.clone(), false);
    let (mut operations, mut stopped) = (0, None);
    Log::walk(store, target.seq.saturating_sub(1), |part| {
        operations += u64::try_from(part.len()).unwrap_or(u64::MAX);
        stopped = again.decide_all(part, |_, _| {})?;
        Ok::<_, ReproductionError>(stopped.is_none())
    })?;
    if let Some(stopped) = stopped {
        return Ok(Err(stopped.into()));
    }
    let missing = kept_from.saturating_sub(1);
    Ok(examine(&mut again, (target, None), missing)?.map(|examination| {
        let basis = Basis { operations, is_whole: true, missing, is_exact: missing == 0 };
        Hindsight::Known { examination, basis }
    }))
}

/// Decides an operation after those before it and tells why it is decided so, if it is as it was. `told` is what the
/// stored decision says of rules' budgets, where what was spent of them is not known.
fn examine(
    again: &mut Again<'_>,
    (target, told): (&Kept, Option<&Presumed>),
    missing: u64,
) -> Result<Result<Box<Examination>, Unknown>, ReproductionError> {
    if let Some(stopped) = again.use_rules_of(target)? {
        return Ok(Err(stopped.into()));
    }
    let Some(deciding) = &mut again.deciding else { return Ok(Err(Unknown::Otherwise { missing })) };
    let refused = |why| Ok(Err(Missing::Refused(target.seq, why).into()));
    told.into_iter().for_each(|told| deciding.presume(told));
    let examination = match Examination::of(&mut deciding.pipeline, target.record())? {
        Explained::Decided(examination) => examination,
        Explained::Duplicate => return refused("it was decided before".to_owned()),
        Explained::Rejected(rejection) => return refused(rejection.message),
    };
    let mut now = Vec::new();
    examination.decision.encode(&mut now);
    Ok(if now == target.decision { Ok(examination) } else { Err(Unknown::Otherwise { missing }) })
}

/// Sees to it that the shared windows which rules read of an operation hold what they held; tells whether they do. Those
/// by address or device have what the index found. What fed the others is looked for in the log, as far back as they
/// reach.
fn feed_windows(
    store: &Store,
    (again, target): (&mut Again<'_>, &Kept),
    means: &Means,
    (entered, cut_before): (Entered, Option<u64>),
) -> Result<bool, StoreError> {
    let Ok(operation) = decode::decode(&target.record) else { return Ok(false) };
    let Some(deciding) = &mut again.deciding else { return Ok(false) };
    let plan = Arc::clone(deciding.pipeline.engine.plan());
    let reads = plan.of(operation.kind).shared_reads.iter().map(|id| &plan.aggregates[*id]);
    let (found, others): (Vec<_>, Vec<_>) = reads.partition(|aggregate| is_found_by_index(aggregate));
    if entered.some_cancel || (entered.operations > 0 && !found.iter().all(|aggregate| can_be_filled(aggregate))) {
        return Ok(false);
    }
    let reaches_to = |windows: &[&PlannedAggregate]| {
        let reach = windows.iter().map(|aggregate| aggregate.retention).max()?;
        Some(operation.occurred_at.minus(reach).minus(means.settings.limits.future_skew_max))
    };
    if let (Some(cut), Some(from)) = (cut_before, reaches_to(&found))
        && Log::default().item(store, cut)?.is_none_or(|kept| kept.arrived_at >= from)
    {
        return Ok(false);
    }
    let Some(from) = reaches_to(&others) else { return Ok(true) };
    if !others.iter().all(|aggregate| can_be_filled(aggregate)) {
        return Ok(false);
    }
    let mut feeds = Vec::new();
    let texts = texts_of_keys(&operation, &others);
    let is_feed = |record: &[u8]| {
        let holds = |text: &[u8]| text.is_empty() || record.windows(text.len()).any(|part| part == text);
        // What undoes an operation names that one only, and an escaped text is none that can be looked for.
        record.contains(&b'\\') || texts.iter().any(|text| holds(text)) || holds(b"cancelled")
    };
    let is_whole = Log::walk_back(store, target.seq, (from, FEEDS_SCANNED_MAX), |kept| {
        // What the wallet did itself is there.
        if kept.wallet_id != target.wallet_id && is_feed(&kept.record) {
            feeds.push(kept);
        }
    })?;
    feeds.reverse();
    deciding.enter(&feeds.iter().collect::<Vec<_>>());
    Ok(is_whole)
}

fn is_found_by_index(aggregate: &PlannedAggregate) -> bool {
    let mut keys = aggregate.key_this.iter().zip(&aggregate.key_past);
    keys.any(|(this, past)| this == past && matches!(this, Field::Ip | Field::DeviceId))
}

/// Lists for each window a text that stands in whatever fed it under the operation's key; an empty one, which stands in
/// everything, where there is none.
fn texts_of_keys(operation: &Operation<'_>, windows: &[&PlannedAggregate]) -> Vec<Vec<u8>> {
    let party = &operation.counterparty;
    let text = |field: &Field| match field {
        Field::WalletId => Some(&*operation.wallet_id),
        Field::CounterpartyWalletId => party.wallet_id.as_deref(),
        Field::CounterpartyAccount => party.account.as_deref(),
        Field::CounterpartyPhone => party.phone.as_deref(),
        _ => None,
    };
    let of_window = |window: &&PlannedAggregate| window.key_this.iter().find_map(text).unwrap_or_default();
    windows.iter().map(of_window).map(|text| text.as_bytes().to_vec()).collect()
}
