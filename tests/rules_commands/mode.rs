//! `kuzet rules promote` and `kuzet rules demote`

use std::fs;

use super::{told, write};

#[test]
fn the_mode_changes_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("rules/README.md", "none yet\n")]);
    told(folder.path(), &["rules", "new", "large"], 0);
    let read = || fs::read_to_string(folder.path().join("rules/large.yaml")).expect("there");
    let before = read();
    let answer = told(folder.path(), &["rules", "promote", "large"], 0);
    assert!(answer.starts_with("large: shadow → enforce, rule set "), "{answer}");
    let hint = "2 tests of rules/large.test.yaml expect the other mode: kuzet test rules --only large\n";
    assert!(answer.ends_with(hint), "{answer}");
    assert_eq!(read(), before.replace("mode: shadow\n", "mode: enforce\n"));
    assert_eq!(told(folder.path(), &["rules", "promote", "large", "rules"], 0), "large: enforce already\n");
    let answer = told(folder.path(), &["rules", "demote", "large"], 0);
    assert!(answer.starts_with("large: enforce → shadow") && answer.lines().count() == 1, "{answer}");
    assert_eq!(read(), before);
    let refused = told(folder.path(), &["rules", "demote", "small"], 2);
    assert!(refused.contains("no rule of rules is named small"), "{refused}");
    told(folder.path(), &["rules", "demote", "large", "--comment", "x"], 2);
}

#[test]
fn rules_that_do_not_load_are_left() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("rules/broken.yaml", "rule: broken\nmode: shadow\n")]);
    told(folder.path(), &["rules", "promote", "broken"], 64);
    let text = fs::read_to_string(folder.path().join("rules/broken.yaml")).expect("there");
    assert_eq!(text, "rule: broken\nmode: shadow\n");
}
