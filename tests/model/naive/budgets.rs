//! Budgets: what each rule has stopped within the hour of the stream, counted anew from all operations there ever were.

use super::names::{
    ADDRESS_WALLETS, ANONYMIZER, CASH_OUT, COMPLAINT, DAILY, DEVICE_WALLETS, DISPUTED, DOCUMENTS, EQUAL, FRAUD,
    GAMBLING, LIMIT_IDENTIFIED, LIMIT_UNIDENTIFIED, LOGIN_COUNTRY, OWNERSHIP, PASSWORD_BLOCK, PASSWORD_CAPTCHA,
    SECRET_CAPTCHA, SEIZURE, SHADOW, SUSPICION, TAMPERING, TRANSFER_OVER, VOLUNTARY,
};
use super::{Command, DAY, Entry, Fault, Kind, MINUTE, Naive, Op, Time, of_operation, of_wallet};

/// Of all enforced rules that stop anything, in streams with budgets.
pub(crate) const BUDGET: &str = "budget: {holds_per_hour: 2, share: 20%, at_least: 8}\n";

fn exceeds(stopped: usize, decided: usize) -> bool {
    stopped > 2 || (decided >= 8 && stopped * 100 > decided * 20)
}

/// Whether a rule judges operations of a type.
fn judges(rule: &str, kind: Kind) -> bool {
    match rule {
        TRANSFER_OVER | EQUAL => kind == Kind::Transfer,
        ANONYMIZER | LOGIN_COUNTRY | PASSWORD_CAPTCHA | PASSWORD_BLOCK | DEVICE_WALLETS | ADDRESS_WALLETS => {
            kind == Kind::Login
        }
        LIMIT_IDENTIFIED | LIMIT_UNIDENTIFIED => kind.is_debit() || kind == Kind::TopUp,
        SECRET_CAPTCHA => kind == Kind::SecretAnswer,
        VOLUNTARY => kind == Kind::WalletBlock,
        OWNERSHIP => kind == Kind::OwnershipDisputed,
        CASH_OUT => kind == Kind::CashOutWrong,
        SUSPICION => kind == Kind::SuspicionConfirmed,
        DISPUTED => kind == Kind::OperationDisputed,
        FRAUD => kind == Kind::FraudReported,
        DOCUMENTS => kind == Kind::DocumentsRefused,
        TAMPERING => kind == Kind::Tampering,
        COMPLAINT => kind == Kind::Complaint,
        SEIZURE => kind == Kind::SeizureOrdered,
        _ => kind.is_debit(),
    }
}

/// Rules that random streams arm again: those that fire often.
pub(crate) const REARMED: [&str; 7] =
    [TRANSFER_OVER, EQUAL, DAILY, LOGIN_COUNTRY, PASSWORD_CAPTCHA, PASSWORD_BLOCK, VOLUNTARY];

/// What budgets say of the rules that fired on one operation.
#[derive(Default)]
pub(super) struct Spent {
    /// They act; the others only watch.
    pub(super) acting: Vec<&'static str>,
    /// They stopped the operation, and it counts.
    pub(super) counted: Vec<&'static str>,
    /// They exceeded their budgets by it.
    pub(super) breached: Vec<&'static str>,
}

impl Naive<'_> {
    /// The minute of the stream when this operation has come.
    pub(super) fn minute(&self, op: &Op, stream: Time) -> i64 {
        let (own, farthest) = match stream {
            Time::MIN => (op.at, i64::MAX),
            stream => (if op.at <= stream + DAY { op.at } else { stream }, (stream + DAY).div_euclid(MINUTE)),
        };
        let own = own.div_euclid(MINUTE);
        let last = self.entries.last().map(|entry| entry.minute).filter(|last| *last <= farthest);
        last.map_or(own, |last| last.max(own))
    }

    /// The operations of the hour that ends with a minute. What lies later than an operation after it is forgotten.
    fn of_hour(&self, minute: i64) -> impl Iterator<Item = (usize, &Entry)> {
        let mut least = minute;
        let kept = self.entries.iter().enumerate().rev().filter(move |(_, entry)| {
            least = least.min(entry.minute);
            entry.minute <= least
        });
        kept.filter(move |(_, entry)| entry.minute > minute - 60)
    }

    /// Counts what fired against the budgets.
    pub(super) fn spend(&mut self, op: &Op, minute: i64, is_stopped: bool, fired: &[&'static str], spent: &mut Spent) {
        for &rule in fired.iter().filter(|rule| !SHADOW.contains(rule)) {
            if self.breached.contains(rule) {
                continue;
            }
            let is_counted =
                self.has_budgets && rule != GAMBLING && (!is_stopped || self.has(Fault::StoppedCountedAgain));
            if !is_counted {
                spent.acting.push(rule);
                continue;
            }
            let since = self.rearmed.get(rule).copied().unwrap_or(0);
            let counts = |entry: &Entry| entry.counted_for.contains(&rule);
            let stopped = 1 + self.of_hour(minute).filter(|(at, entry)| *at >= since && counts(entry)).count();
            let decided = 1 + self.of_hour(minute).filter(|(_, entry)| judges(rule, entry.op.kind)).count();
            if !exceeds(stopped, decided) {
                spent.acting.push(rule);
                spent.counted.push(rule);
                continue;
            }
            self.tally.see("a budget is exceeded");
            if stopped <= 2 {
                self.tally.see("a share is exceeded");
            }
            spent.breached.push(rule);
            if self.has(Fault::BreachStopsOnce) {
                spent.acting.push(rule);
            }
        }
        debug_assert!(spent.counted.iter().all(|rule| judges(rule, op.kind)), "{op:?}");
    }

    /// Puts rules into shadow, and arms the one again that the operation names.
    pub(super) fn settle_budgets(&mut self, op: &Op, breached: &[&'static str], commands: &mut Vec<Command>) {
        let subject = || if op.kind.is_money() { of_operation(&op.id) } else { of_wallet(&op.wallet) };
        commands.extend(breached.iter().map(|rule| Command::new("report", rule, subject()).detail("operators")));
        if let Some(rule) = op.rearms.as_deref().and_then(|rule| REARMED.into_iter().find(|known| *known == rule))
            && self.breached.remove(rule)
        {
            self.tally.see("a rule is armed again");
            self.rearmed.insert(rule, self.entries.len());
        }
        self.breached.extend(breached);
    }
}
