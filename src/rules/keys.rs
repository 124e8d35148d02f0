//! Reading of mappings with a fixed set of keys: what is unknown, missing or of the wrong shape is a
//! finding, and reading goes on.

use std::ops::Range;

use chrono::NaiveDate;

use super::diagnostic::{Code, Findings};
use super::yaml::{Entry, Node, NodeKind, Style};

/// A mapping whose keys were checked against the known ones.
pub(crate) struct Keys<'n> {
    entries: &'n [Entry],
    /// Where to point when a key is missing.
    span: Range<usize>,
}

impl<'n> Keys<'n> {
    /// Opens a mapping. `None` when the node is something else.
    pub(crate) fn open(node: &'n Node, what: &str, known: &[&str], findings: &mut Findings) -> Option<Self> {
        let NodeKind::Mapping(entries) = &node.kind else {
            let span = node.span.clone();
            findings
                .error(Code::WrongShape, &span, format!("{what} must be a mapping of keys"))
                .label(format!("this is {}", node.describe()))
                .help(format!("its keys are: {}", known.join(", ")));
            return None;
        };
        for entry in entries {
            if !known.contains(&entry.key.as_str()) && entry.key != "<<" {
                findings
                    .error(Code::UnknownKey, &entry.key_span, format!("unknown key `{}` in {what}", entry.key))
                    .label("not known here")
                    .nearest(&entry.key, known.iter().copied());
            }
        }
        let span = entries.first().map_or_else(|| node.span.clone(), |entry| entry.key_span.clone());
        Some(Self { entries, span })
    }

    /// Returns the entry of a key that may be absent.
    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Returns the value of a key that may be absent.
    pub(crate) fn optional(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Returns the value of a key that must be there.
    pub(crate) fn required(&self, key: &str, what: &str, findings: &mut Findings) -> Option<&'n Node> {
        let found = self.optional(key);
        if found.is_none() {
            findings
                .error(Code::MissingKey, &self.span, format!("{what} lacks the key `{key}`"))
                .label(format!("`{key}:` is missing in this mapping"));
        }
        found
    }

    /// Returns the place of the mapping.
    pub(crate) fn span(&self) -> &Range<usize> {
        &self.span
    }
}

/// Reads one non-empty text.
pub(crate) fn text<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n str> {
    match &node.kind {
        NodeKind::Scalar { text, .. } if !text.trim().is_empty() => Some(text.trim()),
        NodeKind::Scalar { .. } | NodeKind::Empty => {
            findings.error(Code::WrongShape, &node.span, format!("{what} must not be empty")).label("nothing here");
            None
        }
        NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
            findings
                .error(Code::WrongShape, &node.span, format!("{what} must be one text"))
                .label(format!("this is {}", node.describe()));
            None
        }
    }
}

/// Reads one of a closed set of words.
pub(crate) fn word<T: Copy>(
    node: &Node,
    what: &str,
    words: &[(&'static str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let found = text(node, what, findings)?;
    if let Some((_, value)) = words.iter().find(|(name, _)| *name == found) {
        return Some(*value);
    }
    findings
        .error(Code::UnknownWord, &node.span, format!("unknown {what} `{found}`"))
        .label("not known here")
        .nearest(found, words.iter().map(|(name, _)| *name));
    None
}

/// Reads a list of nodes; a single value counts as a list of one.
pub(crate) fn list<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Vec<&'n Node> {
    match &node.kind {
        NodeKind::Sequence(items) => items.iter().collect(),
        NodeKind::Scalar { .. } => vec![node],
        NodeKind::Mapping(_) | NodeKind::Empty => {
            findings
                .error(Code::WrongShape, &node.span, format!("{what} must be a list"))
                .label(format!("this is {}", node.describe()));
            Vec::new()
        }
    }
}

/// Reads a calendar date `2026-03-18`.
pub(crate) fn date(node: &Node, what: &str, findings: &mut Findings) -> Option<NaiveDate> {
    let found = text(node, what, findings)?;
    let parsed = parse_date(found);
    if parsed.is_none() {
        findings
            .error(Code::BadDate, &node.span, format!("{what} must be a date"))
            .label("this is no date of the calendar")
            .help("write it as `2026-03-18`; it is read in Almaty");
    }
    parsed
}

/// Reads `YYYY-MM-DD` with exactly these digits, between 2000 and 2100.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if !shaped || !("2000".."2100").contains(&text.get(..4)?) {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// Tells whether a scalar was quoted.
pub(crate) fn is_quoted(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Scalar { style: Style::Quoted, .. })
}
