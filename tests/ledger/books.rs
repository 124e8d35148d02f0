//! The books of a ledger: as the reference subscriber keeps them, and as they follow from the whole stream.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::decided::Decided;

/// What the books say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// State by wallet and operation.
    pub(crate) operations: BTreeMap<(String, String), String>,
    /// Kind, subject, direction, rule, end and state by id.
    pub(crate) restrictions: BTreeMap<String, [String; 6]>,
    /// Kind, subject and what by command id.
    pub(crate) tasks: BTreeMap<String, [String; 3]>,
    /// Last number by shard.
    pub(crate) shards: BTreeMap<String, u64>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Books {
    /// Computes the books from all decisions in the order in which they were made.
    pub(crate) fn of(records: &[Decided]) -> Self {
        let mut books = Self::default();
        for record in records {
            let decision: Value = serde_json::from_slice(&record.value).expect("decisions are JSON");
            books.shards.insert(record.partition.to_string(), {
                let seq = record.headers.iter().find(|(name, _)| name == "kuzet-seq").expect("a number");
                seq.1.parse().expect("a number")
            });
            books.decision(&decision);
        }
        books
    }

    fn decision(&mut self, decision: &Value) {
        let (wallet, op_id) = (text(&decision["wallet_id"]), text(&decision["op_id"]));
        let commands = decision["commands"].as_array().expect("commands");
        let is_money = ["transfer", "payment", "cash_out", "redemption", "top_up", "refund"];
        if is_money.contains(&decision["type"].as_str().expect("a type")) {
            let waits = commands.iter().any(|c| c["command"] == "hold" || c["challenge"] == "pin");
            let state = match decision["verdict"].as_str() {
                Some("refuse") => "refused",
                _ if waits => "waiting",
                _ => "done",
            };
            self.operations.insert((wallet.clone(), op_id), state.to_owned());
        }
        // Monitorings and blocks first: a hold may name one of them.
        let is_placing = |command: &&Value| matches!(command["command"].as_str(), Some("monitor" | "block"));
        for command in commands.iter().filter(is_placing).chain(commands.iter().filter(|c| !is_placing(c))) {
            self.command(&wallet, command);
        }
    }

    fn command(&mut self, wallet: &str, command: &Value) {
        let kind = text(&command["command"]);
        let (about, subject) = command["subject"].as_object().and_then(|subject| subject.iter().next()).expect("one");
        let subject = text(subject);
        let about_what = format!("{about} {subject}");
        match kind.as_str() {
            "release" | "cancel" => {
                let state = if kind == "release" { "done" } else { "cancelled" };
                self.operations.insert((wallet.to_owned(), subject), state.to_owned());
                if kind == "cancel" {
                    let own = |row: &&mut [String; 6]| row[0] == "hold" && row[1] == about_what && row[5] == "active";
                    self.restrictions.values_mut().filter(own).for_each(|row| row[5] = "ended".to_owned());
                }
            }
            "hold" | "monitor" | "block" => {
                let terms = [&command["direction"], &command["rule"], &command["until"]].map(text);
                let [direction, rule, until] = terms;
                let row = [kind, about_what, direction, rule, until, "active".to_owned()];
                let end = row[4].clone();
                let known = self.restrictions.entry(text(&command["restriction_id"])).or_insert(row);
                // Commanded again, it has a later end; a hold only names it.
                if command["command"] != "hold" {
                    known[4] = end;
                }
            }
            "lift" => {
                let row = self.restrictions.get_mut(&text(&command["restriction_id"])).expect("it was placed");
                row[5] = "lifted".to_owned();
            }
            "challenge" | "report" => {
                let what = command.get("challenge").or(command.get("to")).map(text).expect("what to do");
                self.tasks.insert(text(&command["command_id"]), [kind, about_what, what]);
            }
            "refuse" => {}
            other => panic!("unknown command {other}"),
        }
    }

    /// Reads the books of the subscriber.
    pub(crate) fn kept(file: &Path) -> Self {
        let output = subscriber(file).arg("--dump").output().expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut books = Self::default();
        for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let row: Value = serde_json::from_slice(line).expect("a line of JSON");
            let all = |names: &[&str]| names.iter().map(|name| text(&row[*name])).collect::<Vec<String>>();
            match row["table"].as_str().expect("a table") {
                "operations" => {
                    books.operations.insert((text(&row["wallet"]), text(&row["operation"])), text(&row["state"]));
                }
                "restrictions" => {
                    let names = all(&["kind", "subject", "direction", "rule", "until", "state"]);
                    books.restrictions.insert(text(&row["id"]), names.try_into().expect("six texts"));
                }
                "tasks" => {
                    let names = all(&["kind", "subject", "what"]);
                    books.tasks.insert(text(&row["command_id"]), names.try_into().expect("three texts"));
                }
                "shards" => {
                    books.shards.insert(text(&row["shard"]), row["seq"].as_u64().expect("a number"));
                }
                other => panic!("unknown table {other}"),
            }
        }
        books
    }
}

fn subscriber(file: &Path) -> Command {
    let program: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/ledger/subscriber.py");
    let mut command = Command::new("python3");
    // Leaves no compiled copy beside the program.
    command.arg("-B").arg(program).arg("--books").arg(file);
    command
}

/// A subscriber at work.
pub(crate) struct Subscriber {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Subscriber {
    pub(crate) fn start(file: &Path, bootstrap: &str, topic: &str, options: &[&str]) -> Self {
        let mut command = subscriber(file);
        command.args(["--brokers", bootstrap, "--topic", topic]).args(options);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python3 runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    /// Waits until it has booked at least so many records; returns how many.
    pub(crate) fn wait_for(&mut self, records: u64) -> u64 {
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("a line of UTF-8");
            let Some(booked) = line.trim().strip_prefix("booked ") else {
                panic!("it ended before {records} records: {:?}", self.child.wait());
            };
            let booked = booked.parse().expect("a number");
            if booked >= records {
                return booked;
            }
        }
    }

    /// Kills it where it stands.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }

    /// Waits for the end; returns the exit code and standard error.
    pub(crate) fn wait(self) -> (Option<i32>, String) {
        let Self { child, mut lines } = self;
        std::io::copy(&mut lines, &mut std::io::sink()).expect("its output");
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
