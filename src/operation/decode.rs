//! Bytes of a record in, an operation or a rejection out. Strict, and never fails otherwise.
//!
//! Two steps: [`wire`] turns the bytes into the JSON value of each field of the contract, and
//! [`check`] reads the fields in the order of the contract's table, which is also the order in which
//! faults are reported. Nothing here knows a clock: lateness and the future are the engine's business.

mod attributes;
mod check;
mod message;
mod rejection;
mod wire;

pub use rejection::{Rejection, RejectionCode, encode_rejection};

use super::{Operation, words};

/// The largest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

words! {
    /// The top-level fields of an operation, in the order of the contract's table.
    Field {
        OpId = "op_id", Type = "type", OccurredAt = "occurred_at", WalletId = "wallet_id",
        ClientStatus = "client_status", Amount = "amount", Currency = "currency",
        Counterparty = "counterparty", Ip = "ip", DeviceId = "device_id", Outcome = "outcome",
        RefOpId = "ref_op_id", Proof = "proof", Order = "order", Actor = "actor", Source = "source",
        Attributes = "attributes",
    }
}

words! {
    /// The fields of `counterparty`.
    CounterpartyField { Kind = "kind", WalletId = "wallet_id", Account = "account", Phone = "phone" }
}

/// Decodes one record, borrowing its texts from the bytes where they bear no escapes.
///
/// # Errors
/// The first rejection in the contract's order.
pub fn decode(bytes: &[u8]) -> Result<Operation<'_>, Rejection> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Rejection::too_large(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| Rejection::not_utf8(error.valid_up_to()))?;
    check::check(wire::parse(text)?)
}
