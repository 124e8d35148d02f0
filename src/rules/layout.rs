//! The layout of rule files: keys in the documented order, indentation, one blank between the words of conditions.
//!
//! Comments stay where they belong, and what a file says stays the same: a text of which that cannot be shown is left
//! as it is.

mod comments;
mod condition;
mod file;
mod flow;

use std::ops::Range;

use super::diagnostic::{Diagnostic, Findings};
use super::yaml::{self, Node, NodeKind};
use condition::Spacing;

/// Why a file is left as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum NotLaidOut {
    /// It is not the YAML that rules are written in.
    Unreadable(Vec<Diagnostic>),
    /// It would say something else, or lose a comment: it is written in a way that this program does not lay out.
    WouldChange,
}

/// Writes a rule file in the layout of all.
///
/// # Errors
/// The text cannot be read, or laid out without changing what it says. `path` is where findings point to.
pub fn lay_out(path: &str, text: &str) -> Result<String, NotLaidOut> {
    let mut findings = Findings::new(path);
    let root = yaml::parse(text, &mut findings);
    let Some(root) = root.filter(|_| findings.list.is_empty()) else {
        return Err(NotLaidOut::Unreadable(findings.list));
    };
    for spacing in [Spacing::Canonical, Spacing::Kept] {
        let laid_out = file::write(text, &root, spacing);
        if says_the_same((text, &root), &laid_out) {
            return Ok(laid_out);
        }
    }
    Err(NotLaidOut::WouldChange)
}

/// Writes a condition, or a part of one, in one line without its comments; `None` where it cannot be read.
pub(crate) fn one_line(text: &str, range: Range<usize>) -> Option<String> {
    condition::one_line(text, range)
}

fn says_the_same((text, root): (&str, &Node), laid_out: &str) -> bool {
    let mut findings = Findings::new("");
    let Some(other) = yaml::parse(laid_out, &mut findings) else { return false };
    let same = is_same((text, root), (laid_out, &other), Place::Root);
    let comments = |text, root| {
        let mut found = comments::all(text, root);
        found.sort();
        found
    };
    findings.list.is_empty()
        && same
        && comments(text, root) == comments(laid_out, &other)
        && names_in_messages(text, root) == names_in_messages(laid_out, &other)
}

/// Where a node stands, as far as its layout depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// A condition, or a list of conditions.
    Condition,
    /// The list of actions.
    Actions,
    Action,
    Report,
    /// Texts in three languages.
    Texts,
    Block,
    Other,
}

impl Place {
    /// Returns the place of the value of a key.
    fn of_key(self, key: &str) -> Self {
        match (self, key) {
            (Self::Root, "when") | (Self::Report, "when") | (Self::Condition, _) => Self::Condition,
            (Self::Root, "then") => Self::Actions,
            (Self::Root, "title" | "message") => Self::Texts,
            (Self::Action, "report") => Self::Report,
            (Self::Action, "block") => Self::Block,
            _ => Self::Other,
        }
    }

    /// Returns the place of an item.
    const fn of_item(self) -> Self {
        match self {
            Self::Condition => Self::Condition,
            Self::Actions => Self::Action,
            _ => Self::Other,
        }
    }

    /// Lists the keys that have an order here.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Root => &super::rule_file::KEYS,
            Self::Texts => &["kk", "ru", "en"],
            Self::Block => &["what", "direction", "for", "lifted_by"],
            Self::Report => &["to", "when"],
            _ => &[],
        }
    }
}

/// Compares two files by what they say: the order of keys and the spaces of conditions say nothing.
fn is_same((text, one): (&str, &Node), (other_text, other): (&str, &Node), place: Place) -> bool {
    match (&one.kind, &other.kind) {
        (NodeKind::Empty, NodeKind::Empty) => true,
        (NodeKind::Scalar { .. }, NodeKind::Scalar { .. }) if place == Place::Condition => {
            let kinds = |text, span: &Range<usize>| {
                let tokens = condition::tokens(text, span.clone())?;
                Some(tokens.into_iter().map(|token| token.kind).collect::<Vec<_>>())
            };
            match (kinds(text, &one.span), kinds(other_text, &other.span)) {
                (Some(one), Some(other)) => one == other,
                // What cannot be read is left as it is.
                (None, None) => text[one.span.clone()].trim() == other_text[other.span.clone()].trim(),
                _ => false,
            }
        }
        (NodeKind::Scalar { text: one, .. }, NodeKind::Scalar { text: other, .. }) => one == other,
        (NodeKind::Sequence(one), NodeKind::Sequence(other)) => {
            let pair = |(one, other)| is_same((text, one), (other_text, other), place.of_item());
            one.len() == other.len() && one.iter().zip(other).all(pair)
        }
        (NodeKind::Mapping(one), NodeKind::Mapping(other)) => {
            let is_kept = |entry: &yaml::Entry| {
                let same = other.iter().find(|other| other.key == entry.key);
                same.is_some_and(|same| {
                    is_same((text, &entry.value), (other_text, &same.value), place.of_key(&entry.key))
                })
            };
            one.len() == other.len() && one.iter().all(is_kept)
        }
        _ => false,
    }
}

/// Counts for each name in the braces of a message how the condition spells it: such a name has to be found there.
fn names_in_messages(text: &str, root: &Node) -> Vec<(String, bool)> {
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let condition = root.at(&["when"]).map(|node| in_one_line(&text[node.span.clone()])).unwrap_or_default();
    let Some(NodeKind::Mapping(texts)) = root.at(&["message"]).map(|node| &node.kind) else { return Vec::new() };
    let mut names = Vec::new();
    for entry in texts {
        let NodeKind::Scalar { text, .. } = &entry.value.kind else { continue };
        let braces = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        names.extend(braces.map(|(name, _)| in_one_line(name)));
    }
    names.sort();
    names.dedup();
    names.into_iter().map(|name| (name.clone(), condition.contains(&name))).collect()
}
