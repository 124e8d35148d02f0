use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Chain;
use crate::operation::Time;
use crate::operation::time::Nanos;

const QUIET: i64 = 5;

fn empty() -> Chain {
    Chain::new(Nanos::new(QUIET))
}

const fn at_time(at: i64) -> Time {
    Time::from_nanos(at)
}

fn age(chain: &Chain, at: i64, include_this: bool) -> Option<i64> {
    chain.age(at_time(at), include_this).map(Nanos::get)
}

/// The entries in plain numbers, and a stretch of forgotten ones that hold together.
#[derive(Debug, Clone, Default)]
struct Naive {
    entries: BTreeSet<(i64, u64)>,
    folded: Option<(i64, i64)>,
}

impl Naive {
    /// Walks back from `at` over everything within the quiet time.
    fn began(&self, at: i64) -> Option<i64> {
        let mut first = None;
        loop {
            let from = first.unwrap_or(at);
            let entries = self.entries.iter().map(|(time, _)| *time);
            let near = entries.filter(|time| *time <= from && from - *time <= QUIET).min();
            let folded = self.folded.filter(|(start, last)| *start <= from && from <= *last + QUIET);
            let next = near.into_iter().chain(folded.map(|(start, _)| start)).min();
            if next.is_none() || next == first {
                return first;
            }
            first = next;
        }
    }

    fn fold_before(&mut self, limit: i64) {
        let kept = self.entries.split_off(&(limit, 0));
        let forgotten = std::mem::replace(&mut self.entries, kept);
        // What an entry at the limit would continue, of all that is forgotten.
        let all = Self { entries: forgotten.clone(), folded: self.folded };
        let last = forgotten.iter().map(|(at, _)| *at).chain(self.folded.map(|(_, last)| last)).max();
        self.folded = last.filter(|last| limit - *last <= QUIET).and_then(|last| Some((all.began(last)?, last)));
    }
}

fn check(chain: &Chain, naive: &Naive) {
    assert!(chain.iter().eq(naive.entries.iter().map(|(at, op)| (at_time(*at), *op))));
    assert_eq!(chain.len(), naive.entries.len());
    assert_eq!(chain.folded(), naive.folded.map(|(first, last)| (at_time(first), at_time(last))));
    assert_eq!(chain.is_empty(), naive.entries.is_empty() && naive.folded.is_none());
    assert_eq!(chain.newest(), naive.entries.last().map(|(at, _)| at_time(*at)));
    for at in -10..130 {
        let began = naive.began(at);
        assert_eq!(age(chain, at, false), began.map(|first| at - first), "excluding this at {at}");
        assert_eq!(age(chain, at, true), Some(began.map_or(0, |first| at - first)), "including this at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_chain_answers_like_a_recomputation(
        steps in prop::collection::vec((0..12_u8, 0..120_i64, 0..3_u64), 1..90),
    ) {
        let mut chain = empty();
        let mut naive = Naive::default();
        let mut limit = 0;
        let mut clones = Vec::new();
        for (what, at, op) in steps {
            match what {
                0 if at < limit + 40 => {
                    limit = limit.max(at);
                    chain.fold_before(at_time(limit));
                    naive.fold_before(limit);
                }
                0 => clones.push((chain.clone(), naive.clone())),
                1..=3 => {
                    let nearest = naive.entries.range((at, 0)..).next().copied().unwrap_or((at, op));
                    assert_eq!(chain.remove(at_time(nearest.0), nearest.1), naive.entries.remove(&nearest));
                }
                _ => assert_eq!(chain.insert(at_time(at), op), naive.entries.insert((at, op))),
            }
            check(&chain, &naive);
        }
        for (chain, naive) in clones {
            check(&chain, &naive);
        }
    }
}

#[test]
fn a_gap_of_exactly_the_quiet_time_continues_the_chain() {
    let mut chain = empty();
    chain.insert(at_time(0), 1);
    assert_eq!(age(&chain, QUIET, false), Some(QUIET));
    assert_eq!(age(&chain, QUIET + 1, false), None);
    assert_eq!(age(&chain, QUIET + 1, true), Some(0));
}

#[test]
fn what_comes_late_still_continues_a_forgotten_beginning() {
    let mut chain = empty();
    chain.insert(at_time(0), 1);
    chain.insert(at_time(9), 2);
    chain.fold_before(at_time(5));
    assert_eq!(age(&chain, 9, false), Some(0));
    chain.insert(at_time(5), 3);
    assert_eq!(age(&chain, 9, false), Some(9));
    let mut chain = empty();
    chain.insert(at_time(0), 1);
    chain.insert(at_time(9), 2);
    chain.fold_before(at_time(6));
    assert_eq!(chain.folded(), None);
}

#[test]
fn a_chain_does_not_grow_younger_when_its_beginning_is_forgotten() {
    let mut chain = empty();
    for step in 0..100 {
        chain.insert(at_time(step * QUIET), 0);
        chain.fold_before(at_time((step - 2) * QUIET));
        assert!(chain.len() <= 3);
        assert_eq!(age(&chain, step * QUIET, false), Some(step * QUIET));
    }
}
