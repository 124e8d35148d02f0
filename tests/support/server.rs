//! A real redis-server of the test's own. One that does not start fails the test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use kuzet::adapters::redis::RedisSettings;
use tempfile::TempDir;

/// Killed when it is dropped.
pub(crate) struct Server {
    process: Option<Child>,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Server {
    /// Starts a server that listens on a socket in a folder of its own and keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with more arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server =
            Self { process: None, folder, arguments: arguments.iter().map(|text| String::from(*text)).collect() };
        server.start_again();
        server
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Starts the server again, in its folder; waits until it says that it is ready.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        let mut command = Command::new("redis-server");
        command.current_dir(self.folder.path()).args(["--save", "", "--appendonly", "no"]);
        command.args(["--unixsocket", "redis.sock"]);
        if !self.arguments.iter().any(|argument| argument.contains("port")) {
            command.args(["--port", "0"]);
        }
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("redis-server is installed (Debian: package redis-server)");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut said = Vec::new();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| {
            said.push(line.clone());
            line.to_lowercase().contains("ready to accept connections")
        });
        assert!(ready, "redis-server ended:\n{}", said.join("\n"));
        // Read on, so that the server never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        self.process = Some(process);
    }

    /// Ends the server as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a process to kill");
            process.wait().expect("it ends");
        }
    }

    /// Sends a signal: `STOP` lets it hang, `CONT` go on.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("it runs").id();
        let status = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).status().expect("kill");
        assert!(status.success());
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        RedisSettings::new(&self.url())
    }

    /// A connection besides the store's.
    pub(crate) fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).expect("a client").get_connection().expect("a connection")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}
