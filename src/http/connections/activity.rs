//! What a connection does, and since when it does not: from this its end is known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Deadlines, Place, Refusal};

/// How often a connection is looked at, at least: its next deadline may have come nearer.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// When the server stops, a connection without a request in hand has so long to take the farewell of HTTP/2.
const FAREWELL: Duration = Duration::from_millis(200);

/// The activity of one connection. Whoever serves it tells; [`Activity::end`] says when it has to end.
#[derive(Debug)]
pub(crate) struct Activity {
    place: Place,
    deadlines: Deadlines,
    now: Mutex<Now>,
    closing: Notify,
}

#[derive(Debug)]
struct Now {
    /// A request had a known token, or needed none because none are configured.
    has_right: bool,
    /// In HTTP/2 what is read without a request in hand need not be the head of one.
    is_http2: bool,
    /// By number of the request: when a part of its response was last taken.
    in_hand: BTreeMap<u64, Instant>,
    requests: u64,
    /// Since when no request is in hand.
    idle_since: Instant,
    /// When the first byte of a head came that has not ended.
    head_since: Option<Instant>,
    /// Since when nothing of what is written is taken.
    blocked_since: Option<Instant>,
    closed: Option<Refusal>,
}

/// A request in hand, until its response has been taken whole.
#[derive(Debug)]
pub(crate) struct InHand {
    number: u64,
    activity: Arc<Activity>,
}

impl Activity {
    pub(super) fn new(place: Place, deadlines: Deadlines, now: Instant) -> Self {
        let begun = Now {
            has_right: false,
            is_http2: false,
            in_hand: BTreeMap::new(),
            requests: 0,
            idle_since: now,
            head_since: None,
            blocked_since: None,
            closed: None,
        };
        Self { place, deadlines, now: Mutex::new(begun), closing: Notify::new() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    /// Notes that a request came from somebody known.
    pub(crate) fn show_right(&self) {
        self.now().has_right = true;
    }

    /// Tells whether a newcomer may have this seat.
    pub(super) fn may_make_room(&self) -> bool {
        let now = self.now();
        !now.has_right && now.in_hand.is_empty() && now.closed.is_none()
    }

    /// Closes the connection as soon as its task runs.
    pub(super) fn close(&self, why: Refusal) {
        self.now().closed.get_or_insert(why);
        self.closing.notify_one();
    }

    #[cfg(test)]
    pub(super) fn closed(&self) -> Option<Refusal> {
        self.now().closed
    }

    /// Notes that bytes came.
    pub(super) fn has_read(&self) {
        let mut now = self.now();
        if now.in_hand.is_empty() && !now.is_http2 {
            now.head_since.get_or_insert_with(Instant::now);
        }
    }

    /// Notes whether what is written is taken.
    pub(super) fn writes(&self, taken: bool) {
        let mut now = self.now();
        if taken {
            now.blocked_since = None;
        } else {
            now.blocked_since.get_or_insert_with(Instant::now);
        }
    }

    /// Notes that a request's head has come whole.
    pub(crate) fn begin(self: &Arc<Self>, is_http2: bool) -> InHand {
        let mut now = self.now();
        now.is_http2 |= is_http2;
        now.head_since = None;
        now.requests += 1;
        let number = now.requests;
        now.in_hand.insert(number, Instant::now());
        drop(now);
        InHand { number, activity: Arc::clone(self) }
    }

    /// Waits until the connection has to end: by one of its deadlines, for another, or because the server stops and
    /// nothing is in hand. Returns why; `None` for the last.
    pub(crate) async fn end(&self, mut stop: tokio::sync::watch::Receiver<bool>) -> Option<Refusal> {
        loop {
            let (due, why) = {
                let now = self.now();
                if now.closed.is_some() {
                    return now.closed;
                }
                now.due(&self.deadlines)
            };
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(why);
            }
            let has_stopped = tokio::select! {
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => false,
                () = self.closing.notified() => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            if has_stopped {
                tokio::time::sleep(FAREWELL).await;
                if self.now().in_hand.is_empty() {
                    return None;
                }
            }
        }
    }
}

impl Now {
    /// Returns the next deadline, and what has happened if it is reached.
    fn due(&self, deadlines: &Deadlines) -> (Instant, Refusal) {
        let mut dues = Vec::with_capacity(3);
        if let Some(since) = self.blocked_since {
            dues.push((since + deadlines.stalled, Refusal::Stalled));
        }
        match self.in_hand.values().min() {
            Some(since) => dues.push((*since + deadlines.response, Refusal::Stalled)),
            None if self.has_right => dues.push((self.idle_since + deadlines.keep_alive, Refusal::Idle)),
            None => {
                let why = if self.requests == 0 { Refusal::Silent } else { Refusal::Idle };
                dues.push((self.idle_since + deadlines.head.min(deadlines.keep_alive), why));
            }
        }
        if let Some(since) = self.head_since {
            dues.push((since + deadlines.head, Refusal::Silent));
        }
        dues.into_iter().min_by_key(|(due, _)| *due).unwrap_or((self.idle_since, Refusal::Idle))
    }
}

impl InHand {
    /// Returns the connection's activity.
    pub(crate) const fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Notes that a part of the response was taken.
    pub(super) fn goes_on(&self) {
        self.activity.now().in_hand.insert(self.number, Instant::now());
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut now = self.activity.now();
        now.in_hand.remove(&self.number);
        if now.in_hand.is_empty() {
            now.idle_since = Instant::now();
        }
    }
}
