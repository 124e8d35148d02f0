//! What one rule set, or the change from one to another, would have done to operations of the past.
//!
//! Each set decides the same records by its own pipeline ([`Judge`]); [`Tally`] puts the answers to each record side
//! by side and counts. Memory grows with the wallets, days and rules that are counted, not with the operations.

mod figures;
mod history;
mod html;
mod judge;
mod labels;
mod report;
mod run;
mod sweep;
mod text;

use std::sync::Arc;

pub use figures::{Span, Tally};
pub use history::{History, Records};
pub use html::html;
pub use judge::{Judge, Judged, Means};
pub use labels::{Label, Labels, LabelsError};
pub use report::{Breach, Limits, Report};
pub use run::Progress;
pub use sweep::{Sweep, SweepError};
pub use text::text;

use crate::rules::program::RuleSet;

/// A rule set, and what it is called.
pub type Named = (String, Arc<RuleSet>);

/// What is asked of the past.
#[derive(Debug, Clone)]
pub struct Backtest {
    pub rules: Named,
    /// What they are compared with.
    pub against: Option<Named>,
    pub labels: Option<Arc<Labels>>,
    /// A rule whose threshold is tried at several values: its id, and the rule set with each of them.
    pub sweep: Option<(String, Vec<Named>)>,
    /// Which operations are counted; all are decided.
    pub span: Span,
    pub limits: Limits,
}

impl Backtest {
    /// Decides all of a history by each rule set, on a thread of its own, and counts. Ends early where `progress` is
    /// told to: the report is then of what was counted until then.
    ///
    /// # Errors
    /// The history cannot be read, or a rule set's state does not take a change.
    pub fn run(&self, history: &mut dyn History, means: &Means, progress: &Progress) -> anyhow::Result<Report> {
        let sets = std::iter::once(&self.rules).chain(&self.against);
        let mut counted: Vec<String> =
            sets.clone().flat_map(|(_, rules)| &rules.rules).map(|rule| rule.id.to_string()).collect();
        counted.sort();
        counted.dedup();
        let judge =
            |(_, rules): &Named, counted: &[String]| Judge::new(Arc::clone(rules), means, counted, self.labels.clone());
        let mut judges: Vec<Judge> = sets.map(|set| judge(set, &counted)).collect();
        let tally =
            |counted: Vec<String>, is_compared| Tally::new(counted, is_compared, self.labels.clone()).within(self.span);
        let (of_sweep, swept) = match &self.sweep {
            Some((rule, swept)) => (vec![rule.clone()], swept.as_slice()),
            None => (Vec::new(), &[][..]),
        };
        judges.extend(swept.iter().map(|set| judge(set, &of_sweep)));
        let mut sweeps: Vec<(String, Tally)> =
            swept.iter().map(|(value, _)| (value.clone(), tally(of_sweep.clone(), false))).collect();
        let compared = usize::from(self.against.is_some());
        let mut main = tally(counted, self.against.is_some());
        run::all(history, judges, progress, &mut |answers| {
            main.add(answers[0], answers.get(1).copied().filter(|_| compared == 1));
            for ((_, tally), answer) in sweeps.iter_mut().zip(&answers[1 + compared..]) {
                tally.add(answer, None);
            }
        })?;
        let (name, rules) = &self.rules;
        Ok(Report::of(
            &main,
            (name, rules),
            self.against.as_ref().map(|(name, rules)| (name.as_str(), &**rules)),
            self.sweep.as_ref().map(|(rule, _)| (rule.as_str(), sweeps.as_slice())),
            self.limits,
        ))
    }
}
