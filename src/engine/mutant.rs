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
    /// A firing that ends later places a second restriction beside the one in force.
    ExtensionAsSecondBlock,
    /// A firing while a restriction is in force sets its end, an earlier one too.
    ExtensionShortens,
    /// A firing that neither places nor extends does not count as the last.
    SilentFiringForgotten,
    /// A lifting does not ask when the rule fired last.
    LiftingByArrivalOnly,
    /// A proof that names one operation works on the whole wallet.
    ReferenceSettlesAll,
    /// Under a block without an end an operation is cancelled instead of waiting on.
    EndlessBlockCancels,
    /// A transfer is released although the wallet it goes to is blocked.
    RecipientBlockIgnored,
    /// A PIN confirms the day on which it was entered.
    PinConfirmsEventDay,
    /// A PIN that answers nothing confirms the day on which it was entered.
    PinWithoutReferenceConfirms,
    /// A PIN clears the challenge of the operation that it names alone.
    PinClearsNamedOnly,
    /// `ref.age` does not know refused operations.
    RefAgeWithoutRefused,
    /// A restriction that has ended stays beside its successor.
    ReplacedBlockStays,
    /// What a restriction in force stops anyway counts against a budget.
    StoppedCountedAgain,
    /// A rule still acts on the operation by which it exceeds its budget.
    BreachStopsOnce,
}

impl EngineMutant {
    /// Every variant with its name in the tests.
    pub const ALL: [(&'static str, Self); 24] = [
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
        ("extension-as-second-block", Self::ExtensionAsSecondBlock),
        ("extension-shortens", Self::ExtensionShortens),
        ("silent-firing-forgotten", Self::SilentFiringForgotten),
        ("lifting-by-arrival-only", Self::LiftingByArrivalOnly),
        ("reference-settles-all", Self::ReferenceSettlesAll),
        ("endless-block-cancels", Self::EndlessBlockCancels),
        ("recipient-block-ignored", Self::RecipientBlockIgnored),
        ("pin-confirms-event-day", Self::PinConfirmsEventDay),
        ("pin-without-reference-confirms", Self::PinWithoutReferenceConfirms),
        ("pin-clears-named-only", Self::PinClearsNamedOnly),
        ("ref-age-without-refused", Self::RefAgeWithoutRefused),
        ("replaced-block-stays", Self::ReplacedBlockStays),
        ("stopped-counted-again", Self::StoppedCountedAgain),
        ("breach-stops-once", Self::BreachStopsOnce),
    ];
}
