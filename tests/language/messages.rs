//! What an enforced match tells the client: in three languages, placeholders filled with what the rule read.

use super::*;

/// The message of the rule `r` on the last operation, `null` where there is none.
fn last_message(mode: &str, lines: &str, operations: &[Value]) -> Value {
    let decisions = decide(&mut pipeline(vec![rule("r", mode, lines)]), operations);
    decisions.last().expect("a decision")["matches"][0]["message"].clone()
}

/// A no-break space, as groups of digits and units have it.
fn spaced(text: &str) -> String {
    text.replace('_', "\u{a0}")
}

#[test]
fn placeholders_are_filled_as_each_language_writes_them() {
    let sum = "sum(debit.amount by wallet today)";
    let (kk, ru, en) = (
        format!("{{{sum}}}: {{100 АЕК}}ден, {{ count(debit by wallet  within 1h) }}"),
        format!("{{{sum}}}, {{100 МРП}}, {{occurred_at}}, {{amount}}, {{0.5 MRP}}"),
        format!("{{{sum}}}, {{1_000 MRP}}, {{occurred_at}}, {{wallet_id}}, {{device_id}}, {{wallet.is_blocked}}"),
    );
    let lines = format!(
        "on: debit\nwhen: {sum} > 1 MRP and count(debit by wallet within 1h) > 1\nthen:\n  - monitor\n\
         message:\n  kk: \"{kk}\"\n  ru: \"{ru}\"\n  en: \"{en}\""
    );
    let two = [payment(1, 0, "1234567.89", &json!({})), payment(2, 61, "1000", &json!({}))];
    assert_eq!(
        last_message("enforce", &lines, &two),
        json!({
            "kk": spaced("1_235_567,89_теңге: 432_500_теңгеден, 2"),
            "ru": spaced("1_235_567,89_тенге, 432_500_тенге, 02.03.2026_12:01, 1_000_тенге, 2_162,50_тенге"),
            "en": spaced("1,235,567.89_KZT, 4,325,000_KZT, 2_Mar_2026_12:01, W1, —, no"),
        })
    );
}

#[test]
fn a_message_without_placeholders_is_as_the_file_has_it() {
    let lines =
        "on: payment\nwhen: amount > 1 KZT\nthen:\n  - hold\nmessage: {kk: \"А\\nБ\", ru: \"«в» \\\"г\\\"\", en: x}";
    let message = last_message("enforce", lines, &payments(1));
    assert_eq!(message, json!({"kk": "А\nБ", "ru": "«в» \"г\"", "en": "x"}));
}

#[test]
fn shadow_matches_and_rules_without_a_message_tell_nothing() {
    let lines = "on: payment\nwhen: amount > 1 KZT\nthen:\n  - hold";
    assert_eq!(last_message("enforce", lines, &payments(1)), Value::Null);
    let told = format!("{lines}\nmessage: {{kk: а, ru: б, en: c}}");
    assert_eq!(last_message("enforce", &told, &payments(1))["kk"], "а");
    assert_eq!(last_message("shadow", &told, &payments(1)), Value::Null);
}

#[test]
fn an_mrp_that_is_not_known_stays_an_mrp() {
    let lines = "on: payment\nwhen: amount > 100 MRP\non_missing: fire\nthen:\n  - hold\n\
                 message: {kk: \"{100 MRP}\", ru: \"{100 MRP}\", en: \"{100 MRP}\"}";
    let early = payment(1, 0, "1", &json!({"occurred_at": "2019-12-31T12:00:00+06:00"}));
    let message = last_message("enforce", lines, &[early]);
    assert_eq!(message, json!({"kk": spaced("100_АЕК"), "ru": spaced("100_МРП"), "en": spaced("100_MRP")}));
}
