//! The contract, the rule files and `kuzet.toml` as JSON Schema 2020-12, the topics as AsyncAPI 3.0.
//!
//! Words and limits come from the contract's own types; tests hold the schemas against the fixtures.

mod config;

use serde_json::{Value, json};

use crate::operation::decision::{CommandKind, OPERATORS, Verdict};
use crate::operation::decode::{RECORD_BYTES_MAX, RejectionCode};
use crate::operation::{AttemptOutcome, ClientStatus, CounterpartyKind, OperationType, Order, Proof, ReportSource};
use crate::rules::program::{Lifter, Recipient};

/// Operations as the ledger and support send them, one a line.
const OPERATIONS: &str = include_str!("schema/examples/operations.jsonl");

/// What the shipped rules decide on them; a test holds it true.
const DECISIONS: &str = include_str!("schema/examples/decisions.jsonl");

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Describes `kuzet.toml`.
#[must_use]
pub fn config() -> Value {
    config::document()
}

/// Accepts exactly what decoding accepts, apart from calendars (30 February), repeated keys, the
/// accepted years and the forms of addresses, which a schema cannot or need not say.
#[must_use]
pub fn operation() -> Value {
    json!({
        "$schema": DIALECT,
        "title": "kuzet operation",
        "description": format!("One record of wallet.operations, at most {RECORD_BYTES_MAX} bytes. null counts as absent. Unknown top-level fields are ignored."),
        "type": "object",
        "required": ["op_id", "type", "occurred_at", "wallet_id"],
        "properties": {
            "op_id": described("Unique id of the operation: the idempotency key", id()),
            "type": {
                "description": "What happened. Money moves by transfer, payment, cash_out, redemption (out), top_up and refund (in); login, secret_answer and pin are attempts of the client; all others tell what the ledger, support or a court found",
                "enum": OperationType::NAMES,
            },
            "occurred_at": {
                "description": "Event time, RFC 3339 with an offset, from 2000-01-01 to 2100-01-01: every window and day is computed from it",
                "type": "string",
                "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
            },
            "wallet_id": {"description": "The wallet that acts (the sender)", "type": "string", "minLength": 1, "maxLength": 64},
            "client_status": optional_word("How well the client is known", ClientStatus::NAMES),
            "amount": {
                "description": "Principal in KZT without commission: a decimal text above 0, never a JSON number",
                "type": ["string", "null"],
                "pattern": "^(?=.*[1-9])[0-9]{1,15}(\\.[0-9]{1,2})?$",
            },
            "currency": {"description": "KZT when absent", "enum": ["KZT", null]},
            "counterparty": {
                "description": "The other side",
                "type": ["object", "null"],
                "properties": {
                    "kind": optional_word("What kind of party it is", CounterpartyKind::NAMES),
                    "wallet_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 64},
                    "account": optional_text(64),
                    "phone": optional_text(64),
                },
            },
            "ip": described("The client's IPv4 or IPv6 address", json!({"type": ["string", "null"], "anyOf": [{"type": "null"}, {"format": "ipv4"}, {"format": "ipv6"}]})),
            "device_id": optional_text(128),
            "outcome": optional_word("How the attempt ended", AttemptOutcome::NAMES),
            "ref_op_id": described("The operation it speaks of. cancelled and operation_disputed need it; on pin it names the challenged operation, on identity_confirmed the one waiting operation to settle, on cash_out_details_wrong the one to cancel; on fraud_reported it only names", json!({"anyOf": [id(), {"type": "null"}]})),
            "proof": optional_word("What was proved: identity (the first five), explanations given (6.2.5), facts of a fraud established (7.24). It lifts what names it in lifted_by and fired last when this occurred or before", Proof::NAMES),
            "order": optional_word("What the owner says of the waiting operations, or of the one that ref_op_id names; complete when absent", Order::NAMES),
            "actor": described("The person or system behind a support event", optional_text(64)),
            "source": optional_word("Who says so", ReportSource::NAMES),
            "attributes": {
                "description": "Anything an analyst's rule may use; numbers of at most 28 significant digits",
                "type": ["object", "null"],
                "maxProperties": 32,
                "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": 256},
            },
        },
        "allOf": requirements(),
        "examples": lines(OPERATIONS),
    })
}

/// Reads one example a line.
fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What the types need beyond the fields that all operations bear.
fn requirements() -> Value {
    let types = |wanted: fn(OperationType) -> bool| -> Vec<&str> {
        OperationType::ALL.iter().filter(|kind| wanted(**kind)).map(|kind| kind.name()).collect()
    };
    json!([
        needs(&types(OperationType::is_debit), &["client_status", "counterparty"]),
        needs(&types(OperationType::is_money), &["amount"]),
        when(&types(OperationType::is_debit), &json!({"counterparty": present(&["kind"])})),
        when(&["transfer"], &json!({"counterparty": present(&["wallet_id"])})),
        when(&["transfer"], &json!({"counterparty": {"properties": {"kind": {"const": "client"}}}})),
        when(
            &types(|kind| kind.is_debit() && kind != OperationType::Transfer),
            &json!({"counterparty": {"properties": {"kind": {"not": {"const": "client"}}}}}),
        ),
        needs(&["ip_unblock_requested"], &["ip"]),
        needs(&types(OperationType::is_session), &["outcome"]),
        needs(&types(OperationType::needs_reference), &["ref_op_id"]),
        needs(&["identity_confirmed"], &["proof"]),
        needs(&["fraud_reported"], &["source"]),
        needs(&["rule_rearmed"], &["attributes"]),
        when(
            &["rule_rearmed"],
            &json!({"attributes": {"required": ["rule"], "properties": {"rule": {"type": "string", "minLength": 1, "maxLength": 64}}}})
        ),
    ])
}

fn needs(types: &[&str], fields: &[&str]) -> Value {
    json!({"if": type_is(types), "then": present(fields)})
}

fn when(types: &[&str], properties: &Value) -> Value {
    json!({"if": type_is(types), "then": {"properties": properties}})
}

fn type_is(types: &[&str]) -> Value {
    json!({"properties": {"type": {"enum": types}}, "required": ["type"]})
}

fn present(fields: &[&str]) -> Value {
    let not_null: serde_json::Map<String, Value> =
        fields.iter().map(|field| ((*field).to_owned(), json!({"not": {"type": "null"}}))).collect();
    json!({"required": fields, "properties": not_null})
}

fn id() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"})
}

fn optional_text(chars_max: u32) -> Value {
    json!({"type": ["string", "null"], "maxLength": chars_max})
}

fn optional_word(description: &str, names: &[&str]) -> Value {
    let mut words: Vec<Value> = names.iter().map(|name| Value::from(*name)).collect();
    words.push(Value::Null);
    json!({"description": description, "enum": words})
}

fn described(description: &str, mut schema: Value) -> Value {
    schema["description"] = Value::from(description);
    schema
}

#[must_use]
pub fn decision() -> Value {
    let clauses = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "$schema": DIALECT,
        "title": "kuzet decision",
        "description": "One record of wallet.decisions: exactly one for every accepted operation that is no duplicate.",
        "type": "object",
        "required": ["decision_id", "op_id", "wallet_id", "type", "occurred_at", "verdict", "matches", "commands", "late", "degraded", "ruleset"],
        "properties": {
            "decision_id": uuid(),
            "op_id": id(),
            "wallet_id": {"type": "string"},
            "type": {"enum": OperationType::NAMES},
            "occurred_at": time(),
            "verdict": {"description": "The strongest that any enforced match or active restriction asks for", "enum": Verdict::NAMES},
            "matches": {
                "description": "Every rule that fired, in rule-id order; shadow ones never change the verdict",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["rule", "clauses", "mode", "evidence"],
                    "properties": {
                        "rule": {"type": "string"},
                        "clauses": clauses,
                        "mode": {"enum": ["enforce", "shadow"]},
                        "evidence": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
                        "message": {
                            "description": "What the client is told, to show or send as it is: its placeholders are filled, amounts and times written as each language writes them, times by Almaty's clock. Of an enforced match whose rule has a message",
                            "type": "object",
                            "required": ["kk", "ru", "en"],
                            "properties": {"kk": {"type": "string"}, "ru": {"type": "string"}, "en": {"type": "string"}},
                        },
                    },
                },
            },
            "commands": {
                "description": "What the ledger has to do, in this order: refuse, hold, challenge, monitor, block, lift, release, cancel, report; of one kind by rule id. A command_id that was carried out before is dropped",
                "type": "array",
                "items": command(&clauses),
            },
            "late": {"description": "It occurred before the wallet's newest operation by more than the allowed lateness", "type": "boolean"},
            "degraded": {"description": "Inputs that a rule needed and that were missing", "type": "array", "items": {"anyOf": [{"enum": ["geoip.country", "geoip.anonymizer", "shared_state", "mrp"]}, {"description": "An attribute whose value is of another kind than a rule compares", "type": "string", "pattern": "^attributes\\."}]}},
            "ruleset": {"description": "Names the rules and lists that decided", "type": "string", "pattern": "^[0-9a-f]{12}$"},
        },
        "examples": lines(DECISIONS),
    })
}

fn command(clauses: &Value) -> Value {
    let one_of = |kinds: &[CommandKind], fields: &[&str]| {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        json!({"if": {"properties": {"command": {"enum": names}}, "required": ["command"]}, "then": {"required": fields}})
    };
    json!({
        "type": "object",
        "required": ["command", "command_id", "rule", "clauses", "subject"],
        "properties": {
            "command": {
                "description": "refuse: do not carry it out. hold: it waits for restriction_id. challenge: it waits for the PIN, or the next attempt needs the anti-robot check. monitor: outgoing operations wait. block: operations in direction are refused until until. lift: the restriction ends now; a lifting with ref_op_id lifts that operation's own hold alone. release: carry the waiting operation out. cancel: it must not be carried out. report: tell to. An operation that would be released while a block of outgoing operations without an end is in force is suspended: it gets neither release nor cancel until that block is lifted",
                "enum": CommandKind::NAMES,
            },
            "command_id": uuid(),
            "rule": {"description": "The rule that asked, or that created the restriction", "type": "string"},
            "clauses": clauses,
            "subject": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {"operation": {"type": "string"}, "wallet": {"type": "string"}, "ip": {"type": "string"}},
                "additionalProperties": false,
            },
            "restriction_id": described("The restriction. One that is commanded again, with another command_id and a later until, is extended: it replaces its earlier terms and is no second restriction", uuid()),
            "from": described("When it began; an extension leaves it as it was", time()),
            "until": {"description": "When it ends: at this instant the wallet or address is free. null: until lifted", "anyOf": [time(), {"type": "null"}]},
            "lifted_by": {"description": "The proofs and parties that can lift it; an extension leaves them as they were", "type": "array", "items": {"type": "string"}},
            "challenge": {"enum": ["pin", "captcha"]},
            "direction": {"enum": ["debit", "both", "login"]},
            "reason": {"description": "The proof or the party that lifted it", "type": "string"},
            "to": {
                "description": "Who is told; operators, that the rule has exceeded its budget and is in shadow now",
                "enum": told(),
            },
        },
        "allOf": [
            one_of(&[CommandKind::Challenge], &["challenge"]),
            one_of(&[CommandKind::Block], &["direction", "until", "restriction_id"]),
            one_of(&[CommandKind::Hold, CommandKind::Monitor], &["restriction_id"]),
            one_of(&[CommandKind::Lift], &["restriction_id", "reason"]),
            one_of(&[CommandKind::Report], &["to"]),
        ],
    })
}

/// Who may be told by a decision: those that rules report to, and those who run the service.
fn told() -> Vec<&'static str> {
    recipients().into_iter().chain([OPERATORS]).collect()
}

/// Whom a report of a rule may go to.
fn recipients() -> Vec<&'static str> {
    Recipient::ALL.iter().map(|to| to.name()).collect()
}

fn uuid() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"})
}

fn time() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3}|\\.[0-9]{6}|\\.[0-9]{9})?Z$"})
}

#[must_use]
pub fn rejected() -> Value {
    json!({
        "$schema": DIALECT,
        "title": "kuzet rejected record",
        "description": "One record of wallet.operations.rejected.",
        "type": "object",
        "required": ["error", "offset", "partition", "raw"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "field", "message"],
                "properties": {
                    "code": {"enum": RejectionCode::NAMES},
                    "field": {"description": "Dotted path of the field to blame", "type": ["string", "null"]},
                    "message": {"description": "What was found and what is accepted", "type": "string"},
                },
            },
            "offset": {"type": "integer", "minimum": 0},
            "partition": {"type": "integer"},
            "raw": {
                "description": "The record, in base64 when it is not UTF-8; null where it had no value",
                "type": ["string", "null"],
            },
        },
    })
}

/// The form of a rule file. Whether its conditions make sense only `kuzet check` can say.
#[must_use]
pub fn rule() -> Value {
    let texts = json!({
        "type": "object",
        "properties": {"kk": {"type": "string"}, "ru": {"type": "string"}, "en": {"type": "string"}},
        "additionalProperties": false,
    });
    let condition = json!({"type": "string", "minLength": 1});
    let group = |name: &str| {
        json!({
            "type": "object",
            "required": [name],
            "properties": {name: {"type": "array", "items": condition, "minItems": 1}},
            "additionalProperties": false,
        })
    };
    let mut subjects: Vec<&str> = vec!["debit", "credit", "session", "any", "match"];
    subjects.extend(OperationType::NAMES);
    json!({
        "$schema": DIALECT,
        "title": "kuzet rule",
        "description": "A rule file. kuzet check also type-checks its conditions.",
        "type": "object",
        "required": ["rule", "on", "then"],
        "properties": {
            "rule": {"description": "The file's name without .yaml", "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
            "clauses": {"description": "Clauses of the offer or the law", "type": "array", "items": {"type": "string"}},
            "title": texts,
            "owner": {"type": "string"},
            "mode": {"enum": ["enforce", "shadow", "off"]},
            "on": {
                "description": "A type, a class, or a list of them",
                "anyOf": [{"enum": subjects}, {"type": "array", "items": {"enum": subjects}, "minItems": 1}],
            },
            "when": {"description": "The condition; always when absent", "anyOf": [condition, group("all"), group("any")]},
            "then": {"type": "array", "items": {"anyOf": actions()}},
            "from": {"description": "First day in Almaty", "type": "string"},
            "until": {"description": "Last day in Almaty", "type": "string"},
            "on_missing": {"enum": ["skip", "fire"]},
            "budget": {"description": "How many operations the rule may stop in an hour before it goes into shadow", "anyOf": [{"const": "none"}, budget_limits()]},
            "message": texts,
            "severity": {"type": ["string", "integer"]},
            "notes": {"type": "string"},
        },
        "additionalProperties": false,
    })
}

fn budget_limits() -> Value {
    let count = json!({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9][0-9_]*$"}]});
    json!({
        "type": "object",
        "properties": {
            "holds_per_hour": count,
            "share": {"type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,2})? ?%$"},
            "at_least": count,
        },
        "anyOf": [{"required": ["holds_per_hour"]}, {"required": ["share"]}],
        "additionalProperties": false,
    })
}

fn actions() -> Value {
    let lifters: Vec<&str> = Lifter::ALL.iter().map(|lifter| lifter.name()).collect();
    let lifted_by = json!({"type": "array", "items": {"enum": lifters}, "minItems": 1});
    let receivers = json!({"enum": recipients()});
    let only = |name: &str, value: &Value| json!({"type": "object", "required": [name], "properties": {name: value}, "additionalProperties": false});
    let terms = json!({"type": "object", "properties": {"lifted_by": lifted_by}, "additionalProperties": false});
    json!([
        {"enum": ["hold", "monitor", "refuse", "cancel_waiting", "cancel_referenced"]},
        only("hold", &terms),
        only("monitor", &terms),
        only("challenge", &json!({"enum": ["pin", "captcha"]})),
        only("block", &json!({
            "type": "object",
            "required": ["what", "direction", "for"],
            "properties": {
                "what": {"enum": ["wallet", "ip"]},
                "direction": {"enum": ["debit", "both", "login"]},
                "for": {"type": "string", "pattern": "^([0-9]+(s|m|h|d|mo)|until_lifted)$"},
                "lifted_by": lifted_by,
            },
            "additionalProperties": false,
        })),
        only("report", &json!({"anyOf": [receivers, {
            "type": "object",
            "required": ["to"],
            "properties": {"to": receivers, "when": {"type": "string"}},
            "additionalProperties": false,
        }]})),
    ])
}

/// The form of `data/lists.yaml`.
#[must_use]
pub fn lists() -> Value {
    let own = |name: &str, schema: Value| {
        let mut properties = json!({
            "type": {"description": "What its values are", "enum": ["wallet", "phone", "account", "cidr", "text"]},
            "title": {"type": "string"},
            "notes": {"type": "string"},
        });
        properties[name] = schema;
        json!({"type": "object", "required": ["type", name], "properties": properties, "additionalProperties": false})
    };
    let names = json!({
        "type": "object",
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
        "additionalProperties": {"anyOf": [
            own("file", json!({"description": "A CSV beside it: value,from,until,reason", "type": "string", "pattern": "^[^/\\\\]+\\.[cC][sS][vV]$"})),
            own("from", json!({"description": "The set kuzet:list:{name} in Redis", "const": "redis"})),
        ]},
    });
    json!({
        "$schema": DIALECT,
        "title": "kuzet lists",
        "description": "Lists that conditions may name after in.",
        "type": "object",
        "required": ["lists"],
        "properties": {"lists": names},
        "additionalProperties": false,
    })
}

/// The topics of a fleet as an AsyncAPI 3.0 document, seen from kuzet.
#[must_use]
pub fn asyncapi() -> Value {
    // Of headers as of keys Kafka knows bytes only: each is a text here.
    let header = |description: &str| json!({"type": "string", "description": description});
    let number = |description: &str| json!({"type": "string", "pattern": "^[0-9]+$", "description": description});
    let content_type = json!({"const": "application/json"});
    let wallet_key = json!({"type": "string", "description": "The wallet's id"});
    let operation_key = json!({"type": ["string", "null"], "description": "The wallet's id, by which the producer chooses the partition; a record without a key has to lie in that partition too"});
    let rejected_key = json!({"type": ["string", "null"], "description": "The key of the refused record, at most its first 1,024 bytes"});
    let decision_headers = json!({
        "content-type": content_type,
        "kuzet-shard": number("The shard that decided: the partition of the operation, and of this record"),
        "kuzet-seq": number("From 1 on, gapless in each shard: proves that no decision is missing"),
        "kuzet-ruleset": json!({"type": "string", "pattern": "^[0-9a-f]{12}$", "description": "The rule set that decided"}),
        "kuzet-epoch": json!({"type": "string", "pattern": "^[0-9a-f]{16}$", "description": "The history that kuzet-seq belongs to, a name for each shard. A shard that begins without any state, because its topics were made anew or emptied, begins another one, in which the same numbers are other decisions: a subscriber keeps it with the last number, and stops where it changes. Records of releases before it was named have none"}),
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The decision's id"},
        "ce_source": header("/kuzet/ and the name of the fleet's consumer group"),
        "ce_type": {"const": "kz.kuzet.decision.v1"},
        "ce_time": {"type": "string", "format": "date-time", "description": "When the operation occurred"},
        "ce_subject": header("The wallet's id"),
    });
    let rejected_headers = json!({
        "content-type": content_type,
        "kuzet-shard": number("The partition of the refused record"),
        "kuzet-raw-bytes": number("How long the record was, where only its beginning is kept"),
    });
    let every = |headers: &Value| -> Vec<String> {
        headers.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "kuzet",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Operations of wallets in, decisions and refused records out. All topics have the same number of partitions; names are configurable. A record of kuzet is visible when its transaction has ended: read with isolation.level=read_committed.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "operations": channel("wallet.operations", "operation", "Sent by the ledger. All operations of a wallet lie in one partition: that which kafka.partitioner computes from its id."),
            "decisions": channel("wallet.decisions", "decision", "CloudEvents 1.0 in binary mode. One decision for each operation that was accepted and is no duplicate, in the operation's partition."),
            "rejected": channel("wallet.operations.rejected", "rejected", "Every record that was not accepted, with the reason, in its own partition."),
        },
        "operations": {
            "receiveOperation": action("receive", "operations", "operation", "Decides each operation once"),
            "sendDecision": action("send", "decisions", "decision", "Tells the ledger what to do"),
            "sendRejected": action("send", "rejected", "rejected", "Keeps every refused record, with the reason"),
        },
        "components": {"messages": {
            "operation": message("operation", operation(), &operation_key, json!({"type": "object", "description": "Headers are not looked at"})),
            "decision": message("decision", decision(), &wallet_key, json!({"type": "object", "required": every(&decision_headers), "properties": decision_headers})),
            "rejected": message("rejected", rejected(), &rejected_key, json!({"type": "object", "required": ["content-type", "kuzet-shard"], "properties": rejected_headers})),
        }},
    })
}

/// A message whose payload is one of the schemas above; the dialect is told by the format.
fn message(name: &str, mut payload: Value, key: &Value, headers: Value) -> Value {
    let mut examples = Vec::new();
    if let Some(payload) = payload.as_object_mut() {
        payload.remove("$schema");
        if let Some(Value::Array(found)) = payload.remove("examples") {
            examples = found.into_iter().map(|example| json!({"name": example["type"], "payload": example})).collect();
        }
    }
    let mut message = json!({
        "name": name,
        "title": payload["title"],
        "summary": payload["description"],
        "contentType": "application/json",
        "headers": headers,
        // What the schemas use means the same in this draft and in theirs.
        "payload": {"schemaFormat": "application/schema+json;version=draft-07", "schema": payload},
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    });
    if !examples.is_empty() {
        message["examples"] = examples.into();
    }
    message
}

fn channel(topic: &str, message: &str, description: &str) -> Value {
    json!({
        "address": topic,
        "description": description,
        "messages": {message: {"$ref": format!("#/components/messages/{message}")}},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
    })
}

fn action(action: &str, channel: &str, message: &str, summary: &str) -> Value {
    json!({
        "action": action,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "summary": summary,
        "messages": [{"$ref": format!("#/channels/{channel}/messages/{message}")}],
    })
}
