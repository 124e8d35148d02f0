//! Time and threads of a fleet's worker: those of the machine, or those of a simulation.
//!
//! A simulation lets one thread run at a time and chooses which by a seed, so that the same seed gives the same
//! run. A thread belongs to a simulation when [`simulate`] runs it, or when a thread that does has made it by [`spawn`].
//! Only with the feature `faults`; otherwise there is the machine only.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Work of a thread.
pub type Work = Box<dyn FnOnce() + Send>;

/// The longest wait for something that has no limit, in a simulation: then it is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One process of a simulation: its clock, and when its threads go on.
pub trait Scheduler: Send + Sync {
    /// Returns the simulation's time.
    fn now(&self) -> Instant;
    /// Lets other threads run for so long.
    fn sleep(&self, time: Duration);
    /// Lets other threads run until one of this process tells something ([`Self::tell`]), at most until then.
    fn wait(&self, until: Instant);
    /// Wakes the threads of this process that wait.
    fn tell(&self);
    /// Takes a thread of this process in that is about to be made; returns what it has to run.
    fn enroll(&self, name: &str, work: Work) -> Work;
    /// A thread has reached a step at which a test may end or halt the process.
    fn reached(&self, step: &str);
    /// The deliberate mistake that this process makes, if any.
    fn mistake(&self) -> Option<&str>;
}

#[cfg(feature = "faults")]
mod current {
    use std::cell::RefCell;
    use std::sync::Arc;

    use super::Scheduler;

    thread_local! {
        static CURRENT: RefCell<Option<Arc<dyn Scheduler>>> = const { RefCell::new(None) };
    }

    /// Takes this thread out of the simulation again.
    struct Leave;

    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.with(|current| current.borrow_mut().take());
        }
    }

    pub(super) fn current() -> Option<Arc<dyn Scheduler>> {
        CURRENT.with(|current| current.borrow().clone())
    }

    /// Runs some work as a process of a simulation, on this thread.
    pub fn simulate<T>(scheduler: Arc<dyn Scheduler>, work: impl FnOnce() -> T) -> T {
        CURRENT.with(|current| *current.borrow_mut() = Some(scheduler));
        let _leave = Leave;
        work()
    }
}

#[cfg(feature = "faults")]
pub use current::simulate;

/// Returns the simulation that this thread belongs to.
#[cfg(feature = "faults")]
pub(super) fn simulation() -> Option<Arc<dyn Scheduler>> {
    current::current()
}

/// Returns the simulation that this thread belongs to.
#[cfg(not(feature = "faults"))]
pub(super) const fn simulation() -> Option<Arc<dyn Scheduler>> {
    None
}

/// Returns the present time.
#[must_use]
pub fn now() -> Instant {
    simulation().map_or_else(Instant::now, |simulation| simulation.now())
}

/// Returns how much time is over since then.
#[must_use]
pub fn elapsed(since: Instant) -> Duration {
    now().saturating_duration_since(since)
}

/// Lets time pass.
pub fn sleep(time: Duration) {
    match simulation() {
        None => thread::sleep(time),
        Some(simulation) => simulation.sleep(time),
    }
}

/// Makes a thread.
///
/// # Errors
/// The machine makes none.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.to_owned());
    #[cfg(feature = "faults")]
    if let Some(simulation) = simulation() {
        let work = simulation.enroll(name, Box::new(work));
        return thread.spawn(move || simulate(simulation, work));
    }
    thread.spawn(work)
}

/// Tells threads that wait in [`receive`] or [`next`] that something was sent, or that a sender is gone.
pub fn told() {
    if let Some(simulation) = simulation() {
        simulation.tell();
    }
}

/// Takes what was sent, after at most so long.
///
/// # Errors
/// Nothing came in time, or nothing can come any more.
pub fn receive<T>(from: &Receiver<T>, wait: Duration) -> Result<T, RecvTimeoutError> {
    let Some(simulation) = simulation() else { return from.recv_timeout(wait) };
    let until = simulation.now() + wait;
    loop {
        match from.try_recv() {
            Ok(found) => return Ok(found),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) if simulation.now() >= until => return Err(RecvTimeoutError::Timeout),
            Err(TryRecvError::Empty) => simulation.wait(until),
        }
    }
}

/// Waits for what is sent next; `None` when nothing can come any more.
pub fn next<T>(from: &Receiver<T>) -> Option<T> {
    if simulation().is_none() {
        return from.recv().ok();
    }
    loop {
        match receive(from, LOOK_EVERY) {
            Ok(found) => return Some(found),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
