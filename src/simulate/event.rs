//! One simulated operation before it is written: numbers instead of texts, cheap to copy.

use std::net::IpAddr;

use crate::operation::{AttemptOutcome, ClientStatus, OperationType, Order, Proof, ReportSource};

use super::random::mix;

/// A wallet, an account and a phone of the shipped sample lists, of rows that hold at any time.
pub(super) const LISTED_WALLET: &str = "SAMPLE-WALLET-0003";
pub(super) const LISTED_ACCOUNT: &str = "KZ00SAMPLE0000000002";
pub(super) const LISTED_PHONE: &str = "+70000000002";

/// How many wallets there can be: their ids are the nine digits after `77`.
pub(super) const WALLETS_MAX: u64 = 1_000_000_000;

/// The id of an operation: written as a ULID, 48 bits of milliseconds and 80 bits that make it unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpId {
    pub(super) at_ms: u64,
    pub(super) unique: u64,
}

impl OpId {
    /// Makes the id of the operation with this serial number; [`mix`] keeps different serials apart.
    pub(super) const fn new(at_ms: u64, serial: u64, seed: u64) -> Self {
        Self { at_ms, unique: mix(serial ^ seed) }
    }
}

/// Whose wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wallet {
    /// The client with this index below [`WALLETS_MAX`].
    Client(u64),
    /// The wallet of the sample list.
    Listed,
    /// A wallet whose id begins like the listed one but is not on the list.
    NearListed(u64),
}

/// The other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    None,
    Client(Wallet),
    Merchant(u64),
    /// The client's own account, by the client's index.
    BankAccount(u64),
    /// An account of the sample list, or the one next to it.
    ListedAccount {
        near: bool,
    },
    /// A merchant's phone of the sample list, or the one next to it.
    ListedPhone {
        near: bool,
    },
    Agent(u64),
    Card(u64),
}

/// One operation of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(super) at_ms: u64,
    pub(super) id: OpId,
    pub(super) kind: OperationType,
    pub(super) wallet: Wallet,
    pub(super) status: Option<ClientStatus>,
    /// Zero when the operation bears no amount.
    pub(super) amount_tiyn: u64,
    pub(super) party: Party,
    pub(super) ip: Option<IpAddr>,
    /// Zero when no device is named.
    pub(super) device: u64,
    pub(super) outcome: Option<AttemptOutcome>,
    pub(super) reference: Option<OpId>,
    pub(super) proof: Option<Proof>,
    pub(super) order: Option<Order>,
    pub(super) source: Option<ReportSource>,
    /// Empty when absent.
    pub(super) actor: &'static str,
    pub(super) channel: &'static str,
    pub(super) purpose: &'static str,
}

impl Event {
    /// Makes an operation that has only what every operation has.
    pub(super) const fn new(at_ms: u64, id: OpId, kind: OperationType, wallet: Wallet) -> Self {
        Self {
            at_ms,
            id,
            kind,
            wallet,
            status: None,
            amount_tiyn: 0,
            party: Party::None,
            ip: None,
            device: 0,
            outcome: None,
            reference: None,
            proof: None,
            order: None,
            source: None,
            actor: "",
            channel: "",
            purpose: "",
        }
    }
}
