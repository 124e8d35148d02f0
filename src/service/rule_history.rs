//! The rules that earlier decisions were made by. With the first commit after each change of rules the store notes
//! their texts: each text of a rule and each file of its data once, and for each rule set which texts it consists of. So
//! an old decision is explained by what decided it, and can be made again.

use std::sync::Arc;

use serde_json::{Value, json};
use thiserror::Error;

use super::Service;
use crate::adapters::store::block::{fold, unfold};
use crate::adapters::store::{Store, StoreError};
use crate::analysis::explain::{PastRule, PastRules};
use crate::operation::Time;
use crate::operation::localized::Localized;
use crate::rules::program::{MrpTable, Rule, RuleSet, symbol_of_text};
use crate::rules::{self, SourceFile};

/// Makes the notes of a rule set: what it consists of, and the texts.
#[must_use]
pub fn notes(rules: &RuleSet) -> Vec<(String, Vec<u8>)> {
    let texts = rules.rules.iter().map(|rule| (name_of_text(rule), text_of(rule).to_string().into_bytes()));
    let names: Vec<Value> = rules.rules.iter().map(|rule| json!([&*rule.id, name_of_text(rule)])).collect();
    let mrp: Vec<Value> = rules.mrp.rows.iter().map(|(from, tiyn)| json!([from.nanos(), tiyn])).collect();
    let data: Vec<Value> = rules.data.iter().map(|file| json!([file.path, name_of_data(file)])).collect();
    let set = json!({"rules": names, "mrp": mrp, "data": data}).to_string().into_bytes();
    let files = rules.data.iter().map(|file| (name_of_data(file), fold(&file.bytes, Time::ACCEPTED_FROM)));
    texts.chain(files).chain([(name_of_set(&rules.hash), set)]).collect()
}

/// Why a rule set cannot be made again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotKept {
    #[error("the store has no note of it")]
    Unknown,
    #[error("the store keeps the texts of its rules, and not its table and lists: an earlier version noted it")]
    WithoutData,
    #[error("the store has no text of {0}")]
    Text(String),
    #[error("its texts do not load in this version:\n\n{0}")]
    Unreadable(String),
    #[error("its texts make the rule set {0} in this version")]
    OtherHash(String),
}

/// Makes the rule set with this hash again, of the texts that it was loaded from.
///
/// # Errors
/// Inside: why it cannot be made. Outside: the store cannot be read.
pub fn rule_set(store: &Store, hash: &str) -> Result<Result<RuleSet, NotKept>, StoreError> {
    let Some(set) = value_of(store, &name_of_set(hash))? else { return Ok(Err(NotKept::Unknown)) };
    let Some(data) = set["data"].as_array() else { return Ok(Err(NotKept::WithoutData)) };
    let mut sources = Vec::new();
    for entry in set["rules"].as_array().into_iter().flatten() {
        let (id, name) = (entry[0].as_str().unwrap_or_default(), entry[1].as_str().unwrap_or_default());
        let text = value_of(store, name)?;
        let Some(source) = text.as_ref().and_then(|text| text["source"].as_str()) else {
            return Ok(Err(NotKept::Text(format!("the rule {id}"))));
        };
        sources.push(SourceFile::new(format!("{id}.yaml"), source));
    }
    for entry in data {
        let (path, name) = (entry[0].as_str().unwrap_or_default(), entry[1].as_str().unwrap_or_default());
        let Some(bytes) = store.note(name)?.and_then(|note| unfold(&note).ok()) else {
            return Ok(Err(NotKept::Text(path.to_owned())));
        };
        sources.push(SourceFile::new(path, bytes));
    }
    Ok(match rules::compile(&sources) {
        Ok(compiled) if compiled.rule_set.hash == hash => Ok(compiled.rule_set),
        Ok(compiled) => Err(NotKept::OtherHash(compiled.rule_set.hash)),
        Err(found) => Err(NotKept::Unreadable(rules::render_text(&found, &sources))),
    })
}

impl Service {
    /// Returns the rule set with this hash: the one in use, the one before it, or one that the store keeps. Reads the
    /// disk.
    ///
    /// # Errors
    /// Inside: why there is none. Outside: the store cannot be read.
    pub fn rule_set(&self, hash: &str) -> Result<Result<Arc<RuleSet>, NotKept>, StoreError> {
        let in_use = self.rules();
        let known = [Some(&in_use.plan.rules), in_use.previous.as_ref()];
        if let Some(rules) = known.into_iter().flatten().find(|rules| rules.hash == hash) {
            return Ok(Ok(Arc::clone(rules)));
        }
        let Some(store) = self.store() else { return Ok(Err(NotKept::Unknown)) };
        Ok(rule_set(store, hash)?.map(Arc::new))
    }
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

/// Lists the hashes of the sets whose texts the store keeps, in the order of their digits.
///
/// # Errors
/// The store cannot be read.
pub fn kept(store: &Store) -> Result<Vec<String>, StoreError> {
    let beginning = name_of_set("");
    let names = store.names_of_notes(&beginning)?;
    Ok(names.iter().filter_map(|name| name.strip_prefix(&beginning)).map(str::to_owned).collect())
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

/// Files that are the same have one name.
fn name_of_data(file: &SourceFile) -> String {
    format!("data/{}/{:032x}", file.path, xxhash_rust::xxh3::xxh3_128(&file.bytes))
}

fn text_of(rule: &Rule) -> Value {
    json!({"title": {"kk": rule.title.kk, "ru": rule.title.ru, "en": rule.title.en}, "source": rule.source})
}
