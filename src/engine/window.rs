//! Exact windows over operations, whatever the order they arrive in.
//!
//! Pure: no clock; event times come in from outside. Every structure is small while it holds
//! little, and answers in O(log n) when it holds much:
//!
//! - [`Timeline`]: a sliding window (`within 1h`) of one aggregate for one key;
//! - [`CalendarCell`]: one calendar day or month (`today`, `this month`);
//! - [`Chain`]: operations without a long gap (`age … quiet 30d`);
//! - [`scan`]: the same measures over any short sorted log;
//! - [`tree`]: what the large ones are made of.

mod calendar;
mod chain;
mod events;
mod ordered;
pub mod scan;
mod timeline;
pub mod tree;

pub use calendar::CalendarCell;
pub use chain::Chain;
pub use timeline::Timeline;

use crate::operation::Time;
use crate::operation::time::Nanos;
use tree::Summary;

/// Up to so many entries are kept in an array and scanned. Small in tests, to reach the trees.
const FEW: usize = if cfg!(test) { 6 } else { 32 };

/// One operation in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// When it occurred.
    pub at: Time,
    /// Names the operation; breaks ties of time, the greater arrived later.
    pub op: u64,
    /// Tiyn, an int, or the bits of a symbol.
    pub value: i64,
}

impl Entry {
    const fn key(&self) -> (Time, u64) {
        (self.at, self.op)
    }

    const fn of(((at, op), value): ((Time, u64), i64)) -> Self {
        Self { at, op, value }
    }
}

/// What a timeline or a cell is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// `count`, `any`, `none`: the fullest window.
    Count,
    /// `sum`: the fullest window.
    Sum,
    /// `distinct`: the fullest window.
    Distinct,
    /// `min`, `max`, `avg`: the window that ends at the operation.
    Range,
    /// `last`: the latest entry.
    Last,
}

/// The measure of a window and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    pub measure: Measure,
    pub length: Nanos,
}

/// What `min`, `max` and `avg` are read from; an average stays exact as its sum and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeFold {
    pub count: u64,
    pub sum: i128,
    pub min: Option<i64>,
    pub max: Option<i64>,
}

impl RangeFold {
    /// Adds one value.
    #[must_use]
    pub fn with(self, value: i64) -> Self {
        self.then(Self::of(value))
    }
}

impl Summary for RangeFold {
    type Value = i64;
    const EMPTY: Self = Self { count: 0, sum: 0, min: None, max: None };

    fn of(value: i64) -> Self {
        Self { count: 1, sum: i128::from(value), min: Some(value), max: Some(value) }
    }

    fn then(self, later: Self) -> Self {
        Self {
            count: self.count + later.count,
            sum: self.sum + later.sum,
            // `None` is below every value: right for the greatest, to be skipped for the least.
            min: match (self.min, later.min) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
            max: self.max.max(later.max),
        }
    }
}
