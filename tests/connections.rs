//! Connections that only take: silent ones, halves of heads and bodies, readers that never read.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::client::{Answer, get, post, request};
use crate::http::{Server, bearer, token};
use crate::wait;
use kuzet::config::TokenHash;

/// What a client of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame of settings that sets nothing.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(wait::PATIENCE)).expect("a timeout");
    stream.write_all(bytes).expect("the service takes it");
    stream
}

/// Reads until the service closes the connection; tells after how long it did.
fn closed_after(mut stream: TcpStream) -> Duration {
    let begun = Instant::now();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it is not closed"),
    }
    begun.elapsed()
}

#[test]
fn whoever_sends_no_request_is_closed() {
    let server = Server::start("[http]\nhead_timeout = \"300ms\"\n");
    let idle_http2 = [PREFACE, SETTINGS].concat();
    let cases: [(&str, &[u8]); 6] = [
        ("nothing", b""),
        ("a byte", b"G"),
        ("half a head", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"),
        ("half a preface of HTTP/2", &PREFACE[..10]),
        ("a preface and no settings", PREFACE),
        ("HTTP/2 without a request", &idle_http2),
    ];
    let streams = cases.map(|(name, bytes)| (name, connect(server.address, bytes)));
    for (name, stream) in streams {
        closed_after(stream);
        eprintln!("{name} was closed");
    }
    let metrics = get(server.address, "/metrics");
    let silent = "kuzet_http_refused_total{reason=\"silent\"} 6";
    let text = String::from_utf8(metrics.body).expect("text");
    assert!(text.lines().any(|line| line == silent), "{text}");
}

#[test]
fn half_a_handshake_of_tls_is_closed() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");
    let server = Server::start(&format!(
        "[http]\nhead_timeout = \"300ms\"\n[http.tls]\ncertificate = \"{data}/certificate.pem\"\nkey = \"{data}/key.pem\"\n"
    ));
    for bytes in [&b""[..], &[0x16, 3, 1, 2, 0]] {
        closed_after(connect(server.address, bytes));
    }
}

#[test]
fn a_connection_is_kept_between_requests_and_no_longer_than_configured() {
    let server = Server::start("[http]\nhead_timeout = \"100ms\"\nkeep_alive = \"1500ms\"\n");
    let asks = b"GET /v1/session HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stream = connect(server.address, asks);
    let mut answer = [0; 4096];
    assert!(stream.read(&mut answer).expect("an answer") > 0);
    // Longer than a head may take.
    std::thread::sleep(Duration::from_millis(500));
    stream.write_all(asks).expect("it is still open");
    assert!(stream.read(&mut answer).expect("an answer") > 0);
    assert!(closed_after(stream) >= Duration::from_secs(1));
}

#[test]
fn many_silent_connections_keep_nobody_out() {
    let server = Server::start("[http]\nconnections_max = 32\nconnections_per_address = 28\nhead_timeout = \"1m\"\n");
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(server.address, b"")).collect();
    let begun = Instant::now();
    assert_eq!(get(server.address, "/healthz").status, 200);
    assert_eq!(post(server.address, "/v1/operations", "[]").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    drop(silent);
}

#[test]
fn the_ledger_and_health_have_a_share_of_the_connections() {
    let mut settings = String::from("[http]\nconnections_max = 16\n");
    for role in ["ledger", "analyst"] {
        let hash = TokenHash::of(&token(role));
        settings.push_str(&format!("[[token]]\nname = \"{role}\"\nhash = \"{hash}\"\nroles = [\"{role}\"]\n"));
    }
    let server = Server::start(&settings);
    let ask = |role: &str, path: &str| {
        let bytes = request("GET", path, &[("authorization", &bearer(role))], b"");
        String::from_utf8(bytes).expect("text").replace("connection: close", "connection: keep-alive").into_bytes()
    };
    // Every seat that is for everybody is taken rightly.
    let held: Vec<TcpStream> = (0..14)
        .map(|_| {
            let mut stream = connect(server.address, &ask("analyst", "/v1/session"));
            assert!(stream.read(&mut [0; 4096]).expect("an answer") > 0);
            stream
        })
        .collect();
    let answer = |bytes: &[u8]| Answer::parse(&crate::client::raw(server.address, bytes));
    let with = |role: &str| request("GET", "/v1/session", &[("authorization", &bearer(role))], b"");
    answer(&with("analyst")).problem(503);
    assert_eq!(answer(&with("ledger")).status, 200);
    assert_eq!(get(server.address, "/healthz").status, 200);
    drop(held);
    wait::until("a seat is free again", || (answer(&with("analyst")).status == 200).then_some(()));
}
