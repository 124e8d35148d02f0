//! Every key of `kuzet.toml`: its kind, its limits, its default and what it is for.
//!
//! Reading, printing and the JSON Schema all go by this table. The blocks `[[token]]` are not in it:
//! there may be any number of them, see `tokens`.

use std::time::Duration;

use super::{LogFormat, LogLevel, Source};
use crate::operation::decode::RECORD_BYTES_MAX;
use crate::operation::partition::Partitioner;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const MIB: u64 = 1 << 20;

/// What every variable that overrides a key begins with.
pub(crate) const VARIABLE_PREFIX: &str = "KUZET_";
/// What variables that only tests read begin with.
pub(crate) const TEST_PREFIX: &str = "KUZET_TEST_";

/// One key of the file.
#[derive(Debug)]
pub(crate) struct Key {
    /// Sections and name with points between: `http.tls.key`.
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// The default as it would stand in a variable; `None` where nothing is set.
    pub(crate) default: Option<&'static str>,
    pub(crate) about: &'static str,
}

/// What a key holds.
#[derive(Debug)]
pub(crate) enum Kind {
    Bool,
    Count {
        min: u64,
        max: u64,
    },
    Bytes {
        min: u64,
        max: u64,
    },
    Duration {
        min: Duration,
        max: Duration,
    },
    Address,
    Path,
    Word(&'static [&'static str]),
    /// A name as Kafka accepts it for topics and groups.
    Name,
    /// Hosts with ports, separated by commas.
    Hosts,
    /// A URL that may hold a password, which is never shown.
    Url,
}

impl Key {
    /// Returns the section the key stands in: `http.tls`, or an empty text for the top of the file.
    pub(crate) fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Returns the key's name in its section.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// Returns the variable that overrides the key.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.path.replace('.', "_").to_uppercase())
    }

    /// Finds a key by its path.
    pub(crate) fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }
}

/// Lists the sections in the order of the file, without the top.
pub(crate) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> = KEYS.iter().map(Key::section).filter(|section| !section.is_empty()).collect();
    sections.dedup();
    sections
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default: Some(default), about }
}

const fn optional(path: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { path, kind, default: None, about }
}

const fn duration(min: u64, max: u64) -> Kind {
    Kind::Duration { min: Duration::from_secs(min), max: Duration::from_secs(max) }
}

/// All keys in the order in which they are printed.
pub(crate) const KEYS: &[Key] = &[
    key("source", Kind::Word(Source::NAMES), "http", "Where operations come from"),
    optional("rules.folder", Kind::Path, "Folder of rules; ./rules or the built-in rules when not set"),
    key("rules.watch", Kind::Bool, "true", "Load the rules again when the folder changes"),
    key("rules.allow_empty", Kind::Bool, "false", "Start even if the folder holds no rule: everything is allowed then"),
    key(
        "rules.budget",
        Kind::Bytes { min: 1 << 10, max: MIB },
        "32KiB",
        "Most bytes of state that the rules may keep of one operation; a set that would keep more is refused",
    ),
    key(
        "limits.shared_keys_max",
        Kind::Count { min: 1_000, max: 1_000_000_000 },
        "5000000",
        "Most keys (devices, addresses, accounts) of windows that wallets share, about 600 bytes each; of each window in Redis",
    ),
    key(
        "limits.shared_window_bytes_max",
        Kind::Bytes { min: MIB, max: MIB << 20 },
        "256MiB",
        "Bytes in Redis, as they are estimated, beyond which a window that wallets share takes in no more keys",
    ),
    optional("geoip.folder", Kind::Path, "Folder of geo databases; ./geoip or the built-in ones when not set"),
    key("geoip.watch", Kind::Bool, "true", "Load the geo databases again when the folder changes"),
    optional(
        "geoip.update_every",
        duration(1, 366 * DAY),
        "How often the anonymizer database is made anew from its sources; never when not set",
    ),
    optional("geoip.sources", Kind::Path, "File of these sources; sources.toml in the geo folder when not set"),
    key("store.path", Kind::Path, "./kuzet-data", "Folder of the store"),
    key("store.retention_decisions", duration(DAY, 36_525 * DAY), "1826d", "How long decisions are kept"),
    key("store.retention_operations", duration(DAY, 36_525 * DAY), "90d", "How long operations are kept"),
    key("store.retention_rejected", duration(DAY, 36_525 * DAY), "90d", "How long refused records are kept"),
    key("store.batch_max", Kind::Count { min: 1, max: 65_536 }, "8192", "Most operations committed at once"),
    key("store.cache_bytes", Kind::Bytes { min: MIB, max: MIB << 20 }, "256MiB", "Memory for the store's cache"),
    optional("kafka.brokers", Kind::Hosts, "Kafka brokers to begin with, as host:port, separated by commas"),
    key("kafka.group", Kind::Name, "kuzet", "Consumer group, the same for all instances of a fleet"),
    optional("kafka.instance", Kind::Name, "Name of this instance, no other's; it stays the same when it starts again"),
    key(
        "kafka.partitioner",
        Kind::Word(Partitioner::NAMES),
        "murmur2",
        "How producers choose the partition of a wallet; unchecked takes records wherever they lie",
    ),
    optional(
        "kafka.workers",
        Kind::Count { min: 1, max: 64 },
        "Members of the group in this process, each with shards of its own; as many as processors, at most 4, unless set",
    ),
    key("kafka.batch_max", Kind::Count { min: 1, max: 65_536 }, "5000", "Most operations in one transaction"),
    key(
        "kafka.batch_linger",
        Kind::Duration { min: Duration::ZERO, max: Duration::from_secs(1) },
        "0ms",
        "How long a transaction waits for more operations after its first; while one is on its way the next grows",
    ),
    key(
        "kafka.cloudevents",
        Kind::Bool,
        "true",
        "Whether decisions carry the headers of CloudEvents beside kuzet's own: about 250 bytes each before compression",
    ),
    key(
        "kafka.journal_bytes_min",
        Kind::Bytes { min: 1 << 10, max: 1024 * MIB },
        "8MiB",
        "Least changes of a shard after which its state is written anew; a restart reads up to about twice as many",
    ),
    key(
        "kafka.transaction_timeout",
        duration(1, 15 * MINUTE),
        "30s",
        "Kafka aborts a transaction that is not ended for this long",
    ),
    optional("kafka.properties_file", Kind::Path, "File of settings of librdkafka, key=value a line, for SASL and TLS"),
    key("kafka.topics.operations", Kind::Name, "wallet.operations", "Topic of operations"),
    key("kafka.topics.decisions", Kind::Name, "wallet.decisions", "Topic of decisions"),
    key("kafka.topics.rejected", Kind::Name, "wallet.operations.rejected", "Topic of refused records"),
    key("kafka.topics.state", Kind::Name, "kuzet.state", "Compacted topic of the state"),
    optional("redis.url", Kind::Url, "Redis for what a fleet shares; without it rules that need it follow on_missing"),
    key(
        "redis.timeout",
        Kind::Duration { min: Duration::from_millis(1), max: Duration::from_secs(60) },
        "500ms",
        "The longest wait for Redis",
    ),
    key(
        "redis.cluster",
        Kind::Bool,
        "false",
        "The URL names a node of a Redis Cluster; the others are learned from it",
    ),
    optional("redis.ca", Kind::Path, "Certificates in PEM that the one of Redis must come from; for rediss://"),
    key(
        "redis.pending_changes_max",
        Kind::Count { min: 1, max: 100_000_000 },
        "500000",
        "Most changes kept for a Redis that is away; beyond it shared windows fill anew when it is back",
    ),
    key("redis.lists_every", duration(1, DAY), "30s", "How often it is looked whether a list in Redis has changed"),
    key("engine.lateness", duration(0, 30 * DAY), "10m", "How late an operation may come and still count in windows"),
    key("engine.duplicate_horizon", duration(0, 366 * DAY), "24h", "How long the ids of operations are remembered"),
    key(
        "engine.max_future_skew",
        duration(0, DAY),
        "5m",
        "How far ahead of its arrival an operation may have occurred",
    ),
    key("engine.waiting_max", Kind::Count { min: 1, max: 1_000_000 }, "1000", "Most waiting operations of one wallet"),
    key("http.listen", Kind::Address, "127.0.0.1:8480", "Address and port of the HTTP service"),
    key(
        "http.max_body",
        Kind::Bytes { min: RECORD_BYTES_MAX as u64, max: 1024 * MIB },
        "4MiB",
        "Largest body of a request; at least one operation fits into it",
    ),
    key(
        "http.bodies_max",
        Kind::Bytes { min: RECORD_BYTES_MAX as u64, max: 1024 * 1024 * MIB },
        "64MiB",
        "Memory for the bodies of all requests in hand; one client address has at most half of it",
    ),
    key(
        "http.request_timeout",
        Kind::Duration { min: Duration::from_millis(10), max: Duration::from_secs(HOUR) },
        "30s",
        "Time in which a request must be answered",
    ),
    key(
        "http.head_timeout",
        Kind::Duration { min: Duration::from_millis(10), max: Duration::from_secs(HOUR) },
        "10s",
        "Time in which a new connection must have sent its first request, and any request its head",
    ),
    key(
        "http.keep_alive",
        Kind::Duration { min: Duration::from_millis(10), max: Duration::from_secs(DAY) },
        "75s",
        "How long a connection is kept without a request; longer than a balancer keeps it",
    ),
    key(
        "http.connections_max",
        Kind::Count { min: 1, max: 1_000_000 },
        "1024",
        "Most connections at once; an eighth of them is for the ledger and /healthz",
    ),
    key(
        "http.connections_per_address",
        Kind::Count { min: 1, max: 1_000_000 },
        "512",
        "Most connections of one client address, or of one /64 network in IPv6",
    ),
    key(
        "http.rate_per_second",
        Kind::Count { min: 0, max: 1_000_000_000 },
        "0",
        "Most requests per second of one client address; 0 is no limit",
    ),
    key("http.shutdown_grace", duration(0, HOUR), "5s", "Time that open requests are given at the end"),
    key(
        "http.insecure_plain_text",
        Kind::Bool,
        "false",
        "Answer without TLS to other machines too: tokens and operations can be read on the way",
    ),
    optional("http.tls.certificate", Kind::Path, "Certificate chain in PEM; with http.tls.key"),
    optional("http.tls.key", Kind::Path, "Private key in PEM; with http.tls.certificate"),
    key("log.format", Kind::Word(LogFormat::NAMES), "text", "How log lines are written"),
    key("log.level", Kind::Word(LogLevel::NAMES), "info", "The least important log lines that are written"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::value::read_text;
    use super::*;

    #[test]
    fn every_default_is_accepted() {
        for key in KEYS {
            if let Some(default) = key.default {
                assert!(read_text(&key.kind, default).is_ok(), "{}", key.path);
            }
        }
    }

    #[test]
    fn sections_stand_together_and_variables_differ() {
        let sections = sections();
        assert_eq!(
            sections,
            [
                "rules",
                "limits",
                "geoip",
                "store",
                "kafka",
                "kafka.topics",
                "redis",
                "engine",
                "http",
                "http.tls",
                "log"
            ]
        );
        let variables: BTreeSet<String> = KEYS.iter().map(Key::variable).collect();
        assert_eq!(variables.len(), KEYS.len());
        assert!(variables.contains("KUZET_HTTP_TLS_CERTIFICATE"));
        assert!(!variables.iter().any(|name| name.starts_with(TEST_PREFIX)));
    }
}
