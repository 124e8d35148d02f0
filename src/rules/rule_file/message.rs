//! `message`: the text to the client, and what its placeholders may name.

use super::localized;
use crate::operation::Money;
use crate::rules::diagnostic::{Code, Findings};
use crate::rules::fields;
use crate::rules::program::message::{Message, Placeholder, name_of};
use crate::rules::program::{Evidence, Field, Operand, Scope};
use crate::rules::yaml::{Node, NodeKind};

/// Most of one MRP that a placeholder may name: beyond any threshold, and no product overflows.
const MRP_MAX: i64 = 100_000_000;

/// Reads `message`; placeholders name what the condition reads, a field of the operation or an amount in MRP. Where the
/// condition is wrong (`evidence` is `None`) nobody knows what it reads, and no placeholder is looked up.
pub(super) fn read(node: &Node, file: &str, evidence: Option<&[Evidence]>, findings: &mut Findings) -> Option<Message> {
    if let Some(evidence) = evidence {
        check(node, file, evidence, findings);
    }
    let evidence = evidence.unwrap_or_default();
    let text = localized(node, "message", findings)?;
    Some(Message::new(text, |name| placeholder(name, evidence)))
}

fn placeholder(name: &str, evidence: &[Evidence]) -> Option<Placeholder> {
    if let Some(position) = evidence.iter().position(|known| known.name == name) {
        return Some(Placeholder::Evidence(position));
    }
    if let Some(hundredths) = amount_in_mrp(name) {
        return Some(Placeholder::Mrp { hundredths });
    }
    let info = fields::field(name, false).filter(|info| is_always_known(&info.field))?;
    let what = Operand::Field(Scope::This, info.field);
    Some(Placeholder::Field(Evidence { name: name.to_owned(), what, value_type: info.field_type }))
}

/// What the geo databases say of an address is asked only where a condition reads it.
const fn is_always_known(field: &Field) -> bool {
    !matches!(field, Field::IpCountry | Field::IpIsAnonymizer)
}

/// Reads `100 MRP` (also `МРП`, `АЕК`) in hundredths.
fn amount_in_mrp(name: &str) -> Option<i64> {
    let (number, unit) = name.rsplit_once(' ')?;
    if !["MRP", "МРП", "АЕК"].contains(&unit) || !number.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let hundredths = Money::parse(&number.replace('_', "")).map(Money::tiyn)?;
    (1..=MRP_MAX * 100).contains(&hundredths).then_some(hundredths)
}

/// Looks at the placeholders in the raw text, where a finding can point at them.
fn check(node: &Node, file: &str, evidence: &[Evidence], findings: &mut Findings) {
    let NodeKind::Mapping(entries) = &node.kind else {
        return;
    };
    for entry in entries {
        if !matches!(entry.value.kind, NodeKind::Scalar { .. }) {
            continue;
        }
        let start = entry.value.span.start;
        let raw = file.get(entry.value.span.clone()).unwrap_or_default();
        let mut at = 0;
        while let Some(open) = raw[at..].find('{').map(|found| at + found) {
            let Some(close) = raw[open..].find('}').map(|found| open + found) else {
                findings
                    .error(Code::Placeholder, &(start + open..start + open + 1), "this placeholder is not closed")
                    .label("no `}` follows");
                break;
            };
            let name = name_of(&raw[open + 1..close]);
            if placeholder(&name, evidence).is_none() {
                unknown(&name, &(start + open..start + close + 1), evidence, findings);
            }
            at = close + 1;
        }
    }
}

fn unknown(name: &str, span: &std::ops::Range<usize>, evidence: &[Evidence], findings: &mut Findings) {
    let finding = findings.error(Code::Placeholder, span, format!("unknown placeholder `{name}`"));
    if fields::field(name, false).is_some() {
        finding
            .label("the condition does not read it")
            .help(format!("`{name}` is looked up only for rules whose condition reads it"));
        return;
    }
    let known = evidence.iter().map(|known| known.name.as_str()).chain(fields::known_paths(false));
    finding
        .label("neither a field, nor something the condition reads, nor an amount like `100 MRP`")
        .nearest(name, known);
}
