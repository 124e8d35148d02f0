//! Lines into a file or standard output, with errors that say how far it came.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use thiserror::Error;

/// How much is gathered before it is written, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why lines could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    #[error("failed to open {name} for writing")]
    Open { name: String, source: io::Error },
    /// The reader of a pipe went away, as `head` does: no fault, but nobody listens any more.
    #[error("output closed by its reader")]
    Closed { name: String, lines: u64 },
    #[error("failed to write {name} after {lines} {what}")]
    Write { name: String, what: &'static str, lines: u64, source: io::Error },
}

/// Writes JSON lines to a path as it is, `/dev/stdout` and other devices included, or to standard
/// output.
pub struct DecisionWriter {
    name: String,
    /// What a line is, for messages: `decisions`, `rejected records`.
    what: &'static str,
    out: Box<dyn Write>,
    buffer: Vec<u8>,
    /// Lines that have been written whole.
    lines: u64,
}

impl DecisionWriter {
    /// Creates or truncates the file; without a path, or with `-`, takes standard output.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn open(path: Option<&Path>, what: &'static str) -> Result<Self, WriteError> {
        match path {
            Some(path) if path.as_os_str() != "-" => {
                let name = path.display().to_string();
                match File::create(path) {
                    Ok(file) => Ok(Self::from_stream(name, what, Box::new(file))),
                    Err(source) => Err(WriteError::Open { name, source }),
                }
            }
            _ => Ok(Self::from_stream(String::from("standard output"), what, raw_stdout())),
        }
    }

    /// Writes to any stream.
    #[must_use]
    pub fn from_stream(name: String, what: &'static str, out: Box<dyn Write>) -> Self {
        Self { name, what, out, buffer: Vec::with_capacity(BUFFER_BYTES), lines: 0 }
    }

    /// Adds whole lines, each with its newline.
    ///
    /// # Errors
    /// The buffer was full and could not be written; see [`WriteError`].
    pub fn write_lines(&mut self, lines: &[u8]) -> Result<(), WriteError> {
        self.buffer.extend_from_slice(lines);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the operating system. Must be called at the end: dropping writes nothing.
    ///
    /// # Errors
    /// The disk is full, the reader has gone, or another failure; see [`WriteError`].
    pub fn flush(&mut self) -> Result<(), WriteError> {
        let result = self.write_buffer();
        self.buffer.clear();
        result.map_err(|source| self.failed(source))
    }

    /// Returns how many lines have been handed over whole.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let (written, unwritten) = rest.split_at(count);
                    self.lines += newlines(written);
                    rest = unwritten;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }

    fn failed(&self, source: io::Error) -> WriteError {
        let (name, lines) = (self.name.clone(), self.lines);
        match source.kind() {
            io::ErrorKind::BrokenPipe => WriteError::Closed { name, lines },
            _ => WriteError::Write { name, what: self.what, lines, source },
        }
    }
}

/// Gives standard output without the line buffering of the standard library, which would split writes
/// at newlines and so count lines that a failed write never handed over.
fn raw_stdout() -> Box<dyn Write> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        if let Ok(descriptor) = io::stdout().as_fd().try_clone_to_owned() {
            return Box::new(File::from(descriptor));
        }
    }
    Box::new(io::stdout())
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    /// Takes so many bytes, a few at a time, then fails.
    struct Bounded {
        room: usize,
        kind: io::ErrorKind,
    }

    impl Write for Bounded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room).min(3);
            self.room -= count;
            if count == 0 { Err(self.kind.into()) } else { Ok(count) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bounded(room: usize, kind: io::ErrorKind) -> DecisionWriter {
        DecisionWriter::from_stream(String::from("out.jsonl"), "decisions", Box::new(Bounded { room, kind }))
    }

    #[test]
    fn a_full_disk_says_how_many_were_written() {
        let mut writer = bounded(11, io::ErrorKind::StorageFull);
        writer.write_lines(b"aaaa\nbbbb\ncccc\n").unwrap();
        let error = writer.flush().unwrap_err();
        assert_eq!(error.to_string(), "failed to write out.jsonl after 2 decisions");
        assert!(error.source().is_some());
        assert_eq!(writer.lines(), 2);
    }

    #[test]
    fn a_closed_pipe_is_its_own_error() {
        let mut writer = bounded(5, io::ErrorKind::BrokenPipe);
        writer.write_lines(b"aaaa\nbbbb\n").unwrap();
        assert!(matches!(writer.flush().unwrap_err(), WriteError::Closed { lines: 1, .. }));
    }

    #[test]
    fn a_real_full_device_is_an_error() {
        let mut writer = DecisionWriter::open(Some(Path::new("/dev/full")), "decisions").unwrap();
        writer.write_lines(b"{}\n").unwrap();
        let error = writer.flush().unwrap_err();
        assert_eq!(error.to_string(), "failed to write /dev/full after 0 decisions");
        let WriteError::Write { source, .. } = error else { panic!("not a write error") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_real_closed_pipe_is_recognised() {
        let (reader, pipe) = io::pipe().unwrap();
        drop(reader);
        let mut writer = DecisionWriter::from_stream(String::from("pipe"), "decisions", Box::new(pipe));
        writer.write_lines(b"{}\n").unwrap();
        let error = writer.flush().unwrap_err();
        assert_eq!(error.to_string(), "output closed by its reader");
        assert!(matches!(error, WriteError::Closed { lines: 0, .. }));
    }

    #[test]
    fn a_file_is_truncated_and_holds_every_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        std::fs::write(&path, "old content that is longer").unwrap();
        let mut writer = DecisionWriter::open(Some(&path), "decisions").unwrap();
        let line = vec![b'x'; 100_000];
        for _ in 0..10 {
            writer.write_lines(&line).unwrap();
            writer.write_lines(b"\n").unwrap();
        }
        writer.flush().unwrap();
        assert_eq!(writer.lines(), 10);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1_000_010);
    }

    #[test]
    fn a_path_that_cannot_be_created_is_named() {
        let error = DecisionWriter::open(Some(Path::new("no/such/folder/out.jsonl")), "decisions").err().unwrap();
        assert_eq!(error.to_string(), "failed to open no/such/folder/out.jsonl for writing");
    }
}
