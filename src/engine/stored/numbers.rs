//! Every enum that stands in stored bytes by a number, with its numbers.
//!
//! Stored state outlives the program that wrote it, so a number never changes and is never given to something else. The
//! matches have no default: a new variant does not compile until it has a number here, and that is the next free one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::engine::state::restriction::{Restriction, RestrictionKind};
use crate::engine::state::shared::change::{Party, SharedChange, SharedKey};
use crate::engine::state::wallet::row::{FLAG_CANCELLED, FLAG_MATCH, FLAG_MONEY, FLAG_REFUSED, FLAG_SHADOW};
use crate::engine::window::Entry;
use crate::operation::decode::{CounterpartyField, Field as ContentField};
use crate::operation::{
    AttemptOutcome, ClientStatus, CounterpartyKind, OperationType, Order, Proof, ReportSource, Time,
};
use crate::rules::program::{AttributeType, Block, Field, Lifter, Lifters};

/// Lists values with their numbers; a variant that is left out does not compile.
macro_rules! table {
    ($type:ident: $($variant:ident $(($($inside:expr),+))? = $number:literal),+ $(,)?) => {{
        let number = |value: &$type| -> u8 {
            match value { $($type::$variant $((table!(@any $($inside),+)))? => $number),+ }
        };
        vec![$({ let value = $type::$variant $(($($inside),+))?; (number(&value), value) }),+]
    }};
    (@any $($inside:expr),+) => { .. };
}

/// Holds each value's stored number against the table, where numbers run from zero without a gap.
fn check<T: std::fmt::Debug>(table: &[(u8, T)], stored: impl Fn(&T) -> u8) {
    for (number, value) in table {
        assert_eq!(
            stored(value),
            *number,
            "the number of {value:?} has changed: what is stored means another value now"
        );
    }
    let mut numbers: Vec<u8> = table.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    let positions: Vec<u8> = (0..).take(numbers.len()).collect();
    assert_eq!(numbers, positions, "a number is given twice or left out: {table:?}");
}

/// The number that postcard writes before what a variant holds.
fn tag(value: &impl Serialize) -> u8 {
    postcard::to_stdvec(value).expect("memory takes it")[0]
}

#[test]
fn rules_words_keep_their_numbers() {
    check(&table!(Block: WalletDebit = 0, WalletBoth = 1, AddressLogin = 2), tag);
    check(&table!(AttributeType: Text = 0, Int = 1, Money = 2, Bool = 3, Number = 4, Any = 5), tag);
    let fields = table!(Field:
        OpId = 0, Type = 1, OccurredAt = 2, WalletId = 3, ClientStatus = 4, Amount = 5, Currency = 6,
        CounterpartyKind = 7, CounterpartyWalletId = 8, CounterpartyAccount = 9, CounterpartyPhone = 10, Ip = 11,
        IpCountry = 12, IpIsAnonymizer = 13, DeviceId = 14, Outcome = 15, RefOpId = 16, Proof = 17, Order = 18,
        Actor = 19, Source = 20, Attribute(Arc::from("k"), AttributeType::Any) = 21, WalletIsBlocked = 22,
        WalletIsMonitored = 23, MatchRule = 24, MatchMode = 25, MatchClauses = 26, RefAge = 27, WalletIsConfirmed = 28,
    );
    check(&fields, tag);
    let lifters = table!(Lifter:
        Pin = 0, SecretAnswer = 1, IdentityDocument = 2, MobileContract = 3, Agreed = 4, Client = 5, Support = 6,
        Explanations = 7, FactsEstablished = 8, Court = 9,
    );
    let bit = |lifter: &Lifter| u8::try_from(Lifters::default().with(*lifter).0.trailing_zeros()).expect("a bit");
    check(&lifters, bit);
    assert_eq!(lifters.len(), Lifter::ALL.len());
}

#[test]
fn states_enums_keep_their_numbers() {
    let block = Block::WalletBoth;
    check(&table!(RestrictionKind: Monitor = 0, Block(block) = 1), tag);
    let kinds = [RestrictionKind::Monitor, RestrictionKind::Block(block)];
    assert_eq!(kinds.map(|kind| postcard::to_stdvec(&kind).expect("memory takes it")), [vec![0], vec![1, 1]]);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    check(&table!(Party: Address(address) = 0, Wallet(7) = 1), tag);
    assert_eq!(postcard::to_stdvec(&Party::Address(address)), Ok(vec![0, 0, 127, 0, 0, 1]));
    assert_eq!(postcard::to_stdvec(&Party::Wallet(7)), Ok(vec![1, 7]));
    check(&shared_changes(), tag);
}

fn shared_changes() -> Vec<(u8, SharedChange)> {
    let number = |change: &SharedChange| -> u8 {
        match change {
            SharedChange::Insert { .. } => 0,
            SharedChange::Remove { .. } => 1,
            SharedChange::Run { .. } => 2,
            SharedChange::Text { .. } => 3,
            SharedChange::Place { .. } => 4,
            SharedChange::Lift { .. } => 5,
            SharedChange::Seen { .. } => 6,
            SharedChange::Ahead(_) => 7,
        }
    };
    let (key, at, party) = (SharedKey { aggregate: 1, key: 2 }, Time::from_nanos(3), Party::Wallet(4));
    let entry = Entry { at, op: 5, value: 6 };
    let restriction = Box::new(Restriction {
        id: Uuid::nil(),
        rule: Arc::from("r"),
        clauses: Arc::from([]),
        kind: RestrictionKind::Monitor,
        from: at,
        until: None,
        lifted_by: Lifters::PROOFS,
        fired_last: at,
    });
    let changes = [
        SharedChange::Insert { key, entry },
        SharedChange::Remove { key, entry },
        SharedChange::Run { key, length: 7, last: at },
        SharedChange::Text { key, symbol: 8, text: "t".into() },
        SharedChange::Place { party, restriction },
        SharedChange::Lift { party, restriction: Uuid::nil() },
        SharedChange::Seen { party, at },
        SharedChange::Ahead(Box::new(SharedChange::Insert { key, entry })),
    ];
    changes.into_iter().map(|change| (number(&change), change)).collect()
}

#[test]
fn contract_words_keep_their_codes() {
    let types = table!(OperationType:
        Transfer = 0, Payment = 1, CashOut = 2, Redemption = 3, TopUp = 4, Refund = 5, Login = 6, SecretAnswer = 7,
        Pin = 8, Cancelled = 9, WalletBlockRequested = 10, WalletUnblockRequested = 11, OwnershipDisputed = 12,
        IdentityConfirmed = 13, IpUnblockRequested = 14, CashOutDetailsWrong = 15, FraudReported = 16,
        DocumentsRefused = 17, TamperingDetected = 18, SuspicionConfirmed = 19, OperationDisputed = 20,
        ComplaintReceived = 21, SeizureOrdered = 22, SeizureLifted = 23, RuleRearmed = 24,
    );
    check(&types, |kind| kind.code());
    check(&table!(ClientStatus: Unregistered = 0, Unidentified = 1, Identified = 2), |status| status.code());
    let kinds = table!(CounterpartyKind: Client = 0, Merchant = 1, BankAccount = 2, Agent = 3, Card = 4);
    check(&kinds, |kind| kind.code());
    check(&table!(AttemptOutcome: Success = 0, Failure = 1), |outcome| outcome.code());
    let proofs = table!(Proof:
        Pin = 0, SecretAnswer = 1, IdentityDocument = 2, MobileContract = 3, Agreed = 4, Explanations = 5,
        FactsEstablished = 6,
    );
    check(&proofs, |proof| proof.code());
    check(&table!(Order: Complete = 0, Cancel = 1), |order| order.code());
    let sources = table!(ReportSource:
        Client = 0, Support = 1, Issuer = 2, PaymentSystem = 3, AntifraudCentre = 4, LawEnforcement = 5, Ledger = 6,
        Court = 7,
    );
    check(&sources, |source| source.code());
}

/// A row keeps a hash of the operation's content, in which these codes stand.
#[test]
fn content_fields_keep_their_codes() {
    let fields = table!(ContentField:
        OpId = 0, Type = 1, OccurredAt = 2, WalletId = 3, ClientStatus = 4, Amount = 5, Currency = 6, Counterparty = 7,
        Ip = 8, DeviceId = 9, Outcome = 10, RefOpId = 11, Proof = 12, Order = 13, Actor = 14, Source = 15,
        Attributes = 16,
    );
    check(&fields, |field| field.code());
    let members = table!(CounterpartyField: Kind = 0, WalletId = 1, Account = 2, Phone = 3);
    check(&members, |member| member.code());
}

#[test]
fn flags_of_rows_keep_their_bits() {
    assert_eq!([FLAG_MONEY, FLAG_REFUSED, FLAG_CANCELLED, FLAG_MATCH, FLAG_SHADOW], [1, 2, 4, 8, 16]);
}

#[test]
#[should_panic(expected = "has changed")]
fn a_changed_number_is_found() {
    check(&[(0, Block::WalletBoth), (1, Block::WalletDebit)], tag);
}

#[test]
#[should_panic(expected = "given twice")]
fn a_number_given_twice_is_found() {
    check(&[(0, 'a'), (0, 'b')], |_| 0);
}
