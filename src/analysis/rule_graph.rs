//! Which rules read what: lists, the table of the MRP, geo databases, windows, and the matches of other rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use crate::rules::program::{Aggregate, Inputs, Mode, Operand, Rule, RuleSet, Stream};
use crate::rules::seen_by;

/// What a point of the graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    List,
    /// The MRP and the geo databases.
    Table,
    /// A window that belongs to the wallet of the operation.
    OwnWindow,
    /// A window that operations of several wallets share.
    SharedWindow,
    Rule(Acts),
}

/// Whether a rule acts, for its look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Acts {
    Enforced,
    Shadow,
    Off,
}

/// The language of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Shown by GitHub and GitLab in documents.
    Mermaid,
    /// Of Graphviz.
    Dot,
}

/// There is nothing to draw.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no rule is named {0}")]
pub struct NoRule(String);

/// Draws a rule set, or the one rule of it that is named, in a language of pictures.
///
/// # Errors
/// No rule has this name.
pub fn draw(rules: &RuleSet, only: Option<&str>, language: Language) -> Result<String, NoRule> {
    if let Some(only) = only.filter(|only| !rules.rules.iter().any(|rule| *rule.id == **only)) {
        return Err(NoRule(only.to_owned()));
    }
    let graph = RuleGraph::of(rules, only);
    Ok(match language {
        Language::Mermaid => graph.mermaid(),
        Language::Dot => graph.dot(),
    })
}

/// A picture of what rules read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleGraph {
    points: Vec<(Kind, String)>,
    /// From what is read to what reads it, by position; true where it is matches that are read.
    edges: Vec<(usize, usize, bool)>,
}

impl RuleGraph {
    /// Draws a rule set, or one rule of it with what it reads.
    #[must_use]
    pub fn of(rules: &RuleSet, only: Option<&str>) -> Self {
        let mut graph = Self::default();
        let mut known = BTreeMap::new();
        let is_wanted = |rule: &&Rule| only.is_none_or(|only| *rule.id == *only);
        for rule in rules.rules.iter().filter(is_wanted) {
            let reader = graph.point(&mut known, of_rule(rule));
            for source in sources(rule, rules) {
                let source = graph.point(&mut known, source);
                graph.edges.push((source, reader, false));
            }
            for seen in seen_by(rule, &rules.rules, &rules.aggregates) {
                let seen = graph.point(&mut known, of_rule(seen));
                graph.edges.push((seen, reader, true));
            }
        }
        graph
    }

    fn point(&mut self, known: &mut BTreeMap<(Kind, String), usize>, point: (Kind, String)) -> usize {
        if let Some(at) = known.get(&point) {
            return *at;
        }
        self.points.push(point.clone());
        known.insert(point, self.points.len() - 1);
        self.points.len() - 1
    }

    /// Writes it as a flowchart of Mermaid, which documents on GitHub and GitLab show.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut out = String::from("flowchart LR\n");
        // A text in quotes may hold anything but a quote.
        let label = |text: &str| text.replace('"', "#quot;");
        for (at, (kind, text)) in self.points.iter().enumerate() {
            let text = label(text);
            let shown = match kind {
                Kind::List | Kind::Table => format!("[(\"{text}\")]"),
                Kind::OwnWindow => format!("(\"{text}\")"),
                Kind::SharedWindow => format!("{{{{\"{text}\"}}}}"),
                Kind::Rule(Acts::Enforced) => format!("[\"{text}\"]"),
                Kind::Rule(Acts::Shadow) => format!("[\"{text}\"]:::shadow"),
                Kind::Rule(Acts::Off) => format!("[\"{text}\"]:::off"),
            };
            writeln!(out, "  n{at}{shown}").unwrap_or(());
        }
        for (from, to, is_matches) in &self.edges {
            let arrow = if *is_matches { "-. matches .->" } else { "-->" };
            writeln!(out, "  n{from} {arrow} n{to}").unwrap_or(());
        }
        out.push_str("  classDef shadow stroke-dasharray: 5 4\n  classDef off stroke-dasharray: 1 4\n");
        out
    }

    /// Writes it in the language of Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut out = String::from("digraph rules {\n  rankdir=LR;\n");
        for (at, (kind, text)) in self.points.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            let look = match kind {
                Kind::List | Kind::Table => "shape=cylinder",
                Kind::OwnWindow => "shape=box, style=rounded",
                Kind::SharedWindow => "shape=hexagon",
                Kind::Rule(Acts::Enforced) => "shape=box",
                Kind::Rule(Acts::Shadow) => "shape=box, style=dashed",
                Kind::Rule(Acts::Off) => "shape=box, style=dotted",
            };
            writeln!(out, "  n{at} [label=\"{text}\", {look}];").unwrap_or(());
        }
        for (from, to, is_matches) in &self.edges {
            let look = if *is_matches { " [label=\"matches\", style=dashed]" } else { "" };
            writeln!(out, "  n{from} -> n{to}{look};").unwrap_or(());
        }
        out.push_str("}\n");
        out
    }
}

fn of_rule(rule: &Rule) -> (Kind, String) {
    let acts = match rule.mode {
        Mode::Enforce => Acts::Enforced,
        Mode::Shadow => Acts::Shadow,
        Mode::Off => Acts::Off,
    };
    (Kind::Rule(acts), rule.id.to_string())
}

/// Lists what a rule reads beside the operation and the matches of others.
fn sources(rule: &Rule, rules: &RuleSet) -> Vec<(Kind, String)> {
    let lists = rule.lists.iter().filter_map(|at| rules.lists.get(*at));
    let mut sources: Vec<(Kind, String)> = lists.map(|list| (Kind::List, format!("list {}", list.name))).collect();
    let tables = [
        (Inputs::MRP, "MRP"),
        (Inputs::GEOIP_COUNTRY, "countries of addresses"),
        (Inputs::GEOIP_ANONYMIZER, "anonymizers"),
    ];
    let needed = tables.iter().filter(|(input, _)| rule.needs.contains(*input));
    sources.extend(needed.map(|(_, name)| (Kind::Table, (*name).to_owned())));
    for id in &rule.aggregates {
        let Some(aggregate) = rules.aggregates.get(*id) else { continue };
        let kind = if aggregate.is_owned() { Kind::OwnWindow } else { Kind::SharedWindow };
        sources.push((kind, window(*id, aggregate, rules)));
    }
    sources
}

/// Names a window as the first rule that reads it spells it: rules that spell one window in two ways share it.
fn window(id: usize, aggregate: &Aggregate, rules: &RuleSet) -> String {
    let mut read = rules.rules.iter().flat_map(|rule| &rule.evidence);
    let spelt = read.find(|evidence| evidence.what == Operand::Aggregate(id));
    match (spelt, aggregate.stream) {
        (Some(evidence), _) => evidence.name.clone(),
        (None, Stream::Matches) => String::from("matches of the past"),
        (None, Stream::Operations(_)) => aggregate.canonical.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{SourceFile, compile};

    fn rule(id: &str, clause: &str, mode: &str, when: &str) -> SourceFile {
        let text = format!(
            "rule: {id}\nclauses: [\"{clause}\"]\ntitle: {{kk: а, ru: б, en: c}}\nowner: risk\nmode: {mode}\non: \
             transfer\nwhen: |\n  {when}\nthen:\n  - monitor\n"
        );
        SourceFile::new(format!("{id}.yaml"), text)
    }

    fn set() -> RuleSet {
        let files = [
            rule("a", "7.1", "enforce", "amount > 5 MRP and counterparty.wallet_id in flagged"),
            rule("b", "7.2", "shadow", "count(transfer by wallet within 1h) > 3 and matched \"7.1\""),
            rule("c", "7.3", "off", "count(transfer  by wallet within 1h) > 5 and ip.country != KZ"),
            rule("d", "7.4", "enforce", "distinct(login.wallet_id by device_id within 1h) > 2 and device_id = \"x\""),
            SourceFile::new("data/lists.yaml", "lists: {flagged: {type: wallet, file: flagged.csv}}\n"),
            SourceFile::new("data/flagged.csv", "value,from,until,reason\nW1,,,x\n"),
            SourceFile::new("data/mrp.yaml", "mrp:\n  - {from: 2026-01-01, value: 4325 KZT}\n"),
        ];
        compile(&files).expect("right").rule_set
    }

    #[test]
    fn what_rules_read_is_drawn_once() {
        assert_eq!(
            RuleGraph::of(&set(), None).mermaid(),
            "\
flowchart LR
  n0[\"a\"]
  n1[(\"list flagged\")]
  n2[(\"MRP\")]
  n3[\"b\"]:::shadow
  n4(\"count(transfer by wallet within 1h)\")
  n5[\"c\"]:::off
  n6[(\"countries of addresses\")]
  n7[\"d\"]
  n8{{\"distinct(login.wallet_id by device_id within 1h)\"}}
  n1 --> n0
  n2 --> n0
  n4 --> n3
  n0 -. matches .-> n3
  n6 --> n5
  n4 --> n5
  n8 --> n7
  classDef shadow stroke-dasharray: 5 4
  classDef off stroke-dasharray: 1 4
"
        );
    }

    #[test]
    fn one_rule_is_drawn_with_what_it_reads() {
        assert_eq!(
            RuleGraph::of(&set(), Some("b")).dot(),
            "\
digraph rules {
  rankdir=LR;
  n0 [label=\"b\", shape=box, style=dashed];
  n1 [label=\"count(transfer by wallet within 1h)\", shape=box, style=rounded];
  n2 [label=\"a\", shape=box];
  n1 -> n0;
  n2 -> n0 [label=\"matches\", style=dashed];
}
"
        );
    }

    #[test]
    fn quotes_in_conditions_break_no_label() {
        let files = [rule("q", "7.1", "enforce", "count(transfer where attributes.x = \"y\" by wallet within 1h) > 3")];
        let graph = RuleGraph::of(&compile(&files).expect("right").rule_set, None);
        assert!(graph.mermaid().contains("attributes.x = #quot;y#quot; by"), "{}", graph.mermaid());
        assert!(graph.dot().contains("attributes.x = \\\"y\\\" by"), "{}", graph.dot());
    }
}
