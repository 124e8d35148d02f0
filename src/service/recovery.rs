//! From the store back to the state in memory: the groups as they were written, and on each of them the
//! journals of the batches after it.

use std::sync::Arc;

use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::memory::MemoryStore;
use crate::adapters::store::block::{first_arrival, fold, unfold};
use crate::adapters::store::{Position, Store, StoreError, Stream};
use crate::engine::Engine;
use crate::engine::plan::{Plan, Settings};
use crate::engine::shared::SharedChange;
use crate::engine::stored::windows::{decode_group, group_of_key, group_of_party};
use crate::engine::stored::{GROUPS, JournalReader, Layouts, StateLayout, StoredError, wallets};
use crate::engine::wallets::wallet_group;
use crate::operation::Time;
use crate::rules::program::{RuleSet, Window, symbol_of_text};

use super::checkpoint::stamp;
use super::rule_stats::RuleStats;

/// The note that names the layout in use, and the windows that are not full yet.
pub const NOTE_RULES: &str = "rules";
/// The note of the newest operation whose key was turned away, in nanoseconds; empty where none matters any more.
pub const NOTE_TURNED_AWAY: &str = "turned_away";

/// The state as it was committed last.
pub struct Recovered {
    pub engine: Engine,
    pub shared: MemoryStore,
    pub position: Position,
    pub rule_stats: RuleStats,
    /// The newest operation that was decided, by its own time.
    pub newest: Option<Time>,
    /// Bytes of journals that were read.
    pub journal_bytes: u64,
    /// Windows that are not full yet, by state, with the instant from which they are.
    pub young: Vec<(u64, Time)>,
}

/// Visits bytes with the group and the batch they belong to.
pub type VisitGroup<'a> = &'a mut dyn FnMut(u32, u64, &[u8]) -> Result<(), StoreError>;
/// Visits the journal of a batch: number, bytes.
pub type VisitJournal<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), StoreError>;

/// Where the state of one shard was committed to: the embedded store, or a partition of the state topic.
pub trait StateSource {
    /// Returns how far the shard has come.
    ///
    /// # Errors
    /// The source cannot be read.
    fn position(&self) -> Result<Position, StoreError>;
    /// Lists the layouts that rows were written with.
    ///
    /// # Errors
    /// The source cannot be read.
    fn layouts(&self) -> Result<Vec<(u64, Vec<u8>)>, StoreError>;
    /// Reads a note.
    ///
    /// # Errors
    /// The source cannot be read.
    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Walks the groups of wallet records.
    ///
    /// # Errors
    /// The source cannot be read, or the visitor fails.
    fn each_wallet_group(&self, visit: VisitGroup<'_>) -> Result<(), StoreError>;
    /// Walks the groups of shared windows and blocks.
    ///
    /// # Errors
    /// The source cannot be read, or the visitor fails.
    fn each_window_group(&self, visit: VisitGroup<'_>) -> Result<(), StoreError>;
    /// Walks the journals after a batch, in order.
    ///
    /// # Errors
    /// The source cannot be read, or the visitor fails.
    fn each_journal(&self, after: u64, visit: VisitJournal<'_>) -> Result<(), StoreError>;
}

impl StateSource for Store {
    fn position(&self) -> Result<Position, StoreError> {
        self.position()
    }

    fn layouts(&self) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.layouts()
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.note(name)
    }

    fn each_wallet_group(&self, visit: VisitGroup<'_>) -> Result<(), StoreError> {
        self.each_wallet_group(visit)
    }

    fn each_window_group(&self, visit: VisitGroup<'_>) -> Result<(), StoreError> {
        self.each_window_group(visit)
    }

    fn each_journal(&self, after: u64, visit: VisitJournal<'_>) -> Result<(), StoreError> {
        self.each_journal(after, visit)
    }
}

/// Reads the state from a store, for these rules.
///
/// # Errors
/// The store cannot be read, or holds what this program does not understand.
pub fn recover(store: &Store, rules: Arc<RuleSet>, settings: Settings) -> Result<Recovered, StoreError> {
    check_ends(store, store.position()?)?;
    let mut recovered = recover_state(store, rules, settings, |_, _| {})?;
    recovered.rule_stats = RuleStats::recover(store, recovered.position.seq)?;
    let turned_away = store.note(NOTE_TURNED_AWAY)?.and_then(|note| note.try_into().ok()).map(i64::from_le_bytes);
    recovered.shared.resume_turned_away(turned_away.map(Time::from_nanos));
    Ok(recovered)
}

/// Reads the state from wherever it is, for these rules. `on_shared` is given the changes of each journal
/// to shared state with its batch, and may take out what is kept elsewhere. What the rules matched is not counted.
///
/// # Errors
/// The source cannot be read, or holds what this program does not understand.
pub fn recover_state(
    source: &impl StateSource,
    rules: Arc<RuleSet>,
    settings: Settings,
    on_shared: impl FnMut(u64, &mut Vec<SharedChange>),
) -> Result<Recovered, StoreError> {
    let position = source.position()?;
    let plan = Plan::new(rules, settings);
    let mut layouts = Layouts::new(&plan);
    for (id, bytes) in source.layouts()? {
        let layout = StateLayout::decode(&bytes).map_err(|source| record("layout", id, source))?;
        layouts.add(&layout);
    }
    let (mut engine, shared) = (Engine::new(Arc::new(plan)), MemoryStore::default());
    let journal_bytes = restore(source, position, &layouts, (&mut engine, &shared), on_shared)?;
    engine.resume_after(position.seq);
    engine.restore_budgets(|name| source.note(name), |source| record("note of budgets", 0, source))?;
    let newest = engine.wallets().iter().filter_map(crate::engine::wallet::Wallet::newest).max();
    let young = young_windows(source, engine.plan(), newest)?;
    let plan = Plan::new(Arc::clone(&engine.plan().rules), settings).with_young_windows(&young);
    engine
        .switch(Arc::new(plan), &crate::engine::stored::LayoutMigration::between(layouts.present(), layouts.present()));
    Ok(Recovered { engine, shared, position, rule_stats: RuleStats::default(), newest, journal_bytes, young })
}

fn record(what: &'static str, number: u64, source: StoredError) -> StoreError {
    StoreError::Record { what, number, source }
}

/// The streams must end where the store says it stands: nothing may be decided on top of a gap.
fn check_ends(store: &Store, position: Position) -> Result<(), StoreError> {
    for stream in [Stream::Operations, Stream::Decisions] {
        if store.end(stream)?.unwrap_or(1) != position.seq + 1 {
            return Err(record(stream.name(), position.seq, StoredError::Gap));
        }
    }
    Ok(())
}

/// Takes a group's bytes, if they are this group's as of this batch.
fn unfold_group(number: usize, batch: u64, bytes: &[u8]) -> Result<Vec<u8>, StoredError> {
    let raw = unfold(bytes)?;
    if first_arrival(bytes)? == stamp(number, batch) { Ok(raw) } else { Err(StoredError::Gap) }
}

/// Reads groups and journals; returns the bytes of journals read.
fn restore(
    source: &impl StateSource,
    position: Position,
    layouts: &Layouts,
    (engine, shared): (&mut Engine, &MemoryStore),
    mut on_shared: impl FnMut(u64, &mut Vec<SharedChange>),
) -> Result<u64, StoreError> {
    let plan = Arc::clone(engine.plan());
    let (mut wallets_after, mut windows_after) = (vec![0; GROUPS], vec![0; GROUPS]);
    source.each_wallet_group(&mut |group, batch, bytes| {
        let failed = |source| record("wallet group", group.into(), source);
        let number = usize::try_from(group).unwrap_or(0) % GROUPS;
        let raw = unfold_group(number, batch, bytes).map_err(failed)?;
        wallets::decode_group(&raw, &plan, layouts, engine.wallets_mut()).map_err(failed)?;
        wallets_after[number] = batch;
        Ok(())
    })?;
    source.each_window_group(&mut |group, batch, bytes| {
        let failed = |source| record("window group", group.into(), source);
        let number = usize::try_from(group).unwrap_or(0) % GROUPS;
        let raw = unfold_group(number + GROUPS, batch, bytes).map_err(failed)?;
        shared.restore(&plan, decode_group(&raw, &plan, layouts).map_err(failed)?);
        windows_after[number] = batch;
        Ok(())
    })?;
    let written = wallets_after.iter().chain(&windows_after);
    let oldest =
        if FleetMutant::OverlapDropped.is_made() { written.max() } else { written.min() }.copied().unwrap_or(0);
    let (mut journal_bytes, mut last) = (0, oldest);
    source.each_journal(oldest, &mut |batch, bytes| {
        let failed = |source| record("journal", batch, source);
        last += 1;
        if batch != last {
            return Err(failed(StoredError::Gap));
        }
        journal_bytes += bytes.len() as u64;
        let raw = unfold(bytes).map_err(failed)?;
        let mut reader = JournalReader::new(&raw, layouts).map_err(failed)?;
        while let Some((id, mut changes)) = reader.next_wallet().map_err(failed)? {
            let symbol = symbol_of_text(id);
            if batch > wallets_after[wallet_group(symbol)] {
                engine.wallets_mut().get_or_insert(symbol, id).apply(&plan, &mut changes);
            }
        }
        on_shared(batch, &mut reader.shared);
        let is_newer = |change: &SharedChange| batch > windows_after[group_of_change(change)];
        let changes: Vec<SharedChange> = reader.shared.drain(..).filter(is_newer).collect();
        shared.enter(&plan, &changes);
        Ok(())
    })?;
    if last == position.batch { Ok(journal_bytes) } else { Err(record("journal", last + 1, StoredError::Gap)) }
}

fn group_of_change(change: &SharedChange) -> usize {
    match change {
        SharedChange::Insert { key, .. }
        | SharedChange::Remove { key, .. }
        | SharedChange::Run { key, .. }
        | SharedChange::Text { key, .. } => group_of_key(*key),
        SharedChange::Ahead(inner) => group_of_change(inner),
        SharedChange::Place { party, .. } | SharedChange::Lift { party, .. } | SharedChange::Seen { party, .. } => {
            group_of_party(*party)
        }
    }
}

/// What is noted of the rules with each switch.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct RulesNote {
    /// The states of all windows there were.
    pub states: Vec<u64>,
    /// Those of them that were not full yet, with the instant from which they are.
    pub young: Vec<(u64, Time)>,
}

impl RulesNote {
    /// Returns what there is to note of a plan.
    #[must_use]
    pub fn of(plan: &Plan, young: Vec<(u64, Time)>) -> Self {
        Self { states: plan.aggregates.iter().map(|aggregate| aggregate.state_id).collect(), young }
    }
}

/// Finds the windows that the store has not fed for their length.
fn young_windows(source: &impl StateSource, plan: &Plan, newest: Option<Time>) -> Result<Vec<(u64, Time)>, StoreError> {
    let Some(bytes) = source.note(NOTE_RULES)? else { return Ok(Vec::new()) };
    let failed = |source| record("rules note", 0, source);
    let bytes = unfold(&bytes).map_err(failed)?;
    let note: RulesNote = postcard::from_bytes(&bytes).map_err(|_| failed(StoredError::Damaged(0)))?;
    Ok(young_after(plan, &note, newest))
}

/// Finds the windows of a plan that were not there before, or were not full, at an instant.
#[must_use]
pub fn young_after(plan: &Plan, before: &RulesNote, newest: Option<Time>) -> Vec<(u64, Time)> {
    // With nothing decided yet there is no history to miss.
    let Some(newest) = newest else { return Vec::new() };
    let mut young: Vec<(u64, Time)> = Vec::new();
    for aggregate in &plan.aggregates {
        let known = before.young.iter().find(|(state, _)| *state == aggregate.state_id).copied();
        let is_new = !before.states.contains(&aggregate.state_id);
        let full = match aggregate.definition.window {
            Window::Within(_) | Window::Quiet(_) => newest.plus(aggregate.retention - plan.settings.lateness),
            Window::Today => crate::operation::time::almaty_day(newest).end,
            Window::ThisMonth => crate::operation::time::almaty_month(newest).end,
        };
        let entry = known.or_else(|| is_new.then_some((aggregate.state_id, full)));
        young.extend(entry.filter(|(_, until)| *until > newest));
    }
    young.sort_unstable();
    young.dedup();
    young
}

/// What is to be noted of a plan.
#[must_use]
pub fn rules_note(plan: &Plan, young: &[(u64, Time)]) -> Vec<u8> {
    let note = postcard::to_stdvec(&RulesNote::of(plan, young.to_vec())).unwrap_or_default();
    fold(&note, Time::from_nanos(0))
}
