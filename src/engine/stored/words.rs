//! Bytes out and in: fixed words, texts with their length, and small values by postcard.

use super::VERSION;
use crate::engine::stored::StoredError;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Appends values to bytes.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts a record with the version of the format.
    #[must_use]
    pub fn versioned() -> Self {
        Self::of_version(VERSION)
    }

    /// Starts a record with the version of its own format.
    #[must_use]
    pub(super) fn of_version(version: u8) -> Self {
        Self { bytes: vec![version] }
    }

    /// Appends one word.
    pub fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    /// Appends a count.
    pub fn count(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&count.to_le_bytes());
    }

    /// Appends words with their count.
    pub fn words(&mut self, words: &[u64]) {
        self.pieces([words]);
    }

    /// Appends words that lie in pieces, with the count of all.
    pub fn pieces<const N: usize>(&mut self, pieces: [&[u64]; N]) {
        let count = pieces.iter().map(|words| words.len()).sum();
        self.count(count);
        self.bytes.reserve(count * 8);
        for words in pieces {
            let start = self.bytes.len();
            self.bytes.resize(start + words.len() * 8, 0);
            for (place, word) in self.bytes[start..].chunks_exact_mut(8).zip(words) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
    }

    /// Appends a text with its length.
    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Appends one byte that tells true from false.
    pub fn flag(&mut self, flag: bool) {
        self.bytes.push(u8::from(flag));
    }

    /// Appends a small value.
    pub fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        let place = self.bytes.len();
        self.count(0);
        let start = self.bytes.len();
        // Writing to memory cannot fail, and no type here has a serializer that refuses.
        if postcard::serialize_with_flavor(value, Appending(&mut self.bytes)).is_err() {
            self.bytes.truncate(start);
        }
        let count = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[place..start].copy_from_slice(&count.to_le_bytes());
    }

    /// Appends a record within this one, with its length.
    pub fn record(&mut self, record: &Self) {
        self.count(record.bytes.len());
        self.bytes.extend_from_slice(&record.bytes);
    }

    /// Returns how many bytes were written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Tells whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns what was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns what was written so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Lets postcard write behind what is there already.
struct Appending<'w>(&'w mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Reads what a [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    version: u8,
}

impl<'a> Reader<'a> {
    /// Starts a record; its version must be known.
    ///
    /// # Errors
    /// The version is of a later program.
    pub fn versioned(bytes: &'a [u8]) -> Result<Self, StoredError> {
        let mut reader = Self { bytes, at: 0, version: 0 };
        match reader.take(1)?.first() {
            Some(version @ 1..=VERSION) => {
                reader.version = *version;
                Ok(reader)
            }
            version => Err(StoredError::Version(version.copied().unwrap_or(0))),
        }
    }

    /// Tells whether the record is of version 1.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.version == 1
    }

    /// Reads a small value that version 1 wrote otherwise.
    ///
    /// # Errors
    /// The record ends, or the bytes are no such value.
    pub fn value_or_first<First: DeserializeOwned, T: DeserializeOwned>(
        &mut self,
        convert: impl FnOnce(First) -> T,
    ) -> Result<T, StoredError> {
        if self.is_first() { self.value().map(convert) } else { self.value() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], StoredError> {
        let end = self.at.checked_add(count).ok_or(StoredError::Damaged(self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(StoredError::Damaged(self.at))?;
        self.at = end;
        Ok(taken)
    }

    /// Reads one word.
    ///
    /// # Errors
    /// The record ends.
    pub fn word(&mut self) -> Result<u64, StoredError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    /// Reads a count.
    ///
    /// # Errors
    /// The record ends.
    pub fn count(&mut self) -> Result<usize, StoredError> {
        let bytes = self.take(4)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
            .map_err(|_| StoredError::Damaged(self.at))
    }

    /// Reads words with their count.
    ///
    /// # Errors
    /// The record ends.
    pub fn words(&mut self) -> Result<Vec<u64>, StoredError> {
        let count = self.count()?;
        let bytes = self.take(count.checked_mul(8).ok_or(StoredError::Damaged(self.at))?)?;
        Ok(bytes.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap_or_default())).collect())
    }

    /// Reads a text with its length.
    ///
    /// # Errors
    /// The record ends, or it is no text.
    pub fn text(&mut self) -> Result<&'a str, StoredError> {
        let count = self.count()?;
        let at = self.at;
        std::str::from_utf8(self.take(count)?).map_err(|_| StoredError::Damaged(at))
    }

    /// Reads one byte that tells true from false.
    ///
    /// # Errors
    /// The record ends.
    pub fn flag(&mut self) -> Result<bool, StoredError> {
        Ok(self.take(1)?.first().is_some_and(|byte| *byte != 0))
    }

    /// Reads a small value.
    ///
    /// # Errors
    /// The record ends, or the bytes are no such value.
    pub fn value<T: DeserializeOwned>(&mut self) -> Result<T, StoredError> {
        let count = self.count()?;
        let at = self.at;
        postcard::from_bytes(self.take(count)?).map_err(|_| StoredError::Damaged(at))
    }

    /// Reads a record within this one.
    ///
    /// # Errors
    /// The outer record ends.
    pub fn record(&mut self) -> Result<Self, StoredError> {
        let count = self.count()?;
        Ok(Self { bytes: self.take(count)?, at: 0, version: self.version })
    }

    /// Tells whether everything was read.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }
}
