//! What the files of a rule folder are, by their paths inside it.

use super::diagnostic::{Code, Diagnostic, Findings};
use super::source::{REDIS_SET, SourceFile};

/// What a file is, by its path inside the folder of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Rule,
    /// `ID.test.yaml`
    Test,
    /// `data/mrp.yaml`
    Mrp,
    /// `data/lists.yaml`
    Lists,
    /// `data/budget.yaml`
    Budget,
    /// `data/*.csv`
    Csv,
    /// `kuzet:list:{name}`: the values of a set in Redis, one a line.
    RedisSet,
    /// A text for people: `README.md` and the like.
    Text,
    /// It looks like a rule or like data, but is not named or placed like one.
    Misplaced,
    /// Anything else.
    Other,
}

impl FileKind {
    /// Tells what a file is.
    #[must_use]
    pub fn of(file: &SourceFile) -> Self {
        let inside = file.inside();
        if inside.starts_with(REDIS_SET) {
            return Self::RedisSet;
        }
        let mut parts = inside.rsplit(['/', '\\']);
        let name = parts.next().unwrap_or(inside);
        let in_data = parts.next() == Some("data");
        let lower = name.to_ascii_lowercase();
        let is = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
        match (name, in_data) {
            ("mrp.yaml", true) => Self::Mrp,
            ("lists.yaml", true) => Self::Lists,
            ("budget.yaml", true) => Self::Budget,
            (_, true) if is(&[".csv"]) => Self::Csv,
            (name, false) if name.ends_with(".test.yaml") => Self::Test,
            (name, false) if name.ends_with(".yaml") => Self::Rule,
            _ if is(&[".yaml", ".yml", ".csv"]) => Self::Misplaced,
            _ if is(&[".md", ".txt"]) => Self::Text,
            _ => Self::Other,
        }
    }
}

/// Names the files that would never be loaded, and those whose kind there may be one of.
pub(super) fn check_files(files: &[SourceFile], diagnostics: &mut Vec<Diagnostic>) {
    let (mut mrp, mut lists, mut budget) = (None, None, None);
    for file in files {
        match FileKind::of(file) {
            FileKind::Misplaced => report(file, diagnostics, |findings| {
                findings
                    .error(Code::FileName, &(0..0), "this file would never be loaded")
                    .label(what_is_wrong(file.inside()))
                    .help(
                        "rules are ID.yaml, their tests ID.test.yaml; a folder named data holds mrp.yaml, lists.yaml, \
                         budget.yaml and the CSV files of lists",
                    );
            }),
            FileKind::Other => report(file, diagnostics, |findings| {
                findings
                    .warning(Code::FileName, &(0..0), "this file is not loaded")
                    .label("neither a rule nor a test nor data")
                    .help("move it out of the folder of rules");
            }),
            FileKind::Mrp => only_one(&mut mrp, file, diagnostics),
            FileKind::Lists => only_one(&mut lists, file, diagnostics),
            FileKind::Budget => only_one(&mut budget, file, diagnostics),
            FileKind::Rule | FileKind::Test | FileKind::Csv | FileKind::RedisSet | FileKind::Text => {}
        }
    }
}

fn report(file: &SourceFile, diagnostics: &mut Vec<Diagnostic>, find: impl FnOnce(&mut Findings)) {
    let mut findings = Findings::new(&file.path);
    find(&mut findings);
    diagnostics.append(&mut findings.list);
}

fn only_one<'f>(first: &mut Option<&'f SourceFile>, file: &'f SourceFile, diagnostics: &mut Vec<Diagnostic>) {
    let Some(first) = *first else {
        *first = Some(file);
        return;
    };
    report(file, diagnostics, |findings| {
        findings
            .error(Code::DuplicateFile, &(0..0), "there is already such a file")
            .label("a second one")
            .help(format!("the other one is {}", first.path));
    });
}

fn what_is_wrong(inside: &str) -> String {
    let name = inside.rsplit(['/', '\\']).next().unwrap_or(inside);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "yaml" => String::from("a folder named data holds no rules"),
        "csv" => String::from("not in a folder named data"),
        _ => format!("its name ends in `.{ending}`"),
    }
}

/// Names tests without a rule, and CSV files that no list reads.
pub(super) fn check_orphans(
    files: &[SourceFile],
    is_rule: impl Fn(&str) -> bool,
    is_read: impl Fn(&str) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for file in files {
        let name = file.inside().rsplit(['/', '\\']).next().unwrap_or_default();
        match FileKind::of(file) {
            FileKind::Test => {
                let rule = name.strip_suffix(".test.yaml").unwrap_or(name);
                if !is_rule(rule) {
                    report(file, diagnostics, |findings| {
                        findings
                            .error(Code::FileName, &(0..0), format!("there is no rule `{rule}`"))
                            .label("the tests of a rule that is not there")
                            .help("tests of the rule ID are in ID.test.yaml");
                    });
                }
            }
            FileKind::Csv if !is_read(&file.path) => report(file, diagnostics, |findings| {
                findings
                    .error(Code::FileName, &(0..0), "no list reads this file")
                    .label("not named in lists.yaml")
                    .help("name it as `file:` of a list, or move it out of the folder of rules");
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_path_inside_the_folder_says() {
        let kinds = [
            ("a.yaml", FileKind::Rule),
            ("x/a.test.yaml", FileKind::Test),
            ("data/mrp.yaml", FileKind::Mrp),
            ("x/data/lists.yaml", FileKind::Lists),
            ("data/budget.yaml", FileKind::Budget),
            ("data/WALLETS.CSV", FileKind::Csv),
            ("a.YAML", FileKind::Misplaced),
            ("a.YML", FileKind::Misplaced),
            ("a.yml", FileKind::Misplaced),
            ("data/a.yaml", FileKind::Misplaced),
            ("a.csv", FileKind::Misplaced),
            ("README.md", FileKind::Text),
            ("a.yaml.orig", FileKind::Other),
        ];
        for (path, kind) in kinds {
            assert_eq!(FileKind::of(&SourceFile::new(path, "")), kind, "{path}");
            // The folder itself may be named anything.
            assert_eq!(FileKind::of(&SourceFile::of_folder("/home/data/", path, Vec::new())), kind, "{path}");
        }
    }
}
