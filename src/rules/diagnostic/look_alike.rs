//! Letters of other alphabets that look like Latin ones: a keyboard that was not switched back.

/// Cyrillic and Greek letters beside the Latin ones they look like.
const PAIRS: &str = "аa еe оo рp сc уy хx ѕs іi јj һh ԁd ԛq ԝw үy АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX ЅS ІI ЈJ ҮY \
                     οo νv ιi κk ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX";

fn latin_letter(letter: char) -> Option<char> {
    PAIRS.split_whitespace().find_map(|pair| {
        let mut letters = pair.chars();
        (letters.next() == Some(letter)).then(|| letters.next()).flatten()
    })
}

fn alphabet(letter: char) -> &'static str {
    if ('\u{370}'..'\u{400}').contains(&letter) { "Greek" } else { "Cyrillic" }
}

/// Returns the word with Latin letters in the place of those that look like them; `None` where there are none, or
/// where others are left that are not Latin either.
#[must_use]
pub fn latin(word: &str) -> Option<String> {
    if word.is_ascii() {
        return None;
    }
    let replaced: String = word.chars().map(|letter| latin_letter(letter).unwrap_or(letter)).collect();
    replaced.is_ascii().then_some(replaced)
}

/// Tells whether a word mixes Latin letters with others that look like them.
#[must_use]
pub fn is_mixed(word: &str) -> bool {
    word.contains(|letter: char| letter.is_ascii_alphabetic()) && word.contains(|letter| latin_letter(letter).is_some())
}

/// Names the first letter of the word that only looks Latin.
#[must_use]
pub fn explain(word: &str) -> Option<String> {
    let letter = word.chars().find(|letter| latin_letter(*letter).is_some())?;
    let (alphabet, code) = (alphabet(letter), u32::from(letter));
    Some(format!("`{letter}` in it is a {alphabet} letter (U+{code:04X}) that looks like a Latin one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_typed_on_another_keyboard_are_recognised() {
        assert_eq!(latin("аmount").as_deref(), Some("amount"));
        assert_eq!(latin("КZТ").as_deref(), Some("KZT"));
        assert_eq!(latin("amount"), None);
        assert_eq!(latin("сумма"), None);
        assert!(is_mixed("САSINO") && !is_mixed("CASINO") && !is_mixed("КАЗИНО") && !is_mixed("ж1"));
        assert_eq!(
            explain("КZT").as_deref(),
            Some("`К` in it is a Cyrillic letter (U+041A) that looks like a Latin one")
        );
    }
}
