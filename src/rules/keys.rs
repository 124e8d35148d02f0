//! Reading of mappings with a fixed set of keys: what is unknown, missing or of the wrong shape is a
//! finding, and reading goes on.

use std::ops::Range;

use chrono::NaiveDate;

use super::diagnostic::{Code, Findings, meant_name};
use super::yaml::{Entry, Node, NodeKind, Style};

/// A mapping whose keys were checked against the known ones.
pub(crate) struct Keys<'n> {
    entries: &'n [Entry],
    /// Where to point when something is wrong with the mapping as a whole.
    span: Range<usize>,
    /// The keys that the mapping may have, in the order in which they are usually written.
    known: Vec<String>,
    /// The known keys that unknown ones were probably meant to be.
    meant: Vec<String>,
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
        let mut meant = Vec::new();
        for entry in entries {
            if !known.contains(&entry.key.as_str()) && entry.key != "<<" {
                meant.extend(meant_name(&entry.key, known).map(str::to_owned));
                findings
                    .error(Code::UnknownKey, &entry.key_span, format!("unknown key `{}` in {what}", entry.key))
                    .label("not known here")
                    .nearest(&entry.key, known.iter().copied());
            }
        }
        let span = entries.first().map_or_else(|| node.span.clone(), |entry| entry.key_span.clone());
        let known = known.iter().map(|key| (*key).to_owned()).collect();
        Some(Self { entries, span, known, meant })
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
        if found.is_none() && !self.is_meant(key) {
            let (span, place) = self.place_of_missing(key);
            findings
                .error(Code::MissingKey, &span, format!("{what} lacks the key `{key}`"))
                .label(format!("`{key}:` is missing {place}"));
        }
        found
    }

    /// Tells whether an unknown key was probably meant to be this one: then it is not missing as well.
    pub(crate) fn is_meant(&self, key: &str) -> bool {
        self.meant.iter().any(|meant| meant == key)
    }

    /// Finds the key beside which a missing one is usually written.
    fn place_of_missing(&self, key: &str) -> (Range<usize>, &'static str) {
        let at = self.known.iter().position(|known| known == key).unwrap_or_default();
        let before = self.known[..at].iter().rev().find_map(|known| self.entry(known));
        let start = before.map_or(0, |entry| entry.key_span.end);
        let follows = |known: &String| self.entry(known).filter(|entry| entry.key_span.start >= start);
        match (self.known.iter().skip(at + 1).find_map(follows), before) {
            (Some(after), _) => (after.key_span.clone(), "before this"),
            (None, Some(before)) => (before.key_span.clone(), "after this"),
            (None, None) => (self.span.clone(), "in this mapping"),
        }
    }

    /// Returns the place of the mapping.
    pub(crate) fn span(&self) -> &Range<usize> {
        &self.span
    }
}

/// Reads one non-empty text.
pub(crate) fn text<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n str> {
    match &node.kind {
        // YAML takes a quote in the middle for a letter: `7.15"` would be a text with a quote at its end.
        NodeKind::Scalar { text, style: Style::Plain } if text.matches('"').count() % 2 == 1 => {
            findings
                .error(Code::UnclosedText, &node.span, format!("{what} has a quote without its other"))
                .label("one `\"` in it")
                .help("put the whole text in quotes; a quote inside them is written `\\\"`");
            None
        }
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
