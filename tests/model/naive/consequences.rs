//! What the enforced rules that fired do.

use super::names::{
    ANONYMIZER, CASH_OUT, COMPLAINT, DAILY, DISPUTED, DOCUMENTS, EQUAL, FLAGGED_PARTY, FLAGGED_WALLET, FRAUD, GAMBLING,
    IDENTITY, LIMIT_IDENTIFIED, LIMIT_UNIDENTIFIED, LOGIN_COUNTRY, OPERATION_COUNTRY, OWNERSHIP, PASSWORD_BLOCK,
    PASSWORD_CAPTCHA, SECRET_CAPTCHA, SEIZURE, SHADOW, SUSPICION, TAMPERING, TRANSFER_OVER, VOLUNTARY,
};
use super::restrictions::{Outcome, Shape, Wanted};
use super::waiting::Cause;
use super::{Command, DAY, HOUR, Naive, Now, Op, Time, calendar, of_operation, of_wallet};

/// Rules that put the wallet under monitoring.
const MONITORING: [&str; 7] =
    [EQUAL, ANONYMIZER, LOGIN_COUNTRY, OPERATION_COUNTRY, FLAGGED_WALLET, OWNERSHIP, DISPUTED];

const BY_DOCUMENT: &[&str] = &["identity_document", "mobile_contract"];

/// Direction, end and lifters of the block that a rule places.
fn block_of(rule: &str, at: Time) -> Option<(&'static str, Option<Time>, &'static [&'static str])> {
    Some(match rule {
        LOGIN_COUNTRY | OPERATION_COUNTRY => ("debit", Some(at + 2 * HOUR), &IDENTITY[1..]),
        PASSWORD_BLOCK => ("login", Some(at + DAY), &["support"]),
        VOLUNTARY => ("both", None, &["client"]),
        CASH_OUT => ("debit", Some(calendar::plus_days(at, 30)), &["identity_document", "mobile_contract", "agreed"]),
        SUSPICION => ("debit", Some(calendar::plus_days(at, 60)), BY_DOCUMENT),
        FRAUD => ("both", Some(calendar::plus_months(at, 6)), &["facts_established"]),
        DOCUMENTS => ("debit", None, BY_DOCUMENT),
        TAMPERING => ("both", None, &["explanations", "facts_established"]),
        COMPLAINT => ("debit", None, &["explanations", "facts_established"]),
        SEIZURE => ("debit", None, &["court"]),
        _ => return None,
    })
}

/// What an operation gathers while its rules act.
#[derive(Default)]
struct Gathered {
    commands: Vec<Command>,
    /// What the operation itself waits for.
    causes: Vec<Cause>,
    /// Monitorings that were placed.
    monitorings: Vec<usize>,
}

impl Naive<'_> {
    /// Refuses, holds and restricts as the rules and the restrictions in force ask for.
    pub(super) fn act(
        &mut self,
        now: Now<'_>,
        refused: bool,
        stops: &[usize],
        monitors: &[usize],
        fired: &[&'static str],
    ) -> Vec<Command> {
        let op = now.op;
        let this = self.entries.len() - 1;
        let before = self.restrictions.len();
        let mut gathered = Gathered::default();
        for &index in stops {
            let r = &self.restrictions[index];
            gathered.commands.push(Command::new("refuse", r.rule, of_operation(&op.id)).named(r));
        }
        if !refused {
            for &index in monitors {
                let r = &self.restrictions[index];
                gathered.commands.push(Command::new("hold", r.rule, of_operation(&op.id)).placing(r));
                gathered.causes.push(Cause::Restriction(index));
            }
        }
        for &rule in fired.iter().filter(|rule| !SHADOW.contains(rule)) {
            self.for_this_operation(rule, op, refused, &mut gathered);
            self.block(rule, op, &mut gathered);
            if MONITORING.contains(&rule) {
                self.monitor(rule, op, refused, &mut gathered);
            }
            self.reports(rule, now, &mut gathered.commands);
        }
        let Gathered { mut commands, causes, monitorings } = gathered;
        for index in monitorings {
            self.add_cause_to_all(&op.wallet, index);
        }
        self.start_waiting(this, causes);
        for &rule in fired {
            match rule {
                FRAUD => self.cancel_all_waiting(op, &mut commands),
                CASH_OUT | DISPUTED => self.cancel_referenced(rule, op, &mut commands),
                _ => {}
            }
        }
        if !refused {
            self.built_in(op, before, &mut commands);
        }
        self.in_order(&op.wallet, commands)
    }

    /// Refusal, hold and challenge.
    fn for_this_operation(&mut self, rule: &'static str, op: &Op, refused: bool, gathered: &mut Gathered) {
        let operation = of_operation(&op.id);
        match rule {
            LIMIT_IDENTIFIED | LIMIT_UNIDENTIFIED => {
                gathered.commands.push(Command::new("refuse", rule, operation));
            }
            TRANSFER_OVER | FLAGGED_PARTY if !refused => {
                let lifters = if rule == FLAGGED_PARTY { &["agreed", "facts_established"] } else { IDENTITY };
                let shape = Shape::Hold(self.entries.len() - 1);
                let wanted = Wanted { rule, shape, ip: None, until: None, lifters };
                let Outcome::Placed(index) = self.restrict(op, wanted) else {
                    panic!("an operation is held by a rule once");
                };
                let r = &self.restrictions[index];
                gathered.commands.push(Command::new("hold", rule, operation).placing(r));
                gathered.causes.push(Cause::Restriction(index));
            }
            DAILY if !refused => {
                gathered.commands.push(Command::new("challenge", rule, operation).detail("pin"));
                gathered.causes.push(Cause::Pin(rule));
            }
            PASSWORD_CAPTCHA | SECRET_CAPTCHA => {
                let captcha = Command::new("challenge", rule, of_wallet(&op.wallet));
                gathered.commands.push(captcha.detail("captcha"));
            }
            _ => {}
        }
    }

    fn monitor(&mut self, rule: &'static str, op: &Op, refused: bool, gathered: &mut Gathered) {
        let lifters: &[&str] = match rule {
            OWNERSHIP => BY_DOCUMENT,
            DISPUTED => &["identity_document", "mobile_contract", "agreed"],
            _ => IDENTITY,
        };
        let wanted = Wanted { rule, shape: Shape::Monitor, ip: None, until: None, lifters };
        let Outcome::Placed(index) = self.restrict(op, wanted) else {
            return;
        };
        gathered.monitorings.push(index);
        let r = &self.restrictions[index];
        gathered.commands.push(Command::new("monitor", rule, of_wallet(&op.wallet)).placing(r));
        if op.kind.is_debit() && !refused {
            gathered.commands.push(Command::new("hold", rule, of_operation(&op.id)).placing(r));
            gathered.causes.push(Cause::Restriction(index));
        }
    }

    /// Places the rule's block, or extends the one in force. A block of debits refuses the debit that
    /// places it; one that was in force has refused it already.
    fn block(&mut self, rule: &'static str, op: &Op, gathered: &mut Gathered) {
        let Some((direction, until, lifters)) = block_of(rule, op.at) else {
            return;
        };
        let ip = op.ip.clone().filter(|_| rule == PASSWORD_BLOCK);
        let subject = match &ip {
            Some(ip) => format!("ip:{ip}"),
            None => of_wallet(&op.wallet),
        };
        let outcome = self.restrict(op, Wanted { rule, shape: Shape::Block(direction), ip, until, lifters });
        let (Outcome::Placed(index) | Outcome::Extended(index)) = outcome else {
            return;
        };
        let r = &self.restrictions[index];
        if matches!(outcome, Outcome::Placed(_)) && op.kind.is_debit() {
            self.tally.see("debit refused by the block that it places");
            gathered.commands.push(Command::new("refuse", rule, of_operation(&op.id)).named(r));
        }
        gathered.commands.push(Command::new("block", rule, subject).detail(direction).placing(r));
    }

    /// Reports are sent at every match.
    fn reports(&mut self, rule: &'static str, now: Now<'_>, commands: &mut Vec<Command>) {
        let op = now.op;
        let to = match rule {
            FLAGGED_PARTY | FLAGGED_WALLET => "antifraud_centre",
            GAMBLING => "afm",
            FRAUD if op.source.as_deref() == Some("issuer") => "issuer",
            FRAUD if op.source.as_deref() == Some("payment_system") => "payment_system",
            DISPUTED if self.is_disputed_in_time(now) => "disputes",
            _ => return,
        };
        let subject = if op.kind.is_money() { of_operation(&op.id) } else { of_wallet(&op.wallet) };
        commands.push(Command::new("report", rule, subject).detail(to));
    }
}
