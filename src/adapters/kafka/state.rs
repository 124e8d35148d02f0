//! The records of the compacted state topic: keys, values in parts, and the newest of each key.
//!
//! | key | value |
//! |---|---|
//! | `meta` | how far the shard has come |
//! | `note:{name}` | a small thing under a name |
//! | `layout:{id}` | how rows were laid out for a rule set |
//! | `journal:{batch}` | what a batch changed |
//! | `wallets:{group}`, `windows:{group}` | a group of records as of a batch |
//!
//! Each key has `:{part}` behind it. A value longer than [`PART_BYTES_MAX`] is cut into several parts; every
//! part begins with a header of the format's version, the batch it was written with, its number and how many
//! parts there are. A record without a value removes its key.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest part's bytes, below the megabyte that Kafka takes by default.
pub const PART_BYTES_MAX: usize = 900_000;
/// Version of the header and of the meta record.
const VERSION: u8 = 1;
/// Version, batch, part, parts.
const HEADER: usize = 1 + 8 + 4 + 4;

/// What a record of the state topic is about, without its part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKey {
    Meta,
    Note(String),
    StateLayout(u64),
    Journal(u64),
    Wallets(u32),
    Windows(u32),
}

impl StateKey {
    /// Returns the record's key.
    #[must_use]
    pub fn text(&self, part: u32) -> String {
        match self {
            Self::Meta => format!("meta:{part}"),
            Self::Note(name) => format!("note:{name}:{part}"),
            Self::StateLayout(id) => format!("layout:{id:016x}:{part}"),
            Self::Journal(batch) => format!("journal:{batch}:{part}"),
            Self::Wallets(group) => format!("wallets:{group}:{part}"),
            Self::Windows(group) => format!("windows:{group}:{part}"),
        }
    }

    /// Reads a record's key; returns what it is about and which part it is.
    #[must_use]
    pub fn parse(text: &str) -> Option<(Self, u32)> {
        let (base, part) = text.rsplit_once(':')?;
        let (kind, name) = base.split_once(':').unwrap_or((base, ""));
        let key = match kind {
            "meta" if name.is_empty() => Self::Meta,
            "note" => Self::Note(name.to_owned()),
            "layout" => Self::StateLayout(u64::from_str_radix(name, 16).ok()?),
            "journal" => Self::Journal(name.parse().ok()?),
            "wallets" => Self::Wallets(name.parse().ok()?),
            "windows" => Self::Windows(name.parse().ok()?),
            _ => return None,
        };
        Some((key, part.parse().ok()?))
    }
}

/// How far a shard has come: the value of its `meta` record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meta {
    /// The offset of the next operation.
    pub next_offset: i64,
    /// The last decision's number.
    pub seq: u64,
    /// Refused records so far.
    pub rejected: u64,
    /// Batches committed.
    pub batch: u64,
    /// The shared store has the changes of batches up to this one.
    pub acknowledged_batch: u64,
    /// The token of the shared store that holds this shard's blocks.
    pub shared_token: Option<String>,
    /// The rule set that decided last.
    pub ruleset: String,
    /// How many partitions the operations had.
    pub partitions: i32,
    /// The name of the process whose shard this is; its transactional ids follow from it. Empty in records of versions that did not note it.
    pub owner: String,
}

impl Meta {
    /// Returns the value as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        // Writing to memory cannot fail, and no field has a serializer that refuses.
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        bytes
    }

    /// Reads a value that ends before the owner: earlier versions wrote such.
    fn without_owner(rest: &[u8]) -> Result<Self, BadState> {
        // An empty text is its length.
        let read = postcard::from_bytes::<Self>(&[rest, &[0]].concat()).ok();
        read.filter(|meta| meta.owner.is_empty()).ok_or_else(|| BadState::damaged(&StateKey::Meta))
    }

    /// Reads a value.
    ///
    /// # Errors
    /// It is of a later version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadState> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).or_else(|_| Self::without_owner(rest)),
            Some((version, _)) => Err(BadState::Version { key: StateKey::Meta.text(0), found: *version }),
            None => Err(BadState::damaged(&StateKey::Meta)),
        }
    }
}

/// Why the state of a shard cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadState {
    #[error("found version {found} of the state record {key}, but this program reads version {VERSION}")]
    Version { key: String, found: u8 },
    #[error("the state record {key} is damaged or not whole")]
    Damaged { key: String },
    #[error("found a state record with the key \"{key}\", which this program does not know")]
    UnknownKey { key: String },
}

impl BadState {
    fn damaged(key: &StateKey) -> Self {
        Self::Damaged { key: key.text(0) }
    }
}

/// One record to write; without a value it removes its key.
pub type StateRecord = (String, Option<Vec<u8>>);

/// Which keys a shard has in the topic, with how many parts: what has to be removed is known from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateKeys {
    parts: BTreeMap<StateKey, u32>,
}

impl StateKeys {
    /// Adds the records of a value to `out`: its parts, and removals of former parts beyond them.
    pub fn put(&mut self, key: &StateKey, batch: u64, value: &[u8], out: &mut Vec<StateRecord>) {
        let parts = u32::try_from(value.len().div_ceil(PART_BYTES_MAX).max(1)).unwrap_or(u32::MAX);
        let mut chunks = value.chunks(PART_BYTES_MAX);
        for part in 0..parts {
            let chunk = chunks.next().unwrap_or_default();
            let mut bytes = Vec::with_capacity(HEADER + chunk.len());
            bytes.push(VERSION);
            bytes.extend_from_slice(&batch.to_le_bytes());
            bytes.extend_from_slice(&part.to_le_bytes());
            bytes.extend_from_slice(&parts.to_le_bytes());
            bytes.extend_from_slice(chunk);
            out.push((key.text(part), Some(bytes)));
        }
        let before = self.parts.insert(key.clone(), parts).unwrap_or(0);
        out.extend((parts..before).map(|part| (key.text(part), None)));
    }

    /// Adds the removal of a value, if there is one.
    pub fn remove(&mut self, key: &StateKey, out: &mut Vec<StateRecord>) {
        let parts = self.parts.remove(key).unwrap_or(0);
        out.extend((0..parts).map(|part| (key.text(part), None)));
    }

    /// Adds the removals of journals of batches up to this one.
    pub fn forget_journals(&mut self, upto: u64, out: &mut Vec<StateRecord>) {
        let old: Vec<StateKey> =
            self.parts.range(StateKey::Journal(0)..=StateKey::Journal(upto)).map(|(key, _)| key.clone()).collect();
        for key in old {
            self.remove(&key, out);
        }
    }
}

/// A part of a value.
#[derive(Debug, Clone)]
struct Part {
    batch: u64,
    parts: u32,
    bytes: Vec<u8>,
}

/// The newest record of each key: what compaction would leave.
#[derive(Debug, Clone, Default)]
pub struct StateImage {
    records: BTreeMap<StateKey, BTreeMap<u32, Part>>,
    bad: Option<BadState>,
    read: u64,
}

impl StateImage {
    /// Takes a record in, in the order of the topic.
    pub fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.read += 1;
        let text = String::from_utf8_lossy(key);
        let Some((key, number)) = StateKey::parse(&text) else {
            self.bad = Some(BadState::UnknownKey { key: text.chars().take(64).collect() });
            return;
        };
        let Some(value) = value else {
            if let Some(parts) = self.records.get_mut(&key) {
                parts.remove(&number);
                if parts.is_empty() {
                    self.records.remove(&key);
                }
            }
            return;
        };
        match read_part(&text, value) {
            Ok((told, part)) if told == number => {
                self.records.entry(key).or_default().insert(number, part);
            }
            Ok(_) => self.bad = Some(BadState::damaged(&key)),
            Err(bad) => self.bad = Some(bad),
        }
    }

    /// Returns how many records were taken in.
    #[must_use]
    pub const fn records_read(&self) -> u64 {
        self.read
    }

    /// Tells whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns a value whole, with the batch it was written with.
    ///
    /// # Errors
    /// A part is missing, or the parts do not belong together; or some record could not be read.
    pub fn value(&self, key: &StateKey) -> Result<Option<(u64, Vec<u8>)>, BadState> {
        if let Some(bad) = &self.bad {
            return Err(bad.clone());
        }
        let Some(parts) = self.records.get(key) else { return Ok(None) };
        let damaged = || BadState::damaged(key);
        let first = parts.get(&0).ok_or_else(damaged)?;
        let mut whole = Vec::with_capacity(parts.values().map(|part| part.bytes.len()).sum());
        for number in 0..first.parts {
            let part = parts.get(&number).ok_or_else(damaged)?;
            if (part.batch, part.parts) != (first.batch, first.parts) {
                return Err(damaged());
            }
            whole.extend_from_slice(&part.bytes);
        }
        if u32::try_from(parts.len()) == Ok(first.parts) { Ok(Some((first.batch, whole))) } else { Err(damaged()) }
    }

    /// Returns how far the shard has come; `None` when it never committed.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub fn meta(&self) -> Result<Option<Meta>, BadState> {
        self.value(&StateKey::Meta)?.map(|(_, bytes)| Meta::decode(&bytes)).transpose()
    }

    /// Lists the keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &StateKey> {
        self.records.keys()
    }

    /// Returns which keys there are, for the writer.
    #[must_use]
    pub fn to_keys(&self) -> StateKeys {
        let count = |parts: &BTreeMap<u32, Part>| {
            let numbers: BTreeSet<u32> = parts.keys().copied().collect();
            numbers.last().map_or(0, |last| last + 1)
        };
        StateKeys { parts: self.records.iter().map(|(key, parts)| (key.clone(), count(parts))).collect() }
    }
}

fn read_part(key: &str, value: &[u8]) -> Result<(u32, Part), BadState> {
    let damaged = || BadState::Damaged { key: key.to_owned() };
    match value.first() {
        Some(&VERSION) => {}
        Some(found) => return Err(BadState::Version { key: key.to_owned(), found: *found }),
        None => return Err(damaged()),
    }
    let (header, bytes) = value.split_at_checked(HEADER).ok_or_else(damaged)?;
    let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap_or_default());
    let batch = u64::from_le_bytes(header[1..9].try_into().unwrap_or_default());
    Ok((word(9), Part { batch, parts: word(13), bytes: bytes.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(image: &mut StateImage, records: &[StateRecord]) {
        records.iter().for_each(|(key, value)| image.add(key.as_bytes(), value.as_deref()));
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let keys = [
            StateKey::Meta,
            StateKey::Note("rules".into()),
            StateKey::Note("with:colon".into()),
            StateKey::StateLayout(0xfeed),
            StateKey::Journal(17),
            StateKey::Wallets(255),
            StateKey::Windows(0),
        ];
        for key in keys {
            assert_eq!(StateKey::parse(&key.text(3)), Some((key, 3)));
        }
        for text in ["", "meta", "meta:x", "meta:1:0", "wallets:a:0", "layout:zz:0", "nonsense:0:0"] {
            assert_eq!(StateKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn long_values_are_cut_and_put_together() {
        for length in [0, 1, PART_BYTES_MAX, PART_BYTES_MAX + 1, 3 * PART_BYTES_MAX] {
            let value: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let (mut keys, mut image, mut out) = (StateKeys::default(), StateImage::default(), Vec::new());
            keys.put(&StateKey::Wallets(7), 3, &value, &mut out);
            assert!(out.iter().all(|(_, value)| value.as_ref().is_none_or(|value| value.len() < 1_000_000)));
            fill(&mut image, &out);
            assert_eq!(image.value(&StateKey::Wallets(7)), Ok(Some((3, value))));
            assert_eq!(image.to_keys(), keys);
        }
    }

    #[test]
    fn a_shorter_value_removes_what_is_left_of_the_longer() {
        let (mut keys, mut image) = (StateKeys::default(), StateImage::default());
        let mut out = Vec::new();
        keys.put(&StateKey::Windows(1), 1, &vec![1; 2 * PART_BYTES_MAX + 5], &mut out);
        assert_eq!(out.len(), 3);
        fill(&mut image, &out);
        out.clear();
        keys.put(&StateKey::Windows(1), 2, b"short", &mut out);
        assert_eq!(out.iter().map(|(_, value)| value.is_some()).collect::<Vec<_>>(), [true, false, false]);
        fill(&mut image, &out);
        assert_eq!(image.value(&StateKey::Windows(1)), Ok(Some((2, b"short".to_vec()))));
        assert_eq!(image.to_keys(), keys);
    }

    #[test]
    fn journals_are_forgotten_up_to_a_batch() {
        let (mut keys, mut image, mut out) = (StateKeys::default(), StateImage::default(), Vec::new());
        for batch in 1..=12 {
            keys.put(&StateKey::Journal(batch), batch, b"j", &mut out);
        }
        keys.put(&StateKey::Wallets(0), 12, b"w", &mut out);
        fill(&mut image, &out);
        out.clear();
        keys.forget_journals(10, &mut out);
        assert_eq!(out.len(), 10);
        fill(&mut image, &out);
        let left: Vec<&StateKey> = image.keys().collect();
        assert_eq!(left, [&StateKey::Journal(11), &StateKey::Journal(12), &StateKey::Wallets(0)]);
        assert_eq!(image.to_keys(), keys);
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        let (mut keys, mut out) = (StateKeys::default(), Vec::new());
        keys.put(&StateKey::Journal(1), 1, &vec![1; 2 * PART_BYTES_MAX], &mut out);
        for missing in 0..out.len() {
            let mut image = StateImage::default();
            let rest: Vec<_> = out.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, r)| r.clone()).collect();
            fill(&mut image, &rest);
            assert!(image.value(&StateKey::Journal(1)).is_err());
        }
        for value in [&b""[..], &[1, 2], &[9; 40]] {
            let mut image = StateImage::default();
            image.add(b"journal:1:0", Some(value));
            assert!(image.value(&StateKey::Journal(1)).is_err());
        }
        let mut image = StateImage::default();
        image.add(b"journal:1", Some(b"x"));
        assert!(matches!(image.value(&StateKey::Meta), Err(BadState::UnknownKey { .. })));
    }

    #[test]
    fn meta_comes_back_and_a_later_version_is_refused() {
        let meta = Meta { next_offset: 7, seq: 3, batch: 2, partitions: 12, ..Meta::default() };
        assert_eq!(Meta::decode(&meta.encode()), Ok(meta.clone()));
        let mut later = meta.encode();
        later[0] = 2;
        assert!(matches!(Meta::decode(&later), Err(BadState::Version { found: 2, .. })));
        assert!(Meta::decode(&meta.encode()[..3]).is_err());
    }
}
