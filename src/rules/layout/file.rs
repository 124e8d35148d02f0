//! Writes the tree of a rule file as text, comments at their places.

use std::collections::VecDeque;

use super::super::yaml::{Entry, Node, NodeKind, Style};
use super::comments::{self, Comment};
use super::condition::{self, Spacing};
use super::{Place, flow};

/// How much further in the inside of a collection stands.
const STEP: usize = 2;
/// What was in several lines is put into one up to this length.
const WIDTH: usize = 120;

/// Writes a file; one that is no mapping of keys stays as it is.
pub(super) fn write(text: &str, root: &Node, spacing: Spacing) -> String {
    let NodeKind::Mapping(entries) = &root.kind else { return text.to_owned() };
    let mut writer = Writer { text, spacing, comments: comments::outside(text, root).into() };
    let mut lines = writer.head(entries);
    lines.extend(writer.mapping(entries, Place::Root, 0, text.len()));
    let mut out = String::with_capacity(text.len());
    for line in lines.iter().skip_while(|line| line.is_empty()) {
        out.push_str(line);
        out.push('\n');
    }
    out
}

struct Writer<'t> {
    text: &'t str,
    spacing: Spacing,
    /// Those that were not written yet.
    comments: VecDeque<Comment>,
}

impl Writer<'_> {
    /// The comments above the first key that an empty line parts from it: they speak of the whole file.
    fn head(&mut self, entries: &[Entry]) -> Vec<String> {
        let start = entries.first().map_or(0, |entry| entry.key_span.start);
        let above = self.comments.iter().take_while(|comment| comment.span.end <= start).count();
        let of_file = self.comments.iter().take(above).rposition(|comment| comment.is_before_blank);
        let Some(last) = of_file else { return Vec::new() };
        let end = self.comments.get(last).map_or(0, |comment| comment.span.end);
        let mut lines = self.above(end, 0);
        lines.push(String::new());
        if let Some(next) = self.comments.front_mut() {
            next.is_after_blank = false;
        }
        lines
    }

    /// Takes the next comment, if it is the wanted one.
    fn next_comment(&mut self, is_wanted: impl Fn(&Comment) -> bool) -> Option<Comment> {
        if self.comments.front().is_some_and(is_wanted) { self.comments.pop_front() } else { None }
    }

    /// Writes the comments that begin before a place, each in a line of its own.
    fn above(&mut self, place: usize, indent: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(comment) = self.next_comment(|comment| comment.span.start < place) {
            if comment.is_after_blank && comment.is_own_line {
                lines.push(String::new());
            }
            lines.push(format!("{}{}", " ".repeat(indent), &self.text[comment.span]));
        }
        lines
    }

    /// Adds the comment that stands in the line of a place, behind it.
    fn behind(&mut self, place: usize, line: &mut String) {
        let text = self.text;
        let is_behind = |comment: &Comment| {
            let between = text.get(place..comment.span.start);
            !comment.is_own_line && between.is_some_and(|between| !between.contains('\n'))
        };
        if let Some(comment) = self.next_comment(is_behind) {
            line.push_str("  ");
            line.push_str(&text[comment.span]);
        }
    }

    /// Writes the comments after the last part of a collection that stand as far in as its parts.
    fn below(&mut self, first: usize, limit: usize, indent: usize) -> Vec<String> {
        let column = first - self.text[..first].rfind('\n').map_or(0, |end| end + 1);
        if column == 0 && indent > 0 {
            // A list may stand no further in than its key, and then nobody knows whose comment it is.
            return Vec::new();
        }
        let count = self.comments.iter().take_while(|comment| comment.span.start < limit && comment.column >= column);
        match count.last().map(|comment| comment.span.end) {
            Some(end) => self.above(end, indent),
            None => Vec::new(),
        }
    }

    /// Writes `key: value` one below the other. `limit` is where the next part of an outer collection begins.
    fn mapping(&mut self, entries: &[Entry], place: Place, indent: usize, limit: usize) -> Vec<String> {
        let mut parts = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let next = entries.get(at + 1).map_or(limit, |next| next.key_span.start);
            let mut lines = self.above(entry.key_span.start, indent);
            let head = format!("{}{}:", " ".repeat(indent), &self.text[entry.key_span.clone()]);
            let place = place.of_key(&entry.key);
            let written = self.value((head, entry.key_span.end), &entry.value, place, (indent, next));
            lines.extend(written);
            parts.push((entry.key.as_str(), lines));
        }
        let order = place.keys();
        parts.sort_by_key(|(key, _)| order.iter().position(|known| known == key).unwrap_or(order.len()));
        let mut lines: Vec<String> = parts.into_iter().flat_map(|(_, lines)| lines).collect();
        if let Some(first) = entries.first() {
            lines.extend(self.below(first.key_span.start, limit, indent));
        }
        lines
    }

    /// Writes `- value` one below the other.
    fn sequence(&mut self, items: &[Node], place: Place, indent: usize, limit: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let next = items.get(at + 1).map_or(limit, |next| next.span.start);
            lines.extend(self.above(item.span.start, indent));
            let dash = format!("{}-", " ".repeat(indent));
            let place = place.of_item();
            let inside = match &item.kind {
                _ if flow::is_flow(self.text, item) => None,
                NodeKind::Mapping(entries) => Some(self.mapping(entries, place, indent + STEP, next)),
                NodeKind::Sequence(items) => Some(self.sequence(items, place, indent + STEP, next)),
                NodeKind::Scalar { .. } | NodeKind::Empty => None,
            };
            match inside {
                // The first part of what is inside stands beside the dash.
                Some(mut inside) => {
                    match inside.first_mut().filter(|first| !first.trim_start().starts_with('#')) {
                        Some(first) if !first.is_empty() => first.replace_range(indent..=indent, "-"),
                        _ => lines.push(dash),
                    }
                    lines.extend(inside);
                }
                None => lines.extend(self.value((dash, item.span.start), item, place, (indent, next))),
            }
        }
        if let Some(first) = items.first() {
            // The dash stands before the item.
            let dash = self.text[..first.span.start].rfind('-').unwrap_or(first.span.start);
            lines.extend(self.below(dash, limit, indent));
        }
        lines
    }

    /// Writes a value behind `head`, which ends at `from` in the text.
    fn value(
        &mut self,
        (mut head, from): (String, usize),
        node: &Node,
        place: Place,
        (indent, limit): (usize, usize),
    ) -> Vec<String> {
        let mut lines = Vec::new();
        if !matches!(node.kind, NodeKind::Mapping(_) | NodeKind::Sequence(_)) || flow::is_flow(self.text, node) {
            if !comments::is_block(node) && node.kind != NodeKind::Empty {
                // What stands between a key and its value speaks of both.
                lines = self.above(node.span.start, indent);
            }
            let is_parted = self.comments.front().is_some_and(|comment| comment.span.start < node.span.end);
            let one_line = flow::text(self.text, node, place, self.spacing).filter(|flow| {
                !is_parted
                    && (!self.text[node.span.clone()].contains('\n')
                        || head.chars().count() + 1 + flow.chars().count() <= WIDTH)
            });
            if let Some(flow) = one_line {
                head.push(' ');
                head.push_str(&flow);
                self.behind(node.span.end, &mut head);
                lines.push(head);
                return lines;
            }
        }
        match &node.kind {
            NodeKind::Scalar { .. } | NodeKind::Empty => lines.extend(self.scalar((head, from), node, place, indent)),
            NodeKind::Mapping(entries) => {
                self.behind(from, &mut head);
                lines.push(head);
                lines.extend(self.mapping(entries, place, indent + STEP, limit));
            }
            NodeKind::Sequence(items) => {
                self.behind(from, &mut head);
                lines.push(head);
                lines.extend(self.sequence(items, place, indent + STEP, limit));
            }
        }
        lines
    }

    fn scalar(&mut self, (mut head, from): (String, usize), node: &Node, place: Place, indent: usize) -> Vec<String> {
        let raw = &self.text[node.span.clone()];
        let inside = " ".repeat(indent + STEP);
        let (text, style) = match &node.kind {
            NodeKind::Scalar { text, style } => (text.as_str(), *style),
            _ => ("", Style::Plain),
        };
        let is_condition = place == Place::Condition && style != Style::Quoted;
        if is_condition && let Some(condition) = condition::lines(self.text, node.span.clone(), self.spacing) {
            // The condition of the rule itself has lines of its own, however short it is.
            if indent > 0 && style == Style::Plain && condition.len() == 1 && !condition[0].contains(" #") {
                head.push(' ');
                head.push_str(&condition[0]);
                self.behind(node.span.end, &mut head);
                return vec![head];
            }
            head.push_str(" |");
            self.behind(if style == Style::Block { from } else { node.span.end }, &mut head);
            let indented = condition.iter().map(|line| format!("{inside}{line}"));
            return [head].into_iter().chain(indented).collect();
        }
        if style == Style::Block {
            let header = header(&self.text[..node.span.start]);
            self.behind_header(&mut head, header, text);
            self.behind(from, &mut head);
            let content = block_lines(self.text, node, header, text);
            let indented =
                content.into_iter().map(|line| if line.is_empty() { line } else { format!("{inside}{line}") });
            return [head].into_iter().chain(indented).collect();
        }
        let mut lines = Vec::new();
        for (at, line) in raw.lines().enumerate() {
            let line = if style == Style::Plain { line.trim() } else { line };
            match at {
                0 => head.push_str(&format!(" {line}")),
                _ if line.trim().is_empty() => lines.push(String::new()),
                _ => lines.push(format!("{inside}{}", line.trim_start())),
            }
        }
        lines.insert(0, head);
        if let Some(last) = lines.last_mut() {
            self.behind(node.span.end, last);
        }
        lines
    }

    /// Writes the sign of a block: how lines are joined, how far in the first stands, what becomes of its last ends.
    fn behind_header(&self, head: &mut String, header: &str, text: &str) {
        head.push_str(if header.starts_with('>') { " >" } else { " |" });
        if text.trim_start_matches('\n').starts_with(' ') {
            head.push_str(&STEP.to_string());
        }
        head.extend(header.chars().filter(|sign| matches!(sign, '+' | '-')));
    }
}

/// Returns the sign of a block from the text before its content.
fn header(before: &str) -> &str {
    let line = before.trim_end().rsplit('\n').next().unwrap_or_default();
    let without_comment = line.find(" #").map_or(line, |comment| &line[..comment]);
    without_comment.split_whitespace().next_back().unwrap_or_default().trim_start_matches([':', '-'])
}

/// Returns the lines of a block without their indentation.
fn block_lines(text: &str, node: &Node, header: &str, value: &str) -> Vec<String> {
    if !header.starts_with('>') {
        return value.lines().map(str::to_owned).collect();
    }
    let before = text[..node.span.start].trim_end().len();
    let raw = text[before..node.span.end.max(before)].split_once('\n').map_or("", |(_, raw)| raw);
    let column = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let first = raw.lines().find(|line| !line.trim().is_empty()).map_or(0, column);
    raw.lines().map(|line| line.get(first..).unwrap_or_default().trim_end().to_owned()).collect()
}
