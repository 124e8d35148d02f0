//! Changes to the acting wallet's record and to shared state.

use crate::engine::state::budgets::BudgetChanges;
use crate::engine::state::restriction::{Restriction, Waiting};
use crate::engine::state::shared::change::SharedChange;
use crate::engine::state::wallet::runs::Run;
use crate::operation::Time;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use uuid::Uuid;

/// Changes to shared state: most operations enter two windows of one key.
pub type SharedChanges = SmallVec<[SharedChange; 2]>;

/// Changes to the acting wallet's record.
#[derive(Debug, Default)]
pub struct Changes {
    /// The operation's time, unless it was refused.
    pub newest: Option<Time>,
    /// New rows of the log, end to end.
    pub rows: SmallVec<[u64; 16]>,
    /// The operation that leaves every window.
    pub cancelled: Option<u128>,
    /// What the operation changes of budgets; `None` where no rule has one. No part of a wallet's record.
    pub budgets: Option<Box<BudgetChanges>>,
    cold: Option<Box<ColdChanges>>,
}

/// Changes to what most wallets have none of.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ColdChanges {
    pub runs: Vec<Run>,
    /// Restrictions as they are from now on: new ones, and those that were extended or fired again.
    pub placed: Vec<Restriction>,
    pub lifted: Vec<Uuid>,
    /// Operations that no longer wait, by arrival.
    pub no_longer_waiting: Vec<u64>,
    /// Operations that wait for other reasons than before, whole.
    pub waits_otherwise: Vec<Waiting>,
    /// This operation waits.
    pub starts_waiting: Option<Waiting>,
    pub texts: Vec<(u64, Box<str>)>,
    /// The start of the Almaty day that a PIN has confirmed.
    pub confirmed_day: Option<Time>,
}

impl Changes {
    /// Returns the changes of what most wallets have none of, to add to them.
    pub fn cold(&mut self) -> &mut ColdChanges {
        self.cold.get_or_insert_default()
    }

    /// Returns the changes of what most wallets have none of, where there are any.
    #[must_use]
    pub fn peek_cold(&self) -> Option<&ColdChanges> {
        self.cold.as_deref()
    }

    /// Takes the changes of what most wallets have none of.
    #[must_use]
    pub fn take_cold(&mut self) -> Option<Box<ColdChanges>> {
        self.cold.take()
    }
}
