//! What changes in meaning from one rule set to another: layout, comments and moved files are no change.
//!
//! Sets are compared by the canonical form of which their hash is made, so that sets of one hash have no difference and
//! sets of two have one.

mod condition;
mod data;
#[cfg(test)]
mod tests;
mod text;

use serde::Serialize;

use crate::operation::OperationType;
use crate::operation::localized::Localized;
use crate::operation::time::Nanos;
use crate::rules::program::{Budget, Rule, RuleSet, TypeSet};
use crate::rules::yaml::NodeKind;
use crate::rules::{meaning_of, yaml_of};

pub use condition::Detail;
pub use data::{ListChange, MrpChange};
pub use text::text;

/// The difference of two rule sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetDiff {
    pub before: SetName,
    pub after: SetName,
    pub added: Vec<RuleNote>,
    pub removed: Vec<RuleNote>,
    pub changed: Vec<RuleChange>,
    pub lists: Vec<ListChange>,
    pub mrp: Vec<MrpChange>,
    /// The command that tells whom the change would have touched, where both sets can be named to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affected: Option<String>,
}

/// A rule set: what it is called, and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetName {
    pub name: String,
    pub ruleset: String,
}

/// A rule that is in one of the sets only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleNote {
    pub rule: String,
    pub title: String,
    pub mode: &'static str,
    /// The types of operations it looks at.
    pub on: String,
    /// The condition in one line.
    pub when: String,
}

/// A rule that both sets have and that means something else in the second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    pub rule: String,
    pub parts: Vec<PartChange>,
}

/// One part of a rule before and after; `None` where the rule does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartChange {
    /// The key of the rule file: `mode`, `when`, `title.kk`.
    pub part: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Of a condition: which thresholds, windows and parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

impl SetDiff {
    /// Compares two sets; each has the name it was asked for by.
    #[must_use]
    pub fn of((before_name, before): (&str, &RuleSet), (after_name, after): (&str, &RuleSet)) -> Self {
        let named = |name: &str, rules: &RuleSet| SetName { name: name.to_owned(), ruleset: rules.hash.clone() };
        let only_in = |one: &RuleSet, other: &RuleSet| -> Vec<RuleNote> {
            one.rules.iter().filter(|rule| find(other, &rule.id).is_none()).map(RuleNote::of).collect()
        };
        let change = |rule: &Rule| {
            let parts = parts((rule, before), (find(after, &rule.id)?, after));
            (!parts.is_empty()).then(|| RuleChange { rule: rule.id.to_string(), parts })
        };
        Self {
            before: named(before_name, before),
            after: named(after_name, after),
            added: only_in(after, before),
            removed: only_in(before, after),
            changed: before.rules.iter().filter_map(change).collect(),
            lists: data::lists(&before.lists, &after.lists),
            mrp: data::mrp(&before.mrp, &after.mrp),
            affected: None,
        }
    }

    /// Names the command that tells whom the change would have touched; `after` is `None` for the rules that are near.
    #[must_use]
    pub fn with_backtest(mut self, before: &str, after: Option<&str>) -> Self {
        let rules = after.map(|after| format!(" --rules {}", text::shell_word(after))).unwrap_or_default();
        self.affected = Some(format!("kuzet backtest OPS{rules} --against {}", text::shell_word(before)));
        self
    }

    /// Tells whether both sets mean the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let rules = self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty();
        rules && self.lists.is_empty() && self.mrp.is_empty()
    }
}

impl RuleNote {
    fn of(rule: &Rule) -> Self {
        Self {
            rule: rule.id.to_string(),
            title: rule.title.en.clone(),
            mode: rule.mode.name(),
            on: types(rule.on),
            when: condition::shown(&rule.source),
        }
    }
}

fn budget(budget: Budget) -> String {
    let holds = budget.holds_per_hour.map(|holds| format!("{holds} an hour"));
    let share = budget.share.map(|share| {
        let (whole, hundredths) = (share.basis_points / 100, share.basis_points % 100);
        format!("{whole}.{hundredths:02} % of {} or more an hour", share.at_least)
    });
    holds.into_iter().chain(share).collect::<Vec<_>>().join(", ")
}

fn find<'r>(set: &'r RuleSet, id: &str) -> Option<&'r Rule> {
    set.rules.iter().find(|rule| &*rule.id == id)
}

fn types(types: TypeSet) -> String {
    if types == TypeSet::of(|_| true) {
        return String::from("any");
    }
    types.iter().map(OperationType::name).collect::<Vec<_>>().join(", ")
}

/// Compares what two versions of one rule say, key by key in the order of rule files.
fn parts((before, before_set): (&Rule, &RuleSet), (after, after_set): (&Rule, &RuleSet)) -> Vec<PartChange> {
    let ((before_when, before_actions), (after_when, after_actions)) =
        (meaning_of(before, before_set), meaning_of(after, after_set));
    let mut parts = Parts(Vec::new());
    parts.put("clauses", [before, after].map(|rule| Some(rule.clauses.join(", "))));
    parts.texts(["title.kk", "title.ru", "title.en"], [before, after].map(|rule| Some(&rule.title)));
    parts.put("owner", [before, after].map(|rule| Some(rule.owner.clone())));
    parts.put("severity", [before, after].map(|rule| rule.severity.clone()));
    parts.put("mode", [before, after].map(|rule| Some(rule.mode.name().to_owned())));
    parts.put("from", [before, after].map(|rule| rule.from.map(|from| from.almaty_date().to_string())));
    // The rule file names the last day.
    let until = |rule: &Rule| rule.until.map(|until| until.minus(Nanos::ONE).almaty_date().to_string());
    parts.put("until", [until(before), until(after)]);
    parts.put("on", [before, after].map(|rule| Some(types(rule.on))));
    if before_when != after_when {
        let [before_text, after_text] = [before, after].map(|rule| Some(condition::shown(&rule.source)));
        let details = condition::details(&before.source, &after.source);
        parts.0.push(PartChange { part: "when", before: before_text, after: after_text, details });
    }
    parts.put("on_missing", [before, after].map(|rule| Some(format!("{:?}", rule.on_missing).to_lowercase())));
    if before_actions != after_actions {
        let shown = [actions(before, &before_actions), actions(after, &after_actions)];
        let [before, after] = shown.map(Some);
        parts.0.push(PartChange { part: "then", before, after, details: Vec::new() });
    }
    parts.put("budget", [before, after].map(|rule| rule.budget.map(budget)));
    let messages = [before, after].map(|rule| rule.message.as_ref().map(|message| &*message.text));
    parts.texts(["message.kk", "message.ru", "message.en"], messages);
    parts.put("notes", [before, after].map(|rule| rule.notes.clone()));
    parts.0
}

struct Parts(Vec<PartChange>);

impl Parts {
    /// Notes a part where its two versions differ.
    fn put(&mut self, part: &'static str, [before, after]: [Option<String>; 2]) {
        if before != after {
            self.0.push(PartChange { part, before, after, details: Vec::new() });
        }
    }

    fn texts(&mut self, [kk, ru, en]: [&'static str; 3], texts: [Option<&Localized>; 2]) {
        self.put(kk, texts.map(|texts| texts.map(|texts| texts.kk.clone())));
        self.put(ru, texts.map(|texts| texts.map(|texts| texts.ru.clone())));
        self.put(en, texts.map(|texts| texts.map(|texts| texts.en.clone())));
    }
}

/// Writes the actions as the rule file has them; as the canonical form has them where that cannot be told.
fn actions(rule: &Rule, meanings: &[String]) -> String {
    let root = yaml_of(&rule.source);
    let items = match root.as_ref().and_then(|root| root.at(&["then"])).map(|node| &node.kind) {
        Some(NodeKind::Sequence(items)) if items.len() == meanings.len() => items.as_slice(),
        _ => return meanings.join("; "),
    };
    let of_item = |item: &crate::rules::yaml::Node| {
        rule.source[item.span.clone()].split_whitespace().collect::<Vec<_>>().join(" ")
    };
    items.iter().map(of_item).collect::<Vec<_>>().join("; ")
}
