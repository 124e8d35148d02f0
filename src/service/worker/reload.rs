//! The change to other rules while operations are decided.
//!
//! New windows are filled from the log of operations: another thread reads it, and the deciding thread goes on by the
//! old rules until that has caught up. Then the rules change between two operations. What was filled in is in no
//! journal, so the whole state is written again, a slice after each batch; only then is the change told, and the
//! windows noted as filled. A process killed before lets them warm up.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::Worker;
use crate::adapters::store::{Commit, Store};
use crate::operation::Time;
use crate::rules::program::RuleSet;
use crate::service::backfill::Filler;
use crate::service::rule_log::Asked;
use crate::service::{BudgetShown, Job, RulesInUse, Unavailable, switching, write};

/// So many bytes of state are written between two batches: a few milliseconds on an ordinary disk.
const SLICE_BYTES: u64 = 256 << 10;

/// Rules that somebody asked for.
pub(super) struct Wanted {
    pub(super) rules: Arc<RuleSet>,
    pub(super) at: Time,
    pub(super) asked: Asked,
    pub(super) reply: oneshot::Sender<Result<(), Unavailable>>,
}

/// A change of the rules that takes longer than one batch.
pub(super) struct Reload {
    wanted: Wanted,
    stage: Stage,
}

enum Stage {
    /// The log is read; operations are decided by the old rules.
    Reading(Reading),
    /// The new rules are in force; the state is written.
    Writing,
}

/// The thread that reads the log.
struct Reading {
    thread: JoinHandle<Option<Filler>>,
    has_ended: Arc<AtomicBool>,
    stops: Arc<AtomicBool>,
}

/// Tells the worker that the thread has ended, however it did.
struct Ended {
    has_ended: Arc<AtomicBool>,
    jobs: mpsc::WeakSender<Job>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::Release);
        if let Some(jobs) = self.jobs.upgrade() {
            // Where nobody listens any more, nobody waits.
            drop(jobs.blocking_send(Job::Wake));
        }
    }
}

impl Reading {
    fn start(mut filler: Filler, store: Arc<Store>, jobs: mpsc::WeakSender<Job>) -> std::io::Result<Self> {
        let (has_ended, stops) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (ended, stop) = (Ended { has_ended: Arc::clone(&has_ended), jobs }, Arc::clone(&stops));
        let read = move || {
            let _ended = ended;
            // A log that cannot be read fills nothing: the windows warm up instead.
            let last = || Ok(store.position()?.seq);
            filler.read(&store, last, &stop).unwrap_or(false).then_some(filler)
        };
        let thread = std::thread::Builder::new().name("backfill".into()).spawn(read)?;
        Ok(Self { thread, has_ended, stops })
    }
}

impl Worker {
    /// Begins to change the rules, once the change before it is over.
    pub(super) fn begin_reload(&mut self, wanted: Wanted) -> ControlFlow<()> {
        if self.reload.is_some() {
            self.wanted.push_back(wanted);
            return ControlFlow::Continue(());
        }
        let by = (&wanted.rules, self.settings.engine);
        let filler = switching::filler(&self.pipeline, &self.present, by, self.newest);
        let start = |filler| Reading::start(filler, Arc::clone(&self.store), self.jobs.clone()).ok();
        let reading = filler.and_then(start);
        match reading {
            Some(reading) => {
                self.reload = Some(Reload { wanted, stage: Stage::Reading(reading) });
                ControlFlow::Continue(())
            }
            None => self.change_rules(wanted, None),
        }
    }

    /// Goes on with a change of the rules between two batches.
    pub(super) fn go_on_reloading(&mut self, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<()> {
        let Some(Reload { wanted, stage }) = self.reload.take() else { return ControlFlow::Continue(()) };
        match stage {
            Stage::Reading(reading) if reading.has_ended.load(Ordering::Acquire) => {
                let filler = reading.thread.join().ok().flatten();
                self.change_rules(wanted, filler)
            }
            Stage::Reading(_) => {
                self.reload = Some(Reload { wanted, stage });
                ControlFlow::Continue(())
            }
            Stage::Writing => self.write_slice(wanted, queue),
        }
    }

    /// Tells whether the state is being written: then the worker waits for nobody.
    pub(super) fn is_writing(&self) -> bool {
        self.reload.as_ref().is_some_and(|reload| matches!(reload.stage, Stage::Writing))
    }

    /// Changes the rules here and now. What windows of both hold is kept; new ones are filled.
    fn change_rules(&mut self, wanted: Wanted, filler: Option<Filler>) -> ControlFlow<()> {
        let previous = Arc::clone(&self.pipeline.engine.plan().rules);
        let by = (&wanted.rules, self.settings.engine);
        let log = (filler, &*self.store, self.position.seq);
        let (plan, filled) = switching::switch(&mut self.pipeline, &mut self.present, by, self.newest, log);
        self.layout_id = self.present.layout.id();
        let mut shown = write(&self.outlets.shown.rules);
        // The same rules again are no set to go back to.
        let previous = if previous.hash == plan.rules.hash { shown.previous.take() } else { Some(previous) };
        *shown = RulesInUse { plan, loaded_at: wanted.at, previous, refused: None };
        drop(shown);
        *write(&self.outlets.part.budgets) = BudgetShown::of(&self.pipeline.engine, 0).collect();
        self.notes_rules = true;
        self.rule_log.ask(wanted.asked.clone(), wanted.at);
        // Without anything filled in, the notes are all that is to be written.
        self.unwritten = filled;
        if !self.unwritten.is_empty() {
            self.checkpoint.begin(self.position.batch);
        }
        self.reload = Some(Reload { wanted, stage: Stage::Writing });
        ControlFlow::Continue(())
    }

    /// Writes the next part of the state; after the last one tells that the rules are in force.
    fn write_slice(&mut self, wanted: Wanted, queue: &mut mpsc::Receiver<Job>) -> ControlFlow<()> {
        let mut commit = Commit { position: self.position, ..Commit::default() };
        let state = (&self.pipeline.engine, &self.pipeline.store, self.layout_id);
        let is_last = self.unwritten.is_empty() || self.checkpoint.add_slice_to(&mut commit, state, SLICE_BYTES);
        if is_last && !self.unwritten.is_empty() {
            self.unwritten.clear();
            self.notes_rules = true;
        }
        self.add_notes(&mut commit);
        let committed = match self.store.commit(&commit) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => self.commit_again(&commit, error, queue),
        };
        if committed.is_break() {
            drop(wanted.reply.send(Err(Unavailable::Stopping)));
            return committed;
        }
        if !is_last {
            self.reload = Some(Reload { wanted, stage: Stage::Writing });
            return ControlFlow::Continue(());
        }
        // Whoever asked may have gone.
        drop(wanted.reply.send(Ok(())));
        match self.wanted.pop_front() {
            Some(next) => self.begin_reload(next),
            None => ControlFlow::Continue(()),
        }
    }

    /// Leaves the change of rules that is under way, when the service ends.
    pub(super) fn leave_reload(&mut self) {
        if let Some(Reload { wanted, stage }) = self.reload.take() {
            if let Stage::Reading(reading) = stage {
                reading.stops.store(true, Ordering::Relaxed);
                drop(reading.thread.join());
            }
            self.wanted.push_front(wanted);
        }
        self.wanted.drain(..).for_each(|wanted| drop(wanted.reply.send(Err(Unavailable::Stopping))));
    }
}
