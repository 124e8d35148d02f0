//! The rule files in `rules/` load without an error or a warning, and their test files parse.

use std::fs;
use std::path::Path;

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
