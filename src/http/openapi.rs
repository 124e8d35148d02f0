//! The OpenAPI document, made of the table of endpoints and of the types that are written.

use axum::extract::State;
use axum::response::Response;
use schemars::schema_for;
use serde_json::{Map, Value, json};

use crate::operation::OperationType;
use crate::operation::decision::Verdict;
use crate::operation::decode::RejectionCode;
use crate::schema;

use super::console_api::EVENT_FIELDS;
use super::endpoints::{ENDPOINTS, Endpoint, Handler, SUPPORT_EVENTS};
use super::history::EPOCH_HEADER;
use super::operations::{ANSWER_TOO_LARGE, OPERATIONS_MAX};
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
    if let Some(body) = request_body(endpoint.handler) {
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
        Handler::Operation | Handler::Decision | Handler::Why => problems.push(("410", "Older than what is kept")),
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
        Handler::Reload => problems.push(("422", "The rules have errors; the ones in use stay")),
        Handler::Check | Handler::Test => problems.extend(OF_BODIES.iter().chain(IN_DRAFTS).copied()),
        Handler::Backtest => {
            problems.extend(OF_BODIES.iter().chain(IN_DRAFTS).copied());
            problems.push(("409", "`backtest-running`: another backtest is running"));
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
    problems.push(("421", "Asked by another name than this machine's"));
    problems.push(("429", "Asked too often"));
    problems.push(("503", "Cannot answer now; ask again"));
    problems
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

fn request_body(handler: Handler) -> Option<Value> {
    let schema = match handler {
        Handler::PostOperations => json!({"oneOf": [
            reference("Operation"),
            {"type": "array", "maxItems": OPERATIONS_MAX, "items": reference("Operation")},
        ]}),
        Handler::SupportEvent => {
            let operation = schema::operation();
            let of = |name: &str| operation["properties"][name].clone();
            let properties: Map<String, Value> =
                EVENT_FIELDS.iter().map(|name| ((*name).to_owned(), of(name))).collect();
            json!({"type": "object", "properties": properties, "additionalProperties": false})
        }
        Handler::Check | Handler::Test => json!({
            "type": "object", "properties": {"files": changed_files()}, "additionalProperties": false,
        }),
        Handler::Backtest => backtest_body(),
        Handler::RuleMode => json!({
            "type": "object",
            "required": ["mode"],
            "properties": {
                "mode": {"enum": ["enforce", "shadow", "off"]},
                "comment": {"type": "string", "maxLength": 500, "description": "Why; recorded"},
                "actor": {"type": "string", "maxLength": 128, "description":
                    "Who does it, where no tokens are configured; otherwise it is the token's name"},
            },
            "additionalProperties": false,
        }),
        _ => return None,
    };
    let required = matches!(handler, Handler::PostOperations | Handler::Backtest | Handler::RuleMode);
    let mut media = json!({"schema": schema});
    if handler == Handler::SupportEvent {
        media["examples"] = event_examples();
    }
    Some(json!({"required": required, "content": {"application/json": media}}))
}

/// Files of rules by their paths.
fn changed_files() -> Value {
    json!({
        "type": "object",
        "description": "Files by their paths inside the folder of rules: a text takes the place of the file in use or \
                        is added, null takes the file away",
        "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,40}(\\.[A-Za-z0-9_-]{1,40}){0,3}(/[A-Za-z0-9_-]{1,40}(\\.[A-Za-z0-9_-]{1,40}){0,3}){0,2}$"},
        "additionalProperties": {"type": ["string", "null"]},
    })
}

fn backtest_body() -> Value {
    let rules = |meaning: &str| json!({"description": meaning, "oneOf": [{"const": "current"}, changed_files()]});
    let count = |meaning: &str| json!({"description": meaning, "type": ["integer", "null"], "minimum": 0});
    let time = |meaning: &str| json!({"description": meaning, "type": ["string", "null"], "format": "date-time"});
    json!({
        "type": "object",
        "required": ["rules"],
        "properties": {
            "rules": rules("The rules to try: those in use, or files laid over them"),
            "against": {"description": "The rules to compare them with", "oneOf": [{"const": "current"}, changed_files(), {"type": "null"}]},
            "from": time("Only operations that occurred then or later are counted; those before are decided too"),
            "to": time("Only operations that occurred before are counted"),
            "days": {
                "description": "Instead of from: so many days before to, or before the newest operation",
                "type": ["integer", "null"], "minimum": 1, "maximum": 3650,
            },
            "limits": {
                "type": "object",
                "properties": {
                    "new_holds": count("Most operations newly held; without against, held"),
                    "new_wallets": count("Most wallets of which an operation is newly held, challenged or refused; with against only"),
                    "daily_alerts": count("Most operations that a rule matches on the worst day"),
                },
                "additionalProperties": false,
            },
        },
        "additionalProperties": false,
    })
}

/// Bodies of support events; the event is in the path.
fn event_examples() -> Value {
    let example = |summary: &str, value: Value| json!({"summary": summary, "value": value});
    json!({
        "identity": example("identity-confirmed: lifts what a document can lift, releases what then waits for nothing", json!({"proof": "identity_document"})),
        "one_operation": example("identity-confirmed: cancels one waiting operation", json!({"proof": "agreed", "order": "cancel", "ref_op_id": "01JD8Q6T9V0000000000000001"})),
        "disputed": example("operation-disputed", json!({"ref_op_id": "01JD8Q6T9V0000000000000001", "source": "client"})),
        "fraud": example("fraud-reported by a payment system, about one operation", json!({"source": "payment_system", "ref_op_id": "01JD8Q6T9V0000000000000001"})),
        "seizure": example("seizure-ordered or seizure-lifted", json!({"source": "court"})),
    })
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
            let mut content = list("decisions", listed_decision());
            content["application/json"]["schema"]["properties"]["scanned"] = json!({
                "type": "integer",
                "description": "How many decisions were read for this page; where something is filtered, or the order is desc",
            });
            content["text/event-stream"] = json!({"schema": {"type": "string"}});
            ("Decisions after a number, each with its own", content)
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
        | Handler::RuleHistory
        | Handler::RuleMode
        | Handler::Check
        | Handler::Test
        | Handler::Backtest
        | Handler::BacktestReport
        | Handler::BacktestStop => answer_of_rules(handler),
        Handler::Session => ("The session", json_content(object(&["name", "roles", "version", "ruleset"]))),
        Handler::Metrics => ("The metrics", json!({"text/plain": {"schema": {"type": "string"}}})),
        Handler::Health => ("Alive", json_content(object(&["alive"]))),
        Handler::Ready => ("Ready", json_content(object(&["ready", "warnings"]))),
        Handler::OpenApi => ("The document", json_content(object(&["openapi", "paths"]))),
    }
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
        Handler::RuleHistory => ("The changes", object(&["history"])),
        Handler::RuleMode => ("The rule's mode now", object(&["rule", "before", "mode", "ruleset", "changed"])),
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
    fn the_examples_of_bodies_fit_their_schema() {
        let body = request_body(Handler::SupportEvent).expect("a body");
        let media = &body["content"]["application/json"];
        let names = |value: &Value| -> Vec<String> {
            value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
        };
        for example in media["examples"].as_object().expect("examples").values() {
            for name in names(&example["value"]) {
                let schema = &media["schema"]["properties"][&name];
                assert!(schema.is_object(), "{name}");
                if let Some(accepted) = schema["enum"].as_array() {
                    assert!(accepted.contains(&example["value"][&name]), "{example}");
                }
            }
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
