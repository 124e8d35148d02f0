//! What waits, and what the owner, the PIN and the blocks make of it.

use super::super::calendar;
use super::{ANONYMOUS, ENDING, ENDLESS, KZT, Kind, MINUTE, Op, PROOFS, SECOND, Time, Weaver};

const LISTED: &str = "KZ869125KZT1001300335";

impl Weaver {
    fn pay_to_listed(&mut self, wallet: &str, at: Time) -> String {
        let op = Op::new(Kind::Payment, "", wallet, at).amount(1_000 * KZT).status("identified");
        let mut op = op.party("merchant", None);
        if let Some(party) = &mut op.party {
            party.account = Some(LISTED.to_owned());
        }
        self.push(op)
    }

    /// Operations that wait for different things; the owner speaks of them one by one.
    pub(super) fn one_of_many(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (at, to) = (self.now, self.other(wallet));
        let mut waiting = vec![self.transfer(wallet, &to, 100_001 * KZT, at), self.pay_to_listed(wallet, at)];
        match self.rng.below(3) {
            0 => self.put(Kind::OwnershipDisputed, wallet, at),
            1 => self.login(wallet, ANONYMOUS[0], true, at),
            _ => String::new(),
        };
        waiting.push(self.pay(wallet, "identified", KZT, at + SECOND));
        waiting.push(self.transfer(wallet, &to, 100_001 * KZT, at + SECOND));
        if self.rng.chance(40) {
            let limit = 100 * self.mrp(at);
            waiting.push(self.pay(wallet, "identified", limit, at + SECOND));
        }
        waiting.push(self.transfer(&to, wallet, 100_001 * KZT, at));
        waiting.push("never-seen".to_owned());
        self.block_sometimes(wallet);
        let begun = self.now;
        for _ in 0..self.rng.between(2, 6) {
            let id = self.rng.one(&waiting.iter().collect::<Vec<_>>()).clone();
            let proof = self.rng.one(&["identity_document", "identity_document", "mobile_contract", "agreed", "pin"]);
            let when = begun + self.rng.one(&[0, SECOND, MINUTE, MINUTE]);
            let early = self.rng.chance(15);
            self.settle(wallet, proof, &id, if early { at } else { when });
        }
        if self.rng.chance(60) {
            let proof = self.rng.pick(&PROOFS);
            self.confirm(wallet, proof, self.now + SECOND);
        }
    }

    /// Under a block without an end what would be released goes on waiting; what comes then depends on what
    /// else has come meanwhile.
    pub(super) fn goes_on_waiting(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (at, to) = (self.now, self.other(wallet));
        if self.rng.chance(30) {
            self.login(wallet, ANONYMOUS[0], true, at);
        }
        let held = self.transfer(wallet, &to, 100_001 * KZT, at);
        let limit = 100 * self.mrp(at);
        let asked = self.pay(wallet, "identified", limit, at);
        for _ in 0..self.rng.between(1, 2) {
            let kind = self.rng.one(&ENDLESS);
            self.put(kind, wallet, at + SECOND);
        }
        if self.rng.chance(25) {
            let kind = self.rng.one(&ENDING[..2]);
            self.put(kind, wallet, at + SECOND);
        }
        let op = Op::new(Kind::IdentityConfirmed, "", wallet, at + MINUTE).proof("pin");
        let names = self.rng.chance(40);
        self.push(if names { op.reference(&held) } else { op });
        self.pin(wallet, &asked, true, at + MINUTE);
        if self.rng.chance(25) {
            let kind = self.rng.one(&[Kind::CashOutWrong, Kind::SuspicionConfirmed, Kind::WalletBlock]);
            let who = if self.rng.chance(50) { wallet } else { &to };
            self.put(kind, who, at + MINUTE);
        }
        if self.rng.chance(15) {
            self.settle(wallet, "facts_established", &held, at + MINUTE);
        }
        let later = at + 2 * MINUTE;
        self.put(Kind::WalletUnblock, wallet, later);
        self.put(Kind::SeizureLifted, wallet, later);
        for proof in ["identity_document", "facts_established"] {
            if self.rng.chance(80) {
                self.confirm(wallet, proof, later);
            }
        }
    }

    /// Money waits for a wallet that takes none any more.
    pub(super) fn recipient_blocked(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (at, to) = (self.now, self.other(wallet));
        let kind = self.rng.one(&[Kind::WalletBlock, Kind::FraudReported, Kind::Tampering, Kind::SeizureOrdered]);
        let earlier = self.rng.chance(20);
        if !earlier {
            self.transfer(wallet, &to, 100_001 * KZT, at);
        }
        self.login(wallet, ANONYMOUS[0], true, at);
        self.transfer(wallet, &to, 1_000 * KZT, at);
        self.transfer(wallet, wallet, 1_000 * KZT, at);
        let op = Op::new(Kind::Payment, "", wallet, at).amount(KZT).status("identified");
        self.push(op.party("merchant", Some(&to)));
        self.put(kind, &to, at + SECOND);
        self.transfer(wallet, &to, 1_000 * KZT, at + SECOND);
        if self.rng.chance(20) {
            self.put(Kind::WalletUnblock, &to, at + 2 * SECOND);
        }
        if self.rng.chance(20) {
            self.put(Kind::WalletBlock, wallet, at + 2 * SECOND);
            self.transfer(wallet, wallet, KZT, at + 2 * SECOND);
        }
        let op = Op::new(Kind::IdentityConfirmed, "", wallet, at + MINUTE).proof("agreed");
        self.push(op);
        self.put(Kind::WalletUnblock, wallet, at + MINUTE);
    }

    /// Challenges on both sides of midnight, and PINs that answer one of them.
    pub(super) fn pins_of_a_day(&mut self, wallet: &str) {
        self.free_first(wallet);
        let midnight = calendar::day_end(calendar::day(self.now));
        let (evening, to) = (midnight - 20 * SECOND, self.other(wallet));
        let limit = 100 * self.mrp(evening);
        let mut asked = vec![self.pay(wallet, "identified", limit + 1, evening)];
        asked.push(self.pay(wallet, "identified", KZT, evening + SECOND));
        if self.rng.chance(50) {
            asked.push(self.transfer(wallet, &to, 100_001 * KZT, evening + SECOND));
        }
        let morning = midnight + self.rng.one(&[0, SECOND, 10 * SECOND]);
        if self.rng.chance(50) {
            asked.push(self.pay(wallet, "identified", limit + 1, morning));
        }
        self.block_sometimes(wallet);
        for _ in 0..self.rng.between(1, 3) {
            let at = self.rng.one(&[evening + 2 * SECOND, morning, morning + 10 * SECOND]);
            let id = self.rng.one(&asked.iter().collect::<Vec<_>>()).clone();
            let success = self.rng.chance(70);
            self.pin(wallet, &id, success, at);
            if self.rng.chance(40) {
                self.pay(wallet, "identified", 2 * KZT, evening + 3 * SECOND);
            }
        }
        self.pay(wallet, "identified", limit + 1, morning + MINUTE);
        if self.rng.chance(30) {
            let later = midnight + self.rng.one(&[MINUTE, 9 * MINUTE]);
            self.arrives_after(midnight - 1, later);
            self.pay(wallet, "identified", KZT, midnight - 1);
        }
    }

    /// PINs that answer nothing confirm nothing.
    pub(super) fn pins_for_nothing(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (at, to) = (self.now, self.other(wallet));
        let limit = 100 * self.mrp(at);
        let settled = self.pay(wallet, "identified", KZT, at);
        let held = self.transfer(wallet, &to, 100_001 * KZT, at);
        let foreign = self.pay(&to, "identified", limit + 1, at);
        for _ in 0..self.rng.between(1, 2) {
            let success = self.rng.chance(80);
            let id = self.rng.pick(&[settled.as_str(), held.as_str(), foreign.as_str(), "never-seen"]);
            if self.rng.chance(25) {
                self.push(Op::new(Kind::Pin, "", wallet, at + SECOND).outcome(success));
            } else {
                self.pin(wallet, id, success, at + SECOND);
            }
        }
        let over = self.pay(wallet, "identified", limit + 1, at + SECOND);
        self.pin(wallet, &over, true, at + MINUTE);
        self.pin(wallet, &over, self.made.is_multiple_of(2), at + MINUTE);
        self.pay(wallet, "identified", KZT, at + MINUTE);
    }
}
