//! The contract with the ledger: what an operation is, and what a decision on it says.
//!
//! This module knows no rules, no state and no transport. Field names, value names and their limits
//! are fixed: other teams' code depends on them.

pub mod content;
pub mod country;
pub mod decimal;
pub mod decision;
pub mod decode;
pub mod encode;
pub mod localized;
pub mod money;
pub mod network;
pub mod partition;
pub mod time;

use std::borrow::Cow;
use std::net::IpAddr;

pub use decimal::Decimal;
pub use money::Money;
pub use time::Time;

/// Defines a closed set of contract words: the enum, its wire names, and the way back. A set whose codes are stored
/// writes each code behind its variant; they are positions all the same, so a later word stands at the end.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$vmeta:meta])* $variant:ident $(($code:literal))? = $text:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$vmeta])* $variant $(= $code)?),+ }

        // Tables are indexed by codes.
        const _: () = {
            let mut position = 0;
            while position < $name::ALL.len() {
                assert!($name::ALL[position] as usize == position);
                position += 1;
            }
        };

        impl $name {
            /// Lists every value in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Lists the wire names in the order of [`Self::ALL`].
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// Returns the name used in JSON, rules, metrics and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Finds the value with this wire name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// Returns the position in [`Self::ALL`].
            #[must_use]
            pub const fn code(self) -> u8 { self as u8 }
        }
    };
}
pub(crate) use words;

words! {
    /// What happened; see the contract's table of types.
    OperationType {
        Transfer(0) = "transfer",
        Payment(1) = "payment",
        CashOut(2) = "cash_out",
        Redemption(3) = "redemption",
        TopUp(4) = "top_up",
        Refund(5) = "refund",
        Login(6) = "login",
        SecretAnswer(7) = "secret_answer",
        Pin(8) = "pin",
        Cancelled(9) = "cancelled",
        WalletBlockRequested(10) = "wallet_block_requested",
        WalletUnblockRequested(11) = "wallet_unblock_requested",
        OwnershipDisputed(12) = "ownership_disputed",
        IdentityConfirmed(13) = "identity_confirmed",
        IpUnblockRequested(14) = "ip_unblock_requested",
        CashOutDetailsWrong(15) = "cash_out_details_wrong",
        FraudReported(16) = "fraud_reported",
        DocumentsRefused(17) = "documents_refused",
        TamperingDetected(18) = "tampering_detected",
        SuspicionConfirmed(19) = "suspicion_confirmed",
        OperationDisputed(20) = "operation_disputed",
        ComplaintReceived(21) = "complaint_received",
        SeizureOrdered(22) = "seizure_ordered",
        SeizureLifted(23) = "seizure_lifted",
        RuleRearmed(24) = "rule_rearmed",
    }
}

/// The attribute that names the rule on a `rule_rearmed`.
pub const ATTRIBUTE_RULE: &str = "rule";

impl OperationType {
    /// Tells whether the operation is nothing without another one that it names.
    #[must_use]
    pub const fn needs_reference(self) -> bool {
        matches!(self, Self::Cancelled | Self::OperationDisputed)
    }

    /// Tells whether the other side of the operation may be of this kind: a transfer goes from client
    /// to client, and no other debit does (3.1.2).
    #[must_use]
    pub fn goes_with(self, party: CounterpartyKind) -> bool {
        !self.is_debit() || (self == Self::Transfer) == (party == CounterpartyKind::Client)
    }

    /// Tells whether money leaves the wallet: transfer, payment, cash_out, redemption.
    #[must_use]
    pub const fn is_debit(self) -> bool {
        matches!(self, Self::Transfer | Self::Payment | Self::CashOut | Self::Redemption)
    }

    /// Tells whether money enters the wallet: top_up, refund.
    #[must_use]
    pub const fn is_credit(self) -> bool {
        matches!(self, Self::TopUp | Self::Refund)
    }

    /// Tells whether it is a session event: login, secret_answer, pin.
    #[must_use]
    pub const fn is_session(self) -> bool {
        matches!(self, Self::Login | Self::SecretAnswer | Self::Pin)
    }

    /// Tells whether the operation bears an amount (debits and credits).
    #[must_use]
    pub const fn is_money(self) -> bool {
        self.is_debit() || self.is_credit()
    }
}

words! {
    /// How well the client is known (4.1 of the offer).
    ClientStatus { Unregistered(0) = "unregistered", Unidentified(1) = "unidentified", Identified(2) = "identified" }
}
words! {
    /// What kind of party stands on the other side of a debit or credit.
    CounterpartyKind {
        Client(0) = "client", Merchant(1) = "merchant", BankAccount(2) = "bank_account",
        Agent(3) = "agent", Card(4) = "card",
    }
}
words! {
    /// How an attempt ended.
    AttemptOutcome { Success(0) = "success", Failure(1) = "failure" }
}
words! {
    /// What was proved: identity (7.8, 7.9, 7.14, 7.16), explanations given (6.2.5), facts of a fraud
    /// established (7.24).
    Proof {
        Pin(0) = "pin", SecretAnswer(1) = "secret_answer", IdentityDocument(2) = "identity_document",
        MobileContract(3) = "mobile_contract", Agreed(4) = "agreed", Explanations(5) = "explanations",
        FactsEstablished(6) = "facts_established",
    }
}
words! {
    /// What the owner says of the waiting operations, or of the one that `ref_op_id` names (7.6).
    Order { Complete(0) = "complete", Cancel(1) = "cancel" }
}
words! {
    /// Who reported.
    ReportSource {
        Client(0) = "client", Support(1) = "support", Issuer(2) = "issuer", PaymentSystem(3) = "payment_system",
        AntifraudCentre(4) = "antifraud_centre", LawEnforcement(5) = "law_enforcement", Ledger(6) = "ledger",
        Court(7) = "court",
    }
}

/// The other side of a money operation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counterparty<'a> {
    pub kind: Option<CounterpartyKind>,
    pub wallet_id: Option<Cow<'a, str>>,
    pub account: Option<Cow<'a, str>>,
    pub phone: Option<Cow<'a, str>>,
}

/// One value of the flat `attributes` object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    Text(Cow<'a, str>),
    /// The JSON number as it was written; rules read it as a [`Decimal`].
    Number(Cow<'a, str>),
    Bool(bool),
}

/// One accepted operation, decoded and checked, borrowing its texts from the record where it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<'a> {
    pub op_id: Cow<'a, str>,
    pub kind: OperationType,
    /// Event time: every window and day is computed from it.
    pub occurred_at: Time,
    pub wallet_id: Cow<'a, str>,
    pub client_status: Option<ClientStatus>,
    pub amount: Option<Money>,
    pub counterparty: Counterparty<'a>,
    /// Canonical: an IPv4-mapped IPv6 address is its IPv4 address.
    pub ip: Option<IpAddr>,
    pub device_id: Option<Cow<'a, str>>,
    pub outcome: Option<AttemptOutcome>,
    pub ref_op_id: Option<Cow<'a, str>>,
    pub proof: Option<Proof>,
    pub order: Option<Order>,
    pub actor: Option<Cow<'a, str>>,
    pub source: Option<ReportSource>,
    /// In the order of the record.
    pub attributes: Vec<(Cow<'a, str>, AttributeValue<'a>)>,
    /// How many top-level fields were ignored because the contract does not know them.
    pub unknown_fields: u32,
}

impl Operation<'_> {
    /// Returns the id of the rule that a `rule_rearmed` speaks of.
    #[must_use]
    pub fn rearmed_rule(&self) -> Option<&str> {
        let named = self.attributes.iter().filter(|_| self.kind == OperationType::RuleRearmed);
        named.into_iter().find_map(|(key, value)| match value {
            AttributeValue::Text(rule) if key == ATTRIBUTE_RULE => Some(&**rule),
            _ => None,
        })
    }
}
