//! Exit codes, and which error means which.

use std::fmt;
use std::io;

use thiserror::Error;

use crate::adapters::files::{ReadError, WriteError};
use crate::adapters::folders::FolderError;
use crate::adapters::git::GitError;
use crate::adapters::kafka::Failure;
#[cfg(feature = "kafka")]
use crate::adapters::kafka::topic::TopicError;
use crate::adapters::store::StoreError;
use crate::adapters::tls::TlsError;
use crate::app::LoadError;
#[cfg(feature = "kafka")]
use crate::app::fleet::PropertiesError;
use crate::app::serve::ServeError;
use crate::config::ConfigErrors;
use crate::service::StartError;

/// Everything went as asked.
pub const OK: i32 = 0;
/// The answer is no: tests failed, errors found, or the input or output ended before the work did.
pub const NO: i32 = 1;
/// The command line asks for something that cannot be done.
pub const USAGE: i32 = 2;
/// The configuration, the rules or the geo databases cannot be used.
pub const CONFIGURATION: i32 = 64;
/// A fault of kuzet itself.
pub const INTERNAL: i32 = 70;

/// A command line that parses and still cannot be done.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// A configuration, a rule set or a database that cannot be used.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ConfigurationError(pub String);

/// Finds the exit code of an error by the first cause that has one; any other is a fault of kuzet.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> i32 {
    if error.is::<UsageError>() || error.is::<GitError>() {
        return USAGE;
    }
    if error.is::<StoreError>() || error.is::<StartError>() || error.is::<ServeError>() {
        return CONFIGURATION;
    }
    if error.is::<Failure>() || error.is::<TlsError>() {
        return CONFIGURATION;
    }
    if error.is::<ConfigurationError>() || error.is::<ConfigErrors>() {
        return CONFIGURATION;
    }
    if error.is::<FolderError>() || error.is::<LoadError>() {
        return CONFIGURATION;
    }
    #[cfg(feature = "kafka")]
    if error.is::<PropertiesError>() {
        return CONFIGURATION;
    }
    #[cfg(feature = "kafka")]
    if let Some(error) = error.downcast_ref::<TopicError>() {
        return match error {
            TopicError::Setting { .. } | TopicError::Connect { .. } | TopicError::NoTopic { .. } => CONFIGURATION,
            TopicError::Interrupted { .. } => NO,
        };
    }
    if let Some(error) = error.downcast_ref::<ReadError>() {
        return match error {
            ReadError::Open { .. } => USAGE,
            ReadError::Truncated { .. } | ReadError::Read { .. } => NO,
        };
    }
    if let Some(error) = error.downcast_ref::<WriteError>() {
        return match error {
            WriteError::Open { .. } => USAGE,
            WriteError::Closed { .. } | WriteError::Write { .. } => NO,
        };
    }
    error.downcast_ref::<io::Error>().map_or(INTERNAL, |error| code_of_kind(error.kind()))
}

/// Tells what a file that a person named, a disk or a reader that went away has to do with it.
const fn code_of_kind(kind: io::ErrorKind) -> i32 {
    match kind {
        io::ErrorKind::NotFound
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::ReadOnlyFilesystem => USAGE,
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::InvalidData
        | io::ErrorKind::UnexpectedEof => NO,
        _ => INTERNAL,
    }
}

/// Shows an error with its causes on one line: `failed to …: because`.
pub struct OneLine<'a>(pub &'a anyhow::Error);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.downcast_ref::<io::Error>() {
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => f.write_str("output closed by its reader"),
            _ => write!(f, "{:#}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn check(error: impl Into<anyhow::Error>, code: i32) {
        let error = error.into();
        assert_eq!(code_of(&error), code, "{error:#}");
        assert_eq!(code_of(&Err::<(), _>(error).context("failed to do it").unwrap_err()), code);
    }

    #[test]
    fn each_error_has_its_code() {
        let name = || String::from("x");
        check(UsageError(name()), USAGE);
        check(ConfigurationError(name()), CONFIGURATION);
        check(crate::config::parse("kuzet.toml", "x", []).unwrap_err(), CONFIGURATION);
        check(GitError::Run(io::ErrorKind::NotFound.into()), USAGE);
        check(FolderError::NotAFolder { what: "rules", path: "x".into() }, CONFIGURATION);
        check(ReadError::Open { name: name(), source: io::ErrorKind::NotFound.into() }, USAGE);
        check(ReadError::Truncated { name: name(), records: 1 }, NO);
        #[cfg(feature = "kafka")]
        check(TopicError::Connect { brokers: name(), reason: name() }, CONFIGURATION);
        #[cfg(feature = "kafka")]
        check(TopicError::Interrupted { topic: name(), records: 1, reason: name() }, NO);
        check(WriteError::Closed { name: name(), lines: 1 }, NO);
        let full = io::ErrorKind::StorageFull.into();
        check(WriteError::Write { name: name(), what: "decisions", lines: 1, source: full }, NO);
        check(io::Error::from(io::ErrorKind::BrokenPipe), NO);
        check(io::Error::from(io::ErrorKind::NotFound), USAGE);
        check(io::Error::from(io::ErrorKind::StorageFull), NO);
        check(io::Error::from(io::ErrorKind::Deadlock), INTERNAL);
        check(anyhow::anyhow!("x"), INTERNAL);
    }
}
