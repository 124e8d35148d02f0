//! Collections in brackets: `[a, b]` and `{what: wallet, for: 30d}`.

use super::super::yaml::{Node, NodeKind, Style};
use super::Place;
use super::condition::{self, Spacing};

/// Tells whether a collection is written in brackets.
pub(super) fn is_flow(text: &str, node: &Node) -> bool {
    matches!(node.kind, NodeKind::Sequence(_) | NodeKind::Mapping(_)) && text[node.span.clone()].starts_with(['[', '{'])
}

/// Writes a collection in brackets in one line; `None` for any other node, and where a text in it has several lines.
pub(super) fn text(text: &str, node: &Node, place: Place, spacing: Spacing) -> Option<String> {
    if is_flow(text, node) { part(text, node, place, spacing) } else { None }
}

fn part(text: &str, node: &Node, place: Place, spacing: Spacing) -> Option<String> {
    let raw = &text[node.span.clone()];
    match &node.kind {
        NodeKind::Scalar { style: Style::Plain, .. } if place == Place::Condition && spacing == Spacing::Canonical => {
            condition::one_line(text, node.span.clone())
        }
        NodeKind::Scalar { style: Style::Plain, .. } => Some(raw.split_whitespace().collect::<Vec<_>>().join(" ")),
        NodeKind::Scalar { .. } | NodeKind::Empty => (!raw.contains('\n')).then(|| raw.to_owned()),
        NodeKind::Sequence(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| part(text, item, place.of_item(), spacing)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        NodeKind::Mapping(entries) => {
            let order = place.keys();
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|entry| order.iter().position(|known| *known == entry.key).unwrap_or(order.len()));
            let entry = |entry: &super::super::yaml::Entry| {
                let value = part(text, &entry.value, place.of_key(&entry.key), spacing)?;
                let colon = if value.is_empty() { ":" } else { ": " };
                Some(format!("{}{colon}{value}", &text[entry.key_span.clone()]))
            };
            let parts: Option<Vec<String>> = sorted.into_iter().map(entry).collect();
            Some(format!("{{{}}}", parts?.join(", ")))
        }
    }
}
