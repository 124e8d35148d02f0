//! Each bad file in `tests/bad_rules/` is refused with exactly the text beside it (`NAME.txt`).
//!
//! `KUZET_BLESS=1 cargo test --test pure bad_rules::` writes the texts anew; read the difference before
//! committing it. `NAME.yaml` is a rule, `NAME.mrp.yaml`, `NAME.lists.yaml`, `NAME.csv` and
//! `NAME.networks.csv` are data, `NAME.test.yaml` is a test file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kuzet::rules::diagnostic::Code;
use kuzet::rules::{Diagnostic, SourceFile, compile, render_json, render_sarif, render_text, test_file};

const FOLDER: &str = "tests/bad_rules";

fn source(path: &str, text: &[u8]) -> SourceFile {
    SourceFile::new(path.to_owned(), text.to_vec())
}

/// The files of a set in which the fixture is the only bad one.
fn set_around(name: &str, bytes: &[u8]) -> Vec<SourceFile> {
    let lists =
        b"antifraud_wallets: {type: wallet, file: wallets.csv}\nbad_networks: {type: cidr, file: networks.csv}\n";
    let mut files = vec![
        source("rules/data/lists.yaml", lists),
        source("rules/data/wallets.csv", b"value,from,until,reason\n"),
        source("rules/data/networks.csv", b"value,from,until,reason\n"),
    ];
    let path = match name {
        name if name.ends_with(".mrp.yaml") => String::from("rules/data/mrp.yaml"),
        name if name.ends_with(".lists.yaml") => String::from("rules/data/lists.yaml"),
        name if name.ends_with(".networks.csv") => String::from("rules/data/networks.csv"),
        name if name.ends_with(".csv") => String::from("rules/data/wallets.csv"),
        name => format!("rules/{name}"),
    };
    files.retain(|file| file.path != path);
    files.push(source(&path, bytes));
    files
}

fn findings_of(name: &str, files: &[SourceFile]) -> Vec<Diagnostic> {
    if name.ends_with(".test.yaml") {
        let file = &files[files.len() - 1];
        return match test_file::read(file) {
            Ok(tests) => {
                let rules = compile(&files[..files.len() - 1]).expect("the lists are good").rule_set;
                let stem = name.trim_end_matches(".test.yaml");
                let mut findings = tests.check_lists(&file.path, &rules.lists);
                findings.extend(test_file::unknown_rules(file, &tests, |rule| rule == stem));
                findings
            }
            Err(findings) => findings,
        };
    }
    match compile(files) {
        Ok(compiled) => compiled.warnings,
        Err(findings) => findings,
    }
}

/// Findings that no small file can show.
fn findings_of_large_sets() -> Vec<Diagnostic> {
    let rule = |id: &str| {
        format!(
            "rule: {id}\nclauses: [\"7.15\"]\ntitle: {{kk: а, ru: б, en: c}}\nowner: o\nmode: off\non: login\nthen: [monitor]\n"
        )
    };
    let mut files: Vec<SourceFile> =
        (0..501).map(|i| source(&format!("rules/r{i}.yaml"), rule(&format!("r{i}")).as_bytes())).collect();
    files.push(source("rules/again/r7.yaml", rule("r7").as_bytes()));
    files.push(source("rules/large.yaml", "# үлкен\n".repeat(10_000).as_bytes()));
    files.push(source("rules/bytes.yaml", b"rule: \xff\n"));
    files.push(source("rules/other.yml", b"rule: other\n"));
    let mrp = b"mrp: [{from: 2026-01-01, value: 4325 KZT}]\n";
    files.extend(["rules/data/mrp.yaml", "rules/again/data/mrp.yaml"].map(|path| source(path, mrp)));
    compile(&files).expect_err("a set beyond the limits")
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<(String, Vec<u8>)> = fs::read_dir(FOLDER)
        .expect("the folder of fixtures")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "txt"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a readable fixture"))
        })
        .collect();
    out.sort();
    out
}

#[test]
fn each_bad_file_gives_its_text() {
    let bless = crate::environment::text("KUZET_BLESS").is_some();
    let mut wrong = Vec::new();
    for (name, bytes) in fixtures() {
        let files = set_around(&name, &bytes);
        let findings = findings_of(&name, &files);
        let found = render_text(&findings, &files);
        let golden = Path::new(FOLDER).join(format!("{name}.txt"));
        if bless {
            fs::write(&golden, &found).expect("a writable golden text");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if found.is_empty() || found != expected {
            wrong.push(format!("--- {name}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_fixture() {
    let mut seen: BTreeSet<&str> = findings_of_large_sets().iter().map(|finding| finding.code).collect();
    let fixtures = fixtures();
    assert!(fixtures.len() >= 60, "{}", fixtures.len());
    for (name, bytes) in &fixtures {
        let files = set_around(name, bytes);
        seen.extend(findings_of(name, &files).iter().map(|finding| finding.code));
    }
    let without: Vec<&&str> = Code::NAMES.iter().filter(|code| !seen.contains(*code)).collect();
    assert!(without.is_empty(), "no fixture shows {without:?}");
}

#[test]
fn machine_formats_are_json_with_places() {
    let (name, bytes) = fixtures().into_iter().find(|(name, _)| name == "money-without-unit.yaml").expect("fixture");
    let files = set_around(&name, &bytes);
    let findings = findings_of(&name, &files);
    let json: serde_json::Value = serde_json::from_str(&render_json(&findings, &files)).expect("JSON");
    assert_eq!(json["diagnostics"][0]["start"], serde_json::json!({"line": 11, "column": 50}));
    let sarif: serde_json::Value = serde_json::from_str(&render_sarif(&findings, &files)).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "money-without-unit");
}
