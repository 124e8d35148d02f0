//! Ids, addresses and amounts are personal: they stand in the store, never in logs or metrics.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::http::Client;
use super::process::{self, Served};

/// Every text that is planted; the first stands in all ids, tokens, paths and headers.
const PLANTED: &[&str] =
    &["PLANTED", "planted", "203.0.113.77", "2001:db8::77", "13371337", "1337133737", "77013371337", "KZ13371337"];

const HEADERS: &str = "authorization: Bearer PLANTED-TOKEN\r\nx-planted: PLANTED-HEADER\r\ncookie: a=PLANTED\r\n\
                       user-agent: PLANTED/1\r\nx-forwarded-for: 203.0.113.77\r\nx-request-id: PLANTED-1\r\n";

fn operation(id: &str, change: (&str, &str)) -> String {
    let whole = format!(
        r#"{{"op_id":"PLANTED-{id}","type":"payment","occurred_at":"2026-04-01T10:00:00+05:00","wallet_id":"PLANTED-77013371337","client_status":"identified","amount":"13371337.37","currency":"KZT","counterparty":{{"kind":"merchant","account":"KZ13371337","phone":"77013371337"}},"ip":"203.0.113.77","device_id":"PLANTED-DEVICE","attributes":{{"planted":"PLANTED"}}}}"#
    );
    whole.replace(change.0, change.1)
}

/// Records of every kind of wrong, with planted texts wherever they can stand.
fn records() -> Vec<String> {
    let changes = [
        ("", ""),
        ("\"13371337.37\"", "13371337.37"),
        ("\"13371337.37\"", "\"-13371337.37\""),
        ("13371337.37", "13371337.373"),
        ("203.0.113.77", "203.0.113.77.PLANTED"),
        ("203.0.113.77", "2001:db8::77"),
        ("2026-04-01T10:00:00+05:00", "PLANTED"),
        ("2026-04-01T10:00:00+05:00", "2099-04-01T10:00:00+05:00"),
        ("payment", "PLANTED"),
        ("\"merchant\"", "\"PLANTED\""),
        ("\"KZT\"", "\"PLANTED\""),
        ("identified", "PLANTED"),
        ("\"op_id\"", "\"PLANTED\""),
        ("\"attributes\"", "\"planted_field\""),
        ("}}", ""),
        ("\"device_id\":", "\"device_id\":PLANTED"),
    ];
    let mut records: Vec<String> =
        changes.iter().enumerate().map(|(number, change)| operation(&number.to_string(), *change)).collect();
    // The same id with another content, and the same content again.
    records.push(operation("0", ("13371337.37", "13371337.38")));
    records.push(operation("0", ("", "")));
    records.push(format!("\"{}\"", "PLANTED".repeat(20_000)));
    records
}

/// Sends everything; the answers are not looked at but for having come.
fn plant(address: SocketAddr) {
    let mut client = Client::connect(address).expect("a connection");
    let mut send = |method: &str, path: &str, body: &[u8]| {
        let answer = client.ask(method, path, HEADERS, body).expect("an answer");
        assert!(answer.status >= 200, "{method} {path}");
    };
    let records = records();
    for record in &records {
        send("POST", "/v1/operations", record.as_bytes());
    }
    let usable: Vec<&str> = records
        .iter()
        .map(String::as_str)
        .filter(|record| serde_json::from_str::<serde_json::Value>(record).is_ok())
        .collect();
    send("POST", "/v1/operations", format!("[{}]", usable.join(",")).as_bytes());
    send("POST", "/v1/operations", b"[{\"op_id\":\"PLANTED\"");
    send("POST", "/v1/operations", b"\xff\xfe PLANTED 203.0.113.77");
    for path in [
        "/v1/wallets/PLANTED-77013371337",
        "/v1/wallets/77013371337",
        "/v1/operations/PLANTED",
        "/v1/operations/13371337",
        "/v1/decisions/PLANTED",
        "/v1/decisions/1",
        "/v1/decisions?after=PLANTED",
        "/v1/decisions?PLANTED=1",
        "/v1/rejected?from=0&limit=100",
        "/v1/restrictions?rule=PLANTED&kind=block",
        "/v1/restrictions",
        "/v1/rules/PLANTED",
        "/PLANTED/203.0.113.77",
        "/?token=PLANTED",
        "/../../PLANTED",
        "/v1/session",
    ] {
        send("GET", path, b"");
        send("DELETE", path, b"");
    }
    let event = br#"{"op_id":"PLANTED-EVENT","actor":"PLANTED","reason":"PLANTED 13371337"}"#;
    for name in ["identity-confirmed", "fraud-reported", "PLANTED"] {
        send("POST", &format!("/v1/wallets/PLANTED-77013371337/{name}"), event);
    }
    broken(address, b"PLANTED /PLANTED HTTP/9.9\r\nPLANTED\r\n\r\n");
    broken(address, b"GET /PLANTED HTTP/1.1\r\nhost: planted.example\r\norigin: https://PLANTED\r\n\r\n");
    broken(
        address,
        b"POST /v1/operations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999\r\n\r\n{\"op_id\":\"PLANTED",
    );
    broken(address, b"\x16\x03\x01PLANTED");
    over_http2(address);
}

/// Sends bytes and goes away.
fn broken(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(bytes).expect("bytes are taken");
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    // It may answer, wait for more, or hang up.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or(0);
}

/// The other protocol has a log of its own; without curl this is left out.
fn over_http2(address: SocketAddr) {
    let url = format!("http://{address}/v1/wallets/PLANTED-77013371337?planted=PLANTED");
    let mut command = Command::new("curl");
    command.args(["-s", "--http2-prior-knowledge", "-H", "authorization: Bearer PLANTED", "-d"]);
    command.arg(operation("h2", ("", ""))).arg(url);
    match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) => println!("planted over HTTP/2: {status}"),
        Err(error) => println!("not planted over HTTP/2: {error}"),
    }
}

fn check(text: &str, place: &str) {
    for planted in PLANTED {
        assert!(!text.contains(planted), "{planted} stands in {place}:\n{text}");
    }
}

fn metrics(address: SocketAddr) -> String {
    let answer = super::http::get(address, "/metrics").expect("metrics");
    assert_eq!(answer.status, 200);
    answer.text()
}

fn keeps_quiet(folder: &Path, log_format: &str) {
    process::configure(folder, log_format);
    let killed = Served::start(folder);
    let address = killed.ready().expect("it starts");
    plant(address);
    check(&metrics(address), "the metrics");
    killed.kill();
    let (_, log) = killed.wait();
    check(&log.lines.join("\n"), "the log");

    // Once more, over what was recovered.
    let served = Served::start(folder);
    let address = served.ready().expect("it starts again");
    let second = process::serve(folder).output().expect("kuzet runs");
    check(&String::from_utf8_lossy(&second.stderr), "the refusal of a second process");
    let hangup = Command::new("kill").args(["-HUP", &served.pid.to_string()]).status().expect("kill runs");
    assert!(hangup.success());
    plant(address);
    check(&metrics(address), "the metrics after a restart");
    served.terminate();
    let (status, log) = served.wait();
    assert_eq!(status.code(), Some(0));
    let log = log.lines.join("\n");
    assert!(log.contains("the service is ready") && log.contains("the service has stopped"), "{log}");
    check(&log, "the log after a restart");
}

#[test]
fn nothing_personal_is_logged() {
    for log_format in ["text", "json"] {
        keeps_quiet(tempfile::tempdir().expect("a folder").path(), log_format);
    }
}
