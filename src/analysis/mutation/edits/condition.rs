//! Changes of conditions: `when`, and the `when` of a report.

use std::ops::Range;

use super::Edit;
use crate::operation::time::{Nanos, SECOND};
use crate::rules::program::Comparison;
use crate::rules::syntax::{AggregateSyntax, Expression, ExpressionKind, KeySyntax, Unit, WindowKind};
use crate::rules::{conditions_of, place_of_word, words_of};

/// Lists the changes of a rule's conditions.
pub(super) fn edits(text: &str) -> Vec<Edit> {
    let mut edits = Edits { text, list: Vec::new() };
    for condition in conditions_of(text) {
        edits.truth(&condition, condition.span.clone());
    }
    edits.list
}

struct Edits<'t> {
    text: &'t str,
    list: Vec<Edit>,
}

impl Edits<'_> {
    fn replace(&mut self, span: Range<usize>, replacement: impl Into<String>, phrase: &Range<usize>) {
        let phrase = phrase.start.min(span.start)..phrase.end.max(span.end);
        self.list.push(Edit { span, replacement: replacement.into(), phrase });
    }

    /// What is true or false. `phrase` is what is shown around a bare part.
    fn truth(&mut self, expression: &Expression, phrase: Range<usize>) {
        let span = expression.span.clone();
        match &expression.kind {
            ExpressionKind::All(parts) => self.connectives(expression, parts, ("and", "or"), ("all", "any")),
            ExpressionKind::Any(parts) => self.connectives(expression, parts, ("or", "and"), ("any", "all")),
            ExpressionKind::Not(inner) => {
                let inside = self.text[inner.span.clone()].to_owned();
                self.replace(span.clone(), inside, &span);
                // Its negation would be what the line above is.
                if !matches!(inner.kind, ExpressionKind::Name(_)) {
                    self.truth(inner, span);
                }
            }
            ExpressionKind::Name(name) => self.replace(span, format!("not {name}"), &phrase),
            ExpressionKind::Aggregate(aggregate) => {
                self.replace(span.start..span.start, "not ", &phrase);
                self.aggregate(aggregate, &span);
            }
            ExpressionKind::Compare { left, comparison, right } => self.comparison((left, *comparison, right), &span),
            ExpressionKind::In { what, negated, .. } => {
                let after = what.span.end..span.end;
                if *negated {
                    self.drop_word("not", after, &span);
                } else if let Some(word) = place_of_word(self.text, after, "in") {
                    self.replace(word.start..word.start, "not ", &span);
                }
            }
            ExpressionKind::Is { what, missing } => {
                let (word, other) = if *missing { ("missing", "present") } else { ("present", "missing") };
                if let Some(place) = place_of_word(self.text, what.span.end..span.end, word) {
                    self.replace(place, other, &span);
                }
            }
            ExpressionKind::Has { text, .. } | ExpressionKind::Matched(text) => {
                self.replace(text.span.clone(), other_text(&text.text), &span);
            }
            ExpressionKind::Bool(_) | ExpressionKind::Number { .. } | ExpressionKind::Text(_) => {
                self.value(expression, &span);
            }
            ExpressionKind::Arithmetic { .. } | ExpressionKind::Broken => {}
        }
    }

    fn drop_word(&mut self, word: &str, within: Range<usize>, phrase: &Range<usize>) {
        if let Some(place) = place_of_word(self.text, within, word) {
            let blanks = self.text[place.end..].len() - self.text[place.end..].trim_start().len();
            self.replace(place.start..place.end + blanks, "", phrase);
        }
    }

    /// `a and b and c` becomes `(a or b) and c` and `a and (b or c)`; a list under `all:` becomes one under `any:`.
    fn connectives(
        &mut self,
        whole: &Expression,
        parts: &[Expression],
        (joint, other): (&str, &str),
        (key, other_key): (&str, &str),
    ) {
        if self.text[whole.span.clone()].starts_with(&format!("{key}:")) {
            let key = whole.span.start..whole.span.start + key.len();
            self.replace(key.clone(), other_key, &key);
        }
        for pair in parts.windows(2) {
            let [first, second] = pair else { continue };
            if let Some(word) = place_of_word(self.text, first.span.end..second.span.start, joint) {
                let (start, end) = (first.span.start, second.span.end);
                let (before, after) = (&self.text[start..word.start], &self.text[word.end..end]);
                let joined = format!("{before}{other}{after}");
                let joined = if parts.len() > 2 { format!("({joined})") } else { joined };
                self.replace(start..end, joined, &(start..end));
            }
        }
        for part in parts {
            self.truth(part, part.span.clone());
        }
    }

    fn comparison(&mut self, (left, comparison, right): (&Expression, Comparison, &Expression), span: &Range<usize>) {
        let other = match comparison {
            Comparison::Equal => "!=",
            Comparison::NotEqual => "=",
            Comparison::Less => "<=",
            Comparison::LessOrEqual => "<",
            Comparison::Greater => ">=",
            Comparison::GreaterOrEqual => ">",
        };
        let between = &self.text[left.span.end..right.span.start];
        if let Some(at) = between.find(['=', '!', '<', '>']) {
            let length = between[at..].find(|c| !matches!(c, '=' | '!' | '<' | '>')).unwrap_or(between.len() - at);
            let start = left.span.end + at;
            self.replace(start..start + length, other, span);
        }
        self.side(left, right, span);
        self.side(right, left, span);
    }

    /// One side of a comparison; a name that is a word of the other side's enum is a literal.
    fn side(&mut self, side: &Expression, other: &Expression, phrase: &Range<usize>) {
        if let (ExpressionKind::Name(word), Some(words)) = (&side.kind, words_beside(other)) {
            if let Some(at) = words.iter().position(|known| known == word) {
                let next = words[(at + 1) % words.len()];
                if next != word {
                    self.replace(side.span.clone(), next, phrase);
                }
            } else if is_country_code(word) {
                let next = if word == "KZ" { "RU" } else { "KZ" };
                self.replace(side.span.clone(), next, phrase);
            }
            return;
        }
        self.value(side, phrase);
    }

    /// A part that is a value: a literal, an aggregate, or a sum of them.
    fn value(&mut self, expression: &Expression, phrase: &Range<usize>) {
        let span = expression.span.clone();
        match &expression.kind {
            ExpressionKind::Bool(value) => self.replace(span, (!value).to_string(), phrase),
            ExpressionKind::Number { hundredths, whole, unit } => {
                for stepped in steps(*hundredths, *whole, *unit) {
                    self.replace(span.clone(), stepped, phrase);
                }
            }
            ExpressionKind::Text(text) => self.replace(span, other_text(text), phrase),
            ExpressionKind::Aggregate(aggregate) => self.aggregate(aggregate, &span),
            ExpressionKind::Arithmetic { left, right, .. } => {
                self.value(left, phrase);
                self.value(right, phrase);
            }
            _ => {}
        }
    }

    fn aggregate(&mut self, aggregate: &AggregateSyntax, phrase: &Range<usize>) {
        if let Some(filter) = &aggregate.filter {
            self.truth(filter, filter.span.clone());
        }
        match &aggregate.key {
            KeySyntax::IntoWallet => {
                let until = aggregate.window.span.start;
                let after = aggregate.filter.as_ref().map_or(aggregate.stream.span.end, |filter| filter.span.end);
                if let Some(place) = place_of_word(self.text, after..until, "into") {
                    self.replace(place, "by", phrase);
                }
            }
            KeySyntax::By(fields) => {
                for (at, field) in fields.iter().enumerate() {
                    let span = match (fields.get(at + 1), at.checked_sub(1).and_then(|before| fields.get(before))) {
                        (Some(next), _) => field.span.start..next.span.start,
                        (None, Some(before)) => before.span.end..field.span.end,
                        // Everybody's operations of this type count together.
                        (None, None) => {
                            let widest = if field.text == "type" { "wallet" } else { "type" };
                            self.replace(field.span.clone(), widest, phrase);
                            continue;
                        }
                    };
                    self.replace(span, "", phrase);
                }
            }
        }
        self.window(aggregate, phrase);
    }

    fn window(&mut self, aggregate: &AggregateSyntax, phrase: &Range<usize>) {
        let span = aggregate.window.span.clone();
        let of_length = |word: &str, length: Nanos| {
            let seconds = length / SECOND;
            [seconds - 1, seconds + 1].into_iter().filter(|s| *s > 0).map(|s| format!("{word} {s}s")).collect()
        };
        let others: Vec<String> = match aggregate.window.kind {
            WindowKind::Within(length) => of_length("within", length),
            WindowKind::Quiet(length) => of_length("quiet", length),
            WindowKind::Today => vec!["this month".to_owned()],
            WindowKind::ThisMonth => vec!["today".to_owned()],
            WindowKind::Broken => Vec::new(),
        };
        for other in others {
            self.replace(span.clone(), other, phrase);
        }
        let this = place_of_word(self.text, span.end..phrase.end, "this").filter(|_| aggregate.excluding_this);
        if let Some(this) = this {
            self.replace(span.end..this.end, "", phrase);
        }
    }
}

/// Where the words of an enum or the codes of a country may stand: beside a field of that type, or an aggregate of it.
fn words_beside(other: &Expression) -> Option<&'static [&'static str]> {
    match &other.kind {
        ExpressionKind::Name(path) => words_of(path),
        // `last(login.ip.country …)`: the first part is the stream.
        ExpressionKind::Aggregate(aggregate) => {
            aggregate.stream.text.split_once('.').and_then(|(_, path)| words_of(path))
        }
        _ => None,
    }
}

fn is_country_code(word: &str) -> bool {
    word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn other_text(text: &str) -> String {
    format!("\"{text}~\"")
}

/// The literal one step down and one step up: a tiyn, a hundredth of an MRP, one, a second, a calendar month.
fn steps(hundredths: i128, whole: bool, unit: Option<Unit>) -> Vec<String> {
    let (value, step, name) = match unit {
        Some(Unit::Kzt) => (hundredths, 1, " KZT"),
        Some(Unit::Mrp) => (hundredths, 1, " MRP"),
        Some(Unit::Second) => (hundredths, 100, "s"),
        Some(Unit::Minute) => (hundredths * 60, 100, "s"),
        Some(Unit::Hour) => (hundredths * 3_600, 100, "s"),
        Some(Unit::Day) => (hundredths * 86_400, 100, "s"),
        Some(Unit::Month) => (hundredths, 100, "mo"),
        None => (hundredths, if whole { 100 } else { 1 }, ""),
    };
    let written = |value: i128| {
        let (units, rest) = (value / 100, value % 100);
        if rest == 0 { format!("{units}{name}") } else { format!("{units}.{rest:02}{name}") }
    };
    [value - step, value + step].into_iter().filter(|value| *value >= 0).map(written).collect()
}
