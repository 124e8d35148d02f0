//! Answers people's questions about rules and decisions: rule tests, why a decision was made, a digest, what of a
//! rule set is most likely not meant.
//!
//! All of it runs over the one decision path of [`crate::pipeline`]. The command line and HTTP only read
//! arguments and show what is answered here; files, requests and configuration are not known here.

pub mod backtest;
pub mod budget;
pub mod check;
pub mod digest;
pub mod explain;
pub mod formatting;
mod line_diff;
pub mod lint;
pub mod mutation;
pub mod rule_diff;
pub mod rule_graph;
pub mod rule_tests;
pub mod templates;
