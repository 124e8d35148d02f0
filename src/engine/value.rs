//! The values that aggregates and numbers have.

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
    /// A symbol, of `last`, `min` or `max` over a field that is no number.
    Word(u64),
    Flag(bool),
}

/// Reads the bits of an `i64` as a number.
#[must_use]
pub const fn whole_of_word(word: u64) -> Ratio {
    Ratio::whole(word.cast_signed() as i128)
}
