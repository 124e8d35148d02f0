//! The compiled form of a rule set: typed, checked, unable to fail when evaluated.
//!
//! The checker (`rules::types`) makes it, the engine (`engine::evaluate`) runs it. Everything a
//! condition can compare is one of two things here: a *number* (int, money in tiyn, time and duration
//! in nanoseconds, all as `i128`) or a *symbol* (text, enum, country, address as 64 bits), so that
//! evaluation compares machine words. Missing is `None`; three-valued logic is the evaluator's.

mod actions;
mod budget;
mod data;
pub mod message;
mod reads;
pub mod retired;

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::source::SourceFile;
use crate::operation::localized::Localized;
use crate::operation::time::Nanos;
use crate::operation::{OperationType, Time};

pub use actions::{Action, Block, BlockTerm, Lifter, Lifters, Recipient};
pub use budget::{Budget, Share};
pub use data::{List, ListOrigin, ListRow, ListType, MrpTable};
pub use message::Message;
pub use reads::Read;
pub use retired::Retired;

/// The types of the language (3-valued logic aside, a value of each may be missing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    Bool,
    Int,
    /// Tiyn.
    Money,
    /// Nanoseconds.
    Duration,
    /// Nanoseconds since the epoch.
    Time,
    Text,
    /// A closed set of words; which one is the field's business.
    Enum,
    /// ISO 3166 alpha-2.
    Country,
    Address,
    /// The clauses of a match.
    Clauses,
}

/// A field of an operation, of a match, or of the acting wallet. Stored layouts of rows hold these by position: a
/// later one comes at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    OpId,
    Type,
    OccurredAt,
    /// `wallet_id`; `wallet` in a `by` key.
    WalletId,
    ClientStatus,
    Amount,
    Currency,
    CounterpartyKind,
    CounterpartyWalletId,
    CounterpartyAccount,
    CounterpartyPhone,
    Ip,
    /// `ip.country`
    IpCountry,
    /// `ip.is_anonymizer`: VPN, public or residential proxy, Tor.
    IpIsAnonymizer,
    DeviceId,
    Outcome,
    RefOpId,
    Proof,
    Order,
    Actor,
    Source,
    /// `attributes.KEY`, read as the type given with it.
    Attribute(Arc<str>, AttributeType),
    /// `wallet.is_blocked`, before this operation's own actions.
    WalletIsBlocked,
    /// `wallet.is_monitored`, before this operation's own actions.
    WalletIsMonitored,
    /// `match.rule`, `match.mode` inside an aggregate over `match`.
    MatchRule,
    MatchMode,
    /// `match.clauses`, only with `has`.
    MatchClauses,
    /// `ref.age`: the time from the `occurred_at` of the operation of this wallet that `ref_op_id` names;
    /// missing when it is not remembered or lies later.
    RefAge,
    /// `wallet.is_confirmed`: a PIN has confirmed the operation's Almaty day (7.17).
    WalletIsConfirmed,
}

/// The type an attribute takes from what it is compared with; a value of any other kind is missing.
/// Stored layouts of rows hold these by number: a later one comes at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AttributeType {
    Text,
    /// Only in stored layouts of earlier versions, which read integers alone.
    Int,
    /// A JSON string in the grammar of `amount`.
    Money,
    Bool,
    /// A JSON number, as an exact [`crate::operation::Decimal`].
    Number,
    /// Whatever it is: only whether it is there and what it equals count.
    Any,
}

/// Where a field is read: on the operation being judged (`this`), or on the past one inside `where`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The operation being judged. In conditions every bare field; in `where` only `this.x`.
    This,
    /// The past operation (or match) that `where` is asked about.
    Past,
}

/// Position of an aggregate in [`RuleSet::aggregates`].
pub type AggregateId = usize;

/// A number: exact, a ratio only where `/` or `avg` made one.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// An int, tiyn or nanoseconds.
    Literal(i128),
    /// So many hundredths of the MRP of the operation's Almaty day: `100 MRP` is 10,000. Missing
    /// before the table's first row.
    Mrp {
        hundredths: i64,
    },
    Field(Scope, Field),
    Aggregate(AggregateId),
    Add(Box<Number>, Box<Number>),
    Subtract(Box<Number>, Box<Number>),
    Multiply(Box<Number>, Box<Number>),
    /// Exact (a ratio); by zero is missing.
    Divide(Box<Number>, Box<Number>),
    /// Of whole numbers, with the sign of the dividend; by zero is missing.
    Remainder(Box<Number>, Box<Number>),
}

/// A value that is only compared for equality: [`symbol_of_text`] and its siblings give the bits.
#[derive(Debug, Clone, PartialEq)]
pub enum Symbol {
    Literal(u64),
    Field(Scope, Field),
    /// `last`, `min` or `max` of a field that is not a number.
    Aggregate(AggregateId),
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Returns the operator of rule files.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Returns the comparison that holds exactly where this one does not.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}

/// A condition: true, false or unknown.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Literal(bool),
    Not(Box<Condition>),
    /// Kleene `and`.
    All(Vec<Condition>),
    /// Kleene `or`.
    Any(Vec<Condition>),
    Compare {
        left: Number,
        comparison: Comparison,
        right: Number,
    },
    /// Equality of symbols (`negated`: inequality).
    Same {
        left: Symbol,
        right: Symbol,
        negated: bool,
    },
    /// A bool field.
    Flag(Scope, Field),
    /// An `any` or `none` aggregate, or `last` of a bool field.
    FlagAggregate(AggregateId),
    /// Membership of a text or address field in a list; a missing field is unknown.
    InList {
        scope: Scope,
        field: Field,
        list: usize,
        negated: bool,
    },
    /// `x is missing` (`negated`: `is present`); never unknown.
    Missing {
        what: Operand,
        negated: bool,
    },
    /// `clauses has "7.15"`, inside an aggregate over `match`.
    ClausesHas(Arc<str>),
    /// `matched "7.15"`: this operation is matched by an enforced rule of the clause.
    Matched(Arc<str>),
}

/// What `is missing` asks about.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Field(Scope, Field),
    Aggregate(AggregateId),
}

/// A set of operation types, one bit each by [`OperationType::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TypeSet(pub u32);

impl TypeSet {
    /// Collects the types for which `wanted` is true.
    #[must_use]
    pub fn of(wanted: impl Fn(OperationType) -> bool) -> Self {
        Self(OperationType::ALL.iter().filter(|kind| wanted(**kind)).fold(0, |bits, kind| bits | 1 << kind.code()))
    }

    /// Lists the types in the order of [`OperationType::ALL`].
    pub fn iter(self) -> impl Iterator<Item = OperationType> {
        OperationType::ALL.iter().copied().filter(move |kind| self.contains(*kind))
    }

    /// Tells whether the type is in the set.
    #[must_use]
    pub const fn contains(self, kind: OperationType) -> bool {
        self.0 & (1 << kind.code()) != 0
    }
}

/// What an aggregate computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    Count,
    Sum,
    Distinct,
    Min,
    Max,
    Avg,
    Last,
    Any,
    None,
    Streak,
    Age,
}

/// What an aggregate runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    Operations(TypeSet),
    /// The matches of operations.
    Matches,
}

/// One part of a key: the past operation's field must equal the current operation's.
/// `by amount` is (amount, amount); `into wallet` is (counterparty.wallet_id, wallet_id).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPart {
    pub past: Field,
    pub this: Field,
}

/// The window of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Closed, of this length.
    Within(Nanos),
    /// The Almaty calendar day of the operation.
    Today,
    /// The Almaty calendar month of the operation.
    ThisMonth,
    /// Of `streak` and `age`: the longest gap that continues the run or chain.
    Quiet(Nanos),
}

/// One distinct aggregate; rules that write the same one share it.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub function: Function,
    pub stream: Stream,
    /// The field computed over; `None` for count, any, none, streak, age.
    pub value: Option<Field>,
    /// The type of [`Self::value`].
    pub value_type: Option<Type>,
    /// The part of `where` that only reads the past operation (all scopes are [`Scope::Past`]).
    pub filter: Option<Condition>,
    /// The part of `where` that also reads `this.x` and is no plain equality (those become key parts).
    pub residual: Option<Condition>,
    /// Sorted and without repetition.
    pub key: Vec<KeyPart>,
    pub window: Window,
    /// `last` always excludes this operation.
    pub excluding_this: bool,
    /// The canonical text of the definition: equal text is the same state, over reloads too.
    pub canonical: String,
}

impl Aggregate {
    /// Tells whether the values are decimals of an attribute.
    #[must_use]
    pub fn is_of_decimals(&self) -> bool {
        matches!(self.value, Some(Field::Attribute(_, AttributeType::Number)))
    }

    /// Tells whether it adds decimals up: their words are packed, so that this needs every entry.
    #[must_use]
    pub fn adds_decimals(&self) -> bool {
        self.is_of_decimals() && matches!(self.function, Function::Sum | Function::Avg)
    }

    /// Tells whether the state belongs to the acting wallet's record (its key holds the wallet
    /// through `by`); otherwise it is shared between wallets.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.key.iter().any(|part| part.past == Field::WalletId && part.this == Field::WalletId)
    }
}

/// Whether a rule acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Enforce,
    /// Matches are reported; they change nothing.
    Shadow,
    Off,
}

impl Mode {
    /// Returns the word of rule files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// What an unknown condition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnMissing {
    Skip,
    Fire,
}

/// One thing the condition reads, shown in a match.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The field's path, or the aggregate's source text with runs of white space made one space.
    pub name: String,
    pub what: Operand,
    pub value_type: Type,
}

/// Inputs that may be missing and that decisions then name in `degraded`; one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs(pub u8);

impl Inputs {
    pub const GEOIP_COUNTRY: Self = Self(1);
    pub const GEOIP_ANONYMIZER: Self = Self(2);
    pub const MRP: Self = Self(4);
    pub const SHARED_STATE: Self = Self(8);
    /// An attribute of the operation has a value of another kind than the rule compares.
    pub const ATTRIBUTES: Self = Self(16);

    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Tells whether both have one in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One compiled rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: Arc<str>,
    pub clauses: Arc<[Arc<str>]>,
    pub title: Localized,
    /// What an enforced match tells the client.
    pub message: Option<Message>,
    pub owner: String,
    pub severity: Option<String>,
    pub notes: Option<String>,
    pub mode: Mode,
    pub on: TypeSet,
    /// The rule is off before this instant (midnight of `from` in Almaty).
    pub from: Option<Time>,
    /// The rule is off from this instant on (midnight after the day `until` in Almaty).
    pub until: Option<Time>,
    pub on_missing: OnMissing,
    /// How many operations it may stop before it only watches: its own budget, or the set's.
    pub budget: Option<Budget>,
    /// `Condition::Literal(true)` where `when` is omitted.
    pub when: Condition,
    pub actions: Vec<Action>,
    /// All of `when` and of `report.when`, in the order of the text, without repetition.
    pub evidence: Vec<Evidence>,
    /// What the rule reads that may be missing.
    pub needs: Inputs,
    /// The attributes it compares, each as the type it must be of: a value of another kind is named in `degraded`.
    pub attributes: Vec<Field>,
    /// Every aggregate the rule reads.
    pub aggregates: Vec<AggregateId>,
    /// Every list the rule reads, its aggregates included: positions in [`RuleSet::lists`].
    pub lists: Vec<usize>,
    /// Reads a `streak` over logins: not evaluated on a refused login.
    pub reads_login_run: bool,
    /// 0 for plain rules; rules that read matches run after those, in increasing stage.
    pub stage: u32,
    /// The path of the rule file and its text, for the console.
    pub path: String,
    pub source: String,
}

/// All loaded rules, lists and tables, compiled.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    /// First 12 hex digits of the SHA-256 over the canonical form of all rules and lists.
    pub hash: String,
    /// In rule-id order.
    pub rules: Vec<Rule>,
    /// Each distinct aggregate once, in a stable order; behind them those that are only kept.
    pub aggregates: Vec<Aggregate>,
    pub lists: Vec<List>,
    pub mrp: MrpTable,
    /// The files of the table and the lists, as they were read: with the rules' texts the set can be made again.
    pub data: Vec<SourceFile>,
    /// Windows of former sets that are kept for a while. No part of the hash: no decision depends on them.
    pub retired: Vec<Retired>,
}

/// Returns the 64 bits that stand for a text wherever only equality counts.
#[must_use]
pub fn symbol_of_text(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// Returns the bits of a word of a closed set, by its code in that set (`OperationType::code` and its
/// siblings; `enforce` is 0 and `shadow` 1).
#[must_use]
pub fn symbol_of_word(code: u8) -> u64 {
    u64::from(code)
}

/// Returns the bits of a country code (`KZ`); they can be turned back by [`country_of_symbol`].
#[must_use]
pub fn symbol_of_country(code: [u8; 2]) -> u64 {
    u64::from(u16::from_be_bytes(code))
}

/// Returns the country code behind its symbol.
#[must_use]
pub fn country_of_symbol(symbol: u64) -> [u8; 2] {
    let bytes = symbol.to_be_bytes();
    [bytes[6], bytes[7]]
}

/// Returns the bits of a canonical address.
#[must_use]
pub fn symbol_of_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(u32::from(v4)),
        IpAddr::V6(v6) => xxhash_rust::xxh3::xxh3_64(&v6.octets()),
    }
}
