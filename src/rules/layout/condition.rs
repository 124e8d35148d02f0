//! The layout of a condition: one blank between words, none inside brackets, lines broken where they were.

use std::ops::Range;

use super::super::check::FUNCTIONS;
use super::super::diagnostic::Findings;
use super::super::syntax::Unit;
use super::super::token::{Sign, Token, TokenKind, lex};

/// How words are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    /// As the layout has it.
    Canonical,
    /// As they were, runs of white space as one blank: names in messages repeat what conditions say.
    Kept,
}

/// Returns the tokens of a condition; `None` where some of it cannot be read.
pub(super) fn tokens(text: &str, range: Range<usize>) -> Option<Vec<Token>> {
    let mut findings = Findings::new("");
    let mut tokens = lex(text, range, &mut findings);
    tokens.pop();
    (findings.list.is_empty() && !tokens.is_empty()).then_some(tokens)
}

/// Writes a condition in one line, without its comments; `None` where some of it cannot be read.
pub(super) fn one_line(text: &str, range: Range<usize>) -> Option<String> {
    let tokens = tokens(text, range)?;
    let mut out = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if before.is_some_and(|before| is_apart(before, token)) {
            out.push(' ');
        }
        out.push_str(&text[token.span.clone()]);
    }
    Some(out)
}

/// Writes a condition in the lines that it has, each further in by one step for each open bracket; `None` where some
/// of it cannot be read.
pub(super) fn lines(text: &str, range: Range<usize>, spacing: Spacing) -> Option<Vec<String>> {
    let tokens = tokens(text, range.clone())?;
    let mut lines = Lines::default();
    let mut before: Option<&Token> = None;
    for token in &tokens {
        let gap = &text[before.map_or(range.start, |before| before.span.end)..token.span.start];
        let is_new_line = before.is_none() | lines.gap(gap, before.is_some());
        let is_close = token.kind == TokenKind::Sign(Sign::Close);
        lines.depth = lines.depth.saturating_sub(usize::from(is_close));
        if is_new_line {
            lines.begin();
        } else if let Some(before) = before {
            let apart = match spacing {
                Spacing::Canonical => is_apart(before, token),
                Spacing::Kept => !gap.is_empty(),
            };
            lines.push(if apart { " " } else { "" });
        }
        lines.push(&text[token.span.clone()]);
        lines.depth += usize::from(token.kind == TokenKind::Sign(Sign::Open));
        before = Some(token);
    }
    let end = before.map_or(range.start, |before| before.span.end);
    lines.gap(&text[end..range.end.max(end)], true);
    Some(lines.list)
}

/// Lists the comments of a condition, without the blanks around them.
pub(super) fn comments(text: &str, range: Range<usize>) -> Option<Vec<&str>> {
    let tokens = tokens(text, range.clone())?;
    let starts = tokens.iter().map(|token| token.span.start).chain([range.end]);
    let ends = [range.start].into_iter().chain(tokens.iter().map(|token| token.span.end));
    let gaps = ends.zip(starts).map(|(end, start)| &text[end..start.max(end)]);
    let of_line = |line: &&str| line.trim_start().starts_with('#');
    Some(gaps.flat_map(str::lines).filter(of_line).map(str::trim).collect())
}

#[derive(Default)]
struct Lines {
    list: Vec<String>,
    depth: usize,
}

impl Lines {
    /// Takes what stands between two tokens: comments, ends of lines. Tells whether the next token begins a line.
    fn gap(&mut self, gap: &str, is_after_token: bool) -> bool {
        let mut parts = gap.split('\n');
        let first = parts.next().unwrap_or_default().trim();
        if first.starts_with('#') {
            if is_after_token {
                self.push("  ");
            } else {
                self.begin();
            }
            self.push(first);
        }
        let mut is_new_line = false;
        for part in parts {
            is_new_line = true;
            if part.trim().starts_with('#') {
                self.begin();
                self.push(part.trim());
            }
        }
        is_new_line
    }

    fn begin(&mut self) {
        self.list.push("  ".repeat(self.depth));
    }

    fn push(&mut self, text: &str) {
        if let Some(line) = self.list.last_mut() {
            line.push_str(text);
        }
    }
}

/// Tells whether a blank belongs between two tokens.
fn is_apart(before: &Token, token: &Token) -> bool {
    let is_name = |known: &dyn Fn(&str) -> bool, token: &Token| match &token.kind {
        TokenKind::Name(name) => known(name),
        _ => false,
    };
    let is_function = |name: &str| FUNCTIONS.iter().any(|(known, _)| *known == name);
    // `2h` is one word to the eye, `5 KZT` are two.
    let is_time = |name: &str| {
        matches!(Unit::from_name(name), Some(Unit::Second | Unit::Minute | Unit::Hour | Unit::Day | Unit::Month))
    };
    match (&before.kind, &token.kind) {
        (TokenKind::Sign(Sign::Open), _) | (_, TokenKind::Sign(Sign::Close | Sign::Comma)) => false,
        (_, TokenKind::Sign(Sign::Open)) => !is_name(&is_function, before),
        (TokenKind::Number { .. }, _) if is_name(&is_time, token) => false,
        _ => true,
    }
}
