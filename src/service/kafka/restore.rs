//! From the topics back to shards in memory, and the checks that nothing is missing between them.

use std::sync::Arc;

use crate::adapters::fleet_mutant::FleetMutant;
use crate::adapters::kafka::reader::Left;
use crate::adapters::kafka::state::{BadState, Meta, StateImage, StateKey};
use crate::adapters::store::block::unfold;
use crate::adapters::store::{Position, StoreError};
use crate::engine::plan::Settings;
use crate::engine::shared::SharedChange;
use crate::engine::stored::{JournalReader, Layouts, StateLayout};
use crate::rules::program::RuleSet;

use super::super::recovery::{Recovered, StateSource, VisitGroup, VisitJournal, recover_state};
use super::super::rule_stats::{NOTE_RULE_STATS, RuleStats};
use super::seen::{self, SeenBlocks};
use super::shard::{NOTE_EPOCH, NOTE_LIFTS, NOTE_TOMBSTONES, Restored};

fn unreadable(bad: BadState) -> StoreError {
    StoreError::Access { what: "read", source: Box::new(bad) }
}

impl StateSource for StateImage {
    fn position(&self) -> Result<Position, StoreError> {
        let meta = self.meta().map_err(unreadable)?.unwrap_or_default();
        Ok(Position { batch: meta.batch, seq: meta.seq, rejected: meta.rejected })
    }

    fn layouts(&self) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let mut layouts = Vec::new();
        for key in self.keys() {
            if let StateKey::StateLayout(id) = key
                && let Some((_, bytes)) = self.value(key).map_err(unreadable)?
            {
                layouts.push((*id, bytes));
            }
        }
        Ok(layouts)
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.value(&StateKey::Note(name.to_owned())).map_err(unreadable)?;
        Ok(found.map(|(_, bytes)| bytes))
    }

    fn each_wallet_group(&self, visit: VisitGroup<'_>) -> Result<(), StoreError> {
        for key in self.keys() {
            if let StateKey::Wallets(group) = key
                && let Some((batch, bytes)) = self.value(key).map_err(unreadable)?
            {
                visit(*group, batch, &bytes)?;
            }
        }
        Ok(())
    }

    fn each_window_group(&self, visit: VisitGroup<'_>) -> Result<(), StoreError> {
        for key in self.keys() {
            if let StateKey::Windows(group) = key
                && let Some((batch, bytes)) = self.value(key).map_err(unreadable)?
            {
                visit(*group, batch, &bytes)?;
            }
        }
        Ok(())
    }

    fn each_journal(&self, after: u64, visit: VisitJournal<'_>) -> Result<(), StoreError> {
        for key in self.keys() {
            if let StateKey::Journal(batch) = key
                && *batch > after
                && let Some((_, bytes)) = self.value(key).map_err(unreadable)?
            {
                visit(*batch, &bytes)?;
            }
        }
        Ok(())
    }
}

/// Why a shard must not decide. A person has to look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Halt {
    #[error(
        "the operations have {found} partitions, but the state was made with {stored}: wallets would change their \
         shards. Kafka takes no partition away, so a fleet moves to new topics: see \"Another number of partitions\" in \
         deploy/README.md"
    )]
    Partitions { found: i32, stored: i32 },
    #[error("the state goes on at offset {stored}, but the group's offset is {committed}")]
    Offset { stored: i64, committed: i64 },
    #[error("the state ends with decision {stored}, but the last visible one is {visible}")]
    Seq { stored: u64, visible: u64 },
    #[error("decisions up to number {visible} are visible, but there is no state")]
    NoState { visible: u64 },
    #[error(
        "the next operation is at offset {next}, but the first that is still there is at {low}: retention removed \
             operations that were not decided"
    )]
    Lost { next: i64, low: i64 },
    #[error(
        "the next operation would be at offset {next}, but the topic ends at {end}: it was made anew or lost records"
    )]
    Beyond { next: i64, end: i64 },
    #[error("the state cannot be read: {0}")]
    Unreadable(String),
}

/// Finds where a shard goes on, if all that it left behind fits together.
pub(super) fn check(left: &Left, partitions: i32) -> Result<(Meta, i64), Halt> {
    let meta = left.state.meta().map_err(|bad| Halt::Unreadable(bad.to_string()))?;
    let (low, end) = left.operations;
    let Some(meta) = meta else {
        if let Some(visible) = left.last_seq {
            return Err(Halt::NoState { visible });
        }
        if let Some(committed) = left.committed.filter(|committed| *committed > low) {
            return Err(Halt::Offset { stored: low, committed });
        }
        if let Some(stored) = left.partitions_elsewhere.filter(|stored| *stored != partitions) {
            return Err(Halt::Partitions { found: partitions, stored });
        }
        return Ok((Meta { partitions, ..Meta::default() }, low));
    };
    if meta.partitions != partitions {
        return Err(Halt::Partitions { found: partitions, stored: meta.partitions });
    }
    if FleetMutant::ChecksSkipped.is_made() {
        let next = meta.next_offset;
        return Ok((meta, next));
    }
    if let Some(committed) = left.committed.filter(|committed| *committed != meta.next_offset) {
        return Err(Halt::Offset { stored: meta.next_offset, committed });
    }
    match left.last_seq {
        Some(visible) if visible != meta.seq => return Err(Halt::Seq { stored: meta.seq, visible }),
        // All decisions were removed by retention, or never were.
        None if left.decisions_low == 0 && meta.seq > 0 => return Err(Halt::Seq { stored: meta.seq, visible: 0 }),
        Some(_) | None => {}
    }
    if meta.next_offset < low {
        return Err(Halt::Lost { next: meta.next_offset, low });
    }
    if meta.next_offset > end {
        return Err(Halt::Beyond { next: meta.next_offset, end });
    }
    let next = meta.next_offset;
    Ok((meta, next))
}

/// Lists the changes that the shared store may lack: those of batches after the last one it acknowledged.
fn owed(
    state: &StateImage,
    recovered: &Recovered,
    acknowledged: u64,
) -> Result<Vec<(u64, Vec<SharedChange>)>, StoreError> {
    let failed = |number| move |source| StoreError::Record { what: "journal", number, source };
    let mut layouts = Layouts::new(recovered.engine.plan());
    for (id, bytes) in state.layouts()? {
        let layout =
            StateLayout::decode(&bytes).map_err(|source| StoreError::Record { what: "layout", number: id, source })?;
        layouts.add(&layout);
    }
    let mut owed = Vec::new();
    state.each_journal(acknowledged, &mut |batch, bytes| {
        let raw = unfold(bytes).map_err(failed(batch))?;
        let reader = JournalReader::new(&raw, &layouts).map_err(failed(batch))?;
        owed.push((batch, reader.shared));
        Ok(())
    })?;
    Ok(owed)
}

/// Reads a note; one that is not there is empty.
fn note<T: Default + serde::de::DeserializeOwned>(state: &StateImage, name: &str) -> Result<T, Halt> {
    let found = state.value(&StateKey::Note(name.to_owned())).map_err(|bad| Halt::Unreadable(bad.to_string()))?;
    let read = found.map(|(_, bytes)| postcard::from_bytes(&bytes)).transpose();
    Ok(read.map_err(|error| Halt::Unreadable(format!("the note of {name}: {error}")))?.unwrap_or_default())
}

/// Reads what the shard saw of others; a state of a release that did not note it holds nothing.
fn seen_blocks(state: &StateImage) -> Result<SeenBlocks, Halt> {
    let mut found = SeenBlocks::default();
    for key in state.keys() {
        if let StateKey::Note(name) = key
            && seen::is_note(name)
            && let Some((_, bytes)) = state.value(key).map_err(|bad| Halt::Unreadable(bad.to_string()))?
        {
            let bad = |error| Halt::Unreadable(format!("the note of {name}: {error}"));
            found.restore(name, &bytes).map_err(bad)?;
        }
    }
    Ok(found)
}

/// Reads the name of the shard's history; a state of a release that named none has none.
fn epoch(state: &StateImage) -> Result<Option<String>, Halt> {
    let unreadable = |reason: String| Halt::Unreadable(reason);
    let found = state.value(&StateKey::Note(NOTE_EPOCH.to_owned())).map_err(|bad| unreadable(bad.to_string()))?;
    let text = found.map(|(_, bytes)| String::from_utf8(bytes)).transpose();
    text.map_err(|_| unreadable("the note of the history is no text".to_owned()))
}

/// Tells up to which decision a state has noted what rules matched.
pub(super) fn noted_stats_seq(state: &StateImage) -> u64 {
    noted_stats(state).seq
}

/// Counts are no reason to halt: where the note cannot be read they begin anew.
fn noted_stats(state: &StateImage) -> RuleStats {
    let found = state.value(&StateKey::Note(NOTE_RULE_STATS.to_owned()));
    RuleStats::of_note(found.ok().flatten().map(|(_, bytes)| bytes).as_deref())
}

/// Returns what rules matched up to the last decision, and up to which that was noted.
fn rule_stats(left: &Left) -> (RuleStats, u64) {
    let mut stats = noted_stats(&left.state);
    let noted = stats.seq;
    for (seq, decision) in left.decisions.iter().filter(|(seq, _)| *seq > noted) {
        // Its operation is in another topic.
        stats.add_stored(*seq, decision, None);
    }
    (stats, noted)
}

/// Makes a shard's state of what it left behind.
pub(super) fn restore(
    number: i32,
    left: &Left,
    (rules, settings): (&Arc<RuleSet>, Settings),
    partitions: i32,
) -> Result<Restored, Halt> {
    let (meta, next_offset) = check(left, partitions)?;
    let recovered = recover_state(&left.state, Arc::clone(rules), settings, |_, changes| {
        // Windows are the shared store's.
        changes.retain(SharedChange::is_of_directory);
    });
    let recovered =
        recovered.and_then(|recovered| Ok((owed(&left.state, &recovered, meta.acknowledged_batch)?, recovered)));
    let (owed, recovered) = recovered.map_err(|error| {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Halt::Unreadable(text)
    })?;
    let (stats, noted_stats_seq) = rule_stats(left);
    let tombstones = note(&left.state, NOTE_TOMBSTONES)?;
    let lifts = note(&left.state, NOTE_LIFTS)?;
    let seen = seen_blocks(&left.state)?;
    let epoch = epoch(&left.state)?;
    Ok(Restored {
        number,
        engine: recovered.engine,
        own: recovered.shared,
        meta,
        next_offset,
        newest: recovered.newest,
        young: recovered.young,
        journal_bytes: recovered.journal_bytes,
        keys: left.state.to_keys(),
        tombstones,
        seen,
        epoch,
        lifts,
        stats,
        noted_stats_seq,
        owed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::kafka::state::StateKeys;

    fn left(meta: Option<Meta>, committed: Option<i64>, last_seq: Option<u64>) -> Left {
        let mut state = StateImage::default();
        if let Some(meta) = meta {
            let mut out = Vec::new();
            StateKeys::default().put(&StateKey::Meta, meta.batch, &meta.encode(), &mut out);
            out.iter().for_each(|(key, value)| state.add(key.as_bytes(), value.as_deref()));
        }
        Left { state, committed, last_seq, operations: (0, 100), ..Left::default() }
    }

    fn meta(next_offset: i64, seq: u64) -> Option<Meta> {
        Some(Meta { next_offset, seq, batch: 1, partitions: 12, ..Meta::default() })
    }

    #[test]
    fn what_fits_together_goes_on() {
        assert_eq!(check(&left(None, None, None), 12).map(|(_, next)| next), Ok(0));
        assert_eq!(check(&left(meta(7, 5), Some(7), Some(5)), 12).map(|(_, next)| next), Ok(7));
        // The group's offset expired.
        assert_eq!(check(&left(meta(7, 5), None, Some(5)), 12).map(|(_, next)| next), Ok(7));
        // Retention removed every decision.
        let mut removed = left(meta(7, 5), Some(7), None);
        removed.decisions_low = 9;
        assert_eq!(check(&removed, 12).map(|(_, next)| next), Ok(7));
        // Nothing but refused records so far.
        assert_eq!(check(&left(meta(7, 0), Some(7), None), 12).map(|(_, next)| next), Ok(7));
    }

    #[test]
    fn what_does_not_fit_together_halts() {
        let cases = [
            (left(meta(7, 5), Some(8), Some(5)), Halt::Offset { stored: 7, committed: 8 }),
            (left(meta(7, 5), Some(7), Some(6)), Halt::Seq { stored: 5, visible: 6 }),
            (left(meta(7, 5), Some(7), None), Halt::Seq { stored: 5, visible: 0 }),
            (left(None, None, Some(5)), Halt::NoState { visible: 5 }),
            (left(None, Some(3), None), Halt::Offset { stored: 0, committed: 3 }),
            (left(meta(101, 5), Some(101), Some(5)), Halt::Beyond { next: 101, end: 100 }),
        ];
        for (left, halt) in cases {
            assert_eq!(check(&left, 12).err(), Some(halt));
        }
        assert_eq!(
            check(&left(meta(7, 5), Some(7), Some(5)), 24).err(),
            Some(Halt::Partitions { found: 24, stored: 12 })
        );
        // A partition that was added has no state, its neighbours tell.
        let mut added = left(None, None, None);
        added.partitions_elsewhere = Some(12);
        assert_eq!(check(&added, 24).err(), Some(Halt::Partitions { found: 24, stored: 12 }));
        assert!(check(&added, 12).is_ok());
        let mut lost = left(meta(7, 5), Some(7), Some(5));
        lost.operations = (8, 100);
        assert_eq!(check(&lost, 12).err(), Some(Halt::Lost { next: 7, low: 8 }));
        let mut later = left(meta(7, 5), Some(7), Some(5));
        later.state.add(b"meta:0", Some(&[9; 30]));
        assert!(matches!(check(&later, 12), Err(Halt::Unreadable(_))));
    }
}
