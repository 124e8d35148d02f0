//! The message of a rule to the client: its text in three languages, and what its placeholders name.

use std::sync::Arc;

use super::Evidence;
use crate::operation::localized::{Language, Localized, Value};

/// A rule's message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// As the rule file has it, placeholders in braces.
    pub text: Arc<Localized>,
    /// What the placeholders name, each once.
    pub placeholders: Vec<Placeholder>,
    /// The text of each language in pieces.
    pieces: [Vec<Piece>; 3],
}

/// What a placeholder names.
#[derive(Debug, Clone, PartialEq)]
pub enum Placeholder {
    /// Position of what the condition read among the rule's evidence.
    Evidence(usize),
    /// A field that the condition does not read.
    Field(Evidence),
    /// So many hundredths of the MRP of the operation's Almaty day, in tenge.
    Mrp { hundredths: i64 },
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    /// Position of a placeholder.
    Value(usize),
}

impl Message {
    /// Takes a text apart; `find` tells what a placeholder's name means. One whose name means nothing stays as it is.
    pub(crate) fn new(text: Localized, find: impl Fn(&str) -> Option<Placeholder>) -> Self {
        let mut placeholders = Vec::new();
        let pieces = Language::ALL.map(|language| pieces(text.of(language), &find, &mut placeholders));
        Self { text: Arc::new(text), placeholders, pieces }
    }

    /// Fills the placeholders with their values, in the order of [`Self::placeholders`].
    #[must_use]
    pub fn filled(&self, values: &[Value]) -> Localized {
        let [kk, ru, en] = [0, 1, 2].map(|number| {
            let language = Language::ALL[number];
            let mut out = String::with_capacity(language_length(&self.pieces[number]) + 16 * values.len());
            for piece in &self.pieces[number] {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    Piece::Value(position) => language.push(&values[*position], &mut out),
                }
            }
            out
        });
        Localized { kk, ru, en }
    }
}

fn language_length(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.len() } else { 0 }).sum()
}

/// Returns the name in a placeholder as conditions spell it: runs of white space are one space.
pub(crate) fn name_of(raw: &str) -> String {
    raw.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn pieces(text: &str, find: &impl Fn(&str) -> Option<Placeholder>, placeholders: &mut Vec<Placeholder>) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut plain = String::new();
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}').map(|found| open + found) else { break };
        plain.push_str(&rest[..open]);
        match find(&name_of(&rest[open + 1..close])) {
            Some(placeholder) => {
                out.push(Piece::Text(std::mem::take(&mut plain)));
                let known = placeholders.iter().position(|known| *known == placeholder);
                out.push(Piece::Value(known.unwrap_or(placeholders.len())));
                if known.is_none() {
                    placeholders.push(placeholder);
                }
            }
            None => plain.push_str(&rest[open..=close]),
        }
        rest = &rest[close + 1..];
    }
    plain.push_str(rest);
    out.push(Piece::Text(plain));
    out
}
