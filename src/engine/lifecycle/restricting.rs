//! Restrictions that fired rules place: new ones, ones that are extended, and ones that only fired again.

use crate::engine::lifecycle::in_force::applies;
use crate::engine::lifecycle::{Ask, Lifecycle};
use crate::engine::mutant::EngineMutant;
use crate::engine::state::restriction::{Restriction, RestrictionKind};
use crate::engine::state::shared::change::{Party, SharedChange};
use crate::operation::Time;
use crate::operation::decision::{Clauses, CommandKind, Detail, Subject, restriction_id};
use crate::operation::time::{plus_days, plus_months};
use crate::rules::program::{Block, BlockTerm, Lifters, Rule};
use smallvec::SmallVec;
use std::sync::Arc;
use uuid::Uuid;

/// A restriction as this operation leaves it.
pub(super) struct Placed {
    pub(super) restriction: Restriction,
    /// The clauses of the rule as it stands now: a command bears them.
    clauses: Clauses,
    /// Whom other wallets see restricted.
    party: Option<Party>,
    /// It begins with this operation; otherwise it was in force before.
    pub(super) is_new: bool,
    /// The ledger has to hear of it: it begins, or ends later than it did.
    is_told: bool,
    /// Those of the same rule that ended before, whose place it takes in the directory.
    replaces: SmallVec<[Uuid; 1]>,
}

impl Lifecycle<'_, '_, '_> {
    pub(super) fn end_of(&self, term: BlockTerm) -> Option<Time> {
        match term {
            BlockTerm::Exact(nanos) => Some(self.at().plus(nanos)),
            BlockTerm::Days(days) => Some(plus_days(self.at(), days)),
            BlockTerm::Months(months) => Some(plus_months(self.at(), months)),
            BlockTerm::UntilLifted => None,
        }
    }

    /// Places a restriction; one of the same rule, kind and subject that is in force is extended instead, so
    /// that there is never a second one.
    pub(super) fn place_restriction(
        &mut self,
        rule: &Rule,
        kind: RestrictionKind,
        until: Option<Time>,
        lifted_by: Lifters,
    ) {
        let at = self.at();
        let party = match (kind, self.enriched.operation.ip) {
            (RestrictionKind::Block(Block::AddressLogin), None) => return,
            (RestrictionKind::Block(Block::AddressLogin), Some(address)) => Some(Party::Address(address)),
            (RestrictionKind::Block(Block::WalletBoth), _) => Some(Party::Wallet(self.enriched.wallet)),
            (RestrictionKind::Block(Block::WalletDebit) | RestrictionKind::Monitor, _) => None,
        };
        let is_like = |other: &Restriction| other.kind == kind && other.rule == rule.id;
        if let Some(placed) = self.placed.iter_mut().find(|placed| is_like(&placed.restriction)) {
            let before = placed.restriction.until;
            placed.restriction.extend(until, at);
            placed.is_told |= placed.restriction.until != before;
            return;
        }
        let settings = &self.context.plan.settings;
        let known = match party {
            Some(party @ Party::Address(_)) => self.context.view.blocks(party),
            Some(Party::Wallet(_)) | None => self.context.wallet.restrictions(),
        };
        let (active, ended): (Vec<&Restriction>, Vec<&Restriction>) =
            known.iter().filter(|known| is_like(known)).partition(|known| known.covers(at));
        // Processes of a fleet may have placed one each at the same moment: the one that ends last counts.
        let last =
            active.into_iter().reduce(|one, other| if other.ends_with_or_before(one.until) { one } else { other });
        let last = last.filter(|last| {
            let is_second = settings.has(EngineMutant::ExtensionAsSecondBlock);
            !is_second || !last.ends_with_or_before(until) || last.until == until
        });
        let clauses = rule.clauses.clone();
        let Some(last) = last else {
            let restriction = self.new_restriction(rule, kind, until, lifted_by);
            let replaces = ended.iter().map(|ended| ended.id).collect();
            self.placed.push(Placed { restriction, clauses, party, is_new: true, is_told: true, replaces });
            return;
        };
        let mut restriction = last.clone();
        restriction.extend(until, at);
        if settings.has(EngineMutant::SilentFiringForgotten) && restriction.until == last.until {
            restriction.fired_last = last.fired_last;
        }
        if settings.has(EngineMutant::ExtensionShortens) && last.until.is_some() {
            restriction.until = until;
        }
        if restriction != *last {
            let is_told = restriction.until != last.until;
            self.placed.push(Placed { restriction, clauses, party, is_new: false, is_told, replaces: SmallVec::new() });
        }
    }

    fn new_restriction(
        &self,
        rule: &Rule,
        kind: RestrictionKind,
        until: Option<Time>,
        lifted_by: Lifters,
    ) -> Restriction {
        let (wallet, op) = (&self.enriched.operation.wallet_id, &self.enriched.operation.op_id);
        let subject = self.subject_of(kind);
        let (Subject::Ip(text) | Subject::Wallet(text) | Subject::Operation(text, _)) = &subject;
        let id = restriction_id(wallet, op, &rule.id, kind.name(), text, kind.direction());
        let (rule, clauses, from) = (Arc::clone(&rule.id), rule.clauses.clone(), self.at());
        Restriction { id, rule, clauses, kind, from, until, lifted_by, fired_last: from }
    }

    fn subject_of(&self, kind: RestrictionKind) -> Subject {
        let operation = &self.enriched.operation;
        match (kind, operation.ip) {
            (RestrictionKind::Block(Block::AddressLogin), Some(address)) => Subject::Ip(address.to_string().into()),
            _ => Subject::Wallet((*operation.wallet_id).into()),
        }
    }

    /// Tells the ledger and other wallets of what was placed, and asks for what it does to the operation itself.
    pub(super) fn announce_placed(&mut self) {
        let placed = std::mem::take(&mut self.placed);
        for one in &placed {
            let kind = one.restriction.kind;
            let by = (Arc::clone(&one.restriction.rule), one.clauses.clone());
            let (command, detail) = match kind {
                RestrictionKind::Monitor => (CommandKind::Monitor, Detail::Nothing),
                RestrictionKind::Block(_) => (CommandKind::Block, Detail::Direction(kind.direction())),
            };
            let terms = one.restriction.terms();
            if one.is_told {
                self.command(command, &by, self.subject_of(kind), Some(terms.clone()), detail);
            }
            let asks = match kind {
                RestrictionKind::Monitor => &mut self.holds,
                RestrictionKind::Block(_) => &mut self.refuses,
            };
            let is_it = |ask: &&mut Ask| ask.restriction.as_ref().is_some_and(|known| known.id == terms.id);
            if let Some(ask) = asks.iter_mut().find(is_it) {
                ask.restriction = Some(terms);
            } else if one.is_new && applies(kind, self.enriched.operation.kind) {
                asks.push(Ask { bearer: by, restriction: Some(terms), own: None });
            }
            if let Some(party) = one.party {
                let ended =
                    one.replaces.iter().map(|restriction| SharedChange::Lift { party, restriction: *restriction });
                self.shared.extend(ended);
                self.shared.push(SharedChange::Place { party, restriction: Box::new(one.restriction.clone()) });
            }
        }
        self.placed = placed;
    }

    /// Returns the wallet's restrictions that are in force once this operation has placed and lifted its own.
    pub(super) fn remaining(&self) -> impl Iterator<Item = &Restriction> {
        let at = self.at();
        let is_placed = |id: Uuid| self.placed.iter().any(|placed| placed.restriction.id == id);
        let before = self.in_force.wallet.iter().copied().filter(move |known| !is_placed(known.id));
        let placed = self.placed.iter().map(|placed| &placed.restriction);
        let of_wallet = |restriction: &&Restriction| restriction.kind != RestrictionKind::Block(Block::AddressLogin);
        before
            .chain(placed.filter(of_wallet))
            .filter(move |restriction| restriction.covers(at) && !self.lifted.contains(&restriction.id))
    }

    /// Returns a restriction that was in force before this operation, as this operation leaves it.
    pub(super) fn as_of_now<'r>(&'r self, known: &'r Restriction) -> &'r Restriction {
        self.placed.iter().map(|placed| &placed.restriction).find(|placed| placed.id == known.id).unwrap_or(known)
    }
}

/// Returns what a placed restriction is a cause of waiting by.
pub(super) fn bearer_of(restriction: &Restriction) -> super::Bearer {
    (restriction.rule.clone(), restriction.clauses.clone())
}
