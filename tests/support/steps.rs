//! The steps at which a worker of a fleet can be stopped.

/// Every step of a batch.
pub(crate) const COMMIT: [&str; 10] = [
    "decided",
    "begun",
    "sent-decisions",
    "sent-state",
    "sent-offsets",
    "drained",
    "committed",
    "owed",
    "settled",
    "shown",
];
