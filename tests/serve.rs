//! Tests of what `kuzet serve` runs over its own store: in this process and as a process that is killed.
//!
//! `cargo test --test serve soak::` runs those of one module.

#[path = "support/client.rs"]
mod client;
#[path = "support/command.rs"]
mod command;
#[path = "support/environment.rs"]
mod environment;
#[path = "support/pages.rs"]
mod pages;
#[path = "support/random.rs"]
mod random;
#[path = "support/stacked.rs"]
mod stacked;
#[path = "support/standing.rs"]
mod standing;
#[path = "support/wait.rs"]
mod wait;

mod connections;
mod fuzz;
mod geo_updates;
mod http;
mod service;
mod soak;
mod support_events;
mod upgrade;
mod waits;
