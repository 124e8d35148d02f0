//! Changes to shared state, idempotent by operation.

use crate::engine::state::restriction::Restriction;
use crate::engine::window::Entry;
use crate::operation::Time;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use uuid::Uuid;

/// One shared window under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SharedKey {
    /// Position of the aggregate in the plan.
    pub aggregate: usize,
    pub key: u64,
}

/// Whom a directory entry concerns. Stored by position: a later one comes at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// Logins from this address.
    Address(IpAddr),
    /// Transfers to the wallet with this symbol.
    Wallet(u64),
}

/// A change to shared state, idempotent by the operation it comes from. Stored by position: a later one comes at the
/// end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SharedChange {
    Insert {
        key: SharedKey,
        entry: Entry,
    },
    Remove {
        key: SharedKey,
        entry: Entry,
    },
    /// The length of a run after an operation.
    Run {
        key: SharedKey,
        length: u64,
        last: Time,
    },
    /// The text behind a value that a `last` may have to show.
    Text {
        key: SharedKey,
        symbol: u64,
        text: Box<str>,
    },
    /// A block begins, is extended, or its rule fired again: the later end and firing count.
    Place {
        party: Party,
        restriction: Box<Restriction>,
    },
    /// A block ends: it is lifted, or its successor takes its place.
    Lift {
        party: Party,
        restriction: Uuid,
    },
    /// A login from the address that was not refused, at this time: expired blocks may go.
    Seen {
        party: Party,
        at: Time,
    },
    /// A change of a window by an operation that lies far ahead of the stream: it ages nothing. See
    /// [`crate::engine::reach`].
    Ahead(Box<Self>),
}

impl SharedChange {
    /// Returns the change itself, be it one that ages nothing or not.
    #[must_use]
    pub fn plain(&self) -> &Self {
        match self {
            Self::Ahead(change) => change.plain(),
            _ => self,
        }
    }

    /// Tells whether the change is one of the directory of blocks, not of a window.
    #[must_use]
    pub fn is_of_directory(&self) -> bool {
        self.party().is_some()
    }
}

impl SharedChange {
    /// Returns the window that it changes.
    #[must_use]
    pub fn window(&self) -> Option<SharedKey> {
        match self {
            Self::Insert { key, .. } | Self::Remove { key, .. } | Self::Run { key, .. } | Self::Text { key, .. } => {
                Some(*key)
            }
            Self::Ahead(change) => change.window(),
            Self::Place { .. } | Self::Lift { .. } | Self::Seen { .. } => None,
        }
    }

    /// Returns the party whose blocks it changes.
    #[must_use]
    pub fn party(&self) -> Option<Party> {
        match self {
            Self::Place { party, .. } | Self::Lift { party, .. } | Self::Seen { party, .. } => Some(*party),
            Self::Ahead(change) => change.party(),
            Self::Insert { .. } | Self::Remove { .. } | Self::Run { .. } | Self::Text { .. } => None,
        }
    }
}
