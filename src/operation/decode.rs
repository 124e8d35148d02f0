//! Bytes of a record in, an operation or a rejection out. Strict, and never fails otherwise.
//!
//! A record of the usual form is read in one walk by [`scan`]. Every other, and so every rejection, goes
//! the general way in two steps: [`wire`] turns the text into the JSON value of each field of the contract, and
//! [`check`] reads the fields in the order of the contract's table, which is also the order in which
//! faults are reported. Nothing here knows a clock: lateness and the future are the engine's business.

mod attributes;
mod check;
mod limits;
mod message;
mod rejection;
mod scan;
mod value;
mod wire;

pub use rejection::{Rejection, RejectionCode, encode_refused, encode_rejection};
pub use scan::scan;

use super::{Operation, words};

/// The largest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

words! {
    /// The top-level fields of an operation, in the order of the contract's table. Their codes go into the hash of an
    /// operation's content, which is stored.
    Field {
        OpId(0) = "op_id", Type(1) = "type", OccurredAt(2) = "occurred_at", WalletId(3) = "wallet_id",
        ClientStatus(4) = "client_status", Amount(5) = "amount", Currency(6) = "currency",
        Counterparty(7) = "counterparty", Ip(8) = "ip", DeviceId(9) = "device_id", Outcome(10) = "outcome",
        RefOpId(11) = "ref_op_id", Proof(12) = "proof", Order(13) = "order", Actor(14) = "actor", Source(15) = "source",
        Attributes(16) = "attributes",
    }
}

words! {
    /// The fields of `counterparty`.
    CounterpartyField { Kind(0) = "kind", WalletId(1) = "wallet_id", Account(2) = "account", Phone(3) = "phone" }
}

/// Decodes one record, borrowing its texts from the bytes where they bear no escapes.
///
/// # Errors
/// The first rejection in the contract's order.
pub fn decode(bytes: &[u8]) -> Result<Operation<'_>, Rejection> {
    let text = text(bytes)?;
    match scan(text) {
        Some(operation) => Ok(operation),
        None => general(text),
    }
}

/// Decodes one record the general way alone: slower, and by definition with the same result.
///
/// # Errors
/// Those of [`decode`].
pub fn decode_general(bytes: &[u8]) -> Result<Operation<'_>, Rejection> {
    general(text(bytes)?)
}

fn text(bytes: &[u8]) -> Result<&str, Rejection> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Rejection::too_large(bytes.len()));
    }
    std::str::from_utf8(bytes).map_err(|error| Rejection::not_utf8(error.valid_up_to()))
}

#[cold]
fn general(text: &str) -> Result<Operation<'_>, Rejection> {
    check::check(wire::parse(text)?)
}
