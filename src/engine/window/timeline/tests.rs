//! Every answer against a recomputation from scratch, over short and long timelines.

use proptest::prelude::*;

use super::super::tree::Summary;
use super::super::{Entry, Measure, RangeFold, Shape, scan};
use super::Timeline;
use crate::operation::Time;
use crate::operation::time::Nanos;

const MEASURES: [Measure; 5] = [Measure::Count, Measure::Sum, Measure::Distinct, Measure::Range, Measure::Last];

#[derive(Debug, Clone)]
enum Step {
    Insert(Entry),
    Again(usize),
    Remove(usize),
    Evict(i64),
    Clone,
}

/// Windows are 10 long; times crowd around multiples of that.
const LENGTH: i64 = 10;

/// What is compared is computed with plain numbers.
const fn at_time(at: i64) -> Time {
    Time::from_nanos(at)
}

const fn entry(at: i64, op: u64, value: i64) -> Entry {
    Entry { at: at_time(at), op, value }
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![(0..8_i64, -1..=1_i64).prop_map(|(k, near)| k * LENGTH + near), -5..90_i64]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (time(), 0..4_u64, -4..5_i64).prop_map(|(at, op, value)| Step::Insert(entry(at, op, value))),
        1 => (0..64_usize).prop_map(Step::Again),
        3 => (0..64_usize).prop_map(Step::Remove),
        1 => time().prop_map(Step::Evict),
        1 => Just(Step::Clone),
    ]
}

fn nearly() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(0), 4 => 0..4_i64, 1 => 0..50_i64]
}

fn total(measure: Measure, inside: &[i64]) -> i128 {
    match measure {
        Measure::Sum => inside.iter().map(|value| i128::from(*value)).sum(),
        Measure::Distinct => inside.iter().collect::<std::collections::BTreeSet<_>>().len() as i128,
        Measure::Count | Measure::Range | Measure::Last => inside.len() as i128,
    }
}

fn naive_fullest(measure: Measure, entries: &[Entry], at: i64, this: Option<i64>) -> i128 {
    let window = |end: i64| {
        let inside = entries.iter().filter(|entry| (end - LENGTH..=end).contains(&entry.at.nanos()));
        total(measure, &inside.map(|entry| entry.value).chain(this).collect::<Vec<_>>())
    };
    (at..=at + LENGTH).map(window).max().unwrap()
}

fn check(timeline: &Timeline, entries: &[Entry], at: i64, this: Option<i64>) {
    let measure = timeline.shape().measure;
    assert!(timeline.iter().eq(entries.iter().copied()));
    assert_eq!(timeline.len(), entries.len());
    assert_eq!(timeline.is_empty(), entries.is_empty());
    assert_eq!(timeline.newest(), entries.last().map(|entry| entry.at));
    let (length, time) = (Nanos::new(LENGTH), at_time(at));
    assert_eq!(timeline.fullest(time, this), naive_fullest(measure, entries, at, this), "{measure:?} at {at}");
    let inside = entries.iter().filter(|entry| (at - LENGTH..=at).contains(&entry.at.nanos()));
    let fold = inside.map(|entry| entry.value).chain(this).fold(RangeFold::EMPTY, |fold, value| RangeFold {
        count: fold.count + 1,
        sum: fold.sum + i128::from(value),
        min: Some(fold.min.map_or(value, |min| min.min(value))),
        max: Some(fold.max.map_or(value, |max| max.max(value))),
    });
    assert_eq!(timeline.range(time, this), fold);
    let last = entries.last().filter(|entry| (entry.at.nanos() - at).abs() <= LENGTH);
    assert_eq!(timeline.last(time).as_ref(), last);

    let log = entries.iter().map(|entry| (entry.at, entry.value));
    let count = naive_fullest(Measure::Count, entries, at, this);
    assert_eq!(scan::fullest_count(log.clone(), length, time, this.is_some()), count);
    assert_eq!(scan::fullest_sum(log.clone(), length, time, this), naive_fullest(Measure::Sum, entries, at, this));
    let distinct = naive_fullest(Measure::Distinct, entries, at, this);
    assert_eq!(scan::fullest_distinct(log.clone(), length, time, this), distinct);
    assert_eq!(scan::range(log.clone(), length, time, this), fold);
    assert_eq!(scan::last(log, length, time), last.map(|entry| (entry.at, entry.value)));
}

/// Drops what is before `at`, here and there.
fn evict(timeline: &mut Timeline, entries: &mut Vec<Entry>, at: i64) {
    timeline.evict_before(at_time(at));
    entries.retain(|entry| entry.at.nanos() >= at);
}

fn run(measure: Measure, steps: &[Step], queries: &[(i64, Option<i64>)]) {
    let mut timeline = Timeline::new(Shape { measure, length: Nanos::new(LENGTH) });
    let mut entries: Vec<Entry> = Vec::new();
    let mut clones = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Insert(entry) => {
                let held = entries.iter().any(|held| held.key() == entry.key());
                assert_eq!(timeline.insert(*entry), !held);
                if !held {
                    entries.push(*entry);
                    entries.sort();
                }
            }
            Step::Again(which) => {
                if let Some(entry) = entries.get(*which) {
                    assert!(!timeline.insert(Entry { value: 99, ..*entry }));
                }
            }
            Step::Remove(which) => {
                let gone = entries.get(*which).copied();
                if let Some(entry) = gone {
                    entries.remove(*which);
                    assert!(timeline.remove(entry.at, entry.op));
                    assert!(!timeline.remove(entry.at, entry.op));
                }
            }
            Step::Evict(at) => {
                evict(&mut timeline, &mut entries, *at);
            }
            Step::Clone => clones.push((timeline.clone(), entries.clone())),
        }
        let (at, this) = queries[index % queries.len()];
        check(&timeline, &entries, at, this);
    }
    clones.push((timeline, entries));
    for (timeline, entries) in clones {
        for (at, this) in queries {
            check(&timeline, &entries, *at, *this);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_timeline_answers_like_a_recomputation(
        steps in prop::collection::vec(step(), 1..120),
        queries in prop::collection::vec((time(), prop::option::of(-4..5_i64)), 1..12),
    ) {
        for measure in MEASURES {
            run(measure, &steps, &queries);
        }
    }

    /// Many entries, few of them far out of order: logs that are cut, some that become trees.
    #[test]
    fn a_timeline_nearly_in_order_answers_like_a_recomputation(
        steps in prop::collection::vec((0..4_i64, 0..5_i64, nearly(), 0..40_usize), 1..120),
        kept in LENGTH..4 * LENGTH,
    ) {
        for measure in MEASURES {
            let mut timeline = Timeline::new(Shape { measure, length: Nanos::new(LENGTH) });
            let mut entries: Vec<Entry> = Vec::new();
            let mut before = None;
            let mut now = 0;
            for (op, (gap, value, late, which)) in steps.iter().copied().enumerate() {
                now += gap;
                let entry = entry(now - late, op as u64 % 50, value);
                let is_new = entries.iter().all(|held| held.key() != entry.key());
                check(&timeline, &entries, now - late, Some(value));
                assert_eq!(timeline.insert(entry), is_new);
                if is_new {
                    entries.push(entry);
                    entries.sort();
                }
                if which < 2 && which < entries.len() {
                    let gone = entries.remove(entries.len() - 1 - which);
                    assert!(timeline.remove(gone.at, gone.op));
                }
                evict(&mut timeline, &mut entries, now - kept);
                check(&timeline, &entries, now - late, None);
                if op == steps.len() / 2 {
                    before = Some((timeline.clone(), entries.clone()));
                }
            }
            let (timeline, entries) = before.unwrap();
            for at in (0..now + LENGTH).step_by(3) {
                check(&timeline, &entries, at, Some(2));
            }
        }
    }

    #[test]
    fn a_timeline_in_order_answers_like_a_recomputation(
        gaps in prop::collection::vec((0..4_i64, -1..4_i64, 0..20_i64), 1..150),
        least in -1..=0_i64,
    ) {
        for measure in MEASURES {
            let mut timeline = Timeline::new(Shape { measure, length: Nanos::new(LENGTH) });
            let mut entries = Vec::new();
            let mut now = 0;
            for (op, (gap, value, back)) in gaps.iter().copied().enumerate() {
                now += gap;
                let value = value.max(least);
                let at = if back < 4 { now - back } else { now };
                check(&timeline, &entries, at, Some(value));
                let entry = entry(at, op as u64, value);
                timeline.insert(entry);
                entries.push(entry);
                entries.sort();
                evict(&mut timeline, &mut entries, now - LENGTH - 3);
                check(&timeline, &entries, at, None);
            }
        }
    }
}

#[test]
fn a_window_is_closed_to_the_nanosecond() {
    let mut timeline = Timeline::new(Shape { measure: Measure::Count, length: Nanos::new(LENGTH) });
    for op in 0..20 {
        timeline.insert(entry(0, op, 0));
    }
    assert_eq!(timeline.fullest(at_time(LENGTH), Some(0)), 21);
    assert_eq!(timeline.fullest(at_time(LENGTH + 1), Some(0)), 1);
    assert_eq!(timeline.fullest(at_time(-LENGTH), Some(0)), 21);
    assert_eq!(timeline.fullest(at_time(-LENGTH - 1), Some(0)), 1);
}

#[test]
fn sums_do_not_overflow() {
    let mut timeline = Timeline::new(Shape { measure: Measure::Sum, length: Nanos::new(LENGTH) });
    for op in 0..100 {
        timeline.insert(entry(0, op, i64::MAX));
    }
    assert_eq!(timeline.fullest(at_time(0), Some(i64::MAX)), 101 * i128::from(i64::MAX));
}

#[test]
fn an_evicted_entry_can_come_back_before_its_eviction_is_settled() {
    for measure in MEASURES {
        let mut timeline = Timeline::new(Shape { measure, length: Nanos::new(LENGTH) });
        let mut entries: Vec<Entry> = (0..20).map(|op| entry(50 + op, op.unsigned_abs(), op)).collect();
        entries.iter().for_each(|entry| assert!(timeline.insert(*entry)));
        timeline.evict_before(at_time(51));
        assert!(timeline.insert(entries[0]));
        timeline.evict_before(at_time(45));
        for at in 40..80 {
            check(&timeline, &entries, at, Some(3));
        }
        evict(&mut timeline, &mut entries, 55);
        check(&timeline, &entries, 60, Some(3));
    }
}

#[test]
fn entries_before_evicted_ones_are_found() {
    for measure in MEASURES {
        let mut timeline = Timeline::new(Shape { measure, length: Nanos::new(LENGTH) });
        let mut entries: Vec<Entry> =
            [10, 10, 39, 40, 40, 41, 50].into_iter().zip(0..).map(|(at, op)| entry(at, op, at)).collect();
        entries.iter().for_each(|entry| assert!(timeline.insert(*entry)));
        evict(&mut timeline, &mut entries, 40);
        for op in 10..14 {
            let entry = entry(0, op, 7);
            assert!(timeline.insert(entry));
            entries.insert(usize::try_from(op - 10).unwrap(), entry);
            (-1..60).for_each(|at| check(&timeline, &entries, at, Some(7)));
        }
    }
}

fn form(timeline: &Timeline) -> &'static str {
    match &timeline.entries {
        super::Entries::Short(_) => "short",
        super::Entries::Log(_) => "log",
        super::Entries::Long(_) => "long",
    }
}

#[test]
fn a_timeline_is_a_log_until_late_entries_have_moved_too_many() {
    let entry = |at: i64| entry(at, at.unsigned_abs(), 1);
    for measure in MEASURES {
        let mut timeline = Timeline::new(Shape { measure, length: Nanos::new(LENGTH) });
        (0..6).for_each(|at| assert!(timeline.insert(entry(2 * at))));
        assert_eq!(form(&timeline), "short");
        (6..50).for_each(|at| assert!(timeline.insert(entry(2 * at))));
        assert_eq!(form(&timeline), "log", "{measure:?}");
        assert!(timeline.insert(entry(1)));
        assert_eq!(form(&timeline), "log", "one straggler, {measure:?}");
        (1..4).for_each(|at| assert!(timeline.insert(entry(2 * at + 1))));
        assert_eq!(form(&timeline), "long");
        timeline.evict_before(at_time(96));
        assert_eq!(form(&timeline), "short");
    }
}

#[test]
fn a_negative_summand_makes_a_log_trees() {
    let mut timeline = Timeline::new(Shape { measure: Measure::Sum, length: Nanos::new(LENGTH) });
    (0..30).for_each(|at| assert!(timeline.insert(entry(at, 0, 5))));
    assert_eq!(form(&timeline), "log");
    assert!(timeline.insert(entry(19, 1, -100)));
    assert_eq!(form(&timeline), "long");
    // The window that ends at 30 no longer holds it.
    assert_eq!(timeline.fullest(at_time(29), None), 50);
}

/// A stream that is in order, nearly so, or shuffled, by turns, with removals anywhere and evictions in jumps.
struct Stream {
    random: u64,
    now: i64,
    op: u64,
    /// Of each: how many there are of values, how late an entry may be, how many come at one instant.
    values: i64,
    late: i64,
    crowd: i64,
}

impl Stream {
    fn below(&mut self, bound: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        i64::try_from(self.random >> 33).unwrap() % bound.max(1)
    }

    fn turn(&mut self) {
        self.values = [1, 2, 5, 40, 1_000][usize::try_from(self.below(5)).unwrap()];
        self.late = [0, 0, 1, 2, 8, 40][usize::try_from(self.below(6)).unwrap()];
        self.crowd = 1 + self.below(4);
    }

    fn next(&mut self) -> Entry {
        self.now += i64::from(self.below(self.crowd) == 0);
        self.op += 1;
        let at = self.now - if self.below(3) == 0 { self.below(self.late + 1) } else { 0 };
        entry(at, self.op, self.below(self.values))
    }
}

/// Runs one stream; notes which forms the timeline took.
fn run_stream(measure: Measure, seed: u64, forms: &mut std::collections::BTreeSet<(String, &'static str)>) {
    let mut stream = Stream { random: seed, now: 0, op: 0, values: 5, late: 0, crowd: 1 };
    let mut timeline = Timeline::new(Shape { measure, length: Nanos::new(LENGTH) });
    let (mut entries, mut removed): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
    let kept = LENGTH + stream.below(30);
    let mut copies = Vec::new();
    for step in 0..250 {
        if step % 50 == 0 {
            stream.turn();
        }
        let entry = match removed.pop() {
            Some(again) if stream.below(4) == 0 => again,
            _ => stream.next(),
        };
        assert!(timeline.insert(entry));
        entries.insert(entries.partition_point(|held| held < &entry), entry);
        if stream.below(8) == 0 {
            let which = stream.below(i64::try_from(entries.len()).unwrap());
            let gone = entries.remove(usize::try_from(which).unwrap());
            assert!(timeline.remove(gone.at, gone.op));
            assert!(!timeline.remove(gone.at, gone.op));
            removed.push(gone);
        }
        if stream.below(12) == 0 {
            let limit = stream.now - kept;
            evict(&mut timeline, &mut entries, limit);
        }
        forms.insert((format!("{measure:?}"), form(&timeline)));
        let (back, value) = (stream.below(4) * stream.below(LENGTH), stream.below(stream.values + 1));
        check(&timeline, &entries, stream.now - back, Some(value).filter(|value| *value > 0));
        check(&timeline, &entries, stream.now + 1, Some(value));
        if step % 60 == 59 {
            copies.push((timeline.clone(), entries.clone(), stream.now));
        }
    }
    for (timeline, entries, now) in copies {
        (now - 30..now + 3).for_each(|at| check(&timeline, &entries, at, Some(1)));
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a failure has to tell its seed")]
fn a_timeline_of_any_stream_answers_like_a_recomputation() {
    let mut forms = std::collections::BTreeSet::new();
    for measure in MEASURES {
        for seed in 1..=60 {
            println!("{measure:?}, seed {seed}");
            run_stream(measure, 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed), &mut forms);
        }
    }
    assert_eq!(forms.len(), 3 * MEASURES.len(), "every form of every measure: {forms:?}");
}

#[test]
fn removing_old_entries_keeps_a_log_of_distinct_values() {
    let mut timeline = Timeline::new(Shape { measure: Measure::Distinct, length: Nanos::new(100) });
    (0..100).for_each(|at| assert!(timeline.insert(entry(at, 0, at % 10))));
    // Every value but 3 goes, first its latest occurrence, and the last entry too.
    for at in (0..100).rev().filter(|at| at % 10 != 3) {
        assert!(timeline.remove(at_time(at), 0));
        assert_eq!(form(&timeline), "log");
    }
    assert_eq!(timeline.fullest(at_time(99), None), 1);
    assert_eq!(timeline.last(at_time(99)), Some(entry(93, 0, 3)));
    assert!(timeline.iter().eq((0..10).map(|k| entry(10 * k + 3, 0, 3))));
    assert!(timeline.insert(entry(50, 0, 7)));
    assert_eq!(timeline.fullest(at_time(99), Some(8)), 3);
    assert_eq!(timeline.fullest(at_time(151), Some(3)), 1);
}
