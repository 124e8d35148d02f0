//! What a backtest found, in figures that text, JSON and HTML show alike.

use serde::Serialize;

use super::figures::{Alerts, Count, Side, Tally};
use crate::operation::Time;
use crate::operation::money::fmt_tiyn;
use crate::rules::program::RuleSet;

/// So many wallets are told of when alerts come from few.
const TOP_WALLETS: usize = 10;
const VERDICTS: [&str; 4] = ["allow", "challenge", "hold", "refuse"];

/// Everything that is shown. Amounts are tenge with two decimals, days those of Almaty, shares between 0 and 1.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Decided operations; duplicates and refused records are not among them.
    pub operations: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// When the first and the last operation occurred, as RFC 3339 with the offset of Almaty.
    pub first: Option<String>,
    pub last: Option<String>,
    /// Calendar days from the first operation to the last, both included.
    pub days: u64,
    pub rules: SetName,
    pub against: Option<SetName>,
    pub total: Total,
    pub by_rule: Vec<RuleFigures>,
    /// Pairs of rules that match the same operations, the most common first.
    pub overlap: Vec<Overlap>,
    pub sweep: Option<SweepFigures>,
    pub breaches: Vec<Breach>,
}

/// A rule set.
#[derive(Debug, Clone, Serialize)]
pub struct SetName {
    pub name: String,
    pub hash: String,
    /// Decisions by verdict.
    pub verdicts: Vec<(String, u64)>,
}

/// All rules together.
#[derive(Debug, Clone, Serialize)]
pub struct Total {
    pub alerts: AlertFigures,
    pub alerts_against: Option<AlertFigures>,
    /// By verdict: what gets it with the rules and not with those that they are compared with.
    pub newly: Vec<(String, CountFigures)>,
    pub no_longer: Vec<(String, CountFigures)>,
    /// Wallets of which an operation is newly held, challenged or refused.
    pub wallets_touched: u64,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleFigures {
    pub rule: String,
    /// `enforce`, `shadow` or `off`; none where the set has no such rule.
    pub mode: Option<&'static str>,
    pub mode_against: Option<&'static str>,
    pub alerts: AlertFigures,
    pub alerts_against: Option<AlertFigures>,
    pub newly: CountFigures,
    pub no_longer: CountFigures,
}

/// Operations that a rule, or any rule, matched.
#[derive(Debug, Clone, Serialize)]
pub struct AlertFigures {
    #[serde(flatten)]
    pub count: CountFigures,
    pub per_day: f64,
    pub worst_day: Option<(String, u64)>,
    /// The share of the alerts that the ten wallets with the most of them have.
    pub top_wallets_share: Option<f64>,
    pub by_day: Vec<(String, u64)>,
    pub labels: Option<LabelFigures>,
}

/// Some operations.
#[derive(Debug, Clone, Serialize)]
pub struct CountFigures {
    pub operations: u64,
    pub wallets: u64,
    pub amount: String,
    pub examples: Vec<String>,
}

/// How well alerts find what was fraud.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LabelFigures {
    pub found: u64,
    pub missed: u64,
    pub false_alarms: u64,
    /// The share of the alerts that were fraud; none without alerts.
    pub precision: Option<f64>,
    /// The share of the fraud that was alerted; none without fraud.
    pub recall: Option<f64>,
}

/// Two rules that match the same operations.
#[derive(Debug, Clone, Serialize)]
pub struct Overlap {
    pub rules: (String, String),
    pub operations: u64,
}

/// A rule with its threshold at several values.
#[derive(Debug, Clone, Serialize)]
pub struct SweepFigures {
    pub rule: String,
    pub points: Vec<SweepPoint>,
}

/// One value of a threshold.
#[derive(Debug, Clone, Serialize)]
pub struct SweepPoint {
    pub value: String,
    pub alerts: AlertFigures,
}

/// What must not be exceeded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Operations newly held; of one set alone, held.
    pub new_holds: Option<u64>,
    /// Wallets of which an operation is newly held, challenged or refused.
    pub new_wallets: Option<u64>,
    /// Operations that a rule matches on the worst day.
    pub daily_alerts: Option<u64>,
}

/// A limit that was exceeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    pub limit: &'static str,
    pub allowed: u64,
    pub found: u64,
}

impl Report {
    /// Makes the figures of a tally. `sweep` are the tallies of a swept rule by its values.
    #[must_use]
    pub fn of(
        tally: &Tally,
        (name, rules): (&str, &RuleSet),
        against: Option<(&str, &RuleSet)>,
        sweep: Option<(&str, &[(String, Tally)])>,
        limits: Limits,
    ) -> Self {
        let days = match (tally.first, tally.last) {
            (Some(first), Some(last)) => (last.almaty_date() - first.almaty_date()).num_days().unsigned_abs() + 1,
            _ => 0,
        };
        let set = |name: &str, rules: &RuleSet, side: &Side| SetName {
            name: name.to_owned(),
            hash: rules.hash.to_string(),
            verdicts: VERDICTS
                .map(|verdict| (verdict.to_owned(), side.verdicts.get(verdict).copied().unwrap_or(0)))
                .into(),
        };
        let compared = against.zip(tally.against.as_ref());
        let mut report = Self {
            operations: tally.operations,
            duplicates: tally.duplicates,
            rejected: tally.rejected,
            first: tally.first.map(in_almaty),
            last: tally.last.map(in_almaty),
            days,
            rules: set(name, rules, &tally.with),
            against: compared.map(|((name, rules), side)| set(name, rules, side)),
            total: total(tally, days),
            by_rule: by_rule(tally, (rules, against.map(|(_, rules)| rules)), days),
            overlap: overlap(tally),
            sweep: sweep.map(|(rule, tallies)| sweep_figures(rule, tallies, days)),
            breaches: Vec::new(),
        };
        report.breaches = report.breaches(limits);
        report
    }

    fn breaches(&self, limits: Limits) -> Vec<Breach> {
        let held = |counts: &[(String, CountFigures)]| {
            counts.iter().find(|(verdict, _)| verdict == "hold").map_or(0, |(_, count)| count.operations)
        };
        let holds = match &self.against {
            Some(_) => held(&self.total.newly),
            None => self.rules.verdicts.iter().find(|(verdict, _)| verdict == "hold").map_or(0, |(_, count)| *count),
        };
        let worst = self.total.alerts.worst_day.as_ref().map_or(0, |(_, alerts)| *alerts);
        [
            ("max-new-holds", limits.new_holds, holds),
            ("max-new-wallets", limits.new_wallets, self.total.wallets_touched),
            ("max-daily-alerts", limits.daily_alerts, worst),
        ]
        .into_iter()
        .filter_map(|(limit, allowed, found)| {
            let allowed = allowed.filter(|allowed| found > *allowed)?;
            Some(Breach { limit, allowed, found })
        })
        .collect()
    }
}

fn total(tally: &Tally, days: u64) -> Total {
    let fraud = tally.labels.is_some().then_some(tally.fraud);
    let counts = |counts: &std::collections::BTreeMap<&'static str, Count>| {
        VERDICTS[1..]
            .iter()
            .map(|verdict| ((*verdict).to_owned(), counts.get(verdict).map_or_else(empty, figures)))
            .collect()
    };
    Total {
        alerts: alerts(&tally.with.total, days, fraud),
        alerts_against: tally.against.as_ref().map(|side| alerts(&side.total, days, fraud)),
        newly: counts(&tally.newly),
        no_longer: counts(&tally.no_longer),
        wallets_touched: tally.wallets_touched.len() as u64,
    }
}

fn by_rule(tally: &Tally, (rules, against): (&RuleSet, Option<&RuleSet>), days: u64) -> Vec<RuleFigures> {
    let mode = |rules: &RuleSet, id: &str| rules.rules.iter().find(|rule| *rule.id == *id).map(|rule| rule.mode.name());
    let figures_of = |(at, id): (usize, &String)| {
        let fraud = tally.labels.is_some().then(|| tally.fraud_of[at]);
        RuleFigures {
            rule: id.clone(),
            mode: mode(rules, id),
            mode_against: against.and_then(|rules| mode(rules, id)),
            alerts: alerts(&tally.with.rules[at], days, fraud),
            alerts_against: tally.against.as_ref().map(|side| alerts(&side.rules[at], days, fraud)),
            newly: figures(&tally.rules_newly[at]),
            no_longer: figures(&tally.rules_no_longer[at]),
        }
    };
    tally.rules.iter().enumerate().map(figures_of).collect()
}

fn overlap(tally: &Tally) -> Vec<Overlap> {
    let pair = |((one, other), operations): (&(usize, usize), &u64)| Overlap {
        rules: (tally.rules[*one].clone(), tally.rules[*other].clone()),
        operations: *operations,
    };
    let mut pairs: Vec<Overlap> = tally.with.overlap.iter().map(pair).collect();
    pairs.sort_by(|a, b| b.operations.cmp(&a.operations).then_with(|| a.rules.cmp(&b.rules)));
    pairs
}

fn sweep_figures(rule: &str, tallies: &[(String, Tally)], days: u64) -> SweepFigures {
    let point = |(value, tally): &(String, Tally)| {
        let at = tally.rules.iter().position(|known| known == rule).unwrap_or(0);
        let fraud = tally.labels.as_ref().map(|_| tally.fraud_of[at]);
        SweepPoint { value: value.clone(), alerts: alerts(&tally.with.rules[at], days, fraud) }
    };
    SweepFigures { rule: rule.to_owned(), points: tallies.iter().map(point).collect() }
}

fn empty() -> CountFigures {
    figures(&Count::default())
}

fn figures(count: &Count) -> CountFigures {
    let mut amount = String::new();
    // Writing to a text cannot fail.
    fmt_tiyn(count.amount, &mut amount).unwrap_or(());
    CountFigures {
        operations: count.operations,
        wallets: count.wallets.len() as u64,
        amount,
        examples: count.examples.clone(),
    }
}

fn alerts(alerts: &Alerts, days: u64, fraud: Option<u64>) -> AlertFigures {
    let operations = alerts.count.operations;
    let mut by_wallet: Vec<u64> = alerts.count.wallets.values().copied().collect();
    by_wallet.sort_unstable_by(|a, b| b.cmp(a));
    let top: u64 = by_wallet.iter().take(TOP_WALLETS).sum();
    // The first of the days that are as bad.
    let worst = alerts.days.iter().rev().max_by_key(|(_, count)| **count);
    AlertFigures {
        count: figures(&alerts.count),
        per_day: share(operations, days).unwrap_or(0.0),
        worst_day: worst.map(|(day, count)| (day.to_string(), *count)),
        top_wallets_share: share(top, operations),
        by_day: alerts.days.iter().map(|(day, count)| (day.to_string(), *count)).collect(),
        labels: fraud.map(|fraud| LabelFigures {
            found: alerts.of_fraud,
            missed: fraud.saturating_sub(alerts.of_fraud),
            false_alarms: operations - alerts.of_fraud,
            precision: share(alerts.of_fraud, operations),
            recall: share(alerts.of_fraud, fraud),
        }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with a few digits")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
/// RFC 3339 with Almaty's offset: days are counted there.
fn in_almaty(time: Time) -> String {
    time.to_almaty().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
}

/// Returns a time of a report as people read it, to the minute: `2026-11-01 00:00`.
pub(super) fn to_the_minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}
