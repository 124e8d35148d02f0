//! The certificate of the server, while it is in use: replaced when its files are, and shown before it ends.

use std::sync::Arc;

use tracing::{error, info, warn};

use crate::adapters::clock;
use crate::adapters::tls::{Certificate, TlsError, Validity, readable_by_others};
use crate::config::TlsConfig;
use crate::metrics::Metrics;
use crate::operation::Time;
use crate::operation::time::{DAY, Nanos, SECOND};

/// So long before its end a certificate is warned of at each start and reload.
const WARN_BEFORE: Nanos = DAY.times(14);

/// Reads the certificate that the configuration names.
///
/// # Errors
/// A file cannot be read, or key and certificate do not belong together.
pub(super) fn start(config: &TlsConfig, metrics: &Metrics) -> Result<Arc<Certificate>, TlsError> {
    let certificate = Certificate::start(&config.certificate, &config.key)?;
    if let Some(warning) = readable_by_others(&config.key) {
        warn!("{warning}");
    }
    show(certificate.validity(), metrics, clock::now());
    Ok(certificate)
}

/// Reads it again; what was in use stays where the new one cannot be used.
pub(super) fn reload(certificate: &Certificate, metrics: &Metrics) {
    let now = clock::now();
    match certificate.reload(now) {
        Ok(validity) => {
            show(validity, metrics, now);
            info!("the certificate was loaded again");
        }
        Err(error) => error!(%error, "the certificate was not loaded again, the one in use stays"),
    }
}

fn show(validity: Option<Validity>, metrics: &Metrics, now: Time) {
    let Some(validity) = validity else {
        warn!("the certificate does not say in a known way until when it is valid");
        return;
    };
    metrics.set_certificate_expiry(u64::try_from(validity.until.number_of(SECOND)).unwrap_or(0));
    if let Some(warning) = warning(validity, now) {
        warn!("{warning}");
    }
}

/// Says that a certificate is not valid now, or will soon be no more.
pub(crate) fn warning(validity: Validity, now: Time) -> Option<String> {
    let Validity { from, until } = validity;
    if now < from {
        Some(format!("the certificate is valid only from {from} on"))
    } else if now >= until {
        Some(format!("the certificate was valid until {until}: no client trusts it any more"))
    } else {
        (until < now.plus(WARN_BEFORE)).then(|| format!("the certificate is valid until {until} only"))
    }
}
