//! One blocking connection: limits on waiting, and its own pace of connecting again.
//!
//! The deciding thread waits for the answer in any case, so a connection that blocks is the simplest thing
//! that does the work. The crate's `ConnectionManager` is asynchronous and waits inside a call until it is
//! connected again; here a call while the server is away must fail at once.

use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::servers::{Connected, Servers};
use crate::pipeline::SharedStoreError;

/// After the first failure the server is left alone for so long, then for twice as long each time.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// A connection that comes back by itself.
pub(super) struct Link {
    servers: Servers,
    timeout: Duration,
    connection: Option<Connected>,
    /// Failures since the last answer.
    failures: u32,
    /// Not asked before this instant, and why.
    resting: Option<(Instant, String)>,
    /// How many calls failed, those that were refused at once left out.
    pub(super) errors: u64,
}

impl Link {
    pub(super) fn new(servers: Servers, timeout: Duration) -> Self {
        Self { servers, timeout, connection: None, failures: 0, resting: None, errors: 0 }
    }

    /// Runs commands that may be repeated: on a connection that turns out to be closed they are tried once
    /// more on a new one.
    pub(super) fn run<T>(
        &mut self,
        mut commands: impl FnMut(&mut Connected) -> RedisResult<T>,
    ) -> Result<T, SharedStoreError> {
        if let Some((until, why)) = &self.resting
            && Instant::now() < *until
        {
            return Err(SharedStoreError::Away(format!("{why}; it is asked again in a moment")));
        }
        let was_open = self.connection.is_some();
        let mut result = self.try_once(&mut commands);
        if was_open && result.as_ref().is_err_and(was_closed) {
            result = self.try_once(&mut commands);
        }
        match result {
            Ok(answer) => {
                (self.failures, self.resting) = (0, None);
                Ok(answer)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn try_once<T>(&mut self, commands: &mut impl FnMut(&mut Connected) -> RedisResult<T>) -> RedisResult<T> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.servers.connect(self.timeout)?,
        };
        // Whatever went wrong, answers may still be on their way: such a connection is not used again.
        let answer = commands(&mut connection)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    fn failed(&mut self, error: &RedisError) -> SharedStoreError {
        self.errors += 1;
        let rest = BACKOFF_MIN.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        let error = told(error);
        let why = match &error {
            SharedStoreError::Away(why) | SharedStoreError::Refused(why) => why.clone(),
        };
        self.resting = Some((Instant::now() + rest, why));
        error
    }
}

/// Tells whether the server closed the connection, so that another may do.
fn was_closed(error: &RedisError) -> bool {
    error.is_io_error() && !error.is_timeout()
}

/// Says what went wrong. The server's own words may hold keys, and so addresses: of them only the code is told.
fn told(error: &RedisError) -> SharedStoreError {
    if error.is_timeout() {
        return SharedStoreError::Away("it does not answer in time".into());
    }
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, code) => {
            SharedStoreError::Refused(format!("user name or password ({})", code.unwrap_or("no code")))
        }
        (
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask,
            ),
            code,
        ) => SharedStoreError::Away(format!("it is not ready ({})", code.unwrap_or("no code"))),
        (ErrorKind::ClusterConnectionNotFound, _) => {
            SharedStoreError::Away("a node of the cluster is not there".into())
        }
        (_, Some(code)) => SharedStoreError::Refused(String::from(code)),
        (ErrorKind::Io, None) => SharedStoreError::Away(error.to_string()),
        (kind, None) => SharedStoreError::Refused(format!("{kind:?}")),
    }
}
