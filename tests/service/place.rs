//! The store's file moved, deleted, replaced or cut under a service that has it open: nothing more is acknowledged.

use std::fs;
use std::path::Path;

use super::*;
use crate::wait;
use kuzet::service::Unavailable;

/// What the service says to one more operation, which it must not acknowledge.
fn refusal(service: &Service, number: usize) -> String {
    let record = transfer(number, &format!("10:{number:02}:00"));
    match runtime().block_on(service.submit(vec![record], now())) {
        Err(Unavailable::Store(text)) => text,
        other => panic!("acknowledged, or refused for another reason: {other:?}"),
    }
}

/// Has the file taken away, sees that nothing is acknowledged, puts it back, and sees that all is there.
fn taken_away_and_put_back(away: impl Fn(&Path), what: &str, back: impl Fn(&Path)) {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("store");
    let service = start_shipped(&folder);
    submit(&service, &[transfer(1, "10:01:00")]);
    away(&folder);
    // Before anybody asks for a decision.
    let trouble = service.trouble().expect("not ready");
    assert!(trouble.contains(what), "{trouble}");
    for number in 2..5 {
        let refused = refusal(&service, number);
        assert!(refused.contains(what), "{refused}");
    }
    back(&folder);
    wait::until("the service is ready", || service.trouble().is_none().then_some(()));
    // The first that was refused may be in the store all the same; the others were never decided.
    let again = submit(&service, &[transfer(2, "10:02:00"), transfer(3, "10:03:00")]);
    assert!(matches!(again[0], ItemAnswer::Duplicate(2) | ItemAnswer::Decided(2)), "{again:?}");
    assert_eq!(again[1], ItemAnswer::Decided(3));
    service.stop();
    assert_eq!(decisions(&start_shipped(&folder)).len(), 3);
}

#[test]
fn a_file_that_was_deleted_or_moved_takes_no_more() {
    let move_away = |folder: &Path| fs::rename(folder.join(FILE), folder.join("moved")).expect("moved");
    let move_back = |folder: &Path| fs::rename(folder.join("moved"), folder.join(FILE)).expect("moved");
    taken_away_and_put_back(move_away, "moved or deleted", move_back);
    // A hard link keeps the file that is deleted.
    let delete = |folder: &Path| {
        fs::hard_link(folder.join(FILE), folder.join("saved")).expect("a link");
        fs::remove_file(folder.join(FILE)).expect("deleted");
    };
    let link_again = |folder: &Path| fs::hard_link(folder.join("saved"), folder.join(FILE)).expect("a link");
    taken_away_and_put_back(delete, "moved or deleted", link_again);
}

#[test]
fn a_file_that_was_replaced_takes_no_more() {
    let replace = |folder: &Path| {
        fs::rename(folder.join(FILE), folder.join("moved")).expect("moved");
        fs::copy(folder.join("moved"), folder.join(FILE)).expect("a copy");
    };
    let back = |folder: &Path| fs::rename(folder.join("moved"), folder.join(FILE)).expect("moved");
    taken_away_and_put_back(replace, "another file is there now", back);
}

#[test]
fn a_folder_that_was_renamed_or_replaced_takes_no_more() {
    let elsewhere = |folder: &Path| folder.with_extension("old");
    let rename = |folder: &Path| fs::rename(folder, elsewhere(folder)).expect("renamed");
    let back = |folder: &Path| fs::rename(elsewhere(folder), folder).expect("renamed");
    taken_away_and_put_back(rename, "moved or deleted", back);
    let replace = |folder: &Path| {
        rename(folder);
        drop(Store::open(folder, CACHE).expect("another store"));
    };
    let back = |folder: &Path| {
        fs::remove_dir_all(folder).expect("removed");
        fs::rename(elsewhere(folder), folder).expect("renamed");
    };
    taken_away_and_put_back(replace, "another file is there now", back);
}

#[test]
fn a_file_that_was_cut_takes_no_more_and_is_left_as_it_is() {
    for length in [0, 8_192] {
        let folder = tempfile::tempdir().expect("a folder");
        let service = start_shipped(folder.path());
        submit(&service, &[transfer(1, "10:01:00")]);
        let path = folder.path().join(FILE);
        fs::OpenOptions::new().write(true).open(&path).expect("the file").set_len(length).expect("cut");
        assert!(service.trouble().expect("not ready").contains("was cut from"));
        assert!(refusal(&service, 2).contains("was cut from"));
        assert_eq!(fs::metadata(&path).expect("the file").len(), length);
        assert!(service.trouble().is_some());
    }
}

/// A batch whose commit failed is not written on top of what somebody else made of the file meanwhile.
#[test]
fn nothing_is_written_on_top_of_another_past() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), CACHE).expect("a store");
    let at = |batch: u64| Commit {
        position: Position { batch, ..Position::default() },
        journal: Some(Vec::new()),
        ..Commit::default()
    };
    store.commit(&at(1)).expect("committed");
    assert!(store.settle(&at(1)).expect("settled"), "it is there");
    assert!(!store.settle(&at(2)).expect("settled"), "it is to be committed");
    let refused = store.settle(&at(3)).expect_err("batch 2 is missing");
    assert!(matches!(refused, StoreError::Astray { found: 1, expected: 2, .. }), "{refused}");
}
