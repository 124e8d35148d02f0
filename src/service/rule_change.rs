//! Changes of the rules, as they are asked for: one after the other.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Job, RulesInUse, RulesRefused, Service, Unavailable, write};
use crate::operation::Time;
use crate::operation::time::{DAY, Nanos};
use crate::rules::program::RuleSet;
use crate::rules::{self, Vanishing};

/// For how long windows are kept that no rule reads any more.
pub(super) const RETIRED_FOR: Nanos = DAY;

impl Service {
    /// Loads the rules anew and decides by them from the next operation on. Must not run on an
    /// asynchronous thread: it reads files.
    ///
    /// # Errors
    /// Inside: the rules are not right, or all of them or all values of a list would be gone, which must be
    /// allowed; the old ones stay. Outside: the service cannot switch now.
    pub fn reload(&self, vanishing: Vanishing, now: Time) -> Result<Result<Arc<RuleSet>, RulesRefused>, Unavailable> {
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
                self.switch(Arc::clone(&rules), now)?;
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
    pub fn rollback(&self, now: Time) -> Result<Option<Arc<RuleSet>>, Unavailable> {
        let _changing = self.changing();
        let Some(previous) = self.rules().previous else { return Ok(None) };
        let previous = self.keeping_windows(&previous, now);
        self.switch(Arc::clone(&previous), now)?;
        Ok(Some(previous))
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
        self.switch(self.keeping_windows(&plan.rules, now), loaded_at)
    }

    /// Returns what holds other changes off.
    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn switch(&self, rules: Arc<RuleSet>, at: Time) -> Result<(), Unavailable> {
        let switched = self.workers.tell(|reply| Job::Rules { rules: Arc::clone(&rules), at, reply })?;
        switched.into_iter().collect()
    }
}
