//! One shard: the wallets of one partition of the operations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::kafka::port::Incoming;
use crate::adapters::kafka::state::{Meta, StateKey, StateKeys, StateRecord};
use crate::adapters::memory::{BlocksOnly, MemoryStore};
use crate::adapters::redis::gateway::{DirectoryUpdate, Restricted, Shown as Change, updates_of};
use crate::adapters::store::block::fold;
use crate::adapters::store::{Commit, Position};
use crate::engine::Engine;
use crate::engine::plan::{Plan, Settings};
use crate::engine::restriction::Restriction;
use crate::engine::shared::{Party, SharedChange, SharedRequest, SharedView};
use crate::engine::stored::{LayoutMigration, StateLayout};
use crate::geo::Geo;
use crate::operation::Time;
use crate::operation::decision::Decision;
use crate::operation::time::{DAY, Nanos};
use crate::pipeline::{Answer, Committed, Decided, Pipeline, Record, SharedStore, SharedStoreError};
use crate::rules::program::RuleSet;

use super::super::checkpoint::Checkpoint;
use super::super::recovery::{NOTE_RULES, RulesNote, rules_note, young_after};
use super::super::rule_stats::{NOTE_RULE_STATS, RuleStats, amount_in};
use super::outgoing::{self, Envelope};
use super::seen::SeenBlocks;

/// The store that all shards of a process share.
pub(super) type Shared = Arc<dyn SharedStore + Send + Sync>;

/// What a shard reads of others: the store of the process if there is one, else the blocks that the shard
/// itself placed. Those are kept in either case, and move on with the shard.
pub(super) struct ShardStore {
    shared: Option<Shared>,
    own: BlocksOnly,
    /// What the store of the process told of others.
    seen: Mutex<SeenBlocks>,
}

impl ShardStore {
    fn seen(&self) -> MutexGuard<'_, SeenBlocks> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedStore for ShardStore {
    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView) {
        let Some(shared) = &self.shared else { return self.own.fetch(plan, request, view) };
        shared.fetch(plan, request, view);
        // A store that is away, or not whole, tells nothing new.
        if view.available && !request.parties.is_empty() {
            let mut seen = self.seen();
            for party in &request.parties {
                seen.see(*party, view.blocks(*party), &self.own.0.blocks_of(*party));
            }
        }
    }

    fn decided(&self, plan: &Plan, changes: &[SharedChange]) {
        self.own.decided(plan, changes);
        self.seen().change(changes);
        if let Some(shared) = &self.shared {
            shared.decided(plan, changes);
        }
    }

    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError> {
        self.shared.as_ref().map_or(Ok(()), |shared| shared.apply(plan, changes))
    }
}

/// One shard, as it is after its last batch.
pub(super) struct Shard {
    pub(super) number: i32,
    /// Which time the group gave the partition to this process: what belongs to an earlier one is over.
    pub(super) gift: u64,
    pub(super) pipeline: Pipeline<ShardStore, Arc<Geo>>,
    /// The blocks that this shard's decisions placed; it holds no windows.
    pub(super) own: Arc<MemoryStore>,
    pub(super) position: Position,
    /// The offset of the next operation.
    pub(super) next_offset: i64,
    pub(super) newest: Option<Time>,
    pub(super) young: Vec<(u64, Time)>,
    pub(super) checkpoint: Checkpoint,
    pub(super) keys: StateKeys,
    /// The shared store has the changes of batches up to this one.
    pub(super) acknowledged_batch: u64,
    pub(super) shared_token: Option<String>,
    /// Blocks that decisions of this shard lifted, whoever placed them, and until when that must be known.
    pub(super) tombstones: Vec<Tombstone>,
    notes_tombstones: bool,
    /// Gateways can read what batches up to this one changed.
    pub(super) published_batch: u64,
    /// What was lifted that gateways may not know yet, each with its batch.
    lifts: Vec<(u64, Lift)>,
    notes_lifts: bool,
    /// How many partitions the operations have.
    pub(super) partitions: i32,
    layout: StateLayout,
    layout_id: u64,
    /// The present layout and rules still have to be written.
    notes_rules: bool,
    /// Journals up to this batch are not needed for the shard's own state.
    forget: u64,
    /// What rules matched, up to the last decision.
    pub(super) stats: RuleStats,
    /// The last decision whose matches are in the note.
    noted_stats_seq: u64,
    /// What this process is called.
    owner: String,
    /// Names the history that the decisions' numbers belong to.
    epoch: Arc<str>,
    notes_epoch: bool,
}

/// Matches are noted after so many decisions; a restart counts those since in the topic of decisions.
const STATS_EVERY: u64 = 4_096;

/// So many parties are asked for again together, of what a shard saw of others.
const SEEN_LOOK: usize = 128;

/// A block that was lifted: a store that lost its directory must not take it back in.
pub(super) type Tombstone = (Party, Uuid, Time);

/// The note with the [`Tombstone`]s.
pub(super) const NOTE_TOMBSTONES: &str = "tombstones";
/// So long a lifting is known of a block whose end is not: longer than blocks of addresses last.
const TOMBSTONE_LIFE: Nanos = DAY.times(400);

/// A restriction that was lifted: whose (a wallet's id, or an address), its id, and the number of the decision.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Lift {
    is_address: bool,
    whose: Box<str>,
    restriction: Uuid,
    seq: u64,
}

/// The note with the name of the shard's history.
pub(super) const NOTE_EPOCH: &str = "epoch";
/// How many hexadecimal digits name a history.
const EPOCH_DIGITS: usize = 16;

/// Names a history that begins.
pub(super) fn new_epoch() -> Arc<str> {
    let mut epoch = Uuid::new_v4().simple().to_string();
    epoch.truncate(EPOCH_DIGITS);
    epoch.into()
}

/// The note with the [`Lift`]s.
pub(super) const NOTE_LIFTS: &str = "lifts";

impl Lift {
    fn of(update: DirectoryUpdate) -> Option<Self> {
        let (is_address, whose) = match update.whom {
            Restricted::Wallet(id) => (false, id),
            Restricted::Ip(address) => (true, address),
        };
        let lift = Self { is_address, whose, restriction: update.restriction, seq: update.seq };
        (update.change == Change::Lifted).then_some(lift)
    }

    fn update(&self, shard: u32) -> DirectoryUpdate {
        let whose = self.whose.clone();
        let whom = if self.is_address { Restricted::Ip(whose) } else { Restricted::Wallet(whose) };
        DirectoryUpdate { whom, restriction: self.restriction, shard, seq: self.seq, change: Change::Lifted }
    }
}

/// A batch of a shard that waits for its transaction.
pub(super) type ShardBatch = Decided<ShardWrites>;
/// A batch of a shard whose transaction is committed.
pub(super) type CommittedShardBatch = Committed<ShardWrites>;

/// What one batch of a shard puts into the transaction.
pub(super) struct ShardWrites {
    pub(super) shard: i32,
    pub(super) gift: u64,
    /// The batch's number within the shard.
    pub(super) batch: u64,
    /// The history of the decisions' numbers.
    pub(super) epoch: Arc<str>,
    pub(super) records: Vec<Incoming>,
    /// The number of the first decision.
    pub(super) first_seq: u64,
    /// The values of the decisions, in the order of the answers that are some.
    pub(super) decisions: Vec<Vec<u8>>,
    pub(super) rejected: Vec<Envelope>,
    pub(super) state: Vec<StateRecord>,
    pub(super) next_offset: i64,
    /// The newest operation decided so far.
    pub(super) newest: Option<Time>,
    /// Roughly how many bytes it puts into the transaction.
    pub(super) bytes: usize,
}

/// How far a shard has come, to be written without a batch: when it has a new owner, or its next operation is
/// further on than the last batch knew.
pub(super) struct Mark {
    pub(super) shard: i32,
    pub(super) gift: u64,
    pub(super) state: Vec<StateRecord>,
    pub(super) next_offset: i64,
}

/// What a shard is made of when it was restored.
pub(super) struct Restored {
    pub(super) number: i32,
    pub(super) engine: Engine,
    pub(super) own: MemoryStore,
    pub(super) meta: Meta,
    pub(super) next_offset: i64,
    pub(super) newest: Option<Time>,
    pub(super) young: Vec<(u64, Time)>,
    pub(super) journal_bytes: u64,
    pub(super) keys: StateKeys,
    pub(super) tombstones: Vec<Tombstone>,
    pub(super) seen: SeenBlocks,
    /// The name of its history; `None` where there is no state, or one that names none.
    pub(super) epoch: Option<String>,
    /// What was lifted that gateways may not know.
    pub(super) lifts: Vec<Lift>,
    pub(super) stats: RuleStats,
    /// The last decision whose matches were noted.
    pub(super) noted_stats_seq: u64,
    /// Changes of committed batches that the shared store may lack, in their order, each with its batch.
    pub(super) owed: Vec<(u64, Vec<SharedChange>)>,
}

impl Shard {
    pub(super) fn new(
        restored: Restored,
        (shared, geo): (Option<Shared>, Arc<Geo>),
        (owner, gift): (String, u64),
        limits: crate::pipeline::Limits,
        journal_bytes_min: u64,
    ) -> Self {
        let Restored {
            number,
            engine,
            own,
            meta,
            next_offset,
            newest,
            young,
            journal_bytes,
            keys,
            tombstones,
            seen,
            epoch,
            lifts,
            stats,
            noted_stats_seq,
            owed: _,
        } = restored;
        let layout = StateLayout::of(engine.plan());
        let own = Arc::new(own);
        let store = ShardStore { shared, own: BlocksOnly(Arc::clone(&own)), seen: Mutex::new(seen) };
        Self {
            number,
            gift,
            pipeline: Pipeline { engine, geo, store, limits },
            own,
            position: Position {
                batch: meta.batch,
                seq: if FleetMutant::SequenceNotRestored.is_made() { 0 } else { meta.seq },
                rejected: meta.rejected,
            },
            next_offset,
            newest,
            young,
            checkpoint: Checkpoint::new(journal_bytes, journal_bytes_min),
            keys,
            acknowledged_batch: meta.acknowledged_batch,
            shared_token: meta.shared_token,
            tombstones,
            notes_tombstones: false,
            // The last batch stands for those before it: all of it is given to gateways again.
            published_batch: meta.batch.saturating_sub(1),
            lifts: lifts.into_iter().map(|lift| (meta.batch, lift)).collect(),
            notes_lifts: false,
            partitions: limits.home.map_or(meta.partitions, |home| home.partitions),
            layout_id: layout.id(),
            layout,
            notes_rules: true,
            forget: 0,
            stats,
            noted_stats_seq,
            owner,
            notes_epoch: epoch.is_none(),
            epoch: epoch.map_or_else(new_epoch, Arc::from),
        }
    }

    /// Reads what wallets share from another store from now on; without one, from what the shard itself knows.
    pub(super) fn use_store(&mut self, shared: Option<Shared>) {
        self.pipeline.store.shared = shared;
    }

    /// Decides records. The shard moves on with them: it must be dropped when they cannot be committed.
    pub(super) fn decide(&mut self, records: Vec<Incoming>) -> ShardBatch {
        let of_batch: Vec<Record<'_>> = records
            .iter()
            // Without a value there is no JSON either.
            .map(|record| Record {
                bytes: record.value.as_deref().unwrap_or_default(),
                arrived_at: Some(record.arrived_at),
            })
            .collect();
        let before = FleetMutant::StaleMeta.is_made().then(|| self.meta());
        let decided = self.pipeline.decide(&of_batch);
        drop(of_batch);
        self.bury(decided.shared());
        let first_seq = self.position.seq + 1;
        let (mut decisions, mut rejected) = (Vec::with_capacity(records.len()), Vec::new());
        let (mut lifts, mut space) = (Vec::new(), Vec::new());
        for (record, answer) in records.iter().zip(decided.answers()) {
            match answer {
                Answer::Decided(decision) => {
                    self.position.seq += 1;
                    self.newest = self.newest.max(Some(decision.occurred_at));
                    self.stats.add(self.position.seq, decision, || amount_in(record.value.as_deref()));
                    lifts.extend(updates_of(decision, 0, self.position.seq).into_iter().filter_map(Lift::of));
                    decisions.push(outgoing::decision(decision, &mut space));
                }
                Answer::Duplicate { .. } => {}
                Answer::Rejected(rejection) => {
                    self.position.rejected += 1;
                    let raw = record.value.as_deref();
                    rejected.push(outgoing::rejection(
                        rejection,
                        (self.number, record.offset),
                        record.key.clone(),
                        raw,
                    ));
                }
            }
        }
        self.position.batch += 1;
        self.note_lifts(lifts);
        self.next_offset = records.last().map_or(self.next_offset, |last| last.offset + 1);
        let at = records.first().map_or(Time::ACCEPTED_FROM, |first| first.arrived_at);
        let journal = fold(&decided.journal(self.layout_id), at);
        let mut state = self.state_records(journal);
        let meta = before.unwrap_or_else(|| self.meta());
        self.keys.put(&StateKey::Meta, self.position.batch, &meta.encode(), &mut state);
        let (shard, batch, next_offset, newest) = (self.number, self.position.batch, self.next_offset, self.newest);
        let values = decisions.iter().chain(rejected.iter().map(|envelope| &envelope.value));
        let bytes = values.map(|value| value.len() + outgoing::HEADERS_BYTES).sum::<usize>()
            + state.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum::<usize>();
        decided.write_with(ShardWrites {
            shard,
            gift: self.gift,
            batch,
            epoch: Arc::clone(&self.epoch),
            records,
            first_seq,
            decisions,
            rejected,
            state,
            next_offset,
            newest,
            bytes,
        })
    }

    /// Notes what a batch lifted, for gateways that may not know it yet.
    fn note_lifts(&mut self, lifts: Vec<Lift>) {
        if !lifts.is_empty() {
            let (published, batch) = (self.published_batch, self.position.batch);
            self.lifts.retain(|(batch, _)| *batch > published);
            self.lifts.extend(lifts.into_iter().map(|lift| (batch, lift)));
            self.notes_lifts = true;
        }
    }

    /// Notes the blocks that these changes lift.
    fn bury(&mut self, changes: &[SharedChange]) {
        let lifted = changes.iter().filter_map(|change| match change {
            SharedChange::Lift { party, restriction } => Some((*party, *restriction)),
            _ => None,
        });
        let now = self.newest.unwrap_or(Time::ACCEPTED_FROM);
        let lifted: Vec<Tombstone> = lifted.map(|(party, id)| (party, id, now.plus(TOMBSTONE_LIFE))).collect();
        if !lifted.is_empty() {
            self.tombstones.retain(|(.., until)| *until > now);
            self.tombstones.extend(lifted);
            self.notes_tombstones = true;
        }
    }

    /// Adds the notes of what was seen of others since they were last written.
    fn note_seen(&mut self, out: &mut Vec<StateRecord>) {
        let mut seen = self.pipeline.store.seen();
        self.newest.into_iter().for_each(|newest| seen.forget_ended(newest));
        let notes = seen.notes();
        drop(seen);
        self.put_notes(notes, out);
    }

    /// Adds notes; one without a value goes.
    fn put_notes(&mut self, notes: Vec<(String, Option<Vec<u8>>)>, out: &mut Vec<StateRecord>) {
        for (name, note) in notes {
            match note {
                Some(note) => self.keys.put(&StateKey::Note(name), self.position.batch, &note, out),
                None => self.keys.remove(&StateKey::Note(name), out),
            }
        }
    }

    /// Lists what the state topic gets with a batch, but for `meta`.
    fn state_records(&mut self, journal: Vec<u8>) -> Vec<StateRecord> {
        let mut commit = Commit { position: self.position, journal: Some(journal), ..Commit::default() };
        self.checkpoint.add_to(&mut commit, &self.pipeline.engine, &self.own, self.layout_id);
        let (mut out, batch) = (Vec::new(), self.position.batch);
        if self.notes_rules {
            self.keys.put(&StateKey::StateLayout(self.layout_id), batch, &self.layout.encode(), &mut out);
            let note = rules_note(self.pipeline.engine.plan(), &self.young);
            self.keys.put(&StateKey::Note(NOTE_RULES.to_owned()), batch, &note, &mut out);
            self.notes_rules = false;
        }
        if self.notes_tombstones {
            // Writing to memory cannot fail, and no field has a serializer that refuses.
            let note = postcard::to_stdvec(&self.tombstones).unwrap_or_default();
            self.keys.put(&StateKey::Note(NOTE_TOMBSTONES.to_owned()), batch, &note, &mut out);
            self.notes_tombstones = false;
        }
        self.note_seen(&mut out);
        let budgets = self.pipeline.engine.take_budget_notes();
        self.put_notes(budgets, &mut out);
        if self.notes_lifts {
            let lifts: Vec<&Lift> = self.lifts.iter().map(|(_, lift)| lift).collect();
            let note = postcard::to_stdvec(&lifts).unwrap_or_default();
            self.keys.put(&StateKey::Note(NOTE_LIFTS.to_owned()), batch, &note, &mut out);
            self.notes_lifts = false;
        }
        if self.position.seq - self.noted_stats_seq >= STATS_EVERY {
            self.keys.put(&StateKey::Note(NOTE_RULE_STATS.to_owned()), batch, &self.stats.note(), &mut out);
            self.noted_stats_seq = self.position.seq;
        }
        let journal = commit.journal.unwrap_or_default();
        self.keys.put(&StateKey::Journal(batch), batch, &journal, &mut out);
        for (group, bytes) in &commit.wallets {
            self.keys.put(&StateKey::Wallets(*group), batch, bytes, &mut out);
        }
        for (group, bytes) in &commit.windows {
            self.keys.put(&StateKey::Windows(*group), batch, bytes, &mut out);
        }
        self.forget = match commit.forget_journals {
            Some(_) if FleetMutant::RoundForgotten.is_made() => batch,
            forget => forget.unwrap_or(self.forget),
        };
        // What the shared store may still lack is in the journals.
        let forget = if FleetMutant::JournalsForgotten.is_made() { batch - 1 } else { self.forget };
        self.keys.forget_journals(forget.min(self.acknowledged_batch), &mut out);
        out
    }

    /// Lists the blocks that this shard placed, but for those that it saw another lift.
    pub(super) fn own_blocks(&self) -> Vec<(Party, Vec<Restriction>)> {
        let (mut own, seen) = (self.own.blocks(), self.pipeline.store.seen());
        own.iter_mut().for_each(|(party, blocks)| blocks.retain(|block| !seen.is_lifted(*party, block)));
        own.retain(|(_, blocks)| !blocks.is_empty());
        own
    }

    /// Lists the blocks that are in force for all that this shard knows: its own, and those that it saw of others.
    pub(super) fn known_blocks(&self) -> Vec<(Party, Restriction)> {
        let own = self.own_blocks().into_iter();
        let mut known: Vec<(Party, Restriction)> =
            own.flat_map(|(party, blocks)| blocks.into_iter().map(move |block| (party, block))).collect();
        let seen = self.pipeline.store.seen();
        known.extend(seen.blocks().map(|(party, block)| (party, block.clone())));
        known
    }

    /// Asks the shared store again for some of those whose blocks were seen.
    pub(super) fn look_at_seen(&self) {
        let parties = self.pipeline.store.seen().next_to_ask(SEEN_LOOK);
        if !parties.is_empty() {
            let request = SharedRequest { parties, ..SharedRequest::default() };
            self.pipeline.store.fetch(self.pipeline.engine.plan(), &request, &mut SharedView::default());
        }
    }

    /// Forgets what was seen of others, for there is no shared store.
    pub(super) fn forget_seen(&self) {
        self.pipeline.store.seen().forget_all();
    }

    /// Lists what was lifted that gateways may not know.
    pub(super) fn lifted(&self) -> impl Iterator<Item = DirectoryUpdate> {
        let shard = u32::try_from(self.number).unwrap_or(0);
        self.lifts.iter().map(move |(_, lift)| lift.update(shard))
    }

    /// Lists what gateways read of this shard: restrictions of its wallets, and blocks of addresses.
    pub(super) fn shown(&self) -> Vec<DirectoryUpdate> {
        let by = (u32::try_from(self.number).unwrap_or(0), self.position.seq);
        let mut shown = Vec::new();
        for wallet in self.pipeline.engine.wallets().iter() {
            let whom = || Restricted::Wallet(wallet.id.as_str().into());
            let restrictions = wallet.restrictions().iter();
            shown.extend(restrictions.map(|restriction| DirectoryUpdate::of_restriction(whom(), restriction, by)));
        }
        for (party, blocks) in self.own_blocks() {
            if let Party::Address(address) = party {
                let whom = || Restricted::Ip(address.to_string().into());
                shown.extend(blocks.iter().map(|block| DirectoryUpdate::of_restriction(whom(), block, by)));
            }
        }
        shown
    }

    fn meta(&self) -> Meta {
        Meta {
            next_offset: self.next_offset,
            seq: self.position.seq,
            rejected: self.position.rejected,
            batch: self.position.batch,
            acknowledged_batch: self.acknowledged_batch,
            shared_token: self.shared_token.clone(),
            ruleset: self.pipeline.engine.plan().ruleset.to_string(),
            partitions: self.partitions,
            owner: self.owner.clone(),
        }
    }

    /// Tells how far the shard has come. Whoever takes it over finds there who had it. A history that begins is named
    /// here, for a mark is committed before the shard's first decision.
    pub(super) fn mark(&mut self) -> Mark {
        let mut state = Vec::new();
        if std::mem::take(&mut self.notes_epoch) {
            let key = StateKey::Note(NOTE_EPOCH.to_owned());
            self.keys.put(&key, self.position.batch, self.epoch.as_bytes(), &mut state);
        }
        let meta = self.meta().encode();
        self.keys.put(&StateKey::Meta, self.position.batch, &meta, &mut state);
        Mark { shard: self.number, gift: self.gift, state, next_offset: self.next_offset }
    }

    /// Decides by other rules from now on. Windows that only the new ones have are young: no operations are
    /// kept here that they could be filled from.
    pub(super) fn switch(&mut self, rules: &Arc<RuleSet>, settings: Settings) {
        let engine = &mut self.pipeline.engine;
        let before = RulesNote::of(engine.plan(), std::mem::take(&mut self.young));
        let plan = Plan::new(Arc::clone(rules), settings);
        self.young = young_after(&plan, &before, self.newest);
        let layout = StateLayout::of(&plan);
        let way = LayoutMigration::between(&self.layout, &layout);
        engine.switch(Arc::new(plan.with_young_windows(&self.young)), &way);
        (self.layout_id, self.layout) = (layout.id(), layout);
        self.notes_rules = true;
    }
}

/// Returns the decision of an answer that is one.
pub(super) fn decision_of(answer: &Answer) -> Option<&Decision> {
    match answer {
        Answer::Decided(decision) => Some(decision),
        Answer::Duplicate { .. } | Answer::Rejected(_) => None,
    }
}
