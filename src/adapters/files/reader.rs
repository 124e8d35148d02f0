//! The framing of records: lines of a plain, gzip or zstd stream.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

/// The longest line that comes out whole, in bytes. The rest of a longer one is skipped.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A batch ends early when its records hold this many bytes.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much is asked of the file or the decompressor at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// One line of the input, without its line ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Position among the records of the input, from zero; blank lines are no records.
    pub index: u64,
    pub bytes: &'a [u8],
    /// The line was longer than [`LINE_BYTES_MAX`]; `bytes` is only its beginning.
    pub is_truncated: bool,
}

/// Why no further record can be had. The records before it have all been delivered.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("failed to open {name}")]
    Open { name: String, source: io::Error },
    #[error("failed to read {name} after {records} records: unexpected end of compressed data")]
    Truncated { name: String, records: u64 },
    #[error("failed to read {name} after {records} records")]
    Read { name: String, records: u64, source: io::Error },
}

/// How far a reader has come in the file as it is stored, in bytes.
#[derive(Debug, Clone)]
pub struct Position(Rc<Cell<u64>>);

impl Position {
    /// Returns the bytes taken from the file so far, compressed ones where it is compressed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.get()
    }
}

/// Reads records one by one or in batches, in constant memory.
///
/// Compression is told by the first bytes, not by the name. Blank lines are skipped; a last line
/// without a newline, CRLF line ends and a UTF-8 byte order mark at the start are accepted.
pub struct RecordReader {
    name: String,
    input: BufReader<Box<dyn Read>>,
    /// The current line, used again for each.
    line: Vec<u8>,
    records: u64,
    is_at_start: bool,
    /// A batch must not wait for input that may take its time.
    is_interactive: bool,
    position: Position,
    stored_bytes: Option<u64>,
    /// An error met while a batch already held records: the next call returns it.
    pending: Option<ReadError>,
}

impl RecordReader {
    /// Opens a file, or standard input when the path is `-`.
    ///
    /// # Errors
    /// The file cannot be opened or its first bytes cannot be read.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        if path.as_os_str() == "-" {
            return Self::from_stream("standard input", Box::new(io::stdin().lock()), None, true);
        }
        let name = path.display().to_string();
        let failed = |source| ReadError::Open { name: name.clone(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let stored_bytes = metadata.is_file().then_some(metadata.len());
        Self::from_stream(&name, Box::new(file), stored_bytes, !metadata.is_file())
    }

    /// Reads from any stream. `stored_bytes` is its length where known; of an interactive stream a
    /// batch takes what is there instead of waiting until it is full.
    ///
    /// # Errors
    /// The first bytes cannot be read.
    pub fn from_stream(
        name: &str,
        stream: Box<dyn Read>,
        stored_bytes: Option<u64>,
        is_interactive: bool,
    ) -> Result<Self, ReadError> {
        let position = Position(Rc::default());
        let counted = Counted { stream, position: position.clone() };
        let input = decompressed(counted).map_err(|source| ReadError::Open { name: String::from(name), source })?;
        Ok(Self {
            name: String::from(name),
            input: BufReader::with_capacity(READ_BYTES, input),
            line: Vec::new(),
            records: 0,
            is_at_start: true,
            is_interactive,
            position,
            stored_bytes,
            pending: None,
        })
    }

    /// Returns the name used in messages: the path, or `standard input`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells whether batches are cut short instead of waiting for slow input.
    #[must_use]
    pub const fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Returns a view of how far the file has been read, which stays up to date.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position.clone()
    }

    /// Returns the length of the file as it is stored, where it has one.
    #[must_use]
    pub const fn stored_bytes(&self) -> Option<u64> {
        self.stored_bytes
    }

    /// Returns the decompressed bytes from where the reader stands.
    #[must_use]
    pub fn into_input(self) -> impl BufRead {
        self.input
    }

    /// Returns the next record, or `None` at the end of the input.
    ///
    /// # Errors
    /// The input cannot be read on; see [`ReadError`].
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        let Some(is_truncated) = self.next_line()? else { return Ok(None) };
        let index = self.records;
        self.records += 1;
        Ok(Some(Record { index, bytes: &self.line, is_truncated }))
    }

    /// Clears the batch and fills it with up to `records_max` records; it stays empty only at the end
    /// of the input.
    ///
    /// # Errors
    /// The input cannot be read on and the batch is empty: records that came before an error are
    /// delivered first, and the next call returns it.
    pub fn fill(&mut self, batch: &mut Batch, records_max: usize) -> Result<(), ReadError> {
        batch.clear(self.records);
        while batch.len() < records_max && batch.bytes.len() < BATCH_BYTES_MAX {
            match self.next_record() {
                Ok(Some(record)) => batch.push(record),
                Ok(None) => break,
                Err(error) if batch.is_empty() => return Err(error),
                Err(error) => {
                    self.pending = Some(error);
                    break;
                }
            }
            if self.is_interactive && self.input.buffer().is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Puts the next line that is not blank into `line` and tells whether it was cut; `None` at the end.
    fn next_line(&mut self) -> Result<Option<bool>, ReadError> {
        loop {
            self.line.clear();
            // Room for the line ending of a line of exactly the longest length, CRLF included.
            let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
            let taken = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line);
            if taken.map_err(|source| self.failed(source))? == 0 {
                return Ok(None);
            }
            if std::mem::take(&mut self.is_at_start) && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            let has_end = self.line.ends_with(b"\n");
            trim_line_end(&mut self.line);
            if self.line.len() > LINE_BYTES_MAX {
                self.line.truncate(LINE_BYTES_MAX);
                if !has_end {
                    self.input.skip_until(b'\n').map_err(|source| self.failed(source))?;
                }
                return Ok(Some(true));
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(false));
            }
        }
    }

    fn failed(&self, source: io::Error) -> ReadError {
        let (name, records) = (self.name.clone(), self.records);
        match source.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Truncated { name, records },
            _ => ReadError::Read { name, records, source },
        }
    }
}

fn trim_line_end(line: &mut Vec<u8>) {
    if line.ends_with(b"\n") {
        line.pop();
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
}

/// Looks at the first bytes and undoes the compression they announce.
fn decompressed(mut stream: Counted) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::with_capacity(4);
    stream.by_ref().take(4).read_to_end(&mut magic)?;
    let compression = Compression::of(&magic);
    let whole = Cursor::new(magic).chain(stream);
    Ok(match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, whole))),
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(READ_BYTES, whole))?)
        }
    })
}

/// How a stream is compressed.
#[derive(Clone, Copy)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// A zstd stream may open with a skippable frame (RFC 8878, 3.1.2), as parallel compressors write.
    const fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Counts what is taken from the stream as it is stored.
struct Counted {
    stream: Box<dyn Read>,
    position: Position,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.position.0.set(self.position.0.get().saturating_add(bytes));
        Ok(count)
    }
}

/// Records that lie one behind the other in one buffer, used again for each batch.
#[derive(Debug, Default)]
pub struct Batch {
    first_index: u64,
    bytes: Vec<u8>,
    lines: Vec<(Range<usize>, bool)>,
}

impl Batch {
    /// Returns how many records it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Tells whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Lists its records in input order.
    #[must_use]
    pub fn records(&self) -> Vec<Record<'_>> {
        let lines = (self.first_index..).zip(&self.lines);
        lines
            .map(|(index, (range, is_truncated))| Record {
                index,
                bytes: &self.bytes[range.clone()],
                is_truncated: *is_truncated,
            })
            .collect()
    }

    fn clear(&mut self, first_index: u64) {
        self.first_index = first_index;
        self.bytes.clear();
        self.lines.clear();
    }

    fn push(&mut self, record: Record<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record.bytes);
        self.lines.push((start..self.bytes.len(), record.is_truncated));
    }
}

#[cfg(test)]
mod tests;
