//! What is wrong with a configuration, collected and rendered at once.

use std::fmt;
use std::ops::Range;

use super::secrets::{masked, masked_file, masked_variable};
use crate::operation::words;
use crate::rules::{Diagnostic, Severity, SourceFile, render_text};

words! {
    /// Every kind of finding.
    Code {
        BadToml = "bad-toml",
        BadType = "bad-type",
        BadValue = "bad-value",
        DuplicateToken = "duplicate-token",
        HalfOfTls = "half-of-tls",
        MissingKey = "missing-key",
        NeedsTls = "needs-tls",
        NeedsTokens = "needs-tokens",
        NotUtf8 = "not-utf8",
        OutOfRange = "out-of-range",
        TooShort = "too-short",
        UnknownKey = "unknown-key",
        UnknownVariable = "unknown-variable",
        UnreadableFile = "unreadable-file",
    }
}

/// The most characters of a value that a message repeats.
const ECHO_CHARS_MAX: usize = 40;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Byte range of the file.
    File(Range<usize>),
    /// The variable's name.
    Variable(String),
}

/// Why a value is not accepted.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) code: Code,
    /// The rest of the sentence behind the key: `is not a duration`.
    pub(super) what: &'static str,
    pub(super) found: String,
    pub(super) accepted: String,
    /// How it is written in the file: `, without quotes`. Variables have no quotes.
    pub(super) form: &'static str,
    /// The word that is most likely meant.
    pub(super) nearest: Option<&'static str>,
}

/// Quotes the beginning of a value for a message.
pub(super) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(ECHO_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{:?}", masked(&shown))
}

/// Names a variable where the path of a file would stand.
fn shown(variable: &str) -> String {
    format!("variable {variable}")
}

/// Collects the findings of one configuration: its file and the variables.
#[derive(Debug)]
pub(super) struct Findings {
    path: String,
    files: Vec<SourceFile>,
    list: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let file = SourceFile::new(path.to_owned(), masked_file(text).into_bytes());
        Self { path: path.to_owned(), files: vec![file], list: Vec::new() }
    }

    /// Makes a variable known, so that its value can be shown.
    pub(super) fn add_variable(&mut self, name: &str, value: &str) {
        self.files.push(SourceFile::new(shown(name), masked_variable(name, value).into_bytes()));
    }

    /// Adds an error; the returned handle adds label and help.
    pub(super) fn error(&mut self, code: Code, place: &Place, message: impl Into<String>) -> &mut Diagnostic {
        let (path, span) = match place {
            Place::File(span) => (self.path.clone(), span.clone()),
            Place::Variable(name) => {
                let path = shown(name);
                let length = self.files.iter().find(|file| file.path == path).map_or(0, |file| file.bytes.len());
                (path, 0..length)
            }
        };
        let code = code.name();
        let severity = Severity::Error;
        let message = message.into();
        self.list.push(Diagnostic { code, severity, message, path, span, label: String::new(), help: Vec::new() });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// Adds what is wrong with the value of a key, or of the variable that stands for it.
    pub(super) fn wrong(&mut self, key: &str, place: &Place, wrong: Wrong) {
        let (name, form) = match place {
            Place::File(_) => (key, wrong.form),
            Place::Variable(name) => (name.as_str(), ""),
        };
        let added = self.error(wrong.code, place, format!("`{name}` {}", wrong.what)).label(wrong.found);
        added.help(format!("accepted: {}{form}", wrong.accepted));
        if let Some(word) = wrong.nearest {
            added.help(format!("did you mean \"{word}\"?"));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Tells whether the text cannot be trusted to be cut into keys as it was meant.
    pub(super) fn has_bad_toml(&self) -> bool {
        self.list.iter().any(|found| found.code == Code::BadToml.name())
    }

    /// Orders and renders what was found: the file first, then the variables by name.
    pub(super) fn into_errors(mut self) -> ConfigErrors {
        let of_variable = |found: &Diagnostic| found.path != self.path;
        self.list.sort_by(|a, b| (of_variable(a), &a.path, a.span.start).cmp(&(of_variable(b), &b.path, b.span.start)));
        // The sources are masked; messages may repeat what stands there.
        let text = masked(&render_text(&self.list, &self.files));
        ConfigErrors { text, codes: self.list.iter().map(|found| found.code).collect() }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    text: String,
    codes: Vec<&'static str>,
}

impl ConfigErrors {
    /// Returns the number of errors, which is above 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is no such thing without an error")]
    pub const fn len(&self) -> usize {
        self.codes.len()
    }

    /// Returns the kinds of the errors in the order in which they are shown; names of [`Code`].
    #[must_use]
    pub fn codes(&self) -> &[&'static str] {
        &self.codes
    }

    /// Makes the error of a file that cannot be read.
    pub(super) fn unreadable(path: &str, error: &std::io::Error) -> Self {
        let code = Code::UnreadableFile.name();
        Self { text: format!("error[{code}]: failed to read {path}: {error}\n"), codes: vec![code] }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.len();
        let s = if count == 1 { "" } else { "s" };
        write!(f, "failed to load the configuration: {count} error{s} found\n\n{}", self.text.trim_end())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_short_and_without_tokens() {
        assert_eq!(quote("kzt_secret"), "\"kzt_******\"");
        assert_eq!(quote(&"й".repeat(41)), format!("\"{}…\"", "й".repeat(40)));
    }
}
