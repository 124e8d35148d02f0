//! What stands in fenced blocks is what the program takes or prints: rules, tests, conditions, configuration, errors
//! and decisions. The language behind the fence says which; a log of a past run says that it is one.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

use kuzet::analysis::rule_tests;
use kuzet::config;
use kuzet::rules::program::{Rule, RuleSet};
use kuzet::rules::{self, SourceFile, render_text, test_file};

use super::{Block, blocks, documents, root};

/// Every language, and what holds a block of it against the program.
const LANGUAGES: [&str; 10] = [
    // Command lines, parsed by `every_command_line_is_one_of_this_program`; what follows them is compared below.
    "sh",
    "console",
    // Compared or loaded below.
    "yaml",
    "condition",
    "toml",
    "error",
    "json",
    // Settings of librdkafka.
    "properties",
    // What a run of the past printed: times and rates that no other run has.
    "log",
    // Letters that stand for what a reader puts in.
    "form",
];

/// Every block of a language, with the path of its document.
fn blocks_of(language: &str) -> Vec<(String, Block)> {
    let of_document = |(path, text): (String, String)| {
        let found = blocks(&text).into_iter().filter(|block| block.language == language);
        found.map(|block| (path.clone(), block)).collect::<Vec<_>>()
    };
    documents().into_iter().flat_map(of_document).collect()
}

/// The data files of the shipped rules, and one rule more.
fn compiled(id: &str, text: &str) -> Result<RuleSet, String> {
    let mut files = vec![SourceFile::new(format!("rules/{id}.yaml"), text.as_bytes())];
    for entry in fs::read_dir(root("rules/data")).expect("the data").flatten() {
        let path = format!("rules/data/{}", entry.file_name().to_string_lossy());
        files.push(SourceFile::new(path, fs::read(entry.path()).expect("readable")));
    }
    match rules::compile(&files) {
        Ok(compiled) => Ok(compiled.rule_set),
        Err(findings) => Err(render_text(&findings, &files)),
    }
}

/// The text of a file of the shipped rules, whatever folder it lies in.
fn shipped(name: &str) -> Option<String> {
    let folders = ["section7", "law", "behaviour"];
    folders.iter().find_map(|folder| fs::read_to_string(root(&format!("rules/{folder}/{name}"))).ok())
}

fn rule_of(set: &RuleSet) -> &Rule {
    set.rules.first().expect("one rule")
}

/// What decides: all but the texts for people.
fn meaning(set: &RuleSet) -> String {
    let rule = rule_of(set);
    let (clauses, mode, on, terms) = (&rule.clauses, rule.mode, rule.on, (rule.from, rule.until));
    format!(
        "{clauses:?} {mode:?} {on:?} {terms:?} {:?} {:?} {:?} {:?}",
        rule.on_missing, rule.when, rule.actions, set.aggregates
    )
}

#[test]
fn every_block_says_what_it_is() {
    let mut complaints = Vec::new();
    for (path, text) in documents() {
        for block in blocks(&text) {
            if !LANGUAGES.contains(&&*block.language) {
                let first = block.lines.first().map_or("", String::as_str);
                complaints.push(format!("{path}: ```{} before {first}", block.language));
            }
        }
    }
    assert!(complaints.is_empty(), "{}\naccepted: {}", complaints.join("\n"), LANGUAGES.join(", "));
}

/// A rule block loads, with a title and an owner where it leaves them out, and means what the shipped rule of its id
/// means. A block of tests loads, and its tests pass with the shipped rule whose tests have these names.
#[test]
fn rules_and_tests_in_documents_load_and_are_those_that_ship() {
    let found = blocks_of("yaml");
    assert!(found.len() >= 3, "{} blocks", found.len());
    for (path, block) in found {
        let mut text = block.lines.join("\n");
        text.push('\n');
        if block.lines.first().is_some_and(|line| line.trim() == "tests:") {
            check_tests(&path, &text);
            continue;
        }
        if block.lines.first().is_some_and(|line| line.starts_with("budget:")) {
            check_budget(&path, &text);
            continue;
        }
        if block.lines.first().is_some_and(|line| line.trim() == "equivalent:") {
            check_equivalent(&path, &text);
            continue;
        }
        for (key, value) in [("title:", "title: {kk: a, ru: a, en: a}\n"), ("owner:", "owner: risk\n")] {
            if !block.lines.iter().any(|line| line.starts_with(key)) {
                text.push_str(value);
            }
        }
        let id = text.lines().find_map(|line| line.strip_prefix("rule: ")).unwrap_or_default();
        let id = id.split_whitespace().next().unwrap_or_default().to_owned();
        let set = compiled(&id, &text).unwrap_or_else(|error| panic!("{path}:\n{error}"));
        if let Some(file) = shipped(&format!("{id}.yaml")) {
            let shipped = compiled(&id, &file).expect("the shipped rule loads");
            assert_eq!(meaning(&set), meaning(&shipped), "{path}: {id} is another rule than the one that ships");
        }
    }
}

/// A budget stands in a rule, or in the file of the set's default.
fn check_budget(path: &str, text: &str) {
    let rule = format!(
        "rule: example\nclauses: [\"1\"]\ntitle: {{kk: a, ru: a, en: a}}\nowner: risk\nmode: enforce\non: transfer\n\
         when: amount > 1 KZT\nthen: [hold]\n{text}"
    );
    if let Err(error) = compiled("example", &rule) {
        panic!("{path}:\n{error}");
    }
}

/// What makes no difference in a document makes none in a shipped test file, word for word.
fn check_equivalent(path: &str, text: &str) {
    let some_test = "tests: [{name: a, start: 2026-03-02T12:00:00+05:00, steps: [{at: 0m, expect: {verdict: allow}}]}]";
    let equivalent = |name: &str, text: &str| {
        let file = test_file::parse(name, text).unwrap_or_else(|findings| panic!("{path}: {name}: {findings:?}"));
        file.equivalent.into_iter().map(|known| (known.rule_says, known.as_well_as, known.why)).collect::<Vec<_>>()
    };
    let wanted = equivalent("document.test.yaml", &format!("{some_test}\n{text}"));
    assert!(!wanted.is_empty(), "{path}: nothing is listed");
    let mut known = BTreeSet::new();
    for folder in ["section7", "law", "behaviour"] {
        for entry in fs::read_dir(root(&format!("rules/{folder}"))).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".test.yaml") {
                known.extend(equivalent(&name, &fs::read_to_string(entry.path()).expect("readable")));
            }
        }
    }
    for entry in wanted {
        assert!(known.contains(&entry), "{path}: no shipped test file lists {entry:?}");
    }
}

fn check_tests(path: &str, text: &str) {
    let file = test_file::parse("document.test.yaml", text).unwrap_or_else(|findings| panic!("{path}: {findings:?}"));
    let names: BTreeSet<&str> = file.tests.iter().map(|test| &*test.name).collect();
    let mut rules_of_names = Vec::new();
    for folder in ["section7", "law", "behaviour"] {
        for entry in fs::read_dir(root(&format!("rules/{folder}"))).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(id) = name.strip_suffix(".test.yaml") else { continue };
            let shipped = fs::read_to_string(entry.path()).expect("readable");
            let known = test_file::parse(&name, &shipped).expect("shipped tests load");
            if names.iter().all(|wanted| known.tests.iter().any(|test| *test.name == **wanted)) {
                rules_of_names.push(id.to_owned());
            }
        }
    }
    let id = rules_of_names.first().unwrap_or_else(|| panic!("{path}: no shipped file has the tests {names:?}"));
    let set = compiled(id, &shipped(&format!("{id}.yaml")).expect("a rule")).expect("it loads");
    for test in &file.tests {
        let outcome = rule_tests::run(&set, id, test);
        assert!(outcome.mismatches.is_empty(), "{path}: {}: {:?}", test.name, outcome.mismatches);
    }
}

/// Each line is a condition, unless it goes on with the one before: `and …`, `or …`.
#[test]
fn conditions_in_documents_load() {
    let found = blocks_of("condition");
    assert!(found.len() >= 3, "{} blocks", found.len());
    for (path, block) in found {
        let mut conditions: Vec<String> = Vec::new();
        for line in &block.lines {
            match conditions.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => {
                    last.push(' ');
                    last.push_str(line.trim());
                }
                _ => conditions.push(line.clone()),
            }
        }
        for condition in conditions {
            let text = format!(
                "rule: example\nclauses: [\"1\"]\ntitle: {{kk: a, ru: a, en: a}}\nowner: risk\nmode: shadow\n\
                 on: transfer\nwhen: |\n  {condition}\nthen:\n  - monitor\n"
            );
            if let Err(error) = compiled("example", &text) {
                panic!("{path}: {condition}:\n{error}");
            }
        }
    }
}

#[test]
fn configurations_in_documents_are_accepted() {
    let found = blocks_of("toml");
    assert!(!found.is_empty(), "no document shows a configuration");
    for (path, block) in found {
        let text = block.lines.join("\n");
        if let Err(errors) = config::parse("kuzet.toml", &text, []) {
            panic!("{path}:\n{errors}");
        }
    }
}

/// The shipped file, with the line that the error shows, gives this text.
#[test]
fn errors_in_documents_are_those_that_check_prints() {
    let found = blocks_of("error");
    assert!(!found.is_empty(), "no document shows an error");
    for (path, block) in found {
        let place = block.lines.iter().find_map(|line| line.trim_start().strip_prefix("--> ")).expect("a place");
        let mut parts = place.split(':');
        let file = parts.next().expect("a file");
        let number: usize = parts.next().and_then(|line| line.parse().ok()).expect("a line");
        let shown = block.lines.iter().find_map(|line| line.trim_start().strip_prefix(&format!("{number} | ")));
        let shipped = fs::read_to_string(root(file)).unwrap_or_else(|error| panic!("{path}: {file}: {error}"));
        let mut lines: Vec<&str> = shipped.lines().collect();
        lines[number - 1] = shown.unwrap_or_else(|| panic!("{path}: line {number} is not shown"));

        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join(file);
        fs::create_dir_all(copy.parent().expect("a parent")).expect("a folder");
        fs::write(&copy, lines.join("\n")).expect("writable");
        let output = crate::command::kuzet().args(["check", "rules"]).current_dir(folder.path()).output();
        let printed = String::from_utf8(output.expect("kuzet starts").stdout).expect("a text");
        let wanted = block.lines.join("\n");
        assert!(printed.contains(&wanted), "{path} shows\n{wanted}\nkuzet check prints\n{printed}");
    }
}

/// A decision in a document is the one on the operation that was posted before it with `-d '…'`. White space does not
/// count, `…` stands for what was left out, and the rule set's hash is that of today.
#[test]
fn decisions_in_documents_are_those_of_the_shipped_rules() {
    let mut count = 0;
    // What the walkthrough shows is compared by running it.
    for (path, text) in documents().into_iter().filter(|(path, _)| path != "docs/walkthrough.md") {
        let mut posted = None;
        for block in blocks(&text) {
            let lines = block.lines.join("\n");
            if let Some((_, rest)) = lines.split_once("-d '") {
                posted = rest.split('\'').next().map(str::to_owned);
            }
            let Some(at) = lines.find("{\"decision_id\"") else { continue };
            count += 1;
            let operation = posted.as_deref().unwrap_or_else(|| panic!("{path}: a decision without its operation"));
            let decision = decide(operation);
            let (shown, printed) = (compact(&lines[at..]), compact(&decision));
            let hash =
                |text: &str| text.split_once("\"ruleset\":\"").and_then(|(_, rest)| rest.get(..12).map(str::to_owned));
            let shown = match (hash(&shown), hash(&printed)) {
                (Some(old), Some(new)) => shown.replace(&old, &new),
                _ => shown,
            };
            assert!(is_shown(&shown, &printed), "{path} shows\n{shown}\nkuzet replay prints\n{decision}");
        }
    }
    assert!(count >= 2, "{count} decisions");
}

fn decide(operation: &str) -> String {
    let mut command = crate::command::kuzet();
    command.args(["replay", "-", "--rules"]).arg(root("rules")).arg("--geoip").arg(root("geoip"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let line = operation.replace('\n', " ");
    child.stdin.take().expect("piped").write_all(line.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("a text")
}

fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Tells whether the pieces between ellipses stand in the text in this order, the first and the last at its ends.
fn is_shown(shown: &str, printed: &str) -> bool {
    let Some((first, others)) = shown.split_once('…') else { return shown == printed };
    let (middle, last) = others.rsplit_once('…').unwrap_or(("", others));
    let inner = printed.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let Some(mut rest) = inner else { return false };
    middle.split('…').all(|piece| {
        let found = rest.find(piece);
        rest = found.map_or("", |at| &rest[at + piece.len()..]);
        found.is_some()
    })
}

#[test]
fn a_text_with_ellipses_is_found_or_not() {
    assert!(is_shown("a…d", "abcd") && is_shown("abcd", "abcd") && is_shown("ab…", "abcd"));
    assert!(!is_shown("a…c", "abcd") && !is_shown("b…d", "abcd") && !is_shown("abc", "abcd"));
}
