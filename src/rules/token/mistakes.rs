//! What people write out of habit from elsewhere: `=>`, `&&`, `100 000`, `80%`, `[a, b]`. Each is reported once with
//! what to write instead, and read as what was meant, so that nothing else is reported of it.

use super::{Lexer, Sign, Token, TokenKind};
use crate::rules::diagnostic::{Code, look_alike};

/// Signs of other languages, what they are written as here, and what they are read as.
const SIGNS: [(&str, &str, Meant); 7] = [
    ("=>", ">=", Meant::Sign(Sign::GreaterOrEqual)),
    ("=<", "<=", Meant::Sign(Sign::LessOrEqual)),
    ("<>", "!=", Meant::Sign(Sign::NotEqual)),
    ("=!", "!=", Meant::Sign(Sign::NotEqual)),
    ("!==", "!=", Meant::Sign(Sign::NotEqual)),
    ("&&", "and", Meant::Word("and")),
    ("||", "or", Meant::Word("or")),
];

#[derive(Clone, Copy)]
enum Meant {
    Sign(Sign),
    Word(&'static str),
}

/// What stands between groups of digits elsewhere.
const GROUP_SIGNS: [char; 7] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', ',', '.'];

impl Lexer<'_> {
    /// Reads a sign of another language.
    pub(super) fn foreign_sign(&mut self) -> Option<Token> {
        let (text, written, meant) = SIGNS.iter().find(|(text, ..)| self.rest().starts_with(text))?;
        let span = self.at..self.at + text.len();
        self.at = span.end;
        self.findings
            .error(Code::BadOperator, &span, format!("`{text}` is no operator here"))
            .label("not part of the language")
            .help(format!("write `{written}`"));
        let kind = match meant {
            Meant::Sign(sign) => TokenKind::Sign(*sign),
            Meant::Word(word) => TokenKind::Name((*word).to_owned()),
        };
        Some(Token { span, kind })
    }

    /// Reads a number whose thousands are parted, or whose decimals stand behind a comma.
    pub(super) fn foreign_number(&mut self) -> Option<Token> {
        let (written, length) = parted(self.rest())?;
        let span = self.at..self.at + length;
        let found = self.file[span.clone()].to_owned();
        self.findings
            .error(Code::BadNumber, &span, format!("`{found}` is not how a number is written"))
            .label("thousands are parted by `_`, decimals by a point")
            .help(format!("write `{written}`"));
        self.at = span.end;
        let (whole, decimals) = written.split_once('.').unwrap_or((&written, ""));
        let scaled = format!("{}{decimals:0<2}", whole.replace('_', ""));
        let kind = match scaled.parse() {
            Ok(hundredths) => TokenKind::Number { hundredths, whole: decimals.is_empty() },
            Err(_) => TokenKind::Broken,
        };
        Some(Token { span, kind })
    }

    /// Reports a percent sign after a number that divides nothing.
    pub(super) fn percent(&mut self, start: usize) {
        let Some(after) = self.rest().strip_prefix('%') else { return };
        let next = after.trim_start();
        let word = next.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let is_operand = next.starts_with(['(', '"']) || !word.is_empty() && !["and", "or", "by"].contains(&word);
        if is_operand {
            return;
        }
        let share = self.file[start..self.at].to_owned();
        self.at += 1;
        self.findings
            .error(Code::BadNumber, &(start..self.at), format!("`{share}%`: numbers have no percent sign"))
            .label("`%` is the remainder of a division")
            .help(format!("a share of {share} percent is asked for as `100 * part / whole >= {share}`"));
    }

    /// Reads a list of values in square brackets.
    pub(super) fn bracketed(&mut self) -> Option<Token> {
        let rest = self.rest().strip_prefix('[')?;
        let inner = rest.split(['\n', ']']).next().unwrap_or_default();
        let is_closed = rest[inner.len()..].starts_with(']');
        let values: Vec<&str> = inner.split(',').map(str::trim).filter(|value| !value.is_empty()).collect();
        let (what, negated) = asked(&self.file[..self.at]);
        let (sign, joint) = if negated { ("!=", " and ") } else { ("=", " or ") };
        let each: Vec<String> = values.iter().map(|value| format!("{what} {sign} {value}")).collect();
        let help = format!("ask for each of them: `({})`", each.join(joint));
        let span = self.at..self.at + 1 + inner.len() + usize::from(is_closed);
        self.at = span.end;
        let finding = self.findings.error(Code::BadCharacter, &span, "a condition holds no list of values");
        finding.label("square brackets are not part of the language");
        if !each.is_empty() {
            finding.help(help);
        }
        finding.help("longer lists are declared in data/lists.yaml and asked for by name: `in NAME`");
        Some(Token { span, kind: TokenKind::Broken })
    }

    /// Warns of a text that mixes alphabets: it equals nothing that a record bears.
    pub(super) fn mixed_text(&mut self, start: usize, text: &str) {
        let mut words = text.split(|letter: char| !letter.is_alphanumeric());
        let Some(word) = words.find(|word| look_alike::is_mixed(word)) else { return };
        let span = start..self.at;
        let finding = self.findings.warning(Code::LookAlike, &span, format!("`{word}` mixes two alphabets"));
        finding.label("it will hardly equal what a record bears");
        if let Some(explanation) = look_alike::explain(word) {
            finding.help(explanation);
        }
    }
}

/// Reads a number that is written as elsewhere; returns how it is written here and how long it is. One point alone is
/// no sign between groups: three decimals are a mistake of another kind.
fn parted(rest: &str) -> Option<(String, usize)> {
    let digits = |at: usize| rest[at..].bytes().take_while(u8::is_ascii_digit).count();
    let mut at = digits(0);
    let mut written = rest[..at].to_owned();
    let (mut groups, mut parted_by) = (0, None);
    while groups > 0 || at <= 3 && !rest.starts_with('0') {
        let Some(sign) = rest[at..].chars().next().filter(|sign| GROUP_SIGNS.contains(sign)) else { break };
        let group = at + sign.len_utf8();
        if digits(group) != 3 || parted_by.is_some_and(|known| known != sign) {
            break;
        }
        (groups, parted_by) = (groups + 1, Some(sign));
        written = format!("{written}_{}", &rest[group..group + 3]);
        at = group + 3;
    }
    let decimals = rest[at..].chars().next().filter(|sign| matches!(sign, ',' | '.') && parted_by != Some(*sign));
    let has_decimals = decimals.is_some() && (1..=2).contains(&digits(at + 1));
    let is_foreign = match groups {
        0 => has_decimals && decimals == Some(','),
        1 => has_decimals || parted_by != Some('.'),
        _ => true,
    };
    if has_decimals {
        let end = at + 1 + digits(at + 1);
        written = format!("{written}.{}", &rest[at + 1..end]);
        at = end;
    }
    let is_over = !rest[at..].starts_with(|c: char| c.is_ascii_digit() || c == '_');
    (is_foreign && is_over).then_some((written, at))
}

/// Finds what the text before a bracket compares, and whether it asks for something else.
fn asked(before: &str) -> (&str, bool) {
    let before = before.trim_end();
    let (before, negated) = match before.strip_suffix("in").filter(|rest| rest.ends_with(char::is_whitespace)) {
        Some(rest) => {
            let rest = rest.trim_end();
            rest.strip_suffix("not")
                .filter(|rest| rest.ends_with(char::is_whitespace))
                .map_or((rest, false), |it| (it, true))
        }
        None => (before.trim_end_matches(['=', '!', '<', '>']), before.ends_with("!=") || before.ends_with("<>")),
    };
    let before = before.trim_end();
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let what = before.rfind(|c| !is_path(c)).map_or(before, |at| before[at..].trim_start_matches(|c| !is_path(c)));
    (if what.is_empty() { "FIELD" } else { what }, negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_other_places_are_read_as_they_were_meant() {
        for (written, expected) in [
            ("100 000 KZT", Some("100_000")),
            ("1 000 000 KZT", Some("1_000_000")),
            ("100\u{a0}000", Some("100_000")),
            ("100'000", Some("100_000")),
            ("100,000", Some("100_000")),
            ("100.000", None),
            ("1.125", None),
            ("0,875", None),
            ("100000,50 KZT", Some("100000.50")),
            ("100 000,5", Some("100_000.5")),
            ("1.000.000,25", Some("1_000_000.25")),
            ("100_000", None),
            ("100000.50", None),
            ("100", None),
            ("100 and", None),
            ("5 1000", None),
            ("1000 000", None),
            ("100 0000", None),
        ] {
            assert_eq!(parted(written).map(|(written, _)| written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn what_stands_before_a_bracket_is_found() {
        assert_eq!(asked("  counterparty.kind = "), ("counterparty.kind", false));
        assert_eq!(asked("amount > 5 KZT and type != "), ("type", true));
        assert_eq!(asked("(type in "), ("type", false));
        assert_eq!(asked("type not in "), ("type", true));
        assert_eq!(asked(""), ("FIELD", false));
    }
}
