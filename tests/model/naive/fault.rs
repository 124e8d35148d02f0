//! Deliberate mistakes; the comparison must catch each of them.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    OpenWindow,
    DayByUtc,
    RefusedCounted,
    LateJudgedAlone,
    LiftTooMuch,
    CancelIgnored,
    EndInstantBlocked,
    StrictBecomesInclusive,
    StreakSurvivesSuccess,
    ReleaseDespiteBlock,
    /// A firing that would end later places a second restriction beside the first.
    ExtensionAsSecondBlock,
    /// A firing sets the end to its own, an earlier one too.
    ExtensionShortens,
    /// A firing that neither places nor extends does not move "fired last".
    SilentFiringForgotten,
    /// A lifting does not ask when the rule fired last.
    LiftingByArrivalOnly,
    /// A confirmation that names one operation speaks of the whole wallet.
    ReferenceSettlesAll,
    /// What would go on waiting under a block without an end is cancelled.
    EndlessBlockCancels,
    /// Money is released into a wallet whose `both` block is in force.
    RecipientBlockIgnored,
    /// A right PIN confirms the day on which it was entered.
    PinConfirmsEventDay,
    /// A right PIN that answers nothing confirms its own day.
    PinWithoutReferenceConfirms,
    /// The challenges of the other operations of the confirmed day stay.
    PinClearsNamedOnly,
    /// `ref.age` does not know refused operations.
    RefAgeWithoutRefused,
    /// A restriction that has ended is kept beside its successor.
    ReplacedBlockStays,
    /// What a restriction in force stops anyway counts against a budget.
    StoppedCountedAgain,
    /// A rule still acts on the operation by which it exceeds its budget.
    BreachStopsOnce,
}

pub(crate) const FAULTS: [(&str, Fault); 24] = [
    ("open-window", Fault::OpenWindow),
    ("day-by-utc", Fault::DayByUtc),
    ("refused-counted", Fault::RefusedCounted),
    ("late-judged-alone", Fault::LateJudgedAlone),
    ("lift-too-much", Fault::LiftTooMuch),
    ("cancel-ignored", Fault::CancelIgnored),
    ("end-instant-blocked", Fault::EndInstantBlocked),
    ("strict-becomes-inclusive", Fault::StrictBecomesInclusive),
    ("streak-survives-success", Fault::StreakSurvivesSuccess),
    ("release-despite-block", Fault::ReleaseDespiteBlock),
    ("extension-as-second-block", Fault::ExtensionAsSecondBlock),
    ("extension-shortens", Fault::ExtensionShortens),
    ("silent-firing-forgotten", Fault::SilentFiringForgotten),
    ("lifting-by-arrival-only", Fault::LiftingByArrivalOnly),
    ("reference-settles-all", Fault::ReferenceSettlesAll),
    ("endless-block-cancels", Fault::EndlessBlockCancels),
    ("recipient-block-ignored", Fault::RecipientBlockIgnored),
    ("pin-confirms-event-day", Fault::PinConfirmsEventDay),
    ("pin-without-reference-confirms", Fault::PinWithoutReferenceConfirms),
    ("pin-clears-named-only", Fault::PinClearsNamedOnly),
    ("ref-age-without-refused", Fault::RefAgeWithoutRefused),
    ("replaced-block-stays", Fault::ReplacedBlockStays),
    ("stopped-counted-again", Fault::StoppedCountedAgain),
    ("breach-stops-once", Fault::BreachStopsOnce),
];
