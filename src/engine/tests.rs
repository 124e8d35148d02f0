//! Rules for the tests of the engine's modules.

use std::sync::Arc;

use crate::rules::{self, SourceFile};

use super::plan::{Plan, Settings};

/// Writes a shadow rule over operations of one type.
pub(super) fn rule(name: &str, on: &str, when: &str, on_missing: &str) -> SourceFile {
    let text = format!(
        "rule: {name}\nclauses: [\"7.15\"]\ntitle: {{kk: a, ru: b, en: c}}\nowner: risk\nseverity: low\n\
         mode: shadow\non: {on}\nwhen: |\n  {when}\non_missing: {on_missing}\nthen: [monitor]\n\
         message: {{kk: a, ru: b, en: c}}\nnotes: n\n"
    );
    SourceFile::new(format!("{name}.yaml"), text.into_bytes())
}

/// Compiles rules and lays them out.
pub(super) fn plan(sources: &[SourceFile]) -> Arc<Plan> {
    match rules::compile(sources) {
        Ok(compiled) => Arc::new(Plan::new(Arc::new(compiled.rule_set), Settings::default())),
        Err(errors) => panic!("{}", rules::render_text(&errors, sources)),
    }
}
