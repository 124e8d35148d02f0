//! Notices changes in the rule and geo folders.

use std::path::Path;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Editors and archives write a file in several steps: a change counts when so long nothing followed.
const QUIET: Duration = Duration::from_millis(300);

/// Watches a folder for as long as it lives.
pub struct FolderWatch {
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl FolderWatch {
    /// Starts to watch a folder and everything in it.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn start(folder: &Path) -> Result<Self, notify::Error> {
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
            let is_change = event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)));
            if is_change {
                // One that waits already stands for all.
                sender.try_send(()).unwrap_or(());
            }
        })?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Self { changes, _watcher: watcher })
    }

    /// Waits until something changed and nothing changes any more. Returns false when it never will.
    pub async fn changed(&mut self) -> bool {
        if self.changes.recv().await.is_none() {
            return false;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.changes.recv()).await {}
        true
    }
}
