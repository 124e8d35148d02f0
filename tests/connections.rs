//! Connections that only take: silent ones, halves of heads and bodies, readers that never read.

mod readers;

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
    let cases: [&[u8]; 6] = [
        b"",
        b"G",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n",
        // Half a preface of HTTP/2, a whole one, and a connection of HTTP/2 without a request.
        &PREFACE[..10],
        PREFACE,
        &idle_http2,
    ];
    let streams = cases.map(|bytes| connect(server.address, bytes));
    for stream in streams {
        closed_after(stream);
    }
    let silent = "kuzet_http_refused_total{reason=\"silent\"} 6";
    wait::until("each is counted", || {
        let text = String::from_utf8(get(server.address, "/metrics").body).expect("text");
        text.lines().any(|line| line == silent).then_some(())
    });
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

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The head of `POST /v1/operations` as HTTP/2 has it, with its body to come.
fn post_head(stream: u32) -> Vec<u8> {
    // By RFC 7541: POST and http are in the static table, a path and an authority are written out.
    let path = b"/v1/operations";
    let mut block = vec![0x83, 0x86, 0x04, 14];
    block.extend_from_slice(path);
    block.extend_from_slice(&[0x01, 9]);
    block.extend_from_slice(b"localhost");
    frame(1, 4, stream, &block)
}

/// Opens requests of HTTP/2 whose bodies never end, with so many bytes each; returns when the service has answered
/// what it does not wait for.
fn unfinished(address: SocketAddr, requests: u32, bytes: usize) -> TcpStream {
    let mut stream = connect(address, &[PREFACE, SETTINGS].concat());
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    // The service says first how much it takes; whoever sends more before is cut off. This reads until it is quiet.
    let mut part = [0; 65_536];
    while let Ok(1..) = stream.read(&mut part) {}
    for number in 0..requests {
        let id = 2 * number + 1;
        stream.write_all(&post_head(id)).expect("a head");
        let mut left = bytes;
        while left > 0 {
            let part = left.min(16_384);
            stream.write_all(&frame(0, 0, id, &vec![b' '; part])).expect("a part of a body");
            left -= part;
        }
    }
    while let Ok(1..) = stream.read(&mut part) {}
    stream
}

#[test]
fn the_bodies_of_all_requests_have_a_limited_memory() {
    // Room for two bodies of 64 KiB, and one of them for one client.
    let server = Server::start("[http]\nmax_body = \"64KiB\"\nbodies_max = \"128KiB\"\n");
    let refusals = || {
        let text = String::from_utf8(get(server.address, "/metrics").body).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("kuzet_http_refused_total{reason=\"bodies\"} "));
        line.and_then(|count| count.parse::<u64>().ok()).expect("a count")
    };
    let held = unfinished(server.address, 20, 12_000);
    // Of 20 bodies of 16 KiB with their room four fit; fewer where one comes in parts that grow beside others.
    wait::until("the others are refused", || {
        let refused = refusals();
        (refused >= 16).then_some(())
    });
    post(server.address, "/v1/operations", &format!("[{}]", " ".repeat(20_000))).problem(503);
    drop(held);
    wait::until("the memory is free again", || {
        (post(server.address, "/v1/operations", &format!("[{}]", " ".repeat(20_000))).status == 200).then_some(())
    });
}

#[test]
fn a_compressed_body_is_no_record() {
    let server = Server::start("");
    let gzip = [("content-encoding", "gzip")];
    crate::client::ask(server.address, "POST", "/v1/operations", &gzip, b"\x1f\x8b\x08\0").problem(415);
    let rejected = get(server.address, "/v1/rejected").json();
    assert_eq!(rejected["rejected"].as_array().map(Vec::len), Some(0));
    let plain = [("content-encoding", "identity")];
    assert_eq!(crate::client::ask(server.address, "POST", "/v1/operations", &plain, b"[]").status, 200);
}

#[test]
fn no_page_of_another_origin_changes_anything() {
    for server in [Server::start(""), Server::with_tokens()] {
        let right = bearer("support");
        let ask = |origin: &str| {
            let headers = [("authorization", &*right), ("origin", origin)];
            let path = "/v1/wallets/w1/fraud-reported";
            crate::client::ask(server.address, "POST", path, &headers, br#"{"source":"issuer"}"#)
        };
        for origin in ["null", "http://127.0.0.1:1", "http://localhost:8481", "https://evil.example"] {
            ask(origin).problem(403);
        }
        assert_eq!(ask("http://localhost").status, 200);
    }
}

#[test]
fn every_answer_protects_itself_in_browsers() {
    let server = Server::start("");
    for path in ["/", "/metrics", "/v1/session", "/v1/nothing", "/healthz", "/openapi.json", "/v1/decisions/9"] {
        let head = get(server.address, path).head;
        for line in ["x-content-type-options: nosniff", "x-frame-options: deny", "frame-ancestors 'none'"] {
            assert!(head.contains(line), "{line} is missing at {path}: {head}");
        }
    }
}

#[test]
fn wrong_tokens_are_limited_and_health_never_is() {
    let mut settings = String::from("[http]\nrate_per_second = 400\n");
    let hash = TokenHash::of(&token("metrics"));
    settings.push_str(&format!("[[token]]\nname = \"metrics\"\nhash = \"{hash}\"\nroles = [\"metrics\"]\n"));
    let server = Server::start(&settings);
    let ask = |token: &str| crate::client::ask(server.address, "GET", "/metrics", &[("authorization", token)], b"");
    assert_eq!(ask(&bearer("metrics").replace("Bearer", "bearer")).status, 200);
    let statuses: Vec<u16> = (0..150).map(|number| ask(&format!("Bearer kzt_{number}")).status).collect();
    assert_eq!((statuses[0], statuses.last()), (401, Some(&429)), "{statuses:?}");
    assert_eq!(ask(&bearer("metrics")).status, 200, "whoever was known goes on");
    assert!((0..500).all(|_| get(server.address, "/healthz").status == 200));
}

#[test]
fn the_service_ends_in_time_whoever_is_connected() {
    let mut server = Server::start("");
    let address = server.address;
    let operations: Vec<String> =
        (0..1_000).map(|number| crate::http::transfer(&format!("a{number}"), "w1", "5.00")).collect();
    assert_eq!(post(address, "/v1/operations", &format!("[{}]", operations.join(","))).status, 200);
    let idle = connect(address, b"");
    let half_head = connect(address, b"GET / HTTP/1.1\r\n");
    let half_body =
        connect(address, b"POST /v1/operations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n[{");
    let idle_http2 = connect(address, &[PREFACE, SETTINGS].concat());
    let half_http2 = unfinished(address, 3, 1_000);
    // More than the sockets hold, and nobody reads.
    let ask = b"GET /v1/decisions?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(50);
    let stalled = connect(address, &ask);
    let stream = connect(address, &request("GET", "/v1/decisions", &[("accept", "text/event-stream")], b""));
    let begun = Instant::now();
    server.running.take().expect("a service").stop();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    drop((idle, half_head, half_body, idle_http2, half_http2, stalled, stream));
}

#[test]
fn one_request_gets_an_answer_of_limited_size() {
    let server = Server::start("");
    let address = server.address;
    let held: Vec<String> =
        (0..1_000).map(|number| crate::http::transfer(&format!("a{number}"), "w1", "150000.00")).collect();
    assert_eq!(post(address, "/v1/operations", &format!("[{}]", held.join(","))).status, 200);
    let fraud = r#"{"op_id":"f1","type":"fraud_reported","occurred_at":"2026-03-02T10:00:01Z","wallet_id":"w1","source":"issuer"}"#;
    let one = post(address, "/v1/operations", fraud);
    assert!(one.body.len() > 100_000, "it cancels what waits: {}", one.body.len());
    // The same operation again and again is answered with the same decision.
    let many = post(address, "/v1/operations", &format!("[{}]", vec![fraud; 1_000].join(",")));
    assert!(many.body.len() < (34 << 20), "{}", many.body.len());
    let answers = many.json();
    assert_eq!(answers.as_array().map(Vec::len), Some(1_000));
    assert_eq!(answers[0], one.json());
    assert_eq!(answers[999]["error"]["code"], "answer_too_large");
}

#[test]
fn many_readers_get_every_decision_once_and_in_order() {
    let server = Server::start("");
    let address = server.address;
    let send = |first: u64, count: u64| {
        let operations: Vec<String> =
            (first..first + count).map(|number| crate::http::transfer(&format!("a{number}"), "w1", "5.00")).collect();
        assert_eq!(post(address, "/v1/operations", &format!("[{}]", operations.join(","))).status, 200);
    };
    // More than one page of the store.
    send(1, 1_000);
    send(1_001, 500);
    let read = |after: u64| {
        std::thread::spawn(move || {
            let path = format!("/v1/decisions?after={after}");
            let found = crate::http::events(address, &[], &path, usize::try_from(1_800 - after).expect("a count"));
            let expected: Vec<(String, u64)> = (after + 1..=1_800).map(|seq| (seq.to_string(), seq)).collect();
            assert_eq!(found, expected, "after {after}");
        })
    };
    let mut readers: Vec<_> = [0, 1, 700, 1_499, 1_500].map(read).into_iter().collect();
    for number in 0..30 {
        send(1_501 + number * 10, 10);
        if number % 5 == 0 {
            readers.push(read(1_400));
        }
    }
    readers.into_iter().for_each(|reader| reader.join().expect("every event"));
}
