//! The past: what each window sees of it.

use super::{DAY, Entry, Fault, HORIZON, LATENESS, Naive, Now, Op, Time, calendar};
use std::collections::BTreeSet;

/// What one window sees of an operation.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a> {
    pub(super) at: Time,
    tiyn: i64,
    who: &'a str,
}

fn sample(op: &Op) -> Sample<'_> {
    Sample { at: op.at, tiyn: op.amount.unwrap_or(0), who: &op.wallet }
}

pub(super) fn size(samples: &[Sample<'_>]) -> i128 {
    i128::try_from(samples.len()).expect("a small number")
}

pub(super) fn total(samples: &[Sample<'_>]) -> i128 {
    samples.iter().map(|s| i128::from(s.tiyn)).sum()
}

pub(super) fn wallets(samples: &[Sample<'_>]) -> i128 {
    let different: BTreeSet<&str> = samples.iter().map(|s| s.who).collect();
    i128::try_from(different.len()).expect("a small number")
}

impl Naive<'_> {
    /// The wallet's newest operation that was not refused and does not lie far ahead.
    pub(super) fn newest(&self, wallet: &str) -> Option<Time> {
        let own = self.entries.iter().filter(|e| !e.refused && e.op.wallet == wallet);
        own.map(|e| e.op.at).filter(|&at| at <= self.reach).max()
    }

    /// The operation of this wallet and id that arrived before, if it is remembered so long: refused and
    /// cancelled ones are too.
    pub(super) fn remembered(&self, wallet: &str, id: &str, newest: Option<Time>, long: Time) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|seen| seen.op.id == id && seen.op.wallet == wallet)
            .filter(|seen| newest.is_none_or(|newest| seen.op.at >= newest - long))
    }

    /// The operation that is referred to, if it is remembered: for the duplicate horizon and the lateness.
    pub(super) fn referred_to(&self, now: Now<'_>) -> Option<&Entry> {
        self.remembered(&now.op.wallet, now.op.reference.as_ref()?, now.newest, HORIZON + LATENESS)
    }

    /// `ref.age`: missing when the operation that is referred to is not remembered or lies later.
    pub(super) fn reference_age(&self, now: Now<'_>) -> Option<Time> {
        let found = self.referred_to(now)?;
        let known = !found.refused || !self.has(Fault::RefAgeWithoutRefused);
        Some(now.op.at - found.op.at).filter(|age| *age >= 0 && known)
    }

    /// Is the operation in any window? Refused and cancelled ones are not.
    pub(super) fn counts(&self, entry: &Entry) -> bool {
        !entry.cancelled && (!entry.refused || self.has(Fault::RefusedCounted))
    }

    pub(super) fn day(&self, at: Time) -> i64 {
        if self.has(Fault::DayByUtc) { at.div_euclid(DAY) } else { calendar::day(at) }
    }

    /// Operations of this wallet near enough to share a window of this length with the current one,
    /// which is among them when it is `wanted` itself.
    pub(super) fn own<'a>(
        &'a self,
        now: Now<'a>,
        span: Time,
        wanted: impl Fn(&Entry) -> bool,
        this_too: bool,
    ) -> Vec<Sample<'a>> {
        let oldest = now.newest.map_or(Time::MIN, |newest| newest - span - LATENESS);
        let alone = now.late && self.has(Fault::LateJudgedAlone);
        let mut samples: Vec<Sample<'_>> = self
            .entries
            .iter()
            .filter(|e| (e.op.at - now.op.at).abs() <= span && e.op.at >= oldest && !alone)
            .filter(|e| e.op.wallet == now.op.wallet && self.counts(e) && wanted(e))
            .map(|e| sample(&e.op))
            .collect();
        if this_too {
            samples.push(sample(now.op));
        }
        samples
    }

    /// The same for a window that wallets share: `key` says which operations lie in it.
    pub(super) fn shared<'a>(&'a self, now: Now<'a>, span: Time, key: impl Fn(&Op) -> bool) -> Vec<Sample<'a>> {
        let members = || self.entries.iter().filter(|e| key(&e.op));
        let newest = members().filter(|e| !e.refused).map(|e| e.op.at).filter(|&at| at <= self.reach).max();
        let oldest = newest.map_or(Time::MIN, |newest| newest - span - LATENESS);
        let mut samples: Vec<Sample<'_>> = members()
            .filter(|e| (e.op.at - now.op.at).abs() <= span && e.op.at >= oldest)
            .filter(|e| self.counts(e))
            .map(|e| sample(&e.op))
            .collect();
        if key(now.op) {
            samples.push(sample(now.op));
        }
        samples
    }

    /// The largest value over all closed windows of this length that contain the current operation.
    pub(super) fn fullest(
        &self,
        at: Time,
        span: Time,
        mut samples: Vec<Sample<'_>>,
        measure: fn(&[Sample<'_>]) -> i128,
    ) -> i128 {
        let open = Time::from(self.has(Fault::OpenWindow));
        let span = span - open;
        samples.sort_by_key(|s| s.at);
        let starts = samples.iter().map(|s| s.at).chain([at]);
        let mut best = 0;
        let mut previous = None;
        for start in starts.filter(|&start| start <= at && start >= at - span) {
            if previous == Some(start) {
                continue;
            }
            previous = Some(start);
            let first = samples.partition_point(|s| s.at < start);
            let last = samples.partition_point(|s| s.at <= start + span);
            best = best.max(measure(&samples[first..last]));
            if samples.last().is_none_or(|s| s.at <= start + span) {
                break;
            }
        }
        best
    }

    /// Operations of this wallet on the local day of the current one, without it.
    pub(super) fn today<'a>(
        &'a self,
        now: Now<'a>,
        wanted: impl Fn(&Op) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Op> + 'a {
        let day = self.day(now.op.at);
        let gone = now.newest.is_some_and(|newest| calendar::day_end(day) <= newest - LATENESS);
        let alone = now.late && self.has(Fault::LateJudgedAlone);
        self.entries
            .iter()
            .filter(move |e| !gone && !alone && e.op.wallet == now.op.wallet && self.counts(e))
            .map(|e| &e.op)
            .filter(move |op| wanted(op) && self.day(op.at) == day)
    }

    /// Time since the first of the chain of operations that the current one continues.
    pub(super) fn age(&self, now: Now<'_>, wanted: impl Fn(&Op) -> bool) -> Time {
        const QUIET: Time = 30 * DAY;
        let oldest = now.newest.map_or(Time::MIN, |newest| newest - QUIET - LATENESS);
        let mut times: Vec<Time> = self
            .entries
            .iter()
            .filter(|e| e.op.wallet == now.op.wallet && self.counts(e) && wanted(&e.op))
            .map(|e| e.op.at)
            .collect();
        times.sort_unstable();
        let living = times
            .chunk_by(|a, b| b - a <= QUIET)
            .filter(|chain| chain.last().is_some_and(|&last| last >= oldest))
            .flatten();
        let before: Vec<Time> = living.copied().filter(|&t| t <= now.op.at).collect();
        let mut first = now.op.at;
        for &time in before.iter().rev() {
            if first - time > QUIET {
                break;
            }
            first = time;
        }
        now.op.at - first
    }
}
