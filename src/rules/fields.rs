//! The names a condition may use: fields, operation types and classes, and where each is always there.

use std::sync::Arc;

use super::program::{AttributeType, Field, Type, TypeSet};
use crate::operation::{AttemptOutcome, ClientStatus, CounterpartyKind, OperationType, Order, Proof, ReportSource};

/// What a field's path means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldInfo {
    pub(crate) field: Field,
    pub(crate) field_type: Type,
    /// The words of an enum, by code.
    pub(crate) words: &'static [&'static str],
}

/// Every field of an operation and of its wallet, in the order of the contract.
pub(crate) const FIELDS: [(&str, Field, Type, &[&str]); 25] = [
    ("op_id", Field::OpId, Type::Text, &[]),
    ("type", Field::Type, Type::Enum, OperationType::NAMES),
    ("occurred_at", Field::OccurredAt, Type::Time, &[]),
    ("wallet_id", Field::WalletId, Type::Text, &[]),
    ("client_status", Field::ClientStatus, Type::Enum, ClientStatus::NAMES),
    ("amount", Field::Amount, Type::Money, &[]),
    ("currency", Field::Currency, Type::Text, &[]),
    ("counterparty.kind", Field::CounterpartyKind, Type::Enum, CounterpartyKind::NAMES),
    ("counterparty.wallet_id", Field::CounterpartyWalletId, Type::Text, &[]),
    ("counterparty.account", Field::CounterpartyAccount, Type::Text, &[]),
    ("counterparty.phone", Field::CounterpartyPhone, Type::Text, &[]),
    ("ip", Field::Ip, Type::Address, &[]),
    ("ip.country", Field::IpCountry, Type::Country, &[]),
    ("ip.is_anonymizer", Field::IpIsAnonymizer, Type::Bool, &[]),
    ("device_id", Field::DeviceId, Type::Text, &[]),
    ("outcome", Field::Outcome, Type::Enum, AttemptOutcome::NAMES),
    ("ref_op_id", Field::RefOpId, Type::Text, &[]),
    ("proof", Field::Proof, Type::Enum, Proof::NAMES),
    ("order", Field::Order, Type::Enum, Order::NAMES),
    ("actor", Field::Actor, Type::Text, &[]),
    ("source", Field::Source, Type::Enum, ReportSource::NAMES),
    ("wallet.is_blocked", Field::WalletIsBlocked, Type::Bool, &[]),
    ("wallet.is_monitored", Field::WalletIsMonitored, Type::Bool, &[]),
    ("wallet.is_confirmed", Field::WalletIsConfirmed, Type::Bool, &[]),
    ("ref.age", Field::RefAge, Type::Duration, &[]),
];

/// The fields of a match, inside an aggregate over `match`.
pub(crate) const MATCH_FIELDS: [(&str, Field, Type, &[&str]); 6] = [
    ("op_id", Field::OpId, Type::Text, &[]),
    ("occurred_at", Field::OccurredAt, Type::Time, &[]),
    ("wallet_id", Field::WalletId, Type::Text, &[]),
    ("rule", Field::MatchRule, Type::Text, &[]),
    ("mode", Field::MatchMode, Type::Enum, &["enforce", "shadow"]),
    ("clauses", Field::MatchClauses, Type::Clauses, &[]),
];

/// The classes of operation types.
pub(crate) const CLASSES: [&str; 4] = ["debit", "credit", "session", "any"];

/// Finds a field by its path; an attribute is text until it is compared with something else.
pub(crate) fn field(path: &str, of_match: bool) -> Option<FieldInfo> {
    let table: &[(&str, Field, Type, &'static [&'static str])] = if of_match { &MATCH_FIELDS } else { &FIELDS };
    if let Some((_, field, field_type, words)) = table.iter().find(|(name, ..)| *name == path) {
        return Some(FieldInfo { field: field.clone(), field_type: *field_type, words });
    }
    let key = attribute_key(path).filter(|_| !of_match)?;
    let field = Field::Attribute(Arc::from(key), AttributeType::Text);
    Some(FieldInfo { field, field_type: Type::Text, words: &[] })
}

/// Returns the words that a field of an operation or a match may be compared with: those of an enum, none of a country
/// (its codes are too many to list). `None` for every other field. `this.` before the path changes nothing.
pub(crate) fn words_of(path: &str) -> Option<&'static [&'static str]> {
    let path = path.strip_prefix("this.").unwrap_or(path);
    let found = field(path, false).or_else(|| field(path, true))?;
    matches!(found.field_type, Type::Enum | Type::Country).then_some(found.words)
}

/// Returns the key of `attributes.KEY`.
pub(crate) fn attribute_key(path: &str) -> Option<&str> {
    path.strip_prefix("attributes.").filter(|key| !key.is_empty() && !key.contains('.'))
}

/// Returns the path of a field as rules write it.
pub(crate) fn path(field: &Field) -> String {
    if let Field::Attribute(key, _) = field {
        return format!("attributes.{key}");
    }
    let found = FIELDS.iter().chain(&MATCH_FIELDS).find(|(_, known, ..)| known == field);
    found.map_or_else(String::new, |(name, ..)| (*name).to_owned())
}

/// Lists the paths of all fields for "did you mean".
pub(crate) fn known_paths(of_match: bool) -> Vec<&'static str> {
    let table: &[(&'static str, Field, Type, &[&str])] = if of_match { &MATCH_FIELDS } else { &FIELDS };
    table.iter().map(|(name, ..)| *name).collect()
}

/// Finds an operation type or a class.
pub(crate) fn type_set(name: &str) -> Option<TypeSet> {
    match name {
        "debit" => Some(TypeSet::of(OperationType::is_debit)),
        "credit" => Some(TypeSet::of(OperationType::is_credit)),
        "session" => Some(TypeSet::of(OperationType::is_session)),
        "any" => Some(TypeSet::of(|_| true)),
        _ => OperationType::from_name(name).map(|kind| TypeSet::of(|other| other == kind)),
    }
}

/// Lists the names of all types and classes.
pub(crate) fn type_names() -> Vec<&'static str> {
    OperationType::NAMES.iter().copied().chain(CLASSES).collect()
}

/// Tells whether an accepted operation of the type always bears the field (section 1 of the contract).
pub(crate) const fn is_always_present(field: &Field, kind: OperationType) -> bool {
    match field {
        Field::OpId
        | Field::Type
        | Field::OccurredAt
        | Field::WalletId
        | Field::WalletIsBlocked
        | Field::WalletIsMonitored
        | Field::WalletIsConfirmed
        | Field::MatchRule
        | Field::MatchMode
        | Field::MatchClauses => true,
        Field::ClientStatus | Field::CounterpartyKind => kind.is_debit(),
        Field::Amount | Field::Currency => kind.is_money(),
        Field::CounterpartyWalletId => matches!(kind, OperationType::Transfer),
        Field::Ip => matches!(kind, OperationType::IpUnblockRequested),
        Field::Outcome => kind.is_session(),
        Field::RefOpId => kind.needs_reference(),
        Field::Proof | Field::Order => matches!(kind, OperationType::IdentityConfirmed),
        Field::Source => matches!(kind, OperationType::FraudReported),
        Field::CounterpartyAccount
        | Field::CounterpartyPhone
        | Field::IpCountry
        | Field::IpIsAnonymizer
        | Field::DeviceId
        | Field::RefAge
        | Field::Actor
        | Field::Attribute(..) => false,
    }
}
