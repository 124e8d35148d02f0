//! Changes of what a rule says outside its conditions: the types it judges, its period, the terms of its actions.

use super::Edit;
use crate::analysis::mutation::budgets::{self, Side};
use crate::rules::program::{Budget, Share};
use crate::rules::yaml::{Entry, Node, NodeKind};
use crate::rules::{basis_points_of, yaml_of};

/// Lists the changes of a rule's settings. The terms of what a shadow rule would ask for, and its budget, are left alone:
/// it asks for nothing, so that no test can notice them.
pub(super) fn edits(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let Some(root) = yaml_of(text) else { return edits };
    let is_enforced = root.at(&["mode"]).is_some_and(|mode| scalar(mode) == "enforce");
    if let Some(entry) = root.entry_at(&["on"]) {
        without_each(text, entry, &mut edits);
    }
    for key in ["from", "until"] {
        if let Some(entry) = root.entry_at(&[key]) {
            other_days(entry, &mut edits);
        }
    }
    if let Some(entry) = root.entry_at(&["on_missing"]) {
        replace(entry, if scalar(&entry.value) == "skip" { "fire" } else { "skip" }, &mut edits);
    }
    if is_enforced {
        other_budgets(&root, &mut edits);
    }
    let Some(NodeKind::Sequence(actions)) = root.at(&["then"]).map(|node| &node.kind) else { return edits };
    for action in actions.iter().filter(|_| is_enforced) {
        if let Some(entry) = action.entry_at(&["block", "for"]) {
            other_terms(entry, &mut edits);
        }
        for name in ["block", "hold", "monitor"] {
            if let Some(entry) = action.entry_at(&[name, "lifted_by"]) {
                without_each(text, entry, &mut edits);
            }
        }
    }
    edits
}

fn scalar(node: &Node) -> &str {
    match &node.kind {
        NodeKind::Scalar { text, .. } => text.trim(),
        NodeKind::Sequence(_) | NodeKind::Mapping(_) | NodeKind::Empty => "",
    }
}

fn replace(entry: &Entry, replacement: impl Into<String>, edits: &mut Vec<Edit>) {
    let span = entry.value.span.clone();
    edits.push(Edit { phrase: entry.key_span.start..span.end, span, replacement: replacement.into() });
}

/// The list without each of its items in turn; a list of one stays.
fn without_each(text: &str, entry: &Entry, edits: &mut Vec<Edit>) {
    let NodeKind::Sequence(items) = &entry.value.kind else { return };
    if items.len() < 2 {
        return;
    }
    for left_out in 0..items.len() {
        let kept = items.iter().enumerate().filter(|(at, _)| *at != left_out);
        let kept: Vec<&str> = kept.map(|(_, item)| &text[item.span.clone()]).collect();
        replace(entry, format!("[{}]", kept.join(", ")), edits);
    }
}

fn other_days(entry: &Entry, edits: &mut Vec<Edit>) {
    let Ok(day) = scalar(&entry.value).parse::<chrono::NaiveDate>() else { return };
    for other in [day.pred_opt(), day.succ_opt()].into_iter().flatten() {
        replace(entry, other.to_string(), edits);
    }
}

/// An operation less and more, and the next shares: those that make a difference within the rest of the budget.
fn other_budgets(root: &Node, edits: &mut Vec<Edit>) {
    let of = |key: &str| root.entry_at(&["budget", key]);
    let count = |key: &str| scalar(&of(key)?.value).replace('_', "").parse::<u32>().ok();
    let basis_points = of("share").and_then(|entry| basis_points_of(scalar(&entry.value)));
    let at_least = count("at_least").unwrap_or(Share::AT_LEAST);
    let share = basis_points.map(|basis_points| Share { basis_points, at_least });
    let budget = Budget { holds_per_hour: count("holds_per_hour"), share };
    let mut counts = vec!["holds_per_hour"];
    if !budgets::at_enough(budget).is_empty() {
        counts.push("at_least");
    }
    for (entry, found) in counts.into_iter().filter_map(|key| of(key).zip(count(key))) {
        for other in [found.checked_sub(1), found.checked_add(1)].into_iter().flatten().filter(|count| *count > 0) {
            replace(entry, other.to_string(), edits);
        }
    }
    let Some(entry) = of("share") else { return };
    for side in [Side::Less, Side::More] {
        if let Some((basis_points, _)) = budgets::next_share(budget, side) {
            replace(entry, Share { basis_points, at_least }.text(), edits);
        }
    }
}

/// A second less and more; a calendar day or month of what is counted in those.
fn other_terms(entry: &Entry, edits: &mut Vec<Edit>) {
    let term = scalar(&entry.value);
    let digits = term.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let Ok(count) = digits.parse::<u64>() else { return };
    let (count, unit) = match &term[digits.len()..] {
        "m" => (count * 60, "s"),
        "h" => (count * 3_600, "s"),
        unit => (count, unit),
    };
    for other in [count.checked_sub(1), Some(count + 1)].into_iter().flatten().filter(|count| *count > 0) {
        replace(entry, format!("{other}{unit}"), edits);
    }
}
