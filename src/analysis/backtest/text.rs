//! A report as text for a terminal.

use std::fmt::Write as _;

use super::report::{AlertFigures, CountFigures, Report, SetName, SweepFigures, to_the_minute};
use crate::operation::money;

/// Writes a report as text.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    write(report, &mut out).unwrap_or(());
    out
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    write!(out, "{} operations on {} days", grouped(report.operations), grouped(report.days))?;
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        write!(out, ", from {} to {} in Almaty", to_the_minute(first), to_the_minute(last))?;
    }
    writeln!(out)?;
    for (count, what) in [(report.duplicates, "duplicates"), (report.rejected, "refused records")] {
        if count > 0 {
            writeln!(out, "  {} {what} are not counted", grouped(count))?;
        }
    }
    writeln!(out)?;
    set("rules", &report.rules, out)?;
    if let Some(against) = &report.against {
        set("against", against, out)?;
        writeln!(out, "\nverdicts that change                           operations      wallets              tenge")?;
        for (what, counts) in [("newly", &report.total.newly), ("no longer", &report.total.no_longer)] {
            for (verdict, count) in counts.iter().filter(|(_, count)| count.operations > 0) {
                counted(&format!("{what} {}", past(verdict)), count, out)?;
            }
        }
        if report.total.newly.iter().chain(&report.total.no_longer).all(|(_, count)| count.operations == 0) {
            writeln!(out, "  none")?;
        }
        writeln!(out, "  wallets newly held, challenged or refused: {}", grouped(report.total.wallets_touched))?;
    }
    rules(report, out)?;
    overlap(report, out)?;
    if let Some(sweep) = &report.sweep {
        swept(sweep, out)?;
    }
    for breach in &report.breaches {
        writeln!(out, "\n--{} is {}, found {}", breach.limit, grouped(breach.allowed), grouped(breach.found))?;
    }
    Ok(())
}

fn set(what: &str, set: &SetName, out: &mut String) -> std::fmt::Result {
    let verdicts: Vec<String> =
        set.verdicts.iter().map(|(verdict, count)| format!("{verdict} {}", grouped(*count))).collect();
    writeln!(out, "{what:<8} {} ({}): {}", set.name, set.hash.get(..12).unwrap_or(&set.hash), verdicts.join(", "))
}

fn counted(what: &str, count: &CountFigures, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "  {what:<42}{:>12}{:>13}{:>19}",
        grouped(count.operations),
        grouped(count.wallets),
        money::grouped(&count.amount, ' ')
    )
}

fn rules(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\nalerts by rule                                 operations      wallets              tenge  a day  worst day"
    )?;
    let mut same = 0;
    for rule in &report.by_rule {
        let figures = &rule.alerts;
        let is_silent = figures.count.operations == 0
            && rule.alerts_against.as_ref().is_none_or(|against| against.count.operations == 0);
        let is_same = report.against.is_some() && rule.newly.operations == 0 && rule.no_longer.operations == 0;
        if is_silent || is_same {
            same += usize::from(is_same && !is_silent);
            continue;
        }
        let mode = rule.mode.filter(|mode| *mode != "enforce").map_or_else(String::new, |mode| format!(" ({mode})"));
        alert_line(&format!("{}{mode}", rule.rule), figures, out)?;
        if report.against.is_some() {
            for (what, count) in [("  newly", &rule.newly), ("  no longer", &rule.no_longer)] {
                if count.operations > 0 {
                    counted(what, count, out)?;
                    writeln!(out, "      such as {}", count.examples.join(", "))?;
                }
            }
        } else if figures.count.operations > 0 {
            writeln!(out, "      such as {}", figures.count.examples.join(", "))?;
        }
    }
    alert_line("any rule", &report.total.alerts, out)?;
    if same > 0 {
        writeln!(out, "  {same} rules match the same operations with both sets")?;
    }
    Ok(())
}

fn alert_line(name: &str, alerts: &AlertFigures, out: &mut String) -> std::fmt::Result {
    let count = &alerts.count;
    let worst = alerts.worst_day.as_ref();
    let worst = worst.map_or_else(String::new, |(day, count)| format!("  {} on {day}", grouped(*count)));
    writeln!(
        out,
        "  {name:<42}{:>12}{:>13}{:>19}{:>7.1}{worst}",
        grouped(count.operations),
        grouped(count.wallets),
        money::grouped(&count.amount, ' '),
        alerts.per_day
    )?;
    if let Some(share) = alerts.top_wallets_share.filter(|share| *share >= 0.5 && count.wallets > 10) {
        writeln!(out, "      ten wallets have {:.0} % of them", share * 100.0)?;
    }
    if let Some(labels) = &alerts.labels {
        let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{share:.3}"));
        writeln!(
            out,
            "      precision {}, recall {}: found {}, missed {}, false alarms {}",
            share(labels.precision),
            share(labels.recall),
            grouped(labels.found),
            grouped(labels.missed),
            grouped(labels.false_alarms)
        )?;
    }
    Ok(())
}

fn overlap(report: &Report, out: &mut String) -> std::fmt::Result {
    const SHOWN_MAX: usize = 10;
    if report.overlap.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nrules that match the same operations")?;
    for pair in report.overlap.iter().take(SHOWN_MAX) {
        writeln!(out, "  {:>12}  {} and {}", grouped(pair.operations), pair.rules.0, pair.rules.1)?;
    }
    if report.overlap.len() > SHOWN_MAX {
        writeln!(out, "  and {} further pairs, see --format json", report.overlap.len() - SHOWN_MAX)?;
    }
    Ok(())
}

fn swept(sweep: &SweepFigures, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\n{:<44}operations      wallets              tenge  a day  worst day",
        format!("{} at", sweep.rule)
    )?;
    sweep.points.iter().try_for_each(|point| alert_line(&point.value, &point.alerts, out))
}

fn past(verdict: &str) -> &str {
    match verdict {
        "hold" => "held",
        "challenge" => "challenged",
        "refuse" => "refused",
        other => other,
    }
}

/// Writes a number with its thousands apart: `1 234 567`.
fn grouped(number: u64) -> String {
    money::grouped(&number.to_string(), ' ')
}
