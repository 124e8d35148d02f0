//! What decisions tell of rules' budgets. What a rule has spent of its budget is the sum of operations of all wallets;
//! where only some of these are decided again, each decision itself says whether the rules that fired on it acted.

use crate::engine::state::budgets::Known;
use crate::operation::decision::OPERATORS;
use crate::operation::decision::read::DecisionRecord;
use crate::rules::program::{Mode, Rule};

/// What one decision tells of the rules that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Presumed {
    /// Rules that fired, and whether they acted.
    pub(super) fired: Vec<(String, bool)>,
    /// Rules that exceeded their budget by its operation.
    pub(super) exceeded_now: Vec<String>,
    /// Rules that did not fire, and that had exceeded their budget before.
    pub(super) exceeded: Vec<String>,
}

impl Presumed {
    /// Reads it from a decision as it is stored.
    pub(super) fn of(decision: &[u8]) -> Self {
        let Ok(read) = DecisionRecord::decode(decision) else { return Self::default() };
        let acted = |mode: &str| mode == Mode::Enforce.name();
        let told = read.commands.iter().filter(|command| command.to.as_deref() == Some(OPERATORS));
        Self {
            fired: read.matches.iter().map(|found| (found.rule.to_string(), acted(&found.mode))).collect(),
            exceeded_now: told.map(|command| command.rule.to_string()).collect(),
            exceeded: Vec::new(),
        }
    }

    /// Tells what is known of a rule's budget when the operation came.
    pub(super) fn known(&self, rule: &Rule) -> Known {
        let is_in = |rules: &[String]| rules.iter().any(|id| **id == *rule.id);
        if is_in(&self.exceeded_now) {
            return Known::ExceededNow;
        }
        match self.fired.iter().find(|(id, _)| **id == *rule.id) {
            Some((_, acted)) if !acted => Known::Exceeded,
            None if is_in(&self.exceeded) => Known::Exceeded,
            _ => Known::Within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{SourceFile, compile};

    #[test]
    fn a_decision_tells_of_the_rules_that_fired() {
        let decision = br#"{"decision_id":"00000000-0000-0000-0000-000000000000","op_id":"a","wallet_id":"w",
            "type":"transfer","occurred_at":"2026-03-02T10:00:00Z","verdict":"hold","late":false,"degraded":[],
            "ruleset":"x","matches":[
              {"rule":"acts","clauses":[],"mode":"enforce","evidence":{}},
              {"rule":"watches","clauses":[],"mode":"shadow","evidence":{}},
              {"rule":"exceeds","clauses":[],"mode":"shadow","evidence":{}}],
            "commands":[{"command":"report","command_id":"00000000-0000-0000-0000-000000000000","rule":"exceeds",
              "clauses":[],"subject":{"operation":"a"},"to":"operators"}]}"#;
        let mut told = Presumed::of(decision);
        let rule = |id: &str| {
            let text = format!(
                "rule: {id}\nclauses: [\"7.15\"]\ntitle: {{kk: a, ru: b, en: c}}\nowner: o\nmode: enforce\n\
                 on: transfer\nthen: [hold]\n"
            );
            compile(&[SourceFile::new(format!("{id}.yaml"), text)]).expect("a rule").rule_set.rules.remove(0)
        };
        let known = |told: &Presumed| ["acts", "watches", "exceeds", "silent"].map(|id| told.known(&rule(id)));
        assert_eq!(known(&told), [Known::Within, Known::Exceeded, Known::ExceededNow, Known::Within]);
        told.exceeded.push("silent".to_owned());
        assert_eq!(known(&told)[3], Known::Exceeded);
    }
}
