//! The configuration of `kuzet serve`: `kuzet.toml` and the variables that override it.
//!
//! A text becomes a [`Config`] that holds, or all its errors at once, each with its place. A variable
//! `KUZET_<SECTION>_<KEY>` overrides the key: `KUZET_HTTP_LISTEN` stands for `listen` in `[http]`.
//! Relative paths begin in the folder kuzet is started in, wherever the file lies. The environment is
//! an argument: nothing here reads it. No secret is in a configuration: of tokens it holds hashes.
//!
//! The walk: `raw` (keys and values with places) → `check` (types, limits, rules across keys) by the
//! table in `keys`.

mod check;
mod findings;
pub(crate) mod keys;
mod print;
mod raw;
mod secrets;
mod token;
pub(crate) mod value;

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use findings::{Code, ConfigErrors};
pub use token::{HASH_PREFIX, Role, TOKEN_BYTES, TOKEN_PREFIX, TokenConfig, TokenHash, token_of};

use crate::operation::partition::Partitioner;
use crate::operation::words;
use findings::{Findings, Place};
use print::Origins;
use raw::RawConfig;

/// The file that is read when none is named.
pub const FILE_NAME: &str = "kuzet.toml";

words! {
    /// Where operations come from.
    Source { Http = "http", Kafka = "kafka" }
}
words! {
    /// How log lines are written.
    LogFormat { Text = "text", Json = "json" }
}
words! {
    /// How important log lines are, the most important first.
    LogLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug" }
}

/// A configuration that holds. Where its values came from does not make two of them differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub source: Source,
    pub rules: RulesConfig,
    pub limits: LimitsConfig,
    pub geoip: GeoipConfig,
    pub store: StoreConfig,
    pub kafka: KafkaConfig,
    pub redis: RedisConfig,
    pub engine: EngineConfig,
    pub http: HttpConfig,
    /// Not empty, unless `http.listen` is a loopback address.
    pub tokens: Vec<TokenConfig>,
    pub log: LogConfig,
    /// Variables that look like kuzet's and are not: Kubernetes sets them for a service named `kuzet`.
    pub ignored_variables: Vec<String>,
    origins: Origins,
}

/// `[rules]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesConfig {
    pub folder: Option<PathBuf>,
    pub watch: bool,
    /// Start without any rule: everything is allowed.
    pub allow_empty: bool,
    /// Bytes of state that an operation may leave.
    pub budget: u64,
}

/// `[limits]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Keys of windows that wallets share: devices, addresses, accounts. Of a fleet, those of each window.
    pub shared_keys_max: u64,
    /// Bytes of a window in Redis beyond which it takes in no more keys.
    pub shared_window_bytes_max: u64,
}

/// `[geoip]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeoipConfig {
    /// `None`: beside the user, else embedded.
    pub folder: Option<PathBuf>,
    pub watch: bool,
    /// How often the anonymizer database is made anew; `None`: never.
    pub update_every: Option<Duration>,
    /// `None`: `sources.toml` in the geo folder.
    pub sources: Option<PathBuf>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    pub path: PathBuf,
    pub retention_decisions: Duration,
    pub retention_operations: Duration,
    pub retention_rejected: Duration,
    /// From 1 to 65,536.
    pub batch_max: u64,
    pub cache_bytes: u64,
}

/// `[kafka]` and `[kafka.topics]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Set when the source is Kafka; so is `instance`.
    pub brokers: Option<String>,
    pub group: String,
    pub instance: Option<String>,
    pub partitioner: Partitioner,
    /// From 1 to 64; where it is not set, it follows the number of processors.
    pub workers: Option<u64>,
    /// From 1 to 65,536.
    pub batch_max: u64,
    pub batch_linger: Duration,
    pub cloudevents: bool,
    pub journal_bytes_min: u64,
    pub transaction_timeout: Duration,
    pub properties_file: Option<PathBuf>,
    pub operations: String,
    pub decisions: String,
    pub rejected: String,
    pub state: String,
}

/// `[redis]`
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// May hold a password.
    pub url: Option<String>,
    pub timeout: Duration,
    /// The URL names a node of a cluster.
    pub cluster: bool,
    pub ca: Option<PathBuf>,
    pub pending_changes_max: u64,
    /// How often lists are looked at.
    pub lists_every: Duration,
}

/// Leaves out the URL, which may hold a password.
impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url: _, timeout, cluster, ca, pending_changes_max, lists_every } = self;
        let mut shown = f.debug_struct("RedisConfig");
        shown.field("timeout", timeout).field("cluster", cluster).field("ca", ca);
        shown.field("pending_changes_max", pending_changes_max).field("lists_every", lists_every);
        shown.finish_non_exhaustive()
    }
}

/// `[engine]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    pub lateness: Duration,
    /// At least as long as `lateness`.
    pub duplicate_horizon: Duration,
    pub max_future_skew: Duration,
    pub waiting_max: u64,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    pub listen: SocketAddr,
    /// In bytes; at least one operation fits into it.
    pub max_body: u64,
    /// In bytes; at least two of `max_body` fit, whatever this says.
    pub bodies_max: u64,
    pub request_timeout: Duration,
    /// For the head of a request, and for the first one from the moment of the connection.
    pub head_timeout: Duration,
    /// Between two requests of a connection.
    pub keep_alive: Duration,
    /// An eighth of them is for the ledger and `/healthz`.
    pub connections_max: u64,
    pub connections_per_address: u64,
    /// Per client address; 0 is no limit.
    pub rate_per_second: u64,
    pub shutdown_grace: Duration,
    /// Other machines may be answered without TLS.
    pub insecure_plain_text: bool,
    pub tls: Option<TlsConfig>,
}

/// `[http.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    pub format: LogFormat,
    pub level: LogLevel,
}

/// Reads the text of a configuration. `path_name` is how the file is shown; of `env` only what begins
/// with `KUZET_` counts, without `KUZET_TEST_`.
///
/// # Errors
/// Everything that is wrong with the text and the variables.
pub fn parse(
    path_name: &str,
    text: &str,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigErrors> {
    let mut findings = Findings::new(path_name, text);
    let raw = raw::read(text, env, &mut findings);
    let config = check::check(&raw, path_name, text, &mut findings);
    if findings.is_empty() { Ok(config) } else { Err(findings.into_errors()) }
}

/// Reads the file, or `kuzet.toml` in the current folder when none is named; that one may be missing,
/// and is then empty.
///
/// # Errors
/// The file cannot be read, or everything that is wrong with it and the variables.
pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Config, ConfigErrors> {
    let path = file.unwrap_or(Path::new(FILE_NAME));
    let name = path.display().to_string();
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && file.is_none() => Vec::new(),
        read => read.map_err(|error| ConfigErrors::unreadable(&name, &error))?,
    };
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(&name, &error))?;
    parse(&name, &text, env)
}

/// Returns the file that [`load`] reads; none where it was not named and is not there.
#[must_use]
pub fn file_name(file: Option<&Path>) -> Option<&Path> {
    file.or_else(|| Some(Path::new(FILE_NAME)).filter(|path| path.exists()))
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> ConfigErrors {
    let mut findings = Findings::new(name, &String::from_utf8_lossy(error.as_bytes()));
    let at = error.utf8_error().valid_up_to();
    findings
        .error(Code::NotUtf8, &Place::File(at..at), "the file is not UTF-8")
        .label("the first byte that is not")
        .help("save the file as UTF-8");
    findings.into_errors()
}

/// Tells whether a text can be the name of a token.
#[must_use]
pub fn is_token_name(text: &str) -> bool {
    check::is_token_name(text)
}

/// Writes the `[[token]]` block for the file.
#[must_use]
pub fn token_block(token: &TokenConfig) -> String {
    print::token_block(token)
}

impl Default for Config {
    /// Makes the configuration of an empty file.
    fn default() -> Self {
        check::check(&RawConfig::default(), FILE_NAME, "", &mut Findings::new(FILE_NAME, ""))
    }
}

impl Config {
    /// Writes the effective configuration as TOML, each value with where it came from: `# default`,
    /// `# kuzet.toml:3`, `# KUZET_HTTP_LISTEN`. Hashes of tokens are shortened.
    #[must_use]
    pub fn print(&self) -> String {
        print::print(self)
    }

    /// Lists what can be used and is hardly meant, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.ignored_variables.is_empty() {
            let names = self.ignored_variables.join(", ");
            warnings.push(format!(
                "variables that Kubernetes sets for a service named kuzet stand for no key and are ignored: {names}"
            ));
        }
        let EngineConfig { lateness, max_future_skew, .. } = &self.engine;
        if max_future_skew > lateness {
            warnings.push(format!(
                "engine.max_future_skew is longer than engine.lateness ({} against {}): one operation with a clock \
                 that far ahead makes all later ones of its wallet late",
                value::duration_text(*max_future_skew),
                value::duration_text(*lateness)
            ));
        }
        warnings
    }

    /// Counts the keys set in the file, and those set by variables.
    #[must_use]
    pub fn origin_counts(&self) -> (usize, usize) {
        self.origins.counts()
    }

    /// Finds whose token this is.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Option<&TokenConfig> {
        let hash = TokenHash::of(token);
        self.tokens.iter().find(|known| known.hash == hash)
    }
}
