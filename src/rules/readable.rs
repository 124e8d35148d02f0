//! The text of a file, where it is one.

use std::ops::Range;

use super::diagnostic::{Code, Diagnostic, Findings};
use super::source::SourceFile;

/// Returns the text of a file that is no longer than `max` bytes; what keeps it from being read is a finding.
pub(super) fn readable<'f>(file: &'f SourceFile, max: usize, diagnostics: &mut Vec<Diagnostic>) -> Option<&'f str> {
    let mut findings = Findings::new(&file.path);
    if file.bytes.len() > max {
        findings
            .error(Code::FileTooLarge, &(0..0), format!("the file is larger than {max} bytes"))
            .label(format!("{} bytes", file.bytes.len()));
        diagnostics.append(&mut findings.list);
        return None;
    }
    match std::str::from_utf8(&file.bytes) {
        Ok(text) => match merge_marks(text) {
            None => Some(text),
            Some(span) => {
                findings
                    .error(Code::MergeMarks, &span, "a merge of this file was not finished")
                    .label("a mark of git's")
                    .help(
                        "keep what is wanted of both sides and remove the lines that begin with `<<<<<<<`, `=======` \
                         and `>>>>>>>`",
                    );
                diagnostics.append(&mut findings.list);
                None
            }
        },
        Err(error) => {
            let at = error.valid_up_to();
            findings
                .error(Code::NotUtf8, &(at..at), "the file is not UTF-8")
                .label("the first byte that is not")
                .help(encoding_of(&file.bytes));
            diagnostics.append(&mut findings.list);
            None
        }
    }
}

/// Finds the first line of the marks that git leaves where two sides changed the same.
fn merge_marks(text: &str) -> Option<Range<usize>> {
    let is_begin = |line: &str| line.starts_with("<<<<<<< ");
    let is_end = |line: &str| line.starts_with(">>>>>>> ");
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if is_begin(line) || is_end(line) {
            return Some(start..start + line.trim_end().len());
        }
        start += line.len();
    }
    None
}

/// Says how to make UTF-8 of bytes that are none.
fn encoding_of(bytes: &[u8]) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return String::from("it looks like UTF-16: `iconv -f UTF-16 -t UTF-8 FILE > NEW`");
    }
    let foreign = bytes.iter().filter(|byte| !byte.is_ascii());
    let (letters, all) = (foreign.clone().filter(|byte| **byte >= 0xc0).count(), foreign.count());
    // In Windows-1251 the letters of Russian stand from 0xC0 on, but for ё.
    if letters * 10 >= all * 9 && all >= 4 {
        return String::from("it looks like Windows-1251: `iconv -f WINDOWS-1251 -t UTF-8 FILE > NEW`");
    }
    String::from("save the file as UTF-8")
}
