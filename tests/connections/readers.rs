//! Readers of the stream of decisions that do not keep up: they are closed with a reason, and cost nobody else an event.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::client::{get, post, request};
use crate::http::{Server, events, transfer};
use crate::wait;

/// So many operations in a request.
const TOGETHER: u64 = 200;

/// Decides transfers that are held, each of another wallet: the messages to the client make their decisions long.
fn decide(address: SocketAddr, from: u64, count: u64) {
    for first in (from..from + count).step_by(usize::try_from(TOGETHER).expect("a count")) {
        let numbers = first..(first + TOGETHER).min(from + count);
        let operations: Vec<String> =
            numbers.map(|number| transfer(&format!("a{number}"), &format!("w{number}"), "150000.00")).collect();
        assert_eq!(post(address, "/v1/operations", &format!("[{}]", operations.join(","))).status, 200);
    }
}

fn subscribe(address: SocketAddr, after: u64) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(wait::PATIENCE)).expect("a timeout");
    let path = format!("/v1/decisions?after={after}");
    let head = request("GET", &path, &[("accept", "text/event-stream")], b"");
    std::io::Write::write_all(&mut &stream, &head).expect("the service takes it");
    stream
}

/// Waits until a line of the metrics is there.
fn await_metric(address: SocketAddr, wanted: &str) {
    wait::until(wanted, || {
        let text = String::from_utf8(get(address, "/metrics").body).expect("text");
        text.lines().any(|line| line == wanted).then_some(())
    });
}

/// More than the sockets of both sides and the service hold for one reader.
const MANY: u64 = 24_000;

#[test]
fn a_reader_that_never_reads_is_closed_and_the_others_get_everything() {
    let server = Server::start("");
    let address = server.address;
    let mut silent = subscribe(address, 0);
    let all = usize::try_from(MANY).expect("a count");
    let other = std::thread::spawn(move || events(address, &[], "/v1/decisions?after=0", all));
    await_metric(address, "kuzet_sse_subscribers 2");
    decide(address, 1, MANY);
    let expected: Vec<(String, u64)> = (1..=MANY).map(|seq| (seq.to_string(), seq)).collect();
    assert!(other.join().expect("every event") == expected, "an event is missing, or there twice");

    let begun = Instant::now();
    await_metric(address, "kuzet_http_refused_total{reason=\"stalled\"} 1");
    await_metric(address, "kuzet_sse_subscribers 0");
    assert!(begun.elapsed() < wait::PATIENCE);
    // What was written before is still there, and then the end: not the rest.
    let mut taken = Vec::new();
    match silent.read_to_end(&mut taken) {
        Ok(_) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::ConnectionReset), "{error}"),
    }
    let events = String::from_utf8_lossy(&taken).matches("\nid: ").count();
    assert!(events < all, "{events} events were kept for it");
}

#[test]
fn a_reader_that_falls_behind_is_told_so_and_goes_on_where_it_was() {
    let server = Server::start("");
    let address = server.address;
    decide(address, 1, 1);
    let stream = subscribe(address, 0);
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut last = 0;
    let mut next_line = |reader: &mut BufReader<TcpStream>| {
        line.clear();
        let read = reader.read_line(&mut line).expect("a line");
        assert!(read > 0, "closed without a reason");
        line.trim_end().to_owned()
    };
    let mut next_id = |reader: &mut BufReader<TcpStream>| loop {
        let line = next_line(reader);
        if let Some(id) = line.strip_prefix("id: ") {
            return Ok(id.parse::<u64>().expect("a number"));
        }
        if line == "event: closed" {
            return Err(next_line(reader));
        }
    };
    // It has caught up, and then reads far less than is decided, but never nothing for long.
    while last < 1 {
        last = next_id(&mut reader).expect("an event");
    }
    let mut closed = None;
    for first in (2..2 + MANY).step_by(usize::try_from(TOGETHER).expect("a count")) {
        decide(address, first, TOGETHER);
        for _ in 0..TOGETHER / 10 {
            match closed.is_none().then(|| next_id(&mut reader)) {
                Some(Ok(id)) => {
                    assert_eq!(id, last + 1, "in order, without a gap");
                    last = id;
                }
                Some(Err(reason)) => closed = Some(reason),
                None => {}
            }
        }
    }
    let reason = closed.unwrap_or_else(|| {
        loop {
            match next_id(&mut reader) {
                Ok(id) => {
                    assert_eq!(id, last + 1, "in order, without a gap");
                    last = id;
                }
                Err(reason) => return reason,
            }
        }
    });
    assert!(last < MANY, "it was not behind");
    assert_eq!(
        reason,
        format!("data: {{\"reason\":\"the reader fell too far behind; go on after the last event\",\"after\":{last}}}")
    );
    await_metric(address, "kuzet_http_refused_total{reason=\"reader_behind\"} 1");
    let rest = usize::try_from(MANY + 1 - last).expect("a count");
    let found = events(address, &[("last-event-id", &last.to_string())], "/v1/decisions", rest);
    assert!(found == (last + 1..=MANY + 1).map(|seq| (seq.to_string(), seq)).collect::<Vec<_>>(), "the rest");
}

/// Asks for the stream in HTTP/1.0, whose body is what follows the head, up to the end of the connection.
fn compressed(address: SocketAddr, path: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(wait::PATIENCE)).expect("a timeout");
    let head = format!(
        "GET {path} HTTP/1.0\r\nhost: localhost\r\naccept: text/event-stream\r\naccept-encoding: br, gzip\r\n\r\n"
    );
    std::io::Write::write_all(&mut &stream, head.as_bytes()).expect("the service takes it");
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "a head");
    }
    assert!(head.contains("content-encoding: gzip\r\n") && head.contains("vary: accept-encoding\r\n"), "{head}");
    reader
}

#[test]
fn a_compressed_stream_has_every_event_and_ends_as_a_whole_file() {
    const OLDER: u64 = 1_500;
    const ALL: u64 = 4_000;
    let server = Server::start("");
    let address = server.address;
    decide(address, 1, OLDER);
    // One from the beginning, which the store has; one from within; one with a filter.
    let streams = [(0, "?after=0"), (700, "?after=700"), (0, "?after=0&type=transfer")].map(|(after, query)| {
        let reader = compressed(address, &format!("/v1/decisions{query}"));
        std::thread::spawn(move || {
            let mut lines = BufReader::new(flate2::bufread::GzDecoder::new(reader)).lines();
            let mut ids = Vec::new();
            while ids.last() != Some(&ALL) {
                let line = lines.next().expect("an event").expect("a line that can be unpacked");
                ids.extend(line.strip_prefix("id: ").map(|id| id.parse::<u64>().expect("a number")));
            }
            let wrong = ids.iter().zip(after + 1..).find(|(id, expected)| *id != expected);
            assert_eq!((wrong, ids.len() as u64), (None, ALL - after), "in order, without a gap: {query}");
            lines
        })
    });
    await_metric(address, "kuzet_sse_subscribers 3");
    decide(address, OLDER + 1, ALL - OLDER);
    let ends = streams.map(|stream| stream.join().expect("every event"));
    drop(server);
    for mut lines in ends {
        let rest: Result<Vec<String>, _> = lines.by_ref().collect();
        assert!(rest.is_ok_and(|rest| rest.iter().all(|line| !line.starts_with("id: "))), "the checksum holds");
    }
}
