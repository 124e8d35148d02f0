//! What deciding one operation reads besides the operation.

use crate::engine::plan::Plan;
use crate::engine::state::budgets::Budgets;
use crate::engine::state::reach::Reach;
use crate::engine::state::shared::SharedView;
use crate::engine::state::wallet::Wallet;
use crate::operation::time::Span;

/// What deciding reads besides the operation.
pub struct Context<'e> {
    pub plan: &'e Plan,
    pub wallet: &'e Wallet,
    pub view: &'e SharedView,
    /// The Almaty day of the operation.
    pub day: Span,
    /// The MRP of that day in tiyn.
    pub mrp: Option<i64>,
    /// The sequence number the decision will have.
    pub seq: u64,
    /// Which operations count for the age of what is remembered.
    pub reach: Reach,
    /// What rules have spent of their budgets.
    pub budgets: &'e Budgets,
}
