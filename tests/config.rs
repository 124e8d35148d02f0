//! `kuzet.toml`: every bad file with its text word for word, every key accepted, what is printed means the same.

use kuzet::operation::partition::Partitioner;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kuzet::config::{Code, Config, LogFormat, LogLevel, Role, Source, TokenHash, load, parse};

mod files;

const HASH: &str = "blake3:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const NO_ENV: [(String, String); 0] = [];

/// Every key, each with another value than its default.
const FULL: &str = r#"
source = "kafka"

[rules]
folder = "my/rules"
watch = false
allow_empty = true
budget = "64KiB"

[limits]
shared_keys_max = 5000
shared_window_bytes_max = "2MiB"

[geoip]
folder = "C:\\geo \"x\""
watch = false
update_every = "12h"
sources = "my/sources.toml"

[store]
path = "/var/lib/kuzet"
retention_decisions = "1825d"
retention_operations = "36h"
retention_rejected = "1d"
batch_max = 65_536
cache_bytes = "1GiB"

[kafka]
brokers = "kafka-1:9092, [::1]:9093"
group = "the-fleet"
instance = "kuzet-1"
partitioner = "crc32"
workers = 3
batch_max = 100
batch_linger = "0s"
cloudevents = false
journal_bytes_min = "64KiB"
transaction_timeout = "10s"
properties_file = "client.properties"

[kafka.topics]
operations = "ops"
decisions = "decided"
rejected = "refused"
state = "state_1"

[redis]
url = "rediss://redis:6380"
timeout = "1s"
cluster = true
ca = "ca.pem"
pending_changes_max = 7
lists_every = "1m"

[engine]
lateness = "90s"
duplicate_horizon = "90s"
max_future_skew = "0s"
waiting_max = 1

[http]
listen = "[::]:443"
max_body = "64KiB"
bodies_max = "1MiB"
request_timeout = "250ms"
head_timeout = "2s"
keep_alive = "2m"
connections_max = 1
connections_per_address = 3
rate_per_second = 50
shutdown_grace = "1m"
insecure_plain_text = true

[http.tls]
certificate = "tls/chain.pem"
key = "tls/key.pem"

[[token]]
name = "ledger"
hash = "blake3:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
roles = ["ledger", "metrics"]

[[token]]
name = "касса № 1"
hash = "blake3:1f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
roles = ["support", "analyst"]

[log]
format = "json"
level = "debug"
"#;

/// Bad files by name.
const BAD: &[(&str, &str)] = &[
    ("a_misspelt_key", "[http]\nlisen = \"127.0.0.1:8480\"\n"),
    ("a_key_of_another_section", "lateness = \"5m\"\n[http]\nwaiting_max = 5\nsource = \"http\"\n"),
    ("an_unknown_section", "[htpp]\nlisten = \"127.0.0.1:8480\"\n[tls]\nkey = \"a\"\n[valkey]\nurl = \"x\"\n"),
    (
        "wrong_types",
        "source = 1\n[rules]\nfolder = 3\nwatch = \"true\"\n[store]\nbatch_max = \"8192\"\ncache_bytes = 1024\n[engine]\nlateness = 600\n[http]\nlisten = 8480\nrate_per_second = 1.5\nshutdown_grace = 2026-11-22\nmax_body = [1]\n",
    ),
    (
        "bad_durations",
        "[engine]\nlateness = \"10 minutes\"\nmax_future_skew = \"-5m\"\nduplicate_horizon = \"1.5d\"\n[http]\nrequest_timeout = \"\"\n",
    ),
    ("bad_sizes", "[store]\ncache_bytes = \"256MB\"\n[http]\nmax_body = \"four MiB\"\n"),
    (
        "out_of_range",
        "[store]\nbatch_max = 0\nretention_decisions = \"1h\"\ncache_bytes = \"99999999999999999999GiB\"\n[engine]\nwaiting_max = -1\n[http]\nmax_body = \"1KiB\"\nconnections_max = 0x100000\n",
    ),
    ("two_errors_at_once", "[rules]\nfoldr = \"rules\"\n\n[log]\nlevel = \"warning\"\nformat = \"jsn\"\n"),
    ("bad_addresses", "[http]\nlisten = \"localhost:8480\"\n"),
    ("other_machines_without_tokens_or_tls", "[http]\nlisten = \"0.0.0.0:8480\"\n"),
    ("other_machines_without_tokens", "[http]\nlisten = \"0.0.0.0:8480\"\ninsecure_plain_text = true\n"),
    (
        "other_machines_without_tls",
        "[http]\nlisten = \"192.0.2.1:8480\"\n\n[[token]]\nname = \"ledger\"\nhash = \"blake3:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\nroles = [\"ledger\"]\n",
    ),
    ("half_of_tls", "[http.tls]\ncertificate = \"chain.pem\"\n"),
    ("the_other_half_of_tls", "[http]\ntls.key = \"key.pem\"\n"),
    (
        "bad_hashes",
        "[[token]]\nname = \"a\"\nhash = \"blake3:00\"\nroles = [\"ledger\"]\n[[token]]\nname = \"b\"\nhash = \"kzt_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY\"\nroles = [\"ledger\"]\n[[token]]\nname = \"c\"\nhash = \"blake3:0f0f0f0f0f0f…\"\nroles = [\"ledger\"]\n",
    ),
    (
        "repeated_tokens",
        "[[token]]\nname = \"a\"\nhash = \"blake3:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\nroles = [\"ledger\"]\n[[token]]\nname = \"a\"\nhash = \"blake3:0F0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\nroles = [\"ledger\"]\n",
    ),
    (
        "bad_roles",
        "[[token]]\nname = \"a\"\nhash = \"blake3:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\nroles = [\"suport\", \"ledger\", \"ledger\", 1]\n[[token]]\nname = \" b\"\nhash = 1\nroles = []\n[[token]]\nname = 1\nhash = \"\"\nroles = \"ledger\"\n",
    ),
    ("an_incomplete_token", "[[token]]\nname = \"a\"\nrole = [\"ledger\"]\n"),
    ("blocks_of_the_wrong_form", "http = 3\n[token]\nname = \"a\"\n[[log]]\nlevel = \"info\"\n"),
    ("a_key_with_a_cyrillic_letter", "sоurce = \"http\"\n[http]\n\"слушать\" = \"127.0.0.1:8480\"\n"),
    (
        "texts_without_quotes",
        "source = http\n[rules]\nwatch = Yes # always\n[engine]\nlateness = 10 minutes\n[http]\nlisten = 127.0.0.1:8480\nmax_body = 1KiB\n",
    ),
    ("no_toml_but_json", "{\"source\": \"http\", \"http\": {\"listen\": \"127.0.0.1:8480\"}}\n"),
    ("no_toml_but_yaml", "source: http\nhttp:\n  listen: 127.0.0.1:8480\n"),
    ("an_unclosed_section", "[http\nlisten = \"127.0.0.1:8480\"\nmax_body = \"4MiB\"\n"),
    ("an_unclosed_list", "[[token]]\nname = \"a\"\nroles = [\"ledger\"\n"),
    ("written_twice", "[log]\nlevel = \"info\"\nlevel = \"debug\"\n[http]\n[log]\nformat = \"text\"\n"),
    ("a_horizon_below_the_lateness", "[engine]\nlateness = \"2d\"\n"),
    ("kafka", "source = \"kafka\"\n"),
    (
        "kafka_values",
        "[kafka]\nbrokers = \"kafka\"\ngroup = \"my group\"\npartitioner = \"murmur\"\nbatch_max = 0\nbatch_linger = \"2s\"\n[kafka.topics]\nstate = \"\"\n[redis]\nurl = \"http://kuzet:secret@redis:6379\"\n",
    ),
];

/// Bad variables by name, with a file that is good.
const BAD_VARIABLES: &[(&str, &[(&str, &str)])] = &[
    (
        "bad_variables",
        &[
            ("KUZET_HTTP_LISTEN", "localhost"),
            ("KUZET_STORE_BATCH_MAX", "many"),
            ("KUZET_RULES_WATCH", "yes"),
            ("KUZET_LOG_LEVEL", "wran"),
            ("KUZET_STORE_PATH", ""),
            ("KUZET_HTTP_TLS_KEY", "key.pem"),
            ("KUZET_ENGINE_DUPLICATE_HORIZON", "1s"),
        ],
    ),
    (
        "unknown_variables",
        &[
            ("KUZET_HTTP_LISTN", "127.0.0.1:9000"),
            ("KUZET_TOKEN", "kzt_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY"),
            ("KUZET_NONSENSE", "x"),
            ("KUZET_TEST_ANYTHING", "x"),
            ("PATH", "/bin"),
        ],
    ),
    ("a_variable_that_opens_the_service", &[("KUZET_HTTP_LISTEN", "[::]:80")]),
];

fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn each_bad_file_gives_its_text() {
    for (name, text) in BAD {
        let errors = parse("kuzet.toml", text, NO_ENV).expect_err(name);
        insta::assert_snapshot!(*name, errors.to_string());
    }
    for (name, variables) in BAD_VARIABLES {
        let errors = parse("kuzet.toml", "[log]\nformat = \"json\"\n", env(variables)).expect_err(name);
        insta::assert_snapshot!(*name, errors.to_string());
    }
}

#[test]
fn every_kind_of_error_has_a_bad_file() {
    let mut seen: BTreeSet<&str> = BTreeSet::from([Code::UnreadableFile.name(), Code::NotUtf8.name()]);
    let mut note = |text: &str, variables: &[(&str, &str)]| {
        let errors = parse("kuzet.toml", text, env(variables)).expect_err(text);
        assert_eq!(errors.len(), errors.to_string().matches("error[").count());
        seen.extend(errors.codes());
    };
    BAD.iter().for_each(|(_, text)| note(text, &[]));
    BAD_VARIABLES.iter().for_each(|(_, variables)| note("", variables));
    let without: Vec<&&str> = Code::NAMES.iter().filter(|code| !seen.contains(*code)).collect();
    assert!(without.is_empty(), "no bad file shows {without:?}");
}

#[test]
fn no_error_shows_a_token() {
    let token = "kzt_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";
    for text in [
        format!("[[token]]\nhash = \"{token}\"\n"),
        format!("[[token]]\ntoken = \"{token}\"\n"),
        format!("token = \"{token}\"\n"),
        format!("{token}\n"),
        format!("{token} = 1\n"),
        format!("[[token]]\nhash = {token}\n"),
        format!("# {}\n[[token]] hash = \"{}{token}\" # {token}\n", "x".repeat(200), " ".repeat(200)),
        format!("[log]\nlevel = \"{token}\" #"),
    ] {
        for variables in [vec![], env(&[("KUZET_TOKEN", token), ("KUZET_LOG_LEVEL", token)])] {
            let errors = parse("kuzet.toml", &text, variables).unwrap_err().to_string();
            assert!(!errors.contains("QUJD"), "{errors}");
        }
    }
}

#[test]
fn no_password_of_redis_is_shown() {
    let secret = "planted-password";
    for url in
        [format!("redis://kuzet:{secret}@redis"), format!("redis://{secret}@redis"), format!("rediss://:{secret}@r")]
    {
        let text = format!("[redis]\nurl = \"{url}\"\n");
        let config = parse("kuzet.toml", &text, NO_ENV).expect("good");
        assert!(!config.print().contains(secret) && !format!("{config:?}").contains(secret), "{}", config.print());
        let of_variable = env(&[("KUZET_REDIS_URL", &format!("x{url}"))]);
        let errors = parse("kuzet.toml", &format!("[redis]\nurl = \"x{url}\"\n"), of_variable).unwrap_err();
        assert!(!errors.to_string().contains(secret), "{errors}");
    }
}

#[test]
fn every_key_is_accepted() {
    let config = parse("kuzet.toml", FULL, NO_ENV).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.source, Source::Kafka);
    assert_eq!((config.rules.folder.as_deref(), config.rules.watch), (Some(Path::new("my/rules")), false));
    assert_eq!((config.geoip.folder.as_deref(), config.geoip.watch), (Some(Path::new("C:\\geo \"x\"")), false));
    assert!(config.rules.allow_empty);
    assert_eq!((config.rules.budget, config.limits.shared_keys_max), (64 << 10, 5_000));
    assert_eq!(config.limits.shared_window_bytes_max, 2 << 20);
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let update = (config.geoip.update_every, config.geoip.sources.as_deref());
    assert_eq!(update, (Some(hours(12)), Some(Path::new("my/sources.toml"))));
    assert_eq!(config.store.path, PathBuf::from("/var/lib/kuzet"));
    let retention =
        [config.store.retention_decisions, config.store.retention_operations, config.store.retention_rejected];
    assert_eq!(retention, [hours(1825 * 24), hours(36), hours(24)]);
    assert_eq!((config.store.batch_max, config.store.cache_bytes), (65_536, 1 << 30));
    let kafka = &config.kafka;
    assert_eq!(kafka.brokers.as_deref(), Some("kafka-1:9092, [::1]:9093"));
    assert_eq!((kafka.group.as_str(), kafka.instance.as_deref()), ("the-fleet", Some("kuzet-1")));
    assert_eq!((kafka.partitioner, kafka.workers, kafka.batch_max), (Partitioner::Crc32, Some(3), 100));
    assert_eq!((kafka.batch_linger, kafka.transaction_timeout), (Duration::ZERO, Duration::from_secs(10)));
    assert_eq!((kafka.cloudevents, kafka.journal_bytes_min), (false, 64 << 10));
    assert_eq!(kafka.properties_file.as_deref(), Some(Path::new("client.properties")));
    let topics = [&kafka.operations, &kafka.decisions, &kafka.rejected, &kafka.state];
    assert_eq!(topics, ["ops", "decided", "refused", "state_1"]);
    assert_eq!(
        (config.redis.url.as_deref(), config.redis.timeout),
        (Some("rediss://redis:6380"), Duration::from_secs(1))
    );
    assert_eq!(config.redis.ca.as_deref(), Some(Path::new("ca.pem")));
    let lengths = [config.engine.lateness, config.engine.duplicate_horizon, config.engine.max_future_skew];
    assert_eq!(lengths, [90, 90, 0].map(Duration::from_secs));
    assert_eq!(config.engine.waiting_max, 1);
    assert_eq!(config.http.listen.to_string(), "[::]:443");
    assert_eq!((config.http.max_body, config.http.connections_max, config.http.rate_per_second), (65_536, 1, 50));
    assert_eq!(
        (config.http.request_timeout, config.http.shutdown_grace),
        (Duration::from_millis(250), Duration::from_secs(60))
    );
    assert_eq!((config.http.head_timeout, config.http.keep_alive), (Duration::from_secs(2), Duration::from_secs(120)));
    assert_eq!((config.http.connections_per_address, config.http.bodies_max), (3, 1 << 20));
    assert!(config.http.insecure_plain_text);
    let tls = config.http.tls.expect("TLS");
    assert_eq!((tls.certificate, tls.key), (PathBuf::from("tls/chain.pem"), PathBuf::from("tls/key.pem")));
    assert_eq!(config.tokens.len(), 2);
    assert_eq!(Some(config.tokens[0].hash), TokenHash::parse(HASH));
    assert!(config.tokens[1].may(Role::Analyst) && !config.tokens[1].may(Role::Ledger));
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Debug));
}

#[test]
fn defaults_are_those_that_are_promised() {
    let config = Config::default();
    assert_eq!(parse("kuzet.toml", "", NO_ENV).as_ref(), Ok(&config));
    insta::assert_snapshot!("defaults", config.print());
}

/// Lists a printed configuration as variables, without its tokens.
fn as_variables(printed: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut variables = Vec::new();
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}_", name.split(']').next().expect("a name").replace('.', "_").to_uppercase());
        } else if let Some((key, rest)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            let value = unquoted(rest.rsplit_once(" # ").map_or(rest, |(value, _)| value));
            variables.push((format!("KUZET_{section}{}", key.to_uppercase()), value));
        }
    }
    variables.retain(|(name, _)| !name.starts_with("KUZET_[TOKEN"));
    variables
}

/// The text of a value, without quotes and escapes.
fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inside) => inside.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

#[test]
fn variables_say_the_same_as_the_file() {
    let config = parse("kuzet.toml", FULL, NO_ENV).expect("good");
    let printed = config.print();
    let variables = as_variables(&printed);
    assert_eq!(variables.len(), 57, "{variables:?}");
    let tokens = &FULL[FULL.find("[[token]]").expect("tokens")..FULL.find("[log]").expect("log")];
    let again = parse("kuzet.toml", tokens, variables).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(again, config);
    assert_eq!(again.origin_counts(), (0, 57));
}

#[test]
fn variables_go_before_the_file() {
    let text = "[http]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n";
    let variables = env(&[("KUZET_HTTP_LISTEN", "127.0.0.1:9000"), ("KUZET_TEST_X", "y"), ("PATH", "/bin")]);
    let config = parse("etc/kuzet.toml", text, variables).expect("good");
    assert_eq!(config.http.listen.port(), 9000);
    let printed = config.print();
    for line in [
        "listen = \"127.0.0.1:9000\" # KUZET_HTTP_LISTEN",
        "level = \"warn\" # etc/kuzet.toml:4",
        "batch_max = 8192 # default",
        "# folder is not set # default",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
    }
}

#[test]
fn what_is_printed_means_the_same() {
    for text in ["", FULL, "[http]\nlisten = \"127.0.0.2:0\"\n[engine]\nlateness = \"24h\"\n"] {
        let config = parse("kuzet.toml", text, NO_ENV).expect("good");
        let mut printed = config.print();
        for token in &config.tokens {
            assert!(!printed.contains(&token.hash.to_string()));
            printed = printed.replace(&token.hash.short(), &token.hash.to_string());
        }
        assert_eq!(parse("kuzet.toml", &printed, NO_ENV).as_ref(), Ok(&config), "{printed}");
    }
}

#[test]
fn anything_at_all_is_answered() {
    // Every beginning of a good file, and every file with one character less.
    let starts = FULL.char_indices().map(|(at, _)| FULL[..at].to_owned());
    let holes = FULL.char_indices().map(|(at, c)| format!("{}{}", &FULL[..at], &FULL[at + c.len_utf8()..]));
    for text in starts.chain(holes) {
        if let Err(errors) = parse("kuzet.toml", &text, NO_ENV) {
            assert!(errors.len() > 0 && errors.to_string().contains("error["), "{text}");
        }
    }
}

/// Runs kuzet in a folder without variables of its own; returns the exit code, standard output and error.
fn kuzet(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        crate::command::kuzet().current_dir(folder).args(arguments).stdin(Stdio::null()).output().expect("kuzet runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_file_that_cannot_be_read_exits_64() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, out, err) = kuzet(folder.path(), &["config", "check", "no/such.toml"]);
    assert_eq!((code, out.as_str()), (Some(64), ""));
    insta::assert_snapshot!("a_missing_file", err);
    fs::write(folder.path().join("kuzet.toml"), b"[log]\nlevel = \"\xff\"\n").expect("a file");
    let (code, _, err) = kuzet(folder.path(), &["config", "check"]);
    assert_eq!(code, Some(64));
    insta::assert_snapshot!("a_file_that_is_not_utf8", err);
    assert!(load(Some(folder.path()), NO_ENV).is_err(), "a folder is no file");
}

#[test]
fn the_commands_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, out, _) = kuzet(folder.path(), &["config", "check"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        out,
        "no kuzet.toml here: can be used: set in the file 0, by variables 0, tokens 0\nbuilt with: kafka, redis\n"
    );
    fs::write(folder.path().join("other.toml"), "[log]\nformat = \"json\"\n").expect("a file");
    let (_, out, _) = kuzet(folder.path(), &["config", "check", "other.toml"]);
    assert!(out.starts_with("other.toml: can be used: set in the file 1,"), "{out}");
    let token = ["config", "token", "--name", "support-desk", "--roles", "support,analyst"];
    let (code, block, token) = kuzet(folder.path(), &token);
    assert_eq!(code, Some(0));
    assert_eq!((token.trim_end().len(), token.starts_with("kzt_")), (47, true));
    fs::write(folder.path().join("kuzet.toml"), block).expect("a file");
    let (code, printed, _) = kuzet(folder.path(), &["config", "print"]);
    assert_eq!(code, Some(0));
    assert!(printed.contains("name = \"support-desk\""), "{printed}");
    let config = load(Some(&folder.path().join("kuzet.toml")), NO_ENV).expect("good");
    assert_eq!(config.bearer(token.trim_end()).map(|bearer| bearer.name.as_str()), Some("support-desk"));
    for bad in [&["--name", "x", "--roles", "boss"][..], &["--name", "x"], &["--name", "", "--roles", "support"]] {
        assert_eq!(kuzet(folder.path(), &[&["config", "token"], bad].concat()).0, Some(2), "{bad:?}");
    }
}
