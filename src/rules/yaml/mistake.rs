//! Where the mistake most likely is in a text that is no YAML: a parser stops where it cannot go on, which may be many
//! lines behind a quote or a bracket that is missing.

use std::ops::Range;

/// Finds the place to point at, and says what stands there; `stop` is where the parser stopped.
pub(super) fn place(text: &str, stop: usize) -> (Range<usize>, &'static str) {
    Scan::of(text).filter(|(span, _)| span.start <= stop).unwrap_or_else(|| lines(text, stop))
}

/// A walk over the brackets and quotes of a text, up to the first that does not fit.
struct Scan {
    /// The brackets that are open, each with its place.
    open: Vec<(char, usize)>,
    /// Where the quote stands that is open.
    quote: Option<(char, usize)>,
    /// The indentation of the line on which the outermost of them stands.
    indentation: usize,
    /// Where a value begins that is in quotes or brackets as a whole, once it has ended.
    ended: Option<usize>,
}

impl Scan {
    fn of(text: &str) -> Option<(Range<usize>, &'static str)> {
        let mut scan = Self { open: Vec::new(), quote: None, indentation: 0, ended: None };
        let mut block: Option<usize> = None;
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let content = line.trim_end();
            let indentation = content.len() - content.trim_start().len();
            let is_in_block = block.is_some_and(|of| content.is_empty() || indentation > of);
            if !is_in_block {
                if let Some(found) = scan.line(text, start, content, indentation) {
                    return Some(found);
                }
                let is_open = scan.quote.is_some() || !scan.open.is_empty();
                let begins_block =
                    [": |", ": >", ": |-", ": >-", ": |+", ": >+"].iter().any(|end| content.ends_with(end));
                block = (begins_block && !is_open).then_some(indentation);
            }
            start += line.len();
        }
        None
    }

    /// Walks over one line; finds what cannot be meant.
    fn line(
        &mut self,
        text: &str,
        start: usize,
        line: &str,
        indentation: usize,
    ) -> Option<(Range<usize>, &'static str)> {
        if (self.quote.is_some() || !self.open.is_empty()) && indentation <= self.indentation && begins_entry(line) {
            return Some(self.unclosed(text));
        }
        self.ended = None;
        let mut before = ' ';
        for (at, c) in line.char_indices() {
            let place = start + at;
            // A value begins behind `key: `, `- ` and, inside brackets, `[`, `{` and `,`.
            let begins = at == indentation
                || before == ' ' && matches!(last_mark(&line[..at]), Some(':' | '-' | ',' | '[' | '{'))
                || matches!(before, '[' | '{' | ',');
            if let Some((quote, _)) = self.quote {
                if c == quote && before != '\\' {
                    self.quote = None;
                    self.ended = self.ended.filter(|_| self.open.is_empty());
                }
            } else if c == '#' && before == ' ' {
                break;
            } else if matches!(c, '"' | '\'') && begins {
                self.opens(indentation, place);
                self.quote = Some((c, place));
            } else if matches!(c, '[' | '{') && (begins || !self.open.is_empty()) {
                self.opens(indentation, place);
                self.open.push((c, place));
            } else if matches!(c, ']' | '}') {
                match self.open.pop() {
                    Some((open, _)) if matches!((open, c), ('[', ']') | ('{', '}')) => {}
                    Some((_, from)) => return Some((from..place + 1, "these brackets are not a pair")),
                    None => {
                        if let Some(from) = self.ended {
                            return Some((from..place + 1, "this closes more than was opened"));
                        }
                    }
                }
            }
            before = c;
        }
        None
    }

    fn opens(&mut self, indentation: usize, place: usize) {
        if self.open.is_empty() && self.quote.is_none() {
            self.indentation = indentation;
            self.ended = Some(place);
        }
    }

    fn unclosed(&self, text: &str) -> (Range<usize>, &'static str) {
        let (from, label) = match (self.quote, self.open.last()) {
            (Some((_, from)), _) => (from, "this quote is not closed"),
            (None, Some((_, from))) => (*from, "this bracket is not closed"),
            (None, None) => (0, ""),
        };
        let line = text[from..].split('\n').next().unwrap_or_default();
        (from..from + line.trim_end().len(), label)
    }
}

/// Returns the last character that is no blank.
fn last_mark(text: &str) -> Option<char> {
    text.trim_end().chars().next_back()
}

/// Tells whether a line begins a key or an item of its own.
fn begins_entry(line: &str) -> bool {
    let line = line.trim_start();
    let word = line.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(line.len());
    line.starts_with("- ") || word > 0 && (line[word..].starts_with(": ") || &line[word..] == ":")
}

/// Points at the line on which reading stopped, up to there; where it stopped at the first word of the line, and the
/// line before is indented otherwise, at both.
fn lines(text: &str, stop: usize) -> (Range<usize>, &'static str) {
    let end = text[stop..].chars().next().map_or(stop, |c| stop + c.len_utf8());
    let begin = text[..stop].rfind('\n').map_or(0, |newline| newline + 1);
    let content = |from: usize, to: usize| from + text[from..to].len() - text[from..to].trim_start().len();
    let first = content(begin, end.max(begin)).min(stop);
    let above = text[..begin].trim_end();
    let above_begin = above.rfind('\n').map_or(0, |newline| newline + 1);
    let above_first = content(above_begin, above.len());
    if first == stop && !above.is_empty() && above_first - above_begin != first - begin {
        return (above_first..end, "these lines are indented differently");
    }
    (first..end, "reading stopped at the end of this")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointed(text: &str, stop: &str) -> (String, &'static str) {
        let (span, label) = place(text, text.find(stop).unwrap());
        (text[span].to_owned(), label)
    }

    #[test]
    fn what_is_not_closed_is_pointed_at_not_what_comes_after() {
        let text = "clauses: [\"7.15]\ntitle:\n  kk: \"а\"\n";
        assert_eq!(pointed(text, "а"), ("\"7.15]".to_owned(), "this quote is not closed"));
        let text = "then:\n  - block: {what: wallet\n  - monitor\nnotes: x\n";
        assert_eq!(pointed(text, "notes"), ("{what: wallet".to_owned(), "this bracket is not closed"));
        let text = "then:\n  - hold: {lifted_by: [agreed, pin}\n";
        assert_eq!(pointed(text, "}"), ("[agreed, pin}".to_owned(), "these brackets are not a pair"));
        let text = "clauses: \"7.15\"]\nmode: off\n";
        assert_eq!(pointed(text, "]"), ("\"7.15\"]".to_owned(), "this closes more than was opened"));
    }

    #[test]
    fn texts_and_conditions_are_no_brackets() {
        let fine = "notes: |\n  one [ and {\nwhen: |\n  (a\n  and b\nowner: it's [fine\n\
                    title: {kk: \"[\", ru: 'a}', en: x} # [\n";
        assert_eq!(Scan::of(fine), None);
        let over = "title: {\n  kk: а,\n  ru: б, en: c}\nowner: x\n";
        assert_eq!(Scan::of(over), None);
    }

    #[test]
    fn otherwise_the_line_is_pointed_at_or_two_that_disagree() {
        let text = "on: login\nnotes: a: b\n";
        assert_eq!(pointed(text, ": b"), ("notes: a:".to_owned(), "reading stopped at the end of this"));
        let text = "then:\n- block: x\n  - monitor\n";
        assert_eq!(pointed(text, "- monitor").0, "- block: x\n  -");
        assert_eq!(pointed("  rule: a\nclauses: x\n", "clauses").0, "rule: a\nc");
        assert_eq!(place("", 0), (0..0, "reading stopped at the end of this"));
    }
}
