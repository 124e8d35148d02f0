//! Waits of tests. Each names the event that it waits for; one that is in vain says so after two minutes at the
//! latest, with where every process of the test stood: see `standing.rs`.

use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::standing;

/// No wait is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const PACE: Duration = Duration::from_millis(20);
/// So much later than the event should be there, a look that does not come back is told of.
const GRACE: Duration = Duration::from_secs(10);

/// A wait whose event did not come.
#[derive(Debug)]
pub(crate) struct InVain(String);

impl fmt::Display for InVain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Waits until `look` finds something; returns it.
///
/// # Panics
/// When the event does not come.
#[track_caller]
pub(crate) fn until<T>(event: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, event, look)
}

/// The same with a limit of its own.
#[track_caller]
pub(crate) fn within<T>(patience: Duration, event: &str, look: impl FnMut() -> Option<T>) -> T {
    attempt(patience, event, look).unwrap_or_else(|in_vain| panic!("{in_vain}"))
}

/// The same, for those who judge by themselves what it means that the event does not come.
pub(crate) fn attempt<T>(patience: Duration, event: &str, look: impl FnMut() -> Option<T>) -> Result<T, InVain> {
    attempt_with(patience, event, look, standing::of_all)
}

/// The same; `stand` tells where processes stand.
pub(crate) fn attempt_with<T>(
    patience: Duration,
    event: &str,
    mut look: impl FnMut() -> Option<T>,
    stand: impl FnOnce() -> String,
) -> Result<T, InVain> {
    assert!(patience <= PATIENCE, "{event}: a wait of {patience:?} is longer than any may be");
    let _told = told_when_late(event, patience + GRACE);
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begun.elapsed() > patience {
            return Err(InVain(format!("waited {:?} in vain: {event}\n{}", begun.elapsed(), stand())));
        }
        std::thread::sleep(PACE);
    }
}

/// Ends a watch over something that may not come back by itself.
pub(crate) struct Told(#[expect(dead_code, reason = "the watch ends when it is dropped")] Sender<()>);

/// Watches over a call that a test cannot look into, until what is returned is dropped: a call that takes longer
/// than two minutes is told of, with where every process stands.
pub(crate) fn watched(event: &str) -> Told {
    told_when_late(event, PATIENCE)
}

#[expect(clippy::print_stderr, reason = "the test may never come to say so itself")]
fn told_when_late(event: &str, after: Duration) -> Told {
    let (sender, receiver) = channel();
    let event = event.to_owned();
    std::thread::spawn(move || {
        if receiver.recv_timeout(after) == Err(RecvTimeoutError::Timeout) {
            eprintln!("after {after:?} still: {event}\n{}", standing::of_all());
        }
    });
    Told(sender)
}
