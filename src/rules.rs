//! The rule language: files with spans in, a type-checked program out.
//!
//! Knows the operation's fields and types, nothing of state, transport or clocks. Reading files from
//! disk happens outside: this module is given paths and texts.
//!
//! The walk of a rule file: `yaml` (a tree with byte spans) → `rule_file` (its keys) → `token` and
//! `parse` (the condition, lexed where it stands) → `check` (types, aggregates) → [`program`]. Every
//! stage reports into [`diagnostic`] and goes on, so that one run shows all errors of all files.

mod canonical;
mod check;
mod data;
pub mod diagnostic;
mod fields;
mod keys;
mod parse;
pub mod program;
mod rule_file;
mod source;
mod stage;
pub(crate) mod syntax;
pub mod test_file;
#[cfg(test)]
mod tests;
mod token;
pub mod yaml;

use std::collections::BTreeMap;

pub use diagnostic::render::{render_json, render_sarif, render_text};
pub use diagnostic::{Diagnostic, Severity};
pub use source::{FILE_BYTES_MAX, REDIS_SET, SourceFile};

use check::World;
use diagnostic::{Code, Findings};
use program::{ListOrigin, MrpTable, RuleSet};
use rule_file::RuleFile;
pub(crate) use rule_file::condition_of;

/// Most rules in one set.
pub const RULES_MAX: usize = 500;
/// A rule set that loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    pub rule_set: RuleSet,
    pub warnings: Vec<Diagnostic>,
}

/// What a file is, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Rule,
    /// `ID.test.yaml`
    Test,
    /// `data/mrp.yaml`
    Mrp,
    /// `data/lists.yaml`
    Lists,
    /// `data/*.csv`
    Csv,
    /// `kuzet:list:{name}`: the values of a set in Redis, one a line.
    RedisSet,
    /// Anything else, which is ignored.
    Other,
}

impl FileKind {
    /// Tells what the file at this path is.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let mut parts = path.rsplit(['/', '\\']);
        let name = parts.next().unwrap_or(path);
        let in_data = parts.next() == Some("data");
        match (name, in_data) {
            ("mrp.yaml", true) => Self::Mrp,
            ("lists.yaml", true) => Self::Lists,
            (name, true) if name.to_ascii_lowercase().ends_with(".csv") => Self::Csv,
            _ if path.starts_with(REDIS_SET) => Self::RedisSet,
            (_, true) => Self::Other,
            (name, false) if name.ends_with(".test.yaml") => Self::Test,
            (name, false) if name.ends_with(".yaml") => Self::Rule,
            (_, false) => Self::Other,
        }
    }
}

/// Compiles all rules and data of a folder.
///
/// # Errors
/// Every error of every file, and the warnings beside them, in the order of paths and places.
pub fn compile(files: &[SourceFile]) -> Result<Compiled, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let texts = read_texts(files, &mut diagnostics);
    let of_kind = |kind: FileKind| texts.iter().filter(move |(path, _)| FileKind::of(path) == kind);

    let mut mrp = MrpTable::default();
    for (path, text) in of_kind(FileKind::Mrp) {
        let (table, mut found) = data::read_mrp(path, text);
        mrp = table;
        diagnostics.append(&mut found);
    }
    let mut lists = Vec::new();
    for (path, text) in of_kind(FileKind::Lists) {
        let (mut read, mut found) = data::read_lists(path, text, |path| texts.get(path).copied());
        lists.append(&mut read);
        diagnostics.append(&mut found);
    }
    let mut world = World {
        list_names: lists.iter().map(|list| list.name.clone()).collect(),
        list_types: lists.iter().map(|list| list.list_type).collect(),
        aggregates: Vec::new(),
    };
    // In the order of rule ids, so that moving a file to another folder changes nothing.
    let mut sources: Vec<(&str, &str)> = of_kind(FileKind::Rule).map(|(path, text)| (*path, *text)).collect();
    sources.sort_by_key(|(path, _)| (rule_file::file_stem(path), *path));
    let mut rules: Vec<RuleFile> = Vec::new();
    for (path, text) in &sources {
        let mut reading = rule_file::read(path, text, &mut world);
        diagnostics.append(&mut reading.findings);
        rules.extend(reading.file);
    }
    check_set(&mut rules, &sources, &world, &mut diagnostics);

    diagnostics.sort_by(|a, b| (&a.path, a.span.start).cmp(&(&b.path, b.span.start)));
    if diagnostics.iter().any(|found| found.severity == Severity::Error) {
        return Err(diagnostics);
    }
    let rules: Vec<program::Rule> = rules.into_iter().map(|file| file.rule).collect();
    let names = canonical::Names { lists: &world.list_names, aggregates: &world.aggregates };
    let hash = canonical::rule_set_hash(&rules, &lists, &mrp, names);
    let rule_set = RuleSet { hash, rules, aggregates: world.aggregates, lists, mrp };
    Ok(Compiled { rule_set, warnings: diagnostics })
}

/// Names the lists of a folder whose values come from Redis. A caller that can read them adds a
/// [`FileKind::RedisSet`] for each; a set without one compiles too, as a list that was not read.
#[must_use]
pub fn redis_lists(files: &[SourceFile]) -> Vec<String> {
    let texts = files.iter().filter(|file| FileKind::of(&file.path) == FileKind::Lists);
    let names = |file: &SourceFile| {
        let text = std::str::from_utf8(&file.bytes).ok()?;
        let (lists, _) = data::read_lists(&file.path, text, |_| None);
        Some(lists.into_iter().filter(|list| list.origin != ListOrigin::File).map(|list| list.name))
    };
    texts.filter_map(names).flatten().collect()
}

/// Checks what only the whole set shows: repeated ids, too many rules, cycles.
fn check_set(rules: &mut [RuleFile], sources: &[(&str, &str)], world: &World, diagnostics: &mut Vec<Diagnostic>) {
    let mut first_paths: BTreeMap<&str, &str> = BTreeMap::new();
    for file in &*rules {
        let Some(first) = first_paths.get(&*file.rule.id) else {
            first_paths.insert(&file.rule.id, &file.rule.path);
            continue;
        };
        let mut findings = Findings::new(&file.rule.path);
        findings
            .error(Code::DuplicateRule, &file.id_span, format!("there is already a rule `{}`", file.rule.id))
            .label("same id")
            .help(format!("the other one is {first}"));
        diagnostics.append(&mut findings.list);
    }
    if let Some((path, _)) = sources.get(RULES_MAX) {
        let mut findings = Findings::new(path);
        findings
            .error(Code::TooManyRules, &(0..0), format!("a set has at most {RULES_MAX} rules"))
            .label(format!("this is one of {}", sources.len()));
        diagnostics.append(&mut findings.list);
    }
    stage::order(rules, &world.aggregates, diagnostics);
}

/// Keeps the files that can be read at all, by path.
fn read_texts<'f>(files: &'f [SourceFile], diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<&'f str, &'f str> {
    let mut texts = BTreeMap::new();
    for file in files {
        match FileKind::of(&file.path) {
            FileKind::Rule | FileKind::Mrp | FileKind::Lists => {
                if let Some(text) = readable(file, FILE_BYTES_MAX, diagnostics) {
                    texts.insert(file.path.as_str(), text);
                }
            }
            FileKind::Csv | FileKind::RedisSet => {
                // Lists are data, not rules: they may be long.
                if let Some(text) = readable(file, usize::MAX, diagnostics) {
                    texts.insert(file.path.as_str(), text);
                }
            }
            FileKind::Other if file.path.to_ascii_lowercase().ends_with(".yml") => {
                let mut findings = Findings::new(&file.path);
                findings
                    .error(Code::FileName, &(0..0), "this file would never be loaded")
                    .label("its name ends in `.yml`")
                    .help("rule files end in `.yaml`");
                diagnostics.append(&mut findings.list);
            }
            FileKind::Test | FileKind::Other => {}
        }
    }
    texts
}

fn readable<'f>(file: &'f SourceFile, max: usize, diagnostics: &mut Vec<Diagnostic>) -> Option<&'f str> {
    let mut findings = Findings::new(&file.path);
    if file.bytes.len() > max {
        findings
            .error(Code::FileTooLarge, &(0..0), format!("the file is larger than {max} bytes"))
            .label(format!("{} bytes", file.bytes.len()));
        diagnostics.append(&mut findings.list);
        return None;
    }
    match std::str::from_utf8(&file.bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let at = error.valid_up_to();
            findings
                .error(Code::NotUtf8, &(at..at), "the file is not UTF-8")
                .label("the first byte that is not")
                .help("save the file as UTF-8");
            diagnostics.append(&mut findings.list);
            None
        }
    }
}
