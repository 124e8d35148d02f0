//! Counts over answers that lie side by side.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::judge::{Flagged, Judged};
use super::labels::Labels;
use crate::operation::Time;
use crate::operation::decision::Verdict;

/// Most examples that are kept.
const EXAMPLES_MAX: usize = 5;

/// Some operations: how many, of how much in all, of which wallets.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    pub(super) operations: u64,
    /// Tiyn.
    pub(super) amount: i128,
    /// Operations by wallet.
    pub(super) wallets: HashMap<u64, u64, foldhash::fast::FixedState>,
    /// The first of them.
    pub(super) examples: Vec<String>,
}

impl Count {
    fn add(&mut self, flagged: &Flagged) {
        self.operations += 1;
        self.amount += i128::from(flagged.amount);
        *self.wallets.entry(flagged.wallet).or_default() += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(flagged.op_id.clone());
        }
    }
}

/// What a rule, or all rules of a set together, matched.
#[derive(Debug, Clone, Default)]
pub(super) struct Alerts {
    pub(super) count: Count,
    /// By day in Almaty.
    pub(super) days: BTreeMap<NaiveDate, u64>,
    /// How many of the matched operations were fraud.
    pub(super) of_fraud: u64,
}

impl Alerts {
    fn add(&mut self, flagged: &Flagged, day: NaiveDate, is_fraud: bool) {
        self.count.add(flagged);
        *self.days.entry(day).or_default() += 1;
        self.of_fraud += u64::from(is_fraud);
    }
}

/// What one set did.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    pub(super) verdicts: BTreeMap<&'static str, u64>,
    /// Operations that at least one rule matched.
    pub(super) total: Alerts,
    pub(super) rules: Vec<Alerts>,
    /// How many operations both rules matched, by their positions, the smaller first.
    pub(super) overlap: HashMap<(usize, usize), u64>,
}

/// Operations that are counted by when they occurred: from the first time on, and before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub from: Option<Time>,
    pub to: Option<Time>,
}

impl Span {
    fn holds(self, at: Time) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}

/// Counts the answers of one set, or of two to the same records.
#[derive(Debug)]
pub struct Tally {
    pub(super) rules: Vec<String>,
    pub(super) labels: Option<Arc<Labels>>,
    span: Span,
    pub(super) operations: u64,
    pub(super) rejected: u64,
    pub(super) duplicates: u64,
    pub(super) first: Option<Time>,
    pub(super) last: Option<Time>,
    /// Operations of the history that were fraud: of any rule, and by rule.
    pub(super) fraud: u64,
    pub(super) fraud_of: Vec<u64>,
    pub(super) with: Side,
    /// The set that it is compared with.
    pub(super) against: Option<Side>,
    /// By verdict: operations that get it with the set and not with the other, and the other way round.
    pub(super) newly: BTreeMap<&'static str, Count>,
    pub(super) no_longer: BTreeMap<&'static str, Count>,
    /// Wallets of which an operation is newly held, challenged or refused.
    pub(super) wallets_touched: HashSet<u64, foldhash::fast::FixedState>,
    /// By rule: operations that it matches in the set and not in the other, and the other way round.
    pub(super) rules_newly: Vec<Count>,
    pub(super) rules_no_longer: Vec<Count>,
}

impl Tally {
    /// Makes a tally of the rules by their ids.
    #[must_use]
    pub fn new(rules: Vec<String>, is_compared: bool, labels: Option<Arc<Labels>>) -> Self {
        let side = || Side { rules: vec![Alerts::default(); rules.len()], ..Side::default() };
        let (with, against) = (side(), is_compared.then(side));
        let counts = vec![Count::default(); rules.len()];
        Self {
            labels,
            span: Span::default(),
            operations: 0,
            rejected: 0,
            duplicates: 0,
            first: None,
            last: None,
            fraud: 0,
            fraud_of: vec![0; rules.len()],
            with,
            against,
            newly: BTreeMap::new(),
            no_longer: BTreeMap::new(),
            wallets_touched: HashSet::default(),
            rules_newly: counts.clone(),
            rules_no_longer: counts,
            rules,
        }
    }

    /// Counts operations of this span only. What was refused, and what came twice, is counted wherever it stands.
    #[must_use]
    pub const fn within(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// Counts the answers to one record.
    pub fn add(&mut self, with: &Judged, against: Option<&Judged>) {
        let Judged::Decided { at, verdict, flagged } = with else {
            let counter = if *with == Judged::Rejected { &mut self.rejected } else { &mut self.duplicates };
            *counter += 1;
            return;
        };
        if !self.span.holds(*at) {
            return;
        }
        self.operations += 1;
        self.first = Some(self.first.map_or(*at, |first| first.min(*at)));
        self.last = Some(self.last.map_or(*at, |last| last.max(*at)));
        *self.with.verdicts.entry(verdict.name()).or_default() += 1;
        let other = match against {
            Some(Judged::Decided { verdict, flagged, .. }) => Some((*verdict, flagged.as_deref())),
            _ => None,
        };
        if let (Some(side), Some((verdict, _))) = (&mut self.against, other) {
            *side.verdicts.entry(verdict.name()).or_default() += 1;
        }
        let (mine, theirs) = (flagged.as_deref(), other.and_then(|(_, flagged)| flagged));
        if mine.is_none() && theirs.is_none() {
            return;
        }
        let labels = self.labels.clone();
        let fraud = mine.or(theirs).and_then(|flagged| labels.as_ref()?.of(&flagged.op_id));
        let day = at.almaty_date();
        self.add_fraud(fraud);
        if let Some(flagged) = mine {
            add_alerts(&mut self.with, &self.rules, flagged, (day, fraud));
        }
        if let (Some(side), Some(flagged)) = (&mut self.against, theirs) {
            add_alerts(side, &self.rules, flagged, (day, fraud));
        }
        if let Some((other, _)) = other {
            self.compare((*verdict, mine), (other, theirs));
        }
    }

    fn add_fraud(&mut self, fraud: Option<&[Option<String>]>) {
        let Some(rules) = fraud else { return };
        self.fraud += 1;
        for (count, id) in self.fraud_of.iter_mut().zip(&self.rules) {
            *count += u64::from(is_fraud_for(rules, id));
        }
    }

    fn compare(&mut self, (mine, flagged): (Verdict, Option<&Flagged>), (theirs, other): (Verdict, Option<&Flagged>)) {
        if mine != theirs
            && let Some(facts) = flagged.or(other)
        {
            if mine != Verdict::Allow {
                self.newly.entry(mine.name()).or_default().add(facts);
                self.wallets_touched.insert(facts.wallet);
            }
            if theirs != Verdict::Allow {
                self.no_longer.entry(theirs.name()).or_default().add(facts);
            }
        }
        let both_ways = [(flagged, other, &mut self.rules_newly), (other, flagged, &mut self.rules_no_longer)];
        for (one, two, counts) in both_ways {
            let Some(facts) = one else { continue };
            let is_new = |rule: &&usize| !two.is_some_and(|two| two.matches.contains(rule));
            facts.matches.iter().filter(is_new).for_each(|rule| counts[*rule].add(facts));
        }
    }
}

fn is_fraud_for(labelled: &[Option<String>], rule: &str) -> bool {
    labelled.iter().any(|known| known.as_deref().is_none_or(|known| known == rule))
}

fn add_alerts(
    side: &mut Side,
    rules: &[String],
    flagged: &Flagged,
    (day, fraud): (NaiveDate, Option<&[Option<String>]>),
) {
    if flagged.matches.is_empty() {
        return;
    }
    side.total.add(flagged, day, fraud.is_some());
    for (position, rule) in flagged.matches.iter().enumerate() {
        side.rules[*rule].add(flagged, day, fraud.is_some_and(|labelled| is_fraud_for(labelled, &rules[*rule])));
        for other in &flagged.matches[..position] {
            *side.overlap.entry((*other.min(rule), *other.max(rule))).or_default() += 1;
        }
    }
}
