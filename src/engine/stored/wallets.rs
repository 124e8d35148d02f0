//! Wallet records as bytes, whole and as the changes of a batch.

use crate::engine::plan::Plan;
use crate::engine::state::changes::{Changes, ColdChanges};
use crate::engine::state::layout::LayoutMigration;
use crate::engine::state::restriction::Waiting;
use crate::engine::state::shared::change::SharedChange;
use crate::engine::state::wallet::Wallet;
use crate::engine::state::wallet::{ColdState, migrate_cold};
use crate::engine::state::wallets::Wallets;
use crate::engine::stored::words::{Reader, Writer};
use crate::engine::stored::{Layouts, StoredError, first};
use crate::operation::Time;
use crate::rules::program::symbol_of_text;

/// What takes down the changes that a batch makes to wallets' records.
pub trait ChangeLog: Default {
    /// Takes down the changes of one operation to its wallet's record.
    fn record(&mut self, wallet_id: &str, changes: &Changes);
}

/// Takes nothing down: of those who keep nothing beyond their own run.
#[derive(Debug, Default)]
pub struct NoJournal;

impl ChangeLog for NoJournal {
    #[inline]
    fn record(&mut self, _: &str, _: &Changes) {}
}

/// What one batch changes, as bytes.
#[derive(Debug, Default)]
pub struct Journal {
    wallets: Writer,
    count: usize,
}

impl ChangeLog for Journal {
    fn record(&mut self, wallet_id: &str, changes: &Changes) {
        self.count += 1;
        let out = &mut self.wallets;
        out.text(wallet_id);
        out.word(changes.newest.map_or(i64::MIN, Time::nanos).cast_unsigned());
        out.words(&changes.rows);
        out.flag(changes.cancelled.is_some());
        if let Some(id) = changes.cancelled {
            out.value(&id);
        }
        out.flag(changes.peek_cold().is_some());
        if let Some(cold) = changes.peek_cold() {
            out.value(cold);
        }
    }
}

impl Journal {
    /// Returns the bytes of everything that the batch changed, for rules laid out like this.
    #[must_use]
    pub fn encode(&self, layout: u64, shared: &[SharedChange]) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.word(layout);
        out.value(shared);
        out.count(self.count);
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(self.wallets.bytes());
        bytes
    }
}

/// Reads a batch's journal.
#[derive(Debug)]
pub struct JournalReader<'a> {
    reader: Reader<'a>,
    way: &'a LayoutMigration,
    /// Changes to shared state; those of windows that the rules no longer have are left out.
    pub shared: Vec<SharedChange>,
    left: usize,
}

impl<'a> JournalReader<'a> {
    /// Starts to read.
    ///
    /// # Errors
    /// The bytes are damaged, or of a layout or version that is not known.
    pub fn new(bytes: &'a [u8], layouts: &'a Layouts) -> Result<Self, StoredError> {
        let mut reader = Reader::versioned(bytes)?;
        let way = layouts.from(reader.word()?)?;
        let all = |old: Vec<first::SharedChange>| old.into_iter().map(SharedChange::from).collect();
        let shared: Vec<SharedChange> = reader.value_or_first(all)?;
        let shared = shared.into_iter().filter_map(|change| translate_shared(change, way)).collect();
        let left = reader.count()?;
        Ok(Self { reader, way, shared, left })
    }

    /// Reads the next wallet's id and changes.
    ///
    /// # Errors
    /// The bytes are damaged.
    pub fn next_wallet(&mut self) -> Result<Option<(&'a str, Changes)>, StoredError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let reader = &mut self.reader;
        let id = reader.text()?;
        let mut changes = Changes::default();
        changes.newest = newest(reader.word()?);
        let rows = reader.words()?;
        if !self.way.are_rows(&rows) {
            return Err(StoredError::Damaged(0));
        }
        self.way.rows(&rows, &mut changes.rows);
        if reader.flag()? {
            changes.cancelled = Some(reader.value()?);
        }
        if reader.flag()? {
            let mut cold: ColdChanges = reader.value_or_first(<ColdChanges as From<first::ColdChanges>>::from)?;
            cold.runs.retain_mut(|run| match self.way.window(run.aggregate) {
                Some(window) => {
                    run.aggregate = window;
                    true
                }
                None => false,
            });
            *changes.cold() = cold;
        }
        Ok(Some((id, changes)))
    }
}

fn newest(word: u64) -> Option<Time> {
    let nanos = word.cast_signed();
    (nanos != i64::MIN).then(|| Time::from_nanos(nanos))
}

fn all_waiting(old: Vec<first::Waiting>) -> Vec<Waiting> {
    old.into_iter().map(Waiting::from).collect()
}

/// Brings a change of shared state into the present layout.
fn translate_shared(mut change: SharedChange, way: &LayoutMigration) -> Option<SharedChange> {
    match &mut change {
        SharedChange::Insert { key, .. }
        | SharedChange::Remove { key, .. }
        | SharedChange::Run { key, .. }
        | SharedChange::Text { key, .. } => key.aggregate = way.window(key.aggregate)?,
        SharedChange::Ahead(inner) => {
            let translated = translate_shared(SharedChange::clone(inner), way)?;
            **inner = translated;
        }
        SharedChange::Place { .. } | SharedChange::Lift { .. } | SharedChange::Seen { .. } => {}
    }
    Some(change)
}

/// Writes all records of a group.
#[must_use]
pub fn encode_group(wallets: &Wallets, group: usize, layout: u64) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.word(layout);
    out.count(wallets.of_group(group).count());
    for wallet in wallets.of_group(group) {
        encode_wallet(wallet, &mut out);
    }
    out.into_bytes()
}

fn encode_wallet(wallet: &Wallet, out: &mut Writer) {
    out.text(&wallet.id);
    out.word(wallet.newest().map_or(i64::MIN, Time::nanos).cast_unsigned());
    out.word(wallet.arrivals());
    out.pieces(wallet.words());
    match wallet.cold() {
        None => out.flag(false),
        Some(ColdState { runs, chains, restrictions, waiting, confirmed_days, texts, index: _, ids: _, ahead: _ }) => {
            out.flag(true);
            out.value(runs);
            out.value(chains);
            out.value(restrictions);
            out.value(waiting);
            out.value(texts);
            out.value(confirmed_days);
        }
    }
}

/// Reads the records of a group into the wallets.
///
/// # Errors
/// The bytes are damaged, or of a layout or version that is not known.
pub fn decode_group(bytes: &[u8], plan: &Plan, layouts: &Layouts, wallets: &mut Wallets) -> Result<(), StoredError> {
    let mut reader = Reader::versioned(bytes)?;
    let way = layouts.from(reader.word()?)?;
    for _ in 0..reader.count()? {
        let id = reader.text()?;
        let (newest, arrivals) = (newest(reader.word()?), reader.word()?);
        let stored = reader.words()?;
        if !way.are_rows(&stored) {
            return Err(StoredError::Damaged(0));
        }
        let mut rows = Vec::with_capacity(stored.len());
        way.rows(&stored, &mut rows);
        let mut cold = ColdState::default();
        if reader.flag()? {
            cold = ColdState {
                runs: reader.value()?,
                chains: reader.value()?,
                restrictions: reader.value_or_first(first::merge)?,
                waiting: reader.value_or_first(all_waiting)?,
                texts: reader.value()?,
                confirmed_days: if reader.is_first() { Vec::new() } else { reader.value()? },
                ..ColdState::default()
            };
            migrate_cold(&mut cold, way);
        }
        wallets.get_or_insert(symbol_of_text(id), id).restore(plan, newest, arrivals, rows, cold);
    }
    if reader.is_at_end() { Ok(()) } else { Err(StoredError::Damaged(bytes.len())) }
}
