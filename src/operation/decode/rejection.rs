//! Why a record was refused, and the JSON that says so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::decision::push_string;
use super::super::encode::write_number;
use super::super::time::Nanos;
use super::super::{Time, words};
use super::{RECORD_BYTES_MAX, message};

words! {
    /// Why a record was refused, in the contract's words.
    RejectionCode {
        TooLarge = "too_large", MalformedJson = "malformed_json", MissingField = "missing_field",
        InvalidField = "invalid_field", UnknownType = "unknown_type", UnsupportedCurrency = "unsupported_currency",
        TimestampInFuture = "timestamp_in_future", ConflictingDuplicate = "conflicting_duplicate",
        WrongPartition = "wrong_partition",
    }
}

/// A record that cannot be understood: the first reason in the contract's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: RejectionCode,
    /// The dotted path of the field, where one is to blame.
    pub field: Option<String>,
    /// One lowercase sentence: what was found and what is accepted.
    pub message: String,
}

impl Rejection {
    pub(super) fn too_large(bytes: usize) -> Self {
        let message = format!("found a record of {bytes} bytes, but at most {RECORD_BYTES_MAX} bytes are accepted");
        Self { code: RejectionCode::TooLarge, field: None, message }
    }

    pub(super) fn not_utf8(valid_up_to: usize) -> Self {
        Self::malformed(&format!("bytes that are not UTF-8 at offset {valid_up_to}"))
    }

    pub(super) fn malformed(found: &str) -> Self {
        let message = format!("found {found}, but one JSON object in UTF-8 is accepted");
        Self { code: RejectionCode::MalformedJson, field: None, message }
    }

    /// A record of a topic that has no value at all: what compaction takes for a deletion.
    #[must_use]
    pub fn without_value() -> Self {
        Self::malformed("a record without a value (a tombstone)")
    }

    /// Refuses an operation whose decision would be longer than its readers take.
    #[must_use]
    pub fn decision_too_large(bytes: usize, commands: usize, bytes_max: usize) -> Self {
        let message = format!(
            "found an operation whose decision would have {bytes} bytes with {commands} commands, but at most {bytes_max} \
             bytes are accepted (events that name one operation by `ref_op_id` settle it by itself)"
        );
        Self { code: RejectionCode::TooLarge, field: None, message }
    }

    /// Refuses an event time too far after the record's arrival. `skew_max` is in nanoseconds.
    #[must_use]
    pub fn timestamp_in_future(occurred_at: Time, arrived_at: Time, skew_max: Nanos) -> Self {
        let message = format!(
            "found {occurred_at}, {} after the record's arrival at {arrived_at}, but at most {} is accepted",
            message::duration(occurred_at.since(arrived_at)),
            message::duration(skew_max),
        );
        Self { code: RejectionCode::TimestampInFuture, field: Some("occurred_at".into()), message }
    }

    /// Refuses a record that lies in a partition which is not its wallet's.
    #[must_use]
    pub fn wrong_partition(found: i32, expected: i32, partitioner: &str) -> Self {
        let message = format!(
            "found in partition {found}, but only partition {expected} is accepted for this wallet_id \
             (`kafka.partitioner` says how the producers partition: {partitioner})"
        );
        Self { code: RejectionCode::WrongPartition, field: Some("wallet_id".into()), message }
    }

    /// Refuses a second record with the id of an earlier one and other content.
    #[must_use]
    pub fn conflicting_duplicate(op_id: &str) -> Self {
        let message = format!(
            "found {} a second time with different content, but only the same content is accepted again",
            message::quote(op_id)
        );
        Self { code: RejectionCode::ConflictingDuplicate, field: Some("op_id".into()), message }
    }
}

/// Appends the line of the rejected stream, without a line end. `raw` becomes base64 when it is not UTF-8.
pub fn encode_rejection(out: &mut Vec<u8>, rejection: &Rejection, offset: u64, partition: i32, raw: &[u8]) {
    encode_refused(out, rejection, offset, partition, Some(raw));
}

/// The same for a record that may have no value: `raw` is `null` then, and an empty text where the value is empty.
pub fn encode_refused(out: &mut Vec<u8>, rejection: &Rejection, offset: u64, partition: i32, raw: Option<&[u8]>) {
    out.extend_from_slice(b"{\"error\":{\"code\":\"");
    out.extend_from_slice(rejection.code.name().as_bytes());
    out.extend_from_slice(b"\",\"field\":");
    match &rejection.field {
        Some(field) => push_string(out, field),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"message\":");
    push_string(out, &rejection.message);
    out.extend_from_slice(b"},\"offset\":");
    write_number(out, offset);
    out.extend_from_slice(b",\"partition\":");
    write_number(out, partition);
    out.extend_from_slice(b",\"raw\":");
    match raw.map(|raw| std::str::from_utf8(raw).map_err(|_| raw)) {
        None => out.extend_from_slice(b"null"),
        Some(Ok(text)) => push_string(out, text),
        Some(Err(raw)) => push_string(out, &STANDARD.encode(raw)),
    }
    out.push(b'}');
}
