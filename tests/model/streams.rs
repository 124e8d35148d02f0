//! Dense random streams: few wallets, times and amounts on the boundaries, and a scenario for each rule.

mod again;
mod arrival;
mod by_rule;
mod lateness;
mod owner;
mod session;
mod support;

use super::calendar;
use super::naive::{GeoMap, GeoRecord, REARMED};
use super::op::{DAY, HOUR, Kind, MINUTE, MS, Op, SECOND, Time, read_time};
use crate::random::Random;

pub(crate) use arrival::{money_only, shuffled};

const KZT: i64 = 100;
const KZ: [&str; 3] = ["95.56.234.10", "95.56.234.11", "2a03:32c0::7"];
const FOREIGN: [&str; 2] = ["5.8.0.1", "78.46.0.1"];
const ANONYMOUS: [&str; 5] = ["185.220.101.1", "45.84.0.1", "45.85.0.1", "95.56.240.1", "198.51.100.9"];
/// Hosting alone and `is_anonymous` alone do not count.
const HARMLESS: [&str; 2] = ["78.46.0.1", "45.83.0.1"];
const NOWHERE: &str = "203.0.113.7";
const PROOFS: [&str; 7] =
    ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed", "explanations", "facts_established"];
/// Events that block the wallet's debits without an end, and with one.
const ENDLESS: [Kind; 5] =
    [Kind::WalletBlock, Kind::Tampering, Kind::Complaint, Kind::SeizureOrdered, Kind::DocumentsRefused];
const ENDING: [Kind; 3] = [Kind::CashOutWrong, Kind::SuspicionConfirmed, Kind::FraudReported];
/// An address that only the scenario of many wallets uses.
const TRIED: &str = "95.56.234.20";

/// What the addresses of the streams are known for.
pub(crate) fn geo() -> GeoMap {
    let record = |address, country, flags| GeoRecord { address, country, flags };
    vec![
        record(KZ[0], Some("KZ"), &[]),
        record(KZ[1], Some("KZ"), &[]),
        record(KZ[2], Some("KZ"), &[]),
        record(TRIED, Some("KZ"), &[]),
        record(FOREIGN[0], Some("RU"), &[]),
        record(FOREIGN[1], Some("DE"), &["hosting"]),
        record(ANONYMOUS[0], Some("DE"), &["anonymous", "tor"]),
        record(ANONYMOUS[1], Some("RU"), &["anonymous", "vpn", "hosting"]),
        record(ANONYMOUS[2], Some("KZ"), &["public_proxy"]),
        record(ANONYMOUS[3], Some("KZ"), &["residential_proxy"]),
        record(ANONYMOUS[4], None, &["tor"]),
        record(HARMLESS[1], Some("KZ"), &["anonymous"]),
    ]
}

impl Random {
    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % (high - low + 1).unsigned_abs()).expect("a small number")
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn one<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A hair before a boundary, on it, or a hair after.
    fn hair(&mut self) -> Time {
        self.one(&[0, 0, 0, 1, -1, MS, -MS])
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A stream of operations in order of arrival, with the line of each.
pub(crate) struct Stream {
    pub(crate) ops: Vec<Op>,
    pub(crate) lines: Vec<String>,
    /// Every rule that stops anything has a budget.
    pub(crate) has_budgets: bool,
}

impl Stream {
    pub(crate) fn new(ops: Vec<Op>, rng: &mut Random) -> Self {
        let lines = ops.iter().map(|op| op.to_line(rng.next())).collect();
        Self { ops, lines, has_budgets: false }
    }
}

const STARTS: [&str; 14] = [
    "2026-11-22T10:00:00+05:00",
    "2026-11-22T23:20:00+05:00",
    "2026-08-31T12:00:00+05:00",
    "2026-04-10T15:00:00+05:00",
    "2026-03-17T22:00:00+05:00",
    "2026-03-18T09:00:00+05:00",
    "2025-12-31T22:30:00+05:00",
    "2024-02-28T23:00:00+06:00",
    "2024-02-29T20:30:00+06:00",
    "2024-01-30T23:30:00+06:00",
    "2023-08-31T23:30:00+06:00",
    "2020-03-31T23:00:00+06:00",
    "2019-12-31T23:00:00+06:00",
    "2026-06-30T04:45:00+05:00",
];

/// The stream of a seed: at least `least` operations.
pub(crate) fn stream(seed: u64, least: usize) -> Stream {
    let mut rng = Random(seed);
    let wallets = 2 + rng.below(5);
    let now = read_time(rng.pick(&STARTS));
    let favourite = rng.below(SCENARIOS.len());
    let mut weaver = Weaver {
        rng,
        wallets: (1..=wallets).map(|n| format!("7701000000{n}")).collect(),
        now,
        latest: now,
        made: 0,
        delay: 0,
        ops: Vec::new(),
    };
    while weaver.ops.len() < least {
        weaver.weave(favourite);
    }
    let Weaver { mut rng, ops, .. } = weaver;
    let ops = arrival::arrive(ops, &mut rng);
    Stream::new(ops, &mut rng)
}

/// The stream of a seed for rules with budgets: now and then one of them is armed again.
pub(crate) fn budgeted(seed: u64, least: usize) -> Stream {
    let mut rng = Random(!seed);
    let mut ops = Vec::new();
    for op in stream(seed, least).ops {
        let (at, wallet) = (op.at, op.wallet.clone());
        ops.push(op);
        if rng.chance(12) {
            let mut rearmed = Op::new(Kind::RuleRearmed, &format!("rearm-{}", ops.len()), &wallet, at);
            rearmed.rearms = Some(rng.one(&REARMED).to_owned());
            ops.push(rearmed);
        }
    }
    Stream { has_budgets: true, ..Stream::new(ops, &mut rng) }
}

struct Weaver {
    rng: Random,
    wallets: Vec<String>,
    now: Time,
    latest: Time,
    made: usize,
    /// How long after its turn the next operation arrives.
    delay: Time,
    /// With the instant of arrival.
    ops: Vec<(Time, Op)>,
}

type Scenario = fn(&mut Weaver, &str);

const SCENARIOS: [Scenario; 55] = [
    Weaver::big_transfers,
    Weaver::equal_transfers,
    Weaver::equal_transfers,
    Weaver::anonymizer,
    Weaver::country_change,
    Weaver::country_change,
    Weaver::daily_total,
    Weaver::daily_total,
    Weaver::wrong_passwords,
    Weaver::wrong_secrets,
    Weaver::voluntary_block,
    Weaver::ownership,
    Weaver::cash_out_wrong,
    Weaver::fraud,
    Weaver::documents,
    Weaver::tampering,
    Weaver::limits,
    Weaver::flagged,
    Weaver::gambling,
    Weaver::structuring,
    Weaver::mule,
    Weaver::device_wallets,
    Weaver::new_device,
    Weaver::suspicions,
    Weaver::cancellations,
    Weaver::lateness,
    Weaver::lateness,
    Weaver::shared_lateness,
    Weaver::far_ahead,
    Weaver::horizon,
    Weaver::login_ties,
    Weaver::abroad,
    Weaver::abroad,
    Weaver::pin_run,
    Weaver::address_tries,
    Weaver::flips,
    Weaver::flips,
    Weaver::lifted_before,
    Weaver::lifted_before,
    Weaver::address_lifted_before,
    Weaver::replaced,
    Weaver::one_of_many,
    Weaver::one_of_many,
    Weaver::goes_on_waiting,
    Weaver::goes_on_waiting,
    Weaver::recipient_blocked,
    Weaver::pins_of_a_day,
    Weaver::pins_of_a_day,
    Weaver::pins_for_nothing,
    Weaver::disputes,
    Weaver::disputes,
    Weaver::late_dispute,
    Weaver::arrest,
    Weaver::cash_out_named,
    Weaver::complaint,
];

impl Weaver {
    fn weave(&mut self, favourite: usize) {
        let wallet = self.wallet();
        let before = self.now;
        match self.rng.below(10) {
            0..=3 => {
                self.scenario(&wallet);
            }
            4..=5 => SCENARIOS[favourite](self, &wallet),
            6 => self.relief(&wallet),
            _ => {
                for _ in 0..3 {
                    let wallet = self.wallet();
                    self.anything(&wallet);
                }
            }
        }
        if self.rng.chance(40) {
            self.relief(&wallet);
        }
        // Scenarios overlap often: go back into the one just woven.
        let short = self.now - before < 3 * HOUR;
        if short && self.rng.chance(40) {
            self.now = self.rng.between(before, self.now.max(before));
        } else {
            self.now = self.now.max(before);
            self.step();
        }
    }

    fn scenario(&mut self, wallet: &str) {
        let scenario = SCENARIOS[self.rng.below(SCENARIOS.len())];
        scenario(self, wallet);
    }

    fn step(&mut self) {
        let steps = [0, 0, 1, MS, SECOND, SECOND, MINUTE, MINUTE, 5 * MINUTE, 10 * MINUTE, 10 * MINUTE + 1];
        let strides = [HOUR, 2 * HOUR, DAY, 30 * DAY];
        self.now += self.rng.one(&steps);
        if self.rng.chance(8) {
            self.now += self.rng.one(&strides) + self.rng.hair();
        }
        if self.rng.chance(4) {
            self.now = calendar::day_end(calendar::day(self.now)) + self.rng.hair();
        }
    }

    fn wallet(&mut self) -> String {
        self.wallets[self.rng.below(self.wallets.len())].clone()
    }

    fn other(&mut self, wallet: &str) -> String {
        let others: Vec<&String> = self.wallets.iter().filter(|w| *w != wallet).collect();
        self.rng.one(&others).clone()
    }

    fn push(&mut self, mut op: Op) -> String {
        self.made += 1;
        op.id = format!("op-{}", self.made);
        if op.kind == Kind::FraudReported && op.source.is_none() {
            op = op.source(self.rng.pick(&["client", "support", "issuer", "payment_system"]));
        }
        self.latest = self.latest.max(op.at);
        self.now = self.now.max(op.at);
        let id = op.id.clone();
        self.ops.push((op.at + self.delay, op));
        self.delay = 0;
        id
    }

    fn put(&mut self, kind: Kind, wallet: &str, at: Time) -> String {
        self.push(Op::new(kind, "", wallet, at))
    }

    fn transfer(&mut self, from: &str, to: &str, amount: i64, at: Time) -> String {
        let op = Op::new(Kind::Transfer, "", from, at).amount(amount);
        self.push(op.status("identified").party("client", Some(to)))
    }

    fn pay(&mut self, wallet: &str, status: &str, amount: i64, at: Time) -> String {
        let kind = self.rng.one(&[Kind::Payment, Kind::Payment, Kind::CashOut, Kind::Redemption]);
        let party = match kind {
            Kind::Payment => "merchant",
            Kind::CashOut => "agent",
            _ => "bank_account",
        };
        let op = Op::new(kind, "", wallet, at).amount(amount);
        self.push(op.status(status).party(party, None))
    }

    fn login(&mut self, wallet: &str, ip: &str, success: bool, at: Time) -> String {
        self.push(Op::new(Kind::Login, "", wallet, at).ip(ip).outcome(success))
    }

    fn pin(&mut self, wallet: &str, reference: &str, success: bool, at: Time) -> String {
        let op = Op::new(Kind::Pin, "", wallet, at).outcome(success);
        self.push(op.reference(reference))
    }

    fn confirm(&mut self, wallet: &str, proof: &str, at: Time) {
        let mut op = Op::new(Kind::IdentityConfirmed, "", wallet, at).proof(proof);
        op.cancel = self.rng.chance(25);
        self.push(op);
    }

    /// The owner's word on one operation.
    fn settle(&mut self, wallet: &str, proof: &str, id: &str, at: Time) {
        let mut op = Op::new(Kind::IdentityConfirmed, "", wallet, at).proof(proof).reference(id);
        op.cancel = self.rng.chance(35);
        self.push(op);
    }

    /// An event of support that may name an operation.
    fn naming(&mut self, kind: Kind, wallet: &str, id: &str, at: Time) {
        self.push(Op::new(kind, "", wallet, at).reference(id));
    }

    /// The next operation arrives when this time has come, if that is later than its own.
    fn arrives_after(&mut self, at: Time, later: Time) {
        self.delay = (later - at).max(0) + 1;
    }

    fn status(&mut self) -> &'static str {
        self.rng.one(&["identified", "identified", "identified", "unidentified", "unregistered"])
    }

    fn mrp(&self, at: Time) -> i64 {
        calendar::mrp(calendar::day(at)).unwrap_or(265_100)
    }

    /// A recent debit or credit of the wallet.
    fn recent(&mut self, wallet: &str) -> Option<String> {
        self.recent_of(wallet, Kind::is_money)
    }

    /// Something that an event may refer to: of the wallet, of another, or nothing.
    fn reference(&mut self, wallet: &str) -> String {
        let other = self.other(wallet);
        let found = match self.rng.below(10) {
            0 => None,
            1 => self.recent_of(&other, Kind::is_debit),
            2 => self.recent_of(wallet, |kind| kind == Kind::Login || kind.is_debit()),
            _ => self.recent_of(wallet, Kind::is_debit),
        };
        found.unwrap_or_else(|| "never-seen".to_owned())
    }

    fn recent_of(&mut self, wallet: &str, wanted: fn(Kind) -> bool) -> Option<String> {
        let own = |op: &&Op| op.wallet == wallet && wanted(op.kind);
        let recent: Vec<String> =
            self.ops.iter().rev().map(|(_, op)| op).filter(own).take(5).map(|op| op.id.clone()).collect();
        (!recent.is_empty()).then(|| recent[self.rng.below(recent.len())].clone())
    }

    /// Frees a wallet so that the next scenario meets an open one.
    fn relief(&mut self, wallet: &str) {
        if self.rng.chance(50) {
            self.put(Kind::WalletUnblock, wallet, self.now);
        }
        if self.rng.chance(60) {
            self.confirm(wallet, "identity_document", self.now);
        } else {
            let proof = self.rng.pick(&PROOFS);
            self.confirm(wallet, proof, self.now);
        }
        if self.rng.chance(40) {
            self.free(wallet);
        }
    }

    /// Lifts whatever restricts the wallet.
    fn free(&mut self, wallet: &str) {
        let at = self.now;
        self.put(Kind::WalletUnblock, wallet, at);
        self.put(Kind::SeizureLifted, wallet, at);
        for proof in ["facts_established", "mobile_contract", "pin", "agreed"] {
            self.confirm(wallet, proof, at);
        }
    }

    /// The same, mostly, before a scenario that needs an open wallet.
    fn free_first(&mut self, wallet: &str) {
        if self.rng.chance(70) {
            self.free(wallet);
        }
    }

    fn anything(&mut self, wallet: &str) {
        self.step();
        let at = self.now;
        match self.rng.below(18) {
            0..=3 => self.any_debit(wallet, at),
            4 => {
                let kind = self.rng.one(&[Kind::TopUp, Kind::Refund]);
                let amount = self.any_amount(at);
                let mut op = Op::new(kind, "", wallet, at).amount(amount);
                if self.rng.chance(50) {
                    op = op.status(self.status());
                    op.purpose = Some("salary".to_owned());
                }
                self.push(op);
            }
            5..=7 => self.any_login(wallet, at),
            8 => {
                let success = self.rng.chance(20);
                self.push(Op::new(Kind::SecretAnswer, "", wallet, at).outcome(success));
            }
            9..=10 => {
                let success = self.rng.chance(50);
                match self.recent(wallet) {
                    Some(id) if self.rng.chance(90) => {
                        self.pin(wallet, &id, success, at);
                    }
                    _ => {
                        self.push(Op::new(Kind::Pin, "", wallet, at).outcome(success));
                    }
                }
            }
            11..=12 => self.cancellations(wallet),
            13 => {
                let kinds = [
                    Kind::WalletBlock,
                    Kind::WalletUnblock,
                    Kind::OwnershipDisputed,
                    Kind::CashOutWrong,
                    Kind::DocumentsRefused,
                    Kind::Tampering,
                    Kind::SuspicionConfirmed,
                    Kind::Complaint,
                    Kind::SeizureOrdered,
                    Kind::SeizureLifted,
                    Kind::SeizureLifted,
                ];
                let kind = self.rng.one(&kinds);
                self.put(kind, wallet, at);
            }
            14 => {
                let ip = self.rng.one(&[KZ[0], KZ[1], FOREIGN[0], ANONYMOUS[0]]);
                self.push(Op::new(Kind::IpUnblock, "", wallet, at).ip(ip));
            }
            15 => {
                let kind = self.rng.one(&[Kind::OperationDisputed, Kind::CashOutWrong]);
                let id = self.reference(wallet);
                self.naming(kind, wallet, &id, at);
            }
            16 => {
                let (proof, id) = (self.rng.pick(&PROOFS), self.reference(wallet));
                self.settle(wallet, proof, &id, at);
            }
            _ => {
                let proof = self.rng.pick(&PROOFS);
                self.confirm(wallet, proof, at);
            }
        }
    }

    fn any_amount(&mut self, at: Time) -> i64 {
        let mrp = self.mrp(at);
        let thresholds = [
            100_000 * KZT,
            90_000 * KZT,
            50_000 * KZT,
            1_000_000 * KZT,
            100 * mrp,
            500 * mrp,
            3 * mrp,
            5_000 * KZT,
            5_000 * KZT,
            mrp,
        ];
        self.rng.one(&thresholds) + self.rng.one(&[0, 0, 1, -1])
    }

    fn any_debit(&mut self, wallet: &str, at: Time) {
        let amount = self.any_amount(at);
        let status = self.status();
        if self.rng.chance(40) {
            self.pay(wallet, status, amount, at);
            return;
        }
        let to = if self.rng.chance(10) { wallet.to_owned() } else { self.other(wallet) };
        let mut op = Op::new(Kind::Transfer, "", wallet, at).amount(amount);
        op = op.status(status).party("client", Some(&to));
        if self.rng.chance(50) {
            op = op.device(self.rng.one(&["d-1", "d-2"]));
        }
        if self.rng.chance(30) {
            op = op.ip(self.rng.one(&[KZ[0], KZ[1], FOREIGN[0], NOWHERE]));
        }
        self.push(op);
    }

    fn any_login(&mut self, wallet: &str, at: Time) {
        let success = self.rng.chance(50);
        let mut op = Op::new(Kind::Login, "", wallet, at).outcome(success);
        let addresses =
            [KZ[0], KZ[0], KZ[1], KZ[2], FOREIGN[0], FOREIGN[1], NOWHERE, HARMLESS[1], ANONYMOUS[0], ANONYMOUS[4]];
        if self.rng.chance(90) {
            op = op.ip(self.rng.one(&addresses));
        }
        if self.rng.chance(40) {
            op = op.device(self.rng.one(&["d-1", "d-2", "d-3"]));
        }
        self.push(op);
    }
}
