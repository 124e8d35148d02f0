//! Decisions and refused records as records of their topics.

use crate::operation::decision::Decision;
use crate::operation::decode::{RECORD_BYTES_MAX, Rejection, encode_rejection};

/// The media type of every record's value.
const JSON: &str = "application/json";
/// The longest value of a refused record, below the megabyte that Kafka takes by default.
const VALUE_BYTES_MAX: usize = 900_000;

/// A record to send, with all that its headers and key are made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Vec<u8>,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// Puts a decision into its envelope: CloudEvents 1.0 in binary mode, and kuzet's own headers.
pub(super) fn decision(decision: &Decision, shard: i32, seq: u64, source: &str) -> Envelope {
    let mut value = Vec::with_capacity(512);
    decision.encode(&mut value);
    let headers = vec![
        ("content-type", JSON.to_owned()),
        ("kuzet-shard", shard.to_string()),
        ("kuzet-seq", seq.to_string()),
        ("kuzet-ruleset", decision.ruleset.to_string()),
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", decision.decision_id.to_string()),
        ("ce_source", source.to_owned()),
        ("ce_type", "kz.kuzet.decision.v1".to_owned()),
        ("ce_time", decision.occurred_at.to_string()),
        ("ce_subject", decision.wallet_id.to_string()),
    ];
    Envelope { key: Some(decision.wallet_id.as_bytes().to_vec()), value, headers }
}

/// Puts a refused record into its envelope. Of a record that would be too long for Kafka once it is escaped
/// only the beginning is kept; the header `kuzet-raw-bytes` then tells how long it was.
pub(super) fn rejection(
    rejection: &Rejection,
    (shard, offset): (i32, i64),
    key: Option<Vec<u8>>,
    raw: &[u8],
) -> Envelope {
    let offset = u64::try_from(offset).unwrap_or(0);
    let mut headers = vec![("content-type", JSON.to_owned()), ("kuzet-shard", shard.to_string())];
    let mut value = Vec::with_capacity(raw.len() + 256);
    encode_rejection(&mut value, rejection, offset, shard, raw);
    if value.len() > VALUE_BYTES_MAX {
        value.clear();
        let beginning = raw.get(..RECORD_BYTES_MAX).unwrap_or(raw);
        encode_rejection(&mut value, rejection, offset, shard, beginning);
        headers.push(("kuzet-raw-bytes", raw.len().to_string()));
    }
    Envelope { key, value, headers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::decode::decode;

    #[test]
    fn a_refused_record_fits_whatever_it_holds() {
        for raw in [vec![0; 1_000_000], vec![b'"'; 1_000_000], vec![0xff; 1_000_000], b"x".to_vec()] {
            let refused = decode(&raw).expect_err("no operation");
            let envelope = rejection(&refused, (3, 17), None, &raw);
            assert!(envelope.value.len() <= VALUE_BYTES_MAX);
            let value: serde_json::Value = serde_json::from_slice(&envelope.value).expect("JSON");
            assert_eq!((value["offset"].as_u64(), value["partition"].as_i64()), (Some(17), Some(3)));
            let cut = envelope.headers.iter().find(|(name, _)| *name == "kuzet-raw-bytes");
            assert_eq!(cut.map(|(_, bytes)| bytes.as_str()), (raw.len() > 1).then_some("1000000"));
        }
    }
}
