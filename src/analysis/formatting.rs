//! Rule files in the layout of all: what becomes of each, and how that is told.
//!
//! Knows texts alone; whether a file is written is not known here.

use super::line_diff;
use crate::rules::layout::{self, NotLaidOut};
use crate::rules::{self, Diagnostic, FILE_BYTES_MAX, SourceFile};

/// What becomes of one rule file.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It has the layout already.
    Same,
    /// The text that it gets.
    Changed(String),
    /// It stays as it is.
    Left(Reason),
}

/// Why a file stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    NotText,
    /// It has more bytes than a rule file may have.
    TooLong,
    /// It is not the YAML that rules are written in.
    Unreadable(Vec<Diagnostic>),
    /// It would say something else, or lose a comment.
    WouldChange,
}

/// How many files became what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub files: usize,
    pub changed: usize,
    pub left: usize,
}

/// Lays out a rule file.
#[must_use]
pub fn lay_out(source: &SourceFile) -> Outcome {
    if source.bytes.len() > FILE_BYTES_MAX {
        return Outcome::Left(Reason::TooLong);
    }
    let Ok(text) = std::str::from_utf8(&source.bytes) else { return Outcome::Left(Reason::NotText) };
    match layout::lay_out(&source.path, text) {
        Ok(laid_out) if laid_out == text => Outcome::Same,
        Ok(laid_out) => Outcome::Changed(laid_out),
        Err(NotLaidOut::Unreadable(findings)) => Outcome::Left(Reason::Unreadable(findings)),
        Err(NotLaidOut::WouldChange) => Outcome::Left(Reason::WouldChange),
    }
}

/// Tells in lines what becomes of a file: nothing of one that has the layout. `shows_change`: with what changes in it,
/// as `diff -u` shows it; otherwise a file that changes is only named.
#[must_use]
pub fn told(source: &SourceFile, outcome: &Outcome, shows_change: bool) -> String {
    let path = &source.path;
    match outcome {
        Outcome::Same => String::new(),
        Outcome::Changed(laid_out) if shows_change => {
            line_diff::unified(path, &String::from_utf8_lossy(&source.bytes), laid_out)
        }
        Outcome::Changed(_) => format!("{path}\n"),
        Outcome::Left(Reason::Unreadable(findings)) => rules::render_text(findings, std::slice::from_ref(source)),
        Outcome::Left(Reason::NotText) => format!("{path}: not UTF-8, left as it is\n"),
        Outcome::Left(Reason::TooLong) => {
            format!("{path}: more than {FILE_BYTES_MAX} bytes, which no rule file may have, left as it is\n")
        }
        Outcome::Left(Reason::WouldChange) => {
            format!("{path}: left as it is, for it cannot be laid out without changing it\n")
        }
    }
}

impl Reason {
    /// Returns its name for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotText => "not-utf8",
            Self::TooLong => "too-long",
            Self::Unreadable(_) => "unreadable",
            Self::WouldChange => "would-change",
        }
    }
}

impl Tally {
    /// Counts a file.
    pub const fn add(&mut self, outcome: &Outcome) {
        self.files += 1;
        match outcome {
            Outcome::Same => {}
            Outcome::Changed(_) => self.changed += 1,
            Outcome::Left(_) => self.left += 1,
        }
    }

    /// Tells the counts in a line. `is_written`: the files that change have been written.
    #[must_use]
    pub fn told(self, is_written: bool) -> String {
        let Self { files, changed, left } = self;
        let verb = if is_written { "changed" } else { "would change" };
        let left_over = if left > 0 { format!(", {left} left as they are") } else { String::new() };
        format!("{files} rule files, {changed} {verb}{left_over}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_rule_can_be_is_left() {
        let of = |bytes: Vec<u8>| {
            let source = SourceFile::new("a.yaml", bytes);
            let outcome = lay_out(&source);
            let told = told(&source, &outcome, true);
            (outcome, told)
        };
        let (outcome, told) = of(vec![0xff]);
        assert_eq!((outcome, &*told), (Outcome::Left(Reason::NotText), "a.yaml: not UTF-8, left as it is\n"));
        let long = "# a\n".repeat(FILE_BYTES_MAX / 4 + 1).into_bytes();
        assert_eq!(of(long).0, Outcome::Left(Reason::TooLong));
        let (outcome, told) = of(b"rule: [\n".to_vec());
        assert!(matches!(outcome, Outcome::Left(Reason::Unreadable(_))) && told.contains("a.yaml:"), "{told}");
    }

    #[test]
    fn the_counts_are_told() {
        let mut tally = Tally::default();
        for outcome in [Outcome::Same, Outcome::Changed(String::new()), Outcome::Left(Reason::NotText)] {
            tally.add(&outcome);
        }
        assert_eq!(tally.told(false), "3 rule files, 1 would change, 1 left as they are\n");
        assert_eq!(Tally { left: 0, ..tally }.told(true), "3 rule files, 1 changed\n");
    }
}
