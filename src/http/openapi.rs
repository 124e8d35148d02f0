//! The OpenAPI document, made of the table of endpoints and of the types that are written.

mod bodies;
mod saving;

use axum::extract::State;
use axum::response::Response;
use schemars::schema_for;
use serde_json::{Map, Value, json};

use crate::operation::OperationType;
use crate::operation::decision::Verdict;
use crate::operation::decode::RejectionCode;
use crate::schema;

use super::endpoints::{ENDPOINTS, Endpoint, Handler, SUPPORT_EVENTS};
use super::history::EPOCH_HEADER;
use super::operations::ANSWER_TOO_LARGE;
use super::problem::Details;
use super::{Shared, json_of};

/// What a body may be refused for.
const OF_BODIES: &[(&str, &str)] = &[("413", "Too large"), ("415", "The body is compressed")];
/// What a draft of rules may be refused for.
const IN_DRAFTS: &[(&str, &str)] = &[("422", "The rules have errors, or would take too much memory")];

/// An amount of money, in tenge.
const AMOUNT: &str = "^[0-9]{1,15}(\\.[0-9]{1,2})?$";

/// `GET /openapi.json`
pub(super) async fn show(State(api): State<Shared>) -> Response {
    json_of(&document(!api.tokens.is_empty()))
}

/// Makes the document.
#[must_use]
pub(super) fn document(has_tokens: bool) -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let method = if endpoint.is_post { "post" } else { "get" };
        let path = paths.entry(endpoint.path.to_owned()).or_insert_with(|| json!({}));
        path[method] = operation(endpoint, has_tokens);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "kuzet",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Decides the operations of an e-money wallet system. Errors are problem details (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {
                "Operation": operation_schema(),
                "Decision": bare(schema::decision()),
                "Rejected": bare(schema::rejected()),
                "Problem": bare(schema_for!(Details).to_value()),
                "ItemError": item_error(),
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

/// A schema inside the document needs no dialect of its own.
fn bare(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
    }
    schema
}

/// The operation without what generators of clients and of test data cannot follow: that the amount is
/// above 0, and which fields each type needs. `kuzet schema operation` says it all.
fn operation_schema() -> Value {
    let mut operation = bare(schema::operation());
    operation["properties"]["amount"]["pattern"] = AMOUNT.into();
    if let Some(object) = operation.as_object_mut() {
        object.remove("allOf");
    }
    operation
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn item_error() -> Value {
    // A record is refused by a code of the contract; a decision may also have found no room in the answer.
    let codes: Vec<&str> = RejectionCode::NAMES.iter().copied().chain([ANSWER_TOO_LARGE]).collect();
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "field", "message"],
            "properties": {
                "code": {"enum": codes},
                "field": {"type": ["string", "null"]},
                "message": {"type": "string"},
            },
        }},
    })
}

fn operation(endpoint: &Endpoint, has_tokens: bool) -> Value {
    let (success, content) = answer(endpoint.handler);
    let mut responses = Map::new();
    let mut right = json!({"description": success, "content": content});
    if matches!(endpoint.handler, Handler::Decisions | Handler::Rejected) {
        let meaning = "Names the history, as `epoch` does in the page and in each event";
        right["headers"] = json!({EPOCH_HEADER: {"description": meaning, "schema": {"type": "string"}}});
    }
    responses.insert("200".into(), right);
    if matches!(endpoint.handler, Handler::Backtest | Handler::BacktestReport | Handler::BacktestStop) {
        let (_, content) = answer(endpoint.handler);
        responses.insert("202".into(), json!({"description": "It is running", "content": content}));
    }
    for (status, description) in problems(endpoint, has_tokens) {
        let content = json!({"application/problem+json": {"schema": reference("Problem")}});
        responses.insert(status.to_owned(), json!({"description": description, "content": content}));
    }
    let roles: Vec<&str> = endpoint.roles.iter().map(|role| role.name()).collect();
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters(endpoint),
        "responses": responses,
    });
    if !roles.is_empty() {
        operation["description"] = format!("{}Roles: {}.", description(endpoint.handler), roles.join(", ")).into();
        if has_tokens {
            operation["security"] = json!([{"token": []}]);
        }
    }
    if let Some(body) = bodies::of(endpoint.handler) {
        operation["requestBody"] = body;
    }
    operation
}

/// Says, in Markdown, what the summary of an endpoint leaves out.
fn description(handler: Handler) -> String {
    let events = || -> String {
        SUPPORT_EVENTS.iter().map(|event| format!("- `{}`: {}.\n", event.name, event.meaning)).collect()
    };
    match handler {
        Handler::SupportEvent => format!(
            "The same as sending that operation.\n\n{}\nWhat lifts ends only what fired last when it occurred or \
             before.\n\n",
            events()
        ),
        Handler::Decisions => "Beside its own fields each decision has the `amount` and the `counterparty` of its \
                               operation, for as long as that is kept.\n\nFilters are combined with and. What a page \
                               may cost is bounded: `scanned` says how many decisions were read for it, and one that \
                               has nothing but a `next` behind the position asked for has not come to the end: go on \
                               from there. Where `next` is that position, there is nothing more; `next` belongs to \
                               the same filters and order. In a stream of events an `id` without data says how far \
                               the stream has come.\n\n"
            .to_owned(),
        Handler::Withdraw => "Each restriction is lifted by an event of support with the actor's name: \
                              `identity_confirmed` with the first proof of `agreed`, `identity_document`, \
                              `mobile_contract`, `secret_answer`, `pin` that it names and that lifts nothing of other \
                              rules, or `ip_unblock_requested` for a block of an address; `attributes.withdrawn_rule` \
                              says why. What only the client, a court or an established fact may lift, and what cannot \
                              be lifted without lifting another rule's restriction or cancelling an operation, is kept \
                              and listed with its reason. A call sends at most `limit` events: go on while `left` is \
                              above 0. Where operations come from Kafka, the events go to their topic, and what they \
                              do shows once they are decided.\n\n"
            .to_owned(),
        Handler::Why => "`id` is the decision's number or its id. Each condition is told as a sentence: what it came to \
                         (`holds`), when the oldest of what it counts happened (`since`) and is not counted any more \
                         (`leaves`), from when it does not hold without further operations (`clears`), and what would \
                         have to be different (`opposite`). `in_force`: the restrictions after the operation, and who \
                         lifts them.\n\nThe state before the operation is made again of the operations that bear on it; \
                         `basis` says of how many. Where that cannot be done (`basis.kind` is `stored`, with the \
                         reason), only what fired is told, from the decision's evidence, and `in_force` is what the \
                         decision placed. A client is told of no rule, no list, no report.\n\n"
            .to_owned(),
        Handler::Reproduce => "`id` is the decision's number or its id. Every operation before it that is kept is decided \
                               again, each by the rules that decided it then, with the present geo databases; at most \
                               1,000,000 of them. `made_again`: whether there is anything to compare; if not, `missing` \
                               says what is missing. `equal`: whether both decisions are the same bytes; if not, \
                               `different` names the fields, and `first_other` the first decision that came out \
                               otherwise.\n\n"
            .to_owned(),
        Handler::Save => saving::DESCRIPTION.to_owned(),
        Handler::Rearm => "The operation `rule_rearmed` with the actor's name is decided: the rule acts again, and what it \
                           stopped before is not counted any more. Where operations come from Kafka, one goes to each \
                           shard, and does nothing where the rule has not exceeded its budget.\n\n"
            .to_owned(),
        Handler::Wallet => {
            "`restrictions`: what is in force, `until` as it was last extended; what is proved before `fired_last` lifts \
             none of it. `waiting`: the operations that wait, \
             each with its causes: `holds`, of which `kind`, `direction`, `until` and `lifted_by` tell what it is, \
             and `pins`. A cause that is a block says that the operation is suspended: it goes on when the block \
             ends.\n\n"
                .to_owned()
        }
        _ => description_of_drafts(handler),
    }
}

/// Says the same of what is asked about rules that are not in use.
fn description_of_drafts(handler: Handler) -> String {
    match handler {
        Handler::RuleDiff => "Each set is `current` (the rules in use), `folder` (what the files say now), the hash of a \
                              set that is kept, or an object of files laid over the rules in use; `current` where it is \
                              not named. `same`: whether both mean the same; `text`: the difference for people.\n\n"
            .to_owned(),
        Handler::RuleLayout => "`files` are laid out; without a body the rules in use are. Of each file `becomes` is `same`, \
                                `changed` (then `text` is what it becomes) or `left` with the `reason`: `unreadable` with \
                                its `errors`, `would-change`, `too-long`.\n\n"
            .to_owned(),
        Handler::Check | Handler::Test => {
            "`files` are laid over the rules in use, their lists and tables, and the tests in the folder of rules; \
             without a body they are looked at as they are. Nothing that decides changes.\n\n"
                .to_owned()
        }
        Handler::Backtest => "All operations that the store keeps are decided again by each rule set, with the present \
                              geo databases, on threads of their own; those of the time asked for are counted. \
                              `state`: `done` with the `report`, `running` (202, with `done` of `operations`; ask for \
                              it under its `id`), `stopped`, or `failed` with the `error`. The last 16 are kept until \
                              the service ends.\n\n"
            .to_owned(),
        _ => String::new(),
    }
}

fn problems(endpoint: &Endpoint, has_tokens: bool) -> Vec<(&'static str, &'static str)> {
    let mut problems = Vec::new();
    if endpoint.is_post || !parameters(endpoint).is_empty() {
        problems.push(("400", "The request is not right"));
    }
    if has_tokens && !endpoint.roles.is_empty() {
        problems.push(("401", "No known token"));
    }
    problems.push(("403", "Not allowed"));
    if endpoint.path.contains('{') {
        problems.push(("404", "Nothing has this name"));
    }
    match endpoint.handler {
        Handler::Decisions | Handler::Rejected => {
            problems
                .push(("409", "`other-history`: the position belongs to another history, or lies beyond the newest"));
        }
        Handler::Operation | Handler::Decision | Handler::Why | Handler::Reproduce => {
            problems.push(("410", "Older than what is kept"));
        }
        Handler::PostOperations | Handler::SupportEvent => {
            problems.push((
                "409",
                "The id was used before, with other content; `wallet-changed`: the event was sent for another `state`",
            ));
            problems.push(("410", "A duplicate whose first decision is older than what is kept"));
            problems.push(("413", "Too large, or too many operations"));
            problems.push(("415", "The body is compressed"));
        }
        Handler::Withdraw => problems.push((
            "409",
            "`not-by-support`: only the client, a court or an established fact may lift what the rule placed; \
             `withdrawal-changed`: what can be lifted is not what `state` says",
        )),
        Handler::Rearm => problems
            .push(("409", "`no-budget`: the rule has none; `within-budget`: it has not exceeded its budget, and acts")),
        _ => problems_of_rules(endpoint.handler, &mut problems),
    }
    problems.push(("421", "Asked by another name than this machine's"));
    problems.push(("429", "Asked too often"));
    problems.push(("503", "Cannot answer now; ask again"));
    problems
}

/// Adds what requests about rules are refused for.
fn problems_of_rules(handler: Handler, problems: &mut Vec<(&'static str, &'static str)>) {
    match handler {
        Handler::Reload => problems.push(("422", "The rules have errors; the ones in use stay")),
        Handler::Check | Handler::Test => problems.extend(OF_BODIES.iter().chain(IN_DRAFTS).copied()),
        Handler::RuleDiff => {
            problems.extend(OF_BODIES.iter().chain(IN_DRAFTS).copied());
            problems.push(("404", "No set of this hash is kept"));
        }
        Handler::RuleLayout => problems.extend(OF_BODIES.iter().copied()),
        Handler::RuleGraph => problems.push(("404", "No rule has this name")),
        Handler::NewRule => {
            problems.extend(OF_BODIES.iter().copied());
            problems.push((
                "409",
                "`id-taken`: a rule or tests have the id; `no-list`: the template needs a list of wallets",
            ));
        }
        Handler::Code => problems.push(("404", "No finding has this code")),
        Handler::BacktestReport => problems.push(("409", "A text or page of a backtest that is not done")),
        Handler::Backtest => {
            problems.extend(OF_BODIES.iter().chain(IN_DRAFTS).copied());
            problems.push(("409", "`backtest-running`: another backtest is running"));
        }
        Handler::Save => {
            problems.extend(OF_BODIES);
            problems.extend(saving::PROBLEMS);
        }
        Handler::Rollback => problems.push(("409", "There is no set before the present one")),
        Handler::RuleMode => {
            problems.push((
                "409",
                "`other-changes`: the files hold more than this change; `not-writable`: the rule's file cannot be \
                 written; `fleet`: each instance reads files of its own",
            ));
            problems.push(("422", "With this mode the rules have errors; the ones in use stay"));
        }
        _ => {}
    }
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let mut parameters = Vec::new();
    for name in endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let schema = match name {
            "seq" => json!({"type": "integer", "minimum": 0}),
            "event" => json!({"enum": SUPPORT_EVENTS.iter().map(|event| event.name).collect::<Vec<_>>()}),
            _ => json!({"type": "string", "minLength": 1}),
        };
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
    }
    for (name, description) in endpoint.query {
        let schema = match *name {
            "from" | "to" if endpoint.handler == Handler::Decisions => json!({"type": "string", "format": "date-time"}),
            "since" => json!({"type": "string", "format": "date-time"}),
            "order" => json!({"enum": ["asc", "desc"]}),
            "decision_id" | "restriction_id" => json!({"type": "string", "format": "uuid"}),
            "verdict" => json!({"enum": Verdict::NAMES}),
            "type" => json!({"enum": OperationType::NAMES}),
            "amount_min" | "amount_max" => json!({"type": "string", "pattern": AMOUNT}),
            "wallet" | "op_id" | "counterparty" => json!({"type": "string", "minLength": 1, "maxLength": 64}),
            "rule" if endpoint.handler == Handler::Decisions => {
                json!({"type": "string", "minLength": 1, "maxLength": 64})
            }
            "device" => json!({"type": "string", "minLength": 1, "maxLength": 128}),
            "ip" => json!({"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]}),
            "limit" => json!({"type": "integer", "minimum": 1, "maximum": 1000}),
            "from" | "offset" => json!({"type": "integer", "minimum": 0}),
            "after" => json!({"type": "integer"}),
            "wait" => json!({"type": "string", "pattern": "^[0-9]{1,6}(ms|s|m|h|d)?$"}),
            "older_than" => json!({"type": "string", "pattern": "^([0-9]{1,6}(ms|s|m|h|d)?)?$"}),
            "kind" => json!({"enum": ["", "monitor", "block", "hold"]}),
            "format" => json!({"enum": ["mermaid", "dot"]}),
            "lang" => json!({"enum": ["kk", "ru", "en"]}),
            "for" => json!({"enum": ["analyst", "support", "client"]}),
            _ => json!({"type": "string"}),
        };
        let mut parameter = json!({"name": name, "in": "query", "description": description, "schema": schema});
        if *name == "since" {
            parameter["required"] = true.into();
        }
        parameters.push(parameter);
    }
    parameters
}

/// A decision in a list: its number, then what is told of its operation, then its own fields.
fn listed_decision() -> Value {
    let operation = schema::operation();
    let of = |name: &str| operation["properties"][name].clone();
    json!({
        "type": "object",
        "required": ["seq", "decision_id", "verdict"],
        "properties": {
            "seq": {"type": "integer", "minimum": 1},
            "amount": of("amount"),
            "counterparty": of("counterparty"),
        },
    })
}

/// Describes what a request that is right gets.
fn answer(handler: Handler) -> (&'static str, Value) {
    let json_content = |schema: Value| json!({"application/json": {"schema": schema}});
    let object = |required: &[&str]| json!({"type": "object", "required": required});
    let list = |name: &str, of: Value| {
        json_content(json!({
            "type": "object",
            "required": [name, "next", "epoch"],
            "properties": {
                name: {"type": "array", "items": of},
                "next": {"type": "integer"},
                "epoch": {"type": "string", "description": "Names the history; another one begins where a store is restored"},
            },
        }))
    };
    match handler {
        Handler::PostOperations => (
            "The decision, or one decision or error an item, in their order",
            json_content(json!({"anyOf": [
                reference("Decision"),
                {"type": "array", "items": {"anyOf": [reference("Decision"), reference("ItemError")]}},
            ]})),
        ),
        Handler::Decisions => {
            ("Decisions after a number, each with its own", decisions(list("decisions", listed_decision())))
        }
        Handler::Rejected => ("Refused records", list("rejected", reference("Rejected"))),
        Handler::Operation => ("The operation", json_content(object(&["seq", "arrived_at", "operation"]))),
        Handler::Decision => {
            ("The decision", json_content(object(&["seq", "decision_id", "operation", "why", "waits", "later"])))
        }
        Handler::Why => (
            "The reasons",
            json_content(object(&["seq", "op_id", "type", "occurred_at", "verdict", "in_force", "basis"])),
        ),
        Handler::Reproduce => ("What came of it", json_content(object(&["made_again"]))),
        Handler::RuleGraph => ("The picture", json!({"text/plain": {"schema": {"type": "string"}}})),
        Handler::SupportEvent => (
            "The decision on the event; of a dry run, what it would be",
            json_content(json!({"anyOf": [object(&["seq", "decision_id"]), object(&["dry_run"])]})),
        ),
        Handler::Rearm => (
            "The decision on the operation",
            json_content(json!({"anyOf": [object(&["seq", "decision_id"]), object(&["op_ids"])]})),
        ),
        Handler::Wallet | Handler::Withdraw => answer_of_many_fields(handler),
        Handler::Restrictions => ("The restrictions", json_content(object(&["restrictions", "total"]))),
        Handler::Rules
        | Handler::Rule
        | Handler::Reload
        | Handler::Rollback
        | Handler::RuleDiff
        | Handler::RuleLayout
        | Handler::RuleTemplates
        | Handler::NewRule
        | Handler::RuleHistory
        | Handler::RuleMode
        | Handler::Save
        | Handler::Check
        | Handler::Test
        | Handler::Backtest
        | Handler::BacktestReport
        | Handler::BacktestStop
        | Handler::Codes
        | Handler::Code => answer_of_rules(handler),
        Handler::Session => ("The session", json_content(object(&["name", "roles", "version", "ruleset"]))),
        Handler::Metrics => ("The metrics", json!({"text/plain": {"schema": {"type": "string"}}})),
        Handler::Health => ("Alive", json_content(object(&["alive"]))),
        Handler::Ready => ("Ready", json_content(object(&["ready", "warnings"]))),
        Handler::OpenApi => ("The document", json_content(object(&["openapi", "paths"]))),
    }
}

/// A page of decisions may also tell what it cost, and come as events.
fn decisions(mut content: Value) -> Value {
    content["application/json"]["schema"]["properties"]["scanned"] = json!({
        "type": "integer",
        "description": "How many decisions were read for this page; where something is filtered, or the order is desc",
    });
    content["text/event-stream"] = json!({"schema": {"type": "string"}});
    content
}

/// Describes what is told of rules in use, and of drafts.
fn answer_of_rules(handler: Handler) -> (&'static str, Value) {
    let object = |required: &[&str]| json!({"application/json": {"schema": {"type": "object", "required": required}}});
    match handler {
        Handler::Rules => ("The rules", object(&["ruleset", "period", "rules"])),
        Handler::Rule => ("The rule", object(&["id", "mode", "text"])),
        Handler::Check => ("What was found", object(&["ok", "ruleset", "diagnostics", "text"])),
        Handler::Test => ("How the tests ended", object(&["ruleset", "passed", "failed", "rules"])),
        Handler::Backtest | Handler::BacktestReport | Handler::BacktestStop => {
            ("How it ended", object(&["id", "state"]))
        }
        Handler::Codes => ("The codes", object(&["codes"])),
        Handler::Code => ("The code", object(&["code", "meaning", "text"])),
        Handler::RuleDiff => {
            let fields = &["before", "after", "added", "removed", "changed", "lists", "mrp", "same", "text"];
            ("The difference", object(fields))
        }
        Handler::RuleLayout => ("What becomes of the files", object(&["changed", "left", "files", "text"])),
        Handler::RuleTemplates => ("The templates", object(&["templates"])),
        Handler::NewRule => ("The rule and its tests", object(&["template", "rule", "tests"])),
        Handler::RuleHistory => ("The changes", object(&["history"])),
        Handler::RuleMode => ("The rule's mode now", object(&["rule", "before", "mode", "ruleset", "changed"])),
        Handler::Save => ("What was written, or of a dry run what would be", object(saving::FIELDS)),
        _ => ("The rule set in use now", object(&["ruleset", "changed"])),
    }
}

/// Describes the longer answers.
fn answer_of_many_fields(handler: Handler) -> (&'static str, Value) {
    let (meaning, fields): (_, &[&str]) = if handler == Handler::Wallet {
        let fields = &["wallet_id", "newest", "as_of", "state", "restrictions", "waiting", "windows", "decisions"];
        ("The wallet's state", fields)
    } else {
        let fields =
            &["rule", "mode", "since", "dry_run", "lifts", "wallets", "addresses", "releases", "kept", "state"];
        ("What was done, or of a dry run what would be", fields)
    };
    (meaning, json!({"application/json": {"schema": {"type": "object", "required": fields}}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_support_event_is_an_operation_type() {
        for event in SUPPORT_EVENTS {
            assert_eq!(event.name.replace('-', "_"), event.kind.name());
        }
    }

    /// All but those of the ledger's own machines can be sent by a person.
    #[test]
    fn every_event_that_people_report_has_a_path() {
        // A rule is armed again at an endpoint of its own.
        let machines = [OperationType::Cancelled, OperationType::TamperingDetected, OperationType::RuleRearmed];
        for kind in OperationType::ALL {
            let by_people = !(kind.is_money() || kind.is_session() || machines.contains(kind));
            assert_eq!(SUPPORT_EVENTS.iter().any(|event| event.kind == *kind), by_people, "{}", kind.name());
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = document(true);
        let text = document.to_string();
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name: String = text[at + 21..].chars().take_while(|found| found.is_alphanumeric()).collect();
            assert!(document["components"]["schemas"][&name].is_object(), "{name}");
        }
    }
}
