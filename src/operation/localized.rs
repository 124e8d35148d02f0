//! Texts for people in the service's three languages, and values as each of them writes them.

use std::fmt::Write as _;

use chrono::{Datelike, Timelike};

use super::{Decimal, Time};

/// Between groups of digits, and between a number and its unit: no line breaks there.
const NO_BREAK_SPACE: char = '\u{a0}';

/// A text in the three languages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Localized {
    pub kk: String,
    pub ru: String,
    pub en: String,
}

/// A language of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Kazakh,
    Russian,
    English,
}

/// A value that a condition read, or that a text for people names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Missing,
    Flag(bool),
    Whole(i128),
    Decimal(Decimal),
    /// Tiyn.
    Money(i128),
    /// So many hundredths of an MRP whose amount is not known on that day.
    Mrp(i64),
    /// Nanoseconds.
    Duration(i128),
    Time(Time),
    Text(Box<str>),
}

impl Localized {
    /// Returns the text in one language.
    #[must_use]
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::Kazakh => &self.kk,
            Language::Russian => &self.ru,
            Language::English => &self.en,
        }
    }
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Kazakh, Self::Russian, Self::English];

    /// Chooses among the three languages, in the order of [`Self::ALL`].
    #[must_use]
    pub fn choose<T>(self, [kk, ru, en]: [T; 3]) -> T {
        match self {
            Self::Kazakh => kk,
            Self::Russian => ru,
            Self::English => en,
        }
    }

    /// Appends a value as the language writes it: amounts in groups of three digits and with their currency, times
    /// in Almaty's clock.
    pub fn push(self, value: &Value, out: &mut String) {
        match value {
            Value::Missing => out.push('—'),
            Value::Flag(true) => out.push_str(self.choose(["иә", "да", "yes"])),
            Value::Flag(false) => out.push_str(self.choose(["жоқ", "нет", "no"])),
            Value::Whole(number) => self.push_number(*number, out),
            Value::Decimal(number) => self.push_decimal(*number, out),
            Value::Money(tiyn) => {
                self.push_hundredths(*tiyn, out);
                out.push(NO_BREAK_SPACE);
                out.push_str(self.choose(["теңге", "тенге", "KZT"]));
            }
            Value::Mrp(hundredths) => {
                self.push_hundredths(i128::from(*hundredths), out);
                out.push(NO_BREAK_SPACE);
                out.push_str(self.choose(["АЕК", "МРП", "MRP"]));
            }
            Value::Duration(nanos) => self.push_duration(*nanos, out),
            Value::Time(time) => self.push_time(*time, out),
            Value::Text(text) => out.push_str(text),
        }
    }

    fn push_number(self, number: i128, out: &mut String) {
        if number < 0 {
            out.push('−');
        }
        self.push_digits(&number.unsigned_abs().to_string(), out);
    }

    fn push_digits(self, digits: &str, out: &mut String) {
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                out.push(self.choose([NO_BREAK_SPACE, NO_BREAK_SPACE, ',']));
            }
            out.push(digit);
        }
    }

    fn push_decimal(self, number: Decimal, out: &mut String) {
        let text = number.to_string();
        let unsigned = text.trim_start_matches('-');
        if unsigned.len() < text.len() {
            out.push('−');
        }
        match unsigned.split_once('.') {
            // Very large and very small ones have an exponent.
            _ if unsigned.contains('e') => out.push_str(unsigned),
            None => self.push_digits(unsigned, out),
            Some((whole, part)) => {
                self.push_digits(whole, out);
                out.push(self.choose([',', ',', '.']));
                out.push_str(part);
            }
        }
    }

    /// A whole number has no decimals, any other has two.
    fn push_hundredths(self, hundredths: i128, out: &mut String) {
        let (whole, part) = (hundredths / 100, hundredths.unsigned_abs() % 100);
        if whole == 0 && hundredths < 0 {
            out.push('−');
        }
        self.push_number(whole, out);
        if part > 0 {
            // Writing to a String cannot fail.
            write!(out, "{}{part:02}", self.choose([',', ',', '.'])).unwrap_or_default();
        }
    }

    /// The two greatest units that are not zero.
    fn push_duration(self, nanos: i128, out: &mut String) {
        if nanos < 0 {
            out.push('−');
        }
        let seconds = nanos.unsigned_abs() / 1_000_000_000;
        let units = [
            (seconds / 86_400, ["тәулік", "сут", "d"]),
            (seconds / 3_600 % 24, ["сағ", "ч", "h"]),
            (seconds / 60 % 60, ["мин", "мин", "min"]),
            (seconds % 60, ["с", "с", "s"]),
        ];
        let shown: Vec<_> = units.iter().filter(|(count, _)| *count > 0).take(2).collect();
        let shown = if shown.is_empty() { vec![&units[3]] } else { shown };
        for (position, (count, names)) in shown.into_iter().enumerate() {
            if position > 0 {
                out.push(' ');
            }
            write!(out, "{count}{NO_BREAK_SPACE}{}", self.choose(*names)).unwrap_or_default();
        }
    }

    fn push_time(self, time: Time, out: &mut String) {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let local = time.to_almaty();
        let (day, month, year) = (local.day(), local.month(), local.year());
        if self == Self::English {
            let name = MONTHS[local.month0() as usize % 12];
            write!(out, "{day}{NO_BREAK_SPACE}{name}{NO_BREAK_SPACE}{year}").unwrap_or_default();
        } else {
            write!(out, "{day:02}.{month:02}.{year}").unwrap_or_default();
        }
        write!(out, "{NO_BREAK_SPACE}{:02}:{:02}", local.hour(), local.minute()).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &Value) -> [String; 3] {
        Language::ALL.map(|language| {
            let mut out = String::new();
            language.push(value, &mut out);
            out.replace(NO_BREAK_SPACE, "_")
        })
    }

    #[test]
    fn amounts_are_grouped_and_bear_their_currency() {
        assert_eq!(shown(&Value::Money(15_000_000)), ["150_000_теңге", "150_000_тенге", "150,000_KZT"]);
        assert_eq!(shown(&Value::Money(10_000_001)), ["100_000,01_теңге", "100_000,01_тенге", "100,000.01_KZT"]);
        assert_eq!(shown(&Value::Money(90))[2], "0.90_KZT");
        assert_eq!(shown(&Value::Money(-90))[2], "−0.90_KZT");
        assert_eq!(shown(&Value::Money(-123_456))[1], "−1_234,56_тенге");
        assert_eq!(shown(&Value::Money(99_999_999_999_999_999))[2], "999,999,999,999,999.99_KZT");
        assert_eq!(shown(&Value::Mrp(10_000)), ["100_АЕК", "100_МРП", "100_MRP"]);
        assert_eq!(shown(&Value::Mrp(50)), ["0,50_АЕК", "0,50_МРП", "0.50_MRP"]);
    }

    #[test]
    fn numbers_flags_and_texts_are_plain() {
        assert_eq!(shown(&Value::Whole(1_000)), ["1_000", "1_000", "1,000"]);
        assert_eq!(shown(&Value::Whole(-11))[0], "−11");
        let decimal = |text| shown(&Value::Decimal(Decimal::parse(text).expect("a decimal")));
        assert_eq!(decimal("-1234.50"), ["−1_234,5", "−1_234,5", "−1,234.5"]);
        assert_eq!(decimal("12e5")[2], "1,200,000");
        assert_eq!(decimal("1e90")[0], "1e90");
        assert_eq!(shown(&Value::Flag(true)), ["иә", "да", "yes"]);
        assert_eq!(shown(&Value::Text("W1".into())), ["W1", "W1", "W1"]);
        assert_eq!(shown(&Value::Missing), ["—", "—", "—"]);
    }

    #[test]
    fn times_are_those_of_almatys_clock() {
        let before = Time::parse_rfc3339("2024-02-29T17:59:59Z").expect("a time");
        let after = Time::parse_rfc3339("2026-03-02T07:05:00Z").expect("a time");
        assert_eq!(shown(&Value::Time(before)), ["29.02.2024_23:59", "29.02.2024_23:59", "29_Feb_2024_23:59"]);
        assert_eq!(shown(&Value::Time(after)), ["02.03.2026_12:05", "02.03.2026_12:05", "2_Mar_2026_12:05"]);
    }

    #[test]
    fn durations_show_two_units() {
        let hours = 3_600_000_000_000;
        assert_eq!(shown(&Value::Duration(26 * hours)), ["1_тәулік 2_сағ", "1_сут 2_ч", "1_d 2_h"]);
        assert_eq!(shown(&Value::Duration(2 * hours + 61_000_000_000))[2], "2_h 1_min");
        assert_eq!(shown(&Value::Duration(500_000_000))[0], "0_с");
        assert_eq!(shown(&Value::Duration(-hours))[1], "−1_ч");
    }
}
