//! The part of the grammar inside an aggregate's brackets.

use std::ops::Range;

use super::{Parsed, Parser};
use crate::operation::time::{DAY, HOUR, MINUTE, Nanos, SECOND};
use crate::rules::diagnostic::Code;
use crate::rules::syntax::{
    AggregateSyntax, Expression, ExpressionKind, KeySyntax, Name, Unit, WindowKind, WindowSyntax,
};
use crate::rules::token::{Sign, TokenKind};

/// Longest window: older operations are not kept.
pub(crate) const WINDOW_MAX: Nanos = DAY.times(400);

impl Parser<'_> {
    /// Parses from the opening bracket on. After an error inside, skips to the closing bracket.
    pub(super) fn aggregate(&mut self, function: Name) -> Parsed<Expression> {
        let start = function.span.start;
        self.advance();
        let body = self.aggregate_body(function);
        let closed = body.is_some() && *self.peek() == TokenKind::Sign(Sign::Close);
        if body.is_some() && !closed {
            self.unexpected("`)` after the window");
        }
        if !closed {
            self.skip_to_close();
        }
        self.eat_sign(Sign::Close);
        let span = start..self.end();
        let kind = match body {
            Some(body) if closed => ExpressionKind::Aggregate(Box::new(body)),
            _ => ExpressionKind::Broken,
        };
        Some(Expression { span, kind })
    }

    fn skip_to_close(&mut self) {
        loop {
            self.skip_to_joint();
            if !(self.at_word("and") || self.at_word("or")) {
                return;
            }
            self.advance();
        }
    }

    fn aggregate_body(&mut self, function: Name) -> Parsed<AggregateSyntax> {
        let stream = self.name("an operation type, a class or `match`")?;
        let filter = if self.eat_word("where") { Some(self.expression()) } else { None };
        let key = self.key()?;
        let window = self.window()?;
        let mut excluding_this = false;
        if self.eat_word("excluding") {
            if !self.eat_word("this") {
                self.unexpected("`this` after `excluding`");
                return None;
            }
            excluding_this = true;
        }
        Some(AggregateSyntax { function, stream, filter, key, window, excluding_this })
    }

    fn key(&mut self) -> Parsed<KeySyntax> {
        if self.eat_word("into") {
            if !self.eat_word("wallet") {
                self.unexpected("`wallet` after `into`");
                return None;
            }
            return Some(KeySyntax::IntoWallet);
        }
        if !self.eat_word("by") {
            self.unexpected("`by` and the fields that past operations must share, or `into wallet`")
                .map(|finding| finding.help("for the acting wallet: `by wallet`"));
            return None;
        }
        let mut fields = vec![self.name("a field after `by`")?];
        while self.eat_sign(Sign::Comma) {
            fields.push(self.name("a field after the comma")?);
        }
        Some(KeySyntax::By(fields))
    }

    fn window(&mut self) -> Parsed<WindowSyntax> {
        let start = self.span().start;
        if self.eat_word("today") {
            return Some(WindowSyntax { span: start..self.end(), kind: WindowKind::Today });
        }
        if self.eat_word("this") {
            if !self.eat_word("month") {
                self.unexpected("`month` after `this`");
                return None;
            }
            return Some(WindowSyntax { span: start..self.end(), kind: WindowKind::ThisMonth });
        }
        let quiet = self.at_word("quiet");
        if !quiet && !self.at_word("within") {
            self.unexpected("a window: `within 1h`, `today`, `this month` or `quiet 24h`");
            return None;
        }
        self.advance();
        let kind = match self.duration()? {
            None => WindowKind::Broken,
            Some(length) if quiet => WindowKind::Quiet(length),
            Some(length) => WindowKind::Within(length),
        };
        Some(WindowSyntax { span: start..self.end(), kind })
    }

    /// A duration literal; `Some(None)` when it was read and is wrong.
    fn duration(&mut self) -> Parsed<Option<Nanos>> {
        let literal = self.atom()?;
        let ExpressionKind::Number { hundredths, whole, unit } = literal.kind else {
            if literal.kind != ExpressionKind::Broken {
                self.findings
                    .error(Code::BadDuration, &literal.span, "expected a duration")
                    .label("this is none")
                    .help("write it as `1h`, `30m` or `24h`");
            }
            return Some(None);
        };
        let Some(nanos) = duration_nanos(hundredths, whole, unit, &literal.span, self) else {
            return Some(None);
        };
        if nanos > i128::from(WINDOW_MAX.get()) {
            self.findings
                .error(Code::WindowTooLong, &literal.span, "a window is at most 400 days long")
                .label("longer than 400 days");
            return Some(None);
        }
        Some(i64::try_from(nanos).ok().map(Nanos::new))
    }
}

fn duration_nanos(
    hundredths: i128,
    whole: bool,
    unit: Option<Unit>,
    span: &Range<usize>,
    parser: &mut Parser<'_>,
) -> Option<i128> {
    let finding = match unit.map(unit_nanos) {
        Some(Some(nanos)) if whole && hundredths > 0 => {
            return Some(hundredths.saturating_mul(i128::from(nanos.get())) / 100);
        }
        Some(Some(_)) => {
            parser.findings.error(Code::BadDuration, span, "a window's length is a whole number above zero")
        }
        Some(None) if unit == Some(Unit::Month) => parser
            .findings
            .error(Code::CalendarUnit, span, "a window cannot be counted in months")
            .help("say the exact length in days (`30d`), or use `this month`"),
        Some(None) | None => parser
            .findings
            .error(Code::BadDuration, span, "a window's length needs a unit of time")
            .help("units are `s`, `m`, `h` and `d`"),
    };
    finding.label("here");
    None
}

/// The exact length of a unit of time; a day is 24 hours.
pub(crate) const fn unit_nanos(unit: Unit) -> Option<Nanos> {
    match unit {
        Unit::Second => Some(SECOND),
        Unit::Minute => Some(MINUTE),
        Unit::Hour => Some(HOUR),
        Unit::Day => Some(DAY),
        Unit::Kzt | Unit::Mrp | Unit::Month => None,
    }
}
