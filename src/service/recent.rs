//! The newest decisions of an instance whose decisions go to a topic: kept in memory, so that people may look at them and
//! search them. They have numbers of this instance's own, from 1 since its start, in the order of its commits.

use std::collections::VecDeque;
use std::sync::Arc;

use super::search::{DECISIONS_READ_MAX, Item, Order, Page, Query, listed};

/// So many bytes of operations and decisions are kept.
const BYTES_MAX: usize = 64 << 20;

/// The newest decisions.
#[derive(Debug, Default)]
pub struct Recent {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// How many there were so far: the number of the newest.
    last: u64,
}

/// The decisions of one commit.
#[derive(Debug)]
struct Batch {
    first: u64,
    bytes: usize,
    /// Records of operations, and the decisions on them.
    items: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Batch {
    fn end(&self) -> u64 {
        self.first + u64::try_from(self.items.len()).unwrap_or(u64::MAX)
    }
}

impl Recent {
    /// Keeps operations and the decisions on them, in the order of the commits; returns the number of the newest.
    pub fn add(&mut self, items: Vec<(Vec<u8>, Vec<u8>)>) -> u64 {
        if items.is_empty() {
            return self.last;
        }
        let bytes = items.iter().map(|(record, decision)| record.len() + decision.len()).sum();
        let batch = Batch { first: self.last + 1, bytes, items };
        self.last = batch.end() - 1;
        self.bytes += bytes;
        self.batches.push_back(Arc::new(batch));
        while self.bytes > BYTES_MAX && self.batches.len() > 1 {
            self.bytes -= self.batches.pop_front().map_or(0, |batch| batch.bytes);
        }
        self.last
    }

    /// Returns all that is kept, to be read while others are added.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { batches: self.batches.iter().cloned().collect(), last: self.last }
    }
}

/// What was kept at one moment.
#[derive(Debug)]
pub struct Snapshot {
    batches: Vec<Arc<Batch>>,
    last: u64,
}

impl Snapshot {
    /// Reads a page, as [`super::search::page`] does of a store.
    #[must_use]
    pub fn page(&self, query: &Query) -> Page {
        match query.order {
            Order::Ascending => {
                let from = self.batches.partition_point(|batch| batch.end() <= query.position.saturating_add(1));
                let items = self.batches[from..].iter().flat_map(|batch| (batch.first..).zip(&batch.items));
                read(items.filter(|(seq, _)| *seq > query.position), query, query.position)
            }
            Order::Descending => {
                let position = query.position.min(self.last.saturating_add(1));
                let until = self.batches.partition_point(|batch| batch.first < position);
                let items = self.batches[..until]
                    .iter()
                    .rev()
                    .flat_map(|batch| (batch.first..batch.end()).rev().zip(batch.items.iter().rev()));
                read(items.filter(|(seq, _)| *seq < position), query, position)
            }
        }
    }
}

fn read<'i>(items: impl Iterator<Item = (u64, &'i (Vec<u8>, Vec<u8>))>, query: &Query, position: u64) -> Page {
    let mut page = Page { next: position, ..Page::default() };
    let mut bytes = 0;
    for (seq, (record, decision)) in items {
        let is_full = page.items.len() >= query.limit || (bytes >= query.bytes_max && !page.items.is_empty());
        if is_full || page.scanned >= DECISIONS_READ_MAX {
            break;
        }
        page.scanned += 1;
        page.next = seq;
        if let Some(item) = listed(&query.filter, (seq, decision), || Some(record)) {
            let Item { beside, decision, .. } = &item;
            bytes += beside.len() + decision.len();
            page.items.push(item);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::search::Filter;
    use super::*;

    fn item(number: usize, bytes: usize) -> (Vec<u8>, Vec<u8>) {
        let record = format!(
            r#"{{"op_id":"o{number}","type":"top_up","occurred_at":"2026-03-02T10:00:00Z","wallet_id":"w{}","amount":"{number}.00"}}"#,
            number % 3
        );
        let decision = format!(
            r#"{{"decision_id":"34741870-60d7-5743-957d-5e8303be2e42","op_id":"o{number}","wallet_id":"w{}","type":"top_up","occurred_at":"2026-03-02T10:00:00Z","verdict":"allow","matches":[],"commands":[],"late":false,"degraded":[],"ruleset":"b1946ac92492","pad":"{}"}}"#,
            number % 3,
            "x".repeat(bytes)
        );
        (record.into_bytes(), decision.into_bytes())
    }

    fn joined(recent: &Recent, filter: &Filter, order: Order) -> Vec<u64> {
        let (mut numbers, mut position) = (Vec::new(), if order == Order::Ascending { 0 } else { u64::MAX });
        loop {
            let query = Query { filter: filter.clone(), order, position, limit: 2, bytes_max: 1 << 20 };
            let page = recent.snapshot().page(&query);
            numbers.extend(page.items.iter().map(|item| item.seq));
            if page.next == position {
                return numbers;
            }
            position = page.next;
        }
    }

    #[test]
    fn what_is_kept_is_found_in_both_orders() {
        let mut recent = Recent::default();
        assert_eq!(joined(&recent, &Filter::default(), Order::Ascending), Vec::<u64>::new());
        for batch in [1..4, 4..5, 5..5, 5..10] {
            recent.add(batch.map(|number| item(number, 1)).collect());
        }
        let of_wallet = Filter { wallet: Some("w1".to_owned()), ..Filter::default() };
        for (filter, expected) in [(Filter::default(), (1..10).collect::<Vec<u64>>()), (of_wallet, vec![1, 4, 7])] {
            assert_eq!(joined(&recent, &filter, Order::Ascending), expected);
            let reversed: Vec<u64> = expected.into_iter().rev().collect();
            assert_eq!(joined(&recent, &filter, Order::Descending), reversed);
        }
        let query =
            Query { filter: Filter::default(), order: Order::Ascending, position: 8, limit: 9, bytes_max: 1 << 20 };
        let page = recent.snapshot().page(&query);
        assert_eq!((page.next, page.scanned, page.items.len()), (9, 1, 1));
        assert_eq!(page.items[0].beside, b"\"amount\":\"9.00\",");
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_bytes() {
        let mut recent = Recent::default();
        for number in 0..100 {
            assert_eq!(recent.add(vec![item(number, 1 << 20)]), u64::try_from(number).expect("a number") + 1);
        }
        assert!(recent.bytes <= BYTES_MAX);
        let numbers = joined(&recent, &Filter::default(), Order::Ascending);
        assert_eq!((numbers.last(), numbers.len() > 50), (Some(&100), true));
        assert!(numbers.iter().zip(&numbers[1..]).all(|(one, next)| one + 1 == *next));
    }
}
