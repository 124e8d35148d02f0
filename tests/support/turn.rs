//! Tests with a broker run one at a time: brokers, processes and their failures share two processors.
//!
//! The tests of one module share a broker, which ends when another module's turn comes.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cluster::Cluster;

/// The broker that is running, and the module that it belongs to.
static RUNNING: Mutex<Option<(&str, Cluster)>> = Mutex::new(None);

/// A test's turn; the next begins when it is dropped.
pub(crate) struct Turn(MutexGuard<'static, Option<(&'static str, Cluster)>>);

/// A test's turn with the broker of its module.
pub(crate) struct Shared(Turn);

/// Waits for the turn of a test that starts brokers of its own.
pub(crate) fn take(module: &'static str) -> Turn {
    // A test that failed leaves a broker that the next can use.
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if running.as_ref().is_some_and(|(owner, _)| *owner != module) {
        *running = None;
    }
    Turn(running)
}

/// Waits for the turn of a test that uses the broker of its module; the first starts it, with these settings.
pub(crate) fn shared(module: &'static str, settings: &[(&str, &str)]) -> Shared {
    let mut turn = take(module);
    turn.0.get_or_insert_with(|| (module, Cluster::start_with(1, settings)));
    Shared(turn)
}

impl Deref for Shared {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        let (_, cluster) = self.0.0.as_ref().expect("a broker as long as the turn lasts");
        cluster
    }
}
