//! Disputes, complaints, arrests, and cash-outs whose details were wrong.

use super::{ANONYMOUS, DAY, HOUR, KZT, Kind, MINUTE, Op, SECOND, Time, Weaver};

impl Weaver {
    /// Operations of every fate are disputed, about a day after they occurred.
    pub(super) fn disputes(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (at, to) = (self.now, self.other(wallet));
        let mut known = vec![self.pay(wallet, "identified", KZT, at)];
        known.push(self.transfer(wallet, &to, 100_001 * KZT, at));
        let refused = 500 * self.mrp(at) + 1;
        known.push(self.pay(wallet, "identified", refused, at));
        known.push(self.pay(wallet, "identified", refused, at));
        known.push(self.login(wallet, super::KZ[0], true, at));
        known.push(self.pay(&to, "identified", KZT, at));
        known.push("never-seen".to_owned());
        if self.rng.chance(30) {
            let id = known[0].clone();
            self.cancel(wallet, &id, at + SECOND);
        }
        for _ in 0..self.rng.between(2, 4) {
            let id = self.rng.one(&known.iter().collect::<Vec<_>>()).clone();
            let after = self.rng.one(&[SECOND, HOUR, DAY, DAY, DAY, DAY + 1, -SECOND]) + self.rng.one(&[0, 0, 1]);
            let when: Time = at + after;
            self.arrives_after(when, at + SECOND);
            self.naming(Kind::OperationDisputed, wallet, &id, when);
        }
        self.pay(wallet, "identified", KZT, self.now);
        if self.rng.chance(60) {
            let proof = self.rng_proof();
            self.confirm(wallet, proof, self.now + SECOND);
        }
    }

    /// The dispute arrives when the operation is just remembered, or just forgotten.
    pub(super) fn late_dispute(&mut self, wallet: &str) {
        self.free_first(wallet);
        let start = self.now;
        let id = self.pay(wallet, "identified", KZT, start);
        let newest = start + DAY + 10 * MINUTE + self.rng.hair();
        self.push(Op::new(Kind::Refund, "", wallet, newest).amount(KZT));
        let at = start + DAY - self.rng.one(&[0, 1, MINUTE]);
        self.arrives_after(at, newest);
        self.naming(Kind::OperationDisputed, wallet, &id, at);
        self.confirm(wallet, "agreed", newest + SECOND);
    }

    pub(super) fn arrest(&mut self, wallet: &str) {
        let at = self.now;
        let to = self.other(wallet);
        self.transfer(wallet, &to, 100_001 * KZT, at);
        self.put(Kind::SeizureOrdered, wallet, at + SECOND);
        self.pay(wallet, "identified", KZT, at + SECOND);
        let proof = self.rng_proof();
        self.confirm(wallet, proof, at + MINUTE);
        if self.rng.chance(40) {
            self.put(Kind::SeizureOrdered, wallet, at + HOUR);
        }
        let lifted = at + self.rng.one(&[0, SECOND, MINUTE, HOUR, HOUR]);
        let now = self.now;
        self.arrives_after(lifted, now);
        self.put(Kind::SeizureLifted, wallet, lifted);
        self.pay(wallet, "identified", KZT, self.now);
    }

    pub(super) fn cash_out_named(&mut self, wallet: &str) {
        self.free_first(wallet);
        let (at, to) = (self.now, self.other(wallet));
        let settled = self.pay(wallet, "identified", KZT, at);
        self.login(wallet, ANONYMOUS[0], true, at);
        let op = Op::new(Kind::CashOut, "", wallet, at + SECOND).amount(KZT).status("identified");
        let waiting = self.push(op.party("bank_account", None));
        let foreign = self.transfer(&to, wallet, 100_001 * KZT, at);
        let id = self.rng.pick(&[waiting.as_str(), waiting.as_str(), settled.as_str(), foreign.as_str(), "never-seen"]);
        let kind = self.rng.one(&[Kind::CashOutWrong, Kind::CashOutWrong, Kind::OperationDisputed]);
        self.naming(kind, wallet, id, at + MINUTE);
        self.pay(wallet, "identified", KZT, at + MINUTE);
        self.confirm(wallet, "agreed", at + 2 * MINUTE);
    }

    pub(super) fn complaint(&mut self, wallet: &str) {
        let (at, to) = (self.now, self.other(wallet));
        self.transfer(wallet, &to, 100_001 * KZT, at);
        let kind = self.rng.one(&[Kind::Complaint, Kind::SuspicionConfirmed]);
        self.put(kind, wallet, at + SECOND);
        self.pay(wallet, "identified", KZT, at + SECOND);
        self.push(Op::new(Kind::TopUp, "", wallet, at + SECOND).amount(KZT));
        let proof = self.rng.one(&["explanations", "facts_established", "identity_document", "agreed"]);
        self.confirm(wallet, proof, at + MINUTE);
        if kind == Kind::SuspicionConfirmed && self.rng.chance(40) {
            let end = super::super::calendar::plus_days(at + SECOND, 60);
            let odd = self.rng.one(&[-1, 0]);
            self.pay(wallet, "identified", KZT, end + odd);
        }
    }
}
