//! What the OpenAPI document says of saving files of rules.

use serde_json::{Value, json};

/// What the summary leaves out.
pub(super) const DESCRIPTION: &str = "The files are laid over the rules in use; the whole set must have no errors, and its tests must pass as the texts \
     are given. A rule that is new or changed and would act is written with `mode: shadow`, unless `live` is true; \
     `shadowed` names these rules, and `tests.other_mode` says how many of their tests expect the other mode. Texts are \
     kept as they are given otherwise. All files are written or none, each whole; the rules are used from the next \
     operation on, and the history tells who saved them and why.\n\n";

/// What a request may be refused for, beside what every body may.
pub(super) const PROBLEMS: &[(&str, &str)] = &[
    (
        "409",
        "`file-changed`: a file is not what was opened; `other-changes`: the folder holds changes that are not in use; \
         `not-writable`: the folder cannot be written, or the rules are part of the program; `fleet`: each instance \
         reads files of its own",
    ),
    ("422", "The rules have errors, or would not be used; `tests-failed`: tests fail. Nothing is written"),
];

/// What an answer always has.
pub(super) const FIELDS: &[&str] =
    &["dry_run", "before", "ruleset", "changed", "files", "shadowed", "tests", "changes"];

/// Describes the body, whose files are as in every draft.
pub(super) fn body(files: Value) -> Value {
    let names = files["propertyNames"].clone();
    json!({
        "type": "object",
        "required": ["files", "opened"],
        "properties": {
            "files": files,
            "opened": {
                "type": "object",
                "description": "Of each of the files the hash that `GET /v1/rules/{id}` told when it was opened; null \
                                where there was no file",
                "propertyNames": names,
                "additionalProperties": {"type": ["string", "null"]},
            },
            "live": {"type": "boolean", "description": "true: rules are saved in the mode that their texts have"},
            "comment": {"type": "string", "maxLength": 500, "description": "Why; recorded"},
            "actor": {"type": "string", "maxLength": 128, "description":
                "Who does it, where no tokens are configured; otherwise it is the token's name"},
        },
        "additionalProperties": false,
    })
}
