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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::engine::state::budgets::{Breach, BudgetChanges};
    use crate::engine::tests::{plan, rule};
    use crate::operation::{OperationType, Time};
    use crate::rules::SourceFile;

    type Notes = BTreeMap<String, Vec<u8>>;

    fn plans() -> [Arc<Plan>; 2] {
        let rule = || rule("a", "transfer", "amount > 1 KZT", "skip");
        let default = SourceFile::new("data/budget.yaml", "budget: {holds_per_hour: 1}\n");
        [plan(&[rule(), default]), plan(&[rule()])]
    }

    fn write(budgets: &mut Budgets, plan: &Plan, notes: &mut Notes) {
        for (name, note) in take_notes(budgets, plan) {
            match note {
                Some(note) => drop(notes.insert(name, note)),
                None => drop(notes.remove(&name)),
            }
        }
    }

    fn read(notes: &Notes, plan: &Plan) -> Result<Budgets, StoredError> {
        let mut budgets = Budgets::new(plan);
        restore(&mut budgets, plan, |name| Ok(notes.get(name).cloned()), |error| error)?;
        // As whoever starts does.
        budgets.switch(plan, plan);
        Ok(budgets)
    }

    #[test]
    fn what_was_spent_comes_back_and_goes_with_the_budget() {
        let [with, without] = plans();
        let mut notes = Notes::new();
        let mut budgets = read(&notes, &with).expect("no notes");
        let mut changes = BudgetChanges::at(29_000_000);
        changes.stopped.push(0);
        budgets.apply(OperationType::Transfer, changes);
        let mut changes = BudgetChanges::at(29_000_001);
        let breach = Breach { at: Time::ACCEPTED_FROM, seq: 7, stopped: 2, decided: 2 };
        changes.breached.push((0, breach));
        budgets.apply(OperationType::Transfer, changes);
        write(&mut budgets, &with, &mut notes);
        assert_eq!(notes.keys().collect::<Vec<_>>(), ["budgets:rule:a", "budgets:rules", "budgets:stream"]);
        assert!(take_notes(&mut budgets, &with).is_empty(), "nothing changed since");

        let again = read(&notes, &with).expect("notes");
        let used = again.used(&with, 0).expect("a budget");
        assert_eq!((used.stopped, used.decided, used.breach), (1, 2, Some(breach)));

        let mut forgotten = read(&notes, &without).expect("notes");
        write(&mut forgotten, &without, &mut notes);
        assert_eq!(notes, Notes::new());
    }

    #[test]
    fn a_set_without_budgets_writes_nothing() {
        let [_, without] = plans();
        let mut budgets = read(&Notes::new(), &without).expect("no notes");
        assert_eq!(take_notes(&mut budgets, &without), []);
    }

    #[test]
    fn damage_and_later_versions_are_told() {
        let [with, _] = plans();
        let of = |bytes: &[u8]| read(&Notes::from([("budgets:stream".to_owned(), bytes.to_vec())]), &with).err();
        assert_eq!(of(&[2, 0, 0, 0, 0]), Some(StoredError::Version(2)));
        assert_eq!(of(&[9]), Some(StoredError::Version(9)));
        assert_eq!(of(&[1, 4, 0, 0, 0, 0]), Some(StoredError::Damaged(5)));
        assert_eq!(of(&[]), None, "an empty note is none");
    }
}
