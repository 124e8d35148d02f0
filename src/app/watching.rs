//! What the service watches: the folders of rules and of geo databases, as its configuration says, and the files of
//! its certificate.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use tracing::warn;

use crate::adapters::folders::Folder;
use crate::adapters::watch::{POLL_EVERY, Watch};
use crate::config::Config;

/// Armed before the first load, so that nothing is missed between the two.
pub(super) struct Watches {
    pub(super) rules: Option<Watch>,
    pub(super) geo: Option<Watch>,
    pub(super) tls: Option<Watch>,
}

impl Watches {
    /// Arms what the configuration asks for. Embedded folders do not change.
    pub(super) fn start(config: &Config, rules: &Folder, geo: &Folder) -> Self {
        let watch = |wanted: bool, what: &str, folder: &Folder| match folder {
            Folder::Path(path) if wanted => Some(armed(what, vec![path.clone()])),
            Folder::Path(_) | Folder::Embedded(_) => None,
        };
        Self {
            rules: watch(config.rules.watch, "the folder of rules", rules),
            geo: watch(config.geoip.watch, "the folder of geo databases", geo),
            tls: config
                .http
                .tls
                .as_ref()
                .map(|tls| armed("the certificate", vec![tls.certificate.clone(), tls.key.clone()])),
        }
    }
}

fn armed(what: &str, paths: Vec<PathBuf>) -> Watch {
    let watch = Watch::start(paths, POLL_EVERY);
    if let Some(error) = watch.blind() {
        warn!(what, %error, "the system does not tell of changes here: they are looked for every {POLL_EVERY:?}");
    }
    watch
}

/// Has something read again whenever what is watched changed.
pub(super) fn on_change(runtime: &Handle, watch: Option<Watch>, reload: impl Fn() + Send + Sync + 'static) {
    let Some(mut watch) = watch else { return };
    let reload = Arc::new(reload);
    runtime.spawn(async move {
        loop {
            watch.changed().await;
            let reload = Arc::clone(&reload);
            drop(tokio::task::spawn_blocking(move || reload()).await);
        }
    });
}
