//! Where the outside meets the pipeline: files, stores, folders, topics.
//!
//! Knows bytes and where they come from; must not know how an operation is decided.

pub mod clock;
pub mod failpoint;
pub mod files;
pub mod fleet_mutant;
pub mod folders;
pub mod geo_files;
pub mod geo_update;
pub mod git;
pub mod kafka;
pub mod kcat;
pub mod memory;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(not(feature = "redis"))]
#[path = "adapters/no_redis.rs"]
pub mod redis;
pub mod runtime;
pub mod service_client;
pub mod store;
pub mod tls;
pub mod watch;
