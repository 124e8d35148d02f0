//! What arrives late, or again.

use super::super::calendar;
use super::{ANONYMOUS, DAY, FOREIGN, HOUR, KZ, KZT, Kind, MINUTE, Op, Time, Weaver};

impl Weaver {
    /// An operation that belongs to the edge of a window, a day or a restriction but arrives after a newer
    /// one has moved the wallet to where that is just kept, or just gone.
    pub(super) fn lateness(&mut self, wallet: &str) {
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
    pub(super) fn shared_lateness(&mut self, wallet: &str) {
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
    pub(super) fn horizon(&mut self, wallet: &str) {
        let start = self.now;
        let first = Op::new(Kind::TopUp, "", wallet, start).amount(KZT);
        self.push(first);
        let newest = start + DAY + self.rng.one(&[0, 0, 10 * MINUTE]) + self.rng.hair();
        self.push(Op::new(Kind::Refund, "", wallet, newest).amount(KZT));
        let mut copy = self.ops[self.ops.len() - 2].1.clone();
        if self.rng.chance(30) {
            copy.amount = Some(2 * KZT);
        }
        self.ops.push((newest, copy));
    }

    /// Something else happens, and amid it one operation, or two in a row, with a clock that is far ahead.
    pub(super) fn far_ahead(&mut self, wallet: &str) {
        let before = self.ops.len();
        self.scenario(wallet);
        if self.ops.len() == before {
            return;
        }
        let position = before + self.rng.below(self.ops.len() - before);
        let (arrival, at) = (self.ops[position].0 + self.rng.one(&[-1, 1]), self.ops[position].1.at);
        let at = at + self.rng.one(&[DAY, DAY + HOUR, 2 * DAY, 3 * DAY, 30 * DAY, 25_000 * DAY]) + self.rng.hair();
        let (latest, now) = (self.latest, self.now);
        for _ in 0..self.rng.one(&[1, 1, 1, 2]) {
            self.wrong_clock(wallet, at);
            if let Some((key, _)) = self.ops.last_mut() {
                *key = arrival;
            }
        }
        (self.latest, self.now) = (latest, now);
    }

    fn wrong_clock(&mut self, wallet: &str, at: Time) {
        match self.rng.below(9) {
            0 => self.login(wallet, KZ[1], true, at),
            1 => self.login(wallet, FOREIGN[0], true, at),
            2 | 3 => self.login(wallet, KZ[1], false, at),
            4 => self.push(Op::new(Kind::SecretAnswer, "", wallet, at).outcome(false)),
            5 => {
                let other = self.other(wallet);
                self.transfer(wallet, &other, 100_000 * KZT + 1, at)
            }
            6 => self.put(Kind::FraudReported, wallet, at),
            7 => self.pay(wallet, "identified", 3_000 * KZT, at),
            _ => self.push(Op::new(Kind::TopUp, "", wallet, at).amount(KZT)),
        };
    }
}
