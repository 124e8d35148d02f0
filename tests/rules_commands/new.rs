//! `kuzet rules new`

use std::fs;

use kuzet::analysis::templates::TEMPLATES;

use super::{told, write};

const LISTS: (&str, &str) = (
    "rules/data/lists.yaml",
    "lists:\n  phones: {type: phone, file: phones.csv}\n  flagged: {type: wallet, file: flagged.csv}\n",
);
const ROWS: &str = "value,from,until,reason\nA1,,,x\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[LISTS, ("rules/data/phones.csv", ROWS), ("rules/data/flagged.csv", ROWS)]);
    folder
}

/// Every template makes a rule that loads without a warning, passes its tests, and none of whose small changes goes
/// unnoticed.
#[test]
fn what_templates_make_passes_every_check_as_it_is_written() {
    let folder = folder();
    for template in TEMPLATES {
        let id = format!("my-{}", template.name);
        let answer = told(folder.path(), &["rules", "new", &id, "--from", template.name], 0);
        assert!(answer.starts_with(&format!("wrote rules/{id}.yaml and rules/{id}.test.yaml\n")), "{answer}");
        let text = fs::read_to_string(folder.path().join(format!("rules/{id}.yaml"))).expect("written");
        assert!(text.contains("mode: shadow\n"), "{text}");
    }
    let checked = told(folder.path(), &["check", "rules"], 0);
    assert!(checked.contains("0 enforce, 4 shadow, 0 off; 2 lists, 1 warning"), "{checked}");
    assert!(checked.contains("warning[unused-list]: no rule reads the list `phones`"), "of another type: {checked}");
    let mutated = told(folder.path(), &["test", "rules", "--mutate"], 0);
    let last = mutated.lines().last().unwrap_or_default();
    assert!(last.starts_with("4 rules, ") && last.contains(" noticed, 0 survived"), "{mutated}");
}

#[test]
fn templates_are_listed_and_the_first_is_the_default() {
    let folder = folder();
    let listed = told(folder.path(), &["rules", "new", "--from", "list"], 0);
    assert_eq!(listed.lines().count(), TEMPLATES.len(), "{listed}");
    for (line, template) in listed.lines().zip(TEMPLATES) {
        assert!(line.starts_with(template.name) && line.ends_with(template.about), "{line}");
    }
    told(folder.path(), &["rules", "new", "large", "rules"], 0);
    let text = fs::read_to_string(folder.path().join("rules/large.yaml")).expect("written");
    assert!(text.contains("amount > 250_000 KZT"), "{text}");
}

/// Wherever in the folder of rules a rule lies, its id is taken.
#[test]
fn nothing_is_overwritten() {
    let folder = folder();
    told(folder.path(), &["rules", "new", "large"], 0);
    let before = fs::read(folder.path().join("rules/large.yaml")).expect("written");
    fs::create_dir(folder.path().join("rules/mine")).expect("a folder");
    for place in ["rules", "rules/mine"] {
        let refused = told(folder.path(), &["rules", "new", "large", "--from", "count-in-window", place], 2);
        assert!(refused.contains("there is already rules/large.test.yaml; choose another id"), "{refused}");
    }
    assert_eq!(fs::read(folder.path().join("rules/large.yaml")).expect("still there"), before);
    assert!(!folder.path().join("rules/mine/large.yaml").exists());
    // A rule without tests takes the id as well.
    fs::remove_file(folder.path().join("rules/large.test.yaml")).expect("there");
    let refused = told(folder.path(), &["rules", "new", "large"], 2);
    assert!(refused.contains("there is already rules/large.yaml"), "{refused}");
}

#[test]
fn what_cannot_be_made_is_told_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("rules/README.md", "none yet\n")]);
    for (arguments, code, named) in [
        (&["new", "Large"][..], 2, "`Large` cannot be a rule id: only `a`–`z`"),
        (&["new", "x", "--from", "nonsense"], 2, "there is no template nonsense; there are transfer-amount, "),
        (&["new", "x", "no/such"], 2, "failed to find the folder no/such"),
        (&["new", "x", "--from", "on-list"], 2, "needs a list of the type `wallet` in rules/data/lists.yaml"),
        (&["new", "--from", "on-list"], 2, "the new rule needs an id"),
    ] {
        let arguments: Vec<&str> = ["rules"].iter().chain(arguments).copied().collect();
        let refused = told(folder.path(), &arguments, code);
        assert!(refused.contains(named), "{arguments:?}: {refused}");
    }
    write(folder.path(), &[("rules/broken.yaml", "rule: broken\n")]);
    let refused = told(folder.path(), &["rules", "new", "x"], 64);
    assert!(refused.contains("lacks the key"), "{refused}");
    let names = fs::read_dir(folder.path().join("rules")).expect("a folder").count();
    assert_eq!(names, 2);
}
