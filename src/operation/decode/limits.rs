//! How long the texts of a record may be, and of which characters: for both ways of decoding.

/// The longest texts, in characters.
pub(super) const ID_CHARS_MAX: usize = 64;
pub(super) const DEVICE_ID_CHARS_MAX: usize = 128;
/// The most attributes, and the longest text of one in characters.
pub(super) const ATTRIBUTES_MAX: usize = 32;
pub(super) const ATTRIBUTE_TEXT_CHARS_MAX: usize = 256;
/// The most significant digits of a number.
pub(super) const ATTRIBUTE_DIGITS_MAX: usize = super::super::decimal::DIGITS_MAX;

/// Tells whether a text is 1–64 of `A-Za-z0-9._:-`.
pub(super) fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    // To the end even after a fault: without the early way out, the compiler looks at many bytes at once.
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().fold(true, |all, byte| all & is_allowed(byte))
}

/// Tells whether a text has so many characters. The least is 0 or 1: there, bytes do as well.
pub(super) fn fits(text: &str, chars_min: usize, chars_max: usize) -> bool {
    // Bytes are at least as many as characters: the count is rarely needed.
    text.len() >= chars_min && (text.len() <= chars_max || text.chars().count() <= chars_max)
}

/// Tells whether a JSON number has no more significant digits than an exact decimal keeps. Zeros at
/// either end are not significant: they only say how large the number is.
pub(super) fn is_exact(number: &str) -> bool {
    // Nearly every number is short, and a sign or a point in it changes nothing then.
    number.len() <= ATTRIBUTE_DIGITS_MAX || significant_digits(number) <= ATTRIBUTE_DIGITS_MAX
}

#[cold]
fn significant_digits(number: &str) -> usize {
    let mantissa = number.split(['e', 'E']).next().unwrap_or(number);
    let digits = || mantissa.bytes().filter(u8::is_ascii_digit);
    let leading = digits().take_while(|digit| *digit == b'0').count();
    let trailing = digits().rev().take_while(|digit| *digit == b'0').count();
    digits().count().saturating_sub(leading + trailing)
}
