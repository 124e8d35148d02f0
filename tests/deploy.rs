//! What lies in `deploy/` and `docker-compose.yml`, checked by the programs that will read it: Prometheus,
//! Alertmanager, Redis, TypeScript with Grafana's types, the schema of compose files. There is no container
//! engine here: the images themselves are not built.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

const KUZET: &str = env!("CARGO_BIN_EXE_kuzet");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CHECKS: &str = "deploy/check";

/// One installation of what npm and pip bring at a time.
static TURN: Mutex<()> = Mutex::new(());

fn at(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Prepares a program in the repository's folder; says how to install it when it is missing.
#[track_caller]
fn tool(program: &str, package: &str) -> Command {
    let is_there = Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok();
    assert!(is_there, "{program} is missing; install it with: apt-get install {package} (or `make tools FOR_TESTS=1`)");
    let mut command = Command::new(program);
    command.current_dir(ROOT);
    command
}

/// Runs a command; returns whether it succeeded, and what it said.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let (is_well, said) = run(command);
    assert!(is_well, "{command:?}:\n{said}");
    said
}

/// A folder under `target` for what a package manager installs.
fn installed(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target folder").join(name);
    fs::create_dir_all(&folder).expect("a folder under target");
    folder
}

/// Installs TypeScript, Grafana's types and AsyncAPI's parser, as the lock file has them; returns the folder.
fn types() -> PathBuf {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = installed("deploy-types");
    let lock = fs::read(at(CHECKS).join("package-lock.json")).expect("a lock file");
    // Written last: an installation that was broken off is made again.
    let note = folder.join("installed.json");
    let is_there = fs::read(&note).is_ok_and(|found| found == lock);
    for file in ["package.json", "package-lock.json", "dashboard.ts", "asyncapi.mjs"] {
        fs::copy(at(CHECKS).join(file), folder.join(file)).expect("a copied file");
    }
    if !is_there {
        let mut npm = tool("npm", "npm");
        succeed(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder));
        fs::write(note, lock).expect("a note of what is installed");
    }
    folder
}

/// Installs what `requirements.txt` names; returns the folder of the programs.
fn python_tools() -> PathBuf {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = installed("deploy-python");
    let wanted = read("deploy/check/requirements.txt");
    let note = folder.join("installed.txt");
    if fs::read_to_string(&note).ok().as_deref() != Some(&wanted) {
        let (is_well, said) = run(tool("python3", "python3").args(["-m", "venv"]).arg(&folder));
        assert!(is_well, "no virtual environment; install it with: apt-get install python3-venv\n{said}");
        let mut pip = Command::new(folder.join("bin/pip"));
        succeed(
            pip.args(["install", "-q", "--disable-pip-version-check", "-r"]).arg(at("deploy/check/requirements.txt")),
        );
        fs::write(note, wanted).expect("a note of what is installed");
    }
    folder.join("bin")
}

/// Runs `deploy/check/files`.
fn files(arguments: &[&str]) -> String {
    succeed(Command::new(python_tools().join("python")).arg(at("deploy/check/files")).args(arguments))
}

/// Names the dashboards and returns their texts.
fn dashboards() -> BTreeMap<String, String> {
    let listed = fs::read_dir(at("deploy/grafana/dashboards")).expect("a folder of dashboards").flatten();
    let found: BTreeMap<_, _> = listed
        .map(|entry| {
            let name = entry.path().file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).expect("a text"))
        })
        .collect();
    assert!(found.len() >= 4, "{:?}", found.keys());
    found
}

/// Lets TypeScript compare dashboards with Grafana's types; returns whether it is content, and its complaints.
fn compare_types(dashboards: &BTreeMap<String, String>, scratch: &str) -> (bool, String) {
    let folder = types();
    let place = folder.join(scratch);
    fs::create_dir_all(&place).expect("a scratch folder");
    let mut tsc = tool("node", "nodejs");
    tsc.arg("node_modules/typescript/bin/tsc").current_dir(&folder);
    tsc.args(["--noEmit", "--strict", "--skipLibCheck", "--allowImportingTsExtensions", "--pretty", "false"]);
    tsc.args(["--module", "nodenext", "--moduleResolution", "nodenext"]);
    for (name, text) in dashboards {
        let file = place.join(format!("{name}.ts"));
        let head = "import type { Checked } from \"../dashboard.ts\";\nexport default ";
        fs::write(&file, format!("{head}{} satisfies Checked;\n", text.trim_end())).expect("a written file");
        tsc.arg(format!("{scratch}/{name}.ts"));
    }
    run(&mut tsc)
}

#[test]
fn dashboards_are_what_their_script_writes() {
    succeed(tool("python3", "python3").args(["deploy/grafana/generate.py", "--check"]));
}

#[test]
fn dashboards_have_the_types_of_grafana() {
    let (is_well, said) = compare_types(&dashboards(), "found");
    assert!(is_well, "{said}");
}

/// The check above, shown dashboards with one mistake each.
#[test]
fn wrong_dashboards_are_complained_of() {
    let right = dashboards().remove("kuzet-latency").expect("a dashboard of latency");
    let mistakes = [
        ("editable", "\"editable\": false", "\"editable\": true"),
        ("misspelt", "\"fieldConfig\"", "\"fieldconfig\""),
        ("untyped", "\"schemaVersion\": 42", "\"schemaVersion\": \"42\""),
        ("drawn", "\"drawStyle\": \"line\"", "\"drawStyle\": \"lines\""),
        ("optioned", "\"placement\": \"bottom\"", "\"placement\": \"below\""),
        ("sourced", "\"uid\": \"${datasource}\"", "\"uid\": \"prometheus\""),
        ("unnamed", "\"unit\": \"s\"", "\"unti\": \"s\""),
    ];
    let planted: BTreeMap<_, _> = mistakes
        .iter()
        .map(|(name, from, to)| {
            let wrong = right.replacen(from, to, 1);
            assert_ne!(wrong, right, "{name}: {from} is not there");
            ((*name).to_owned(), wrong)
        })
        .collect();
    let (_, said) = compare_types(&planted, "planted");
    for (name, ..) in mistakes {
        assert!(said.contains(&format!("planted/{name}.ts(")), "{name} passes:\n{said}");
    }
}

/// Lets AsyncAPI's own parser read a document; returns whether it is content, and what it says.
fn parse_asyncapi(document: &Value) -> (bool, String) {
    let mut node = tool("node", "nodejs");
    node.arg("asyncapi.mjs").current_dir(types()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = node.spawn().expect("node starts");
    process.stdin.take().expect("a pipe").write_all(document.to_string().as_bytes()).expect("node reads");
    let output = process.wait_with_output().expect("node ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The document of the topics is one, and so says another program; mistakes that are put into it are found.
#[test]
fn asyncapi_is_what_its_parser_reads() {
    let printed = succeed(Command::new(KUZET).env_clear().args(["schema", "asyncapi"]));
    let right: Value = serde_json::from_str(&printed).expect("JSON");
    let (is_well, said) = parse_asyncapi(&right);
    assert!(is_well, "{said}");
    let read: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let topics: Vec<_> = read.iter().map(|message| message["topic"].as_str().expect("a topic")).collect();
    assert_eq!(topics, ["wallet.operations", "wallet.decisions", "wallet.operations.rejected"]);
    // Payloads are the schemas that are printed by themselves.
    for (message, name) in read.iter().zip(["operation", "decision", "rejected"]) {
        let alone: Value =
            serde_json::from_str(&succeed(Command::new(KUZET).env_clear().args(["schema", name]))).expect("JSON");
        let mut alone: Vec<&String> = alone["properties"].as_object().expect("properties").keys().collect();
        let mut found: Vec<&str> =
            message["properties"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
        alone.sort();
        found.sort_unstable();
        assert_eq!(found, alone, "{name}");
    }
    assert_eq!(read[1]["key"], "string");
    let decision = "/components/messages/decision";
    for (place, wrong, words) in [
        ("/channels/decisions/messages/decision/$ref".to_owned(), "#/components/messages/nowhere", "does not exist"),
        ("/operations/sendDecision/action".to_owned(), "publish", "action"),
        (format!("{decision}/payload/schema/properties/late/type"), "bool", "properties.late.type"),
        (format!("{decision}/bindings/kafka/key"), "text", "bindings.kafka"),
        ("/asyncapi".to_owned(), "2.9.0", "not supported"),
    ] {
        let mut planted = right.clone();
        *planted.pointer_mut(&place).unwrap_or_else(|| panic!("{place} is not there")) = wrong.into();
        let (is_well, said) = parse_asyncapi(&planted);
        assert!(!is_well && said.contains(words), "{wrong} at {place} passes:\n{said}");
    }
}

/// Takes about 15 s: kuzet under load, scraped by a real Prometheus.
#[test]
fn every_query_has_series() {
    tool("prometheus", "prometheus");
    let said = succeed(tool("python3", "python3").args(["deploy/check/queries", "--kuzet", KUZET]));
    // The number of queries that are not about Kafka: fewer means that some were lost.
    let summary = said.lines().find(|line| line.contains(" queries answered")).expect("a summary");
    let answered: usize = summary.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
    assert!(answered >= 80, "{said}");
}

#[test]
fn alerts_fire_and_stay_silent() {
    succeed(tool("promtool", "prometheus").args(["check", "rules", "deploy/prometheus/alerts.yml"]));
    let listed = fs::read_dir(at("deploy/prometheus/tests")).expect("a folder of tests").flatten();
    let running: Vec<_> = listed
        .map(|entry| {
            let mut promtool = tool("promtool", "prometheus");
            promtool.args(["test", "rules"]).arg(entry.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
            promtool.spawn().expect("promtool starts")
        })
        .collect();
    assert!(!running.is_empty());
    for promtool in running {
        let output = promtool.wait_with_output().expect("promtool ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

#[test]
fn prometheus_and_alertmanager_take_their_configurations() {
    let said = succeed(tool("promtool", "prometheus").args(["check", "config", "deploy/prometheus/prometheus.yml"]));
    assert!(said.contains("1 rule files found"), "{said}");
    let config = "deploy/alertmanager/alertmanager.yml";
    succeed(tool("amtool", "prometheus-alertmanager").args(["check-config", config]));
    for severity in ["page", "ticket", "heartbeat"] {
        let mut amtool = tool("amtool", "prometheus-alertmanager");
        amtool.args(["config", "routes", "test", &format!("--config.file={config}")]);
        amtool.args([format!("--verify.receivers={severity}"), format!("severity={severity}")]);
        succeed(&mut amtool);
    }
}

#[test]
fn the_compose_file_is_sound() {
    let check = |path: &Path| {
        let mut check = Command::new(python_tools().join("check-jsonschema"));
        run(check.args(["--builtin-schema", "vendor.compose-spec"]).arg(path))
    };
    let (is_well, said) = check(&at("docker-compose.yml"));
    assert!(is_well, "{said}");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let wrong = scratch.path().join("docker-compose.yml");
    fs::write(&wrong, read("docker-compose.yml").replacen("stop_grace_period", "grace_period", 1)).expect("a copy");
    let (is_well, said) = check(&wrong);
    assert!(!is_well && said.contains("grace_period"), "a wrong key passes: {said}");
    files(&[]);
}

#[test]
fn the_fleet_has_a_configuration() {
    let variables: BTreeMap<String, String> = serde_json::from_str(&files(&["--variables"])).expect("variables");
    let mut check = Command::new(KUZET);
    check.env_clear().args(["config", "check"]).arg(at("deploy/kuzet/kuzet.toml"));
    succeed(&mut check);
    // A build without the Kafka source refuses its variables.
    let schema = succeed(Command::new(KUZET).env_clear().args(["schema", "config"]));
    if schema.contains("\"brokers\"") {
        succeed(check.envs(&variables));
    }
}

/// The service with `deploy/kuzet/kuzet.toml`, except for its paths and its address.
struct Service {
    process: Child,
    address: String,
    _scratch: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let mut config = read("deploy/kuzet/kuzet.toml");
        let replaced = [
            ("/etc/kuzet/rules", at("rules").display().to_string()),
            ("/etc/kuzet/geoip", at("geoip").display().to_string()),
            ("0.0.0.0:8480", "127.0.0.1:0".to_owned()),
            ("format = \"json\"", "format = \"text\"".to_owned()),
        ];
        for (from, to) in replaced {
            assert!(config.contains(from), "{from} is not in deploy/kuzet/kuzet.toml");
            config = config.replace(from, &to);
        }
        config += &format!("\n[store]\npath = \"{}\"\n", scratch.path().join("store").display());
        let file = scratch.path().join("kuzet.toml");
        fs::write(&file, config).expect("a configuration");
        let mut command = Command::new(KUZET);
        command.env_clear().args(["serve", "--config"]).arg(file).stderr(Stdio::piped());
        let mut process = command.spawn().expect("kuzet starts");
        let mut log = BufReader::new(process.stderr.take().expect("a pipe"));
        let mut said = String::new();
        let address = loop {
            let before = said.len();
            assert!(log.read_line(&mut said).expect("a line") > 0, "kuzet ended:\n{said}");
            let line = &said[before..];
            if let Some((_, rest)) = line.split_once("address=") {
                break rest.split(' ').next().expect("an address").to_owned();
            }
        };
        // Whoever writes to a pipe that nobody reads waits.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, address, _scratch: scratch }
    }

    /// Asks for metrics; returns the status.
    fn metrics(&self, token: Option<&str>) -> u16 {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head =
            format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n{authorization}Connection: close\r\n\r\n", self.address);
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.write_all(head.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// Runs the image's health check against this service.
    fn health(&self, endpoint: &str) -> (bool, String) {
        let port = self.address.rsplit(':').next().expect("a port");
        run(Command::new(at("deploy/kuzet/healthcheck")).args([endpoint, port]))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have been stopped already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn prometheus_has_the_token_and_the_container_its_health() {
    let mut service = Service::start();
    let token = read("deploy/prometheus/demo-metrics-token");
    assert_eq!(service.metrics(Some(token.trim())), 200);
    assert_eq!(service.metrics(None), 401);
    for endpoint in ["healthz", "readyz", "tcp"] {
        let (is_well, said) = service.health(endpoint);
        assert!(is_well, "{endpoint}: {said}");
    }
    assert!(!service.health("nowhere").0, "404 is no health");
    service.process.kill().expect("it runs");
    service.process.wait().expect("it ends");
    assert!(!service.health("healthz").0 && !service.health("tcp").0, "nobody listens");
}

#[test]
fn redis_starts_from_its_configuration_and_keeps_its_users_apart() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let socket = scratch.path().join("redis.sock");
    let mut server = tool("redis-server", "redis-server");
    server.arg(at("deploy/redis/redis.conf")).args(["--port", "0", "--unixsocket"]).arg(&socket);
    server.arg("--dir").arg(scratch.path()).arg("--aclfile").arg(at("deploy/redis/users.acl"));
    let mut server = server.stdout(Stdio::piped()).spawn().expect("redis-server starts");
    let mut log = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let mut said = String::new();
    let is_ready = log.by_ref().map_while(Result::ok).any(|line| {
        said += &format!("{line}\n");
        line.contains("eady to accept connections")
    });
    assert!(is_ready, "{said}");
    std::thread::spawn(move || log.for_each(drop));

    let variables: BTreeMap<String, String> = serde_json::from_str(&files(&["--variables"])).expect("variables");
    let url = &variables["KUZET_REDIS_URL"];
    let (user, rest) = url.trim_start_matches("redis://").split_once(':').expect("a user");
    let password = rest.split('@').next().expect("a password");
    let ask = |user: Option<(&str, &str)>, words: &[&str]| {
        let mut client = tool("redis-cli", "redis-tools");
        client.arg("-s").arg(&socket);
        if let Some((name, password)) = user {
            client.args(["--no-auth-warning", "--user", name, "--pass", password]);
        }
        run(client.args(words)).1
    };
    let kuzet = Some((user, password));
    assert_eq!(ask(kuzet, &["SET", "kuzet:w:1", "a"]), "OK\n");
    assert_eq!(ask(kuzet, &["EVAL", "return redis.call('GET', KEYS[1])", "1", "kuzet:w:1"]), "a\n");
    assert_eq!(ask(kuzet, &["ZADD", "kuzet:w:2", "GT", "1", "b"]), "1\n");
    let info = ask(kuzet, &["INFO"]);
    for line in ["maxmemory_policy:noeviction", "maxmemory:536870912", "aof_enabled:1"] {
        assert!(info.lines().any(|found| found == line), "{line} is not in\n{info}");
    }
    for words in [&["SET", "other", "a"][..], &["FLUSHALL"], &["CONFIG", "GET", "*"], &["KEYS", "*"], &["ACL", "LIST"]]
    {
        let answer = ask(kuzet, words);
        assert!(answer.contains("NOPERM"), "{words:?}: {answer}");
    }
    assert_eq!(ask(Some(("health", "any")), &["PING"]), "PONG\n");
    assert!(ask(Some(("health", "any")), &["GET", "kuzet:w:1"]).contains("NOPERM"));
    assert!(ask(Some((user, "wrong")), &["PING"]).contains("WRONGPASS"));
    assert!(ask(None, &["PING"]).contains("NOAUTH"));
    server.kill().expect("it runs");
    server.wait().expect("it ends");
}

#[test]
fn the_load_is_keyed_by_wallet() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let day = scratch.path().join("day.jsonl");
    let programs = Path::new(KUZET).parent().expect("a folder").display();
    let path = format!("{programs}:{}", std::env::var_os("PATH").expect("a PATH").to_string_lossy());
    let mut simulate = Command::new(at("deploy/load/simulate"));
    succeed(simulate.arg(&day).env("PATH", path).envs([("OPERATIONS", "2000"), ("WALLETS", "50")]));
    let operations = fs::read_to_string(&day).expect("operations");
    let mut produce = Command::new(at("deploy/load/produce"));
    // One pause, after as many as may be sent in a second.
    let sent = succeed(produce.arg(&day).envs([("PRODUCER", "cat"), ("PACE", "1500")]));
    assert_eq!(sent.lines().count(), operations.lines().count());
    let mut strangers = 0;
    for (line, operation) in sent.lines().zip(operations.lines()) {
        let (key, value) = line.split_once('\t').expect("a key and a value");
        assert_eq!(value, operation);
        let operation: Value = serde_json::from_str(value).expect("an operation");
        assert_eq!(operation["wallet_id"], key);
        strangers += usize::from(operation["counterparty"]["wallet_id"].is_string());
    }
    assert!(strangers > 10, "no operation names the wallet of its counterparty too");
}

/// What the build stage copies is enough for cargo to accept the package, and is let through.
#[test]
fn the_image_has_what_it_is_built_of() {
    let dockerfile = read("deploy/Dockerfile");
    let ignored = read(".dockerignore");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let copies =
        dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--"));
    for line in copies {
        let mut sources: Vec<&str> = line.split_whitespace().collect();
        sources.pop();
        for source in sources {
            assert!(at(source).exists(), "{source} of deploy/Dockerfile is not there");
            let is_sent = ignored
                .lines()
                .filter_map(|line| line.strip_prefix('!'))
                .any(|kept| Path::new(source).starts_with(kept));
            assert!(is_sent, "{source} is not sent: .dockerignore");
            if !source.starts_with("deploy/") {
                let mut copy = Command::new("cp");
                succeed(copy.args(["-r", "--parents", source]).arg(scratch.path()).current_dir(ROOT));
            }
        }
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").expect("cargo runs this"));
    cargo.args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"]);
    succeed(cargo.current_dir(scratch.path()).stderr(Stdio::piped()));
    let manifest = read("Cargo.toml");
    let minor = |text: &str, after: &str| -> u32 {
        let rest = text.split_once(after).unwrap_or_else(|| panic!("no {after}")).1;
        rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).expect("a version")
    };
    assert!(
        minor(&dockerfile, "FROM rust:1.") >= minor(&manifest, "rust-version = \"1."),
        "the image's Rust is too old"
    );
    assert!(dockerfile.contains("\nUSER 10001"), "the service must not be root");
}
