//! Rules over debits and credits.

use super::lists::{holds_account, holds_phone, holds_wallet};
use super::names::{
    DAILY, EQUAL, FLAGGED_PARTY, FLAGGED_WALLET, GAMBLING, LIMIT_IDENTIFIED, LIMIT_UNIDENTIFIED, MULE, NEW_DEVICE,
    STATUTORY, STRUCTURING, TRANSFER_OVER,
};
use super::windows::{size, total, wallets};
use super::{DAY, Entry, Fault, HOUR, KZT, Kind, Naive, Now, Op, calendar};

impl Naive<'_> {
    pub(super) fn more(&self, value: i128, bound: i128) -> bool {
        value > bound || (value == bound && self.has(Fault::StrictBecomesInclusive))
    }

    pub(super) fn money_rules(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired: Vec<&'static str> = self.operation_limit(op).into_iter().collect();
        if op.kind.is_credit() {
            let amount = amount(op);
            let gambling = op.purpose.as_deref() == Some("gambling_payout");
            let bound = 1_000_000 * KZT;
            self.tally.hit(GAMBLING, gambling && (amount == bound || amount == bound - 1));
            if gambling && amount >= bound {
                fired.push(GAMBLING);
            }
        }
        if op.kind.is_debit() {
            fired.extend(self.day_limits(now));
            fired.extend(self.flagged(op));
            fired.extend(self.mule(now));
        }
        if op.kind == Kind::Transfer {
            fired.extend(self.transfer_rules(now));
        }
        fired
    }

    /// The sums of the day. A day before the table's first row is judged by no rule that speaks of MRP.
    fn day_limits(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired = Vec::new();
        let local = self.day(op.at);
        let Some(mrp) = calendar::mrp(local) else {
            return fired;
        };
        let spent: i64 = self.today(now, |o| o.kind.is_debit()).map(amount).sum();
        let sum = i128::from(spent + amount(op));
        let exact = |bound: i64| (0..=1).contains(&(sum - i128::from(bound)));
        if op.status.as_deref() != Some("unregistered") && !self.is_confirmed(now) {
            self.tally.hit(DAILY, exact(100 * mrp));
            if self.more(sum, i128::from(100 * mrp)) {
                fired.push(DAILY);
            }
        }
        if op.status.as_deref() != Some("identified") && local >= calendar::day_number(2026, 3, 18) {
            self.tally.hit(STATUTORY, exact(3 * mrp));
            if self.more(sum, i128::from(3 * mrp)) {
                fired.push(STATUTORY);
            }
        }
        fired
    }

    /// The limits of one operation: on debits, and on a top-up that says whose it is.
    fn operation_limit(&mut self, op: &Op) -> Option<&'static str> {
        if !(op.kind.is_debit() || op.kind == Kind::TopUp) {
            return None;
        }
        let status = op.status.as_deref()?;
        let mrp = calendar::mrp(self.day(op.at))?;
        let (rule, limit) =
            if status == "identified" { (LIMIT_IDENTIFIED, 500 * mrp) } else { (LIMIT_UNIDENTIFIED, 100 * mrp) };
        let exact = (0..=1).contains(&(amount(op) - limit));
        self.tally.hit(rule, exact);
        if exact && op.kind == Kind::TopUp {
            self.tally.see("top-up at the limit");
        }
        self.more(i128::from(amount(op)), i128::from(limit)).then_some(rule)
    }

    fn flagged(&mut self, op: &Op) -> Vec<&'static str> {
        let mut fired = Vec::new();
        let party = op.party.as_ref().expect("a debit has a counterparty");
        let near = holds_account(party.phone.as_ref(), op.at) || holds_phone(party.account.as_ref(), op.at);
        self.tally.hit(FLAGGED_PARTY, near);
        if holds_wallet(party.wallet.as_ref(), op.at)
            || holds_account(party.account.as_ref(), op.at)
            || holds_phone(party.phone.as_ref(), op.at)
        {
            fired.push(FLAGGED_PARTY);
        }
        let listed = holds_wallet(Some(&op.wallet), op.at);
        self.tally.hit(FLAGGED_WALLET, !listed && holds_wallet(party.wallet.as_ref(), op.at));
        if listed {
            fired.push(FLAGGED_WALLET);
        }
        fired
    }

    fn mule(&mut self, now: Now<'_>) -> Option<&'static str> {
        let op = now.op;
        let into = |o: &Op| o.kind == Kind::Transfer && o.recipient() == Some(&op.wallet);
        let came = self.shared(now, HOUR, into);
        let senders = self.fullest(op.at, HOUR, came.clone(), wallets);
        if senders < 4 {
            return None;
        }
        let income = self.fullest(op.at, HOUR, came, total);
        let debits = self.own(now, HOUR, |e| e.op.kind.is_debit(), true);
        let spent = self.fullest(op.at, HOUR, debits, total);
        let fires = senders >= 5 && 100 * spent >= 80 * income;
        self.tally.hit(MULE, senders == 5 && 100 * spent == 80 * income);
        fires.then_some(MULE)
    }

    fn transfer_rules(&mut self, now: Now<'_>) -> Vec<&'static str> {
        let op = now.op;
        let mut fired = Vec::new();
        let amount = amount(op);
        if to_client(op) {
            let bound = 100_000 * KZT;
            let own = op.recipient() == Some(&op.wallet);
            self.tally.hit(TRANSFER_OVER, amount == bound || amount == bound + 1);
            if self.more(i128::from(amount), i128::from(bound)) && !own {
                fired.push(TRANSFER_OVER);
            }
            let same = |e: &Entry| to_client(&e.op) && e.op.amount == op.amount;
            let samples = self.own(now, HOUR, same, true);
            let edge = samples.iter().any(|s| s.at == op.at - HOUR);
            let count = self.fullest(op.at, HOUR, samples, size);
            self.tally.hit(EQUAL, edge && count == 11);
            if self.more(count, 10) {
                fired.push(EQUAL);
            }
            let range = 90_000 * KZT..=100_000 * KZT;
            let within = |o: &Op| to_client(o) && range.contains(&self::amount(o)) && o.recipient() == op.recipient();
            let samples = self.own(now, DAY, |e| within(&e.op), within(op));
            let edge = samples.iter().any(|s| s.at == op.at - DAY);
            let count = self.fullest(op.at, DAY, samples, size);
            let brim = amount == *range.start() || amount == *range.end() || edge;
            self.tally.hit(STRUCTURING, count == 3 && brim);
            if count >= 3 {
                fired.push(STRUCTURING);
            }
        }
        if let Some(device) = &op.device
            && amount >= 50_000 * KZT
        {
            let chain = self.age(now, |o| o.device.as_ref() == Some(device));
            let whole = self.age(now, |_| true);
            let large = self.more(i128::from(amount), i128::from(50_000 * KZT));
            let brim = amount <= 50_000 * KZT + 1 || chain == DAY;
            self.tally.hit(NEW_DEVICE, whole > DAY && chain <= DAY && brim);
            if large && chain <= DAY && whole > DAY {
                fired.push(NEW_DEVICE);
            }
        }
        fired
    }
}

fn to_client(op: &Op) -> bool {
    op.kind == Kind::Transfer && op.party.as_ref().is_some_and(|p| p.kind == "client")
}

fn amount(op: &Op) -> i64 {
    op.amount.expect("an operation with money has an amount")
}
