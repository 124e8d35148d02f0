//! Templates of rules: each is a rule in shadow with tests that notice every small change of it.
//!
//! Knows texts alone; where they are written is not known here.

use thiserror::Error;

use crate::rules::program::{List, ListType};
use crate::rules::{self, SourceFile};

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

/// Why no rule is made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotMade {
    #[error("there is no template {0}; there are {known}", known = names())]
    Template(String),
    #[error("`{0}` cannot be a rule id: {ids}", ids = rules::IDS)]
    Id(String),
    /// The file that has the name already.
    #[error("there is already {0}; choose another id")]
    Taken(String),
    #[error(
        "the template {template} needs a list of the type `wallet` in {folder}data/lists.yaml, such as `flagged: \
         {{type: wallet, file: flagged.csv}}`; lists found: {found}"
    )]
    NoList { template: &'static str, folder: String, found: String },
}

fn names() -> String {
    TEMPLATES.map(|template| template.name).join(", ")
}

/// Refuses what cannot be the id of a rule.
///
/// # Errors
/// It cannot.
pub fn check_id(id: &str) -> Result<(), NotMade> {
    if rules::is_id(id) { Ok(()) } else { Err(NotMade::Id(id.to_owned())) }
}

/// Refuses an id that a rule, or tests, anywhere among the files have.
///
/// # Errors
/// There are such.
pub fn check_free(id: &str, files: &[SourceFile]) -> Result<(), NotMade> {
    let names = [format!("{id}.yaml"), format!("{id}.test.yaml")];
    let is_taken = |file: &&SourceFile| {
        let name = file.inside().rsplit(['/', '\\']).next().unwrap_or_default();
        names.iter().any(|taken| name.eq_ignore_ascii_case(taken))
    };
    match files.iter().find(is_taken) {
        Some(taken) => Err(NotMade::Taken(taken.path.clone())),
        None => Ok(()),
    }
}

impl Template {
    /// Finds a template by its name; the first of all where none is named.
    ///
    /// # Errors
    /// None has this name.
    pub fn named(name: Option<&str>) -> Result<&'static Self, NotMade> {
        let Some(name) = name else { return Ok(&TEMPLATES[0]) };
        let found = TEMPLATES.iter().find(|template| template.name == name);
        found.ok_or_else(|| NotMade::Template(name.to_owned()))
    }

    /// Makes the rule `id` for a set with these lists. `folder` is what the paths of the set's files begin with.
    ///
    /// # Errors
    /// The template reads a list of wallets, and there is none.
    pub fn make(&self, id: &str, lists: &[List], folder: &str) -> Result<NewRule, NotMade> {
        self.fill(id, lists).ok_or_else(|| {
            let known: Vec<&str> = lists.iter().map(|list| &*list.name).collect();
            let found = if known.is_empty() { String::from("none") } else { known.join(", ") };
            NotMade::NoList { template: self.name, folder: folder.to_owned(), found }
        })
    }

    /// Fills in the id and, where the template reads a list, the first one that names wallets; `None` where there is
    /// none.
    fn fill(&self, id: &str, lists: &[List]) -> Option<NewRule> {
        let (mut rule, mut tests) = (self.rule.replace(RULE_ID, id), self.tests.replace(RULE_ID, id));
        if self.rule.contains(LIST_NAME) {
            let list = lists.iter().find(|list| list.list_type == ListType::Wallet)?;
            (rule, tests) = (rule.replace(LIST_NAME, &list.name), tests.replace(LIST_NAME, &list.name));
        }
        Some(NewRule { rule, tests })
    }
}
