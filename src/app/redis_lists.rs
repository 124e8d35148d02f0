//! Lists whose values are sets in Redis: read with the rules, and looked at from time to time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

use crate::adapters::redis::{RedisSettings, RedisStore, SettingsError};
use crate::config::{Config, RedisConfig, Source};
use crate::rules::program::{ListOrigin, RuleSet};
use crate::rules::{REDIS_SET, SourceFile, redis_lists};

/// Returns how to reach Redis, where it is used: in a fleet that has one.
pub(super) fn redis_settings(config: &Config) -> Option<RedisSettings> {
    let RedisConfig { url, timeout, ca, pending_changes_max: _, lists_every: _ } = &config.redis;
    let url = url.as_deref().filter(|_| config.source == Source::Kafka)?;
    Some(RedisSettings { timeout: *timeout, ca_file: ca.clone(), ..RedisSettings::new(url) })
}

/// Reads the lists, and remembers what it read: a Redis that is away for a while takes no list away.
pub struct RedisLists {
    store: RedisStore,
    known: Mutex<BTreeMap<String, Vec<String>>>,
}

impl RedisLists {
    /// Makes the reader; connects when it is first asked.
    ///
    /// # Errors
    /// The settings cannot be used. A server that is away is no error.
    pub fn new(settings: &RedisSettings) -> Result<Self, SettingsError> {
        Ok(Self { store: RedisStore::new(settings, None)?, known: Mutex::default() })
    }

    /// Returns the values of the lists that these files declare, each as a file of its own. A list that was
    /// never read has none: what reads it is unknown until Redis answers.
    pub fn sources(&self, files: &[SourceFile]) -> Vec<SourceFile> {
        let source = |name: String| {
            let values = self.read(&name)?;
            let text: String = values.iter().map(|value| format!("{value}\n")).collect();
            Some(SourceFile::new(format!("{REDIS_SET}{name}"), text.into_bytes()))
        };
        redis_lists(files).into_iter().filter_map(source).collect()
    }

    /// Reads a list, or tells what was read of it last.
    fn read(&self, name: &str) -> Option<Vec<String>> {
        let read = self.store.load_list(name);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(values) => {
                known.insert(name.to_owned(), values.clone());
                Some(values)
            }
            Err(error) => {
                let values = known.get(name).cloned();
                warn!(list = name, %error, is_known = values.is_some(), "a list could not be read from Redis");
                values
            }
        }
    }

    /// Tells whether a set is another one now than when it was read, or can be read at last.
    pub fn have_changed(&self, rules: &RuleSet) -> bool {
        let in_redis = rules.lists.iter().filter(|list| list.origin != ListOrigin::File);
        in_redis.into_iter().any(|list| {
            let Ok(now) = self.store.load_list(&list.name) else { return false };
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            !list.is_read() || known.get(&list.name) != Some(&now)
        })
    }
}
