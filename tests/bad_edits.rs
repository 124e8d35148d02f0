//! Slips of the pen in good rule files: what is found stands where the slip is, and no slip changes a meaning unseen.
//!
//! 200 edits are made of the rules that ship, from a seed: typos in names, wrong units, values of another type, lines
//! that are cut or lost, letters that only look Latin, brackets and quotes that are gone, lines that are indented
//! otherwise. An edit ends in one of these ways:
//!
//! - *found*: there is an error, or a warning that the good file does not give;
//! - *same*: nothing is found, and the hash of the rule set, which is made of the canonical form of everything that can
//!   change a decision or the words around it, is that of the good file;
//! - *another literal*: nothing is found, and the text differs in one number, one quoted text or one word of a closed
//!   set, which became another one that is as good: no reader of the file could know which was meant;
//! - *unseen*: anything else. There must be none.
//!
//! A finding is *near* where it covers the edit, or is at most one token away from it.
//!
//! `KUZET_EDITS=5000 KUZET_SEED=7 cargo test --test pure bad_edits:: -- --nocapture` makes other ones.
#![expect(clippy::print_stdout, reason = "the seed and the shares belong in the test's output")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use chrono::NaiveDate;
use kuzet::adapters::folders::Folder;
use kuzet::analysis::lint;
use kuzet::rules::{Compiled, Diagnostic, FileKind, Severity, SourceFile, compile, render_text};

use crate::random::Random;

const EDITS: u64 = 200;
const SEED: u64 = 20_260_302;
/// Of every hundred errors, so many are near at least.
const NEAR_MIN: usize = 95;

/// One edit of a text: some bytes become others.
#[derive(Debug, Clone)]
struct Edit {
    kind: &'static str,
    span: Range<usize>,
    replacement: String,
}

impl Edit {
    fn applied(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.span.start], self.replacement, &text[self.span.end..])
    }

    /// The bytes of the edited text that are the edit's.
    fn place(&self) -> Range<usize> {
        self.span.start..self.span.start + self.replacement.len()
    }
}

/// Pieces of text that read as one: words with what may be in names and numbers, operators, other characters.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let kind = |c: char| match c {
        _ if c.is_alphanumeric() || matches!(c, '_' | '.' | '-') => 1,
        '<' | '=' | '>' | '!' => 2,
        _ => 0,
    };
    let mut tokens: Vec<Range<usize>> = Vec::new();
    let mut inside = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match tokens.last_mut() {
            Some(last) if inside != 0 && kind(c) == inside => last.end = end,
            _ if c.is_whitespace() => {}
            _ => tokens.push(at..end),
        }
        inside = kind(c);
    }
    tokens
}

/// Tells whether a span covers a place, or at most one token lies between them.
fn is_near(text: &str, span: &Range<usize>, place: &Range<usize>) -> bool {
    if span.start <= place.end && place.start <= span.end {
        return true;
    }
    let between = if span.end < place.start { span.end..place.start } else { place.end..span.start };
    tokens(text).iter().filter(|token| between.start <= token.start && token.end <= between.end).count() <= 1
}

/// The lines of a rule in which nothing is free text, each with its key: what people see is not read by anything.
fn lines_that_mean_something(text: &str) -> Vec<(Range<usize>, String)> {
    let mut lines = Vec::new();
    let mut key = String::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((name, _)) = line.split_once(':').filter(|_| !line.starts_with([' ', '#', '-'])) {
            key = name.to_owned();
        }
        let means =
            matches!(key.as_str(), "rule" | "clauses" | "mode" | "on" | "when" | "on_missing" | "then" | "from");
        if means && !line.trim().is_empty() {
            lines.push((start..start + line.trim_end().len(), key.clone()));
        }
        start += line.len();
    }
    lines
}

/// What edits are made of.
struct Maker<'t> {
    text: &'t str,
    random: &'t mut Random,
}

impl Maker<'_> {
    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.random.below(of.len())].clone())
    }

    /// The tokens of all lines that mean something and that are `wanted`; a quoted text is none.
    fn tokens(&self, wanted: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for (line, key) in lines_that_mean_something(self.text) {
            let quotes = |at: usize| self.text[line.start..at].matches('"').count();
            for token in tokens(&self.text[line.clone()]) {
                let token = line.start + token.start..line.start + token.end;
                if wanted(&self.text[token.clone()]) && quotes(token.start) % 2 == 0 && key != "clauses" {
                    found.push(token);
                }
            }
        }
        found
    }

    fn edit(&self, kind: &'static str, span: Range<usize>, replacement: impl Into<String>) -> Option<Edit> {
        let edit = Edit { kind, span, replacement: replacement.into() };
        (edit.applied(self.text) != self.text).then_some(edit)
    }

    fn is_name(token: &str) -> bool {
        token.len() >= 3 && token.starts_with(|c: char| c.is_ascii_alphabetic())
    }

    /// A letter is missing, doubled, another one, or exchanged with the next.
    fn typo(&mut self) -> Option<Edit> {
        let token = self.pick(&self.tokens(Self::is_name))?;
        let name: Vec<char> = self.text[token.clone()].chars().collect();
        let at = self.random.below(name.len() - 1);
        let mut typo = name.clone();
        match self.random.below(4) {
            0 => drop(typo.remove(at)),
            1 => typo.insert(at, name[at]),
            2 => typo[at] = char::from(b'a' + u8::try_from(self.random.below(26)).expect("a letter")),
            _ => typo.swap(at, at + 1),
        }
        self.edit("typo", token, typo.into_iter().collect::<String>())
    }

    /// Another unit, none, or one of another language.
    fn unit(&mut self) -> Option<Edit> {
        let is_unit = |token: &str| matches!(token, "KZT" | "MRP");
        let is_length = |token: &str| {
            let digits = token.trim_end_matches(['s', 'm', 'h', 'd']);
            digits.len() + 1 == token.len() && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty()
        };
        let token = self.pick(&self.tokens(|token| is_unit(token) || is_length(token)))?;
        let written = &self.text[token.clone()];
        let other = if is_unit(written) {
            self.pick(&["", "USD", "tenge", "KZ", "kzt", "%", "h", "MPR"])?.to_owned()
        } else {
            let digits = written.trim_end_matches(char::is_alphabetic);
            format!("{digits}{}", self.pick(&["", "hr", " hours", "w", "y", "H", "mo", " KZT"])?)
        };
        self.edit("unit", token, other)
    }

    /// A value or a field of another type.
    fn another_type(&mut self) -> Option<Edit> {
        let fields = ["amount", "device_id", "outcome", "client_status", "ip.country", "ref.age", "counterparty.kind"];
        let of_condition = |token: &str| {
            fields.contains(&token)
                || token.starts_with(|c: char| c.is_ascii_digit())
                || token == "success"
                || token == "failure"
        };
        let token = self.pick(&self.tokens(of_condition))?;
        let written = &self.text[token.clone()];
        let other = if fields.contains(&written) {
            self.pick(&["op_id", "wallet.is_blocked", "occurred_at", "10", "\"text\"", "true"])?.to_owned()
        } else {
            self.pick(&["\"100\"", "true", "amount", "device_id", "2h", "KZ", "(1 = 1)"])?.to_owned()
        };
        self.edit("type", token, other)
    }

    /// A line ends in the middle of a token.
    fn cut(&mut self) -> Option<Edit> {
        let token = self.pick(&self.tokens(|token| token.len() >= 2))?;
        let end = self.text[token.start..].find('\n').map_or(self.text.len(), |end| token.start + end);
        let at = token.start + 1 + self.random.below(token.len() - 1);
        self.edit("cut", at..end, "")
    }

    /// A line is lost that the rule needs.
    fn lost_line(&mut self) -> Option<Edit> {
        let needed = ["rule:", "clauses:", "mode:", "on:", "when: |", "then:"];
        let lines = lines_that_mean_something(self.text);
        let lines: Vec<_> = lines.into_iter().map(|(line, _)| line).collect();
        let is_needed = |line: &&Range<usize>| needed.iter().any(|key| self.text[(*line).clone()].starts_with(key));
        let needed: Vec<Range<usize>> = lines.iter().filter(is_needed).cloned().collect();
        let line = self.pick(&needed)?;
        self.edit("lost line", line.start..(line.end + 1).min(self.text.len()), "")
    }

    /// A Cyrillic letter in the place of the Latin one that looks the same.
    fn look_alike(&mut self) -> Option<Edit> {
        const PAIRS: [(char, char); 8] =
            [('a', 'а'), ('e', 'е'), ('o', 'о'), ('p', 'р'), ('c', 'с'), ('x', 'х'), ('K', 'К'), ('T', 'Т')];
        let token = self.pick(&self.tokens(|token| token.contains(PAIRS.map(|(latin, _)| latin))))?;
        let word = &self.text[token.clone()];
        let places: Vec<(usize, char)> = word.char_indices().collect();
        let places: Vec<(usize, char)> = places
            .into_iter()
            .filter_map(|(at, c)| PAIRS.iter().find(|(latin, _)| *latin == c).map(|(_, other)| (at, *other)))
            .collect();
        let (at, letter) = self.pick(&places)?;
        self.edit("look-alike", token.start + at..token.start + at + 1, letter)
    }

    /// A bracket or a quote is gone.
    fn bracket(&mut self) -> Option<Edit> {
        let mut places = Vec::new();
        for (line, _) in lines_that_mean_something(self.text) {
            let marks = self.text[line.clone()].char_indices().filter(|(_, c)| "()[]{}\"".contains(*c));
            places.extend(marks.map(|(at, _)| line.start + at));
        }
        let at = self.pick(&places)?;
        self.edit("bracket", at..at + 1, "")
    }

    /// A line is indented by more, by less, or by a tab.
    fn indentation(&mut self) -> Option<Edit> {
        let lines: Vec<Range<usize>> = lines_that_mean_something(self.text).into_iter().map(|(line, _)| line).collect();
        let line = self.pick(&lines)?;
        let spaces = self.text[line.clone()].len() - self.text[line.clone()].trim_start().len();
        let other = self.pick(&["", " ", "  ", "    ", "\t"])?;
        self.edit("indentation", line.start..line.start + spaces, other)
    }

    fn any(&mut self) -> Option<Edit> {
        match self.random.below(8) {
            0 => self.typo(),
            1 => self.unit(),
            2 => self.another_type(),
            3 => self.cut(),
            4 => self.lost_line(),
            5 => self.look_alike(),
            6 => self.bracket(),
            _ => self.indentation(),
        }
    }
}

/// Tells whether two texts differ in one literal that became another one: a number with its unit, a quoted text, or one
/// word of a set of which both are.
fn is_another_literal(before: &str, after: &str) -> bool {
    let split = |text: &str| tokens(text).into_iter().map(|token| text[token].to_owned()).collect::<Vec<_>>();
    let (before, after) = (split(before), split(after));
    let differ: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one != other).collect();
    let [(one, other)] = differ.as_slice() else { return false };
    let is_number = |token: &str| token.starts_with(|c: char| c.is_ascii_digit());
    let sets: [&[&str]; 2] = [&["KZT", "MRP"], &["success", "failure"]];
    before.len() == after.len()
        && (is_number(one) && is_number(other)
            || sets.iter().any(|set| set.contains(&one.as_str()) && set.contains(&other.as_str())))
}

fn shipped() -> Vec<SourceFile> {
    let folder = Folder::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"));
    let files = folder.files(|_| true).expect("the rules that ship");
    files.into_iter().map(|file| SourceFile::of_folder("rules/", &file.path, file.bytes.into_owned())).collect()
}

/// What `kuzet check` finds without running tests, notes left out, and the hash of the set if it loads.
fn looked_at(files: &[SourceFile]) -> (Option<String>, Vec<Diagnostic>) {
    let today = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a day");
    match compile(files) {
        Ok(Compiled { rule_set, warnings }) => {
            let mut found = lint::findings(&rule_set, files, &warnings, today);
            found.extend(warnings);
            found.retain(|found| found.severity != Severity::Note);
            (Some(rule_set.hash), found)
        }
        Err(found) => (None, found),
    }
}

/// How many edits ended how, and which are to be looked at.
#[derive(Default)]
struct Tally {
    by_kind: BTreeMap<&'static str, [usize; 3]>,
    found: usize,
    found_near: usize,
    errors: usize,
    errors_near: usize,
    far: Vec<String>,
    unseen: Vec<String>,
}

impl Tally {
    fn take(&mut self, edit: &Edit, before: &SourceFile, after: &str, seen: (bool, &[Diagnostic], &[SourceFile])) {
        let text = std::str::from_utf8(&before.bytes).expect("UTF-8");
        let (is_same, found, files) = seen;
        let shown = || {
            let line = text[..edit.span.start].matches('\n').count() + 1;
            let (old, new) = (&text[edit.span.clone()], &edit.replacement);
            format!("--- {}: {}:{line}: {old:?} became {new:?}\n{}", edit.kind, before.path, render_text(found, files))
        };
        let row = self.by_kind.entry(edit.kind).or_default();
        if found.is_empty() {
            if is_same {
                row[1] += 1;
            } else if is_another_literal(text, after) {
                row[2] += 1;
            } else {
                self.unseen.push(shown());
            }
            return;
        }
        row[0] += 1;
        self.found += 1;
        let near = |found: &Diagnostic| found.path == before.path && is_near(after, &found.span, &edit.place());
        let errors: Vec<&Diagnostic> = found.iter().filter(|found| found.severity == Severity::Error).collect();
        let errors_near = errors.iter().filter(|found| near(found)).count();
        self.errors += errors.len();
        self.errors_near += errors_near;
        if found.iter().any(near) {
            self.found_near += 1;
        }
        if errors_near < errors.len() || !found.iter().any(near) {
            self.far.push(shown());
        }
    }
}

#[test]
fn what_is_found_of_a_slip_stands_where_it_is_and_none_is_unseen() {
    let number = |name| crate::environment::text(name).and_then(|text| text.parse::<u64>().ok());
    let (edits, seed) = (number("KUZET_EDITS").unwrap_or(EDITS), number("KUZET_SEED").unwrap_or(SEED));
    let files = shipped();
    let (hash, found) = looked_at(&files);
    assert!(hash.is_some() && found.is_empty(), "{}", render_text(&found, &files));
    let is_rule = |position: &usize| FileKind::of(&files[*position]) == FileKind::Rule;
    let rules: Vec<usize> = (0..files.len()).filter(is_rule).collect();
    let mut random = Random(seed);
    let mut tally = Tally::default();
    let mut made = 0;
    while made < edits {
        let file = &files[rules[random.below(rules.len())]];
        let text = std::str::from_utf8(&file.bytes).expect("UTF-8");
        let Some(edit) = (Maker { text, random: &mut random }).any() else { continue };
        made += 1;
        let after = edit.applied(text);
        let mut edited = files.clone();
        let place = edited.iter().position(|known| known.path == file.path).expect("the file");
        edited[place].bytes = after.clone().into_bytes();
        let (other, found) = looked_at(&edited);
        tally.take(&edit, file, &after, (other == hash, &found, &edited));
    }
    let share = |part: usize, whole: usize| {
        let tenths = 1_000 * part / whole.max(1);
        format!("{}.{} %", tenths / 10, tenths % 10)
    };
    println!("{edits} edits, seed {seed}");
    println!("{:12} {:>5} {:>5} {:>15}", "", "found", "same", "another literal");
    for (kind, [found, same, literal]) in &tally.by_kind {
        println!("{kind:12} {found:5} {same:5} {literal:15}");
    }
    println!("errors near their edit: {} of {}", share(tally.errors_near, tally.errors), tally.errors);
    println!("edits with something near them: {} of {}", share(tally.found_near, tally.found), tally.found);
    println!("{}", tally.far.join("\n"));
    assert!(tally.unseen.is_empty(), "{} loaded unseen:\n{}", tally.unseen.len(), tally.unseen.join("\n"));
    assert!(100 * tally.errors_near >= NEAR_MIN * tally.errors, "too many errors are far from their edits");
    assert!(100 * tally.found_near >= NEAR_MIN * tally.found, "too many edits have nothing near them");
}
