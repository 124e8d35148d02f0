//! The real binary in a folder of its own, and what its log tells.
//!
//! At level `debug` the worker thread writes a line before it decides a batch, before it commits it, and
//! before it answers. It writes them itself and without a buffer, so the last of these lines in the pipe
//! of a process that is dead names what the worker was in when it was killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{standing, wait};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Phase {
    Deciding,
    Committing,
    Answering,
}

/// When to kill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Not before this many batches.
    pub(crate) batches: u64,
    /// So long after the worker entered this.
    pub(crate) phase: Phase,
    pub(crate) delay: Duration,
}

/// What the log tells of the batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// The number of the first batch of this process.
    pub(crate) first_batch: Option<u64>,
    /// What the worker entered last.
    pub(crate) last: Option<(Phase, u64)>,
    /// All lines but those of the phases.
    pub(crate) lines: Vec<String>,
}

pub(crate) struct Served {
    child: Arc<Mutex<Child>>,
    pub(crate) pid: u32,
    reader: JoinHandle<Log>,
    ready: Receiver<SocketAddr>,
}

/// Writes a configuration of a store in the folder.
pub(crate) fn configure(folder: &Path, log_format: &str) {
    let home = env!("CARGO_MANIFEST_DIR");
    let text = format!(
        "[rules]\nfolder = \"{home}/rules\"\nwatch = false\n[geoip]\nfolder = \"{home}/geoip\"\nwatch = false\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"store\"\n[engine]\nduplicate_horizon = \"366d\"\n\
         [log]\nlevel = \"debug\"\nformat = \"{log_format}\"\n"
    );
    std::fs::write(folder.join("kuzet.toml"), text).expect("a configuration");
}

/// The command that serves in a folder.
pub(crate) fn serve(folder: &Path) -> Command {
    let mut command = crate::command::kuzet();
    command.arg("serve").current_dir(folder);
    command
}

impl Served {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_as(serve(folder), None)
    }

    /// Starts, and kills at the moment.
    pub(crate) fn start_as(mut command: Command, moment: Option<Moment>) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("kuzet starts");
        let stderr = child.stderr.take().expect("a pipe");
        let (pid, child) = (child.id(), Arc::new(Mutex::new(child)));
        let (ready_sender, ready) = channel();
        let killed = Arc::clone(&child);
        let reader = std::thread::spawn(move || {
            let mut follower = Follower { log: Log::default(), ready: ready_sender, moment, killed, batches: 0 };
            for line in BufReader::new(stderr).lines() {
                follower.line(line.expect("a line of UTF-8"));
            }
            follower.log
        });
        Self { child, pid, reader, ready }
    }

    /// Waits until it takes requests; `None` if it ended before.
    pub(crate) fn ready(&self) -> Option<SocketAddr> {
        match self.ready.recv_timeout(wait::PATIENCE) {
            Ok(address) => Some(address),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("kuzet neither is ready nor ends\n{}", standing::of_all()),
        }
    }

    pub(crate) fn kill(&self) {
        kill(&self.child);
    }

    /// Asks it to end; it takes signals once it is ready.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for the end; returns what it ended with, and the log.
    pub(crate) fn wait(self) -> (ExitStatus, Log) {
        let status = wait::until("kuzet ends", || self.child.lock().expect("no panic").try_wait().expect("a child"));
        let _watched = wait::watched("the log of a process that has ended is read to its end");
        (status, self.reader.join().expect("the log was read"))
    }
}

fn kill(child: &Mutex<Child>) {
    // It may have ended by itself.
    drop(child.lock().expect("no panic").kill());
}

/// Follows the log of a running process.
struct Follower {
    log: Log,
    ready: Sender<SocketAddr>,
    moment: Option<Moment>,
    killed: Arc<Mutex<Child>>,
    batches: u64,
}

impl Follower {
    fn line(&mut self, line: String) {
        let fields: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        let phase = match fields["phase"].as_str() {
            Some("Deciding") => Phase::Deciding,
            Some("Committing") => Phase::Committing,
            Some("Answering") => Phase::Answering,
            _ => {
                if let Some(address) = address(&line) {
                    self.ready.send(address).unwrap_or(());
                }
                self.log.lines.push(line);
                return;
            }
        };
        let batch = fields["batch"].as_u64().expect("the batch's number");
        self.log.first_batch.get_or_insert(batch);
        self.log.last = Some((phase, batch));
        self.batches += u64::from(phase == Phase::Deciding);
        if let Some(moment) = self.moment
            && moment.phase == phase
            && self.batches >= moment.batches
        {
            // Sleeping would take longer than these moments are.
            let begun = Instant::now();
            while begun.elapsed() < moment.delay {
                std::hint::spin_loop();
            }
            kill(&self.killed);
            self.moment = None;
        }
    }
}

/// Reads the address out of the line of a service that is ready, in either format.
fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("address=").or_else(|| line.split_once("\"address\":\""))?;
    let end = rest.find([' ', '"'])?;
    line.contains("the service is ready").then(|| rest[..end].parse().expect("an address"))
}
