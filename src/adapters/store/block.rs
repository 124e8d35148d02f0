//! A run of items under one key: what one commit appends to a stream.

use std::cell::RefCell;

use xxhash_rust::xxh3::Xxh3;
use zstd::bulk::Compressor;

use crate::engine::stored::StoredError;
use crate::operation::Time;

/// Version of the block format.
const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Shorter blocks are not worth compressing.
const COMPRESSED_MIN: usize = 512;
/// The fastest: higher levels make the records of operations and decisions little shorter.
const LEVEL: i32 = 1;
/// What a block may unfold to: more than any batch holds.
const UNFOLDED_MAX: usize = 1 << 31;
/// Version, codec, time of the first item, length of the payload when unfolded, checksum of the rest.
const HEADER: usize = CHECKED + 8;
/// Where the checksum stands: the database checks its pages only after it was not closed in order.
const CHECKED: usize = 1 + 1 + 8 + 4;

/// Collects the items of a block.
#[derive(Debug, Default)]
pub struct BlockWriter {
    ends: Vec<usize>,
    items: Vec<u8>,
}

impl BlockWriter {
    /// Appends an item by letting it write itself.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.items);
        self.ends.push(self.items.len());
    }

    /// Returns how many items were appended.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether no item was appended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns an item.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.items.get(start..*self.ends.get(index)?)
    }

    /// Returns the bytes of the items so far.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.items.len()
    }

    /// Ends the block; `at` is when its first item arrived.
    #[must_use]
    pub fn finish(&self, at: Time) -> Vec<u8> {
        self.part(0..self.ends.len(), at)
    }

    /// Ends the block as several, none of which holds more than `bytes_max` bytes, unless one item does: so that each
    /// can be read back whatever the batch was. Returns each with the place of its first item.
    #[must_use]
    pub fn finish_in_parts(&self, at: Time, bytes_max: usize) -> Vec<(u64, Vec<u8>)> {
        let (mut parts, mut from) = (Vec::new(), 0);
        while from < self.ends.len() {
            let start = self.start(from);
            let fitting = self.ends[from..].partition_point(|end| end - start <= bytes_max);
            let until = from + fitting.max(1);
            parts.push((u64::try_from(from).unwrap_or(u64::MAX), self.part(from..until, at)));
            from = until;
        }
        parts
    }

    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn part(&self, items: std::ops::Range<usize>, at: Time) -> Vec<u8> {
        let (start, ends) = (self.start(items.start), &self.ends[items]);
        let bytes = &self.items[start..ends.last().copied().unwrap_or(start)];
        let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let mut payload = Vec::with_capacity(4 + ends.len() * 4 + bytes.len());
        payload.extend_from_slice(&word(ends.len()));
        ends.iter().for_each(|end| payload.extend_from_slice(&word(end - start)));
        payload.extend_from_slice(bytes);
        fold(&payload, at)
    }
}

fn slice<'a>(ends: &[u32], items: &'a [u8], index: usize) -> Option<&'a [u8]> {
    let start = index.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())?;
    items.get(usize::try_from(start).ok()?..usize::try_from(*ends.get(index)?).ok()?)
}

/// Puts bytes under the block's header, compressed where that helps.
#[must_use]
pub fn fold(payload: &[u8], at: Time) -> Vec<u8> {
    let compressed = if payload.len() >= COMPRESSED_MIN { compressed(payload) } else { None };
    let (codec, body) = match &compressed {
        Some(body) if body.len() < payload.len() => (ZSTD, &body[..]),
        Some(_) | None => (PLAIN, payload),
    };
    let mut block = Vec::with_capacity(HEADER + body.len());
    block.extend_from_slice(&[VERSION, codec]);
    block.extend_from_slice(&at.nanos().to_le_bytes());
    block.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    let checksum = checksum(&block, body);
    block.extend_from_slice(&checksum);
    block.extend_from_slice(body);
    block
}

thread_local! {
    /// What a thread compresses with. It holds hundreds of kilobytes of tables, which would otherwise be asked of the
    /// system and given back for each block.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

fn compressed(payload: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        if compressor.is_none() {
            *compressor = Compressor::new(LEVEL).ok();
        }
        compressor.as_mut()?.compress(payload).ok()
    })
}

fn checksum(fields: &[u8], body: &[u8]) -> [u8; 8] {
    let mut hasher = Xxh3::new();
    hasher.update(fields);
    hasher.update(body);
    hasher.digest().to_le_bytes()
}

/// Returns when the first item of a block arrived.
///
/// # Errors
/// The bytes are no block.
pub fn first_arrival(block: &[u8]) -> Result<Time, StoredError> {
    let bytes = block.get(2..10).ok_or(StoredError::Damaged(block.len()))?;
    Ok(Time::from_nanos(i64::from_le_bytes(bytes.try_into().unwrap_or_default())))
}

/// Takes the bytes out from under a block's header.
///
/// # Errors
/// The bytes are no block of a known version, or damaged.
pub fn unfold(block: &[u8]) -> Result<Vec<u8>, StoredError> {
    let (header, body) = block.split_at_checked(HEADER).ok_or(StoredError::Damaged(block.len()))?;
    if header[0] != VERSION {
        return Err(StoredError::Version(header[0]));
    }
    let (fields, checked) = header.split_at(CHECKED);
    if checksum(fields, body) != checked {
        return Err(StoredError::Damaged(CHECKED));
    }
    let length = u32::from_le_bytes(fields[10..].try_into().unwrap_or_default());
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let payload = match header[1] {
        PLAIN => body.to_vec(),
        ZSTD if length <= UNFOLDED_MAX => {
            zstd::bulk::decompress(body, length).map_err(|_| StoredError::Damaged(HEADER))?
        }
        _ => return Err(StoredError::Damaged(1)),
    };
    if payload.len() == length { Ok(payload) } else { Err(StoredError::Damaged(block.len())) }
}

/// The items of a block that was read.
#[derive(Debug)]
pub struct Block {
    ends: Vec<u32>,
    payload: Vec<u8>,
    start: usize,
}

impl Block {
    /// Reads a block.
    ///
    /// # Errors
    /// The bytes are no block of a known version, or damaged.
    pub fn read(block: &[u8]) -> Result<Self, StoredError> {
        let payload = unfold(block)?;
        let word = |at: usize| -> Result<u32, StoredError> {
            let bytes = payload.get(at..at + 4).ok_or(StoredError::Damaged(at))?;
            Ok(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
        };
        let count = usize::try_from(word(0)?).unwrap_or(usize::MAX);
        if count > payload.len() / 4 {
            return Err(StoredError::Damaged(0));
        }
        let ends = (0..count).map(|number| word(4 + number * 4)).collect::<Result<Vec<_>, _>>()?;
        let start = 4 + count * 4;
        let last = usize::try_from(ends.last().copied().unwrap_or(0)).unwrap_or(usize::MAX);
        if !ends.is_sorted() || last != payload.len() - start {
            return Err(StoredError::Damaged(start));
        }
        Ok(Self { ends, payload, start })
    }

    /// Returns how many items the block has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether the block has no items.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the bytes of the items.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.payload.len() - self.start
    }

    /// Returns an item.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        slice(&self.ends, &self.payload[self.start..], index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was compressed before leaves no trace in what is compressed next.
    #[test]
    fn blocks_are_the_same_whatever_the_thread_compressed_before() {
        let long: Vec<u8> = (0..200_000_u32).flat_map(|number| (number % 977).to_le_bytes()).collect();
        for payload in [&long[..4_000], &long[..], &long[1..70_001], &[7; 600]] {
            let fresh = std::thread::scope(|scope| scope.spawn(|| fold(payload, Time::from_nanos(3))).join());
            assert_eq!(fold(payload, Time::from_nanos(3)), fresh.expect("no panic"));
        }
    }

    fn block(items: &[&[u8]]) -> Vec<u8> {
        let mut writer = BlockWriter::default();
        items.iter().for_each(|item| writer.push(|out| out.extend_from_slice(item)));
        writer.finish(Time::from_nanos(7))
    }

    #[test]
    fn items_come_back_from_plain_and_compressed_blocks() {
        let long = b"the same words again and again ".repeat(100);
        for items in [&[&b"a"[..], b"", b"bc"][..], &[&long[..], b"x", &long[..]], &[]] {
            let bytes = block(items);
            let read = Block::read(&bytes).unwrap();
            assert_eq!(read.len(), items.len());
            assert_eq!(read.is_empty(), items.is_empty());
            for (index, item) in items.iter().enumerate() {
                assert_eq!(read.get(index).unwrap(), *item);
            }
            assert_eq!(read.get(items.len()), None);
            assert_eq!(first_arrival(&bytes), Ok(Time::from_nanos(7)));
        }
        assert!(block(&[&long[..]]).len() < long.len() / 4);
    }

    #[test]
    fn what_is_too_much_for_one_block_becomes_several() {
        let items: Vec<Vec<u8>> = [3, 4, 0, 5, 20, 1, 9].iter().map(|length| vec![b'x'; *length]).collect();
        let mut writer = BlockWriter::default();
        items.iter().for_each(|item| writer.push(|out| out.extend_from_slice(item)));
        for bytes_max in [1, 7, 9, 12, 42, usize::MAX] {
            let mut read: Vec<Vec<u8>> = Vec::new();
            for (first, part) in writer.finish_in_parts(Time::from_nanos(7), bytes_max) {
                assert_eq!(first, read.len() as u64);
                let block = Block::read(&part).unwrap();
                let found: Vec<_> = (0..block.len()).map(|index| block.get(index).unwrap().to_vec()).collect();
                assert!(found.len() == 1 || found.iter().map(Vec::len).sum::<usize>() <= bytes_max);
                read.extend(found);
            }
            assert_eq!(read, items, "{bytes_max}");
        }
        assert!(BlockWriter::default().finish_in_parts(Time::from_nanos(7), 1).is_empty());
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let long = b"the same words again and again ".repeat(100);
        for bytes in [block(&[b"one", b"two"]), block(&[&long[..], b"x"])] {
            for end in 0..bytes.len() {
                assert!(Block::read(&bytes[..end]).is_err(), "cut at {end}");
            }
            for at in 0..bytes.len() {
                let mut wrong = bytes.clone();
                wrong[at] ^= 0x41;
                assert!(Block::read(&wrong).is_err(), "changed at {at}");
            }
        }
        assert_eq!(Block::read(&[9; HEADER + 4]).err(), Some(StoredError::Version(9)));
    }
}
