//! What ends restrictions, and what becomes of the operations that waited because of them.

use crate::engine::lifecycle::restricting::bearer_of;
use crate::engine::lifecycle::{Bearer, Lifecycle};
use crate::engine::mutant::EngineMutant;
use crate::engine::state::restriction::{Cause, Restriction, RestrictionKind, Waiting, terms};
use crate::engine::state::shared::change::{Party, SharedChange};
use crate::operation::decision::{CommandKind, Detail, Subject};
use crate::operation::{Order, Proof, Time};
use crate::rules::program::{Block, Lifter, Lifters};

impl Lifecycle<'_, '_, '_> {
    /// Does what the owner has proved and ordered: for all that the proof can lift, or for the one operation
    /// that it names.
    pub(super) fn confirm_identity(&mut self) {
        let operation = &self.enriched.operation;
        let Some(proof) = operation.proof else { return };
        let cancels = operation.order == Some(Order::Cancel);
        let settles_all = self.context.plan.settings.has(EngineMutant::ReferenceSettlesAll);
        match operation.ref_op_id.as_deref().filter(|_| !settles_all) {
            Some(named) => self.settle(named, lifter_of(proof), proof.name(), cancels),
            None => self.lift(lifter_of(proof), proof.name(), cancels),
        }
    }

    /// Tells whether what names these lifters, and fired last at a time, yields to this one now.
    fn yields(&self, lifted_by: Lifters, fired_last: Time, lifter: Lifter) -> bool {
        let settings = &self.context.plan.settings;
        let in_time = fired_last <= self.at() || settings.has(EngineMutant::LiftingByArrivalOnly);
        in_time && (lifted_by.contains(lifter) || settings.has(EngineMutant::LiftTooMuch))
    }

    /// Lifts every restriction of the wallet, single holds included, that this lifter may lift and that fired
    /// last when this operation occurred or before.
    pub(super) fn lift(&mut self, lifter: Lifter, reason: &'static str, cancels: bool) {
        let wallet = Subject::Wallet((*self.enriched.operation.wallet_id).into());
        for known in &self.in_force.wallet {
            let restriction = self.as_of_now(known).clone();
            if !self.yields(restriction.lifted_by, restriction.fired_last, lifter) {
                continue;
            }
            let terms = Some(restriction.terms());
            self.command(CommandKind::Lift, &bearer_of(&restriction), wallet.clone(), terms, Detail::Reason(reason));
            self.lifted.push(restriction.id);
            if restriction.kind == RestrictionKind::Block(Block::WalletBoth) {
                let party = Party::Wallet(self.enriched.wallet);
                self.shared.push(SharedChange::Lift { party, restriction: restriction.id });
            }
        }
        if self.context.wallet.waiting().is_empty() {
            return;
        }
        let mut left = Vec::new();
        for mut waiting in std::mem::take(self.waiting_mut()) {
            let since = waiting.since;
            let cleared = take_causes(&mut waiting, |cause| match cause.own {
                Some(lifted_by) => self.yields(lifted_by, since, lifter),
                None => self.lifted.contains(&cause.restriction),
            });
            self.lift_own_holds(&waiting, &cleared, reason);
            match lowest(&cleared) {
                Some(bearer) if cancels => self.cancel(&waiting, &bearer),
                Some(bearer) if waiting.is_free() => left.extend(self.end_waiting(waiting, &bearer)),
                Some(_) | None => left.push(waiting),
            }
        }
        self.waiting = Some(left);
    }

    /// Settles the one operation that the owner names: what of its causes the proof can lift no longer counts
    /// for it, and the wallet's restrictions stay. An order to cancel is carried out whatever it waits for.
    fn settle(&mut self, named: &str, lifter: Lifter, reason: &'static str, cancels: bool) {
        let is_named = |waiting: &Waiting| *waiting.op_id == *named;
        let Some(position) = self.waiting_or_known().iter().position(is_named) else { return };
        let mut waiting = self.waiting_mut().remove(position);
        let (since, all) = (waiting.since, lowest_of_all(&waiting));
        let cleared = take_causes(&mut waiting, |cause| match cause.own {
            Some(lifted_by) => self.yields(lifted_by, since, lifter),
            None => self.cause_yields(cause, lifter),
        });
        self.lift_own_holds(&waiting, &cleared, reason);
        let left = match (lowest(&cleared), all) {
            (Some(bearer), _) | (None, Some(bearer)) if cancels => {
                self.cancel(&waiting, &bearer);
                None
            }
            (Some(bearer), _) if waiting.is_free() => self.end_waiting(waiting, &bearer),
            _ => Some(waiting),
        };
        if let Some(waiting) = left {
            self.waiting_mut().insert(position, waiting);
        }
    }

    /// Tells whether a restriction that an operation waits for would yield to the lifter. What begins with
    /// this operation does not.
    fn cause_yields(&self, cause: &Cause, lifter: Lifter) -> bool {
        let is_it = |restriction: &Restriction| restriction.id == cause.restriction;
        if let Some(known) = self.in_force.wallet.iter().copied().find(|known| is_it(known)) {
            let restriction = self.as_of_now(known);
            return self.yields(restriction.lifted_by, restriction.fired_last, lifter);
        }
        !self.placed.iter().any(|placed| is_it(&placed.restriction))
    }

    fn lift_own_holds(&mut self, waiting: &Waiting, cleared: &[Cause], reason: &'static str) {
        for cause in cleared {
            if let Some(lifted_by) = cause.own {
                let bearer = (cause.rule.clone(), cause.clauses.clone());
                let subject = Subject::Operation(waiting.op_id.clone(), waiting.arrival);
                let terms = Some(terms(cause.restriction, waiting.since, None, lifted_by));
                self.command(CommandKind::Lift, &bearer, subject, terms, Detail::Reason(reason));
            }
        }
    }

    /// Ends the waiting of an operation that nothing keeps any more: it is released, unless a block stands in
    /// the way. A block of the wallet's debits without an end lets it wait on (7.20), and the operation comes
    /// back; one with an end, or a block of the wallet that it goes to, cancels it.
    pub(super) fn end_waiting(&mut self, mut waiting: Waiting, bearer: &Bearer) -> Option<Waiting> {
        let settings = self.context.plan.settings;
        let blocks: Vec<&Restriction> = self.remaining().filter(|restriction| restriction.blocks_debits()).collect();
        let stopped = !blocks.is_empty() && !settings.has(EngineMutant::ReleaseDespiteBlock);
        let is_endless = |restriction: &&&Restriction| restriction.until.is_none();
        let endless: Vec<Cause> = blocks.iter().filter(is_endless).map(|block| block.as_cause()).collect();
        if stopped && !endless.is_empty() && !settings.has(EngineMutant::EndlessBlockCancels) {
            waiting.holds = endless;
            return Some(waiting);
        }
        if stopped || self.recipient_is_blocked(&waiting) {
            self.cancel(&waiting, bearer);
        } else {
            let subject = Subject::Operation(waiting.op_id, waiting.arrival);
            self.command(CommandKind::Release, bearer, subject, None, Detail::Nothing);
        }
        None
    }

    fn recipient_is_blocked(&mut self, waiting: &Waiting) -> bool {
        let (context, at) = (self.context, self.at());
        let Some(recipient) = waiting.recipient else { return false };
        if context.plan.settings.has(EngineMutant::RecipientBlockIgnored) {
            return false;
        }
        self.lacks_directory |= !context.view.available;
        context.view.blocks(Party::Wallet(recipient)).iter().any(|block| block.covers(at))
    }

    pub(super) fn cancel(&mut self, waiting: &Waiting, bearer: &Bearer) {
        let subject = Subject::Operation(waiting.op_id.clone(), waiting.arrival);
        self.command(CommandKind::Cancel, bearer, subject, None, Detail::Nothing);
    }

    /// Lifts all active blocks of the address (7.18) that fired last when this operation occurred or before.
    pub(super) fn lift_address(&mut self) {
        let Some(address) = self.enriched.operation.ip else { return };
        let (context, at) = (self.context, self.at());
        let party = Party::Address(address);
        for known in context.view.blocks(party).iter().filter(|block| block.covers(at)) {
            let block = self.as_of_now(known).clone();
            if block.fired_last > at && !context.plan.settings.has(EngineMutant::LiftingByArrivalOnly) {
                continue;
            }
            let subject = Subject::Ip(address.to_string().into());
            let terms = Some(block.terms());
            self.command(CommandKind::Lift, &bearer_of(&block), subject, terms, Detail::Reason("support"));
            self.shared.push(SharedChange::Lift { party, restriction: block.id });
        }
    }
}

/// Takes away the causes that no longer count.
fn take_causes(waiting: &mut Waiting, is_cleared: impl Fn(&Cause) -> bool) -> Vec<Cause> {
    let (cleared, kept) = std::mem::take(&mut waiting.holds).into_iter().partition(is_cleared);
    waiting.holds = kept;
    cleared
}

/// Returns the rule that a release or a cancellation bears: the lowest id of those cleared last.
fn lowest(cleared: &[Cause]) -> Option<Bearer> {
    let least = cleared.iter().min_by(|one, other| one.rule.cmp(&other.rule))?;
    Some((least.rule.clone(), least.clauses.clone()))
}

fn lowest_of_all(waiting: &Waiting) -> Option<Bearer> {
    let pins = waiting.pins.iter().map(|pin| (pin.rule.clone(), pin.clauses.clone()));
    lowest(&waiting.holds).into_iter().chain(pins).min_by(|one, other| one.0.cmp(&other.0))
}

const fn lifter_of(proof: Proof) -> Lifter {
    match proof {
        Proof::Pin => Lifter::Pin,
        Proof::SecretAnswer => Lifter::SecretAnswer,
        Proof::IdentityDocument => Lifter::IdentityDocument,
        Proof::MobileContract => Lifter::MobileContract,
        Proof::Agreed => Lifter::Agreed,
        Proof::Explanations => Lifter::Explanations,
        Proof::FactsEstablished => Lifter::FactsEstablished,
    }
}
