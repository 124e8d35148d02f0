//! Kafka: the topics operations come from and decisions go to, and the topic that keeps each shard's state.
//!
//! Knows records, offsets, transactions and groups; must not know how an operation is decided.

#[cfg(feature = "kafka")]
pub mod client;
#[cfg(feature = "kafka")]
pub mod consumer;
#[cfg(feature = "kafka")]
pub mod errand;
#[cfg(feature = "kafka")]
pub mod librdkafka;
#[cfg(feature = "kafka")]
pub mod port;
#[cfg(feature = "kafka")]
pub mod producer;
#[cfg(feature = "kafka")]
mod questions;
#[cfg(feature = "kafka")]
pub mod reader;
#[cfg(feature = "kafka")]
pub mod session;
pub mod state;
#[cfg(feature = "kafka")]
pub mod topic;
#[cfg(feature = "kafka")]
pub mod topics;

use std::fmt;
use std::time::Duration;

#[cfg(feature = "kafka")]
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

#[cfg(feature = "kafka")]
use client::Said;

/// The names of the topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    pub operations: String,
    pub decisions: String,
    pub rejected: String,
    pub state: String,
}

/// How to reach Kafka, and who this process is there.
#[derive(Clone)]
pub struct KafkaSettings {
    /// Brokers to begin with, as `host:port`, separated by commas.
    pub brokers: String,
    /// The consumer group that the instances share.
    pub group: String,
    /// The name of this process, no other's, with what tells its workers apart: the transactional ids are made of it.
    pub instance: String,
    pub topics: Topics,
    /// After this long Kafka aborts a transaction that its producer does not end.
    pub transaction_timeout: Duration,
    /// Settings of librdkafka, for SASL, TLS and the like. May hold passwords.
    pub properties: Vec<(String, String)>,
}

/// Leaves out the properties, which may hold passwords.
impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("instance", &self.instance)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

/// Why Kafka did not do what it was asked for.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("failed to use the Kafka setting {name}: {reason}")]
    Setting { name: String, reason: String },
    #[error("failed to {what}: {reason}")]
    Kafka {
        what: String,
        reason: String,
        /// Another process took over the name of this one.
        is_fenced: bool,
        /// It is not known whether it happened.
        is_unknown: bool,
    },
    /// The group has gone on meanwhile, and the transaction was for how it was before. Nothing of it happened once it
    /// is aborted; what is still this process's may be sent again.
    #[error("failed to {what}: {reason}")]
    Stale { what: String, reason: String },
    #[error("failed to {what}: no answer within {waited:?}")]
    Silent { what: String, waited: Duration },
}

/// Tells whether an error says that the group is not what the sender took it for.
#[cfg(feature = "kafka")]
const fn is_of_generation(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress)
}

#[cfg(feature = "kafka")]
impl Failure {
    pub(crate) fn of(what: impl Into<String>, error: &KafkaError) -> Self {
        let (code, reason) = match error {
            KafkaError::ClientConfig(_, reason, name, _) => {
                // The value may be a password.
                return Self::Setting { name: name.clone(), reason: reason.clone() };
            }
            KafkaError::Transaction(error) => {
                if error.txn_requires_abort() && is_of_generation(error.code()) {
                    return Self::Stale { what: what.into(), reason: error.string() };
                }
                (Some(error.code()), error.string())
            }
            other => {
                let code = other.rdkafka_error_code();
                (code, code.map_or_else(|| other.to_string(), |code| code.to_string()))
            }
        };
        use RDKafkaErrorCode as Code;
        let is_fenced = matches!(code, Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch));
        let is_unknown = matches!(code, Some(Code::OperationTimedOut | Code::RequestTimedOut));
        Self::Kafka { what: what.into(), reason, is_fenced, is_unknown }
    }

    /// Adds what librdkafka said last.
    fn explained_by(mut self, said: &Said) -> Self {
        if let Self::Kafka { reason, .. } = &mut self {
            *reason = said.explain(std::mem::take(reason));
        }
        self
    }
}

/// The property that makes a member static.
const STATIC_NAME: &str = "group.instance.id";

impl KafkaSettings {
    /// Returns the settings of one of the workers of this process, whose numbers begin with 0. The first has the process's
    /// own name, so that a process finds its transactions and its place in the group whether it has other workers or not;
    /// the others add their numbers to it. A colon is in no name of an instance, but Kafka takes none in the name of a
    /// static member.
    #[must_use]
    pub fn of_worker(&self, number: usize) -> Self {
        let mut settings = self.clone();
        if number > 0 {
            settings.instance = format!("{}:w{}", self.instance, number + 1);
            for (name, value) in &mut settings.properties {
                if name == STATIC_NAME {
                    value.push_str(&format!("-w{}", number + 1));
                }
            }
        }
        settings
    }

    /// Returns what this process is called: by its clients' names, and as the owner of its shards, so that it can be
    /// told of an owner whether it is still in the group.
    #[must_use]
    pub fn owner(&self) -> String {
        format!("{}-{}", self.group, self.instance)
    }

    /// Returns the configured name of the process, of whichever of its workers these settings are.
    #[must_use]
    pub fn process(&self) -> &str {
        self.instance.split_once(':').map_or(&*self.instance, |(process, _)| process)
    }

    /// Returns the transactional ids of an owner, which it uses in turns. A colon is in no name of an instance.
    #[must_use]
    pub fn transactional_ids(owner: &str) -> [String; 2] {
        [owner.to_owned(), format!("{owner}:2")]
    }
}

impl Failure {
    /// Returns why, without what was to be done.
    #[must_use]
    pub fn reason(self) -> String {
        match self {
            Self::Setting { reason, .. } | Self::Kafka { reason, .. } | Self::Stale { reason, .. } => reason,
            Self::Silent { waited, .. } => format!("no answer within {waited:?}"),
        }
    }

    /// Tells whether another process took over the name of this one.
    #[must_use]
    pub const fn is_fenced(&self) -> bool {
        matches!(self, Self::Kafka { is_fenced: true, .. })
    }

    /// Tells whether it is open what became of what was asked for.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Kafka { is_unknown: true, .. } | Self::Silent { .. })
    }
}

/// Reads settings of librdkafka, one `key=value` a line; blank lines and those that begin with `#` say
/// nothing.
///
/// # Errors
/// The number of a line that is neither; the line may hold a password and is not told.
pub fn read_properties(text: &str) -> Result<Vec<(String, String)>, usize> {
    let is_setting = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    let lines = text.lines().enumerate().filter(|(_, line)| is_setting(line));
    lines.map(|(index, line)| pair(line).ok_or(index + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_a_process_have_names_of_their_own() {
        let names = |name: &str| Topics {
            operations: name.into(),
            decisions: name.into(),
            rejected: name.into(),
            state: name.into(),
        };
        let settings = KafkaSettings {
            brokers: "b:9092".into(),
            group: "kuzet".into(),
            instance: "a".into(),
            topics: names("t"),
            transaction_timeout: Duration::from_secs(30),
            properties: vec![(STATIC_NAME.into(), "a".into()), ("sasl.username".into(), "a".into())],
        };
        let (first, second) = (settings.of_worker(0), settings.of_worker(1));
        assert_eq!((first.owner(), second.owner()), ("kuzet-a".into(), "kuzet-a:w2".into()));
        let values = |settings: &KafkaSettings| settings.properties.iter().map(|(_, v)| v.clone()).collect::<Vec<_>>();
        assert_eq!((values(&first), values(&second)), (vec!["a".into(), "a".into()], vec!["a-w2".into(), "a".into()]));
        assert_eq!((first.process(), second.process()), ("a", "a"));
        // Nobody takes the id of another for its own.
        let ids = [first.owner(), second.owner()].map(|owner| KafkaSettings::transactional_ids(&owner)).concat();
        assert_eq!(ids, ["kuzet-a", "kuzet-a:2", "kuzet-a:w2", "kuzet-a:w2:2"]);
    }

    #[test]
    fn properties_are_lines_of_key_and_value() {
        let text = "# a comment\n\n sasl.username = kuzet \nsasl.password=a=b\n";
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read_properties(text), Ok(vec![pair("sasl.username", "kuzet"), pair("sasl.password", "a=b")]));
        assert_eq!(read_properties("a=b\nsecret\n"), Err(2));
    }
}
