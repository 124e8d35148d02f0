//! Lists and tables: those that nothing reads, and a table that ends too early.

use chrono::{Datelike, NaiveDate};

use crate::rules::diagnostic::{Code, Findings};
use crate::rules::program::{Rule, RuleSet};
use crate::rules::syntax::Unit;
use crate::rules::yaml::NodeKind;
use crate::rules::{Diagnostic, FileKind, SourceFile, yaml_of};

/// The month from which the MRP of the next year is known: the law on the budget is signed by then.
const DECEMBER: u32 = 12;

pub(super) fn findings(rules: &RuleSet, files: &[SourceFile], today: NaiveDate) -> Vec<Diagnostic> {
    let of_kind = |wanted: FileKind| files.iter().find(move |file| FileKind::of(file) == wanted);
    let lists = of_kind(FileKind::Lists).map(|file| unused_lists(rules, file)).unwrap_or_default();
    let table = of_kind(FileKind::Mrp).map(|file| mrp(rules, file, today)).unwrap_or_default();
    lists.into_iter().chain(table).collect()
}

fn text(file: &SourceFile) -> &str {
    std::str::from_utf8(&file.bytes).unwrap_or_default()
}

fn unused_lists(rules: &RuleSet, file: &SourceFile) -> Vec<Diagnostic> {
    let mut findings = Findings::new(&file.path);
    let Some(root) = yaml_of(text(file)) else { return Vec::new() };
    for (position, list) in rules.lists.iter().enumerate() {
        if rules.rules.iter().any(|rule| rule.lists.contains(&position)) {
            continue;
        }
        let entry = root.entry_at(&["lists", &list.name]).or_else(|| root.entry_at(&[&list.name]));
        let span = entry.map_or(0..0, |entry| entry.key_span.clone());
        findings
            .warning(Code::UnusedList, &span, format!("no rule reads the list `{}`", list.name))
            .label("not named after `in` in any rule")
            .help("a list that nothing reads stops nobody: ask for it in a rule, or leave it out");
    }
    findings.list
}

fn mrp(rules: &RuleSet, file: &SourceFile, today: NaiveDate) -> Vec<Diagnostic> {
    let mut findings = Findings::new(&file.path);
    let Some((last, _)) = rules.mrp.rows.last() else { return Vec::new() };
    let root = yaml_of(text(file));
    let key = root.as_ref().and_then(|root| root.entry_at(&["mrp"]));
    if !rules.rules.iter().any(reads_mrp) {
        let span = key.map_or(0..0, |entry| entry.key_span.clone());
        findings
            .warning(Code::UnusedTable, &span, "no rule speaks of MRP")
            .label("nothing reads this table")
            .help("leave it out, or write amounts of the law as `100 MRP`");
        return findings.list;
    }
    let last_row = match key.map(|entry| &entry.value.kind) {
        Some(NodeKind::Sequence(rows)) => rows.last().map_or(0..0, |row| row.span.clone()),
        _ => 0..0,
    };
    let needed = if today.month() >= DECEMBER { today.year() + 1 } else { today.year() };
    if last.almaty_date().year() < needed {
        findings
            .warning(Code::MrpEnds, &last_row, format!("the MRP of {needed} is missing"))
            .label("the last row: in force as long as there is no later one")
            .help(format!("add the row `{{from: {needed}-01-01, value: … KZT}}` of the law on the budget"));
    }
    findings.list
}

/// Tells whether a rule names a number of MRP anywhere: in its conditions or its message.
fn reads_mrp(rule: &Rule) -> bool {
    Unit::NAMES.iter().filter(|(_, unit)| *unit == Unit::Mrp).any(|(name, _)| rule.source.contains(name))
}
