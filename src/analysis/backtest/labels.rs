//! Which operations of a history were fraud, as somebody who knows says.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde::Deserialize;
use thiserror::Error;

/// Labels cannot be read.
#[derive(Debug, Error)]
pub enum LabelsError {
    #[error("failed to read the labels")]
    Read(#[from] io::Error),
    #[error(
        "line {line} of the labels: {reason}; a label is \
         {{\"op_id\":\"…\",\"label\":\"fraud\"}}, its label one of fraud, legitimate and near_miss, \
         and `rule` names the rule that it is for, if not all"
    )]
    Line { line: u64, reason: String },
}

/// What somebody says of one operation.
#[derive(Debug, Deserialize)]
pub struct Label {
    op_id: String,
    label: Kind,
    /// The rule that has to match the operation, if not any.
    rule: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Fraud,
    Legitimate,
    NearMiss,
}

/// The labels of a history, by the id of the operation. What bears no label was no fraud.
#[derive(Debug, Default)]
pub struct Labels {
    /// The rules that have to match the operation; `None` stands for any.
    fraud: HashMap<String, Vec<Option<String>>>,
}

impl FromIterator<Label> for Labels {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        let mut all = Self::default();
        labels.into_iter().for_each(|label| all.add(label));
        all
    }
}

impl Labels {
    /// Reads labels, one JSON object a line, as `kuzet simulate --labels` writes them.
    ///
    /// # Errors
    /// A line is not a label.
    pub fn read(lines: impl BufRead) -> Result<Self, LabelsError> {
        let mut labels = Self::default();
        for (line, text) in (1..).zip(lines.lines()) {
            let text = text?;
            if text.trim().is_empty() {
                continue;
            }
            let read =
                serde_json::from_str(&text).map_err(|error| LabelsError::Line { line, reason: error.to_string() })?;
            labels.add(read);
        }
        Ok(labels)
    }

    fn add(&mut self, Label { op_id, label, rule }: Label) {
        if label == Kind::Fraud {
            self.fraud.entry(op_id).or_default().push(rule);
        }
    }

    /// Returns the rules that an operation is labelled for, if it was fraud.
    pub(super) fn of(&self, op_id: &str) -> Option<&[Option<String>]> {
        self.fraud.get(op_id).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_label_is_named() {
        let lines = "{\"op_id\":\"a\",\"label\":\"fraud\"}\n\n{\"op_id\":\"b\",\"label\":\"frod\"}\n";
        let error = Labels::read(lines.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 3 of the labels: unknown variant `frod`"), "{error}");
        assert!(error.contains("fraud, legitimate and near_miss"), "{error}");
    }

    #[test]
    fn what_bears_no_label_or_another_one_was_no_fraud() {
        let lines = r#"{"op_id":"a","label":"fraud","rule":"r","wallet_id":"W"}
{"op_id":"b","label":"near_miss","rule":"r"}
{"op_id":"c","label":"fraud"}"#;
        let labels = Labels::read(lines.as_bytes()).unwrap();
        assert_eq!(labels.of("a"), Some(&[Some("r".to_owned())][..]));
        assert_eq!((labels.of("b"), labels.of("c")), (None, Some(&[None][..])));
    }
}
