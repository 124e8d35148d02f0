//! Where processes stand: for each thread its state and what it waits for in the system, and its stack, where a
//! debugger may look. A Java machine prints its threads itself.
//!
//! Everything that tests start descends from the test's own process, so nobody has to enter it anywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How much of a log is shown.
const TAIL_LINES: usize = 40;
/// How much of one process's stacks is shown; all of it is in the file.
const STACK_LINES: usize = 250;
/// A debugger reads many symbols first.
const DEBUGGER_SECONDS: &str = "60";
/// A Java machine prints its threads at once, unless it is halted.
const DUMP_PATIENCE: Duration = Duration::from_secs(3);

/// Tells where this process and all that it started stand.
pub(crate) fn of_all() -> String {
    let mut of = vec![std::process::id()];
    let parents = parents();
    let mut next = 0;
    while let Some(parent) = of.get(next).copied() {
        of.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    of_these(&of)
}

/// Tells where these processes stand.
pub(crate) fn of_these(pids: &[u32]) -> String {
    pids.iter().map(|pid| of_one(*pid)).collect()
}

/// The parent of each process.
fn parents() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat_fields(&format!("/proc/{pid}/stat"))?.get(1)?.parse().ok()?))).collect()
}

/// The fields behind the name: the state is the first of them, the parent the second.
fn stat_fields(path: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn word(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn of_one(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command: String = String::from_utf8_lossy(&command).replace('\0', " ").chars().take(200).collect();
    let state = stat_fields(&format!("/proc/{pid}/stat")).and_then(|fields| fields.first().cloned());
    let mut text = format!("=== process {pid}, state {}: {command}\n", state.unwrap_or_else(|| "gone".into()));
    for (thread, count) in threads(pid) {
        writeln!(text, "  {count:>3} × {thread}").unwrap_or(());
    }
    let name = word(&format!("/proc/{pid}/comm"));
    // Shells and tools have nothing in their stacks that their state does not tell.
    let stacks = match name.as_str() {
        "java" => java_stacks(pid),
        "sh" | "bash" | "timeout" | "tail" => None,
        _ => debugger_stacks(pid),
    };
    if let Some(stacks) = stacks {
        let file = keep(pid, &stacks);
        let shown: Vec<&str> = stacks.lines().filter(|line| !line.trim().is_empty()).take(STACK_LINES).collect();
        writeln!(text, "--- stacks, whole in {}\n{}", file.display(), shown.join("\n")).unwrap_or(());
    }
    // What the test's own process says is the test's output.
    if pid != std::process::id() {
        for file in logs(pid) {
            writeln!(text, "--- end of {}\n{}", file.display(), tail(&file)).unwrap_or(());
        }
    }
    text
}

/// The threads' names, states and what they wait for, with how many are alike.
fn threads(pid: u32) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok) {
        let of = |name: &str| word(&format!("{}/{name}", entry.path().display()));
        let state = stat_fields(&format!("{}/stat", entry.path().display()));
        let state = state.and_then(|fields| fields.first().cloned()).unwrap_or_default();
        let call = of("syscall");
        let call = call.split(' ').next().unwrap_or_default();
        // Only for root.
        let kernel = of("stack").lines().next().unwrap_or_default().trim_start_matches("[<0>] ").to_owned();
        let thread = format!("{}: {state}, waits in {} {kernel}, system call {call}", of("comm"), of("wchan"));
        *counts.entry(thread).or_default() += 1;
    }
    counts
}

/// Lets gdb look, if it is there and may.
fn debugger_stacks(pid: u32) -> Option<String> {
    // Into a file: when it is this process that is halted, nobody reads a pipe.
    let path = folder().join(format!("{pid}.gdb"));
    let file = File::create(&path).ok()?;
    let status = Command::new("timeout")
        .args([DEBUGGER_SECONDS, "gdb", "-nx", "-batch", "-p", &pid.to_string()])
        .args(["-iex", "set debuginfod enabled off", "-ex", "thread apply all backtrace 25"])
        .stdin(Stdio::null())
        .stdout(file.try_clone().ok()?)
        .stderr(file)
        .status();
    let said = fs::read(&path).unwrap_or_default();
    fs::remove_file(&path).ok();
    let said = String::from_utf8_lossy(&said);
    let is_stack = |line: &&str| line.starts_with("Thread ") || line.starts_with('#');
    let stacks: Vec<&str> = said.lines().filter(is_stack).collect();
    match status {
        Ok(_) if !stacks.is_empty() => Some(stacks.join("\n")),
        Ok(_) => Some(format!("gdb shows nothing: {}", said.lines().last().unwrap_or_default())),
        Err(error) => Some(format!("no stacks without gdb: {error}")),
    }
}

/// Asks a Java machine for its threads: it prints them where its other output goes.
fn java_stacks(pid: u32) -> Option<String> {
    let output = fs::read_link(format!("/proc/{pid}/fd/1")).ok()?;
    let before = fs::metadata(&output).ok()?.len();
    Command::new("kill").args(["-QUIT", &pid.to_string()]).status().ok()?;
    let begun = Instant::now();
    loop {
        let mut file = File::open(&output).ok()?;
        file.seek(SeekFrom::Start(before)).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // The last thing that it prints.
        if text.contains("Metaspace") || begun.elapsed() > DUMP_PATIENCE {
            return Some(text);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/stacks");
    // A file that cannot be written there is missed below.
    fs::create_dir_all(&folder).ok();
    folder
}

fn keep(pid: u32, stacks: &str) -> PathBuf {
    let path = folder().join(format!("{pid}.txt"));
    fs::write(&path, stacks).ok();
    path
}

/// The files that a process writes its output to.
fn logs(pid: u32) -> Vec<PathBuf> {
    let links = [1, 2].iter().filter_map(|number| fs::read_link(format!("/proc/{pid}/fd/{number}")).ok());
    let mut files: Vec<PathBuf> = links.filter(|path| path.is_file()).collect();
    files.dedup();
    files
}

fn tail(path: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
