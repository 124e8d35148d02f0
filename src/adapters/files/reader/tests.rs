use std::io::Write;

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn reader(bytes: Vec<u8>) -> RecordReader {
    RecordReader::from_stream("test.jsonl", Box::new(Cursor::new(bytes)), None, false).unwrap()
}

/// Reads to the end or to the first error.
fn read(bytes: Vec<u8>) -> (Vec<String>, Option<String>) {
    let (mut reader, mut lines) = (reader(bytes), Vec::new());
    loop {
        match reader.next_record() {
            Ok(Some(record)) => {
                assert_eq!(record.index, lines.len() as u64);
                lines.push(String::from_utf8_lossy(record.bytes).into_owned());
            }
            Ok(None) => return (lines, None),
            Err(error) => return (lines, Some(error.to_string())),
        }
    }
}

#[track_caller]
fn check(bytes: &[u8], expected: &[&str]) {
    let (lines, error) = read(bytes.to_vec());
    assert_eq!(lines, expected);
    assert_eq!(error, None);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

fn many_lines() -> Vec<u8> {
    let mut seed = 7_u64;
    let mut lines = Vec::new();
    for index in 0..20_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        lines.extend_from_slice(format!("{{\"n\":{index},\"r\":{seed}}}\n").as_bytes());
    }
    lines
}

#[test]
fn lines_are_records() {
    check(b"", &[]);
    check(b"\n\n", &[]);
    check(b"a\nb\n", &["a", "b"]);
    check(b"a\nb", &["a", "b"]);
    check(b"a\r\n\r\nb\r\n", &["a", "b"]);
    check(b"a\n \t\n\nb\n", &["a", "b"]);
    check(b"a\rb\n", &["a\rb"]);
    check(b" a \n", &[" a "]);
}

#[test]
fn byte_order_mark_is_dropped_at_the_start_only() {
    check(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", &["a", "\u{feff}b"]);
    check(b"\xef\xbb\xbf", &[]);
    check(&gzip(b"\xef\xbb\xbfa\n"), &["a"]);
}

#[test]
fn compressed_streams_of_several_parts() {
    check(&gzip(b"a\nb\n"), &["a", "b"]);
    check(&[gzip(b"a\nb"), gzip(b"c\nd\n")].concat(), &["a", "bc", "d"]);
    check(&zstd(b"a\nb\n"), &["a", "b"]);
    check(&[zstd(b"a\nb"), zstd(b"c\nd\n")].concat(), &["a", "bc", "d"]);
    let skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd".to_vec();
    check(&[skippable, zstd(b"a\n")].concat(), &["a"]);
    check(&gzip(b""), &[]);
    check(&zstd(b""), &[]);
}

#[test]
fn cut_compressed_data_names_file_and_records() {
    for whole in [gzip(&many_lines()), zstd(&many_lines())] {
        let (lines, error) = read(whole[..whole.len() / 2].to_vec());
        assert!(lines.len() > 1_000 && lines.len() < 20_000, "{}", lines.len());
        assert!(lines.iter().all(|line| line.ends_with('}')), "no partial record may come out");
        let expected =
            format!("failed to read test.jsonl after {} records: unexpected end of compressed data", lines.len());
        assert_eq!(error, Some(expected));
    }
    let (lines, error) = read(gzip(b"a\n")[..5].to_vec());
    assert_eq!((lines.len(), error.is_some()), (0, true));
}

#[test]
fn damaged_compressed_data_is_an_error() {
    let mut damaged = gzip(&many_lines());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let (_, error) = read(damaged);
    assert!(error.unwrap().starts_with("failed to read test.jsonl after "));
}

#[test]
fn a_batch_delivers_what_came_before_the_error() {
    let whole = gzip(&many_lines());
    let mut reader = reader(whole[..whole.len() / 2].to_vec());
    let (mut batch, mut count) = (Batch::default(), 0);
    let error = loop {
        match reader.fill(&mut batch, 1_000) {
            Ok(()) => {
                assert!(!batch.is_empty());
                for record in batch.records() {
                    assert_eq!(record.index, count);
                    count += 1;
                }
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ReadError::Truncated { records, .. } if records == count && count > 1_000));
}

#[test]
fn long_lines_come_whole_and_longer_ones_cut() {
    let whole = vec![b'x'; LINE_BYTES_MAX];
    let cut = vec![b'y'; LINE_BYTES_MAX * 2 + 5];
    let input = [&whole[..], b"\n", &cut[..], b"\nz\n", &cut[..]].concat();
    let mut reader = reader(input);
    let mut seen = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        seen.push((record.bytes[0], record.bytes.len(), record.is_truncated));
    }
    let expected =
        [(b'x', LINE_BYTES_MAX, false), (b'y', LINE_BYTES_MAX, true), (b'z', 1, false), (b'y', LINE_BYTES_MAX, true)];
    assert_eq!(seen, expected);
    assert!(reader.line.capacity() <= 4 * LINE_BYTES_MAX, "{}", reader.line.capacity());
}

#[test]
fn an_interactive_batch_does_not_wait() {
    /// Gives one line per read, as a terminal does.
    struct Slow(Vec<&'static [u8]>);
    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let line = self.0.remove(0);
            buffer[..line.len()].copy_from_slice(line);
            Ok(line.len())
        }
    }
    let slow = Slow(vec![b"{}", b"{}", b"\n{}\n", b"{}\n"]);
    let mut reader = RecordReader::from_stream("slow", Box::new(slow), None, true).unwrap();
    let mut batch = Batch::default();
    let mut sizes = Vec::new();
    loop {
        reader.fill(&mut batch, 100).unwrap();
        if batch.is_empty() {
            break;
        }
        sizes.push(batch.len());
    }
    assert_eq!(sizes.iter().sum::<usize>(), 3);
    assert!(sizes.len() > 1, "{sizes:?}");
}

#[test]
fn a_missing_file_is_named() {
    let error = RecordReader::open(Path::new("no/such/file.jsonl")).err().unwrap();
    assert_eq!(error.to_string(), "failed to open no/such/file.jsonl");
}

#[test]
fn position_counts_stored_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ops.jsonl.gz");
    let stored = gzip(&many_lines());
    std::fs::write(&path, &stored).unwrap();
    let mut reader = RecordReader::open(&path).unwrap();
    let position = reader.position();
    while reader.next_record().unwrap().is_some() {}
    assert_eq!(Some(position.bytes()), reader.stored_bytes());
    assert_eq!(position.bytes(), stored.len() as u64);
}

proptest! {
    /// Against the obvious way to split lines, through every compression and batch size.
    #[test]
    fn same_records_whatever_the_compression(text in "[ab \r\n]{0,60}", size in 1_usize..5) {
        let bytes = text.as_bytes();
        let expected: Vec<&[u8]> = bytes
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
            .collect();
        for stored in [bytes.to_vec(), gzip(bytes), zstd(bytes)] {
            let (mut reader, mut batch, mut seen) = (reader(stored), Batch::default(), Vec::new());
            loop {
                reader.fill(&mut batch, size).unwrap();
                if batch.is_empty() {
                    break;
                }
                prop_assert!(batch.len() <= size);
                seen.extend(batch.records().iter().map(|record| record.bytes.to_vec()));
            }
            prop_assert_eq!(&seen, &expected);
        }
    }
}
