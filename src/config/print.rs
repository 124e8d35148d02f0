//! The effective configuration as TOML, each value with where it came from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::findings::Place;
use super::keys::{KEYS, Key};
use super::secrets::url_without_password;
use super::token::{Role, TokenConfig};
use super::value::{duration_text, size_text};
use super::{Config, EngineConfig, HttpConfig, KafkaConfig, StoreConfig};
use crate::rules::diagnostic::render::line_and_column;

/// Where the values of a configuration came from. Two configurations that say the same are equal,
/// wherever their values stood; so all origins are.
#[derive(Clone, Default)]
pub(super) struct Origins {
    path: String,
    text: String,
    /// By key; the others are defaults.
    keys: BTreeMap<&'static str, String>,
    tokens: Vec<String>,
}

/// Leaves out the file's text, which may hold a password.
impl std::fmt::Debug for Origins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origins").field("path", &self.path).field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origins {}

impl Origins {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), ..Self::default() }
    }

    pub(super) fn add(&mut self, path: &'static str, place: &Place) {
        self.keys.insert(path, self.name(place));
    }

    pub(super) fn add_token(&mut self, place: &Place) {
        self.tokens.push(self.name(place));
    }

    fn name(&self, place: &Place) -> String {
        match place {
            Place::File(span) => format!("{}:{}", self.path, line_and_column(&self.text, span.start).0),
            Place::Variable(name) => name.clone(),
        }
    }

    /// Counts the keys that came from the file, and those from variables.
    pub(super) fn counts(&self) -> (usize, usize) {
        let of_variables =
            self.keys.iter().filter(|(path, origin)| Key::find(path).is_some_and(|key| key.variable() == **origin));
        let of_variables = of_variables.count();
        (self.keys.len() - of_variables, of_variables)
    }
}

/// Writes the configuration; `kuzet.toml` with this text means the same, but for hashes, which are shortened.
pub(super) fn print(config: &Config) -> String {
    let mut out = String::new();
    let mut section = "";
    for (key, value) in KEYS.iter().zip(texts(config)) {
        if key.section() != section {
            section = key.section();
            push(&mut out, format_args!("\n[{section}]\n"));
        }
        let origin = config.origins.keys.get(key.path).map_or("default", String::as_str);
        match value {
            Some(value) => push(&mut out, format_args!("{} = {value} # {origin}\n", key.name())),
            None => push(&mut out, format_args!("# {} is not set # {origin}\n", key.name())),
        }
    }
    for (index, token) in config.tokens.iter().enumerate() {
        let origin = config.origins.tokens.get(index).map_or("default", String::as_str);
        push(&mut out, format_args!("\n[[token]] # {origin}\n{}", token_lines(token, &token.hash.short())));
    }
    out
}

/// Writes a block for the file: `[[token]]` and its keys.
pub(super) fn token_block(token: &TokenConfig) -> String {
    format!("[[token]]\n{}", token_lines(token, &token.hash.to_string()))
}

fn token_lines(token: &TokenConfig, hash: &str) -> String {
    let roles: Vec<String> = token.roles.iter().map(|role: &Role| quoted(role.name())).collect();
    format!("name = {}\nhash = {}\nroles = [{}]\n", quoted(&token.name), quoted(hash), roles.join(", "))
}

/// Lists the values as TOML, in the order of [`KEYS`].
fn texts(config: &Config) -> Vec<Option<String>> {
    let path = |path: &Path| quoted(&path.to_string_lossy());
    let folder = |folder: &Option<std::path::PathBuf>| folder.as_deref().map(path);
    let mut texts = vec![
        Some(quoted(config.source.name())),
        folder(&config.rules.folder),
        Some(config.rules.watch.to_string()),
        Some(config.rules.allow_empty.to_string()),
        Some(quoted(&size_text(config.rules.budget))),
        Some(config.limits.shared_keys_max.to_string()),
        Some(quoted(&size_text(config.limits.shared_window_bytes_max))),
        folder(&config.geoip.folder),
        Some(config.geoip.watch.to_string()),
        config.geoip.update_every.map(|every| quoted(&duration_text(every))),
        config.geoip.sources.as_deref().map(path),
    ];
    texts.extend(store(&config.store).map(Some));
    texts.extend(kafka(&config.kafka));
    let redis = &config.redis;
    texts.push(redis.url.as_deref().map(|url| quoted(&url_without_password(url))));
    texts.push(Some(quoted(&duration_text(redis.timeout))));
    texts.push(Some(redis.cluster.to_string()));
    texts.push(redis.ca.as_deref().map(path));
    texts.push(Some(redis.pending_changes_max.to_string()));
    texts.push(Some(quoted(&duration_text(redis.lists_every))));
    texts.extend(engine(&config.engine).map(Some));
    texts.extend(http(&config.http).map(Some));
    let tls = config.http.tls.as_ref();
    texts.extend([tls.map(|tls| path(&tls.certificate)), tls.map(|tls| path(&tls.key))]);
    texts.extend([Some(quoted(config.log.format.name())), Some(quoted(config.log.level.name()))]);
    texts
}

fn store(store: &StoreConfig) -> [String; 6] {
    [
        quoted(&store.path.to_string_lossy()),
        quoted(&duration_text(store.retention_decisions)),
        quoted(&duration_text(store.retention_operations)),
        quoted(&duration_text(store.retention_rejected)),
        store.batch_max.to_string(),
        quoted(&size_text(store.cache_bytes)),
    ]
}

fn kafka(kafka: &KafkaConfig) -> [Option<String>; 15] {
    let text = |text: &Option<String>| text.as_deref().map(quoted);
    [
        text(&kafka.brokers),
        Some(quoted(&kafka.group)),
        text(&kafka.instance),
        Some(quoted(kafka.partitioner.name())),
        kafka.workers.map(|workers| workers.to_string()),
        Some(kafka.batch_max.to_string()),
        Some(quoted(&duration_text(kafka.batch_linger))),
        Some(kafka.cloudevents.to_string()),
        Some(quoted(&size_text(kafka.journal_bytes_min))),
        Some(quoted(&duration_text(kafka.transaction_timeout))),
        kafka.properties_file.as_deref().map(|path| quoted(&path.to_string_lossy())),
        Some(quoted(&kafka.operations)),
        Some(quoted(&kafka.decisions)),
        Some(quoted(&kafka.rejected)),
        Some(quoted(&kafka.state)),
    ]
}

fn engine(engine: &EngineConfig) -> [String; 4] {
    [
        quoted(&duration_text(engine.lateness)),
        quoted(&duration_text(engine.duplicate_horizon)),
        quoted(&duration_text(engine.max_future_skew)),
        engine.waiting_max.to_string(),
    ]
}

fn http(http: &HttpConfig) -> [String; 11] {
    [
        quoted(&http.listen.to_string()),
        quoted(&size_text(http.max_body)),
        quoted(&size_text(http.bodies_max)),
        quoted(&duration_text(http.request_timeout)),
        quoted(&duration_text(http.head_timeout)),
        quoted(&duration_text(http.keep_alive)),
        http.connections_max.to_string(),
        http.connections_per_address.to_string(),
        http.rate_per_second.to_string(),
        quoted(&duration_text(http.shutdown_grace)),
        http.insecure_plain_text.to_string(),
    ]
}

/// Quotes a text the way TOML reads it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => push(&mut out, format_args!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    out.write_fmt(text).unwrap_or_default();
}
