//! Asks a running `kuzet serve` over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::fleet::Instance;

/// Longer than an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the body of the answer to a GET request, once the service says where it listens.
pub(crate) fn get(instance: &Instance, path: &str) -> Option<String> {
    let log = instance.log();
    // The log goes on where that of an earlier process ended.
    let line = log.lines().rfind(|line| line.contains("the service is ready"))?;
    let (_, rest) = line.split_once("address=")?;
    let mut stream = TcpStream::connect(rest.split_whitespace().next()?).ok()?;
    // A process that is halted takes connections and answers nothing.
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}
