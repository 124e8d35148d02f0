//! Makes the anonymizer database anew from its sources while the service runs.

use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use super::observers::Chain;
use crate::adapters::folders::Folder;
use crate::adapters::geo_files::ANONYMIZER_FILE;
use crate::adapters::geo_update::{self, Report, Request};
use crate::adapters::{clock, files};
use crate::config::GeoipConfig;
use crate::metrics::Metrics;
use crate::operation::time::SECOND;

/// The file of sources in the geo folder.
const SOURCES_FILE: &str = "sources.toml";
/// The label of the database in metrics.
const DATABASE: &str = "anonymizer";
/// After a failure it is tried again so soon, or as often as updates come if that is more often.
const RETRY_AFTER: Duration = Duration::from_secs(3600);

/// What to make, and how often.
#[derive(Debug)]
pub(super) struct GeoUpdates {
    request: Request,
    every: Duration,
}

/// The databases in use are part of the program, which cannot be replaced.
#[derive(Debug, thiserror::Error)]
#[error(
    "geoip.update_every is set, but the geo databases in use are built in: name a folder for them in geoip.folder, or \
     make ./geoip"
)]
pub(super) struct BuiltIn;

impl GeoUpdates {
    /// Returns what the configuration asks for: nothing without `geoip.update_every`. Warns when the database could not
    /// be replaced.
    ///
    /// # Errors
    /// The geo databases are no files.
    pub(super) fn new(config: &GeoipConfig, folder: &Folder) -> Result<Option<Self>, BuiltIn> {
        let Some(every) = config.update_every else { return Ok(None) };
        let Folder::Path(folder) = folder else { return Err(BuiltIn) };
        let sources = config.sources.clone().unwrap_or_else(|| folder.join(SOURCES_FILE));
        let request = Request { sources, out: folder.join(ANONYMIZER_FILE), accept_shrink: false };
        if let Err(error) = files::try_replace(&request.out) {
            warn!(
                file = %request.out.display(), %error,
                "the geo folder cannot be written: no update can replace the anonymizer database while that is so"
            );
        }
        Ok(Some(Self { request, every }))
    }

    /// Makes the database once; tells the log and the metrics what came of it. Waits for the sources. Returns whether
    /// the database was replaced.
    pub(super) fn update(&self, metrics: &Metrics) -> bool {
        let made = match geo_update::update(&self.request) {
            Ok(report) => tell(&report, &self.request.out, metrics),
            Err(error) => {
                error!(
                    error = %Chain(&error),
                    "the anonymizer database could not be made anew; the one in use stays in use"
                );
                false
            }
        };
        metrics.observe_geo_update(DATABASE, made);
        made
    }

    /// Returns how long to wait after an update.
    pub(super) fn pause(&self, made: bool) -> Duration {
        if made { self.every } else { self.every.min(RETRY_AFTER) }
    }
}

fn tell(report: &Report, out: &Path, metrics: &Metrics) -> bool {
    let now = u64::try_from(clock::now().number_of(SECOND)).unwrap_or(0);
    for source in &report.sources {
        let name = &source.name;
        metrics.observe_geo_source(name, source.result.is_ok().then_some(now));
        match &source.result {
            Ok(taken) if taken.fault_count > 0 => {
                warn!(source = %name, bad_lines = taken.fault_count, "a list of anonymizers has bad lines, left out");
            }
            Ok(_) => {}
            Err(error) => {
                error!(source = %name, error = %Chain(error), "a list of anonymizers was refused");
            }
        }
    }
    match &report.written {
        Some(written) => {
            info!(
                file = %out.display(), networks = written.networks, bytes = written.bytes,
                "the anonymizer database was made anew"
            );
        }
        None => warn!(file = %out.display(), "the anonymizer database stays as it is: a source was refused"),
    }
    report.written.is_some()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::adapters::folders::Embedded;

    fn config(update_every: Option<Duration>, sources: Option<&str>) -> GeoipConfig {
        GeoipConfig { folder: None, watch: true, update_every, sources: sources.map(PathBuf::from) }
    }

    #[test]
    fn built_in_databases_cannot_be_made_anew() {
        let built_in = Folder::Embedded(Embedded::Geoip);
        assert!(GeoUpdates::new(&config(None, None), &built_in).is_ok_and(|updates| updates.is_none()));
        let error = GeoUpdates::new(&config(Some(RETRY_AFTER), None), &built_in).expect_err("no file to replace");
        assert!(error.to_string().contains("geoip.folder"), "{error}");
    }

    #[test]
    fn sources_lie_in_the_geo_folder_unless_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let geo = Folder::Path(folder.path().to_owned());
        for (named, expected) in
            [(None, folder.path().join("sources.toml")), (Some("etc/lists.toml"), PathBuf::from("etc/lists.toml"))]
        {
            let updates = GeoUpdates::new(&config(Some(RETRY_AFTER), named), &geo).expect("a folder").expect("updates");
            assert_eq!(updates.request.sources, expected);
            assert_eq!(updates.request.out, folder.path().join("anonymizer.mmdb"));
            assert!(!updates.request.accept_shrink);
        }
        // Trying whether it can be written leaves nothing behind.
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_failure_is_tried_again_within_the_hour() {
        let updates = |every| GeoUpdates {
            request: Request { sources: PathBuf::new(), out: PathBuf::new(), accept_shrink: false },
            every,
        };
        let (often, rarely) = (Duration::from_secs(60), Duration::from_secs(86_400));
        assert_eq!((updates(often).pause(true), updates(often).pause(false)), (often, often));
        assert_eq!((updates(rarely).pause(true), updates(rarely).pause(false)), (rarely, RETRY_AFTER));
    }
}
