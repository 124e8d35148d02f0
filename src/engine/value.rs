//! The values that aggregates and numbers have.

use crate::operation::Decimal;
use crate::rules::program::symbol_of_text;

/// Kleene truth: none is unknown, because something that was read is missing.
pub type Truth = Option<bool>;

/// An exact number; the denominator is positive, and 1 unless `/` or `avg` made the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    pub numerator: i128,
    pub denominator: i128,
}

impl Ratio {
    /// Makes a whole number.
    #[must_use]
    pub const fn whole(numerator: i128) -> Self {
        Self { numerator, denominator: 1 }
    }

    /// Makes a ratio; missing when the divisor is zero.
    #[must_use]
    pub const fn new(numerator: i128, denominator: i128) -> Option<Self> {
        match denominator {
            0 => None,
            1.. => Some(Self { numerator, denominator }),
            _ => Some(Self { numerator: -numerator, denominator: -denominator }),
        }
    }

    pub(crate) fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        if self.denominator == other.denominator {
            return Some(self.numerator.cmp(&other.numerator));
        }
        let left = multiply(self.numerator, other.denominator)?;
        let right = multiply(other.numerator, self.denominator)?;
        Some(left.cmp(&right))
    }

    pub(crate) fn add(self, other: Self, sign: i128) -> Option<Self> {
        if self.denominator == other.denominator {
            let numerator = self.numerator.checked_add(other.numerator.checked_mul(sign)?)?;
            return Some(Self { numerator, denominator: self.denominator });
        }
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?.checked_mul(sign)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }
}

/// Multiplies; `None` when the product does not fit. Numbers are hardly ever longer than a word, and the
/// product of two words always fits.
pub(crate) fn multiply(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        _ => left.checked_mul(right),
    }
}

/// What an aggregate is worth on the judged operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateValue {
    Missing,
    Number(Ratio),
    /// What decimals came to of which some are kept as texts: a total, divided by a count.
    Share {
        total: Decimal,
        count: u64,
    },
    /// A symbol, of `last`, `min` or `max` over a field that is no number.
    Word(u64),
    Flag(bool),
}

/// Reads the bits of an `i64` as a number.
#[must_use]
pub const fn whole_of_word(word: u64) -> Ratio {
    Ratio::whole(word.cast_signed() as i128)
}

/// Aggregates know packed decimals to so many places.
pub const DECIMAL_PLACES: u32 = 16;
/// One in the units that packed decimals are added up in.
pub(crate) const DECIMAL_ONE: i128 = 10_i128.pow(DECIMAL_PLACES);
/// Packed decimals are below 10^13, in units.
const DECIMAL_UNITS_MAX: i128 = 10_i128.pow(DECIMAL_PLACES + 13);
/// They have at most 17 significant digits.
const DIGITS_LIMIT: i128 = 10_i128.pow(17);
/// The bits that those digits need.
const DIGITS_BITS: u32 = 57;
/// Words from here on name decimals that are kept as texts; those of packed ones are below, by far.
const TEXT_WORDS: i64 = 1 << 62;

/// What an aggregate over decimals comes to while its window holds some that are kept as texts: those have to be
/// read before it has a value.
pub const UNREAD_DECIMALS: AggregateValue = AggregateValue::Word(TEXT_WORDS.cast_unsigned());

/// Returns the word with which a decimal enters windows. Words of packed decimals are in the order of their size.
/// A decimal of more than 17 significant digits or 16 places, or not below 10^13, is kept as a text, and its word
/// is the text's symbol: see [`is_kept_as_text`].
#[must_use]
pub fn word_of_decimal(decimal: Decimal) -> i64 {
    packed(decimal).unwrap_or_else(|| text_word(decimal))
}

/// Tells whether the word names a decimal that is kept as a text, and stands above the words of all packed ones.
#[must_use]
pub const fn is_kept_as_text(word: i64) -> bool {
    word >= TEXT_WORDS
}

#[cold]
fn text_word(decimal: Decimal) -> i64 {
    TEXT_WORDS | (symbol_of_text(&decimal.to_string()) >> 2).cast_signed()
}

fn packed(decimal: Decimal) -> Option<i64> {
    let units = decimal.in_units(DECIMAL_PLACES).filter(|units| units.abs() < DECIMAL_UNITS_MAX)?;
    let (mut digits, mut zeros) = (units.abs(), 0);
    while digits >= DIGITS_LIMIT {
        if digits % 10 != 0 {
            return None;
        }
        digits /= 10;
        zeros += 1;
    }
    // A larger number has more zeros taken off, or as many and larger digits.
    let word = i64::try_from(digits).ok()? | zeros << DIGITS_BITS;
    Some(if units < 0 { -word } else { word })
}

/// Returns the decimal of a word that packs one, in units of its last place, [`DECIMAL_PLACES`] behind the point.
#[must_use]
pub fn units_of_word(word: i64) -> i128 {
    let magnitude = word.unsigned_abs();
    let digits = i128::from(magnitude & ((1 << DIGITS_BITS) - 1));
    // A word that was never made of a decimal has more zeros than there can be: none of them counts.
    let zeros = u32::try_from(magnitude >> DIGITS_BITS).unwrap_or(0).min(12);
    let units = digits * 10_i128.pow(zeros);
    if word < 0 { -units } else { units }
}

/// Returns the number of so many units.
#[must_use]
pub fn ratio_of_units(units: i128) -> Ratio {
    if units % DECIMAL_ONE == 0 {
        return Ratio::whole(units / DECIMAL_ONE);
    }
    Ratio { numerator: units, denominator: DECIMAL_ONE }
}

/// Returns the decimal behind a word of a window; none where its text is not there.
pub(crate) fn decimal_of_word<'t>(word: i64, text: impl FnOnce(u64) -> Option<&'t str>) -> Option<Decimal> {
    if is_kept_as_text(word) {
        return text(word.cast_unsigned()).and_then(Decimal::parse);
    }
    Decimal::new(units_of_word(word), -i64::from(DECIMAL_PLACES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(number: &str) -> i64 {
        word_of_decimal(Decimal::parse(number).unwrap_or_else(|| panic!("{number}")))
    }

    #[test]
    fn words_are_in_the_order_of_their_decimals_and_lead_back_to_them() {
        let ascending = [
            "-9999999999999",
            "-1000.5",
            "-10",
            "-9.9999999999999999",
            "-1e-16",
            "0",
            "1e-16",
            "0.8734521987654321",
            "1",
            "9.9999999999999999",
            "10",
            "10.000000000000001",
            "87.5",
            "1700000000000",
            "9999999999999.9999",
        ];
        let words = ascending.map(word);
        assert!(words.is_sorted_by(|one, other| one < other), "{words:?}");
        for (number, word) in ascending.iter().zip(words) {
            let units = Decimal::parse(number).and_then(|decimal| decimal.in_units(DECIMAL_PLACES));
            assert_eq!(Some(units_of_word(word)), units, "{number}");
        }
    }

    #[test]
    fn what_one_word_cannot_pack_is_kept_as_text_above_all_that_it_can() {
        let long = ["1e13", "-1e13", "1e-17", "-1e-17", "100000000000000001.5", "10.0000000000000001", "1e300"];
        for number in long {
            assert!(is_kept_as_text(word(number)), "{number}");
            assert_ne!(word(number).cast_unsigned(), u64::MAX, "{number}");
        }
        for number in ["9999999999999.9999", "-9999999999999.9999", "1e-16", "0", "12345678901234567e-16"] {
            assert!(!is_kept_as_text(word(number)), "{number}");
        }
        assert_eq!(word("1e13"), word("10000000000000.0"), "equal numbers have one word");
        assert_ne!(word("1e13"), word("-1e13"));
    }
}
