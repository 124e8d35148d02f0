//! Each bad file in `tests/bad_rules/` is refused with exactly the text beside it (`NAME.txt`), and so is the example
//! of each code's explanation (`CODE.example.txt`).
//!
//! `KUZET_BLESS=1 cargo test --test pure bad_rules::` writes the texts anew; read the difference before
//! committing it. `NAME.yaml` is a rule, `NAME.mrp.yaml`, `NAME.lists.yaml`, `NAME.budget.yaml`,
//! `NAME.csv` and `NAME.networks.csv` are data, `NAME.test.yaml` is a test file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::NaiveDate;
use kuzet::analysis::check::read;
use kuzet::analysis::mutation::{self, Subject};
use kuzet::cli::check;
use kuzet::rules::diagnostic::Code;
use kuzet::rules::test_file::TestFile;
use kuzet::rules::{Diagnostic, SourceFile, compile, render_json, render_sarif, render_text};

const FOLDER: &str = "tests/bad_rules";

fn source(path: &str, text: &[u8]) -> SourceFile {
    SourceFile::new(path.to_owned(), text.to_vec())
}

/// A bad set and the name of its text in `tests/bad_rules/`.
struct Fixture {
    name: String,
    files: Vec<SourceFile>,
    /// The files that are bad: only their findings count.
    bad: BTreeSet<String>,
}

/// The day on which the sets are looked at.
fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, 1).expect("a day")
}

/// The files among which a bad one stands: lists and a table that it may name, and a rule that reads them.
fn base() -> Vec<SourceFile> {
    let lists =
        b"antifraud_wallets: {type: wallet, file: wallets.csv}\nbad_networks: {type: cidr, file: networks.csv}\n";
    let mrp = b"mrp: [{from: 2026-01-01, value: 4325 KZT}, {from: 2027-01-01, value: 4500 KZT}]\n";
    let when = "when: wallet_id in antifraud_wallets and ip in bad_networks and amount > 100 MRP\n";
    vec![
        source("rules/data/lists.yaml", lists),
        source("rules/data/mrp.yaml", mrp),
        source("rules/data/wallets.csv", b"value,from,until,reason\n"),
        source("rules/data/networks.csv", b"value,from,until,reason\n"),
        source("rules/base.yaml", whole_rule("base", when).as_bytes()),
    ]
}

/// Puts files among those of the base, in the place of those of the same path.
fn fixture(name: &str, bad: Vec<SourceFile>) -> Fixture {
    let paths: BTreeSet<String> = bad.iter().map(|file| file.path.clone()).collect();
    let mut files = base();
    files.retain(|file| !paths.contains(&file.path));
    // The rule of the base reads data of the base.
    files.retain(|file| file.path != "rules/base.yaml" || !paths.iter().any(|path| path.contains("/data/")));
    let is_named = |path: &str| paths.contains("rules/data/lists.yaml") && path.ends_with(".csv");
    files.retain(|file| !is_named(&file.path));
    files.extend(bad);
    Fixture { name: name.to_owned(), files, bad: paths }
}

/// The set in which the file of a fixture is the only bad one.
fn fixture_of_file(name: &str, bytes: &[u8]) -> Fixture {
    let path = match name {
        name if name.ends_with(".mrp.yaml") => String::from("rules/data/mrp.yaml"),
        name if name.ends_with(".lists.yaml") => String::from("rules/data/lists.yaml"),
        name if name.ends_with(".budget.yaml") => String::from("rules/data/budget.yaml"),
        name if name.ends_with(".networks.csv") => String::from("rules/data/networks.csv"),
        name if name.ends_with(".csv") => String::from("rules/data/wallets.csv"),
        name => format!("rules/{name}"),
    };
    let mut bad = vec![source(&path, bytes)];
    if let Some(rule) = name.strip_suffix(".test.yaml") {
        bad.push(source(&format!("rules/{rule}.yaml"), whole_rule(rule, "").as_bytes()));
    }
    fixture(name, bad)
}

impl Fixture {
    /// Finds what `kuzet check` finds in the bad files. That nothing reads or tests a part of the set counts only where
    /// the fixture is about that: it is not a whole set.
    fn findings(&self) -> Vec<Diagnostic> {
        let of_whole_sets = [Code::UntestedRule, Code::UnusedList, Code::UnusedTable, Code::MrpEnds].map(Code::name);
        let counts = |code: &str| !of_whole_sets.contains(&code) || self.name.starts_with(code);
        let (_, mut findings) = check::check(&self.files, today());
        if [Code::Untested, Code::IdleEquivalent].iter().any(|code| self.name == format!("{}.example", code.name())) {
            findings.extend(self.findings_of_changes());
        }
        findings.retain(|found| self.bad.contains(&found.path) && counts(found.code));
        findings
    }
}

impl Fixture {
    /// Finds what `kuzet test --mutate` finds in the rules that have tests.
    fn findings_of_changes(&self) -> Vec<Diagnostic> {
        let read = read(&self.files);
        let rules = read.rules.as_ref().expect("rules that load");
        let path_of = |ends: &str| &self.files.iter().find(|file| file.path.ends_with(ends)).expect("a file").path;
        let of_rule = |(rule, tests): (&String, &TestFile)| {
            let report = mutation::mutate(Subject { sources: &self.files, rules, rule, tests: Some(tests) });
            let survivors = report.survivors.iter().map(|found| found.finding(path_of(&format!("/{rule}.yaml"))));
            let tests_path = path_of(&format!("/{rule}.test.yaml"));
            let idle = report.idle.iter().map(|at| mutation::idle_finding(&tests.equivalent[*at], tests_path));
            survivors.chain(idle).collect::<Vec<_>>()
        };
        read.tests.iter().flat_map(of_rule).collect()
    }
}

/// Adds to the keys of a rule those that any rule has, where they are left out.
fn whole_rule(id: &str, keys: &str) -> String {
    let has = |key: &str| keys.lines().any(|line| line.starts_with(&format!("{key}:")));
    let key = |(key, value): &(&str, &str)| if has(key) { String::new() } else { format!("{key}: {value}\n") };
    let before = [
        ("rule", id),
        ("clauses", "[\"7.15\"]"),
        ("title", "{kk: Сынақ ережесі, ru: Проверочное правило, en: A rule for a test}"),
        ("owner", "risk"),
        ("mode", "shadow"),
        ("on", "transfer"),
    ];
    before.iter().map(key).collect::<String>() + keys + &key(&("then", "[monitor]"))
}

/// The indented blocks of an explanation: the example and its mended form.
fn blocks(explanation: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in explanation.lines() {
        match line.strip_prefix("    ") {
            Some(line) if inside => *blocks.last_mut().expect("a block") += &format!("{line}\n"),
            Some(line) => blocks.push(format!("{line}\n")),
            None => {}
        }
        inside = line.starts_with("    ");
    }
    blocks
}

/// The files of a block: those that it names, or one rule.
fn files_of(block: &str) -> Vec<SourceFile> {
    let mut texts: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("-- ").and_then(|line| line.strip_suffix(" --")) {
            Some(path) => texts.push((path.to_owned(), String::new())),
            None => {
                if texts.is_empty() {
                    texts.push((String::from("example.yaml"), String::new()));
                }
                texts.last_mut().expect("a file").1 += &format!("{line}\n");
            }
        }
    }
    let is_rule = |path: &str| path.ends_with(".yaml") && !path.ends_with(".test.yaml") && !path.contains("data/");
    if texts.iter().any(|(path, _)| path.ends_with(".test.yaml")) && !texts.iter().any(|(path, _)| is_rule(path)) {
        texts.push((String::from("example.yaml"), String::new()));
    }
    let whole = |(path, text): &(String, String)| {
        let id = path.rsplit('/').next().and_then(|name| name.strip_suffix(".yaml")).unwrap_or_default();
        let text = if is_rule(path) { whole_rule(id, text) } else { text.clone() };
        source(&format!("rules/{path}"), text.as_bytes())
    };
    texts.iter().map(whole).collect()
}

/// The example of a code and its mended form, each as a set; `None` where the explanation says that there is none.
fn examples(code: Code) -> Option<[Fixture; 2]> {
    let blocks = blocks(code.explanation());
    if blocks.is_empty() {
        assert!(code.explanation().contains("There is no example"), "{}", code.name());
        return None;
    }
    let [example, mended] = blocks.as_slice() else { panic!("{} has {} blocks", code.name(), blocks.len()) };
    let [example, mended] =
        [example, mended].map(|block| fixture(&format!("{}.example", code.name()), files_of(block)));
    Some([example, mended])
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

/// Windows that together leave more than the budget accepts.
fn findings_of_heavy_rules() -> Vec<Diagnostic> {
    let rule = |rule: usize| {
        let part = |number: usize| format!("count(transfer where amount > {number} KZT by wallet within {rule}d) > 5");
        let when = (1..=60).map(part).collect::<Vec<_>>().join(" or ");
        let id = format!("heavy{rule}");
        source(&format!("rules/{id}.yaml"), whole_rule(&id, &format!("when: {when}\n")).as_bytes())
    };
    check::check(&(1..=8).map(rule).collect::<Vec<_>>(), today()).1
}

fn fixtures() -> Vec<Fixture> {
    let mut out: Vec<Fixture> = fs::read_dir(FOLDER)
        .expect("the folder of fixtures")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "txt"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            fixture_of_file(&name, &fs::read(&path).expect("a readable fixture"))
        })
        .collect();
    out.extend(Code::ALL.iter().filter_map(|code| examples(*code)).map(|[example, _]| example));
    out.sort_by(|one, other| one.name.cmp(&other.name));
    out
}

#[test]
fn each_bad_file_gives_its_text() {
    let bless = crate::environment::text("KUZET_BLESS").is_some();
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let found = render_text(&fixture.findings(), &fixture.files);
        let golden = Path::new(FOLDER).join(format!("{}.txt", fixture.name));
        if bless {
            fs::write(&golden, &found).expect("a writable golden text");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if found.is_empty() || found != expected {
            wrong.push(format!("--- {}\nexpected:\n{expected}\nfound:\n{found}", fixture.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_fixture() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 130, "{}", fixtures.len());
    let mut seen: BTreeSet<&str> = findings_of_large_sets().iter().map(|finding| finding.code).collect();
    seen.extend(fixtures.iter().flat_map(Fixture::findings).map(|finding| finding.code));
    seen.extend(findings_of_heavy_rules().iter().map(|finding| finding.code));
    // A folder without a rule is no bad file: tests of the commands show it.
    seen.insert(Code::NoRules.name());
    let without: Vec<&&str> = Code::NAMES.iter().filter(|code| !seen.contains(*code)).collect();
    assert!(without.is_empty(), "no fixture shows {without:?}");
}

#[test]
fn each_example_gives_its_code_alone_and_nothing_once_it_is_mended() {
    let mut wrong = Vec::new();
    let mut without = Vec::new();
    for code in Code::ALL {
        let Some([example, mended]) = examples(*code) else {
            without.push(code.name());
            continue;
        };
        let found = example.findings();
        if found.len() != 1 || found[0].code != code.name() {
            wrong.push(format!("--- {}\n{}", code.name(), render_text(&found, &example.files)));
        }
        let found = mended.findings();
        if !found.is_empty() {
            wrong.push(format!("--- {}, mended\n{}", code.name(), render_text(&found, &mended.files)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let too_long = ["file-too-large", "no-rules", "not-utf8", "state-cost", "too-many-aggregates", "too-many-rules"];
    assert_eq!(without, too_long);
}

#[test]
fn explanations_are_found_by_their_codes_and_read_well() {
    for code in Code::ALL {
        let text = code.explained();
        assert!(text.starts_with(&format!("{}: {}\n\n", code.name(), code.meaning())), "{text}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text}");
        assert!(text.lines().skip(1).all(|line| line.chars().count() <= 130), "{text}");
        for kind in ["warning", "note"] {
            let is_it = code.meaning().ends_with(&format!("(a {kind})"));
            assert_eq!(is_it, text.contains(&format!("\nIt is a {kind}: ")), "{text}");
        }
    }
    assert_eq!(Code::nearest_to("unkown-feild"), Some("unknown-field"));
    assert_eq!(Code::nearest_to("E0308"), None);
    assert_eq!(Code::list().lines().count(), Code::ALL.len());
}

#[test]
fn machine_formats_are_json_with_places() {
    let [example, _] = examples(Code::MoneyWithoutUnit).expect("an example");
    let findings = example.findings();
    let json: serde_json::Value = serde_json::from_str(&render_json(&findings, &example.files)).expect("JSON");
    assert_eq!(json["diagnostics"][0]["start"], serde_json::json!({"line": 7, "column": 16}));
    let sarif: serde_json::Value = serde_json::from_str(&render_sarif(&findings, &example.files)).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "money-without-unit");
    let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("a position");
    let rule = &sarif["runs"][0]["tool"]["driver"]["rules"][index];
    assert_eq!(rule["id"], "money-without-unit");
    assert!(rule["help"]["text"].as_str().is_some_and(|text| text.contains("when: amount > 100_000 KZT")), "{rule}");
}
