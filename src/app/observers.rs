//! What the service does becomes metrics, and its failures lines of the log.

use std::sync::Arc;

use tracing::{debug, error};

use crate::adapters::store::StoreError;
use crate::metrics::Metrics;
use crate::service::worker::CommittedBatch;
use crate::service::{Observer, Phase};

/// Counts what the worker does, and tells of its failures.
pub(super) struct Counting(pub(super) Arc<Metrics>);

impl Observer for Counting {
    fn enters(&mut self, phase: Phase, batch: u64) {
        debug!(batch, ?phase, "the worker goes on");
    }

    fn committed(&mut self, batch: &CommittedBatch<'_>) {
        let metrics = &self.0;
        batch.decisions.iter().for_each(|decision| metrics.observe_decision(decision));
        batch.rejections.iter().for_each(|rejection| metrics.observe_rejection(rejection.code));
        metrics.duplicates.inc_by(u64::try_from(batch.duplicates).unwrap_or(0));
        metrics.unknown_fields.inc_by(batch.unknown_fields);
        let stages = batch.stages;
        metrics.observe_stage("decode", stages.decode);
        metrics.observe_stage("enrich", stages.enrich);
        metrics.observe_stage("fetch", stages.fetch);
        metrics.observe_stage("decide", stages.decide);
        batch.requests.iter().for_each(|took| metrics.observe_stage("end_to_end", *took));
        metrics.observe_stage("commit", batch.committed_in);
        metrics.observe_batch(batch.decisions.len() + batch.rejections.len() + batch.duplicates);
    }

    fn failed(&mut self, error: &StoreError) {
        error!(error = %Chain(error), "the batch could not be committed; it is tried again");
    }
}

/// An error with its causes.
pub(super) struct Chain<'a>(pub(super) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
