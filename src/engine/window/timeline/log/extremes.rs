//! Least and greatest value of every suffix of a log: a monotonic deque each.

use std::collections::VecDeque;
use std::mem::size_of;

use super::super::super::Entry;
use super::slots::{Extent, Slots};
use crate::operation::Time;

/// Two stairs: the values as they are, and turned over (`!value` falls as the value rises).
#[derive(Debug, Clone, Default)]
pub(super) struct Extremes {
    least: MonotonicDeque,
    greatest: MonotonicDeque,
}

/// The entries with no lesser or equal value after them: in order of time, their values rise. The first of
/// them in a stretch that ends with the last entry is its least.
#[derive(Debug, Clone, Default)]
struct MonotonicDeque(VecDeque<Step>);

#[derive(Debug, Clone, Copy)]
struct Step {
    at: Time,
    value: i64,
}

impl Extremes {
    /// Adds an entry that is not before any other.
    pub(super) fn push(&mut self, entry: Entry) {
        self.least.push(Step { at: entry.at, value: entry.value });
        self.greatest.push(Step { at: entry.at, value: !entry.value });
    }

    /// Adds an entry wherever it belongs.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.least.insert(Step { at: entry.at, value: entry.value });
        self.greatest.insert(Step { at: entry.at, value: !entry.value });
    }

    /// Forgets an entry that the log holds no longer; returns how many others were looked at for it.
    pub(super) fn remove(&mut self, slots: &Slots, entry: Entry) -> usize {
        self.least.remove(slots, Step { at: entry.at, value: entry.value }, |value| value)
            + self.greatest.remove(slots, Step { at: entry.at, value: !entry.value }, |value| !value)
    }

    pub(super) fn evict_before(&mut self, at: Time) {
        self.least.evict_before(at);
        self.greatest.evict_before(at);
    }

    /// Returns the least and the greatest value in `[from, to]`, unless an entry after that hides one.
    pub(super) fn between(&self, from: Time, to: Time) -> Option<Extent> {
        let least = self.least.first_from(from).filter(|step| step.at <= to)?;
        let greatest = self.greatest.first_from(from).filter(|step| step.at <= to)?;
        Some((least.value, !greatest.value))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.least.0.capacity() + self.greatest.0.capacity()) * size_of::<Step>()
    }
}

impl MonotonicDeque {
    fn push(&mut self, step: Step) {
        while self.0.back().is_some_and(|last| last.value >= step.value) {
            self.0.pop_back();
        }
        // After another of the same instant a greater value is never the least of a stretch.
        if self.0.back().is_none_or(|last| last.at < step.at) {
            self.0.push_back(step);
        }
    }

    fn insert(&mut self, step: Step) {
        let is_hidden = self.first_from(step.at).is_some_and(|later| later.value <= step.value);
        if is_hidden {
            return;
        }
        let until = self.0.partition_point(|other| other.at <= step.at);
        let from = self.0.partition_point(|other| other.value < step.value).min(until);
        self.replace(from, until, [step].into_iter());
    }

    /// Replaces the steps of these positions; costs the distance to the back.
    fn replace(&mut self, from: usize, until: usize, steps: impl Iterator<Item = Step>) {
        let above = self.0.split_off(until);
        self.0.truncate(from);
        self.0.extend(steps);
        self.0.extend(above);
    }

    /// Takes a step out, and finds those it hid among the entries between its neighbours.
    fn remove(&mut self, slots: &Slots, step: Step, turned: impl Fn(i64) -> i64) -> usize {
        let position = self.0.partition_point(|other| other.at < step.at);
        if self.0.get(position).is_none_or(|held| (held.at, held.value) != (step.at, step.value)) {
            return 0;
        }
        let start = position.saturating_sub(1);
        let first = if position == 0 { slots.begin() } else { slots.from(self.0[start].at) };
        let until = slots.after(step.at);
        let mut least = self.0.get(position + 1).map(|above| above.value);
        let mut found: Vec<Step> = Vec::new();
        for index in (first..until).rev() {
            let (at, value) = (slots.at(index), turned(slots.value(index)));
            if least.is_none_or(|least| value < least) {
                least = Some(value);
                // Of one instant only the least is a step.
                if found.last().is_some_and(|later| later.at == at) {
                    found.pop();
                }
                found.push(Step { at, value });
            }
        }
        self.replace(start, position + 1, found.into_iter().rev());
        until - first
    }

    fn evict_before(&mut self, at: Time) {
        while self.0.front().is_some_and(|first| first.at < at) {
            self.0.pop_front();
        }
    }

    /// Returns the first step not before `at`: mostly the first of all, or near it.
    fn first_from(&self, at: Time) -> Option<Step> {
        match self.0.front() {
            Some(first) if first.at < at => self.0.get(self.0.partition_point(|step| step.at < at)),
            first => first,
        }
        .copied()
    }
}
