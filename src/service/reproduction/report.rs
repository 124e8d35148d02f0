//! What came of making a decision again, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Missing, Reproduced};
use crate::operation::decision::read::DecisionRecord;

/// Writes it as lines of text.
#[must_use]
pub fn text(found: &Result<Reproduced, Missing>) -> String {
    let mut out = String::new();
    let written = match found {
        Ok(reproduced) => write(reproduced, &mut out),
        Err(missing) => writeln!(out, "cannot be made again: {missing}"),
    };
    written.unwrap_or(());
    out
}

/// Writes it as an object. `made_again`: whether anything could be compared; otherwise `missing` says why not. `then` and
/// `now` are the decisions as texts, byte for byte; `different` names the fields that differ, and `first_other` is the
/// number of the first decision that came out otherwise.
#[must_use]
pub fn json(found: &Result<Reproduced, Missing>) -> Value {
    let reproduced = match found {
        Ok(reproduced) => reproduced,
        Err(missing) => return json!({"made_again": false, "missing": missing.to_string()}),
    };
    let Reproduced { seq, then, now, ruleset, from, rule_sets, first_other } = reproduced;
    let read = DecisionRecord::decode(then).ok();
    json!({
        "made_again": true,
        "equal": reproduced.is_equal(),
        "seq": seq,
        "decision_id": read.as_ref().map(|read| read.decision_id.to_string()),
        "op_id": read.as_ref().map(|read| &*read.op_id),
        "wallet_id": read.as_ref().map(|read| &*read.wallet_id),
        "ruleset": ruleset,
        "from": from,
        "not_kept": from.saturating_sub(1),
        "rule_sets": rule_sets,
        "first_other": first_other,
        "different": differing(then, now),
        "then": String::from_utf8_lossy(then),
        "now": String::from_utf8_lossy(now),
    })
}

fn write(reproduced: &Reproduced, out: &mut String) -> std::fmt::Result {
    let Reproduced { seq, then, now, ruleset, from, rule_sets, first_other } = reproduced;
    if let Ok(read) = DecisionRecord::decode(then) {
        writeln!(out, "decision    {}, number {seq}", read.decision_id)?;
        writeln!(out, "operation   {} of wallet {}", read.op_id, read.wallet_id)?;
    }
    writeln!(out, "rule set    {ruleset}")?;
    writeln!(out, "decided     operations {from} to {seq} again, by {rule_sets} rule sets in turn")?;
    if *from > 1 {
        writeln!(out, "missing     operations 1 to {} are no longer kept", from - 1)?;
    }
    if reproduced.is_equal() {
        return writeln!(out, "equal       {} bytes", then.len());
    }
    if let Some(first) = first_other {
        writeln!(out, "otherwise   decision {first} is the first that came out otherwise")?;
    }
    writeln!(out, "different   in {}", differing(then, now).join(", "))?;
    writeln!(out, "then        {}", String::from_utf8_lossy(then))?;
    writeln!(out, "now         {}", String::from_utf8_lossy(now))
}

/// Names the fields that differ, in the order of the alphabet.
fn differing(then: &[u8], now: &[u8]) -> Vec<String> {
    let object = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes).unwrap_or_default();
    let (then, now) = (object(then), object(now));
    let differs = |name: &&String| then.get(*name) != now.get(*name);
    let mut names: Vec<String> = then.keys().chain(now.keys()).filter(differs).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_once() {
        let (then, now) = (br#"{"b":1,"a":[1],"c":2}"#, br#"{"a":[2],"b":1,"d":0}"#);
        assert_eq!(differing(then, now), ["a", "c", "d"]);
        assert_eq!(differing(then, then), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_told_to_both() {
        let found = Err(Missing::Operation(7));
        assert_eq!(text(&found), "cannot be made again: its operation, number 7, is no longer kept\n");
        let told = json!({"made_again": false, "missing": "its operation, number 7, is no longer kept"});
        assert_eq!(json(&found), told);
    }
}
