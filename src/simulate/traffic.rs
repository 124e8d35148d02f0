//! Ordinary traffic: clients who log in, pay, send, are paid and cash out.

use crate::operation::{AttemptOutcome, ClientStatus, OperationType};

use super::event::{Event, OpId, Party, Wallet};
use super::pending::Pending;
use super::population::{Profile, profile};
use super::random::Random;
use super::rhythm::{HOUR_MS, Rhythm, Slot};

const MERCHANTS_LOG2: u64 = 14;
const CHANNELS: [&str; 4] = ["mobile", "mobile", "mobile", "web"];
const MINUTE_MS: u64 = 60_000;

/// The ordinary operations in the order of their time.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    seed: u64,
    wallets: u64,
    random: Random,
    rhythm: Rhythm,
    slot: Option<Slot>,
    /// How many of the slot's operations are given out.
    consumed: u64,
    next_ms: Option<u64>,
    serial: u64,
    payroll: u64,
    pub(super) pending: Pending<Event>,
    session: Vec<Event>,
}

impl Traffic {
    pub(super) fn new(seed: u64, wallets: u64, rhythm: Rhythm) -> Self {
        let random = Random::new(seed);
        let session = Vec::with_capacity(8);
        let pending = Pending::new();
        let mut traffic = Self {
            seed,
            wallets,
            random,
            rhythm,
            slot: None,
            consumed: 0,
            next_ms: None,
            serial: 0,
            payroll: 0,
            pending,
            session,
        };
        traffic.schedule();
        traffic
    }

    /// Returns the time of the next operation.
    pub(super) fn peek_ms(&self) -> Option<u64> {
        match (self.next_ms, self.pending.peek_ms()) {
            (Some(session), Some(pending)) => Some(session.min(pending)),
            (session, pending) => session.or(pending),
        }
    }

    /// Returns the next operation.
    pub(super) fn next(&mut self) -> Option<Event> {
        let pending_ms = self.pending.peek_ms();
        match (self.next_ms, self.slot) {
            (Some(at_ms), Some(slot)) if pending_ms.is_none_or(|pending| at_ms < pending) => self.begin(at_ms, slot),
            _ => self.pending.pop(),
        }
    }

    /// Plans when the next session begins: inside its hour, in proportion to the hour's operations given out.
    fn schedule(&mut self) {
        loop {
            if let Some(slot) = self.slot
                && self.consumed < slot.operations
            {
                let within = (self.consumed * HOUR_MS + self.random.below(HOUR_MS)) / slot.operations;
                self.next_ms = Some(slot.start_ms + within);
                return;
            }
            let next = self.rhythm.next();
            if next.is_some_and(|next| next.pay_day.is_some() && next.local_hour == 0) {
                self.payroll = 0;
            }
            self.slot = next;
            self.consumed = 0;
            if next.is_none() {
                self.next_ms = None;
                return;
            }
        }
    }

    /// Begins a session: returns its first operation, the others wait.
    fn begin(&mut self, at_ms: u64, slot: Slot) -> Option<Event> {
        self.session.clear();
        self.plan(at_ms, slot);
        let room = slot.operations - self.consumed;
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(self.pending.room() + 1);
        self.session.truncate(room);
        for event in self.session.iter().skip(1) {
            self.pending.push(event.at_ms, *event);
        }
        self.consumed += self.session.len() as u64;
        self.schedule();
        self.session.first().copied()
    }

    /// Fills `session` with what one client does in the next minutes.
    fn plan(&mut self, at_ms: u64, slot: Slot) {
        let roll = self.random.below(1000);
        if let Some(day) = slot.pay_day
            && (8..18).contains(&slot.local_hour)
            && roll < 250
            && let Some(client) = self.next_on_payroll(day)
        {
            return self.credit(at_ms, client, client.salary_tiyn(), "salary");
        }
        // A fifth of the clients does half of what is done.
        let reach = if roll & 1 == 0 { self.wallets } else { self.wallets / 5 + 1 };
        let client = profile(self.random.below(reach), self.seed);
        match self.random.below(4000) {
            0..1700 => self.spend(at_ms, client, false),
            1700..2900 => self.visit(at_ms, client, slot.day),
            2900..3250 => self.spend(at_ms, client, true),
            3250..3640 => {
                let amount = self.amount(client.status) * 2;
                self.credit(at_ms, client, amount, "");
            }
            3640..3850 => self.withdraw(at_ms, client),
            3850..3984 => self.login(at_ms, client, slot.day),
            3984..3998 => self.recovery(at_ms, client, slot.day),
            _ => self.big_day(at_ms, client),
        }
    }

    fn next_on_payroll(&mut self, day: u32) -> Option<Profile> {
        for _ in 0..16 {
            if self.payroll >= self.wallets {
                return None;
            }
            let client = profile(self.payroll, self.seed);
            self.payroll += 1;
            if client.pay_day() == Some(day) {
                return Some(client);
            }
        }
        None
    }

    fn event(&mut self, at_ms: u64, kind: OperationType, client: Profile) -> Event {
        self.serial += 1;
        let id = OpId::new(at_ms, self.serial, self.seed);
        Event::new(at_ms, id, kind, Wallet::Client(client.index))
    }

    /// A login; one in thirty begins with a wrong password or two.
    fn login(&mut self, at_ms: u64, client: Profile, day: u64) {
        let number = u64::from(self.random.chance(1, 40));
        let mut at_ms = at_ms;
        if self.random.chance(1, 30) {
            for _ in 0..self.random.between(1, 3) {
                self.attempt(at_ms, OperationType::Login, client, number, day, AttemptOutcome::Failure);
                at_ms += self.random.between(4_000, 20_000);
            }
        }
        self.attempt(at_ms, OperationType::Login, client, number, day, AttemptOutcome::Success);
    }

    fn attempt(
        &mut self,
        at_ms: u64,
        kind: OperationType,
        client: Profile,
        device: u64,
        day: u64,
        outcome: AttemptOutcome,
    ) {
        let mut event = self.event(at_ms, kind, client);
        event.outcome = Some(outcome);
        event.ip = Some(client.address(day));
        event.device = client.device(device);
        self.session.push(event);
    }

    /// A login and one or two debits after it.
    fn visit(&mut self, at_ms: u64, client: Profile, day: u64) {
        self.login(at_ms, client, day);
        let mut at_ms = self.session.last().map_or(at_ms, |login| login.at_ms);
        for _ in 0..self.random.between(1, 3) {
            at_ms += self.random.between(8_000, 90_000);
            let transfer = self.random.chance(1, 3);
            self.spend(at_ms, client, transfer);
        }
    }

    /// A payment or a transfer; a few are cancelled or refunded.
    fn spend(&mut self, at_ms: u64, client: Profile, transfer: bool) {
        let kind = if transfer { OperationType::Transfer } else { OperationType::Payment };
        let mut event = self.event(at_ms, kind, client);
        event.status = Some(client.status);
        event.amount_tiyn = self.amount(client.status);
        event.device = client.device(0);
        event.channel = if transfer { self.random.pick(&CHANNELS) } else { "qr" };
        event.party = if transfer {
            let number = self.random.below(8);
            Party::Client(Wallet::Client(client.acquaintance(number, self.wallets)))
        } else {
            Party::Merchant(self.merchant())
        };
        // Few send more than 100,000 KZT at once.
        if transfer && event.amount_tiyn > 9_000_000 && !self.random.chance(1, 50) {
            event.amount_tiyn /= 10;
        }
        self.session.push(event);
        match self.random.below(1000) {
            0..4 => {
                let after = at_ms + self.random.between(MINUTE_MS, 10 * MINUTE_MS);
                let mut cancelled = self.event(after, OperationType::Cancelled, client);
                cancelled.reference = Some(event.id);
                self.session.push(cancelled);
            }
            4..10 if !transfer => {
                let after = at_ms + self.random.between(2 * MINUTE_MS, 50 * MINUTE_MS);
                let mut refund = self.event(after, OperationType::Refund, client);
                refund.amount_tiyn = event.amount_tiyn;
                refund.party = event.party;
                self.session.push(refund);
            }
            _ => {}
        }
        // A visit's next debit may come before a refund; the heap sorts them, only the first must be first.
    }

    fn credit(&mut self, at_ms: u64, client: Profile, amount_tiyn: u64, purpose: &'static str) {
        let mut event = self.event(at_ms, OperationType::TopUp, client);
        event.amount_tiyn = amount_tiyn;
        event.purpose = purpose;
        event.party =
            if purpose.is_empty() { Party::Card(self.random.below(10_000)) } else { Party::BankAccount(client.index) };
        self.session.push(event);
    }

    fn withdraw(&mut self, at_ms: u64, client: Profile) {
        let redemption = self.random.chance(1, 8);
        let kind = if redemption { OperationType::Redemption } else { OperationType::CashOut };
        let mut event = self.event(at_ms, kind, client);
        event.status = Some(client.status);
        // Cash comes in whole thousands where there is that much of it.
        let amount = self.amount(client.status);
        event.amount_tiyn = if amount > 100_000 { amount - amount % 100_000 } else { amount };
        event.device = client.device(0);
        event.party = if redemption || self.random.chance(1, 2) {
            Party::BankAccount(client.index)
        } else {
            Party::Agent(self.random.below(500))
        };
        self.session.push(event);
    }

    /// A forgotten password: an answer, sometimes a wrong one before it, then a login.
    fn recovery(&mut self, at_ms: u64, client: Profile, day: u64) {
        if self.random.chance(1, 3) {
            self.attempt(at_ms, OperationType::SecretAnswer, client, 0, day, AttemptOutcome::Failure);
        }
        let after = at_ms + self.random.between(10_000, 40_000) * self.session.len() as u64;
        self.attempt(after, OperationType::SecretAnswer, client, 0, day, AttemptOutcome::Success);
        self.attempt(after + 15_000, OperationType::Login, client, 0, day, AttemptOutcome::Success);
    }

    /// A purchase that brings the day over 100 MRP, and the PIN that the client is asked for.
    fn big_day(&mut self, at_ms: u64, client: Profile) {
        if client.status != ClientStatus::Identified {
            return self.spend(at_ms, client, false);
        }
        let mut event = self.event(at_ms, OperationType::Payment, client);
        event.status = Some(client.status);
        event.amount_tiyn = self.random.between(4_500, 15_000) * 10_000;
        event.device = client.device(0);
        event.party = Party::Merchant(self.merchant());
        event.channel = "mobile";
        self.session.push(event);
        let wrong = u64::from(self.random.chance(1, 10));
        for attempt in 0..=wrong {
            let after = at_ms + (attempt + 1) * self.random.between(9_000, 12_000);
            let mut pin = self.event(after, OperationType::Pin, client);
            pin.device = client.device(0);
            let right = attempt == wrong;
            pin.outcome = Some(if right { AttemptOutcome::Success } else { AttemptOutcome::Failure });
            pin.reference = Some(event.id);
            self.session.push(pin);
        }
    }

    /// A merchant by popularity: the n-th is chosen about 1/n as often as the first.
    const fn merchant(&mut self) -> u64 {
        let bits = self.random.next();
        let magnitude = ((bits & 0xffff) * MERCHANTS_LOG2) >> 16;
        (1 << magnitude) + (bits >> 32) % (1 << magnitude)
    }

    /// An amount in tiyn: many small ones, few large ones, mostly round.
    const fn amount(&mut self, status: ClientStatus) -> u64 {
        let bits = self.random.next();
        let (from, until) = match (status, bits & 127) {
            (ClientStatus::Unregistered | ClientStatus::Unidentified, _) => (100, 1_600),
            (ClientStatus::Identified, 0..56) => (250, 3_000),
            (ClientStatus::Identified, 56..108) => (3_000, 12_000),
            (ClientStatus::Identified, 108..126) => (12_000, 45_000),
            (ClientStatus::Identified, _) => (45_000, 140_000),
        };
        let tiyn = from * 100 + (((bits >> 32) * ((until - from) * 100)) >> 32);
        match (bits >> 8) & 15 {
            0..11 => tiyn - tiyn % 1000,
            11..14 => tiyn - tiyn % 100,
            _ => tiyn,
        }
    }
}
