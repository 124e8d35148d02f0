//! What the service tells of wallets, restrictions and rules: the JSON of the read endpoints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A wallet as support and analysts see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WalletView {
    pub wallet_id: String,
    /// The newest operation's time that was not refused (UTC).
    pub newest: Option<String>,
    pub restrictions: Vec<RestrictionView>,
    /// Operations that wait, in order of arrival.
    pub waiting: Vec<WaitingView>,
    /// The windows of the rules and what they hold now.
    pub windows: Vec<WindowView>,
    /// Operations still in the log, oldest first.
    pub operations: Vec<OperationView>,
    /// The newest decisions, newest first, as on the decisions stream.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub recent_decisions: Vec<serde_json::Value>,
}

/// A restriction in force, or an operation's own hold.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RestrictionView {
    pub restriction_id: String,
    /// `monitor`, `block` or `hold`.
    pub kind: String,
    /// `debit`, `both` or `login` of a block.
    pub direction: Option<String>,
    /// The wallet it belongs to; of an address block the wallet that caused it, where that is known.
    pub wallet_id: Option<String>,
    /// The address of an address block.
    pub ip: Option<String>,
    /// The operation of a hold.
    pub op_id: Option<String>,
    pub rule: String,
    pub clauses: Vec<String>,
    pub from: String,
    pub until: Option<String>,
    pub lifted_by: Vec<String>,
}

/// An operation that waits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WaitingView {
    pub op_id: String,
    pub since: String,
    /// Rules whose hold or monitoring keeps it.
    pub held_by: Vec<String>,
    /// Rules that want the PIN.
    pub challenged_by: Vec<String>,
}

/// One window of a rule over a wallet.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WindowView {
    /// The aggregate as the rules write it.
    pub aggregate: String,
    pub rules: Vec<String>,
    /// How many entries it holds.
    pub entries: u64,
}

/// An operation in a wallet's log.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OperationView {
    pub seq: u64,
    pub occurred_at: String,
    pub amount: Option<String>,
    pub is_refused: bool,
    pub is_cancelled: bool,
}

/// Which restrictions to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct RestrictionFilter {
    /// `monitor`, `block` or `hold`.
    pub kind: Option<String>,
    pub rule: Option<String>,
    /// Only those older than this: `30m`, `2h`, `1d`.
    pub older_than: Option<String>,
    /// At most so many (1,000 unless told, 10,000 at most).
    pub limit: Option<usize>,
}

/// A loaded rule and what it did since the service started.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RuleView {
    pub rule: String,
    pub clauses: Vec<String>,
    /// `enforce`, `shadow` or `off`.
    pub mode: String,
    /// Fed for less than its longest window since a reload added it: shadow until then.
    pub is_warming: bool,
    pub title: LocalizedView,
    pub owner: String,
    pub severity: Option<String>,
    pub path: String,
    /// The text of the rule file.
    pub source: String,
    /// Operations it was evaluated on, and matches.
    pub evaluated: u64,
    pub matches: u64,
    /// Time of the last match (UTC, event time).
    pub last_match: Option<String>,
    /// Matches in each of the last 24 hours of arrival, oldest first.
    pub matches_by_hour: Vec<u64>,
}

/// A text in Kazakh, Russian and English.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LocalizedView {
    pub kk: String,
    pub ru: String,
    pub en: String,
}
