//! Dense random streams: few wallets, times and amounts on the boundaries, and a scenario for each rule.

use super::calendar;
use super::naive::{FLAGGED_ACCOUNTS, FLAGGED_PHONES, FLAGGED_WALLETS, GeoMap, GeoRecord};
use super::op::{DAY, HOUR, Kind, MINUTE, MS, Op, SECOND, Time, read_time};
use crate::random::Random;

const KZT: i64 = 100;
const KZ: [&str; 3] = ["95.56.234.10", "95.56.234.11", "2a03:32c0::7"];
const FOREIGN: [&str; 2] = ["5.8.0.1", "78.46.0.1"];
const ANONYMOUS: [&str; 5] = ["185.220.101.1", "45.84.0.1", "45.85.0.1", "95.56.240.1", "198.51.100.9"];
/// Hosting alone and `is_anonymous` alone do not count.
const HARMLESS: [&str; 2] = ["78.46.0.1", "45.83.0.1"];
const NOWHERE: &str = "203.0.113.7";
const PROOFS: [&str; 5] = ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed"];

/// What the addresses of the streams are known for.
pub(crate) fn geo() -> GeoMap {
    let record = |address, country, flags| GeoRecord { address, country, flags };
    vec![
        record(KZ[0], Some("KZ"), &[]),
        record(KZ[1], Some("KZ"), &[]),
        record(KZ[2], Some("KZ"), &[]),
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
}

impl Stream {
    pub(crate) fn new(ops: Vec<Op>, rng: &mut Random) -> Self {
        let lines = ops.iter().map(|op| op.to_line(rng.next())).collect();
        Self { ops, lines }
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
    let ops = arrive(ops, &mut rng);
    Stream::new(ops, &mut rng)
}

/// Event order, or shuffled within the lateness; then some very late ones and some duplicates.
fn arrive(ops: Vec<(Time, Op)>, rng: &mut Random) -> Vec<Op> {
    let jitter = rng.one(&[0, 0, MINUTE, 10 * MINUTE]);
    let mut keyed: Vec<(Time, Op)> = ops.into_iter().map(|(key, op)| (key + rng.between(0, jitter), op)).collect();
    let very_late = rng.one(&[0, 0, 3, 10]);
    for (key, _) in &mut keyed {
        if rng.chance(very_late) {
            *key += rng.one(&[10 * MINUTE + 1, 11 * MINUTE, HOUR, 2 * HOUR, 70 * MINUTE, DAY]);
        }
    }
    let duplicates = rng.one(&[0, 2, 5]);
    let mut copies = Vec::new();
    for (key, op) in &keyed {
        if rng.chance(duplicates) {
            let mut copy = op.clone();
            if rng.chance(30) {
                spoil(&mut copy, rng);
            }
            // Whether an older id is remembered is asked only of what leaves nothing behind.
            let harmless = op.kind == Kind::TopUp && op.purpose.is_none();
            let delay = if harmless && rng.chance(70) {
                rng.one(&[DAY, DAY + 1, DAY - 1, 2 * DAY])
            } else {
                rng.one(&[0, 0, 1, MINUTE, HOUR])
            };
            copies.push((key + delay, copy));
        }
    }
    keyed.extend(copies);
    keyed.sort_by_key(|(key, _)| *key);
    let mut ops: Vec<Op> = keyed.into_iter().map(|(_, op)| op).collect();
    keep_ids_fresh(&mut ops);
    ops
}

/// A copy that arrives when its id may be forgotten would be a second operation of that id; only
/// plain top-ups, which no window of money remembers, may come back like that.
fn keep_ids_fresh(ops: &mut Vec<Op>) {
    let mut newest: std::collections::HashMap<String, Time> = std::collections::HashMap::new();
    let mut first: std::collections::HashMap<(String, String), bool> = std::collections::HashMap::new();
    ops.retain(|op| {
        let newest = newest.entry(op.wallet.clone()).or_insert(op.at);
        *newest = op.at.max(*newest);
        let harmless = op.kind == Kind::TopUp && op.purpose.is_none();
        let key = (op.wallet.clone(), op.id.clone());
        match first.get(&key) {
            None => {
                first.insert(key, harmless);
                true
            }
            Some(&harmless_first) => (harmless_first && harmless) || op.at >= *newest - DAY + 2 * HOUR,
        }
    });
}

/// Makes a duplicate conflict with its first.
fn spoil(op: &mut Op, rng: &mut Random) {
    match rng.below(4) {
        0 if op.amount.is_some() => op.amount = op.amount.map(|amount| amount + 1),
        1 if op.success.is_some() => op.success = op.success.map(|success| !success),
        2 => op.actor = Some("operator-7".to_owned()),
        _ => op.device = Some("d-other".to_owned()),
    }
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

const SCENARIOS: [Scenario; 30] = [
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
    Weaver::horizon,
    Weaver::login_ties,
];

impl Weaver {
    fn weave(&mut self, favourite: usize) {
        let wallet = self.wallet();
        let before = self.now;
        match self.rng.below(10) {
            0..=3 => {
                let scenario = SCENARIOS[self.rng.below(SCENARIOS.len())];
                scenario(self, &wallet);
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

    fn status(&mut self) -> &'static str {
        self.rng.one(&["identified", "identified", "identified", "unidentified", "unregistered"])
    }

    fn mrp(&self, at: Time) -> i64 {
        calendar::mrp(calendar::day(at)).unwrap_or(265_100)
    }

    /// A recent debit or credit of the wallet.
    fn recent(&mut self, wallet: &str) -> Option<String> {
        let own = |op: &&Op| op.wallet == wallet && op.kind.is_money();
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
            self.put(Kind::WalletUnblock, wallet, self.now);
            self.confirm(wallet, "mobile_contract", self.now);
            self.confirm(wallet, "pin", self.now);
            self.confirm(wallet, "agreed", self.now);
        }
    }

    fn anything(&mut self, wallet: &str) {
        self.step();
        let at = self.now;
        match self.rng.below(16) {
            0..=3 => self.any_debit(wallet, at),
            4 => {
                let kind = self.rng.one(&[Kind::TopUp, Kind::Refund]);
                let amount = self.any_amount(at);
                self.push(Op::new(kind, "", wallet, at).amount(amount));
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
                ];
                let kind = self.rng.one(&kinds);
                self.put(kind, wallet, at);
            }
            14 => {
                let ip = self.rng.one(&[KZ[0], KZ[1], FOREIGN[0], ANONYMOUS[0]]);
                self.push(Op::new(Kind::IpUnblock, "", wallet, at).ip(ip));
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

    // ---- one scenario for each rule ----

    fn big_transfers(&mut self, wallet: &str) {
        let to = self.other(wallet);
        for _ in 0..4 {
            let amount = 100_000 * KZT + self.rng.between(-1, 1);
            let id = self.transfer(wallet, &to, amount, self.now);
            if self.rng.chance(30) {
                self.pay(wallet, "identified", 150_000 * KZT, self.now);
            }
            if self.rng.chance(40) {
                self.pin(wallet, &id, true, self.now + SECOND);
            }
            if self.rng.chance(30) {
                let proof = self.rng.pick(&PROOFS);
                self.confirm(wallet, proof, self.now + SECOND);
            }
        }
    }

    fn equal_transfers(&mut self, wallet: &str) {
        let to = self.other(wallet);
        let start = self.now;
        let amount = self.rng.one(&[1_000, 2_000, 5_000]) * KZT;
        let mut times: Vec<Time> = (0..10).map(|n| start + n * 5 * MINUTE).collect();
        times.push(start + HOUR + self.rng.hair());
        times.push(start + HOUR + 5 * MINUTE + self.rng.hair());
        for (n, at) in times.into_iter().enumerate() {
            let odd = n == 7 && self.rng.chance(10);
            let id = self.transfer(wallet, &to, amount + i64::from(odd), at);
            if n == 3 && self.rng.chance(20) {
                self.cancel(wallet, &id, at + SECOND);
                self.transfer(wallet, &to, amount, at + SECOND);
            }
        }
        self.pay(wallet, "identified", KZT, self.now);
    }

    fn anonymizer(&mut self, wallet: &str) {
        let near = self.rng.chance(30);
        let ip = if near { self.rng.pick(&HARMLESS) } else { self.rng.pick(&ANONYMOUS) };
        self.login(wallet, ip, true, self.now);
        let to = self.other(wallet);
        self.transfer(wallet, &to, 1_000 * KZT, self.now);
        self.transfer(wallet, &to, 150_000 * KZT, self.now + MINUTE);
        if self.rng.chance(60) {
            let proof = self.rng.pick(&PROOFS);
            self.confirm(wallet, proof, self.now + 32 * MINUTE);
        }
    }

    fn country_change(&mut self, wallet: &str) {
        let start = self.now;
        let ip = self.rng_kz();
        self.login(wallet, ip, true, start);
        if self.rng.chance(30) {
            self.login(wallet, NOWHERE, true, start + HOUR);
        }
        let change = start + 2 * HOUR + self.rng.hair();
        self.login(wallet, FOREIGN[0], true, change);
        // A login of the same minute that may overtake it.
        if self.rng.chance(40) {
            let back = change + self.rng.one(&[-MINUTE, MINUTE, 0]);
            self.login(wallet, KZ[0], true, back);
        }
        self.pay(wallet, "identified", 10 * KZT, change + MINUTE);
        if self.rng.chance(40) {
            let to = self.other(wallet);
            self.transfer(wallet, &to, 100_000 * KZT + 1, change + MINUTE);
        }
        if self.rng.chance(40) {
            let proof = self.rng.pick(&PROOFS);
            self.confirm(wallet, proof, change + HOUR);
        }
        let end = change + 2 * HOUR;
        let odd = self.rng.one(&[0, -1, -MS]);
        self.pay(wallet, "identified", 10 * KZT, end + odd);
        self.pay(wallet, "identified", 10 * KZT, end);
        if self.rng.chance(30) {
            self.put(Kind::DocumentsRefused, wallet, end);
        }
    }

    fn rng_kz(&mut self) -> &'static str {
        self.rng.one(&KZ)
    }

    fn daily_total(&mut self, wallet: &str) {
        if self.rng.chance(40) {
            self.now = calendar::day_end(calendar::day(self.now)) + self.rng.hair();
        }
        let limit = 100 * self.mrp(self.now);
        let part = self.rng.between(limit / 4, limit / 2);
        let odd = self.rng.between(-1, 1);
        self.pay(wallet, "identified", part, self.now);
        self.pay(wallet, "identified", limit - part + odd, self.now + SECOND);
        let over = self.pay(wallet, "identified", 1, self.now + SECOND);
        self.block_sometimes(wallet);
        if self.rng.chance(70) {
            self.pin(wallet, &over, false, self.now + SECOND);
        }
        if self.rng.chance(30) {
            let id = self.pay(wallet, "identified", 2 * KZT, self.now);
            self.pin(wallet, &id, false, self.now + SECOND);
        }
        if self.rng.chance(20) {
            self.put(Kind::OwnershipDisputed, wallet, self.now);
        }
        if self.rng.chance(80) {
            self.pin(wallet, &over, true, self.now + SECOND);
            self.pay(wallet, "identified", 200_000 * KZT, self.now + SECOND);
        }
        if self.rng.chance(40) {
            self.now = calendar::day_end(calendar::day(self.now)) + self.rng.hair();
            let limit = 100 * self.mrp(self.now);
            let odd = self.rng.one(&[0, 1]);
            self.pay(wallet, "identified", limit + odd, self.now);
        }
    }

    /// A block while operations wait: what would be released is cancelled.
    fn block_sometimes(&mut self, wallet: &str) {
        if self.rng.chance(35) {
            let kinds = [Kind::WalletBlock, Kind::CashOutWrong, Kind::Tampering];
            let kind = self.rng.one(&kinds);
            self.put(kind, wallet, self.now);
        }
    }

    fn wrong_passwords(&mut self, wallet: &str) {
        let ip = self.rng_kz();
        let tries = self.rng.between(5, 8);
        let mut at = self.now;
        for n in 0..tries {
            let day = n >= 2 && self.rng.chance(12);
            at += if day { DAY + self.rng.hair() } else { SECOND };
            self.login(wallet, ip, false, at);
            if self.rng.chance(6) {
                self.login(wallet, ip, true, at + 1);
            }
        }
        let other = self.other(wallet);
        self.login(&other, ip, true, at + MINUTE);
        if self.rng.chance(30) {
            self.push(Op::new(Kind::IpUnblock, "", &other, at + MINUTE).ip(ip));
            self.login(&other, ip, false, at + 2 * MINUTE);
        } else if self.rng.chance(60) {
            // The block began with one of the last attempts.
            for ago in 0..3 {
                let end = at + DAY - ago * SECOND;
                let odd = self.rng.one(&[-1, 0]);
                self.login(&other, ip, true, end + odd);
                self.login(wallet, ip, false, end);
            }
        }
    }

    fn wrong_secrets(&mut self, wallet: &str) {
        let mut at = self.now;
        for n in 0..self.rng.between(3, 9) {
            at += if n >= 2 && self.rng.chance(15) { DAY + self.rng.hair() } else { SECOND };
            let success = self.rng.chance(8);
            self.push(Op::new(Kind::SecretAnswer, "", wallet, at).outcome(success));
        }
    }

    fn voluntary_block(&mut self, wallet: &str) {
        let other = self.other(wallet);
        let at = self.now;
        self.transfer(wallet, &other, 100_001 * KZT, at);
        self.put(Kind::WalletBlock, wallet, at);
        if self.rng.chance(40) {
            self.put(Kind::WalletBlock, &other, at);
        }
        self.pay(wallet, "identified", KZT, at);
        self.push(Op::new(Kind::TopUp, "", wallet, at).amount(KZT));
        self.transfer(&other, wallet, 1_000 * KZT, at + SECOND);
        self.transfer(wallet, wallet, 1_000 * KZT, at + SECOND);
        let op = Op::new(Kind::Payment, "", &other, at + SECOND).amount(KZT);
        self.push(op.status("identified").party("merchant", Some(wallet)));
        self.confirm(wallet, "identity_document", at + MINUTE);
        self.put(Kind::WalletUnblock, wallet, at + MINUTE);
        self.transfer(&other, wallet, 1_000 * KZT, at + MINUTE);
    }

    fn ownership(&mut self, wallet: &str) {
        let at = self.now;
        let other = self.other(wallet);
        self.transfer(wallet, &other, 100_000 * KZT + 1, at);
        self.put(Kind::OwnershipDisputed, wallet, at);
        self.pay(wallet, "identified", KZT, at);
        self.push(Op::new(Kind::TopUp, "", wallet, at + 1).amount(KZT));
        if self.rng.chance(30) {
            self.pay(wallet, "identified", KZT, at + 61 * DAY);
        }
        self.confirm(wallet, "pin", self.now + MINUTE);
        self.block_sometimes(wallet);
        let proof = self.rng.one(&["identity_document", "mobile_contract", "agreed"]);
        self.confirm(wallet, proof, self.now + MINUTE);
    }

    fn cash_out_wrong(&mut self, wallet: &str) {
        let at = self.now;
        self.put(Kind::CashOutWrong, wallet, at);
        self.pay(wallet, "identified", KZT, at);
        if self.rng.chance(30) {
            let odd = self.rng.one(&[0, -1, 1]);
            self.put(Kind::CashOutWrong, wallet, at + odd);
        }
        if self.rng.chance(50) {
            let end = calendar::plus_days(at, 30);
            let odd = self.rng.one(&[-1, -MS]);
            self.pay(wallet, "identified", KZT, end + odd);
            self.pay(wallet, "identified", KZT, end);
            self.put(Kind::DocumentsRefused, wallet, end);
        }
    }

    fn fraud(&mut self, wallet: &str) {
        let at = self.now;
        let other = self.other(wallet);
        self.transfer(wallet, &other, 120_000 * KZT, at);
        let sources =
            ["client", "support", "issuer", "payment_system", "antifraud_centre", "law_enforcement", "ledger"];
        let source = self.rng.one(&sources);
        self.push(Op::new(Kind::FraudReported, "", wallet, at).source(source));
        self.pay(wallet, "identified", KZT, at);
        let proof = self.rng_proof();
        self.confirm(wallet, proof, at + 1);
        if self.rng.chance(40) {
            let end = calendar::plus_months(at, 6);
            let odd = self.rng.one(&[-1, -HOUR]);
            self.pay(wallet, "identified", KZT, end + odd);
            self.pay(wallet, "identified", KZT, end);
        }
    }

    fn rng_proof(&mut self) -> &'static str {
        self.rng.pick(&PROOFS)
    }

    fn documents(&mut self, wallet: &str) {
        match self.rng.below(3) {
            0 => self.country_change(wallet),
            1 => self.anonymizer(wallet),
            _ => {}
        }
        self.put(Kind::DocumentsRefused, wallet, self.now);
        self.pay(wallet, "identified", KZT, self.now);
    }

    fn tampering(&mut self, wallet: &str) {
        let other = self.other(wallet);
        self.transfer(wallet, &other, 120_000 * KZT, self.now);
        self.put(Kind::Tampering, wallet, self.now);
        self.pay(wallet, "identified", KZT, self.now);
        // The hold goes, the block stays: what would be released is cancelled.
        let proof = self.rng_proof();
        self.confirm(wallet, proof, self.now + SECOND);
    }

    fn limits(&mut self, wallet: &str) {
        for _ in 0..4 {
            let status = self.rng.one(&["identified", "unidentified", "unregistered"]);
            let mrp = self.mrp(self.now);
            let times = self.rng.one(&[3, 100, 500]);
            let amount = times * mrp + self.rng.one(&[0, 0, 1, -1]);
            self.pay(wallet, status, amount, self.now);
            self.step();
        }
        // What was refused is not in the day's sum.
        self.pay(wallet, "unidentified", self.mrp(self.now), self.now);
        self.pay(wallet, "unidentified", 2 * self.mrp(self.now), self.now);
        self.pay(wallet, "unidentified", 1, self.now);
    }

    fn flagged(&mut self, wallet: &str) {
        let at = self.now;
        let mut op = Op::new(Kind::Payment, "", wallet, at).amount(1_000 * KZT);
        op = op.status("identified").party("merchant", None);
        let mut party = op.party.clone().expect("just set");
        match self.rng.below(5) {
            0 => party.wallet = Some(FLAGGED_WALLETS[0].to_owned()),
            1 => party.account = Some(FLAGGED_ACCOUNTS[0].to_owned()),
            2 => party.phone = Some(FLAGGED_PHONES[0].to_owned()),
            3 => party.account = Some(FLAGGED_PHONES[0].to_owned()),
            _ => party.phone = Some(FLAGGED_ACCOUNTS[0].to_owned()),
        }
        op.party = Some(party);
        self.push(op);
        self.transfer(wallet, FLAGGED_WALLETS[0], 1_000 * KZT, at + SECOND);
        let listed = FLAGGED_WALLETS[1];
        self.pay(listed, "identified", 1_000 * KZT, at + SECOND);
        self.push(Op::new(Kind::TopUp, "", listed, at + SECOND).amount(1_000 * KZT));
        if self.rng.chance(40) {
            let proof = self.rng_proof();
            self.confirm(listed, proof, at + MINUTE);
            self.pay(listed, "identified", 600 * self.mrp(at), at + MINUTE);
            self.pay(listed, "identified", 1_000 * KZT, at + MINUTE);
        }
    }

    fn gambling(&mut self, wallet: &str) {
        for _ in 0..3 {
            let kind = self.rng.one(&[Kind::TopUp, Kind::Refund]);
            let amount = 1_000_000 * KZT + self.rng.between(-1, 1);
            let mut op = Op::new(kind, "", wallet, self.now).amount(amount);
            let purpose = self.rng.one(&["gambling_payout", "gambling_payout", "salary"]);
            op.purpose = Some(purpose.to_owned());
            self.push(op);
        }
    }

    fn structuring(&mut self, wallet: &str) {
        let to = self.other(wallet);
        let start = self.now;
        let end = start + DAY + self.rng.hair();
        for at in [start, start + 3 * HOUR, end, end + MINUTE] {
            let edges = [90_000 * KZT, 100_000 * KZT, 95_000 * KZT];
            let amount = self.rng.one(&edges) + self.rng.one(&[0, 0, 0, 1, -1]);
            self.transfer(wallet, &to, amount, at);
        }
    }

    fn mule(&mut self, wallet: &str) {
        let start = self.now;
        let end = start + HOUR + self.rng.hair();
        for n in 1..=5 {
            let sender = format!("7702000000{n}");
            let amount = 10_000 * KZT;
            let at = if n == 1 { start } else { start + n * 10 * MINUTE };
            self.transfer(&sender, wallet, amount, at);
        }
        let odd = self.rng.between(-1, 1);
        self.pay(wallet, "identified", 30_000 * KZT, end - 20 * MINUTE);
        self.pay(wallet, "identified", 10_000 * KZT + odd, end);
    }

    fn device_wallets(&mut self, wallet: &str) {
        let start = self.now;
        let end = start + DAY + self.rng.hair();
        let device = self.rng.one(&["d-shared-1", "d-shared-2"]);
        for (n, at) in [start, start + HOUR, start + 2 * HOUR].into_iter().enumerate() {
            let user = format!("7703000000{n}");
            let op = Op::new(Kind::Login, "", &user, at).ip(KZ[1]).outcome(true);
            self.push(op.device(device));
        }
        for at in [end, end + SECOND] {
            let op = Op::new(Kind::Login, "", wallet, at).ip(KZ[1]).outcome(true);
            self.push(op.device(device));
        }
    }

    fn new_device(&mut self, wallet: &str) {
        let device = format!("d-new-{}", self.made);
        let to = self.other(wallet);
        self.transfer(wallet, &to, KZT, self.now);
        let start = self.now + DAY + self.rng.hair();
        let first = Op::new(Kind::Login, "", wallet, start).ip(KZ[0]).outcome(true);
        self.push(first.device(&device));
        let amount = 50_000 * KZT + self.rng.one(&[0, 1, 1]);
        let at = start + self.rng.one(&[0, DAY, DAY]) + self.rng.hair();
        let op = Op::new(Kind::Transfer, "", wallet, at).amount(amount);
        let op = op.status("identified").party("client", Some(&to));
        self.push(op.device(&device));
    }

    fn suspicions(&mut self, wallet: &str) {
        let to = self.other(wallet);
        let start = self.now;
        let end = start + DAY + self.rng.hair();
        for at in [start, start + HOUR, end] {
            let odd = self.rng.one(&[1, 1, 1, 0]);
            self.transfer(wallet, &to, 100_000 * KZT + odd, at);
        }
        if self.rng.chance(40) {
            self.login(wallet, ANONYMOUS[0], true, end);
        }
    }

    /// An operation that belongs to the edge of a window, a day or a restriction but arrives after a newer
    /// one has moved the wallet to where that is just kept, or just gone.
    fn lateness(&mut self, wallet: &str) {
        let start = self.now;
        let other = self.other(wallet);
        let amount = 3_000 * KZT + i64::try_from(self.made).expect("a small number");
        let case = self.rng.below(8);
        let (edge, reach) = match case {
            0 => (start + HOUR, HOUR),
            1 | 2 => (start + 2 * HOUR, 2 * HOUR),
            3..=6 => (start + DAY, DAY),
            _ => {
                let end = calendar::day_end(calendar::day(start));
                (end - 1, end - start)
            }
        };
        match case {
            0 => (0..10).for_each(|_| {
                self.transfer(wallet, &other, amount, start);
            }),
            1 => {
                self.login(wallet, KZ[0], true, start);
            }
            2 => {
                self.login(wallet, KZ[0], true, start - MINUTE);
                self.login(wallet, FOREIGN[0], true, start);
            }
            3 => (0..6).for_each(|_| {
                self.login(wallet, KZ[0], false, start);
            }),
            4 => (0..3).for_each(|_| {
                self.push(Op::new(Kind::SecretAnswer, "", wallet, start).outcome(false));
            }),
            5 => {
                self.transfer(wallet, &other, 100_000 * KZT, start);
                self.transfer(wallet, &other, 100_000 * KZT, start);
            }
            6 => {
                self.login(wallet, ANONYMOUS[0], true, start);
                self.login(wallet, ANONYMOUS[0], true, start);
            }
            _ => {
                let limit = 100 * self.mrp(start);
                self.pay(wallet, "identified", limit, start);
            }
        }
        let newest = start + reach + 10 * MINUTE + self.rng.hair();
        if case == 3 {
            self.login(&other, KZ[0], true, newest);
        } else {
            self.push(Op::new(Kind::TopUp, "", wallet, newest).amount(KZT));
        }
        let at = edge - self.rng.one(&[0, 0, 1]);
        self.delay = newest - at;
        match case {
            0 => self.transfer(wallet, &other, amount, at),
            1 => self.login(wallet, FOREIGN[0], true, at),
            3 => self.login(wallet, KZ[0], false, at),
            4 => self.push(Op::new(Kind::SecretAnswer, "", wallet, at).outcome(false)),
            5 => self.transfer(wallet, &other, 100_000 * KZT, at),
            6 => self.login(wallet, ANONYMOUS[0], true, at),
            _ => self.pay(wallet, "identified", KZT, at),
        };
    }

    /// The same for windows that wallets share.
    fn shared_lateness(&mut self, wallet: &str) {
        let start = self.now;
        let device = format!("d-late-{}", self.made);
        let by_device = self.rng.chance(50);
        let (span, others) = if by_device { (DAY, 3) } else { (HOUR, 5) };
        let use_it = |user: &str, at: Time| {
            if by_device {
                let op = Op::new(Kind::Login, "", user, at).ip(KZ[1]);
                op.outcome(true).device(&device)
            } else {
                let op = Op::new(Kind::Transfer, "", user, at).amount(1_000 * KZT);
                op.status("identified").party("client", Some(wallet))
            }
        };
        for n in 1..=others {
            self.push(use_it(&format!("7704000000{n}"), start));
        }
        let newest = start + span + 10 * MINUTE + self.rng.hair();
        self.push(use_it("77040000001", newest));
        let at = start + span - self.rng.one(&[0, 0, 1]);
        self.delay = newest - at;
        if by_device {
            self.push(use_it(wallet, at));
        } else {
            self.pay(wallet, "identified", 4_000 * KZT, at);
        }
    }

    /// A top-up that comes again when its id is just remembered, or just forgotten.
    fn horizon(&mut self, wallet: &str) {
        let start = self.now;
        let first = Op::new(Kind::TopUp, "", wallet, start).amount(KZT);
        self.push(first);
        let newest = start + DAY + self.rng.hair();
        self.push(Op::new(Kind::Refund, "", wallet, newest).amount(KZT));
        let mut copy = self.ops[self.ops.len() - 2].1.clone();
        if self.rng.chance(30) {
            copy.amount = Some(2 * KZT);
        }
        self.ops.push((newest, copy));
    }

    /// Two logins at one instant: the one that arrived later is remembered.
    fn login_ties(&mut self, wallet: &str) {
        let at = self.now;
        self.login(wallet, KZ[0], true, at);
        self.login(wallet, FOREIGN[0], true, at);
        let ip = self.rng.one(&[KZ[0], FOREIGN[0]]);
        self.login(wallet, ip, true, at + MINUTE);
    }

    fn cancel(&mut self, wallet: &str, id: &str, at: Time) {
        let op = Op::new(Kind::Cancelled, "", wallet, at).reference(id);
        self.push(op);
    }

    fn cancellations(&mut self, wallet: &str) {
        let at = self.now;
        match self.rng.below(8) {
            0 => self.cancel(wallet, "never-seen", at),
            1 => {
                // Not yet arrived: the next operation but one of this stream.
                let id = format!("op-{}", self.made + 2);
                self.cancel(wallet, &id, at);
                self.any_debit(wallet, at + SECOND);
            }
            2 => {
                let other = self.other(wallet);
                if let Some(id) = self.recent(&other) {
                    self.cancel(wallet, &id, at);
                }
            }
            3 => {
                // Half of the day's limit and its cancellation, then the whole limit.
                let limit = 100 * self.mrp(at);
                let id = self.pay(wallet, "identified", limit / 2, at);
                self.cancel(wallet, &id, at + SECOND);
                self.pay(wallet, "identified", limit, at + SECOND);
            }
            4 => {
                // A waiting operation is cancelled before its monitoring is lifted.
                let to = self.other(wallet);
                self.login(wallet, ANONYMOUS[0], true, at);
                let id = self.transfer(wallet, &to, 100_001 * KZT, at + 1);
                self.transfer(wallet, &to, 100_001 * KZT, at + 1);
                self.cancel(wallet, &id, at + 2);
                self.confirm(wallet, "pin", at + 3);
            }
            _ => {
                if let Some(id) = self.recent(wallet) {
                    self.cancel(wallet, &id, at);
                }
            }
        }
    }
}

/// Money operations of wallets without restrictions, pins or cancellations, within one evening.
pub(crate) fn money_only(seed: u64) -> Vec<Op> {
    let mut rng = Random(seed);
    let mut ops = Vec::new();
    let wallets = ["77010000001", "77010000002", "77010000003"];
    let start = read_time(rng.pick(&STARTS));
    let mrp = calendar::mrp(calendar::day(start)).unwrap_or(265_100);
    let mut at = start;
    for n in 0..80 {
        at += rng.one(&[0, 1, MS, SECOND, MINUTE, MINUTE, 5 * MINUTE, 10 * MINUTE]);
        if rng.chance(3) {
            at = calendar::day_end(calendar::day(at)) + rng.hair();
        }
        let wallet = rng.pick(&wallets);
        let to = rng.pick(&wallets);
        let amounts = [5_000 * KZT, 5_000 * KZT, 90_000 * KZT, 100_000 * KZT, 10 * mrp, 3 * mrp];
        let amount = rng.one(&amounts);
        let kind = rng.one(&[Kind::Transfer, Kind::Transfer, Kind::Transfer, Kind::Payment]);
        let op = Op::new(kind, &format!("m-{n}"), wallet, at).amount(amount);
        let status = rng.one(&["identified", "identified", "unidentified"]);
        let party = if kind == Kind::Transfer { "client" } else { "merchant" };
        ops.push(op.status(status).party(party, Some(to)));
    }
    ops
}

/// The same operations, each at most the allowed lateness behind the newest that arrived before it.
pub(crate) fn shuffled(ops: &[Op], seed: u64) -> Vec<Op> {
    let mut rng = Random(seed ^ 0x5eed);
    let mut keyed: Vec<(Time, Op)> = ops.iter().map(|op| (op.at + rng.between(0, 10 * MINUTE), op.clone())).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, op)| op).collect()
}
