//! Runs the binary as a person does.

use std::process::{Output, Stdio};

use kuzet::cli;

fn kuzet(arguments: &[&str]) -> Output {
    let mut command = crate::command::kuzet();
    command.args(arguments).stdin(Stdio::null()).output().expect("the binary has been built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// At any depth: `geoip build` as well as `geoip`. An example is a command line of this program.
#[test]
fn help_of_every_command_has_an_example() {
    let paths = cli::command_paths();
    assert!(paths.iter().any(|path| path == "replay") && paths.iter().any(|path| path == "store verify"), "{paths:?}");
    let mut without = Vec::new();
    for path in paths {
        let output = crate::command::kuzet().args(path.split(' ')).arg("--help").output().expect("built");
        assert_eq!(output.status.code(), Some(0), "{path}");
        let help = text(&output.stdout);
        let examples: Vec<&str> = help.lines().skip_while(|line| !line.starts_with("Example")).skip(1).collect();
        let wanted = format!("kuzet {path}");
        if !examples.iter().any(|line| line.contains(&wanted)) {
            without.push(path);
        }
    }
    assert!(without.is_empty(), "no example below a line `Example:` in the help of: {}", without.join(", "));
}

#[test]
fn a_mistaken_command_line_exits_2_and_names_the_mistake() {
    for (arguments, named) in [
        (&["replya"][..], "replay"),
        (&["replay"], "OPS"),
        (&["replay", "x", "--nonsense"], "--nonsense"),
        (&["replay", "no/such/file"], "failed to open no/such/file: No such file"),
        (&["--log-format", "xml", "replay", "x"], "json"),
        (&["digest", "--operations", "no/such", "--decisions", "x"], "failed to open no/such: No such file"),
        (&["geoip", "build", "--vpn", "no/such", "--out", "x"], "failed to read no/such: No such file"),
        (&["simulate", "--wallets", "0", "--ops", "1", "--seed", "1"], "wallets must be between 1 and"),
        (
            &["simulate", "--wallets", "1", "--ops", "1", "--seed", "1", "--start", "today"],
            "--start today is not a time",
        ),
        (
            &["simulate", "--wallets", "1", "--ops", "1", "--seed", "1", "--out", "no/such/file"],
            "failed to open no/such/file for writing: No such file",
        ),
        (
            &["simulate", "--wallets", "1", "--ops", "1", "--seed", "1", "--out", "x", "--labels", "x"],
            "--out and --labels are both x",
        ),
    ] {
        let output = kuzet(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = text(&output.stderr);
        assert!(message.contains(named), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_fault_of_a_simulation() {
    let output = kuzet(&["simulate", "--wallets", "10", "--ops", "5000", "--seed", "1", "--out", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.starts_with("kuzet: failed to write /dev/full after 0 operations: No space left"), "{message}");
}

#[test]
fn a_missing_folder_of_rules_exits_64() {
    let output = kuzet(&["replay", "-", "--rules", "no/such/folder"]);
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(text(&output.stderr), "kuzet: failed to find the rules folder no/such/folder: not a folder\n");
}

#[test]
fn log_format_json_makes_errors_json() {
    let output = kuzet(&["replay", "no/such/file", "--log-format", "json"]);
    let line: serde_json::Value = serde_json::from_slice(&output.stderr).expect("one JSON object");
    assert_eq!(line["level"], "error");
}

#[test]
fn version_is_told() {
    let output = kuzet(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), format!("kuzet {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = crate::command::kuzet().arg("--help").stdout(writer).output().expect("built");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "kuzet: output closed by its reader\n");
}

#[test]
fn check_says_that_the_anonymizers_are_a_sample() {
    let check = |geoip: &str| {
        let root = |path: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let output = crate::command::kuzet()
            .arg("check")
            .arg(root("rules"))
            .arg("--geoip")
            .arg(root(geoip))
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(0));
        text(&output.stdout)
    };
    let told = "warning: sample anonymizer database: rule 7.15 on proxies cannot fire (";
    assert!(check("geoip").lines().any(|line| line.starts_with(told)), "{}", check("geoip"));
    assert!(!check("tests/geo").contains("warning: "), "{}", check("tests/geo"));
}

/// `kuzet schema operation | head -1`: who has seen enough is no error.
#[test]
fn a_document_may_be_read_in_part() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = crate::command::kuzet().args(["schema", "operation"]).stdout(writer).output().expect("built");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}
