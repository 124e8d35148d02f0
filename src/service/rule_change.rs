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

/// Replaces a rule's file: its path, the text that it has to have still, and the new one. Returns why it cannot.
pub type WriteRule = dyn Fn(&str, &str, &str) -> Result<(), String> + Send + Sync;

/// A rule has the mode that was asked for.
#[derive(Debug, Clone)]
pub struct ModeChange {
    /// The same one, where nothing had to be changed.
    pub before: Mode,
    /// The rules in use now.
    pub rules: Arc<RuleSet>,
}

/// Why a rule keeps its mode.
#[derive(Debug, Clone, Error)]
pub enum ModeRefused {
    #[error("no rule has this id")]
    NoRule,
    /// A reload would bring more than was asked for.
    #[error("the files hold other changes than this one: reload the rules first, or take those back")]
    OtherChanges,
    #[error("the rule's file stays as it is: {0}")]
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
    ) -> Result<Result<ModeChange, ModeRefused>, Unavailable> {
        let _changing = self.changing();
        let present = Arc::clone(&self.rules().plan.rules);
        let Some(rule) = present.rules.iter().find(|rule| *rule.id == *id) else { return Ok(Err(ModeRefused::NoRule)) };
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
    ) -> Result<RuleSet, ModeRefused> {
        let load = || (self.load_rules)(Vanishing::Refused);
        if !is_of_same_files(present, &load().map_err(ModeRefused::Rules)?) {
            return Err(ModeRefused::OtherChanges);
        }
        let text = rules::with_mode(&rule.source, mode)
            .ok_or_else(|| ModeRefused::File(format!("{} has no mode that could be replaced", rule.path)))?;
        write_file(&rule.path, &rule.source, &text).map_err(ModeRefused::File)?;
        load().map_err(|refused| match write_file(&rule.path, &text, &rule.source) {
            Ok(()) => ModeRefused::Rules(refused),
            Err(reason) => ModeRefused::File(format!("the rules do not load with it, and {reason}")),
        })
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
