//! Tests that need other programs: Kafka, Redis, Prometheus, Node.js with Chromium, Python.
//! `make tools FOR_TESTS=1` installs them.
//!
//! `cargo test --test external kafka_faults::` runs those of one module. Tests with a broker take turns: each has
//! the machine for itself, see `support/turn.rs`.

#[path = "support/client.rs"]
mod client;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/command.rs"]
mod command;
#[path = "support/conformance.rs"]
mod conformance;
#[path = "support/decide.rs"]
mod decide;
#[path = "support/decided.rs"]
mod decided;
#[path = "support/environment.rs"]
mod environment;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/http.rs"]
mod http;
#[path = "support/kcat.rs"]
mod kcat;
#[path = "support/random.rs"]
mod random;
#[path = "support/server.rs"]
mod server;
#[path = "support/stacked.rs"]
mod stacked;
#[path = "support/standing.rs"]
mod standing;
#[path = "support/steps.rs"]
mod steps;
#[path = "support/turn.rs"]
mod turn;
#[path = "support/wait.rs"]
mod wait;

mod console;
mod deploy;
mod fleet_operators;
mod kafka;
mod kafka_bench;
mod kafka_conformance;
mod kafka_e2e;
mod kafka_faults;
mod kafka_state;
mod ledger;
mod peers_compared;
mod redis;
