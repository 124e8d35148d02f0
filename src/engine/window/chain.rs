//! Operations that follow one another without a long gap, for `age … quiet D`.

use super::ordered::Ordered;
use crate::operation::Time;
use crate::operation::time::Nanos;

/// The chains of one key: maximal stretches of entries with no gap over `quiet`.
///
/// Old entries can be folded: of those only the stretch they span is remembered, so that a chain
/// does not grow younger because its beginning was forgotten.
#[derive(Debug, Clone)]
pub struct Chain {
    quiet: Nanos,
    /// By (at, op).
    entries: Ordered<(Time, u64), ()>,
    /// First instant → last instant of each maximal stretch of the entries kept.
    stretches: Ordered<Time, Time>,
    /// First and last instant of the latest chain among the folded entries.
    folded: Option<(Time, Time)>,
}

impl Chain {
    /// Makes an empty chain; a gap of exactly `quiet` does not break it.
    #[must_use]
    pub fn new(quiet: Nanos) -> Self {
        Self { quiet, entries: Ordered::default(), stretches: Ordered::default(), folded: None }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether nothing is kept and nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.folded.is_none()
    }

    /// Returns the greatest event time kept.
    #[must_use]
    pub fn newest(&self) -> Option<Time> {
        self.entries.last().map(|((at, _), ())| at)
    }

    /// Returns the folded stretch, first and last instant.
    #[must_use]
    pub fn folded(&self) -> Option<(Time, Time)> {
        self.folded
    }

    /// Puts back a folded stretch when a chain is restored.
    pub fn restore_folded(&mut self, folded: Option<(Time, Time)>) {
        self.folded = folded;
    }

    /// Walks the entries kept, as (at, op).
    pub fn iter(&self) -> impl Iterator<Item = (Time, u64)> + '_ {
        self.entries.iter().map(|(key, ())| key)
    }

    /// Adds an operation; tells whether it was new.
    pub fn insert(&mut self, at: Time, op: u64) -> bool {
        if self.entries.insert((at, op), ()).is_some() {
            return false;
        }
        let (mut first, mut last) = (at, at);
        if let Some((start, end)) = self.stretch_from_or_before(at)
            && at <= end.plus(self.quiet)
        {
            if at <= end {
                return true;
            }
            first = start;
        }
        if let Some((start, end)) = self.stretches.from(at)
            && start <= at.plus(self.quiet)
        {
            self.stretches.remove(start);
            last = end;
        }
        self.stretches.insert(first, last);
        true
    }

    /// Takes an operation out; tells whether it was there.
    pub fn remove(&mut self, at: Time, op: u64) -> bool {
        if self.entries.remove((at, op)).is_none() {
            return false;
        }
        let Some((first, last)) = self.stretch_from_or_before(at) else {
            return true;
        };
        let before = self.entries.below((at, 0)).map(|((before, _), ())| before).filter(|before| *before >= first);
        let after = self.entries.from((at, 0)).map(|((after, _), ())| after).filter(|after| *after <= last);
        match (before, after) {
            (_, Some(after)) if after == at => {}
            (Some(before), Some(after)) if after.since(before) <= self.quiet => {}
            (before, after) => {
                self.stretches.remove(first);
                if let Some(before) = before {
                    self.stretches.insert(first, before);
                }
                if let Some(after) = after {
                    self.stretches.insert(after, last);
                }
            }
        }
        true
    }

    /// Returns how long before `at` the chain began that an operation at `at` continues. Without one
    /// to continue, the operation begins a chain (zero), or, excluded, belongs to none.
    #[must_use]
    pub fn age(&self, at: Time, include_this: bool) -> Option<Nanos> {
        let mut first = self.began(at);
        if let Some((start, last)) = self.folded {
            let from = first.unwrap_or(at);
            if start <= from && from <= last.plus(self.quiet) {
                // What was kept may reach back before the folded stretch when it arrived late.
                first = Some(self.began(start).unwrap_or(start));
            }
        }
        match first {
            Some(first) => Some(at.since(first)),
            None => include_this.then_some(Nanos::ZERO),
        }
    }

    /// Forgets the entries before `limit`, but not the first instant of a chain that something at `limit` or
    /// later continues, be it kept or still to come.
    pub fn fold_before(&mut self, limit: Time) {
        let is_done = self.folded.is_none() && self.stretches.first().is_none_or(|(first, _)| first >= limit);
        if is_done {
            return;
        }
        while let Some((first, last)) = self.stretches.first().filter(|(first, _)| *first < limit) {
            let last =
                if last < limit { last } else { self.entries.below((limit, 0)).map_or(first, |((at, _), ())| at) };
            self.folded = Some(self.joined_with_folded(first, last));
            while let Some(((at, op), ())) = self.entries.first().filter(|((at, _), ())| *at <= last) {
                self.remove(at, op);
            }
        }
        self.folded = self.folded.filter(|(_, last)| last.plus(self.quiet) >= limit);
    }

    /// Returns what is remembered once a stretch is folded too: both if they are one chain, else the later.
    fn joined_with_folded(&self, first: Time, last: Time) -> (Time, Time) {
        match self.folded {
            Some((start, end)) if first <= end.plus(self.quiet) && start <= last.plus(self.quiet) => {
                (first.min(start), last.max(end))
            }
            Some((start, end)) if end > last => (start, end),
            Some(_) | None => (first, last),
        }
    }

    /// Returns the first instant of the stretch that an operation at `at` continues.
    fn began(&self, at: Time) -> Option<Time> {
        let ((before, _), ()) = self.entries.below((at.plus(Nanos::ONE), 0))?;
        if at.since(before) > self.quiet {
            return None;
        }
        self.stretch_from_or_before(before).map(|(first, _)| first)
    }

    /// Returns the stretch with the greatest first instant not after `at`.
    fn stretch_from_or_before(&self, at: Time) -> Option<(Time, Time)> {
        self.stretches.below(at.plus(Nanos::ONE))
    }

    /// Estimates the heap bytes held, those shared with clones in full.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes() + self.stretches.heap_bytes()
    }
}

#[cfg(test)]
mod tests;
