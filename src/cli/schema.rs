//! `kuzet schema`: the contract, the rule files and `kuzet.toml` as JSON Schema 2020-12, the topics as
//! AsyncAPI 3.0, the rule language as a document for people.
//!
//! What is in them: [`crate::schema`].

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::rules::reference;
use crate::schema;

/// Print the JSON Schema of a format, the AsyncAPI document of the topics, or the rule reference
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  kuzet schema rule > rule.schema.json")]
pub struct SchemaArgs {
    /// What to describe
    pub subject: SchemaSubject,
}

/// What can be described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaSubject {
    /// An operation, as the ledger sends it
    Operation,
    /// A decision, as the ledger gets it
    Decision,
    /// A line of the rejected stream
    Rejected,
    /// A rule file
    Rule,
    /// The lists of a rule folder, data/lists.yaml
    Lists,
    /// The configuration of `kuzet serve`, kuzet.toml
    Config,
    /// The Kafka topics, as an AsyncAPI 3.0 document
    Asyncapi,
    /// The reference of the rule language, as Markdown
    RuleReference,
}

/// Prints the document; returns the exit code.
///
/// # Errors
/// `out` cannot be written.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> anyhow::Result<i32> {
    match out.write_all(text(args.subject).as_bytes()).and_then(|()| out.flush()) {
        // Whoever has seen enough, as `head` has, is no error.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(0),
        written => written.map(|()| 0).map_err(Into::into),
    }
}

/// Makes the document, with a line feed at its end.
#[must_use]
pub fn text(subject: SchemaSubject) -> String {
    let document = match subject {
        SchemaSubject::Operation => schema::operation(),
        SchemaSubject::Decision => schema::decision(),
        SchemaSubject::Rejected => schema::rejected(),
        SchemaSubject::Rule => schema::rule(),
        SchemaSubject::Lists => schema::lists(),
        SchemaSubject::Config => schema::config(),
        SchemaSubject::Asyncapi => schema::asyncapi(),
        SchemaSubject::RuleReference => return reference::markdown(),
    };
    format!("{document:#}\n")
}
