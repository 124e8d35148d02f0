//! What the bodies of requests look like, for the OpenAPI document.

use serde_json::{Map, Value, json};

use super::reference;
use crate::analysis::templates::TEMPLATES;
use crate::http::console_api::EVENT_FIELDS;
use crate::http::endpoints::Handler;
use crate::http::operations::OPERATIONS_MAX;
use crate::schema;

/// Describes the body of a request; `None` where it has none.
pub(super) fn of(handler: Handler) -> Option<Value> {
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
        Handler::Check | Handler::Test | Handler::RuleLayout => json!({
            "type": "object", "properties": {"files": changed_files()}, "additionalProperties": false,
        }),
        Handler::Backtest => backtest_body(),
        Handler::Save => super::saving::body(changed_files()),
        Handler::RuleDiff => json!({
            "type": "object",
            "properties": {"before": compared("The rules before the change"), "after": compared("The rules after it")},
            "additionalProperties": false,
        }),
        Handler::NewRule => new_rule_body(),
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
    let required = matches!(
        handler,
        Handler::PostOperations
            | Handler::Backtest
            | Handler::RuleMode
            | Handler::RuleDiff
            | Handler::NewRule
            | Handler::Save
    );
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

/// A rule set to be compared.
fn compared(meaning: &str) -> Value {
    json!({
        "description": meaning,
        "oneOf": [
            {"description": "`current`, `folder`, or the hash of a rule set", "type": "string", "maxLength": 64},
            changed_files(),
        ],
    })
}

fn new_rule_body() -> Value {
    json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"description": "The id of the rule, and the name of its files", "type": "string", "pattern": "^[a-z0-9-]{1,64}$"},
            "from": {
                "description": "The template; the first one where none is named",
                "enum": TEMPLATES.iter().map(|template| template.name).collect::<Vec<_>>(),
            },
            "folder": {
                "description": "A folder inside that of the rules, such as section7",
                "type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}(/[A-Za-z0-9_-]{1,40}){0,2}$",
            },
        },
        "additionalProperties": false,
    })
}

fn backtest_body() -> Value {
    let named = json!({"enum": ["current", "previous"]});
    let rules = |meaning: &str| json!({"description": meaning, "oneOf": [named, changed_files()]});
    let count = |meaning: &str| json!({"description": meaning, "type": ["integer", "null"], "minimum": 0});
    let time = |meaning: &str| json!({"description": meaning, "type": ["string", "null"], "format": "date-time"});
    json!({
        "type": "object",
        "required": ["rules"],
        "properties": {
            "rules": rules("The rules to try: those in use, those before them, or files laid over those in use"),
            "against": {"description": "The rules to compare them with", "oneOf": [named, changed_files(), {"type": "null"}]},
            "from": time("Only operations that occurred then or later are counted; those before are decided too"),
            "to": time("Only operations that occurred before are counted"),
            "days": {
                "description": "Instead of from: so many days before to, or before the newest operation",
                "type": ["integer", "null"], "minimum": 1, "maximum": 3650,
            },
            "labels": {
                "description": "Which operations were fraud, for precision and recall; what bears no label was none",
                "type": ["array", "null"], "maxItems": 100_000, "items": {
                    "type": "object", "required": ["op_id", "label"],
                    "properties": {
                        "op_id": {"type": "string"},
                        "label": {"enum": ["fraud", "legitimate", "near_miss"]},
                        "rule": {"description": "The rule that it is for, if not all", "type": ["string", "null"]},
                    },
                },
            },
            "sweep": {
                "description": "One number of a rule at each value of a range, RULE:FROM..TO:STEP or \
                    RULE@NUMBER:FROM..TO:STEP, such as transfer-over-100k:100000..300000:10000; not with `previous` as rules",
                "type": ["string", "null"], "maxLength": 300,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_bodies_fit_their_schema() {
        let body = of(Handler::SupportEvent).expect("a body");
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
}
