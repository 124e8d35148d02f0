//! How to reach the server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "redis")]
use redis::{Client, ConnectionAddr, IntoConnectionInfo, TlsCertificates};
use thiserror::Error;

#[cfg(feature = "redis")]
use super::servers::{Nodes, Servers};

/// How to reach the server. The text form of the URL is that of the Redis clients.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://`, `rediss://` (TLS) or `unix://`, with or without a user, a password and a database.
    pub url: String,
    /// The URL names a node of a cluster: the others are learned from it, and reached in the same way.
    pub cluster: bool,
    /// Instead of the URL's user.
    pub username: Option<String>,
    /// Instead of the URL's password.
    pub password: Option<String>,
    /// The longest wait for a connection, and for each part of an answer.
    pub timeout: Duration,
    /// A file of certificates in PEM that the server's must come from, instead of the public authorities.
    pub ca_file: Option<PathBuf>,
    /// What each shared window may grow to.
    pub limits: WindowLimits,
}

/// What each window that wallets share may grow to in the server. A key that finds no room is not tracked, and none is
/// dropped for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLimits {
    /// Keys: devices, addresses, accounts. On a cluster each part of the keys has its share of this limit and of the
    /// other.
    pub keys_max: u64,
    /// Bytes of all keys together, as they are estimated when they are written.
    pub bytes_max: u64,
}

impl Default for WindowLimits {
    /// No limit.
    fn default() -> Self {
        Self { keys_max: u64::MAX, bytes_max: u64::MAX }
    }
}

/// What the keys of the windows in the server come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowSizes {
    /// Keys of the window that has most.
    pub keys: u64,
    /// Bytes of the window that has most, as they are estimated.
    pub bytes: u64,
}

impl RedisSettings {
    /// Names a server; waits 500 ms.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let (timeout, limits) = (Duration::from_millis(500), WindowLimits::default());
        Self { url: url.into(), cluster: false, username: None, password: None, timeout, ca_file: None, limits }
    }

    #[cfg(feature = "redis")]
    pub(super) fn servers(&self) -> Result<Servers, SettingsError> {
        let invalid = |error: redis::RedisError| SettingsError::Url(error.detail().unwrap_or(error.category()).into());
        if self.timeout.is_zero() {
            return Err(SettingsError::Timeout);
        }
        let info = self.url.as_str().into_connection_info().map_err(invalid)?;
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err(SettingsError::Insecure);
        }
        if self.cluster && matches!(info.addr(), ConnectionAddr::Unix(_)) {
            return Err(SettingsError::ClusterOnSocket);
        }
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        // What the client would tell of itself needs a command that the user may not have.
        let mut own = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(username) = &self.username {
            own = own.set_username(username);
        }
        if let Some(password) = &self.password {
            own = own.set_password(password);
        }
        let info = info.set_redis_settings(own);
        let certificates = match &self.ca_file {
            Some(_) if !is_tls => return Err(SettingsError::CaWithoutTls),
            Some(file) => {
                let failed = |error: std::io::Error| SettingsError::Ca { file: file.clone(), error: error.to_string() };
                let root_cert = Some(std::fs::read(file).map_err(failed)?);
                Some((file, TlsCertificates { client_tls: None, root_cert }))
            }
            None => None,
        };
        match (certificates, self.cluster) {
            (Some((file, certificates)), is_cluster) => {
                let failed =
                    |error: redis::RedisError| SettingsError::Ca { file: file.clone(), error: error.to_string() };
                if is_cluster {
                    return Nodes::new(info, Some(certificates)).map(Servers::Cluster).map_err(failed);
                }
                Client::build_with_tls(info, certificates).map(Servers::One).map_err(failed)
            }
            (None, true) => Nodes::new(info, None).map(Servers::Cluster).map_err(invalid),
            (None, false) => Client::open(info).map(Servers::One).map_err(invalid),
        }
    }
}

/// Leaves out the password, and the URL, which may hold one.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("cluster", &self.cluster)
            .field("timeout", &self.timeout)
            .field("ca_file", &self.ca_file)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("this kuzet is built without Redis (feature `redis`)")]
    NotBuilt,
    #[error("the URL of Redis cannot be read ({0}); accepted are redis://, rediss:// and unix:// URLs")]
    Url(String),
    #[error("the URL of Redis turns the check of certificates off (#insecure), which is not accepted")]
    Insecure,
    #[error("a file of certificates is given, but the URL of Redis is not a rediss:// one")]
    CaWithoutTls,
    #[error("the certificates in {file} cannot be read: {error}", file = file.display())]
    Ca { file: PathBuf, error: String },
    #[error(
        "the URL of Redis names a socket, which no node of a cluster has; accepted are redis:// and rediss:// URLs"
    )]
    ClusterOnSocket,
    #[error("the timeout is zero; accepted is any longer one")]
    Timeout,
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use super::*;

    fn error(settings: &RedisSettings) -> SettingsError {
        settings.servers().err().expect("the settings are wrong")
    }

    #[test]
    fn wrong_settings_are_told_apart() {
        assert!(matches!(error(&RedisSettings::new("http://localhost")), SettingsError::Url(_)));
        assert_eq!(error(&RedisSettings::new("rediss://localhost/#insecure")), SettingsError::Insecure);
        let ca_file = Some(PathBuf::from("no-such-file"));
        let plain = RedisSettings { ca_file: ca_file.clone(), ..RedisSettings::new("redis://localhost") };
        assert_eq!(error(&plain), SettingsError::CaWithoutTls);
        let tls = RedisSettings { ca_file, ..RedisSettings::new("rediss://localhost") };
        assert!(matches!(error(&tls), SettingsError::Ca { .. }));
        let socket = RedisSettings { cluster: true, ..RedisSettings::new("unix:///run/redis.sock") };
        assert_eq!(error(&socket), SettingsError::ClusterOnSocket);
        let hasty = RedisSettings { timeout: Duration::ZERO, ..RedisSettings::new("redis://localhost") };
        assert_eq!(error(&hasty), SettingsError::Timeout);
    }

    #[test]
    fn no_password_is_shown() {
        let mut settings = RedisSettings::new("redis://user:in-url@localhost");
        settings.password = Some("apart".into());
        let shown = format!("{settings:?}");
        assert!(!shown.contains("in-url") && !shown.contains("apart"), "{shown}");
    }
}
