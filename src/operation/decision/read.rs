//! Decodes a decision as its readers get it: from the topic, the store or a file.
//!
//! The only decoder of decisions. Fields that are not named here are skipped, so that a later version may add
//! some; what a reader needs beyond the form (known words, times) it checks itself.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A decision, borrowed from the bytes it stands in.
#[derive(Debug, Deserialize)]
pub struct DecisionRecord<'a> {
    pub decision_id: Uuid,
    #[serde(borrow)]
    pub op_id: Cow<'a, str>,
    #[serde(borrow)]
    pub wallet_id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// RFC 3339.
    #[serde(borrow)]
    pub occurred_at: Cow<'a, str>,
    #[serde(borrow)]
    pub verdict: Cow<'a, str>,
    #[serde(borrow)]
    pub matches: Vec<MatchRecord<'a>>,
    #[serde(borrow)]
    pub commands: Vec<CommandRecord<'a>>,
    pub late: bool,
    #[serde(borrow)]
    pub ruleset: Cow<'a, str>,
    /// The number on the stream, where it was read over HTTP.
    pub seq: Option<u64>,
    /// The history that the number belongs to, where it was read as an event over HTTP.
    #[serde(borrow)]
    pub epoch: Option<Cow<'a, str>>,
}

/// A page of the stream as it is read over HTTP.
#[derive(Debug, Deserialize)]
pub struct PageRecord<'a> {
    /// Decisions, each with its number.
    #[serde(borrow)]
    pub decisions: Vec<&'a RawValue>,
    /// The history that the numbers belong to.
    #[serde(borrow)]
    pub epoch: Cow<'a, str>,
}

impl<'a> PageRecord<'a> {
    /// Decodes a page; `None` where the bytes are something else.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        bytes.starts_with(b"{\"decisions\":").then(|| serde_json::from_slice(bytes).ok())?
    }
}

/// A rule that fired.
#[derive(Debug, Deserialize)]
pub struct MatchRecord<'a> {
    #[serde(borrow)]
    pub rule: Cow<'a, str>,
    #[serde(borrow)]
    pub clauses: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub mode: Cow<'a, str>,
    /// A JSON object: values by the names of what the condition read.
    #[serde(borrow)]
    pub evidence: &'a RawValue,
    /// What the client is told, of an enforced match whose rule has a message.
    #[serde(borrow)]
    pub message: Option<MessageRecord<'a>>,
}

/// A text in three languages.
#[derive(Debug, Deserialize)]
pub struct MessageRecord<'a> {
    #[serde(borrow)]
    pub kk: Cow<'a, str>,
    #[serde(borrow)]
    pub ru: Cow<'a, str>,
    #[serde(borrow)]
    pub en: Cow<'a, str>,
}

/// A command.
#[derive(Debug, Deserialize)]
pub struct CommandRecord<'a> {
    #[serde(borrow)]
    pub command: Cow<'a, str>,
    pub command_id: Uuid,
    #[serde(borrow)]
    pub rule: Cow<'a, str>,
    #[serde(borrow)]
    pub subject: SubjectRecord<'a>,
    pub restriction_id: Option<Uuid>,
    #[serde(borrow)]
    pub until: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub lifted_by: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    pub challenge: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub direction: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub to: Option<Cow<'a, str>>,
}

/// What a command is about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectRecord<'a> {
    Operation(#[serde(borrow)] Cow<'a, str>),
    Wallet(#[serde(borrow)] Cow<'a, str>),
    Ip(#[serde(borrow)] Cow<'a, str>),
}

impl<'a> DecisionRecord<'a> {
    /// Decodes a decision.
    ///
    /// # Errors
    /// The bytes are no JSON, or lack a field that every decision has.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Returns the rules that fired and are enforced.
    pub fn enforced_rules(&self) -> impl Iterator<Item = &str> {
        self.matches.iter().filter(|found| found.mode == "enforce").map(|found| &*found.rule)
    }
}

impl MatchRecord<'_> {
    /// Returns the evidence as values by name; nothing where it is no object.
    #[must_use]
    pub fn evidence(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(self.evidence.get()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECISION: &str = r#"{"decision_id":"34741870-60d7-5743-957d-5e8303be2e42","op_id":"a","wallet_id":"W1","type":"transfer","occurred_at":"2026-11-22T05:15:00Z","verdict":"hold","matches":[{"rule":"r","clauses":["7.15"],"mode":"enforce","evidence":{"amount":"1.00"},"message":{"kk":"1 теңге","ru":"1 тенге","en":"1 \"KZT\""},"later":1},{"rule":"s","clauses":[],"mode":"shadow","evidence":{}}],"commands":[{"command":"block","command_id":"e7fd8e94-4be6-585d-9819-72ec3caa6b4c","rule":"r","clauses":[],"subject":{"ip":"95.56.234.10"},"direction":"login","until":null}],"late":false,"degraded":[],"ruleset":"b1946ac92492"}"#;

    #[test]
    fn a_decision_is_read_and_what_is_not_known_is_skipped() {
        let read = DecisionRecord::decode(DECISION.as_bytes()).expect("a decision");
        assert_eq!((&*read.op_id, &*read.verdict, read.seq), ("a", "hold", None));
        assert_eq!(read.enforced_rules().collect::<Vec<_>>(), ["r"]);
        assert_eq!(read.matches[0].evidence()["amount"], "1.00");
        let message = read.matches[0].message.as_ref().expect("a message");
        assert_eq!((&*message.kk, &*message.ru, &*message.en), ("1 теңге", "1 тенге", "1 \"KZT\""));
        assert!(read.matches[1].message.is_none());
        let block = &read.commands[0];
        assert!(matches!(&block.subject, SubjectRecord::Ip(address) if address == "95.56.234.10"));
        assert_eq!((block.until.as_deref(), block.direction.as_deref()), (None, Some("login")));
    }

    #[test]
    fn what_lacks_a_field_is_no_decision() {
        let without = DECISION.replace("\"verdict\":\"hold\",", "");
        let error = DecisionRecord::decode(without.as_bytes()).expect_err("no verdict");
        assert!(error.to_string().contains("verdict"), "{error}");
    }
}
