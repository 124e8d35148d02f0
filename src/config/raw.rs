//! From the text of the file and the variables to values with places: which key, what stands there, where.
//!
//! Knows names, not limits: what a value must be is for `check`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::findings::{Code, Findings, Place};
use super::keys::{KEYS, Key, TEST_PREFIX, VARIABLE_PREFIX, sections};
use super::value::{RawValue, raw_of_text};
use crate::rules::diagnostic::render::line_and_column;

/// A value with its place.
pub(super) type Placed = (RawValue, Place);

/// A configuration as it was written.
#[derive(Debug, Default)]
pub(super) struct RawConfig {
    /// By key; the file's value first, then the variable's, which counts.
    pub(super) values: BTreeMap<&'static str, Vec<Placed>>,
    pub(super) tokens: Vec<RawToken>,
    /// Variables that nobody set for kuzet.
    pub(super) ignored: Vec<String>,
}

/// One `[[token]]`.
#[derive(Debug)]
pub(super) struct RawToken {
    /// Where the block begins.
    pub(super) place: Place,
    pub(super) values: BTreeMap<&'static str, Placed>,
}

/// The keys of a `[[token]]`.
pub(super) const TOKEN_KEYS: &[&str] = &["name", "hash", "roles"];

/// Shown beside errors of the syntax that say too little themselves.
const SYNTAX_HELP: &str = "a line is `[section]` or `key = value`; texts, durations and sizes stand in quotes";

/// Reads the file and the variables that begin with `KUZET_`.
pub(super) fn read(text: &str, env: impl IntoIterator<Item = (String, String)>, findings: &mut Findings) -> RawConfig {
    let mut reading = Reading { text, findings, bad_lines: BTreeSet::new(), raw: RawConfig::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    if reading.note_syntax(errors, table.get_ref().is_empty()) {
        reading.section("", table.get_ref());
    }
    let of_kuzet = |(name, _): &(String, String)| name.starts_with(VARIABLE_PREFIX) && !name.starts_with(TEST_PREFIX);
    let variables: BTreeMap<String, String> = env.into_iter().filter(of_kuzet).collect();
    for (name, value) in &variables {
        if is_of_kubernetes(name, value) {
            reading.raw.ignored.push(name.clone());
        } else {
            reading.variable(name, value);
        }
    }
    reading.raw
}

/// Tells whether Kubernetes made the variable, as it does in every container of a name space with a service
/// named `kuzet`: `KUZET_SERVICE_HOST`, `KUZET_SERVICE_PORT` and one for each named port, `KUZET_PORT` and, for
/// each port, `KUZET_PORT_8480_TCP` with its `_PROTO`, `_PORT` and `_ADDR`. Whoever writes `KUZET_PORT=8480` means
/// something else and is told.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_link =
        |value: &str| value.split_once("://").is_some_and(|(scheme, _)| matches!(scheme, "tcp" | "udp" | "sctp"));
    let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { return false };
    if let Some(port) = rest.strip_prefix("PORT_") {
        let mut parts = port.split('_');
        let number = parts.next().is_some_and(|number| number.parse::<u16>().is_ok());
        let protocol = parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"));
        let part = parts.next();
        let is_known = match part {
            None => is_link(value),
            Some(part) => matches!(part, "PROTO" | "PORT" | "ADDR"),
        };
        return number && protocol && is_known && parts.next().is_none();
    }
    match rest {
        "SERVICE_HOST" | "SERVICE_PORT" => true,
        "PORT" => is_link(value),
        _ => rest.starts_with("SERVICE_PORT_"),
    }
}

struct Reading<'t> {
    text: &'t str,
    findings: &'t mut Findings,
    /// Lines on which the syntax is wrong: nothing else is said of them.
    bad_lines: BTreeSet<usize>,
    raw: RawConfig,
}

impl Reading<'_> {
    fn line(&self, at: usize) -> usize {
        line_and_column(self.text, at).0
    }

    /// Reports one error of the syntax a line; tells whether the rest of the file can be trusted.
    fn note_syntax(&mut self, mut errors: Vec<Error>, nothing_read: bool) -> bool {
        errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
        let mut is_trusted = true;
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let line = self.line(span.start);
            if !self.bad_lines.insert(line) {
                continue;
            }
            let start = self.text.lines().nth(line - 1).unwrap_or_default();
            let is_duplicate = error.message() == "duplicate key";
            is_trusted &=
                is_duplicate || !(start.trim_start().starts_with('[') || error.message().contains("unclosed"));
            self.syntax_error(error.message(), &span);
            if nothing_read {
                // This is no TOML at all: one error says so.
                return false;
            }
        }
        is_trusted
    }

    fn syntax_error(&mut self, message: &str, span: &Range<usize>) {
        let found = self.text.get(span.clone()).unwrap_or_default().to_owned();
        let place = Place::File(span.clone());
        if message.starts_with("invalid unquoted key") {
            let span = self.word_around(span);
            let word = self.text.get(span.clone()).unwrap_or_default().to_owned();
            let known = KEYS.iter().map(Key::name).chain(sections()).chain(["token"]).chain(TOKEN_KEYS.iter().copied());
            self.findings
                .error(Code::BadToml, &Place::File(span), format!("`{word}` cannot be a key"))
                .label("keys are Latin letters, digits, `-` and `_`")
                .nearest(&word, known);
        } else if message == "duplicate key" {
            self.findings
                .error(Code::BadToml, &place, format!("`{found}` stands here a second time"))
                .label("second time")
                .help("each key and each section is written once");
        } else if let Some(value) = self.unquoted(message, span) {
            let found = self.text.get(value.clone()).unwrap_or_default();
            let is_answer = ["true", "false", "yes", "no", "on", "off"].contains(&found.to_lowercase().as_str());
            let help = if is_answer { String::from("accepted: true or false") } else { format!("write \"{found}\"") };
            self.findings
                .error(Code::BadToml, &Place::File(value), format!("`{found}` is a text without quotes"))
                .label("found a text without quotes")
                .help(help);
        } else {
            self.findings.error(Code::BadToml, &place, message).label("here").help(SYNTAX_HELP);
        }
    }

    /// Finds the whole value around an error, where the value is a text that only lacks its quotes.
    fn unquoted(&self, message: &str, span: &Range<usize>) -> Option<Range<usize>> {
        if !message.starts_with("string values must be quoted") && !message.starts_with("invalid ") {
            return None;
        }
        let line_start = self.text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(line_start..)?.lines().next()?;
        let (key, value) = line.split_once('=')?;
        let value_start = line_start + key.len() + 1;
        let value = value.split_once('#').map_or(value, |(value, _)| value);
        let start = value_start + (value.len() - value.trim_start().len());
        let value = value.trim();
        let is_plain = !value.is_empty() && !value.contains(['"', '\'', '[', ']', '{', '}', '=']);
        (is_plain && span.start >= value_start).then(|| start..start + value.len())
    }

    /// Widens a span to the whole word: letters of any script, digits, `-` and `_`.
    fn word_around(&self, span: &Range<usize>) -> Range<usize> {
        let is_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let (before, after) = (self.text.get(..span.start), self.text.get(span.end..));
        let left = before.unwrap_or_default().chars().rev().take_while(|c| is_word(*c)).map(char::len_utf8);
        let right = after.unwrap_or_default().chars().take_while(|c| is_word(*c)).map(char::len_utf8);
        span.start - left.sum::<usize>()..span.end + right.sum::<usize>()
    }

    /// Walks a section; `prefix` is its path, empty at the top.
    fn section(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            if self.bad_lines.contains(&self.line(name.span().start)) && !value.get_ref().is_table() {
                continue;
            }
            let path =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            if path == "token" {
                self.tokens(value);
            } else if let Some(key) = Key::find(&path) {
                let raw = raw_of(value);
                let place = Place::File(value.span());
                self.raw.values.entry(key.path).or_default().push((raw, place));
            } else if let Some(section) = sections().into_iter().find(|section| **section == path) {
                match value.get_ref() {
                    DeValue::Table(table) => self.section(section, table),
                    _ => self.not_a_section(section, &name.span(), value),
                }
            } else {
                self.unknown(prefix, name.get_ref(), &name.span());
            }
        }
    }

    fn not_a_section(&mut self, section: &str, name: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let raw = raw_of(value);
        self.findings
            .error(Code::BadType, &Place::File(name.clone()), format!("`{section}` is a section"))
            .label(raw.found())
            .help(format!("accepted: a line `[{section}]`, written once, and its keys below it"));
    }

    fn unknown(&mut self, section: &str, name: &str, span: &Range<usize>) {
        let known = known_in(section);
        let place = Place::File(span.clone());
        let (message, label) = if section.is_empty() {
            (format!("there is no key or section `{name}`"), "unknown here")
        } else {
            (format!("there is no key `{name}` in [{section}]"), "unknown key")
        };
        let found = self.findings.error(Code::UnknownKey, &place, message).label(label);
        if let Some(key) = KEYS.iter().find(|key| key.name() == name) {
            found.help(match key.section() {
                "" => format!("`{name}` stands at the top of the file, before the first section"),
                section => format!("`{name}` belongs to [{section}]"),
            });
        } else if let Some(section) = sections().into_iter().find(|section| section.rsplit('.').next() == Some(name)) {
            found.help(format!("write [{section}]"));
        } else {
            found.nearest(name, known);
        }
    }

    fn tokens(&mut self, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(blocks) = value.get_ref() else {
            return self.not_tokens(value);
        };
        for block in blocks {
            match block.get_ref() {
                DeValue::Table(table) => self.token(block.span(), table),
                _ => self.not_tokens(block),
            }
        }
    }

    fn not_tokens(&mut self, value: &Spanned<DeValue<'_>>) {
        self.findings
            .error(Code::BadType, &Place::File(value.span()), "`token` is a list of blocks")
            .label(raw_of(value).found())
            .help("accepted: a line `[[token]]` for each, and name, hash and roles below it");
    }

    fn token(&mut self, span: Range<usize>, table: &DeTable<'_>) {
        let mut values = BTreeMap::new();
        for (name, value) in table {
            if self.bad_lines.contains(&self.line(name.span().start)) {
                continue;
            }
            match TOKEN_KEYS.iter().find(|known| **known == name.get_ref().as_ref()) {
                Some(known) => {
                    values.insert(*known, (raw_of(value), Place::File(value.span())));
                }
                None => {
                    let message = format!("there is no key `{}` in [[token]]", name.get_ref());
                    self.findings
                        .error(Code::UnknownKey, &Place::File(name.span()), message)
                        .label("unknown key")
                        .nearest(name.get_ref(), TOKEN_KEYS.iter().copied());
                }
            }
        }
        self.raw.tokens.push(RawToken { place: Place::File(span), values });
    }

    fn variable(&mut self, name: &str, value: &str) {
        let place = Place::Variable(name.to_owned());
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            // Its value is not shown: nobody knows what it is.
            self.findings.add_variable(name, name);
            let names: Vec<String> = KEYS.iter().map(Key::variable).collect();
            let found = self
                .findings
                .error(Code::UnknownVariable, &place, format!("there is no environment variable `{name}`"))
                .label("stands for no key");
            if name.starts_with("KUZET_TOKEN") {
                found.help("tokens stand in the file only, each in a block `[[token]]`");
            } else {
                found.nearest(name, names.iter().map(String::as_str));
            }
            found.help("KUZET_HTTP_LISTEN, for one, stands for `listen` in [http]; unset what is not meant");
            return;
        };
        self.findings.add_variable(name, value);
        self.raw.values.entry(key.path).or_default().push((raw_of_text(&key.kind, value), place));
    }
}

/// Lists the names that may stand in a section.
fn known_in(section: &str) -> Vec<&'static str> {
    let mut known: Vec<&str> = KEYS.iter().filter(|key| key.section() == section).map(Key::name).collect();
    if section.is_empty() {
        known.extend(sections());
        known.push("token");
    }
    known
}

fn raw_of(value: &Spanned<DeValue<'_>>) -> RawValue {
    match value.get_ref() {
        DeValue::String(text) => RawValue::Text(text.to_string()),
        DeValue::Integer(number) => RawValue::Integer(i128::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Boolean(value) => RawValue::Bool(*value),
        DeValue::Float(_) => RawValue::Other("a number with a point"),
        DeValue::Datetime(_) => RawValue::Other("a date"),
        DeValue::Array(items) => RawValue::List(items.iter().map(|item| (raw_of(item), item.span())).collect()),
        DeValue::Table(_) => RawValue::Other("a section"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_kubernetes;

    #[test]
    fn what_kubernetes_sets_for_a_service_named_kuzet_is_known() {
        for (name, value) in [
            ("KUZET_SERVICE_HOST", "10.96.0.7"),
            ("KUZET_SERVICE_PORT", "8480"),
            ("KUZET_SERVICE_PORT_HTTP", "8480"),
            ("KUZET_PORT", "tcp://10.96.0.7:8480"),
            ("KUZET_PORT_8480_TCP", "tcp://10.96.0.7:8480"),
            ("KUZET_PORT_8480_TCP_PROTO", "tcp"),
            ("KUZET_PORT_8480_TCP_PORT", "8480"),
            ("KUZET_PORT_8480_TCP_ADDR", "10.96.0.7"),
        ] {
            assert!(is_of_kubernetes(name, value), "{name}");
        }
        for (name, value) in [
            ("KUZET_PORT", "8480"),
            ("KUZET_PORT_8480", "x"),
            ("KUZET_PORT_8480_TCP", "8480"),
            ("KUZET_PORT_HTTP_TCP_ADDR", "10.96.0.7"),
            ("KUZET_PORT_8480_TCP_ADDR_X", "10.96.0.7"),
            ("KUZET_SERVICE", "kuzet"),
            ("KUZET_HTTP_LISTEN", "tcp://10.96.0.7:8480"),
        ] {
            assert!(!is_of_kubernetes(name, value), "{name}");
        }
    }
}
