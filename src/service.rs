//! The embedded service: one worker thread decides and commits, many callers ask.
//!
//! A caller's records go into a bounded queue; the worker takes what waits there as one batch, decides
//! it, commits it durably, and only then answers. Reading never goes through the queue of writes
//! longer than one batch.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};

pub mod view;

pub use view::{RestrictionFilter, RestrictionView, RuleView, WalletView};

/// What became of one submitted record, after it is durable.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The decision as JSON; of a duplicate the first one.
    Decision { seq: u64, json: Arc<str>, is_duplicate: bool },
    /// The contract's `{"error": {…}}` object, with offset, partition and the raw record.
    Rejected { json: Arc<str> },
}

/// Why the service could not do what was asked. Nothing of the request was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    #[error("the service is stopping")]
    Stopping,
    #[error("too many operations wait to be decided")]
    Busy,
    #[error("the store cannot take writes now: {0}")]
    StoreUnavailable(String),
    #[error("failed to read the store: {0}")]
    StoreRead(String),
}

/// A rule set that was not taken: the running one stays.
#[derive(Debug, Clone)]
pub struct ReloadRefused {
    /// Every error with file, line, column and caret.
    pub text: String,
    /// The same as the JSON that `kuzet check --format json` prints.
    pub json: serde_json::Value,
}

/// One decision of the stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamedDecision {
    /// Gapless from 1.
    pub seq: u64,
    pub json: Box<RawValue>,
}

/// What callers ask of the worker.
pub(crate) enum Request {
    Submit { records: Vec<Vec<u8>>, reply: oneshot::Sender<Result<Vec<Reply>, ServiceError>> },
    Wallet { id: String, reply: oneshot::Sender<Result<Option<WalletView>, ServiceError>> },
    Restrictions { filter: RestrictionFilter, reply: oneshot::Sender<Vec<RestrictionView>> },
    Rules { reply: oneshot::Sender<Vec<RuleView>> },
    Reload { reply: oneshot::Sender<Result<String, ReloadRefused>> },
    Rollback { reply: oneshot::Sender<Result<String, ReloadRefused>> },
    Stop,
}

/// A handle to the running service; clones share it.
#[derive(Clone)]
pub struct Service {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) last_seq: watch::Receiver<u64>,
    pub(crate) reader: Arc<dyn DecisionReader>,
    pub(crate) ready: watch::Receiver<Readiness>,
}

/// Whether the service can decide now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Recovering, stopping, or the store cannot take writes: why.
    NotReady(String),
}

/// Reads committed decisions, beside the worker.
pub trait DecisionReader: Send + Sync {
    /// Reads up to `limit` decisions with `seq > after`, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    fn decisions(&self, after: u64, limit: usize) -> Result<Vec<StreamedDecision>, ServiceError>;
}

impl Service {
    /// Submits records and waits until they are durable; one reply a record, in order.
    ///
    /// # Errors
    /// [`ServiceError::Busy`] when the queue is full, and while the store takes no writes.
    pub async fn submit(&self, records: Vec<Vec<u8>>) -> Result<Vec<Reply>, ServiceError> {
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(Request::Submit { records, reply }).map_err(refused)?;
        answer.await.map_err(|_| ServiceError::Stopping)?
    }

    /// Reads up to `limit` decisions with `seq > after`, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn decisions(&self, after: u64, limit: usize) -> Result<Vec<StreamedDecision>, ServiceError> {
        self.reader.decisions(after, limit)
    }

    /// Follows the sequence number of the newest committed decision.
    #[must_use]
    pub fn last_seq(&self) -> watch::Receiver<u64> {
        self.last_seq.clone()
    }

    /// Tells whether the service can decide now, and follows it.
    #[must_use]
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.ready.clone()
    }

    /// Returns what is known of a wallet.
    ///
    /// # Errors
    /// The service stops or its store cannot be read.
    pub async fn wallet(&self, id: &str) -> Result<Option<WalletView>, ServiceError> {
        self.ask(|reply| Request::Wallet { id: id.to_owned(), reply }).await?
    }

    /// Lists active restrictions and waiting operations, oldest first.
    ///
    /// # Errors
    /// The service stops.
    pub async fn restrictions(&self, filter: RestrictionFilter) -> Result<Vec<RestrictionView>, ServiceError> {
        self.ask(|reply| Request::Restrictions { filter, reply }).await
    }

    /// Lists the loaded rules with what they did.
    ///
    /// # Errors
    /// The service stops.
    pub async fn rules(&self) -> Result<Vec<RuleView>, ServiceError> {
        self.ask(|reply| Request::Rules { reply }).await
    }

    /// Reads the rule folder again and switches to it; answers the new rule set's hash.
    ///
    /// # Errors
    /// The service stops; the inner error tells why the new rules were not taken.
    pub async fn reload(&self) -> Result<Result<String, ReloadRefused>, ServiceError> {
        self.ask(|reply| Request::Reload { reply }).await
    }

    /// Switches back to the rule set before the last reload.
    ///
    /// # Errors
    /// The service stops; the inner error says that there is none.
    pub async fn rollback(&self) -> Result<Result<String, ReloadRefused>, ServiceError> {
        self.ask(|reply| Request::Rollback { reply }).await
    }

    /// Asks the worker to finish its batch, commit and end.
    pub async fn stop(&self) {
        // A worker that is gone has stopped already.
        drop(self.requests.send(Request::Stop).await);
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, ServiceError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| ServiceError::Stopping)?;
        answer.await.map_err(|_| ServiceError::Stopping)
    }
}

fn refused<T>(error: mpsc::error::TrySendError<T>) -> ServiceError {
    match error {
        mpsc::error::TrySendError::Full(_) => ServiceError::Busy,
        mpsc::error::TrySendError::Closed(_) => ServiceError::Stopping,
    }
}
