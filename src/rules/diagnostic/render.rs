//! Findings for people (the way rustc shows them) and for machines (JSON, SARIF 2.1.0).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Code, Diagnostic, Severity};
use crate::rules::source::SourceFile;

/// Renders without colour.
#[must_use]
pub fn render_text(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    render(diagnostics, files, &Renderer::plain())
}

/// Renders with terminal colours.
#[must_use]
pub fn render_colored(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    render(diagnostics, files, &Renderer::styled())
}

fn render(diagnostics: &[Diagnostic], files: &[SourceFile], renderer: &Renderer) -> String {
    let texts = texts(files);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let text = texts.get(diagnostic.path.as_str()).map_or("", |text| text.as_str());
        let span = rounded(text, &diagnostic.span);
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let annotation = AnnotationKind::Primary.span(span).label(diagnostic.label.as_str());
        let snippet = Snippet::source(text).path(diagnostic.path.as_str()).annotation(annotation);
        let helps = diagnostic.help.iter().map(|help| Level::HELP.message(help.as_str()));
        let group =
            level.primary_title(diagnostic.message.as_str()).id(diagnostic.code).element(snippet).elements(helps);
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// Renders without colour what keeps a rule set from loading, with where more is told of it.
#[must_use]
pub fn render_refusal(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    let more = more_about(diagnostics).map_or_else(String::new, |more| format!("{more}\n"));
    render_text(diagnostics, files) + &more
}

/// Says where more is told of the findings: the last line below errors that a person reads. `None` where nothing was
/// found.
#[must_use]
pub fn more_about(diagnostics: &[Diagnostic]) -> Option<String> {
    let of = |severity: Severity| -> Vec<&str> {
        let codes: BTreeSet<&str> =
            diagnostics.iter().filter(|found| found.severity == severity).map(|found| found.code).collect();
        codes.into_iter().filter(|code| Code::NAMES.contains(code)).collect()
    };
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let (codes, what) = if errors.is_empty() { (warnings, "warning") } else { (errors, "error") };
    let (first, others) = codes.split_first()?;
    Some(if others.is_empty() {
        format!("For more about this {what}: kuzet check --explain {first}")
    } else {
        format!("For more about one of them: kuzet check --explain {first} (or {})", others.join(", "))
    })
}

/// Texts by path; bytes that are not UTF-8 are shown as replacement characters.
fn texts(files: &[SourceFile]) -> BTreeMap<&str, String> {
    files.iter().map(|file| (file.path.as_str(), String::from_utf8_lossy(&file.bytes).into_owned())).collect()
}

/// Rounds a span outwards to character boundaries within the text.
fn rounded(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// Line and column, both from 1, columns in characters.
#[must_use]
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..rounded(text, &(at..at)).start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// One finding with its place worked out.
struct Located<'d> {
    diagnostic: &'d Diagnostic,
    start: (usize, usize),
    end: (usize, usize),
}

fn locate<'d>(diagnostics: &'d [Diagnostic], files: &[SourceFile]) -> Vec<Located<'d>> {
    let texts = texts(files);
    let located = |diagnostic: &'d Diagnostic| {
        let text = texts.get(diagnostic.path.as_str()).map_or("", |text| text.as_str());
        let span = rounded(text, &diagnostic.span);
        Located { diagnostic, start: line_and_column(text, span.start), end: line_and_column(text, span.end) }
    };
    diagnostics.iter().map(located).collect()
}

/// Renders one JSON document: `{"diagnostics": [...]}`.
#[must_use]
pub fn render_json(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    let findings: Vec<Value> = locate(diagnostics, files)
        .iter()
        .map(|Located { diagnostic, start, end }| {
            json!({
                "code": diagnostic.code,
                "severity": diagnostic.severity.name(),
                "message": diagnostic.message,
                "label": diagnostic.label,
                "help": diagnostic.help,
                "path": diagnostic.path,
                "span": {"start": diagnostic.span.start, "end": diagnostic.span.end},
                "start": {"line": start.0, "column": start.1},
                "end": {"line": end.0, "column": end.1},
            })
        })
        .collect();
    format!("{:#}\n", json!({ "diagnostics": findings }))
}

/// Renders one SARIF 2.1.0 log, as code hosts and editors read it.
#[must_use]
pub fn render_sarif(diagnostics: &[Diagnostic], files: &[SourceFile]) -> String {
    let rules: Vec<Value> = Code::ALL.iter().map(|code| sarif_rule(*code)).collect();
    let results: Vec<Value> = locate(diagnostics, files).iter().map(sarif_result).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "kuzet", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn sarif_rule(code: Code) -> Value {
    json!({
        "id": code.name(),
        "shortDescription": {"text": code.meaning()},
        "help": {"text": code.explanation()},
    })
}

fn sarif_result(Located { diagnostic, start, end }: &Located<'_>) -> Value {
    let mut text = diagnostic.message.clone();
    if !diagnostic.label.is_empty() {
        text = format!("{text} ({})", diagnostic.label);
    }
    for help in &diagnostic.help {
        text = format!("{text}; help: {help}");
    }
    json!({
        "ruleId": diagnostic.code,
        "ruleIndex": Code::NAMES.iter().position(|name| *name == diagnostic.code),
        "level": diagnostic.severity.name(),
        "message": {"text": text},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": diagnostic.path.replace(' ', "%20")},
                "region": {
                    "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1,
                    "byteOffset": diagnostic.span.start,
                    "byteLength": diagnostic.span.end.saturating_sub(diagnostic.span.start),
                },
            },
        }],
    })
}
