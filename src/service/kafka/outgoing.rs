//! Decisions and refused records as records of their topics.

use std::fmt::{Arguments, Write as _};

use crate::operation::decision::Decision;
use crate::operation::decode::{RECORD_BYTES_MAX, Rejection, encode_refused};

/// The media type of every record's value.
const JSON: &str = "application/json";
/// The longest value of a refused record, below the megabyte that Kafka takes by default.
const VALUE_BYTES_MAX: usize = 900_000;
/// So much is kept of a refused record's key, which counts for the same limit.
const KEY_BYTES_MAX: usize = 1_024;

/// Roughly the bytes of a record's key and headers.
pub(super) const HEADERS_BYTES: usize = 256;

/// A refused record to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Vec<u8>,
    /// How many bytes the record had, where only its beginning is in the value.
    raw_bytes: Option<usize>,
}

/// Writes the headers of records. What does not change from record to record is written once.
pub(super) struct Headers<'a> {
    source: &'a str,
    /// The history of the shard.
    epoch: &'a str,
    /// Whether decisions are CloudEvents too.
    has_cloudevents: bool,
    shard: String,
    seq: String,
    id: [u8; uuid::fmt::Hyphenated::LENGTH],
    time: String,
    raw_bytes: String,
}

impl<'a> Headers<'a> {
    pub(super) fn new((shard, epoch): (i32, &'a str), source: &'a str, has_cloudevents: bool) -> Self {
        let (seq, time, raw_bytes) = (String::new(), String::new(), String::new());
        Self { source, epoch, has_cloudevents, shard: shard.to_string(), seq, id: [0; 36], time, raw_bytes }
    }

    /// Gives a decision's headers to `send`: kuzet's own, and those of CloudEvents 1.0 in binary mode.
    pub(super) fn of_decision<T>(
        &mut self,
        decision: &Decision,
        seq: u64,
        send: impl FnOnce(&[(&str, &str)]) -> T,
    ) -> T {
        rewrite(&mut self.seq, format_args!("{seq}"));
        let own = [
            ("content-type", JSON),
            ("kuzet-shard", self.shard.as_str()),
            ("kuzet-seq", self.seq.as_str()),
            ("kuzet-ruleset", &*decision.ruleset),
            ("kuzet-epoch", self.epoch),
        ];
        if !self.has_cloudevents {
            return send(&own);
        }
        rewrite(&mut self.time, format_args!("{}", decision.occurred_at));
        let id = decision.decision_id.as_hyphenated().encode_lower(&mut self.id);
        let [kind, shard, seq, ruleset, epoch] = own;
        send(&[
            kind,
            shard,
            seq,
            ruleset,
            epoch,
            ("ce_specversion", "1.0"),
            ("ce_id", id),
            ("ce_source", self.source),
            ("ce_type", "kz.kuzet.decision.v1"),
            ("ce_time", &self.time),
            ("ce_subject", &decision.wallet_id),
        ])
    }

    /// Gives a refused record's headers to `send`.
    pub(super) fn of_rejection<T>(&mut self, envelope: &Envelope, send: impl FnOnce(&[(&str, &str)]) -> T) -> T {
        let own = [("content-type", JSON), ("kuzet-shard", self.shard.as_str())];
        let Some(bytes) = envelope.raw_bytes else { return send(&own) };
        rewrite(&mut self.raw_bytes, format_args!("{bytes}"));
        let [kind, shard] = own;
        send(&[kind, shard, ("kuzet-raw-bytes", &self.raw_bytes)])
    }
}

fn rewrite(text: &mut String, with: Arguments<'_>) {
    text.clear();
    // Writing to a text cannot fail.
    text.write_fmt(with).unwrap_or_default();
}

/// Writes a decision as the value of its record, which is exactly as large as it needs to be: the newest are kept in
/// memory. `space` is used for the next one again.
pub(super) fn decision(decision: &Decision, space: &mut Vec<u8>) -> Vec<u8> {
    space.clear();
    decision.encode(space);
    space.as_slice().to_vec()
}

/// Puts a refused record into its envelope. Of a record that would be too long for Kafka once it is escaped
/// only the beginning is kept; the header `kuzet-raw-bytes` then tells how long it was. A record without a value is told
/// from one whose value is empty.
pub(super) fn rejection(
    rejection: &Rejection,
    (shard, offset): (i32, i64),
    key: Option<Vec<u8>>,
    raw: Option<&[u8]>,
) -> Envelope {
    let without_value = raw.is_none().then(Rejection::without_value);
    let rejection = without_value.as_ref().unwrap_or(rejection);
    let key = key.map(|mut key| {
        key.truncate(KEY_BYTES_MAX);
        key
    });
    let offset = u64::try_from(offset).unwrap_or(0);
    let mut raw_bytes = None;
    let mut value = Vec::with_capacity(raw.map_or(0, <[u8]>::len) + 256);
    encode_refused(&mut value, rejection, offset, shard, raw);
    if let Some(raw) = raw.filter(|_| value.len() > VALUE_BYTES_MAX) {
        value.clear();
        let beginning = raw.get(..RECORD_BYTES_MAX).unwrap_or(raw);
        encode_refused(&mut value, rejection, offset, shard, Some(beginning));
        raw_bytes = Some(raw.len());
    }
    Envelope { key, value, raw_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::decode::decode;

    #[test]
    fn a_refused_record_fits_whatever_it_holds() {
        for raw in [vec![0; 1_000_000], vec![b'"'; 1_000_000], vec![0xff; 1_000_000], b"x".to_vec()] {
            let refused = decode(&raw).expect_err("no operation");
            let envelope = rejection(&refused, (3, 17), Some(raw.clone()), Some(&raw));
            assert!(envelope.value.len() <= VALUE_BYTES_MAX);
            assert!(envelope.key.as_ref().is_some_and(|key| key.len() <= KEY_BYTES_MAX && raw.starts_with(key)));
            let value: serde_json::Value = serde_json::from_slice(&envelope.value).expect("JSON");
            assert_eq!((value["offset"].as_u64(), value["partition"].as_i64()), (Some(17), Some(3)));
            let cut = Headers::new((3, "e"), "/kuzet/test", true).of_rejection(&envelope, |headers| {
                let found = headers.iter().find(|(name, _)| *name == "kuzet-raw-bytes");
                found.map(|(_, bytes)| (*bytes).to_owned())
            });
            assert_eq!(cut.as_deref(), (raw.len() > 1).then_some("1000000"));
        }
    }

    #[test]
    fn a_tombstone_is_told_from_an_empty_value() {
        let refused = decode(b"").expect_err("no operation");
        let value = |raw| -> serde_json::Value {
            serde_json::from_slice(&rejection(&refused, (3, 17), None, raw).value).expect("JSON")
        };
        let (tombstone, empty) = (value(None), value(Some(&b""[..])));
        assert_eq!((&tombstone["raw"], &empty["raw"]), (&serde_json::Value::Null, &"".into()));
        let message = tombstone["error"]["message"].as_str().expect("a sentence");
        assert_eq!(message, "found a record without a value (a tombstone), but one JSON object in UTF-8 is accepted");
        assert_ne!(tombstone["error"], empty["error"]);
        assert_eq!(tombstone["error"]["code"], "malformed_json");
    }
}
