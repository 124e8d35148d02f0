//! A server of this process that answers with what a test shows at each path.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server answers at a path.
#[derive(Clone, Default)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The length that the head tells, if another than the body's.
    pub(crate) told: Option<usize>,
    /// Waits before it answers.
    pub(crate) delay: Duration,
}

impl Page {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Pages = Arc<Mutex<BTreeMap<String, Page>>>;

/// A server in a thread of its own; it ends with the process.
pub(crate) struct Server {
    address: SocketAddr,
    pages: Pages,
    /// The requests that came, each as its lines.
    heard: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (pages, heard) = (Pages::default(), Arc::new(Mutex::new(Vec::new())));
        let server = Self { address, pages: Arc::clone(&pages), heard: Arc::clone(&heard) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, heard) = (Arc::clone(&pages), Arc::clone(&heard));
                std::thread::spawn(move || answer(stream, &pages, &heard));
            }
        });
        server
    }

    pub(crate) fn show(&self, path: &str, page: Page) {
        self.pages.lock().expect("no test panicked").insert(path.to_owned(), page);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The lines of the last request for a path.
    pub(crate) fn last(&self, path: &str) -> Vec<String> {
        let heard = self.heard.lock().expect("no test panicked");
        let is_for = |lines: &&Vec<String>| lines[0].starts_with(&format!("GET {path} "));
        heard.iter().rev().find(is_for).cloned().unwrap_or_default()
    }
}

/// Answers one request; a client that has gone is no fault.
fn answer(stream: TcpStream, pages: &Pages, heard: &Mutex<Vec<Vec<String>>>) -> Option<()> {
    let mut lines = Vec::new();
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_ascii_lowercase().replacen("get ", "GET ", 1));
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let page = pages.lock().ok()?.get(&path).cloned().unwrap_or_else(|| Page::new(404, "not here"));
    let has = |line: &str| lines.iter().any(|known| known == line);
    let is_known = page.headers.iter().any(|(name, value)| {
        (name == "etag" && has(&format!("if-none-match: {}", value.to_ascii_lowercase())))
            || (name == "last-modified" && has(&format!("if-modified-since: {}", value.to_ascii_lowercase())))
    });
    heard.lock().ok()?.push(lines);
    std::thread::sleep(page.delay);
    let (status, body) = if is_known { (304, Vec::new()) } else { (page.status, page.body) };
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    for (name, value) in &page.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !is_known {
        head.push_str(&format!("content-length: {}\r\n", page.told.unwrap_or(body.len())));
    }
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(b"\r\n").ok()?;
    stream.write_all(&body).ok()?;
    stream.flush().ok()
}
