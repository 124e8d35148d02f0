//! Tells of a call of the transaction that takes long, and ends the process when one never returns: librdkafka may
//! ignore its timeout. The deciding thread gives such a call up sooner; this is for when it hangs itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// A transactional call that takes longer than this is given up with the process.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What to do when a call hangs; gets a text that says which.
pub type OnHang = Box<dyn Fn(&str) + Send>;

/// The present call of each watched thread, and since when it runs.
type Running = [Mutex<Option<(&'static str, Instant)>>];

fn lock<'r>(running: &'r Running, number: usize) -> MutexGuard<'r, Option<(&'static str, Instant)>> {
    running[number].lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call that takes longer than this is told to whoever asks whether the service is well.
const SLOW: Duration = Duration::from_secs(3);

/// Tells of a watched thread to others.
#[derive(Clone)]
pub(crate) struct Waiting(Watchdog);

impl Waiting {
    /// Tells what the thread waits for, if it does so for long: it cannot tell it itself.
    pub(crate) fn trouble(&self) -> Option<String> {
        let (what, since) = (*self.0.running())?;
        let waited = since.elapsed();
        (waited > SLOW).then(|| format!("Kafka: no answer for {} s to the request to {what}", waited.as_secs()))
    }
}

/// Watches the calls of one worker, whose threads come one after the other. One thread does so for all workers of a
/// process.
#[derive(Clone)]
pub(crate) struct Watchdog {
    all: Arc<Running>,
    number: usize,
}

impl Watchdog {
    /// Starts to watch so many workers. `patience` is added to the limit: calls that are known to take long have their
    /// reasons.
    pub(crate) fn start(workers: usize, patience: Duration, on_hang: OnHang) -> std::io::Result<Vec<Self>> {
        Self::start_with(workers, (LIMIT + patience, LOOK_EVERY), on_hang)
    }

    fn start_with(
        workers: usize,
        (limit, look_every): (Duration, Duration),
        on_hang: OnHang,
    ) -> std::io::Result<Vec<Self>> {
        let all: Arc<Running> = (0..workers).map(|_| Mutex::default()).collect();
        let watched = Arc::downgrade(&all);
        thread::Builder::new().name("watchdog".into()).spawn(move || watch(&watched, limit, look_every, &on_hang))?;
        Ok((0..workers).map(|number| Self { all: Arc::clone(&all), number }).collect())
    }

    /// Makes one that nobody looks at: in a simulation every call returns.
    #[cfg(feature = "faults")]
    pub(super) fn unwatched() -> Self {
        Self { all: Arc::new([Mutex::default()]), number: 0 }
    }

    fn running(&self) -> MutexGuard<'_, Option<(&'static str, Instant)>> {
        lock(&self.all, self.number)
    }

    /// Returns what tells others of the worker.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting(self.clone())
    }

    /// Watches no longer what was given up: its thread may never come back.
    pub(super) fn give_up(&self) {
        *self.running() = None;
    }

    /// Runs a call under watch.
    pub(super) fn watch<T>(&self, what: &'static str, call: impl FnOnce() -> T) -> T {
        *self.running() = Some((what, Instant::now()));
        let answer = call();
        *self.running() = None;
        answer
    }
}

/// Ends with the watched threads.
fn watch(running: &Weak<Running>, limit: Duration, look_every: Duration, on_hang: &OnHang) {
    while let Some(now) = running.upgrade() {
        let calls = (0..now.len()).filter_map(|number| *lock(&now, number));
        if let Some((what, since)) = calls.min_by_key(|(_, since)| *since)
            && since.elapsed() > limit
        {
            on_hang(&format!("failed to {what}: Kafka's client has not returned for {:?}", since.elapsed()));
            return;
        }
        drop(now);
        thread::sleep(look_every);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_call_that_hangs_is_told_and_others_are_not() {
        let (tell, told) = mpsc::channel();
        let on_hang = Box::new(move |text: &str| tell.send(text.to_owned()).unwrap_or(()));
        let limit = Duration::from_millis(300);
        let started = Watchdog::start_with(2, (limit, Duration::from_millis(5)), on_hang).expect("a thread");
        let [other, watchdog] = <[Watchdog; 2]>::try_from(started).ok().expect("two workers");
        // Many calls take longer than the limit together, and none of them alone, whatever another worker does.
        let begun = Instant::now();
        while begun.elapsed() < 2 * limit {
            assert_eq!(watchdog.watch("do little", || other.watch("do little", || 7)), 7);
        }
        assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Empty));
        let text = watchdog.watch("commit a transaction", || told.recv_timeout(Duration::from_secs(60)));
        let text = text.expect("the hanging call is told");
        assert!(text.starts_with("failed to commit a transaction: Kafka's client has not returned"), "{text}");
        // The process ends with the first; a test goes on.
        drop((watchdog, other));
        assert_eq!(told.recv_timeout(Duration::from_secs(60)), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
