//! A rule with its threshold at each of a range of values.

use std::ops::Range;
use std::sync::Arc;

use thiserror::Error;

use crate::rules::conditions_of;
use crate::rules::program::{RuleSet, Stream};
use crate::rules::syntax::{Expression, ExpressionKind};
use crate::rules::{self, SourceFile};

use super::Named;

/// Most values of one sweep.
const VALUES_MAX: usize = 200;
const FORM: &str = "a sweep is RULE:FROM..TO:STEP, such as transfer-over-100k:100000..300000:10000; of a rule with \
    several numbers RULE@NUMBER:FROM..TO:STEP names the one that moves";

/// A sweep cannot be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SweepError {
    #[error("`{found}` is no sweep: {reason}; {FORM}")]
    Form { found: String, reason: String },
    #[error("a sweep of a rule that is not there: `{0}`")]
    UnknownRule(String),
    #[error("the rule {rule} has no number that could be swept")]
    NoNumber { rule: String },
    #[error("the rule {rule} has the numbers {}; say which one moves: {rule}@NUMBER:FROM..TO:STEP", numbers.join(", "))]
    WhichNumber { rule: String, numbers: Vec<String> },
    #[error("the rule {rule} has no number {wanted}; it has {}", numbers.join(", "))]
    NoSuchNumber { rule: String, wanted: String, numbers: Vec<String> },
    #[error("with {value} the rule {rule} does not load:\n{text}")]
    DoesNotLoad { rule: String, value: String, text: String },
}

/// A threshold and the values that it is to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    pub rule: String,
    /// Hundredths of the number that moves, where the rule has several.
    number: Option<i128>,
    /// Hundredths.
    values: Vec<i128>,
}

impl Sweep {
    /// Reads `RULE:FROM..TO:STEP` or `RULE@NUMBER:FROM..TO:STEP`; the values are those of the rule's own unit.
    ///
    /// # Errors
    /// It is not written like that, or has more than [`VALUES_MAX`] values.
    pub fn parse(text: &str) -> Result<Self, SweepError> {
        let wrong = |reason: &str| SweepError::Form { found: text.to_owned(), reason: reason.to_owned() };
        let mut parts = text.split(':');
        let (Some(rule), Some(range), Some(step), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it has three parts with `:` between"));
        };
        let (rule, number) = rule.split_once('@').map_or((rule, None), |(rule, number)| (rule, Some(number)));
        let (from, to) = range.split_once("..").ok_or_else(|| wrong("a range is FROM..TO"))?;
        let value = |text: &str| hundredths_of(text).ok_or_else(|| wrong(&format!("`{text}` is no number")));
        let number = number.map(value).transpose()?;
        let (from, to, step) = (value(from)?, value(to)?, value(step)?);
        if step == 0 || to < from {
            return Err(wrong("the step is above zero, and TO is not below FROM"));
        }
        if (to - from) / step >= VALUES_MAX as i128 {
            return Err(wrong(&format!("it has more than {VALUES_MAX} values")));
        }
        let values = (0..=(to - from) / step).map(|steps| from + steps * step).collect();
        Ok(Self { rule: rule.to_owned(), number, values })
    }

    /// Tells how many values there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.values.len()
    }

    /// Makes the rule set of each value: the rule alone, or, where it reads the matches of others, all of them.
    ///
    /// # Errors
    /// There is no such rule or number, or the rule does not load with a value.
    pub fn sets(&self, sources: &[SourceFile], known: &RuleSet) -> Result<Vec<Named>, SweepError> {
        let rule = known.rules.iter().find(|rule| *rule.id == *self.rule);
        let rule = rule.ok_or_else(|| SweepError::UnknownRule(self.rule.clone()))?;
        let (span, unit) = self.place(&rule.source)?;
        let set = |value: i128| {
            let written = format!("{}{unit}", written(value));
            let text = format!("{}{written}{}", &rule.source[..span.start], &rule.source[span.end..]);
            let mut sources = sources.to_vec();
            for source in sources.iter_mut().filter(|source| source.path == rule.path) {
                source.bytes = text.clone().into_bytes();
            }
            let compiled = rules::compile(&sources).map_err(|found| SweepError::DoesNotLoad {
                rule: self.rule.clone(),
                value: written.clone(),
                text: rules::render_text(&found, &sources),
            })?;
            Ok((written, Arc::new(alone(compiled.rule_set, &self.rule))))
        };
        self.values.iter().map(|value| set(*value)).collect()
    }

    /// The place of the number that moves, and what follows it there.
    fn place(&self, text: &str) -> Result<(Range<usize>, String), SweepError> {
        let mut numbers = Vec::new();
        conditions_of(text).iter().for_each(|condition| collect(condition, &mut numbers));
        let rule = self.rule.clone();
        let shown = || numbers.iter().map(|(span, _)| text[span.clone()].to_owned()).collect();
        let (span, _) = match (self.number, numbers.as_slice()) {
            (_, []) => return Err(SweepError::NoNumber { rule }),
            (None, [only]) => only,
            (None, _) => return Err(SweepError::WhichNumber { rule, numbers: shown() }),
            (Some(wanted), _) => {
                let found = numbers.iter().find(|(_, hundredths)| *hundredths == wanted);
                let missing = || SweepError::NoSuchNumber { rule, wanted: written(wanted), numbers: shown() };
                found.ok_or_else(missing)?
            }
        };
        let digits = text[span.clone()].find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.'));
        let unit = digits.map_or("", |at| &text[span.start + at..span.end]);
        Ok((span.clone(), unit.to_owned()))
    }
}

/// Leaves out the other rules where this one does not read what they do.
fn alone(mut set: RuleSet, rule: &str) -> RuleSet {
    let reads_matches = set.rules.iter().filter(|known| *known.id == *rule).any(|known| {
        known.stage > 0 || known.aggregates.iter().any(|id| set.aggregates[*id].stream == Stream::Matches)
    });
    if !reads_matches {
        set.rules.retain(|known| *known.id == *rule);
    }
    set
}

fn collect(expression: &Expression, numbers: &mut Vec<(Range<usize>, i128)>) {
    match &expression.kind {
        ExpressionKind::Number { hundredths, .. } => numbers.push((expression.span.clone(), *hundredths)),
        ExpressionKind::Not(inner) => collect(inner, numbers),
        ExpressionKind::All(parts) | ExpressionKind::Any(parts) => parts.iter().for_each(|part| collect(part, numbers)),
        ExpressionKind::Compare { left, right, .. } | ExpressionKind::Arithmetic { left, right, .. } => {
            collect(left, numbers);
            collect(right, numbers);
        }
        ExpressionKind::Aggregate(aggregate) => aggregate.filter.iter().for_each(|filter| collect(filter, numbers)),
        _ => {}
    }
}

fn hundredths_of(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 2 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<2}").replace('_', "").parse().ok()
}

fn written(hundredths: i128) -> String {
    let (units, rest) = (hundredths / 100, hundredths % 100);
    if rest == 0 { units.to_string() } else { format!("{units}.{rest:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_and_what_is_none_is_named() {
        let sweep = Sweep::parse("r:1..2:0.5").unwrap();
        assert_eq!((sweep.values, sweep.number), (vec![100, 150, 200], None));
        assert_eq!(Sweep::parse("r@90_000:1..2:1").unwrap().number, Some(9_000_000));
        for (text, reason) in [
            ("r:1..2", "three parts"),
            ("r:1-2:1", "FROM..TO"),
            ("r:a..2:1", "`a` is no number"),
            ("r:1..2:0", "above zero"),
            ("r:3..2:1", "not below"),
            ("r:0..1000:1", "more than 200"),
        ] {
            let error = Sweep::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_rule_with_several_numbers_asks_which() {
        let text = "rule: r\nwhen: |\n  amount >= 90_000 KZT and count(transfer by wallet within 24h) >= 3\n";
        let error = Sweep::parse("r:1..2:1").unwrap().place(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the rule r has the numbers 90_000 KZT, 3; say which one moves: r@NUMBER:FROM..TO:STEP"
        );
        let (span, unit) = Sweep::parse("r@90000:1..2:1").unwrap().place(text).unwrap();
        assert_eq!((&text[span], unit.as_str()), ("90_000 KZT", " KZT"));
    }
}
