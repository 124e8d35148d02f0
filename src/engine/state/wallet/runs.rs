//! Runs (`streak`) and beginnings of chains (`age`).

use crate::operation::Time;
use crate::operation::time::Nanos;
use serde::{Deserialize, Serialize};

/// The length of a run of consecutive operations, for one `streak` and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub aggregate: usize,
    pub key: u64,
    pub length: u64,
    /// The newest operation that was counted.
    pub last: Time,
}

/// What is remembered of a chain (`age`) whose rows have left the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStart {
    pub aggregate: usize,
    pub key: u64,
    pub first: Time,
    pub last: Time,
}

impl ChainStart {
    /// Adds an operation at `at` to what is remembered; of two chains the later is kept.
    #[must_use]
    pub fn extended(known: Option<Self>, aggregate: usize, key: u64, at: Time, quiet: Nanos) -> Self {
        match known {
            Some(chain) if chain.first.since(at) > quiet => chain,
            Some(chain) if at.since(chain.last) <= quiet => {
                Self { first: chain.first.min(at), last: chain.last.max(at), ..chain }
            }
            Some(_) | None => Self { aggregate, key, first: at, last: at },
        }
    }
}
