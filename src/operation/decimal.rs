//! Numbers of attributes as exact decimals, never through a float.

use std::fmt;

/// The most digits that count of a number; the decoder refuses more.
pub const DIGITS_MAX: usize = 28;
/// The power of ten of a number's last digit lies within this of zero, as that of every double does.
pub const EXPONENT_MAX: i32 = 400;

/// An exact decimal, `mantissa × 10^exponent`: the mantissa bears no zero at its end, so equal numbers are
/// equal values however they were written (`5.0`, `50e-1`, `5`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// Makes the decimal `mantissa × 10^exponent`. `None` with an exponent beyond [`EXPONENT_MAX`].
    #[must_use]
    pub fn new(mut mantissa: i128, exponent: i64) -> Option<Self> {
        if mantissa == 0 {
            return Some(Self { mantissa: 0, exponent: 0 });
        }
        let mut exponent = exponent;
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        let exponent = i32::try_from(exponent).ok().filter(|exponent| exponent.abs() <= EXPONENT_MAX)?;
        Some(Self { mantissa, exponent })
    }

    /// Reads a JSON number. `None` for one of more than [`DIGITS_MAX`] significant digits or with an exponent
    /// beyond [`EXPONENT_MAX`].
    #[must_use]
    pub fn parse(number: &str) -> Option<Self> {
        let (is_negative, unsigned) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        let (digits, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (mut mantissa, mut significant, mut zeros) = (0_i128, 0, 0_i64);
        for byte in whole.bytes().chain(fraction.bytes()) {
            match byte {
                b'0' if mantissa == 0 => {}
                b'0' => zeros += 1,
                b'1'..=b'9' => {
                    // Zeros count once a digit follows them.
                    significant += usize::try_from(zeros).ok()? + 1;
                    if significant > DIGITS_MAX {
                        return None;
                    }
                    mantissa = mantissa * 10_i128.pow(u32::try_from(zeros).ok()? + 1) + i128::from(byte - b'0');
                    zeros = 0;
                }
                _ => return None,
            }
        }
        if mantissa == 0 {
            return Some(Self { mantissa, exponent: 0 });
        }
        let exponent =
            power.parse::<i64>().ok()?.checked_add(zeros)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Self::new(if is_negative { -mantissa } else { mantissa }, exponent)
    }

    /// Returns the digits as a whole number with the sign: less than 10^[`DIGITS_MAX`] of what was parsed.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// Returns the power of ten that the mantissa is multiplied with.
    #[must_use]
    pub const fn exponent(self) -> i32 {
        self.exponent
    }

    /// Returns the number in units of `10^-scale`; `None` where it is no whole number of them, or too large.
    #[must_use]
    pub fn in_units(self, scale: u32) -> Option<i128> {
        let power = u32::try_from(i64::from(self.exponent) + i64::from(scale)).ok()?;
        self.mantissa.checked_mul(10_i128.checked_pow(power)?)
    }
}

impl fmt::Display for Decimal {
    /// Writes a JSON number: without an exponent up to 40 digits, else as digits and exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa < 0 { "-" } else { "" };
        match usize::try_from(self.exponent.unsigned_abs()).unwrap_or(usize::MAX) {
            0 => write!(f, "{sign}{digits}"),
            zeros if self.exponent > 0 && digits.len() + zeros <= 40 => write!(f, "{sign}{digits}{:0<zeros$}", ""),
            places if self.exponent < 0 && places <= 40 => {
                let padded = format!("{digits:0>width$}", width = places + 1);
                let (whole, fraction) = padded.split_at(padded.len() - places);
                write!(f, "{sign}{whole}.{fraction}")
            }
            _ => write!(f, "{sign}{digits}e{}", self.exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: &str) -> String {
        Decimal::parse(number).map_or_else(|| "none".to_owned(), |decimal| decimal.to_string())
    }

    #[test]
    fn one_number_is_one_value_however_it_is_written() {
        for written in ["5", "5.0", "50e-1", "0.5e1", "5E+0", "0.0005e4", "5.000000000000000000000000000000000"] {
            assert_eq!(Decimal::parse(written), Decimal::new(5, 0), "{written}");
        }
        for written in ["0", "-0", "0.0", "0e999999999999999999999"] {
            assert_eq!(Decimal::parse(written), Decimal::new(0, 0), "{written}");
        }
        assert_ne!(Decimal::parse("5"), Decimal::parse("-5"));
        assert_ne!(Decimal::parse("5"), Decimal::parse("5.0000000000000000000000000001"));
    }

    #[test]
    fn decimals_are_shown_as_json_numbers() {
        assert_eq!(shown("87.50"), "87.5");
        assert_eq!(shown("-0.001"), "-0.001");
        assert_eq!(shown("12e2"), "1200");
        assert_eq!(shown("1e300"), "1e300");
        assert_eq!(shown("-15e-50"), "-15e-50");
        assert_eq!(shown("0.1234567890123456789012345678"), "0.1234567890123456789012345678");
    }

    #[test]
    fn what_is_longer_than_exact_decimals_are_is_none() {
        assert_eq!(shown("12345678901234567890123456789"), "none");
        assert_eq!(shown("1000000000000000000000000000.1"), "none");
        assert_eq!(shown("10000000000000000000000000000000"), "10000000000000000000000000000000");
        assert_eq!(shown("1e400"), "1e400");
        assert_eq!(shown("1e401"), "none");
        assert_eq!(shown("1e-401"), "none");
        assert_eq!(shown("1e99999999999999999999"), "none");
    }

    #[test]
    fn units_are_whole_or_none() {
        let units = |number: &str| Decimal::parse(number).and_then(|decimal| decimal.in_units(2));
        assert_eq!(units("87.5"), Some(8_750));
        assert_eq!(units("-0.01"), Some(-1));
        assert_eq!(units("0.001"), None);
        assert_eq!(units("1e40"), None);
        assert_eq!(units("0"), Some(0));
    }
}
