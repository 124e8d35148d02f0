//! Every endpoint: its path, who may use it, and what it is for.

use crate::config::Role;
use crate::operation::OperationType;

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    Session,
    PostOperations,
    Operation,
    Decisions,
    Decision,
    Why,
    Reproduce,
    Rejected,
    Wallet,
    Restrictions,
    SupportEvent,
    Rules,
    Rule,
    Reload,
    Rollback,
    Check,
    Test,
    Backtest,
    BacktestReport,
    BacktestStop,
    Codes,
    Code,
    RuleDiff,
    RuleLayout,
    RuleGraph,
    RuleTemplates,
    NewRule,
    RuleHistory,
    RuleMode,
    Save,
    Withdraw,
    Rearm,
    Metrics,
    Health,
    Ready,
    OpenApi,
}

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// In metrics, and as the operation id of the OpenAPI document.
    pub name: &'static str,
    pub is_post: bool,
    pub path: &'static str,
    pub handler: Handler,
    /// Any of these may; without one, everybody.
    pub roles: &'static [Role],
    /// Takes as long as it was asked to.
    pub waits: bool,
    pub summary: &'static str,
    /// Names and meanings of what may stand in the query.
    pub query: &'static [(&'static str, &'static str)],
}

/// Which history the reader means.
const EPOCH: (&str, &str) = ("epoch", "the history that the position belongs to; another one is 409 other-history");
/// What may stand in the query of the decisions: where to read, and which of them are meant.
pub(super) const DECISIONS_QUERY: &[(&str, &str)] = &[
    (
        "after",
        "the sequence number to go on after (in the order desc: before); -N starts N before the newest; without it \
         from the first decision on (in the order desc: from the newest)",
    ),
    ("wait", "how long to wait for the next decision that is meant, such as 30s, at most 60s; not in the order desc"),
    ("limit", "how many decisions at most, 1 to 1000"),
    EPOCH,
    ("order", "asc: oldest first; desc: newest first"),
    ("wallet", "only decisions on operations of this wallet"),
    ("op_id", "only the decision on this operation"),
    ("decision_id", "only this decision"),
    ("rule", "only decisions that this rule matched, enforced or in shadow, or of which a command bears it"),
    ("verdict", "only decisions with this verdict"),
    ("type", "only decisions on operations of this type"),
    ("from", "only operations that occurred at this time or later"),
    ("to", "only operations that occurred before this time"),
    ("amount_min", "only operations of this amount or more, for as long as operations are kept"),
    ("amount_max", "only operations of this amount or less, for as long as operations are kept"),
    ("ip", "only operations from this address, for as long as operations are kept"),
    ("device", "only operations from this device, for as long as operations are kept"),
    (
        "counterparty",
        "only operations with this wallet, account or phone on the other side, for as long as operations are kept",
    ),
    ("restriction_id", "only decisions that place, extend or lift this restriction"),
];
const READERS: &[Role] = &[Role::Ledger, Role::Support, Role::Analyst];
const PEOPLE: &[Role] = &[Role::Support, Role::Analyst];

const fn get(
    name: &'static str,
    path: &'static str,
    handler: Handler,
    roles: &'static [Role],
    summary: &'static str,
) -> Endpoint {
    Endpoint { name, is_post: false, path, handler, roles, waits: false, summary, query: &[] }
}

const fn post(
    name: &'static str,
    path: &'static str,
    handler: Handler,
    roles: &'static [Role],
    summary: &'static str,
) -> Endpoint {
    Endpoint { is_post: true, ..get(name, path, handler, roles, summary) }
}

/// All endpoints.
pub static ENDPOINTS: &[Endpoint] = &[
    post(
        "post_operations",
        "/v1/operations",
        Handler::PostOperations,
        &[Role::Ledger],
        "Decides one operation, or an array of at most 1000; answers when the decisions are durable",
    ),
    get("get_operation", "/v1/operations/{seq}", Handler::Operation, READERS, "An operation as it was sent"),
    Endpoint {
        waits: true,
        query: DECISIONS_QUERY,
        ..get(
            "get_decisions",
            "/v1/decisions",
            Handler::Decisions,
            READERS,
            "The stream of decisions in order, all or those that filters mean, as a long poll, or as server-sent events \
             where those are accepted",
        )
    },
    get("get_decision", "/v1/decisions/{seq}", Handler::Decision, READERS, "One decision, and why it was made"),
    Endpoint {
        query: &[
            ("lang", "kk, ru or en: sentences in this language; without it in all three"),
            ("for", "analyst, support or client; without it what the role of the token may see"),
        ],
        ..get(
            "get_why",
            "/v1/decisions/{id}/why",
            Handler::Why,
            READERS,
            "Why a decision was made: each condition of the rules that fired, or lacked one condition only",
        )
    },
    Endpoint {
        waits: true,
        ..get(
            "get_reproduction",
            "/v1/decisions/{id}/reproduce",
            Handler::Reproduce,
            PEOPLE,
            "Makes a decision again from the operations and rules that are kept, and compares it byte for byte",
        )
    },
    Endpoint {
        query: &[("from", "the offset to begin with"), ("limit", "how many records at most, 1 to 1000"), EPOCH],
        ..get("get_rejected", "/v1/rejected", Handler::Rejected, READERS, "The stream of refused records")
    },
    get("get_wallet", "/v1/wallets/{id}", Handler::Wallet, READERS, "What is known of a wallet"),
    Endpoint {
        query: &[
            ("dry_run", "true: nothing happens; answers what would, with what would become of each waiting operation"),
            ("state", "the wallet's state as a dry run told it: refused (409) if the wallet has changed since"),
        ],
        ..post(
            "post_support_event",
            "/v1/wallets/{id}/{event}",
            Handler::SupportEvent,
            &[Role::Support],
            "Sends a support event, such as identity-confirmed; who did it is recorded",
        )
    },
    Endpoint {
        query: &[
            ("kind", "monitor, block or hold"),
            ("rule", "the rule that placed it"),
            ("older_than", "the least age, such as 2h"),
            ("limit", "how many at most, 1 to 1000"),
            ("offset", "how many to pass over"),
        ],
        ..get("get_restrictions", "/v1/restrictions", Handler::Restrictions, READERS, "What is active, oldest first")
    },
    Endpoint {
        query: &[(
            "period",
            "over which period each rule's `in_period` counts: 24h (without it), 7d, 30d, 90d or all; days are those of \
             Almaty, and the last one is that of the newest operation",
        )],
        ..get("get_rules", "/v1/rules", Handler::Rules, PEOPLE, "The rules in use, and what they matched")
    },
    get("get_rule", "/v1/rules/{id}", Handler::Rule, PEOPLE, "One rule with its text"),
    Endpoint {
        query: &[("allow_empty", "true: accept that all rules, or all values of a list, are gone; refused otherwise")],
        ..post(
            "post_reload",
            "/v1/rules/reload",
            Handler::Reload,
            &[Role::Analyst],
            "Reads the rule files again; all errors, or the new rule set",
        )
    },
    Endpoint {
        query: &[("dry_run", "true: nothing happens; answers how the rules would change")],
        ..post(
            "post_rollback",
            "/v1/rules/rollback",
            Handler::Rollback,
            &[Role::Analyst],
            "Goes back to the rule set before the present one",
        )
    },
    Endpoint {
        waits: true,
        ..post(
            "post_check",
            "/v1/rules/check",
            Handler::Check,
            &[Role::Analyst],
            "Checks rules that are not in use: those in use, with changed files laid over them",
        )
    },
    Endpoint {
        waits: true,
        query: &[
            ("rule", "the tests of this rule only"),
            ("mutate", "true: tells too which changes of the rule no test notices; with rule only"),
        ],
        ..post(
            "post_test",
            "/v1/rules/test",
            Handler::Test,
            &[Role::Analyst],
            "Runs the tests of rules that are not in use: those in use, with changed files laid over them",
        )
    },
    Endpoint {
        waits: true,
        query: &[("wait", "how long to wait for the report, such as 30s, at most 60s; 5s without it")],
        ..post(
            "post_backtest",
            "/v1/backtests",
            Handler::Backtest,
            &[Role::Analyst],
            "Tells what rules would have done to the operations that are kept; one backtest runs at a time",
        )
    },
    Endpoint {
        query: &[
            (
                "format",
                "json, or the report of one that is done as text, or as html: one page with charts; json without it",
            ),
            ("lang", "the language of the page: kk, ru or en; en without it"),
        ],
        ..get("get_backtest", "/v1/backtests/{id}", Handler::BacktestReport, PEOPLE, "How a backtest is, or its report")
    },
    post("stop_backtest", "/v1/backtests/{id}/stop", Handler::BacktestStop, &[Role::Analyst], "Ends a backtest early"),
    get("get_rule_codes", "/v1/rules/codes", Handler::Codes, PEOPLE, "The codes of all findings in rules"),
    get(
        "get_rule_code",
        "/v1/rules/codes/{code}",
        Handler::Code,
        PEOPLE,
        "What a code of a finding means, with an example",
    ),
    Endpoint {
        waits: true,
        ..post(
            "post_rules_diff",
            "/v1/rules/diff",
            Handler::RuleDiff,
            &[Role::Analyst],
            "Tells what changes in meaning from one rule set to another: drafts, or sets of the past by their hashes",
        )
    },
    Endpoint {
        waits: true,
        ..post(
            "post_rules_fmt",
            "/v1/rules/fmt",
            Handler::RuleLayout,
            &[Role::Analyst],
            "Lays out rule files, comments kept, and answers with their texts; nothing is written",
        )
    },
    Endpoint {
        query: &[
            ("only", "this rule with what it reads; without it all"),
            ("format", "the language of the picture: mermaid, or dot for Graphviz; mermaid without it"),
        ],
        ..get(
            "get_rules_graph",
            "/v1/rules/graph",
            Handler::RuleGraph,
            &[Role::Analyst],
            "A picture of which of the rules in use read what: lists, tables, windows, matches",
        )
    },
    get(
        "get_rule_templates",
        "/v1/rules/templates",
        Handler::RuleTemplates,
        &[Role::Analyst],
        "What new rules are made of",
    ),
    Endpoint {
        waits: true,
        ..post(
            "post_rules_new",
            "/v1/rules/new",
            Handler::NewRule,
            &[Role::Analyst],
            "Makes a rule in shadow with its tests from a template, and answers with both texts; nothing is written",
        )
    },
    Endpoint {
        query: &[("limit", "how many changes at most, 1 to 1000")],
        ..get(
            "get_rules_history",
            "/v1/rules/history",
            Handler::RuleHistory,
            PEOPLE,
            "When the rules changed, who changed them and what it changed, newest first",
        )
    },
    post(
        "post_rule_mode",
        "/v1/rules/{id}/mode",
        Handler::RuleMode,
        &[Role::Analyst],
        "Gives a rule another mode: in its file, and from the next operation on; recorded with who did it and why",
    ),
    Endpoint {
        waits: true,
        query: &[("dry_run", "true: nothing is written; answers what would be, and how the rules would change")],
        ..post(
            "post_save",
            "/v1/rules/save",
            Handler::Save,
            &[Role::Analyst],
            "Writes files of rules and tests, all or none, once they are checked and tested, and decides by them",
        )
    },
    Endpoint {
        waits: true,
        query: &[
            ("since", "restrictions that began at this time or later; required"),
            ("dry_run", "true: nothing happens; answers what would: counts, restrictions, what is kept and why"),
            ("state", "what a dry run told: refused (409) if what can be lifted has changed since"),
            ("limit", "how many events at most, and how many restrictions are listed, 1 to 1000"),
            ("actor", "who does it, where no tokens are configured; otherwise it is the token's name"),
        ],
        ..post(
            "post_withdraw",
            "/v1/rules/{id}/withdraw",
            Handler::Withdraw,
            PEOPLE,
            "Lifts what a rule placed since a time, by support events, at most 200 a second",
        )
    },
    Endpoint {
        waits: true,
        query: &[("actor", "who does it, where no tokens are configured; otherwise it is the token's name")],
        ..post(
            "post_rearm",
            "/v1/rules/{id}/rearm",
            Handler::Rearm,
            &[Role::Analyst],
            "Lets a rule act again that has exceeded its budget, by a recorded operation",
        )
    },
    get("get_session", "/v1/session", Handler::Session, Role::ALL, "Who asks, and what is running"),
    get("get_metrics", "/metrics", Handler::Metrics, &[Role::Metrics], "Metrics for Prometheus"),
    get("get_health", "/healthz", Handler::Health, &[], "Alive"),
    get("get_ready", "/readyz", Handler::Ready, &[], "Able to decide now"),
    get("get_openapi", "/openapi.json", Handler::OpenApi, &[], "This document"),
];

/// A support event that can be sent over HTTP.
#[derive(Debug)]
pub struct SupportEvent {
    /// Its name in the path.
    pub name: &'static str,
    pub kind: OperationType,
    /// What happened, and what its fields say.
    pub meaning: &'static str,
}

const fn event(name: &'static str, kind: OperationType, meaning: &'static str) -> SupportEvent {
    SupportEvent { name, kind, meaning }
}

/// The support events.
pub static SUPPORT_EVENTS: &[SupportEvent] = &[
    event(
        "identity-confirmed",
        OperationType::IdentityConfirmed,
        "something was proved by `proof`: every restriction of the wallet that this proof can lift is lifted, and what \
         waited for nothing else is released or, with `order: cancel`, cancelled. With `ref_op_id` that one waiting \
         operation is settled, and the wallet's restrictions stay",
    ),
    event(
        "wallet-block-requested",
        OperationType::WalletBlockRequested,
        "the client asks to block the wallet (7.20); what already waits goes on waiting",
    ),
    event(
        "wallet-unblock-requested",
        OperationType::WalletUnblockRequested,
        "the client asks to lift the block of their own (7.20)",
    ),
    event("ownership-disputed", OperationType::OwnershipDisputed, "a block was asked for, ownership not proved (7.6)"),
    event(
        "ip-unblock-requested",
        OperationType::IpUnblockRequested,
        "an identified client asks to open the address `ip` (7.18)",
    ),
    event(
        "cash-out-details-wrong",
        OperationType::CashOutDetailsWrong,
        "the details of a cash-out are wrong (7.22); the operation that `ref_op_id` names is cancelled if it waits",
    ),
    event(
        "fraud-reported",
        OperationType::FraudReported,
        "`source` reports a fraud (7.24, 7.25, 7.27): everything that waits is cancelled; `ref_op_id` says which \
         operation is spoken of",
    ),
    event("documents-refused", OperationType::DocumentsRefused, "the client refuses to show documents (7.26)"),
    event("suspicion-confirmed", OperationType::SuspicionConfirmed, "the suspicion is found to be grounded (7.23)"),
    event(
        "operation-disputed",
        OperationType::OperationDisputed,
        "the client says that they did not order the operation that `ref_op_id` names (7.5, 7.11); it is cancelled if \
         it waits. `ref_op_id` is required",
    ),
    event("complaint-received", OperationType::ComplaintReceived, "others complain of the client (6.2.5)"),
    event("seizure-ordered", OperationType::SeizureOrdered, "a court arrests the e-money (6.3.15)"),
    event("seizure-lifted", OperationType::SeizureLifted, "the court's arrest ended (6.3.15); it alone is lifted"),
];
