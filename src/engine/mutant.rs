//! Wrong variants of the engine, chosen at run time, for the tests that prove the tests: each must be
//! caught by the comparison with the naive model. Without the feature `faults`, which only test builds
//! have, no variant can be chosen.

/// One deliberate mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineMutant {
    /// `elapsed < W` counts instead of `elapsed ≤ W`.
    OpenWindow,
    /// Days by UTC instead of Almaty.
    DayByUtc,
    /// Refused operations enter windows.
    RefusedCounted,
    /// An operation that is not the newest is judged without the others.
    LateJudgedAlone,
    /// A proof lifts what it may not lift.
    LiftTooMuch,
    /// A cancelled operation stays in its windows.
    CancelIgnored,
    /// A block still refuses at its end instant.
    EndInstantBlocked,
    /// `>` compares as `>=`.
    StrictBecomesInclusive,
    /// A success does not end a run of failures.
    StreakSurvivesSuccess,
    /// A waiting operation is released although debits are blocked.
    ReleaseDespiteBlock,
}

impl EngineMutant {
    /// Every variant with its name in the tests.
    pub const ALL: [(&'static str, Self); 10] = [
        ("open-window", Self::OpenWindow),
        ("day-by-utc", Self::DayByUtc),
        ("refused-counted", Self::RefusedCounted),
        ("late-judged-alone", Self::LateJudgedAlone),
        ("lift-too-much", Self::LiftTooMuch),
        ("cancel-ignored", Self::CancelIgnored),
        ("end-instant-blocked", Self::EndInstantBlocked),
        ("strict-becomes-inclusive", Self::StrictBecomesInclusive),
        ("streak-survives-success", Self::StreakSurvivesSuccess),
        ("release-despite-block", Self::ReleaseDespiteBlock),
    ];
}
