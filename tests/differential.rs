//! `kuzet replay` against stored decisions, byte for byte: what may not change when code only moves.
//!
//! `tests/data/differential` holds operations (a simulated day, five dense random streams of one to four
//! hundred wallets, in order and late), a pinned copy of the shipped rules, 125 further rules, and the
//! decisions and rejected records of the build that was last meant to decide otherwise. The real data of
//! `tests/data/minsapay-2019.operations.jsonl.gz` is replayed too. After a change that is meant to change
//! decisions, read the first differences, then `KUZET_STORE_DECISIONS=1 cargo test differential`.

use std::fs;
use std::path::{Path, PathBuf};

const STREAMS: [&str; 7] = ["minsapay", "simulated", "dense-1", "dense-2", "dense-3", "dense-4", "dense-5"];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}

/// The geo databases that the stored decisions were made with: the shipped countries, and the documentation ranges
/// as a database that is no sample. One network more makes it so, which no stream uses (RFC 2544).
fn geo_folder(folder: &Path) -> PathBuf {
    let (lists, geoip) = (folder.join("lists"), folder.join("geoip"));
    fs::create_dir_all(&lists).expect("a folder");
    fs::create_dir_all(&geoip).expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("geoip/country.mmdb");
    fs::copy(shipped, geoip.join("country.mmdb")).expect("a copy");
    let mut command = crate::command::kuzet();
    command.args(["geoip", "build"]).arg("--out").arg(geoip.join("anonymizer.mmdb"));
    for (option, networks) in [
        ("vpn", "192.0.2.0/24\n198.18.0.0/15\n"),
        ("tor", "198.51.100.0/24\n"),
        ("public-proxy", "203.0.113.0/24\n"),
        ("residential-proxy", "2001:db8::/32\n"),
    ] {
        fs::write(lists.join(option), networks).expect("a list");
        command.arg(format!("--{option}")).arg(lists.join(option));
    }
    let output = command.output().expect("kuzet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    geoip
}

/// Decides a stream; returns its decisions, then its rejected records.
fn replay(stream: &str, rules: &Path, geoip: &Path, folder: &Path) -> Vec<u8> {
    let operations = match stream {
        "minsapay" => data("minsapay-2019.operations.jsonl.gz"),
        _ => data("differential").join(format!("{stream}.operations.jsonl.zst")),
    };
    let (out, rejected) = (folder.join("decisions.jsonl"), folder.join("rejected.jsonl"));
    let mut command = crate::command::kuzet();
    command.arg("replay").arg(operations).arg("--rules").arg(rules).arg("--geoip").arg(geoip);
    let output = command.arg("--out").arg(&out).arg("--rejected").arg(&rejected).output().expect("kuzet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut bytes = fs::read(out).expect("decisions");
    bytes.extend(fs::read(rejected).expect("rejected records"));
    bytes
}

/// Says where two texts part, and what stands there; nothing if they are equal.
fn first_difference(expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (expected, found) = (lines(expected), lines(found));
    let show = |lines: &[Vec<u8>], at: usize| {
        lines.get(at).map_or_else(|| String::from("nothing"), |line| String::from_utf8_lossy(line).into_owned())
    };
    let at = (0..).find(|at| expected.get(*at) != found.get(*at))?;
    let differing = (0..expected.len().max(found.len())).filter(|at| expected.get(*at) != found.get(*at)).count();
    let (expected, found) = (show(&expected, at), show(&found, at));
    Some(format!("{differing} lines differ, first line {}\n- {expected}\n+ {found}", at + 1))
}

fn check(set: &str, further_rules: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules");
    copy_folder(&data("differential/rules"), &rules);
    if further_rules {
        copy_folder(&data("differential/more"), &rules.join("more"));
    }
    let geoip = geo_folder(folder.path());
    let store = crate::environment::text("KUZET_STORE_DECISIONS").is_some();
    let mut complaints = Vec::new();
    for stream in STREAMS {
        let found = replay(stream, &rules, &geoip, folder.path());
        let stored = data("differential").join(format!("{stream}.{set}.decisions.jsonl.zst"));
        if store {
            fs::write(&stored, zstd::encode_all(&*found, 19).expect("zstd")).expect("a file");
        }
        let expected = zstd::decode_all(&*fs::read(&stored).expect("stored decisions")).expect("zstd");
        complaints.extend(first_difference(&expected, &found).map(|text| format!("{stream}, {set}: {text}")));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn decisions_of_the_shipped_rules_are_the_stored_ones() {
    check("shipped", false);
}

#[test]
fn decisions_of_150_rules_are_the_stored_ones() {
    check("150", true);
}

/// The comparison is able to fail.
#[test]
fn a_difference_is_seen_and_told() {
    assert_eq!(first_difference(b"a\nb\n", b"a\nb\n"), None);
    let told = first_difference(b"a\nb\nc\n", b"a\nX\nc\n").expect("a difference");
    assert!(told.starts_with("1 lines differ, first line 2\n- b\n+ X"), "{told}");
    assert!(first_difference(b"a\n", b"a\nb\n").is_some());
}
