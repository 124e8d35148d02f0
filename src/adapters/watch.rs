//! Notices changes of folders and files, also when they are replaced whole.
//!
//! What the system watches is an inode: a folder that was moved away is watched on, and the one in its place is not.
//! So each part of a path is watched in its parent, through every link on the way; all of it is armed anew after each
//! change; and what lies there is looked at from time to time all the same, for file systems that tell nothing.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::hash::{Hash as _, Hasher as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Editors and archives write a file in several steps: a change counts when so long nothing followed.
const QUIET: Duration = Duration::from_millis(300);
/// Or after so long at most, where something follows all the time.
const UNQUIET_MAX: Duration = Duration::from_secs(5);
/// How often the paths are looked at without being told.
pub const POLL_EVERY: Duration = Duration::from_secs(30);
/// Links followed on the way to one path.
const LINKS_MAX: usize = 40;
/// Entries looked at in a folder, and how deep: more than the readers of folders accept.
const ENTRIES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 10;

/// Watches folders and files for as long as it lives.
pub struct Watch {
    paths: Arc<[PathBuf]>,
    poll_every: Duration,
    armed: Armed,
    /// What lay there when it was looked at last.
    seen: u64,
}

/// What the system tells.
struct Armed {
    changes: mpsc::Receiver<()>,
    /// None where the system cannot watch: then looking from time to time is all there is.
    watcher: Result<RecommendedWatcher, notify::Error>,
}

impl Watch {
    /// Starts to watch; changes from this moment on are noticed. Paths need not exist. Reads folders.
    #[must_use]
    pub fn start(paths: impl IntoIterator<Item = PathBuf>, poll_every: Duration) -> Self {
        let paths: Arc<[PathBuf]> = paths.into_iter().collect();
        let armed = Armed::of(&paths);
        let seen = fingerprint(&paths);
        Self { paths, poll_every, armed, seen }
    }

    /// Returns why the system does not tell of changes, if so: they are noticed by looking, with delay.
    #[must_use]
    pub fn blind(&self) -> Option<&notify::Error> {
        self.armed.watcher.as_ref().err()
    }

    /// Waits until something changed and nothing changes any more.
    pub async fn changed(&mut self) {
        loop {
            // A watcher that ended tells nothing: looking goes on.
            let told = tokio::time::timeout(self.poll_every, self.armed.changes.recv()).await;
            if told == Ok(None) {
                tokio::time::sleep(self.poll_every).await;
            }
            if told == Ok(Some(())) {
                let until = Instant::now() + UNQUIET_MAX;
                while Instant::now() < until
                    && let Ok(Some(())) = tokio::time::timeout(QUIET, self.armed.changes.recv()).await
                {}
            }
            let paths = Arc::clone(&self.paths);
            // Armed first, then looked at: what changes in between is told.
            let look = move || (Armed::of(&paths), fingerprint(&paths));
            let Ok((armed, found)) = tokio::task::spawn_blocking(look).await else { continue };
            self.armed = armed;
            if found != self.seen {
                self.seen = found;
                return;
            }
        }
    }
}

impl Armed {
    fn of(paths: &[PathBuf]) -> Self {
        let (sender, changes) = mpsc::channel(1);
        let places: Vec<Places> = paths.iter().map(|path| Places::of(path)).collect();
        let parts: BTreeSet<PathBuf> = places.iter().flat_map(|places| places.parts.iter().cloned()).collect();
        let roots: Vec<PathBuf> = paths.iter().map(|path| absolute(path)).collect();
        let watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
            let is_change = match event {
                Ok(event) => {
                    // The parents hold other things too, which may change all the time.
                    let is_ours =
                        |path: &PathBuf| parts.contains(path) || roots.iter().any(|root| path.starts_with(root));
                    !matches!(event.kind, EventKind::Access(_))
                        && (event.need_rescan() || event.paths.iter().any(is_ours))
                }
                // Something was lost on the way.
                Err(_) => true,
            };
            if is_change {
                // One that waits already stands for all.
                sender.try_send(()).unwrap_or(());
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            for parent in places.iter().flat_map(|places| &places.parents) {
                // One that is gone is told of by its own parent.
                drop(watcher.watch(parent, RecursiveMode::NonRecursive));
            }
            for path in paths.iter().filter(|path| path.is_dir()) {
                watcher.watch(&absolute(path), RecursiveMode::Recursive)?;
            }
            Ok(watcher)
        });
        Self { changes, watcher }
    }
}

/// Where a path leads through.
#[derive(Default)]
struct Places {
    /// Each part of the path and of the paths its links lead to.
    parts: BTreeSet<PathBuf>,
    /// The folders they lie in.
    parents: BTreeSet<PathBuf>,
}

impl Places {
    fn of(path: &Path) -> Self {
        let mut places = Self::default();
        let (mut links, mut open) = (0, vec![absolute(path)]);
        while let Some(path) = open.pop() {
            let mut part = PathBuf::new();
            let components: Vec<Component<'_>> = path.components().collect();
            for (index, component) in components.iter().enumerate() {
                let parent = part.clone();
                match component {
                    Component::Normal(name) => part.push(name),
                    Component::ParentDir => drop(part.pop()),
                    other => {
                        part.push(other);
                        continue;
                    }
                }
                if !places.parts.insert(part.clone()) {
                    continue;
                }
                places.parents.insert(parent.clone());
                if let Ok(target) = fs::read_link(&part)
                    && links < LINKS_MAX
                {
                    links += 1;
                    let rest: PathBuf = components.iter().skip(index + 1).collect();
                    open.push(parent.join(target).join(rest));
                }
            }
        }
        places
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Tells what lies at the paths from what lay there before, by names, identities, lengths and times. What is in
/// the files is not read.
fn fingerprint(paths: &[PathBuf]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for root in paths {
        let (mut entries, mut open) = (0, vec![(root.clone(), 0)]);
        while let Some((path, depth)) = open.pop() {
            entries += 1;
            path.hash(&mut hasher);
            let Ok(metadata) = path.metadata() else {
                false.hash(&mut hasher);
                continue;
            };
            stamp(&metadata).hash(&mut hasher);
            if !metadata.is_dir() || depth >= DEPTH_MAX || entries >= ENTRIES_MAX {
                continue;
            }
            let inside = fs::read_dir(&path).into_iter().flatten().flatten();
            let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
            let mut inside: Vec<PathBuf> =
                inside.filter(|entry| !is_hidden(&entry.file_name())).map(|entry| entry.path()).collect();
            inside.sort_unstable();
            open.extend(inside.into_iter().map(|path| (path, depth + 1)));
        }
    }
    hasher.finish()
}

/// What of an entry changes when it does. A folder's own times and length also tell of what is not looked at.
fn stamp(metadata: &Metadata) -> (u64, u64, u64, i64, i64) {
    let is_dir = metadata.is_dir();
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let changed = metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec());
        let modified = metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec());
        let (length, changed, modified) = if is_dir { (0, 0, 0) } else { (metadata.len(), changed, modified) };
        (metadata.dev(), metadata.ino(), length, changed, modified)
    }
    #[cfg(not(unix))]
    {
        let since = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let nanos = since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        if is_dir { (1, 0, 0, 0, 0) } else { (0, 0, metadata.len(), 0, nanos) }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
