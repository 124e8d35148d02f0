//! Ports: what the walk needs of the outside. The adapters implement them.

use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::engine::enrich::AddressFacts;
use crate::engine::plan::Plan;
use crate::engine::shared::{SharedChange, SharedRequest, SharedView};
use crate::geo::Geo;
use crate::rules::program::Inputs;

/// State that wallets share, behind whatever keeps it.
pub trait SharedStore {
    /// Tells whether asking costs little, so that a batch may ask often: no network lies between.
    fn is_near(&self) -> bool {
        false
    }
    /// Fetches what a batch needs. A store that is away answers with a view that is not available.
    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView);
    /// Learns what a batch changes as soon as it is decided. State inside this process takes the changes in
    /// here: it moves on with the wallets' records, before the commit, so that the next batch can be decided
    /// while this one waits, and is dropped with them if the commit never comes. A store outside the process
    /// must not show them to others yet.
    fn decided(&self, plan: &Plan, changes: &[SharedChange]);
    /// Makes the changes of a committed batch count where [`Self::decided`] could not. Idempotent by operation.
    ///
    /// # Errors
    /// The store is away or refused them; some may count already. The caller keeps the changes and repeats
    /// them, in their order, until the store takes them: before it decides the next batch. Until
    /// [`Self::caught_up`] the store answers as if it were away, for its windows lack these changes.
    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError>;
    /// Says that no change is owed any more, after calls of [`Self::apply`] that failed.
    fn caught_up(&self) {}
}

impl<S: SharedStore + ?Sized> SharedStore for Arc<S> {
    fn is_near(&self) -> bool {
        (**self).is_near()
    }
    fn fetch(&self, plan: &Plan, request: &SharedRequest, view: &mut SharedView) {
        (**self).fetch(plan, request, view);
    }
    fn decided(&self, plan: &Plan, changes: &[SharedChange]) {
        (**self).decided(plan, changes);
    }
    fn apply(&self, plan: &Plan, changes: &[SharedChange]) -> Result<(), SharedStoreError> {
        (**self).apply(plan, changes)
    }
    fn caught_up(&self) {
        (**self).caught_up();
    }
}

/// Why a shared store did not do what it was asked for. Never holds an id, an address or a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SharedStoreError {
    /// It does not answer, or not in time; or it has just failed, and is not asked again so soon.
    #[error("the shared store is away: {0}")]
    Away(String),
    /// It answered, and refused.
    #[error("the shared store refused: {0}")]
    Refused(String),
}

/// What is known of addresses.
pub trait AddressBook {
    /// Looks an operation's address up; without one, tells what could have been known.
    fn facts(&self, address: Option<IpAddr>, asks: Inputs) -> AddressFacts;
}

impl<B: AddressBook + ?Sized> AddressBook for Arc<B> {
    fn facts(&self, address: Option<IpAddr>, asks: Inputs) -> AddressFacts {
        (**self).facts(address, asks)
    }
}

impl AddressBook for Geo {
    fn facts(&self, address: Option<IpAddr>, asks: Inputs) -> AddressFacts {
        AddressFacts::of(self, address, asks)
    }
}
