//! Lists whose values are sets in Redis: read with the rules, and looked at from time to time.
//!
//! Redis has no empty sets: one that is not there was deleted, or never made. What it held until then stays in force,
//! as with a list in a file, unless somebody says that it is meant.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::{error, info, warn};

use crate::adapters::redis::{RedisSettings, RedisStore, SettingsError, WindowLimits};
use crate::config::{Config, LimitsConfig, RedisConfig, Source};
use crate::pipeline::SharedStoreError;
use crate::rules::program::{ListOrigin, RuleSet};
use crate::rules::{REDIS_SET, SourceFile, Vanishing, redis_lists};

/// Returns how to reach Redis, where it is used: in a fleet that has one.
pub(super) fn redis_settings(config: &Config) -> Option<RedisSettings> {
    let RedisConfig { url, timeout, cluster, ca, pending_changes_max: _, lists_every: _ } = &config.redis;
    let url = url.as_deref().filter(|_| config.source == Source::Kafka)?;
    let LimitsConfig { shared_keys_max: keys_max, shared_window_bytes_max: bytes_max } = config.limits;
    let limits = WindowLimits { keys_max, bytes_max };
    Some(RedisSettings { timeout: *timeout, cluster: *cluster, ca_file: ca.clone(), limits, ..RedisSettings::new(url) })
}

/// Reads the values of a list; a set that is not there has none.
type Load = Box<dyn Fn(&str) -> Result<Vec<String>, SharedStoreError> + Send + Sync>;

/// Reads the lists, and remembers what it read: a Redis that is away or has lost a list takes none away.
pub struct RedisLists {
    load: Load,
    lists: Mutex<BTreeMap<String, Known>>,
}

/// What is known of one list.
#[derive(Debug, Default)]
struct Known {
    /// What was read last. Without values only where that was allowed.
    values: Option<Vec<String>>,
    /// What rules were last made of: values that are wrong are read, but never come so far.
    in_force: Option<Vec<String>>,
    /// Why Redis does not give it now, as it was told last.
    trouble: Option<String>,
}

impl RedisLists {
    /// Makes the reader; connects when it is first asked.
    ///
    /// # Errors
    /// The settings cannot be used. A server that is away is no error.
    pub fn new(settings: &RedisSettings) -> Result<Self, SettingsError> {
        let store = RedisStore::new(settings, None)?;
        Ok(Self { load: Box::new(move |name| store.load_list(name)), lists: Mutex::default() })
    }

    /// Returns the values of the lists that these files declare, each as a file of its own. A list that was never
    /// read has none: what reads it is unknown until Redis gives it. One that is gone keeps its values, unless it may
    /// vanish.
    pub fn sources(&self, files: &[SourceFile], vanishing: Vanishing) -> Vec<SourceFile> {
        let source = |name: String| {
            let values = self.read(&name, vanishing)?;
            let text: String = values.iter().map(|value| format!("{value}\n")).collect();
            Some(SourceFile::new(format!("{REDIS_SET}{name}"), text.into_bytes()))
        };
        redis_lists(files).into_iter().filter_map(source).collect()
    }

    /// Reads a list, or tells what was read of it last.
    fn read(&self, name: &str, vanishing: Vanishing) -> Option<Vec<String>> {
        let read = (self.load)(name);
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lists.entry(name.to_owned()).or_default();
        match read {
            Ok(values) if !values.is_empty() || vanishing == Vanishing::Allowed => {
                known.settle(name);
                known.values = Some(values);
            }
            Ok(_) => {
                known.is_gone(name);
                known.values.clone_from(&known.in_force);
            }
            Err(error) => {
                known.is_away(name, &error);
                known.values.clone_from(&known.in_force);
            }
        }
        known.values.clone()
    }

    /// Says that rules were made of what was read last.
    pub fn took(&self) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.values_mut().for_each(|known| known.in_force.clone_from(&known.values));
    }

    /// Tells whether a set is another one now than when it was read, or can be read at last. One that is gone is none.
    pub fn have_changed(&self, rules: &RuleSet) -> bool {
        let in_redis = rules.lists.iter().filter(|list| list.origin != ListOrigin::File);
        let mut have_changed = false;
        for list in in_redis {
            let read = (self.load)(&list.name);
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            let known = lists.entry(list.name.clone()).or_default();
            match read {
                Ok(values) if known.values.as_ref() == Some(&values) => {
                    known.settle(&list.name);
                    have_changed |= !list.is_read();
                }
                Ok(values) if !values.is_empty() => have_changed = true,
                Ok(_) => known.is_gone(&list.name),
                Err(error) => known.is_away(&list.name, &error),
            }
        }
        have_changed
    }
}

impl Known {
    /// Told once, not with each look.
    fn is_gone(&mut self, name: &str) {
        let trouble = "there is no such list in Redis";
        if self.trouble.as_deref() == Some(trouble) {
            return;
        }
        self.trouble = Some(trouble.to_owned());
        match self.values.as_ref().filter(|values| !values.is_empty()) {
            Some(values) => error!(
                list = name,
                values = values.len(),
                "a list in Redis was deleted or emptied, and its values stay in force; if that is meant, reload the rules \
                 with allow_empty=true"
            ),
            None => warn!(
                list = name,
                "{trouble}: rules that read it follow `on_missing`; if it is to be empty, reload the rules with \
                 allow_empty=true"
            ),
        }
    }

    fn is_away(&mut self, name: &str, trouble: &SharedStoreError) {
        let text = trouble.to_string();
        if self.trouble.as_ref() == Some(&text) {
            return;
        }
        let is_known = self.values.is_some();
        match trouble {
            SharedStoreError::Away(_) => {
                warn!(list = name, error = %text, is_known, "a list could not be read from Redis")
            }
            SharedStoreError::Refused(_) => {
                error!(list = name, error = %text, is_known, "a list in Redis is none, and what was known of it stays");
            }
        }
        self.trouble = Some(text);
    }

    fn settle(&mut self, name: &str) {
        if self.trouble.take().is_some() {
            info!(list = name, "the list can be read from Redis again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rules;

    type Answer = Result<Vec<String>, SharedStoreError>;

    /// A rule that reads a list in Redis, and what Redis answers.
    struct Given {
        answer: Arc<Mutex<Answer>>,
        lists: RedisLists,
        files: Vec<SourceFile>,
    }

    impl Given {
        fn new(answer: Answer) -> Self {
            let answer = Arc::new(Mutex::new(answer));
            let given = Arc::clone(&answer);
            let load = Box::new(move |_: &str| given.lock().expect("no panic").clone());
            let rule = "rule: x\nmode: enforce\ntitle: {kk: x, ru: x, en: x}\nclauses: [internal]\nowner: x\n\
                        severity: low\non: [payment]\nwhen: wallet_id in w\nthen: [refuse]\n";
            let files = vec![
                SourceFile::new("data/lists.yaml".to_owned(), b"w: {type: wallet, from: redis}\n".to_vec()),
                SourceFile::new("x.yaml".to_owned(), rule.as_bytes().to_vec()),
            ];
            Self { answer, lists: RedisLists { load, lists: Mutex::default() }, files }
        }

        fn answers(&self, answer: Answer) {
            *self.answer.lock().expect("no panic") = answer;
        }

        /// Loads as the service does; returns the list's values, or none where it was not read.
        fn load(&self, vanishing: Vanishing) -> (RuleSet, Option<Vec<String>>) {
            let mut files = self.files.clone();
            files.extend(self.lists.sources(&self.files, vanishing));
            let compiled =
                rules::compile(&files).unwrap_or_else(|found| panic!("{}", rules::render_text(&found, &files)));
            self.lists.took();
            let list = &compiled.rule_set.lists[0];
            let values = list.is_read().then(|| list.values.keys().cloned().collect());
            (compiled.rule_set, values)
        }
    }

    fn values(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn wrong_type() -> Answer {
        Err(SharedStoreError::Refused("WRONGTYPE Operation against a key holding the wrong kind of value".to_owned()))
    }

    #[test]
    fn a_list_that_is_deleted_or_of_a_wrong_type_keeps_its_values() {
        let given = Given::new(Ok(values(&["W1", "W2"])));
        let (rules, read) = given.load(Vanishing::Refused);
        assert_eq!(read, Some(values(&["W1", "W2"])));
        for gone in [Ok(Vec::new()), wrong_type(), Err(SharedStoreError::Away("no answer".to_owned()))] {
            given.answers(gone);
            assert!(!given.lists.have_changed(&rules), "nothing to load");
            assert!(given.lists.lists.lock().expect("no panic")["w"].trouble.is_some(), "it was told");
            assert_eq!(given.load(Vanishing::Refused).1, Some(values(&["W1", "W2"])));
        }
        given.answers(Ok(values(&["W3"])));
        assert!(given.lists.have_changed(&rules));
        assert_eq!(given.load(Vanishing::Refused).1, Some(values(&["W3"])));
        assert!(given.lists.lists.lock().expect("no panic")["w"].trouble.is_none());
    }

    /// Values that were refused are not those that stay in force.
    #[test]
    fn a_list_that_is_deleted_after_wrong_values_keeps_its_last_good_ones() {
        let given = Given::new(Ok(values(&["W1"])));
        given.load(Vanishing::Refused);
        given.answers(Ok(vec!["7".repeat(65)]));
        let mut files = given.files.clone();
        files.extend(given.lists.sources(&given.files, Vanishing::Refused));
        assert!(rules::compile(&files).is_err());
        given.answers(Ok(Vec::new()));
        assert_eq!(given.load(Vanishing::Refused).1, Some(values(&["W1"])));
    }

    #[test]
    fn a_list_may_be_emptied_in_so_many_words() {
        let given = Given::new(Ok(values(&["W1"])));
        given.load(Vanishing::Refused);
        given.answers(Ok(Vec::new()));
        let (rules, read) = given.load(Vanishing::Allowed);
        assert_eq!(read, Some(Vec::new()));
        assert!(!given.lists.have_changed(&rules), "it is known to be empty");
        assert_eq!(given.load(Vanishing::Refused).1, Some(Vec::new()), "and stays so");
    }

    /// At a start nobody knows whether a list that is not there has values.
    #[test]
    fn a_list_that_was_never_there_is_unknown_and_not_empty() {
        for missing in [Ok(Vec::new()), wrong_type()] {
            let given = Given::new(missing);
            let (rules, read) = given.load(Vanishing::Refused);
            assert_eq!(read, None);
            assert!(!given.lists.have_changed(&rules));
            given.answers(Ok(values(&["W1"])));
            assert!(given.lists.have_changed(&rules));
        }
    }
}
