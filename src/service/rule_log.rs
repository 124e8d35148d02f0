//! When the rules changed, who changed them and how. The store keeps it as one note, beside the texts of every rule set
//! (see [`super::rule_history`]): so each change can be shown with what it changed.

use serde::{Deserialize, Serialize};

use super::rule_history::{self, NotKept};
use crate::adapters::store::{Store, StoreError};
use crate::analysis::rule_diff::SetDiff;
use crate::operation::Time;
use crate::rules::program::RuleSet;

/// The note.
const NOTE: &str = "ruleset-log";
/// Changes that are kept; the oldest are forgotten first.
const CHANGES_MAX: usize = 1_000;

/// How the rules came to be others. Stored by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The service started with them.
    Start,
    /// Files changed, and the service noticed, or was sent a signal.
    Files,
    /// Somebody asked for the files to be read again.
    Reload,
    /// Somebody went back to the set before.
    Rollback,
    /// Somebody gave a rule another mode.
    Mode,
    /// Somebody saved files of rules, or took some away.
    Save,
}

/// A change of the rules as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub cause: Cause,
    /// The name of the token, or who was named where there are none.
    pub by: Option<String>,
    /// Why, in that person's words.
    pub comment: Option<String>,
}

/// A change of the rules that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    ruleset: String,
    /// Nanoseconds since the epoch.
    at: i64,
    cause: Cause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

/// The changes so far, as the deciding thread continues them.
#[derive(Debug, Default)]
pub(crate) struct RuleLog {
    changes: Vec<Change>,
    /// What was asked for and is not noted yet.
    asked: Option<(Asked, Time)>,
}

/// One change as people look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    pub ruleset: String,
    /// `None` of a set that was in use before changes were recorded.
    pub at: Option<String>,
    pub cause: Option<Cause>,
    pub by: Option<String>,
    pub comment: Option<String>,
    /// What changed against the set before; `None` where that cannot be told.
    pub changes: Option<SetDiff>,
    /// Why it cannot be told.
    pub missing: Option<String>,
}

impl Asked {
    /// A change that no person asked the service for.
    #[must_use]
    pub const fn by_nobody(cause: Cause) -> Self {
        Self { cause, by: None, comment: None }
    }

    /// A change that a person asked for.
    #[must_use]
    pub fn by(cause: Cause, name: &str) -> Self {
        Self { cause, by: Some(name.to_owned()), comment: None }
    }
}

impl RuleLog {
    /// Reads the log of a store whose service starts now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn open(store: &Store, now: Time) -> Result<Self, StoreError> {
        Ok(Self { changes: changes(store)?, asked: Some((Asked::by_nobody(Cause::Start), now)) })
    }

    /// Remembers what the next rule set was asked for by.
    pub(crate) fn ask(&mut self, asked: Asked, at: Time) {
        self.asked = Some((asked, at));
    }

    /// Makes the note with the present set; `None` where it is the last one noted.
    pub(crate) fn note(&mut self, ruleset: &str) -> Option<(String, Vec<u8>)> {
        let (Asked { cause, by, comment }, at) = self.asked.take()?;
        if self.changes.last().is_some_and(|last| last.ruleset == ruleset) {
            return None;
        }
        self.changes.push(Change { ruleset: ruleset.to_owned(), at: at.nanos(), cause, by, comment });
        let too_many = self.changes.len().saturating_sub(CHANGES_MAX);
        self.changes.drain(..too_many);
        Some((NOTE.to_owned(), serde_json::to_vec(&self.changes).unwrap_or_default()))
    }
}

fn changes(store: &Store) -> Result<Vec<Change>, StoreError> {
    let note = store.note(NOTE)?;
    Ok(note.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Tells whether the rules were changed after a time and until another; true as well where the log does not reach back
/// so far.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn has_changed_between(store: &Store, after: Time, until: Time) -> Result<bool, StoreError> {
    let changes = changes(store)?;
    let reaches_back = changes.first().is_some_and(|first| first.at <= after.nanos());
    let is_between = |change: &Change| after.nanos() < change.at && change.at <= until.nanos();
    Ok(!reaches_back || changes.iter().any(is_between))
}

/// Lists the newest changes of the rules, each with what it changed; behind them the sets that are kept from before
/// changes were recorded. Reads the disk.
///
/// # Errors
/// The store cannot be read.
pub fn history(store: &Store, limit: usize) -> Result<Vec<Shown>, StoreError> {
    let changes = changes(store)?;
    let mut shown = Vec::new();
    let mut after: Option<Result<RuleSet, NotKept>> = None;
    for (at, change) in changes.iter().enumerate().rev().take(limit) {
        let set = match after.take() {
            Some(set) => set,
            None => rule_history::rule_set(store, &change.ruleset)?,
        };
        let before = match at.checked_sub(1).and_then(|before| changes.get(before)) {
            Some(before) => Some((before, rule_history::rule_set(store, &before.ruleset)?)),
            None => None,
        };
        let (difference, missing) = difference((change, &set), before.as_ref());
        shown.push(Shown {
            ruleset: change.ruleset.clone(),
            at: Some(Time::from_nanos(change.at).to_string()),
            cause: Some(change.cause),
            by: change.by.clone(),
            comment: change.comment.clone(),
            changes: difference,
            missing,
        });
        after = before.map(|(_, set)| set);
    }
    let is_logged = |hash: &str| changes.iter().any(|change| change.ruleset == hash);
    let of_before = rule_history::kept(store)?.into_iter().filter(|hash| !is_logged(hash));
    shown.extend(of_before.take(limit.saturating_sub(shown.len())).map(|ruleset| Shown {
        ruleset,
        at: None,
        cause: None,
        by: None,
        comment: None,
        changes: None,
        missing: Some(String::from("it was in use before changes of the rules were recorded")),
    }));
    Ok(shown)
}

fn difference(
    (change, set): (&Change, &Result<RuleSet, NotKept>),
    before: Option<&(&Change, Result<RuleSet, NotKept>)>,
) -> (Option<SetDiff>, Option<String>) {
    let Some((earlier, before)) = before else {
        return (None, Some(String::from("nothing is known of the set before")));
    };
    match (before, set) {
        (Ok(before), Ok(after)) => (Some(SetDiff::of((&earlier.ruleset, before), (&change.ruleset, after))), None),
        (Err(why), _) => (None, Some(format!("the set {} before: {why}", earlier.ruleset))),
        (_, Err(why)) => (None, Some(format!("the set {}: {why}", change.ruleset))),
    }
}
