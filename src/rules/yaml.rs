//! A strict subset of YAML 1.2 as a tree of nodes with byte spans.
//!
//! The only file that knows the YAML parser. No anchors, aliases, tags, merge keys, directives,
//! repeated keys or second documents; every one of them is a finding with its place. What the keys
//! mean is not known here.

mod mistake;

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};

use super::diagnostic::{Code, Findings};

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    /// In single or double quotes.
    Quoted,
    /// A literal or folded block.
    Block,
}

/// One node of the tree and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Of a scalar: its raw text. Of a collection: from its first to its last part.
    pub span: Range<usize>,
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    Scalar {
        text: String,
        style: Style,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// Nothing was written (`key:`).
    Empty,
}

/// One `key: value` of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Node,
}

impl Node {
    /// Follows keys from mapping to mapping.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        if path.is_empty() { Some(self) } else { self.entry_at(path).map(|entry| &entry.value) }
    }

    /// Follows keys from mapping to mapping; the last one with its value.
    #[must_use]
    pub fn entry_at(&self, path: &[&str]) -> Option<&Entry> {
        let (last, outer) = path.split_last()?;
        let NodeKind::Mapping(entries) = &self.at(outer)?.kind else { return None };
        entries.iter().find(|entry| entry.key == *last)
    }

    /// Names the kind of node in an error text.
    #[must_use]
    pub const fn describe(&self) -> &'static str {
        match self.kind {
            NodeKind::Scalar { .. } => "a single value",
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a mapping",
            NodeKind::Empty => "nothing",
        }
    }
}

/// Collections deeper than this are refused; rule files need five.
const DEPTH_MAX: usize = 64;

/// Parses one document. `None` when it is empty or cannot be read; the findings say why.
pub(crate) fn parse(text: &str, findings: &mut Findings) -> Option<Node> {
    let mut builder = Builder { text, findings, open: Vec::new(), root: None, documents: 0 };
    for next in Parser::new_from_str(text) {
        match next {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or(0..0);
                if let Some(tag) = span.tag_span().and_then(|tag| tag.byte_range()) {
                    builder.refuse(&tag, "tag");
                }
                if !builder.take(event, range) {
                    return None;
                }
            }
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
                let described = error.to_string();
                let what = described.split(" at char ").next().unwrap_or_default();
                let message = format!("this is not YAML: {what}");
                if let Some(tab) = indenting_tab(text) {
                    let finding = builder.findings.error(Code::InvalidYaml, &(tab..tab + 1), "a tab indents this line");
                    finding.label("a tab").help("YAML is indented with blanks alone");
                    return None;
                }
                let (span, label) = mistake::place(text, at);
                builder
                    .findings
                    .error(Code::InvalidYaml, &span, message)
                    .label(label)
                    .help("a text that holds `: `, ` #` or starts with a sign needs quotes or a block (`|`)");
                return None;
            }
        }
    }
    builder.root
}

/// Finds the first tab in the indentation of a line.
fn indenting_tab(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t').filter(|_| !line.trim().is_empty()) {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

enum Open {
    Sequence(Vec<Node>, usize),
    Mapping { entries: Vec<Entry>, key: Option<(String, Range<usize>)>, start: usize },
}

struct Builder<'a> {
    text: &'a str,
    findings: &'a mut Findings,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Builder<'_> {
    /// Takes one event; false stops the reading.
    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> bool {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.refuse(&range, "second document");
                    return false;
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse(&range, "alias");
                // A text in its place, so that one mistake gives one finding.
                self.place(Node {
                    span: range,
                    kind: NodeKind::Scalar { text: String::from("*"), style: Style::Plain },
                });
            }
            Event::Scalar(text, style, anchor, _) => {
                self.refuse_anchor(anchor, &range);
                self.scalar(text.into_owned(), style, range);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.refuse_anchor(anchor, &range);
                self.open.push(Open::Sequence(Vec::new(), range.start));
                return self.depth_is_fine(&range);
            }
            Event::MappingStart(_, anchor, _) => {
                self.refuse_anchor(anchor, &range);
                self.open.push(Open::Mapping { entries: Vec::new(), key: None, start: range.start });
                return self.depth_is_fine(&range);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&range),
            _ => {}
        }
        true
    }

    fn depth_is_fine(&mut self, range: &Range<usize>) -> bool {
        if self.open.len() <= DEPTH_MAX {
            return true;
        }
        self.findings.error(Code::TooDeep, range, "the file is nested too deeply").label("here");
        false
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, range: Range<usize>) {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            _ => Style::Block,
        };
        let empty = style == Style::Plain && (range.is_empty() || text == "~" || text == "null");
        let kind = if empty { NodeKind::Empty } else { NodeKind::Scalar { text, style } };
        self.place(Node { span: range, kind });
    }

    fn close(&mut self, range: &Range<usize>) {
        let node = match self.open.pop() {
            Some(Open::Sequence(items, start)) => {
                let end = if range.is_empty() { items.last().map_or(start, |item| item.span.end) } else { range.end };
                Node { span: start..end.max(start), kind: NodeKind::Sequence(items) }
            }
            Some(Open::Mapping { entries, start, .. }) => {
                let end = if range.is_empty() {
                    entries.last().map_or(start, |entry| entry.value.span.end.max(entry.key_span.end))
                } else {
                    range.end
                };
                Node { span: start..end.max(start), kind: NodeKind::Mapping(entries) }
            }
            None => return,
        };
        self.place(node);
    }

    fn place(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Sequence(items, _)) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                Some((name, key_span)) => entries.push(Entry { key: name, key_span, value: node }),
                None => {
                    let name = match &node.kind {
                        NodeKind::Scalar { text, .. } => text.clone(),
                        NodeKind::Empty => String::new(),
                        NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
                            self.findings
                                .error(Code::WrongShape, &node.span, "a key must be one word")
                                .label("this is no word");
                            String::new()
                        }
                    };
                    if name == "<<" {
                        self.findings
                            .error(Code::YamlFeature, &node.span, "merge keys are not accepted")
                            .label("merge key")
                            .help("write the keys out");
                    } else if entries.iter().any(|entry| entry.key == name) {
                        self.findings
                            .error(Code::DuplicateKey, &node.span, format!("key `{name}` is given twice"))
                            .label("second time here");
                    }
                    *key = Some((name, node.span));
                }
            },
        }
    }

    fn refuse_anchor(&mut self, anchor: usize, range: &Range<usize>) {
        if anchor == 0 {
            return;
        }
        // The event's place is that of the value; the anchor stands before it.
        let before = self.text.get(..range.start).unwrap_or_default();
        let place = before.rfind('&').map_or_else(
            || range.clone(),
            |start| start..start + before[start..].find(char::is_whitespace).unwrap_or(before.len() - start),
        );
        self.refuse(&place, "anchor");
    }

    fn refuse(&mut self, range: &Range<usize>, what: &str) {
        let article = if what.starts_with('a') { "an" } else { "a" };
        self.findings
            .error(Code::YamlFeature, range, format!("{article} {what} is not accepted in rule files"))
            .label(what)
            .help(if what == "second document" {
                "one file holds one rule"
            } else {
                "write the value out where it is used"
            });
    }
}
