//! What each rule has stopped within the hour, and which rules have exceeded their budget.
//!
//! An hour is the minute in progress and the 59 before it, by the time of the stream: the operations themselves say
//! what minute it is, in the order of their arrival. So the same operations exceed the same budgets at the same place,
//! however they are cut into batches and however often the process is started anew.

use crate::engine::plan::Plan;
use crate::engine::state::reach::{FAR, Reach};
use crate::operation::time::MINUTE;
use crate::operation::{OperationType, Time};
use crate::rules::program::TypeSet;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::{BTreeSet, VecDeque};

/// How many minutes count together.
const HOUR_MINUTES: i64 = 60;

/// How many operations fell into each minute of the last hour, oldest first; minutes without any are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredMinutes", into = "StoredMinutes")]
pub struct Minutes(VecDeque<(i64, u32)>);

/// [`Minutes`] in few bytes: the newest minute, and how far before it each of them is.
#[derive(Serialize, Deserialize)]
struct StoredMinutes(i64, Vec<(u8, u32)>);

impl From<Minutes> for StoredMinutes {
    fn from(minutes: Minutes) -> Self {
        let newest = minutes.0.back().map_or(0, |(minute, _)| *minute);
        let back = |minute: i64| u8::try_from(newest - minute).unwrap_or(u8::MAX);
        Self(newest, minutes.0.into_iter().map(|(minute, count)| (back(minute), count)).collect())
    }
}

impl From<StoredMinutes> for Minutes {
    fn from(StoredMinutes(newest, counts): StoredMinutes) -> Self {
        Self(counts.into_iter().map(|(back, count)| (newest.saturating_sub(i64::from(back)), count)).collect())
    }
}

impl Minutes {
    /// Counts one operation in a minute that is not before any other.
    fn add(&mut self, minute: i64) {
        while self.0.front().is_some_and(|(first, _)| *first <= minute - HOUR_MINUTES) {
            self.0.pop_front();
        }
        match self.0.back_mut() {
            Some((last, count)) if *last == minute => *count = count.saturating_add(1),
            _ => self.0.push_back((minute, 1)),
        }
    }

    /// Returns how many fell into the hour that ends with a minute.
    fn within(&self, minute: i64) -> u64 {
        let counts = self.0.iter().filter(|(at, _)| *at > minute - HOUR_MINUTES);
        counts.map(|(_, count)| u64::from(*count)).sum()
    }

    fn forget_after(&mut self, minute: i64) {
        self.0.retain(|(at, _)| *at <= minute);
    }
}

/// A rule exceeded its budget: since then it only watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// When the operation occurred that would have been one too many.
    pub at: Time,
    /// The sequence number of its decision.
    pub seq: u64,
    /// How many operations the rule would have stopped within the hour, this one included.
    pub stopped: u64,
    /// How many operations of the rule's types were decided within the hour, this one included.
    pub decided: u64,
}

/// What is counted for one rule. Stored field by field: a later one comes with a new version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub stopped: Minutes,
    pub breach: Option<Breach>,
}

/// The operations of a stream by minute, whatever rules said of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The minute that the stream has come to, since the epoch; `None` before the first operation.
    pub(crate) minute: Option<i64>,
    /// By the code of their type.
    pub(crate) decided: Vec<Minutes>,
}

/// What one operation changes of budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetChanges {
    minute: i64,
    /// Rules that stopped the operation, by position.
    pub stopped: SmallVec<[usize; 2]>,
    /// Rules that would have, and exceeded their budget by it.
    pub breached: SmallVec<[(usize, Breach); 1]>,
    /// The rule that is armed again.
    pub rearmed: Option<usize>,
}

impl BudgetChanges {
    /// Begins, at a minute of the stream.
    #[must_use]
    pub fn at(minute: i64) -> Self {
        Self { minute, stopped: SmallVec::new(), breached: SmallVec::new(), rearmed: None }
    }

    /// Returns the minute of the stream.
    #[must_use]
    pub const fn minute(&self) -> i64 {
        self.minute
    }
}

/// What one rule has spent of its budget, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetUse {
    /// Operations that the rule stopped within the hour.
    pub stopped: u64,
    /// Operations of the rule's types that were decided within the hour.
    pub decided: u64,
    pub breach: Option<Breach>,
}

/// What is known of a rule's budget at one operation, where what was spent of it before is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The rule has not exceeded it, nor does it by stopping this operation.
    Within,
    /// The rule has exceeded it before.
    Exceeded,
    /// The rule exceeds it by this operation.
    ExceededNow,
}

/// The budgets of a rule set: empty where no rule has one.
#[derive(Debug, Default)]
pub struct Budgets {
    passed: Passed,
    /// By position of the rule.
    spent: Vec<Spent>,
    /// What is not stored as it is here: rules by position.
    changed: Changed,
}

#[derive(Debug, Default)]
struct Changed {
    passed: bool,
    rules: BTreeSet<usize>,
    all: bool,
    /// The ids of rules that have no budget any more.
    gone: Vec<String>,
}

/// What is to be stored of budgets.
#[derive(Debug, Default)]
pub struct Unstored<'b> {
    /// The operations of the stream by minute.
    pub passed: Option<&'b Passed>,
    /// Rules by position, with what they have spent.
    pub rules: Vec<(usize, &'b Spent)>,
    /// All rules with a budget are to be told anew: the set may be another one.
    pub is_new_set: bool,
    /// The ids of rules of which nothing is to be kept.
    pub gone: Vec<String>,
}

impl Budgets {
    /// Begins with nothing spent.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let rules = if plan.has_budgets() { plan.rules.rules.len() } else { 0 };
        Self { passed: Passed::default(), spent: vec![Spent::default(); rules], changed: Changed::default() }
    }

    /// Goes on with other rules: a rule that had a budget and has one keeps what it spent, and stays in shadow where it
    /// had exceeded it.
    pub fn switch(&mut self, before: &Plan, after: &Plan) {
        let had = before.has_budgets();
        let old = std::mem::replace(self, Self::new(after));
        self.changed = Changed { all: had || after.has_budgets(), gone: old.changed.gone, ..Changed::default() };
        if after.has_budgets() {
            self.passed = old.passed;
        }
        for (rule, spent) in before.rules.rules.iter().zip(old.spent) {
            match after.position_of(&rule.id).filter(|index| after.budget(*index).is_some()) {
                Some(index) => self.spent[index] = spent,
                None if rule.budget.is_some() => self.changed.gone.push(rule.id.to_string()),
                None => {}
            }
        }
    }

    /// Takes up what was stored: of the stream, and of rules by position. `gone` names rules that have no budget any more.
    pub fn restore(&mut self, passed: Passed, rules: Vec<(usize, Spent)>, gone: Vec<String>) {
        self.passed = passed;
        for (rule, spent) in rules {
            self.spent[rule] = spent;
        }
        self.changed.gone.extend(gone);
    }

    /// Puts what is known of each rule, by its position, in the place of what was counted: for one operation of the past.
    /// The counts after it mean nothing.
    pub fn presume(&mut self, known: impl Fn(usize) -> Known) {
        // Before and after this minute as much as is needed: that of the operation is not known here.
        let many = |times: usize| Minutes(VecDeque::from(vec![(i64::MAX, u32::MAX); times]));
        let types = OperationType::ALL.iter().map(|kind| usize::from(kind.code()) + 1).max().unwrap_or_default();
        self.passed = Passed { minute: None, decided: vec![many(1); types] };
        for (rule, spent) in self.spent.iter_mut().enumerate() {
            let nothing = Breach { at: Time::ACCEPTED_FROM, seq: 0, stopped: 0, decided: 0 };
            *spent = match known(rule) {
                Known::Within => Spent::default(),
                Known::Exceeded => Spent { stopped: Minutes::default(), breach: Some(nothing) },
                // More than all operations of all types.
                Known::ExceededNow => Spent { stopped: many(types + 1), breach: None },
            };
        }
    }

    /// Returns what changed since the last call.
    pub fn take_unstored(&mut self, plan: &Plan) -> Unstored<'_> {
        let Changed { passed, rules, all, gone } = std::mem::take(&mut self.changed);
        let spent = &self.spent;
        let is_wanted = |rule: &usize| plan.budget(*rule).is_some() && (all || rules.contains(rule));
        let rules = (0..spent.len()).filter(is_wanted).map(|rule| (rule, &spent[rule])).collect();
        let is_new_set = all || !gone.is_empty();
        Unstored { passed: (passed || is_new_set).then_some(&self.passed), rules, is_new_set, gone }
    }

    /// Tells whether a rule, by its position, has exceeded its budget and was not armed again.
    #[must_use]
    pub fn is_breached(&self, rule: usize) -> bool {
        self.spent.get(rule).is_some_and(|spent| spent.breach.is_some())
    }

    /// Returns what a rule, by its position, has spent up to now.
    #[must_use]
    pub fn used(&self, plan: &Plan, rule: usize) -> Option<BudgetUse> {
        plan.budget(rule)?;
        let spent = self.spent.get(rule)?;
        let minute = self.passed.minute.unwrap_or(i64::MIN / 2);
        let (stopped, decided) = (spent.stopped.within(minute), self.decided(plan.rules.rules[rule].on, minute));
        Some(BudgetUse { stopped, decided, breach: spent.breach })
    }

    /// Returns the minute of the stream once an operation at `at` has come. One far ahead of the stream moves it only
    /// when the stream comes there.
    #[must_use]
    pub fn minute(&self, at: Time, reach: Reach) -> i64 {
        let minute_of = |time: Time| time.number_of(MINUTE);
        let minute = minute_of(reach.counted(at).unwrap_or(at));
        let farthest = match reach {
            Reach::Stream(Some(stream)) => minute_of(stream.plus(FAR)),
            Reach::Stream(None) | Reach::Unlimited => i64::MAX,
        };
        // The first operation of all was one with a wrong clock.
        self.passed.minute.filter(|reached| *reached <= farthest).map_or(minute, |reached| reached.max(minute))
    }

    /// Tells whether a rule exceeds its budget by stopping one operation more in a minute of the stream; `None` where it
    /// does not.
    #[must_use]
    pub fn breach(&self, plan: &Plan, rule: usize, minute: i64, (at, seq): (Time, u64)) -> Option<Breach> {
        let budget = plan.budget(rule)?;
        let stopped = self.spent.get(rule)?.stopped.within(minute) + 1;
        let decided = self.decided(plan.rules.rules[rule].on, minute) + 1;
        budget.is_exceeded_by(stopped, decided).then_some(Breach { at, seq, stopped, decided })
    }

    fn decided(&self, types: TypeSet, minute: i64) -> u64 {
        let of_type = |kind: OperationType| self.passed.decided.get(usize::from(kind.code()));
        types.iter().filter_map(of_type).map(|minutes| minutes.within(minute)).sum()
    }

    /// Takes in what an operation of a type changed.
    pub fn apply(&mut self, kind: OperationType, changes: BudgetChanges) {
        let BudgetChanges { minute, stopped, breached, rearmed } = changes;
        if self.passed.minute.is_some_and(|reached| minute < reached) {
            self.passed.decided.iter_mut().for_each(|minutes| minutes.forget_after(minute));
            self.spent.iter_mut().for_each(|spent| spent.stopped.forget_after(minute));
            self.changed.all = true;
        }
        self.passed.minute = Some(minute);
        let code = usize::from(kind.code());
        if self.passed.decided.len() <= code {
            self.passed.decided.resize_with(code + 1, Minutes::default);
        }
        self.passed.decided[code].add(minute);
        self.changed.passed = true;
        for rule in stopped {
            self.spent[rule].stopped.add(minute);
            self.changed.rules.insert(rule);
        }
        for (rule, breach) in breached {
            self.spent[rule].breach = Some(breach);
            self.changed.rules.insert(rule);
        }
        if let Some(rule) = rearmed {
            self.spent[rule] = Spent::default();
            self.changed.rules.insert(rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Time {
        Time::ACCEPTED_FROM.plus(MINUTE.times(number))
    }

    #[test]
    fn an_hour_is_the_minute_in_progress_and_the_59_before_it() {
        let mut minutes = Minutes::default();
        [0, 0, 1, 59].into_iter().for_each(|at| minutes.add(at));
        assert_eq!([59, 60, 61, 118, 119].map(|now| minutes.within(now)), [4, 2, 1, 1, 0]);
        minutes.add(60);
        assert_eq!(minutes, Minutes([(1, 1), (59, 1), (60, 1)].into()), "what has left is not kept");
        minutes.forget_after(59);
        assert_eq!(minutes.within(60), 2);
    }

    #[test]
    fn minutes_are_stored_as_they_are() {
        let mut minutes = Minutes::default();
        [29_000_000, 29_000_000, 29_000_007, 29_000_059].into_iter().for_each(|at| minutes.add(at));
        let bytes = postcard::to_stdvec(&minutes).expect("bytes");
        assert_eq!(bytes, [246, 133, 212, 27, 3, 59, 2, 52, 1, 0, 1]);
        assert_eq!(postcard::from_bytes(&bytes), Ok(minutes));
        assert_eq!(postcard::to_stdvec(&Minutes::default()), Ok(vec![0, 0]));
    }

    #[test]
    fn one_wrong_clock_moves_no_hour() {
        let mut budgets = Budgets::default();
        let first = budgets.minute(minute(0), Reach::Stream(None));
        let of = |number: i64| first + number;
        budgets.apply(OperationType::Login, BudgetChanges::at(first));
        let stream = |number: i64| Reach::Stream(Some(minute(number)));
        assert_eq!(budgets.minute(minute(5), stream(0)), of(5));
        assert_eq!(budgets.minute(minute(-5), stream(-5)), of(0), "time does not go back");
        let years = 20_000 * 24 * 60;
        assert_eq!(budgets.minute(minute(years), stream(0)), of(0));
        assert_eq!(budgets.minute(minute(years), Reach::Unlimited), of(years), "its arrival is known");
        // The first of all: the second one shows that it was wrong.
        let mut wrong = Budgets::default();
        wrong.apply(OperationType::Login, BudgetChanges::at(of(years)));
        let second = wrong.minute(minute(1), stream(1));
        assert_eq!(second, of(1));
        wrong.apply(OperationType::Login, BudgetChanges::at(second));
        assert_eq!(wrong.decided(TypeSet::of(|_| true), second), 1, "the hour of the wrong clock is forgotten");
    }
}
