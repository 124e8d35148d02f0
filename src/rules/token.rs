//! Tokens of a condition, lexed on the raw bytes of the file, so that every offset is a file offset.

mod mistakes;

use std::ops::Range;

use super::diagnostic::{Code, Findings};

/// One token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) span: Range<usize>,
    pub(crate) kind: TokenKind,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// A word or a dotted path: `and`, `amount`, `counterparty.kind`.
    Name(String),
    /// A decimal number in hundredths, and whether it bore decimals.
    Number {
        hundredths: i128,
        whole: bool,
    },
    Text(String),
    Sign(Sign),
    /// Something unreadable that was already reported.
    Broken,
    End,
}

/// Operators and punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Over,
    Percent,
    Open,
    Close,
    Comma,
}

impl Sign {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Over => "/",
            Self::Percent => "%",
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => ",",
        }
    }
}

/// Longer digit strings are refused; 10^27 hundredths leave room for any check in `i128`.
const DIGITS_MAX: usize = 25;

/// The most decimals of a number: amounts have hundredths.
pub(crate) const DECIMALS_MAX: usize = 2;

/// Lexes a byte range of a file. Unreadable characters are reported and become [`TokenKind::Broken`].
pub(crate) fn lex(file: &str, range: Range<usize>, findings: &mut Findings) -> Vec<Token> {
    let end = range.end.min(file.len());
    let mut lexer = Lexer { file, at: range.start, end, findings };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next() {
        tokens.push(token);
    }
    let last = file[range.start..end].trim_end().len() + range.start;
    tokens.push(Token { span: last..last, kind: TokenKind::End });
    tokens
}

/// Finds a word of a condition in a byte range of a file, outside of texts and comments.
pub(crate) fn place_of_word(file: &str, range: Range<usize>, word: &str) -> Option<Range<usize>> {
    let tokens = lex(file, range, &mut Findings::new(""));
    tokens.into_iter().find(|token| token.kind == TokenKind::Name(word.to_owned())).map(|token| token.span)
}

struct Lexer<'a> {
    file: &'a str,
    at: usize,
    end: usize,
    findings: &'a mut Findings,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.file[self.at..self.end]
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> Range<usize> {
        let start = self.at;
        let length = self.rest().find(|c: char| !wanted(c)).unwrap_or(self.end - self.at);
        self.at += length;
        start..self.at
    }

    fn skip_blank(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest().starts_with('#') {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let first = self.rest().chars().next()?;
        if first.is_ascii_digit() {
            let start = self.at;
            let token = self.foreign_number().unwrap_or_else(|| self.number());
            self.percent(start);
            return Some(token);
        }
        if first.is_alphabetic() || first == '_' {
            return Some(self.name());
        }
        if first == '"' {
            return Some(self.text());
        }
        if let Some(token) = self.foreign_sign().or_else(|| self.bracketed()) {
            return Some(token);
        }
        let start = self.at;
        if let Some((sign, length)) = sign_at(self.rest()) {
            self.at += length;
            return Some(Token { span: start..self.at, kind: TokenKind::Sign(sign) });
        }
        self.at += first.len_utf8();
        let span = start..self.at;
        let finding = self
            .findings
            .error(Code::BadCharacter, &span, format!("the character `{first}` means nothing here"))
            .label("not part of the language");
        match first {
            '\'' | '«' | '“' | '”' | '„' | '»' => {
                finding.help("texts stand in straight double quotes: `\"…\"`")
            }
            '&' => finding.help("write `and`"),
            '|' => finding.help("write `or`"),
            '!' => finding.help("write `not`"),
            '≥' => finding.help("write `>=`"),
            '≤' => finding.help("write `<=`"),
            '≠' => finding.help("write `!=`"),
            '.' => finding.help("a number starts with a digit: `0.5`"),
            _ => finding,
        };
        Some(Token { span, kind: TokenKind::Broken })
    }

    fn name(&mut self) -> Token {
        let start = self.at;
        loop {
            self.take_while(|c| c.is_alphanumeric() || c == '_');
            let mut rest = self.rest().chars();
            let dotted = rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_alphabetic() || c == '_');
            if !dotted {
                break;
            }
            self.at += 1;
        }
        Token { span: start..self.at, kind: TokenKind::Name(self.file[start..self.at].to_owned()) }
    }

    fn text(&mut self) -> Token {
        let start = self.at;
        self.at += 1;
        let inner = self.take_while(|c| c != '"' && c != '\n');
        if self.rest().starts_with('"') {
            self.at += 1;
            let text = self.file[inner].to_owned();
            self.mixed_text(start, &text);
            return Token { span: start..self.at, kind: TokenKind::Text(text) };
        }
        let span = start..self.at;
        self.findings
            .error(Code::UnclosedText, &span, "this text has no closing quote")
            .label("starts here and runs to the end of the line");
        Token { span, kind: TokenKind::Broken }
    }

    fn number(&mut self) -> Token {
        let whole = self.take_while(|c| c.is_ascii_digit() || c == '_');
        let mut fraction = self.at..self.at;
        let mut rest = self.rest().chars();
        if rest.next() == Some('.') && rest.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            fraction = self.take_while(|c| c.is_ascii_digit() || c == '_');
        }
        let span = whole.start..self.at;
        let kind = self.number_value(whole, fraction, &span);
        Token { span, kind }
    }

    fn number_value(&mut self, whole: Range<usize>, fraction: Range<usize>, span: &Range<usize>) -> TokenKind {
        let decimals = &self.file[fraction];
        if decimals.len() > DECIMALS_MAX || decimals.contains('_') {
            self.findings
                .error(Code::BadNumber, span, "a number has at most two decimals")
                .label(format!("{} decimals", decimals.len()));
            return TokenKind::Broken;
        }
        let digits: String = self.file[whole].chars().filter(|c| *c != '_').collect();
        let scaled = format!("{digits}{decimals:0<DECIMALS_MAX$}");
        match scaled.parse() {
            Ok(hundredths) if digits.len() <= DIGITS_MAX => {
                TokenKind::Number { hundredths, whole: decimals.is_empty() }
            }
            _ => {
                self.findings
                    .error(Code::NumberTooLarge, span, "this number is too large")
                    .label(format!("more than {DIGITS_MAX} digits"));
                TokenKind::Broken
            }
        }
    }
}

/// Every sign as it is written; longer ones come before those they begin with.
pub(crate) const SIGNS: [(&str, Sign); 14] = [
    ("!=", Sign::NotEqual),
    ("<=", Sign::LessOrEqual),
    (">=", Sign::GreaterOrEqual),
    ("=", Sign::Equal),
    ("<", Sign::Less),
    (">", Sign::Greater),
    ("+", Sign::Plus),
    ("-", Sign::Minus),
    ("*", Sign::Times),
    ("/", Sign::Over),
    ("%", Sign::Percent),
    ("(", Sign::Open),
    (")", Sign::Close),
    (",", Sign::Comma),
];

fn sign_at(rest: &str) -> Option<(Sign, usize)> {
    SIGNS.iter().find(|(text, _)| rest.starts_with(text)).map(|(text, sign)| (*sign, text.len()))
}
