//! Labelled patterns: for every rule operations that must make it fire, and the same one step inside its boundary.
//!
//! Each instance has wallets, devices and addresses of its own, so that neither ordinary traffic nor
//! another instance can bring it over a boundary or keep it under one.

mod instance;
mod section7;

use crate::operation::time::{DAY, HOUR, almaty_day};
use crate::operation::{Time, words};

use super::event::{Event, WALLETS_MAX};
use super::pending::Pending;
use super::random::Random;
use super::rhythm::milliseconds;
use instance::Instance;

words! {
    /// The shipped rules, by id.
    Rule {
        TransferOver100k = "transfer-over-100k",
        EqualTransfersInHour = "equal-transfers-in-hour",
        LoginThroughAnonymizer = "login-through-anonymizer",
        LoginCountryChange = "login-country-change",
        DailyTotalOver100Mrp = "daily-total-over-100-mrp",
        WrongPasswordCaptcha = "wrong-password-captcha",
        WrongPasswordIpBlock = "wrong-password-ip-block",
        WrongSecretAnswerCaptcha = "wrong-secret-answer-captcha",
        ClientVoluntaryBlock = "client-voluntary-block",
        OwnershipDisputeHold = "ownership-dispute-hold",
        CashOutWrongDetails = "cash-out-wrong-details",
        RepeatedSuspicionBlock = "repeated-suspicion-block",
        FraudReportedBlock = "fraud-reported-block",
        DocumentsRefusedKeepBlock = "documents-refused-keep-block",
        TamperingBlock = "tampering-block",
        OperationCountryChange = "operation-country-change",
        SuspicionConfirmedBlock = "suspicion-confirmed-block",
        OperationDisputed = "operation-disputed",
        ComplaintBlock = "complaint-block",
        SeizureBlock = "seizure-block",
        AddressTriesManyWallets = "address-tries-many-wallets",
        WrongPinRun = "wrong-pin-run",
        OperationLimitUnidentified = "operation-limit-unidentified",
        OperationLimitIdentified = "operation-limit-identified",
        FlaggedCounterparty = "flagged-counterparty",
        FlaggedWallet = "flagged-wallet",
        GamblingPayoutReport = "gambling-payout-report",
        StructuringBelow100k = "structuring-below-100k",
        MuleInAndOut = "mule-in-and-out",
        OneDeviceManyWallets = "one-device-many-wallets",
        NewDeviceLargeTransfer = "new-device-large-transfer",
        // The last: it applies from 18 March 2026, and a short simulation reaches that day only at its end.
        UnidentifiedStatutoryLimit = "unidentified-statutory-limit",
    }
}

/// What a labelled operation is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) rule: Rule,
    pub(super) fraud: bool,
    pub(super) pattern: &'static str,
}

/// How many wallets an instance may use.
pub(super) const WALLETS_EACH: u64 = 12;
/// Instances begin between 09:00 and 20:00 in Almaty, so that what must be of one day is.
const FIRST_HOUR: i64 = 9;
const WINDOW_MS: u64 = 11 * 3_600_000;
/// Days kept free at the end for patterns that last longer than one.
const DAYS_AFTER: u64 = 2;

/// The labelled patterns' operations in the order of their time.
#[derive(Debug, Clone)]
pub(super) struct Patterns {
    seed: u64,
    wallets: u64,
    first_day: Time,
    days: u64,
    instances: u64,
    begun: u64,
    day: u64,
    next_ms: Option<u64>,
    random: Random,
    pub(super) pending: Pending<(Event, Option<Tag>)>,
    steps: Vec<(Event, Option<Tag>)>,
}

impl Patterns {
    /// Plans this many instances over the days; their wallets come after the ordinary ones.
    pub(super) fn new(seed: u64, wallets: u64, start: Time, days: u64, instances: u64) -> Self {
        let today = almaty_day(start);
        let late = start.since(today.start) > FIRST_HOUR * HOUR;
        let first_day = if late { today.end } else { today.start };
        let days = days.saturating_sub(DAYS_AFTER).max(1);
        let mut patterns = Self {
            seed,
            wallets,
            first_day,
            days,
            instances,
            begun: 0,
            day: 0,
            next_ms: None,
            random: Random::new(seed.rotate_left(21)),
            pending: Pending::new(),
            steps: Vec::with_capacity(16),
        };
        patterns.schedule();
        patterns
    }

    pub(super) fn peek_ms(&self) -> Option<u64> {
        match (self.next_ms, self.pending.peek_ms()) {
            (Some(instance), Some(pending)) => Some(instance.min(pending)),
            (instance, pending) => instance.or(pending),
        }
    }

    fn schedule(&mut self) {
        self.next_ms = None;
        if self.begun == self.instances {
            return;
        }
        let share = |day: u64| {
            let share = u128::from(self.instances) * u128::from(day) / u128::from(self.days);
            u64::try_from(share).unwrap_or(self.instances)
        };
        while share(self.day + 1) <= self.begun {
            self.day += 1;
        }
        let (before, after) = (share(self.day), share(self.day + 1));
        let within = ((self.begun - before) * WINDOW_MS + self.random.below(WINDOW_MS)) / (after - before);
        let day = self.first_day.plus(self.day.cast_signed() * DAY + 12 * HOUR);
        let morning = almaty_day(day).start.plus(FIRST_HOUR * HOUR);
        self.next_ms = Some(milliseconds(morning) + within);
    }

    /// Builds the instance that is due and puts its operations among the pending.
    fn begin(&mut self, first_ms: u64) {
        let case = self.begun % cases();
        let rule = usize::try_from(case / 2).map_or(Rule::TransferOver100k, |place| Rule::ALL[place]);
        let first_wallet = (self.wallets + self.begun * WALLETS_EACH) % (WALLETS_MAX - WALLETS_EACH);
        self.steps.clear();
        let mut instance = Instance {
            first_ms,
            serial: self.begun,
            seed: self.seed,
            first_wallet,
            fraud: case.is_multiple_of(2),
            random: &mut self.random,
            steps: &mut self.steps,
        };
        let pattern = section7::build(rule, &mut instance);
        let fraud = instance.fraud;
        if let Some((_, tag)) = self.steps.last_mut() {
            *tag = Some(Tag { rule, fraud, pattern });
        }
        debug_assert!(self.steps.iter().any(|(event, _)| event.at_ms == first_ms), "{rule:?} begins later");
        for (event, tag) in &self.steps {
            self.pending.push(event.at_ms, (*event, *tag));
        }
        self.begun += 1;
        self.schedule();
    }
}

impl Iterator for Patterns {
    type Item = (Event, Option<Tag>);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(first_ms) = self.next_ms
            && self.pending.peek_ms().is_none_or(|pending| first_ms <= pending)
        {
            self.begin(first_ms);
        }
        self.pending.pop()
    }
}

/// Returns how many different instances there are: a fraud and a near miss for each rule.
pub(super) const fn cases() -> u64 {
    2 * Rule::ALL.len() as u64
}
