//! The stream of decisions as server-sent events. What one commit brings is read and encoded once (and compressed once), and shared by
//! all readers; a reader that falls too far behind the newest decisions is told so and closed.

mod filtered;
mod outlet;
mod places;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::response::Response;
use tokio::sync::{Notify, Semaphore, watch};

use crate::service::search::{Filter, Item, Order, Query};

use super::{Api, Shared, blocking};

pub(super) use filtered::events as filtered_events;
pub(super) use outlet::takes_gzip;
use outlet::{Outlet, Packed};
use places::{Kind, Place, Places};

/// Decisions that are read from the store at once.
const PAGE: usize = 1_000;
const PAGE_BYTES: usize = 1 << 20;
/// The newest events are kept for all readers up to so many bytes: this is how far a reader may fall behind. Fewer in
/// debug builds, so that tests come there.
const KEPT_BYTES: usize = if cfg!(debug_assertions) { 8 << 20 } else { 64 << 20 };
/// So many readers may read older decisions from the store at a time: they share the disk with who decides.
const READING_MAX: usize = 4;
/// Between two parts the events of a busy service gather for so long for each reader: telling many readers of each
/// commit costs more than deciding it.
const GATHER_PER_READER: Duration = Duration::from_micros(50);
const GATHER_MAX: Duration = Duration::from_millis(50);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The newest events, encoded, and who reads them.
#[derive(Debug)]
pub struct Feed {
    kept: Mutex<Kept>,
    /// The number of the newest decision that is encoded.
    newest: watch::Sender<u64>,
    arrived: Notify,
    reading: Semaphore,
    /// Of all readers, those with filters too.
    pub(super) places: Places,
}

/// Events in ascending order without a gap.
#[derive(Debug, Default)]
struct Kept {
    parts: VecDeque<Part>,
    bytes: usize,
    is_fed: bool,
    /// The number of the newest decision in the parts, or before them if there are none.
    newest: u64,
}

/// The events of some decisions in order.
#[derive(Debug, Clone)]
struct Part {
    first: u64,
    text: Bytes,
    /// Where each event ends.
    ends: Arc<[usize]>,
    /// The whole text, compressed when a reader first wants it so.
    packed: Arc<OnceLock<Packed>>,
}

/// Events to be sent.
#[derive(Debug)]
struct Events {
    text: Bytes,
    /// Where they are a whole part: it, compressed.
    packed: Option<Arc<OnceLock<Packed>>>,
}

/// What there is for a reader.
#[derive(Debug)]
enum Next {
    /// Events, and the number of the last one.
    Events(Events, u64),
    /// Nothing yet.
    Nothing,
    /// What comes next is kept no more, or never was.
    Older,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
            arrived: Notify::new(),
            reading: Semaphore::new(READING_MAX),
            places: Places::default(),
        }
    }
}

impl Part {
    /// Encodes decisions of the history `epoch`.
    fn of(epoch: &str, items: &[Item]) -> Option<Self> {
        let first = items.first()?.seq;
        let bytes = |item: &Item| item.decision.len() + item.beside.len() + 96;
        let mut text = Vec::with_capacity(items.iter().map(bytes).sum());
        let mut ends = Vec::with_capacity(items.len());
        for item in items {
            push_event(&mut text, epoch, item);
            ends.push(text.len());
        }
        Some(Self { first, text: text.into(), ends: ends.into(), packed: Arc::default() })
    }

    fn last(&self) -> u64 {
        self.first + (self.ends.len() as u64) - 1
    }

    /// Returns the events after a number that lies before the last one.
    fn after(&self, seq: u64) -> Events {
        let passed = usize::try_from((seq + 1).saturating_sub(self.first)).unwrap_or(usize::MAX);
        let start = passed.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        Events { text: self.text.slice(start..), packed: (start == 0).then(|| Arc::clone(&self.packed)) }
    }

    /// Compresses the whole part, for all readers that will want it.
    fn pack(&self) {
        self.packed.get_or_init(|| Packed::of(&self.text));
    }
}

impl Kept {
    fn push(&mut self, part: Part) {
        self.newest = part.last();
        self.bytes += part.text.len();
        self.parts.push_back(part);
        while self.bytes > KEPT_BYTES && self.parts.len() > 1 {
            self.bytes -= self.parts.pop_front().map_or(0, |part| part.text.len());
        }
    }

    fn next(&self, after: u64) -> Next {
        if after >= self.newest {
            return Next::Nothing;
        }
        let position = self.parts.partition_point(|part| part.last() <= after);
        match self.parts.get(position) {
            Some(part) if part.first <= after + 1 => Next::Events(part.after(after), part.last()),
            _ => Next::Older,
        }
    }
}

impl Feed {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes what is committed for as long as anybody reads; ends when the service stops.
    async fn run(api: Shared) {
        let (mut last, mut stopping) = (api.service.last_seq(), api.stopping.clone());
        loop {
            let readers = api.feed.places.sharing().readers;
            if readers == 0 {
                *api.feed.kept() = Kept { is_fed: true, newest: *last.borrow(), ..Kept::default() };
                tokio::select! {
                    () = api.feed.arrived.notified() => continue,
                    _ = stopping.wait_for(|stopping| *stopping) => return,
                }
            }
            let after = api.feed.kept().newest;
            let has_more = tokio::select! {
                arrived = last.wait_for(|last| *last > after) => arrived.is_ok(),
                _ = stopping.wait_for(|stopping| *stopping) => false,
            };
            if !has_more {
                return;
            }
            let (service, is_gzip) = (api.service.clone(), api.feed.places.sharing().is_gzip);
            let part = blocking(move || {
                let page = service.search(&page_after(after)).ok()?;
                let part = Part::of(service.epoch(), &page.items)?;
                if is_gzip {
                    part.pack();
                }
                Some(part)
            });
            match part.await.ok().flatten() {
                // Decisions are only missing where they are no longer kept: then readers ask the store.
                Some(part) => {
                    let newest = part.last();
                    api.feed.kept().push(part);
                    api.feed.newest.send_replace(newest);
                }
                None => {
                    let newest = *last.borrow();
                    *api.feed.kept() = Kept { is_fed: true, newest, ..Kept::default() };
                    api.feed.newest.send_replace(newest);
                }
            }
            let gather = GATHER_PER_READER.saturating_mul(u32::try_from(readers).unwrap_or(u32::MAX));
            tokio::time::sleep(gather.min(GATHER_MAX)).await;
        }
    }
}

/// A reader of what all are sent.
struct Reader {
    api: Shared,
    after: u64,
    place: Place,
    outlet: Outlet,
}

impl Reader {
    fn new(api: Shared, after: u64, outlet: Outlet) -> Self {
        let kind = if outlet.is_gzip() { Kind::SharedGzip } else { Kind::Shared };
        let place = api.feed.places.enter(kind, after);
        let is_first = !std::mem::replace(&mut api.feed.kept().is_fed, true);
        if is_first {
            api.feed.kept().newest = *api.service.last_seq().borrow();
            tokio::spawn(Feed::run(Arc::clone(&api)));
        }
        api.feed.arrived.notify_one();
        Self { api, after, place, outlet }
    }

    /// Sends what comes after the reader's position for as long as it stays.
    async fn run(mut self) {
        self.follow().await;
        self.outlet.end();
    }

    async fn follow(&mut self) {
        let mut newest = self.api.feed.newest.subscribe();
        let mut stopping = self.api.stopping.clone();
        let mut has_caught_up = false;
        loop {
            let next = self.api.feed.kept().next(self.after);
            match next {
                Next::Events(events, last) => {
                    if !self.send(events).await {
                        return;
                    }
                    self.after = last;
                    self.place.move_to(last);
                }
                Next::Older if has_caught_up => return self.close().await,
                Next::Older => {
                    if !self.send_older().await {
                        return;
                    }
                }
                Next::Nothing => {
                    has_caught_up = true;
                    let after = self.after;
                    let is_quiet = tokio::select! {
                        arrived = newest.wait_for(|newest| *newest > after) => if arrived.is_err() { return } else { false },
                        () = tokio::time::sleep(KEEP_ALIVE) => true,
                        _ = stopping.wait_for(|stopping| *stopping) => return,
                        () = self.outlet.closed() => return,
                    };
                    if is_quiet && !self.outlet.send(Bytes::from_static(b":\n\n")).await {
                        return;
                    }
                }
            }
        }
    }

    /// Sends events; tells whether the reader stays.
    async fn send(&mut self, events: Events) -> bool {
        let Events { text, packed } = events;
        let Some(packed) = packed.filter(|_| self.outlet.is_gzip()) else { return self.outlet.send(text).await };
        if let Some(packed) = packed.get() {
            return self.outlet.send_packed(packed.clone()).await;
        }
        // It was encoded before anybody took gzip: whoever comes first compresses it for all.
        let packed = blocking(move || packed.get_or_init(|| Packed::of(&text)).clone()).await;
        let Ok(packed) = packed else { return false };
        self.outlet.send_packed(packed).await
    }

    /// Sends decisions from the store; tells whether the reader stays.
    async fn send_older(&mut self) -> bool {
        let Ok(turn) = self.api.feed.reading.acquire().await else { return false };
        if *self.api.stopping.borrow() {
            return false;
        }
        let (service, after) = (self.api.service.clone(), self.after);
        let read = blocking(move || service.search(&page_after(after))).await;
        // The reader comes back and goes on where it was.
        let Ok(Ok(page)) = read else { return false };
        let Some(part) = Part::of(self.api.service.epoch(), &page.items) else { return false };
        self.after = part.last();
        drop(turn);
        let is_sent = self.outlet.send(part.text).await;
        self.place.move_to(self.after);
        is_sent
    }

    /// Says why the stream ends. A browser, and whoever sends `last-event-id`, goes on where it was.
    async fn close(&mut self) {
        self.api.metrics.observe_refused("reader_behind");
        let reason = format!(
            "event: closed\ndata: {{\"reason\":\"the reader fell too far behind; go on after the last event\",\
             \"after\":{}}}\n\n",
            self.after
        );
        let _is_there = self.outlet.send(reason.into()).await;
    }
}

/// Adds the event of a decision: with its number, and the history that it belongs to.
fn push_event(out: &mut Vec<u8>, epoch: &str, item: &Item) {
    out.extend_from_slice(
        format!("id: {seq}\ndata: {{\"seq\":{seq},\"epoch\":\"{epoch}\",", seq = item.seq).as_bytes(),
    );
    out.extend_from_slice(&item.beside);
    out.extend_from_slice(item.decision.get(1..).unwrap_or_default());
    out.extend_from_slice(b"\n\n");
}

/// Asks for a page of all decisions after a number.
fn page_after(after: u64) -> Query {
    Query { filter: Filter::default(), order: Order::Ascending, position: after, limit: PAGE, bytes_max: PAGE_BYTES }
}

/// Streams the decisions after a number for as long as the reader stays, compressed for who takes gzip.
pub(super) fn events(api: &Arc<Api>, after: u64, is_gzip: bool) -> Response {
    let (outlet, response) = Outlet::open(is_gzip);
    tokio::spawn(Reader::new(Arc::clone(api), after, outlet).run());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(first: u64, count: u64, bytes: usize) -> Part {
        let decision = format!("{{\"pad\":\"{}\"}}", "x".repeat(bytes)).into_bytes();
        let item = |seq| Item { seq, beside: Vec::new(), decision: decision.clone() };
        Part::of("e", &(first..first + count).map(item).collect::<Vec<_>>()).expect("events")
    }

    fn ids(next: &Next) -> Vec<u64> {
        let Next::Events(events, last) = next else { panic!("{next:?}") };
        let text = String::from_utf8(events.text.to_vec()).expect("text");
        let ids: Vec<u64> =
            text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().expect("a number")).collect();
        assert_eq!(ids.last(), Some(last));
        ids
    }

    #[test]
    fn a_reader_goes_on_from_wherever_it_is_and_parts_are_shared() {
        let mut kept = Kept { newest: 9, ..Kept::default() };
        assert!(matches!((kept.next(9), kept.next(4)), (Next::Nothing, Next::Older)));
        kept.push(part(10, 3, 1));
        kept.push(part(13, 2, 1));
        assert_eq!(ids(&kept.next(9)), [10, 11, 12]);
        assert_eq!(ids(&kept.next(10)), [11, 12]);
        assert_eq!(ids(&kept.next(12)), [13, 14]);
        assert!(matches!((kept.next(14), kept.next(100)), (Next::Nothing, Next::Nothing)));
        assert!(matches!(kept.next(8), Next::Older));
        let (Next::Events(one, _), Next::Events(other, _)) = (kept.next(9), kept.next(9)) else { panic!("events") };
        assert_eq!(one.text.as_ptr(), other.text.as_ptr(), "the same bytes");
        let (Some(one), Some(other)) = (one.packed, other.packed) else { panic!("a whole part") };
        assert!(Arc::ptr_eq(&one, &other), "compressed once");
        let Next::Events(rest, _) = kept.next(10) else { panic!("events") };
        assert!(rest.packed.is_none(), "not a whole part");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = Kept::default();
        for number in 0..200 {
            kept.push(part(1 + number * 2, 2, 300_000));
        }
        assert!(kept.bytes <= KEPT_BYTES, "{}", kept.bytes);
        assert_eq!(kept.bytes, kept.parts.iter().map(|part| part.text.len()).sum::<usize>());
        assert!(matches!((kept.next(0), kept.next(400)), (Next::Older, Next::Nothing)));
        assert_eq!(ids(&kept.next(399)), [400]);
    }
}
