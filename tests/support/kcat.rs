//! Reads a topic with Debian's kcat: another program than kuzet, on another version of librdkafka.
//!
//! kcat's JSON escapes control characters, quotes and backslashes and writes every other byte as it is, so
//! a line is not always UTF-8. It is read as if each byte were a character of its own, and written back the
//! same way: what is returned are the record's bytes, whatever they are.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

/// One record as it stands in the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// In their order; names may repeat.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// Returns the value of a header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        Some(std::str::from_utf8(value).expect("headers are UTF-8"))
    }
}

/// Reads all records that a `read_committed` consumer sees up to the last stable offset, by partition in
/// the order of their offsets. A partition without records has no entry.
///
/// # Panics
/// When kcat fails; with what it says.
pub(crate) fn read_committed(bootstrap: &str, topic: &str) -> BTreeMap<i32, Vec<Record>> {
    read(bootstrap, topic, "read_committed")
}

/// The same with records of aborted and open transactions.
pub(crate) fn read_uncommitted(bootstrap: &str, topic: &str) -> BTreeMap<i32, Vec<Record>> {
    read(bootstrap, topic, "read_uncommitted")
}

fn read(bootstrap: &str, topic: &str, isolation: &str) -> BTreeMap<i32, Vec<Record>> {
    // A kcat that cannot reach the cluster goes on trying.
    let output = Command::new("timeout")
        .args(["120", "kcat", "-C", "-e", "-J", "-q", "-u", "-o", "beginning", "-b", bootstrap, "-t", topic, "-X"])
        .arg(format!("isolation.level={isolation}"))
        .stdin(Stdio::null())
        .output()
        .expect("kcat, which `make tools FOR_TESTS=1` installs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kcat on {topic}: {}: {complaint}", output.status);
    let mut records: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record = parse(line);
        records.entry(record.partition).or_default().push(record);
    }
    for (partition, records) in &records {
        let is_sorted = records.windows(2).all(|pair| pair[0].offset < pair[1].offset);
        assert!(is_sorted, "kcat gave partition {partition} of {topic} out of order");
    }
    records
}

fn parse(line: &[u8]) -> Record {
    let text: String = line.iter().map(|byte| char::from(*byte)).collect();
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("kcat's line: {error}: {text}"));
    let integer = |name: &str| value[name].as_i64().unwrap_or_else(|| panic!("kcat's line without {name}: {text}"));
    let names_and_values = value["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let header = |pair: &[Value]| {
        let name = String::from_utf8(bytes(&pair[0]).expect("a name")).expect("names are UTF-8");
        (name, bytes(&pair[1]).unwrap_or_default())
    };
    Record {
        partition: integer("partition").try_into().expect("the number of a partition"),
        offset: integer("offset"),
        timestamp: integer("ts"),
        key: bytes(&value["key"]),
        value: bytes(&value["payload"]),
        headers: names_and_values.chunks_exact(2).map(header).collect(),
    }
}

/// The bytes behind a text whose characters stand for bytes.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    Some(text.chars().map(|c| u8::try_from(u32::from(c)).expect("one character for a byte")).collect())
}
