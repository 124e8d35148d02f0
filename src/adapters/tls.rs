//! The certificate and the key of the server: read, held against each other, and replaced while connections come in.

mod validity;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::operation::Time;

pub use validity::Validity;

/// Why a certificate and its key cannot be used. Never shows what is in the files.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("failed to read {path}: {why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("failed to use the certificate {certificate} with the key {key}: {why}")]
    Unfit { certificate: PathBuf, key: PathBuf, why: String },
    #[error("failed to use the certificate {certificate}: it was valid until {until}, and the one in use still is")]
    Expired { certificate: PathBuf, until: Time },
}

/// A certificate chain with its key, as they were read.
#[derive(Debug, Clone)]
pub struct Pair {
    certified: Arc<CertifiedKey>,
    /// For as long as every certificate of the chain is valid; `None` where one does not say so in a known way.
    pub validity: Option<Validity>,
}

/// Reads a certificate chain and its key (PEM), and holds them against each other.
///
/// # Errors
/// A file cannot be read, or they do not belong together.
pub fn read(certificate: &Path, key: &Path) -> Result<Pair, TlsError> {
    let unreadable = |path: &Path, why: String| TlsError::Unreadable { path: path.to_path_buf(), why };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unreadable(certificate, "found no certificate in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error.to_string()))?;
    let validity = chain.iter().map(|one| Validity::of(one)).reduce(|one, other| Some(one?.and(other?))).flatten();
    let certified = CertifiedKey::from_der(chain, secret, &provider()).map_err(|error| TlsError::Unfit {
        certificate: certificate.to_path_buf(),
        key: key.to_path_buf(),
        why: error.to_string(),
    })?;
    Ok(Pair { certified: Arc::new(certified), validity })
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// The certificate in use: connections that come in get the present one.
#[derive(Debug)]
pub struct Certificate {
    files: (PathBuf, PathBuf),
    pair: RwLock<Pair>,
}

impl Certificate {
    /// Reads the certificate for the first time.
    ///
    /// # Errors
    /// As [`read`].
    pub fn start(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let pair = RwLock::new(read(certificate, key)?);
        Ok(Arc::new(Self { files: (certificate.to_path_buf(), key.to_path_buf()), pair }))
    }

    /// Reads the files again; on an error, what was in use stays.
    ///
    /// # Errors
    /// As [`read`]; or the new certificate has expired and the one in use has not.
    pub fn reload(&self, now: Time) -> Result<Option<Validity>, TlsError> {
        let (certificate, key) = &self.files;
        let pair = read(certificate, key)?;
        let validity = pair.validity;
        let has_expired = |validity: Option<Validity>| validity.is_some_and(|validity| validity.until <= now);
        if let Some(Validity { until, .. }) = validity
            && until <= now
            && !has_expired(self.validity())
        {
            return Err(TlsError::Expired { certificate: certificate.clone(), until });
        }
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(validity)
    }

    /// Returns for how long the certificate in use is valid, where it says so.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).validity
    }

    /// Returns the files, to watch them.
    #[must_use]
    pub const fn files(&self) -> (&PathBuf, &PathBuf) {
        (&self.files.0, &self.files.1)
    }

    /// Makes what accepts connections with whatever certificate is in use then.
    ///
    /// # Errors
    /// The library supports no version of TLS.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let config = ServerConfig::builder_with_provider(Arc::new(provider())).with_safe_default_protocol_versions();
        let config = config.map_err(|error| TlsError::Unfit {
            certificate: self.files.0.clone(),
            key: self.files.1.clone(),
            why: error.to_string(),
        })?;
        let config = config.with_no_client_auth().with_cert_resolver(resolver);
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.pair.read().unwrap_or_else(PoisonError::into_inner).certified))
    }
}

/// Says that others than its owner and group may read a file that holds a secret; `None` where they may not, or the
/// system has no such rights.
#[must_use]
pub fn readable_by_others(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().ok()?.permissions().mode() & 0o777;
        let text =
            format!("{} holds secrets, and every user of this machine may read it (mode {mode:04o})", path.display());
        (mode & 0o004 != 0).then_some(text)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
