//! What the caller of a test run chooses by environment variables: sizes, seeds, whether to store results anew.

/// Returns the text of a variable that is set.
#[expect(clippy::disallowed_methods, reason = "the size of a test run is no configuration of kuzet")]
pub(crate) fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the number that a variable holds.
///
/// # Panics
/// When it is set to something else.
pub(crate) fn number(name: &str) -> Option<u64> {
    text(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
