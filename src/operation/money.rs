//! Money as whole tiyn. `rust_decimal` only meets it at the edges.

use std::fmt;

/// An amount in tiyn (1 KZT = 100 tiyn). Never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

impl Money {
    /// Makes an amount from tiyn.
    #[must_use]
    pub const fn from_tiyn(tiyn: i64) -> Self {
        Self(tiyn)
    }

    /// Returns the amount in tiyn.
    #[must_use]
    pub const fn tiyn(self) -> i64 {
        self.0
    }

    /// Reads a decimal text: 1 to 15 integer digits, optionally a point and 1 or 2 decimals, no sign.
    /// Returns `None` for anything else. Zero is read; whether it is accepted is the field's business.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut tiyn, mut whole, mut fraction) = (0_i64, 0_usize, None);
        // 15 + 1 + 2 bytes: so the sum cannot overflow.
        if text.len() > 18 {
            return None;
        }
        for byte in text.bytes() {
            match (byte, &mut fraction) {
                (b'0'..=b'9', None) => whole += 1,
                (b'0'..=b'9', Some(count)) => *count += 1,
                (b'.', None) => {
                    fraction = Some(0);
                    continue;
                }
                _ => return None,
            }
            tiyn = tiyn * 10 + i64::from(byte - b'0');
        }
        if !(1..=15).contains(&whole) {
            return None;
        }
        let scale = match fraction {
            None => 100,
            Some(1) => 10,
            Some(2) => 1,
            Some(_) => return None,
        };
        Some(Self(tiyn * scale))
    }
}

impl fmt::Display for Money {
    /// Writes the amount with exactly two decimals: `150000.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_tiyn(i128::from(self.0), f)
    }
}

/// Writes a sum of tiyn, which may exceed one amount's range, with exactly two decimals.
///
/// # Errors
/// Those of the formatter.
pub fn fmt_tiyn(tiyn: i128, f: &mut impl fmt::Write) -> fmt::Result {
    let sign = if tiyn < 0 { "-" } else { "" };
    let tiyn = tiyn.unsigned_abs();
    write!(f, "{sign}{}.{:02}", tiyn / 100, tiyn % 100)
}

/// Sets the digits before the point of a number apart in threes: `-1 234 567.50`.
#[must_use]
pub fn grouped(number: &str, between: char) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let first = number.find(|c: char| c.is_ascii_digit()).unwrap_or(whole);
    let mut text = String::with_capacity(number.len() * 4 / 3 + 1);
    for (place, c) in number.char_indices() {
        if place > first && place < whole && (whole - place).is_multiple_of(3) {
            text.push(between);
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_set_apart_in_threes() {
        let numbers = ["0", "999", "1000", "-1000", "-100", "1234567", "150000.00", "12.3456"];
        let grouped = numbers.map(|number| grouped(number, ' '));
        assert_eq!(grouped, ["0", "999", "1 000", "-1 000", "-100", "1 234 567", "150 000.00", "12.3456"]);
    }
}
