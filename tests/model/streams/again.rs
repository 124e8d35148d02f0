//! The same rule again, and liftings that come too early.

use super::{ANONYMOUS, FOREIGN, HOUR, KZ, KZT, Kind, MINUTE, Op, SECOND, Time, Weaver};

impl Weaver {
    /// Logins from two countries by turns: one block, extended again and again, in any order of arrival.
    pub(super) fn flips(&mut self, wallet: &str) {
        let start = self.now;
        let gap = self.rng.one(&[2 * SECOND, MINUTE, 40 * MINUTE]);
        let spread = self.rng.one(&[0, 0, 8 * MINUTE]);
        let mut at = start;
        for n in 0..self.rng.between(4, 9) {
            let ip = if n % 2 == 0 { KZ[0] } else { FOREIGN[0] };
            self.delay = self.rng.between(0, spread);
            self.login(wallet, ip, true, at);
            at += gap;
            if self.rng.chance(20) {
                let proof = self.rng_proof();
                let before = self.rng.one(&[0, gap, gap + 1]);
                self.confirm(wallet, proof, at - before);
            }
        }
        let last = at - gap;
        self.pay(wallet, "identified", 10 * KZT, last + SECOND);
        if self.rng.chance(50) {
            let end = last + 2 * HOUR;
            let odd = self.rng.one(&[-1, 0]);
            self.pay(wallet, "identified", 10 * KZT, end + odd);
        }
    }

    /// What was proved, asked for or ordered before the rule fired last arrives after it, and lifts nothing.
    pub(super) fn lifted_before(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (start, to) = (self.now, self.other(wallet));
        let last = start + HOUR;
        let between = start + self.rng.one(&[-MINUTE, 0, 30 * MINUTE, HOUR - 1, HOUR, HOUR]);
        match self.rng.below(6) {
            0 | 1 => {
                self.login(wallet, ANONYMOUS[0], true, start);
                self.transfer(wallet, &to, 1_000 * KZT, start);
                if self.rng.chance(70) {
                    self.login(wallet, ANONYMOUS[1], true, last);
                }
                self.arrives_after(between, last);
                let proof = self.rng_proof();
                self.confirm(wallet, proof, between);
            }
            2 => {
                self.put(Kind::WalletBlock, wallet, start);
                if self.rng.chance(70) {
                    self.put(Kind::WalletBlock, wallet, last);
                }
                self.arrives_after(between, last);
                self.put(Kind::WalletUnblock, wallet, between);
            }
            3 => {
                self.put(Kind::CashOutWrong, wallet, start);
                self.put(Kind::CashOutWrong, wallet, last);
                self.arrives_after(between, last);
                let proof = self.rng.one(&["identity_document", "mobile_contract", "agreed"]);
                self.confirm(wallet, proof, between);
            }
            4 => {
                let held = self.transfer(wallet, &to, 100_001 * KZT, last);
                self.arrives_after(between, last);
                if self.rng.chance(50) {
                    self.settle(wallet, "agreed", &held, between);
                } else {
                    self.confirm(wallet, "agreed", between);
                }
            }
            _ => {
                let ip = self.rng_kz();
                self.login(wallet, ip, true, start);
                self.login(wallet, FOREIGN[0], true, start + MINUTE);
                self.login(wallet, ip, true, last);
                self.arrives_after(between, last);
                self.confirm(wallet, "secret_answer", between);
            }
        }
        self.pay(wallet, "identified", KZT, last + SECOND);
    }

    /// The same for the block of an address, which another wallet extends.
    pub(super) fn address_lifted_before(&mut self, wallet: &str) {
        let ip = self.rng_kz();
        let other = self.other(wallet);
        let start = self.now;
        for n in 0..6 {
            self.login(wallet, ip, false, start + n * SECOND);
        }
        let last = start + 5 * SECOND;
        let odd = self.rng.one(&[-1, 0, 0, 1]);
        self.arrives_after(last + odd, last + MINUTE);
        self.push(Op::new(Kind::IpUnblock, "", &other, last + odd).ip(ip));
        self.login(&other, ip, true, last + 2 * MINUTE);
    }

    /// A block that has ended is replaced; a debit from before its end arrives after that.
    pub(super) fn replaced(&mut self, wallet: &str) {
        self.free_first(wallet);
        let start = self.now;
        self.login(wallet, KZ[0], true, start);
        let change = start + self.rng.one(&[SECOND, MINUTE]);
        self.login(wallet, FOREIGN[0], true, change);
        let end = change + 2 * HOUR;
        self.login(wallet, KZ[0], true, end);
        let at: Time = end - self.rng.one(&[1, SECOND, MINUTE]);
        self.arrives_after(at, end + SECOND);
        self.pay(wallet, "identified", KZT, at);
        let at = end + self.rng.one(&[0, MINUTE, 2 * HOUR - 1, 2 * HOUR]);
        self.pay(wallet, "identified", KZT, at);
    }
}
