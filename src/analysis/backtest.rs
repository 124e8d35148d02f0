//! What one rule set, or the change from one to another, would have done to operations of the past.
//!
//! Each set decides the same records by its own pipeline ([`Judge`]); [`Tally`] puts the answers to each record side
//! by side and counts. Memory grows with the wallets, days and rules that are counted, not with the operations.

mod figures;
mod html;
mod judge;
mod labels;
mod report;
mod sweep;
mod text;

pub use figures::Tally;
pub use html::html;
pub use judge::{Judge, Judged};
pub use labels::{Labels, LabelsError};
pub use report::{Breach, Limits, Report};
pub use sweep::{Sweep, SweepError};
pub use text::text;
