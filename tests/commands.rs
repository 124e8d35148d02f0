//! Tests that run the commands of `kuzet`, which need no server.
//!
//! `cargo test --test commands replay::` runs those of one module.

#[path = "support/command.rs"]
mod command;
#[path = "support/environment.rs"]
#[expect(dead_code, reason = "no number is asked for here")]
mod environment;
#[path = "support/pages.rs"]
mod pages;

mod backtest;
mod cli;
#[cfg(all(feature = "kafka", feature = "redis"))]
mod config;
mod differential;
mod documents;
mod explain;
mod geo_update;
mod messages;
mod replay;
mod rules_commands;
mod whole_folders;
#[cfg(not(feature = "kafka"))]
mod without_kafka;
