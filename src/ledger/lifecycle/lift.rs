//! Liftings, and the owner's word on one operation.

use crate::operation::OperationType;
use crate::operation::decision::CommandKind;

use super::super::id;
use super::super::read::{Detail, IDENTITY, Lifters, Subject};
use super::Step;
use super::wallet::{Cause, Restriction, Waiting};

/// What a decision lifts.
#[derive(Default)]
pub(super) struct Lifted {
    /// Who lifted.
    reasons: Lifters,
    /// Restrictions of the wallet.
    of_wallet: usize,
    /// Operations whose own hold was lifted.
    operations: Vec<Box<str>>,
    /// Others of the same rule and kind, from when a rule could place several.
    kin: Vec<u128>,
}

impl Step<'_> {
    pub(super) fn lift(&mut self) {
        let decision = self.decision;
        for command in decision.commands.iter().filter(|command| command.kind == CommandKind::Lift) {
            let (Some(restriction), Detail::Reason(reason)) = (command.restriction, command.detail) else { continue };
            match &command.subject {
                Subject::Ip => {
                    if !self.placed.contains_key(&restriction) {
                        let message =
                            format!("restriction {} of an address is lifted, which nobody placed", id(restriction));
                        self.await_it(restriction, "not-placed", message);
                    }
                }
                Subject::Wallet(_) => {
                    self.lifted.reasons |= reason;
                    self.lifted.of_wallet += 1;
                    self.lift_of_wallet(restriction, reason);
                }
                Subject::Operation(op_id) => {
                    self.lifted.reasons |= reason;
                    if !self.lifted.operations.iter().any(|known| **known == **op_id) {
                        self.lifted.operations.push((**op_id).into());
                    }
                    self.lift_own_hold(op_id, restriction, reason);
                }
            }
        }
        self.left_in_force();
    }

    fn lift_of_wallet(&mut self, restriction: u128, reason: Lifters) {
        let at = self.decision.occurred_at;
        let mut kin = Vec::new();
        match self.wallet.restrictions.iter().position(|known| known.id == restriction) {
            Some(position) => {
                let known = self.wallet.restrictions.remove(position);
                if known.lifted_by & reason == 0 {
                    self.tell(
                        "lifted-by-another",
                        format!("restriction {} may not be lifted by this", id(restriction)),
                    );
                }
                if !known.covers(at) {
                    self.tell("lifted-late", format!("restriction {} had ended by itself", id(restriction)));
                }
                if known.fired_last > at {
                    let message = format!("restriction {} is lifted, whose rule fired later", id(restriction));
                    self.tell("lifted-early", message);
                }
                let of_kin = self.wallet.restrictions.extract_if(.., |other| other.is_kin_of(&known));
                kin.extend(of_kin.map(|other| other.id));
            }
            None if self.lifted.kin.contains(&restriction) => {}
            None => {
                let message = if self.placed.contains_key(&restriction) {
                    format!("restriction {} is lifted, which is not in force for this wallet", id(restriction))
                } else {
                    format!("restriction {} is lifted, which was not placed", id(restriction))
                };
                self.tell_unless_cut("not-placed", message);
            }
        }
        for waiting in &mut self.wallet.waiting {
            let before = waiting.causes.len();
            let is_gone = |cause: &Cause| cause.restriction == restriction || kin.contains(&cause.restriction);
            waiting.causes.retain(|cause| !is_gone(cause));
            if waiting.causes.len() < before {
                self.lost_cause.push(waiting.op_id.clone());
            }
        }
        self.lifted.kin.append(&mut kin);
    }

    fn lift_own_hold(&mut self, op_id: &str, restriction: u128, reason: Lifters) {
        let Some(position) = self.wallet.position(op_id) else {
            let message = format!("the hold of operation {op_id} is lifted, which does not wait");
            self.tell_unless_cut("not-waiting", message);
            return;
        };
        let waiting = &mut self.wallet.waiting[position];
        let Some(at) = waiting.causes.iter().position(|cause| cause.restriction == restriction) else {
            let message = format!("hold {} of operation {op_id} is lifted, which was not placed", id(restriction));
            self.tell_unless_cut("not-placed", message);
            return;
        };
        let cause = waiting.causes.remove(at);
        let is_later = waiting.occurred_at > self.decision.occurred_at;
        self.lost_cause.push(waiting.op_id.clone());
        if cause.own.is_some_and(|lifted_by| lifted_by & reason == 0) {
            self.tell("lifted-by-another", format!("the hold of operation {op_id} may not be lifted by this"));
        }
        if is_later {
            self.tell("lifted-early", format!("the hold of operation {op_id} is lifted, which occurred later"));
        }
    }

    /// Whoever lifts one restriction lifts all that he may, unless he speaks of one operation alone.
    fn left_in_force(&mut self) {
        let (reasons, at) = (self.lifted.reasons, self.decision.occurred_at);
        if self.lifted.of_wallet == 0 && self.lifted.operations.len() < 2 {
            return;
        }
        let is_new = |restriction: &Restriction| self.now_placed.contains(&restriction.id);
        let left = self.wallet.restrictions.iter().find(|restriction| {
            let may = restriction.lifted_by & reasons != 0 && restriction.fired_last <= at;
            restriction.until.is_none() && may && !is_new(restriction)
        });
        if let Some(restriction) = left.map(|restriction| restriction.id) {
            self.tell("left-in-force", format!("restriction {} should have been lifted too", id(restriction)));
        }
        let is_left = |cause: &Cause| cause.own.is_some_and(|lifted_by| lifted_by & reasons != 0);
        let left =
            self.wallet.waiting.iter().find(|waiting| {
                !waiting.is_in_doubt && waiting.occurred_at <= at && waiting.causes.iter().any(is_left)
            });
        if let Some(op_id) = left.map(|waiting| waiting.op_id.clone()) {
            self.tell("left-in-force", format!("the hold of operation {op_id} should have been lifted too"));
        }
    }

    /// May the owner have spoken of this operation alone? A decision does not name what it is about; it lifts
    /// nothing of the wallet then, and lets go of nothing else.
    fn may_speak_of(&self, op_id: &str) -> bool {
        let is_other = |subject: &Subject<'_>| matches!(subject, Subject::Operation(other) if **other != *op_id);
        self.decision.kind == OperationType::IdentityConfirmed
            && self.lifted.of_wallet == 0
            && !self.decision.commands.iter().any(|command| is_other(&command.subject))
    }

    /// May the owner have settled that this operation waits for this restriction of the wallet no more?
    pub(super) fn may_settle(&self, waiting: &Waiting, cause: &Cause) -> bool {
        let proofs = if self.lifted.reasons == 0 { IDENTITY } else { self.lifted.reasons };
        let known = self.wallet.restriction(cause.restriction);
        cause.own.is_none()
            && self.may_speak_of(&waiting.op_id)
            && known.is_none_or(|known| known.fired_last <= self.decision.occurred_at && known.lifted_by & proofs != 0)
    }

    /// After the owner's word on an operation that goes on waiting, what it waits for is in doubt.
    pub(super) fn settled(&mut self) {
        for at in 0..self.wallet.waiting.len() {
            let waiting = &self.wallet.waiting[at];
            let in_doubt: Vec<bool> =
                waiting.causes.iter().map(|cause| cause.is_in_doubt || self.may_settle(waiting, cause)).collect();
            for (cause, is_in_doubt) in self.wallet.waiting[at].causes.iter_mut().zip(in_doubt) {
                cause.is_in_doubt = is_in_doubt;
            }
        }
    }
}
