//! `benches/peers` is whole, and what it repeats of kuzet is what kuzet says: versions, rules, clauses, the MRP,
//! headers. That the peers decide the same is shown by each `make bench-peers`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const FOLDER: &str = "benches/peers";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn of_peers(path: &str) -> String {
    read(&format!("{FOLDER}/{path}"))
}

/// Returns the texts between two marks, each time they come.
fn between<'t>(text: &'t str, open: &str, close: &str) -> Vec<&'t str> {
    text.split(open).skip(1).filter_map(|rest| rest.split_once(close)).map(|(inside, _)| inside).collect()
}

#[track_caller]
fn only<'t>(text: &'t str, open: &str, close: &str) -> &'t str {
    let found = between(text, open, close);
    assert_eq!(found.len(), 1, "{open}…{close}: {found:?}");
    found[0]
}

#[test]
fn each_module_of_the_build_has_its_sources() {
    let pom = of_peers("pom.xml");
    for (module, main) in [("core", "Offline"), ("load", "Load"), ("streams", "StreamsApp"), ("flink", "FlinkJob")] {
        assert!(pom.contains(&format!("<module>{module}</module>")), "{module}");
        assert!(of_peers(&format!("{module}/pom.xml")).contains(&format!("<artifactId>{module}</artifactId>")));
        let source = of_peers(&format!("{module}/src/main/java/peers/{main}.java"));
        assert!(source.contains("public static void main"), "{module}");
    }
    assert_eq!(between(&pom, "<module>", "</module>").len(), 4);
}

#[test]
fn versions_are_pinned_and_those_of_the_tests() {
    let (tests, peers) = (read("tests/kafka/pom.xml"), of_peers("pom.xml"));
    for name in ["kafka.version", "log4j.version"] {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        assert_eq!(only(&tests, &open, &close), only(&peers, &open, &close), "{name}");
    }
    for module in ["core", "load", "streams", "flink"] {
        for version in between(&of_peers(&format!("{module}/pom.xml")), "<version>", "</version>") {
            let is_pinned = version == "1" || version.starts_with("${") && version.ends_with(".version}");
            assert!(is_pinned, "{module}: {version}");
        }
    }
}

#[test]
fn rules_clauses_and_the_mrp_are_those_that_ship() {
    let (settings, java) = (of_peers("settings.py"), of_peers("core/src/main/java/peers/Rules.java"));
    let names = only(&java, "static final String[] RULES = {", "};");
    let mut rules: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    let contract = of_peers("core/src/main/java/peers/Contract.java");
    let clauses = only(&contract, "CLAUSES = {", "};").replace("\\\"", "'");
    let clauses: Vec<String> = between(&format!("{clauses} "), "\"'", "'\"").iter().map(|c| format!("'{c}'")).collect();
    assert_eq!(rules.pop(), Some("waiting-limit"), "the built-in rule is the last");
    assert_eq!((rules.len(), clauses.len()), (5, 6), "{rules:?} {clauses:?}");
    for (rule, clauses) in rules.iter().zip(clauses) {
        assert!(settings.contains(&format!("\"{rule}\",")), "settings.py lacks {rule}");
        let shipped = read(&format!("rules/section7/{rule}.yaml"));
        let shipped = only(&shipped, "\nclauses: [", "]").replace(", ", ",").replace('"', "'");
        assert_eq!(shipped, clauses, "{rule}");
    }
    assert_eq!(mrp_of_peers(&java), mrp_that_ships());
}

/// Returns the rows as `2026-01-01 4325`, out of `daysFromCivil(2026, 1, 1), 4325_00}`.
fn mrp_of_peers(java: &str) -> BTreeSet<String> {
    let row = |row: &&str| {
        let row = row.replace('_', "");
        let words = row.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        let numbers: Vec<i64> = words.map(|word| word.parse().expect("a number")).collect();
        format!("{:04}-{:02}-{:02} {}", numbers[0], numbers[1], numbers[2], numbers[3] / 100)
    };
    between(only(java, "long[][] MRP = {", "};"), "Civil(", "}").iter().map(row).collect()
}

fn mrp_that_ships() -> BTreeSet<String> {
    let row = |row: &&str| row.replace(", value:", "").replace(" KZT", "");
    between(&read("rules/data/mrp.yaml"), "{from: ", "}").iter().map(row).collect()
}

#[test]
fn the_same_decisions_have_the_same_headers() {
    let ours = read("src/service/kafka/outgoing.rs");
    let ours = only(&ours, "pub(super) fn of_decision", "pub(super) fn of_rejection");
    let peers = of_peers("core/src/main/java/peers/Contract.java");
    let mut names = between(ours, "(\"", "\"");
    names.retain(|name| !name.contains('{'));
    assert!(names.len() >= 11, "{names:?}");
    for name in names {
        assert!(peers.contains(&format!("\"{name}\",")), "the peers' decisions lack the header {name}");
    }
}

#[test]
fn the_readme_names_every_program_and_every_system() {
    let readme = of_peers("README.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        if name.ends_with(".py") {
            assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
        }
    }
    let settings = of_peers("settings.py");
    let systems = only(&settings, "\nSYSTEMS = {", "\n}");
    let names: Vec<&str> =
        systems.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
    assert!(names.contains(&"kuzet") && names.len() > 8, "{names:?}");
    for name in &names {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not name the system {name}");
    }
    let asked = of_peers("run.py");
    for name in only(&asked, "\"--systems\", default=\"", "\"").split(',') {
        assert!(names.contains(&name), "{name} is measured by default, and is no system");
    }
}
