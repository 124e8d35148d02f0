//! What `make bench-peers` shows first can fail: the comparison finds each kind of difference, the dense stream
//! meets every rule, and the table tells what is kept from what is missed. Needs Python, and no Java.

use std::fs;
use std::path::Path;
use std::process::Command;

const KUZET: &str = env!("CARGO_BIN_EXE_kuzet");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a program of Python among the modules of `benches/peers`; returns what it prints.
#[track_caller]
fn python(program: &str, arguments: &[&Path]) -> String {
    let mut command = Command::new("python3");
    command.args(["-B", "-c", program]).args(arguments).env("PYTHONPATH", format!("{ROOT}/benches/peers"));
    let output = command.output().expect("python3, which `make tools FOR_TESTS=1` installs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn decision(op_id: &str, verdict: &str, matches: &str) -> String {
    format!("{{\"op_id\":\"{op_id}\",\"verdict\":\"{verdict}\",\"matches\":[{matches}],\"commands\":[]}}\n")
}

#[test]
fn the_comparison_finds_each_kind_of_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        fs::write(&path, lines.concat()).expect("a file");
        path
    };
    let enforced = r#"{"rule":"transfer-over-100k","mode":"enforce"},{"rule":"silent","mode":"shadow"}"#;
    let (one, two) = (decision("1", "allow", ""), decision("2", "hold", enforced));
    let reference = file("reference", &[one.clone(), two.clone()]);
    let others = [
        (0, vec![two.clone(), one.clone()]),
        (0, vec![one.clone(), decision("2", "hold", "\"transfer-over-100k\"")]),
        (1, vec![decision("1", "hold", ""), two.clone()]),
        (1, vec![one.clone(), decision("2", "hold", "")]),
        (1, vec![one.clone(), decision("2", "hold", "\"transfer-over-100k\",\"silent\"")]),
        (1, vec![one.clone()]),
        (1, vec![one.clone(), two.clone(), two.clone()]),
        (1, vec![one.clone(), two, decision("3", "allow", "")]),
    ];
    for (expected, lines) in others {
        let other = file("other", &lines);
        let program = "import sys, equality; from pathlib import Path\n\
                       print(equality.compare('', *map(Path, sys.argv[1:])))";
        let said = python(program, &[&reference, &other]);
        assert_eq!(said.lines().last(), Some(&*expected.to_string()), "{said}{lines:?}");
    }
    let longer = file("longer", &[one.replace("commands", "orders"), one]);
    let program = "import sys, equality; from pathlib import Path\n\
                   print(equality.compare_bytes(*map(Path, sys.argv[1:])))";
    assert_eq!(python(program, &[&reference, &longer]).lines().last(), Some("0"));
    assert_eq!(python(program, &[&longer, &file("none", &[])]).lines().last(), Some("1"));
}

#[test]
fn the_dense_stream_meets_every_rule_and_nothing_of_it_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (operations, decisions) = (folder.path().join("operations"), folder.path().join("decisions"));
    let (rejected, rules) = (folder.path().join("rejected"), folder.path().join("rules"));
    python(
        "import sys, operations; from pathlib import Path\n\
         operations.write(operations.dense(10_000, 12, 4711), Path(sys.argv[1]))",
        &[&operations],
    );
    let names = python("import settings; print(*settings.RULES)", &[]);
    fs::create_dir_all(rules.join("data")).expect("a folder");
    for file in fs::read_dir(Path::new(ROOT).join("rules/data")).expect("data").flatten() {
        fs::copy(file.path(), rules.join("data").join(file.file_name())).expect("a copy");
    }
    for name in names.split_whitespace() {
        let file = format!("{name}.yaml");
        fs::copy(Path::new(ROOT).join("rules/section7").join(&file), rules.join(&file)).expect("a copy");
    }
    let mut replay = Command::new(KUZET);
    replay.arg("replay").arg(&operations).arg("--rules").arg(&rules).arg("--geoip").arg(Path::new(ROOT).join("geoip"));
    let output = replay.arg("--out").arg(&decisions).arg("--rejected").arg(&rejected).output().expect("kuzet starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(&rejected).expect("refused records"), "");
    let decisions = fs::read_to_string(&decisions).expect("decisions");
    for name in names.split_whitespace() {
        let count = decisions.matches(&format!("\"rule\":\"{name}\",\"clauses\"")).count();
        assert!(count >= 5, "{name} matched {count} times");
    }
    for word in ["\"release\"", "\"cancel\"", "\"lift\"", "\"late\":true", "\"verdict\":\"refuse\""] {
        assert!(decisions.contains(word), "no {word}");
    }
}

#[test]
fn the_table_tells_what_is_kept_from_what_is_missed() {
    let run = |system: &str, round: u32, wall: f64| {
        format!(
            "{{\"system\":\"{system}\",\"partitions\":1,\"round\":{round},\"load_before\":0.1,\"load_after\":2.0,\
             \"backlog\":{{\"operations\":1000,\"wall_s\":{wall},\"cpu_s\":{wall},\"rss_peak_mb\":100}}}}\n"
        )
    };
    let failed = "{\"system\":\"flink1000\",\"partitions\":1,\"round\":1,\"error\":\"it ended\"}\n".to_owned();
    let runs = [
        run("kuzet", 1, 1.0),
        run("kuzet", 2, 0.5),
        run("kuzet", 3, 2.0),
        run("ks100full", 1, 3.0),
        run("ks10", 1, 1.6),
        failed,
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let results = folder.path().join("results.jsonl");
    fs::write(&results, runs.concat()).expect("results");
    let said =
        python("import sys, report; from pathlib import Path\nreport.print_report(Path(sys.argv[1]))", &[&results]);
    for line in [
        "failed: flink1000, 1 partition, round 1: it ended",
        "| operations a CPU second | 1,000 (500–2,000) | 333 | 625 |",
        "| operations a CPU second, Kafka Streams, the same decisions (ks100full) | 3 | ≥ 2.5 | ≥ 4 | gate held |",
        "| the same, Kafka Streams, 70-byte decisions (ks10) | 1.6 | ≥ 1.8 | ≥ 3 | missed |",
        "| peak memory, best peer (ks100full) | 1 | ≤ 0.25 | ≤ 0.15 | missed |",
    ] {
        assert!(said.lines().any(|said| said == line), "no line {line}\n{said}");
    }
    assert!(!said.contains("Flink, 70-byte decisions ("), "{said}");
}
