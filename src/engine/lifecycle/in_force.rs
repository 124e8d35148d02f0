//! The restrictions that bear on an operation.

use crate::engine::context::Context;
use crate::engine::enrich::Enriched;
use crate::engine::mutant::EngineMutant;
use crate::engine::state::restriction::{Restriction, RestrictionKind};
use crate::engine::state::shared::change::Party;
use crate::operation::OperationType;
use crate::rules::program::Block;
use smallvec::SmallVec;

/// The restrictions that bear on an operation.
#[derive(Default)]
pub(crate) struct InForce<'e> {
    /// Of the acting wallet, whatever they do.
    pub wallet: SmallVec<[&'e Restriction; 4]>,
    /// Blocks that refuse this operation.
    pub refusing: SmallVec<[&'e Restriction; 4]>,
    /// Monitorings that hold this operation.
    pub holding: SmallVec<[&'e Restriction; 4]>,
}

pub(crate) fn find_restrictions<'e>(context: &Context<'e>, enriched: &Enriched<'_>) -> InForce<'e> {
    let operation = &enriched.operation;
    let at = operation.occurred_at;
    let mut in_force = InForce::default();
    for restriction in context.wallet.restrictions() {
        let at_end = context.plan.settings.has(EngineMutant::EndInstantBlocked) && restriction.until == Some(at);
        if !restriction.covers(at) && !at_end {
            continue;
        }
        in_force.wallet.push(restriction);
        if applies(restriction.kind, operation.kind) {
            match restriction.kind {
                RestrictionKind::Monitor => in_force.holding.push(restriction),
                RestrictionKind::Block(_) => in_force.refusing.push(restriction),
            }
        }
    }
    let party = match operation.kind {
        OperationType::Login => operation.ip.map(Party::Address),
        OperationType::Transfer if enriched.counterparty != Some(enriched.wallet) => {
            enriched.counterparty.map(Party::Wallet)
        }
        _ => None,
    };
    if let Some(party) = party {
        in_force.refusing.extend(context.view.blocks(party).iter().filter(|block| block.covers(at)));
    }
    in_force
}

/// Tells whether a restriction of the acting wallet bears on its operations of this type.
#[must_use]
pub(crate) const fn applies(restriction: RestrictionKind, operation: OperationType) -> bool {
    match restriction {
        RestrictionKind::Monitor | RestrictionKind::Block(Block::WalletDebit) => operation.is_debit(),
        RestrictionKind::Block(Block::WalletBoth) => operation.is_money(),
        RestrictionKind::Block(Block::AddressLogin) => false,
    }
}
