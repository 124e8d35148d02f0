//! A scenario for each rule: around its boundary, and past it.

use super::super::calendar;
use super::{
    ANONYMOUS, DAY, ENDING, ENDLESS, FOREIGN, HARMLESS, HOUR, KZ, KZT, Kind, MINUTE, MS, NOWHERE, Op, PROOFS, SECOND,
    Time, Weaver,
};

/// Values of the model's lists as people write them, and others that are near.
const WALLETS: [&str; 3] = ["77090000001", "77010000006", "77090000002"];
const ACCOUNTS: [&str; 4] =
    ["KZ869125KZT1001300335", "kz86 9125 KZT1 0013 0033 5", "KZ869125KZT1001300999", "KZ869125KZT1001300336"];
const PHONES: [&str; 6] =
    ["+77770000001", "77770000001", "+7 777 000-00-01", "8 777 000 00 01", "+7 (777) 000-00-02", "77770000003"];

impl Weaver {
    pub(super) fn big_transfers(&mut self, wallet: &str) {
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

    pub(super) fn equal_transfers(&mut self, wallet: &str) {
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

    pub(super) fn anonymizer(&mut self, wallet: &str) {
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

    pub(super) fn country_change(&mut self, wallet: &str) {
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

    pub(super) fn rng_kz(&mut self) -> &'static str {
        self.rng.one(&KZ)
    }

    pub(super) fn daily_total(&mut self, wallet: &str) {
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

    /// A block while operations wait: what would be released waits on, or is cancelled.
    pub(super) fn block_sometimes(&mut self, wallet: &str) {
        if self.rng.chance(35) {
            let kind = if self.rng.chance(50) { self.rng.one(&ENDLESS) } else { self.rng.one(&ENDING) };
            self.put(kind, wallet, self.now);
        }
    }

    pub(super) fn wrong_passwords(&mut self, wallet: &str) {
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

    pub(super) fn wrong_secrets(&mut self, wallet: &str) {
        let mut at = self.now;
        for n in 0..self.rng.between(3, 9) {
            at += if n >= 2 && self.rng.chance(15) { DAY + self.rng.hair() } else { SECOND };
            let success = self.rng.chance(8);
            self.push(Op::new(Kind::SecretAnswer, "", wallet, at).outcome(success));
        }
    }

    pub(super) fn voluntary_block(&mut self, wallet: &str) {
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

    pub(super) fn ownership(&mut self, wallet: &str) {
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

    pub(super) fn cash_out_wrong(&mut self, wallet: &str) {
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

    pub(super) fn fraud(&mut self, wallet: &str) {
        let at = self.now;
        let other = self.other(wallet);
        self.transfer(wallet, &other, 120_000 * KZT, at);
        let sources =
            ["client", "support", "issuer", "payment_system", "antifraud_centre", "law_enforcement", "ledger"];
        let source = self.rng.one(&sources);
        self.push(Op::new(Kind::FraudReported, "", wallet, at).source(source));
        self.pay(wallet, "identified", KZT, at);
        self.push(Op::new(Kind::TopUp, "", wallet, at).amount(KZT));
        self.transfer(&other, wallet, 1_000 * KZT, at + 1);
        if self.rng.chance(30) {
            self.naming(Kind::FraudReported, wallet, "never-seen", at + MINUTE);
        }
        for _ in 0..2 {
            let proof = self.rng_proof();
            self.confirm(wallet, proof, at + MINUTE);
        }
        self.transfer(&other, wallet, 1_000 * KZT, at + MINUTE);
        if self.rng.chance(40) {
            let end = calendar::plus_months(at, 6);
            let odd = self.rng.one(&[-1, -HOUR]);
            self.pay(wallet, "identified", KZT, end + odd);
            self.transfer(&other, wallet, 1_000 * KZT, end + odd);
            self.pay(wallet, "identified", KZT, end);
            self.transfer(&other, wallet, 1_000 * KZT, end);
        }
    }

    pub(super) fn rng_proof(&mut self) -> &'static str {
        self.rng.pick(&PROOFS)
    }

    pub(super) fn documents(&mut self, wallet: &str) {
        match self.rng.below(3) {
            0 => self.country_change(wallet),
            1 => self.anonymizer(wallet),
            _ => {}
        }
        self.put(Kind::DocumentsRefused, wallet, self.now);
        self.pay(wallet, "identified", KZT, self.now);
    }

    pub(super) fn tampering(&mut self, wallet: &str) {
        let other = self.other(wallet);
        self.transfer(wallet, &other, 120_000 * KZT, self.now);
        self.put(Kind::Tampering, wallet, self.now);
        self.pay(wallet, "identified", KZT, self.now);
        // The hold goes, the block stays: what would be released waits on.
        let proof = self.rng_proof();
        self.confirm(wallet, proof, self.now + SECOND);
    }

    pub(super) fn limits(&mut self, wallet: &str) {
        for _ in 0..4 {
            let status = self.rng.one(&["identified", "unidentified", "unregistered"]);
            let mrp = self.mrp(self.now);
            let times = self.rng.one(&[3, 100, 500]);
            let amount = times * mrp + self.rng.one(&[0, 0, 1, -1]);
            if self.rng.chance(30) {
                let mut op = Op::new(Kind::TopUp, "", wallet, self.now).amount(amount);
                op.purpose = Some("salary".to_owned());
                let says_whose = self.rng.chance(80);
                self.push(if says_whose { op.status(status) } else { op });
            } else {
                self.pay(wallet, status, amount, self.now);
            }
            self.step();
        }
        // What was refused is not in the day's sum.
        self.pay(wallet, "unidentified", self.mrp(self.now), self.now);
        self.pay(wallet, "unidentified", 2 * self.mrp(self.now), self.now);
        self.pay(wallet, "unidentified", 1, self.now);
    }

    pub(super) fn flagged(&mut self, wallet: &str) {
        let at = self.now;
        let mut op = Op::new(Kind::Payment, "", wallet, at).amount(1_000 * KZT);
        op = op.status("identified").party("merchant", None);
        let mut party = op.party.clone().expect("just set");
        let account = self.rng.pick(&ACCOUNTS).to_owned();
        let phone = self.rng.pick(&PHONES).to_owned();
        match self.rng.below(8) {
            0 => party.wallet = Some(self.rng.pick(&WALLETS).to_owned()),
            1 | 2 => party.account = Some(account),
            3..=5 => party.phone = Some(phone),
            6 => party.account = Some(phone),
            _ => party.phone = Some(account),
        }
        op.party = Some(party);
        let id = self.push(op);
        let proof = self.rng.one(&["pin", "identity_document", "agreed", "facts_established"]);
        if self.rng.chance(40) {
            self.settle(wallet, proof, &id, at + SECOND);
        } else if self.rng.chance(60) {
            self.confirm(wallet, proof, at + SECOND);
        }
        let to = self.rng.pick(&WALLETS);
        self.transfer(wallet, to, 1_000 * KZT, at + SECOND);
        let listed = WALLETS[1];
        self.pay(listed, "identified", 1_000 * KZT, at + SECOND);
        self.push(Op::new(Kind::TopUp, "", listed, at + SECOND).amount(1_000 * KZT));
        if self.rng.chance(40) {
            let proof = self.rng_proof();
            self.confirm(listed, proof, at + MINUTE);
            self.pay(listed, "identified", 600 * self.mrp(at), at + MINUTE);
            self.pay(listed, "identified", 1_000 * KZT, at + MINUTE);
        }
    }

    pub(super) fn gambling(&mut self, wallet: &str) {
        for _ in 0..3 {
            let kind = self.rng.one(&[Kind::TopUp, Kind::Refund]);
            let amount = 1_000_000 * KZT + self.rng.between(-1, 1);
            let mut op = Op::new(kind, "", wallet, self.now).amount(amount);
            let purpose = self.rng.one(&["gambling_payout", "gambling_payout", "salary"]);
            op.purpose = Some(purpose.to_owned());
            self.push(op);
        }
    }

    pub(super) fn structuring(&mut self, wallet: &str) {
        let to = self.other(wallet);
        let start = self.now;
        let end = start + DAY + self.rng.hair();
        for at in [start, start + 3 * HOUR, end, end + MINUTE] {
            let edges = [90_000 * KZT, 100_000 * KZT, 95_000 * KZT];
            let amount = self.rng.one(&edges) + self.rng.one(&[0, 0, 0, 1, -1]);
            self.transfer(wallet, &to, amount, at);
        }
    }

    pub(super) fn mule(&mut self, wallet: &str) {
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

    pub(super) fn device_wallets(&mut self, wallet: &str) {
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

    pub(super) fn new_device(&mut self, wallet: &str) {
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

    pub(super) fn suspicions(&mut self, wallet: &str) {
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

    /// Two logins at one instant: the one that arrived later is remembered.
    pub(super) fn login_ties(&mut self, wallet: &str) {
        let at = self.now;
        self.login(wallet, KZ[0], true, at);
        self.login(wallet, FOREIGN[0], true, at);
        let ip = self.rng.one(&[KZ[0], FOREIGN[0]]);
        self.login(wallet, ip, true, at + MINUTE);
    }

    pub(super) fn cancel(&mut self, wallet: &str, id: &str, at: Time) {
        let op = Op::new(Kind::Cancelled, "", wallet, at).reference(id);
        self.push(op);
    }

    pub(super) fn cancellations(&mut self, wallet: &str) {
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
