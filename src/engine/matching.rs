//! Which rules fire on an operation: its facts, the values of aggregates, conditions, evidence.

mod aggregates;
pub mod evaluate;
pub mod evidence;
pub mod fire;
pub mod judge;
pub mod memo;
pub mod record;
