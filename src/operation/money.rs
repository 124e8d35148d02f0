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
