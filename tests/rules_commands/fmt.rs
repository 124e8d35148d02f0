//! `kuzet rules fmt`

use std::fs;

use super::{told, write};

const LAID_OUT: &str = "rule: a\nmode: shadow\nwhen: |\n  amount > 5 KZT\n";

#[test]
fn files_are_laid_out_in_their_place_and_check_only_tells() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = "mode:  shadow\nrule: a\nwhen: amount>5 KZT\n";
    let test = "tests:   []\n";
    write(folder.path(), &[("rules/x/a.yaml", before), ("rules/x/a.test.yaml", test), ("rules/data/mrp.yaml", test)]);
    let told_of = told(folder.path(), &["rules", "fmt", "--check"], 1);
    let expected = "--- rules/x/a.yaml\n+++ rules/x/a.yaml\n@@ -1,3 +1,4 @@\n-mode:  shadow\n rule: a\n-when: amount>5 \
                    KZT\n+mode: shadow\n+when: |\n+  amount > 5 KZT\n1 rule files, 1 would change\n";
    assert_eq!(told_of, expected);
    let read = |path: &str| fs::read_to_string(folder.path().join(path)).expect("there");
    assert_eq!(read("rules/x/a.yaml"), before);
    assert_eq!(told(folder.path(), &["rules", "fmt"], 0), "rules/x/a.yaml\n1 rule files, 1 changed\n");
    assert_eq!(read("rules/x/a.yaml"), LAID_OUT);
    assert_eq!(told(folder.path(), &["rules", "fmt", "rules", "--check"], 0), "1 rule files, 0 would change\n");
    assert_eq!((read("rules/x/a.test.yaml"), read("rules/data/mrp.yaml")), (test.to_owned(), test.to_owned()));
}

#[test]
fn one_file_may_be_named_and_what_cannot_be_read_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("a.yaml", "rule:  a\n"), ("b.yaml", "rule: [\n"), ("c.test.yaml", "tests: []\n")]);
    assert_eq!(told(folder.path(), &["rules", "fmt", "a.yaml"], 0), "a.yaml\n1 rule files, 1 changed\n");
    let left = told(folder.path(), &["rules", "fmt", "b.yaml"], 1);
    assert!(left.contains("--> b.yaml:") && left.ends_with("1 rule files, 0 changed, 1 left as they are\n"), "{left}");
    assert_eq!(fs::read_to_string(folder.path().join("b.yaml")).expect("there"), "rule: [\n");
    let refused = told(folder.path(), &["rules", "fmt", "c.test.yaml"], 2);
    assert!(refused.contains("c.test.yaml is no rule file"), "{refused}");
    told(folder.path(), &["rules", "fmt", "no/such"], 64);
}
