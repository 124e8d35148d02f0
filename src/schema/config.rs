//! `kuzet.toml` as JSON Schema, by the table that reading goes by. Rules across keys only
//! `kuzet config check` can say.

use serde_json::{Map, Value, json};

use super::DIALECT;
use crate::config::Role;
use crate::config::keys::{KEYS, Key, Kind, sections};
use crate::config::value::accepted;

/// Makes the document.
pub(super) fn document() -> Value {
    let mut properties = properties("");
    properties.insert(String::from("token"), tokens());
    json!({
        "$schema": DIALECT,
        "title": "kuzet configuration",
        "description": "kuzet.toml, read by kuzet serve. A variable KUZET_<SECTION>_<KEY> overrides a key. kuzet config check also checks limits of durations and sizes, and rules across keys.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Describes the keys and subsections of a section; an empty name is the top.
fn properties(section: &str) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in KEYS.iter().filter(|key| key.section() == section) {
        properties.insert(key.name().to_owned(), value(key));
    }
    for child in sections() {
        let (parent, name) = child.rsplit_once('.').unwrap_or(("", child));
        if parent == section {
            let child = json!({"type": "object", "properties": self::properties(child), "additionalProperties": false});
            properties.insert(name.to_owned(), child);
        }
    }
    properties
}

fn value(key: &Key) -> Value {
    let accepted = match &key.kind {
        // The schema says it all.
        Kind::Bool | Kind::Count { .. } | Kind::Word(_) => String::new(),
        kind => format!("Accepted: {}. ", accepted(kind)),
    };
    let description = format!("{}. {accepted}Variable: {}", key.about, key.variable());
    let mut schema = match &key.kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Count { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Bytes { .. } => json!({"type": "string", "pattern": "^[0-9]+([KMGT]i)?B$"}),
        Kind::Duration { .. } => json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}),
        Kind::Address | Kind::Path | Kind::Name | Kind::Hosts | Kind::Url => json!({"type": "string", "minLength": 1}),
        Kind::Word(words) => json!({"enum": words}),
    };
    schema["description"] = json!(description);
    if let Some(default) = key.default {
        schema["default"] = match key.kind {
            Kind::Bool => json!(default == "true"),
            Kind::Count { .. } => json!(default.parse::<u64>().unwrap_or_default()),
            _ => json!(default),
        };
    }
    schema
}

fn tokens() -> Value {
    json!({
        "description": "Who may ask for what; made by kuzet config token",
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "hash", "roles"],
            "properties": {
                "name": {"description": "Who bears it; none twice", "type": "string", "minLength": 1, "maxLength": 64},
                "hash": {"description": "BLAKE3 of the token", "type": "string", "pattern": "^blake3:[0-9a-fA-F]{64}$"},
                "roles": {"type": "array", "items": {"enum": Role::NAMES}, "minItems": 1, "uniqueItems": true},
            },
            "additionalProperties": false,
        },
    })
}
