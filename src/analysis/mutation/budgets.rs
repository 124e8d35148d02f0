//! Variations of a test with as many operations as a rule's budget speaks of, within an hour.

use crate::operation::time::{MILLISECOND, Nanos};
use crate::rules::program::{Budget, Share};
use crate::rules::test_file::{Step, TIMES_MAX, TestCase};

/// The keys of a budget: what a change of one begins with.
const KEYS: [&str; 3] = ["holds_per_hour", "share", "at_least"];
/// Between two operations: as many as are tried fit into an hour.
const EVERY: Nanos = Nanos::new(10 * MILLISECOND.get());
/// So many operations at most are tried.
const OPERATIONS_MAX: u32 = 30_000;
/// A share is moved by so many hundredths of a percent at most.
const STEPS_MAX: u32 = 1_000;

/// Operations within an hour, and how many of them, the last ones, the rule would stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hour {
    operations: u32,
    stopped: u32,
}

/// Tells whether a phrase of a rule's text is a part of its budget.
pub(super) fn is_of_budget(phrase: &str) -> bool {
    KEYS.iter().any(|key| phrase.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
}

/// Lists the test with the steps on which the rule fires, and those on which it does not, repeated so often that one more
/// or less in the budget makes a difference; the shortest first.
pub(super) fn variations(test: &TestCase, rule: &str, budget: Budget) -> Vec<TestCase> {
    let fires = |step: &Step| step.expect.matches.as_ref().map(|matches| matches.iter().any(|id| id == rule));
    let of = |wanted: bool| -> Vec<usize> {
        let told: Vec<usize> = (0..test.steps.len()).filter(|at| fires(&test.steps[*at]) == Some(wanted)).collect();
        if told.is_empty() { (0..test.steps.len()).collect() } else { told }
    };
    let (firing, calm) = (of(true), of(false));
    let mut out = Vec::new();
    for hour in hours(budget) {
        for at in &firing {
            if hour.operations == hour.stopped {
                out.push(repeated(test, (*at, *at), hour));
                continue;
            }
            let others = calm.iter().filter(|other| *other != at);
            out.extend(others.map(|other| repeated(test, (*at, *other), hour)));
        }
    }
    out
}

/// Lists the hours at which the next number in the place of one of the budget makes a difference.
fn hours(budget: Budget) -> Vec<Hour> {
    let shares = [Side::Less, Side::More].map(|side| next_share(budget, side).map(|(_, hour)| hour));
    let mut hours: Vec<Hour> = shares.into_iter().flatten().chain(at_enough(budget)).collect();
    for stopped in budget.holds_per_hour.into_iter().flat_map(|most| [most, most.saturating_add(1)]) {
        // So many that it is no greater a part of them than is accepted.
        let operations = budget.share.map_or(u64::from(stopped), |share| {
            (u64::from(stopped) * 10_000).div_ceil(u64::from(share.basis_points.max(1)))
        });
        hours.extend(u32::try_from(operations).ok().map(|operations| Hour { operations, stopped }));
    }
    hours.retain(|hour| hour.operations <= OPERATIONS_MAX && (1..=hour.operations).contains(&hour.stopped));
    hours.sort_unstable();
    hours.dedup();
    hours
}

/// A number below or above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Less,
    More,
}

/// Finds the next share below or above that of a budget, in hundredths of a percent, that makes a difference within what
/// else the budget accepts, with the shortest hour that shows it. `None` where there is no such share.
pub(super) fn next_share(budget: Budget, side: Side) -> Option<(u32, Hour)> {
    let Share { basis_points: points, at_least } = budget.share?;
    let most = budget.holds_per_hour.unwrap_or(u32::MAX).min(OPERATIONS_MAX);
    (1..=STEPS_MAX).find_map(|step| {
        let other = match side {
            Side::Less => points.checked_sub(step).filter(|other| *other > 0)?,
            Side::More => Some(points + step).filter(|other| *other <= 10_000)?,
        };
        let (less, more) = (u64::from(points.min(other)), u64::from(points.max(other)));
        let tells = |stopped: u32| {
            let hundredths = u64::from(stopped) * 10_000;
            let operations = hundredths.div_ceil(more).max(u64::from(at_least)).max(u64::from(stopped));
            let is_told = hundredths > operations * less;
            u32::try_from(operations).ok().filter(|_| is_told).map(|operations| Hour { operations, stopped })
        };
        (1..=most).find_map(tells).filter(|hour| hour.operations <= OPERATIONS_MAX).map(|hour| (other, hour))
    })
}

/// Of a share: too great a part of just enough operations, and of one less.
pub(super) fn at_enough(budget: Budget) -> Vec<Hour> {
    let Some(Share { basis_points, at_least }) = budget.share else { return Vec::new() };
    let of = |operations: u32| {
        let accepted = u64::from(operations) * u64::from(basis_points) / 10_000;
        u32::try_from(accepted + 1).ok().map(|stopped| Hour { operations, stopped })
    };
    let is_accepted =
        |hour: &Hour| hour.stopped <= hour.operations && budget.holds_per_hour.is_none_or(|most| hour.stopped <= most);
    [at_least.saturating_sub(1), at_least].into_iter().filter_map(of).filter(is_accepted).collect()
}

/// The test up to a step that is repeated, with another one repeated before it.
fn repeated(test: &TestCase, (at, other): (usize, usize), hour: Hour) -> TestCase {
    let mut longer = test.clone();
    longer.steps.truncate(at);
    // Those before it count too.
    let before: u32 = longer.steps.iter().map(|step| step.times).sum();
    let others = (hour.operations - hour.stopped).saturating_sub(before);
    let mut begin = test.steps[at].at;
    for (step, mut left) in [(other, others), (at, hour.stopped)] {
        while left > 0 {
            let times = left.min(TIMES_MAX);
            longer.steps.push(Step { at: begin, times, every: EVERY, ..test.steps[step].clone() });
            begin += i64::from(times) * EVERY;
            left -= times;
        }
    }
    longer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeds(budget: Budget, hour: Hour) -> bool {
        budget.is_exceeded_by(hour.stopped.into(), hour.operations.into())
    }

    /// Each number of a budget is told from the next ones by one of the hours.
    #[test]
    fn each_number_of_a_budget_has_hours_that_tell_it_from_its_neighbours() {
        let budget = |holds, basis_points, at_least| Budget {
            holds_per_hour: Some(holds),
            share: Some(Share { basis_points, at_least }),
        };
        for (holds, points, at_least) in [(20, 5_000, 10), (500, 200, 1_000), (40, 25, 50), (300, 3_333, 100)] {
            let whole = budget(holds, points, at_least);
            let next = |side| next_share(whole, side).expect("a share that makes a difference").0;
            let others = [
                budget(holds - 1, points, at_least),
                budget(holds + 1, points, at_least),
                budget(holds, next(Side::Less), at_least),
                budget(holds, next(Side::More), at_least),
                budget(holds, points, at_least - 1),
                budget(holds, points, at_least + 1),
            ];
            for other in others {
                let tells = |hour: &Hour| exceeds(whole, *hour) != exceeds(other, *hour);
                assert!(hours(whole).iter().any(tells), "{whole:?} {other:?} {:?}", hours(whole));
            }
        }
        let alone = Budget { holds_per_hour: Some(7), share: None };
        let seven = Hour { operations: 7, stopped: 7 };
        assert_eq!(hours(alone), [seven, Hour { operations: 8, stopped: 8 }]);
    }

    /// Of twenty stopped operations no hour tells a half from 50.01 %: the next share is a greater one.
    #[test]
    fn a_share_that_makes_no_difference_is_passed_over() {
        let of = |holds_per_hour| Budget { holds_per_hour, share: Some(Share { basis_points: 5_000, at_least: 10 }) };
        assert_eq!(next_share(of(None), Side::More), Some((5_001, Hour { operations: 5_001, stopped: 2_501 })));
        let (points, hour) = next_share(of(Some(20)), Side::More).expect("a share");
        assert!(points > 5_100 && hour.stopped <= 20, "{points} {hour:?}");
        // More than so many are never stopped, so that nobody looks at how great a part they are.
        let few = Budget { holds_per_hour: Some(3), share: Some(Share { basis_points: 5_000, at_least: 1_000 }) };
        assert_eq!((next_share(few, Side::More), at_enough(few)), (None, Vec::new()));
    }

    #[test]
    fn keys_of_a_budget_are_known() {
        assert!(is_of_budget("holds_per_hour: 5") && is_of_budget("share: 2%") && is_of_budget("at_least: 5"));
        assert!(!is_of_budget("amount > 5 KZT") && !is_of_budget("shared: x"));
    }
}
