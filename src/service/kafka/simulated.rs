//! One worker of a fleet as a process of a simulation: what [`Service::start_fleet`](crate::service::Service) runs on
//! threads of the machine, without a supervisor and a watchdog over it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::plan::Plan;
use crate::geo::Geo;
use crate::operation::Time;
use crate::rules::program::RuleSet;

use super::super::rule_log::{Asked, Cause};
use super::super::{Job, QUEUE_MAX, RulesInUse, Shown, Unobserved};
use super::FleetSettings;
use super::supervisor::End;
use super::watchdog::Watchdog;
use super::worker::{FleetOutlets, FleetWorker};

/// What a worker is told and tells.
pub struct Controls {
    jobs: mpsc::Sender<Job>,
    trouble: watch::Receiver<Option<String>>,
}

/// The worker's end of its [`Controls`].
pub struct Told {
    jobs: mpsc::Receiver<Job>,
    trouble: watch::Sender<Option<String>>,
}

/// Makes both ends.
#[must_use]
pub fn controls() -> (Controls, Told) {
    let (jobs, queue) = mpsc::channel(QUEUE_MAX);
    let (tell, trouble) = watch::channel(None);
    (Controls { jobs, trouble }, Told { jobs: queue, trouble: tell })
}

fn asked() -> Asked {
    Asked { cause: Cause::Reload, by: None, comment: None }
}

impl Controls {
    /// Asks the worker to end in order. One that has ended needs no asking.
    pub fn stop(&self) {
        drop(self.jobs.try_send(Job::Stop));
    }

    /// Gives the worker other rules.
    pub fn switch(&self, rules: &Arc<RuleSet>) {
        let (reply, _) = oneshot::channel();
        let rules = Arc::clone(rules);
        drop(self.jobs.try_send(Job::Rules { rules, at: Time::EPOCH, asked: asked(), reply }));
    }

    /// Tells why the worker cannot decide all that is its own, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }
}

/// Runs a worker on this thread until it is told to stop.
///
/// # Errors
/// Why it cannot go on.
pub fn run(settings: FleetSettings, rules: &Arc<RuleSet>, mut told: Told) -> Result<(), String> {
    let plan = Arc::new(Plan::new(Arc::clone(rules), settings.engine));
    let in_use = RulesInUse { plan, loaded_at: Time::EPOCH, previous: None, refused: None };
    let part = Arc::default();
    let shown = Arc::new(Shown::new(in_use, vec![Arc::clone(&part)]));
    let (seq, _) = watch::channel(0);
    let outlets = FleetOutlets { seq, trouble: told.trouble, shown, part, observer: Box::new(Unobserved) };
    let geo = Arc::new(Geo::new(None, None));
    let worker = FleetWorker::new(settings, (Arc::clone(rules), geo), outlets, Watchdog::unwatched());
    match worker.map_err(|failure| failure.to_string())?.run(&mut told.jobs) {
        End::Asked => Ok(()),
        End::Fault(reason) => Err(reason),
    }
}
