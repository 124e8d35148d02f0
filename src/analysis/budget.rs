//! What a rule set costs before it decides anything: how many windows an operation enters, and how many bytes of state
//! it leaves in them. Memory and time per operation both grow with that, and one rule can ask for hundreds of windows.

use std::fmt;
use std::sync::Arc;

use crate::engine::plan::aggregate::PlannedAggregate;
use crate::engine::plan::{Plan, Settings};
use crate::operation::OperationType;
use crate::operation::time::DAY;
use crate::rules::program::{Mode, RuleSet};

/// Bytes of state that an operation may leave, where the configuration says nothing.
pub const DEFAULT_BYTES: u64 = 32 << 10;

/// What an entry takes in the index of a long log, in a whole shared window, and in a calendar's total: measured,
/// rounded up. Each includes what the maps and trees around it take.
const INDEXED_BYTES: usize = 112;
const SHARED_BYTES: usize = 160;
const TOTALLED_BYTES: usize = 16;
/// Rules that are named when a set costs too much.
const HEAVIEST: usize = 3;

/// What one operation of the type that costs most does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    pub kind: OperationType,
    /// Windows that it may enter, if every `where` holds.
    pub windows: usize,
    /// About so many bytes of state it leaves, until it is in no window any more.
    pub bytes: usize,
    /// About so many bytes a wallet keeps that does one such operation a day; shared windows are not the wallet's.
    pub wallet_bytes: u64,
    /// The rules that ask for most of it, each with how many bytes its windows get.
    pub heaviest: Vec<(Arc<str>, usize)>,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, windows, bytes, wallet_bytes, .. } = self;
        let kind = kind.name();
        write!(f, "an operation leaves about {bytes} bytes of state at most, in {windows} windows ({kind}); ")?;
        write!(f, "a wallet with one a day keeps about {wallet_bytes} bytes")
    }
}

impl Cost {
    /// Computes what a rule set costs; windows that are only kept for former rules count too.
    #[must_use]
    pub fn of(rules: &Arc<RuleSet>) -> Self {
        let plan = Plan::new(Arc::clone(rules), Settings::default());
        let cost = |kind: &OperationType| {
            let feeds = &plan.of(*kind).feeds;
            let in_windows: usize = feeds.iter().map(|feed| bytes_of(&plan.aggregates[feed.aggregate])).sum();
            (plan.stride() * size_of::<u64>() + in_windows, feeds.len(), *kind)
        };
        let (bytes, windows, kind) =
            OperationType::ALL.iter().map(cost).max().unwrap_or((0, 0, OperationType::Transfer));
        let wallet_bytes = of_a_day(&plan, kind);
        let is_fed = |id: &usize| plan.of(kind).feeds.iter().any(|feed| feed.aggregate == *id);
        let of_rule = |rule: &crate::rules::program::Rule| {
            let fed = rule.aggregates.iter().filter(|id| is_fed(id));
            (Arc::clone(&rule.id), fed.map(|id| bytes_of(&plan.aggregates[*id])).sum::<usize>())
        };
        let mut heaviest: Vec<_> = rules.rules.iter().filter(|rule| rule.mode != Mode::Off).map(of_rule).collect();
        heaviest.sort_by(|(one, of_one), (other, of_other)| of_other.cmp(of_one).then_with(|| one.cmp(other)));
        heaviest.truncate(HEAVIEST);
        Self { kind, windows, bytes, wallet_bytes, heaviest }
    }

    /// Says that it is more than the budget, and which rules to look at; `None` where it is not.
    #[must_use]
    pub fn over(&self, budget: u64) -> Option<String> {
        if u64::try_from(self.bytes).unwrap_or(u64::MAX) <= budget {
            return None;
        }
        let heaviest: Vec<String> = self.heaviest.iter().map(|(id, bytes)| format!("{id} ({bytes} bytes)")).collect();
        Some(format!(
            "an operation leaves about {} bytes of state at most, in {} windows ({}), but `rules.budget` accepts {budget} \
             bytes; most of it is for {}",
            self.bytes,
            self.windows,
            self.kind.name(),
            heaviest.join(", ")
        ))
    }
}

/// Estimates the bytes that a wallet keeps that does one operation of the type a day: its row as long as any window of
/// the wallet reaches back, each entry as long as its own window does.
fn of_a_day(plan: &Plan, kind: OperationType) -> u64 {
    let of_wallet = || plan.of(kind).feeds.iter().map(|feed| &plan.aggregates[feed.aggregate]).filter(|one| one.owned);
    let days = |aggregate: &PlannedAggregate| u64::try_from(aggregate.retention / DAY + 1).unwrap_or_default();
    let row = u64::try_from(plan.stride() * size_of::<u64>()).unwrap_or_default();
    let rows = row * of_wallet().map(days).max().unwrap_or_default();
    let entries = of_wallet().map(|aggregate| bytes_of(aggregate) as u64 * days(aggregate));
    rows + entries.sum::<u64>()
}

/// Estimates the bytes that an entry in a window takes, beside its row.
fn bytes_of(aggregate: &PlannedAggregate) -> usize {
    if !aggregate.owned {
        SHARED_BYTES
    } else if aggregate.is_totalled() {
        TOTALLED_BYTES
    } else if aggregate.is_indexed() {
        INDEXED_BYTES
    } else {
        // A run is one number a wallet; what looks at every row has no index.
        0
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::rules::{self, SourceFile};

    fn compiled(files: &[SourceFile]) -> Arc<RuleSet> {
        let compiled = rules::compile(files).unwrap_or_else(|found| panic!("{}", rules::render_text(&found, files)));
        Arc::new(compiled.rule_set)
    }

    /// Many windows of more than a year in one shadow rule.
    fn bomb(id: &str, windows: usize) -> SourceFile {
        let part = |number: usize| format!("count(transfer where amount > {number} KZT by wallet within 400d) > 5");
        let when = (1..=windows).map(part).collect::<Vec<_>>().join("\n  or ");
        let text = format!(
            "rule: {id}\nclauses: [\"7.15\"]\ntitle: {{kk: x, ru: x, en: x}}\nowner: x\nmode: shadow\non: transfer\nwhen: |\n  {when}\nthen: [hold]\n"
        );
        SourceFile::new(format!("{id}.yaml"), text.into_bytes())
    }

    #[test]
    fn a_bomb_costs_more_than_the_budget_and_is_named() {
        let one = Cost::of(&compiled(&[bomb("b0", 60)]));
        assert_eq!((one.kind, one.windows), (OperationType::Transfer, 60));
        assert!((6_000..8_000).contains(&one.bytes), "measured at 7 KB: {one}");
        assert_eq!(one.over(DEFAULT_BYTES), None);
        let distinct = |number: usize| {
            let file = bomb(&format!("b{number}"), 60);
            let text = String::from_utf8(file.bytes.clone()).unwrap().replace("400d", &format!("{}d", 391 + number));
            SourceFile::new(file.path, text.into_bytes())
        };
        let files: Vec<SourceFile> = (0..10).map(distinct).chain([bomb("small", 2)]).collect();
        let ten = Cost::of(&compiled(&files));
        let text = ten.over(DEFAULT_BYTES).expect("too much");
        assert!(
            text.contains("600 windows (transfer), but `rules.budget` accepts 32768 bytes; most of it is for b0 ("),
            "{text}"
        );
        assert_eq!(ten.over(1 << 20), None);
    }

    #[test]
    fn the_shipped_rules_cost_a_small_part_of_it() {
        let folder = crate::adapters::folders::Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"));
        let files = folder.files(|_| true).unwrap();
        let files: Vec<SourceFile> =
            files.into_iter().map(|file| SourceFile::of_folder("", &file.path, file.bytes.into_owned())).collect();
        let cost = Cost::of(&compiled(&files));
        assert!(cost.over(DEFAULT_BYTES / 4).is_none(), "{cost}");
    }
}
