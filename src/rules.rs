//! The rule language: files with spans in, a type-checked program out.
//!
//! Knows the operation's fields and types, nothing of state, transport or clocks. Reading files from
//! disk happens outside: this module is given paths and texts.
//!
//! The walk of a rule file: `yaml` (a tree with byte spans) → `rule_file` (its keys) → `token` and
//! `parse` (the condition, lexed where it stands) → `check` (types, aggregates) → [`program`]. Every
//! stage reports into [`diagnostic`] and goes on, so that one run shows all errors of all files.

mod budget;
mod canonical;
mod check;
mod data;
pub mod diagnostic;
mod fields;
mod file_kind;
mod keys;
pub mod layout;
mod parse;
pub mod program;
mod readable;
pub mod reference;
mod rule_file;
mod source;
mod stage;
pub(crate) mod syntax;
pub mod test_file;
#[cfg(test)]
mod tests;
mod token;
pub mod yaml;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use budget::basis_points_of;
pub use diagnostic::render::{more_about, render_json, render_refusal, render_sarif, render_text};
pub use diagnostic::{Diagnostic, Severity};
pub use file_kind::FileKind;
pub use source::{FILE_BYTES_MAX, REDIS_SET, SourceFile};

use check::World;
use diagnostic::{Code, Findings};
pub(crate) use fields::{
    field as field_named, is_always_present as field_is_always_present, path as path_of_field, words_of,
};
pub(crate) use parse::unit_nanos;
use program::{ListOrigin, MrpTable, RuleSet};
use rule_file::RuleFile;
pub(crate) use rule_file::{IDS, condition_of, conditions_of, is_id};
pub(crate) use stage::seen_by;
pub(crate) use token::place_of_word;

/// Lists the paths of the fields of operations and of matches.
#[cfg(test)]
pub(crate) fn field_paths() -> Vec<&'static str> {
    [fields::known_paths(false), fields::known_paths(true)].concat()
}

/// Most rules in one set.
pub const RULES_MAX: usize = 500;
/// Why a set without rules is not used.
pub const NO_RULES: &str = "there is no rule, and everything would be allowed; if that is meant, say so: \
    `rules.allow_empty` in the configuration, `allow_empty=true` on a reload, `kuzet check --allow-empty`";

/// What is done where all rules, or all values of a list, are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vanishing {
    /// The set is not used: most likely files were moved, or a list was emptied by accident.
    Refused,
    /// It was asked for in so many words.
    Allowed,
}

/// Tells what a set would lose as a whole against the one before it: all its rules, or all values of a list that
/// had some.
#[must_use]
pub fn vanished(before: &RuleSet, after: &RuleSet) -> Option<String> {
    if after.rules.is_empty() {
        return Some(NO_RULES.to_owned());
    }
    let is_empty = |list: &program::List| list.values.is_empty() && list.networks.is_empty();
    let had_some = |name: &str| before.lists.iter().any(|list| list.name == name && !is_empty(list));
    let emptied = after.lists.iter().filter(|list| list.is_read() && is_empty(list) && had_some(&list.name));
    let names: Vec<String> = emptied.map(|list| format!("`{}`", list.name)).collect();
    (!names.is_empty()).then(|| {
        format!(
            "all values of {} are gone, and what they stood for would be allowed; if that is meant, say so \
             (`allow_empty=true` on a reload)",
            names.join(", ")
        )
    })
}

/// A rule set that loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    pub rule_set: RuleSet,
    pub warnings: Vec<Diagnostic>,
}

/// Compiles all rules and data of a folder.
///
/// # Errors
/// Every error of every file, and the warnings beside them, in the order of paths and places.
pub fn compile(files: &[SourceFile]) -> Result<Compiled, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    file_kind::check_files(files, &mut diagnostics);
    let texts = read_texts(files, &mut diagnostics);
    let of_kind = |wanted: FileKind| {
        let found = texts.iter().filter(move |(_, (kind, _))| *kind == wanted);
        found.map(|(path, (_, text))| (*path, *text))
    };

    let mut mrp = MrpTable::default();
    for (path, text) in of_kind(FileKind::Mrp) {
        let (table, mut found) = data::read_mrp(path, text);
        mrp = table;
        diagnostics.append(&mut found);
    }
    let mut lists = Vec::new();
    let read_csv = RefCell::new(BTreeSet::new());
    let mut lists_are_wrong = false;
    for (path, text) in of_kind(FileKind::Lists) {
        let csv = |csv: &str| {
            let (path, (_, text)) = texts.get_key_value(csv)?;
            read_csv.borrow_mut().insert(*path);
            Some(*text)
        };
        let (mut read, mut found) = data::read_lists(path, text, csv);
        lists.append(&mut read);
        lists_are_wrong |= found.iter().any(|found| found.severity == Severity::Error);
        diagnostics.append(&mut found);
    }
    let mut world = World {
        list_names: lists.iter().map(|list| list.name.clone()).collect(),
        list_types: lists.iter().map(|list| list.list_type).collect(),
        aggregates: Vec::new(),
    };
    // In the order of rule ids, so that moving a file to another folder changes nothing.
    let mut sources: Vec<(&str, &str)> = of_kind(FileKind::Rule).collect();
    sources.sort_by_key(|(path, _)| (rule_file::file_stem(path), *path));
    let mut rules: Vec<RuleFile> = Vec::new();
    for (path, text) in &sources {
        let mut reading = rule_file::read(path, text, &mut world);
        diagnostics.append(&mut reading.findings);
        rules.extend(reading.file);
    }
    let mut default_budget = None;
    for (path, text) in of_kind(FileKind::Budget) {
        let (read, mut found) = budget::of_set(path, text);
        default_budget = read;
        diagnostics.append(&mut found);
    }
    rules.iter_mut().for_each(|file| budget::settle(&mut file.rule, file.budget, default_budget));
    check_set(&mut rules, &sources, &world, &mut diagnostics);
    let is_rule = |id: &str| sources.iter().any(|(path, _)| rule_file::file_stem(path) == id);
    // Where the lists are not right, nobody knows which files they would read.
    let is_listed = |path: &str| lists_are_wrong || read_csv.borrow().contains(path);
    file_kind::check_orphans(files, is_rule, is_listed, &mut diagnostics);

    diagnostics.sort_by(|a, b| (&a.path, a.span.start).cmp(&(&b.path, b.span.start)));
    if diagnostics.iter().any(|found| found.severity == Severity::Error) {
        return Err(diagnostics);
    }
    let rules: Vec<program::Rule> = rules.into_iter().map(|file| file.rule).collect();
    let names = canonical::Names { lists: &world.list_names, aggregates: &world.aggregates };
    let hash = canonical::rule_set_hash(&rules, &lists, &mrp, names);
    let data = data_files(files, |path| read_csv.borrow().contains(path));
    let rule_set = RuleSet { hash, rules, aggregates: world.aggregates, lists, mrp, data, retired: Vec::new() };
    Ok(Compiled { rule_set, warnings: diagnostics })
}

/// Returns the files of the table and the lists.
fn data_files(files: &[SourceFile], is_read: impl Fn(&str) -> bool) -> Vec<SourceFile> {
    let is_data = |file: &&SourceFile| match FileKind::of(file) {
        FileKind::Mrp | FileKind::Lists | FileKind::Budget | FileKind::RedisSet => true,
        FileKind::Csv => is_read(&file.path),
        FileKind::Rule | FileKind::Test | FileKind::Text | FileKind::Misplaced | FileKind::Other => false,
    };
    let inside = |file: &SourceFile| SourceFile::new(file.inside(), file.bytes.clone());
    files.iter().filter(is_data).map(inside).collect()
}

/// Names the lists of a folder whose values come from Redis. A caller that can read them adds a
/// [`FileKind::RedisSet`] for each; a set without one compiles too, as a list that was not read.
#[must_use]
pub fn redis_lists(files: &[SourceFile]) -> Vec<String> {
    let texts = files.iter().filter(|file| FileKind::of(file) == FileKind::Lists);
    let names = |file: &SourceFile| {
        let text = std::str::from_utf8(&file.bytes).ok()?;
        let (lists, _) = data::read_lists(&file.path, text, |_| None);
        Some(lists.into_iter().filter(|list| list.origin != ListOrigin::File).map(|list| list.name))
    };
    texts.filter_map(names).flatten().collect()
}

/// Returns what a rule's condition and each of its actions mean, within its set: equal texts mean the same.
pub(crate) fn meaning_of(rule: &program::Rule, set: &RuleSet) -> (String, Vec<String>) {
    let lists: Vec<String> = set.lists.iter().map(|list| list.name.clone()).collect();
    canonical::meaning(rule, canonical::Names { lists: &lists, aggregates: &set.aggregates })
}

/// Returns a rule's text with another mode, and everything else as it is; `None` where the mode does not stand as one
/// word that can be replaced.
#[must_use]
pub fn with_mode(text: &str, mode: program::Mode) -> Option<String> {
    let root = yaml_of(text)?;
    let node = root.at(&["mode"])?;
    let is_word = matches!(node.kind, yaml::NodeKind::Scalar { style: yaml::Style::Plain | yaml::Style::Quoted, .. });
    let changed = format!("{}{}{}", &text[..node.span.start], mode.name(), &text[node.span.end..]);
    let read = yaml_of(&changed)?;
    let has_mode = matches!(&read.at(&["mode"])?.kind, yaml::NodeKind::Scalar { text, .. } if text == mode.name());
    (is_word && has_mode).then_some(changed)
}

/// Returns the tree of a file's text, if it is the YAML that rules are written in.
pub(crate) fn yaml_of(text: &str) -> Option<yaml::Node> {
    yaml::parse(text, &mut Findings::new(""))
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
fn read_texts<'f>(
    files: &'f [SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'f str, (FileKind, &'f str)> {
    let mut texts = BTreeMap::new();
    for file in files {
        let kind = FileKind::of(file);
        let max = match kind {
            FileKind::Rule | FileKind::Mrp | FileKind::Lists | FileKind::Budget => FILE_BYTES_MAX,
            // Lists are data, not rules: they may be long.
            FileKind::Csv | FileKind::RedisSet => usize::MAX,
            FileKind::Test | FileKind::Text | FileKind::Misplaced | FileKind::Other => continue,
        };
        if let Some(text) = readable::readable(file, max, diagnostics) {
            texts.insert(file.path.as_str(), (kind, text));
        }
    }
    texts
}
