//! Which rules fire on an operation: its facts, the values of aggregates, conditions, evidence.

mod aggregates;
pub mod counted;
pub mod evaluate;
pub mod evaluation;
pub mod evidence;
pub mod fire;
mod long_decimals;
mod long_number;
pub mod memo;
pub mod record;
