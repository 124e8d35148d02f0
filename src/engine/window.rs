//! Exact windows over operations, whatever the order they arrive in.
//!
//! Pure: no clock; event times come in as nanoseconds. Every structure is small while it holds
//! little, and answers in O(log n) when it holds much.

pub mod scan;
pub mod tree;
