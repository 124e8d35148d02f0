//! The index of the decisions: which of them bear a term, and the ranges of their times and amounts.
//!
//! Decisions are indexed some thousands at a time, as a segment, by a commit that stores the last of them. What a
//! segment does not cover yet, or never did, is found by reading it. A term is the hash of a name and its value;
//! two may be alike in what is kept of them, so whoever asks looks at the decisions themselves.

use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable, WriteTransaction};

use super::block::{Block, fold, unfold};
use super::{DECISIONS, META, OPERATIONS, SEGMENTS, Store, StoreError, Stream, TERMS, access};
use crate::operation::{Money, Time};

/// The terms of a segment are kept in so many parts, so that looking one up reads little.
const PARTS: u64 = 64;
/// Bytes of a summary: count, bounds of the times, bounds of the amounts.
const SUMMARY: usize = 4 + 4 * 8;

/// The times or amounts that lie between two others, both included; none where the first is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds<T> {
    pub least: T,
    pub greatest: T,
}

impl Bounds<Time> {
    /// Holds no time.
    pub const NONE: Self = Self { least: Time::MAX, greatest: Time::MIN };
}

impl Bounds<Money> {
    /// Holds every amount, and none.
    pub const ALL: Self = Self { least: Money::from_tiyn(i64::MIN), greatest: Money::from_tiyn(i64::MAX) };
    pub const NONE: Self = Self { least: Self::ALL.greatest, greatest: Self::ALL.least };
}

impl<T: Ord + Copy> Bounds<T> {
    fn add(&mut self, one: T) {
        self.least = self.least.min(one);
        self.greatest = self.greatest.max(one);
    }

    /// Tells whether something may lie in both.
    #[must_use]
    pub fn meet(self, other: Self) -> bool {
        self.least <= other.greatest && other.least <= self.greatest && self.least <= self.greatest
    }
}

/// Collects what a segment tells of consecutive decisions.
#[derive(Debug)]
pub struct SegmentWriter {
    first: u64,
    count: u32,
    times: Bounds<Time>,
    amounts: Bounds<Money>,
    /// Terms, each with the place of a decision that bears it.
    postings: Vec<(u64, u32)>,
}

impl SegmentWriter {
    /// Begins a segment with the decision of this number.
    #[must_use]
    pub const fn new(first: u64) -> Self {
        Self { first, count: 0, times: Bounds::<Time>::NONE, amounts: Bounds::<Money>::NONE, postings: Vec::new() }
    }

    /// Adds the next decision: its operation's time, its amount if it has one, its terms.
    pub fn add(&mut self, time: Time, amount: Option<Money>, terms: impl IntoIterator<Item = u64>) {
        self.times.add(time);
        if let Some(amount) = amount {
            self.amounts.add(amount);
        }
        let place = self.count;
        self.postings.extend(terms.into_iter().map(|term| (term, place)));
        self.count += 1;
    }

    /// Returns how many decisions were added.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Tells whether no decision was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the number of the decision that is to be added next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// Ends the segment.
    #[must_use]
    pub fn finish(mut self) -> Segment {
        self.postings.sort_unstable_by_key(|(term, place)| (part_of(*term), kept_of(*term), *place));
        self.postings.dedup();
        let Self { times, amounts, .. } = self;
        let at = times.least;
        let mut parts = Vec::new();
        for run in self.postings.chunk_by(|a, b| part_of(a.0) == part_of(b.0)) {
            parts.push((part_of(run[0].0), fold(&encode_part(run), at)));
        }
        let mut summary = Vec::with_capacity(SUMMARY);
        summary.extend_from_slice(&self.count.to_le_bytes());
        let times = [times.least, times.greatest].map(Time::nanos);
        for number in times.into_iter().chain([amounts.least, amounts.greatest].map(Money::tiyn)) {
            summary.extend_from_slice(&number.to_le_bytes());
        }
        Segment { first: self.first, summary: fold(&summary, at), parts }
    }
}

/// A segment as it is stored.
#[derive(Debug, Clone)]
pub struct Segment {
    pub(super) first: u64,
    pub(super) summary: Vec<u8>,
    pub(super) parts: Vec<(u8, Vec<u8>)>,
}

/// What a segment tells of its decisions as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSummary {
    /// The number of its first decision.
    pub first: u64,
    /// The number after its last.
    pub end: u64,
    /// Of the operations' times.
    pub times: Bounds<Time>,
    /// Of the amounts of the operations that have one.
    pub amounts: Bounds<Money>,
}

fn part_of(term: u64) -> u8 {
    u8::try_from(term % PARTS).unwrap_or(0)
}

/// What is kept of a term inside its part.
fn kept_of(term: u64) -> u32 {
    u32::try_from(term >> 32).unwrap_or(0)
}

/// Writes a part: for each kept term, in ascending order, how many decisions bear it, and the steps between them.
fn encode_part(postings: &[(u64, u32)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(postings.len() * 7);
    for group in postings.chunk_by(|a, b| kept_of(a.0) == kept_of(b.0)) {
        out.extend_from_slice(&kept_of(group[0].0).to_le_bytes());
        // Two terms that are kept alike may lie in one decision.
        let mut places: Vec<u32> = group.iter().map(|(_, place)| *place).collect();
        places.dedup();
        push_number(&mut out, u32::try_from(places.len()).unwrap_or(u32::MAX));
        let mut before = 0;
        for place in places {
            push_number(&mut out, place - before);
            before = place;
        }
    }
    out
}

/// Writes a number in groups of seven bits, the lowest first.
fn push_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

fn take_number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Finds the places under a term in a part; `None` where the bytes are none.
fn find_in_part(mut bytes: &[u8], term: u64) -> Option<Vec<u32>> {
    let sought = kept_of(term);
    while !bytes.is_empty() {
        let (kept, rest) = bytes.split_first_chunk::<4>()?;
        let kept = u32::from_le_bytes(*kept);
        bytes = rest;
        if kept > sought {
            break;
        }
        let count = take_number(&mut bytes)?;
        let (mut places, mut place) = (Vec::new(), 0_u32);
        for _ in 0..count {
            place = place.checked_add(take_number(&mut bytes)?)?;
            if kept == sought {
                places.push(place);
            }
        }
        if kept == sought {
            return Some(places);
        }
    }
    Some(Vec::new())
}

/// The streams of operations and decisions with their index, as they were at one moment.
pub struct IndexedStreams {
    last: u64,
    segments: ReadOnlyTable<u64, &'static [u8]>,
    terms: ReadOnlyTable<(u64, u8), &'static [u8]>,
    operations: ReadOnlyTable<u64, &'static [u8]>,
    decisions: ReadOnlyTable<u64, &'static [u8]>,
}

impl std::fmt::Debug for IndexedStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexedStreams").finish_non_exhaustive()
    }
}

/// From where a block is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// The block with this item, or else the next one after it.
    AtOrAfter(u64),
    /// The block with this item, or else the next one before it.
    AtOrBefore(u64),
}

impl Store {
    /// Opens the streams and their index for reading, as they are now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn indexed(&self) -> Result<IndexedStreams, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let meta = read.open_table(META).map_err(access("read"))?;
        Ok(IndexedStreams {
            last: meta.get("seq").map_err(access("read"))?.map_or(0, |value| value.value()),
            segments: read.open_table(SEGMENTS).map_err(access("read"))?,
            terms: read.open_table(TERMS).map_err(access("read"))?,
            operations: read.open_table(OPERATIONS).map_err(access("read"))?,
            decisions: read.open_table(DECISIONS).map_err(access("read"))?,
        })
    }
}

impl IndexedStreams {
    /// Returns the number of the newest decision; 0 while there is none.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Returns the last segment that begins at or before a number. One that is damaged covers nothing.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn segment_before(&self, number: u64) -> Result<Option<SegmentSummary>, StoreError> {
        let found = self.segments.range(..=number).map_err(access("read"))?.next_back();
        let found = found.transpose().map_err(access("read"))?;
        Ok(found.and_then(|(first, bytes)| read_summary(first.value(), bytes.value())))
    }

    /// Returns the numbers of the decisions of a segment that may bear a term, in ascending order; `None` where the
    /// index is damaged there, and nothing is known.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bearing(&self, segment: &SegmentSummary, term: u64) -> Result<Option<Vec<u64>>, StoreError> {
        let key = (segment.first, part_of(term));
        let Some(bytes) = self.terms.get(key).map_err(access("read"))? else { return Ok(Some(Vec::new())) };
        let places = unfold(bytes.value()).ok().and_then(|part| find_in_part(&part, term));
        Ok(places.map(|places| places.into_iter().map(|place| segment.first + u64::from(place)).collect()))
    }

    /// Reads the block that holds an item, or its neighbour, with the number of its first item.
    ///
    /// # Errors
    /// The file cannot be read, or the block is damaged.
    pub fn block(&self, stream: Stream, seek: Seek) -> Result<Option<(u64, Block)>, StoreError> {
        let table = match stream {
            Stream::Operations => &self.operations,
            Stream::Decisions | Stream::Rejected => &self.decisions,
        };
        let (Seek::AtOrAfter(number) | Seek::AtOrBefore(number)) = seek;
        let found = table.range(..=number).map_err(access("read"))?.next_back();
        let before = found.transpose().map_err(access("read"))?;
        let before = before.map(|(first, bytes)| read_block(stream, first.value(), bytes.value())).transpose()?;
        let Seek::AtOrAfter(_) = seek else { return Ok(before) };
        if let Some((first, block)) = before
            && number - first < u64::try_from(block.len()).unwrap_or(u64::MAX)
        {
            return Ok(Some((first, block)));
        }
        let found = table.range(number..).map_err(access("read"))?.next();
        let found = found.transpose().map_err(access("read"))?;
        found.map(|(first, bytes)| read_block(stream, first.value(), bytes.value())).transpose()
    }
}

fn read_block(stream: Stream, first: u64, bytes: &[u8]) -> Result<(u64, Block), StoreError> {
    let block =
        Block::read(bytes).map_err(|source| StoreError::Record { what: stream.name(), number: first, source })?;
    Ok((first, block))
}

fn read_summary(first: u64, bytes: &[u8]) -> Option<SegmentSummary> {
    let summary = unfold(bytes).ok()?;
    let (count, bounds) = summary.split_first_chunk::<4>()?;
    let mut numbers = bounds.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap_or_default()));
    let [least, greatest] = [numbers.next()?, numbers.next()?].map(Time::from_nanos);
    let times = Bounds { least, greatest };
    let [least, greatest] = [numbers.next()?, numbers.next()?].map(Money::from_tiyn);
    let amounts = Bounds { least, greatest };
    let end = first + u64::from(u32::from_le_bytes(*count));
    Some(SegmentSummary { first, end, times, amounts })
}

/// Writes segments, and drops the first ones whose decisions are all gone.
pub(super) fn write(transaction: &WriteTransaction, segments: &[Segment]) -> Result<(), redb::Error> {
    if segments.is_empty() {
        return Ok(());
    }
    let (mut summaries, mut terms) = (transaction.open_table(SEGMENTS)?, transaction.open_table(TERMS)?);
    for Segment { first, summary, parts } in segments {
        for (part, bytes) in parts {
            terms.insert((*first, *part), &bytes[..])?;
        }
        summaries.insert(first, &summary[..])?;
    }
    let oldest = transaction.open_table(DECISIONS)?.first()?.map(|(number, _)| number.value());
    let Some(oldest) = oldest else { return Ok(()) };
    loop {
        let mut first_two = summaries.iter()?;
        let (Some(first), Some(next)) = (first_two.next().transpose()?, first_two.next().transpose()?) else { break };
        // Where the next one begins at the latest, this one has ended.
        if next.0.value() > oldest {
            break;
        }
        let first_number = first.0.value();
        drop((first, next, first_two));
        summaries.remove(first_number)?;
        terms.retain_in((first_number, 0)..=(first_number, u8::MAX), |_, _| false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_under_their_terms_and_damage_is_no_panic() {
        // All in one part; two of them are kept alike.
        let terms = [7 << 32, (7 << 32) + PARTS, 9 << 32, u64::from(u32::MAX) << 32];
        let mut postings: Vec<(u64, u32)> = vec![(terms[0], 0), (terms[1], 0), (terms[1], 500), (terms[2], 3)];
        postings.extend((0..1_000).map(|place| (terms[3], place * 300)));
        let bytes = encode_part(&postings);
        assert_eq!(find_in_part(&bytes, terms[0]), Some(vec![0, 500]));
        assert_eq!(find_in_part(&bytes, terms[2]), Some(vec![3]));
        assert_eq!(find_in_part(&bytes, 8 << 32), Some(Vec::new()));
        assert_eq!(find_in_part(&bytes, terms[3]), Some((0..1_000).map(|place| place * 300).collect()));
        for end in 0..bytes.len() {
            assert!(find_in_part(&bytes[..end], terms[3]) != find_in_part(&bytes, terms[3]), "cut at {end}");
        }
        assert_eq!(find_in_part(&[0xff; 16], u64::MAX), None);
    }

    #[test]
    fn a_summary_tells_where_the_numbers_lie() {
        let mut writer = SegmentWriter::new(11);
        assert!(writer.is_empty());
        writer.add(Time::from_nanos(5), None, [1, 2]);
        writer.add(Time::from_nanos(3), Some(Money::from_tiyn(700)), [2]);
        assert_eq!((writer.len(), writer.next()), (2, 13));
        let segment = writer.finish();
        let read = read_summary(11, &segment.summary).expect("a summary");
        assert_eq!((read.first, read.end), (11, 13));
        let until_9 = |least| Bounds { least: Time::from_nanos(least), greatest: Time::from_nanos(9) };
        assert!(read.times.meet(until_9(5)) && !read.times.meet(until_9(6)));
        assert_eq!(read.amounts, Bounds { least: Money::from_tiyn(700), greatest: Money::from_tiyn(700) });
        assert!(!Bounds::<Money>::NONE.meet(Bounds::<Money>::ALL));
        assert!(!Bounds::<Time>::NONE.meet(Bounds { least: Time::MIN, greatest: Time::MAX }));
        for at in 0..segment.summary.len() {
            let mut wrong = segment.summary.clone();
            wrong[at] ^= 0x41;
            assert_eq!(read_summary(11, &wrong), None, "changed at {at}");
        }
    }
}
