//! The rules that earlier decisions were made by. With the first commit after each change of rules the store notes
//! their texts: each text of a rule once, and for each rule set which texts it consists of. So an old decision is
//! explained by what decided it.

use serde_json::{Value, json};

use crate::adapters::store::{Store, StoreError};
use crate::analysis::explain::{PastRule, PastRules};
use crate::operation::Time;
use crate::operation::localized::Localized;
use crate::rules::program::{MrpTable, Rule, RuleSet, symbol_of_text};

/// Makes the notes of a rule set: what it consists of, and the texts.
#[must_use]
pub fn notes(rules: &RuleSet) -> Vec<(String, Vec<u8>)> {
    let texts = rules.rules.iter().map(|rule| (name_of_text(rule), text_of(rule).to_string().into_bytes()));
    let names: Vec<Value> = rules.rules.iter().map(|rule| json!([&*rule.id, name_of_text(rule)])).collect();
    let mrp: Vec<Value> = rules.mrp.rows.iter().map(|(from, tiyn)| json!([from.nanos(), tiyn])).collect();
    let set = json!({"rules": names, "mrp": mrp}).to_string().into_bytes();
    texts.chain([(name_of_set(&rules.hash), set)]).collect()
}

/// Returns the rules of the set with this hash; `None` where the store has no note of it, or one that this program
/// does not read.
///
/// # Errors
/// The store cannot be read.
pub fn read(store: &Store, hash: &str) -> Result<Option<PastRules>, StoreError> {
    let Some(set) = value_of(store, &name_of_set(hash))? else { return Ok(None) };
    let mut rules = Vec::new();
    for entry in set["rules"].as_array().into_iter().flatten() {
        let (Some(id), Some(name)) = (entry[0].as_str(), entry[1].as_str()) else { return Ok(None) };
        let Some(text) = value_of(store, name)? else { return Ok(None) };
        let title = |language: &str| text["title"][language].as_str().unwrap_or_default().to_owned();
        rules.push(PastRule {
            id: id.to_owned(),
            title: Localized { kk: title("kk"), ru: title("ru"), en: title("en") },
            source: text["source"].as_str().unwrap_or_default().to_owned(),
        });
    }
    let row = |row: &Value| Some((Time::from_nanos(row[0].as_i64()?), row[1].as_i64()?));
    let rows = set["mrp"].as_array().into_iter().flatten().filter_map(row).collect();
    Ok(Some(PastRules { rules, mrp: MrpTable { rows } }))
}

fn value_of(store: &Store, name: &str) -> Result<Option<Value>, StoreError> {
    Ok(store.note(name)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn name_of_set(hash: &str) -> String {
    format!("ruleset/{hash}")
}

/// Texts that are the same have one name, whatever sets they belong to.
fn name_of_text(rule: &Rule) -> String {
    format!("rule/{}/{:016x}", rule.id, symbol_of_text(&text_of(rule).to_string()))
}

fn text_of(rule: &Rule) -> Value {
    json!({"title": {"kk": rule.title.kk, "ru": rule.title.ru, "en": rule.title.en}, "source": rule.source})
}
