use std::os::unix::fs::symlink;

use super::*;

/// Longer than anything here waits for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing happened when nothing was told for so long.
const NOTHING: Duration = Duration::from_millis(700);
/// Never, within a test.
const NO_POLL: Duration = Duration::from_secs(3_600);

struct Watched {
    runtime: tokio::runtime::Runtime,
    watch: Watch,
}

impl Watched {
    fn start(path: &Path, poll_every: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { runtime, watch: Watch::start([path.to_path_buf()], poll_every) }
    }

    /// Does something and sees that it is noticed.
    fn notices(&mut self, what: &str, act: impl FnOnce()) {
        act();
        let noticed = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.watch.changed()).await });
        assert!(noticed.is_ok(), "{what} was not noticed");
    }

    fn ignores(&mut self, what: &str, act: impl FnOnce()) {
        act();
        let noticed = self.runtime.block_on(async { tokio::time::timeout(NOTHING, self.watch.changed()).await });
        assert!(noticed.is_err(), "{what} was taken for a change");
    }
}

fn folder_in(outer: &Path, name: &str, text: &str) -> PathBuf {
    let folder = outer.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.yaml"), text).unwrap();
    folder
}

#[test]
fn a_folder_that_is_moved_away_and_replaced_is_watched_on() {
    let outer = tempfile::tempdir().unwrap();
    let rules = folder_in(outer.path(), "rules", "1");
    let mut watched = Watched::start(&rules, NO_POLL);
    watched.notices("a file", || fs::write(rules.join("a.yaml"), "22").unwrap());
    let new = folder_in(outer.path(), "new", "3");
    for round in 0..2 {
        watched.notices("another folder", || {
            fs::rename(&rules, outer.path().join(format!("old{round}"))).unwrap();
            fs::rename(if round == 0 { new.clone() } else { folder_in(outer.path(), "newer", "5") }, &rules).unwrap();
        });
        watched.notices("a file in it", || fs::write(rules.join("b.yaml"), format!("4{round}")).unwrap());
    }
    watched.ignores("a file of the folder that was moved away", || {
        fs::write(outer.path().join("old0/a.yaml"), "6").unwrap();
    });
}

#[test]
fn a_folder_that_is_removed_and_made_anew_is_watched_on() {
    let outer = tempfile::tempdir().unwrap();
    let rules = folder_in(outer.path(), "here/rules", "1");
    let mut watched = Watched::start(&rules, NO_POLL);
    watched.notices("the removal", || fs::remove_dir_all(&rules).unwrap());
    watched.notices("the folder", || drop(folder_in(outer.path(), "here/rules", "2")));
    watched.notices("a file in it", || fs::write(rules.join("b.yaml"), "3").unwrap());
    watched.notices("the removal of the parent", || fs::remove_dir_all(outer.path().join("here")).unwrap());
    watched.notices("all of it", || drop(folder_in(outer.path(), "here/rules", "4")));
    watched.notices("a file in it", || fs::write(rules.join("c.yaml"), "5").unwrap());
}

#[test]
fn links_on_the_way_are_watched() {
    let outer = tempfile::tempdir().unwrap();
    folder_in(outer.path(), "v1/rules", "1");
    folder_in(outer.path(), "v2/rules", "2");
    let current = outer.path().join("current");
    symlink("v1", &current).unwrap();
    let turn = |to: &str| {
        let new = outer.path().join("new");
        symlink(to, &new).unwrap();
        fs::rename(&new, &current).unwrap();
    };
    let rules = current.join("rules");
    let mut watched = Watched::start(&rules, NO_POLL);
    watched.notices("the link", || turn("v2"));
    watched.notices("a file behind it", || fs::write(outer.path().join("v2/rules/a.yaml"), "33").unwrap());
    watched.notices("the link back", || turn("v1"));
    watched.ignores("a file that it led to", || fs::write(outer.path().join("v2/rules/a.yaml"), "444").unwrap());
}

/// A ConfigMap or Secret: files are links into `..data`, itself a link that is replaced in one step.
#[test]
fn kubernetes_way_of_replacing_files_is_noticed() {
    let outer = tempfile::tempdir().unwrap();
    let mount = outer.path().join("rules");
    folder_in(&mount, "..2026_1", "1");
    symlink("..2026_1", mount.join("..data")).unwrap();
    symlink("..data/a.yaml", mount.join("a.yaml")).unwrap();
    let mut of_folder = Watched::start(&mount, NO_POLL);
    let mut of_file = Watched::start(&mount.join("a.yaml"), NO_POLL);
    for round in 2..4 {
        let update = || {
            folder_in(&mount, &format!("..2026_{round}"), "2");
            symlink(format!("..2026_{round}"), mount.join("..data_tmp")).unwrap();
            fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
            fs::remove_dir_all(mount.join(format!("..2026_{}", round - 1))).unwrap();
        };
        of_folder.notices("the update of the folder", update);
        of_file.notices("the update of the file", || {});
    }
}

#[test]
fn what_else_lies_in_the_parents_wakes_nobody() {
    let outer = tempfile::tempdir().unwrap();
    let rules = folder_in(outer.path(), "rules", "1");
    let mut watched = Watched::start(&rules, NO_POLL);
    watched.ignores("a file beside the folder", || fs::write(outer.path().join("rules.log"), "1").unwrap());
    watched.ignores("a hidden file", || fs::write(rules.join(".a.yaml.swp"), "1").unwrap());
    watched.ignores("reading", || drop(fs::read(rules.join("a.yaml")).unwrap()));
}

#[test]
fn what_the_system_does_not_tell_is_seen_by_looking() {
    let outer = tempfile::tempdir().unwrap();
    let rules = folder_in(outer.path(), "rules", "1");
    let mut watched = Watched::start(&rules, Duration::from_millis(50));
    let deafen = |watched: &mut Watched| {
        let (_, changes) = mpsc::channel(1);
        watched.watch.armed = Armed { changes, watcher: Err(notify::Error::generic("no watches are left")) };
    };
    deafen(&mut watched);
    assert!(watched.watch.blind().is_some());
    watched.notices("a file", || fs::write(rules.join("a.yaml"), "22").unwrap());
    deafen(&mut watched);
    watched.notices("another of the same length", || {
        fs::write(rules.join("new"), "33").unwrap();
        fs::rename(rules.join("new"), rules.join("a.yaml")).unwrap();
    });
    deafen(&mut watched);
    watched.notices("a folder", || fs::rename(&rules, outer.path().join("old")).unwrap());
}
