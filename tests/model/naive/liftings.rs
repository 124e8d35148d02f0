//! Liftings and the owner's word on what waits.

use super::restrictions::{End, Restriction, Shape};
use super::waiting::{Cause, Cleared};
use super::{Command, Fault, Kind, Naive, Op, Tally, of_operation, of_wallet};

impl Naive<'_> {
    /// What the engine does without a rule.
    pub(super) fn built_in(&mut self, op: &Op, before: usize, commands: &mut Vec<Command>) {
        match op.kind {
            Kind::Pin => self.answer_pin(op, commands),
            Kind::Cancelled if !self.has(Fault::CancelIgnored) => self.forget(op),
            Kind::IdentityConfirmed if op.reference.is_some() && !self.has(Fault::ReferenceSettlesAll) => {
                self.settle(op, commands);
            }
            Kind::IdentityConfirmed => self.lift_of_wallet(op, before, commands, proof(op)),
            Kind::WalletUnblock => self.lift_of_wallet(op, before, commands, "client"),
            Kind::SeizureLifted => self.lift_of_wallet(op, before, commands, "court"),
            Kind::IpUnblock => {
                let of_address = |r: &Restriction| r.ip.is_some() && r.ip == op.ip;
                self.lift(op, before, commands, "support", of_address);
            }
            _ => {}
        }
    }

    fn lift_of_wallet(&mut self, op: &Op, before: usize, commands: &mut Vec<Command>, who: &str) {
        let too_much = self.has(Fault::LiftTooMuch) && op.kind == Kind::IdentityConfirmed;
        self.lift(op, before, commands, who, |r| {
            r.ip.is_none() && r.wallet == op.wallet && (r.lifters.contains(&who) || too_much)
        });
    }

    /// May this lifting of this time end the restriction, which it may lift by its kind?
    fn comes_in_time(&self, op: &Op, r: &Restriction) -> bool {
        r.yields_to(op.at) || self.has(Fault::LiftingByArrivalOnly)
    }

    fn lift(
        &mut self,
        op: &Op,
        before: usize,
        commands: &mut Vec<Command>,
        reason: &str,
        chosen: impl Fn(&Restriction) -> bool,
    ) {
        let mut cleared = Vec::new();
        for index in 0..before {
            let r = &self.restrictions[index];
            if !chosen(r) || !self.in_force(r, op.at) {
                continue;
            }
            see_time(&mut self.tally, op, r);
            if !self.comes_in_time(op, r) {
                continue;
            }
            commands.push(self.lift_one(index, reason));
            let cause = Cause::Restriction(index);
            let losing = self.waiting.iter().filter(|w| w.causes.contains(&cause));
            cleared.extend(losing.map(|w| Cleared { entry: w.entry, cause }));
        }
        self.clear(op, &cleared, commands);
    }

    fn lift_one(&mut self, index: usize, reason: &str) -> Command {
        let r = &mut self.restrictions[index];
        r.end = Some(End::Lifted);
        let subject = match (&r.ip, r.shape) {
            (Some(ip), _) => format!("ip:{ip}"),
            (None, Shape::Hold(entry)) => of_operation(&self.entries[entry].op.id),
            (None, _) => of_wallet(&r.wallet),
        };
        Command::new("lift", r.rule, subject).detail(reason).named(r)
    }

    /// The owner speaks of one operation. What the proof can lift no longer counts for it; monitoring and
    /// blocks stay, and so does everything else that waits.
    fn settle(&mut self, op: &Op, commands: &mut Vec<Command>) {
        let Some(waiting) = self.waiting_operation(&op.wallet, op.reference.as_ref()) else {
            self.see_vain_reference(op);
            return;
        };
        let (entry, causes) = (waiting.entry, waiting.causes.clone());
        let proof = proof(op);
        let too_much = self.has(Fault::LiftTooMuch);
        let mut cleared = Vec::new();
        for &cause in &causes {
            let Cause::Restriction(index) = cause else { continue };
            let r = &self.restrictions[index];
            let may = r.lifters.contains(&proof) || too_much;
            if may {
                see_time(&mut self.tally, op, r);
            }
            if !may || !self.comes_in_time(op, r) {
                continue;
            }
            if r.shape == Shape::Hold(entry) {
                commands.push(self.lift_one(index, proof));
            }
            cleared.push(Cleared { entry, cause });
        }
        if op.cancel {
            let lost = cleared.iter().map(|c| c.cause);
            // Whatever it waits for, even if the proof can lift none of it.
            let rule = lost.map(|cause| self.rule_of(cause)).min();
            self.tally.see("settled: cancelled");
            if rule.is_none() {
                self.tally.see("settled: cancelled, proof lifts nothing");
            }
            let rule = rule.or_else(|| causes.iter().map(|cause| self.rule_of(*cause)).min());
            let subject = of_operation(&self.entries[entry].op.id);
            commands.push(Command::new("cancel", rule.expect("it waits for something"), subject));
            self.stop_waiting(entry);
            return;
        }
        if cleared.len() < causes.len() {
            self.tally.see("settled: waits on");
        }
        self.clear(op, &cleared, commands);
    }

    fn see_vain_reference(&mut self, op: &Op) {
        self.tally.see("reference to nothing that waits");
        let waits = |w: &super::waiting::Waiting| Some(&self.entries[w.entry].op.id) == op.reference.as_ref();
        if self.waiting.iter().any(waits) {
            self.tally.see("reference to another's operation");
        }
    }
}

fn proof(op: &Op) -> &str {
    op.proof.as_deref().expect("a confirmation has a proof")
}

/// Notes how the lifting's time stands to the restriction.
fn see_time(tally: &mut Tally, op: &Op, r: &Restriction) {
    if r.yields_to(op.at) {
        match op.kind {
            Kind::SeizureLifted => tally.see("seizure lifted"),
            Kind::IpUnblock => tally.see("address unblocked"),
            _ => {}
        }
        if r.is_lifted_exactly(op.at) {
            tally.see("lifted exactly when it fired last");
        }
        return;
    }
    tally.see("lifting too early");
    match op.kind {
        Kind::SeizureLifted => tally.see("seizure lifted too early"),
        Kind::IpUnblock => tally.see("address unblocked too early"),
        Kind::WalletUnblock => tally.see("unblock requested too early"),
        _ => {}
    }
    if r.fired_silently_after(op.at) {
        tally.see("lifting too early by a silent firing");
    }
    if r.was_extended_after(op.at) {
        tally.see("lifting too early by an extension");
    }
}
