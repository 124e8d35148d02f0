//! Rooms within a module, and circles of imports between files.
//!
//! An import is a path that begins with `crate::` or `super::`, wherever it stands. What a module's own file says
//! of the files within it without such a prefix is no import: it declares them.

use std::collections::{BTreeMap, BTreeSet};

use super::{rust_files, without_tests, without_texts};

/// Rooms of a module from the bottom up, by the names of their files and folders: each may use those before
/// it. `self` is the module's own file.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "engine",
        &[
            "mutant",
            "value",
            "window_mask",
            "window",
            "plan",
            "enrich",
            "state",
            "outcome",
            "context",
            "stored",
            "matching",
            "lifecycle",
            "decide",
            "examine",
            "self",
            "backfill",
        ],
    ),
    (
        "rules",
        &[
            "source",
            "diagnostic",
            "file_kind",
            "readable",
            "token",
            "yaml",
            "keys",
            "program",
            "fields",
            "syntax",
            "parse",
            "canonical",
            "budget",
            "check",
            "data",
            "rule_file",
            "layout",
            "stage",
            "self",
            "test_file",
            "reference",
        ],
    ),
];

/// The most files of one room that may import each other in a circle; those of different rooms may not at all.
const CIRCLE_MAX: usize = 2;

/// Which files each file imports.
type Imports<'f> = BTreeMap<&'f str, BTreeSet<&'f str>>;

#[test]
fn rooms_point_down() {
    let complaints = room_complaints(&rust_files());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn files_import_in_no_circle() {
    let complaints = circle_complaints(&rust_files());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn room_complaints(files: &[(String, String)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (from, used) in &imports(files) {
        let Some((module, rooms)) = ROOMS.iter().find(|(module, _)| module_path(from)[0] == *module) else { continue };
        let place = |path: &str| rooms.iter().position(|room| *room == room_within(path));
        if place(from).is_none() {
            complaints.push(format!("{from}: {} is no known room of {module}", room_within(from)));
        }
        for to in used.iter().filter(|to| module_path(to)[0] == *module) {
            if place(from) < place(to) {
                complaints.push(format!("{from}: {} must not use {} ({to})", room_within(from), room_within(to)));
            }
        }
    }
    complaints
}

fn circle_complaints(files: &[(String, String)]) -> Vec<String> {
    let imports = imports(files);
    let reached: Imports<'_> = imports.keys().map(|from| (*from, reached_from(from, &imports))).collect();
    let mut complaints = Vec::new();
    for (from, reaches) in &reached {
        let circle: Vec<&str> = reaches.iter().filter(|to| reached[*to].contains(from)).copied().collect();
        // Each circle is told once, by its first file.
        if circle.len() < 2 || circle.first() != Some(from) {
            continue;
        }
        let rooms: BTreeSet<_> = circle.iter().map(|path| (module_path(path)[0], room_within(path))).collect();
        if rooms.len() > 1 || circle.len() > CIRCLE_MAX {
            complaints.push(format!("these files import each other in a circle: {}", circle.join(", ")));
        }
    }
    complaints
}

fn reached_from<'f>(from: &str, imports: &Imports<'f>) -> BTreeSet<&'f str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(path) = open.pop() {
        for to in &imports[path] {
            if reached.insert(*to) {
                open.push(to);
            }
        }
    }
    reached
}

/// `src/engine/state/shared.rs` is `engine`, `state`, `shared`.
fn module_path(path: &str) -> Vec<&str> {
    path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect()
}

/// Names the room within the module: `state` for `src/engine/state/shared.rs`, `self` for `src/engine.rs`.
fn room_within(path: &str) -> &str {
    module_path(path).get(1).copied().unwrap_or("self")
}

/// Finds the file of each import: the deepest that the path names.
fn imports(files: &[(String, String)]) -> Imports<'_> {
    let sources = files.iter().filter(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    let by_module: BTreeMap<Vec<&str>, &str> = sources.clone().map(|(path, _)| (module_path(path), &**path)).collect();
    let mut imports = Imports::new();
    for (path, text) in sources {
        let code: Vec<String> = without_tests(path, text).lines().map(without_texts).collect();
        let code = code.join("\n");
        let used = imports.entry(&**path).or_default();
        for named in paths_of(&code) {
            let ups = named.iter().take_while(|name| **name == "super").count();
            let mut target = module_path(path);
            target.truncate(if ups == 0 { 0 } else { target.len().saturating_sub(ups) });
            target.extend(&named[ups.max(1)..]);
            let found = (1..=target.len()).rev().find_map(|deep| by_module.get(&target[..deep]));
            used.extend(found.filter(|found| *found != path));
        }
    }
    imports
}

/// Lists the paths that begin with `crate::` or `super::`; a `use` of several names is several paths.
fn paths_of(code: &str) -> Vec<Vec<&str>> {
    let mut paths = Vec::new();
    for (start, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let is_inside = code[..start].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
        if !is_inside {
            expand(&code[start..], &[], &mut paths);
        }
    }
    paths
}

/// Reads one path, each of its lists expanded; returns what follows it.
fn expand<'c>(code: &'c str, before: &[&'c str], paths: &mut Vec<Vec<&'c str>>) -> &'c str {
    let (mut path, mut rest) = (before.to_vec(), code);
    loop {
        rest = rest.trim_start();
        if let Some(list) = rest.strip_prefix('{') {
            return expand_list(list, &path, paths);
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 {
            path.push(&rest[..end]);
        }
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(next) if end > 0 => rest = next,
            _ => break,
        }
    }
    paths.push(path);
    rest
}

fn expand_list<'c>(code: &'c str, before: &[&'c str], paths: &mut Vec<Vec<&'c str>>) -> &'c str {
    let mut rest = code;
    loop {
        rest = expand(rest, before, paths);
        // Up to the next name of the list: past `*` and `as name`.
        let Some(end) = rest.find([',', '}']) else { return "" };
        let is_last = rest[end..].starts_with('}');
        rest = rest[end + 1..].trim_start();
        if is_last {
            return rest;
        }
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
    }
}

/// Each rule, shown something wrong and something right that looks like it.
mod planted {
    use super::*;

    #[track_caller]
    fn check(rule: fn(&[(String, String)]) -> Vec<String>, files: &[(&str, &str)], expected: usize) {
        let owned: Vec<(String, String)> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let complaints = rule(&owned);
        assert_eq!(complaints.len(), expected, "{files:?}: {complaints:?}");
    }

    #[test]
    fn rooms_that_look_up() {
        let state = ("src/engine/state.rs", "");
        let within = ("src/engine/state/wallet.rs", "");
        let below = |text| [state, within, ("src/engine/window/tree.rs", text)];
        check(room_complaints, &below("use crate::engine::state::wallet::Wallet;"), 1);
        check(room_complaints, &below("use super::super::state::wallet;"), 1);
        check(
            room_complaints,
            &below("use crate::{\n    engine::{plan, state::{self, wallet::{Wallet as W, Row}}},\n};"),
            2,
        );
        check(room_complaints, &below("fn f() -> crate::engine::state::Changes {}"), 1);
        check(room_complaints, &below("#[cfg(test)]\nmod tests {\n    use crate::engine::state;\n}\n"), 0);
        check(room_complaints, &below("/// Read by [`crate::engine::state`].\nfn f() {}"), 0);
        let above = |text| [state, within, ("src/engine/matching/fire.rs", text)];
        check(room_complaints, &above("use crate::engine::state::wallet::Wallet;"), 0);
        check(room_complaints, &[("src/engine/attic.rs", "")], 1);
        check(room_complaints, &[("src/engine/tests.rs", "use super::state;"), state], 0);
        let others = [("src/rules.rs", ""), ("src/rules/check.rs", ""), ("src/rules/diagnostic.rs", "")];
        let rules = |text| [others.as_slice(), &[("src/rules/yaml.rs", text)]].concat();
        check(room_complaints, &rules("use super::check::Checker;"), 1);
        check(room_complaints, &rules("use super::RULES_MAX;"), 1);
        check(room_complaints, &rules("use super::diagnostic::Code;"), 0);
    }

    #[test]
    fn circles() {
        let pair = |one, other| [("src/app/serve.rs", one), ("src/app/fleet.rs", other)];
        check(circle_complaints, &pair("use super::fleet::start;", "use super::serve::nanos;"), 1);
        check(circle_complaints, &pair("use crate::app::fleet;", "fn f() { super::serve::nanos() }"), 1);
        check(circle_complaints, &pair("use super::fleet::start;", "use super::settings::nanos;"), 0);
        check(circle_complaints, &pair("use super::fleet::start;", "// use super::serve::nanos;"), 0);
        let one_room =
            |a, b, c| [("src/rules/check/a.rs", a), ("src/rules/check/b.rs", b), ("src/rules/check/c.rs", c)];
        check(circle_complaints, &one_room("use super::b::B;", "use super::a::A;", "use super::{a, b};"), 0);
        check(circle_complaints, &one_room("use super::b::B;", "use super::c::C;", "use super::{a::A, d};"), 1);
        // A module's file declares those within it, and they may use it.
        let parent = [("src/http.rs", "mod access;\nuse access::Rates;"), ("src/http/access.rs", "use super::Api;")];
        check(circle_complaints, &parent, 0);
        let parent = [("src/http.rs", "use crate::http::access::Rates;"), ("src/http/access.rs", "use super::Api;")];
        check(circle_complaints, &parent, 1);
    }

    #[test]
    fn paths() {
        let expected: Vec<Vec<&str>> = vec![
            vec!["crate", "a", "b"],
            vec!["crate", "a", "c"],
            vec!["crate", "a", "c", "D"],
            vec!["crate", "e"],
            vec!["super", "super", "f", "g"],
        ];
        let mut found =
            paths_of("use crate::{a::{b, c::{self as _, D as E}}, e::*};\nlet x = super::super::f::g::<T>();");
        found.iter_mut().for_each(|path| path.retain(|name| *name != "self"));
        assert_eq!(found, expected);
    }
}
