//! What each name of the language means, for the reference. The matches have no default, so that a new
//! type, field, function, lifter or recipient cannot be left out.

use crate::operation::OperationType;
use crate::rules::program::{Field, Function, Lifter, Recipient, Type};
use crate::rules::syntax::Unit;

pub(super) const fn operation(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Transfer => "client to client",
        OperationType::Payment => "to a merchant",
        OperationType::CashOut => "sale of e-money to an agent or to the client's own bank account",
        OperationType::Redemption => "redemption by the issuer",
        OperationType::TopUp => "e-money is bought or paid in",
        OperationType::Refund => "money of an earlier operation comes back",
        OperationType::Login => "an attempt to log in",
        OperationType::SecretAnswer => "an attempt to answer the secret question in password recovery",
        OperationType::Pin => "an answer to a PIN challenge; `ref_op_id` names the challenged operation",
        OperationType::Cancelled => "the operation that `ref_op_id` names did not happen after all",
        OperationType::WalletBlockRequested => "the client blocks their own wallet",
        OperationType::WalletUnblockRequested => "the client ends their own block",
        OperationType::OwnershipDisputed => "a block was asked for, ownership is not proved",
        OperationType::IdentityConfirmed => "the client was reached and `proof` was given",
        OperationType::IpUnblockRequested => "support lifts the blocks of the address `ip`",
        OperationType::CashOutDetailsWrong => "the details of a cash-out are wrong",
        OperationType::FraudReported => "somebody (`source`) reports a fraud",
        OperationType::DocumentsRefused => "the client refuses documents that were asked for",
        OperationType::TamperingDetected => "the ledger found that its protection was tampered with",
        OperationType::SuspicionConfirmed => "the operator finds the suspicion grounded",
        OperationType::OperationDisputed => "the client says that they did not order `ref_op_id`",
        OperationType::ComplaintReceived => "others complain of the client",
        OperationType::SeizureOrdered => "a court arrests the e-money",
        OperationType::SeizureLifted => "a court ends its arrest",
        OperationType::RuleRearmed => {
            "an analyst arms the rule `attributes.rule` again, which had exceeded its budget; no event of a wallet"
        }
    }
}

pub(super) const fn field(field: &Field) -> &'static str {
    match field {
        Field::OpId => "the unique id of the operation",
        Field::Type => "what happened",
        Field::OccurredAt => "when it happened: every window and day is computed from it",
        Field::WalletId => "the wallet that acts; `wallet` after `by`",
        Field::ClientStatus => "how well the client is known",
        Field::Amount => "the principal without commission",
        Field::Currency => "always `KZT`",
        Field::CounterpartyKind => "what the other side is",
        Field::CounterpartyWalletId => "the other side's wallet",
        Field::CounterpartyAccount => "the other side's account",
        Field::CounterpartyPhone => "the other side's phone",
        Field::Ip => "the client's address",
        Field::IpCountry => "the country of the address, of the geo databases",
        Field::IpIsAnonymizer => {
            "the address is a VPN, a public or residential proxy or a Tor exit; false without a record"
        }
        Field::DeviceId => "the client's device",
        Field::Outcome => "how the attempt ended",
        Field::RefOpId => "the operation that this one speaks of",
        Field::Proof => "what was proved",
        Field::Order => "what the owner says of waiting operations; `complete` when absent",
        Field::Actor => "the person or system behind a support event",
        Field::Source => "who says so",
        Field::Attribute(..) => "what the sender adds: takes the type of what it is compared with",
        Field::WalletIsBlocked => "a block of the wallet is in force, before this operation's own actions",
        Field::WalletIsMonitored => "a monitoring of the wallet is in force, before this operation's own actions",
        Field::WalletIsConfirmed => "a PIN has confirmed the Almaty day of this operation",
        Field::RefAge => {
            "the time from the operation of this wallet that `ref_op_id` names to this one; missing when it is not remembered or lies later"
        }
        Field::MatchRule => "the rule that fired",
        Field::MatchMode => "whether it was enforced or in shadow",
        Field::MatchClauses => "the clauses of the rule; asked with `has`",
    }
}

/// The name of a type, and how its literals are written.
pub(super) const fn value_type(value_type: Type) -> (&'static str, &'static str) {
    match value_type {
        Type::Bool => ("bool", "`true`, `false`; a field of this type is a condition by itself"),
        Type::Int => ("number", "`10`, `1_000`, `87.5`: exact, at most two decimals; decimals only for attributes"),
        Type::Money => ("money", "`100_000 KZT`, `0.01 KZT`, `100 MRP`"),
        Type::Duration => ("duration", "`90m`, `24h`, `30d`"),
        Type::Time => ("time", "no literal: times are compared with each other"),
        Type::Text => ("text", "`\"gambling_payout\"`"),
        Type::Enum => ("word", "one of the field's words, bare: `failure`"),
        Type::Country => ("country", "an ISO 3166 code in quotes: `\"KZ\"`"),
        Type::Address => ("address", "`\"95.56.234.10\"`, IPv4 or IPv6"),
        Type::Clauses => ("clauses", "only `clauses has \"7.15\"`"),
    }
}

/// What a function gives, what it gives over nothing, and an example.
pub(super) const fn function(function: Function) -> (&'static str, &'static str, &'static str) {
    match function {
        Function::Count => ("how many operations", "0", "count(transfer by wallet, amount within 1h) > 10"),
        Function::Sum => ("the sum of the field", "0", "sum(debit.amount by wallet today) > 100 MRP"),
        Function::Distinct => {
            ("how many different values the field has", "0", "distinct(login.wallet_id by device_id within 24h) > 3")
        }
        Function::Min => ("the least value", "missing", "min(debit.amount by wallet within 7d) < 10 KZT"),
        Function::Max => ("the greatest value", "missing", "max(debit.amount by wallet this month) > 50 MRP"),
        Function::Avg => (
            "the average, compared exactly",
            "missing",
            "max(debit.amount by wallet today) > 3 * avg(debit.amount by wallet within 30d)",
        ),
        Function::Last => (
            "the value of the operation with the greatest `occurred_at` before this one, arrival deciding ties",
            "missing",
            "ip.country != last(login.ip.country where outcome = success by wallet within 2h)",
        ),
        Function::Any => ("there is one", "false", "any(login where outcome = failure by wallet today)"),
        Function::None => ("there is none", "true", "none(login where outcome = success by wallet within 24h)"),
        Function::Streak => (
            "how many in a row, in order of arrival, satisfy `where`; one that does not ends the run",
            "0",
            "streak(login where outcome = failure by wallet quiet 24h) >= 3",
        ),
        Function::Age => (
            "the time since the first of a chain of operations without a longer pause",
            "missing",
            "age(any by wallet, device_id quiet 30d) <= 24h",
        ),
    }
}

pub(super) const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Kzt => "tenge, at most two decimals",
        Unit::Mrp => "the monthly calculation index of the operation's Almaty day",
        Unit::Second => "seconds",
        Unit::Minute => "minutes",
        Unit::Hour => "hours",
        Unit::Day => "24 hours in conditions and windows, calendar days in a block's `for`",
        Unit::Month => "calendar months, only in a block's `for`",
    }
}

pub(super) const fn lifter(lifter: Lifter) -> &'static str {
    match lifter {
        Lifter::Pin => "the client, by a PIN (`identity_confirmed` with this `proof`)",
        Lifter::SecretAnswer => "the client, by the answer to the secret question",
        Lifter::IdentityDocument => "the client, by an identity document",
        Lifter::MobileContract => "the client, by the contract of the mobile number, shown with a document",
        Lifter::Agreed => "the client, in a way that was agreed with them",
        Lifter::Explanations => "the operator, once the client has explained",
        Lifter::FactsEstablished => "the operator, once the facts of a fraud are established",
        Lifter::Client => "the client themselves, by `wallet_unblock_requested`",
        Lifter::Support => "support, by `ip_unblock_requested`; lifts blocks of addresses, and nobody else does",
        Lifter::Court => "a court, by `seizure_lifted`",
    }
}

pub(super) const fn recipient(recipient: Recipient) -> &'static str {
    match recipient {
        Recipient::Afm => "the Agency for Financial Monitoring",
        Recipient::AntifraudCentre => "the antifraud centre of the National Bank",
        Recipient::Issuer => "the issuer of the e-money",
        Recipient::PaymentSystem => "the payment system",
        Recipient::LawEnforcement => "law enforcement",
        Recipient::Disputes => "who settles disputes with clients",
    }
}

/// The actions of `then`: how each is written, and what happens.
pub(super) const fn action(name: &str) -> &'static [(&'static str, &'static str)] {
    match name.as_bytes() {
        b"hold" => &[
            ("hold", "this debit waits, until one of the five proofs of identity lifts it"),
            ("hold: {lifted_by: [agreed, facts_established]}", "the same, with others who lift it"),
        ],
        b"monitor" => &[
            ("monitor", "every debit of the wallet waits, this one too, until lifted"),
            ("monitor: {lifted_by: [identity_document]}", "the same, with others who lift it"),
        ],
        b"challenge" => &[
            ("challenge: pin", "this debit waits for the PIN"),
            ("challenge: captcha", "the wallet's next attempt must pass the anti-robot check"),
        ],
        b"refuse" => &[("refuse", "this operation is not carried out")],
        b"block" => &[
            ("block: {what: wallet, direction: debit, for: 30d}", "debits of the wallet are refused"),
            (
                "block: {what: wallet, direction: both, for: until_lifted, lifted_by: [client]}",
                "debits and credits of the wallet, and transfers of others to it, are refused",
            ),
            (
                "block: {what: ip, direction: login, for: 24h}",
                "logins from the address are refused until support lifts it",
            ),
        ],
        b"report" => &[
            ("report: afm", "a recipient below is told, at every match"),
            ("report: {to: disputes, when: ref.age <= 24h}", "the same, if the condition holds"),
        ],
        b"cancel_waiting" => &[("cancel_waiting", "all operations of the wallet that wait are cancelled")],
        b"cancel_referenced" => {
            &[("cancel_referenced", "the operation that `ref_op_id` names is cancelled, if it waits")]
        }
        _ => &[],
    }
}

/// What a key of a rule file holds.
pub(super) const fn key(name: &str) -> &'static str {
    match name.as_bytes() {
        b"rule" => "the id, equal to the file's name: small letters, digits, hyphens",
        b"clauses" => "where the rule comes from: texts in quotes, at least one",
        b"title" => "what the rule is about, in `kk`, `ru`, `en`",
        b"owner" => "who answers for the rule",
        b"mode" => "`enforce` acts, `shadow` only reports, `off` sleeps",
        b"on" => "an operation type, a class, or a list of them",
        b"when" => "the condition, or `all:` or `any:` with a list of conditions; left out: always",
        b"then" => "a list of actions",
        b"from" => "the first Almaty day of the rule",
        b"until" => "the last Almaty day of the rule",
        b"on_missing" => "what an unknown condition does: `skip` (when left out) or `fire`",
        b"budget" => {
            "how many operations the rule may stop in an hour before it goes into shadow: \
             `{holds_per_hour: 500, share: 2%}`, either or both; `none` is no limit; left out: that of `data/budget.yaml`"
        }
        b"message" => "what the client is told, in `kk`, `ru`, `en`, with `{placeholders}`",
        b"severity" => "for the console: `low`, `medium`, `high`",
        b"notes" => "the clause in plain words",
        _ => "",
    }
}
