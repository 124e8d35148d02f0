//! No document promises what does not exist: command lines parse, blocks are what the program takes or prints, links
//! lead somewhere, named tests are there, and documents stay as short as they are meant to be.

mod contents;
mod walkthrough;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use kuzet::cli;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every Markdown document with its text.
fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["", "docs", "rules", "deploy", "geoip", "benches/peers"] {
        let entries = fs::read_dir(root(folder)).expect("a folder").flatten().map(|entry| entry.path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    paths.sort();
    let inside = |path: &Path| path.strip_prefix(root("")).expect("inside").to_string_lossy().into_owned();
    paths.iter().map(|path| (inside(path), fs::read_to_string(path).expect("a text"))).collect()
}

/// A fenced block: the language after the fence, and the lines inside.
struct Block {
    language: String,
    lines: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => open = Some(Block { language: language.to_owned(), lines: Vec::new() }),
            (None, Some(mut block)) => {
                block.lines.push(line.to_owned());
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// Texts between backticks, outside of blocks.
fn inline_codes(text: &str) -> Vec<String> {
    let mut outside = String::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_inside = !is_inside;
        } else if !is_inside {
            outside.push_str(line);
            outside.push('\n');
        }
    }
    outside.split('`').skip(1).step_by(2).map(|code| code.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The command lines of kuzet in a shell text: up to what the shell takes for itself.
fn command_lines(lines: &[String], prompt: &str) -> Vec<String> {
    let joined = lines.join("\n").replace("\\\n", " ");
    let commands = joined.lines().filter_map(|line| line.trim_start().strip_prefix(prompt));
    let commands =
        commands.flat_map(|line| line.split(['|', ';']).map(str::trim).map(String::from).collect::<Vec<_>>());
    commands.filter(|line| line.split_whitespace().next() == Some("kuzet")).collect()
}

/// Splits a line as a shell does, without its expansions, up to what the shell takes for itself.
fn words(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (String::new(), None);
    for c in line.chars().chain([' ']) {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (' ', None) if word.is_empty() => {}
            (' ', None) if matches!(&*word, "#" | ">" | "2>" | "&" | "&&" | "<") => break,
            (' ', None) => words.push(OsString::from(std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    words
}

#[test]
fn every_command_line_is_one_of_this_program() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        let mut lines = Vec::new();
        for block in blocks(&text) {
            match &*block.language {
                "sh" => lines.extend(command_lines(&block.lines, "")),
                "console" => lines.extend(command_lines(&block.lines, "$ ")),
                _ => {}
            }
        }
        for line in lines {
            count += 1;
            if let Err(error) = cli::check_command_line(words(&line)) {
                complaints.push(format!("{path}: {line}: {error}"));
            }
        }
    }
    assert!(count >= 10, "{count} command lines");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// `kuzet store verify` in a sentence names a command, whatever else it leaves out.
#[test]
fn every_command_named_in_a_sentence_exists() {
    let paths = cli::command_paths();
    let mut complaints = Vec::new();
    for (path, text) in documents() {
        for code in inline_codes(&text) {
            let Some(rest) = code.strip_prefix("kuzet ") else { continue };
            let mut named: Vec<&str> = rest.split(' ').take_while(|word| !word.starts_with(['-', '<', '['])).collect();
            named.truncate(2);
            let is_command = |name: &str| paths.iter().any(|known| known == name);
            let first = named.first().copied().unwrap_or_default();
            let takes_another = paths.iter().any(|known| known.starts_with(&format!("{first} ")));
            let alternatives: Vec<&str> = named.get(1).map_or_else(Vec::new, |second| second.split('|').collect());
            let is_known = match first {
                "" | "COMMAND" => true,
                _ if first.starts_with("--") => true,
                _ => {
                    is_command(first)
                        && (!takes_another
                            || alternatives.iter().all(|second| is_command(&format!("{first} {second}"))))
                }
            };
            if !is_known {
                complaints.push(format!("{path}: `{code}`"));
            }
            for option in code.split(' ').filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap_or(option);
                let inside = alternatives.first().filter(|_| takes_another);
                let mut line = vec![OsString::from("kuzet"), first.into()];
                line.extend(inside.map(OsString::from));
                line.extend([option.into(), "--help".into()]);
                if !option.contains('|')
                    && cli::check_command_line(line).is_err_and(|error| error.contains("unexpected"))
                {
                    complaints.push(format!("{path}: `{code}`: no option {option}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Links between documents, and pictures in them.
#[test]
fn links_lead_somewhere() {
    let mut complaints = Vec::new();
    for (path, text) in documents() {
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let from = root(&path);
            if !from.parent().expect("a folder").join(target).exists() {
                complaints.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn documents_are_short() {
    for (path, most) in [("README.md", 1_500), ("ARCHITECTURE.md", 2_000), ("CONTRIBUTING.md", 1_500)] {
        let text = fs::read_to_string(root(path)).expect("a document");
        let words = text.split_whitespace().count();
        assert!(words <= most, "{path} has {words} words, at most {most}");
    }
}

/// Every test that a document names in an invariant exists: `tests/x.rs`: `name`, or `module::tests::name`.
#[test]
fn tests_named_in_documents_exist() {
    let mut sources = String::new();
    let mut folders = vec![root("src"), root("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(&path).expect("a source"));
            }
        }
    }
    let mut complaints = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        for code in inline_codes(&text) {
            if code.starts_with("tests/") && code.ends_with(".rs") {
                if !root(&code).exists() {
                    complaints.push(format!("{path}: {code}"));
                }
            } else if let Some((_, name)) = code.rsplit_once("tests::") {
                count += 1;
                let is_there = name.is_empty() || is_named(&sources, name);
                if !is_there {
                    complaints.push(format!("{path}: {code}"));
                }
            }
        }
        for line in text.lines().filter(|line| line.starts_with("| ") && line.contains("`tests/")) {
            let named =
                line.split('`').skip(1).step_by(2).filter(|code| code.contains('_') && !code.contains(['/', ' ', '.']));
            for name in named.filter(|name| {
                !name.contains('…') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == ':')
            }) {
                count += 1;
                let name = name.rsplit("::").next().unwrap_or(name);
                if !is_named(&sources, name) {
                    complaints.push(format!("{path}: {name}"));
                }
            }
        }
    }
    assert!(count > 20, "{count} tests named");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Tells whether a test, or a module that a macro makes tests of, has this name.
fn is_named(sources: &str, name: &str) -> bool {
    sources.contains(&format!("fn {name}(")) || sources.contains(&format!("mod {name} {{"))
}

/// A source file is named by its path, or by the end of it: `lifecycle/lifting.rs`.
#[test]
fn source_files_named_in_documents_exist() {
    let mut sources = String::new();
    let mut folders = vec![root("src"), root("tests"), root("benches")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => sources.push_str(&format!("{}\n", path.display())),
            }
        }
    }
    let mut complaints = Vec::new();
    let is_path = |code: &str| code.chars().all(|c| c.is_ascii_alphanumeric() || "_/.".contains(c));
    for (path, text) in documents() {
        for code in inline_codes(&text).into_iter().filter(|code| code.ends_with(".rs") && is_path(code)) {
            if !sources.contains(&format!("/{code}\n")) {
                complaints.push(format!("{path}: {code}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Help speaks to its reader, at every depth, and not of its own types.
#[test]
fn help_speaks_of_no_type_of_the_program() {
    for path in cli::command_paths() {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_kuzet")).args(path.split(' ')).arg("--help").output();
        let help = String::from_utf8(output.expect("kuzet starts").stdout).expect("a text");
        assert!(!help.contains("Arguments of") && !help.trim().is_empty(), "kuzet {path} --help:\n{help}");
    }
}
