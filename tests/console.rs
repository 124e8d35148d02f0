//! The console in a real browser against the real service: what `tests/console` checks, without tokens
//! and with them. Node.js, npm and Chromium are needed; `make tools` installs them.

#![expect(clippy::print_stdout, reason = "what was tried once more belongs in the test's output")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

const KUZET: &str = env!("CARGO_BIN_EXE_kuzet");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// One browser at a time, and one installation of what drives it.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn without_tokens() {
    check(&[]);
}

#[test]
fn with_tokens() {
    check(&["ledger", "support", "analyst"]);
}

fn check(roles: &[&str]) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let chromium = chromium();
    let folder = install();
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let rules = scratch.path().join("rules");
    copy(&Path::new(ROOT).join("rules"), &rules);
    let tokens: Vec<(String, String)> = roles.iter().map(|role| token(role)).collect();
    let blocks: String = tokens.iter().map(|(_, block)| block.as_str()).collect();
    let service = Service::start(scratch.path(), &rules, &blocks);

    let mut environment: Vec<(String, OsString)> = vec![
        ("KUZET_CONSOLE".to_owned(), Path::new(ROOT).join("src/console").into()),
        ("CHROMIUM".to_owned(), chromium),
        ("KUZET_BIN".to_owned(), KUZET.into()),
        ("KUZET_RULES".to_owned(), rules.into()),
        ("KUZET_URL".to_owned(), service.url.clone().into()),
    ];
    for (role, (secret, _)) in roles.iter().zip(&tokens) {
        environment.push((format!("KUZET_TOKEN_{}", role.to_uppercase()), secret.into()));
    }
    let run = |only: &[String]| {
        let mut tests = Command::new("node");
        tests.current_dir(&folder).envs(environment.iter().cloned()).args(["--test", "--test-reporter=tap"]);
        tests.args(only.iter().map(|name| format!("--test-name-pattern=^{}$", literal(name)))).arg("console.test.mjs");
        let output = tests.output().expect("node runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (mut passed, mut report) = run(&[]);
    let failed = failures(&report);
    if !passed && !failed.is_empty() {
        // A browser on a machine with other work to do may miss a deadline; twice in the same test is a fault.
        let names: Vec<String> = failed.iter().map(|(name, _)| name.clone()).collect();
        println!("tried once more: {names:?}\n{}", failed.iter().map(|(_, text)| text.as_str()).collect::<String>());
        (passed, report) = run(&names);
    }
    let told: String = failures(&report).into_iter().map(|(_, text)| text).collect();
    assert!(passed, "the console does not do what it should:\n{}", if told.is_empty() { report } else { told });
}

/// Name and report of each test that failed, from what `node --test` prints (the Test Anything Protocol).
fn failures(report: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut is_inside = false;
    for line in report.lines() {
        if let Some(name) = line.strip_prefix("not ok ").and_then(|rest| rest.split_once(" - ")) {
            found.push((name.1.to_owned(), String::new()));
            is_inside = true;
        }
        if let (true, Some((_, text))) = (is_inside, found.last_mut()) {
            text.push_str(line);
            text.push('\n');
        }
        is_inside &= line != "  ...";
    }
    found
}

/// The pattern that matches this text only.
fn literal(text: &str) -> String {
    text.chars()
        .flat_map(|letter| (!letter.is_alphanumeric() && letter != ' ').then_some('\\').into_iter().chain([letter]))
        .collect()
}

#[test]
fn failed_tests_are_named_and_their_reports_kept() {
    let report = "TAP version 13\n# Subtest: a\nok 1 - a\n  ---\n  ...\nnot ok 2 - b, (c)\n  ---\n  error: 'x'\n  ...\nok 3 - d\n";
    let expected = ("b, (c)".to_owned(), "not ok 2 - b, (c)\n  ---\n  error: 'x'\n  ...\n".to_owned());
    assert_eq!(failures(report), [expected]);
    assert_eq!(literal("b, (c)"), r"b\, \(c\)");
}

/// Names the browser, after looking for everything that the package manager has to install.
fn chromium() -> OsString {
    let chromium = std::env::var_os("CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into());
    let runs = |program: &OsStr| Command::new(program).arg("--version").output().is_ok();
    let is_complete = runs(OsStr::new("node")) && runs(OsStr::new("npm")) && runs(&chromium);
    assert!(
        is_complete,
        "install nodejs (18 or newer), npm and chromium: `make tools FOR_TESTS=1`, or CHROMIUM=/path/of/it"
    );
    chromium
}

/// Copies the tests beside what they need, under `target`; returns the folder.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target folder").join("console");
    let lock = |folder: &Path| fs::read(folder.join("package-lock.json")).ok();
    let source = Path::new(ROOT).join("tests/console");
    let is_there = folder.join("node_modules/playwright-core/package.json").is_file() && lock(&folder) == lock(&source);
    copy(&source, &folder);
    if !is_there {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        succeed(&mut npm, "npm did not install what the tests need");
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a readable folder").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copied file");
        }
    }
}

/// Makes a token; returns it with its block of the configuration.
fn token(role: &str) -> (String, String) {
    let name = format!("{role}-desk");
    let mut command = Command::new(KUZET);
    let output = succeed(command.env_clear().args(["config", "token", "--name", &name, "--roles", role]), "no token");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stderr).trim().to_owned(), text(&output.stdout))
}

#[track_caller]
fn succeed(command: &mut Command, complaint: &str) -> Output {
    let output = command.output().expect(complaint);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{complaint}:\n{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// A running service; ends when it goes out of scope.
struct Service {
    process: Child,
    url: String,
}

impl Service {
    fn start(folder: &Path, rules: &Path, tokens: &str) -> Self {
        let config = folder.join("kuzet.toml");
        let (store, rules) = (folder.join("store"), rules.display());
        let text = format!(
            "[rules]\nfolder = '{rules}'\nwatch = false\n[store]\npath = '{}'\n[http]\nlisten = '127.0.0.1:0'\n{tokens}",
            store.display()
        );
        fs::write(&config, text).expect("a written file");
        let mut command = Command::new(KUZET);
        command.env_clear().args(["--log-format", "json", "serve", "--config"]).arg(&config);
        let process = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary has been built");
        let mut service = Self { process, url: String::new() };
        let mut lines = BufReader::new(service.process.stderr.take().expect("a pipe")).lines();
        let mut log = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            let record: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if record["message"] == "the service is ready" {
                service.url = format!("http://{}", record["address"].as_str().expect("an address"));
                // A full pipe would stop the service.
                thread::spawn(move || lines.for_each(drop));
                return service;
            }
            log.push_str(&line);
        }
        panic!("the service did not start: {log}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
