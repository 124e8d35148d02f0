//! A PIN on which a rule cancels what waits answers nothing: it confirms no day and asks for no further PIN.

use kuzet::operation::time::SECOND;
use kuzet::rules::SourceFile;
use serde_json::{Value, json};

use super::{NOON, decide, payment, pipeline, rule};

/// Payments of 1,000 KZT need a PIN unless the day is confirmed; `more` are the rules of PINs.
fn decided(more: SourceFile, outcome: &str) -> Vec<String> {
    let challenge = rule(
        "ask",
        "enforce",
        "on: payment\nwhen: amount >= 1_000 KZT and not wallet.is_confirmed\nthen:\n  - challenge: pin",
    );
    let at = |seconds: i64| NOON.plus(seconds * SECOND).to_string();
    let pin = json!({"op_id": "pin", "type": "pin", "wallet_id": "W1", "outcome": outcome, "ref_op_id": "op-0",
        "occurred_at": at(1)});
    let operations = [payment(0, 0, "1000", &json!({})), pin, payment(2, 2, "1000", &json!({}))];
    let told = |decision: &Value| {
        let commands = decision["commands"].as_array().expect("commands").iter();
        let commands: Vec<&str> = commands.filter_map(|command| command["command"].as_str()).collect();
        format!("{} [{}]", decision["verdict"].as_str().expect("a verdict"), commands.join(" "))
    };
    decide(&mut pipeline(vec![challenge, more]), &operations).iter().map(told).collect()
}

#[test]
fn a_pin_confirms_its_day_unless_a_rule_cancels_what_it_names() {
    let quiet = || rule("quiet", "enforce", "on: pin\nwhen: attributes.odd = true\nthen:\n  - cancel_waiting");
    assert_eq!(decided(quiet(), "success"), ["challenge [challenge]", "allow [release]", "allow []"]);
    assert_eq!(
        decided(quiet(), "failure"),
        ["challenge [challenge]", "challenge [challenge]", "challenge [challenge]"]
    );
    for action in ["cancel_waiting", "cancel_referenced"] {
        let cancels = || rule("odd", "enforce", &format!("on: pin\nwhen: outcome is present\nthen:\n  - {action}"));
        assert_eq!(decided(cancels(), "success"), ["challenge [challenge]", "allow [cancel]", "challenge [challenge]"]);
        assert_eq!(decided(cancels(), "failure"), ["challenge [challenge]", "allow [cancel]", "challenge [challenge]"]);
    }
    let watches = rule("odd", "shadow", "on: pin\nwhen: outcome is present\nthen:\n  - cancel_waiting");
    assert_eq!(decided(watches, "success"), ["challenge [challenge]", "allow [release]", "allow []"]);
}
