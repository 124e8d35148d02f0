//! Runs the binary as a person does.

use std::fs;
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
            // On another day the table of MRPs may lack the next year's.
            .args(["--today", "2026-11-30"])
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

const RULE: &str =
    "clauses: [\"7.15\"]\ntitle: {kk: сынақ, ru: проба, en: test}\nowner: risk\nmode: shadow\non: payment\n";

#[test]
fn one_file_is_checked_among_the_others_of_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules/section7");
    fs::create_dir_all(&rules).expect("a folder");
    let write = |name: &str, when: &str| {
        let text = format!("rule: {name}\n{RULE}when: {when}\nthen:\n  - monitor\n");
        let path = rules.join(format!("{name}.yaml"));
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (good, bad) = (write("good", "amount > 5 KZT"), write("bad", "amount => 5 KZT"));
    let output = kuzet(&["check", &bad]);
    let found = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{found}");
    let told = format!("1 error, 0 warnings in {bad}\nFor more about this error: kuzet check --explain bad-operator\n");
    assert!(found.contains("error[bad-operator]") && found.ends_with(&told), "{found}");
    let output = kuzet(&["check", &good]);
    let found = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{found}");
    assert!(found.starts_with("0 errors, 0 warnings in") && found.contains("1 finding in other files"), "{found}");
    fs::remove_file(&bad).expect("removed");
    let found = text(&kuzet(&["check", &good]).stdout);
    assert!(found.starts_with("1 rules load"), "{found}");
}

#[test]
fn check_explains_every_code_and_names_the_nearest_of_a_wrong_one() {
    let output = kuzet(&["check", "--explain", "money-without-unit"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("money-without-unit: money without `KZT` or `MRP`\n\n"), "{told}");
    assert!(told.contains("\nThis gives it:\n\n    when: amount > 100_000\n\nWrite instead:\n"), "{told}");
    let all = text(&kuzet(&["check", "--explain"]).stdout);
    assert!(all.lines().any(|line| line.starts_with("unknown-field  ")), "{all}");
    let output = kuzet(&["check", "--explain", "unkown-field"]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(told.contains("no finding has the code `unkown-field`; did you mean `unknown-field`?"), "{told}");
    assert_eq!(kuzet(&["check", "rules", "--explain", "unknown-field"]).status.code(), Some(2));
}

#[test]
fn check_shows_notes_when_asked_and_looks_at_the_table_of_a_day() {
    let check = |more: &[&str]| {
        let output = kuzet(&[&["check", "rules", "--geoip", "tests/geo"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let told = check(&["--today", "2026-11-30"]);
    assert!(told.contains(", 0 warnings, ") && !told.contains("note["), "{told}");
    assert!(told.ends_with("4 notes: `kuzet check rules --notes` shows what is good to know\n"), "{told}");
    let told = check(&["--today", "2026-11-30", "--notes"]);
    assert!(told.contains("note[shared-window]: wallets share this window"), "{told}");
    let told = check(&["--today", "2026-12-01"]);
    assert!(told.contains("warning[mrp-ends]: the MRP of 2027 is missing"), "{told}");
    let told: serde_json::Value =
        serde_json::from_str(&check(&["--today", "2026-12-01", "--format", "json"])).expect("JSON");
    let found: Vec<&str> =
        told["diagnostics"].as_array().expect("a list").iter().filter_map(|found| found["code"].as_str()).collect();
    assert_eq!(found.iter().filter(|code| **code == "mrp-ends").count(), 1);
    assert_eq!(found.iter().filter(|code| **code == "shared-window").count(), 4);
    assert_eq!(kuzet(&["check", "--today", "2026-12-32"]).status.code(), Some(2));
}

#[test]
fn a_folder_without_rules_is_an_error_that_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let output = kuzet(&["check", &path]);
    let found = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert!(found.contains("error[no-rules]") && found.ends_with("kuzet check --explain no-rules\n"), "{found}");
    assert_eq!(kuzet(&["check", &path, "--allow-empty"]).status.code(), Some(0));
}

#[test]
fn a_replay_that_understood_no_record_exits_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |lines: &str| {
        let path = folder.path().join("operations.jsonl");
        fs::write(&path, lines).expect("a file");
        kuzet(&["replay", &path.display().to_string()])
    };
    let operation = "{\"op_id\":\"a\",\"type\":\"payment\",\"occurred_at\":\"2026-03-02T10:00:00Z\",\"wallet_id\":\"W\",\
                     \"client_status\":\"identified\",\"amount\":\"1\",\"counterparty\":{\"kind\":\"merchant\"}}\n";
    let output = run("{}\nnot JSON\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("kuzet: every record was refused: nothing was decided"), "{output:?}");
    assert_eq!(run(&format!("{{}}\n{operation}")).status.code(), Some(0));
    assert_eq!(run("").status.code(), Some(0), "no record at all is none that was refused");
}

#[test]
fn a_digest_reads_packed_files_and_shows_what_a_terminal_would_obey() {
    let folder = tempfile::tempdir().expect("a folder");
    let decision = serde_json::json!({
        "decision_id": "d", "op_id": "op\u{1b}[2J", "wallet_id": "W\u{1b}]0;x\u{7}\u{202e}1", "type": "payment",
        "occurred_at": "2026-03-02T10:00:00Z", "verdict": "hold", "commands": [], "matches": [
            {"rule": "r\u{9b}31m", "clauses": ["7.15"], "mode": "enforce", "evidence": {"device_id": "\u{8}\n"}},
        ],
    });
    let packed = |name: &str, text: &str| {
        let path = folder.path().join(name);
        let mut packer =
            flate2::write::GzEncoder::new(fs::File::create(&path).expect("a file"), flate2::Compression::fast());
        std::io::Write::write_all(&mut packer, text.as_bytes()).expect("written");
        packer.finish().expect("packed");
        path.display().to_string()
    };
    let operations = packed("operations.jsonl.gz", "{\"op_id\": \"other\"}\n");
    let decisions = packed("decisions.jsonl.gz", &format!("{decision}\n\n"));
    let output = kuzet(&["digest", "--operations", &operations, "--decisions", &decisions]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!told.contains(|letter: char| letter.is_control() && letter != '\n'), "{told:?}");
    for shown in ["W\\u{1b}]0;x\\u{7}\\u{202e}1", "r\\u{9b}31m", "device_id \\u{8}\\u{a}"] {
        assert!(told.contains(shown), "{shown}: {told}");
    }
}

#[test]
fn shells_get_what_they_complete_with() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = kuzet(&["completions", shell]);
        let script = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(script.contains("ledger-check") && script.contains("log-format"), "{shell}: {script}");
    }
    assert_eq!(kuzet(&["completions", "dosshell"]).status.code(), Some(2));
}
