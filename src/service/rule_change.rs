//! Changes of the rules, as they are asked for: one after the other.

use std::sync::{Arc, MutexGuard, PoisonError};

use thiserror::Error;

use super::rule_log::{Asked, Cause};
use super::{Job, RulesInUse, RulesRefused, Service, Unavailable, write};
use crate::operation::Time;
use crate::operation::time::{DAY, Nanos};
use crate::rules::program::{Mode, Rule, RuleSet};
use crate::rules::{self, FileKind, Vanishing};

/// For how long windows are kept that no rule reads any more.
pub(super) const RETIRED_FOR: Nanos = DAY;

/// Replaces, makes or takes away a file of the folder of rules: its path, the bytes that it has to have still, and the
/// new ones; `None` is no file. Returns why it cannot.
pub type WriteRule = dyn Fn(&str, Option<&[u8]>, Option<&[u8]>) -> Result<(), String> + Send + Sync;

/// A file of the folder of rules that is to be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    pub path: String,
    /// What it has to be still; `None` is no file.
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
}

/// A rule has the mode that was asked for.
#[derive(Debug, Clone)]
pub struct ModeChange {
    /// The same one, where nothing had to be changed.
    pub before: Mode,
    /// The rules in use now.
    pub rules: Arc<RuleSet>,
}

/// Why the files stay as they are.
#[derive(Debug, Clone, Error)]
pub enum ChangeRefused {
    #[error("no rule has this id")]
    NoRule,
    /// A reload would bring more than was asked for.
    #[error("the files hold other changes than this one: reload the rules first, or take those back")]
    OtherChanges,
    #[error("the files stay as they are: {0}")]
    File(String),
    #[error("the rules do not load: {}", .0.text)]
    Rules(RulesRefused),
}

/// Tells whether two sets were made of the same texts; lists that come from Redis are no files.
fn is_of_same_files(one: &RuleSet, other: &RuleSet) -> bool {
    let texts = |set: &RuleSet| -> Vec<(String, Vec<u8>)> {
        let rules = set.rules.iter().map(|rule| (rule.path.clone(), rule.source.clone().into_bytes()));
        let files = set.data.iter().filter(|file| FileKind::of(file) != FileKind::RedisSet);
        rules.chain(files.map(|file| (file.path.clone(), file.bytes.clone()))).collect()
    };
    texts(one) == texts(other)
}

/// Writes files one after the other, then loads the rules; where any of it fails, what was written is taken back.
fn written(
    changes: &[FileChange],
    write_file: &WriteRule,
    load: impl FnOnce() -> Result<RuleSet, ChangeRefused>,
) -> Result<RuleSet, ChangeRefused> {
    let mut done: Vec<&FileChange> = Vec::new();
    let mut failed = None;
    for change in changes {
        let FileChange { path, before, after } = change;
        match write_file(path, before.as_deref(), after.as_deref()) {
            Ok(()) => done.push(change),
            Err(reason) => {
                failed = Some(ChangeRefused::File(reason));
                break;
            }
        }
    }
    let refused = match failed.map_or_else(load, Err) {
        Ok(rules) => return Ok(rules),
        Err(refused) => refused,
    };
    for FileChange { path, before, after } in done.into_iter().rev() {
        if let Err(reason) = write_file(path, after.as_deref(), before.as_deref()) {
            return Err(ChangeRefused::File(format!(
                "{refused}; and what was written could not be taken back: {reason}"
            )));
        }
    }
    Err(refused)
}

impl Service {
    /// Loads the rules anew and decides by them from the next operation on. Must not run on an
    /// asynchronous thread: it reads files.
    ///
    /// # Errors
    /// Inside: the rules are not right, or all of them or all values of a list would be gone, which must be
    /// allowed; the old ones stay. Outside: the service cannot switch now.
    pub fn reload(&self, vanishing: Vanishing, now: Time) -> Result<Result<Arc<RuleSet>, RulesRefused>, Unavailable> {
        self.reload_as(vanishing, now, Asked::by_nobody(Cause::Files))
    }

    /// The same, asked for by somebody.
    ///
    /// # Errors
    /// As [`Self::reload`].
    pub fn reload_as(
        &self,
        vanishing: Vanishing,
        now: Time,
        asked: Asked,
    ) -> Result<Result<Arc<RuleSet>, RulesRefused>, Unavailable> {
        let _changing = self.changing();
        let loaded = (self.load_rules)(vanishing).and_then(|rules| {
            let gone = rules::vanished(&self.rules().plan.rules, &rules).filter(|_| vanishing == Vanishing::Refused);
            match gone {
                Some(text) => Err(RulesRefused { text, errors: Vec::new() }),
                None => Ok(rules),
            }
        });
        match loaded {
            Ok(rules) => {
                let rules = self.keeping_windows(&rules, now);
                self.switch(Arc::clone(&rules), now, asked)?;
                Ok(Ok(rules))
            }
            Err(refused) => {
                write(&self.shown.rules).refused = Some((now, refused.clone()));
                Ok(Err(refused))
            }
        }
    }

    /// Goes back to the rules before the present ones. Must not run on an asynchronous thread.
    ///
    /// # Errors
    /// The service cannot switch now.
    pub fn rollback(&self, now: Time, asked: Asked) -> Result<Option<Arc<RuleSet>>, Unavailable> {
        let _changing = self.changing();
        let Some(previous) = self.rules().previous else { return Ok(None) };
        let previous = self.keeping_windows(&previous, now);
        self.switch(Arc::clone(&previous), now, asked)?;
        Ok(Some(previous))
    }

    /// Gives a rule another mode: in its file, and from the next operation on. Must not run on an asynchronous thread.
    ///
    /// # Errors
    /// Inside: the rule keeps its mode, and why. Outside: the service cannot switch now; the file has the new mode then.
    pub fn set_mode(
        &self,
        (id, mode): (&str, Mode),
        write_file: &WriteRule,
        (now, asked): (Time, Asked),
    ) -> Result<Result<ModeChange, ChangeRefused>, Unavailable> {
        let _changing = self.changing();
        let present = Arc::clone(&self.rules().plan.rules);
        let Some(rule) = present.rules.iter().find(|rule| *rule.id == *id) else {
            return Ok(Err(ChangeRefused::NoRule));
        };
        if rule.mode == mode {
            return Ok(Ok(ModeChange { before: mode, rules: present }));
        }
        let changed = match self.with_mode(&present, (rule, mode), write_file) {
            Ok(changed) => self.keeping_windows(&changed, now),
            Err(refused) => return Ok(Err(refused)),
        };
        let before = rule.mode;
        self.switch(Arc::clone(&changed), now, asked)?;
        Ok(Ok(ModeChange { before, rules: changed }))
    }

    /// Writes the mode into the rule's file and loads the rules; what does not load is taken back.
    fn with_mode(
        &self,
        present: &RuleSet,
        (rule, mode): (&Rule, Mode),
        write_file: &WriteRule,
    ) -> Result<RuleSet, ChangeRefused> {
        let load = || (self.load_rules)(Vanishing::Refused);
        if !is_of_same_files(present, &load().map_err(ChangeRefused::Rules)?) {
            return Err(ChangeRefused::OtherChanges);
        }
        let text = rules::with_mode(&rule.source, mode)
            .ok_or_else(|| ChangeRefused::File(format!("{} has no mode that could be replaced", rule.path)))?;
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        let change = FileChange { path: rule.path.clone(), before: bytes(&rule.source), after: bytes(&text) };
        written(&[change], write_file, || load().map_err(ChangeRefused::Rules))
    }

    /// Writes files of the folder of rules, all of them or none, and decides by the rules from the next operation on.
    /// `expected` is what the folder has to make then. Must not run on an asynchronous thread.
    ///
    /// # Errors
    /// Inside: the files stay as they are, and why. Outside: the service cannot switch now; the files are written then.
    pub fn save_files(
        &self,
        (changes, expected): (&[FileChange], &RuleSet),
        write_file: &WriteRule,
        (now, asked): (Time, Asked),
    ) -> Result<Result<Arc<RuleSet>, ChangeRefused>, Unavailable> {
        let _changing = self.changing();
        let present = Arc::clone(&self.rules().plan.rules);
        let load = || (self.load_rules)(Vanishing::Refused).map_err(ChangeRefused::Rules);
        let as_expected = |of: &RuleSet, rules: RuleSet| {
            if is_of_same_files(of, &rules) { Ok(rules) } else { Err(ChangeRefused::OtherChanges) }
        };
        let saved = load()
            .and_then(|rules| as_expected(&present, rules))
            .and_then(|_| written(changes, write_file, || load().and_then(|rules| as_expected(expected, rules))));
        match saved {
            Ok(rules) => {
                let rules = self.keeping_windows(&rules, now);
                self.switch(Arc::clone(&rules), now, asked)?;
                Ok(Ok(rules))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Lets a set keep the windows that it would lose against the one in use: whoever removed a rule by mistake and
    /// brings it back finds them whole.
    fn keeping_windows(&self, rules: &RuleSet, now: Time) -> Arc<RuleSet> {
        let before = self.rules().plan;
        Arc::new(rules.keeping_windows_of(&before.rules, now, now.plus(RETIRED_FOR)))
    }

    /// Drops windows of former rules that were kept long enough. Must not run on an asynchronous thread.
    ///
    /// # Errors
    /// The service cannot switch now.
    pub fn forget_windows(&self, now: Time) -> Result<(), Unavailable> {
        let _changing = self.changing();
        let RulesInUse { plan, loaded_at, .. } = self.rules();
        if !plan.rules.has_expired(now) {
            return Ok(());
        }
        self.switch(self.keeping_windows(&plan.rules, now), loaded_at, Asked::by_nobody(Cause::Files))
    }

    /// Returns what holds other changes off.
    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn switch(&self, rules: Arc<RuleSet>, at: Time, asked: Asked) -> Result<(), Unavailable> {
        let job = |reply| Job::Rules { rules: Arc::clone(&rules), at, asked: asked.clone(), reply };
        let switched = self.workers.tell(job)?;
        switched.into_iter().collect()
    }
}
