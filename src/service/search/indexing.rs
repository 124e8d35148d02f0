//! Making the index while decisions are made: what is looked for by equality becomes terms, and some thousands of
//! decisions become a segment, which the commit takes that stores the last of them.
//!
//! Decisions that are in no segment yet are read by whoever searches. After a start they are read once and gathered
//! again. A store of an earlier program has no segments: as many of its newest decisions as a start may read are
//! indexed by the next commit; what is older is found by reading it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::adapters::store::index::{Bounds, IndexedStreams, Segment, SegmentSummary, SegmentWriter};
use crate::adapters::store::{Position, Store, StoreError, Stream};
use crate::operation::decision::Decision;
use crate::operation::decision::read::DecisionRecord;
use crate::operation::{Money, Time, decode};

use super::{Filter, Searchable, ids_of};

/// So many decisions become a segment at least; the rest of their batch goes with them.
const SEGMENT_MIN: u32 = 4_096;
/// At most so many decisions that are in no segment are read at a start.
const READ_MAX: u64 = 65_536;

/// What a term names. The numbers are stored as part of terms: they keep their meaning.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
enum Name {
    Wallet = 1,
    Operation = 2,
    Decision = 3,
    Rule = 4,
    Verdict = 5,
    Type = 6,
    Address = 7,
    Device = 8,
    Restriction = 9,
    Counterparty = 10,
    /// Of a segment as a whole: its first decision bears what its terms name.
    Names = 11,
    /// Of the operation's amount, its [step](step_of).
    Amount = 12,
}

/// The newest names, [`Name::Restriction`] and [`Name::Counterparty`], are those of segments that say so: segments of
/// earlier programs have no such terms.
const WITH_NEWEST_NAMES: &[u8] = b"restriction, counterparty";
/// [`Name::Amount`] came after these.
const WITH_AMOUNTS: &[u8] = b"amount";
/// Where other terms leave so few decisions of a segment, amounts are not looked up as well.
const FEW: usize = 64;

fn term(name: Name, value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, name as u64)
}

/// Returns the terms of a decision.
fn terms(found: &Searchable<'_>) -> impl Iterator<Item = u64> {
    let of_text = |name: Name| move |text: &str| term(name, text.as_bytes());
    let address = found.ip.map(|ip| term(Name::Address, ip.to_string().as_bytes()));
    [
        Some(term(Name::Wallet, found.wallet_id.as_bytes())),
        Some(term(Name::Operation, found.op_id.as_bytes())),
        Some(term(Name::Decision, found.decision_id.as_bytes())),
        found.verdict.map(|verdict| term(Name::Verdict, verdict.name().as_bytes())),
        found.kind.map(|kind| term(Name::Type, kind.name().as_bytes())),
        address,
        found.device.map(of_text(Name::Device)),
    ]
    .into_iter()
    .flatten()
    .chain(found.rules.iter().map(|rule| term(Name::Rule, rule.as_bytes())))
    .chain(found.restrictions.iter().map(|id| term(Name::Restriction, id.as_bytes())))
    .chain(found.counterparty.into_iter().flat_map(ids_of).map(of_text(Name::Counterparty)))
    .chain(found.amount.map(|amount| term(Name::Amount, &[step_of(amount)])))
}

/// Names the step of an amount: a greater amount has no lower one, and of amounts of one step the greatest is at most a
/// quarter more than the least. Steps are stored as part of terms: they stay as they are.
fn step_of(amount: Money) -> u8 {
    let tiyn = u64::try_from(amount.tiyn()).unwrap_or(0);
    let bits = u64::BITS - tiyn.leading_zeros();
    // The two bits behind the first one make four steps of it.
    let step = match bits.checked_sub(3) {
        None => tiyn,
        Some(rest) => u64::from(rest) * 4 + 4 + ((tiyn >> rest) & 3),
    };
    u8::try_from(step).unwrap_or(u8::MAX)
}

/// The terms that every decision bears which a filter means.
#[derive(Debug)]
pub(super) struct FilterTerms {
    /// The rarest kinds first.
    all: Vec<u64>,
    /// So many of them, in front, are of the newest names.
    newest: usize,
    /// Where amounts are asked for, the least and the most.
    amounts: Option<Bounds<Money>>,
}

impl FilterTerms {
    /// Returns the terms that a segment names the bearers of.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn known_to(&self, streams: &IndexedStreams, segment: &SegmentSummary) -> Result<Vec<u64>, StoreError> {
        if self.newest == 0 {
            return Ok(self.all.clone());
        }
        let bearing = streams.bearing(segment, term(Name::Names, WITH_NEWEST_NAMES))?;
        let has_newest = bearing.is_some_and(|bearing| !bearing.is_empty());
        Ok(self.all[if has_newest { 0 } else { self.newest }..].to_vec())
    }

    /// Leaves of the decisions of a segment that other terms name, or of all, those whose amounts may be meant; in
    /// ascending order. `None`: nothing is known of any.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn narrow_by_amount(
        &self,
        streams: &IndexedStreams,
        segment: &SegmentSummary,
        named: Option<Vec<u64>>,
    ) -> Result<Option<Vec<u64>>, StoreError> {
        let Some(asked) = self.amounts.filter(|_| named.as_ref().is_none_or(|named| named.len() > FEW)) else {
            return Ok(named);
        };
        let marked = streams.bearing(segment, term(Name::Names, WITH_AMOUNTS))?;
        if marked.is_none_or(|marked| marked.is_empty()) {
            return Ok(named);
        }
        let least = asked.least.max(segment.amounts.least);
        let greatest = asked.greatest.min(segment.amounts.greatest);
        let mut bearing = Vec::new();
        for step in step_of(least)..=step_of(greatest) {
            // The index is damaged there.
            let Some(found) = streams.bearing(segment, term(Name::Amount, &[step]))? else { return Ok(named) };
            bearing.extend(found);
        }
        bearing.sort_unstable();
        bearing.dedup();
        Ok(Some(match named {
            None => bearing,
            Some(named) => named.into_iter().filter(|number| bearing.binary_search(number).is_ok()).collect(),
        }))
    }
}

/// Returns the terms that every decision bears which a filter means.
pub(super) fn terms_of_filter(filter: &Filter) -> FilterTerms {
    let of_text = |name: Name, text: &Option<String>| text.as_ref().map(|text| term(name, text.as_bytes()));
    let newest = [
        filter.restriction.map(|id| term(Name::Restriction, id.as_bytes())),
        of_text(Name::Counterparty, &filter.counterparty),
    ];
    let others = [
        filter.decision_id.map(|id| term(Name::Decision, id.as_bytes())),
        of_text(Name::Operation, &filter.op_id),
        of_text(Name::Wallet, &filter.wallet),
        of_text(Name::Device, &filter.device),
        filter.ip.map(|ip| term(Name::Address, ip.to_string().as_bytes())),
        of_text(Name::Rule, &filter.rule),
        filter.verdict.map(|verdict| term(Name::Verdict, verdict.name().as_bytes())),
        filter.kind.map(|kind| term(Name::Type, kind.name().as_bytes())),
    ];
    let asks_amount = filter.amount_min.is_some() || filter.amount_max.is_some();
    FilterTerms {
        newest: newest.iter().flatten().count(),
        all: newest.into_iter().chain(others).flatten().collect(),
        amounts: asks_amount.then(|| filter.amounts()),
    }
}

/// Gathers what becomes the next segment.
#[derive(Debug)]
pub struct Indexer {
    pending: SegmentWriter,
}

impl Indexer {
    /// Gathers what a store holds and has not indexed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn recover(store: &Store, position: Position) -> Result<Self, StoreError> {
        let streams = store.indexed()?;
        let indexed = streams.segment_before(u64::MAX)?.map_or(1, |segment| segment.end);
        drop(streams);
        let after = position.seq + 1;
        let from = indexed.max(after.saturating_sub(READ_MAX));
        let mut indexer = Self { pending: SegmentWriter::new(from) };
        indexer.read(store, from, after)?;
        Ok(indexer)
    }

    /// Gathers stored decisions. Where some of them are gone, only what follows them is a segment.
    fn read(&mut self, store: &Store, from: u64, end: u64) -> Result<(), StoreError> {
        let mut operations = None;
        store.each_block(Stream::Decisions, from, |first, block| {
            for (index, seq) in (0..block.len()).zip(first..) {
                let Some(decision) = block.get(index).filter(|_| seq >= from && seq < end) else { continue };
                let is_in_hand = |(first, block): &(u64, crate::adapters::store::block::Block)| {
                    seq >= *first && seq - first < u64::try_from(block.len()).unwrap_or(u64::MAX)
                };
                if !operations.as_ref().is_some_and(is_in_hand) {
                    operations = store.block_of(Stream::Operations, seq)?;
                }
                let record = operations
                    .as_ref()
                    .filter(|found| is_in_hand(found))
                    .and_then(|(first, block)| block.get(usize::try_from(seq - first).ok()?)?.get(8..));
                self.add_stored(seq, decision, record);
            }
            Ok(true)
        })
    }

    fn add_stored(&mut self, seq: u64, decision: &[u8], record: Option<&[u8]>) {
        let operation = record.and_then(|record| decode::decode(record).ok());
        match DecisionRecord::decode(decision) {
            Ok(read) => self.push(seq, &Searchable::of_record(&read, operation.as_ref())),
            // What cannot be read is in no segment.
            Err(_) => self.pending = SegmentWriter::new(seq + 1),
        }
    }

    /// Adds a decision that was just made on a record; returns the amount of its operation.
    pub fn add(&mut self, seq: u64, decision: &Decision, record: &[u8]) -> Option<Money> {
        let operation = decode::decode(record).ok();
        self.push(seq, &Searchable::of(decision, operation.as_ref()));
        operation.and_then(|operation| operation.amount)
    }

    fn push(&mut self, seq: u64, found: &Searchable<'_>) {
        if self.pending.next() != seq {
            self.pending = SegmentWriter::new(seq);
        }
        let is_first = self.pending.is_empty();
        let names = [WITH_NEWEST_NAMES, WITH_AMOUNTS].into_iter().filter(|_| is_first);
        let at = found.occurred_at.unwrap_or(Time::EPOCH);
        self.pending.add(at, found.amount, names.map(|names| term(Name::Names, names)).chain(terms(found)));
    }

    /// Returns the next segment, once it is long enough. A commit that stores its decisions, or comes after them, takes
    /// it.
    pub fn take_due(&mut self) -> Option<Segment> {
        if self.pending.len() < SEGMENT_MIN {
            return None;
        }
        let next = SegmentWriter::new(self.pending.next());
        Some(std::mem::replace(&mut self.pending, next).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_up_with_amounts_and_are_a_quarter_wide() {
        let step = |tiyn: i64| step_of(Money::from_tiyn(tiyn));
        assert_eq!([0, 1, 3, 4, 7, 8, 9, 10, 14, 15, 16].map(step), [0, 1, 3, 4, 7, 8, 8, 9, 11, 11, 12]);
        assert!((1..100_000).all(|tiyn| (step(tiyn - 1)..=step(tiyn - 1) + 1).contains(&step(tiyn))));
        // From 4,587.52 to 5,242.87.
        assert_eq!([458_751, 458_752, 524_287, 524_288].map(step), [70, 71, 71, 72]);
        assert_eq!((step(99_999_999_999_999_999), step(i64::MAX)), (221, 247));
    }
}
