//! What the engine remembers: wallets' records, shared windows, restrictions, and the changes to them.

pub mod budgets;
pub mod changes;
pub mod groups;
pub mod idle;
pub mod keyed;
pub mod layout;
pub mod reach;
pub mod restriction;
pub mod shared;
pub mod wallet;
pub mod wallets;
