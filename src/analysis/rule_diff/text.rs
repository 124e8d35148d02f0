//! The difference of two rule sets for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{ListChange, PartChange, SetDiff};

/// Writes the difference as lines of text.
#[must_use]
pub fn text(diff: &SetDiff) -> String {
    let mut out = String::new();
    write(diff, &mut out).unwrap_or(());
    out
}

fn write(diff: &SetDiff, out: &mut String) -> std::fmt::Result {
    let width = diff.before.name.chars().count().max(diff.after.name.chars().count());
    for (word, set) in [("before", &diff.before), ("after", &diff.after)] {
        writeln!(out, "{word:<7} {:<width$}  rule set {}", set.name, set.ruleset)?;
    }
    if diff.is_empty() {
        return writeln!(out, "\nBoth mean the same.");
    }
    for (word, rules) in [("added", &diff.added), ("removed", &diff.removed)] {
        for rule in rules {
            writeln!(out, "\n{word} {}, {}, on {}: {}", rule.rule, rule.mode, rule.on, rule.title)?;
            writeln!(out, "  when      {}", rule.when)?;
        }
    }
    for rule in &diff.changed {
        writeln!(out, "\nchanged {}", rule.rule)?;
        rule.parts.iter().try_for_each(|part| write_part(part, out))?;
    }
    if !diff.lists.is_empty() {
        writeln!(out)?;
    }
    diff.lists.iter().try_for_each(|list| write_list(list, out))?;
    if !diff.mrp.is_empty() {
        writeln!(out)?;
    }
    for row in &diff.mrp {
        let shown = |value: &Option<String>| value.as_deref().unwrap_or("none").to_owned();
        writeln!(out, "MRP from {}: {} → {}", row.from, shown(&row.before), shown(&row.after))?;
    }
    writeln!(
        out,
        "\n{} rules added, {} removed, {} changed; {} lists and {} rows of the MRP changed",
        diff.added.len(),
        diff.removed.len(),
        diff.changed.len(),
        diff.lists.len(),
        diff.mrp.len()
    )?;
    match &diff.affected {
        Some(command) => writeln!(out, "Who is affected: {command}"),
        None => Ok(()),
    }
}

fn write_part(part: &PartChange, out: &mut String) -> std::fmt::Result {
    let is_short = |value: &Option<String>| {
        value.as_ref().is_none_or(|value| value.chars().count() <= 40 && !value.contains('\n'))
    };
    let shown = |value: &Option<String>| value.as_deref().map_or("none", str::trim_end).to_owned();
    let (before, after) = (shown(&part.before), shown(&part.after));
    if is_short(&part.before) && is_short(&part.after) && part.details.is_empty() {
        return writeln!(out, "  {:<9} {before} → {after}", part.part);
    }
    writeln!(out, "  {}", part.part)?;
    for (sign, value) in [('-', &part.before), ('+', &part.after)] {
        for line in value.iter().flat_map(|value| value.lines()) {
            writeln!(out, "    {sign} {line}")?;
        }
    }
    for detail in &part.details {
        let of = if detail.of.is_empty() { String::new() } else { format!(" of {}", detail.of) };
        match (&detail.before, &detail.after) {
            (Some(before), Some(after)) => writeln!(out, "    {}{of}: {before} → {after}", detail.what)?,
            (Some(before), None) => writeln!(out, "    {}{of} removed: {before}", detail.what)?,
            (None, Some(after)) => writeln!(out, "    {}{of} added: {after}", detail.what)?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn write_list(list: &ListChange, out: &mut String) -> std::fmt::Result {
    write!(out, "list {}", list.list)?;
    match (list.before, list.after) {
        (None, Some(after)) => write!(out, " added, type {after}")?,
        (Some(before), None) => write!(out, " removed, type {before}")?,
        (Some(before), Some(after)) if before != after => write!(out, ": type {before} → {after}")?,
        _ => {}
    }
    if list.is_unread {
        write!(out, "; only one of the two has read its values")?;
    }
    for (word, values) in [("added", &list.added), ("removed", &list.removed), ("changed", &list.changed)] {
        if values.count > 0 {
            let more = if values.count > values.examples.len() { ", …" } else { "" };
            write!(out, "; {} values {word}: {}{more}", values.count, values.examples.join(", "))?;
        }
    }
    writeln!(out)
}

/// Writes a word as a shell takes it.
pub(super) fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@~^+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
    }
}
