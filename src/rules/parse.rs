//! Tokens in, an expression out, all errors of the text at once.
//!
//! After an error the parser skips to the next `and`, `or` or closing bracket of the same nesting and
//! goes on; what could not be read is [`ExpressionKind::Broken`]. It knows no fields and no types.

mod aggregate;

pub(crate) use aggregate::{WINDOW_MAX, unit_nanos};
use std::ops::Range;

use super::diagnostic::{Code, Diagnostic, Findings, look_alike};
use super::program::Comparison;
use super::syntax::{Expression, ExpressionKind, Name, Operator, Unit};
use super::token::{Sign, Token, TokenKind, lex};

/// Deepest nesting of brackets, `not` and arithmetic.
pub(crate) const DEPTH_MAX: usize = 32;

/// Words that mean something in the grammar and are no fields.
pub(crate) const KEYWORDS: [&str; 15] = [
    "and",
    "or",
    "not",
    "in",
    "has",
    "is",
    "by",
    "into",
    "where",
    "within",
    "quiet",
    "excluding",
    "matched",
    "missing",
    "present",
];

/// Parses the expression in a byte range of a file.
pub(crate) fn parse(file: &str, range: Range<usize>, findings: &mut Findings) -> Expression {
    let errors_before = findings.error_count();
    let tokens = lex(file, range, findings);
    let mut parser = Parser { tokens, at: 0, depth: 0, too_deep: false, errors_before, findings };
    if *parser.peek() == TokenKind::End {
        let span = parser.span();
        let finding = parser.findings.error(Code::EmptyCondition, &span, "the condition is empty");
        finding.label("nothing here").help("leave the key out for a rule that always fires");
        return Expression { span, kind: ExpressionKind::Broken };
    }
    let expression = parser.expression();
    while *parser.peek() != TokenKind::End && !parser.too_deep {
        parser.unexpected("`and`, `or` or the end of the condition");
        parser.advance();
        parser.skip_to_joint();
        if parser.eat_word("and") || parser.eat_word("or") {
            parser.expression();
        } else if parser.eat_sign(Sign::Close) {
            parser.skip_to_joint();
            if parser.eat_word("and") || parser.eat_word("or") {
                parser.expression();
            }
        }
    }
    expression
}

/// What parsing of a part gives: nothing when it was reported and must be skipped.
type Parsed<T> = Option<T>;

struct Parser<'f> {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    too_deep: bool,
    /// Errors of other texts.
    errors_before: usize,
    findings: &'f mut Findings,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at].kind
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    /// Returns where the last token that was taken ends.
    fn end(&self) -> usize {
        self.tokens[self.at.saturating_sub(1)].span.end
    }

    fn advance(&mut self) {
        // The last token is `End`, which is never passed.
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Name(name) if name == word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn eat_sign(&mut self, sign: Sign) -> bool {
        let found = *self.peek() == TokenKind::Sign(sign);
        if found {
            self.advance();
        }
        found
    }

    /// Reports the current token; one that the lexer reported is not reported again. Behind another error of the text
    /// nothing is said: what was wanted there depends on what the author meant before.
    fn unexpected(&mut self, wanted: &str) -> Option<&mut Diagnostic> {
        let found = match self.peek() {
            TokenKind::Broken => return None,
            // Everything was skipped; what is missing now was not forgotten by the author.
            _ if self.too_deep => return None,
            _ if self.findings.error_count() > self.errors_before => return None,
            TokenKind::End => "the end of the condition".to_owned(),
            TokenKind::Name(name) => format!("`{name}`"),
            TokenKind::Text(text) => format!("\"{text}\""),
            TokenKind::Number { .. } => "a number".to_owned(),
            TokenKind::Sign(sign) => format!("`{}`", sign.name()),
        };
        let span = self.span();
        let message = format!("expected {wanted}, found {found}");
        let hint = match self.peek() {
            TokenKind::Name(name) => look_alike::explain(name),
            _ => None,
        };
        let finding = self.findings.error(Code::UnexpectedToken, &span, message).label("here");
        Some(match hint {
            Some(hint) => finding.help(hint),
            None => finding,
        })
    }

    /// Skips to the next `and`, `or`, unmatched `)` or the end.
    fn skip_to_joint(&mut self) {
        let mut nested = 0_usize;
        loop {
            match self.peek() {
                TokenKind::End => return,
                TokenKind::Sign(Sign::Open) => nested += 1,
                TokenKind::Sign(Sign::Close) if nested == 0 => return,
                TokenKind::Sign(Sign::Close) => nested -= 1,
                TokenKind::Name(name) if nested == 0 && (name == "and" || name == "or") => return,
                _ => {}
            }
            self.advance();
        }
    }

    /// Counts one level of nesting around `inner`; too deep is reported once and skips everything.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_MAX {
            self.report_too_deep();
            return None;
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn report_too_deep(&mut self) {
        if !self.too_deep {
            self.too_deep = true;
            let span = self.span();
            self.findings
                .error(Code::TooDeep, &span, format!("the condition is nested more than {DEPTH_MAX} deep"))
                .label("too deep here");
        }
        self.at = self.tokens.len() - 1;
    }

    /// `and` or `or` of parts; both without brackets is an error that names the first joint of the other kind.
    fn expression(&mut self) -> Expression {
        let start = self.span().start;
        let mut parts = vec![self.part()];
        let mut joint: Option<&'static str> = None;
        let mut mixed = false;
        loop {
            let found = match self.peek() {
                TokenKind::Name(name) if name == "and" => "and",
                TokenKind::Name(name) if name == "or" => "or",
                _ => break,
            };
            if joint.is_some_and(|joint| joint != found) && !mixed {
                mixed = true;
                let span = self.span();
                self.findings
                    .error(Code::MixedAndOr, &span, "`and` and `or` are mixed without brackets")
                    .label(format!("`{found}` after `{}`", joint.unwrap_or_default()))
                    .help("say what belongs together: `(a or b) and c`, or `a or (b and c)`");
            }
            joint.get_or_insert(found);
            self.advance();
            parts.push(self.part());
        }
        let span = start..self.end().max(start);
        match joint {
            None => parts.swap_remove(0),
            Some("or") => Expression { span, kind: ExpressionKind::Any(parts) },
            Some(_) => Expression { span, kind: ExpressionKind::All(parts) },
        }
    }

    /// One part between `and`s and `or`s; skips to the next joint when it cannot be read.
    fn part(&mut self) -> Expression {
        let start = self.span().start;
        let parsed = self.negation();
        let expression = match parsed {
            Some(expression) => expression,
            None => {
                self.skip_to_joint();
                Expression { span: start..self.end().max(start), kind: ExpressionKind::Broken }
            }
        };
        let joint = matches!(self.peek(), TokenKind::End | TokenKind::Sign(Sign::Close))
            || self.at_word("and")
            || self.at_word("or")
            || self.ends_where();
        if !joint && !self.too_deep {
            self.report_after_part();
            self.skip_to_joint();
        }
        expression
    }

    /// Tells whether the token may follow the `where` of an aggregate.
    fn ends_where(&self) -> bool {
        ["by", "into", "within", "today", "this", "quiet", "excluding"].iter().any(|word| self.at_word(word))
    }

    fn report_after_part(&mut self) {
        let TokenKind::Name(found) = self.peek().clone() else {
            let equal = *self.peek() == TokenKind::Sign(Sign::Equal);
            let finding = self.unexpected("`and`, `or` or the end of the condition");
            if let Some(finding) = finding.filter(|_| equal) {
                finding.help("comparisons do not chain; equality is written with one `=`");
            }
            return;
        };
        if let Some(finding) = self.unexpected("`and`, `or` or the end of the condition") {
            finding.nearest(&found, ["and", "or", "in", "is", "has", "not"]);
        }
    }

    fn negation(&mut self) -> Parsed<Expression> {
        let start = self.span().start;
        if !self.eat_word("not") {
            return self.comparison();
        }
        let inner = self.nested(Self::negation)?;
        Some(Expression { span: start..inner.span.end, kind: ExpressionKind::Not(Box::new(inner)) })
    }

    fn comparison(&mut self) -> Parsed<Expression> {
        let start = self.span().start;
        if self.eat_word("matched") {
            let text = self.text_literal("a clause in quotes, like \"7.15\"")?;
            return Some(Expression { span: start..text.span.end, kind: ExpressionKind::Matched(text) });
        }
        let left = self.sum()?;
        if let Some(comparison) = self.comparison_sign() {
            self.advance();
            if comparison == Comparison::Equal && *self.peek() == TokenKind::Sign(Sign::Equal) {
                self.unexpected("a value").map(|finding| finding.help("equality is written with one `=`"));
                return None;
            }
            let right = self.sum()?;
            let span = start..right.span.end;
            let kind = ExpressionKind::Compare { left: Box::new(left), comparison, right: Box::new(right) };
            return Some(Expression { span, kind });
        }
        let negated = self.at_word("not");
        if negated {
            self.advance();
            if !self.at_word("in") {
                self.unexpected("`in` after `not`");
                return None;
            }
        }
        let what = Box::new(left);
        if self.eat_word("in") {
            let list = self.name("the name of a list")?;
            return Some(Expression { span: start..list.span.end, kind: ExpressionKind::In { what, negated, list } });
        }
        if self.eat_word("has") {
            let text = self.text_literal("a text in quotes")?;
            return Some(Expression { span: start..text.span.end, kind: ExpressionKind::Has { what, text } });
        }
        if self.eat_word("is") {
            let missing = self.at_word("missing");
            if !missing && !self.at_word("present") {
                self.unexpected("`missing` or `present`");
                return None;
            }
            self.advance();
            return Some(Expression { span: start..self.end(), kind: ExpressionKind::Is { what, missing } });
        }
        Some(*what)
    }

    fn comparison_sign(&self) -> Option<Comparison> {
        match self.peek() {
            TokenKind::Sign(Sign::Equal) => Some(Comparison::Equal),
            TokenKind::Sign(Sign::NotEqual) => Some(Comparison::NotEqual),
            TokenKind::Sign(Sign::Less) => Some(Comparison::Less),
            TokenKind::Sign(Sign::LessOrEqual) => Some(Comparison::LessOrEqual),
            TokenKind::Sign(Sign::Greater) => Some(Comparison::Greater),
            TokenKind::Sign(Sign::GreaterOrEqual) => Some(Comparison::GreaterOrEqual),
            _ => None,
        }
    }

    fn sum(&mut self) -> Parsed<Expression> {
        self.arithmetic(Self::product, &[(Sign::Plus, Operator::Add), (Sign::Minus, Operator::Subtract)])
    }

    fn product(&mut self) -> Parsed<Expression> {
        const OPERATORS: [(Sign, Operator); 3] =
            [(Sign::Times, Operator::Multiply), (Sign::Over, Operator::Divide), (Sign::Percent, Operator::Remainder)];
        self.arithmetic(Self::atom, &OPERATORS)
    }

    /// A chain of operators of one strength, to the left. Each link makes the tree one deeper.
    fn arithmetic(
        &mut self,
        operand: fn(&mut Self) -> Parsed<Expression>,
        operators: &[(Sign, Operator)],
    ) -> Parsed<Expression> {
        let mut left = operand(self)?;
        let mut links = 0;
        loop {
            let found = operators.iter().find(|(sign, _)| *self.peek() == TokenKind::Sign(*sign));
            let Some((_, operator)) = found else {
                return Some(left);
            };
            links += 1;
            if self.depth + links > DEPTH_MAX {
                self.report_too_deep();
                return None;
            }
            self.advance();
            let right = operand(self)?;
            let span = left.span.start..right.span.end;
            let kind = ExpressionKind::Arithmetic { left: Box::new(left), operator: *operator, right: Box::new(right) };
            left = Expression { span, kind };
        }
    }

    fn atom(&mut self) -> Parsed<Expression> {
        let span = self.span();
        match self.peek().clone() {
            TokenKind::Number { hundredths, whole } => {
                self.advance();
                let unit = self.unit()?;
                let kind = ExpressionKind::Number { hundredths, whole, unit };
                Some(Expression { span: span.start..self.end(), kind })
            }
            TokenKind::Text(text) => {
                self.advance();
                Some(Expression { span, kind: ExpressionKind::Text(text) })
            }
            TokenKind::Sign(Sign::Open) => {
                self.advance();
                let mut inner = self.nested(|parser| Some(parser.expression()))?;
                if !self.eat_sign(Sign::Close) {
                    self.unexpected("`)`").map(|finding| finding.help("a bracket that was opened is not closed"));
                    return None;
                }
                inner.span = span.start..self.end();
                Some(inner)
            }
            TokenKind::Name(name) if name == "true" || name == "false" => {
                self.advance();
                Some(Expression { span, kind: ExpressionKind::Bool(name == "true") })
            }
            TokenKind::Name(name) if !KEYWORDS.contains(&name.as_str()) => {
                self.advance();
                if *self.peek() == TokenKind::Sign(Sign::Open) {
                    return self.nested(|parser| parser.aggregate(Name { text: name, span }));
                }
                Some(Expression { span, kind: ExpressionKind::Name(name) })
            }
            TokenKind::Sign(Sign::Minus) => {
                self.unexpected("a value").map(|finding| finding.help("nothing in the language is below zero"));
                None
            }
            _ => {
                self.unexpected("a field, a literal, an aggregate or `(`");
                None
            }
        }
    }

    /// The unit after a number, if a word follows that cannot be anything else.
    fn unit(&mut self) -> Parsed<Option<Unit>> {
        let TokenKind::Name(name) = self.peek().clone() else {
            return Some(None);
        };
        if let Some(unit) = Unit::from_name(&name) {
            self.advance();
            return Some(Some(unit));
        }
        let follows = KEYWORDS.contains(&name.as_str()) || name == "today" || name == "this";
        let glued = self.span().start == self.end();
        if follows && !glued {
            return Some(None);
        }
        let span = self.span();
        self.findings
            .error(Code::BadUnit, &span, format!("unknown unit `{name}`"))
            .label("not a unit")
            .help("a literal has one unit: `90m`, `1500 KZT`")
            .nearest(&name, Unit::NAMES.iter().map(|(text, _)| *text));
        self.advance();
        None
    }

    fn text_literal(&mut self, wanted: &str) -> Parsed<Name> {
        let span = self.span();
        if let TokenKind::Text(text) = self.peek().clone() {
            self.advance();
            return Some(Name { text, span });
        }
        self.unexpected(wanted);
        None
    }

    fn name(&mut self, wanted: &str) -> Parsed<Name> {
        let span = self.span();
        match self.peek().clone() {
            TokenKind::Name(text) if !KEYWORDS.contains(&text.as_str()) => {
                self.advance();
                Some(Name { text, span })
            }
            _ => {
                self.unexpected(wanted);
                None
            }
        }
    }
}
