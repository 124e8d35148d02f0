//! A fleet in one process: the workers that run in production, on a Kafka in memory, in an order that a seed chooses.

pub(crate) mod broker;
mod coordinator;
mod group;
pub(crate) mod log;
mod member;
pub(crate) mod turns;
