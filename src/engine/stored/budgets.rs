//! Budgets as bytes: small notes that a store keeps beside the state, written with the batch that changes them.
//!
//! | note | holds |
//! |---|---|
//! | `budgets:rules` | the ids of the rules that have a budget |
//! | `budgets:stream` | the minute that the stream has come to, and the operations of the last hour by type |
//! | `budgets:rule:ID` | what the rule has stopped in the last hour, and its breach |
//!
//! A rule set without a budget writes none of them.

use crate::engine::plan::Plan;
use crate::engine::state::budgets::{Budgets, Passed, Spent, Unstored};
use crate::engine::stored::StoredError;
use crate::engine::stored::words::{Reader, Writer};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of these notes. A change of the format adds one, and a way to read the old.
const VERSION: u8 = 1;

const NOTE_RULES: &str = "budgets:rules";
const NOTE_STREAM: &str = "budgets:stream";

fn note_of(rule: &str) -> String {
    format!("budgets:rule:{rule}")
}

/// Returns the notes that changed since the last call, by name; one without a value goes.
pub fn take_notes(budgets: &mut Budgets, plan: &Plan) -> Vec<(String, Option<Vec<u8>>)> {
    let Unstored { passed, rules, is_new_set, gone } = budgets.take_unstored(plan);
    let mut notes: Vec<(String, Option<Vec<u8>>)> = gone.iter().map(|rule| (note_of(rule), None)).collect();
    if is_new_set {
        let all = plan.rules.rules.iter().filter(|rule| rule.budget.is_some());
        let ids: Vec<&str> = all.map(|rule| &*rule.id).collect();
        notes.push((NOTE_RULES.to_owned(), (!ids.is_empty()).then(|| encode(&ids))));
    }
    if let Some(passed) = passed {
        notes.push((NOTE_STREAM.to_owned(), plan.has_budgets().then(|| encode(passed))));
    }
    let of_rule = |(rule, spent): (usize, &Spent)| {
        (note_of(&plan.rules.rules[rule].id), (*spent != Spent::default()).then(|| encode(spent)))
    };
    notes.extend(rules.into_iter().map(of_rule));
    notes
}

/// Takes the notes back in; `read` returns one by its name, and an empty one is none. `failed` makes an error of what is
/// wrong with a note.
///
/// # Errors
/// A note cannot be read, is damaged, or is of a version that is not known.
pub fn restore<E>(
    budgets: &mut Budgets,
    plan: &Plan,
    mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    failed: impl Fn(StoredError) -> E,
) -> Result<(), E> {
    let ids: Vec<String> = decoded(read(NOTE_RULES)?).map_err(&failed)?.unwrap_or_default();
    let (mut rules, mut gone) = (Vec::new(), Vec::new());
    for id in ids {
        if let Some(rule) = plan.position_of(&id).filter(|rule| plan.budget(*rule).is_some()) {
            let spent: Option<Spent> = decoded(read(&note_of(&id))?).map_err(&failed)?;
            rules.extend(spent.map(|spent| (rule, spent)));
        } else {
            gone.push(id);
        }
    }
    let passed: Option<Passed> = decoded(read(NOTE_STREAM)?).map_err(&failed)?;
    budgets.restore(passed.unwrap_or_default(), rules, gone);
    Ok(())
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Writer::of_version(VERSION);
    out.value(value);
    out.into_bytes()
}

fn decoded<T: DeserializeOwned>(note: Option<Vec<u8>>) -> Result<Option<T>, StoredError> {
    let Some(bytes) = note.filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
    let mut reader = Reader::versioned(&bytes)?;
    if !reader.is_first() {
        return Err(StoredError::Version(bytes[0]));
    }
    reader.value().map(Some)
}
