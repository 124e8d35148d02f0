//! The small changes of a rule's text that its tests have to notice: each literal, comparison, connective and key
//! moved by one step.

mod condition;
mod settings;

use std::ops::Range;

/// One small change of a rule's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::analysis) struct Edit {
    /// The bytes of the rule's file that are replaced.
    pub(super) span: Range<usize>,
    pub(super) replacement: String,
    /// The bytes around it that make sense by themselves: a comparison, an aggregate, a setting.
    pub(super) phrase: Range<usize>,
}

impl Edit {
    /// Returns the text of the rule with this change.
    pub(in crate::analysis) fn applied(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.span.start], self.replacement, &text[self.span.end..])
    }

    /// Returns the phrase before and after the change, each in one line.
    pub(in crate::analysis) fn phrases(&self, text: &str) -> (String, String) {
        let phrase = &text[self.phrase.clone()];
        let (start, end) = (self.span.start - self.phrase.start, self.span.end - self.phrase.start);
        let after = format!("{}{}{}", &phrase[..start], self.replacement, &phrase[end..]);
        (in_one_line(phrase), in_one_line(&after))
    }
}

/// Writes runs of white space as one space.
pub(super) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lists the changes of a rule's text, in the order of their places.
pub(in crate::analysis) fn edits_of(text: &str) -> Vec<Edit> {
    let mut edits = condition::edits(text);
    edits.extend(settings::edits(text));
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = r#"rule: sample
clauses: ["7.15"]
mode: enforce
on: [transfer, payment]
when: |
  amount > 100_000 KZT and not wallet.is_blocked
  and count(transfer where outcome = success by wallet, amount within 1h) >= 10
  and (proof = pin or ip.country in banned)
  and device_id is present
then:
  - block: {what: wallet, direction: debit, for: 2h, lifted_by: [agreed, secret_answer]}
on_missing: skip
from: 2026-03-18
budget: {holds_per_hour: 1_000, share: 2%, at_least: 50}
"#;

    #[test]
    fn every_literal_comparison_connective_and_key_is_moved_by_one_step() {
        let shown: Vec<String> = edits_of(RULE)
            .iter()
            .map(|edit| {
                let (before, after) = edit.phrases(RULE);
                format!("{before}  →  {after}")
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn a_change_stays_within_its_phrase() {
        for edit in edits_of(RULE) {
            assert!(edit.phrase.start <= edit.span.start && edit.span.end <= edit.phrase.end, "{edit:?}");
            let applied = edit.applied(RULE);
            assert_ne!(applied, RULE);
            assert!(applied.starts_with(&RULE[..edit.phrase.start]) && applied.ends_with(&RULE[edit.phrase.end..]));
        }
    }
}
