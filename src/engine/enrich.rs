//! An operation with what the engine derives from it once: hashes, symbols, facts of its address.

use std::net::IpAddr;

use crate::geo::{Geo, Lookup};
use crate::operation::Operation;
use crate::operation::content::{content_hash, id_hash};
use crate::rules::program::{Field, Inputs, symbol_of_address, symbol_of_text};

/// What the geo databases say of the operation's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressFacts {
    pub country: Lookup<[u8; 2]>,
    pub anonymizer: Lookup<bool>,
    /// The anonymizer database is a sample: what it answers counts, and decisions name it as missing.
    pub anonymizer_is_sample: bool,
}

impl AddressFacts {
    /// Nothing is known: what the databases say of an address that they do not hold.
    pub const UNKNOWN: Self =
        Self { country: Lookup::Unknown, anonymizer: Lookup::Unknown, anonymizer_is_sample: false };

    /// Tells whether no database knows real anonymizers: there is none, or a sample.
    #[must_use]
    pub fn lacks_anonymizers(&self) -> bool {
        self.anonymizer_is_sample || self.anonymizer == Lookup::DatabaseMissing
    }

    /// Asks the databases for what is wanted, and for nothing else: a look-up costs more than most rules.
    /// Without an address they answer unknown, unless they are missing.
    #[must_use]
    pub fn of(geo: &Geo, address: Option<IpAddr>, asks: Inputs) -> Self {
        let anonymizer_is_sample = geo.is_anonymizer_sample();
        match address {
            Some(address) => Self {
                country: if asks.contains(Inputs::GEOIP_COUNTRY) { geo.country(address) } else { Lookup::Unknown },
                anonymizer: if asks.contains(Inputs::GEOIP_ANONYMIZER) {
                    geo.anonymizer(address)
                } else {
                    Lookup::Unknown
                },
                anonymizer_is_sample,
            },
            None => Self {
                country: geo.country_database().map_or(Lookup::DatabaseMissing, |_| Lookup::Unknown),
                anonymizer: geo.anonymizer_database().map_or(Lookup::DatabaseMissing, |_| Lookup::Unknown),
                anonymizer_is_sample,
            },
        }
    }
}

/// One operation, ready to be judged.
#[derive(Debug, Clone)]
pub struct Enriched<'a> {
    pub operation: Operation<'a>,
    pub facts: AddressFacts,
    /// 128 bits that stand for the operation's id within its wallet.
    pub id: u128,
    /// Of the decoded fields of the contract: tells a duplicate from a conflict.
    pub content: u64,
    /// The wallet's symbol.
    pub wallet: u64,
    /// The counterparty wallet's symbol.
    pub counterparty: Option<u64>,
    /// The device's symbol.
    pub device: Option<u64>,
    /// The address's symbol.
    pub address: Option<u64>,
    /// Its time was held against the record's arrival.
    pub has_arrived: bool,
}

impl<'a> Enriched<'a> {
    /// Derives everything the engine needs of an operation whose address these facts are of.
    #[must_use]
    #[inline]
    pub fn new(operation: Operation<'a>, facts: AddressFacts) -> Self {
        Self {
            id: id_hash(&operation.op_id),
            content: content_hash(&operation),
            wallet: symbol_of_text(&operation.wallet_id),
            counterparty: operation.counterparty.wallet_id.as_deref().map(symbol_of_text),
            device: operation.device_id.as_deref().map(symbol_of_text),
            address: operation.ip.map(symbol_of_address),
            operation,
            facts,
            has_arrived: false,
        }
    }

    /// Returns the symbol of a field that was hashed in advance.
    #[must_use]
    pub const fn symbol(&self, field: &Field) -> Option<u64> {
        match field {
            Field::WalletId => Some(self.wallet),
            Field::CounterpartyWalletId => self.counterparty,
            Field::DeviceId => self.device,
            Field::Ip => self.address,
            _ => None,
        }
    }

    /// Tells the operations of all wallets apart, in windows that wallets share.
    #[must_use]
    pub fn shared_op(&self) -> u64 {
        shared_op(self.id, self.wallet)
    }
}

/// Names an operation among those of all wallets.
#[must_use]
pub fn shared_op(id: u128, wallet: u64) -> u64 {
    let low = id & u128::from(u64::MAX);
    u64::try_from(low).unwrap_or(0) ^ wallet.rotate_left(32)
}
