use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::tree::Summary;
use super::super::{Entry, Measure, RangeFold};
use super::CalendarCell;
use crate::operation::Time;

fn check(cell: &CalendarCell, entries: &[Entry], this: Option<i64>) {
    let values: Vec<i64> = entries.iter().map(|entry| entry.value).chain(this).collect();
    let fold = values.iter().fold(RangeFold::EMPTY, |fold, value| fold.with(*value));
    assert_eq!(cell.count(this), values.len() as i128);
    assert_eq!(cell.sum(this), fold.sum);
    assert_eq!(cell.is_empty(), entries.is_empty());
    match cell.measure() {
        Measure::Distinct => {
            assert_eq!(cell.distinct(this), values.iter().collect::<BTreeSet<_>>().len() as i128);
            assert_eq!(cell.total(this), cell.distinct(this));
        }
        Measure::Range => assert_eq!(cell.range(this), fold),
        Measure::Last => {
            assert_eq!(cell.last(), entries.iter().max_by_key(|entry| entry.key()).copied());
            assert_eq!(cell.entries().count(), entries.len());
        }
        Measure::Count | Measure::Sum => assert_eq!(cell.heap_bytes(), 0),
    }
}

proptest! {
    #[test]
    fn a_cell_answers_like_a_recomputation(
        steps in prop::collection::vec((any::<bool>(), 0..20_i64, -15..15_i64, 0..40_usize), 1..100),
        this in prop::option::of(-15..15_i64),
    ) {
        for measure in [Measure::Count, Measure::Sum, Measure::Distinct, Measure::Range, Measure::Last] {
            let mut cell = CalendarCell::new(measure);
            let mut entries: Vec<Entry> = Vec::new();
            let mut halfway = None;
            for (op, (add, at, value, which)) in steps.iter().copied().enumerate() {
                if add || which >= entries.len() {
                    let entry = Entry { at: Time::from_nanos(at), op: op as u64, value };
                    cell.insert(entry);
                    entries.push(entry);
                } else {
                    cell.remove(entries.swap_remove(which));
                }
                check(&cell, &entries, this);
                if op == steps.len() / 2 {
                    halfway = Some((cell.clone(), entries.clone()));
                }
            }
            if let Some((cell, entries)) = halfway {
                check(&cell, &entries, this);
            }
        }
    }
}
