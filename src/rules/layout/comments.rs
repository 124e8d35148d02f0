//! The comments of a file, outside of its texts.

use std::ops::Range;

use super::super::yaml::{Node, NodeKind, Style};
use super::{Place, condition};

/// A comment that stands outside of texts and conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) span: Range<usize>,
    /// Nothing but blanks stands before it in its line.
    pub(super) is_own_line: bool,
    /// How many characters stand before it in its line.
    pub(super) column: usize,
    /// The line above is empty.
    pub(super) is_after_blank: bool,
    /// The line below is empty.
    pub(super) is_before_blank: bool,
}

/// Finds the comments of a file, in the order of the text.
pub(super) fn outside(text: &str, root: &Node) -> Vec<Comment> {
    let mut texts = Vec::new();
    spans(root, &mut texts);
    texts.sort_by_key(|span| span.start);
    let mut texts = texts.into_iter().peekable();
    let mut comments = Vec::new();
    let (mut start, mut is_after_blank) = (0, false);
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let mut at = start;
        while at < end {
            while texts.peek().is_some_and(|span| span.end <= at) {
                texts.next();
            }
            if let Some(span) = texts.peek().filter(|span| span.contains(&at)) {
                at = span.end;
                continue;
            }
            let is_begin = at == start || text.as_bytes()[at - 1].is_ascii_whitespace();
            if is_begin && text.as_bytes()[at] == b'#' {
                let shown = text[at..end].trim_end();
                let below = text[end..].split('\n').next().unwrap_or_default();
                comments.push(Comment {
                    span: at..at + shown.len(),
                    is_own_line: text[start..at].trim().is_empty(),
                    column: at - start,
                    is_after_blank,
                    is_before_blank: end < text.len() && below.trim().is_empty(),
                });
                break;
            }
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
        is_after_blank = line.trim().is_empty();
        start = end;
    }
    comments
}

/// Lists the texts of all comments of a file, those inside conditions too.
pub(super) fn all(text: &str, root: &Node) -> Vec<String> {
    let mut found: Vec<String> = outside(text, root).into_iter().map(|comment| text[comment.span].to_owned()).collect();
    inside(text, root, Place::Root, &mut found);
    found
}

fn inside(text: &str, node: &Node, place: Place, found: &mut Vec<String>) {
    match &node.kind {
        NodeKind::Scalar { .. } if place == Place::Condition => {
            let comments = condition::comments(text, node.span.clone()).unwrap_or_default();
            found.extend(comments.into_iter().map(str::to_owned));
        }
        NodeKind::Scalar { .. } | NodeKind::Empty => {}
        NodeKind::Sequence(items) => items.iter().for_each(|item| inside(text, item, place.of_item(), found)),
        NodeKind::Mapping(entries) => {
            entries.iter().for_each(|entry| inside(text, &entry.value, place.of_key(&entry.key), found));
        }
    }
}

fn spans(node: &Node, texts: &mut Vec<Range<usize>>) {
    match &node.kind {
        NodeKind::Scalar { .. } => texts.push(node.span.clone()),
        NodeKind::Empty => {}
        NodeKind::Sequence(items) => items.iter().for_each(|item| spans(item, texts)),
        NodeKind::Mapping(entries) => {
            for entry in entries {
                texts.push(entry.key_span.clone());
                spans(&entry.value, texts);
            }
        }
    }
}

/// Tells whether a text is a block: its lines stand below its key.
pub(super) fn is_block(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Scalar { style: Style::Block, .. })
}
