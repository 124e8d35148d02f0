//! kuzet watches the operations of an e-money wallet system and decides each of them.
//!
//! The walk of one operation through this crate:
//!
//! 1. [`operation::decode`] turns the bytes of a record into an [`operation::Operation`] or a rejection.
//! 2. [`geo`] adds the country of its address and whether that address hides its user.
//! 3. [`engine`] names the shared keys the operation touches, is given their windows, and decides it:
//!    the outcome is a decision for the ledger and a list of state changes.
//! 4. [`pipeline`] does this for a batch, commits the batch, and only then lets the changes count.
//!
//! [`rules`] is the language of the rule files: text with spans in, a type-checked program out.
//! Dependencies point one way: `main → cli → app → adapters → pipeline → engine → rules → operation`.

pub mod adapters;
pub mod analysis;
pub mod app;
pub mod cli;
pub mod config;
pub mod engine;
pub mod geo;
pub mod http;
pub mod ledger;
pub mod metrics;
pub mod operation;
pub mod pipeline;
pub mod rules;
pub mod schema;
pub mod service;
pub mod simulate;
