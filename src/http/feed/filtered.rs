//! Server-sent events of those decisions that a filter means. Each reader has its own filter, so each reads by itself,
//! and only a few at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::response::Response;

use crate::service::search::{Filter, Order, Query};

use super::super::{Shared, blocking};
use super::places::{Kind, Place};
use super::{KEEP_ALIVE, Outlet, PAGE, PAGE_BYTES, push_event};

/// What is committed gathers for so long before it is looked through.
const GATHER: Duration = Duration::from_millis(50);

/// Streams the decisions after a number that a filter means, for as long as the reader stays. Where many were passed
/// over, the reader is told how far the stream has come by an event without data, from whose `id` it may go on.
pub(in super::super) fn events(api: &Shared, filter: Filter, after: u64, is_gzip: bool) -> Response {
    let (outlet, response) = Outlet::open(is_gzip);
    let place = api.feed.places.enter(Kind::Filtered, after);
    tokio::spawn(Reader { api: Arc::clone(api), filter, after, told: after, place, outlet }.run());
    response
}

struct Reader {
    api: Shared,
    filter: Filter,
    /// Everything up to this number was looked at.
    after: u64,
    /// The last `id` that was sent.
    told: u64,
    place: Place,
    outlet: Outlet,
}

impl Reader {
    async fn run(mut self) {
        while self.go_on().await {}
        self.outlet.end();
    }

    /// Sends what the next page holds, or waits; tells whether the reader stays.
    async fn go_on(&mut self) -> bool {
        let Some(text) = self.read().await else { return false };
        if !text.is_empty() {
            let is_sent = self.outlet.send(text).await;
            self.place.move_to(self.after);
            return is_sent;
        }
        self.place.move_to(self.after);
        let (mut last, mut stopping) = (self.api.service.last_seq(), self.api.stopping.clone());
        let after = self.after;
        let is_quiet = tokio::select! {
            arrived = last.wait_for(|last| *last > after) => if arrived.is_err() { return false } else { false },
            () = tokio::time::sleep(KEEP_ALIVE) => true,
            _ = stopping.wait_for(|stopping| *stopping) => return false,
            () = self.outlet.closed() => return false,
        };
        if is_quiet {
            let progress = self.progress();
            return self.outlet.send(progress).await;
        }
        tokio::time::sleep(GATHER).await;
        true
    }

    /// Reads a page; `None` where the reader has to come back.
    async fn read(&mut self) -> Option<Bytes> {
        let turn = self.api.feed.reading.acquire().await.ok()?;
        if *self.api.stopping.borrow() {
            return None;
        }
        let (service, filter) = (self.api.service.clone(), self.filter.clone());
        let query = Query { filter, order: Order::Ascending, position: self.after, limit: PAGE, bytes_max: PAGE_BYTES };
        let page = blocking(move || service.search(&query)).await.ok()?.ok()?;
        drop(turn);
        let has_moved = page.next != self.after;
        self.after = page.next;
        let mut text = Vec::new();
        for item in &page.items {
            push_event(&mut text, self.api.service.epoch(), item);
            self.told = item.seq;
        }
        // A long way without anything that is meant: who comes back need not go it again.
        if has_moved && page.items.is_empty() && self.after < *self.api.service.last_seq().borrow() {
            return Some(self.progress());
        }
        Some(text.into())
    }

    /// Tells how far the stream has come, or that it lives.
    fn progress(&mut self) -> Bytes {
        if self.told == self.after {
            return Bytes::from_static(b":\n\n");
        }
        self.told = self.after;
        format!("id: {}\n\n", self.after).into()
    }
}
