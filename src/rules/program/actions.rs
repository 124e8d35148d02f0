//! What a rule that fired asks for: its actions, who may lift them, how long they last.

use serde::{Deserialize, Serialize};

use super::Condition;
use crate::operation::time::Nanos;

/// Who or what may lift a restriction: what `identity_confirmed` proves, the client, support, a court.
/// Stored state holds the bits, so a later one has the next free number wherever it stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lifter {
    Pin,
    SecretAnswer,
    IdentityDocument,
    MobileContract,
    Agreed,
    Explanations = 7,
    FactsEstablished = 8,
    Client = 5,
    Support = 6,
    Court = 9,
}

impl Lifter {
    pub const ALL: &'static [Self] = &[
        Self::Pin,
        Self::SecretAnswer,
        Self::IdentityDocument,
        Self::MobileContract,
        Self::Agreed,
        Self::Explanations,
        Self::FactsEstablished,
        Self::Client,
        Self::Support,
        Self::Court,
    ];

    /// Returns the name used in rules and commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::SecretAnswer => "secret_answer",
            Self::IdentityDocument => "identity_document",
            Self::MobileContract => "mobile_contract",
            Self::Agreed => "agreed",
            Self::Explanations => "explanations",
            Self::FactsEstablished => "facts_established",
            Self::Client => "client",
            Self::Support => "support",
            Self::Court => "court",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A set of lifters, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Lifters(pub u16);

impl Lifters {
    /// The default: the five proofs of identity.
    pub const PROOFS: Self = Self(0b001_1111);

    #[must_use]
    pub const fn contains(self, lifter: Lifter) -> bool {
        self.0 & lifter.bit() != 0
    }

    /// Returns the set with one more member.
    #[must_use]
    pub const fn with(self, lifter: Lifter) -> Self {
        Self(self.0 | lifter.bit())
    }

    /// Lists the members in the order of [`Lifter::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Lifter> {
        Lifter::ALL.iter().copied().filter(move |lifter| self.contains(*lifter))
    }
}

/// How long a block lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockTerm {
    /// An exact span (`h`, `m`, `s`).
    Exact(Nanos),
    /// Calendar days at the same Almaty wall clock.
    Days(u32),
    /// Calendar months at the same Almaty wall clock, clamped to the month's end.
    Months(u32),
    UntilLifted,
}

/// What a block stops. Stored by position: a later one comes at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Block {
    /// The wallet's debits.
    WalletDebit,
    /// The wallet's debits and credits, and other wallets' transfers to it.
    WalletBoth,
    /// Logins from the operation's address.
    AddressLogin,
}

/// Whom a report goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recipient {
    Afm,
    AntifraudCentre,
    Issuer,
    PaymentSystem,
    LawEnforcement,
    /// Who settles disputes with clients (7.5, 7.11).
    Disputes,
}

impl Recipient {
    pub const ALL: &'static [Self] =
        &[Self::Afm, Self::AntifraudCentre, Self::Issuer, Self::PaymentSystem, Self::LawEnforcement, Self::Disputes];

    /// Returns the name used in rules and commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Afm => "afm",
            Self::AntifraudCentre => "antifraud_centre",
            Self::Issuer => "issuer",
            Self::PaymentSystem => "payment_system",
            Self::LawEnforcement => "law_enforcement",
            Self::Disputes => "disputes",
        }
    }
}

/// What a match of an enforced rule asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Refuse,
    Hold {
        lifted_by: Lifters,
    },
    ChallengePin,
    ChallengeCaptcha,
    Monitor {
        lifted_by: Lifters,
    },
    Block {
        what: Block,
        term: BlockTerm,
        lifted_by: Lifters,
    },
    Report {
        to: Recipient,
        when: Option<Condition>,
    },
    CancelWaiting,
    /// Cancel the operation that `ref_op_id` names, if it waits.
    CancelReferenced,
}
