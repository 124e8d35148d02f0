//! Tests that need nothing but the library: no process, no socket, no server.
//!
//! `cargo test --test pure model::` runs those of one module.

#[cfg(feature = "kafka")]
#[path = "support/conformance.rs"]
mod conformance;
#[path = "support/decide.rs"]
mod decide;
#[path = "support/environment.rs"]
mod environment;
#[path = "support/random.rs"]
mod random;
#[cfg(feature = "kafka")]
#[path = "support/simulation/simulation.rs"]
mod simulation;
#[cfg(feature = "kafka")]
#[path = "support/steps.rs"]
mod steps;

mod bad_edits;
mod bad_rules;
mod decode;
mod far_ahead;
#[cfg(feature = "kafka")]
mod fleet_simulation;
mod flips;
mod geo;
mod language;
mod layout;
mod lints;
mod model;
mod peers;
mod schema;
mod shipped_rules;
mod simulate;
mod tidy;
