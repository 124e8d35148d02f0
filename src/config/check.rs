//! From values with places to a configuration that holds: limits of each key, and rules across keys.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::findings::{Code, Findings, Place, Wrong};
use super::keys::KEYS;
use super::print::Origins;
use super::raw::{RawConfig, RawToken};
use super::token::{HASH_PREFIX, Role, TOKEN_PREFIX, TokenConfig, TokenHash};
use super::value::{RawValue, Setting, duration_text, read, read_text};
use super::{
    Config, EngineConfig, GeoipConfig, HttpConfig, KafkaConfig, LimitsConfig, LogConfig, LogFormat, LogLevel,
    RedisConfig, RulesConfig, Source, StoreConfig, TlsConfig,
};
use crate::operation::partition::Partitioner;
use crate::rules::diagnostic::nearest_name;

const TOKEN_NAME_CHARS_MAX: usize = 64;

/// The values of all keys, each checked by itself.
struct Settings {
    values: BTreeMap<&'static str, Setting>,
    /// Where those stand that are no defaults.
    places: BTreeMap<&'static str, Place>,
}

impl Settings {
    /// Takes the last good value of each key, or its default.
    fn read(raw: &RawConfig, findings: &mut Findings) -> Self {
        let mut settings = Self { values: BTreeMap::new(), places: BTreeMap::new() };
        for key in KEYS {
            if let Some(Ok(default)) = key.default.map(|text| read_text(&key.kind, text)) {
                settings.values.insert(key.path, default);
            }
            for (value, place) in raw.values.get(key.path).into_iter().flatten() {
                match read(&key.kind, value) {
                    Ok(setting) => {
                        settings.values.insert(key.path, setting);
                        settings.places.insert(key.path, place.clone());
                    }
                    Err(wrong) => findings.wrong(key.path, place, wrong),
                }
            }
        }
        settings
    }

    // The kinds are those of the table, which a test holds against the fields: what follows `_` is never met.

    fn flag(&self, path: &str) -> bool {
        matches!(self.values.get(path), Some(Setting::Bool(true)))
    }

    fn number(&self, path: &str) -> u64 {
        self.number_if_set(path).unwrap_or(0)
    }

    fn number_if_set(&self, path: &str) -> Option<u64> {
        match self.values.get(path) {
            Some(Setting::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn duration(&self, path: &str) -> Duration {
        self.duration_if_set(path).unwrap_or(Duration::ZERO)
    }

    fn duration_if_set(&self, path: &str) -> Option<Duration> {
        match self.values.get(path) {
            Some(Setting::Duration(length)) => Some(*length),
            _ => None,
        }
    }

    fn path(&self, path: &str) -> Option<PathBuf> {
        match self.values.get(path) {
            Some(Setting::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.values.get(path) {
            Some(Setting::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn word<W>(&self, path: &str, from_name: fn(&str) -> Option<W>, otherwise: W) -> W {
        match self.values.get(path) {
            Some(Setting::Word(word)) => from_name(word).unwrap_or(otherwise),
            _ => otherwise,
        }
    }

    fn address(&self, path: &str) -> SocketAddr {
        match self.values.get(path) {
            Some(Setting::Address(address)) => *address,
            _ => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

/// Makes the configuration; what is wrong is in `findings`, and a default stands in its place.
pub(super) fn check(raw: &RawConfig, path_name: &str, text: &str, findings: &mut Findings) -> Config {
    let settings = Settings::read(raw, findings);
    let tokens = tokens(&raw.tokens, findings);
    // Where the syntax is wrong, what seems to be missing may only be unread.
    if !findings.has_bad_toml() {
        check_source(raw, &settings, findings);
        check_listen(raw, &settings, findings);
        check_tls(raw, &settings, findings);
        check_horizon(&settings, findings);
    }
    let mut origins = Origins::new(path_name, text);
    settings.places.iter().for_each(|(path, place)| origins.add(path, place));
    raw.tokens.iter().for_each(|token| origins.add_token(&token.place));
    Config { ignored_variables: raw.ignored.clone(), ..config(&settings, tokens, origins) }
}

/// Reads `[kafka]` and `[kafka.topics]`.
fn kafka(settings: &Settings) -> KafkaConfig {
    KafkaConfig {
        brokers: settings.text("kafka.brokers"),
        group: settings.text("kafka.group").unwrap_or_default(),
        instance: settings.text("kafka.instance"),
        partitioner: settings.word("kafka.partitioner", Partitioner::from_name, Partitioner::Murmur2),
        workers: settings.number_if_set("kafka.workers"),
        batch_max: settings.number("kafka.batch_max"),
        batch_linger: settings.duration("kafka.batch_linger"),
        cloudevents: settings.flag("kafka.cloudevents"),
        journal_bytes_min: settings.number("kafka.journal_bytes_min"),
        transaction_timeout: settings.duration("kafka.transaction_timeout"),
        properties_file: settings.path("kafka.properties_file"),
        operations: settings.text("kafka.topics.operations").unwrap_or_default(),
        decisions: settings.text("kafka.topics.decisions").unwrap_or_default(),
        rejected: settings.text("kafka.topics.rejected").unwrap_or_default(),
        state: settings.text("kafka.topics.state").unwrap_or_default(),
    }
}

fn config(settings: &Settings, tokens: Vec<TokenConfig>, origins: Origins) -> Config {
    let certificate = settings.path("http.tls.certificate");
    Config {
        source: settings.word("source", Source::from_name, Source::Http),
        rules: RulesConfig {
            folder: settings.path("rules.folder"),
            watch: settings.flag("rules.watch"),
            allow_empty: settings.flag("rules.allow_empty"),
            budget: settings.number("rules.budget"),
        },
        limits: LimitsConfig {
            shared_keys_max: settings.number("limits.shared_keys_max"),
            shared_window_bytes_max: settings.number("limits.shared_window_bytes_max"),
        },
        geoip: GeoipConfig {
            folder: settings.path("geoip.folder"),
            watch: settings.flag("geoip.watch"),
            update_every: settings.duration_if_set("geoip.update_every"),
            sources: settings.path("geoip.sources"),
        },
        store: StoreConfig {
            path: settings.path("store.path").unwrap_or_default(),
            retention_decisions: settings.duration("store.retention_decisions"),
            retention_operations: settings.duration("store.retention_operations"),
            retention_rejected: settings.duration("store.retention_rejected"),
            batch_max: settings.number("store.batch_max"),
            cache_bytes: settings.number("store.cache_bytes"),
        },
        kafka: kafka(settings),
        redis: RedisConfig {
            url: settings.text("redis.url"),
            timeout: settings.duration("redis.timeout"),
            cluster: settings.flag("redis.cluster"),
            ca: settings.path("redis.ca"),
            pending_changes_max: settings.number("redis.pending_changes_max"),
            lists_every: settings.duration("redis.lists_every"),
        },
        engine: EngineConfig {
            lateness: settings.duration("engine.lateness"),
            duplicate_horizon: settings.duration("engine.duplicate_horizon"),
            max_future_skew: settings.duration("engine.max_future_skew"),
            waiting_max: settings.number("engine.waiting_max"),
        },
        http: HttpConfig {
            listen: settings.address("http.listen"),
            max_body: settings.number("http.max_body"),
            bodies_max: settings.number("http.bodies_max"),
            request_timeout: settings.duration("http.request_timeout"),
            head_timeout: settings.duration("http.head_timeout"),
            keep_alive: settings.duration("http.keep_alive"),
            connections_max: settings.number("http.connections_max"),
            connections_per_address: settings.number("http.connections_per_address"),
            rate_per_second: settings.number("http.rate_per_second"),
            shutdown_grace: settings.duration("http.shutdown_grace"),
            insecure_plain_text: settings.flag("http.insecure_plain_text"),
            tls: certificate
                .zip(settings.path("http.tls.key"))
                .map(|(certificate, key)| TlsConfig { certificate, key }),
        },
        tokens,
        log: LogConfig {
            format: settings.word("log.format", LogFormat::from_name, LogFormat::Text),
            level: settings.word("log.level", LogLevel::from_name, LogLevel::Info),
        },
        ignored_variables: Vec::new(),
        origins,
    }
}

/// Holds a source to what it needs.
fn check_source(raw: &RawConfig, settings: &Settings, findings: &mut Findings) {
    let is_kafka = settings.values.get("source") == Some(&Setting::Word(Source::Kafka.name()));
    let (true, Some(place)) = (is_kafka, settings.places.get("source")) else { return };
    if !cfg!(feature = "kafka") {
        findings
            .error(Code::BadValue, place, "this kuzet is built without Kafka (feature `kafka`)")
            .label("found \"kafka\"")
            .help("accepted here: \"http\"");
        return;
    }
    if let (false, Some(place)) = (cfg!(feature = "redis"), settings.places.get("redis.url")) {
        findings
            .error(Code::BadValue, place, "this kuzet is built without Redis (feature `redis`)")
            .label("found a URL")
            .help("accepted here: no `url`; rules that need what a fleet shares follow their `on_missing`");
    }
    for (name, why) in [
        ("brokers", "they are hosts with ports, such as \"kafka-1:9092,kafka-2:9092\""),
        ("instance", "Kafka tells by it that a process which starts again is the same one, and refuses its last life"),
    ] {
        let path = format!("kafka.{name}");
        if !raw.values.contains_key(path.as_str()) {
            findings
                .error(Code::MissingKey, place, format!("the source \"kafka\" needs `{name}` in [kafka]"))
                .label("found \"kafka\"")
                .help(why);
        }
    }
}

/// Holds an address that other machines reach to tokens and TLS.
fn check_listen(raw: &RawConfig, settings: &Settings, findings: &mut Findings) {
    let listen = settings.address("http.listen");
    let Some(place) = settings.places.get("http.listen") else {
        return;
    };
    if listen.ip().to_canonical().is_loopback() {
        return;
    }
    if raw.tokens.is_empty() {
        findings
            .error(Code::NeedsTokens, place, "without tokens kuzet answers this machine only")
            .label(format!("found {listen}, which other machines may reach"))
            .help("anyone there could send operations and lift restrictions")
            .help("accepted: a loopback address such as \"127.0.0.1:8480\", or tokens (`kuzet config token --help`)");
    }
    let has_tls = raw.values.keys().any(|path| path.starts_with("http.tls."));
    if !has_tls && !settings.flag("http.insecure_plain_text") {
        findings
            .error(Code::NeedsTls, place, "an address that other machines may reach needs TLS")
            .label(format!("found {listen} without [http.tls]"))
            .help("tokens and operations could be read on the way")
            .help("accepted: `certificate` and `key` in [http.tls]")
            .help("behind a proxy that does TLS: `insecure_plain_text = true` in [http]");
    }
}

fn check_tls(raw: &RawConfig, settings: &Settings, findings: &mut Findings) {
    for (one, other) in [("certificate", "key"), ("key", "certificate")] {
        let path_of = |name: &str| format!("http.tls.{name}");
        let Some(place) = settings.places.get(path_of(one).as_str()) else {
            continue;
        };
        if !raw.values.contains_key(path_of(other).as_str()) {
            findings
                .error(Code::HalfOfTls, place, format!("`{one}` in [http.tls] stands without `{other}`"))
                .label("half of what TLS needs")
                .help(format!("accepted: `certificate` and `key`, or neither; add `{other}`"));
        }
    }
}

/// Holds the memory of ids to the lateness: what may still come must be known when it comes twice.
fn check_horizon(settings: &Settings, findings: &mut Findings) {
    let (horizon, lateness) = (settings.duration("engine.duplicate_horizon"), settings.duration("engine.lateness"));
    let place = ["engine.duplicate_horizon", "engine.lateness"].iter().find_map(|path| settings.places.get(path));
    if let (true, Some(place)) = (horizon < lateness, place) {
        let (horizon, lateness) = (duration_text(horizon), duration_text(lateness));
        findings
            .error(Code::TooShort, place, "`engine.duplicate_horizon` is shorter than `engine.lateness`")
            .label(format!("found {horizon} for duplicate_horizon, {lateness} for lateness"))
            .help("an operation that comes late and twice would be decided twice")
            .help(format!("accepted: a duplicate_horizon of at least {lateness}"));
    }
}

/// Checks each block, and that none repeats another's name or hash.
fn tokens(raw: &[RawToken], findings: &mut Findings) -> Vec<TokenConfig> {
    let mut tokens: Vec<TokenConfig> = Vec::new();
    let (mut names, mut hashes) = (Vec::new(), Vec::new());
    for block in raw {
        let name = token_value(block, "name", findings, token_name);
        let hash = token_value(block, "hash", findings, token_hash);
        let roles = roles(block, findings);
        if let Some(name) = &name {
            refuse_repeated("name", name, &names, block, findings);
            names.push(name.clone());
        }
        if let Some(hash) = &hash {
            refuse_repeated("hash", hash, &hashes, block, findings);
            hashes.push(*hash);
        }
        if let (Some(name), Some(hash), Some(roles)) = (name, hash, roles) {
            tokens.push(TokenConfig { name, hash, roles });
        }
    }
    tokens
}

fn refuse_repeated<T: PartialEq>(key: &str, value: &T, known: &[T], block: &RawToken, findings: &mut Findings) {
    if let (true, Some((_, place))) = (known.contains(value), block.values.get(key)) {
        let help = match key {
            "name" => "logs tell tokens apart by their names: accepted is a name of its own",
            _ => "each bearer has a token of its own: make one with `kuzet config token`",
        };
        findings
            .error(Code::DuplicateToken, place, format!("an earlier [[token]] has this {key}"))
            .label("second time")
            .help(help);
    }
}

/// Reads one value of a block, which must be there.
fn token_value<T>(
    block: &RawToken,
    key: &'static str,
    findings: &mut Findings,
    read: fn(&RawValue) -> Result<T, Wrong>,
) -> Option<T> {
    let Some((value, place)) = block.values.get(key) else {
        // Where the syntax is wrong, it may only be unread.
        if !findings.has_bad_toml() {
            findings
                .error(Code::MissingKey, &block.place, format!("this [[token]] has no `{key}`"))
                .label("begins here")
                .help("accepted: name, hash and roles, as `kuzet config token` prints them");
        }
        return None;
    };
    match read(value) {
        Ok(value) => Some(value),
        Err(wrong) => {
            findings.wrong(key, place, wrong);
            None
        }
    }
}

fn wrong(code: Code, what: &'static str, value: &RawValue, accepted: &str) -> Wrong {
    Wrong { code, what, found: value.found(), accepted: accepted.to_owned(), form: "", nearest: None }
}

/// Tells whether a text can be the name of a token.
pub(super) fn is_token_name(text: &str) -> bool {
    let is_short = (1..=TOKEN_NAME_CHARS_MAX).contains(&text.chars().count());
    is_short && text.trim() == text && !text.chars().any(char::is_control)
}

fn token_name(value: &RawValue) -> Result<String, Wrong> {
    let accepted = "1 to 64 characters in quotes, without white space at the ends";
    match value {
        RawValue::Text(text) if is_token_name(text) => Ok(text.clone()),
        RawValue::Text(_) => Err(wrong(Code::BadValue, "is not a name", value, accepted)),
        _ => Err(wrong(Code::BadType, "has the wrong type", value, accepted)),
    }
}

fn token_hash(value: &RawValue) -> Result<TokenHash, Wrong> {
    let accepted = "\"blake3:\" and 64 hexadecimal digits, as `kuzet config token` prints it";
    let RawValue::Text(text) = value else {
        return Err(wrong(Code::BadType, "has the wrong type", value, accepted));
    };
    let what = if text.starts_with(TOKEN_PREFIX) {
        "holds the token itself, which belongs to its bearer only"
    } else if text.starts_with(HASH_PREFIX) && text.ends_with('…') {
        "is shortened: this is how `kuzet config print` shows it"
    } else {
        "is not the hash of a token"
    };
    TokenHash::parse(text).ok_or_else(|| wrong(Code::BadValue, what, value, accepted))
}

fn roles(block: &RawToken, findings: &mut Findings) -> Option<Vec<Role>> {
    let accepted = format!("a list of {}, at least one", Role::NAMES.join(", "));
    let items = token_value(block, "roles", findings, |value| match value {
        RawValue::List(items) => Ok(items.clone()),
        _ => Err(wrong(Code::BadType, "has the wrong type", value, "a list in brackets, such as [\"support\"]")),
    })?;
    let (_, place) = block.values.get("roles")?;
    if items.is_empty() {
        findings.wrong(
            "roles",
            place,
            Wrong {
                found: String::from("found an empty list"),
                ..wrong(Code::BadValue, "gives no role", &RawValue::List(Vec::new()), &accepted)
            },
        );
    }
    let mut roles = Vec::new();
    for (value, span) in &items {
        let RawValue::Text(text) = value else {
            findings.wrong(
                "roles",
                &Place::File(span.clone()),
                wrong(Code::BadType, "holds something else than texts", value, &accepted),
            );
            continue;
        };
        match Role::from_name(text) {
            Some(role) if roles.contains(&role) => {
                findings.wrong(
                    "roles",
                    &Place::File(span.clone()),
                    wrong(Code::BadValue, "names a role twice", value, &accepted),
                );
            }
            Some(role) => roles.push(role),
            None => {
                let nearest = nearest_name(text, Role::NAMES);
                let wrong = Wrong { nearest, ..wrong(Code::BadValue, "names an unknown role", value, &accepted) };
                findings.wrong("roles", &Place::File(span.clone()), wrong);
            }
        }
    }
    Some(roles)
}
