//! A report as one page without any other file: tables, and charts as SVG. It follows the reader's light or dark
//! setting, and is black on white when printed.

mod chart;
mod words;

use std::fmt::Write as _;

use super::report::{AlertFigures, CountFigures, Report, RuleFigures, to_the_minute};
use crate::operation::money::grouped;
use chart::{bars, lines};
use words::Words;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:light-dark(#1b1f24,#e8eaed);--dim:light-dark(#5a636e,#a3abb5);\
--line:light-dark(#d8dde3,#3a424c);--page:light-dark(#fff,#16191d);--one:light-dark(#0b6bcb,#6cb2ff);\
--two:light-dark(#b3541e,#f2a36b);--bad:light-dark(#b3261e,#ff8a80)}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:0 auto;padding:24px;max-width:1080px}\
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}p{margin:4px 0}.dim{color:var(--dim)}\
.bad{color:var(--bad);font-weight:600}.wide{overflow-x:auto}\
table{border-collapse:collapse;width:100%}th,td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\
th{font-weight:600;color:var(--dim)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
th.n{white-space:normal}td:first-child{min-width:160px}code{font:12px ui-monospace,monospace;overflow-wrap:anywhere}svg{width:100%;height:auto;display:block}\
svg text{fill:var(--dim);font:11px system-ui,sans-serif}.one{fill:var(--one)}.two{fill:var(--two)}\
.line-one{stroke:var(--one);fill:none;stroke-width:2}.line-two{stroke:var(--two);fill:none;stroke-width:2;stroke-dasharray:5 3}\
.axis{stroke:var(--line)}.key{display:inline-block;width:12px;height:12px;margin:0 4px 0 12px;vertical-align:-1px}\
.key.one{background:var(--one)}.key.two{background:var(--two)}\
@media print{:root{color-scheme:light}body{max-width:none;padding:0;font-size:11px}code{font-size:10px}\
th,td{padding:3px 5px}td:first-child{min-width:0}.wide{overflow:visible}h2{break-after:avoid}tr,svg{break-inside:avoid}}";

/// Writes a report as an HTML page in Kazakh (`kk`), Russian (`ru`) or English.
#[must_use]
pub fn html(report: &Report, language: &str) -> String {
    let words = Words::of(language);
    let mut out = String::new();
    // Writing to a text cannot fail.
    page(report, &words, &mut out).unwrap_or(());
    out
}

fn page(report: &Report, words: &Words, out: &mut String) -> std::fmt::Result {
    let title = words.title;
    write!(out, "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">", words.language)?;
    write!(out, "<meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>")?;
    write!(out, "<style>{STYLE}</style></head><body><h1>{title}</h1>")?;
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        let (operations, days) = (number(report.operations), number(report.days));
        write!(out, "<p>{operations} {}, {days} {} · ", words.operations, words.days)?;
        write!(out, "{} – {} ({})</p>", to_the_minute(first), to_the_minute(last), words.almaty)?;
    }
    for (count, what) in [(report.duplicates, words.duplicates), (report.rejected, words.rejected)] {
        if count > 0 {
            write!(out, "<p class=\"dim\">{what}: {}</p>", number(count))?;
        }
    }
    for breach in &report.breaches {
        let (allowed, found) = (number(breach.allowed), number(breach.found));
        write!(out, "<p class=\"bad\">--{}: {} {allowed}, {} {found}</p>", breach.limit, words.allowed, words.found)?;
    }
    verdicts(report, words, out)?;
    if report.against.is_some() {
        changes(report, words, out)?;
    }
    write!(out, "<h2>{}</h2>", words.alerts_by_day)?;
    if report.against.is_some() {
        key(report, words, out)?;
    }
    out.push_str(&bars(&report.total.alerts.by_day, report.total.alerts_against.as_ref().map(|a| a.by_day.as_slice())));
    rules(report, words, out)?;
    overlap(report, words, out)?;
    sweep(report, words, out)?;
    writeln!(out, "</body></html>")
}

fn key(report: &Report, words: &Words, out: &mut String) -> std::fmt::Result {
    let against = report.against.as_ref().map_or("", |set| set.name.as_str());
    let (with, against) = (escaped(&report.rules.name), escaped(against));
    write!(out, "<p class=\"dim\"><span class=\"key one\"></span>{with}<span class=\"key two\"></span>{against}")?;
    write!(out, " ({})</p>", words.compared)
}

fn head(out: &mut String, first: &str, numbers: &[&str]) -> std::fmt::Result {
    write!(out, "<div class=\"wide\"><table><thead><tr><th scope=\"col\">{first}</th>")?;
    numbers.iter().try_for_each(|name| write!(out, "<th scope=\"col\" class=\"n\">{name}</th>"))?;
    write!(out, "</tr></thead><tbody>")
}

fn row(out: &mut String, first: &str, numbers: &[String]) -> std::fmt::Result {
    write!(out, "<tr><td>{first}</td>")?;
    numbers.iter().try_for_each(|value| write!(out, "<td class=\"n\">{value}</td>"))?;
    write!(out, "</tr>")
}

const END: &str = "</tbody></table></div>";

fn verdicts(report: &Report, words: &Words, out: &mut String) -> std::fmt::Result {
    write!(out, "<h2>{}</h2>", words.decisions)?;
    head(out, words.rule_set, &words.verdicts)?;
    for set in [Some(&report.rules), report.against.as_ref()].into_iter().flatten() {
        let hash = set.hash.get(..12).unwrap_or(&set.hash);
        let name = format!("{} <code class=\"dim\">{}</code>", escaped(&set.name), escaped(hash));
        row(out, &name, &set.verdicts.iter().map(|(_, count)| number(*count)).collect::<Vec<_>>())?;
    }
    write!(out, "{END}")
}

fn changes(report: &Report, words: &Words, out: &mut String) -> std::fmt::Result {
    write!(out, "<h2>{}</h2>", words.changes)?;
    head(out, "", &[words.operations, words.wallets, words.tenge])?;
    let both = [(words.newly, &report.total.newly), (words.no_longer, &report.total.no_longer)];
    for (what, counts) in both {
        for ((_, count), verdict) in counts.iter().zip(&words.verdicts[1..]) {
            let name = format!("{what}: {verdict}{}", examples(count, words));
            row(out, &name, &counted(count))?;
        }
    }
    write!(out, "{END}<p>{}: {}</p>", words.wallets_touched, number(report.total.wallets_touched))
}

fn examples(count: &CountFigures, words: &Words) -> String {
    if count.examples.is_empty() {
        return String::new();
    }
    let ids: Vec<String> = count.examples.iter().map(|id| format!("<code>{}</code>", escaped(id))).collect();
    format!("<br><span class=\"dim\">{}: {}</span>", words.examples, ids.join(", "))
}

fn counted(count: &CountFigures) -> Vec<String> {
    vec![number(count.operations), number(count.wallets), grouped(&count.amount, NO_BREAK_SPACE)]
}

fn alert_cells(alerts: &AlertFigures, has_labels: bool) -> Vec<String> {
    let mut cells = counted(&alerts.count);
    cells.push(format!("{:.1}", alerts.per_day));
    let worst =
        alerts.worst_day.as_ref().map(|(day, count)| format!("{} <span class=\"dim\">{day}</span>", number(*count)));
    cells.push(worst.unwrap_or_default());
    cells.push(percent(alerts.top_wallets_share));
    if has_labels {
        cells.push(percent(alerts.labels.and_then(|labels| labels.precision)));
        cells.push(percent(alerts.labels.and_then(|labels| labels.recall)));
    }
    cells
}

fn alert_head(words: &Words, has_labels: bool) -> Vec<&str> {
    let mut names =
        vec![words.operations, words.wallets, words.tenge, words.per_day, words.worst_day, words.top_wallets];
    if has_labels {
        names.extend([words.precision, words.recall]);
    }
    names
}

fn rules(report: &Report, words: &Words, out: &mut String) -> std::fmt::Result {
    let has_labels = report.total.alerts.labels.is_some();
    write!(out, "<h2>{}</h2>", words.alerts_by_rule)?;
    head(out, words.rule, &alert_head(words, has_labels))?;
    let happened = |rule: &&RuleFigures| {
        rule.alerts.count.operations > 0 || rule.alerts_against.as_ref().is_some_and(|a| a.count.operations > 0)
    };
    let mut rules: Vec<&RuleFigures> = report.by_rule.iter().filter(happened).collect();
    let changed = |rule: &RuleFigures| rule.newly.operations + rule.no_longer.operations;
    rules.sort_by_key(|rule| std::cmp::Reverse((changed(rule), rule.alerts.count.operations)));
    for rule in rules {
        let mode = rule
            .mode
            .filter(|mode| *mode != "enforce")
            .map_or_else(String::new, |mode| format!(" <span class=\"dim\">{mode}</span>"));
        let mut name = format!("<code>{}</code>{mode}", escaped(&rule.rule));
        if report.against.is_some() {
            for (what, count) in [(words.newly, &rule.newly), (words.no_longer, &rule.no_longer)] {
                if count.operations > 0 {
                    write!(name, "<br>{what}: {}{}", number(count.operations), examples(count, words)).unwrap_or(());
                }
            }
        } else {
            name.push_str(&examples(&rule.alerts.count, words));
        }
        row(out, &name, &alert_cells(&rule.alerts, has_labels))?;
    }
    row(out, words.any_rule, &alert_cells(&report.total.alerts, has_labels))?;
    write!(out, "{END}")
}

fn overlap(report: &Report, words: &Words, out: &mut String) -> std::fmt::Result {
    const SHOWN_MAX: usize = 20;
    if report.overlap.is_empty() {
        return Ok(());
    }
    write!(out, "<h2>{}</h2>", words.overlap)?;
    head(out, words.rule, &[words.operations])?;
    for pair in report.overlap.iter().take(SHOWN_MAX) {
        let name = format!("<code>{}</code> + <code>{}</code>", escaped(&pair.rules.0), escaped(&pair.rules.1));
        row(out, &name, &[number(pair.operations)])?;
    }
    write!(out, "{END}")
}

fn sweep(report: &Report, words: &Words, out: &mut String) -> std::fmt::Result {
    let Some(sweep) = &report.sweep else { return Ok(()) };
    let has_labels = sweep.points.iter().any(|point| point.alerts.labels.is_some());
    write!(out, "<h2>{} <code>{}</code></h2>", words.sweep, escaped(&sweep.rule))?;
    let labels: Vec<&str> = sweep.points.iter().map(|point| point.value.as_str()).collect();
    if has_labels {
        let of = |share: fn(&super::report::LabelFigures) -> Option<f64>| -> Vec<Option<f64>> {
            sweep.points.iter().map(|point| point.alerts.labels.as_ref().and_then(share)).collect()
        };
        write!(out, "<p class=\"dim\"><span class=\"key one\"></span>{}", words.precision)?;
        write!(out, "<span class=\"key two\"></span>{}</p>", words.recall)?;
        out.push_str(&lines(&labels, &of(|labels| labels.precision), &of(|labels| labels.recall)));
    } else {
        let days: Vec<(String, u64)> =
            sweep.points.iter().map(|point| (point.value.clone(), point.alerts.count.operations)).collect();
        out.push_str(&bars(&days, None));
    }
    head(out, words.value, &alert_head(words, has_labels))?;
    for point in &sweep.points {
        row(out, &escaped(&point.value), &alert_cells(&point.alerts, has_labels))?;
    }
    write!(out, "{END}")
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Between groups of digits: no line breaks there.
const NO_BREAK_SPACE: char = '\u{a0}';

fn number(value: u64) -> String {
    grouped(&value.to_string(), NO_BREAK_SPACE)
}

/// Ids and names come from operations and files: what HTML would take for markup is written out.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
