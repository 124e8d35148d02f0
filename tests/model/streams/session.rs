//! Logins, PINs and debits from elsewhere.

use super::{DAY, FOREIGN, HOUR, KZT, Kind, MINUTE, MS, NOWHERE, Op, SECOND, TRIED, Time, Weaver};

impl Weaver {
    fn pay_from(&mut self, wallet: &str, ip: &str, at: Time) -> String {
        let op = Op::new(Kind::Payment, "", wallet, at).amount(10 * KZT).status("identified");
        self.push(op.party("merchant", None).ip(ip))
    }

    /// Debits from another country than the login's, about two hours after it.
    pub(super) fn abroad(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (start, to) = (self.now, self.other(wallet));
        let home = self.rng_kz();
        self.login(wallet, home, true, start);
        if self.rng.chance(30) {
            self.transfer(wallet, &to, 100_001 * KZT, start + MINUTE);
        }
        if self.rng.chance(30) {
            self.pay_from(wallet, NOWHERE, start + HOUR);
            self.pay_from(wallet, home, start + HOUR);
        }
        let change = start + 2 * HOUR + self.rng.hair();
        if self.rng.chance(50) {
            self.pay_from(wallet, FOREIGN[0], change);
        } else {
            let op = Op::new(Kind::Transfer, "", wallet, change).amount(1_000 * KZT).status("identified");
            self.push(op.party("client", Some(&to)).ip(FOREIGN[0]));
        }
        self.pay(wallet, "identified", 10 * KZT, change + MINUTE);
        if self.rng.chance(40) {
            // Again, and once more behind the first in time.
            self.login(wallet, home, true, change + MINUTE);
            self.pay_from(wallet, FOREIGN[0], change + 2 * MINUTE);
            self.arrives_after(change + 90 * SECOND, change + 2 * MINUTE);
            self.pay_from(wallet, FOREIGN[1], change + 90 * SECOND);
        }
        if self.rng.chance(40) {
            let proof = self.rng_proof();
            let at = change + self.rng.one(&[-MINUTE, 0, 2 * MINUTE, HOUR]);
            self.arrives_after(at, change + MINUTE);
            self.confirm(wallet, proof, at);
        }
        let end = change + 2 * HOUR;
        let odd = self.rng.one(&[-1, -MS]);
        self.pay(wallet, "identified", 10 * KZT, end + odd);
        self.pay(wallet, "identified", 10 * KZT, end);
    }

    pub(super) fn pin_run(&mut self, wallet: &str) {
        let mut at = self.now;
        for n in 0..self.rng.between(4, 8) {
            at += if n >= 2 && self.rng.chance(15) { DAY + self.rng.hair() } else { SECOND };
            let success = self.rng.chance(6);
            self.push(Op::new(Kind::Pin, "", wallet, at).outcome(success));
        }
    }

    /// Many wallets fail from one address, the first and the last about an hour apart.
    pub(super) fn address_tries(&mut self, wallet: &str) {
        let start = self.now;
        let end = start + HOUR + self.rng.hair();
        for n in 0..10 {
            let user = format!("7705000000{n}");
            let at = if n == 0 { start } else { start + n * 5 * MINUTE };
            self.login(&user, TRIED, false, at);
        }
        self.login(wallet, TRIED, false, end);
        self.login("77050000010", TRIED, false, end + SECOND);
    }
}
