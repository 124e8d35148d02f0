//! The 28 boundary cases of section 7, asked of the naive model itself.

mod cases_01_to_14;
mod cases_15_to_28;

use super::naive::{Answer, Decided, GeoMap, Naive};
use super::op::{DAY, HOUR, Kind, MINUTE, MS, Op, SECOND, Time, read_time};

const W: &str = "77010000001";
const OTHER: &str = "77010000002";
const KZ: &str = "95.56.234.10";
const RU: &str = "5.8.0.1";
const TOR: &str = "185.220.101.1";
const NOWHERE: &str = "203.0.113.7";

struct Case<'g> {
    model: Naive<'g>,
    made: usize,
}

impl<'g> Case<'g> {
    fn new(geo: &'g GeoMap) -> Self {
        Self { model: Naive::new(geo, None), made: 0 }
    }

    fn send(&mut self, mut op: Op) -> Decided {
        self.made += 1;
        if op.id.is_empty() {
            op.id = format!("op-{}", self.made);
        }
        match self.model.apply(&op) {
            Answer::Decided(decided) => decided,
            other => panic!("{other:?} for {op:?}"),
        }
    }

    fn verdict(&mut self, op: Op) -> String {
        self.send(op).verdict
    }
}

fn at(text: &str) -> Time {
    read_time(&format!("{text}+05:00"))
}

fn op(kind: Kind, at: Time) -> Op {
    Op::new(kind, "", W, at)
}

fn transfer(amount: i64, at: Time) -> Op {
    op(Kind::Transfer, at).amount(amount).status("identified").party("client", Some(OTHER))
}

fn payment(amount: i64, at: Time) -> Op {
    op(Kind::Payment, at).amount(amount).status("identified").party("merchant", None)
}

fn login(ip: &str, at: Time) -> Op {
    op(Kind::Login, at).ip(ip).outcome(true)
}

fn confirmed(proof: &str, at: Time) -> Op {
    op(Kind::IdentityConfirmed, at).proof(proof)
}

fn named(mut op: Op, id: &str) -> Op {
    id.clone_into(&mut op.id);
    op
}

fn commands(decided: &Decided) -> Vec<&str> {
    decided.commands.iter().map(|c| c.kind.as_str()).collect()
}

fn until(decided: &Decided) -> Option<Time> {
    let block = decided.commands.iter().find(|c| c.kind == "block");
    block.expect("a block").until
}

/// The same operation of another wallet.
fn of(wallet: &str, mut op: Op) -> Op {
    wallet.clone_into(&mut op.wallet);
    op
}

fn rules(decided: &Decided) -> Vec<&str> {
    decided.matches.iter().map(|(rule, _)| rule.as_str()).collect()
}

/// The operations that a decision says this of.
fn subjects<'d>(decided: &'d Decided, kind: &str) -> Vec<&'d str> {
    decided.commands.iter().filter(|c| c.kind == kind).map(|c| c.subject.as_str()).collect()
}
