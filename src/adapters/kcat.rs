//! Lines of `kcat -J`: records of a topic in a file.
//!
//! kcat escapes control characters, quotes and backslashes and writes every other byte as it is, so a line
//! is JSON but not always UTF-8. It is read as if each byte were one character and written back the same way.

use serde_json::Value;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KcatRecord {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Reads a line; `None` when it is no record of kcat.
#[must_use]
pub fn record(line: &[u8]) -> Option<KcatRecord> {
    let text: String = line.iter().map(|byte| char::from(*byte)).collect();
    let value: Value = serde_json::from_str(&text).ok()?;
    let names_and_values = value.get("headers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let header = |pair: &[Value]| {
        let name = String::from_utf8_lossy(&bytes(&pair[0])?).into_owned();
        Some((name, bytes(&pair[1]).unwrap_or_default()))
    };
    Some(KcatRecord {
        partition: i32::try_from(value.get("partition")?.as_i64()?).ok()?,
        offset: value.get("offset")?.as_i64()?,
        key: bytes(value.get("key")?),
        value: bytes(value.get("payload")?),
        headers: names_and_values.chunks_exact(2).filter_map(header).collect(),
    })
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_str()?.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        let line = [
            br#"{"topic":"d","partition":2,"offset":7,"tstype":"create","ts":1,"broker":1,"headers":["a","#.as_slice(),
            b"\"\xff\",\"b\",\"\"],\"key\":\"\xd2\x9b\",\"payload\":\"{\\\"a\\\":\\\"\\\\n\\u0001\\\"}\"}",
        ]
        .concat();
        let found = record(&line).unwrap();
        assert_eq!((found.partition, found.offset), (2, 7));
        assert_eq!(found.key.as_deref(), Some("қ".as_bytes()));
        assert_eq!(found.value.as_deref(), Some(b"{\"a\":\"\\n\x01\"}".as_slice()));
        assert_eq!(found.headers, [("a".to_owned(), vec![0xff]), ("b".to_owned(), Vec::new())]);
    }

    #[test]
    fn other_lines_are_none() {
        for line in ["{}", "", "{\"decision_id\":\"x\"}", "[1]", "{\"partition\":0,\"offset\":0}"] {
            assert_eq!(record(line.as_bytes()), None, "{line}");
        }
    }
}
