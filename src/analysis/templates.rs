//! Templates of rules: each is a rule in shadow with tests that notice every small change of it.
//!
//! Knows texts alone; where they are written is not known here.

use crate::rules::program::{List, ListType};

/// What stands in a template for the rule's id.
const RULE_ID: &str = "RULE_ID";
/// What stands in a template for the name of a list.
const LIST_NAME: &str = "LIST_NAME";

/// A rule to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    pub name: &'static str,
    /// What the rule looks for, in a few words.
    pub about: &'static str,
    rule: &'static str,
    tests: &'static str,
}

/// A new rule and its tests, as the texts of their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    pub rule: String,
    pub tests: String,
}

/// All templates. The first is taken where none is named.
pub const TEMPLATES: [Template; 4] = [
    Template {
        name: "transfer-amount",
        about: "a transfer above an amount",
        rule: include_str!("templates/transfer-amount.yaml"),
        tests: include_str!("templates/transfer-amount.test.yaml"),
    },
    Template {
        name: "count-in-window",
        about: "more operations of a wallet within a time than a number",
        rule: include_str!("templates/count-in-window.yaml"),
        tests: include_str!("templates/count-in-window.test.yaml"),
    },
    Template {
        name: "country-change",
        about: "a login from another country than the one before",
        rule: include_str!("templates/country-change.yaml"),
        tests: include_str!("templates/country-change.test.yaml"),
    },
    Template {
        name: "on-list",
        about: "a transfer to a wallet of a list; the rules need a list of the type `wallet`",
        rule: include_str!("templates/on-list.yaml"),
        tests: include_str!("templates/on-list.test.yaml"),
    },
];

impl Template {
    /// Finds a template by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TEMPLATES.iter().find(|template| template.name == name)
    }

    /// Makes the rule `id`. `lists` are those of the rule set it will belong to: a template that reads a list takes
    /// the first that names wallets, and is `None` where there is none.
    #[must_use]
    pub fn fill(&self, id: &str, lists: &[List]) -> Option<NewRule> {
        let (mut rule, mut tests) = (self.rule.replace(RULE_ID, id), self.tests.replace(RULE_ID, id));
        if self.rule.contains(LIST_NAME) {
            let list = lists.iter().find(|list| list.list_type == ListType::Wallet)?;
            (rule, tests) = (rule.replace(LIST_NAME, &list.name), tests.replace(LIST_NAME, &list.name));
        }
        Some(NewRule { rule, tests })
    }
}
