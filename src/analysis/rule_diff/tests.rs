//! The difference of two sets against the hash that both have.

use std::path::Path;

use super::SetDiff;
use crate::adapters::folders::Folder;
use crate::analysis::mutation::edits_of;
use crate::rules::{Compiled, SourceFile, compile};

/// Sets of one hash have no difference, and sets of two have one: each small change of a shipped rule shows.
#[test]
fn there_is_a_difference_where_the_hash_is_another_one() {
    let files = Folder::Path(Path::new("rules").to_path_buf()).files(|_| true).expect("shipped");
    let sources: Vec<SourceFile> =
        files.into_iter().map(|file| SourceFile::new(file.path, file.bytes.into_owned())).collect();
    let Compiled { rule_set: before, .. } = compile(&sources).expect("shipped rules load");
    assert!(SetDiff::of(("a", &before), ("b", &before)).is_empty());
    let mut count = 0;
    for (at, rule) in before.rules.iter().enumerate() {
        let place = sources.iter().position(|source| source.path == rule.path).expect("a file");
        // Every fifth: all take minutes.
        for edit in edits_of(&rule.source).into_iter().skip(at % 5).step_by(5) {
            let mut changed = sources.clone();
            changed[place].bytes = edit.applied(&rule.source).into_bytes();
            let Ok(Compiled { rule_set: after, .. }) = compile(&changed) else { continue };
            let diff = SetDiff::of(("a", &before), ("b", &after));
            assert_eq!(diff.is_empty(), before.hash == after.hash, "{}: {:?}", rule.id, edit.phrases(&rule.source));
            let is_told = diff.changed.iter().all(|rule| {
                rule.parts
                    .iter()
                    .all(|part| part.part != "when" || part.before == part.after || !part.details.is_empty())
            });
            assert!(is_told, "{}: {:?}: {diff:?}", rule.id, edit.phrases(&rule.source));
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}
