//! The words in which patterns are written: operations of one instance's own wallets, devices and addresses.

use std::net::IpAddr;

use chrono::Datelike;

use crate::operation::{AttemptOutcome, ClientStatus, OperationType, Time};
use crate::simulate::event::{Event, OpId, Party, Wallet};
use crate::simulate::population::{device, pattern_address};
use crate::simulate::random::Random;

use super::Tag;

/// One instance while it is built. Times are milliseconds after its first moment.
pub(super) struct Instance<'a> {
    pub(super) first_ms: u64,
    pub(super) serial: u64,
    pub(super) seed: u64,
    pub(super) first_wallet: u64,
    /// Whether the rule must fire on the last operation.
    pub(super) fraud: bool,
    pub(super) random: &'a mut Random,
    pub(super) steps: &'a mut Vec<(Event, Option<Tag>)>,
}

impl Instance<'_> {
    /// Adds an operation of the instance's main wallet.
    pub(super) fn event(&mut self, after_ms: u64, kind: OperationType) -> &mut Event {
        let at_ms = self.first_ms + after_ms;
        // Serial numbers of ordinary operations never reach the upper half.
        let serial = 1 << 63 | self.serial << 8 | self.steps.len() as u64;
        let id = OpId::new(at_ms, serial, self.seed);
        let event = Event::new(at_ms, id, kind, self.wallet(0));
        self.steps.push((event, None));
        let place = self.steps.len() - 1;
        &mut self.steps[place].0
    }

    /// Names one of the instance's [`WALLETS_EACH`](super::WALLETS_EACH) wallets.
    pub(super) const fn wallet(&self, number: u64) -> Wallet {
        Wallet::Client(self.first_wallet + number)
    }

    /// Names one of the instance's devices.
    pub(super) const fn device(&self, number: u64) -> u64 {
        device(1 << 62 | self.serial << 2 | number, self.seed)
    }

    /// Returns the instance's own address in Kazakhstan.
    pub(super) fn address(&self) -> IpAddr {
        pattern_address(self.serial)
    }

    pub(super) fn debit(&mut self, after_ms: u64, kind: OperationType, amount_tiyn: u64, party: Party) -> &mut Event {
        let event = self.event(after_ms, kind);
        event.status = Some(ClientStatus::Identified);
        event.amount_tiyn = amount_tiyn;
        event.party = party;
        event.channel = "mobile";
        event
    }

    /// A transfer to the instance's second wallet.
    pub(super) fn transfer(&mut self, after_ms: u64, amount_tiyn: u64) -> &mut Event {
        let to = Party::Client(self.wallet(1));
        self.debit(after_ms, OperationType::Transfer, amount_tiyn, to)
    }

    pub(super) fn payment(&mut self, after_ms: u64, amount_tiyn: u64) -> &mut Event {
        let merchant = self.random.between(1, 5_000);
        self.debit(after_ms, OperationType::Payment, amount_tiyn, Party::Merchant(merchant))
    }

    pub(super) fn attempt(&mut self, after_ms: u64, kind: OperationType, outcome: AttemptOutcome) -> &mut Event {
        let (ip, device) = (self.address(), self.device(0));
        let event = self.event(after_ms, kind);
        event.outcome = Some(outcome);
        event.ip = Some(ip);
        event.device = device;
        event
    }

    pub(super) fn login(&mut self, after_ms: u64) -> &mut Event {
        self.attempt(after_ms, OperationType::Login, AttemptOutcome::Success)
    }

    /// Returns the monthly calculation index of the instance's day, in tiyn.
    pub(super) fn mrp_tiyn(&self) -> u64 {
        let (year, month) = self.year_month();
        let tenge = match year {
            ..2020 => 2525,
            2020 if month < 4 => 2651,
            2020 => 2778,
            2021 => 2917,
            2022 => 3063,
            2023 => 3450,
            2024 => 3692,
            2025 => 3932,
            2026.. => 4325,
        };
        tenge * 100
    }

    /// Tells whether the instance's day is 18 March 2026 or later.
    pub(super) fn statutory_limit_applies(&self) -> bool {
        let date = Time::from_nanos(self.first_ms.cast_signed() * 1_000_000).almaty_date();
        (date.year(), date.month(), date.day()) >= (2026, 3, 18)
    }

    fn year_month(&self) -> (i32, u32) {
        let date = Time::from_nanos(self.first_ms.cast_signed() * 1_000_000).almaty_date();
        (date.year(), date.month())
    }
}
