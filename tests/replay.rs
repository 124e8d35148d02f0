//! `kuzet replay` over a real wallet's operations, with everything wrong that real data has.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;

const OPERATIONS: usize = 2_615;
const ZERO_AMOUNTS: usize = 166;
const UNKNOWN_TYPES: usize = 1;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn real_data() -> PathBuf {
    root("tests/data/minsapay-2019.operations.jsonl.gz")
}

fn plain_text() -> Vec<u8> {
    let mut text = Vec::new();
    let file = File::open(real_data()).expect("the data is in the repository");
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).expect("the data is gzip");
    text
}

/// Replays a file, or standard input when `stdin` is given; returns decisions and rejected records.
fn replay(input: &Path, stdin: Option<&[u8]>, folder: &Path) -> (Vec<u8>, Vec<u8>, Output) {
    let (out, rejected) = (folder.join("decisions.jsonl"), folder.join("rejected.jsonl"));
    let mut child = crate::command::kuzet()
        .arg("replay")
        .arg(input)
        .args(["--out".as_ref(), out.as_os_str(), "--rejected".as_ref(), rejected.as_os_str()])
        .args(["--rules".as_ref(), root("rules").as_os_str(), "--geoip".as_ref(), root("geoip").as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kuzet starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(stdin.unwrap_or_default()).expect("kuzet reads");
    drop(pipe);
    let output = child.wait_with_output().expect("kuzet ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (fs::read(out).expect("decisions"), fs::read(rejected).expect("rejected records"), output)
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a line is JSON")).collect()
}

#[test]
fn real_operations_are_decided_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let (decisions, rejected, output) = replay(&real_data(), None, folder.path());
    let (decisions, rejected) = (lines(&decisions), lines(&rejected));
    assert_eq!(decisions.len(), OPERATIONS - ZERO_AMOUNTS - UNKNOWN_TYPES);
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &rejected {
        *codes.entry(record["error"]["code"].as_str().expect("a code")).or_default() += 1;
    }
    assert_eq!(codes, BTreeMap::from([("invalid_field", ZERO_AMOUNTS), ("unknown_type", UNKNOWN_TYPES)]));

    // What was accepted is decided in the order of the input, what was refused says where it stood.
    let input = lines(&plain_text());
    let refused: Vec<usize> =
        rejected.iter().map(|r| r["offset"].as_u64().expect("an offset").try_into().expect("small")).collect();
    let accepted = input.iter().enumerate().filter(|(offset, _)| !refused.contains(offset));
    let expected: Vec<_> = accepted.map(|(_, operation)| &operation["op_id"]).collect();
    assert_eq!(decisions.iter().map(|decision| &decision["op_id"]).collect::<Vec<_>>(), expected);
    for decision in &decisions {
        let fields: Vec<&str> = decision.as_object().expect("an object").keys().map(String::as_str).collect();
        let contract = "decision_id op_id wallet_id type occurred_at verdict matches commands late degraded ruleset";
        assert_eq!(fields, contract.split(' ').collect::<Vec<_>>());
    }
    let summary = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(summary.contains("2 615") && summary.contains("2 448"), "{summary}");
}

#[test]
fn the_same_operations_give_the_same_bytes_however_they_come() {
    let plain = plain_text();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    };
    let text = write("operations.jsonl", &plain);
    let zstd = write("operations.zst", &zstd::encode_all(&plain[..], 1).expect("zstd"));
    let first = replay(&real_data(), None, folder.path());
    for (name, input, stdin) in [
        ("gzip again", real_data(), None),
        ("plain", text, None),
        ("zstd", zstd, None),
        ("standard input", PathBuf::from("-"), Some(&plain[..])),
    ] {
        let again = replay(&input, stdin, folder.path());
        assert!(first.0 == again.0 && first.1 == again.1, "{name} differs");
    }
}

/// A block that a batch lifts is gone for the rest of that batch, although the store has it until the commit.
#[test]
fn a_block_lifted_within_a_batch_is_gone_at_once() {
    let operation = |number: usize, kind: &str, wallet: &str, rest: &str| {
        let (hour, minute) = (number / 60, number % 60);
        format!(
            "{{\"op_id\":\"o{number}\",\"type\":\"{kind}\",\"occurred_at\":\"2026-03-02T{hour:02}:{minute:02}:00Z\",\
             \"wallet_id\":\"{wallet}\"{rest}}}\n"
        )
    };
    let login = |number: usize| operation(number, "login", "other", ",\"outcome\":\"success\"");
    let transfer = |number: usize| {
        let to = ",\"counterparty\":{\"kind\":\"client\",\"wallet_id\":\"blocked\"}";
        operation(number, "transfer", "payer", &format!(",\"client_status\":\"identified\",\"amount\":\"10\"{to}"))
    };
    let mut text = operation(0, "wallet_block_requested", "blocked", "");
    // Enough that the block is committed, and that the transfer is looked at later than the lifting.
    (1..400).for_each(|number| text.push_str(&login(number)));
    text.push_str(&transfer(400));
    text.push_str(&operation(401, "wallet_unblock_requested", "blocked", ""));
    (402..500).for_each(|number| text.push_str(&login(number)));
    text.push_str(&transfer(500));
    let folder = tempfile::tempdir().expect("a folder");
    let (decisions, _, _) = replay(Path::new("-"), Some(text.as_bytes()), folder.path());
    let decisions = lines(&decisions);
    assert_eq!(decisions[400]["verdict"], "refuse");
    assert_eq!(decisions[401]["commands"][0]["command"], "lift");
    assert_eq!(decisions[500]["verdict"], "allow", "{}", decisions[500]);
}
