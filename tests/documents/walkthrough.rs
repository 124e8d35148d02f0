//! `docs/walkthrough.md`, run as it is written: each command in one shell, and what it prints.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{blocks, root};

/// A command, of one or more lines, and what it prints: a line that consists of `…` stands for any lines, one within a
/// line for any text.
struct Step {
    command: String,
    prints: Vec<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in blocks(text).into_iter().filter(|block| block.language == "console") {
        for line in block.lines {
            match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
                (Some(command), _, _) => steps.push(Step { command: command.to_owned(), prints: Vec::new() }),
                (None, Some(more), Some(step)) if step.prints.is_empty() => {
                    step.command.push('\n');
                    step.command.push_str(more);
                }
                (None, _, Some(step)) => step.prints.push(line),
                (None, _, None) => panic!("{line:?} comes before the first command"),
            }
        }
    }
    steps
}

/// A loop of the walkthrough that waits in vain ends so.
const SECONDS_MAX: &str = "300";

/// The end of what one command prints, with its exit code.
const MARK: &str = "=== the command ended with ";

fn script(steps: &[Step], port: u16) -> String {
    let mut script = String::from("export LC_ALL=C.UTF-8\n");
    for step in steps {
        script.push_str(&step.command.replace("8480", &port.to_string()));
        script.push_str(&format!("\necho \"{MARK}$?\"\n"));
    }
    script
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Tells whether lines are those that are shown, where `…` leaves lines or parts of them out.
fn is_shown(shown: &[String], printed: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return printed.is_empty() };
    if first.trim() == "…" {
        return (0..=printed.len()).any(|skipped| is_shown(rest, &printed[skipped..]));
    }
    let Some((line, others)) = printed.split_first() else { return false };
    line_is_shown(first.trim_end(), line.trim_end()) && is_shown(rest, others)
}

fn line_is_shown(shown: &str, printed: &str) -> bool {
    let Some((first, others)) = shown.split_once('…') else { return shown == printed };
    let Some(rest) = printed.strip_prefix(first) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| line_is_shown(others, &rest[at..]))
}

#[test]
fn the_walkthrough_runs_as_it_is_written() {
    let text = fs::read_to_string(root("docs/walkthrough.md")).expect("the walkthrough");
    let steps = steps(&text);
    assert!(steps.len() >= 15, "{} commands", steps.len());
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["rules", "geoip"] {
        copy(&root(part), &folder.path().join(part));
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let program = Path::new(env!("CARGO_BIN_EXE_kuzet")).parent().expect("a folder");
    let paths = crate::environment::text("PATH").unwrap_or_default();
    let mut command = Command::new("timeout");
    crate::command::without_ours(&mut command);
    let output = command
        .args([
            "--signal=KILL",
            SECONDS_MAX,
            "bash",
            "-c",
            &format!("exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null' EXIT\n{}", script(&steps, port)),
        ])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{paths}", program.display()))
        .stdin(Stdio::null())
        .output()
        .expect("timeout starts");
    let printed = String::from_utf8(output.stdout).expect("a text").replace(&port.to_string(), "8480");
    let parts: Vec<&str> = printed.split(MARK).collect();
    assert_eq!(
        parts.len(),
        steps.len() + 1,
        "a command ended the shell, or it took more than {SECONDS_MAX} s:\n{printed}"
    );
    for (number, (step, part)) in steps.iter().zip(&parts).enumerate() {
        // A part begins with the exit code of the command before it.
        let part = if number == 0 { part } else { part.split_once('\n').map_or("", |(_, rest)| rest) };
        let lines: Vec<&str> = part.lines().collect();
        assert!(
            is_shown(&step.prints, &lines),
            "docs/walkthrough.md: $ {}\nshows\n{}\nbut prints\n{part}",
            step.command,
            step.prints.join("\n")
        );
    }
}

#[test]
fn what_is_left_out_is_found_or_not() {
    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(is_shown(&shown(&["a", "…", "c…e"]), &["a", "b", "b", "cde"]));
    assert!(is_shown(&shown(&["a", "…"]), &["a"]));
    assert!(!is_shown(&shown(&["a"]), &["a", "b"]));
    assert!(!is_shown(&shown(&["a", "…", "c"]), &["a", "b"]));
    assert!(!is_shown(&shown(&["a…c"]), &["abd"]));
}
