//! The rule files in `rules/` load without an error or a warning, and their test files parse.

use std::fs;
use std::path::Path;

use kuzet::analysis::explain::examination::Examination;
use kuzet::analysis::explain::report::{self, Reader};
use kuzet::analysis::mutation::{Subject, mutate};
use kuzet::analysis::rule_tests;
use kuzet::operation::localized::Language;
use kuzet::rules::{FileKind, SourceFile, compile, render_text, test_file};

fn read(folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).expect("rules/ is a folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            read(&path, files);
        } else {
            let bytes = fs::read(&path).expect("a readable file");
            files.push(SourceFile::new(path.to_string_lossy().into_owned(), bytes));
        }
    }
}

fn shipped() -> Vec<SourceFile> {
    let mut files = Vec::new();
    read(Path::new("rules"), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[test]
fn shipped_rules_compile() {
    let files = shipped();
    match compile(&files) {
        Ok(compiled) => {
            assert_eq!(render_text(&compiled.warnings, &files), "");
            assert_eq!(compiled.rule_set.rules.len(), 32);
            assert_eq!(compiled.rule_set.hash.len(), 12);
        }
        Err(errors) => panic!("{}", render_text(&errors, &files)),
    }
}

#[test]
fn shipped_tests_parse() {
    let files = shipped();
    let mut tests = 0;
    for file in files.iter().filter(|file| FileKind::of(file) == FileKind::Test) {
        let text = std::str::from_utf8(&file.bytes).expect("UTF-8");
        match test_file::parse(&file.path, text) {
            Ok(parsed) => tests += parsed.tests.len(),
            Err(errors) => panic!("{}", render_text(&errors, &files)),
        }
    }
    assert!(tests > 50, "{tests}");
}

/// For each shipped rule the first operation of its tests on which it fires, explained.
fn hits() -> Vec<(String, Examination)> {
    let files = shipped();
    let rules = compile(&files).unwrap_or_else(|errors| panic!("{}", render_text(&errors, &files))).rule_set;
    let hit = |rule: &str| {
        let is_of_rule = |file: &&SourceFile| file.path.ends_with(&format!("/{rule}.test.yaml"));
        let file = files.iter().find(is_of_rule).unwrap_or_else(|| panic!("{rule} has no tests"));
        let text = std::str::from_utf8(&file.bytes).expect("UTF-8");
        let tests =
            test_file::parse(&file.path, text).unwrap_or_else(|errors| panic!("{}", render_text(&errors, &files)));
        let mut hits = tests.tests.iter().map(|test| rule_tests::explain_hit(&rules, rule, test).expect("in memory"));
        hits.find_map(|hit| hit).unwrap_or_else(|| panic!("no test fires {rule}"))
    };
    rules.rules.iter().map(|rule| (rule.id.to_string(), hit(&rule.id))).collect()
}

#[test]
fn every_shipped_rule_is_explained_in_three_languages() {
    let hits = hits();
    for (name, language) in [("kk", Language::Kazakh), ("ru", Language::Russian), ("en", Language::English)] {
        let told: Vec<String> = hits.iter().map(|(_, hit)| report::text(hit, language, Reader::Support)).collect();
        insta::assert_snapshot!(format!("explained_{name}"), told.join("\n").replace('\u{a0}', " "));
    }
}

#[test]
fn clients_are_told_of_no_rule_list_or_report() {
    let hits = hits();
    for (rule, hit) in &hits {
        for language in Language::ALL {
            let told = report::text(hit, language, Reader::Client);
            let lists = hit.rules.lists.iter().map(|list| list.name.as_str());
            let recipients = ["afm", "antifraud", "law_enforcement"];
            let words = ["список", "списк", "тізім", " list"];
            for word in lists.chain(recipients).chain(words).chain([rule.as_str()]) {
                assert!(!told.to_lowercase().contains(word), "{rule}: {word} in {told}");
            }
            let is_shadow = hit.decision.matches.iter().all(|found| !found.enforced);
            let is_money = hit.decision.kind.is_money() || hit.decision.kind.is_session();
            if is_shadow && is_money && hit.in_force.is_empty() {
                assert_eq!(told.lines().count(), 1, "{rule}: {told}");
            }
        }
    }
}

/// Each number, comparison, connective and key of each shipped rule moved by one step: a test notices.
#[test]
fn shipped_tests_notice_every_step_of_every_rule() {
    let files = shipped();
    let rules = compile(&files).expect("the shipped rules load").rule_set;
    let mut changes = 0;
    for rule in &rules.rules {
        let name = format!("/{}.test.yaml", rule.id);
        let tests =
            files.iter().find(|file| file.path.ends_with(&name)).map(|file| test_file::read(file).expect("tests"));
        let report = mutate(Subject { sources: &files, rules: &rules, rule: &rule.id, tests: tests.as_ref() });
        assert!(report.survivors.is_empty() && report.idle.is_empty(), "{}: {report:#?}", rule.id);
        changes += report.noticed;
    }
    assert!(changes > 250, "only {changes} changes were tried");
}
