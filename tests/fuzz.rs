//! Malformed bodies, heads, tokens and queries over the wire, and damaged files: never a fault, never a wrong acceptance.
//!
//! Each target runs `KUZET_FUZZ_CASES` cases (default 1,500) from `KUZET_SEED` (default 1), or for
//! `KUZET_FUZZ_SECONDS` seconds where that is set (`make fuzz`).
#![expect(clippy::print_stdout, reason = "seeds and counts belong in the test's output")]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::client::{raw, request};
use crate::environment::number;
use crate::random::Random;
use kuzet::app::serve::{Hearing, Running};
use kuzet::config;
use kuzet::operation::decode;

mod files;

impl Random {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

struct Server {
    running: Option<Running>,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(settings: &str) -> (Self, SocketAddr) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store").display().to_string();
        let text = format!("[store]\npath = {path:?}\n[http]\nlisten = \"127.0.0.1:0\"\n{settings}");
        let config = config::parse("test", &text, []).unwrap_or_else(|errors| panic!("{errors}"));
        let running = Running::start(&config, Hearing::OnceWaiting).expect("a service");
        let address = running.address;
        (Self { running: Some(running), _folder: folder }, address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

/// Runs cases until enough; a case returns what it saw, for the count.
fn run(name: &str, mut case: impl FnMut(&mut Random) -> String) {
    let seed = number("KUZET_SEED").unwrap_or(1);
    let cases = number("KUZET_FUZZ_CASES").unwrap_or(1_500);
    let until = number("KUZET_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (mut rng, mut seen, mut count) = (Random(seed), BTreeMap::<String, u64>::new(), 0_u64);
    while until.map_or(count < cases, |until| Instant::now() < until) {
        *seen.entry(case(&mut rng)).or_default() += 1;
        count += 1;
    }
    println!("{name}: seed {seed}, {count} cases: {seen:?}");
    assert!(seen.len() > 1, "every case ended the same way: {seen:?}");
}

/// The status of an answer; a connection that was closed without one is fine for broken HTTP.
fn status(answer: &[u8]) -> String {
    let status = answer.strip_prefix(b"HTTP/1.1 ").or_else(|| answer.strip_prefix(b"HTTP/1.0 "));
    match status.and_then(|rest| rest.get(..3)) {
        Some(status) => String::from_utf8_lossy(status).into_owned(),
        None => String::from("closed"),
    }
}

fn no_fault(answer: &[u8], sent: &[u8]) -> String {
    let status = status(answer);
    assert!(!status.starts_with('5'), "{status} to {:?}", String::from_utf8_lossy(sent));
    status
}

/// Sends bytes and reads one head of an answer. What is sent may ask for a connection that stays open, a
/// stream, or wait for the rest of a request: then nothing more comes.
fn first_answer(address: SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    drop(stream.write_all(sent));
    let (mut answer, mut piece) = (Vec::new(), [0; 4_096]);
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock && answer.is_empty() => return String::from("waits"),
            Err(_) => break,
        }
    }
    no_fault(&answer, sent)
}

/// What may stand around a header's value; nothing else that looks empty may.
const SPACES: [char; 2] = [' ', '\t'];

const SOUND: &[&str] = &[
    r#"{"op_id":"a1","type":"transfer","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"w1","client_status":"identified","amount":"150000.00","counterparty":{"kind":"client","wallet_id":"w2"},"ip":"95.56.234.10","device_id":"d1","attributes":{"channel":"mobile","n":1,"b":true}}"#,
    r#"{"op_id":"a2","type":"login","occurred_at":"2026-03-02T10:00:00.5+05:00","wallet_id":"w1","outcome":"failure","ip":"2001:db8::1"}"#,
    r#"{"op_id":"a3","type":"identity_confirmed","occurred_at":"2026-03-02T10:00:01Z","wallet_id":"w1","proof":"agreed","order":"cancel","actor":"x","source":"support"}"#,
    r#"{"op_id":"a4","type":"cancelled","occurred_at":"2026-03-02T10:00:02Z","wallet_id":"w1","ref_op_id":"a1"}"#,
];

const PIECES: &[&str] = &[
    "null",
    "true",
    "-0",
    "1e999",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "{}",
    "[]",
    "[[[[",
    "{\"a\":",
    ",",
    ":",
    "\"",
    "\\",
    "\u{202e}",
    "\u{feff}",
    "99999999999999999999",
    "0.001",
    "\"op_id\"",
    "\"amount\"",
    "\"type\":\"pin\"",
    "\"KZT\"",
    "9999-12-31T23:59:60Z",
    "::ffff:1.2.3.4",
    "\n",
    "\r\n",
    "\0",
];

/// Changes a text a few times: pieces in, bytes out, bytes changed, parts repeated, cut short.
fn damage(rng: &mut Random, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len() + 1);
        let end = (at + rng.below(12)).min(bytes.len());
        match rng.below(6) {
            0 => drop(bytes.splice(at..at, rng.pick(PIECES).bytes())),
            1 => drop(bytes.splice(at..end, rng.pick(PIECES).bytes())),
            2 => drop(bytes.drain(at..end)),
            3 if at < bytes.len() => bytes[at] = u8::try_from(rng.below(256)).expect("a byte"),
            4 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

#[test]
fn bodies() {
    let (_server, address) = Server::start("");
    let mut operation = 0_u64;
    run("bodies", |rng| {
        operation += 1;
        let sound = rng.pick(SOUND).replacen("\"op_id\":\"a", &format!("\"op_id\":\"{operation}a"), 1);
        let body = match rng.below(5) {
            0 => {
                let parts: Vec<_> = (0..rng.below(4)).map(|_| damage(rng, &sound)).collect();
                [b"[".to_vec(), parts.join(&b','), b"]".to_vec()].concat()
            }
            1 => sound.clone().into_bytes(),
            _ => damage(rng, &sound),
        };
        let sent = request("POST", "/v1/operations", &[], &body);
        let status = no_fault(&raw(address, &sent), &sent);
        // A single operation is accepted when decoding accepts it, unless its id was used before.
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
            let is_sound = decode::decode(&body).is_ok();
            assert!(is_sound || status != "200", "accepted: {:?}", String::from_utf8_lossy(&body));
            assert!(!is_sound || status == "200" || status == "409", "{status}: {:?}", String::from_utf8_lossy(&body));
        }
        status
    });
    assert_eq!(status(&raw(address, &request("GET", "/readyz", &[], b""))), "200");
}

#[test]
fn heads() {
    let (_server, address) = Server::start("");
    run("heads", |rng| {
        let method = rng.pick(&["GET", "POST", "HEAD", "OPTIONS", "TRACE", "get", "\u{1}", ""]);
        let path = rng.pick(&[
            "/",
            "/v1/decisions",
            "/v1/wallets/%00",
            "/v1/wallets/%ff%fe",
            "/v1/wallets/..%2f",
            "/v1/decisions/1e9",
            "//",
            "*",
            "http://x/",
            "/v1/rules/%F0%9F%92%A9",
            "/app.js",
            "/../Cargo.toml",
            "/vendor/../../Cargo.toml",
        ]);
        let header = rng.pick(&[
            "accept: text/event-stream; x",
            "content-length: 1\r\n\r\n{}",
            "content-length: 9",
            "content-length: 5\r\ncontent-length: 6",
            "expect: 100-continue",
            "transfer-encoding: chunked",
            "connection: upgrade\r\nupgrade: h2c",
            "last-event-id: -1",
            "last-event-id: x",
            "cookie: \u{ff}",
            "range: bytes=0-9",
            "if-none-match: *",
            "host: localhost",
            ": nothing",
            "x\0: y",
        ]);
        let sound = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n\r\n");
        let sent = if rng.below(2) == 0 { sound.into_bytes() } else { damage(rng, &sound) };
        first_answer(address, &sent)
    });
    assert_eq!(status(&raw(address, &request("GET", "/readyz", &[], b""))), "200");
}

#[test]
fn tokens() {
    let token = "kzt_0123456789012345678901234567890123456789012";
    let hash = config::TokenHash::of(token);
    let block = format!("[[token]]\nname = \"a\"\nhash = \"{hash}\"\nroles = [\"analyst\"]\n");
    let (_server, address) = Server::start(&block);
    let sound = format!("Bearer {token}");
    run("tokens", |rng| {
        let header = if rng.below(8) == 0 { sound.clone().into_bytes() } else { damage(rng, &sound) };
        let mut sent = b"GET /v1/rules HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: ".to_vec();
        sent.extend(header.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
        sent.extend_from_slice(b"\r\n\r\n");
        let status = no_fault(&raw(address, &sent), &sent);
        let is_known = std::str::from_utf8(&header).is_ok_and(|text| {
            let text: String = text.chars().filter(|found| !matches!(found, '\r' | '\n')).collect();
            // The scheme is a word in any case, as HTTP says; the token is exact.
            text.trim_matches(SPACES).split_once(' ').is_some_and(|(scheme, given)| {
                scheme.eq_ignore_ascii_case("Bearer") && given.trim_matches(SPACES) == token
            })
        });
        assert_eq!(status == "200", is_known, "{:?}", String::from_utf8_lossy(&sent));
        status
    });
}

#[test]
fn backtests() {
    let (_server, address) = Server::start("");
    run("backtests", |rng| {
        let sound = rng.pick(&[
            r#"{"rules":"current"}"#,
            r#"{"rules":"current","against":"current","days":7,"limits":{"new_holds":1,"daily_alerts":null}}"#,
            r#"{"rules":"current","from":"2026-03-02T00:00:00+05:00","to":"2026-03-03T00:00:00Z"}"#,
            r#"{"rules":{"a/b.yaml":"id: b","law/x.yaml":null},"against":"current"}"#,
        ]);
        let body = damage(rng, sound);
        let sent = request("POST", "/v1/backtests", &[], &body);
        no_fault(&raw(address, &sent), &sent)
    });
}

#[test]
fn queries() {
    let (_server, address) = Server::start("");
    run("queries", |rng| {
        let path = rng.pick(&[
            "/v1/decisions",
            "/v1/decisions/1/why",
            "/v1/restrictions",
            "/v1/rejected",
            "/v1/rules",
            "/v1/session",
        ]);
        let sound = rng.pick(&[
            "after=1&limit=5",
            "after=-5",
            "wait=0s&limit=1000",
            "kind=hold&rule=x&older_than=2h&limit=3&offset=1",
            "from=0",
            "lang=kk&for=client",
        ]);
        let query: String = damage(rng, sound)
            .iter()
            .map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'=' | b'&' | b'_' | b'-' => char::from(*byte).to_string(),
                other => format!("%{other:02x}"),
            })
            .collect();
        // A wait that is right would be waited for.
        if query.contains("wait=") && !query.contains("wait=0s") {
            return String::from("left out");
        }
        let sent = request("GET", &format!("{path}?{query}"), &[], b"");
        no_fault(&raw(address, &sent), &sent)
    });
}
